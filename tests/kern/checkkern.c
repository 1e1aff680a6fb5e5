/* checkkern: every kernel of every level this machine runs, compared with plain C.
 *
 * One list, `checks`, drives it: a kernel that is not in the list is not tested, and a new one is one row. Each case
 * runs three times with its buffers at the end of a mapping (an inaccessible page follows), at its start (one
 * precedes) and unaligned in the middle; the bytes around each buffer are canaries. A case is reproducible from the
 * seed alone. Single-threaded; a segmentation fault inside a kernel is caught and reported like a wrong value.
 *
 * Tolerances: conversions, quantisation, dequantisation and elementwise arithmetic are equal bit for bit. Sums may
 * differ by their order: |got - want| <= SUM_TOL * sum |terms|; integer parts are exact, so this is float rounding
 * alone. Products that round weights and activations to bf16, by at most BF16_TOL of each, are compared with exact
 * ones: rounding errors are independent, so that their sum stays within BF16_TOL_SIGMAS BF16_TOL sqrt(sum terms^2),
 * and never exceeds 2 BF16_TOL (1 + BF16_TOL) sum |terms|. Functions with an exponential may differ by EXP_TOL of the
 * value.
 *
 *   checkkern [--seed N] [--level L] [--kernel NAME] [--quick] [--list] [--bench [TYPE | attention]] */
#include "kern_ops.h"
#include "plat_cpu.h"
#include "ref/ref.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#define SUM_TOL 1.5e-6
#define EXP_TOL 3e-6
#define BF16_TOL 0x1p-9
#define BF16_TOL_SIGMAS 8

enum { PAGE = 65536, REGION = 24 * PAGE, N_REGIONS = 10, CANARY = 256, N_PLACES = 3 };
static const char *const places[N_PLACES] = {"end", "start", "middle"};

struct region {
    uint8_t *base;  /* REGION bytes between two inaccessible pages */
    uint8_t *start; /* the buffer in use */
    size_t bytes;
};

struct ctx {
    const struct kern_ops *ref, *got;
    const char *kernel, *level;
    int type; /* of gemm and dequant; kind of cache of attend; -1 */
    size_t n, rows, n_act;
    int place;
    uint64_t seed, rng;
    struct region region[N_REGIONS];
    int n_regions;
    bool failed;
    bool quick; /* one case a size: for emulated CPUs */
    long passed, failures, skipped;
};

static sigjmp_buf fault_jump;
static void on_fault(int sig) { siglongjmp(fault_jump, sig); }

/* ---- random numbers and buffers ---- */

