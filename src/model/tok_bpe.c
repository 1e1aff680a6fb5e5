/* Byte-level BPE ("gpt2"): cut the text (tok_pre.c), then in each piece merge the pair of lowest rank, leftmost first,
 * until no pair has a rank. Tokens are stored in a printable alphabet, one letter for each byte:
 *
 *   bytes 21..7E, A1..AC, AE..FF   the character of that code point         "a" is a
 *   the other 68, in order         U+0100, U+0101, …                        space (0x20) is U+0120 "Ġ", \n is U+010A
 *
 * Families with TP_RAW store plain UTF-8 instead and fall back to <0xXX> tokens for characters they lack.
 * A merge is a slot of a hash table keyed by the two token ids; merges that name strings outside the vocabulary can
 * never apply and are left out. Bytes without a token are dropped, as no id stands for them.
 * Read-only after loading. Next: tok_spm.c. */
#include "tok.h"

#include "base_mem.h"

static bool printable(unsigned b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD); }

uint32_t tok_byte_letter(unsigned char b)
{
    if (printable(b)) return b;
    if (b < 0x21) return 0x100u + b;
    return b == 0xAD ? 0x143 : 0x121u + (b - 0x7Fu);
}

int tok_letter_byte(uint32_t cp)
{
    if (cp < 0x100) return printable(cp) ? (int)cp : -1;
    if (cp <= 0x120) return (int)(cp - 0x100);
    if (cp <= 0x142) return (int)(cp - 0x121 + 0x7F);
    return cp == 0x143 ? 0xAD : -1;
}

/* ---- loading ---- */

static uint32_t merge_hash(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

static struct tok_merge *merge_slot(const struct tok *t, int32_t left, int32_t right)
{
    uint32_t i = merge_hash(left, right) & t->merge_mask;
    while (t->merge[i].left >= 0 && (t->merge[i].left != left || t->merge[i].right != right))
        i = (i + 1) & t->merge_mask;
    return &t->merge[i];
}

/* "left right" with the rank it has by its place in the list. Returns true if all three strings are tokens. */
static bool add_merge(struct tok *t, struct str m, uint32_t rank, char *joined)
{
    if (m.n < 3 || m.n > t->max_piece_bytes + 1) return false;
    const char *space = memchr(m.p + 1, ' ', m.n - 1); /* the left part may itself be a space */
    if (!space) return false;
    size_t n_left = (size_t)(space - m.p);
    memcpy(joined, m.p, n_left);
    memcpy(joined + n_left, space + 1, m.n - n_left - 1);
    int32_t left = tok_find(t, joined, n_left), right = tok_find(t, joined + n_left, m.n - n_left - 1);
    int32_t result = tok_find(t, joined, m.n - 1);
    if (left < 0 || right < 0 || result < 0) return false;
    struct tok_merge *s = merge_slot(t, left, right);
    if (s->left < 0) *s = (struct tok_merge){left, right, result, rank}; /* listed twice: the first counts */
    return true;
}

static int load_merges(struct tok *t, const struct gguf *g, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, "tokenizer.ggml.merges");
    if (!kv && !strcmp(t->pre->name, "kimi-k2")) return 0; /* some of its files carry none */
    if (!kv || kv->type != GGUF_ARRAY || kv->elem != GGUF_STRING)
        return ERR(e, FORMAT, "The file's BPE tokenizer has no list tokenizer.ggml.merges. Convert the model again.");
    if (kv->n > TOK_MAX_MERGES)
        return ERR(e, LIMIT, "The tokenizer lists %llu merges; at most %d are supported.", (unsigned long long)kv->n,
                   TOK_MAX_MERGES);
    uint32_t slots = 16;
    while (slots < kv->n * 2) slots *= 2;
    t->merge = mem_alloc(slots * sizeof *t->merge);
    char *joined = mem_alloc(t->max_piece_bytes + 2);
    if (!t->merge || !joined) {
        mem_free(joined);
        return err_nomem(e, slots * sizeof *t->merge);
    }
    t->merge_mask = slots - 1;
    memset(t->merge, 0xFF, slots * sizeof *t->merge);
    uint64_t known = 0;
    const unsigned char *cursor = NULL;
    for (uint64_t i = 0; i < kv->n; i++) known += add_merge(t, gguf_kv_next_str(kv, &cursor), (uint32_t)i, joined);
    mem_free(joined);
    if (kv->n && !known)
        return ERR(e, FORMAT, "None of the %llu merges of the tokenizer joins two of its tokens. Convert the model "
                   "again.", (unsigned long long)kv->n);
    return 0;
}

int tok_bpe_load(struct tok *t, const struct gguf *g, struct err *e)
{
    if (!t->pre->stages[0]) return ERR(e, INTERNAL, "The pre-tokenizer %s has no patterns.", t->pre->name);
    for (unsigned i = 0; t->pre->stages[i]; i++)
        if (t->pre->stages[i][0] != '#' && tok_re_new(t->pre->stages[i], &t->stage[i], e)) return e->code;
    for (unsigned b = 0; b < 256; b++) {
        char s[8];
        size_t n = t->pre->flags & TP_RAW ? (size_t)snprintf(s, sizeof s, "<0x%02X>", b)
                                          : utf8_encode(tok_byte_letter((unsigned char)b), s);
        t->byte_id[b] = tok_find(t, s, n);
    }
    return load_merges(t, g, e);
}

/* ---- encoding ---- */

