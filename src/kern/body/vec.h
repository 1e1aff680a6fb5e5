/* Vector kernels for any width: ref/vec.c says what they compute. Included after a simd header by one file per
 * instruction set, which calls vec_fill. The last part of a row is a vector padded with zeros. */
#ifndef KERN_BODY_VEC_H
#define KERN_BODY_VEC_H

#include "body/math.h"
#include "kern_ops.h"

#include <math.h>

/* The vector at i of a row of n elements. */
INLINE vf at(const float *p, size_t i, size_t n) { return i + VF <= n ? vf_load(p + i) : vf_load_part(p + i, n - i); }
INLINE void put(float *p, vf v, size_t i, size_t n)
{
    if (i + VF <= n) vf_store(p + i, v);
    else vf_store_part(p + i, v, n - i);
}

static float vec_dot(const float *a, const float *b, size_t n)
{
    vf acc[4] = {vf_set(0), vf_set(0), vf_set(0), vf_set(0)};
    size_t i = 0;
    for (; i + 4 * VF <= n; i += 4 * VF)
        for (size_t k = 0; k < 4; k++) acc[k] = vf_fma(vf_load(a + i + k * VF), vf_load(b + i + k * VF), acc[k]);
    for (; i < n; i += VF) acc[0] = vf_fma(at(a, i, n), at(b, i, n), acc[0]);
    return vf_sum(vf_add(vf_add(acc[0], acc[1]), vf_add(acc[2], acc[3])));
}

static void vec_axpy(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VF) put(y, vf_fma(vf_set(a), at(x, i, n), at(y, i, n)), i, n);
}

static void vec_scale(float a, float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VF) put(x, vf_mul(vf_set(a), at(x, i, n)), i, n);
}

static void vec_add(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VF) put(y, vf_add(at(a, i, n), at(b, i, n)), i, n);
}

static void vec_mul(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VF) put(y, vf_mul(at(a, i, n), at(b, i, n)), i, n);
}

static void vec_rms_norm(const float *x, const float *w, float *y, size_t n, float eps)
{
    if (n == 0) return;
    vf s = vf_set(1.0f / sqrtf(vec_dot(x, x, n) / (float)n + eps));
    for (size_t i = 0; i < n; i += VF) {
        vf v = vf_mul(at(x, i, n), s);
        put(y, w ? vf_mul(v, at(w, i, n)) : v, i, n);
    }
}

static void vec_layer_norm(const float *x, const float *w, const float *b, float *y, size_t n, float eps)
{
    if (n == 0) return;
    vf sum = vf_set(0), sq = vf_set(0);
    for (size_t i = 0; i < n; i += VF) sum = vf_add(sum, at(x, i, n));
    float mean = vf_sum(sum) / (float)n;
    size_t i = 0;
    for (; i + VF <= n; i += VF) {
        vf v = vf_sub(vf_load(x + i), vf_set(mean));
        sq = vf_fma(v, v, sq);
    }
    float total = vf_sum(sq); /* the last part by itself: its padding is not mean */
    for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
    vf s = vf_set(1.0f / sqrtf(total / (float)n + eps)), m = vf_set(mean);
    for (i = 0; i < n; i += VF) {
        vf v = vf_mul(vf_sub(at(x, i, n), m), s);
        if (w) v = vf_mul(v, at(w, i, n));
        put(y, b ? vf_add(v, at(b, i, n)) : v, i, n);
    }
}

static void vec_softmax(float *x, size_t n)
{
    vf top = vf_set(-INFINITY), sum = vf_set(0);
    size_t i = 0;
    for (; i + VF <= n; i += VF) top = vf_max(top, vf_load(x + i));
    float mx = vf_hmax(top);
    for (; i < n; i++) mx = x[i] > mx ? x[i] : mx;
    if (mx == -INFINITY) {
        for (i = 0; i < n; i++) x[i] = 0;
        return;
    }
    const vf m = vf_set(mx), least = vf_set(-87.3f);
    for (i = 0; i < n; i += VF) {
        vf v = vf_sub(i + VF <= n ? vf_load(x + i) : vf_load_part(x + i, n - i), m);
        v = vf_if_gt(v, least, vf_exp(v), vf_set(0));
        put(x, v, i, n);
        sum = vf_add(sum, at(x, i, n)); /* again, without the padding of the last part */
    }
    vec_scale(1.0f / vf_sum(sum), x, n);
}

