/* The one file that calls malloc. Counters are atomic; the failure hook is for tests (see tests/unit/base). */
#include "base_mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_ullong n_calls;
static atomic_long fail_in; /* 0: off */

static int refuse(void)
{
    atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) == 0) return 0;
    return atomic_fetch_sub(&fail_in, 1) == 1;
}

void mem_fail_nth(long n) { atomic_store(&fail_in, n); }
uint64_t mem_count(void) { return atomic_load(&n_calls); }

void *mem_alloc(size_t bytes) { return refuse() ? NULL : malloc(bytes ? bytes : 1); }

void *mem_calloc(size_t n, size_t bytes)
{
    if (bytes && n > SIZE_MAX / bytes) return NULL;
    return refuse() ? NULL : calloc(n ? n : 1, bytes ? bytes : 1);
}

void *mem_realloc(void *p, size_t bytes) { return refuse() ? NULL : realloc(p, bytes ? bytes : 1); }

void *mem_aligned(size_t align, size_t bytes)
{
    if (bytes > SIZE_MAX - align || refuse()) return NULL;
    bytes = (bytes + align - 1) & ~(align - 1);
    void *p = aligned_alloc(align, bytes ? bytes : align);
    if (p) memset(p, 0, bytes);
    return p;
}

char *mem_strndup(const char *s, size_t n)
{
    char *p = mem_alloc(n + 1);
    if (!p) return NULL;
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *mem_strdup(const char *s) { return mem_strndup(s, strlen(s)); }
void mem_free(void *p) { free(p); }

enum { HUGE_PAGE = 2 << 20 };

/* What is smaller than a huge page is not worth one. */
static size_t pages_bytes(size_t bytes)
{
    if (bytes < HUGE_PAGE) return bytes ? bytes : 1;
    return (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
}

void *mem_pages(size_t bytes)
{
    if (bytes > SIZE_MAX / 2 || refuse()) return NULL;
    bytes = pages_bytes(bytes);
    size_t room = bytes < HUGE_PAGE ? bytes : bytes + HUGE_PAGE; /* to align in; the rest is given back */
    char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (room == bytes) return p;
    size_t skip = -(uintptr_t)p & (HUGE_PAGE - 1);
    if (skip) munmap(p, skip);
    if (skip < HUGE_PAGE) munmap(p + skip + bytes, HUGE_PAGE - skip);
    madvise(p + skip, bytes, MADV_HUGEPAGE);
    return p + skip;
}

void mem_pages_free(void *p, size_t bytes)
{
    if (p) munmap(p, pages_bytes(bytes));
}
