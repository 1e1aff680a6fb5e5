/* Several conditions on one string at once: match these expressions, do not match those, have min to max characters.
 *
 *   1  The code points are cut into symbols: two of the same symbol are in the same sets of all expressions.
 *   2  Each expression becomes a deterministic automaton over symbols (subset construction).
 *   3  Their product, with the number of characters as one more component while there is a bound, is explored from
 * the start; what cannot reach an end any more is dropped. A count saturates at min when there is no max. 4  What is
 * left becomes rules: q ::= (chars of q → q)* ( chars q' | … | end ). A state that only loops, such as "anything may
 * follow", takes the rest of the bounds as a repetition, so it needs no copies for each length.
 *
 * All within a call; sizes are limited (LIMIT). Next: gram_schema.c. */
#include "gram_nfa.h"

#include "base_mem.h"

enum { MAX_DFA = 20000, MAX_CELLS = 1 << 20, MAX_STEPS = 50000000, MAX_RULES = 100000, MAX_WANT = 16 };

struct dfa {
    uint32_t *next; /* [n][n_sym]; 0 is the dead state */
    bool *final;
    size_t n, cap, cap_next, cap_final;
};

struct work {
    struct gram_nodes *g;
    struct err *e;
    const struct gram_want *want;
    size_t n_want, n_sym;
    uint32_t min, max;
    bool json;
    struct gram_nfa *nfa[MAX_WANT];
    struct dfa one[MAX_WANT], all;
    uint32_t *cut; /* interval i is cut[i] .. cut[i+1]-1 */
    uint32_t *sym; /* its symbol */
    size_t n_cut;
    size_t steps;             /* of subset constructions: limited, so that time is */
    struct gram_chars *chars; /* of each symbol */
};

static int nomem(struct work *w) { return err_nomem(w->e, sizeof(struct dfa)); }
static int large(struct work *w)
{
    return ERR(w->e, LIMIT,
               "The expression, or several together, or one with bounds on the length, needs too many "
               "states: use smaller bounds or a simpler pattern.");
}

/* ---- symbols ---- */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int cuts(struct work *w)
{
    size_t cap = 0, m = 0;
    uint32_t ends[] = {0, 0xD800, 0xE000, GRAM_MAX_CP + 1};
    for (size_t i = 0; i < w->n_want; i++)
        for (size_t k = 0; k < w->nfa[i]->n; k++) {
            const struct gram_chars *c = w->nfa[i]->s[k].chars;
            for (size_t r = 0; c && r < c->n; r++) {
                if (gram_grow(&w->cut, &cap, w->n_cut + 2, sizeof *w->cut)) return nomem(w);
                w->cut[w->n_cut++] = c->r[r].lo;
                w->cut[w->n_cut++] = c->r[r].hi + 1;
            }
        }
    if (gram_grow(&w->cut, &cap, w->n_cut + 4, sizeof *w->cut)) return nomem(w);
    for (int i = 0; i < 4; i++) w->cut[w->n_cut++] = ends[i];
    qsort(w->cut, w->n_cut, sizeof *w->cut, by_value);
    for (size_t i = 0; i < w->n_cut; i++)
        if (m == 0 || w->cut[m - 1] != w->cut[i]) w->cut[m++] = w->cut[i];
    w->n_cut = m - 1;
    return 0;
}

struct signature {
    uint64_t bits;
    uint32_t interval;
};
static int by_bits(const void *a, const void *b)
{
    const struct signature *x = a, *y = b;
    return x->bits < y->bits ? -1 : x->bits > y->bits ? 1 : x->interval < y->interval ? -1 : 1;
}

