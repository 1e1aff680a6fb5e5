/* URLs as far as a client's safety depends on them: where a request really goes. Parsing is libcurl's, so
 * that what is checked is what is opened. */
#ifndef NET_URL_H
#define NET_URL_H

#include "base_buf.h"

struct net_url {
    char scheme[8];  /* "http" or "https" */
    char host[256];  /* lower case; IPv6 in brackets */
    int port;        /* explicit or the scheme's */
    bool loopback;   /* localhost, 127.0.0.0/8, ::1 */
};

/* USAGE for anything but http(s), for user names in the URL and for URLs that do not parse. */
int net_url_parse(const char *url, struct net_url *out, struct err *e) ERR_CHECK;
bool net_url_same_origin(const struct net_url *a, const struct net_url *b);
/* Append `s` percent-encoded; '/' stays when keep_slash. */
int net_url_encode(struct buf *out, const char *s, bool keep_slash);
/* The URL without query and fragment, as it may be shown and recorded (signatures live in queries). */
int net_url_plain(struct buf *out, const char *url);

#endif
