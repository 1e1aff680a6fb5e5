/* Chat templates: the methods of str, as Python has them. One function per method, one row per name at the end; spec
 * and binding of arguments: see struct builtin. Results that are part of the string share its bytes.
 * Next: tmpl_meth.c. */
#include "tmpl.h"

#include <utf8proc.h>

static struct str str_span(const struct sstr *s) { return (struct str){s->p, s->n}; }

static int need_str(struct rt *r, struct val v, const char *method, struct sstr **out)
{
    *out = NULL;
    if (v.tag != V_STR)
        return tmpl_fail(r, "%s() wants a str, not %s.", method, tmpl_type_name(v));
    *out = v.s;
    return 0;
}

/* An integer argument, or `fallback` when it is missing or None. */
static int opt_int(struct rt *r, struct val v, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (v_is_none(v) || tmpl_as_int(v, out)) return 0;
    return tmpl_fail(r, "'%s' object cannot be interpreted as an integer.", tmpl_type_name(v));
}

static int cut(struct rt *r, const struct sstr *s, struct str part, struct val *out)
{
    return tmpl_cut(r, s, part.p, part.p + part.n, out);
}

FN(str_upper) { return tmpl_case(r, self.s, CASE_UPPER, out); }
FN(str_lower) { return tmpl_case(r, self.s, CASE_LOWER, out); }
FN(str_capitalize) { return tmpl_case(r, self.s, CASE_CAPITAL, out); }
FN(str_title) { return tmpl_case(r, self.s, CASE_TITLE, out); }
FN(str_swapcase) { return tmpl_case(r, self.s, CASE_SWAP, out); }

static int strip(struct rt *r, struct val self, struct val chars, bool left, bool right, struct val *out)
{
    struct str s = str_span(self.s);
    struct sstr *set = NULL;
    if (!v_is_none(chars)) TRY(need_str(r, chars, "strip", &set));
    if (set) TRY(tmpl_step(r, set->n)); /* each character is looked for in it */
    tmpl_strip(&s, set, left, right);
    if (set) TRY(tmpl_step(r, (self.s->n - s.n) * (set->n / 64)));
    return cut(r, self.s, s, out);
}

FN(str_strip) { return strip(r, self, a[0], true, true, out); }
FN(str_lstrip) { return strip(r, self, a[0], true, false, out); }
FN(str_rstrip) { return strip(r, self, a[0], false, true, out); }

/* ---- splitting ---- */

static int split_space(struct rt *r, const struct sstr *s, int64_t max, struct seq *out)
{
    struct str rest = str_span(s);
    const char *end = rest.p + rest.n;
    struct val v;
    tmpl_strip(&rest, NULL, true, false);
    while (rest.n) {
        const char *p = rest.p;
        if (max-- == 0) {
            TRY(cut(r, s, rest, &v)); /* the rest keeps the white space at its end */
            return tmpl_push(r, out, v);
        }
        while (p < end) {
            uint32_t cp;
            size_t n = utf8_decode(p, end, &cp);
            if (tmpl_is_space(cp)) break;
            p += n;
        }
        TRY(tmpl_cut(r, s, rest.p, p, &v));
        TRY(tmpl_push(r, out, v));
        rest = (struct str){p, (size_t)(end - p)};
        tmpl_strip(&rest, NULL, true, false);
    }
    return 0;
}

static int split_on(struct rt *r, const struct sstr *s, const struct sstr *sep, int64_t max, struct seq *out)
{
    const char *p = s->p, *end = p + s->n, *hit;
    struct val v;
    while (max-- != 0 && p < end && (hit = memmem(p, (size_t)(end - p), sep->p, sep->n))) {
        TRY(tmpl_cut(r, s, p, hit, &v));
        TRY(tmpl_push(r, out, v));
        p = hit + sep->n;
    }
    TRY(tmpl_cut(r, s, p, end, &v));
    return tmpl_push(r, out, v);
}

static const char *find_last(const char *p, const char *end, const struct sstr *what)
{
    if ((size_t)(end - p) < what->n) return NULL;
    for (const char *q = end - what->n; q >= p; q--)
        if (memcmp(q, what->p, what->n) == 0) return q;
    return NULL;
}

static void reverse(struct seq *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        struct val v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
}

