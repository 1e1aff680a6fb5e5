/* The opposite of a schema, as a list of schemas of which one must hold: a value fails a schema when it fails one of
 * its keywords, and most keywords have an opposite among the others.
 *
 *   {"type": "object", "required": ["a", "b"], "properties": {"a": {"maximum": 5}}}      fails, if
 *       it is no object  |  a is absent  |  b is absent  |  a is there and fails {"maximum": 5}
 *
 * One level is turned around at a time; what lies below stays a `not` until it is met. Keywords without an opposite
 * (format, multipleOf, uniqueItems, other members) leave ways out: what remains is narrower, and exact in what it
 * admits. Schemas made here belong to the struct schema. Next: gram_schema_obj.c. */
#include "gram_schema.h"

#include "base_mem.h"

#include <stdlib.h>

enum { MAX_REFS = 32, MAX_NUMBERS = 16 };

/* Takes the schema; NULL is lack of memory. */
static void way(struct schema *s, struct negation *out, json_t *made)
{
    made = gram_schema_own(s, made);
    if (made && out->n < GRAM_MAX_WAYS)
        out->way[out->n++] = made;
    else
        out->left_out = true;
}

/* What lies below, for later. */
static json_t *fails(const json_t *schema) { return json_pack("{s:O,s:s}", "not", schema, GRAM_FOR, ""); }

static void number_between(struct schema *s, struct negation *out, const json_t *lo, const json_t *hi)
{
    json_t *w = json_pack("{s:s}", "type", "number");
    bool ok = (!lo || !json_object_set(w, "exclusiveMinimum", (json_t *)lo)) &&
              (!hi || !json_object_set(w, "exclusiveMaximum", (json_t *)hi));
    way(s, out, w);
    if (!ok) err_nomem(s->e, sizeof *w);
}

/* ---- type, enum, const ---- */

static void not_type(struct schema *s, const struct part *p, struct negation *out)
{
    bool named = false;
    int set = gram_schema_types(s, p, &named);
    if (set & S_INT) {
        out->left_out |= !(set & S_REAL); /* numbers that are not whole */
        set |= S_INT | S_REAL;
    }
    if (!s->e->code && set != S_ALL) way(s, out, json_pack("{s:i}", GRAM_TYPES, S_ALL & ~set));
}

static int by_value(const void *a, const void *b)
{
    double x = json_number_value(*(json_t *const *)a), y = json_number_value(*(json_t *const *)b);
    return x < y ? -1 : x > y;
}

/* Other types than those of the values, other strings, other truth, and the numbers in the gaps. */
static void not_values(struct schema *s, const json_t *list, struct negation *out)
{
    const json_t *number[MAX_NUMBERS], *v;
    size_t n = 0, i;
    int types = S_ALL;
    json_t *texts = json_array();
    bool truth[2] = {false, false};
    json_array_foreach((json_t *)list, i, v)
    {
        if (json_is_null(v)) types &= ~S_NULL;
        if (json_is_array(v)) types &= ~S_ARRAY;
        if (json_is_object(v)) types &= ~S_OBJECT;
        out->left_out |= json_is_array(v) || json_is_object(v);
        if (json_is_boolean(v)) truth[json_is_true(v)] = true;
        if (json_is_number(v)) types &= ~(S_INT | S_REAL);
        if (json_is_number(v) && n < MAX_NUMBERS) number[n] = v;
        n += json_is_number(v);
        if (json_is_string(v) && json_array_append(texts, (json_t *)v)) err_nomem(s->e, sizeof *v);
    }
    if (truth[0] || truth[1]) types &= ~S_BOOL;
    if (truth[0] != truth[1]) way(s, out, json_pack("{s:b}", "const", truth[0]));
    json_t *w = json_pack("{s:i}", GRAM_TYPES, types);
    if (json_array_size(texts) && json_object_set(w, GRAM_NOT_TEXTS, texts)) err_nomem(s->e, sizeof *w);
    json_decref(texts);
    way(s, out, w);
    if (n > MAX_NUMBERS) out->left_out = true;
    if (n == 0 || n > MAX_NUMBERS) return;
    qsort(number, n, sizeof *number, by_value);
    for (i = 0; i <= n; i++) number_between(s, out, i ? number[i - 1] : NULL, i < n ? number[i] : NULL);
}

/* ---- bounds ---- */

