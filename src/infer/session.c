/* A session: caches, recurrent states, position, and evaluation in chunks of n_batch rows. Owns one slab for
 * caches, one for scratch (forward.c) and the logits; allocates only at creation and for snapshots.
 *
 * Invariants: the caches hold positions [0, n_past); tokens[0, n_past) says which; a chunk counts only when
 * it is finished. A recurrent state is that after n_past tokens, unless `spoiled`.
 * Next to read: forward.c. */
#include "internal.h"

#include <math.h>

enum { DEFAULT_CTX = 4096, DEFAULT_BATCH = 512, MAX_CTX = 1 << 24 };

static size_t cached_row(enum kern_kv kv, uint32_t d)
{
    if (kv == KERN_KV_Q8_0) return kern_row_bytes(KERN_Q8_0, d);
    return d * (kv == KERN_KV_F32 ? sizeof(float) : sizeof(uint16_t));
}

static size_t align64(size_t n) { return (n + 63) & ~(size_t)63; }

/* Places the caches of all layers in `base`; recurrent ones first and contiguous, so that a snapshot is one
 * copy. */
static size_t layout(struct infer_session *s, char *base)
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
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *y = &m->layer[i];
        if (y->kind != MODEL_ATTENTION) continue;
        size_t k = align64((size_t)y->n_head_kv * s->n_cells * s->k_row),
               v = align64((size_t)y->n_head_kv * s->n_cells * s->v_row);
        if (base) s->cache[i].k = base + used, s->cache[i].v = base + used + k;
        used += k + v;
    }
    return used;
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
    if (!m->causal || s->n_batch > s->n_ctx) s->n_batch = s->n_ctx; /* an encoder sees all rows at once */
    if (s->kv == KERN_KV_Q8_0 && (m->d_head % 32 || m->d_head_v % 32))
        return ERR(e, UNSUPPORTED,
                   "A q8_0 cache needs heads of a multiple of 32 elements; this model's have %u. Use f16.",
                   m->d_head);
    if (s->n_logits > s->n_ctx) s->n_logits = s->n_ctx;
    s->n_cells = s->n_ctx;
    s->k_row = cached_row(s->kv, m->d_head);
    s->v_row = cached_row(s->kv, m->d_head_v);
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
    s->slab = mem_calloc(1, s->slab_bytes + 64);
    s->tokens = mem_calloc(s->n_ctx, sizeof *s->tokens);
    if (m->head.data) s->logits = mem_calloc(s->n_logits, m->n_vocab * sizeof(float));
    if (!s->cache || !s->slab || !s->tokens || (m->head.data && !s->logits)) {
        rc = err_nomem(e, s->slab_bytes + (size_t)s->n_logits * m->n_vocab * sizeof(float));
        goto out;
    }
    layout(s, (char *)align64((uintptr_t)s->slab));
    rc = infer_work_new(g, s->n_batch, s->n_ctx, &s->work, e);
out:
    if (rc) infer_session_free(s);
    else *out = s;
    return rc;
}

void infer_session_free(struct infer_session *s)
{
    if (!s) return;
    infer_work_free(s->work);
    mem_free(s->logits);
    mem_free(s->tokens);
    mem_free(s->slab);
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
    return s->slab_bytes + s->work->slab_bytes + s->n_ctx * sizeof *s->tokens +
           (s->logits ? (size_t)s->n_logits * s->engine->model->n_vocab * sizeof(float) : 0);
}

const float *infer_session_logits(const struct infer_session *s, size_t i)
{
    return i < s->n_rows_logits ? s->logits + i * s->engine->model->n_vocab : NULL;
}

/* ---- evaluation ---- */

static int check(const struct infer_session *s, const int32_t *tokens, size_t n, struct err *e)
{
    uint32_t n_vocab = s->engine->model->n_vocab, room = s->n_ctx - s->n_past;
    if (n == 0) return ERR(e, USAGE, "There are no tokens to evaluate.");
    if (s->spoiled) return ERR(e, USAGE, "The session was cancelled inside a chunk; truncate it to 0 first.");
    if (n > room)
        return ERR(e, NO_ROOM,
                   "%zu tokens do not fit: %u of the context's %u are free, %zu too few. Use a longer "
                   "context "
                   "or a shorter prompt.",
                   n, room, s->n_ctx, n - room);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= n_vocab)
            return ERR(e, USAGE, "Token %d at position %zu is not in the vocabulary of %u.", tokens[i], i,
                       n_vocab);
    return 0;
}