static int rsplit_on(struct rt *r, const struct sstr *s, const struct sstr *sep, int64_t max, struct seq *out)
{
    const char *end = s->p + s->n, *hit;
    struct val v;
    TRY(tmpl_step(r, s->n / 8 * (1 + sep->n / 64)));
    while (max-- != 0 && (hit = find_last(s->p, end, sep))) {
        TRY(tmpl_cut(r, s, hit + sep->n, end, &v));
        TRY(tmpl_push(r, out, v));
        end = hit;
    }
    TRY(tmpl_cut(r, s, s->p, end, &v));
    TRY(tmpl_push(r, out, v));
    reverse(out);
    return 0;
}

static int rsplit_space(struct rt *r, const struct sstr *s, int64_t max, struct seq *out)
{
    struct str rest = str_span(s);
    struct val v;
    tmpl_strip(&rest, NULL, false, true);
    while (rest.n) {
        const char *p = rest.p + rest.n;
        if (max-- == 0) {
            TRY(cut(r, s, rest, &v));
            TRY(tmpl_push(r, out, v));
            break;
        }
        while (p > rest.p) {
            const char *q = p - 1;
            uint32_t cp;
            while (q > rest.p && (*q & 0xC0) == 0x80) q--;
            utf8_decode(q, p, &cp);
            if (tmpl_is_space(cp)) break;
            p = q;
        }
        TRY(tmpl_cut(r, s, p, rest.p + rest.n, &v));
        TRY(tmpl_push(r, out, v));
        rest.n = (size_t)(p - rest.p);
        tmpl_strip(&rest, NULL, false, true);
    }
    reverse(out);
    return 0;
}

static int split(struct rt *r, struct val self, struct val *a, bool right, struct val *out)
{
    struct val v;
    struct sstr *sep;
    int64_t max;
    TRY(opt_int(r, a[1], -1, &max));
    TRY(tmpl_step(r, self.s->n / 32));
    TRY(tmpl_seq(r, V_LIST, 0, &v));
    *out = v;
    if (v_is_none(a[0])) return right ? rsplit_space(r, self.s, max, v.l) : split_space(r, self.s, max, v.l);
    TRY(need_str(r, a[0], "split", &sep));
    if (!sep->n) return tmpl_fail(r, "empty separator.");
    return right ? rsplit_on(r, self.s, sep, max, v.l) : split_on(r, self.s, sep, max, v.l);
}

FN(str_split) { return split(r, self, a, false, out); }
FN(str_rsplit) { return split(r, self, a, true, out); }

FN(str_splitlines)
{
    TRY(tmpl_seq(r, V_LIST, 0, out));
    return tmpl_splitlines(r, self.s, tmpl_truth(a[0]), out->l);
}

static int partition(struct rt *r, struct val self, struct val sep_arg, bool right, struct val *out)
{
    struct sstr *s = self.s, *sep;
    struct val v, empty;
    TRY(need_str(r, sep_arg, "partition", &sep));
    if (!sep->n) return tmpl_fail(r, "empty separator.");
    TRY(tmpl_step(r, s->n / 32));
    const char *end = s->p + s->n;
    const char *hit = right ? find_last(s->p, end, sep) : s->n ? memmem(s->p, s->n, sep->p, sep->n) : NULL;
    TRY(tmpl_seq(r, V_TUPLE, 3, &v));
    TRY(tmpl_strz(r, "", &empty));
    for (int i = 0; i < 3; i++) v.l->v[i] = empty;
    if (hit) {
        TRY(tmpl_cut(r, s, s->p, hit, &v.l->v[0]));
        v.l->v[1] = v_str(sep);
        TRY(tmpl_cut(r, s, hit + sep->n, end, &v.l->v[2]));
    } else {
        v.l->v[right ? 2 : 0] = self;
    }
    *out = v;
    return 0;
}

FN(str_partition) { return partition(r, self, a[0], false, out); }
FN(str_rpartition) { return partition(r, self, a[0], true, out); }

/* ---- searching; start and end are in characters ---- */

static int window(struct rt *r, struct sstr *s, struct val from, struct val to, struct str *out, int64_t *start)
{
    int64_t n = tmpl_chars(s), lo, hi;
    TRY(opt_int(r, from, 0, &lo));
    TRY(opt_int(r, to, n, &hi));
    if (lo < 0) lo = lo < -n ? 0 : lo + n;
    if (hi < 0) hi = hi < -n ? 0 : hi + n;
    if (hi > n) hi = n;
    *start = lo;
    *out = (struct str){NULL, 0};
    if (lo > hi) return 0;
    TRY(tmpl_step(r, s->n / 32));
    const char *p = tmpl_char_at(s, lo), *q = hi == n ? s->p + s->n : tmpl_char_at(s, hi);
    *out = (struct str){p, (size_t)(q - p)};
    return 0;
}

