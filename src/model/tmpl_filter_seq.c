/* Chat templates: filters on sequences, mappings and numbers. What Python computes lazily (map, select, items, …) is
 * computed at once here and can be walked once, like a generator. Next: tmpl_filter_text.c. */
#include "tmpl.h"

#include <math.h>

static int bad_arg(struct rt *r, const char *what) { return tmpl_fail(r, "%s", what); }

/* obj["a.b.0"]: the path of an `attribute` argument; parts that are digits are indexes. */
static int get_path(struct rt *r, struct val obj, struct val path, struct val fallback, struct val *out)
{
    if (path.tag == V_INT) {
        TRY(tmpl_item(r, obj, path, out));
        if (out->tag == V_UNDEF && !v_is_none(fallback)) *out = fallback;
        return 0;
    }
    if (path.tag != V_STR) return bad_arg(r, "the attribute must be a string or an integer.");
    *out = obj;
    const char *p = path.s->p, *end = p + path.s->n;
    for (;; p++) {
        const char *q = p;
        struct val key;
        int64_t i;
        while (q < end && *q != '.') q++;
        TRY(tmpl_str(r, p, (size_t)(q - p), &key));
        bool digits = q > p;
        for (const char *s = p; s < q; s++) digits &= *s >= '0' && *s <= '9';
        if (digits && tmpl_parse_int((struct str){p, (size_t)(q - p)}, 10, &i)) key = v_int(i);
        TRY(tmpl_item(r, *out, key, out));
        if (out->tag == V_UNDEF && !v_is_none(fallback)) *out = fallback;
        p = q;
        if (p >= end) return 0;
    }
}

/* What an item is sorted, grouped or compared by. */
static int key_of(struct rt *r, struct val item, struct val path, bool case_sensitive, struct val *out)
{
    *out = item;
    if (!v_is_none(path)) TRY(get_path(r, item, path, v_none(), out));
    if (!case_sensitive && out->tag == V_STR) return tmpl_case(r, out->s, CASE_LOWER, out);
    return 0;
}

static int list_of(struct rt *r, struct seq items, struct val *out)
{
    TRY(tmpl_seq(r, V_LIST, items.n, out));
    if (items.n) memcpy(out->l->v, items.v, items.n * sizeof *items.v);
    return 0;
}

FN(f_list)
{
    struct seq items;
    TRY(tmpl_iterate(r, self, &items));
    return list_of(r, items, out);
}

FN(f_length)
{
    *out = v_int(0);
    return tmpl_len(r, self, &out->i);
}

FN(f_first)
{
    struct seq items;
    if (self.tag == V_ITER) {
        struct iter *it = self.it;
        if (it->pos >= it->items.n) return tmpl_undef(r, "No first item, sequence was empty.", out);
        *out = it->items.v[it->pos++];
        return 0;
    }
    TRY(tmpl_iterate(r, self, &items));
    if (!items.n) return tmpl_undef(r, "No first item, sequence was empty.", out);
    *out = items.v[0];
    return 0;
}

static int need_reversible(struct rt *r, struct val v)
{
    return v.tag == V_ITER ? tmpl_fail(r, "'generator' object is not reversible.") : 0;
}

FN(f_last)
{
    struct seq items;
    TRY(need_reversible(r, self));
    TRY(tmpl_iterate(r, self, &items));
    if (!items.n) return tmpl_undef(r, "No last item, sequence was empty.", out);
    *out = items.v[items.n - 1];
    return 0;
}

FN(f_reverse)
{
    struct seq items;
    struct val v;
    size_t mark = r->out.len;
    TRY(tmpl_iterate(r, self, &items));
    if (self.tag == V_STR) {
        for (size_t i = items.n; i-- > 0;) TRY(tmpl_print(r, items.v[i]));
        return tmpl_take(r, mark, out);
    }
    TRY(list_of(r, items, &v));
    for (size_t i = 0; i < items.n; i++) v.l->v[i] = items.v[items.n - 1 - i];
    return tmpl_generator(r, *v.l, out);
}

