/* Block formats in AVX2: 256 elements of a row ("chunk") as eight registers of 32 quants and their scales.
 *
 * For each type two functions: quant_T(p, b) gives elements 32b … 32b+31 of the chunk at p, and scale_T(p, s, m) the
 * scales. A chunk is eight blocks of a 32-element type or one block of a 256-element type. The quants are unsigned
 * with an offset that TRAITS names (x = s (q - offset)), or with a minimum (x = s q + m), or signed.
 * Scales: types with a scale per 32 fill s[0] with eight, types with one per 16 fill s[0] and s[1] with sixteen.
 * b is a constant wherever these are inlined. Layouts: ../ref/block.c. Included by files compiled with AVX2 or more. */
#ifndef KERN_LOAD256_H
#define KERN_LOAD256_H

#include "kern_type.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

struct traits {
    bool is_signed;     /* quants are int8 */
    int offset;         /* unsigned quants: subtract this */
    bool per16, min;    /* a scale per 16 elements; a minimum */
    int max;            /* largest unsigned quant */
    size_t chunk_bytes; /* of 256 elements */
};

typedef __m256i quant_fn(const uint8_t *p, int b);
typedef void scale_fn(const uint8_t *p, __m256 s[2], __m256 m[2]);

/*       type    signed offset per16 min  max  chunk bytes */
#define INT_TYPES(X)                                       \
    X(Q4_0,   false,  8, false, false, 15, 8 * 18)         \
    X(Q4_1,   false,  0, false, true,  15, 8 * 20)         \
    X(Q5_0,   false, 16, false, false, 31, 8 * 22)         \
    X(Q5_1,   false,  0, false, true,  31, 8 * 24)         \
    X(Q8_0,   true,   0, false, false,  0, 8 * 34)         \
    X(Q2_K,   false,  0, true,  true,   3, 84)             \
    X(Q3_K,   false,  4, true,  false,  7, 110)            \
    X(Q4_K,   false,  0, false, true,  15, 144)            \
    X(Q5_K,   false,  0, false, true,  31, 176)            \
    X(Q6_K,   false, 32, true,  false, 63, 210)            \
    X(IQ4_NL, true,   0, false, false,  0, 8 * 18)         \
    X(IQ4_XS, true,   0, false, false,  0, 136)            \
    X(MXFP4,  false, 12, false, false, 24, 8 * 17)

INLINE __m256i load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
INLINE __m128i load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
INLINE __m256i and8(__m256i v, int mask) { return _mm256_and_si256(v, _mm256_set1_epi8((char)mask)); }
INLINE uint32_t load_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
INLINE float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _cvtsh_ss(h);
}

/* lo nibbles of 16 bytes in the lower half, hi nibbles in the upper */
INLINE __m256i nibbles(const uint8_t *p)
{
    __m128i v = load16(p);
    return and8(_mm256_inserti128_si256(_mm256_castsi128_si256(v), _mm_srli_epi16(v, 4), 1), 15);
}

/* Eight binary16 numbers `stride` bytes apart. */
INLINE __m256 halves(const uint8_t *p, size_t stride)
{
    uint16_t h[8];
    for (int i = 0; i < 8; i++) memcpy(&h[i], p + (size_t)i * stride, 2);
    return _mm256_cvtph_ps(_mm_setr_epi16((short)h[0], (short)h[1], (short)h[2], (short)h[3], (short)h[4],
                                          (short)h[5], (short)h[6], (short)h[7]));
}

/* Bit i of the 32-bit word at p, as 0x10 in byte i. */
INLINE __m256i fifth_bits(const uint8_t *p)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                            2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    __m256i v = _mm256_shuffle_epi8(_mm256_set1_epi32((int)load_u32(p)), spread);
    return and8(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit), 16);
}

INLINE __m256 bytes_to_floats_u(__m128i v) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v)); }
INLINE __m256 bytes_to_floats_s(__m128i v) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)); }

INLINE __m256i quant_Q4_0(const uint8_t *p, int b) { return nibbles(p + b * 18 + 2); }
INLINE void scale_Q4_0(const uint8_t *p, __m256 s[2], __m256 m[2]) { s[0] = halves(p, 18); }

