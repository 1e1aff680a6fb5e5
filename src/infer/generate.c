/* The generation loop (infer_generate.h): a sequence over a session. A token is evaluated only when another one is
 * wanted after it, so the session ends one token short of the answer. */
#include "sequence.h"
#include "base_clock.h"
#include "base_mem.h"

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

/* The context is full and the caller allowed it: keep the first n_keep tokens and the newer half of the rest,
 * forget what lies between, and evaluate the kept half anew at its new positions (exact, unlike rotating
 * cached keys). */
static int shift(struct infer_session *s, const struct croft_sampling *p, struct err *e)
{
    size_t n = infer_session_n_past(s), keep = (size_t)(p->n_keep > 0 ? p->n_keep : 0);
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
    struct croft_result r = {.n_prompt = n};
    struct infer_sequence q;
    uint32_t kept;
    int rc = infer_sequence_init(&q, infer_session_engine(s), tok, sampling, NULL, NULL, on_piece, user, e);
    if (rc) return rc;
    double start = clock_now_s();
    if ((rc = infer_session_prompt(s, prompt, n, &r.n_reused, e))) goto out;
    infer_sequence_see(&q, prompt, n);
    double prompted = clock_now_s();
    r.prompt_s = prompted - start;
    for (;;) {
        if ((rc = infer_sequence_take(&q, infer_session_logits(s, 0), &kept, e))) goto out;
        bool full = infer_session_n_past(s) == infer_session_n_ctx(s);
        if (!q.ended && full && !(q.p.context_shift && infer_session_n_ctx(s) > 1)) {
            q.ended = true;
            q.end = CROFT_END_LENGTH;
        }
        if (q.ended) break;
        if (full && (rc = shift(s, &q.p, e))) goto out;
        if ((rc = infer_session_eval(s, q.next, q.n_next, INFER_LOGITS_LAST, e))) goto out;
    }
    infer_sequence_finish(&q);
    r.end = q.end;
    r.n_generated = q.n_generated;
    r.generate_s = clock_now_s() - prompted;
    if (out) *out = r;
out:
    infer_sequence_done(&q);
    return rc;
}

void croft_sampling_init(struct croft_sampling *s)
{
    *s = (struct croft_sampling){.typical_p = 1, .top_p = 1, .repeat_penalty = 1, .penalty_last_n = 64};
}
