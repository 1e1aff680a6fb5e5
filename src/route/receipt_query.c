/* Reading receipts: filtered, as checkpoints, and as an export that can be verified without SQLite.
 *
 * Each call has a connection of its own and sees the log as it stood at its first row, while another process may
 * write. Any thread. Read next: receipt_verify.c. */
#include "base_mem.h"
#include "receipt_private.h"

#include <stdio.h>
#include <string.h>

/* ---- filters: WHERE with a parameter for each condition ---- */

enum { MAX_BOUND = 16 };
struct where {
    char sql[1024];
    const char *bound[MAX_BOUND];
    int n;
};

static void condition(struct where *w, const char *test, const char *value)
{
    if (!value) return;
    size_t at = strlen(w->sql);
    w->bound[w->n++] = value;
    snprintf(w->sql + at, sizeof w->sql - at, " AND %s ?%d", test, w->n);
}

static void build(struct where *w, const struct route_receipt_filter *f)
{
    *w = (struct where){"SELECT seq, body FROM receipt WHERE 1", {NULL}, 0};
    condition(w, "time >=", f->since);
    condition(w, "time <", f->until);
    condition(w, "id =", f->id);
    condition(w, "task =", f->task);
    condition(w, "tier =", f->tier);
    condition(w, "place =", f->place);
    condition(w, "reason =", f->reason);
    condition(w, "key =", f->key);
    condition(w, "class =", f->data_class);
    condition(w, "subject =", f->subject);
    condition(w, "parent =", f->parent);
    size_t at = strlen(w->sql);
    if (f->status) at += (size_t)snprintf(w->sql + at, sizeof w->sql - at, " AND status = %d", f->status);
    if (f->left) at += (size_t)snprintf(w->sql + at, sizeof w->sql - at, " AND sent IS NOT NULL");
    at += (size_t)snprintf(w->sql + at, sizeof w->sql - at, " ORDER BY seq%s", f->newest ? " DESC" : "");
    if (f->limit) snprintf(w->sql + at, sizeof w->sql - at, " LIMIT %llu", (unsigned long long)f->limit);
}

int route_receipts_each(const char *dir, const struct route_receipt_filter *f, route_receipt_fn *fn, void *arg,
                        struct err *e)
{
    struct where w;
    struct route_log_row log;
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    bool row = false;
    build(&w, f);
    int rc = route_log_open(dir, ROUTE_SQL_READ, &db, &log, e);
    if (rc == 0) rc = route_sql_prepare(db, w.sql, &st, e);
    for (int i = 0; i < w.n && rc == 0; i++) route_sql_text(st, i + 1, w.bound[i]);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        const char *body = (const char *)sqlite3_column_text(st, 1);
        if (body) rc = fn(arg, (uint64_t)sqlite3_column_int64(st, 0), body, (size_t)sqlite3_column_bytes(st, 1), e);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rc;
}

/* ---- checkpoints ---- */

static int each_checkpoint(sqlite3 *db, route_checkpoint_fn *fn, void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = route_sql_prepare(db, "SELECT n, seq, body, signature FROM checkpoint ORDER BY n", &st, e);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        struct route_checkpoint c = {.n = (uint64_t)sqlite3_column_int64(st, 0),
                                     .seq = (uint64_t)sqlite3_column_int64(st, 1),
                                     .body = (const char *)sqlite3_column_text(st, 2)};
        const void *sig = sqlite3_column_blob(st, 3);
        if (sqlite3_column_bytes(st, 3) == ROUTE_SIGNATURE) route_hex(sig, ROUTE_SIGNATURE, c.signature);
        if (c.body && fn) rc = fn(arg, &c, e);
    }
    sqlite3_finalize(st);
    return rc;
}

int route_checkpoints_each(const char *dir, route_checkpoint_fn *fn, void *arg, struct err *e)
{
    struct route_log_row log;
    sqlite3 *db = NULL;
    int rc = route_log_open(dir, ROUTE_SQL_READ, &db, &log, e);
    if (rc == 0) rc = each_checkpoint(db, fn, arg, e);
    sqlite3_close(db);
    return rc;
}

/* ---- export: every receipt, then every checkpoint ----
 *
 *     {"hash":"64 digits","receipt":BODY}
 *     {"signature":"128 digits","checkpoint":BODY}       also what an anchor looks like
 *
 * BODY is byte for byte what was hashed or signed, from a fixed column to the last brace but one. */

struct export
{
    int (*write)(void *arg, const char *line, size_t n, struct err *e);
    void *arg;
    struct buf line;
};

static int export_line(struct export *x, struct err *e)
{
    int rc = buf_check(&x->line, "line", e);
    if (rc == 0) rc = x->write(x->arg, x->line.data, x->line.len, e);
    buf_clear(&x->line);
    return rc;
}

static int export_checkpoint(void *arg, const struct route_checkpoint *c, struct err *e)
{
    struct export *x = arg;
    route_anchor_line(c->signature, c->body, &x->line);
    return export_line(x, e);
}

int route_receipts_export(const char *dir, int (*write)(void *arg, const char *line, size_t n, struct err *e),
                          void *arg, struct err *e)
{
    struct route_log_row log;
    struct export x = {.write = write, .arg = arg};
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    bool row = false;
    buf_init(&x.line, 2 * ROUTE_BODY_MAX);
    int rc = route_log_open(dir, ROUTE_SQL_READ, &db, &log, e);
    if (rc == 0) rc = route_sql_exec(db, "BEGIN", e); /* one view of both tables */
    if (rc == 0) rc = route_sql_prepare(db, "SELECT body, hash FROM receipt ORDER BY seq", &st, e);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        char hex[65] = "";
        const char *body = (const char *)sqlite3_column_text(st, 0);
        const void *hash = sqlite3_column_blob(st, 1);
        if (sqlite3_column_bytes(st, 1) == ROUTE_HASH) route_hex(hash, ROUTE_HASH, hex);
        buf_fmt(&x.line, "{\"hash\":\"%s\",\"receipt\":%s}\n", hex, body ? body : "null");
        rc = export_line(&x, e);
    }
    if (rc == 0) rc = each_checkpoint(db, export_checkpoint, &x, e);
    sqlite3_finalize(st);
    sqlite3_close(db);
    buf_done(&x.line);
    return rc;
}
