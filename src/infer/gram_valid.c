/* The check of what leaves: a finished text is parsed as JSON and held against its schema, keyword by keyword, as the
 * standard says (draft 2020-12, with items of older drafts). It shares no code with the automaton but the parser of
 * regular expressions; those are simulated (gram_nfa.c), formats have their own checks (gram_format.c), and numbers
 * are compared as a reader would.
 *
 * Reentrant; errors carry the JSON pointer into the text. Next: docs/CONSTRAINED.md. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_LEVELS = 2000 };

struct check {
    const json_t *root;
    struct err *e;
    char at[256]; /* pointer into the value */
    size_t n_at;
    int level;
};

static int valid(struct check *c, const json_t *schema, const json_t *v);

static int wrong(struct check *c, const char *keyword, const char *why)
{
    return err_set(c->e, CROFT_E_FORMAT, c->n_at ? c->at : "/", -1, "The value at '%s' does not satisfy '%s': %s.",
                   c->n_at ? c->at : "/", keyword, why);
}

/* Go down to a key or item and back. */
static int below(struct check *c, const char *key, size_t index, const json_t *schema, const json_t *v)
{
    size_t n = c->n_at, room = sizeof c->at - n;
    int k = key ? snprintf(c->at + n, room, "/%.60s", key) : snprintf(c->at + n, room, "/%zu", index);
    c->n_at = (size_t)k < room ? n + (size_t)k : sizeof c->at - 1;
    int rc = valid(c, schema, v);
    c->n_at = n;
    c->at[n] = 0;
    return rc;
}

/* ---- strings ---- */

static int matches(struct check *c, const char *pattern, const char *text, size_t n, bool *out)
{
    struct arena a;
    struct gram_re *re;
    struct gram_nfa *nfa = NULL;
    arena_init(&a, 64u << 20);
    int rc = gram_re_parse(&a, pattern, strlen(pattern), &re, c->e);
    if (!rc) rc = gram_nfa_new(re, true, &nfa, c->e);
    if (!rc) rc = gram_nfa_match(nfa, text, n, out, c->e);
    gram_nfa_free(nfa);
    arena_done(&a);
    return rc;
}

static size_t characters(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)p[i] & 0xC0) != 0x80;
    return count;
}

/* The words of our own, for schemas that were put together. */
static int check_own_words(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *types = json_object_get(s, GRAM_TYPES), *texts = json_object_get(s, GRAM_NOT_TEXTS);
    const char *pattern = json_string_value(json_object_get(s, GRAM_NOT_PATTERN));
    static const int type[] = {
        [JSON_OBJECT] = S_OBJECT,     [JSON_ARRAY] = S_ARRAY, [JSON_STRING] = S_STRING, [JSON_INTEGER] = S_INT,
        [JSON_REAL] = S_INT | S_REAL, [JSON_TRUE] = S_BOOL,   [JSON_FALSE] = S_BOOL,    [JSON_NULL] = S_NULL};
    bool fits = false;
    if (types && !(json_integer_value(types) & type[json_typeof(v)])) return wrong(c, "not", "it has another type");
    for (size_t i = 0; i < json_array_size(texts); i++)
        if (json_equal(json_array_get(texts, i), v)) return wrong(c, "not", "it is one of the texts");
    if (pattern && json_is_string(v) && matches(c, pattern, json_string_value(v), json_string_length(v), &fits))
        return c->e->code;
    return fits ? wrong(c, "not", "it matches") : 0;
}

static int check_string(struct check *c, const json_t *s, const char *text, size_t n)
{
    const json_t *min = json_object_get(s, "minLength"), *max = json_object_get(s, "maxLength");
    const char *pattern = json_string_value(json_object_get(s, "pattern")),
               *format = json_string_value(json_object_get(s, "format"));
    size_t length = characters(text, n);
    bool fits = true;
    if (min && (double)length < json_number_value(min)) return wrong(c, "minLength", "it is too short");
    if (max && (double)length > json_number_value(max)) return wrong(c, "maxLength", "it is too long");
    if (pattern && matches(c, pattern, text, n, &fits)) return c->e->code;
    if (!fits) return wrong(c, "pattern", "it does not match");
    if (format && !gram_format_valid(format, text, n)) return wrong(c, "format", format);
    return 0;
}