static void vec_silu_mul(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VF) {
        vf g = at(gate, i, n), e = vf_exp(vf_sub(vf_set(0), g));
        put(y, vf_mul(vf_div(g, vf_add(vf_set(1), e)), at(up, i, n)), i, n);
    }
}

static void vec_gelu_mul(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += VF) {
        vf g = at(gate, i, n), c = vf_fma(vf_mul(vf_set(0.044715f), g), g, vf_set(1));
        vf e = vf_exp(vf_mul(vf_mul(vf_set(-1.5957691216057308f), g), c));
        vf v = vf_div(g, vf_add(vf_set(1), e));
        put(y, up ? vf_mul(v, at(up, i, n)) : v, i, n);
    }
}

static void vec_softcap(float *x, size_t n, float cap)
{
    for (size_t i = 0; i < n; i += VF) put(x, vf_mul(vf_set(cap), vf_tanh(vf_div(at(x, i, n), vf_set(cap)))), i, n);
}

static void vec_f32_to_f16(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + VF <= n; i += VF) vf_store_f16(y + i, vf_load(x + i));
    if (i < n) {
        uint16_t t[VF];
        vf_store_f16(t, vf_load_part(x + i, n - i));
        memcpy(y + i, t, (n - i) * 2);
    }
}

static void vec_f16_to_f32(const uint16_t *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + VF <= n; i += VF) vf_store(y + i, vf_load_f16(x + i));
    if (i < n) {
        uint16_t t[VF] = {0};
        memcpy(t, x + i, (n - i) * 2);
        vf_store_part(y + i, vf_load_f16(t), n - i);
    }
}

/* 32 floats to int8: the scale is returned; sums of both halves if wanted. ref/gemm.c has the rules. */
INLINE float quantize32(const float *x, int8_t *q, int16_t *sum16)
{
    vf top = vf_set(0), sum[2] = {vf_set(0), vf_set(0)};
    for (size_t i = 0; i < 32; i += VF) top = vf_max(top, vf_abs(vf_load(x + i)));
    float mx = vf_hmax(top);
    vf inverse = vf_set(mx >= 1e-30f ? 127.0f / mx : 0);
    for (size_t i = 0; i < 32; i += VF) {
        vf v = vf_mul(vf_load(x + i), inverse);
        v = vf_if_gt(vf_set(127.6f), vf_abs(v), v, vf_set(0)); /* not NaN */
        v = vf_trunc(vf_add(v, vf_with_sign(vf_set(0x1.fffffep-2f), v)));
        vf_store_i8(q + i, v);
        sum[i / 16] = vf_add(sum[i / 16], v);
    }
    if (sum16) {
        sum16[0] = (int16_t)vf_sum(sum[0]);
        sum16[1] = (int16_t)vf_sum(sum[1]);
    }
    return mx >= 1e-30f ? mx / 127.0f : 0;
}

static void vec_act_quantize(const float *x, size_t n, int8_t *q, float *d, int16_t *sum16)
{
    for (size_t b = 0; b < n / 32; b++) d[b] = quantize32(x + 32 * b, q + 32 * b, sum16 + 2 * b);
}

static void vec_f32_to_q8_0(const float *x, void *y, size_t n)
{
    for (size_t b = 0; b < n / 32; b++) {
        uint8_t *p = (uint8_t *)y + 34 * b;
        uint16_t h[VF];
        vf_store_f16(h, vf_set(quantize32(x + 32 * b, (int8_t *)p + 2, NULL)));
        memcpy(p, h, 2);
    }
}

INLINE void vec_fill(struct kern_ops *ops)
{
    ops->f32_to_f16 = vec_f32_to_f16;
    ops->f16_to_f32 = vec_f16_to_f32;
    ops->act_quantize = vec_act_quantize;
    ops->f32_to_q8_0 = vec_f32_to_q8_0;
    ops->dot = vec_dot;
    ops->axpy = vec_axpy;
    ops->scale = vec_scale;
    ops->add = vec_add;
    ops->mul = vec_mul;
    ops->rms_norm = vec_rms_norm;
    ops->layer_norm = vec_layer_norm;
    ops->softmax = vec_softmax;
    ops->silu_mul = vec_silu_mul;
    ops->gelu_mul = vec_gelu_mul;
    ops->softcap = vec_softcap;
}

#endif
