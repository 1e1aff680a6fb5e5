/* Chat templates, step 2: expressions, by recursive descent, one function per level of precedence, loosest first:
 *
 *   a if c else b │ or │ and │ not │ == != < <= > >= in, not in (chained) │ + - │ ~ │ * / // % │ ** │ unary + - │
 *   .attr [item] (call) │ |filter, is test
 *
 * Where a node keeps what:
 *   N_CONST v; N_NAME, N_NSREF (attribute in v) sym; N_LIST, N_TUPLE a items; N_DICT a key, value, key, value…
 *   N_COND a if b else c (c NULL: undefined); N_AND, N_OR, N_BINARY (op) a, b; N_NOT, N_NEG, N_POS a
 *   N_COMPARE a first, b the other operands, each with its operator in op; N_CONCAT a operands
 *   N_ATTR a object, v name, op whether a method has it; N_ITEM a object, b key
 *   N_SLICE a start, b stop, c step (only as the key of N_ITEM)
 *   N_CALL a callee, args; N_FILTER a input (NULL: the block's text), v name, fn, args; N_TEST a, v, fn, args
 *
 * An unknown filter or test is an error when the template is compiled, except directly under an `if` (p->soft), where
 * it is one when it is reached. Next: tmpl_run.c. */
#include "tmpl_parse.h"

static struct token *cur(const struct parser *p) { return &p->tok[p->at]; }

static int parse_unary(struct parser *p, bool with_filter, struct node **out);

static int binary(struct parser *p, enum node_kind kind, int op, struct node *a, struct node *b, struct node **out)
{
    TRY(tmpl_node(p, kind, a->line, out));
    (*out)->op = op;
    (*out)->a = a;
    (*out)->b = b;
    return 0;
}

static int constant(struct parser *p, int line, struct val v, struct node **out)
{
    TRY(tmpl_node(p, N_CONST, line, out));
    (*out)->v = v;
    return 0;
}

static int text(struct parser *p, const char *s, size_t n, struct val *out)
{
    struct sstr *v = arena_alloc(&p->t->a, sizeof *v);
    if (!v) return err_nomem(p->e, sizeof *v);
    *v = (struct sstr){.p = s, .n = n};
    tmpl_str_seal(v);
    *out = v_str(v);
    return 0;
}

/* Adjacent string literals are one string. */
static int parse_string(struct parser *p, struct node **out)
{
    size_t from = p->at, n = 0;
    int line = cur(p)->line;
    while (cur(p)->type == T_STRING) n += p->tok[p->at++].s.n;
    struct val v;
    if (p->at == from + 1) {
        TRY(text(p, p->tok[from].s.p, n, &v));
    } else {
        char *s = arena_alloc(&p->t->a, n);
        if (!s) return err_nomem(p->e, n);
        size_t o = 0;
        for (size_t i = from; i < p->at; o += p->tok[i++].s.n)
            if (p->tok[i].s.n) memcpy(s + o, p->tok[i].s.p, p->tok[i].s.n);
        TRY(text(p, s, n, &v));
    }
    return constant(p, line, v, out);
}

static int parse_name_value(struct parser *p, bool with_ns, struct node **out)
{
    static const struct {
        const char *name;
        int special;
    } specials[] = {{"caller", MACRO_CALLER}, {"varargs", MACRO_VARARGS}, {"kwargs", MACRO_KWARGS}};
    struct token *t = cur(p);
    p->at++;
    if (str_eqz(t->s, "true") || str_eqz(t->s, "True")) return constant(p, t->line, v_bool(true), out);
    if (str_eqz(t->s, "false") || str_eqz(t->s, "False")) return constant(p, t->line, v_bool(false), out);
    if (str_eqz(t->s, "none") || str_eqz(t->s, "None")) return constant(p, t->line, v_none(), out);
    TRY(tmpl_node(p, N_NAME, t->line, out));
    TRY(tmpl_symbol(p, t->s, *out));
    for (size_t i = 0; i < 3; i++)
        if (str_eqz(t->s, specials[i].name)) p->specials |= specials[i].special;
    if (with_ns && tmpl_skip(p, '.')) {
        (*out)->kind = N_NSREF;
        struct token *attr = cur(p);
        TRY(tmpl_expect(p, T_NAME));
        return text(p, attr->s.p, attr->s.n, &(*out)->v);
    }
    return 0;
}

