/* Chat templates: the text of values, appended to the output: Python's str(), repr() and json.dumps().
 * Floats print as Python's repr: the shortest digits that read back the same, exponent form outside 1e-4 … 1e16.
 * Nesting is bounded (a namespace can contain itself). Next: tmpl_ops.c. */
#include "tmpl.h"

#include <math.h>
#include <utf8proc.h>

static int putz(struct rt *r, const char *z) { return tmpl_put(r, z, strlen(z)); }

static int put_int(struct rt *r, int64_t i)
{
    char text[24];
    return tmpl_put(r, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)i));
}

size_t tmpl_float_text(double f, char out[40])
{
    char sci[32], digits[32];
    if (isnan(f)) return (size_t)snprintf(out, 40, "nan");
    if (isinf(f)) return (size_t)snprintf(out, 40, f < 0 ? "-inf" : "inf");
    for (int prec = 0; prec < 17; prec++) {
        snprintf(sci, sizeof sci, "%.*e", prec, f);
        if (strtod(sci, NULL) == f) break;
    }
    char *e = strchr(sci, 'e');
    int exp = (int)strtol(e + 1, NULL, 10), n = 0;
    for (char *s = sci; s < e; s++)
        if (*s >= '0' && *s <= '9') digits[n++] = *s;
    digits[n] = 0;
    const char *sign = sci[0] == '-' ? "-" : "";
    if (exp < -4 || exp >= 16)
        return (size_t)snprintf(out, 40, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "", digits + 1,
                                exp < 0 ? '-' : '+', abs(exp));
    if (exp < 0) return (size_t)snprintf(out, 40, "%s0.%.*s%s", sign, -exp - 1, "0000", digits);
    if (n <= exp + 1) return (size_t)snprintf(out, 40, "%s%s%.*s.0", sign, digits, exp + 1 - n, "0000000000000000");
    return (size_t)snprintf(out, 40, "%s%.*s.%s", sign, exp + 1, digits, digits + exp + 1);
}

static int put_float(struct rt *r, double f)
{
    char text[40];
    return tmpl_put(r, text, tmpl_float_text(f, text));
}

bool tmpl_printable(uint32_t cp)
{
    if (cp < 0x7F) return cp >= 0x20;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: case UTF8PROC_CATEGORY_ZS:
        return false;
    default: return true;
    }
}

