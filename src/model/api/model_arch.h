/* A model: what a GGUF's metadata and tensors mean to the forward pass. Each architecture family is one file,
 * src/model/arch_<family>.c, that reads its hyperparameters, names its tensors and fills this plan; the
 * forward pass (src/infer/forward.c) runs any plan and knows no family. How to add one:
 * docs/ADDING_AN_ARCHITECTURE.md.
 *
 * A plan is read-only after model_new and borrows the GGUF (weights point into the map): close
 * the GGUF after model_free. Share it freely between threads. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "model_gguf.h"

/* Limits on hyperparameters: larger ones are a damaged or hostile file. */
enum {
    MODEL_MAX_LAYERS = 512,
    MODEL_MAX_HEADS = 1024,
    MODEL_MAX_HEAD = 1024,
    MODEL_MAX_WIDTH = 1 << 20,
    MODEL_MAX_VOCAB = 1 << 22,
    MODEL_MAX_CONV = 32
};

/* y[n_out] = scale * W x[n_in] + bias, or scale * (W x + bias) when scale_last. data NULL: the weight is
 * absent. */
struct model_weight {
    const void *data; /* n_out rows of row_bytes, in the map */
    size_t row_bytes;
    int type; /* enum kern_type */
    uint32_t n_in, n_out;
    const float *bias; /* [n_out] or NULL */
    float scale;
    bool scale_last;
    size_t strip_bytes; /* the engine wants the rows as strips (kern_pack.h) of so many bytes; 0: as they are */
    const void *packed; /* the strips, or NULL while they are not made; set by another thread, read it atomically */
};

struct model_norm {
    const float *w, *b; /* w NULL: no norm here; b NULL: no bias */
};

/* Rotary position: pair j of a head turns by angle(pos, j); see src/infer/rope.c for the formula. */
struct model_rope {
    bool neox;      /* pairs are (j, j + n_rot/2); otherwise (2j, 2j + 1) */
    uint32_t n_rot; /* leading elements of a head that turn */
    float base, freq_scale;
    float ext_factor, attn_factor, corr_low, corr_high; /* YaRN; ext_factor 0: off */
    const float *factors, *factors_long;                /* [n_rot/2] divisors of the frequency, or NULL */
    uint32_t n_ctx_orig;                                /* a session longer than this uses factors_long */
};

enum model_kind { MODEL_ATTENTION, MODEL_DELTA_NET, MODEL_SHORT_CONV };

struct model_layer {
    enum model_kind kind;
    struct model_norm attn_norm;      /* before the mixer (attention, delta-net or convolution) */
    struct model_norm attn_post_norm; /* on the mixer's output, before the residual is added (gemma) */
    struct model_norm attn_out_norm;  /* after the residual is added (bert) */
    struct model_norm ffn_norm, ffn_post_norm, ffn_out_norm; /* the same around the feed-forward network */

    /* Attention. gated: q holds [n_head][query d_head, gate d_head]; the output is multiplied by
     * sigmoid(gate). */
    struct model_weight q, k, v;
    const float *q_norm, *k_norm; /* [d_head] RMS norm of each head, or NULL */
    uint32_t n_head, n_head_kv;
    uint32_t window; /* a position sees itself and window - 1 before it; 0: all */
    int rope;        /* index of model.rope, or -1: none */
    bool gated;

    /* Delta-net: qkv [2 * n_head_k * d_state + n_head_v * d_state] goes through a causal convolution over
     * time and SiLU; z gates the output; beta and alpha [n_head_v] steer the state. Short convolution: qkv
     * holds b, c, x. */
    struct model_weight qkv, z, beta, alpha;
    const float *conv;                     /* [channels, d_conv] */
    const float *dt_bias, *a, *state_norm; /* [n_head_v], [n_head_v], [d_state] */

    struct model_weight out; /* of the mixer, back to n_embd */

    struct model_weight gate, up, down; /* gate absent: plain act(up) */
};

enum model_act { MODEL_SILU, MODEL_GELU };
enum model_pool { MODEL_POOL_NONE, MODEL_POOL_MEAN, MODEL_POOL_CLS, MODEL_POOL_LAST };

struct model {
    char arch[32];
    uint32_t n_vocab, n_embd, n_layer, n_ctx_train;
    uint32_t n_ff_max, n_head_max, n_head_kv_max;
    uint32_t d_head, d_head_v; /* elements of a key (and query) head, of a value head */
    float norm_eps;
    bool layer_norm; /* LayerNorm instead of RMS norm */
    bool causal;     /* false: an encoder; every position sees all */
    enum model_act act;
    enum model_pool pool;

    float embd_scale;                  /* embeddings are multiplied by it */
    float attn_scale;                  /* of q.k */
    float attn_softcap, logit_softcap; /* 0: off */
    float
        temp_scale; /* attention temperature by position: 1 + temp_scale * log(1 + floor(pos / temp_floor)) */
    uint32_t temp_floor;

    uint32_t d_conv;                      /* taps of the convolution (delta-net, short convolution) */
    uint32_t d_state, n_head_k, n_head_v; /* delta-net */

    struct model_weight embd;     /* [n_vocab, n_embd] */
    struct model_weight pos_embd; /* [n_ctx_train, n_embd] (bert) */
    const float *type_embd;       /* [n_embd] row 0 (bert) */
    struct model_norm embd_norm, out_norm;
    struct model_weight head; /* [n_vocab, n_embd]; absent in encoders */

    struct model_rope rope[2];
    struct model_layer *layer; /* [n_layer] */
    uint64_t n_params;
    uint64_t weight_bytes; /* read for one token: all weights but the embedding table (which counts when it is
                              the head) */
    float **owned;         /* vectors converted to f32 */
    unsigned n_owned;
};

/* UNSUPPORTED names an unknown architecture (and lists the known ones) or a feature that is not implemented;
 * FORMAT names the hyperparameter or tensor that is missing or has the wrong shape. `g` is borrowed. */
int model_new(const struct gguf *g, struct model **out, struct err *e) ERR_CHECK;
void model_free(struct model *m);

/* Calls fn for every weight of a matrix product (not for the embedding tables). */
void model_each_product(struct model *m, void (*fn)(struct model_weight *w, void *ctx), void *ctx);
bool model_is_recurrent(const struct model *m); /* has layers whose state cannot be rewound */
const char *const *model_families(void);        /* NULL-terminated names */
const char *model_kind_name(enum model_kind kind);

#endif
