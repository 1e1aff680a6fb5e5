/* Packing weights into strips (kern_pack.h draws the layout). Plain C that compilers turn into vector code: packing
 * runs once per model and is bound by memory.
 *
 * One row's group of 32 elements is brought to a common order first (struct group: nibbles, the higher bits, or
 * bytes) and then dealt out to its column of the strip. */
#include "kern_pack.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

static const struct kern_pack_form forms[KERN_TYPE_COUNT] = {
#define X(T, bits, offset, scales, table) [KERN_##T] = {bits, offset, KERN_SCALES_##scales, KERN_TABLE_##table},
    KERN_PACK_TABLE(X)
#undef X
};

const struct kern_pack_form *kern_pack_form(int type)
{
    return type >= 0 && type < KERN_TYPE_COUNT && forms[type].bits ? &forms[type] : NULL;
}

size_t kern_strip_bytes(int type, size_t n)
{
    const struct kern_pack_form *f = kern_pack_form(type);
    size_t whole = n / KERN_CHUNK, rest = n % KERN_CHUNK / 32;
    return whole * kern_scales_bytes(f->scales, 8) + (rest ? kern_scales_bytes(f->scales, rest) : 0) +
           n / 32 * 64 * (size_t)f->bits;
}

size_t kern_packed_bytes(int type, size_t n_out, size_t n)
{
    return (n_out + KERN_STRIP - 1) / KERN_STRIP * kern_strip_bytes(type, n);
}

/* One row's 32 quants, as far as its type has these parts: `low` has element j in the lo nibble of byte j and 16 + j
 * in the hi (or all 32 bytes of an 8-bit type); `two` two bits of each element; `one` a bit of each, in the order of
 * the strip: bit v of byte k belongs to element 4v + k. */
struct group {
    uint8_t low[32], two[32], one[4];
};

/* Bytes are handled eight at a time: bits that a shift moves into a neighbour are masked away. */
static uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static void store_u64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

static void nibbles_of(const uint8_t *p, int shift, uint8_t low[16])
{
    const uint64_t four = 0x0f0f0f0f0f0f0f0f;
    for (int j = 0; j < 16; j += 8)
        store_u64(low + j, (load_u64(p + j) >> shift & four) | (load_u64(p + 16 + j) >> shift & four) << 4);
}

static void two_bits_of(const uint8_t *p, int shift, uint8_t two[32])
{
    for (int j = 0; j < 32; j += 8) store_u64(two + j, load_u64(p + j) >> shift & 0x0303030303030303);
}

/* Bit j of the word is element j's: every fourth bit from k on becomes byte k. */
static void bits_of(const uint8_t *p, uint8_t one[4])
{
    uint32_t word;
    memcpy(&word, p, 4);
    for (int k = 0; k < 4; k++) {
        uint32_t t = word >> k & 0x11111111;
        t = (t | t >> 3) & 0x03030303;
        t = (t | t >> 6) & 0x000f000f;
        one[k] = (uint8_t)(t | t >> 12);
    }
}

/* Bit b of byte j is element j's. */
static void bit_of_bytes(const uint8_t *p, int b, uint8_t one[4])
{
    uint32_t sum = 0;
    for (int v = 0; v < 8; v++) {
        uint32_t four;
        memcpy(&four, p + 4 * v, 4);
        sum |= (four >> b & 0x01010101) << v;
    }
    memcpy(one, &sum, 4);
}

