/* What a calibration does on examples that it was not made from (task_calibrate.h). Stateless. Read next: score.c. */
#include "base_mem.h"
#include "calib.h"
#include "task_score.h"

#include <math.h>

struct lists {
    struct task_outcome *before, *after, *error, *scope, *novelty; /* [n] each */
    size_t n, n_error;
};

/* One measure over a list; NaN where it is not defined. */
static int measure(enum task_measure m, const struct task_outcome *x, size_t n, double *out, struct err *e)
{
    struct task_outcomes o;
    *out = NAN;
    if (n == 0) return 0;
    int rc = task_outcomes_init(&o, x, n, TASK_ANSWERS_TEXT, 0, e);
    if (rc) return rc;
    *out = task_measure(m, &o, NULL);
    task_outcomes_done(&o);
    return 0;
}

/* A bin's gap is then a sum of independent errors with variance c (1 - c) each, and of a normal variable the mean
 * absolute value is sqrt(2 / pi) of its deviation. */
static double ece_by_chance(const struct task_outcome *x, size_t n)
{
    double variance[TASK_ECE_BINS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double c = x[i].confidence;
        int bin = (int)ceil(c * TASK_ECE_BINS) - 1;
        variance[bin < 0 ? 0 : bin] += c * (1 - c);
    }
    for (int b = 0; b < TASK_ECE_BINS; b++) sum += sqrt(M_2_PI * variance[b]);
    return n ? sum / (double)n : NAN;
}

static void take(const struct task_calibration *c, const struct task_observation *o, struct lists *l,
                 struct task_calibration_check *k)
{
    const struct task_signals *s = &o->signals;
    struct task_judgement j = task_calibration_judge(c, s);
    bool right = o->loss == 0, accepted = j.verdict == TASK_ACCEPT;
    double confidence = isnan(j.confidence) ? 0 : j.confidence; /* no signals: as unsure as can be */
    struct task_outcome x = {.right = right, .confidence = confidence, .p_truth = NAN, .brier = NAN};
    l->after[l->n] = l->before[l->n] = l->scope[l->n] = l->novelty[l->n] = x;
    l->before[l->n].confidence = s->probability ? s->probability[s->label] : NAN;
    l->scope[l->n].right = l->novelty[l->n].right = !o->out_of_scope;
    if (c->scope_label >= 0 && s->label == c->scope_label)
        l->scope[l->n].confidence = -confidence; /* sure that it is out */
    l->novelty[l->n].confidence = -j.novelty;
    l->n++;
    if (!o->out_of_scope) l->error[l->n_error++] = x;
    k->n_accepted += accepted;
    k->n_out_of_scope += o->out_of_scope;
    k->n_scope_accepted += o->out_of_scope && accepted;
    k->loss_all += o->loss;
    if (accepted) k->loss += o->loss;
}

int task_calibration_check(const struct task_calibration *c, const struct task_observations *x, int half,
                           struct task_calibration_check *out, struct err *e)
{
    struct task_calibration_check k = {0};
    struct task_outcome *all = mem_calloc(5 * x->n, sizeof *all);
    struct lists l = {all, all + x->n, all + 2 * x->n, all + 3 * x->n, all + 4 * x->n, 0, 0};
    if (!all) return err_nomem(e, 5 * x->n * sizeof *all);
    for (size_t i = 0; i < x->n; i++)
        if (half < 0 || (int)(x->item[i].hash & 1) == half) take(c, &x->item[i], &l, &k);
    k.n = l.n;
    k.ece_chance = ece_by_chance(l.after, l.n);
    k.loss = k.n_accepted ? k.loss / (double)k.n_accepted : 0;
    k.loss_all = k.n ? k.loss_all / (double)k.n : 0;
    int rc = measure(TASK_M_ECE, l.before, l.n, &k.ece_before, e);
    if (!rc) rc = measure(TASK_M_ECE, l.after, l.n, &k.ece_after, e);
    if (!rc) rc = measure(TASK_M_AUROC, l.error, l.n_error, &k.auroc_error, e);
    if (!rc) rc = measure(TASK_M_AUROC, l.scope, l.n, &k.auroc_scope, e);
    if (!rc) rc = measure(TASK_M_AUROC, l.novelty, l.n, &k.auroc_novelty, e);
    mem_free(all);
    if (!rc) *out = k;
    return rc;
}
