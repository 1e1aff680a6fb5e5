/* Answers from elsewhere: the server's policy and tiers (policy.c), books and receipts (routing.c), and the way of one
 * answer (leg.c). Without tiers in the settings file none of this exists: serve->routing and job->leg are NULL.
 *
 *     preparation   serve_leg_begin ── plan: local first? ──┬─ ask the local model
 *                                                            └─ (nothing is asked here)
 *     loop          serve_legs_go ── verdict stands ─────────▶ over
 *                        └─ away: budget, redaction, receipt's place, tier ─▶ answer ─▶ over
 *                                 ▲ next tier ◀──── failure, garbage, no money ──┘
 *     loop          serve_legs_close: receipts, headers, figures */
#ifndef ROUTING_H
#define ROUTING_H

#include "job.h"
#include "route_agree.h"
#include "route_policy.h"
#include "route_receipt.h"
#include "route_upstream.h"

struct task;
struct task_judgement;

enum { SERVE_PACES = 256 };

/* A tier as long as any policy has it as it is: its breaker and its pace outlive a change of everything else. */
struct serve_tier {
    uint32_t references; /* policies; the loop's */
    struct route_upstream *up;
    double ms; /* what an answer takes: median of the last ones; 0: not known. Under the routing's lock */
};
/* What the settings file says about tiers and policy, as of one reading: read-only once it is in force. The routing
 * holds a reference to the newest, each job with legs one to that under which it began. */
struct serve_policy {
    atomic_int references;
    const struct route_config *c;
    struct route_config *own; /* c, if it is freed with this */
    struct route_detectors *detectors; /* NULL: nothing is looked for */
    struct serve_tier *tier[ROUTE_MAX_TIERS]; /* by the config's tiers */
    struct serve_policy *next; /* the one that took its place: a reference, since shared upstreams borrow from it */
};

struct serve_routing {
    struct serve *serve;
    struct net_client *client;
    struct route_health *health;
    struct route_receipts *log;
    struct route_store *store;
    struct route_subject_salt salt;
    struct metric *answers, *cost, *tier_state, *lost, *checks, *trusts;
    struct serve_trust { /* the loop's */
        char task[ROUTE_NAME_MAX];
        char version[65]; /* its calibration's digest */
        struct route_agreement a;
    } trust[SERVE_PACES];
    size_t n_trusts;
    struct serve_job *silent; /* jobs without a client that are under way; the loop's */
    struct metric *deferred;
    pthread_t worker; /* delivers deferred work */
    bool has_worker;
    struct net_post renew;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t some;
    struct serve_policy *policy; /* in force; changed by the loop */
    struct serve_policy *fresh;  /* read and sound, on its way to the loop; or NULL */
    bool stopping, worker_ended;
    struct serve_pace {
        char task[ROUTE_NAME_MAX];
        double ms; /* what a local answer takes: running mean */
    } pace[SERVE_PACES];
    size_t n_paces;
};
int serve_routing_new(struct serve *s, struct serve_routing **out, struct err *e) ERR_CHECK; /* as s->p says */
void serve_routing_free(struct serve_routing *r);                /* NULL is fine */
void serve_routing_figures(struct serve_routing *r);             /* before /metrics is written */
double serve_pace_ms(struct serve_routing *r, const char *task); /* 0: not known yet */
void serve_pace_note(struct serve_routing *r, const char *task, double ms);
void serve_tier_pace_note(struct serve_routing *r, struct serve_tier *t); /* the loop */
void serve_tier_paces(struct serve_routing *r, const struct serve_policy *p, double out_ms[ROUTE_MAX_TIERS]);
/* The local model was passed over for its pace: believed a little less each time, so that it is tried again. */
void serve_pace_fade(struct serve_routing *r, const char *task);

/* ---- policies (policy.c) ---- */

/* The first: its tiers are opened, and it is in force. */
int serve_policy_first(struct serve_routing *r, const struct route_config *c, struct err *e) ERR_CHECK;
struct serve_policy *serve_policy_get(struct serve_routing *r); /* a reference to the one in force; any thread */
void serve_policy_let(struct serve_policy *p);                  /* gives one back; the loop; NULL is fine */
/* Read the settings file again, off the loop: a sound one is in force soon after, a bad one is told in the log. */
void serve_policy_reload(struct serve *s);
void serve_policy_renew(struct net_post *post); /* the loop: … puts it in force */

/* What a job without a client is for; all borrowed but the request, of which a reference is taken. */
struct serve_silent {
    const struct serve_endpoint *endpoint;
    struct serve_model *model;
    struct serve_key *key;
    const struct task *task;
    struct serve_policy *policy; /* of the plan */
    const struct route_plan *plan;
    json_t *request;
    const char *parent, *id, *subject;
};
/* NULL without memory. It ends when its legs have. */
struct serve_job *serve_job_silent(struct serve *s, const struct serve_silent *like);

