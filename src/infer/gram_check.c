/* What must be known of the nodes before they run: which match the empty text, which match any text at all and how
 * flat its flattest text is (`need`), and that no rule begins with itself.
 *
 * Both values are least fixed points of the same kind (a choice takes the smallest of its kids, a sequence the
 * largest), found as Knuth generalised Dijkstra's algorithm: values are settled in increasing order, each node once,
 * so grammars of any shape take time linear in their size. `nullable` is the question with classes counted as
 * endless.
 *
 * One thread; owns nothing beyond a call. Next: gram_auto.c. */
#include "gram.h"

#include "base_mem.h"

struct solve {
    struct gram_nodes *g;
    uint32_t *parent_of, *parent; /* of node i: parent[parent_of[i] .. parent_of[i+1]) */
    uint32_t *left;               /* kids of a sequence that are not settled */
    uint16_t *value, *best;       /* settled; best so far. UINT16_MAX: none */
    uint32_t *bucket, *link;      /* nodes waiting with a value: bucket[value] → link → … (node + 1) */
    size_t cap_link, n_link;
};

static bool has_kids(const struct gram_node *x) { return x->op == GRAM_SEQ || x->op == GRAM_ALT; }

/* Calls add for every node directly below. */
static size_t each_kid(const struct gram_nodes *g, const struct gram_node *x, uint32_t *single, const uint32_t **kid)
{
    if (has_kids(x)) {
        *kid = g->kid + x->a;
        return x->b;
    }
    *kid = single;
    if (x->op == GRAM_REF)
        *single = g->rule[x->a].body;
    else if (x->op == GRAM_REP || x->op == GRAM_CHARS)
        *single = x->a;
    else
        return 0;
    return 1;
}

static int link_parents(struct solve *s)
{
    struct gram_nodes *g = s->g;
    uint32_t single;
    const uint32_t *kid;
    s->parent_of = mem_calloc(g->n + 2, sizeof *s->parent_of);
    if (!s->parent_of) return CROFT_E_NOMEM;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = each_kid(g, &g->node[i], &single, &kid); k-- > 0;) s->parent_of[kid[k] + 2]++;
    for (size_t i = 2; i < g->n + 2; i++) s->parent_of[i] += s->parent_of[i - 1];
    s->parent = mem_alloc((s->parent_of[g->n + 1] + 1) * sizeof *s->parent);
    if (!s->parent) return CROFT_E_NOMEM;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = each_kid(g, &g->node[i], &single, &kid); k-- > 0;)
            s->parent[s->parent_of[kid[k] + 1]++] = (uint32_t)i;
    return 0;
}

/* A value for node i, if it is the best so far. The list holds pairs: node, next. */
static int offer(struct solve *s, uint32_t i, unsigned value)
{
    if (value > GRAM_MAX_DEPTH || value >= s->best[i]) return 0;
    s->best[i] = (uint16_t)value;
    if (gram_grow(&s->link, &s->cap_link, s->n_link + 2, sizeof *s->link)) return CROFT_E_NOMEM;
    s->link[s->n_link] = i;
    s->link[s->n_link + 1] = s->bucket[value];
    s->n_link += 2;
    s->bucket[value] = (uint32_t)s->n_link; /* the pair before, + 2, so that 0 ends the list */
    return 0;
}

/* Kid i was settled with `value`: what does parent p get? */
static int tell(struct solve *s, uint32_t p, uint32_t value)
{
    const struct gram_node *x = &s->g->node[p];
    if (s->value[p] != UINT16_MAX) return 0;
    if (x->op == GRAM_SEQ) {
        if (--s->left[p]) return 0;
        return offer(s, p, value + 1); /* the last settled is the largest */
    }
    return offer(s, p, x->op == GRAM_REP ? value + 1 : value);
}

/* Settles everything; `leaf` is the value of a class, or UINT16_MAX. */
static int solve(struct solve *s, unsigned leaf)
{
    struct gram_nodes *g = s->g;
    memset(s->value, 0xFF, g->n * sizeof *s->value);
    memset(s->best, 0xFF, g->n * sizeof *s->best);
    memset(s->bucket, 0, (GRAM_MAX_DEPTH + 1) * sizeof *s->bucket);
    s->n_link = 0;
    int rc = 0;
    for (size_t i = 0; i < g->n && !rc; i++) {
        const struct gram_node *x = &g->node[i];
        s->left[i] = x->op == GRAM_SEQ ? x->b : 0;
        if (x->op == GRAM_EMPTY || (x->op == GRAM_REP && x->b == 0)) rc = offer(s, (uint32_t)i, 0);
        if (x->op == GRAM_CLASS) rc = offer(s, (uint32_t)i, leaf);
    }
    for (unsigned v = 0; v <= GRAM_MAX_DEPTH && !rc; v++)
        while (s->bucket[v] && !rc) {
            uint32_t at = s->bucket[v] - 2, i = s->link[at];
            s->bucket[v] = s->link[at + 1];
            if (s->value[i] != UINT16_MAX) continue;
            s->value[i] = (uint16_t)v;
            for (uint32_t k = s->parent_of[i]; k < s->parent_of[i + 1] && !rc; k++) rc = tell(s, s->parent[k], v);
        }
    return rc;
}