INLINE __m256i quant_Q4_1(const uint8_t *p, int b) { return nibbles(p + b * 20 + 4); }
INLINE void scale_Q4_1(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    s[0] = halves(p, 20);
    m[0] = halves(p + 2, 20);
}

INLINE __m256i quant_Q5_0(const uint8_t *p, int b)
{
    return _mm256_or_si256(nibbles(p + b * 22 + 6), fifth_bits(p + b * 22 + 2));
}
INLINE void scale_Q5_0(const uint8_t *p, __m256 s[2], __m256 m[2]) { s[0] = halves(p, 22); }

INLINE __m256i quant_Q5_1(const uint8_t *p, int b)
{
    return _mm256_or_si256(nibbles(p + b * 24 + 8), fifth_bits(p + b * 24 + 4));
}
INLINE void scale_Q5_1(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    s[0] = halves(p, 24);
    m[0] = halves(p + 2, 24);
}

INLINE __m256i quant_Q8_0(const uint8_t *p, int b) { return load32(p + b * 34 + 2); }
INLINE void scale_Q8_0(const uint8_t *p, __m256 s[2], __m256 m[2]) { s[0] = halves(p, 34); }

INLINE __m256i quant_Q2_K(const uint8_t *p, int b)
{
    return and8(_mm256_srli_epi16(load32(p + 16 + b / 4 * 32), b % 4 * 2), 3);
}
INLINE void scale_Q2_K(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    __m128i v = load16(p), lo = _mm_and_si128(v, _mm_set1_epi8(15));
    __m128i hi = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
    __m256 d = _mm256_set1_ps(half_at(p + 80)), dmin = _mm256_set1_ps(-half_at(p + 82));
    s[0] = _mm256_mul_ps(d, bytes_to_floats_u(lo));
    s[1] = _mm256_mul_ps(d, bytes_to_floats_u(_mm_srli_si128(lo, 8)));
    m[0] = _mm256_mul_ps(dmin, bytes_to_floats_u(hi));
    m[1] = _mm256_mul_ps(dmin, bytes_to_floats_u(_mm_srli_si128(hi, 8)));
}

/* The third bit is moved from bit b of its byte to bit 2. */
INLINE __m256i quant_Q3_K(const uint8_t *p, int b)
{
    __m256i low = and8(_mm256_srli_epi16(load32(p + 32 + b / 4 * 32), b % 4 * 2), 3), high = load32(p);
    high = b < 2 ? _mm256_slli_epi16(high, b < 2 ? 2 - b : 0) : _mm256_srli_epi16(high, b < 2 ? 0 : b - 2);
    return _mm256_or_si256(low, and8(high, 4));
}
INLINE void scale_Q3_K(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    const uint32_t two = 0x03030303, four = 0x0f0f0f0f;
    uint32_t a0 = load_u32(p + 96), a1 = load_u32(p + 100), h = load_u32(p + 104);
    __m128i v = _mm_setr_epi32((int)((a0 & four) | (h & two) << 4), (int)((a1 & four) | (h >> 2 & two) << 4),
                               (int)((a0 >> 4 & four) | (h >> 4 & two) << 4),
                               (int)((a1 >> 4 & four) | (h >> 6 & two) << 4));
    __m256 d = _mm256_set1_ps(half_at(p + 108));
    v = _mm_sub_epi8(v, _mm_set1_epi8(32));
    s[0] = _mm256_mul_ps(d, bytes_to_floats_s(v));
    s[1] = _mm256_mul_ps(d, bytes_to_floats_s(_mm_srli_si128(v, 8)));
}

/* The 6-bit scales and minima of Q4_K and Q5_K, four bytes at a time. */
INLINE void scale_k4(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    const uint32_t two = 0x03030303, four = 0x0f0f0f0f, six = 0x3f3f3f3f;
    uint32_t a0 = load_u32(p + 4), a1 = load_u32(p + 8), a2 = load_u32(p + 12);
    uint64_t sc = (a0 & six) | (uint64_t)((a2 & four) | (a0 >> 6 & two) << 4) << 32;
    uint64_t mn = (a1 & six) | (uint64_t)((a2 >> 4 & four) | (a1 >> 6 & two) << 4) << 32;
    s[0] = _mm256_mul_ps(_mm256_set1_ps(half_at(p)), bytes_to_floats_u(_mm_cvtsi64_si128((long long)sc)));
    m[0] = _mm256_mul_ps(_mm256_set1_ps(-half_at(p + 2)), bytes_to_floats_u(_mm_cvtsi64_si128((long long)mn)));
}

