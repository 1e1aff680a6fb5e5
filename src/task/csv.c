/* A reader of CSV (csv.h): a state machine over the file's characters. Memory is that of one record.
 * Read next: rows.c. */
#include "csv.h"
#include "base_mem.h"
#include "base_str.h"

#include <errno.h>

enum { MAX_RECORD = 1 << 20, MAX_FIELDS = 1024, MAX_LINES = 1 << 26 };
enum { END_OF_FIELD, END_OF_RECORD };

void task_csv_init(struct task_csv *c, FILE *file, const char *path, long long line)
{
    *c = (struct task_csv){.file = file, .path = path, .line = line};
    buf_init(&c->text, MAX_RECORD);
}

void task_csv_done(struct task_csv *c)
{
    buf_done(&c->text);
    mem_free(c->start);
}

const char *task_csv_field(const struct task_csv *c, uint32_t i) { return c->text.data + c->start[i]; }

static int bad(const struct task_csv *c, long long line, const char *what, struct err *e)
{
    return err_set(e, CROFT_E_FORMAT, c->path, line, "Line %lld of '%s' is not CSV: %s.", line, c->path, what);
}

/* The next character; every kind of line end is '\n' and counts. */
static int next(struct task_csv *c, bool *out_crlf)
{
    int ch = getc_unlocked(c->file);
    *out_crlf = false;
    if (ch == '\r') {
        int after = getc_unlocked(c->file);
        if (after != '\n') ungetc(after, c->file);
        *out_crlf = after == '\n';
    }
    if (ch == '\n' || ch == '\r') c->line++;
    return ch;
}

static int append(struct task_csv *c, int ch, struct err *e)
{
    if (buf_char(&c->text, (char)ch) == 0) return 0;
    return c->text.failed == CROFT_E_NOMEM ? err_nomem(e, c->text.len)
                                           : bad(c, c->record, "the record is longer than 1 MiB", e);
}

static int put(struct task_csv *c, int ch, struct err *e)
{
    return ch ? append(c, ch, e) : bad(c, c->line, "it holds a NUL byte", e);
}

static int begin_field(struct task_csv *c, struct err *e)
{
    if (c->n == MAX_FIELDS) return bad(c, c->record, "the record has more than 1,024 fields", e);
    if (c->n == c->cap) {
        uint32_t cap = c->cap ? 2 * c->cap : 16;
        uint32_t *p = mem_realloc(c->start, cap * sizeof *p);
        if (!p) return err_nomem(e, cap * sizeof *p);
        c->start = p;
        c->cap = cap;
    }
    c->start[c->n++] = (uint32_t)c->text.len;
    return 0;
}

static bool is_line_end(int ch) { return ch == '\n' || ch == '\r' || ch == EOF; }

/* What stands between quotes; the opening one has been read. Line ends stay as they are written. */
static int quoted(struct task_csv *c, struct err *e)
{
    long long opened = c->line;
    for (;;) {
        bool crlf;
        int ch = next(c, &crlf), rc;
        if (ch == EOF) return bad(c, opened, "a quote is opened here and never closed", e);
        if (ch == '"') {
            int after = getc_unlocked(c->file);
            if (after != '"') {
                ungetc(after, c->file);
                return 0;
            }
        }
        if ((rc = put(c, ch, e)) || (crlf && (rc = put(c, '\n', e)))) return rc;
    }
}

/* One field and what ends it. */
static int field(struct task_csv *c, int *out_end, struct err *e)
{
    bool crlf, was_quoted = false;
    int rc = begin_field(c, e), ch;
    size_t start = c->text.len;
    if (rc) return rc;
    ch = next(c, &crlf);
    if (ch == '"') {
        was_quoted = true;
        if ((rc = quoted(c, e))) return rc;
        long long closed = c->line;
        ch = next(c, &crlf);
        if (ch != ',' && !is_line_end(ch)) return bad(c, closed, "text follows a closing quote", e);
    }
    for (; ch != ',' && !is_line_end(ch); ch = next(c, &crlf))
        if ((rc = put(c, ch, e))) return rc;
    *out_end = ch == ',' ? END_OF_FIELD : END_OF_RECORD;
    if (!utf8_valid(c->text.data ? c->text.data + start : "", c->text.len - start))
        return bad(c, c->record, "a field is not UTF-8 text", e);
    if (c->n == 1 && ch != ',' && !was_quoted && c->text.len == 0) c->n = 0; /* a blank line */
    return append(c, 0, e);
}

int task_csv_next(struct task_csv *c, struct err *e)
{
    int rc = 0;
    do {
        int end = END_OF_FIELD, ch = getc_unlocked(c->file);
        c->n = 0;
        buf_clear(&c->text);
        if (ch == EOF) break;
        if (c->line > MAX_LINES) return bad(c, c->line, "the file has more than 67,108,864 lines", e);
        ungetc(ch, c->file);
        c->record = c->line;
        while (rc == 0 && end == END_OF_FIELD) rc = field(c, &end, e);
    } while (rc == 0 && c->n == 0);
    if (rc == 0 && ferror(c->file)) rc = err_errno(e, errno, "read", c->path);
    return rc;
}
