/* HTTP/1.1 messages as a server reads them (RFC 9112): the head of a request, and bodies in chunks. Pure functions
 * over bytes, strict where leniency lets two programs on a path disagree about where a request ends: one
 * Content-Length, no Content-Length beside Transfer-Encoding, no folded lines, no bare CR or LF, no space before a
 * colon, no header twice of which only one could be meant. */
#ifndef NET_HEAD_H
#define NET_HEAD_H

#include "base_buf.h"
#include "base_str.h"

enum { NET_HEADERS_MAX = 64 };

struct net_header {
    struct str name, value; /* value without the spaces around it */
};
/* Borrows from the bytes it was parsed from. */
struct net_head {
    struct str method;
    struct str path, query; /* as sent, not decoded; query without '?' */
    int minor;              /* HTTP/1.minor */
    struct net_header header[NET_HEADERS_MAX];
    int n_headers;
    int64_t length; /* Content-Length; 0 without one */
    bool chunked, keep_alive, expects_continue;
};
/* Parse the n bytes of a head, the empty line at its end included. 0, or the HTTP status that refuses it (400, 431,
 * 501, 505) with a sentence in *why (a literal). */
int net_head_parse(const char *p, size_t n, struct net_head *out, const char **why) ERR_CHECK;
/* The value of a header, names compared without case; {NULL, 0} if it is absent. The first one if there are several.
 */
struct str net_head_get(const struct net_head *h, const char *name);

/* The chunked coding, fed with bytes as they come. */
struct net_chunks {
    int state;
    uint64_t left;     /* bytes of the chunk still to come */
    uint32_t n_digits; /* of the current chunk's size */
    uint32_t n_extra;  /* bytes of all extensions and trailers */
};
enum { NET_CHUNKS_MORE, NET_CHUNKS_DONE, NET_CHUNKS_BAD, NET_CHUNKS_FULL };
/* Takes up to n bytes, appends the body's to out; *taken says how many were used. DONE after the last trailer; BAD:
 * not the coding; FULL: out refused. */
int net_chunks_take(struct net_chunks *c, const char *p, size_t n, struct buf *out, size_t *taken);

#endif
