/* Chat templates: Python's two ways to format: "%s %05.1f" % args, and "{0.name!r:>10}".format(args).
 * A conversion is read into a `struct spec`; numbers are made by snprintf and padded here. Next: tmpl.c. */
#include "tmpl.h"

#include <ctype.h>
#include <math.h>

enum { MAX_WIDTH = 100000, MAX_PRECISION = 300 };

struct spec {
    char fill[4];
    size_t fill_n;
    char align; /* < > = ^, or 0 */
    char sign;  /* + - or space, or 0 */
    bool alt;
    char group; /* , or _ between thousands, or 0 */
    int64_t width, precision; /* precision -1: none */
    char type;
};

/* Text in a field: padded to the width; sign and prefix come before the padding of '='. */
static int put_field(struct rt *r, const struct spec *sp, const char *p, size_t n, size_t n_prefix, char align)
{
    struct sstr s = {.p = p, .n = n, .chars = -1};
    int64_t total = sp->width - tmpl_chars(&s);
    const char *fill = sp->fill_n ? sp->fill : " ";
    size_t fill_n = sp->fill_n ? sp->fill_n : 1;
    if (sp->align) align = sp->align;
    if (total < 0) total = 0;
    int64_t left = align == '<' ? 0 : align == '^' ? total / 2 : total;
    TRY(tmpl_step(r, (uint64_t)total / 8));
    if (align == '=') TRY(tmpl_put(r, p, n_prefix));
    for (int64_t i = 0; i < left; i++) TRY(tmpl_put(r, fill, fill_n));
    TRY(tmpl_put(r, p + (align == '=' ? n_prefix : 0), n - (align == '=' ? n_prefix : 0)));
    for (int64_t i = left; i < total; i++) TRY(tmpl_put(r, fill, fill_n));
    return 0;
}

/* Sign, prefix and digits of an integer into `text`; returns its length. */
static size_t int_digits(int64_t v, const struct spec *sp, char text[160], size_t *n_prefix)
{
    char digits[72];
    int base = sp->type == 'x' || sp->type == 'X' ? 16 : sp->type == 'o' ? 8 : sp->type == 'b' ? 2 : 10;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    int n = 0;
    do {
        digits[n++] = (sp->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % (uint64_t)base];
        u /= (uint64_t)base;
    } while (u);
    size_t o = 0;
    if (v < 0) text[o++] = '-';
    else if (sp->sign == '+' || sp->sign == ' ') text[o++] = sp->sign;
    if (sp->alt && base != 10) {
        text[o++] = '0';
        text[o++] = sp->type;
    }
    *n_prefix = o;
    int every = base == 10 ? 3 : 4;
    while (n-- > 0) {
        text[o++] = digits[n];
        if (sp->group && n && n % every == 0) text[o++] = sp->group;
    }
    return o;
}

static int put_int(struct rt *r, int64_t v, const struct spec *sp)
{
    char text[160], wide[MAX_PRECISION + 200];
    size_t prefix, n = int_digits(v, sp, text, &prefix);
    int64_t zeros = sp->precision - (int64_t)(n - prefix);
    if (zeros <= 0) return put_field(r, sp, text, n, prefix, '>');
    memcpy(wide, text, prefix); /* %.5d: at least five digits */
    memset(wide + prefix, '0', (size_t)zeros);
    memcpy(wide + prefix + zeros, text + prefix, n - prefix);
    return put_field(r, sp, wide, n + (size_t)zeros, prefix, '>');
}

