/* Measured ceilings of this machine (kern_probe.h).
 *
 * Both probes run one loop on every thread of a pool of their own, several passes, and keep the best: a pass can only
 * be disturbed downwards. The sum that the read loop computes is kept, so that the compiler cannot drop the reads. */
#include "kern_probe.h"
#include "base_clock.h"
#include "base_mem.h"
#include "kern_ops.h"
#include "plat_cpu.h"
#include "plat_mem.h"
#include "plat_pool.h"

enum { LINE = 64, N = 512, ROWS = 16, PEAK_CALLS = 256, PEAK_ROUNDS = 200000 };

static const double budget_s = 0.3;

struct reader {
    const unsigned char *data;
    size_t n_lines; /* of LINE bytes */
    uint64_t sum[PLAT_MAX_THREADS];
};

static void read_slice(void *ctx, int i, int n)
{
    struct reader *r = ctx;
    size_t from = r->n_lines * (size_t)i / (size_t)n, to = r->n_lines * ((size_t)i + 1) / (size_t)n;
    const uint64_t *p = (const uint64_t *)(r->data + from * LINE);
    uint64_t s[LINE / 8] = {0}; /* one accumulator per word of a line: no chain of dependent additions */
    for (size_t k = from; k < to; k++, p += LINE / 8)
        for (int j = 0; j < LINE / 8; j++) s[j] += p[j];
    for (int j = 1; j < LINE / 8; j++) s[0] += s[j];
    r->sum[i] += s[0];
}

/* Sixteen times the last cache, so that no more than a sixteenth of a pass can come from it; but no less than 256 MiB,
 * no more than 1 GiB or a quarter of what is free. */
static size_t buffer_bytes(void)
{
    size_t n = (size_t)plat_cpu_get()->l3_bytes * 16, min = (size_t)256 << 20, max = (size_t)1 << 30;
    int64_t avail = plat_mem_available();
    if (n < min) n = min;
    if (n > max) n = max;
    if (avail > 0 && n > (uint64_t)avail / 4) n = (size_t)avail / 4;
    return n / 4096 * 4096;
}

/* Seconds of the fastest of several runs of fn; at least three, until the budget is spent. */
static double best_pass(struct plat_pool *pool, void (*fn)(void *ctx, int i, int n), void *ctx)
{
    double best = 1e9, start = clock_now_s();
    for (int pass = 0; pass < 3 || clock_now_s() - start < budget_s; pass++) {
        double t = clock_now_s();
        plat_pool_run(pool, fn, ctx);
        t = clock_now_s() - t;
        if (t < best) best = t;
    }
    return best > 1e-9 ? best : 1e-9;
}

static int pool_start(struct plat_pool *pool, int n_threads, struct err *e)
{
    int rc = plat_pool_init(pool, n_threads);
    return rc ? err_errno(e, -rc, "start", "worker threads") : 0;
}

int kern_probe_read_bandwidth(int n_threads, double *out_bytes_per_s, struct err *e)
{
    struct plat_pool pool;
    size_t bytes = buffer_bytes();
    struct reader r = {.n_lines = bytes / LINE};
    unsigned char *data = mem_aligned(4096, bytes); /* zeroed by mem_aligned: every page is present */
    if (!data) return err_nomem(e, bytes);
    r.data = data;
    int rc = pool_start(&pool, n_threads, e);
    if (rc) goto out;
    *out_bytes_per_s = (double)bytes / best_pass(&pool, read_slice, &r);
    plat_pool_done(&pool);
out:
    mem_free(data);
    return rc;
}

struct product {
    kern_gemm_fn *gemm;
    const void *w;
    size_t row_bytes;
    struct kern_act x;
    float *y; /* [n_threads, ROWS, ROWS] */
};

static void multiply(void *ctx, int i, int n)
{
    struct product *p = ctx;
    for (int k = 0; k < PEAK_CALLS; k++)
        p->gemm(p->w, p->row_bytes, ROWS, &p->x, p->y + (size_t)i * ROWS * ROWS, ROWS);
}

struct spin {
    uint64_t (*peak)(uint64_t rounds);
    uint64_t ops[PLAT_MAX_THREADS];
};

static void spin(void *ctx, int i, int n)
{
    struct spin *s = ctx;
    s->ops[i] = s->peak(PEAK_ROUNDS);
}

static int instruction_peak(uint64_t (*peak)(uint64_t rounds), int n_threads, double *out, struct err *e)
{
    struct plat_pool pool;
    struct spin s = {.peak = peak};
    int rc = pool_start(&pool, n_threads, e);
    if (rc) return rc;
    double seconds = best_pass(&pool, spin, &s);
    *out = (double)s.ops[0] * n_threads / seconds;
    plat_pool_done(&pool);
    return 0;
}

static int product_peak(const struct kern_ops *ops, int type, int n_threads, double *out_ops_per_s, struct err *e)
{
    struct plat_pool pool;
    struct product p = {.row_bytes = kern_row_bytes(type, N)};
    if (type < 0 || type >= KERN_TYPE_COUNT || !ops->gemm[type] || !p.row_bytes)
        return ERR(e, UNSUPPORTED, "There is no matrix product for tensor type %d.", type);
    p.gemm = ops->gemm[type];
    /* All zero: weights (a zero scale in every format), activations and results. Time does not depend on values. */
    size_t w_bytes = p.row_bytes * ROWS, n_y = (size_t)ROWS * ROWS * (size_t)(n_threads > 0 ? n_threads : 1);
    void *w = mem_aligned(64, w_bytes);
    float *f32 = mem_aligned(64, sizeof(float) * ROWS * N), *d = mem_aligned(64, sizeof(float) * ROWS * N / 32);
    int8_t *q = mem_aligned(64, ROWS * N);
    int16_t *sum16 = mem_aligned(64, sizeof(int16_t) * ROWS * N / 16);
    float *y = mem_aligned(64, sizeof(float) * n_y);
    int rc = w && f32 && d && q && sum16 && y ? pool_start(&pool, n_threads, e) : err_nomem(e, w_bytes);
    if (rc) goto out;
    p.w = w;
    p.y = y;
    p.x = (struct kern_act){.n = N, .n_rows = ROWS, .f32 = f32, .ld = N, .q = q, .d = d, .sum16 = sum16};
    *out_ops_per_s = 2.0 * N * ROWS * ROWS * PEAK_CALLS * n_threads / best_pass(&pool, multiply, &p);
    plat_pool_done(&pool);
out:
    mem_free(w);
    mem_free(f32);
    mem_free(d);
    mem_free(q);
    mem_free(sum16);
    mem_free(y);
    return rc;
}

int kern_probe_peak(int type, int n_threads, double *out_ops_per_s, struct err *e)
{
    const struct kern_ops *ops = kern_get(e);
    if (!ops) return e ? e->code : CROFT_E_UNSUPPORTED;
    uint64_t (*peak)(uint64_t) = ops->peak[kern_type_wants_q8(type) ? KERN_PEAK_INT8 : KERN_PEAK_F32];
    if (peak && kern_type_get(type)) return instruction_peak(peak, n_threads, out_ops_per_s, e);
    return product_peak(ops, type, n_threads, out_ops_per_s, e);
}
