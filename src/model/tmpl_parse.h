/* Chat templates: what the lexer and the two halves of the parser share. Everything they make lies in the arena of
 * the template; the parser itself lives as long as tmpl_new. Read tmpl.h first for the tree. */
#ifndef TMPL_PARSE_H
#define TMPL_PARSE_H

#include "tmpl.h"

struct token {
    int type, line;
    struct str s; /* data, name, or a string's value */
    union {
        int64_t i;
        double f;
    };
};
struct parser {
    struct tmpl *t;
    struct err *e;
    struct token *tok;
    size_t n_tok, cap_tok, at;
    int depth;
    uint32_t *table; /* hash table of symbol numbers + 1 */
    size_t n_table, cap_syms;
    bool soft;       /* under an `if`: an unknown filter is an error only when reached */
    int loops;       /* for loops around this point of the same macro */
    int specials;    /* MACRO_* names read since the innermost macro began */
    const char *ends[TMPL_MAX_NEST + 8]; /* what closes the open blocks, for messages */
    int n_ends;
};

int tmpl_lex(struct parser *p, char *src, size_t n) ERR_CHECK;
int tmpl_syntax(struct parser *p, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
int tmpl_expected(struct parser *p, const char *what);
int tmpl_parse_template(struct parser *p) ERR_CHECK;
/* expressions (tmpl_expr.c); *out in the template's arena */
int tmpl_parse_expr(struct parser *p, bool with_cond, struct node **out) ERR_CHECK;
enum { TUPLE_SIMPLE = 1, TUPLE_NO_COND = 2, TUPLE_PARENS = 4, TUPLE_NS = 8 };
int tmpl_parse_tuple(struct parser *p, int flags, const char *end_name, struct node **out) ERR_CHECK;
int tmpl_parse_filter(struct parser *p, struct node *on, bool inline_name, struct node **out) ERR_CHECK;
int tmpl_parse_args(struct parser *p, struct args **out) ERR_CHECK;
int tmpl_node(struct parser *p, enum node_kind kind, int line, struct node **out) ERR_CHECK;
int tmpl_symbol(struct parser *p, struct str name, struct node *n) ERR_CHECK; /* sets n->sym and n->v */
bool tmpl_tok_is(const struct parser *p, const char *name); /* the current token is this name */
bool tmpl_skip_name(struct parser *p, const char *name);
bool tmpl_skip(struct parser *p, int type);
int tmpl_expect(struct parser *p, int type) ERR_CHECK;
int tmpl_nest(struct parser *p) ERR_CHECK; /* depth + 1, or an error; the caller takes it back */

#endif
