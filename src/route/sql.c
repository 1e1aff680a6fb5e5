/* SQLite as the stores of routing use it (sql.h): how a file is opened, and errors as sentences.
 *
 * Owns nothing. Connections are opened in SQLite's serialised mode, so that a connection may pass between threads;
 * the stores hold a lock of their own around a transaction. A file that is read may come from anybody: pages are
 * checked before they are used, and nothing is written. (Not trusting its schema is no choice: until SQLite 3.42 the
 * JSON functions, which our own columns use, count as untrusted too. None of SQLite's functions reaches out of it.)
 * Read next: receipt_db.c, store.c. */
#include "sql.h"
#include "base_buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FLAGS = SQLITE_OPEN_FULLMUTEX };

int route_sql_fail(sqlite3 *db, struct err *e)
{
    int rc = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const char *file = db ? sqlite3_db_filename(db, "main") : "", *why = db ? sqlite3_errmsg(db) : "";
    if (!file) file = "";
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(e, 0);
    case SQLITE_FULL:
        return ERR(e, NO_SPACE, "'%.160s': the disk is full. Make room.", file);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR(e, BUSY, "'%.160s' is in use by another process. Try again.", file);
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ERR(e, DENIED, "'%.160s' may not be written: %.60s. Check the owner of its folder.", file, why);
    case SQLITE_CANTOPEN:
        return ERR(e, IO, "'%.160s' cannot be opened: %.60s.", file, why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR(e, FORMAT, "'%.160s' is damaged: %.60s. Restore it from a copy, or begin in another folder.", file,
                   why);
    case SQLITE_ERROR:
        if (strstr(why, "malformed JSON"))
            return ERR(e, DIGEST, "'%.160s': a record is no JSON: it was changed. Run 'croft audit verify'.", file);
        return ERR(e, IO, "'%.160s': %.120s.", file, why);
    default:
        return ERR(e, IO, "'%.160s': %.120s.", file, why);
    }
}

int route_sql_exec(sqlite3 *db, const char *sql, struct err *e)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : route_sql_fail(db, e);
}

int route_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct err *e)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK ? 0
                                                                                              : route_sql_fail(db, e);
}

int route_sql_row(sqlite3_stmt *st, bool *out_row, struct err *e)
{
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return route_sql_fail(sqlite3_db_handle(st), e);
    *out_row = rc == SQLITE_ROW;
    return 0;
}

int route_sql_run(sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : route_sql_fail(sqlite3_db_handle(st), e);
    sqlite3_reset(st);
    return rc;
}

void route_sql_text(sqlite3_stmt *st, int at, const char *z) { sqlite3_bind_text(st, at, z, -1, SQLITE_STATIC); }

void route_sql_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
    sqlite3_bind_blob64(st, at, p, n, SQLITE_STATIC);
}

void route_sql_get(sqlite3_stmt *st, int at, char *out, size_t n)
{
    const unsigned char *z = sqlite3_column_text(st, at);
    snprintf(out, n, "%s", z ? (const char *)z : "");
}

static int configure(sqlite3 *db, enum route_sql_mode mode, struct err *e)
{
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return route_sql_exec(db,
                          mode == ROUTE_SQL_WRITE
                              ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON"
                              : "PRAGMA query_only = ON; PRAGMA cell_size_check = ON",
                          e);
}

/* On a disk that cannot be written there is no index of a WAL, and nothing can change under us. */
static int open_immutable(const char *path, sqlite3 **out, struct err *e)
{
    struct buf uri;
    buf_init(&uri, 16384);
    buf_str(&uri, "file:");
    for (const char *p = path; *p; p++)
        if (strchr("%?#", *p))
            buf_fmt(&uri, "%%%02x", *p);
        else
            buf_char(&uri, *p);
    buf_str(&uri, "?immutable=1");
    int rc = buf_check(&uri, "path", e);
    if (rc == 0 && sqlite3_open_v2(uri.data, out, FLAGS | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
        rc = route_sql_fail(*out, e);
    buf_done(&uri);
    return rc;
}

int route_sql_open(const char *path, enum route_sql_mode mode, sqlite3 **out, struct err *e)
{
    sqlite3 *db = NULL;
    int rc = 0;
    if (mode == ROUTE_SQL_WRITE) {
        /* SQLite gives the WAL the permissions of the file, so the file is made here. Only when it is new: closing a
         * descriptor of a file drops the locks that this process holds on it. */
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) return err_errno(e, errno, "create", path);
        if (fd >= 0) close(fd);
    } else if (access(path, R_OK)) {
        return err_errno(e, errno, "open", path);
    }
    if (mode == ROUTE_SQL_READ && access(path, W_OK))
        rc = open_immutable(path, &db, e);
    else if (sqlite3_open_v2(path, &db, FLAGS | SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        rc = route_sql_fail(db, e);
    if (rc == 0) rc = configure(db, mode, e);
    if (rc)
        sqlite3_close(db);
    else
        *out = db;
    return rc;
}
