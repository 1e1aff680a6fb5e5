/* The program's frame: the table of commands, and what commands share. One command = one file cmd_<name>.c with one
 * function of the same name = one row in commands.inc. */
#ifndef CLI_H
#define CLI_H

#include "base_conf.h"
#include "base_mem.h"
#include "base_str.h"

#include <jansson.h>

#define CLI_COMMAND(name, usage, help) int cmd_##name(int argc, char **argv);
#define CLI_VERB(command, verb, usage, help) int cli_##command##_##verb##_command(int argc, char **argv);
#include "commands.inc"
#undef CLI_COMMAND

/* argv[0] is the command's name. A command returns the process's exit code. It prints errors with cli_fail, and it
 * calls cli_options before anything else: `croft help`, docs/cli.md and completion ask a command for its options by
 * calling it with --help. */

struct cli_command {
    const char *name, *usage, *help, *group; /* a row with name NULL ends the table */
    int (*run)(int argc, char **argv);
};
const struct cli_command *cli_commands(void);
const struct cli_command *cli_verbs(void);    /* of all commands, named "command verb"; ends as the other */
const struct cli_command *cli_command_find(const char *name); /* a command, or a verb by both words; NULL: none */
/* Is this a verb of the command? Then its own word, else NULL. */
const char *cli_verb_of(const struct cli_command *verb, const char *command);
/* If argv[1] is one of the command's verbs, run it. */
bool cli_verb_run(const char *command, int argc, char **argv, int *exit_code);
/* The whole of a command that has nothing but verbs. */
int cli_verbs_only(const char *command, int argc, char **argv);

/* "croft NAME: message" on standard error (in red on a terminal unless NO_COLOR), returns the code's exit code. */
int cli_fail(const char *command, const struct err *e);
/* Parse this command's options; prints help to standard output or the error to standard error when it returns false,
 * with the exit code in *exit_code. Checks min_words ≤ n ≤ max_words (max_words < 0: any number). */
bool cli_options(const char *command, const struct conf_row *rows, void *settings, int argc, char **argv,
                 struct conf_list *words, int min_words, int max_words, int *exit_code);
/* The row that every command with a table has: `bool json` in its settings. */
#define CLI_JSON_ROW(settings) {"json", 0, CONF_FLAG, offsetof(settings, json), .help = "print JSON"}
/* How cli_options answers --help: for a person, as Markdown, or as the completion's option names (one per line). */
enum cli_help_form { CLI_HELP_TEXT, CLI_HELP_MARKDOWN, CLI_HELP_NAMES };
void cli_help_form_set(enum cli_help_form form);
/* "Did you mean 'x'?" with the nearest command, or an empty string. */
void cli_suggest(const char *name, char *out, size_t n);

/* Append a whole file to `out`; "-" is standard input. */
int cli_read_all(const char *path, struct buf *out, struct err *e) ERR_CHECK;
/* The file in the place of what was there, or what was there as it was. */
int cli_write_file(const char *path, const struct buf *b, struct err *e) ERR_CHECK;
/* Append a value as jansson's flags say; NULL: there was no memory for it. */
int cli_json_add(const json_t *value, size_t flags, struct buf *out, struct err *e) ERR_CHECK;

/* Colour on this stream? Only on a terminal and without NO_COLOR. */
bool cli_color(FILE *f);
/* Bytes from a file or a model, safe to print: control characters and invalid UTF-8 become '?'. */
void cli_print_safe(FILE *f, const char *p, size_t n);

/* Tables. The same cells become aligned columns, or JSON with `--json`.
 *
 *     static const struct cli_column cols[] = {{"name", "NAME", CLI_TEXT}, {"bytes", "SIZE", CLI_BYTES}, {0}};
 *     struct cli_table t;
 *     cli_table_init(&t, cols);
 *     cli_text(&t, name); cli_int(&t, size);          one call per cell, left to right; rows wrap by themselves
 *     exit_code = cli_table_done(&t, "list", json);   prints, frees, returns 0 or the exit code
 */
enum cli_kind {
    CLI_TEXT,
    CLI_INT,
    CLI_REAL,  /* printed with two decimals */
    CLI_BYTES, /* 1.5 GiB in text, the number of bytes in JSON */
    CLI_YESNO,
};
struct cli_column {
    const char *key, *title; /* JSON member, heading; key NULL ends the list */
    enum cli_kind kind;
};
struct cli_table {
    const struct cli_column *columns;
    json_t *rows, *row; /* array of objects; the row being filled */
    int n_columns, at;
    bool failed; /* no memory: reported by the printing call */
};
void cli_table_init(struct cli_table *t, const struct cli_column *columns);
void cli_text(struct cli_table *t, const char *z);
void cli_textn(struct cli_table *t, const char *p, size_t n); /* any bytes: invalid UTF-8 becomes U+FFFD */
void cli_int(struct cli_table *t, int64_t v);
void cli_real(struct cli_table *t, double v); /* NaN and infinity become none */
void cli_yesno(struct cli_table *t, bool v);
void cli_none(struct cli_table *t); /* "-" in text, null in JSON */
/* Print as columns under headings (an array of objects in JSON), or the first row as a record: one "title  value"
 * line per column without its empty cells (one object in JSON). Free the table. Exit code. */
int cli_table_done(struct cli_table *t, const char *command, bool json);
int cli_record_done(struct cli_table *t, const char *command, bool json);
/* The parts, for reports made of several tables: print text without freeing; or take the JSON (array, or the first
 * row's object; NULL without memory) and free the table. */
void cli_table_print(const struct cli_table *t, FILE *f, int indent);
void cli_record_print(const struct cli_table *t, FILE *f, int indent);
json_t *cli_table_take(struct cli_table *t);
json_t *cli_record_take(struct cli_table *t);
/* Print a JSON value, indented, with a newline, and release it; NULL means it could not be built. Exit code. */
int cli_json_done(json_t *value, const char *command);
/* A JSON string of any bytes: invalid UTF-8 becomes U+FFFD. */
json_t *cli_json_text(const char *p, size_t n);

/* From now on, a mapped file that was cut short ends the process with a sentence that names it (fault.c). */
void cli_explain_lost_files(void);

#endif
