/* croft.yaml's sections about routing, to struct route_config (route_policy.h). The tables below are the format: a
 * name, a type, where the value goes, its bounds. Every complaint names file, line, the name, and what would be
 * right. Strings are copied into the configuration's arena; nothing of the file is kept. Then what one value alone
 * cannot tell is checked: do the classes and tiers that are named exist, do two rules speak of the same requests.
 *
 * Read next: policy.c, docs/ROUTING.md. */
#include "base_mem.h"
#include "route_policy.h"
#include "task_fields.h"
#include "task_pattern.h"

#include <string.h>

enum { MAX_CONFIG_BYTES = 8 << 20 };

/* ---- tiers ---- */

#define TIER(field) offsetof(struct route_tier, field)
static const struct task_field tier_fields[] = {
    {"name", TASK_NAME, .at = TIER(name), .required = true},
    {"place", TASK_WORD, .at = TIER(place), .required = true, .words = route_places},
    {"wire", TASK_WORD, .at = TIER(wire), .words = route_wires},
    {"url", TASK_TEXT, .at = TIER(url), .required = true},
    {"model", TASK_TEXT, .at = TIER(model), .required = true},
    {"key_env", TASK_NAME, .at = TIER(key_env)},
    {"key_file", TASK_TEXT, .at = TIER(key_file)},
    {"region", TASK_NAME, .at = TIER(region)},
    {"classes", TASK_NAMES, .at = TIER(classes), .at_n = TIER(n_classes), .required = true},
    {"drop", TASK_NAMES, .at = TIER(drop), .at_n = TIER(n_drop)},
    {"ca_file", TASK_TEXT, .at = TIER(ca_file)},
    {"insecure_http", TASK_FLAG, .at = TIER(insecure_http)},
    {"price", TASK_SKIP, .at = 0},
    {"connect_s", TASK_NUMBER, .at = TIER(connect_s), .min = 0.001, .max = 3600},
    {"answer_s", TASK_NUMBER, .at = TIER(answer_s), .min = 0.001, .max = 86400},
    {"stall_s", TASK_NUMBER, .at = TIER(stall_s), .min = 0.001, .max = 86400},
    {"deadline_s", TASK_NUMBER, .at = TIER(deadline_s), .min = 0.001, .max = 86400},
    {"max_concurrent", TASK_WHOLE, .at = TIER(max_concurrent), .min = 1, .max = 10000},
    {"max_retries", TASK_WHOLE, .at = TIER(max_retries), .min = 0, .max = 10},
    {"max_answer_bytes", TASK_BYTES, .at = TIER(max_answer_bytes), .min = 1024, .max = 1 << 30},
    {"max_tokens", TASK_WHOLE, .at = TIER(max_tokens), .min = 1, .max = 1ll << 32},
    {.name = NULL}};

#define PRICE(field) offsetof(struct route_price, field)
static const struct task_field price_fields[] = {{"input", TASK_MONEY, .at = PRICE(in), .required = true},
                                                 {"output", TASK_MONEY, .at = PRICE(out), .required = true},
                                                 {"cached", TASK_MONEY, .at = PRICE(cached)},
                                                 {"written", TASK_MONEY, .at = PRICE(written)},
                                                 {.name = NULL}};

bool route_tier_same(const struct route_tier *a, const struct route_tier *b)
{
    const struct route_price *p = &a->price, *q = &b->price;
    return task_fields_same(tier_fields, a, b) && task_fields_same(price_fields, p, q) && p->known == q->known &&
           p->long_tokens == q->long_tokens && p->long_in == q->long_in && p->long_out == q->long_out &&
           p->long_cached == q->long_cached && p->long_written == q->long_written;
}

static int read_price(struct task_reader *r, json_t *o, struct route_tier *t)
{
    json_t *v = json_object_get(o, "price");
    if (!v) {
        if (t->place == ROUTE_DEVICE)
            t->price.known = true; /* 0: this machine's own */
        else
            route_price_find(t->model, &t->price);
        return 0;
    }
    int rc = task_read_fields(r, o, "price", 0, v, price_fields, &t->price);
    if (rc) return rc;
    if (!json_object_get(v, "cached")) t->price.cached = t->price.in;
    if (!json_object_get(v, "written")) t->price.written = t->price.in;
    t->price.known = true;
    return 0;
}

