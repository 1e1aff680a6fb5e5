/* Building a model's plan from a GGUF (model_arch.h): hyperparameters, tensor lookup with shape checks, and
 * the pieces that most families share. The families themselves are arch_<family>.c; their helpers are
 * declared in arch.h.
 *
 * Everything in the file is hostile until checked here: afterwards the forward pass trusts the plan. In
 * particular all sizes are bounded (MODEL_MAX_…), every tensor has exactly the shape that the hyperparameters
 * ask for, heads divide evenly, and weights are aligned for their element type.
 *
 * Next to read: arch_llama.c (the plainest family), then src/infer/forward.c. */
#include "arch.h"
#include "base_mem.h"

#include <math.h>
#include <stdarg.h>

static const struct family {
    const char *name;
    void (*fill)(struct arch *a);
} families[] = {
#define X(name) {#name, model_arch_##name},
    ARCH_TABLE(X)
#undef X
};
enum {
    N_FAMILIES = sizeof families / sizeof families[0],
    KEY_MAX = 128,
    MAX_OWNED = 16 * MODEL_MAX_LAYERS + 16,
    SMALL = 1 << 15 /* elements */
};

const char *const *model_families(void)
{
    static const char *const names[] = {
#define X(name) #name,
        ARCH_TABLE(X)
#undef X
            NULL};
    return names;
}

const char *model_kind_name(enum model_kind kind)
{
    return kind == MODEL_ATTENTION   ? "attention"
           : kind == MODEL_DELTA_NET ? "delta-net"
                                     : "short convolution";
}

