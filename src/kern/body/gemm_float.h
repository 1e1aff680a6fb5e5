/* Products with float weights (F32, F16, BF16) for any vector width. Included after a simd header.
 *
 * One activation row or few: each weight row is streamed once, four partial sums, prefetched ahead. Many: tiles of
 * GEMM_ROWS x GEMM_ACTS sums stay in registers, so that a weight is loaded and converted once per GEMM_ACTS rows; the
 * row length is cut into pieces of KC elements, so that a tile's weights stay in the first-level cache. */
#ifndef KERN_BODY_GEMM_FLOAT_H
#define KERN_BODY_GEMM_FLOAT_H

#include "body/math.h"
#include "levels.h"

enum { KC = 1024, FLOAT_AHEAD = 4096 }; /* KC a multiple of every VF */

typedef vf load_fn(const void *p);
INLINE vf load_F32(const void *p) { return vf_load(p); }
INLINE vf load_F16(const void *p) { return vf_load_f16(p); }
INLINE vf load_BF16(const void *p) { return vf_load_bf16(p); }

/* The last n < VF weights, zeros after them. */
INLINE vf load_part(load_fn *load, const size_t size, const uint8_t *w, size_t n)
{
    _Alignas(64) uint8_t t[4 * VF] = {0};
    memcpy(t, w, n * size);
    return load(t);
}

INLINE float float_dot(load_fn *load, const size_t size, const uint8_t *w, const float *x, size_t n)
{
    vf acc[4] = {vf_set(0), vf_set(0), vf_set(0), vf_set(0)};
    size_t k = 0;
    for (; k + 4 * VF <= n; k += 4 * VF) {
        for (size_t i = 0; i < 4 * VF * size; i += 64) vf_prefetch_l2(w + k * size + FLOAT_AHEAD + i);
        for (size_t i = 0; i < 4; i++) acc[i] = vf_fma(load(w + (k + i * VF) * size), vf_load(x + k + i * VF), acc[i]);
    }
    for (; k + VF <= n; k += VF) acc[0] = vf_fma(load(w + k * size), vf_load(x + k), acc[0]);
    if (k < n) acc[1] = vf_fma(load_part(load, size, w + k * size, n - k), vf_load_part(x + k, n - k), acc[1]);
    return vf_sum(vf_add(vf_add(acc[0], acc[1]), vf_add(acc[2], acc[3])));
}

/* y[t][r] (+)= sum over n elements, for nr weight rows and nt activation rows (constants where inlined). */
INLINE void float_tile(load_fn *load, const size_t size, const int nr, const int nt, const uint8_t *w, size_t row_bytes,
                       const float *x, size_t ld, size_t n, bool first, float *y, size_t ldy)
{
    vf acc[GEMM_ROWS][GEMM_ACTS], wv[GEMM_ROWS];
    for (int r = 0; r < nr; r++)
        for (int t = 0; t < nt; t++) acc[r][t] = vf_set(0);
    size_t k = 0;
    for (; k + VF <= n; k += VF) {
        for (int r = 0; r < nr; r++) wv[r] = load(w + (size_t)r * row_bytes + k * size);
        for (int t = 0; t < nt; t++) {
            vf xv = vf_load(x + (size_t)t * ld + k);
            for (int r = 0; r < nr; r++) acc[r][t] = vf_fma(wv[r], xv, acc[r][t]);
        }
    }
    if (k < n) {
        for (int r = 0; r < nr; r++) wv[r] = load_part(load, size, w + (size_t)r * row_bytes + k * size, n - k);
        for (int t = 0; t < nt; t++) {
            vf xv = vf_load_part(x + (size_t)t * ld + k, n - k);
            for (int r = 0; r < nr; r++) acc[r][t] = vf_fma(wv[r], xv, acc[r][t]);
        }
    }
    for (int t = 0; t < nt; t++) {
        for (int r = 0; r < nr; r++) {
            float s = vf_sum(acc[r][t]);
            y[(size_t)t * ldy + (size_t)r] = first ? s : y[(size_t)t * ldy + (size_t)r] + s;
        }
    }
}

INLINE void gemm_float(load_fn *load, const size_t size, const uint8_t *w, size_t row_bytes, size_t n_out,
                       const struct kern_act *x, float *y, size_t ldy)
{
    if (x->n_rows < GEMM_ACTS || x->n == 0) {
        for (size_t r = 0; r < n_out; r++)
            for (size_t t = 0; t < x->n_rows; t++)
                y[t * ldy + r] = float_dot(load, size, w + r * row_bytes, x->f32 + t * x->ld, x->n);
        return;
    }
    for (size_t k = 0; k < x->n; k += KC) {
        size_t n = x->n - k < KC ? x->n - k : KC, r = 0;
        for (; r < n_out; r += GEMM_ROWS) {
            const uint8_t *wr = w + r * row_bytes + k * size;
            bool whole = r + GEMM_ROWS <= n_out;
            for (size_t t = 0; t < x->n_rows;) {
                const float *xt = x->f32 + t * x->ld + k;
                float *yt = y + t * ldy + r;
                bool wide = t + GEMM_ACTS <= x->n_rows;
                if (whole && wide)
                    float_tile(load, size, GEMM_ROWS, GEMM_ACTS, wr, row_bytes, xt, x->ld, n, k == 0, yt, ldy);
                else if (whole)
                    float_tile(load, size, GEMM_ROWS, 1, wr, row_bytes, xt, x->ld, n, k == 0, yt, ldy);
                for (size_t i = r; !whole && i < n_out; i++) {
                    const uint8_t *wi = wr + (i - r) * row_bytes;
                    float *yi = yt + (i - r);
                    if (wide) float_tile(load, size, 1, GEMM_ACTS, wi, row_bytes, xt, x->ld, n, k == 0, yi, ldy);
                    else float_tile(load, size, 1, 1, wi, row_bytes, xt, x->ld, n, k == 0, yi, ldy);
                }
                t += wide ? GEMM_ACTS : 1;
            }
        }
    }
}

#define GEMM(T, size) \
    static void gemm_##T(KERN_GEMM_ARGS) \
    { \
        gemm_float(load_##T, size, w, row_bytes, n_out, x, y, ldy); \
    }
GEMM(F32, 4)
GEMM(F16, 2)
GEMM(BF16, 2)
#undef GEMM

INLINE void gemm_float_fill(struct kern_ops *ops)
{
    ops->gemm[KERN_F32] = gemm_F32;
    ops->gemm[KERN_F16] = gemm_F16;
    ops->gemm[KERN_BF16] = gemm_BF16;
}

#endif
