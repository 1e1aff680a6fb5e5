/* JSON Schema to nodes: references, allOf, enum, and the choice between types; what each type says is
 * in gram_schema_obj.c, _str.c and _num.c.
 *
 *   gather      the schema, what its $ref points to and its allOf, all the way down: the parts that hold here
 *   enum        the values that are valid under all parts, as texts
 *   divide      a part has anyOf, oneOf, if, not, …: one schema a case, each with all other parts
 * (gram_schema_logic.c) otherwise   the types that all parts allow, each made from the keywords of all parts
 *
 * Every schema gets one rule, found again by its text, so recursion through $ref ends, also when allOf puts schemas
 * together. A keyword that is neither known nor an annotation is an error: the language is never looser than the
 * schema.
 *
 * Types follow from keywords when `type` is absent: {"properties": …} is an object. That is narrower than the
 * standard, which lets such a schema pass any non-object, and what a person means. Next: gram_schema_logic.c. */
#include "gram_schema.h"
#include "infer_json.h"

#include "base_mem.h"

struct memo {
    uint64_t hash;
    char *text;
    uint32_t rule;
};

/* ---- errors, pointers ---- */

uint32_t gram_schema_fail(struct schema *s, int code, const char *at, const char *keyword, const char *why)
{
    if (s->e->code) return 0;
    if (code == CROFT_E_NOMEM && s->a.used > s->a.max / 2) { /* the arena is full, not the machine */
        code = CROFT_E_LIMIT;
        why = "it is too large once references and cases are followed.";
    }
    char where[200];
    snprintf(where, sizeof where, "%.120s%s%.60s", at, keyword ? "/" : "", keyword ? keyword : "");
    err_set(s->e, code, where, -1, "In the schema at %s: %s", where, why);
    return 0;
}

static uint32_t nomem(struct schema *s)
{
    if (s->a.used > s->a.max / 2) return gram_schema_fail(s, CROFT_E_NOMEM, "#", NULL, "");
    if (!s->e->code) err_nomem(s->e, sizeof(struct part));
    return 0;
}

/* A key as a token of a JSON pointer (RFC 6901): ~ is ~0, / is ~1. */
static size_t escape_pointer(const char *key, char *out)
{
    size_t n = 0;
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            out[n++] = '~';
            out[n++] = *key == '~' ? '0' : '1';
        } else {
            out[n++] = *key;
        }
    }
    return n;
}

const char *gram_schema_at(struct schema *s, const char *at, const char *key, const char *key2)
{
    size_t n = strlen(at), k = strlen(key), k2 = key2 ? 2 * strlen(key2) + 1 : 0;
    char *p = arena_alloc(&s->a, n + k + k2 + 2);
    if (!p) {
        nomem(s);
        return "";
    }
    memcpy(p, at, n);
    p[n] = '/';
    memcpy(p + n + 1, key, k);
    if (key2) {
        p[n + 1 + k] = '/';
        escape_pointer(key2, p + n + k + 2);
    }
    return p;
}

/* ---- keywords ---- */

bool gram_schema_words(struct schema *s, const struct part *p)
{
    const char *key;
    json_t *v;
    bool seen = json_object_get(p->s, GRAM_AT) != NULL; /* made of others that were looked at */
    json_object_foreach((json_t *)p->s, key, v)
    {
        char why[96];
        enum gram_word word = gram_keyword(key);
        const char *meant = word == GRAM_WORD_IGNORED && !seen ? gram_keyword_meant(key) : NULL;
        if (word == GRAM_WORD_REFUSED)
            return gram_schema_fail(s, CROFT_E_UNSUPPORTED, p->at, key, "this keyword is not supported.");
        if (!meant) continue;
        snprintf(why, sizeof why, "this keyword is not known; is '%s' meant?", meant);
        return gram_schema_fail(s, CROFT_E_FORMAT, p->at, key, why);
    }
    return true;
}

bool gram_schema_is_note(const json_t *s)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)s, key, v) if (gram_keyword(key)) return false;
    return true;
}

/* ---- references and parts ---- */

static const json_t *step_into(const json_t *at, const char *token, size_t n)
{
    char key[512];
    size_t k = 0;
    if (n >= sizeof key) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (token[i] == '~' && i + 1 < n && (token[i + 1] == '0' || token[i + 1] == '1'))
            key[k++] = token[++i] == '0' ? '~' : '/';
        else
            key[k++] = token[i];
    }
    key[k] = 0;
    int64_t index;
    if (json_is_array(at)) return str_to_i64(key, &index) && index >= 0 ? json_array_get(at, (size_t)index) : NULL;
    return json_object_get(at, key);
}

