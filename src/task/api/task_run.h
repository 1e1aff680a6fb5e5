/* Answering a task's inputs one after the other: a scheduler and a task_model of its own, and a wait for each answer.
 * One thread at a time. */
#ifndef TASK_RUN_H
#define TASK_RUN_H

#include "base_buf.h"
#include "infer.h"
#include "task_calib.h"

struct task_runner;

struct task_answer {
    int label;                 /* classify: index of the label; else -1 */
    const double *probability; /* classify: [n_labels] or [n_choices], adds up to 1; borrowed until the next answer */
    double seconds;            /* from text to answer */
    uint32_t n_prompt, n_evaluated; /* prompt tokens, and how many tokens were evaluated in all */
    struct task_judgement judgement;
    struct task_token_signals tokens; /* of a written answer, where they are gathered */
    const float *vector;              /* [n_embd] of the input, likewise, or NULL; borrowed as `probability` */
};

/* Borrows engine and task. UNSUPPORTED: the model cannot answer this kind of task. n_ctx 0: the model's, at most
 * 4096. */
/* path: as in struct task_engine. */
int task_runner_new(struct infer_engine *engine, const struct task *task, const char *path, uint32_t n_ctx,
                    struct task_runner **out, struct err *e) ERR_CHECK;
/* The same, to gather what a calibration is made from (task_observe): all signals, and with `vector` the input's vector
 * even where that costs another pass. */
int task_runner_new_measuring(struct infer_engine *engine, const struct task *task, const char *path, uint32_t n_ctx,
                              bool vector, struct task_runner **out, struct err *e) ERR_CHECK;
void task_runner_free(struct task_runner *r);
/* The group of the inputs from now on (struct task_call), borrowed; NULL: not said. */
void task_runner_group(struct task_runner *r, const char *group);
unsigned task_runner_n_embd(const struct task_runner *r); /* of the vectors that it gathers */
const struct task_model *task_runner_model(const struct task_runner *r);

/* classify: the most probable label, and its name appended to `text` (may be NULL). extract, generate: the text,
 * appended to it. Errors as task_model_ask and struct task_result have them. */
int task_runner_answer(struct task_runner *r, const char *input, struct task_answer *out, struct buf *text,
                       struct err *e) ERR_CHECK;

/* The same where the input has choices of its own (classify, and not by a fitted head): `label` is an index among
 * them. */
int task_runner_choose(struct task_runner *r, const char *input, const char *const *choices, unsigned n_choices,
                       struct task_answer *out, struct buf *text, struct err *e) ERR_CHECK;

#endif
