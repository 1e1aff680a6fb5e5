/* Products of int8 activations with packed weights (kern_pack.h), for any vector width.
 *
 * A register of VB bytes holds VB / 4 rows of a 64-byte vector; PARTS registers make a vector. A tile of a few
 * activation rows goes through a whole strip with its sums in registers: a group's eight vectors are unpacked once and
 * met by every row of the tile, four consecutive activations broadcast to all lanes. One mechanism from one row
 * (decoding, bound by reading the strip) to hundreds (a prompt, bound by the multiply-adds: unpacking is shared by
 * TILE rows, and the strip comes from the first- or second-level cache after the first tile).
 *
 *     y += d ( s * sum (q - offset) xq )        or        y += d ( s * sum q xq + m * sum xq )
 *
 * The including file defines a register of bytes vb, of int32 vi and of floats vf, and these:
 *     vb_load  vb_set  vb_and  vb_shl  vb_shr (by a constant below 8; bits cross bytes)  vb_pick(a, b, mask): a | b & mask
 *     vb_table(v)                          IQ4_NL's values plus 128, by index
 *     vi_set2(pair)                        two int16 in every lane
 *     vi_madd16(a, b)                      per lane the sum of two int16 products
 *     dots(acc, w, x, n, bits)             acc + the dot products of n vectors w of unsigned bytes below 2^bits with
 *                                          4 n int8 at x; for 8 bits w - SIGNED_OFFSET counts
 *     vf_* as in simd_*.h, vf_of(vi), vf_load_u8, vf_load_s8 (VB / 4 bytes to floats)
 *     STORE_PART(p, v, n)                  the first n floats of v */
#ifndef KERN_BODY_STRIP_H
#define KERN_BODY_STRIP_H

#include "kern_pack.h"
#include "levels.h"

enum { PARTS = 64 / VB, LANES = VB / 4 };

INLINE bool has_min(const struct kern_pack_form f) { return f.scales == KERN_SCALES_F16_MIN || f.scales == KERN_SCALES_K_MIN; }
INLINE bool has_halves(const struct kern_pack_form f) { return f.scales == KERN_SCALES_K_16; }

/* The eight vectors of the group at q, part `part`. */
INLINE void group_load(const struct kern_pack_form f, const uint8_t *q, int part, vb w[8])
{
    q += part * VB;
    if (f.bits == 8) {
#define STEP(v) w[v] = vb_load(q + 64 * (v));
        STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
        return;
    }
#define STEP(v)                                                 \
    {                                                           \
        vb both = vb_load(q + 64 * (v));                        \
        w[v] = vb_and(both, vb_set(15));                        \
        w[(v) + 4] = vb_and(vb_shr(both, 4), vb_set(15));       \
        if (f.table) {                                          \
            w[v] = vb_table(w[v]);                              \
            w[(v) + 4] = vb_table(w[(v) + 4]);                  \
        }                                                       \
    }
    STEP(0) STEP(1) STEP(2) STEP(3)
#undef STEP
    if (f.bits == 5) {
        vb h = vb_load(q + 256), bit = vb_set(16);
#define STEP(v) w[v] = vb_pick(w[v], (v) < 4 ? vb_shl(h, (v) < 4 ? 4 - (v) : 0) : vb_shr(h, (v) < 4 ? 0 : (v) - 4), bit);
        STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
#undef STEP
    } else if (f.bits == 6) {
        vb h[2] = {vb_load(q + 256), vb_load(q + 320)}, two = vb_set(0x30);
#define STEP(v) w[v] = vb_pick(w[v], vb_shl(h[(v) / 4], 4), two);
        STEP(0) STEP(4)
#undef STEP
#define STEP(v) w[v] = vb_pick(w[v], vb_shl(h[(v) / 4], 2), two);
        STEP(1) STEP(5)
#undef STEP
#define STEP(v) w[v] = vb_pick(w[v], h[(v) / 4], two);
        STEP(2) STEP(6)
#undef STEP
#define STEP(v) w[v] = vb_pick(w[v], vb_shr(h[(v) / 4], 2), two);
        STEP(3) STEP(7)
#undef STEP
    }
}

/* Scales of group b of the chunk whose scales are at p: s[0] (and s[1] for elements 16-31), m. */
INLINE void group_scales(const struct kern_pack_form f, const uint8_t *p, size_t b, int part, vf s[2], vf *m)
{
    const uint8_t *f16 = p + part * LANES * 2;
    switch (f.scales) {
    case KERN_SCALES_F16: s[0] = vf_load_f16(f16 + 32 * b); break;
    case KERN_SCALES_F16_MIN:
        s[0] = vf_load_f16(f16 + 64 * b);
        *m = vf_load_f16(f16 + 64 * b + 32);
        break;
    case KERN_SCALES_K_MIN:
        p += 64 + 32 * b + (size_t)part * LANES;
        s[0] = vf_mul(vf_load_f16(f16), vf_load_u8(p));
        *m = vf_mul(vf_sub(vf_set(0), vf_load_f16(f16 + 32)), vf_load_u8(p + 16));
        break;
    case KERN_SCALES_K_16:
        p += 64 + 32 * b + (size_t)part * LANES;
        s[0] = vf_mul(vf_load_f16(f16), vf_load_s8(p));
        s[1] = vf_mul(vf_load_f16(f16), vf_load_s8(p + 16));
        break;
    }
}

