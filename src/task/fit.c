/* Fitting (task_fit.h): convex problems, solved with L-BFGS from zero, so that the same data give the same numbers.
 *
 *   minimise  f(W, b) = -1/n sum_i ln softmax(W x_i + b)[y_i] + l2/2 |W|^2
 *   gradient  dW = 1/n sum_i (p_i - e_yi) x_i^T + l2 W        db = 1/n sum_i (p_i - e_yi)
 *
 * Owns only what a call allocates. Next to read: fit_file.c. */
#include "task_fit.h"
#include "base_mem.h"
#include "kern_ops.h"
#include "plat_cpu.h"
#include "plat_pool.h"

#include <math.h>
#include <string.h>

enum { MEMORY = 8, STEPS = 200, PRIOR_STEPS = 500 };

void task_fit_done(struct task_fit *f)
{
    mem_free(f->weight);
    mem_free(f->bias);
    *f = (struct task_fit){0};
}

static void softmax(double *p, unsigned n)
{
    double max = -INFINITY, sum = 0;
    for (unsigned k = 0; k < n; k++) max = p[k] > max ? p[k] : max;
    for (unsigned k = 0; k < n; k++) sum += p[k] = exp(p[k] - max);
    for (unsigned k = 0; k < n; k++) p[k] /= sum;
}

/* ---- the head ---- */

/* The examples' part of value and gradient is two matrix products for each block of examples,
 *
 *   logits [BLOCK, n_labels] = X W^T       dW [n_labels, d] += (p - e)^T X
 *
 * summed in double from block to block. Blocks belong to shards, whose number does not depend on that of the threads,
 * and shards are added up in order: any number of threads gives the same bits. */
enum { BLOCK = 256, MAX_SHARDS = 8, ALONE = 1 << 22 }; /* ALONE: products below which threads do not pay */
enum { LD = BLOCK + 16 };                              /* rows a power of two apart would share a line's place */

struct shard {
    double f, *g;      /* g: [n_labels, d + 1] */
    double *p;         /* [n_labels] */
    float *logits, *r; /* [BLOCK, n_labels], [n_labels, LD]: p - e */
    float *x, *gw;     /* [d, LD], [n_labels, d] */
};
struct problem {
    const struct kern_ops *k;
    const float *x;
    const unsigned *label;
    size_t n;
    unsigned d, n_labels;
    double l2;
    const double *v; /* the point, [n_labels, d + 1] */
    float *w;        /* its weights, [n_labels, d] */
    struct shard shard[MAX_SHARDS];
    size_t n_shards;
    struct plat_pool *pool; /* NULL: the caller alone */
};

static void block(const struct problem *q, struct shard *s, size_t at, size_t rows)
{
    size_t ld = q->d + 1, n_labels = q->n_labels;
    const float *x = q->x + at * q->d;
    struct kern_act examples = {.n = q->d, .n_rows = rows, .f32 = x, .ld = q->d};
    struct kern_act errors = {.n = rows, .n_rows = n_labels, .f32 = s->r, .ld = LD};
    q->k->gemm[KERN_F32](q->w, q->d * sizeof *q->w, n_labels, &examples, s->logits, n_labels);
    for (size_t i = 0; i < rows; i++) {
        unsigned truth = q->label[at + i];
        for (size_t c = 0; c < n_labels; c++) s->p[c] = (double)s->logits[i * n_labels + c] + q->v[c * ld + q->d];
        softmax(s->p, q->n_labels);
        s->f -= log(fmax(s->p[truth], 1e-300));
        s->p[truth] -= 1;
        for (size_t c = 0; c < n_labels; c++) {
            s->r[c * LD + i] = (float)s->p[c];
            s->g[c * ld + q->d] += s->p[c];
        }
        for (size_t j = 0; j < q->d; j++) s->x[j * LD + i] = x[i * q->d + j];
    }
    q->k->gemm[KERN_F32](s->x, LD * sizeof *s->x, q->d, &errors, s->gw, q->d);
    for (size_t c = 0; c < n_labels; c++)
        for (size_t j = 0; j < q->d; j++) s->g[c * ld + j] += (double)s->gw[c * q->d + j];
}