static uint64_t rnd(struct ctx *c)
{
    uint64_t z = c->rng += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static size_t below(struct ctx *c, size_t n) { return (size_t)(rnd(c) % n); }
static float uniform(struct ctx *c) { return (float)((double)(rnd(c) >> 11) * 0x1p-52 - 1.0); } /* [-1, 1) */

static const char *type_name(const struct ctx *c)
{
    static const char *const kv[] = {"F32", "F16", "Q8_0"};
    if (c->type < 0) return "-";
    return strcmp(c->kernel, "attend") == 0 ? kv[c->type] : kern_type_get(c->type)->name;
}

__attribute__((format(printf, 2, 3))) static void fail(struct ctx *c, const char *fmt, ...)
{
    if (c->failed) return; /* the first fault of a case */
    c->failed = true;
    va_list ap;
    printf("FAIL kernel=%s type=%s level=%s n=%zu rows=%zu activations=%zu place=%s seed=%llu: ", c->kernel,
           type_name(c), c->level, c->n, c->rows, c->n_act, places[c->place], (unsigned long long)c->seed);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static void map_regions(struct ctx *c)
{
    for (int i = 0; i < N_REGIONS; i++) {
        uint8_t *p = mmap(NULL, REGION + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || mprotect(p + PAGE, REGION, PROT_READ | PROT_WRITE)) {
            perror("checkkern: mmap");
            exit(1);
        }
        c->region[i].base = p + PAGE;
    }
}

/* The next buffer of this case; `align` is the element's alignment. */
static void *buffer(struct ctx *c, size_t bytes, size_t align)
{
    struct region *r = &c->region[c->n_regions++];
    if (c->n_regions > N_REGIONS || bytes + 4096 > REGION) {
        fprintf(stderr, "checkkern: a buffer of %zu bytes does not fit\n", bytes);
        exit(1);
    }
    r->bytes = bytes;
    if (c->place == 0) r->start = r->base + REGION - bytes;
    else if (c->place == 1) r->start = r->base;
    else r->start = r->base + 1024 + align * (1 + below(c, 63 / align));
    uint8_t *lo = r->start - r->base < CANARY ? r->base : r->start - CANARY;
    uint8_t *hi = r->start + bytes + CANARY;
    if (hi > r->base + REGION) hi = r->base + REGION;
    memset(lo, 0xA5, (size_t)(hi - lo));
    return r->start;
}

static float *floats(struct ctx *c, size_t n) { return buffer(c, 4 * n, 4); }

/* Values as layers have them, with a few extremes mixed in. */
static float *random_floats(struct ctx *c, size_t n, float scale)
{
    float *p = floats(c, n);
    for (size_t i = 0; i < n; i++) p[i] = uniform(c) * scale;
    if (n && below(c, 2)) {
        p[below(c, n)] = 0;
        p[below(c, n)] = 1e-42f; /* subnormal */
        p[below(c, n)] = -0.0f;
    }
    return p;
}

static void check_canaries(struct ctx *c)
{
    for (int i = 0; i < c->n_regions; i++) {
        struct region *r = &c->region[i];
        for (size_t k = 1; k <= CANARY; k++) {
            if (r->start - r->base >= (ptrdiff_t)k && r->start[-(ptrdiff_t)k] != 0xA5)
                fail(c, "buffer %d: wrote %zu bytes before its start", i, k);
            if (r->start + r->bytes + k <= r->base + REGION && r->start[r->bytes + k - 1] != 0xA5)
                fail(c, "buffer %d: wrote %zu bytes past its end", i, k);
        }
    }
}

static void same_bytes(struct ctx *c, const void *want, const void *got, size_t size, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp((const uint8_t *)want + i * size, (const uint8_t *)got + i * size, size) != 0)
            return fail(c, "%s differs at element %zu", what, i);
}

/* Equal floats; zeros of either sign and NaNs of any payload are equal. */
static void same_floats(struct ctx *c, const float *want, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (want[i] != got[i] && !(isnan(want[i]) && isnan(got[i])))
            return fail(c, "element %zu: plain C gives %.9g, this %.9g", i, (double)want[i], (double)got[i]);
}

static void close_to(struct ctx *c, size_t i, double want, double got, double allowed)
{
    if (fabs(want - got) <= allowed || want == got || (isnan(want) && isnan(got))) return;
    fail(c, "element %zu: plain C gives %.9g, this %.9g, allowed difference %.3g", i, want, got, allowed);
}

static void close_floats(struct ctx *c, const float *want, const float *got, size_t n, double rel, double abs_tol)
{
    for (size_t i = 0; i < n && !c->failed; i++)
        close_to(c, i, (double)want[i], (double)got[i], rel * fabs((double)want[i]) + abs_tol);
}

/* ---- weights ---- */

/* Where the binary16 scales of each block are, so that random bytes get usable ones. */
static const struct { int type, at[2], n; } scale_at[] = {
    {KERN_Q4_0, {0}, 1},     {KERN_Q4_1, {0, 2}, 2},   {KERN_Q5_0, {0}, 1},     {KERN_Q5_1, {0, 2}, 2},
    {KERN_Q8_0, {0}, 1},     {KERN_Q2_K, {80, 82}, 2}, {KERN_Q3_K, {108}, 1},   {KERN_Q4_K, {0, 2}, 2},
    {KERN_Q5_K, {0, 2}, 2},  {KERN_Q6_K, {208}, 1},    {KERN_IQ4_NL, {0}, 1},   {KERN_IQ4_XS, {0}, 1},
};

/* A binary16 number: mostly about 0.01, sometimes zero, subnormal, negative or the largest. */
static uint16_t random_scale(struct ctx *c)
{
    static const uint16_t odd[] = {0x0000, 0x8000, 0x0001, 0x03ff, 0x8400, 0x7bff, 0xfbff};
    if (below(c, 16) == 0) return odd[below(c, sizeof odd / sizeof odd[0])];
    return (uint16_t)(0x1c00 + below(c, 0x0800) + (below(c, 4) ? 0 : 0x8000));
}

static void fill_weights(struct ctx *c, int type, uint8_t *p, size_t n_blocks)
{
    const struct kern_type_info *t = kern_type_get(type);
    int pattern = (int)below(c, 8);
    for (size_t b = 0; b < n_blocks; b++, p += t->bytes) {
        for (size_t i = 0; i < t->bytes; i++)
            p[i] = pattern == 0 ? 0x00 : pattern == 1 ? 0xff : pattern == 2 ? 0x80 : (uint8_t)rnd(c);
        if (type == KERN_F32) {
            float f = uniform(c);
            memcpy(p, &f, 4);
        } else if (type == KERN_F16) {
            uint16_t h = random_scale(c);
            memcpy(p, &h, 2);
        } else if (type == KERN_BF16) {
            uint16_t h = (uint16_t)(0x3b00 + below(c, 0x500) + (below(c, 2) ? 0 : 0x8000));
            memcpy(p, &h, 2);
        } else if (type == KERN_MXFP4) {
            p[0] = (uint8_t)(below(c, 16) ? 110 + below(c, 20) : below(c, 3));
        }
        for (size_t i = 0; i < sizeof scale_at / sizeof scale_at[0]; i++) {
            for (int k = 0; scale_at[i].type == type && k < scale_at[i].n; k++) {
                uint16_t h = random_scale(c);
                memcpy(p + scale_at[i].at[k], &h, 2);
            }
        }
    }
}

static void check_dequant(struct ctx *c)
{
    const struct kern_type_info *t = kern_type_get(c->type);
    size_t blocks = t->block == 1 ? c->n : 1 + c->n % 9, n = blocks * t->block;
    uint8_t *w = buffer(c, blocks * t->bytes, t->block == 1 ? t->bytes : 1);
    fill_weights(c, c->type, w, blocks);
    float *want = floats(c, n), *got = floats(c, n);
    c->ref->dequant[c->type](w, want, n);
    c->got->dequant[c->type](w, got, n);
    same_floats(c, want, got, n);
}

/* What rounding errors of y[t][r] are relative to: the sum of |terms|. A quantised weight is s q + m, and its q may be
 * computed as the difference of an unsigned number and an offset of up to 32. */
static double gemm_terms(struct ctx *c, const uint8_t *w, const float *row, const struct kern_act *x, size_t t)
{
    const struct kern_type_info *ty = kern_type_get(c->type);
    struct kern_block b;
    double sum = 0;
    if (!kern_type_wants_q8(c->type)) {
        for (size_t k = 0; k < x->n; k++) sum += fabs((double)row[k] * (double)x->f32[t * x->ld + k]);
        return sum;
    }
    for (size_t k = 0; k < x->n; k++) {
        size_t i = k % ty->block, g = i / 16;
        if (i == 0) kern_ref_unpack(c->type, w + k / ty->block * ty->bytes, &b);
        double v = fabs((double)b.s[g]) * fmax(abs(b.q[i]), 32) + fabs((double)b.m[g]);
        sum += v * fabs((double)x->d[(t * x->n + k) / 32] * x->q[t * x->n + k]);
    }
    return sum;
}

/* The exact product of a row of weights and one of activations, and how far off bf16 may be. */
static double exact_dot(const float *w, const float *x, size_t n, double *out_allowed)
{
    double sum = 0, terms = 0, squares = 0;
    for (size_t k = 0; k < n; k++) {
        double v = (double)w[k] * (double)x[k];
        sum += v;
        terms += fabs(v);
        squares += v * v;
    }
    *out_allowed = fmin(2 * BF16_TOL * (1 + BF16_TOL) * terms, BF16_TOL_SIGMAS * BF16_TOL * sqrt(squares));
    return sum;
}

static void check_product(struct ctx *c, bool packed)
{
    const struct kern_type_info *t = kern_type_get(c->type);
    bool q8 = kern_type_wants_q8(c->type);
    size_t unit = t->block, n = unit == 256 ? (1 + c->n % 9) * 256 : unit == 32 ? (1 + c->n % 41) * 32 : 1 + c->n;
    size_t pad = below(c, 3) * (t->block == 1 ? t->bytes : 1);
    size_t row_bytes = n / unit * t->bytes + pad, ldy = c->rows + below(c, 3), ld = n + below(c, 5);
    uint8_t *w = buffer(c, row_bytes * c->rows - pad, t->block == 1 ? t->bytes : 1);
    for (size_t r = 0; r < c->rows; r++) fill_weights(c, c->type, w + r * row_bytes, n / unit);

    struct kern_act x = {.n = n, .n_rows = c->n_act, .ld = ld};
    float *f = random_floats(c, ld * c->n_act - (ld - n), 3);
    if (below(c, 3) == 0)
        for (size_t i = 0; i < ld * c->n_act - (ld - n); i++) f[i] = f[i] < 0 ? -1 : 1; /* q = -127 and 127 */
    x.f32 = f;
    if (q8) {
        x.q = buffer(c, n * c->n_act, 1);
        x.d = floats(c, n / 32 * c->n_act);
        x.sum16 = buffer(c, n / 16 * c->n_act * 2, 2);
        for (size_t i = 0; i < c->n_act; i++)
            c->ref->act_quantize(f + i * ld, n, x.q + i * n, x.d + i * (n / 32), x.sum16 + i * (n / 16));
    }
    bool bf16 = packed && c->got->bf16_rows && c->n_act >= c->got->bf16_rows;
    if (bf16) {
        x.bf16 = buffer(c, (c->n_act + 15) / 16 * 16 * n * 2, 2);
        for (size_t i = 0; i < c->n_act; i++) c->ref->act_bf16(f + i * ld, n, x.bf16 + kern_bf16_at(n, i, 0));
    }
    size_t n_y = ldy * c->n_act - (ldy - c->rows);
    float *want = floats(c, n_y), *got = floats(c, n_y), *row = floats(c, n);
    memset(want, 0x5a, n_y * 4);
    memset(got, 0x5a, n_y * 4);
    c->ref->gemm[c->type](w, row_bytes, c->rows, &x, want, ldy);
    uint8_t *strips = packed ? buffer(c, kern_packed_bytes(c->type, c->rows, n), 1) : NULL;
    if (packed) {
        kern_pack(c->type, w, row_bytes, c->rows, n, strips);
        c->got->gemm_packed[c->type](strips, kern_strip_bytes(c->type, n), c->rows, &x, got, ldy);
    } else {
        c->got->gemm[c->type](w, row_bytes, c->rows, &x, got, ldy);
    }
    for (size_t r = 0; r < c->rows && !c->failed; r++) {
        c->ref->dequant[c->type](w + r * row_bytes, row, n);
        for (size_t i = 0; i < c->n_act && !c->failed; i++) {
            double exact = (double)want[i * ldy + r], rounding = 0;
            if (bf16) exact = exact_dot(row, f + i * ld, n, &rounding);
            double allowed = rounding + SUM_TOL * gemm_terms(c, w + r * row_bytes, row, &x, i) + 1e-30;
            close_to(c, i * ldy + r, exact, (double)got[i * ldy + r], allowed);
        }
    }
    if (packed && !bf16 && c->got->bf16_rows) { /* AMX with int8 promises the bits of the level below */
        float *bits = floats(c, n_y);
        memset(bits, 0x5a, n_y * 4);
        kern_level_get("vnni")->gemm_packed[c->type](strips, kern_strip_bytes(c->type, n), c->rows, &x, bits, ldy);
        same_bytes(c, bits, got, 4, n_y, "y beside VNNI's");
    }
    for (size_t i = 0; i + 1 < c->n_act; i++)
        same_bytes(c, want + i * ldy + c->rows, got + i * ldy + c->rows, 4, ldy - c->rows, "a column of y past n_out");
}

static void check_gemm(struct ctx *c) { check_product(c, false); }
static void check_gemm_packed(struct ctx *c)
{
    if (c->got->gemm_packed[c->type]) check_product(c, true);
}

/* Rows of the strips are the rows that were packed. */
static void check_unpack(struct ctx *c)
{
    const struct kern_type_info *t = kern_type_get(c->type);
    if (!kern_pack_form(c->type)) return;
    size_t n = t->block == 256 ? (1 + c->n % 9) * 256 : (1 + c->n % 41) * 32, row_bytes = n / t->block * t->bytes;
    uint8_t *w = buffer(c, row_bytes * c->rows, 1), *strips = buffer(c, kern_packed_bytes(c->type, c->rows, n), 1);
    float *want = floats(c, n), *got = floats(c, n);
    for (size_t r = 0; r < c->rows; r++) fill_weights(c, c->type, w + r * row_bytes, n / t->block);
    kern_pack(c->type, w, row_bytes, c->rows, n, strips);
    for (size_t r = 0; r < c->rows && !c->failed; r++) {
        c->ref->dequant[c->type](w + r * row_bytes, want, n);
        kern_unpack_row(c->type, strips, r, n, got);
        same_floats(c, want, got, n);
    }
}

static void check_act_quantize(struct ctx *c)
{
    size_t n = (c->n % 40) * 32;
    float *x = random_floats(c, n, below(c, 4) ? 5 : 1e-32f);
    for (size_t i = 0; i + 32 <= n; i += 32) {
        if (below(c, 4) == 0) memset(x + i, 0, 128);
        if (below(c, 4) == 0) /* halves: q = k + 1/2 exactly */
            for (size_t k = 0; k < 32; k++) x[i + k] = k ? ((float)below(c, 254) - 127) + 0.5f : 127;
        if (below(c, 8) == 0) x[i + below(c, 32)] = 3e38f;
    }
    int8_t *want = buffer(c, n, 1), *got = buffer(c, n, 1);
    float *wd = floats(c, n / 32), *gd = floats(c, n / 32);
    int16_t *ws = buffer(c, n / 8, 2), *gs = buffer(c, n / 8, 2);
    c->ref->act_quantize(x, n, want, wd, ws);
    c->got->act_quantize(x, n, got, gd, gs);
    same_bytes(c, want, got, 1, n, "q");
    same_bytes(c, wd, gd, 4, n / 32, "d");
    same_bytes(c, ws, gs, 2, n / 16, "sum16");
}

static void check_act_bf16(struct ctx *c)
{
    size_t n = (c->n % 40) * 32, n_to = n * 16;
    float *x = random_floats(c, n, below(c, 4) ? 5 : 1e-37f);
    for (size_t i = 0; i < n; i++) /* halves between two bf16, to even below and above */
        if (below(c, 4) == 0) x[i] = ldexpf((float)(257 + 2 * below(c, 128)), (int)below(c, 40) - 20);
    uint16_t *want = buffer(c, n_to * 2, 2), *got = buffer(c, n_to * 2, 2);
    memset(want, 0x5a, n_to * 2);
    memset(got, 0x5a, n_to * 2);
    c->ref->act_bf16(x, n, want);
    c->got->act_bf16(x, n, got);
    same_bytes(c, want, got, 2, n_to, "bf16");
}

static void check_f32_to_q8_0(struct ctx *c)
{
    size_t n = (c->n % 40) * 32;
    float *x = random_floats(c, n, below(c, 4) ? 5 : 1e-6f);
    uint8_t *want = buffer(c, n / 32 * 34, 1), *got = buffer(c, n / 32 * 34, 1);
    c->ref->f32_to_q8_0(x, want, n);
    c->got->f32_to_q8_0(x, got, n);
    same_bytes(c, want, got, 34, n / 32, "block");
}

/* ---- vectors ---- */

static void check_f32_to_f16(struct ctx *c)
{
    static const float odd[] = {65504, 65519.996f, 65520, 1e9f, -1e9f, 6e-8f, 2.9802322e-8f, 2.9802326e-8f, 6.1e-5f,
                                -6.097555e-5f, INFINITY, -INFINITY, 0, -0.0f, 1.00048828125f, 1.00146484375f};
    float *x = random_floats(c, c->n, below(c, 2) ? 2 : 1e-5f);
    for (size_t i = 0; i < c->n; i++)
        if (below(c, 4) == 0) x[i] = odd[below(c, sizeof odd / sizeof odd[0])];
    uint16_t *want = buffer(c, c->n * 2, 2), *got = buffer(c, c->n * 2, 2);
    c->ref->f32_to_f16(x, want, c->n);
    c->got->f32_to_f16(x, got, c->n);
    same_bytes(c, want, got, 2, c->n, "half");
}

static void check_f16_to_f32(struct ctx *c)
{
    uint16_t *x = buffer(c, c->n * 2, 2);
    for (size_t i = 0; i < c->n; i++) x[i] = (uint16_t)rnd(c);
    float *want = floats(c, c->n), *got = floats(c, c->n);
    c->ref->f16_to_f32(x, want, c->n);
    c->got->f16_to_f32(x, got, c->n);
    same_floats(c, want, got, c->n);
}

static void check_dot(struct ctx *c)
{
    float *a = random_floats(c, c->n, 2), *b = random_floats(c, c->n, 2);
    double terms = 0;
    for (size_t i = 0; i < c->n; i++) terms += fabs((double)a[i] * (double)b[i]);
    close_to(c, 0, (double)c->ref->dot(a, b, c->n), (double)c->got->dot(a, b, c->n), SUM_TOL * terms);
}

static void check_axpy(struct ctx *c)
{
    float a = uniform(c), *x = random_floats(c, c->n, 2), *want = random_floats(c, c->n, 2), *got = floats(c, c->n);
    float *y = floats(c, c->n);
    memcpy(got, want, c->n * 4);
    memcpy(y, want, c->n * 4);
    c->ref->axpy(a, x, want, c->n);
    c->got->axpy(a, x, got, c->n);
    for (size_t i = 0; i < c->n; i++)
        close_to(c, i, (double)want[i], (double)got[i], 2e-7 * (fabs((double)(a * x[i])) + fabs((double)y[i])));
}

static void check_scale(struct ctx *c)
{
    float a = uniform(c), *want = random_floats(c, c->n, 2), *got = floats(c, c->n);
    memcpy(got, want, c->n * 4);
    c->ref->scale(a, want, c->n);
    c->got->scale(a, got, c->n);
    same_floats(c, want, got, c->n);
}

/* add and mul, also in place on either operand. */
static void check_binary(struct ctx *c, void (*ref)(const float *, const float *, float *, size_t),
                         void (*got_fn)(const float *, const float *, float *, size_t), double tol, double abs_tol)
{
    float *a = random_floats(c, c->n, 20), *b = random_floats(c, c->n, 2);
    float *want = floats(c, c->n), *got = floats(c, c->n);
    ref(a, b, want, c->n);
    got_fn(a, b, got, c->n);
    close_floats(c, want, got, c->n, tol, abs_tol);
    memcpy(got, a, c->n * 4);
    got_fn(got, b, got, c->n);
    close_floats(c, want, got, c->n, tol, abs_tol);
    memcpy(got, b, c->n * 4);
    got_fn(a, got, got, c->n);
    close_floats(c, want, got, c->n, tol, abs_tol);
}
static void check_add(struct ctx *c) { check_binary(c, c->ref->add, c->got->add, 0, 0); }
static void check_mul(struct ctx *c) { check_binary(c, c->ref->mul, c->got->mul, 0, 0); }
static void check_silu_mul(struct ctx *c) { check_binary(c, c->ref->silu_mul, c->got->silu_mul, EXP_TOL, 1e-30); }

/* Far to the left the value is exp(-50), say, and the rounding of the exponent grows with it: those are zero enough. */
static void check_gelu_mul(struct ctx *c)
{
    check_binary(c, c->ref->gelu_mul, c->got->gelu_mul, 2 * EXP_TOL, 1e-18);
    c->n_regions = 0;
    float *x = random_floats(c, c->n, 100), *want = floats(c, c->n), *got = floats(c, c->n);
    c->ref->gelu_mul(x, NULL, want, c->n);
    c->got->gelu_mul(x, NULL, got, c->n);
    close_floats(c, want, got, c->n, 2 * EXP_TOL, 1e-18);
}

static void check_rms_norm(struct ctx *c)
{
    float *x = random_floats(c, c->n, 4), *w = below(c, 4) ? random_floats(c, c->n, 2) : NULL;
    float *want = floats(c, c->n), *got = floats(c, c->n);
    c->ref->rms_norm(x, w, want, c->n, 1e-6f);
    c->got->rms_norm(x, w, got, c->n, 1e-6f);
    close_floats(c, want, got, c->n, SUM_TOL, 1e-30);
    memcpy(got, x, c->n * 4);
    c->got->rms_norm(got, w, got, c->n, 1e-6f);
    close_floats(c, want, got, c->n, SUM_TOL, 1e-30);
}

static void check_layer_norm(struct ctx *c)
{
    float *x = random_floats(c, c->n, 4), *w = below(c, 4) ? random_floats(c, c->n, 2) : NULL;
    float *b = below(c, 4) ? random_floats(c, c->n, 2) : NULL;
    float *want = floats(c, c->n), *got = floats(c, c->n);
    c->ref->layer_norm(x, w, b, want, c->n, 1e-3f);
    c->got->layer_norm(x, w, b, got, c->n, 1e-3f);
    close_floats(c, want, got, c->n, 4 * SUM_TOL, 1e-4 * SUM_TOL + 8e-6);
}

static void check_softmax(struct ctx *c)
{
    float *want = random_floats(c, c->n, below(c, 2) ? 3 : 90), *got = floats(c, c->n);
    int mask = (int)below(c, 4); /* 0: all masked, 1: some */
    for (size_t i = 0; i < c->n; i++)
        if (mask == 0 || (mask == 1 && below(c, 3) == 0)) want[i] = -INFINITY;
    memcpy(got, want, c->n * 4);
    c->ref->softmax(want, c->n);
    c->got->softmax(got, c->n);
    close_floats(c, want, got, c->n, 2 * EXP_TOL, 1e-36);
}

static void check_softcap(struct ctx *c)
{
    float *want = random_floats(c, c->n, below(c, 2) ? 3 : 300), *got = floats(c, c->n);
    memcpy(got, want, c->n * 4);
    c->ref->softcap(want, c->n, 30);
    c->got->softcap(got, c->n, 30);
    close_floats(c, want, got, c->n, EXP_TOL, 1e-36);
}

/* ---- attention ---- */

/* A head's cache with garbage where no position or no element is. */
struct cache {
    size_t d, d_v, n; /* n positions */
    uint8_t *k, *v;
    float *keys, *values; /* [n, d], [n, d_v]: what the cache means */
};

static struct cache random_cache(struct ctx *c)
{
    bool q8 = c->type == KERN_KV_Q8_0;
    struct cache h = {.d = q8 ? (1 + c->n % 8) * 32 : 1 + c->n % 300, .n = 1 + below(c, below(c, 2) ? 200 : 20)};
    h.d_v = below(c, 2) ? h.d : q8 ? 32 * (1 + below(c, 3)) : 1 + below(c, 80);
    size_t k_row = kern_kv_row_bytes(c->type, h.d), v_row = kern_kv_row_bytes(c->type, h.d_v);
    size_t k_bytes = (h.n + KERN_KV_STRIP - 1) / KERN_KV_STRIP * KERN_KV_STRIP * k_row;
    size_t unit = c->type == KERN_KV_F32 ? 4 : 2;
    h.k = buffer(c, k_bytes, unit);
    h.v = buffer(c, h.n * v_row, unit);
    memset(h.k, 0xff, k_bytes); /* as floats, none */
    memset(h.v, 0xff, h.n * v_row);
    h.keys = random_floats(c, h.n * h.d, 2);
    h.values = random_floats(c, h.n * h.d_v, 2);
    for (size_t j = 0; j < h.n; j++) {
        kern_kv_put_key(c->ref, c->type, h.keys + j * h.d, h.d, h.k, j);
        kern_kv_put_value(c->ref, c->type, h.values + j * h.d_v, h.d_v, h.v, j);
    }
    return h;
}

/* The largest sum of |terms| of a score of query i: rounding errors of its scores are relative to it. */
static double score_terms(const struct kern_attn *a, const struct cache *h, size_t i)
{
    double most = 0;
    for (size_t j = a->from[i]; j < a->to[i]; j++) {
        double sum = 0;
        for (size_t e = 0; e < h->d; e++) sum += fabs((double)a->q[i * h->d + e] * (double)h->keys[j * h->d + e]);
        most = fmax(most, sum * (double)a->scale);
    }
    return most;
}

static void attn_start(struct kern_attn *a)
{
    for (size_t i = 0; i < a->n_q; i++) a->max[i] = -INFINITY, a->sum[i] = 0;
    memset(a->out, 0, a->n_q * kern_kv_padded(a->d_v) * 4);
}

/* The positions in two calls, cut at `at`. */
static void attend_cut(const struct ctx *c, struct kern_attn a, uint32_t at, uint32_t *from, uint32_t *to)
{
    for (int part = 0; part < 2; part++) {
        for (size_t i = 0; i < a.n_q; i++) {
            from[i] = part && a.from[i] < at ? at : a.from[i];
            to[i] = !part && a.to[i] > at ? at : a.to[i];
        }
        struct kern_attn half = a;
        half.from = from, half.to = to;
        c->got->attend[c->type](&half);
    }
}

static void check_attend(struct ctx *c)
{
    struct cache h = random_cache(c);
    size_t n = c->n_act, ld = kern_kv_padded(h.d_v);
    struct kern_attn a = {.n_q = n, .d = h.d, .d_v = h.d_v, .k = h.k, .v = h.v, .scale = 0.125f};
    if (below(c, 4) == 0) a.softcap = 5;
    a.q = random_floats(c, n * h.d, 2);
    uint32_t *from = buffer(c, 4 * n * 4, 4), *to = from + n;
    bool all = below(c, 3) == 0, causal = below(c, 2);
    for (size_t i = 0; i < n; i++) {
        from[i] = all || causal ? 0 : (uint32_t)below(c, h.n);
        to[i] = (uint32_t)(all ? h.n : from[i] + below(c, h.n - from[i] + 1));
    }
    a.from = from, a.to = to;
    float *state = floats(c, 2 * n * (2 + ld));
    struct kern_attn b = a;
    a.max = state, a.sum = state + n, a.out = state + 2 * n;
    b.max = state + n * (2 + ld), b.sum = b.max + n, b.out = b.max + 2 * n;
    attn_start(&a);
    attn_start(&b);
    c->ref->attend[c->type](&a);
    if (below(c, 3)) c->got->attend[c->type](&b);
    else attend_cut(c, b, (uint32_t)below(c, h.n + 1), from + 2 * n, from + 3 * n);
    for (size_t i = 0; i < n && !c->failed; i++) {
        if (a.from[i] == a.to[i] && (b.sum[i] != 0 || b.max[i] != -INFINITY)) fail(c, "query %zu sees nothing", i);
        if (a.from[i] == a.to[i]) continue;
        double off = 2 * SUM_TOL * score_terms(&a, &h, i) + EXP_TOL * (1 + (double)a.softcap);
        double want = (double)a.max[i] + log((double)a.sum[i]), got = (double)b.max[i] + log((double)b.sum[i]);
        close_to(c, i, want, got, off + 2 * SUM_TOL * fabs(want));
        for (size_t e = 0; e < h.d_v; e++)
            close_to(c, i * ld + e, (double)(a.out[i * ld + e] / a.sum[i]), (double)(b.out[i * ld + e] / b.sum[i]),
                     2 * (2 * off + 4 * SUM_TOL)); /* no value is larger than 2 */
    }
}

/* ---- the list ---- */

enum over { ONCE, TYPES, KINDS }; /* what a kernel has one variant for each of */
static const struct check {
    const char *name;
    void (*run)(struct ctx *c);
    enum over over;
    bool has_rows; /* weight rows or cache rows, and activation rows or queries */
} checks[] = {
    {"dequant", check_dequant, TYPES, false},
    {"gemm", check_gemm, TYPES, true},
    {"gemm_packed", check_gemm_packed, TYPES, true},
    {"unpack", check_unpack, TYPES, true},
    {"act_quantize", check_act_quantize, ONCE, false},
    {"act_bf16", check_act_bf16, ONCE, false},
    {"f32_to_q8_0", check_f32_to_q8_0, ONCE, false},
    {"f32_to_f16", check_f32_to_f16, ONCE, false},
    {"f16_to_f32", check_f16_to_f32, ONCE, false},
    {"dot", check_dot, ONCE, false},
    {"axpy", check_axpy, ONCE, false},
    {"scale", check_scale, ONCE, false},
    {"add", check_add, ONCE, false},
    {"mul", check_mul, ONCE, false},
    {"rms_norm", check_rms_norm, ONCE, false},
    {"layer_norm", check_layer_norm, ONCE, false},
    {"softmax", check_softmax, ONCE, false},
    {"silu_mul", check_silu_mul, ONCE, false},
    {"gelu_mul", check_gelu_mul, ONCE, false},
    {"softcap", check_softcap, ONCE, false},
    {"attend", check_attend, KINDS, true},
};
enum { N_CHECKS = sizeof checks / sizeof checks[0] };

static const size_t sizes[] = {0,  1,  2,  3,  5,  7,  8,  9,  15, 16, 17,  24,  31,  32,  33,
                               39, 47, 63, 64, 65, 79, 95, 96, 97, 127, 129, 160, 255, 257, 1030};
static const size_t row_sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 70};
static const size_t act_sizes[] = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 17, 25, 41, 64, 70, 97};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void run_case(struct ctx *c, const struct check *k, uint64_t salt)
{
    c->failed = false;
    for (c->place = 0; c->place < N_PLACES && !c->failed; c->place++) {
        c->rng = c->seed * 1000003u + salt;
        c->n_regions = 0;
        c->rows = k->has_rows ? row_sizes[below(c, COUNT(row_sizes))] : 1;
        c->n_act = k->has_rows ? act_sizes[below(c, COUNT(act_sizes))] : 1;
        int sig = sigsetjmp(fault_jump, 1);
        if (sig == 0) {
            k->run(c);
            check_canaries(c);
        } else {
            fail(c, "signal %d: it touched memory outside its buffers, or used an instruction this CPU lacks", sig);
        }
    }
    if (c->failed) c->failures++;
    else c->passed++;
}

