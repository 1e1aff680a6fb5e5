/* croft task run: answer inputs, one line each. Classification prints the most probable labels with their
 * probabilities, separated by tabs, and where there is a calibration its verdict and confidence; the other kinds print
 * the text, and the verdict on standard error. --json: one object a line. */
#include "task_run.h"
#include "engine.h"
#include "task_model.h"

enum { MAX_INPUT = 16 << 20 };

struct settings {
    struct cli_engine_settings engine;
    const char *model, *group;
    int64_t top;
    bool json;
};
struct run {
    const struct settings *set;
    const struct task *task;
    struct task_runner *runner;
    struct buf text;
    unsigned *order; /* [n_labels] labels by falling probability, of the last answer */
    unsigned n_top;
};

/* The n_top most probable labels: selection, since few are asked for. */
static void rank(struct run *r, const double *p)
{
    unsigned n = r->task->n_labels;
    for (unsigned i = 0; i < n; i++) r->order[i] = i;
    for (unsigned k = 0; k < r->n_top; k++) {
        unsigned best = k;
        for (unsigned i = k + 1; i < n; i++)
            if (p[r->order[i]] > p[r->order[best]]) best = i;
        unsigned label = r->order[best];
        r->order[best] = r->order[k];
        r->order[k] = label;
    }
}

static void print_text(const struct run *r, const struct task_answer *a)
{
    if (a->probability) {
        for (unsigned k = 0; k < r->n_top; k++) {
            const char *name = r->task->labels[r->order[k]].name;
            if (k) putchar('\t');
            cli_print_safe(stdout, name, strlen(name));
            printf("\t%.4f", a->probability[r->order[k]]);
        }
    } else {
        fwrite(r->text.data, 1, r->text.len, stdout);
    }
    if (task_model_calibration(task_runner_model(r->runner), NULL)) {
        if (!a->probability) fflush(stdout);
        fprintf(a->probability ? stdout : stderr, a->probability ? "\t%s\t%.4f" : "%s %.4f\n",
                task_verdict_name(a->judgement.verdict), a->judgement.confidence);
    }
    putchar('\n');
}

static json_t *object_of(const struct run *r, const char *input, const struct task_answer *a)
{
    json_t *o = json_pack("{s:o s:I s:I s:f}", "input", cli_json_text(input, strlen(input)), "prompt_tokens",
                          (json_int_t)a->n_prompt, "evaluated_tokens", (json_int_t)a->n_evaluated, "ms",
                          1e3 * a->seconds);
    if (!o) return NULL;
    bool known = a->judgement.verdict != TASK_UNCALIBRATED;
    json_object_set_new(o, "verdict", json_string(task_verdict_name(a->judgement.verdict)));
    json_object_set_new(o, "confidence", known ? json_real(a->judgement.confidence) : json_null());
    if (!a->probability) {
        json_t *v = r->task->kind == TASK_EXTRACT ? json_loadb(r->text.data ? r->text.data : "", r->text.len,
                                                               JSON_DECODE_ANY, NULL)
                                                  : NULL;
        json_object_set_new(o, "output", v ? v : cli_json_text(r->text.data ? r->text.data : "", r->text.len));
        return o;
    }
    json_t *top = json_array();
    for (unsigned k = 0; k < r->n_top; k++)
        json_array_append_new(top, json_pack("{s:s s:f}", "label", r->task->labels[r->order[k]].name, "probability",
                                             a->probability[r->order[k]]));
    json_object_set_new(o, "label", json_string(r->task->labels[r->order[0]].name));
    json_object_set_new(o, "probability", json_real(a->probability[r->order[0]]));
    json_object_set_new(o, "top", top);
    return o;
}

static int answer(struct run *r, const char *input, struct err *e)
{
    struct task_answer a;
    buf_clear(&r->text);
    int rc = task_runner_answer(r->runner, input, &a, &r->text, e);
    if (rc) return rc;
    if (a.probability) rank(r, a.probability);
    if (!r->set->json) {
        print_text(r, &a);
    } else {
        json_t *o = object_of(r, input, &a);
        if (!o) return err_nomem(e, 0);
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    }
    fflush(stdout); /* a pipe's reader gets each answer as it comes */
    return 0;
}

