/* Block formats in plain C: what the bytes of every quantised type mean.
 *
 * Owns nothing. All layouts are little-endian, packed without padding. `f16` is binary16. In the pictures a number in
 * brackets is a count of bytes and "lo/hi" the low/high nibble of a byte. Every format reduces to struct kern_block:
 *     x[i] = s[i/16] * q[i] + m[i/16]
 * so the matrix product needs to know one form only. Read next: gemm.c. */
#include "ref.h"
#include "f16.h"

const int8_t kern_ref_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t kern_ref_mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* E8M0 is an exponent alone. FP4 values are stored doubled, so the scale is halved: 2^(e-128); e = 0 and 1 give
 * subnormal floats. */
float kern_ref_e8m0_half(uint8_t e)
{
    return f32_from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/* One scale and offset for all 32 elements. */
static void scale32(struct kern_block *o, float s, float m)
{
    o->s[0] = o->s[1] = s;
    o->m[0] = o->m[1] = m;
}

/* Q8_0, 34 bytes:  d f16 | q int8[32]            x = d q */
static void unpack_q8_0(const uint8_t *p, struct kern_block *o)
{
    memcpy(o->q, p + 2, 32);
    scale32(o, load_f16(p), 0);
}

/* The 4-bit formats of 32 elements keep element j in the lo nibble and element 16+j in the hi nibble of byte j.
 * Q4_0, 18 bytes:  d f16 | lo/hi [16]            x = d (q - 8) */
static void unpack_q4_0(const uint8_t *p, struct kern_block *o)
{
    for (int j = 0; j < 16; j++) {
        o->q[j] = (int8_t)((p[2 + j] & 15) - 8);
        o->q[16 + j] = (int8_t)((p[2 + j] >> 4) - 8);
    }
    scale32(o, load_f16(p), 0);
}

/* Q4_1, 20 bytes:  d f16 | m f16 | lo/hi [16]    x = d q + m */
static void unpack_q4_1(const uint8_t *p, struct kern_block *o)
{
    for (int j = 0; j < 16; j++) {
        o->q[j] = (int8_t)(p[4 + j] & 15);
        o->q[16 + j] = (int8_t)(p[4 + j] >> 4);
    }
    scale32(o, load_f16(p), load_f16(p + 2));
}

/* Five bits: bit j of the little-endian word h is the fifth bit of element j. */
static void five_bits(const uint8_t *h, const uint8_t *nib, int offset, int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = (int8_t)((nib[j] & 15) + (h[j / 8] >> j % 8 & 1) * 16 - offset);
        q[16 + j] = (int8_t)((nib[j] >> 4) + (h[2 + j / 8] >> j % 8 & 1) * 16 - offset);
    }
}

/* Q5_0, 22 bytes:  d f16 | h u32 | lo/hi [16]            x = d (q - 16) */
static void unpack_q5_0(const uint8_t *p, struct kern_block *o)
{
    five_bits(p + 2, p + 6, 16, o->q);
    scale32(o, load_f16(p), 0);
}

/* Q5_1, 24 bytes:  d f16 | m f16 | h u32 | lo/hi [16]    x = d q + m */
static void unpack_q5_1(const uint8_t *p, struct kern_block *o)
{
    five_bits(p + 4, p + 8, 0, o->q);
    scale32(o, load_f16(p), load_f16(p + 2));
}

/* Q2_K, 84 bytes:  scales[16] | q[64] | d f16 | dmin f16
 * Group g of 16 elements: lo nibble of scales[g] times d, hi nibble times dmin:  x = d lo q - dmin hi.
 * Each half of 128 elements uses 32 bytes of q four times: bits 0-1 for its first 32 elements, 2-3 for the next … */
