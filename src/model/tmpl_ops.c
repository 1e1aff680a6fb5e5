/* Chat templates: operators on values: arithmetic, attributes, items, slices; as Python does them in Jinja's immutable
 * sandbox. Attributes are looked up as methods of the type first and as keys of a dict second; items the other way
 * round. What would change a list or dict, and what starts with an underscore on an object, is an undefined that fails
 * when it is called. Integers are 64 bits wide; what does not fit is refused. Next: tmpl_run.c. */
#include "tmpl.h"

#include <math.h>

bool tmpl_as_int(struct val v, int64_t *out)
{
    if (v.tag == V_INT) *out = v.i;
    else if (v.tag == V_BOOL) *out = v.b;
    else return false;
    return true;
}

bool tmpl_as_num(struct val v, double *out)
{
    int64_t i;
    if (v.tag == V_FLOAT) *out = v.f;
    else if (tmpl_as_int(v, &i)) *out = (double)i;
    else return false;
    return true;
}

static int overflow(struct rt *r) { return tmpl_fail(r, "an integer is larger than 64 bits hold."); }

/* ---- arithmetic ---- */

static int int_power(struct rt *r, int64_t base, int64_t exp, int64_t *out)
{
    int64_t v = 1;
    while (exp) {
        if ((exp & 1) && __builtin_mul_overflow(v, base, &v)) return overflow(r);
        exp >>= 1;
        if (exp && __builtin_mul_overflow(base, base, &base)) return overflow(r);
    }
    *out = v;
    return 0;
}

int tmpl_power(struct rt *r, struct val x, struct val y, struct val *out)
{
    int64_t i, j;
    double f, g;
    if (tmpl_as_int(x, &i) && tmpl_as_int(y, &j) && j >= 0) {
        *out = v_int(0);
        return int_power(r, i, j, &out->i);
    }
    if (!tmpl_as_num(x, &f) || !tmpl_as_num(y, &g))
        return tmpl_fail(r, "unsupported operand types for **: '%s' and '%s'.", tmpl_type_name(x), tmpl_type_name(y));
    if (f == 0 && g < 0) return tmpl_fail(r, "0.0 cannot be raised to a negative power.");
    double p = pow(f, g);
    if (f < 0 && g != floor(g) && isfinite(g)) return tmpl_fail(r, "the power is a complex number.");
    if (isinf(p) && isfinite(f) && isfinite(g)) return tmpl_fail(r, "Result too large.");
    *out = v_float(p);
    return 0;
}

static int int_binary(struct rt *r, int op, int64_t i, int64_t j, struct val *out)
{
    int64_t v = 0;
    switch (op) {
    case '+':
        if (__builtin_add_overflow(i, j, &v)) return overflow(r);
        break;
    case '-':
        if (__builtin_sub_overflow(i, j, &v)) return overflow(r);
        break;
    case '*':
        if (__builtin_mul_overflow(i, j, &v)) return overflow(r);
        break;
    case '/':
        if (!j) return tmpl_fail(r, "division by zero.");
        *out = v_float((double)i / (double)j);
        return 0;
    default: /* // and %: rounded towards minus infinity */
        if (!j) return tmpl_fail(r, "integer division or modulo by zero.");
        if (j == -1) {
            if (op == OP_FLOORDIV && i == INT64_MIN) return overflow(r);
            v = op == '%' ? 0 : -i;
            break;
        }
        v = op == '%' ? i % j : i / j;
        if (i % j && (i < 0) != (j < 0)) v += op == '%' ? j : -1;
    }
    *out = v_int(v);
    return 0;
}

static int float_binary(struct rt *r, int op, double f, double g, struct val *out)
{
    double v;
    if (g == 0 && (op == '/' || op == OP_FLOORDIV || op == '%')) return tmpl_fail(r, "float division by zero.");
    switch (op) {
    case '+': v = f + g; break;
    case '-': v = f - g; break;
    case '*': v = f * g; break;
    case '/': v = f / g; break;
    default:
        v = fmod(f, g);
        if (v != 0 && (g < 0) != (v < 0)) v += g;
        if (v == 0) v = copysign(0, g);
        if (op == '%') break;
        double q = (f - v) / g, whole = floor(q);
        v = q == 0 ? copysign(0, f / g) : q - whole > 0.5 ? whole + 1 : whole;
    }
    *out = v_float(v);
    return 0;
}

