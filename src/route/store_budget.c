/* Budgets: books of money in memory, written behind (route_store.h says what a crash can forget).
 *
 * A book is the money of one scope, period and currency. Books stand in an array, found through chains by hash; their
 * places are stable while a reservation is open, since reservations name them. When a period is over, its books'
 * places are used again.
 *
 * At open, what was reserved when the last process died counts as spent: the calls may have been made.
 * Read next: store.c. */
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "store_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_BOOKS = 1 << 16, KEEP_DAYS = 400, LOAD_DAYS = 62 };

static void period_text(enum route_period p, int64_t now_s, char out[ROUTE_PERIOD_TEXT])
{
    time_t t = (time_t)now_s;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    strftime(out, ROUTE_PERIOD_TEXT, p == ROUTE_DAY ? "%Y-%m-%d" : "%Y-%m", &tm);
}

static uint32_t chain_of(const char *scope, const char *period)
{
    return (uint32_t)((str_hash(scope, strlen(scope)) ^ str_hash(period, strlen(period))) % ROUTE_CHAINS);
}

/* Its index, or UINT32_MAX. */
static uint32_t find(const struct route_store *s, const char *scope, const char *period, const char *currency)
{
    for (uint32_t at = s->chain[chain_of(scope, period)]; at; at = s->book[at - 1].next) {
        const struct route_book *b = &s->book[at - 1];
        if (strcmp(b->scope, scope) == 0 && strcmp(b->period, period) == 0 && strcmp(b->currency, currency) == 0)
            return at - 1;
    }
    return UINT32_MAX;
}

/* Books of other days and months with nothing open are let go. */
static void drop_old(struct route_store *s, int64_t now_s)
{
    char day[ROUTE_PERIOD_TEXT], month[ROUTE_PERIOD_TEXT];
    period_text(ROUTE_DAY, now_s, day);
    period_text(ROUTE_MONTH, now_s, month);
    for (uint32_t i = 0; i < ROUTE_CHAINS; i++) {
        for (uint32_t *at = &s->chain[i]; *at;) {
            struct route_book *b = &s->book[*at - 1];
            bool now = strcmp(b->period, day) == 0 || strcmp(b->period, month) == 0;
            if (now || b->dirty || b->open) {
                at = &b->next;
                continue;
            }
            b->free = true;
            *at = b->next;
        }
    }
}

static int new_index(struct route_store *s, int64_t now_s, uint32_t *out, struct err *e)
{
    if (s->n_books == s->cap_books) {
        if (!s->busy) drop_old(s, now_s); /* else a failed commit may give some back */
        for (uint32_t i = 0; i < s->n_books; i++)
            if (s->book[i].free) {
                *out = i;
                return 0;
            }
        if (s->n_books == MAX_BOOKS)
            return ERR(e, LIMIT, "More than %d budgets are in use: give fewer keys budgets of their own.", MAX_BOOKS);
        uint32_t cap = s->cap_books ? 2 * s->cap_books : 64;
        struct route_book *book = mem_realloc(s->book, cap * sizeof *book);
        if (!book) return err_nomem(e, cap * sizeof *book);
        s->book = book;
        s->cap_books = cap;
    }
    *out = s->n_books++;
    return 0;
}

static int get_or_make(struct route_store *s, const char *scope, const char *period, const char *currency,
                       int64_t now_s, uint32_t *out, struct err *e)
{
    uint32_t i = find(s, scope, period, currency);
    if (i == UINT32_MAX) {
        int rc = new_index(s, now_s, &i, e);
        if (rc) return rc;
        uint32_t *head = &s->chain[chain_of(scope, period)];
        struct route_book *b = &s->book[i];
        *b = (struct route_book){.next = *head};
        snprintf(b->scope, sizeof b->scope, "%s", scope);
        snprintf(b->period, sizeof b->period, "%s", period);
        snprintf(b->currency, sizeof b->currency, "%s", currency);
        *head = i + 1;
    }
    *out = i;
    return 0;
}

static void touch(struct route_store *s, struct route_book *b)
{
    if (b->dirty) return;
    b->dirty = true;
    if (s->n_dirty++ == 0) pthread_cond_signal(&s->work);
}

/* ---- the API ---- */

int route_budget_reserve(struct route_store *s, const struct route_budget *b, uint32_t n, money amount,
                         int64_t now_s, struct route_reservation *out, uint32_t *out_which, struct err *e)
{
    struct route_reservation r = {.n = n, .amount = amount};
    int rc = 0;
    if (n > ROUTE_MAX_BUDGETS || amount < 0 || s->p.beside)
        return ERR(e, USAGE, "At most %d budgets hold for one call, in the process that has the store.",
                   ROUTE_MAX_BUDGETS);
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        char period[ROUTE_PERIOD_TEXT], limit[32];
        period_text(b[i].period, now_s, period);
        rc = get_or_make(s, b[i].scope, period, b[i].currency, now_s, &r.slot[i], e);
        if (rc) break;
        const struct route_book *k = &s->book[r.slot[i]];
        if (money_add(money_add(k->spent, k->reserved), amount) > b[i].limit) {
            money_text(b[i].limit, limit);
            *out_which = i;
            rc = ERR(e, LIMIT, "The budget of %s %s for '%.100s' in %s is spent.", limit, b[i].currency, b[i].scope,
                     period);
        }
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct route_book *k = &s->book[r.slot[i]];
        k->reserved = money_add(k->reserved, amount);
        k->open++;
        touch(s, k);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == 0) *out = r;
    return rc;
}

