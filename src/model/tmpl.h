/* Chat templates, inside: what the files tmpl_*.c share. Reading order:
 *   tmpl_lex.c → tmpl_parse.c, tmpl_expr.c   text to tokens to a tree of `struct node` (tmpl_parse.h)
 *   tmpl_val.c, tmpl_text.c, tmpl_ops.c      Python's values: strings, lists, dicts; their text; their operators
 *   tmpl_run.c, tmpl_call.c                  the interpreter: statements and scopes; calls, macros and loops
 *   tmpl_filter*.c, tmpl_test.c, tmpl_meth*.c, tmpl_func.c, tmpl_format.c   tables of builtins
 *   tmpl.c                                   the public functions
 * A compiled template is read-only. Everything a rendering creates lives in the arena of its `struct rt` and dies
 * with it, so a function that fails just returns: there is nothing to release (hence TRY). */
#ifndef TMPL_H
#define TMPL_H

#include "base_arena.h"
#include "base_buf.h"
#include "base_mem.h"
#include "base_str.h"
#include "model_tmpl.h"

#define TRY(call)                  \
    do {                           \
        int rc_ = (call);          \
        if (rc_) return rc_;       \
    } while (0)

enum {
    TMPL_MAX_SOURCE = 1 << 20, /* bytes of template text */
    TMPL_MAX_NEST = 200,       /* nested expressions and blocks in the source */
    TMPL_MAX_DEPTH = 1500,     /* nested evaluations while rendering (macro recursion) */
    TMPL_MAX_DATA_DEPTH = 200, /* nesting of values when printed, compared or converted */
    TMPL_MAX_RANGE = 100000,   /* Jinja's sandbox allows as many */
    TMPL_MAX_ARGS = 8,         /* named parameters of a builtin */
};

/* ---- values ---- */

enum tag {
    V_MISSING, /* no value: an argument not given, a name not set */
    V_UNDEF, V_NONE, V_BOOL, V_INT, V_FLOAT, V_STR, V_LIST, V_TUPLE, V_DICT,
    V_RANGE, V_VIEW, V_ITER, V_NS, V_FUNC, V_METHOD, V_MACRO, V_LOOP, V_CYCLER, V_JOINER,
};

struct val {
    enum tag tag;
    union {
        bool b;
        int64_t i;
        double f;
        struct sstr *s;
        struct seq *l;   /* list, tuple */
        struct map *d;   /* dict, namespace */
        struct undef *u;
        struct range *r;
        struct view *w;
        struct iter *it;
        const struct builtin *fn;
        struct method *m;
        struct macro *mac;
        struct loop *loop;
        struct cycler *cy;
    };
};

/* A string: a borrowed run of valid UTF-8. Slices share the bytes of what they were cut from. */
struct sstr {
    const char *p;
    size_t n;
    uint64_t hash;    /* 0: not computed yet */
    int64_t chars;    /* code points; -1: not counted yet */
    struct growth *g; /* where a concatenation may continue in place, or NULL */
    bool markup;      /* Markup: `+` escapes what is added to it */
};
struct seq {
    size_t n, cap;
    struct val *v;
    bool named; /* a pair of the groupby filter: also .grouper and .list */
};
struct entry {
    struct val k, v;
    uint64_t hash;
};
/* Insertion-ordered: entries in `e`, and from 9 entries on an open-addressing index of entry numbers + 1. */
struct map {
    size_t n, cap, n_slots;
    struct entry *e;
    uint32_t *slot;
};
struct undef {
    const char *hint;     /* the whole message, or NULL: made from name and obj */
    const struct sstr *name;
    const char *obj;      /* type of the object that lacks `name`; NULL: a variable */
};
struct range {
    int64_t start, stop, step, n;
};
struct view {
    struct map *d;
    char what; /* 'k' keys, 'v' values, 'i' items */
};
struct iter { /* a generator: computed at once here, but it can be walked only once */
    struct seq items;
    size_t pos;
    bool counted; /* has a len(): never true for Python's generators */
};
struct method {
    const struct builtin *fn;
    struct val self;
};
struct macro {
    const struct node *node; /* N_MACRO or N_CALLBLOCK */
    struct scope *scope;     /* where it was defined */
};
struct loop {
    struct seq items;
    size_t at;
    int depth0;
    const struct node *node;
    struct scope *up; /* scope around the for statement, for recursion */
    struct val changed;
};
struct cycler {
    struct seq items;
    size_t pos;
};

