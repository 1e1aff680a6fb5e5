/* Errors. A function that can fail returns 0 or a negative code of croft/errors.h and fills a caller-owned
 * `struct err`; outputs are written only on success. A function either returns an error or logs it, never both.
 * `struct err` is the public `struct croft_err`: one type, so that the public API hands it through. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <croft/errors.h>

#define err croft_err /* `struct err` inside, `struct croft_err` outside */

#define ERR_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Fill *e (may be NULL) and return `code`. The message is a whole sentence that says what to do next. */
int err_set(struct err *e, int code, const char *where, long long pos, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The common case: no position. */
#define ERR(e, code, ...) err_set((e), CROFT_E_##code, "", -1, __VA_ARGS__)
/* errno as an error: ENOSPC, EACCES, ENOENT, ENOMEM have codes of their own; the rest is IO. */
int err_errno(struct err *e, int errnum, const char *what, const char *name);
int err_nomem(struct err *e, size_t bytes);

const char *err_text(int code); /* "malformed input" */
const char *err_name(int code); /* "FORMAT" */
int err_exit(int code);         /* the program's exit code */
int err_http(int code);

#endif
