/* Packed products of many activation rows in AMX's bf16 tiles; fewer rows go without.
 *
 *     y[16 rows][16 outputs] += x[16 rows][32 elements] * w[32 elements][16 outputs]      one instruction, 16 cycles
 *
 * Activations come rounded to bf16 and cut into tiles (struct kern_act). Weights are unpacked, multiplied by their
 * scales and rounded to bf16 here, COLS outputs and DEPTH elements at a time, and then met by all activation rows, so
 * that the unpacking, about 110 cycles a tile, is shared by all of them: that is why this wants many rows at once.
 * Blocks of 2 x 2 tiles of sums need two loads of each side for four products.
 *
 *     tmm0 tmm1      sums of rows 0-15, outputs 0-15 | 16-31          tmm4 tmm5   activations: rows 0-15 | 16-31
 *     tmm2 tmm3      … of rows 16-31                                  tmm6 tmm7   weights: outputs 0-15 | 16-31
 *
 * What is left at the right and at the bottom needs no copies: tiles are configured as small as it is. The sums stay in
 * float from the first element to the last; between pieces of DEPTH they lie in y. */
#include "levels.h"
#include "plat_compiler.h"
#include "strip512.h"
#include "tile_amx.h"

enum { VB = 64 };
#include "body/strip_load.h"

enum {
    ROWS = 64,   /* rows from which on unpacking to bf16 pays; by the cycle model of docs/KERNELS.md, not measured */
    DEPTH = 512, /* elements of a piece: whole chunks; 16 KiB of each strip and of 16 activation rows */
    COLS = 64,   /* outputs of a panel, which stays in the second-level cache: 64 KiB */
    BLOCK = 32,  /* rows and outputs of a block of sums */
};

/* B operands: [strip][pair of elements][output] of two bf16 each. */
struct panel {
    _Alignas(64) uint32_t w[COLS / KERN_STRIP][DEPTH / 2][KERN_STRIP];
};

/* Two floats for each of sixteen outputs as a row of a B operand, rounded to nearest (ties away from zero). By hand:
 * the conversion instruction puts its two operands one after the other, and both it and the permutation that would
 * mix them are several operations. */
INLINE void pairs_store(uint32_t *to, vf even, vf odd)
{
    const __m512i half = _mm512_set1_epi32(0x8000);
    __m512i lo = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(even), half), 16);
    __m512i hi = _mm512_add_epi32(_mm512_castps_si512(odd), half);
    _mm512_store_si512(to, _mm512_mask_blend_epi16(0xaaaaaaaa, lo, hi));
}

/* Byte k of every word as a float. */
INLINE vf byte_of(__m512i v, const unsigned k)
{
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(v, 8 * k), _mm512_set1_epi32(255)));
}

/* n elements of a strip, whose chunk begins at p: weights s (q - offset) or s q + m. The product with an offset, a
 * number of few bits, is exact, so a weight is rounded once before it is rounded to bf16. */
INLINE void unpack(const struct kern_pack_form f, const uint8_t *p, size_t n, uint32_t (*to)[KERN_STRIP])
{
    for (size_t k = 0; k < n; k += KERN_CHUNK) {
        size_t n_groups = n - k < KERN_CHUNK ? (n - k) / 32 : KERN_CHUNK / 32;
        const uint8_t *scales = p;
        p += kern_scales_bytes(f.scales, n_groups);
        for (size_t b = 0; b < n_groups; b++, p += 64 * f.bits) {
            vb q[8];
            vf s[2], m[2];
            group_load(f, p, 0, q);
            group_scales(f, scales, b, 0, s, m);
            PLAT_UNROLL for (int v = 0; v < 8; v++, to += 2)
            {
                const int h = has_halves(f) ? v / 4 : 0;
                const vf sv = s[h], mv = has_min(f) ? m[h] : vf_mul(sv, vf_set((float)-f.offset));
                pairs_store(to[0], vf_fma(byte_of(q[v], 0), sv, mv), vf_fma(byte_of(q[v], 1), sv, mv));
                pairs_store(to[1], vf_fma(byte_of(q[v], 2), sv, mv), vf_fma(byte_of(q[v], 3), sv, mv));
            }
        }
    }
}

/* What a block reads and writes: up to 32 rows and outputs. */
struct block {
    const uint16_t *x; /* activation tiles of the first 16 rows; those of the next 16 are x_rows further on */
    size_t x_rows;
    const uint32_t (*w)[KERN_STRIP]; /* of the first strip; the next one's are DEPTH / 2 further on */
    float *y;
    size_t ldy, n; /* elements: a multiple of 32 */
};

/* tall: more than 16 rows; wide: more than 16 outputs. The sums begin at zero, or go on from y. */
INLINE void block_sums(const bool tall, const bool wide, const bool go_on, const struct block *o)
{
    float *y = o->y, *below = y + 16 * o->ldy;
    size_t stride = o->ldy * sizeof *y;
    TILE_ZERO(0);
    if (wide) TILE_ZERO(1);
    if (tall) TILE_ZERO(2);
    if (tall && wide) TILE_ZERO(3);
    if (go_on) {
        TILE_LOAD(0, y, stride);
        if (wide) TILE_LOAD(1, y + 16, stride);
        if (tall) TILE_LOAD(2, below, stride);
        if (tall && wide) TILE_LOAD(3, below + 16, stride);
    }
    const uint16_t *x = o->x;
    const uint32_t(*w)[KERN_STRIP] = o->w;
    for (size_t k = 0; k < o->n; k += 32, x += KERN_BF16_TILE, w += 16) {
        TILE_LOAD(6, w, 64);
        if (wide) TILE_LOAD(7, w + DEPTH / 2, 64);
        TILE_LOAD(4, x, 64);
        TILE_DPBF16(0, 4, 6);
        if (wide) TILE_DPBF16(1, 4, 7);
        if (!tall) continue;
        TILE_LOAD(5, x + o->x_rows, 64);
        TILE_DPBF16(2, 5, 6);
        if (wide) TILE_DPBF16(3, 5, 7);
    }
    TILE_STORE(0, y, stride);
    if (wide) TILE_STORE(1, y + 16, stride);
    if (tall) TILE_STORE(2, below, stride);
    if (tall && wide) TILE_STORE(3, below + 16, stride);
}

