/* Judging an answer (task_calib.h): features from the signals, a probability of being right from the features, a
 * verdict from the probability.
 *
 *   labels      p -> ln p / T, normalised (temperature: Guo et al., 2017); log-odds, margin, entropy
 *   tokens      mean and least log-probability and margin of what was written
 *   vector      novelty: |x - c|^2 - |x - mean|^2 to the nearest centroid c of the training inputs, the relative form
 *               of a Mahalanobis distance (Ren et al., 2021) with the identity for covariances; probe: a linear one
 *   confidence  1 / (1 + exp(-(w z + b))), z standardised features; behind it perhaps a step function
 *   verdict     out of scope where novelty is beyond its limit or the label says so; else accept from the threshold
 * on
 *
 * A signal that is needed and missing makes an answer uncalibrated, never accepted. Read-only: any thread. Read next:
 * calib_fit.c, stat_threshold.c. */
#include "calib.h"
#include "base_buf.h"
#include "base_mem.h"
#include "base_sha256.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

const char *const task_feature_names[TASK_N_FEATURES] = {
#define X(constant, name, source) name,
    TASK_FEATURE_TABLE(X)
#undef X
};
const enum task_feature_source task_feature_sources[TASK_N_FEATURES] = {
#define X(constant, name, source) TASK_FROM_##source,
    TASK_FEATURE_TABLE(X)
#undef X
};

const char *task_verdict_name(enum task_verdict v)
{
    static const char *const names[] = {"uncalibrated", "accept", "low_confidence", "out_of_scope"};
    return names[v];
}

void task_calibration_free(struct task_calibration *c)
{
    if (!c) return;
    task_fit_done(&c->novelty.plane);
    task_fit_done(&c->probe);
    mem_free(c->step_at);
    mem_free(c->step_value);
    for (unsigned i = 0; i < c->n_groups && c->group; i++) mem_free(c->group[i].name);
    mem_free(c->group);
    mem_free(c->group_of_label);
    mem_free(c->column);
    mem_free(c);
}

/* ---- features ---- */

static double novelty_of(const struct kern_ops *k, const struct task_fit *plane, const float *x)
{
    double nearest = -INFINITY;
    for (unsigned i = 0; i < plane->n_labels; i++) {
        double near = (double)k->dot(plane->weight + (size_t)i * plane->n_embd, x, plane->n_embd);
        nearest = fmax(nearest, near + (double)plane->bias[i]);
    }
    return -nearest;
}

/* Of the distribution p^(1/T), normalised, whose answer is `label`. The odds come from the sum of the others, so that
 * they stay exact where p is all but 1. */
static void label_features(const double *p, unsigned n, int label, double temperature, double *out)
{
    double top = log(fmax(p[label], 1e-300)) / temperature, others = 0, next = -INFINITY, weighted = 0;
    for (unsigned i = 0; i < n; i++) {
        if ((int)i == label) continue;
        double l = log(fmax(p[i], 1e-300)) / temperature - top, x = exp(fmin(l, 300));
        others += x;
        weighted += x * l;
        next = fmax(next, l);
    }
    out[TASK_F_LOGIT] = fmax(-30, fmin(30, -log(fmax(others, 1e-300))));
    out[TASK_F_MARGIN] = fmin(30, -next);
    out[TASK_F_ENTROPY] = log1p(others) - weighted / (1 + others);
}

void task_calib_features(const struct task_calibration *c, const struct task_signals *s, double *out)
{
    for (int i = 0; i < TASK_N_FEATURES; i++) out[i] = NAN;
    if (s->probability) label_features(s->probability, c->n_labels, s->label, (double)c->temperature, out);
    if (s->tokens.n) {
        out[TASK_F_LOGPROB_MEAN] = s->tokens.logprob_mean;
        out[TASK_F_LOGPROB_MIN] = s->tokens.logprob_min;
        out[TASK_F_MARGIN_MEAN] = s->tokens.margin_mean;
        out[TASK_F_MARGIN_MIN] = s->tokens.margin_min;
        out[TASK_F_LENGTH] = log(s->tokens.n);
    }
    if (s->vector && c->novelty.plane.n_labels) out[TASK_F_NOVELTY] = novelty_of(c->k, &c->novelty.plane, s->vector);
    if (s->vector && c->probe.n_labels) {
        double p[2];
        task_fit_classify(&c->probe, s->vector, p);
        out[TASK_F_PROBE] = log(fmax(p[1], 1e-300)) - log(fmax(p[0], 1e-300));
    }
}

/* The value of the last step that begins at or below x. */
static float step_of(const struct task_calibration *c, float x)
{
    unsigned lo = 0, hi = c->n_steps;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        if (c->step_at[mid] <= x)
            lo = mid;
        else
            hi = mid;
    }
    return c->step_value[lo];
}

float task_calib_confidence(const struct task_calibration *c, const double *f)
{
    if (c->map == TASK_MAP_TEMPERATURE) return (float)(1 / (1 + exp(-f[TASK_F_LOGIT])));
    double z = (double)c->bias;
    for (int i = 0; i < TASK_N_FEATURES; i++)
        if (c->use[i]) z += (double)c->weight[i] * (f[i] - (double)c->mean[i]) / (double)c->scale[i];
    float p = (float)(1 / (1 + exp(-z)));
    return c->n_steps && !isnan(z) ? step_of(c, p) : p;
}

/* ---- the verdict ---- */

