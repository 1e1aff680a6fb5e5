/* Answering a task's inputs with a model. A runner holds the engine's session, the compiled prompt and the
 * labels' token tree; inputs that share a prefix (the system message, the prompt) evaluate only what differs.
 * One thread at a time. */
#ifndef TASK_RUN_H
#define TASK_RUN_H

#include "base_buf.h"
#include "infer.h"
#include "task_task.h"

struct task_runner;

struct task_answer {
    int label;         /* classify: index of the label */
    double logprob;    /* of the answer's tokens, given the prompt (natural logarithm) */
    double seconds;    /* from text to answer */
    uint32_t n_prompt, n_evaluated; /* prompt tokens, and how many tokens were evaluated in all */
};

/* Borrows engine and task. UNSUPPORTED: the model is an encoder, or the kind is not answered yet (embed). */
int task_runner_new(struct infer_engine *engine, const struct task *task, uint32_t n_ctx, struct task_runner **out,
                    struct err *e) ERR_CHECK;
void task_runner_free(struct task_runner *r);

/* classify: *out is the label whose tokens are most probable as the whole answer. extract, generate: greedy
 * text, appended to `text` (may be NULL for classify). NO_ROOM when the input does not fit. */
int task_runner_answer(struct task_runner *r, const char *input, struct task_answer *out, struct buf *text,
                       struct err *e) ERR_CHECK;

#endif
