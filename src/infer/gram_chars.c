/* Sets of code points as sorted ranges: union, complement, intersection. Plain data of the caller; a failed
 * allocation sets `failed`, which stays, and leaves a valid set. Next: gram_node.c, which turns a set into bytes. */
#include "gram.h"

#include "base_mem.h"

int gram_grow(void *array, size_t *cap, size_t n, size_t bytes)
{
    if (n <= *cap) return 0;
    size_t want = *cap ? *cap * 2 : 16;
    if (want < n) want = n;
    if (want > SIZE_MAX / 2 / bytes) return CROFT_E_NOMEM;
    void *p = mem_realloc(*(void **)array, want * bytes);
    if (!p) return CROFT_E_NOMEM;
    *(void **)array = p;
    *cap = want;
    return 0;
}

void gram_chars_done(struct gram_chars *c)
{
    mem_free(c->r);
    *c = (struct gram_chars){0};
}

void gram_chars_add(struct gram_chars *c, uint32_t lo, uint32_t hi)
{
    if (lo > hi || c->failed) return;
    if (gram_grow(&c->r, &c->cap, c->n + 1, sizeof *c->r)) {
        c->failed = true;
        return;
    }
    c->r[c->n++] = (struct gram_range){lo, hi};
}

void gram_chars_add_all(struct gram_chars *c, const struct gram_chars *more)
{
    for (size_t i = 0; i < more->n; i++) gram_chars_add(c, more->r[i].lo, more->r[i].hi);
    c->failed |= more->failed;
}

static int by_lo(const void *a, const void *b)
{
    const struct gram_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void gram_chars_normalise(struct gram_chars *c)
{
    size_t n = 0;
    if (c->n > 1) qsort(c->r, c->n, sizeof *c->r, by_lo);
    for (size_t i = 0; i < c->n; i++) {
        if (n && c->r[i].lo <= c->r[n - 1].hi + 1) {
            if (c->r[i].hi > c->r[n - 1].hi) c->r[n - 1].hi = c->r[i].hi;
        } else {
            c->r[n++] = c->r[i];
        }
    }
    c->n = n;
}

void gram_chars_intersect(struct gram_chars *c, const struct gram_chars *with)
{
    struct gram_chars out = {.failed = c->failed || with->failed};
    for (size_t i = 0, k = 0; i < c->n && k < with->n;) {
        const struct gram_range *x = &c->r[i], *y = &with->r[k];
        gram_chars_add(&out, x->lo > y->lo ? x->lo : y->lo, x->hi < y->hi ? x->hi : y->hi);
        if (x->hi < y->hi)
            i++;
        else
            k++;
    }
    gram_chars_done(c);
    *c = out;
}

void gram_chars_negate(struct gram_chars *c)
{
    static const struct gram_range text[] = {{0, 0xD7FF}, {0xE000, GRAM_MAX_CP}};
    struct gram_chars out = {.failed = c->failed};
    uint32_t from = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->r[i].lo > from) gram_chars_add(&out, from, c->r[i].lo - 1);
        from = c->r[i].hi + 1;
    }
    if (from <= GRAM_MAX_CP) gram_chars_add(&out, from, GRAM_MAX_CP);
    gram_chars_done(c);
    *c = out;
    gram_chars_intersect(c, &(struct gram_chars){.r = (struct gram_range *)text, .n = 2});
}

bool gram_chars_has(const struct gram_range *r, size_t n, uint32_t cp)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (r[mid].hi < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && r[lo].lo <= cp;
}

uint64_t gram_chars_count(const struct gram_chars *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n; i++) n += (uint64_t)c->r[i].hi - c->r[i].lo + 1;
    return n;
}
