/* Products of int8 activations with AVX2.
 *
 * One activation row: gemv_int.h. Many (a prompt): eight weight rows are unpacked once, 256 elements at a time, into a
 * panel whose registers hold four consecutive elements of eight rows, and met by every activation row, TILE at a time.
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs to 16 bits, where `fold` steps add up before vpmaddwd
 * widens them; fold is what the largest quant allows without overflow (15 * 127 * 2 * 8 < 32768). Signed formats
 * (quants to ±128) multiply |w| by x with the sign of w, one step at a time: 128 * 127 * 2 < 32768.
 *
 *     panel.q[k]   row 0: 4k 4k+1 4k+2 4k+3 | … | row 7      32 bytes
 *     panel.s[g]   scale of group g in rows 0 … 7
 *
 * Read next: load256.h, gemv_int.h. */
#include "levels.h"

#include <immintrin.h>

static inline __attribute__((always_inline)) __m256i dot32(__m256i w, __m256i x)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
}
static inline __attribute__((always_inline)) __m256i dot32_signed(__m256i w, __m256i x)
{
    return dot32(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}
#include "gemv_int.h"

enum { PANEL_ROWS = 8, TILE = 4, FEW = 4 }; /* up to FEW activation rows go one by one */

struct panel {
    __m256i q[64];
    __m256 s[16], m[16];
};

/* 8 x 8 words of 32 bits, in place. */
INLINE void transpose8(__m256i v[8])
{
    __m256i t[8];
    for (int i = 0; i < 8; i += 4) { /* 4 x 4 words inside each 128-bit lane */
        __m256i a = _mm256_unpacklo_epi32(v[i], v[i + 1]), b = _mm256_unpackhi_epi32(v[i], v[i + 1]);
        __m256i c = _mm256_unpacklo_epi32(v[i + 2], v[i + 3]), d = _mm256_unpackhi_epi32(v[i + 2], v[i + 3]);
        t[i] = _mm256_unpacklo_epi64(a, c);
        t[i + 1] = _mm256_unpackhi_epi64(a, c);
        t[i + 2] = _mm256_unpacklo_epi64(b, d);
        t[i + 3] = _mm256_unpackhi_epi64(b, d);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x31);
    }
}

INLINE void transpose8_floats(const float (*s)[16], size_t at, __m256 *out)
{
    __m256i v[8];
    for (int r = 0; r < 8; r++) v[r] = _mm256_castps_si256(_mm256_load_ps(s[r] + at));
    transpose8(v);
    for (int g = 0; g < 8; g++) out[at + (size_t)g] = _mm256_castsi256_ps(v[g]);
}

