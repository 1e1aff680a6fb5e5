/* Regular expressions: the text to a tree. The dialect is that of ECMA-262 (with the u flag's reading of code points)
 * as far as it is regular: characters, classes, groups, alternatives, repetitions (lazy ones are the same language),
 * anchors. Back references, look-around and word boundaries are errors that name the byte. Named groups are groups.
 *
 *   disjunction = sequence { "|" sequence }        sequence = { atom [ quantifier ] }
 *   atom = char | "." | "[" class "]" | "(" ["?:" | "?<name>"] disjunction ")" | "\" escape | "^" | "$"
 *
 * Recursive descent, at most GRAM_MAX_NEST deep; everything is in the caller's arena. Next: gram_nfa.c,
 * gram_re_node.c. */
#include "gram.h"

#include "base_mem.h"

struct parse {
    struct arena *a;
    const char *start, *p, *end;
    int depth;
    struct err *e;
};

static int bad(struct parse *s, int code, const char *what)
{
    return err_set(s->e, code, "regular expression", s->p - s->start, "At byte %d of the regular expression: %s.",
                   (int)(s->p - s->start), what);
}

static struct gram_re *node(struct parse *s, enum gram_re_op op)
{
    struct gram_re *r = arena_alloc(s->a, sizeof *r);
    if (r)
        r->op = op;
    else if (s->a->used + sizeof *r > s->a->max)
        ERR(s->e, LIMIT, "The regular expression is too large.");
    else
        err_nomem(s->e, sizeof *r);
    return r;
}

/* The set as a node; takes the ranges. */
static struct gram_re *chars_node(struct parse *s, struct gram_chars *c)
{
    struct gram_re *r = c->failed ? NULL : node(s, RE_CHARS);
    struct gram_range *copy = r ? arena_alloc(s->a, (c->n + 1) * sizeof *copy) : NULL;
    if (copy) {
        if (c->n) memcpy(copy, c->r, c->n * sizeof *copy);
        r->chars = (struct gram_chars){.r = copy, .n = c->n};
    } else if (!s->e->code) {
        err_nomem(s->e, c->n * sizeof *copy);
    }
    gram_chars_done(c);
    return copy ? r : NULL;
}

static struct gram_re *one_char(struct parse *s, uint32_t cp)
{
    struct gram_chars c = {0};
    gram_chars_add(&c, cp, cp);
    return chars_node(s, &c);
}

static bool eat(struct parse *s, char c)
{
    if (s->p >= s->end || *s->p != c) return false;
    s->p++;
    return true;
}

/* ---- classes ---- */

/* p{…}, P{…}: what follows the backslash. */
static int property(struct parse *s, struct gram_chars *c)
{
    struct gram_chars x = {0};
    bool negate = *s->p++ == 'P';
    const char *name = s->p + 1, *end = eat(s, '{') ? memchr(name, '}', (size_t)(s->end - name)) : NULL;
    if (!end) return bad(s, CROFT_E_FORMAT, "\\p takes a property in braces");
    if (!gram_chars_property(&x, (struct str){name, (size_t)(end - name)}))
        return bad(s, CROFT_E_UNSUPPORTED, "this Unicode property is not supported: general categories are");
    s->p = end + 1;
    if (negate) gram_chars_negate(&x);
    gram_chars_add_all(c, &x);
    gram_chars_done(&x);
    return 0;
}