static inline struct val v_none(void) { return (struct val){.tag = V_NONE}; }
static inline struct val v_bool(bool b) { return (struct val){.tag = V_BOOL, .b = b}; }
static inline struct val v_int(int64_t i) { return (struct val){.tag = V_INT, .i = i}; }
static inline struct val v_float(double f) { return (struct val){.tag = V_FLOAT, .f = f}; }
static inline struct val v_str(struct sstr *s) { return (struct val){.tag = V_STR, .s = s}; }
static inline bool v_given(struct val v) { return v.tag != V_MISSING; }
static inline bool v_is_none(struct val v) { return v.tag == V_NONE || v.tag == V_MISSING; }
static inline bool v_is_seq(struct val v) { return v.tag == V_LIST || v.tag == V_TUPLE; }

/* ---- the tree ---- */

enum node_kind {
    /* statements */
    N_DATA, N_PRINT, N_IF, N_FOR, N_SET, N_SETBLOCK, N_MACRO, N_CALLBLOCK, N_FILTERBLOCK, N_WITH, N_SCOPE, N_BLOCK,
    N_BREAK, N_CONTINUE, N_FAIL,
    /* expressions */
    N_CONST, N_NAME, N_NSREF, N_LIST, N_TUPLE, N_DICT, N_COND, N_AND, N_OR, N_NOT, N_COMPARE, N_BINARY, N_CONCAT,
    N_NEG, N_POS, N_ATTR, N_ITEM, N_SLICE, N_CALL, N_FILTER, N_TEST, N_KEYWORD,
};

/* What a kind keeps where is said beside the function of tmpl_parse.c or tmpl_expr.c that makes it. */
struct node {
    enum node_kind kind;
    int op;               /* operator token; flags of statements */
    int line;
    uint32_t sym;         /* N_NAME, N_NSREF, N_MACRO: number of the variable */
    struct node *a, *b, *c, *d;
    struct node *next;    /* in a list */
    struct args *args;    /* N_CALL, N_FILTER, N_TEST */
    struct val v;         /* constants; the name of an attribute, macro, filter */
    const struct builtin *fn; /* filter or test; NULL: unknown, an error when it is reached */
};
struct args {
    struct node *pos, *kw; /* kw: N_KEYWORD, name in v, value in a */
    int n_pos, n_kw;
    struct node *star, *star2;
};
enum { FOR_RECURSIVE = 1, MACRO_CALLER = 1, MACRO_VARARGS = 2, MACRO_KWARGS = 4 };

struct tmpl {
    struct arena a;
    struct node *body;
    uint32_t n_syms;
    struct sstr **syms; /* names of the variables by number */
};

/* ---- tokens ---- */

enum { /* an operator is its character, or one of the long ones below */
    T_EOF = 0, OP_POW = 1, OP_FLOORDIV, OP_EQ, OP_NE, OP_GE, OP_LE, OP_IN, OP_NOTIN,
    T_DATA = 128, T_VAR_BEGIN, T_VAR_END, T_BLOCK_BEGIN, T_BLOCK_END, T_NAME, T_STRING, T_INTEGER, T_FLOAT,
};
const char *tmpl_token_name(int type); /* "end of statement block" */

/* ---- a rendering ---- */

struct slot {
    uint32_t sym;
    struct val v;
};
struct scope {
    struct scope *up; /* NULL: the template's own variables, rt.root */
    uint32_t n, cap;
    struct slot *s;
    bool kept;        /* a macro refers to it: it may not be reused for the next iteration */
};
enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };
struct rt {
    const struct tmpl *t;
    struct arena a;
    struct buf out; /* output; what is captured for a macro or a block is cut off its end again */
    struct err *e;
    struct val *root; /* [t->n_syms] */
    struct scope *scope;
    uint64_t steps, max_steps;
    int64_t now;
    int depth, line;
    enum flow flow;
    bool strict; /* undefined values cannot be printed or iterated */
};

struct kwarg {
    struct sstr *name;
    struct val v;
};
struct call {
    struct val *v;
    size_t n;
    struct kwarg *k;
    size_t nk;
};

/* A builtin. `spec` names its parameters ("width first blank"), `min` of which are required; a leading "/" means they
 * cannot be given by name; NULL: it takes the call as it is. `self` is what a filter or test is applied to, or the
 * object of a method. `a` holds the bound arguments, V_MISSING where none was given. */
typedef int tmpl_fn(struct rt *r, struct val self, struct val *a, const struct call *c, struct val *out);
struct builtin {
    const char *name;
    tmpl_fn *fn;
    const char *spec;
    int min;
    unsigned types; /* methods: bits of the types that have it */
};
#define FN(name) static int name(struct rt *r, struct val self, struct val *a, const struct call *c, struct val *out)

