/* The deferred queue: work that waits for a tier, on disk before anybody is told that it waits.
 *
 *     state  0 waiting   due_s: when it may be tried
 *            1 leased    lease_s: when the lease ends; token: who holds it
 *            2 done      status, answer; the request's text is gone
 *            3 failed    answer: why
 *
 * Every change names the state and the token it expects, in one statement, so that of two holders (one was slow, its
 * lease ended) one wins and the other is told. What cannot be known is whether a delivery whose process died had
 * reached the tier: the work is delivered again, with the same idempotency key. These calls wait for the disk. Read
 * next: store.c. */
#include "base_clock.h"
#include "base_mem.h"
#include "receipt_private.h"
#include "store_private.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static int check_room(struct route_store *s, size_t n_request, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = route_sql_prepare(s->db, "SELECT count(*), ifnull(sum(bytes), 0) FROM deferred", &st, e);
    if (rc == 0) rc = route_sql_row(st, &row, e);
    if (rc == 0 && (sqlite3_column_int64(st, 0) >= s->p.max_deferred ||
                    (uint64_t)sqlite3_column_int64(st, 1) + n_request > s->p.max_deferred_bytes))
        rc = ERR(e, FULL, "No more work can wait: %lld pieces do already.", (long long)sqlite3_column_int64(st, 0));
    sqlite3_finalize(st);
    return rc;
}

static int insert(struct route_store *s, const struct route_deferred *d, struct err *e)
{
    const char *texts[] = {d->receipt, d->task, d->key, d->tier, d->data_class, d->subject, d->endpoint};
    sqlite3_stmt *st = NULL;
    int rc =
        route_sql_prepare(s->db,
                          "INSERT INTO deferred(receipt, task, key, tier, class, subject, endpoint, state, due_s, "
                          "lease_s, token, attempts, created_s, expires_s, done_s, status, bytes, request) "
                          "VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?8, 0, 0, 0, ?8, ?9, 0, 0, ?10, ?11)",
                          &st, e);
    if (rc) return rc;
    for (int i = 0; i < 7; i++) route_sql_text(st, i + 1, texts[i]);
    sqlite3_bind_int64(st, 8, clock_unix_s());
    sqlite3_bind_int64(st, 9, d->expires_s);
    sqlite3_bind_int64(st, 10, (sqlite3_int64)d->n_request);
    route_sql_blob(st, 11, d->n_request ? d->request : "", d->n_request);
    rc = route_sql_run(st, e);
    sqlite3_finalize(st);
    return rc;
}

static int exists(struct route_store *s, const char *receipt, bool *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = route_sql_prepare(s->db, "SELECT 1 FROM deferred WHERE receipt = ?", &st, e);
    if (rc == 0) route_sql_text(st, 1, receipt);
    if (rc == 0) rc = route_sql_row(st, out, e);
    sqlite3_finalize(st);
    return rc;
}

/* COMMIT or ROLLBACK, and the connection is free again. */
static int end(struct route_store *s, int rc, struct err *e)
{
    if (rc == 0) rc = route_sql_exec(s->db, "COMMIT", e);
    if (rc) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->disk);
    return rc;
}

static int begin(struct route_store *s, struct err *e)
{
    pthread_mutex_lock(&s->disk);
    int rc = route_sql_exec(s->db, "BEGIN IMMEDIATE", e);
    if (rc) pthread_mutex_unlock(&s->disk);
    return rc;
}

int route_deferred_add(struct route_store *s, const struct route_deferred *d, struct err *e)
{
    bool there = false;
    int rc = begin(s, e);
    if (rc) return rc;
    rc = exists(s, d->receipt, &there, e);
    if (rc == 0 && !there) rc = check_room(s, d->n_request, e);
    if (rc == 0 && !there) rc = insert(s, d, e);
    return end(s, rc, e);
}