/* Tiles for a block of n_rows x n_cols, 1 … 32 each. A tile of no rows or columns stays unconfigured. */
static void configure(size_t n_rows, size_t n_cols)
{
    struct tile_config c = {.palette = 1};
    for (size_t i = 0; i < 2; i++) {
        size_t rows = n_rows < 16 * i ? 0 : n_rows - 16 * i < 16 ? n_rows - 16 * i : 16;
        for (size_t j = 0; j < 2; j++) {
            size_t cols = n_cols < 16 * j ? 0 : n_cols - 16 * j < 16 ? n_cols - 16 * j : 16;
            if (rows && cols) c.rows[2 * i + j] = (uint8_t)rows, c.row_bytes[2 * i + j] = (uint16_t)(4 * cols);
            if (cols) c.rows[6 + j] = 16, c.row_bytes[6 + j] = (uint16_t)(4 * cols);
        }
        if (rows) c.rows[4 + i] = (uint8_t)rows, c.row_bytes[4 + i] = 64;
    }
    tile_configure(&c);
}

/* A panel of n_cols outputs against all rows: elements [k, k + n), y the panel's first column. */
static void panel_sums(const struct panel *p, const struct kern_act *x, size_t k, size_t n, size_t n_cols, float *y,
                       size_t ldy)
{
    size_t rows = 0, cols = 0; /* configured */
    for (size_t t = 0; t < x->n_rows; t += BLOCK) {
        for (size_t c = 0; c < n_cols; c += BLOCK) {
            size_t n_rows = x->n_rows - t < BLOCK ? x->n_rows - t : BLOCK, nc = n_cols - c < BLOCK ? n_cols - c : BLOCK;
            struct block o = {.x = x->bf16 + kern_bf16_at(x->n, t, k),
                              .x_rows = kern_bf16_at(x->n, 16, 0),
                              .w = p->w[c / KERN_STRIP],
                              .y = y + t * ldy + c,
                              .ldy = ldy,
                              .n = n};
            bool tall = n_rows > 16, wide = nc > 16;
            if (n_rows != rows || nc != cols) configure(rows = n_rows, cols = nc);
            if (tall && wide) block_sums(true, true, k > 0, &o); /* with its conditions known */
            else block_sums(tall, wide, k > 0, &o);
        }
    }
}

typedef void unpack_fn(const uint8_t *p, size_t n, uint32_t (*to)[KERN_STRIP]);

static void gemm_tiles(int type, unpack_fn *unpack_strip, KERN_GEMM_ARGS)
{
    const struct kern_pack_form f = *kern_pack_form(type);
    const size_t chunk_bytes = kern_scales_bytes(f.scales, KERN_CHUNK / 32) + KERN_CHUNK / 32 * 64 * (size_t)f.bits;
    struct panel p;
    for (size_t k = 0; k < x->n; k += DEPTH) {
        size_t n = x->n - k < DEPTH ? x->n - k : DEPTH;
        const uint8_t *chunk = (const uint8_t *)w + k / KERN_CHUNK * chunk_bytes;
        for (size_t c = 0; c < n_out; c += COLS) {
            size_t n_cols = n_out - c < COLS ? n_out - c : COLS;
            for (size_t s = 0; s < n_cols; s += KERN_STRIP)
                unpack_strip(chunk + (c + s) / KERN_STRIP * row_bytes, n, p.w[s / KERN_STRIP]);
            panel_sums(&p, x, k, n, n_cols, y + c, ldy);
        }
    }
    tile_release();
}

static kern_gemm_fn *fewer[KERN_TYPE_COUNT]; /* products of fewer rows; set once, before any is called */

#define X(T, bits, offset, scales, table) \
    static void unpack_##T(const uint8_t *p, size_t n, uint32_t (*to)[KERN_STRIP]) \
    { \
        unpack((struct kern_pack_form){bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table}, p, n, to); \
    } \
    static void tiles_##T(KERN_GEMM_ARGS) \
    { \
        if (!x->bf16 || x->n_rows < ROWS) fewer[KERN_##T](w, row_bytes, n_out, x, y, ldy); \
        else gemm_tiles(KERN_##T, unpack_##T, w, row_bytes, n_out, x, y, ldy); \
    }
KERN_PACK_TABLE(X)
#undef X

static void act_bf16(const float *x, size_t n, uint16_t *to)
{
    for (size_t k = 0; k < n; k += 32, to += KERN_BF16_TILE)
        _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(vf_load(x + k + 16), vf_load(x + k)));
}

void kern_amx_fill_bf16(struct kern_ops *ops)
{
    ops->bf16_rows = ROWS;
    ops->act_bf16 = act_bf16;
#define X(T, ...) \
    fewer[KERN_##T] = ops->gemm_packed[KERN_##T]; \
    ops->gemm_packed[KERN_##T] = tiles_##T;
    KERN_PACK_TABLE(X)
#undef X
}