/* ---- numbers ---- */

static int order(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return x < y ? -1 : x > y;
    }
    double x = json_number_value(a), y = json_number_value(b);
    return x < y ? -1 : x > y;
}

/* In draft 4 the exclusive bounds are true or false and speak about the other ones. */
static const json_t *exclusive(const json_t *s, const char *key, const char *older)
{
    const json_t *b = json_object_get(s, key);
    return json_is_true(b) ? json_object_get(s, older) : json_is_boolean(b) ? NULL : b;
}

static int check_number(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *b;
    if ((b = json_object_get(s, "minimum")) && order(v, b) < 0) return wrong(c, "minimum", "it is too small");
    if ((b = json_object_get(s, "maximum")) && order(v, b) > 0) return wrong(c, "maximum", "it is too large");
    if ((b = exclusive(s, "exclusiveMinimum", "minimum")) && order(v, b) <= 0)
        return wrong(c, "exclusiveMinimum", "it is too small");
    if ((b = exclusive(s, "exclusiveMaximum", "maximum")) && order(v, b) >= 0)
        return wrong(c, "exclusiveMaximum", "it is too large");
    if ((b = json_object_get(s, "multipleOf")) && !gram_is_multiple(v, b))
        return wrong(c, "multipleOf", "it is no multiple");
    return 0;
}

/* ---- arrays and objects ---- */

bool gram_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) return order(a, b) == 0;
    if (json_typeof(a) != json_typeof(b)) return false;
    bool ok = json_array_size(a) == json_array_size(b) && json_object_size(a) == json_object_size(b);
    if (!json_is_array(a) && !json_is_object(a)) return json_equal(a, b);
    for (size_t i = 0; i < json_array_size(a) && ok; i++) ok = gram_same(json_array_get(a, i), json_array_get(b, i));
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)a, key, v)
    {
        const json_t *other = ok ? json_object_get(b, key) : NULL;
        ok = other && gram_same(v, other);
    }
    return ok;
}

/* Does it hold? Errors other than "it does not" are results below 0. */
static int holds(struct check *c, const json_t *schema, const json_t *v)
{
    int rc = valid(c, schema, v);
    if (rc && rc != CROFT_E_FORMAT) return rc;
    if (rc) c->e->code = 0;
    return rc == 0;
}

static int check_contains(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *schema = json_object_get(s, "contains"), *min = json_object_get(s, "minContains"),
                 *max = json_object_get(s, "maxContains");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(v); i++) {
        int fits = holds(c, schema, json_array_get(v, i));
        if (fits < 0) return fits;
        n += fits == 1;
    }
    if ((double)n < (min ? json_number_value(min) : 1)) return wrong(c, "contains", "too few items fit");
    return max && (double)n > json_number_value(max) ? wrong(c, "maxContains", "too many items fit") : 0;
}

static int check_array(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *items = json_object_get(s, "items"), *prefix = json_object_get(s, "prefixItems"), *b;
    size_t n = json_array_size(v);
    if ((b = json_object_get(s, "minItems")) && (double)n < json_number_value(b))
        return wrong(c, "minItems", "there are too few items");
    if ((b = json_object_get(s, "maxItems")) && (double)n > json_number_value(b))
        return wrong(c, "maxItems", "there are too many items");
    if (json_is_array(items)) {
        prefix = items;
        items = json_object_get(s, "additionalItems");
    }
    if (json_object_get(s, "contains") && check_contains(c, s, v)) return c->e->code;
    for (size_t i = 0; i < n; i++) {
        const json_t *schema = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;
        if (schema && below(c, NULL, i, schema, json_array_get(v, i))) return c->e->code;
    }
    if (json_is_true(json_object_get(s, "uniqueItems")))
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < i; k++)
                if (gram_same(json_array_get(v, i), json_array_get(v, k)))
                    return wrong(c, "uniqueItems", "two items are equal");
    return 0;
}

