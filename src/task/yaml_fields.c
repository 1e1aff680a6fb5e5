/* Sections of YAML files by tables (task_fields.h). Stateless; strings go into the reader's arena. Read next:
 * src/route/config.c, which has such tables. */
#include "base_str.h"
#include "task_fields.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { MAX_TEXT = 4096 };

/* ---- complaints ---- */

int task_complain(struct task_reader *r, const json_t *parent, const char *key, size_t index, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!r->path) return err_set(r->e, CROFT_E_FORMAT, "", -1, "%s", text);
    int line = task_yaml_line(r->lines, parent, key, index);
    return err_set(r->e, CROFT_E_FORMAT, r->path, line, "%s:%d: %s", r->path, line, text);
}

static int unknown_name(struct task_reader *r, const json_t *o, const char *name, const struct task_field *fields)
{
    const struct task_field *best = NULL;
    size_t near = 3;
    for (const struct task_field *f = fields; f->name; f++) {
        size_t d = str_distance(name, f->name);
        if (d < near) near = d, best = f;
    }
    return task_complain(r, o, name, 0, "there is no '%.60s' in %s.%s%s%s", name, r->within,
                         best ? " Did you mean '" : "", best ? best->name : "", best ? "'?" : "");
}

/* ---- values ---- */

const char *task_reader_keep(struct task_reader *r, const char *s) { return arena_strndup(r->arena, s, strlen(s)); }

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n < TASK_FIELD_NAME_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

static int read_names(struct task_reader *r, const json_t *o, const struct task_field *f, json_t *v, void *base)
{
    size_t i;
    json_t *one;
    if (!json_is_array(v) || json_array_size(v) > TASK_FIELD_MAX_NAMES)
        return task_complain(r, o, f->name, 0, "'%s' must be a list of at most %d names.", f->name,
                             TASK_FIELD_MAX_NAMES);
    const char **list = arena_alloc(r->arena, (json_array_size(v) + 1) * sizeof *list);
    if (!list) return err_nomem(r->e, 0);
    json_array_foreach(v, i, one)
    {
        if (!json_is_string(one) || !is_name(json_string_value(one)))
            return task_complain(r, v, NULL, i,
                                 "'%s' holds something that is no name (letters, digits, '_', '-', '.').", f->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k], json_string_value(one)) == 0)
                return task_complain(r, v, NULL, i, "'%s' names '%s' twice.", f->name, list[k]);
        if (!(list[i] = task_reader_keep(r, json_string_value(one)))) return err_nomem(r->e, 0);
    }
    *(const char *const **)((char *)base + f->at) = list;
    *(int *)((char *)base + f->at_n) = (int)json_array_size(v);
    return 0;
}

/* YAML's numbers come as doubles: nine digits behind the point are exact up to nine million. */
static bool money_of(const json_t *v, money *out)
{
    double x = json_number_value(v);
    if (json_is_integer(v) && x >= 0 && x <= 9e9) {
        *out = json_integer_value(v) * MONEY_ONE;
        return true;
    }
    if (json_is_string(v)) return money_parse(json_string_value(v), out, NULL) == 0;
    if (!json_is_number(v) || !(x >= 0) || x > 9e6) return false;
    *out = (money)llround(x * 1e9);
    return fabs((double)*out - x * 1e9) < 1e-3;
}

/* "5 %" as 0.05. */
static bool percent_of(const json_t *v, double *out)
{
    const char *s = json_string_value(v);
    size_t n = s ? strlen(s) : 0;
    char number[32];
    if (n < 2 || n >= sizeof number || s[n - 1] != '%') return false;
    n -= 1 + (s[n - 2] == ' ');
    memcpy(number, s, n);
    number[n] = 0;
    if (!str_to_f64(number, out)) return false;
    *out /= 100;
    return true;
}

static int read_number(struct task_reader *r, const json_t *o, const struct task_field *f, json_t *v, void *to)
{
    double x = json_number_value(v);
    bool whole = f->type != TASK_NUMBER;
    bool share = !whole && f->max == 1 && percent_of(v, &x);
    if (!(whole ? json_is_integer(v) : json_is_number(v) || share) || !(x >= f->min && x <= f->max))
        return task_complain(r, o, f->name, 0, "'%s' must be a %s from %.15g to %.15g.", f->name,
                             whole ? "whole number" : "number", f->min, f->max);
    if (f->type == TASK_NUMBER)
        *(double *)to = x;
    else if (f->type == TASK_BYTES)
        *(uint64_t *)to = (uint64_t)json_integer_value(v);
    else if (f->max > INT32_MAX)
        *(int64_t *)to = json_integer_value(v);
    else
        *(int *)to = (int)json_integer_value(v);
    return 0;
}

