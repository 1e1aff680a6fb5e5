/* Comparing a report with another model's on the same examples, and the gate that CI and rollouts ask
 * (task_report.h). A stored report is read back as the records that it was made from; its examples are known again by
 * the SHA-256 of their inputs. Read next: boot.c. */
#include "base_mem.h"
#include "model_gguf.h"
#include "task_report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STORED = 1 << 30 };

/* ---- a stored report ---- */

bool task_report_is(const char *path)
{
    char head[64] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(head, 1, sizeof head - 1, f) : 0;
    if (f) fclose(f);
    return strspn(head, " \t\r\n") < n && head[strspn(head, " \t\r\n")] == '{';
}

static int damaged(const char *path, size_t i, const char *what, struct err *e)
{
    return ERR(e, FORMAT, "Example %zu of the report '%.160s' cannot be read: %s. Make the report again.", i + 1,
               path, what);
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static uint32_t class_of(const struct task_evaluation *like, const json_t *name)
{
    uint32_t k = 0;
    const char *z = json_string_value(name);
    while (k < like->n_classes && !(z && strcmp(like->class_name[k], z) == 0)) k++;
    return k;
}

static int read_example(const json_t *x, const char *path, size_t i, const struct task_evaluation *like,
                        struct task_evaluation *v, struct err *e)
{
    const char *hash = json_string_value(json_object_get(x, "input_sha256"));
    const json_t *right = json_object_get(x, "right"), *fields = json_object_get(x, "fields");
    if (!hash || strlen(hash) != 64) return damaged(path, i, "it has no \"input_sha256\"", e);
    if (!json_is_boolean(right)) return damaged(path, i, "it does not say whether it was right", e);
    memcpy(v->record[i].input_sha256, hash, 65);
    v->outcome[i] = (struct task_outcome){.right = json_is_true(right),
                                          .confidence = number(x, "confidence"),
                                          .p_truth = number(x, "p_truth"),
                                          .brier = number(x, "brier"),
                                          .truth = class_of(like, json_object_get(x, "label")),
                                          .answer = class_of(like, json_object_get(x, "answer"))};
    if (like->kind != TASK_ANSWERS_FIELDS) return 0;
    double f[3] = {number(fields, "hit"), number(fields, "spurious"), number(fields, "missed")};
    for (int k = 0; k < 3; k++)
        if (!(f[k] >= 0 && f[k] <= 1e9)) return damaged(path, i, "it has no counts of fields", e);
    v->outcome[i].fields = (struct task_fields){(uint32_t)f[0], (uint32_t)f[1], (uint32_t)f[2]};
    return 0;
}

static int read_examples(const json_t *list, const char *path, const struct task_evaluation *like,
                         struct task_evaluation *v, struct err *e)
{
    int rc = 0;
    v->n = json_array_size(list);
    v->kind = like->kind;
    v->n_classes = like->n_classes;
    v->joules = NAN;
    v->outcome = mem_calloc(v->n, sizeof *v->outcome);
    v->record = mem_calloc(v->n, sizeof *v->record);
    if (!v->outcome || !v->record) rc = err_nomem(e, v->n * sizeof *v->record);
    for (size_t i = 0; i < v->n && rc == 0; i++) rc = read_example(json_array_get(list, i), path, i, like, v, e);
    return rc;
}

int task_report_load(const char *path, json_t **out, struct err *e)
{
    json_error_t je;
    FILE *f = fopen(path, "r");
    if (!f) return err_errno(e, errno, "open the report", path);
    fseek(f, 0, SEEK_END);
    bool too_long = ftell(f) > MAX_STORED;
    rewind(f);
    json_t *o = too_long ? NULL : json_loadf(f, JSON_REJECT_DUPLICATES, &je);
    fclose(f);
    const char *format = json_string_value(json_object_get(o, "format"));
    const char *model = json_string_value(json_object_get(json_object_get(o, "model"), "name"));
    const json_t *examples = json_object_get(o, "examples");
    int rc = 0;
    if (too_long)
        rc = ERR(e, LIMIT, "The report '%.160s' is longer than 1 GiB.", path);
    else if (!o)
        rc = ERR(e, FORMAT, "'%.160s' is not JSON: %.100s (line %d).", path, je.text, je.line);
    else if (!format || strcmp(format, "croft-eval-1") != 0 || !model || json_array_size(examples) == 0)
        rc = ERR(e, FORMAT, "'%.160s' is not a report of 'croft eval --json' (\"format\": \"croft-eval-1\").", path);
    if (rc) json_decref(o);
    else *out = o;
    return rc;
}

int task_report_read(const char *path, const struct task_evaluation *like, struct task_evaluation *out,
                     char **out_model, struct err *e)
{
    struct task_evaluation v = {0};
    json_t *o = NULL;
    char *name = NULL;
    int rc = task_report_load(path, &o, e);
    if (rc) return rc;
    const char *model = json_string_value(json_object_get(json_object_get(o, "model"), "name"));
    rc = read_examples(json_object_get(o, "examples"), path, like, &v, e);
    if (rc == 0 && !(name = mem_strdup(model))) rc = err_nomem(e, strlen(model));
    json_decref(o);
    if (rc) {
        task_evaluation_done(&v);
    } else {
        *out = v;
        *out_model = name;
    }
    return rc;
}

int task_report_is_of(const json_t *report, const char *model_path, const struct task *t, bool *out_model,
                      bool *out_task, struct err *e)
{
    char print[65], revision[65] = "";
    const json_t *of = json_object_get(report, "model");
    const char *model = json_string_value(json_object_get(of, "sha256"));
    const char *task = json_string_value(json_object_get(json_object_get(report, "task"), "revision"));
    if (!model && json_object_get(of, "fingerprint"))
        return ERR(e, DIGEST, "The report is of an earlier Croft, which knew weights by a sample of their bytes. Run "
                              "'croft eval' again.");
    int rc = gguf_fingerprint_of(model_path, print, e);
    if (rc == 0 && t) rc = task_revision(t, revision, e);
    if (rc) return rc;
    *out_model = model && strcmp(model, print) == 0;
    *out_task = !t || (task && strcmp(task, revision) == 0);
    return 0;
}

/* ---- the comparison ---- */

int task_report_against(struct task_report *r, struct task_evaluation *other, const char *name,
                        struct task_against *out, struct err *e)
{
    size_t n = r->v->n < other->n ? r->v->n : other->n;
    struct task_outcomes a = {0}, b = {0};
    for (size_t i = 0; i < n; i++) {
        const struct task_outcome *x = &r->v->outcome[i], *y = &other->outcome[i];
        if (strcmp(r->v->record[i].input_sha256, other->record[i].input_sha256) != 0)
            return ERR(
                e, FORMAT,
                "Example %zu is not the same as in the answers of '%.100s': other data, or another order. Compare "
                "models on the same examples.",
                i + 1, name);
        if (x->truth != y->truth)
            return ERR(e, FORMAT, "The label of example %zu is not the one that '%.100s' was scored with.", i + 1,
                       name);
    }
    int rc = task_outcomes_init(&a, r->v->outcome, n, r->v->kind, r->v->n_classes, e);
    if (rc == 0) rc = task_outcomes_init(&b, other->outcome, n, other->kind, other->n_classes, e);
    if (rc == 0) {
        struct task_against v = {.name = name, .other = task_measure(r->measure, &b, NULL)};
        rc = task_boot_compare(r->measure, &a, &b, r->n_draws, r->seed, &v.c, e);
        if (rc == 0) *out = v;
    }
    task_outcomes_done(&a);
    task_outcomes_done(&b);
    return rc;
}

/* ---- the gate ---- */

int task_gate(const struct task_gate *g, const struct task_report *r, const struct task_against *a, struct err *e)
{
    const struct task_interval *s = &r->interval[r->measure];
    const char *what = task_measure_info(r->measure)->title;
    double at = g->by_bound ? s->lo : s->value;
    if (g->floor > 0 && !(at >= g->floor))
        return ERR(
            e, BELOW_FLOOR,
            "The %s of '%.60s' on '%.60s' is %.4f (95 %% interval %.4f to %.4f)%s below the task's floor of %.4f.",
            what, r->model, r->task->name, s->value, s->lo, s->hi, g->by_bound ? ", and its lower end is" : ",",
            g->floor);
    if (!a || isnan(g->max_regression)) return 0;
    at = g->by_bound ? a->c.lo : a->c.difference;
    if (at >= -g->max_regression) return 0;
    return ERR(
        e, BELOW_FLOOR,
        "The %s of '%.60s' differs from that of '%.60s' by %+.4f (95 %% interval %+.4f to %+.4f, p = %.3g); the "
        "allowed regression is %.4f%s.",
        what, r->model, a->name, a->c.difference, a->c.lo, a->c.hi, a->c.p, g->max_regression,
        g->by_bound ? ", for the lower end" : "");
}
