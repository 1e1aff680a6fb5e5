/* One row of packed weights as floats (kern_pack.h draws the layout): an embedding matrix that is the output head too
 * is packed for the head, and a token needs a row of it. Plain C: a row is some thousand numbers. */
#include "f16.h"
#include "kern_pack.h"
#include "ref/ref.h"

/* Row r's element j of a group. */
static int quant_of(int bits, const uint8_t *group, int r, int j)
{
    const uint8_t *p = group + 4 * r + j % 4;
    int v = j / 4, q = 0;
    if (bits == 8) return p[64 * v];
    if (bits >= 4) {
        q = p[64 * (v % 4)] >> v / 4 * 4 & 15;
        p += 256;
    }
    if (bits == 2 || bits == 3 || bits == 6) {
        q |= (p[64 * (v / 4)] >> 2 * (v % 4) & 3) << (bits == 6 ? 4 : 0);
        p += 128;
    }
    if (bits == 3 || bits == 5) q |= (p[0] >> v & 1) << (bits == 3 ? 2 : 4);
    return q;
}

static float f16_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return f16_to_f32_one(h);
}

/* Row r's factor and addend for half h (16 elements) of group b of a chunk. */
static void scale_of(enum kern_scales form, const uint8_t *p, int b, int h, int r, float *s, float *m)
{
    float d = f16_at(p + 2 * r), dmin = f16_at(p + 32 + 2 * r);
    *m = 0;
    switch (form) {
    case KERN_SCALES_F16:
        *s = f16_at(p + 32 * b + 2 * r);
        break;
    case KERN_SCALES_F16_MIN:
        *s = f16_at(p + 64 * b + 2 * r);
        *m = f16_at(p + 64 * b + 32 + 2 * r);
        break;
    case KERN_SCALES_E8M0:
        *s = kern_ref_e8m0_half(p[16 * b + r]);
        break;
    case KERN_SCALES_K_32:
        *s = d * (float)(int8_t)p[64 + 16 * b + r];
        break;
    case KERN_SCALES_K_32_MIN:
        *s = d * (float)p[64 + 32 * b + r];
        *m = -(dmin * (float)p[64 + 32 * b + 16 + r]);
        break;
    case KERN_SCALES_K_16:
        *s = d * (float)(int8_t)p[64 + 16 * (2 * b + h) + r];
        break;
    case KERN_SCALES_K_16_MIN:
        *s = d * (float)(p[64 + 16 * (2 * b + h) + r] & 15);
        *m = -(dmin * (float)(p[64 + 16 * (2 * b + h) + r] >> 4));
        break;
    }
}

void kern_unpack_row(int type, const void *strips, size_t row, size_t n, float *y)
{
    const struct kern_pack_form *f = kern_pack_form(type);
    const int8_t *table = f->table == KERN_TABLE_IQ4 ? kern_ref_iq4_values : kern_ref_mxfp4_values;
    const uint8_t *p = (const uint8_t *)strips + row / KERN_STRIP * kern_strip_bytes(type, n);
    int r = (int)(row % KERN_STRIP);
    for (size_t k = 0; k < n; k += KERN_CHUNK) {
        int n_groups = n - k < KERN_CHUNK ? (int)(n - k) / 32 : 8;
        const uint8_t *quants = p + kern_scales_bytes(f->scales, (size_t)n_groups);
        for (int b = 0; b < n_groups; b++, quants += 64 * f->bits) {
            float s = 0, m = 0;
            for (int j = 0; j < 32; j++) {
                int q = quant_of(f->bits, quants, r, j);
                if (j % 16 == 0) scale_of(f->scales, p, b, j / 16, r, &s, &m);
                *y++ = s * (float)(f->table ? table[q] : q - f->offset) + m;
            }
        }
        p = quants;
    }
}