static int repr_char(struct rt *r, uint32_t cp, const char *raw, size_t n, char quote)
{
    char esc[12];
    static const char from[] = "\n\r\t", to[] = "nrt";
    const char *hit = cp && cp < 128 ? strchr(from, (int)cp) : NULL;
    if (cp == (uint32_t)quote || cp == '\\') snprintf(esc, sizeof esc, "\\%c", (char)cp);
    else if (hit) snprintf(esc, sizeof esc, "\\%c", to[hit - from]);
    else if (tmpl_printable(cp)) return tmpl_put(r, raw, n);
    else snprintf(esc, sizeof esc, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
    return putz(r, esc);
}

static int repr_str(struct rt *r, const struct sstr *s)
{
    bool single = s->n && memchr(s->p, '\'', s->n), dbl = s->n && memchr(s->p, '"', s->n);
    char quote = single && !dbl ? '"' : '\'';
    TRY(tmpl_step(r, s->n / 16));
    if (s->markup) TRY(putz(r, "Markup("));
    TRY(tmpl_put(r, &quote, 1));
    for (const char *p = s->p, *end = p + s->n; p < end;) {
        uint32_t cp;
        size_t n = utf8_decode(p, end, &cp);
        TRY(repr_char(r, cp, p, n, quote));
        p += n;
    }
    TRY(tmpl_put(r, &quote, 1));
    return s->markup ? putz(r, ")") : 0;
}

static int repr_deep(struct rt *r, struct val v, int depth);

static int repr_items(struct rt *r, const struct val *v, size_t n, const char *open, const char *close, int depth)
{
    TRY(putz(r, open));
    for (size_t i = 0; i < n; i++) {
        if (i) TRY(putz(r, ", "));
        TRY(repr_deep(r, v[i], depth + 1));
    }
    return putz(r, close);
}

static int repr_map(struct rt *r, const struct map *d, int depth)
{
    TRY(putz(r, "{"));
    for (size_t i = 0; i < d->n; i++) {
        if (i) TRY(putz(r, ", "));
        TRY(repr_deep(r, d->e[i].k, depth + 1));
        TRY(putz(r, ": "));
        TRY(repr_deep(r, d->e[i].v, depth + 1));
    }
    return putz(r, "}");
}

static int repr_range(struct rt *r, const struct range *g)
{
    TRY(putz(r, "range("));
    TRY(put_int(r, g->start));
    TRY(putz(r, ", "));
    TRY(put_int(r, g->stop));
    if (g->step != 1) {
        TRY(putz(r, ", "));
        TRY(put_int(r, g->step));
    }
    return putz(r, ")");
}

static int repr_object(struct rt *r, struct val v, int depth)
{
    struct seq items;
    switch (v.tag) {
    case V_RANGE: return repr_range(r, v.r);
    case V_VIEW:
        TRY(putz(r, v.w->what == 'k' ? "dict_keys" : v.w->what == 'v' ? "dict_values" : "dict_items"));
        TRY(tmpl_iterate(r, v, &items));
        return repr_items(r, items.v, items.n, "([", "])", depth);
    case V_NS:
        TRY(putz(r, "<Namespace "));
        TRY(repr_map(r, v.d, depth));
        return putz(r, ">");
    case V_MACRO:
        if (v.mac->node->kind == N_CALLBLOCK) return putz(r, "<Macro 'caller'>");
        TRY(putz(r, "<Macro "));
        TRY(repr_str(r, v.mac->node->v.s));
        return putz(r, ">");
    default:
        TRY(putz(r, "<"));
        TRY(putz(r, tmpl_type_name(v)));
        return putz(r, " object>");
    }
}

static int repr_deep(struct rt *r, struct val v, int depth)
{
    if (depth > TMPL_MAX_DATA_DEPTH) return tmpl_limit(r, "deeper nesting");
    TRY(tmpl_step(r, 1));
    switch (v.tag) {
    case V_MISSING:
    case V_NONE: return putz(r, "None");
    case V_UNDEF: return putz(r, "Undefined");
    case V_BOOL: return putz(r, v.b ? "True" : "False");
    case V_INT: return put_int(r, v.i);
    case V_FLOAT: return put_float(r, v.f);
    case V_STR: return repr_str(r, v.s);
    case V_LIST: return repr_items(r, v.l->v, v.l->n, "[", "]", depth);
    case V_TUPLE: return repr_items(r, v.l->v, v.l->n, "(", v.l->n == 1 ? ",)" : ")", depth);
    case V_DICT: return repr_map(r, v.d, depth);
    default: return repr_object(r, v, depth);
    }
}

int tmpl_repr(struct rt *r, struct val v) { return repr_deep(r, v, 0); }

int tmpl_print(struct rt *r, struct val v)
{
    if (v.tag == V_UNDEF) return r->strict ? tmpl_undef_fail(r, v) : 0;
    if (v.tag == V_STR) {
        TRY(tmpl_step(r, v.s->n / 64));
        return tmpl_put(r, v.s->p, v.s->n);
    }
    return tmpl_repr(r, v);
}

int tmpl_to_str(struct rt *r, struct val v, struct sstr **out)
{
    if (v.tag != V_STR) {
        size_t mark = r->out.len;
        TRY(tmpl_print(r, v));
        TRY(tmpl_take(r, mark, &v));
    }
    *out = v.s;
    return 0;
}

/* ---- JSON ---- */

static int json_char(struct rt *r, uint32_t cp, const char *raw, size_t n, bool ascii)
{
    char esc[16];
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    const char *hit = cp && cp < 128 ? strchr(from, (int)cp) : NULL;
    if (hit) snprintf(esc, sizeof esc, "\\%c", to[hit - from]);
    else if (cp < 0x20 || (ascii && cp >= 0x7F && cp < 0x10000)) snprintf(esc, sizeof esc, "\\u%04x", cp);
    else if (ascii && cp >= 0x10000)
        snprintf(esc, sizeof esc, "\\u%04x\\u%04x", 0xD7C0 + (cp >> 10), 0xDC00 + (cp & 0x3FF));
    else return tmpl_put(r, raw, n);
    return putz(r, esc);
}

static int json_str(struct rt *r, const struct sstr *s, bool ascii)
{
    TRY(tmpl_step(r, s->n / 16));
    TRY(putz(r, "\""));
    const char *p = s->p, *end = p + s->n, *plain = p; /* runs of plain bytes go out at once */
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x7F || !ascii)) {
            p++;
            continue;
        }
        uint32_t cp;
        TRY(tmpl_put(r, plain, (size_t)(p - plain)));
        size_t n = utf8_decode(p, end, &cp);
        TRY(json_char(r, cp, p, n, ascii));
        p += n;
        plain = p;
    }
    TRY(tmpl_put(r, plain, (size_t)(p - plain)));
    return putz(r, "\"");
}