/* str(d).join(items), each through an attribute if asked. */
FN(f_join)
{
    struct seq items;
    size_t mark = r->out.len;
    TRY(tmpl_iterate(r, self, &items));
    for (size_t i = 0; i < items.n; i++) {
        struct val v = items.v[i];
        if (i && v_given(a[0])) TRY(tmpl_print(r, a[0]));
        if (!v_is_none(a[1])) TRY(get_path(r, v, a[1], v_none(), &v));
        TRY(tmpl_print(r, v));
    }
    return tmpl_take(r, mark, out);
}

FN(f_items)
{
    struct seq items = {0};
    if (self.tag != V_UNDEF) {
        if (self.tag != V_DICT) return bad_arg(r, "Can only get item pairs from a mapping.");
        struct view w = {self.d, 'i'};
        TRY(tmpl_iterate(r, (struct val){.tag = V_VIEW, .w = &w}, &items));
    }
    return tmpl_generator(r, items, out);
}

static int sorted(struct rt *r, struct seq items, struct val *key, bool reverse, struct val *out)
{
    TRY(list_of(r, items, out));
    return tmpl_sort(r, out->l->v, key, items.n, reverse);
}

FN(f_dictsort)
{
    struct seq items;
    struct val *key;
    bool by_value = false;
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    if (self.tag != V_DICT) return bad_arg(r, "dictsort wants a mapping.");
    if (v_given(a[1])) {
        by_value = a[1].tag == V_STR && str_eqz((struct str){a[1].s->p, a[1].s->n}, "value");
        if (!by_value && !(a[1].tag == V_STR && str_eqz((struct str){a[1].s->p, a[1].s->n}, "key")))
            return bad_arg(r, "You can only sort by either \"key\" or \"value\".");
    }
    struct view w = {self.d, 'i'};
    TRY(tmpl_iterate(r, (struct val){.tag = V_VIEW, .w = &w}, &items));
    TRY(tmpl_alloc(r, items.n, sizeof *key, &key));
    for (size_t i = 0; i < items.n; i++)
        TRY(key_of(r, items.v[i].l->v[by_value], v_none(), tmpl_truth(a[0]), &key[i]));
    return sorted(r, items, key, tmpl_truth(a[2]), out);
}

/* The key of an item by "a,b": a list of the keys by each. */
static int multi_key(struct rt *r, struct val item, struct val path, bool case_sensitive, struct val *out)
{
    if (path.tag != V_STR || !path.s->n || !memchr(path.s->p, ',', path.s->n))
        return key_of(r, item, path, case_sensitive, out);
    TRY(tmpl_seq(r, V_LIST, 0, out));
    for (const char *p = path.s->p, *end = p + path.s->n; p <= end;) {
        const char *q = p;
        struct val part, key;
        while (q < end && *q != ',') q++;
        TRY(tmpl_str(r, p, (size_t)(q - p), &part));
        TRY(key_of(r, item, part, case_sensitive, &key));
        TRY(tmpl_push(r, out->l, key));
        p = q + 1;
    }
    return 0;
}

FN(f_sort)
{
    struct seq items;
    struct val *key;
    TRY(tmpl_iterate(r, self, &items));
    TRY(tmpl_alloc(r, items.n, sizeof *key, &key));
    for (size_t i = 0; i < items.n; i++) TRY(multi_key(r, items.v[i], a[2], tmpl_truth(a[1]), &key[i]));
    return sorted(r, items, key, tmpl_truth(a[0]), out);
}