static void unpack_q2_k(const uint8_t *p, struct kern_block *o)
{
    float d = load_f16(p + 80), dmin = load_f16(p + 82);
    for (int i = 0; i < 256; i++) o->q[i] = (int8_t)(p[16 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3);
    for (int g = 0; g < 16; g++) {
        o->s[g] = d * (float)(p[g] & 15);
        o->m[g] = -(dmin * (float)(p[g] >> 4));
    }
}

/* Q3_K, 110 bytes:  high[32] | q[64] | scales[12] | d f16
 * The two low bits as in Q2_K; bit i/32 of high[i%32] is the third, and a *clear* bit subtracts 4.
 * Sixteen 6-bit scales: low four bits in the nibbles of bytes 0-7 (lo: groups 0-7, hi: 8-15), high two bits of group
 * g at bits 2(g/4) of byte 8 + g%4.  x = d (scale - 32) q */
static void unpack_q3_k(const uint8_t *p, struct kern_block *o)
{
    const uint8_t *sc = p + 96;
    float d = load_f16(p + 108);
    for (int i = 0; i < 256; i++) {
        int low = p[32 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
        o->q[i] = (int8_t)(low - (p[i % 32] >> i / 32 & 1 ? 0 : 4));
    }
    for (int g = 0; g < 16; g++) {
        int low = g < 8 ? sc[g] & 15 : sc[g - 8] >> 4, high = sc[8 + g % 4] >> g / 4 * 2 & 3;
        o->s[g] = d * (float)((low | high << 4) - 32);
        o->m[g] = 0;
    }
}

/* Eight 6-bit scales and eight 6-bit minima in 12 bytes:
 *   byte 0-3   bits 0-5 scale 0-3, bits 6-7 upper bits of scale 4-7
 *   byte 4-7   bits 0-5 min 0-3,   bits 6-7 upper bits of min 4-7
 *   byte 8-11  lo: low bits of scale 4-7, hi: low bits of min 4-7 */
void kern_ref_k4_scales(const uint8_t p[12], uint8_t sc[8], uint8_t mn[8])
{
    for (int j = 0; j < 4; j++) {
        sc[j] = p[j] & 63;
        mn[j] = p[4 + j] & 63;
        sc[4 + j] = (uint8_t)((p[8 + j] & 15) | p[j] >> 6 << 4);
        mn[4 + j] = (uint8_t)(p[8 + j] >> 4 | p[4 + j] >> 6 << 4);
    }
}

static void k4_groups(const uint8_t *p, struct kern_block *o)
{
    uint8_t sc[8], mn[8];
    float d = load_f16(p), dmin = load_f16(p + 2);
    kern_ref_k4_scales(p + 4, sc, mn);
    for (int g = 0; g < 16; g++) {
        o->s[g] = d * (float)sc[g / 2];
        o->m[g] = -(dmin * (float)mn[g / 2]);
    }
}

/* Q4_K, 144 bytes:  d f16 | dmin f16 | scales[12] | lo/hi [128]
 * 64 elements share 32 bytes: the first 32 are the lo nibbles, the next 32 the hi.  x = d scale q - dmin min */
static void unpack_q4_k(const uint8_t *p, struct kern_block *o)
{
    for (int i = 0; i < 256; i++) o->q[i] = (int8_t)(p[16 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15);
    k4_groups(p, o);
}

/* Q5_K, 176 bytes:  d f16 | dmin f16 | scales[12] | high[32] | lo/hi [128]
 * As Q4_K; bit i/32 of high[i%32] is the fifth bit. */
static void unpack_q5_k(const uint8_t *p, struct kern_block *o)
{
    for (int i = 0; i < 256; i++) {
        int low = p[48 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15;
        o->q[i] = (int8_t)(low | (p[16 + i % 32] >> i / 32 & 1) << 4);
    }
    k4_groups(p, o);
}

/* Q6_K, 210 bytes:  low[128] | high[64] | scales int8[16] | d f16
 * A half of 128 elements has 64 bytes of low and 32 of high. Its elements 0-63 are the lo nibbles, 64-127 the hi;
 * element i takes bits 2(i/32) and up of high[i%32].  x = d scale (q - 32) */
static void unpack_q6_k(const uint8_t *p, struct kern_block *o)
{
    float d = load_f16(p + 208);
    for (int i = 0; i < 256; i++) {
        int low = p[i / 128 * 64 + i % 64] >> i / 64 % 2 * 4 & 15;
        int high = p[128 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
        o->q[i] = (int8_t)((low | high << 4) - 32);
    }
    for (int g = 0; g < 16; g++) {
        o->s[g] = d * (float)(int8_t)p[192 + g];
        o->m[g] = 0;
    }
}

static void nibble_table(const uint8_t *nib, const int8_t *table, int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = table[nib[j] & 15];
        q[16 + j] = table[nib[j] >> 4];
    }
}

/* IQ4_NL, 18 bytes:  d f16 | lo/hi [16]          x = d values[q] */
static void unpack_iq4_nl(const uint8_t *p, struct kern_block *o)
{
    nibble_table(p + 2, kern_ref_iq4_values, o->q);
    scale32(o, load_f16(p), 0);
}

/* IQ4_XS, 136 bytes:  d f16 | high u16 | low[4] | lo/hi [128]
 * Eight groups of 32, each with the nibbles of IQ4_NL. Scale of group g: four bits in nibble g of low, two at bit 2g
 * of high.  x = d (scale - 32) values[q] */
static void unpack_iq4_xs(const uint8_t *p, struct kern_block *o)
{
    float d = load_f16(p);
    unsigned high = load_u16(p + 2);
    for (int g = 0; g < 8; g++) {
        int low = p[4 + g / 2] >> g % 2 * 4 & 15;
        nibble_table(p + 8 + 16 * g, kern_ref_iq4_values, o->q + 32 * g);
        o->s[2 * g] = o->s[2 * g + 1] = d * (float)((low | (int)(high >> 2 * g & 3) << 4) - 32);
        o->m[2 * g] = o->m[2 * g + 1] = 0;
    }
}

/* MXFP4, 17 bytes:  e u8 | lo/hi [16]            x = 2^(e-127) * FP4, an E2M1 number in each nibble */
static void unpack_mxfp4(const uint8_t *p, struct kern_block *o)
{
    nibble_table(p + 1, kern_ref_mxfp4_values, o->q);
    scale32(o, kern_ref_e8m0_half(p[0]), 0);
}

typedef void unpack_fn(const uint8_t *p, struct kern_block *o);
static unpack_fn *const unpack[KERN_TYPE_COUNT] = {
    [KERN_Q4_0] = unpack_q4_0,     [KERN_Q4_1] = unpack_q4_1,     [KERN_Q5_0] = unpack_q5_0,
    [KERN_Q5_1] = unpack_q5_1,     [KERN_Q8_0] = unpack_q8_0,     [KERN_Q2_K] = unpack_q2_k,
    [KERN_Q3_K] = unpack_q3_k,     [KERN_Q4_K] = unpack_q4_k,     [KERN_Q5_K] = unpack_q5_k,
    [KERN_Q6_K] = unpack_q6_k,     [KERN_IQ4_NL] = unpack_iq4_nl, [KERN_IQ4_XS] = unpack_iq4_xs,
    [KERN_MXFP4] = unpack_mxfp4,
};

void kern_ref_unpack(int type, const uint8_t *src, struct kern_block *out) { unpack[type](src, out); }

static void dequant(int type, const uint8_t *src, float *dst, size_t n)
{
    const struct kern_type_info *t = kern_type_get(type);
    struct kern_block b;
    for (size_t i = 0; i < n; i += t->block, src += t->bytes) {
        unpack[type](src, &b);
        for (size_t j = 0; j < t->block; j++) dst[i + j] = b.s[j / 16] * (float)b.q[j] + b.m[j / 16];
    }
}

static void dequant_f32(const void *src, float *dst, size_t n) { memcpy(dst, src, n * 4); }

static void dequant_f16(const void *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = load_f16((const uint8_t *)src + 2 * i);
}

static void dequant_bf16(const void *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = bf16_to_f32_one(load_u16((const uint8_t *)src + 2 * i));
}

/* The quantised types, once: a function for each and its place in the table. */
#define QUANTISED(X) \
    X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q8_0) X(Q2_K) X(Q3_K) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_NL) X(IQ4_XS) X(MXFP4)

#define X(T) \
    static void dequant_##T(const void *src, float *dst, size_t n) { dequant(KERN_##T, src, dst, n); }
QUANTISED(X)
#undef X

void kern_ref_fill_quant(struct kern_ops *ops)
{
    ops->dequant[KERN_F32] = dequant_f32;
    ops->dequant[KERN_F16] = dequant_f16;
    ops->dequant[KERN_BF16] = dequant_bf16;
#define X(T) ops->dequant[KERN_##T] = dequant_##T;
    QUANTISED(X)
#undef X
}
