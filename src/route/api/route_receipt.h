/* Receipts: how each answer came to be, without its content, in an append-only log whose records chain by SHA-256
 * under signed checkpoints. docs/RECEIPTS.md draws the format and says what an attacker with the file can do and what
 * not.
 *
 *     route_receipt_begin(&r)                     when a request arrives
 *     route_receipts_reserve(log, &r, true, e)    before anything leaves: no place in the log, no answer from elsewhere
 *     route_receipt_left(&r, …)                   for each message sent to another tier
 *     route_receipts_add(log, &r, e)              with the answer; r.id is the receipt's id
 *
 * A folder holds one log:
 *
 *     receipts.db    the log (SQLite, WAL)          receipts.key   private key, Ed25519, 0600, made on first use
 *     receipts.tail  how many receipts there should be   receipts.pub   public keys, PEM; keep a copy elsewhere
 *     receipts.lock  held by the one writer         subject.salt   0600; without it subjects are only numbers
 *
 * reserve, release, add and the pure functions never wait for a disk: the server's loop may call them (the lock inside
 * is held for a copy of a struct). Everything else may block. */
#ifndef ROUTE_RECEIPT_H
#define ROUTE_RECEIPT_H

#include "base_buf.h"
#include "route.h"
#include "route_detect.h"

enum {
    ROUTE_RECEIPT_ID = 27, /* 26 characters of a ULID and a NUL: 48 bits of milliseconds, 80 bits that differ */
    ROUTE_MAX_STEPS = 16,
    ROUTE_MAX_LEFT = 8,
};

/* One message that was sent to another tier, whether or not an answer came. */
struct route_left {
    char tier[ROUTE_NAME_MAX], host[128]; /* "api.example.com", with ":port" unless 443 */
    enum route_place place;
    uint32_t times; /* the same bytes to the same host: retries */
    uint64_t bytes;
    unsigned char sha256[32]; /* of the bytes of the body as sent, after redaction */
};

/* Filled in while a request is answered; owns all its text, so that nothing it names must outlive it. Empty text is
 * none. Text that is longer is cut, and what is no UTF-8 becomes '?'. */
struct route_receipt {
    char id[ROUTE_RECEIPT_ID];     /* set by begin */
    char parent[ROUTE_RECEIPT_ID]; /* the receipt this one belongs to: of the answer that a shadow checks, of the work
                                    * that was deferred */
    int64_t time_ms;               /* Unix, UTC; set by begin */
    char request[64], task[ROUTE_NAME_MAX], endpoint[64];
    char tier[ROUTE_NAME_MAX], model[128], model_digest[72]; /* of the final answer */
    enum route_place place;
    bool has_confidence;
    double confidence;         /* calibrated, 0 … 1, kept to six digits */
    enum route_reason reason;  /* of the final answer */
    uint8_t step[ROUTE_MAX_STEPS], n_steps; /* enum route_reason: every step that said something, in order */
    char rule[ROUTE_NAME_MAX]; /* the policy's rule that decided, by its name */
    struct route_left left[ROUTE_MAX_LEFT];
    uint32_t n_left, left_more; /* left_more: messages that found no place in left */
    uint32_t redacted[ROUTE_N_PII]; /* different values replaced: route_conversation_counts */
    char data_class[ROUTE_NAME_MAX];
    char key[ROUTE_NAME_MAX]; /* the name of the API key, never the key */
    char subject[65];         /* route_subject_hash */
    uint64_t prompt_tokens, answer_tokens;
    money cost;
    char currency[4]; /* "USD"; none where nothing was paid */
    double latency_ms;
    int status; /* HTTP */
    bool degraded, deferred, shadow;
    bool reserved; /* by route_receipts_reserve */
};

void route_receipt_begin(struct route_receipt *r); /* all zero but id and time */
void route_receipt_step(struct route_receipt *r, enum route_reason step);
/* `body` was, or is about to be, sent: hashes it. The same bytes to the same host count up `times`. */
void route_receipt_left(struct route_receipt *r, const char *tier, enum route_place place, const char *host,
                        const void *body, size_t n_bytes);
