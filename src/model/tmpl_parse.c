/* Chat templates, step 2: statements. Tokens to a tree of `struct node`, in the template's arena.
 *
 * Where a node keeps what:
 *   N_DATA     v text                          N_PRINT  a expression
 *   N_IF       a test, b body, c else (for elif another N_IF, with op 1)
 *   N_FOR      a target, b items, c body, d else; args->pos the `if` test; op FOR_RECURSIVE; sym of `loop`
 *   N_SET      a target, b value               N_SETBLOCK  a target, b body, c filter or NULL
 *   N_MACRO    v name, sym, a parameters (N_NAME, its default in b), c body, op MACRO_* names it reads
 *   N_CALLBLOCK  the same for the block, b the call        N_FILTERBLOCK  a filter, b body
 *   N_WITH     a targets, b values (lists of the same length), c body
 *   N_SCOPE    b body: names set inside stay inside      N_BLOCK  b body: sees the template's own names only
 *   N_FAIL     v message: a tag that cannot work here (there is one template only)
 *
 * Names of variables become numbers (tmpl_symbol), so that scopes compare integers. Nesting is bounded.
 * Owns nothing beyond the parser. Next: tmpl_expr.c, then tmpl_run.c. */
#include "tmpl_parse.h"

#include <stdarg.h>

int tmpl_syntax(struct parser *p, int line, const char *fmt, ...)
{
    char msg[240];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return err_set(p->e, CROFT_E_FORMAT, "chat template", line, "The chat template does not parse, line %d: %s.", line,
                   msg);
}

static struct token *cur(const struct parser *p) { return &p->tok[p->at]; }

int tmpl_expected(struct parser *p, const char *what)
{
    const struct token *t = cur(p);
    if (t->type == T_NAME)
        return tmpl_syntax(p, t->line, "expected %s, found '%.*s'", what, (int)(t->s.n < 40 ? t->s.n : 40), t->s.p);
    return tmpl_syntax(p, t->line, "expected %s, found '%s'", what, tmpl_token_name(t->type));
}

bool tmpl_tok_is(const struct parser *p, const char *name)
{
    return cur(p)->type == T_NAME && str_eqz(cur(p)->s, name);
}

bool tmpl_skip(struct parser *p, int type)
{
    if (cur(p)->type != type) return false;
    p->at++;
    return true;
}

bool tmpl_skip_name(struct parser *p, const char *name)
{
    if (!tmpl_tok_is(p, name)) return false;
    p->at++;
    return true;
}

int tmpl_expect(struct parser *p, int type)
{
    if (cur(p)->type == type) {
        p->at += type != T_EOF;
        return 0;
    }
    char what[48];
    snprintf(what, sizeof what, "'%s'", tmpl_token_name(type));
    return tmpl_expected(p, what);
}

int tmpl_nest(struct parser *p)
{
    if (p->depth >= TMPL_MAX_NEST)
        return tmpl_syntax(p, cur(p)->line, "expressions and blocks are nested more than %d deep", TMPL_MAX_NEST);
    p->depth++;
    return 0;
}

int tmpl_node(struct parser *p, enum node_kind kind, int line, struct node **out)
{
    struct node *n = arena_alloc(&p->t->a, sizeof *n);
    *out = NULL;
    if (!n) return err_nomem(p->e, sizeof *n);
    n->kind = kind;
    n->line = line;
    *out = n;
    return 0;
}

static int text_value(struct parser *p, struct str s, struct val *out)
{
    struct sstr *v = arena_alloc(&p->t->a, sizeof *v);
    *out = v_none();
    if (!v) return err_nomem(p->e, sizeof *v);
    *v = (struct sstr){.p = s.p, .n = s.n};
    tmpl_str_seal(v);
    *out = v_str(v);
    return 0;
}

