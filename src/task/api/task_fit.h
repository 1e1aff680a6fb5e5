/* What is fitted to a task's data for exactly one model, and stored beside its weights:
 *
 *   head    W, b: P(label | text) = softmax(W x + b) of the text's vector x (length 1). Encoders classify through it,
 *           and any model may
 *   prior   b: corrects the label distribution of a model that answers by choice for what it favours by itself
 *
 * File: MODEL.TASK.fit.json beside MODEL.gguf. It names the model by the fingerprint of its weights and the labels in
 * their order, and is refused for others. */
#ifndef TASK_FIT_H
#define TASK_FIT_H

#include "task_task.h"

struct task_fit {
    unsigned n_labels, n_embd; /* n_embd 0: a prior */
    float *weight;             /* [n_labels, n_embd] */
    float *bias;               /* [n_labels] */
    unsigned n_examples;       /* fitted to so many */
};
void task_fit_done(struct task_fit *f);

/* Multinomial logistic regression by maximum likelihood with a penalty l2/2 |W|^2, minimised with L-BFGS (Liu and
 * Nocedal, 1989): deterministic, and the same bits with any number of threads. x: [n, d]; label: [n]; n_threads 0:
 * one per CPU. */
int task_fit_head(const float *x, const unsigned *label, size_t n, unsigned d, unsigned n_labels, double l2,
                  int n_threads, struct task_fit *out, struct err *e) ERR_CHECK;
/* The b that makes the mean of softmax(ln p + b) over the examples equal to the shares of the labels among them, each
 * label counted once more than it occurs: the likeliest b. p: [n, n_labels]. */
int task_fit_prior(const double *p, const unsigned *label, size_t n, unsigned n_labels, struct task_fit *out,
                   struct err *e) ERR_CHECK;
/* Distribution [n_labels] of a vector [n_embd]; or, of a prior, of a distribution, in place. */
void task_fit_classify(const struct task_fit *f, const float *x, double *p);
void task_fit_correct(const struct task_fit *f, double *p);

/* The path of a model's fit for a task; mem_free. NULL without memory. */
char *task_fit_path(const char *model_path, const char *task_name);
int task_fit_save(const struct task_fit *f, const struct task *t, const char *model_path, const char *path,
                  struct err *e) ERR_CHECK;
/* NOT_FOUND: there is none; DIGEST: it was made for other weights or other labels; FORMAT: it is damaged. */
int task_fit_load(const struct task *t, const char *model_path, const char *path, struct task_fit *out,
                  struct err *e) ERR_CHECK;

#endif
