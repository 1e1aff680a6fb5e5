/* Unigram ("t5", the SentencePiece kind that XLM-R-style encoders use): of all ways to cover the text with tokens, the
 * one with the highest sum of scores (Viterbi over byte positions). Before that the text is normalised by the table
 * that SentencePiece compiled into the file, precompiled_charsmap:
 *
 *   u32 bytes of the array | u32 nodes[] | replacement strings, each ending in NUL
 *
 * nodes[] is a double-array trie over bytes, XOR form: child of node n by byte c is base(n) ^ c, and it exists if its
 * label is c. Bits of a node: 0..7 label, 8 has a value, 9 base is shifted by 8, 10..30 base, 31 this is a value:
 * the offset of a replacement. The longest match wins.
 * A token's prefixes are kept in a bit set of hashes, so that the search at a position stops early.
 * Read-only after loading. Next: back to tok.c. */
#include "tok.h"

#include "base_mem.h"

#include <float.h>

enum { UNK_PENALTY = 10 };

/* ---- loading ---- */

static uint64_t hash_more(uint64_t h, char c) { return (h ^ (unsigned char)c) * 0x100000001B3u; }
static const uint64_t hash_none = 0xCBF29CE484222325u;

static uint64_t *prefix_word(const struct tok *t, uint64_t h, uint64_t *out_bit)
{
    uint32_t i = (uint32_t)(h ^ h >> 32) & t->prefix_mask;
    *out_bit = 1ull << (i & 63);
    return &t->prefix_set[i >> 6];
}

static int load_charsmap(struct tok *t, const struct gguf *g, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, "tokenizer.ggml.precompiled_charsmap");
    if (!kv) return 0;
    uint32_t array = 0;
    bool bytes = kv->type == GGUF_ARRAY && (kv->elem == GGUF_U8 || kv->elem == GGUF_I8);
    if (bytes && kv->n == 0) return 0;
    if (bytes && kv->n > 4) memcpy(&array, kv->data, 4);
    if (!bytes || kv->n < 5 || kv->n > TOK_MAX_TEXT_BYTES || array % 4 || array >= kv->n - 4 || kv->data[kv->n - 1])
        return ERR(e, FORMAT, "The tokenizer's precompiled_charsmap is damaged. Get the file again.");
    t->charsmap = mem_alloc(kv->n);
    if (!t->charsmap) return err_nomem(e, kv->n);
    memcpy(t->charsmap, kv->data, kv->n);
    t->charsmap_bytes = kv->n;
    return 0;
}

int tok_ugm_load(struct tok *t, const struct gguf *g, struct err *e)
{
    float lowest = FLT_MAX;
    uint64_t bits = 1 << 12;
    while (bits < (uint64_t)t->off[t->n_vocab] * 8 && bits < 1u << 30) bits *= 2;
    t->prefix_mask = (uint32_t)(bits - 1);
    t->prefix_set = mem_calloc(bits / 64, sizeof *t->prefix_set);
    if (!t->prefix_set) return err_nomem(e, bits / 8);
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        if (t->attr[i] & TA_NORMAL && t->score[i] < lowest) lowest = t->score[i];
        struct str s = tok_key(t, (int32_t)i);
        uint64_t h = hash_none, bit;
        for (size_t k = 0; k < s.n; k++) {
            h = hash_more(h, s.p[k]);
            uint64_t *word = prefix_word(t, h, &bit);
            *word |= bit;
        }
    }
    t->unk_score = lowest - UNK_PENALTY;
    return load_charsmap(t, g, e);
}

/* ---- normalisation ---- */

static bool node_at(const struct tok *t, uint32_t index, uint32_t *out)
{
    uint32_t array;
    memcpy(&array, t->charsmap, 4);
    if (index >= array / 4) return false;
    memcpy(out, t->charsmap + 4 + (size_t)index * 4, 4);
    return true;
}

static uint32_t base_of(uint32_t node) { return (node >> 10) << ((node & 1u << 9) >> 6); }

