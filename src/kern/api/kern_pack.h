/* Packed weights: the file's blocks put in the order in which a product reads them, made once when a model is opened.
 * The same bits in another order (a few types gain up to 6 % of padding), so results do not change.
 *
 * A matrix [n_out, n] becomes strips of 16 output rows, one after the other; rows past n_out are zero weights. A strip
 * is a sequence of chunks of 256 elements (the last may be shorter, a multiple of 32): first the chunk's scales, then
 * its quants, both multiples of 64 bytes. Quants come in groups of 32 elements. Vector v (0 … 7) of a group is 64 bytes
 * that hold four consecutive elements of every row, so that one instruction multiplies them by four activations
 * broadcast to all rows, and the sums of sixteen outputs lie side by side with nothing to add across:
 *
 *     vector v    row 0: 4v 4v+1 4v+2 4v+3 | row 1: 4v … 4v+3 | … | row 15
 *
 * It is the operand layout of vpdpbusd, of sdot by lane and of AMX's int8 tiles. Quants are unsigned:
 * x = s (q - offset) or x = s q + m.
 *
 *     bits  a group's registers of 64 bytes; byte b of each belongs to byte b of the vectors
 *      2    two: vector v at bits 2 (v % 4) of register v / 4
 *      3    as 2, then one register with the third bit of vector v at bit v
 *      4    four: vector v in the lo nibbles of register v, vector v + 4 in the hi nibbles
 *      5    as 4, then one with the fifth bit of vector v at bit v
 *      6    as 4, then two with the two high bits, placed as in 2
 *      8    eight: vector v in register v (signed quants with 128 added)
 *
 *     scales         a chunk of g groups
 *      F16           d f16[g][16]
 *      F16_MIN       { d f16[16] | m f16[16] } [g]
 *      E8M0          e u8[g][16]                                                        s = 2^(e - 128)
 *      K_32          d f16[16] | 32 unused | scale int8[8][16]                          s = d scale
 *      K_32_MIN      d f16[16] | dmin f16[16] | { scale u8[16] | min u8[16] } [8]      s = d scale, m = -dmin min
 *      K_16          as K_32 with a scale for each 16 elements: scale int8[16][16]
 *      K_16_MIN      d f16[16] | dmin f16[16] | u8[16 groups of 16 elements][16]        lo nibble: scale, hi: min
 *
 * Elements 0-15 of a group are vectors 0-3, elements 16-31 vectors 4-7: types with a scale per 16 elements switch
 * scales between them. In types with a table a quant is an index into sixteen values, here plus the offset. */
#ifndef KERN_PACK_H
#define KERN_PACK_H

#include "kern_type.h"

enum { KERN_STRIP = 16, KERN_CHUNK = 256 };
enum kern_scales {
    KERN_SCALES_F16,
    KERN_SCALES_F16_MIN,
    KERN_SCALES_E8M0,
    KERN_SCALES_K_32,
    KERN_SCALES_K_32_MIN,
    KERN_SCALES_K_16,
    KERN_SCALES_K_16_MIN,
};
enum kern_table { KERN_TABLE_NONE, KERN_TABLE_IQ4, KERN_TABLE_MXFP4 };

/*  X(type, bits, offset, scales, table) */
#define KERN_PACK_TABLE(X)                 \
    X(Q4_0,   4,   8, F16,      NONE)      \
    X(Q4_1,   4,   0, F16_MIN,  NONE)      \
    X(Q5_0,   5,  16, F16,      NONE)      \
    X(Q5_1,   5,   0, F16_MIN,  NONE)      \
    X(Q8_0,   8, 128, F16,      NONE)      \
    X(Q2_K,   2,   0, K_16_MIN, NONE)      \
    X(Q3_K,   3,   4, K_16,     NONE)      \
    X(Q4_K,   4,   0, K_32_MIN, NONE)      \
    X(Q5_K,   5,   0, K_32_MIN, NONE)      \
    X(Q6_K,   6,  32, K_16,     NONE)      \
    X(IQ4_NL, 4, 128, F16,      IQ4)       \
    X(IQ4_XS, 4, 128, K_32,     IQ4)       \
    X(MXFP4,  4,  12, E8M0,     MXFP4)

struct kern_pack_form {
    int bits, offset;
    enum kern_scales scales;
    enum kern_table table;
};

/* NULL: this type is not packed. */
const struct kern_pack_form *kern_pack_form(int type);
/* Bytes of a strip of rows of n elements (n a multiple of the type's block), and of a whole matrix. */
size_t kern_strip_bytes(int type, size_t n);
size_t kern_packed_bytes(int type, size_t n_out, size_t n);
/* Packs rows [0, n_out) of n elements into strips at dst (64-byte aligned is best; any n_out). */
void kern_pack(int type, const void *w, size_t row_bytes, size_t n_out, size_t n, void *dst);
/* One row of n elements back as floats: what dequant makes of the row that was packed. */
void kern_unpack_row(int type, const void *strips, size_t row, size_t n, float *y);

static inline size_t kern_scales_bytes(enum kern_scales s, size_t n_groups)
{
    return s == KERN_SCALES_F16       ? (32 * n_groups + 63) / 64 * 64
           : s == KERN_SCALES_F16_MIN ? 64 * n_groups
           : s == KERN_SCALES_E8M0    ? (16 * n_groups + 63) / 64 * 64
           : s == KERN_SCALES_K_32    ? 192
                                      : 320;
}

#endif
