/* Croft: run a small language model inside your program, on CPUs you own.
 *
 *     croft_model     a GGUF file, mapped; read-only after open; shared by any number of threads
 *     croft_session   one timeline: what has been evaluated, and the memory for it; one thread at a time
 *
 * Conventions. A function that can fail returns CROFT_OK or a negative code (croft/errors.h) and fills *e,
 * which may be NULL, with a sentence for a person. Outputs are written only on success. The library never
 * prints, exits or aborts. What it allocates for you is named so below, and freed with croft_free.
 * examples/hello.c is a whole program.
 *
 *     cc hello.c $(pkg-config --cflags --libs croft)
 */
#ifndef CROFT_CROFT_H
#define CROFT_CROFT_H

#include <stddef.h>
#include <stdint.h>

#include <croft/errors.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CROFT_API __attribute__((visibility("default")))
#define CROFT_CHECK __attribute__((warn_unused_result))

CROFT_API const char *croft_version(void); /* "1.2.3" */

/* Frees what a function of this header allocated for you. NULL is fine. */
CROFT_API void croft_free(void *p);

/* ---- Models ---- */

struct croft_model;

/* Opens a GGUF file (of a split file: its first part). n_threads 0: one per physical core, at most 16.
 * Success: *out is yours, close it. The file stays mapped until then; do not change it. Failure: nothing to
 * free. NOT_FOUND, FORMAT (damaged), UNSUPPORTED (names the architecture or tensor type), NOMEM. */
CROFT_API int croft_model_open(const char *path, int n_threads, struct croft_model **out,
                               struct croft_err *e) CROFT_CHECK;
/* After all its sessions are freed. NULL is fine. */
CROFT_API void croft_model_close(struct croft_model *m);

struct croft_model_info {
    const char *architecture; /* "llama", "qwen3", …; strings are borrowed until close */
    const char *cpu_level;    /* the kernels in use: "ref", "avx2", "avx512", … */
    int32_t n_vocab, n_embd, n_layer;
    int32_t n_ctx_train; /* the context it was trained for */
    int64_t n_params;
    int32_t bos, eos; /* token ids, -1 if it has none */
    int generates;    /* 1: predicts next tokens; 0: an encoder, embeddings only */
    int has_tokenizer; /* 0: only token ids can be given and taken */
    int has_chat_template;
};
CROFT_API void croft_model_get_info(const struct croft_model *m, struct croft_model_info *out);

/* ---- Text and tokens ---- */

enum croft_text_flags {
    CROFT_ADD_SPECIAL = 1,   /* tokenize: add BOS/EOS (CLS/SEP) as the model asks */
    CROFT_PARSE_SPECIAL = 2, /* tokenize: text such as <|im_end|> becomes that control token */
    CROFT_SHOW_SPECIAL = 4,  /* detokenize: control tokens give their text instead of nothing */
    CROFT_KEEP_SPACE = 8,    /* detokenize: keep the space before the first word, as for a part of a text */
};

/* Text of n bytes (any bytes) to ids. *out_ids is yours: croft_free. */
CROFT_API int croft_tokenize(const struct croft_model *m, const char *text, size_t n, unsigned flags,
                             int32_t **out_ids, size_t *out_n, struct croft_err *e) CROFT_CHECK;
/* Ids to text, NUL-terminated, its length in *out_n (may be NULL). *out_text is yours: croft_free. */
CROFT_API int croft_detokenize(const struct croft_model *m, const int32_t *ids, size_t n, unsigned flags,
                               char **out_text, size_t *out_n, struct croft_err *e) CROFT_CHECK;

struct croft_chat {
    const char *messages; /* JSON: [{"role": "user", "content": "…"}, …] */
    const char *tools;    /* JSON array of tool descriptions, or NULL */
    const char *variables; /* JSON object with more of them ({"enable_thinking": false}), or NULL */
    int continue_assistant; /* 1: do not open the assistant's turn */
};
/* Renders a conversation with the model's own chat template. Tokenize the result with CROFT_ADD_SPECIAL and
 * CROFT_PARSE_SPECIAL: a BOS that the template wrote is not added twice. *out_text is yours: croft_free.
 * NOT_FOUND: the model has no template; TEMPLATE: the template refused. */
CROFT_API int croft_chat_render(const struct croft_model *m, const struct croft_chat *chat, char **out_text,
                                struct croft_err *e) CROFT_CHECK;

/* ---- Sessions ---- */

struct croft_session;

enum croft_cache {
    CROFT_CACHE_DEFAULT,
    CROFT_CACHE_F32,
    CROFT_CACHE_F16,
    CROFT_CACHE_Q8_0
}; /* default: f16 */
struct croft_session_options {
    int32_t n_ctx;          /* tokens it can hold; 0: the model's context, at most 4096 */
    int32_t n_batch;        /* prompt tokens evaluated together; 0: 512 */
    enum croft_cache cache; /* how keys and values are stored */
};
/* Allocates everything the session will need; evaluating allocates nothing. options may be NULL.
 * The model must outlive the session. Sessions of one model may run in several threads; evaluation takes
 * turns. */
