/* The parts of a calibration (calib.c, calib_fit.c, calib_file.c). */
#ifndef TASK_CALIB_PARTS_H
#define TASK_CALIB_PARTS_H

#include "kern_ops.h"
#include "task_calibrate.h"
#include "task_fit.h"

/* What the confidence is computed from. X(constant, name, where it comes from) */
#define TASK_FEATURE_TABLE(X)                                                                                        \
    X(LOGIT, "probability", LABELS) /* log-odds of the answer's probability, at the fitted temperature */            \
    X(MARGIN, "margin", LABELS)     /* its log-probability less that of the next label */                            \
    X(ENTROPY, "entropy", LABELS)   /* of the labels' distribution, in nats */                                       \
    X(LOGPROB_MEAN, "token_logprob_mean", TOKENS)                                                                    \
    X(LOGPROB_MIN, "token_logprob_min", TOKENS)                                                                      \
    X(MARGIN_MEAN, "token_margin_mean", TOKENS)                                                                      \
    X(MARGIN_MIN, "token_margin_min", TOKENS)                                                                        \
    X(LENGTH, "token_count", TOKENS) /* its logarithm */                                                             \
    X(NOVELTY, "novelty", NOVELTY)   /* distance to the training inputs */                                           \
    X(PROBE, "probe", PROBE)         /* log-odds of a linear probe on the input's vector */

enum task_feature {
#define X(constant, name, source) TASK_F_##constant,
    TASK_FEATURE_TABLE(X)
#undef X
        TASK_N_FEATURES
};
enum task_feature_source { TASK_FROM_LABELS, TASK_FROM_TOKENS, TASK_FROM_NOVELTY, TASK_FROM_PROBE };
extern const char *const task_feature_names[TASK_N_FEATURES];
extern const enum task_feature_source task_feature_sources[TASK_N_FEATURES];

/* How far a vector x is from the training inputs: |x - c|^2 - |x - m|^2 for the nearest centroid c and the mean m of
 * all, so that what is far from everything counts less than what is near to nothing in particular. |x|^2 falls out:
 * novelty = -max_k (a_k x + b_k) with a_k = 2 (c_k - m), b_k = |m|^2 - |c_k|^2. */
struct task_novelty {
    struct task_fit plane; /* a, b; n_labels: centroids, 0: none */
    float usual, limit;    /* median of the in-scope inputs, and what only a small share of them exceeds */
};
struct task_calib_group {
    char *name; /* NULL: all that have no threshold of their own */
    struct task_threshold threshold;
    float lowest; /* accept from here; above 1 if nothing is safe */
};
struct task_calibration {
    const struct kern_ops *k;
    enum task_kind kind;
    unsigned n_labels;
    int scope_label; /* answers with this label are out of scope; -1: none */
    enum task_map map;
    enum task_per per;
    float temperature;
    bool use[TASK_N_FEATURES];
    float mean[TASK_N_FEATURES], scale[TASK_N_FEATURES], weight[TASK_N_FEATURES], bias; /* logistic */
    struct task_novelty novelty;
    struct task_fit probe;       /* n_labels 2 (wrong, right), or 0: none */
    unsigned n_steps;            /* isotonic */
    float *step_at, *step_value; /* [n_steps] */
    unsigned n_groups;
    struct task_calib_group *group; /* [n_groups], the last is the one without a name */
    unsigned *group_of_label;       /* [n_labels] per label, else NULL */
    struct task_promise promise;
    char *column;    /* per group: which column of the data says it; NULL: not known */
    char digest[65]; /* of its file; "": it was not loaded from one */
};

/* Planes from the training inputs' vectors x [n, d], length 1. label [n] or NULL. Too few: none, and no error. */
int task_novelty_fit(const struct kern_ops *ops, const float *x, const unsigned *label, size_t n, unsigned d,
                     unsigned n_labels, struct task_novelty *out, struct err *e) ERR_CHECK;
/* All features that the signals allow; NaN for those they do not. Temperature, novelty and probe are the
 * calibration's. */
void task_calib_features(const struct task_calibration *c, const struct task_signals *s, double *out);
/* The calibrated probability of being right; NaN if a feature that is used is missing. */
float task_calib_confidence(const struct task_calibration *c, const double *features);
/* The group of an answer: index, or -1: the signals do not say. */
int task_calib_group(const struct task_calibration *c, const struct task_signals *s);
/* Fills group_of_label from the groups' names. */
int task_calib_index(struct task_calibration *c, const struct task *t, struct err *e) ERR_CHECK;

#endif
