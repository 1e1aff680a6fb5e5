/* croft eval: how good and how fast is a model on a task, on this machine. Answers every labelled example, prints the
 * score with a confidence interval, rate and latency; exit code 1 when the score is below the task's floor, so that a
 * script or CI can gate on it. Read next: src/task/eval.c. */
#include "engine.h"
#include "task_eval.h"
#include "task_metrics.h"

#include <unistd.h>

struct settings {
    struct cli_engine_settings engine;
    const char *model, *data;
    int64_t limit;
    bool json, per_label, wrong;
};

struct progress {
    const struct settings *set;
    bool bar;
    size_t right;
};

static int show_progress(void *arg, size_t i, size_t n, const struct task_example *x, const struct task_answer *a,
                         const char *text, bool right)
{
    struct progress *p = arg;
    p->right += right;
    if (p->set->wrong && !right) {
        if (p->bar) fputs("\r\033[K", stderr);
        fprintf(stderr, "wrong: ");
        cli_print_safe(stderr, x->input, strlen(x->input));
        fprintf(stderr, "\n  expected %s, answered ", x->label ? x->label : x->output);
        cli_print_safe(stderr, text, strlen(text));
        fputc('\n', stderr);
    }
    if (p->bar && (i % 8 == 0 || i + 1 == n))
        fprintf(stderr, "\r%zu of %zu answered, %.1f %% right%s", i + 1, n, 100.0 * (double)p->right / (double)(i + 1),
                i + 1 == n ? "\r\033[K" : "");
    return 0;
}

static void label_table(struct cli_table *t, const struct task *task, const struct task_report *r)
{
    static const struct cli_column cols[] = {{"label", "label", CLI_TEXT},
                                             {"support", "examples", CLI_INT},
                                             {"precision", "precision", CLI_REAL},
                                             {"recall", "recall", CLI_REAL},
                                             {"f1", "F1", CLI_REAL},
                                             {"mostly_taken_for", "mostly taken for", CLI_TEXT},
                                             {0}};
    cli_table_init(t, cols);
    for (unsigned i = 0; i < task->n_labels; i++) {
        struct task_prf s = task_prf_of(r->confusion, task->n_labels, i);
        unsigned worst = i;
        uint32_t most = 0;
        for (unsigned j = 0; j < task->n_labels; j++) {
            uint32_t n = r->confusion[(size_t)i * task->n_labels + j];
            if (j != i && n > most) most = n, worst = j;
        }
        cli_text(t, task->labels[i].name);
        cli_int(t, s.support);
        cli_real(t, s.precision);
        cli_real(t, s.recall);
        cli_real(t, s.f1);
        if (most) cli_text(t, task->labels[worst].name);
        else cli_none(t);
    }
}

static int report_json(const struct task *t, const struct task_report *r, const char *model)
{
    json_t *o =
        json_pack("{s:s s:s s:I s:I s:f s:f s:f s:f s:f s:f s:f s:f s:I s:I}", "task", t->name, "model",
                  model, "n", (json_int_t)r->n, "n_right", (json_int_t)r->n_right, "score", r->score, "floor",
                  r->floor, "accuracy", r->accuracy, "accuracy_lo", r->accuracy_lo, "accuracy_hi",
                  r->accuracy_hi, "answers_per_s", r->per_second, "p50_ms", r->p50_ms, "p99_ms", r->p99_ms,
                  "prompt_tokens", (json_int_t)r->n_prompt, "evaluated_tokens", (json_int_t)r->n_evaluated);
    if (o && r->confusion) {
        struct cli_table labels;
        label_table(&labels, t, r);
        json_object_set_new(o, "macro_f1", json_real(r->macro_f1));
        json_object_set_new(o, "labels", cli_table_take(&labels));
    }
    return cli_json_done(o, "eval");
}

