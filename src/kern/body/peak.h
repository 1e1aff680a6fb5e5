/* The rate of fused multiply-adds in registers: what no kernel of this vector width can exceed (kern_probe.h).
 * Twelve chains are independent, which covers the latency of every unit that has up to three of them in a cycle. */
#ifndef KERN_BODY_PEAK_H
#define KERN_BODY_PEAK_H

#include "kern_ops.h"

static uint64_t peak_f32(uint64_t rounds)
{
    enum { CHAINS = 12 };
    vf acc[CHAINS], a = vf_set(0.999f), b = vf_set(1e-3f);
    for (int k = 0; k < CHAINS; k++) acc[k] = vf_set((float)k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = vf_fma(acc[k], a, b);
    float sum = 0;
    for (int k = 0; k < CHAINS; k++) sum += vf_sum(acc[k]);
    return rounds * CHAINS * VF * 2 + (sum == 12345.0f); /* the sum must be used, or nothing is computed */
}

INLINE void peak_fill(struct kern_ops *ops) { ops->peak[KERN_PEAK_F32] = peak_f32; }

#endif