static int put_float(struct rt *r, double f, const struct spec *sp)
{
    char text[MAX_PRECISION + 500], fmt[16], *digits;
    int prec = sp->precision < 0 ? 6 : (int)sp->precision;
    char type = sp->type == '%' ? 'f' : sp->type == 'n' ? 'g' : sp->type;
    if (sp->type == '%') f *= 100;
    size_t o = 0;
    if (signbit(f) && !isnan(f)) text[o++] = '-';
    else if (sp->sign == '+' || sp->sign == ' ') text[o++] = sp->sign;
    digits = text + o;
    f = fabs(f);
    if (!type && sp->precision < 0) {
        char repr[40];
        size_t n = tmpl_float_text(f, repr);
        memcpy(digits, repr, n + 1);
    } else {
        if (isfinite(f) && prec == 0 && (type == 'g' || type == 'G' || !type)) prec = 1;
        snprintf(fmt, sizeof fmt, "%%%s.*%c", sp->alt ? "#" : "", type ? type : 'g');
        snprintf(digits, sizeof text - o - 2, fmt, prec, f);
    }
    size_t n = strlen(text);
    if (sp->group) { /* thousands of the whole part */
        char whole[MAX_PRECISION + 500];
        size_t len = strspn(digits, "0123456789"), at = 0, k = o;
        snprintf(whole, sizeof whole, "%s", digits);
        if (n + len / 3 + 2 < sizeof text) {
            for (; at < len; at++) {
                text[k++] = whole[at];
                if ((len - at - 1) % 3 == 0 && at + 1 < len) text[k++] = sp->group;
            }
            snprintf(text + k, sizeof text - k, "%s", whole + len);
            n = strlen(text);
        }
    }
    if (sp->type == '%') text[n++] = '%';
    return put_field(r, sp, text, n, o, '>');
}

static int put_text(struct rt *r, struct sstr *s, const struct spec *sp, char align)
{
    const char *end = s->p + s->n;
    if (sp->precision >= 0 && sp->precision < tmpl_chars(s)) end = tmpl_char_at(s, sp->precision);
    return put_field(r, sp, s->p, (size_t)(end - s->p), 0, align);
}

static int text_of(struct rt *r, struct val v, char how, struct sstr **out)
{
    if (how != 'r' && how != 'a') return tmpl_to_str(r, v, out);
    size_t mark = r->out.len;
    struct val text;
    TRY(tmpl_repr(r, v));
    TRY(tmpl_take(r, mark, &text));
    *out = text.s;
    return 0;
}

/* ---- % ---- */

struct percent {
    struct rt *r;
    struct val args;
    size_t at; /* next of a tuple's items */
};

static int next_arg(struct percent *f, struct val *out)
{
    if (f->args.tag == V_TUPLE) {
        if (f->at >= f->args.l->n) return tmpl_fail(f->r, "not enough arguments for format string.");
        *out = f->args.l->v[f->at++];
        return 0;
    }
    if (f->at++) return tmpl_fail(f->r, "not enough arguments for format string.");
    *out = f->args;
    return 0;
}

static int number_or_star(struct percent *f, const char **p, const char *end, int64_t *out)
{
    struct val v;
    if (*p < end && **p == '*') {
        (*p)++;
        TRY(next_arg(f, &v));
        if (!tmpl_as_int(v, out)) return tmpl_fail(f->r, "* wants int.");
    } else {
        for (*out = 0; *p < end && isdigit((unsigned char)**p); (*p)++)
            if (*out <= MAX_WIDTH) *out = *out * 10 + (**p - '0');
    }
    return *out > MAX_WIDTH ? tmpl_limit(f->r, "a wider field") : 0;
}

static int put_percent(struct percent *f, struct spec *sp, struct val v)
{
    struct rt *r = f->r;
    struct sstr *s;
    int64_t i = 0;
    double d;
    switch (sp->type) {
    case 's': case 'r': case 'a':
        sp->align = sp->align == '<' ? '<' : '>';
        sp->fill_n = 0;
        TRY(text_of(r, v, sp->type, &s));
        return put_text(r, s, sp, '>');
    case 'c':
        if (v.tag == V_STR && tmpl_chars(v.s) == 1) return put_text(r, v.s, sp, '>');
        if (!tmpl_as_int(v, &i) || i < 0 || i > 0x10FFFF) return tmpl_fail(r, "%%c requires int or char.");
        char c[4];
        return tmpl_put(r, c, utf8_encode((uint32_t)i, c));
    case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
        if (v.tag == V_UNDEF) return tmpl_undef_fail(r, v);
        if (v.tag == V_FLOAT && strchr("diu", sp->type) && fabs(v.f) < 9e18) i = (int64_t)v.f;
        else if (!tmpl_as_int(v, &i))
            return tmpl_fail(r, "%%%c format: a number is required, not %s.", sp->type, tmpl_type_name(v));
        return put_int(r, i, sp);
    case 'e': case 'E': case 'f': case 'F': case 'g': case 'G':
        if (v.tag == V_UNDEF) return tmpl_undef_fail(r, v);
        if (!tmpl_as_num(v, &d)) return tmpl_fail(r, "must be real number, not %s.", tmpl_type_name(v));
        return put_float(r, d, sp);
    default: return tmpl_fail(r, "unsupported format character '%c'.", sp->type);
    }
}

