/* What commands share: the table of commands, options with --help, errors as people see them (cli.h).
 *
 * Owns one piece of state: the form in which --help answers (set by `croft help` and `croft completion`, which are the
 * only callers of other commands). Single-threaded.
 * Read next: table.c (tables and JSON), main.c. */
#include "cli.h"
#include "plat_file.h"

#include <errno.h>
#include <unistd.h>

/* commands.inc is a flat list in which CLI_GROUP starts a section; the group of a command is found by walking it. */
static const struct entry {
    struct cli_command command;
    const char *group;
} entries[] = {
#define CLI_GROUP(title) {.group = (title)},
#define CLI_COMMAND(name, usage, help) {.command = {#name, (usage), (help), NULL, cmd_##name}},
#include "commands.inc"
#undef CLI_COMMAND
};
#define N_ENTRIES (sizeof entries / sizeof entries[0])

static enum cli_help_form help_form = CLI_HELP_TEXT;

const struct cli_command *cli_commands(void)
{
    static struct cli_command commands[N_ENTRIES + 1];
    if (!commands[0].name) {
        const char *group = "";
        size_t n = 0;
        for (size_t i = 0; i < N_ENTRIES; i++) {
            if (entries[i].group) {
                group = entries[i].group;
                continue;
            }
            commands[n] = entries[i].command;
            commands[n++].group = group;
        }
    }
    return commands;
}

