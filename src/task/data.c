/* Reading labelled examples from JSONL (task_data.h). Strings live in one arena; the file is read line by line, so
 * memory is that of the texts. A line longer than 1 MiB, or a file of more than 256 MiB of text, is refused. */
#include "task_data.h"
#include "base_buf.h"
#include "base_mem.h"

#include <errno.h>
#include <jansson.h>

enum { MAX_LINE = 1 << 20, MAX_BYTES = 1 << 28 };

static int bad_line(struct err *e, const char *path, long long line, const char *what)
{
    return err_set(e, CROFT_E_FORMAT, path, line, "Line %lld of '%s' is not a usable example: %s.", line, path, what);
}

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

/* The value as compact JSON with sorted keys, in the arena; NULL without memory. */
static const char *canonical_json(const json_t *value, struct arena *a)
{
    struct buf b;
    buf_init(&b, MAX_LINE);
    const char *s = NULL;
    if (json_dump_callback(value, add_text, &b, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) == 0)
        s = arena_strndup(a, b.data, b.len);
    buf_done(&b);
    return s;
}

static const char *copy(struct arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

static int parse_line(const char *text, size_t n, const char *path, long long line, struct arena *a,
                      struct task_example *out, struct err *e)
{
    json_error_t je;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!o) return bad_line(e, path, line, je.text);
    const char *input = json_string_value(json_object_get(o, "input"));
    const char *label = json_string_value(json_object_get(o, "label"));
    json_t *output = json_object_get(o, "output");
    int rc = 0;
    if (!input) rc = bad_line(e, path, line, "it has no text under \"input\"");
    else if (!label && !output) rc = bad_line(e, path, line, "it has neither \"label\" nor \"output\"");
    if (rc == 0) {
        *out = (struct task_example){.input = copy(a, input)};
        if (label) out->label = copy(a, label);
        if (output) out->output = canonical_json(output, a);
        if (!out->input || (label && !out->label) || (output && !out->output)) rc = err_nomem(e, n);
    }
    json_decref(o);
    return rc;
}

/* One line without its end; its bytes, NULs too; MAX_LINE: it is longer than fits. */
static size_t read_line(FILE *f, char *line)
{
    size_t n = 0;
    for (int c; n < MAX_LINE && (c = getc(f)) != EOF && c != '\n';) line[n++] = (char)c;
    return n;
}

int task_examples_load(const char *path, struct task_examples *out, struct err *e)
{
    FILE *f = fopen(path, "r");
    if (!f) return err_errno(e, errno, "open the examples", path);
    struct task_examples x = {0};
    arena_init(&x.arena, MAX_BYTES);
    size_t cap = 0;
    char *line = mem_alloc(MAX_LINE);
    int rc = line ? 0 : err_nomem(e, MAX_LINE);
    for (long long no = 1; rc == 0 && !feof(f) && !ferror(f); no++) {
        size_t n = read_line(f, line);
        if (n == MAX_LINE) rc = bad_line(e, path, no, "it is longer than 1 MiB");
        while (rc == 0 && n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t' || line[n - 1] == '\r')) n--;
        if (rc || n == 0) continue;
        if (x.n == cap) {
            size_t more = cap ? 2 * cap : 256;
            struct task_example *p = mem_realloc(x.item, more * sizeof *p);
            if (!p) {
                rc = err_nomem(e, more * sizeof *p);
                break;
            }
            x.item = p;
            cap = more;
        }
        rc = parse_line(line, n, path, no, &x.arena, &x.item[x.n], e);
        if (rc == 0) x.n++;
    }
    if (rc == 0 && ferror(f)) rc = err_errno(e, errno, "read", path);
    if (rc == 0 && x.n == 0) rc = ERR(e, FORMAT, "The file '%s' holds no examples.", path);
    mem_free(line);
    fclose(f);
    if (rc) task_examples_done(&x);
    else *out = x;
    return rc;
}

void task_examples_done(struct task_examples *x)
{
    mem_free(x->item);
    arena_done(&x->arena);
    *x = (struct task_examples){0};
}