static int copy_lease(sqlite3_stmt *st, struct route_lease *l, struct err *e)
{
    const void *request = sqlite3_column_blob(st, 9);
    l->id = (uint64_t)sqlite3_column_int64(st, 0);
    route_sql_get(st, 1, l->receipt, sizeof l->receipt);
    snprintf(l->idempotency, sizeof l->idempotency, "croft-%s", l->receipt);
    route_sql_get(st, 2, l->task, sizeof l->task);
    route_sql_get(st, 3, l->key, sizeof l->key);
    route_sql_get(st, 4, l->tier, sizeof l->tier);
    route_sql_get(st, 5, l->data_class, sizeof l->data_class);
    route_sql_get(st, 6, l->subject, sizeof l->subject);
    route_sql_get(st, 7, l->endpoint, sizeof l->endpoint);
    l->attempt = (uint32_t)sqlite3_column_int(st, 8) + 1;
    l->n_request = (size_t)sqlite3_column_bytes(st, 9);
    l->request = mem_alloc(l->n_request + 1);
    if (!l->request) return err_nomem(e, l->n_request + 1);
    if (l->n_request) memcpy(l->request, request, l->n_request);
    l->request[l->n_request] = 0;
    return 0;
}

static int mark_leased(struct route_store *s, struct route_lease *l, int64_t lease_s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (RAND_bytes((unsigned char *)&l->token, sizeof l->token) != 1)
        return ERR(e, INTERNAL, "There is no randomness.");
    l->token >>= 1; /* SQLite's whole numbers have a sign */
    int rc = route_sql_prepare(s->db,
                               "UPDATE deferred SET state = 1, attempts = attempts + 1, token = ?, lease_s = ? "
                               "WHERE id = ?",
                               &st, e);
    if (rc) return rc;
    sqlite3_bind_int64(st, 1, (sqlite3_int64)l->token);
    sqlite3_bind_int64(st, 2, lease_s);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)l->id);
    rc = route_sql_run(st, e);
    sqlite3_finalize(st);
    return rc;
}

int route_deferred_lease(struct route_store *s, int64_t now_s, int64_t lease_s, struct route_lease *out,
                         struct err *e)
{
    static const char sql[] =
        "SELECT id, receipt, task, key, tier, class, subject, endpoint, attempts, request FROM deferred "
        "WHERE (state = 0 AND due_s <= ?1 OR state = 1 AND lease_s <= ?1) AND (expires_s = 0 OR expires_s > ?1) "
        "ORDER BY due_s, id LIMIT 1";
    struct route_lease l = {.id = 0};
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = begin(s, e);
    if (rc) return rc;
    rc = route_sql_prepare(s->db, sql, &st, e);
    if (rc == 0) sqlite3_bind_int64(st, 1, now_s);
    if (rc == 0) rc = route_sql_row(st, &row, e);
    if (rc == 0 && !row) rc = ERR(e, NOT_FOUND, "No deferred work is due.");
    if (rc == 0) rc = copy_lease(st, &l, e);
    sqlite3_finalize(st);
    if (rc == 0) rc = mark_leased(s, &l, now_s + lease_s, e);
    rc = end(s, rc, e);
    if (rc)
        route_lease_done(&l);
    else
        *out = l;
    return rc;
}

void route_lease_done(struct route_lease *l)
{
    mem_free(l->request);
    *l = (struct route_lease){.id = 0};
}

/* A statement with the holder as parameters 1 and 2; NOT_FOUND when it changes nothing. Takes and finalises st. */
static int as_holder(struct route_store *s, sqlite3_stmt *st, const struct route_lease *l, struct err *e)
{
    sqlite3_bind_int64(st, 1, (sqlite3_int64)l->id);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)l->token);
    int rc = route_sql_run(st, e);
    if (rc == 0 && sqlite3_changes(s->db) == 0)
        rc = ERR(e, NOT_FOUND, "The work of receipt %.32s is no longer held: its lease ended, or it is done.",
                 l->receipt);
    sqlite3_finalize(st);
    return rc;
}

int route_deferred_complete(struct route_store *s, const struct route_lease *l, int64_t now_s, int status,
                            const void *answer, size_t n, struct err *e)
{
    sqlite3_stmt *st = NULL;
    pthread_mutex_lock(&s->disk);
    int rc = route_sql_prepare(s->db,
                               "UPDATE deferred SET state = 2, done_s = ?3, status = ?4, answer = ?5, bytes = ?6, "
                               "request = x'' WHERE id = ?1 AND token = ?2 AND state = 1",
                               &st, e);
    if (rc == 0) {
        sqlite3_bind_int64(st, 3, now_s);
        sqlite3_bind_int(st, 4, status);
        route_sql_blob(st, 5, n ? answer : "", n);
        sqlite3_bind_int64(st, 6, (sqlite3_int64)n);
        rc = as_holder(s, st, l, e);
    }
    pthread_mutex_unlock(&s->disk);
    return rc;
}

