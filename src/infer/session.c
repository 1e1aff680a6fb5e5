/* A session: caches, recurrent states and a position. Owns one slab for caches, and the logits; allocates only
 * at creation and for snapshots. The scratch is the engine's.
 *
 * Invariants: the caches hold positions [0, n_past); tokens[0, n_past) says which. A recurrent state is that
 * after n_past tokens, unless `spoiled`.
 * Next to read: batch.c. */
#include "internal.h"

#include <math.h>

enum { DEFAULT_CTX = 4096, DEFAULT_BATCH = 512, MAX_CTX = 1 << 24, BLOCK = 1024 };

static size_t align64(size_t n) { return (n + 63) & ~(size_t)63; }

/* Conv and state of the recurrent layers, contiguous, so that a snapshot is one copy. */
static size_t layout_recurrent(struct infer_session *s, char *base)
{
    const struct model *m = s->engine->model;
    size_t used = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        size_t conv =
            infer_recurrent_channels(m, &m->layer[i]) * (m->d_conv ? m->d_conv - 1 : 0) * sizeof(float);
        size_t state = m->layer[i].kind == MODEL_DELTA_NET
                           ? (size_t)m->n_head_v * m->d_state * m->d_state * sizeof(float)
                           : 0;
        if (base && conv) s->cache[i].conv = (float *)(base + used);
        used += align64(conv);
        if (base && state) s->cache[i].state = (float *)(base + used);
        used += align64(state);
    }
    s->recurrent = (float *)base;
    s->recurrent_floats = used / sizeof(float);
    return used;
}

/* Keys and values in blocks of positions, all layers in each: memory fills from its start as the context grows, so that
 * huge pages, which make reading it a third faster, cost no more than a block of memory that is not yet used. */
static size_t layout_attention(struct infer_session *s, char *base)
{
    const struct model *m = s->engine->model;
    size_t end = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *y = &m->layer[i];
        if (y->kind != MODEL_ATTENTION) continue;
        size_t used = m->causal ? end : 0; /* an encoder's layers take turns */
        size_t k = align64((size_t)y->n_head_kv * s->n_block * s->k_row),
               v = align64((size_t)y->n_head_kv * s->n_block * s->v_row);
        if (base) s->cache[i].k = base + used, s->cache[i].v = base + used + k;
        end = used + k + v > end ? used + k + v : end;
    }
    s->block_bytes = end;
    return end * ((s->n_cells + s->n_block - 1) / s->n_block);
}

static size_t layout(struct infer_session *s, char *base)
{
    size_t recurrent = layout_recurrent(s, base);
    return recurrent + layout_attention(s, base ? base + recurrent : NULL);
}

static int sizes(struct infer_session *s, const struct infer_session_params *p, struct err *e)
{
    const struct model *m = s->engine->model;
    s->n_ctx = p && p->n_ctx ? p->n_ctx : m->n_ctx_train < DEFAULT_CTX ? m->n_ctx_train : DEFAULT_CTX;
    s->n_batch = p && p->n_batch ? p->n_batch : DEFAULT_BATCH;
    s->n_logits = p && p->n_logits ? p->n_logits : 1;
    s->kv = p && p->kv == INFER_KV_F32    ? KERN_KV_F32
            : p && p->kv == INFER_KV_Q8_0 ? KERN_KV_Q8_0
                                          : KERN_KV_F16;
    if (s->n_ctx > MAX_CTX)
        return ERR(e, LIMIT, "A context of %u is too long; at most %d.", s->n_ctx, MAX_CTX);
    if (m->pos_embd.data && s->n_ctx > m->n_ctx_train)
        return ERR(e, LIMIT, "This model has %u positions; a context of %u is too long.", m->n_ctx_train,
                   s->n_ctx);
    if (!m->causal) s->kv = KERN_KV_F32;
    if (m->causal ? s->n_batch > s->n_ctx : s->n_batch < s->n_ctx) s->n_batch = s->n_ctx;
    if (s->kv == KERN_KV_Q8_0 && (m->d_head % 32 || m->d_head_v % 32))
        return ERR(e, UNSUPPORTED,
                   "A q8_0 cache needs heads of a multiple of 32 elements; this model's have %u. Use f16.",
                   m->d_head);
    if (s->n_logits > s->n_ctx) s->n_logits = s->n_ctx;
    uint32_t cells = m->causal ? s->n_ctx : s->n_batch; /* an encoder sees all rows of its texts at once */
    s->n_cells = (cells + KERN_KV_STRIP - 1) / KERN_KV_STRIP * KERN_KV_STRIP;
    s->n_block = s->n_cells < BLOCK ? s->n_cells : BLOCK;
    s->k_row = kern_kv_row_bytes(s->kv, m->d_head);
    s->v_row = kern_kv_row_bytes(s->kv, m->d_head_v);
    return 0;
}