static int read_tiers(struct task_reader *r, const json_t *file, json_t *list)
{
    struct route_config *c = r->of;
    json_t *o;
    size_t i;
    char within[24];
    if (!json_is_array(list) || json_array_size(list) > ROUTE_MAX_TIERS)
        return task_complain(r, file, "tiers", 0, "'tiers' must be a list of at most %d.", ROUTE_MAX_TIERS);
    c->tier = arena_alloc(&c->arena, (json_array_size(list) + 1) * sizeof *c->tier);
    if (!c->tier) return err_nomem(r->e, 0);
    r->within = within;
    json_array_foreach(list, i, o)
    {
        struct route_tier *t = &c->tier[i];
        struct err why = {0};
        snprintf(within, sizeof within, "tiers[%zu]", i);
        int rc = task_read_fields(r, list, NULL, i, o, tier_fields, t);
        if (rc == 0) rc = read_price(r, o, t);
        if (rc) return rc;
        if (t->max_retries == 0 && json_object_get(o, "max_retries")) t->max_retries = -1;
        if (route_tier_check(t, &why)) return task_complain(r, list, NULL, i, "%.200s", why.msg);
        if (strcmp(t->name, "local") == 0)
            return task_complain(r, o, "name", 0,
                                 "'local' is what this server's own models are called. Choose another name.");
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->tier[k].name, t->name) == 0)
                return task_complain(r, o, "name", 0, "two tiers are called '%s'.", t->name);
        for (int k = 0; k < t->n_classes; k++)
            if (route_class_rank(c, t->classes[k]) < 0)
                return task_complain(r, o, "classes", 0,
                                     "'classes' of %s names '%s', which is not in the list 'classes' of the file.",
                                     within, t->classes[k]);
        c->n_tiers++;
    }
    return 0;
}

/* ---- policy ---- */

#define CONF(field) offsetof(struct route_config, field)
static const struct task_field policy_fields[] = {
    {"default_class", TASK_NAME, .at = CONF(default_class)},
    {"currency", TASK_NAME, .at = CONF(currency)},
    {"regions", TASK_NAMES, .at = CONF(regions), .at_n = CONF(n_regions)},
    {"max_waiting", TASK_WHOLE, .at = CONF(max_waiting), .min = 1, .max = 1ll << 32},
    {"names_file", TASK_TEXT, .at = CONF(names_file)},
    {"addresses_file", TASK_TEXT, .at = CONF(addresses_file)},
    {"terms_file", TASK_TEXT, .at = CONF(terms_file)},
    {"health", TASK_SKIP, .at = 0},
    {"redact", TASK_SKIP, .at = 0},
    {"patterns", TASK_SKIP, .at = 0},
    {"raise", TASK_SKIP, .at = 0},
    {"budgets", TASK_SKIP, .at = 0},
    {"tiers", TASK_SKIP, .at = 0}, /* these also stand in rules */
    {"latency_ms", TASK_SKIP, .at = 0},
    {"min_confidence", TASK_SKIP, .at = 0},
    {"check_share", TASK_SKIP, .at = 0},
    {"defer", TASK_SKIP, .at = 0},
    {"capture", TASK_SKIP, .at = 0},
    {"uncalibrated_here", TASK_SKIP, .at = 0},
    {.name = NULL}};

#define RULE(field) offsetof(struct route_rule, field)
static const struct task_field rule_fields[] = {
    {"name", TASK_NAME, .at = RULE(name)},
    {"task", TASK_NAME, .at = RULE(task)},
    {"key", TASK_NAME, .at = RULE(key)},
    {"class", TASK_NAME, .at = RULE(data_class)},
    {"tiers", TASK_NAMES, .at = RULE(tiers), .at_n = RULE(n_tiers)},
    {"latency_ms", TASK_NUMBER, .at = RULE(latency_ms), .min = 0.001, .max = 86400000},
    {"min_confidence", TASK_NUMBER, .at = RULE(min_confidence), .min = 0, .max = 1},
    {"check_share", TASK_NUMBER, .at = RULE(check_share), .min = 0, .max = 1},
    {"max_disagreement", TASK_NUMBER, .at = RULE(max_disagreement), .min = 0.001, .max = 0.999},
    {"defer", TASK_FLAG, .at = RULE(defer), .max = 1},
    {"capture", TASK_FLAG, .at = RULE(capture), .max = 1},
    {"uncalibrated_here", TASK_FLAG, .at = RULE(uncalibrated_here), .max = 1},
    {.name = NULL}};
