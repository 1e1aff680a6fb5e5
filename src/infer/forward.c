/* The forward pass: a batch of rows through all layers of a model's plan (model_arch.h). Owns the scratch
 * memory.
 *
 *   x = embedding                                                        [n_rows, n_embd]
 *   for each layer:   h = attn_norm(x)      in = W_in h      mixed = mixer(in)      y = W_out mixed
 *                     x = attn_out_norm(x + attn_post_norm(y))
 *                     h = ffn_norm(x)       y = W_down act(W_gate h, W_up h)
 *                     x = ffn_out_norm(x + ffn_post_norm(y))
 *   logits = W_head out_norm(x)             [n_wanted, n_vocab]
 *
 * After the last mixer only the rows remain whose result somebody reads: the others have left their keys and
 * values. A norm that the family does not have is the identity. Adding y, the norms and the int8 form of h are one
 * step per row; for a single row it runs on the caller, so a decoded token crosses five barriers a layer (in,
 * mixer, out, gate and up, down). Next to read: products.c, attention.c, recurrent.c. */
#include "internal.h"
#include "kern_pack.h"

static const struct model_norm no_norm;

void infer_run(struct infer_work *w, void (*fn)(void *work, int i, int n)) { plat_pool_run(w->pool, fn, w); }

/* ---- scratch ---- */