/* "[a, b]" and "{k: v}": items up to `close`, which is consumed. */
static int parse_items(struct parser *p, enum node_kind kind, int close, struct node **out)
{
    TRY(tmpl_node(p, kind, cur(p)->line, out));
    p->at++;
    struct node **tail = &(*out)->a;
    while (cur(p)->type != close) {
        if ((*out)->a) {
            TRY(tmpl_expect(p, ','));
            if (cur(p)->type == close) break;
        }
        TRY(tmpl_parse_expr(p, true, tail));
        tail = &(*tail)->next;
        if (kind != N_DICT) continue;
        TRY(tmpl_expect(p, ':'));
        TRY(tmpl_parse_expr(p, true, tail));
        tail = &(*tail)->next;
    }
    return tmpl_expect(p, close);
}

static int parse_primary(struct parser *p, bool with_ns, struct node **out)
{
    struct token *t = cur(p);
    switch (t->type) {
    case T_NAME: return parse_name_value(p, with_ns, out);
    case T_STRING: return parse_string(p, out);
    case T_INTEGER: p->at++; return constant(p, t->line, v_int(t->i), out);
    case T_FLOAT: p->at++; return constant(p, t->line, v_float(t->f), out);
    case '(':
        p->at++;
        TRY(tmpl_parse_tuple(p, TUPLE_PARENS, NULL, out));
        return tmpl_expect(p, ')');
    case '[': return parse_items(p, N_LIST, ']', out);
    case '{': return parse_items(p, N_DICT, '}', out);
    default: return tmpl_expected(p, "an expression");
    }
}

int tmpl_parse_tuple(struct parser *p, int flags, const char *end_name, struct node **out)
{
    struct node *first = NULL, **tail = &first;
    bool is_tuple = false;
    int line = cur(p)->line;
    for (;;) {
        if (first) TRY(tmpl_expect(p, ','));
        int type = cur(p)->type;
        if (type == T_VAR_END || type == T_BLOCK_END || type == ')' || (end_name && tmpl_tok_is(p, end_name))) break;
        if (flags & TUPLE_SIMPLE) TRY(parse_primary(p, flags & TUPLE_NS, tail));
        else TRY(tmpl_parse_expr(p, !(flags & TUPLE_NO_COND), tail));
        tail = &(*tail)->next;
        if (cur(p)->type != ',') break;
        is_tuple = true;
    }
    if (!is_tuple && first) {
        *out = first;
        return 0;
    }
    if (!is_tuple && !(flags & TUPLE_PARENS)) return tmpl_expected(p, "an expression");
    TRY(tmpl_node(p, N_TUPLE, line, out));
    (*out)->a = first;
    return 0;
}

/* ---- after an operand ---- */

static int parse_one_arg(struct parser *p, struct args *a, struct node ***pos, struct node ***kw)
{
    struct token *t = cur(p);
    const char *bad = "arguments are in the wrong order: expected positional, then *, then named, then **";
    if (tmpl_skip(p, '*')) {
        if (a->star || a->star2) return tmpl_syntax(p, t->line, "%s", bad);
        return tmpl_parse_expr(p, true, &a->star);
    }
    if (tmpl_skip(p, OP_POW)) {
        if (a->star2) return tmpl_syntax(p, t->line, "%s", bad);
        return tmpl_parse_expr(p, true, &a->star2);
    }
    if (t->type == T_NAME && p->tok[p->at + 1].type == '=') {
        if (a->star2) return tmpl_syntax(p, t->line, "%s", bad);
        p->at += 2;
        struct node *n;
        TRY(tmpl_node(p, N_KEYWORD, t->line, &n));
        TRY(text(p, t->s.p, t->s.n, &n->v));
        for (struct node *i = a->kw; i; i = i->next)
            if (tmpl_str_eq(i->v.s, n->v.s)) return tmpl_syntax(p, t->line, "an argument is named twice");
        a->n_kw++;
        **kw = n;
        *kw = &n->next;
        return tmpl_parse_expr(p, true, &n->a);
    }
    if (a->star || a->star2 || a->n_kw) return tmpl_syntax(p, t->line, "%s", bad);
    TRY(tmpl_parse_expr(p, true, *pos));
    *pos = &(**pos)->next;
    a->n_pos++;
    return 0;
}

