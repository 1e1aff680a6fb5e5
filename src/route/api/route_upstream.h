/* Asking another tier. A request comes as OpenAI's JSON and its answer comes in OpenAI's shape, whole or in chunks,
 * whatever wire the tier speaks; docs/TIERS.md has the fields and the failures.
 *
 *     route_upstream_send ─ try ─┬─ answer ───────────── on_chunk … ─ on_end
 *                            ↑   └─ failure that another try may cure, nothing handed on yet, time left
 *                            └──────── pause (full jitter, at least Retry-After) ───┘
 *
 * Every call ends exactly once: on_end, or route_call_cancel. All tries share one deadline. The gate (gate.c) sees
 * the data class of the bytes before each try, and is the only code of the program that can open a connection to a
 * tier.
 *
 * Threads: the loop's. Callbacks may send and cancel. */
#ifndef ROUTE_UPSTREAM_H
#define ROUTE_UPSTREAM_H

#include "net_client.h"
#include "route_tier.h"

#include <jansson.h>

struct route_upstream; /* one tier at run time: its key, breaker and counts */
struct route_call;

/* Checks the tier and reads its key. `t` is borrowed. Upstreams go before their client. */
int route_upstream_new(struct net_client *c, const struct route_tier *t, struct route_upstream **out,
                       struct err *e) ERR_CHECK;
/* Its calls end with ROUTE_F_CANCELLED. NULL is fine. */
void route_upstream_free(struct route_upstream *u);
/* The settings were read again, and say the same of this tier (route_tier_same): it borrows `t` from now on, and has
 * its key as it is now. Breaker, counts and calls under way stay. An error is about the key: then the old one stays. */
int route_upstream_renew(struct route_upstream *u, const struct route_tier *t, struct err *e) ERR_CHECK;
const struct route_tier *route_upstream_tier(const struct route_upstream *u);

/* Why a call failed.
 *  X(constant, word, again, blame, error, sentence)
 * again: another try may cure it. blame: it counts against the tier in its circuit breaker. */
#define ROUTE_FAILURE_TABLE(X)                                                                                       \
    X(NONE, "none", 0, 0, OK, "")                                                                                    \
    X(DENIED, "denied", 0, 0, DENIED, "Data of this class may not go to this tier.")                                 \
    X(UNSUPPORTED, "unsupported", 0, 0, UNSUPPORTED, "The request cannot be said in this tier's language.")          \
    X(OPEN, "open", 0, 0, BUSY, "The tier failed lately and is left alone for a while.")                             \
    X(FULL, "full", 0, 0, BUSY, "The tier has as many requests under way as it may.")                                \
    X(RESOLVE, "resolve", 1, 1, NET, "The tier's host was not found.")                                               \
    X(CONNECT, "connect", 1, 1, NET, "No connection to the tier.")                                                   \
    X(TLS, "tls", 0, 1, DENIED, "The tier's certificate or protocol is not to be trusted.")                          \
    X(TIMEOUT, "timeout", 1, 1, DEADLINE, "The tier did not answer in time.")                                        \
    X(STALL, "stall", 1, 1, DEADLINE, "The tier stopped in the middle of its answer.")                               \
    X(RESET, "reset", 1, 1, NET, "The tier broke the connection.")                                                   \
    X(RATE, "rate", 1, 1, BUSY, "The tier asks for fewer requests (429).")                                           \
    X(OVERLOADED, "overloaded", 1, 1, BUSY, "The tier is overloaded (503, 529).")                                    \
    X(SERVER, "server", 1, 1, NET, "The tier failed (5xx).")                                                         \
    X(AUTH, "auth", 0, 1, DENIED, "The tier refused the key (401, 402, 403).")                                       \
    X(REJECTED, "rejected", 0, 0, USAGE, "The tier refused the request (4xx).")                                      \
    X(REDIRECT, "redirect", 0, 1, NET, "The tier answered with a redirect, which is not followed.")                  \
    X(GARBAGE, "garbage", 1, 1, NET, "What the tier sent is no answer.")                                             \
    X(TRUNCATED, "truncated", 1, 1, NET, "The tier's stream ended before its end.")                                  \
    X(TOO_LARGE, "too_large", 0, 1, LIMIT, "The tier's answer is larger than allowed.")                              \
    X(MEMORY, "memory", 0, 0, NOMEM, "Out of memory.")                                                               \
    X(STOPPED, "stopped", 0, 0, CANCELLED, "The receiver wanted no more.")                                           \
    X(CANCELLED, "cancelled", 0, 0, CANCELLED, "The tier was closed.")

