/* Chat templates: the methods of dict, list, tuple, numbers and cycler, and the functions every template can call
 * (range, dict, namespace, cycler, joiner, raise_exception, strftime_now). What would change its object is not here:
 * tmpl_ops.c makes it an undefined. Next: tmpl_test.c. */
#include "tmpl.h"

#include <math.h>
#include <time.h>

static struct val view_of(struct view *w) { return (struct val){.tag = V_VIEW, .w = w}; }

static int make_view(struct rt *r, struct map *d, char what, struct val *out)
{
    struct view *w;
    TRY(tmpl_alloc(r, 1, sizeof *w, &w));
    *w = (struct view){d, what};
    *out = view_of(w);
    return 0;
}

FN(dict_items) { return make_view(r, self.d, 'i', out); }
FN(dict_keys) { return make_view(r, self.d, 'k', out); }
FN(dict_values) { return make_view(r, self.d, 'v', out); }

FN(dict_get)
{
    struct val *v;
    TRY(tmpl_map_get(r, self.d, a[0], &v));
    *out = v ? *v : v_given(a[1]) ? a[1] : v_none();
    return 0;
}

static int copy_map(struct rt *r, const struct map *from, struct map *to)
{
    TRY(tmpl_step(r, from->n / 4));
    for (size_t i = 0; i < from->n; i++) TRY(tmpl_map_set(r, to, from->e[i].k, from->e[i].v));
    return 0;
}

FN(dict_copy)
{
    TRY(tmpl_map(r, V_DICT, out));
    return copy_map(r, self.d, out->d);
}

FN(dict_fromkeys)
{
    struct seq keys;
    TRY(tmpl_iterate(r, a[0], &keys));
    TRY(tmpl_map(r, V_DICT, out));
    for (size_t i = 0; i < keys.n; i++) TRY(tmpl_map_set(r, out->d, keys.v[i], v_given(a[1]) ? a[1] : v_none()));
    return 0;
}

static int seq_find(struct rt *r, struct val self, struct val x, int64_t *first, int64_t *count)
{
    struct seq l;
    *first = -1;
    *count = 0;
    TRY(tmpl_iterate(r, self, &l));
    for (size_t i = 0; i < l.n; i++) {
        bool eq;
        TRY(tmpl_eq(r, l.v[i], x, &eq));
        if (eq && *first < 0) *first = (int64_t)i;
        *count += eq;
    }
    return tmpl_step(r, l.n / 8);
}

FN(seq_index)
{
    int64_t first, count;
    TRY(seq_find(r, self, a[0], &first, &count));
    if (first < 0) return tmpl_fail(r, "the value is not in the %s.", tmpl_type_name(self));
    *out = v_int(first);
    return 0;
}

FN(seq_count)
{
    int64_t first, count;
    TRY(seq_find(r, self, a[0], &first, &count));
    *out = v_int(count);
    return 0;
}

FN(list_copy)
{
    *out = self; /* nobody can change either */
    return 0;
}

FN(float_is_integer)
{
    *out = v_bool(isfinite(self.f) && self.f == floor(self.f));
    return 0;
}

FN(int_bit_length)
{
    int64_t i = 0;
    tmpl_as_int(self, &i);
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    *out = v_int(u ? 64 - __builtin_clzll(u) : 0);
    return 0;
}

FN(cycler_next)
{
    struct cycler *cy = self.cy;
    *out = cy->items.v[cy->pos];
    cy->pos = (cy->pos + 1) % cy->items.n;
    return 0;
}

FN(cycler_reset)
{
    self.cy->pos = 0;
    *out = v_none();
    return 0;
}

#define DICT (1u << V_DICT)
#define SEQS (1u << V_LIST | 1u << V_TUPLE | 1u << V_RANGE)
const struct builtin tmpl_methods_misc[] = {
    {"items", dict_items, "", 0, DICT}, {"keys", dict_keys, "", 0, DICT}, {"values", dict_values, "", 0, DICT},
    {"get", dict_get, "/key default", 1, DICT}, {"copy", dict_copy, "", 0, DICT},
    {"fromkeys", dict_fromkeys, "/iterable value", 1, DICT},
    {"index", seq_index, "/value", 1, SEQS}, {"count", seq_count, "/value", 1, SEQS},
    {"copy", list_copy, "", 0, 1u << V_LIST}, {"is_integer", float_is_integer, "", 0, 1u << V_FLOAT},
    {"bit_length", int_bit_length, "", 0, 1u << V_INT | 1u << V_BOOL},
    {"next", cycler_next, "", 0, 1u << V_CYCLER}, {"reset", cycler_reset, "", 0, 1u << V_CYCLER}, {0},
};

const struct builtin *tmpl_method(enum tag type, const struct sstr *name)
{
    const struct str s = {name->p, name->n};
    const struct builtin *b = type == V_STR ? tmpl_methods_str : tmpl_methods_misc;
    for (; b->name; b++)
        if ((b->types & 1u << type) && str_eqz(s, b->name)) return b;
    return NULL;
}

/* Whether the attribute `name` of a dict is a method and hides a key of that name. */
bool tmpl_is_method_name(struct str name)
{
    static const char *const changing[] = {"clear", "pop", "popitem", "setdefault", "update"};
    const struct sstr s = {.p = name.p, .n = name.n};
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        if (str_eqz(name, changing[i])) return true;
    return tmpl_method(V_DICT, &s) != NULL;
}

/* ---- functions ---- */

