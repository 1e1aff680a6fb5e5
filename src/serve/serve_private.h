/* The server's insides: the object, endpoints, keys, models, and JSON helpers. */
#ifndef SERVE_PRIVATE_H
#define SERVE_PRIVATE_H

#include "base_buf.h"
#include "base_clock.h"
#include "base_log.h"
#include "base_mem.h"
#include "base_metric.h"
#include "base_str.h"
#include "infer_chat.h"
#include "infer_schedule.h"
#include "serve.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

struct serve_job;
struct serve_key;
struct serve_keys;
struct serve_piece;
struct task;
struct task_model;
struct serve_prep;
struct serve_cache;
struct serve_policy;
struct serve_routing;
struct serve_leg;
struct serve_fault;

/* ---- endpoints: one file each ---- */

struct serve_endpoint {
    const char *method, *path; /* a path that ends in "/" takes a name */
    const char *name;          /* label of metrics */
    bool open;                 /* needs no key */
    bool repeats;              /* the same body has the same answer: it is kept (cache.c) */
    /* Answered on the loop at once … */
    void (*answer)(struct serve *s, struct net_exchange *x, struct serve_key *key);
    /* … or prepared on another thread. Nonzero: job->fault is set. */
    int (*prepare)(struct serve_job *job, struct err *e);
    void (*piece)(struct serve_job *job, const struct serve_piece *p, const struct croft_logprob *top,
                  const char *text);       /* a piece came; may stream */
    void (*finish)(struct serve_job *job); /* all is done: answer */
    void (*free_data)(void *data);
};
struct serve_piece;
extern const struct serve_endpoint serve_ep_health, serve_ep_ready, serve_ep_metrics, serve_ep_models, serve_ep_model,
    serve_ep_chat, serve_ep_completions, serve_ep_embeddings, serve_ep_responses, serve_ep_decisions,
    serve_ep_systemone, serve_ep_tasks, serve_ep_task, serve_ep_deferred;

/* ---- the server ---- */

struct serve_metrics {
    struct metrics *set;
    struct metric *requests, *seconds, *first_token, *queued, *prompt_tokens, *cached_tokens, *answer_tokens;
    struct metric *running, *waiting, *cache, *connections, *busy, *repeated, *refused, *cut, *steps, *build;
};
struct serve {
    struct serve_params p;
    struct net_server *net;
    struct serve_metrics m;
    struct serve_models *models;
    struct serve_keys *keys; /* NULL: none are needed */
    struct serve_prep *prep;
    struct serve_cache *cache; /* NULL: off */
    struct serve_routing *routing; /* NULL: there are no tiers */
    struct net_post reload;
    atomic_bool reload_posted;
    bool loopback;
    uint64_t n_ids, n_jobs; /* jobs: not freed yet */
    double started_s;
};

/* ---- preparation threads (prep.c) ---- */

int serve_prep_new(struct serve *s, int n_threads, uint32_t n_queue, struct serve_prep **out,
                   struct err *e) ERR_CHECK;
void serve_prep_free(struct serve_prep *p);                       /* finishes what is queued */
bool serve_prep_add(struct serve_prep *p, struct serve_job *job); /* false: the queue is full */

/* ---- jobs (job.c) ---- */

/* The loop: a request for an endpoint with `prepare`. */
void serve_job_start(struct serve *s, const struct serve_endpoint *ep, struct net_exchange *x, struct serve_key *key,
                     const char *tail);
/* A preparation thread runs this; it posts the job back to the loop. */
void serve_job_prepare(struct serve_job *job);

/* ---- errors in OpenAI's shape (openai.c) ---- */

int serve_fault_status(const struct serve_fault *f);
void serve_fault_body(const struct serve_fault *f, struct buf *out);
/* On the loop: answer an exchange with an error. */
void serve_reply_fault(struct serve *s, struct net_exchange *x, const struct serve_fault *f);
void serve_reply_json(struct serve *s, struct net_exchange *x, json_t *body); /* 200; takes body */

/* ---- answers given before (cache.c) ---- */

struct serve_question {
    const struct serve_endpoint *endpoint;
    const struct serve_key *key; /* or NULL */
    const char *tail;            /* of the path */
    struct str body;
};
struct serve_cache *serve_cache_new(uint64_t max_bytes);
void serve_cache_free(struct serve_cache *c);
void serve_cache_clear(struct serve_cache *c); /* NULL is fine */
/* The answer, or {NULL, 0}; borrowed until the next call. generation: serve_models_generation. */
struct str serve_cache_find(struct serve_cache *c, const struct serve_question *q, uint64_t generation);
void serve_cache_keep(struct serve_cache *c, const struct serve_question *q, uint64_t generation, struct str answer);

