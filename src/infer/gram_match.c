/* Grammars and matches: the calls of infer_grammar.h that are the same for every kind of language.
 *
 * A grammar owns its nodes, its automaton and the list of its matches; its lock is held in every call. What the
 * automaton has found is kept until it is larger than `max_bytes`; then, at the start of a call, a new one takes over
 * the stacks in which live matches stand and the old one goes: a copying collection. Memory is thus bounded by the
 * ceiling and what one walk adds, whatever texts pass.
 *
 * infer_grammar: any thread. infer_match: one thread at a time. Read next: gram_schema.c. */
#include "gram.h"

#include "base_mem.h"

/* The state to start in. Where decoding takes a text's first space away, a text may have one, so that the model can
 * begin as it was trained to; and it must, if it could begin with a space of its own. */
static int64_t start_of(struct infer_grammar *g, uint32_t spaced, uint32_t either)
{
    int64_t start = gram_auto_start(&g->a, g->root);
    if (start < 0 || spaced == g->root) return start;
    int64_t own = gram_auto_step(&g->a, (uint32_t)start, ' ');
    if (own < 0) return own;
    g->root = own ? spaced : either;
    return gram_auto_start(&g->a, g->root);
}

int gram_new(const struct infer_vocab *v, struct gram_nodes *nodes, uint32_t root, json_t *schema,
             struct infer_grammar **out, struct err *e)
{
    struct infer_grammar *g = NULL;
    uint32_t spaced = v->space ? gram_seq2(nodes, gram_byte(nodes, ' '), root) : root;
    uint32_t either = v->space ? gram_alt2(nodes, root, spaced) : root;
    int rc = gram_nodes_finish(nodes, either, e);
    if (!rc && !(g = mem_calloc(1, sizeof *g))) rc = err_nomem(e, sizeof *g);
    if (!g) {
        gram_nodes_done(nodes);
        return rc;
    }
    atomic_init(&g->refs, 1);
    pthread_mutex_init(&g->lock, NULL);
    g->v = v;
    g->g = *nodes;
    *nodes = (struct gram_nodes){0};
    mem_free(g->g.slot); /* no more nodes are made */
    g->g.slot = NULL;
    g->root = root;
    g->max_bytes = GRAM_BYTES;
    g->schema = json_incref(schema);
    int64_t start = gram_auto_init(&g->a, &g->g);
    if (start == 0) start = start_of(g, spaced, either);
    if (start < 0) {
        infer_grammar_unref(g);
        return gram_auto_error(start, e);
    }
    g->start = (uint32_t)start;
    *out = g;
    return 0;
}

struct infer_grammar *infer_grammar_ref(struct infer_grammar *g)
{
    atomic_fetch_add(&g->refs, 1);
    return g;
}