/* Intervals that lie in the same sets share a symbol: sums of random numbers, one a set, tell sets of sets apart. */
static int symbols(struct work *w)
{
    if (cuts(w)) return w->e->code;
    struct signature *s = mem_calloc(w->n_cut, sizeof *s);
    w->sym = mem_calloc(w->n_cut, sizeof *w->sym);
    w->chars = mem_calloc(w->n_cut, sizeof *w->chars);
    if (!s || !w->sym || !w->chars) {
        mem_free(s);
        return nomem(w);
    }
    for (size_t i = 0; i < w->n_cut; i++) s[i].interval = (uint32_t)i;
    uint64_t seed = 1;
    for (size_t i = 0; i < w->n_want; i++)
        for (size_t k = 0; k < w->nfa[i]->n; k++) {
            const struct gram_chars *c = w->nfa[i]->s[k].chars;
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint64_t r = (seed ^ seed >> 31) * 0x9E3779B97F4A7C15u;
            size_t at = 0;
            for (size_t j = 0; c && j < c->n; j++) {
                while (w->cut[at] < c->r[j].lo) at++;
                for (; at < w->n_cut && w->cut[at] <= c->r[j].hi; at++) s[at].bits += r;
            }
        }
    qsort(s, w->n_cut, sizeof *s, by_bits);
    for (size_t i = 0; i < w->n_cut; i++) {
        if (i == 0 || s[i].bits != s[i - 1].bits) w->n_sym++;
        uint32_t k = s[i].interval, sym = (uint32_t)w->n_sym - 1;
        w->sym[k] = sym;
        if (w->cut[k] != 0xD800) gram_chars_add(&w->chars[sym], w->cut[k], w->cut[k + 1] - 1);
    }
    int rc = 0;
    for (size_t i = 0; i < w->n_sym; i++) {
        gram_chars_normalise(&w->chars[i]);
        if (w->chars[i].failed) rc = nomem(w);
    }
    mem_free(s);
    return rc;
}

/* ---- one automaton ---- */

static int dfa_add(struct work *w, struct dfa *d, bool final)
{
    if (d->n >= MAX_DFA || d->n * w->n_sym >= MAX_CELLS) return large(w);
    if (gram_grow(&d->next, &d->cap_next, (d->n + 1) * w->n_sym, sizeof *d->next) ||
        gram_grow(&d->final, &d->cap_final, d->n + 1, sizeof *d->final))
        return nomem(w);
    memset(d->next + d->n * w->n_sym, 0, w->n_sym * sizeof *d->next);
    d->final[d->n++] = final;
    return 0;
}

static void dfa_done(struct dfa *d)
{
    mem_free(d->next);
    mem_free(d->final);
}

/* Keys of states under construction: runs of numbers, found by hash. */
struct keys {
    uint32_t *pool, *slot;
    size_t *off;
    size_t n, n_pool, cap_pool, cap_off, n_slot;
};

static void keys_done(struct keys *k)
{
    mem_free(k->pool);
    mem_free(k->slot);
    mem_free(k->off);
}

/* The number of a key, *fresh when it is new; UINT32_MAX without memory. */
static uint32_t key_get(struct keys *k, const uint32_t *key, size_t n, bool *fresh)
{
    uint64_t h = str_hash(key, n * sizeof *key);
    if (k->n * 2 >= k->n_slot) {
        size_t want = k->n_slot ? k->n_slot * 2 : 256;
        uint32_t *slot = mem_calloc(want, sizeof *slot);
        if (!slot) return UINT32_MAX;
        for (size_t i = 0; i < k->n; i++) {
            size_t at = str_hash(k->pool + k->off[i], (k->off[i + 1] - k->off[i]) * sizeof *key) & (want - 1);
            while (slot[at]) at = (at + 1) & (want - 1);
            slot[at] = (uint32_t)i + 1;
        }
        mem_free(k->slot);
        k->slot = slot;
        k->n_slot = want;
    }
    size_t at = h & (k->n_slot - 1);
    *fresh = false;
    for (; k->slot[at]; at = (at + 1) & (k->n_slot - 1)) {
        uint32_t i = k->slot[at] - 1;
        if (k->off[i + 1] - k->off[i] == n && !memcmp(k->pool + k->off[i], key, n * sizeof *key)) return i;
    }
    if (gram_grow(&k->pool, &k->cap_pool, k->n_pool + n, sizeof *key) ||
        gram_grow(&k->off, &k->cap_off, k->n + 2, sizeof *k->off))
        return UINT32_MAX;
    if (n) memcpy(k->pool + k->n_pool, key, n * sizeof *key);
    k->off[k->n] = k->n_pool;
    k->n_pool += n;
    k->off[k->n + 1] = k->n_pool;
    k->slot[at] = (uint32_t)k->n + 1;
    *fresh = true;
    return (uint32_t)k->n++;
}

