/* Examples from rows (task_data.h). Each part of an example, its input say, comes from a column: the value under a
 * name, or a template rendered over the whole row. Strings live in one arena; the file is read row by row, so memory is
 * that of the texts. A file of more than 256 MiB of text or 4 million rows is refused. Read next: rows.c, csv.c. */
#include "task_data.h"
#include "base_mem.h"
#include "base_str.h"
#include "model_tmpl.h"
#include "task_expect.h"
#include "rows.h"

#include <stdarg.h>

enum { MAX_TEXT = 1 << 20, MAX_BYTES = 1 << 28, MAX_ROWS = 1 << 22, MAX_CHOICES = 256 };

struct column {
    const char *name;  /* a key, or the template's source */
    struct tmpl *tmpl; /* NULL: a key */
    bool given;        /* task.yaml says so: every row must have it */
};
struct reader {
    struct task_rows rows;
    struct arena *arena;
    struct buf text;
    struct column input, label, output, group, *choices;
    unsigned n_choices;
    bool json_output; /* where an output is text, it is JSON */
};

const char *task_split_name(enum task_split s)
{
    return s == TASK_TRAIN ? "train" : s == TASK_VALIDATION ? "validation" : "test";
}

const char *task_split_path(const struct task *t, enum task_split s)
{
    if (!t->data) return NULL;
    return s == TASK_TRAIN ? t->data->train : s == TASK_VALIDATION ? t->data->validation : t->data->test;
}

int task_group_by(struct task *t, const char *column, struct err *e)
{
    if (!t->data) return ERR(e, NOT_FOUND, "The task '%s' names no data.", t->name);
    if (!t->data->columns && !(t->data->columns = mem_calloc(1, sizeof *t->data->columns))) return err_nomem(e, 0);
    char *copy = mem_strdup(column);
    if (!copy) return err_nomem(e, strlen(column));
    mem_free(t->data->columns->group);
    t->data->columns->group = copy;
    return 0;
}

/* ---- columns ---- */

static int column_init(struct column *c, const char *given, const char *usual, struct err *e)
{
    *c = (struct column){.name = given ? given : usual, .given = given};
    if (!given || !(strstr(given, "{{") || strstr(given, "{%"))) return 0;
    return tmpl_new(given, strlen(given), &c->tmpl, e);
}

static int columns_init(struct reader *r, const struct task_columns *given, struct err *e)
{
    static const struct task_columns none;
    const struct task_columns *g = given ? given : &none;
    int rc = column_init(&r->input, g->input, "input", e);
    if (rc == 0) rc = column_init(&r->label, g->label, "label", e);
    if (rc == 0) rc = column_init(&r->output, g->output, "output", e);
    if (rc == 0) rc = column_init(&r->group, g->group, "group", e);
    if (rc) return rc;
    unsigned n = g->n_choices ? g->n_choices : 1;
    if (!(r->choices = mem_calloc(n, sizeof *r->choices))) return err_nomem(e, n * sizeof *r->choices);
    r->n_choices = n;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = column_init(&r->choices[i], g->n_choices ? g->choices[i] : NULL, "choices", e);
    return rc;
}

static void columns_done(struct reader *r)
{
    tmpl_free(r->input.tmpl);
    tmpl_free(r->label.tmpl);
    tmpl_free(r->output.tmpl);
    tmpl_free(r->group.tmpl);
    for (unsigned i = 0; i < r->n_choices; i++) tmpl_free(r->choices[i].tmpl);
    mem_free(r->choices);
}

/* ---- one row ---- */

static int bad_row(const struct reader *r, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int bad_row(const struct reader *r, struct err *e, const char *fmt, ...)
{
    char what[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(e, CROFT_E_FORMAT, r->rows.path, r->rows.line, "Line %lld of '%s' is not a usable example: %s.",
                   r->rows.line, r->rows.path, what);
}

/* A name that the row lacks; what it has instead, for the person who looks for it. */
static int lacks(const struct reader *r, const char *name, const json_t *row, struct err *e)
{
    char has[160] = "";
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)row, key, value) {
        size_t n = strlen(has);
        if (n + strlen(key) + 3 < sizeof has) snprintf(has + n, sizeof has - n, "%s%s", n ? ", " : "", key);
    }
    return bad_row(r, e, "it has no text under \"%.64s\" (it has: %s)", name, has);
}

static int keep(struct reader *r, const char *text, size_t n, const char **out, struct err *e)
{
    if ((*out = arena_strndup(r->arena, text, n))) return 0;
    if (r->arena->used + n + 1 > r->arena->max) return bad_row(r, e, "the file has more than 256 MiB of text");
    return err_nomem(e, n);
}