static int report_text(const struct task *t, const struct task_report *r, const struct settings *set)
{
    static const struct cli_column cols[] = {{"task", "task", CLI_TEXT},
                                             {"n", "examples", CLI_INT},
                                             {"accuracy", "accuracy (%)", CLI_REAL},
                                             {"interval", "95 % interval (%)", CLI_TEXT},
                                             {"macro_f1", "macro-F1", CLI_REAL},
                                             {"floor", "floor (%)", CLI_REAL},
                                             {"per_s", "answers per second", CLI_REAL},
                                             {"p50", "latency p50 (ms)", CLI_REAL},
                                             {"p99", "latency p99 (ms)", CLI_REAL},
                                             {"tokens", "tokens evaluated", CLI_INT},
                                             {0}};
    struct cli_table table;
    char interval[64];
    snprintf(interval, sizeof interval, "%.1f to %.1f", 100 * r->accuracy_lo, 100 * r->accuracy_hi);
    cli_table_init(&table, cols);
    cli_text(&table, t->name);
    cli_int(&table, (int64_t)r->n);
    cli_real(&table, 100 * r->accuracy);
    cli_text(&table, interval);
    if (r->confusion) cli_real(&table, r->macro_f1);
    else cli_none(&table);
    if (r->floor > 0) cli_real(&table, 100 * r->floor);
    else cli_none(&table);
    cli_real(&table, r->per_second);
    cli_real(&table, r->p50_ms);
    cli_real(&table, r->p99_ms);
    cli_int(&table, (int64_t)r->n_evaluated);
    int exit_code = cli_record_done(&table, "eval", false);
    if (exit_code || !set->per_label || !r->confusion) return exit_code;
    putchar('\n');
    label_table(&table, t, r);
    return cli_table_done(&table, "eval", false);
}

static int run(const struct settings *set, const char *task_path, int *out_exit, struct err *e)
{
    struct task *task = NULL;
    struct task_examples x = {0};
    struct infer_engine *g = NULL;
    struct task_runner *runner = NULL;
    struct task_report r = {0};
    char *path = NULL;
    int rc = task_load(task_path, &task, e);
    if (rc) return rc;
    enum task_split split = strcmp(set->data, "test") == 0    ? TASK_TEST
                            : strcmp(set->data, "train") == 0 ? TASK_TRAIN
                                                              : TASK_VALIDATION;
    struct progress p = {.set = set, .bar = isatty(STDERR_FILENO)};
    rc = task_split_load(task, split, &x, e);
    if (rc == 0 && set->limit && (size_t)set->limit < x.n) x.n = (size_t)set->limit;
    if (rc == 0) rc = cli_engine_open(set->model, &set->engine, &g, e);
    if (rc == 0) infer_engine_warm(g);
    if (rc == 0) rc = cli_model_path(set->model, &path, e);
    if (rc == 0) rc = task_runner_new(g, task, path, (uint32_t)set->engine.ctx, &runner, e);
    if (rc == 0) rc = task_eval(runner, task, &x, show_progress, &p, &r, e);
    if (rc == 0) *out_exit = set->json ? report_json(task, &r, set->model) : report_text(task, &r, set);
    if (rc == 0 && *out_exit == 0 && r.score < r.floor)
        rc = ERR(e, BELOW_FLOOR, "The score of '%s' on '%s' is %.4f, below the task's floor of %.4f.", set->model,
                 task->name, r.score, r.floor);
    task_report_done(&r);
    task_runner_free(runner);
    mem_free(path);
    infer_engine_close(g);
    task_examples_done(&x);
    task_free(task);
    return rc;
}

int cmd_eval(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"model", 'm', CONF_STR, offsetof(struct settings, model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
         "the model to score: a file, or a name in the store"},
        {"data", 0, CONF_CHOICE, offsetof(struct settings, data), "SPLIT", "test", NULL, "test|validation|train", 0, 0,
         "which of the task's data sets"},
        {"limit", 0, CONF_I64, offsetof(struct settings, limit), "N", "0", NULL, NULL, 0, 1 << 30,
         "only the first N examples (0: all)"},
        {"per-label", 0, CONF_FLAG, offsetof(struct settings, per_label), NULL, NULL, NULL, NULL, 0, 0,
         "print a table of labels too"},
        {"wrong", 0, CONF_FLAG, offsetof(struct settings, wrong), NULL, NULL, NULL, NULL, 0, 0,
         "print each wrong answer on standard error"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("eval", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc = set.model ? run(&set, words.item[0], &exit_code, &e)
                       : ERR(&e, USAGE, "No model is given: add -m MODEL.");
    return rc ? cli_fail("eval", &e) : exit_code;
}
