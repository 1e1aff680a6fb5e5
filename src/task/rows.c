/* Rows of JSONL and CSV files (rows.h). Memory is that of one row. Read next: data.c, which makes examples of rows. */
#include "rows.h"
#include "base_mem.h"
#include "base_str.h"

#include <errno.h>

enum { MAX_LINE = 1 << 20, MAX_LINES = 1 << 26 };

static int bad_line(const struct task_rows *r, const char *what, struct err *e)
{
    return err_set(e, CROFT_E_FORMAT, r->path, r->line, "Line %lld of '%s' cannot be read: %s.", r->line, r->path,
                   what);
}

/* U+FEFF as UTF-8. Three characters are put back if it is something else, which glibc and musl have room for. */
static void skip_byte_order_mark(FILE *f)
{
    static const int mark[3] = {0xEF, 0xBB, 0xBF};
    int ch[3], n = 0;
    do ch[n] = getc(f);
    while (ch[n] == mark[n] && ++n < 3);
    if (n == 3) return;
    for (ungetc(ch[n], f); n > 0; n--) ungetc(ch[n - 1], f);
}

static int read_header(struct task_rows *r, struct err *e)
{
    int rc = task_csv_next(&r->csv, e);
    if (rc) return rc;
    r->line = r->csv.record;
    if (r->csv.n == 0) return ERR(e, FORMAT, "The file '%s' is empty; a CSV file begins with a header line.", r->path);
    if (!(r->header = json_array())) return err_nomem(e, 0);
    for (uint32_t i = 0; i < r->csv.n; i++) {
        const char *name = task_csv_field(&r->csv, i);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(json_string_value(json_array_get(r->header, j)), name) == 0)
                return ERR(e, FORMAT, "The header of '%s' names the column '%.64s' twice.", r->path, name);
        if (json_array_append_new(r->header, json_string(name))) return err_nomem(e, 0);
    }
    return 0;
}

static int rows_open(struct task_rows *r, const char *path, json_t *names, struct err *e)
{
    *r = (struct task_rows){.path = path, .is_csv = str_ends(path, ".csv"), .file = fopen(path, "r"), .header = names};
    if (!r->file) {
        json_decref(names);
        return err_errno(e, errno, "open the examples", path);
    }
    skip_byte_order_mark(r->file);
    task_csv_init(&r->csv, r->file, path, 1);
    int rc = 0;
    if (r->is_csv && !names) rc = read_header(r, e);
    else if (!r->is_csv && !(r->text = mem_alloc(MAX_LINE))) rc = err_nomem(e, MAX_LINE);
    if (rc) task_rows_close(r);
    return rc;
}

int task_rows_open(struct task_rows *r, const char *path, struct err *e) { return rows_open(r, path, NULL, e); }

int task_rows_open_bare(struct task_rows *r, const char *path, json_t *names, struct err *e)
{
    return names ? rows_open(r, path, names, e) : err_nomem(e, 0);
}

void task_rows_close(struct task_rows *r)
{
    if (r->file) fclose(r->file);
    task_csv_done(&r->csv);
    mem_free(r->text);
    json_decref(r->header);
    *r = (struct task_rows){0};
}

static int next_record(struct task_rows *r, json_t **out, struct err *e)
{
    int rc = task_csv_next(&r->csv, e);
    size_t n = json_array_size(r->header);
    if (rc || r->csv.n == 0) return rc;
    r->line = r->csv.record;
    if (r->csv.n != n) {
        char what[100];
        snprintf(what, sizeof what, "it has %u fields, and the header names %zu", r->csv.n, n);
        return bad_line(r, what, e);
    }
    json_t *row = json_object();
    for (uint32_t i = 0; row && i < n; i++) {
        if (json_object_set_new(row, json_string_value(json_array_get(r->header, i)),
                                json_string(task_csv_field(&r->csv, i))) == 0)
            continue;
        json_decref(row);
        row = NULL;
    }
    *out = row;
    return row ? 0 : err_nomem(e, r->csv.text.len);
}

/* One line without its end; its bytes, NULs too; MAX_LINE: it is longer than fits. */
static size_t read_line(FILE *f, char *line)
{
    size_t n = 0;
    for (int c; n < MAX_LINE && (c = getc_unlocked(f)) != EOF && c != '\n';) line[n++] = (char)c;
    return n;
}

static int next_line(struct task_rows *r, json_t **out, struct err *e)
{
    while (!feof(r->file) && !ferror(r->file)) {
        json_error_t je;
        size_t n = read_line(r->file, r->text);
        r->line = ++r->read_lines;
        if (n == MAX_LINE) return bad_line(r, "it is longer than 1 MiB", e);
        if (r->line > MAX_LINES) return bad_line(r, "the file has more than 67,108,864 lines", e);
        while (n > 0 && strchr(" \t\r", r->text[n - 1]) && r->text[n - 1]) n--;
        if (n == 0) continue;
        json_t *row = json_loadb(r->text, n, JSON_REJECT_DUPLICATES, &je);
        if (!row && (!je.text[0] || json_error_code(&je) == json_error_out_of_memory)) return err_nomem(e, n);
        if (!row) return bad_line(r, je.text, e);
        if (!json_is_object(row)) {
            json_decref(row);
            return bad_line(r, "it is not an object in braces", e);
        }
        *out = row;
        return 0;
    }
    return ferror(r->file) ? err_errno(e, errno, "read", r->path) : 0;
}

int task_rows_next(struct task_rows *r, json_t **out, struct err *e)
{
    *out = NULL;
    return r->is_csv ? next_record(r, out, e) : next_line(r, out, e);
}
