/* Products of int8 activations with AVX-512 VNNI.
 *
 * One activation row: gemv_int.h. Many (a prompt): sixteen weight rows are unpacked once, 256 elements at a time, into
 * a panel whose registers hold four consecutive elements of sixteen rows, and met by every activation row, eight at a
 * time; vpdpbusd multiplies the panel's unsigned bytes by four activation bytes broadcast from memory.
 *
 *     panel.q[k]   row 0: 4k 4k+1 4k+2 4k+3 | row 1: 4k … 4k+3 | … | row 15      64 bytes
 *     panel.s[g]   scale of group g in rows 0 … 15
 *
 * The panel (7 KiB) lives on the stack and in the first-level cache. Integers are exact: an offset is subtracted in
 * integers by starting the sum at -offset * sum(x). Read next: load256.h, gemv_int.h. */
#include "levels.h"

#include <immintrin.h>

static inline __attribute__((always_inline)) __m256i dot32(__m256i w, __m256i x)
{
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), w, x);
}
static inline __attribute__((always_inline)) __m256i dot32_signed(__m256i w, __m256i x)
{
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}
#include "gemv_int.h"

enum { PANEL_ROWS = 16, TILE = 8, FEW = 4 }; /* up to FEW activation rows go one by one */

struct panel {
    __m512i q[64];
    __m512 s[16], m[16];
};

