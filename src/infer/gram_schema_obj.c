/* Objects of a JSON Schema.
 *
 * Members come in the order in which the schema first names them; one that is not required may be left out. With i
 * members looked at and c of them written:
 *
 *   O(i, c) ::= [comma if c] "name": value O(i+1, c+1)  |  O(i+1, c) if optional       O(n, c) ::= others(c) "}"
 *
 * c stops at what matters: 1 for the comma, more with minProperties and maxProperties. Others are members with keys
 * that are not named: those of patternProperties, and any when additionalProperties is true or a schema, or when
 * nothing is said of properties. When additionalProperties is absent beside properties, be they none, no others are
 * written: the standard would let them pass, but a model then rambles. Their keys may repeat (the last one counts),
 * so at most one of them serves minProperties. Next: gram_schema_arr.c. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_PROPERTIES = 5000, MAX_PATTERNS = 6, MAX_COUNT = 1 << 16 };

/* The tightest of a count keyword over all parts: the largest minimum or smallest maximum. */
bool gram_schema_count(struct schema *s, const struct part *p, size_t n, const char *key, bool smallest,
                       uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(p[i].s, key);
        if (!v) continue;
        double d = json_number_value(v);
        if (!json_is_number(v) || d < 0 || d != (double)(int64_t)d)
            return gram_schema_fail(s, CROFT_E_FORMAT, p[i].at, key, "a whole number, at least 0, is expected.");
        if (d > MAX_COUNT) {
            if (smallest) continue; /* no text that long is made anyway: not a bound */
            return gram_schema_fail(s, CROFT_E_LIMIT, p[i].at, key, "the number is too large.");
        }
        if (smallest ? d < *out : d > *out) *out = (uint32_t)d;
    }
    return true;
}

/* One schema of the parts, or any value when there are none. */
uint32_t gram_schema_both(struct schema *s, const struct part *p, size_t n)
{
    if (n == 0) return gram_schema_any(s);
    for (size_t i = 0; i < n; i++)
        if (json_is_false(p[i].s)) return gram_none(&s->g);
    if (n == 1) return gram_schema_node(s, p[0].s, p[0].at);
    const json_t *all = gram_schema_all(s, p, n);
    return all ? gram_schema_node(s, all, p[0].at) : 0;
}

/* ---- objects ---- */

struct member {
    const char *name;
    bool required;
};

struct object {
    struct schema *s;
    const struct part *p;
    size_t n_p;
    struct member *m;
    size_t n, cap;
    bool named;        /* there are members by name, not only absent ones */
    uint32_t min, max; /* members */
    uint32_t *value;   /* [n] nodes of `"name": value` */
    uint32_t other;    /* node of any other member */
    struct pattern {
        const char *text;
        const struct gram_re *re;
        const json_t *schema;
        const char *at;
        size_t part;
    } pattern[MAX_PATTERNS];
    size_t n_pattern;
};

static bool add_member(struct object *o, const char *name, bool required)
{
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->m[i].name, name)) {
            o->m[i].required |= required;
            return true;
        }
    if (o->n >= MAX_PROPERTIES)
        return gram_schema_fail(o->s, CROFT_E_LIMIT, o->p[0].at, "properties", "too many properties.");
    if (gram_grow(&o->m, &o->cap, o->n + 1, sizeof *o->m)) return err_nomem(o->s->e, o->n * sizeof *o->m), false;
    o->m[o->n++] = (struct member){name, required};
    return true;
}

static bool named_members(struct object *o)
{
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *props = json_object_get(o->p[i].s, "properties");
        const char *name;
        json_t *v;
        if (props && !json_is_object(props))
            return gram_schema_fail(o->s, CROFT_E_FORMAT, o->p[i].at, "properties", "an object is expected.");
        json_object_foreach((json_t *)props, name, v) if (!add_member(o, name, false)) return false;
    }
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *list = json_object_get(o->p[i].s, "required");
        if (list && !json_is_array(list))
            return gram_schema_fail(o->s, CROFT_E_FORMAT, o->p[i].at, "required", "a list of names is expected.");
        for (size_t k = 0; k < json_array_size(list); k++) {
            const char *name = json_string_value(json_array_get(list, k));
            if (!name)
                return gram_schema_fail(o->s, CROFT_E_FORMAT, o->p[i].at, "required", "a list of names is expected.");
            if (!add_member(o, name, true)) return false;
        }
    }
    o->named = o->n > 0;
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *list = json_object_get(o->p[i].s, GRAM_ABSENT);
        for (size_t k = 0; k < json_array_size(list); k++)
            if (!add_member(o, json_string_value(json_array_get(list, k)), false)) return false;
    }
    return true;
}