static int json_float(struct rt *r, double f)
{
    if (isnan(f)) return putz(r, "NaN");
    if (isinf(f)) return putz(r, f < 0 ? "-Infinity" : "Infinity");
    return put_float(r, f);
}

static int json_key(struct rt *r, struct val k, const struct json_style *st)
{
    if (k.tag == V_STR) return json_str(r, k.s, st->ascii);
    if (k.tag != V_INT && k.tag != V_FLOAT && k.tag != V_BOOL && k.tag != V_NONE)
        return tmpl_fail(r, "keys must be str, int, float, bool or None, not %s.", tmpl_type_name(k));
    TRY(putz(r, "\""));
    TRY(tmpl_json(r, k, st, 0));
    return putz(r, "\"");
}

static int json_break(struct rt *r, const struct json_style *st, int level)
{
    if (!st->pretty) return 0;
    TRY(putz(r, "\n"));
    for (int i = 0; i < level; i++) TRY(tmpl_put(r, st->indent.p, st->indent.n));
    return 0;
}

static int json_map(struct rt *r, const struct map *d, const struct json_style *st, int level)
{
    struct val *order, *key;
    if (!d->n) return putz(r, "{}");
    TRY(tmpl_alloc(r, d->n, sizeof *order, &order));
    TRY(tmpl_alloc(r, d->n, sizeof *key, &key));
    for (size_t i = 0; i < d->n; i++) {
        order[i] = v_int((int64_t)i);
        key[i] = d->e[i].k;
    }
    if (st->sort) TRY(tmpl_sort(r, order, key, d->n, false));
    TRY(putz(r, "{"));
    for (size_t i = 0; i < d->n; i++) {
        const struct entry *en = &d->e[order[i].i];
        if (i) TRY(tmpl_put(r, st->item_sep.p, st->item_sep.n));
        TRY(json_break(r, st, level + 1));
        TRY(json_key(r, en->k, st));
        TRY(tmpl_put(r, st->key_sep.p, st->key_sep.n));
        TRY(tmpl_json(r, en->v, st, level + 1));
    }
    TRY(json_break(r, st, level));
    return putz(r, "}");
}

static int json_list(struct rt *r, const struct seq *l, const struct json_style *st, int level)
{
    if (!l->n) return putz(r, "[]");
    TRY(putz(r, "["));
    for (size_t i = 0; i < l->n; i++) {
        if (i) TRY(tmpl_put(r, st->item_sep.p, st->item_sep.n));
        TRY(json_break(r, st, level + 1));
        TRY(tmpl_json(r, l->v[i], st, level + 1));
    }
    TRY(json_break(r, st, level));
    return putz(r, "]");
}

int tmpl_json(struct rt *r, struct val v, const struct json_style *st, int level)
{
    if (level > TMPL_MAX_DATA_DEPTH) return tmpl_limit(r, "deeper nesting");
    TRY(tmpl_step(r, 1));
    switch (v.tag) {
    case V_NONE: return putz(r, "null");
    case V_BOOL: return putz(r, v.b ? "true" : "false");
    case V_INT: return put_int(r, v.i);
    case V_FLOAT: return json_float(r, v.f);
    case V_STR: return json_str(r, v.s, st->ascii);
    case V_LIST:
    case V_TUPLE: return json_list(r, v.l, st, level);
    case V_DICT: return json_map(r, v.d, st, level);
    default: return tmpl_fail(r, "Object of type %s is not JSON serializable.", tmpl_type_name(v));
    }
}
