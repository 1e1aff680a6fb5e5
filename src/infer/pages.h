/* What pages.c (memory and the tree over it), prefix.c (prefixes that are kept on purpose) and pages_file.c (those on
 * disk) share. One thread, as infer_pages.h says. */
#ifndef PAGES_H
#define PAGES_H

#include "internal.h"

struct node {
    struct node *parent, *child, *next;
    uint32_t page, n, pins; /* pins: prefixes that are pinned and run through it */
    uint64_t used;          /* when, in adoptions */
    int32_t tokens[];
};

/* A prefix that somebody asked to keep, or whose end has a recurrent state. Its keys and values lie in the tree. */
struct infer_prefix {
    struct infer_prefix *next;
    struct node **node; /* while it is pinned: where its blocks lie; else NULL */
    float *state;       /* of a recurrent family: after its tokens */
    uint32_t n;
    uint32_t unasked; /* files it was read from or written to since a request had it pinned; 0: one has in this run */
    uint64_t used;
    int32_t tokens[];
};

static inline char *infer_page_at(const struct infer_pages *p, uint32_t page)
{
    return p->slab + (size_t)page * p->page_bytes;
}
static inline uint32_t infer_blocks(const struct infer_pages *p, uint32_t n)
{
    return (n + p->n_tokens - 1) / p->n_tokens;
}

/* pages.c: how many of tokens [n] the tree knows, and whether it knows all: then node [infer_blocks] is where. */
uint32_t infer_pages_known(struct infer_pages *p, const int32_t *tokens, uint32_t n);
bool infer_pages_path(struct infer_pages *p, const int32_t *tokens, uint32_t n, struct node **node);
/* infer_session_leave without the state: others see what has been asked, and cannot go on from there. */
void infer_pages_leave(struct infer_session *s);
void infer_pages_release(struct infer_pages *p, uint32_t page);

/* prefix.c */
struct infer_prefix *infer_prefix_find(const struct infer_pages *p, const int32_t *tokens, uint32_t n);
struct infer_prefix *infer_prefix_add(struct infer_pages *p, const int32_t *tokens, uint32_t n); /* NULL: no memory */
/* The longest with a state among the first n tokens, whose keys and values the tree has too. NULL: none */
struct infer_prefix *infer_prefix_best(struct infer_pages *p, const int32_t *tokens, uint32_t n);
void infer_prefix_leave(struct infer_session *s); /* the state after what the session has evaluated */
void infer_prefixes_free(struct infer_pages *p);

/* pages_file.c: what a file is made of. Made and freed by the thread of the pages, written by any: nothing in it is
 * written to meanwhile, for it holds its pages. Saving does all three. */
struct infer_image;
int infer_image_new(struct infer_pages *p, struct infer_image **out, struct err *e) ERR_CHECK;
int infer_image_write(const struct infer_image *m, const char *path, struct err *e) ERR_CHECK;
void infer_image_free(struct infer_image *m);
int infer_pages_load_bytes(struct infer_pages *p, const void *data, size_t size, uint32_t n_ctx, uint32_t *out_tokens,
                           struct err *e) ERR_CHECK;

#endif
