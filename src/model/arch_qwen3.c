/* qwen3: as qwen2 without biases, with an RMS norm on every query and key head before it turns. */
#include "arch.h"

void model_arch_qwen3(struct arch *a)
{
    struct model *m = a->m;
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, true);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        model_common_qkv(a, i, 1);
        model_common_qk_norm(a, i); /* [d_head] each */
        model_common_out(a, i, ARCH_SCALE);
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false); /* [n_embd] */
        model_common_ffn(a, i, ARCH_SCALE_LAST);
    }
}
