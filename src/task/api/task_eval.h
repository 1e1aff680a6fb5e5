/* Scoring a model on labelled examples: every example is answered, one after the other, and what came of it is kept, so
 * that measures, intervals, plots and comparisons with another model (task_report.h) are computed from the same
 * records. */
#ifndef TASK_EVAL_H
#define TASK_EVAL_H

#include "task_data.h"
#include "task_run.h"
#include "task_score.h"

struct task_record {
    char input_sha256[65];
    const char *input, *expected, *answer; /* texts; NULL where they are not known */
    long long line;                        /* of the example in its file */
    double ms;                             /* from input to answer */
    uint32_t n_prompt, n_evaluated;        /* tokens */
    enum task_verdict verdict;             /* of the calibration */
    bool failed;                           /* there was no answer: the input does not fit the context, or a text did
                                            * not end within the limit of tokens. Counts as wrong */
};
struct task_evaluation {
    enum task_answers kind;
    size_t n;
    struct task_outcome *outcome; /* [n] */
    struct task_record *record;   /* [n] */
    const char **class_name;      /* [n_classes] the task's labels, or all choices of the examples if they are few */
    unsigned n_classes;
    const char *confidence;       /* what it is: "calibration", "probability" of the chosen, "token_probability", the
                                   * geometric mean of a text's tokens; NULL: there is none */
    bool calibrated;              /* answers have verdicts, under this promise */
    struct task_promise promise;
    double seconds;               /* for all answers */
    double joules;                /* of all processors meanwhile; NaN: not readable here */
    struct arena arena;           /* owns the texts that the examples do not */
};

/* Called after each example; non-zero stops with CANCELLED. */
typedef int task_eval_fn(void *arg, size_t i, size_t n, const struct task_example *x, const struct task_answer *a,
                         const char *text, bool right);

/* Is the answer right: the label; equal JSON whatever the order of keys; equal text, where `output` is a JSON string;
 * or all that `expect` checks. Borrows the examples. FORMAT: names an example that has nothing to compare with;
 * UNSUPPORTED: the task's metric is not of answers of this kind. */
int task_eval(struct task_runner *r, const struct task *task, const struct task_examples *x, task_eval_fn *each,
              void *arg, struct task_evaluation *out, struct err *e) ERR_CHECK;
void task_evaluation_done(struct task_evaluation *v);
/* What the task's metric is of these answers. */
enum task_measure task_eval_measure(const struct task *t, const struct task_evaluation *v);

#endif
