/* Products of int8 activations with packed weights (kern_pack.h), for any vector width.
 *
 * A register of VB bytes holds VB / 4 rows of a 64-byte vector; PARTS registers make a vector. Few activation rows
 * (decoding) go through one strip with their sums in registers, which reading the strip bounds. For many (a prompt)
 * WIDE strips are unpacked to bytes and float scales, a chunk of 256 elements at a time, into a panel that stays in
 * the first-level cache and is met by all rows, TILE at a time; four activations broadcast to all lanes serve WIDE
 * strips.
 *
 *     y += d ( s * sum (q - offset) xq )        or        y += d ( s * sum q xq + m * sum xq )
 *
 * The including file defines registers of bytes vb, of int32 vi, of floats vf and of partial sums vp, what products
 * read as weights vw and as activations vx, and these:
 *     vb_load  vb_store  vb_set  vb_and  vb_shl  vb_shr (by a constant below 8; bits cross bytes)
 *     vb_high4(a)                          the hi nibble of every byte
 *     vb_pick(a, b, mask)                  a | b & mask
 *     vb_table(values, v)                  one of sixteen values by index
 *     vi_set(a)                            a in every lane
 *     sums_of_pairs(s, even, odd, y)       y[i] = even s[2i] + odd s[2i+1], int16 to int32, i < 4
 *     sums_weighed(s, even, odd, d, y)     y[i] = d[i] times that, in float
 *     prepare(nt, q, bits, w)              a group's vectors of bytes as the weights of nt rows (1, or more)
 *     vw_load(p, bits)  vw_store(p, w, bits)   VW_BYTES(bits), most for 8
 *     vx_four(x, v, n)                     four int8, the v-th of those at x, for every lane, to be read n times
 *     h = mac_begin(dot);  h = mac(h, w, x, bits, first) …;  dot = mac_end(dot, h, bits)
 *                                          dot += products of weights below 2^bits and activations, four to a lane,
 * for at most MAC_RUN(bits) vectors between begin and end: partial sums may be narrower than 32 bits. For 8 bits
 * w - SIGNED_OFFSET counts. Further vf_* as in simd_*.h, vf_of(vi), vf_load_u8, vf_load_s8 (VB / 4 bytes to floats),
 * vf_store_part, and the constants VB, WIDE, TILE, FEW and FEW_HALVES (rows that go without a panel; with a scale per
 * 16 elements unpacking costs more), FEW_TILE, STRIP_AHEAD (prefetch), and how many registers of weight rows are
 * multiplied side by side, as the number of registers allows: BESIDE(bits) of a panel, STRIP_BESIDE of a strip.
 * DOTS_OF_PAIRS(nt, nc, dot, w, from, n, x) is false, or, where an instruction takes two activation rows, does what
 * dots does and is true. */
#ifndef KERN_BODY_STRIP_H
#define KERN_BODY_STRIP_H

#include "body/strip_load.h"
#include "levels.h"

enum { PARTS = 64 / VB, MAX_NC = WIDE * PARTS, MAX_NT = TILE > FEW_TILE ? TILE : FEW_TILE };

/* What a chunk of an activation row adds to its products whatever the weights' quants are: -offset sum(xq) to the
 * integer sums, d sum(xq) as the factor of a minimum. */
struct sums {
    int32_t start[2][8]; /* of a group, or of its halves */
    float weighed[2][8];
};

INLINE void sums_load(const struct kern_pack_form f, const int offset, const int16_t *sum16, const float *d,
                      size_t n_groups, struct sums *o)
{
    const int halves = has_halves(f);
    size_t b = 0;
    for (; b + 4 <= n_groups; b += 4)
        for (int h = 0; h < 1 + halves; h++) {
            const int first = !halves || h == 0, second = !halves || h == 1;
            sums_of_pairs(sum16 + 2 * b, -offset * first, -offset * second, o->start[h] + b);
            if (has_min(f)) sums_weighed(sum16 + 2 * b, first, second, d + b, o->weighed[h] + b);
        }
    for (; b < n_groups; b++)
        for (int h = 0; h < 1 + halves; h++) {
            int sum = halves ? sum16[2 * b + (size_t)h] : sum16[2 * b] + sum16[2 * b + 1];
            o->start[h][b] = -offset * sum;
            if (has_min(f)) o->weighed[h][b] = d[b] * (float)sum;
        }
}

/* Of the unpacked bytes. */
INLINE int offset_of(const struct kern_pack_form f) { return f.offset == 128 ? SIGNED_OFFSET : f.offset; }
INLINE int bits_of(const struct kern_pack_form f) { return f.offset == 128 ? 8 : f.table ? 5 : f.bits; }