/* The name behind a route that ends in "/", its escapes (%2F) decoded; false: none, a bad one, or too long a one. */
bool serve_path_name(const char *route, struct str path, char out[64]);

/* ---- keys (auth.c) ---- */

struct serve_key;
int serve_keys_load(const char *path, struct serve_keys **out, struct err *e) ERR_CHECK;
void serve_keys_free(struct serve_keys *k);
/* The keys of a newer file; owners and budgets of names that stay are kept. Takes `fresh`. */
void serve_keys_replace(struct serve_keys *k, struct serve_keys *fresh);
/* The key of "Bearer …"; NULL with a fault (401). */
struct serve_key *serve_key_find(struct serve_keys *k, struct str authorization, struct serve_fault *f);
/* May it make a request now? false with a fault (429) and *retry_s. */
bool serve_key_admit(struct serve_key *k, struct serve_fault *f, double *retry_s);
struct serve_key *serve_key_named(struct serve_keys *k, const char *name); /* or NULL */
bool serve_key_may_model(const struct serve_key *k, const char *name);
bool serve_key_may_task(const struct serve_key *k, const char *name);
void serve_key_spend(struct serve_key *k, uint64_t tokens);
uint32_t serve_key_owner(const struct serve_key *k);
const char *serve_key_name(const struct serve_key *k);

/* ---- models (models.c) ---- */

/* How a family writes calls of tools (tools.c). */
enum serve_tools {
    SERVE_TOOLS_NONE,
    SERVE_TOOLS_HERMES,
    SERVE_TOOLS_LLAMA3,
    SERVE_TOOLS_MISTRAL,
    SERVE_TOOLS_MISTRAL3,
    SERVE_TOOLS_LFM2
};
enum { SERVE_MARKERS = 8 };
/* The tokens of a vocabulary that stand around a family's calls; returns their number. */
uint32_t serve_tools_markers(enum serve_tools family, const struct tok *t, int32_t out[SERVE_MARKERS]);
struct serve_model { /* read-only once loaded, but for what a lock guards */
    atomic_int references;
    struct serve_models *owner;
    struct serve_model *next_retired;
    char *name, *path;
    char fingerprint[65]; /* of its weights (task_fit.h) */
    int64_t created;
    struct infer_engine *engine;
    struct tok *tok;
    struct infer_chat *chat; /* NULL: no template */
    struct infer_scheduler *scheduler;
    bool generates; /* false: an encoder, for embeddings */
    enum serve_tools tools;
    int32_t marker[SERVE_MARKERS]; /* tokens around calls: shown, also those that are control tokens */
    uint32_t n_markers, n_ctx, n_vocab;
    struct serve_grammars *grammars;
    struct task **definition; /* [n_tasks] as their files were when this version was loaded */
    struct task_model **task; /* [n_tasks] bound to this version */
    size_t n_tasks;
    uint64_t file_id[4]; /* device, inode, size, times of change of all its files: has one changed? */
};
/* The model that answers a task (check.c): a place in p->models. */
int serve_task_model(const struct serve_params *p, const struct serve_task_source *source, size_t *out,
                     struct err *e) ERR_CHECK;
int serve_models_new(struct serve *s, struct serve_models **out, struct err *e) ERR_CHECK;
void serve_models_free(struct serve_models *m);
size_t serve_models_n(const struct serve_models *m);
/* The newest version of model i, or by name: a reference, or NULL. Any thread. */
struct serve_model *serve_models_at(struct serve_models *m, size_t i);
struct serve_model *serve_models_find(struct serve_models *m, const char *name);
/* The model that answers a task; *out lives as long as the reference. */
struct serve_model *serve_models_of_task(struct serve_models *m, const char *task, struct task_model **out);
void serve_model_unref(struct serve_model *m); /* NULL is fine; what ends is freed by the models' own thread */
void serve_models_reload(struct serve_models *m);
/* Changes whenever a version does. Any thread. */
uint64_t serve_models_generation(const struct serve_models *m);

/* Compiled grammars, kept by their source (grammars.c). A reference in *out. kind: "schema", "json", "regex",
 * "choices", "gbnf"; choices: a JSON array. */
struct serve_grammars *serve_grammars_new(void);
void serve_grammars_free(struct serve_grammars *g);
int serve_grammar_get(struct serve_model *m, const char *kind, const char *text, size_t n, struct infer_grammar **out,
                      struct err *e) ERR_CHECK;

#endif
