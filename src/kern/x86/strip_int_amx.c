/* Packed products of some activation rows in AMX's int8 tiles; one or few take the level below.
 *
 *     dots[16 rows][16 outputs] = xq[16 rows][32 elements] * q[32 elements][16 outputs]      one instruction
 *
 * A group of a strip, unpacked to bytes, is a B operand as it lies (kern_pack.h). The sums of a group, or of its half
 * where it has two scales, are whole numbers; they leave the tile, and what follows is what VNNI does with them, in
 * the same order: both levels give the same bits. STRIPS strips are unpacked a chunk at a time, into the first-level
 * cache, and met by up to 16 rows at a time, which are laid into tiles too: in a matrix their lines may all fall into
 * one set of that cache.
 *
 * A tile takes a hundred cycles from its load to its sums, so three steps are under way at once: one is multiplied,
 * the one before it is stored, and the one before that is scaled and added up in registers. Two sets of tiles
 * alternate:
 *
 *     tmm0 tmm3   sums          tmm1 tmm4   activations          tmm2 tmm5   weights */
#include "levels.h"
#include "strip512.h"
#include "tile_amx.h"

enum { VB = 64 };
#include "body/strip_load.h"

enum {
    ROWS = 5, /* rows from which on tiles pay; by the cycle model of docs/KERNELS.md, not measured */
    TILE = 16,
    STRIPS = 4,
    GROUPS = KERN_CHUNK / 32,
    STEPS = 2 * GROUPS, /* of a chunk: groups, or halves of groups */
};

/* A chunk of a strip: signed quants and the scales of each step. */
struct chunk {
    _Alignas(64) uint8_t q[GROUPS][8][VB];
    _Alignas(64) float s[STEPS][LANES], m[STEPS][LANES];
};

/* The same of a tile's activation rows: quants, their scales d, and d times their sums. */
struct rows {
    _Alignas(64) int8_t q[GROUPS][TILE][32];
    _Alignas(64) float d[TILE][GROUPS], sum[TILE][STEPS];
};

typedef int32_t tile_sums[TILE][LANES];

/* p: a chunk of a strip; ahead: the next one to be unpacked. */
INLINE void unpack(const struct kern_pack_form f, const uint8_t *p, const uint8_t *ahead, size_t n_groups,
                   struct chunk *o)
{
    const int halves = 1 + has_halves(f);
    const size_t scales = kern_scales_bytes(f.scales, n_groups);
    for (size_t i = 0; i < scales; i += 64) vf_prefetch(ahead + i);
    for (size_t b = 0; b < n_groups; b++) {
        vb w[8];
        vf s[2], m[2];
        PLAT_UNROLL for (int i = 0; i < f.bits; i++) vf_prefetch(ahead + scales + 64 * (f.bits * b + (size_t)i));
        group_load(f, p + scales + 64 * f.bits * b, 0, w);
        PLAT_UNROLL for (int v = 0; v < 8; v++)
            vb_store(o->q[b][v], f.offset ? _mm512_sub_epi8(w[v], vb_set(f.offset)) : w[v]);
        group_scales(f, p, b, 0, s, m);
        PLAT_UNROLL for (int h = 0; h < halves; h++)
        {
            vf_store(o->s[b * (size_t)halves + (size_t)h], s[h]);
            if (has_min(f)) vf_store(o->m[b * (size_t)halves + (size_t)h], m[h]);
        }
    }
}