FN(f_groupby)
{
    struct seq items;
    struct val *key, all, group = {0}, last = {0};
    bool cased = tmpl_truth(a[2]);
    TRY(tmpl_iterate(r, self, &items));
    TRY(tmpl_alloc(r, items.n, sizeof *key, &key));
    for (size_t i = 0; i < items.n; i++) {
        TRY(get_path(r, items.v[i], a[0], a[1], &key[i]));
        if (!cased && key[i].tag == V_STR) TRY(tmpl_case(r, key[i].s, CASE_LOWER, &key[i]));
    }
    TRY(sorted(r, items, key, false, &all));
    TRY(tmpl_seq(r, V_LIST, 0, out));
    for (size_t i = 0; i < items.n; i++) {
        bool same = false;
        if (i) TRY(tmpl_eq(r, last, key[i], &same));
        last = key[i];
        if (!same) {
            struct val grouper, pair;
            TRY(get_path(r, all.l->v[i], a[0], a[1], &grouper)); /* as it is written in the first of the group */
            TRY(tmpl_seq(r, V_LIST, 0, &group));
            TRY(tmpl_pair(r, grouper, group, &pair));
            pair.l->named = true;
            TRY(tmpl_push(r, out->l, pair));
        }
        TRY(tmpl_push(r, group.l, all.l->v[i]));
    }
    return 0;
}

FN(f_unique)
{
    struct seq items, kept = {0};
    struct val seen, key, *found;
    TRY(tmpl_iterate(r, self, &items));
    TRY(tmpl_map(r, V_DICT, &seen));
    for (size_t i = 0; i < items.n; i++) {
        TRY(key_of(r, items.v[i], a[1], tmpl_truth(a[0]), &key));
        TRY(tmpl_map_get(r, seen.d, key, &found));
        if (found) continue;
        TRY(tmpl_map_set(r, seen.d, key, v_none()));
        TRY(tmpl_push(r, &kept, items.v[i]));
    }
    return tmpl_generator(r, kept, out);
}

static int extreme(struct rt *r, struct val self, struct val *a, int want, struct val *out)
{
    struct seq items;
    struct val best, key;
    TRY(tmpl_iterate(r, self, &items));
    if (!items.n) return tmpl_undef(r, "No aggregated item, sequence was empty.", out);
    *out = items.v[0];
    TRY(key_of(r, items.v[0], a[1], tmpl_truth(a[0]), &best));
    for (size_t i = 1; i < items.n; i++) {
        int cmp;
        TRY(key_of(r, items.v[i], a[1], tmpl_truth(a[0]), &key));
        TRY(tmpl_cmp(r, key, best, want < 0 ? "<" : ">", &cmp));
        if (cmp != want) continue;
        best = key;
        *out = items.v[i];
    }
    return 0;
}

FN(f_min) { return extreme(r, self, a, -1, out); }
FN(f_max) { return extreme(r, self, a, 1, out); }

FN(f_sum)
{
    struct seq items;
    *out = v_given(a[1]) ? a[1] : v_int(0);
    if (out->tag == V_STR) return bad_arg(r, "sum() can't sum strings.");
    TRY(tmpl_iterate(r, self, &items));
    for (size_t i = 0; i < items.n; i++) {
        struct val v = items.v[i];
        if (!v_is_none(a[0])) TRY(get_path(r, v, a[0], v_none(), &v));
        TRY(tmpl_binary(r, '+', *out, v, out));
    }
    return 0;
}

/* ---- map, select, reject ---- */

/* The rest of the arguments after the first n, and all named ones. */
static struct call rest_of(const struct call *c, size_t n)
{
    return (struct call){.v = n ? c->v + n : c->v, .n = c->n - n, .k = c->k, .nk = c->nk};
}

static int map_attribute(struct rt *r, struct seq items, const struct call *c, struct seq *out)
{
    int at = tmpl_find_kw(c, "attribute"), fallback = tmpl_find_kw(c, "default");
    if (c->nk > 1u + (fallback >= 0)) return bad_arg(r, "map() got an unexpected keyword argument.");
    for (size_t i = 0; i < items.n; i++) {
        struct val v;
        TRY(get_path(r, items.v[i], c->k[at].v, fallback >= 0 ? c->k[fallback].v : v_none(), &v));
        TRY(tmpl_push(r, out, v));
    }
    return 0;
}