int infer_session_new(struct infer_engine *g, const struct infer_session_params *p,
                      struct infer_session **out, struct err *e)
{
    const struct model *m = g->model;
    struct infer_session *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->engine = g;
    int rc = sizes(s, p, e);
    if (rc) goto out;
    s->slab_bytes = layout(s, NULL);
    s->cache = mem_calloc(m->n_layer, sizeof *s->cache);
    s->slab = mem_pages(s->slab_bytes);
    s->tokens = mem_calloc(s->n_ctx, sizeof *s->tokens);
    if (m->head.data) s->logits = mem_calloc(s->n_logits, m->n_vocab * sizeof(float));
    if (!s->cache || !s->slab || !s->tokens || (m->head.data && !s->logits)) {
        rc = err_nomem(e, s->slab_bytes + (size_t)s->n_logits * m->n_vocab * sizeof(float));
        goto out;
    }
    layout(s, s->slab);
    rc = infer_work_reserve(g, s->n_batch, e);
out:
    if (rc) infer_session_free(s);
    else *out = s;
    return rc;
}

void infer_session_free(struct infer_session *s)
{
    if (!s) return;
    mem_free(s->logits);
    mem_free(s->tokens);
    mem_pages_free(s->slab, s->slab_bytes);
    mem_free(s->cache);
    mem_free(s);
}

struct infer_engine *infer_session_engine(const struct infer_session *s) { return s->engine; }
uint32_t infer_session_n_ctx(const struct infer_session *s) { return s->n_ctx; }
uint32_t infer_session_n_past(const struct infer_session *s) { return s->n_past; }
const int32_t *infer_session_tokens(const struct infer_session *s) { return s->tokens; }
void infer_session_cancel(struct infer_session *s) { atomic_store(&s->cancel, 1); }
bool infer_session_is_recurrent(const struct infer_session *s) { return s->recurrent_floats != 0; }

size_t infer_session_bytes(const struct infer_session *s)
{
    return s->slab_bytes + s->n_ctx * sizeof *s->tokens +
           (s->logits ? (size_t)s->n_logits * s->engine->model->n_vocab * sizeof(float) : 0);
}

const float *infer_session_logits(const struct infer_session *s, size_t i)
{
    return i < s->n_rows_logits ? s->logits + i * s->engine->model->n_vocab : NULL;
}

/* ---- rewinding ---- */

int infer_session_truncate(struct infer_session *s, uint32_t n_past, struct err *e)
{
    if (n_past > s->n_past) return ERR(e, USAGE, "Cannot keep %u tokens of %u.", n_past, s->n_past);
    if (s->recurrent_floats && n_past && (n_past != s->n_past || s->spoiled))
        return ERR(e, UNSUPPORTED,
                   "This %s model has a recurrent state: it can go back to the start or to a snapshot, "
                   "not to token %u of %u.",
                   s->engine->model->arch, n_past, s->n_past);
    if (s->recurrent_floats && n_past == 0)
        memset(s->recurrent, 0, s->recurrent_floats * sizeof *s->recurrent);
    s->spoiled = false;
    s->n_past = n_past;
    s->n_rows_logits = 0;
    return 0;
}

struct infer_snapshot {
    uint64_t hash; /* of the tokens before it */
    uint32_t n_past;
    size_t n;
    float state[];
};

static uint64_t hash_tokens(const struct infer_session *s, uint32_t n)
{
    return str_hash(s->tokens, n * sizeof *s->tokens);
}

int infer_session_snapshot(const struct infer_session *s, struct infer_snapshot **out, struct err *e)
{
    if (s->spoiled) return ERR(e, USAGE, "The session was cancelled inside a chunk; truncate it to 0 first.");
    size_t bytes = s->recurrent_floats * sizeof(float);
    struct infer_snapshot *snap = mem_alloc(sizeof *snap + bytes);
    if (!snap) return err_nomem(e, bytes);
    snap->hash = hash_tokens(s, s->n_past);
    snap->n_past = s->n_past;
    snap->n = s->recurrent_floats;
    if (bytes) memcpy(snap->state, s->recurrent, bytes);
    *out = snap;
    return 0;
}

int infer_session_restore(struct infer_session *s, const struct infer_snapshot *snap, struct err *e)
{
    if (snap->n != s->recurrent_floats || snap->n_past > s->n_past ||
        snap->hash != hash_tokens(s, snap->n_past))
        return ERR(e, USAGE, "The snapshot of %u tokens does not belong to this session's tokens.",
                   snap->n_past);
    if (snap->n) memcpy(s->recurrent, snap->state, snap->n * sizeof(float));
    s->spoiled = false;
    s->n_past = snap->n_past;
    s->n_rows_logits = 0;
    return 0;
}

void infer_snapshot_free(struct infer_snapshot *snap) { mem_free(snap); }