/* One conversion; *p is after its '%'. */
static int percent_one(struct percent *f, const char **p, const char *end)
{
    struct rt *r = f->r;
    struct spec sp = {.precision = -1};
    struct val v = {0}, *found;
    bool keyed = false;
    if (*p < end && **p == '(') {
        const char *close = memchr(*p, ')', (size_t)(end - *p));
        if (!close) return tmpl_fail(r, "incomplete format key.");
        if (f->args.tag != V_DICT) return tmpl_fail(r, "format requires a mapping.");
        TRY(tmpl_str(r, *p + 1, (size_t)(close - *p - 1), &v));
        TRY(tmpl_map_get(r, f->args.d, v, &found));
        if (!found) return tmpl_fail(r, "the format's key is not there.");
        v = *found;
        keyed = true;
        *p = close + 1;
    }
    for (; *p < end && **p && strchr("-+ #0", **p); (*p)++) {
        if (**p == '-') sp.align = '<';
        if (**p == '+' || (**p == ' ' && !sp.sign)) sp.sign = **p;
        if (**p == '#') sp.alt = true;
        if (**p == '0' && !sp.align) sp.align = '=', sp.fill[0] = '0', sp.fill_n = 1;
    }
    if (sp.align == '<') sp.fill_n = 0;
    TRY(number_or_star(f, p, end, &sp.width));
    if (sp.width < 0) sp.width = -sp.width, sp.align = '<', sp.fill_n = 0;
    if (*p < end && **p == '.') {
        (*p)++;
        TRY(number_or_star(f, p, end, &sp.precision));
        if (sp.precision > MAX_PRECISION || sp.precision < 0) return tmpl_limit(r, "more digits");
    }
    while (*p < end && **p && strchr("hlL", **p)) (*p)++;
    if (*p >= end) return tmpl_fail(r, "incomplete format.");
    sp.type = *(*p)++;
    if (sp.type == '%') return tmpl_put(r, "%", 1);
    if (!keyed) TRY(next_arg(f, &v));
    return put_percent(f, &sp, v);
}

int tmpl_format_percent(struct rt *r, struct sstr *fmt, struct val args, struct val *out)
{
    struct percent f = {.r = r, .args = args};
    size_t mark = r->out.len;
    for (const char *p = fmt->p, *end = p + fmt->n; p < end;) {
        const char *q = memchr(p, '%', (size_t)(end - p));
        TRY(tmpl_put(r, p, (size_t)((q ? q : end) - p)));
        if (!q) break;
        p = q + 1;
        TRY(percent_one(&f, &p, end));
    }
    bool indexed = args.tag == V_DICT || args.tag == V_LIST || args.tag == V_UNDEF || args.tag == V_RANGE;
    bool all = args.tag == V_TUPLE ? f.at >= args.l->n : f.at > 0 || indexed;
    if (!all) return tmpl_fail(r, "not all arguments converted during string formatting.");
    TRY(tmpl_take(r, mark, out));
    out->s->markup = fmt->markup;
    return 0;
}

/* ---- {} ---- */

