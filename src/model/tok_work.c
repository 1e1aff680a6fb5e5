/* One call of tok_encode: its output, its scratch memory, and the merging that BPE and SentencePiece share.
 *
 * Merging keeps the parts of a word as a chain and the possible merges of neighbours in a heap, best first (priority,
 * then leftmost). A merge that was overtaken by another is recognised when it surfaces: the lengths of its two parts
 * no longer add up. So n characters cost O(n log n).
 *
 *   parts   h e l l o      heap   (l,l) rank 3   (h,e) rank 9      after (l,l):   h e ll o   + (e,ll) (ll,o)
 *
 * Owns: struct tok_work. One thread each. Next: tok_bpe.c, tok_spm.c. */
#include "tok.h"

#include "base_mem.h"

void tok_work_init(struct tok_work *w, const struct tok *t, size_t max_ids)
{
    *w = (struct tok_work){.t = t, .max_ids = max_ids};
    buf_init(&w->word, TOK_MAX_TEXT_BYTES);
}

void tok_work_done(struct tok_work *w)
{
    mem_free(w->ids);
    mem_free(w->sym);
    mem_free(w->heap);
    mem_free(w->seen);
    mem_free(w->chars);
    mem_free(w->cuts.lens);
    mem_free(w->cuts.spare);
    tok_re_state_done(&w->re);
    buf_done(&w->word);
}

int tok_work_grow(void *array, size_t *cap, size_t n, size_t size, struct err *e)
{
    if (n <= *cap) return 0;
    size_t want = *cap ? *cap * 2 : 64;
    if (want < n) want = n;
    void *old, *p;
    memcpy(&old, array, sizeof old); /* array is a pointer to some T* */
    p = mem_realloc(old, want * size);
    if (!p) return err_nomem(e, want * size);
    memcpy(array, &p, sizeof p);
    *cap = want;
    return 0;
}

int tok_work_add(struct tok_work *w, int32_t id, struct err *e)
{
    if (w->n_ids == w->max_ids)
        return ERR(e, LIMIT, "The text is more than %zu tokens long. Shorten it or raise the limit.", w->max_ids);
    if (w->n_ids == w->cap_ids && tok_work_grow(&w->ids, &w->cap_ids, w->n_ids + 1, sizeof *w->ids, e)) return e->code;
    w->ids[w->n_ids++] = id;
    return 0;
}

int tok_work_chars(struct tok_work *w, const char *p, size_t n, size_t *out_n, struct err *e)
{
    size_t k = 0;
    if (tok_work_grow(&w->chars, &w->cap_chars, n, sizeof *w->chars, e)) return e->code;
    for (const char *end = p + n; p < end; k++) p += tok_uni_decode(p, end, &w->chars[k]);
    *out_n = k;
    return 0;
}

/* ---- words seen before in this text ---- */

enum { SEEN_MIN_TEXT = 2048, SEEN_MAX_WORD = 64 };

void tok_seen_begin(struct tok_work *w, size_t text_bytes)
{
    if (text_bytes < SEEN_MIN_TEXT) {
        mem_free(w->seen);
        w->seen = NULL;
    } else if (w->seen) {
        memset(w->seen, 0, TOK_SEEN_SLOTS * sizeof *w->seen);
    } else {
        w->seen = mem_calloc(TOK_SEEN_SLOTS, sizeof *w->seen); /* without it, things are slower, not wrong */
    }
}

static uint32_t word_hash(const char *p, size_t n) { uint64_t h = str_hash(p, n); return (uint32_t)(h ^ h >> 32); }

bool tok_seen_reuse(struct tok_work *w, const char *text, size_t off, size_t len, int *rc, struct err *e)
{
    *rc = 0;
    if (!w->seen || len > SEEN_MAX_WORD) return false;
    uint32_t h = word_hash(text + off, len);
    const struct tok_seen *s = &w->seen[h % TOK_SEEN_SLOTS];
    if (s->len != len || s->hash != h || memcmp(text + s->off, text + off, len)) return false;
    for (uint32_t i = 0; i < s->n && !*rc; i++) *rc = tok_work_add(w, w->ids[s->at + i], e);
    return true;
}

void tok_seen_remember(struct tok_work *w, const char *text, size_t off, size_t len, size_t at)
{
    if (!w->seen || len > SEEN_MAX_WORD) return;
    uint32_t h = word_hash(text + off, len);
    w->seen[h % TOK_SEEN_SLOTS] =
        (struct tok_seen){h, (uint32_t)off, (uint32_t)len, (uint32_t)at, (uint32_t)(w->n_ids - at)};
}

/* ---- merging ---- */

static int heap_push(struct tok_work *w, struct tok_cand c, struct err *e)
{
    if (w->n_heap == w->cap_heap && tok_work_grow(&w->heap, &w->cap_heap, w->n_heap + 1, sizeof c, e)) return e->code;
    size_t i = w->n_heap++;
    for (; i > 0 && c.key < w->heap[(i - 1) / 2].key; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = c;
    return 0;
}

static struct tok_cand heap_pop(struct tok_work *w)
{
    struct tok_cand top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0, n = w->n_heap;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= n) break;
        if (k + 1 < n && w->heap[k + 1].key < w->heap[k].key) k++;
        if (last.key <= w->heap[k].key) break;
        w->heap[i] = w->heap[k];
        i = k;
    }
    if (n) w->heap[i] = last;
    return top;
}

static int offer(struct tok_work *w, const char *word, int32_t left, tok_pair_fn *pair, struct err *e)
{
    if (left < 0 || w->sym[left].next < 0) return 0;
    const struct tok_sym *a = &w->sym[left], *b = &w->sym[a->next];
    uint32_t priority;
    int32_t id;
    if (!pair(w->t, word, a, b, &priority, &id)) return 0;
    return heap_push(w, (struct tok_cand){(uint64_t)priority << 32 | (uint32_t)left, a->len + b->len, id}, e);
}

int tok_merge_all(struct tok_work *w, const char *word, tok_pair_fn *pair, struct err *e)
{
    w->n_heap = 0;
    for (size_t i = 0; i + 1 < w->n_sym; i++)
        if (offer(w, word, (int32_t)i, pair, e)) return e->code;
    while (w->n_heap) {
        struct tok_cand c = heap_pop(w);
        int32_t left = (int32_t)(uint32_t)c.key;
        struct tok_sym *a = &w->sym[left];
        if (a->len == 0 || a->next < 0 || a->len + w->sym[a->next].len != c.len) continue; /* overtaken */
        struct tok_sym *b = &w->sym[a->next];
        a->len = c.len;
        a->id = c.id;
        a->next = b->next;
        b->len = 0;
        if (a->next >= 0) w->sym[a->next].prev = left;
        if (offer(w, word, a->prev, pair, e) || offer(w, word, left, pair, e)) return e->code;
    }
    return 0;
}
