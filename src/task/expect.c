/* Checks of a generated text (task_expect.h). Stateless; lower-case letters are the template engine's, which are
 * Unicode's.
 * Read next: promptfoo.c, eval.c. */
#include "task_expect.h"
#include "base_buf.h"
#include "base_str.h"
#include "model_tmpl.h"

enum shape { TEXT, TEXTS, ANYTHING, NOTHING }; /* what a check takes as its value */
enum how { EQUALS, CONTAINS, CONTAINS_ALL, CONTAINS_ANY, STARTS_WITH, IS_JSON };
static const struct type {
    const char *name;
    enum how how;
    enum shape value;
    bool lower;
} types[] = {{"equals", EQUALS, ANYTHING, false},
             {"contains", CONTAINS, TEXT, false},
             {"icontains", CONTAINS, TEXT, true},
             {"contains-all", CONTAINS_ALL, TEXTS, false},
             {"contains-any", CONTAINS_ANY, TEXTS, false},
             {"icontains-all", CONTAINS_ALL, TEXTS, true},
             {"icontains-any", CONTAINS_ANY, TEXTS, true},
             {"starts-with", STARTS_WITH, TEXT, false},
             {"is-json", IS_JSON, NOTHING, false},
             {0}};

static const struct type *type_of(const json_t *check, bool *out_not)
{
    const char *name = json_string_value(json_object_get(check, "type"));
    if (!name) return NULL;
    *out_not = str_starts(name, "not-");
    if (*out_not) name += 4;
    const struct type *t = types;
    while (t->name && strcmp(t->name, name) != 0) t++;
    return t->name ? t : NULL;
}

static bool fits(const struct type *t, const json_t *value)
{
    size_t i;
    json_t *item;
    if (t->value == NOTHING) return !value;
    if (t->value == TEXT) return json_is_string(value);
    if (t->value == ANYTHING) return value != NULL;
    json_array_foreach((json_t *)value, i, item)
        if (!json_is_string(item)) return false;
    return json_array_size(value) > 0;
}

int task_expect_valid(const json_t *checks, struct err *e)
{
    static const char *const wanted[] = {"a text", "a list of texts", "a value", "no value"}; /* as enum shape */
    size_t i;
    json_t *check;
    bool negated;
    json_array_foreach((json_t *)checks, i, check) {
        const char *name = json_string_value(json_object_get(check, "type"));
        const struct type *t = type_of(check, &negated);
        if (!t)
            return ERR(e, UNSUPPORTED, "The check '%.40s' is none that can be made here", name ? name : "(no type)");
        if (!fits(t, json_object_get(check, "value")))
            return ERR(e, FORMAT, "The check '%.40s' takes %s", name, wanted[t->value]);
    }
    return json_array_size(checks) ? 0 : ERR(e, FORMAT, "There is no check");
}

/* Append the text, lower-case if asked. */
static int lowered(const char *text, size_t n, bool lower, struct buf *out, struct err *e)
{
    static const char source[] = "{{ text|lower }}";
    if (!lower) return buf_add(out, text, n) ? buf_check(out, "text", e) : 0;
    struct tmpl *t = NULL;
    json_t *vars = json_pack("{s:s%}", "text", text, n);
    int rc = vars ? tmpl_new(source, sizeof source - 1, &t, e) : ERR(e, FORMAT, "The text is not UTF-8.");
    if (rc == 0) rc = tmpl_render(t, vars, 0, NULL, out, e);
    tmpl_free(t);
    json_decref(vars);
    return rc;
}

/* Is the value in the text, or at its beginning? */
static int find(const struct buf *text, const json_t *value, const struct type *t, bool *out, struct err *e)
{
    struct buf b;
    buf_init(&b, text->max);
    int rc = lowered(json_string_value(value), json_string_length(value), t->lower, &b, e);
    if (rc == 0 && b.len == 0) *out = true;
    else if (rc == 0 && t->how == STARTS_WITH) *out = text->len >= b.len && memcmp(text->data, b.data, b.len) == 0;
    else if (rc == 0) *out = text->len && memmem(text->data, text->len, b.data, b.len);
    buf_done(&b);
    return rc;
}

static int find_list(const struct buf *text, const json_t *values, const struct type *t, bool *out, struct err *e)
{
    size_t i;
    json_t *item;
    int rc = 0;
    bool all = t->how == CONTAINS_ALL;
    *out = all;
    json_array_foreach((json_t *)values, i, item) {
        bool found;
        if ((rc = find(text, item, t, &found, e))) return rc;
        if (found != all) *out = found;
    }
    return rc;
}

static bool equals(const char *text, size_t n, const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) == n && memcmp(json_string_value(value), text, n) == 0;
    json_t *got = json_loadb(text, n, JSON_DECODE_ANY, NULL);
    bool same = got && json_equal(got, value);
    json_decref(got);
    return same;
}

static int holds(const struct type *t, const json_t *value, const char *text, size_t n, bool *out, struct err *e)
{
    struct buf b;
    json_t *got;
    switch (t->how) {
    case EQUALS: *out = equals(text, n, value); return 0;
    case IS_JSON:
        got = json_loadb(text, n, JSON_DECODE_ANY, NULL);
        *out = got != NULL;
        json_decref(got);
        return 0;
    default: break;
    }
    buf_init(&b, (size_t)16 << 20);
    int rc = lowered(text, n, t->lower, &b, e);
    if (rc == 0) rc = t->value == TEXTS ? find_list(&b, value, t, out, e) : find(&b, value, t, out, e);
    buf_done(&b);
    return rc;
}

int task_expect_met(const json_t *checks, const char *text, size_t n, bool *out, struct err *e)
{
    size_t i;
    json_t *check;
    bool all = true;
    json_array_foreach((json_t *)checks, i, check) {
        bool negated = false, yes = false;
        const struct type *t = type_of(check, &negated);
        if (!t) return ERR(e, INTERNAL, "A check was not looked at before it was made. Report this as a bug.");
        int rc = holds(t, json_object_get(check, "value"), text, n, &yes, e);
        if (rc) return rc;
        all = all && yes != negated;
    }
    *out = all;
    return 0;
}