bool model_fail(struct arch *a, int code, const char *fmt, ...)
{
    if (a->rc) return false;
    char msg[sizeof a->e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    a->rc = err_set(a->e, code, "model", -1, "%s", msg);
    return false;
}

/* ---- metadata ---- */

static const struct gguf_kv *find(struct arch *a, const char *key, char name[KEY_MAX])
{
    snprintf(name, KEY_MAX, "%s.%s", a->m->arch, key);
    return a->rc ? NULL : gguf_find(a->g, name);
}

bool model_has(struct arch *a, const char *key)
{
    char name[KEY_MAX];
    return find(a, key, name) != NULL;
}

uint32_t model_u32(struct arch *a, const char *key, bool need, uint32_t fallback)
{
    char name[KEY_MAX];
    uint32_t v = fallback;
    if (!find(a, key, name)) {
        if (need) model_fail(a, CROFT_E_FORMAT, "The model's metadata lacks %s.", name);
    } else if (!gguf_get_u32(a->g, name, &v)) {
        model_fail(a, CROFT_E_FORMAT, "The metadata %s is not an unsigned 32-bit number.", name);
    }
    return a->rc ? 0 : v;
}

float model_f32(struct arch *a, const char *key, bool need, float fallback)
{
    char name[KEY_MAX];
    float v = fallback;
    if (!find(a, key, name)) {
        if (need) model_fail(a, CROFT_E_FORMAT, "The model's metadata lacks %s.", name);
    } else if (!gguf_get_f32(a->g, name, &v) || !isfinite(v)) {
        model_fail(a, CROFT_E_FORMAT, "The metadata %s is not a finite number.", name);
    }
    return a->rc ? 0 : v;
}

void model_u32_layers(struct arch *a, const char *key, bool need, uint32_t fallback, uint32_t *out)
{
    char name[KEY_MAX];
    const struct gguf_kv *kv = find(a, key, name);
    for (uint32_t i = 0; i < a->n_layer_all; i++) out[i] = fallback;
    if (a->rc) return;
    if (!kv) {
        if (need) model_fail(a, CROFT_E_FORMAT, "The model's metadata lacks %s.", name);
        return;
    }
    bool array = kv->type == GGUF_ARRAY;
    enum gguf_type type = array ? kv->elem : kv->type;
    if (type == GGUF_STRING || type == GGUF_F32 || type == GGUF_F64 || (array && kv->n < a->n_layer_all)) {
        model_fail(a, CROFT_E_FORMAT, "The metadata %s is not a number, nor a list of one per layer.", name);
        return;
    }
    for (uint32_t i = 0; i < a->n_layer_all; i++) {
        int64_t v = gguf_kv_i64(kv, array ? i : 0);
        if (v < 0 || v > UINT32_MAX) {
            model_fail(a, CROFT_E_FORMAT, "The metadata %s has an impossible value for layer %u.", name, i);
            return;
        }
        out[i] = (uint32_t)v;
    }
}

/* ---- tensors ---- */

static const struct gguf_tensor *claim(struct arch *a, int layer, const char *name, const char *suffix,
                                       char full[KEY_MAX])
{
    if (layer >= 0) snprintf(full, KEY_MAX, "blk.%d.%s%s", layer, name, suffix);
    else snprintf(full, KEY_MAX, "%s%s", name, suffix);
    if (a->rc) return NULL;
    const struct gguf_tensor *t = gguf_tensor_find(a->g, full);
    if (t) a->used[t - gguf_tensor_at(a->g, 0)] = 1;
    return t;
}

/* A vector may come with any split into dimensions (a convolution's [taps, channels]); its elements are what
 * counts. Small ones are copied: they lie between the weights, and the file's pages around each would stay in memory.
 */
const float *model_vec_get(struct arch *a, int layer, const char *name, const char *suffix, uint64_t n,
                           bool need)
{
    char full[KEY_MAX];
    const struct gguf_tensor *t = claim(a, layer, name, suffix, full);
    if (a->rc) return NULL;
    if (!t) {
        if (need) model_fail(a, CROFT_E_FORMAT, "The tensor %s is missing.", full);
        return NULL;
    }
    uint64_t have = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]; /* gguf.c bounds the product */
    if (have != n || n == 0) {
        model_fail(a, CROFT_E_FORMAT, "The tensor %s has %llu elements; the hyperparameters ask for %llu.",
                   full, (unsigned long long)have, (unsigned long long)n);
        return NULL;
    }
    bool as_it_is = t->type == KERN_F32 && (uintptr_t)t->data % sizeof(float) == 0;
    if (as_it_is && (n > SMALL || a->m->n_owned == MAX_OWNED)) return t->data;
    if (t->type != KERN_F32 && t->type != KERN_F16 && t->type != KERN_BF16) {
        model_fail(a, CROFT_E_UNSUPPORTED, "The tensor %s has type %s; F32, F16 or BF16 is supported there.",
                   full, kern_type_get(t->type)->name);
        return NULL;
    }
    struct model *m = a->m;
    float *copy = m->n_owned < MAX_OWNED ? mem_alloc(n * sizeof *copy) : NULL;
    if (!copy) {
        a->rc = err_nomem(a->e, n * sizeof *copy);
        return NULL;
    }
    m->owned[m->n_owned++] = copy;
    if (t->type == KERN_F32) memcpy(copy, t->data, n * sizeof *copy);
    else a->k->dequant[t->type](t->data, copy, n);
    return copy;
}

void model_norm_get(struct arch *a, struct model_norm *n, int layer, const char *name, bool bias)
{
    n->w = model_vec_get(a, layer, name, ".weight", a->m->n_embd, true);
    n->b = bias ? model_vec_get(a, layer, name, ".bias", a->m->n_embd, true) : NULL;
}

static float scale_get(struct arch *a, int layer, const char *name)
{
    const float *s = model_vec_get(a, layer, name, ".scale", 1, false);
    return s ? *s : 1.0f;
}

