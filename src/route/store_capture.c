/* Captures: request/answer pairs that become training data. Adding copies a pair into one allocation on a queue; the
 * writer's thread stores them, once for each receipt, and removes the oldest when all together are too large.
 * Any thread (route_store.h). Read next: store.c. */
#include "base_clock.h"
#include "base_mem.h"
#include "receipt_private.h"
#include "store_private.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WAITING = 16 << 20 };

/* Copies z to *at and moves it on; NULL stays NULL. */
static const char *put(char **at, const char *z)
{
    if (!z) return NULL;
    char *here = *at;
    size_t n = strlen(z) + 1;
    memcpy(here, z, n);
    *at += n;
    return here;
}

static size_t room(const char *z) { return z ? strlen(z) + 1 : 0; }

int route_capture_add(struct route_store *s, const struct route_capture *c, struct err *e)
{
    if (s->p.beside) return ERR(e, USAGE, "Captures are added by the process that has the store.");
    size_t bytes = sizeof(struct route_pair) + room(c->task) + room(c->input) + room(c->output) + room(c->subject) +
                   room(c->receipt);
    struct route_pair *p = mem_alloc(bytes);
    if (!p) return err_nomem(e, bytes);
    char *at = p->text;
    *p = (struct route_pair){.bytes = bytes, .form = c->form};
    p->task = put(&at, c->task);
    p->input = put(&at, c->input);
    p->output = put(&at, c->output);
    p->subject = put(&at, c->subject && *c->subject ? c->subject : NULL);
    p->receipt = put(&at, c->receipt && *c->receipt ? c->receipt : NULL);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    if (s->pair_bytes + bytes > MAX_WAITING) {
        rc = ERR(e, FULL, "A pair of task '%.64s' is not captured: too many wait for the disk.", c->task);
    } else {
        *s->last = p;
        s->last = &p->next;
        s->pair_bytes += bytes;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc) mem_free(p);
    return rc;
}

void route_pairs_free(struct route_pair *list)
{
    while (list) {
        struct route_pair *next = list->next;
        mem_free(list);
        list = next;
    }
}

int route_pairs_load(struct route_store *s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = route_sql_prepare(s->db, "SELECT ifnull(sum(bytes), 0) FROM capture", &st, e);
    if (rc == 0) rc = route_sql_row(st, &row, e);
    if (rc == 0) s->capture_bytes = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc;
}

/* The oldest go, one by one, until the rest fits. */
static int make_room(struct route_store *s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    int rc = route_sql_prepare(s->db, "DELETE FROM capture WHERE id = (SELECT min(id) FROM capture) RETURNING bytes",
                               &st, e);
    while (rc == 0 && row && s->capture_bytes > s->p.max_capture_bytes) {
        rc = route_sql_row(st, &row, e);
        uint64_t bytes = rc == 0 && row ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
        s->capture_bytes -= bytes < s->capture_bytes ? bytes : s->capture_bytes;
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    return rc;
}

int route_pairs_write(struct route_store *s, const struct route_pair *list, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (!list) return 0;
    int64_t now_s = clock_unix_s();
    int rc =
        route_sql_prepare(s->db,
                          "INSERT OR IGNORE INTO capture(task, input, output, form, subject, receipt, time_s, bytes) "
                          "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                          &st, e);
    for (const struct route_pair *p = list; p && rc == 0; p = p->next) {
        route_sql_text(st, 1, p->task);
        route_sql_text(st, 2, p->input);
        route_sql_text(st, 3, p->output);
        sqlite3_bind_int(st, 4, (int)p->form);
        route_sql_text(st, 5, p->subject);
        route_sql_text(st, 6, p->receipt);
        sqlite3_bind_int64(st, 7, now_s);
        sqlite3_bind_int64(st, 8, (sqlite3_int64)p->bytes);
        rc = route_sql_run(st, e);
        if (rc == 0 && sqlite3_changes(s->db)) s->capture_bytes += p->bytes;
    }
    sqlite3_finalize(st);
    return rc ? rc : make_room(s, e);
}

static void export_pair(const char *input, const char *output, enum route_output form, struct buf *line)
{
    json_t *v = form == ROUTE_OUTPUT_JSON ? json_loads(output, JSON_DECODE_ANY, NULL) : NULL;
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    buf_str(line, "{\"input\":");
    route_json_string(line, input);
    buf_str(line, form == ROUTE_OUTPUT_LABEL ? ",\"label\":" : ",\"output\":");
    if (text)
        buf_str(line, text);
    else
        route_json_string(line, output);
    buf_str(line, "}\n");
    mem_free(text);
    json_decref(v);
}

int route_capture_export(struct route_store *s, const char *task, const char *subject, route_line_fn *fn, void *arg,
                         struct err *e)
{
    sqlite3_stmt *st = NULL;
    struct buf line;
    bool row = false;
    buf_init(&line, ROUTE_LINE_MAX);
    pthread_mutex_lock(&s->disk);
    int rc = route_sql_prepare(s->db,
                               "SELECT input, output, form FROM capture WHERE (?1 IS NULL OR task = ?1) AND "
                               "(?2 IS NULL OR subject = ?2) ORDER BY id",
                               &st, e);
    if (rc == 0) {
        route_sql_text(st, 1, task);
        route_sql_text(st, 2, subject);
    }
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        buf_clear(&line);
        export_pair((const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1),
                    (enum route_output)sqlite3_column_int(st, 2), &line);
        rc = buf_check(&line, "line", e);
        if (rc == 0) rc = fn(arg, line.data, line.len, e);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->disk);
    buf_done(&line);
    return rc;
}
