/* Attention over a KV cache for any vector width: ref/attn.c says what it computes. Included after a simd header.
 *
 * The queries of one head share its keys (grouped-query attention), so ATTN_Q queries are met by each cached row while
 * it is in registers. */
#ifndef KERN_BODY_ATTN_H
#define KERN_BODY_ATTN_H

#include "body/math.h"
#include "kern_ops.h"

/* VF elements of a cache row from element e on (a multiple of VF); fewer at its end. */
INLINE vf kv_load(const int kind, const uint8_t *row, size_t e, size_t d)
{
    _Alignas(64) uint8_t t[4 * VF];
    if (kind == KERN_KV_Q8_0) {
        const uint8_t *b = row + e / 32 * 34;
        return vf_mul(vf_half(b), vf_load_i8(b + 2 + e % 32));
    }
    size_t size = kind == KERN_KV_F16 ? 2 : 4;
    const void *p = row + e * size;
    if (e + VF > d) {
        memset(t, 0, sizeof t);
        memcpy(t, p, (d - e) * size);
        p = t;
    }
    return kind == KERN_KV_F16 ? vf_load_f16(p) : vf_load(p);
}

INLINE void kv_dot_tile(const int kind, const int nq, const float *q, size_t ldq, const uint8_t *k, size_t stride,
                        size_t n_kv, size_t d, float scale, float *s, size_t lds)
{
    for (size_t j = 0; j < n_kv; j++, k += stride) {
        vf acc[ATTN_Q];
        for (int i = 0; i < nq; i++) acc[i] = vf_set(0);
        for (size_t e = 0; e < d; e += VF) {
            vf kv = kv_load(kind, k, e, d);
            for (int i = 0; i < nq; i++) {
                const float *p = q + (size_t)i * ldq + e;
                acc[i] = vf_fma(e + VF <= d ? vf_load(p) : vf_load_part(p, d - e), kv, acc[i]);
            }
        }
        for (int i = 0; i < nq; i++) s[(size_t)i * lds + j] = scale * vf_sum(acc[i]);
    }
}

INLINE void kv_dot(const int kind, const float *q, size_t n_q, size_t ldq, const uint8_t *k, size_t stride, size_t n_kv,
                   size_t d, float scale, float *s, size_t lds)
{
    size_t i = 0;
    for (; i + ATTN_Q <= n_q; i += ATTN_Q)
        kv_dot_tile(kind, ATTN_Q, q + i * ldq, ldq, k, stride, n_kv, d, scale, s + i * lds, lds);
    for (; i < n_q; i++) kv_dot_tile(kind, 1, q + i * ldq, ldq, k, stride, n_kv, d, scale, s + i * lds, lds);
}

/* nq queries and nv vectors of the output, summed over all cached rows in registers. */
INLINE void kv_mix_tile(const int kind, const int nq, const int nv, const float *p, size_t ldp, const uint8_t *v,
                        size_t stride, size_t n_kv, size_t e, size_t d, float *out, size_t ldo)
{
    vf acc[ATTN_Q][4];
    for (int i = 0; i < nq; i++)
        for (int c = 0; c < nv; c++) acc[i][c] = vf_set(0);
    for (size_t j = 0; j < n_kv; j++, v += stride) {
        vf x[4];
        for (int c = 0; c < nv; c++) x[c] = kv_load(kind, v, e + (size_t)c * VF, d);
        for (int i = 0; i < nq; i++) {
            vf a = vf_set(p[(size_t)i * ldp + j]);
            for (int c = 0; c < nv; c++) acc[i][c] = vf_fma(a, x[c], acc[i][c]);
        }
    }
    for (int i = 0; i < nq; i++) {
        for (int c = 0; c < nv; c++) {
            size_t at_e = e + (size_t)c * VF;
            if (at_e + VF <= d) vf_store(out + (size_t)i * ldo + at_e, acc[i][c]);
            else vf_store_part(out + (size_t)i * ldo + at_e, acc[i][c], d - at_e);
        }
    }
}

INLINE void kv_mix(const int kind, const float *p, size_t n_q, size_t ldp, const uint8_t *v, size_t stride, size_t n_kv,
                   size_t d, float *out, size_t ldo)
{
    for (size_t i = 0; i < n_q;) {
        bool many = i + ATTN_Q <= n_q;
        const float *pi = p + i * ldp;
        float *oi = out + i * ldo;
        for (size_t e = 0; e < d;) {
            bool wide = e + 4 * VF <= d;
            if (many && wide) kv_mix_tile(kind, ATTN_Q, 4, pi, ldp, v, stride, n_kv, e, d, oi, ldo);
            else if (many) kv_mix_tile(kind, ATTN_Q, 1, pi, ldp, v, stride, n_kv, e, d, oi, ldo);
            else if (wide) kv_mix_tile(kind, 1, 4, pi, ldp, v, stride, n_kv, e, d, oi, ldo);
            else kv_mix_tile(kind, 1, 1, pi, ldp, v, stride, n_kv, e, d, oi, ldo);
            e += wide ? 4 * VF : VF;
        }
        i += many ? ATTN_Q : 1;
    }
}

#define ATTN(K)                                                                                                    \
    static void kv_dot_##K(const float *q, size_t n_q, size_t ldq, const void *k, size_t stride, size_t n_kv,      \
                           size_t d, float scale, float *s, size_t lds)                                            \
    {                                                                                                              \
        kv_dot(KERN_KV_##K, q, n_q, ldq, k, stride, n_kv, d, scale, s, lds);                                       \
    }                                                                                                              \
    static void kv_mix_##K(const float *p, size_t n_q, size_t ldp, const void *v, size_t stride, size_t n_kv,      \
                           size_t d, float *out, size_t ldo)                                                       \
    {                                                                                                              \
        kv_mix(KERN_KV_##K, p, n_q, ldp, v, stride, n_kv, d, out, ldo);                                            \
    }
ATTN(F32)
ATTN(F16)
ATTN(Q8_0)
#undef ATTN

INLINE void attn_fill(struct kern_ops *ops)
{
    ops->kv_dot[KERN_KV_F32] = kv_dot_F32;
    ops->kv_dot[KERN_KV_F16] = kv_dot_F16;
    ops->kv_dot[KERN_KV_Q8_0] = kv_dot_Q8_0;
    ops->kv_mix[KERN_KV_F32] = kv_mix_F32;
    ops->kv_mix[KERN_KV_F16] = kv_mix_F16;
    ops->kv_mix[KERN_KV_Q8_0] = kv_mix_Q8_0;
}

#endif
