/* croft calibrate: from which confidence on may a model's answers to a task stand, so that of those that do at most a
 * target share is wrong? Answers labelled examples, fits, chooses, writes the calibration beside the weights, and
 * shows on other examples what it does. Read next: src/task/calib_fit.c, docs/CALIBRATION.md. */
#include "engine.h"
#include "task_calibrate.h"

#include <math.h>
#include <unistd.h>

struct settings {
    struct cli_engine_settings engine;
    const char *model, *data, *check, *map, *per, *vector, *scope_label, *out, *bound;
    double target, confidence, scope;
    bool json;
};

/* What a run gathers, for the report. */
struct run {
    const struct settings *set;
    struct task *task;
    struct infer_engine *engine;
    char *model, *file;
    struct task_examples data, check, train;
    struct task_observations seen, checked;
    float *vector;           /* [train.n, n_embd] */
    unsigned *label;         /* [train.n] */
    size_t n_train, n_known; /* vectors; calibration inputs that stand in the training data, left out */
    struct task_calibration *calibration;
    struct task_calibration_check result;
    const char *checked_on;
};

static int show_progress(void *arg, size_t i, size_t n)
{
    if (i % 16 == 0 || i + 1 == n)
        fprintf(stderr, "\r%s: %zu of %zu answered%s", (const char *)arg, i + 1, n, i + 1 == n ? "\r\033[K" : "");
    return 0;
}

static enum task_split split_of(const char *name)
{
    return strcmp(name, "test") == 0 ? TASK_TEST : strcmp(name, "train") == 0 ? TASK_TRAIN : TASK_VALIDATION;
}

static int observe(struct run *r, struct task_runner *runner, const struct task_examples *x, const char *name,
                   struct task_observations *out, struct err *e)
{
    bool bar = isatty(STDERR_FILENO);
    return task_observe(runner, r->task, x, r->set->scope_label, bar ? show_progress : NULL, (void *)name, out, e);
}

static int by_input(const void *a, const void *b)
{
    return strcmp(((const struct task_example *)a)->input, ((const struct task_example *)b)->input);
}

/* The training data, sorted by input; and none of them among the calibration data: the model has seen those. */
static int load_train(struct run *r, struct err *e)
{
    if (!task_split_path(r->task, TASK_TRAIN) || split_of(r->set->data) == TASK_TRAIN) return 0;
    int rc = task_split_load(r->task, TASK_TRAIN, &r->train, e);
    if (rc) return rc;
    qsort(r->train.item, r->train.n, sizeof *r->train.item, by_input);
    size_t n = 0;
    for (size_t i = 0; i < r->data.n; i++) {
        struct task_example x = r->data.item[i];
        if (!bsearch(&x, r->train.item, r->train.n, sizeof x, by_input)) r->data.item[n++] = x;
    }
    r->n_known = r->data.n - n;
    r->data.n = n;
    if (n) return 0;
    return ERR(e, FORMAT,
               "All examples of the %s data stand in the training data too. A calibration needs examples that "
               "the model was not made from.",
               r->set->data);
}

static int train_vectors(struct run *r, struct err *e)
{
    unsigned d = infer_engine_model(r->engine)->n_embd;
    size_t n = 0;
    for (size_t i = 0; i < r->train.n && r->task->kind == TASK_CLASSIFY; i++) { /* those of the task's labels */
        const struct task_example x = r->train.item[i];
        int k = x.label ? task_label_find(r->task, x.label) : -1;
        if (k >= 0 && !(r->set->scope_label && strcmp(x.label, r->set->scope_label) == 0)) r->train.item[n++] = x;
    }
    if (r->task->kind == TASK_CLASSIFY) r->train.n = n;
    if (r->train.n == 0) return 0;
    r->vector = mem_calloc(r->train.n * d, sizeof *r->vector);
    r->label = mem_calloc(r->train.n, sizeof *r->label);
    if (!r->vector || !r->label) return err_nomem(e, r->train.n * d * sizeof *r->vector);
    r->n_train = r->train.n;
    for (size_t i = 0; i < r->train.n && r->task->kind == TASK_CLASSIFY; i++)
        r->label[i] = (unsigned)task_label_find(r->task, r->train.item[i].label);
    return cli_vectors(r->engine, &r->set->engine, r->task, &r->train, r->vector, e);
}

