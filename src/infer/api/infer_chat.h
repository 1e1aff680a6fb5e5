/* How a model wants a conversation written: its chat template, compiled once, with the texts of its BOS and EOS tokens.
 * Read-only after creation: share it between threads. */
#ifndef INFER_CHAT_H
#define INFER_CHAT_H

#include "model_tmpl.h"
#include "model_tok.h"

struct infer_chat;

/* From the file's tokenizer.chat_template; NOT_FOUND without one. Borrows the tokenizer. */
int infer_chat_new(const struct gguf *g, const struct tok *t, struct infer_chat **out, struct err *e) ERR_CHECK;
void infer_chat_free(struct infer_chat *c);
/* Append the conversation to out. `vars`: an object with `messages` (array) and whatever else the template
 * reads (tools, enable_thinking, …); bos_token, eos_token and add_generation_prompt (true) are added where it
 * lacks them. TEMPLATE: the template refused. */
int infer_chat_render(const struct infer_chat *c, json_t *vars, struct buf *out, struct err *e) ERR_CHECK;
/* The conversation and `suffix` as tokens, at most max_tokens (LIMIT). The template's control tokens are tokens; what
 * users and tools wrote is text even where it spells one. `vars` may be changed. *out_ids is mem_free's. */
int infer_chat_tokens(const struct infer_chat *c, json_t *vars, const char *suffix, size_t max_bytes,
                      size_t max_tokens, int32_t **out_ids, size_t *out_n, struct err *e) ERR_CHECK;

#endif
