/* Receipts to disk: batches that continue the chain, checkpoints, pruning, and the check at open.
 *
 * A struct route_writer has the only connection that writes; its owner (receipt_log.c) lets one thread at a time in.
 * A transaction holds a batch and the checkpoint that may be due, so that what is on disk always ends at a whole
 * receipt.
 *
 * At open the log is checked from the last checkpoint on: the checkpoint's signature, the receipt it names, and the
 * chain behind it, which a crash has left unsigned. That costs as much as one checkpoint interval holds; `croft audit
 * verify` looks at everything. Read next: receipt_verify.c. */
#include "base_clock.h"
#include "base_log.h"
#include "receipt_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t now_unix_ms(void) { return clock_unix_s() * 1000; }
static int64_t now_ms(void) { return (int64_t)(clock_now_ns() / 1000000); }

static int broken(struct err *e, const char *dir, const char *what, uint64_t seq)
{
    return ERR(
        e, DIGEST,
        "The receipts in '%.120s' were changed: %s (receipt %llu). Run 'croft audit verify'; to go on, begin a "
        "log in another folder.",
        dir, what, (unsigned long long)seq);
}

/* ---- open ---- */

/* The last checkpoint into w->at; n 0: there is none. */
static int read_last_checkpoint(struct route_writer *w, const char *dir, const struct route_keys *keys,
                                const struct route_log_row *log, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool found = false;
    struct route_statement s = {.first = 1};
    int rc = route_sql_prepare(w->db, "SELECT body, signature FROM checkpoint ORDER BY n DESC LIMIT 1", &st, e);
    if (rc == 0) rc = route_sql_row(st, &found, e);
    if (rc == 0 && found) {
        const char *body = (const char *)sqlite3_column_text(st, 0);
        size_t n = (size_t)sqlite3_column_bytes(st, 0);
        const void *sig = sqlite3_column_blob(st, 1);
        if (!body || sqlite3_column_bytes(st, 1) != ROUTE_SIGNATURE || !route_keys_verify(keys, body, n, sig) ||
            !route_statement_parse(body, n, &s) || strcmp(s.log, log->id) != 0)
            rc = broken(e, dir, "the last checkpoint is not signed by a key of this log", s.seq);
    }
    if (rc == 0 && s.first != log->first) rc = broken(e, dir, "its beginning was cut off", log->first);
    sqlite3_finalize(st);
    if (rc) return rc;
    w->at = s;
    snprintf(w->at.log, sizeof w->at.log, "%s", log->id);
    if (s.n) {
        memcpy(w->chain.hash, s.hash, ROUTE_HASH);
    } else {
        route_chain_begin(&w->chain, log->id);
        memcpy(w->at.base, w->chain.hash, ROUTE_HASH);
    }
    return 0;
}

/* Every receipt from the one that the checkpoint names on. */
static int follow_chain(struct route_writer *w, const char *dir, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    bool empty = w->at.seq < w->at.first; /* all was pruned, or nothing was ever written */
    int rc = route_sql_prepare(w->db, "SELECT seq, body, hash FROM receipt WHERE seq >= ? ORDER BY seq", &st, e);
    if (rc == 0) sqlite3_bind_int64(st, 1, (sqlite3_int64)(empty ? w->at.first : w->at.seq));
    w->seq = empty ? w->at.first - 1 : w->at.seq - 1;
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        const char *body = (const char *)sqlite3_column_text(st, 1);
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        const void *hash = sqlite3_column_blob(st, 2);
        uint64_t seq = (uint64_t)sqlite3_column_int64(st, 0);
        if (seq != ++w->seq || !body || route_body_number(body, n, "seq") != seq)
            rc = broken(e, dir, "one is missing or at another's place", w->seq);
        else if (empty || seq != w->at.seq)
            route_chain_next(&w->chain, body, n);
        if (rc == 0 && (sqlite3_column_bytes(st, 2) != ROUTE_HASH || memcmp(hash, w->chain.hash, ROUTE_HASH) != 0))
            rc = broken(e, dir, "the chain is broken", seq);
        if (rc == 0) w->lost = route_body_number(body, n, "lost");
    }
    if (rc == 0 && !empty && w->seq < w->at.seq) rc = broken(e, dir, "its end was cut off", w->at.seq);
    sqlite3_finalize(st);
    return rc;
}

