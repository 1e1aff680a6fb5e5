/* Objects and arrays of a JSON Schema.
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
 * so at most one of them serves minProperties. Next: gram_schema_str.c. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_PROPERTIES = 5000, MAX_PATTERNS = 4, MAX_COUNT = 1 << 16 };

/* The tightest of a count keyword over all parts: the largest minimum or smallest maximum. */
static bool count_of(struct schema *s, const struct part *p, size_t n, const char *key, bool smallest, uint32_t *out)
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
static uint32_t node_of(struct schema *s, const struct part *p, size_t n)
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
    return true;
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
                                        "more than 4 patterns at one place.");
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

/* An expression of exactly the named members. */
static const struct gram_re *names_re(struct object *o)
{
    struct arena *a = &o->s->a;
    struct gram_re *alt = arena_alloc(a, sizeof *alt), **tail = alt ? &alt->kid : NULL;
    if (!alt) return NULL;
    alt->op = RE_ALT;
    for (size_t i = 0; i < o->n; i++) {
        struct gram_re *seq = arena_alloc(a, sizeof *seq), **end = seq ? &seq->kid : NULL;
        if (!seq) return NULL;
        seq->op = RE_SEQ;
        for (const char *p = o->m[i].name, *stop = p + strlen(p); p < stop;) {
            uint32_t cp;
            p += utf8_decode(p, stop, &cp);
            struct gram_re *c = arena_alloc(a, sizeof *c);
            struct gram_range *r = arena_alloc(a, sizeof *r);
            if (!c || !r) return NULL;
            *r = (struct gram_range){cp, cp};
            *c = (struct gram_re){.op = RE_CHARS, .chars = {.r = r, .n = 1}};
            *end = c;
            end = &c->next;
        }
        *tail = seq;
        tail = &seq->next;
    }
    return alt;
}

/* propertyNames: its patterns and bounds become conditions on the keys of others; named members are tried against it
 * (name_may_be). */
static bool key_wants(struct object *o, struct gram_want *want, size_t *n, uint32_t *min, uint32_t *max)
{
    static const char *const can[] = {"pattern", "minLength", "maxLength", "type"};
    for (size_t i = 0; i < o->n_p; i++) {
        const json_t *names = json_object_get(o->p[i].s, "propertyNames"), *v;
        const char *key, *at = gram_schema_at(o->s, o->p[i].at, "propertyNames", NULL);
        json_t *value;
        if (!names || json_is_true(names)) continue;
        if (!json_is_object(names))
            return gram_schema_fail(o->s, CROFT_E_UNSUPPORTED, o->p[i].at, "propertyNames",
                                    "only an object of pattern, minLength and maxLength is supported.");
        json_object_foreach((json_t *)names, key, value)
        {
            bool ok = false;
            for (size_t k = 0; k < sizeof can / sizeof can[0]; k++) ok |= !strcmp(can[k], key);
            if (!ok)
                return gram_schema_fail(o->s, CROFT_E_UNSUPPORTED, at, key,
                                        "for names only pattern, minLength and maxLength are supported.");
        }
        struct part p = {names, at};
        if ((v = json_object_get(names, "type")) && (!json_is_string(v) || strcmp(json_string_value(v), "string")))
            return gram_schema_fail(o->s, CROFT_E_UNSUPPORTED, at, "type", "names are strings.");
        if (!count_of(o->s, &p, 1, "minLength", false, min) || !count_of(o->s, &p, 1, "maxLength", true, max))
            return false;
        if ((v = json_object_get(names, "pattern"))) {
            struct gram_re *re;
            struct err why = {0};
            const char *text = json_string_value(v);
            if (!text || gram_re_parse(&o->s->a, text, strlen(text), &re, &why))
                return gram_schema_fail(o->s, text ? why.code : CROFT_E_FORMAT, at, "pattern",
                                        text ? why.msg : "a text is expected.");
            if (*n >= 8) return gram_schema_fail(o->s, CROFT_E_LIMIT, at, "pattern", "too many patterns.");
            want[(*n)++] = (struct gram_want){.re = re, .search = true};
        }
    }
    return true;
}