static int check_member(struct check *c, const json_t *s, const char *key, const json_t *v)
{
    const json_t *named = json_object_get(json_object_get(s, "properties"), key),
                 *more = json_object_get(s, "additionalProperties");
    const json_t *names = json_object_get(s, "propertyNames");
    const char *pattern;
    json_t *schema;
    bool spoken = named != NULL;
    if (named && below(c, key, 0, named, v)) return c->e->code;
    json_object_foreach(json_object_get(s, "patternProperties"), pattern, schema)
    {
        bool fits;
        if (matches(c, pattern, key, strlen(key), &fits)) return c->e->code;
        if (fits && below(c, key, 0, schema, v)) return c->e->code;
        spoken |= fits;
    }
    if (names) {
        json_t *name = json_string(key);
        int rc = name ? valid(c, names, name) : err_nomem(c->e, 16);
        json_decref(name);
        if (rc) return rc;
    }
    return spoken || !more ? 0 : below(c, key, 0, more, v);
}

static bool missing(const json_t *names, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && !json_object_get(v, name)) return true;
    }
    return false;
}

static int check_dependencies(struct check *c, const json_t *s, const json_t *v)
{
    static const char *const words[] = {"dependentRequired", "dependentSchemas", "dependencies"};
    const char *name;
    json_t *then;
    for (int i = 0; i < 3; i++) json_object_foreach(json_object_get(s, words[i]), name, then)
        {
            if (!json_object_get(v, name)) continue;
            if (json_is_array(then) ? missing(then, v) : valid(c, then, v) != 0)
                return c->e->code ? c->e->code : wrong(c, words[i], name);
        }
    return 0;
}

static int check_object(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *absent = json_object_get(s, GRAM_ABSENT);
    for (size_t i = 0; i < json_array_size(absent); i++)
        if (json_object_get(v, json_string_value(json_array_get(absent, i))))
            return wrong(c, "not", "a member is there");
    if (check_dependencies(c, s, v)) return c->e->code;

    const json_t *required = json_object_get(s, "required"), *b;
    const char *key;
    json_t *value;
    size_t n = json_object_size(v);
    if ((b = json_object_get(s, "minProperties")) && (double)n < json_number_value(b))
        return wrong(c, "minProperties", "there are too few");
    if ((b = json_object_get(s, "maxProperties")) && (double)n > json_number_value(b))
        return wrong(c, "maxProperties", "there are too many");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name && !json_object_get(v, name)) return wrong(c, "required", name);
    }
    json_object_foreach((json_t *)v, key, value) if (check_member(c, s, key, value)) return c->e->code;
    return 0;
}

/* ---- any ---- */

static bool has_type(const json_t *v, const char *name)
{
    if (!name) return false;
    if (!strcmp(name, "null")) return json_is_null(v);
    if (!strcmp(name, "boolean")) return json_is_boolean(v);
    if (!strcmp(name, "number")) return json_is_number(v);
    if (!strcmp(name, "integer"))
        return json_is_integer(v) || (json_is_real(v) && json_real_value(v) == __builtin_floor(json_real_value(v)));
    if (!strcmp(name, "string")) return json_is_string(v);
    if (!strcmp(name, "array")) return json_is_array(v);
    return !strcmp(name, "object") && json_is_object(v);
}

