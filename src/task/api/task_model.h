/* A task answered by a model, through the scheduler that runs it: the prompt compiled once, its unchanging beginning
 * pinned in the cache, labels as a choice, a schema as a grammar. Read-only once made: ask from any thread. */
#ifndef TASK_MODEL_H
#define TASK_MODEL_H

#include "infer_chat.h"
#include "infer_schedule.h"
#include "task_calib.h"

struct task_model;

/* What answers; all borrowed. */
struct task_engine {
    struct infer_scheduler *scheduler;
    const struct tok *tok;
    const struct infer_chat *chat;   /* NULL: the model has no chat template; the prompt is then "system\n\nuser\n" */
    const struct infer_vocab *vocab; /* NULL: made here when a schema needs it */
    const char *path;                /* of the model: what was fitted for the task (task_fit.h) is looked for beside it;
                                      * NULL: nothing is. Read by task_model_new alone */
    bool own_choices;                /* every call brings its choices; else a task without labels is refused */
    bool measure;                    /* gather the signals that a calibration is made from, and judge by none */
    bool measure_vector;             /* … with the input's vector, an extra pass unless it is answered by a vector */
};
/* Borrows the task too. UNSUPPORTED: this model cannot answer this kind of task (an encoder classifies through a fitted
 * head); DIGEST: what was fitted is for other weights or labels. */
int task_model_new(const struct task_engine *g, const struct task *task, struct task_model **out,
                   struct err *e) ERR_CHECK;
void task_model_free(struct task_model *m); /* after its last answer */
const struct task *task_model_task(const struct task_model *m);
/* Does a text that another model wrote keep to the task's schema? 0 (also without one), or FORMAT. */
int task_model_check(struct task_model *m, const char *text, size_t n, struct err *e) ERR_CHECK;
/* The calibration that judges its answers, borrowed; NULL: they are all `uncalibrated`. Then *why (may be NULL) says
 * why: NOT_FOUND: there is none; DIGEST, FORMAT: there is one, and it is refused. */
const struct task_calibration *task_model_calibration(const struct task_model *m, struct err *why);

/* Borrowed for the callback. */
struct task_result {
    struct err err;            /* code 0, or why there is no answer */
    int label;                 /* classify: the most probable one */
    const double *probability; /* classify: [n_labels], or [n_choices] of the call; adds up to 1 */
    const char *text;          /* the label's name; the JSON that the schema admits; the text */
    size_t n;
    const float *vector;       /* embed: [n_embd] of length 1 */
    struct task_judgement judgement;    /* may it stand? (task_calib.h) */
    bool unanswered;                    /* out of scope, and so not answered (struct task_call) */
    const struct task_signals *signals; /* what that was judged by; only what was needed */
    struct infer_outcome o;
};
struct task_call {
    uint32_t owner;    /* as in struct infer_request */
    double deadline_s;
    const char *group; /* what the input's group is, for thresholds per group; copied; NULL: not said */
    bool scope_first;  /* where the input's vector shows that it is out of scope, do not answer it */
    void (*on_done)(void *user, const struct task_result *r); /* on the scheduler's thread; once for each call taken */
    void *user;
    const char *const *choices; /* classify: [n_choices] what may be answered here, borrowed until on_done; NULL: the */
    unsigned n_choices;         /* task's labels. A fitted prior is of the labels and does not correct these */
};
/* FORMAT: not UTF-8; NO_ROOM, FULL, … as infer_schedule. *out (may be NULL) is the caller's to free. */
int task_model_ask(struct task_model *m, const char *input, const struct task_call *call, struct infer_ticket **out,
                   struct err *e) ERR_CHECK;

#endif