static const struct route_rule silent = {.n_tiers = -1,
                                         .latency_ms = -1,
                                         .min_confidence = -1,
                                         .check_share = -1,
                                         .max_disagreement = -1,
                                         .defer = -1,
                                         .capture = -1,
                                         .uncalibrated_here = -1};

#define HEALTH(field) offsetof(struct route_health_conf, field)
static const struct task_field health_fields[] = {
    {"pressure_enter", TASK_NUMBER, .at = HEALTH(pressure_enter), .min = 0, .max = 100},
    {"pressure_leave", TASK_NUMBER, .at = HEALTH(pressure_leave), .min = 0, .max = 100},
    {"available_enter", TASK_NUMBER, .at = HEALTH(available_enter), .min = 0, .max = 100},
    {"available_leave", TASK_NUMBER, .at = HEALTH(available_leave), .min = 0, .max = 100},
    {"heat_margin_enter", TASK_NUMBER, .at = HEALTH(heat_margin_enter), .min = 0, .max = 100},
    {"heat_margin_leave", TASK_NUMBER, .at = HEALTH(heat_margin_leave), .min = 0, .max = 100},
    {"battery_enter", TASK_NUMBER, .at = HEALTH(battery_enter), .min = 0, .max = 100},
    {"battery_leave", TASK_NUMBER, .at = HEALTH(battery_leave), .min = 0, .max = 100},
    {.name = NULL}};

static const char *const periods[] = {"day", "month", NULL}; /* enum route_period */
#define BUDGET(field) offsetof(struct route_budget_rule, field)
static const struct task_field budget_fields[] = {
    {"limit", TASK_MONEY, .at = BUDGET(limit), .required = true},
    {"per", TASK_WORD, .at = BUDGET(period), .required = true, .words = periods},
    {"key", TASK_NAME, .at = BUDGET(key)},
    {"task", TASK_NAME, .at = BUDGET(task)},
    {.name = NULL}};

/* The members that a rule may have, out of the policy. */
static int read_base_rule(struct task_reader *r, json_t *policy, struct route_rule *rule)
{
    for (const struct task_field *f = rule_fields; f->name; f++) {
        json_t *v = json_object_get(policy, f->name);
        if (!v || f->at == RULE(name) || f->at == RULE(task) || f->at == RULE(key) || f->at == RULE(data_class))
            continue;
        int rc = task_read_field(r, policy, f, v, rule);
        if (rc) return rc;
    }
    return 0;
}

/* redact: {cloud: {email: restore, card: block}, premises: {…}} */
static int read_redact(struct task_reader *r, json_t *policy)
{
    struct route_config *c = r->of;
    json_t *all = json_object_get(policy, "redact"), *kinds, *v;
    const char *place, *kind;
    if (!all) return 0;
    if (!json_is_object(all))
        return task_complain(r, policy, "redact", 0, "'redact' must hold 'premises' and 'cloud'.");
    json_object_foreach(all, place, kinds)
    {
        int p = route_place_find(place);
        if (p < 0 || p == ROUTE_DEVICE || !json_is_object(kinds))
            return task_complain(r, all, place, 0,
                                 "'redact' has 'premises' and 'cloud', each with kinds and what to do.");
        json_object_foreach(kinds, kind, v)
        {
            int k = route_pii_find(kind), a = json_is_string(v) ? route_redact_action_find(json_string_value(v)) : -1;
            if (k < 0)
                return task_complain(r, kinds, kind, 0,
                                     "there is no kind '%.40s' to redact. docs/REDACTION.md lists them.", kind);
            if (a < 0) return task_complain(r, kinds, kind, 0, "'%s' must be keep, mask, restore or block.", kind);
            c->redact[p].action[k] = (uint8_t)a;
        }
    }
    return 0;
}