/* The URI fragment's %XX are the bytes they stand for. */
static bool decode_percent(const char *in, char *out, size_t room)
{
    size_t n = 0;
    for (; *in && n + 1 < room; in++) {
        unsigned v;
        if (*in == '%' && sscanf(in + 1, "%2x", &v) == 1 && v && strlen(in) >= 3) {
            out[n++] = (char)v;
            in += 2;
        } else {
            out[n++] = *in;
        }
    }
    out[n] = 0;
    return !*in;
}

const json_t *gram_schema_resolve(const json_t *root, const char *ref)
{
    char path[2048];
    if (ref[0] != '#' || (ref[1] && ref[1] != '/') || !decode_percent(ref + 1, path, sizeof path)) return NULL;
    const json_t *at = root;
    for (const char *p = path; *p == '/' && at;) {
        const char *end = strchrnul(p + 1, '/');
        at = step_into(at, p + 1, (size_t)(end - p - 1));
        p = end;
    }
    return at;
}

static bool gather_all_of(struct schema *s, const struct part *p, int depth, struct parts *out)
{
    const json_t *list = json_object_get(p->s, "allOf");
    if (!json_is_array(list))
        return gram_schema_fail(s, CROFT_E_FORMAT, p->at, "allOf", "a list of schemas is expected.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (!gram_schema_gather(s, json_array_get(list, i), gram_schema_at(s, p->at, "allOf", index), depth + 1, out))
            return false;
    }
    return true;
}

/* Adds the schema and all that must hold with it. */
bool gram_schema_gather(struct schema *s, const json_t *schema, const char *at, int depth, struct parts *out)
{
    if (json_is_true(schema)) return true;
    if (json_is_false(schema)) return out->never = true;
    if (!json_is_object(schema))
        return gram_schema_fail(s, CROFT_E_FORMAT, at, NULL, "a schema must be an object, true or false.");
    const json_t *from = json_object_get(schema, GRAM_AT);
    struct part p = {
        schema, json_is_string(from) ? arena_strndup(&s->a, json_string_value(from), json_string_length(from)) : at};
    if (!p.at) return nomem(s);
    if (depth > GRAM_MAX_NEST) return gram_schema_fail(s, CROFT_E_LIMIT, p.at, NULL, "too many references in a row.");
    for (size_t i = 0; i < out->n; i++) {
        if (out->p[i].s != schema) continue;
        if (!out->open[i]) return true;
        return gram_schema_fail(s, CROFT_E_FORMAT, p.at, json_object_get(schema, "$ref") ? "$ref" : "allOf",
                                "references lead back here without end.");
    }
    if (!gram_schema_words(s, &p)) return false;
    const json_t *ref = json_object_get(schema, "$ref");
    if (out->n >= GRAM_MAX_PARTS)
        return gram_schema_fail(s, CROFT_E_LIMIT, p.at, NULL, "too many schemas must hold at once.");
    size_t self = out->n++;
    out->p[self] = p;
    out->open[self] = true;
    if (ref) {
        const json_t *target = json_is_string(ref) ? gram_schema_resolve(s->root, json_string_value(ref)) : NULL;
        if (!target)
            return gram_schema_fail(
                s, json_is_string(ref) && json_string_value(ref)[0] != '#' ? CROFT_E_UNSUPPORTED : CROFT_E_FORMAT,
                p.at, "$ref", "it points to nothing in this schema; only #/… is followed.");
        if (!gram_schema_gather(s, target, json_string_value(ref), depth + 1, out)) return false;
    }
    if (json_object_get(schema, "allOf") && !gather_all_of(s, &p, depth, out)) return false;
    out->open[self] = false;
    return true;
}

json_t *gram_schema_own(struct schema *s, json_t *made)
{
    if (made && !json_array_append_new(s->made, made)) return made;
    nomem(s);
    return NULL;
}

/* The keywords of a schema and where it stands, without notes and `drop`. */
static json_t *bare(struct schema *s, const struct part *p, bool own, const char *drop)
{
    const char *key;
    json_t *c = json_object(), *v;
    const json_t *at = json_object_get(p->s, GRAM_AT);
    if (!c || json_object_set_new(c, GRAM_AT, at ? json_incref((json_t *)at) : json_string(p->at))) nomem(s);
    json_object_foreach((json_t *)p->s, key, v)
    {
        bool left_out = (own && (!strcmp(key, "$ref") || !strcmp(key, "allOf"))) || (drop && !strcmp(key, drop));
        if (!left_out && gram_keyword(key) && json_object_set(c, key, v)) nomem(s);
    }
    return c;
}