static void *place(char *base, size_t *used, size_t bytes)
{
    void *p = base ? base + *used : NULL;
    *used += infer_align64(bytes);
    return p;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

static void widths(struct infer_work *w)
{
    for (uint32_t i = 0; i < w->m->n_layer; i++) {
        const struct model_layer *y = &w->m->layer[i];
        bool attention = y->kind == MODEL_ATTENTION;
        w->in_width[0] = larger(w->in_width[0], attention ? y->q.n_out : y->qkv.n_out);
        w->in_width[1] = larger(w->in_width[1], attention ? y->k.n_out : y->z.n_out);
        w->in_width[2] = larger(w->in_width[2], attention ? y->v.n_out : y->beta.n_out);
        w->in_width[3] = larger(w->in_width[3], attention ? 0 : y->alpha.n_out);
        w->mixed_width = larger(w->mixed_width, y->out.n_in);
        if (!infer_wants_q8(&y->down)) w->ffn_width = larger(w->ffn_width, y->down.n_in);
    }
}

static void widest_strips(struct model_weight *m, void *ctx)
{
    struct infer_work *w = ctx;
    size_t bytes = infer_strips_bytes(m);
    if (bytes > w->strips_bytes) w->strips_bytes = bytes;
}

/* Sets the buffers inside `base`, or (NULL) only adds up their bytes. The mixer's buffers and the
 * feed-forward's are never in use together and lie over each other. */
static size_t layout(struct infer_work *w, char *base)
{
    const struct model *m = w->m;
    size_t used = 0, rows = w->max_rows, n = w->pool->n, f = sizeof(float);
    w->token = place(base, &used, rows * sizeof *w->token);
    w->pos = place(base, &used, rows * sizeof *w->pos);
    w->cell = place(base, &used, rows * sizeof *w->cell);
    w->segment_of = place(base, &used, rows * sizeof *w->segment_of);
    w->segment = place(base, &used, rows * sizeof *w->segment);
    w->wanted = place(base, &used, rows * sizeof *w->wanted);
    w->logits = place(base, &used, rows * sizeof *w->logits);
    w->finite = place(base, &used, rows * sizeof *w->finite);
    w->x = place(base, &used, rows * m->n_embd * f);
    w->h = place(base, &used, rows * m->n_embd * f);
    w->y = place(base, &used, rows * m->n_embd * f);
    size_t mixer = used, ffn = used;
    for (int i = 0; i < MAX_PRODUCTS; i++) w->in[i] = place(base, &mixer, rows * w->in_width[i] * f);
    w->mixed = place(base, &mixer, rows * w->mixed_width * f);
    w->ffn = place(base, &ffn, rows * w->ffn_width * f);
    used = mixer > ffn ? mixer : ffn;
    for (int i = 0; i < 2; i++) w->turn[i] = place(base, &used, rows * m->rope[i].n_rot * f);
    w->attn.scratch = place(base, &used, infer_attention_floats(m, w->pool->n) * f);
    w->strips = place(base, &used, 2 * n * w->strips_bytes);
    w->local_floats = 2 * (size_t)m->d_state;
    w->local = place(base, &used, n * w->local_floats * f);
    for (int i = 0; i < 2; i++) {
        size_t width = i ? larger(w->mixed_width, m->n_ff_max) : m->n_embd;
        w->act[i].q = place(base, &used, rows * width);
        w->act[i].d = place(base, &used, rows * (width / 32 + 1) * f);
        w->act[i].sum16 = place(base, &used, rows * (width / 16 + 1) * sizeof(int16_t));
        if (w->k->bf16_rows) w->act[i].bf16 = place(base, &used, (rows + 15) / 16 * 16 * width * sizeof(uint16_t));
    }
    return used;
}

static int work_new(struct infer_engine *g, uint32_t max_rows, struct infer_work **out, struct err *e)
{
    struct infer_work *w = mem_calloc(1, sizeof *w);
    if (!w) return err_nomem(e, sizeof *w);
    w->m = g->model;
    w->k = g->ops;
    w->pool = g->pool;
    w->max_rows = max_rows;
    w->invariant = g->invariant;
    widths(w);
    model_each_product(g->model, widest_strips, w);
    w->slab_bytes = layout(w, NULL);
    w->slab = mem_calloc(1, w->slab_bytes + 64);
    if (!w->slab) {
        int rc = err_nomem(e, w->slab_bytes);
        mem_free(w);
        return rc;
    }
    layout(w, (char *)(((uintptr_t)w->slab + 63) & ~(uintptr_t)63));
    *out = w;
    return 0;
}

void infer_work_free(struct infer_work *w)
{
    if (!w) return;
    mem_free(w->slab);
    mem_free(w);
}

int infer_work_reserve(struct infer_engine *g, uint32_t max_rows, struct err *e)
{
    int rc = 0;
    struct infer_work *w;
    pthread_mutex_lock(&g->lock);
    if (!g->work || max_rows > g->work->max_rows) {
        rc = work_new(g, max_rows, &w, e);
        if (!rc) {
            infer_work_free(g->work);
            g->work = w;
        }
    }
    pthread_mutex_unlock(&g->lock);
    return rc;
}

/* ---- the batch ---- */

void infer_batch_clear(struct infer_work *w) { w->n_rows = w->n_segments = w->n_wanted = 0; }

void infer_batch_add(struct infer_work *w, struct infer_segment g, const int32_t *tokens)
{
    g.row0 = w->n_rows;
    for (uint32_t r = 0; r < g.n; r++, w->n_rows++) {
        w->token[w->n_rows] = tokens[r];
        w->pos[w->n_rows] = g.pos0 + (g.branches ? g.tree->depth[g.node0 + r] : r);
        w->cell[w->n_rows] = g.cell0 + g.pos0 + (g.branches ? g.node0 + r : r);
        w->segment_of[w->n_rows] = w->n_segments;
    }
    w->segment[w->n_segments++] = g;
}

void infer_batch_want(struct infer_work *w, uint32_t row, float *logits)
{
    w->wanted[w->n_wanted] = row;
    w->logits[w->n_wanted++] = logits;
}

/* ---- steps ---- */

static void normalize(const struct infer_work *w, const struct model_norm *n, const float *x, float *y)
{
    const struct model *m = w->m;
    if (m->layer_norm) w->k->layer_norm(x, n->w, n->b, y, m->n_embd, m->norm_eps);
    else w->k->rms_norm(x, n->w, y, m->n_embd, m->norm_eps);
}

/* An embedding that is the head too is read as it is packed for the head, so that the file's copy stays out of
 * memory. */
static void embedding(const struct infer_work *w, int32_t token, float *x)
{
    const struct model *m = w->m;
    const struct model_weight *t = &m->embd;
    const void *packed = m->head.data == t->data ? __atomic_load_n(&m->head.packed, __ATOMIC_ACQUIRE) : NULL;
    if (packed)
        kern_unpack_row(t->type, packed, (size_t)token, m->n_embd, x);
    else
        w->k->dequant[t->type]((const char *)t->data + (size_t)token * t->row_bytes, x, m->n_embd);
}

static void embed_row(struct infer_work *w, uint32_t r)
{
    const struct model *m = w->m;
    float *x = w->x + (size_t)r * m->n_embd;
    const struct model_weight *p = &m->pos_embd;
    embedding(w, w->token[r], x);
    if (m->embd_scale != 1.0f) w->k->scale(m->embd_scale, x, m->n_embd);
    if (m->type_embd) w->k->add(x, m->type_embd, x, m->n_embd);
    if (p->data) {
        float *h = w->h + (size_t)r * m->n_embd;
        w->k->dequant[p->type]((const char *)p->data + (size_t)w->pos[r] * p->row_bytes, h, m->n_embd);
        w->k->add(x, h, x, m->n_embd);
    }
    if (m->embd_norm.w) normalize(w, &m->embd_norm, x, x);
    infer_turns(w, r);
}

static void embed_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to;
    infer_share(w->n_rows, i, n, &from, &to);
    for (uint64_t r = from; r < to; r++) embed_row(w, r);
}