/* raise: {national_id: patient} */
static int read_raise(struct task_reader *r, json_t *policy)
{
    struct route_config *c = r->of;
    json_t *all = json_object_get(policy, "raise"), *v;
    const char *kind;
    if (!all) return 0;
    if (!json_is_object(all))
        return task_complain(r, policy, "raise", 0,
                             "'raise' must hold kinds and the class that each makes of a request.");
    c->raise = arena_alloc(&c->arena, (json_object_size(all) + 1) * sizeof *c->raise);
    if (!c->raise) return err_nomem(r->e, 0);
    json_object_foreach(all, kind, v)
    {
        int k = route_pii_find(kind);
        if (k < 0)
            return task_complain(r, all, kind, 0, "there is no kind '%.40s'. docs/REDACTION.md lists them.", kind);
        if (!json_is_string(v) || route_class_rank(c, json_string_value(v)) < 0)
            return task_complain(r, all, kind, 0, "'%s' must raise to one of the file's 'classes', or local-only.",
                                 kind);
        const char *name = task_reader_keep(r, json_string_value(v));
        if (!name) return err_nomem(r->e, 0);
        c->raise[c->n_raise++] = (struct route_raise){(enum route_pii)k, name};
    }
    return 0;
}

/* The kinds of which the policy says something. */
static uint32_t kinds_named(const struct route_config *c)
{
    uint32_t kinds = 0;
    for (int p = 0; p < 3; p++)
        for (int k = 0; k < ROUTE_N_PII; k++)
            if (c->redact[p].action[k] != ROUTE_KEEP) kinds |= ROUTE_PII_BIT(k);
    for (int i = 0; i < c->n_raise; i++) kinds |= ROUTE_PII_BIT(c->raise[i].kind);
    return kinds;
}

int route_config_detectors(const struct route_config *c, uint32_t kinds, struct route_detectors **out, struct err *e)
{
    struct route_detect_conf d = {.kinds = kinds ? kinds : kinds_named(c),
                                  .names_file = c->names_file,
                                  .addresses_file = c->addresses_file,
                                  .terms_file = c->terms_file,
                                  .pattern = c->pattern,
                                  .n_patterns = c->n_patterns};
    return d.kinds ? route_detectors_new(&d, out, e) : 0;
}

#define PATTERN(field) offsetof(struct route_pattern, field)
static const struct task_field pattern_fields[] = {{"name", TASK_NAME, .at = PATTERN(name), .required = true},
                                                   {"regex", TASK_TEXT, .at = PATTERN(regex), .required = true},
                                                   {"kind", TASK_WORD, .at = PATTERN(kind), .words = route_pii_words},
                                                   {"whole", TASK_FLAG, .at = PATTERN(whole)},
                                                   {.name = NULL}};

static int check_pattern(struct task_reader *r, const json_t *o, const struct route_pattern *x)
{
    struct task_pattern *p = NULL;
    struct err why = {0};
    int rc = task_pattern_new(x->regex, x->whole, &p, &why);
    task_pattern_free(p);
    if (rc == CROFT_E_NOMEM) return err_nomem(r->e, 0);
    if (rc) return task_complain(r, o, "regex", 0, "'%s': %.160s", x->name, why.msg);
    if (!(kinds_named(r->of) & ROUTE_PII_BIT(x->kind)))
        return task_complain(r, o, "name", 0, "'%s' finds '%s', of which neither 'redact' nor 'raise' says anything.",
                             x->name, route_pii_words[x->kind]);
    return 0;
}