int route_deferred_fail(struct route_store *s, const struct route_lease *l, int64_t now_s, int64_t retry_s,
                        const char *why, struct err *e)
{
    sqlite3_stmt *st = NULL;
    pthread_mutex_lock(&s->disk);
    int rc = route_sql_prepare(s->db,
                               retry_s ? "UPDATE deferred SET state = 0, due_s = ?3, answer = ?4 "
                                         "WHERE id = ?1 AND token = ?2 AND state = 1"
                                       : "UPDATE deferred SET state = 3, done_s = ?3, answer = ?4, request = x'', "
                                         "bytes = 0 WHERE id = ?1 AND token = ?2 AND state = 1",
                               &st, e);
    if (rc == 0) {
        sqlite3_bind_int64(st, 3, retry_s ? retry_s : now_s);
        route_sql_blob(st, 4, why, strlen(why));
        rc = as_holder(s, st, l, e);
    }
    pthread_mutex_unlock(&s->disk);
    return rc;
}

int route_deferred_get(struct route_store *s, const char *receipt, struct route_deferred_info *out, struct err *e)
{
    struct route_deferred_info i = {.state = ROUTE_D_WAITING};
    sqlite3_stmt *st = NULL;
    bool row = false;
    buf_init(&i.text, ROUTE_LINE_MAX);
    pthread_mutex_lock(&s->disk);
    int rc = route_sql_prepare(s->db,
                               "SELECT state, key, status, attempts, created_s, CASE state WHEN 1 THEN lease_s "
                               "ELSE due_s END, answer FROM deferred WHERE receipt = ?",
                               &st, e);
    if (rc == 0) route_sql_text(st, 1, receipt);
    if (rc == 0) rc = route_sql_row(st, &row, e);
    if (rc == 0 && !row) rc = ERR(e, NOT_FOUND, "No deferred work belongs to receipt %.32s.", receipt);
    if (rc == 0) {
        i.state = (enum route_deferred_state)sqlite3_column_int(st, 0);
        route_sql_get(st, 1, i.key, sizeof i.key);
        i.status = sqlite3_column_int(st, 2);
        i.attempts = (uint32_t)sqlite3_column_int(st, 3);
        i.created_s = sqlite3_column_int64(st, 4);
        i.due_s = sqlite3_column_int64(st, 5);
        const void *text = sqlite3_column_blob(st, 6);
        if (text) buf_add(&i.text, text, (size_t)sqlite3_column_bytes(st, 6));
        rc = buf_check(&i.text, "answer", e);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->disk);
    if (rc)
        buf_done(&i.text);
    else
        *out = i;
    return rc;
}

static int expire(struct route_store *s, int64_t now_s, struct err *e)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "UPDATE deferred SET state = 3, done_s = %lld, answer = CAST('Its time was over before a tier could be "
             "reached.' AS BLOB), request = x'', bytes = 0 WHERE expires_s > 0 AND expires_s <= %lld AND "
             "(state = 0 OR state = 1 AND lease_s <= %lld);"
             "DELETE FROM deferred WHERE state >= 2 AND done_s < %lld",
             (long long)now_s, (long long)now_s, (long long)now_s, (long long)(now_s - s->p.keep_done_s));
    return route_sql_exec(s->db, sql, e);
}

int route_deferred_tidy(struct route_store *s, int64_t now_s, struct route_deferred_counts *out, struct err *e)
{
    struct route_deferred_counts c = {.next_s = INT64_MAX};
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = begin(s, e);
    if (rc) return rc;
    rc = expire(s, now_s, e);
    if (rc == 0)
        rc = route_sql_prepare(s->db,
                               "SELECT state, count(*), min(CASE state WHEN 0 THEN due_s WHEN 1 THEN lease_s END) "
                               "FROM deferred GROUP BY state",
                               &st, e);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        uint32_t *of[] = {&c.waiting, &c.leased, &c.done, &c.failed};
        int state = sqlite3_column_int(st, 0);
        if (state < ROUTE_D_WAITING || state > ROUTE_D_FAILED) continue;
        *of[state] = (uint32_t)sqlite3_column_int(st, 1);
        int64_t due_s = sqlite3_column_int64(st, 2);
        if (state <= ROUTE_D_LEASED && due_s < c.next_s) c.next_s = due_s;
    }
    sqlite3_finalize(st);
    rc = end(s, rc, e);
    if (rc == 0) *out = c;
    return rc;
}
