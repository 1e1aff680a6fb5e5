/* Forced spans: text that the grammar leaves no choice about, as tokens. It must be cut into the tokens that the
 * model was trained to see, or what follows is out of its depth. Two things about the cut depend on more than the span:
 *
 *   … "day": null|, "fulfilment": "|d
 *                ^ seam             ^ end
 *
 * What was written before it is tokenised with it, and the cut at the seam must be one that the tokeniser makes too;
 * where it is not (the sampler chose an unusual token) nothing is given.
 * What comes behind is not known. Let p be the end. In the tokens of any whole text, one begins at p, or one begins at
 * some q < p and reaches beyond p. Merging never looks across a cut that it leaves, so in front of q the tokens are
 * those of the text up to q alone. Hence what all continuations have in common is what the tokenisations of the text
 * up to each such q, and up to p, begin with: those tokens are given and the model is asked for the others. A q counts
 * if the vocabulary has a token that begins with the span from q on and goes on with a byte that may follow.
 *
 * Owns nothing. Threads as infer_match. Next: sequence.c. */
#include "gram.h"

#include "base_mem.h"

enum { BEFORE_BYTES = 64, SPAN_BYTES = 128, SPAN_MIN = 4 };

struct span {
    const struct tok *t;
    char text[1 + BEFORE_BYTES + SPAN_BYTES]; /* a line feed, which hardly joins what follows; before; the span */
    size_t seam, n;                           /* begin and end of the span */
};

struct cuts {
    int32_t id[SPAN_BYTES];
    uint16_t end[SPAN_BYTES]; /* in bytes from the seam */
    size_t n;
};

/* The tokens behind the seam in the tokenisation of text[0, n); none if there is no cut. */
static int cut(const struct span *s, size_t n, struct cuts *out, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0, at = 0, mark = 0; /* mark: the space that SentencePiece puts before a text */
    struct buf b;
    out->n = 0;
    int rc = tok_encode(s->t, s->text, n, 0, sizeof s->text, &ids, &n_ids, e);
    if (rc) return rc;
    buf_init(&b, 2 * sizeof s->text + GRAM_MAX_PIECE);
    for (size_t i = 0; i < n_ids && !b.failed; i++) {
        size_t from = at;
        tok_piece(s->t, ids[i], false, &b);
        if (i == 0) mark = b.len && b.data[0] == ' ';
        at = b.len - mark;
        if (at > n || memcmp(b.data + mark, s->text, at)) break; /* the tokeniser changed the text */
        if (from < s->seam || at == from) continue;
        if (from > s->seam && out->n == 0) break; /* no cut at the seam */
        out->id[out->n] = ids[i];
        out->end[out->n++] = (uint16_t)(at - s->seam);
    }
    rc = b.failed ? buf_check(&b, "the span", e) : 0;
    if (at != n) out->n = 0;
    buf_done(&b);
    mem_free(ids);
    return rc;
}

static size_t in_common(const struct cuts *x, const struct cuts *y)
{
    size_t n = 0;
    while (n < x->n && n < y->n && x->id[n] == y->id[n]) n++;
    return n;
}

/* How many of the span's tokens every continuation keeps. */
static int settled(const struct span *s, const struct infer_vocab *v, const uint64_t follow[4], struct cuts *c,
                   struct err *e)
{
    size_t i = 0, kept = c->n;
    for (size_t q = 0; q < s->n - s->seam && kept; q++) {
        while (i < c->n && c->end[i] <= q) i++; /* tokens that end at q or before */
        if (s->n - s->seam - q >= v->longest) continue;
        if (!gram_trie_goes_on(&v->trie, (struct str){s->text + s->seam + q, s->n - s->seam - q}, follow)) continue;
        struct cuts other = {.n = 0};
        if (q == 0 || (i && c->end[i - 1] == q)) {
            if (i < kept) kept = i;
            continue;
        }
        if (cut(s, s->seam + q, &other, e)) return e->code;
        size_t same = in_common(c, &other);
        if (same < kept) kept = same;
    }
    c->n = kept;
    return 0;
}

int infer_match_forced_tokens(struct infer_match *m, const struct tok *t, const char *before, size_t n_before,
                              size_t max, int32_t *out, size_t *out_n, struct err *e)
{
    uint64_t follow[4];
    char bytes[SPAN_BYTES];
    struct span s = {.t = t, .text = "\n"};
    struct cuts c;
    *out_n = 0;
    size_t n = gram_forced(m, bytes, sizeof bytes, follow);
    for (; n && ((unsigned char)bytes[n - 1] & 0x80); n--) { /* whole characters */
        memset(follow, 0, sizeof follow);
        follow[(unsigned char)bytes[n - 1] / 64] = 1ull << (unsigned char)bytes[n - 1] % 64;
    }
    if (n < SPAN_MIN) return 0;
    size_t skip = n_before > BEFORE_BYTES ? n_before - BEFORE_BYTES : 0;
    while (skip < n_before && ((unsigned char)before[skip] & 0xC0) == 0x80) skip++;
    memcpy(s.text + 1, before + skip, n_before - skip);
    s.seam = 1 + n_before - skip;
    memcpy(s.text + s.seam, bytes, n);
    s.n = s.seam + n;
    if (cut(&s, s.n, &c, e) || settled(&s, m->g->v, follow, &c, e)) return e->code;
    *out_n = c.n < max ? c.n : max;
    memcpy(out, c.id, *out_n * sizeof *out);
    return 0;
}
