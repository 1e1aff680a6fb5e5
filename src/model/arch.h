/* What an architecture family's file uses to read its metadata and claim its tensors (implementation:
 * model.c).
 *
 * The first failure sticks: after it every helper does nothing and returns zero values, so a family reads top
 * to bottom without checks. Names: key "attention.head_count" means "<arch>.attention.head_count"; tensor
 * "attn_q" of layer 3 means "blk.3.attn_q.weight" (with ".bias" and ".scale" beside it). A tensor that nobody
 * claimed is reported at the end: an unknown tensor means that the file is a variant we would compute
 * wrongly. */
#ifndef ARCH_H
#define ARCH_H

#include "kern_ops.h"
#include "model_arch.h"

struct arch {
    const struct gguf *g;
    struct model *m;
    const struct kern_ops *k;
    struct err *e;
    int rc;                              /* the first failure */
    bool reads_yarn;                     /* this family's YaRN parameters come from the file */
    unsigned char *used;                 /* [n_tensors] claimed */
    uint32_t *n_head, *n_head_kv, *n_ff; /* [n_layer_all] as the metadata says, per layer */
    uint32_t n_layer_all; /* blocks in the file: m->n_layer, and multi-token-prediction blocks */
};

enum arch_flags {
    ARCH_OPTIONAL = 1, /* the tensor may be absent */
    ARCH_BIAS = 2,     /* a bias is allowed */
    ARCH_NEED_BIAS = 4,
    ARCH_SCALE = 8,       /* a scale is applied: scale * W x + bias */
    ARCH_SCALE_LAST = 16, /* a scale is applied: scale * (W x + bias) */
};

bool model_fail(struct arch *a, int code, const char *fmt, ...)
    PRINTF_LIKE(3, 4); /* keeps the first; false */

/* Metadata. `need`: absent is a FORMAT error; otherwise absent leaves `fallback`. */
uint32_t model_u32(struct arch *a, const char *key, bool need, uint32_t fallback);
float model_f32(struct arch *a, const char *key, bool need, float fallback);
/* One number for all layers, or an array with one per layer. Absent: all `fallback`. */
void model_u32_layers(struct arch *a, const char *key, bool need, uint32_t fallback, uint32_t *out);
bool model_has(struct arch *a, const char *key);

/* Tensors. layer < 0: not of a block. */
void model_weight_get(struct arch *a, struct model_weight *w, int layer, const char *name, uint64_t n_in,
                      uint64_t n_out, unsigned flags);
/* `suffix` is ".weight", ".bias" or "". NULL if absent. */
const float *model_vec_get(struct arch *a, int layer, const char *name, const char *suffix, uint64_t n,
                           bool need);
void model_norm_get(struct arch *a, struct model_norm *n, int layer, const char *name, bool bias);
/* Rows [first, first + n) of a fused weight, as a weight of its own. */
struct model_weight model_weight_rows(const struct model_weight *w, uint64_t first, uint64_t n);

/* Pieces that most families share. */
/* token_embd, the final norm, output (or tied to token_embd) */
void model_common_embd(struct arch *a, const char *out_norm, unsigned head_flags);
/* attn_qkv, or attn_q, attn_k and attn_v; optional biases and scales */
void model_common_qkv(struct arch *a, unsigned layer, uint32_t q_factor);
void model_common_out(struct arch *a, unsigned layer, unsigned flags); /* attn_output */
void model_common_ffn(struct arch *a, unsigned layer, unsigned flags); /* ffn_gate, ffn_up, ffn_down */
void model_common_qk_norm(struct arch *a, unsigned layer);
/* rope[0] from the metadata: base, linear scaling, YaRN. */
void model_common_rope(struct arch *a, bool neox);
void model_common_rope_factors(struct arch *a); /* rope_freqs, or rope_factors_long and _short */
/* Sliding windows: is_swa[i] by the metadata's pattern (an array, or every `period`-th layer is global). */
void model_common_windows(struct arch *a, uint32_t window, uint32_t period);

/*  X(family) */
#define ARCH_TABLE(X)                                                                                        \
    X(llama) X(mistral3) X(smollm3) X(qwen2) X(qwen3) X(qwen35) X(gemma2) X(gemma3) X(phi3) X(lfm2) X(bert)
#define X(name) void model_arch_##name(struct arch *a);
ARCH_TABLE(X)
#undef X

#endif