/* The state of a set of NFA states: its characters and what of its end needs no character. */
static uint32_t subset(struct work *w, const struct gram_nfa *n, struct dfa *d, struct keys *k, struct nfa_set *set,
                       struct nfa_set *end, bool at_begin)
{
    bool fresh, final = gram_nfa_set_has(set, n->match);
    uint32_t done = n->match;
    if (!final) {
        gram_nfa_set_clear(end);
        for (size_t i = 0; i < set->n; i++) gram_nfa_set_add(end, n, set->list[i], at_begin, true);
        final = gram_nfa_set_has(end, n->match);
    }
    size_t m = 0;
    for (size_t i = 0; i < set->n; i++) {
        uint8_t op = n->s[set->list[i]].op;
        if (op == NFA_CHARS || op == NFA_MATCH || op == NFA_END) set->list[m++] = set->list[i];
    }
    if (m > 1) qsort(set->list, m, sizeof *set->list, by_value);
    if (at_begin)
        set->list[m++] = (uint32_t)n->n; /* what ends here may do so because it is the begin: a state apart */
    if ((w->steps += set->n + 1) > MAX_STEPS) {
        large(w);
        return UINT32_MAX;
    }
    bool absorbed = n->absorbs && gram_nfa_set_has(set, n->match);
    uint32_t id = absorbed ? key_get(k, &done, 1, &fresh) : key_get(k, set->list, m, &fresh);
    if (id == UINT32_MAX)
        nomem(w);
    else if (fresh && dfa_add(w, d, final))
        id = UINT32_MAX;
    return id;
}

static int determinise(struct work *w, const struct gram_nfa *n, struct dfa *d)
{
    struct nfa_set set = {0}, end = {0};
    struct keys k = {0};
    int rc = gram_nfa_set_init(&set, n) || gram_nfa_set_init(&end, n) ? nomem(w) : 0;
    if (!rc && (subset(w, n, d, &k, &set, &end, false) == UINT32_MAX)) rc = w->e->code; /* the empty set: dead, 0 */
    if (!rc) {
        gram_nfa_set_clear(&set);
        gram_nfa_set_add(&set, n, n->start, true, false);
        if (subset(w, n, d, &k, &set, &end, true) == UINT32_MAX) rc = w->e->code;
    }
    for (size_t q = 1; q < d->n && !rc; q++)
        for (size_t y = 0; y < w->n_sym && !rc; y++) {
            if (!w->chars[y].n) continue;
            uint32_t cp = w->chars[y].r[0].lo, id;
            gram_nfa_set_clear(&set);
            for (size_t i = k.off[q]; i < k.off[q + 1] && k.pool[i] < n->n; i++) {
                const struct nfa_state *x = &n->s[k.pool[i]];
                if (x->op == NFA_MATCH && n->absorbs) gram_nfa_set_add(&set, n, n->match, false, false);
                if (x->op == NFA_CHARS && (!x->chars || gram_chars_has(x->chars->r, x->chars->n, cp)))
                    gram_nfa_set_add(&set, n, x->x, false, false);
            }
            id = subset(w, n, d, &k, &set, &end, false);
            if (id == UINT32_MAX)
                rc = w->e->code;
            else
                d->next[q * w->n_sym + y] = id;
        }
    keys_done(&k);
    gram_nfa_set_done(&set);
    gram_nfa_set_done(&end);
    return rc;
}

/* ---- product ---- */

static bool product_final(const struct work *w, const uint32_t *q)
{
    for (size_t i = 0; i < w->n_want; i++)
        if (w->one[i].final[q[i]] == w->want[i].negate) return false;
    return true;
}

static int product(struct work *w)
{
    struct keys k = {0};
    uint32_t q[MAX_WANT], to[MAX_WANT];
    bool fresh;
    int rc = 0;
    for (size_t i = 0; i < w->n_want; i++) q[i] = 1;
    if (key_get(&k, q, w->n_want, &fresh) == UINT32_MAX) rc = nomem(w);
    if (!rc) rc = dfa_add(w, &w->all, product_final(w, q));
    for (size_t s = 0; s < w->all.n && !rc; s++) {
        memcpy(q, k.pool + k.off[s], w->n_want * sizeof *q);
        for (size_t y = 0; y < w->n_sym && !rc; y++) {
            for (size_t i = 0; i < w->n_want; i++) to[i] = w->one[i].next[q[i] * w->n_sym + y];
            uint32_t id = key_get(&k, to, w->n_want, &fresh);
            if (id == UINT32_MAX)
                rc = nomem(w);
            else if (fresh)
                rc = dfa_add(w, &w->all, product_final(w, to));
            if (!rc) w->all.next[s * w->n_sym + y] = w->chars[y].n ? id : UINT32_MAX;
        }
    }
    keys_done(&k);
    return rc;
}

/* ---- rules ---- */

/* Merges states that cannot be told apart (Moore), which also makes one of all dead and one of all that accept
 * anything. */