int tmpl_repeat(struct rt *r, struct val x, int64_t n, struct val *out)
{
    if (n < 0) n = 0;
    if (x.tag == V_STR) {
        char *p;
        size_t unit = x.s->n;
        if (unit && (uint64_t)n > r->a.max / unit) return tmpl_limit(r, "more memory");
        TRY(tmpl_step(r, unit * (uint64_t)n / 64));
        TRY(tmpl_alloc(r, unit * (size_t)n + 1, 1, &p));
        if (unit == 1) memset(p, x.s->p[0], (size_t)n);
        else
            for (int64_t i = 0; i < n && unit; i++) memcpy(p + (size_t)i * unit, x.s->p, unit);
        TRY(tmpl_str(r, p, unit * (size_t)n, out));
        out->s->markup = x.s->markup;
        return 0;
    }
    struct seq *l = x.l;
    if (l->n && (uint64_t)n > r->a.max / (l->n * sizeof *l->v)) return tmpl_limit(r, "more memory");
    TRY(tmpl_step(r, l->n * (uint64_t)n / 8));
    struct val v;
    TRY(tmpl_seq(r, x.tag, l->n * (size_t)n, &v));
    for (int64_t i = 0; i < n && l->n; i++) memcpy(v.l->v + (size_t)i * l->n, l->v, l->n * sizeof *l->v);
    *out = v;
    return 0;
}

static int seq_add(struct rt *r, struct val x, struct val y, struct val *out)
{
    struct val v;
    TRY(tmpl_step(r, (x.l->n + y.l->n) / 8));
    TRY(tmpl_seq(r, x.tag, x.l->n + y.l->n, &v));
    if (x.l->n) memcpy(v.l->v, x.l->v, x.l->n * sizeof *v.l->v);
    if (y.l->n) memcpy(v.l->v + x.l->n, y.l->v, y.l->n * sizeof *v.l->v);
    *out = v;
    return 0;
}

int tmpl_binary(struct rt *r, int op, struct val x, struct val y, struct val *out)
{
    int64_t i, j;
    double f, g;
    if (x.tag == V_STR && y.tag == V_STR && op == '+') return tmpl_concat(r, x.s, y.s, out);
    if (op == OP_POW && x.tag != V_UNDEF && y.tag != V_UNDEF) return tmpl_power(r, x, y, out);
    if (tmpl_as_int(x, &i) && tmpl_as_int(y, &j)) return int_binary(r, op, i, j, out);
    if (tmpl_as_num(x, &f) && tmpl_as_num(y, &g)) return float_binary(r, op, f, g, out);
    if (x.tag == V_STR && op == '%') return tmpl_format_percent(r, x.s, y, out);
    if (x.tag == V_UNDEF) return tmpl_undef_fail(r, x);
    if (y.tag == V_UNDEF) return tmpl_undef_fail(r, y);
    if (op == '*') {
        if ((x.tag == V_STR || v_is_seq(x)) && tmpl_as_int(y, &j)) return tmpl_repeat(r, x, j, out);
        if ((y.tag == V_STR || v_is_seq(y)) && tmpl_as_int(x, &i)) return tmpl_repeat(r, y, i, out);
    }
    if (op == '+' && v_is_seq(x) && x.tag == y.tag) return seq_add(r, x, y, out);
    if (op == '+' && x.tag == V_STR)
        return tmpl_fail(r, "can only concatenate str (not \"%s\") to str.", tmpl_type_name(y));
    return tmpl_fail(r, "unsupported operand types for %s: '%s' and '%s'.", tmpl_token_name(op), tmpl_type_name(x),
                     tmpl_type_name(y));
}

int tmpl_unary(struct rt *r, int op, struct val x, struct val *out)
{
    int64_t i;
    if (x.tag == V_UNDEF) return tmpl_undef_fail(r, x);
    if (x.tag == V_FLOAT) {
        *out = v_float(op == '-' ? -x.f : x.f);
        return 0;
    }
    if (!tmpl_as_int(x, &i)) return tmpl_fail(r, "bad operand type for unary %c: '%s'.", op, tmpl_type_name(x));
    if (op == '-' && i == INT64_MIN) return overflow(r);
    *out = v_int(op == '-' ? -i : i);
    return 0;
}

/* ---- attributes and items ---- */

