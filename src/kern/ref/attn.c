/* Attention over a KV cache in plain C: scores against cached keys, and the weighted sum of cached values.
 * Owns nothing. A cache row holds d elements as f32, f16 or Q8_0 blocks (34 bytes for 32). Read next: ../table.c. */
#include "ref.h"
#include "levels.h"
#include "f16.h"

enum { LANES = 16 };

static float element(int kv, const uint8_t *row, size_t i)
{
    float v;
    if (kv == KERN_KV_F16) return load_f16(row + 2 * i);
    if (kv == KERN_KV_Q8_0) return load_f16(row + i / 32 * 34) * (float)(int8_t)row[i / 32 * 34 + 2 + i % 32];
    memcpy(&v, row + 4 * i, 4);
    return v;
}

static void kv_dot(int kv, const float *q, size_t n_q, size_t ldq, const uint8_t *k, size_t stride, size_t n_kv,
                   size_t d, float scale, float *s, size_t lds)
{
    for (size_t i = 0; i < n_q; i++) {
        for (size_t j = 0; j < n_kv; j++) {
            float acc[LANES] = {0}, sum = 0;
            for (size_t e = 0; e < d; e++) acc[e % LANES] += q[i * ldq + e] * element(kv, k + j * stride, e);
            for (int l = 0; l < LANES; l++) sum += acc[l];
            s[i * lds + j] = scale * sum;
        }
    }
}

static void kv_mix(int kv, const float *p, size_t n_q, size_t ldp, const uint8_t *v, size_t stride, size_t n_kv,
                   size_t d, float *out, size_t ldo)
{
    for (size_t i = 0; i < n_q; i++) {
        for (size_t e = 0; e < d; e++) out[i * ldo + e] = 0;
        for (size_t j = 0; j < n_kv; j++)
            for (size_t e = 0; e < d; e++) out[i * ldo + e] += p[i * ldp + j] * element(kv, v + j * stride, e);
    }
}

#define KINDS(X) X(F32) X(F16) X(Q8_0)
#define X(K)                                                                                                     \
    static void kv_dot_##K(const float *q, size_t n_q, size_t ldq, const void *k, size_t stride, size_t n_kv,    \
                           size_t d, float scale, float *s, size_t lds)                                          \
    {                                                                                                            \
        kv_dot(KERN_KV_##K, q, n_q, ldq, k, stride, n_kv, d, scale, s, lds);                                     \
    }                                                                                                            \
    static void kv_mix_##K(const float *p, size_t n_q, size_t ldp, const void *v, size_t stride, size_t n_kv,    \
                           size_t d, float *out, size_t ldo)                                                     \
    {                                                                                                            \
        kv_mix(KERN_KV_##K, p, n_q, ldp, v, stride, n_kv, d, out, ldo);                                          \
    }
KINDS(X)
#undef X

void kern_ref_fill_attn(struct kern_ops *ops)
{
#define X(K) ops->kv_dot[KERN_KV_##K] = kv_dot_##K; ops->kv_mix[KERN_KV_##K] = kv_mix_##K;
    KINDS(X)
#undef X
}

void kern_ref_fill(struct kern_ops *ops)
{
    kern_ref_fill_quant(ops);
    kern_ref_fill_gemm(ops);
    kern_ref_fill_vec(ops);
    kern_ref_fill_attn(ops);
}