static void run_check(struct ctx *c, int index)
{
    const struct check *k = &checks[index];
    int n_variants = k->over == TYPES ? KERN_TYPE_COUNT : k->over == KINDS ? KERN_KV_COUNT : 1;
    c->kernel = k->name;
    for (int v = 0; v < n_variants; v++) {
        if (k->over == TYPES && !kern_type_get(v)) continue;
        c->type = k->over == ONCE ? -1 : v;
        for (size_t s = 0; s < COUNT(sizes); s++) {
            for (int repeat = 0; repeat < (c->quick ? 1 : k->has_rows ? 5 : 2); repeat++) {
                c->n = sizes[s];
                run_case(c, k, (uint64_t)index << 40 | (uint64_t)v << 32 | (uint64_t)s << 8 | (uint64_t)repeat);
            }
        }
    }
}

/* ---- the benchmark ---- */

/* Processor time of this thread: on a busy machine the clock on the wall measures the others. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *big(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("checkkern: mmap");
        exit(1);
    }
    return p;
}

/* Bytes per second of reading a buffer far larger than the caches, one thread. */
static double read_bandwidth(const uint64_t *p, size_t bytes)
{
    double best = 0;
    volatile uint64_t sink = 0;
    for (int round = 0; round < 3; round++) {
        double t = now_s();
        uint64_t a[8] = {0};
        for (size_t i = 0; i < bytes / 8; i += 8)
            for (int k = 0; k < 8; k++) a[k] += p[i + (size_t)k];
        sink = sink + a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
        t = now_s() - t;
        best = fmax(best, (double)bytes / t);
    }
    return best;
}

