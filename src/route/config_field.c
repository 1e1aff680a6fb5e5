/* Settings by tables (config.h): unknown names, wrong types and values out of bounds are complaints with file, line
 * and what would be right. Strings go into the configuration's arena. Read next: config.c, which has the tables. */
#include "config.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { MAX_TEXT = 4096 };

/* ---- complaints ---- */

int route_complain(struct route_reader *r, const json_t *parent, const char *key, size_t index, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int line = task_yaml_line(r->lines, parent, key, index);
    return err_set(r->e, CROFT_E_FORMAT, r->c->path, line, "%s:%d: %s", r->c->path, line, text);
}

static int unknown_name(struct route_reader *r, const json_t *o, const char *name, const struct route_field *fields)
{
    const struct route_field *best = NULL;
    size_t near = 3;
    for (const struct route_field *f = fields; f->name; f++) {
        size_t d = str_distance(name, f->name);
        if (d < near) near = d, best = f;
    }
    return route_complain(r, o, name, 0, "there is no '%.60s' in %s.%s%s%s", name, r->within,
                          best ? " Did you mean '" : "", best ? best->name : "", best ? "'?" : "");
}

/* ---- values ---- */

const char *route_keep(struct route_reader *r, const char *s) { return arena_strndup(&r->c->arena, s, strlen(s)); }

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n < ROUTE_NAME_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

static int read_names(struct route_reader *r, const json_t *o, const struct route_field *f, json_t *v, void *base)
{
    size_t i;
    json_t *one;
    if (!json_is_array(v) || json_array_size(v) > ROUTE_MAX_WORDS)
        return route_complain(r, o, f->name, 0, "'%s' must be a list of at most %d names.", f->name, ROUTE_MAX_WORDS);
    const char **list = arena_alloc(&r->c->arena, (json_array_size(v) + 1) * sizeof *list);
    if (!list) return err_nomem(r->e, 0);
    json_array_foreach(v, i, one)
    {
        if (!json_is_string(one) || !is_name(json_string_value(one)))
            return route_complain(r, v, NULL, i,
                                  "'%s' holds something that is no name (letters, digits, '_', '-', '.').", f->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k], json_string_value(one)) == 0)
                return route_complain(r, v, NULL, i, "'%s' names '%s' twice.", f->name, list[k]);
        if (!(list[i] = route_keep(r, json_string_value(one)))) return err_nomem(r->e, 0);
    }
    *(const char *const **)((char *)base + f->at) = list;
    *(int *)((char *)base + f->at_n) = (int)json_array_size(v);
    return 0;
}

/* YAML's numbers come as doubles: nine digits behind the point are exact up to nine million. */
static bool money_of(const json_t *v, route_money *out)
{
    double x = json_number_value(v);
    if (json_is_string(v)) return route_money_parse(json_string_value(v), out, NULL) == 0;
    if (!json_is_number(v) || !(x >= 0) || x > 9e6) return false;
    *out = (route_money)llround(x * 1e9);
    return fabs((double)*out - x * 1e9) < 1e-3;
}

static int read_number(struct route_reader *r, const json_t *o, const struct route_field *f, json_t *v, void *to)
{
    double x = json_number_value(v);
    bool whole = f->type != T_NUMBER;
    if (!(whole ? json_is_integer(v) : json_is_number(v)) || !(x >= f->min && x <= f->max))
        return route_complain(r, o, f->name, 0, "'%s' must be a %s from %.15g to %.15g.", f->name,
                              whole ? "whole number" : "number", f->min, f->max);
    if (f->type == T_NUMBER)
        *(double *)to = x;
    else if (f->type == T_BYTES)
        *(uint64_t *)to = (uint64_t)json_integer_value(v);
    else if (f->max > INT32_MAX)
        *(int64_t *)to = json_integer_value(v);
    else
        *(int *)to = (int)json_integer_value(v);
    return 0;
}

int route_read_value(struct route_reader *r, const json_t *o, const struct route_field *f, json_t *v, void *base)
{
    void *to = (char *)base + f->at;
    const char *s = json_string_value(v);
    int word = -1;
    switch (f->type) {
    case T_SKIP:
        return 0;
    case T_NUMBER:
    case T_WHOLE:
    case T_BYTES:
        return read_number(r, o, f, v, to);
    case T_NAMES:
        return read_names(r, o, f, v, base);
    case T_FLAG:
        if (!json_is_boolean(v)) return route_complain(r, o, f->name, 0, "'%s' must be true or false.", f->name);
        if (f->max > 0)
            *(int *)to = json_is_true(v);
        else
            *(bool *)to = json_is_true(v);
        return 0;
    case T_MONEY:
        if (!money_of(v, to))
            return route_complain(
                r, o, f->name, 0,
                "'%s' must be an amount of money from 0 to 9000000, with at most nine digits behind the point.",
                f->name);
        return 0;
    case T_PLACE:
        word = s ? route_place_find(s) : -1;
        break;
    case T_WIRE:
        word = s ? route_wire_find(s) : -1;
        break;
    case T_PERIOD:
        word = s && strcmp(s, "day") == 0 ? ROUTE_DAY : s && strcmp(s, "month") == 0 ? ROUTE_MONTH : -1;
        break;
    case T_TEXT:
    case T_NAME:
        if (!s || !*s || strlen(s) > MAX_TEXT) return route_complain(r, o, f->name, 0, "'%s' must be text.", f->name);
        if (f->type != T_TEXT && !is_name(s))
            return route_complain(r, o, f->name, 0, "'%s' must be a name (letters, digits, '_', '-', '.').", f->name);
        *(const char **)to = route_keep(r, s);
        return *(const char **)to ? 0 : err_nomem(r->e, 0);
    }
    if (word < 0)
        return route_complain(r, o, f->name, 0, "'%s' must be %s.", f->name,
                              f->type == T_PLACE  ? "device, premises or cloud"
                              : f->type == T_WIRE ? "openai, anthropic or croft"
                                                  : "day or month");
    *(int *)to = word; /* enums are ints */
    return 0;
}

/* The object's members by the table; SKIP members are read by the caller. */
int route_read_object(struct route_reader *r, const json_t *parent, const char *key, size_t index, json_t *o,
                      const struct route_field *fields, void *base)
{
    const char *name;
    json_t *v;
    if (!json_is_object(o))
        return route_complain(r, parent, key, index, "%s must hold names with values.", r->within);
    json_object_foreach(o, name, v)
    {
        const struct route_field *f = fields;
        while (f->name && strcmp(f->name, name) != 0) f++;
        int rc = f->name ? route_read_value(r, o, f, v, base) : unknown_name(r, o, name, fields);
        if (rc) return rc;
    }
    for (const struct route_field *f = fields; f->name; f++)
        if (f->required && !json_object_get(o, f->name))
            return route_complain(r, parent, key, index, "%s needs '%s'.", r->within, f->name);
    return 0;
}