static int calibrate(struct run *r, struct err *e)
{
    const struct settings *set = r->set;
    const struct task_calibrate_params p = {.target_error = set->target,
                                            .confidence = set->confidence,
                                            .bound = strcmp(set->bound, "expectation") == 0 ? TASK_BOUND_EXPECTATION
                                                                                            : TASK_BOUND_CONFIDENCE,
                                            .scope = set->scope,
                                            .map = strcmp(set->map, "isotonic") == 0      ? TASK_MAP_ISOTONIC
                                                   : strcmp(set->map, "temperature") == 0 ? TASK_MAP_TEMPERATURE
                                                                                          : TASK_MAP_LOGISTIC,
                                            .per = !set->per                        ? TASK_PER_NONE
                                                   : strcmp(set->per, "label") == 0 ? TASK_PER_LABEL
                                                                                    : TASK_PER_GROUP,
                                            .scope_label = set->scope_label,
                                            .train = r->vector,
                                            .train_label = r->task->kind == TASK_CLASSIFY ? r->label : NULL,
                                            .n_train = r->n_train};
    int rc = task_calibrate(r->task, &r->seen, &p, &r->calibration, e);
    if (!rc) rc = task_calibration_save(r->calibration, r->task, r->model, r->file, e);
    if (!rc)
        rc = task_calibration_check(r->calibration, r->checked.n ? &r->checked : &r->seen, r->checked.n ? -1 : 1,
                                    &r->result, e);
    return rc;
}

/* ---- the report ---- */

static void threshold_table(struct cli_table *t, const struct run *r)
{
    static const struct cli_column cols[] = {
        {"group", "answers", CLI_TEXT}, {"threshold", "accepted from", CLI_REAL}, {"n", "accepted", CLI_INT},
        {"of", "of", CLI_INT},          {"error", "wrong (%)", CLI_REAL},         {0}};
    cli_table_init(t, cols);
    for (size_t i = 0; i < task_calibration_groups(r->calibration); i++) {
        struct task_threshold h;
        const char *name = task_calibration_group(r->calibration, i, &h);
        cli_text(t, name ? name : i ? "(all others)" : "(all)");
        if (h.holds)
            cli_real(t, (double)h.at);
        else
            cli_none(t);
        cli_int(t, h.holds ? (int64_t)h.n : 0);
        cli_int(t, (int64_t)h.n_all);
        if (h.holds)
            cli_real(t, 100 * h.loss);
        else
            cli_none(t);
    }
}

static unsigned long long needed(const struct run *r)
{
    const struct task_promise p = task_calibration_promise(r->calibration);
    return task_promise_needed(&p, task_calibration_groups(r->calibration));
}

static json_t *maybe(double x) { return isnan(x) ? json_null() : json_real(x); }

