/* Packed products with AVX-512 VNNI: body/strip.h where a register is a whole vector and vpdpbusd is its dot product,
 * with the broadcast of four activations folded into the instruction's memory operand. */
#include "strip512.h"

enum { VB = 64, WIDE = 2, TILE = 4, FEW = 64, FEW_HALVES = 20, FEW_TILE = 4,
       STRIP_BESIDE = 1, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };
#define BESIDE(bits) WIDE

#include "body/strip_bytes.h"
INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8]) { memcpy(w, q, 8 * sizeof *w); }

typedef vi vp;
#define DOTS_OF_PAIRS(...) false
#define MAC_RUN(bits) 8
INLINE vp mac_begin(vi dot) { return dot; }
INLINE vp mac(vp h, vw w, vx x, int bits, bool first) { return _mm512_dpbusd_epi32(h, w, x); }
INLINE vi mac_end(vi dot, vp h, int bits) { return h; }

#include "body/strip.h"

/* vpdpbusd in twelve independent chains: 64 multiply-adds each (see body/peak.h). */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 12 };
    __m512i acc[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_set1_epi32(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
    for (int k = 1; k < CHAINS; k++) acc[0] = _mm512_xor_si512(acc[0], acc[k]);
    return rounds * CHAINS * 64 * 2 + (_mm512_reduce_add_epi32(acc[0]) == 12345);
}

void kern_vnni_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