/* Elements from k on of n_rows rows from t on; of rows that are lacking, scales are zero. */
INLINE void rows_load(const struct kern_pack_form f, const struct kern_act *x, size_t t, size_t n_rows, size_t height,
                      size_t k, size_t n_groups, struct rows *o)
{
    const __mmask8 groups = (__mmask8)((1u << n_groups) - 1);
    const __mmask16 steps = (__mmask16)((1u << 2 * n_groups) - 1);
    for (size_t i = 0, at = t * x->n + k; i < n_rows; i++, at += x->n) {
        for (size_t b = 0; b < n_groups; b++) memcpy(o->q[b][i], x->q + at + 32 * b, 32);
        __m256 d = _mm256_maskz_loadu_ps(groups, x->d + at / 32);
        _mm256_store_ps(o->d[i], d);
        if (!has_min(f)) continue;
        __m256i sums = _mm256_maskz_loadu_epi16(steps, x->sum16 + at / 16);
        if (has_halves(f)) {
            const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
            vf d2 = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(d));
            vf_store(o->sum[i], vf_mul(d2, vf_of(_mm512_cvtepi16_epi32(sums))));
        } else {
            __m256i pairs = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
            _mm256_store_ps(o->sum[i], _mm256_mul_ps(d, _mm256_cvtepi32_ps(pairs)));
        }
    }
    for (size_t i = n_rows; i < TILE; i++) {
        for (size_t b = 0; b < n_groups && i < height; b++) memset(o->q[b][i], 0, 32);
        memset(o->d[i], 0, sizeof o->d[i]);
        memset(o->sum[i], 0, sizeof o->sum[i]);
    }
}

/* Step j into the set of tiles that is its turn, and from there to memory. */
#define MULTIPLY(sums, acts, weights, a, b)                                                                          \
    do {                                                                                                             \
        TILE_ZERO(sums);                                                                                             \
        TILE_LOAD(weights, b, VB);                                                                                   \
        TILE_LOAD(acts, a, 32);                                                                                      \
        TILE_DPBSSD(sums, acts, weights);                                                                            \
    } while (0)
INLINE void multiply(const int halves, const struct chunk *c, const struct rows *x, size_t j)
{
    const int8_t *a = x->q[j / (size_t)halves][0] + 16 * (j % (size_t)halves);
    const uint8_t *b = c->q[0][0] + 512 / (size_t)halves * j;
    if (j % 2)
        MULTIPLY(3, 4, 5, a, b);
    else
        MULTIPLY(0, 1, 2, a, b);
}
INLINE void store(size_t j, tile_sums dots[2])
{
    if (j % 2)
        TILE_STORE(3, dots[1], VB);
    else
        TILE_STORE(0, dots[0], VB);
}

/* What the sums of step j mean, added to acc: nr rows. */
INLINE void scale(const struct kern_pack_form f, const int nr, const struct chunk *c, const struct rows *x, size_t j,
                  tile_sums dots[2], vf acc[])
{
    const size_t b = j / (1 + has_halves(f));
    const vf s = vf_load(c->s[j]);
    PLAT_UNROLL for (int i = 0; i < nr; i++) acc[i] =
        vf_fma(vf_of(_mm512_load_si512(dots[j % 2][i])), vf_mul(s, vf_set(x->d[i][b])), acc[i]);
    if (!has_min(f)) return;
    const vf m = vf_load(c->m[j]);
    PLAT_UNROLL for (int i = 0; i < nr; i++) acc[i] = vf_fma(m, vf_set(x->sum[i][j]), acc[i]);
}

/* A chunk of a strip against a tile of rows, of which n_rows exist and nr are computed: y = or += outputs. */
INLINE void tile_dot(const struct kern_pack_form f, const int nr, const struct chunk *c, const struct rows *x,
                     size_t n_steps, bool go_on, size_t n_rows, float *y, size_t ldy, __mmask16 cols)
{
    _Alignas(64) tile_sums dots[2];
    vf acc[TILE];
    PLAT_UNROLL for (size_t i = 0; i < (size_t)nr; i++) acc[i] =
        _mm512_maskz_loadu_ps(go_on && i < n_rows ? cols : 0, y + i * ldy);
    for (size_t j = 0; j < n_steps + 2; j++) {
        if (j < n_steps) multiply(1 + has_halves(f), c, x, j);
        if (j >= 1 && j <= n_steps) store(j - 1, dots);
        if (j >= 2) scale(f, nr, c, x, j - 2, dots, acc);
    }
    PLAT_UNROLL for (size_t i = 0; i < (size_t)nr; i++)
        _mm512_mask_storeu_ps(y + i * ldy, i < n_rows ? cols : 0, acc[i]);
}

/* Rows go in tiles of the same height, as even as can be. */
static size_t tile_height(size_t n_rows)
{
    size_t n_tiles = (n_rows + TILE - 1) / TILE;
    return (n_rows + n_tiles - 1) / n_tiles;
}

