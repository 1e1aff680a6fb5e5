/* Packed products with the matrix instructions of int8 (Armv8.6-A, i8mm). One activation row: usdot. More: usmmla
 * multiplies two weight rows of eight elements by two activation rows of eight and adds to 2 x 2 sums. Two vectors of a
 * strip zipped by words are two pairs of weight rows; their sums, unzipped, are those of one activation row again:
 *
 *     zip1   r0: v, v+1 | r1: v, v+1        zip2   r2: v, v+1 | r3: v, v+1
 *     sums   r0 x0, r0 x1, r1 x0, r1 x1            r2 x0, r2 x1, r3 x0, r3 x1 */
#include "strip_arm.h"

enum { WIDE = 2, TILE = 4, FEW = 4, FEW_HALVES = 4, FEW_TILE = 4,
       STRIP_BESIDE = 2, SIGNED_OFFSET = 128, STRIP_AHEAD = 2048 };
#define BESIDE(bits) 2
#define MAC_RUN(bits) 8

INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8])
{
    PLAT_UNROLL for (int v = 0; v < 8; v += 2)
    {
        const uint32x4_t a = vreinterpretq_u32_u8(q[v]), b = vreinterpretq_u32_u8(q[v + 1]);
        w[v] = nt == 1 ? q[v] : vreinterpretq_u8_u32(vzip1q_u32(a, b));
        w[v + 1] = nt == 1 ? q[v + 1] : vreinterpretq_u8_u32(vzip2q_u32(a, b));
    }
}

#define DOT_BY_WORD(h, w, x, n) vusdotq_laneq_s32(h, w, x, n)
#include "strip_words.h"

/* A row without another is its own. */
#define DOTS_OF_PAIRS dots_of_pairs
INLINE bool dots_of_pairs(const int nt, const int nc, vi dot[][WIDE * 4], const vw w[][8], const int from, const int n,
                          const int8_t *const x[])
{
    enum { PAIRS = TILE / 2 };
    vi low[PAIRS][WIDE * 4], high[PAIRS][WIDE * 4];
    PLAT_UNROLL for (int t = 0; t < nt; t += 2) PLAT_UNROLL for (int c = 0; c < nc; c++)
        low[t / 2][c] = high[t / 2][c] = vzip1q_s32(dot[t][c], dot[t + (t + 1 < nt)][c]);
    PLAT_UNROLL for (int v = from; v < from + n; v += 4)
    {
        PLAT_UNROLL for (int t = 0; t < nt; t += 2)
        {
            const int64x2_t x0 = vreinterpretq_s64_s8(vld1q_s8(x[t] + 4 * v));
            const int64x2_t x1 = vreinterpretq_s64_s8(vld1q_s8(x[t + (t + 1 < nt)] + 4 * v));
            const int8x16_t rows[2] = {vreinterpretq_s8_s64(vzip1q_s64(x0, x1)),
                                       vreinterpretq_s8_s64(vzip2q_s64(x0, x1))};
            PLAT_UNROLL for (int i = 0; i < 2; i++) PLAT_UNROLL for (int c = 0; c < nc; c++)
            {
                low[t / 2][c] = vusmmlaq_s32(low[t / 2][c], w[c][v + 2 * i], rows[i]);
                high[t / 2][c] = vusmmlaq_s32(high[t / 2][c], w[c][v + 2 * i + 1], rows[i]);
            }
        }
    }
    PLAT_UNROLL for (int t = 0; t < nt; t++) PLAT_UNROLL for (int c = 0; c < nc; c++)
        dot[t][c] = t % 2 ? vuzp2q_s32(low[t / 2][c], high[t / 2][c]) : vuzp1q_s32(low[t / 2][c], high[t / 2][c]);
    return true;
}

#include "body/strip.h"

/* usmmla in twelve independent chains: 32 multiply-adds each (see body/peak.h). */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 12 };
    int32x4_t acc[CHAINS], sum = vdupq_n_s32(0);
    for (int k = 0; k < CHAINS; k++) acc[k] = vdupq_n_s32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = vusmmlaq_s32(acc[k], vdupq_n_u8(3), vdupq_n_s8(5));
    for (int k = 0; k < CHAINS; k++) sum = veorq_s32(sum, acc[k]);
    return rounds * CHAINS * 32 * 2 + (vaddvq_s32(sum) == 12345);
}

void kern_i8mm_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
