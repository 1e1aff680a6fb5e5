/* croft task check: what the library finds in a task (task_check.h), as text or JSON. Exit code 65 when the task cannot
 * be used as it is; warnings alone count with --strict. */
#include "engine.h"
#include "model_gguf.h"
#include "task_check.h"

struct settings {
    const char *model;
    int64_t ctx;
    bool json, strict;
};

static const char *const kind_names[] = {"classify", "extract", "generate", "embed"}; /* as enum task_kind */

/* Where nobody says otherwise: what the model was trained with, at most 4096, as sessions have it. */
static size_t usual_ctx(const struct gguf *g)
{
    struct str arch;
    char key[128];
    uint32_t n = 0;
    if (gguf_get_str(g, "general.architecture", &arch)) {
        snprintf(key, sizeof key, "%.*s.context_length", (int)(arch.n < 64 ? arch.n : 64), arch.p);
        if (gguf_get_u32(g, key, &n) && n && n < 4096) return n;
    }
    return 4096;
}

/* Tokenizer and template are read from the file's header; the weights stay untouched. */
static int check_model(const struct settings *set, const struct task *t, struct task_check *c,
                       struct task_sizes *out, struct err *e)
{
    char *path = NULL;
    struct gguf *g = NULL;
    struct tok *tok = NULL;
    struct infer_chat *chat = NULL;
    int rc = cli_model_path(set->model, &path, e);
    if (rc == 0) rc = gguf_open(path, &g, e);
    if (rc == 0) rc = tok_new(g, &tok, e);
    if (rc == 0 && gguf_find(g, "tokenizer.chat_template")) rc = infer_chat_new(g, tok, &chat, e);
    if (rc == 0) rc = task_check_model(t, c, tok, chat, set->ctx ? (size_t)set->ctx : usual_ctx(g), out, e);
    infer_chat_free(chat);
    tok_free(tok);
    gguf_close(g);
    mem_free(path);
    return rc;
}

static void split_table(struct cli_table *t, const struct task *task, const struct task_check *c)
{
    static const struct cli_column cols[] = {{"data", "data", CLI_TEXT},
                                             {"n", "examples", CLI_INT},
                                             {"labels", "labels", CLI_INT},
                                             {"commonest", "commonest label", CLI_TEXT},
                                             {"n_commonest", "its examples", CLI_INT},
                                             {"rarest", "rarest label", CLI_TEXT},
                                             {"n_rarest", "its examples", CLI_INT},
                                             {"duplicates", "duplicates", CLI_INT},
                                             {"conflicts", "conflicts", CLI_INT},
                                             {"seen_in_training", "seen in training", CLI_INT},
                                             {0}};
    cli_table_init(t, cols);
    for (int s = 0; s < TASK_N_SPLITS; s++) {
        const struct task_split_facts *f = &c->split[s];
        if (!f->path) continue;
        bool labels = f->commonest && task->n_labels;
        cli_text(t, task_split_name((enum task_split)s));
        cli_int(t, (int64_t)f->n);
        if (labels) cli_int(t, f->n_labels);
        else cli_none(t);
        if (labels) cli_text(t, f->commonest);
        else cli_none(t);
        if (labels) cli_int(t, (int64_t)f->n_commonest);
        else cli_none(t);
        if (labels) cli_text(t, f->rarest);
        else cli_none(t);
        if (labels) cli_int(t, (int64_t)f->n_rarest);
        else cli_none(t);
        cli_int(t, (int64_t)f->n_duplicate);
        cli_int(t, (int64_t)f->n_conflict);
        if (s == TASK_TRAIN) cli_none(t);
        else cli_int(t, (int64_t)f->n_seen);
    }
}

