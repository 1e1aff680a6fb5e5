/* The layout of a KV cache (kern_ops.h draws it): sizes, and how a key or a value gets there. Keys are converted in
 * pieces of a row and then dealt out over the strip, one element every KERN_KV_STRIP. Owns nothing.
 * Read next: body/attn.h. */
#include "kern_ops.h"
#include "levels.h"

#include <string.h>

size_t kern_kv_row_bytes(enum kern_kv kv, size_t d)
{
    if (kv == KERN_KV_Q8_0) return kern_row_bytes(KERN_Q8_0, d);
    return kern_kv_padded(d) * (kv == KERN_KV_F32 ? sizeof(float) : sizeof(uint16_t));
}

static void convert(const struct kern_ops *ops, enum kern_kv kv, const float *x, void *y, size_t n)
{
    if (kv == KERN_KV_F32) memcpy(y, x, n * sizeof *x);
    else if (kv == KERN_KV_F16) ops->f32_to_f16(x, y, n);
    else ops->f32_to_q8_0(x, y, n);
}

void kern_kv_put_value(const struct kern_ops *ops, enum kern_kv kv, const float *x, size_t d, void *values, size_t pos)
{
    convert(ops, kv, x, (uint8_t *)values + pos * kern_kv_row_bytes(kv, d), d);
}

/* n units of `size` bytes, KERN_KV_STRIP units apart. */
static inline void deal(const uint8_t *from, uint8_t *to, const size_t size, size_t n)
{
    for (size_t i = 0; i < n; i++) memcpy(to + i * KERN_KV_STRIP * size, from + i * size, size);
}

void kern_kv_put_key(const struct kern_ops *ops, enum kern_kv kv, const float *x, size_t d, void *keys, size_t pos)
{
    enum { PIECE = 256 };
    float row[PIECE];
    const uint8_t *bytes = (const uint8_t *)row;
    size_t row_bytes = kern_kv_row_bytes(kv, d), lane = pos % KERN_KV_STRIP;
    uint8_t *strip = (uint8_t *)keys + (pos - lane) * row_bytes;
    for (size_t e = 0; e < d; e += PIECE) {
        size_t n = d - e < PIECE ? d - e : PIECE;
        convert(ops, kv, x + e, row, n);
        if (kv == KERN_KV_F32) deal(bytes, strip + 4 * (e * KERN_KV_STRIP + lane), 4, n);
        else if (kv == KERN_KV_F16) deal(bytes, strip + 2 * (e * KERN_KV_STRIP + lane), 2, n);
        for (size_t b = 0; kv == KERN_KV_Q8_0 && b < n / 32; b++) {
            uint8_t *block = strip + (e / 32 + b) * 34 * KERN_KV_STRIP;
            memcpy(block + 2 * lane, bytes + 34 * b, 2);
            deal(bytes + 34 * b + 2, block + 2 * KERN_KV_STRIP + lane, 1, 32);
        }
    }
}
