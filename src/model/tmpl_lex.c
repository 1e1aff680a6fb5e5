/* Chat templates, step 1: text to tokens.
 *
 * Three tags cut the text: {{ print }}, {% statement %}, {# comment #}. White space around them goes by these rules,
 * which are Jinja2's with trim_blocks and lstrip_blocks on:
 *   {%- and {{- and {#-   strip all white space before the tag        -%} -}} -#}   strip all white space after it
 *   {% and {#             strip spaces before it when it starts its line, unless written {%+
 *   %} and #}             swallow one newline right after it, unless written +%}
 * {% raw %} … {% endraw %} is text. Inside tags, the closing mark counts only where all brackets are closed.
 *
 * Owns: nothing; tokens go to the parser's array, strings to the template's arena. One thread. The source buffer is
 * modified in place (newlines normalised) and must outlive the tokens. Next: tmpl_parse.c. */
#include "tmpl_parse.h"

#include <ctype.h>
#include <math.h>

struct lexer {
    struct parser *p;
    const char *s, *end; /* cursor, end of source */
    int line;
    bool line_start;     /* what was read last ended a line */
    char open[TMPL_MAX_NEST]; /* brackets that wait to be closed */
    int n_open;
};

static const struct {
    const char text[3];
    int type;
} long_ops[] = {{"**", OP_POW}, {"//", OP_FLOORDIV}, {"==", OP_EQ}, {"!=", OP_NE}, {">=", OP_GE}, {"<=", OP_LE}};

const char *tmpl_token_name(int type)
{
    static const char *const names[] = {"template text", "begin of print statement", "end of print statement",
                                        "begin of statement block", "end of statement block", "name", "string",
                                        "integer", "float"};
    static const char singles[128][2] = {
#define C(c) [c] = {c, 0}
        C('+'), C('-'), C('*'), C('/'), C('%'), C('~'), C('['), C(']'), C('('), C(')'), C('{'), C('}'), C('<'),
        C('>'), C('='), C('.'), C(':'), C('|'), C(','), C(';'),
#undef C
    };
    if (type == T_EOF) return "end of template";
    if (type >= T_DATA) return names[type - T_DATA];
    for (size_t i = 0; i < sizeof long_ops / sizeof *long_ops; i++)
        if (long_ops[i].type == type) return long_ops[i].text;
    return singles[type];
}

static int push(struct lexer *x, int type, struct str s, struct token **out)
{
    struct parser *p = x->p;
    if (p->n_tok == p->cap_tok) {
        size_t cap = p->cap_tok ? p->cap_tok * 2 : 256;
        struct token *t = mem_realloc(p->tok, cap * sizeof *t);
        if (!t) return err_nomem(p->e, cap * sizeof *t);
        p->tok = t;
        p->cap_tok = cap;
    }
    p->tok[p->n_tok] = (struct token){.type = type, .line = x->line, .s = s};
    if (out) *out = &p->tok[p->n_tok];
    p->n_tok++;
    return 0;
}

static void advance(struct lexer *x, const char *to)
{
    for (; x->s < to; x->s++) x->line += *x->s == '\n';
    x->line_start = to[-1] == '\n';
}

static const char *skip_space(const char *s, const char *end)
{
    while (s < end) {
        uint32_t cp;
        size_t n = utf8_decode(s, end, &cp);
        if (!tmpl_is_space(cp)) break;
        s += n;
    }
    return s;
}

static bool at(const struct lexer *x, const char *s, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(x->end - s) >= n && memcmp(s, what, n) == 0;
}

/* If s is at a closing mark (sign, then `mark`), where what it swallows ends; else NULL. */
static const char *closing(const struct lexer *x, const char *s, const char *mark, bool plus, bool newline)
{
    if (s < x->end && *s == '-' && at(x, s + 1, mark)) return skip_space(s + 3, x->end);
    if (plus && s < x->end && *s == '+' && at(x, s + 1, mark)) return s + 3;
    if (!at(x, s, mark)) return NULL;
    s += 2;
    return newline && s < x->end && *s == '\n' ? s + 1 : s;
}

