/* Asking another tier (route_upstream.h): a call, its tries, its one end.
 *
 *     send ─▶ begin ──▶ try ──▶ on_head ─▶ on_body … ─▶ on_answered ──┬──▶ end
 *               │        ▲ gate, breaker                              │
 *               │        └───────── timer (pause) ◀── again ──────────┤
 *               └── cannot be said, no room: timer (0 s) ─────────────┘
 *
 * A call owns its parcel (the request's bytes with their class), which every try sends as it is, and a reader, which
 * is new for each try. Every failure becomes one of ROUTE_FAILURE_TABLE in `fail`; the first kept wins. Chunks are
 * handed on from within libcurl's callbacks, where a receiver may cancel: `hold` keeps the call until the stack is
 * unwound.
 *
 * Threads: the loop's. Invariants: a call is in its upstream's list until it has ended; at most one of `net` and the
 * set timer waits. Read next: gate.c, breaker.c, wire.h. */
#include "base_clock.h"
#include "base_mem.h"
#include "breaker.h"
#include "gate.h"
#include "net_url.h"
#include "sse.h"
#include "wire.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdarg.h>

enum { LATENCIES = 256, ERROR_BYTES = 64 << 10, REQUEST_BYTES = 64 << 20, BYTES_PER_TOKEN = 3 };
static const double PAUSE_S = 0.25, PAUSE_MAX_S = 8, DEADLINE_S = 120, STALL_S = 30;

struct route_upstream {
    struct net_client *client;
    const struct route_tier *tier;
    const struct route_wire_ops *wire;
    struct route_breaker breaker;
    struct route_call *calls;
    uint32_t running;
    uint64_t n_calls, n_tries, ends[ROUTE_N_FAILURES], n_latencies;
    float latency[LATENCIES]; /* a ring */
    char key[ROUTE_KEY_MAX];
};
struct route_call {
    struct route_upstream *up;
    struct route_call *next, **link;
    struct net_call *net; /* the try under way */
    struct net_timer *timer;
    struct route_parcel parcel;
    struct task_reader reader;
    struct route_sse sse;
    struct buf answer; /* a whole answer, or an error's body */
    struct route_result r;
    struct net_call_head head;
    const char *path;
    enum route_kind kind;
    double begun_s, deadline_at;
    bool stream, usage_chunk, once, probe, gone;
    int hold;
    void *user;
    void (*on_sent)(void *user, const char *host, const void *body, size_t n);
    bool (*on_chunk)(void *user, json_t *chunk);
    void (*on_end)(void *user, const struct route_result *r);
};

/* ---- tables ---- */

static const struct {
    const char *word, *text;
    bool again, blame;
    int code;
} failures[] = {
#define X(name, word, again, blame, error, sentence) {word, sentence, again, blame, CROFT_E_##error},
    ROUTE_FAILURE_TABLE(X)
#undef X
};
const char *route_failure_word(enum route_failure f) { return failures[f].word; }
const char *route_failure_text(enum route_failure f) { return failures[f].text; }

const char *route_breaker_name(enum route_breaker_state s)
{
    return s == ROUTE_CLOSED ? "closed" : s == ROUTE_OPEN ? "open" : "half_open";
}

enum route_failure route_failure_of_status(int status)
{
    switch (status) {
    case 401:
    case 402:
    case 403:
        return ROUTE_F_AUTH;
    case 408:
        return ROUTE_F_TIMEOUT;
    case 429:
        return ROUTE_F_RATE;
    case 503:
    case 529:
        return ROUTE_F_OVERLOADED;
    case 504:
        return ROUTE_F_TIMEOUT;
    default:
        break;
    }
    if (status >= 300 && status < 400) return ROUTE_F_REDIRECT;
    return status >= 500 ? ROUTE_F_SERVER : status >= 400 ? ROUTE_F_REJECTED : ROUTE_F_GARBAGE;
}