static void part(void *ctx, int thread, int n_threads)
{
    struct problem *q = ctx;
    size_t n_blocks = (q->n + BLOCK - 1) / BLOCK;
    for (size_t k = (size_t)thread; k < q->n_shards; k += (size_t)n_threads) {
        struct shard *s = &q->shard[k];
        s->f = 0;
        memset(s->g, 0, (size_t)q->n_labels * (q->d + 1) * sizeof *s->g);
        for (size_t b = k * n_blocks / q->n_shards; b < (k + 1) * n_blocks / q->n_shards; b++)
            block(q, s, b * BLOCK, q->n - b * BLOCK < BLOCK ? q->n - b * BLOCK : BLOCK);
    }
}

/* Value and gradient at v: n_labels rows of W and b, d + 1 numbers each. */
static double evaluate(struct problem *q, const double *v, double *g)
{
    size_t ld = q->d + 1, total = ld * q->n_labels;
    double f = 0;
    q->v = v;
    for (size_t c = 0; c < q->n_labels; c++)
        for (size_t j = 0; j < q->d; j++) q->w[c * q->d + j] = (float)v[c * ld + j];
    if (q->pool)
        plat_pool_run(q->pool, part, q);
    else
        part(q, 0, 1);
    memset(g, 0, total * sizeof *g);
    for (size_t k = 0; k < q->n_shards; k++) {
        f += q->shard[k].f;
        for (size_t j = 0; j < total; j++) g[j] += q->shard[k].g[j];
    }
    f /= (double)q->n;
    for (size_t j = 0; j < total; j++) {
        g[j] /= (double)q->n;
        if (j % ld == q->d) continue;
        g[j] += q->l2 * v[j];
        f += q->l2 / 2 * v[j] * v[j];
    }
    return f;
}

static int shard_init(const struct problem *q, struct shard *s, struct err *e)
{
    size_t l = q->n_labels, d = q->d;
    s->g = mem_calloc(l * (d + 1), sizeof *s->g);
    s->p = mem_calloc(l, sizeof *s->p);
    s->logits = mem_calloc(BLOCK * l, sizeof *s->logits);
    s->r = mem_calloc(l * LD, sizeof *s->r);
    s->x = mem_calloc(d * LD, sizeof *s->x);
    s->gw = mem_calloc(d * l, sizeof *s->gw);
    return s->g && s->p && s->logits && s->r && s->x && s->gw ? 0 : err_nomem(e, l * d * sizeof *s->g);
}

static void problem_done(struct problem *q)
{
    for (size_t k = 0; k < q->n_shards; k++) {
        struct shard *s = &q->shard[k];
        mem_free(s->g);
        mem_free(s->p);
        mem_free(s->logits);
        mem_free(s->r);
        mem_free(s->x);
        mem_free(s->gw);
    }
    mem_free(q->w);
}

static int problem_init(struct problem *q, struct err *e)
{
    size_t n_blocks = (q->n + BLOCK - 1) / BLOCK;
    q->w = mem_calloc((size_t)q->n_labels * q->d, sizeof *q->w);
    int rc = q->w ? 0 : err_nomem(e, (size_t)q->n_labels * q->d * sizeof *q->w);
    for (; !rc && q->n_shards < MAX_SHARDS && q->n_shards < n_blocks; q->n_shards++)
        if ((rc = shard_init(q, &q->shard[q->n_shards], e))) q->n_shards++, n_blocks = 0;
    return rc;
}

