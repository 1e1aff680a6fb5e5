/* Inputs as vectors: what heads and distances are fitted to. */
#ifndef TASK_VECTORS_H
#define TASK_VECTORS_H

#include "infer.h"
#include "model_tok.h"
#include "task_data.h"

/* out: [n, n_embd], of length 1, pooled as the model says, else by the mean. The session is empty afterwards. */
int task_vectors(struct infer_session *s, const struct tok *tok, const struct task *t, const struct task_examples *x,
                 float *out, struct err *e) ERR_CHECK;

#endif