static int rendered(struct reader *r, const struct column *c, const json_t *row, struct err *e)
{
    const struct tmpl_limits limits = {.max_steps = 100000, .max_output_bytes = MAX_TEXT, .strict = true};
    struct err why = {0};
    buf_clear(&r->text);
    int rc = tmpl_render(c->tmpl, row, 0, &limits, &r->text, &why);
    if (rc == 0 || rc == CROFT_E_NOMEM) return rc ? err_nomem(e, 0) : 0;
    return bad_row(r, e, "the template \"%.60s\" cannot be filled: %.200s", c->name, why.msg);
}

/* The column's text; NULL if the row may lack it and does. */
static int text_of(struct reader *r, const struct column *c, const json_t *row, const char **out, struct err *e)
{
    *out = NULL;
    if (c->tmpl) {
        int rc = rendered(r, c, row, e);
        return rc ? rc : keep(r, r->text.data ? r->text.data : "", r->text.len, out, e);
    }
    const json_t *v = json_object_get(row, c->name);
    if (json_is_string(v)) return keep(r, json_string_value(v), json_string_length(v), out, e);
    return c->given || v ? lacks(r, c->name, row, e) : 0;
}

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

/* A value as compact JSON with sorted keys. */
static int keep_json(struct reader *r, const json_t *v, const char **out, struct err *e)
{
    buf_clear(&r->text);
    if (json_dump_callback(v, add_text, &r->text, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY))
        return r->text.failed == CROFT_E_LIMIT ? bad_row(r, e, "its output is longer than 1 MiB") : err_nomem(e, 0);
    return keep(r, r->text.data, r->text.len, out, e);
}

static int output_of(struct reader *r, const json_t *row, const char **out, struct err *e)
{
    const struct column *c = &r->output;
    const char *text;
    if (!c->tmpl && !r->rows.is_csv) {
        const json_t *v = json_object_get(row, c->name);
        return v ? keep_json(r, v, out, e) : c->given ? lacks(r, c->name, row, e) : 0;
    }
    int rc = text_of(r, c, row, &text, e);
    if (rc || !text) return rc;
    json_error_t je;
    json_t *v = r->json_output ? json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &je) : json_string(text);
    if (!v) return r->json_output ? bad_row(r, e, "its output is not JSON: %s", je.text) : err_nomem(e, 0);
    rc = keep_json(r, v, out, e);
    json_decref(v);
    return rc;
}

/* Choices named one by one. Of a CSV row those that are empty are left out: not every question has as many. */
static int choices_apart(struct reader *r, const json_t *row, const char **list, unsigned *n, struct err *e)
{
    for (unsigned i = 0; i < r->n_choices; i++) {
        const char *text;
        int rc = text_of(r, &r->choices[i], row, &text, e);
        if (rc) return rc;
        if (text && (*text || !r->rows.is_csv)) list[(*n)++] = text;
    }
    return 0;
}

/* Choices as one list: a JSON array, or text that holds one. */
static int choices_together(struct reader *r, const json_t *row, const char **list, unsigned *n, struct err *e)
{
    const struct column *c = &r->choices[0];
    json_t *v = json_object_get(row, c->name), *item;
    const char *text;
    size_t i;
    int rc = 0;
    if (c->tmpl || json_is_string(v)) {
        if ((rc = text_of(r, c, row, &text, e))) return rc;
        v = json_loads(text, 0, NULL);
    } else {
        json_incref(v);
    }
    if (!v && !c->given && !json_object_get(row, c->name)) return 0;
    if (!json_is_array(v) || json_array_size(v) > MAX_CHOICES)
        rc = bad_row(r, e, "\"%.60s\" is not a list of 2 to %d texts", c->name, MAX_CHOICES);
    else
        json_array_foreach(v, i, item) {
            if (!json_is_string(item)) rc = bad_row(r, e, "choice %zu is not text", i);
            if (rc == 0) rc = keep(r, json_string_value(item), json_string_length(item), &list[(*n)++], e);
            if (rc) break;
        }
    json_decref(v);
    return rc;
}

static int choices_of(struct reader *r, const json_t *row, struct task_example *x, struct err *e)
{
    const char *list[MAX_CHOICES], **kept;
    unsigned n = 0;
    int rc = r->n_choices == 1 ? choices_together(r, row, list, &n, e) : choices_apart(r, row, list, &n, e);
    if (rc || (n == 0 && !r->choices[0].given)) return rc;
    if (n < 2) return bad_row(r, e, "it has fewer than two choices");
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(list[i], list[j]) == 0)
                return bad_row(r, e, "its choices %u and %u are both \"%.60s\"", j, i, list[i]);
    if (!(kept = arena_alloc(r->arena, n * sizeof *kept))) return err_nomem(e, n * sizeof *kept);
    memcpy(kept, list, n * sizeof *kept);
    x->choices = kept;
    x->n_choices = n;
    return 0;
}

