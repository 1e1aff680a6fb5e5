/* Croft's error codes: one table gives the constant, its text, the exit code of the program and the HTTP status.
 * The numbers are part of the ABI: add at the end, never renumber. */
#ifndef CROFT_ERRORS_H
#define CROFT_ERRORS_H

/*  X(name,        code, text,                                   exit, http) */
#define CROFT_ERROR_TABLE(X)                                                  \
    X(OK,             0, "success",                                 0, 200)   \
    X(INTERNAL,      -1, "internal error",                         70, 500)   \
    X(NOMEM,         -2, "out of memory",                          71, 503)   \
    X(USAGE,         -3, "wrong use of the command or function",   64, 400)   \
    X(NOT_FOUND,     -4, "not found",                              66, 404)   \
    X(IO,            -5, "input/output error",                     74, 500)   \
    X(FORMAT,        -6, "malformed input",                        65, 400)   \
    X(UNSUPPORTED,   -7, "not supported",                          69, 501)   \
    X(LIMIT,         -8, "a limit was exceeded",                   65, 413)   \
    X(NO_ROOM,       -9, "the prompt does not fit the context",    65, 400)   \
    X(CANCELLED,    -10, "cancelled",                             130, 499)   \
    X(NET,          -11, "network failure",                        75, 502)   \
    X(DIGEST,       -12, "digest mismatch",                        76, 502)   \
    X(DENIED,       -13, "permission denied",                      77, 403)   \
    X(TEMPLATE,     -14, "the chat template refused",              65, 400)   \
    X(BUSY,         -15, "busy",                                   75, 503)   \
    X(NO_SPACE,     -16, "no space left on the device",            73, 507)   \
    X(BELOW_FLOOR,  -17, "the measured quality is below the floor", 1, 422) \
    X(DEADLINE,     -18, "the deadline passed",                    75, 504)   \
    X(FULL,         -19, "the queue is full",                      75, 429)   \
    X(UNKNOWN_KEY,  -20, "no valid API key",                       77, 401)

enum croft_code {
#define X(name, code, text, exit_code, http) CROFT_E_##name = (code),
    CROFT_ERROR_TABLE(X)
#undef X
};
#define CROFT_OK CROFT_E_OK

/* What went wrong, in storage of the caller. `code` is zero after success. `msg` is a whole sentence for a person,
 * `where` names the input ("GGUF metadata", "line"), `pos` is the byte or line position in it, or -1. */
struct croft_err {
    int code;
    long long pos;
    char where[64];
    char msg[320];
};

#endif
