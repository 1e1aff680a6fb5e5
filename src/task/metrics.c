/* Metrics (task_metrics.h). */
#include "task_metrics.h"

#include <math.h>

struct task_prf task_prf_of(const uint32_t *confusion, unsigned n, unsigned label)
{
    uint64_t hit = confusion[(size_t)label * n + label], truth = 0, answered = 0;
    for (unsigned i = 0; i < n; i++) {
        truth += confusion[(size_t)label * n + i];
        answered += confusion[(size_t)i * n + label];
    }
    struct task_prf r = {.support = (uint32_t)truth};
    if (answered) r.precision = (double)hit / (double)answered;
    if (truth) r.recall = (double)hit / (double)truth;
    if (truth + answered) r.f1 = 2.0 * (double)hit / (double)(truth + answered);
    return r;
}

double task_macro_f1(const uint32_t *confusion, unsigned n)
{
    double sum = 0;
    unsigned used = 0;
    for (unsigned label = 0; label < n; label++) {
        uint64_t seen = 0;
        for (unsigned i = 0; i < n; i++) seen += confusion[(size_t)label * n + i] + confusion[(size_t)i * n + label];
        if (seen == 0) continue;
        sum += task_prf_of(confusion, n, label).f1;
        used++;
    }
    return used ? sum / used : 0;
}

void task_wilson(size_t k, size_t n, double z, double *out_lo, double *out_hi)
{
    double N = n ? (double)n : 1, p = (double)k / N, z2 = z * z;
    double mid = (p + z2 / (2 * N)) / (1 + z2 / N);
    double half = z / (1 + z2 / N) * sqrt(p * (1 - p) / N + z2 / (4 * N * N));
    *out_lo = n && k ? fmax(0, mid - half) : 0;
    *out_hi = n && k < n ? fmin(1, mid + half) : 1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double task_quantile(double *x, size_t n, double p)
{
    qsort(x, n, sizeof *x, by_value);
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}
