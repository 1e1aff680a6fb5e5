/* Packed products with AVX-512 VNNI: body/strip.h where a register is a whole vector and vpdpbusd is its dot product,
 * which can broadcast four activations from memory. */
#include "plat_compiler.h"
#include "strip512.h"

enum { VB = 64, WIDE = 2, TILE = 4, FEW = 64, FEW_HALVES = 20, FEW_TILE = 4,
       STRIP_BESIDE = 1, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };
#define BESIDE(bits) WIDE

#include "body/strip_bytes.h"
INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8]) { memcpy(w, q, 8 * sizeof *w); }

/* Activations that one register of weights meets are broadcast by vpdpbusd itself (gcc 12 has no pattern for it: 4 to
 * 7 % of a product); those that several meet, once. */
typedef struct {
    const int8_t *at;
    bool once;
    vi all;
} vx;
INLINE vx vx_four(const int8_t *x, const int v, const int times)
{
    vx four = {x + 4 * v, times == 1, _mm512_setzero_si512()};
    if (!four.once) four.all = vi_four(x, v);
    return four;
}

typedef vi vp;
#define DOTS_OF_PAIRS(...) false
#define MAC_RUN(bits) 8
INLINE vp mac_begin(vi dot) { return dot; }
INLINE vp mac(vp h, vw w, vx x, int bits, bool first)
{
    if (!x.once) return _mm512_dpbusd_epi32(h, w, x.all);
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(h) : "v"(w), "m"(*(const int8_t(*)[4])x.at));
    return h;
}
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