/* The canonical JSON (RFC 8785) that is hashed: receipt number `seq` of a log, of which `lost` are missing so far. */
void route_receipt_json(const struct route_receipt *r, uint64_t seq, uint64_t lost, struct buf *out);
/* "2026-11-21T16:42:12.123Z" */
void route_time_text(int64_t unix_ms, char out[25]);

/* ---- writing ---- */

/* What happens when the queue is full, or the disk has failed and receipts cannot be kept. */
enum route_receipts_policy {
    ROUTE_RECEIPTS_CLOSED_LEAVING, /* nothing leaves without a receipt; local answers go on and are counted as lost */
    ROUTE_RECEIPTS_CLOSED,         /* no answer without a receipt */
    ROUTE_RECEIPTS_OPEN,           /* everything goes on, counted as lost */
};
struct route_receipts_params {
    const char *dir;         /* made 0700 if it is missing */
    const char *key_path;    /* private key; NULL: receipts.key in dir */
    const char *anchor_path; /* checkpoints are also appended to this file, as lines of `croft audit anchor`; or NULL */
    enum route_receipts_policy policy;
    uint32_t queue;          /* receipts between add and disk; 0: 4096 */
    uint32_t group_ms;       /* how long the writer gathers; 0: 20 */
    uint32_t checkpoint_every, checkpoint_s; /* signed after so many receipts or seconds; 0: 1000, 60 */
    uint32_t keep_days;      /* older ones are pruned up to a checkpoint; 0: none is */
};
struct route_receipts; /* one writer a folder; any thread */

/* Checks what stands behind the last checkpoint, counts what a crash lost, starts the writer. BUSY: another process
 * writes this log. DIGEST: the log was changed; run `croft audit verify`, and begin a new log in another folder. */
int route_receipts_open(const struct route_receipts_params *p, struct route_receipts **out, struct err *e) ERR_CHECK;
/* Writes what is queued, signs, stops. IO: some receipts could not be written (counted by the next open). */
int route_receipts_close(struct route_receipts *log, struct err *e);

/* Keep a place for r. `leaves`: something is about to leave this device. BUSY when the log cannot take a receipt and
 * the policy says that then nothing is answered: 503. Calling it again for the same r, with the other value, is fine; a
 * place that r has got stays its own, also after BUSY, until add or release. */
int route_receipts_reserve(struct route_receipts *log, struct route_receipt *r, bool leaves, struct err *e) ERR_CHECK;
void route_receipts_release(struct route_receipts *log, struct route_receipt *r); /* no receipt comes of it */
/* Queue the receipt; always succeeds when r is reserved. Without a place and with a policy that goes on: counted as
 * lost, 0. Otherwise BUSY. */
int route_receipts_add(struct route_receipts *log, struct route_receipt *r, struct err *e) ERR_CHECK;
/* Wait until everything added so far is on disk. IO, DEADLINE. */
int route_receipts_flush(struct route_receipts *log, double limit_s, struct err *e) ERR_CHECK;
/* Remove receipts from before `unix_ms`, up to a checkpoint, and sign where the log now begins. */
int route_receipts_prune(struct route_receipts *log, int64_t unix_ms, uint64_t *out_n, struct err *e) ERR_CHECK;

struct route_receipts_stats {
    uint64_t seq, lost;     /* number of the newest receipt that was added; lost since the log began */
    uint64_t lost_by_crash; /* found at open */
    uint32_t queued, reserved;
    bool failing; /* the last attempt to write failed */
};
void route_receipts_stats(struct route_receipts *log, struct route_receipts_stats *out);

/* A user's pseudonym in this log: HMAC-SHA-256 of the id under the folder's salt, in hex. `route_subject_open` reads
 * the salt (`make`: or makes one; else NOT_FOUND), the rest is pure. */