CROFT_API int croft_session_new(struct croft_model *m, const struct croft_session_options *options,
                                struct croft_session **out, struct croft_err *e) CROFT_CHECK;
CROFT_API void croft_session_free(struct croft_session *s); /* NULL is fine */

/* Evaluate n ≥ 1 tokens after those already there. NO_ROOM says how many do not fit; nothing is ever dropped
 * to make room. After a failure the session holds a prefix of what it was given. */
CROFT_API int croft_session_eval(struct croft_session *s, const int32_t *ids, size_t n,
                                 struct croft_err *e) CROFT_CHECK;
/* Logits [n_vocab] after the last evaluated token, or NULL. Borrowed until the session is used again. */
CROFT_API const float *croft_session_logits(const struct croft_session *s);
CROFT_API int32_t croft_session_n_past(const struct croft_session *s); /* tokens it holds */
CROFT_API int32_t croft_session_n_ctx(const struct croft_session *s);
/* Forget all but the first n_past tokens. Models with recurrent layers (qwen35, lfm2) can only forget
 * everything: UNSUPPORTED otherwise. */
CROFT_API int croft_session_rewind(struct croft_session *s, int32_t n_past, struct croft_err *e) CROFT_CHECK;
/* Stop the evaluation in progress (or the next one); it returns CANCELLED. From any thread, or a signal
 * handler. */
CROFT_API void croft_session_cancel(struct croft_session *s);

/* ---- Generation ---- */

struct croft_bias {
    int32_t token;
    float add; /* to its logit; -INFINITY bans it */
};
struct croft_sampling {
    int32_t max_tokens;                        /* stop after so many; 0: until the context is full */
    float temperature;                         /* ≤ 0: greedy, always the most likely token */
    int32_t top_k;                             /* only the k most likely; 0: off */
    float typical_p;                           /* locally typical set of that mass; 1: off */
    float top_p;                               /* smallest set of that mass; 1: off */
    float min_p;                               /* at least this share of the best one's probability; 0: off */
    float repeat_penalty;                      /* 1: off */
    float frequency_penalty, presence_penalty; /* 0: off */
    int32_t penalty_last_n;                    /* recent tokens (the prompt's too) that penalties see */
    uint64_t seed;                             /* the same seed gives the same answer */
    const char *const *stop;                   /* generation ends before any of these strings appears */
    size_t n_stop;
    const struct croft_bias *bias;
    size_t n_bias;
    int logprobs;   /* 1: compute each token's log-probability (from the model's own distribution) */
    int32_t n_top;  /* and those of the n_top most likely; at most 64 */
    int ignore_eos; /* 1: go on after an end-of-generation token */
    int context_shift; /* 1: a full context does not end the answer: the older half after the first n_keep tokens
                        * is forgotten. Off unless asked for: the model then answers without what it was told */
    int32_t n_keep;
};
/* Greedy, no limits, no penalties; set what you want to differ. */
CROFT_API void croft_sampling_init(struct croft_sampling *s);

struct croft_logprob {
    int32_t token;
    float logprob; /* natural logarithm */
};
/* One step of a generation. Text comes in whole UTF-8 characters and may lag behind the tokens or be empty;
 * what was held back comes at the end with token -1. Everything is borrowed for the duration of the call. */
struct croft_piece {
    const char *text; /* NUL-terminated */
    size_t n;
    int32_t token;
    float logprob;                   /* 0 unless asked for */
    const struct croft_logprob *top; /* best first */
    size_t n_top;
};
/* Return 0 to go on, anything else to stop. */
typedef int croft_on_piece(void *user, const struct croft_piece *piece);

enum croft_end { CROFT_END_EOS, CROFT_END_STOP_STRING, CROFT_END_LENGTH, CROFT_END_CALLBACK };
struct croft_result {
    enum croft_end end;
    size_t n_prompt, n_reused, n_generated; /* tokens; reused: of the prompt, already in the session */
    double prompt_s, generate_s;            /* seconds */
};
/* Continue `prompt`, which is the whole timeline: the session keeps the prefix that it has evaluated already,
 * forgets the rest, evaluates what is missing and generates. `on_piece` may be NULL, as may `sampling`
 * (greedy) and `out`. CANCELLED by croft_session_cancel; NO_ROOM when the prompt does not fit. */
CROFT_API int croft_generate(struct croft_session *s, const int32_t *prompt, size_t n,
                             const struct croft_sampling *sampling, croft_on_piece *on_piece, void *user,
                             struct croft_result *out, struct croft_err *e) CROFT_CHECK;

/* ---- Embeddings ---- */

/* One vector [n_embd] of length 1 for the tokens, pooled as the model says (mean, first or last token). `out`
 * is yours. The session starts anew. */
CROFT_API int croft_embed(struct croft_session *s, const int32_t *ids, size_t n, float *out,
                          struct croft_err *e) CROFT_CHECK;

#ifdef __cplusplus
}
#endif

#endif
