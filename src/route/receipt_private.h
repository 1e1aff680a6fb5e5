/* What the files of the receipts' log share: names of files, the chain's hash, the database, the key.
 * docs/RECEIPTS.md draws the format. */
#ifndef ROUTE_RECEIPT_PRIVATE_H
#define ROUTE_RECEIPT_PRIVATE_H

#include "route_receipt.h"
#include "sql.h"

#include <openssl/evp.h>

enum {
    ROUTE_HASH = 32,
    ROUTE_SIGNATURE = 64,
    ROUTE_BODY_MAX = 32 << 10, /* of a receipt: all its text at its longest, escaped, is less */
    ROUTE_PATH = 4096,
};

void route_hex(const unsigned char *p, size_t n, char *out); /* 2 n digits and a NUL */
bool route_unhex(const char *hex, size_t n_digits, unsigned char *out);
void route_json_string(struct buf *out, const char *s); /* quoted, escaped as RFC 8785 says */
/* dir/name; USAGE when it is too long. */
int route_path(const char *dir, const char *name, char out[ROUTE_PATH], struct err *e) ERR_CHECK;

/* ---- the chain ---- */

struct route_chain {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
    unsigned char hash[ROUTE_HASH]; /* of the last receipt */
};
int route_chain_init(struct route_chain *c, struct err *e) ERR_CHECK;
void route_chain_done(struct route_chain *c);
void route_chain_begin(struct route_chain *c, const char *log_id); /* hash 0: SHA-256("croft-receipts-1 " log) */
/* hash ← SHA-256(hash ‖ body) */
void route_chain_next(struct route_chain *c, const char *body, size_t n);

/* ---- the key: Ed25519, as PEM ---- */

struct route_key {
    EVP_PKEY *pkey;
    char name[65]; /* SHA-256 of the raw public key, hex */
};
/* Read the private key, or make one (0600) and append its public key to pub_path. */
int route_key_open(const char *key_path, const char *pub_path, struct route_key *out, struct err *e) ERR_CHECK;
void route_key_done(struct route_key *k);
/* Over "croft-checkpoint-1 " and the body. */
int route_key_sign(const struct route_key *k, const char *body, size_t n, unsigned char out[ROUTE_SIGNATURE],
                   struct err *e) ERR_CHECK;
enum { ROUTE_MAX_KEYS = 64 };
struct route_keys { /* public keys */
    struct route_key key[ROUTE_MAX_KEYS];
    int n;
};
int route_keys_open(const char *pub_path, struct route_keys *out, struct err *e) ERR_CHECK; /* NOT_FOUND: no file */
void route_keys_done(struct route_keys *k);
bool route_keys_verify(const struct route_keys *k, const char *body, size_t n,
                       const unsigned char sig[ROUTE_SIGNATURE]);

/* ---- the database ---- */

#define ROUTE_RECEIPTS_DB "receipts.db"
struct route_log_row { /* what the file says of itself */
    char id[33];
    uint64_t first; /* the oldest receipt that was not pruned */
};
int route_log_open(const char *dir, enum route_sql_mode mode, sqlite3 **out, struct route_log_row *row,
                   struct err *e) ERR_CHECK;
int route_log_row_read(sqlite3 *db, const char *path, struct route_log_row *row, struct err *e) ERR_CHECK;
/* A checkpoint's statement, parsed. */
struct route_statement {
    char log[33];
    uint64_t n, first, seq;
    unsigned char base[ROUTE_HASH], hash[ROUTE_HASH]; /* of receipt first - 1, of receipt seq */
};
void route_statement_json(const struct route_statement *s, const char *key_name, const char *why, int64_t time_ms,
                          struct buf *out);
bool route_statement_parse(const char *body, size_t n, struct route_statement *out);
/* A whole number at the top of a receipt's text ("seq", "lost"); 0: none. */
uint64_t route_body_number(const char *body, size_t n, const char *member);

/* ---- writing (receipt_write.c): what the writer's thread has ----
 *
 * One transaction writes a batch, and a checkpoint where one is due. A transaction that fails leaves everything here
 * as it was, so that it can be tried again. */

struct route_writer {
    sqlite3 *db;
    sqlite3_stmt *insert, *sign;
    struct route_chain chain; /* at the newest receipt on disk */
    struct route_key key;
    struct route_statement at; /* n, seq of the last checkpoint; first and base of the log */
    uint64_t seq;              /* newest on disk */
    uint64_t lost;             /* as the newest says */
    int64_t signed_ms;         /* when, by the monotonic clock */
    struct buf body;           /* scratch */
    const char *anchor_path;   /* or NULL */
};
/* Opens the log and checks it from the last checkpoint on. DIGEST: it does not hold. */
int route_writer_open(struct route_writer *w, const struct route_receipts_params *p, struct err *e) ERR_CHECK;
void route_writer_close(struct route_writer *w);
struct route_queued {
    struct route_receipt r;
    uint64_t lost; /* up to here */
};
/* Receipts w->seq + 1 … + n, from ring[head % cap] on. `why` NULL: no checkpoint. */
int route_writer_write(struct route_writer *w, const struct route_queued *ring, uint32_t cap, uint32_t head,
                       uint32_t n, const char *why, struct err *e) ERR_CHECK;
/* At most max_rows receipts from before unix_ms; *out_n 0: there is nothing more to prune. */
int route_writer_prune(struct route_writer *w, int64_t unix_ms, uint64_t max_rows, uint64_t *out_n,
                       struct err *e) ERR_CHECK;

#endif