void route_budget_settle(struct route_store *s, struct route_reservation *r, money actual)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < r->n; i++) {
        struct route_book *k = &s->book[r->slot[i]];
        k->reserved -= r->amount < k->reserved ? r->amount : k->reserved;
        k->open--;
        k->spent = money_add(k->spent, actual > 0 ? actual : 0);
        touch(s, k);
    }
    pthread_mutex_unlock(&s->lock);
    *r = (struct route_reservation){.n = 0};
}

void route_budget_get(struct route_store *s, const struct route_budget *b, int64_t now_s, money *out_spent,
                      money *out_reserved)
{
    char period[ROUTE_PERIOD_TEXT];
    period_text(b->period, now_s, period);
    pthread_mutex_lock(&s->lock);
    uint32_t i = find(s, b->scope, period, b->currency);
    *out_spent = i == UINT32_MAX ? 0 : s->book[i].spent;
    *out_reserved = i == UINT32_MAX ? 0 : s->book[i].reserved;
    pthread_mutex_unlock(&s->lock);
}

/* ---- disk ---- */

int route_books_load(struct route_store *s, struct err *e)
{
    char since[ROUTE_PERIOD_TEXT], old[ROUTE_PERIOD_TEXT], sql[256];
    int64_t now_s = clock_unix_s();
    sqlite3_stmt *st = NULL;
    bool row = false;
    period_text(ROUTE_MONTH, now_s - LOAD_DAYS * 86400, since);
    period_text(ROUTE_MONTH, now_s - KEEP_DAYS * 86400, old);
    snprintf(sql, sizeof sql,
             "UPDATE budget SET spent = spent + reserved, reserved = 0 WHERE reserved > 0;"
             "DELETE FROM budget WHERE period < '%s'",
             old);
    int rc = route_sql_exec(s->db, sql, e);
    if (rc == 0)
        rc = route_sql_prepare(s->db, "SELECT scope, period, currency, spent FROM budget WHERE period >= ?", &st, e);
    if (rc == 0) route_sql_text(st, 1, since);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        char scope[2 * ROUTE_NAME_MAX], period[ROUTE_PERIOD_TEXT], currency[4];
        uint32_t i;
        route_sql_get(st, 0, scope, sizeof scope);
        route_sql_get(st, 1, period, sizeof period);
        route_sql_get(st, 2, currency, sizeof currency);
        rc = get_or_make(s, scope, period, currency, now_s, &i, e);
        if (rc == 0) s->book[i].spent = sqlite3_column_int64(st, 3);
    }
    sqlite3_finalize(st);
    return rc;
}

int route_books_take(struct route_store *s, struct route_books_batch *out, struct err *e)
{
    *out = (struct route_books_batch){0};
    if (!s->n_dirty) return 0;
    out->book = mem_alloc(s->n_dirty * sizeof *out->book);
    if (!out->book) return err_nomem(e, s->n_dirty * sizeof *out->book);
    for (uint32_t i = 0; i < s->n_books && s->n_dirty; i++) {
        if (!s->book[i].dirty) continue;
        s->book[i].dirty = false;
        s->n_dirty--;
        out->book[out->n++] = s->book[i];
    }
    return 0;
}

void route_books_give_back(struct route_store *s, const struct route_books_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t at = find(s, b->book[i].scope, b->book[i].period, b->book[i].currency);
        if (at != UINT32_MAX) touch(s, &s->book[at]);
    }
}

int route_books_write(struct route_store *s, const struct route_books_batch *b, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (!b->n) return 0;
    int rc = route_sql_prepare(s->db,
                               "INSERT INTO budget(scope, period, currency, spent, reserved) VALUES(?, ?, ?, ?, ?) "
                               "ON CONFLICT DO UPDATE SET spent = excluded.spent, reserved = excluded.reserved",
                               &st, e);
    for (uint32_t i = 0; i < b->n && rc == 0; i++) {
        route_sql_text(st, 1, b->book[i].scope);
        route_sql_text(st, 2, b->book[i].period);
        route_sql_text(st, 3, b->book[i].currency);
        sqlite3_bind_int64(st, 4, b->book[i].spent);
        sqlite3_bind_int64(st, 5, b->book[i].reserved);
        rc = route_sql_run(st, e);
    }
    sqlite3_finalize(st);
    return rc;
}
