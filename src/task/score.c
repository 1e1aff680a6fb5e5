/* Measures over answered examples (task_score.h).
 *
 * Each measure takes weights, so that the bootstrap needs no second way of computing it. What depends on confidence
 * walks `order`, which is made once: a resample changes how often an example counts, never the order of confidences.
 *
 *     order      0.99 0.98 0.98 0.97 …      a run of equal confidence is a group; within it no order means anything
 *     w             1    0    2    1 …
 *
 * Read next: boot.c, fields.c. */
#include "task_score.h"
#include "base_mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct task_measure_info info[TASK_N_MEASURES] = {
    [TASK_M_ACCURACY] = {"accuracy", "accuracy", false},
    [TASK_M_EXACT_MATCH] = {"exact_match", "exact match", false},
    [TASK_M_MACRO_F1] = {"macro_f1", "macro-F1", false},
    [TASK_M_FIELD_F1] = {"field_f1", "field F1", false},
    [TASK_M_FIELD_PRECISION] = {"field_precision", "field precision", false},
    [TASK_M_FIELD_RECALL] = {"field_recall", "field recall", false},
    [TASK_M_LOG_LOSS] = {"log_loss", "log-loss", true},
    [TASK_M_BRIER] = {"brier", "Brier score", true},
    [TASK_M_ECE] = {"ece", "expected calibration error", true},
    [TASK_M_AUROC] = {"auroc", "AUROC of confidence", false},
    [TASK_M_AURC] = {"aurc", "area under risk-coverage", true},
};

const struct task_measure_info *task_measure_info(enum task_measure m) { return &info[m]; }

int task_measure_find(const char *key)
{
    for (int m = 0; m < TASK_N_MEASURES; m++)
        if (strcmp(info[m].key, key) == 0) return m;
    return -1;
}

/* ---- the outcomes ---- */

static int by_confidence(const void *pa, const void *pb, void *arg)
{
    const struct task_outcome *item = arg;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    double x = item[a].confidence, y = item[b].confidence;
    return x != y ? (x < y) - (x > y) : (a > b) - (a < b);
}

int task_outcomes_init(struct task_outcomes *out, const struct task_outcome *item, size_t n, enum task_answers kind,
                       unsigned n_classes, struct err *e)
{
    struct task_outcomes o = {item, n, kind, n_classes, n > 0, n > 0, NULL, NULL};
    if (n > INT32_MAX) return ERR(e, LIMIT, "%zu examples are more than can be scored together.", n);
    for (size_t i = 0; i < n; i++) {
        o.has_confidence = o.has_confidence && !isnan(item[i].confidence);
        o.has_distribution = o.has_distribution && !isnan(item[i].p_truth) && !isnan(item[i].brier);
    }
    if (n_classes && !(o.work = mem_calloc((size_t)3 * n_classes, sizeof *o.work)))
        return err_nomem(e, (size_t)3 * n_classes * sizeof *o.work);
    if (o.has_confidence) {
        if (!(o.order = mem_calloc(n, sizeof *o.order))) {
            mem_free(o.work);
            return err_nomem(e, n * sizeof *o.order);
        }
        for (uint32_t i = 0; i < n; i++) o.order[i] = i;
        qsort_r(o.order, n, sizeof *o.order, by_confidence, (void *)item);
    }
    *out = o;
    return 0;
}

void task_outcomes_done(struct task_outcomes *o)
{
    mem_free(o->order);
    mem_free(o->work);
    *o = (struct task_outcomes){0};
}

static double weight(const uint32_t *w, size_t i) { return w ? (double)w[i] : 1; }

/* ---- means ---- */

static double right_of(const struct task_outcome *x) { return x->right; }
static double log_loss_of(const struct task_outcome *x) { return -log(fmin(fmax(x->p_truth, DBL_EPSILON), 1)); }
static double brier_of(const struct task_outcome *x) { return x->brier; }

static double mean(const struct task_outcomes *o, const uint32_t *w, double (*of)(const struct task_outcome *x))
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < o->n; i++) {
        sum += weight(w, i) * of(&o->item[i]);
        n += weight(w, i);
    }
    return n > 0 ? sum / n : NAN;
}

/* ---- F1 ---- */

static double macro_f1(struct task_outcomes *o, const uint32_t *w)
{
    double *hit = o->work, *truth = hit + o->n_classes, *answered = truth + o->n_classes, sum = 0;
    unsigned used = 0;
    memset(o->work, 0, (size_t)3 * o->n_classes * sizeof *o->work);
    for (size_t i = 0; i < o->n; i++) {
        const struct task_outcome *x = &o->item[i];
        if (x->truth < o->n_classes) truth[x->truth] += weight(w, i);
        if (x->answer < o->n_classes) answered[x->answer] += weight(w, i);
        if (x->truth < o->n_classes && x->truth == x->answer) hit[x->truth] += weight(w, i);
    }
    for (unsigned k = 0; k < o->n_classes; k++) {
        if (truth[k] + answered[k] <= 0) continue;
        sum += 2 * hit[k] / (truth[k] + answered[k]);
        used++;
    }
    return used ? sum / used : NAN;
}

static double field_measure(enum task_measure m, const struct task_outcomes *o, const uint32_t *w)
{
    double hit = 0, spurious = 0, missed = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct task_fields *f = &o->item[i].fields;
        hit += weight(w, i) * f->hit;
        spurious += weight(w, i) * f->spurious;
        missed += weight(w, i) * f->missed;
    }
    double all = m == TASK_M_FIELD_PRECISION ? hit + spurious
                 : m == TASK_M_FIELD_RECALL  ? hit + missed
                                             : hit + (spurious + missed) / 2;
    return all > 0 ? hit / all : NAN;
}

