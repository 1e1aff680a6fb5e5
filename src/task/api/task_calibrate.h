/* Making a calibration (task_calib.h) from labelled examples that the model has answered. */
#ifndef TASK_CALIBRATE_H
#define TASK_CALIBRATE_H

#include "task_calib.h"
#include "task_data.h"
#include "task_run.h"
#include "task_stat.h"

/* How signals become a probability. */
enum task_map {
    TASK_MAP_LOGISTIC,    /* logistic regression on all signals */
    TASK_MAP_ISOTONIC,    /* the same, and a monotone step function behind it */
    TASK_MAP_TEMPERATURE  /* classify: the label's probability with a temperature, nothing else */
};
enum task_per { TASK_PER_NONE, TASK_PER_LABEL, TASK_PER_GROUP };

/* Examples answered by the model. */
struct task_observation {
    struct task_signals signals; /* points into the arrays below and into the examples */
    double loss;                 /* 0 right … 1 */
    int truth;                   /* classify: the true label; -1: none of the task's */
    bool out_of_scope;           /* loss 1 whatever was answered, unless the task has a label for it */
    uint64_t hash;               /* of the input: decides its half */
};
struct task_observations {
    struct task_observation *item; /* [n] */
    size_t n, n_unanswered;        /* unanswered: examples that there is no answer to judge of; they are left out */
    unsigned n_labels, n_embd;     /* n_embd 0: without vectors */
    double *probability;           /* [n, n_labels] */
    float *vector;                 /* [n, n_embd] */
};
/* Called after each; non-zero stops with CANCELLED. */
typedef int task_observe_fn(void *arg, size_t i, size_t n);
/* Answer the examples, which must outlive the result. scope_label: examples with this label are out of scope; NULL:
 * none are. FORMAT: an example without what its task needs. */
int task_observe(struct task_runner *r, const struct task *t, const struct task_examples *x, const char *scope_label,
                 task_observe_fn *each, void *arg, struct task_observations *out, struct err *e) ERR_CHECK;
void task_observations_done(struct task_observations *o);

struct task_calibrate_params {
    double target_error, confidence;
    enum task_bound bound; /* EXPECTATION: confidence does not matter */
    double scope; /* share of the in-scope inputs that may count as in scope: 0.99 turns away one in a hundred */
    enum task_map map;
    enum task_per per;
    const char *scope_label;       /* NULL: none */
    const float *train;            /* [n_train, n_embd] vectors of the training inputs; NULL: no novelty */
    const unsigned *train_label;   /* [n_train], or NULL: centroids are found, not given */
    size_t n_train;
};
/* Fits on the half of the observations whose hash is even, chooses thresholds on the other. FORMAT: too few examples
 * for anything to be fitted (that no threshold is safe is no error: see task_promise). */
int task_calibrate(const struct task *t, const struct task_observations *x, const struct task_calibrate_params *p,
                   struct task_calibration **out, struct err *e) ERR_CHECK;
int task_calibration_save(const struct task_calibration *c, const struct task *t, const char *model_path,
                          const char *path, struct err *e) ERR_CHECK;

/* What a calibration does on observations that it was not made from. */
struct task_calibration_check {
    size_t n, n_accepted, n_out_of_scope, n_scope_accepted; /* scope: examples that are out of scope, … and accepted */
    double loss;              /* mean among the accepted */
    double loss_all;          /* if everything were accepted */
    double ece_before, ece_after; /* of the model's own probability (classify, else NaN), of the confidence: 15 bins */
    double ece_chance;        /* what a perfectly calibrated confidence would show on so few examples, in the mean */
    double auroc_error;       /* in scope: how well the confidence tells right from wrong; NaN without both */
    double auroc_scope;       /* how well it tells in scope from out of scope */
    double auroc_novelty;     /* how well novelty does */
};
/* half: 0 or 1: only those of that half; -1: all. */
int task_calibration_check(const struct task_calibration *c, const struct task_observations *x, int half,
                           struct task_calibration_check *out, struct err *e) ERR_CHECK;

/* For reports: what the confidence is computed from, and the thresholds. Borrowed. */
size_t task_calibration_signals(const struct task_calibration *c, const char **out, size_t max);
size_t task_calibration_groups(const struct task_calibration *c);
const char *task_calibration_group(const struct task_calibration *c, size_t i, struct task_threshold *out); /* name */
double task_calibration_temperature(const struct task_calibration *c); /* NaN: none was fitted */

#endif