/* A count's opposite: one less than the least, one more than the most. */
static void not_count(struct schema *s, const json_t *schema, const char *type, const char *least, const char *most,
                      struct negation *out)
{
    const json_t *lo = json_object_get(schema, least), *hi = json_object_get(schema, most);
    if (lo && json_number_value(lo) >= 1)
        way(s, out, json_pack("{s:s,s:I}", "type", type, most, (json_int_t)json_number_value(lo) - 1));
    if (hi) way(s, out, json_pack("{s:s,s:I}", "type", type, least, (json_int_t)json_number_value(hi) + 1));
}

static void not_bound(struct schema *s, const json_t *schema, bool upper, struct negation *out)
{
    const json_t *b = json_object_get(schema, upper ? "maximum" : "minimum"),
                 *open = json_object_get(schema, upper ? "exclusiveMaximum" : "exclusiveMinimum");
    const char *beyond = upper ? "exclusiveMinimum" : "exclusiveMaximum", *from = upper ? "minimum" : "maximum";
    if (b) way(s, out, json_pack("{s:s,s:O}", "type", "number", json_is_true(open) ? from : beyond, b));
    if (json_is_number(open)) way(s, out, json_pack("{s:s,s:O}", "type", "number", from, open));
}

static void not_string(struct schema *s, const json_t *schema, struct negation *out)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    const json_t *pattern = json_object_get(schema, "pattern");
    not_count(s, schema, "string", "minLength", "maxLength", out);
    if (pattern) way(s, out, json_pack("{s:s,s:O}", "type", "string", GRAM_NOT_PATTERN, pattern));
    if (format && *gram_format_regex(format))
        out->left_out = true; /* expressions of formats are narrower than them */
}

static void not_array(struct schema *s, const json_t *schema, struct negation *out)
{
    const json_t *items = json_object_get(schema, "items"), *prefix = json_object_get(schema, "prefixItems"),
                 *has = json_object_get(schema, "contains"), *least = json_object_get(schema, "minContains"),
                 *most = json_object_get(schema, "maxContains");
    not_count(s, schema, "array", "minItems", "maxItems", out);
    if (json_is_true(json_object_get(schema, "uniqueItems"))) out->left_out = true;
    if (json_is_array(items) || (items && prefix))
        out->left_out = true;
    else if (items && !json_is_true(items))
        way(s, out, json_pack("{s:s,s:o,s:s}", "type", "array", "contains", fails(items), GRAM_FOR, ""));
    if (json_is_array(items)) prefix = items;
    for (size_t i = 0; i < json_array_size(prefix); i++) {
        json_t *list = json_array();
        for (size_t k = 0; k < i; k++) json_array_append_new(list, json_true());
        json_array_append_new(list, fails(json_array_get(prefix, i)));
        way(s, out, json_pack("{s:s,s:I,s:o}", "type", "array", "minItems", (json_int_t)i + 1, "prefixItems", list));
    }
    if (!has) return;
    json_int_t n = least ? (json_int_t)json_number_value(least) : 1;
    if (n == 1) way(s, out, json_pack("{s:s,s:o}", "type", "array", "items", fails(has)));
    if (n > 1)
        way(s, out,
            json_pack("{s:s,s:O,s:i,s:I}", "type", "array", "contains", has, "minContains", 0, "maxContains", n - 1));
    if (most)
        way(s, out,
            json_pack("{s:s,s:O,s:I}", "type", "array", "contains", has, "minContains",
                      (json_int_t)json_number_value(most) + 1));
}

/* ---- objects ---- */

/* Members that the schema has under additionalProperties: those that the other parts name and it does not. */
static void not_others(struct schema *s, const json_t *schema, struct negation *out)
{
    const json_t *more = json_object_get(schema, "additionalProperties"),
                 *own = json_object_get(schema, "properties");
    const char *name;
    json_t *v;
    if (!more || json_is_true(more)) return;
    out->left_out = true;
    if (json_object_get(schema, "patternProperties")) return;
    for (size_t i = 0; i < out->all->n; i++)
        json_object_foreach(json_object_get(out->all->p[i].s, "properties"), name, v)
        {
            if (json_object_get(own, name)) continue;
            if (json_is_false(more))
                way(s, out, json_pack("{s:s,s:[s]}", "type", "object", "required", name));
            else
                way(s, out,
                    json_pack("{s:s,s:[s],s:{s:o}}", "type", "object", "required", name, "properties", name,
                              fails(more)));
        }
}

static void not_dependency(struct schema *s, const char *name, const json_t *then, struct negation *out)
{
    size_t i;
    json_t *v;
    if (!json_is_array(then))
        way(s, out, json_pack("{s:s,s:[s],s:O,s:s}", "type", "object", "required", name, "not", then, GRAM_FOR, ""));
    json_array_foreach((json_t *)then, i, v)
        way(s, out, json_pack("{s:s,s:[s],s:[O]}", "type", "object", "required", name, GRAM_ABSENT, v));
}

