/* Products of int8 activations with the dot-product instructions (Armv8.2-A): int_body.h with sdot. */
#include <arm_neon.h>

static inline __attribute__((always_inline)) int32x4_t dot16(int8x16_t w, int8x16_t x)
{
    return vdotq_s32(vdupq_n_s32(0), w, x);
}
#include "int_body.h"

void kern_dotprod_fill_int(struct kern_ops *ops) { int_fill(ops); }
