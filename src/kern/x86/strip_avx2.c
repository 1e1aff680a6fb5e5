/* Packed products with AVX2: body/strip.h with half a vector to a register. */
#include "plat_compiler.h"
#include "simd_avx2.h"
#include "strip_sums.h"

typedef __m256i vb;
typedef __m256i vi;
enum { VB = 32, WIDE = 4, TILE = 4, FEW = 4, FEW_HALVES = 4, FEW_TILE = 2,
       STRIP_BESIDE = 1, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };
#define BESIDE(bits) ((bits) == 8 ? 1 : 2)

INLINE vb vb_load(const uint8_t *p) { return _mm256_loadu_si256((const void *)p); }
INLINE void vb_store(uint8_t *p, vb v) { _mm256_storeu_si256((void *)p, v); }
INLINE vb vb_set(int a) { return _mm256_set1_epi8((char)a); }
INLINE vb vb_and(vb a, vb b) { return _mm256_and_si256(a, b); }
INLINE vb vb_shl(vb a, unsigned n) { return _mm256_slli_epi16(a, (int)n); }
INLINE vb vb_shr(vb a, unsigned n) { return _mm256_srli_epi16(a, (int)n); }
INLINE vb vb_high4(vb a) { return vb_and(vb_shr(a, 4), vb_set(15)); }
INLINE vb vb_pick(vb a, vb b, vb mask) { return _mm256_or_si256(a, _mm256_and_si256(b, mask)); }
INLINE vb vb_table(const uint8_t values[16], vb v)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)values)), v);
}
INLINE vi vi_set(int a) { return _mm256_set1_epi32(a); }
INLINE vf vf_of(vi v) { return _mm256_cvtepi32_ps(v); }
INLINE vf vf_load_u8(const uint8_t *p) { return vf_of(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p))); }
INLINE vf vf_load_s8(const uint8_t *p) { return vf_load_i8(p); }
INLINE void vf_store_part(float *p, vf v, size_t n)
{
    float lanes[8];
    vf_store(lanes, v);
    memcpy(p, lanes, 4 * n);
}

typedef vi vx;
INLINE vx vx_four(const int8_t *x, const int v, const int times)
{
    int four;
    memcpy(&four, x + 4 * v, 4);
    return vi_set(four);
}
INLINE vb vb_pairs(vb w, vi x) { return _mm256_maddubs_epi16(w, x); }
INLINE vb vb_add16(vb a, vb b) { return _mm256_add_epi16(a, b); }
INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INLINE vi vi_widen(vb v, int by) { return _mm256_madd_epi16(v, _mm256_set1_epi16((short)by)); }

#include "strip_pairs.h"

#include "body/strip.h"

void kern_avx2_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