int tmpl_parse_args(struct parser *p, struct args **out)
{
    struct args *a = arena_alloc(&p->t->a, sizeof *a);
    if (!a) return err_nomem(p->e, sizeof *a);
    struct node **pos = &a->pos, **kw = &a->kw;
    bool comma = false;
    TRY(tmpl_expect(p, '('));
    while (cur(p)->type != ')') {
        if (comma) {
            TRY(tmpl_expect(p, ','));
            if (cur(p)->type == ')') break;
        }
        TRY(parse_one_arg(p, a, &pos, &kw));
        comma = true;
    }
    *out = a;
    return tmpl_expect(p, ')');
}

static int parse_subscribed(struct parser *p, struct node **out)
{
    struct node *part[3] = {NULL};
    int line = cur(p)->line, i = 0;
    if (cur(p)->type != ':') {
        TRY(tmpl_parse_expr(p, true, &part[0]));
        if (cur(p)->type != ':') {
            *out = part[0];
            return 0;
        }
    }
    while (i < 2 && tmpl_skip(p, ':')) {
        i++;
        int t = cur(p)->type;
        if (t != ':' && t != ']' && t != ',') TRY(tmpl_parse_expr(p, true, &part[i]));
    }
    TRY(tmpl_node(p, N_SLICE, line, out));
    (*out)->a = part[0];
    (*out)->b = part[1];
    (*out)->c = part[2];
    return 0;
}

static int parse_subscript(struct parser *p, struct node *on, struct node **out)
{
    struct token *t = cur(p);
    if (tmpl_skip(p, '.')) {
        struct token *name = cur(p);
        if (tmpl_skip(p, T_NAME)) {
            TRY(binary(p, N_ATTR, 0, on, NULL, out));
            (*out)->line = t->line;
            (*out)->op = tmpl_is_method_name(name->s);
            return text(p, name->s.p, name->s.n, &(*out)->v);
        }
        if (!tmpl_skip(p, T_INTEGER)) return tmpl_expected(p, "a name or number");
        struct node *key;
        TRY(constant(p, name->line, v_int(name->i), &key));
        return binary(p, N_ITEM, 0, on, key, out);
    }
    p->at++;
    struct node *first = NULL, **tail = &first, *key;
    while (cur(p)->type != ']') {
        if (first) TRY(tmpl_expect(p, ','));
        TRY(parse_subscribed(p, tail));
        tail = &(*tail)->next;
    }
    TRY(tmpl_expect(p, ']'));
    key = first;
    if (!first || first->next) {
        TRY(tmpl_node(p, N_TUPLE, t->line, &key));
        key->a = first;
    }
    TRY(binary(p, N_ITEM, 0, on, key, out));
    (*out)->line = t->line;
    return 0;
}

static int parse_call(struct parser *p, struct node *on, struct node **out)
{
    int line = cur(p)->line;
    TRY(binary(p, N_CALL, 0, on, NULL, out));
    (*out)->line = line;
    return tmpl_parse_args(p, &(*out)->args);
}

static int parse_postfix(struct parser *p, struct node **n)
{
    for (;;) {
        int t = cur(p)->type;
        if (t == '.' || t == '[') TRY(parse_subscript(p, *n, n));
        else if (t == '(') TRY(parse_call(p, *n, n));
        else return 0;
    }
}

/* The name of a filter or test, which may have dots; looked up in `find`. */
static int parse_builtin(struct parser *p, const char *what, const struct builtin *(*find)(struct str), struct node *n)
{
    struct token *t = cur(p);
    TRY(tmpl_expect(p, T_NAME));
    const char *end = t->s.p + t->s.n;
    bool dotted = false;
    while (tmpl_skip(p, '.')) {
        struct token *more = cur(p);
        TRY(tmpl_expect(p, T_NAME));
        end = more->s.p + more->s.n;
        dotted = true;
    }
    struct str name = {t->s.p, (size_t)(end - t->s.p)};
    n->fn = dotted ? NULL : find(name);
    if (!n->fn && !p->soft)
        return tmpl_syntax(p, t->line, "no %s named '%.*s'", what, (int)(name.n < 60 ? name.n : 60), name.p);
    return text(p, name.p, name.n, &n->v);
}