/* The text up to a tag, cut as the tag's sign demands. */
static int push_data(struct lexer *x, const char *to, char sign, bool is_print)
{
    struct str text = {x->s, (size_t)(to - x->s)};
    if (sign == '-') {
        tmpl_strip(&text, NULL, false, true);
    } else if (sign != '+' && !is_print) {
        const char *line = to;
        while (line > x->s && line[-1] != '\n') line--;
        if ((line > x->s || x->line_start) && skip_space(line, to) == to) text.n = (size_t)(line - x->s);
    }
    if (text.n) TRY(push(x, T_DATA, text, NULL));
    if (to > x->s) advance(x, to);
    return 0;
}

/* {% raw %} at s: where its text begins, or NULL if it is another statement. */
static const char *raw_begin(const struct lexer *x, const char *s)
{
    s += 2;
    if (s < x->end && (*s == '-' || *s == '+')) s++;
    s = skip_space(s, x->end);
    if (!at(x, s, "raw")) return NULL;
    s = skip_space(s + 3, x->end);
    return closing(x, s, "%}", false, false);
}

static int lex_raw(struct lexer *x)
{
    for (const char *s = x->s; s < x->end; s++) {
        if (!at(x, s, "{%")) continue;
        const char *q = s + 2;
        char sign = q < x->end && (*q == '-' || *q == '+') ? *q++ : 0;
        q = skip_space(q, x->end);
        if (!at(x, q, "endraw")) continue;
        q = closing(x, skip_space(q + 6, x->end), "%}", true, true);
        if (!q) continue;
        TRY(push_data(x, s, sign, false));
        advance(x, q);
        return 0;
    }
    return tmpl_syntax(x->p, x->line, "missing end of raw directive: expected '{%% endraw %%}'");
}

static int lex_comment(struct lexer *x)
{
    for (const char *s = x->s; s < x->end; s++) {
        const char *q = closing(x, s, "#}", true, true);
        if (!q) continue;
        advance(x, q);
        return 0;
    }
    return tmpl_syntax(x->p, x->line, "missing end of comment: expected '#}'");
}

/* ---- inside a tag ---- */

static bool hex_value(const char *s, const char *end, int digits, uint32_t *out)
{
    uint32_t v = 0;
    if (end - s < digits) return false;
    for (int i = 0; i < digits; i++) {
        if (!isxdigit((unsigned char)s[i])) return false;
        v = v * 16 + (uint32_t)(isdigit((unsigned char)s[i]) ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
    }
    *out = v;
    return true;
}

/* One escape at s (after the backslash). Python's, unknown ones stay as they are. Writes to o, returns bytes read, or 0
 * for a malformed one. */
static size_t unescape(const char *s, const char *end, char **o)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *hit = strchr(from, *s);
    uint32_t v = 0;
    if (*s == '\n') return 1;
    if (hit && *s) {
        *(*o)++ = to[hit - from];
        return 1;
    }
    if (*s >= '0' && *s <= '7') {
        size_t n = 0;
        for (; n < 3 && s + n < end && s[n] >= '0' && s[n] <= '7'; n++) v = v * 8 + (uint32_t)(s[n] - '0');
        *o += utf8_encode(v, *o);
        return n;
    }
    int digits = *s == 'x' ? 2 : *s == 'u' ? 4 : *s == 'U' ? 8 : 0;
    if (*s == 'N') return 0; /* names of characters are not known here */
    if (digits) {
        if (!hex_value(s + 1, end, digits, &v) || v > 0x10FFFF) return 0;
        *o += utf8_encode(v, *o); /* never longer than what was read */
        return (size_t)digits + 1;
    }
    *(*o)++ = '\\';
    return SIZE_MAX; /* keep the character: read nothing */
}

