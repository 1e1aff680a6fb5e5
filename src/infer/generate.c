/* The generation loop (infer_generate.h). Owns a sampler and two text buffers for the length of one answer.
 *
 *   token  --tok_stream-->  whole characters  --infer_stop-->  text that may be shown  -->  on_piece
 *
 * A token is evaluated only when another one is wanted after it, so the session ends one token short of the
 * answer. */
#include "infer_generate.h"
#include "base_clock.h"
#include "base_mem.h"
#include "infer_sample.h"

enum { PIECE_MAX = 1 << 20, TOP_MAX = 64 };

struct loop {
    struct infer_session *s;
    const struct tok *tok;
    const struct croft_sampling *p;
    croft_on_piece *on_piece;
    void *user;
    struct infer_sampler *sampler;
    struct tok_stream stream;
    struct infer_stop stop;
    struct buf chars, text; /* from the detokeniser; what may be shown */
    struct croft_logprob top[TOP_MAX];
    struct croft_piece piece;
};

int infer_session_prompt(struct infer_session *s, const int32_t *tokens, size_t n, size_t *out_reused,
                         struct err *e)
{
    const int32_t *have = infer_session_tokens(s);
    size_t n_past = infer_session_n_past(s), same = 0;
    if (n == 0) return ERR(e, USAGE, "The prompt is empty; give at least one token.");
    if (n > infer_session_n_ctx(s))
        return ERR(e, NO_ROOM,
                   "The prompt has %zu tokens and the context %u: %zu too many. Use a longer context or a "
                   "shorter prompt.",
                   n, infer_session_n_ctx(s), n - infer_session_n_ctx(s));
    while (same < n_past && same < n - 1 && have[same] == tokens[same]) same++; /* the last gives logits */
    if (same < n_past && infer_session_is_recurrent(s)) same = 0;
    int rc = infer_session_truncate(s, same, e);
    if (rc == CROFT_E_UNSUPPORTED) rc = infer_session_truncate(s, same = 0, e); /* cancelled inside a chunk */
    if (!rc) rc = infer_session_eval(s, tokens + same, n - same, INFER_LOGITS_LAST, e);
    if (!rc && out_reused) *out_reused = same;
    return rc;
}

static int make_sampler(struct loop *l, struct err *e)
{
    const struct croft_sampling *p = l->p;
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
                                     .n_bias = p->n_bias};
    if (p->n_top < 0 || p->n_top > TOP_MAX) return ERR(e, USAGE, "n_top must be 0 to %d.", TOP_MAX);
    if (p->max_tokens < 0) return ERR(e, USAGE, "max_tokens must not be negative.");
    int rc = infer_stop_init(&l->stop, p->stop, p->n_stop, e);
    if (rc) return rc;
    return infer_sampler_new(&sp, infer_engine_model(infer_session_engine(l->s))->n_vocab, &l->sampler, e);
}

/* Show what is in l->text, with the token that brought it. Nonzero: the callback wants to stop. */
static int show(struct loop *l, int32_t token)
{
    l->piece.text = l->text.data ? l->text.data : "";
    l->piece.n = l->text.len;
    l->piece.token = token;
    int stop = l->on_piece ? l->on_piece(l->user, &l->piece) : 0;
    buf_clear(&l->text);
    return stop;
}

static void logprobs(struct loop *l, const float *logits, int32_t token)
{
    const struct infer_engine *g = infer_session_engine(l->s);
    const struct kern_ops *k = infer_engine_ops(g);
    uint32_t n_vocab = infer_engine_model(g)->n_vocab;
    if (!l->p->logprobs) return;
    l->piece.logprob = (float)infer_logprob(k, logits, n_vocab, token);
    l->piece.n_top = infer_top_logprobs(k, logits, n_vocab, l->p->n_top, l->top);
    l->piece.top = l->top;
}

/* One token: draw, show. Sets *end and returns true when it is the last. */
static bool step(struct loop *l, int32_t *out_token, enum croft_end *end, size_t *n_generated)
{
    const float *logits = infer_session_logits(l->s, 0);
    int32_t token = *out_token = infer_sampler_draw(l->sampler, logits);
    if (token < 0) {
        *end = CROFT_END_EOS; /* every token is banned: nothing can follow */
        return true;
    }
    infer_sampler_accept(l->sampler, token);
    ++*n_generated;
    if (l->tok && !l->p->ignore_eos && tok_is_end(l->tok, token)) {
        *end = CROFT_END_EOS;
        return true;
    }
    logprobs(l, logits, token);
    buf_clear(&l->chars);
    if (l->tok) tok_stream_push(&l->stream, token, &l->chars);
    infer_stop_push(&l->stop, l->chars.data ? l->chars.data : "", l->chars.len, &l->text);
    *end = CROFT_END_CALLBACK;
    if (show(l, token)) return true;
    *end = CROFT_END_STOP_STRING;
    return l->stop.stopped;
}

