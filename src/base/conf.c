/* Settings from rows (base_conf.h): defaults, then environment, then flags.
 *
 * Owns nothing: text fields borrow from argv, the environment or the row itself. No threads, no allocation except
 * through the caller's buf. Every value passes set_value(), whatever its source, so a hostile environment variable
 * meets the same checks as a flag, and the error says which of the two it was.
 * Read next: src/cli/cli.c, which adds words, --help and exit codes for a command. */
#include "base_conf.h"
#include "base_str.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 100 };

/* Where a value came from, for error messages: "--name" or the variable's name. */
struct source {
    const char *name;
    bool is_env;
};

static void source_text(struct source s, const struct conf_row *row, char out[96])
{
    if (s.is_env) snprintf(out, 96, "the environment variable %s", s.name);
    else snprintf(out, 96, "--%s", row->name);
}

static int bad_value(const struct conf_row *row, struct source src, const char *value, const char *wanted,
                     struct err *e)
{
    char from[96];
    source_text(src, row, from);
    return ERR(e, USAGE, "'%.60s' is not a valid value of %s: give %s.", value, from, wanted);
}

static int check_range(const struct conf_row *row, struct source src, const char *value, double v, struct err *e)
{
    char wanted[80];
    if (row->min == 0 && row->max == 0) return 0;
    if (v >= row->min && v <= row->max) return 0;
    if (row->min == row->max) snprintf(wanted, sizeof wanted, "%.15g", row->min);
    else snprintf(wanted, sizeof wanted, "a number from %.15g to %.15g", row->min, row->max);
    return bad_value(row, src, value, wanted, e);
}

/* Is `value` one of "a|b|c"? */
static bool is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; p && *p;) {
        size_t k = strcspn(p, "|");
        if (k == n && memcmp(p, value, n) == 0) return true;
        p += k + (p[k] == '|');
    }
    return false;
}

/* "1/true/yes/on" and "0/false/no/off/empty", for flags in the environment or as a row's default. */
static int set_flag(const struct conf_row *row, bool *field, const char *value, struct source src, struct err *e)
{
    if (is_choice("1|true|yes|on", value)) *field = true;
    else if (!*value || is_choice("0|false|no|off", value)) *field = false;
    else return bad_value(row, src, value, "1 or 0", e);
    return 0;
}

static int list_add(struct conf_list *list, const char *value, const char *what, struct err *e)
{
    const int max = sizeof list->item / sizeof list->item[0];
    if (list->n >= max) return ERR(e, USAGE, "Too many %s: at most %d can be given.", what, max);
    list->item[list->n++] = value;
    return 0;
}

/* One value into its field. Numbers are written only when they passed every check. */
static int set_value(const struct conf_row *row, void *settings, const char *value, struct source src, struct err *e)
{
    void *field = (char *)settings + row->offset;
    char what[96], wanted[160];
    int64_t i;
    uint64_t u;
    double d;
    int rc;
    switch (row->type) {
    case CONF_FLAG:
        return set_flag(row, field, value, src, e);
    case CONF_I64:
        if (!str_to_i64(value, &i)) return bad_value(row, src, value, "a whole number", e);
        if ((rc = check_range(row, src, value, (double)i, e))) return rc;
        *(int64_t *)field = i;
        return 0;
    case CONF_F64:
        if (!str_to_f64(value, &d)) return bad_value(row, src, value, "a number", e);
        if ((rc = check_range(row, src, value, d, e))) return rc;
        *(double *)field = d;
        return 0;
    case CONF_BYTES:
        if (!str_to_bytes(value, &u)) return bad_value(row, src, value, "a size such as 512, 64k or 1.5G", e);
        if ((rc = check_range(row, src, value, (double)u, e))) return rc;
        *(uint64_t *)field = u;
        return 0;
    case CONF_STR:
    case CONF_OPTIONAL:
        *(const char **)field = value;
        return 0;
    case CONF_CHOICE:
        snprintf(wanted, sizeof wanted, "one of %s", row->choices);
        if (!is_choice(row->choices, value)) return bad_value(row, src, value, wanted, e);
        *(const char **)field = value;
        return 0;
    case CONF_LIST:
        snprintf(what, sizeof what, "values of --%s", row->name);
        return list_add(field, value, what, e);
    }
    return ERR(e, INTERNAL, "The option --%s has no type. Report this as a bug.", row->name);
}

