/* qwen35: Qwen 3.5. Three layers in four are gated delta-nets (a recurrent state per head instead of cached
 * keys), the fourth is attention whose output is gated by a second half of the query projection. The norm
 * named post_attention_norm is the feed-forward network's input norm. Multi-token-prediction blocks after the
 * trunk are left aside.
 *
 * Text positions turn all rotary sections alike, so the interleaved multi-axis rotation of the vision
 * variants equals the ordinary one over the first n_rot elements. */
#include "arch.h"

static void delta_net(struct arch *a, unsigned i)
{
    struct model *m = a->m;
    struct model_layer *y = &m->layer[i];
    uint64_t value = (uint64_t)m->d_state * m->n_head_v, key = (uint64_t)m->d_state * m->n_head_k;
    uint64_t channels = 2 * key + value;
    y->kind = MODEL_DELTA_NET;
    model_weight_get(a, &y->qkv, i, "attn_qkv", m->n_embd, channels, ARCH_SCALE);
    model_weight_get(a, &y->z, i, "attn_gate", m->n_embd, value, ARCH_SCALE);
    model_weight_get(a, &y->beta, i, "ssm_beta", m->n_embd, m->n_head_v, ARCH_SCALE);
    model_weight_get(a, &y->alpha, i, "ssm_alpha", m->n_embd, m->n_head_v, ARCH_SCALE);
    y->conv = model_vec_get(a, i, "ssm_conv1d", ".weight", m->d_conv * channels, true);
    y->dt_bias = model_vec_get(a, i, "ssm_dt", ".bias", m->n_head_v, true);
    y->a = model_vec_get(a, i, "ssm_a", "", m->n_head_v, true); /* -exp(A_log) */
    y->state_norm = model_vec_get(a, i, "ssm_norm", ".weight", m->d_state, true);
    model_weight_get(a, &y->out, i, "ssm_out", value, m->n_embd, ARCH_SCALE);
}

static void state_sizes(struct arch *a)
{
    struct model *m = a->m;
    m->d_conv = model_u32(a, "ssm.conv_kernel", true, 0);
    m->d_state = model_u32(a, "ssm.state_size", true, 0);
    m->n_head_k = model_u32(a, "ssm.group_count", true, 0);
    m->n_head_v = model_u32(a, "ssm.time_step_rank", true, 0);
    uint64_t inner = model_u32(a, "ssm.inner_size", true, 0);
    if (a->rc) return;
    if (m->d_conv < 2 || m->d_conv > MODEL_MAX_CONV || !m->d_state || m->d_state > MODEL_MAX_HEAD ||
        !m->n_head_k || m->n_head_k > MODEL_MAX_HEADS || !m->n_head_v || m->n_head_v > MODEL_MAX_HEADS ||
        m->n_head_v % m->n_head_k || inner != (uint64_t)m->d_state * m->n_head_v)
        model_fail(a, CROFT_E_FORMAT,
                   "The delta-net sizes do not fit together (conv_kernel %u, state_size %u, group_count %u, "
                   "time_step_rank %u, inner_size %llu).",
                   m->d_conv, m->d_state, m->n_head_k, m->n_head_v, (unsigned long long)inner);
}

void model_arch_qwen35(struct arch *a)
{
    struct model *m = a->m;
    uint32_t recurrent[MODEL_MAX_LAYERS], interval = model_u32(a, "full_attention_interval", false, 4);
    model_common_embd(a, "output_norm", 0);
    model_common_rope(a, true);
    state_sizes(a);
    bool listed = model_has(a, "attention.recurrent_layers");
    if (listed) model_u32_layers(a, "attention.recurrent_layers", true, 0, recurrent);
    for (unsigned i = 0; i < m->n_layer && !a->rc; i++) {
        struct model_layer *y = &m->layer[i];
        model_norm_get(a, &y->attn_norm, i, "attn_norm", false); /* [n_embd] */
        if (listed ? recurrent[i] : (interval == 0 || (i + 1) % interval != 0)) {
            delta_net(a, i);
        } else {
            y->gated = true;
            model_common_qkv(a, i, 2); /* q: [n_head][d_head query, d_head gate] */
            model_common_qk_norm(a, i);
            model_common_out(a, i, ARCH_SCALE);
        }
        model_norm_get(a, &y->ffn_norm, i, "post_attention_norm", false);
        model_common_ffn(a, i, ARCH_SCALE_LAST);
    }
}
