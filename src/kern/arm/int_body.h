/* Products of int8 activations for NEON. Included by one file per instruction set, which defines before it
 *     dot16(w, x)   four int32 whose sum is the dot product of 16 int8 with 16 int8
 *
 * A block of weights is unpacked to int8 and scales (struct kern_block of ../ref/ref.h, the form that every type has)
 * and met by up to TILE activation rows while it is in registers or the first-level cache. Unpacking is vector code for
 * the common types and plain C for the rest. */
#ifndef KERN_ARM_INT_BODY_H
#define KERN_ARM_INT_BODY_H

#include "f16.h"
#include "levels.h"
#include "ref/ref.h"

#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline, unused))

enum { TILE = 8, ARM_AHEAD = 2048 };

typedef void unpack_fn(const uint8_t *p, struct kern_block *o);

INLINE void scale32(struct kern_block *o, float s, float m)
{
    o->s[0] = o->s[1] = s;
    o->m[0] = o->m[1] = m;
}

/* lo nibbles of 16 bytes, then hi nibbles, plus `offset` */
INLINE void nibbles(const uint8_t *p, int8_t offset, int8_t *q)
{
    uint8x16_t v = vld1q_u8(p);
    vst1q_s8(q, vaddq_s8(vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15))), vdupq_n_s8(offset)));
    vst1q_s8(q + 16, vaddq_s8(vreinterpretq_s8_u8(vshrq_n_u8(v, 4)), vdupq_n_s8(offset)));
}

INLINE void unpack_Q8_0(const uint8_t *p, struct kern_block *o)
{
    vst1q_u8((uint8_t *)o->q, vld1q_u8(p + 2));
    vst1q_u8((uint8_t *)o->q + 16, vld1q_u8(p + 18));
    scale32(o, load_f16(p), 0);
}

INLINE void unpack_Q4_0(const uint8_t *p, struct kern_block *o)
{
    nibbles(p + 2, -8, o->q);
    scale32(o, load_f16(p), 0);
}

INLINE void unpack_Q4_1(const uint8_t *p, struct kern_block *o)
{
    nibbles(p + 4, 0, o->q);
    scale32(o, load_f16(p), load_f16(p + 2));
}

INLINE void lookup(const uint8_t *p, const int8_t *table, int8_t *q)
{
    uint8x16_t v = vld1q_u8(p);
    int8x16_t t = vld1q_s8(table);
    vst1q_s8(q, vqtbl1q_s8(t, vandq_u8(v, vdupq_n_u8(15))));
    vst1q_s8(q + 16, vqtbl1q_s8(t, vshrq_n_u8(v, 4)));
}

INLINE void unpack_IQ4_NL(const uint8_t *p, struct kern_block *o)
{
    lookup(p + 2, kern_ref_iq4_values, o->q);
    scale32(o, load_f16(p), 0);
}

INLINE void unpack_MXFP4(const uint8_t *p, struct kern_block *o)
{
    lookup(p + 1, kern_ref_mxfp4_values, o->q);
    scale32(o, kern_ref_e8m0_half(p[0]), 0);
}

INLINE void k4_groups(const uint8_t *p, struct kern_block *o)
{
    uint8_t sc[8], mn[8];
    float d = load_f16(p), dmin = load_f16(p + 2);
    kern_ref_k4_scales(p + 4, sc, mn);
    for (int g = 0; g < 8; g++) {
        o->s[2 * g] = o->s[2 * g + 1] = d * (float)sc[g];
        o->m[2 * g] = o->m[2 * g + 1] = -(dmin * (float)mn[g]);
    }
}

INLINE void unpack_Q4_K(const uint8_t *p, struct kern_block *o)
{
    for (int i = 0; i < 8; i++) { /* 16 bytes hold 16 elements and those 32 further on */
        uint8x16_t v = vld1q_u8(p + 16 + 16 * i);
        uint8_t *q = (uint8_t *)o->q + 64 * (i / 2) + 16 * (i % 2);
        vst1q_u8(q, vandq_u8(v, vdupq_n_u8(15)));
        vst1q_u8(q + 32, vshrq_n_u8(v, 4));
    }
    k4_groups(p, o);
}

INLINE void unpack_Q5_K(const uint8_t *p, struct kern_block *o)
{
    for (int h = 0; h < 2; h++) {
        uint8x16_t high = vld1q_u8(p + 16 + 16 * h);
        for (int i = 0; i < 4; i++) {
            uint8x16_t v = vld1q_u8(p + 48 + 32 * i + 16 * h);
            uint8_t *q = (uint8_t *)o->q + 64 * i + 16 * h;
            uint8x16_t one = vdupq_n_u8(1);
            vst1q_u8(q, vorrq_u8(vandq_u8(v, vdupq_n_u8(15)), vshlq_n_u8(vandq_u8(high, one), 4)));
            vst1q_u8(q + 32, vorrq_u8(vshrq_n_u8(v, 4), vshlq_n_u8(vandq_u8(vshrq_n_u8(high, 1), one), 4)));
            high = vshrq_n_u8(high, 2);
        }
    }
    k4_groups(p, o);
}