void model_weight_get(struct arch *a, struct model_weight *w, int layer, const char *name, uint64_t n_in,
                      uint64_t n_out, unsigned flags)
{
    char full[KEY_MAX];
    memset(w, 0, sizeof *w);
    w->scale = 1.0f;
    const struct gguf_tensor *t = claim(a, layer, name, ".weight", full);
    if (a->rc) return;
    if (!t) {
        if (!(flags & ARCH_OPTIONAL)) model_fail(a, CROFT_E_FORMAT, "The tensor %s is missing.", full);
        return;
    }
    if (t->ne[0] != n_in || t->ne[1] != n_out || t->ne[2] != 1 || t->ne[3] != 1 || n_in == 0 || n_out == 0) {
        model_fail(a, CROFT_E_FORMAT,
                   "The tensor %s has the shape [%llu, %llu, %llu]; the hyperparameters ask for "
                   "[%llu, %llu].",
                   full, (unsigned long long)t->ne[0], (unsigned long long)t->ne[1],
                   (unsigned long long)t->ne[2], (unsigned long long)n_in, (unsigned long long)n_out);
        return;
    }
    if (!a->k->gemm[t->type] || !a->k->dequant[t->type]) {
        model_fail(a, CROFT_E_UNSUPPORTED, "The tensor %s has a type without a kernel.", full);
        return;
    }
    if ((uintptr_t)t->data % 4) {
        model_fail(a, CROFT_E_UNSUPPORTED, "The tensor %s is not aligned to 4 bytes; convert the file again.",
                   full);
        return;
    }
    *w = (struct model_weight){.data = t->data, .row_bytes = t->row_bytes, .type = t->type, .scale = 1.0f,
                               .n_in = (uint32_t)n_in, .n_out = (uint32_t)n_out};
    if (flags & (ARCH_BIAS | ARCH_NEED_BIAS))
        w->bias = model_vec_get(a, layer, name, ".bias", n_out, flags & ARCH_NEED_BIAS);
    if (flags & (ARCH_SCALE | ARCH_SCALE_LAST)) w->scale = scale_get(a, layer, name);
    w->scale_last = flags & ARCH_SCALE_LAST;
    a->m->n_params += n_in * n_out;
    if (layer >= 0) a->m->weight_bytes += t->bytes;
}

struct model_weight model_weight_rows(const struct model_weight *w, uint64_t first, uint64_t n)
{
    struct model_weight r = *w;
    if (!w->data) return r;
    r.data = (const char *)w->data + first * w->row_bytes;
    r.n_out = (uint32_t)n;
    if (w->bias) r.bias = w->bias + first;
    return r;
}

/* ---- shared pieces ---- */

void model_common_embd(struct arch *a, const char *out_norm, unsigned head_flags)
{
    struct model *m = a->m;
    model_weight_get(a, &m->embd, -1, "token_embd", m->n_embd, m->n_vocab, 0);
    model_norm_get(a, &m->out_norm, -1, out_norm, false);
    model_weight_get(a, &m->head, -1, "output", m->n_embd, m->n_vocab,
                     ARCH_OPTIONAL | ARCH_SCALE | head_flags);
    if (!m->head.data) m->head = m->embd; /* tied */
    m->weight_bytes += m->head.row_bytes * m->head.n_out;
}

void model_common_qkv(struct arch *a, unsigned layer, uint32_t q_factor)
{
    struct model *m = a->m;
    struct model_layer *y = &m->layer[layer];
    if (a->rc) return;
    if (!y->n_head || !y->n_head_kv || y->n_head % y->n_head_kv) {
        model_fail(a, CROFT_E_FORMAT, "Layer %u has %u heads over %u key/value heads.", layer, y->n_head,
                   y->n_head_kv);
        return;
    }
    uint64_t n_q = (uint64_t)y->n_head * m->d_head * q_factor, n_k = (uint64_t)y->n_head_kv * m->d_head;
    uint64_t n_v = (uint64_t)y->n_head_kv * m->d_head_v;
    struct model_weight qkv;
    model_weight_get(a, &qkv, layer, "attn_qkv", m->n_embd, n_q + n_k + n_v,
                     ARCH_OPTIONAL | ARCH_BIAS | ARCH_SCALE);
    if (a->rc) return;
    if (!qkv.data) {
        model_weight_get(a, &y->q, layer, "attn_q", m->n_embd, n_q, ARCH_BIAS | ARCH_SCALE);
        model_weight_get(a, &y->k, layer, "attn_k", m->n_embd, n_k, ARCH_BIAS | ARCH_SCALE);
        model_weight_get(a, &y->v, layer, "attn_v", m->n_embd, n_v, ARCH_BIAS | ARCH_SCALE);
        return;
    }
    y->q = model_weight_rows(&qkv, 0, n_q);
    y->k = model_weight_rows(&qkv, n_q, n_k);
    y->v = model_weight_rows(&qkv, n_q + n_k, n_v);
    if (!qkv.bias) { /* fused weights beside separate biases */
        y->q.bias = model_vec_get(a, layer, "attn_q", ".bias", n_q, false);
        y->k.bias = model_vec_get(a, layer, "attn_k", ".bias", n_k, false);
        y->v.bias = model_vec_get(a, layer, "attn_v", ".bias", n_v, false);
    }
}

