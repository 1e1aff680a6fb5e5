/* Packed products with AVX-512 without VNNI: body/strip.h with a vector to a register. */
#include "plat_compiler.h"
#include "strip512.h"

enum { VB = 64, WIDE = 4, TILE = 4, FEW = 8, FEW_HALVES = 8, FEW_TILE = 4,
       STRIP_BESIDE = 1, SIGNED_OFFSET = 128, STRIP_AHEAD = 4096 };
#define BESIDE(bits) ((bits) == 8 ? 1 : 2)

typedef vi vx;
INLINE vx vx_four(const int8_t *x, const int v, const int times) { return vi_four(x, v); }
INLINE vb vb_pairs(vb w, vi x) { return _mm512_maddubs_epi16(w, x); }
INLINE vb vb_add16(vb a, vb b) { return _mm512_add_epi16(a, b); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_widen(vb v, int by) { return _mm512_madd_epi16(v, _mm512_set1_epi16((short)by)); }

#include "strip_pairs.h"

#include "body/strip.h"

void kern_avx512_fill_strips(struct kern_ops *ops)
{
    strip_fill(ops);
    ops->peak[KERN_PEAK_INT8] = peak_int8;
}