static int check_any(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *type = json_object_get(s, "type"), *list = json_object_get(s, "enum"),
                 *one = json_object_get(s, "const");
    if (type) {
        bool ok = has_type(v, json_string_value(type));
        for (size_t i = 0; i < json_array_size(type) && !ok; i++)
            ok = has_type(v, json_string_value(json_array_get(type, i)));
        if (!ok) return wrong(c, "type", "it has another type");
    }
    if (one && !gram_same(one, v)) return wrong(c, "const", "it has another value");
    if (list) {
        bool ok = false;
        for (size_t i = 0; i < json_array_size(list) && !ok; i++) ok = gram_same(json_array_get(list, i), v);
        if (!ok) return wrong(c, "enum", "it is none of the values");
    }
    return 0;
}

static int check_condition(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *when = json_object_get(s, "if");
    int fits = when ? holds(c, when, v) : 0;
    const json_t *then = json_object_get(s, fits ? "then" : "else");
    if (!when || fits < 0 || !then) return fits < 0 ? fits : 0;
    return valid(c, then, v);
}

static int check_branches(struct check *c, const json_t *s, const json_t *v)
{
    const json_t *all = json_object_get(s, "allOf"), *any = json_object_get(s, "anyOf"),
                 *one = json_object_get(s, "oneOf");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (valid(c, json_array_get(all, i), v)) return c->e->code;
    for (int k = 0; k < 2; k++) {
        const json_t *list = k ? one : any;
        size_t fit = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
            int fits = holds(c, json_array_get(list, i), v);
            if (fits < 0) return fits;
            fit += fits == 1;
        }
        if (list && (k ? fit != 1 : fit == 0))
            return wrong(c, k ? "oneOf" : "anyOf", fit ? "more than one branch fits" : "no branch fits");
    }
    const json_t *no = json_object_get(s, "not");
    int rc = no ? valid(c, no, v) : CROFT_E_FORMAT;
    if (rc == 0) return wrong(c, "not", "what must not fit does");
    if (rc != CROFT_E_FORMAT) return rc;
    c->e->code = 0;
    return check_condition(c, s, v);
}

static int valid(struct check *c, const json_t *schema, const json_t *v)
{
    if (json_is_true(schema)) return 0;
    if (!json_is_object(schema)) return wrong(c, "false", "nothing may stand here");
    if (++c->level > MAX_LEVELS) return ERR(c->e, LIMIT, "The value or its schema is nested too deep to be checked.");
    const json_t *ref = json_object_get(schema, "$ref");
    int rc = check_any(c, schema, v);
    if (!rc) rc = check_own_words(c, schema, v);
    if (!rc && ref) {
        const json_t *target = json_is_string(ref) ? gram_schema_resolve(c->root, json_string_value(ref)) : NULL;
        rc = target ? valid(c, target, v) : ERR(c->e, UNSUPPORTED, "A $ref of the schema points to nothing.");
    }
    if (!rc) rc = check_branches(c, schema, v);
    if (!rc && json_is_string(v)) rc = check_string(c, schema, json_string_value(v), json_string_length(v));
    if (!rc && json_is_number(v)) rc = check_number(c, schema, v);
    if (!rc && json_is_array(v)) rc = check_array(c, schema, v);
    if (!rc && json_is_object(v)) rc = check_object(c, schema, v);
    c->level--;
    return rc;
}

int gram_valid(const json_t *root, const json_t *schema, const json_t *value, struct err *e)
{
    struct err local = {0};
    struct check c = {.root = root, .e = e ? e : &local};
    return valid(&c, schema, value);
}

int gram_schema_check(const json_t *schema, const char *text, size_t n, struct err *e)
{
    json_error_t at;
    json_t *v = json_loadb(text, n, JSON_DECODE_ANY, &at);
    if (!v) {
        if (!at.text[0] || json_error_code(&at) == json_error_out_of_memory) return err_nomem(e, n);
        return err_set(e, CROFT_E_FORMAT, "text", at.position,
                       "The text is not valid JSON: line %d, column %d: %.120s.", at.line, at.column, at.text);
    }
    int rc = gram_valid(schema, schema, v, e);
    json_decref(v);
    return rc;
}
