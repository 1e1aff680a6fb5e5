/* Sums of activations for body/strip.h, four groups at a time, on each x86 level. The including file defines INLINE. */
#ifndef KERN_X86_STRIP_SUMS_H
#define KERN_X86_STRIP_SUMS_H

INLINE __m128i pair_sums(const int16_t s[8], int even, int odd)
{
    __m128i by = _mm_set1_epi32((int)((uint32_t)odd << 16 | (uint16_t)even));
    return _mm_madd_epi16(_mm_loadu_si128((const void *)s), by);
}
INLINE void sums_of_pairs(const int16_t s[8], int even, int odd, int32_t y[4])
{
    _mm_storeu_si128((void *)y, pair_sums(s, even, odd));
}
INLINE void sums_weighed(const int16_t s[8], int even, int odd, const float d[4], float y[4])
{
    _mm_storeu_ps(y, _mm_mul_ps(_mm_loadu_ps(d), _mm_cvtepi32_ps(pair_sums(s, even, odd))));
}

#endif