int route_writer_open(struct route_writer *w, const struct route_receipts_params *p, struct err *e)
{
    char key_path[ROUTE_PATH], pub_path[ROUTE_PATH];
    struct route_log_row log;
    struct route_keys keys = {.n = 0};
    *w = (struct route_writer){.anchor_path = p->anchor_path, .signed_ms = now_ms()};
    buf_init(&w->body, ROUTE_BODY_MAX);
    int rc = route_path(p->dir, "receipts.key", key_path, e);
    if (rc == 0) rc = route_path(p->dir, "receipts.pub", pub_path, e);
    if (rc == 0) rc = route_chain_init(&w->chain, e);
    if (rc == 0) rc = route_log_open(p->dir, ROUTE_SQL_WRITE, &w->db, &log, e);
    if (rc == 0) rc = route_key_open(p->key_path ? p->key_path : key_path, pub_path, &w->key, e);
    if (rc == 0) rc = route_keys_open(pub_path, &keys, e);
    if (rc == 0) rc = read_last_checkpoint(w, p->dir, &keys, &log, e);
    if (rc == 0) rc = follow_chain(w, p->dir, e);
    if (rc == 0) rc = route_sql_prepare(w->db, "INSERT INTO receipt(seq, body, hash) VALUES(?, ?, ?)", &w->insert, e);
    if (rc == 0)
        rc = route_sql_prepare(w->db, "INSERT INTO checkpoint(n, seq, body, signature) VALUES(?, ?, ?, ?)", &w->sign,
                               e);
    route_keys_done(&keys);
    if (rc) route_writer_close(w);
    return rc;
}

void route_writer_close(struct route_writer *w)
{
    sqlite3_finalize(w->insert);
    sqlite3_finalize(w->sign);
    sqlite3_close(w->db);
    route_key_done(&w->key);
    route_chain_done(&w->chain);
    buf_done(&w->body);
    *w = (struct route_writer){0};
}

/* ---- checkpoints ---- */

/* The caller's transaction. On success w->at is the new statement, and `line` holds it as an anchor. */
static int add_checkpoint(struct route_writer *w, const char *why, struct buf *line, struct err *e)
{
    unsigned char sig[ROUTE_SIGNATURE];
    char hex[2 * ROUTE_SIGNATURE + 1];
    struct route_statement s = w->at;
    s.n++;
    s.seq = w->seq;
    memcpy(s.hash, w->chain.hash, ROUTE_HASH);
    buf_clear(&w->body);
    route_statement_json(&s, w->key.name, why, now_unix_ms(), &w->body);
    int rc = buf_check(&w->body, "checkpoint", e);
    if (rc == 0) rc = route_key_sign(&w->key, w->body.data, w->body.len, sig, e);
    if (rc) return rc;
    sqlite3_bind_int64(w->sign, 1, (sqlite3_int64)s.n);
    sqlite3_bind_int64(w->sign, 2, (sqlite3_int64)s.seq);
    route_sql_text(w->sign, 3, w->body.data);
    route_sql_blob(w->sign, 4, sig, sizeof sig);
    if ((rc = route_sql_run(w->sign, e))) return rc;
    route_hex(sig, sizeof sig, hex);
    route_anchor_line(hex, w->body.data, line);
    w->at = s;
    return 0;
}

/* After the commit. That an anchor could not be kept must not stop the log; it is said, and the next one says more.
 */
static void write_anchor(struct route_writer *w, const struct buf *line)
{
    if (!w->anchor_path || !line->len) return;
    int fd = open(w->anchor_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line->data, line->len) != (ssize_t)line->len)
        log_warn("The anchors' file '%.200s' cannot be written: %s.", w->anchor_path, strerror(errno));
    if (fd >= 0) close(fd);
}

/* ---- batches ---- */

static int insert(struct route_writer *w, const struct route_queued *q, struct err *e)
{
    uint64_t seq = w->seq + 1;
    buf_clear(&w->body);
    route_receipt_json(&q->r, seq, q->lost, &w->body);
    int rc = buf_check(&w->body, "receipt", e);
    if (rc) return rc;
    route_chain_next(&w->chain, w->body.data, w->body.len);
    sqlite3_bind_int64(w->insert, 1, (sqlite3_int64)seq);
    sqlite3_bind_text64(w->insert, 2, w->body.data, w->body.len, SQLITE_STATIC, SQLITE_UTF8);
    route_sql_blob(w->insert, 3, w->chain.hash, ROUTE_HASH);
    if ((rc = route_sql_run(w->insert, e))) return rc;
    w->seq = seq;
    w->lost = q->lost;
    return 0;
}

