/* Attention over cached keys and values. Work is cut into units of (rows of a segment, key/value head): the
 * queries of a unit, QUERIES at most (rows times the heads that share the key head), go through the keys
 * together.
 *
 *   prepare   norm and turn the queries and the key of a row, store key and value in the session's cache
 *   attend    scores = scale q.k, softmax over the keys in sight, weighted sum of values
 *
 * A row sees the keys [low, pos]: low is 0, or pos - window + 1; in an encoder all of the segment. No memory
 * grows with the square of the length: a thread holds QUERIES rows of scores. With one row, prepare and
 * attend of a head follow each other on one thread without a barrier between. */
#include "internal.h"

#include <math.h>

/* Angles of the rotary pairs at a row's position: pos * base^(-2j/n_rot), divided by factors[j], interpolated
 * by freq_scale, blended between the two by YaRN. The running product in single precision is how the models
 * were served everywhere, so it is part of the definition. */
void infer_turns(struct infer_work *w, uint32_t row)
{
    for (int set = 0; set < 2; set++) {
        const struct model_rope *r = &w->m->rope[set];
        if (!r->n_rot || !w->turn[set]) continue;
        const struct infer_session *s = w->segment[w->segment_of[row]].s;
        const float *factors = s->n_ctx > r->n_ctx_orig ? r->factors_long : r->factors;
        float *turn = w->turn[set] + (size_t)row * r->n_rot, theta = w->pos[row];
        float step = powf(r->base, -2.0f / r->n_rot);
        for (uint32_t j = 0; j < r->n_rot / 2; j++, theta *= step) {
            float angle = factors ? theta / factors[j] : theta, far = r->freq_scale * angle,
                  size = r->attn_factor;
            if (r->ext_factor != 0) {
                float ramp = (j - r->corr_low) / fmaxf(0.001f, r->corr_high - r->corr_low);
                float mix = (1 - fminf(1, fmaxf(0, ramp))) * r->ext_factor;
                angle = far * (1 - mix) + angle * mix;
                size *= 1.0f + 0.1f * logf(1.0f / r->freq_scale);
            } else {
                angle = far;
            }
            turn[2 * j] = cosf(angle) * size;
            turn[2 * j + 1] = sinf(angle) * size;
        }
    }
}

static void rotate(const struct model_rope *r, const float *turn, float *x)
{
    uint32_t half = r->n_rot / 2, step = r->neox ? 1 : 2, apart = r->neox ? half : 1;
    for (uint32_t j = 0; j < half; j++) {
        float *p = x + j * step, a = p[0], b = p[apart], c = turn[2 * j], s = turn[2 * j + 1];
        p[0] = a * c - b * s;
        p[apart] = a * s + b * c;
    }
}

static void store(const struct infer_work *w, enum kern_kv kv, const float *x, void *cell, uint32_t d)
{
    if (kv == KERN_KV_F32) memcpy(cell, x, d * sizeof *x);
    else if (kv == KERN_KV_F16) w->k->f32_to_f16(x, cell, d);
    else w->k->f32_to_q8_0(x, cell, d);
}

static float *query(const struct infer_work *w, uint32_t row, uint32_t head)
{
    size_t d = w->m->d_head * (w->layer->gated ? 2 : 1);
    return w->in[0] + (size_t)row * w->layer->q.n_out + head * d;
}

/* One row, one key/value head and the query heads that share it. */
static void prepare(struct infer_work *w, uint32_t row, uint32_t head_kv)
{
    const struct model *m = w->m;
    const struct model_layer *y = w->layer;
    const struct infer_segment *g = &w->segment[w->segment_of[row]];
    struct infer_cache *c = &g->s->cache[w->layer_i];
    const struct model_rope *r = y->rope >= 0 ? &m->rope[y->rope] : NULL;
    const float *turn = r ? w->turn[y->rope] + (size_t)row * r->n_rot : NULL;
    uint32_t share = y->n_head / y->n_head_kv, pos = w->pos[row];
    float *key = w->in[1] + (size_t)row * y->k.n_out + (size_t)head_kv * m->d_head;
    const float *value = w->in[2] + (size_t)row * y->v.n_out + (size_t)head_kv * m->d_head_v;
    float heat = 1.0f;
    if (m->temp_scale != 0) heat = logf(floorf((float)pos / m->temp_floor) + 1.0f) * m->temp_scale + 1.0f;
    for (uint32_t i = 0; i < share; i++) {
        float *q = query(w, row, head_kv * share + i);
        if (y->q_norm) w->k->rms_norm(q, y->q_norm, q, m->d_head, m->norm_eps);
        if (r) rotate(r, turn, q);
        if (heat != 1.0f) w->k->scale(heat, q, m->d_head);
    }
    if (y->k_norm) w->k->rms_norm(key, y->k_norm, key, m->d_head, m->norm_eps);
    if (r) rotate(r, turn, key);
    size_t cell = infer_cell(g, head_kv, pos);
    store(w, g->s->kv, key, c->k + cell * g->s->k_row, m->d_head);
    store(w, g->s->kv, value, c->v + cell * g->s->v_row, m->d_head_v);
}

/* Keys in sight of a row: [*low, *high). */
static void sight(const struct infer_work *w, const struct infer_segment *g, uint32_t row, uint32_t *low,
                  uint32_t *high)
{
    uint32_t pos = w->pos[row], window = w->layer->window;
    *low = 0;
    *high = w->m->causal ? pos + 1 : g->pos0 + g->n;
    if (window && pos + 1 > window) *low = pos + 1 - window;
}

