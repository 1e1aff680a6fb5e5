/* bert: encoders for embeddings (MiniLM, BGE). Learned positions, LayerNorm *after* each residual addition,
 * biases everywhere, plain GELU, no causal mask and no output head. Token type is always 0 ("sentence A"). */
#include "arch.h"

void model_arch_bert(struct arch *a)
{
    struct model *m = a->m;
    uint32_t n_embd = m->n_embd;
    m->layer_norm = true;
    m->act = MODEL_GELU;
    model_weight_get(a, &m->embd, -1, "token_embd", n_embd, m->n_vocab, 0);
    model_weight_get(a, &m->pos_embd, -1, "position_embd", n_embd, m->n_ctx_train, 0);
    uint32_t n_types = 0;
    if (!gguf_get_u32(a->g, "tokenizer.ggml.token_type_count", &n_types) || n_types == 0 || n_types > 1024)
        model_fail(a, CROFT_E_FORMAT, "A bert model needs tokenizer.ggml.token_type_count (1 to 1024).");
    m->type_embd = model_vec_get(a, -1, "token_types", ".weight", (uint64_t)n_types * n_embd, false);
    model_norm_get(a, &m->embd_norm, -1, "token_embd_norm", true);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        y->rope = -1;
        model_common_qkv(a, i, 1);
        model_common_out(a, i, ARCH_BIAS | ARCH_SCALE);
        model_norm_get(a, &y->attn_out_norm, i, "attn_output_norm", true); /* [n_embd] w and b */
        model_weight_get(a, &y->up, i, "ffn_up", n_embd, a->n_ff[i], ARCH_BIAS);
        model_weight_get(a, &y->down, i, "ffn_down", a->n_ff[i], n_embd, ARCH_BIAS);
        model_norm_get(a, &y->ffn_out_norm, i, "layer_output_norm", true);
    }
}
