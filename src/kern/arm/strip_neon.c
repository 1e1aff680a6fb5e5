/* Packed products with plain NEON (Armv8-A without the dot-product instructions): body/strip.h with multiplications to
 * 16 bits, summed there while they cannot overflow (31 * 127 * 8, 63 * 127 * 4, 128 * 127 * 2 are below 32768). */
#include "strip_arm.h"

enum { WIDE = 2, TILE = 4, FEW = 4, FEW_HALVES = 4, FEW_TILE = 2,
       STRIP_BESIDE = 1, SIGNED_OFFSET = 0, STRIP_AHEAD = 2048 };
#define BESIDE(bits) 2
#define DOTS_OF_PAIRS(...) false
#define MAC_RUN(bits) ((bits) == 8 ? 2 : (bits) == 6 ? 4 : 8)

INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8]) { prepare_signed(q, bits, w); }

typedef int8x16_t vx;
INLINE vx vx_four(const int8_t *x, const int v, const int times)
{
    int32_t four;
    memcpy(&four, x + 4 * v, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

typedef struct {
    int16x8_t lo, hi; /* products with two rows each */
} vp;
INLINE vp mac_begin(vi dot) { return (vp){vdupq_n_s16(0), vdupq_n_s16(0)}; }
INLINE vp mac(vp h, vw w, vx x, const int bits, const bool first)
{
    int8x16_t a = as_signed(w);
    if (first) return (vp){vmull_s8(vget_low_s8(a), vget_low_s8(x)), vmull_high_s8(a, x)};
    return (vp){vmlal_s8(h.lo, vget_low_s8(a), vget_low_s8(x)), vmlal_high_s8(h.hi, a, x)};
}
INLINE vi mac_end(vi dot, vp h, const int bits)
{
    return vaddq_s32(dot, vpaddq_s32(vpaddlq_s16(h.lo), vpaddlq_s16(h.hi)));
}

#include "body/strip.h"

void kern_neon_fill_strips(struct kern_ops *ops) { strip_fill(ops); }