static int report_json(const struct run *r)
{
    const struct task_promise p = task_calibration_promise(r->calibration);
    const struct task_calibration_check *k = &r->result;
    const char *names[16];
    size_t n = task_calibration_signals(r->calibration, names, 16);
    struct cli_table groups;
    json_t *signals = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(signals, json_string(names[i]));
    threshold_table(&groups, r);
    json_t *check = json_pack(
        "{s:s s:I s:I s:f s:f s:f s:o s:o s:o s:o s:o s:o s:I s:I}", "data", r->checked_on, "n", (json_int_t)k->n,
        "accepted", (json_int_t)k->n_accepted, "coverage", (double)k->n_accepted / (double)(k->n ? k->n : 1), "error",
        k->loss, "error_of_all", k->loss_all, "ece_before", maybe(k->ece_before), "ece_after", maybe(k->ece_after),
        "ece_by_chance", maybe(k->ece_chance), "auroc_error", maybe(k->auroc_error), "auroc_out_of_scope",
        maybe(k->auroc_scope), "auroc_novelty", maybe(k->auroc_novelty), "out_of_scope",
        (json_int_t)k->n_out_of_scope, "out_of_scope_accepted", (json_int_t)k->n_scope_accepted);
    return cli_json_done(
        json_pack("{s:s s:s s:s s:s s:f s:o s:b s:o s:f s:I s:I s:I s:I s:o s:o s:o s:o}", "task", r->task->name,
                  "model", r->set->model, "file", r->file, "bound", r->set->bound, "target_error", p.target_error,
                  "confidence", p.bound == TASK_BOUND_EXPECTATION ? json_null() : json_real(p.confidence), "holds",
                  p.holds, "threshold", p.holds ? json_real(p.threshold) : json_null(), "coverage", p.coverage, "n",
                  (json_int_t)p.n, "n_needed", (json_int_t)needed(r), "n_unanswered",
                  (json_int_t)r->seen.n_unanswered, "n_in_training_data", (json_int_t)r->n_known, "temperature",
                  maybe(task_calibration_temperature(r->calibration)), "signals", signals, "groups",
                  cli_table_take(&groups), "check", check),
        "calibrate");
}

static void print_promise(const struct run *r, const struct task_promise *p)
{
    const bool graded = r->task->metric == TASK_FIELD_F1, mean = p->bound == TASK_BOUND_EXPECTATION;
    char with[40] = "";
    if (!mean) snprintf(with, sizeof with, ", with %g %% confidence", 100 * p->confidence);
    if (!p->holds) {
        printf(
            "No threshold keeps the promise: everything is escalated. Of %u examples half decide; at least %llu in "
            "all\nare needed for a target of %g %%%s, and more if the surest answers are wrong too.\n\n",
            p->n, needed(r), 100 * p->target_error, with);
        return;
    }
    if (mean)
        printf("Of all inputs like these %u examples, accepted answers %s at most %g %%, in the mean.\n%.1f %% of "
               "inputs "
               "are answered here; the rest is escalated.\n\n",
               p->n, graded ? "lose (1 - F1)" : "are wrong for", 100 * p->target_error, 100 * p->coverage);
    else
        printf("Answers that are accepted %s %g %%%s, for inputs like these\n%u examples. That share of inputs, %.1f "
               "%%, is "
               "answered here; the rest is escalated.\n\n",
               graded ? "have a mean loss (1 - F1) of at most" : "are wrong in at most", 100 * p->target_error, with,
               p->n, 100 * p->coverage);
}

static void fact(struct cli_table *t, const char *what, double value)
{
    cli_text(t, what);
    if (isnan(value))
        cli_none(t);
    else
        cli_real(t, value);
}

