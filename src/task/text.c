/* Scoring a text (task_text.h). Owns one double a counted token, for the quantiles of a comparison. One thread at a
 * time. Read next: src/infer/sample.c, whose log-sum this uses. */
#include "task_text.h"
#include "base_mem.h"
#include "infer_sample.h"
#include "model_tok.h"
#include "plat_file.h"

#include <errno.h>
#include <math.h>

int task_text_tokens(const struct gguf *g, const char *path, int32_t **ids, size_t *n, int32_t *bos, struct err *e)
{
    struct plat_map m = {0};
    struct tok *tok = NULL;
    int io = plat_map_open(&m, path);
    int rc = io == -EINVAL
                 ? ERR(e, USAGE, "'%.140s' is a device or a pipe. Put the text into an ordinary file.", path)
             : io ? err_errno(e, -io, "open the text", path)
                  : tok_new(g, &tok, e);
    if (rc == 0)
        rc = tok_encode(tok, m.size ? (const char *)m.data : "", m.size, TOK_ADD_SPECIAL, SIZE_MAX / 8, ids, n, e);
    if (rc == 0) *bos = tok_adds_bos(tok) ? tok_bos(tok) : -1;
    tok_free(tok);
    if (!io) plat_map_close(&m);
    return rc;
}

static void add(struct task_sum *s, double v)
{
    s->sum += v;
    s->squares += v * v;
}

double task_sum_mean(const struct task_sum *s, size_t n) { return s->sum / (double)n; }

double task_sum_error(const struct task_sum *s, size_t n)
{
    double mean = task_sum_mean(s, n), variance = s->squares / (double)n - mean * mean;
    return n > 1 && variance > 0 ? sqrt(variance / ((double)n - 1)) : 0;
}

/* One position: logits [n_vocab] of both models, and the token that follows. */
static void compare(const struct kern_ops *k, const float *logits, const float *base, uint32_t n_vocab, int32_t token,
                    struct task_text_score *out)
{
    double log_z = infer_log_sum(k, logits, n_vocab), base_log_z = infer_log_sum(k, base, n_vocab), kl = 0;
    uint32_t top = 0, base_top = 0;
    for (uint32_t v = 0; v < n_vocab; v++) {
        double l = logits[v] - log_z, b = base[v] - base_log_z;
        if (logits[v] > logits[top]) top = v;
        if (base[v] > base[base_top]) base_top = v;
        if (b > -745) kl += exp(b) * (b - l); /* below, exp is 0 */
    }
    double nll = log_z - logits[token], base_nll = base_log_z - base[token];
    kl = fmax(kl, 0); /* it is never negative; sums of rounded numbers may be */
    add(&out->base_nll, base_nll);
    add(&out->ratio, nll - base_nll);
    add(&out->change, exp(-nll) - exp(-base_nll));
    add(&out->kl, kl);
    out->kl_each[out->n_tokens] = kl;
    out->n_same_top += top == base_top;
}

static int eval_chunk(struct infer_session *s, const int32_t *ids, uint32_t n_ctx, struct err *e)
{
    uint32_t first = n_ctx / 2;
    int rc = infer_session_truncate(s, 0, e);
    if (rc == 0) rc = infer_session_eval(s, ids, first, INFER_LOGITS_NONE, e);
    if (rc == 0) rc = infer_session_eval(s, ids + first, n_ctx - first, INFER_LOGITS_ALL, e);
    return rc;
}

static int score_chunk(struct infer_session *s, struct infer_session *base, int32_t *ids, uint32_t n_ctx, int32_t bos,
                       struct task_text_score *out, struct err *e)
{
    const struct kern_ops *k = infer_engine_ops(infer_session_engine(s));
    uint32_t n_vocab = infer_engine_model(infer_session_engine(s))->n_vocab, first = n_ctx / 2;
    int32_t saved = ids[0];
    if (bos >= 0) ids[0] = bos;
    int rc = eval_chunk(s, ids, n_ctx, e);
    if (rc == 0 && base) rc = eval_chunk(base, ids, n_ctx, e);
    for (uint32_t i = first; i + 1 < n_ctx && rc == 0; i++) {
        const float *logits = infer_session_logits(s, i - first);
        add(&out->nll, -infer_logprob(k, logits, n_vocab, ids[i + 1]));
        if (base) compare(k, logits, infer_session_logits(base, i - first), n_vocab, ids[i + 1], out);
        out->n_tokens++;
    }
    out->n_chunks++;
    ids[0] = saved;
    return rc;
}

int task_text_score(struct infer_session *s, struct infer_session *base, int32_t *ids, uint32_t n_ctx,
                    size_t n_chunks, int32_t bos, task_text_fn *each, void *arg, struct task_text_score *out,
                    struct err *e)
{
    struct task_text_score t = {0};
    int rc = 0;
    if (base) {
        uint32_t a = infer_engine_model(infer_session_engine(s))->n_vocab;
        uint32_t b = infer_engine_model(infer_session_engine(base))->n_vocab;
        if (a != b) return ERR(e, USAGE, "The models have %u and %u tokens; only equal vocabularies compare.", a, b);
        if (!(t.kl_each = mem_calloc(n_chunks * n_ctx, sizeof *t.kl_each)))
            return err_nomem(e, n_chunks * n_ctx * sizeof *t.kl_each);
    }
    for (size_t c = 0; c < n_chunks && rc == 0; c++) {
        rc = score_chunk(s, base, ids + c * n_ctx, n_ctx, bos, &t, e);
        if (each && rc == 0) each(arg, c, n_chunks, &t);
    }
    if (rc)
        task_text_score_done(&t);
    else
        *out = t;
    return rc;
}

void task_text_score_done(struct task_text_score *t)
{
    mem_free(t->kl_each);
    *t = (struct task_text_score){0};
}