/* What a transaction changes in memory, to be put back when it fails. */
struct saved {
    unsigned char hash[ROUTE_HASH];
    struct route_statement at;
    uint64_t seq, lost;
};
static struct saved save(const struct route_writer *w)
{
    struct saved s = {.at = w->at, .seq = w->seq, .lost = w->lost};
    memcpy(s.hash, w->chain.hash, ROUTE_HASH);
    return s;
}

static int end(struct route_writer *w, const struct saved *s, const struct buf *anchor, int rc, struct err *e)
{
    if (rc == 0) rc = route_sql_exec(w->db, "COMMIT", e);
    if (rc) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL); /* where the failure has not done it already */
        memcpy(w->chain.hash, s->hash, ROUTE_HASH);
        w->at = s->at;
        w->seq = s->seq;
        w->lost = s->lost;
        return rc;
    }
    if (w->at.n != s->at.n) w->signed_ms = now_ms();
    write_anchor(w, anchor);
    return 0;
}

int route_writer_write(struct route_writer *w, const struct route_queued *ring, uint32_t cap, uint32_t head,
                       uint32_t n, const char *why, struct err *e)
{
    struct saved before = save(w);
    struct buf anchor;
    int rc = route_sql_exec(w->db, "BEGIN IMMEDIATE", e);
    if (rc) return rc;
    buf_init(&anchor, ROUTE_BODY_MAX);
    for (uint32_t i = 0; i < n && rc == 0; i++) rc = insert(w, &ring[(head + i) % cap], e);
    if (rc == 0 && why) rc = add_checkpoint(w, why, &anchor, e);
    rc = end(w, &before, &anchor, rc, e);
    buf_done(&anchor);
    return rc;
}

/* ---- pruning ---- */

/* The newest checkpoint before which everything is older than `before`, within max_rows; into w->at's first and base,
 * or *out_n 0. */
static int choose_first(struct route_writer *w, const char *before, uint64_t max_rows, uint64_t *out_n, struct err *e)
{
    static const char sql[] =
        "SELECT c.seq, (SELECT hash FROM receipt WHERE seq = c.seq) FROM checkpoint c WHERE c.seq >= ?1 AND c.seq < "
        "?2 "
        "AND c.seq < ifnull((SELECT seq FROM receipt WHERE time >= ?3 ORDER BY seq LIMIT 1), ?4 + 1) "
        "ORDER BY c.seq DESC LIMIT 1";
    sqlite3_stmt *st = NULL;
    bool found = false;
    int rc = route_sql_prepare(w->db, sql, &st, e);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, (sqlite3_int64)w->at.first);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)(w->at.first + max_rows));
    route_sql_text(st, 3, before);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)w->seq);
    rc = route_sql_row(st, &found, e);
    *out_n = 0;
    if (rc == 0 && found && sqlite3_column_bytes(st, 1) == ROUTE_HASH) {
        uint64_t first = (uint64_t)sqlite3_column_int64(st, 0) + 1;
        *out_n = first - w->at.first;
        w->at.first = first;
        memcpy(w->at.base, sqlite3_column_blob(st, 1), ROUTE_HASH);
    }
    sqlite3_finalize(st);
    return rc;
}

int route_writer_prune(struct route_writer *w, int64_t unix_ms, uint64_t max_rows, uint64_t *out_n, struct err *e)
{
    struct saved saved = save(w);
    struct buf anchor;
    char before[25], sql[256];
    uint64_t n = 0;
    route_time_text(unix_ms, before);
    int rc = route_sql_exec(w->db, "BEGIN IMMEDIATE", e);
    if (rc) return rc;
    buf_init(&anchor, ROUTE_BODY_MAX);
    rc = choose_first(w, before, max_rows, &n, e);
    if (rc == 0 && n) {
        snprintf(sql, sizeof sql,
                 "UPDATE log SET first = %llu; DELETE FROM receipt WHERE seq < %llu; DELETE FROM checkpoint "
                 "WHERE seq < %llu",
                 (unsigned long long)w->at.first, (unsigned long long)w->at.first,
                 (unsigned long long)(w->at.first - 1));
        rc = route_sql_exec(w->db, sql, e);
        if (rc == 0) rc = add_checkpoint(w, "prune", &anchor, e);
    }
    rc = end(w, &saved, &anchor, rc, e);
    buf_done(&anchor);
    if (rc == 0) *out_n = n;
    return rc;
}