struct route_subject_salt {
    unsigned char bytes[32];
};
int route_subject_open(const char *dir, bool make, struct route_subject_salt *out, struct err *e) ERR_CHECK;
void route_subject_hash(const struct route_subject_salt *salt, const char *user, char out[65]);

/* ---- reading: any process, also while another writes ---- */

struct route_receipt_filter { /* NULL, 0: any */
    const char *since, *until; /* a date or a time, "2026-11" … "2026-11-21T16:42:12.123Z"; since ≤ time < until */
    const char *id, *task, *tier, *place, *reason, *key, *data_class, *subject, *parent;
    int status;
    bool left;       /* only where something left the device */
    bool newest;     /* newest first */
    uint64_t limit;
};
/* body: the canonical JSON, NUL-terminated. Other than 0 stops and is returned. */
typedef int route_receipt_fn(void *arg, uint64_t seq, const char *body, size_t n, struct err *e);
int route_receipts_each(const char *dir, const struct route_receipt_filter *f, route_receipt_fn *fn, void *arg,
                        struct err *e) ERR_CHECK;

/* A signed statement: this log, from receipt `first` to `seq`, ends with this hash. */
struct route_checkpoint {
    uint64_t n, seq;
    const char *body;    /* canonical JSON, NUL-terminated */
    char signature[129]; /* hex */
};
typedef int route_checkpoint_fn(void *arg, const struct route_checkpoint *c, struct err *e);
/* fn NULL: only look whether there is a log. */
int route_checkpoints_each(const char *dir, route_checkpoint_fn *fn, void *arg, struct err *e) ERR_CHECK;
/* {"signature":"…","checkpoint":…} and a line end: an anchor. */
void route_anchor_line(const char *signature_hex, const char *body, struct buf *out);
/* The whole log as lines of JSON, in order; docs/RECEIPTS.md. `write` gets whole lines. */
int route_receipts_export(const char *dir, int (*write)(void *arg, const char *line, size_t n, struct err *e),
                          void *arg, struct err *e) ERR_CHECK;

/* ---- verifying ---- */

enum route_finding_kind {
    ROUTE_FOUND_ALTERED,    /* a receipt's text or hash is not what was written */
    ROUTE_FOUND_DROPPED,    /* receipts are missing */
    ROUTE_FOUND_MOVED,      /* a receipt stands at another's place: reordered, or some before it came or went */
    ROUTE_FOUND_INSERTED,   /* a receipt more than there may be */
    ROUTE_FOUND_CHECKPOINT, /* a checkpoint is missing, or is not signed by the key */
    ROUTE_FOUND_REWRITTEN,  /* the chain holds, but is not the one that was signed */
    ROUTE_FOUND_TRUNCATED,  /* the end, or the beginning, was cut off */
    ROUTE_FOUND_ANCHOR,     /* the log is not the one that an anchor speaks of */
};
const char *route_finding_word(enum route_finding_kind k);
struct route_finding {
    enum route_finding_kind kind;
    uint64_t from, to; /* receipts; to == from: one */
    char text[240];    /* a sentence */
};
struct route_verdict {
    char log[33];                       /* its id */
    uint64_t first, last, n;            /* receipts there are */
    uint64_t n_checkpoints, signed_to;  /* what stands behind signed_to is chained, and not signed yet */
    uint64_t n_findings;                /* 0: the log is whole */
    uint64_t lost;                      /* receipts that the log itself says were never written */
    uint32_t n_anchors, n_anchors_old;  /* anchors that hold; that speak of what was pruned since */
};
struct route_verify_params {
    const char *dir;
    const char *pub_path; /* PEM, one or several keys; NULL: receipts.pub in dir (then it proves less) */
    const char *anchors;  /* file with lines of `croft audit anchor`, or NULL */
    void *arg;
    void (*finding)(void *arg, const struct route_finding *f); /* neighbours of a kind come as one; or NULL */
};
/* 0 when it could be read, whatever was found. */
int route_receipts_verify(const struct route_verify_params *p, struct route_verdict *out, struct err *e) ERR_CHECK;

#endif
