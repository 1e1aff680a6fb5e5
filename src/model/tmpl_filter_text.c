/* Chat templates: filters on text, and tojson. Next: tmpl_format.c. */
#include "tmpl.h"

#include <ctype.h>

FN(f_upper)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    return tmpl_case(r, s, CASE_UPPER, out);
}

FN(f_lower)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    return tmpl_case(r, s, CASE_LOWER, out);
}

FN(f_capitalize)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    return tmpl_case(r, s, CASE_CAPITAL, out);
}

/* Words begin after white space and after - ( { [ <, unlike those of str.title(). */
FN(f_title)
{
    struct sstr *s;
    size_t mark = r->out.len;
    bool start = true;
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_step(r, s->n / 16));
    for (const char *p = s->p, *word = p, *end = p + s->n; p < end;) {
        uint32_t cp;
        const char *q = p;
        p += utf8_decode(p, end, &cp);
        bool between = tmpl_is_space(cp) || (cp < 128 && cp && strchr("-({[<", (int)cp));
        if (start && !between) word = q;
        if (between) TRY(tmpl_put(r, q, (size_t)(p - q)));
        else if (start) TRY(tmpl_put_upper(r, cp));
        else TRY(tmpl_put_lower(r, (struct str){word, (size_t)(end - word)}, (size_t)(q - word), cp));
        start = between;
    }
    return tmpl_take(r, mark, out);
}

FN(f_trim)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    if (!v_is_none(a[0]) && a[0].tag != V_STR) return tmpl_fail(r, "strip arg must be None or str.");
    struct str part = {s->p, s->n};
    tmpl_strip(&part, v_is_none(a[0]) ? NULL : a[0].s, true, true);
    if (!v_is_none(a[0])) TRY(tmpl_step(r, (s->n - part.n) * (a[0].s->n / 64)));
    return tmpl_cut(r, s, part.p, part.p + part.n, out);
}

FN(f_string)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    *out = v_str(s);
    return 0;
}

FN(f_safe)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_cut(r, s, s->p, s->p + s->n, out));
    out->s->markup = true;
    return 0;
}

FN(f_escape) { return tmpl_escape(r, self, out); }

FN(f_forceescape)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_str(r, s->p, s->n, out));
    return tmpl_escape(r, *out, out);
}

FN(f_replace)
{
    struct sstr *s, *from, *to;
    int64_t count = -1;
    if (!v_is_none(a[2]) && !tmpl_as_int(a[2], &count)) return tmpl_fail(r, "the count must be an integer.");
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_to_str(r, a[0], &from));
    TRY(tmpl_to_str(r, a[1], &to));
    TRY(tmpl_replace(r, s, from, to, count, out));
    out->s->markup = false;
    return 0;
}

static int need_str(struct rt *r, struct val v, const char *filter)
{
    if (v.tag == V_STR) return 0;
    if (v.tag == V_UNDEF) return tmpl_undef_fail(r, v);
    return tmpl_fail(r, "the filter %s wants a str, not %s.", filter, tmpl_type_name(v));
}

FN(f_indent)
{
    size_t mark = r->out.len;
    struct seq lines = {0};
    struct val pad;
    int64_t width = 4;
    if (v_given(a[0]) && a[0].tag == V_STR) {
        pad = a[0];
    } else {
        struct val space;
        if (v_given(a[0]) && !tmpl_as_int(a[0], &width)) return tmpl_fail(r, "the width must be an integer or a str.");
        TRY(tmpl_strz(r, " ", &space));
        TRY(tmpl_repeat(r, space, width, &pad));
    }
    TRY(need_str(r, self, "indent"));
    struct val newline, text;
    TRY(tmpl_strz(r, "\n", &newline));
    newline.s->markup = self.s->markup;
    TRY(tmpl_concat(r, self.s, newline.s, &text));
    TRY(tmpl_splitlines(r, text.s, false, &lines));
    for (size_t i = 0; i < lines.n; i++) {
        const struct sstr *line = lines.v[i].s;
        if (i) TRY(tmpl_put(r, "\n", 1));
        if (i ? line->n || tmpl_truth(a[2]) : tmpl_truth(a[1])) TRY(tmpl_print(r, pad));
        TRY(tmpl_put(r, line->p, line->n));
    }
    TRY(tmpl_take(r, mark, out));
    out->s->markup = self.s->markup;
    return 0;
}