void infer_grammar_unref(struct infer_grammar *g)
{
    if (!g || atomic_fetch_sub(&g->refs, 1) != 1) return;
    gram_auto_done(&g->a);
    gram_nodes_done(&g->g);
    json_decref(g->schema);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

size_t infer_grammar_bytes(struct infer_grammar *g)
{
    pthread_mutex_lock(&g->lock);
    size_t n = gram_auto_bytes(&g->a) + g->g.cap * sizeof *g->g.node + g->g.cap_kid * sizeof *g->g.kid +
               g->g.cap_set * sizeof *g->g.set + g->g.cap_range * sizeof *g->g.range;
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* ---- collection ---- */

/* `state` of the old automaton in the new one. */
static int64_t move_state(struct gram_auto *to, const struct gram_auto *from, uint32_t state, uint32_t *map)
{
    const struct gram_state *s = &from->state[state];
    uint32_t *kernel = mem_alloc((s->n_kernel + 1) * sizeof *kernel);
    int64_t r = kernel ? 0 : CROFT_E_NOMEM;
    for (uint32_t i = 0; i < s->n_kernel && r >= 0; i++) {
        r = gram_auto_import(to, from, from->pool[s->kernel + i], map);
        if (r >= 0) kernel[i] = (uint32_t)r;
    }
    if (r >= 0) r = gram_auto_state(to, kernel, s->n_kernel);
    mem_free(kernel);
    return r;
}

/* On failure everything is as before. */
static int collect(struct infer_grammar *g)
{
    struct gram_auto fresh;
    if (gram_auto_init(&fresh, &g->g)) return CROFT_E_NOMEM;
    size_t n = 0, k = 0;
    for (struct infer_match *m = g->live; m; m = m->next) n++;
    uint32_t *map = mem_calloc(g->a.n_frame, sizeof *map), *state = mem_alloc((n + 1) * sizeof *state);
    int64_t r = map && state ? gram_auto_start(&fresh, g->root) : CROFT_E_NOMEM;
    uint32_t start = (uint32_t)r;
    for (struct infer_match *m = g->live; m && r >= 0; m = m->next) {
        r = move_state(&fresh, &g->a, m->state, map);
        state[k++] = (uint32_t)r;
    }
    if (r >= 0) {
        k = 0;
        for (struct infer_match *m = g->live; m; m = m->next) m->state = state[k++];
        gram_auto_done(&g->a);
        g->a = fresh;
        g->start = start;
    } else {
        gram_auto_done(&fresh);
    }
    mem_free(map);
    mem_free(state);
    return r < 0 ? (int)r : 0;
}

/* Take the lock; keep to the ceiling. A collection that fails for lack of memory may succeed later. */
static void enter(struct infer_grammar *g)
{
    pthread_mutex_lock(&g->lock);
    if (gram_auto_bytes(&g->a) > g->max_bytes && collect(g) == 0 && gram_auto_bytes(&g->a) > g->max_bytes / 2)
        g->max_bytes = 2 * gram_auto_bytes(&g->a); /* what is live needs it: do not collect at every step */
    g->a.spent = 0;
}

static void leave(struct infer_grammar *g) { pthread_mutex_unlock(&g->lock); }

/* ---- matches ---- */

static int match_at(struct infer_grammar *g, uint32_t (*state)(const void *), const void *arg,
                    struct infer_match **out, struct err *e)
{
    struct infer_match *m = mem_calloc(1, sizeof *m);
    uint32_t *mask = mem_calloc(g->v->n_words + 1, sizeof *mask);
    if (!m || !mask) {
        mem_free(m);
        mem_free(mask);
        return err_nomem(e, g->v->n_words * sizeof *mask);
    }
    buf_init(&m->piece, GRAM_MAX_PIECE);
    if (buf_reserve(&m->piece, g->v->longest)) { /* accepting allocates nothing */
        mem_free(m);
        mem_free(mask);
        return err_nomem(e, g->v->longest);
    }
    m->g = infer_grammar_ref(g);
    m->mask = mask;
    enter(g);
    m->state = state(arg);
    m->next = g->live;
    if (m->next) m->next->prev = m;
    g->live = m;
    leave(g);
    *out = m;
    return 0;
}

static uint32_t at_start(const void *g) { return ((const struct infer_grammar *)g)->start; }
static uint32_t at_match(const void *m) { return ((const struct infer_match *)m)->state; }

int infer_match_new(struct infer_grammar *g, struct infer_match **out, struct err *e)
{
    return match_at(g, at_start, g, out, e);
}

int infer_match_copy(const struct infer_match *m, struct infer_match **out, struct err *e)
{
    int rc = match_at(m->g, at_match, m, out, e);
    if (!rc) (*out)->ended = m->ended;
    return rc;
}

void infer_match_free(struct infer_match *m)
{
    if (!m) return;
    struct infer_grammar *g = m->g;
    pthread_mutex_lock(&g->lock);
    if (m->prev)
        m->prev->next = m->next;
    else
        g->live = m->next;
    if (m->next) m->next->prev = m->prev;
    pthread_mutex_unlock(&g->lock);
    buf_done(&m->piece);
    mem_free(m->mask);
    mem_free(m);
    infer_grammar_unref(g);
}

const uint32_t *infer_match_mask(struct infer_match *m, struct err *e)
{
    struct infer_grammar *g = m->g;
    if (m->ended) {
        memset(m->mask, 0, g->v->n_words * sizeof *m->mask);
        return m->mask;
    }
    enter(g);
    int rc = gram_mask(g, m->state, m->mask, e);
    leave(g);
    return rc ? NULL : m->mask;
}

static bool is_end(const struct infer_vocab *v, int32_t token)
{
    for (size_t i = 0; i < v->n_end; i++)
        if (v->end[i] == token) return true;
    return false;
}

/* The state after n bytes; 0 when they may not follow. */
static int64_t advance(struct infer_grammar *g, int64_t state, const char *p, size_t n)
{
    for (size_t i = 0; i < n && state > 0; i++) state = gram_auto_step(&g->a, (uint32_t)state, (uint8_t)p[i]);
    return state;
}

int infer_match_accept(struct infer_match *m, int32_t token, struct err *e)
{
    struct infer_grammar *g = m->g;
    const struct infer_vocab *v = g->v;
    if (token < 0 || (size_t)token >= v->n) return ERR(e, USAGE, "%d is not a token of this vocabulary.", (int)token);
    int64_t next = 0;
    buf_clear(&m->piece);
    if (tok_piece(v->tok, token, false, &m->piece) == CROFT_E_NOMEM) return err_nomem(e, GRAM_MAX_PIECE);
    size_t n = m->piece.failed ? 0 : m->piece.len; /* too long: never allowed */
    enter(g);
    if (m->ended)
        next = 0;
    else if (is_end(v, token))
        next = g->a.state[m->state].accept ? m->state : 0;
    else if (n)
        next = advance(g, m->state, m->piece.data, n);
    if (next > 0) {
        m->state = (uint32_t)next;
        m->ended = is_end(v, token);
    }
    leave(g);
    if (next < 0) return gram_auto_error(next, e);
    return next ? 0 : ERR(e, FORMAT, "Token %d may not follow here: the grammar does not allow it.", (int)token);
}

int infer_match_accept_text(struct infer_match *m, const char *text, size_t n, struct err *e)
{
    struct infer_grammar *g = m->g;
    enter(g);
    int64_t next = m->ended ? 0 : advance(g, m->state, text, n);
    if (next > 0) m->state = (uint32_t)next;
    leave(g);
    if (next < 0) return gram_auto_error(next, e);
    return next ? 0 : ERR(e, FORMAT, "The text may not go on like this: the grammar does not allow it.");
}

bool infer_match_complete(const struct infer_match *m)
{
    if (m->ended) return true;
    pthread_mutex_lock(&m->g->lock);
    const struct gram_state *s = &m->g->a.state[m->state];
    bool done = s->accept && !(s->first[0] | s->first[1] | s->first[2] | s->first[3]);
    pthread_mutex_unlock(&m->g->lock);
    return done;
}

bool infer_match_may_end(const struct infer_match *m)
{
    pthread_mutex_lock(&m->g->lock);
    bool may = m->ended || m->g->a.state[m->state].accept;
    pthread_mutex_unlock(&m->g->lock);
    return may;
}

size_t gram_forced(struct infer_match *m, char *out, size_t max, uint64_t follow[4])
{
    struct infer_grammar *g = m->g;
    size_t n = 0;
    memset(follow, 0, sizeof g->a.state->first);
    if (m->ended) return 0;
    enter(g);
    int64_t at = m->state;
    for (int byte; n < max && (byte = g->a.state[at].forced) >= 0; n++) {
        int64_t next = gram_auto_step(&g->a, (uint32_t)at, (uint8_t)byte);
        if (next <= 0) break;
        at = next;
        out[n] = (char)byte;
    }
    memcpy(follow, g->a.state[at].first, sizeof g->a.state[at].first);
    leave(g);
    return n;
}

size_t infer_match_forced(struct infer_match *m, char *out, size_t max)
{
    uint64_t follow[4];
    return gram_forced(m, out, max, follow);
}

/* ---- the languages that need nothing more ---- */

int infer_grammar_of_choices(const struct infer_vocab *v, const char *const *text, size_t n,
                             struct infer_grammar **out, struct err *e)
{
    struct gram_nodes g;
    size_t bytes = 0;
    if (n == 0) return ERR(e, FORMAT, "The list of choices is empty: give at least one.");
    if (n > GRAM_MAX_NODES) return ERR(e, LIMIT, "There are %zu choices; at most %d.", n, GRAM_MAX_NODES);
    struct str *s = mem_alloc(n * sizeof *s);
    if (!s) return err_nomem(e, n * sizeof *s);
    for (size_t i = 0; i < n; i++) {
        s[i] = str_of(text[i]);
        bytes += s[i].n;
        if (!utf8_valid(s[i].p, s[i].n)) {
            mem_free(s);
            return ERR(e, FORMAT, "Choice %zu is not valid UTF-8.", i + 1);
        }
    }
    if (bytes > 16u * GRAM_MAX_TEXT) {
        mem_free(s);
        return ERR(e, LIMIT, "The choices have %zu bytes together; at most %d.", bytes, 16 * GRAM_MAX_TEXT);
    }
    uint32_t root = gram_nodes_init(&g) ? 0 : gram_choice(&g, s, n);
    mem_free(s);
    return gram_new(v, &g, root, NULL, out, e);
}

/* Is the whole text in the language: the automaton says. */
static int check_text(struct infer_grammar *g, const char *text, size_t n, struct err *e)
{
    size_t at = 0;
    enter(g);
    int64_t s = g->v->space ? gram_auto_step(&g->a, g->start, ' ') : g->start;
    for (; s > 0 && at < n && (s = gram_auto_step(&g->a, (uint32_t)s, (uint8_t)text[at])) > 0; at++) g->a.spent = 0;
    bool whole = s > 0 && g->a.state[s].accept;
    leave(g);
    if (s < 0) return gram_auto_error(s, e);
    if (whole) return 0;
    if (at < n)
        return err_set(e, CROFT_E_FORMAT, "text", (long long)at, "The text leaves the grammar at byte %zu.", at);
    return err_set(e, CROFT_E_FORMAT, "text", (long long)n, "The text ends too early: the grammar wants more.");
}

int infer_grammar_check(struct infer_grammar *g, const char *text, size_t n, struct err *e)
{
    return g->schema ? gram_schema_check(g->schema, text, n, e) : check_text(g, text, n, e);
}
