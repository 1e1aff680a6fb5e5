/* Chat templates: the tests after `is`. Each answers with a bool; one row per name at the end.
 * Next: tmpl_filter_seq.c. */
#include "tmpl.h"

static int answer(struct val *out, bool b)
{
    *out = v_bool(b);
    return 0;
}

FN(is_defined) { return answer(out, self.tag != V_UNDEF); }
FN(is_undefined) { return answer(out, self.tag == V_UNDEF); }
FN(is_none) { return answer(out, self.tag == V_NONE); }
FN(is_boolean) { return answer(out, self.tag == V_BOOL); }
FN(is_true) { return answer(out, self.tag == V_BOOL && self.b); }
FN(is_false) { return answer(out, self.tag == V_BOOL && !self.b); }
FN(is_integer) { return answer(out, self.tag == V_INT); }
FN(is_float) { return answer(out, self.tag == V_FLOAT); }
FN(is_number) { return answer(out, self.tag == V_INT || self.tag == V_FLOAT || self.tag == V_BOOL); }
FN(is_string) { return answer(out, self.tag == V_STR); }
FN(is_mapping) { return answer(out, self.tag == V_DICT); }
FN(is_escaped) { return answer(out, self.tag == V_STR && self.s->markup); }

FN(is_sequence)
{
    return answer(out, self.tag == V_STR || self.tag == V_DICT || self.tag == V_RANGE || self.tag == V_UNDEF ||
                           v_is_seq(self));
}

FN(is_iterable)
{
    return answer(out, (self.tag >= V_STR && self.tag <= V_ITER) || self.tag == V_UNDEF || self.tag == V_LOOP);
}

FN(is_callable)
{
    return answer(out, self.tag == V_FUNC || self.tag == V_METHOD || self.tag == V_MACRO || self.tag == V_UNDEF ||
                           self.tag == V_LOOP || self.tag == V_JOINER);
}

FN(is_sameas)
{
    bool same = self.tag == a[0].tag;
    if (!same) return answer(out, false);
    switch (self.tag) {
    case V_NONE: return answer(out, true);
    case V_BOOL: return answer(out, self.b == a[0].b);
    case V_INT: return answer(out, self.i == a[0].i);
    case V_FLOAT: return answer(out, self.f == a[0].f);
    case V_STR: return answer(out, tmpl_str_eq(self.s, a[0].s));
    default: return answer(out, self.s == a[0].s);
    }
}

static int modulo(struct rt *r, struct val x, struct val by, double want, struct val *out)
{
    struct val m;
    double f;
    TRY(tmpl_binary(r, '%', x, by, &m));
    return answer(out, tmpl_as_num(m, &f) && f == want);
}

FN(is_odd) { return modulo(r, self, v_int(2), 1, out); }
FN(is_even) { return modulo(r, self, v_int(2), 0, out); }
FN(is_divisibleby) { return modulo(r, self, a[0], 0, out); }

static int case_test(struct rt *r, struct val v, enum text_case how, struct val *out)
{
    struct sstr *s;
    TRY(tmpl_to_str(r, v, &s));
    TRY(tmpl_step(r, s->n / 16));
    return answer(out, tmpl_case_is(s, how));
}

FN(is_lower) { return case_test(r, self, CASE_LOWER, out); }
FN(is_upper) { return case_test(r, self, CASE_UPPER, out); }

FN(is_filter)
{
    return answer(out, self.tag == V_STR && tmpl_filter((struct str){self.s->p, self.s->n}));
}

FN(is_test)
{
    return answer(out, self.tag == V_STR && tmpl_test((struct str){self.s->p, self.s->n}));
}

FN(is_in)
{
    *out = v_bool(false);
    return tmpl_in(r, self, a[0], &out->b);
}

FN(is_eq)
{
    *out = v_bool(false);
    return tmpl_eq(r, self, a[0], &out->b);
}

FN(is_ne)
{
    TRY(is_eq(r, self, a, c, out));
    out->b = !out->b;
    return 0;
}

static int order(struct rt *r, struct val x, struct val y, const char *op, int want, bool or_equal, struct val *out)
{
    int cmp;
    TRY(tmpl_cmp(r, x, y, op, &cmp));
    return answer(out, cmp == want || (or_equal && cmp == 0));
}

FN(is_lt) { return order(r, self, a[0], "<", -1, false, out); }
FN(is_le) { return order(r, self, a[0], "<=", -1, true, out); }
FN(is_gt) { return order(r, self, a[0], ">", 1, false, out); }
FN(is_ge) { return order(r, self, a[0], ">=", 1, true, out); }

const struct builtin *tmpl_test(struct str name)
{
    static const struct builtin rows[] = {
        {"defined", is_defined, "", 0, 0}, {"undefined", is_undefined, "", 0, 0}, {"none", is_none, "", 0, 0},
        {"boolean", is_boolean, "", 0, 0}, {"true", is_true, "", 0, 0}, {"false", is_false, "", 0, 0},
        {"integer", is_integer, "", 0, 0}, {"float", is_float, "", 0, 0}, {"number", is_number, "", 0, 0},
        {"string", is_string, "", 0, 0}, {"mapping", is_mapping, "", 0, 0}, {"sequence", is_sequence, "", 0, 0},
        {"iterable", is_iterable, "", 0, 0}, {"callable", is_callable, "", 0, 0}, {"escaped", is_escaped, "", 0, 0},
        {"sameas", is_sameas, "other", 1, 0}, {"odd", is_odd, "", 0, 0}, {"even", is_even, "", 0, 0},
        {"divisibleby", is_divisibleby, "num", 1, 0}, {"lower", is_lower, "", 0, 0}, {"upper", is_upper, "", 0, 0},
        {"filter", is_filter, "", 0, 0}, {"test", is_test, "", 0, 0}, {"in", is_in, "seq", 1, 0},
        {"eq", is_eq, "/other", 1, 0}, {"equalto", is_eq, "/other", 1, 0}, {"==", is_eq, "/other", 1, 0},
        {"ne", is_ne, "/other", 1, 0}, {"!=", is_ne, "/other", 1, 0}, {"lt", is_lt, "/other", 1, 0},
        {"lessthan", is_lt, "/other", 1, 0}, {"<", is_lt, "/other", 1, 0}, {"le", is_le, "/other", 1, 0},
        {"<=", is_le, "/other", 1, 0}, {"gt", is_gt, "/other", 1, 0}, {"greaterthan", is_gt, "/other", 1, 0},
        {">", is_gt, "/other", 1, 0}, {"ge", is_ge, "/other", 1, 0}, {">=", is_ge, "/other", 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_eqz(name, rows[i].name)) return &rows[i];
    return NULL;
}
