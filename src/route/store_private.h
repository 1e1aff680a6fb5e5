/* What the files of the content store share. */
#ifndef ROUTE_STORE_PRIVATE_H
#define ROUTE_STORE_PRIVATE_H

#include "route_store.h"
#include "sql.h"

#include <pthread.h>

enum { ROUTE_LINE_MAX = 64 << 20, ROUTE_PERIOD_TEXT = 11, ROUTE_CHAINS = 1024 };

/* The money of one scope, period and currency. */
struct route_book {
    char scope[2 * ROUTE_NAME_MAX], period[ROUTE_PERIOD_TEXT], currency[4]; /* period: "2026-11-21", "2026-11" */
    money spent, reserved;
    uint32_t open; /* reservations that are not settled */
    uint32_t next; /* in its chain, + 1; 0: the last */
    bool dirty, free;
};
struct route_pair { /* a capture that waits to be written */
    struct route_pair *next;
    size_t bytes;
    enum route_output form;
    const char *task, *input, *output, *subject, *receipt; /* in this allocation; the last two may be NULL */
    char text[];
};

struct route_store {
    struct route_store_params p;
    char path[4096];
    int lock_fd;          /* -1: beside */
    pthread_mutex_t disk; /* the connection; taken before lock */
    sqlite3 *db;
    uint64_t capture_bytes; /* under disk */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t work, written;
    pthread_t thread;
    bool has_thread, stopping, busy, failing;
    struct err failure;
    struct route_pair *first, **last;
    size_t pair_bytes;
    struct route_book *book; /* [n_books], found through chain */
    uint32_t n_books, cap_books, n_dirty, chain[ROUTE_CHAINS];
};

/* store_budget.c: read the books; write the dirty ones (in the writer's transaction). */
int route_books_load(struct route_store *s, struct err *e) ERR_CHECK;
struct route_books_batch {
    struct route_book *book; /* [n], copies */
    uint32_t n;
};
int route_books_take(struct route_store *s, struct route_books_batch *out, struct err *e) ERR_CHECK; /* lock held */
int route_books_write(struct route_store *s, const struct route_books_batch *b, struct err *e) ERR_CHECK;
void route_books_give_back(struct route_store *s, const struct route_books_batch *b); /* lock held: dirty again */

/* store_capture.c */
int route_pairs_load(struct route_store *s, struct err *e) ERR_CHECK;
int route_pairs_write(struct route_store *s, const struct route_pair *list, struct err *e) ERR_CHECK;
void route_pairs_free(struct route_pair *list);

#endif