static int lex_string(struct lexer *x)
{
    char quote = *x->s;
    const char *s = x->s + 1;
    while (s < x->end && *s != quote) s += *s == '\\' && x->end - s > 1 ? 2 : 1;
    if (s >= x->end) return tmpl_syntax(x->p, x->line, "a string is not closed: expected %c", quote);
    char *text = arena_alloc(&x->p->t->a, (size_t)(s - x->s)), *o = text;
    if (!text) return err_nomem(x->p->e, (size_t)(s - x->s));
    for (const char *q = x->s + 1; q < s;) {
        if (*q != '\\') {
            *o++ = *q++;
            continue;
        }
        size_t n = unescape(++q, s, &o);
        if (!n) return tmpl_syntax(x->p, x->line, "malformed escape '\\%c' in a string", *q);
        if (n != SIZE_MAX) q += n;
    }
    TRY(push(x, T_STRING, (struct str){text, (size_t)(o - text)}, NULL));
    advance(x, s + 1);
    return 0;
}

/* Digits of `base` with single underscores between them; returns their end. */
static const char *digits_end(const char *s, const char *end, int base)
{
    const char *from = s;
    for (; s < end; s++) {
        int c = (unsigned char)*s, d = isdigit(c) ? c - '0' : isalpha(c) ? (c | 32) - 'a' + 10 : 99;
        if (c == '_' && s > from && s[-1] != '_') continue;
        if (d >= base) break;
    }
    return s > from && s[-1] == '_' ? s - 1 : s;
}

static int lex_number(struct lexer *x)
{
    const char *s = x->s, *end = digits_end(s, x->end, 10), *q = end;
    bool is_float = false, after_dot = x->p->n_tok && x->p->tok[x->p->n_tok - 1].type == '.';
    if (!after_dot) {
        if (q < x->end && *q == '.' && digits_end(q + 1, x->end, 10) > q + 1 && q[1] != '_') {
            q = end = digits_end(q + 1, x->end, 10);
            is_float = true;
        }
        if (q < x->end && (*q | 32) == 'e') {
            q++;
            if (q < x->end && (*q == '+' || *q == '-')) q++;
            if (q < x->end && isdigit((unsigned char)*q)) {
                end = digits_end(q, x->end, 10);
                is_float = true;
            }
        }
    }
    int base = 10;
    if (!is_float && s[0] == '0') {
        static const struct { char c; int base; } prefix[] = {{'x', 16}, {'o', 8}, {'b', 2}};
        end = s + 1;
        while (end < x->end && (*end == '0' || (*end == '_' && end + 1 < x->end && end[1] == '0'))) end++;
        for (size_t i = 0; i < 3; i++) {
            if (x->end - s < 3 || (s[1] | 32) != prefix[i].c) continue;
            q = digits_end(s + (s[2] == '_' ? 3 : 2), x->end, prefix[i].base);
            if (q > s + 2 && q[-1] != '_') end = q, base = prefix[i].base;
        }
    }
    char text[400];
    size_t n = 0;
    for (q = base == 10 ? s : s + 2; q < end && n < sizeof text - 1; q++)
        if (*q != '_') text[n++] = *q;
    text[n] = 0;
    struct token *t;
    TRY(push(x, is_float ? T_FLOAT : T_INTEGER, (struct str){s, (size_t)(end - s)}, &t));
    if (is_float) t->f = strtod(text, NULL);
    else if (!tmpl_parse_int((struct str){text, n}, base, &t->i))
        return tmpl_syntax(x->p, x->line, "the number %.40s is larger than 64 bits hold", text);
    advance(x, end);
    return 0;
}

static int lex_name(struct lexer *x)
{
    const char *s = x->s;
    while (s < x->end) {
        uint32_t cp;
        size_t n = utf8_decode(s, x->end, &cp);
        if (!tmpl_is_word(cp)) break;
        s += n;
    }
    struct str name = {x->s, (size_t)(s - x->s)};
    if (!name.n) {
        uint32_t cp;
        size_t n = utf8_decode(x->s, x->end, &cp);
        return tmpl_syntax(x->p, x->line, "unexpected character '%.*s'", (int)n, x->s);
    }
    TRY(push(x, T_NAME, name, NULL));
    advance(x, s);
    return 0;
}

