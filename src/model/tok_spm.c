/* SentencePiece BPE ("llama"): no cutting by patterns; spaces become U+2581, characters merge by the score of the token
 * that they make, highest first, leftmost among equals. Characters without a token become <0xXX> byte tokens.
 * Where no token continues behind a word's end (t->words_apart), words are encoded one by one: the same result, in
 * less memory, and repeated words cost nothing.
 * Next: tok_wpm.c. */
#include "tok.h"

/* Floats in descending order as ascending integers. */
static uint32_t descending(float score)
{
    uint32_t b;
    score += 0.0f; /* -0 is 0 */
    memcpy(&b, &score, sizeof b);
    return ~(b >> 31 ? ~b : b | 0x80000000u);
}

static bool pair_score(const struct tok *t, const char *word, const struct tok_sym *a, const struct tok_sym *b,
                       uint32_t *out_priority, int32_t *out_id)
{
    if (a->len + b->len > t->max_piece_bytes) return false;
    int32_t id = tok_find(t, word + a->off, a->len + b->len);
    if (id < 0) return false;
    *out_priority = descending(t->score ? t->score[id] : 0);
    *out_id = id;
    return true;
}

/* Bytes of the character that starts with c, by its lead byte alone: bad bytes stay bytes. */
static size_t char_bytes(unsigned char c) { return c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4; }

static int encode_word(struct tok_work *w, const char *p, size_t n, struct err *e)
{
    const struct tok *t = w->t;
    w->n_sym = 0;
    for (size_t i = 0; i < n;) {
        size_t len = char_bytes((unsigned char)p[i]);
        if (len > n - i) len = n - i;
        if (w->n_sym == w->cap_sym && tok_work_grow(&w->sym, &w->cap_sym, w->n_sym + 1, sizeof *w->sym, e))
            return e->code;
        int32_t k = (int32_t)w->n_sym++;
        w->sym[k] = (struct tok_sym){tok_find(t, p + i, len), k - 1, k + 1, (uint32_t)i, (uint32_t)len};
        i += len;
    }
    w->sym[w->n_sym - 1].next = -1;
    if (tok_merge_all(w, p, pair_score, e)) return e->code;
    for (size_t i = 0; i < w->n_sym; i++) {
        const struct tok_sym *s = &w->sym[i];
        if (s->len == 0) continue;
        if (s->id >= 0 && tok_work_add(w, s->id, e)) return e->code;
        for (uint32_t k = 0; s->id < 0 && k < s->len; k++) {
            int32_t id = t->byte_id[(unsigned char)p[s->off + k]];
            if (id < 0) id = t->unk;
            if (id >= 0 && tok_work_add(w, id, e)) return e->code;
        }
    }
    return 0;
}

static bool is_mark(const char *p, size_t left) { return left >= 3 && !memcmp(p, TOK_SPACE, 3); }

/* Bytes of the first word: its marks and every character up to the next mark. */
static size_t word_bytes(const char *p, size_t n)
{
    size_t i = 0;
    while (is_mark(p + i, n - i)) i += 3;
    while (i < n && !is_mark(p + i, n - i)) i += char_bytes((unsigned char)p[i]);
    return i < n ? i : n;
}

static int encode_marked(struct tok_work *w, const char *text, size_t n, struct err *e)
{
    tok_seen_begin(w, n);
    for (size_t at = 0, len; at < n; at += len) {
        len = w->t->words_apart ? word_bytes(text + at, n - at) : n;
        size_t from = w->n_ids;
        int rc;
        if (!tok_seen_reuse(w, text, at, len, &rc, e)) {
            rc = encode_word(w, text + at, len, e);
            if (!rc) tok_seen_remember(w, text, at, len, from);
        }
        if (rc) return rc;
    }
    return 0;
}

int tok_spm_encode(struct tok_work *w, const char *text, size_t n, bool prefix, struct err *e)
{
    struct buf marked;
    buf_init(&marked, TOK_MAX_TEXT_BYTES);
    if (prefix && w->t->space_prefix) buf_str(&marked, TOK_SPACE);
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && text[run] != ' ') run++;
        buf_add(&marked, text + i, run - i);
        if (run < n) buf_str(&marked, TOK_SPACE);
        i = run + 1;
    }
    int rc = buf_check(&marked, "text", e);
    if (!rc) rc = encode_marked(w, marked.data, marked.len, e);
    buf_done(&marked);
    return rc;
}
