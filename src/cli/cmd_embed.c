/* croft embed: text to a vector of length 1, one per input: the words after MODEL, or each line of --lines FILE or of
 * standard input. Text output is one vector a line, numbers separated by spaces; --json gives objects with the text. */
#include "engine.h"
#include "model_tok.h"

#include <errno.h>

enum { MAX_TOKENS = 1 << 26 };

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
    float *vector;
    json_t *out;
};

static int embed_text(struct embedder *m, const char *text, size_t n, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc = tok_encode(m->tok, text, n, TOK_ADD_SPECIAL, MAX_TOKENS, &ids, &n_ids, e);
    if (rc == 0 && n_ids == 0) rc = ERR(e, USAGE, "There is no text to embed: the input is empty.");
    if (rc == 0) rc = infer_session_embed(m->session, ids, n_ids, m->pool, m->set->normalize, m->vector, e);
    mem_free(ids);
    if (rc) return rc;
    if (!m->out) {
        for (uint32_t i = 0; i < m->n_embd; i++) printf("%s%.9g", i ? " " : "", m->vector[i]);
        putchar('\n');
        return 0;
    }
    json_t *v = json_array();
    for (uint32_t i = 0; i < m->n_embd; i++) json_array_append_new(v, json_real(m->vector[i]));
    json_t *o = json_pack("{s:o s:I s:o}", "text", cli_json_text(text, n), "n_tokens", (json_int_t)n_ids,
                          "embedding", v);
    return json_array_append_new(m->out, o) ? err_nomem(e, n) : 0;
}

static int embed_lines(struct embedder *m, const char *path, struct err *e)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!f) return err_errno(e, errno, "open", path);
    struct buf line;
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
    struct embedder m = {.set = &set};
    int rc = cli_engine_open(words.item[0], &set.engine, &g, &e);
    if (rc) return cli_fail("embed", &e);
    const struct model *model = infer_engine_model(g);
    m.n_embd = model->n_embd;
    m.pool = pool_of(set.pool, model->pool);
    m.vector = mem_calloc(m.n_embd, sizeof *m.vector);
    m.out = set.json ? json_array() : NULL;
    rc = m.vector && (m.out || !set.json) ? tok_new(infer_engine_gguf(g), &m.tok, &e) : err_nomem(&e, m.n_embd);
    if (rc == 0) rc = cli_session_open(g, &set.engine, 1, &m.session, &e);
    for (int i = 1; i < words.n && rc == 0; i++) rc = embed_text(&m, words.item[i], strlen(words.item[i]), &e);
    if (rc == 0 && (set.lines || words.n < 2)) rc = embed_lines(&m, set.lines ? set.lines : "-", &e);
    if (rc == 0 && set.json) {
        exit_code = cli_json_done(m.out, "embed");
        m.out = NULL;
    }
    json_decref(m.out);
    mem_free(m.vector);
    infer_session_free(m.session);
    tok_free(m.tok);
    infer_engine_close(g);
    return rc ? cli_fail("embed", &e) : exit_code;
}