void model_common_qk_norm(struct arch *a, unsigned layer)
{
    struct model_layer *y = &a->m->layer[layer];
    y->q_norm = model_vec_get(a, layer, "attn_q_norm", ".weight", a->m->d_head, true);
    y->k_norm = model_vec_get(a, layer, "attn_k_norm", ".weight", a->m->d_head, true);
}

void model_common_out(struct arch *a, unsigned layer, unsigned flags)
{
    struct model_layer *y = &a->m->layer[layer];
    model_weight_get(a, &y->out, layer, "attn_output", (uint64_t)y->n_head * a->m->d_head_v, a->m->n_embd,
                     flags);
}

void model_common_ffn(struct arch *a, unsigned layer, unsigned flags)
{
    struct model *m = a->m;
    struct model_layer *y = &m->layer[layer];
    model_weight_get(a, &y->gate, layer, "ffn_gate", m->n_embd, a->n_ff[layer], flags);
    model_weight_get(a, &y->up, layer, "ffn_up", m->n_embd, a->n_ff[layer], flags);
    model_weight_get(a, &y->down, layer, "ffn_down", a->n_ff[layer], m->n_embd, flags);
}

/* How many rotary pairs turn less than `turns` times over the original context: YaRN blends between two such
 * counts. */
static float yarn_dim(const struct model_rope *r, float turns)
{
    return r->n_rot * logf(r->n_ctx_orig / (turns * 2 * (float)M_PI)) / (2 * logf(r->base));
}

void model_common_rope(struct arch *a, bool neox)
{
    struct model *m = a->m;
    struct model_rope *r = &m->rope[0];
    char key[KEY_MAX];
    struct str type = STR("linear");
    r->neox = neox;
    r->n_rot = model_u32(a, "rope.dimension_count", false, m->d_head);
    r->base = model_f32(a, "rope.freq_base", false, 10000.0f);
    r->n_ctx_orig = model_u32(a, "rope.scaling.original_context_length", false, m->n_ctx_train);
    r->attn_factor = 1.0f;
    float factor = model_f32(a, "rope.scaling.factor", false, 0);
    if (factor == 0) factor = model_f32(a, "rope.scale_linear", false, 0);
    r->freq_scale = factor == 0 ? 1.0f : 1.0f / factor;
    snprintf(key, sizeof key, "%s.rope.scaling.type", m->arch);
    gguf_get_str(a->g, key, &type);
    float attn_factor = model_f32(a, "rope.scaling.attn_factor", false, 1.0f);
    float log_mul = 0, fast = 32.0f, slow = 1.0f; /* YaRN's own defaults */
    if (a->reads_yarn) {
        log_mul = model_f32(a, "rope.scaling.yarn_log_multiplier", false, log_mul);
        fast = model_f32(a, "rope.scaling.yarn_beta_fast", false, fast);
        slow = model_f32(a, "rope.scaling.yarn_beta_slow", false, slow);
    }
    if (a->rc) return;
    if (r->n_rot == 0 || r->n_rot % 2 || r->n_rot > m->d_head || !(r->base > 1) || !(factor >= 0)) {
        model_fail(a, CROFT_E_FORMAT,
                   "The rotary parameters are impossible (%u of %u elements, base %g, factor %g).", r->n_rot,
                   m->d_head, r->base, factor);
        return;
    }
    if (str_eqz(type, "none")) {
        r->freq_scale = 1.0f;
    } else if (str_eqz(type, "yarn")) {
        r->ext_factor = 1.0f;
        factor = 1.0f / r->freq_scale;
        /* Scores are scaled by the square of 0.1 ln(factor) + 1; with a log multiplier, relative to that
         * one's. The rotation multiplies the plain factor in itself, so what is kept here is divided by it.
         */
        float plain = factor <= 1 ? 1.0f : 0.1f * logf(factor) + 1.0f;
        if (log_mul != 0) plain /= factor <= 1 ? 1.0f : 0.1f * log_mul * logf(factor) + 1.0f;
        r->attn_factor = plain / (1.0f + 0.1f * logf(factor));
        r->corr_low = fmaxf(0, floorf(yarn_dim(r, fast)));
        r->corr_high = fminf(r->n_rot - 1, ceilf(yarn_dim(r, slow)));
    } else if (!str_eqz(type, "linear") && !str_eqz(type, "longrope")) {
        model_fail(a, CROFT_E_UNSUPPORTED,
                   "The rotary scaling \"%.*s\" is not supported; known: none, linear, yarn, "
                   "longrope.",
                   (int)(type.n < 40 ? type.n : 40), type.p);
    }
    r->attn_factor *= attn_factor;
}

