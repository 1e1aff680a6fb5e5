/* Products of int8 activations with plain NEON (Armv8-A without the dot-product instructions): int_body.h with
 * multiplications to 16 bits. Two products of at most 128 * 127 fit there. */
#include <arm_neon.h>

static inline __attribute__((always_inline)) int32x4_t dot16(int8x16_t w, int8x16_t x)
{
    int16x8_t p = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    return vpaddlq_s16(vmlal_s8(p, vget_high_s8(w), vget_high_s8(x)));
}
#include "int_body.h"

void kern_neon_fill_int(struct kern_ops *ops) { int_fill(ops); }
