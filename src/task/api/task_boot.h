/* Intervals and comparisons. The bootstrap (Efron, 1979) draws n of n examples with replacement, again and again, and
 * takes a measure of each draw: the middle 95 % of those values are its interval (percentile method). Draws come from
 * SplitMix64 with the caller's seed, so a report can be repeated to the last digit.
 *
 * Two models on the same examples are compared draw by draw, each draw for both: what the examples have in common,
 * their difficulty, then cancels out of the difference. */
#ifndef TASK_BOOT_H
#define TASK_BOOT_H

#include "task_score.h"

struct task_interval {
    double value, lo, hi;  /* NaN: not defined */
    const char *method;    /* "wilson", "bootstrap" */
};
/* 95 % intervals of all measures: shares of right answers by Wilson, the rest by n_draws ≥ 1 bootstrap draws. */
int task_boot_intervals(struct task_outcomes *o, unsigned n_draws, uint64_t seed,
                        struct task_interval out[TASK_N_MEASURES], struct err *e) ERR_CHECK;

struct task_comparison {
    size_t n;                   /* pairs */
    size_t only_first, only_second; /* right in one alone */
    double difference, lo, hi;  /* first - second, with its 95 % paired bootstrap interval */
    double p;                   /* of a difference at least as large if there were none; see `method` */
    const char *method;         /* "mcnemar": exact, for shares of right answers; else "bootstrap" */
};
/* Outcome i of both is of the same example. NaN where the measure is not defined for both. */
int task_boot_compare(enum task_measure m, struct task_outcomes *first, struct task_outcomes *second,
                      unsigned n_draws, uint64_t seed, struct task_comparison *out, struct err *e) ERR_CHECK;

/* McNemar's exact test: of b + c examples that one model alone got right, are b and c as uneven as that by chance? Two
 * sides of the binomial distribution with 1/2. */
double task_mcnemar(size_t b, size_t c);

#endif
