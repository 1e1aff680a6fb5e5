/* croft embed: text to a vector of length 1, one per input: the words after MODEL, or each line of --lines FILE or of
 * standard input. Inputs are gathered and embedded in batches, in order; lines typed at a terminal one by one. Text
 * output is one vector a line, numbers separated by spaces; --json gives objects with the text. */
#include "engine.h"
#include "model_tok.h"

#include <errno.h>
#include <unistd.h>

enum { MAX_TOKENS = 1 << 26, BATCH_TEXTS = 256, BATCH_TOKENS = 8192 };

struct settings {
    struct cli_engine_settings engine;
    const char *lines, *pool;
    bool json, normalize;
};
struct embedder {
    const struct settings *set;
    struct infer_session *session;
    struct tok *tok;
    enum model_pool pool;
    uint32_t n_embd;
    json_t *out;
    /* the batch being gathered */
    struct infer_text text[BATCH_TEXTS]; /* tokens: owned here */
    json_t *source[BATCH_TEXTS];         /* the text itself, with --json */
    size_t n, n_tokens, max;
    float *vectors; /* [BATCH_TEXTS, n_embd] */
};

static void drop_batch(struct embedder *m)
{
    for (size_t i = 0; i < m->n; i++) {
        mem_free((void *)m->text[i].tokens);
        json_decref(m->source[i]);
    }
    m->n = m->n_tokens = 0;
}

static int print_vector(struct embedder *m, size_t i, struct err *e)
{
    const float *x = m->text[i].out;
    if (!m->out) {
        for (uint32_t j = 0; j < m->n_embd; j++) printf("%s%.9g", j ? " " : "", x[j]);
        putchar('\n');
        return 0;
    }
    json_t *v = json_array();
    for (uint32_t j = 0; j < m->n_embd; j++) json_array_append_new(v, json_real(x[j]));
    json_t *o = json_pack("{s:O s:I s:o}", "text", m->source[i], "n_tokens", (json_int_t)m->text[i].n,
                          "embedding", v);
    return json_array_append_new(m->out, o) ? err_nomem(e, m->n_embd) : 0;
}

static int embed_batch(struct embedder *m, struct err *e)
{
    int rc = infer_session_embed_all(m->session, m->text, m->n, m->pool, m->set->normalize, e);
    for (size_t i = 0; i < m->n && rc == 0; i++) rc = print_vector(m, i, e);
    drop_batch(m);
    return rc;
}

/* A text that cannot be embedded must not take those before it along: they are done first. */
static int embed_text(struct embedder *m, const char *text, size_t n, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc = tok_encode(m->tok, text, n, TOK_ADD_SPECIAL, MAX_TOKENS, &ids, &n_ids, e);
    bool bad = rc || n_ids == 0 || n_ids > infer_session_n_ctx(m->session);
    if (bad && m->n) {
        struct err before = {0};
        if (embed_batch(m, &before) && rc == 0) rc = before.code, *e = before;
    }
    if (rc == 0 && n_ids == 0) rc = ERR(e, USAGE, "There is no text to embed: the input is empty.");
    if (rc) {
        mem_free(ids);
        return rc;
    }
    m->source[m->n] = m->out ? cli_json_text(text, n) : NULL;
    m->text[m->n] = (struct infer_text){ids, n_ids, m->vectors + m->n * m->n_embd};
    m->n++;
    m->n_tokens += n_ids;
    return bad || m->n == m->max || m->n_tokens >= BATCH_TOKENS ? embed_batch(m, e) : 0;
}

static int embed_lines(struct embedder *m, const char *path, struct err *e)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!f) return err_errno(e, errno, "open", path);
    struct buf line;
    if (isatty(fileno(f))) m->max = 1;
    buf_init(&line, 16 << 20);
    int rc = 0, c = 0;
    while (rc == 0 && c != EOF) {
        while ((c = getc(f)) != EOF && c != '\n' && buf_char(&line, (char)c) == 0) {}
        if ((rc = buf_check(&line, "line", e))) break;
        if (line.len) rc = embed_text(m, line.data, line.len, e);
        buf_clear(&line);
    }
    if (rc == 0 && ferror(f)) rc = err_errno(e, errno, "read", path);
    buf_done(&line);
    if (f != stdin) fclose(f);
    return rc;
}

static enum model_pool pool_of(const char *name, enum model_pool models)
{
    static const char *const names[] = {"none", "mean", "cls", "last"}; /* as enum model_pool */
    for (int i = 1; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return (enum model_pool)i;
    return models == MODEL_POOL_NONE ? MODEL_POOL_MEAN : models;
}

int cmd_embed(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"lines", 0, CONF_STR, offsetof(struct settings, lines), "FILE", NULL, NULL, NULL, 0, 0,
         "embed each line of a file (-: standard input)"},
        {"pool", 0, CONF_CHOICE, offsetof(struct settings, pool), "HOW", "auto", NULL, "auto|mean|cls|last", 0, 0,
         "how token vectors become one (auto: as the model says, else mean)"},
        {"normalize", 0, CONF_FLAG, offsetof(struct settings, normalize), NULL, "1", NULL, NULL, 0, 0,
         "scale to length 1 (--no-normalize: do not)"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("embed", rows, &set, argc, argv, &words, 1, -1, &exit_code)) return exit_code;
    struct infer_engine *g = NULL;
    struct embedder m = {.set = &set, .max = BATCH_TEXTS};
    int rc = cli_engine_open(words.item[0], &set.engine, &g, &e);
    if (rc) return cli_fail("embed", &e);
    const struct model *model = infer_engine_model(g);
    m.n_embd = model->n_embd;
    m.pool = pool_of(set.pool, model->pool);
    m.vectors = mem_calloc(BATCH_TEXTS * (size_t)m.n_embd, sizeof *m.vectors);
    m.out = set.json ? json_array() : NULL;
    rc = m.vectors && (m.out || !set.json) ? tok_new(infer_engine_gguf(g), &m.tok, &e)
                                           : err_nomem(&e, m.n_embd);
    if (rc == 0) rc = cli_session_open(g, &set.engine, 1, &m.session, &e);
    for (int i = 1; i < words.n && rc == 0; i++) rc = embed_text(&m, words.item[i], strlen(words.item[i]), &e);
    if (rc == 0 && (set.lines || words.n < 2)) rc = embed_lines(&m, set.lines ? set.lines : "-", &e);
    if (rc == 0) rc = embed_batch(&m, &e);
    if (rc == 0 && set.json) {
        exit_code = cli_json_done(m.out, "embed");
        m.out = NULL;
    }
    json_decref(m.out);
    drop_batch(&m);
    mem_free(m.vectors);
    infer_session_free(m.session);
    tok_free(m.tok);
    infer_engine_close(g);
    return rc ? cli_fail("embed", &e) : exit_code;
}