/* patterns: [{name: order, regex: 'ORD-\d{8}', kind: term}, …]. After redact and raise. */
static int read_patterns(struct task_reader *r, json_t *policy)
{
    struct route_config *c = r->of;
    json_t *all = json_object_get(policy, "patterns"), *o;
    size_t i;
    char within[24];
    if (!all) return 0;
    if (!json_is_array(all) || json_array_size(all) > ROUTE_MAX_PATTERNS)
        return task_complain(r, policy, "patterns", 0, "'patterns' must be a list of at most %d.",
                             ROUTE_MAX_PATTERNS);
    c->pattern = arena_alloc(&c->arena, (json_array_size(all) + 1) * sizeof *c->pattern);
    if (!c->pattern) return err_nomem(r->e, 0);
    json_array_foreach(all, i, o)
    {
        struct route_pattern *x = &c->pattern[i];
        snprintf(within, sizeof within, "patterns[%zu]", i);
        r->within = within;
        *x = (struct route_pattern){.kind = ROUTE_PII_TERM};
        int rc = task_read_fields(r, all, NULL, i, o, pattern_fields, x);
        if (rc == 0) rc = check_pattern(r, o, x);
        if (rc) return rc;
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->pattern[k].name, x->name) == 0)
                return task_complain(r, o, "name", 0, "two patterns are called '%s'.", x->name);
        c->n_patterns++;
    }
    r->within = "policy";
    return 0;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : !a && !b; }

static int read_budgets(struct task_reader *r, json_t *policy)
{
    struct route_config *c = r->of;
    json_t *all = json_object_get(policy, "budgets"), *o;
    size_t i;
    char within[24];
    if (!all) return 0;
    if (!json_is_array(all) || json_array_size(all) > ROUTE_MAX_RULES)
        return task_complain(r, policy, "budgets", 0, "'budgets' must be a list.");
    c->budget = arena_alloc(&c->arena, (json_array_size(all) + 1) * sizeof *c->budget);
    if (!c->budget) return err_nomem(r->e, 0);
    json_array_foreach(all, i, o)
    {
        struct route_budget_rule *b = &c->budget[i];
        snprintf(within, sizeof within, "budgets[%zu]", i);
        r->within = within;
        b->line = task_yaml_line(r->lines, all, NULL, i);
        int rc = task_read_fields(r, all, NULL, i, o, budget_fields, b);
        if (rc) return rc;
        for (size_t k = 0; k < i; k++)
            if (same(c->budget[k].task, b->task) && same(c->budget[k].key, b->key) &&
                c->budget[k].period == b->period)
                return task_complain(r, all, NULL, i, "budgets[%zu] and budgets[%zu] are for the same requests.", k,
                                     i);
        c->n_budgets++;
    }
    for (int i2 = 0; i2 < c->n_tiers; i2++)
        if (c->n_budgets && !c->tier[i2].price.known)
            return task_complain(
                r, policy, "budgets", 0,
                "budgets need prices, and that of '%.60s' (tier '%s') is not known. Give the tier a 'price'.",
                c->tier[i2].model, c->tier[i2].name);
    return 0;
}

static int read_policy(struct task_reader *r, const json_t *file, json_t *policy)
{
    struct route_config *c = r->of;
    struct route_health *probe = NULL;
    struct err why = {0};
    json_t *health = json_object_get(policy, "health");
    r->within = "policy";
    int rc = task_read_fields(r, file, "policy", 0, policy, policy_fields, c);
    if (rc == 0) rc = read_base_rule(r, policy, &c->rule[0]);
    c->rule[0].line = task_yaml_line(r->lines, file, "policy", 0);
    if (rc == 0) rc = read_redact(r, policy);
    if (rc == 0) rc = read_raise(r, policy);
    if (rc == 0) rc = read_patterns(r, policy);
    if (rc == 0) rc = read_budgets(r, policy);
    if (rc == 0 && health) {
        r->within = "health";
        rc = task_read_fields(r, policy, "health", 0, health, health_fields, &c->health);
        if (rc == 0 && route_health_new(&c->health, &probe, &why))
            rc = task_complain(r, policy, "health", 0, "%.200s", why.msg);
        route_health_free(probe);
    }
    if (rc == 0 && c->default_class && route_class_rank(c, c->default_class) < 0)
        rc = task_complain(r, policy, "default_class", 0,
                           "'default_class' must be one of the file's 'classes', or local-only.");
    if (rc == 0 && strlen(c->currency) != 3)
        rc = task_complain(r, policy, "currency", 0, "'currency' must be three letters, such as USD.");
    return rc;
}

/* ---- rules ---- */

