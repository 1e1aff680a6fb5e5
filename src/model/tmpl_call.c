/* Chat templates, step 3: calls: arguments, builtins, macros, call blocks, and for loops with their `loop` object.
 * A builtin's table row names its parameters; binding positional and named arguments to them happens here, once.
 * Macros follow Jinja's rules: missing arguments are undefined, surplus ones an error unless the body reads `varargs`
 * or `kwargs`; `caller` may be passed only if the body reads it. Next: tmpl_filter_seq.c. */
#include "tmpl.h"

/* ---- arguments ---- */

static int add_kwarg(struct rt *r, struct call *c, size_t cap, struct sstr *name, struct val v)
{
    for (size_t i = 0; i < c->nk; i++)
        if (tmpl_str_eq(c->k[i].name, name))
            return tmpl_fail(r, "got multiple values for keyword argument '%.*s'.", (int)(name->n < 60 ? name->n : 60),
                             name->p);
    if (c->nk < cap) c->k[c->nk++] = (struct kwarg){name, v};
    return 0;
}

int tmpl_eval_args(struct rt *r, const struct args *a, struct call *out)
{
    struct seq star = {0};
    struct val v, star2 = {.tag = V_MISSING};
    struct call c = {0};
    if (a->n_pos) TRY(tmpl_alloc(r, (size_t)a->n_pos, sizeof *c.v, &c.v));
    for (const struct node *i = a->pos; i; i = i->next) TRY(tmpl_eval(r, i, &c.v[c.n++]));
    if (a->star) {
        TRY(tmpl_eval(r, a->star, &v));
        TRY(tmpl_iterate(r, v, &star));
        struct val *all;
        TRY(tmpl_alloc(r, c.n + star.n, sizeof *all, &all));
        if (c.n) memcpy(all, c.v, c.n * sizeof *all);
        if (star.n) memcpy(all + c.n, star.v, star.n * sizeof *all);
        c.v = all;
        c.n += star.n;
    }
    struct val *named = NULL;
    if (a->n_kw) TRY(tmpl_alloc(r, (size_t)a->n_kw, sizeof *named, &named));
    size_t cap = (size_t)a->n_kw;
    size_t at = 0;
    for (const struct node *i = a->kw; i; i = i->next) TRY(tmpl_eval(r, i->a, &named[at++]));
    if (a->star2) {
        TRY(tmpl_eval(r, a->star2, &star2));
        if (star2.tag != V_DICT)
            return tmpl_fail(r, "argument after ** must be a mapping, not %s.", tmpl_type_name(star2));
        cap += star2.d->n;
    }
    if (cap) TRY(tmpl_alloc(r, cap, sizeof *c.k, &c.k));
    at = 0;
    for (const struct node *i = a->kw; i; i = i->next) TRY(add_kwarg(r, &c, cap, i->v.s, named[at++]));
    for (size_t i = 0; a->star2 && i < star2.d->n; i++) {
        if (star2.d->e[i].k.tag != V_STR) return tmpl_fail(r, "keywords must be strings.");
        TRY(add_kwarg(r, &c, cap, star2.d->e[i].k.s, star2.d->e[i].v));
    }
    *out = c;
    return 0;
}

int tmpl_find_kw(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->nk; i++)
        if (str_eqz((struct str){c->k[i].name->p, c->k[i].name->n}, name)) return (int)i;
    return -1;
}

/* Bind a call to the parameters named in b->spec. */
static int bind(struct rt *r, const struct builtin *b, const struct call *c, struct val a[TMPL_MAX_ARGS])
{
    const char *s = b->spec;
    bool by_name = *s != '/';
    size_t n = 0, used = 0;
    s += !by_name;
    for (; *s && n < TMPL_MAX_ARGS; n++) {
        size_t len = strcspn(s, " ");
        if (n < c->n) a[n] = c->v[n];
        for (size_t i = 0; by_name && i < c->nk; i++) {
            if (!str_eq((struct str){c->k[i].name->p, c->k[i].name->n}, (struct str){s, len})) continue;
            if (n < c->n) return tmpl_fail(r, "%s() got multiple values for argument '%.*s'.", b->name, (int)len, s);
            a[n] = c->k[i].v;
            used++;
        }
        if (!v_given(a[n]) && n < (size_t)b->min)
            return tmpl_fail(r, "%s() misses the argument '%.*s'.", b->name, (int)len, s);
        s += len + (s[len] == ' ');
    }
    if (c->n > n) return tmpl_fail(r, "%s() takes at most %zu arguments, %zu given.", b->name, n, c->n);
    if (used < c->nk)
        return tmpl_fail(r, "%s() got an unexpected keyword argument.", b->name);
    return 0;
}