/* Clock in GHz: a chain of dependent additions takes one cycle each. */
static double clock_ghz(void)
{
    double best = 0;
    for (int round = 0; round < 3; round++) {
        uint64_t x = (uint64_t)round;
        double t = now_s();
        for (int i = 0; i < 100000000; i++) {
            x++;
            __asm__ volatile("" : "+r"(x));
        }
        best = fmax(best, 0.1 / (now_s() - t));
    }
    return best;
}

/* Bytes that a product reads: packed where the level packs. */
static size_t product_bytes(const struct kern_ops *o, int type, size_t n_out, size_t n)
{
    return o->gemm_packed[type] ? kern_packed_bytes(type, n_out, n) : kern_row_bytes(type, n) * n_out;
}

/* Seconds of one product; the weights rotate over `pool` so that one row of activations reads them from memory. */
static double time_gemm(const struct kern_ops *o, int type, size_t n_out, struct kern_act *x, const uint8_t *pool,
                        size_t pool_bytes, float *y)
{
    kern_gemm_fn *gemm = o->gemm_packed[type] ? o->gemm_packed[type] : o->gemm[type];
    size_t row = o->gemm_packed[type] ? kern_strip_bytes(type, x->n) : kern_row_bytes(type, x->n);
    size_t bytes = product_bytes(o, type, n_out, x->n), copies = pool_bytes / bytes;
    double best = 1e9, spent = 0;
    for (size_t i = 0; spent < 0.1 || i < 2; i++) {
        double t = now_s();
        for (size_t k = 0; k < (x->n_rows == 1 ? copies : 1); k++)
            gemm(pool + k * bytes, row, n_out, x, y, n_out);
        t = (now_s() - t) / (x->n_rows == 1 ? (double)copies : 1);
        spent += x->n_rows == 1 ? t * (double)copies : t;
        best = fmin(best, t);
    }
    return best;
}

