/* Attention over cached keys and values.
 *
 *   prepare   norm and turn the queries and the key of a row, store key and value in the session's cache
 *   attend    weighted mean of the values in sight (kern_ops.h), into `mixed` and its int8 form
 *
 * A row sees the positions [low, pos]: low is 0, or pos - window + 1; in an encoder all of the segment. A node of a
 * token tree sees what lies before the tree, and its ancestors.
 *
 * Work is cut into units: rows of a segment and the heads that share a key head, QUERIES queries at most, which
 * go through the cache together. Where there are fewer units than TASKS, the positions of each are cut into
 * chunks too; whoever finishes the last chunk of a unit merges them. Threads take runs of tasks (a task is a
 * chunk of a unit) from a counter: long runs first, because a thread that goes on in the cache finds it fetched,
 * and short ones at the end, because rows differ in what they see and threads in what else they have to do. How
 * work is cut depends on the batch, never on the number of threads, and so do the results. Scratch memory
 * depends neither on the context nor on the batch. */
#include "internal.h"

#include <math.h>

enum { QUERIES = 48, TASKS = INFER_TASKS, MIN_CHUNK = 256 };

struct unit {
    const struct infer_segment *g;
    uint32_t row, n_rows, head_kv, head, n_heads;
    uint32_t low, high; /* cells of the cache that its queries see: [low, high), low a whole strip */
};

/* ---- memory ---- */

/* Max, sum and out of a unit's queries, as kern_attn has them. */
struct state {
    float *max, *sum, *out;
};
static size_t state_floats(const struct model *m) { return QUERIES * (2 + kern_kv_padded(m->d_head_v)); }
static struct state state_at(float *p) { return (struct state){p, p + QUERIES, p + 2 * QUERIES}; }

/* Of a thread: queries, a state, what each query sees. Behind those of all threads lie the states of chunks. */
static size_t local_floats(const struct model *m)
{
    return QUERIES * m->d_head + state_floats(m) + 4 * QUERIES;
}

size_t infer_attention_floats(const struct model *m, int n_threads)
{
    return n_threads * local_floats(m) + TASKS * state_floats(m);
}

/* ---- prepare ---- */

static float *query(const struct infer_work *w, uint32_t row, uint32_t head)
{
    size_t d = w->m->d_head * (w->layer->gated ? 2 : 1);
    return w->in[0] + (size_t)row * w->layer->q.n_out + head * d;
}

/* Keys or values of a head in a block of the cache, which is a page; `at`: those of its layer. */
static void *block_of(const struct infer_session *s, size_t at, uint32_t block, uint32_t head_kv, size_t row_bytes)
{
    return s->block[block] + at + (size_t)head_kv * s->pages->n_tokens * row_bytes;
}

/* One row, one key head and the query heads that share it. */
static void prepare(struct infer_work *w, uint32_t row, uint32_t head_kv)
{
    const struct model *m = w->m;
    const struct model_layer *y = w->layer;
    const struct infer_segment *g = &w->segment[w->segment_of[row]];
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
        if (r) infer_rotate(r, turn, q);
        if (heat != 1.0f) w->k->scale(heat, q, m->d_head);
    }
    if (y->k_norm) w->k->rms_norm(key, y->k_norm, key, m->d_head, m->norm_eps);
    if (r) infer_rotate(r, turn, key);
    const struct infer_pages *p = g->s->pages;
    uint32_t block = w->cell[row] / p->n_tokens, at = w->cell[row] % p->n_tokens;
    void *keys = block_of(g->s, p->layer[w->layer_i].k, block, head_kv, p->k_row);
    void *values = block_of(g->s, p->layer[w->layer_i].v, block, head_kv, p->v_row);
    kern_kv_put_key(w->k, p->kv, key, m->d_head, keys, at);
    kern_kv_put_value(w->k, p->kv, value, m->d_head_v, values, at);
}

static void prepare_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to, n_kv = w->layer->n_head_kv;
    infer_share(n_kv * w->n_rows, i, n, &from, &to);
    for (uint64_t u = from; u < to; u++) prepare(w, u / n_kv, u % n_kv);
}

/* ---- units ---- */

