/* Packed products of some activation rows in AMX's int8 tiles; one or few take the level below.
 *
 *     dots[16 rows][16 outputs] = xq[16 rows][32 elements] * q[32 elements][16 outputs]      one instruction
 *
 * A group of a strip, unpacked to bytes, is a B operand as it lies (kern_pack.h). The sums of a group are whole
 * numbers; they leave the tile, and what follows is what VNNI does with them, in the same order: both levels give the
 * same bits. A chunk of a strip is unpacked once, into the first-level cache, for all rows.
 *
 *     tmm0 tmm1   sums and activations of 16 rows         tmm2        weights
 *     tmm3 tmm4   the same of the rows that are left */
#include "levels.h"
#include "strip512.h"
#include "tile_amx.h"

enum { VB = 64 };
#include "body/strip_load.h"

enum { ROWS = 5, TILE = 16 }; /* ROWS by the cycle model of docs/KERNELS.md, not measured */

struct chunk {
    _Alignas(64) uint8_t unpacked[8][8][VB];
    _Alignas(64) float s[8][2][LANES], m[8][2][LANES];
    const uint8_t *q; /* [8 groups][8 vectors][VB]: unpacked, or the strip itself */
    size_t n_groups;
};

INLINE void unpack(const struct kern_pack_form f, const uint8_t *p, size_t n_groups, struct chunk *o)
{
    const uint8_t *quants = p + kern_scales_bytes(f.scales, n_groups);
    o->q = f.bits == 8 ? quants : o->unpacked[0][0];
    o->n_groups = n_groups;
    for (size_t b = 0; b < n_groups; b++, quants += 64 * f.bits) {
        vb w[8];
        vf s[2], m[2];
        if (f.bits < 8) {
            group_load(f, quants, 0, w);
            PLAT_UNROLL for (int v = 0; v < 8; v++) vb_store(o->unpacked[b][v], w[v]);
        }
        group_scales(f, p, b, 0, s, m);
        PLAT_UNROLL for (int h = 0; h < 1 + has_halves(f); h++) {
            vf_store(o->s[b][h], s[h]);
            if (has_min(f)) vf_store(o->m[b][h], m[h]);
        }
    }
}

typedef int32_t tile_sums[TILE][LANES];

/* The sums of up to 16 rows, group by group; rest: of the rows that are left after the sixteens. */
INLINE void products(const struct kern_pack_form f, const bool rest, const struct chunk *c, const int8_t *xq, size_t n,
                     tile_sums dots[8][2])
{
    const int halves = 1 + has_halves(f);
    for (size_t b = 0; b < c->n_groups; b++) {
        for (int h = 0; h < halves; h++) {
            TILE_LOAD(2, c->q + 512 * b + 256 * (size_t)h, VB);
            if (rest) {
                TILE_ZERO(3);
                TILE_LOAD(4, xq + 32 * b + 16 * (size_t)h, n);
                TILE_DPBSUD(3, 4, 2);
                TILE_STORE(3, dots[b][h], VB);
            } else {
                TILE_ZERO(0);
                TILE_LOAD(1, xq + 32 * b + 16 * (size_t)h, n);
                TILE_DPBSUD(0, 1, 2);
                TILE_STORE(0, dots[b][h], VB);
            }
        }
    }
}

/* What the sums of row i mean, added to acc; d and sum16 are the row's in this chunk. */
INLINE vf scaled(const struct kern_pack_form f, const struct chunk *c, tile_sums dots[8][2], size_t i, const float *d,
                 const int16_t *sum16, vf acc)
{
    for (size_t b = 0; b < c->n_groups; b++) {
        PLAT_UNROLL for (int h = 0; h < 1 + has_halves(f); h++) {
            int sum = has_halves(f) ? sum16[2 * b + (size_t)h] : sum16[2 * b] + sum16[2 * b + 1];
            vi dot = _mm512_loadu_si512(dots[b][h][i]);
            if (f.offset) dot = _mm512_add_epi32(dot, vi_set(-f.offset * sum));
            acc = vf_fma(vf_of(dot), vf_mul(vf_load(c->s[b][h]), vf_set(d[b])), acc);
            if (has_min(f)) acc = vf_fma(vf_load(c->m[b][h]), vf_set(d[b] * (float)sum), acc);
        }
    }
    return acc;
}

/* A chunk against all rows, elements from k on: y = or (after the first) += n_cols outputs. */
INLINE void chunk_rows(const struct kern_pack_form f, const struct chunk *c, const struct kern_act *x, size_t k,
                       float *y, size_t ldy, size_t n_cols)
{
    const __mmask16 cols = (__mmask16)((1u << n_cols) - 1);
    _Alignas(64) tile_sums dots[8][2];
    for (size_t t = 0; t < x->n_rows; t += TILE) {
        size_t n_rows = x->n_rows - t < TILE ? x->n_rows - t : TILE;
        if (n_rows == TILE) products(f, false, c, x->q + t * x->n + k, x->n, dots);
        else products(f, true, c, x->q + t * x->n + k, x->n, dots);
        for (size_t i = 0; i < n_rows; i++) {
            size_t at = (t + i) * x->n + k;
            float *to = y + (t + i) * ldy;
            vf acc = k ? _mm512_maskz_loadu_ps(cols, to) : vf_set(0);
            _mm512_mask_storeu_ps(to, cols, scaled(f, c, dots, i, x->d + at / 32, x->sum16 + at / 16, acc));
        }
    }
}

static void configure(const struct kern_pack_form f, size_t n_rows)
{
    const uint8_t quads = has_halves(f) ? 4 : 8, rest = (uint8_t)(n_rows % TILE);
    struct tile_config c = {.palette = 1,
                            .rows = {TILE, TILE, quads, rest, rest},
                            .row_bytes = {VB, 4 * quads, VB, rest ? VB : 0, rest ? 4 * quads : 0}};
    tile_configure(&c);
}

INLINE void gemm(const struct kern_pack_form f, KERN_GEMM_ARGS)
{
    configure(f, x->n_rows);
    for (size_t r = 0; r < n_out; r += KERN_STRIP) {
        const uint8_t *p = (const uint8_t *)w + r / KERN_STRIP * row_bytes;
        for (size_t k = 0; k < x->n; k += KERN_CHUNK) {
            size_t n_groups = x->n - k < KERN_CHUNK ? (x->n - k) / 32 : KERN_CHUNK / 32;
            struct chunk c;
            unpack(f, p, n_groups, &c);
            chunk_rows(f, &c, x, k, y + r, ldy, n_out - r < KERN_STRIP ? n_out - r : KERN_STRIP);
            p += kern_scales_bytes(f.scales, n_groups) + n_groups * 64 * (size_t)f.bits;
        }
    }
    tile_release();
}

static kern_gemm_fn *below[KERN_TYPE_COUNT]; /* the products of the level below; set once, before any is called */

#define X(T, bits, offset, scales, table) \
    static void gemm_##T(KERN_GEMM_ARGS) \
    { \
        const struct kern_pack_form f = {bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table}; \
        if (x->n_rows < ROWS) below[KERN_##T](w, row_bytes, n_out, x, y, ldy); \
        else gemm(f, w, row_bytes, n_out, x, y, ldy); \
    }
KERN_PACK_TABLE(X)
#undef X

void kern_amx_fill_int(struct kern_ops *ops)
{
#define X(T, ...) \
    below[KERN_##T] = ops->gemm_packed[KERN_##T]; \
    ops->gemm_packed[KERN_##T] = gemm_##T;
    KERN_PACK_TABLE(X)
#undef X
}
