/* The circuit breaker (breaker.h).
 *
 *     CLOSED ──at least 5 failures in 20 s, and half of all──▶ OPEN ──2 s──────▶ HALF_OPEN ─┬─ good ─▶ CLOSED
 *                                                               ▲                            └─ bad ──┐
 *                                                               └───────── twice as long, at most 30 s ┘
 *
 * The window rolls in ten buckets of two seconds; a bucket whose slot is past is emptied when it is next used.
 * Cool-downs are spread by a fifth either way, so that many machines do not come back at once. Results of calls that
 * were sent before it opened still arrive while it is open, and are not counted. A probe that hangs is followed by
 * another after ten seconds. */
#include "breaker.h"

#include <string.h>

static const double BUCKET_S = 2, COOL_MIN_S = 2, COOL_MAX_S = 30, PROBE_S = 10, SPREAD = 0.2;
enum { FAILURES_MIN = 5 };

static void count(struct route_breaker *b, double now, bool bad)
{
    uint64_t slot = (uint64_t)(now / BUCKET_S);
    size_t i = slot % BREAKER_BUCKETS;
    if (b->bucket[i].slot != slot) {
        memset(&b->bucket[i], 0, sizeof b->bucket[i]);
        b->bucket[i].slot = slot;
    }
    b->bucket[i].good += !bad;
    b->bucket[i].bad += bad;
}

static bool too_many(const struct route_breaker *b, double now)
{
    uint64_t slot = (uint64_t)(now / BUCKET_S), good = 0, bad = 0;
    for (size_t i = 0; i < BREAKER_BUCKETS; i++) {
        if (slot - b->bucket[i].slot >= BREAKER_BUCKETS) continue;
        good += b->bucket[i].good;
        bad += b->bucket[i].bad;
    }
    return bad >= FAILURES_MIN && bad >= good;
}

static void open_up(struct route_breaker *b, double now, double chance)
{
    b->cool_s = b->state == ROUTE_CLOSED ? COOL_MIN_S : b->cool_s * 2 > COOL_MAX_S ? COOL_MAX_S : b->cool_s * 2;
    b->open_until = now + b->cool_s * (1 - SPREAD + 2 * SPREAD * chance);
    b->state = ROUTE_OPEN;
    b->probing = false;
}

enum route_breaker_state route_breaker_now(const struct route_breaker *b, double now)
{
    return b->state == ROUTE_OPEN && now >= b->open_until ? ROUTE_HALF_OPEN : b->state;
}

bool route_breaker_admit(struct route_breaker *b, double now, bool *probe)
{
    *probe = false;
    b->state = route_breaker_now(b, now);
    if (b->state == ROUTE_CLOSED) return true;
    if (b->state == ROUTE_OPEN || (b->probing && now < b->probe_until)) return false;
    *probe = b->probing = true;
    b->probe_until = now + PROBE_S;
    return true;
}

void route_breaker_report(struct route_breaker *b, double now, bool probe, enum route_verdict v, double chance)
{
    if (probe && b->state == ROUTE_HALF_OPEN) {
        b->probing = false;
        if (v == ROUTE_BAD) open_up(b, now, chance);
        if (v != ROUTE_GOOD) return;
        b->state = ROUTE_CLOSED;
        memset(b->bucket, 0, sizeof b->bucket);
    }
    if (b->state != ROUTE_CLOSED || v == ROUTE_NEITHER) return;
    count(b, now, v == ROUTE_BAD);
    if (too_many(b, now)) open_up(b, now, chance);
}