static void norm_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    size_t n_embd = w->m->n_embd;
    uint64_t from, to;
    infer_share(w->n_rows, i, n, &from, &to);
    for (uint64_t r = from; r < to; r++) {
        float *x = w->x + r * n_embd, *h = w->h + r * n_embd,
              *add = w->norm.add ? w->norm.add + r * n_embd : NULL;
        if (add && w->norm.post->w) normalize(w, w->norm.post, add, add);
        if (add) w->k->add(x, add, x, n_embd);
        if (w->norm.out->w) normalize(w, w->norm.out, x, x);
        if (w->norm.next->w) normalize(w, w->norm.next, x, h);
        else memcpy(h, x, n_embd * sizeof *h);
        if (w->norm.quantize) infer_quantize(w, &w->act[0], h, r, n_embd, 0, n_embd);
    }
}

static void add_and_norm(struct infer_work *w, float *add, const struct model_norm *post,
                         const struct model_norm *out, const struct model_norm *next, bool quantize)
{
    w->norm.add = add;
    w->norm.post = post;
    w->norm.out = out;
    w->norm.next = next;
    w->norm.quantize = quantize;
    if (w->n_rows == 1) norm_share(w, 0, 1);
    else infer_run(w, norm_share);
}

/* Prepare w->mul for products of one input. */
static void products_of(struct infer_work *w, const float *x, size_t n_in, const struct infer_act *act)
{
    w->mul.n = 0;
    w->mul.x = x;
    w->mul.n_in = w->mul.ldx = n_in;
    w->mul.act = act;
    w->mul.n_rows = w->n_rows;
    w->mul.softcap = 0;
}

static void product(struct infer_work *w, const struct model_weight *m, float *y)
{
    if (m->data) w->mul.p[w->mul.n++] = (struct infer_product){m, y, m->n_out, NULL};
}

/* Does any product of the layer's input need the int8 form? */
static bool inputs_want_q8(const struct model_layer *y)
{
    return infer_wants_q8(&y->q) || infer_wants_q8(&y->k) || infer_wants_q8(&y->v) ||
           infer_wants_q8(&y->qkv) || infer_wants_q8(&y->z) || infer_wants_q8(&y->beta) ||
           infer_wants_q8(&y->alpha);
}

/* Of what the last mixer made, keep the rows that are wanted, in front: the first n_wanted rows of x, mixed
 * and its int8 form. */
static void keep_wanted(struct infer_work *w)
{
    size_t n_embd = w->m->n_embd, n_in = w->layer->out.n_in;
    for (uint32_t i = 0; i < w->n_wanted; i++) {
        uint32_t r = w->wanted[i];
        if (r == i) continue;
        memcpy(w->x + i * n_embd, w->x + r * n_embd, n_embd * sizeof *w->x);
        memcpy(w->mixed + i * n_in, w->mixed + r * n_in, n_in * sizeof *w->mixed);
        if (infer_wants_q8(&w->layer->out)) infer_act_copy(&w->act[1], n_in, i, r);
    }
    w->n_rows = w->n_wanted;
}