const struct cli_command *cli_verbs(void)
{
    static const struct cli_command verbs[] = {
#define CLI_COMMAND(name, usage, help)
#define CLI_VERB(command, verb, usage, help)                                                                         \
    {#command " " #verb, (usage), (help), NULL, cli_##command##_##verb##_command},
#include "commands.inc"
#undef CLI_COMMAND
        {0}};
    return verbs;
}

const char *cli_verb_of(const struct cli_command *verb, const char *command)
{
    size_t n = strlen(command);
    return str_starts(verb->name, command) && verb->name[n] == ' ' ? verb->name + n + 1 : NULL;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *c = cli_commands(); c->name; c++)
        if (strcmp(c->name, name) == 0) return c;
    for (const struct cli_command *c = cli_verbs(); c->name; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

void cli_suggest(const char *name, char *out, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) <= 3 ? 2 : 3;
    for (const struct cli_command *c = cli_commands(); c->name; c++) {
        size_t d = str_distance(name, c->name);
        if (d >= best_distance) continue;
        best = c->name;
        best_distance = d;
    }
    snprintf(out, n, best ? " Did you mean '%s'?" : "%s", best ? best : "");
}

bool cli_color(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(f)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

void cli_print_safe(FILE *f, const char *p, size_t n)
{
    for (const char *end = p + n; p < end;) {
        uint32_t cp;
        size_t k = utf8_decode(p, end, &cp);
        /* C0, DEL, C1 and the bidirectional overrides could rewrite what the reader sees. */
        bool bad = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp > 0x10FFFF || (cp >= 0x202a && cp <= 0x202e) ||
                   (cp >= 0x2066 && cp <= 0x2069);
        if (bad) fputc('?', f);
        else fwrite(p, 1, k, f);
        p += k;
    }
}

int cli_fail(const char *command, const struct err *e)
{
    bool color = cli_color(stderr);
    fflush(stdout);
    fprintf(stderr, "%scroft%s%s:%s ", color ? "\033[31m" : "", *command ? " " : "", command, color ? "\033[0m" : "");
    cli_print_safe(stderr, e->msg, strlen(e->msg));
    size_t n = strlen(e->where);
    bool named = n && strncmp(e->msg, e->where, n) == 0 && e->msg[n] == ':'; /* "file:line: …" */
    if (e->pos >= 0 && !named) {
        fputs(" (", stderr);
        cli_print_safe(stderr, e->where, strlen(e->where));
        fprintf(stderr, "%sat %lld)", e->where[0] ? " " : "", e->pos);
    }
    fputc('\n', stderr);
    if (e->code == CROFT_E_USAGE) fprintf(stderr, "Try 'croft %s%s--help'.\n", command, *command ? " " : "");
    return err_exit(e->code);
}

void cli_help_form_set(enum cli_help_form form) { help_form = form; }

static void help_text(const struct cli_command *c, const struct conf_row *rows, struct buf *out)
{
    buf_fmt(out, "Usage: croft %s%s%s%s\n\n", c->name, rows->name[0] ? " [OPTION]…" : "", *c->usage ? " " : "",
            c->usage);
    buf_fmt(out, "%c%s.\n\nOptions:\n", c->help[0] & ~0x20, c->help + 1);
    conf_help(rows, out);
    bool any = false;
    for (const struct cli_command *v = cli_verbs(); v->name; v++) {
        const char *word = cli_verb_of(v, c->name);
        if (!word) continue;
        buf_fmt(out, "%s  %-10s %s\n", any ? "" : "\nVerbs, each with --help of its own:\n", word, v->help);
        any = true;
    }
}

static void help_markdown(const struct cli_command *c, const struct conf_row *rows, struct buf *out)
{
    buf_fmt(out, "### croft %s\n\n`croft %s%s%s%s`\n\n%c%s.\n", c->name, c->name, rows->name[0] ? " [OPTION]…" : "",
            *c->usage ? " " : "", c->usage, c->help[0] & ~0x20, c->help + 1);
    if (!rows->name[0]) return;
    buf_char(out, '\n');
    conf_markdown(rows, out);
}

static void help_names(const struct conf_row *rows, struct buf *out)
{
    for (const struct conf_row *r = rows; r->name[0]; r++) buf_fmt(out, "--%s\n", r->name);
    buf_str(out, "--help\n");
}

static int print_help(const char *command, const struct conf_row *rows)
{
    const struct cli_command *c = cli_command_find(command);
    struct err e;
    struct buf out;
    int rc;
    if (!c) {
        ERR(&e, INTERNAL, "The command '%s' is not in the table. Report this as a bug.", command);
        return cli_fail(command, &e);
    }
    buf_init(&out, 1 << 20);
    if (help_form == CLI_HELP_TEXT) help_text(c, rows, &out);
    else if (help_form == CLI_HELP_MARKDOWN) help_markdown(c, rows, &out);
    else help_names(rows, &out);
    rc = buf_check(&out, "help text", &e);
    if (rc == 0) fwrite(out.data, 1, out.len, stdout);
    buf_done(&out);
    return rc ? cli_fail(command, &e) : 0;
}

/* Too few or too many words; the usage line names them. */
static int check_words(const char *command, const struct conf_list *words, int min_words, int max_words, struct err *e)
{
    const struct cli_command *c = cli_command_find(command);
    if (words->n < min_words)
        return ERR(e, USAGE, "An argument is missing. Usage: croft %s %s", command, c ? c->usage : "");
    if (max_words >= 0 && words->n > max_words)
        return ERR(e, USAGE, "The argument '%.60s' is one too many. Usage: croft %s%s%s", words->item[max_words],
                   command, c && *c->usage ? " " : "", c ? c->usage : "");
    return 0;
}

bool cli_options(const char *command, const struct conf_row *rows, void *settings, int argc, char **argv,
                 struct conf_list *words, int min_words, int max_words, int *exit_code)
{
    struct err e = {0};
    bool help = false;
    int rc = conf_parse(rows, settings, argc, argv, words, &help, &e);
    if (rc == 0 && !help) rc = check_words(command, words, min_words, max_words, &e);
    if (rc == 0 && !help) return true;
    *exit_code = rc ? cli_fail(command, &e) : print_help(command, rows);
    return false;
}

bool cli_verb_run(const char *command, int argc, char **argv, int *exit_code)
{
    for (const struct cli_command *v = cli_verbs(); argc > 1 && v->name; v++) {
        const char *word = cli_verb_of(v, command);
        if (!word || strcmp(word, argv[1]) != 0) continue;
        *exit_code = v->run(argc - 1, argv + 1);
        return true;
    }
    return false;
}

int cli_verbs_only(const char *command, int argc, char **argv)
{
    static const struct conf_row rows[] = {{.name = ""}};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (cli_verb_run(command, argc, argv, &exit_code)) return exit_code;
    if (!cli_options(command, rows, NULL, argc, argv, &words, 1, -1, &exit_code)) return exit_code;
    ERR(&e, USAGE, "There is no 'croft %s %.60s'.", command, words.item[0]);
    return cli_fail(command, &e);
}

int cli_read_all(const char *path, struct buf *out, struct err *e)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    char block[1 << 16];
    size_t n;
    if (!f) return err_errno(e, errno, "open", path);
    while (!out->failed && (n = fread(block, 1, sizeof block, f)) > 0) buf_add(out, block, n);
    int rc = ferror(f) ? err_errno(e, errno, "read", is_stdin ? "standard input" : path)
                       : buf_check(out, "input", e);
    if (!is_stdin) fclose(f);
    return rc;
}

int cli_write_file(const char *path, const struct buf *b, struct err *e)
{
    int failed = plat_file_write(path, b->data, b->len);
    return failed ? err_errno(e, -failed, "write", path) : 0;
}
