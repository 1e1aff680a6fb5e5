/* Nodes: the language as a small tree over bytes. Every maker looks for an equal node first (hash-consing), so that
 * equal parts of a grammar are one part of the automaton. Makers simplify what needs no thought: a sequence with
 * nothing in it is nothing, a choice with one way is that way.
 *
 * Owns the arrays of struct gram_nodes. One thread. A failure (memory, too many nodes) is remembered in `failed` and
 * asked for once, by gram_nodes_check. Next: gram_check.c. */
#include "gram.h"

#include "base_mem.h"

static uint32_t fail(struct gram_nodes *g, int code)
{
    if (!g->failed) g->failed = code;
    return 0;
}

int gram_nodes_check(const struct gram_nodes *g, struct err *e)
{
    if (g->failed == CROFT_E_NOMEM) return err_nomem(e, sizeof(struct gram_node) * g->n);
    if (g->failed)
        return ERR(e, LIMIT, "The grammar is too large: more than %d parts. Use smaller bounds or fewer choices.",
                   GRAM_MAX_NODES);
    return 0;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

static uint64_t hash_of(const struct gram_nodes *g, const struct gram_node *x)
{
    uint64_t h = mix(0, x->op);
    switch (x->op) {
    case GRAM_CLASS:
        for (int i = 0; i < 4; i++) h = mix(h, g->set[x->a][i]);
        return h;
    case GRAM_SEQ:
    case GRAM_ALT:
        for (uint32_t i = 0; i < x->b; i++) h = mix(h, g->kid[x->a + i]);
        return h;
    case GRAM_CHARS:
        for (uint32_t i = 0; i < x->c; i++) h = mix(mix(h, g->range[x->b + i].lo), g->range[x->b + i].hi);
        return h;
    default:
        return mix(mix(mix(h, x->a), x->b), x->c);
    }
}

static bool equal(const struct gram_nodes *g, const struct gram_node *x, const struct gram_node *y)
{
    if (x->op != y->op) return false;
    switch (x->op) {
    case GRAM_CLASS:
        return !memcmp(g->set[x->a], g->set[y->a], sizeof g->set[0]);
    case GRAM_SEQ:
    case GRAM_ALT:
        return x->b == y->b && !memcmp(g->kid + x->a, g->kid + y->a, x->b * sizeof *g->kid);
    case GRAM_CHARS:
        return x->c == y->c && !memcmp(g->range + x->b, g->range + y->b, x->c * sizeof *g->range);
    default:
        return x->a == y->a && x->b == y->b && x->c == y->c;
    }
}

static int rehash(struct gram_nodes *g)
{
    size_t n = g->n_slot ? g->n_slot * 2 : 256;
    uint32_t *slot = mem_calloc(n, sizeof *slot); /* node + 1 */
    if (!slot) return CROFT_E_NOMEM;
    for (size_t i = 0; i < g->n; i++) {
        size_t k = hash_of(g, &g->node[i]) & (n - 1);
        while (slot[k]) k = (k + 1) & (n - 1);
        slot[k] = (uint32_t)i + 1;
    }
    mem_free(g->slot);
    g->slot = slot;
    g->n_slot = n;
    return 0;
}

/* The node, or one equal to it: then what it brought along (its kids, set, ranges: the newest of their pools) goes.
 */
static uint32_t intern(struct gram_nodes *g, struct gram_node x)
{
    if (g->failed) return 0;
    if (g->n >= GRAM_MAX_NODES) return fail(g, CROFT_E_LIMIT);
    if (g->n * 2 >= g->n_slot && rehash(g)) return fail(g, CROFT_E_NOMEM);
    size_t k = hash_of(g, &x) & (g->n_slot - 1);
    for (; g->slot[k]; k = (k + 1) & (g->n_slot - 1)) {
        if (!equal(g, &g->node[g->slot[k] - 1], &x)) continue;
        if (x.op == GRAM_CLASS) g->n_set--;
        if (x.op == GRAM_SEQ || x.op == GRAM_ALT) g->n_kid -= x.b;
        if (x.op == GRAM_CHARS) g->n_range -= x.c;
        return g->slot[k] - 1;
    }
    if (gram_grow(&g->node, &g->cap, g->n + 1, sizeof *g->node)) return fail(g, CROFT_E_NOMEM);
    g->node[g->n] = x;
    g->slot[k] = (uint32_t)g->n + 1;
    return (uint32_t)g->n++;
}

int gram_nodes_init(struct gram_nodes *g)
{
    *g = (struct gram_nodes){0};
    intern(g, (struct gram_node){.op = GRAM_EMPTY}); /* 0 */
    intern(g, (struct gram_node){.op = GRAM_NONE});  /* 1 */
    return g->failed;
}

void gram_nodes_done(struct gram_nodes *g)
{
    for (size_t i = 0; i < g->n_rule; i++) mem_free(g->rule[i].name);
    mem_free(g->node);
    mem_free(g->set);
    mem_free(g->kid);
    mem_free(g->range);
    mem_free(g->rule);
    mem_free(g->slot);
    *g = (struct gram_nodes){0};
}

uint32_t gram_empty(struct gram_nodes *g) { return 0; }
uint32_t gram_none(struct gram_nodes *g) { return 1; }

uint32_t gram_class(struct gram_nodes *g, const uint64_t set[4])
{
    if (!(set[0] | set[1] | set[2] | set[3])) return gram_none(g);
    if (g->failed || gram_grow(&g->set, &g->cap_set, g->n_set + 1, sizeof *g->set)) return fail(g, CROFT_E_NOMEM);
    memcpy(g->set[g->n_set], set, sizeof *g->set);
    return intern(g, (struct gram_node){.op = GRAM_CLASS, .a = (uint32_t)g->n_set++});
}

static uint32_t byte_range(struct gram_nodes *g, unsigned lo, unsigned hi)
{
    uint64_t set[4] = {0};
    for (unsigned c = lo; c <= hi; c++) set[c / 64] |= (uint64_t)1 << c % 64;
    return gram_class(g, set);
}

uint32_t gram_byte(struct gram_nodes *g, unsigned char c) { return byte_range(g, c, c); }

static uint32_t list(struct gram_nodes *g, enum gram_op op, const uint32_t *kid, size_t n)
{
    if (g->failed || n > GRAM_MAX_NODES || g->n_kid + n > 8u * GRAM_MAX_NODES) return fail(g, CROFT_E_LIMIT);
    if (gram_grow(&g->kid, &g->cap_kid, g->n_kid + n, sizeof *g->kid)) return fail(g, CROFT_E_NOMEM);
    memcpy(g->kid + g->n_kid, kid, n * sizeof *kid);
    struct gram_node x = {.op = op, .a = (uint32_t)g->n_kid, .b = (uint32_t)n};
    g->n_kid += n;
    return intern(g, x);
}

/* Kids without the neutral element; a NONE in a sequence makes it NONE. */
static uint32_t gather(struct gram_nodes *g, enum gram_op op, const uint32_t *kid, size_t n)
{
    uint32_t few[16], *k = few, r = 0;
    if (n > 16 && !(k = mem_alloc(n * sizeof *k))) return fail(g, CROFT_E_NOMEM);
    size_t m = 0;
    bool none = false;
    for (size_t i = 0; i < n; i++) {
        if (op == GRAM_SEQ && kid[i] == gram_none(g)) none = true;
        if (kid[i] == (op == GRAM_SEQ ? gram_empty(g) : gram_none(g))) continue;
        k[m++] = kid[i];
    }
    if (none)
        r = gram_none(g);
    else if (m == 0)
        r = op == GRAM_SEQ ? gram_empty(g) : gram_none(g);
    else if (m == 1)
        r = k[0];
    else
        r = list(g, op, k, m);
    if (k != few) mem_free(k);
    return r;
}

uint32_t gram_seq(struct gram_nodes *g, const uint32_t *kid, size_t n) { return gather(g, GRAM_SEQ, kid, n); }
uint32_t gram_alt(struct gram_nodes *g, const uint32_t *kid, size_t n) { return gather(g, GRAM_ALT, kid, n); }
uint32_t gram_seq2(struct gram_nodes *g, uint32_t x, uint32_t y) { return gram_seq(g, (uint32_t[]){x, y}, 2); }
uint32_t gram_alt2(struct gram_nodes *g, uint32_t x, uint32_t y)
{
    return x == y ? x : gram_alt(g, (uint32_t[]){x, y}, 2);
}

uint32_t gram_rep(struct gram_nodes *g, uint32_t x, uint32_t min, uint32_t max)
{
    if (min > max) return gram_none(g);
    if (max == 0 || x == gram_empty(g)) return gram_empty(g);
    if (x == gram_none(g)) return min == 0 ? gram_empty(g) : gram_none(g);
    if (min == 1 && max == 1) return x;
    return intern(g, (struct gram_node){.op = GRAM_REP, .a = x, .b = min, .c = max});
}

uint32_t gram_opt(struct gram_nodes *g, uint32_t x) { return gram_rep(g, x, 0, 1); }

uint32_t gram_lit(struct gram_nodes *g, const char *bytes, size_t n)
{
    uint32_t few[64], *k = few, r;
    if (n > 64 && !(k = mem_alloc(n * sizeof *k))) return fail(g, CROFT_E_NOMEM);
    for (size_t i = 0; i < n; i++) k[i] = gram_byte(g, (unsigned char)bytes[i]);
    r = gram_seq(g, k, n);
    if (k != few) mem_free(k);
    return r;
}

uint32_t gram_rule_new(struct gram_nodes *g, const char *name, size_t n)
{
    if (g->failed) return 0;
    if (g->n_rule >= GRAM_MAX_NODES / 4) return fail(g, CROFT_E_LIMIT);
    if (gram_grow(&g->rule, &g->cap_rule, g->n_rule + 1, sizeof *g->rule)) return fail(g, CROFT_E_NOMEM);
    char *copy = name ? mem_strndup(name, n) : NULL;
    if (name && !copy) return fail(g, CROFT_E_NOMEM);
    g->rule[g->n_rule] = (struct gram_rule){.body = GRAM_INF, .name = copy};
    return (uint32_t)g->n_rule++;
}

uint32_t gram_ref(struct gram_nodes *g, uint32_t rule)
{
    return intern(g, (struct gram_node){.op = GRAM_REF, .a = rule});
}

/* ---- characters to bytes ---- */

/* UTF-8 of a range whose ends have the same number of bytes: split until every byte but the free ones at the end is
 * fixed or a range on its own.  U+0800–U+FFFF:  E0 A0–BF 80–BF | E1–EE 80–BF 80–BF | EF 80–BF 80–BF */
static void same_length(struct gram_nodes *g, const unsigned char *lo, const unsigned char *hi, size_t n,
                        uint32_t *prefix, size_t depth, uint32_t *alt, size_t *n_alt)
{
    if (n == 0 || g->failed) return;
    if (n == 1) {
        prefix[depth] = byte_range(g, lo[0], hi[0]);
        alt[(*n_alt)++] = gram_seq(g, prefix, depth + 1);
        return;
    }
    static const unsigned char low[3] = {0x80, 0x80, 0x80}, high[3] = {0xBF, 0xBF, 0xBF};
    bool whole_lo = !memcmp(lo + 1, low, n - 1), whole_hi = !memcmp(hi + 1, high, n - 1);
    unsigned from = lo[0], to = hi[0];
    if (from == to && !(whole_lo && whole_hi)) {
        prefix[depth] = gram_byte(g, lo[0]);
        same_length(g, lo + 1, hi + 1, n - 1, prefix, depth + 1, alt, n_alt);
        return;
    }
    if (!whole_lo) {
        prefix[depth] = byte_range(g, from, from);
        same_length(g, lo + 1, high, n - 1, prefix, depth + 1, alt, n_alt);
        from++;
    }
    unsigned last = to;
    if (!whole_hi) to--;
    if (from <= to) {
        prefix[depth] = byte_range(g, from, to);
        same_length(g, low, high, n - 1, prefix, depth + 1, alt, n_alt);
    }
    if (!whole_hi) {
        prefix[depth] = byte_range(g, last, last);
        same_length(g, low, hi + 1, n - 1, prefix, depth + 1, alt, n_alt);
    }
}

static uint32_t lower(struct gram_nodes *g, const struct gram_chars *c)
{
    static const uint32_t last_of[] = {0x7F, 0x7FF, 0xD7FF, 0xFFFF, GRAM_MAX_CP};
    uint64_t ascii[4] = {0};
    size_t cap = 0, n = 0;
    uint32_t *alt = NULL, prefix[4], r = 0;
    if (gram_grow(&alt, &cap, c->n * 16 + 1, sizeof *alt)) return fail(g, CROFT_E_NOMEM);
    for (size_t i = 0; i < c->n; i++) {
        uint32_t lo = c->r[i].lo;
        for (size_t k = 0; k < 5 && lo <= c->r[i].hi; k++) {
            if (lo > last_of[k]) continue;
            uint32_t hi = c->r[i].hi < last_of[k] ? c->r[i].hi : last_of[k];
            if (k == 0) {
                for (uint32_t b = lo; b <= hi; b++) ascii[b / 64] |= (uint64_t)1 << b % 64;
            } else {
                char x[4], y[4];
                size_t bytes = utf8_encode(lo, x);
                utf8_encode(hi, y);
                same_length(g, (unsigned char *)x, (unsigned char *)y, bytes, prefix, 0, alt, &n);
            }
            lo = hi + 1;
            if (lo == 0xD800) lo = 0xE000;
        }
    }
    alt[n++] = gram_class(g, ascii);
    r = gram_alt(g, alt, n);
    mem_free(alt);
    return r;
}

uint32_t gram_chars(struct gram_nodes *g, const struct gram_chars *c)
{
    if (c->failed) return fail(g, CROFT_E_NOMEM);
    if (c->n == 0) return gram_none(g);
    uint32_t body = lower(g, c);
    if (g->failed) return 0;
    if (gram_grow(&g->range, &g->cap_range, g->n_range + c->n, sizeof *g->range)) return fail(g, CROFT_E_NOMEM);
    memcpy(g->range + g->n_range, c->r, c->n * sizeof *c->r);
    struct gram_node x = {.op = GRAM_CHARS, .a = body, .b = (uint32_t)g->n_range, .c = (uint32_t)c->n};
    g->n_range += c->n;
    return intern(g, x);
}

/* ---- choices ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int d = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return d ? d : x->n < y->n ? -1 : x->n > y->n;
}

static size_t shared(struct str x, struct str y)
{
    size_t n = 0;
    while (n < x.n && n < y.n && x.p[n] == y.p[n]) n++;
    return n;
}

/* A radix tree from sorted texts, built as they pass: open[] is the path of branching points above the newest text;
 * a branch is closed, and becomes a node, when a text comes that does not share it.
 *
 *   "new", "news", "no"     depth 0: 'n' →  depth 1: 'e' 'w' → {end, 's'} | 'o' */
struct branch {
    size_t depth; /* bytes shared by all that is in it */
    uint32_t *alt;
    size_t n, cap;
};

static void add_way(struct gram_nodes *g, struct branch *b, uint32_t node)
{
    if (gram_grow(&b->alt, &b->cap, b->n + 1, sizeof *b->alt))
        fail(g, CROFT_E_NOMEM);
    else
        b->alt[b->n++] = node;
}

/* Close the top branch: its node, with the bytes text[from..depth) before it. */
static uint32_t close_branch(struct gram_nodes *g, struct branch *b, const char *text, size_t from)
{
    uint32_t r = gram_seq2(g, gram_lit(g, text + from, b->depth - from), gram_alt(g, b->alt, b->n));
    mem_free(b->alt);
    *b = (struct branch){0};
    return r;
}

uint32_t gram_choice(struct gram_nodes *g, struct str *text, size_t n)
{
    struct branch *open = NULL;
    size_t n_open = 0, cap = 0, m = 0;
    qsort(text, n, sizeof *text, by_bytes);
    for (size_t i = 0; i < n; i++)
        if (m == 0 || !str_eq(text[m - 1], text[i])) text[m++] = text[i];
    if (m == 0) return gram_none(g);
    if (gram_grow(&open, &cap, 1, sizeof *open)) return fail(g, CROFT_E_NOMEM);
    open[n_open++] = (struct branch){0};
    for (size_t i = 0; i < m && !g->failed; i++) {
        /* What this text shares with the one before is done; what it shares with the next stays open. */
        size_t next = i + 1 < m ? shared(text[i], text[i + 1]) : 0;
        if (next > open[n_open - 1].depth) {
            if (gram_grow(&open, &cap, n_open + 1, sizeof *open)) {
                fail(g, CROFT_E_NOMEM);
                break;
            }
            open[n_open++] = (struct branch){.depth = next};
        }
        struct branch *top = &open[n_open - 1];
        add_way(g, top, gram_lit(g, text[i].p + top->depth, text[i].n - top->depth));
        while (n_open > 1 && open[n_open - 1].depth > next && !g->failed) {
            struct branch *b = &open[n_open - 1], *below = b - 1;
            if (below->depth < next) { /* the next text parts from this branch in its middle */
                uint32_t node = close_branch(g, b, text[i].p, next);
                b->depth = next;
                add_way(g, b, node);
            } else {
                add_way(g, below, close_branch(g, b, text[i].p, below->depth));
                n_open--;
            }
        }
    }
    uint32_t r = g->failed ? 0 : gram_alt(g, open[0].alt, open[0].n);
    for (size_t i = 0; i < n_open; i++) mem_free(open[i].alt);
    mem_free(open);
    return r;
}
