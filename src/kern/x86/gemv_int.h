/* Products of int8 activations one row at a time (decoding): a few weight rows against one activation row.
 *
 * Reading the weights from memory bounds this, so the only aim is to stay below that: unpack in registers, one
 * multiply-add per 32 weights. The including file defines, before this:
 *     dot32(w, x)          eight int32, each the sum of four products of unsigned w and signed x
 *     dot32_signed(w, x)   the same for signed w
 * Per chunk of 256:  acc += float(dot) * (s dx)  with the scale spread over the lanes of its group, and for formats
 * with an offset or a minimum  base += m dx sum(x)  once per group. */
#ifndef KERN_GEMV_INT_H
#define KERN_GEMV_INT_H

#include "kern_ops.h"
#include "load256.h"

enum { AHEAD = 4096 }; /* bytes to prefetch ahead of the row being read: measured, docs/KERNELS.md */

/* One chunk of an activation row, ready to meet several weight rows. */
struct act_chunk {
    const int8_t *q;
    __m256 d[2];   /* per 32: d[0] has eight; per 16: sixteen, each twice */
    __m256 sum[2]; /* sum of q over the same groups, times d */
};

INLINE struct act_chunk act_load(const struct traits tr, const int8_t *q, const float *d, const int16_t *sum16)
{
    struct act_chunk a = {.q = q};
    __m256i s = _mm256_loadu_si256((const __m256i *)(const void *)sum16);
    __m256 d8 = _mm256_loadu_ps(d);
    if (tr.per16) {
        __m256 lo = _mm256_unpacklo_ps(d8, d8), hi = _mm256_unpackhi_ps(d8, d8); /* 0011 4455, 2233 6677 */
        a.d[0] = _mm256_permute2f128_ps(lo, hi, 0x20);
        a.d[1] = _mm256_permute2f128_ps(lo, hi, 0x31);
        a.sum[0] = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(s)));
        a.sum[1] = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(s, 1)));
        a.sum[1] = _mm256_mul_ps(a.sum[1], a.d[1]);
    } else {
        a.d[0] = a.d[1] = d8;
        a.sum[0] = a.sum[1] = _mm256_cvtepi32_ps(_mm256_madd_epi16(s, _mm256_set1_epi16(1)));
    }
    a.sum[0] = _mm256_mul_ps(a.sum[0], a.d[0]);
    return a;
}

/* Adds to base and to four sums, so that an addition need not wait for the one before. */
INLINE void chunk_dot(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w,
                      const struct act_chunk *a, __m256 acc[4], __m256 *base)
{
    __m256 s[2], m[2], sd[2];
    scale(w, s, m);
    sd[0] = _mm256_mul_ps(s[0], a->d[0]);
    if (tr.per16) sd[1] = _mm256_mul_ps(s[1], a->d[1]);
    if (tr.min) {
        *base = _mm256_fmadd_ps(m[0], a->sum[0], *base);
        if (tr.per16) *base = _mm256_fmadd_ps(m[1], a->sum[1], *base);
    } else if (tr.offset) {
        __m256 off = _mm256_set1_ps((float)-tr.offset);
        *base = _mm256_fmadd_ps(_mm256_mul_ps(s[0], off), a->sum[0], *base);
        if (tr.per16) *base = _mm256_fmadd_ps(_mm256_mul_ps(s[1], off), a->sum[1], *base);
    }
#define STEP(b)                                                                                                       \
    {                                                                                                                 \
        __m256i q = quant(w, b), x = _mm256_loadu_si256((const __m256i *)(const void *)(a->q + 32 * (b)));            \
        __m256i dot = tr.is_signed ? dot32_signed(q, x) : dot32(q, x);                                                \
        int g = tr.per16 ? 2 * (b) % 8 : (b), h = tr.per16 ? g + 1 : g;                                               \
        __m256 f = _mm256_permutevar8x32_ps(sd[tr.per16 ? (b) / 4 : 0], _mm256_setr_epi32(g, g, g, g, h, h, h, h));   \
        acc[(b) % 4] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), f, acc[(b) % 4]);                                     \
    }
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
}

INLINE float sum8(__m256 v)
{
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}

/* One weight row against one activation row. What is left after the whole chunks is padded with zeros on both sides.
 * Rows follow each other in memory, so a prefetch at a fixed distance streams from one row into the next; it never
 * faults. Four rows at a time were slower: four short streams defeat the hardware's own prefetching. */
INLINE float row_dot(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w,
                     const struct kern_act *x, size_t t)
{
    __m256 acc[4], base = _mm256_setzero_ps();
    const int8_t *q = x->q + t * x->n;
    const float *d = x->d + t * (x->n / 32);
    const int16_t *sum = x->sum16 + t * (x->n / 16);
    uint8_t wpad[8 * 34];
    int8_t qpad[256];
    float dpad[8];
    int16_t spad[16];
    for (int i = 0; i < 4; i++) acc[i] = base;
    for (size_t left = x->n; left > 0; w += tr.chunk_bytes, q += 256, d += 8, sum += 16) {
        if (left < 256) {
            memset(wpad, 0, sizeof wpad), memcpy(wpad, w, left / 32 * (tr.chunk_bytes / 8));
            memset(qpad, 0, sizeof qpad), memcpy(qpad, q, left);
            memset(dpad, 0, sizeof dpad), memcpy(dpad, d, left / 32 * 4);
            memset(spad, 0, sizeof spad), memcpy(spad, sum, left / 16 * 2);
            w = wpad, q = qpad, d = dpad, sum = spad, left = 256;
        }
        struct act_chunk a = act_load(tr, q, d, sum);
        for (size_t i = 0; i < tr.chunk_bytes; i += 64) _mm_prefetch((const char *)w + AHEAD + i, _MM_HINT_T0);
        chunk_dot(tr, quant, scale, w, &a, acc, &base);
        left -= 256;
    }
    acc[0] = _mm256_add_ps(_mm256_add_ps(acc[0], acc[1]), _mm256_add_ps(acc[2], acc[3]));
    return sum8(_mm256_add_ps(acc[0], base));
}

/* All weight rows against a few activation rows; a weight row is in the cache for all but the first. */
INLINE void gemv_int(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, size_t row_bytes,
                     size_t n_out, const struct kern_act *x, float *y, size_t ldy)
{
    for (size_t r = 0; r < n_out; r++)
        for (size_t t = 0; t < x->n_rows; t++) y[t * ldy + r] = row_dot(tr, quant, scale, w + r * row_bytes, x, t);
}

#endif
