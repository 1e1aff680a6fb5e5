/* Tables: one list of cells, printed as aligned columns, as a record, or as JSON (cli.h).
 *
 * Cells are kept as JSON values, so that both outputs come from the same data by construction. Text is cleaned when it
 * enters (valid UTF-8) and again when it is printed (no control characters): names in model files are hostile input.
 * Running out of memory sets `failed`; the printing calls report it. Single-threaded. */
#include "cli.h"

#include <math.h>

json_t *cli_json_text(const char *p, size_t n)
{
    if (utf8_valid(p, n)) return json_stringn_nocheck(p, n);
    struct buf b;
    buf_init(&b, 4 * n + 4);
    for (const char *end = p + n; p < end;) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        buf_utf8(&b, cp); /* an invalid byte decodes to a value that encodes as U+FFFD */
    }
    json_t *v = b.failed ? NULL : json_stringn_nocheck(b.data, b.len);
    buf_done(&b);
    return v;
}

void cli_table_init(struct cli_table *t, const struct cli_column *columns)
{
    *t = (struct cli_table){.columns = columns, .rows = json_array()};
    while (columns[t->n_columns].key) t->n_columns++;
    t->failed = !t->rows;
}

/* Put one cell (owned; NULL: no memory) in the current column. */
static void add(struct cli_table *t, json_t *value)
{
    if (t->at == 0) {
        t->row = json_object();
        if (!t->row || json_array_append_new(t->rows, t->row)) t->failed = true;
    }
    if (t->failed || !value) {
        t->failed = true;
        json_decref(value);
        return;
    }
    if (json_object_set_new(t->row, t->columns[t->at].key, value)) t->failed = true;
    t->at = (t->at + 1) % t->n_columns;
}

void cli_textn(struct cli_table *t, const char *p, size_t n) { add(t, cli_json_text(p, n)); }
void cli_text(struct cli_table *t, const char *z) { cli_textn(t, z, strlen(z)); }
void cli_int(struct cli_table *t, int64_t v) { add(t, json_integer(v)); }
void cli_real(struct cli_table *t, double v) { add(t, isfinite(v) ? json_real(v) : json_null()); }
void cli_yesno(struct cli_table *t, bool v) { add(t, json_boolean(v)); }
void cli_none(struct cli_table *t) { add(t, json_null()); }

static void format_bytes(char *out, size_t n, double v)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    for (; fabs(v) >= 1024 && u < 4; u++) v /= 1024;
    snprintf(out, n, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* The text of a cell; *n its length. Numbers are formatted into `tmp`. */
static const char *cell_text(const json_t *v, enum cli_kind kind, char tmp[64], size_t *n)
{
    const char *s = tmp;
    if (json_is_string(v)) {
        *n = json_string_length(v);
        return json_string_value(v);
    }
    if (!v || json_is_null(v)) s = "-";
    else if (json_is_boolean(v)) s = json_is_true(v) ? "yes" : "no";
    else if (kind == CLI_BYTES) format_bytes(tmp, 64, json_number_value(v));
    else if (json_is_real(v)) snprintf(tmp, 64, "%.2f", json_real_value(v));
    else snprintf(tmp, 64, "%lld", (long long)json_integer_value(v));
    *n = strlen(s);
    return s;
}

/* Columns a text takes: one per code point, which is right for the names and numbers that tables hold. */
static int width_of(const char *p, size_t n)
{
    int w = 0;
    for (const char *end = p + n; p < end; w++) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
    }
    return w;
}

static void print_padded(FILE *f, const char *p, size_t n, int width, bool right)
{
    int pad = width - width_of(p, n);
    if (right) fprintf(f, "%*s", pad > 0 ? pad : 0, "");
    cli_print_safe(f, p, n);
    if (!right) fprintf(f, "%*s", pad > 0 ? pad : 0, "");
}

static bool is_right(const struct cli_column *c) { return c->kind != CLI_TEXT && c->kind != CLI_YESNO; }