static bool pair_rank(const struct tok *t, const char *word, const struct tok_sym *a, const struct tok_sym *b,
                      uint32_t *out_priority, int32_t *out_id)
{
    if (a->id < 0 || b->id < 0 || !t->merge) return false;
    const struct tok_merge *m = merge_slot(t, a->id, b->id);
    if (m->left < 0) return false;
    *out_priority = m->rank;
    *out_id = m->result;
    return true;
}

static int add_sym(struct tok_work *w, int32_t id, size_t off, size_t len, struct err *e)
{
    if (w->n_sym == w->cap_sym && tok_work_grow(&w->sym, &w->cap_sym, w->n_sym + 1, sizeof *w->sym, e)) return e->code;
    int32_t i = (int32_t)w->n_sym++;
    w->sym[i] = (struct tok_sym){id, i - 1, i + 1, (uint32_t)off, (uint32_t)len};
    return 0;
}

/* The token that is the whole piece, or -1. */
static int32_t whole_piece(struct tok_work *w, const char *p, size_t n)
{
    if (n > w->t->max_piece_bytes) return -1;
    if (w->t->pre->flags & TP_RAW) return tok_find(w->t, p, n);
    char s[4];
    buf_clear(&w->word);
    for (size_t i = 0; i < n; i++) buf_add(&w->word, s, utf8_encode(tok_byte_letter((unsigned char)p[i]), s));
    return w->word.failed ? -1 : tok_find(w->t, w->word.data, w->word.len);
}

static int encode_piece(struct tok_work *w, const char *p, size_t n, struct err *e)
{
    const struct tok *t = w->t;
    bool raw = t->pre->flags & TP_RAW;
    bool lines = t->pre->flags & TP_NEWLINES && p[0] == '\n';
    if (t->pre->flags & TP_IGNORE_MERGES || lines) {
        int32_t id = whole_piece(w, p, n);
        if (w->word.failed) return buf_check(&w->word, "piece of text", e);
        if (id >= 0) return tok_work_add(w, id, e);
    }
    w->n_sym = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = raw ? utf8_decode(p + i, p + n, &cp) : 1;
        int32_t id = raw ? tok_find(t, p + i, len) : t->byte_id[(unsigned char)p[i]];
        if (add_sym(w, id, i, len, e)) return e->code;
        i += len;
    }
    if (w->n_sym) w->sym[w->n_sym - 1].next = -1;
    if (tok_merge_all(w, p, pair_rank, e)) return e->code;
    for (size_t i = 0; i < w->n_sym; i++) {
        const struct tok_sym *s = &w->sym[i];
        if (s->len == 0) continue;
        if (s->id >= 0 && tok_work_add(w, s->id, e)) return e->code;
        for (uint32_t k = 0; raw && s->id < 0 && k < s->len; k++) { /* a character without a token: its bytes */
            int32_t id = t->byte_id[(unsigned char)p[s->off + k]];
            if (id >= 0 && tok_work_add(w, id, e)) return e->code;
        }
    }
    return 0;
}

/* Text as the model sees it: bad bytes become U+FFFD, spaces U+2581 or white space goes, as the family does. */
static int clean_text(struct tok_work *w, const char *text, size_t n, struct buf *out, struct err *e)
{
    unsigned flags = w->t->pre->flags;
    for (const char *end = text + n; text < end;) {
        tok_char c;
        size_t used = tok_uni_decode(text, end, &c);
        if (flags & TP_ESCAPE && *text == ' ') buf_str(out, TOK_SPACE);
        else if (c & TC_BAD) buf_utf8(out, 0xFFFD);
        else if (flags & TP_WORDS && w->t->lowercase) buf_utf8(out, tok_uni_lower(TC_CP(c)));
        else buf_add(out, text, used);
        text += used;
    }
    return buf_check(out, "text", e);
}

static int encode_clean(struct tok_work *w, const char *text, size_t n, struct err *e)
{
    size_t n_chars, at = 0;
    if (tok_work_chars(w, text, n, &n_chars, e)) return e->code;
    if (tok_pre_cut(w->t, w->chars, n_chars, &w->re, &w->cuts, e)) return e->code;
    tok_seen_begin(w, n);
    size_t pos = 0;
    for (size_t i = 0; i < w->cuts.n; i++) {
        size_t len = 0;
        tok_char first = w->chars[pos];
        for (uint32_t k = 0; k < w->cuts.lens[i]; k++) {
            uint32_t cp = TC_CP(w->chars[pos + k]);
            len += cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
        }
        size_t from = w->n_ids;
        int rc = 0;
        bool skip = w->t->pre->flags & TP_WORDS && first & TC_SPACE;
        if (!skip && !tok_seen_reuse(w, text, at, len, &rc, e)) {
            rc = encode_piece(w, text + at, len, e);
            if (!rc) tok_seen_remember(w, text, at, len, from);
        }
        if (rc) return rc;
        pos += w->cuts.lens[i];
        at += len;
    }
    return 0;
}

int tok_bpe_encode(struct tok_work *w, const char *text, size_t n, struct err *e)
{
    if (n == 0) return 0;
    if (!(w->t->pre->flags & (TP_ESCAPE | TP_WORDS)) && utf8_valid(text, n)) return encode_clean(w, text, n, e);
    struct buf clean;
    buf_init(&clean, TOK_MAX_TEXT_BYTES);
    int rc = clean_text(w, text, n, &clean, e);
    if (!rc) rc = encode_clean(w, clean.data, clean.len, e);
    buf_done(&clean);
    return rc;
}
