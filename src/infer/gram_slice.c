/* Slices: for a set of characters that is repeated freely (the inside of a JSON string, `.*`), which tokens consist
 * of such characters alone, and how many each has. In such a place nearly the whole vocabulary is allowed, and a walk
 * would step through most of it; with the slice the answer for those tokens is a copy, and the walk is over the
 * others.
 *
 *   all            tokens of such characters          upto[k]   those of at most k characters
 *   big            those of ≥ 16, longest first: taken out of `all` one by one when fewer may follow
 *   rest, odd      other tokens, as tries: short ones, and the few long ones
 *
 * A slice depends on vocabulary and set alone; it is made once and lives with the vocabulary, under its lock.
 * Next: gram_mask.c, which uses them. */
#include "gram.h"

#include "base_mem.h"

enum { FEW_TOKENS = 1000, FEW_OF = 16, FEW_CHARS = 10 };

/* Characters of the set that make up all of p, or 0; `ascii` says the same of the set's first 128. */
static uint32_t count_chars(struct str p, const struct gram_slice *s, const uint64_t ascii[2])
{
    uint32_t chars = 0, cp;
    for (const char *at = p.p, *end = p.p + p.n; at < end; chars++) {
        unsigned char b = (unsigned char)*at;
        if (b < 0x80) {
            if (!(ascii[b / 64] >> b % 64 & 1)) return 0;
            at++;
            continue;
        }
        at += utf8_decode(at, end, &cp);
        if (cp == UINT32_MAX || !gram_chars_has(s->r, s->n_r, cp)) return 0;
    }
    return chars;
}

static int longest_first(const void *a, const void *b)
{
    const struct gram_long *x = a, *y = b;
    return x->chars > y->chars ? -1 : x->chars < y->chars ? 1 : x->token < y->token ? -1 : x->token > y->token;
}

/* What it knows of tokens. */
static void slice_empty(struct gram_slice *s)
{
    mem_free(s->all); /* upto[] lies in the same block */
    mem_free(s->big);
    gram_trie_free(&s->rest);
    gram_trie_free(&s->odd);
    s->all = NULL;
    s->big = NULL;
    s->n_tokens = 0;
}

static void slice_free(struct gram_slice *s)
{
    if (!s) return;
    slice_empty(s);
    mem_free(s->r);
    mem_free(s);
}

/* The tokens of such characters. */
static int find_own(const struct infer_vocab *v, struct gram_slice *s)
{
    char text[GRAM_MAX_PIECE];
    size_t cap_big = 0;
    uint64_t ascii[2] = {0};
    for (unsigned b = 0; b < 0x80; b++) ascii[b / 64] |= (uint64_t)gram_chars_has(s->r, s->n_r, b) << b % 64;
    for (size_t i = 0; i < v->trie.n; i++) {
        int32_t id = v->trie.token[i];
        uint32_t chars = count_chars(gram_trie_read(&v->trie, i, text), s, ascii);
        if (chars == 0) continue;
        s->n_tokens++;
        if (chars > s->longest) s->longest = chars;
        gram_mask_add(s->all, id);
        for (uint32_t k = chars; k < GRAM_SLICE_EXACT; k++) gram_mask_add(s->upto[k], id);
        if (chars < GRAM_SLICE_EXACT) continue;
        if (gram_grow(&s->big, &cap_big, s->n_big + 1, sizeof *s->big)) return CROFT_E_NOMEM;
        s->big[s->n_big++] = (struct gram_long){id, chars};
    }
    if (s->n_big > 1) qsort(s->big, s->n_big, sizeof *s->big, longest_first);
    return 0;
}

static int find_others(const struct infer_vocab *v, struct gram_slice *s)
{
    struct gram_trie_maker rest = {.n_last = 0}, odd = {.n_last = 0};
    char text[GRAM_MAX_PIECE];
    int rc = 0;
    for (size_t i = 0; i < v->trie.n && !rc; i++) {
        int32_t id = v->trie.token[i];
        struct str p = gram_trie_read(&v->trie, i, text);
        if (!(s->all[id / 32] >> id % 32 & 1)) rc = gram_trie_add(p.n <= GRAM_SLICE_CLAMP ? &rest : &odd, id, p);
    }
    if (!rc) rc = gram_trie_done(&rest, &s->rest);
    if (!rc) rc = gram_trie_done(&odd, &s->odd);
    gram_trie_free(&rest.t);
    gram_trie_free(&odd.t);
    return rc;
}

static struct gram_slice *slice_new(const struct infer_vocab *v, const struct gram_range *r, size_t n)
{
    struct gram_slice *s = mem_calloc(1, sizeof *s);
    if (!s) return NULL;
    s->r = mem_alloc(n * sizeof *r);
    s->all = mem_calloc(GRAM_SLICE_EXACT * v->n_words, sizeof *s->all);
    s->n_r = n;
    if (!s->r || !s->all) {
        slice_free(s);
        return NULL;
    }
    memcpy(s->r, r, n * sizeof *r);
    for (int k = 1; k < GRAM_SLICE_EXACT; k++) s->upto[k] = s->all + (size_t)k * v->n_words;
    int rc = find_own(v, s);
    /* A walk goes on only where bytes may follow: without many tokens of its own a slice spares nothing. It stays as
     * the knowledge of that. */
    if (!rc && (s->n_tokens < FEW_TOKENS || s->n_tokens < v->n / FEW_OF))
        slice_empty(s);
    else if (!rc)
        rc = find_others(v, s);
    if (rc) {
        slice_free(s);
        return NULL;
    }
    return s;
}

const struct gram_slice *gram_slice_get(const struct infer_vocab *v, const struct gram_range *r, size_t n)
{
    struct gram_slices *all = v->slices;
    struct gram_slice *s = NULL;
    if (gram_chars_count(&(struct gram_chars){.r = (struct gram_range *)r, .n = n}) < FEW_CHARS) return NULL;
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n && !s; i++)
        if (all->of[i]->n_r == n && !memcmp(all->of[i]->r, r, n * sizeof *r)) s = all->of[i];
    if (!s && all->n < GRAM_MAX_SLICES && (s = slice_new(v, r, n))) all->of[all->n++] = s;
    pthread_mutex_unlock(&all->lock);
    return s && s->n_tokens ? s : NULL;
}

void gram_slices_free(struct gram_slices *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) slice_free(s->of[i]);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

void gram_slice_mask(const struct infer_vocab *v, const struct gram_slice *s, uint32_t hi, uint32_t *mask)
{
    if (hi == 0) {
        memset(mask, 0, v->n_words * sizeof *mask);
        return;
    }
    memcpy(mask, hi < GRAM_SLICE_EXACT ? s->upto[hi] : s->all, v->n_words * sizeof *mask);
    for (size_t i = 0; hi >= GRAM_SLICE_EXACT && i < s->n_big && s->big[i].chars > hi; i++)
        mask[s->big[i].token / 32] &= ~(1u << s->big[i].token % 32);
}