static int report_text(const struct run *r)
{
    static const struct cli_column cols[] = {{"what", "", CLI_TEXT}, {"value", "", CLI_REAL}, {0}};
    const struct task_promise p = task_calibration_promise(r->calibration);
    const struct task_calibration_check *k = &r->result;
    const char *names[16];
    size_t n = task_calibration_signals(r->calibration, names, 16);
    struct cli_table t;
    print_promise(r, &p);
    printf("Signals:");
    for (size_t i = 0; i < n; i++) printf("%s %s", i ? "," : "", names[i]);
    printf("\nWritten to %s\n", r->file);
    if (r->seen.n_unanswered) printf("Left out: %zu examples that were not answered\n", r->seen.n_unanswered);
    if (r->n_known) printf("Left out: %zu examples that stand in the training data\n", r->n_known);
    printf("\n%s\n", r->checked.n ? "On examples that nothing was fitted to or chosen by:"
                                  : "On the half that the threshold was chosen by, for want of other examples:");
    cli_table_init(&t, cols);
    fact(&t, "examples", (double)k->n);
    fact(&t, "answered here (%)", 100 * (double)k->n_accepted / (double)(k->n ? k->n : 1));
    fact(&t, "wrong among those (%)", k->n_accepted ? 100 * k->loss : NAN);
    fact(&t, "wrong if all were answered here (%)", 100 * k->loss_all);
    fact(&t, "calibration error before (%)", 100 * k->ece_before);
    fact(&t, "calibration error after (%)", 100 * k->ece_after);
    fact(&t, "  of so few examples, by chance (%)", 100 * k->ece_chance);
    fact(&t, "AUROC, right from wrong", k->auroc_error);
    if (k->n_out_of_scope) {
        fact(&t, "out of scope, examples", (double)k->n_out_of_scope);
        fact(&t, "out of scope, answered here", (double)k->n_scope_accepted);
        fact(&t, "AUROC, in from out of scope", k->auroc_scope);
        fact(&t, "AUROC of novelty alone", k->auroc_novelty);
    }
    cli_table_print(&t, stdout, 2);
    json_decref(cli_table_take(&t));
    if (task_calibration_groups(r->calibration) == 1) return 0;
    printf("\nThresholds; the promise holds for all of them together:\n");
    threshold_table(&t, r);
    return cli_table_done(&t, "calibrate", false);
}

/* ---- the run ---- */

static int check_settings(const struct settings *set, struct task *t, struct err *e)
{
    if (t->kind == TASK_EMBED)
        return ERR(e, UNSUPPORTED, "A task that embeds has no answers that are right or wrong.");
    if (t->kind == TASK_CLASSIFY && !t->n_labels)
        return ERR(e, UNSUPPORTED,
                   "The choices of task '%s' differ from example to example; only fixed labels can be "
                   "calibrated.",
                   t->name);
    if (!set->per || strcmp(set->per, "label") == 0)
        return set->per && t->kind != TASK_CLASSIFY ? ERR(e, USAGE, "--per label needs a task that classifies.") : 0;
    return task_group_by(t, set->per, e);
}

/* Vectors cost an encoder nothing: its answer comes from one. */
static bool with_vector(const struct run *r)
{
    const char *v = r->set->vector;
    return strcmp(v, "yes") == 0 || (strcmp(v, "auto") == 0 && !infer_engine_model(r->engine)->causal);
}

static int gather(struct run *r, struct err *e)
{
    struct task_runner *runner = NULL;
    enum task_split check = split_of(r->set->check);
    int rc = task_split_load(r->task, split_of(r->set->data), &r->data, e);
    if (!rc) rc = load_train(r, e);
    bool other = strcmp(r->set->check, "none") != 0 && check != split_of(r->set->data);
    r->checked_on = "chosen by";
    if (!rc && other && task_split_path(r->task, check)) {
        rc = task_split_load(r->task, check, &r->check, e);
        r->checked_on = r->set->check;
    }
    if (!rc) rc = cli_engine_open(r->set->model, &r->set->engine, &r->engine, e);
    if (!rc) infer_engine_warm(r->engine);
    if (!rc)
        rc = task_runner_new_measuring(r->engine, r->task, r->model, (uint32_t)r->set->engine.ctx, with_vector(r),
                                       &runner, e);
    if (!rc) rc = observe(r, runner, &r->data, r->set->data, &r->seen, e);
    if (!rc && r->check.n) rc = observe(r, runner, &r->check, r->set->check, &r->checked, e);
    task_runner_free(runner);
    if (!rc && with_vector(r) && r->train.n) rc = train_vectors(r, e);
    return rc;
}

