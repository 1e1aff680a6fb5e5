/* Scoring a model on labelled examples. */
#ifndef TASK_EVAL_H
#define TASK_EVAL_H

#include "task_data.h"
#include "task_run.h"

struct task_report {
    size_t n, n_right;
    double score, floor;      /* the task's metric, and what the task requires of it */
    double accuracy, accuracy_lo,
        accuracy_hi;          /* share right (classify: label; else: equal JSON or text), 95 % Wilson */
    double macro_f1;          /* classify, else 0 */
    double seconds, per_second, p50_ms, p99_ms;
    uint64_t n_prompt, n_evaluated; /* tokens */
    uint32_t *confusion;      /* [n_labels, n_labels] rows = truth; NULL unless classify */
};

/* Called after each example; non-zero stops with CANCELLED. */
typedef int task_eval_fn(void *arg, size_t i, size_t n, const struct task_example *x, const struct task_answer *a,
                         const char *text, bool right);

int task_eval(struct task_runner *r, const struct task *task, const struct task_examples *x, task_eval_fn *each,
              void *arg, struct task_report *out, struct err *e) ERR_CHECK;
void task_report_done(struct task_report *r);

#endif
