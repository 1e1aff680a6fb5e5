/* Numeric kernels: one table of pointers. It is filled with plain C first (src/kern/ref, the specification) and then
 * overridden upwards, level by level, stopping at the first level that CPU and operating system do not both support.
 * CROFT_CPU=ref|avx2|avx512|vnni|amx|neon|dotprod|i8mm forces a level (an unsupported one is an error).
 *
 * All kernels are pure functions of their arguments: no allocation, no globals, safe from any thread. Pointers need
 * no alignment beyond that of their element type. Outputs do not overlap inputs unless said. */
#ifndef KERN_OPS_H
#define KERN_OPS_H

#include "base_err.h"
#include "kern_pack.h"

/* Activations of a matrix product: n_rows rows of n floats, and the same rows as int8 for quantised weights.
 * int8 form: blocks of 32; x ≈ d[b] * q[i]; sum16[j] = sum of q over elements 16j … 16j+15 (for types with a minimum or
 * an offset). Symmetric round-to-nearest (ties away from zero): d = max|x| / 127. n must be a multiple of 32 for it. */
struct kern_act {
    size_t n, n_rows;
    const float *f32; /* [n_rows, ld] */
    size_t ld;        /* floats between rows, ≥ n */
    int8_t *q;        /* [n_rows, n] */
    float *d;         /* [n_rows, n/32] */
    int16_t *sum16;   /* [n_rows, n/16] */
    /* NULL, or the rows rounded to bf16 (to nearest, ties to even; subnormal numbers become zero) in tiles of 16 rows
     * and 32 elements, [n_rows/16 rounded up][n/32][16][32]. Packed products of at least kern_ops.bf16_rows rows then
     * read these and round the weights as well; sums are float. */
    uint16_t *bf16;
};
enum { KERN_BF16_TILE = 16 * 32 };
/* Index of element k (a multiple of 32) of a row. */
static inline size_t kern_bf16_at(size_t n, size_t row, size_t k)
{
    return (row / 16 * (n / 32) + k / 32) * KERN_BF16_TILE + row % 16 * 32;
}
/* Which form gemm of a weight type reads. F32, F16, BF16 read f32; all others read int8. */
bool kern_type_wants_q8(int type);

/* y[t*ldy + r] = sum_k w[r][k] * x[t][k] for r in [0, n_out), t in [0, x->n_rows). w: n_out rows of `row_bytes`. */
typedef void kern_gemm_fn(const void *w, size_t row_bytes, size_t n_out, const struct kern_act *x, float *y,
                          size_t ldy);
typedef void kern_dequant_fn(const void *src, float *dst, size_t n); /* n a multiple of the block */

/* How a head's keys and values are cached. Keys lie in strips: KERN_KV_STRIP positions side by side, element by
 * element, so that a vector holds one element of many keys and each lane adds up the score of its own. Values lie in
 * rows, because an output element adds up over positions. n positions take n rounded up to whole strips times
 * kern_kv_row_bytes(kv, d), for keys and for values; d is padded to a multiple of KERN_KV_STRIP with anything.
 *
 *   keys    F32, F16   strip: element [d][KERN_KV_STRIP]
 *           Q8_0       strip: [d/32] of { f16 scale[KERN_KV_STRIP]; int8 q[32][KERN_KV_STRIP] }
 *   values  F32, F16   row: element [d]
 *           Q8_0       row: [d/32] of { f16 scale; int8 q[32] } */
enum kern_kv { KERN_KV_F32, KERN_KV_F16, KERN_KV_Q8_0, KERN_KV_COUNT };
enum { KERN_KV_STRIP = 16 };
size_t kern_kv_row_bytes(enum kern_kv kv, size_t d); /* 0 if the type cannot hold rows of d: Q8_0 takes blocks of 32 */

/* Queries over the cached positions of one head. Query i meets the positions j in [from[i], to[i]):
 *
 *   s_ij = scale q_i.k_j, softcap tanh(s_ij / softcap) if there is a cap
 *   max_i = max s_ij      sum_i = sum_j exp(s_ij - max_i)      out_i = sum_j exp(s_ij - max_i) v_j
 *
 * max, sum and out are added to: -INFINITY, 0 and 0 start, and a second call goes on with other positions, which makes
 * it the attention over both. out_i / sum_i is the weighted mean of the values. */