static void configure(const struct kern_pack_form f, size_t height)
{
    const uint8_t h = (uint8_t)height, quads = has_halves(f) ? 4 : 8;
    struct tile_config c = {
        .palette = 1, .rows = {h, h, quads, h, h, quads}, .row_bytes = {VB, 4 * quads, VB, VB, 4 * quads, VB}};
    tile_configure(&c);
}

/* Elements from k on of n_strips strips, unpacked, against all rows; y: the first strip's outputs. */
INLINE void chunks_dot(const struct kern_pack_form f, const struct chunk c[STRIPS], size_t n_out,
                       const struct kern_act *x, size_t k, size_t n_groups, float *y, size_t ldy)
{
    const size_t height = tile_height(x->n_rows), n_steps = n_groups * (1 + has_halves(f));
    for (size_t t = 0; t < x->n_rows; t += height) {
        struct rows rows;
        size_t n_rows = x->n_rows - t < height ? x->n_rows - t : height;
        rows_load(f, x, t, n_rows, height, k, n_groups, &rows);
        for (size_t r = 0; r < n_out; r += KERN_STRIP) {
            const struct chunk *strip = &c[r / KERN_STRIP];
            __mmask16 cols = n_out - r < KERN_STRIP ? (__mmask16)((1u << (n_out - r)) - 1) : (__mmask16)-1;
            float *to = y + t * ldy + r;
            if (height > 12)
                tile_dot(f, 16, strip, &rows, n_steps, k > 0, n_rows, to, ldy, cols);
            else if (height > 8)
                tile_dot(f, 12, strip, &rows, n_steps, k > 0, n_rows, to, ldy, cols);
            else
                tile_dot(f, 8, strip, &rows, n_steps, k > 0, n_rows, to, ldy, cols);
        }
    }
}

INLINE void gemm(const struct kern_pack_form f, KERN_GEMM_ARGS)
{
    configure(f, tile_height(x->n_rows));
    for (size_t r = 0; r < n_out; r += STRIPS * KERN_STRIP) {
        const uint8_t *p = (const uint8_t *)w + r / KERN_STRIP * row_bytes;
        const size_t n = n_out - r < STRIPS * KERN_STRIP ? n_out - r : STRIPS * KERN_STRIP;
        for (size_t k = 0; k < x->n; k += KERN_CHUNK) {
            const bool last = x->n - k <= KERN_CHUNK; /* then the next chunk is the first of the strips that follow */
            const size_t n_groups = last ? (x->n - k) / 32 : GROUPS;
            const size_t bytes = kern_scales_bytes(f.scales, n_groups) + n_groups * 64 * (size_t)f.bits;
            struct chunk c[STRIPS];
            for (size_t s = 0; s * KERN_STRIP < n; s++) {
                const uint8_t *from = p + s * row_bytes;
                unpack(f, from, from + bytes + (last ? (STRIPS - 1) * row_bytes : 0), n_groups, &c[s]);
            }
            chunks_dot(f, c, n, x, k, n_groups, y + r, ldy);
            p += bytes;
        }
    }
    tile_release();
}

static kern_gemm_fn *below[KERN_TYPE_COUNT]; /* the products of the level below; set once, before any is called */

#define X(T, bits, offset, scales, table)                                                                            \
    static void gemm_##T(KERN_GEMM_ARGS)                                                                             \
    {                                                                                                                \
        const struct kern_pack_form f = {bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table};                    \
        if (x->n_rows < ROWS)                                                                                        \
            below[KERN_##T](w, row_bytes, n_out, x, y, ldy);                                                         \
        else                                                                                                         \
            gemm(f, w, row_bytes, n_out, x, y, ldy);                                                                 \
    }
KERN_PACK_TABLE(X)
#undef X

void kern_amx_fill_int(struct kern_ops *ops)
{
#define X(T, ...)                                                                                                    \
    below[KERN_##T] = ops->gemm_packed[KERN_##T];                                                                    \
    ops->gemm_packed[KERN_##T] = gemm_##T;
    KERN_PACK_TABLE(X)
#undef X
}
