/* Finding what a regular expression matches (infer_search.h), by simulation of its automaton (gram_nfa.h) with one
 * more number for each state: where the oldest reading that stands in it began.
 *
 *     text      x a 1 b 2 2 c        expression  [a-z]\d+
 *     begins      1   3 3 3          of the state behind \d+ at each place: the stretches are [1, 3) and [3, 6)
 *
 * Readings are kept in order of their begin, so the first that reaches a state is the oldest and the others need not
 * be followed: a place costs one visit to each open state. At every place where the expression may end, the oldest
 * reading says the longest match that ends there; together these cover all that any match covers, in one pass and
 * without going back. Where nothing is open, bytes that no match begins with are skipped.
 *
 * Owns the automaton and its tree. Read-only when made; a search has its own sets. Read next: gram_nfa.c, gram_re.c.
 */
#include "gram_nfa.h"
#include "infer_search.h"

#include "base_mem.h"

enum { TREE_BYTES = 4 << 20, SPENT_FREE = 1 << 20, MAX_STATES = 4096 };

struct infer_search {
    struct arena tree;
    struct gram_nfa *nfa;
    bool whole, first[256]; /* bytes that a match may begin with */
};

struct reading {
    struct nfa_set set; /* in the order of their begins */
    size_t *from;       /* [nfa->n] by state */
};

static void reading_done(struct reading *r)
{
    gram_nfa_set_done(&r->set);
    mem_free(r->from);
}

static int reading_init(struct reading *r, const struct gram_nfa *n)
{
    *r = (struct reading){.from = mem_alloc((n->n + 1) * sizeof *r->from)};
    return !r->from || gram_nfa_set_init(&r->set, n) ? CROFT_E_NOMEM : 0;
}

static void add(struct reading *r, const struct gram_nfa *n, uint32_t state, size_t from, bool at_begin, bool at_end)
{
    size_t i = r->set.n;
    gram_nfa_set_add(&r->set, n, state, at_begin, at_end);
    for (; i < r->set.n; i++) r->from[r->set.list[i]] = from;
}

/* ---- making ---- */

static int note_first(struct infer_search *s, struct err *e)
{
    struct nfa_set set;
    if (gram_nfa_set_init(&set, s->nfa)) return err_nomem(e, s->nfa->n * sizeof(uint32_t));
    gram_nfa_set_add(&set, s->nfa, s->nfa->start, true, false);
    for (size_t i = 0; i < set.n; i++) {
        const struct nfa_state *x = &s->nfa->s[set.list[i]];
        if (x->op != NFA_CHARS) continue;
        for (unsigned c = 0; c < 0x80; c++)
            if (!x->chars || gram_chars_has(x->chars->r, x->chars->n, c)) s->first[c] = true;
        bool beyond = !x->chars || (x->chars->n && x->chars->r[x->chars->n - 1].hi >= 0x80);
        for (unsigned c = 0x80; c < 0x100 && beyond; c++) s->first[c] = true;
    }
    gram_nfa_set_done(&set);
    return 0;
}

int infer_search_new(const char *re, size_t n, bool whole, struct infer_search **out, struct err *e)
{
    struct gram_re *tree;
    if (n > INFER_SEARCH_MAX)
        return ERR(e, LIMIT, "The regular expression has %zu bytes; at most %d.", n, INFER_SEARCH_MAX);
    struct infer_search *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->whole = whole;
    arena_init(&s->tree, TREE_BYTES);
    int rc = gram_re_parse(&s->tree, re, n, &tree, e);
    if (!rc) rc = gram_nfa_new(tree, false, &s->nfa, e);
    if (!rc && s->nfa->n > MAX_STATES)
        rc = ERR(e, LIMIT, "The regular expression needs more than %d states: use smaller bounds.", MAX_STATES);
    if (!rc) rc = note_first(s, e);
    if (rc)
        infer_search_free(s);
    else
        *out = s;
    return rc;
}

void infer_search_free(struct infer_search *s)
{
    if (!s) return;
    gram_nfa_free(s->nfa);
    arena_done(&s->tree);
    mem_free(s);
}

/* ---- searching ---- */

static bool in_word(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_'; }

/* May a match begin or end before byte i? */
static bool may_cut(const struct infer_search *s, const char *text, size_t i, size_t n)
{
    return !s->whole || i == 0 || i == n || !in_word(text[i - 1]) || !in_word(text[i]);
}

/* One character further: from `now` to `then`. */
static void step(const struct gram_nfa *n, const struct reading *now, uint32_t cp, bool at_end, struct reading *then)
{
    gram_nfa_set_clear(&then->set);
    for (size_t k = 0; k < now->set.n; k++) {
        uint32_t state = now->set.list[k];
        const struct nfa_state *x = &n->s[state];
        if (x->op == NFA_CHARS && (!x->chars || gram_chars_has(x->chars->r, x->chars->n, cp)))
            add(then, n, x->x, now->from[state], false, at_end);
    }
}

struct stretch {
    size_t from, to; /* from == to: none yet */
    int (*found)(void *arg, size_t at, size_t n);
    void *arg;
};

static int tell(struct stretch *s) { return s->to > s->from ? s->found(s->arg, s->from, s->to - s->from) : 0; }

static int cover(struct stretch *s, size_t from, size_t to)
{
    int rc = from < s->to ? 0 : tell(s);
    if (from >= s->to || from < s->from) s->from = from;
    s->to = to;
    return rc;
}

static int find(const struct infer_search *s, const char *text, size_t n, struct reading *now, struct reading *then,
                struct stretch *open, struct err *e)
{
    const struct gram_nfa *nfa = s->nfa;
    uint64_t spent = 0, most = SPENT_FREE + (uint64_t)n * INFER_SEARCH_ACTIVE;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        uint32_t cp;
        while (now->set.n == 0 && i < n && !s->first[(unsigned char)text[i]]) i++;
        if (i == n) break;
        if (may_cut(s, text, i, n)) add(now, nfa, nfa->start, i, i == 0, false);
        spent += now->set.n;
        if (spent > most)
            return ERR(e, LIMIT, "The regular expression can be read in too many ways at once in this text.");
        i += utf8_decode(text + i, text + n, &cp);
        step(nfa, now, cp, i == n, then);
        struct reading *swap = now;
        now = then;
        then = swap;
        if (gram_nfa_set_has(&now->set, nfa->match) && may_cut(s, text, i, n))
            rc = cover(open, now->from[nfa->match], i);
    }
    return rc;
}

int infer_search_find(const struct infer_search *s, const char *text, size_t n,
                      int (*found)(void *arg, size_t at, size_t n), void *arg, struct err *e)
{
    struct reading a = {0}, b = {0};
    struct stretch open = {.found = found, .arg = arg};
    int rc = reading_init(&a, s->nfa);
    if (!rc) rc = reading_init(&b, s->nfa);
    if (rc)
        err_nomem(e, s->nfa->n * sizeof(size_t));
    else
        rc = find(s, text, n, &a, &b, &open, e);
    if (rc == 0) rc = tell(&open);
    reading_done(&a);
    reading_done(&b);
    return rc;
}
