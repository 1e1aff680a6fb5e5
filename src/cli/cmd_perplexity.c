/* croft perplexity: how surprised a model is by a text, exp of the mean negative log-likelihood per token.
 *
 * The method is llama-perplexity's, so that figures compare: the text's tokens are cut into chunks of the
 * context's length, each chunk starts with the BOS token where the model wants one, and only the second half
 * of a chunk counts, so that every counted token has at least half a context before it. */
#include "engine.h"
#include "infer_sample.h"
#include "model_tok.h"
#include "plat_file.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

struct settings {
    struct cli_engine_settings engine;
    int64_t chunks;
    bool json;
};
struct sums {
    double nll, nll2; /* of counted tokens, and squared */
    size_t n_tokens, n_chunks;
};

/* Whole chunks of ids through the session; logits of the second half are read in slices that the session keeps. */
static int score_chunk(struct infer_session *s, int32_t *ids, uint32_t n_ctx, int32_t bos, struct sums *sum,
                       struct err *e)
{
    const struct kern_ops *k = infer_engine_ops(infer_session_engine(s));
    uint32_t n_vocab = infer_engine_model(infer_session_engine(s))->n_vocab, first = n_ctx / 2;
    int32_t saved = ids[0];
    if (bos >= 0) ids[0] = bos;
    int rc = infer_session_truncate(s, 0, e);
    if (rc == 0) rc = infer_session_eval(s, ids, first, INFER_LOGITS_NONE, e);
    if (rc == 0) rc = infer_session_eval(s, ids + first, n_ctx - first, INFER_LOGITS_ALL, e);
    for (uint32_t i = first; i + 1 < n_ctx && rc == 0; i++) {
        double l = -infer_logprob(k, infer_session_logits(s, i - first), n_vocab, ids[i + 1]);
        sum->nll += l;
        sum->nll2 += l * l;
        sum->n_tokens++;
    }
    sum->n_chunks++;
    ids[0] = saved;
    return rc;
}

static int read_tokens(const struct infer_engine *g, const char *path, int32_t **ids, size_t *n, int32_t *bos,
                       struct err *e)
{
    struct plat_map m = {0};
    struct tok *tok = NULL;
    int io = plat_map_open(&m, path);
    int rc = io == -EINVAL ? ERR(e, USAGE, "'%.140s' is a device or a pipe. Put the text into an ordinary file.", path)
             : io          ? err_errno(e, -io, "open the text", path)
                           : tok_new(infer_engine_gguf(g), &tok, e);
    if (rc == 0)
        rc = tok_encode(tok, m.size ? (const char *)m.data : "", m.size, TOK_ADD_SPECIAL, SIZE_MAX / 8, ids, n, e);
    if (rc == 0) *bos = tok_adds_bos(tok) ? tok_bos(tok) : -1;
    tok_free(tok);
    if (!io) plat_map_close(&m);
    return rc;
}

int cmd_perplexity(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"chunks", 0, CONF_I64, offsetof(struct settings, chunks), "N", "0", NULL, NULL, 0, 1 << 30,
         "only the first N chunks (0: all)"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("perplexity", rows, &set, argc, argv, &words, 2, 2, &exit_code)) return exit_code;
    struct infer_engine *g = NULL;
    struct infer_session *s = NULL;
    struct sums sum = {0};
    int32_t *ids = NULL, bos = -1;
    size_t n = 0;
    if (set.engine.ctx == 0) set.engine.ctx = 512;
    uint32_t n_ctx = (uint32_t)set.engine.ctx;
    int rc = n_ctx < 4 ? ERR(&e, USAGE, "--ctx must be at least 4 for a perplexity.")
                       : cli_engine_open(words.item[0], &set.engine, &g, &e);
    if (rc == 0) rc = cli_session_open(g, &set.engine, n_ctx - n_ctx / 2, &s, &e);
    if (rc == 0) rc = read_tokens(g, words.item[1], &ids, &n, &bos, &e);
    if (rc == 0 && n < n_ctx)
        rc = ERR(&e, USAGE, "'%s' has %zu tokens; a chunk of %u needs more text, or a smaller --ctx.",
                 words.item[1], n, n_ctx);
    size_t n_chunks = n / n_ctx;
    if (set.chunks && (size_t)set.chunks < n_chunks) n_chunks = (size_t)set.chunks;
    bool bar = isatty(STDERR_FILENO);
    for (size_t c = 0; c < n_chunks && rc == 0; c++) {
        rc = score_chunk(s, ids + c * n_ctx, n_ctx, bos, &sum, &e);
        if (bar && rc == 0)
            fprintf(stderr, "\rchunk %zu of %zu: %.4f%s", c + 1, n_chunks, exp(sum.nll / (double)sum.n_tokens),
                    c + 1 == n_chunks ? "\r\033[K" : "");
    }
    if (rc == 0) {
        double count = (double)sum.n_tokens, mean = sum.nll / count, ppl = exp(mean);
        double variance = sum.nll2 / count - mean * mean;
        double se = count > 1 && variance > 0 ? ppl * sqrt(variance / (count - 1)) : 0;
        if (set.json)
            exit_code = cli_json_done(json_pack("{s:f s:f s:f s:I s:I s:I}", "perplexity", ppl, "error", se,
                                                "nll", mean, "n_tokens", (json_int_t)sum.n_tokens, "n_chunks",
                                                (json_int_t)sum.n_chunks, "n_ctx", (json_int_t)n_ctx),
                                      "perplexity");
        else
            exit_code =
                printf("perplexity %.4f ± %.4f (%.4f nats per token, %zu tokens in %zu chunks of %u)\n", ppl,
                       se, mean, sum.n_tokens, sum.n_chunks, n_ctx) < 0;
    }
    mem_free(ids);
    infer_session_free(s);
    infer_engine_close(g);
    return rc ? cli_fail("perplexity", &e) : exit_code;
}
