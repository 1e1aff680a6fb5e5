/* Making a calibration (task_calibrate.h). The observations fall into two halves by a hash of their input, the same
 * on every machine and every time, and equal inputs into the same half:
 *
 *   fit      temperature, limit of novelty, probe, weights of the confidence, candidates for the threshold
 *   choose   nothing but the tests of the candidates (stat_threshold.c)
 *
 * so that the guarantee holds whatever the fit half made of the confidence: a poor confidence costs coverage, not
 * safety. The probe's feature is computed for each fit example by a probe that was trained without it (five folds);
 * else the confidence would trust it too much. Groups with thresholds of their own share the permitted probability of
 * failure evenly (Bonferroni), so that the promise holds for all of them together.
 * Read next: stat_threshold.c, calib_file.c. */
#include "base_mem.h"
#include "base_str.h"
#include "calib.h"

#include <math.h>
#include <string.h>

enum { FIT, CHOOSE, FOLDS = 5, LEAST = 10, MAX_GROUPS = 256 };

struct work {
    const struct task *t;
    const struct task_observations *x;
    const struct task_calibrate_params *p;
    struct task_calibration *c;
    double *f;        /* [n, TASK_N_FEATURES] */
    float *score;     /* [n] confidence */
    bool *turned_off; /* [n] out of scope by novelty or label: never accepted */
    size_t n_fit;
};

static int half_of(const struct task_observation *o) { return o->hash & 1; }

/* ---- temperature ---- */

/* Mean negative log-likelihood of the true labels of the fit half, at the temperature 1 / b. Convex in b. */
static double likelihood(const struct work *w, double b)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < w->x->n; i++) {
        const struct task_observation *o = &w->x->item[i];
        if (half_of(o) != FIT || o->truth < 0) continue;
        const double *p = o->signals.probability;
        double top = b * log(fmax(p[o->truth], 1e-300)), rest = 0;
        for (unsigned k = 0; k < w->x->n_labels; k++) rest += exp(fmin(700, b * log(fmax(p[k], 1e-300)) - top));
        sum += log(rest);
        n++;
    }
    return n ? sum / (double)n : 0;
}

/* Golden-section search over ln b. */
static double fit_temperature(const struct work *w)
{
    const double ratio = (sqrt(5) - 1) / 2;
    double lo = log(0.05), hi = log(20), a = hi - ratio * (hi - lo), b = lo + ratio * (hi - lo);
    double fa = likelihood(w, exp(a)), fb = likelihood(w, exp(b));
    while (hi - lo > 1e-3) {
        if (fa <= fb) {
            hi = b, b = a, fb = fa, a = hi - ratio * (hi - lo);
            fa = likelihood(w, exp(a));
        } else {
            lo = a, a = b, fa = fb, b = lo + ratio * (hi - lo);
            fb = likelihood(w, exp(b));
        }
    }
    return exp(-(lo + hi) / 2);
}

/* ---- features ---- */

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and limit of the novelty of in-scope inputs of the fit half. */
static int fit_limit(struct work *w, struct err *e)
{
    struct task_novelty *v = &w->c->novelty;
    double *d = mem_calloc(w->n_fit, sizeof *d);
    size_t n = 0;
    if (!d) return err_nomem(e, w->n_fit * sizeof *d);
    for (size_t i = 0; i < w->x->n; i++) {
        const struct task_observation *o = &w->x->item[i];
        double x = w->f[i * TASK_N_FEATURES + TASK_F_NOVELTY];
        if (half_of(o) == FIT && !o->out_of_scope && !isnan(x)) d[n++] = x;
    }
    qsort(d, n, sizeof *d, by_number);
    if (n >= LEAST) {
        size_t at = (size_t)ceil(w->p->scope * (double)n);
        v->usual = (float)d[n / 2];
        v->limit = (float)d[at < n ? at : n - 1];
    }
    mem_free(d);
    if (n >= LEAST && v->limit > v->usual) return 0;
    task_fit_done(&v->plane);
    for (size_t i = 0; i < w->x->n; i++) w->f[i * TASK_N_FEATURES + TASK_F_NOVELTY] = NAN;
    return 0;
}

