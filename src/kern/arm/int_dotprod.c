/* Products of int8 activations with the dot-product instructions (Armv8.2-A): int_body.h with sdot. */
#include <arm_neon.h>

static inline __attribute__((always_inline)) int32x4_t dot16(int8x16_t w, int8x16_t x)
{
    return vdotq_s32(vdupq_n_s32(0), w, x);
}
#include "int_body.h"

/* sdot in twelve independent chains: 16 multiply-adds each (see body/peak.h). */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 12 };
    int32x4_t acc[CHAINS], sum = vdupq_n_s32(0);
    int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
    for (int k = 0; k < CHAINS; k++) acc[k] = vdupq_n_s32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = vdotq_s32(acc[k], a, b);
    for (int k = 0; k < CHAINS; k++) sum = veorq_s32(sum, acc[k]);
    return rounds * CHAINS * 16 * 2 + (vaddvq_s32(sum) == 12345);
}

void kern_dotprod_fill_int(struct kern_ops *ops)
{
    int_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