static double inner(const double *a, const double *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

/* The last MEMORY steps and changes of the gradient, newest last. */
struct history {
    double *s, *y, rho[MEMORY];
    size_t n, dim;
};

/* direction = -H gradient, by the two-loop recursion. */
static void direction(const struct history *h, const double *g, double *out)
{
    double alpha[MEMORY];
    for (size_t i = 0; i < h->dim; i++) out[i] = -g[i];
    for (size_t k = h->n; k-- > 0;) {
        const double *s = h->s + k * h->dim, *y = h->y + k * h->dim;
        alpha[k] = h->rho[k] * inner(s, out, h->dim);
        for (size_t i = 0; i < h->dim; i++) out[i] -= alpha[k] * y[i];
    }
    if (h->n) {
        const double *s = h->s + (h->n - 1) * h->dim, *y = h->y + (h->n - 1) * h->dim;
        double scale = inner(s, y, h->dim) / inner(y, y, h->dim);
        for (size_t i = 0; i < h->dim; i++) out[i] *= scale;
    }
    for (size_t k = 0; k < h->n; k++) {
        const double *s = h->s + k * h->dim, *y = h->y + k * h->dim;
        double beta = h->rho[k] * inner(y, out, h->dim);
        for (size_t i = 0; i < h->dim; i++) out[i] += (alpha[k] - beta) * s[i];
    }
}

static void remember(struct history *h, const double *v, const double *before, const double *g,
                     const double *g_before)
{
    if (h->n == MEMORY) {
        memmove(h->s, h->s + h->dim, (MEMORY - 1) * h->dim * sizeof *h->s);
        memmove(h->y, h->y + h->dim, (MEMORY - 1) * h->dim * sizeof *h->y);
        memmove(h->rho, h->rho + 1, (MEMORY - 1) * sizeof *h->rho);
        h->n--;
    }
    double *s = h->s + h->n * h->dim, *y = h->y + h->n * h->dim;
    for (size_t i = 0; i < h->dim; i++) s[i] = v[i] - before[i], y[i] = g[i] - g_before[i];
    double sy = inner(s, y, h->dim);
    if (sy > 1e-12) h->rho[h->n++] = 1 / sy;
}

/* v is the starting point and the result; work: [4 dim] numbers. */
static void minimise(struct problem *q, double *v, struct history *h, double *work)
{
    size_t dim = h->dim;
    double *g = work, *d = work + dim, *before = work + 2 * dim, *g_before = work + 3 * dim, f = evaluate(q, v, g);
    for (int step = 0; step < STEPS; step++) {
        direction(h, g, d);
        double slope = inner(g, d, dim), length = step ? 1 : 1 / fmax(1, sqrt(inner(g, g, dim))), next = f;
        if (slope > -1e-10) return;
        memcpy(before, v, dim * sizeof *v);
        memcpy(g_before, g, dim * sizeof *g);
        for (int half = 0; half < 30; half++, length /= 2) { /* until it goes down as much as the slope promises */
            for (size_t i = 0; i < dim; i++) v[i] = before[i] + length * d[i];
            next = evaluate(q, v, g);
            if (next <= f + 1e-4 * length * slope) break;
        }
        if (!(next < f)) {
            memcpy(v, before, dim * sizeof *v);
            return;
        }
        bool done = f - next < 1e-7 * fabs(f);
        f = next;
        if (done) return;
        remember(h, v, before, g, g_before);
    }
}

static int make(unsigned n_labels, unsigned n_embd, size_t n, struct task_fit *out, struct err *e)
{
    *out = (struct task_fit){.n_labels = n_labels, .n_embd = n_embd, .n_examples = (unsigned)n};
    out->weight = mem_calloc((size_t)n_labels * n_embd, sizeof *out->weight);
    out->bias = mem_calloc(n_labels, sizeof *out->bias);
    if (out->weight && out->bias) return 0;
    task_fit_done(out);
    return err_nomem(e, (size_t)n_labels * n_embd * sizeof *out->weight);
}

int task_fit_head(const float *x, const unsigned *label, size_t n, unsigned d, unsigned n_labels, double l2,
                  int n_threads, struct task_fit *out, struct err *e)
{
    size_t dim = (size_t)n_labels * (d + 1);
    struct problem q = {.k = kern_get(e), .x = x, .label = label, .n = n, .d = d, .n_labels = n_labels, .l2 = l2};
    struct plat_pool pool;
    if (!q.k) return e->code;
    if (n == 0) return ERR(e, USAGE, "There are no examples to fit to.");
    int rc = problem_init(&q, e);
    struct history h = {.dim = dim};
    double *v = mem_calloc(dim, sizeof *v), *work = mem_calloc(4 * dim, sizeof *work);
    h.s = mem_calloc(MEMORY * dim, sizeof *h.s);
    h.y = mem_calloc(MEMORY * dim, sizeof *h.y);
    if (!rc && !(v && work && h.s && h.y)) rc = err_nomem(e, (2 * MEMORY + 5) * dim * sizeof *v);
    if (!rc) rc = make(n_labels, d, n, out, e);
    if (!rc && (double)n * (double)dim > ALONE) {
        int threads = n_threads > 0 ? n_threads : plat_cpu_threads();
        if ((size_t)threads > q.n_shards) threads = (int)q.n_shards;
        if (threads > 1 && plat_pool_init(&pool, threads) == 0) q.pool = &pool; /* else it only takes longer */
    }
    if (!rc) minimise(&q, v, &h, work);
    for (unsigned k = 0; k < n_labels && !rc; k++) {
        for (unsigned j = 0; j < d; j++) out->weight[(size_t)k * d + j] = (float)v[(size_t)k * (d + 1) + j];
        out->bias[k] = (float)v[(size_t)k * (d + 1) + d];
    }
    if (q.pool) plat_pool_done(&pool);
    problem_done(&q);
    mem_free(v);
    mem_free(work);
    mem_free(h.s);
    mem_free(h.y);
    return rc;
}

void task_fit_classify(const struct task_fit *f, const float *x, double *p)
{
    for (unsigned k = 0; k < f->n_labels; k++) {
        const float *w = f->weight + (size_t)k * f->n_embd;
        double s = f->bias[k];
        for (unsigned j = 0; j < f->n_embd; j++) s += (double)w[j] * x[j];
        p[k] = s;
    }
    softmax(p, f->n_labels);
}

/* ---- the prior ---- */

void task_fit_correct(const struct task_fit *f, double *p)
{
    for (unsigned k = 0; k < f->n_labels; k++) p[k] = log(fmax(p[k], 1e-300)) + f->bias[k];
    softmax(p, f->n_labels);
}

/* Fixed point: each round moves every b by what its label got too little or too much. */
int task_fit_prior(const double *p, const unsigned *label, size_t n, unsigned n_labels, struct task_fit *out,
                   struct err *e)
{
    double *row = mem_calloc(n_labels, sizeof *row), *mean = mem_calloc(n_labels, sizeof *mean),
           *share = mem_calloc(n_labels, sizeof *share), moved = 1;
    int rc = n == 0                 ? ERR(e, USAGE, "There are no examples to fit to.")
             : row && mean && share ? make(n_labels, 0, n, out, e)
                                    : err_nomem(e, n_labels * sizeof *row);
    for (unsigned k = 0; k < n_labels && !rc; k++) share[k] = 1.0 / (double)(n + n_labels);
    for (size_t i = 0; i < n && !rc; i++) share[label[i]] += 1.0 / (double)(n + n_labels);
    for (int step = 0; step < PRIOR_STEPS && moved > 1e-7 && !rc; step++) {
        for (unsigned k = 0; k < n_labels; k++) mean[k] = 1.0 / (double)(n + n_labels);
        for (size_t i = 0; i < n; i++) {
            memcpy(row, p + i * n_labels, n_labels * sizeof *row);
            task_fit_correct(out, row);
            for (unsigned k = 0; k < n_labels; k++) mean[k] += row[k] / (double)(n + n_labels);
        }
        moved = 0;
        for (unsigned k = 0; k < n_labels; k++) {
            double by = log(share[k] / mean[k]);
            out->bias[k] += (float)by;
            moved = fmax(moved, fabs(by));
        }
    }
    mem_free(row);
    mem_free(mean);
    mem_free(share);
    return rc;
}