void model_common_rope_factors(struct arch *a)
{
    struct model_rope *r = &a->m->rope[0];
    r->factors = model_vec_get(a, -1, "rope_freqs", ".weight", r->n_rot / 2, false);
    if (r->factors) r->factors_long = r->factors;
    const float *l = model_vec_get(a, -1, "rope_factors_long", ".weight", r->n_rot / 2, false);
    const float *s = model_vec_get(a, -1, "rope_factors_short", ".weight", r->n_rot / 2, false);
    if (r->factors) return;
    r->factors = s;
    r->factors_long = l;
}

void model_common_windows(struct arch *a, uint32_t window, uint32_t period)
{
    struct model *m = a->m;
    char key[KEY_MAX];
    const struct gguf_kv *kv = find(a, "attention.sliding_window_pattern", key);
    uint32_t pattern[MODEL_MAX_LAYERS];
    bool listed = kv && kv->type == GGUF_ARRAY;
    if (listed) model_u32_layers(a, "attention.sliding_window_pattern", true, 0, pattern);
    else period = model_u32(a, "attention.sliding_window_pattern", false, period);
    for (uint32_t i = 0; i < m->n_layer && !a->rc; i++) {
        bool windowed = listed ? pattern[i] : (period == 0 || i % period < period - 1);
        m->layer[i].window = windowed ? window : 0;
    }
}

/* ---- opening ---- */

static bool in_range(struct arch *a, const char *what, uint64_t v, uint64_t min, uint64_t max)
{
    if (a->rc) return false;
    if (v >= min && v <= max) return true;
    return model_fail(a, CROFT_E_FORMAT, "The model's %s is %llu; it must be %llu to %llu.", what,
                      (unsigned long long)v, (unsigned long long)min, (unsigned long long)max);
}

/* Rows of the embedding table decide; metadata that speaks of another number is a mismatch. */
static void vocab_size(struct arch *a)
{
    const struct gguf_tensor *t = gguf_tensor_find(a->g, "token_embd.weight");
    const struct gguf_kv *tokens = gguf_find(a->g, "tokenizer.ggml.tokens");
    if (!t) {
        model_fail(a, CROFT_E_FORMAT, "The tensor token_embd.weight is missing: the file holds no model.");
        return;
    }
    if (!in_range(a, "vocabulary", t->ne[1], 1, MODEL_MAX_VOCAB)) return;
    a->m->n_vocab = (uint32_t)t->ne[1];
    if (tokens && tokens->type == GGUF_ARRAY && tokens->n != t->ne[1])
        model_fail(a, CROFT_E_FORMAT, "The vocabulary has %llu tokens but the embedding table %llu rows.",
                   (unsigned long long)tokens->n, (unsigned long long)t->ne[1]);
}

static void head_sizes(struct arch *a)
{
    struct model *m = a->m;
    uint32_t any_head = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        in_range(a, "number of heads", a->n_head[i], 0, MODEL_MAX_HEADS);
        in_range(a, "number of key/value heads", a->n_head_kv[i], 0, MODEL_MAX_HEADS);
        in_range(a, "feed-forward length", a->n_ff[i], 1, MODEL_MAX_WIDTH);
        if (a->rc) return;
        m->layer[i].n_head = a->n_head[i];
        m->layer[i].n_head_kv = a->n_head_kv[i];
        if (!any_head) any_head = a->n_head[i];
        if (a->n_head[i] > m->n_head_max) m->n_head_max = a->n_head[i];
        if (a->n_head_kv[i] > m->n_head_kv_max) m->n_head_kv_max = a->n_head_kv[i];
        if (a->n_ff[i] > m->n_ff_max) m->n_ff_max = a->n_ff[i];
    }
    if (!in_range(a, "number of heads", any_head, 1, MODEL_MAX_HEADS)) return;
    uint32_t d = m->n_embd / any_head;
    m->d_head = model_u32(a, "attention.key_length", false, d);
    m->d_head_v = model_u32(a, "attention.value_length", false, d);
    in_range(a, "head size", m->d_head, 2, MODEL_MAX_HEAD);
    in_range(a, "value head size", m->d_head_v, 1, MODEL_MAX_HEAD);
    if (!a->rc && m->d_head % 2) model_fail(a, CROFT_E_FORMAT, "The head size %u is odd.", m->d_head);
    m->attn_scale = 1.0f / sqrtf((float)m->d_head);
}