static bool changes_object(enum tag tag, const struct sstr *name)
{
    static const char *const list[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove", NULL};
    static const char *const dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    const char *const *names = tag == V_LIST ? list : tag == V_DICT ? dict : NULL;
    for (; names && *names; names++)
        if (str_eqz((struct str){name->p, name->n}, *names)) return true;
    return false;
}

/* A method of the object's type as a value, or *found = false. */
static int bind_method(struct rt *r, struct val obj, const struct sstr *name, bool *found, struct val *out)
{
    const struct builtin *fn = tmpl_method(obj.tag, name);
    struct method *m;
    *found = true;
    if (fn) {
        TRY(tmpl_alloc(r, 1, sizeof *m, &m));
        *m = (struct method){fn, obj};
        *out = (struct val){.tag = V_METHOD, .m = m};
        return 0;
    }
    if (changes_object(obj.tag, name)) {
        TRY(tmpl_undef(r, obj.tag == V_LIST ? "a list cannot be changed by a chat template."
                                            : "a dict cannot be changed by a chat template.", out));
        return 0;
    }
    *found = false;
    return 0;
}

static int macro_attr(struct rt *r, const struct macro *m, const struct sstr *name, bool *found, struct val *out)
{
    struct str n = {name->p, name->n};
    *found = true;
    if (str_eqz(n, "name")) {
        *out = m->node->v;
        return 0;
    }
    if (str_eqz(n, "caller") || str_eqz(n, "catch_varargs") || str_eqz(n, "catch_kwargs")) {
        int bit = n.p[1] == 'a' && n.n == 6 ? MACRO_CALLER : n.n == 13 ? MACRO_VARARGS : MACRO_KWARGS;
        *out = v_bool(m->node->op & bit);
        return 0;
    }
    if (str_eqz(n, "arguments")) {
        TRY(tmpl_seq(r, V_TUPLE, 0, out));
        for (const struct node *i = m->node->a; i; i = i->next) TRY(tmpl_push(r, out->l, i->v));
        return 0;
    }
    *found = false;
    return 0;
}

/* What Python's getattr finds, without keys of dicts. */
static int plain_attr(struct rt *r, struct val obj, struct sstr *name, bool *found, struct val *out)
{
    struct val *v;
    *found = false;
    if (name->n && name->p[0] == '_') return 0; /* private: the sandbox hides it */
    switch (obj.tag) {
    case V_NS:
        v = tmpl_map_str(obj.d, name);
        *found = v != NULL;
        if (v) *out = *v;
        return 0;
    case V_LOOP: {
        int rc = tmpl_loop_attr(r, obj.loop, name, out);
        *found = out->tag != V_MISSING;
        if (rc || *found) return rc;
        break;
    }
    case V_MACRO: return macro_attr(r, obj.mac, name, found, out);
    case V_CYCLER:
        if (str_eqz((struct str){name->p, name->n}, "current")) {
            *found = true;
            *out = obj.cy->items.v[obj.cy->pos];
            return 0;
        }
        break;
    case V_TUPLE: /* what groupby returns has names for its two items */
        if (obj.l->named && str_eqz((struct str){name->p, name->n}, "grouper")) {
            *found = true;
            *out = obj.l->v[0];
            return 0;
        }
        if (obj.l->named && str_eqz((struct str){name->p, name->n}, "list")) {
            *found = true;
            *out = obj.l->v[1];
            return 0;
        }
        break;
    default: break;
    }
    return bind_method(r, obj, name, found, out);
}

int tmpl_attr(struct rt *r, struct val obj, struct sstr *name, struct val *out)
{
    bool found = false;
    struct val *v;
    if (obj.tag == V_UNDEF) return tmpl_undef_fail(r, obj);
    if (obj.tag != V_DICT || tmpl_is_method_name((struct str){name->p, name->n}))
        TRY(plain_attr(r, obj, name, &found, out));
    if (!found && obj.tag == V_DICT && (v = tmpl_map_str(obj.d, name))) {
        *out = *v;
        return 0;
    }
    return found ? 0 : tmpl_undef_name(r, name, tmpl_type_name(obj), out);
}

static int index_of(struct rt *r, struct val obj, int64_t i, bool *found, struct val *out)
{
    int64_t n;
    TRY(tmpl_len(r, obj, &n));
    if (i < 0) i += n;
    *found = i >= 0 && i < n;
    if (!*found) return 0;
    if (obj.tag == V_STR) {
        const char *p = tmpl_char_at(obj.s, i), *q = p + 1, *end = obj.s->p + obj.s->n;
        if (n != (int64_t)obj.s->n) TRY(tmpl_step(r, obj.s->n / 64));
        while (q < end && (*q & 0xC0) == 0x80) q++;
        return tmpl_cut(r, obj.s, p, q, out);
    }
    *out = obj.tag == V_RANGE ? v_int(obj.r->start + i * obj.r->step) : obj.l->v[i];
    return 0;
}

int tmpl_item(struct rt *r, struct val obj, struct val key, struct val *out)
{
    bool found = false;
    int64_t i;
    struct val *v;
    if (obj.tag == V_UNDEF) return tmpl_undef_fail(r, obj);
    if (obj.tag == V_DICT && key.tag != V_LIST && key.tag != V_DICT) { /* unhashable keys are just not there */
        TRY(tmpl_map_get(r, obj.d, key, &v));
        if (v) {
            *out = *v;
            return 0;
        }
    } else if (tmpl_as_int(key, &i) && (obj.tag == V_STR || obj.tag == V_RANGE || v_is_seq(obj))) {
        TRY(index_of(r, obj, i, &found, out));
        if (found) return 0;
    }
    if (key.tag == V_STR) {
        TRY(plain_attr(r, obj, key.s, &found, out));
        return found ? 0 : tmpl_undef_name(r, key.s, tmpl_type_name(obj), out);
    }
    size_t mark = r->out.len;
    struct val name;
    TRY(tmpl_repr(r, key));
    TRY(tmpl_take(r, mark, &name));
    return tmpl_undef_name(r, name.s, tmpl_type_name(obj), out);
}

/* ---- slices ---- */

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* One bound of a slice, as Python's slice.indices() computes it. */
static int bound(struct rt *r, struct val v, int64_t n, int64_t step, int64_t fallback, int64_t *out)
{
    int64_t i;
    *out = fallback;
    if (v_is_none(v)) return 0;
    if (!tmpl_as_int(v, &i)) return tmpl_fail(r, "slice indices must be integers or None, not %s.", tmpl_type_name(v));
    if (i < 0) i = i < -n ? -1 : i + n;
    *out = step > 0 ? clamp(i, 0, n) : clamp(i, -1, n - 1);
    return 0;
}

static int slice_str(struct rt *r, struct sstr *s, int64_t from, int64_t step, int64_t n, struct val *out)
{
    TRY(tmpl_step(r, s->n / 64));
    if (step == 1) {
        const char *p = tmpl_char_at(s, from);
        return tmpl_cut(r, s, p, n == tmpl_chars(s) - from ? s->p + s->n : tmpl_char_at(s, from + n), out);
    }
    size_t mark = r->out.len;
    struct seq chars;
    TRY(tmpl_iterate(r, v_str(s), &chars));
    for (int64_t i = 0; i < n; i++) {
        const struct sstr *c = chars.v[from + i * step].s;
        TRY(tmpl_put(r, c->p, c->n));
    }
    TRY(tmpl_take(r, mark, out));
    out->s->markup = s->markup;
    return 0;
}

int tmpl_slice(struct rt *r, struct val obj, const struct val part[3], struct val *out)
{
    int64_t n, start, stop, step = 1;
    if (obj.tag == V_UNDEF) return tmpl_undef_fail(r, obj);
    if (obj.tag != V_STR && obj.tag != V_RANGE && !v_is_seq(obj))
        return tmpl_fail(r, "'%s' object cannot be sliced.", tmpl_type_name(obj));
    if (!v_is_none(part[2]) && !tmpl_as_int(part[2], &step))
        return tmpl_fail(r, "slice indices must be integers or None.");
    if (!step) return tmpl_fail(r, "slice step cannot be zero.");
    if (step == INT64_MIN) step++;
    TRY(tmpl_len(r, obj, &n));
    TRY(bound(r, part[0], n, step, step > 0 ? 0 : n - 1, &start));
    TRY(bound(r, part[1], n, step, step > 0 ? n : -1, &stop));
    int64_t count = step > 0 ? (stop > start ? (stop - start - 1) / step + 1 : 0)
                             : (start > stop ? (start - stop - 1) / -step + 1 : 0);
    if (!count) start = 0;
    if (obj.tag == V_STR) return slice_str(r, obj.s, start, step, count, out);
    if (obj.tag == V_RANGE) {
        struct range *g;
        TRY(tmpl_alloc(r, 1, sizeof *g, &g));
        /* what overflows here belongs to ranges of at most one number, where it is not used */
        g->start = (int64_t)((uint64_t)obj.r->start + (uint64_t)start * (uint64_t)obj.r->step);
        g->step = (int64_t)((uint64_t)obj.r->step * (uint64_t)step);
        g->stop = (int64_t)((uint64_t)g->start + (uint64_t)count * (uint64_t)g->step);
        g->n = count;
        *out = (struct val){.tag = V_RANGE, .r = g};
        return 0;
    }
    struct val v;
    TRY(tmpl_step(r, (uint64_t)count / 8));
    TRY(tmpl_seq(r, obj.tag, (size_t)count, &v));
    for (int64_t i = 0; i < count; i++) v.l->v[i] = obj.l->v[start + i * step];
    *out = v;
    return 0;
}
