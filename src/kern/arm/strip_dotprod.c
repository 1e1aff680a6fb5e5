/* Packed products with the dot-product instructions (Armv8.2-A): body/strip.h with sdot, whose second operand is one of
 * the four words of a register: four activations meet a vector without being broadcast. */
#include "strip_arm.h"

enum { WIDE = 2, TILE = 4, FEW = 4, FEW_HALVES = 4, FEW_TILE = 4,
       STRIP_BESIDE = 2, SIGNED_OFFSET = 0, STRIP_AHEAD = 2048 };
#define BESIDE(bits) 2
#define DOTS_OF_PAIRS(...) false
#define MAC_RUN(bits) 8

INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8]) { prepare_signed(q, bits, w); }

#define DOT_BY_WORD(h, w, x, n) vdotq_laneq_s32(h, as_signed(w), x, n)
#include "strip_words.h"

#include "body/strip.h"

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

void kern_dotprod_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