/* What the detokeniser and the stop strings still hold back. */
static void last_text(struct loop *l)
{
    buf_clear(&l->chars);
    if (l->tok) tok_stream_flush(&l->stream, &l->chars);
    infer_stop_push(&l->stop, l->chars.data ? l->chars.data : "", l->chars.len, &l->text);
    infer_stop_flush(&l->stop, &l->text);
    l->piece.logprob = 0;
    l->piece.n_top = 0;
    if (l->text.len) show(l, -1);
}

/* The context is full and the caller allowed it: keep the first n_keep tokens and the newer half of the rest,
 * forget what lies between, and evaluate the kept half anew at its new positions (exact, unlike rotating
 * cached keys). */
static int shift(const struct loop *l, struct err *e)
{
    struct infer_session *s = l->s;
    size_t n = infer_session_n_past(s), keep = (size_t)(l->p->n_keep > 0 ? l->p->n_keep : 0);
    if (keep > n / 2) keep = n / 2;
    size_t tail = (n - keep) / 2, total = keep + tail;
    int32_t *ids = mem_alloc(total * sizeof *ids);
    if (!ids) return err_nomem(e, total * sizeof *ids);
    const int32_t *have = infer_session_tokens(s);
    memcpy(ids, have, keep * sizeof *ids);
    memcpy(ids + keep, have + n - tail, tail * sizeof *ids);
    int rc = infer_session_prompt(s, ids, total, NULL, e);
    mem_free(ids);
    return rc;
}

int infer_generate(struct infer_session *s, const struct tok *tok, const int32_t *prompt, size_t n,
                   const struct croft_sampling *sampling, croft_on_piece *on_piece, void *user,
                   struct croft_result *out, struct err *e)
{
    struct croft_sampling greedy;
    struct croft_result r = {.end = CROFT_END_LENGTH, .n_prompt = n};
    croft_sampling_init(&greedy);
    struct loop l = {
        .s = s, .tok = tok, .p = sampling ? sampling : &greedy, .on_piece = on_piece, .user = user};
    buf_init(&l.chars, PIECE_MAX);
    buf_init(&l.text, PIECE_MAX);
    if (tok) tok_stream_init(&l.stream, tok, false);
    int rc = make_sampler(&l, e);
    if (rc) goto out;
    double start = clock_now_s();
    if ((rc = infer_session_prompt(s, prompt, n, &r.n_reused, e))) goto out;
    for (size_t i = 0; i < n; i++) infer_sampler_accept(l.sampler, prompt[i]);
    double prompted = clock_now_s();
    r.prompt_s = prompted - start;
    size_t max = l.p->max_tokens > 0 ? (size_t)l.p->max_tokens : SIZE_MAX;
    while (r.n_generated < max) {
        int32_t token;
        enum croft_end end;
        if (step(&l, &token, &end, &r.n_generated)) {
            r.end = end;
            break;
        }
        if ((rc = buf_check(&l.chars, "the answer", e)) || (rc = buf_check(&l.text, "the answer", e)))
            goto out;
        bool full = infer_session_n_past(s) == infer_session_n_ctx(s);
        if (r.n_generated == max || (full && !(l.p->context_shift && infer_session_n_ctx(s) > 1))) break;
        if (full && (rc = shift(&l, e))) goto out;
        if ((rc = infer_session_eval(s, &token, 1, INFER_LOGITS_LAST, e))) goto out;
    }
    if (r.end != CROFT_END_CALLBACK) last_text(&l);
    r.generate_s = clock_now_s() - prompted;
    if (out) *out = r;
out:
    infer_sampler_free(l.sampler);
    buf_done(&l.chars);
    buf_done(&l.text);
    return rc;
}

void croft_sampling_init(struct croft_sampling *s)
{
    *s = (struct croft_sampling){.typical_p = 1, .top_p = 1, .repeat_penalty = 1, .penalty_last_n = 64};
}
