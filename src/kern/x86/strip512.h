/* The vectors of bytes and of int32 that body/strip.h is written in, in AVX-512. */
#ifndef KERN_X86_STRIP512_H
#define KERN_X86_STRIP512_H

#include "simd_avx512.h"
#include "strip_sums.h"

typedef __m512i vb;
typedef __m512i vi;

INLINE vb vb_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
INLINE void vb_store(uint8_t *p, vb v) { _mm512_storeu_si512(p, v); }
INLINE vb vb_set(int a) { return _mm512_set1_epi8((char)a); }
INLINE vb vb_and(vb a, vb b) { return _mm512_and_si512(a, b); }
INLINE vb vb_shl(vb a, unsigned n) { return _mm512_slli_epi16(a, n); }
INLINE vb vb_shr(vb a, unsigned n) { return _mm512_srli_epi16(a, n); }
INLINE vb vb_high4(vb a) { return vb_and(vb_shr(a, 4), vb_set(15)); }
INLINE vb vb_pick(vb a, vb b, vb mask) { return _mm512_ternarylogic_epi32(a, b, mask, 0xf8); }
INLINE vb vb_table(const uint8_t values[16], vb v)
{
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)values)), v);
}
INLINE vi vi_set(int a) { return _mm512_set1_epi32(a); }
INLINE vf vf_of(vi v) { return _mm512_cvtepi32_ps(v); }
INLINE vf vf_load_u8(const uint8_t *p) { return vf_of(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p))); }
INLINE vf vf_load_s8(const uint8_t *p) { return vf_of(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }
INLINE void vf_store_part(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }

/* Four activations in all lanes. */
INLINE vi vi_four(const int8_t *x, const int v)
{
    int four;
    memcpy(&four, x + 4 * v, 4);
    return vi_set(four);
}

#endif
