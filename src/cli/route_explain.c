/* croft route explain: where would a request be answered, and why. Reads the settings file, makes the policy's
 * decision with the facts that the options state, and says each step; nothing is sent and no model is loaded. With
 * --receipt the facts are those of an answer that was given: what decided then, and what today's policy would decide.
 * Read next: src/route/policy.c, docs/ROUTING.md. */
#include "cli.h"
#include "receipts.h"
#include "route_policy.h"
#include "route_receipt.h"
#include "task_task.h"
#include "task_yaml.h"

#include <math.h>

struct settings {
    const char *config, *task, *key, *data_class, *tier, *text, *verdict, *health, *receipt, *dir;
    double confidence, local_ms, deadline_ms;
    int64_t waiting;
    bool too_long, not_ready, json;
};

static const char *const verdicts[] = {"none",         "accept",  "low_confidence", "out_of_scope",
                                       "uncalibrated", "demoted", "failed"};

static int load(const char *path, struct route_config **out, struct err *e)
{
    int rc = route_config_load(path, out, e);
    if (rc == 0 && !*out) rc = ERR(e, NOT_FOUND, "'%.200s' has no tiers: everything is answered here.", path);
    return rc;
}

static int find_in(const struct route_config *c, const char *text, uint32_t counts[ROUTE_N_PII], struct err *e)
{
    struct route_detectors *d = NULL;
    int rc = route_config_detectors(c, ROUTE_PII_ALL, &d, e);
    if (rc == 0) rc = route_detect(d, ROUTE_PII_ALL, text, strlen(text), counts, e);
    route_detectors_free(d);
    return rc;
}

/* ---- a receipt as facts ---- */

struct replay {
    json_t *receipt;
};

static int take_receipt(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    struct replay *r = arg;
    json_decref(r->receipt);
    r->receipt = json_loadb(body, n, 0, NULL);
    return r->receipt ? 0 : ERR(e, FORMAT, "Receipt %llu is not JSON.", (unsigned long long)seq);
}

/* What the receipt's steps say of the request at the time. */
static void facts_of_steps(const json_t *receipt, struct route_facts *f, enum route_verdict_kind *v)
{
    json_t *step;
    size_t i;
    json_array_foreach(json_object_get(receipt, "steps"), i, step)
    {
        const char *word = json_string_value(step);
        switch (word ? route_reason_find(word) : -1) {
        case ROUTE_R_MEMORY:
            f->health = ROUTE_R_MEMORY;
            break;
        case ROUTE_R_HEAT:
            f->health = ROUTE_R_HEAT;
            break;
        case ROUTE_R_BATTERY:
            f->health = ROUTE_R_BATTERY;
            break;
        case ROUTE_R_QUEUE:
            f->n_waiting = INT32_MAX;
            break;
        case ROUTE_R_TOO_LONG:
            f->local = ROUTE_LOCAL_TOO_LONG;
            break;
        case ROUTE_R_NOT_READY:
            f->local = ROUTE_LOCAL_NOT_READY;
            break;
        case ROUTE_R_CONFIDENT:
            *v = ROUTE_V_ACCEPT;
            break;
        case ROUTE_R_LOW_CONFIDENCE:
            *v = ROUTE_V_LOW;
            break;
        case ROUTE_R_OUT_OF_SCOPE:
            *v = ROUTE_V_OUT_OF_SCOPE;
            break;
        case ROUTE_R_UNCALIBRATED:
            *v = ROUTE_V_UNCALIBRATED;
            break;
        case ROUTE_R_DEMOTED:
            *v = ROUTE_V_DEMOTED;
            break;
        case ROUTE_R_LOCAL_ERROR:
            *v = ROUTE_V_FAILED;
            break;
        default:
            break;
        }
    }
}

static int replay(const struct route_config *c, const struct settings *set, struct replay *r, struct route_facts *f,
                  enum route_verdict_kind *v, double *confidence, struct err *e)
{
    struct route_receipt_filter filter = {.id = set->receipt, .limit = 1};
    char dir[CLI_RECEIPTS_PATH];
    int rc = cli_receipts_dir(set->dir, dir, e);
    if (rc == 0) rc = route_receipts_each(dir, &filter, take_receipt, r, e);
    if (rc == 0 && !r->receipt) rc = ERR(e, NOT_FOUND, "There is no receipt '%.40s'.", set->receipt);
    if (rc) return rc;
    const json_t *x = r->receipt, *p = json_object_get(x, "confidence");
    f->task = json_string_value(json_object_get(x, "task"));
    f->key = json_string_value(json_object_get(x, "key"));
    f->asked_class = json_string_value(json_object_get(x, "class"));
    if (json_is_number(p)) *confidence = json_number_value(p);
    facts_of_steps(x, f, v);
    return 0;
}

/* ---- saying it ---- */

static json_t *steps_json(const struct route_config *c, const struct route_plan *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n_steps; i++) {
        json_t *o = json_pack("{s:s, s:s}", "reason", route_reason_word(p->step[i].reason), "text",
                              route_reason_text(p->step[i].reason));
        if (p->step[i].tier >= 0) json_object_set_new(o, "tier", json_string(c->tier[p->step[i].tier].name));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *tiers_json(const struct route_config *c, const struct route_plan *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n_tiers; i++) json_array_append_new(list, json_string(c->tier[p->tier[i]].name));
    return list;
}

