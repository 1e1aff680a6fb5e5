/* Packed products with AVX-512 VNNI: body/strip.h where a register is a whole vector and vpdpbusd is its dot product,
 * with the broadcast of four activations folded into the instruction's memory operand. */
#include "simd_avx512.h"

typedef __m512i vb;
typedef __m512i vi;
enum { VB = 64, WIDE = 2, TILE = 4, FEW = 20, FEW_TILE = 4, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };


INLINE vb vb_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
INLINE void vb_store(uint8_t *p, vb v) { _mm512_storeu_si512(p, v); }
INLINE vb vb_set(int a) { return _mm512_set1_epi8((char)a); }
INLINE vb vb_and(vb a, vb b) { return _mm512_and_si512(a, b); }
INLINE vb vb_shl(vb a, unsigned n) { return _mm512_slli_epi16(a, n); }
INLINE vb vb_shr(vb a, unsigned n) { return _mm512_srli_epi16(a, n); }
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

#define MAC_RUN(bits) 8
INLINE vi vi_four(const int8_t *x)
{
    int four;
    memcpy(&four, x, 4);
    return vi_set(four);
}
INLINE vi mac_begin(vi dot) { return dot; }
INLINE vi mac(vi h, vb w, vi x, int bits) { return _mm512_dpbusd_epi32(h, w, x); }
INLINE vi mac_end(vi dot, vi h) { return h; }

#include "body/strip.h"

/* vpdpbusd in twelve independent chains: 64 multiply-adds each (see body/peak.h). */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 12 };
    __m512i acc[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_set1_epi32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
    for (int k = 1; k < CHAINS; k++) acc[0] = _mm512_xor_si512(acc[0], acc[k]);
    return rounds * CHAINS * 64 * 2 + (_mm512_reduce_add_epi32(acc[0]) == 12345);
}

void kern_vnni_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
