/* Scoring (task_eval.h): answer every example, say whether it is right, keep what is known about it. Latency is that
 * of each answer alone, one after another. Owns the evaluation's arrays; single-threaded (the runner's own thread
 * answers). Read next: score.c (measures), report.c (what is made of it). */
#include "task_eval.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "task_expect.h"
#include "task_meter.h"
#include "task_model.h"

#include <math.h>

enum { MAX_CLASSES_OF_CHOICES = 64, MAX_ANSWERS_BYTES = 1 << 28 };

/* ---- what is asked ---- */

static bool own_choices(const struct task *t, const struct task_example *x) { return !t->n_labels && x->choices; }

static int check_example(const struct task *t, const struct task_example *x, struct err *e)
{
    if (t->kind == TASK_CLASSIFY && t->n_labels && (!x->label || task_label_find(t, x->label) < 0))
        return ERR(e, FORMAT, "The example of line %lld has the label '%.60s', which the task does not name.",
                   x->line, x->label ? x->label : "(none)");
    if (t->kind == TASK_CLASSIFY && !t->n_labels && (!x->label || !x->choices))
        return ERR(e, FORMAT, "The task has no labels, and the example of line %lld no choices of its own.", x->line);
    if (t->kind != TASK_CLASSIFY && !x->output && !x->expect)
        return ERR(e, FORMAT, "The example of line %lld has no \"output\" to compare with, and no \"expect\".",
                   x->line);
    if (t->metric == TASK_FIELD_F1 && !x->output)
        return ERR(e, FORMAT, "The example of line %lld has no \"output\", whose fields 'field_f1' is about.",
                   x->line);
    return 0;
}

static int check(const struct task *t, const struct task_examples *x, struct err *e)
{
    int rc = 0;
    if (t->kind == TASK_EMBED)
        return ERR(e, UNSUPPORTED, "The task '%s' embeds; there is nothing to score.", t->name);
    if (t->kind == TASK_CLASSIFY ? t->metric == TASK_FIELD_F1 : t->metric == TASK_MACRO_F1)
        return ERR(e, UNSUPPORTED, "The metric '%s' is not for a task of this kind. Change `metric` of task '%s'.",
                   t->metric == TASK_FIELD_F1 ? "field_f1" : "macro_f1", t->name);
    for (size_t i = 0; i < x->n && rc == 0; i++) rc = check_example(t, &x->item[i], e);
    return rc;
}

/* Fields are measured where every example has an output that may have some. */
static enum task_answers kind_of(const struct task *t, const struct task_examples *x)
{
    bool fields = t->kind == TASK_EXTRACT || t->metric == TASK_FIELD_F1;
    for (size_t i = 0; i < x->n; i++) fields = fields && x->item[i].output;
    return t->kind == TASK_CLASSIFY ? TASK_ANSWERS_CHOICE : fields ? TASK_ANSWERS_FIELDS : TASK_ANSWERS_TEXT;
}

enum task_measure task_eval_measure(const struct task *t, const struct task_evaluation *v)
{
    if (t->metric == TASK_MACRO_F1) return TASK_M_MACRO_F1;
    if (t->metric == TASK_FIELD_F1) return TASK_M_FIELD_F1;
    return v->kind == TASK_ANSWERS_CHOICE ? TASK_M_ACCURACY : TASK_M_EXACT_MATCH;
}

/* ---- classes ---- */

static uint32_t class_of(const struct task_evaluation *v, const char *name)
{
    uint32_t k = 0;
    while (k < v->n_classes && strcmp(v->class_name[k], name) != 0) k++;
    return k;
}

/* The labels; of examples with choices of their own all choices, in the order of their coming, unless they are many.
 */
static int find_classes(struct task_evaluation *v, const struct task *t, const struct task_examples *x, struct err *e)
{
    unsigned room = t->n_labels ? t->n_labels : MAX_CLASSES_OF_CHOICES;
    size_t n_seen = 0;
    if (v->kind != TASK_ANSWERS_CHOICE) return 0;
    if (!(v->class_name = mem_calloc(room, sizeof *v->class_name))) return err_nomem(e, room * sizeof *v->class_name);
    for (unsigned i = 0; i < t->n_labels; i++) v->class_name[v->n_classes++] = t->labels[i].name;
    for (size_t i = 0; i < x->n && !t->n_labels; i++)
        for (unsigned k = 0; k < x->item[i].n_choices; k++, n_seen++) {
            const char *name = x->item[i].choices[k];
            if (class_of(v, name) < v->n_classes) continue;
            if (v->n_classes == room) {
                v->n_classes = 0;
                return 0;
            }
            v->class_name[v->n_classes++] = name;
        }
    if (!t->n_labels && n_seen < 2 * (size_t)v->n_classes) v->n_classes = 0;
    return 0;
}

