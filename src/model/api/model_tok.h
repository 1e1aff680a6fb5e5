/* Tokenizers, built from a GGUF's `tokenizer.ggml.*` metadata: SentencePiece-style ("llama"), byte-level BPE ("gpt2",
 * with the pre-tokenizer that tokenizer.ggml.pre names) and WordPiece ("bert").
 * A tokenizer is read-only after creation: share it between threads. */
#ifndef MODEL_TOK_H
#define MODEL_TOK_H

#include "base_buf.h"
#include "model_gguf.h"

struct tok;

enum tok_attr { TOK_NORMAL = 1, TOK_UNKNOWN = 2, TOK_CONTROL = 3, TOK_USER_DEFINED = 4, TOK_UNUSED = 5, TOK_BYTE = 6 };

enum tok_flags {
    TOK_ADD_SPECIAL = 1, /* add BOS/EOS (CLS/SEP) as the model's metadata asks; a parsed BOS at the
                          * start of the text is not added twice */
    TOK_PARSE_SPECIAL = 2, /* text such as <|im_end|> becomes the control token; otherwise it is plain text */
};

/* FORMAT: metadata damaged; NOT_FOUND: the file has no tokenizer; UNSUPPORTED: names the unknown model or pre. */
int tok_new(const struct gguf *g, struct tok **out, struct err *e) ERR_CHECK;
void tok_free(struct tok *t);

/* Text (any bytes; invalid UTF-8 becomes U+FFFD or byte tokens, as the model's own tokenizer does) to ids.
 * *out_ids is a heap array of *out_n (free with mem_free); at most max_tokens, else LIMIT. */
int tok_encode(const struct tok *t, const char *text, size_t n, unsigned flags, size_t max_tokens,
               int32_t **out_ids, size_t *out_n, struct err *e) ERR_CHECK;
/* As tok_encode with TOK_PARSE_SPECIAL, but no control token begins at the byte positions plain [n_plain], ascending:
 * its text there is text. */
int tok_encode_plain_at(const struct tok *t, const char *text, size_t n, unsigned flags, const uint32_t *plain,
                        size_t n_plain, size_t max_tokens, int32_t **out_ids, size_t *out_n, struct err *e) ERR_CHECK;
/* The length of the longest control token whose text stands at text[at], or 0. */
size_t tok_control_at(const struct tok *t, const char *text, size_t n, size_t at);
/* The bytes of one token, appended to out. Control tokens give nothing unless `special`. */
int tok_piece(const struct tok *t, int32_t id, bool special, struct buf *out);
/* Whole sequence to text (as the model's detokeniser: SentencePiece drops the first space it added itself). */
int tok_decode(const struct tok *t, const int32_t *ids, size_t n, bool special, struct buf *out);

/* Streaming: feed ids one at a time; only whole UTF-8 characters come out, what is unfinished is held back.
 * flush emits held bytes (U+FFFD for an incomplete sequence). */
struct tok_stream {
    const struct tok *t;
    bool special, first;
    unsigned n_held;
    char held[8];
};
void tok_stream_init(struct tok_stream *s, const struct tok *t, bool special);
int tok_stream_push(struct tok_stream *s, int32_t id, struct buf *out);
int tok_stream_flush(struct tok_stream *s, struct buf *out);

size_t tok_n_vocab(const struct tok *t);
struct str tok_text(const struct tok *t, int32_t id); /* as stored in the vocabulary; empty if out of range */
enum tok_attr tok_attr_of(const struct tok *t, int32_t id);
int32_t tok_find(const struct tok *t, const char *text, size_t n); /* exact vocabulary entry, or -1 */
int32_t tok_bos(const struct tok *t); /* -1 if the model has none; likewise below */
int32_t tok_eos(const struct tok *t);
int32_t tok_unk(const struct tok *t);
bool tok_adds_bos(const struct tok *t);
bool tok_adds_eos(const struct tok *t);
bool tok_adds_space(const struct tok *t); /* a text begins with a space that decoding takes away */
bool tok_is_end(const struct tok *t, int32_t id); /* end of generation: eos, eot, eom, <|im_end|>, <end_of_turn>, … */
const char *tok_model_name(const struct tok *t);  /* "llama", "gpt2", "bert" */
const char *tok_pre_name(const struct tok *t);

#endif