FN(f_map)
{
    struct seq items, made = {0};
    if (!tmpl_truth(self)) return tmpl_generator(r, made, out);
    TRY(tmpl_iterate(r, self, &items));
    if (!c->n && tmpl_find_kw(c, "attribute") >= 0) {
        TRY(map_attribute(r, items, c, &made));
        return tmpl_generator(r, made, out);
    }
    if (!c->n) return bad_arg(r, "map requires a filter argument.");
    const struct builtin *fn = c->v[0].tag == V_STR ? tmpl_filter((struct str){c->v[0].s->p, c->v[0].s->n}) : NULL;
    if (!fn) return bad_arg(r, "map() names no known filter.");
    struct call rest = rest_of(c, 1);
    TRY(tmpl_deeper(r));
    for (size_t i = 0; i < items.n; i++) {
        struct val v;
        TRY(tmpl_call_builtin(r, fn, items.v[i], &rest, &v));
        TRY(tmpl_push(r, &made, v));
    }
    r->depth--;
    return tmpl_generator(r, made, out);
}

static int select_items(struct rt *r, struct val self, const struct call *c, bool by_attr, bool keep, struct val *out)
{
    struct seq items, kept = {0};
    size_t skip = by_attr;
    if (!tmpl_truth(self)) return tmpl_generator(r, kept, out);
    TRY(tmpl_iterate(r, self, &items));
    if (c->n < skip) return bad_arg(r, "Missing parameter for attribute name.");
    const struct builtin *fn = NULL;
    if (c->n > skip) {
        const struct val *name = &c->v[skip++];
        fn = name->tag == V_STR ? tmpl_test((struct str){name->s->p, name->s->n}) : NULL;
        if (!fn) return bad_arg(r, "no test of that name.");
    }
    struct call rest = rest_of(c, skip);
    for (size_t i = 0; i < items.n; i++) {
        struct val v = items.v[i];
        if (by_attr) TRY(get_path(r, v, c->v[0], v_none(), &v));
        if (fn) TRY(tmpl_call_builtin(r, fn, v, &rest, &v));
        if (tmpl_truth(v) == keep) TRY(tmpl_push(r, &kept, items.v[i]));
    }
    return tmpl_generator(r, kept, out);
}

FN(f_select) { return select_items(r, self, c, false, true, out); }
FN(f_reject) { return select_items(r, self, c, false, false, out); }
FN(f_selectattr) { return select_items(r, self, c, true, true, out); }
FN(f_rejectattr) { return select_items(r, self, c, true, false, out); }

/* ---- cutting into pieces ---- */

FN(f_batch)
{
    struct seq items, made = {0};
    struct val row = {0};
    int64_t n;
    if (!tmpl_as_int(a[0], &n)) return bad_arg(r, "batch() wants an integer.");
    TRY(tmpl_iterate(r, self, &items));
    for (size_t i = 0; i < items.n; i++) {
        if (!i || (int64_t)row.l->n == n) {
            TRY(tmpl_seq(r, V_LIST, 0, &row));
            TRY(tmpl_push(r, &made, row));
        }
        TRY(tmpl_push(r, row.l, items.v[i]));
    }
    if (items.n && !v_is_none(a[1]))
        for (int64_t k = (int64_t)row.l->n; k < n; k++) {
            TRY(tmpl_step(r, 1));
            TRY(tmpl_push(r, row.l, a[1]));
        }
    return tmpl_generator(r, made, out);
}

FN(f_slice)
{
    struct seq items, made = {0};
    int64_t n, at = 0;
    if (!tmpl_as_int(a[0], &n)) return bad_arg(r, "slice() wants an integer.");
    if (n <= 0) return n ? tmpl_generator(r, made, out) : bad_arg(r, "integer division or modulo by zero.");
    TRY(tmpl_iterate(r, self, &items));
    int64_t each = (int64_t)items.n / n, longer = (int64_t)items.n % n;
    for (int64_t k = 0; k < n; k++) {
        struct val row;
        TRY(tmpl_step(r, 1));
        TRY(tmpl_seq(r, V_LIST, 0, &row));
        for (int64_t i = 0; i < each + (k < longer); i++) TRY(tmpl_push(r, row.l, items.v[at++]));
        if (!v_is_none(a[1]) && k >= longer) TRY(tmpl_push(r, row.l, a[1]));
        TRY(tmpl_push(r, &made, row));
    }
    return tmpl_generator(r, made, out);
}

