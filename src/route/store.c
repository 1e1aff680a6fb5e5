/* The content store: its file, its writer, a person's data. docs/RECEIPTS.md says what is where.
 *
 *     capture    task, input, output, …     pairs for training; the oldest go when there are too many
 *     deferred   receipt, request, state …  work that waits, and its answers for a while
 *     budget     scope, period, spent …     money
 *
 * Two ways in. Captures and money go through memory: callers change it under `lock`, and the writer's thread copies
 * what changed into one transaction, so that callers never wait for a disk. Everything else works on the connection
 * under `disk`, and waits. One process owns the folder (store.lock); others may open it beside, to export and erase.
 * Read next: store_budget.c, store_capture.c, store_deferred.c. */
#include "base_clock.h"
#include "base_log.h"
#include "base_mem.h"
#include "plat_file.h"
#include "receipt_private.h"
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { GATHER_MS = 5, RETRY_MS = 1000 };

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS capture(id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, input TEXT NOT "
    "NULL,"
    "  output TEXT NOT NULL, form INTEGER NOT NULL, subject TEXT, receipt TEXT UNIQUE, time_s INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS capture_task ON capture(task);"
    "CREATE INDEX IF NOT EXISTS capture_subject ON capture(subject) WHERE subject IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS deferred(id INTEGER PRIMARY KEY AUTOINCREMENT, receipt TEXT NOT NULL UNIQUE, task "
    "TEXT,"
    "  key TEXT, tier TEXT, class TEXT, subject TEXT, endpoint TEXT, state INTEGER NOT NULL, due_s INTEGER NOT NULL,"
    "  lease_s INTEGER NOT NULL, token INTEGER NOT NULL, attempts INTEGER NOT NULL, created_s INTEGER NOT NULL,"
    "  expires_s INTEGER NOT NULL, done_s INTEGER NOT NULL, status INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    "  request BLOB NOT NULL, answer BLOB) STRICT;"
    "CREATE INDEX IF NOT EXISTS deferred_due ON deferred(state, due_s);"
    "CREATE INDEX IF NOT EXISTS deferred_bytes ON deferred(bytes);"
    "CREATE INDEX IF NOT EXISTS deferred_subject ON deferred(subject) WHERE subject IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS budget(scope TEXT NOT NULL, period TEXT NOT NULL, currency TEXT NOT NULL,"
    "  spent INTEGER NOT NULL, reserved INTEGER NOT NULL, PRIMARY KEY(scope, period, currency)) STRICT, WITHOUT "
    "ROWID;"
    "COMMIT";

/* ---- the writer's thread ---- */

/* Everything that waits, in one transaction. Holds the lock when called and when it returns. */
static void write_some(struct route_store *s)
{
    struct err e = {0};
    struct route_books_batch books = {0};
    s->busy = true;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->disk); /* before anything is taken: who holds it sees all pairs, on disk or queued */
    pthread_mutex_lock(&s->lock);
    int rc = route_books_take(s, &books, &e);
    struct route_pair *pairs = s->first;
    size_t pair_bytes = s->pair_bytes;
    s->first = NULL;
    s->last = &s->first;
    pthread_mutex_unlock(&s->lock);
    if (rc == 0) rc = route_sql_exec(s->db, "BEGIN IMMEDIATE", &e);
    if (rc == 0) {
        uint64_t capture_bytes = s->capture_bytes;
        rc = route_books_write(s, &books, &e);
        if (rc == 0) rc = route_pairs_write(s, pairs, &e);
        if (rc == 0) rc = route_sql_exec(s->db, "COMMIT", &e);
        if (rc) {
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
            s->capture_bytes = capture_bytes;
        }
    }
    pthread_mutex_unlock(&s->disk);
    if (rc && !s->failing) log_warn("The store of captures and budgets cannot be written: %s", e.msg);
    pthread_mutex_lock(&s->lock);
    if (rc) { /* back to the front, to be tried again */
        struct route_pair **end = &pairs;
        while (*end) end = &(*end)->next;
        *end = s->first;
        if (!s->first && pairs) s->last = end;
        s->first = pairs;
        route_books_give_back(s, &books);
    } else {
        s->pair_bytes -= pair_bytes;
        route_pairs_free(pairs);
    }
    mem_free(books.book);
    s->failing = rc != 0;
    s->failure = e;
    s->busy = false;
    pthread_cond_broadcast(&s->written);
}

