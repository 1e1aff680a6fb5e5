/* Scoring (task_eval.h): answer every example, count what is right, and sum up. "Right" is the label's name for
 * classification; for the rest equal JSON (key order does not matter) or, where the example's output is a JSON string,
 * equal text. Latency is that of each answer alone, one after another. */
#include "task_eval.h"
#include "base_clock.h"
#include "base_mem.h"
#include "task_metrics.h"

#include <jansson.h>

static const double z95 = 1.959963984540054;

/* Is the answer's text the expected output (canonical JSON)? */
static bool same_output(const char *text, size_t n, const char *expected)
{
    json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);
    json_t *got = json_is_string(want) ? json_stringn(text, n) : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    bool same = want && got && json_equal(want, got);
    json_decref(want);
    json_decref(got);
    return same;
}

static int check_example(const struct task *t, const struct task_example *x, size_t i, struct err *e)
{
    if (t->kind == TASK_CLASSIFY && (!x->label || task_label_find(t, x->label) < 0))
        return ERR(e, FORMAT, "Example %zu has the label '%s', which the task does not name.", i + 1,
                   x->label ? x->label : "(none)");
    if (t->kind != TASK_CLASSIFY && !x->output)
        return ERR(e, FORMAT, "Example %zu has no \"output\" to compare with.", i + 1);
    return 0;
}

static void sum_up(struct task_report *r, const struct task *t, double *ms)
{
    r->accuracy = (double)r->n_right / (double)r->n;
    task_wilson(r->n_right, r->n, z95, &r->accuracy_lo, &r->accuracy_hi);
    if (r->confusion) r->macro_f1 = task_macro_f1(r->confusion, t->n_labels);
    r->score = t->metric == TASK_MACRO_F1 ? r->macro_f1 : r->accuracy;
    r->floor = t->floor;
    r->per_second = (double)r->n / r->seconds;
    r->p50_ms = task_quantile(ms, r->n, 0.50);
    r->p99_ms = task_quantile(ms, r->n, 0.99);
}

int task_eval(struct task_runner *runner, const struct task *t, const struct task_examples *x, task_eval_fn *each,
              void *arg, struct task_report *out, struct err *e)
{
    if (t->metric == TASK_FIELD_F1) return ERR(e, UNSUPPORTED, "The metric 'field_f1' is not computed yet.");
    if (t->kind == TASK_CLASSIFY && t->n_labels == 0)
        return ERR(e, UNSUPPORTED, "The task '%s' has no labels: each of its examples brings its choices.", t->name);
    struct task_report r = {.n = x->n};
    struct buf text;
    buf_init(&text, 1 << 20);
    double *ms = mem_calloc(x->n, sizeof *ms);
    bool classify = t->kind == TASK_CLASSIFY;
    if (classify) r.confusion = mem_calloc((size_t)t->n_labels * t->n_labels, sizeof *r.confusion);
    int rc = ms && (!classify || r.confusion) ? 0 : err_nomem(e, x->n * sizeof *ms);
    double start = clock_now_s();
    for (size_t i = 0; i < x->n && rc == 0; i++) {
        const struct task_example *ex = &x->item[i];
        struct task_answer a;
        buf_clear(&text);
        if ((rc = check_example(t, ex, i, e)) || (rc = task_runner_answer(runner, ex->input, &a, &text, e))) break;
        int truth = classify ? task_label_find(t, ex->label) : 0;
        bool right = classify ? a.label == truth : same_output(text.data ? text.data : "", text.len, ex->output);
        if (classify) r.confusion[(size_t)truth * t->n_labels + (size_t)a.label]++;
        r.n_right += right;
        r.n_prompt += a.n_prompt;
        r.n_evaluated += a.n_evaluated;
        ms[i] = 1e3 * a.seconds;
        if (each && each(arg, i, x->n, ex, &a, text.data ? text.data : "", right))
            rc = ERR(e, CANCELLED, "The evaluation was stopped after %zu examples.", i + 1);
    }
    r.seconds = clock_now_s() - start;
    if (rc == 0) {
        sum_up(&r, t, ms);
        *out = r;
    } else {
        task_report_done(&r);
    }
    mem_free(ms);
    buf_done(&text);
    return rc;
}

void task_report_done(struct task_report *r)
{
    mem_free(r->confusion);
    r->confusion = NULL;
}
