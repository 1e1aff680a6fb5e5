/* An answer, token by token (sequence.h). Owns a sampler, the state in a grammar and two text buffers. One thread. */
#include "sequence.h"

#include <math.h>
#include <string.h>

enum { PIECE_MAX = 1 << 20, STRINGS_MAX = 1 << 20 };

/* ---- life ---- */

static int copy_strings(struct infer_sequence *q, struct err *e)
{
    struct croft_sampling *p = &q->p;
    size_t bytes = p->n_stop * sizeof *p->stop;
    const char **stop = arena_alloc(&q->strings, bytes);
    if (!stop) return err_nomem(e, bytes);
    for (size_t i = 0; i < p->n_stop; i++)
        if (!(stop[i] = arena_strndup(&q->strings, p->stop[i], strlen(p->stop[i]))))
            return err_nomem(e, strlen(p->stop[i]));
    p->stop = stop;
    return 0;
}

static int make_sampler(struct infer_sequence *q, struct infer_sample_room *room, struct err *e)
{
    const struct croft_sampling *p = &q->p;
    struct infer_sample_params sp = {.temperature = p->temperature,
                                     .top_k = p->top_k,
                                     .typical_p = p->typical_p,
                                     .top_p = p->top_p,
                                     .min_p = p->min_p,
                                     .repeat_penalty = p->repeat_penalty,
                                     .frequency_penalty = p->frequency_penalty,
                                     .presence_penalty = p->presence_penalty,
                                     .penalty_last_n = p->penalty_last_n,
                                     .seed = p->seed,
                                     .bias = p->bias,
                                     .n_bias = p->n_bias,
                                     .room = room};
    return infer_sampler_new(&sp, infer_engine_model(q->engine)->n_vocab, &q->sampler, e);
}

int infer_sequence_init(struct infer_sequence *q, const struct infer_engine *g, const struct tok *tok,
                        const struct croft_sampling *sampling, struct infer_grammar *grammar,
                        struct infer_sample_room *room, croft_on_piece *on_piece, void *user, struct err *e)
{
    *q = (struct infer_sequence){.engine = g, .tok = tok, .on_piece = on_piece, .user = user};
    if (sampling)
        q->p = *sampling;
    else
        croft_sampling_init(&q->p);
    arena_init(&q->strings, STRINGS_MAX);
    buf_init(&q->chars, PIECE_MAX);
    buf_init(&q->text, PIECE_MAX);
    if (tok) tok_stream_init(&q->stream, tok, false);
    int rc = 0;
    if (q->p.n_top < 0 || q->p.n_top > INFER_TOP_MAX)
        rc = ERR(e, USAGE, "n_top must be 0 to %d.", INFER_TOP_MAX);
    else if (q->p.max_tokens < 0)
        rc = ERR(e, USAGE, "max_tokens must not be negative.");
    if (!rc) rc = infer_stop_init(&q->stop, q->p.stop, q->p.n_stop, e); /* checks them; then again with the copies */
    if (!rc) rc = copy_strings(q, e);
    if (!rc) rc = infer_stop_init(&q->stop, q->p.stop, q->p.n_stop, e);
    if (!rc) rc = make_sampler(q, room, e);
    if (!rc && grammar) rc = infer_match_new(grammar, &q->match, e);
    q->p.bias = NULL; /* the sampler has its own */
    if (rc) infer_sequence_done(q);
    return rc;
}

void infer_sequence_done(struct infer_sequence *q)
{
    infer_sampler_free(q->sampler);
    infer_match_free(q->match);
    buf_done(&q->chars);
    buf_done(&q->text);
    arena_done(&q->strings);
    q->sampler = NULL;
    q->match = NULL;
}

void infer_sequence_see(struct infer_sequence *q, const int32_t *prompt, size_t n)
{
    for (size_t i = 0; i < n; i++) infer_sampler_accept(q->sampler, prompt[i]);
}

/* ---- text ---- */

/* Show what is in `text`, with the token that brought it. Nonzero: the callback wants to stop. */
static int show(struct infer_sequence *q, int32_t token)
{
    q->piece.text = q->text.data ? q->text.data : "";
    q->piece.n = q->text.len;
    q->piece.token = token;
    int stop = q->on_piece ? q->on_piece(q->user, &q->piece) : 0;
    buf_clear(&q->text);
    return stop;
}

static void logprobs(struct infer_sequence *q, const float *logits, int32_t token)
{
    const struct kern_ops *k = infer_engine_ops(q->engine);
    uint32_t n_vocab = infer_engine_model(q->engine)->n_vocab;
    if (!q->p.logprobs) return;
    q->piece.logprob = (float)infer_logprob(k, logits, n_vocab, token);
    q->piece.n_top = infer_top_logprobs(k, logits, n_vocab, q->p.n_top, q->top);
    q->piece.top = q->top;
}

/* The new characters in `chars` go through the stop strings. */
static void pass(struct infer_sequence *q)
{
    size_t n = q->chars.len < sizeof q->tail ? q->chars.len : sizeof q->tail;
    size_t keep = n + q->n_tail < sizeof q->tail ? q->n_tail : sizeof q->tail - n;
    if (n) {
        memmove(q->tail, q->tail + q->n_tail - keep, keep);
        memcpy(q->tail + keep, q->chars.data + q->chars.len - n, n);
        q->n_tail = keep + n;
    }
    infer_stop_push(&q->stop, q->chars.data ? q->chars.data : "", q->chars.len, &q->text);
    buf_clear(&q->chars);
}