/* d sum(xq) of each group of a chunk of an activation row. */
INLINE void weigh_sums(const int16_t *sum16, const float *d, size_t n_groups, float out[8])
{
    for (size_t b = 0; b < n_groups; b++) out[b] = d[b] * (float)(sum16[2 * b] + sum16[2 * b + 1]);
}

/* -offset sum(xq) in every lane: both sums of the pair, or the one of this half. */
INLINE vi minus_offset(int offset, const int16_t *pair, bool both, int half)
{
    const uint32_t minus = (uint16_t)-offset;
    uint32_t two;
    memcpy(&two, pair, 4);
    return vi_madd16(vi_set(two), vi_set(both ? minus << 16 | minus : half ? minus << 16 : minus));
}

/* Activation rows [t0, t0 + nt) against one strip; nt is a constant where this is inlined. */
INLINE void strip_dot(const struct kern_pack_form f, const int nt, const uint8_t *strip, const struct kern_act *x,
                      size_t t0, float *y, size_t ldy, size_t n_rows)
{
    const int offset = f.bits == 8 || f.table ? SIGNED_OFFSET : f.offset, bits = f.table ? 8 : f.bits;
    const size_t n = x->n;
    const int8_t *q = x->q + t0 * n;
    const float *d = x->d + t0 * (n / 32);
    const int16_t *sum16 = x->sum16 + t0 * (n / 16);
    vf acc[TILE][PARTS];
    for (int t = 0; t < nt; t++)
        for (int p = 0; p < PARTS; p++) acc[t][p] = vf_set(0);
    for (size_t k = 0; k < n; k += KERN_CHUNK, q += KERN_CHUNK, d += 8, sum16 += 16) {
        const size_t n_groups = n - k < KERN_CHUNK ? (n - k) / 32 : 8;
        const uint8_t *quants = strip + kern_scales_bytes(f.scales, n_groups);
        float weighed[TILE][8];
        if (has_min(f))
            for (int t = 0; t < nt; t++) weigh_sums(sum16 + (size_t)t * (n / 16), d + (size_t)t * (n / 32), n_groups, weighed[t]);
        for (size_t b = 0; b < n_groups; b++, quants += 64 * f.bits) {
            if (nt == 1)
                for (int i = 0; i < f.bits; i++) vf_prefetch(quants + STRIP_AHEAD + 64 * i);
            for (int p = 0; p < PARTS; p++) {
                vb w[8];
                vf s[2], m;
                group_load(f, quants, p, w);
                group_scales(f, strip, b, p, s, &m);
                for (int t = 0; t < nt; t++) {
                    const int8_t *xq = q + (size_t)t * n + 32 * b;
                    const int16_t *pair = sum16 + (size_t)t * (n / 16) + 2 * b;
                    const vf dx = vf_set(d[(size_t)t * (n / 32) + b]);
                    if (has_halves(f)) {
                        vi lo = dots(minus_offset(offset, pair, false, 0), w, xq, 4, bits);
                        vi hi = dots(minus_offset(offset, pair, false, 1), w + 4, xq + 16, 4, bits);
                        vf v = vf_fma(vf_of(hi), s[1], vf_mul(vf_of(lo), s[0]));
                        acc[t][p] = vf_fma(v, dx, acc[t][p]);
                    } else {
                        vi dot = dots(offset ? minus_offset(offset, pair, true, 0) : vi_set(0), w, xq, 8, bits);
                        acc[t][p] = vf_fma(vf_of(dot), vf_mul(s[0], dx), acc[t][p]);
                        if (has_min(f)) acc[t][p] = vf_fma(m, vf_set(weighed[t][b]), acc[t][p]);
                    }
                }
            }
        }
        strip = quants;
    }
    for (int t = 0; t < nt; t++) {
        float *to = y + (t0 + (size_t)t) * ldy;
        for (size_t p = 0; p < PARTS && p * LANES < n_rows; p++) {
            if (n_rows - p * LANES >= LANES) vf_store(to + p * LANES, acc[t][p]);
            else vf_store_part(to + p * LANES, acc[t][p], n_rows - p * LANES);
        }
    }
}

/* Tiles of TILE rows, then 4, 2 and 1: the cost never rises much when a batch grows by one row. */
INLINE void gemm_strips(const struct kern_pack_form f, const uint8_t *w, size_t strip_bytes, size_t n_out,
                        const struct kern_act *x, float *y, size_t ldy)
{
    for (size_t r = 0; r < n_out; r += KERN_STRIP, w += strip_bytes) {
        size_t n_rows = n_out - r < KERN_STRIP ? n_out - r : KERN_STRIP, t = 0;
        for (; t + TILE <= x->n_rows; t += TILE) strip_dot(f, TILE, w, x, t, y + r, ldy, n_rows);
        if (TILE > 4 && t + 4 <= x->n_rows) strip_dot(f, 4 < TILE ? 4 : 1, w, x, t, y + r, ldy, n_rows), t += 4;
        if (TILE > 2 && t + 2 <= x->n_rows) strip_dot(f, 2, w, x, t, y + r, ldy, n_rows), t += 2;
        for (; t < x->n_rows; t++) strip_dot(f, 1, w, x, t, y + r, ldy, n_rows);
    }
}

#define X(T, bits, offset, scales, table)                                                                              \
    static void strips_##T(KERN_GEMM_ARGS)                                                                             \
    {                                                                                                                  \
        gemm_strips((struct kern_pack_form){bits, offset, KERN_SCALES_##scales, table}, w, row_bytes, n_out, x, y,     \
                    ldy);                                                                                              \
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