static bool idle(const struct route_store *s) { return !s->first && !s->n_dirty; }

static void wait_ms(struct route_store *s, pthread_cond_t *c, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
    pthread_cond_timedwait(c, &s->lock, &t);
}

static void *write_all(void *arg)
{
    struct route_store *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        if (s->failing)
            wait_ms(s, &s->work, RETRY_MS);
        else if (idle(s))
            pthread_cond_wait(&s->work, &s->lock);
        else
            wait_ms(s, &s->work, GATHER_MS);
        if (!idle(s))
            write_some(s);
        else
            s->failing = false;
    }
    for (int i = 0; i < 3 && !idle(s); i++) write_some(s);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int route_store_flush(struct route_store *s, double limit_s, struct err *e)
{
    int rc = 0;
    double until = clock_now_s() + limit_s;
    pthread_mutex_lock(&s->lock);
    while (rc == 0 && (s->busy || !idle(s))) {
        double left_s = until - clock_now_s();
        if (s->failing)
            rc = ERR(e, IO, "The store cannot be written: %.200s", s->failure.msg);
        else if (left_s <= 0)
            rc = ERR(e, DEADLINE, "The store is not written yet.");
        else
            wait_ms(s, &s->written, (int64_t)(left_s * 1e3) + 1);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- open and close ---- */

static int take_folder(struct route_store *s, const char *dir, struct err *e)
{
    struct stat st;
    char path[ROUTE_PATH];
    if (stat(dir, &st)) {
        if (s->p.beside) return ERR(e, NOT_FOUND, "There is nothing stored in '%.200s'.", dir);
        int rc = plat_dir_make(dir);
        if (rc) return err_errno(e, -rc, "create the store's folder", dir);
        if (chmod(dir, 0700)) return err_errno(e, errno, "protect", dir);
    }
    int rc = route_path(dir, "store.db", s->path, e);
    if (rc || s->p.beside) return rc;
    if ((rc = route_path(dir, "store.lock", path, e))) return rc;
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) return err_errno(e, errno, "open", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    return ERR(e, BUSY, "Another process has the store in '%.200s': stop it, or use another folder.", dir);
}

int route_store_open(const struct route_store_params *p, struct route_store **out, struct err *e)
{
    pthread_condattr_t monotonic;
    struct route_store *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->p = *p;
    s->p.dir = NULL;
    if (!s->p.max_capture_bytes) s->p.max_capture_bytes = 1ull << 30;
    if (!s->p.max_deferred) s->p.max_deferred = 10000;
    if (!s->p.max_deferred_bytes) s->p.max_deferred_bytes = 1ull << 30;
    if (!s->p.keep_done_s) s->p.keep_done_s = 7 * 86400;
    s->lock_fd = -1;
    s->last = &s->first;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &monotonic);
    pthread_cond_init(&s->written, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->disk, NULL);
    int rc = take_folder(s, p->dir, e);
    if (rc == 0 && p->beside && access(s->path, F_OK))
        rc = ERR(e, NOT_FOUND, "There is nothing stored in '%.200s'.", p->dir);
    if (rc == 0) rc = route_sql_open(s->path, ROUTE_SQL_WRITE, &s->db, e);
    if (rc == 0) rc = route_sql_exec(s->db, schema, e);
    if (rc == 0 && !p->beside) rc = route_books_load(s, e);
    if (rc == 0 && !p->beside) rc = route_pairs_load(s, e);
    if (rc == 0 && !p->beside) {
        int k = pthread_create(&s->thread, NULL, write_all, s);
        if (k) rc = err_errno(e, k, "start a thread for", "the store");
        s->has_thread = k == 0;
    }
    if (rc)
        route_store_close(s);
    else
        *out = s;
    return rc;
}

void route_store_close(struct route_store *s)
{
    if (!s) return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    route_pairs_free(s->first);
    mem_free(s->book);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0) close(s->lock_fd);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->written);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->disk);
    mem_free(s);
}

