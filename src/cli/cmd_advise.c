/* croft advise: should this run here? Answers come from a task, a file, --set, and, at a terminal, from questions;
 * the rules are src/econ's. Exit code 0: there is a verdict; 1: not decided, and the output names what is missing.
 * Read next: src/econ/advise_verdict.c, docs/ADVISE.md. */
#include "cli.h"
#include "econ_advise.h"
#include "task_data.h"
#include "tco.h"

#include <math.h>
#include <unistd.h>

enum { NOT_DECIDED = 1, MAX_OUT = 1 << 20 };

struct settings {
    const char *file, *output;
    struct conf_list set;
    bool json, markdown, worksheet, questions;
};

/* ---- answers from a task ---- */

static int count_examples(const struct task *t, double *out, struct err *e)
{
    struct task_examples x;
    if (!task_split_path(t, TASK_TRAIN)) return 0;
    int rc = task_split_load(t, TASK_TRAIN, &x, e);
    if (rc == CROFT_E_NOT_FOUND) return 0; /* a task may travel without its data */
    if (rc) return rc;
    *out = (double)x.n;
    task_examples_done(&x);
    return 0;
}

/* What writes freely may be narrow or open: that is asked. */
static int read_task(const char *path, struct econ_answers *a, struct err *e)
{
    struct task *t = NULL;
    int rc = task_load(path, &t, e);
    if (rc) return rc;
    if (t->kind != TASK_GENERATE) a->bounded = t->kind == TASK_CLASSIFY ? ECON_CHOICE : ECON_SCHEMA;
    if (t->latency_ms > 0) a->latency_ms = t->latency_ms;
    if (t->floor > 0) a->floor = t->floor;
    if (t->sensitivity && strcmp(t->sensitivity, "local-only") == 0) a->leave = ECON_DEVICE_ONLY;
    if (t->sensitivity && strcmp(t->sensitivity, "public") == 0) a->data = ECON_PUBLIC;
    rc = count_examples(t, &a->examples, e);
    task_free(t);
    return rc;
}

/* ---- answers by --set KEY=VALUE ---- */

static int read_set(const struct conf_list *list, struct econ_advise_input *in, struct err *e)
{
    char key[80];
    int rc = 0;
    for (int i = 0; i < list->n && rc == 0; i++) {
        const char *eq = strchr(list->item[i], '=');
        if (!eq || (size_t)(eq - list->item[i]) >= sizeof key)
            return ERR(e, USAGE, "--set takes KEY=VALUE; 'croft advise --questions' lists the keys.");
        snprintf(key, sizeof key, "%.*s", (int)(eq - list->item[i]), list->item[i]);
        rc = econ_advise_set(in, key, eq + 1, e);
    }
    return rc;
}

/* ---- answers from a terminal: prompts go to standard error, so that the advice can be redirected ---- */

static void print_choices(const struct econ_question *q)
{
    fputs("  [", stderr);
    for (int i = 0; q->words && q->words[i]; i++) fprintf(stderr, "%s%s", i ? ", " : "", q->words[i]);
    fprintf(stderr, "%sEnter: %s] ", q->words ? "; " : "", q->fallback ? q->fallback : "not known");
    fflush(stderr);
}

/* One answer; a wrong one is asked for again. False at the end of input. */
static bool ask(struct econ_advise_input *in, const struct econ_question *q)
{
    char line[512];
    struct err e;
    fprintf(stderr, "%s\n", q->prompt);
    for (;;) {
        print_choices(q);
        if (!fgets(line, sizeof line, stdin)) return false;
        line[strcspn(line, "\r\n")] = 0;
        const char *text = *line ? line : q->fallback;
        if (!text || econ_advise_set(in, q->key, text, &e) == 0) return true;
        fputs("  ", stderr);
        cli_print_safe(stderr, e.msg, strlen(e.msg));
        fputc('\n', stderr);
    }
}

static void ask_all(struct econ_advise_input *in, bool worksheet)
{
    for (const struct econ_question *q = econ_questions(); q->key; q++) {
        if (worksheet && q->kind != ECON_ASK_NAMES) continue;
        if (econ_worth_asking(&in->a, q->key) && !ask(in, q)) break;
    }
    fputc('\n', stderr);
}

