/* How well a model predicts a text, and how far it is from another model on it. The method is llama-perplexity's, so
 * that figures compare: the text's tokens are cut into chunks of the context's length, each chunk starts with the BOS
 * token where the model wants one, and only the second half of a chunk counts, so that every counted token has at least
 * half a context before it. */
#ifndef TASK_TEXT_H
#define TASK_TEXT_H

#include "infer.h"

/* A file's text as tokens. *ids: mem_free; *bos: -1 if the model wants none. USAGE: the file is a device or a pipe. */
int task_text_tokens(const struct gguf *g, const char *path, int32_t **ids, size_t *n, int32_t *bos,
                     struct err *e) ERR_CHECK;

struct task_sum { /* of a quantity over the counted tokens */
    double sum, squares;
};
struct task_text_score {
    size_t n_tokens, n_chunks;
    struct task_sum nll;     /* -ln P(token) */
    /* with a base model */
    struct task_sum base_nll;
    struct task_sum ratio;   /* -ln P(token) less the base's: the logarithm of a ratio of perplexities */
    struct task_sum kl;      /* KL(base || model) = sum over the vocabulary of P_base ln(P_base / P), nats */
    struct task_sum change;  /* P(token) less the base's */
    size_t n_same_top;       /* the most likely token is the base's */
    double *kl_each;         /* [n_tokens] mem_free */
};
/* Called after each chunk. */
typedef void task_text_fn(void *arg, size_t chunk, size_t n_chunks, const struct task_text_score *so_far);

/* ids: n_chunks * n_ctx of them, changed and restored. Both sessions have room for n_ctx tokens and n_ctx - n_ctx / 2
 * rows of logits; base may be NULL. n_ctx ≥ 4. */
int task_text_score(struct infer_session *s, struct infer_session *base, int32_t *ids, uint32_t n_ctx,
                    size_t n_chunks, int32_t bos, task_text_fn *each, void *arg, struct task_text_score *out,
                    struct err *e) ERR_CHECK;
void task_text_score_done(struct task_text_score *t);

double task_sum_mean(const struct task_sum *s, size_t n);
double task_sum_error(const struct task_sum *s, size_t n); /* standard error of the mean */

#endif