int tmpl_call_builtin(struct rt *r, const struct builtin *b, struct val self, const struct call *c, struct val *out)
{
    struct val a[TMPL_MAX_ARGS] = {{0}};
    TRY(tmpl_step(r, 1));
    if (b->spec) TRY(bind(r, b, c, a));
    return b->fn(r, self, a, c, out);
}

/* ---- macros ---- */

/* What is left of the call after the parameters: varargs, kwargs, caller, as the body reads them. */
static int bind_specials(struct rt *r, const struct node *n, const struct call *c, bool *used, size_t n_params,
                         bool has_caller, uint32_t syms[3])
{
    struct val v;
    int caller = tmpl_find_kw(c, "caller");
    if ((n->op & MACRO_CALLER) && !has_caller) {
        if (caller >= 0 && !used[caller]) {
            used[caller] = true;
            v = c->k[caller].v;
        } else {
            TRY(tmpl_undef(r, "No caller defined.", &v));
        }
        TRY(tmpl_set(r, syms[0], v));
    }
    if (n->op & MACRO_KWARGS) {
        TRY(tmpl_map(r, V_DICT, &v));
        for (size_t i = 0; i < c->nk; i++)
            if (!used[i]) TRY(tmpl_map_set(r, v.d, v_str(c->k[i].name), c->k[i].v));
        TRY(tmpl_set(r, syms[2], v));
    } else {
        for (size_t i = 0; i < c->nk; i++)
            if (!used[i])
                return tmpl_fail(r, "the macro takes no keyword argument '%.*s'.",
                                 (int)(c->k[i].name->n < 60 ? c->k[i].name->n : 60), c->k[i].name->p);
    }
    size_t extra = c->n > n_params ? c->n - n_params : 0;
    if (n->op & MACRO_VARARGS) {
        TRY(tmpl_seq(r, V_TUPLE, extra, &v));
        if (extra) memcpy(v.l->v, c->v + n_params, extra * sizeof *c->v);
        return tmpl_set(r, syms[1], v);
    }
    return extra ? tmpl_fail(r, "the macro takes not more than %zu argument(s).", n_params) : 0;
}

static uint32_t symbol_of(const struct rt *r, const char *name)
{
    for (uint32_t i = 0; i < r->t->n_syms; i++)
        if (str_eqz((struct str){r->t->syms[i]->p, r->t->syms[i]->n}, name)) return i;
    return UINT32_MAX;
}

static int missing_param(struct rt *r, const struct node *p, struct val *out)
{
    if (p->b) return tmpl_eval(r, p->b, out);
    TRY(tmpl_undef_name(r, p->v.s, NULL, out));
    return 0;
}

static int bind_macro(struct rt *r, const struct node *n, const struct call *c)
{
    bool few[16] = {false}, *used = few, has_caller = false;
    struct val given[16], *v = given;
    size_t n_params = 0, at = 0;
    for (const struct node *p = n->a; p; p = p->next) n_params++;
    if (c->nk > 16) TRY(tmpl_alloc(r, c->nk, sizeof *used, &used));
    if (n_params > 16) TRY(tmpl_alloc(r, n_params, sizeof *v, &v));
    for (const struct node *p = n->a; p; p = p->next, at++) {
        v[at] = at < c->n ? c->v[at] : (struct val){.tag = V_MISSING};
        has_caller |= str_eqz((struct str){p->v.s->p, p->v.s->n}, "caller");
        for (size_t i = 0; at >= c->n && i < c->nk; i++)
            if (tmpl_str_eq(c->k[i].name, p->v.s)) {
                v[at] = c->k[i].v;
                used[i] = true;
            }
    }
    uint32_t syms[3] = {0};
    if (n->op & MACRO_CALLER) syms[0] = symbol_of(r, "caller");
    if (n->op & MACRO_VARARGS) syms[1] = symbol_of(r, "varargs");
    if (n->op & MACRO_KWARGS) syms[2] = symbol_of(r, "kwargs");
    TRY(bind_specials(r, n, c, used, n_params, has_caller, syms));
    at = 0;
    for (const struct node *p = n->a; p; p = p->next) TRY(tmpl_set(r, p->sym, v[at++]));
    at = 0;
    for (const struct node *p = n->a; p; p = p->next, at++) { /* a default sees the parameters before it */
        if (v_given(v[at])) continue;
        TRY(missing_param(r, p, &v[at]));
        TRY(tmpl_set(r, p->sym, v[at]));
    }
    return 0;
}

