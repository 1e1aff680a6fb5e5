/* Tokenizers: the public calls (model_tok.h). Encoding first finds the special tokens in the text, then gives what
 * lies between them to the model's own encoder; decoding turns ids into bytes and lets only whole characters out.
 *
 * Special tokens: longest first, and a shorter one may not touch what a longer one took. Control and unknown tokens
 * count only when asked for (TOK_PARSE_SPECIAL), user-defined ones always.
 *
 *   text     Hi<|im_end|> there        pass 1: positions whose next two bytes can start a special token
 *   taken    ..XXXXXXXXXX......        pass 2: for each length, longest first: look the positions up, take the bytes
 *
 * Threads: struct tok is read-only; each call has its own struct tok_work. Next: tok_bpe.c. */
#include "tok.h"

#include "base_mem.h"

/* ---- vocabulary ---- */

struct str tok_key(const struct tok *t, int32_t id)
{
    return (struct str){t->text + t->off[id], t->off[id + 1] - t->off[id]};
}

static bool in_range(const struct tok *t, int32_t id) { return id >= 0 && (uint32_t)id < t->n_vocab; }

struct str tok_text(const struct tok *t, int32_t id)
{
    return in_range(t, id) ? tok_key(t, id) : (struct str){"", 0};
}

int32_t tok_find_hashed(const struct tok *t, uint64_t hash, const char *p, size_t n)
{
    for (uint32_t i = (uint32_t)hash & t->slot_mask;; i = (i + 1) & t->slot_mask) {
        int32_t id = t->slot[i];
        if (id < 0) return -1;
        if (t->off[id + 1] - t->off[id] == n && !memcmp(t->text + t->off[id], p, n)) return id;
    }
}

int32_t tok_find(const struct tok *t, const char *text, size_t n)
{
    return n == 0 || n > t->max_piece_bytes ? -1 : tok_find_hashed(t, str_hash(text, n), text, n);
}

enum tok_attr tok_attr_of(const struct tok *t, int32_t id)
{
    unsigned a = in_range(t, id) ? t->attr[id] : TA_UNUSED;
    return a & TA_CONTROL ? TOK_CONTROL : a & TA_UNKNOWN ? TOK_UNKNOWN : a & TA_USER ? TOK_USER_DEFINED
           : a & TA_UNUSED ? TOK_UNUSED : a & TA_BYTE ? TOK_BYTE : TOK_NORMAL;
}

size_t tok_n_vocab(const struct tok *t) { return t->n_vocab; }
int32_t tok_bos(const struct tok *t) { return t->bos; }
int32_t tok_eos(const struct tok *t) { return t->eos; }
int32_t tok_unk(const struct tok *t) { return t->unk; }
bool tok_adds_bos(const struct tok *t) { return t->add_bos && t->bos >= 0; }
const char *tok_model_name(const struct tok *t) { return t->model_name; }
const char *tok_pre_name(const struct tok *t) { return t->pre_name; }

/* What stands at the end of a sequence: WordPiece has a separator there. */
static int32_t closing(const struct tok *t)
{
    if (t->model == TOK_BERT && t->add_sep) return t->sep;
    return t->add_eos ? t->eos : -1;
}

bool tok_adds_eos(const struct tok *t) { return closing(t) >= 0; }
bool tok_adds_space(const struct tok *t) { return t->space_prefix || t->model == TOK_BERT; }

bool tok_is_end(const struct tok *t, int32_t id)
{
    for (unsigned i = 0; i < t->n_end; i++)
        if (t->end[i] == id) return true;
    return false;
}

/* ---- special tokens in a text ---- */

struct claim { /* text[pos..end) is token id, or white space that its neighbour swallowed (id -1) */
    uint32_t pos, end;
    int32_t id;
};

struct claims {
    struct claim *list;
    size_t n, cap;
    unsigned char *taken; /* [text bytes] */
    uint32_t *at;         /* positions where a special token can start */
    size_t n_at, cap_at;
    const uint32_t *plain; /* [n_plain] positions where no control token starts, ascending; borrowed */
    size_t n_plain;
};

static void claims_done(struct claims *c)
{
    mem_free(c->list);
    mem_free(c->taken);
    mem_free(c->at);
}

static int claim(struct claims *c, size_t pos, size_t end, int32_t id, struct err *e)
{
    if (pos == end) return 0;
    if (tok_work_grow(&c->list, &c->cap, c->n + 1, sizeof *c->list, e)) return e->code;
    c->list[c->n++] = (struct claim){(uint32_t)pos, (uint32_t)end, id};
    memset(c->taken + pos, 1, end - pos);
    return 0;
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int claim_token(const struct tok *t, const char *text, size_t n, struct claims *c, size_t pos, size_t len,
                       int32_t id, struct err *e)
{
    size_t from = pos, end = pos + len;
    if (t->attr[id] & TA_LSTRIP)
        while (from > 0 && !c->taken[from - 1] && is_blank(text[from - 1])) from--;
    if (t->attr[id] & TA_RSTRIP)
        while (end < n && !c->taken[end] && is_blank(text[end])) end++;
    if (claim(c, from, pos, -1, e) || claim(c, pos, pos + len, id, e)) return e->code;
    return claim(c, pos + len, end, -1, e);
}

static int by_position(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    return x->pos < y->pos ? -1 : x->pos > y->pos;
}

static bool is_plain(const struct claims *c, uint32_t pos)
{
    size_t lo = 0, hi = c->n_plain;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->plain[mid] < pos) lo = mid + 1;
        else hi = mid;
    }
    return lo < c->n_plain && c->plain[lo] == pos;
}

