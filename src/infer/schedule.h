/* What schedule.c (requests, queue, thread) and step.c (one evaluation for all of them) share. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "pages.h"
#include "infer_schedule.h"
#include "sequence.h"

#include <pthread.h>
#include <stdatomic.h>

enum { INFER_PARALLEL_MAX = 64, INFER_OWNERS = 256 };

/* A request, from infer_schedule to on_done; its memory lives until the caller has freed the ticket too. */
struct infer_ticket {
    struct infer_request r; /* prompt and sampling are not borrowed any more: see tokens and seq */
    struct infer_scheduler *scheduler;
    struct infer_ticket *next; /* in the queue */
    atomic_int refs;
    atomic_bool cancelled;
    bool generates;
    struct infer_session *session; /* while it runs */
    struct infer_sequence seq;
    int32_t *tokens; /* [n_tokens] the prompt and what was written; of these the session has evaluated n_past */
    uint32_t n_tokens, room;
    uint32_t n_prompt, n_cached;
    uint32_t n_echoed; /* tokens of the prompt that were shown */
    size_t n_texts_done;
    bool began, left; /* it has run before; its prompt is in the tree of prefixes */
    bool displaced;   /* while it waits: another owner has its place */
    uint32_t stop[2]; /* of a recurrent family: tokens behind which a state is left on the way; 0: none */
    double came_s, began_s, first_s;
};

struct infer_scheduler {
    struct infer_engine *engine;
    const struct tok *tok;
    struct infer_scheduler_params p;
    struct infer_pages *pages;      /* NULL: an encoder */
    struct infer_session *embedder; /* made by the first embedding */
    struct infer_session *spare[INFER_PARALLEL_MAX];
    uint32_t n_spare;
    float *rows; /* [n_rows, n_vocab] logits of a step */
    uint32_t n_rows;
    struct infer_sample_room *draw; /* of all samplers: tokens are drawn one after the other */
    struct infer_batch_item item[INFER_PARALLEL_MAX];
    struct infer_ticket *running[INFER_PARALLEL_MAX]; /* in the order in which they began */
    uint32_t n_running;
    double decode_s[INFER_PARALLEL_MAX + 1]; /* a step in which so many decode and nothing else; 0: not known yet */
    double row_s;                            /* what a row of a prompt adds to a step. Running means, both */
    double earned_s;                         /* time that long prompts may take of the streams' */
    struct {                                 /* the file of pinned prefixes (schedule_keep.c) */
        char *path;                          /* NULL: none */
        struct infer_image *image;           /* while the thread writes it */
        pthread_t thread;
        atomic_bool written, off;
    } keep;

    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;
    struct infer_ticket *queue; /* in the order in which they came */
    uint32_t n_waiting;
    atomic_bool stop;
    uint64_t turn[INFER_OWNERS], turns; /* when an owner was last served */
    struct infer_load load;
    double last_done_s, interval_s; /* between requests done one after the other: running mean */
};

/* Each token of its prompt is shown with how probable it was: the logits of all of them are needed. */
static inline bool infer_ticket_scores(const struct infer_ticket *t)
{
    return t->generates && t->r.echo && t->seq.p.logprobs;
}

/* step.c, on the scheduler's thread: */
/* Give a request a session with what the cache knows of its prompt. BUSY: not now; other errors: never. */
int infer_step_begin(struct infer_scheduler *s, struct infer_ticket *t, struct err *e);
/* One evaluation. Requests that ended are reported and leave. */
void infer_step(struct infer_scheduler *s);
/* schedule_keep.c: before the first request; on the scheduler's thread, after a step; when that thread has ended */
void infer_keep_open(struct infer_scheduler *s);
void infer_keep_step(struct infer_scheduler *s);
void infer_keep_close(struct infer_scheduler *s);
/* schedule.c: a request that runs has ended; e NULL: well. */
void infer_schedule_ended(struct infer_scheduler *s, struct infer_ticket *t, enum infer_end end, const struct err *e);
/* A request that runs goes back to the head of the queue: there is no memory for it to go on. */
void infer_schedule_again(struct infer_scheduler *s, struct infer_ticket *t);

#endif