int tmpl_parse_filter(struct parser *p, struct node *on, bool inline_name, struct node **out)
{
    *out = on;
    while (inline_name || tmpl_skip(p, '|')) {
        struct node *n;
        inline_name = false;
        TRY(tmpl_node(p, N_FILTER, cur(p)->line, &n));
        n->a = *out;
        TRY(parse_builtin(p, "filter", tmpl_filter, n));
        if (cur(p)->type == '(') TRY(tmpl_parse_args(p, &n->args));
        *out = n;
    }
    return 0;
}

static int parse_test(struct parser *p, struct node *on, struct node **out)
{
    int line = p->tok[p->at++].line; /* is */
    bool negated = tmpl_skip_name(p, "not");
    struct node *n;
    TRY(tmpl_node(p, N_TEST, line, &n));
    n->a = on;
    TRY(parse_builtin(p, "test", tmpl_test, n));
    int t = cur(p)->type;
    if (t == '(') {
        TRY(tmpl_parse_args(p, &n->args));
    } else if (((t >= T_NAME && t <= T_FLOAT) || t == '[' || t == '{') && !tmpl_tok_is(p, "else") &&
               !tmpl_tok_is(p, "or") && !tmpl_tok_is(p, "and")) {
        if (tmpl_tok_is(p, "is")) return tmpl_syntax(p, cur(p)->line, "tests cannot be chained with 'is'");
        n->args = arena_alloc(&p->t->a, sizeof *n->args);
        if (!n->args) return err_nomem(p->e, sizeof *n->args);
        n->args->n_pos = 1;
        TRY(parse_primary(p, false, &n->args->pos));
        TRY(parse_postfix(p, &n->args->pos));
    }
    *out = n;
    return negated ? binary(p, N_NOT, 0, n, NULL, out) : 0;
}

/* ---- operators ---- */

static int parse_unary(struct parser *p, bool with_filter, struct node **out)
{
    int t = cur(p)->type, line = cur(p)->line;
    struct node *n;
    if (t == '-' || t == '+') {
        p->at++;
        TRY(tmpl_nest(p));
        TRY(parse_unary(p, false, &n));
        p->depth--;
        TRY(binary(p, t == '-' ? N_NEG : N_POS, t, n, NULL, &n));
        n->line = line;
    } else {
        TRY(parse_primary(p, false, &n));
    }
    TRY(parse_postfix(p, &n));
    while (with_filter) {
        t = cur(p)->type;
        if (t == '|') TRY(tmpl_parse_filter(p, n, false, &n));
        else if (tmpl_tok_is(p, "is")) TRY(parse_test(p, n, &n));
        else if (t == '(') TRY(parse_call(p, n, &n));
        else break;
    }
    *out = n;
    return 0;
}

static int parse_pow(struct parser *p, struct node **out)
{
    TRY(parse_unary(p, true, out));
    while (tmpl_skip(p, OP_POW)) {
        struct node *right;
        TRY(parse_unary(p, true, &right));
        TRY(binary(p, N_BINARY, OP_POW, *out, right, out));
    }
    return 0;
}

static int parse_mul(struct parser *p, struct node **out)
{
    TRY(parse_pow(p, out));
    for (;;) {
        int t = cur(p)->type;
        if (t != '*' && t != '/' && t != OP_FLOORDIV && t != '%') return 0;
        struct node *right;
        p->at++;
        TRY(parse_pow(p, &right));
        TRY(binary(p, N_BINARY, t, *out, right, out));
    }
}

static int parse_concat(struct parser *p, struct node **out)
{
    TRY(parse_mul(p, out));
    if (cur(p)->type != '~') return 0;
    struct node *n, **tail = &(*out)->next;
    TRY(binary(p, N_CONCAT, '~', *out, NULL, &n));
    while (tmpl_skip(p, '~')) {
        TRY(parse_mul(p, tail));
        tail = &(*tail)->next;
    }
    *out = n;
    return 0;
}

