/* The vocabulary as a trie of the tokens' bytes, in depth-first order so that a walk is one pass over an array:
 *
 *   tokens   "a" "ab" "b"     node 0: 'a' depth 1 token "a" skip 2 | 1: 'b' depth 2 token "ab" skip 2 | 2: 'b' depth
 * 1 …
 *
 * Control tokens, unused ones and those without bytes are not in it: they can never follow, except the
 * end-of-generation ones where a text may end. Read-only after infer_vocab_new but for the slices, which have a lock.
 * Next: gram_slice.c. */
#include "gram.h"

#include "base_mem.h"

static int pieces(struct infer_vocab *v, const struct tok *t, struct err *e)
{
    struct buf b;
    buf_init(&b, 256u << 20);
    int rc = 0;
    for (size_t i = 0; i < v->n && !rc; i++) {
        v->off[i] = (uint32_t)b.len;
        if (tok_is_end(t, (int32_t)i))
            v->end[v->n_end++] = (int32_t)i;
        else
            rc = tok_piece(t, (int32_t)i, false, &b);
        if (b.len - v->off[i] > GRAM_MAX_PIECE) b.len = v->off[i];
        if (b.len - v->off[i] > v->longest) v->longest = (uint32_t)(b.len - v->off[i]);
    }
    v->off[v->n] = (uint32_t)b.len;
    if (!rc) rc = buf_reserve(&b, 1);
    rc = buf_check(&b, "the vocabulary", e);
    if (!rc) v->bytes = buf_take(&b);
    buf_done(&b);
    return rc;
}

struct str gram_vocab_piece(const struct infer_vocab *v, int32_t id)
{
    return (struct str){v->bytes + v->off[id], v->off[id + 1] - v->off[id]};
}

static int compare(struct str x, struct str y)
{
    int d = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return d ? d : x.n < y.n ? -1 : x.n > y.n;
}

static int by_piece(const void *a, const void *b, void *vocab)
{
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    int d = compare(gram_vocab_piece(vocab, i), gram_vocab_piece(vocab, k));
    return d ? d : i < k ? -1 : i > k;
}

size_t gram_vocab_find(const struct infer_vocab *v, struct str text)
{
    size_t lo = 0, hi = v->n_sorted;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (compare(gram_vocab_piece(v, v->sorted[mid]), text) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Sorted ids, one of each text; the others hang on `same`. */
static void sort(struct infer_vocab *v)
{
    size_t n = 0, m = 0;
    for (size_t i = 0; i < v->n; i++) {
        v->same[i] = -1;
        if (gram_vocab_piece(v, (int32_t)i).n) v->sorted[n++] = (int32_t)i;
    }
    qsort_r(v->sorted, n, sizeof *v->sorted, by_piece, v);
    for (size_t i = 0; i < n; i++) {
        int32_t last = m ? v->sorted[m - 1] : -1;
        if (m && str_eq(gram_vocab_piece(v, last), gram_vocab_piece(v, v->sorted[i]))) {
            v->same[v->sorted[i]] = v->same[last];
            v->same[last] = v->sorted[i];
        } else {
            v->sorted[m++] = v->sorted[i];
        }
    }
    v->n_sorted = m;
}

static size_t shared(struct str x, struct str y)
{
    size_t n = 0;
    while (n < x.n && n < y.n && x.p[n] == y.p[n]) n++;
    return n;
}

int gram_trie_build(const struct infer_vocab *v, const int32_t *ids, size_t n, struct gram_trie *out)
{
    uint32_t open[GRAM_MAX_PIECE + 1]; /* the newest node of every depth */
    struct str last = {"", 0};
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        struct str p = gram_vocab_piece(v, ids[i]);
        total += p.n - shared(last, p);
        last = p;
    }
    struct gram_trie_node *node = mem_alloc((total + 1) * sizeof *node);
    if (!node) return CROFT_E_NOMEM;
    last = STR("");
    for (size_t i = 0; i <= n; i++) {
        struct str p = i < n ? gram_vocab_piece(v, ids[i]) : STR("");
        size_t keep = shared(last, p);
        for (size_t d = last.n; d > keep; d--) node[open[d]].skip = (uint32_t)at;
        for (size_t d = keep; d < p.n; d++) {
            open[d + 1] = (uint32_t)at;
            node[at++] = (struct gram_trie_node){.token = -1, .depth = (uint16_t)(d + 1), .byte = (uint8_t)p.p[d]};
        }
        if (i < n) node[at - 1].token = ids[i];
        last = p;
    }
    *out = (struct gram_trie){node, total};
    return 0;
}

int infer_vocab_new(const struct tok *t, struct infer_vocab **out, struct err *e)
{
    struct infer_vocab *v = mem_calloc(1, sizeof *v);
    if (!v) return err_nomem(e, sizeof *v);
    v->n = tok_n_vocab(t);
    v->n_words = (v->n + 31) / 32;
    v->space = tok_adds_space(t);
    v->off = mem_calloc(v->n + 1, sizeof *v->off);
    v->end = mem_calloc(v->n + 1, sizeof *v->end);
    v->same = mem_calloc(v->n + 1, sizeof *v->same);
    v->sorted = mem_calloc(v->n + 1, sizeof *v->sorted);
    v->slices = mem_calloc(1, sizeof *v->slices);
    int rc = v->off && v->end && v->same && v->sorted && v->slices ? 0 : err_nomem(e, v->n * sizeof *v->off);
    if (v->slices) pthread_mutex_init(&v->slices->lock, NULL);
    if (!rc) rc = pieces(v, t, e);
    if (!rc) {
        sort(v);
        if (gram_trie_build(v, v->sorted, v->n_sorted, &v->trie)) rc = err_nomem(e, v->n * sizeof *v->trie.node);
    }
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
    mem_free(v->off);
    mem_free(v->bytes);
    mem_free(v->end);
    mem_free(v->same);
    mem_free(v->sorted);
    mem_free(v->trie.node);
    mem_free(v);
}