/* Operations per second of the level's int8 multiplication in registers: what no product passes. */
static double peak_rate(const struct kern_ops *o)
{
    double best = 0;
    for (int round = 0; round < 20; round++) {
        double t = now_s(), ops = (double)o->peak[KERN_PEAK_INT8](20000);
        best = fmax(best, ops / (now_s() - t));
    }
    return best;
}

static void bench(struct ctx *c, const char *only_level, int only_type)
{
    static const size_t shapes[][2] = {{256, 2048}, {2048, 2048}, {2048, 8192}}; /* the first stays in the cache */
    size_t pool_bytes = 192u << 20;
    uint8_t *pool = big(pool_bytes);
    float *f = big(128 * 8192 * 4), *y = big(128 * 2048 * 4);
    struct kern_act x = {.f32 = f, .q = big(128 * 8192), .d = big(128 * 256 * 4), .sum16 = big(128 * 512 * 2)};
    for (size_t i = 0; i < 128 * 8192; i++) f[i] = uniform(c);
    for (size_t i = 0; i < pool_bytes; i++) pool[i] = 0x11; /* any bytes: time does not depend on them */
    printf("%s; clock %.2f GHz; reads %.1f GB/s (one thread)\n", plat_cpu_get()->brand, clock_ghz(),
           read_bandwidth((const uint64_t *)(const void *)pool, pool_bytes) / 1e9);
    printf("%-8s %-7s %-11s %12s %8s %8s %8s %8s\n", "type", "level", "n_out x n", "1 row GB/s", "4 GOP/s", "8", "16",
           "128");
    for (const char *const *l = kern_levels(); *l; l++) {
        const struct kern_ops *o = kern_level_get(*l);
        if (!o || (only_level ? strcmp(*l, only_level) != 0 : strcmp(*l, "ref") == 0)) continue;
        if (o->peak[KERN_PEAK_INT8]) printf("%s: %.0f GOP/s of int8 in registers\n", *l, peak_rate(o) / 1e9);
        for (int type = 0; type < KERN_TYPE_COUNT; type++) {
            if (!kern_type_get(type) || (only_type >= 0 && type != only_type)) continue;
            if (strcmp(o->gemm_level[type], *l) != 0 && !only_level) continue;
            for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
                x.n = x.ld = shapes[s][1];
                for (size_t t = 0; t < 128; t++)
                    o->act_quantize(f + t * x.n, x.n, x.q + t * x.n, x.d + t * x.n / 32, x.sum16 + t * x.n / 16);
                x.n_rows = 1;
                double t1 = time_gemm(o, type, shapes[s][0], &x, pool, pool_bytes, y);
                printf("%-8s %-7s %4zux%-6zu %12.1f", kern_type_get(type)->name, o->gemm_level[type], shapes[s][0], x.n,
                       (double)product_bytes(o, type, shapes[s][0], x.n) / t1 / 1e9);
                static const size_t rows[] = {4, 8, 16, 128};
                for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                    x.n_rows = rows[r];
                    double ops = 2.0 * (double)(rows[r] * shapes[s][0] * x.n);
                    printf(" %8.1f", ops / time_gemm(o, type, shapes[s][0], &x, pool, pool_bytes, y) / 1e9);
                }
                printf("\n");
                fflush(stdout);
            }
        }
    }
}