static bool is_absent(const struct object *o, const char *name)
{
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *list = json_object_get(o->p[i].s, GRAM_ABSENT);
        for (size_t k = 0; k < json_array_size(list); k++)
            if (!strcmp(json_string_value(json_array_get(list, k)), name)) return true;
    }
    return false;
}

static bool read_patterns(struct object *o)
{
    for (size_t i = 0; i < o->n_p; i++) {
        const char *text;
        json_t *v;
        json_object_foreach(json_object_get(o->p[i].s, "patternProperties"), text, v)
        {
            struct gram_re *re;
            struct err why = {0};
            if (o->n_pattern == MAX_PATTERNS)
                return gram_schema_fail(o->s, CROFT_E_UNSUPPORTED, o->p[i].at, "patternProperties",
                                        "more than 6 patterns at one place.");
            if (gram_re_parse(&o->s->a, text, strlen(text), &re, &why))
                return gram_schema_fail(o->s, why.code, o->p[i].at, "patternProperties", why.msg);
            o->pattern[o->n_pattern++] =
                (struct pattern){text, re, v, gram_schema_at(o->s, o->p[i].at, "patternProperties", text), i};
        }
    }
    return !o->s->e->code;
}

static bool pattern_has(struct object *o, const struct pattern *q, const char *name, bool *out)
{
    struct gram_nfa *n;
    if (gram_nfa_new(q->re, true, &n, o->s->e)) return false;
    int rc = gram_nfa_match(n, name, strlen(name), out, o->s->e);
    gram_nfa_free(n);
    return rc == 0;
}

/* What every part says of the member `name`; or of the unnamed ones that match exactly the patterns in `set`. */
static bool says(struct object *o, const char *name, unsigned set, struct part *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *v = name ? json_object_get(json_object_get(o->p[i].s, "properties"), name) : NULL;
        const json_t *more = json_object_get(o->p[i].s, "additionalProperties");
        bool spoken = v != NULL;
        if (v) out[(*n)++] = (struct part){v, gram_schema_at(o->s, o->p[i].at, "properties", name)};
        for (size_t k = 0; k < o->n_pattern; k++) {
            bool fits = set >> k & 1;
            if (o->pattern[k].part != i) continue;
            if (name && !pattern_has(o, &o->pattern[k], name, &fits)) return false;
            if (!fits || *n >= GRAM_MAX_PARTS - 2) continue;
            out[(*n)++] = (struct part){o->pattern[k].schema, o->pattern[k].at};
            spoken = true;
        }
        if (!spoken && more)
            out[(*n)++] = (struct part){more, gram_schema_at(o->s, o->p[i].at, "additionalProperties", NULL)};
        if (*n >= GRAM_MAX_PARTS - MAX_PATTERNS)
            return gram_schema_fail(o->s, CROFT_E_LIMIT, o->p[i].at, NULL, "too many schemas must hold at once.");
    }
    return !o->s->e->code;
}

/* The schema of a key that is not named and matches exactly the patterns of `set`: keys are strings, too. NULL after
 * an error. */
