/* GBNF, the grammar notation of llama.cpp: rules over characters.
 *
 *   grammar  = { name "::=" alternatives newline }          the language is the rule `root`
 *   alternatives = sequence { "|" sequence }                a newline inside ( ) or behind "|" does not end the rule
 *   sequence = { item [ "*" | "+" | "?" | "{m}" | "{m,}" | "{m,n}" ] }
 *   item     = "text" | [set] | [^set] | . | name | ( alternatives )
 *   escapes  = \n \r \t \" \\ \[ \] \xXX \uXXXX \UXXXXXXXX         # to the end of the line is a comment
 *
 * Token items (<name>, <[id]>, with ! before them) are an error. Rules may be used before they are defined; a
 * second definition is an error. Next: gram_node.c. */
#include "gram.h"

#include "base_mem.h"

struct gbnf {
    struct gram_nodes g;
    const char *start, *p, *end;
    uint32_t *slot; /* rules by name: rule + 1 */
    size_t n_slot;
    int depth;
    struct err *e;
};

static int line_of(const struct gbnf *s)
{
    int n = 1;
    for (const char *p = s->start; p < s->p && p < s->end; p++) n += *p == '\n';
    return n;
}

static int bad(struct gbnf *s, int code, const char *what)
{
    return err_set(s->e, code, "grammar, line", line_of(s), "Line %d of the grammar: %s.", line_of(s), what);
}

static void space(struct gbnf *s, bool lines)
{
    for (; s->p < s->end; s->p++) {
        if (*s->p == '#') {
            while (s->p < s->end && *s->p != '\n' && *s->p != '\r') s->p++;
            s->p--;
        } else if (*s->p != ' ' && *s->p != '\t' && !(lines && (*s->p == '\n' || *s->p == '\r'))) {
            return;
        }
    }
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static struct str name(struct gbnf *s)
{
    const char *from = s->p;
    while (s->p < s->end && is_name(*s->p)) s->p++;
    return (struct str){from, (size_t)(s->p - from)};
}

static uint32_t rule_named(struct gbnf *s, struct str n)
{
    struct gram_nodes *g = &s->g;
    if (g->n_rule * 2 >= s->n_slot) {
        size_t want = s->n_slot ? s->n_slot * 2 : 64;
        uint32_t *slot = mem_calloc(want, sizeof *slot);
        if (!slot) {
            g->failed = CROFT_E_NOMEM;
            return 0;
        }
        for (size_t i = 0; i < g->n_rule; i++) {
            size_t k = str_hash(g->rule[i].name, strlen(g->rule[i].name)) & (want - 1);
            while (slot[k]) k = (k + 1) & (want - 1);
            slot[k] = (uint32_t)i + 1;
        }
        mem_free(s->slot);
        s->slot = slot;
        s->n_slot = want;
    }
    size_t k = str_hash(n.p, n.n) & (s->n_slot - 1);
    for (; s->slot[k]; k = (k + 1) & (s->n_slot - 1))
        if (str_eqz(n, g->rule[s->slot[k] - 1].name)) return s->slot[k] - 1;
    uint32_t r = gram_rule_new(g, n.p, n.n);
    if (!g->failed) s->slot[k] = r + 1;
    return r;
}

/* ---- characters ---- */

static int hex(struct gbnf *s, int digits, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < digits; i++, s->p++) {
        if (s->p >= s->end || !*s->p || !strchr("0123456789abcdefABCDEF", *s->p))
            return bad(s, CROFT_E_FORMAT, "a hexadecimal digit is missing");
        v = v * 16 + (uint32_t)(*s->p <= '9' ? *s->p - '0' : (*s->p | 0x20) - 'a' + 10);
    }
    if (v > GRAM_MAX_CP || (v >= 0xD800 && v <= 0xDFFF))
        return bad(s, CROFT_E_FORMAT, "this code point is no character");
    *out = v;
    return 0;
}