/* The output of one head of one row, gated if the layer is. */
static void emit(struct infer_work *w, uint32_t row, uint32_t head, const float *o)
{
    uint32_t d = w->m->d_head_v;
    float *out = w->mixed + (size_t)row * w->layer->out.n_in + (size_t)head * d;
    if (!w->layer->gated) {
        memcpy(out, o, d * sizeof *o);
        return;
    }
    const float *gate = query(w, row, head) + w->m->d_head;
    for (uint32_t j = 0; j < d; j++) out[j] = o[j] / (1.0f + expf(-gate[j]));
}

/* Heads [head, head + n_heads) of n rows from `row`, all sharing one key head; n * n_heads ≤ QUERIES. */
static void attend(struct infer_work *w, int thread, uint32_t row, uint32_t n, uint32_t head_kv,
                   uint32_t head, uint32_t n_heads)
{
    const struct model *m = w->m;
    const struct infer_segment *g = &w->segment[w->segment_of[row]];
    const struct infer_session *s = g->s;
    const struct infer_cache *c = &s->cache[w->layer_i];
    float *q = w->queries + (size_t)thread * QUERIES * m->d_head,
          *o = w->outputs + (size_t)thread * QUERIES * m->d_head_v;
    float *scores = w->scores + (size_t)thread * QUERIES * w->max_ctx;
    uint32_t low, high, first, last, ld = w->max_ctx, nq = n * n_heads;
    sight(w, g, row, &low, &high);
    sight(w, g, row + n - 1, &first,
          &last); /* the last row's keys reach furthest; the first row's begin first */
    last = last > high ? last : high;
    for (uint32_t i = 0; i < nq; i++)
        memcpy(q + (size_t)i * m->d_head, query(w, row + i / n_heads, head + i % n_heads),
               m->d_head * sizeof *q);
    size_t cell = infer_cell(g, head_kv, low);
    w->k->kv_dot[s->kv](q, nq, m->d_head, c->k + cell * s->k_row, s->k_row, last - low, m->d_head,
                        m->attn_scale, scores, ld);
    for (uint32_t i = 0; i < nq; i++) {
        uint32_t from, to;
        float *p = scores + (size_t)i * ld;
        sight(w, g, row + i / n_heads, &from, &to);
        if (m->attn_softcap != 0) w->k->softcap(p + from - low, to - from, m->attn_softcap);
        w->k->softmax(p + from - low, to - from);
        memset(p, 0, (from - low) * sizeof *p);
        memset(p + to - low, 0, (last - to) * sizeof *p);
    }
    w->k->kv_mix[s->kv](scores, nq, ld, c->v + cell * s->v_row, s->v_row, last - low, m->d_head_v, o,
                        m->d_head_v);
    for (uint32_t i = 0; i < nq; i++)
        emit(w, row + i / n_heads, head + i % n_heads, o + (size_t)i * m->d_head_v);
}

/* Heads that go through the keys together, and rows likewise. */
static uint32_t heads_together(const struct model_layer *y)
{
    uint32_t share = y->n_head / y->n_head_kv;
    return share < QUERIES / 2 ? share : QUERIES / 2;
}
static uint32_t rows_together(const struct model_layer *y) { return QUERIES / heads_together(y); }

static void attend_head(struct infer_work *w, int thread, uint32_t row, uint32_t n, uint32_t head_kv)
{
    const struct model_layer *y = w->layer;
    uint32_t share = y->n_head / y->n_head_kv, together = heads_together(y), d = w->m->d_head_v;
    for (uint32_t i = 0; i < share; i += together) {
        uint32_t n_heads = share - i < together ? share - i : together;
        attend(w, thread, row, n, head_kv, head_kv * share + i, n_heads);
    }
    if (infer_wants_q8(&y->out) && share * d % 32 == 0)
        for (uint32_t r = row; r < row + n; r++)
            infer_quantize(w, &w->act[1], w->mixed + (size_t)r * y->out.n_in, r, y->out.n_in,
                           (size_t)head_kv * share * d, share * d);
}

static void one_row(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to;
    infer_share(w->layer->n_head_kv, i, n, &from, &to);
    for (uint64_t h = from; h < to; h++) {
        prepare(w, 0, h);
        attend_head(w, i, 0, 1, h);
    }
}

static void prepare_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to, n_kv = w->layer->n_head_kv;
    infer_share(n_kv * w->n_rows, i, n, &from, &to);
    for (uint64_t u = from; u < to; u++) prepare(w, u / n_kv, u % n_kv);
}

/* Units of all segments, dealt out one by one: later rows see more keys, so shares in a line would be
 * unequal. */
static void attend_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint32_t together = rows_together(w->layer);
    uint64_t unit = 0;
    for (uint32_t k = 0; k < w->n_segments; k++) {
        const struct infer_segment *g = &w->segment[k];
        for (uint32_t r = 0; r < g->n; r += together)
            for (uint32_t h = 0; h < w->layer->n_head_kv; h++)
                if (unit++ % n == (unsigned)i)
                    attend_head(w, i, g->row0 + r, g->n - r < together ? g->n - r : together, h);
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

void infer_attention(struct infer_work *w)
{
    const struct model_layer *y = w->layer;
    if (w->n_rows == 1 && y->n_head_kv >= (unsigned)w->pool->n) {
        infer_run(w, one_row);
    } else {
        infer_run(w, prepare_share);
        infer_run(w, attend_share);
    }
    if (infer_wants_q8(&y->out) && y->n_head / y->n_head_kv * w->m->d_head_v % 32)
        infer_run(w, quantize_rows);
}
