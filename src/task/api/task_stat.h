/* Statistics with finite-sample guarantees. Pure functions. docs/CALIBRATION.md has the formulas and their sources. */
#ifndef TASK_STAT_H
#define TASK_STAT_H

#include "base_err.h"

/* I_x(a, b), the regularised incomplete beta function; a, b > 0, x in [0, 1]. */
double task_stat_beta(double a, double b, double x);
/* P(X ≤ k) of X binomial with n trials of probability p. */
double task_stat_binomial(uint64_t k, uint64_t n, double p);
/* The Clopper–Pearson upper bound of a probability of which k successes were seen in n trials: it is above the true one
 * with at least this confidence (0 < confidence < 1). 1 where k = n. */
double task_stat_upper(uint64_t k, uint64_t n, double confidence);
/* p-value of "the mean of a loss in [0, 1] is above `target`", of n independent losses with this mean. `binary`: each
 * was 0 or 1, and the value is exact (binomial tail); else Hoeffding–Bentkus. 1 where n = 0. */
double task_stat_p_value(double mean, uint64_t n, double target, bool binary);
/* The fewest examples, all without loss, that show a loss of at most `target` with this confidence. */
uint64_t task_stat_needed(double target, double confidence);

struct task_scored {
    float score; /* higher: rather right; the sequence begins best if it is the probability of that */
    float loss;  /* 0 … 1 */
};
struct task_threshold {
    bool holds;        /* false: none is safe; the rest is then of the sequence's first candidate */
    float at;          /* accept where score ≥ at */
    uint64_t n, n_all; /* of the second half: accepted, and all */
    double loss;       /* mean among the accepted */
};
/* The lowest threshold whose accepted answers have a mean loss of at most `target`, with this confidence *although it
 * was chosen from data*: fixed-sequence testing. The candidates and where their sequence begins come from the first
 * half, the tests from the second, which must be independent of it and of the score. Sorts both. */
int task_stat_threshold(struct task_scored *first, size_t n_first, struct task_scored *second, size_t n_second,
                        double target, double confidence, bool binary, struct task_threshold *out,
                        struct err *e) ERR_CHECK;

/* Conformal risk control: the lowest threshold for which the expected loss that an input brings, 0 where its answer
 * is not accepted, is at most `target`. The expectation is over the examples x too, which must be exchangeable with
 * later inputs and independent of the score. Sorts x. */
void task_stat_expectation(struct task_scored *x, size_t n, double target, struct task_threshold *out);

/* Isotonic regression of y on x, both [n], by pooling adjacent violators: steps (at[i], value[i]) by rising x, `value`
 * non-decreasing. at, value: [n]; returns how many. Sorts the pairs. */
size_t task_stat_isotonic(struct task_scored *pair, size_t n, float *at, float *value);

#endif
