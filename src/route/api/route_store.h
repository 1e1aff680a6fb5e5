/* What routing keeps besides receipts: pairs captured for training, work that waits for a tier, money spent. One SQLite
 * file in the receipts' folder, store.db; it holds content, receipts.db never does. Erasing a subject happens here.
 *
 * Which calls may block: those under "capture" and "budgets" marked [loop] never wait for a disk and may be called by
 * the server's loop; all others may. Any thread. Encryption at rest is not here yet: protect the folder (0700). */
#ifndef ROUTE_STORE_H
#define ROUTE_STORE_H

#include "base_buf.h"
#include "route.h"

struct route_store;
struct route_store_params {
    const char *dir;             /* made 0700 if it is missing */
    uint64_t max_capture_bytes;  /* of all pairs; the oldest go first; 0: 1 GiB */
    uint32_t max_deferred;       /* pieces of work that wait or are delivered; 0: 10,000 */
    uint64_t max_deferred_bytes; /* of them and their answers; 0: 1 GiB */
    uint32_t keep_done_s;        /* answers of deferred work are kept so long; 0: 7 days */
    bool beside;                 /* a server may be running: its calls marked [loop] are not for this one */
};
/* BUSY: another process has it, and `beside` is not set. */
int route_store_open(const struct route_store_params *p, struct route_store **out, struct err *e) ERR_CHECK;
void route_store_close(struct route_store *s); /* writes what is queued */
/* Wait until captures and money recorded so far are on disk. IO, DEADLINE. */
int route_store_flush(struct route_store *s, double limit_s, struct err *e) ERR_CHECK;

/* ---- capture: escalated request/answer pairs of a task, already redacted, as training data ---- */

enum route_output { ROUTE_OUTPUT_TEXT, ROUTE_OUTPUT_LABEL, ROUTE_OUTPUT_JSON };
struct route_capture {
    const char *task, *input, *output;
    enum route_output form; /* of output: text, one of the task's labels, a JSON document */
    const char *subject; /* route_subject_hash, or NULL */
    const char *receipt; /* id */
};
/* [loop] Copies, and writes later, once for each receipt. FULL: more waits to be written than 16 MiB. */
int route_capture_add(struct route_store *s, const struct route_capture *c, struct err *e) ERR_CHECK;
/* The pairs of a task, oldest first, as lines {"input":…,"label":…} or {"input":…,"output":…} (text, or the JSON
 * itself) for a task's training data. task NULL: of all. subject NULL: of all. */
typedef int route_line_fn(void *arg, const char *line, size_t n, struct err *e);
int route_capture_export(struct route_store *s, const char *task, const char *subject, route_line_fn *fn, void *arg,
                         struct err *e) ERR_CHECK;

/* ---- deferred: work that waits for a tier that cannot be reached ----
 *
 *     waiting ──lease──▶ leased ──complete──▶ done        lease ends (a crash): waiting again, same idempotency key
 *        ▲                 │ └────give up────▶ failed
 *        └───try later─────┘
 *
 * A receipt's work has one row, and one result ever: the first complete (or give up) of the holder of the lease counts,
 * all others get NOT_FOUND. A delivery whose end a crash hid is made again with the same `idempotency` key, so that a
 * tier that knows such keys does the work once; `attempt` > 1 tells that it is a second time. */

struct route_deferred {
    const char *receipt; /* id; one piece of work each */
    const char *task, *key, *tier, *data_class, *subject, *endpoint; /* any may be NULL */
    const void *request; /* the body, [n_request] bytes */
    size_t n_request;
    int64_t expires_s; /* Unix: given up then; 0: never */
};
/* On disk when it returns. 0 also when this receipt's work is there already. FULL: no place. */
int route_deferred_add(struct route_store *s, const struct route_deferred *d, struct err *e) ERR_CHECK;