static bool may_start(const struct tok *t, bool parse, const char *text, size_t n, size_t i)
{
    unsigned pair = (unsigned char)text[i] * 256u + (i + 1 < n ? (unsigned char)text[i + 1] : 0);
    return t->pair_set[parse][pair / 64] >> pair % 64 & 1;
}

size_t tok_control_at(const struct tok *t, const char *text, size_t n, size_t at)
{
    if (!may_start(t, true, text, n, at)) return 0;
    for (uint32_t k = 0; k < t->n_special;) { /* longest first */
        size_t len = tok_key(t, t->special[k]).n;
        while (k < t->n_special && tok_key(t, t->special[k]).n == len) k++;
        int32_t id = len <= n - at ? tok_find(t, text + at, len) : -1;
        if (id >= 0 && t->attr[id] & TA_HIDDEN) return len;
    }
    return 0;
}

static int find_special(const struct tok *t, const char *text, size_t n, bool parse, struct claims *c, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!may_start(t, parse, text, n, i)) continue;
        if (tok_work_grow(&c->at, &c->cap_at, c->n_at + 1, sizeof *c->at, e)) return e->code;
        c->at[c->n_at++] = (uint32_t)i;
    }
    if (c->n_at == 0) return 0;
    c->taken = mem_calloc(n, 1);
    if (!c->taken) return err_nomem(e, n);
    for (uint32_t k = 0; k < t->n_special;) {
        size_t len = tok_key(t, t->special[k]).n;
        while (k < t->n_special && tok_key(t, t->special[k]).n == len) k++;
        for (size_t i = 0; i < c->n_at; i++) {
            size_t pos = c->at[i];
            if (pos + len > n || c->taken[pos]) continue;
            int32_t id = tok_find(t, text + pos, len);
            if (id < 0 || !(t->attr[id] & TA_SPECIAL) || (!parse && t->attr[id] & TA_HIDDEN)) continue;
            if (t->attr[id] & TA_HIDDEN && is_plain(c, (uint32_t)pos)) continue;
            if (memchr(c->taken + pos, 1, len)) continue;
            if (claim_token(t, text, n, c, pos, len, id, e)) return e->code;
        }
    }
    if (c->n > 1) qsort(c->list, c->n, sizeof *c->list, by_position);
    return 0;
}

/* ---- encoding ---- */

/* `fresh`: the text begins here or follows a special token. */
static int encode_plain(struct tok_work *w, const char *text, size_t n, bool fresh, struct err *e)
{
    if (n == 0) return 0;
    switch (w->t->model) {
    case TOK_LLAMA: return tok_spm_encode(w, text, n, fresh, e);
    case TOK_GPT2: return tok_bpe_encode(w, text, n, e);
    case TOK_BERT: return tok_wpm_encode(w, text, n, e);
    default: return tok_ugm_encode(w, text, n, e);
    }
}

static int encode(struct tok_work *w, const char *text, size_t n, unsigned flags, struct claims *c, struct err *e)
{
    const struct tok *t = w->t;
    if (find_special(t, text, n, flags & TOK_PARSE_SPECIAL, c, e)) return e->code;
    bool written = c->n > 0 && c->list[0].pos == 0 && c->list[0].id == t->bos; /* a chat template often writes it */
    if (flags & TOK_ADD_SPECIAL && tok_adds_bos(t) && !written && tok_work_add(w, t->bos, e)) return e->code;
    size_t at = 0;
    bool fresh = true;
    for (size_t i = 0; i < c->n; i++) {
        const struct claim *s = &c->list[i];
        if (encode_plain(w, text + at, s->pos - at, fresh, e)) return e->code;
        if (s->pos > at) fresh = false;
        at = s->end;
        if (s->id < 0) continue;
        if (tok_work_add(w, s->id, e)) return e->code;
        fresh = true;
    }
    if (encode_plain(w, text + at, n - at, fresh, e)) return e->code;
    int32_t last = closing(t);
    return flags & TOK_ADD_SPECIAL && last >= 0 ? tok_work_add(w, last, e) : 0;
}

int tok_encode(const struct tok *t, const char *text, size_t n, unsigned flags, size_t max_tokens, int32_t **out_ids,
               size_t *out_n, struct err *e)
{
    return tok_encode_plain_at(t, text, n, flags, NULL, 0, max_tokens, out_ids, out_n, e);
}