static void hyperparameters(struct arch *a)
{
    struct model *m = a->m;
    m->n_ctx_train = model_u32(a, "context_length", true, 0);
    m->n_embd = model_u32(a, "embedding_length", true, 0);
    a->n_layer_all = model_u32(a, "block_count", true, 0);
    uint32_t extra = model_u32(a, "nextn_predict_layers", false, 0);
    in_range(a, "context length", m->n_ctx_train, 1, 1u << 30);
    in_range(a, "embedding length", m->n_embd, 1, MODEL_MAX_WIDTH);
    in_range(a, "number of layers", a->n_layer_all, 1, MODEL_MAX_LAYERS);
    if (!a->rc) in_range(a, "number of multi-token-prediction layers", extra, 0, a->n_layer_all - 1);
    if (!a->rc && model_u32(a, "expert_count", false, 0) > 0)
        model_fail(a, CROFT_E_UNSUPPORTED, "This is a mixture-of-experts model, which is not supported.");
    if (a->rc) return;
    m->n_layer = a->n_layer_all - extra;
    m->layer = mem_calloc(m->n_layer, sizeof *m->layer);
    m->owned = mem_calloc(MAX_OWNED, sizeof *m->owned);
    uint32_t *per_layer = mem_calloc(3 * (size_t)a->n_layer_all, sizeof *per_layer);
    a->n_head = per_layer; /* freed by model_new */
    if (!m->layer || !m->owned || !per_layer) {
        a->rc = err_nomem(a->e, m->n_layer * sizeof *m->layer);
        return;
    }
    a->n_head_kv = a->n_head + a->n_layer_all;
    a->n_ff = a->n_head_kv + a->n_layer_all;
    model_u32_layers(a, "attention.head_count", true, 0, a->n_head);
    memcpy(a->n_head_kv, a->n_head, a->n_layer_all * sizeof *a->n_head);
    if (model_has(a, "attention.head_count_kv"))
        model_u32_layers(a, "attention.head_count_kv", false, 0, a->n_head_kv);
    model_u32_layers(a, "feed_forward_length", true, 0, a->n_ff);
    vocab_size(a);
    if (!a->rc) head_sizes(a);
    bool causal = true;
    char key[KEY_MAX];
    if (find(a, "attention.causal", key)) gguf_get_bool(a->g, key, &causal);
    m->causal = causal;
    m->embd_scale = 1.0f;
}

static void epsilon(struct arch *a)
{
    struct model *m = a->m;
    const char *key = m->layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    m->norm_eps = model_f32(a, key, true, 0);
    if (!a->rc && !(m->norm_eps >= 0 && m->norm_eps < 1))
        model_fail(a, CROFT_E_FORMAT, "The norm's epsilon is %g.", m->norm_eps);
}

static void pooling(struct arch *a)
{
    static const enum model_pool known[] = {MODEL_POOL_NONE, MODEL_POOL_MEAN, MODEL_POOL_CLS,
                                            MODEL_POOL_LAST};
    char key[KEY_MAX];
    const struct gguf_kv *kv = find(a, "pooling_type", key);
    int64_t v = kv ? gguf_kv_i64(kv, 0) : -1;
    if (kv && (kv->type == GGUF_STRING || kv->type == GGUF_ARRAY || kv->type == GGUF_F32 || kv->type == GGUF_F64))
        model_fail(a, CROFT_E_FORMAT, "The metadata %s is not a whole number.", key);
    if (v == UINT32_MAX) v = -1; /* "unspecified" */
    if (v > 3 && !a->rc)
        model_fail(a, CROFT_E_UNSUPPORTED, "The pooling type %lld (a reranker?) is not supported.",
                   (long long)v);
    a->m->pool = v < 0   ? (a->m->causal ? MODEL_POOL_LAST : MODEL_POOL_MEAN)
                 : a->rc ? MODEL_POOL_NONE
                         : known[v];
}