static void size_table(struct cli_table *t, const struct task_sizes *f)
{
    static const struct cli_column cols[] = {{"p50", "prompt tokens p50", CLI_REAL},
                                             {"p95", "prompt tokens p95", CLI_REAL},
                                             {"max", "prompt tokens max", CLI_INT},
                                             {"max_answer", "answer tokens max", CLI_INT},
                                             {"longest_answer", "longest answer", CLI_TEXT},
                                             {"ctx", "context", CLI_INT},
                                             {"too_long", "examples too long", CLI_INT},
                                             {0}};
    cli_table_init(t, cols);
    cli_real(t, f->p50);
    cli_real(t, f->p95);
    cli_int(t, (int64_t)f->max_prompt);
    cli_int(t, (int64_t)f->max_answer);
    if (f->longest_answer) cli_textn(t, f->longest_answer, strnlen(f->longest_answer, 80));
    else cli_none(t);
    cli_int(t, (int64_t)f->n_ctx);
    cli_int(t, (int64_t)f->n_too_long);
}

static int report_json(const struct task *t, const struct task_check *c, const struct task_sizes *sizes, bool ok)
{
    struct cli_table splits, f;
    json_t *findings = json_array();
    split_table(&splits, t, c);
    for (size_t i = 0; i < c->n_findings; i++) {
        const struct task_finding *q = &c->finding[i];
        json_array_append_new(findings, json_pack("{s:s s:o}", "level", q->is_error ? "error" : "warning", "text",
                                                  cli_json_text(q->text, strlen(q->text))));
    }
    json_t *o = json_pack("{s:s s:s s:b s:I s:o s:o}", "task", t->name, "kind", kind_names[t->kind], "ok", ok, "labels",
                          (json_int_t)t->n_labels, "data", cli_table_take(&splits), "findings", findings);
    if (o && sizes) {
        size_table(&f, sizes);
        json_object_set_new(o, "model", cli_record_take(&f));
    }
    return cli_json_done(o, "task check");
}

static int report_text(const struct task *t, const struct task_check *c, const struct task_sizes *sizes)
{
    struct cli_table table;
    printf("%s: %s, %u labels\n", t->name, kind_names[t->kind], t->n_labels);
    split_table(&table, t, c);
    if (json_array_size(table.rows)) putchar('\n');
    if (json_array_size(table.rows)) cli_table_print(&table, stdout, 0);
    json_decref(cli_table_take(&table));
    if (sizes) {
        putchar('\n');
        size_table(&table, sizes);
        cli_record_print(&table, stdout, 0);
        json_decref(cli_table_take(&table));
    }
    putchar('\n');
    for (size_t i = 0; i < c->n_findings; i++) {
        printf("%s: ", c->finding[i].is_error ? "error" : "warning");
        cli_print_safe(stdout, c->finding[i].text, strlen(c->finding[i].text));
        putchar('\n');
    }
    printf("%zu errors, %zu warnings\n", c->n_errors, c->n_findings - c->n_errors);
    return 0;
}

static int run(const struct settings *set, const char *path, int *out_exit, struct err *e)
{
    struct task *t = NULL;
    struct task_check c = {0};
    struct task_sizes sizes = {0};
    int rc = task_load(path, &t, e);
    if (rc) return rc;
    rc = task_check_data(t, &c, e);
    if (rc == 0 && set->model) rc = check_model(set, t, &c, &sizes, e);
    if (rc == 0) {
        bool ok = set->strict ? c.n_findings == 0 : c.n_errors == 0;
        const struct task_sizes *f = set->model ? &sizes : NULL;
        *out_exit = set->json ? report_json(t, &c, f, ok) : report_text(t, &c, f);
        if (*out_exit == 0 && !ok) *out_exit = err_exit(CROFT_E_FORMAT);
    }
    task_check_done(&c);
    task_free(t);
    return rc;
}

int cli_task_check_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"model", 'm', CONF_STR, offsetof(struct settings, model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
         "count tokens as this model does, and see what fits it: a file, or a name in the store"},
        {"ctx", 'c', CONF_I64, offsetof(struct settings, ctx), "N", "0", "CROFT_CTX", NULL, 0, 1 << 24,
         "context length in tokens (0: the model's, at most 4096)"},
        {"strict", 0, CONF_FLAG, offsetof(struct settings, strict), NULL, NULL, NULL, NULL, 0, 0,
         "warnings fail too"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("task check", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc = run(&set, words.item[0], &exit_code, &e);
    return rc ? cli_fail("task check", &e) : exit_code;
}
