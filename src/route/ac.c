/* Aho–Corasick (Aho & Corasick, CACM 18(6), 1975): the words' trie, and for each state the longest proper suffix that
 * is also a state (`fail`), so that one pass over the text finds all words.
 *
 * The trie is built level by level from the sorted words: a state is a range of words that share their first `depth`
 * bytes, so the children of a state are neighbours in order of their byte, and an edge is found by halving.
 *
 *     words  an, ant, be     state 0 ─a→ 1 ─n→ 3* ─t→ 4*      fail(3) = 0 …
 *                                    └b→ 2 ─e→ …
 *
 * A state that ends a word carries its mark; `dict` leads to the next shorter word that ends here too. The root has a
 * table of all bytes, because most of any text is spent there. */
#include "ac.h"

#include "base_mem.h"

#include <stdlib.h>
#include <string.h>

struct node {
    uint32_t child; /* first of n_child neighbours */
    uint32_t fail, dict;
    uint32_t mark;
    uint16_t depth, n_child;
    unsigned char byte; /* that leads here */
    bool word;
};

struct route_ac {
    struct node *node;
    uint32_t n;
    uint32_t root[256];
};

int route_ac_words_add(struct route_ac_words *w, const char *p, size_t n, uint32_t mark, struct err *e)
{
    if (n == 0 || n > ROUTE_AC_MAX_WORD)
        return ERR(e, LIMIT, "An entry has %zu bytes; 1 to %d are allowed.", n, ROUTE_AC_MAX_WORD);
    if (w->bytes + n > ROUTE_AC_MAX_BYTES)
        return ERR(e, LIMIT, "The lists have more than %d MiB: shorten them.", ROUTE_AC_MAX_BYTES >> 20);
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        struct route_ac_word *v = mem_realloc(w->v, cap * sizeof *v);
        if (!v) return err_nomem(e, cap * sizeof *v);
        w->v = v;
        w->cap = cap;
    }
    char *copy = mem_alloc(n);
    if (!copy) return err_nomem(e, n);
    memcpy(copy, p, n);
    w->v[w->n++] = (struct route_ac_word){copy, (uint32_t)n, mark};
    w->bytes += n;
    return 0;
}

void route_ac_words_done(struct route_ac_words *w)
{
    for (size_t i = 0; i < w->n; i++) mem_free(w->v[i].p);
    mem_free(w->v);
    *w = (struct route_ac_words){0};
}

static int by_bytes(const void *a, const void *b)
{
    const struct route_ac_word *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    if (c == 0) c = (x->n > y->n) - (x->n < y->n);
    return c ? c : (x->mark > y->mark) - (x->mark < y->mark);
}

static uint32_t child_of(const struct route_ac *a, uint32_t state, unsigned char byte)
{
    const struct node *first = &a->node[a->node[state].child];
    uint32_t lo = 0, hi = a->node[state].n_child;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (first[mid].byte < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < a->node[state].n_child && first[lo].byte == byte ? a->node[state].child + lo : 0;
}

struct range {
    uint32_t lo, hi;
};

/* The children of `state`, whose words are r; they go to the end of the list. */
static void add_children(struct route_ac *a, const struct route_ac_words *w, struct range *ranges, uint32_t state)
{
    uint32_t depth = a->node[state].depth, i = ranges[state].lo, hi = ranges[state].hi;
    for (; i < hi && w->v[i].n == depth; i++) { /* sorted: those that end here come first */
        if (!a->node[state].word) a->node[state].mark = w->v[i].mark;
        a->node[state].word = true;
    }
    a->node[state].child = a->n;
    while (i < hi) {
        uint32_t first = i;
        char byte = w->v[i].p[depth];
        while (i < hi && w->v[i].p[depth] == byte) i++;
        ranges[a->n] = (struct range){first, i};
        a->node[a->n++] = (struct node){.byte = (unsigned char)byte, .depth = (uint16_t)(depth + 1)};
        a->node[state].n_child++;
    }
}

/* Parents come before children, and shorter suffixes before longer: each fail is ready when it is needed. */
static void link_fails(struct route_ac *a)
{
    for (uint32_t u = 0; u < a->n; u++)
        for (uint32_t v = a->node[u].child; v < a->node[u].child + a->node[u].n_child; v++) {
            struct node *x = &a->node[v];
            x->fail = u ? route_ac_step(a, a->node[u].fail, x->byte) : 0;
            x->dict = a->node[x->fail].word ? x->fail : a->node[x->fail].dict;
        }
}

int route_ac_build(struct route_ac_words *w, struct route_ac **out, struct err *e)
{
    size_t most = w->bytes + 1;
    struct route_ac *a = mem_calloc(1, sizeof *a);
    struct range *ranges = mem_alloc(most * sizeof *ranges);
    if (a) a->node = mem_alloc(most * sizeof *a->node);
    if (!a || !ranges || !a->node) {
        mem_free(ranges);
        route_ac_free(a);
        return err_nomem(e, most * (sizeof *ranges + sizeof *a->node));
    }
    if (w->n) qsort(w->v, w->n, sizeof *w->v, by_bytes);
    a->node[0] = (struct node){0};
    a->n = 1;
    ranges[0] = (struct range){0, (uint32_t)w->n};
    for (uint32_t state = 0; state < a->n; state++) add_children(a, w, ranges, state);
    for (int b = 0; b < 256; b++) a->root[b] = child_of(a, 0, (unsigned char)b);
    link_fails(a);
    mem_free(ranges);
    struct node *less = mem_realloc(a->node, a->n * sizeof *less); /* what shared prefixes saved */
    if (less) a->node = less;
    *out = a;
    return 0;
}

void route_ac_free(struct route_ac *a)
{
    if (!a) return;
    mem_free(a->node);
    mem_free(a);
}

uint32_t route_ac_step(const struct route_ac *a, uint32_t state, unsigned char byte)
{
    for (; state; state = a->node[state].fail) {
        uint32_t next = child_of(a, state, byte);
        if (next) return next;
    }
    return a->root[byte];
}

uint32_t route_ac_hit(const struct route_ac *a, uint32_t state, bool first, uint32_t *len, uint32_t *mark)
{
    if (!first || !a->node[state].word) state = a->node[state].dict;
    if (!state) return 0;
    *len = a->node[state].depth;
    *mark = a->node[state].mark;
    return state;
}
