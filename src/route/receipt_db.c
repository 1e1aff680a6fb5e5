/* The receipts' database: its tables, and the statements that checkpoints sign.
 *
 *     log         one row: the log's id, the format, the first receipt that was not pruned
 *     receipt     seq, body, hash            hash(seq) = SHA-256(hash(seq - 1) ‖ body); 32 bytes, as they are
 *     checkpoint  n, seq, body, signature    Ed25519 over "croft-checkpoint-1 " body; 64 bytes
 *
 * What is filtered by (time, task, …) are columns that SQLite computes from the body: they cannot say anything else
 * than what was hashed. Triggers refuse to change or remove a row, and to insert one anywhere but at the end; they
 * guard against mistakes, the chain and its checkpoints against intent.
 *
 * Connections belong to their openers. Read next: receipt_log.c (writing), receipt_verify.c, receipt_query.c. */
#include "base_str.h"
#include "receipt_private.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS log(id TEXT NOT NULL, format INTEGER NOT NULL, first INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS receipt("
    "  seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash BLOB NOT NULL,"
    "  id TEXT AS (body ->> 'id'), time TEXT AS (body ->> 'time'), task TEXT AS (body ->> 'task'),"
    "  tier TEXT AS (body ->> 'tier'), place TEXT AS (body ->> 'place'), reason TEXT AS (body ->> 'reason'),"
    "  key TEXT AS (body ->> 'key'), class TEXT AS (body ->> 'class'), subject TEXT AS (body ->> 'subject'),"
    "  parent TEXT AS (body ->> 'parent'), status INTEGER AS (body ->> 'status'),"
    "  sent TEXT AS (body ->> 'left')) STRICT;"
    "CREATE UNIQUE INDEX IF NOT EXISTS receipt_id ON receipt(id);"
    "CREATE INDEX IF NOT EXISTS receipt_time ON receipt(time);"
    "CREATE INDEX IF NOT EXISTS receipt_subject ON receipt(subject) WHERE subject IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS checkpoint("
    "  n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL, signature BLOB NOT NULL) STRICT;"
    "CREATE TRIGGER IF NOT EXISTS receipt_append BEFORE INSERT ON receipt"
    "  WHEN new.seq <> ifnull((SELECT max(seq) FROM receipt), (SELECT first - 1 FROM log)) + 1"
    "  BEGIN SELECT RAISE(ABORT, 'receipts are only added at the end'); END;"
    "CREATE TRIGGER IF NOT EXISTS receipt_change BEFORE UPDATE ON receipt"
    "  BEGIN SELECT RAISE(ABORT, 'receipts never change'); END;"
    "CREATE TRIGGER IF NOT EXISTS receipt_remove BEFORE DELETE ON receipt"
    "  WHEN old.seq >= (SELECT first FROM log)"
    "  BEGIN SELECT RAISE(ABORT, 'receipts are removed by pruning alone'); END;"
    "CREATE TRIGGER IF NOT EXISTS checkpoint_append BEFORE INSERT ON checkpoint"
    "  WHEN new.n <= ifnull((SELECT max(n) FROM checkpoint), 0)"
    "  BEGIN SELECT RAISE(ABORT, 'checkpoints are only added at the end'); END;"
    "CREATE TRIGGER IF NOT EXISTS checkpoint_change BEFORE UPDATE ON checkpoint"
    "  BEGIN SELECT RAISE(ABORT, 'checkpoints never change'); END;"
    "CREATE TRIGGER IF NOT EXISTS checkpoint_remove BEFORE DELETE ON checkpoint"
    "  WHEN old.seq >= (SELECT first - 1 FROM log)"
    "  BEGIN SELECT RAISE(ABORT, 'checkpoints are removed by pruning alone'); END;"
    "INSERT INTO log SELECT lower(hex(randomblob(16))), 1, 1 WHERE NOT EXISTS (SELECT 1 FROM log);"
    "COMMIT";

