/* An input as the tokens that a model is asked with. */
#ifndef TASK_PROMPT_H
#define TASK_PROMPT_H

#include "infer_chat.h"
#include "task_task.h"

enum { TASK_PROMPT_BYTES = 4 << 20 }; /* of a prompt, at most */

/* *out_ids [*out_n], mem_free. chat: NULL if the model has no chat template. FORMAT: the input is not UTF-8; LIMIT: it
 * is longer than TASK_PROMPT_BYTES. */
int task_prompt_tokens(const struct task *t, const struct infer_chat *chat, const struct tok *tok, const char *input,
                       int32_t **out_ids, size_t *out_n, struct err *e) ERR_CHECK;

#endif
