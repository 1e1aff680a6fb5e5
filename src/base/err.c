/* Error codes and messages: the X-macro of croft/errors.h as a table. No state, no threads. */
#include "base_err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct row {
    int code;
    const char *name, *text;
    int exit_code, http;
} rows[] = {
#define X(name, code, text, exit_code, http) {(code), #name, (text), (exit_code), (http)},
    CROFT_ERROR_TABLE(X)
#undef X
};

static const struct row *row_of(int code)
{
    int i = -code; /* the table is dense and in order */
    if (i < 0 || i >= (int)(sizeof rows / sizeof rows[0])) i = 1;
    return &rows[i];
}

int err_set(struct err *e, int code, const char *where, long long pos, const char *fmt, ...)
{
    if (!e) return code;
    char msg[sizeof e->msg]; /* arguments may point into *e */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    e->code = code;
    e->pos = pos;
    snprintf(e->where, sizeof e->where, "%s", where ? where : "");
    memcpy(e->msg, msg, sizeof msg);
    return code;
}

int err_errno(struct err *e, int errnum, const char *what, const char *name)
{
    int code = errnum == ENOENT || errnum == ENOTDIR ? CROFT_E_NOT_FOUND
             : errnum == ENOSPC || errnum == EDQUOT ? CROFT_E_NO_SPACE
             : errnum == EACCES || errnum == EPERM || errnum == EROFS ? CROFT_E_DENIED
             : errnum == ENOMEM ? CROFT_E_NOMEM
                                : CROFT_E_IO;
    return err_set(e, code, name, -1, "Cannot %s '%s': %s.", what, name, strerror(errnum));
}

int err_nomem(struct err *e, size_t bytes)
{
    return err_set(e, CROFT_E_NOMEM, "", -1, "Out of memory: %zu bytes could not be allocated.", bytes);
}

const char *err_text(int code) { return row_of(code)->text; }
const char *err_name(int code) { return row_of(code)->name; }
int err_exit(int code) { return row_of(code)->exit_code; }
int err_http(int code) { return row_of(code)->http; }