static int parse_add(struct parser *p, struct node **out)
{
    TRY(parse_concat(p, out));
    for (;;) {
        int t = cur(p)->type;
        if (t != '+' && t != '-') return 0;
        struct node *right;
        p->at++;
        TRY(parse_concat(p, &right));
        TRY(binary(p, N_BINARY, t, *out, right, out));
    }
}

/* The comparison that starts here, or 0; consumed. */
static int compare_op(struct parser *p)
{
    int t = cur(p)->type;
    if (t == OP_EQ || t == OP_NE || t == OP_GE || t == OP_LE || t == '<' || t == '>') {
        p->at++;
        return t;
    }
    if (tmpl_skip_name(p, "in")) return OP_IN;
    const struct token *next = &p->tok[p->at + 1];
    if (tmpl_tok_is(p, "not") && next->type == T_NAME && str_eqz(next->s, "in")) {
        p->at += 2;
        return OP_NOTIN;
    }
    return 0;
}

static int parse_compare(struct parser *p, struct node **out)
{
    TRY(parse_add(p, out));
    struct node *n = NULL, **tail = NULL;
    for (int op; (op = compare_op(p));) {
        if (!n) {
            TRY(binary(p, N_COMPARE, 0, *out, NULL, &n));
            tail = &n->b;
        }
        struct node *right, *operand;
        TRY(parse_add(p, &right));
        TRY(binary(p, N_KEYWORD, op, right, NULL, &operand)); /* holds operator and operand */
        *tail = operand;
        tail = &operand->next;
    }
    if (n) *out = n;
    return 0;
}

static int parse_not(struct parser *p, struct node **out)
{
    int line = cur(p)->line;
    if (!tmpl_skip_name(p, "not")) return parse_compare(p, out);
    TRY(tmpl_nest(p));
    TRY(parse_not(p, out));
    p->depth--;
    TRY(binary(p, N_NOT, 0, *out, NULL, out));
    (*out)->line = line;
    return 0;
}

static int parse_and(struct parser *p, struct node **out)
{
    TRY(parse_not(p, out));
    while (tmpl_skip_name(p, "and")) {
        struct node *right;
        TRY(parse_not(p, &right));
        TRY(binary(p, N_AND, 0, *out, right, out));
    }
    return 0;
}

static int parse_or(struct parser *p, struct node **out)
{
    TRY(parse_and(p, out));
    while (tmpl_skip_name(p, "or")) {
        struct node *right;
        TRY(parse_and(p, &right));
        TRY(binary(p, N_OR, 0, *out, right, out));
    }
    return 0;
}

/* Whether an `if` follows the expression that starts here, at the same level of brackets: then filters in it are looked
 * up softly, as under the statement. */
static bool has_condition(const struct parser *p)
{
    int open = 0;
    for (size_t i = p->at; i < p->n_tok; i++) {
        int t = p->tok[i].type;
        if (t == T_EOF || t == T_VAR_END || t == T_BLOCK_END) return false;
        if (t == '(' || t == '[' || t == '{') open++;
        if (t == ')' || t == ']' || t == '}') open--;
        if (open < 0 || (open == 0 && (t == ',' || t == ':'))) return false;
        if (open == 0 && t == T_NAME && str_eqz(p->tok[i].s, "if")) return true;
    }
    return false;
}

int tmpl_parse_expr(struct parser *p, bool with_cond, struct node **out)
{
    TRY(tmpl_nest(p));
    bool soft = p->soft;
    if (with_cond && has_condition(p)) p->soft = true;
    struct node *n;
    TRY(parse_or(p, &n));
    while (with_cond && tmpl_skip_name(p, "if")) {
        struct node *test, *other = NULL;
        TRY(parse_or(p, &test));
        if (tmpl_skip_name(p, "else")) TRY(tmpl_parse_expr(p, true, &other));
        TRY(binary(p, N_COND, 0, n, test, &n));
        n->c = other;
    }
    p->soft = soft;
    p->depth--;
    *out = n;
    return 0;
}
