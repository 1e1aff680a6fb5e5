/* Matrix products in plain C, and the activations they read.
 *
 * Owns nothing. Sums run over several partial sums, as vector code does, so that levels differ by the order of a few
 * float additions only. The integer part of a quantised product (a sum over 16 elements) is exact in every level.
 * Read next: vec.c, then ../table.c. */
#include "ref.h"
#include "levels.h"
#include "f16.h"

#include <math.h>

enum { LANES = 16 };

static float sum_lanes(const float acc[LANES])
{
    float t[LANES];
    memcpy(t, acc, sizeof t);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    return t[0];
}

static void gemm_float(int type, const uint8_t *w, size_t row_bytes, size_t n_out, const struct kern_act *x, float *y,
                       size_t ldy)
{
    for (size_t r = 0; r < n_out; r++, w += row_bytes) {
        for (size_t t = 0; t < x->n_rows; t++) {
            const float *xt = x->f32 + t * x->ld;
            float acc[LANES] = {0};
            for (size_t k = 0; k < x->n; k++) {
                float v;
                if (type == KERN_F32) memcpy(&v, w + 4 * k, 4);
                else v = type == KERN_F16 ? load_f16(w + 2 * k) : bf16_to_f32_one(load_u16(w + 2 * k));
                acc[k % LANES] += v * xt[k];
            }
            y[t * ldy + r] = sum_lanes(acc);
        }
    }
}

/* sum_k (s q + m) (d xq)  =  d (s sum q xq + m sum xq), group by group of 16. */
static void gemm_int8(int type, const uint8_t *w, size_t row_bytes, size_t n_out, const struct kern_act *x, float *y,
                      size_t ldy)
{
    const struct kern_type_info *ty = kern_type_get(type);
    struct kern_block b;
    for (size_t r = 0; r < n_out; r++, w += row_bytes) {
        for (size_t t = 0; t < x->n_rows; t++) y[t * ldy + r] = 0;
        for (size_t k = 0; k < x->n; k += ty->block) {
            kern_ref_unpack(type, w + k / ty->block * ty->bytes, &b);
            for (size_t t = 0; t < x->n_rows; t++) {
                const int8_t *q = x->q + t * x->n + k;
                const float *d = x->d + (t * x->n + k) / 32;
                const int16_t *sum = x->sum16 + (t * x->n + k) / 16;
                float acc = 0;
                for (size_t g = 0; g < ty->block / 16; g++) {
                    int dot = 0;
                    for (int i = 0; i < 16; i++) dot += b.q[16 * g + i] * q[16 * g + i];
                    acc += d[g / 2] * (b.s[g] * (float)dot + b.m[g] * (float)sum[g]);
                }
                y[t * ldy + r] += acc;
            }
        }
    }
}

/* d and the factor that turns x into q. Blocks too small to divide by become zero; infinite ones have an infinite d
 * and q = 0, so that the product is NaN and not a plausible number. */
static float block_scale(const float *x, float *inverse)
{
    float mx = 0;
    for (int i = 0; i < 32; i++) mx = fabsf(x[i]) > mx ? fabsf(x[i]) : mx;
    *inverse = mx >= 1e-30f ? 127.0f / mx : 0;
    return mx >= 1e-30f ? mx / 127.0f : 0;
}

static int8_t to_int8(float x, float inverse)
{
    float v = x * inverse;
    return fabsf(v) <= 127.5f ? (int8_t)round_away(v) : 0; /* false for NaN */
}

static void act_quantize(const float *x, size_t n, int8_t *q, float *d, int16_t *sum16)
{
    for (size_t b = 0; b < n / 32; b++, x += 32, q += 32) {
        float inverse;
        d[b] = block_scale(x, &inverse);
        for (int h = 0; h < 2; h++) {
            int sum = 0;
            for (int i = 16 * h; i < 16 * h + 16; i++) sum += q[i] = to_int8(x[i], inverse);
            sum16[2 * b + (size_t)h] = (int16_t)sum;
        }
    }
}

/* A row of Q8_0 blocks (the KV cache): the same rounding, the scale stored as binary16. */
static void f32_to_q8_0(const float *x, void *y, size_t n)
{
    uint8_t *p = y;
    for (size_t b = 0; b < n / 32; b++, x += 32, p += 34) {
        float inverse;
        uint16_t h = f16_from_f32_one(block_scale(x, &inverse));
        memcpy(p, &h, 2);
        for (int i = 0; i < 32; i++) p[2 + i] = (uint8_t)to_int8(x[i], inverse);
    }
}

#define TYPES(X, Y) \
    X(F32) X(F16) X(BF16) \
    Y(Q4_0) Y(Q4_1) Y(Q5_0) Y(Q5_1) Y(Q8_0) Y(Q2_K) Y(Q3_K) Y(Q4_K) Y(Q5_K) Y(Q6_K) Y(IQ4_NL) Y(IQ4_XS) Y(MXFP4)

#define GEMM(T, form) \
    static void gemm_##T(KERN_GEMM_ARGS) \
    { \
        gemm_##form(KERN_##T, w, row_bytes, n_out, x, y, ldy); \
    }
#define X(T) GEMM(T, float)
#define Y(T) GEMM(T, int8)
TYPES(X, Y)
#undef X
#undef Y

void kern_ref_fill_gemm(struct kern_ops *ops)
{
#define X(T) ops->gemm[KERN_##T] = gemm_##T;
    TYPES(X, X)
#undef X
    ops->act_quantize = act_quantize;
    ops->f32_to_q8_0 = f32_to_q8_0;
}