static int run(const struct settings *set, const char *task_path, int *out_exit, struct err *e)
{
    struct run r = {.set = set};
    int rc = task_load(task_path, &r.task, e);
    if (rc) return rc;
    rc = check_settings(set, r.task, e);
    if (!rc) rc = cli_model_path(set->model, &r.model, e);
    if (!rc && !(r.file = set->out ? mem_strdup(set->out) : task_calibration_path(r.model, r.task->name)))
        rc = err_nomem(e, 0);
    if (!rc) rc = gather(&r, e);
    if (!rc) rc = calibrate(&r, e);
    if (!rc) *out_exit = set->json ? report_json(&r) : report_text(&r);
    task_calibration_free(r.calibration);
    task_observations_done(&r.seen);
    task_observations_done(&r.checked);
    infer_engine_close(r.engine);
    task_examples_done(&r.data);
    task_examples_done(&r.check);
    task_examples_done(&r.train);
    mem_free(r.vector);
    mem_free(r.label);
    mem_free(r.model);
    mem_free(r.file);
    task_free(r.task);
    return rc;
}

int cmd_calibrate(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"model", 'm', CONF_STR, offsetof(struct settings, model), "MODEL", NULL, "CROFT_MODEL", NULL, 0, 0,
         "the model that answers: a file, or a name in the store"},
        {"target-error", 0, CONF_F64, offsetof(struct settings, target), "SHARE", "0.05", NULL, NULL, 1e-5, 0.99,
         "of the answers that are accepted, at most this share may be wrong"},
        {"confidence", 0, CONF_F64, offsetof(struct settings, confidence), "SHARE", "0.95", NULL, NULL, 0.5, 0.999999,
         "how sure that must be"},
        {"bound", 0, CONF_CHOICE, offsetof(struct settings, bound), "WHAT", "confidence", NULL,
         "confidence|expectation", 0, 0,
         "confidence: the error among the accepted, with that confidence; expectation: the error that accepted "
         "answers "
         "bring to all inputs, in the mean (conformal risk control; --confidence does not matter)"},
        {"data", 0, CONF_CHOICE, offsetof(struct settings, data), "SPLIT", "validation", NULL,
         "validation|test|train", 0, 0, "which of the task's data sets to calibrate with"},
        {"check", 0, CONF_CHOICE, offsetof(struct settings, check), "SPLIT", "test", NULL,
         "test|validation|train|none", 0, 0, "which one to try the calibration on afterwards, where the task has it"},
        {"method", 0, CONF_CHOICE, offsetof(struct settings, map), "NAME", "logistic", NULL,
         "logistic|isotonic|temperature", 0, 0,
         "how signals become a probability: all by logistic regression, with a monotone step function behind it, or "
         "the "
         "label's probability with a temperature alone"},
        {"per", 0, CONF_STR, offsetof(struct settings, per), "COLUMN", NULL, NULL, NULL, 0, 0,
         "a threshold for each value of a column of the data (a language, say), or with 'label' for each answered "
         "label; "
         "all of them keep the promise together"},
        {"vector", 0, CONF_CHOICE, offsetof(struct settings, vector), "WHEN", "auto", NULL, "auto|yes|no", 0, 0,
         "use the input's vector: distance to the training inputs, and a probe; auto: with encoders, as others need "
         "an extra pass for it at every answer"},
        {"scope", 0, CONF_F64, offsetof(struct settings, scope), "SHARE", "0.99", NULL, NULL, 0.5, 1,
         "share of the inputs in scope that must not be taken for out of scope by their distance"},
        {"out-of-scope", 0, CONF_STR, offsetof(struct settings, scope_label), "LABEL", NULL, NULL, NULL, 0, 0,
         "examples with this label are out of scope: every local answer to them is wrong"},
        {"output", 'o', CONF_STR, offsetof(struct settings, out), "FILE", NULL, NULL, NULL, 0, 0,
         "where to write (default: beside the model, where task run and serve look)"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("calibrate", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc =
        set.model ? run(&set, words.item[0], &exit_code, &e) : ERR(&e, USAGE, "No model is given: add -m MODEL.");
    return rc ? cli_fail("calibrate", &e) : exit_code;
}