static int range_length(struct rt *r, int64_t start, int64_t stop, int64_t step, int64_t *out)
{
    __int128 span = step > 0 ? (__int128)stop - start : (__int128)start - stop, by = step > 0 ? step : -(__int128)step;
    __int128 n = span > 0 ? (span - 1) / by + 1 : 0;
    if (n > TMPL_MAX_RANGE) return tmpl_limit(r, "a longer range()");
    *out = (int64_t)n;
    return 0;
}

FN(fn_range)
{
    int64_t v[3] = {0, 0, 1};
    struct range *g;
    for (int i = 0; i < 3 && v_given(a[i]); i++) {
        if (a[i].tag == V_UNDEF) return tmpl_undef_fail(r, a[i]);
        if (!tmpl_as_int(a[i], &v[i]))
            return tmpl_fail(r, "'%s' object cannot be interpreted as an integer.", tmpl_type_name(a[i]));
    }
    if (!v_given(a[1])) {
        v[1] = v[0];
        v[0] = 0;
    }
    if (!v[2]) return tmpl_fail(r, "range() arg 3 must not be zero.");
    TRY(tmpl_alloc(r, 1, sizeof *g, &g));
    *g = (struct range){.start = v[0], .stop = v[1], .step = v[2]};
    TRY(range_length(r, v[0], v[1], v[2], &g->n));
    *out = (struct val){.tag = V_RANGE, .r = g};
    return 0;
}

/* dict(mapping or pairs, key=value…), and namespace() the same. */
static int make_map(struct rt *r, const struct call *c, enum tag tag, struct val *out)
{
    TRY(tmpl_map(r, tag, out));
    if (c->n > 1) return tmpl_fail(r, "expected at most 1 argument, got %zu.", c->n);
    if (c->n && (c->v[0].tag == V_DICT)) {
        TRY(copy_map(r, c->v[0].d, out->d));
    } else if (c->n) {
        struct seq pairs, pair;
        TRY(tmpl_iterate(r, c->v[0], &pairs));
        for (size_t i = 0; i < pairs.n; i++) {
            TRY(tmpl_iterate(r, pairs.v[i], &pair));
            if (pair.n != 2) return tmpl_fail(r, "dictionary update sequence element #%zu is not a pair.", i);
            TRY(tmpl_map_set(r, out->d, pair.v[0], pair.v[1]));
        }
    }
    for (size_t i = 0; i < c->nk; i++) TRY(tmpl_map_set(r, out->d, v_str(c->k[i].name), c->k[i].v));
    return 0;
}

FN(fn_dict) { return make_map(r, c, V_DICT, out); }
FN(fn_namespace) { return make_map(r, c, V_NS, out); }

FN(fn_cycler)
{
    struct cycler *cy;
    if (!c->n || c->nk) return tmpl_fail(r, "at least one item has to be provided.");
    TRY(tmpl_alloc(r, 1, sizeof *cy, &cy));
    cy->items = (struct seq){.n = c->n, .v = c->v};
    *out = (struct val){.tag = V_CYCLER, .cy = cy};
    return 0;
}

FN(fn_joiner)
{
    struct cycler *cy;
    TRY(tmpl_alloc(r, 1, sizeof *cy, &cy));
    struct val sep = a[0];
    if (!v_given(sep)) TRY(tmpl_strz(r, ", ", &sep));
    TRY(tmpl_push(r, &cy->items, sep));
    *out = (struct val){.tag = V_JOINER, .cy = cy};
    return 0;
}

FN(fn_raise)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, a[0], &s));
    return tmpl_fail(r, "%.*s", (int)(s->n < 200 ? s->n : 200), s->p);
}

/* strftime of the given moment, UTC. The C library's directives are Python's, plus %f (microseconds). */
FN(fn_strftime_now)
{
    struct tm tm;
    size_t mark = r->out.len;
    time_t now = (time_t)r->now;
    if (a[0].tag != V_STR) return tmpl_fail(r, "strftime_now() wants a str, not %s.", tmpl_type_name(a[0]));
    if (!gmtime_r(&now, &tm)) return tmpl_fail(r, "the date is out of range.");
    for (const char *p = a[0].s->p, *end = p + a[0].s->n; p < end;) {
        if (*p != '%' || p + 1 >= end) {
            TRY(tmpl_put(r, p++, 1));
            continue;
        }
        char spec[5] = {'%', 0}, text[128];
        size_t n = 1;
        p++;
        if (strchr("-_0^#", *p) && p + 1 < end) spec[n++] = *p++;
        if ((*p == 'E' || *p == 'O') && p + 1 < end) spec[n++] = *p++;
        spec[n] = *p++;
        if (spec[n] == 'f') TRY(tmpl_put(r, "000000", 6));
        else if (spec[n] == 'z' || spec[n] == 'Z') continue; /* a moment without a zone */
        else if (strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyY%", spec[n]))
            TRY(tmpl_put(r, text, strftime(text, sizeof text, spec, &tm)));
        else TRY(tmpl_put(r, spec, n + 1));
    }
    return tmpl_take(r, mark, out);
}

FN(fn_lipsum) { return tmpl_fail(r, "lipsum() is not supported."); }

const struct builtin *tmpl_global(struct str name)
{
    static const struct builtin rows[] = {
        {"range", fn_range, "/start stop step", 1, 0}, {"dict", fn_dict, NULL, 0, 0},
        {"namespace", fn_namespace, NULL, 0, 0}, {"cycler", fn_cycler, NULL, 0, 0}, {"joiner", fn_joiner, "sep", 0, 0},
        {"raise_exception", fn_raise, "message", 1, 0}, {"strftime_now", fn_strftime_now, "format", 1, 0},
        {"lipsum", fn_lipsum, NULL, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_eqz(name, rows[i].name)) return &rows[i];
    return NULL;
}