/* Members whose keys are not named and match exactly the patterns of `set`. */
static uint32_t others_matching(struct object *o, unsigned set)
{
    struct schema *s = o->s;
    struct gram_want want[16];
    struct part p[GRAM_MAX_PARTS];
    size_t n = 0, n_p;
    uint32_t min = 0, max = GRAM_INF, key;
    if (!key_wants(o, want, &n, &min, &max) || !says(o, NULL, set, p, &n_p)) return 0;
    for (size_t i = 0; i < n_p; i++)
        if (json_is_false(p[i].s)) return gram_none(&s->g);
    for (size_t i = 0; i < o->n_pattern; i++)
        want[n++] = (struct gram_want){.re = o->pattern[i].re, .search = true, .negate = !(set >> i & 1)};
    const struct gram_re *names = o->n ? names_re(o) : NULL;
    if (o->n && !names) return err_nomem(s->e, sizeof *names), 0;
    if (names) want[n++] = (struct gram_want){.re = names, .negate = true};
    if (n == 0)
        key = gram_rep(&s->g, gram_json_any(&s->g), min, max);
    else if (gram_dfa_node(&s->g, want, n, min, max, true, &key, s->e))
        return 0;
    if (key == gram_none(&s->g)) return key;
    uint32_t value = node_of(s, p, n_p);
    return gram_seq(&s->g, (uint32_t[]){gram_byte(&s->g, '"'), key, gram_lit(&s->g, "\": ", 2 + s->gap), value}, 4);
}

