/* What an evaluation says: measures with intervals, plots, latency, and the comparison with another model on the same
 * examples. As JSON (format "croft-eval-1": docs/EVAL.md names every member) it can be stored, and compared with again;
 * as one HTML page it can be printed. */
#ifndef TASK_REPORT_H
#define TASK_REPORT_H

#include "base_buf.h"
#include "task_boot.h"
#include "task_eval.h"

struct task_report {
    /* set before task_report_init; borrowed */
    const struct task *task;
    const char *model, *model_path, *data; /* as named by the user; the file; the examples' file */
    struct task_evaluation *v;
    unsigned n_draws; /* of the bootstrap */
    uint64_t seed;
    bool with_inputs; /* inputs, expectations and answers go into the JSON; else inputs as SHA-256 alone */
    /* made by it */
    enum task_measure measure; /* the task's metric */
    char fingerprint[65], revision[65]; /* of the model's weights; of the task */
    struct task_outcomes outcomes;
    struct task_interval interval[TASK_N_MEASURES];
    size_t n_right, n_failed;
    size_t n_verdict[4], n_verdict_right[4]; /* by enum task_verdict, if the evaluation is calibrated */
    double mean_ms, p50_ms, p95_ms, p99_ms;
    uint64_t n_prompt, n_evaluated; /* tokens */
};
int task_report_init(struct task_report *r, struct err *e) ERR_CHECK;
void task_report_done(struct task_report *r);

struct task_against {
    const char *name; /* of the other model; borrowed */
    double other;     /* its score */
    struct task_comparison c;
};
/* The other's evaluation must be of the same examples in the same order, or the first of them: FORMAT says where they
 * part. */
int task_report_against(struct task_report *r, struct task_evaluation *other, const char *name,
                        struct task_against *out, struct err *e) ERR_CHECK;
/* The records of a stored report, with the classes of `like`. *out_model: mem_free. FORMAT: it is no such report. */
int task_report_read(const char *path, const struct task_evaluation *like, struct task_evaluation *out,
                     char **out_model, struct err *e) ERR_CHECK;
bool task_report_is(const char *path); /* does the file begin as one? */
/* A stored report as it is (json_decref; docs/EVAL.md names its members), and whether it is of these weights and, where
 * t is not NULL, of this revision of the task. */
int task_report_load(const char *path, json_t **out, struct err *e) ERR_CHECK;
int task_report_is_of(const json_t *report, const char *model_path, const struct task *t, bool *out_model,
                      bool *out_task, struct err *e) ERR_CHECK;

struct task_gate {
    double floor;          /* 0: none */
    double max_regression; /* of the score against the other's; NaN: any */
    bool by_bound;         /* the lower ends of the 95 % intervals must keep them, not the values */
};
/* BELOW_FLOOR: which of them is broken, by what. `a` may be NULL. */
int task_gate(const struct task_gate *g, const struct task_report *r, const struct task_against *a,
              struct err *e) ERR_CHECK;

/* `a` and `g` may be NULL; NULL without memory. */
json_t *task_report_json(const struct task_report *r, const struct task_against *a, const struct task_gate *g);
/* A page without scripts or anything from elsewhere, of a report's JSON. */
int task_report_html(const json_t *report, struct buf *out, struct err *e) ERR_CHECK;

#endif
