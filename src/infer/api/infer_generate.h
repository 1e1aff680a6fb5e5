/* Generation: prompt, sample, detokenise, stop strings, log-probabilities, in one loop. The types are the
 * public ones (croft/croft.h). */
#ifndef INFER_GENERATE_H
#define INFER_GENERATE_H

#include <croft/croft.h>

#include "infer.h"
#include "model_tok.h"

/* See croft_generate. `tok` may be NULL: then pieces have no text, and nothing ends the answer but its
 * length. */
int infer_generate(struct infer_session *s, const struct tok *tok, const int32_t *prompt, size_t n,
                   const struct croft_sampling *sampling, croft_on_piece *on_piece, void *user,
                   struct croft_result *out, struct err *e) ERR_CHECK;
/* Make the session hold exactly these tokens, reusing the longest prefix it has; logits are those after the
 * last. */
int infer_session_prompt(struct infer_session *s, const int32_t *tokens, size_t n, size_t *out_reused,
                         struct err *e) ERR_CHECK;

#endif
