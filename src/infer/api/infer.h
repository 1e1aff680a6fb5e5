/* Running a model. Two objects:
 *   infer_engine   a loaded model, its kernels, a pool of threads. Immutable; share it between threads.
 *   infer_session  one timeline over an engine: cached keys and values, recurrent states and a position, sized
 *                  at creation: evaluating allocates nothing. One thread at a time.
 * Sessions of one engine may be used from several threads; the engine runs one chunk at a time, in scratch
 * memory that all its sessions share. Several sessions evaluated together (infer_batch_eval) read the weights
 * once. */
#ifndef INFER_H
#define INFER_H

#include "model_arch.h"

struct infer_engine;
struct infer_session;
struct kern_ops;
struct infer_pages;
struct infer_tree;

struct infer_engine_params {
    int n_threads;     /* 0: one per CPU, at most 16 */
    const char *level; /* kernel level; NULL: CROFT_CPU or the best of this machine */
};
/* NULL params: all defaults. The file stays mapped until close. */
int infer_engine_open(const char *path, const struct infer_engine_params *p, struct infer_engine **out,
                      struct err *e) ERR_CHECK;
/* From memory (borrowed until close): for tests and fuzzing. */
int infer_engine_open_memory(const void *data, size_t size, const struct infer_engine_params *p,
                             struct infer_engine **out, struct err *e) ERR_CHECK;
void infer_engine_close(struct infer_engine *g); /* after its sessions; NULL is fine */
/* Weights are packed for the kernels by a thread of their own after the first evaluation. A server that would rather
 * wait before than serve its first answers more slowly calls this: it returns when all are packed. */
void infer_engine_warm(struct infer_engine *g);
/* From now on results do not depend, bit for bit, on what else is in a batch, nor on how a prompt was cut: attention of
 * a row is not split between threads, float weights take one row as they take many, and nothing is rounded to bf16. */
void infer_engine_batch_invariant(struct infer_engine *g);
const struct model *infer_engine_model(const struct infer_engine *g);
const struct gguf *infer_engine_gguf(const struct infer_engine *g);
const struct kern_ops *infer_engine_ops(const struct infer_engine *g);
int infer_engine_threads(const struct infer_engine *g);

enum infer_kv { INFER_KV_DEFAULT, INFER_KV_F32, INFER_KV_F16, INFER_KV_Q8_0 }; /* default: f16 */
struct infer_session_params {
    uint32_t n_ctx;    /* positions; 0: the model's context, at most 4096 */
    uint32_t n_batch;  /* rows of it evaluated together; 0: 512; an encoder takes n_ctx at least */
    uint32_t n_logits; /* rows of logits kept by INFER_LOGITS_ALL; 0: 1, or with shared pages none (see rows) */
    enum infer_kv kv;  /* how keys and values are stored; encoders always use f32 */
    struct infer_pages *pages; /* share these (infer_pages.h; kv is theirs); NULL: its own */
};
int infer_session_new(struct infer_engine *g, const struct infer_session_params *p,
                      struct infer_session **out, struct err *e) ERR_CHECK;
void infer_session_free(struct infer_session *s);
struct infer_engine *infer_session_engine(const struct infer_session *s);
uint32_t infer_session_n_ctx(const struct infer_session *s);
uint32_t infer_session_n_past(const struct infer_session *s);       /* tokens evaluated so far */
const int32_t *infer_session_tokens(const struct infer_session *s); /* [n_past] */
size_t infer_session_bytes(const struct infer_session *s);          /* memory it holds, without scratch */

enum infer_want { INFER_LOGITS_NONE, INFER_LOGITS_LAST, INFER_LOGITS_ALL };
/* Evaluate n ≥ 1 tokens after those already there. NO_ROOM says by how much they do not fit; nothing is
 * dropped to make room. On an error the session keeps the tokens of the chunks that were finished. CANCELLED:
 * see below. */
int infer_session_eval(struct infer_session *s, const int32_t *tokens, size_t n, enum infer_want want,
                       struct err *e) ERR_CHECK;

/* The part of one session in a batch. Its results do not depend on who else is in the batch: bit for bit at
 * the level "ref"; elsewhere up to the order of floating-point sums, which differs between one row and several
 * (a few 1e-7 relative; what is rounded afterwards, int8 activations or cached keys, can round such a difference
 * up), and at the level "amx" up to the rounding of activations, int8 for few rows and bf16 for many (1e-2). */
struct infer_batch_item {
    struct infer_session *session; /* all of one engine, each once */
    const int32_t *tokens;         /* [n], borrowed for the call */
    size_t n;
    enum infer_want want;
    float *rows;    /* NULL, or instead of `want`: where the logits of the last n_rows tokens go, [n_rows, n_vocab] */
    uint32_t n_rows;
    struct infer_tree *tree; /* NULL, or a tree of tokens behind these (infer_tree.h), whose asks are answered; it needs
                              * room in the session, and leaves none of itself there. Not for recurrent families */
    size_t n_done;  /* out: tokens evaluated, n unless err says why not */
    uint32_t n_nodes_done; /* out: likewise of the tree */
    struct err err; /* out: code 0, or what went wrong with this one */
};
/* Evaluate the parts of n sessions together: rows that decode and pieces of prompts alike. Each item fares as
 * in infer_session_eval. What is wrong with one is found before anything is evaluated and leaves that one
 * out; a cancelled one drops out; the others go on. Returns 0, or the code of the first item with an error. */
int infer_batch_eval(struct infer_batch_item *items, size_t n) ERR_CHECK;

/* Logits [n_vocab] of the last eval: row 0 with LOGITS_LAST; row i belongs to token i with LOGITS_ALL. NULL
 * if there is no such row. Borrowed until the next eval. */
const float *infer_session_logits(const struct infer_session *s, size_t i);

/* Forget all but the first n_past tokens. Recurrent families (infer_session_is_recurrent) can only go to 0,
 * to where they are, or through a snapshot: anything else is UNSUPPORTED. */
int infer_session_truncate(struct infer_session *s, uint32_t n_past, struct err *e) ERR_CHECK;
bool infer_session_is_recurrent(const struct infer_session *s);
/* Remember where a session is (its recurrent states; cached keys stay in the session), and come back to it
 * later. The tokens before the snapshot must still be the same. Works for every family; allocates. */
struct infer_snapshot;
int infer_session_snapshot(const struct infer_session *s, struct infer_snapshot **out,
                           struct err *e) ERR_CHECK;
int infer_session_restore(struct infer_session *s, const struct infer_snapshot *snap,
                          struct err *e) ERR_CHECK;
void infer_snapshot_free(struct infer_snapshot *snap);

/* Ask the running (or else the next) eval of this session to stop; it returns CANCELLED between two layers.
 * From any thread or a signal handler. A recurrent session that was cancelled inside a chunk starts again at
 * 0. */
void infer_session_cancel(struct infer_session *s);

/* Hidden states as embeddings; the session is empty afterwards. pool: NONE gives [n, n_embd], the others
 * [n_embd]. normalize: each vector to length 1. */
int infer_session_embed(struct infer_session *s, const int32_t *tokens, size_t n, enum model_pool pool,
                        bool normalize, float *out, struct err *e) ERR_CHECK;
/* The same for many texts, as many in a batch as fit. Each must fit the context by itself; nothing is
 * evaluated if one does not. */
struct infer_text {
    const int32_t *tokens; /* [n], borrowed for the call */
    size_t n;
    float *out;
};
int infer_session_embed_all(struct infer_session *s, const struct infer_text *texts, size_t n,
                            enum model_pool pool, bool normalize, struct err *e) ERR_CHECK;

#endif