static int answer_lines(struct run *r, struct err *e)
{
    struct buf line;
    int rc = 0, c = 0;
    buf_init(&line, MAX_INPUT);
    while (rc == 0 && c != EOF) {
        buf_clear(&line);
        while ((c = getc(stdin)) != EOF && c != '\n' && buf_char(&line, (char)c) == 0) {}
        if ((rc = buf_check(&line, "line", e))) break;
        if (line.len && memchr(line.data, 0, line.len)) rc = ERR(e, FORMAT, "A line of the input holds a NUL byte.");
        else if (line.len) rc = answer(r, line.data, e);
    }
    buf_done(&line);
    return rc;
}

/* A calibration that is there and not used is worth a word. */
static void note_refusal(const struct task_runner *r)
{
    struct err why = {0};
    if (task_model_calibration(task_runner_model(r), &why) || why.code == CROFT_E_NOT_FOUND) return;
    fprintf(stderr, "croft task run: the answers are uncalibrated. %s\n", why.msg);
}

static int run(const struct settings *set, const struct conf_list *words, struct err *e)
{
    struct task *t = NULL;
    struct infer_engine *g = NULL;
    char *path = NULL;
    struct run r = {.set = set};
    int rc = task_load(words->item[0], &t, e);
    if (rc) return rc;
    r.task = t;
    r.n_top = (unsigned)set->top;
    if (r.n_top > t->n_labels) r.n_top = t->n_labels;
    buf_init(&r.text, MAX_INPUT);
    if (t->kind == TASK_EMBED) rc = ERR(e, UNSUPPORTED, "The task '%s' embeds; use 'croft embed MODEL'.", t->name);
    else if (t->kind == TASK_CLASSIFY && !t->n_labels)
        rc = ERR(e, UNSUPPORTED, "The choices of task '%s' are those of its examples, so a plain input has none.",
                 t->name);
    if (rc == 0 && !(r.order = mem_calloc(t->n_labels + 1, sizeof *r.order))) rc = err_nomem(e, t->n_labels);
    if (rc == 0) rc = cli_engine_open(set->model, &set->engine, &g, e);
    if (rc == 0) rc = cli_model_path(set->model, &path, e);
    if (rc == 0) rc = task_runner_new(g, t, path, (uint32_t)set->engine.ctx, &r.runner, e);
    if (rc == 0) task_runner_group(r.runner, set->group);
    if (rc == 0) note_refusal(r.runner);
    for (int i = 1; i < words->n && rc == 0; i++)
        rc = strcmp(words->item[i], "-") == 0 ? answer_lines(&r, e) : answer(&r, words->item[i], e);
    if (rc == 0 && words->n == 1) rc = answer_lines(&r, e);
    task_runner_free(r.runner);
    infer_engine_close(g);
    mem_free(path);
    buf_done(&r.text);
    mem_free(r.order);
    task_free(t);
    return rc;
}

int cli_task_run_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"model", 'm', CONF_STR, offsetof(struct settings, model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
         "the model that answers: a file, or a name in the store"},
        {"top", 0, CONF_I64, offsetof(struct settings, top), "K", "1", NULL, NULL, 1, 4096,
         "print the K most probable labels"},
        {"group", 0, CONF_STR, offsetof(struct settings, group), "VALUE", NULL, NULL, NULL, 0, 0,
         "the inputs' group, where the calibration has thresholds per group ('croft calibrate --per')"},
        CLI_ENGINE_ROWS(struct settings),
        {"json", 0, CONF_FLAG, offsetof(struct settings, json), .help = "print JSON, one object a line"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("task run", rows, &set, argc, argv, &words, 1, -1, &exit_code)) return exit_code;
    int rc = set.model ? run(&set, &words, &e) : ERR(&e, USAGE, "No model is given: add -m MODEL.");
    return rc ? cli_fail("task run", &e) : 0;
}