/* Cells of the cache in sight of a row: [*low, *high). A tree's node: those before the tree; run_of has the others. */
static void sight(const struct infer_work *w, const struct infer_segment *g, uint32_t row, uint32_t *low,
                  uint32_t *high)
{
    uint32_t pos = w->pos[row], window = w->layer->window;
    *low = g->cell0 + (window && pos + 1 > window ? pos + 1 - window : 0);
    *high = g->cell0 + (!w->m->causal ? g->pos0 + g->n : g->branches ? g->pos0 : pos + 1);
    if (*low > *high) *low = *high;
}

static uint32_t up(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

/* Heads that go through the positions together, and rows likewise. */
static uint32_t heads_together(const struct model_layer *y)
{
    uint32_t share = y->n_head / y->n_head_kv;
    return share < QUERIES ? share : QUERIES;
}
static uint32_t rows_together(const struct model_layer *y) { return QUERIES / heads_together(y); }

static uint32_t units_of(const struct infer_work *w, const struct infer_segment *g)
{
    const struct model_layer *y = w->layer;
    return up(g->n, rows_together(y)) * y->n_head_kv * up(y->n_head / y->n_head_kv, heads_together(y));
}

/* Unit i of a segment: the last rows, which see most, first. */
static struct unit unit_at(const struct infer_work *w, const struct infer_segment *g, uint32_t i)
{
    const struct model_layer *y = w->layer;
    uint32_t share = y->n_head / y->n_head_kv, heads = heads_together(y), rows = rows_together(y);
    uint32_t per_row = y->n_head_kv * up(share, heads), k = i % per_row, part = k / y->n_head_kv;
    uint32_t block = up(g->n, rows) - 1 - i / per_row;
    struct unit u = {.g = g, .row = g->row0 + block * rows, .head_kv = k % y->n_head_kv};
    u.n_rows = g->n - block * rows < rows ? g->n - block * rows : rows;
    u.head = u.head_kv * share + part * heads;
    u.n_heads = share - part * heads < heads ? share - part * heads : heads;
    u.low = UINT32_MAX;
    for (uint32_t r = u.row, low, high; r < u.row + u.n_rows; r++) {
        sight(w, g, r, &low, &high);
        u.low = low < u.low ? low : u.low;
        u.high = high > u.high ? high : u.high;
    }
    u.low = u.low / KERN_KV_STRIP * KERN_KV_STRIP;
    return u;
}

static void plan(struct infer_work *w)
{
    uint32_t units = 0, longest = 0;
    for (uint32_t k = 0; k < w->n_segments; k++) {
        const struct infer_segment *g = &w->segment[k];
        uint32_t low, high;
        sight(w, g, g->row0 + g->n - 1, &low, &high);
        units += units_of(w, g);
        longest = high - low > longest ? high - low : longest;
    }
    uint32_t chunks = units < TASKS && !w->invariant ? TASKS / units : 1, most = up(longest, MIN_CHUNK);
    w->attn.n_units = units;
    w->attn.n_chunks = chunks < most ? chunks : most;
    atomic_store(&w->attn.next, 0);
    for (uint32_t u = 0; w->attn.n_chunks > 1 && u < units; u++) atomic_store(&w->attn.left[u], w->attn.n_chunks);
}

/* ---- attend ---- */

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

/* Are the outputs of a unit whole blocks of the int8 form? */
static bool whole_blocks(const struct infer_work *w)
{
    const struct model_layer *y = w->layer;
    return y->n_head / y->n_head_kv * w->m->d_head_v % 32 == 0 && heads_together(y) * w->m->d_head_v % 32 == 0;
}

/* Query i over n parts of its positions, n states in a row: the first becomes the mean of the values over all.
 * What a part weighed relative to its own maximum is weighed relative to the largest. */
static void merge(const struct infer_work *w, float *states, uint32_t n, uint32_t i)
{
    size_t stride = state_floats(w->m), ld = kern_kv_padded(w->m->d_head_v);
    struct state first = state_at(states);
    float max = first.max[i], sum = first.sum[i], *out = first.out + i * ld;
    for (uint32_t c = 1; c < n; c++) max = fmaxf(max, states[c * stride + i]);
    if (n > 1) {
        float weight = expf(first.max[i] - max);
        w->k->scale(weight, out, ld);
        sum *= weight;
    }
    for (uint32_t c = 1; c < n; c++) {
        struct state s = state_at(states + c * stride);
        float weight = expf(s.max[i] - max);
        w->k->axpy(weight, s.out + i * ld, out, ld);
        sum += weight * s.sum[i];
    }
    w->k->scale(1.0f / sum, out, ld);
}

static void finish(struct infer_work *w, const struct unit *u, float *states, uint32_t n)
{
    const struct model_layer *y = w->layer;
    size_t ld = kern_kv_padded(w->m->d_head_v), d = w->m->d_head_v;
    const float *out = state_at(states).out;
    for (uint32_t i = 0; i < u->n_rows * u->n_heads; i++) {
        merge(w, states, n, i);
        emit(w, u->row + i / u->n_heads, u->head + i % u->n_heads, out + i * ld);
    }
    if (infer_wants_q8(&y->out) && whole_blocks(w))
        for (uint32_t r = u->row; r < u->row + u->n_rows; r++)
            infer_quantize(w, &w->act[1], w->mixed + (size_t)r * y->out.n_in, r, y->out.n_in, u->head * d,
                           u->n_heads * d);
}

/* What the queries of a unit see, [n_q] each: cells [low, high), and of these in the block at hand [from, to). */
struct view {
    uint32_t *low, *high, *from, *to;
};

/* The kernel over the cells [begin, end) as far as the view goes, block by block. `ahead`: the cell that is read after
 * them, or 0. */
static void over_blocks(const struct infer_work *w, const struct unit *u, uint32_t begin, uint32_t end, uint32_t ahead,
                        struct kern_attn *a, const struct view *v)
{
    const struct infer_session *s = u->g->s;
    const struct infer_pages *p = s->pages;
    size_t k = p->layer[w->layer_i].k, v_at = p->layer[w->layer_i].v;
    for (uint32_t at = begin, next; at < end; at = next) {
        uint32_t block = at / p->n_tokens, first = block * p->n_tokens, last = first + p->n_tokens;
        next = last < end ? last : end;
        a->k = block_of(s, k, block, u->head_kv, p->k_row);
        a->v = block_of(s, v_at, block, u->head_kv, p->v_row);
        a->next_k = a->next_v = NULL;
        if (next < ahead) {
            size_t to_block = next / p->n_tokens, row = next % p->n_tokens;
            a->next_k = (char *)block_of(s, k, to_block, u->head_kv, p->k_row) + row * p->k_row;
            a->next_v = (char *)block_of(s, v_at, to_block, u->head_kv, p->v_row) + row * p->v_row;
        }
        for (size_t i = 0; i < a->n_q; i++) {
            uint32_t low = v->low[i] > at ? v->low[i] : at, high = v->high[i] < next ? v->high[i] : next;
            v->from[i] = (low < high ? low : at) - first;
            v->to[i] = (low < high ? high : at) - first;
        }
        w->k->attend[p->kv](a);
    }
}

/* The nearest run of ancestors of a node (itself first) that the window lets it see: cells [*low, *high). Returns the
 * node above the run, or -1: there are no more. */
static int32_t run_of(const struct infer_work *w, const struct infer_segment *g, uint32_t pos, int32_t node,
                      uint32_t *low, uint32_t *high)
{
    const struct infer_tree *t = g->tree;
    int32_t first = t->run[node];
    uint32_t window = w->layer->window, top = g->pos0 + t->depth[first], hidden = 0;
    if (window && pos + 1 > window + top) hidden = pos + 1 - window - top; /* of its nodes, from the top */
    *high = g->pos0 + node + 1;
    *low = g->pos0 + first + hidden < *high ? g->pos0 + first + hidden : *high;
    return t->parent[first];
}

/* The nodes of a tree see their ancestors: run by run, each query its own, from the node upwards. */
static void over_runs(const struct infer_work *w, const struct unit *u, struct kern_attn *a, const struct view *v)
{
    const struct infer_segment *g = u->g;
    int32_t above[QUERIES];
    bool any = true;
    for (uint32_t r = 0; r < u->n_rows; r++) above[r] = (int32_t)(g->node0 + u->row - g->row0 + r);
    while (any) {
        uint32_t begin = UINT32_MAX, end = 0;
        any = false;
        for (uint32_t r = 0; r < u->n_rows; r++) {
            uint32_t low = 0, high = 0;
            if (above[r] >= 0) {
                above[r] = run_of(w, g, w->pos[u->row + r], above[r], &low, &high);
                begin = low < begin ? low : begin;
                end = high > end ? high : end;
            }
            any = any || above[r] >= 0;
            for (uint32_t h = 0; h < u->n_heads; h++) {
                v->low[r * u->n_heads + h] = low;
                v->high[r * u->n_heads + h] = high;
            }
        }
        over_blocks(w, u, begin, end, 0, a, v);
    }
}

static void attend(struct infer_work *w, int thread, uint32_t unit, const struct unit *u, uint32_t c)
{
    const struct model *m = w->m;
    uint32_t n_q = u->n_rows * u->n_heads, n_chunks = w->attn.n_chunks;
    uint32_t step = up(up(u->high - u->low, n_chunks), KERN_KV_STRIP) * KERN_KV_STRIP, begin = u->low + c * step;
    float *q = w->attn.scratch + thread * local_floats(m), *own = q + QUERIES * m->d_head;
    float *shared = w->attn.scratch + w->pool->n * local_floats(m);
    float *states = n_chunks == 1 ? own : shared + (size_t)unit * n_chunks * state_floats(m);
    uint32_t *local = (uint32_t *)(own + state_floats(m));
    struct view v = {local, local + QUERIES, local + 2 * QUERIES, local + 3 * QUERIES};
    struct state state = state_at(states + c * state_floats(m));
    for (uint32_t i = 0; i < n_q; i++) {
        memcpy(q + (size_t)i * m->d_head, query(w, u->row + i / u->n_heads, u->head + i % u->n_heads),
               m->d_head * sizeof *q);
        state.max[i] = -INFINITY;
        state.sum[i] = 0;
        sight(w, u->g, u->row + i / u->n_heads, &v.low[i], &v.high[i]);
    }
    memset(state.out, 0, n_q * kern_kv_padded(m->d_head_v) * sizeof *state.out);
    struct kern_attn a = {.q = q,
                          .n_q = n_q,
                          .d = m->d_head,
                          .d_v = m->d_head_v,
                          .from = v.from,
                          .to = v.to,
                          .scale = m->attn_scale,
                          .softcap = m->attn_softcap,
                          .max = state.max,
                          .sum = state.sum,
                          .out = state.out};
    over_blocks(w, u, begin, begin + step < u->high ? begin + step : u->high, u->high, &a, &v);
    if (u->g->branches && c + 1 == n_chunks) over_runs(w, u, &a, &v);
    if (n_chunks == 1 || atomic_fetch_sub(&w->attn.left[unit], 1) == 1) finish(w, u, states, n_chunks);
}

/* The next run of tasks for one of n threads: a part of what is left. */
static bool take(struct infer_work *w, int n, uint32_t *from, uint32_t *to)
{
    uint32_t total = w->attn.n_units * w->attn.n_chunks, run;
    *from = atomic_load(&w->attn.next);
    do {
        if (*from >= total) return false;
        run = up(total - *from, 4 * n);
    } while (!atomic_compare_exchange_weak(&w->attn.next, from, *from + run));
    *to = *from + run;
    return true;
}

/* After the last layer nobody reads a row that is not wanted (forward.c); its key and value are stored already. */
static bool is_read(const struct infer_work *w, const struct unit *u)
{
    if (w->layer_i + 1 < w->m->n_layer || w->n_wanted == w->n_rows) return true;
    for (uint32_t i = 0; i < w->n_wanted; i++)
        if (w->wanted[i] >= u->row && w->wanted[i] < u->row + u->n_rows) return true;
    return false;
}

/* Tasks come in ascending order, so that the segment of the next is this one or a later one. */
static void attend_tasks(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint32_t n_chunks = w->attn.n_chunks, first = 0, k = 0, from, to;
    while (take(w, n, &from, &to)) {
        for (uint32_t task = from; task < to; task++) {
            uint32_t unit = task / n_chunks;
            while (unit - first >= units_of(w, &w->segment[k])) first += units_of(w, &w->segment[k++]);
            struct unit u = unit_at(w, &w->segment[k], unit - first);
            if (is_read(w, &u)) attend(w, i, unit, &u, task % n_chunks);
        }
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

/* One row is prepared by the caller: that takes less than a barrier. */
void infer_attention(struct infer_work *w)
{
    if (w->n_rows == 1) prepare_share(w, 0, 1);
    else infer_run(w, prepare_share);
    plan(w);
    infer_run(w, attend_tasks);
    if (infer_wants_q8(&w->layer->out) && !whole_blocks(w)) infer_run(w, quantize_rows);
}
