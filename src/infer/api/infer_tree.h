/* A tree of tokens behind a prompt, evaluated in one pass: each node sees the prompt and its own ancestors, as if its
 * path alone followed the prompt. Of chosen nodes the logits of a few candidates are computed, not of the whole
 * vocabulary.
 *
 *     prompt ─ Is ─ it ─ urgent ─ ?        ask: {yes, no}
 *            └ Topic ─ :                   ask: {bill, card, …}
 *                      └ card              ask: {_lost, _late}
 *
 * Built by adding nodes, a parent before its children. Best depth first: the ancestors of a node then lie side by side,
 * and attention takes them in few runs. */
#ifndef INFER_TREE_H
#define INFER_TREE_H

#include "base_err.h"

enum { INFER_TREE_MAX = 1 << 16 }; /* nodes, asks, candidates */

struct infer_ask {
    int32_t node;      /* or -1: the last token of the prompt */
    uint32_t first, n; /* candidates [first, first + n) */
};
struct infer_tree {
    int32_t *token, *parent; /* [n]; parent -1: the prompt */
    uint32_t *depth;         /* [n] number of ancestors in the tree */
    int32_t *run;            /* [n] first node of the run that it ends: run[i], run[i] + 1, …, i are a path */
    struct infer_ask *ask;   /* [n_asks], ascending by node once it has been evaluated */
    int32_t *candidate;      /* [n_candidates] */
    float *logit;            /* [n_candidates] out: raw logits */
    uint32_t n, n_asks, n_candidates;
    uint32_t room, room_asks, room_candidates;
};
void infer_tree_init(struct infer_tree *t);
void infer_tree_done(struct infer_tree *t);
/* The child of `parent` with this token: the one that is there, or a new one. LIMIT: there are too many. */
int infer_tree_add(struct infer_tree *t, int32_t parent, int32_t token, int32_t *out_node, struct err *e) ERR_CHECK;
/* Ask for the logits of candidates [n] after a node. *out_first: where they will be in `logit`. */
int infer_tree_ask(struct infer_tree *t, int32_t node, const int32_t *candidates, uint32_t n, uint32_t *out_first,
                   struct err *e) ERR_CHECK;

#endif
