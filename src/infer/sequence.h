/* One answer being written, without a session: logits go in, tokens to be evaluated next come out. infer_generate
 * runs one over a session; the scheduler runs many over a batch.
 *
 *   logits ─ mask, sampler ─> token ─ grammar ─ tok_stream ─> whole characters ─ infer_stop ─> text ─> on_piece
 *
 * `next` are the tokens to evaluate: those that were sampled or must follow, and behind them n_guess guesses of what
 * will, taken from what the sequence has seen. Guesses are checked against what is sampled from their own logits, so
 * they change the number of steps and nothing else. */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include "base_arena.h"
#include "infer_generate.h"
#include "infer_grammar.h"
#include "infer_sample.h"

enum {
    INFER_TOP_MAX = 64,
    INFER_FORCED_MAX = 32,
    INFER_GUESS_MAX = 7,
    INFER_NEXT = 1 + INFER_FORCED_MAX + INFER_GUESS_MAX
};

struct infer_sequence {
    const struct infer_engine *engine;
    const struct tok *tok; /* or NULL */
    struct croft_sampling p;
    struct arena strings; /* of p */
    croft_on_piece *on_piece;
    void *user;
    struct infer_sampler *sampler;
    struct infer_match *match; /* NULL: free */
    struct tok_stream stream;
    const int32_t *spelled; /* [n_spelled] control tokens that are shown; borrowed. None, unless the caller sets them */
    size_t n_spelled;
    struct infer_stop stop;
    struct buf chars, text; /* from the detokeniser; what may be shown */
    char tail[64];          /* the end of all that went through chars */
    size_t n_tail;
    struct croft_logprob top[INFER_TOP_MAX];
    struct croft_piece piece;

    int32_t next[INFER_NEXT];
    uint32_t n_next, n_guess; /* all; of them guesses, at the end */
    size_t n_generated;
    bool shows_end; /* the token that ends the answer is shown, without text; the caller sets it */
    bool ended;
    enum croft_end end;
};

/* `sampling` is copied, NULL: greedy; a grammar is referenced, or NULL; room: as a sampler has it, or NULL. */
int infer_sequence_init(struct infer_sequence *q, const struct infer_engine *g, const struct tok *tok,
                        const struct croft_sampling *sampling, struct infer_grammar *grammar,
                        struct infer_sample_room *room, croft_on_piece *on_piece, void *user,
                        struct err *e) ERR_CHECK;
void infer_sequence_done(struct infer_sequence *q);
/* What comes before the answer: penalties count it. */
void infer_sequence_see(struct infer_sequence *q, const int32_t *prompt, size_t n);
/* Show a token of the prompt; logits: those behind the token before it, or NULL. Stop strings do not see it. */
int infer_sequence_echo(struct infer_sequence *q, const float *logits, int32_t token, struct err *e) ERR_CHECK;
/* logits [n_guess + 1, n_vocab]: after the last token of `next` that is no guess, and after each guess. Sets `next`,
 * or `ended` and `end`. *out_kept: how many of the guesses were right; the others must leave the session. */
int infer_sequence_take(struct infer_sequence *q, const float *logits, uint32_t *out_kept, struct err *e) ERR_CHECK;
/* Add at most `most` guesses to `next`, from the session's tokens. */
void infer_sequence_guess(struct infer_sequence *q, const int32_t *past, size_t n_past, uint32_t most);
/* The answer is over: what was held back is shown. */
void infer_sequence_finish(struct infer_sequence *q);

#endif