/* Room for one more symbol: the table stays less than half full. */
static int grow_symbols(struct parser *p)
{
    struct tmpl *t = p->t;
    if (t->n_syms < p->cap_syms) return 0;
    size_t cap = p->cap_syms ? p->cap_syms * 2 : 64;
    struct sstr **syms = mem_realloc(t->syms, cap * sizeof *syms);
    if (!syms) return err_nomem(p->e, cap * sizeof *syms);
    t->syms = syms;
    uint32_t *table = mem_calloc(cap * 4, sizeof *table);
    if (!table) return err_nomem(p->e, cap * 4 * sizeof *table);
    mem_free(p->table);
    p->table = table;
    p->n_table = cap * 4;
    p->cap_syms = cap;
    for (uint32_t i = 0; i < t->n_syms; i++) {
        size_t at = syms[i]->hash & (p->n_table - 1);
        while (table[at]) at = (at + 1) & (p->n_table - 1);
        table[at] = i + 1;
    }
    return 0;
}

int tmpl_symbol(struct parser *p, struct str name, struct node *n)
{
    struct tmpl *t = p->t;
    TRY(grow_symbols(p));
    struct sstr key = {.p = name.p, .n = name.n};
    size_t at = tmpl_str_hash(&key) & (p->n_table - 1);
    for (; p->table[at]; at = (at + 1) & (p->n_table - 1))
        if (tmpl_str_eq(t->syms[p->table[at] - 1], &key)) break;
    if (!p->table[at]) {
        struct val v;
        TRY(text_value(p, name, &v));
        t->syms[t->n_syms] = v.s;
        p->table[at] = ++t->n_syms;
    }
    n->sym = p->table[at] - 1;
    n->v = v_str(t->syms[n->sym]);
    return 0;
}

/* ---- bodies ---- */

static int parse_statement(struct parser *p, struct node **out);

/* Whether the current token is one of the names in "endif|else|elif". */
static bool at_end_tag(struct parser *p, const char *ends)
{
    const struct token *t = cur(p);
    if (!ends || t->type != T_NAME) return false;
    for (const char *s = ends; *s;) {
        size_t n = strcspn(s, "|");
        if (str_eq(t->s, (struct str){s, n})) return true;
        s += n + (s[n] == '|');
    }
    return false;
}

/* Text and statements up to one of the tags `ends` (left as the current token), or to the end of the template. */
static int parse_until(struct parser *p, const char *ends, struct node **out)
{
    struct node *first = NULL, **tail = &first;
    TRY(tmpl_nest(p));
    p->ends[p->n_ends++] = ends;
    for (;;) {
        struct token *t = cur(p);
        struct node *n = NULL;
        if (t->type == T_EOF) {
            if (ends) return tmpl_syntax(p, t->line, "unexpected end of template, expected the tag '%s'", ends);
            break;
        }
        p->at++;
        if (t->type == T_DATA) {
            TRY(tmpl_node(p, N_DATA, t->line, &n));
            TRY(text_value(p, t->s, &n->v));
        } else if (t->type == T_VAR_BEGIN) {
            TRY(tmpl_node(p, N_PRINT, t->line, &n));
            TRY(tmpl_parse_tuple(p, 0, NULL, &n->a));
            TRY(tmpl_expect(p, T_VAR_END));
        } else {
            if (at_end_tag(p, ends)) break;
            TRY(parse_statement(p, &n));
            TRY(tmpl_expect(p, T_BLOCK_END));
        }
        *tail = n;
        while (*tail) tail = &(*tail)->next;
    }
    p->n_ends--;
    p->depth--;
    *out = first;
    return 0;
}

/* The body of a statement: ": %}" is allowed, as in Python. With `drop` the end tag's name is consumed. */
static int parse_body(struct parser *p, const char *ends, bool drop, struct node **out)
{
    tmpl_skip(p, ':');
    TRY(tmpl_expect(p, T_BLOCK_END));
    TRY(parse_until(p, ends, out));
    p->at += drop;
    return 0;
}

