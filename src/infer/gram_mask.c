/* Masks: which tokens may follow in a state. A walk steps the automaton along the trie of the vocabulary and skips
 * what hangs under a byte that may not follow; its result is kept with the state. Two things keep walks rare and
 * short:
 *
 *   clamping   a token has at most so many bytes, so a repetition that allows more is like one without a bound:
 * states that differ in such counts alone share one mask slices     where any characters of a large set may follow,
 * the tokens made of them are known (gram_slice.c); the walk is over the rest. Beside a bound the slice of at most
 * that many characters is exact when no other reading of the text could take one of those characters
 *
 * Under the grammar's lock. Next: gram_match.c. */
#include "gram.h"

#include "base_mem.h"

static int walk(struct infer_grammar *g, const struct gram_trie *t, uint32_t state, uint32_t *mask)
{
    uint32_t at[GRAM_MAX_PIECE + 1]; /* the state behind so many bytes of the token */
    at[0] = state;
    for (size_t i = 0; i < t->n;) {
        size_t d = t->keep[i];
        const char *p = t->bytes + t->at[i], *end = t->bytes + t->at[i + 1];
        for (; p < end; p++) {
            int64_t next = gram_auto_step(&g->a, at[d], (uint8_t)*p);
            if (next < 0) return (int)next;
            if (next == 0) break;
            at[++d] = (uint32_t)next;
        }
        if (p == end) {
            gram_mask_add(mask, t->token[i++]);
            continue;
        }
        i = d == t->keep[i] ? t->skip[i] : i + 1;
        while (i < t->n && t->keep[i] > d) i = t->skip[i]; /* they have that byte, too */
    }
    return 0;
}

static int64_t clamped(struct infer_grammar *g, uint32_t state, uint32_t most)
{
    uint32_t known = g->a.state[state].clamped;
    if (known) return known;
    int64_t c = gram_auto_clamp(&g->a, state, most);
    if (c > 0) g->a.state[state].clamped = (uint32_t)c;
    return c;
}

static uint32_t *mask_new(struct infer_grammar *g)
{
    uint32_t *m = mem_calloc(g->v->n_words, sizeof *m);
    if (m) g->a.bytes += g->v->n_words * sizeof *m;
    return m;
}

static int mask_by_walk(struct infer_grammar *g, uint32_t state, uint32_t *mask)
{
    int64_t c = clamped(g, state, g->v->longest);
    if (c < 0) return (int)c;
    if (!g->a.state[c].mask) {
        uint32_t *m = mask_new(g);
        int rc = m ? walk(g, &g->v->trie, (uint32_t)c, m) : CROFT_E_NOMEM;
        if (rc) {
            mem_free(m);
            return rc;
        }
        g->a.state[c].mask = m;
    }
    memcpy(mask, g->a.state[c].mask, g->v->n_words * sizeof *mask);
    return 0;
}

/* The loop of the state with the most left whose set has a slice that says all about its tokens. */
static int find_slice(struct infer_grammar *g, uint32_t state, const struct gram_slice **out, uint32_t *out_hi)
{
    struct gram_auto *a = &g->a;
    for (uint32_t i = 0; i < a->state[state].n_loop; i++) {
        struct gram_loop l = a->loop[a->state[state].loop + i];
        const struct gram_node *x = &g->g.node[l.chars];
        uint32_t hi = a->frame[l.frame].b;
        const struct gram_slice *s = hi <= *out_hi ? NULL : gram_slice_get(g->v, g->g.range + x->b, x->c);
        if (!s) continue;
        int whole = hi >= s->longest ? 1 : gram_auto_exclusive(a, state, &l, s->r, s->n_r);
        if (whole < 0) return whole;
        if (!whole) continue;
        *out = s;
        *out_hi = hi;
    }
    return 0;
}

static int mask_by_slice(struct infer_grammar *g, uint32_t state, const struct gram_slice *s, uint32_t hi,
                         uint32_t *mask)
{
    int64_t c = clamped(g, state, GRAM_SLICE_CLAMP);
    if (c < 0) return (int)c;
    if (g->a.state[c].slice != s) {
        uint32_t *m = g->a.state[c].rest ? g->a.state[c].rest : mask_new(g);
        if (!m) return CROFT_E_NOMEM;
        memset(m, 0, g->v->n_words * sizeof *m);
        g->a.state[c].rest = m;
        int rc = walk(g, &s->rest, (uint32_t)c, m);
        if (rc) return rc;
        g->a.state[c].slice = s;
    }
    gram_slice_mask(g->v, s, hi, mask);
    const uint32_t *rest = g->a.state[c].rest;
    for (size_t i = 0; i < g->v->n_words; i++) mask[i] |= rest[i];
    return walk(g, &s->odd, state, mask);
}

int gram_mask(struct infer_grammar *g, uint32_t state, uint32_t *mask, struct err *e)
{
    const struct gram_slice *s = NULL;
    uint32_t hi = 0;
    int rc = find_slice(g, state, &s, &hi);
    if (!rc) rc = s ? mask_by_slice(g, state, s, hi, mask) : mask_by_walk(g, state, mask);
    if (rc) return gram_auto_error(rc, e);
    if (g->a.state[state].accept)
        for (size_t i = 0; i < g->v->n_end; i++) mask[g->v->end[i] / 32] |= 1u << g->v->end[i] % 32;
    return 0;
}
