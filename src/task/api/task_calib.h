/* Knowing when an answer is wrong. A calibration is fitted to labelled examples for exactly one model, one fit and one
 * task, and says of an answer how probably it is right, and whether it may stand: answers that may are wrong in at most
 * a stated share, with a stated confidence, although the threshold was chosen from data (docs/CALIBRATION.md).
 *
 * File: MODEL.TASK.calibration.json beside MODEL.gguf. Read-only once loaded: judge from any thread. */
#ifndef TASK_CALIB_H
#define TASK_CALIB_H

#include "task_task.h"

struct task_calibration;

enum task_verdict {
    TASK_UNCALIBRATED,   /* nothing is known: no calibration holds here, or a signal that it needs is missing */
    TASK_ACCEPT,         /* within the promise */
    TASK_LOW_CONFIDENCE, /* the confidence is below the threshold, or no threshold kept the promise */
    TASK_OUT_OF_SCOPE    /* the input is unlike those of the task */
};
const char *task_verdict_name(enum task_verdict v); /* "accept", "low_confidence", … */

/* Over the tokens of a written answer. margin: log-probability of the best token less that of the second, negative
 * where a constraint took another than the best. */
struct task_token_signals {
    uint32_t n;
    double logprob_mean, logprob_min, margin_mean, margin_min;
};
/* What is at hand about an answer when it has been given. */
struct task_signals {
    const double *probability; /* classify: [n_labels], as task_model gave it; NULL: not a classification */
    int label;                 /* classify: the answer */
    struct task_token_signals tokens; /* extract, generate; n 0: not at hand */
    const float *vector;       /* [n_embd] of the input, length 1; NULL: not at hand */
    const char *group;         /* what the input's group column says (`--per COLUMN`), or NULL */
};
struct task_judgement {
    enum task_verdict verdict;
    double confidence; /* calibrated probability of being right; NaN if uncalibrated */
    double novelty;    /* how unlike the training inputs: 0 … 1 is usual, the limit is 1; NaN without a vector */
};

/* Where it is stored; mem_free. NULL without memory. */
char *task_calibration_path(const char *model_path, const char *task_name);
/* The calibration of a model and a task, from where `croft calibrate` wrote it. NOT_FOUND: there is none; DIGEST: it
 * was made for other weights, another fit, or another revision of the task; FORMAT: it is damaged. The task is not
 * kept. */
int task_calibration_load(const struct task *t, const char *model_path, struct task_calibration **out,
                          struct err *e) ERR_CHECK;
void task_calibration_free(struct task_calibration *c); /* NULL is fine */
/* Allocates nothing. */
struct task_judgement task_calibration_judge(const struct task_calibration *c, const struct task_signals *s);
/* How unlike the training inputs the input of this vector is, as a judgement has it: beyond 1 it is out of scope,
 * whatever the answer would be. NaN: the calibration does not know. */
double task_calibration_novelty(const struct task_calibration *c, const float *vector);
unsigned task_calibration_wants_vector(const struct task_calibration *c); /* its length; 0: none */
bool task_calibration_wants_tokens(const struct task_calibration *c);

/* What a calibration promises. CONFIDENCE: of the answers that it accepts at most `target_error` are wrong (or: their
 * mean loss is at most that), with probability `confidence` over the examples that it was made from. EXPECTATION: the
 * loss that accepted answers bring to an input, 0 where none is accepted, is at most `target_error` in the mean over
 * inputs and over the examples; `confidence` is 0. */
enum task_bound { TASK_BOUND_CONFIDENCE, TASK_BOUND_EXPECTATION };
struct task_promise {
    double target_error, confidence;
    enum task_bound bound;
    bool holds;      /* false: no threshold kept the promise, and nothing is accepted */
    double coverage; /* share of the calibration inputs that it accepted */
    double threshold; /* the confidence from which on it accepts; with several groups the lowest; 2 if !holds */
    uint32_t n;       /* examples that it was made from */
};
/* The fewest examples that could show it for this many groups, if all of them are right: half of them decide. */
uint64_t task_promise_needed(const struct task_promise *p, size_t n_groups);
struct task_promise task_calibration_promise(const struct task_calibration *c);
/* The column of the task's data that says an input's group, where groups have thresholds of their own; else NULL. */
const char *task_calibration_column(const struct task_calibration *c);
/* SHA-256 of the file that it was loaded from, which names the weights, the fit, the task's revision and when it was
 * made: what was learned about answers under one digest says nothing about another's. */
const char *task_calibration_digest(const struct task_calibration *c);

/* SHA-256 over what an answer depends on: kind, system, prompt, the labels' names in their order, schema. */
int task_revision(const struct task *t, char out[65], struct err *e) ERR_CHECK;

#endif