static int find(struct rt *r, struct val self, struct val *a, bool right, int64_t *out)
{
    struct sstr *what;
    struct str in;
    int64_t start;
    *out = -1;
    TRY(need_str(r, a[0], "find", &what));
    TRY(window(r, self.s, a[1], a[2], &in, &start));
    if (!in.p) return 0;
    const char *hit = right ? find_last(in.p, in.p + in.n, what)
                    : !what->n ? in.p : in.n ? memmem(in.p, in.n, what->p, what->n) : NULL;
    if (!hit) return 0;
    struct sstr before = {.p = in.p, .n = (size_t)(hit - in.p), .chars = -1};
    *out = start + tmpl_chars(&before);
    return 0;
}

FN(str_find)
{
    *out = v_int(0);
    return find(r, self, a, false, &out->i);
}

FN(str_rfind)
{
    *out = v_int(0);
    return find(r, self, a, true, &out->i);
}

FN(str_index)
{
    *out = v_int(0);
    TRY(find(r, self, a, false, &out->i));
    return out->i < 0 ? tmpl_fail(r, "substring not found.") : 0;
}

FN(str_rindex)
{
    *out = v_int(0);
    TRY(find(r, self, a, true, &out->i));
    return out->i < 0 ? tmpl_fail(r, "substring not found.") : 0;
}

FN(str_count)
{
    struct sstr *what;
    struct str in;
    int64_t start, n = 0;
    TRY(need_str(r, a[0], "count", &what));
    TRY(window(r, self.s, a[1], a[2], &in, &start));
    if (in.p && !what->n) {
        struct sstr part = {.p = in.p, .n = in.n, .chars = -1};
        n = tmpl_chars(&part) + 1;
    } else if (in.p) {
        const char *p = in.p, *end = p + in.n;
        while (p < end && (p = memmem(p, (size_t)(end - p), what->p, what->n))) {
            n++;
            p += what->n;
        }
        TRY(tmpl_step(r, (uint64_t)n / 4));
    }
    *out = v_int(n);
    return 0;
}

static int has_affix(struct rt *r, struct val self, struct val *a, bool end, struct val *out)
{
    struct str in;
    int64_t start;
    struct seq one = {.n = 1, .v = &a[0]}, *list = a[0].tag == V_TUPLE ? a[0].l : &one;
    TRY(window(r, self.s, a[1], a[2], &in, &start));
    *out = v_bool(false);
    for (size_t i = 0; i < list->n; i++) {
        struct sstr *x;
        TRY(need_str(r, list->v[i], end ? "endswith" : "startswith", &x));
        if (in.p && in.n >= x->n && (!x->n || !memcmp(end ? in.p + in.n - x->n : in.p, x->p, x->n)))
            *out = v_bool(true);
    }
    return 0;
}

FN(str_startswith) { return has_affix(r, self, a, false, out); }
FN(str_endswith) { return has_affix(r, self, a, true, out); }

FN(str_removeprefix)
{
    struct sstr *x, *s = self.s;
    TRY(need_str(r, a[0], "removeprefix", &x));
    bool has = s->n >= x->n && (!x->n || !memcmp(s->p, x->p, x->n));
    return tmpl_cut(r, s, s->p + (has ? x->n : 0), s->p + s->n, out);
}

FN(str_removesuffix)
{
    struct sstr *x, *s = self.s;
    TRY(need_str(r, a[0], "removesuffix", &x));
    bool has = s->n >= x->n && (!x->n || !memcmp(s->p + s->n - x->n, x->p, x->n));
    return tmpl_cut(r, s, s->p, s->p + s->n - (has ? x->n : 0), out);
}

FN(str_replace)
{
    struct val from = a[0], to = a[1];
    struct sstr *f, *t;
    int64_t count;
    if (self.s->markup) {
        TRY(tmpl_escape(r, to, &to));
    }
    TRY(need_str(r, from, "replace", &f));
    TRY(need_str(r, to, "replace", &t));
    TRY(opt_int(r, a[2], -1, &count));
    return tmpl_replace(r, self.s, f, t, count, out);
}