/* ---- a person's data ---- */

static int export_rows(struct route_store *s, const char *sql, const char *const *names, const char *subject,
                       route_line_fn *fn, void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    struct buf line;
    buf_init(&line, ROUTE_LINE_MAX);
    int rc = route_sql_prepare(s->db, sql, &st, e);
    if (rc == 0) route_sql_text(st, 1, subject);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        buf_clear(&line);
        for (int i = 0; names[i]; i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            if (!text) continue;
            buf_fmt(&line, "%c\"%s\":", line.len ? ',' : '{', names[i]);
            route_json_string(&line, text);
        }
        buf_str(&line, "}\n");
        rc = buf_check(&line, "line", e);
        if (rc == 0) rc = fn(arg, line.data, line.len, e);
    }
    sqlite3_finalize(st);
    buf_done(&line);
    return rc;
}

int route_subject_export(struct route_store *s, const char *subject, route_line_fn *fn, void *arg, struct err *e)
{
    static const char *const of_capture[] = {"store", "receipt", "task", "time", "input", "output", NULL};
    static const char *const of_deferred[] = {"store", "receipt", "task", "time", "tier", "request", "answer", NULL};
    pthread_mutex_lock(&s->disk);
    int rc = export_rows(s,
                         "SELECT 'capture', receipt, task, strftime('%Y-%m-%dT%H:%M:%SZ', time_s, 'unixepoch'), "
                         "input, output FROM capture WHERE subject = ? ORDER BY id",
                         of_capture, subject, fn, arg, e);
    if (rc == 0)
        rc = export_rows(
            s,
            "SELECT 'deferred', receipt, task, strftime('%Y-%m-%dT%H:%M:%SZ', created_s, 'unixepoch'), "
            "tier, CAST(request AS TEXT), CAST(answer AS TEXT) FROM deferred WHERE subject = ? ORDER BY id",
            of_deferred, subject, fn, arg, e);
    pthread_mutex_unlock(&s->disk);
    return rc;
}

/* Captures that are not written yet. */
static uint64_t erase_queued(struct route_store *s, const char *subject)
{
    uint64_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (struct route_pair **p = &s->first; *p;) {
        struct route_pair *x = *p;
        if (!x->subject || strcmp(x->subject, subject) != 0) {
            p = &x->next;
            continue;
        }
        *p = x->next;
        s->pair_bytes -= x->bytes;
        mem_free(x);
        n++;
    }
    s->last = &s->first;
    while (*s->last) s->last = &(*s->last)->next;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static int erase_rows(struct route_store *s, const char *sql, const char *subject, uint64_t *n, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = route_sql_prepare(s->db, sql, &st, e);
    if (rc) return rc;
    route_sql_text(st, 1, subject);
    rc = route_sql_run(st, e);
    if (rc == 0) *n += (uint64_t)sqlite3_changes(s->db);
    sqlite3_finalize(st);
    return rc;
}

/* The rows' bytes are overwritten in the file (secure_delete); the WAL, which has their history, is emptied. */
int route_subject_erase(struct route_store *s, const char *subject, uint64_t *out_n, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    pthread_mutex_lock(&s->disk);
    uint64_t n = erase_queued(s, subject);
    int rc = erase_rows(s, "DELETE FROM capture WHERE subject = ?", subject, &n, e);
    if (rc == 0) rc = erase_rows(s, "DELETE FROM deferred WHERE subject = ?", subject, &n, e);
    if (rc == 0) rc = route_sql_prepare(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", &st, e);
    if (rc == 0) rc = route_sql_row(st, &row, e);
    if (rc == 0 && row && sqlite3_column_int(st, 0))
        rc = ERR(e, BUSY, "The rows are erased, but another process holds the log of changes. Run it again.");
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->disk);
    if (rc == 0) *out_n = n;
    return rc;
}
