/* The asynchronous HTTP client: libcurl's multi interface on an event loop, for programs that forward requests
 * without a thread for each. A client belongs to the loop of a server, or has a small loop of its own (tests, the
 * command line). Connections are kept and used again; all calls of a client share them.
 *
 *     net_client_send ─ on_head ─ on_body … ─ on_end          exactly one on_end, unless net_call_cancel came first
 *
 * The rules of net_http.h hold here too: certificates are always verified, plain http goes to this machine only or
 * where the caller says `insecure_http`, a secret header never travels in the clear to another machine, proxies as
 * the environment says but never for this machine. No redirect is ever followed: a 3xx is an answer like any other,
 * so that body and key stay with the origin they were given for.
 *
 * Threads: everything on the loop's. Callbacks may send, and may cancel any call, their own included. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "base_err.h"

struct net_client;
struct net_call;
struct net_server;

struct net_client_params { /* 0: the default */
    int connections;       /* kept open when idle; 64 */
};
/* `server` may be NULL: the client has its own loop then (net_client_run). A client of a server goes before it. */
int net_client_new(struct net_server *server, const struct net_client_params *p, struct net_client **out,
                   struct err *e) ERR_CHECK;
/* Ends what is under way with NET_END_CANCELLED. NULL is fine. */
void net_client_free(struct net_client *c);
/* Own loop only: until nothing is under way (calls, set timers), or limit_s has passed (< 0: no limit). True: all is
 * done. */
bool net_client_run(struct net_client *c, double limit_s);

/* Why a call ended.  X(constant, word) */
#define NET_END_TABLE(X)                                                                                             \
    X(OK, "ok")               /* an answer came, whole, whatever its status */                                       \
    X(RESOLVE, "resolve")     /* the name was not found */                                                           \
    X(CONNECT, "connect")     /* no connection */                                                                    \
    X(TLS, "tls")             /* no trust: certificate, protocol */                                                  \
    X(TIMEOUT, "timeout")     /* connect_s, answer_s or deadline_s passed */                                         \
    X(STALL, "stall")         /* no byte of the body for stall_s */                                                  \
    X(RESET, "reset")         /* the connection broke before the answer was whole */                                 \
    X(TOO_LARGE, "too_large") /* more than max_bytes */                                                              \
    X(STOPPED, "stopped")     /* a callback returned false */                                                        \
    X(REFUSED, "refused")     /* a rule of this client forbids it; nothing was sent */                               \
    X(MEMORY, "memory")                                                                                              \
    X(CANCELLED, "cancelled") /* net_client_free */
enum net_end {
#define X(name, word) NET_END_##name,
    NET_END_TABLE(X)
#undef X
        NET_N_ENDS
};
const char *net_end_word(enum net_end end);

struct net_field { /* a header of a request */
    const char *name, *value;
    bool secret; /* a key: refused over plain http to another machine */
};
struct net_call_head {
    int status;
    char type[96];        /* Content-Type as sent; "" when absent or unprintable */
    char request_id[96];  /* x-request-id or request-id, likewise */
    double retry_after_s; /* -1: absent. A date counts from now */
};
struct net_call_end {
    enum net_end end;
    int status;           /* 0: no answer */
    struct err err;       /* a sentence when end is not OK; code 0 when it is */
    double head_s, all_s; /* from net_client_send to the head (0: none) and to the end */
    bool reused;          /* the connection was there already */
};
struct net_call_params {
    const char *url;
    const struct net_field *fields; /* copied */
    int n_fields;
    const void *body; /* NULL: GET. Otherwise POST; copied */
    size_t n_body;
    const char *ca_file; /* authorities of this origin alone (PEM); NULL: the system's, or as the environment says */
    bool insecure_http;
    double connect_s;   /* 0: 5 */
    double answer_s;    /* until the head of the answer has come; 0: as deadline_s */
    double stall_s;     /* between two pieces of the body; 0: as deadline_s */
    double deadline_s;  /* all of it; 0: 600 */
    uint64_t max_bytes; /* of the body; 0: 16 MiB */

    void *user;
    /* All may be NULL. False ends the call (STOPPED). */
    bool (*on_head)(void *user, const struct net_call_head *h);
    bool (*on_body)(void *user, const void *bytes, size_t n);
    void (*on_end)(void *user, const struct net_call_end *end); /* the call is gone when this is called */
};
/* Starts a call; its callbacks come later, never from within. An error (USAGE: a URL or header that cannot be;
 * DENIED: a rule; NOMEM) means that nothing was sent and no callback comes. */
int net_client_send(struct net_client *c, const struct net_call_params *p, struct net_call **out,
                    struct err *e) ERR_CHECK;
/* No callback of this call comes any more. NULL is fine. */
void net_call_cancel(struct net_call *call);
size_t net_client_calls(const struct net_client *c); /* under way */

/* Timers of the loop. */
struct net_timer;
struct net_timer *net_timer_new(struct net_client *c, void (*fn)(void *user), void *user); /* NULL without memory */
void net_timer_set(struct net_timer *t, double seconds); /* once, from now; again: moved; < 0: off */
void net_timer_free(struct net_timer *t);                /* NULL is fine */

#endif