static int check_rule(struct task_reader *r, const json_t *list, size_t i, json_t *o, const struct route_rule *rule)
{
    struct route_config *c = r->of;
    if (i != SIZE_MAX && !rule->task && !rule->key)
        return task_complain(
            r, list, NULL, i,
            "%s is for nobody: give it a 'task', a 'key', or both. What is for all stands in 'policy'.", r->within);
    for (int k = 1; k < c->n_rules; k++)
        if (i != SIZE_MAX && same(c->rule[k].task, rule->task) && same(c->rule[k].key, rule->key))
            return task_complain(r, list, NULL, i, "%s and rules[%d] are for the same requests.", r->within, k - 1);
    for (int k = 0; k < rule->n_tiers; k++)
        if (route_tier_find(c, rule->tiers[k]) < 0)
            return task_complain(r, o, "tiers", 0, "there is no tier '%s'.", rule->tiers[k]);
    if (rule->data_class && route_class_rank(c, rule->data_class) < 0)
        return task_complain(r, o, "class", 0, "'class' must be one of the file's 'classes', or local-only.");
    return 0;
}

static int read_rules(struct task_reader *r, const json_t *file, json_t *list)
{
    struct route_config *c = r->of;
    json_t *o;
    size_t i;
    char within[24];
    if (!list) return 0;
    if (!json_is_array(list) || json_array_size(list) >= ROUTE_MAX_RULES)
        return task_complain(r, file, "rules", 0, "'rules' must be a list of fewer than %d.", ROUTE_MAX_RULES);
    r->within = within;
    json_array_foreach(list, i, o)
    {
        struct route_rule *rule = &c->rule[c->n_rules];
        snprintf(within, sizeof within, "rules[%zu]", i);
        *rule = silent;
        rule->line = task_yaml_line(r->lines, list, NULL, i);
        int rc = task_read_fields(r, list, NULL, i, o, rule_fields, rule);
        if (rc == 0) rc = check_rule(r, list, i, o, rule);
        if (rc) return rc;
        if (!rule->name && !(rule->name = task_reader_keep(r, within))) return err_nomem(r->e, 0);
        c->n_rules++;
    }
    return 0;
}

/* ---- the file ---- */

static const struct task_field top_fields[] = {{"classes", TASK_NAMES, .at = CONF(classes), .at_n = CONF(n_classes)},
                                               {.name = NULL}};