/* WIDE strips' chunk, unpacked: what group_load and group_scales give, in plain order. */
struct panel {
    _Alignas(64) uint8_t w[8 * 8 * MAX_NC * VW_BYTES(8)];
    _Alignas(64) float s[8][2][MAX_NC][LANES], m[8][2][MAX_NC][LANES];
};

/* Where the weights of vector v of group b begin in panel.w. */
INLINE size_t panel_at(const struct kern_pack_form f, size_t b, int v, int c)
{
    return ((b * 8 + (size_t)v) * MAX_NC + (size_t)c) * VW_BYTES(bits_of(f));
}

INLINE void panel_fill(const struct kern_pack_form f, const uint8_t *strip, size_t strip_bytes, size_t n_groups,
                       struct panel *o)
{
    const uint8_t *quants = strip + kern_scales_bytes(f.scales, n_groups);
    for (size_t b = 0; b < n_groups; b++, quants += 64 * f.bits) {
        PLAT_UNROLL for (int c = 0; c < MAX_NC; c++)
        {
            size_t skip = (size_t)(c / PARTS) * strip_bytes;
            vb q[8];
            vw w[8];
            vf s[2], m[2];
            group_load(f, quants + skip, c % PARTS, q);
            group_scales(f, strip + skip, b, c % PARTS, s, m);
            prepare(TILE, q, bits_of(f), w);
            PLAT_UNROLL for (int v = 0; v < 8; v++) vw_store(o->w + panel_at(f, b, v, c), w[v], bits_of(f));
            PLAT_UNROLL for (int h = 0; h < 1 + has_halves(f); h++) {
                vf_store(o->s[b][h][c], s[h]);
                if (has_min(f)) vf_store(o->m[b][h][c], m[h]);
            }
        }
    }
}

/* dot[t][c] += products of the vectors w[c][from … from + n) with as many fours of x[t]. */
INLINE void dots(const int nt, const int nc, vi dot[][MAX_NC], const vw w[][8], const int from, const int n,
                 const int8_t *const x[], const int bits)
{
    const int run = MAC_RUN(bits) < n ? MAC_RUN(bits) : n;
    PLAT_UNROLL for (int v0 = 0; v0 < n; v0 += run)
    {
        vp h[MAX_NT][MAX_NC];
        PLAT_UNROLL for (int t = 0; t < nt; t++) PLAT_UNROLL for (int c = 0; c < nc; c++) h[t][c] =
            mac_begin(dot[t][c]);
        PLAT_UNROLL for (int v = v0; v < v0 + run; v++)
        {
            PLAT_UNROLL for (int t = 0; t < nt; t++)
            {
                const vx four = vx_four(x[t], from + v, nc);
                PLAT_UNROLL for (int c = 0; c < nc; c++) h[t][c] =
                    mac(h[t][c], w[c][from + v], four, bits, v == v0);
            }
        }
        PLAT_UNROLL for (int t = 0; t < nt; t++) PLAT_UNROLL for (int c = 0; c < nc; c++) dot[t][c] =
            mac_end(dot[t][c], h[t][c], bits);
    }
}

/* Where a chunk's weights come from: a panel, or (NULL) the strip itself. */
struct source {
    const struct panel *panel;
    const uint8_t *scales, *quants;
};

/* nt activation rows of a chunk: their quants and scales in the chunk's group b = 0, and their sums. */
struct rows {
    const int8_t *q;
    const float *d;
    size_t n; /* quants between rows */
    struct sums sums[MAX_NT];
};

INLINE void rows_load(const struct kern_pack_form f, const int nt, const struct kern_act *x, size_t t0, size_t k,
                      size_t n_groups, struct rows *o)
{
    size_t at = t0 * x->n + k;
    o->q = x->q + at;
    o->d = x->d + at / 32;
    o->n = x->n;
    for (int t = 0; t < nt; t++, at += x->n)
        sums_load(f, offset_of(f), x->sum16 + at / 16, x->d + at / 32, n_groups, &o->sums[t]);
}

