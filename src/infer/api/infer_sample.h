/* From logits to a token, log-probabilities, and stop strings. Nothing here touches a session. */
#ifndef INFER_SAMPLE_H
#define INFER_SAMPLE_H

#include <croft/croft.h>

#include "base_buf.h"

struct kern_ops;

/* Steps run in this order, the reference's: bias, penalties, top_k, typical_p, top_p, min_p, temperature,
 * draw. INFER_SAMPLE_DEFAULTS is greedy with every step off. */
struct infer_sample_params {
    float temperature; /* ≤ 0: greedy (the highest logit after bias and penalties; ties: the lowest id) */
    int32_t top_k;     /* the k most likely; ≤ 0: off */
    float typical_p;   /* locally typical set of that mass; ≥ 1: off */
    float top_p;       /* smallest set of that mass; ≥ 1: off */
    float min_p;       /* at least this share of the most likely one's probability; ≤ 0: off */
    float repeat_penalty; /* 1: off. Divides positive logits of recent tokens, multiplies negative ones */
    float frequency_penalty, presence_penalty; /* 0: off. Subtracted per occurrence, and once */
    int32_t penalty_last_n;                    /* recent tokens that count; 0: off */
    uint64_t seed;
    const struct croft_bias *bias; /* copied by infer_sampler_new */
    size_t n_bias;
    struct infer_sample_room *room; /* scratch; borrowed while the sampler lives. NULL: it makes its own */
};
#define INFER_SAMPLE_DEFAULTS                                                                                \
    {                                                                                                        \
        .typical_p = 1, .top_p = 1, .repeat_penalty = 1, .penalty_last_n = 64                                \
    }

/* What a draw works in, 24 bytes for each token of a vocabulary; samplers that draw one after the other can share it.
 */
struct infer_sample_room;
int infer_sample_room_new(uint32_t n_vocab, struct infer_sample_room **out, struct err *e) ERR_CHECK;
void infer_sample_room_free(struct infer_sample_room *r); /* after the samplers; NULL is fine */

struct infer_sampler;
/* Allocates all it will need for n_vocab logits. USAGE names a parameter that makes no sense. */
int infer_sampler_new(const struct infer_sample_params *p, uint32_t n_vocab, struct infer_sampler **out,
                      struct err *e) ERR_CHECK;
void infer_sampler_free(struct infer_sampler *s);
/* A token for logits [n_vocab], among those whose bit (id % 32 of word id / 32) is set in `mask` (NULL: all); -1 if no
 * logit is a number above -infinity. The same seed, parameters and logits give the same tokens on every machine. */
int32_t infer_sampler_draw(struct infer_sampler *s, const float *logits, const uint32_t *mask);
/* Tell it a token of the sequence (the prompt's too, if penalties should see them). */
void infer_sampler_accept(struct infer_sampler *s, int32_t token);
void infer_sampler_reset(struct infer_sampler *s); /* empty history, the seed again */

/* ln of the sum of exp(logits), with a kernel's exp: within 1e-6. A log-probability is a logit minus it. */
double infer_log_sum(const struct kern_ops *k, const float *logits, uint32_t n_vocab);
/* ln softmax(logits)[token] of the raw logits. */
double infer_logprob(const struct kern_ops *k, const float *logits, uint32_t n_vocab, int32_t token);
/* The n most likely, best first; returns how many (≤ n). n ≤ 64 is meant: cost grows with it. */
size_t infer_top_logprobs(const struct kern_ops *k, const float *logits, uint32_t n_vocab, size_t n,
                          struct croft_logprob *out);

/* Stop strings over streamed text: what comes out never holds a stop string, nor the beginning of one that a
 * later piece completes. Pieces are any bytes. */
enum { INFER_STOP_MAX = 16, INFER_STOP_BYTES = 256 };
struct infer_stop {
    const char *string[INFER_STOP_MAX]; /* borrowed */
    size_t length[INFER_STOP_MAX];
    int n;
    bool stopped; /* a stop string was met: nothing comes out any more */
    char held[INFER_STOP_BYTES];
    size_t n_held;
};
int infer_stop_init(struct infer_stop *s, const char *const *strings, size_t n, struct err *e) ERR_CHECK;
/* Appends what may be shown to out. */
void infer_stop_push(struct infer_stop *s, const char *text, size_t n, struct buf *out);
void infer_stop_flush(struct infer_stop *s,
                      struct buf *out); /* the text ended: what was held back comes out */

#endif
