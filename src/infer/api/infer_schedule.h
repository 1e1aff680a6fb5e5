/* Continuous batching. A scheduler owns one thread, which evaluates the requests of one engine together, step by step:
 * a token of each stream that decodes, pieces of the prompts that have just come, and whole questions. Requests share a
 * cache of pages; a prompt evaluates only what no earlier one has left there.
 *
 * Three kinds of request:
 *   generate   a prompt goes on with sampled tokens, free or constrained by a grammar
 *   ask        a prompt, and behind it a tree of tokens, read in one pass: how probable are the candidates that may
 *              follow at each of its nodes? (labels of a classification, options of questions about one state)
 *   embed      texts become vectors
 *
 * Functions may be called from any thread. Callbacks come from the scheduler's thread, one at a time; they must not
 * block, and may schedule and cancel. on_done comes exactly once for each request that was taken. */
#ifndef INFER_SCHEDULE_H
#define INFER_SCHEDULE_H

#include <croft/croft.h>

#include "infer.h"
#include "infer_grammar.h"
#include "infer_tree.h"
#include "model_tok.h"

struct infer_scheduler;
struct infer_ticket;

struct infer_scheduler_params {
    uint32_t n_cache;     /* tokens that the cache holds, of all requests and all kept prefixes; 0: 4 times n_ctx */
    uint32_t n_ctx;       /* tokens of the longest request; 0: the model's, at most 4096 */
    uint32_t n_parallel;  /* requests evaluated together; 0: 16, at most 64 */
    uint32_t n_queue;     /* requests that may wait beyond those; 0: 256 */
    enum infer_kv kv;
    bool batch_invariant; /* see infer_engine_batch_invariant; and no guesses */
    const char
        *prefixes; /* a file that pinned prefixes are kept in from one start to the next (infer_pages.h), or NULL */
};
/* `tok` may be NULL (then no text, no end). Both must outlive the scheduler. */
int infer_scheduler_new(struct infer_engine *g, const struct tok *tok, const struct infer_scheduler_params *p,
                        struct infer_scheduler **out, struct err *e) ERR_CHECK;
/* No new requests; those that run or wait end with CANCELLED. Returns when the last on_done has. */
void infer_scheduler_free(struct infer_scheduler *s);

/* It writes to its file of prefixes no more: another scheduler has taken it over. */
void infer_scheduler_leave_file(struct infer_scheduler *s);

enum infer_end { /* why a request ended well */
    INFER_END_STOP,    /* end-of-generation token, stop string, or the grammar is complete */
    INFER_END_LENGTH,  /* max_tokens or the context */
    INFER_END_ANSWERED /* ask, embed */
};
struct infer_outcome {
    struct err err;  /* code 0, or why there is no (whole) answer: CANCELLED, DEADLINE, NOMEM, … */
    enum infer_end end;
    uint32_t n_prompt, n_cached, n_generated; /* tokens; cached: of the prompt, found in the cache */
    uint32_t n_nodes;                         /* of the tree */
    double queued_s, prompt_s, generate_s;    /* waiting, until the first token (or the answer), after it */
    struct infer_ticket *ticket;              /* of the request; borrowed during on_done */
};

enum infer_echo { /* does the prompt come as pieces, too, one for each of its tokens, before the answer? */
                  INFER_ECHO_NONE,
                  INFER_ECHO_FIRST, /* and then the answer; the token that ends it comes as a piece without text */
                  INFER_ECHO_ONLY   /* and nothing after it */
};

struct infer_request {
    const int32_t *prompt; /* [n_prompt], n_prompt ≥ 1; copied. NULL with `texts` */
    size_t n_prompt;
    uint32_t pin;          /* tokens of the prompt that stay in the cache, as infer_session_pin has it; 0: none */
    uint32_t owner;        /* whose (an API key's number): owners take turns while requests wait, and share a full
                              queue: a request that has not begun may end with FULL for one of an owner with fewer */
    double deadline_s;     /* clock_now_s() at which it fails with DEADLINE; 0: never */
    struct infer_ticket *after; /* NULL, or the request whose on_done sends this one: who cancels that cancels this,
                                   and it finds room where the queue is full. A reference is taken */

    /* generate, unless `tree` or `texts` is set. sampling is copied, its strings and biases too; NULL: greedy */
    const struct croft_sampling *sampling;
    struct infer_grammar *grammar; /* or NULL; a reference is taken */
    const int32_t *spelled; /* [n_spelled] control tokens that are text in this answer; borrowed until on_done */
    size_t n_spelled;
    /* Text as it may be shown, as in croft_generate. Nonzero ends the answer with INFER_END_STOP. */
    int (*on_piece)(void *user, const struct croft_piece *piece);
    /* With sampling->logprobs each piece of the prompt has how probable its token was behind those before it: nothing
     * of the prompt is taken from the cache then. Where that is not known, the logprob is NAN. */
    enum infer_echo echo;

    /* ask: borrowed until on_done. The logits of its asks are written before on_done. */
    struct infer_tree *tree;

    /* embed: borrowed until on_done; as infer_session_embed_all has them */
    const struct infer_text *texts;
    size_t n_texts;
    enum model_pool pool;
    bool normalize;

    void (*on_done)(void *user, const struct infer_outcome *o);
    void *user;
};
/* FULL: the queue is; NO_ROOM: it can never fit; UNSUPPORTED: not with this kind of model; USAGE. *out, unless NULL,
 * is the caller's to free, whenever it likes. */
int infer_schedule(struct infer_scheduler *s, const struct infer_request *r, struct infer_ticket **out,
                   struct err *e) ERR_CHECK;
/* The request ends with CANCELLED before the next step, unless it has ended. */
void infer_ticket_cancel(struct infer_ticket *t);
void infer_ticket_free(struct infer_ticket *t); /* a request that runs goes on; NULL is fine */

struct infer_load {
    uint32_t n_running, n_waiting;
    uint32_t n_most;                               /* that may run and wait at a time */
    uint32_t cache_tokens, cache_used, cache_kept; /* pages in tokens: all, of running requests, of kept prefixes */
    uint64_t cache_bytes; /* of memory, once all of the cache was used */
    double wait_s; /* how long a request that comes now will wait, as the last ones did */
    uint64_t n_requests, n_prompt, n_cached, n_generated, n_steps; /* since the start; tokens */
};
void infer_scheduler_load(struct infer_scheduler *s, struct infer_load *out);
struct infer_engine *infer_scheduler_engine(const struct infer_scheduler *s);

#endif
