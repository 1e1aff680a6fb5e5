/* The circuit breaker of a tier: a tier that fails is left alone for a while, then asked once, and trusted again when
 * that one answer came. Pure functions of a time and a number by chance in [0, 1), so that tests need no clock. */
#ifndef ROUTE_BREAKER_H
#define ROUTE_BREAKER_H

#include "route_upstream.h"

enum { BREAKER_BUCKETS = 10 };
struct route_breaker {
    enum route_breaker_state state;
    double open_until, cool_s; /* cool_s: of the newest opening, before chance */
    bool probing;              /* HALF_OPEN: the one call is under way */
    double probe_until;        /* … and counts as lost from then on */
    struct {
        uint64_t slot; /* time / BUCKET_S */
        uint32_t good, bad;
    } bucket[BREAKER_BUCKETS];
};
enum route_verdict { ROUTE_GOOD, ROUTE_BAD, ROUTE_NEITHER };

/* May one be sent now? *probe: it is the one of HALF_OPEN; hand it back to _report. */
bool route_breaker_admit(struct route_breaker *b, double now, bool *probe);
/* Every admitted one is reported once. */
void route_breaker_report(struct route_breaker *b, double now, bool probe, enum route_verdict v, double chance);
/* The state at this time: an OPEN whose time is over counts as HALF_OPEN. */
enum route_breaker_state route_breaker_now(const struct route_breaker *b, double now);

#endif
