/* Choosing among texts without writing one. The options' tokens form a trie; the answer is decided at its branching
 * nodes alone, so those are what is asked, in one pass over a token tree (infer_tree.h). A node with a single child
 * says nothing and its logits are not computed; the last token of an option is never evaluated.
 *
 *     card ┬ _lost                 P(card_late) = P(card | {card, bill}) P(_late | {_lost, _late}), each a softmax of
 *          └ _late ─ ly            the model's logits over the children alone: what decoding constrained to the options
 *     bill                         would sample. Every step is normalised, so long options are not at a disadvantage.
 *
 * An option that is the beginning of another has the end token as a child of its own there. Read-only once made: share
 * it between threads. */
#ifndef INFER_CHOICE_H
#define INFER_CHOICE_H

#include "infer_tree.h"
#include "model_tok.h"

enum { INFER_CHOICE_TOKENS = 512 }; /* of an option, at most */

struct infer_choice;
/* Options as they are tokenised at the beginning of an answer. FORMAT: one has no tokens, or two have the same;
 * UNSUPPORTED: one is the beginning of another and the model has no end token. */
int infer_choice_new(const struct tok *t, const char *const *option, size_t n, struct infer_choice **out,
                     struct err *e) ERR_CHECK;
void infer_choice_free(struct infer_choice *c);
size_t infer_choice_n(const struct infer_choice *c);
/* Grow a tree by what must be evaluated below `node` (-1: the prompt). *out_first is for infer_choice_probs. */
int infer_choice_plant(const struct infer_choice *c, struct infer_tree *t, int32_t node, uint32_t *out_first,
                       struct err *e) ERR_CHECK;
/* After the tree's evaluation: log-probabilities [n] of the options, natural; exp of them adds up to 1. */
void infer_choice_logprobs(const struct infer_choice *c, const struct infer_tree *t, uint32_t first, double *out);

#endif
