/* WordPiece ("bert"): normalise (base letters, no accents, lower case, no control characters), cut at white space,
 * around punctuation and around each Chinese character, then cover each word with the longest tokens from the left.
 * GGUF stores word starts with a leading U+2581 and continuations bare, so a word is looked up with U+2581 before it.
 * A word that cannot be covered is one [UNK]. Next: tok_ugm.c. */
#include "tok.h"

/* Ideographs that are words of their own: BERT's list of blocks. */
static bool is_ideograph(uint32_t cp)
{
    return (cp >= 0x3400 && cp <= 0x4DBF) || (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0xF900 && cp <= 0xFAFF)
           || (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B81F)
           || (cp >= 0x2B920 && cp <= 0x2CEAF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

/* The longest token that starts p, or -1. */
static int32_t longest(const struct tok *t, const char *p, size_t n, size_t *out_len)
{
    if (n > t->max_piece_bytes) n = t->max_piece_bytes;
    for (; n > 0; n--) {
        int32_t id = tok_find(t, p, n);
        if (id < 0) continue;
        *out_len = n;
        return id;
    }
    return -1;
}

/* w->word holds U+2581 and a word; encodes it and leaves U+2581. */
static int flush_word(struct tok_work *w, struct err *e)
{
    struct buf *word = &w->word;
    if (word->failed) return buf_check(word, "word", e);
    size_t from = w->n_ids, at = 0, len = 0;
    if (word->len <= 3) return 0;
    while (at < word->len) {
        int32_t id = longest(w->t, word->data + at, word->len - at, &len);
        if (id < 0) {
            w->n_ids = from;
            id = w->t->unk;
            len = word->len - at;
        }
        if (id >= 0 && tok_work_add(w, id, e)) return e->code;
        at += len;
    }
    buf_clear(word);
    buf_str(word, TOK_SPACE);
    return word->failed ? buf_check(word, "word", e) : 0;
}

int tok_wpm_encode(struct tok_work *w, const char *text, size_t n, struct err *e)
{
    const struct tok *t = w->t;
    buf_clear(&w->word);
    buf_str(&w->word, TOK_SPACE);
    for (const char *end = text + n; text < end;) {
        tok_char c;
        text += tok_uni_decode(text, end, &c);
        if (t->strip_accents) c = tok_uni_classify(tok_uni_base(TC_CP(c)));
        uint32_t cp = TC_CP(c);
        if (c & TC_SPACE) {
            if (flush_word(w, e)) return e->code;
            continue;
        }
        if (cp == 0 || cp == 0xFFFD || c & TC_C) continue;
        if (t->strip_accents && c & TC_M) continue;
        bool alone = c & TC_P || (cp < 0x7F && c & TC_S) || is_ideograph(cp);
        if (alone && flush_word(w, e)) return e->code;
        buf_utf8(&w->word, t->lowercase ? tok_uni_lower(cp) : cp);
        if (alone && flush_word(w, e)) return e->code;
    }
    return flush_word(w, e);
}