/* \d \w \s and their complements: true, or false for another name. */
static bool short_class(char name, struct gram_chars *c)
{
    struct gram_chars x = {0};
    switch (name | 0x20) {
    case 'd':
        gram_chars_add(&x, '0', '9');
        break;
    case 'w':
        gram_chars_add(&x, '0', '9');
        gram_chars_add(&x, 'A', 'Z');
        gram_chars_add(&x, '_', '_');
        gram_chars_add(&x, 'a', 'z');
        break;
    case 's': { /* WhiteSpace and LineTerminator of ECMA-262 */
        static const uint32_t space[][2] = {{9, 13},          {32, 32},         {0xA0, 0xA0},     {0x1680, 0x1680},
                                            {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                            {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
        for (size_t i = 0; i < sizeof space / sizeof space[0]; i++) gram_chars_add(&x, space[i][0], space[i][1]);
        break;
    }
    default:
        return false;
    }
    if (name < 'a') gram_chars_negate(&x);
    gram_chars_add_all(c, &x);
    gram_chars_done(&x);
    return true;
}

/* A class that is named behind a backslash. *out: it is one. */
static int named_class(struct parse *s, struct gram_chars *c, bool *out)
{
    *out = true;
    if (*s->p == 'p' || *s->p == 'P') return property(s, c);
    *out = short_class(*s->p, c);
    s->p += *out;
    return 0;
}

static int hex_digits(struct parse *s, int n, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++, s->p++) {
        if (s->p >= s->end || !strchr("0123456789abcdefABCDEF", *s->p) || !*s->p)
            return bad(s, CROFT_E_FORMAT, "a hexadecimal digit is missing");
        v = v * 16 + (uint32_t)(*s->p <= '9' ? *s->p - '0' : (*s->p | 0x20) - 'a' + 10);
    }
    *out = v;
    return 0;
}

/* \uXXXX, a pair of surrogates as two of them, \u{X…}; the u is eaten. */
static int unicode_escape(struct parse *s, uint32_t *out)
{
    uint32_t low;
    if (eat(s, '{')) {
        uint32_t v = 0, digit;
        do {
            if (hex_digits(s, 1, &digit)) return s->e->code;
            v = v * 16 + digit;
            if (v > GRAM_MAX_CP) return bad(s, CROFT_E_FORMAT, "the code point is beyond U+10FFFF");
        } while (!eat(s, '}'));
        *out = v;
    } else {
        if (hex_digits(s, 4, out)) return s->e->code;
        if (*out >= 0xD800 && *out < 0xDC00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
            s->p += 2;
            if (hex_digits(s, 4, &low)) return s->e->code;
            if (low < 0xDC00 || low > 0xDFFF) return bad(s, CROFT_E_FORMAT, "half a surrogate pair");
            *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    if (*out >= 0xD800 && *out <= 0xDFFF) return bad(s, CROFT_E_FORMAT, "half a surrogate pair is no character");
    return 0;
}

/* One character after a backslash. */
static int escaped_char(struct parse *s, uint32_t *out)
{
    char c = *s->p++;
    static const char from[] = "tnrfv", to[] = "\t\n\r\f\v";
    const char *k = strchr(from, c);
    if (c && k) {
        *out = (uint32_t)to[k - from];
        return 0;
    }
    switch (c) {
    case 'x':
        return hex_digits(s, 2, out);
    case 'u':
        return unicode_escape(s, out);
    case 'c':
        if (s->p >= s->end || (*s->p | 0x20) < 'a' || (*s->p | 0x20) > 'z')
            return bad(s, CROFT_E_FORMAT, "\\c takes a letter");
        *out = (uint32_t)*s->p++ % 32;
        return 0;
    case '0':
        if (s->p < s->end && *s->p >= '0' && *s->p <= '9') return bad(s, CROFT_E_UNSUPPORTED, "octal escapes");
        *out = 0;
        return 0;
    default:
        break;
    }
    s->p--;
    if ((c >= '1' && c <= '9') || c == 'k') return bad(s, CROFT_E_UNSUPPORTED, "back references are not regular");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return bad(s, CROFT_E_UNSUPPORTED, "this escape is not known");
    s->p += utf8_decode(s->p, s->end, out);
    return *out == UINT32_MAX ? bad(s, CROFT_E_FORMAT, "it is not valid UTF-8") : 0;
}

/* One member of a class: a character into *lo, or a named class into c, then *lo = UINT32_MAX. */
static int class_member(struct parse *s, struct gram_chars *c, uint32_t *lo)
{
    if (s->p >= s->end) return bad(s, CROFT_E_FORMAT, "the class has no ']'");
    if (!eat(s, '\\')) {
        s->p += utf8_decode(s->p, s->end, lo);
        return *lo == UINT32_MAX ? bad(s, CROFT_E_FORMAT, "it is not valid UTF-8") : 0;
    }
    if (s->p >= s->end) return bad(s, CROFT_E_FORMAT, "it ends with a backslash");
    bool named;
    *lo = UINT32_MAX;
    if (named_class(s, c, &named) || named) return s->e->code;
    if (*s->p == 'b') { /* inside a class: backspace */
        s->p++;
        *lo = 8;
        return 0;
    }
    return escaped_char(s, lo);
}

static int class_body(struct parse *s, struct gram_chars *c)
{
    bool negate = eat(s, '^');
    while (!eat(s, ']')) {
        uint32_t lo, hi;
        if (s->end - s->p >= 2 && s->p[0] == '[' && s->p[1] == ':')
            return bad(s, CROFT_E_UNSUPPORTED, "classes such as [:alpha:] are not supported");
        if (class_member(s, c, &lo)) return s->e->code;
        hi = lo;
        if (s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] != ']') {
            s->p++;
            if (class_member(s, c, &hi)) return s->e->code;
            if (lo == UINT32_MAX || hi == UINT32_MAX) return bad(s, CROFT_E_FORMAT, "a range ends in a class");
            if (hi < lo) return bad(s, CROFT_E_FORMAT, "the range is the wrong way round");
        }
        if (lo != UINT32_MAX) gram_chars_add(c, lo, hi);
    }
    gram_chars_normalise(c);
    if (negate) gram_chars_negate(c);
    return 0;
}

static struct gram_re *class_node(struct parse *s)
{
    struct gram_chars c = {0};
    if (class_body(s, &c)) {
        gram_chars_done(&c);
        return NULL;
    }
    return chars_node(s, &c);
}

/* ---- structure ---- */

static struct gram_re *disjunction(struct parse *s);

static struct gram_re *group(struct parse *s)
{
    if (eat(s, '?')) {
        bool python = eat(s, 'P');
        if (eat(s, ':')) {
        } else if (s->end - s->p > 1 && *s->p == '<' && s->p[1] != '=' && s->p[1] != '!') {
            while (s->p < s->end && *s->p != '>') s->p++;
            s->p++;
        } else {
            bad(s, CROFT_E_UNSUPPORTED, python ? "this kind of group" : "look-around and flags are not supported");
            return NULL;
        }
    }
    if (++s->depth > GRAM_MAX_NEST) {
        bad(s, CROFT_E_LIMIT, "too many groups inside each other");
        return NULL;
    }
    struct gram_re *r = disjunction(s);
    s->depth--;
    if (r && !eat(s, ')')) {
        bad(s, CROFT_E_FORMAT, "a ')' is missing");
        return NULL;
    }
    return r;
}

static struct gram_re *escape(struct parse *s)
{
    struct gram_chars c = {0};
    uint32_t cp;
    if (s->p >= s->end) {
        bad(s, CROFT_E_FORMAT, "it ends with a backslash");
        return NULL;
    }
    if (*s->p == 'b' || *s->p == 'B') {
        bad(s, CROFT_E_UNSUPPORTED, "word boundaries are not supported");
        return NULL;
    }
    bool named;
    if (named_class(s, &c, &named)) {
        gram_chars_done(&c);
        return NULL;
    }
    if (named) return chars_node(s, &c);
    return escaped_char(s, &cp) ? NULL : one_char(s, cp);
}

static struct gram_re *dot(struct parse *s)
{
    struct gram_chars c = {0};
    static const uint32_t line[][2] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
    for (size_t i = 0; i < 3; i++) gram_chars_add(&c, line[i][0], line[i][1]);
    gram_chars_negate(&c);
    return chars_node(s, &c);
}

static struct gram_re *atom(struct parse *s)
{
    uint32_t cp;
    switch (*s->p) {
    case '(':
        s->p++;
        return group(s);
    case '[':
        s->p++;
        return class_node(s);
    case '.':
        s->p++;
        return dot(s);
    case '^':
        s->p++;
        return node(s, RE_BEGIN);
    case '$':
        s->p++;
        return node(s, RE_END);
    case '\\':
        s->p++;
        return escape(s);
    case '*':
    case '+':
    case '?':
        bad(s, CROFT_E_FORMAT, "there is nothing to repeat");
        return NULL;
    default:
        break;
    }
    size_t used = utf8_decode(s->p, s->end, &cp);
    if (cp == UINT32_MAX) {
        bad(s, CROFT_E_FORMAT, "it is not valid UTF-8");
        return NULL;
    }
    s->p += used;
    return one_char(s, cp);
}

static bool number(const char **p, const char *end, uint32_t *out)
{
    uint64_t v = 0;
    const char *from = *p;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
        if (v <= GRAM_MAX_REPEAT) v = v * 10 + (uint64_t)(**p - '0');
    *out = v > GRAM_MAX_REPEAT ? GRAM_MAX_REPEAT + 1 : (uint32_t)v;
    return *p > from;
}

/* {m} {m,} {m,n}; anything else that begins with a brace is the brace itself. */
static bool braces(struct parse *s, uint32_t *min, uint32_t *max)
{
    const char *p = s->p + 1;
    if (!number(&p, s->end, min)) return false;
    *max = *min;
    if (p < s->end && *p == ',') {
        p++;
        if (!number(&p, s->end, max)) *max = GRAM_INF;
    }
    if (p >= s->end || *p != '}') return false;
    s->p = p + 1;
    return true;
}

static struct gram_re *quantified(struct parse *s)
{
    struct gram_re *x = atom(s);
    uint32_t min = 0, max = GRAM_INF;
    if (!x || s->p >= s->end) return x;
    switch (*s->p) {
    case '*':
        s->p++;
        break;
    case '+':
        s->p++;
        min = 1;
        break;
    case '?':
        s->p++;
        max = 1;
        break;
    case '{':
        if (braces(s, &min, &max)) break;
        return x;
    default:
        return x;
    }
    if (min > max || min > GRAM_MAX_REPEAT || (max != GRAM_INF && max > GRAM_MAX_REPEAT)) {
        bad(s, min > max ? CROFT_E_FORMAT : CROFT_E_LIMIT, "these bounds of a repetition are not possible");
        return NULL;
    }
    if (x->op == RE_BEGIN || x->op == RE_END) {
        bad(s, CROFT_E_FORMAT, "an anchor cannot be repeated");
        return NULL;
    }
    eat(s, '?'); /* lazy: the same language */
    if (s->p < s->end && strchr("*+?", *s->p)) {
        bad(s, CROFT_E_UNSUPPORTED, "a repetition of a repetition needs a group");
        return NULL;
    }
    struct gram_re *r = node(s, RE_REP);
    if (!r) return NULL;
    r->kid = x;
    r->min = min;
    r->max = max;
    return r;
}

static struct gram_re *sequence(struct parse *s)
{
    struct gram_re *r = node(s, RE_SEQ), **tail = r ? &r->kid : NULL;
    while (r && s->p < s->end && *s->p != '|' && *s->p != ')') {
        *tail = quantified(s);
        if (!*tail) return NULL;
        tail = &(*tail)->next;
    }
    return r;
}

static struct gram_re *disjunction(struct parse *s)
{
    struct gram_re *r = node(s, RE_ALT), **tail = r ? &r->kid : NULL;
    if (!r) return NULL;
    do {
        *tail = sequence(s);
        if (!*tail) return NULL;
        tail = &(*tail)->next;
    } while (eat(s, '|'));
    return r->kid->next ? r : r->kid;
}

int gram_re_parse(struct arena *a, const char *text, size_t n, struct gram_re **out, struct err *e)
{
    struct err local = {0};
    if (!e) e = &local;
    e->code = 0;
    struct parse s = {.a = a, .start = text, .p = text, .end = text + n, .e = e};
    if (n > GRAM_MAX_TEXT)
        return ERR(e, LIMIT, "The regular expression has %zu bytes; at most %d.", n, GRAM_MAX_TEXT);
    struct gram_re *r = disjunction(&s);
    if (!r) return e->code ? e->code : err_nomem(e, sizeof *r);
    if (s.p < s.end) return bad(&s, CROFT_E_FORMAT, "a ')' stands alone");
    *out = r;
    return 0;
}