static void not_object(struct schema *s, const json_t *schema, struct negation *out)
{
    static const char *const maps[] = {"dependentRequired", "dependentSchemas", "dependencies"};
    const json_t *names = json_object_get(schema, "propertyNames");
    const char *name;
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(schema, "required"), i, v)
        way(s, out, json_pack("{s:s,s:[O]}", "type", "object", GRAM_ABSENT, v));
    json_object_foreach(json_object_get(schema, "properties"), name, v)
    {
        if (json_is_true(v) || gram_schema_is_note(v)) continue;
        way(s, out,
            json_pack("{s:s,s:[s],s:{s:o}}", "type", "object", "required", name, "properties", name, fails(v)));
    }
    not_count(s, schema, "object", "minProperties", "maxProperties", out);
    not_others(s, schema, out);
    if (json_object_get(schema, "patternProperties") || (names && !json_is_true(names))) out->left_out = true;
    for (i = 0; i < sizeof maps / sizeof *maps; i++)
        json_object_foreach(json_object_get(schema, maps[i]), name, v) not_dependency(s, name, v, out);
}

/* ---- schemas of schemas ---- */

static json_t *none_of(const json_t *list)
{
    json_t *all = json_array(), *v;
    size_t i;
    json_array_foreach((json_t *)list, i, v) json_array_append_new(all, fails(v));
    return json_pack("{s:o}", "allOf", all);
}

static void not_branches(struct schema *s, const json_t *schema, struct negation *out)
{
    const json_t *all = json_object_get(schema, "allOf"), *any = json_object_get(schema, "anyOf"),
                 *one = json_object_get(schema, "oneOf"), *no = json_object_get(schema, "not"),
                 *when = json_object_get(schema, "if"), *then = json_object_get(schema, "then"),
                 *other = json_object_get(schema, "else");
    for (size_t i = 0; i < json_array_size(all); i++) way(s, out, fails(json_array_get(all, i)));
    if (any) way(s, out, none_of(any));
    if (one) way(s, out, none_of(one));
    for (size_t i = 0; i < json_array_size(one); i++) /* or two at once */
        for (size_t k = 0; k < i; k++)
            way(s, out, json_pack("{s:[O,O]}", "allOf", json_array_get(one, k), json_array_get(one, i)));
    if (no) way(s, out, json_pack("{s:[O]}", "allOf", no));
    if (when && then) way(s, out, json_pack("{s:[O,o]}", "allOf", when, fails(then)));
    if (when && other) way(s, out, json_pack("{s:[o,o]}", "allOf", fails(when), fails(other)));
}

bool gram_schema_negate(struct schema *s, const json_t *schema, const char *at, int depth, struct negation *out)
{
    if (json_is_true(schema)) return true;
    if (json_is_false(schema)) return way(s, out, json_object()), !s->e->code;
    if (!json_is_object(schema))
        return gram_schema_fail(s, CROFT_E_FORMAT, at, NULL, "a schema must be an object, true or false.");
    struct part p = {schema, at};
    if (depth > MAX_REFS) return gram_schema_fail(s, CROFT_E_LIMIT, at, "$ref", "too many references in a row.");
    if (!gram_schema_words(s, &p)) return false;
    const json_t *ref = json_object_get(schema, "$ref"), *one = json_object_get(schema, "const"),
                 *list = json_object_get(schema, "enum"), *target = NULL;
    if (ref) target = json_is_string(ref) ? gram_schema_resolve(s->root, json_string_value(ref)) : NULL;
    if (ref && !target)
        return gram_schema_fail(s, CROFT_E_FORMAT, at, "$ref", "it points to nothing in this schema.");
    if (target && !gram_schema_negate(s, target, at, depth + 1, out)) return false;
    not_type(s, &p, out);
    json_t *single = one ? gram_schema_own(s, json_pack("[O]", one)) : NULL;
    if (one && !single) return false;
    if (one) not_values(s, single, out);
    if (json_is_array(list)) not_values(s, list, out);
    not_bound(s, schema, false, out);
    not_bound(s, schema, true, out);
    if (json_object_get(schema, "multipleOf")) out->left_out = true;
    not_string(s, schema, out);
    not_array(s, schema, out);
    not_object(s, schema, out);
    not_branches(s, schema, out);
    return !s->e->code;
}