static int character(struct gbnf *s, uint32_t *out)
{
    if (s->p >= s->end) return bad(s, CROFT_E_FORMAT, "the grammar ends inside a text or a set");
    if (*s->p != '\\') {
        if (*s->p == '\n') return bad(s, CROFT_E_FORMAT, "a text or a set goes over the end of the line: write \\n");
        s->p += utf8_decode(s->p, s->end, out);
        return *out == UINT32_MAX ? bad(s, CROFT_E_FORMAT, "it is not valid UTF-8") : 0;
    }
    if (++s->p >= s->end) return bad(s, CROFT_E_FORMAT, "the grammar ends with a backslash");
    char c = *s->p++;
    switch (c) {
    case 'n':
        *out = '\n';
        return 0;
    case 'r':
        *out = '\r';
        return 0;
    case 't':
        *out = '\t';
        return 0;
    case '"':
    case '\\':
    case '[':
    case ']':
        *out = (uint32_t)c;
        return 0;
    case 'x':
        return hex(s, 2, out);
    case 'u':
        return hex(s, 4, out);
    case 'U':
        return hex(s, 8, out);
    default:
        return bad(s, CROFT_E_FORMAT, "this escape is not known");
    }
}

static int text(struct gbnf *s, uint32_t *out)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, GRAM_MAX_TEXT);
    while (!rc && (s->p >= s->end || *s->p != '"')) {
        uint32_t cp;
        rc = character(s, &cp);
        if (!rc) buf_utf8(&b, cp);
    }
    s->p++;
    if (!rc) rc = buf_check(&b, "a text of the grammar", s->e);
    if (!rc) *out = gram_lit(&s->g, b.data ? b.data : "", b.len);
    buf_done(&b);
    return rc;
}

static int set(struct gbnf *s, uint32_t *out)
{
    struct gram_chars c = {0};
    int rc = 0;
    bool negate = s->p < s->end && *s->p == '^';
    if (negate) s->p++;
    while (!rc && (s->p >= s->end || *s->p != ']')) {
        uint32_t lo, hi;
        rc = character(s, &lo);
        hi = lo;
        if (!rc && s->end - s->p > 1 && *s->p == '-' && s->p[1] != ']') {
            s->p++;
            rc = character(s, &hi);
            if (!rc && hi < lo) rc = bad(s, CROFT_E_FORMAT, "the range is the wrong way round");
        }
        if (!rc) gram_chars_add(&c, lo, hi);
    }
    s->p++;
    gram_chars_normalise(&c);
    if (negate) gram_chars_negate(&c);
    if (!rc) *out = gram_chars(&s->g, &c);
    gram_chars_done(&c);
    return rc;
}

/* ---- structure ---- */

static int alternatives(struct gbnf *s, bool nested, uint32_t *out);

static int item(struct gbnf *s, bool nested, uint32_t *out)
{
    static const struct gram_range any[] = {{0, 0xD7FF}, {0xE000, GRAM_MAX_CP}};
    switch (*s->p) {
    case '"':
        s->p++;
        return text(s, out);
    case '[':
        s->p++;
        return set(s, out);
    case '.':
        s->p++;
        *out = gram_chars(&s->g, &(struct gram_chars){.r = (struct gram_range *)any, .n = 2});
        return 0;
    case '(': {
        s->p++;
        if (++s->depth > GRAM_MAX_NEST) return bad(s, CROFT_E_LIMIT, "too many parentheses inside each other");
        if (alternatives(s, true, out)) return s->e->code;
        s->depth--;
        if (s->p >= s->end || *s->p != ')') return bad(s, CROFT_E_FORMAT, "a ')' is missing");
        s->p++;
        return 0;
    }
    case '<':
    case '!':
        return bad(s, CROFT_E_UNSUPPORTED, "items that name a token are not supported: write its text");
    default:
        break;
    }
    struct str n = name(s);
    if (n.n == 0) return bad(s, CROFT_E_FORMAT, "a text, a set, a rule or '(' must stand here");
    *out = gram_ref(&s->g, rule_named(s, n));
    return 0;
}

static bool number(struct gbnf *s, uint32_t *out)
{
    uint64_t v = 0;
    const char *from = s->p;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
        if (v <= GRAM_MAX_REPEAT) v = v * 10 + (uint64_t)(*s->p - '0');
    *out = (uint32_t)v;
    return s->p > from;
}

static int braces(struct gbnf *s, bool nested, uint32_t *min, uint32_t *max)
{
    space(s, nested);
    if (!number(s, min)) return bad(s, CROFT_E_FORMAT, "a number must follow '{'");
    space(s, nested);
    *max = *min;
    if (s->p < s->end && *s->p == ',') {
        s->p++;
        space(s, nested);
        if (!number(s, max)) *max = GRAM_INF;
        space(s, nested);
    }
    if (s->p >= s->end || *s->p != '}') return bad(s, CROFT_E_FORMAT, "a '}' is missing");
    s->p++;
    if (*min > *max) return bad(s, CROFT_E_FORMAT, "the bounds of a repetition are the wrong way round");
    if (*min > GRAM_MAX_REPEAT || (*max > GRAM_MAX_REPEAT && *max != GRAM_INF))
        return bad(s, CROFT_E_LIMIT, "the bound of a repetition is too large");
    return 0;
}