/* Group b of the chunk at p: ref/block.c draws the blocks. */
INLINE void group_of(int type, const uint8_t *p, int b, struct group *g)
{
    switch (type) {
    case KERN_Q4_0:
    case KERN_IQ4_NL:
        memcpy(g->low, p + 18 * b + 2, 16);
        break;
    case KERN_Q4_1:
        memcpy(g->low, p + 20 * b + 4, 16);
        break;
    case KERN_Q5_0:
        memcpy(g->low, p + 22 * b + 6, 16);
        bits_of(p + 22 * b + 2, g->one);
        break;
    case KERN_Q5_1:
        memcpy(g->low, p + 24 * b + 8, 16);
        bits_of(p + 24 * b + 4, g->one);
        break;
    case KERN_Q8_0:
        for (int j = 0; j < 32; j++) g->low[j] = p[34 * b + 2 + j] ^ 0x80;
        break;
    case KERN_MXFP4:
        memcpy(g->low, p + 17 * b + 1, 16);
        break;
    case KERN_IQ4_XS:
        memcpy(g->low, p + 8 + 16 * b, 16);
        break;
    case KERN_Q2_K:
        two_bits_of(p + 16 + b / 4 * 32, b % 4 * 2, g->two);
        break;
    case KERN_Q3_K:
        two_bits_of(p + 32 + b / 4 * 32, b % 4 * 2, g->two);
        bit_of_bytes(p, b, g->one);
        break;
    case KERN_Q4_K:
        nibbles_of(p + 16 + b / 2 * 32, b % 2 * 4, g->low);
        break;
    case KERN_Q5_K:
        nibbles_of(p + 48 + b / 2 * 32, b % 2 * 4, g->low);
        bit_of_bytes(p + 16, b, g->one);
        break;
    case KERN_Q6_K:
        nibbles_of(p + b / 4 * 64 + b % 2 * 32, b / 2 % 2 * 4, g->low);
        two_bits_of(p + 128 + b / 4 * 32, b % 4 * 2, g->two);
        break;
    }
}

/* Four vectors share a register, two bits of a byte for each: row r's four bytes of the register at `to`. */
static void put_pairs(const uint8_t two[16], int r, uint8_t *to)
{
    uint32_t w[4];
    memcpy(w, two, 16);
    w[0] |= w[1] << 2 | w[2] << 4 | w[3] << 6;
    memcpy(to + 4 * r, w, 4);
}

/* Row r's share of a group of the strip at `to`. */
INLINE void put_group(int bits, const struct group *g, int r, uint8_t *to)
{
    int n = bits == 8 ? 8 : bits >= 4 ? 4 : 0;
    for (int v = 0; v < n; v++) memcpy(to + 64 * v + 4 * r, g->low + 4 * v, 4);
    to += 64 * n;
    if (bits == 2 || bits == 3 || bits == 6) {
        put_pairs(g->two, r, to);
        put_pairs(g->two + 16, r, to + 64);
        to += 128;
    }
    if (bits == 3 || bits == 5) memcpy(to + 4 * r, g->one, 4);
}

/* The twelve bytes of Q4_K and Q5_K: six bits of a scale and of a minimum for each of eight groups. */
static void k_scales(const uint8_t p[12], int r, uint8_t *to)
{
    const uint32_t two = 0x03030303, four = 0x0f0f0f0f, six = 0x3f3f3f3f;
    uint32_t w[3], sc[2], mn[2];
    memcpy(w, p, 12);
    sc[0] = w[0] & six, sc[1] = (w[2] & four) | (w[0] >> 6 & two) << 4;
    mn[0] = w[1] & six, mn[1] = (w[2] >> 4 & four) | (w[1] >> 6 & two) << 4;
    for (int b = 0; b < 8; b++) {
        to[32 * b + r] = (uint8_t)(sc[b / 4] >> b % 4 * 8);
        to[32 * b + 16 + r] = (uint8_t)(mn[b / 4] >> b % 4 * 8);
    }
}

/* The sixteen 6-bit scales of Q3_K in 12 bytes, less 32. */
static void q3_scales(const uint8_t p[12], int r, uint8_t *to)
{
    for (int g = 0; g < 16; g++) {
        int low = g < 8 ? p[g] & 15 : p[g - 8] >> 4, high = p[8 + g % 4] >> g / 4 * 2 & 3;
        to[16 * g + r] = (uint8_t)((low | high << 4) - 32);
    }
}

/* The eight 6-bit scales of IQ4_XS, less 32. */
static void iq4_scales(const uint8_t *p, int r, uint8_t *to)
{
    for (int b = 0; b < 8; b++) {
        int low = p[4 + b / 2] >> b % 2 * 4 & 15, high = (p[2] | p[3] << 8) >> 2 * b & 3;
        to[16 * b + r] = (uint8_t)((low | high << 4) - 32);
    }
}