/* 16 x 16 words of 32 bits, in place. */
INLINE void transpose16(__m512i v[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 4) { /* 4 x 4 words inside each 128-bit lane */
        __m512i a = _mm512_unpacklo_epi32(v[i], v[i + 1]), b = _mm512_unpackhi_epi32(v[i], v[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]), d = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
        t[i] = _mm512_unpacklo_epi64(a, c);
        t[i + 1] = _mm512_unpackhi_epi64(a, c);
        t[i + 2] = _mm512_unpacklo_epi64(b, d);
        t[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    for (int i = 0; i < 4; i++) { /* then 4 x 4 lanes */
        __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
        __m512i d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
        v[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        v[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

/* One row of a chunk in plain order; signed quants become unsigned by adding 128. */
INLINE void unpack_row(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, uint8_t *q, float *s,
                       float *m)
{
    __m256 sv[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, mv[2] = {sv[0], sv[0]};
    scale(w, sv, mv);
    _mm256_store_ps(s, sv[0]);
    _mm256_store_ps(s + 8, sv[1]);
    _mm256_store_ps(m, mv[0]);
    _mm256_store_ps(m + 8, mv[1]);
#define STEP(b) \
    _mm256_store_si256((__m256i *)(void *)(q + 32 * (b)), \
                       tr.is_signed ? _mm256_xor_si256(quant(w, b), _mm256_set1_epi8((char)0x80)) : quant(w, b));
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
}

/* Rows past n_rows and, for the last chunk, elements past its end are zero weights: scale 0. */
INLINE void panel_fill(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, size_t row_bytes,
                       size_t n_rows, size_t chunk_bytes, struct panel *p)
{
    _Alignas(64) uint8_t q[PANEL_ROWS][256];
    _Alignas(64) float s[PANEL_ROWS][16], m[PANEL_ROWS][16];
    uint8_t pad[8 * 34];
    for (size_t r = 0; r < PANEL_ROWS; r++) {
        const uint8_t *src = w + r * row_bytes;
        if (r >= n_rows || chunk_bytes < tr.chunk_bytes) {
            memset(pad, 0, sizeof pad);
            if (r < n_rows) memcpy(pad, src, chunk_bytes);
            src = pad;
        }
        unpack_row(tr, quant, scale, src, q[r], s[r], m[r]);
    }
    __m512i v[16];
    for (int part = 0; part < 4; part++) {
        for (int r = 0; r < 16; r++) v[r] = _mm512_load_si512(q[r] + 64 * part);
        transpose16(v);
        for (int k = 0; k < 16; k++) p->q[16 * part + k] = v[k];
    }
    for (int r = 0; r < 16; r++) v[r] = _mm512_load_si512(s[r]);
    transpose16(v);
    for (int g = 0; g < 16; g++) p->s[g] = _mm512_castsi512_ps(v[g]);
    if (!tr.min) return;
    for (int r = 0; r < 16; r++) v[r] = _mm512_load_si512(m[r]);
    transpose16(v);
    for (int g = 0; g < 16; g++) p->m[g] = _mm512_castsi512_ps(v[g]);
}

/* A panel and what it is met by: a chunk of all activation rows. */
struct job {
    struct panel panel;
    int offset; /* of the unsigned quants */
    const struct kern_act *x;
    size_t chunk, n_groups32; /* which chunk, and how many groups of 32 elements it has */
    float *y;                 /* [x->n_rows, ldy], the first of up to 16 columns */
    size_t ldy;
    __mmask16 rows;
};

/* nt activation rows from t0 on: y += (for the first chunk: =) the result. */
INLINE void panel_dot(const bool per16, const bool min, const int nt, const struct job *j, size_t t0)
{
    const struct panel *p = &j->panel;
    const struct kern_act *x = j->x;
    const int parts = per16 ? 2 : 1, steps = 8 / parts;
    const size_t chunk = j->chunk;
    float *y = j->y;
    const int8_t *q[TILE];
    const float *d[TILE];
    const int16_t *sum[TILE];
    __m512 acc[TILE];
    for (int t = 0; t < nt; t++) {
        size_t row = t0 + (size_t)t;
        q[t] = x->q + row * x->n + 256 * chunk;
        d[t] = x->d + row * (x->n / 32) + 8 * chunk;
        sum[t] = x->sum16 + row * (x->n / 16) + 16 * chunk;
        acc[t] = chunk == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(j->rows, y + row * j->ldy);
    }
    for (size_t b = 0; b < j->n_groups32; b++) {
        for (int part = 0; part < parts; part++) {
            size_t g = b * (size_t)parts + (size_t)part;
            /* the pair of sums of these 32 elements, times -offset: both halves, or the one of this part */
            const uint32_t minus = (uint16_t)-j->offset, both = minus << 16 | minus;
            const __m512i off = _mm512_set1_epi32((int)(!per16 ? both : part ? minus << 16 : minus));
            __m512i dot[TILE];
            for (int t = 0; t < nt; t++) {
                int pair;
                memcpy(&pair, sum[t] + 2 * b, 4);
                dot[t] = min ? _mm512_setzero_si512() : _mm512_madd_epi16(_mm512_set1_epi32(pair), off);
            }
            for (int k = 0; k < steps; k++) {
                __m512i w = p->q[8 * b + (size_t)(part * steps + k)];
                for (int t = 0; t < nt; t++) {
                    int four;
                    memcpy(&four, q[t] + 32 * b + 4 * (part * steps + k), 4);
                    dot[t] = _mm512_dpbusd_epi32(dot[t], w, _mm512_set1_epi32(four));
                }
            }
            for (int t = 0; t < nt; t++) {
                __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[t]), p->s[g]);
                if (min) {
                    float total = (float)(per16 ? sum[t][2 * b + (size_t)part] : sum[t][2 * b] + sum[t][2 * b + 1]);
                    v = _mm512_fmadd_ps(p->m[g], _mm512_set1_ps(total), v);
                }
                acc[t] = _mm512_fmadd_ps(v, _mm512_set1_ps(d[t][b]), acc[t]);
            }
        }
    }
    for (int t = 0; t < nt; t++) _mm512_mask_storeu_ps(y + (t0 + (size_t)t) * j->ldy, j->rows, acc[t]);
}

INLINE void panel_all(const bool per16, const bool min, const struct job *j)
{
    size_t t = 0;
    for (; t + TILE <= j->x->n_rows; t += TILE) panel_dot(per16, min, TILE, j, t);
    for (; t + 4 <= j->x->n_rows; t += 4) panel_dot(per16, min, 4, j, t);
    for (; t < j->x->n_rows; t++) panel_dot(per16, min, 1, j, t);
}

/* Four forms serve all types: a scale per 32 or per 16 elements, with an offset or with a minimum. */
static __attribute__((noinline)) void panel_32(const struct job *j) { panel_all(false, false, j); }
static __attribute__((noinline)) void panel_32_min(const struct job *j) { panel_all(false, true, j); }
static __attribute__((noinline)) void panel_16(const struct job *j) { panel_all(true, false, j); }
static __attribute__((noinline)) void panel_16_min(const struct job *j) { panel_all(true, true, j); }

INLINE void gemm_int(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, size_t row_bytes,
                     size_t n_out, const struct kern_act *x, float *y, size_t ldy)
{
    if (x->n_rows <= FEW) {
        gemv_int(tr, quant, scale, w, row_bytes, n_out, x, y, ldy);
        return;
    }
    struct job j = {.offset = tr.is_signed ? 128 : tr.offset, .x = x, .ldy = ldy};
    for (size_t r = 0; r < n_out; r += PANEL_ROWS) {
        size_t n_rows = n_out - r < PANEL_ROWS ? n_out - r : PANEL_ROWS;
        j.rows = (__mmask16)((1u << n_rows) - 1);
        j.y = y + r;
        for (size_t k = 0; k < x->n; k += 256) {
            j.chunk = k / 256;
            j.n_groups32 = x->n - k < 256 ? (x->n - k) / 32 : 8;
            panel_fill(tr, quant, scale, w + r * row_bytes + j.chunk * tr.chunk_bytes, row_bytes, n_rows,
                       tr.chunk_bytes * j.n_groups32 / 8, &j.panel);
            if (tr.per16) (tr.min ? panel_16_min : panel_16)(&j);
            else (tr.min ? panel_32_min : panel_32)(&j);
        }
    }
}

#define X(T, sign, offset, per16, min, max, bytes) \
    static void gemm_##T(KERN_GEMM_ARGS) \
    { \
        const struct traits tr = {sign, offset, per16, min, max, bytes}; \
        gemm_int(tr, quant_##T, scale_##T, w, row_bytes, n_out, x, y, ldy); \
    }
INT_TYPES(X)
#undef X

/* vpdpbusd in twelve independent chains: 64 multiply-adds each (see body/peak.h). */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 12 };
    __m512i acc[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_set1_epi32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
    for (int k = 1; k < CHAINS; k++) acc[0] = _mm512_xor_si512(acc[0], acc[k]);
    return rounds * CHAINS * 64 * 2 + (_mm512_reduce_add_epi32(acc[0]) == 12345);
}

void kern_vnni_fill_int(struct kern_ops *ops)
{
    ops->peak[KERN_PEAK_INT8] = peak_int8;
#define X(T, ...) ops->gemm[KERN_##T] = gemm_##T;
    INT_TYPES(X)
#undef X
}
