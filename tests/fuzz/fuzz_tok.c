/* Fuzz target: encoding, decoding and streaming with the committed vocabularies. The first byte chooses: bits 0-1 the
 * vocabulary (BPE, SentencePiece, WordPiece, unigram), bit 2 parse special tokens, bit 3 add them, bit 4 show them;
 * the rest is the text. Where the model is lossless, decoding must give the text back. Run from the repository root. */
#include "base_mem.h"
#include "base_str.h"
#include "model_tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tok *vocabulary(unsigned i)
{
    static const char *const paths[] = {"tests/golden/tok/bpe.gguf", "tests/golden/tok/spm.gguf",
                                        "tests/golden/tok/wpm.gguf", "tests/golden/tok/ugm.gguf"};
    static struct tok *loaded[4];
    struct gguf *g = NULL;
    struct err e = {0};
    if (loaded[i]) return loaded[i];
    if (gguf_open(paths[i], &g, &e) || tok_new(g, &loaded[i], &e)) {
        fprintf(stderr, "%s\n", e.msg);
        abort();
    }
    gguf_close(g);
    return loaded[i];
}

static bool contains(const char *p, size_t n, const char *word) { return memmem(p, n, word, strlen(word)) != NULL; }

/* Byte-level BPE loses nothing. SentencePiece writes U+2581 for spaces and begins anew behind a special token. */
static bool lossless(unsigned kind, const char *text, size_t n, bool parse, bool add, bool show)
{
    if (!utf8_valid(text, n) || (parse && !show) || (add && show)) return false;
    return kind == 0 || (kind == 1 && !parse && !contains(text, n, "\xE2\x96\x81") && !contains(text, n, "<sep>"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    unsigned kind = data[0] & 3;
    bool parse = data[0] & 4, add = data[0] & 8, show = data[0] & 16;
    const char *text = (const char *)data + 1;
    size_t n_text = size - 1, n = 0;
    const struct tok *t = vocabulary(kind);
    int32_t *ids = NULL;
    struct err e = {0};
    unsigned flags = (parse ? TOK_PARSE_SPECIAL : 0) | (add ? TOK_ADD_SPECIAL : 0);
    if (tok_encode(t, text, n_text, flags, SIZE_MAX, &ids, &n, &e)) abort();
    struct buf whole, parts;
    buf_init(&whole, 1 << 26);
    buf_init(&parts, 1 << 26);
    if (tok_decode(t, ids, n, show, &whole)) abort();
    struct tok_stream s;
    tok_stream_init(&s, t, show);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= tok_n_vocab(t)) abort();
        if (tok_stream_push(&s, ids[i], &parts)) abort();
        if (parts.len && !utf8_valid(parts.data, parts.len)) abort(); /* half a character came out */
    }
    if (tok_stream_flush(&s, &parts)) abort();
    if (whole.len != parts.len || (whole.len && memcmp(whole.data, parts.data, whole.len))) abort();
    if (lossless(kind, text, n_text, parse, add, show)
        && (whole.len != n_text || (n_text && memcmp(whole.data, text, n_text))))
        abort();
    buf_done(&whole);
    buf_done(&parts);
    mem_free(ids);
    return 0;
}
