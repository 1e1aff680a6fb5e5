/* lfm2: most layers are gated short convolutions, some are attention (those with key/value heads in the
 * metadata). A convolution layer: b, c, x = in_proj(h); y = out_proj(c * conv(b * x)), causal over the last
 * l_cache positions. */
#include "arch.h"

void model_arch_lfm2(struct arch *a)
{
    struct model *m = a->m;
    uint32_t n_embd = m->n_embd, window = model_u32(a, "attention.sliding_window", false, 0);
    model_common_embd(a, "token_embd_norm", 0); /* the converter's name for the *final* norm */
    model_common_rope(a, true);
    m->d_conv = model_u32(a, "shortconv.l_cache", true, 0);
    if (!a->rc && (m->d_conv < 2 || m->d_conv > MODEL_MAX_CONV))
        model_fail(a, CROFT_E_FORMAT, "lfm2.shortconv.l_cache is %u; it must be 2 to %d.", m->d_conv,
                   MODEL_MAX_CONV);
    if (!a->rc && !m->causal)
        model_fail(a, CROFT_E_UNSUPPORTED, "This lfm2 model is bidirectional, which is not supported.");
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        if (y->n_head_kv) {
            y->window = window;
            model_common_qkv(a, i, 1);
            model_common_qk_norm(a, i); /* [d_head] each */
            model_common_out(a, i, ARCH_SCALE);
        } else {
            y->kind = MODEL_SHORT_CONV;
            model_weight_get(a, &y->qkv, i, "shortconv.in_proj", n_embd, 3ull * n_embd, 0);
            y->conv = model_vec_get(a, i, "shortconv.conv", ".weight", (uint64_t)m->d_conv * n_embd, true);
            model_weight_get(a, &y->out, i, "shortconv.out_proj", n_embd, n_embd, 0);
        }
        model_norm_get(a, &y->ffn_norm, i, "ffn_norm", false); /* [n_embd] */
        model_common_ffn(a, i, 0);
    }
}