static int minimise(struct work *w)
{
    struct dfa *d = &w->all;
    uint32_t *group = mem_alloc(d->n * sizeof *group), *next = mem_alloc(d->n * sizeof *next);
    uint32_t *key = mem_alloc((w->n_sym + 1) * sizeof *key);
    size_t n = 0, before;
    bool stable = false;
    int rc = group && next && key ? 0 : nomem(w);
    for (size_t i = 0; i < d->n && !rc; i++) group[i] = d->final[i];
    for (int rounds = 0; rounds < 100 && !stable && !rc; rounds++) {
        struct keys k = {0};
        bool fresh;
        before = n;
        for (size_t i = 0; i < d->n && !rc; i++) {
            key[0] = group[i];
            for (size_t y = 0; y < w->n_sym; y++) {
                uint32_t to = d->next[i * w->n_sym + y];
                key[y + 1] = to == UINT32_MAX ? to : group[to];
            }
            next[i] = key_get(&k, key, w->n_sym + 1, &fresh);
            if (next[i] == UINT32_MAX) rc = nomem(w);
        }
        n = k.n;
        keys_done(&k);
        memcpy(group, next, d->n * sizeof *group);
        stable = !rc && n == before;
    }
    for (size_t i = d->n; i-- > 0 && stable;) next[group[i]] = (uint32_t)i; /* a group's first state speaks for it */
    for (size_t i = 0; i < d->n * w->n_sym && stable; i++)                  /* not minimal is not wrong */
        if (d->next[i] != UINT32_MAX) d->next[i] = next[group[d->next[i]]];
    mem_free(group);
    mem_free(next);
    mem_free(key);
    return rc;
}

/* alive[(min(n, top)) * states + q]: can q after n characters still end well? top is max, or min when there is no
 * max. */
static int find_alive(struct work *w, uint32_t top, uint8_t **out)
{
    size_t n = w->all.n;
    if ((uint64_t)n * (top + 1) > 16u * MAX_CELLS) return large(w);
    uint8_t *alive = mem_calloc(n, (size_t)top + 1);
    if (!alive) return nomem(w);
    for (uint32_t len = top + 1; len-- > 0;) {
        uint8_t *here = alive + (size_t)len * n;
        const uint8_t *after = len < top ? here + n : w->max == GRAM_INF ? here : NULL;
        for (bool more = true; more;) {
            more = false;
            for (size_t q = n; q-- > 0;) {
                if (here[q]) continue;
                bool ok = w->all.final[q] && len >= w->min;
                for (size_t y = 0; y < w->n_sym && after && !ok; y++) {
                    uint32_t to = w->all.next[q * w->n_sym + y];
                    ok = to != UINT32_MAX && after[to];
                }
                here[q] = ok;
                more |= ok && after == here;
            }
        }
    }
    *out = alive;
    return 0;
}

static uint32_t chars_to(struct work *w, uint32_t q, uint32_t to)
{
    struct gram_chars set = {0};
    for (size_t y = 0; y < w->n_sym; y++)
        if (w->all.next[q * w->n_sym + y] == to) gram_chars_add_all(&set, &w->chars[y]);
    gram_chars_normalise(&set);
    uint32_t r = w->json ? gram_json_chars(w->g, &set) : gram_chars(w->g, &set);
    gram_chars_done(&set);
    return r;
}

struct emit {
    struct work *w;
    const uint8_t *alive;
    uint32_t top;
    uint32_t *rule; /* of (q, n): + 1 */
    uint8_t *loops; /* of q: 1 no, 2 yes, 0 not yet known */
    uint32_t *todo; /* pairs q, n */
    size_t n_todo, cap_todo, n_rules;
};

static uint32_t ref_to(struct emit *x, uint32_t q, uint32_t len)
{
    if (len > x->top) len = x->top;
    uint32_t *rule = &x->rule[(size_t)len * x->w->all.n + q];
    if (!*rule) {
        if (++x->n_rules > MAX_RULES && !x->w->g->failed) x->w->g->failed = CROFT_E_LIMIT;
        *rule = gram_rule_new(x->w->g, NULL, 0) + 1;
        if (gram_grow(&x->todo, &x->cap_todo, x->n_todo + 2, sizeof *x->todo))
            x->w->g->failed = CROFT_E_NOMEM;
        else {
            x->todo[x->n_todo++] = q;
            x->todo[x->n_todo++] = len;
        }
    }
    return gram_ref(x->w->g, *rule - 1);
}

