/* The vectors of bytes and of int32 that body/strip.h is written in, in NEON: a quarter of a vector to a register. */
#ifndef KERN_ARM_STRIP_ARM_H
#define KERN_ARM_STRIP_ARM_H

#include "plat_compiler.h"
#include "simd_neon.h"

typedef uint8x16_t vb;
typedef int32x4_t vi;
enum { VB = 16 };

INLINE vb vb_load(const uint8_t *p) { return vld1q_u8(p); }
INLINE void vb_store(uint8_t *p, vb v) { vst1q_u8(p, v); }
INLINE vb vb_set(int a) { return vdupq_n_u8((uint8_t)a); }
INLINE vb vb_and(vb a, vb b) { return vandq_u8(a, b); }
INLINE vb vb_shl(vb a, int n) { return a << vb_set(n); }
INLINE vb vb_shr(vb a, int n) { return a >> vb_set(n); }
INLINE vb vb_high4(vb a) { return vb_shr(a, 4); }
INLINE vb vb_pick(vb a, vb b, vb mask) { return vorrq_u8(a, vandq_u8(b, mask)); }
INLINE vb vb_table(const uint8_t values[16], vb v) { return vqtbl1q_u8(vld1q_u8(values), v); }
INLINE vi vi_set(int a) { return vdupq_n_s32(a); }
INLINE vf vf_of(vi v) { return vcvtq_f32_s32(v); }
INLINE vf vf_load_s8(const uint8_t *p) { return vf_load_i8(p); }
INLINE vf vf_load_u8(const uint8_t *p)
{
    uint8x8_t b = vdup_n_u8(0);
    memcpy(&b, p, 4);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(b))));
}
INLINE void vf_store_part(float *p, vf v, size_t n)
{
    float lanes[4];
    vf_store(lanes, v);
    memcpy(p, lanes, 4 * n);
}

INLINE int32x4_t pair_sums(const int16_t s[8], int even, int odd)
{
    int16x8x2_t v = {{vld1q_s16(s), vdupq_n_s16(0)}};
    v = vuzpq_s16(v.val[0], v.val[1]);
    return vmlaq_n_s32(vmulq_n_s32(vmovl_s16(vget_low_s16(v.val[0])), even), vmovl_s16(vget_low_s16(v.val[1])), odd);
}
INLINE void sums_of_pairs(const int16_t s[8], int even, int odd, int32_t y[4])
{
    vst1q_s32(y, pair_sums(s, even, odd));
}
INLINE void sums_weighed(const int16_t s[8], int even, int odd, const float d[4], float y[4])
{
    vst1q_f32(y, vmulq_f32(vld1q_f32(d), vcvtq_f32_s32(pair_sums(s, even, odd))));
}

INLINE int8x16_t as_signed(vb v) { return vreinterpretq_s8_u8(v); }

#include "body/strip_bytes.h"

/* Where an instruction takes signed weights only: those of eight bits less 128. */
INLINE void prepare_signed(const vb q[8], const int bits, vw w[8])
{
    PLAT_UNROLL for (int v = 0; v < 8; v++) w[v] = bits == 8 ? veorq_u8(q[v], vb_set(128)) : q[v];
}

#endif
