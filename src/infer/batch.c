/* Evaluation of one or many sequences together. A call is cut into chunks, each one forward pass over as many
 * rows as the scratch holds: tokens of several sessions (infer_batch_eval), or whole texts that share the
 * caches of one session (infer_session_embed_all). The weights are read once a chunk, whatever its number of
 * sequences, which is the whole gain of a batch: decoding one sequence is bound by reading weights.
 *
 * A chunk counts only when it is finished; the engine's lock is held for a chunk, not for a call, so other
 * threads get their turn in between. Nothing is allocated. Next to read: forward.c. */
#include "internal.h"

#include <math.h>

static int check_tokens(const struct infer_session *s, const int32_t *tokens, size_t n, uint32_t room,
                        struct err *e)
{
    uint32_t n_vocab = s->engine->model->n_vocab;
    if (n == 0) return ERR(e, USAGE, "There are no tokens to evaluate.");
    if (n > room)
        return ERR(
            e, NO_ROOM,
            "%zu tokens do not fit: %u of the context's %u are free, %zu too few. Use a longer context or a "
            "shorter prompt.",
            n, room, s->n_ctx, n - room);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= n_vocab)
            return ERR(e, USAGE, "Token %d at position %zu is not in the vocabulary of %u.", tokens[i], i,
                       n_vocab);
    return 0;
}

/* Numbers that are none must not become an answer. */
static int not_finite(struct err *e)
{
    return ERR(
        e, FORMAT,
        "The model computes infinities or values that are not numbers: its weights or hyperparameters are "
        "damaged. Fetch the file again.");
}

/* The chunk is over for a session. True if it had asked to stop. */
static bool was_cancelled(struct infer_session *s, struct err *e)
{
    if (!atomic_exchange(&s->cancel, 0)) return false;
    s->spoiled = s->recurrent_floats != 0;
    ERR(e, CANCELLED, "Cancelled.");
    return true;
}

/* ---- next tokens of many sessions ---- */

static int check_tree(const struct infer_batch_item *m, struct err *e)
{
    const struct infer_session *s = m->session;
    const struct infer_tree *t = m->tree;
    uint32_t n_vocab = s->engine->model->n_vocab;
    if (infer_session_is_recurrent(s))
        return ERR(e, UNSUPPORTED, "A %s model has a recurrent state, which cannot follow the branches of a tree.",
                   s->engine->model->arch);
    for (uint32_t i = 0; i < t->n + t->n_candidates; i++) {
        int32_t id = i < t->n ? t->token[i] : t->candidate[i - t->n];
        if (id < 0 || (uint32_t)id >= n_vocab)
            return ERR(e, USAGE, "Token %d of the tree is not in the vocabulary of %u.", (int)id, n_vocab);
    }
    return 0;
}

/* Tokens that a session has room for: what its context and its pages leave. */
static uint32_t room_of(const struct infer_session *s)
{
    uint64_t cells = s->n_pages ? (uint64_t)s->n_pages * s->pages->n_tokens : s->owns_pages ? s->n_ctx : 0;
    return (cells < s->n_ctx ? (uint32_t)cells : s->n_ctx) - s->n_past;
}

static int check_item(struct infer_batch_item *m, const struct infer_engine *g, struct err *e)
{
    const struct infer_session *s = m->session;
    if (s->engine != g) return ERR(e, USAGE, "Sessions of different engines cannot share a batch.");
    if (s->listed) return ERR(e, USAGE, "A session is in the batch twice.");
    if (!g->model->head.data)
        return ERR(e, USAGE, "A %s model gives embeddings, not next tokens.", g->model->arch);
    if (s->spoiled) return ERR(e, USAGE, "The session was cancelled inside a chunk; truncate it to 0 first.");
    uint32_t room = room_of(s), nodes = m->tree ? m->tree->n : 0;
    int rc = check_tokens(s, m->tokens, m->n, room > nodes ? room - nodes : 0, e);
    if (!rc && m->tree) rc = check_tree(m, e);
    bool own = !m->rows && m->want != INFER_LOGITS_NONE;
    if (!rc && own && (m->want == INFER_LOGITS_ALL ? m->n : 1) > s->n_logits)
        rc = ERR(e, USAGE, "Logits of %zu tokens are asked for; the session was made for %u.",
                 m->want == INFER_LOGITS_ALL ? m->n : 1, s->n_logits);
    return rc;
}

