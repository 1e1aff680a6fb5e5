/* Looking at a task before a model is asked: are its data sets sound, and does what is asked fit a model. */
#ifndef TASK_CHECK_H
#define TASK_CHECK_H

#include "infer_chat.h"
#include "task_data.h"

enum { TASK_N_SPLITS = 3 };

struct task_finding {
    bool is_error; /* the task cannot be used as it is; else it can, and measures less than it seems to */
    const char *text;
};
struct task_split_facts { /* labels: of classify; answers of other kinds are not counted */
    const char *path;                  /* NULL: the task names no such data, or it could not be read */
    size_t n;                          /* examples */
    unsigned n_labels;                 /* different labels that occur */
    const char *commonest, *rarest;    /* of those; NULL without labels */
    size_t n_commonest, n_rarest;
    size_t n_duplicate;                /* examples with the input and answer of an earlier one */
    size_t n_conflict;                 /* inputs with several answers */
    size_t n_seen;                     /* examples whose input is among the training examples */
};
struct task_check {
    struct task_split_facts split[TASK_N_SPLITS]; /* by enum task_split */
    struct task_examples examples[TASK_N_SPLITS]; /* n = 0: none */
    struct task_finding *finding;                 /* [n_findings] errors first */
    size_t n_findings, n_errors, cap;
    struct arena arena;                           /* owns the texts; borrows names from the examples and the task */
};

/* Damaged or missing data is a finding; only running out of memory is an error. Borrows the task. */
int task_check_data(const struct task *t, struct task_check *out, struct err *e) ERR_CHECK;
void task_check_done(struct task_check *c);

/* Tokens of the examples' prompts and of the answers. */
struct task_sizes {
    size_t n_prompts;
    double p50, p95;               /* prompt tokens */
    size_t max_prompt, max_answer; /* answer: the longest label, choice or output */
    const char *longest_answer;    /* NULL: there is none */
    size_t n_too_long;             /* examples that do not fit n_ctx with their longest answer */
    size_t n_ctx;
};
/* How the task fits a model with this tokenizer and chat template (NULL: none) in a context of n_ctx tokens. What does
 * not fit, and labels or a schema that the model cannot be asked for, become findings of `c`. */
int task_check_model(const struct task *t, struct task_check *c, const struct tok *tok, const struct infer_chat *chat,
                   size_t n_ctx, struct task_sizes *out, struct err *e) ERR_CHECK;

#endif
