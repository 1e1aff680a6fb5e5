/* Packed products of many activation rows in AMX's bf16 tiles; fewer rows go without.
 *
 *     y[16 rows][16 outputs] += x[16 rows][32 elements] * w[32 elements][16 outputs]      one instruction, 16 cycles
 *
 * Activations come rounded to bf16 and cut into tiles (struct kern_act). Weights are unpacked, multiplied by their
 * scales and rounded to bf16 here, a piece of COLS outputs and DEPTH elements at a time, and then met by all activation
 * rows. Unpacking takes the vector units and multiplying the tile unit, so they go on side by side: while a piece is
 * multiplied, the next one is unpacked into the other of two panels, a group of it after every few products, which is
 * little enough for the CPU to run ahead of. Blocks of 2 x 2 tiles of sums need two loads of each side for four
 * products; a panel stays in the first-level cache, and activations stream past it.
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
    ROWS = 64,           /* rows from which on this pays; by the cycle model of docs/KERNELS.md, not measured */
    DEPTH = KERN_CHUNK,  /* elements of a piece: 8 KiB of each strip and of 16 activation rows */
    COLS = 32,           /* its outputs */
    BLOCK = 32,          /* rows of a block of sums */
    GROUPS = DEPTH / 32, /* of a strip in a piece */
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

/* 256 + byte k of every word, as floats: the byte becomes the upper bits of a mantissa. */
INLINE vf byte_of(__m512i v, const int k)
{
    const __m512i mantissa = _mm512_set1_epi32(0xff << 15), bits_256 = _mm512_set1_epi32(0x43800000);
    v = k < 2 ? _mm512_slli_epi32(v, 15 - 8 * (unsigned)k) : _mm512_srli_epi32(v, 8 * (unsigned)k - 15);
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(v, mantissa, bits_256, 0xea)); /* v & mantissa | bits_256 */
}

/* Group b of a chunk of n_groups: weights s (q - offset) or s q + m. The product of s and a number of few bits is
 * exact, so a weight is rounded once before it is rounded to bf16 (with a minimum twice). */
INLINE void unpack(const struct kern_pack_form f, const uint8_t *chunk, size_t n_groups, size_t b,
                   uint32_t (*to)[KERN_STRIP])
{
    vb q[8];
    vf s[2], m[2];
    group_load(f, chunk + kern_scales_bytes(f.scales, n_groups) + 64 * f.bits * b, 0, q);
    group_scales(f, chunk, b, 0, s, m);
    PLAT_UNROLL for (int h = 0; h < 1 + has_halves(f); h++) m[h] =
        has_min(f) ? vf_fma(s[h], vf_set(-256), m[h]) : vf_mul(s[h], vf_set((float)(-256 - f.offset)));
    PLAT_UNROLL for (int v = 0; v < 8; v++, to += 2)
    {
        const int h = has_halves(f) ? v / 4 : 0;
        pairs_store(to[0], vf_fma(byte_of(q[v], 0), s[h], m[h]), vf_fma(byte_of(q[v], 1), s[h], m[h]));
        pairs_store(to[1], vf_fma(byte_of(q[v], 2), s[h], m[h]), vf_fma(byte_of(q[v], 3), s[h], m[h]));
    }
}
typedef void unpack_fn(const uint8_t *chunk, size_t n_groups, size_t b, uint32_t (*to)[KERN_STRIP]);

/* A piece: outputs [c, c + n_cols), elements [k, k + 32 n_groups), which are a chunk of each strip. */
struct piece {
    size_t c, n_cols, k, n_groups;
    const uint8_t *chunk; /* the first strip's */
};

/* Unpacking a piece, bit by bit: n groups of all its strips, of which `done` are done. `owed` grows with each step of
 * those that it is spread over. */
struct unpacking {
    unpack_fn *fn;
    size_t row_bytes;
    struct piece piece;
    struct panel *to;
    size_t n, done, n_steps, owed;
};

static void unpacking_begin(struct unpacking *u, const struct piece *p, struct panel *to, size_t n_steps)
{
    u->piece = *p;
    u->to = to;
    u->n = p->n_groups * ((p->n_cols + KERN_STRIP - 1) / KERN_STRIP);
    u->done = u->owed = 0;
    u->n_steps = n_steps;
}

