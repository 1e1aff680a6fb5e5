/* llama: Llama 2 and 3.x, Mistral, SmolLM and the many models converted to their shape. Pre-norm decoder,
 * grouped query attention, rotary positions in adjacent pairs (Llama 3.x stores frequency divisors in
 * rope_freqs), SwiGLU. Plain conversions have no biases; variants with biases and per-tensor scales use the
 * same names. Next to read: model.c for the helpers, src/infer/forward.c for what runs. */
#include "arch.h"

void model_arch_llama(struct arch *a)
{
    struct model *m = a->m;
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, false);
    model_common_rope_factors(a);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        model_common_qkv(a, i, 1);                               /* [n_embd] -> heads of q, k, v */
        model_common_out(a, i, ARCH_BIAS | ARCH_SCALE);          /* [n_head * d_head] -> [n_embd] */
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false);   /* [n_embd] */
        model_common_ffn(a, i, ARCH_BIAS | ARCH_SCALE_LAST);     /* [n_embd] -> [n_ff] -> [n_embd] */
    }
}
