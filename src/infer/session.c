/* A session: pages of keys and values, recurrent states and a position. Owns its pages unless they are shared
 * (infer_pages.h), states and logits; allocates only at creation and for snapshots. The scratch is the engine's.
 *
 * Invariants: the caches hold positions [0, n_past); tokens[0, n_past) says which. A recurrent state is that
 * after n_past tokens, unless `spoiled`.
 * Next to read: batch.c. */
#include "internal.h"

#include <math.h>

enum { DEFAULT_CTX = 4096, DEFAULT_BATCH = 512, MAX_CTX = 1 << 24, BLOCK = 1024 };

/* Of a recurrent layer, in bytes of whole cache lines. */
static size_t conv_bytes(const struct model *m, uint32_t i)
{
    size_t inputs = infer_recurrent_channels(m, &m->layer[i]) * (m->d_conv ? m->d_conv - 1 : 0);
    return infer_align64(inputs * sizeof(float));
}
static size_t matrix_bytes(const struct model *m, uint32_t i)
{
    size_t n = m->layer[i].kind == MODEL_DELTA_NET ? (size_t)m->n_head_v * m->d_state * m->d_state : 0;
    return infer_align64(n * sizeof(float));
}

size_t infer_state_bytes(const struct model *m)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) bytes += conv_bytes(m, i) + matrix_bytes(m, i);
    return bytes;
}

/* Conv and state of the recurrent layers, contiguous, so that a snapshot is one copy. */
static void layout_recurrent(struct infer_session *s)
{
    const struct model *m = s->engine->model;
    char *at = (char *)s->recurrent;
    for (uint32_t i = 0; i < m->n_layer && at; i++) {
        size_t conv = conv_bytes(m, i), matrix = matrix_bytes(m, i);
        if (conv) s->state[i].conv = (float *)at;
        if (matrix) s->state[i].state = (float *)(at + conv);
        at += conv + matrix;
    }
}

int infer_kv_form(const struct model *m, enum infer_kv kv, enum kern_kv *out, struct err *e)
{
    *out = !m->causal || kv == INFER_KV_F32 ? KERN_KV_F32 : kv == INFER_KV_Q8_0 ? KERN_KV_Q8_0 : KERN_KV_F16;
    if (*out == KERN_KV_Q8_0 && (m->d_head % 32 || m->d_head_v % 32))
        return ERR(e, UNSUPPORTED,
                   "A q8_0 cache needs heads of a multiple of 32 elements; this model's have %u. Use f16.",
                   m->d_head);
    return 0;
}

static int sizes(struct infer_session *s, const struct infer_session_params *p, struct err *e)
{
    const struct model *m = s->engine->model;
    s->n_ctx = p && p->n_ctx ? p->n_ctx : m->n_ctx_train < DEFAULT_CTX ? m->n_ctx_train : DEFAULT_CTX;
    s->n_batch = p && p->n_batch ? p->n_batch : DEFAULT_BATCH;
    s->n_logits = p && p->n_logits ? p->n_logits : !s->pages;
    if (s->n_ctx > MAX_CTX)
        return ERR(e, LIMIT, "A context of %u is too long; at most %d.", s->n_ctx, MAX_CTX);
    if (m->pos_embd.data && s->n_ctx > m->n_ctx_train)
        return ERR(e, LIMIT, "This model has %u positions; a context of %u is too long.", m->n_ctx_train,
                   s->n_ctx);
    if (m->causal ? s->n_batch > s->n_ctx : s->n_batch < s->n_ctx) s->n_batch = s->n_ctx;
    if (s->n_logits > s->n_ctx) s->n_logits = s->n_ctx;
    uint32_t cells = m->causal ? s->n_ctx : s->n_batch; /* an encoder sees all rows of its texts at once */
    s->n_cells = (cells + KERN_KV_STRIP - 1) / KERN_KV_STRIP * KERN_KV_STRIP;
    return 0;
}

/* All pages that it will ever need; huge ones of the system make reading them a third faster, and are taken as the
 * context grows. */
static int own_pages(struct infer_session *s, enum infer_kv kv, struct err *e)
{
    uint32_t tokens = s->n_cells < BLOCK ? s->n_cells : BLOCK, n = (s->n_cells + tokens - 1) / tokens;
    enum kern_kv form;
    int rc = infer_kv_form(s->engine->model, kv, &form, e);
    if (!rc) rc = infer_pages_make(s->engine, n, tokens, form, &s->pages, e);
    s->owns_pages = true;
    return rc;
}

static int memory(struct infer_session *s, struct err *e)
{
    const struct model *m = s->engine->model;
    size_t states = infer_state_bytes(m), n_pages = (s->n_cells + s->pages->n_tokens - 1) / s->pages->n_tokens;
    s->state = mem_calloc(m->n_layer, sizeof *s->state);
    s->recurrent = states ? mem_aligned(64, states) : NULL;
    s->tokens = mem_calloc(s->n_ctx, sizeof *s->tokens);
    s->page = mem_calloc(n_pages, sizeof *s->page);
    s->block = mem_calloc(n_pages, sizeof *s->block);
    bool logits = m->head.data && s->n_logits;
    if (logits) s->logits = mem_calloc(s->n_logits, m->n_vocab * sizeof(float));
    if (!s->state || (states && !s->recurrent) || !s->tokens || !s->page || !s->block || (logits && !s->logits))
        return err_nomem(e, states + (size_t)s->n_logits * m->n_vocab * sizeof(float));
    s->recurrent_floats = states / sizeof(float);
    layout_recurrent(s);
    if (s->owns_pages) infer_session_bind_all(s);
    return 0;
}

int infer_session_new(struct infer_engine *g, const struct infer_session_params *p,
                      struct infer_session **out, struct err *e)
{
    struct infer_session *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->engine = g;
    s->pages = p ? p->pages : NULL;
    int rc = sizes(s, p, e);
    if (!rc && !s->pages) rc = own_pages(s, p ? p->kv : INFER_KV_DEFAULT, e);
    if (!rc) rc = memory(s, e);
    if (!rc) rc = infer_work_reserve(g, s->n_batch, e);
    if (rc) infer_session_free(s);
    else *out = s;
    return rc;
}

void infer_session_free(struct infer_session *s)
{
    if (!s) return;
    if (s->owns_pages) infer_pages_free(s->pages);
    else if (s->pages) infer_session_unbind(s, 0);
    mem_free(s->logits);
    mem_free(s->tokens);
    mem_free(s->page);
    mem_free(s->block);
    mem_free(s->recurrent);
    mem_free(s->state);
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
    return (s->owns_pages ? infer_pages_bytes(s->pages) : 0) + s->recurrent_floats * sizeof(float) +
           s->n_ctx * sizeof *s->tokens +
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
    if (!s->owns_pages) infer_session_unbind(s, n_past);
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