int route_log_row_read(sqlite3 *db, const char *path, struct route_log_row *row, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool found = false;
    int rc = route_sql_prepare(db, "SELECT id, first, format FROM log", &st, e);
    if (rc == 0) rc = route_sql_row(st, &found, e);
    if (rc == 0) {
        int64_t first = found ? sqlite3_column_int64(st, 1) : 0;
        *row = (struct route_log_row){.first = (uint64_t)first};
        if (found) route_sql_get(st, 0, row->id, sizeof row->id);
        if (strlen(row->id) != 32 || first < 1)
            rc = ERR(e, FORMAT, "'%.200s' does not say which log it is. Restore it from a copy.", path);
        else if (sqlite3_column_int(st, 2) != 1)
            rc = ERR(e, UNSUPPORTED, "'%.200s' was written by a newer Croft: format %d.", path,
                     sqlite3_column_int(st, 2));
    }
    sqlite3_finalize(st);
    return rc;
}

int route_log_open(const char *dir, enum route_sql_mode mode, sqlite3 **out, struct route_log_row *row, struct err *e)
{
    char path[ROUTE_PATH];
    sqlite3 *db = NULL;
    int rc = route_path(dir, ROUTE_RECEIPTS_DB, path, e);
    if (rc == 0 && mode == ROUTE_SQL_READ && access(path, F_OK))
        return ERR(e, NOT_FOUND, "There are no receipts in '%.200s': croft serve writes them.", dir);
    if (rc == 0) rc = route_sql_open(path, mode, &db, e);
    if (rc) return rc;
    if (mode == ROUTE_SQL_WRITE) rc = route_sql_exec(db, schema, e);
    if (rc == 0) rc = route_log_row_read(db, path, row, e);
    if (rc)
        sqlite3_close(db);
    else
        *out = db;
    return rc;
}

/* ---- what a checkpoint says ---- */

void route_statement_json(const struct route_statement *s, const char *key_name, const char *why, int64_t time_ms,
                          struct buf *out)
{
    char base[65], hash[65], when[25];
    route_hex(s->base, ROUTE_HASH, base);
    route_hex(s->hash, ROUTE_HASH, hash);
    route_time_text(time_ms, when);
    buf_fmt(out,
            "{\"base\":\"%s\",\"first\":%llu,\"hash\":\"%s\",\"key\":\"%s\",\"log\":\"%s\",\"n\":%llu,\"seq\":%llu,"
            "\"time\":\"%s\",\"why\":\"%s\"}",
            base, (unsigned long long)s->first, hash, key_name, s->log, (unsigned long long)s->n,
            (unsigned long long)s->seq, when, why);
}

bool route_statement_parse(const char *body, size_t n, struct route_statement *out)
{
    const char *base, *hash, *log;
    json_int_t first, seq, number;
    json_t *o = json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
    bool good = o && json_unpack(o, "{s:s s:I s:s s:s s:I s:I}", "base", &base, "first", &first, "hash", &hash, "log",
                                 &log, "n", &number, "seq", &seq) == 0;
    good = good && strlen(base) == 64 && strlen(hash) == 64 && strlen(log) == 32 && first >= 1 && seq >= first - 1 &&
           number >= 1;
    if (good) {
        *out = (struct route_statement){.n = (uint64_t)number, .first = (uint64_t)first, .seq = (uint64_t)seq};
        snprintf(out->log, sizeof out->log, "%s", log);
        good = route_unhex(base, 64, out->base) && route_unhex(hash, 64, out->hash);
    }
    json_decref(o);
    return good;
}

/* Inside a string a quote is escaped, so that `,"seq":` can only be the member. */
uint64_t route_body_number(const char *body, size_t n, const char *member)
{
    char key[32];
    int n_key = snprintf(key, sizeof key, ",\"%s\":", member);
    const char *p = memmem(body, n, key, (size_t)n_key);
    uint64_t v = 0;
    if (!p) return 0;
    for (p += n_key; p < body + n && *p >= '0' && *p <= '9' && v < UINT64_MAX / 100; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    return v;
}

void route_anchor_line(const char *signature_hex, const char *body, struct buf *out)
{
    buf_fmt(out, "{\"signature\":\"%s\",\"checkpoint\":%s}\n", signature_hex, body);
}
