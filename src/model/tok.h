/* What the tokenizer's files share. Reading order: tok_load.c (metadata to struct tok), tok.c (special tokens, the
 * public calls), then one file per model: tok_bpe.c, tok_spm.c, tok_wpm.c, tok_ugm.c; tok_pre.c and tok_re.c split
 * text for BPE; tok_work.c is what one call of tok_encode works with. */
#ifndef TOK_H
#define TOK_H

#include "base_buf.h"
#include "base_str.h"
#include "model_tok.h"

enum {
    TOK_MAX_VOCAB = 1 << 22,        /* tokens a file may have; the largest known has 2^18 */
    TOK_MAX_PIECE_BYTES = 1 << 14,  /* bytes of one token; the longest known has 1,024 */
    TOK_MAX_TEXT_BYTES = 1 << 28,   /* all tokens together, and the text of one call */
    TOK_MAX_MERGES = 1 << 23,
    TOK_MAX_ENDS = 64,              /* tokens that end an answer */
};

enum tok_model { TOK_LLAMA, TOK_GPT2, TOK_BERT, TOK_UNIGRAM };

/* Attributes as bits: a token that its text shows to be a control token keeps NORMAL and gains CONTROL. */
enum {
    TA_NORMAL = 1, TA_UNKNOWN = 2, TA_CONTROL = 4, TA_USER = 8, TA_UNUSED = 16, TA_BYTE = 32,
    TA_LSTRIP = 64, TA_RSTRIP = 128, /* the token swallows white space to its left, right */
    TA_HIDDEN = TA_UNKNOWN | TA_CONTROL, TA_SPECIAL = TA_HIDDEN | TA_USER
};

/* ---- tok_uni.c: Unicode, as the GGUF world's tokenizers see it ---- */

/* One character of a text under work: code point in bits 0..20, class bits above. Bad bytes are U+FFFD | TC_BAD. */
typedef uint32_t tok_char;
#define TC_CP(c) ((c) & 0x1FFFFFu)
#define TC_L (1u << 21)
#define TC_N (1u << 22)
#define TC_P (1u << 23)
#define TC_S (1u << 24)
#define TC_M (1u << 25)
#define TC_SPACE (1u << 26)
#define TC_C (1u << 27) /* control, format, surrogate, private use */
#define TC_HAN (1u << 28)
#define TC_BAD (1u << 29)
tok_char tok_uni_classify(uint32_t cp);
/* Decodes one character of [p, end) with its class; returns the bytes used. */
size_t tok_uni_decode(const char *p, const char *end, tok_char *out);
uint32_t tok_uni_lower(uint32_t cp);
uint32_t tok_uni_base(uint32_t cp); /* first code point of the canonical decomposition */

/* ---- tok_re.c: the patterns that split text ---- */

struct tok_re;
enum { TOK_RE_ALTS = 16 };
struct tok_re_state { /* backtracking points, reused from match to match */
    struct tok_re_point *points;
    size_t n, cap;
    struct { /* where an alternative x*… has failed: it fails again up to the end of that run of x */
        size_t from, to, end;
    } dead[TOK_RE_ALTS];
};
/* Before matching in another text, or another pattern in the same. */
void tok_re_state_reset(struct tok_re_state *s);
int tok_re_new(const char *pattern, struct tok_re **out, struct err *e) ERR_CHECK;
void tok_re_free(struct tok_re *re);
/* Match at text[pos], not looking beyond `end`: *out_len characters, or -1 for no match. */
int tok_re_match(const struct tok_re *re, const tok_char *text, size_t pos, size_t end, struct tok_re_state *s,
                 ptrdiff_t *out_len, struct err *e) ERR_CHECK;
void tok_re_state_done(struct tok_re_state *s);

/* ---- tok_pre.c: pre-tokenizers by name ---- */

enum { TOK_PRE_STAGES = 6 };
struct tok_pre {
    const char *name;  /* as tokenizer.ggml.pre has it */
    const char *const *stages; /* patterns, NULL-terminated; each cuts the pieces of the one before */
    unsigned flags;
};
enum {
    TP_IGNORE_MERGES = 1, /* a whole piece that is in the vocabulary is taken as it is */
    TP_ADD_BOS = 2, TP_ADD_SEP = 4,
    TP_RAW = 8,           /* tokens are plain UTF-8 with <0xXX> for bytes, not the printable byte alphabet */
    TP_ESCAPE = 16,       /* spaces become U+2581 */
    TP_NEWLINES = 32,     /* a run of line feeds that is a token is taken whole */
    TP_WORDS = 64,        /* white space is dropped between pieces */
    TP_FORCE_BOS = 128,   /* BOS whatever the file says */
};
const struct tok_pre *tok_pre_find(struct str name);

/* Cuts text[0..n) into pieces: lengths in characters, in *lens (heap, mem_free). */
struct tok_cuts {
    uint32_t *lens, *spare;
    size_t n, cap, spare_cap;
};
struct tok;
int tok_pre_cut(const struct tok *t, const tok_char *text, size_t n, struct tok_re_state *s, struct tok_cuts *out,
                struct err *e) ERR_CHECK;

/* ---- the tokenizer ---- */

struct tok_merge { /* slot of the BPE merge table: left and right token give `result`; lower rank first */
    int32_t left, right, result;
    uint32_t rank;
};