int tok_encode_plain_at(const struct tok *t, const char *text, size_t n, unsigned flags, const uint32_t *plain,
                        size_t n_plain, size_t max_tokens, int32_t **out_ids, size_t *out_n, struct err *e)
{
    struct err local;
    if (!e) e = &local;
    if (n > TOK_MAX_TEXT_BYTES)
        return ERR(e, LIMIT, "The text has %zu bytes; at most %d can be tokenised at once.", n, TOK_MAX_TEXT_BYTES);
    struct tok_work w;
    struct claims c = {.plain = plain, .n_plain = n_plain};
    tok_work_init(&w, t, max_tokens);
    int rc = encode(&w, text, n, flags, &c, e);
    if (!rc && !w.ids) rc = tok_work_grow(&w.ids, &w.cap_ids, 1, sizeof *w.ids, e); /* no tokens: still an array */
    if (!rc) {
        *out_ids = w.ids;
        *out_n = w.n_ids;
        w.ids = NULL;
    }
    claims_done(&c);
    tok_work_done(&w);
    return rc;
}

/* ---- decoding ---- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* "<0xXX>" to its byte, or -1. */
static int byte_of(struct str s)
{
    if (s.n != 6 || memcmp(s.p, "<0x", 3) || s.p[5] != '>' || hex(s.p[3]) < 0 || hex(s.p[4]) < 0) return -1;
    return hex(s.p[3]) * 16 + hex(s.p[4]);
}

static int add_unmarked(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        if (s.n - i >= 3 && !memcmp(s.p + i, TOK_SPACE, 3)) {
            buf_char(out, ' ');
            i += 3;
        } else {
            buf_char(out, s.p[i++]);
        }
    }
    return out->failed;
}

static int add_letters(struct str s, struct buf *out)
{
    for (const char *p = s.p, *end = s.p + s.n; p < end;) {
        uint32_t cp;
        size_t used = utf8_decode(p, end, &cp);
        int b = cp == UINT32_MAX ? -1 : tok_letter_byte(cp);
        if (b >= 0) buf_char(out, (char)b);
        else buf_add(out, p, used);
        p += used;
    }
    return out->failed;
}

int tok_piece(const struct tok *t, int32_t id, bool special, struct buf *out)
{
    if (!in_range(t, id) || (!special && t->attr[id] & TA_HIDDEN)) return out->failed;
    struct str s = tok_key(t, id);
    unsigned a = t->attr[id];
    if (a & TA_SPECIAL) return buf_add(out, s.p, s.n);
    if (a & TA_UNUSED) return out->failed;
    int b = a & TA_BYTE ? byte_of(s) : -1;
    if (b >= 0) return buf_char(out, (char)b);
    if (t->model == TOK_GPT2 && !(t->pre->flags & TP_RAW)) return add_letters(s, out);
    return add_unmarked(s, out);
}

void tok_stream_init(struct tok_stream *s, const struct tok *t, bool special)
{
    *s = (struct tok_stream){.t = t, .special = special, .first = true};
}

/* Length of the bad sequence at p: the longest start of a character that is cut short, at least one byte. */
static size_t bad_bytes(const char *p, size_t n)
{
    size_t k = 1;
    while (k < 3 && k < n && utf8_complete(p, k + 1) == 0) k++;
    return k;
}

/* Text of which only whole characters may pass: bytes that can never become one turn into U+FFFD. */
static size_t pass_whole(const char *p, size_t n, bool last, struct buf *out)
{
    size_t whole = last ? n : utf8_complete(p, n);
    for (size_t i = 0; i < whole;) {
        uint32_t cp;
        size_t used = utf8_decode(p + i, p + whole, &cp);
        if (cp == UINT32_MAX) {
            used = bad_bytes(p + i, whole - i);
            buf_utf8(out, 0xFFFD);
        } else {
            buf_add(out, p + i, used);
        }
        i += used;
    }
    return whole;
}

int tok_stream_push(struct tok_stream *s, int32_t id, struct buf *out)
{
    struct buf b;
    buf_init(&b, TOK_MAX_PIECE_BYTES + sizeof s->held);
    buf_add(&b, s->held, s->n_held);
    int rc = tok_piece(s->t, id, s->special, &b);
    if (!rc && b.len > s->n_held) {
        size_t skip = 0;
        /* The space that the encoder put before the first word is not part of the text. */
        if (s->first && b.data[0] == ' ' && tok_adds_space(s->t)) skip = 1;
        s->first = false;
        size_t done = skip + pass_whole(b.data + skip, b.len - skip, false, out);
        s->n_held = (unsigned)(b.len - done);
        memcpy(s->held, b.data + done, s->n_held);
    }
    buf_done(&b);
    return rc ? rc : out->failed;
}

int tok_stream_flush(struct tok_stream *s, struct buf *out)
{
    pass_whole(s->held, s->n_held, true, out);
    s->n_held = 0;
    return out->failed;
}

int tok_decode(const struct tok *t, const int32_t *ids, size_t n, bool special, struct buf *out)
{
    struct tok_stream s;
    tok_stream_init(&s, t, special);
    for (size_t i = 0; i < n; i++) {
        int rc = tok_stream_push(&s, ids[i], out);
        if (rc) return rc;
    }
    return tok_stream_flush(&s, out);
}