static const struct conf_row *find_long(const struct conf_row *rows, const char *name, size_t n)
{
    for (; rows->name[0]; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0) return rows;
    return NULL;
}

static const struct conf_row *find_letter(const struct conf_row *rows, char c)
{
    for (; rows->name[0]; rows++)
        if (rows->letter && rows->letter == c) return rows;
    return NULL;
}

/* USAGE, with the option that was probably meant: one that begins like this, or the one with the fewest edits. */
static int unknown(const struct conf_row *rows, const char *name, size_t n, struct err *e)
{
    const char *best = NULL;
    size_t best_distance = n <= 3 ? 2 : 3; /* more edits than this would be a guess, not a typing error */
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%.*s", n < 60 ? (int)n : 60, name);
    for (const struct conf_row *r = rows; r->name[0]; r++) {
        size_t d = n >= 3 && str_starts(r->name, wanted) ? 0 : str_distance(wanted, r->name);
        if (d < best_distance) {
            best = r->name;
            best_distance = d;
        }
    }
    if (str_distance(wanted, "help") < best_distance) best = "help";
    if (best) return ERR(e, USAGE, "Unknown option '--%s'. Did you mean '--%s'?", wanted, best);
    return ERR(e, USAGE, "Unknown option '--%s'.", wanted);
}

/* "--name", "--no-name", "--name=value" or "--name value"; *i moves over a value in the next argument. */
static int parse_long(const struct conf_row *rows, void *settings, int argc, char **argv, int *i, struct err *e)
{
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    const struct conf_row *row = find_long(rows, name, n);
    if (!row && n > 3 && strncmp(name, "no-", 3) == 0) {
        row = find_long(rows, name + 3, n - 3);
        if (row && row->type == CONF_FLAG && !eq) {
            *(bool *)((char *)settings + row->offset) = false;
            return 0;
        }
        row = NULL;
    }
    if (!row) return unknown(rows, name, n, e);
    struct source src = {row->name, false};
    if (row->type == CONF_FLAG) {
        if (eq) return ERR(e, USAGE, "--%s takes no value: write --%s or --no-%s.", row->name, row->name, row->name);
        *(bool *)((char *)settings + row->offset) = true;
        return 0;
    }
    if (eq || row->type == CONF_OPTIONAL) return set_value(row, settings, eq ? eq + 1 : "", src, e);
    if (*i + 1 >= argc) return ERR(e, USAGE, "--%s needs a value: give --%s %s.", row->name, row->name, row->arg);
    return set_value(row, settings, argv[++*i], src, e);
}

/* "-v", "-n 4", "-n4", and flags run together: "-vq". */
static int parse_short(const struct conf_row *rows, void *settings, int argc, char **argv, int *i, bool *help,
                       struct err *e)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct conf_row *row = find_letter(rows, *p);
        if (!row && *p == 'h') {
            *help = true;
            return 0;
        }
        bool odd = (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e;
        if (!row) return ERR(e, USAGE, "Unknown option '-%c' in '%.60s'.", odd ? '?' : *p, argv[*i]);
        if (row->type == CONF_FLAG) {
            *(bool *)((char *)settings + row->offset) = true;
            continue;
        }
        struct source src = {row->name, false};
        if (p[1]) return set_value(row, settings, p + 1, src, e);
        if (*i + 1 >= argc) return ERR(e, USAGE, "-%c needs a value: give -%c %s.", *p, *p, row->arg);
        return set_value(row, settings, argv[++*i], src, e);
    }
    return 0;
}

static int set_defaults(const struct conf_row *rows, void *settings, struct err *e)
{
    for (const struct conf_row *r = rows; r->name[0]; r++) {
        const char *env = r->env ? getenv(r->env) : NULL;
        int rc = 0;
        /* A list keeps one source: the environment replaces the default. */
        if (r->fallback && !(r->type == CONF_LIST && env))
            rc = set_value(r, settings, r->fallback, (struct source){r->name, false}, e);
        if (rc == 0 && env && *env) rc = set_value(r, settings, env, (struct source){r->env, true}, e);
        if (rc) return rc;
    }
    return 0;
}

