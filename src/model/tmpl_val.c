/* Chat templates: values, with Python's semantics: truth, equality, order, hashing, iteration.
 *
 * A value is 16 bytes; what does not fit is in the rendering's arena. Strings are borrowed runs of UTF-8, so cutting
 * one costs no bytes. Joining two continues in place when the left one ends where its growth buffer ends:
 *
 *     growth: |s t a r t o f t e x t|m o r e|. . . . free . . . .|
 *             ^a.p                  ^a's end ^used                ^end      a + "more" reuses a's bytes
 *
 * A dict keeps its entries in order of insertion; from 9 entries on `slot` is an open-addressing index into them.
 * Constants of the template are shared between threads: their cached fields are filled when it is compiled (seal).
 * Next: tmpl_text.c. */
#include "tmpl.h"

#include <math.h>
#include <stdarg.h>

struct growth {
    char *used, *end;
};

/* ---- errors and bounds ---- */

int tmpl_fail(struct rt *r, const char *fmt, ...)
{
    char msg[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    msg[utf8_complete(msg, strlen(msg))] = 0;
    return err_set(r->e, CROFT_E_TEMPLATE, "chat template", r->line, "The chat template refused, line %d: %s", r->line,
                   msg);
}

int tmpl_limit(struct rt *r, const char *what)
{
    return err_set(r->e, CROFT_E_LIMIT, "chat template", r->line,
                   "The chat template was stopped in line %d: it needs %s than allowed.", r->line, what);
}

int tmpl_step(struct rt *r, uint64_t n)
{
    r->steps += n;
    return r->steps > r->max_steps ? tmpl_limit(r, "more steps") : 0;
}

int tmpl_deeper(struct rt *r)
{
    if (r->depth >= TMPL_MAX_DEPTH) return tmpl_limit(r, "deeper recursion");
    r->depth++;
    return 0;
}

int tmpl_alloc(struct rt *r, size_t n, size_t size, void *out_pp)
{
    void *p = NULL;
    memcpy(out_pp, &p, sizeof p);
    if (n > r->a.max / size || n * size > r->a.max - r->a.used) return tmpl_limit(r, "more memory");
    p = arena_alloc(&r->a, n * size);
    if (!p) return err_nomem(r->e, n * size);
    memcpy(out_pp, &p, sizeof p);
    return 0;
}

int tmpl_put(struct rt *r, const char *p, size_t n)
{
    int rc = buf_add(&r->out, p, n);
    if (!rc) return 0;
    return rc == CROFT_E_LIMIT ? tmpl_limit(r, "more output") : err_nomem(r->e, n);
}

/* ---- strings ---- */

int64_t tmpl_chars(struct sstr *s)
{
    if (s->chars < 0) {
        int64_t n = 0;
        for (size_t i = 0; i < s->n; i++) n += (s->p[i] & 0xC0) != 0x80;
        s->chars = n;
    }
    return s->chars;
}

const char *tmpl_char_at(struct sstr *s, int64_t i)
{
    if (tmpl_chars(s) == (int64_t)s->n) return s->p + i;
    const char *p = s->p, *end = s->p + s->n;
    if (i > s->chars / 2) { /* nearer to the end */
        for (p = end, i = s->chars - i; i > 0; i--)
            while ((*--p & 0xC0) == 0x80) {}
        return p;
    }
    for (; i > 0 && p < end; i--)
        for (p++; p < end && (*p & 0xC0) == 0x80; p++) {}
    return p;
}

uint64_t tmpl_str_hash(struct sstr *s)
{
    if (!s->hash) s->hash = str_hash(s->p, s->n) | 1;
    return s->hash;
}

void tmpl_str_seal(struct sstr *s)
{
    s->chars = -1;
    tmpl_chars(s);
    tmpl_str_hash(s);
}

bool tmpl_str_eq(const struct sstr *a, const struct sstr *b)
{
    return a == b || (a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0));
}

int tmpl_str(struct rt *r, const char *p, size_t n, struct val *out)
{
    struct sstr *s;
    TRY(tmpl_alloc(r, 1, sizeof *s, &s));
    *s = (struct sstr){.p = p, .n = n, .chars = -1};
    *out = v_str(s);
    return 0;
}

int tmpl_strz(struct rt *r, const char *z, struct val *out) { return tmpl_str(r, z, strlen(z), out); }

