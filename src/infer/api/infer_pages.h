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
 * empty. Returns how many tokens it holds now: of a recurrent family a prefix whose state was left, too. */
uint32_t infer_session_adopt(struct infer_session *s, const int32_t *tokens, uint32_t n);
/* Make room for n more tokens. NO_ROOM: all pages are held by sessions or pinned, or n_ctx is reached. */
int infer_session_grow(struct infer_session *s, uint32_t n, struct err *e) ERR_CHECK;
/* Leave what it has evaluated in the tree for others, the last page in part, and a recurrent state where it stands
 * now. Does what memory allows; states take at most as many bytes as the pages, the longest unused go first. */
void infer_session_leave(struct infer_session *s);
/* The first n tokens of what it has left (of a recurrent family: where it has left a state) stay until unpinned.
 * Pinning twice is pinning once; what is pinned takes at most half of the pages, more is kept like anything else. */
void infer_session_pin(struct infer_session *s, uint32_t n);
void infer_pages_unpin(struct infer_pages *p, const int32_t *tokens, uint32_t n);

/* Pinned prefixes in a file, drawn in pages_file.c: nothing but their tokens and what was computed from these. Bound
 * to the weights, the form of the cache and the kernels, so that an answer over it has the bits of one that evaluated
 * the prefix. Loading keeps them like anything else that was left; a request that pins one again keeps it in the
 * file. NOT_FOUND: no file; DIGEST: it was made by another model or with other settings; FORMAT: it is damaged.
 * Nothing is loaded then. n_ctx: longer prefixes are left out. out_tokens: how many were loaded. */
int infer_pages_save(struct infer_pages *p, const char *path, struct err *e) ERR_CHECK;
int infer_pages_load(struct infer_pages *p, const char *path, uint32_t n_ctx, uint32_t *out_tokens,
                     struct err *e) ERR_CHECK;

#endif