/* Attention of n_q queries over n positions of one head: seconds, and bytes of the cache. Heads rotate over `pool`. */
static double time_attend(const struct kern_ops *o, int kv, size_t n_q, size_t d, size_t n, uint8_t *pool,
                          size_t pool_bytes, double *out_bytes)
{
    static float q[64 * 256], out[64 * 256], state[128];
    uint32_t from[64] = {0}, to[64];
    size_t half = n * kern_kv_row_bytes(kv, d), heads = pool_bytes / (2 * half);
    struct kern_attn a = {.q = q, .n_q = n_q, .d = d, .d_v = d, .from = from, .to = to, .scale = 0.1f,
                          .max = state, .sum = state + 64, .out = out};
    double best = 1e9, spent = 0;
    for (size_t i = 0; i < n_q; i++) to[i] = (uint32_t)n;
    for (size_t i = 0; spent < 0.2 || i < 2; i++) {
        double t = now_s();
        for (size_t h = 0; h < heads; h++) {
            attn_start(&a);
            a.k = pool + h * 2 * half;
            a.v = pool + h * 2 * half + half;
            o->attend[kv](&a);
        }
        t = (now_s() - t) / (double)heads;
        spent += t * (double)heads;
        best = fmin(best, t);
    }
    *out_bytes = 2 * (double)half;
    return best;
}