static void list(struct infer_batch_item *item, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        item[i].n_done = item[i].n_nodes_done = 0;
        item[i].err.code = 0;
        if (check_item(&item[i], item[0].session->engine, &item[i].err)) continue;
        item[i].session->listed = true;
        item[i].session->n_rows_logits = 0;
        if (item[i].tree) infer_tree_sort(item[i].tree);
    }
    for (size_t i = 0; i < n; i++) item[i].session->listed = false;
}

/* Tokens of an item that are left, as many as there is room for. */
static void fill_tokens(struct infer_work *w, const struct infer_batch_item *m, uint32_t member)
{
    struct infer_session *s = m->session;
    size_t rows = m->n - m->n_done, n_vocab = w->m->n_vocab;
    if (rows > s->n_batch) rows = s->n_batch;
    if (rows > w->max_rows - w->n_rows) rows = w->max_rows - w->n_rows;
    if (rows == 0) return;
    uint32_t row0 = w->n_rows;
    infer_batch_add(w, (struct infer_segment){.s = s, .n = rows, .pos0 = s->n_past, .member = member, .tree = m->tree},
                    m->tokens + m->n_done);
    for (size_t r = 0, t = m->n_done; r < rows; r++, t++) {
        bool last = t + 1 == m->n;
        if (m->rows && m->n - t <= m->n_rows)
            infer_batch_want(w, row0 + r, m->rows + (m->n_rows - (m->n - t)) * n_vocab);
        else if (m->rows)
            continue;
        else if (m->want == INFER_LOGITS_ALL)
            infer_batch_want(w, row0 + r, s->logits + t * n_vocab);
        else if (last && m->want == INFER_LOGITS_LAST)
            infer_batch_want(w, row0 + r, s->logits);
        else if (last && m->tree && infer_tree_find(m->tree, -1))
            infer_batch_want(w, row0 + r, NULL);
    }
}

/* Nodes of its tree, once all its tokens are evaluated or in this chunk. */
static void fill_nodes(struct infer_work *w, const struct infer_batch_item *m, uint32_t member)
{
    const struct infer_tree *t = m->tree;
    struct infer_segment g = {.s = m->session, .member = member, .tree = t, .branches = true, .node0 = m->n_nodes_done};
    g.pos0 = m->session->n_past + (uint32_t)(m->n - m->n_done);
    g.n = t->n - m->n_nodes_done;
    if (g.n > w->max_rows - w->n_rows) g.n = w->max_rows - w->n_rows;
    if (g.n == 0) return;
    uint32_t row0 = w->n_rows;
    infer_batch_add(w, g, t->token + g.node0);
    for (uint32_t r = 0; r < g.n; r++)
        if (infer_tree_find(t, (int32_t)(g.node0 + r))) infer_batch_want(w, row0 + r, NULL);
}

/* The next chunk: of each item in turn what is left, while the scratch has room. */
static void fill(struct infer_work *w, const struct infer_batch_item *item, size_t n)
{
    infer_batch_clear(w);
    for (size_t i = 0; i < n; i++) {
        const struct infer_batch_item *m = &item[i];
        if (m->err.code) continue;
        uint32_t before = w->n_rows;
        fill_tokens(w, m, i);
        if (m->tree && w->n_rows - before == m->n - m->n_done) fill_nodes(w, m, i);
    }
}

static void count(const struct infer_work *w, struct infer_batch_item *item)
{
    for (uint32_t i = 0; i < w->n_segments; i++) {
        const struct infer_segment *g = &w->segment[i];
        struct infer_batch_item *m = &item[g->member];
        struct infer_session *s = g->s;
        if (m->err.code || was_cancelled(s, &m->err)) continue;
        if (g->branches) {
            m->n_nodes_done += g->n;
            continue;
        }
        memcpy(s->tokens + s->n_past, m->tokens + m->n_done, g->n * sizeof *s->tokens);
        s->n_past += g->n;
        m->n_done += g->n;
    }
    for (uint32_t i = 0; i < w->n_wanted; i++) {
        struct err *e = &item[w->segment[w->segment_of[w->wanted[i]]].member].err;
        if (!w->finite[i] && !e->code) not_finite(e);
    }
}