/* ---- values ---- */

FN(f_default)
{
    bool use = self.tag == V_UNDEF || (tmpl_truth(a[1]) && !tmpl_truth(self));
    *out = self;
    if (!use) return 0;
    *out = a[0];
    return v_given(a[0]) ? 0 : tmpl_strz(r, "", out);
}

FN(f_attr)
{
    if (a[0].tag != V_STR) return bad_arg(r, "attr() wants a string.");
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    if (self.tag == V_DICT && !tmpl_is_method_name((struct str){a[0].s->p, a[0].s->n}))
        return tmpl_undef_name(r, a[0].s, "dict", out);
    return tmpl_attr(r, self, a[0].s, out);
}

FN(f_abs)
{
    int64_t i;
    if (self.tag == V_FLOAT) {
        *out = v_float(fabs(self.f));
        return 0;
    }
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    if (!tmpl_as_int(self, &i) || i == INT64_MIN) return bad_arg(r, "bad operand type for abs().");
    *out = v_int(i < 0 ? -i : i);
    return 0;
}

static bool float_to_int(double f, int64_t *out)
{
    if (!(f > -9223372036854775808.0 && f < 9223372036854775808.0)) return false;
    *out = (int64_t)f;
    return true;
}

FN(f_int)
{
    int64_t i, base = 10;
    double f;
    struct str s = {0};
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    if (v_given(a[1]) && !tmpl_as_int(a[1], &base)) return bad_arg(r, "the base must be an integer.");
    if (self.tag == V_STR) s = (struct str){self.s->p, self.s->n};
    bool done = tmpl_as_int(self, &i) || (self.tag == V_FLOAT && float_to_int(self.f, &i));
    if (self.tag == V_STR)
        done = tmpl_parse_int(s, (int)(base < 0 || base > 36 ? 99 : base), &i) ||
               (tmpl_parse_float(s, &f) && float_to_int(f, &i));
    *out = done ? v_int(i) : v_given(a[0]) ? a[0] : v_int(0);
    return 0;
}

FN(f_float)
{
    double f;
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    bool done = tmpl_as_num(self, &f);
    if (self.tag == V_STR) done = tmpl_parse_float((struct str){self.s->p, self.s->n}, &f);
    *out = done ? v_float(f) : v_given(a[0]) ? a[0] : v_float(0);
    return 0;
}

static int round_int(struct rt *r, int64_t i, int64_t digits, struct val *out)
{
    __int128 unit = 1, v = i;
    for (; digits < 0 && unit < (__int128)INT64_MAX * 4; digits++) unit *= 10;
    __int128 half = unit / 2, low = v % unit;
    if (low < 0) low += unit;
    v -= low;
    if (unit > 1 && (low > half || (low == half && (v / unit) % 2 != 0))) v += unit;
    if (v > INT64_MAX || v < INT64_MIN) return bad_arg(r, "an integer is larger than 64 bits hold.");
    *out = v_int((int64_t)v);
    return 0;
}

