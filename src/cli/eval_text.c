/* A model on a text: perplexity, and with a base model the distance from it (eval.h). `croft perplexity` and
 * `croft eval --perplexity, --kl` are the same measurement. Read next: src/task/text.c. */
#include "eval.h"
#include "task_metrics.h"
#include "task_text.h"

#include <math.h>
#include <unistd.h>

struct side {
    struct infer_engine *engine;
    struct infer_session *session;
    int32_t *ids, bos;
    size_t n;
};

static void show(void *arg, size_t chunk, size_t n_chunks, const struct task_text_score *t)
{
    bool last = chunk + 1 == n_chunks;
    fprintf(stderr, "\rchunk %zu of %zu: %.4f%s", chunk + 1, n_chunks, exp(task_sum_mean(&t->nll, t->n_tokens)),
            last ? "\r\033[K" : "");
}

static int open_side(const char *model, const struct cli_text *t, struct side *out, struct err *e)
{
    uint32_t n_ctx = (uint32_t)t->engine.ctx;
    int rc = cli_engine_open(model, &t->engine, &out->engine, e);
    if (rc == 0) rc = cli_session_open(out->engine, &t->engine, n_ctx - n_ctx / 2, &out->session, e);
    if (rc == 0) rc = task_text_tokens(infer_engine_gguf(out->engine), t->path, &out->ids, &out->n, &out->bos, e);
    if (rc == 0 && out->n < n_ctx)
        rc = ERR(e, USAGE, "'%s' has %zu tokens; a chunk of %u needs more text, or a smaller --ctx.", t->path, out->n,
                 n_ctx);
    return rc;
}

static void close_side(struct side *s)
{
    mem_free(s->ids);
    infer_session_free(s->session);
    infer_engine_close(s->engine);
}

/* Distributions over different tokens have no distance. */
static int same_tokens(const struct side *a, const struct side *b, struct err *e)
{
    size_t i = 0;
    while (i < a->n && i < b->n && a->ids[i] == b->ids[i]) i++;
    if (a->n == b->n && i == a->n && a->bos == b->bos) return 0;
    return ERR(e, USAGE,
               "The models cut the text into different tokens, first at token %zu: they cannot be compared.", i + 1);
}

/* ---- what is said ---- */

static json_t *quantiles_json(const struct task_text_score *r)
{
    size_t n = r->n_tokens;
    double p50 = task_quantile(r->kl_each, n, 0.5), p90 = task_quantile(r->kl_each, n, 0.9),
           p99 = task_quantile(r->kl_each, n, 0.99), p999 = task_quantile(r->kl_each, n, 0.999);
    return json_pack("{s:f s:f s:f s:f s:f}", "p50", p50, "p90", p90, "p99", p99, "p999", p999, "max",
                     r->kl_each[n - 1]); /* sorted now */
}

static json_t *kl_json(const struct cli_text *t, const struct task_text_score *r)
{
    size_t n = r->n_tokens;
    double lo, hi;
    task_wilson(r->n_same_top, n, 1.959963984540054, &lo, &hi);
    return json_pack("{s:s s:f s:f s:f s:o s:f s:f s:f s:f s:f s:f}", "base", t->base, "base_perplexity",
                     exp(task_sum_mean(&r->base_nll, n)), "mean", task_sum_mean(&r->kl, n), "error",
                     task_sum_error(&r->kl, n), "quantiles", quantiles_json(r), "ln_ratio",
                     task_sum_mean(&r->ratio, n), "ln_ratio_error", task_sum_error(&r->ratio, n), "same_top",
                     (double)r->n_same_top / (double)n, "same_top_lo", lo, "same_top_hi", hi, "rms_change",
                     sqrt(r->change.squares / (double)n));
}

static json_t *report(const struct cli_text *t, const struct task_text_score *r)
{
    double mean = task_sum_mean(&r->nll, r->n_tokens), ppl = exp(mean);
    json_t *o =
        json_pack("{s:f s:f s:f s:I s:I s:I}", "perplexity", ppl, "error", ppl * task_sum_error(&r->nll, r->n_tokens),
                  "nll", mean, "n_tokens", (json_int_t)r->n_tokens, "n_chunks", (json_int_t)r->n_chunks, "n_ctx",
                  (json_int_t)t->engine.ctx);
    if (o && t->base) json_object_set_new(o, "kl", kl_json(t, r));
    return o;
}

static int print(const struct cli_text *t, const struct task_text_score *r)
{
    json_t *o = report(t, r), *kl = json_object_get(o, "kl"), *q = json_object_get(kl, "quantiles");
#define AT(object, key) json_real_value(json_object_get(object, key))
    bool failed =
        printf("perplexity %.4f ± %.4f (%.4f nats per token, %zu tokens in %zu chunks of %u)\n", AT(o, "perplexity"),
               AT(o, "error"), AT(o, "nll"), r->n_tokens, r->n_chunks, (unsigned)t->engine.ctx) < 0;
    if (kl) {
        printf("base       %.4f ", AT(kl, "base_perplexity"));
        cli_print_safe(stdout, t->base, strlen(t->base));
        printf("\nln ratio   %+.6f ± %.6f of the perplexities\n", AT(kl, "ln_ratio"), AT(kl, "ln_ratio_error"));
        printf("KL         %.6f ± %.6f nats; p50 %.6f, p90 %.6f, p99 %.6f, p99.9 %.6f, max %.6f\n", AT(kl, "mean"),
               AT(kl, "error"), AT(q, "p50"), AT(q, "p90"), AT(q, "p99"), AT(q, "p999"), AT(q, "max"));
        printf("same top   %.3f %% (95 %% interval %.3f to %.3f, Wilson)\n", 100 * AT(kl, "same_top"),
               100 * AT(kl, "same_top_lo"), 100 * AT(kl, "same_top_hi"));
        printf("change     %.4f %% of probability of the text's token, root mean square\n",
               100 * AT(kl, "rms_change"));
    }
#undef AT
    json_decref(o);
    return failed;
}

int cli_text_run(struct cli_text *t, const char *command, int *out_exit, struct err *e)
{
    struct side model = {.bos = -1}, base = {.bos = -1};
    struct task_text_score r = {0};
    if (t->engine.ctx == 0) t->engine.ctx = 512;
    uint32_t n_ctx = (uint32_t)t->engine.ctx;
    int rc =
        n_ctx < 4 ? ERR(e, USAGE, "--ctx must be at least 4 for a perplexity.") : open_side(t->model, t, &model, e);
    if (rc == 0 && t->base) rc = open_side(t->base, t, &base, e);
    if (rc == 0 && t->base) rc = same_tokens(&model, &base, e);
    size_t n_chunks = model.n / n_ctx;
    if (t->chunks && (size_t)t->chunks < n_chunks) n_chunks = (size_t)t->chunks;
    if (rc == 0)
        rc = task_text_score(model.session, base.session, model.ids, n_ctx, n_chunks, model.bos,
                             isatty(STDERR_FILENO) ? show : NULL, NULL, &r, e);
    if (rc == 0) *out_exit = t->json ? cli_json_done(report(t, &r), command) : print(t, &r);
    task_text_score_done(&r);
    close_side(&base);
    close_side(&model);
    return rc;
}