/* A body that is a scope of its own: unknown filters in it are errors at once again, see tmpl_expr.c. */
static int parse_inner(struct parser *p, const char *ends, struct node **out)
{
    bool soft = p->soft;
    p->soft = false;
    TRY(parse_body(p, ends, true, out));
    p->soft = soft;
    return 0;
}

/* ---- assignment targets ---- */

static int check_target(struct parser *p, const struct node *n)
{
    static const char *const kinds[] = {[N_CONST] = "a constant", [N_LIST] = "a list", [N_DICT] = "a dict"};
    if (n->kind == N_NSREF) return 0;
    if (n->kind == N_NAME) {
        if (p->loops && str_eqz((struct str){n->v.s->p, n->v.s->n}, "loop"))
            return tmpl_syntax(p, n->line, "'loop' cannot be assigned to inside a for loop");
        return 0;
    }
    if (n->kind != N_TUPLE)
        return tmpl_syntax(p, n->line, "cannot assign to %s, expected a name",
                           n->kind == N_CONST || n->kind == N_LIST || n->kind == N_DICT ? kinds[n->kind]
                                                                                        : "an expression");
    for (const struct node *i = n->a; i; i = i->next) TRY(check_target(p, i));
    return 0;
}

static int parse_target(struct parser *p, bool with_ns, const char *end_name, struct node **out)
{
    TRY(tmpl_parse_tuple(p, TUPLE_SIMPLE | (with_ns ? TUPLE_NS : 0), end_name, out));
    return check_target(p, *out);
}

static int parse_name(struct parser *p, struct node **out)
{
    static const char *const constants[] = {"true", "false", "none", "True", "False", "None"};
    struct token *t = cur(p);
    TRY(tmpl_expect(p, T_NAME));
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (str_eqz(t->s, constants[i])) return tmpl_syntax(p, t->line, "cannot assign to '%s'", constants[i]);
    TRY(tmpl_node(p, N_NAME, t->line, out));
    return tmpl_symbol(p, t->s, *out);
}

/* ---- statements; the tag's name is the current token ---- */

static int parse_if(struct parser *p, int line, struct node **out)
{
    struct node *n = NULL, **at = out;
    bool soft = p->soft;
    p->soft = true;
    for (;;) {
        TRY(tmpl_node(p, N_IF, line, &n));
        n->op = at != out; /* elif */
        *at = n;
        at = &n->c;
        TRY(tmpl_parse_tuple(p, TUPLE_NO_COND, NULL, &n->a));
        TRY(parse_body(p, "elif|else|endif", false, &n->b));
        line = cur(p)->line;
        if (tmpl_skip_name(p, "elif")) continue;
        if (tmpl_skip_name(p, "else")) TRY(parse_body(p, "endif", true, &n->c));
        else p->at++;
        p->soft = soft;
        return 0;
    }
}

static int parse_for(struct parser *p, int line, struct node **out)
{
    struct node *n;
    TRY(tmpl_node(p, N_FOR, line, &n));
    n->args = arena_alloc(&p->t->a, sizeof *n->args);
    if (!n->args) return err_nomem(p->e, sizeof *n->args);
    TRY(tmpl_symbol(p, STR("loop"), n));
    p->loops++;
    TRY(parse_target(p, false, "in", &n->a));
    p->loops--;
    if (!tmpl_skip_name(p, "in")) return tmpl_expected(p, "'in'");
    TRY(tmpl_parse_tuple(p, TUPLE_NO_COND, "recursive", &n->b));
    bool soft = p->soft;
    p->soft = false;
    if (tmpl_skip_name(p, "if")) TRY(tmpl_parse_expr(p, true, &n->args->pos));
    if (tmpl_skip_name(p, "recursive")) n->op = FOR_RECURSIVE;
    p->loops++;
    TRY(parse_body(p, "endfor|else", false, &n->c));
    p->loops--;
    if (tmpl_skip_name(p, "else")) TRY(parse_body(p, "endfor", true, &n->d));
    else p->at++;
    p->soft = soft;
    *out = n;
    return 0;
}