static void mix(struct infer_work *w, const struct model_layer *y)
{
    products_of(w, w->h, w->m->n_embd, &w->act[0]);
    if (y->kind == MODEL_ATTENTION) {
        product(w, &y->q, w->in[0]);
        product(w, &y->k, w->in[1]);
        product(w, &y->v, w->in[2]);
    } else {
        product(w, &y->qkv, w->in[0]);
        product(w, &y->z, w->in[1]);
        product(w, &y->beta, w->in[2]);
        product(w, &y->alpha, w->in[3]);
    }
    infer_products(w);
    if (y->kind == MODEL_ATTENTION) infer_attention(w);
    else infer_recurrent(w);
}

static void feed_forward(struct infer_work *w, const struct model_layer *y)
{
    products_of(w, w->mixed, y->out.n_in, &w->act[1]);
    product(w, &y->out, w->y);
    infer_products(w);
    add_and_norm(w, w->y, &y->attn_post_norm, &y->attn_out_norm, &y->ffn_norm,
                 infer_wants_q8(&y->gate) || infer_wants_q8(&y->up));

    products_of(w, w->h, w->m->n_embd, &w->act[0]);
    infer_gate_up(w);
    products_of(w, w->ffn, y->down.n_in, &w->act[1]);
    product(w, &y->down, w->y);
    infer_products(w);
}

/* Times 0 a number is 0, and what is none stays none. In lanes that a compiler makes vectors of. */
bool infer_is_finite(const float *x, size_t n)
{
    enum { LANES = 16 };
    float sum[LANES] = {0}, all = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) sum[j] += x[i + j] * 0;
    for (; i < n; i++) all += x[i] * 0;
    for (size_t j = 0; j < LANES; j++) all += sum[j];
    return all == 0;
}

static void check_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t from, to;
    infer_share(w->n_rows, i, n, &from, &to);
    for (uint64_t r = from; r < to; r++) w->finite[r] = infer_is_finite(w->logits[r], w->m->n_vocab);
}

/* Rows of h whose whole logits are wanted, in front; where they come from is in `wanted`. */
static void keep_whole(struct infer_work *w)
{
    size_t n_embd = w->m->n_embd;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n_wanted; i++) {
        if (!w->logits[i]) continue;
        if (n != i) {
            memcpy(w->h + n * n_embd, w->h + i * n_embd, n_embd * sizeof *w->h);
            if (infer_wants_q8(&w->m->head)) infer_act_copy(&w->act[0], n_embd, n, i);
            w->logits[n] = w->logits[i];
            w->wanted[n] = w->wanted[i];
        }
        n++;
    }
    w->n_rows = w->n_wanted = n;
}

/* Asks take a few logits of a row each, other rows all of them. */
static void head(struct infer_work *w)
{
    products_of(w, w->h, w->m->n_embd, &w->act[0]);
    w->mul.softcap = w->m->logit_softcap;
    w->mul.p[w->mul.n++] = (struct infer_product){.w = &w->m->head, .rows = w->logits};
    infer_asks(w);
    keep_whole(w);
    if (w->n_rows == 0) return;
    w->mul.n_rows = w->n_rows;
    infer_products(w);
    if (w->n_rows == 1)
        check_share(w, 0, 1);
    else
        infer_run(w, check_share);
}

static bool stopped(struct infer_work *w)
{
    for (uint32_t i = 0; i < w->n_segments; i++)
        if (!atomic_load_explicit(&w->segment[i].s->cancel, memory_order_relaxed)) return false;
    return true;
}

bool infer_forward(struct infer_work *w, bool want_logits)
{
    const struct model *m = w->m;
    if (w->n_rows == 1) embed_share(w, 0, 1);
    else infer_run(w, embed_share);
    const struct model_norm *post = &no_norm, *out = &no_norm;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *y = &m->layer[i];
        if (stopped(w)) return false;
        w->layer = y;
        w->layer_i = i;
        add_and_norm(w, i ? w->y : NULL, post, out, &y->attn_norm, inputs_want_q8(y));
        mix(w, y);
        if (i + 1 == m->n_layer) keep_wanted(w);
        if (w->n_rows == 0) return true;
        feed_forward(w, y);
        post = &y->ffn_post_norm;
        out = &y->ffn_out_norm;
    }
    add_and_norm(w, w->y, post, out, &m->out_norm, want_logits && infer_wants_q8(&m->head));
    if (want_logits) head(w);
    return true;
}
