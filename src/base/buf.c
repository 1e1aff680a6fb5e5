/* Growable buffers with a ceiling (base_buf.h). Doubling growth; single-threaded use. */
#include "base_buf.h"
#include "base_mem.h"
#include "base_str.h"

#include <stdarg.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = 0;
    if (b->data) b->data[0] = 0;
}

int buf_reserve(struct buf *b, size_t extra)
{
    if (b->failed) return b->failed;
    if (extra > b->max || b->len > b->max - extra) return b->failed = CROFT_E_LIMIT;
    size_t need = b->len + extra + 1;
    if (need <= b->cap) return 0;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need) cap *= 2;
    if (cap > b->max + 1) cap = b->max + 1;
    char *p = mem_realloc(b->data, cap);
    if (!p) return b->failed = CROFT_E_NOMEM;
    if (!b->data) p[0] = 0;
    b->data = p;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
    int rc = buf_reserve(b, n);
    if (rc) return rc;
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
    return 0;
}

int buf_str(struct buf *b, const char *s) { return buf_add(b, s, strlen(s)); }
int buf_char(struct buf *b, char c) { return buf_add(b, &c, 1); }

int buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap, ap2;
    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    int rc = n < 0 ? (b->failed = CROFT_E_INTERNAL) : buf_reserve(b, (size_t)n);
    if (!rc) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap2);
        b->len += (size_t)n;
    }
    va_end(ap2);
    return rc;
}

int buf_utf8(struct buf *b, uint32_t cp)
{
    char s[4];
    return buf_add(b, s, utf8_encode(cp, s));
}

char *buf_take(struct buf *b)
{
    if (!b->failed && !b->data) buf_add(b, "", 0);
    if (b->failed) return NULL;
    char *p = b->data;
    *b = (struct buf){.max = b->max};
    return p;
}

int buf_check(const struct buf *b, const char *what, struct err *e)
{
    if (!b->failed) return 0;
    if (b->failed == CROFT_E_LIMIT)
        return err_set(e, CROFT_E_LIMIT, what, -1, "The %s is larger than its limit of %zu bytes.", what, b->max);
    return err_nomem(e, b->len);
}
