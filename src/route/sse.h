/* Server-sent events, read as they come (the HTML standard, 9.2): lines end with LF, CR or both; "data" lines are
 * joined by LF; an empty line ends an event; comments, "id" and "retry" are passed over. */
#ifndef ROUTE_SSE_H
#define ROUTE_SSE_H

#include "base_buf.h"

struct route_sse {
    struct buf line, data; /* their ceilings are an event's */
    char event[40];        /* "" for none, or one too long to be known here */
    bool after_cr, has_data, begun;
};
void route_sse_init(struct route_sse *s, size_t max_bytes);
void route_sse_done(struct route_sse *s);
/* Calls on_event for each event that is whole; data is NUL-terminated. 0; the handler's value if that is not 0, which
 * ends it; LIMIT, NOMEM. */
int route_sse_feed(struct route_sse *s, const char *p, size_t n,
                   int (*on_event)(void *user, const char *event, const char *data, size_t n_data),
                   void *user) ERR_CHECK;

#endif