static int parse_set(struct parser *p, int line, struct node **out)
{
    struct node *n;
    TRY(tmpl_node(p, N_SET, line, &n));
    TRY(parse_target(p, true, NULL, &n->a));
    *out = n;
    if (tmpl_skip(p, '=')) return tmpl_parse_tuple(p, 0, NULL, &n->b);
    n->kind = N_SETBLOCK;
    TRY(tmpl_parse_filter(p, NULL, false, &n->c));
    return parse_inner(p, "endset", &n->b);
}

static int parse_signature(struct parser *p, struct node *n)
{
    struct node **tail = &n->a, *arg;
    bool defaults = false;
    TRY(tmpl_expect(p, '('));
    while (cur(p)->type != ')') {
        if (n->a) TRY(tmpl_expect(p, ','));
        TRY(parse_name(p, &arg));
        if (tmpl_skip(p, '=')) {
            TRY(tmpl_parse_expr(p, true, &arg->b));
            defaults = true;
        } else if (defaults) {
            return tmpl_syntax(p, arg->line, "a parameter without default follows one with a default");
        }
        for (struct node *i = n->a; i; i = i->next)
            if (i->sym == arg->sym) return tmpl_syntax(p, arg->line, "a parameter is named twice");
        *tail = arg;
        tail = &arg->next;
    }
    return tmpl_expect(p, ')');
}

/* Parameters and body of a macro or call block. Which of `caller`, `varargs`, `kwargs` it reads decides what it may be
 * called with. */
static int parse_function(struct parser *p, struct node *n, const char *end)
{
    int specials = p->specials, loops = p->loops;
    p->specials = 0;
    p->loops = 0;
    bool soft = p->soft;
    p->soft = false;
    if (n->kind == N_MACRO || cur(p)->type == '(') TRY(parse_signature(p, n));
    if (n->kind == N_CALLBLOCK) {
        int inside = p->specials;
        p->soft = soft;
        TRY(tmpl_parse_expr(p, true, &n->b));
        if (n->b->kind != N_CALL) return tmpl_syntax(p, n->line, "expected a call after 'call'");
        specials |= p->specials; /* the call stands outside the block */
        p->specials = inside;
    }
    TRY(parse_inner(p, end, &n->c));
    p->soft = soft;
    for (const struct node *i = n->a; i; i = i->next) {
        struct str name = {i->v.s->p, i->v.s->n};
        if (str_eqz(name, "caller")) p->specials &= ~MACRO_CALLER;
        if (str_eqz(name, "varargs")) p->specials &= ~MACRO_VARARGS;
        if (str_eqz(name, "kwargs")) p->specials &= ~MACRO_KWARGS;
        if (str_eqz(name, "caller") && !i->b)
            return tmpl_syntax(p, n->line, "the parameter 'caller' must be left out or have a default");
    }
    n->op = p->specials;
    p->specials = specials | n->op;
    p->loops = loops;
    return 0;
}

static int parse_macro(struct parser *p, int line, struct node **out)
{
    struct node *n, *name;
    TRY(tmpl_node(p, N_MACRO, line, &n));
    TRY(parse_name(p, &name));
    TRY(check_target(p, name));
    n->sym = name->sym;
    n->v = name->v;
    *out = n;
    return parse_function(p, n, "endmacro");
}

static int parse_call_block(struct parser *p, int line, struct node **out)
{
    TRY(tmpl_node(p, N_CALLBLOCK, line, out));
    return parse_function(p, *out, "endcall");
}

static int parse_filter_block(struct parser *p, int line, struct node **out)
{
    TRY(tmpl_node(p, N_FILTERBLOCK, line, out));
    TRY(tmpl_parse_filter(p, NULL, true, &(*out)->a));
    return parse_inner(p, "endfilter", &(*out)->b);
}

