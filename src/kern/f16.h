/* Half floats, one value at a time, in plain C. `static inline` on purpose: a file compiled for AVX2 gets its own copy
 * and never lends one to a common object.
 *
 *   binary16   s eeeee mmmmmmmmmm      bias 15, subnormals, infinities
 *   bfloat16   the upper half of a binary32 */
#ifndef KERN_F16_H
#define KERN_F16_H

#include <stdint.h>
#include <string.h>

static inline float f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint32_t f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float f16_to_f32_one(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, mag = h & 0x7fffu;
    if (mag >= 0x7c00) return f32_from_bits(sign | 0x7f800000u | (mag & 0x3ff) << 13); /* infinity, NaN */
    if (mag >= 0x0400) return f32_from_bits(sign | ((mag << 13) + 0x38000000u));       /* rebias 15 to 127 */
    float sub = (float)mag * 0x1p-24f;
    return sign ? -sub : sub;
}

/* Round to nearest, ties to even; overflow gives infinity. */
static inline uint16_t f16_from_f32_one(float f)
{
    uint32_t u = f32_bits(f), sign = u >> 16 & 0x8000, mag = u & 0x7fffffffu;
    if (mag > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (mag >> 13 & 0x3ff)); /* quiet NaN, payload kept */
    if (mag >= 0x477ff000u) return (uint16_t)(sign | 0x7c00);       /* rounds to 65536 or more */
    if (mag < 0x38800000u) {                                        /* subnormal: let the adder do the rounding */
        float t = f32_from_bits(mag) + 0.5f;                        /* 0.5 has an ulp of 2^-24 */
        return (uint16_t)(sign | (f32_bits(t) - 0x3f000000u));
    }
    uint32_t round = 0xfff + (mag >> 13 & 1);
    return (uint16_t)(sign | ((mag + round - 0x38000000u) >> 13));
}

static inline float bf16_to_f32_one(uint16_t h) { return f32_from_bits((uint32_t)h << 16); }

/* Round to nearest, ties to even; subnormal numbers become zero, as CPUs convert them. */
static inline uint16_t bf16_from_f32_one(float f)
{
    uint32_t u = f32_bits(f), mag = u & 0x7fffffffu;
    if (mag > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40); /* quiet NaN */
    if (mag < 0x00800000u) return (uint16_t)(u >> 16 & 0x8000);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline uint16_t load_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

static inline float load_f16(const void *p) { return f16_to_f32_one(load_u16(p)); }

/* Round half away from zero for |v| < 2^23: the constant is the largest float below one half, so that
 * 0.49999997 does not become 1. Every level computes exactly this. */
static inline int round_away(float v)
{
    const float h = f32_from_bits(0x3effffffu);
    return (int)(v < 0 ? v - h : v + h);
}

#endif
