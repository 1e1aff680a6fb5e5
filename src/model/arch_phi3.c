/* phi3: Phi-3 and Phi-4-mini. Fused q,k,v and fused gate,up; rotary part of a head only (Phi-4-mini);
 * LongRoPE: one set of frequency divisors for sessions within the original context and one for longer ones.
 * The sliding window that some files declare is not applied, as in the reference: the conversions do not
 * carry its layer pattern. */
#include "arch.h"

void model_arch_phi3(struct arch *a)
{
    struct model *m = a->m;
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, true);
    model_common_rope_factors(a);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        uint32_t n_ff = a->n_ff[i];
        struct model_weight gate_up;
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        model_common_qkv(a, i, 1);
        model_common_out(a, i, ARCH_SCALE);
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false); /* [n_embd] */
        model_weight_get(a, &gate_up, i, "ffn_up", m->n_embd, 2ull * n_ff, 0);
        y->gate = model_weight_rows(&gate_up, 0, n_ff);
        y->up = model_weight_rows(&gate_up, n_ff, n_ff);
        model_weight_get(a, &y->down, i, "ffn_down", n_ff, m->n_embd, 0);
    }
}