/* An enum, which is an int, by its word. */
static int read_word(struct task_reader *r, const json_t *o, const struct task_field *f, const char *s, int *out)
{
    char list[256];
    size_t n = 0;
    for (int i = 0; f->words[i]; i++) {
        if (s && strcmp(f->words[i], s) == 0) {
            *out = i;
            return 0;
        }
        const char *glue = i == 0 ? "" : f->words[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", glue, f->words[i]);
        if (n >= sizeof list) n = sizeof list - 1;
    }
    return task_complain(r, o, f->name, 0, "'%s' must be %s.", f->name, list);
}

int task_read_field(struct task_reader *r, const json_t *o, const struct task_field *f, json_t *v, void *base)
{
    void *to = (char *)base + f->at;
    const char *s = json_string_value(v);
    switch (f->type) {
    case TASK_SKIP:
        return 0;
    case TASK_NUMBER:
    case TASK_WHOLE:
    case TASK_BYTES:
        return read_number(r, o, f, v, to);
    case TASK_NAMES:
        return read_names(r, o, f, v, base);
    case TASK_FLAG:
        if (!json_is_boolean(v)) return task_complain(r, o, f->name, 0, "'%s' must be true or false.", f->name);
        if (f->max > 0)
            *(int *)to = json_is_true(v);
        else
            *(bool *)to = json_is_true(v);
        return 0;
    case TASK_MONEY:
        if (!money_of(v, to))
            return task_complain(
                r, o, f->name, 0,
                "'%s' must be an amount of money from 0 to 9000000, with at most nine digits behind the point.",
                f->name);
        return 0;
    case TASK_WORD:
        return read_word(r, o, f, s, to);
    case TASK_TEXT:
    case TASK_NAME:
        if (!s || !*s || strlen(s) > MAX_TEXT) return task_complain(r, o, f->name, 0, "'%s' must be text.", f->name);
        if (f->type != TASK_TEXT && !is_name(s))
            return task_complain(r, o, f->name, 0, "'%s' must be a name (letters, digits, '_', '-', '.').", f->name);
        *(const char **)to = task_reader_keep(r, s);
        return *(const char **)to ? 0 : err_nomem(r->e, 0);
    }
    return 0;
}

/* The object's members by the table; SKIP members are read by the caller. */
int task_read_fields(struct task_reader *r, const json_t *parent, const char *key, size_t index, json_t *o,
                     const struct task_field *fields, void *base)
{
    const char *name;
    json_t *v;
    if (!json_is_object(o)) return task_complain(r, parent, key, index, "%s must hold names with values.", r->within);
    json_object_foreach(o, name, v)
    {
        const struct task_field *f = fields;
        while (f->name && strcmp(f->name, name) != 0) f++;
        int rc = f->name ? task_read_field(r, o, f, v, base) : unknown_name(r, o, name, fields);
        if (rc) return rc;
    }
    for (const struct task_field *f = fields; f->name; f++)
        if (f->required && !json_object_get(o, f->name))
            return task_complain(r, parent, key, index, "%s needs '%s'.", r->within, f->name);
    return 0;
}

/* ---- comparing ---- */

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_names(const struct task_field *f, const char *a, const char *b)
{
    const char *const *x = *(const char *const *const *)(a + f->at);
    const char *const *y = *(const char *const *const *)(b + f->at);
    int n = *(const int *)(a + f->at_n);
    if (n != *(const int *)(b + f->at_n)) return false;
    for (int i = 0; i < n; i++)
        if (strcmp(x[i], y[i]) != 0) return false;
    return true;
}

static size_t width(const struct task_field *f)
{
    switch (f->type) {
    case TASK_NUMBER:
        return sizeof(double);
    case TASK_WHOLE:
        return f->max > INT32_MAX ? sizeof(int64_t) : sizeof(int);
    case TASK_BYTES:
        return sizeof(uint64_t);
    case TASK_FLAG:
        return f->max > 0 ? sizeof(int) : sizeof(bool);
    case TASK_MONEY:
        return sizeof(money);
    case TASK_WORD:
        return sizeof(int);
    default:
        return 0;
    }
}

bool task_fields_same(const struct task_field *fields, const void *a, const void *b)
{
    const char *x = a, *y = b;
    for (const struct task_field *f = fields; f->name; f++) {
        bool same = f->type == TASK_NAMES ? same_names(f, x, y)
                    : f->type == TASK_TEXT || f->type == TASK_NAME
                        ? same_text(*(const char *const *)(x + f->at), *(const char *const *)(y + f->at))
                        : memcmp(x + f->at, y + f->at, width(f)) == 0;
        if (!same) return false;
    }
    return true;
}