static const json_t *key_schema(struct object *o, unsigned set)
{
    struct schema *s = o->s;
    json_t *named = json_array(),
           *key = gram_schema_own(s, json_pack("{s:s,s:o}", "type", "string", GRAM_NOT_TEXTS, named));
    struct part p[GRAM_MAX_PARTS + MAX_PATTERNS + 1];
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++)
        if (json_array_append_new(named, json_string(o->m[i].name))) key = NULL;
    if (!key) return err_nomem(s->e, o->n * sizeof *named), NULL;
    p[n++] = (struct part){key, o->p[0].at};
    for (size_t i = 0; i < o->n_pattern; i++) {
        const char *word = set >> i & 1 ? "pattern" : GRAM_NOT_PATTERN;
        p[n].s = gram_schema_own(s, json_pack("{s:s}", word, o->pattern[i].text));
        if (!p[n].s) return NULL;
        p[n++].at = o->pattern[i].at;
    }
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *names = json_object_get(o->p[i].s, "propertyNames");
        if (names) p[n++] = (struct part){names, gram_schema_at(s, o->p[i].at, "propertyNames", NULL)};
    }
    return s->e->code ? NULL : gram_schema_all(s, p, n);
}

/* Members whose keys are not named and match exactly the patterns of `set`. */
static uint32_t others_matching(struct object *o, unsigned set)
{
    struct schema *s = o->s;
    struct part p[GRAM_MAX_PARTS];
    size_t n_p;
    if (!says(o, NULL, set, p, &n_p)) return 0;
    for (size_t i = 0; i < n_p; i++)
        if (json_is_false(p[i].s)) return gram_none(&s->g);
    const json_t *keys = key_schema(o, set);
    uint32_t key = keys ? gram_schema_node(s, keys, o->p[0].at) : 0;
    if (s->e->code || key == gram_none(&s->g)) return key;
    s->styled = true;
    return gram_seq(&s->g, (uint32_t[]){key, gram_lit(&s->g, ": ", 1 + s->gap), gram_schema_both(s, p, n_p)}, 3);
}

static bool others(struct object *o)
{
    uint32_t alt[(1 << MAX_PATTERNS) + 1], n = 0;
    bool open = !o->named; /* nothing is said of members: any */
    for (size_t i = 0; i < o->n_p; i++) open |= json_object_get(o->p[i].s, "additionalProperties") != NULL;
    for (size_t i = 0; i < o->n_p; i++) /* an empty list of names is one */
        if (!o->named && !json_object_get(o->p[i].s, "additionalProperties") &&
            (json_object_get(o->p[i].s, "properties") || json_object_get(o->p[i].s, "patternProperties")))
            open = false;
    for (unsigned set = open ? 0 : 1; set < 1u << o->n_pattern && !o->s->e->code; set++)
        alt[n++] = others_matching(o, set);
    o->other = n ? gram_alt(&o->s->g, alt, n) : gram_none(&o->s->g);
    return !o->s->e->code;
}

/* Does every propertyNames admit it? */
static bool name_may_be(struct object *o, const json_t *name)
{
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *names = json_object_get(o->p[i].s, "propertyNames");
        struct err why = {0};
        if (!names || gram_valid(o->s->root, names, name, &why) == 0) continue;
        if (why.code != CROFT_E_FORMAT) *o->s->e = why;
        return false;
    }
    return true;
}

static bool member_values(struct object *o)
{
    struct gram_nodes *g = &o->s->g;
    o->value = mem_calloc(o->n + 1, sizeof *o->value);
    if (!o->value) return err_nomem(o->s->e, o->n * sizeof *o->value), false;
    for (size_t i = 0; i < o->n; i++) {
        struct part p[GRAM_MAX_PARTS];
        size_t n;
        if (!says(o, o->m[i].name, 0, p, &n)) return false;
        json_t *name = json_string(o->m[i].name);
        uint32_t key = name ? gram_json_text(o->s, name, true) : 0;
        bool may_be = name && !is_absent(o, o->m[i].name) && name_may_be(o, name);
        if (!name) err_nomem(o->s->e, 16);
        json_decref(name);
        o->value[i] = may_be ? gram_seq2(g, key, gram_schema_both(o->s, p, n)) : gram_none(g);
        if (o->s->e->code) return false;
    }
    return true;
}

