/* croft logits: the logits (or, of an encoder, the final hidden states) of a list of tokens, to a file that
 * other programs can compare. Little-endian:
 *   int32 magic 0x4f474c31, n_tokens, dim, 0;   int32 tokens[n_tokens];   float32 values[n_tokens][dim] */
#include "engine.h"

enum { MAGIC = 0x4f474c31, MAX_TOKENS = 1 << 20 };

struct settings {
    struct cli_engine_settings engine;
    const char *tokens, *output;
    bool embd;
};
#define FIELD(f) offsetof(struct settings, f)
static const struct conf_row rows[] = {
    {"tokens", 0, CONF_STR, FIELD(tokens), "IDS", NULL, NULL, NULL, 0, 0, "token ids, separated by spaces"},
    {"output", 'o', CONF_STR, FIELD(output), "FILE", NULL, NULL, NULL, 0, 0, "where to write"},
    {"embd", 0, CONF_FLAG, FIELD(embd), NULL, NULL, NULL, NULL, 0, 0,
     "final hidden states instead of logits"},
    {"kv", 0, CONF_CHOICE, FIELD(engine.kv), "TYPE", "f32", NULL, "f32|f16|q8_0", 0, 0,
     "how keys and values are cached"},
    {"ctx", 'c', CONF_I64, FIELD(engine.ctx), "N", "0", NULL, NULL, 0, 1 << 24,
     "context length; 0: 512, or the tokens rounded up to 256"},
    {"threads", 't', CONF_I64, FIELD(engine.threads), "N", "0", NULL, NULL, 0, 128, "threads; 0: one per core"},
    {.name = ""},
};

/* "1 2 3" to ids; commas are spaces. */
static int parse_tokens(const char *s, int32_t *out, size_t max, size_t *out_n, struct err *e)
{
    size_t n = 0;
    while (*s) {
        char word[24];
        size_t len = strcspn(s, " ,\t\n");
        int64_t id;
        if (len == 0) {
            s++;
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), s);
        if (!str_to_i64(word, &id) || id < 0 || id > INT32_MAX)
            return ERR(e, USAGE, "'%s' is not a token id.", word);
        if (n == max) return ERR(e, LIMIT, "There are more than %zu tokens.", max);
        out[n++] = (int32_t)id;
        s += len;
    }
    *out_n = n;
    return n ? 0 : ERR(e, USAGE, "Give the tokens: --tokens \"1 2 3\".");
}

/* The context decides between the long and short rotary factors of LongRoPE models; this default is the
 * reference's. */
static uint32_t context(const struct settings *o, const struct model *m, size_t n)
{
    size_t ctx = n > 512 ? (n + 255) / 256 * 256 : 512;
    if (m->pos_embd.data && ctx > m->n_ctx_train) ctx = m->n_ctx_train;
    return o->engine.ctx ? (uint32_t)o->engine.ctx : (uint32_t)ctx;
}

static int evaluate(const char *model, const struct settings *o, const int32_t *tokens, size_t n, struct buf *out,
                    struct err *e)
{
    struct infer_engine *g = NULL;
    struct infer_session *s = NULL;
    float *hidden = NULL;
    struct cli_engine_settings set = o->engine;
    int rc = cli_engine_open(model, &set, &g, e);
    if (rc) return rc;
    const struct model *m = infer_engine_model(g);
    int32_t dim = o->embd ? m->n_embd : m->n_vocab, header[4] = {MAGIC, (int32_t)n, dim, 0};
    const float *values;
    set.ctx = context(o, m, n);
    if ((rc = cli_session_open(g, &set, (uint32_t)n, &s, e))) goto out;
    if (o->embd) {
        values = hidden = mem_calloc(n, dim * sizeof *hidden);
        rc = hidden ? infer_session_embed(s, tokens, n, MODEL_POOL_NONE, false, hidden, e)
                    : err_nomem(e, n * dim);
    } else {
        rc = infer_session_eval(s, tokens, n, INFER_LOGITS_ALL, e);
        values = infer_session_logits(s, 0);
    }
    if (rc) goto out;
    buf_add(out, header, sizeof header);
    buf_add(out, tokens, n * sizeof *tokens);
    buf_add(out, values, n * dim * sizeof *values);
    rc = buf_check(out, "the logits", e);
out:
    mem_free(hidden);
    infer_session_free(s);
    infer_engine_close(g);
    return rc;
}

int cmd_logits(int argc, char **argv)
{
    struct settings o = {0};
    struct conf_list words;
    struct err e;
    struct buf out;
    int exit_code;
    size_t n = 0;
    if (!cli_options("logits", rows, &o, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int32_t *tokens = mem_calloc(MAX_TOKENS, sizeof *tokens);
    buf_init(&out, (size_t)8 << 30);
    int rc = tokens ? 0 : err_nomem(&e, MAX_TOKENS * sizeof *tokens);
    if (!rc && !o.output) rc = ERR(&e, USAGE, "Say where to write: -o FILE.");
    if (!rc) rc = parse_tokens(o.tokens ? o.tokens : "", tokens, MAX_TOKENS, &n, &e);
    if (!rc) rc = evaluate(words.item[0], &o, tokens, n, &out, &e);
    if (!rc) rc = cli_write_file(o.output, &out, &e);
    buf_done(&out);
    mem_free(tokens);
    return rc ? cli_fail("logits", &e) : 0;
}