int conf_parse(const struct conf_row *rows, void *settings, int argc, char **argv, struct conf_list *words, bool *help,
               struct err *e)
{
    words->n = 0;
    *help = false;
    /* --help works even when the environment holds a bad value. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") != 0) continue;
        *help = true;
        return 0;
    }
    int rc = set_defaults(rows, settings, e);
    bool only_words = false;
    for (int i = 1; i < argc && rc == 0 && !*help; i++) {
        const char *a = argv[i];
        if (only_words || a[0] != '-' || !a[1]) rc = list_add(words, a, "arguments", e);
        else if (strcmp(a, "--") == 0) only_words = true;
        else if (a[1] == '-') rc = parse_long(rows, settings, argc, argv, &i, e);
        else rc = parse_short(rows, settings, argc, argv, &i, help, e);
    }
    return rc;
}

/* Text wrapped at HELP_WIDTH, continuation lines indented to HELP_COLUMN; `at` is the column reached so far. */
static void add_wrapped(struct buf *out, const char *text, int at)
{
    if (at > HELP_COLUMN - 2) {
        buf_char(out, '\n');
        at = 0;
    }
    for (; at < HELP_COLUMN; at++) buf_char(out, ' ');
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (at > HELP_COLUMN && at + 1 + n > HELP_WIDTH) {
            buf_fmt(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        }
        if (at > HELP_COLUMN) {
            buf_char(out, ' ');
            at++;
        }
        buf_add(out, text, (size_t)n);
        at += n;
        text += n + (text[n] == ' ');
    }
    buf_char(out, '\n');
}

/* What follows the help sentence of a row: choices, range, default, environment variable. */
static void add_facts(const struct conf_row *r, struct buf *out)
{
    if (r->choices) {
        buf_str(out, " (");
        for (const char *p = r->choices; *p; p++) {
            if (*p == '|') buf_str(out, ", ");
            else buf_char(out, *p);
        }
        buf_char(out, ')');
    }
    if (r->fallback && r->type != CONF_FLAG) buf_fmt(out, " [default %s]", *r->fallback ? r->fallback : "empty");
    if (r->type == CONF_LIST) buf_str(out, " [may be repeated]");
    if (r->env) buf_fmt(out, " [env %s]", r->env);
}

void conf_help(const struct conf_row *rows, struct buf *out)
{
    struct buf text;
    buf_init(&text, 4096);
    for (const struct conf_row *r = rows; r->name[0]; r++) {
        size_t start = out->len;
        if (r->letter) buf_fmt(out, "  -%c, --%s", r->letter, r->name);
        else buf_fmt(out, "      --%s", r->name);
        if (r->type == CONF_OPTIONAL) buf_fmt(out, "[=%s]", r->arg);
        else if (r->type != CONF_FLAG) buf_fmt(out, " %s", r->arg);
        buf_clear(&text);
        buf_str(&text, r->help);
        add_facts(r, &text);
        if (text.data) add_wrapped(out, text.data, (int)(out->len - start));
    }
    size_t start = out->len;
    buf_str(out, "  -h, --help");
    add_wrapped(out, "show this text", (int)(out->len - start));
    buf_done(&text);
}

void conf_markdown(const struct conf_row *rows, struct buf *out)
{
    buf_str(out, "| option | meaning |\n|---|---|\n");
    for (const struct conf_row *r = rows; r->name[0]; r++) {
        buf_str(out, "| ");
        if (r->letter) buf_fmt(out, "`-%c`, ", r->letter);
        const char *open = r->type == CONF_FLAG ? "" : r->type == CONF_OPTIONAL ? "[=" : " ";
        buf_fmt(out, "`--%s%s%s%s` | %s", r->name, open, r->type == CONF_FLAG ? "" : r->arg,
                r->type == CONF_OPTIONAL ? "]" : "", r->help);
        add_facts(r, out);
        buf_str(out, " |\n");
    }
}