FN(str_join)
{
    size_t mark = r->out.len;
    struct seq items;
    TRY(tmpl_iterate(r, a[0], &items));
    for (size_t i = 0; i < items.n; i++) {
        if (items.v[i].tag != V_STR)
            return tmpl_fail(r, "sequence item %zu: expected str instance, %s found.", i, tmpl_type_name(items.v[i]));
        if (i) TRY(tmpl_print(r, self));
        if (self.s->markup && !items.v[i].s->markup) TRY(tmpl_escape_put(r, items.v[i].s->p, items.v[i].s->n));
        else TRY(tmpl_print(r, items.v[i]));
    }
    TRY(tmpl_take(r, mark, out));
    out->s->markup = self.s->markup;
    return 0;
}

/* ---- filling ---- */

static int pad(struct rt *r, struct val self, struct val *a, int left_share, struct val *out)
{
    int64_t width, n = tmpl_chars(self.s);
    struct sstr *fill = NULL;
    size_t mark = r->out.len;
    if (!tmpl_as_int(a[0], &width)) return tmpl_fail(r, "the width must be an integer.");
    if (v_given(a[1])) TRY(need_str(r, a[1], "pad", &fill));
    if (fill && tmpl_chars(fill) != 1) return tmpl_fail(r, "the fill character must be exactly one character long.");
    int64_t total = width > n ? width - n : 0;
    if ((uint64_t)total > r->a.max) return tmpl_limit(r, "more memory");
    int64_t left = left_share == 2 ? total : left_share == 1 ? total / 2 + (total & width & 1) : 0;
    TRY(tmpl_step(r, (uint64_t)total / 8));
    for (int64_t i = 0; i < left; i++) TRY(tmpl_put(r, fill ? fill->p : " ", fill ? fill->n : 1));
    TRY(tmpl_print(r, self));
    for (int64_t i = left; i < total; i++) TRY(tmpl_put(r, fill ? fill->p : " ", fill ? fill->n : 1));
    TRY(tmpl_take(r, mark, out));
    out->s->markup = self.s->markup;
    return 0;
}

FN(str_ljust) { return pad(r, self, a, 0, out); }
FN(str_center) { return pad(r, self, a, 1, out); }
FN(str_rjust) { return pad(r, self, a, 2, out); }

FN(str_zfill)
{
    struct val zero, body;
    struct sstr *s = self.s;
    bool sign = s->n && (s->p[0] == '-' || s->p[0] == '+');
    int64_t width;
    if (!tmpl_as_int(a[0], &width)) return tmpl_fail(r, "the width must be an integer.");
    TRY(tmpl_strz(r, "0", &zero));
    TRY(tmpl_cut(r, s, s->p + sign, s->p + s->n, &body));
    struct val args[2] = {v_int(width - sign), zero};
    TRY(pad(r, body, args, 2, &body));
    if (!sign) {
        *out = body;
        return 0;
    }
    struct val head;
    TRY(tmpl_cut(r, s, s->p, s->p + 1, &head));
    return tmpl_concat(r, head.s, body.s, out);
}

FN(str_expandtabs)
{
    size_t mark = r->out.len;
    int64_t size, column = 0;
    TRY(opt_int(r, a[0], 8, &size));
    if (size > 4096) return tmpl_limit(r, "wider tabs");
    for (const char *p = self.s->p, *end = p + self.s->n; p < end; p++) {
        if (*p == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;
            for (int64_t i = 0; i < n; i++) TRY(tmpl_put(r, " ", 1));
            column += n;
            continue;
        }
        TRY(tmpl_put(r, p, 1));
        column = *p == '\n' || *p == '\r' ? 0 : column + ((*p & 0xC0) != 0x80);
    }
    return tmpl_take(r, mark, out);
}

/* ---- what a string consists of ---- */

enum { IS_ALPHA = 1, IS_DECIMAL = 2, IS_OTHER_NUMBER = 4, IS_SPACE = 8, IS_PRINTABLE = 16, IS_SUPERSCRIPT = 32 };

static int classes_of(uint32_t cp)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    int is = tmpl_printable(cp) ? IS_PRINTABLE : 0;
    if (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) is |= IS_ALPHA;
    if (c == UTF8PROC_CATEGORY_ND) is |= IS_DECIMAL;
    if (c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO) is |= IS_OTHER_NUMBER;
    if (cp == 0xB2 || cp == 0xB3 || cp == 0xB9 || cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079) ||
        (cp >= 0x2080 && cp <= 0x2089) || (cp >= 0x2460 && cp <= 0x2468))
        is |= IS_SUPERSCRIPT;
    if (tmpl_is_space(cp)) is |= IS_SPACE;
    return is;
}

