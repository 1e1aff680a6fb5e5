/* croft task fit: what a task's data say about one model, stored beside its weights (task_fit.h). An encoder gets a
 * head over its vectors, from the training data; a model that answers by choice gets a prior, from the validation
 * data. */
#include "task_fit.h"
#include "base_clock.h"
#include "engine.h"
#include "task_data.h"
#include "task_run.h"

#include <math.h>
#include <unistd.h>

struct settings {
    const char *model, *out;
    double l2;
    bool head, json;
    struct cli_engine_settings engine;
};

/* A task's data with the number of each label. */
struct labelled {
    struct task_examples x;
    unsigned *label; /* [x.n] */
};

static int load(const struct task *t, enum task_split split, struct labelled *out, struct err *e)
{
    int rc = task_split_load(t, split, &out->x, e);
    if (rc) return rc;
    out->label = mem_calloc(out->x.n, sizeof *out->label);
    if (!out->label) return err_nomem(e, out->x.n * sizeof *out->label);
    if (out->x.n == 0) return ERR(e, FORMAT, "'%s' has no examples.", task_split_path(t, split));
    for (size_t i = 0; i < out->x.n; i++) {
        const struct task_example *x = &out->x.item[i];
        int k = x->label ? task_label_find(t, x->label) : -1;
        if (k < 0)
            return ERR(e, FORMAT, "Line %lld of '%s' has the label '%s', which the task does not name.", x->line,
                       task_split_path(t, split), x->label ? x->label : "(none)");
        out->label[i] = (unsigned)k;
    }
    return 0;
}

static void labelled_done(struct labelled *l)
{
    task_examples_done(&l->x);
    mem_free(l->label);
}

static int fit_head(struct infer_engine *g, const struct task *t, const struct settings *set, struct task_fit *out,
                    struct err *e)
{
    struct labelled l = {0};
    unsigned d = infer_engine_model(g)->n_embd;
    float *x = NULL;
    int rc = load(t, TASK_TRAIN, &l, e);
    if (!rc && !(x = mem_calloc(l.x.n * d, sizeof *x))) rc = err_nomem(e, l.x.n * d * sizeof *x);
    if (!rc) rc = cli_vectors(g, &set->engine, t, &l.x, x, e);
    if (!rc) rc = task_fit_head(x, l.label, l.x.n, d, t->n_labels, set->l2, (int)set->engine.threads, out, e);
    mem_free(x);
    labelled_done(&l);
    return rc;
}

static int fit_prior(struct infer_engine *g, const struct task *t, const struct settings *set, struct task_fit *out,
                     struct err *e)
{
    struct labelled l = {0};
    struct task_runner *r = NULL;
    double *p = NULL;
    int rc = load(t, TASK_VALIDATION, &l, e);
    if (!rc && !(p = mem_calloc(l.x.n * t->n_labels, sizeof *p))) rc = err_nomem(e, l.x.n * t->n_labels * sizeof *p);
    if (!rc) rc = task_runner_new(g, t, NULL, (uint32_t)set->engine.ctx, &r, e);
    for (size_t i = 0; i < l.x.n && !rc; i++) {
        struct task_answer a;
        rc = task_runner_answer(r, l.x.item[i].input, &a, NULL, e);
        if (!rc) memcpy(p + i * t->n_labels, a.probability, t->n_labels * sizeof *p);
    }
    if (!rc) rc = task_fit_prior(p, l.label, l.x.n, t->n_labels, out, e);
    task_runner_free(r);
    mem_free(p);
    labelled_done(&l);
    return rc;
}

static int report(const struct settings *set, const struct task *t, const struct task_fit *f, const char *file,
                  double seconds)
{
    static const struct cli_column cols[] = {{"task", "task", CLI_TEXT},        {"fit", "fitted", CLI_TEXT},
                                             {"examples", "examples", CLI_INT}, {"seconds", "seconds", CLI_REAL},
                                             {"file", "written to", CLI_TEXT},  {0}};
    struct cli_table table;
    cli_table_init(&table, cols);
    cli_text(&table, t->name);
    cli_text(&table, f->n_embd ? "head" : "prior");
    cli_int(&table, f->n_examples);
    cli_real(&table, seconds);
    cli_text(&table, file);
    return cli_record_done(&table, "task fit", set->json);
}

static int run(const struct settings *set, const char *task_path, int *out_exit, struct err *e)
{
    struct task *t = NULL;
    struct infer_engine *g = NULL;
    struct task_fit f = {0};
    char *model = NULL, *file = NULL;
    double start = clock_now_s();
    int rc = task_load(task_path, &t, e);
    if (!rc && t->kind != TASK_CLASSIFY)
        rc = ERR(e, UNSUPPORTED, "Only tasks of kind 'classify' have something to fit.");
    if (!rc) rc = cli_model_path(set->model, &model, e);
    if (!rc) rc = cli_engine_open(set->model, &set->engine, &g, e);
    if (!rc) {
        infer_engine_warm(g);
        bool head = set->head || !infer_engine_model(g)->causal;
        rc = head ? fit_head(g, t, set, &f, e) : fit_prior(g, t, set, &f, e);
    }
    if (!rc && !(file = set->out ? mem_strdup(set->out) : task_fit_path(model, t->name))) rc = err_nomem(e, 0);
    if (!rc) rc = task_fit_save(&f, t, model, file, e);
    if (!rc) *out_exit = report(set, t, &f, file, clock_now_s() - start);
    task_fit_done(&f);
    infer_engine_close(g);
    mem_free(model);
    mem_free(file);
    task_free(t);
    return rc;
}

int cli_task_fit_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"model", 'm', CONF_STR, offsetof(struct settings, model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
         "the model to fit for: a file, or a name in the store"},
        {"head", 0, CONF_FLAG, offsetof(struct settings, head), NULL, NULL, NULL, NULL, 0, 0,
         "a head over the text's vector, also for a model that could answer by choice"},
        {"l2", 0, CONF_F64, offsetof(struct settings, l2), "X", "0.00003", NULL, NULL, 1e-9, 100,
         "penalty of the head's weights: more for fewer examples"},
        {"output", 'o', CONF_STR, offsetof(struct settings, out), "FILE", NULL, NULL, NULL, 0, 0,
         "where to write (default: beside the model, where eval and serve look)"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("task fit", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc =
        set.model ? run(&set, words.item[0], &exit_code, &e) : ERR(&e, USAGE, "No model is given: add -m MODEL.");
    return rc ? cli_fail("task fit", &e) : exit_code;
}
