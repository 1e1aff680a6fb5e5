/* Tries of tokens (drawn in gram.h): 14 bytes a token and those bytes that it does not share with the one before, half
 * of what nodes with pointers take. Built by adding tokens in the order of their bytes; read-only after that.
 * Next: gram_vocab.c, gram_slice.c, which make them; gram_mask.c, which walks them. */
#include "gram.h"

#include "base_mem.h"

static size_t shared(struct str x, struct str y)
{
    size_t n = 0;
    while (n < x.n && n < y.n && x.p[n] == y.p[n]) n++;
    return n;
}

int gram_trie_add(struct gram_trie_maker *m, int32_t token, struct str piece)
{
    struct gram_trie *t = &m->t;
    size_t keep = shared((struct str){m->last, m->n_last}, piece), more = piece.n - keep;
    if (gram_grow(&t->token, &m->cap_token, t->n + 1, sizeof *t->token) ||
        gram_grow(&t->at, &m->cap_at, t->n + 2, sizeof *t->at) ||
        gram_grow(&t->keep, &m->cap_keep, t->n + 1, sizeof *t->keep) ||
        gram_grow(&t->bytes, &m->cap_bytes, m->n_bytes + more + 1, 1))
        return CROFT_E_NOMEM;
    memcpy(t->bytes + m->n_bytes, piece.p + keep, more);
    memcpy(m->last + keep, piece.p + keep, more);
    m->n_last = piece.n;
    t->token[t->n] = token;
    t->keep[t->n] = (uint16_t)keep;
    t->at[t->n++] = (uint32_t)m->n_bytes;
    t->at[t->n] = (uint32_t)(m->n_bytes += more);
    return 0;
}

/* An array without the room it had to grow; as it was if there is no other. */
static void *fitted(void *p, size_t bytes)
{
    void *q = p ? mem_realloc(p, bytes) : NULL;
    return q ? q : p;
}

int gram_trie_done(struct gram_trie_maker *m, struct gram_trie *out)
{
    struct gram_trie *t = &m->t;
    int rc = gram_trie_add(m, -1, STR("")) ? CROFT_E_NOMEM : 0; /* so that there are arrays */
    if (!rc && !(t->skip = mem_alloc(t->n * sizeof *t->skip))) rc = CROFT_E_NOMEM;
    if (rc) {
        gram_trie_free(t);
        return rc;
    }
    t->n--;
    for (size_t i = t->n; i-- > 0;) {
        uint32_t k = (uint32_t)i + 1;
        while (k < t->n && t->keep[k] > t->keep[i]) k = t->skip[k];
        t->skip[i] = k;
    }
    t->token = fitted(t->token, (t->n + 1) * sizeof *t->token);
    t->at = fitted(t->at, (t->n + 1) * sizeof *t->at);
    t->keep = fitted(t->keep, (t->n + 1) * sizeof *t->keep);
    t->bytes = fitted(t->bytes, m->n_bytes + 1);
    *out = *t;
    *t = (struct gram_trie){0};
    return 0;
}

void gram_trie_free(struct gram_trie *t)
{
    mem_free(t->token);
    mem_free(t->skip);
    mem_free(t->at);
    mem_free(t->keep);
    mem_free(t->bytes);
    *t = (struct gram_trie){0};
}

struct str gram_trie_read(const struct gram_trie *t, size_t i, char text[GRAM_MAX_PIECE])
{
    size_t more = t->at[i + 1] - t->at[i];
    memcpy(text + t->keep[i], t->bytes + t->at[i], more);
    return (struct str){text, t->keep[i] + more};
}

bool gram_trie_goes_on(const struct gram_trie *t, struct str p, const uint64_t follow[4])
{
    for (size_t i = 0, same = 0; i < t->n;) { /* same: what a token has of p */
        const char *at = t->bytes + t->at[i], *end = t->bytes + t->at[i + 1];
        if (t->keep[i] < same) return false; /* in order: what begins with p is over */
        while (at < end && same < p.n && *at == p.p[same]) at++, same++;
        if (at < end && same == p.n && follow[(unsigned char)*at / 64] >> (unsigned char)*at % 64 & 1) return true;
        if (at < end && same < p.n && (unsigned char)*at > (unsigned char)p.p[same]) return false;
        size_t from = i++;
        if (at == end) continue;
        if (same == t->keep[from]) i = t->skip[from];
        while (i < t->n && t->keep[i] > same) i = t->skip[i];
    }
    return false;
}