static int values(struct gram_nodes *g)
{
    struct solve s = {.g = g};
    s.left = mem_alloc(g->n * sizeof *s.left);
    s.value = mem_alloc(g->n * sizeof *s.value);
    s.best = mem_alloc(g->n * sizeof *s.best);
    s.bucket = mem_alloc((GRAM_MAX_DEPTH + 1) * sizeof *s.bucket);
    int rc = s.left && s.value && s.best && s.bucket ? link_parents(&s) : CROFT_E_NOMEM;
    if (!rc) rc = solve(&s, UINT16_MAX);
    for (size_t i = 0; i < g->n && !rc; i++) g->node[i].nullable = s.value[i] != UINT16_MAX;
    if (!rc) rc = solve(&s, 1);
    for (size_t i = 0; i < g->n && !rc; i++) g->node[i].need = s.value[i];
    mem_free(s.left);
    mem_free(s.value);
    mem_free(s.best);
    mem_free(s.bucket);
    mem_free(s.link);
    mem_free(s.parent_of);
    mem_free(s.parent);
    return rc;
}

/* ---- left recursion ---- */

/* Depth-first over what can stand at the very left of each node; a node met again while it is open is a cycle. */
static int left_recursion(struct gram_nodes *g, uint32_t root, struct err *e)
{
    struct {
        uint32_t node, kid;
    } *path = NULL;
    size_t n = 0, cap = 0;
    uint8_t *seen = mem_calloc(g->n, 1); /* 1 open, 2 done */
    int rc = seen && !gram_grow(&path, &cap, 1, sizeof *path) ? 0 : err_nomem(e, g->n);
    if (!rc) {
        path[n].node = root;
        path[n++].kid = 0;
        seen[root] = 1;
    }
    while (n && !rc) {
        uint32_t at = path[n - 1].node, single;
        const struct gram_node *x = &g->node[at];
        const uint32_t *kid;
        size_t n_kid = each_kid(g, x, &single, &kid);
        uint32_t k = path[n - 1].kid++;
        if (x->op == GRAM_SEQ && k > 0 && !g->node[kid[k - 1]].nullable) n_kid = 0;
        if (k >= n_kid) {
            seen[at] = 2;
            n--;
        } else if (seen[kid[k]] == 1) {
            const char *name = "?";
            for (size_t i = n; i-- > 0;) {
                if (g->node[path[i].node].op == GRAM_REF) name = g->rule[g->node[path[i].node].a].name;
                if (path[i].node == kid[k]) break;
            }
            rc = err_set(
                e, CROFT_E_FORMAT, name ? name : "", -1,
                "'%.64s' begins with itself, so it never gets anywhere: put something that must match before it.",
                name ? name : "A rule");
        } else if (!seen[kid[k]]) {
            uint32_t next = kid[k];
            if (gram_grow(&path, &cap, n + 1, sizeof *path))
                rc = err_nomem(e, n * sizeof *path);
            else {
                path[n].node = next;
                path[n++].kid = 0;
                seen[next] = 1;
            }
        }
    }
    mem_free(path);
    mem_free(seen);
    return rc;
}

int gram_nodes_finish(struct gram_nodes *g, uint32_t root, struct err *e)
{
    if (gram_nodes_check(g, e)) return e->code;
    for (size_t i = 0; i < g->n_rule; i++)
        if (g->rule[i].body == GRAM_INF)
            return err_set(e, CROFT_E_FORMAT, g->rule[i].name ? g->rule[i].name : "", -1,
                           "The rule '%.64s' is used but not defined.", g->rule[i].name ? g->rule[i].name : "?");
    if (values(g)) return err_nomem(e, g->n * sizeof *g->node);
    if (left_recursion(g, root, e)) return e->code;
    if (g->node[root].need == UINT16_MAX)
        return ERR(e, FORMAT, "No text can match: what must be there excludes itself or never ends.");
    return 0;
}