/* One step's share of it. */
static inline void unpacking_step(struct unpacking *u)
{
    for (u->owed += u->n; u->owed >= u->n_steps && u->done < u->n; u->owed -= u->n_steps, u->done++) {
        size_t s = u->done / u->piece.n_groups, b = u->done % u->piece.n_groups;
        u->fn(u->piece.chunk + s * u->row_bytes, u->piece.n_groups, b, u->to->w[s] + 16 * b);
    }
}

/* What a block reads and writes: up to 32 rows and outputs. */
struct block {
    const uint16_t *x; /* activation tiles of the first 16 rows; those of the next 16 are x_rows further on */
    size_t x_rows;
    const uint32_t (*w)[KERN_STRIP]; /* of the first strip; the next one's are DEPTH / 2 further on */
    float *y;
    size_t ldy, n; /* elements: a multiple of 32 */
    struct unpacking *aside;
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
        if (tall) {
            TILE_LOAD(5, x + o->x_rows, 64);
            TILE_DPBF16(2, 5, 6);
            if (wide) TILE_DPBF16(3, 5, 7);
        }
        unpacking_step(o->aside);
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

/* A piece, unpacked, against all rows. y: [rows][n_out]. */
static void piece_sums(const struct piece *p, const struct panel *w, const struct kern_act *x, float *y, size_t ldy,
                       struct unpacking *aside)
{
    size_t rows = 0; /* configured */
    for (size_t t = 0; t < x->n_rows; t += BLOCK) {
        size_t n_rows = x->n_rows - t < BLOCK ? x->n_rows - t : BLOCK;
        struct block o = {.x = x->bf16 + kern_bf16_at(x->n, t, p->k),
                          .x_rows = kern_bf16_at(x->n, 16, 0),
                          .w = w->w[0],
                          .y = y + t * ldy + p->c,
                          .ldy = ldy,
                          .n = 32 * p->n_groups,
                          .aside = aside};
        bool tall = n_rows > 16, wide = p->n_cols > 16;
        if (n_rows != rows) configure(rows = n_rows, p->n_cols);
        if (tall && wide) block_sums(true, true, p->k > 0, &o); /* with its conditions known */
        else block_sums(tall, wide, p->k > 0, &o);
    }
}

/* The piece after p (at first: c = n_out of a piece before all): columns first. False: there is none. */
static bool piece_next(struct piece *p, int type, const uint8_t *w, size_t row_bytes, size_t n_out, size_t n)
{
    const struct kern_pack_form f = *kern_pack_form(type);
    const size_t chunk_bytes = kern_scales_bytes(f.scales, KERN_CHUNK / 32) + KERN_CHUNK / 32 * 64 * (size_t)f.bits;
    p->c += COLS;
    if (p->c >= n_out) p->c = 0, p->k += DEPTH;
    p->n_cols = n_out - p->c < COLS ? n_out - p->c : COLS;
    p->n_groups = p->k + DEPTH <= n ? GROUPS : p->k < n ? (n - p->k) / 32 : 0;
    p->chunk = w + p->c / KERN_STRIP * row_bytes + p->k / KERN_CHUNK * chunk_bytes;
    return p->n_groups > 0;
}

static void gemm_tiles(int type, unpack_fn *unpack_group, KERN_GEMM_ARGS)
{
    struct panel panel[2];
    struct unpacking aside = {.fn = unpack_group, .row_bytes = row_bytes};
    struct piece now, next = {.c = n_out, .k = (size_t)0 - DEPTH};
    bool more = n_out > 0 && piece_next(&next, type, w, row_bytes, n_out, x->n);
    if (more) {
        unpacking_begin(&aside, &next, &panel[0], 1);
        unpacking_step(&aside);
    }
    for (int i = 0; more; i ^= 1) {
        now = next;
        more = piece_next(&next, type, w, row_bytes, n_out, x->n);
        if (more) unpacking_begin(&aside, &next, &panel[i ^ 1], (x->n_rows + BLOCK - 1) / BLOCK * now.n_groups);
        piece_sums(&now, &panel[i], x, y, ldy, &aside);
    }
    tile_release();
}

static kern_gemm_fn *fewer[KERN_TYPE_COUNT]; /* products of fewer rows; set once, before any is called */

#define X(T, bits, offset, scales, table) \
    static void unpack_##T(const uint8_t *chunk, size_t n_groups, size_t b, uint32_t (*to)[KERN_STRIP]) \
    { \
        const struct kern_pack_form f = {bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table}; \
        unpack(f, chunk, n_groups, b, to); \
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
