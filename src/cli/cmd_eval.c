/* croft eval: how good and how fast is a model on a task, on this machine. Answers every labelled example, and prints
 * measures with confidence intervals, rate and latency; with --against the comparison with another model on the same
 * examples. Exit code 1 when the score is below the task's floor, or lower than the other's by more than is allowed,
 * so that a script, CI or a rollout can gate on it. Read next: eval_report.c, src/task/eval.c, src/task/report.c. */
#include "eval.h"

#include <math.h>
#include <unistd.h>

struct settings {
    struct cli_engine_settings engine;
    const char *model, *data, *ask, *against, *max_regression, *gate, *output, *html;
    const char *perplexity, *kl, *text;
    int64_t limit, draws, seed, chunks;
    bool json, per_label, wrong, with_inputs;
};

/* Everything between opening and reporting. */
struct eval {
    const struct settings *set;
    struct task *loaded;     /* NULL: questions without a task */
    const struct task *task; /* it, or the one for questions */
    const char *data;        /* the examples' file */
    struct task_examples x;
    struct task_evaluation v, other;
    char *path, *other_name; /* of the model; of the other, if it was read from a report */
};

/* ---- progress ---- */

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
        const char *expected = x->label ? x->label : x->output ? x->output : x->expect;
        if (p->bar) fputs("\r\033[K", stderr);
        fprintf(stderr, "wrong: ");
        cli_print_safe(stderr, x->input, strlen(x->input));
        fprintf(stderr, "\n  expected ");
        cli_print_safe(stderr, expected, strlen(expected));
        fprintf(stderr, ", answered ");
        cli_print_safe(stderr, text, strlen(text));
        fputc('\n', stderr);
    }
    if (p->bar && (i % 8 == 0 || i + 1 == n))
        fprintf(stderr, "\r%zu of %zu answered, %.1f %% right%s", i + 1, n,
                100.0 * (double)p->right / (double)(i + 1), i + 1 == n ? "\r\033[K" : "");
    return 0;
}

/* ---- what is scored ---- */

/* A calibration with thresholds for groups judges an answer by the group of its input: read that from the column by
 * which it was made, unless the task names one. Why there is no calibration is told later. */
static int group_as_calibrated(struct eval *v, struct err *e)
{
    struct task_calibration *c = NULL;
    struct err unused;
    char *path = NULL;
    if (!v->loaded->data || (v->loaded->data->columns && v->loaded->data->columns->group) || !v->set->model) return 0;
    int rc = cli_model_path(v->set->model, &path, e);
    if (rc == 0 && task_calibration_load(v->loaded, path, &c, &unused) == 0 && task_calibration_column(c))
        rc = task_group_by(v->loaded, task_calibration_column(c), e);
    task_calibration_free(c);
    mem_free(path);
    return rc;
}

/* A split of the task, or a file: questions, or examples in the task's columns. */
static int load(struct eval *v, const char *task_path, struct err *e)
{
    static const char *const splits[] = {"train", "validation", "test"}; /* as enum task_split */
    const struct settings *set = v->set;
    enum task_ask ask = strcmp(set->ask, "texts") == 0 ? TASK_ASK_TEXTS : TASK_ASK_LETTERS;
    const char *data = set->data ? set->data : "test";
    int split = 2, rc = task_path ? task_load(task_path, &v->loaded, e) : 0;
    bool questions = false;
    if (rc) return rc;
    v->task = v->loaded ? v->loaded : task_questions_task(ask);
    while (split >= 0 && strcmp(data, splits[split]) != 0) split--;
    if (split >= 0 && !v->loaded)
        return ERR(e, USAGE, "Say what to score on: a task, or a file of questions with --data FILE.");
    if (split >= 0) {
        v->data = task_split_path(v->task, (enum task_split)split);
        rc = group_as_calibrated(v, e);
        if (rc == 0) rc = task_split_load(v->task, (enum task_split)split, &v->x, e);
    } else {
        v->data = data;
        bool columns = v->loaded && v->loaded->data && v->loaded->data->columns; /* the task says what they mean */
        if (!columns) rc = task_questions_load(data, ask, &questions, &v->x, e);
        if (rc == 0 && !questions && !v->loaded)
            rc = ERR(
                e, FORMAT,
                "'%.160s' holds no multiple-choice questions (question, choices, answer); other data needs a task: "
                "croft eval TASK --data FILE.",
                data);
        else if (rc == 0 && !questions)
            rc = task_file_load(v->task, data, &v->x, e);
    }
    if (rc == 0 && set->limit && (size_t)set->limit < v->x.n) v->x.n = (size_t)set->limit;
    return rc;
}