/* ---- is it right ---- */

/* Of a choice among n names; p: its distribution. */
static void judge_choice(struct task_evaluation *v, const struct task *t, const struct task_example *x,
                         const struct task_answer *a, const char *text, struct task_outcome *out)
{
    unsigned n = own_choices(t, x) ? x->n_choices : t->n_labels;
    out->right = strcmp(text, x->label) == 0;
    out->truth = class_of(v, x->label);
    out->answer = class_of(v, text);
    out->brier = 0;
    for (unsigned k = 0; k < n; k++) {
        double p = a->probability[k];
        bool is_true = strcmp(own_choices(t, x) ? x->choices[k] : t->labels[k].name, x->label) == 0;
        if (is_true) out->p_truth = p;
        out->brier += (p - is_true) * (p - is_true);
    }
}

/* Of a text: is it the output (equal JSON, or equal text where it is a JSON string), does it meet what is expected?
 */
static int judge_text(const struct task_evaluation *v, const struct task_example *x, const struct buf *text,
                      struct task_outcome *out, struct err *e)
{
    const char *p = text->data ? text->data : "";
    json_t *want = json_loads(x->output ? x->output : x->expect, JSON_DECODE_ANY, NULL), *got = NULL;
    if (!want) return err_nomem(e, 0); /* it was valid when it was read */
    int rc = 0;
    if (!x->output) {
        rc = task_expect_met(want, p, text->len, &out->right, e);
    } else {
        got = json_is_string(want) ? json_stringn(p, text->len)
                                   : json_loadb(p, text->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        out->right = got && json_equal(want, got);
        if (v->kind == TASK_ANSWERS_FIELDS) rc = task_fields_compare(want, got, &out->fields, e);
    }
    json_decref(want);
    json_decref(got);
    return rc;
}

/* NaN: nothing is known. Where a calibration judges, what it cannot judge has no confidence to stand on: 0. */
static double confidence_of(const struct task_evaluation *v, const struct task_answer *a)
{
    if (v->calibrated) return isnan(a->judgement.confidence) ? 0 : a->judgement.confidence;
    if (a->probability) return a->probability[a->label];
    return a->tokens.n ? exp(a->tokens.logprob_mean) : NAN;
}

/* ---- an example ---- */

static int hash_input(const char *input, char out[65], struct err *e)
{
    struct sha256 *s = sha256_new();
    if (!s) return err_nomem(e, 0);
    sha256_add(s, input, strlen(input));
    sha256_hex(s, out);
    return 0;
}

static int ask(struct task_runner *runner, const struct task *t, const struct task_example *x, struct task_answer *a,
               struct buf *text, struct err *e)
{
    bool own = own_choices(t, x);
    return task_runner_choose(runner, x->input, own ? x->choices : NULL, own ? x->n_choices : 0, a, text, e);
}

/* No answer: no class, no confidence, and of a choice the distribution of somebody who knows nothing. */
static void judge_failure(const struct task_evaluation *v, const struct task *t, const struct task_example *x,
                          struct task_outcome *out)
{
    unsigned n = own_choices(t, x) ? x->n_choices : t->n_labels;
    out->confidence = 0;
    if (v->kind != TASK_ANSWERS_CHOICE) return;
    out->truth = class_of(v, x->label);
    out->answer = v->n_classes;
    out->p_truth = 1.0 / n;
    out->brier = 1 - 1.0 / n;
}

/* Names the example in the error. */
static int cannot(const struct task_example *x, const struct err *why, struct err *e)
{
    return err_set(e, why->code, why->where, why->pos, "The example of line %lld cannot be answered: %.200s", x->line,
                   why->msg);
}

static int judge(struct task_evaluation *v, const struct task *t, const struct task_example *x,
                 const struct task_answer *a, const struct buf *text, bool failed, struct task_outcome *out,
                 struct err *e)
{
    int rc = 0;
    out->confidence = confidence_of(v, a);
    if (v->kind == TASK_ANSWERS_CHOICE && !failed)
        judge_choice(v, t, x, a, text->data, out);
    else if (v->kind != TASK_ANSWERS_CHOICE)
        rc = judge_text(v, x, text, out, e);
    if (!failed) return rc;
    out->right = false;
    judge_failure(v, t, x, out);
    return rc;
}

/* Answer example i. What does not fit and what does not end is wrong; any other error ends the evaluation. */
static int answer(struct task_evaluation *v, struct task_runner *runner, const struct task *t,
                  const struct task_example *x, size_t i, struct task_answer *a, struct buf *text, struct err *e)
{
    struct task_outcome *o = &v->outcome[i];
    struct task_record *r = &v->record[i];
    struct err why = {0};
    *o = (struct task_outcome){.confidence = NAN, .p_truth = NAN, .brier = NAN};
    *r = (struct task_record){.input = x->input, .line = x->line};
    *a = (struct task_answer){.label = -1, .judgement = {TASK_UNCALIBRATED, NAN, NAN}};
    double start = clock_now_s();
    int rc = hash_input(x->input, r->input_sha256, e);
    if (rc) return rc;
    task_runner_group(runner, x->group);
    rc = ask(runner, t, x, a, text, &why);
    r->failed = rc == CROFT_E_NO_ROOM || (rc == CROFT_E_LIMIT && v->kind != TASK_ANSWERS_CHOICE);
    if (r->failed) {
        buf_clear(text);
        a->seconds = clock_now_s() - start;
    } else if (rc) {
        return cannot(x, &why, e);
    }
    if ((rc = judge(v, t, x, a, text, r->failed, o, e))) return rc;
    r->verdict = a->judgement.verdict;
    r->ms = 1e3 * a->seconds;
    r->n_prompt = a->n_prompt;
    r->n_evaluated = a->n_evaluated;
    r->expected = x->label ? x->label : x->output ? x->output : x->expect;
    r->answer = arena_strndup(&v->arena, text->data ? text->data : "", text->len);
    return r->answer ? 0 : err_nomem(e, text->len);
}

/* ---- all of them ---- */

static int make(struct task_evaluation *v, const struct task *t, const struct task_examples *x, struct err *e)
{
    arena_init(&v->arena, MAX_ANSWERS_BYTES);
    v->n = x->n;
    v->kind = kind_of(t, x);
    v->joules = NAN;
    v->outcome = mem_calloc(x->n, sizeof *v->outcome);
    v->record = mem_calloc(x->n, sizeof *v->record);
    if (!v->outcome || !v->record) return err_nomem(e, x->n * (sizeof *v->outcome + sizeof *v->record));
    return find_classes(v, t, x, e);
}

int task_eval(struct task_runner *runner, const struct task *t, const struct task_examples *x, task_eval_fn *each,
              void *arg, struct task_evaluation *out, struct err *e)
{
    struct task_evaluation v = {0};
    struct task_meter meter;
    struct buf text;
    int rc = check(t, x, e);
    if (rc) return rc;
    buf_init(&text, 1 << 20);
    rc = make(&v, t, x, e);
    const struct task_calibration *c = task_model_calibration(task_runner_model(runner), NULL);
    v.calibrated = c && (t->kind != TASK_CLASSIFY || t->n_labels);
    if (v.calibrated) v.promise = task_calibration_promise(c);
    task_meter_start(&meter);
    double start = clock_now_s();
    for (size_t i = 0; i < x->n && rc == 0; i++) {
        struct task_answer a;
        buf_clear(&text);
        if ((rc = answer(&v, runner, t, &x->item[i], i, &a, &text, e))) break;
        task_meter_tick(&meter);
        if (each && each(arg, i, x->n, &x->item[i], &a, v.record[i].answer, v.outcome[i].right))
            rc = ERR(e, CANCELLED, "The evaluation was stopped after %zu examples.", i + 1);
    }
    bool has = rc == 0;
    for (size_t i = 0; i < x->n && has; i++) has = !isnan(v.outcome[i].confidence);
    v.confidence = !has                       ? NULL
                   : v.calibrated             ? "calibration"
                   : t->kind == TASK_CLASSIFY ? "probability"
                                              : "token_probability";
    v.joules = task_meter_stop(&meter);
    v.seconds = clock_now_s() - start;
    buf_done(&text);
    if (rc)
        task_evaluation_done(&v);
    else
        *out = v;
    return rc;
}

void task_evaluation_done(struct task_evaluation *v)
{
    mem_free(v->outcome);
    mem_free(v->record);
    mem_free(v->class_name);
    arena_done(&v->arena);
    *v = (struct task_evaluation){0};
}
