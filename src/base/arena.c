/* Arenas (base_arena.h): a list of blocks, newest first; allocation bumps a cursor in the newest. */
#include "base_arena.h"
#include "base_mem.h"

#include <stdint.h>

struct arena_block {
    struct arena_block *next;
    size_t cap, len;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t max_bytes) { *a = (struct arena){.max = max_bytes}; }

static void free_chain(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        mem_free(b);
        b = next;
    }
}

void arena_done(struct arena *a)
{
    free_chain(a->head);
    a->head = NULL;
    a->used = 0;
}

void arena_clear(struct arena *a)
{
    if (a->head) {
        free_chain(a->head->next);
        a->head->next = NULL;
        a->head->len = 0;
    }
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    if (bytes > a->max || a->used > a->max - bytes || bytes > SIZE_MAX / 2) return NULL;
    size_t n = (bytes + 15) & ~(size_t)15;
    struct arena_block *b = a->head;
    if (!b || b->cap - b->len < n) {
        size_t cap = b ? b->cap * 2 : 4096;
        if (cap > (1u << 20)) cap = 1u << 20;
        if (cap < n) cap = n;
        b = mem_alloc(sizeof *b + cap);
        if (!b) return NULL;
        *b = (struct arena_block){.next = a->head, .cap = cap};
        a->head = b;
    }
    void *p = b->data + b->len;
    b->len += n;
    a->used += bytes;
    return memset(p, 0, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (p) memcpy(p, s, n);
    return p;
}