static int read_all(const struct settings *set, const struct conf_list *words, struct econ_advise_input *in,
                    struct err *e)
{
    bool terminal = isatty(STDIN_FILENO) && !set->file;
    int rc = 0;
    if (!words->n && !set->file && !set->set.n && !terminal && !set->worksheet)
        return ERR(e, USAGE,
                   "Nothing is answered: give a TASK, -f FILE or --set KEY=VALUE, or run it at a terminal.");
    if (words->n) rc = read_task(words->item[0], &in->a, e);
    if (rc == 0 && set->file) rc = econ_advise_read(in, set->file, e);
    if (rc == 0) rc = read_set(&set->set, in, e);
    if (rc == 0) rc = econ_advise_cost(in, cli_tco_prices(), e);
    if (rc == 0 && terminal) ask_all(in, set->worksheet);
    return rc;
}

/* ---- output ---- */

/* A value that could not be made, or not written, leaves the buffer failed. */
static void json_into(json_t *o, struct buf *out)
{
    struct err e;
    if (cli_json_add(o, JSON_INDENT(2), out, &e) && !out->failed) out->failed = e.code;
    buf_char(out, '\n');
    json_decref(o);
}

static void write_advice(const struct settings *set, const struct econ_advise_input *in, const struct econ_advice *a,
                         struct buf *out)
{
    const char *o = set->output ? set->output : "";
    if (set->json || str_ends(o, ".json"))
        json_into(set->worksheet ? econ_worksheet_json(&in->a) : econ_advise_json(in, a), out);
    else if (set->markdown || str_ends(o, ".md"))
        set->worksheet ? econ_worksheet_markdown(&in->a, out) : econ_advise_markdown(in, a, out);
    else if (set->worksheet)
        econ_worksheet_text(&in->a, out);
    else {
        econ_advise_text(a, out);
        buf_str(out, "\nWhat the law asks, here and there: croft advise --worksheet\n");
    }
}

static int put(const struct settings *set, const struct buf *b, struct err *e)
{
    int rc = buf_check(b, "advice", e);
    if (rc) return rc;
    if (set->output && strcmp(set->output, "-") != 0) return cli_write_file(set->output, b, e);
    fwrite(b->data, 1, b->len, stdout);
    return 0;
}

static int run(const struct settings *set, const struct conf_list *words, int *out_exit, struct err *e)
{
    static struct econ_advice advice; /* large, and there is one */
    struct econ_advise_input in;
    struct buf out;
    buf_init(&out, MAX_OUT);
    econ_advise_input_init(&in);
    int rc = 0;
    if (set->questions)
        econ_questions_yaml(&out);
    else
        rc = read_all(set, words, &in, e);
    if (rc == 0 && !set->questions) {
        econ_advise(&in, &advice);
        write_advice(set, &in, &advice, &out);
        *out_exit = advice.verdict == ECON_LEAN_UNDECIDED && !set->worksheet ? NOT_DECIDED : 0;
    }
    if (rc == 0) rc = put(set, &out, e);
    econ_advise_input_done(&in);
    buf_done(&out);
    return rc;
}

int cmd_advise(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"file", 'f', CONF_STR, offsetof(struct settings, file), "FILE", NULL, NULL, NULL, 0, 0,
         "answers, as YAML; then nothing is asked"},
        {"set", 's', CONF_LIST, offsetof(struct settings, set), "KEY=VALUE", NULL, NULL, NULL, 0, 0,
         "an answer, or thresholds.NAME=NUMBER, over what task and file say"},
        {"questions", 0, CONF_FLAG, offsetof(struct settings, questions),
         .help = "print a file of answers to begin from, with all questions and thresholds"},
        {"worksheet", 0, CONF_FLAG, offsetof(struct settings, worksheet),
         .help = "print the compliance worksheet instead (not legal advice)"},
        {"markdown", 0, CONF_FLAG, offsetof(struct settings, markdown), .help = "print Markdown, with the worksheet"},
        {"output", 'o', CONF_STR, offsetof(struct settings, output), "FILE", NULL, NULL, NULL, 0, 0,
         "write there; .md is Markdown, .json JSON"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("advise", rows, &set, argc, argv, &words, 0, 1, &exit_code)) return exit_code;
    int rc = set.json && set.markdown ? ERR(&e, USAGE, "Give --json or --markdown.") : 0;
    if (rc == 0) rc = run(&set, &words, &exit_code, &e);
    return rc ? cli_fail("advise", &e) : exit_code;
}