struct kern_attn {
    const float *q; /* [n_q, d] */
    size_t n_q, d, d_v;
    const void *k, *v;           /* position 0 of the head */
    const void *next_k, *next_v; /* where the caller goes on, worth fetching; NULL: it does not */
    const uint32_t *from, *to;
    float scale, softcap;
    float *max, *sum, *out; /* [n_q], [n_q], [n_q, d_v padded] */
};
static inline size_t kern_kv_padded(size_t d) { return (d + KERN_KV_STRIP - 1) / KERN_KV_STRIP * KERN_KV_STRIP; }

enum kern_peak { KERN_PEAK_F32, KERN_PEAK_INT8, KERN_PEAK_COUNT };

struct kern_ops {
    const char *level;                       /* "ref", "avx2", … the highest level in this table */
    const char *gemm_level[KERN_TYPE_COUNT]; /* the level each matrix product comes from */

    kern_gemm_fn *gemm[KERN_TYPE_COUNT];
    /* The same product from packed weights: w is a strip of kern_pack.h, row_bytes its kern_strip_bytes, n_out counts
     * rows. NULL: this level reads the type as the file has it. */
    kern_gemm_fn *gemm_packed[KERN_TYPE_COUNT];
    kern_dequant_fn *dequant[KERN_TYPE_COUNT];
    /* One row into the int8 form; sum16 has n/16 entries. */
    void (*act_quantize)(const float *x, size_t n, int8_t *q, float *d, int16_t *sum16);

    /* Rows from which on packed products read bf16, as many rows and columns at once as there are; 0: they never do. */
    size_t bf16_rows;
    /* One row into the bf16 form, to its first tile; n a multiple of 32. */
    void (*act_bf16)(const float *x, size_t n, uint16_t *to);

    void (*f32_to_f16)(const float *x, uint16_t *y, size_t n); /* round to nearest even */
    void (*f16_to_f32)(const uint16_t *x, float *y, size_t n);
    void (*f32_to_q8_0)(const float *x, void *y, size_t n);    /* Q8_0 blocks, n a multiple of 32 */

    float (*dot)(const float *a, const float *b, size_t n);
    void (*axpy)(float a, const float *x, float *y, size_t n); /* y += a x */
    void (*scale)(float a, float *x, size_t n);
    void (*add)(const float *a, const float *b, float *y, size_t n); /* y may be a or b */
    void (*mul)(const float *a, const float *b, float *y, size_t n); /* y may be a or b */

    void (*rms_norm)(const float *x, const float *w, float *y, size_t n, float eps); /* w NULL: 1; y may be x */
    void (*layer_norm)(const float *x, const float *w, const float *b, float *y, size_t n, float eps);
    void (*softmax)(float *x, size_t n);                                   /* in place, max subtracted */
    void (*silu_mul)(const float *gate, const float *up, float *y, size_t n); /* y = silu(gate)*up; y may be either */
    void (*gelu_mul)(const float *gate, const float *up, float *y, size_t n); /* tanh form; up NULL: 1 */
    void (*softcap)(float *x, size_t n, float cap);                        /* cap * tanh(x / cap) */

    void (*attend[KERN_KV_COUNT])(const struct kern_attn *a);

    /* Do `rounds` rounds of independent multiply-adds in registers and return the operations done (2 each): the highest
     * rate that this level's instructions allow, for comparing measured rates with. NULL where a level has none. */
    uint64_t (*peak[KERN_PEAK_COUNT])(uint64_t rounds);
};

/* Store the key x, or the value x, of a position. */
void kern_kv_put_key(const struct kern_ops *ops, enum kern_kv kv, const float *x, size_t d, void *keys, size_t pos);
void kern_kv_put_value(const struct kern_ops *ops, enum kern_kv kv, const float *x, size_t d, void *values, size_t pos);

/* The table in use: chosen at the first call from CROFT_CPU or the machine. NULL and *e if CROFT_CPU names a level
 * that does not exist or is not supported here. Thread-safe. */
const struct kern_ops *kern_get(struct err *e);
/* For tests and doctor: level names from lowest to highest (NULL-terminated), and the table up to a level;
 * NULL if this machine cannot run it. */
const char *const *kern_levels(void);
const struct kern_ops *kern_level_get(const char *level);

#endif