FN(f_center)
{
    struct sstr *s;
    struct val width = v_given(a[0]) ? a[0] : v_int(80);
    TRY(tmpl_to_str(r, self, &s));
    const struct sstr name = {.p = "center", .n = 6};
    struct call one = {.v = &width, .n = 1};
    return tmpl_call_builtin(r, tmpl_method(V_STR, &name), v_str(s), &one, out);
}

FN(f_truncate)
{
    int64_t length = 255, leeway = 5, n, cut;
    struct val end;
    if (v_given(a[0]) && !tmpl_as_int(a[0], &length)) return tmpl_fail(r, "the length must be an integer.");
    if (!v_is_none(a[3]) && !tmpl_as_int(a[3], &leeway)) return tmpl_fail(r, "the leeway must be an integer.");
    if (v_given(a[2])) end = a[2];
    else TRY(tmpl_strz(r, "...", &end));
    TRY(need_str(r, end, "truncate"));
    if (length < tmpl_chars(end.s) || leeway < 0) return tmpl_fail(r, "the length is shorter than what marks the cut.");
    TRY(tmpl_len(r, self, &n)); /* what is short enough may be of any type that has a length */
    *out = self;
    if (n <= leeway || n - leeway <= length) return 0;
    TRY(need_str(r, self, "truncate"));
    cut = length - tmpl_chars(end.s);
    const char *p = self.s->p, *q = tmpl_char_at(self.s, cut < n ? cut : n);
    if (!tmpl_truth(a[1])) {
        const char *space = memrchr(p, ' ', (size_t)(q - p));
        if (space) q = space;
    }
    struct val head;
    TRY(tmpl_cut(r, self.s, p, q, &head));
    return tmpl_concat(r, head.s, end.s, out);
}

FN(f_wordcount)
{
    struct sstr *s;
    int64_t n = 0;
    bool in = false;
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_step(r, s->n / 16));
    for (const char *p = s->p, *end = p + s->n; p < end;) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        bool word = tmpl_is_word(cp);
        n += word && !in;
        in = word;
    }
    *out = v_int(n);
    return 0;
}

/* ---- word wrapping, as Python's textwrap does it ---- */

struct wrap {
    struct rt *r;
    int64_t width, used; /* characters per line; on the current one */
    struct str sep;
    bool break_long, on_hyphens, any, first_line;
    const char *line, *line_end; /* the current line's text */
};

static int64_t chars_of(const char *p, const char *end)
{
    struct sstr s = {.p = p, .n = (size_t)(end - p), .chars = -1};
    return tmpl_chars(&s);
}

/* The end of the line: without the white space at its end. */
static int wrap_flush(struct wrap *w)
{
    struct str s = {w->line, (size_t)(w->line_end - w->line)};
    while (s.n && strchr(" \t\n\v\f\r", s.p[s.n - 1])) s.n--;
    w->used = 0;
    if (!s.n) return 0;
    if (w->any) TRY(tmpl_put(w->r, w->sep.p, w->sep.n));
    w->any = true;
    w->first_line = false;
    return tmpl_put(w->r, s.p, s.n);
}

static const char *chunk_end(const struct wrap *w, const char *p, const char *end)
{
    const char *q = p;
    if (strchr(" \t\v\f\r\n", *p)) {
        while (q < end && strchr(" \t\v\f\r\n", *q)) q++;
        return q;
    }
    for (; q < end && !strchr(" \t\v\f\r\n", *q); q++) {
        if (!w->on_hyphens || *q != '-' || q - p < 2 || end - q < 2) continue;
        bool before = isalpha((unsigned char)q[-1]) && (isalpha((unsigned char)q[-2]) || q[-2] == '_');
        bool after = isalpha((unsigned char)q[1]) && end - q > 2 && (isalpha((unsigned char)q[2]) || q[2] == '-');
        if (before && after) return q + 1;
    }
    return q;
}