/* One probe on the fit half without fold `without` (-1: on all of it). */
static int fit_probe(const struct work *w, int without, float *x, unsigned *right, struct task_fit *out,
                     struct err *e)
{
    unsigned d = w->x->n_embd;
    size_t n = 0, seen = 0;
    for (size_t i = 0; i < w->x->n; i++) {
        const struct task_observation *o = &w->x->item[i];
        if (half_of(o) != FIT || (int)(seen++ % FOLDS) == without) continue;
        memcpy(x + n * d, o->signals.vector, d * sizeof *x);
        right[n++] = o->loss == 0;
    }
    return task_fit_head(x, right, n, d, 2, 0.01, 1, out, e);
}

static double probe_of(const struct task_fit *probe, const float *vector)
{
    double p[2];
    task_fit_classify(probe, vector, p);
    return log(fmax(p[1], 1e-300)) - log(fmax(p[0], 1e-300));
}

static int fit_probes(struct work *w, struct err *e)
{
    size_t n = w->x->n;
    float *x = mem_calloc(w->n_fit * w->x->n_embd, sizeof *x);
    unsigned *right = mem_calloc(w->n_fit, sizeof *right);
    int rc = x && right ? 0 : err_nomem(e, w->n_fit * w->x->n_embd * sizeof *x);
    for (int fold = 0; fold < FOLDS && !rc; fold++) {
        struct task_fit probe = {0};
        if ((rc = fit_probe(w, fold, x, right, &probe, e))) break;
        for (size_t i = 0, seen = 0; i < n; i++) {
            const struct task_observation *o = &w->x->item[i];
            if (half_of(o) == FIT && (int)(seen++ % FOLDS) == fold)
                w->f[i * TASK_N_FEATURES + TASK_F_PROBE] = probe_of(&probe, o->signals.vector);
        }
        task_fit_done(&probe);
    }
    if (!rc) rc = fit_probe(w, -1, x, right, &w->c->probe, e);
    for (size_t i = 0; i < n && !rc; i++)
        if (half_of(&w->x->item[i]) == CHOOSE)
            w->f[i * TASK_N_FEATURES + TASK_F_PROBE] = probe_of(&w->c->probe, w->x->item[i].signals.vector);
    mem_free(x);
    mem_free(right);
    return rc;
}

static int fit_features(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    const struct task_calibrate_params *p = w->p;
    int rc = 0;
    c->temperature = w->x->n_labels ? (float)fit_temperature(w) : 1;
    if (p->train && w->x->n_embd)
        rc = task_novelty_fit(c->k, p->train, p->train_label, p->n_train, w->x->n_embd, w->x->n_labels, &c->novelty,
                              e);
    for (size_t i = 0; i < w->x->n; i++) task_calib_features(c, &w->x->item[i].signals, w->f + i * TASK_N_FEATURES);
    if (!rc && c->novelty.plane.n_labels) rc = fit_limit(w, e);
    if (!rc && !w->x->n_labels && w->x->n_embd) rc = fit_probes(w, e);
    return rc;
}

/* ---- the confidence ---- */

/* A feature is used if all have it and it is not the same for all of the fit half. */
static void standardise(struct work *w)
{
    struct task_calibration *c = w->c;
    for (int k = 0; k < TASK_N_FEATURES; k++) {
        double sum = 0, square = 0, n = (double)w->n_fit;
        for (size_t i = 0; i < w->x->n; i++)
            if (half_of(&w->x->item[i]) == FIT) sum += w->f[i * TASK_N_FEATURES + k];
        for (size_t i = 0; i < w->x->n; i++)
            if (half_of(&w->x->item[i]) == FIT) square += pow(w->f[i * TASK_N_FEATURES + k] - sum / n, 2);
        c->mean[k] = (float)(sum / n);
        c->scale[k] = (float)sqrt(square / n);
        c->use[k] =
            c->map == TASK_MAP_TEMPERATURE ? k == TASK_F_LOGIT : isfinite(c->scale[k]) && (double)c->scale[k] > 1e-6;
    }
}