struct tok {
    enum tok_model model;
    char model_name[16], pre_name[64];
    const struct tok_pre *pre;
    struct tok_re *stage[TOK_PRE_STAGES];

    uint32_t n_vocab, max_piece_bytes;
    char *text;         /* all tokens one after another */
    uint32_t *off;      /* [n_vocab + 1] into text */
    uint8_t *attr;      /* [n_vocab] TA_ bits */
    float *score;       /* [n_vocab]; NULL for BPE and WordPiece */
    int32_t *slot;      /* hash of the texts, open addressing: id or -1 */
    uint32_t slot_mask;

    struct tok_merge *merge;
    uint32_t merge_mask;
    int32_t byte_id[256]; /* token of a byte: <0xXX> or its printable letter; -1: none */

    int32_t bos, eos, unk, sep;
    int32_t end[TOK_MAX_ENDS];
    unsigned n_end;
    bool add_bos, add_eos, add_sep, space_prefix, merge_spaces, lowercase, strip_accents;
    bool words_apart;     /* no token holds a U+2581 after another character: words can be encoded one by one */
    float unk_score;      /* unigram */
    unsigned char *charsmap; /* unigram: SentencePiece's compiled normalisation */
    size_t charsmap_bytes;
    uint64_t *prefix_set; /* unigram: hashes of all starts of tokens */
    uint32_t prefix_mask;

    /* Special tokens, longest first; the two sets of leading byte pairs that can start one (all, user-defined). */
    int32_t *special;
    uint32_t n_special;
    uint64_t (*pair_set)[1024]; /* [2][65536 bits] */
};

#define TOK_SPACE "\xE2\x96\x81" /* U+2581, a space in SentencePiece vocabularies */

struct str tok_key(const struct tok *t, int32_t id); /* tok_text without the range check */
/* tok_find for a caller that has str_hash(p, n) already. */
int32_t tok_find_hashed(const struct tok *t, uint64_t hash, const char *p, size_t n);
int tok_bpe_load(struct tok *t, const struct gguf *g, struct err *e) ERR_CHECK;
int tok_ugm_load(struct tok *t, const struct gguf *g, struct err *e) ERR_CHECK;
/* The printable alphabet of byte-level BPE: code point of a byte; byte of a code point or -1. */
uint32_t tok_byte_letter(unsigned char b);
int tok_letter_byte(uint32_t cp);

/* ---- tok_work.c: one call of tok_encode ---- */

struct tok_sym { /* a part of the word under work; parts form a chain; len 0: merged away */
    int32_t id, prev, next;
    uint32_t off, len;
};
struct tok_cand { /* a possible merge: smallest key first (priority, then position) */
    uint64_t key;
    uint32_t len;
    int32_t id;
};
struct tok_seen { /* a word encoded earlier in the same text */
    uint32_t hash, off, len, at, n;
};

struct tok_work {
    const struct tok *t;
    int32_t *ids;
    size_t n_ids, cap_ids, max_ids;
    struct tok_sym *sym;
    size_t n_sym, cap_sym;
    struct tok_cand *heap;
    size_t n_heap, cap_heap;
    struct tok_seen *seen; /* direct-mapped, only for longer texts */
    tok_char *chars;
    size_t cap_chars;
    struct tok_cuts cuts;
    struct tok_re_state re;
    struct buf word;
};

void tok_work_init(struct tok_work *w, const struct tok *t, size_t max_ids);
void tok_work_done(struct tok_work *w);
int tok_work_add(struct tok_work *w, int32_t id, struct err *e) ERR_CHECK;
/* Grows *array (of `size`-byte elements) to hold n. */
int tok_work_grow(void *array, size_t *cap, size_t n, size_t size, struct err *e) ERR_CHECK;
/* Decode [p, p+n) into w->chars. */
int tok_work_chars(struct tok_work *w, const char *p, size_t n, size_t *out_n, struct err *e) ERR_CHECK;
/* Words repeat. `begin` forgets and decides whether a text is worth remembering; `reuse` emits an earlier encoding of
 * text[off..off+len) if there is one; otherwise encode and `remember` the ids from `at`. */
enum { TOK_SEEN_SLOTS = 8192 };
void tok_seen_begin(struct tok_work *w, size_t text_bytes);
bool tok_seen_reuse(struct tok_work *w, const char *text, size_t off, size_t len, int *rc, struct err *e);
void tok_seen_remember(struct tok_work *w, const char *text, size_t off, size_t len, size_t at);

/* Merge the chain w->sym[0..n_sym) over `word` until nothing merges; `pair` offers the merge of two neighbours. */
typedef bool tok_pair_fn(const struct tok *t, const char *word, const struct tok_sym *a, const struct tok_sym *b,
                         uint32_t *out_priority, int32_t *out_id);
int tok_merge_all(struct tok_work *w, const char *word, tok_pair_fn *pair, struct err *e) ERR_CHECK;

/* The models: encode plain text (no special tokens in it), appending to w. */
int tok_bpe_encode(struct tok_work *w, const char *text, size_t n, struct err *e) ERR_CHECK;
int tok_spm_encode(struct tok_work *w, const char *text, size_t n, bool prefix, struct err *e) ERR_CHECK;
int tok_wpm_encode(struct tok_work *w, const char *text, size_t n, struct err *e) ERR_CHECK;
int tok_ugm_encode(struct tok_work *w, const char *text, size_t n, struct err *e) ERR_CHECK;

#endif
