/* gemma3: gemma2 without the cap on scores, with q and k norms, five windowed layers to one global; windowed
 * layers turn with a base frequency of their own and are not scaled. */
#include "arch.h"

#include <math.h>

enum { LAYERS_27B = 62 }; /* the one size that scales scores by n_embd / n_head instead of the head's size */

void model_arch_gemma3(struct arch *a)
{
    struct model *m = a->m;
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, true);
    m->rope[1] = m->rope[0];
    m->rope[1].base = model_f32(a, "rope.freq_base_swa", false, 10000.0f);
    m->rope[1].freq_scale = 1.0f;
    m->act = MODEL_GELU;
    m->embd_scale = sqrtf((float)m->n_embd);
    m->logit_softcap = model_f32(a, "final_logit_softcapping", false, 0);
    if (m->n_layer == LAYERS_27B) m->attn_scale = 1.0f / sqrtf((float)(m->n_embd / a->n_head[0]));
    model_common_windows(a, model_u32(a, "attention.sliding_window", false, 0), 6);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        y->rope = y->window ? 1 : 0;
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd], as the three below */
        model_common_qkv(a, i, 1);
        model_common_qk_norm(a, i); /* [d_head] each */
        model_common_out(a, i, ARCH_SCALE);
        model_norm_get(a, &y->attn_post_norm, i, "post_attention_norm", false);
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false);
        model_common_ffn(a, i, 0);
        model_norm_get(a, &y->ffn_post_norm, i, "post_ffw_norm", false);
    }
}
