/* An HTTP/1.1 server over libevent: one thread runs the loop, owns all connections and calls back; other threads hand
 * work to it with net_server_post. TLS through OpenSSL. Limits on everything a client controls.
 *
 *     accept ─ head ─ body ─ on_request(exchange) ─┬─ net_exchange_reply ───────────────────────┬─ next request
 *                                                   └─ net_exchange_stream, _add …, _end ────────┘
 *
 * An exchange is one request and its answer. It belongs to the handler from on_request until the handler has answered
 * (reply, or end), or until its on_close was called, whichever comes first; after that it is gone. on_close says that
 * there is nobody to answer any more: the client closed or reset the connection (also while it waits for an answer
 * and between two pieces of a stream), read too slowly, or the server stopped. A client that closes its sending half
 * counts as gone. Everything but net_server_post, _drain and _stop happens on the loop's thread. */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "net_head.h"

struct net_server;
struct net_exchange;

struct net_limits {        /* 0: the default */
    uint64_t header_bytes; /* request line and headers; 32 KiB */
    uint64_t body_bytes;   /* 8 MiB */
    uint64_t bodies_bytes; /* of all requests under way together; 64 times body_bytes. More: 503 */
    uint64_t output_bytes; /* of a stream, not yet taken by the client; 1 MiB. More: cut off */
    double header_s;       /* from a request's first byte (or the connection) to its last header; 10 */
    double body_s;         /* from there to the last byte of the body; 60 */
    double idle_s;         /* between requests of a connection; 120 */
    double write_s;        /* without the client taking a byte of an answer; 30 */
    int64_t connections;   /* at a time; 4096 */
};
struct net_server_params {
    const char *host;               /* name or number; NULL: 127.0.0.1 */
    int port;                       /* 0: any that is free */
    bool loopback_only;             /* an address that other machines can reach is DENIED */
    const char *tls_cert, *tls_key; /* PEM files (a chain; its key); both or neither */
    struct net_limits limits;
    void *user;
    void (*on_request)(void *user, struct net_exchange *x);
    /* The body (JSON) of an answer that the server itself gives: bad requests, timeouts. */
    void (*on_refuse)(void *user, int status, const char *sentence, struct buf *out);
};
/* Listens from here on. IO: the address cannot be used; DENIED; NOT_FOUND, FORMAT: certificate or key. */
int net_server_new(const struct net_server_params *p, struct net_server **out, struct err *e) ERR_CHECK;
/* Another certificate and key, for the connections that come; on the loop's thread. On failure those before stay. One
 * that is out of its dates is used, and logged. */
int net_server_tls(struct net_server *s, const char *cert, const char *key, struct err *e) ERR_CHECK;
/* Could a server use them, and are they within their dates? */
int net_tls_check(const char *cert, const char *key, struct err *e) ERR_CHECK;
int net_server_run(struct net_server *s, struct err *e) ERR_CHECK; /* until it has drained or stopped */
void net_server_free(struct net_server *s);                        /* NULL is fine */
const char *net_server_address(const struct net_server *s);        /* "127.0.0.1:8080" */
int net_server_port(const struct net_server *s);

/* From any thread or a signal handler. Drain: no new connections or requests; ends when all answers have gone out, or
 * after limit_s. Stop: ends now. */
void net_server_drain(struct net_server *s, double limit_s);
void net_server_stop(struct net_server *s);

/* From any thread: fn(post) runs on the loop's thread. The caller embeds the struct, which must not be posted again
 * before fn was called. Posts of one thread run in order. */
struct net_post {
    struct net_post *next;
    void (*fn)(struct net_post *p);
};
void net_server_post(struct net_server *s, struct net_post *p);
/* After net_server_run has returned: waits at most wait_s for posts and runs those that are there. */
void net_server_posts(struct net_server *s, double wait_s);
/* fn(user) on the loop's thread every so many seconds. One per server. */
int net_server_every(struct net_server *s, double seconds, void (*fn)(void *user), void *user,
                     struct err *e) ERR_CHECK;

struct net_counts {
    uint64_t connections, requests, refused, cut; /* since the start; cut: slow readers */
    uint32_t open, busy;                          /* connections now; of these, with a request under way */
};
void net_server_counts(const struct net_server *s, struct net_counts *out);

/* ---- exchanges ---- */

const struct net_head *net_exchange_head(const struct net_exchange *x);
struct str net_exchange_body(const struct net_exchange *x);  /* NUL-terminated; {"", 0} without one */
struct buf net_exchange_take_body(struct net_exchange *x);   /* moves it to the caller (buf_done) */
const char *net_exchange_peer(const struct net_exchange *x); /* "127.0.0.1" */
void net_exchange_set_user(struct net_exchange *x, void *user, void (*on_close)(struct net_exchange *x, void *user));

/* A header of the answer. Values with control characters, and more than 4 KiB of headers, are left out. */
void net_exchange_header(struct net_exchange *x, const char *name, const char *value);
void net_exchange_reply(struct net_exchange *x, int status, const char *type, const void *body, size_t n);
/* A body in pieces. _add returns false when the exchange is gone (on_close was called). */
void net_exchange_stream(struct net_exchange *x, int status, const char *type);
bool net_exchange_add(struct net_exchange *x, const void *bytes, size_t n) ERR_CHECK;
void net_exchange_end(struct net_exchange *x);

#endif
