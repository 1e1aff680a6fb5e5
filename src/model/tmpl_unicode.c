/* Chat templates: text helpers with Python's idea of Unicode: white space, word characters, case, lines; and Markup's
 * escaping. Case mapping is utf8proc's one-to-one table plus the few characters whose upper case is several characters
 * (tmpl_case.inc); a sigma at the end of a word becomes its final form. Next: tmpl_format.c. */
#include "tmpl.h"

#include <math.h>
#include <utf8proc.h>

/* Characters whose upper and title case are longer: code point, upper case, title case. */
static const struct {
    uint32_t cp;
    uint32_t upper[3], title[3];
} long_case[] = {
#include "tmpl_case.inc"
};

bool tmpl_is_space(uint32_t cp)
{
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1C && cp <= 0x1F);
    return cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

bool tmpl_is_digit(uint32_t cp)
{
    if (cp < 0x80) return cp >= '0' && cp <= '9';
    return cp != UINT32_MAX && utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ND;
}

static bool is_letter(uint32_t cp)
{
    if (cp < 0x80) return (cp | 32) >= 'a' && (cp | 32) <= 'z';
    if (cp == UINT32_MAX) return false;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

/* What \w matches: letters, numbers, underscore. */
bool tmpl_is_word(uint32_t cp)
{
    if (cp == '_' || is_letter(cp)) return true;
    if (cp < 0x80) return cp >= '0' && cp <= '9';
    if (cp == UINT32_MAX) return false;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

/* ---- case ---- */

static int put_cp(struct rt *r, uint32_t cp)
{
    char s[4];
    return tmpl_put(r, s, utf8_encode(cp, s));
}

static int put_long(struct rt *r, uint32_t cp, bool title, bool *done)
{
    *done = false;
    for (size_t i = 0; cp >= 0xDF && i < sizeof long_case / sizeof *long_case; i++) {
        if (long_case[i].cp != cp) continue;
        const uint32_t *to = title ? long_case[i].title : long_case[i].upper;
        for (int k = 0; k < 3 && to[k]; k++) TRY(put_cp(r, to[k]));
        *done = true;
        break;
    }
    return 0;
}

int tmpl_put_upper(struct rt *r, uint32_t cp)
{
    bool done;
    if (cp < 0x80) return put_cp(r, cp >= 'a' && cp <= 'z' ? cp - 32 : cp);
    TRY(put_long(r, cp, false, &done));
    return done ? 0 : put_cp(r, (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp));
}

int tmpl_put_title(struct rt *r, uint32_t cp)
{
    bool done;
    if (cp < 0x80) return tmpl_put_upper(r, cp);
    TRY(put_long(r, cp, true, &done));
    return done ? 0 : put_cp(r, (uint32_t)utf8proc_totitle((utf8proc_int32_t)cp));
}

static bool cased(uint32_t cp)
{
    if (cp < 0x80) return is_letter(cp);
    utf8proc_category_t c = cp == UINT32_MAX ? 0 : utf8proc_category((utf8proc_int32_t)cp);
    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

/* Sigma is final when a cased letter precedes it and none follows. */
static bool final_sigma(struct str all, size_t at)
{
    const char *p = all.p + at, *end = all.p + all.n;
    uint32_t cp;
    if (at == 0) return false;
    const char *q = p - 1;
    while (q > all.p && (*q & 0xC0) == 0x80) q--;
    utf8_decode(q, end, &cp);
    if (!cased(cp)) return false;
    p += 2; /* the sigma itself */
    if (p >= end) return true;
    utf8_decode(p, end, &cp);
    return !cased(cp);
}

int tmpl_put_lower(struct rt *r, struct str all, size_t at, uint32_t cp)
{
    if (cp < 0x80) return put_cp(r, cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);
    if (cp == 0x130) { /* I with dot: i and a combining dot */
        TRY(put_cp(r, 'i'));
        return put_cp(r, 0x307);
    }
    if (cp == 0x3A3) return put_cp(r, final_sigma(all, at) ? 0x3C2 : 0x3C3);
    return put_cp(r, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
}

static bool is_upper(uint32_t cp)
{
    if (cp < 0x80) return cp >= 'A' && cp <= 'Z';
    return utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_LU;
}

int tmpl_case(struct rt *r, const struct sstr *s, enum text_case how, struct val *out)
{
    size_t mark = r->out.len;
    const struct str all = {s->p, s->n};
    bool in_word = false;
    TRY(tmpl_step(r, s->n / 16));
    for (const char *p = s->p, *end = p + s->n; p < end;) {
        uint32_t cp;
        size_t at = (size_t)(p - s->p);
        p += utf8_decode(p, end, &cp);
        bool first = how == CASE_CAPITAL ? at == 0 : how == CASE_TITLE && !in_word;
        if (how == CASE_UPPER || (how == CASE_SWAP && !is_upper(cp))) TRY(tmpl_put_upper(r, cp));
        else if (first) TRY(tmpl_put_title(r, cp));
        else TRY(tmpl_put_lower(r, all, at, cp));
        in_word = cased(cp);
    }
    TRY(tmpl_take(r, mark, out));
    out->s->markup = s->markup;
    return 0;
}

bool tmpl_case_is(const struct sstr *s, enum text_case how)
{
    bool any = false, in_word = false;
    for (const char *p = s->p, *end = p + s->n; p < end;) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        bool c = cased(cp), up = c && is_upper(cp);
        if (c && how == CASE_UPPER && !up) return false;
        if (c && how == CASE_LOWER && up) return false;
        if (c && how == CASE_TITLE && up == in_word) return false;
        any |= c;
        in_word = c;
    }
    return any;
}

/* ---- white space, lines, replacing ---- */

static bool strip_char(uint32_t cp, const struct sstr *chars)
{
    if (!chars) return tmpl_is_space(cp);
    for (const char *p = chars->p, *end = p + chars->n; p < end;) {
        uint32_t other;
        p += utf8_decode(p, end, &other);
        if (other == cp) return true;
    }
    return false;
}

void tmpl_strip(struct str *s, const struct sstr *chars, bool left, bool right)
{
    uint32_t cp;
    while (left && s->n) {
        size_t n = utf8_decode(s->p, s->p + s->n, &cp);
        if (!strip_char(cp, chars)) break;
        s->p += n;
        s->n -= n;
    }
    while (right && s->n) {
        const char *q = s->p + s->n - 1;
        while (q > s->p && (*q & 0xC0) == 0x80) q--;
        utf8_decode(q, s->p + s->n, &cp);
        if (!strip_char(cp, chars)) break;
        s->n = (size_t)(q - s->p);
    }
}

static bool is_line_end(uint32_t cp)
{
    return (cp >= 10 && cp <= 13) || (cp >= 0x1C && cp <= 0x1E) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

int tmpl_splitlines(struct rt *r, const struct sstr *s, bool keep, struct seq *out)
{
    const char *p = s->p, *end = p + s->n, *line = p;
    TRY(tmpl_step(r, s->n / 32));
    while (p < end) {
        uint32_t cp;
        const char *q = p;
        struct val v;
        p += utf8_decode(p, end, &cp);
        if (!is_line_end(cp)) continue;
        if (cp == '\r' && p < end && *p == '\n') p++;
        TRY(tmpl_cut(r, s, line, keep ? p : q, &v));
        TRY(tmpl_push(r, out, v));
        line = p;
    }
    if (line == end) return 0;
    struct val v;
    TRY(tmpl_cut(r, s, line, end, &v));
    return tmpl_push(r, out, v);
}

int tmpl_replace(struct rt *r, const struct sstr *s, const struct sstr *from, const struct sstr *to, int64_t count,
                 struct val *out)
{
    size_t mark = r->out.len;
    const char *p = s->p, *end = p + s->n;
    TRY(tmpl_step(r, s->n / 32));
    while (count != 0 && p <= end) {
        const char *hit = !from->n ? p : p < end ? memmem(p, (size_t)(end - p), from->p, from->n) : NULL;
        if (!hit) break;
        TRY(tmpl_put(r, p, (size_t)(hit - p)));
        TRY(tmpl_put(r, to->p, to->n));
        p = hit + from->n;
        count--;
        if (from->n) continue;
        if (p == end) { /* an empty string is found between all characters */
            p++;
            break;
        }
        uint32_t cp;
        size_t n = utf8_decode(p, end, &cp);
        TRY(tmpl_put(r, p, n));
        p += n;
    }
    if (p < end) TRY(tmpl_put(r, p, (size_t)(end - p)));
    TRY(tmpl_take(r, mark, out));
    out->s->markup = s->markup;
    return 0;
}

/* ---- Markup ---- */

int tmpl_escape_put(struct rt *r, const char *p, size_t n)
{
    for (const char *end = p + n; p < end; p++) {
        const char *to = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : *p == '\'' ? "&#39;"
                       : *p == '"' ? "&#34;" : NULL;
        if (to) TRY(tmpl_put(r, to, strlen(to)));
        else TRY(tmpl_put(r, p, 1));
    }
    return 0;
}

int tmpl_escape(struct rt *r, struct val v, struct val *out)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, v, &s));
    if (v.tag == V_STR && s->markup) {
        *out = v;
        return 0;
    }
    size_t mark = r->out.len;
    TRY(tmpl_step(r, s->n / 16));
    TRY(tmpl_escape_put(r, s->p, s->n));
    TRY(tmpl_take(r, mark, out));
    out->s->markup = true;
    return 0;
}

/* ---- numbers from text ---- */

/* The text without white space around it and single underscores between digits, NUL-terminated; false: malformed. */
static bool clean_number(struct str s, char *out, size_t cap)
{
    size_t n = 0;
    tmpl_strip(&s, NULL, true, true);
    if (!s.n || s.n >= cap) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            out[n++] = s.p[i];
            continue;
        }
        if (i == 0 || i + 1 == s.n || s.p[i - 1] == '_' || s.p[i - 1] == '+' || s.p[i - 1] == '-') return false;
    }
    out[n] = 0;
    return strlen(out) == n;
}