/* [[fill]align][sign][#][0][width][,|_][.precision][type] */
static bool parse_spec(const char *p, const char *end, struct spec *sp)
{
    *sp = (struct spec){.precision = -1};
    if (p < end) {
        uint32_t cp;
        size_t n = utf8_decode(p, end, &cp);
        if (p + n < end && p[n] && strchr("<>=^", p[n])) {
            memcpy(sp->fill, p, n);
            sp->fill_n = n;
            sp->align = p[n];
            p += n + 1;
        } else if (strchr("<>=^", *p) && *p) {
            sp->align = *p++;
        }
    }
    if (p < end && (*p == '+' || *p == '-' || *p == ' ')) sp->sign = *p++;
    if (p < end && *p == '#') sp->alt = true, p++;
    if (p < end && *p == '0') {
        if (!sp->fill_n) sp->fill[0] = '0', sp->fill_n = 1;
        if (!sp->align) sp->align = '=';
        p++;
    }
    for (; p < end && isdigit((unsigned char)*p); p++)
        if (sp->width <= MAX_WIDTH) sp->width = sp->width * 10 + (*p - '0');
    if (p < end && (*p == ',' || *p == '_')) sp->group = *p++;
    if (p < end && *p == '.') {
        if (++p == end || !isdigit((unsigned char)*p)) return false;
        for (sp->precision = 0; p < end && isdigit((unsigned char)*p); p++)
            if (sp->precision <= MAX_PRECISION) sp->precision = sp->precision * 10 + (*p - '0');
    }
    if (p < end) sp->type = *p++;
    return p == end && sp->width <= MAX_WIDTH && sp->precision <= MAX_PRECISION;
}

static int put_value(struct rt *r, struct val v, struct spec *sp)
{
    struct sstr *s;
    double d;
    int64_t i;
    bool int_type = sp->type && strchr("bdoxXn", sp->type), float_type = sp->type && strchr("eEfFgG%", sp->type);
    if ((v.tag == V_INT && (!sp->type || int_type)) || (v.tag == V_BOOL && int_type)) {
        tmpl_as_int(v, &i);
        if (sp->precision >= 0) return tmpl_fail(r, "Precision not allowed in integer format specifier.");
        return put_int(r, i, sp);
    }
    if (v.tag == V_FLOAT && (!sp->type || float_type || sp->type == 'n')) return put_float(r, v.f, sp);
    if (float_type && tmpl_as_num(v, &d)) return put_float(r, d, sp);
    if (v.tag == V_INT && sp->type == 'c' && v.i >= 0 && v.i <= 0x10FFFF) {
        char c[4];
        struct sstr one = {.p = c, .n = utf8_encode((uint32_t)v.i, c), .chars = -1};
        sp->precision = -1;
        return put_text(r, &one, sp, '<');
    }
    bool plain = !sp->width && !sp->fill_n && sp->precision < 0 && !sp->type && !sp->align && !sp->sign && !sp->alt;
    bool text = v.tag == V_STR && (!sp->type || sp->type == 's') && !sp->sign && sp->align != '=' && !sp->group;
    if (v.tag == V_BOOL && !sp->type && sp->width) return put_int(r, v.b, sp);
    if (!text && !plain)
        return tmpl_fail(r, "Unknown format code '%c' for object of type '%s'.", sp->type ? sp->type : ' ',
                         tmpl_type_name(v));
    TRY(tmpl_to_str(r, v, &s));
    return put_text(r, s, sp, '<');
}

struct braces {
    struct rt *r;
    const struct call *c;
    size_t at;
    int mode; /* 0: not known yet, 1: numbered by themselves, 2: by hand */
    int depth;
};

