/* The vocabulary of a tokenizer for constrained decoding: the bytes of all tokens in a trie (gram.h), those that end an
 * answer, the slices. Control tokens, unused ones and those without bytes are not in it: they can never follow, except
 * the end-of-generation ones where a text may end. The tokenizer is borrowed, for the bytes of single tokens.
 * Read-only after infer_vocab_new but for the slices, which have a lock. Next: gram_slice.c. */
#include "gram.h"

#include "base_mem.h"

/* All pieces one after another while they are sorted. */
struct pieces {
    uint32_t *off; /* [n + 1] into b */
    int32_t *sorted;
    size_t n_sorted;
    struct buf b;
};

static struct str piece(const struct pieces *p, int32_t id)
{
    return (struct str){p->b.data + p->off[id], p->off[id + 1] - p->off[id]};
}

static int by_piece(const void *a, const void *b, void *pieces)
{
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    struct str x = piece(pieces, i), y = piece(pieces, k);
    int d = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    if (!d && x.n != y.n) d = x.n < y.n ? -1 : 1;
    return d ? d : i < k ? -1 : i > k;
}

static int read_pieces(struct infer_vocab *v, struct pieces *p, struct err *e)
{
    size_t all = 1;
    for (size_t i = 0; i < v->n; i++) all += tok_text(v->tok, (int32_t)i).n; /* pieces are no longer */
    int rc = buf_reserve(&p->b, all);
    for (size_t i = 0; i < v->n && !rc; i++) {
        p->off[i] = (uint32_t)p->b.len;
        if (tok_is_end(v->tok, (int32_t)i))
            v->n_end++;
        else
            rc = tok_piece(v->tok, (int32_t)i, false, &p->b);
        size_t n = p->b.len - p->off[i];
        if (n > GRAM_MAX_PIECE) p->b.len -= n;
        if (n == 0 || n > GRAM_MAX_PIECE) continue;
        p->sorted[p->n_sorted++] = (int32_t)i;
        if (n > v->longest) v->longest = (uint32_t)n;
    }
    p->off[v->n] = (uint32_t)p->b.len;
    return buf_check(&p->b, "the vocabulary", e);
}

static int make_trie(struct infer_vocab *v, struct err *e)
{
    struct gram_trie_maker m = {.n_last = 0};
    struct pieces p = {.off = mem_alloc((v->n + 1) * sizeof *p.off),
                       .sorted = mem_alloc((v->n + 1) * sizeof *p.sorted)};
    buf_init(&p.b, 256u << 20);
    int rc = p.off && p.sorted ? read_pieces(v, &p, e) : err_nomem(e, v->n * sizeof *p.off);
    if (!rc) qsort_r(p.sorted, p.n_sorted, sizeof *p.sorted, by_piece, &p);
    for (size_t i = 0; i < p.n_sorted && !rc; i++)
        if (gram_trie_add(&m, p.sorted[i], piece(&p, p.sorted[i]))) rc = err_nomem(e, v->n * sizeof *p.off);
    mem_free(p.off);
    mem_free(p.sorted);
    buf_done(&p.b);
    if (!rc && gram_trie_done(&m, &v->trie)) rc = err_nomem(e, v->n * sizeof *p.off);
    gram_trie_free(&m.t);
    return rc;
}

static int find_ends(struct infer_vocab *v, struct err *e)
{
    size_t n = 0;
    v->end = mem_alloc((v->n_end + 1) * sizeof *v->end);
    if (!v->end) return err_nomem(e, v->n_end * sizeof *v->end);
    for (size_t i = 0; i < v->n; i++)
        if (tok_is_end(v->tok, (int32_t)i)) v->end[n++] = (int32_t)i;
    return 0;
}

int infer_vocab_new(const struct tok *t, struct infer_vocab **out, struct err *e)
{
    struct infer_vocab *v = mem_calloc(1, sizeof *v);
    if (!v) return err_nomem(e, sizeof *v);
    v->tok = t;
    v->n = tok_n_vocab(t);
    v->n_words = (v->n + 31) / 32;
    v->space = tok_adds_space(t);
    v->slices = mem_calloc(1, sizeof *v->slices);
    int rc = v->slices ? 0 : err_nomem(e, sizeof *v->slices);
    if (v->slices) pthread_mutex_init(&v->slices->lock, NULL);
    if (!rc) rc = make_trie(v, e);
    if (!rc) rc = find_ends(v, e);
    if (rc)
        infer_vocab_free(v);
    else
        *out = v;
    return rc;
}

void infer_vocab_free(struct infer_vocab *v)
{
    if (!v) return;
    gram_slices_free(v->slices);
    gram_trie_free(&v->trie);
    mem_free(v->end);
    mem_free(v);
}