int task_calib_group(const struct task_calibration *c, const struct task_signals *s)
{
    if (c->per == TASK_PER_LABEL) return (int)c->group_of_label[s->label];
    if (c->per == TASK_PER_GROUP && !s->group) return -1;
    for (unsigned i = 0; c->per == TASK_PER_GROUP && i + 1 < c->n_groups; i++)
        if (strcmp(c->group[i].name, s->group) == 0) return (int)i;
    return (int)c->n_groups - 1;
}

int task_calib_index(struct task_calibration *c, const struct task *t, struct err *e)
{
    if (c->per != TASK_PER_LABEL) return 0;
    c->group_of_label = mem_calloc(c->n_labels, sizeof *c->group_of_label);
    if (!c->group_of_label) return err_nomem(e, c->n_labels * sizeof *c->group_of_label);
    for (unsigned k = 0; k < c->n_labels; k++) c->group_of_label[k] = c->n_groups - 1;
    for (unsigned i = 0; i + 1 < c->n_groups; i++) {
        int k = task_label_find(t, c->group[i].name);
        if (k >= 0) c->group_of_label[k] = i;
    }
    return 0;
}

static double relative_novelty(const struct task_calibration *c, double feature)
{
    return (feature - (double)c->novelty.usual) / (double)(c->novelty.limit - c->novelty.usual);
}

double task_calibration_novelty(const struct task_calibration *c, const float *vector)
{
    return c->novelty.plane.n_labels ? relative_novelty(c, novelty_of(c->k, &c->novelty.plane, vector)) : NAN;
}

struct task_judgement task_calibration_judge(const struct task_calibration *c, const struct task_signals *s)
{
    struct task_judgement j = {TASK_UNCALIBRATED, NAN, NAN};
    double f[TASK_N_FEATURES];
    if (c->n_labels && !s->probability) return j;
    task_calib_features(c, s, f);
    float confidence = task_calib_confidence(c, f);
    int group = task_calib_group(c, s);
    bool known = !c->novelty.plane.n_labels;
    if (!known && s->vector) {
        j.novelty = relative_novelty(c, f[TASK_F_NOVELTY]);
        known = !isnan(j.novelty);
    }
    if (isnan(confidence) || group < 0 || !known) return j;
    j.confidence = (double)confidence;
    if (j.novelty > 1 || (c->scope_label >= 0 && s->label == c->scope_label))
        j.verdict = TASK_OUT_OF_SCOPE;
    else if (confidence >= c->group[group].lowest)
        j.verdict = TASK_ACCEPT;
    else
        j.verdict = TASK_LOW_CONFIDENCE;
    return j;
}

unsigned task_calibration_wants_vector(const struct task_calibration *c)
{
    return c->novelty.plane.n_labels ? c->novelty.plane.n_embd : c->probe.n_labels ? c->probe.n_embd : 0;
}

bool task_calibration_wants_tokens(const struct task_calibration *c) { return c->use[TASK_F_LOGPROB_MEAN]; }

struct task_promise task_calibration_promise(const struct task_calibration *c) { return c->promise; }

/* ---- for reports ---- */

size_t task_calibration_signals(const struct task_calibration *c, const char **out, size_t max)
{
    size_t n = 0;
    for (int i = 0; i < TASK_N_FEATURES; i++)
        if (c->use[i] && n < max) out[n++] = task_feature_names[i];
    return n;
}

size_t task_calibration_groups(const struct task_calibration *c) { return c->n_groups; }

const char *task_calibration_group(const struct task_calibration *c, size_t i, struct task_threshold *out)
{
    *out = c->group[i].threshold;
    return c->group[i].name;
}

double task_calibration_temperature(const struct task_calibration *c)
{
    return c->n_labels ? (double)c->temperature : NAN;
}

uint64_t task_promise_needed(const struct task_promise *p, size_t n_groups)
{
    double groups = (double)(n_groups ? n_groups : 1);
    if (p->bound == TASK_BOUND_EXPECTATION) return 2 * (uint64_t)ceil(1 / p->target_error - 1 - 1e-9);
    return 2 * task_stat_needed(p->target_error, 1 - (1 - p->confidence) / groups);
}

const char *task_calibration_column(const struct task_calibration *c) { return c->column; }
const char *task_calibration_digest(const struct task_calibration *c) { return c->digest; }

/* ---- the task's revision ---- */

static int add_text(const char *text, size_t n, void *ctx)
{
    sha256_add(ctx, text, n);
    return 0;
}

int task_revision(const struct task *t, char out[65], struct err *e)
{
    json_t *labels = json_array(), *schema = t->schema ? json_loads(t->schema, 0, NULL) : NULL;
    bool whole = !t->schema || schema;
    for (unsigned i = 0; i < t->n_labels; i++)
        if (json_array_append_new(labels, json_string(t->labels[i].name))) whole = false;
    json_t *o = json_pack("{s:i s:s? s:s? s:o s:o?}", "kind", (int)t->kind, "system", t->system, "prompt", t->prompt,
                          "labels", labels, "schema", schema);
    struct sha256 *s = sha256_new();
    whole = whole && o && s && json_dump_callback(o, add_text, s, JSON_COMPACT | JSON_SORT_KEYS) == 0;
    json_decref(o);
    if (whole)
        sha256_hex(s, out);
    else
        sha256_free(s);
    return whole ? 0 : err_nomem(e, 0);
}