const struct builtin *tmpl_filter(struct str name);
const struct builtin *tmpl_test(struct str name);
const struct builtin *tmpl_global(struct str name);
const struct builtin *tmpl_method(enum tag type, const struct sstr *name);
extern const struct builtin tmpl_filters_seq[], tmpl_filters_text[], tmpl_methods_str[], tmpl_methods_misc[];
bool tmpl_is_method_name(struct str name); /* of any type */

/* errors and bounds */
int tmpl_fail(struct rt *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
int tmpl_limit(struct rt *r, const char *what);
int tmpl_step(struct rt *r, uint64_t n) ERR_CHECK; /* charge n steps; also for work in proportion to bytes / 64 */
int tmpl_deeper(struct rt *r) ERR_CHECK;
int tmpl_alloc(struct rt *r, size_t n, size_t size, void *out_pp) ERR_CHECK; /* zeroed array in the arena */

/* strings (tmpl_val.c) */
int tmpl_str(struct rt *r, const char *p, size_t n, struct val *out) ERR_CHECK;   /* borrows p */
int tmpl_strdup(struct rt *r, const char *p, size_t n, struct val *out) ERR_CHECK; /* copies p */
int tmpl_strz(struct rt *r, const char *z, struct val *out) ERR_CHECK;             /* borrows a literal */
int tmpl_cut(struct rt *r, const struct sstr *s, const char *from, const char *to, struct val *out) ERR_CHECK;
int tmpl_concat(struct rt *r, struct sstr *a, struct sstr *b, struct val *out) ERR_CHECK;
int tmpl_take(struct rt *r, size_t mark, struct val *out) ERR_CHECK; /* output after `mark` as a string; cut off */
int tmpl_put(struct rt *r, const char *p, size_t n) ERR_CHECK;       /* append to the output */
int64_t tmpl_chars(struct sstr *s);
const char *tmpl_char_at(struct sstr *s, int64_t i); /* 0 ≤ i ≤ chars */
uint64_t tmpl_str_hash(struct sstr *s);
bool tmpl_str_eq(const struct sstr *a, const struct sstr *b);
void tmpl_str_seal(struct sstr *s); /* fill the cached fields: constants are shared between threads */

/* containers */
int tmpl_seq(struct rt *r, enum tag tag, size_t n, struct val *out) ERR_CHECK; /* n places */
int tmpl_push(struct rt *r, struct seq *l, struct val v) ERR_CHECK;
int tmpl_map(struct rt *r, enum tag tag, struct val *out) ERR_CHECK;
int tmpl_map_set(struct rt *r, struct map *d, struct val k, struct val v) ERR_CHECK; /* fails on unhashable keys */
int tmpl_map_get(struct rt *r, struct map *d, struct val k, struct val **out) ERR_CHECK; /* NULL: absent */
struct val *tmpl_map_str(const struct map *d, struct sstr *k);
int tmpl_pair(struct rt *r, struct val x, struct val y, struct val *out) ERR_CHECK;
int tmpl_iterate(struct rt *r, struct val v, struct seq *out) ERR_CHECK; /* items; uses up a generator */
int tmpl_generator(struct rt *r, struct seq items, struct val *out) ERR_CHECK;
int tmpl_undef(struct rt *r, const char *hint, struct val *out) ERR_CHECK;
int tmpl_undef_name(struct rt *r, const struct sstr *name, const char *obj, struct val *out) ERR_CHECK;
int tmpl_undef_fail(struct rt *r, struct val v);

bool tmpl_truth(struct val v);
int tmpl_eq(struct rt *r, struct val x, struct val y, bool *out) ERR_CHECK;
int tmpl_cmp(struct rt *r, struct val x, struct val y, const char *op, int *out) ERR_CHECK;
int tmpl_in(struct rt *r, struct val x, struct val in, bool *out) ERR_CHECK;
int tmpl_len(struct rt *r, struct val v, int64_t *out) ERR_CHECK;
int tmpl_sort(struct rt *r, struct val *v, struct val *key, size_t n, bool reverse) ERR_CHECK; /* stable, by key */
const char *tmpl_type_name(struct val v);

/* Python's text (tmpl_text.c): appended to the output */
int tmpl_print(struct rt *r, struct val v) ERR_CHECK; /* str() */
int tmpl_repr(struct rt *r, struct val v) ERR_CHECK;
int tmpl_to_str(struct rt *r, struct val v, struct sstr **out) ERR_CHECK; /* str() as a string */
size_t tmpl_float_text(double f, char out[40]);                 /* repr() of a float */
bool tmpl_printable(uint32_t cp);
struct json_style {
    bool ascii, sort;
    struct str indent, item_sep, key_sep;
    bool pretty;
};
int tmpl_json(struct rt *r, struct val v, const struct json_style *style, int level) ERR_CHECK;

/* operators (tmpl_ops.c) */
int tmpl_binary(struct rt *r, int op, struct val x, struct val y, struct val *out) ERR_CHECK;
int tmpl_unary(struct rt *r, int op, struct val x, struct val *out) ERR_CHECK;
int tmpl_attr(struct rt *r, struct val obj, struct sstr *name, struct val *out) ERR_CHECK; /* obj.name */
int tmpl_item(struct rt *r, struct val obj, struct val key, struct val *out) ERR_CHECK;    /* obj[key] */
int tmpl_slice(struct rt *r, struct val obj, const struct val part[3], struct val *out) ERR_CHECK;
bool tmpl_as_int(struct val v, int64_t *out);  /* int and bool */
bool tmpl_as_num(struct val v, double *out);
int tmpl_power(struct rt *r, struct val x, struct val y, struct val *out) ERR_CHECK;
int tmpl_repeat(struct rt *r, struct val x, int64_t n, struct val *out) ERR_CHECK;

/* interpreter */
int tmpl_eval(struct rt *r, const struct node *n, struct val *out) ERR_CHECK;
int tmpl_exec(struct rt *r, const struct node *list) ERR_CHECK;
int tmpl_assign(struct rt *r, const struct node *target, struct val v) ERR_CHECK;
int tmpl_set(struct rt *r, uint32_t sym, struct val v) ERR_CHECK;
int tmpl_scope_push(struct rt *r, struct scope *up) ERR_CHECK;
int tmpl_call(struct rt *r, struct val f, const struct call *c, struct val *out) ERR_CHECK;
int tmpl_eval_call(struct rt *r, const struct node *n, struct val *out) ERR_CHECK;
int tmpl_eval_args(struct rt *r, const struct args *a, struct call *out) ERR_CHECK;
int tmpl_call_builtin(struct rt *r, const struct builtin *b, struct val self, const struct call *c,
                      struct val *out) ERR_CHECK;
int tmpl_exec_for(struct rt *r, const struct node *n) ERR_CHECK;
int tmpl_exec_callblock(struct rt *r, const struct node *n) ERR_CHECK;
int tmpl_loop_attr(struct rt *r, struct loop *l, const struct sstr *name, struct val *out) ERR_CHECK;
int tmpl_loop_call(struct rt *r, struct loop *l, struct val items, struct val *out) ERR_CHECK;

/* Python's % and str.format (tmpl_format.c) */
int tmpl_format_percent(struct rt *r, struct sstr *fmt, struct val args, struct val *out) ERR_CHECK;
int tmpl_format_braces(struct rt *r, struct sstr *fmt, const struct call *c, struct val *out) ERR_CHECK;

/* text helpers shared by filters and methods (tmpl_unicode.c) */
bool tmpl_is_space(uint32_t cp);
bool tmpl_is_word(uint32_t cp);
bool tmpl_is_digit(uint32_t cp);
int tmpl_put_upper(struct rt *r, uint32_t cp) ERR_CHECK;
int tmpl_put_title(struct rt *r, uint32_t cp) ERR_CHECK;
int tmpl_put_lower(struct rt *r, struct str all, size_t at, uint32_t cp) ERR_CHECK; /* `all`, `at`: final sigma */
int tmpl_escape(struct rt *r, struct val v, struct val *out) ERR_CHECK; /* Markup */
int tmpl_escape_put(struct rt *r, const char *p, size_t n) ERR_CHECK;
void tmpl_strip(struct str *s, const struct sstr *chars, bool left, bool right); /* chars NULL: white space */
int tmpl_splitlines(struct rt *r, const struct sstr *s, bool keep, struct seq *out) ERR_CHECK;
int tmpl_replace(struct rt *r, const struct sstr *s, const struct sstr *from, const struct sstr *to, int64_t count,
                 struct val *out) ERR_CHECK;
enum text_case { CASE_UPPER, CASE_LOWER, CASE_CAPITAL, CASE_TITLE, CASE_SWAP };
int tmpl_case(struct rt *r, const struct sstr *s, enum text_case how, struct val *out) ERR_CHECK;
bool tmpl_case_is(const struct sstr *s, enum text_case how); /* islower, isupper, istitle */
bool tmpl_parse_int(struct str s, int base, int64_t *out);  /* Python's int(text, base) */
bool tmpl_parse_float(struct str s, double *out);           /* Python's float(text) */
int tmpl_find_kw(const struct call *c, const char *name);   /* index or -1 */

#endif
