/* Strings of a JSON Schema: pattern, format, minLength, maxLength. Nothing of it: any characters. One pattern or
 * format and no bound: its expression part by part (gram_re_node). Otherwise the conditions meet in one automaton
 * (gram_dfa_node). A pattern is searched for, as the standard says; a format describes the whole string. Next:
 * gram_format.c. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_CONDITIONS = 12, MAX_LENGTH = 1 << 16 };

struct text {
    struct schema *s;
    struct gram_want want[MAX_CONDITIONS];
    size_t n;
    uint32_t min, max;
    const char *at;
};

static bool add(struct text *t, const struct part *p, const char *keyword, const char *re, bool search, bool negate)
{
    struct gram_re *tree;
    struct err why = {0};
    if (t->n == MAX_CONDITIONS)
        return gram_schema_fail(t->s, CROFT_E_LIMIT, p->at, keyword, "too many conditions on one string.");
    if (gram_re_parse(&t->s->a, re, strlen(re), &tree, &why))
        return gram_schema_fail(t->s, why.code, p->at, keyword, why.msg);
    t->want[t->n++] = (struct gram_want){.re = tree, .search = search, .negate = negate};
    t->at = p->at;
    return true;
}

/* None of these texts: an expression of exactly them, negated. */
static bool add_texts(struct text *t, const struct part *p, const json_t *texts)
{
    struct arena *a = &t->s->a;
    struct gram_re *alt = arena_alloc(a, sizeof *alt), **tail = alt ? &alt->kid : NULL;
    if (t->n == MAX_CONDITIONS)
        return gram_schema_fail(t->s, CROFT_E_LIMIT, p->at, NULL, "too many conditions on one string.");
    if (!alt) return err_nomem(t->s->e, sizeof *alt), false;
    alt->op = RE_ALT;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *at = json_string_value(json_array_get(texts, i)), *stop = at + strlen(at);
        struct gram_re *seq = arena_alloc(a, sizeof *seq), **end = seq ? &seq->kid : NULL;
        if (!seq) return err_nomem(t->s->e, sizeof *seq), false;
        seq->op = RE_SEQ;
        while (at < stop) {
            uint32_t cp;
            at += utf8_decode(at, stop, &cp);
            struct gram_re *c = arena_alloc(a, sizeof *c);
            struct gram_range *r = arena_alloc(a, sizeof *r);
            if (!c || !r) return err_nomem(t->s->e, sizeof *c), false;
            *r = (struct gram_range){cp, cp};
            *c = (struct gram_re){.op = RE_CHARS, .chars = {.r = r, .n = 1}};
            *end = c;
            end = &c->next;
        }
        *tail = seq;
        tail = &seq->next;
    }
    t->want[t->n++] = (struct gram_want){.re = alt, .negate = true};
    t->at = p->at;
    return true;
}

static bool bound(struct text *t, const struct part *p, const char *key, bool smallest, uint32_t *out)
{
    const json_t *v = json_object_get(p->s, key);
    double d = json_number_value(v);
    if (!v) return true;
    if (!json_is_number(v) || d < 0 || d != (double)(int64_t)d)
        return gram_schema_fail(t->s, CROFT_E_FORMAT, p->at, key, "a whole number, at least 0, is expected.");
    if (!smallest && d > MAX_LENGTH)
        return gram_schema_fail(t->s, CROFT_E_LIMIT, p->at, key, "the number is too large.");
    if (d > GRAM_MAX_REPEAT) d = GRAM_MAX_REPEAT; /* longer than any text that is made */
    if (smallest ? d < *out : d > *out) *out = (uint32_t)d;
    return true;
}

/* Formats that nobody knows say nothing, as the standard has it, but for slips of the pen. */
bool gram_schema_format(struct schema *s, const struct part *p)
{
    const char *name = json_string_value(json_object_get(p->s, "format")), *meant;
    char why[96];
    if (!name || !(meant = gram_format_meant(name))) return true;
    snprintf(why, sizeof why, "this format is not known; is '%s' meant?", meant);
    return gram_schema_fail(s, CROFT_E_FORMAT, p->at, "format", why);
}

static bool read_part(struct text *t, const struct part *p)
{
    const json_t *pattern = json_object_get(p->s, "pattern"), *format = json_object_get(p->s, "format"),
                 *no = json_object_get(p->s, GRAM_NOT_PATTERN), *texts = json_object_get(p->s, GRAM_NOT_TEXTS);
    if (!bound(t, p, "minLength", false, &t->min) || !bound(t, p, "maxLength", true, &t->max)) return false;
    if (pattern && !json_is_string(pattern))
        return gram_schema_fail(t->s, CROFT_E_FORMAT, p->at, "pattern", "a text is expected.");
    if (format && !json_is_string(format))
        return gram_schema_fail(t->s, CROFT_E_FORMAT, p->at, "format", "a text is expected.");
    if (pattern && !add(t, p, "pattern", json_string_value(pattern), true, false)) return false;
    if (no && !add(t, p, "pattern", json_string_value(no), true, true)) return false;
    if (json_array_size(texts) && !add_texts(t, p, texts)) return false;
    if (!format) return true;
    if (!gram_schema_format(t->s, p)) return false;
    const char *re = gram_format_regex(json_string_value(format));
    return !*re || add(t, p, "format", re, false, false);
}

uint32_t gram_schema_string(struct schema *s, const struct part *p, size_t n)
{
    struct text t = {.s = s, .max = GRAM_INF, .at = n ? p[0].at : "#"};
    struct gram_nodes *g = &s->g;
    uint32_t inside, quote = gram_byte(g, '"');
    for (size_t i = 0; i < n; i++)
        if (!read_part(&t, &p[i])) return 0;
    if (t.n == 0) {
        inside = gram_rep(g, gram_json_any(g), t.min, t.max);
    } else if (t.n > 1 || t.want[0].negate || t.min || t.max != GRAM_INF ||
               !gram_re_node(g, t.want[0].re, t.want[0].search, true, &inside)) {
        struct err why = {0};
        int rc = gram_dfa_node(g, t.want, t.n, t.min, t.max, true, &inside, &why);
        if (rc) return gram_schema_fail(s, rc, t.at, "pattern", why.msg);
    }
    return gram_seq(g, (uint32_t[]){quote, inside, quote}, 3);
}
