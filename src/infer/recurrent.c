/* The mixers with a state instead of cached keys.
 *
 * Short convolution (lfm2): rows hold b, c, x; per channel
 *     out[t] = c[t] * sum_j tap[j] * (b * x)[t - taps + 1 + j].
 *
 * Gated delta-net (qwen35): q, k, v of all heads go through such a convolution (without b and c) and SiLU.
 * Each value head keeps a matrix S [d_state (value), d_state (key)] and, token after token,
 *     S *= exp(a * softplus(alpha + dt_bias));   S += beta * (v - S k) k^T;   out = S q / sqrt(d_state)
 * with q and k of unit length; value head h uses key head h mod n_head_k. Then out = rms_norm(out) * silu(z).
 *
 * Threads take channels (convolution) or heads (delta-net), so time runs in order inside a thread. */
#include "internal.h"

#include <math.h>

size_t infer_recurrent_channels(const struct model *m, const struct model_layer *y)
{
    if (y->kind == MODEL_SHORT_CONV) return m->n_embd;
    return y->kind == MODEL_DELTA_NET ? y->qkv.n_out : 0;
}

static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* Channels [c0, c0 + n), n ≤ CHANNELS, of one segment. `state` is [taps - 1, channels]. */
static void convolve(struct infer_work *w, const struct infer_segment *g, float *state, size_t channels,
                     size_t c0, size_t n)
{
    const struct model_layer *y = w->layer;
    bool gated = y->kind == MODEL_SHORT_CONV;
    size_t taps = w->m->d_conv, ld = y->qkv.n_out;
    float past[MODEL_MAX_CONV][CHANNELS] = {0}, tap[MODEL_MAX_CONV][CHANNELS] = {0};
    for (size_t j = 0; j < taps; j++)
        for (size_t c = 0; c < n; c++) {
            tap[j][c] = y->conv[(c0 + c) * taps + j];
            if (j + 1 < taps) past[j][c] = state[j * channels + c0 + c];
        }
    size_t now = taps - 1; /* row of `past` (a ring) that the next input goes to; the oldest follows it */
    for (uint32_t t = g->row0; t < g->row0 + g->n; t++) {
        float *in = w->in[0] + t * ld + c0, sum[CHANNELS] = {0};
        for (size_t c = 0; c < n; c++) past[now][c] = gated ? in[c] * in[2 * channels + c] : in[c];
        for (size_t j = 0; j < taps; j++) {
            const float *p = past[(now + 1 + j) % taps];
            for (size_t c = 0; c < CHANNELS; c++) sum[c] += tap[j][c] * p[c];
        }
        now = (now + 1) % taps;
        float *out = gated ? w->mixed + t * channels + c0 : in;
        for (size_t c = 0; c < n; c++) out[c] = gated ? sum[c] * in[channels + c] : sum[c] * sigmoid(sum[c]);
    }
    for (size_t j = 0; j + 1 < taps; j++)
        for (size_t c = 0; c < n; c++) state[j * channels + c0 + c] = past[(now + 1 + j) % taps][c];
}

static void convolve_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    size_t channels = infer_recurrent_channels(w->m, w->layer);
    uint64_t from, to;
    infer_share((channels + CHANNELS - 1) / CHANNELS, i, n, &from, &to);
    for (uint32_t k = 0; k < w->n_segments; k++)
        for (uint64_t b = from; b < to; b++) {
            size_t c0 = b * CHANNELS, m = channels - c0 < CHANNELS ? channels - c0 : CHANNELS;
            convolve(w, &w->segment[k], w->segment[k].s->state[w->layer_i].conv, channels, c0, m);
        }
}

/* y = x / sqrt(|x|^2 + eps) */
static void unit_length(const struct kern_ops *k, const float *x, float *y, size_t n, float eps)
{
    memcpy(y, x, n * sizeof *x);
    k->scale(1.0f / sqrtf(k->dot(x, x, n) + eps), y, n);
}

static void delta_step(struct infer_work *w, float *state, uint32_t t, uint32_t head, float *q, float *k)
{
    const struct model *m = w->m;
    const struct kern_ops *o = w->k;
    const struct model_layer *y = w->layer;
    size_t d = m->d_state, keys = d * m->n_head_k;
    const float *row = w->in[0] + (size_t)t * y->qkv.n_out, *v = row + 2 * keys + head * d;
    const float *z = w->in[1] + ((size_t)t * m->n_head_v + head) * d;
    float beta = sigmoid(w->in[2][(size_t)t * m->n_head_v + head]);
    float dt = w->in[3][(size_t)t * m->n_head_v + head] + y->dt_bias[head];
    float decay = expf(y->a[head] * (dt > 20 ? dt : logf(1.0f + expf(dt))));
    float *out = w->mixed + ((size_t)t * m->n_head_v + head) * d;
    unit_length(o, row + (head % m->n_head_k) * d, q, d, m->norm_eps);
    unit_length(o, row + keys + (head % m->n_head_k) * d, k, d, m->norm_eps);
    float scale = 1.0f / sqrtf((float)d);
    for (size_t j = 0; j < d; j++) {
        float *s = state + j * d;
        o->scale(decay, s, d);
        o->axpy((v[j] - o->dot(s, k, d)) * beta, k, s, d);
        out[j] = o->dot(s, q, d) * scale;
    }
    o->rms_norm(out, y->state_norm, out, d, m->norm_eps);
    o->silu_mul(z, out, out, d);
}

static void delta_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    const struct model *m = w->m;
    size_t d = m->d_state;
    float *q = w->local + i * w->local_floats, *k = q + d;
    uint64_t from, to;
    infer_share(m->n_head_v, i, n, &from, &to);
    for (uint32_t g = 0; g < w->n_segments; g++)
        for (uint64_t h = from; h < to; h++) {
            const struct infer_segment *s = &w->segment[g];
            float *state = s->s->state[w->layer_i].state + h * d * d;
            for (uint32_t t = s->row0; t < s->row0 + s->n; t++) delta_step(w, state, t, h, q, k);
        }
}

static void quantize_rows(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to;
    size_t n_in = w->layer->out.n_in;
    infer_share(w->n_rows, i, n, &from, &to);
    for (uint64_t r = from; r < to; r++) infer_quantize(w, &w->act[1], w->mixed + r * n_in, r, n_in, 0, n_in);
}

void infer_recurrent(struct infer_work *w)
{
    infer_run(w, convolve_share);
    if (w->layer->kind == MODEL_DELTA_NET) infer_run(w, delta_share);
    if (!infer_wants_q8(&w->layer->out)) return;
    if (w->n_rows == 1) quantize_rows(w, 0, 1);
    else infer_run(w, quantize_rows);
}
