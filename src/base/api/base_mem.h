/* Memory. The only door to malloc: every other file allocates here, so that a test can fail the nth call and count
 * calls. Three lifetimes: engine (mmap + one slab), session (sized at creation), request (an arena). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes);               /* NULL on failure; bytes may be 0 */
void *mem_calloc(size_t n, size_t bytes);    /* zeroed; NULL on overflow too */
void *mem_realloc(void *p, size_t bytes);    /* p unchanged on failure */
void *mem_aligned(size_t align, size_t bytes); /* zeroed, align a power of two ≥ 16; free with mem_free */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void mem_free(void *p);

/* For what is large and lives long (weights, caches): whole pages, zero, huge ones where the system allows it, so that
 * streaming through it misses few address translations. Free with the same size. */
void *mem_pages(size_t bytes);
void mem_pages_free(void *p, size_t bytes);

/* Tests: let the nth allocation from now (1 = the next) return NULL; 0 turns it off. */
void mem_fail_nth(long n);
/* Allocations made by this process so far: equal before and after = nothing was allocated. */
uint64_t mem_count(void);

#endif