static int wrap_line(struct wrap *w, const char *p, const char *end)
{
    w->line = w->line_end = p;
    w->used = 0;
    w->first_line = true;
    while (p < end) {
        const char *q = chunk_end(w, p, end);
        bool space = strchr(" \t\v\f\r\n", *p) != NULL;
        int64_t n = chars_of(p, q);
        TRY(tmpl_step(w->r, 1));
        if (!w->used && space && !w->first_line) { /* dropped at the beginning of a line */
            p = w->line = w->line_end = q;
            continue;
        }
        if (w->used + n <= w->width) {
            if (!w->used) w->line = p;
            p = w->line_end = q;
            w->used += n;
            continue;
        }
        if (n > w->width && w->break_long) {
            int64_t room = w->width - w->used;
            struct sstr s = {.p = p, .n = (size_t)(q - p), .chars = -1};
            if (!w->used) w->line = p;
            if (room < 1 && !w->used) room = 1;
            p = w->line_end = tmpl_char_at(&s, room);
        } else if (n > w->width && !w->used) {
            w->line = p;
            p = w->line_end = q;
        }
        TRY(wrap_flush(w));
        w->first_line = false;
        w->line = w->line_end = p;
    }
    return wrap_flush(w);
}

FN(f_wordwrap)
{
    struct seq lines = {0};
    size_t mark = r->out.len;
    int64_t width = 79;
    TRY(need_str(r, self, "wordwrap"));
    if (v_given(a[0]) && !tmpl_as_int(a[0], &width)) return tmpl_fail(r, "the width must be an integer.");
    if (width <= 0) return tmpl_fail(r, "invalid width, must be more than 0.");
    struct wrap w = {.r = r, .width = width, .sep = STR("\n")};
    w.break_long = v_given(a[1]) ? tmpl_truth(a[1]) : true;
    if (!v_is_none(a[2])) TRY(need_str(r, a[2], "wordwrap"));
    if (!v_is_none(a[2])) w.sep = (struct str){a[2].s->p, a[2].s->n};
    w.on_hyphens = v_given(a[3]) ? tmpl_truth(a[3]) : true;
    TRY(tmpl_splitlines(r, self.s, false, &lines));
    for (size_t i = 0; i < lines.n; i++) {
        const struct sstr *s = lines.v[i].s;
        if (i) TRY(tmpl_put(r, w.sep.p, w.sep.n));
        w.any = false;
        TRY(wrap_line(&w, s->p, s->p + s->n));
    }
    return tmpl_take(r, mark, out);
}

/* ---- for the web ---- */

static int put_quoted(struct rt *r, struct val v, bool query)
{
    static const char hex[] = "0123456789ABCDEF";
    struct sstr *s;
    TRY(tmpl_to_str(r, v, &s));
    for (size_t i = 0; i < s->n; i++) {
        unsigned char c = (unsigned char)s->p[i];
        if (isalnum(c) || strchr("_.-~", c) || (c == '/' && !query)) {
            if (c) TRY(tmpl_put(r, (char *)&c, 1));
            else TRY(tmpl_put(r, "%00", 3));
        } else if (c == ' ' && query) {
            TRY(tmpl_put(r, "+", 1));
        } else {
            char esc[3] = {'%', hex[c >> 4], hex[c & 15]};
            TRY(tmpl_put(r, esc, 3));
        }
    }
    return 0;
}