static void print_plan(const struct route_config *c, const struct route_plan *p, bool stands)
{
    printf("rule        %s\nclass       %s\n", p->rule.name, route_class_name(c, p->data_class));
    for (int i = 0; i < p->n_steps; i++) {
        int t = p->step[i].tier;
        printf("%-11s %s%s%s%s\n", i ? "" : "steps", route_reason_text(p->step[i].reason), t >= 0 ? " (" : "",
               t >= 0 ? c->tier[t].name : "", t >= 0 ? ")" : "");
    }
    printf("answered by %s", stands ? "the local model" : "");
    for (int i = 0; i < p->n_tiers && !stands; i++) printf("%s%s", i ? ", then " : "", c->tier[p->tier[i]].name);
    if (!stands && p->n_tiers == 0)
        printf("nobody: 503");
    else if (!stands && p->local_stands)
        printf(", then the local model, degraded");
    printf("\nreason      %s: %s\n", route_reason_word(p->reason), route_reason_text(p->reason));
}

static int explain(const struct settings *set, struct err *e)
{
    struct route_config *c = NULL;
    struct task *task = NULL;
    struct route_plan p;
    struct replay r = {0};
    struct route_facts f = {.health = -1,
                            .key = set->key,
                            .asked_class = set->data_class,
                            .asked_tier = set->tier,
                            .n_waiting = set->waiting,
                            .local_ms = set->local_ms,
                            .budget_ms = set->deadline_ms,
                            .local = set->too_long    ? ROUTE_LOCAL_TOO_LONG
                                     : set->not_ready ? ROUTE_LOCAL_NOT_READY
                                                      : ROUTE_LOCAL_READY};
    enum route_verdict_kind v = ROUTE_V_NONE;
    double confidence = set->confidence >= 0 ? set->confidence : NAN;
    int rc = load(set->config, &c, e);
    if (rc == 0 && set->task) rc = task_load(set->task, &task, e);
    if (rc == 0 && set->text) rc = find_in(c, set->text, f.found, e);
    if (rc == 0 && set->health && (f.health = route_reason_find(set->health)) < 0) rc = CROFT_E_USAGE;
    if (rc) goto out;
    if (task) f.task = task->name, f.task_class = task->sensitivity, f.task_ms = task->latency_ms;
    while (set->verdict && strcmp(verdicts[v], set->verdict) != 0) v++;
    if (set->receipt && (rc = replay(c, set, &r, &f, &v, &confidence, e))) goto out;
    if ((rc = route_plan_begin(c, &f, &p, e))) goto out;
    bool stands = p.local_first && route_plan_judge(c, &p, v, confidence);
    if (set->json) {
        json_t *o =
            json_pack("{s:s s:s s:s s:b s:o s:o s:b}", "rule", p.rule.name, "class",
                      route_class_name(c, p.data_class), "reason", route_reason_word(p.reason), "local", stands,
                      "tiers", tiers_json(c, &p), "steps", steps_json(c, &p), "local_may_stand", p.local_stands);
        if (r.receipt) json_object_set(o, "receipt", r.receipt);
        rc = cli_json_done(o, "route explain") ? CROFT_E_NOMEM : 0;
    } else {
        if (r.receipt)
            printf("then        %s, by %s\n", json_string_value(json_object_get(r.receipt, "reason")),
                   json_string_value(json_object_get(r.receipt, "tier")));
        print_plan(c, &p, stands);
    }
out:
    json_decref(r.receipt);
    task_free(task);
    route_config_free(c);
    return rc;
}

#define SET(field) offsetof(struct settings, field)

int cli_route_explain_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"config", 'c', CONF_STR, SET(config), "FILE", "croft.yaml", "CROFT_CONFIG", NULL, 0, 0,
         "the settings file with tiers and policy"},
        {"task", 't', CONF_STR, SET(task), "FILE", NULL, NULL, NULL, 0, 0, "task.yaml that the request is for"},
        {"key", 0, CONF_STR, SET(key), "NAME", NULL, NULL, NULL, 0, 0, "the name of its API key"},
        {"class", 0, CONF_STR, SET(data_class), "NAME", NULL, NULL, NULL, 0, 0,
         "the data class that the request states (X-Croft-Class)"},
        {"tier", 0, CONF_STR, SET(tier), "NAME", NULL, NULL, NULL, 0, 0, "the tier that it asks for (X-Croft-Tier)"},
        {"text", 0, CONF_STR, SET(text), "TEXT", NULL, NULL, NULL, 0, 0, "its text, for the detectors"},
        {"verdict", 0, CONF_CHOICE, SET(verdict), "VERDICT", "none", NULL,
         "none|accept|low_confidence|out_of_scope|uncalibrated|demoted|failed", 0, 0,
         "of the calibration on the local answer"},
        {"confidence", 0, CONF_F64, SET(confidence), "P", "-1", NULL, NULL, -1, 1, "of the local answer (-1: none)"},
        {"health", 0, CONF_CHOICE, SET(health), "REASON", NULL, NULL, "memory|heat|battery", 0, 0,
         "what ails this device"},
        {"waiting", 0, CONF_I64, SET(waiting), "N", "0", NULL, NULL, 0, INT32_MAX, "requests that wait here"},
        {"local-ms", 0, CONF_F64, SET(local_ms), "MS", "0", NULL, NULL, 0, 1e9, "what a local answer takes"},
        {"deadline-ms", 0, CONF_F64, SET(deadline_ms), "MS", "0", NULL, NULL, 0, 1e9, "what the request may take"},
        {"too-long", 0, CONF_FLAG, SET(too_long), NULL, NULL, NULL, NULL, 0, 0, "it does not fit the local model"},
        {"not-ready", 0, CONF_FLAG, SET(not_ready), NULL, NULL, NULL, NULL, 0, 0, "the local model is not ready"},
        {"receipt", 0, CONF_STR, SET(receipt), "ID", NULL, NULL, NULL, 0, 0,
         "replay the decision that this receipt tells of"},
        CLI_RECEIPTS_DIR_ROW(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("route explain", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    return explain(&set, &e) ? cli_fail("route explain", &e) : 0;
}
