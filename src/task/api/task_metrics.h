/* Metrics over predictions. Pure functions; confusion is [n_labels, n_labels] with rows = truth, columns = answer. */
#ifndef TASK_METRICS_H
#define TASK_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct task_prf {
    double precision, recall, f1; /* 0 where undefined (nothing predicted or nothing true) */
    uint32_t support;             /* true members */
};

/* Precision, recall, F1 of one label. */
struct task_prf task_prf_of(const uint32_t *confusion, unsigned n_labels, unsigned label);
/* Unweighted mean of F1 over the labels that occur (as truth or as answer). */
double task_macro_f1(const uint32_t *confusion, unsigned n_labels);
/* Wilson score interval of k successes in n at the given z (1.96: 95 %). E. B. Wilson, JASA 22 (1927). */
void task_wilson(size_t k, size_t n, double z, double *out_lo, double *out_hi);
/* The p-quantile (0..1) with linear interpolation between order statistics (numpy's default). Sorts x. n ≥ 1. */
double task_quantile(double *x, size_t n, double p);

#endif