bool route_config_section(const char *name)
{
    static const char *const names[] = {"classes", "tiers", "policy", "rules"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static int read_top(struct task_reader *r, const json_t *file)
{
    struct route_config *c = r->of;
    r->within = "the file";
    for (const struct task_field *f = top_fields; f->name; f++) {
        json_t *v = json_object_get(file, f->name);
        int rc = v ? task_read_field(r, file, f, v, c) : 0;
        if (rc) return rc;
    }
    for (int i = 0; i < c->n_classes; i++) {
        if (strcmp(c->classes[i], ROUTE_LOCAL_ONLY) == 0)
            return task_complain(r, file, "classes", 0,
                                 "local-only is there anyway, above all others: leave it out.");
        if (!route_class_valid(str_of(c->classes[i])))
            return task_complain(r, file, "classes", 0,
                                 "'%s' is no class: they are words of a-z, 0-9, '-', '_' and '.'.", c->classes[i]);
    }
    return c->n_classes <= ROUTE_MAX_CLASSES
               ? 0
               : task_complain(r, file, "classes", 0, "more than %d classes.", ROUTE_MAX_CLASSES);
}

static int read_all(struct task_reader *r, const json_t *file)
{
    struct route_config *c = r->of;
    json_t *policy = json_object_get(file, "policy");
    int rc = read_top(r, file);
    if (rc == 0) rc = read_tiers(r, file, json_object_get(file, "tiers"));
    if (rc == 0 && policy) rc = read_policy(r, file, policy);
    if (rc == 0) rc = check_rule(r, file, SIZE_MAX, policy, &c->rule[0]);
    if (rc == 0) rc = read_rules(r, file, json_object_get(file, "rules"));
    if (rc == 0 && !c->default_class) c->default_class = ROUTE_LOCAL_ONLY;
    return rc;
}

int route_config_read(const char *path, const json_t *file, const struct task_yaml_lines *lines,
                      struct route_config **out, struct err *e)
{
    static const char *const needs_tiers[] = {"classes", "policy", "rules"};
    struct err local;
    if (!json_object_get(file, "tiers")) {
        struct task_reader r = {.path = path, .lines = lines, .e = e ? e : &local, .within = ""};
        for (size_t i = 0; i < 3; i++)
            if (json_object_get(file, needs_tiers[i]))
                return task_complain(&r, file, needs_tiers[i], 0, "'%s' is about tiers, and the file has none.",
                                     needs_tiers[i]);
        *out = NULL;
        return 0;
    }
    struct route_config *c = mem_calloc(1, sizeof *c);
    if (!c) return err_nomem(e, sizeof *c);
    struct task_reader r = {&c->arena, path, lines, e ? e : &local, "", c};
    arena_init(&c->arena, MAX_CONFIG_BYTES);
    route_health_defaults(&c->health);
    c->currency = "USD";
    c->path = arena_strndup(&c->arena, path, strlen(path));
    c->rule = arena_alloc(&c->arena, ROUTE_MAX_RULES * sizeof *c->rule);
    int rc = c->path && c->rule ? 0 : err_nomem(e, 0);
    if (rc == 0) {
        c->rule[0] = silent;
        c->rule[0].name = "policy";
        c->n_rules = 1;
        rc = read_all(&r, file);
    }
    if (rc)
        route_config_free(c);
    else
        *out = c;
    return rc;
}

int route_config_load(const char *path, struct route_config **out, struct err *e)
{
    struct task_yaml_lines *lines = NULL;
    json_t *file = NULL;
    int rc = task_yaml_load_lines(path, &file, &lines, e);
    if (rc == 0) rc = route_config_read(path, file, lines, out, e);
    task_yaml_lines_free(lines);
    json_decref(file);
    return rc;
}

void route_config_free(struct route_config *c)
{
    if (!c) return;
    arena_done(&c->arena);
    mem_free(c);
}

/* ---- looking things up ---- */

int route_class_rank(const struct route_config *c, const char *name)
{
    if (strcmp(name, ROUTE_LOCAL_ONLY) == 0) return c->n_classes;
    for (int i = 0; i < c->n_classes; i++)
        if (strcmp(c->classes[i], name) == 0) return i;
    return -1;
}

const char *route_class_name(const struct route_config *c, int rank)
{
    return rank >= 0 && rank < c->n_classes ? c->classes[rank] : ROUTE_LOCAL_ONLY;
}

int route_tier_find(const struct route_config *c, const char *name)
{
    for (int i = 0; i < c->n_tiers; i++)
        if (strcmp(c->tier[i].name, name) == 0) return i;
    return -1;
}

/* What the narrower rule says goes over what the wider one did; a class only gets stricter. */
static void lay_over(const struct route_config *c, struct route_rule *to, const struct route_rule *r)
{
    to->name = r->name;
    to->line = r->line;
    if (r->data_class &&
        (!to->data_class || route_class_rank(c, r->data_class) > route_class_rank(c, to->data_class)))
        to->data_class = r->data_class;
    if (r->n_tiers >= 0) to->tiers = r->tiers, to->n_tiers = r->n_tiers;
    if (r->latency_ms >= 0) to->latency_ms = r->latency_ms;
    if (r->min_confidence >= 0) to->min_confidence = r->min_confidence;
    if (r->check_share >= 0) to->check_share = r->check_share;
    if (r->max_disagreement >= 0) to->max_disagreement = r->max_disagreement;
    if (r->defer >= 0) to->defer = r->defer;
    if (r->capture >= 0) to->capture = r->capture;
    if (r->uncalibrated_here >= 0) to->uncalibrated_here = r->uncalibrated_here;
}

struct route_rule route_rule_for(const struct route_config *c, const char *task, const char *key)
{
    struct route_rule out = c->rule[0];
    for (int width = 0; width < 3; width++) /* the key's, the task's, both's */
        for (int i = 1; i < c->n_rules; i++) {
            const struct route_rule *r = &c->rule[i];
            if ((width != 1) != (r->key != NULL) || (width != 0) != (r->task != NULL)) continue;
            if ((!r->key || (key && strcmp(r->key, key) == 0)) && (!r->task || (task && strcmp(r->task, task) == 0)))
                lay_over(c, &out, r);
        }
    return out;
}
