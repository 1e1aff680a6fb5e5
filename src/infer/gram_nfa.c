/* Thompson's construction and simulation (Thompson 1968): every expression becomes a few states per part, a bounded
 * repetition its copies; a text is followed in all states at once, so time is text × states whatever the expression.
 * Anchors are transitions that are open at the begin or the end of the text only.
 *
 * An expression that is searched has a loop over any character before it, and its match state absorbs the rest.
 * Read-only after it is made. Next: gram_dfa.c. */
#include "gram_nfa.h"

#include "base_mem.h"

struct build {
    struct gram_nfa *n;
    int code;
};

static uint32_t add(struct build *b, uint8_t op, uint32_t x, uint32_t y, const struct gram_chars *chars)
{
    struct gram_nfa *n = b->n;
    if (b->code) return 0;
    if (n->n >= GRAM_MAX_NFA)
        b->code = CROFT_E_LIMIT;
    else if (gram_grow(&n->s, &n->cap, n->n + 1, sizeof *n->s))
        b->code = CROFT_E_NOMEM;
    if (b->code) return 0;
    n->s[n->n] = (struct nfa_state){.op = op, .x = x, .y = y, .chars = chars};
    return (uint32_t)n->n++;
}

/* The expression, then `next`: built from the end, so that no list of open ends is needed. */
static uint32_t build(struct build *b, const struct gram_re *re, uint32_t next);

static uint32_t build_seq(struct build *b, const struct gram_re *kid, uint32_t next)
{
    if (!kid || b->code) return next;
    const struct gram_re *list[64]; /* backwards, 64 at a time */
    size_t n = 0;
    for (; kid && n < 64; kid = kid->next) list[n++] = kid;
    next = build_seq(b, kid, next);
    while (n) next = build(b, list[--n], next);
    return next;
}

static uint32_t build_rep(struct build *b, const struct gram_re *re, uint32_t next)
{
    uint32_t at = next;
    if (re->max == GRAM_INF) {
        at = add(b, NFA_SPLIT, 0, next, NULL);
        uint32_t body = build(b, re->kid, at);
        if (!b->code) b->n->s[at].x = body;
    } else {
        for (uint32_t i = re->min; i < re->max && !b->code; i++)
            at = add(b, NFA_SPLIT, build(b, re->kid, at), next, NULL);
    }
    for (uint32_t i = 0; i < re->min && !b->code; i++) at = build(b, re->kid, at);
    return at;
}

static uint32_t build(struct build *b, const struct gram_re *re, uint32_t next)
{
    if (b->code) return 0;
    switch (re->op) {
    case RE_CHARS:
        return add(b, NFA_CHARS, next, 0, &re->chars);
    case RE_SEQ:
        return build_seq(b, re->kid, next);
    case RE_REP:
        return build_rep(b, re, next);
    case RE_BEGIN:
        return add(b, NFA_BEGIN, next, 0, NULL);
    case RE_END:
        return add(b, NFA_END, next, 0, NULL);
    case RE_EMPTY:
        return next;
    case RE_ALT:
        break;
    }
    uint32_t at = build(b, re->kid, next);
    for (const struct gram_re *k = re->kid->next; k && !b->code; k = k->next)
        at = add(b, NFA_SPLIT, at, build(b, k, next), NULL);
    return at;
}

int gram_nfa_new(const struct gram_re *re, bool search, struct gram_nfa **out, struct err *e)
{
    struct gram_nfa *n = mem_calloc(1, sizeof *n);
    if (!n) return err_nomem(e, sizeof *n);
    struct build b = {.n = n};
    n->match = add(&b, NFA_MATCH, 0, 0, NULL);
    n->absorbs = search;
    n->start = build(&b, re, n->match);
    if (search) {
        uint32_t loop = add(&b, NFA_SPLIT, n->start, 0, NULL), any = add(&b, NFA_CHARS, loop, 0, NULL);
        if (!b.code) n->s[loop].y = any;
        n->start = loop;
    }
    if (b.code) {
        gram_nfa_free(n);
        if (b.code == CROFT_E_NOMEM) return err_nomem(e, sizeof *n);
        return ERR(e, LIMIT, "The regular expression needs more than %d states: use smaller bounds.", GRAM_MAX_NFA);
    }
    *out = n;
    return 0;
}

void gram_nfa_free(struct gram_nfa *n)
{
    if (!n) return;
    mem_free(n->s);
    mem_free(n);
}

int gram_nfa_set_init(struct nfa_set *s, const struct gram_nfa *n)
{
    *s = (struct nfa_set){.list = mem_alloc((n->n + 1) * sizeof *s->list),
                          .mark = mem_calloc(n->n + 1, sizeof *s->mark),
                          .work = mem_alloc((2 * n->n + 2) * sizeof *s->work),
                          .epoch = 1};
    if (s->list && s->mark && s->work) return 0;
    gram_nfa_set_done(s);
    return CROFT_E_NOMEM;
}

void gram_nfa_set_done(struct nfa_set *s)
{
    mem_free(s->list);
    mem_free(s->mark);
    mem_free(s->work);
    *s = (struct nfa_set){0};
}

void gram_nfa_set_clear(struct nfa_set *s)
{
    s->n = 0;
    s->epoch++;
}

bool gram_nfa_set_has(const struct nfa_set *s, uint32_t state) { return s->mark[state] == s->epoch; }

void gram_nfa_set_add(struct nfa_set *s, const struct gram_nfa *n, uint32_t state, bool at_begin, bool at_end)
{
    size_t todo = 0;
    s->work[todo++] = state;
    while (todo) {
        uint32_t i = s->work[--todo];
        if (s->mark[i] == s->epoch) continue;
        s->mark[i] = s->epoch;
        s->list[s->n++] = i;
        const struct nfa_state *x = &n->s[i];
        if (x->op == NFA_SPLIT) {
            s->work[todo++] = x->y;
            s->work[todo++] = x->x;
        } else if ((x->op == NFA_BEGIN && at_begin) || (x->op == NFA_END && at_end)) {
            s->work[todo++] = x->x;
        }
    }
}

int gram_nfa_match(const struct gram_nfa *n, const char *text, size_t bytes, bool *out, struct err *e)
{
    struct nfa_set now, then;
    if (gram_nfa_set_init(&now, n)) return err_nomem(e, n->n * sizeof(uint32_t));
    if (gram_nfa_set_init(&then, n)) {
        gram_nfa_set_done(&now);
        return err_nomem(e, n->n * sizeof(uint32_t));
    }
    const char *p = text, *end = text + bytes;
    gram_nfa_set_add(&now, n, n->start, true, bytes == 0);
    while (p < end && !(n->absorbs && gram_nfa_set_has(&now, n->match))) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        gram_nfa_set_clear(&then);
        for (size_t i = 0; i < now.n; i++) {
            const struct nfa_state *x = &n->s[now.list[i]];
            if (x->op == NFA_CHARS && (!x->chars || gram_chars_has(x->chars->r, x->chars->n, cp)))
                gram_nfa_set_add(&then, n, x->x, false, p == end);
        }
        struct nfa_set swap = now;
        now = then;
        then = swap;
    }
    *out = gram_nfa_set_has(&now, n->match);
    gram_nfa_set_done(&now);
    gram_nfa_set_done(&then);
    return 0;
}