struct serve_leg {
    struct serve_job *job;
    uint32_t i;              /* of the job's legs */
    const struct task *task; /* NULL: a chat */
    struct route_plan plan;
    struct route_receipt receipt;
    json_t *request;                 /* what another tier would be asked; NULL: it cannot be */
    json_t *sent;                    /* the same as the tier asked last saw it */
    bool stream, usage_chunk;        /* the client is to get a tier's answer as it comes; with its usage at the end */
    enum route_verdict_kind verdict; /* of the local answer; set before its ask is done */
    double confidence;               /* calibrated; NaN: none */
    char *input;                     /* a task's, where it may be captured */
    char *local_text;                /* the local answer, where it may be compared */
    struct err local_err, tier_err;  /* why there is no local answer, and none of the tier asked last */
    bool asked_here, wants_local;    /* wants_local: the tiers failed before the local model was asked */
    bool unanswered;                 /* the local model found the input out of scope, and gave no answer yet */

    int at; /* of the plan's tiers: the next to be asked */
    struct route_call *call;
    struct route_conversation *conversation;
    struct route_reservation money;
    struct serve_restores *restores; /* of a stream */
    bool begun;                      /* a piece of a tier's answer has gone out */

    int tier;       /* that answered; -1: here */
    json_t *answer; /* of a tier: chat.completion, restored */
    int label;      /* classify */
    char *text;     /* of a tier: the answer to the task */
    char *raw_text; /* the same before values were put back, where it may be captured */
    bool over, degraded;
    void (*on_over)(struct serve_leg *leg); /* of a job without a client: all is known */
    void *user;
};

/* ---- preparation ---- */

int serve_legs_new(struct serve_job *job, uint32_t n, struct err *e) ERR_CHECK;
/* Plan leg i. texts [n]: what detectors look at. Takes request. DENIED, NOT_FOUND: what the request's headers ask
 * for. */
int serve_leg_begin(struct serve_job *job, uint32_t i, const struct task *task, const char *const *texts, size_t n,
                    json_t *request, struct err *e) ERR_CHECK;
/* The local model refused the request with rc: 0 if another tier is asked instead, else rc. */
int serve_leg_refused(struct serve_leg *leg, int rc, struct err *e) ERR_CHECK;
/* What the calibration says of the local answer; before its ask is done, from any thread. */
void serve_leg_verdict(struct serve_leg *leg, const struct task_judgement *j, const char *text, size_t n);
/* A chat request as other tiers may see it, or NULL if it asks for what only Croft has. */
json_t *serve_leg_chat_request(const json_t *in);

/* ---- the loop ---- */

/* Its task as the local model answers it, or NULL. */
struct task_model *serve_leg_task(const struct serve_leg *leg);
/* All local answers are there: judge them and ask elsewhere. True while something is under way; then finish comes
 * when the last has ended. */
bool serve_legs_go(struct serve_job *job);
void serve_legs_cancel(struct serve_job *job); /* the client left */
/* Before the answer: the headers, if it is one answer. */
void serve_legs_headers(struct serve_job *job);
void serve_legs_close(struct serve_job *job, int status); /* receipts */
void serve_legs_free(struct serve_job *job);
/* "croft": {…} of one result among several. */
json_t *serve_leg_json(const struct serve_leg *leg);
/* Has the job a tier's answer to a chat? Then it is the answer. */
bool serve_leg_reply_chat(struct serve_job *job);
/* Why leg i has no answer at all; code 0: it has one. */
const struct err *serve_leg_error(const struct serve_leg *leg);

/* The one leg of an endpoint whose answers are always the local model's, so that they have receipts, too. */
void serve_leg_plain(struct serve_job *job);
/* A leg that no local answer precedes: its tiers, now. */
void serve_leg_start(struct serve_leg *leg);

/* ---- answers that nobody waits for (background.c) ---- */

void serve_trust_load(struct serve_routing *r);
void serve_trust_keep(struct serve_routing *r);
enum route_trust serve_trust_in(const struct serve_leg *leg); /* the local tier, for this leg's task */
void serve_check_maybe(struct serve_leg *leg);                /* the local answer stands: compare it, now and then */
/* May this leg's request wait until a tier can be reached? Preparation thread: put it on disk. */
bool serve_leg_may_defer(const struct serve_leg *leg);
int serve_leg_defer(struct serve_leg *leg, struct err *e) ERR_CHECK;
json_t *serve_leg_deferred_json(const struct serve_leg *leg);
int serve_background_start(struct serve_routing *r, struct err *e) ERR_CHECK;
void serve_background_stop(struct serve_routing *r); /* the loop has ended */

/* ---- a tier's stream to the client (leg_stream.c) ---- */

/* How many JSON strings the texts of a tier's answer stand in: is its content a JSON document? */
int serve_leg_content_depth(const struct serve_leg *leg);
bool serve_leg_chunk(void *user, json_t *chunk);
void serve_leg_stream_end(struct serve_leg *leg, const struct route_result *r);
void serve_leg_stream_free(struct serve_leg *leg);

#endif