/* nt activation rows against registers c0 … c0 + nc of weight rows, group b of a chunk, added to acc. */
INLINE void group_dot(const struct kern_pack_form f, const int nt, const int c0, const int nc,
                      const struct source from, size_t b, const struct rows *x, vf acc[][MAX_NC])
{
    vw w[MAX_NC][8];
    vf s[MAX_NC][2], m[MAX_NC][2];
    const int8_t *q[MAX_NT];
    PLAT_UNROLL for (int c = 0; c < nc; c++)
    {
        if (from.panel) {
            PLAT_UNROLL for (int v = 0; v < 8; v++) w[c][v] =
                vw_load(from.panel->w + panel_at(f, b, v, c0 + c), bits_of(f));
            PLAT_UNROLL for (int h = 0; h < 1 + has_halves(f); h++) {
                s[c][h] = vf_load(from.panel->s[b][h][c0 + c]);
                if (has_min(f)) m[c][h] = vf_load(from.panel->m[b][h][c0 + c]);
            }
        } else {
            vb bytes[8];
            group_load(f, from.quants + 64 * f.bits * b, c0 + c, bytes);
            group_scales(f, from.scales, b, c0 + c, s[c], m[c]);
            prepare(nt, bytes, bits_of(f), w[c]);
        }
    }
    PLAT_UNROLL for (int t = 0; t < nt; t++)
    {
        q[t] = x->q + 32 * b + (size_t)t * x->n;
        PLAT_OPAQUE(q[t]);
    }
    PLAT_UNROLL for (int half = 0; half < 1 + has_halves(f); half++)
    {
        vi dot[MAX_NT][MAX_NC];
        PLAT_UNROLL for (int t = 0; t < nt; t++) PLAT_UNROLL for (int c = 0; c < nc; c++) dot[t][c] =
            vi_set(offset_of(f) ? x->sums[t].start[half][b] : 0);
        const int v0 = 4 * half, n = has_halves(f) ? 4 : 8;
        const bool pairs = (nt > 1 || from.panel) && DOTS_OF_PAIRS(nt, nc, dot, w, v0, n, q);
        if (!pairs) dots(nt, nc, dot, w, v0, n, q, bits_of(f));
        PLAT_UNROLL for (int t = 0; t < nt; t++)
        {
            vf dx = vf_set(x->d[(size_t)t * (x->n / 32) + b]);
            PLAT_UNROLL for (int c = 0; c < nc; c++)
            {
                acc[t][c] = vf_fma(vf_of(dot[t][c]), vf_mul(s[c][half], dx), acc[t][c]);
                if (has_min(f)) acc[t][c] = vf_fma(m[c][half], vf_set(x->sums[t].weighed[half][b]), acc[t][c]);
            }
        }
    }
}

/* The first n_rows floats of nc registers at p. */
INLINE void sums_store(float *p, const vf acc[], const int nc, size_t n_rows)
{
    PLAT_UNROLL for (size_t c = 0; c < (size_t)nc; c++)
    {
        if (n_rows >= (c + 1) * LANES)
            vf_store(p + c * LANES, acc[c]);
        else if (n_rows > c * LANES)
            vf_store_part(p + c * LANES, acc[c], n_rows - c * LANES);
    }
}

INLINE size_t groups_of(size_t n, size_t k) { return n - k < KERN_CHUNK ? (n - k) / 32 : 8; }

/* nt activation rows through one strip, STRIP_BESIDE registers at a time. */
INLINE void strip_dot(const struct kern_pack_form f, const int nt, const uint8_t *strip, const struct kern_act *x,
                      size_t t0, float *y, size_t ldy, size_t n_rows)
{
    vf acc[PARTS][MAX_NT][MAX_NC];
    PLAT_UNROLL for (int p = 0; p < PARTS; p += STRIP_BESIDE) PLAT_UNROLL for (int t = 0; t < nt; t++)
        PLAT_UNROLL for (int c = 0; c < STRIP_BESIDE; c++) acc[p][t][c] = vf_set(0);
    for (size_t k = 0; k < x->n; k += KERN_CHUNK) {
        struct rows rows;
        size_t n_groups = groups_of(x->n, k);
        struct source from = {.scales = strip, .quants = strip + kern_scales_bytes(f.scales, n_groups)};
        rows_load(f, nt, x, t0, k, n_groups, &rows);
        if (t0 == 0) /* later tiles find the strip in the cache */
            for (const uint8_t *p = from.scales; p < from.quants; p += 64) vf_prefetch(p + STRIP_AHEAD);
        for (size_t b = 0; b < n_groups; b++) {
            if (t0 == 0)
                for (int i = 0; i < f.bits; i++) vf_prefetch(from.quants + 64 * f.bits * b + STRIP_AHEAD + 64 * i);
            PLAT_UNROLL for (int p = 0; p < PARTS; p += STRIP_BESIDE)
                group_dot(f, nt, p, STRIP_BESIDE, from, b, &rows, acc[p]);
        }
        strip = from.quants + n_groups * 64 * (size_t)f.bits;
    }
    PLAT_UNROLL for (int p = 0; p < PARTS; p += STRIP_BESIDE) PLAT_UNROLL for (size_t t = 0; t < (size_t)nt; t++)
        if (n_rows > (size_t)(p * LANES))
            sums_store(y + (t0 + t) * ldy + p * LANES, acc[p][t], STRIP_BESIDE, n_rows - (size_t)(p * LANES));
}