static int call_macro(struct rt *r, const struct macro *m, const struct call *c, struct val *out)
{
    struct scope *outer = r->scope;
    size_t mark = r->out.len;
    int line = r->line;
    TRY(tmpl_deeper(r));
    TRY(tmpl_scope_push(r, m->scope));
    TRY(bind_macro(r, m->node, c));
    TRY(tmpl_exec(r, m->node->c));
    TRY(tmpl_take(r, mark, out));
    r->scope = outer;
    r->line = line;
    r->depth--;
    return 0;
}

int tmpl_call(struct rt *r, struct val f, const struct call *c, struct val *out)
{
    switch (f.tag) {
    case V_FUNC: return tmpl_call_builtin(r, f.fn, v_none(), c, out);
    case V_METHOD: return tmpl_call_builtin(r, f.m->fn, f.m->self, c, out);
    case V_MACRO: return call_macro(r, f.mac, c, out);
    case V_UNDEF: return tmpl_undef_fail(r, f);
    case V_LOOP:
        if (c->n != 1 || c->nk) return tmpl_fail(r, "loop() takes exactly one argument.");
        return tmpl_loop_call(r, f.loop, c->v[0], out);
    case V_JOINER: { /* nothing the first time, then its separator */
        bool first = !f.cy->pos;
        f.cy->pos = 1;
        if (first) return tmpl_strz(r, "", out);
        *out = f.cy->items.v[0];
        return 0;
    }
    default: return tmpl_fail(r, "'%s' object is not callable.", tmpl_type_name(f));
    }
}

int tmpl_eval_call(struct rt *r, const struct node *n, struct val *out)
{
    struct val f;
    struct call c;
    TRY(tmpl_eval(r, n->a, &f));
    TRY(tmpl_eval_args(r, n->args, &c));
    return tmpl_call(r, f, &c, out);
}

/* {% call(x) f(y) %}body{% endcall %}: f(y, caller=a macro of the body) */
int tmpl_exec_callblock(struct rt *r, const struct node *n)
{
    struct val f, out, name;
    struct call c;
    struct macro *m;
    TRY(tmpl_alloc(r, 1, sizeof *m, &m));
    m->node = n;
    m->scope = r->scope;
    for (struct scope *s = r->scope; s && !s->kept; s = s->up) s->kept = true;
    TRY(tmpl_eval(r, n->b->a, &f));
    TRY(tmpl_eval_args(r, n->b->args, &c));
    struct kwarg *k;
    TRY(tmpl_alloc(r, c.nk + 1, sizeof *k, &k));
    if (c.nk) memcpy(k, c.k, c.nk * sizeof *k);
    TRY(tmpl_strz(r, "caller", &name));
    k[c.nk] = (struct kwarg){name.s, {.tag = V_MACRO, .mac = m}};
    c.k = k;
    c.nk++;
    TRY(tmpl_call(r, f, &c, &out));
    return tmpl_print(r, out);
}

/* ---- for ---- */

/* `for x in items if test`: the items that pass; the test sees x in a scope of its own. */
static int filter_items(struct rt *r, const struct node *n, struct seq *items)
{
    struct scope *outer = r->scope;
    struct seq kept = {0};
    for (size_t i = 0; i < items->n; i++) {
        struct val v;
        TRY(tmpl_scope_push(r, outer));
        TRY(tmpl_assign(r, n->a, items->v[i]));
        TRY(tmpl_eval(r, n->args->pos, &v));
        if (tmpl_truth(v)) TRY(tmpl_push(r, &kept, items->v[i]));
    }
    r->scope = outer;
    *items = kept;
    return 0;
}

