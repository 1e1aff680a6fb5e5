/* Regular expressions to nodes, part by part: counts stay counts and nothing is multiplied out. This works when
 * anchors stand only at the ends of the alternatives; gram_dfa.c does the rest. Also here: characters inside JSON
 * strings. No state; the caller's nodes and arena. Next: gram_dfa.c. */
#include "gram.h"

#include "base_mem.h"

/* ---- JSON strings ---- */

/* How a character that may not stand for itself is written. */
static size_t json_escape(uint32_t c, char out[8])
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *k = c ? strchr(from, (int)c) : NULL;
    if (k) {
        out[0] = '\\';
        out[1] = to[k - from];
        return 2;
    }
    return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)c);
}

uint32_t gram_json_chars(struct gram_nodes *g, const struct gram_chars *c)
{
    static const struct gram_range plain[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, GRAM_MAX_CP}};
    struct gram_chars set = {0};
    uint32_t alt[40];
    size_t n = 0;
    gram_chars_add_all(&set, c);
    gram_chars_intersect(&set, &(struct gram_chars){.r = (struct gram_range *)plain, .n = 3});
    alt[n++] = gram_chars(g, &set);
    gram_chars_done(&set);
    for (uint32_t x = 1; x <= '\\'; x++) {
        if ((x >= 0x20 && x != '"' && x != '\\') || !gram_chars_has(c->r, c->n, x)) continue;
        char text[8];
        size_t len = json_escape(x, text);
        alt[n++] = gram_lit(g, text, len);
    }
    return gram_alt(g, alt, n);
}

uint32_t gram_json_any(struct gram_nodes *g)
{
    static const struct gram_range all[] = {{1, 0xD7FF}, {0xE000, GRAM_MAX_CP}};
    return gram_json_chars(g, &(struct gram_chars){.r = (struct gram_range *)all, .n = 2});
}

/* ---- the tree ---- */

struct lowering {
    struct gram_nodes *g;
    bool json, anchored; /* an anchor was met where it cannot be followed */
};

static uint32_t lower(struct lowering *l, const struct gram_re *re);

static uint32_t lower_list(struct lowering *l, enum gram_op op, const struct gram_re *kid, const struct gram_re *stop)
{
    uint32_t *list = NULL, r;
    size_t n = 0, cap = 0;
    for (; kid != stop; kid = kid->next) {
        if (gram_grow(&list, &cap, n + 1, sizeof *list)) {
            l->g->failed = CROFT_E_NOMEM;
            break;
        }
        list[n++] = lower(l, kid);
    }
    r = op == GRAM_SEQ ? gram_seq(l->g, list, n) : gram_alt(l->g, list, n);
    mem_free(list);
    return r;
}

static uint32_t lower(struct lowering *l, const struct gram_re *re)
{
    switch (re->op) {
    case RE_CHARS:
        return l->json ? gram_json_chars(l->g, &re->chars) : gram_chars(l->g, &re->chars);
    case RE_SEQ:
        return lower_list(l, GRAM_SEQ, re->kid, NULL);
    case RE_ALT:
        return lower_list(l, GRAM_ALT, re->kid, NULL);
    case RE_REP:
        return gram_rep(l->g, lower(l, re->kid), re->min, re->max);
    case RE_EMPTY:
        return gram_empty(l->g);
    default:
        l->anchored = true;
        return gram_empty(l->g);
    }
}

/* One alternative at the top: anchors at its ends are taken off; an end without one may be followed by anything. */
static uint32_t lower_top(struct lowering *l, const struct gram_re *seq, bool search)
{
    const struct gram_re *first = seq->kid, *last = NULL;
    bool begin = !search, end = !search;
    while (first && first->op == RE_BEGIN) {
        begin = true;
        first = first->next;
    }
    for (const struct gram_re *k = first; k; k = k->next)
        if (k->op != RE_END) last = k;
    const struct gram_re *stop = last ? last->next : first; /* the anchors behind the last that is none */
    if (stop) end = true;
    static const struct gram_range text[] = {{0, 0xD7FF}, {0xE000, GRAM_MAX_CP}};
    struct gram_chars set = {.r = (struct gram_range *)text, .n = 2};
    uint32_t any = gram_rep(l->g, l->json ? gram_json_any(l->g) : gram_chars(l->g, &set), 0, GRAM_INF);
    uint32_t body = lower_list(l, GRAM_SEQ, first, stop);
    return gram_seq(l->g, (uint32_t[]){begin ? gram_empty(l->g) : any, body, end ? gram_empty(l->g) : any}, 3);
}

bool gram_re_node(struct gram_nodes *g, const struct gram_re *re, bool search, bool json, uint32_t *out)
{
    struct lowering l = {.g = g, .json = json};
    uint32_t *alt = NULL;
    size_t n = 0, cap = 0;
    const struct gram_re *one = re->op == RE_ALT ? re->kid : re;
    for (; one; one = re->op == RE_ALT ? one->next : NULL) {
        if (gram_grow(&alt, &cap, n + 1, sizeof *alt)) {
            g->failed = CROFT_E_NOMEM;
            break;
        }
        alt[n++] = lower_top(&l, one, search);
    }
    *out = gram_alt(g, alt, n);
    mem_free(alt);
    return !l.anchored;
}

int infer_grammar_of_regex(const struct infer_vocab *v, const char *re, size_t n, struct infer_grammar **out,
                           struct err *e)
{
    struct gram_nodes g;
    struct arena a;
    struct gram_re *tree;
    uint32_t root = 0;
    arena_init(&a, 64u << 20);
    if (gram_nodes_init(&g)) g.failed = CROFT_E_NOMEM;
    int rc = gram_re_parse(&a, re, n, &tree, e);
    if (!rc && !gram_re_node(&g, tree, false, false, &root)) {
        struct gram_want want = {.re = tree};
        rc = gram_dfa_node(&g, &want, 1, 0, GRAM_INF, false, &root, e);
    }
    arena_done(&a);
    if (!rc) return gram_new(v, &g, root, NULL, out, e);
    gram_nodes_done(&g);
    return rc;
}