FN(f_urlencode)
{
    size_t mark = r->out.len;
    struct seq items, pair;
    bool iterable = self.tag != V_STR && self.tag >= V_LIST && self.tag <= V_ITER;
    if (!iterable && self.tag != V_UNDEF) {
        TRY(put_quoted(r, self, false));
        return tmpl_take(r, mark, out);
    }
    struct view w = {self.d, 'i'};
    TRY(tmpl_iterate(r, self.tag == V_DICT ? (struct val){.tag = V_VIEW, .w = &w} : self, &items));
    for (size_t i = 0; i < items.n; i++) {
        TRY(tmpl_iterate(r, items.v[i], &pair));
        if (pair.n != 2) return tmpl_fail(r, "urlencode wants pairs.");
        if (i) TRY(tmpl_put(r, "&", 1));
        TRY(put_quoted(r, pair.v[0], true));
        TRY(tmpl_put(r, "=", 1));
        TRY(put_quoted(r, pair.v[1], true));
    }
    return tmpl_take(r, mark, out);
}

FN(f_xmlattr)
{
    size_t mark = r->out.len;
    struct sstr *s;
    bool space = v_given(a[0]) ? tmpl_truth(a[0]) : true, any = false;
    if (self.tag != V_DICT) return tmpl_fail(r, "xmlattr wants a mapping.");
    for (size_t i = 0; i < self.d->n; i++) {
        const struct entry *en = &self.d->e[i];
        struct val v;
        if (en->v.tag == V_NONE || en->v.tag == V_UNDEF) continue;
        if (en->k.tag != V_STR) return tmpl_fail(r, "attribute names must be strings.");
        for (size_t k = 0; k < en->k.s->n; k++)
            if (strchr(" \t\n\r\f\v/>=", en->k.s->p[k])) return tmpl_fail(r, "Invalid character in attribute name.");
        if (any || space) TRY(tmpl_put(r, " ", 1));
        any = true;
        TRY(tmpl_escape(r, en->k, &v));
        TRY(tmpl_print(r, v));
        TRY(tmpl_put(r, "=\"", 2));
        TRY(tmpl_escape(r, en->v, &v));
        TRY(tmpl_to_str(r, v, &s));
        TRY(tmpl_put(r, s->p, s->n));
        TRY(tmpl_put(r, "\"", 1));
    }
    return tmpl_take(r, mark, out);
}