int tmpl_strdup(struct rt *r, const char *p, size_t n, struct val *out)
{
    char *copy;
    TRY(tmpl_step(r, n / 64));
    TRY(tmpl_alloc(r, n ? n : 1, 1, &copy));
    if (n) memcpy(copy, p, n);
    return tmpl_str(r, copy, n, out);
}

/* The part [from, to) of s; it stays Markup. */
int tmpl_cut(struct rt *r, const struct sstr *s, const char *from, const char *to, struct val *out)
{
    TRY(tmpl_str(r, from, (size_t)(to - from), out));
    out->s->markup = s->markup;
    return 0;
}

int tmpl_take(struct rt *r, size_t mark, struct val *out)
{
    TRY(tmpl_strdup(r, r->out.data ? r->out.data + mark : "", r->out.len - mark, out));
    r->out.len = mark;
    return 0;
}

int tmpl_concat(struct rt *r, struct sstr *a, struct sstr *b, struct val *out)
{
    if (a->markup != b->markup) {
        struct val escaped;
        TRY(tmpl_escape(r, v_str(a->markup ? b : a), &escaped));
        return a->markup ? tmpl_concat(r, a, escaped.s, out) : tmpl_concat(r, escaped.s, b, out);
    }
    TRY(tmpl_step(r, b->n / 64));
    struct growth *g = a->g;
    const char *p = a->p;
    if (!g || g->used != a->p + a->n || (size_t)(g->end - g->used) < b->n) {
        char *room;
        size_t cap = a->n + b->n + (a->n + b->n) / 2 + 16;
        TRY(tmpl_step(r, a->n / 64));
        TRY(tmpl_alloc(r, cap, 1, &room));
        TRY(tmpl_alloc(r, 1, sizeof *g, &g));
        if (a->n) memcpy(room, a->p, a->n);
        *g = (struct growth){room + a->n, room + cap};
        p = room;
    }
    if (b->n) memcpy(g->used, b->p, b->n);
    g->used += b->n;
    TRY(tmpl_str(r, p, a->n + b->n, out));
    out->s->g = g;
    out->s->markup = a->markup;
    return 0;
}

/* ---- undefined ---- */

int tmpl_undef(struct rt *r, const char *hint, struct val *out)
{
    struct undef *u;
    TRY(tmpl_alloc(r, 1, sizeof *u, &u));
    u->hint = hint;
    *out = (struct val){.tag = V_UNDEF, .u = u};
    return 0;
}

int tmpl_undef_name(struct rt *r, const struct sstr *name, const char *obj, struct val *out)
{
    TRY(tmpl_undef(r, NULL, out));
    out->u->name = name;
    out->u->obj = obj;
    return 0;
}

int tmpl_undef_fail(struct rt *r, struct val v)
{
    const struct undef *u = v.u;
    if (u->hint) return tmpl_fail(r, "%s", u->hint);
    int n = (int)(u->name->n < 80 ? u->name->n : 80);
    if (u->obj) return tmpl_fail(r, "'%s' has no attribute '%.*s'.", u->obj, n, u->name->p);
    return tmpl_fail(r, "'%.*s' is undefined.", n, u->name->p);
}

const char *tmpl_type_name(struct val v)
{
    static const char *const names[] = {
        "missing", "Undefined", "None", "bool", "int", "float", "str", "list", "tuple", "dict", "range", "dict view",
        "generator", "Namespace", "function", "method", "Macro", "LoopContext", "Cycler", "Joiner"};
    return names[v.tag];
}

/* ---- containers ---- */

int tmpl_seq(struct rt *r, enum tag tag, size_t n, struct val *out)
{
    struct seq *l;
    TRY(tmpl_alloc(r, 1, sizeof *l, &l));
    if (n) TRY(tmpl_alloc(r, n, sizeof *l->v, &l->v));
    l->n = l->cap = n;
    *out = (struct val){.tag = tag, .l = l};
    return 0;
}