INLINE void unpack_row(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, uint8_t *q, float *s,
                       float *m)
{
    __m256 sv[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, mv[2] = {sv[0], sv[0]};
    scale(w, sv, mv);
    for (int i = 0; i < 2; i++) {
        _mm256_store_ps(s + 8 * i, sv[i]);
        _mm256_store_ps(m + 8 * i, mv[i]);
    }
#define STEP(b) _mm256_store_si256((__m256i *)(void *)(q + 32 * (b)), quant(w, b));
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
}

/* Rows past n_rows and, for the last chunk, elements past its end are zero weights: scale 0. */
INLINE void panel_fill(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, size_t row_bytes,
                       size_t n_rows, size_t chunk_bytes, struct panel *p)
{
    _Alignas(32) uint8_t q[PANEL_ROWS][256];
    _Alignas(32) float s[PANEL_ROWS][16], m[PANEL_ROWS][16];
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
    for (int part = 0; part < 8; part++) {
        __m256i v[8];
        for (int r = 0; r < 8; r++) v[r] = _mm256_load_si256((const __m256i *)(const void *)(q[r] + 32 * part));
        transpose8(v);
        for (int k = 0; k < 8; k++) p->q[8 * part + k] = v[k];
    }
    for (size_t half = 0; half < (tr.per16 ? 2 : 1); half++) {
        transpose8_floats(s, 8 * half, p->s);
        if (tr.min) transpose8_floats(m, 8 * half, p->m);
    }
}

/* Steps of one group whose 16-bit sums cannot overflow. */
INLINE int fold_of(const struct traits tr)
{
    return tr.is_signed ? 1 : tr.max <= 15 ? (tr.per16 ? 4 : 8) : tr.max <= 31 ? 4 : 2;
}

/* Products of nt activation rows with one group: `steps` registers of the panel from w on. */
INLINE void group_dot(const struct traits tr, const int nt, const int steps, const __m256i *w,
                      const int8_t *const q[TILE], size_t at, __m256i dot[TILE])
{
    const int fold = fold_of(tr);
    for (int k = 0; k < steps; k += fold) {
        __m256i part[TILE];
        for (int i = 0; i < fold; i++) {
            __m256i v = w[k + i], mag = tr.is_signed ? _mm256_abs_epi8(v) : v;
            for (int t = 0; t < nt; t++) {
                int four;
                memcpy(&four, q[t] + at + 4 * (size_t)(k + i), 4);
                __m256i x = _mm256_set1_epi32(four);
                __m256i pairs = _mm256_maddubs_epi16(mag, tr.is_signed ? _mm256_sign_epi8(x, v) : x);
                part[t] = i ? _mm256_add_epi16(part[t], pairs) : pairs;
            }
        }
        for (int t = 0; t < nt; t++)
            dot[t] = _mm256_add_epi32(dot[t], _mm256_madd_epi16(part[t], _mm256_set1_epi16(1)));
    }
}

/* A chunk of nt activation rows against the panel; y += (or =) the result. */
INLINE void panel_dot(const struct traits tr, const int nt, const struct panel *p, size_t n_groups32,
                      const struct kern_act *x, size_t t0, size_t chunk, bool first, float *y, size_t ldy,
                      size_t n_rows)
{
    const int parts = tr.per16 ? 2 : 1, steps = 8 / parts;
    const int8_t *q[TILE];
    const float *d[TILE];
    const int16_t *sum[TILE];
    __m256 acc[TILE];
    float edge[8] = {0};
    for (int t = 0; t < nt; t++) {
        size_t row = t0 + (size_t)t;
        q[t] = x->q + row * x->n + 256 * chunk;
        d[t] = x->d + row * (x->n / 32) + 8 * chunk;
        sum[t] = x->sum16 + row * (x->n / 16) + 16 * chunk;
        if (first) {
            acc[t] = _mm256_setzero_ps();
        } else if (n_rows == PANEL_ROWS) {
            acc[t] = _mm256_loadu_ps(y + row * ldy);
        } else {
            memcpy(edge, y + row * ldy, n_rows * 4);
            acc[t] = _mm256_loadu_ps(edge);
        }
    }
    for (size_t b = 0; b < n_groups32; b++) {
        for (int part = 0; part < parts; part++) {
            size_t g = b * (size_t)parts + (size_t)part;
            __m256i dot[TILE];
            int total[TILE];
            for (int t = 0; t < nt; t++) {
                total[t] = tr.per16 ? sum[t][2 * b + (size_t)part] : sum[t][2 * b] + sum[t][2 * b + 1];
                dot[t] = tr.offset ? _mm256_set1_epi32(-tr.offset * total[t]) : _mm256_setzero_si256();
            }
            group_dot(tr, nt, steps, p->q + 8 * b + (size_t)(part * steps), q, 32 * b + 16 * (size_t)part, dot);
            for (int t = 0; t < nt; t++) {
                __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[t]), p->s[g]);
                if (tr.min) v = _mm256_fmadd_ps(p->m[g], _mm256_set1_ps((float)total[t]), v);
                acc[t] = _mm256_fmadd_ps(v, _mm256_set1_ps(d[t][b]), acc[t]);
            }
        }
    }
    for (int t = 0; t < nt; t++) {
        float *out = y + (t0 + (size_t)t) * ldy;
        if (n_rows == PANEL_ROWS) {
            _mm256_storeu_ps(out, acc[t]);
        } else {
            _mm256_storeu_ps(edge, acc[t]);
            memcpy(out, edge, n_rows * 4);
        }
    }
}

INLINE void gemm_int(const struct traits tr, quant_fn *quant, scale_fn *scale, const uint8_t *w, size_t row_bytes,
                     size_t n_out, const struct kern_act *x, float *y, size_t ldy)
{
    if (x->n_rows <= FEW) {
        gemv_int(tr, quant, scale, w, row_bytes, n_out, x, y, ldy);
        return;
    }
    struct panel p;
    for (size_t r = 0; r < n_out; r += PANEL_ROWS) {
        size_t n_rows = n_out - r < PANEL_ROWS ? n_out - r : PANEL_ROWS;
        for (size_t k = 0; k < x->n; k += 256) {
            size_t groups = x->n - k < 256 ? (x->n - k) / 32 : 8, chunk = k / 256, t = 0;
            panel_fill(tr, quant, scale, w + r * row_bytes + chunk * tr.chunk_bytes, row_bytes, n_rows,
                       tr.chunk_bytes * groups / 8, &p);
            for (; t + TILE <= x->n_rows; t += TILE)
                panel_dot(tr, TILE, &p, groups, x, t, chunk, k == 0, y + r, ldy, n_rows);
            for (; t < x->n_rows; t++) panel_dot(tr, 1, &p, groups, x, t, chunk, k == 0, y + r, ldy, n_rows);
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

/* vpmaddubsw, vpmaddwd, vpaddd: 32 multiply-adds, in eight independent chains (see body/peak.h). The empty
 * asm keeps the compiler from computing the products once for all rounds. */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 8 };
    __m256i acc[CHAINS], one = _mm256_set1_epi16(1), x = _mm256_set1_epi8(5), w = _mm256_set1_epi8(3);
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm256_set1_epi32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) {
            __asm__ volatile("" : "+x"(w));
            acc[k] = _mm256_add_epi32(acc[k], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), one));
        }
    for (int k = 1; k < CHAINS; k++) acc[0] = _mm256_xor_si256(acc[0], acc[k]);
    return rounds * CHAINS * 32 * 2 + (_mm256_extract_epi32(acc[0], 0) == 12345);
}

void kern_avx2_fill_int(struct kern_ops *ops)
{
    ops->peak[KERN_PEAK_INT8] = peak_int8;
#define X(T, ...) ops->gemm[KERN_##T] = gemm_##T;
    INT_TYPES(X)
#undef X
}