/* The replacement of the longest mapped start of p, or NULL; *out_used bytes of p are replaced. */
static const char *mapped(const struct tok *t, const char *p, size_t n, size_t *out_used)
{
    const char *best = NULL;
    uint32_t node, index, array;
    if (!t->charsmap || !node_at(t, 0, &node)) return NULL;
    memcpy(&array, t->charsmap, 4);
    index = base_of(node);
    for (size_t i = 0; i < n && p[i]; i++) {
        unsigned char c = (unsigned char)p[i];
        index ^= c;
        if (!node_at(t, index, &node) || (node & (1u << 31 | 0xFF)) != c) break;
        index ^= base_of(node);
        if (!(node >> 8 & 1)) continue;
        if (!node_at(t, index, &node)) break;
        uint32_t offset = node & ~(1u << 31);
        if (offset >= t->charsmap_bytes - 4 - array) break;
        best = (const char *)t->charsmap + 4 + array + offset; /* NUL-terminated: the table's last byte is NUL */
        *out_used = i + 1;
    }
    return best;
}

struct spaces { /* how white space is written, while text is appended */
    bool prefixed, in_word;
};

static void append(const struct tok *t, struct spaces *s, const char *p, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ') {
            s->in_word = false;
            if (!t->merge_spaces) buf_str(out, TOK_SPACE);
            continue;
        }
        if (!s->in_word) {
            s->in_word = true;
            if ((t->space_prefix && !s->prefixed) || t->merge_spaces) {
                buf_str(out, TOK_SPACE);
                s->prefixed = true;
            }
        }
        buf_char(out, p[i]);
    }
}

static int normalise(const struct tok *t, const char *p, size_t n, struct buf *out, struct err *e)
{
    struct spaces s = {0};
    for (size_t i = 0; i < n && !out->failed;) {
        size_t used = 0;
        const char *to = mapped(t, p + i, n - i, &used);
        if (to) {
            append(t, &s, to, strlen(to), out);
        } else {
            uint32_t cp;
            used = utf8_decode(p + i, p + n, &cp);
            if (cp == UINT32_MAX) append(t, &s, "\xEF\xBF\xBD", 3, out);
            else append(t, &s, p + i, used, out);
        }
        i += used;
    }
    return buf_check(out, "text", e);
}

/* ---- search ---- */

struct best { /* the best way to reach a byte position */
    double score;
    int32_t id;
    uint32_t from;
};

static void relax(struct best *at, double score, int32_t id, size_t from)
{
    if (score > at->score) *at = (struct best){score, id, (uint32_t)from};
}

static void search(const struct tok *t, const char *p, size_t n, struct best *best)
{
    for (size_t i = 0; i <= n; i++) best[i] = (struct best){-DBL_MAX, t->unk, 0};
    best[0].score = 0;
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t cp;
        step = utf8_decode(p + i, p + n, &cp);
        bool whole = false; /* the character itself is a token */
        uint64_t h = hash_none, bit;
        for (size_t k = i; k < n && k - i < t->max_piece_bytes; k++) {
            h = hash_more(h, p[k]);
            if (!(*prefix_word(t, h, &bit) & bit)) break;
            int32_t id = tok_find_hashed(t, h, p + i, k + 1 - i);
            if (id < 0 || !(t->attr[id] & (TA_NORMAL | TA_USER | TA_UNUSED))) continue;
            whole |= k + 1 - i == step;
            relax(&best[k + 1], best[i].score + (t->attr[id] & TA_USER ? 0.0 : (double)t->score[id]), id, i);
        }
        if (!whole) relax(&best[i + step], best[i].score + (double)t->unk_score, t->unk, i);
    }
}

int tok_ugm_encode(struct tok_work *w, const char *text, size_t n, struct err *e)
{
    const struct tok *t = w->t;
    struct buf norm;
    struct best *best = NULL;
    buf_init(&norm, TOK_MAX_TEXT_BYTES);
    int rc = normalise(t, text, n, &norm, e);
    if (rc || norm.len == 0) goto out;
    best = mem_alloc((norm.len + 1) * sizeof *best);
    if (!best) {
        rc = err_nomem(e, (norm.len + 1) * sizeof *best);
        goto out;
    }
    search(t, norm.data, norm.len, best);
    /* Backwards along the best way; unknown characters in a row are one unknown token. Then turn it round. */
    size_t first = w->n_ids;
    bool unknown = false;
    for (size_t at = norm.len; at > 0 && !rc; at = best[at].from) {
        bool was = unknown;
        unknown = best[at].id == t->unk;
        if (!(was && unknown) && best[at].id >= 0) rc = tok_work_add(w, best[at].id, e);
    }
    for (size_t i = first, k = w->n_ids; i + 1 < k; i++) {
        int32_t id = w->ids[i];
        w->ids[i] = w->ids[--k];
        w->ids[k] = id;
    }
out:
    mem_free(best);
    buf_done(&norm);
    return rc;
}
