/* Packed products with AVX-512 VNNI: body/strip.h where a register is a whole vector and vpdpbusd is its dot product,
 * with the broadcast of four activations folded into the instruction's memory operand. */
#include "simd_avx512.h"

typedef __m512i vb;
typedef __m512i vi;
enum { VB = 64, TILE = 8, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };

INLINE vb vb_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
INLINE vb vb_set(int a) { return _mm512_set1_epi8((char)a); }
INLINE vb vb_and(vb a, vb b) { return _mm512_and_si512(a, b); }
INLINE vb vb_shl(vb a, unsigned n) { return _mm512_slli_epi16(a, n); }
INLINE vb vb_shr(vb a, unsigned n) { return _mm512_srli_epi16(a, n); }
INLINE vb vb_pick(vb a, vb b, vb mask) { return _mm512_ternarylogic_epi32(a, b, mask, 0xf8); }
INLINE vb vb_table(vb v)
{
    const __m128i values = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, (char)129, (char)141, (char)153, (char)166,
                                         (char)181, (char)197, (char)217, (char)241);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(values), v);
}
INLINE vi vi_set(uint32_t a) { return _mm512_set1_epi32((int)a); }
INLINE vi vi_madd16(vi a, vi b) { return _mm512_madd_epi16(a, b); }
INLINE vf vf_of(vi v) { return _mm512_cvtepi32_ps(v); }
INLINE vf vf_load_u8(const uint8_t *p) { return vf_of(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p))); }
INLINE vf vf_load_s8(const uint8_t *p) { return vf_of(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }
INLINE void vf_store_part(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }

INLINE vi dots(vi acc, const vb *w, const int8_t *x, const int n, const int bits)
{
    for (int v = 0; v < n; v++) {
        int four;
        memcpy(&four, x + 4 * v, 4);
        acc = _mm512_dpbusd_epi32(acc, w[v], _mm512_set1_epi32(four));
    }
    return acc;
}

#include "body/strip.h"

void kern_vnni_fill_strips(struct kern_ops *ops) { strip_fill(ops); }
