/* Reading packed weights (kern_pack.h): a group's quants as bytes and its scales as floats, for any vector width. A
 * register of VB bytes holds LANES rows of a 64-byte vector, four elements of each. The including file defines VB,
 * vb and vf as body/strip.h says. */
#ifndef KERN_BODY_STRIP_LOAD_H
#define KERN_BODY_STRIP_LOAD_H

#include "kern_pack.h"
#include "plat_compiler.h"

enum { LANES = VB / 4 };

INLINE bool has_min(const struct kern_pack_form f)
{
    return f.scales == KERN_SCALES_F16_MIN || f.scales == KERN_SCALES_K_32_MIN || f.scales == KERN_SCALES_K_16_MIN;
}
INLINE bool has_halves(const struct kern_pack_form f)
{
    return f.scales == KERN_SCALES_K_16 || f.scales == KERN_SCALES_K_16_MIN;
}

static const uint8_t strip_tables[][16] = {
    [KERN_TABLE_IQ4] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241},
    [KERN_TABLE_MXFP4] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0},
};

/* Bits move to the left, or by less than nothing to the right. */
INLINE vb move(vb v, const int by) { return by > 0 ? vb_shl(v, by) : by < 0 ? vb_shr(v, -by) : v; }

/* The eight vectors of the group at q, part `part`. */
INLINE void group_load(const struct kern_pack_form f, const uint8_t *q, int part, vb w[8])
{
    q += part * VB;
    if (f.bits == 8) {
        PLAT_UNROLL for (int v = 0; v < 8; v++) w[v] = vb_load(q + 64 * v);
        return;
    }
    const bool nibbles = f.bits >= 4, pairs = f.bits == 2 || f.bits == 3 || f.bits == 6;
    const uint8_t *high = nibbles ? q + 256 : q;
    if (nibbles)
        PLAT_UNROLL for (int v = 0; v < 4; v++) {
            vb both = vb_load(q + 64 * v);
            w[v] = vb_and(both, vb_set(15));
            w[v + 4] = vb_high4(both);
        }
    if (f.table)
        PLAT_UNROLL for (int v = 0; v < 8; v++) w[v] = vb_table(strip_tables[f.table], w[v]);
    if (pairs)
        PLAT_UNROLL for (int v = 0; v < 8; v++) {
            const int to = nibbles ? 4 : 0;
            vb two = move(vb_load(high + v / 4 * 64), to - v % 4 * 2);
            w[v] = nibbles ? vb_pick(w[v], two, vb_set(3 << to)) : vb_and(two, vb_set(3));
        }
    if (f.bits == 3 || f.bits == 5) {
        const int to = nibbles ? 4 : 2;
        const vb one = vb_load(high + (pairs ? 128 : 0));
        PLAT_UNROLL for (int v = 0; v < 8; v++) w[v] = vb_pick(w[v], move(one, to - v), vb_set(1 << to));
    }
}

/* 2^(e - 128) for bytes e, in two factors: below e = 2 it is subnormal. */
INLINE vf vf_load_e8m0(const uint8_t *p)
{
    vf e = vf_sub(vf_load_u8(p), vf_set(128)), normal = vf_max(e, vf_set(-126));
    return vf_mul(vf_pow2(normal), vf_pow2(vf_sub(e, normal)));
}

/* Scales (and minima) of group b of the chunk whose scales are at p: [0], and [1] for elements 16-31 with halves. */
INLINE void group_scales(const struct kern_pack_form f, const uint8_t *p, size_t b, int part, vf s[2], vf m[2])
{
    const uint8_t *f16 = p + part * LANES * 2;
    const size_t at = (size_t)part * LANES;
    switch (f.scales) {
    case KERN_SCALES_F16: s[0] = vf_load_f16(f16 + 32 * b); break;
    case KERN_SCALES_F16_MIN:
        s[0] = vf_load_f16(f16 + 64 * b);
        m[0] = vf_load_f16(f16 + 64 * b + 32);
        break;
    case KERN_SCALES_E8M0: s[0] = vf_load_e8m0(p + 16 * b + at); break;
    case KERN_SCALES_K_32: s[0] = vf_mul(vf_load_f16(f16), vf_load_s8(p + 64 + 16 * b + at)); break;
    case KERN_SCALES_K_32_MIN:
        s[0] = vf_mul(vf_load_f16(f16), vf_load_u8(p + 64 + 32 * b + at));
        m[0] = vf_mul(vf_sub(vf_set(0), vf_load_f16(f16 + 32)), vf_load_u8(p + 80 + 32 * b + at));
        break;
    case KERN_SCALES_K_16:
        s[0] = vf_mul(vf_load_f16(f16), vf_load_s8(p + 64 + 32 * b + at));
        s[1] = vf_mul(vf_load_f16(f16), vf_load_s8(p + 80 + 32 * b + at));
        break;
    case KERN_SCALES_K_16_MIN:
        PLAT_UNROLL for (int h = 0; h < 2; h++) {
            vf both = vf_load_u8(p + 64 + 32 * b + 16 * (size_t)h + at);
            vf min = vf_trunc(vf_mul(both, vf_set(1.0f / 16))), scale = vf_fma(min, vf_set(-16), both);
            s[h] = vf_mul(vf_load_f16(f16), scale);
            m[h] = vf_mul(vf_sub(vf_set(0), vf_load_f16(f16 + 32)), min);
        }
        break;
    }
}

#endif
