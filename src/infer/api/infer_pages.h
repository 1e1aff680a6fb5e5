/* Memory for keys and values in pages of positions, shared by the sessions of an engine, and the prefixes that earlier
 * sessions left in it, as a radix tree over pages:
 *
 *     ┌ page 0: tokens 0…127 ┬ page 1: 128…255 ┬ page 2: 256…290 and 20 tokens of a first question
 *     │                      │                 └ page 5: 256…290 and 17 tokens of a second one
 *     └ page 3: …            └ …
 *
 * A session takes whole pages from it as they are, counted; of a page that agrees with it in part, it copies that part.
 * So nothing that is shared is ever written. Pages that only the tree holds are taken back, longest unused first, when
 * memory is needed; pinned ones stay. One thread at a time, with all its sessions. */
#ifndef INFER_PAGES_H
#define INFER_PAGES_H

#include "infer.h"

enum { INFER_PAGE_TOKENS = 128 };

struct infer_pages;
/* Room for n_tokens, rounded up to pages. Takes memory from the system only as pages are first used. */
int infer_pages_new(struct infer_engine *g, uint32_t n_tokens, enum infer_kv kv, struct infer_pages **out,
                    struct err *e) ERR_CHECK;
void infer_pages_free(struct infer_pages *p); /* after its sessions */
size_t infer_pages_bytes(const struct infer_pages *p);
/* In pages: all, those that sessions hold, and those that only the tree holds. */
void infer_pages_count(const struct infer_pages *p, uint32_t *out_all, uint32_t *out_used, uint32_t *out_kept);

/* For sessions made with infer_session_params.pages:
 * Take the longest known prefix of tokens [n], but not the last of them: it gives the logits. The session must be
 * empty. Returns how many tokens it holds now. 0 for recurrent families, whose state no page has. */
uint32_t infer_session_adopt(struct infer_session *s, const int32_t *tokens, uint32_t n);
/* Make room for n more tokens. NO_ROOM: all pages are held by sessions or pinned, or n_ctx is reached. */
int infer_session_grow(struct infer_session *s, uint32_t n, struct err *e) ERR_CHECK;
/* Leave what it has evaluated in the tree for others, the last page in part. `pin`: how many of its tokens are pinned
 * until unpinned. Does what memory for the tree's nodes allows. */
void infer_session_leave(struct infer_session *s, uint32_t pin);
void infer_pages_unpin(struct infer_pages *p, const int32_t *tokens, uint32_t n);

#endif
