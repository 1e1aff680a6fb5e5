/* A report of `croft eval` in text (eval.h). Read next: cmd_eval.c, src/task/report.c. */
#include "eval.h"
#include "task_metrics.h"

#include <math.h>

static void formatted(struct cli_table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void formatted(struct cli_table *t, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli_text(t, text);
}

static int print_measures(const struct task_report *r)
{
    static const struct cli_column cols[] = {{"measure", "measure", CLI_TEXT},
                                             {"value", "value", CLI_TEXT},
                                             {"interval", "95 % interval", CLI_TEXT},
                                             {"method", "by", CLI_TEXT},
                                             {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    for (int m = 0; m < TASK_N_MEASURES; m++) {
        const struct task_interval *i = &r->interval[m];
        if (isnan(i->value)) continue;
        cli_text(&t, task_measure_info((enum task_measure)m)->title);
        formatted(&t, "%.4f", i->value);
        if (isnan(i->lo))
            cli_none(&t);
        else
            formatted(&t, "%.4f to %.4f", i->lo, i->hi);
        cli_text(&t, i->method);
    }
    return cli_table_done(&t, "eval", false);
}

/* Two cells: the share that may stand, and how many of those are wrong, beside what was promised. */
static void print_accepted(struct cli_table *t, const struct task_report *r)
{
    size_t n = r->n_verdict[TASK_ACCEPT], wrong = n - r->n_verdict_right[TASK_ACCEPT];
    double lo, hi;
    task_wilson(wrong, n, 1.959963984540054, &lo, &hi);
    if (r->v->calibrated)
        formatted(t, "%zu, %.2f %% of all", n, 100 * (double)n / (double)r->v->n);
    else
        cli_none(t);
    const struct task_promise *p = &r->v->promise;
    if (r->v->calibrated && n)
        formatted(t, "%zu, %.2f %% (95 %% interval %.2f to %.2f); promised: at most %.2f %%%s", wrong,
                  100 * (double)wrong / (double)n, 100 * lo, 100 * hi, 100 * p->target_error,
                  p->bound == TASK_BOUND_EXPECTATION ? " of all, in the mean" : "");
    else
        cli_none(t);
}

static int print_costs(const struct task_report *r)
{
    static const struct cli_column cols[] = {{"floor", "floor", CLI_TEXT},
                                             {"accepted", "accepted by the calibration", CLI_TEXT},
                                             {"promise", "wrong among those", CLI_TEXT},
                                             {"rate", "answers per second", CLI_TEXT},
                                             {"latency", "latency p50, p95, p99 (ms)", CLI_TEXT},
                                             {"tokens", "tokens in prompts, evaluated", CLI_TEXT},
                                             {"energy", "energy per answer", CLI_TEXT},
                                             {"failed", "without an answer", CLI_TEXT},
                                             {0}};
    const struct task_evaluation *v = r->v;
    struct cli_table t;
    cli_table_init(&t, cols);
    if (r->task->floor > 0)
        formatted(&t, "%.4f of %s", r->task->floor, task_measure_info(r->measure)->title);
    else
        cli_none(&t);
    print_accepted(&t, r);
    formatted(&t, "%.2f", (double)v->n / v->seconds);
    formatted(&t, "%.2f, %.2f, %.2f", r->p50_ms, r->p95_ms, r->p99_ms);
    formatted(&t, "%llu, %llu", (unsigned long long)r->n_prompt, (unsigned long long)r->n_evaluated);
    if (isnan(v->joules))
        cli_text(&t, "not readable here");
    else
        formatted(&t, "%.3f J", v->joules / (double)v->n);
    if (r->n_failed)
        formatted(&t, "%zu: too long for the context, or not ended", r->n_failed);
    else
        cli_none(&t);
    return cli_record_done(&t, "eval", false);
}

static int print_against(const struct task_report *r, const struct task_against *a)
{
    static const struct cli_column cols[] = {{"against", "against", CLI_TEXT},
                                             {"n", "examples of both", CLI_INT},
                                             {"other", "its score", CLI_TEXT},
                                             {"difference", "difference", CLI_TEXT},
                                             {"p", "p-value", CLI_TEXT},
                                             {"only", "right in this one alone, in the other alone", CLI_TEXT},
                                             {0}};
    const struct task_comparison *c = &a->c;
    struct cli_table t;
    cli_table_init(&t, cols);
    cli_text(&t, a->name);
    cli_int(&t, (int64_t)c->n);
    formatted(&t, "%.4f (%s)", a->other, task_measure_info(r->measure)->title);
    formatted(&t, "%+.4f, 95 %% interval %+.4f to %+.4f (paired bootstrap)", c->difference, c->lo, c->hi);
    formatted(&t, "%.4g (%s)", c->p, strcmp(c->method, "mcnemar") == 0 ? "McNemar, exact" : "paired bootstrap");
    formatted(&t, "%zu, %zu", c->only_first, c->only_second);
    return cli_record_done(&t, "eval", false);
}

static int print_labels(const json_t *labels)
{
    static const struct cli_column cols[] = {{"label", "label", CLI_TEXT},
                                             {"examples", "examples", CLI_INT},
                                             {"precision", "precision", CLI_REAL},
                                             {"recall", "recall", CLI_REAL},
                                             {"f1", "F1", CLI_REAL},
                                             {"mostly_taken_for", "mostly taken for", CLI_TEXT},
                                             {0}};
    struct cli_table t;
    size_t i;
    json_t *row;
    cli_table_init(&t, cols);
    json_array_foreach(labels, i, row)
    {
        const char *taken = json_string_value(json_object_get(row, "mostly_taken_for"));
        cli_text(&t, json_string_value(json_object_get(row, "label")));
        cli_int(&t, json_integer_value(json_object_get(row, "examples")));
        cli_real(&t, json_real_value(json_object_get(row, "precision")));
        cli_real(&t, json_real_value(json_object_get(row, "recall")));
        cli_real(&t, json_real_value(json_object_get(row, "f1")));
        if (taken)
            cli_text(&t, taken);
        else
            cli_none(&t);
    }
    return cli_table_done(&t, "eval", false);
}

int cli_eval_print(const struct task_report *r, const struct task_against *a, const json_t *report, bool per_label)
{
    const json_t *labels = json_object_get(report, "labels");
    printf("%s, %zu examples: ", r->task->name, r->v->n);
    cli_print_safe(stdout, r->model, strlen(r->model));
    printf("\n\n");
    int exit_code = print_measures(r);
    putchar('\n');
    if (!exit_code) exit_code = print_costs(r);
    if (a) putchar('\n');
    if (a && !exit_code) exit_code = print_against(r, a);
    if (!per_label || exit_code || !labels) return exit_code;
    putchar('\n');
    return print_labels(labels);
}