INLINE void unpack_Q6_K(const uint8_t *p, struct kern_block *o)
{
    const uint8x16_t low4 = vdupq_n_u8(15), two = vdupq_n_u8(0x30);
    const int8x16_t offset = vdupq_n_s8(32);
    for (int i = 0; i < 4; i++) { /* a half of 128 elements, 16 columns of it */
        const uint8_t *low = p + 64 * (i / 2) + 16 * (i % 2);
        uint8x16_t a = vld1q_u8(low), b = vld1q_u8(low + 32), h = vld1q_u8(p + 128 + 32 * (i / 2) + 16 * (i % 2));
        int8_t *q = o->q + 128 * (i / 2) + 16 * (i % 2);
        uint8x16_t v[4] = {vorrq_u8(vandq_u8(a, low4), vandq_u8(vshlq_n_u8(h, 4), two)),
                           vorrq_u8(vandq_u8(b, low4), vandq_u8(vshlq_n_u8(h, 2), two)),
                           vorrq_u8(vshrq_n_u8(a, 4), vandq_u8(h, two)),
                           vorrq_u8(vshrq_n_u8(b, 4), vandq_u8(vshrq_n_u8(h, 2), two))};
        for (int k = 0; k < 4; k++) vst1q_s8(q + 32 * k, vsubq_s8(vreinterpretq_s8_u8(v[k]), offset));
    }
    float d = load_f16(p + 208);
    for (int g = 0; g < 16; g++) o->s[g] = d * (float)(int8_t)p[192 + g];
}

/* Types without vector code here. */
#define BY_REF(T) \
    INLINE void unpack_##T(const uint8_t *p, struct kern_block *o) { kern_ref_unpack(KERN_##T, p, o); }
BY_REF(Q5_0)
BY_REF(Q5_1)
BY_REF(Q2_K)
BY_REF(Q3_K)
BY_REF(IQ4_XS)
#undef BY_REF

struct form {
    size_t block, bytes;
    bool per16, min;
};

INLINE void rows_int(const struct form f, unpack_fn *unpack, const int nt, const uint8_t *w, const struct kern_act *x,
                     size_t t0, float *y, size_t ldy)
{
    float32x4_t acc[TILE];
    float base[TILE];
    struct kern_block b;
    for (int t = 0; t < nt; t++) {
        acc[t] = vdupq_n_f32(0);
        base[t] = 0;
    }
    for (size_t k = 0; k < x->n; k += f.block, w += f.bytes) {
        __builtin_prefetch(w + ARM_AHEAD);
        if (f.bytes > 64) __builtin_prefetch(w + ARM_AHEAD + 64);
        if (f.bytes > 128) __builtin_prefetch(w + ARM_AHEAD + 128);
        unpack(w, &b);
        for (size_t g = 0; g < f.block / 32; g++) {
            int8x16_t w0 = vld1q_s8(b.q + 32 * g), w1 = vld1q_s8(b.q + 32 * g + 16);
            for (int t = 0; t < nt; t++) {
                size_t at = (t0 + (size_t)t) * x->n + k + 32 * g;
                float d = x->d[at / 32];
                const int16_t *sum = x->sum16 + at / 16;
                int32x4_t d0 = dot16(w0, vld1q_s8(x->q + at)), d1 = dot16(w1, vld1q_s8(x->q + at + 16));
                if (f.per16) {
                    acc[t] = vfmaq_n_f32(acc[t], vcvtq_f32_s32(d0), b.s[2 * g] * d);
                    acc[t] = vfmaq_n_f32(acc[t], vcvtq_f32_s32(d1), b.s[2 * g + 1] * d);
                    if (f.min) base[t] += d * (b.m[2 * g] * sum[0] + b.m[2 * g + 1] * sum[1]);
                } else {
                    acc[t] = vfmaq_n_f32(acc[t], vcvtq_f32_s32(vaddq_s32(d0, d1)), b.s[2 * g] * d);
                    if (f.min) base[t] += d * (b.m[2 * g] * (float)(sum[0] + sum[1]));
                }
            }
        }
    }
    for (int t = 0; t < nt; t++) y[(t0 + (size_t)t) * ldy] = vaddvq_f32(acc[t]) + base[t];
}

INLINE void gemm_int(const struct form f, unpack_fn *unpack, const uint8_t *w, size_t row_bytes, size_t n_out,
                     const struct kern_act *x, float *y, size_t ldy)
{
    for (size_t r = 0; r < n_out; r++, w += row_bytes) {
        size_t t = 0;
        for (; t + TILE <= x->n_rows; t += TILE) rows_int(f, unpack, TILE, w, x, t, y + r, ldy);
        for (; t < x->n_rows; t++) rows_int(f, unpack, 1, w, x, t, y + r, ldy);
    }
}

/*       type    block bytes per16  min */
#define INT_TYPES(X) \
    X(Q4_0,    32,  18, false, false) \
    X(Q4_1,    32,  20, false, true) \
    X(Q5_0,    32,  22, false, false) \
    X(Q5_1,    32,  24, false, true) \
    X(Q8_0,    32,  34, false, false) \
    X(Q2_K,   256,  84, true,  true) \
    X(Q3_K,   256, 110, true,  false) \
    X(Q4_K,   256, 144, false, true) \
    X(Q5_K,   256, 176, false, true) \
    X(Q6_K,   256, 210, true,  false) \
    X(IQ4_NL,  32,  18, false, false) \
    X(IQ4_XS, 256, 136, false, false) \
    X(MXFP4,   32,  17, false, false)

#define X(T, ...) \
    static void gemm_##T(KERN_GEMM_ARGS) \
    { \
        gemm_int((struct form){__VA_ARGS__}, unpack_##T, w, row_bytes, n_out, x, y, ldy); \
    }
INT_TYPES(X)
#undef X

INLINE void int_fill(struct kern_ops *ops)
{
#define X(T, ...) ops->gemm[KERN_##T] = gemm_##T;
    INT_TYPES(X)
#undef X
}

#endif
