/* Attention over a KV cache in plain C, and the layout of the cache (kern_ops.h draws it). Owns nothing.
 * Read next: ../body/attn.h for how it is done fast, ../table.c. */
#include "ref.h"
#include "levels.h"
#include "f16.h"

#include <math.h>

static float load_f32(const uint8_t *p)
{
    float v;
    memcpy(&v, p, 4);
    return v;
}

static float key_element(enum kern_kv kv, const uint8_t *keys, size_t row_bytes, size_t pos, size_t e)
{
    const uint8_t *strip = keys + pos / KERN_KV_STRIP * KERN_KV_STRIP * row_bytes;
    size_t lane = pos % KERN_KV_STRIP, i = e * KERN_KV_STRIP + lane;
    if (kv == KERN_KV_F32) return load_f32(strip + 4 * i);
    if (kv == KERN_KV_F16) return load_f16(strip + 2 * i);
    const uint8_t *block = strip + e / 32 * 34 * KERN_KV_STRIP, *q = block + 2 * KERN_KV_STRIP;
    return load_f16(block + 2 * lane) * (float)(int8_t)q[e % 32 * KERN_KV_STRIP + lane];
}

static float value_element(enum kern_kv kv, const uint8_t *values, size_t row_bytes, size_t pos, size_t e)
{
    const uint8_t *row = values + pos * row_bytes;
    if (kv == KERN_KV_F32) return load_f32(row + 4 * e);
    if (kv == KERN_KV_F16) return load_f16(row + 2 * e);
    const uint8_t *block = row + e / 32 * 34;
    return load_f16(block) * (float)(int8_t)block[2 + e % 32];
}

static float score(enum kern_kv kv, const struct kern_attn *a, size_t i, size_t pos)
{
    enum { LANES = 16 };
    size_t row_bytes = kern_kv_row_bytes(kv, a->d);
    float acc[LANES] = {0}, sum = 0;
    for (size_t e = 0; e < a->d; e++)
        acc[e % LANES] += a->q[i * a->d + e] * key_element(kv, a->k, row_bytes, pos, e);
    for (int l = 0; l < LANES; l++) sum += acc[l];
    sum *= a->scale;
    return a->softcap != 0 ? a->softcap * tanhf(sum / a->softcap) : sum;
}

static void attend(enum kern_kv kv, const struct kern_attn *a)
{
    size_t v_row = kern_kv_row_bytes(kv, a->d_v), ld = kern_kv_padded(a->d_v);
    for (size_t i = 0; i < a->n_q; i++) {
        float *out = a->out + i * ld;
        for (size_t j = a->from[i]; j < a->to[i]; j++) {
            float s = score(kv, a, i, j);
            if (s > a->max[i]) { /* what there is was relative to a smaller maximum */
                float shrink = expf(a->max[i] - s);
                for (size_t e = 0; e < a->d_v; e++) out[e] *= shrink;
                a->sum[i] *= shrink;
                a->max[i] = s;
            }
            float p = expf(s - a->max[i]);
            a->sum[i] += p;
            for (size_t e = 0; e < a->d_v; e++) out[e] += p * value_element(kv, a->v, v_row, j, e);
        }
    }
}

#define X(K) \
    static void attend_##K(const struct kern_attn *a) { attend(KERN_KV_##K, a); }
KERN_KV_KINDS(X)
#undef X

void kern_ref_fill_attn(struct kern_ops *ops)
{
#define X(K) ops->attend[KERN_KV_##K] = attend_##K;
    KERN_KV_KINDS(X)
#undef X
}

void kern_ref_fill(struct kern_ops *ops)
{
    kern_ref_fill_quant(ops);
    kern_ref_fill_gemm(ops);
    kern_ref_fill_vec(ops);
    kern_ref_fill_attn(ops);
}