/* Tags and comments go, white space becomes single spaces, the five named characters are put back. */
FN(f_striptags)
{
    static const struct { const char *name; char c; } named[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&#39;", '\''}, {"&#34;", '"'}, {"&quot;", '"'}};
    struct sstr *s;
    size_t mark = r->out.len;
    TRY(tmpl_to_str(r, self, &s));
    TRY(tmpl_step(r, s->n / 16));
    bool space = false, any = false;
    for (const char *p = s->p, *end = p + s->n; p < end;) {
        const char *close = NULL;
        if (*p == '<') {
            bool comment = end - p >= 4 && !memcmp(p, "<!--", 4);
            close = comment ? memmem(p, (size_t)(end - p), "-->", 3) : memchr(p, '>', (size_t)(end - p));
            if (close) {
                p = close + (comment ? 3 : 1);
                continue;
            }
        }
        uint32_t cp;
        size_t n = utf8_decode(p, end, &cp), skip = n;
        char ch = *p;
        if (tmpl_is_space(cp)) {
            space = true;
            p += n;
            continue;
        }
        for (size_t i = 0; ch == '&' && i < sizeof named / sizeof *named; i++) {
            size_t len = strlen(named[i].name);
            if ((size_t)(end - p) >= len && !memcmp(p, named[i].name, len)) ch = named[i].c, skip = len;
        }
        if (space && any) TRY(tmpl_put(r, " ", 1));
        space = false;
        any = true;
        TRY(tmpl_put(r, skip == n ? p : &ch, skip == n ? n : 1));
        p += skip;
    }
    return tmpl_take(r, mark, out);
}

FN(f_format)
{
    struct sstr *s;
    struct val args;
    TRY(tmpl_to_str(r, self, &s));
    if (c->n && c->nk) return tmpl_fail(r, "can't handle positional and keyword arguments at the same time.");
    if (c->nk) {
        TRY(tmpl_map(r, V_DICT, &args));
        for (size_t i = 0; i < c->nk; i++) TRY(tmpl_map_set(r, args.d, v_str(c->k[i].name), c->k[i].v));
    } else {
        TRY(tmpl_seq(r, V_TUPLE, c->n, &args));
        if (c->n) memcpy(args.l->v, c->v, c->n * sizeof *c->v);
    }
    return tmpl_format_percent(r, s, args, out);
}

FN(f_pprint)
{
    size_t mark = r->out.len;
    TRY(tmpl_repr(r, self));
    return tmpl_take(r, mark, out);
}

/* tojson as model libraries define it: json.dumps(x, ensure_ascii=False, indent, separators, sort_keys). */
FN(f_tojson)
{
    size_t mark = r->out.len;
    struct json_style st = {.ascii = tmpl_truth(a[0]), .sort = tmpl_truth(a[3])};
    struct val pad, space;
    int64_t width;
    st.pretty = !v_is_none(a[1]);
    if (st.pretty) {
        pad = a[1];
        if (pad.tag != V_STR) {
            if (!tmpl_as_int(pad, &width)) return tmpl_fail(r, "the indent must be an integer or a str.");
            TRY(tmpl_strz(r, " ", &space));
            TRY(tmpl_repeat(r, space, width, &pad));
        }
        st.indent = (struct str){pad.s->p, pad.s->n};
    }
    st.item_sep = st.pretty ? STR(",") : STR(", ");
    st.key_sep = STR(": ");
    if (!v_is_none(a[2])) {
        struct seq sep;
        TRY(tmpl_iterate(r, a[2], &sep));
        if (sep.n != 2 || sep.v[0].tag != V_STR || sep.v[1].tag != V_STR)
            return tmpl_fail(r, "separators must be two strings.");
        st.item_sep = (struct str){sep.v[0].s->p, sep.v[0].s->n};
        st.key_sep = (struct str){sep.v[1].s->p, sep.v[1].s->n};
    }
    TRY(tmpl_json(r, self, &st, 0));
    return tmpl_take(r, mark, out);
}

FN(f_unsupported) { return tmpl_fail(r, "this filter is not supported."); }

const struct builtin tmpl_filters_text[] = {
    {"upper", f_upper, "", 0, 0}, {"lower", f_lower, "", 0, 0}, {"capitalize", f_capitalize, "", 0, 0},
    {"title", f_title, "", 0, 0}, {"trim", f_trim, "chars", 0, 0}, {"string", f_string, "", 0, 0},
    {"safe", f_safe, "", 0, 0}, {"escape", f_escape, "", 0, 0}, {"e", f_escape, "", 0, 0},
    {"forceescape", f_forceescape, "", 0, 0}, {"replace", f_replace, "old new count", 2, 0},
    {"indent", f_indent, "width first blank", 0, 0}, {"center", f_center, "width", 0, 0},
    {"truncate", f_truncate, "length killwords end leeway", 0, 0}, {"wordcount", f_wordcount, "", 0, 0},
    {"wordwrap", f_wordwrap, "width break_long_words wrapstring break_on_hyphens", 0, 0},
    {"urlencode", f_urlencode, "", 0, 0}, {"xmlattr", f_xmlattr, "autospace", 0, 0},
    {"striptags", f_striptags, "", 0, 0}, {"format", f_format, NULL, 0, 0}, {"pprint", f_pprint, "", 0, 0},
    {"tojson", f_tojson, "ensure_ascii indent separators sort_keys", 0, 0},
    {"random", f_unsupported, NULL, 0, 0}, {"urlize", f_unsupported, NULL, 0, 0}, {0},
};

const struct builtin *tmpl_filter(struct str name)
{
    const struct builtin *const tables[] = {tmpl_filters_seq, tmpl_filters_text};
    for (int i = 0; i < 2; i++)
        for (const struct builtin *b = tables[i]; b->name; b++)
            if (str_eqz(name, b->name)) return b;
    return NULL;
}