/* A label is text; beside choices it must be one of them, or an integer, which counts them from 0. */
static int label_of(struct reader *r, const json_t *row, struct task_example *x, struct err *e)
{
    const json_t *v = r->label.tmpl ? NULL : json_object_get(row, r->label.name);
    if (x->choices && json_is_integer(v)) {
        json_int_t i = json_integer_value(v);
        if (i < 0 || i >= x->n_choices) return bad_row(r, e, "it has no choice %lld; they count from 0", (long long)i);
        x->label = x->choices[i];
        return 0;
    }
    int rc = text_of(r, &r->label, row, &x->label, e);
    if (rc || !x->label) return rc;
    if (!*x->label) return bad_row(r, e, "its label is empty");
    for (unsigned i = 0; i < x->n_choices; i++)
        if (strcmp(x->choices[i], x->label) == 0) return 0;
    return x->choices ? bad_row(r, e, "its label \"%.60s\" is none of its choices", x->label) : 0;
}

static int expect_of(struct reader *r, const json_t *checks, const char **out, struct err *e)
{
    struct err why = {0};
    if (task_expect_valid(checks, &why)) return bad_row(r, e, "%s", why.msg);
    return keep_json(r, checks, out, e);
}

static int example_of(struct reader *r, const json_t *row, struct task_example *out, struct err *e)
{
    struct task_example x = {.line = r->rows.line};
    const json_t *expect = json_object_get(row, "expect");
    int rc = text_of(r, &r->input, row, &x.input, e);
    if (rc == 0 && !x.input) rc = lacks(r, r->input.name, row, e);
    if (rc == 0) rc = choices_of(r, row, &x, e);
    if (rc == 0) rc = label_of(r, row, &x, e);
    if (rc == 0) rc = output_of(r, row, &x.output, e);
    if (rc == 0 && r->group.given) rc = text_of(r, &r->group, row, &x.group, e);
    if (rc == 0 && expect) rc = expect_of(r, expect, &x.expect, e);
    if (rc == 0 && !x.label && !x.output && !x.expect)
        rc = bad_row(r, e, "it has neither \"%.60s\" nor \"%.60s\"", r->label.name, r->output.name);
    if (rc == 0) *out = x;
    return rc;
}

/* ---- the file ---- */

static int room_for_one(struct reader *r, struct task_examples *x, size_t *cap, struct err *e)
{
    if (x->n == MAX_ROWS) return bad_row(r, e, "the file has more than %d rows", MAX_ROWS);
    if (x->n < *cap) return 0;
    size_t more = *cap ? 2 * *cap : 256;
    struct task_example *p = mem_realloc(x->item, more * sizeof *p);
    if (!p) return err_nomem(e, more * sizeof *p);
    x->item = p;
    *cap = more;
    return 0;
}

static int load(const char *path, const struct task_columns *columns, bool json_output, struct task_examples *out,
                struct err *e)
{
    struct task_examples x = {0};
    struct reader r = {.arena = &x.arena, .json_output = json_output};
    size_t cap = 0;
    arena_init(&x.arena, MAX_BYTES);
    buf_init(&r.text, MAX_TEXT);
    int rc = columns_init(&r, columns, e);
    if (rc == 0) rc = task_rows_open(&r.rows, path, e);
    while (rc == 0) {
        json_t *row;
        if ((rc = task_rows_next(&r.rows, &row, e)) || !row) break;
        rc = room_for_one(&r, &x, &cap, e);
        if (rc == 0) rc = example_of(&r, row, &x.item[x.n], e);
        if (rc == 0) x.n++;
        json_decref(row);
    }
    if (rc == 0 && x.n == 0) rc = ERR(e, FORMAT, "The file '%s' holds no examples.", path);
    task_rows_close(&r.rows);
    columns_done(&r);
    buf_done(&r.text);
    if (rc) task_examples_done(&x);
    else *out = x;
    return rc;
}

int task_split_load(const struct task *t, enum task_split s, struct task_examples *out, struct err *e)
{
    const char *path = task_split_path(t, s);
    if (!path)
        return ERR(e, NOT_FOUND, "The task '%s' names no %s data. Add it under `data`.", t->name, task_split_name(s));
    return task_file_load(t, path, out, e);
}

int task_file_load(const struct task *t, const char *path, struct task_examples *out, struct err *e)
{
    return load(path, t->data ? t->data->columns : NULL, t->kind == TASK_EXTRACT, out, e);
}

int task_examples_load(const char *path, struct task_examples *out, struct err *e)
{
    return load(path, NULL, false, out, e);
}

void task_examples_done(struct task_examples *x)
{
    mem_free(x->item);
    arena_done(&x->arena);
    *x = (struct task_examples){0};
}