static int field_value(struct braces *f, const char *p, const char *end, struct val *out)
{
    struct rt *r = f->r;
    const char *q = p;
    while (q < end && *q != '.' && *q != '[') q++;
    struct str name = {p, (size_t)(q - p)};
    int64_t i;
    if (!name.n || tmpl_parse_int(name, 10, &i)) {
        int mode = name.n ? 2 : 1;
        if (f->mode && f->mode != mode)
            return tmpl_fail(r, "cannot switch between manual and automatic field numbering.");
        f->mode = mode;
        if (!name.n) i = (int64_t)f->at++;
        if (i < 0 || (uint64_t)i >= f->c->n) return tmpl_fail(r, "Replacement index %lld out of range.", (long long)i);
        *out = f->c->v[i];
    } else {
        size_t k = 0;
        while (k < f->c->nk && !str_eq((struct str){f->c->k[k].name->p, f->c->k[k].name->n}, name)) k++;
        if (k == f->c->nk)
            return tmpl_fail(r, "'%.*s' is not given to format().", (int)(name.n < 60 ? name.n : 60), name.p);
        *out = f->c->k[k].v;
    }
    while (q < end) {
        struct val key;
        bool attr = *q++ == '.';
        p = q;
        while (q < end && (attr ? *q != '.' && *q != '[' : *q != ']')) q++;
        if (q == p || (!attr && q == end)) return tmpl_fail(r, "Empty attribute in format string.");
        TRY(tmpl_str(r, p, (size_t)(q - p), &key));
        if (attr) TRY(tmpl_attr(r, *out, key.s, out));
        else TRY(tmpl_item(r, *out, tmpl_parse_int((struct str){p, (size_t)(q - p)}, 10, &i) ? v_int(i) : key, out));
        if (!attr) q++;
    }
    return 0;
}

static int braces_text(struct braces *f, const char *p, const char *end);

/* A replacement field, the text between its braces: name[!conversion][:spec] */
static int field(struct braces *f, const char *p, const char *end)
{
    struct rt *r = f->r;
    const char *q = p;
    int inside = 0;
    char how = 0;
    struct val v, spec_text;
    struct spec sp;
    for (; q < end && (inside || (*q != '!' && *q != ':')); q++) inside += *q == '[' ? 1 : *q == ']' ? -1 : 0;
    TRY(field_value(f, p, q, &v));
    if (q < end && *q == '!') {
        if (end - q < 2 || !strchr("sra", q[1])) return tmpl_fail(r, "Unknown conversion specifier.");
        how = q[1];
        q += 2;
    }
    if (q < end && *q++ != ':') return tmpl_fail(r, "expected ':' after conversion specifier.");
    size_t mark = r->out.len;
    f->depth++;
    TRY(braces_text(f, q, end));
    f->depth--;
    TRY(tmpl_take(r, mark, &spec_text));
    if (how) {
        struct sstr *s;
        TRY(text_of(r, v, how, &s));
        v = v_str(s);
    }
    if (!parse_spec(spec_text.s->p, spec_text.s->p + spec_text.s->n, &sp))
        return tmpl_fail(r, "Invalid format specifier.");
    return put_value(r, v, &sp);
}

static int braces_text(struct braces *f, const char *p, const char *end)
{
    struct rt *r = f->r;
    while (p < end) {
        const char *q = p;
        while (q < end && *q != '{' && *q != '}') q++;
        TRY(tmpl_put(r, p, (size_t)(q - p)));
        if (q >= end) return 0;
        p = q + 1;
        if (p < end && *p == *q && !f->depth) {
            TRY(tmpl_put(r, q, 1));
            p++;
            continue;
        }
        if (*q == '}') return tmpl_fail(r, "Single '}' encountered in format string.");
        if (f->depth > 1) return tmpl_fail(r, "Max string recursion exceeded.");
        int open = 1;
        for (q = p; q < end; q++) {
            open += *q == '{' ? 1 : *q == '}' ? -1 : 0;
            if (!open) break;
        }
        if (open) return tmpl_fail(r, "expected '}' before end of string.");
        TRY(field(f, p, q));
        p = q + 1;
    }
    return 0;
}

int tmpl_format_braces(struct rt *r, struct sstr *fmt, const struct call *c, struct val *out)
{
    struct braces f = {.r = r, .c = c};
    size_t mark = r->out.len;
    TRY(braces_text(&f, fmt->p, fmt->p + fmt->n));
    TRY(tmpl_take(r, mark, out));
    out->s->markup = fmt->markup;
    return 0;
}