static enum route_failure failure_of_end(enum net_end end)
{
    switch (end) {
    case NET_END_RESOLVE:
        return ROUTE_F_RESOLVE;
    case NET_END_CONNECT:
        return ROUTE_F_CONNECT;
    case NET_END_TLS:
        return ROUTE_F_TLS;
    case NET_END_TIMEOUT:
        return ROUTE_F_TIMEOUT;
    case NET_END_STALL:
        return ROUTE_F_STALL;
    case NET_END_TOO_LARGE:
        return ROUTE_F_TOO_LARGE;
    case NET_END_STOPPED:
        return ROUTE_F_STOPPED;
    case NET_END_MEMORY:
        return ROUTE_F_MEMORY;
    case NET_END_CANCELLED:
        return ROUTE_F_CANCELLED;
    default:
        return ROUTE_F_RESET;
    }
}

/* A number by chance in [0, 1). */
static double chance(void)
{
    uint32_t r;
    if (RAND_bytes((unsigned char *)&r, sizeof r) != 1) r = (uint32_t)(clock_now_ns() * 2654435761u);
    return r / 4294967296.0;
}

/* ---- what wires share ---- */

static int append(const char *p, size_t n, void *arg) { return buf_add(arg, p, n); }
int route_json_dump(const json_t *v, struct buf *out)
{
    int rc = json_dump_callback(v, append, out, JSON_ENCODE_ANY | JSON_COMPACT);
    return rc ? rc : out->failed; /* jansson does not look at what became of an object's keys */
}

json_t *route_json_copy(const json_t *object)
{
    json_t *o = json_copy((json_t *)object);
    if (json_object_size(o) == json_object_size(object)) return o;
    json_decref(o);
    return NULL;
}

uint64_t route_json_count(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 && n < (json_int_t)1 << 40 ? (uint64_t)n : 0;
}

int route_reader_fail(struct task_reader *r, enum route_failure f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->failure = f;
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return -1;
}

/* ---- the end ---- */

/* The provider's words after our sentence, but never the key. */
static void fail(struct route_call *c, enum route_failure f, const char *why)
{
    const char *key = c->up->key;
    if (c->r.failure) return;
    c->r.failure = f;
    if (why && key[0] && strstr(why, key)) why = NULL;
    size_t n = why ? strnlen(why, 200) : 0;
    if (n) n = utf8_complete(why, n);
    err_set(&c->r.err, failures[f].code, c->up->tier->name, -1, n ? "%s %.*s" : "%s%.*s", failures[f].text, (int)n,
            n ? why : "");
}

/* Adds what the try used to what the call has used. A provider that had begun to answer, or was still at it when we
 * left, will want to be paid: without its numbers they are estimated. */