/* Does q lead, alive, only to itself, and may it end: the rest is a repetition. */
static bool find_loop(const struct emit *x, uint32_t q)
{
    const struct work *w = x->w;
    if (!w->all.final[q]) return false;
    for (size_t y = 0; y < w->n_sym; y++) {
        uint32_t to = w->all.next[q * w->n_sym + y];
        if (to == UINT32_MAX || to == q) continue;
        for (uint32_t len = 0; len <= x->top; len++)
            if (x->alive[(size_t)len * w->all.n + to]) return false;
    }
    return true;
}

static bool only_loops(struct emit *x, uint32_t q)
{
    if (!x->loops[q]) x->loops[q] = find_loop(x, q) ? 2 : 1;
    return x->loops[q] == 2;
}

static uint32_t emit_one(struct emit *x, uint32_t q, uint32_t len)
{
    struct work *w = x->w;
    struct gram_nodes *g = w->g;
    uint32_t *alt = NULL, r, loop = gram_none(g);
    size_t n = 0, cap = 0;
    if (only_loops(x, q))
        return gram_rep(g, chars_to(w, q, q), w->min > len ? w->min - len : 0,
                        w->max == GRAM_INF ? GRAM_INF : w->max - len);
    if (gram_grow(&alt, &cap, w->n_sym + 1, sizeof *alt)) {
        g->failed = CROFT_E_NOMEM;
        return 0;
    }
    uint32_t after = len < x->top ? len + 1 : x->top;
    for (size_t y = 0; y < w->n_sym; y++) {
        uint32_t to = w->all.next[q * w->n_sym + y];
        bool done = to == UINT32_MAX || (w->max != GRAM_INF && len == w->max);
        for (size_t k = 0; k < y && !done; k++) done = w->all.next[q * w->n_sym + k] == to;
        if (done || !x->alive[(size_t)after * w->all.n + to]) continue;
        if (to == q && after == len)
            loop = chars_to(w, q, q);
        else
            alt[n++] = gram_seq2(g, chars_to(w, q, to), ref_to(x, to, after));
    }
    if (w->all.final[q] && len >= w->min) alt[n++] = gram_empty(g);
    r = gram_seq2(g, gram_rep(g, loop, 0, GRAM_INF), gram_alt(g, alt, n));
    mem_free(alt);
    return r;
}

static int emit(struct work *w, uint32_t *out)
{
    struct emit x = {.w = w, .top = w->max == GRAM_INF ? w->min : w->max};
    uint8_t *alive = NULL;
    if (find_alive(w, x.top, &alive)) return w->e->code;
    x.alive = alive;
    x.rule = mem_calloc(w->all.n, ((size_t)x.top + 1) * sizeof *x.rule);
    x.loops = mem_calloc(w->all.n, 1);
    int rc = x.rule && x.loops ? 0 : nomem(w);
    if (!rc && !alive[0])
        *out = gram_none(w->g);
    else if (!rc) {
        *out = ref_to(&x, 0, 0);
        while (x.n_todo && !w->g->failed) {
            uint32_t len = x.todo[--x.n_todo], q = x.todo[--x.n_todo], body = emit_one(&x, q, len);
            if (!w->g->failed) w->g->rule[x.rule[(size_t)len * w->all.n + q] - 1].body = body;
        }
        rc = gram_nodes_check(w->g, w->e);
    }
    mem_free(alive);
    mem_free(x.rule);
    mem_free(x.loops);
    mem_free(x.todo);
    return rc;
}

int gram_dfa_node(struct gram_nodes *g, const struct gram_want *want, size_t n, uint32_t min, uint32_t max, bool json,
                  uint32_t *out, struct err *e)
{
    struct err local;
    if (!e) e = &local;
    struct work w = {.g = g, .e = e, .want = want, .n_want = n, .min = min, .max = max, .json = json};
    if (n > MAX_WANT) return ERR(e, LIMIT, "More than %d patterns bear on one string.", MAX_WANT);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) rc = gram_nfa_new(want[i].re, want[i].search, &w.nfa[i], e);
    if (!rc) rc = symbols(&w);
    for (size_t i = 0; i < n && !rc; i++) rc = determinise(&w, w.nfa[i], &w.one[i]);
    if (!rc) rc = product(&w);
    if (!rc) rc = minimise(&w);
    if (!rc) rc = emit(&w, out);
    for (size_t i = 0; i < w.n_cut && w.chars; i++) gram_chars_done(&w.chars[i]);
    for (size_t i = 0; i < n; i++) {
        gram_nfa_free(w.nfa[i]);
        dfa_done(&w.one[i]);
    }
    dfa_done(&w.all);
    mem_free(w.cut);
    mem_free(w.sym);
    mem_free(w.chars);
    return rc;
}