static bool others(struct object *o)
{
    uint32_t alt[(1 << MAX_PATTERNS) + 1], n = 0;
    bool open = o->n == 0; /* nothing is said of members: any */
    for (size_t i = 0; i < o->n_p; i++) open |= json_object_get(o->p[i].s, "additionalProperties") != NULL;
    for (size_t i = 0; i < o->n_p; i++) /* an empty list of names is one */
        if (o->n == 0 && !json_object_get(o->p[i].s, "additionalProperties") &&
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
    struct gram_want want[16];
    size_t n_want = 0;
    uint32_t min = 0, max = GRAM_INF;
    if (!key_wants(o, want, &n_want, &min, &max)) return false; /* also where no others may be */
    o->value = mem_calloc(o->n + 1, sizeof *o->value);
    if (!o->value) return err_nomem(o->s->e, o->n * sizeof *o->value), false;
    for (size_t i = 0; i < o->n; i++) {
        struct part p[GRAM_MAX_PARTS];
        size_t n;
        if (!says(o, o->m[i].name, 0, p, &n)) return false;
        json_t *name = json_string(o->m[i].name);
        uint32_t key = name ? gram_json_text(o->s, name, true) : 0;
        bool may_be = name && name_may_be(o, name);
        if (!name) err_nomem(o->s->e, 16);
        json_decref(name);
        o->value[i] = may_be ? gram_seq2(g, key, node_of(o->s, p, n)) : gram_none(g);
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
    if (count_of(s, p, n, "minProperties", false, &o.min) && count_of(s, p, n, "maxProperties", true, &o.max) &&
        named_members(&o) && read_patterns(&o) && others(&o) && member_values(&o))
        r = chain(&o);
    mem_free(o.m);
    mem_free(o.value);
    return s->e->code ? 0 : r;
}

/* ---- arrays ---- */

struct array {
    struct schema *s;
    const struct part *p;
    size_t n_p, n_prefix;
    uint32_t min, max;
};

/* What the parts say of item i, or of those behind all prefixes (i == n_prefix); *named: somebody speaks. */
static bool item_says(struct array *a, size_t i, struct part *out, size_t *n, bool *named)
{
    *n = 0;
    for (size_t k = 0; k < a->n_p; k++) {
        const struct part *p = &a->p[k];
        const json_t *items = json_object_get(p->s, "items"), *prefix = json_object_get(p->s, "prefixItems");
        const char *rest = "items";
        if (json_is_array(items)) { /* the older spelling */
            prefix = items;
            items = json_object_get(p->s, "additionalItems");
            rest = "additionalItems";
        }
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (i < json_array_size(prefix))
            out[(*n)++] = (struct part){json_array_get(prefix, i), gram_schema_at(a->s, p->at, "prefixItems", index)};
        else if (items)
            out[(*n)++] = (struct part){items, gram_schema_at(a->s, p->at, rest, NULL)};
        *named |= prefix || items;
    }
    return !a->s->e->code;
}

static bool read_array(struct array *a)
{
    for (size_t k = 0; k < a->n_p; k++) {
        const json_t *items = json_object_get(a->p[k].s, "items"),
                     *prefix = json_object_get(a->p[k].s, "prefixItems");
        size_t n = json_is_array(items) ? json_array_size(items) : json_array_size(prefix);
        if (prefix && !json_is_array(prefix))
            return gram_schema_fail(a->s, CROFT_E_FORMAT, a->p[k].at, "prefixItems",
                                    "a list of schemas is expected.");
        if (n > 1000) return gram_schema_fail(a->s, CROFT_E_LIMIT, a->p[k].at, "prefixItems", "too many schemas.");
        if (n > a->n_prefix) a->n_prefix = n;
    }
    if (!count_of(a->s, a->p, a->n_p, "minItems", false, &a->min) ||
        !count_of(a->s, a->p, a->n_p, "maxItems", true, &a->max))
        return false;
    for (size_t k = 0; k < a->n_p; k++) {
        const json_t *unique = json_object_get(a->p[k].s, "uniqueItems");
        if (unique && !json_is_boolean(unique))
            return gram_schema_fail(a->s, CROFT_E_FORMAT, a->p[k].at, "uniqueItems", "true or false is expected.");
        if (json_is_true(unique) && a->max > 1)
            return gram_schema_fail(
                a->s, CROFT_E_UNSUPPORTED, a->p[k].at, "uniqueItems",
                "that items differ cannot be told by a grammar; it is supported with maxItems 1 alone.");
    }
    return true;
}

uint32_t gram_schema_array(struct schema *s, const struct part *p, size_t n)
{
    struct array a = {.s = s, .p = p, .n_p = n, .max = GRAM_INF};
    struct gram_nodes *g = &s->g;
    struct part says_[GRAM_MAX_PARTS];
    size_t n_says;
    bool named = false;
    if (!read_array(&a) || !item_says(&a, a.n_prefix, says_, &n_says, &named)) return 0;
    /* Behind prefixes, items that nobody speaks of are written only when minItems asks for them. */
    if (n_says == 0 && a.n_prefix && a.max > a.n_prefix) a.max = a.min > a.n_prefix ? a.min : (uint32_t)a.n_prefix;
    if (a.max < a.min) return gram_none(g);
    uint32_t k = (uint32_t)a.n_prefix, behind, close = gram_byte(g, ']'), comma = gram_schema_comma(s);
    if (a.max > k) {
        uint32_t item = node_of(s, says_, n_says), min = a.min > k ? a.min - k : 0,
                 max = a.max == GRAM_INF ? GRAM_INF : a.max - k;
        uint32_t more = gram_seq2(g, comma, item);
        if (k)
            behind = gram_rep(g, more, min, max);
        else {
            behind = gram_seq2(g, item, gram_rep(g, more, min ? min - 1 : 0, max == GRAM_INF ? max : max - 1));
            if (min == 0) behind = gram_alt2(g, gram_empty(g), behind);
        }
    } else {
        behind = gram_empty(g);
    }
    behind = gram_seq2(g, behind, close);
    for (size_t i = a.n_prefix; i-- > 0 && !s->e->code;) {
        if (!item_says(&a, i, says_, &n_says, &named)) return 0;
        uint32_t with =
            i < a.max ? gram_seq(g, (uint32_t[]){i ? comma : gram_empty(g), node_of(s, says_, n_says), behind}, 3)
                      : gram_none(g);
        behind = i >= a.min ? gram_alt2(g, with, close) : with;
    }
    return s->e->code ? 0 : gram_seq2(g, gram_byte(g, '['), behind);
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