static int parse_with(struct parser *p, int line, struct node **out)
{
    struct node *n, **target, **value;
    TRY(tmpl_node(p, N_WITH, line, &n));
    *out = n;
    target = &n->a;
    value = &n->b;
    while (cur(p)->type != T_BLOCK_END) {
        if (n->a) TRY(tmpl_expect(p, ','));
        TRY(parse_target(p, false, NULL, target));
        TRY(tmpl_expect(p, '='));
        TRY(tmpl_parse_expr(p, true, value));
        target = &(*target)->next;
        value = &(*value)->next;
    }
    return parse_inner(p, "endwith", &n->c);
}

static int parse_block(struct parser *p, int line, struct node **out)
{
    int loops = p->loops;
    struct token *name = cur(p);
    TRY(tmpl_node(p, N_BLOCK, line, out));
    TRY(tmpl_expect(p, T_NAME));
    if (tmpl_skip_name(p, "scoped")) (*out)->kind = N_SCOPE;
    p->loops = 0;
    TRY(parse_inner(p, "endblock", &(*out)->b));
    p->loops = loops;
    if (cur(p)->type == T_NAME && str_eq(cur(p)->s, name->s)) p->at++;
    return 0;
}

static int parse_print(struct parser *p, int line, struct node **out)
{
    while (cur(p)->type != T_BLOCK_END) {
        if (*out) TRY(tmpl_expect(p, ','));
        struct node **tail = out;
        while (*tail) tail = &(*tail)->next;
        TRY(tmpl_node(p, N_PRINT, line, tail));
        TRY(tmpl_parse_expr(p, true, &(*tail)->a));
    }
    return *out ? 0 : tmpl_node(p, N_SCOPE, line, out);
}

static int parse_jump(struct parser *p, int line, struct node **out)
{
    bool is_break = str_eqz(p->tok[p->at - 1].s, "break");
    if (!p->loops) return tmpl_syntax(p, line, "'%s' outside a for loop", is_break ? "break" : "continue");
    return tmpl_node(p, is_break ? N_BREAK : N_CONTINUE, line, out);
}

/* Tags that need other templates: an error only when they are reached. */
static int parse_foreign(struct parser *p, int line, struct node **out)
{
    static const char why[] = "there is only this one template: include, import and extends cannot work";
    TRY(tmpl_node(p, N_FAIL, line, out));
    TRY(text_value(p, (struct str){why, sizeof why - 1}, &(*out)->v));
    if (cur(p)->type == T_BLOCK_END) return tmpl_expected(p, "an expression");
    while (cur(p)->type != T_BLOCK_END) p->at++; /* the lexer made sure that there is one */
    return 0;
}

static const struct {
    const char *name;
    int (*parse)(struct parser *p, int line, struct node **out);
} tags[] = {
    {"if", parse_if}, {"for", parse_for}, {"set", parse_set}, {"macro", parse_macro}, {"call", parse_call_block},
    {"filter", parse_filter_block}, {"with", parse_with}, {"block", parse_block},
    {"print", parse_print}, {"break", parse_jump}, {"continue", parse_jump}, {"include", parse_foreign},
    {"import", parse_foreign}, {"from", parse_foreign}, {"extends", parse_foreign},
};

static int parse_statement(struct parser *p, struct node **out)
{
    struct token *t = cur(p);
    if (t->type != T_NAME) return tmpl_expected(p, "the name of a tag");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!str_eqz(t->s, tags[i].name)) continue;
        p->at++;
        return tags[i].parse(p, t->line, out);
    }
    const char *ends = p->n_ends ? p->ends[p->n_ends - 1] : NULL;
    return tmpl_syntax(p, t->line, "unknown tag '%.*s'%s%s%s", (int)(t->s.n < 40 ? t->s.n : 40), t->s.p,
                       ends ? ", expected '" : "", ends ? ends : "", ends ? "'" : "");
}

int tmpl_parse_template(struct parser *p) { return parse_until(p, NULL, &p->t->body); }
