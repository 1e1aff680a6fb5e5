/* What the training inputs look like (struct task_novelty in calib.h): one centroid for each label, or, where there
 * are no labels, up to 64 found by k-means (Lloyd, 1982) from evenly spaced starts, so that the same data give the
 * same centroids. Chosen by measurement, docs/CALIBRATION.md. Read next: calib_fit.c. */
#include "base_mem.h"
#include "calib.h"

#include <math.h>
#include <string.h>

enum { MAX_CENTROIDS = 64, EXAMPLES_EACH = 8, ROUNDS = 10 };

static void means(const float *x, const unsigned *of, size_t n, unsigned d, unsigned k, float *centroid,
                  unsigned *count)
{
    memset(count, 0, k * sizeof *count);
    memset(centroid, 0, (size_t)k * d * sizeof *centroid);
    for (size_t i = 0; i < n; i++) {
        count[of[i]]++;
        for (unsigned j = 0; j < d; j++) centroid[(size_t)of[i] * d + j] += x[i * d + j];
    }
    for (unsigned c = 0; c < k; c++)
        for (unsigned j = 0; j < d && count[c]; j++) centroid[(size_t)c * d + j] /= (float)count[c];
}

static void assign(const struct kern_ops *ops, const float *x, size_t n, unsigned d, unsigned k,
                   const float *centroid, unsigned *of)
{
    for (size_t i = 0; i < n; i++) {
        float best = -INFINITY;
        for (unsigned c = 0; c < k; c++) {
            const float *m = centroid + (size_t)c * d;
            float near = ops->dot(m, x + i * d, d) - ops->dot(m, m, d) / 2;
            if (near > best) best = near, of[i] = c;
        }
    }
}

int task_novelty_fit(const struct kern_ops *ops, const float *x, const unsigned *label, size_t n, unsigned d,
                     unsigned n_labels, struct task_novelty *out, struct err *e)
{
    unsigned k = label ? n_labels : n / EXAMPLES_EACH > MAX_CENTROIDS ? MAX_CENTROIDS : (unsigned)(n / EXAMPLES_EACH);
    if (k < 2) return 0; /* a single one is the mean itself */
    struct task_fit p = {.n_labels = k, .n_embd = d, .n_examples = (unsigned)n};
    unsigned *of = mem_calloc(n, sizeof *of), *count = mem_calloc(k, sizeof *count);
    float *mean = mem_calloc(d, sizeof *mean);
    p.weight = mem_calloc((size_t)k * d, sizeof *p.weight);
    p.bias = mem_calloc(k, sizeof *p.bias);
    if (!of || !count || !mean || !p.weight || !p.bias) {
        task_fit_done(&p);
        mem_free(of);
        mem_free(count);
        mem_free(mean);
        return err_nomem(e, (size_t)k * d * sizeof *p.weight);
    }
    means(x, of, n, d, 1, mean, count);
    for (unsigned c = 0; c < k && !label; c++) memcpy(p.weight + (size_t)c * d, x + n * c / k * d, d * sizeof *x);
    for (int round = 0; round < (label ? 1 : ROUNDS); round++) {
        if (!label) assign(ops, x, n, d, k, p.weight, of);
        means(x, label ? label : of, n, d, k, p.weight, count);
    }
    unsigned kept = 0; /* a label without examples has no centroid */
    for (unsigned c = 0; c < k; c++) {
        if (!count[c]) continue;
        float *a = p.weight + (size_t)kept * d, *m = p.weight + (size_t)c * d;
        p.bias[kept++] = ops->dot(mean, mean, d) - ops->dot(m, m, d);
        for (unsigned j = 0; j < d; j++) a[j] = 2 * (m[j] - mean[j]);
    }
    p.n_labels = kept;
    mem_free(of);
    mem_free(count);
    mem_free(mean);
    out->plane = p;
    return 0;
}