/* Row r's scales of a chunk of n_groups. */
INLINE void put_scales(int type, const uint8_t *p, int n_groups, int r, uint8_t *to)
{
    const struct kern_type_info *t = kern_type_get(type);
    switch (forms[type].scales) {
    case KERN_SCALES_F16:
        for (int b = 0; b < n_groups; b++) memcpy(to + 32 * b + 2 * r, p + t->bytes * b, 2);
        break;
    case KERN_SCALES_F16_MIN:
        for (int b = 0; b < n_groups; b++) {
            memcpy(to + 64 * b + 2 * r, p + t->bytes * b, 2);
            memcpy(to + 64 * b + 32 + 2 * r, p + t->bytes * b + 2, 2);
        }
        break;
    case KERN_SCALES_E8M0:
        for (int b = 0; b < n_groups; b++) to[16 * b + r] = p[t->bytes * b];
        break;
    case KERN_SCALES_K_32:
        memcpy(to + 2 * r, p, 2);
        iq4_scales(p, r, to + 64);
        break;
    case KERN_SCALES_K_32_MIN:
        memcpy(to + 2 * r, p, 2);
        memcpy(to + 32 + 2 * r, p + 2, 2);
        k_scales(p + 4, r, to + 64);
        break;
    case KERN_SCALES_K_16:
        memcpy(to + 2 * r, p + t->bytes - 2, 2);
        if (type == KERN_Q3_K)
            q3_scales(p + 96, r, to + 64);
        else
            for (int g = 0; g < 16; g++) to[64 + 16 * g + r] = p[192 + g];
        break;
    case KERN_SCALES_K_16_MIN:
        memcpy(to + 2 * r, p + 80, 2);
        memcpy(to + 32 + 2 * r, p + 82, 2);
        for (int g = 0; g < 16; g++) to[64 + 16 * g + r] = p[g];
        break;
    }
}

/* With a constant type every switch above goes away. */
INLINE void pack_strip(const int type, const uint8_t *w, size_t row_bytes, int n_rows, size_t n, uint8_t *dst)
{
    const struct kern_type_info *t = kern_type_get(type);
    const struct kern_pack_form f = forms[type];
    for (size_t k = 0; k < n; k += KERN_CHUNK, w += KERN_CHUNK / t->block * t->bytes) {
        int n_groups = n - k < KERN_CHUNK ? (int)(n - k) / 32 : 8;
        uint8_t *quants = dst + kern_scales_bytes(f.scales, (size_t)n_groups);
        if (n_rows < KERN_STRIP || n_groups < 8) memset(dst, 0, (size_t)(quants - dst) + 64u * f.bits * n_groups);
        for (int r = 0; r < n_rows; r++) put_scales(type, w + (size_t)r * row_bytes, n_groups, r, dst);
        for (int b = 0; b < n_groups; b++, quants += 64 * f.bits) {
            for (int r = 0; r < n_rows; r++) {
                struct group g;
                group_of(type, w + (size_t)r * row_bytes, b, &g);
                put_group(f.bits, &g, r, quants);
            }
        }
        dst = quants;
    }
}

#define X(T, ...)                                                                                                    \
    static void pack_##T(const uint8_t *w, size_t row_bytes, int n_rows, size_t n, uint8_t *dst)                     \
    {                                                                                                                \
        pack_strip(KERN_##T, w, row_bytes, n_rows, n, dst);                                                          \
    }
KERN_PACK_TABLE(X)
#undef X

typedef void pack_fn(const uint8_t *w, size_t row_bytes, int n_rows, size_t n, uint8_t *dst);
static pack_fn *const packers[KERN_TYPE_COUNT] = {
#define X(T, ...) [KERN_##T] = pack_##T,
    KERN_PACK_TABLE(X)
#undef X
};

void kern_pack(int type, const void *w, size_t row_bytes, size_t n_out, size_t n, void *dst)
{
    size_t strip = kern_strip_bytes(type, n);
    for (size_t r = 0; r < n_out; r += KERN_STRIP) {
        int n_rows = n_out - r < KERN_STRIP ? (int)(n_out - r) : KERN_STRIP;
        packers[type]((const uint8_t *)w + r * row_bytes, row_bytes, n_rows, n,
                      (uint8_t *)dst + r / KERN_STRIP * strip);
    }
}
