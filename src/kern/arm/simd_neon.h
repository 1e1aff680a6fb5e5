/* Vectors of four floats in NEON (Armv8-A), under the names that body/ is written in. */
#ifndef KERN_SIMD_NEON_H
#define KERN_SIMD_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
typedef float32x4_t vf;
enum { VF = 4, GEMM_ROWS = 4, GEMM_ACTS = 4 };     /* lanes; register tiles of 32 registers */
enum { ATTN_Q = 6, ATTN_STRIPS = 1, ATTN_V = 4 }; /* and of attention (body/attn.h) */

INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
INLINE vf vf_set(float a) { return vdupq_n_f32(a); }
INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); } /* a b + c */
INLINE vf vf_max(vf a, vf b) { return vmaxnmq_f32(a, b); }
INLINE vf vf_min(vf a, vf b) { return vminnmq_f32(a, b); }
INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
INLINE vf vf_with_sign(vf a, vf sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a); }
/* a > b ? x : y, lane by lane */
INLINE vf vf_if_gt(vf a, vf b, vf x, vf y) { return vbslq_f32(vcgtq_f32(a, b), x, y); }
INLINE vf vf_round(vf a) { return vrndnq_f32(a); }
INLINE vf vf_trunc(vf a) { return vrndq_f32(a); }
/* 2^n for whole n in [-126, 127] */
INLINE vf vf_pow2(vf n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
INLINE float vf_sum(vf v) { return vaddvq_f32(v); }
INLINE float vf_hmax(vf v) { return vmaxnmvq_f32(v); }
INLINE vf vf_load_f16(const void *p)
{
    float16x4_t h;
    memcpy(&h, p, 8);
    return vcvt_f32_f16(h);
}
INLINE void vf_store_f16(void *p, vf v)
{
    float16x4_t h = vcvt_f16_f32(v);
    memcpy(p, &h, 8);
}
INLINE vf vf_half(const void *p) /* one binary16 in every lane */
{
    float16_t h;
    memcpy(&h, p, 2);
    return vdupq_n_f32((float)h);
}
INLINE vf vf_load_bf16(const void *p)
{
    uint16x4_t h;
    memcpy(&h, p, 8);
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(h), 16));
}
INLINE vf vf_load_i8(const void *p)
{
    int8x8_t b = vdup_n_s8(0);
    memcpy(&b, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(b))));
}
INLINE void vf_store_i8(void *p, vf v) /* whole numbers in [-128, 127] */
{
    int16x4_t h = vmovn_s32(vcvtq_s32_f32(v));
    int8x8_t b = vmovn_s16(vcombine_s16(h, h));
    memcpy(p, &b, 4);
}
INLINE void vf_prefetch(const void *p) { __builtin_prefetch(p); }
INLINE void vf_prefetch_l2(const void *p) { __builtin_prefetch(p, 0, 2); }

#endif