int tmpl_push(struct rt *r, struct seq *l, struct val v)
{
    if (l->n == l->cap) {
        struct val *grown;
        size_t cap = l->cap ? l->cap * 2 : 8;
        TRY(tmpl_alloc(r, cap, sizeof *grown, &grown));
        if (l->n) memcpy(grown, l->v, l->n * sizeof *grown);
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return 0;
}

int tmpl_pair(struct rt *r, struct val x, struct val y, struct val *out)
{
    TRY(tmpl_seq(r, V_TUPLE, 2, out));
    out->l->v[0] = x;
    out->l->v[1] = y;
    return 0;
}

int tmpl_generator(struct rt *r, struct seq items, struct val *out)
{
    struct iter *it;
    TRY(tmpl_alloc(r, 1, sizeof *it, &it));
    it->items = items;
    *out = (struct val){.tag = V_ITER, .it = it};
    return 0;
}

int tmpl_map(struct rt *r, enum tag tag, struct val *out)
{
    struct map *d;
    TRY(tmpl_alloc(r, 1, sizeof *d, &d));
    *out = (struct val){.tag = tag, .d = d};
    return 0;
}

/* Equal numbers hash alike whatever their type. */
static int hash_of(struct rt *r, struct val v, uint64_t *out, int depth)
{
    int64_t i;
    uint64_t h = 14695981039346656037u;
    *out = 0;
    switch (v.tag) {
    case V_STR: *out = tmpl_str_hash(v.s); return 0;
    case V_NONE: *out = 77; return 0;
    case V_UNDEF: *out = 99; return 0;
    case V_BOOL:
    case V_INT:
        tmpl_as_int(v, &i);
        *out = (uint64_t)i * 0x9E3779B97F4A7C15u | 1;
        return 0;
    case V_FLOAT:
        if (v.f == floor(v.f) && fabs(v.f) < 9e18) return hash_of(r, v_int((int64_t)v.f), out, depth);
        *out = str_hash(&v.f, sizeof v.f) | 1;
        return 0;
    case V_TUPLE:
        if (depth > TMPL_MAX_DATA_DEPTH) return tmpl_limit(r, "deeper nesting");
        for (size_t k = 0; k < v.l->n; k++) {
            uint64_t part;
            TRY(hash_of(r, v.l->v[k], &part, depth + 1));
            h = (h ^ part) * 0x100000001b3u;
        }
        *out = h | 1;
        return 0;
    case V_LIST:
    case V_DICT: return tmpl_fail(r, "a %s cannot be a key: unhashable type.", tmpl_type_name(v));
    default: *out = (uint64_t)(uintptr_t)v.s | 1; return 0;
    }
}

static int map_find(struct rt *r, const struct map *d, struct val k, uint64_t hash, struct entry **out)
{
    bool eq;
    *out = NULL;
    if (!d->slot) {
        for (size_t i = 0; i < d->n; i++) {
            if (d->e[i].hash != hash) continue;
            TRY(tmpl_eq(r, d->e[i].k, k, &eq));
            if (eq) {
                *out = &d->e[i];
                break;
            }
        }
        return 0;
    }
    for (size_t at = hash & (d->n_slots - 1); d->slot[at]; at = (at + 1) & (d->n_slots - 1)) {
        struct entry *en = &d->e[d->slot[at] - 1];
        if (en->hash != hash) continue;
        TRY(tmpl_eq(r, en->k, k, &eq));
        if (eq) {
            *out = en;
            break;
        }
    }
    return 0;
}

static void index_entry(struct map *d, size_t i)
{
    size_t at = d->e[i].hash & (d->n_slots - 1);
    while (d->slot[at]) at = (at + 1) & (d->n_slots - 1);
    d->slot[at] = (uint32_t)i + 1;
}

static int map_grow(struct rt *r, struct map *d)
{
    size_t cap = d->cap ? d->cap * 2 : 8;
    struct entry *e;
    TRY(tmpl_alloc(r, cap, sizeof *e, &e));
    if (d->n) memcpy(e, d->e, d->n * sizeof *e);
    d->e = e;
    d->cap = cap;
    if (cap <= 8) return 0;
    TRY(tmpl_alloc(r, cap * 2, sizeof *d->slot, &d->slot));
    d->n_slots = cap * 2;
    for (size_t i = 0; i < d->n; i++) index_entry(d, i);
    return 0;
}

int tmpl_map_set(struct rt *r, struct map *d, struct val k, struct val v)
{
    uint64_t hash;
    struct entry *en;
    TRY(hash_of(r, k, &hash, 0));
    TRY(map_find(r, d, k, hash, &en));
    if (en) {
        en->v = v;
        return 0;
    }
    if (d->n == d->cap) TRY(map_grow(r, d));
    d->e[d->n] = (struct entry){k, v, hash};
    if (d->slot) index_entry(d, d->n);
    d->n++;
    return 0;
}

int tmpl_map_get(struct rt *r, struct map *d, struct val k, struct val **out)
{
    uint64_t hash;
    struct entry *en;
    *out = NULL;
    TRY(hash_of(r, k, &hash, 0));
    TRY(map_find(r, d, k, hash, &en));
    if (en) *out = &en->v;
    return 0;
}

struct val *tmpl_map_str(const struct map *d, struct sstr *k)
{
    struct entry *en;
    return map_find(NULL, d, v_str(k), tmpl_str_hash(k), &en) || !en ? NULL : &en->v;
}

/* ---- walking ---- */

static int iterate_str(struct rt *r, struct sstr *s, struct seq *out)
{
    const char *p = s->p, *end = p + s->n;
    struct sstr *parts;
    size_t n = (size_t)tmpl_chars(s);
    TRY(tmpl_step(r, n / 8));
    TRY(tmpl_alloc(r, n, sizeof *out->v, &out->v));
    TRY(tmpl_alloc(r, n, sizeof *parts, &parts));
    for (size_t i = 0; i < n; i++) {
        const char *q = p + 1;
        while (q < end && (*q & 0xC0) == 0x80) q++;
        parts[i] = (struct sstr){.p = p, .n = (size_t)(q - p), .chars = 1};
        out->v[i] = v_str(&parts[i]);
        p = q;
    }
    out->n = out->cap = n;
    return 0;
}

static int iterate_map(struct rt *r, const struct map *d, char what, struct seq *out)
{
    TRY(tmpl_step(r, d->n / 8));
    TRY(tmpl_alloc(r, d->n, sizeof *out->v, &out->v));
    out->n = out->cap = d->n;
    for (size_t i = 0; i < d->n; i++) {
        if (what == 'i') TRY(tmpl_pair(r, d->e[i].k, d->e[i].v, &out->v[i]));
        else out->v[i] = what == 'k' ? d->e[i].k : d->e[i].v;
    }
    return 0;
}

/* The items of a list are not copied: no template can change them. */
int tmpl_iterate(struct rt *r, struct val v, struct seq *out)
{
    *out = (struct seq){0};
    switch (v.tag) {
    case V_UNDEF: return r->strict ? tmpl_undef_fail(r, v) : 0;
    case V_STR: return iterate_str(r, v.s, out);
    case V_LIST:
    case V_TUPLE:
        *out = *v.l;
        out->cap = out->n;
        return 0;
    case V_DICT: return iterate_map(r, v.d, 'k', out);
    case V_VIEW: return iterate_map(r, v.w->d, v.w->what, out);
    case V_RANGE:
        TRY(tmpl_step(r, (uint64_t)v.r->n / 8));
        TRY(tmpl_alloc(r, (size_t)v.r->n, sizeof *out->v, &out->v));
        for (int64_t i = 0; i < v.r->n; i++) out->v[i] = v_int(v.r->start + i * v.r->step);
        out->n = out->cap = (size_t)v.r->n;
        return 0;
    case V_ITER: {
        struct iter *it = v.it;
        *out = it->items;
        if (it->pos) {
            out->v += it->pos;
            out->n -= it->pos;
        }
        out->cap = out->n;
        it->pos = it->items.n;
        return 0;
    }
    case V_LOOP: return tmpl_fail(r, "a loop cannot be iterated over inside itself.");
    default: return tmpl_fail(r, "'%s' object is not iterable.", tmpl_type_name(v));
    }
}

int tmpl_len(struct rt *r, struct val v, int64_t *out)
{
    switch (v.tag) {
    case V_UNDEF: *out = 0; return 0;
    case V_STR: *out = tmpl_chars(v.s); return 0;
    case V_LIST:
    case V_TUPLE: *out = (int64_t)v.l->n; return 0;
    case V_DICT: *out = (int64_t)v.d->n; return 0;
    case V_RANGE: *out = v.r->n; return 0;
    case V_VIEW: *out = (int64_t)v.w->d->n; return 0;
    case V_LOOP: *out = (int64_t)v.loop->items.n; return 0;
    default: return tmpl_fail(r, "object of type '%s' has no len().", tmpl_type_name(v));
    }
}

bool tmpl_truth(struct val v)
{
    switch (v.tag) {
    case V_MISSING:
    case V_UNDEF:
    case V_NONE: return false;
    case V_BOOL: return v.b;
    case V_INT: return v.i != 0;
    case V_FLOAT: return v.f != 0;
    case V_STR: return v.s->n != 0;
    case V_LIST:
    case V_TUPLE: return v.l->n != 0;
    case V_DICT: return v.d->n != 0;
    case V_RANGE: return v.r->n != 0;
    case V_VIEW: return v.w->d->n != 0;
    default: return true;
    }
}

/* ---- equality and order ---- */

static bool is_num(struct val v) { return v.tag == V_BOOL || v.tag == V_INT || v.tag == V_FLOAT; }

/* -1, 0, 1; 2 when not comparable (NaN). Exact for integers against floats. */
static int num_cmp(struct val x, struct val y)
{
    int64_t i, j;
    double f, g;
    if (tmpl_as_int(x, &i) && tmpl_as_int(y, &j)) return (i > j) - (i < j);
    if (x.tag == V_FLOAT && y.tag == V_FLOAT) {
        f = x.f;
        g = y.f;
        return isnan(f) || isnan(g) ? 2 : (f > g) - (f < g);
    }
    if (x.tag == V_FLOAT) {
        int c = num_cmp(y, x);
        return c == 2 ? 2 : -c;
    }
    tmpl_as_int(x, &i);
    if (isnan(y.f)) return 2;
    if (y.f >= 9223372036854775808.0) return -1;
    if (y.f < -9223372036854775808.0) return 1;
    j = (int64_t)y.f;
    if (i != j) return i > j ? 1 : -1;
    f = y.f - (double)j;
    return (f < 0) - (f > 0);
}

static int eq_deep(struct rt *r, struct val x, struct val y, bool *out, int depth);

static int eq_map(struct rt *r, const struct map *x, struct map *y, bool *out, int depth)
{
    *out = x->n == y->n;
    for (size_t i = 0; i < x->n && *out; i++) {
        struct entry *en;
        TRY(map_find(r, y, x->e[i].k, x->e[i].hash, &en));
        if (!en) *out = false;
        else TRY(eq_deep(r, x->e[i].v, en->v, out, depth + 1));
    }
    return 0;
}

static int eq_deep(struct rt *r, struct val x, struct val y, bool *out, int depth)
{
    *out = false;
    if (is_num(x) && is_num(y)) {
        *out = num_cmp(x, y) == 0;
        return 0;
    }
    if (x.tag != y.tag) return 0;
    if (x.tag == V_STR) {
        *out = tmpl_str_eq(x.s, y.s);
        return 0;
    }
    if (depth > TMPL_MAX_DATA_DEPTH) return r ? tmpl_limit(r, "deeper nesting") : CROFT_E_LIMIT;
    if (r) TRY(tmpl_step(r, 1));
    switch (x.tag) {
    case V_NONE:
    case V_UNDEF: *out = true; return 0;
    case V_LIST:
    case V_TUPLE:
        *out = x.l->n == y.l->n;
        for (size_t i = 0; i < x.l->n && *out && x.l != y.l; i++)
            TRY(eq_deep(r, x.l->v[i], y.l->v[i], out, depth + 1));
        return 0;
    case V_DICT: return eq_map(r, x.d, y.d, out, depth);
    case V_RANGE:
        *out = x.r->n == y.r->n && (!x.r->n || x.r->start == y.r->start) && (x.r->n < 2 || x.r->step == y.r->step);
        return 0;
    case V_FUNC: *out = x.fn == y.fn; return 0;
    default: *out = x.s == y.s; return 0; /* the same object */
    }
}

int tmpl_eq(struct rt *r, struct val x, struct val y, bool *out) { return eq_deep(r, x, y, out, 0); }

static int cmp_deep(struct rt *r, struct val x, struct val y, const char *op, int *out, int depth)
{
    if (x.tag == V_UNDEF) return tmpl_undef_fail(r, x);
    if (y.tag == V_UNDEF) return tmpl_undef_fail(r, y);
    if (is_num(x) && is_num(y)) {
        *out = num_cmp(x, y);
        return 0;
    }
    if (x.tag == V_STR && y.tag == V_STR) { /* bytes of UTF-8 sort as code points do */
        size_t n = x.s->n < y.s->n ? x.s->n : y.s->n;
        int c = n ? memcmp(x.s->p, y.s->p, n) : 0;
        TRY(tmpl_step(r, n / 64));
        *out = c ? (c > 0) - (c < 0) : (x.s->n > y.s->n) - (x.s->n < y.s->n);
        return 0;
    }
    if (x.tag == y.tag && v_is_seq(x)) {
        if (depth > TMPL_MAX_DATA_DEPTH) return tmpl_limit(r, "deeper nesting");
        for (size_t i = 0; i < x.l->n && i < y.l->n; i++) {
            bool eq;
            TRY(tmpl_eq(r, x.l->v[i], y.l->v[i], &eq));
            if (!eq) return cmp_deep(r, x.l->v[i], y.l->v[i], op, out, depth + 1);
        }
        *out = (x.l->n > y.l->n) - (x.l->n < y.l->n);
        return 0;
    }
    return tmpl_fail(r, "'%s' not supported between instances of '%s' and '%s'.", op, tmpl_type_name(x),
                     tmpl_type_name(y));
}

int tmpl_cmp(struct rt *r, struct val x, struct val y, const char *op, int *out)
{
    TRY(tmpl_step(r, 1));
    return cmp_deep(r, x, y, op, out, 0);
}

int tmpl_in(struct rt *r, struct val x, struct val in, bool *out)
{
    struct seq items;
    struct val *found;
    int64_t i;
    *out = false;
    switch (in.tag) {
    case V_STR:
        if (x.tag == V_UNDEF) return tmpl_fail(r, "'in <string>' requires string as left operand, not Undefined.");
        if (x.tag != V_STR)
            return tmpl_fail(r, "'in <string>' requires string as left operand, not %s.", tmpl_type_name(x));
        TRY(tmpl_step(r, in.s->n / 64));
        *out = !x.s->n || (in.s->n && memmem(in.s->p, in.s->n, x.s->p, x.s->n) != NULL);
        return 0;
    case V_DICT:
        TRY(tmpl_map_get(r, in.d, x, &found));
        *out = found != NULL;
        return 0;
    case V_RANGE:
        if (tmpl_as_int(x, &i)) {
            __int128 d = (__int128)i - in.r->start;
            *out = d % in.r->step == 0 && d / in.r->step >= 0 && d / in.r->step < in.r->n;
            return 0;
        }
        break;
    default: break;
    }
    if (in.tag == V_NONE || (in.tag >= V_BOOL && in.tag <= V_FLOAT) || in.tag >= V_NS)
        return tmpl_fail(r, "argument of type '%s' is not iterable.", tmpl_type_name(in));
    TRY(tmpl_iterate(r, in, &items));
    TRY(tmpl_step(r, items.n / 8));
    for (size_t k = 0; k < items.n && !*out; k++) TRY(tmpl_eq(r, items.v[k], x, out));
    return 0;
}

/* ---- sorting ---- */

/* Merge the sorted runs [lo, mid) and [mid, hi) of v (and key) through tmp. Stable; with `reverse`, descending and
 * still stable, as Python's sorted(reverse=True). */
static int merge(struct rt *r, struct val *v, struct val *key, struct val *tmp, size_t lo, size_t mid, size_t hi,
                 bool reverse)
{
    size_t i = lo, j = mid, o = 0, n = hi - lo;
    struct val *tkey = tmp + n;
    while (i < mid && j < hi) {
        int c;
        if (reverse) TRY(tmpl_cmp(r, key[i], key[j], "<", &c));
        else TRY(tmpl_cmp(r, key[j], key[i], "<", &c));
        size_t from = c == -1 ? j++ : i++;
        tmp[o] = v[from];
        tkey[o++] = key[from];
    }
    for (; i < mid; i++, o++) tmp[o] = v[i], tkey[o] = key[i];
    for (; j < hi; j++, o++) tmp[o] = v[j], tkey[o] = key[j];
    memcpy(v + lo, tmp, n * sizeof *v);
    memcpy(key + lo, tkey, n * sizeof *key);
    return 0;
}

int tmpl_sort(struct rt *r, struct val *v, struct val *key, size_t n, bool reverse)
{
    struct val *tmp;
    if (n < 2) return 0;
    TRY(tmpl_alloc(r, n * 2, sizeof *tmp, &tmp));
    for (size_t run = 1; run < n; run *= 2)
        for (size_t lo = 0; lo + run < n; lo += run * 2) {
            size_t hi = lo + run * 2 < n ? lo + run * 2 : n;
            TRY(merge(r, v, key, tmp, lo, lo + run, hi, reverse));
        }
    return 0;
}