static int lex_operator(struct lexer *x)
{
    for (size_t i = 0; i < sizeof long_ops / sizeof *long_ops; i++) {
        if (!at(x, x->s, long_ops[i].text)) continue;
        TRY(push(x, long_ops[i].type, (struct str){0}, NULL));
        advance(x, x->s + 2);
        return 0;
    }
    char c = *x->s;
    if (!c || !strchr("+-*/%~[](){}<>=.:|,;", c)) return lex_name(x);
    if (strchr("([{", c)) {
        if (x->n_open == TMPL_MAX_NEST) return tmpl_syntax(x->p, x->line, "more than %d open brackets", TMPL_MAX_NEST);
        x->open[x->n_open++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (strchr(")]}", c)) {
        if (!x->n_open) return tmpl_syntax(x->p, x->line, "unexpected '%c'", c);
        char want = x->open[--x->n_open];
        if (want != c) return tmpl_syntax(x->p, x->line, "unexpected '%c', expected '%c'", c, want);
    }
    TRY(push(x, c, (struct str){0}, NULL));
    advance(x, x->s + 1);
    return 0;
}

static int lex_tag(struct lexer *x, bool is_print)
{
    int begin_line = x->line;
    x->n_open = 0;
    TRY(push(x, is_print ? T_VAR_BEGIN : T_BLOCK_BEGIN, (struct str){0}, NULL));
    while (x->s < x->end) {
        const char *q = x->n_open ? NULL : closing(x, x->s, is_print ? "}}" : "%}", !is_print, !is_print);
        if (q) {
            TRY(push(x, is_print ? T_VAR_END : T_BLOCK_END, (struct str){0}, NULL));
            advance(x, q);
            return 0;
        }
        q = skip_space(x->s, x->end);
        if (q > x->s) advance(x, q);
        else if (isdigit((unsigned char)*x->s)) TRY(lex_number(x));
        else if (*x->s == '"' || *x->s == '\'') TRY(lex_string(x));
        else TRY(lex_operator(x));
    }
    return tmpl_syntax(x->p, begin_line, "a tag is not closed: expected '%s'", is_print ? "}}" : "%}");
}

/* Newlines become \n and one newline at the very end is dropped, as Jinja does. */
static size_t normalise(char *s, size_t n)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\r') {
            s[o++] = '\n';
            if (i + 1 < n && s[i + 1] == '\n') i++;
        } else {
            s[o++] = s[i];
        }
    }
    return o && s[o - 1] == '\n' ? o - 1 : o;
}

int tmpl_lex(struct parser *p, char *src, size_t n)
{
    n = normalise(src, n);
    struct lexer x = {.p = p, .s = src, .end = src + n, .line = 1, .line_start = true};
    while (x.s < x.end) {
        const char *s = x.s;
        while (s + 1 < x.end && !(s[0] == '{' && (s[1] == '{' || s[1] == '%' || s[1] == '#'))) s++;
        if (s + 1 >= x.end) {
            TRY(push(&x, T_DATA, (struct str){x.s, (size_t)(x.end - x.s)}, NULL));
            advance(&x, x.end);
            break;
        }
        char kind = s[1], sign = s + 2 < x.end && (s[2] == '-' || s[2] == '+') ? s[2] : 0;
        const char *raw = kind == '%' ? raw_begin(&x, s) : NULL;
        TRY(push_data(&x, s, sign, kind == '{'));
        advance(&x, raw ? raw : s + (sign ? 3 : 2));
        if (raw) TRY(lex_raw(&x));
        else if (kind == '#') TRY(lex_comment(&x));
        else TRY(lex_tag(&x, kind == '{'));
    }
    return push(&x, T_EOF, (struct str){0}, NULL);
}
