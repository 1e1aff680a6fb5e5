/* A growable byte buffer, born with a ceiling. After a failed append `failed` stays set and the contents up to then
 * stay valid, so a chain of appends is checked once at its end. `data` is always NUL-terminated when non-NULL. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base_err.h"

struct buf {
    char *data;
    size_t len, cap, max;
    int failed; /* 0, CROFT_E_NOMEM or CROFT_E_LIMIT */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the storage; clears `failed` */
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_str(struct buf *b, const char *s);
int buf_char(struct buf *b, char c);
int buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
int buf_utf8(struct buf *b, uint32_t codepoint);
int buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes */
/* The contents as a heap string (free with mem_free); the buffer is empty afterwards. NULL if it failed. */
char *buf_take(struct buf *b);
/* CROFT_OK, or the buffer's failure as an error naming `what`. */
int buf_check(const struct buf *b, const char *what, struct err *e) ERR_CHECK;

#endif