/* nt activation rows against a panel, BESIDE registers at a time: y += (for the first chunk: =). */
INLINE void panel_dot(const struct kern_pack_form f, const int nt, const struct panel *p, size_t n_groups,
                      const struct kern_act *x, size_t t0, size_t k, float *y, size_t ldy)
{
    const int nc = BESIDE(bits_of(f));
    struct rows rows;
    rows_load(f, nt, x, t0, k, n_groups, &rows);
    y += t0 * ldy;
    for (int c0 = 0; c0 < MAX_NC; c0 += nc, y += nc * LANES) {
        vf acc[MAX_NT][MAX_NC];
        PLAT_UNROLL for (int t = 0; t < nt; t++) PLAT_UNROLL for (int c = 0; c < nc; c++) acc[t][c] =
            k ? vf_load(y + (size_t)t * ldy + c * LANES) : vf_set(0);
        for (size_t b = 0; b < n_groups; b++) group_dot(f, nt, c0, nc, (struct source){p, NULL, NULL}, b, &rows, acc);
        PLAT_UNROLL for (int t = 0; t < nt; t++) sums_store(y + (size_t)t * ldy, acc[t], nc, (size_t)(nc * LANES));
    }
}

/* All activation rows against WIDE whole strips. */
INLINE void panels(const struct kern_pack_form f, const uint8_t *strip, size_t strip_bytes, const struct kern_act *x,
                   float *y, size_t ldy)
{
    struct panel p;
    for (size_t k = 0; k < x->n; k += KERN_CHUNK) {
        size_t n_groups = groups_of(x->n, k), t = 0;
        panel_fill(f, strip, strip_bytes, n_groups, &p);
        for (; t + TILE <= x->n_rows; t += TILE) panel_dot(f, TILE, &p, n_groups, x, t, k, y, ldy);
        if (TILE > 3 && x->n_rows - t >= 3) panel_dot(f, 3, &p, n_groups, x, t, k, y, ldy), t += 3;
        if (TILE > 2 && x->n_rows - t >= 2) panel_dot(f, 2, &p, n_groups, x, t, k, y, ldy), t += 2;
        for (; t < x->n_rows; t++) panel_dot(f, 1, &p, n_groups, x, t, k, y, ldy);
        strip += kern_scales_bytes(f.scales, n_groups) + n_groups * 64 * (size_t)f.bits;
    }
}

/* Rows that are few, and strips that are left over, go strip by strip in tiles of FEW_TILE, then one by one. */
INLINE void gemm_strips(const struct kern_pack_form f, const uint8_t *w, size_t strip_bytes, size_t n_out,
                        const struct kern_act *x, float *y, size_t ldy)
{
    const size_t wide = WIDE * KERN_STRIP, few = has_halves(f) ? FEW_HALVES : FEW;
    for (size_t r = 0; r < n_out;) {
        if (x->n_rows > few && r + wide <= n_out) {
            panels(f, w, strip_bytes, x, y + r, ldy);
            r += wide, w += WIDE * strip_bytes;
            continue;
        }
        size_t n_rows = n_out - r < KERN_STRIP ? n_out - r : KERN_STRIP, t = 0;
        for (; t + FEW_TILE <= x->n_rows; t += FEW_TILE) strip_dot(f, FEW_TILE, w, x, t, y + r, ldy, n_rows);
        if (FEW_TILE > 3 && x->n_rows - t >= 3) strip_dot(f, 3, w, x, t, y + r, ldy, n_rows), t += 3;
        for (; t + 2 <= x->n_rows; t += 2) strip_dot(f, 2, w, x, t, y + r, ldy, n_rows);
        for (; t < x->n_rows; t++) strip_dot(f, 1, w, x, t, y + r, ldy, n_rows);
        r += KERN_STRIP, w += strip_bytes;
    }
}

#define X(T, bits, offset, scales, table)                                                                            \
    static void strips_##T(KERN_GEMM_ARGS)                                                                           \
    {                                                                                                                \
        gemm_strips((struct kern_pack_form){bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table}, w, row_bytes,   \
                    n_out, x, y, ldy);                                                                               \
    }
KERN_PACK_TABLE(X)
#undef X

INLINE void strip_fill(struct kern_ops *ops)
{
#define X(T, ...) ops->gemm_packed[KERN_##T] = strips_##T;
    KERN_PACK_TABLE(X)
#undef X
}

#endif