/* Whether all characters are of one of the classes. */
static int all_are(struct rt *r, const struct sstr *s, int classes, bool empty, struct val *out)
{
    bool yes = s->n ? true : empty;
    TRY(tmpl_step(r, s->n / 16));
    for (const char *p = s->p, *end = p + s->n; p < end && yes;) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        yes = classes_of(cp) & classes;
    }
    *out = v_bool(yes);
    return 0;
}

FN(str_isalpha) { return all_are(r, self.s, IS_ALPHA, false, out); }
FN(str_isdecimal) { return all_are(r, self.s, IS_DECIMAL, false, out); }
FN(str_isdigit) { return all_are(r, self.s, IS_DECIMAL | IS_SUPERSCRIPT, false, out); }
FN(str_isnumeric) { return all_are(r, self.s, IS_DECIMAL | IS_OTHER_NUMBER, false, out); }
FN(str_isalnum) { return all_are(r, self.s, IS_ALPHA | IS_DECIMAL | IS_OTHER_NUMBER, false, out); }
FN(str_isspace) { return all_are(r, self.s, IS_SPACE, false, out); }
FN(str_isprintable) { return all_are(r, self.s, IS_PRINTABLE, true, out); }

FN(str_isascii)
{
    *out = v_bool(true);
    for (size_t i = 0; i < self.s->n; i++)
        if (self.s->p[i] & 0x80) *out = v_bool(false);
    return 0;
}

FN(str_isidentifier)
{
    uint32_t cp = 0;
    *out = v_bool(self.s->n > 0);
    for (const char *p = self.s->p, *end = p + self.s->n; p < end;) {
        bool first = p == self.s->p;
        p += utf8_decode(p, end, &cp);
        if (!tmpl_is_word(cp) || (first && tmpl_is_digit(cp))) *out = v_bool(false);
    }
    return 0;
}

static int case_is(const struct sstr *s, enum text_case how, struct val *out)
{
    *out = v_bool(tmpl_case_is(s, how));
    return 0;
}

FN(str_isupper) { return case_is(self.s, CASE_UPPER, out); }
FN(str_islower) { return case_is(self.s, CASE_LOWER, out); }
FN(str_istitle) { return case_is(self.s, CASE_TITLE, out); }

FN(str_format) { return tmpl_format_braces(r, self.s, c, out); }

FN(str_unsupported) { return tmpl_fail(r, "this method of str is not supported."); }

#define ROW(name, spec, min) {#name, str_##name, spec, min, 1u << V_STR}
const struct builtin tmpl_methods_str[] = {
    ROW(upper, "", 0), ROW(lower, "", 0), ROW(capitalize, "", 0), ROW(title, "", 0), ROW(swapcase, "", 0),
    {"casefold", str_lower, "", 0, 1u << V_STR},
    ROW(strip, "/chars", 0), ROW(lstrip, "/chars", 0), ROW(rstrip, "/chars", 0),
    ROW(split, "sep maxsplit", 0), ROW(rsplit, "sep maxsplit", 0), ROW(splitlines, "keepends", 0),
    ROW(partition, "/sep", 1), ROW(rpartition, "/sep", 1),
    ROW(find, "/sub start end", 1), ROW(rfind, "/sub start end", 1), ROW(index, "/sub start end", 1),
    ROW(rindex, "/sub start end", 1), ROW(count, "/sub start end", 1),
    ROW(startswith, "/prefix start end", 1), ROW(endswith, "/suffix start end", 1),
    ROW(removeprefix, "/prefix", 1), ROW(removesuffix, "/suffix", 1),
    ROW(replace, "/old new count", 2), ROW(join, "/iterable", 1), ROW(format, NULL, 0),
    ROW(ljust, "/width fillchar", 1), ROW(center, "/width fillchar", 1), ROW(rjust, "/width fillchar", 1),
    ROW(zfill, "/width", 1), ROW(expandtabs, "tabsize", 0),
    ROW(isalpha, "", 0), ROW(isdecimal, "", 0), ROW(isdigit, "", 0), ROW(isnumeric, "", 0), ROW(isalnum, "", 0),
    ROW(isspace, "", 0), ROW(isprintable, "", 0), ROW(isascii, "", 0), ROW(isidentifier, "", 0),
    ROW(isupper, "", 0), ROW(islower, "", 0), ROW(istitle, "", 0),
    {"encode", str_unsupported, NULL, 0, 1u << V_STR}, {"translate", str_unsupported, NULL, 0, 1u << V_STR},
    {"maketrans", str_unsupported, NULL, 0, 1u << V_STR}, {"format_map", str_unsupported, NULL, 0, 1u << V_STR},
    {0},
};