void infer_sequence_finish(struct infer_sequence *q)
{
    if (q->end == CROFT_END_CALLBACK) return;
    if (q->tok) tok_stream_flush(&q->stream, &q->chars);
    pass(q);
    infer_stop_flush(&q->stop, &q->text);
    q->piece.logprob = 0;
    q->piece.n_top = 0;
    if (q->text.len) show(q, -1);
}

/* ---- tokens ---- */

static void end(struct infer_sequence *q, enum croft_end why)
{
    q->ended = true;
    q->end = why;
}

static bool is_spelled(const struct infer_sequence *q, int32_t token)
{
    size_t i = 0;
    while (i < q->n_spelled && q->spelled[i] != token) i++;
    return i < q->n_spelled;
}

/* The answer goes on with a token. */
static int add(struct infer_sequence *q, int32_t token, struct err *e)
{
    bool last = q->tok && !q->p.ignore_eos && tok_is_end(q->tok, token);
    infer_sampler_accept(q->sampler, token);
    q->n_generated++;
    int rc = q->match ? infer_match_accept(q->match, token, e) : 0;
    if (rc) return rc;
    if (last) {
        end(q, CROFT_END_EOS);
        if (q->shows_end) show(q, token);
        return 0;
    }
    q->stream.special = is_spelled(q, token);
    if (q->tok) tok_stream_push(&q->stream, token, &q->chars);
    pass(q);
    if (show(q, token))
        end(q, CROFT_END_CALLBACK);
    else if (q->stop.stopped)
        end(q, CROFT_END_STOP_STRING);
    else if (q->match && infer_match_complete(q->match))
        end(q, CROFT_END_EOS);
    else if (q->p.max_tokens > 0 && q->n_generated >= (size_t)q->p.max_tokens)
        end(q, CROFT_END_LENGTH);
    rc = buf_check(&q->chars, "the answer", e);
    return rc ? rc : buf_check(&q->text, "the answer", e);
}

int infer_sequence_echo(struct infer_sequence *q, const float *logits, int32_t token, struct err *e)
{
    q->piece.logprob = NAN;
    q->piece.n_top = 0;
    if (logits) logprobs(q, logits, token);
    q->stream.special = is_spelled(q, token);
    if (q->tok) tok_stream_push(&q->stream, token, &q->chars);
    buf_add(&q->text, q->chars.data, q->chars.len);
    buf_clear(&q->chars);
    show(q, token); /* who wants no more of it cancels */
    return buf_check(&q->text, "the prompt", e);
}

/* What the grammar leaves no choice about need not be sampled. */
static int force(struct infer_sequence *q, struct err *e)
{
    int32_t ids[INFER_FORCED_MAX];
    size_t n = 0;
    if (!q->match || !q->tok || q->p.logprobs || q->ended) return 0;
    int rc = infer_match_forced_tokens(q->match, q->tok, q->tail, q->n_tail, INFER_FORCED_MAX, ids, &n, e);
    for (size_t i = 0; i < n && !q->ended && !rc; i++) {
        q->piece.n_top = 0;
        q->piece.logprob = 0;
        rc = add(q, ids[i], e);
        q->next[q->n_next++] = ids[i];
    }
    return rc;
}

int infer_sequence_take(struct infer_sequence *q, const float *logits, uint32_t *out_kept, struct err *e)
{
    uint32_t n_vocab = infer_engine_model(q->engine)->n_vocab, n_guess = q->n_guess, kept = 0;
    int32_t guess[INFER_GUESS_MAX];
    memcpy(guess, q->next + q->n_next - n_guess, n_guess * sizeof *guess);
    q->n_next = q->n_guess = 0;
    for (;; kept++, logits += n_vocab) {
        const uint32_t *mask = NULL;
        if (q->match && !(mask = infer_match_mask(q->match, e))) return e->code;
        int32_t token = infer_sampler_draw(q->sampler, logits, mask);
        if (token < 0) {
            if (q->match) return ERR(e, UNSUPPORTED, "No token of this model's vocabulary can go on in the grammar.");
            end(q, CROFT_END_EOS); /* every token is banned: nothing can follow */
            break;
        }
        logprobs(q, logits, token);
        int rc = add(q, token, e);
        if (rc) return rc;
        if (q->ended) break;
        if (kept < n_guess && guess[kept] == token) continue;
        q->next[q->n_next++] = token;
        if ((rc = force(q, e))) return rc;
        break;
    }
    *out_kept = kept;
    return 0;
}

/* The latest place in the past that ends as the sequence ends now, in its last tokens; what came after it there comes
 * again, perhaps: values copied from the input, and what recurs in lists. */
void infer_sequence_guess(struct infer_sequence *q, const int32_t *past, size_t n_past, uint32_t most)
{
    enum { SAME = 2 };
    int32_t tail[SAME];
    if (q->n_next == 0 || q->ended) return;
    if (most > INFER_GUESS_MAX) most = INFER_GUESS_MAX;
    for (int i = 0; i < SAME; i++) { /* the last SAME tokens, of past and next */
        size_t back = SAME - (size_t)i;
        if (back > q->n_next + n_past) return;
        tail[i] = back <= q->n_next ? q->next[q->n_next - back] : past[n_past + q->n_next - back];
    }
    for (size_t at = n_past; at-- > SAME;) { /* past[at - SAME, at) equals the tail */
        if (past[at - 1] != tail[SAME - 1] || past[at - 2] != tail[SAME - 2]) continue;
        for (; q->n_guess < most && at < n_past; at++, q->n_guess++) q->next[q->n_next++] = past[at];
        return;
    }
}