bool tmpl_parse_int(struct str s, int base, int64_t *out)
{
    char text[400], *p = text;
    if (!clean_number(s, text, sizeof text)) return false;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    if (p[0] == '0' && p[1]) {
        int c = p[1] | 32, by = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' && (base == 2 || base == 0) ? 2 : 0;
        if (by && (base == by || base == 0)) {
            base = by;
            p += 2;
        } else if (base == 0) {
            if (p[strspn(p, "0")]) return false;
        }
    }
    if (base == 0) base = 10;
    if (base < 2 || base > 36 || !*p) return false;
    uint64_t v = 0;
    for (; *p; p++) {
        int d = *p >= '0' && *p <= '9' ? *p - '0' : (*p | 32) >= 'a' && (*p | 32) <= 'z' ? (*p | 32) - 'a' + 10 : 99;
        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool tmpl_parse_float(struct str s, double *out)
{
    char text[400], *end;
    if (!clean_number(s, text, sizeof text)) return false;
    const char *p = text + (*text == '-' || *text == '+');
    bool word = !strcasecmp(p, "inf") || !strcasecmp(p, "infinity") || !strcasecmp(p, "nan");
    if (!word && p[strspn(p, "0123456789.eE+-")]) return false; /* no hexadecimal */
    *out = strtod(text, &end);
    return !*end && end > text && (word || (*p >= '0' && *p <= '9') || *p == '.');
}