/* What may stand behind the named members when c are written; min counts down, max is what is left. */
static uint32_t tail(struct object *o, uint32_t c)
{
    struct gram_nodes *g = &o->s->g;
    uint32_t min = c < o->min ? o->min - c : 0, max = o->max == GRAM_INF ? GRAM_INF : o->max - c;
    uint32_t comma = gram_seq2(g, gram_schema_comma(o->s), o->other), list;
    if (min > 1) return gram_none(g); /* their keys may repeat: a second one cannot be counted on */
    if (c)
        list = gram_rep(g, comma, min, max);
    else {
        list = max ? gram_seq2(g, o->other, gram_rep(g, comma, 0, max == GRAM_INF ? max : max - 1)) : gram_none(g);
        if (min == 0) list = gram_alt2(g, gram_empty(g), list);
    }
    return gram_seq2(g, list, gram_byte(g, '}'));
}

static uint32_t chain(struct object *o)
{
    struct gram_nodes *g = &o->s->g;
    uint32_t n = o->n ? (uint32_t)o->n : 1, top = o->min > 1 ? o->min : 1;
    if (o->max >= o->n && o->other == gram_none(g)) o->max = GRAM_INF; /* it cannot be reached */
    if (o->max != GRAM_INF || top > n) top = n;
    uint32_t *behind = mem_alloc((top + 1) * sizeof *behind), first;
    if (!behind) return err_nomem(o->s->e, top * sizeof *behind), 0;
    for (uint32_t c = 0; c <= top; c++) behind[c] = c <= o->max ? tail(o, c) : gram_none(g);
    for (size_t i = o->n; i-- > 0 && !g->failed;)
        for (uint32_t c = 0; c <= top; c++) { /* in place: behind[c + 1] is still what follows this member */
            uint32_t comma = c ? gram_schema_comma(o->s) : gram_lit(g, "", 0), next = behind[c < top ? c + 1 : top];
            uint32_t with = c < o->max ? gram_seq(g, (uint32_t[]){comma, o->value[i], next}, 3) : gram_none(g);
            behind[c] = o->m[i].required ? with : gram_alt2(g, with, behind[c]);
        }
    first = behind[0];
    mem_free(behind);
    return gram_seq2(g, gram_byte(g, '{'), first);
}

uint32_t gram_schema_object(struct schema *s, const struct part *p, size_t n)
{
    struct object o = {.s = s, .p = p, .n_p = n, .max = GRAM_INF};
    uint32_t r = 0;
    if (gram_schema_count(s, p, n, "minProperties", false, &o.min) &&
        gram_schema_count(s, p, n, "maxProperties", true, &o.max) && named_members(&o) && read_patterns(&o) &&
        others(&o) && member_values(&o))
        r = chain(&o);
    mem_free(o.m);
    mem_free(o.value);
    return s->e->code ? 0 : r;
}

/* ---- any value ---- */

uint32_t gram_schema_any(struct schema *s)
{
    struct gram_nodes *g = &s->g;
    if (s->any) return gram_ref(g, s->any - 1);
    uint32_t rule = gram_rule_new(g, "any value", 9);
    s->any = rule + 1;
    uint32_t value = gram_ref(g, rule), quote = gram_byte(g, '"'), comma = gram_schema_comma(s);
    uint32_t string = gram_seq(g, (uint32_t[]){quote, gram_rep(g, gram_json_any(g), 0, GRAM_INF), quote}, 3);
    uint32_t member = gram_seq(g, (uint32_t[]){string, gram_lit(g, ": ", 1 + s->gap), value}, 3);
    uint32_t members = gram_opt(g, gram_seq2(g, member, gram_rep(g, gram_seq2(g, comma, member), 0, GRAM_INF)));
    uint32_t items = gram_opt(g, gram_seq2(g, value, gram_rep(g, gram_seq2(g, comma, value), 0, GRAM_INF)));
    uint32_t body = gram_alt(g,
                             (uint32_t[]){gram_seq(g, (uint32_t[]){gram_byte(g, '{'), members, gram_byte(g, '}')}, 3),
                                          gram_seq(g, (uint32_t[]){gram_byte(g, '['), items, gram_byte(g, ']')}, 3),
                                          string, gram_schema_number(s, NULL, 0, false), gram_lit(g, "true", 4),
                                          gram_lit(g, "false", 5), gram_lit(g, "null", 4)},
                             7);
    if (!g->failed) g->rule[rule].body = body;
    return value;
}