static void bench_attention(const char *only_level)
{
    static const size_t sizes_d[] = {64, 128}, queries[] = {1, 4, 7, 48};
    size_t pool_bytes = 192u << 20;
    uint8_t *pool = big(pool_bytes);
    madvise(pool, pool_bytes, MADV_HUGEPAGE);
    void (*before)(const struct kern_attn *) = NULL;
    memset(pool, 0x11, pool_bytes);
    double reads = read_bandwidth((const uint64_t *)(const void *)pool, pool_bytes) / 1e9;
    printf("%s; clock %.2f GHz; reads %.1f GB/s (one thread)\n", plat_cpu_get()->brand, clock_ghz(), reads);
    printf("%-7s %-5s %4s %8s %10s %8s %8s %10s\n", "level", "cache", "d", "queries", "positions", "GB/s", "GFLOP/s",
           "% of peak");
    for (const char *const *l = kern_levels(); *l; l++) {
        const struct kern_ops *o = kern_level_get(*l);
        if (!o || (only_level ? strcmp(*l, only_level) != 0 : o->attend[KERN_KV_F16] == before)) continue;
        before = o->attend[KERN_KV_F16];
        if (!o->peak[KERN_PEAK_F32]) continue;
        double peak = 0;
        for (int i = 0; i < 3; i++) {
            double t = now_s();
            uint64_t done = o->peak[KERN_PEAK_F32](10000000);
            peak = fmax(peak, (double)done / (now_s() - t));
        }
        for (size_t i = 0; i < 16; i++) {
            size_t d = sizes_d[i / 4 % 2], n_q = queries[i % 4], n = n_q > 8 ? 512 : 8192;
            int kv = i < 8 ? KERN_KV_F16 : KERN_KV_Q8_0;
            double bytes, t = time_attend(o, kv, n_q, d, n, pool, n_q > 8 ? 1 << 20 : pool_bytes, &bytes);
            double rate = 4 * (double)(n_q * n * d) / t;
            printf("%-7s %-5s %4zu %8zu %10zu %8.1f %8.1f %10.0f\n", *l, kv == KERN_KV_F16 ? "F16" : "Q8_0", d, n_q, n,
                   bytes / t / 1e9, rate / 1e9, 100 * rate / peak);
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv)
{
    static struct ctx c = {.seed = 1};
    const char *level = NULL, *kernel = NULL;
    bool want_bench = false, want_attention = false;
    int bench_type = -1;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--seed") == 0 && next) c.seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--level") == 0 && next) level = argv[++i];
        else if (strcmp(argv[i], "--kernel") == 0 && next) kernel = argv[++i];
        else if (strcmp(argv[i], "--quick") == 0) c.quick = true;
        else if (strcmp(argv[i], "--list") == 0) {
            for (int k = 0; k < N_CHECKS; k++) puts(checks[k].name);
            return 0;
        } else if (strcmp(argv[i], "--bench") == 0) {
            want_bench = true;
            if (next && strcmp(next, "attention") == 0) want_attention = true, i++;
            else if (next && next[0] != '-') bench_type = kern_type_find(argv[++i]);
        } else {
            fprintf(stderr, "usage: checkkern [--seed N] [--level L] [--kernel NAME] [--quick] [--list] "
                            "[--bench [TYPE | attention]]\n");
            return 64;
        }
    }
    if (want_attention) return bench_attention(level), 0;
    if (want_bench) return bench(&c, level, bench_type), 0;

    map_regions(&c);
    struct sigaction sa = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    c.ref = kern_level_get("ref");
    for (const char *const *l = kern_levels(); *l; l++) {
        if (level && strcmp(*l, level) != 0) continue;
        c.got = kern_level_get(*l);
        c.level = *l;
        long before = c.passed;
        if (!c.got) {
            printf("SKIP: level %s is not supported by this CPU\n", *l);
            c.skipped++;
            continue;
        }
        for (int k = 0; k < N_CHECKS; k++)
            if (!kernel || strcmp(kernel, checks[k].name) == 0) run_check(&c, k);
        printf("level %s: %ld passed\n", *l, c.passed - before);
    }
    if (level && c.passed + c.failures + c.skipped == 0) printf("FAIL there is no level %s\n", level), c.failures++;
    printf("%ld passed, %ld failed, %ld skipped\n", c.passed, c.failures, c.skipped);
    return c.failures ? 1 : 0;
}
