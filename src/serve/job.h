/* A request that needs work beyond the loop: its way through the server's threads.
 *
 *     loop          route, key, limits ─▶ job ─┐                        ┌─▶ reply, or pieces of a stream ─▶ freed
 *     preparation   JSON, template, tokens ◀───┘─▶ infer_schedule ─┐    │
 *     scheduler                                                    └────┴─ pieces, outcomes: into the mailbox
 *
 * The job belongs to one side at a time: to a preparation thread between serve_job_start and its post, to the loop
 * before and after. What the scheduler's thread hands over goes through `mail`, under `lock`. The loop frees the job
 * when nothing is outstanding: every ticket has had its on_done, and preparation has ended. */
#ifndef SERVE_JOB_H
#define SERVE_JOB_H

#include "serve_private.h"

enum { SERVE_CHOICES_MAX = 128 };

/* What a request is refused or fails with, in the shape OpenAI's clients expect. */
struct serve_fault {
    struct err err;   /* code 0: none */
    int status;       /* 0: that of err.code */
    char param[96];   /* the field at fault, or "" */
    const char *code; /* "model_not_found", …, or NULL */
};

/* One sequence asked of the scheduler: choice i of the answer. */
struct serve_ask {
    struct serve_job *job;
    struct infer_ticket *ticket; /* set under the job's lock */
    bool submitted, done;
    struct infer_outcome outcome;
};

struct serve_job {
    struct net_post post;   /* to the loop */
    struct serve_job *next; /* in the preparation queue */
    struct serve *serve;
    const struct serve_endpoint *endpoint;
    struct net_exchange *x;    /* the loop's; NULL once answered or left */
    atomic_bool left;          /* the client is gone */
    struct serve_key *key;     /* or NULL */
    struct serve_model *model; /* a reference */
    struct buf body;
    uint64_t generation; /* of the models when it came */
    char tail[64];       /* of the path, for /v1/tasks/NAME */
    json_t *in;          /* the parsed body */
    char id[48];
    int64_t created;
    double arrived_s, deadline_s;
    struct serve_fault fault;
    bool prepared; /* the preparation has ended (set by the post that says so) */
    bool streaming, replied;
    uint32_t prompt_tokens, cached_tokens, answer_tokens;
    size_t digits;            /* of numbers in the answer, as a flag of jansson; 0: nine, a float's */
    double queued_s, first_s; /* for metrics; first_s: clock of the first piece, 0 before */

    pthread_mutex_t lock;
    bool posted; /* `post` is on its way */
    bool prepare_ended;
    struct buf mail;       /* struct serve_piece records */
    struct serve_ask *ask; /* [n_ask] */
    uint32_t n_ask;

    void *data; /* the endpoint's; freed by endpoint->free_data */

    /* Where there are tiers (routing.h); the loop's, once prepared. */
    struct serve_policy *policy; /* under which it began: a reference */
    struct serve_leg *leg;    /* [n_legs] one an answer; NULL: none */
    uint32_t n_legs, n_away;  /* away: being answered elsewhere */
    bool again;               /* prepared for the second time: the tiers failed */
    struct serve_model *planned_model; /* then: a reference to that of the first time, which legs point into */
    bool leg_headers;         /* are out */
    bool silent;              /* there is no client (background.c) */
    bool may_wait, deferring; /* the client can wait for its answer; the request is being put on disk */
    struct serve_job *next_silent;
    char asked_class[64], asked_tier[64], subject[65];
};

/* A piece of an answer in the mailbox: the head, then n_top struct croft_logprob, then n bytes of text. */
struct serve_piece {
    uint32_t choice, n, n_top;
    int32_t token; /* -1: text that was held back */
    float logprob;
};

/* Preparation thread: hand a sequence to the model's scheduler. */
int serve_job_submit(struct serve_job *job, uint32_t i, struct infer_request *r, struct err *e) ERR_CHECK;
int serve_job_asks(struct serve_job *job, uint32_t n, struct err *e) ERR_CHECK; /* room for n asks */
/* For sequences that others submit: `submitted` is set before, the ticket given after; then, from any thread, it
 * ends. */
void serve_job_ticket(struct serve_job *job, uint32_t i, struct infer_ticket *ticket);
void serve_job_done(struct serve_job *job, uint32_t i, const struct infer_outcome *o);

/* The loop: look at the job again. Prepare it once more, without what its endpoint made of it; false: the queue is
 * full. */
void serve_job_wake(struct serve_job *job);
bool serve_job_again(struct serve_job *job);
bool serve_job_defer(struct serve_job *job); /* likewise: put its request on disk */

/* The loop, in endpoint callbacks: answer. */
void serve_job_reply(struct serve_job *job, int status, json_t *body);        /* takes body; NULL is out of memory */
void serve_job_event(struct serve_job *job, const char *event, json_t *data); /* one SSE event; takes data */
void serve_job_raw(struct serve_job *job, const char *bytes);
void serve_job_end(struct serve_job *job); /* of a stream */
void serve_job_fail(struct serve_job *job, struct serve_fault *f);

/* Refuse a request: fills the fault, returns its code. */
int serve_refuse(struct serve_job *job, int code, const char *param, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
