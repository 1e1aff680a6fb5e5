/* The HTTP client: the one place that opens connections to other machines.
 *
 * Rules that hold for every request, whoever asks:
 *   - certificates are always verified (CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR choose the authorities);
 *   - plain http only to this machine, or where the caller says `insecure_http`; never after https;
 *   - a bearer token goes to the origin (scheme, host, port) it was given for and to no other, and never over
 *     plain http to another machine;
 *   - at most 10 redirects; proxies as the environment says, but never for this machine;
 *   - network errors, 429 and 5xx are tried again with growing, jittered pauses, Retry-After honoured, as long
 *     as no byte of a body was handed out. A body that breaks is the caller's to resume (`broken`). */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "net_url.h"

enum net_follow {
    NET_FOLLOW,             /* redirects are followed */
    NET_FOLLOW_SAME_ORIGIN, /* a redirect to another origin is the answer (status 3xx) */
};

/* The headers of the answer that ended the redirects. */
struct net_response {
    int status;
    int64_t length;      /* Content-Length, or -1 */
    int64_t range_start; /* Content-Range, or -1 */
    int64_t range_total; /* its total, or -1 when absent or "*" */
    char etag[160];      /* as sent, quotes included; "" when absent or unprintable */
    char last_modified[48];
    bool broken;         /* the connection ended before the body was whole */
};

struct net_request {
    const char *url;
    bool head;               /* HEAD instead of GET */
    enum net_follow follow;
    const char *bearer;      /* token for the URL's origin, or NULL */
    const char *accept;      /* or NULL */
    uint64_t range_from;     /* > 0: ask for the bytes from here on */
    const char *if_range;    /* validator for that range, or NULL */
    uint64_t max_bytes;      /* ceiling for the body; more is LIMIT */
    bool insecure_http;
    int tries;               /* 0: five */
    int stall_s;             /* no data for so long breaks the connection; 0: 30 */

    void *arg;
    /* All may be NULL; a non-zero return ends the request with that error. */
    /* Every header of every hop; a hop starts with name "" and value = its status ("302"). */
    void (*on_header)(void *arg, const char *name, const char *value);
    /* Once, before the first byte of a 2xx body (for HEAD and empty bodies too). */
    int (*on_head)(void *arg, const struct net_response *r, struct err *e);
    int (*on_body)(void *arg, const void *bytes, size_t n, struct err *e);
    /* A few times a second while connecting, receiving and pausing. `pause` says why nothing moves, or is
     * NULL. */
    int (*on_tick)(void *arg, const char *pause, struct err *e);
};

/* 0 when an HTTP answer came, whatever its status (bodies of other than 2xx are dropped). NET when none came;
 * out->broken then tells whether on_body had begun. *out is filled in both cases. */
int net_fetch(const struct net_request *q, struct net_response *out, struct err *e) ERR_CHECK;
/* GET a small body into `body` (its ceiling holds). */
int net_get(const struct net_request *q, struct buf *body, struct net_response *out, struct err *e) ERR_CHECK;
/* A sentence for a status that is no success. */
int net_status_error(const char *url, int status, struct err *e);
/* Pause before try number `n` (1, 2, …): 0.5 s doubling up to 20 s, ± half of it by chance; at least
 * retry_after_s. */
int net_pause(const struct net_request *q, int n, int retry_after_s, const char *why,
              struct err *e) ERR_CHECK;

#endif
