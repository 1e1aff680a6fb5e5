/* The options of a choice as a trie (infer_choice.h). Options are sorted by their tokens, so that the options below a
 * node are a range, and the trie is walked without being built:
 *
 *     card _late ly   ┐            range [0, 2) at depth 1: next tokens _late, _lost: it branches
 *     card _lost      ┘
 *     bill                          range [0, 3) at depth 0: next tokens card, bill
 *
 * A step is a branching node on that walk, in depth-first order, with its children's ranges. */
#include "infer_choice.h"
#include "base_mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct option {
    int32_t *ids;
    size_t n;
    size_t place; /* its number for the caller */
};
struct infer_choice {
    size_t n;
    struct option *option;   /* [n] ascending */
    const char *const *text; /* while it is made, for messages */
};

static int ascending(const void *pa, const void *pb)
{
    const struct option *a = pa, *b = pb;
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (a->ids[i] != b->ids[i]) return a->ids[i] < b->ids[i] ? -1 : 1;
    return a->n < b->n ? -1 : a->n > b->n;
}

static bool starts(const struct option *whole, const struct option *part)
{
    return part->n <= whole->n && memcmp(whole->ids, part->ids, part->n * sizeof *part->ids) == 0;
}

/* Options that are the beginning of their neighbour get the end token. */
static int tell_apart(struct infer_choice *c, int32_t end, struct err *e)
{
    for (size_t i = 0; i + 1 < c->n; i++) {
        struct option *a = &c->option[i], *b = &c->option[i + 1];
        if (!starts(b, a)) continue;
        const char *at = c->text[a->place], *bt = c->text[b->place];
        if (a->n == b->n)
            return ERR(e, FORMAT, "'%s' and '%s' have the same tokens in this model's vocabulary.", at, bt);
        if (end < 0)
            return ERR(e, UNSUPPORTED,
                       "'%s' is the beginning of '%s', and the model has no end token to tell them apart.", at, bt);
        a->ids[a->n++] = end;
    }
    return 0;
}

int infer_choice_new(const struct tok *t, const char *const *text, size_t n, struct infer_choice **out, struct err *e)
{
    if (n == 0) return ERR(e, USAGE, "There is nothing to choose from.");
    struct infer_choice *c = mem_calloc(1, sizeof *c);
    int rc = c && (c->option = mem_calloc(n, sizeof *c->option)) ? 0 : err_nomem(e, n * sizeof *c->option);
    for (size_t i = 0; i < n && !rc; i++) {
        struct option *o = &c->option[c->n++];
        int32_t *ids;
        o->place = i;
        if ((rc = tok_encode(t, text[i], strlen(text[i]), 0, INFER_CHOICE_TOKENS, &ids, &o->n, e))) break;
        if (o->n == 0) rc = ERR(e, FORMAT, "'%s' has no tokens in this model's vocabulary.", text[i]);
        o->ids = mem_realloc(ids, (o->n + 1) * sizeof *ids); /* one more: the end token */
        if (!o->ids) {
            mem_free(ids);
            if (!rc) rc = err_nomem(e, (o->n + 1) * sizeof *ids);
        }
    }
    if (!rc) {
        qsort(c->option, c->n, sizeof *c->option, ascending);
        c->text = text;
        rc = tell_apart(c, tok_eos(t), e);
        c->text = NULL;
        qsort(c->option, c->n, sizeof *c->option, ascending);
    }
    if (rc)
        infer_choice_free(c);
    else
        *out = c;
    return rc;
}

void infer_choice_free(struct infer_choice *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) mem_free(c->option[i].ids);
    mem_free(c->option);
    mem_free(c);
}

size_t infer_choice_n(const struct infer_choice *c) { return c->n; }

/* The options [from, to) that share their first `depth` tokens; [from, next) have the same one after those. */
static size_t same_next(const struct infer_choice *c, size_t from, size_t to, size_t depth)
{
    size_t next = from + 1;
    while (next < to && c->option[next].ids[depth] == c->option[from].ids[depth]) next++;
    return next;
}

/* Walks down from the options [from, to) at `depth`, at `node` of the tree: single children become nodes, a branching
 * is asked. */
static int plant(const struct infer_choice *c, struct infer_tree *t, int32_t node, size_t from, size_t to,
                 size_t depth, struct err *e)
{
    int rc = 0;
    if (to - from == 1) return 0;
    for (; same_next(c, from, to, depth) == to; depth++)
        if ((rc = infer_tree_add(t, node, c->option[from].ids[depth], &node, e))) return rc;
    int32_t *next = mem_alloc((to - from) * sizeof *next);
    uint32_t n = 0, first;
    if (!next) return err_nomem(e, (to - from) * sizeof *next);
    for (size_t i = from; i < to; i = same_next(c, i, to, depth)) next[n++] = c->option[i].ids[depth];
    rc = infer_tree_ask(t, node, next, n, &first, e);
    mem_free(next);
    for (size_t i = from, end; i < to && !rc; i = end) {
        int32_t child;
        end = same_next(c, i, to, depth);
        if (end - i == 1) continue;
        rc = infer_tree_add(t, node, c->option[i].ids[depth], &child, e);
        if (!rc) rc = plant(c, t, child, i, end, depth + 1, e);
    }
    return rc;
}

int infer_choice_plant(const struct infer_choice *c, struct infer_tree *t, int32_t node, uint32_t *out_first,
                       struct err *e)
{
    *out_first = t->n_candidates;
    return plant(c, t, node, 0, c->n, 0, e);
}

/* The same walk over the logits, which lie in its order. */
static const float *score(const struct infer_choice *c, const float *logit, size_t from, size_t to, size_t depth,
                          double sum, double *out)
{
    if (to - from == 1) {
        out[c->option[from].place] = sum;
        return logit;
    }
    while (same_next(c, from, to, depth) == to) depth++;
    double max = -INFINITY, all = 0;
    const float *own = logit;
    for (size_t i = from; i < to; i = same_next(c, i, to, depth), logit++) max = fmax(max, *logit);
    for (const float *p = own; p < logit; p++) all += exp(*p - max);
    for (size_t i = from, end; i < to; i = end, own++) {
        end = same_next(c, i, to, depth);
        logit = score(c, logit, i, end, depth + 1, sum + *own - max - log(all), out);
    }
    return logit;
}

void infer_choice_logprobs(const struct infer_choice *c, const struct infer_tree *t, uint32_t first, double *out)
{
    score(c, t->logit + first, 0, c->n, 0, 0, out);
}