INLINE __m256i quant_Q4_K(const uint8_t *p, int b)
{
    return and8(_mm256_srli_epi16(load32(p + 16 + b / 2 * 32), b % 2 * 4), 15);
}
INLINE void scale_Q4_K(const uint8_t *p, __m256 s[2], __m256 m[2]) { scale_k4(p, s, m); }

INLINE __m256i quant_Q5_K(const uint8_t *p, int b)
{
    __m256i low = and8(_mm256_srli_epi16(load32(p + 48 + b / 2 * 32), b % 2 * 4), 15), high = load32(p + 16);
    high = b < 4 ? _mm256_slli_epi16(high, b < 4 ? 4 - b : 0) : _mm256_srli_epi16(high, b < 4 ? 0 : b - 4);
    return _mm256_or_si256(low, and8(high, 16));
}
INLINE void scale_Q5_K(const uint8_t *p, __m256 s[2], __m256 m[2]) { scale_k4(p, s, m); }

INLINE __m256i quant_Q6_K(const uint8_t *p, int b)
{
    int k = b % 4; /* the two high bits, from 2k to 4 */
    __m256i low = and8(_mm256_srli_epi16(load32(p + b / 4 * 64 + k % 2 * 32), k / 2 * 4), 15);
    __m256i high = load32(p + 128 + b / 4 * 32);
    high = k < 2 ? _mm256_slli_epi16(high, k < 2 ? 4 - 2 * k : 0) : _mm256_srli_epi16(high, k < 2 ? 0 : 2 * k - 4);
    return _mm256_or_si256(low, and8(high, 0x30));
}
INLINE void scale_Q6_K(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    __m256 d = _mm256_set1_ps(half_at(p + 208));
    __m128i v = load16(p + 192);
    s[0] = _mm256_mul_ps(d, bytes_to_floats_s(v));
    s[1] = _mm256_mul_ps(d, bytes_to_floats_s(_mm_srli_si128(v, 8)));
}

INLINE __m256i iq4_values(__m256i index)
{
    const __m256i v = _mm256_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
                                       -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    return _mm256_shuffle_epi8(v, index);
}
INLINE __m256i quant_IQ4_NL(const uint8_t *p, int b) { return iq4_values(nibbles(p + b * 18 + 2)); }
INLINE void scale_IQ4_NL(const uint8_t *p, __m256 s[2], __m256 m[2]) { s[0] = halves(p, 18); }

INLINE __m256i quant_IQ4_XS(const uint8_t *p, int b) { return iq4_values(nibbles(p + 8 + b * 16)); }
INLINE void scale_IQ4_XS(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    const __m256i by4 = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    const __m256i by2 = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    uint32_t high = load_u32(p) >> 16;
    __m256i lo = _mm256_srlv_epi32(_mm256_set1_epi32((int)load_u32(p + 4)), by4);
    lo = _mm256_and_si256(lo, _mm256_set1_epi32(15));
    __m256i hi = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)high), by2), _mm256_set1_epi32(3));
    __m256i sc = _mm256_sub_epi32(_mm256_or_si256(lo, _mm256_slli_epi32(hi, 4)), _mm256_set1_epi32(32));
    s[0] = _mm256_mul_ps(_mm256_set1_ps(half_at(p)), _mm256_cvtepi32_ps(sc));
}

/* Twice the FP4 values, plus 12 to be unsigned. */
INLINE __m256i quant_MXFP4(const uint8_t *p, int b)
{
    const __m256i v = _mm256_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0,
                                       12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    return _mm256_shuffle_epi8(v, nibbles(p + b * 17 + 1));
}
INLINE void scale_MXFP4(const uint8_t *p, __m256 s[2], __m256 m[2])
{
    __m256i e = _mm256_setr_epi32(p[0], p[17], p[34], p[51], p[68], p[85], p[102], p[119]);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    __m256i is_tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
    s[0] = _mm256_castsi256_ps(_mm256_blendv_epi8(normal, tiny, is_tiny));
}

#endif
