/* Four activations as one word of a register, for body/strip.h. The including file defines DOT_BY_WORD(h, w, x, n): h
 * plus the products of the bytes w and word n of x, four to a lane. The number is part of the instruction. */
#ifndef KERN_ARM_STRIP_WORDS_H
#define KERN_ARM_STRIP_WORDS_H

typedef struct {
    int8x16_t x;
    int word;
} vx;
INLINE vx vx_four(const int8_t *x, const int v, const int times) { return (vx){vld1q_s8(x + v / 4 * 16), v % 4}; }

typedef vi vp;
INLINE vp mac_begin(vi dot) { return dot; }
INLINE vp mac(vp h, vw w, vx f, const int bits, const bool first)
{
    switch (f.word) {
    case 0: return DOT_BY_WORD(h, w, f.x, 0);
    case 1: return DOT_BY_WORD(h, w, f.x, 1);
    case 2: return DOT_BY_WORD(h, w, f.x, 2);
    default: return DOT_BY_WORD(h, w, f.x, 3);
    }
}
INLINE vi mac_end(vi dot, vp h, const int bits) { return h; }

#endif