static void count_usage(struct route_call *c)
{
    struct task_reader *r = &c->reader;
    struct route_usage *u = &c->r.usage;
    bool at_it = (c->head.status >= 200 && c->head.status < 300) || c->r.failure == ROUTE_F_TIMEOUT ||
                 c->r.failure == ROUTE_F_CANCELLED;
    if (!r->usage_seen && !at_it) return;
    if (!r->usage_seen)
        r->usage = (struct route_usage){.in = (c->parcel.bytes.len + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN};
    uint64_t least = (r->n_text + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
    bool half = r->usage_seen && c->r.failure && r->usage.out < least; /* the last number never came */
    if (!r->usage_seen || half) r->usage.out = least;
    u->in += r->usage.in;
    u->cached += r->usage.cached;
    u->written += r->usage.written;
    u->out += r->usage.out;
    u->estimated |= !r->usage_seen || half;
    /* each try is priced by itself: a long prompt has a price of its own */
    money cost;
    c->r.cost_known = route_price_cost(&c->up->tier->price, &r->usage, &cost);
    c->r.cost = money_add(c->r.cost, cost);
    memset(r, 0, sizeof *r);
}

static void call_free(struct route_call *c)
{
    if (c->hold > 0) return;
    net_timer_free(c->timer);
    route_sse_done(&c->sse);
    buf_done(&c->answer);
    buf_done(&c->parcel.bytes);
    mem_free(c);
}

/* Out of the list: nothing comes any more. */
static void leave(struct route_call *c, enum route_failure f)
{
    struct route_upstream *up = c->up;
    c->gone = true;
    if ((*c->link = c->next)) c->next->link = c->link;
    up->running--;
    up->ends[f]++;
    c->r.seconds = clock_now_s() - c->begun_s;
    c->r.cost_known = up->tier->price.known;
    if (f == ROUTE_F_NONE) up->latency[up->n_latencies++ % LATENCIES] = (float)c->r.seconds;
}

static void end(struct route_call *c)
{
    leave(c, c->r.failure);
    c->hold++;
    if (c->on_end) c->on_end(c->user, &c->r);
    c->hold--;
    json_decref(c->r.answer);
    call_free(c);
}

/* ---- tries ---- */

static void report(struct route_call *c)
{
    enum route_failure f = c->r.failure;
    enum route_verdict v = failures[f].blame                                                    ? ROUTE_BAD
                           : f == ROUTE_F_NONE || f == ROUTE_F_REJECTED || f == ROUTE_F_STOPPED ? ROUTE_GOOD
                                                                                                : ROUTE_NEITHER;
    route_breaker_report(&c->up->breaker, clock_now_s(), c->probe, v, chance());
    c->probe = false;
}

/* The pause before the next try (full jitter: anything up to the doubled bound), or -1: there is none. */
static double pause_before_next(const struct route_call *c)
{
    int retries = c->up->tier->max_retries;
    double bound = PAUSE_S;
    if (retries == 0) retries = 2;
    if (!failures[c->r.failure].again || c->r.begun || c->once || c->r.tries == 0 || c->r.tries > retries) return -1;
    for (int i = 1; i < c->r.tries && bound < PAUSE_MAX_S; i++) bound *= 2;
    double pause = chance() * (bound < PAUSE_MAX_S ? bound : PAUSE_MAX_S);
    if (pause < c->head.retry_after_s) pause = c->head.retry_after_s;
    return clock_now_s() + pause < c->deadline_at ? pause : -1;
}

/* A try is over, or there could be none. */
static void after_try(struct route_call *c)
{
    double pause = pause_before_next(c);
    count_usage(c);
    if (c->r.failure && pause >= 0) {
        net_timer_set(c->timer, pause);
        return;
    }
    end(c);
}

static int emit(struct task_reader *r, json_t *chunk)
{
    struct route_call *c = r->user;
    if (!chunk) return route_reader_fail(r, ROUTE_F_GARBAGE, "A piece of the answer has the wrong shape.");
    if (!c->r.begun) c->r.first_s = clock_now_s() - c->begun_s;
    c->r.begun = true;
    bool on = !c->on_chunk || c->on_chunk(c->user, chunk);
    json_decref(chunk);
    if (!on && !c->gone) route_reader_fail(r, ROUTE_F_STOPPED, "%s", "");
    return !on || c->gone;
}

static int on_event(void *user, const char *event, const char *data, size_t n)
{
    struct route_call *c = user;
    struct task_reader *r = &c->reader;
    if (strcmp(data, "[DONE]") == 0) {
        r->finished = true;
        return 0;
    }
    json_t *in = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    int rc = json_is_object(in) ? c->up->wire->event(r, event, in)
                                : route_reader_fail(r, ROUTE_F_GARBAGE, "An event of the stream is no JSON object.");
    json_decref(in);
    return rc;
}

static bool is_success(const struct route_call *c) { return c->head.status >= 200 && c->head.status < 300; }

static bool on_head(void *user, const struct net_call_head *h)
{
    struct route_call *c = user;
    c->head = *h;
    c->r.status = h->status;
    snprintf(c->r.request_id, sizeof c->r.request_id, "%s", h->request_id);
    if (!is_success(c)) return true;
    const char *type = c->stream ? "text/event-stream" : "json";
    if (strcasestr(h->type, type)) return true;
    route_reader_fail(&c->reader, ROUTE_F_GARBAGE, "The answer's type is '%.60s'.", h->type);
    return false;
}

static bool on_body(void *user, const void *bytes, size_t n)
{
    struct route_call *c = user;
    if (!c->stream || !is_success(c)) {
        if (!is_success(c) && c->answer.len + n > ERROR_BYTES) return true; /* enough of an error */
        if (buf_add(&c->answer, bytes, n) == 0) return true;
        route_reader_fail(&c->reader, c->answer.failed == CROFT_E_LIMIT ? ROUTE_F_TOO_LARGE : ROUTE_F_MEMORY, "%s",
                          "");
        return false;
    }
    c->hold++;
    int rc = route_sse_feed(&c->sse, bytes, n, on_event, c);
    c->hold--;
    if (c->gone) { /* cancelled from within */
        call_free(c);
        return false;
    }
    if (rc && !c->reader.failure)
        route_reader_fail(&c->reader, rc == CROFT_E_NOMEM ? ROUTE_F_MEMORY : ROUTE_F_TOO_LARGE, "%s", "");
    return rc == 0;
}

/* A whole body: the answer, or what the provider complains about. */
static void read_whole(struct route_call *c)
{
    json_error_t why;
    json_t *in = c->answer.len ? json_loadb(c->answer.data, c->answer.len, JSON_ALLOW_NUL, &why) : NULL;
    if (!is_success(c)) {
        fail(c, route_failure_of_status(c->head.status), c->up->wire->complaint(in));
        json_decref(in);
        return;
    }
    if (!json_is_object(in)) {
        json_decref(in);
        fail(c, ROUTE_F_GARBAGE, c->answer.len ? "It is no JSON object." : "It is empty.");
        return;
    }
    c->r.answer = c->up->wire->answer(&c->reader, in);
    if (c->r.answer)
        c->r.first_s = clock_now_s() - c->begun_s;
    else
        fail(c, c->reader.failure, c->reader.why);
}

/* Why the try that has just ended failed, if it did. */
static void judge(struct route_call *c, const struct net_call_end *e)
{
    struct task_reader *r = &c->reader;
    if (e->end == NET_END_CANCELLED)
        fail(c, ROUTE_F_CANCELLED, NULL);
    else if (r->failure)
        fail(c, r->failure, r->why);
    else if (c->head.status && !is_success(c)) /* however it ended */
        read_whole(c);
    else if (c->stream && r->finished && !r->any)
        fail(c, ROUTE_F_GARBAGE, "The stream is empty.");
    else if (c->stream && r->finished)
        return; /* whole, however it ended */
    else if (c->stream && is_success(c) && (e->end == NET_END_OK || e->end == NET_END_RESET))
        fail(c, r->any ? ROUTE_F_TRUNCATED : ROUTE_F_GARBAGE, r->any ? NULL : "The stream is empty.");
    else if (e->end)
        fail(c, failure_of_end(e->end), e->err.msg);
    else
        read_whole(c);
}

static void on_answered(void *user, const struct net_call_end *e)
{
    struct route_call *c = user;
    c->net = NULL;
    c->r.failure = ROUTE_F_NONE;
    judge(c, e);
    report(c);
    after_try(c);
}

static void begin_reading(struct route_call *c)
{
    size_t max = c->up->tier->max_answer_bytes ? c->up->tier->max_answer_bytes : 16 << 20;
    c->reader = (struct task_reader){
        .tier = c->up->tier, .kind = c->kind, .usage_chunk = c->usage_chunk, .emit = emit, .user = c};
    c->head = (struct net_call_head){.retry_after_s = -1};
    route_sse_done(&c->sse);
    route_sse_init(&c->sse, max);
    buf_done(&c->answer);
    buf_init(&c->answer, max);
}

static void tell_sent(const struct route_call *c)
{
    struct net_url u;
    char host[sizeof u.host + 8];
    if (!c->on_sent || net_url_parse(c->up->tier->url, &u, NULL)) return;
    snprintf(host, sizeof host, "%s:%d", u.host, u.port);
    if (u.port == 443) snprintf(host, sizeof host, "%s", u.host);
    c->on_sent(c->user, host, c->parcel.bytes.data, c->parcel.bytes.len);
}

/* Through breaker and gate. False: it could not, `fail` says why (the failure of the try before stays). */
static bool try_once(struct route_call *c)
{
    struct route_upstream *up = c->up;
    const struct route_tier *t = up->tier;
    double now = clock_now_s();
    struct net_field fields[WIRE_FIELDS] = {{"Content-Type", "application/json", false}};
    struct buf secret;
    if (!route_breaker_admit(&up->breaker, now, &c->probe)) {
        fail(c, ROUTE_F_OPEN, NULL);
        return false;
    }
    begin_reading(c);
    buf_init(&secret, ROUTE_KEY_MAX + 16);
    int n = 1 + up->wire->fields(up->key, c->parcel.data_class, &secret, fields + 1);
    struct net_call_params p = {.fields = fields,
                                .n_fields = n,
                                .connect_s = t->connect_s,
                                .answer_s = t->answer_s,
                                .stall_s = c->stream ? t->stall_s > 0 ? t->stall_s : STALL_S : 0,
                                .deadline_s = c->deadline_at - now,
                                .max_bytes = c->answer.max,
                                .user = c,
                                .on_head = on_head,
                                .on_body = on_body,
                                .on_end = on_answered};
    struct err e = {0};
    int rc = secret.failed ? err_nomem(&e, 0) : route_gate_send(up->client, t, &c->parcel, c->path, &p, &c->net, &e);
    if (secret.data) OPENSSL_cleanse(secret.data, secret.len);
    buf_done(&secret);
    if (rc == 0) {
        c->r.tries++;
        up->n_tries++;
        c->r.bytes_sent += c->parcel.bytes.len;
        tell_sent(c);
        c->r.failure = ROUTE_F_NONE;
        return true;
    }
    c->r.failure = ROUTE_F_NONE; /* a refusal outweighs the failure before */
    fail(c,
         rc == CROFT_E_DENIED  ? ROUTE_F_DENIED
         : rc == CROFT_E_NOMEM ? ROUTE_F_MEMORY
                               : ROUTE_F_UNSUPPORTED,
         e.msg);
    report(c);
    return false;
}

/* Time for the next try, or to tell of a failure that was found while sending. */
static void on_timer(void *user)
{
    struct route_call *c = user;
    if (c->r.tries == 0 || !try_once(c)) end(c);
}

/* ---- calls ---- */

/* The request's bytes in the tier's language. */
static void seal(struct route_call *c, const struct route_request *r)
{
    struct err e = {0};
    c->path = c->up->wire->path(r->kind);
    buf_init(&c->parcel.bytes, REQUEST_BYTES);
    route_parcel_seal(&c->parcel, r->data_class);
    if (!c->path || (r->stream && r->kind != ROUTE_CHAT)) {
        fail(c, ROUTE_F_UNSUPPORTED, c->path ? "Only chats are streamed." : "This wire has no such endpoint.");
        return;
    }
    const struct route_tier *t = c->up->tier;
    struct route_request kept = *r;
    json_t *less = t->n_drop ? route_json_copy(r->body) : NULL;
    for (int i = 0; i < t->n_drop && less; i++) json_object_del(less, t->drop[i]);
    if (less) kept.body = less;
    int rc = t->n_drop && !less ? err_nomem(&e, 0) : c->up->wire->request(t, &kept, &c->parcel.bytes, &e);
    json_decref(less);
    if (rc) fail(c, rc == CROFT_E_NOMEM ? ROUTE_F_MEMORY : ROUTE_F_UNSUPPORTED, e.msg);
}

int route_upstream_send(struct route_upstream *u, const struct route_request *r, struct route_call **out,
                        struct err *e)
{
    struct route_call *c = mem_calloc(1, sizeof *c);
    int most = u->tier->max_concurrent > 0 ? u->tier->max_concurrent : 64;
    double deadline = r->deadline_s > 0 ? r->deadline_s : u->tier->deadline_s > 0 ? u->tier->deadline_s : DEADLINE_S;
    if (!c) return err_nomem(e, sizeof *c);
    *c = (struct route_call){.up = u,
                             .kind = r->kind,
                             .stream = r->stream,
                             .usage_chunk = r->usage_chunk,
                             .once = r->once,
                             .user = r->user,
                             .on_sent = r->on_sent,
                             .on_chunk = r->on_chunk,
                             .on_end = r->on_end,
                             .begun_s = clock_now_s()};
    c->deadline_at = c->begun_s + deadline;
    if (!(c->timer = net_timer_new(u->client, on_timer, c))) {
        call_free(c);
        return err_nomem(e, 0);
    }
    c->next = u->calls;
    c->link = &u->calls;
    if (c->next) c->next->link = &c->next;
    u->calls = c;
    u->n_calls++;
    if (u->running++ >= (uint32_t)most) fail(c, ROUTE_F_FULL, NULL);
    if (!c->r.failure) seal(c, r);
    if (c->r.failure || !try_once(c)) net_timer_set(c->timer, 0);
    if (out) *out = c;
    return 0;
}

void route_call_cancel(struct route_call *c, struct route_result *out)
{
    net_call_cancel(c->net);
    if (c->probe) route_breaker_report(&c->up->breaker, clock_now_s(), true, ROUTE_NEITHER, 0);
    c->r.failure = ROUTE_F_NONE;
    fail(c, ROUTE_F_CANCELLED, NULL);
    if (c->net) count_usage(c);
    leave(c, ROUTE_F_CANCELLED);
    if (out) *out = c->r;
    call_free(c);
}

void route_call_restrict(struct route_call *c, struct str data_class)
{
    route_parcel_restrict(&c->parcel, data_class);
}

/* ---- upstreams ---- */

int route_upstream_new(struct net_client *c, const struct route_tier *t, struct route_upstream **out, struct err *e)
{
    static const struct route_wire_ops *const wires[] = {&route_wire_openai, &route_wire_anthropic,
                                                         &route_wire_croft};
    int rc = route_tier_check(t, e);
    if (rc) return rc;
    struct route_upstream *u = mem_calloc(1, sizeof *u);
    if (!u) return err_nomem(e, sizeof *u);
    u->client = c;
    u->tier = t;
    u->wire = wires[t->wire];
    rc = route_tier_key(t, u->key, e);
    if (rc)
        route_upstream_free(u);
    else
        *out = u;
    return rc;
}

int route_upstream_renew(struct route_upstream *u, const struct route_tier *t, struct err *e)
{
    char key[ROUTE_KEY_MAX];
    int rc = route_tier_key(t, key, e);
    if (rc == 0) memcpy(u->key, key, sizeof key);
    OPENSSL_cleanse(key, sizeof key);
    u->tier = t;
    return rc;
}

void route_upstream_free(struct route_upstream *u)
{
    if (!u) return;
    while (u->calls) {
        struct route_call *c = u->calls;
        net_call_cancel(c->net);
        c->r.failure = ROUTE_F_NONE;
        fail(c, ROUTE_F_CANCELLED, NULL);
        if (c->net) count_usage(c);
        end(c);
    }
    OPENSSL_cleanse(u->key, sizeof u->key);
    mem_free(u);
}

const struct route_tier *route_upstream_tier(const struct route_upstream *u) { return u->tier; }

bool route_upstream_ready(struct route_upstream *u)
{
    int most = u->tier->max_concurrent > 0 ? u->tier->max_concurrent : 64;
    enum route_breaker_state s = route_breaker_now(&u->breaker, clock_now_s());
    return u->running < (uint32_t)most && (s == ROUTE_CLOSED || (s == ROUTE_HALF_OPEN && !u->breaker.probing));
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void route_upstream_state(struct route_upstream *u, struct route_upstream_state *out)
{
    float sorted[LATENCIES];
    double now = clock_now_s();
    size_t n = u->n_latencies < LATENCIES ? u->n_latencies : LATENCIES;
    *out = (struct route_upstream_state){.breaker = route_breaker_now(&u->breaker, now),
                                         .running = u->running,
                                         .calls = u->n_calls,
                                         .tries = u->n_tries};
    if (out->breaker == ROUTE_OPEN) out->retry_s = u->breaker.open_until - now;
    memcpy(out->ends, u->ends, sizeof out->ends);
    if (n == 0) return;
    memcpy(sorted, u->latency, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    out->seconds_p50 = sorted[(n - 1) / 2];
    out->seconds_p95 = sorted[(n - 1) * 95 / 100];
}