/* Numbers that are none must not become an answer. */
static int check_finite(const float *x, size_t n, struct err *e)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++) bad |= !(fabsf(x[i]) < INFINITY);
    if (!bad) return 0;
    return ERR(e, FORMAT,
               "The model computes infinities or values that are not numbers: its weights or hyperparameters are "
               "damaged. Fetch the file again.");
}

/* One chunk. Logits of the rows from first_logit on go to `logits` (NULL: none). */
static int chunk(struct infer_session *s, const int32_t *tokens, uint32_t n, uint32_t first_logit,
                 float *logits, struct err *e)
{
    struct infer_work *w = s->work;
    pthread_mutex_lock(&s->engine->lock);
    w->token = tokens;
    w->n_rows = n;
    w->n_segments = 1;
    w->segment[0] = (struct infer_segment){s, 0, n, s->n_past, 0};
    bool done = infer_forward(w, first_logit, logits);
    pthread_mutex_unlock(&s->engine->lock);
    if (!done) {
        s->spoiled = s->recurrent_floats != 0;
        atomic_store(&s->cancel, 0);
        return ERR(e, CANCELLED, "Cancelled.");
    }
    s->hidden = w->h;
    memcpy(s->tokens + s->n_past, tokens, n * sizeof *tokens);
    s->n_past += n;
    return 0;
}

int infer_session_eval(struct infer_session *s, const int32_t *tokens, size_t n, enum infer_want want,
                       struct err *e)
{
    const struct model *m = s->engine->model;
    s->n_rows_logits = 0;
    if (!m->head.data) return ERR(e, USAGE, "A %s model gives embeddings, not next tokens.", m->arch);
    int rc = check(s, tokens, n, e);
    if (rc) return rc;
    if (want == INFER_LOGITS_ALL && n > s->n_logits)
        return ERR(e, USAGE, "Logits of %zu tokens are asked for; the session was made for %u.", n,
                   s->n_logits);
    for (size_t i = 0; i < n && !rc; i += s->n_batch) {
        uint32_t rows = n - i < s->n_batch ? n - i : s->n_batch;
        bool last = i + rows == n, all = want == INFER_LOGITS_ALL;
        float *to = all ? s->logits + i * m->n_vocab : last && want == INFER_LOGITS_LAST ? s->logits : NULL;
        rc = chunk(s, tokens + i, rows, all ? 0 : rows - 1, to, e);
    }
    size_t n_rows = want == INFER_LOGITS_ALL ? n : want == INFER_LOGITS_LAST;
    if (!rc) rc = check_finite(s->logits, n_rows * m->n_vocab, e);
    if (!rc) s->n_rows_logits = n_rows;
    return rc;
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

/* ---- embeddings ---- */

static void unit_length(const struct kern_ops *k, float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    if (sum > 0) k->scale((float)(1 / sqrt(sum)), x, n);
}

int infer_session_embed(struct infer_session *s, const int32_t *tokens, size_t n, enum model_pool pool,
                        bool normalize, float *out, struct err *e)
{
    const struct model *m = s->engine->model;
    const struct kern_ops *k = s->engine->ops;
    size_t d = m->n_embd;
    int rc = infer_session_truncate(s, 0, e);
    if (!rc) rc = check(s, tokens, n, e);
    if (rc) return rc;
    if (pool != MODEL_POOL_NONE) memset(out, 0, d * sizeof *out);
    for (size_t i = 0; i < n && !rc; i += s->n_batch) {
        uint32_t rows = n - i < s->n_batch ? n - i : s->n_batch;
        rc = chunk(s, tokens + i, rows, 0, NULL, e);
        if (rc) break;
        for (uint32_t r = 0; r < rows; r++) {
            const float *h = s->hidden + r * d;
            if (pool == MODEL_POOL_NONE) memcpy(out + (i + r) * d, h, d * sizeof *out);
            else if (pool == MODEL_POOL_MEAN) k->axpy(1.0f / n, h, out, d);
            else if (pool == MODEL_POOL_CLS ? i + r == 0 : i + r + 1 == n) memcpy(out, h, d * sizeof *out);
        }
    }
    if (!rc) rc = check_finite(out, (pool == MODEL_POOL_NONE ? n : 1) * d, e);
    if (rc || !normalize) return rc;
    for (size_t i = 0; i < (pool == MODEL_POOL_NONE ? n : 1); i++) unit_length(k, out + i * d, d);
    return 0;
}
