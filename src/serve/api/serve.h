/* The API server: OpenAI-compatible endpoints over the schedulers of one or several models. docs/SERVE.md says what
 * it speaks. One loop thread (net_server.h), a few threads that prepare requests, one scheduler thread a model. */
#ifndef SERVE_H
#define SERVE_H

#include "infer.h"
#include "net_server.h"

struct serve;
struct route_config;
struct serve_model_source {
    const char *name;  /* as requests call it */
    const char *model; /* what `resolve` turns into a file */
};
struct serve_task_source {
    const char *model; /* the name of one of the models; NULL: the only one */
    const char *path;  /* task.yaml */
};
struct serve_params {
    const struct serve_model_source *models; /* [n_models]; borrowed */
    size_t n_models;
    const struct serve_task_source *tasks; /* [n_tasks]; borrowed */
    size_t n_tasks;
    const struct route_config *routing; /* tiers and policy (route_policy.h); NULL: everything is answered here */
    const char *settings; /* file of the same, for serve_reload, or NULL */
    const char *receipts;               /* folder of receipts, budgets and deferred work; needed with routing */
    void *user;
    /* A model's file, mem_free. Called again at every reload, from a thread of the server. */
    int (*resolve)(void *user, const char *model, char **out_path, struct err *e);

    const char *host, *tls_cert, *tls_key, *keys_file; /* or NULL */
    int port;
    bool public_without_keys; /* an address that others can reach needs keys, unless this is set */
    struct net_limits limits;

    int n_threads;                                /* of each engine; 0: as infer_engine_open */
    uint32_t n_ctx, n_cache, n_parallel, n_queue; /* as infer_schedule.h */
    enum infer_kv kv;
    bool batch_invariant, log_content;
    uint64_t answers_bytes;   /* of decisions, embeddings and tasks' answers kept for the same request; 0: none */
    const char *prefixes_dir; /* where the tasks' prefixes stay from one start to the next, a file a model; or NULL */
    double deadline_s;        /* of requests that name none; 0: none */
    uint32_t max_tokens;      /* ceiling for one answer; 0: the context */
};
/* Is all that the settings name there and sound: keys, models, tasks, tiers and their keys, thresholds? Loads
 * nothing. */
int serve_check(const struct serve_params *p, struct err *e) ERR_CHECK;
/* Checks, loads the models, then listens: when it returns, requests are answered. */
int serve_new(const struct serve_params *p, struct serve **out, struct err *e) ERR_CHECK;
int serve_run(struct serve *s, struct err *e) ERR_CHECK; /* until serve_drain or serve_stop */
void serve_free(struct serve *s);
const char *serve_address(const struct serve *s); /* "http://127.0.0.1:8080" */
/* From any thread or a signal handler. */
void serve_drain(struct serve *s, double limit_s);
void serve_stop(struct serve *s);
/* Read the keys file and the routing's sections of `settings` again, and load those models anew whose file has changed,
 * or a task's file or fit; the old ones answer meanwhile. What is not sound stays as it was, and the log says why. */
void serve_reload(struct serve *s);

/* Append an entry for the keys file for a new random key, which is written to `key` ("croft-" and 43 characters). */
int serve_key_make(const char *name, char key[64], struct buf *out_entry, struct err *e) ERR_CHECK;

#endif