static int repeats(struct gbnf *s, bool nested, uint32_t *x)
{
    for (;;) {
        uint32_t min = 0, max = GRAM_INF;
        space(s, nested);
        char c = s->p < s->end ? *s->p : 0;
        if (!c || !strchr("*+?{", c)) return 0;
        s->p++;
        if (c == '+') min = 1;
        if (c == '?') max = 1;
        if (c == '{' && braces(s, nested, &min, &max)) return s->e->code;
        *x = gram_rep(&s->g, *x, min, max);
    }
}

static int sequence(struct gbnf *s, bool nested, uint32_t *out)
{
    uint32_t *list = NULL;
    size_t n = 0, cap = 0;
    int rc = 0;
    for (space(s, nested); !rc && s->p < s->end && !strchr("|)\n\r", *s->p); space(s, nested)) {
        if (gram_grow(&list, &cap, n + 1, sizeof *list)) rc = err_nomem(s->e, n * sizeof *list);
        if (!rc) rc = item(s, nested, &list[n]);
        if (!rc) rc = repeats(s, nested, &list[n++]);
    }
    if (!rc) *out = gram_seq(&s->g, list, n);
    mem_free(list);
    return rc;
}

static int alternatives(struct gbnf *s, bool nested, uint32_t *out)
{
    uint32_t *list = NULL;
    size_t n = 0, cap = 0;
    int rc = 0;
    for (bool more = true; more && !rc; n++) {
        if (gram_grow(&list, &cap, n + 1, sizeof *list)) rc = err_nomem(s->e, n * sizeof *list);
        if (!rc) rc = sequence(s, nested, &list[n]);
        more = s->p < s->end && *s->p == '|';
        if (more) s->p++;
        if (more) space(s, true);
    }
    if (!rc) *out = gram_alt(&s->g, list, n);
    mem_free(list);
    return rc;
}

static int rules(struct gbnf *s)
{
    for (space(s, true); s->p < s->end; space(s, true)) {
        struct str n = name(s);
        uint32_t body;
        if (n.n == 0) return bad(s, CROFT_E_FORMAT, "the name of a rule must stand here");
        space(s, false);
        if (s->end - s->p < 3 || memcmp(s->p, "::=", 3))
            return bad(s, CROFT_E_FORMAT, "'::=' must follow the name of a rule");
        s->p += 3;
        space(s, true);
        if (alternatives(s, false, &body)) return s->e->code;
        if (s->p < s->end && *s->p == ')') return bad(s, CROFT_E_FORMAT, "a ')' stands alone");
        uint32_t r = rule_named(s, n);
        if (gram_nodes_check(&s->g, s->e)) return s->e->code;
        if (s->g.rule[r].body != GRAM_INF) return bad(s, CROFT_E_FORMAT, "this rule was defined before");
        s->g.rule[r].body = body;
    }
    return 0;
}

int infer_grammar_of_gbnf(const struct infer_vocab *v, const char *text, size_t n, struct infer_grammar **out,
                          struct err *e)
{
    struct err local;
    struct gbnf s = {.start = text, .p = text, .end = text + n, .e = e ? e : &local};
    uint32_t root = 0;
    if (n > GRAM_MAX_TEXT) return ERR(e, LIMIT, "The grammar has %zu bytes; at most %d.", n, GRAM_MAX_TEXT);
    if (gram_nodes_init(&s.g)) s.g.failed = CROFT_E_NOMEM;
    int rc = rules(&s);
    if (!rc) {
        uint32_t r = rule_named(&s, STR("root"));
        root = gram_ref(&s.g, r);
        rc = gram_nodes_check(&s.g, s.e);
        if (!rc && s.g.rule[r].body == GRAM_INF) rc = ERR(s.e, FORMAT, "The grammar has no rule named 'root'.");
    }
    mem_free(s.slot);
    if (!rc) return gram_new(v, &s.g, root, NULL, out, e);
    gram_nodes_done(&s.g);
    return rc;
}