/* Texts are asked for the signals of their tokens, which are the only confidence that they have by themselves. */
static int open_runner(struct eval *v, struct infer_engine *g, const char *path, struct task_runner **out,
                       struct err *e)
{
    uint32_t n_ctx = (uint32_t)v->set->engine.ctx;
    return v->task->kind == TASK_CLASSIFY ? task_runner_new(g, v->task, path, n_ctx, out, e)
                                          : task_runner_new_measuring(g, v->task, path, n_ctx, false, out, e);
}

/* One model's answers to all examples. */
static int score(struct eval *v, const char *model, char **out_path, struct task_evaluation *out, struct err *e)
{
    struct infer_engine *g = NULL;
    struct task_runner *runner = NULL;
    struct progress p = {.set = v->set, .bar = isatty(STDERR_FILENO)};
    char *path = NULL;
    int rc = cli_engine_open(model, &v->set->engine, &g, e);
    if (rc == 0) infer_engine_warm(g);
    if (rc == 0) rc = cli_model_path(model, &path, e);
    if (rc == 0) rc = open_runner(v, g, path, &runner, e);
    if (rc == 0) rc = task_eval(runner, v->task, &v->x, show_progress, &p, out, e);
    task_runner_free(runner);
    infer_engine_close(g);
    if (rc == 0 && out_path)
        *out_path = path;
    else
        mem_free(path);
    return rc;
}

static int compare(struct eval *v, struct task_report *r, struct task_against *out, struct err *e)
{
    const char *name = v->set->against;
    int rc = 0;
    if (task_report_is(name)) {
        rc = task_report_read(name, &v->v, &v->other, &v->other_name, e);
        if (rc == 0) name = v->other_name;
    } else {
        rc = score(v, name, NULL, &v->other, e);
    }
    return rc ? rc : task_report_against(r, &v->other, name, out, e);
}

/* ---- what is said ---- */

static int write_json(const json_t *report, const char *path, struct err *e)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 30);
    int rc = cli_json_add(report, JSON_INDENT(1), &b, e);
    if (rc == 0) rc = cli_write_file(path, &b, e);
    buf_done(&b);
    return rc;
}

static int write_html(const json_t *report, const char *path, struct err *e)
{
    struct buf b;
    buf_init(&b, (size_t)256 << 20);
    int rc = task_report_html(report, &b, e);
    if (rc == 0) rc = cli_write_file(path, &b, e);
    buf_done(&b);
    return rc;
}

static int report(struct eval *v, struct task_gate *gate, int *out_exit, struct err *e)
{
    const struct settings *set = v->set;
    struct task_report r = {.task = v->task,
                            .model = set->model,
                            .model_path = v->path,
                            .data = v->data,
                            .v = &v->v,
                            .n_draws = (unsigned)set->draws,
                            .seed = (uint64_t)set->seed,
                            .with_inputs = set->with_inputs};
    struct task_against against, *a = set->against ? &against : NULL;
    json_t *j = NULL;
    int rc = task_report_init(&r, e);
    if (rc) return rc;
    gate->floor = v->task->floor;
    if (a) rc = compare(v, &r, a, e);
    if (rc == 0 && !(j = task_report_json(&r, a, gate))) rc = err_nomem(e, 0);
    if (rc == 0 && set->output) rc = write_json(j, set->output, e);
    if (rc == 0 && set->html) rc = write_html(j, set->html, e);
    if (rc == 0)
        *out_exit = set->json ? cli_json_done(json_incref(j), "eval") : cli_eval_print(&r, a, j, set->per_label);
    if (rc == 0 && *out_exit == 0) rc = task_gate(gate, &r, a, e);
    json_decref(j);
    task_report_done(&r);
    return rc;
}

static int gate_of(const struct settings *set, struct task_gate *out, struct err *e)
{
    *out = (struct task_gate){.max_regression = NAN, .by_bound = strcmp(set->gate, "bound") == 0};
    if (!set->max_regression) return 0;
    if (!set->against) return ERR(e, USAGE, "--max-regression is against another model: add --against.");
    if (!str_to_f64(set->max_regression, &out->max_regression) ||
        !(out->max_regression >= 0 && out->max_regression <= 1))
        return ERR(e, USAGE, "--max-regression is a share from 0 to 1, such as 0.01; '%.40s' is none.",
                   set->max_regression);
    return 0;
}

static int run(const struct settings *set, const char *task_path, int *out_exit, struct err *e)
{
    struct eval v = {.set = set};
    struct task_gate gate;
    int rc = gate_of(set, &gate, e);
    if (rc == 0) rc = load(&v, task_path, e);
    if (rc == 0) rc = score(&v, set->model, &v.path, &v.v, e);
    if (rc == 0) rc = report(&v, &gate, out_exit, e);
    task_evaluation_done(&v.v);
    task_evaluation_done(&v.other);
    task_examples_done(&v.x);
    task_free(v.loaded);
    mem_free(v.path);
    mem_free(v.other_name);
    return rc;
}