/* False when nothing is left to do. */
static bool chunk(struct infer_engine *g, struct infer_batch_item *item, size_t n)
{
    pthread_mutex_lock(&g->lock);
    fill(g->work, item, n);
    bool any = g->work->n_rows > 0;
    if (any) {
        infer_forward(g->work, true);
        count(g->work, item);
    }
    pthread_mutex_unlock(&g->lock);
    return any;
}

int infer_batch_eval(struct infer_batch_item *item, size_t n)
{
    if (n == 0) return 0;
    struct infer_engine *g = item[0].session->engine;
    int first = 0;
    list(item, n);
    while (chunk(g, item, n)) {
    }
    infer_pack_start(g);
    for (size_t i = 0; i < n; i++) {
        size_t rows = item[i].rows                       ? 0
                      : item[i].want == INFER_LOGITS_ALL ? item[i].n
                                                         : item[i].want == INFER_LOGITS_LAST;
        const struct infer_tree *t = item[i].tree;
        if (!item[i].err.code && t && !infer_is_finite(t->logit, t->n_candidates)) not_finite(&item[i].err);
        if (!item[i].err.code) item[i].session->n_rows_logits = rows;
        if (!first) first = item[i].err.code;
    }
    return first;
}

int infer_session_eval(struct infer_session *s, const int32_t *tokens, size_t n, enum infer_want want,
                       struct err *e)
{
    struct infer_batch_item m = {.session = s, .tokens = tokens, .n = n, .want = want};
    int rc = infer_batch_eval(&m, 1);
    if (rc && e) *e = m.err;
    return rc;
}

/* ---- trees without branches ---- */

static int path_to(const struct infer_tree *t, int32_t node, int32_t **out, size_t *out_n, struct err *e)
{
    size_t n = node < 0 ? 0 : t->depth[node] + 1;
    int32_t *path = mem_alloc(n * sizeof *path);
    if (!path) return err_nomem(e, n * sizeof *path);
    *out = path;
    *out_n = n;
    for (; node >= 0; node = t->parent[node]) path[--n] = t->token[node];
    return 0;
}

int infer_tree_by_paths(struct infer_session *s, struct infer_tree *t, float *row, struct err *e)
{
    struct infer_snapshot *prompt = NULL;
    int rc = infer_session_snapshot(s, &prompt, e);
    infer_tree_sort(t);
    for (uint32_t k = 0; k < t->n_asks && !rc; k++) {
        const struct infer_ask *a = &t->ask[k];
        struct infer_batch_item item = {.session = s, .rows = row, .n_rows = 1};
        int32_t *path;
        if ((rc = path_to(t, a->node, &path, &item.n, e))) break;
        item.tokens = path;
        if (item.n && (rc = infer_batch_eval(&item, 1))) *e = item.err;
        for (uint32_t i = a->first; i < a->first + a->n && !rc; i++) t->logit[i] = row[t->candidate[i]];
        mem_free(path);
        if (item.n && !rc) rc = infer_session_restore(s, prompt, e);
    }
    infer_snapshot_free(prompt);
    return rc;
}

/* ---- embeddings of many texts ---- */

struct embedding {
    struct infer_session *s;
    const struct infer_text *text;
    size_t n, next, n_done; /* texts; the first unfinished one, and how many of its tokens are evaluated */
    enum model_pool pool;
};

static void unit_length(const struct kern_ops *k, float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    if (sum > 0) k->scale((float)(1 / sqrt(sum)), x, n);
}

/* Tokens [from, from + n) of text i as a segment; of a pooled text only the rows that go into the vector are
 * wanted. */
