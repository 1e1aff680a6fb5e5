/* An arena: everything a request allocates dies with the request. Blocks double up to 1 MiB; a ceiling in bytes. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used, max; /* bytes handed out, ceiling */
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_done(struct arena *a);               /* frees all */
void arena_clear(struct arena *a);              /* forgets all, keeps the newest block */
void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, 16-aligned; NULL at the ceiling or without memory */
char *arena_strndup(struct arena *a, const char *s, size_t n);

#endif
