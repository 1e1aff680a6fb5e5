/* Dot products of unsigned and signed bytes for body/strip.h where there is no instruction for four at once.
 *
 * vpmaddubsw multiplies bytes and adds pairs to 16 bits. Sums of pairs stay there while they cannot overflow
 * (15 * 127 * 2 * 8, 31 * 127 * 2 * 4 and 63 * 127 * 2 * 2 are below 32768); vpmaddwd with ones widens them. Weights of
 * eight bits are cut into nibbles, whose sums stay apart until vpmaddwd weighs the high ones by 16: fewer
 * multiplications than |w| by x with the sign of w, which must be widened at every step.
 *
 * The including file defines vb_pairs (vpmaddubsw), vb_add16, vi_widen(v, by) (vpmaddwd) and vi_add. */
#ifndef KERN_X86_STRIP_PAIRS_H
#define KERN_X86_STRIP_PAIRS_H

typedef struct {
    vb lo, hi; /* hi: of high nibbles, for eight bits */
} vp, vw;
#define VW_BYTES(bits) ((bits) == 8 ? 2 * VB : VB)

INLINE void prepare(const int nt, const vb q[8], const int bits, vw w[8])
{
    PLAT_UNROLL for (int v = 0; v < 8; v++)
    {
        w[v].lo = bits < 8 ? q[v] : vb_and(q[v], vb_set(15));
        w[v].hi = bits < 8 ? vb_set(0) : vb_high4(q[v]);
    }
}
INLINE vw vw_load(const uint8_t *p, const int bits) { return (vw){vb_load(p), bits < 8 ? vb_set(0) : vb_load(p + VB)}; }
INLINE void vw_store(uint8_t *p, vw w, const int bits)
{
    vb_store(p, w.lo);
    if (bits == 8) vb_store(p + VB, w.hi);
}

#define DOTS_OF_PAIRS(...) false
#define MAC_RUN(bits) ((bits) == 5 ? 4 : (bits) == 6 ? 2 : 8)

INLINE vp mac_begin(vi dot) { return (vp){vb_set(0), vb_set(0)}; }

/* Opaque, or the compiler reorders sums until they do not fit into the registers. */
INLINE vb add_pairs(vb sum, vb w, vx x, bool first)
{
    vb p = first ? vb_pairs(w, x) : vb_add16(sum, vb_pairs(w, x));
    PLAT_OPAQUE_VECTOR(p);
    return p;
}

INLINE vp mac(vp h, vw w, vx x, int bits, bool first)
{
    return (vp){add_pairs(h.lo, w.lo, x, first), bits < 8 ? h.hi : add_pairs(h.hi, w.hi, x, first)};
}

INLINE vi mac_end(vi dot, vp h, int bits)
{
    if (bits == 8) dot = vi_add(dot, vi_widen(h.hi, 16));
    return vi_add(dot, vi_widen(h.lo, 1));
}

/* Products and sums of pairs in eight independent chains (see body/peak.h); w is opaque, or one product would do. */
static uint64_t peak_int8(uint64_t rounds)
{
    enum { CHAINS = 8 };
    vb acc[CHAINS], w = vb_set(3);
    uint8_t bytes[VB];
    for (int k = 0; k < CHAINS; k++) acc[k] = vb_set(k);
    for (uint64_t r = 0; r < rounds; r++)
        for (int k = 0; k < CHAINS; k++) {
            PLAT_OPAQUE_VECTOR(w);
            acc[k] = add_pairs(acc[k], w, vi_set(0x05050505), false);
        }
    for (int k = 1; k < CHAINS; k++) acc[0] = vb_add16(acc[0], acc[k]);
    vb_store(bytes, acc[0]);
    return rounds * CHAINS * VB * 2 + (bytes[0] == 123 && bytes[1] == 45); /* the sums must be used */
}

#endif
