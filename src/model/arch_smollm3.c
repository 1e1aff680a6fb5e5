/* smollm3: a llama in which every fourth layer has no positions at all. */
#include "arch.h"

enum { NO_ROPE_STEP = 4 };

void model_arch_smollm3(struct arch *a)
{
    struct model *m = a->m;
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, false);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        model_common_qkv(a, i, 1);
        model_common_out(a, i, ARCH_SCALE);
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false); /* [n_embd] */
        model_common_ffn(a, i, 0);
        if ((i + 1) % NO_ROPE_STEP == 0) y->rope = -1;
    }
}
