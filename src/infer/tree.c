/* Growing a tree of tokens (infer_tree.h). Owns its arrays. batch.c evaluates it. */
#include "internal.h"

#include <stdlib.h>

void infer_tree_init(struct infer_tree *t) { *t = (struct infer_tree){0}; }

void infer_tree_done(struct infer_tree *t)
{
    mem_free(t->token);
    mem_free(t->parent);
    mem_free(t->depth);
    mem_free(t->run);
    mem_free(t->ask);
    mem_free(t->candidate);
    mem_free(t->logit);
    infer_tree_init(t);
}

/* Room for `more` entries of a list; the arrays that have it grow together. */
static int grow(uint32_t *room, uint32_t n, uint32_t more, void ***arrays, const size_t *sizes, size_t n_arrays,
                struct err *e)
{
    uint32_t want = *room ? *room : 64;
    if (more > INFER_TREE_MAX || n + more > INFER_TREE_MAX)
        return ERR(e, LIMIT, "A tree of more than %d tokens cannot be evaluated.", INFER_TREE_MAX);
    if (n + more <= *room) return 0;
    while (want < n + more) want *= 2;
    for (size_t i = 0; i < n_arrays; i++) {
        void *p = mem_realloc(*arrays[i], want * sizes[i]);
        if (!p) return err_nomem(e, want * sizes[i]);
        *arrays[i] = p;
    }
    *room = want;
    return 0;
}

static int32_t find(const struct infer_tree *t, int32_t parent, int32_t token)
{
    for (int32_t i = (int32_t)t->n - 1; i > parent; i--)
        if (t->parent[i] == parent && t->token[i] == token) return i;
    return -1;
}

int infer_tree_add(struct infer_tree *t, int32_t parent, int32_t token, int32_t *out_node, struct err *e)
{
    void **arrays[] = {(void **)&t->token, (void **)&t->parent, (void **)&t->depth, (void **)&t->run};
    size_t sizes[] = {sizeof *t->token, sizeof *t->parent, sizeof *t->depth, sizeof *t->run};
    if (parent < -1 || parent >= (int32_t)t->n) return ERR(e, USAGE, "The tree has no node %d.", (int)parent);
    int32_t node = find(t, parent, token);
    if (node < 0) {
        int rc = grow(&t->room, t->n, 1, arrays, sizes, 4, e);
        if (rc) return rc;
        node = (int32_t)t->n++;
        t->token[node] = token;
        t->parent[node] = parent;
        t->depth[node] = parent < 0 ? 0 : t->depth[parent] + 1;
        t->run[node] = node > 0 && parent == node - 1 ? t->run[parent] : node;
    }
    *out_node = node;
    return 0;
}

int infer_tree_ask(struct infer_tree *t, int32_t node, const int32_t *candidates, uint32_t n, uint32_t *out_first,
                   struct err *e)
{
    void **asks[] = {(void **)&t->ask};
    void **arrays[] = {(void **)&t->candidate, (void **)&t->logit};
    size_t sizes[] = {sizeof *t->candidate, sizeof *t->logit};
    if (node < -1 || node >= (int32_t)t->n) return ERR(e, USAGE, "The tree has no node %d.", (int)node);
    int rc = grow(&t->room_asks, t->n_asks, 1, asks, (size_t[]){sizeof *t->ask}, 1, e);
    if (!rc) rc = grow(&t->room_candidates, t->n_candidates, n, arrays, sizes, 2, e);
    if (rc) return rc;
    t->ask[t->n_asks++] = (struct infer_ask){node, t->n_candidates, n};
    memcpy(t->candidate + t->n_candidates, candidates, n * sizeof *candidates);
    *out_first = t->n_candidates;
    t->n_candidates += n;
    return 0;
}

static int by_node(const void *pa, const void *pb)
{
    const struct infer_ask *a = pa, *b = pb;
    return a->node != b->node ? (a->node > b->node) - (a->node < b->node)
                              : (a->first > b->first) - (a->first < b->first);
}

void infer_tree_sort(struct infer_tree *t)
{
    if (t->n_asks > 1) qsort(t->ask, t->n_asks, sizeof *t->ask, by_node);
}

const struct infer_ask *infer_tree_find(const struct infer_tree *t, int32_t node)
{
    uint32_t low = 0, high = t->n_asks;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (t->ask[mid].node < node)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->n_asks && t->ask[low].node == node ? &t->ask[low] : NULL;
}