FN(f_round)
{
    int64_t digits = 0, i;
    double f;
    char text[400];
    struct str how = STR("common");
    if (v_given(a[0]) && !tmpl_as_int(a[0], &digits)) return bad_arg(r, "the precision must be an integer.");
    if (v_given(a[1])) how = a[1].tag == V_STR ? (struct str){a[1].s->p, a[1].s->n} : STR("");
    bool ceiling = str_eqz(how, "ceil");
    if (!ceiling && !str_eqz(how, "floor") && !str_eqz(how, "common"))
        return bad_arg(r, "method must be common, ceil or floor.");
    if (self.tag == V_UNDEF) return tmpl_undef_fail(r, self);
    if (!tmpl_as_num(self, &f)) return bad_arg(r, "round() wants a number.");
    if (digits < -300) digits = -300;
    if (!str_eqz(how, "common")) {
        double unit = pow(10, (double)(digits > 300 ? 300 : digits)), v = f * unit;
        if (!isfinite(v)) return bad_arg(r, "cannot convert the float to an integer.");
        *out = v_float((ceiling ? ceil(v) : floor(v)) / unit);
        return 0;
    }
    if (tmpl_as_int(self, &i)) return round_int(r, i, digits < 0 ? digits : 0, out);
    if (digits > 22 || !isfinite(f)) {
        *out = v_float(f);
        return 0;
    }
    if (digits >= 0) { /* the C library rounds the exact value, half to even, as Python does */
        snprintf(text, sizeof text, "%.*f", (int)digits, f);
        *out = v_float(strtod(text, NULL));
        return 0;
    }
    double unit = pow(10, (double)-digits);
    *out = v_float(copysign(nearbyint(f / unit) * unit, f));
    return 0;
}

FN(f_filesizeformat)
{
    static const char *const units[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                            {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
    double bytes, base = tmpl_truth(a[0]) ? 1024 : 1000, unit;
    char text[64];
    if (self.tag == V_STR ? !tmpl_parse_float((struct str){self.s->p, self.s->n}, &bytes) : !tmpl_as_num(self, &bytes))
        return bad_arg(r, "could not convert to float.");
    if (bytes == 1) return tmpl_strz(r, "1 Byte", out);
    if (bytes < base) {
        snprintf(text, sizeof text, "%.0f Bytes", trunc(bytes));
        return tmpl_strdup(r, text, strlen(text), out);
    }
    int i = 0;
    for (unit = base * base; i < 7 && bytes >= unit; i++) unit *= base;
    snprintf(text, sizeof text, "%.1f %s", base * bytes / unit, units[base == 1024][i]);
    return tmpl_strdup(r, text, strlen(text), out);
}

const struct builtin tmpl_filters_seq[] = {
    {"list", f_list, "", 0, 0}, {"length", f_length, "", 0, 0}, {"count", f_length, "", 0, 0},
    {"first", f_first, "", 0, 0}, {"last", f_last, "", 0, 0}, {"reverse", f_reverse, "", 0, 0},
    {"join", f_join, "d attribute", 0, 0}, {"items", f_items, "", 0, 0},
    {"dictsort", f_dictsort, "case_sensitive by reverse", 0, 0},
    {"sort", f_sort, "reverse case_sensitive attribute", 0, 0},
    {"groupby", f_groupby, "attribute default case_sensitive", 1, 0},
    {"unique", f_unique, "case_sensitive attribute", 0, 0}, {"min", f_min, "case_sensitive attribute", 0, 0},
    {"max", f_max, "case_sensitive attribute", 0, 0}, {"sum", f_sum, "attribute start", 0, 0},
    {"map", f_map, NULL, 0, 0}, {"select", f_select, NULL, 0, 0}, {"reject", f_reject, NULL, 0, 0},
    {"selectattr", f_selectattr, NULL, 0, 0}, {"rejectattr", f_rejectattr, NULL, 0, 0},
    {"batch", f_batch, "linecount fill_with", 1, 0}, {"slice", f_slice, "slices fill_with", 1, 0},
    {"default", f_default, "default_value boolean", 0, 0}, {"d", f_default, "default_value boolean", 0, 0},
    {"attr", f_attr, "name", 1, 0}, {"abs", f_abs, "", 0, 0}, {"int", f_int, "default base", 0, 0},
    {"float", f_float, "default", 0, 0}, {"round", f_round, "precision method", 0, 0},
    {"filesizeformat", f_filesizeformat, "binary", 0, 0}, {0},
};