json_t *gram_schema_copy(struct schema *s, const struct part *p, const char *drop)
{
    json_t *c = gram_schema_own(s, bare(s, p, true, drop));
    return s->e->code ? NULL : c;
}

const json_t *gram_schema_all(struct schema *s, const struct part *p, size_t n)
{
    json_t *list = json_array(), *all = json_object();
    if (!list || !all || json_object_set_new(all, "allOf", list) || !gram_schema_own(s, all))
        return (void)nomem(s), NULL;
    for (size_t i = 0; i < n; i++) {
        if (!json_is_object(p[i].s) && !json_is_boolean(p[i].s)) /* gathering it says why not */
            return p[i].s;
        if (json_is_object(p[i].s) && !gram_schema_words(s, &p[i])) return NULL;
        json_t *c = json_is_object(p[i].s) ? bare(s, &p[i], false, NULL) : json_incref((json_t *)p[i].s);
        bool twice = false;
        for (size_t k = 0; k < json_array_size(list) && !twice; k++) twice = json_equal(json_array_get(list, k), c);
        if (twice)
            json_decref(c);
        else if (!c || json_array_append_new(list, c))
            return (void)nomem(s), NULL;
    }
    return s->e->code ? NULL : all;
}

/* ---- values ---- */

uint32_t gram_schema_comma(struct schema *s)
{
    s->styled = true;
    return gram_lit(&s->g, ", ", 1 + s->gap);
}

/* Flags of json_dumps for a value in the style that is being made. */
static size_t styled_dump(struct schema *s, const json_t *value)
{
    s->styled = s->styled || json_is_object(value) || json_is_array(value);
    return JSON_ENCODE_ANY | (s->gap ? 0 : JSON_COMPACT) | infer_json_digits(value);
}

uint32_t gram_json_text(struct schema *s, const json_t *value, bool key)
{
    struct buf b;
    buf_init(&b, GRAM_MAX_TEXT);
    char *text = json_dumps(value, styled_dump(s, value));
    if (!text) return nomem(s);
    buf_str(&b, text);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(text);
    if (key) buf_add(&b, ": ", 1 + s->gap);
    s->styled = s->styled || key;
    uint32_t r = b.failed ? nomem(s) : gram_lit(&s->g, b.data, b.len);
    buf_done(&b);
    return r;
}

/* The values that are valid under every part, as a choice of their texts. */
static uint32_t values(struct schema *s, const json_t *const *value, size_t n, const struct parts *all,
                       const char *at)
{
    struct str *text = mem_calloc(n + 1, 2 * sizeof *text), *owned = text + n;
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    size_t m = 0;
    if (!text) return nomem(s);
    for (size_t i = 0; i < n && !s->e->code; i++) {
        bool fits = true;
        struct err why = {0};
        for (size_t k = 0; k < all->n && fits; k++) {
            int rc = gram_valid(s->root, all->p[k].s, value[i], &why);
            if (rc && rc != CROFT_E_FORMAT) *s->e = why;
            fits = rc == 0;
        }
        char *t = fits ? json_dumps(value[i], styled_dump(s, value[i])) : NULL;
        if (t)
            text[m] = owned[m] = str_of(t), m++;
        else if (fits)
            nomem(s);
    }
    uint32_t r = 0;
    if (m)
        r = gram_choice(&s->g, text, m); /* sorts its list, and moves equal ones over each other */
    else if (!s->e->code)
        r = gram_none(&s->g);
    for (size_t i = 0; i < m; i++) release((char *)owned[i].p);
    mem_free(text);
    return r;
}

static uint32_t enumeration(struct schema *s, const struct parts *all, const struct part *p)
{
    const json_t *list = json_object_get(p->s, "enum"), *one = json_object_get(p->s, "const");
    if (one) return values(s, &one, 1, all, p->at);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0)
        return gram_schema_fail(s, CROFT_E_FORMAT, p->at, "enum", "a list with at least one value is expected.");
    if (n > GRAM_MAX_ENUM) return gram_schema_fail(s, CROFT_E_LIMIT, p->at, "enum", "too many values.");
    const json_t **v = mem_alloc(n * sizeof *v);
    if (!v) return nomem(s);
    for (size_t i = 0; i < n; i++) v[i] = json_array_get(list, i);
    uint32_t r = values(s, v, n, all, p->at);
    mem_free(v);
    return r;
}

/* ---- types ---- */