struct route_lease {
    char receipt[32], idempotency[40], tier[ROUTE_NAME_MAX], task[ROUTE_NAME_MAX], key[ROUTE_NAME_MAX];
    char data_class[ROUTE_NAME_MAX], subject[65], endpoint[ROUTE_NAME_MAX];
    uint64_t id, token; /* who holds it */
    uint32_t attempt;   /* 1: the first */
    char *request;      /* mem_free; NUL-terminated */
    size_t n_request;
};
/* The oldest work that is due, for lease_s seconds. NOT_FOUND: none is. */
int route_deferred_lease(struct route_store *s, int64_t now_s, int64_t lease_s, struct route_lease *out,
                         struct err *e) ERR_CHECK;
void route_lease_done(struct route_lease *l);
/* NOT_FOUND: the lease ended and another has the work, or its end is recorded already: throw this answer away. */
int route_deferred_complete(struct route_store *s, const struct route_lease *l, int64_t now_s, int status,
                            const void *answer, size_t n, struct err *e) ERR_CHECK;
/* Not delivered: again from retry_s on, or never (retry_s 0: given up, `why` is the end). */
int route_deferred_fail(struct route_store *s, const struct route_lease *l, int64_t now_s, int64_t retry_s,
                        const char *why, struct err *e) ERR_CHECK;

enum route_deferred_state { ROUTE_D_WAITING, ROUTE_D_LEASED, ROUTE_D_DONE, ROUTE_D_FAILED };
struct route_deferred_info {
    enum route_deferred_state state;
    char key[ROUTE_NAME_MAX]; /* who asked: an answer is for nobody else */
    int status;               /* of the answer */
    uint32_t attempts;
    int64_t created_s, due_s;
    struct buf text; /* the answer, or why it failed; buf_done */
};
/* NOT_FOUND: no such work (or its answer is older than keep_done_s). */
int route_deferred_get(struct route_store *s, const char *receipt, struct route_deferred_info *out,
                       struct err *e) ERR_CHECK;
struct route_deferred_counts {
    uint32_t waiting, leased, done, failed;
    int64_t next_s; /* when the next is due, Unix; INT64_MAX: nothing waits */
};
/* Also expires what is past its time and forgets answers past theirs. */
int route_deferred_tidy(struct route_store *s, int64_t now_s, struct route_deferred_counts *out,
                        struct err *e) ERR_CHECK;

/* ---- budgets: money per key, task or all, per day or month (UTC) ----
 *
 * reserve before sending what the call can cost at most, settle with what it did cost: what is spent and reserved
 * together never passes the limit, so it is passed by no more than the estimates of the calls in flight were short.
 * The books are in memory; changes reach the disk within milliseconds. After a crash, what was reserved counts as
 * spent, since nobody knows; of the last commit's milliseconds nothing is known. */

enum route_period { ROUTE_DAY, ROUTE_MONTH };
struct route_budget {
    char scope[2 * ROUTE_NAME_MAX]; /* "key:alice", "task:triage", "all": the caller's */
    enum route_period period;
    char currency[4];
    money limit;
};
enum { ROUTE_MAX_BUDGETS = 8 };
struct route_reservation {
    uint32_t slot[ROUTE_MAX_BUDGETS], n; /* books */
    money amount;                  /* 0: none is held */
};
/* [loop] All n budgets or none. LIMIT: *out_which is the one that would be passed. Ends with settle. */
int route_budget_reserve(struct route_store *s, const struct route_budget *b, uint32_t n, money amount,
                         int64_t now_s, struct route_reservation *out, uint32_t *out_which, struct err *e) ERR_CHECK;
/* [loop] The call's price; 0 when nothing was sent. A reservation is settled once, further calls do nothing. */
void route_budget_settle(struct route_store *s, struct route_reservation *r, money actual);
/* [loop] What is spent, and what calls in flight hold. */
void route_budget_get(struct route_store *s, const struct route_budget *b, int64_t now_s, money *out_spent,
                      money *out_reserved);

/* ---- a person's data ---- */

/* Everything of one subject, as lines of JSON with "store": "capture" or "deferred". */
int route_subject_export(struct route_store *s, const char *subject, route_line_fn *fn, void *arg,
                         struct err *e) ERR_CHECK;
/* Erase it: rows are overwritten with zeros and the WAL is emptied. Receipts stay; they hold no content. */
int route_subject_erase(struct route_store *s, const char *subject, uint64_t *out_n, struct err *e) ERR_CHECK;

#endif