enum route_failure {
#define X(name, word, again, blame, error, sentence) ROUTE_F_##name,
    ROUTE_FAILURE_TABLE(X)
#undef X
        ROUTE_N_FAILURES
};
const char *route_failure_word(enum route_failure f);
const char *route_failure_text(enum route_failure f);

struct route_result {
    enum route_failure failure;
    struct err err; /* code and a sentence when there is a failure: what the provider said, never the key */
    int status;     /* of the last answer; 0: none came */
    /* A call that was not streamed: OpenAI's object, `model` as the provider named it; borrowed, NULL on failure and
     * for streams. */
    json_t *answer;
    bool begun; /* a chunk was handed on: too late for another tier */
    struct route_usage usage;
    bool cost_known;
    money cost;    /* of what was used, also when the call failed half-way */
    int tries;           /* requests sent; 0: nothing left this process */
    uint64_t bytes_sent; /* of bodies, all tries */
    double seconds;      /* from route_upstream_send */
    double first_s;      /* to the first chunk, or the whole answer; 0: none */
    char request_id[96]; /* the provider's, or "" */
};

enum route_kind { ROUTE_CHAT, ROUTE_EMBEDDINGS, ROUTE_DECISIONS };
struct route_request {
    enum route_kind kind;
    const json_t *body; /* OpenAI's request; read during the call of route_upstream_send alone. Its `model`, `stream`
                           and `stream_options` are replaced */
    bool stream;        /* chats only */
    bool usage_chunk;   /* stream: hand on the chunk with the usage (the client asked with include_usage) */
    struct str data_class; /* of these bytes; copied */
    double deadline_s;     /* from now; 0: the tier's */
    bool once;             /* no second try (comparisons in the background) */

    void *user;
    /* At each try: the bytes that leave, for the receipt. host: "api.example.com", with ":port" unless 443. Or NULL. */
    void (*on_sent)(void *user, const char *host, const void *body, size_t n);
    /* chat.completion.chunk objects, in order, borrowed: the receiver may change them. False ends the call (STOPPED).
     * The end of the stream is on_end without a failure; "[DONE]" is not handed on. */
    bool (*on_chunk)(void *user, json_t *chunk);
    void (*on_end)(void *user, const struct route_result *r); /* the call is gone when this is called */
};
/* Always starts a call: whatever is wrong is told by on_end, which comes later, never from within. NOMEM alone is an
 * error here, and then no callback comes. */
int route_upstream_send(struct route_upstream *u, const struct route_request *r, struct route_call **out,
                        struct err *e) ERR_CHECK;
/* No callback comes any more. What was used so far is in *out (may be NULL); `answer` is NULL there. */
void route_call_cancel(struct route_call *call, struct route_result *out);
/* A later finding (a detector, a longer look) makes the class stricter: every try from now on is judged by this one
 * too. There is no way to make it laxer. */
void route_call_restrict(struct route_call *call, struct str data_class);

/* ---- the circuit breaker, for metrics and /ready ---- */

enum route_breaker_state { ROUTE_CLOSED, ROUTE_OPEN, ROUTE_HALF_OPEN };
struct route_upstream_state {
    enum route_breaker_state breaker;
    double retry_s;                                /* OPEN: until the next probe */
    uint32_t running;                              /* calls under way */
    uint64_t calls, tries, ends[ROUTE_N_FAILURES]; /* since the start; ends[0]: answered */
    double seconds_p50, seconds_p95; /* of the last calls that were answered (at most 256), 0: none yet */
};
void route_upstream_state(struct route_upstream *u, struct route_upstream_state *out);
const char *route_breaker_name(enum route_breaker_state s); /* "closed", "open", "half_open" */
/* Would a call be let through now? False: OPEN, or as many as it may are under way. */
bool route_upstream_ready(struct route_upstream *u);

#endif