/* Two examples at the mean, one right and one wrong, keep the weights finite where all are right. */
static int fit_logistic(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    struct task_fit fit = {0};
    unsigned d = 0, *right = mem_calloc(w->n_fit + 2, sizeof *right);
    float *x = mem_calloc((w->n_fit + 2) * TASK_N_FEATURES, sizeof *x);
    for (int k = 0; k < TASK_N_FEATURES; k++) d += c->use[k];
    int rc = !x || !right ? err_nomem(e, w->n_fit * TASK_N_FEATURES * sizeof *x)
             : d          ? 0
                          : ERR(e, FORMAT, "The answers are all alike: nothing tells the right ones from the wrong.");
    size_t n = 0;
    for (size_t i = 0; i < w->x->n && !rc; i++) {
        const struct task_observation *o = &w->x->item[i];
        if (half_of(o) != FIT) continue;
        float *row = x + n * d;
        for (int k = 0; k < TASK_N_FEATURES; k++)
            if (c->use[k])
                *row++ = (float)((w->f[i * TASK_N_FEATURES + k] - (double)c->mean[k]) / (double)c->scale[k]);
        right[n++] = o->loss == 0;
    }
    if (!rc) right[n] = 1;
    if (!rc) rc = task_fit_head(x, right, n + 2, d, 2, 1 / (double)(n + 2), 1, &fit, e);
    for (unsigned k = 0, j = 0; k < TASK_N_FEATURES && !rc; k++)
        if (c->use[k]) c->weight[k] = fit.weight[d + j] - fit.weight[j], j++;
    if (!rc) c->bias = fit.bias[1] - fit.bias[0];
    task_fit_done(&fit);
    mem_free(x);
    mem_free(right);
    return rc;
}

static int fit_steps(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    struct task_scored *pair = mem_calloc(w->n_fit, sizeof *pair);
    c->step_at = mem_calloc(w->n_fit, sizeof *c->step_at);
    c->step_value = mem_calloc(w->n_fit, sizeof *c->step_value);
    int rc = pair && c->step_at && c->step_value ? 0 : err_nomem(e, w->n_fit * sizeof *pair);
    size_t n = 0;
    for (size_t i = 0; i < w->x->n && !rc; i++) {
        const struct task_observation *o = &w->x->item[i];
        if (half_of(o) != FIT) continue;
        float score = task_calib_confidence(c, w->f + i * TASK_N_FEATURES);
        pair[n++] = (struct task_scored){score, o->loss == 0}; /* here: the value to regress on */
    }
    if (!rc) c->n_steps = (unsigned)task_stat_isotonic(pair, n, c->step_at, c->step_value);
    if (!rc && !c->n_steps) rc = err_nomem(e, n * sizeof *pair);
    mem_free(pair);
    return rc;
}

/* ---- groups and thresholds ---- */

struct tally {
    const char *name;
    size_t n;
};

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->name, y->name);
}

static const char *key_of(const struct work *w, const struct task_observation *o)
{
    return w->p->per == TASK_PER_LABEL   ? w->t->labels[o->signals.label].name
           : w->p->per == TASK_PER_GROUP ? o->signals.group
                                         : NULL;
}

/* The groups that the fit half has twice as many of as the strictest test needs; and one for the rest. */
static int make_groups(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    struct tally *g = mem_calloc(MAX_GROUPS, sizeof *g);
    size_t n = 0, m = 0;
    if (!g) return err_nomem(e, MAX_GROUPS * sizeof *g);
    for (size_t i = 0; i < w->x->n; i++) {
        const char *key = key_of(w, &w->x->item[i]);
        size_t k = 0;
        if (!key || half_of(&w->x->item[i]) != FIT) continue;
        while (k < n && strcmp(g[k].name, key)) k++;
        if (k == MAX_GROUPS) continue; /* of the rest */
        if (k == n) g[n++] = (struct tally){key, 0};
        g[k].n++;
    }
    qsort(g, n, sizeof *g, by_count);
    while (m < n && g[m].n >= task_promise_needed(&c->promise, m + 2)) m++;
    c->group = mem_calloc(m + 1, sizeof *c->group);
    int rc = c->group ? 0 : err_nomem(e, (m + 1) * sizeof *c->group);
    if (!rc) c->n_groups = (unsigned)m + 1;
    for (size_t k = 0; k < m && !rc; k++)
        if (!(c->group[k].name = mem_strdup(g[k].name))) rc = err_nomem(e, strlen(g[k].name));
    mem_free(g);
    return rc ? rc : task_calib_index(c, w->t, e);
}

