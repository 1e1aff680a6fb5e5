/* What croft bench measures (bench.c), apart from how it reports it (cmd_bench.c). */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "engine.h"

enum { BENCH_REPEAT_MAX = 100 };

struct bench_settings {
    struct cli_engine_settings engine;
    int64_t prompt, decode, depth, prefix, sequences, repeat;
    double sustained;
    bool json, ceilings, start;
};

/* Tokens per second over the repetitions. */
struct bench_stats {
    double mean, sd, median;
};

/* A model with as many sessions as a test needs, each with room for it. */
struct bench {
    const struct bench_settings *set;
    struct infer_engine *engine;
    struct infer_session **session;   /* [sequences] */
    struct infer_batch_item *item;    /* [sequences] */
    struct infer_snapshot **snapshot; /* [sequences] where a repetition starts */
    struct infer_text *text;          /* [sequences] what an encoder reads, vectors included */
    float *vectors;                   /* [sequences, n_embd] */
    int32_t *token; /* [n_tokens] ids spread over the vocabulary; the rate does not depend on which */
    size_t n_tokens;
};
/* `engine` stays the caller's. On an error nothing is left to close. */
int cli_bench_open(struct bench *b, struct infer_engine *engine, const struct bench_settings *set,
                   struct err *e) ERR_CHECK;
void cli_bench_close(struct bench *b);

/* `n` tokens of a prompt behind `cached` others that stay in the cache from one repetition to the next. */
int cli_bench_prompt(struct bench *b, int64_t n, int64_t cached, struct bench_stats *out,
                     struct err *e) ERR_CHECK;
/* Every sequence decodes `n` tokens behind `cached` others, all in one batch; the rate is that of all together. */
int cli_bench_decode(struct bench *b, int64_t n, int64_t cached, struct bench_stats *out,
                     struct err *e) ERR_CHECK;
/* One repetition of it: back to the `cached` tokens that cli_bench_fill put there, then n more a sequence. */
int cli_bench_fill(struct bench *b, int64_t n_sessions, int64_t cached, struct err *e) ERR_CHECK;
int cli_bench_decode_once(struct bench *b, int64_t n, struct err *e) ERR_CHECK;
/* An answer of the first sequence: a prompt behind what cli_bench_fill put there, then n tokens one by one. */
int cli_bench_answer(struct bench *b, int64_t prompt, int64_t n, struct err *e) ERR_CHECK;
/* An encoder reads `sequences` texts of `n` tokens, in batches or one by one. */
int cli_bench_encode(struct bench *b, int64_t n, bool batched, struct bench_stats *out,
                     struct err *e) ERR_CHECK;
/* Starts this program anew and waits for the first byte that it writes: milliseconds, the median. The program
 * is `croft run`; of a model without a tokenizer `croft logits` with one token. */
int cli_bench_start(const char *model, const struct infer_engine *g, const struct bench_settings *set, double *out_ms,
                    struct err *e) ERR_CHECK;

#endif