static void add_text(struct infer_work *w, const struct embedding *b, size_t i, uint32_t from, uint32_t n,
                     uint32_t cell0)
{
    uint32_t row0 = w->n_rows, total = b->text[i].n;
    infer_batch_add(w, (struct infer_segment){.s = b->s, .n = n, .pos0 = from, .cell0 = cell0, .member = i},
                    b->text[i].tokens + from);
    for (uint32_t t = from; t < from + n; t++)
        if (b->pool == MODEL_POOL_CLS ? t == 0 : b->pool != MODEL_POOL_LAST || t + 1 == total)
            infer_batch_want(w, row0 + t - from, NULL);
}

/* The next chunk: as many whole texts as rows and caches have room for, or a piece of one that is longer.
 * Texts with a recurrent state go one by one. */
static void fill_texts(struct infer_work *w, struct embedding *b)
{
    struct infer_session *s = b->s;
    uint32_t rows = s->n_batch < s->n_cells ? s->n_batch : s->n_cells, cell = 0;
    infer_batch_clear(w);
    for (size_t i = b->next; i < b->n; i++) {
        size_t left = b->text[i].n - b->n_done;
        if (i > b->next && (left > rows - cell || infer_session_is_recurrent(s))) return;
        uint32_t n = left < rows ? left : rows;
        add_text(w, b, i, b->n_done, n, cell);
        if (b->n_done || n < left) return;
        cell += n;
    }
}

static void pool_rows(const struct infer_work *w, const struct embedding *b)
{
    size_t d = w->m->n_embd;
    for (uint32_t i = 0; i < w->n_wanted; i++) {
        uint32_t row = w->wanted[i];
        const struct infer_text *t = &b->text[w->segment[w->segment_of[row]].member];
        const float *h = w->h + i * d;
        if (b->pool == MODEL_POOL_MEAN)
            w->k->axpy(1.0f / t->n, h, t->out, d);
        else
            memcpy(t->out + (b->pool == MODEL_POOL_NONE ? w->pos[row] * d : 0), h, d * sizeof *h);
    }
}

static int chunk_of_texts(struct embedding *b, struct err *e)
{
    struct infer_engine *g = b->s->engine;
    struct infer_work *w;
    int rc = b->n_done ? 0 : infer_session_truncate(b->s, 0, e);
    if (rc) return rc;
    pthread_mutex_lock(&g->lock);
    fill_texts(w = g->work, b);
    infer_forward(w, false);
    if (was_cancelled(b->s, e))
        rc = CROFT_E_CANCELLED;
    else
        pool_rows(w, b);
    const struct infer_segment *last = &w->segment[w->n_segments - 1];
    b->n_done = last->pos0 + last->n;
    b->next = last->member;
    if (b->n_done == b->text[b->next].n) b->next++, b->n_done = 0;
    pthread_mutex_unlock(&g->lock);
    return rc;
}

int infer_session_embed_all(struct infer_session *s, const struct infer_text *text, size_t n,
                            enum model_pool pool, bool normalize, struct err *e)
{
    struct embedding b = {.s = s, .text = text, .n = n, .pool = pool};
    size_t d = s->engine->model->n_embd;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) rc = check_tokens(s, text[i].tokens, text[i].n, s->n_ctx, e);
    if (rc) return rc;
    if (pool == MODEL_POOL_MEAN)
        for (size_t i = 0; i < n; i++) memset(text[i].out, 0, d * sizeof(float));
    while (!rc && b.next < n) rc = chunk_of_texts(&b, e);
    infer_pack_start(s->engine);
    for (size_t i = 0; i < n && !rc; i++) {
        size_t vectors = pool == MODEL_POOL_NONE ? text[i].n : 1;
        rc = infer_is_finite(text[i].out, vectors * d) ? 0 : not_finite(e);
        for (size_t j = 0; j < vectors && normalize && !rc; j++)
            unit_length(s->engine->ops, text[i].out + j * d, d);
    }
    int back = infer_session_truncate(s, 0, rc ? NULL : e);
    return rc ? rc : back;
}

int infer_session_embed(struct infer_session *s, const int32_t *tokens, size_t n, enum model_pool pool,
                        bool normalize, float *out, struct err *e)
{
    struct infer_text text = {tokens, n, out};
    return infer_session_embed_all(s, &text, 1, pool, normalize, e);
}