static int choose(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    struct task_promise *promise = &c->promise;
    struct task_scored *s[2] = {mem_calloc(w->x->n, sizeof **s), mem_calloc(w->x->n, sizeof **s)};
    size_t accepted = 0;
    bool binary = true;
    int rc = s[0] && s[1] ? make_groups(w, e) : err_nomem(e, w->x->n * sizeof **s);
    for (size_t i = 0; i < w->x->n; i++) binary &= w->x->item[i].loss == 0 || w->x->item[i].loss == 1;
    promise->threshold = 2;
    for (unsigned g = 0; g < c->n_groups && !rc; g++) {
        size_t n[2] = {0, 0};
        for (size_t i = 0; i < w->x->n; i++) {
            const struct task_observation *o = &w->x->item[i];
            if (w->turned_off[i] || task_calib_group(c, &o->signals) != (int)g) continue;
            int half = half_of(o);
            s[half][n[half]++] = (struct task_scored){w->score[i], (float)o->loss};
        }
        struct task_calib_group *to = &c->group[g];
        if (promise->bound == TASK_BOUND_EXPECTATION)
            task_stat_expectation(s[CHOOSE], n[CHOOSE], promise->target_error, &to->threshold);
        else
            rc = task_stat_threshold(s[FIT], n[FIT], s[CHOOSE], n[CHOOSE], promise->target_error,
                                     1 - (1 - promise->confidence) / c->n_groups, binary, &to->threshold, e);
        to->lowest = to->threshold.holds ? to->threshold.at : 2;
        if (!to->threshold.holds) continue;
        promise->holds = true;
        promise->threshold = fmin(promise->threshold, (double)to->lowest);
        accepted += to->threshold.n;
    }
    promise->coverage = (double)accepted / (double)(w->x->n - w->n_fit);
    mem_free(s[0]);
    mem_free(s[1]);
    return rc;
}

/* ---- all of it ---- */

static int fit(struct work *w, struct err *e)
{
    struct task_calibration *c = w->c;
    int rc = fit_features(w, e);
    if (!rc) standardise(w);
    if (!rc && c->map != TASK_MAP_TEMPERATURE) rc = fit_logistic(w, e);
    if (!rc && c->map == TASK_MAP_ISOTONIC) rc = fit_steps(w, e);
    for (size_t i = 0; i < w->x->n && !rc; i++) {
        const double *f = w->f + i * TASK_N_FEATURES;
        const struct task_signals *s = &w->x->item[i].signals;
        w->score[i] = task_calib_confidence(c, f);
        w->turned_off[i] =
            f[TASK_F_NOVELTY] > (double)c->novelty.limit || (c->scope_label >= 0 && s->label == c->scope_label);
    }
    return rc ? rc : choose(w, e);
}

int task_calibrate(const struct task *t, const struct task_observations *x, const struct task_calibrate_params *p,
                   struct task_calibration **out, struct err *e)
{
    struct work w = {.t = t, .x = x, .p = p};
    const struct task_promise promise = {p->target_error, p->bound ? 0 : p->confidence, p->bound,
                                         .n = (uint32_t)x->n};
    for (size_t i = 0; i < x->n; i++) w.n_fit += half_of(&x->item[i]) == FIT;
    if (w.n_fit < LEAST || x->n - w.n_fit < LEAST)
        return ERR(e, FORMAT,
                   "%zu examples are too few to calibrate with. A threshold for an error of %g needs at least %llu "
                   "for such a promise, and more if any is wrong.",
                   x->n, p->target_error, (unsigned long long)task_promise_needed(&promise, 1));
    if (p->map == TASK_MAP_TEMPERATURE && !x->n_labels)
        return ERR(e, USAGE, "A temperature alone calibrates labels; this task has none. Use logistic or isotonic.");
    if (!(w.c = mem_calloc(1, sizeof *w.c))) return err_nomem(e, sizeof *w.c);
    w.f = mem_calloc(x->n * TASK_N_FEATURES, sizeof *w.f);
    w.score = mem_calloc(x->n, sizeof *w.score);
    w.turned_off = mem_calloc(x->n, sizeof *w.turned_off);
    *w.c = (struct task_calibration){.k = kern_get(e),
                                     .kind = t->kind,
                                     .n_labels = x->n_labels,
                                     .scope_label = p->scope_label ? task_label_find(t, p->scope_label) : -1,
                                     .map = p->map,
                                     .per = p->per,
                                     .promise = promise};
    const char *column = p->per == TASK_PER_GROUP && t->data && t->data->columns ? t->data->columns->group : NULL;
    if (column) w.c->column = mem_strdup(column);
    int rc = !w.c->k                          ? e->code
             : column && !w.c->column         ? err_nomem(e, strlen(column))
             : w.f && w.score && w.turned_off ? fit(&w, e)
                                              : err_nomem(e, x->n * TASK_N_FEATURES * sizeof *w.f);
    mem_free(w.f);
    mem_free(w.score);
    mem_free(w.turned_off);
    if (rc)
        task_calibration_free(w.c);
    else
        *out = w.c;
    return rc;
}