/* Tensors nobody claimed. Harmless ones: scales that the reference ignores too, classifier heads, blocks past
 * the trunk. */
static void leftovers(struct arch *a)
{
    for (size_t i = 0; i < gguf_n_tensors(a->g) && !a->rc; i++) {
        struct str name = gguf_tensor_at(a->g, i)->name;
        char z[KEY_MAX];
        unsigned block;
        if (a->used[i]) continue;
        snprintf(z, sizeof z, "%.*s", (int)(name.n < KEY_MAX ? name.n : KEY_MAX - 1), name.p);
        if (str_ends(z, ".scale") || str_ends(z, ".input_scale") || str_starts(z, "cls.")) continue;
        if (str_starts(z, "rope_f") || str_ends(z, ".rope_freqs.weight") ||
            str_ends(z, "rotary_emb.inv_freq"))
            continue;
        if (sscanf(z, "blk.%u.", &block) == 1 && block >= a->m->n_layer && block < a->n_layer_all) continue;
        model_fail(a, CROFT_E_FORMAT,
                   "The file has the tensor %s, which a %s model of this shape does not use.", z, a->m->arch);
    }
}

static const struct family *find_family(struct arch *a)
{
    struct str name;
    char known[256];
    size_t n = 0;
    if (!gguf_get_str(a->g, "general.architecture", &name)) {
        model_fail(a, CROFT_E_FORMAT, "The file does not name its architecture (general.architecture).");
        return NULL;
    }
    for (int i = 0; i < N_FAMILIES; i++) {
        if (str_eqz(name, families[i].name)) return &families[i];
        n += snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", families[i].name);
    }
    model_fail(a, CROFT_E_UNSUPPORTED, "The architecture \"%.*s\" is not supported; known: %s.",
               (int)(name.n < 40 ? name.n : 40), name.p, known);
    return NULL;
}

int model_new(const struct gguf *g, struct model **out, struct err *e)
{
    struct err local;
    struct arch a = {.g = g, .e = e ? e : &local, .k = kern_get(e)};
    if (!a.k) return e ? e->code : CROFT_E_UNSUPPORTED;
    const struct family *f = find_family(&a);
    if (a.rc) return a.rc;
    a.m = mem_calloc(1, sizeof *a.m);
    a.used = mem_calloc(gguf_n_tensors(g) + 1, 1);
    if (!a.m || !a.used) {
        a.rc = err_nomem(e, sizeof *a.m);
        goto out;
    }
    snprintf(a.m->arch, sizeof a.m->arch, "%s", f->name);
    hyperparameters(&a);
    if (!a.rc) f->fill(&a);
    if (!a.rc) epsilon(&a);
    if (!a.rc) pooling(&a);
    if (!a.rc) leftovers(&a);
out:
    mem_free(a.used);
    mem_free(a.n_head);
    if (a.rc) model_free(a.m);
    else *out = a.m;
    return a.rc;
}

void model_free(struct model *m)
{
    if (!m) return;
    for (unsigned i = 0; i < m->n_owned; i++) mem_free(m->owned[i]);
    mem_free(m->owned);
    mem_free(m->layer);
    mem_free(m);
}

bool model_is_recurrent(const struct model *m)
{
    for (uint32_t i = 0; i < m->n_layer; i++)
        if (m->layer[i].kind != MODEL_ATTENTION) return true;
    return false;
}

void model_each_product(struct model *m, void (*fn)(struct model_weight *w, void *ctx), void *ctx)
{
    for (uint32_t i = 0; i < m->n_layer; i++) {
        struct model_layer *y = &m->layer[i];
        struct model_weight *all[] = {&y->q,    &y->k,     &y->v,   &y->qkv,  &y->z,   &y->beta,
                                      &y->alpha, &y->out, &y->gate, &y->up, &y->down};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            if (all[k]->data) fn(all[k], ctx);
    }
    if (m->head.data) fn(&m->head, ctx);
}
