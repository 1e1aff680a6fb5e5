/* Chat templates, step 3: the interpreter: statements, scopes and expressions.
 *
 * Scopes. The template's own names are an array indexed by symbol (rt.root); names not set there come from the caller's
 * variables (converted before the first statement) or are builtin functions. for, with, call, filter and set blocks and
 * macros open a `struct scope`; set writes to the innermost one, so nothing leaks out of them; `if` opens none. A macro
 * remembers the scope it was defined in, not the one it is called from.
 *
 * Output goes to rt.out; a macro or block that is captured notes the length, runs, and cuts off what came after it.
 * Every node evaluated is a step; steps, depth, memory and output are bounded. Next: tmpl_call.c. */
#include "tmpl.h"

static struct val *scope_find(const struct scope *s, uint32_t sym)
{
    for (; s; s = s->up)
        for (uint32_t i = s->n; i-- > 0;)
            if (s->s[i].sym == sym) return &s->s[i].v;
    return NULL;
}

int tmpl_set(struct rt *r, uint32_t sym, struct val v)
{
    struct scope *s = r->scope;
    if (!s) {
        r->root[sym] = v;
        return 0;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (s->s[i].sym == sym) {
            s->s[i].v = v;
            return 0;
        }
    if (s->n == s->cap) {
        struct slot *grown;
        uint32_t cap = s->cap ? s->cap * 2 : 4;
        TRY(tmpl_alloc(r, cap, sizeof *grown, &grown));
        if (s->n) memcpy(grown, s->s, s->n * sizeof *grown);
        s->s = grown;
        s->cap = cap;
    }
    s->s[s->n++] = (struct slot){sym, v};
    return 0;
}

/* A new innermost scope around `up`; the caller puts r->scope back. */
int tmpl_scope_push(struct rt *r, struct scope *up)
{
    struct scope *s;
    TRY(tmpl_alloc(r, 1, sizeof *s, &s));
    s->up = up;
    r->scope = s;
    return 0;
}

static int load_name(struct rt *r, const struct node *n, struct val *out)
{
    struct val *v = r->scope ? scope_find(r->scope, n->sym) : NULL;
    *out = v ? *v : r->root[n->sym];
    return v_given(*out) ? 0 : tmpl_undef_name(r, r->t->syms[n->sym], NULL, out);
}

static int set_attribute(struct rt *r, const struct node *n, struct val v)
{
    struct val ns;
    TRY(load_name(r, n, &ns));
    if (ns.tag != V_NS) return tmpl_fail(r, "cannot assign attribute on non-namespace object.");
    return tmpl_map_set(r, ns.d, n->v, v);
}

int tmpl_assign(struct rt *r, const struct node *target, struct val v)
{
    if (target->kind == N_NAME) return tmpl_set(r, target->sym, v);
    if (target->kind == N_NSREF) return set_attribute(r, target, v);
    struct seq items;
    size_t want = 0;
    TRY(tmpl_iterate(r, v, &items));
    for (const struct node *i = target->a; i; i = i->next) want++;
    if (items.n != want)
        return tmpl_fail(r, "cannot unpack %zu values into %zu names.", items.n, want);
    size_t at = 0;
    for (const struct node *i = target->a; i; i = i->next) TRY(tmpl_assign(r, i, items.v[at++]));
    return 0;
}

/* ---- statements ---- */

/* A list of statements in a scope of its own. */
static int exec_scoped(struct rt *r, const struct node *body)
{
    struct scope *outer = r->scope;
    TRY(tmpl_scope_push(r, outer));
    int rc = tmpl_exec(r, body);
    r->scope = outer;
    return rc;
}

/* What a body prints, through the chain of filters in `filter`, whose innermost has no input node. */
static int capture(struct rt *r, const struct node *body, const struct node *filter, struct val *out)
{
    size_t mark = r->out.len;
    struct scope *outer = r->scope;
    TRY(tmpl_scope_push(r, outer));
    TRY(tmpl_exec(r, body));
    TRY(tmpl_take(r, mark, out));
    const struct node *chain[TMPL_MAX_NEST];
    int n = 0;
    for (; filter && r->flow == FLOW_NEXT; filter = filter->a) {
        if (n == TMPL_MAX_NEST) return tmpl_limit(r, "more filters in a row");
        chain[n++] = filter;
    }
    while (n-- > 0) {
        struct call c = {0};
        struct val in = *out;
        if (!chain[n]->fn) return tmpl_fail(r, "no filter named '%.60s'.", chain[n]->v.s->p);
        if (chain[n]->args) TRY(tmpl_eval_args(r, chain[n]->args, &c));
        TRY(tmpl_call_builtin(r, chain[n]->fn, in, &c, out));
    }
    r->scope = outer;
    return 0;
}

static int exec_with(struct rt *r, const struct node *n)
{
    struct scope *outer = r->scope, *inner;
    TRY(tmpl_scope_push(r, outer));
    inner = r->scope;
    const struct node *value = n->b;
    for (const struct node *target = n->a; target; target = target->next, value = value->next) {
        struct val v;
        r->scope = outer; /* the values do not see each other's names */
        TRY(tmpl_eval(r, value, &v));
        r->scope = inner;
        TRY(tmpl_assign(r, target, v));
    }
    r->scope = inner;
    int rc = tmpl_exec(r, n->c);
    r->scope = outer;
    return rc;
}

static int exec_macro(struct rt *r, const struct node *n)
{
    struct macro *m;
    TRY(tmpl_alloc(r, 1, sizeof *m, &m));
    m->node = n;
    m->scope = r->scope;
    for (struct scope *s = r->scope; s && !s->kept; s = s->up) s->kept = true;
    return tmpl_set(r, n->sym, (struct val){.tag = V_MACRO, .mac = m});
}

static int exec_if(struct rt *r, const struct node *n)
{
    while (n && n->kind == N_IF) {
        struct val v;
        r->line = n->line;
        TRY(tmpl_eval(r, n->a, &v));
        if (tmpl_truth(v)) return tmpl_exec(r, n->b);
        n = n->c;
        if (!n || n->kind != N_IF || n->op != 1) break;
    }
    return tmpl_exec(r, n);
}

static int exec_block(struct rt *r, const struct node *n)
{
    struct scope *outer = r->scope;
    r->scope = NULL; /* a block sees the template's own names only */
    int rc = exec_scoped(r, n->b);
    r->scope = outer;
    return rc;
}

static int exec_one(struct rt *r, const struct node *n)
{
    struct val v;
    switch (n->kind) {
    case N_DATA: return tmpl_put(r, n->v.s->p, n->v.s->n);
    case N_PRINT:
        TRY(tmpl_eval(r, n->a, &v));
        return tmpl_print(r, v);
    case N_IF: return exec_if(r, n);
    case N_FOR: return tmpl_exec_for(r, n);
    case N_SET:
        TRY(tmpl_eval(r, n->b, &v));
        return tmpl_assign(r, n->a, v);
    case N_SETBLOCK: /* a break inside: nothing is assigned */
        TRY(capture(r, n->b, n->c, &v));
        return r->flow == FLOW_NEXT ? tmpl_assign(r, n->a, v) : 0;
    case N_MACRO: return exec_macro(r, n);
    case N_CALLBLOCK: return tmpl_exec_callblock(r, n);
    case N_FILTERBLOCK:
        TRY(capture(r, n->b, n->a, &v));
        return r->flow == FLOW_NEXT ? tmpl_print(r, v) : 0;
    case N_WITH: return exec_with(r, n);
    case N_SCOPE: return exec_scoped(r, n->b);
    case N_BLOCK: return exec_block(r, n);
    case N_BREAK: r->flow = FLOW_BREAK; return 0;
    case N_CONTINUE: r->flow = FLOW_CONTINUE; return 0;
    default: return tmpl_fail(r, "%s.", n->v.s->p);
    }
}

int tmpl_exec(struct rt *r, const struct node *list)
{
    TRY(tmpl_deeper(r));
    for (const struct node *n = list; n && r->flow == FLOW_NEXT; n = n->next) {
        r->line = n->line;
        TRY(tmpl_step(r, 1));
        TRY(exec_one(r, n));
    }
    r->depth--;
    return 0;
}

/* ---- expressions ---- */

static int eval_items(struct rt *r, const struct node *n, struct val *out)
{
    struct val v;
    TRY(tmpl_seq(r, n->kind == N_LIST ? V_LIST : V_TUPLE, 0, &v));
    for (const struct node *i = n->a; i; i = i->next) {
        struct val item;
        TRY(tmpl_eval(r, i, &item));
        TRY(tmpl_push(r, v.l, item));
    }
    *out = v;
    return 0;
}

static int eval_dict(struct rt *r, const struct node *n, struct val *out)
{
    struct val v;
    TRY(tmpl_map(r, V_DICT, &v));
    for (const struct node *i = n->a; i; i = i->next->next) {
        struct val key, value;
        TRY(tmpl_eval(r, i, &key));
        TRY(tmpl_eval(r, i->next, &value));
        TRY(tmpl_map_set(r, v.d, key, value));
    }
    *out = v;
    return 0;
}

static int compare(struct rt *r, int op, struct val x, struct val y, bool *out)
{
    int c;
    switch (op) {
    case OP_EQ: return tmpl_eq(r, x, y, out);
    case OP_NE:
        TRY(tmpl_eq(r, x, y, out));
        *out = !*out;
        return 0;
    case OP_IN: return tmpl_in(r, x, y, out);
    case OP_NOTIN:
        TRY(tmpl_in(r, x, y, out));
        *out = !*out;
        return 0;
    default:
        TRY(tmpl_cmp(r, x, y, tmpl_token_name(op), &c));
        *out = op == '<' ? c == -1 : op == '>' ? c == 1 : op == OP_LE ? c == -1 || c == 0 : c == 1 || c == 0;
        return 0;
    }
}

/* a < b < c: each operand is evaluated once, and not at all after a false comparison. */
static int eval_compare(struct rt *r, const struct node *n, struct val *out)
{
    struct val left, right;
    bool yes = true;
    TRY(tmpl_eval(r, n->a, &left));
    for (const struct node *i = n->b; i && yes; i = i->next) {
        TRY(tmpl_eval(r, i->a, &right));
        TRY(compare(r, i->op, left, right, &yes));
        left = right;
    }
    *out = v_bool(yes);
    return 0;
}

static int eval_concat(struct rt *r, const struct node *n, struct val *out)
{
    size_t mark = r->out.len;
    struct val parts;
    TRY(tmpl_seq(r, V_LIST, 0, &parts));
    for (const struct node *i = n->a; i; i = i->next) {
        struct val v;
        TRY(tmpl_eval(r, i, &v));
        TRY(tmpl_push(r, parts.l, v));
    }
    for (size_t i = 0; i < parts.l->n; i++) TRY(tmpl_print(r, parts.l->v[i]));
    return tmpl_take(r, mark, out);
}

static int eval_item(struct rt *r, const struct node *n, struct val *out)
{
    struct val obj, key;
    TRY(tmpl_eval(r, n->a, &obj));
    if (n->b->kind != N_SLICE) {
        TRY(tmpl_eval(r, n->b, &key));
        return tmpl_item(r, obj, key, out);
    }
    const struct node *const part[3] = {n->b->a, n->b->b, n->b->c};
    struct val bounds[3] = {{0}};
    for (int i = 0; i < 3; i++)
        if (part[i]) TRY(tmpl_eval(r, part[i], &bounds[i]));
    return tmpl_slice(r, obj, bounds, out);
}

static int eval_filter(struct rt *r, const struct node *n, struct val *out)
{
    struct val in;
    struct call c = {0};
    if (!n->fn) {
        int len = (int)(n->v.s->n < 60 ? n->v.s->n : 60);
        return tmpl_fail(r, "no %s named '%.*s'.", n->kind == N_TEST ? "test" : "filter", len, n->v.s->p);
    }
    TRY(tmpl_eval(r, n->a, &in));
    if (n->args) TRY(tmpl_eval_args(r, n->args, &c));
    return tmpl_call_builtin(r, n->fn, in, &c, out);
}

static int eval_logic(struct rt *r, const struct node *n, struct val *out)
{
    TRY(tmpl_eval(r, n->a, out));
    switch (n->kind) {
    case N_NOT: *out = v_bool(!tmpl_truth(*out)); return 0;
    case N_AND: return tmpl_truth(*out) ? tmpl_eval(r, n->b, out) : 0;
    default: return tmpl_truth(*out) ? 0 : tmpl_eval(r, n->b, out);
    }
}

static int eval_cond(struct rt *r, const struct node *n, struct val *out)
{
    struct val test;
    TRY(tmpl_eval(r, n->b, &test));
    if (tmpl_truth(test)) return tmpl_eval(r, n->a, out);
    if (n->c) return tmpl_eval(r, n->c, out);
    return tmpl_undef(r, "the inline if-expression was false and has no else.", out);
}

static int eval_node(struct rt *r, const struct node *n, struct val *out)
{
    struct val x, y;
    switch (n->kind) {
    case N_NAME: return load_name(r, n, out);
    case N_LIST:
    case N_TUPLE: return eval_items(r, n, out);
    case N_DICT: return eval_dict(r, n, out);
    case N_COND: return eval_cond(r, n, out);
    case N_AND:
    case N_OR:
    case N_NOT: return eval_logic(r, n, out);
    case N_COMPARE: return eval_compare(r, n, out);
    case N_CONCAT: return eval_concat(r, n, out);
    case N_BINARY:
        TRY(tmpl_eval(r, n->a, &x));
        TRY(tmpl_eval(r, n->b, &y));
        return tmpl_binary(r, n->op, x, y, out);
    case N_NEG:
    case N_POS:
        TRY(tmpl_eval(r, n->a, &x));
        return tmpl_unary(r, n->op, x, out);
    case N_ATTR:
        TRY(tmpl_eval(r, n->a, &x));
        if (x.tag == V_DICT && !n->op) { /* the usual case: a key, by a name that no method has */
            struct val *v = tmpl_map_str(x.d, n->v.s);
            if (v) *out = *v;
            return v ? 0 : tmpl_undef_name(r, n->v.s, "dict", out);
        }
        return tmpl_attr(r, x, n->v.s, out);
    case N_ITEM: return eval_item(r, n, out);
    case N_CALL: return tmpl_eval_call(r, n, out);
    case N_FILTER:
    case N_TEST: return eval_filter(r, n, out);
    default: return tmpl_fail(r, "a slice cannot stand here.");
    }
}

int tmpl_eval(struct rt *r, const struct node *n, struct val *out)
{
    TRY(tmpl_step(r, 1));
    if (n->kind == N_CONST) {
        *out = n->v;
        return 0;
    }
    TRY(tmpl_deeper(r));
    TRY(eval_node(r, n, out));
    r->depth--;
    return 0;
}
