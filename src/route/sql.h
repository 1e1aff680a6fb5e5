/* SQLite as the stores of routing use it: one way to open a file, one way to say what went wrong. */
#ifndef ROUTE_SQL_H
#define ROUTE_SQL_H

#include "base_err.h"

#include <sqlite3.h>

enum route_sql_mode { ROUTE_SQL_READ, ROUTE_SQL_WRITE };
/* WRITE: made 0600 when it is missing; WAL, and a commit is on disk when it returns. READ: NOT_FOUND when it is
 * missing; pages are checked before they are used. Both wait up to 5 s for another process. A connection may be used
 * from any thread. */
int route_sql_open(const char *path, enum route_sql_mode mode, sqlite3 **out, struct err *e) ERR_CHECK;
int route_sql_exec(sqlite3 *db, const char *sql, struct err *e) ERR_CHECK;
int route_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct err *e) ERR_CHECK;
/* Executes up to the next row; *out_row false: there is none. */
int route_sql_row(sqlite3_stmt *st, bool *out_row, struct err *e) ERR_CHECK;
/* Executes a statement that gives no rows, and makes it ready for the next time. */
int route_sql_run(sqlite3_stmt *st, struct err *e) ERR_CHECK;
int route_sql_fail(sqlite3 *db, struct err *e); /* the connection's last error, as one of ours */
/* Text, borrowed until the statement is executed again; NULL: none. Static: bound without a copy. */
void route_sql_text(sqlite3_stmt *st, int at, const char *z);
void route_sql_blob(sqlite3_stmt *st, int at, const void *p, size_t n);
/* Column `at` as text into `out`, cut to n - 1 bytes; "" for NULL. */
void route_sql_get(sqlite3_stmt *st, int at, char *out, size_t n);

#endif