/* A text instead of a task. */
static int run_text(const struct settings *set, const char *task_path, int *out_exit, struct err *e)
{
    struct cli_text t = {.engine = set->engine,
                         .model = set->model,
                         .base = set->kl,
                         .chunks = set->chunks,
                         .path = set->perplexity ? set->perplexity : set->text,
                         .json = set->json};
    if (task_path || (set->perplexity && (set->kl || set->text)) || set->against || set->data)
        return ERR(e, USAGE,
                   "A text is scored by itself: --perplexity FILE, or --kl BASE --text FILE, without a task.");
    if (!t.path) return ERR(e, USAGE, "Say on which text the models are compared: --kl BASE --text FILE.");
    if (!set->perplexity && !t.base)
        return ERR(e, USAGE, "--text goes with --kl BASE; alone it is --perplexity FILE.");
    return cli_text_run(&t, "eval", out_exit, e);
}

#define FIELD(f) offsetof(struct settings, f)
static const struct conf_row rows[] = {
    {"model", 'm', CONF_STR, FIELD(model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
     "the model to score: a file, or a name in the store"},
    {"data", 0, CONF_STR, FIELD(data), "SPLIT|FILE", NULL, NULL, NULL, 0, 0,
     "test (default), validation or train of the task; or a file: examples, or questions as of MMLU and ARC"},
    {"ask", 0, CONF_CHOICE, FIELD(ask), "HOW", "letters", NULL, "letters|texts", 0, 0,
     "questions of a file are answered by a letter before each choice, or by the choice's text"},
    {"limit", 0, CONF_I64, FIELD(limit), "N", "0", NULL, NULL, 0, 1 << 30, "only the first N examples (0: all)"},
    {"against", 0, CONF_STR, FIELD(against), "MODEL|REPORT", NULL, NULL, NULL, 0, 0,
     "compare, example by example, with another model, or with a report that -o or --json made"},
    {"max-regression", 0, CONF_STR, FIELD(max_regression), "SHARE", NULL, NULL, NULL, 0, 0,
     "end with exit code 1 if the score is lower than the other's by more than this"},
    {"gate", 0, CONF_CHOICE, FIELD(gate), "BY", "value", NULL, "value|bound", 0, 0,
     "what must keep the floor and the regression: the value, or the lower end of its 95 % interval"},
    {"output", 'o', CONF_STR, FIELD(output), "FILE", NULL, NULL, NULL, 0, 0, "write the report as JSON"},
    {"html", 0, CONF_STR, FIELD(html), "FILE", NULL, NULL, NULL, 0, 0, "write the report as a page, with plots"},
    {"with-inputs", 0, CONF_FLAG, FIELD(with_inputs), NULL, NULL, NULL, NULL, 0, 0,
     "put inputs and answers into the JSON; else inputs are there as SHA-256 alone"},
    {"bootstrap", 0, CONF_I64, FIELD(draws), "N", "2000", NULL, NULL, 100, 1 << 20, "draws of the bootstrap"},
    {"seed", 0, CONF_I64, FIELD(seed), "N", "1", NULL, NULL, 0, 0, "of its random numbers"},
    {"per-label", 0, CONF_FLAG, FIELD(per_label), NULL, NULL, NULL, NULL, 0, 0, "print a table of labels too"},
    {"wrong", 0, CONF_FLAG, FIELD(wrong), NULL, NULL, NULL, NULL, 0, 0, "print each wrong answer on standard error"},
    {"perplexity", 0, CONF_STR, FIELD(perplexity), "FILE", NULL, NULL, NULL, 0, 0,
     "instead of a task: how well the model predicts a text"},
    {"kl", 0, CONF_STR, FIELD(kl), "BASE", NULL, NULL, NULL, 0, 0,
     "instead of a task: how far the model's distributions are from those of BASE on --text"},
    {"text", 0, CONF_STR, FIELD(text), "FILE", NULL, NULL, NULL, 0, 0, "the text for --kl"},
    {"chunks", 0, CONF_I64, FIELD(chunks), "N", "0", NULL, NULL, 0, 1 << 30,
     "only the first N chunks of a text, each of --ctx tokens, 512 if not said (0: all)"},
    CLI_ENGINE_ROWS(struct settings),
    CLI_JSON_ROW(struct settings),
    {.name = ""},
};

int cmd_eval(int argc, char **argv)
{
    struct settings set = {0};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("eval", rows, &set, argc, argv, &words, 0, 1, &exit_code)) return exit_code;
    int (*what)(const struct settings *, const char *, int *, struct err *) =
        set.perplexity || set.kl || set.text ? run_text : run;
    int rc = set.model ? what(&set, words.n ? words.item[0] : NULL, &exit_code, &e)
                       : ERR(&e, USAGE, "No model is given: add -m MODEL.");
    return rc ? cli_fail("eval", &e) : exit_code;
}
