/* Answering labelled examples to calibrate with (task_calibrate.h): signals, loss, and the half that an example falls
 * into. Loss: 0 for a right answer, 1 for a wrong one; with the metric field_f1, 1 - F1 of the answer's fields. Owns
 * the arrays of what it returns. Read next: calib_fit.c. */
#include "base_mem.h"
#include "task_calibrate.h"
#include "task_expect.h"
#include "task_score.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* FNV-1a, its bits mixed so that the lowest depends on all of them. */
static uint64_t hash_of(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static int written_loss(const struct task *t, const struct task_example *x, const struct buf *text, double *out,
                        struct err *e)
{
    const char *got_text = text->data ? text->data : "";
    if (x->expect) {
        json_t *checks = json_loads(x->expect, 0, NULL);
        bool met = false;
        int rc = checks ? task_expect_met(checks, got_text, text->len, &met, e) : err_nomem(e, 0);
        json_decref(checks);
        *out = !met;
        return rc;
    }
    if (!x->output) return ERR(e, FORMAT, "The example of line %lld has no \"output\" to compare with.", x->line);
    json_t *want = json_loads(x->output, JSON_DECODE_ANY, NULL);
    json_t *got = json_is_string(want) ? json_stringn(got_text, text->len)
                                       : json_loadb(got_text, text->len, JSON_REJECT_DUPLICATES, NULL);
    int rc = 0;
    *out = !(want && got && json_equal(want, got));
    if (t->metric == TASK_FIELD_F1 && *out > 0) {
        struct task_fields f = {0};
        rc = task_fields_compare(want, got, &f, e);
        if (f.hit) *out = 1 - 2.0 * f.hit / (2.0 * f.hit + f.spurious + f.missed);
    }
    json_decref(want);
    json_decref(got);
    return rc;
}

/* Adds one. Where there is no answer (the input is too long, the answer did not end), or one without a token, there
 * is nothing to judge: no calibration will accept it, so none is made from it. */
static int observe(struct task_runner *r, const struct task *t, const struct task_example *x, const char *scope_label,
                   struct task_observations *o, struct buf *text, struct err *e)
{
    struct task_answer a;
    size_t i = o->n;
    struct task_observation *item = &o->item[i];
    buf_clear(text);
    int rc = task_runner_answer(r, x->input, &a, text, e);
    if (rc == CROFT_E_LIMIT || rc == CROFT_E_NO_ROOM || (!rc && !a.probability && !a.tokens.n)) {
        o->n_unanswered++;
        return 0;
    }
    if (rc) return rc;
    o->n++;
    *item = (struct task_observation){.signals = {NULL, a.label, a.tokens, NULL, x->group},
                                      .truth = -1,
                                      .hash = hash_of(x->input),
                                      .out_of_scope = scope_label && x->label && !strcmp(x->label, scope_label)};
    if (a.probability) {
        item->signals.probability = o->probability + i * o->n_labels;
        memcpy(o->probability + i * o->n_labels, a.probability, o->n_labels * sizeof *a.probability);
    }
    if (a.vector) {
        item->signals.vector = o->vector + i * o->n_embd;
        memcpy(o->vector + i * o->n_embd, a.vector, o->n_embd * sizeof *a.vector);
    }
    item->loss = 1;
    item->truth = x->label && t->kind == TASK_CLASSIFY ? task_label_find(t, x->label) : -1;
    if (item->out_of_scope && item->truth < 0) return 0;
    if (t->kind != TASK_CLASSIFY) return written_loss(t, x, text, &item->loss, e);
    if (item->truth < 0)
        return ERR(
            e, FORMAT,
            "The example of line %lld has the label '%s', which the task does not name. If it marks what is out "
            "of scope, say so: --out-of-scope.",
            x->line, x->label ? x->label : "(none)");
    item->loss = item->truth != a.label;
    return 0;
}

int task_observe(struct task_runner *r, const struct task *t, const struct task_examples *x, const char *scope_label,
                 task_observe_fn *each, void *arg, struct task_observations *out, struct err *e)
{
    struct task_observations o = {.n_labels = t->kind == TASK_CLASSIFY ? t->n_labels : 0,
                                  .n_embd = task_runner_n_embd(r)};
    struct buf text;
    buf_init(&text, 1 << 20);
    o.item = mem_calloc(x->n, sizeof *o.item);
    o.probability = mem_calloc(x->n, o.n_labels * sizeof *o.probability);
    o.vector = mem_calloc(x->n, o.n_embd * sizeof *o.vector);
    int rc = o.item && o.probability && o.vector ? 0 : err_nomem(e, x->n * o.n_labels * sizeof *o.probability);
    for (size_t i = 0; i < x->n && !rc; i++) {
        rc = observe(r, t, &x->item[i], scope_label, &o, &text, e);
        if (!rc && each && each(arg, i, x->n)) rc = ERR(e, CANCELLED, "Stopped after %zu examples.", i + 1);
    }
    for (size_t i = 0; i < o.n; i++)
        if (!o.item[i].signals.vector) o.n_embd = 0; /* all or none */
    buf_done(&text);
    if (rc)
        task_observations_done(&o);
    else
        *out = o;
    return rc;
}

void task_observations_done(struct task_observations *o)
{
    mem_free(o->item);
    mem_free(o->probability);
    mem_free(o->vector);
    *o = (struct task_observations){0};
}