static void print_row(const struct cli_table *t, const json_t *row, const int *width, int indent, FILE *f)
{
    fprintf(f, "%*s", indent, "");
    for (int c = 0; c < t->n_columns; c++) {
        char tmp[64];
        const struct cli_column *col = &t->columns[c];
        size_t n = strlen(col->title);
        const char *s = row ? cell_text(json_object_get(row, col->key), col->kind, tmp, &n) : col->title;
        bool last = c == t->n_columns - 1;
        if (c) fputs("  ", f);
        print_padded(f, s, n, last && !is_right(col) ? 0 : width[c], is_right(col));
    }
    fputc('\n', f);
}

void cli_table_print(const struct cli_table *t, FILE *f, int indent)
{
    int width[32] = {0};
    size_t i;
    json_t *row;
    if (t->failed || t->n_columns > 32) return;
    for (int c = 0; c < t->n_columns; c++) {
        width[c] = width_of(t->columns[c].title, strlen(t->columns[c].title));
        json_array_foreach(t->rows, i, row) {
            char tmp[64];
            size_t n;
            const char *s = cell_text(json_object_get(row, t->columns[c].key), t->columns[c].kind, tmp, &n);
            int w = width_of(s, n);
            if (w > width[c]) width[c] = w;
        }
    }
    print_row(t, NULL, width, indent, f);
    json_array_foreach(t->rows, i, row) print_row(t, row, width, indent, f);
}

void cli_record_print(const struct cli_table *t, FILE *f, int indent)
{
    const json_t *row = json_array_get(t->rows, 0);
    int width = 0;
    for (int c = 0; c < t->n_columns; c++) {
        int w = width_of(t->columns[c].title, strlen(t->columns[c].title));
        if (w > width) width = w;
    }
    for (int c = 0; row && c < t->n_columns; c++) {
        char tmp[64];
        size_t n;
        const struct cli_column *col = &t->columns[c];
        const json_t *v = json_object_get(row, col->key);
        if (!v || json_is_null(v)) continue;
        const char *s = cell_text(v, col->kind, tmp, &n);
        fprintf(f, "%*s", indent, "");
        print_padded(f, col->title, strlen(col->title), width + 2, false);
        cli_print_safe(f, s, n);
        fputc('\n', f);
    }
}

json_t *cli_table_take(struct cli_table *t)
{
    json_t *v = t->failed ? NULL : json_incref(t->rows);
    json_decref(t->rows);
    *t = (struct cli_table){.columns = t->columns};
    return v;
}

json_t *cli_record_take(struct cli_table *t)
{
    json_t *rows = cli_table_take(t), *first = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return first;
}

static int append(const char *text, size_t n, void *out) { return buf_add(out, text, n); }

int cli_json_add(const json_t *value, size_t flags, struct buf *out, struct err *e)
{
    if (value && json_dump_callback(value, append, out, flags) == 0) return 0;
    int rc = buf_check(out, "report", e);
    return rc ? rc : err_nomem(e, 0); /* jansson's own */
}

int cli_json_done(json_t *value, const char *command)
{
    struct err e;
    int rc = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;
    json_decref(value);
    if (rc == 0 || ferror(stdout)) { /* main reports what standard output refused */
        putchar('\n');
        return 0;
    }
    err_nomem(&e, 0);
    return cli_fail(command, &e);
}

static int done(struct cli_table *t, const char *command, void (*print)(const struct cli_table *t, FILE *f, int indent))
{
    struct err e;
    bool failed = t->failed;
    if (!failed) print(t, stdout, 0);
    json_decref(cli_table_take(t));
    if (!failed) return 0;
    err_nomem(&e, 0);
    return cli_fail(command, &e);
}

int cli_table_done(struct cli_table *t, const char *command, bool json)
{
    return json ? cli_json_done(cli_table_take(t), command) : done(t, command, cli_table_print);
}

int cli_record_done(struct cli_table *t, const char *command, bool json)
{
    return json ? cli_json_done(cli_record_take(t), command) : done(t, command, cli_record_print);
}
