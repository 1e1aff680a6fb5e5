/* Settings are rows. One table of rows drives flags, environment variables, validation, --help, shell completion and
 * the generated docs; leftovers are errors. Order of precedence: flag, environment, default. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base_buf.h"

enum conf_type {
    CONF_FLAG,  /* bool field; --name sets it, --no-name clears it */
    CONF_I64,   /* int64_t field, min..max */
    CONF_F64,   /* double field, min..max */
    CONF_BYTES, /* uint64_t field: "64", "8k", "1.5G" */
    CONF_STR,   /* const char * field, borrowed from argv or the environment */
    CONF_CHOICE, /* const char * field, one of `choices` ("a|b|c") */
    CONF_LIST,  /* struct conf_list field: may be given several times */
    CONF_OPTIONAL, /* const char * field: --name=value, or --name alone, which leaves "" there */
};
struct conf_list {
    const char *item[64];
    int n;
};
struct conf_row {
    const char *name; /* long flag without "--"; "" ends the table */
    char letter;      /* short flag, or 0 */
    enum conf_type type;
    size_t offset;       /* offsetof(struct, field) */
    const char *arg;     /* name of the argument in help ("N", "FILE"); NULL for flags */
    const char *fallback; /* default as text, or NULL: field left as it is */
    const char *env;     /* environment variable, or NULL */
    const char *choices;
    double min, max; /* for numbers; both 0: unbounded */
    const char *help;
};

/* Set defaults, then environment, then flags. Non-flag words are collected in `words` (after "--" everything is a word;
 * a lone "-" is a word). `--name=value`, `--name value`, `-n value`, `-nvalue`. USAGE with a sentence that names the
 * flag (and the nearest known flag for an unknown one). `--help`/`-h` sets *help and stops. */
int conf_parse(const struct conf_row *rows, void *settings, int argc, char **argv, struct conf_list *words, bool *help,
               struct err *e) ERR_CHECK;
/* The options part of a help text: one line per row, aligned, with default and environment variable. */
void conf_help(const struct conf_row *rows, struct buf *out);
/* The same rows as a Markdown table, for docs/cli.md. */
void conf_markdown(const struct conf_row *rows, struct buf *out);

#endif