static int run_loop(struct rt *r, const struct node *n, struct val over, int depth0)
{
    struct scope *outer = r->scope;
    struct loop *l;
    TRY(tmpl_alloc(r, 1, sizeof *l, &l));
    *l = (struct loop){.depth0 = depth0, .node = n, .up = outer};
    TRY(tmpl_iterate(r, over, &l->items));
    if (n->args->pos) TRY(filter_items(r, n, &l->items));
    if (n->op & FOR_RECURSIVE)
        for (struct scope *s = outer; s && !s->kept; s = s->up) s->kept = true;
    TRY(tmpl_scope_push(r, outer));
    for (l->at = 0; l->at < l->items.n; l->at++) {
        TRY(tmpl_step(r, 1));
        if (r->scope->kept) TRY(tmpl_scope_push(r, outer));
        r->scope->n = 0;
        TRY(tmpl_set(r, n->sym, (struct val){.tag = V_LOOP, .loop = l}));
        TRY(tmpl_assign(r, n->a, l->items.v[l->at]));
        TRY(tmpl_exec(r, n->c));
        enum flow flow = r->flow;
        r->flow = FLOW_NEXT;
        if (flow == FLOW_BREAK) break;
    }
    r->scope = outer;
    if (l->items.n || !n->d) return 0;
    TRY(tmpl_scope_push(r, outer));
    TRY(tmpl_exec(r, n->d));
    r->scope = outer;
    return 0;
}

int tmpl_exec_for(struct rt *r, const struct node *n)
{
    struct val over;
    TRY(tmpl_eval(r, n->b, &over));
    return run_loop(r, n, over, 0);
}

/* loop(items) in a recursive loop: the body's text for those items, one level deeper. */
int tmpl_loop_call(struct rt *r, struct loop *l, struct val items, struct val *out)
{
    struct scope *outer = r->scope;
    size_t mark = r->out.len;
    if (!(l->node->op & FOR_RECURSIVE))
        return tmpl_fail(r, "the loop must be marked 'recursive' to be called.");
    TRY(tmpl_deeper(r));
    r->scope = l->up;
    TRY(run_loop(r, l->node, items, l->depth0 + 1));
    r->scope = outer;
    r->depth--;
    return tmpl_take(r, mark, out);
}

static int loop_neighbour(struct rt *r, const struct loop *l, bool next, struct val *out)
{
    if (next ? l->at + 1 < l->items.n : l->at > 0) {
        *out = l->items.v[next ? l->at + 1 : l->at - 1];
        return 0;
    }
    return tmpl_undef(r, next ? "there is no next item." : "there is no previous item.", out);
}

FN(loop_cycle)
{
    if (!c->n) return tmpl_fail(r, "no items for cycling given.");
    *out = c->v[self.loop->at % c->n];
    return 0;
}

FN(loop_changed)
{
    struct val now;
    bool same = false;
    TRY(tmpl_seq(r, V_TUPLE, c->n, &now));
    if (c->n) memcpy(now.l->v, c->v, c->n * sizeof now);
    if (v_given(self.loop->changed)) TRY(tmpl_eq(r, self.loop->changed, now, &same));
    self.loop->changed = now;
    *out = v_bool(!same);
    return 0;
}

int tmpl_loop_attr(struct rt *r, struct loop *l, const struct sstr *name, struct val *out)
{
    static const struct builtin methods[] = {{.name = "cycle", .fn = loop_cycle},
                                             {.name = "changed", .fn = loop_changed}};
    const struct str s = {name->p, name->n};
    int64_t at = (int64_t)l->at, n = (int64_t)l->items.n;
    out->tag = V_MISSING;
    if (str_eqz(s, "first")) *out = v_bool(at == 0);
    else if (str_eqz(s, "last")) *out = v_bool(at + 1 == n);
    else if (str_eqz(s, "index")) *out = v_int(at + 1);
    else if (str_eqz(s, "index0")) *out = v_int(at);
    else if (str_eqz(s, "length")) *out = v_int(n);
    else if (str_eqz(s, "revindex")) *out = v_int(n - at);
    else if (str_eqz(s, "revindex0")) *out = v_int(n - at - 1);
    else if (str_eqz(s, "depth")) *out = v_int(l->depth0 + 1);
    else if (str_eqz(s, "depth0")) *out = v_int(l->depth0);
    else if (str_eqz(s, "previtem")) return loop_neighbour(r, l, false, out);
    else if (str_eqz(s, "nextitem")) return loop_neighbour(r, l, true, out);
    for (size_t i = 0; i < 2; i++) {
        if (!str_eqz(s, methods[i].name)) continue;
        struct method *m;
        TRY(tmpl_alloc(r, 1, sizeof *m, &m));
        *m = (struct method){&methods[i], {.tag = V_LOOP, .loop = l}};
        *out = (struct val){.tag = V_METHOD, .m = m};
    }
    return 0;
}