/* ---- confidence ---- */

static int bin_of(double confidence)
{
    int i = (int)ceil(confidence * TASK_ECE_BINS) - 1;
    return i < 0 ? 0 : i < TASK_ECE_BINS ? i : TASK_ECE_BINS - 1;
}

static double ece(const struct task_outcomes *o, const uint32_t *w)
{
    double n = 0, gap[TASK_ECE_BINS] = {0}, sum = 0; /* of a bin: right answers minus confidences */
    for (size_t i = 0; i < o->n; i++) {
        const struct task_outcome *x = &o->item[i];
        gap[bin_of(x->confidence)] += weight(w, i) * ((double)x->right - x->confidence);
        n += weight(w, i);
    }
    for (int b = 0; b < TASK_ECE_BINS; b++) sum += fabs(gap[b]);
    return n > 0 ? sum / n : NAN;
}

/* The group that begins at place `from` of the order: *out_n examples, *out_wrong of them wrong, both weighted.
 * Returns the place behind it. */
static size_t group(const struct task_outcomes *o, const uint32_t *w, size_t from, double *out_n, double *out_wrong)
{
    double confidence = o->item[o->order[from]].confidence;
    size_t i = from;
    *out_n = *out_wrong = 0;
    for (; i < o->n && !(o->item[o->order[i]].confidence < confidence); i++) {
        double by = weight(w, o->order[i]);
        *out_n += by;
        if (!o->item[o->order[i]].right) *out_wrong += by;
    }
    return i;
}

/* Mann and Whitney's U: right answers before (and half of those beside) each wrong one. */
static double auroc(const struct task_outcomes *o, const uint32_t *w)
{
    double right = 0, wrong = 0, pairs = 0, n, bad;
    for (size_t i = 0; i < o->n;) {
        i = group(o, w, i, &n, &bad);
        pairs += bad * (right + (n - bad) / 2);
        right += n - bad;
        wrong += bad;
    }
    return right > 0 && wrong > 0 ? pairs / (right * wrong) : NAN;
}

/* After `seen` answers with `errors`, a group of n with `bad` wrong: the j-th of them stands at coverage seen + j,
 * where in the mean over orders errors + j bad / n are wrong. */
static double aurc(const struct task_outcomes *o, const uint32_t *w)
{
    double seen = 0, errors = 0, sum = 0, n, bad;
    for (size_t i = 0; i < o->n;) {
        i = group(o, w, i, &n, &bad);
        for (double j = 1; j <= n; j++) sum += (errors + j * bad / n) / (seen + j);
        seen += n;
        errors += bad;
    }
    return seen > 0 ? sum / seen : NAN;
}

double task_measure(enum task_measure m, struct task_outcomes *o, const uint32_t *w)
{
    switch (m) {
    case TASK_M_ACCURACY:
        return o->kind == TASK_ANSWERS_CHOICE ? mean(o, w, right_of) : NAN;
    case TASK_M_EXACT_MATCH:
        return o->kind == TASK_ANSWERS_CHOICE ? NAN : mean(o, w, right_of);
    case TASK_M_MACRO_F1:
        return o->n_classes ? macro_f1(o, w) : NAN;
    case TASK_M_FIELD_F1:
    case TASK_M_FIELD_PRECISION:
    case TASK_M_FIELD_RECALL:
        return o->kind == TASK_ANSWERS_FIELDS ? field_measure(m, o, w) : NAN;
    case TASK_M_LOG_LOSS:
        return o->has_distribution ? mean(o, w, log_loss_of) : NAN;
    case TASK_M_BRIER:
        return o->has_distribution ? mean(o, w, brier_of) : NAN;
    case TASK_M_ECE:
        return o->has_confidence ? ece(o, w) : NAN;
    case TASK_M_AUROC:
        return o->has_confidence ? auroc(o, w) : NAN;
    case TASK_M_AURC:
        return o->has_confidence ? aurc(o, w) : NAN;
    default:
        return NAN;
    }
}

/* ---- plots ---- */

void task_reliability(const struct task_outcomes *o, struct task_bin out[TASK_ECE_BINS])
{
    memset(out, 0, TASK_ECE_BINS * sizeof *out);
    for (size_t i = 0; i < o->n && o->has_confidence; i++) {
        struct task_bin *b = &out[bin_of(o->item[i].confidence)];
        b->n++;
        b->n_right += o->item[i].right;
        b->confidence += o->item[i].confidence;
    }
    for (int i = 0; i < TASK_ECE_BINS; i++)
        if (out[i].n) out[i].confidence /= (double)out[i].n;
}

/* Coverage is cut into 99 slots and what is all of it; a slot has one point, its first. In whole numbers, so that
 * rounding makes no point too many. */
size_t task_risk_coverage(const struct task_outcomes *o, struct task_curve_point out[TASK_CURVE_POINTS])
{
    double seen = 0, errors = 0, n, bad;
    size_t n_points = 0, next = 0;
    for (size_t i = 0; i < o->n && o->has_confidence;) {
        double threshold = o->item[o->order[i]].confidence;
        i = group(o, NULL, i, &n, &bad);
        seen += n;
        errors += bad;
        size_t slot = i * (TASK_CURVE_POINTS - 1) / o->n;
        if (slot < next) continue;
        next = slot + 1;
        out[n_points++] = (struct task_curve_point){threshold, seen / (double)o->n, errors / seen};
    }
    return n_points;
}