static int type_bit(const char *name)
{
    static const struct {
        const char *name;
        int bit;
    } rows[] = {{"null", S_NULL},     {"boolean", S_BOOL}, {"integer", S_INT},  {"number", S_INT | S_REAL},
                {"string", S_STRING}, {"array", S_ARRAY},  {"object", S_OBJECT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (name && !strcmp(rows[i].name, name)) return rows[i].bit;
    return 0;
}

int gram_schema_types(struct schema *s, const struct part *p, bool *named)
{
    const json_t *t = json_object_get(p->s, "type"), *own = json_object_get(p->s, GRAM_TYPES);
    int set = 0;
    if (!t) return own ? (int)json_integer_value(own) : S_ALL;
    *named = true;
    if (json_is_string(t)) set = type_bit(json_string_value(t));
    for (size_t i = 0; json_is_array(t) && i < json_array_size(t); i++) {
        int bit = type_bit(json_string_value(json_array_get(t, i)));
        if (!bit) return (int)gram_schema_fail(s, CROFT_E_FORMAT, p->at, "type", "this is not the name of a type.");
        set |= bit;
    }
    return set ? set : (int)gram_schema_fail(s, CROFT_E_FORMAT, p->at, "type", "this is not the name of a type.");
}

/* The types that the keywords of a part speak about. */
static int types_meant(const struct part *p)
{
    static const struct {
        const char *key;
        int bit;
    } rows[] = {{"properties", S_OBJECT},
                {"required", S_OBJECT},
                {"additionalProperties", S_OBJECT},
                {"patternProperties", S_OBJECT},
                {"propertyNames", S_OBJECT},
                {"minProperties", S_OBJECT},
                {"maxProperties", S_OBJECT},
                {"items", S_ARRAY},
                {"prefixItems", S_ARRAY},
                {"minItems", S_ARRAY},
                {"maxItems", S_ARRAY},
                {"uniqueItems", S_ARRAY},
                {"contains", S_ARRAY},
                {GRAM_ABSENT, S_OBJECT},
                {"minLength", S_STRING},
                {"maxLength", S_STRING},
                {"pattern", S_STRING},
                {"format", S_STRING},
                {"minimum", S_INT | S_REAL},
                {"maximum", S_INT | S_REAL},
                {"exclusiveMinimum", S_INT | S_REAL},
                {"exclusiveMaximum", S_INT | S_REAL},
                {"multipleOf", S_INT | S_REAL}};
    int set = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (json_object_get(p->s, rows[i].key)) set |= rows[i].bit;
    return set;
}

static uint32_t of_types(struct schema *s, const struct parts *all, int set)
{
    struct gram_nodes *g = &s->g;
    uint32_t alt[8], n = 0;
    if (set & S_NULL) alt[n++] = gram_lit(g, "null", 4);
    if (set & S_BOOL) alt[n++] = gram_alt2(g, gram_lit(g, "true", 4), gram_lit(g, "false", 5));
    if (set & S_INT) alt[n++] = gram_schema_number(s, all->p, all->n, !(set & S_REAL));
    if (set & S_STRING) alt[n++] = gram_schema_string(s, all->p, all->n);
    if (set & S_ARRAY) alt[n++] = gram_schema_array(s, all->p, all->n);
    if (set & S_OBJECT) alt[n++] = gram_schema_object(s, all->p, all->n);
    return s->e->code ? 0 : gram_alt(g, alt, n);
}

static uint32_t typed(struct schema *s, const struct parts *all)
{
    int set = S_ALL, meant = 0;
    bool named = false;
    for (size_t i = 0; i < all->n && !s->e->code; i++) {
        set &= gram_schema_types(s, &all->p[i], &named);
        meant |= types_meant(&all->p[i]);
    }
    if (s->e->code) return 0;
    if (!named && !meant && set == S_ALL) return gram_schema_any(s);
    if (!named && meant) set &= meant;
    return set ? of_types(s, all, set) : gram_none(&s->g);
}

/* ---- one schema ---- */

static uint32_t body(struct schema *s, const json_t *schema, const char *at)
{
    struct parts all = {.n = 0};
    uint32_t divided;
    if (!gram_schema_gather(s, schema, at, 0, &all)) return 0;
    if (all.never) return gram_none(&s->g);
    for (size_t i = 0; i < all.n; i++)
        if (json_object_get(all.p[i].s, "enum") || json_object_get(all.p[i].s, "const"))
            return enumeration(s, &all, &all.p[i]);
    return gram_schema_divide(s, &all, &divided) ? divided : typed(s, &all);
}

/* The rule of this very text, or a new one. */
static struct memo *memo_of(struct schema *s, const json_t *schema, const char *at, bool *fresh)
{
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    char *text = json_dumps(schema, JSON_COMPACT);
    if (!text) return (void)nomem(s), NULL;
    uint64_t h = str_hash(text, strlen(text));
    for (size_t i = 0; i < s->n_memo; i++)
        if (s->memo[i].hash == h && !strcmp(s->memo[i].text, text)) {
            release(text);
            *fresh = false;
            return &s->memo[i];
        }
    char *kept = arena_strndup(&s->a, text, strlen(text));
    release(text);
    if (!kept || gram_grow(&s->memo, &s->cap_memo, s->n_memo + 1, sizeof *s->memo)) return (void)nomem(s), NULL;
    *fresh = true;
    s->memo[s->n_memo] = (struct memo){h, kept, gram_rule_new(&s->g, at, strlen(at))};
    return &s->memo[s->n_memo++];
}

uint32_t gram_schema_node(struct schema *s, const json_t *schema, const char *at)
{
    bool fresh;
    if (s->e->code) return 0;
    if (json_is_true(schema)) return gram_schema_any(s);
    if (json_is_false(schema)) return gram_none(&s->g);
    if (!json_is_object(schema))
        return gram_schema_fail(s, CROFT_E_FORMAT, at, NULL, "a schema must be an object, true or false.");
    if (s->depth >= GRAM_MAX_NEST)
        return gram_schema_fail(s, CROFT_E_LIMIT, at, NULL, "schemas are nested too deep.");
    struct memo *m = memo_of(s, schema, at, &fresh);
    if (!m) return 0;
    uint32_t rule = m->rule;
    if (fresh) {
        s->depth++;
        uint32_t b = body(s, schema, at);
        s->depth--;
        if (s->e->code || s->g.failed) return 0;
        s->g.rule[rule].body = b;
    }
    return gram_ref(&s->g, rule);
}

static int compile(struct schema *s, const json_t *root, uint32_t *out)
{
    s->root = root;
    s->made = json_array();
    arena_init(&s->a, 24u << 20);
    s->e->code = 0;
    if (!s->made || gram_nodes_init(&s->g)) return err_nomem(s->e, sizeof *s);
    s->gap = 1;
    *out = gram_schema_node(s, root, "#");
    if (!s->e->code && s->styled && s->g.n < GRAM_MAX_NODES / 2) {
        s->gap = s->n_memo = s->any = 0;
        *out = gram_alt2(&s->g, *out, gram_schema_node(s, root, "#"));
    }
    if (!s->e->code && gram_nodes_check(&s->g, s->e)) return s->e->code;
    return s->e->code;
}

static int schema_new(const struct infer_vocab *v, json_t *root, struct infer_grammar **out, struct err *e)
{
    struct err local;
    struct schema s = {.e = e ? e : &local};
    uint32_t node = 0;
    int rc = compile(&s, root, &node);
    if (rc) gram_nodes_done(&s.g);
    if (!rc) rc = gram_new(v, &s.g, node, root, out, s.e);
    if (rc == CROFT_E_FORMAT && s.left_out && s.e->pos < 0) { /* perhaps there would be texts, had all been said */
        s.e->code = 0;
        gram_schema_fail(&s, rc = CROFT_E_UNSUPPORTED, s.left_out, NULL, GRAM_LEFT_OUT);
    }
    json_decref(s.made);
    mem_free(s.memo);
    arena_done(&s.a);
    return rc;
}

int infer_grammar_of_schema(const struct infer_vocab *v, const char *json, size_t n, struct infer_grammar **out,
                            struct err *e)
{
    json_error_t at;
    if (n > GRAM_MAX_TEXT) return ERR(e, LIMIT, "The schema has %zu bytes; at most %d.", n, GRAM_MAX_TEXT);
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (!root) {
        if (!at.text[0] || json_error_code(&at) == json_error_out_of_memory) return err_nomem(e, n);
        return err_set(e, CROFT_E_FORMAT, "#", at.position,
                       "The schema is not valid JSON: line %d, column %d: %.120s.", at.line, at.column, at.text);
    }
    int rc = schema_new(v, root, out, e);
    json_decref(root);
    return rc;
}

int infer_grammar_of_json(const struct infer_vocab *v, struct infer_grammar **out, struct err *e)
{
    json_t *root = json_pack("{s:s}", "type", "object");
    if (!root) return err_nomem(e, 64);
    int rc = schema_new(v, root, out, e);
    json_decref(root);
    return rc;
}
