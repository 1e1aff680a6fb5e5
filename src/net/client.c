/* The asynchronous client (net_client.h): one multi handle of libcurl, its sockets and its timer as events of the
 * loop.
 *
 *     net_client_send ─ fresh ─ added ──┬─ libcurl is done ──┐
 *                                       ├─ watch: no head, no byte for too long ─┤── finish ─ on_end
 *                                       ├─ a callback said false ────────────────┘
 *                                       └─ net_call_cancel ── gone, silently
 *
 * libcurl may not be called from within its own callbacks, and those are where on_head and on_body are called. While
 * it is inside, new calls wait as `fresh` and cancelled ones stay, marked, until it has returned (settle).
 *
 * One easy handle a call, taken from a few spare ones; connections belong to the multi handle. The deadline is
 * libcurl's; the waits for the head and between two pieces are one timer a call, set lazily: it fires, and is set
 * again if something came meanwhile.
 *
 * Threads: the loop's only. Read next: easy.c (rules and options), server.c (the loop). */
#include "net_client.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "easy.h"
#include "server.h"

#include <time.h>

enum { SPARES = 32, CONNECTIONS = 64, MAX_BYTES = 16 << 20, MAX_FIELDS = 32 };
static const double CONNECT_S = 5, DEADLINE_S = 600, RETRY_AFTER_MAX_S = 86400;

struct net_call {
    struct net_client *client;
    struct net_call *next, **link;
    struct net_call_params p; /* without url, fields and body: libcurl has its own */
    CURL *easy;
    struct curl_slist *fields;
    struct event *watch; /* NULL: nothing is waited for but the end */
    struct net_url at;
    struct net_call_head head;
    double begun_s, head_s, last_s; /* last: of the newest byte */
    uint64_t n_bytes;
    enum net_end end; /* why we ended it ourselves; OK: we did not */
    bool added, head_seen, cancelled;
    char text[CURL_ERROR_SIZE];
};
struct net_client {
    struct event_base *base;
    struct event_base *own; /* the same, if it is ours to free */
    CURLM *multi;
    struct event *timer, *limit;
    struct net_call *calls;
    CURL *spare[SPARES];
    int n_spare;
    size_t n_calls, n_timers; /* timers that are set */
    bool inside, unsettled, late;
};

static const char *const words[] = {
#define X(name, word) word,
    NET_END_TABLE(X)
#undef X
};
const char *net_end_word(enum net_end end) { return words[end]; }

static struct timeval timeval_of(double seconds)
{
    if (seconds < 0) seconds = 0;
    return (struct timeval){(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
}

/* ---- the end of a call ---- */

/* Out of libcurl and of the list; nothing of it is left. */
static void call_free(struct net_call *call)
{
    struct net_client *c = call->client;
    if (call->added) curl_multi_remove_handle(c->multi, call->easy);
    if (call->easy && c->n_spare < SPARES) {
        curl_easy_reset(call->easy); /* lets go of what pointed here */
        c->spare[c->n_spare++] = call->easy;
    } else if (call->easy) {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->fields);
    if (call->watch) event_free(call->watch);
    if (call->link && (*call->link = call->next)) call->next->link = call->link;
    if (call->link) c->n_calls--;
    mem_free(call);
}

static enum net_end end_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return NET_END_OK;
    case CURLE_OUT_OF_MEMORY:
        return NET_END_MEMORY;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return NET_END_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
        return NET_END_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return NET_END_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return NET_END_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return NET_END_TOO_LARGE;
    default:
        return NET_END_RESET;
    }
}

static void describe(struct net_call *call, CURLcode code, struct net_call_end *out)
{
    const char *host = call->at.host;
    struct err *e = &out->err;
    switch (call->end) {
    case NET_END_OK:
        (void)net_easy_error(code, &call->at, call->text, e);
        break;
    case NET_END_TIMEOUT:
        (void)ERR(e, NET, "The server %s did not begin to answer in time.", host);
        break;
    case NET_END_STALL:
        (void)ERR(e, NET, "The server %s stopped in the middle of its answer.", host);
        break;
    case NET_END_TOO_LARGE:
        (void)ERR(e, LIMIT, "The server %s sends more than the %llu bytes allowed.", host,
                  (unsigned long long)call->p.max_bytes);
        break;
    case NET_END_STOPPED:
        (void)ERR(e, CANCELLED, "The receiver wanted no more.");
        break;
    case NET_END_MEMORY:
        (void)err_nomem(e, 0);
        break;
    default:
        (void)ERR(e, CANCELLED, "The client was closed.");
    }
}

/* Not while libcurl is inside. */
static void finish(struct net_call *call, CURLcode code)
{
    double now = clock_now_s();
    void (*on_end)(void *, const struct net_call_end *) = call->p.on_end;
    void *user = call->p.user;
    struct net_call_end end = {.end = call->end ? call->end : end_of(code), .status = call->head.status};
    long n_new = 1;
    if (end.end) describe(call, code, &end);
    if (call->head_s > 0) end.head_s = call->head_s - call->begun_s;
    end.all_s = now - call->begun_s;
    if (curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &n_new) == CURLE_OK) end.reused = n_new == 0;
    bool silent = call->cancelled;
    call_free(call);
    if (!silent && on_end) on_end(user, &end);
}

/* ---- libcurl's callbacks ---- */

/* Begins the body: the head is whole. False: the call is over. */
static bool announce(struct net_call *call)
{
    if (call->head_seen) return true;
    call->head_seen = true;
    call->head_s = call->last_s;
    if (!call->p.on_head || call->p.on_head(call->p.user, &call->head)) return true;
    call->end = NET_END_STOPPED;
    return false;
}

/* Seconds, or a date. */
static void take_retry_after(struct net_call *call, const char *value, double unit)
{
    double v;
    time_t at;
    if (str_to_f64(value, &v))
        v *= unit;
    else if ((at = curl_getdate(value, NULL)) >= 0)
        v = (double)(at - clock_unix_s());
    else
        return;
    call->head.retry_after_s = v < 0 ? 0 : v > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : v;
}

static size_t on_curl_header(char *p, size_t size, size_t n, void *arg)
{
    struct net_call *call = arg;
    struct net_call_head *h = &call->head;
    struct net_easy_line l;
    n *= size;
    if (call->cancelled || call->end) return 0;
    call->last_s = clock_now_s();
    if (call->head_seen || !net_easy_parse(p, n, &l)) return n; /* trailers; what is not used */
    if (l.status) {
        *h = (struct net_call_head){.status = l.status, .retry_after_s = -1};
    } else if (!l.name[0] && !l.value[0]) {
        if (h->status >= 200 && !announce(call)) return 0;
    } else if (strcasecmp(l.name, "content-type") == 0) {
        net_easy_keep(h->type, sizeof h->type, l.value);
    } else if (strcasecmp(l.name, "x-request-id") == 0 || strcasecmp(l.name, "request-id") == 0) {
        net_easy_keep(h->request_id, sizeof h->request_id, l.value);
    } else if (strcasecmp(l.name, "retry-after") == 0) {
        take_retry_after(call, l.value, 1);
    } else if (strcasecmp(l.name, "retry-after-ms") == 0) {
        take_retry_after(call, l.value, 1e-3);
    }
    return call->cancelled ? 0 : n;
}

/* A return other than n*size makes libcurl end the transfer. */
static size_t on_curl_body(char *p, size_t size, size_t n, void *arg)
{
    struct net_call *call = arg;
    n *= size;
    if (call->cancelled || call->end) return 0;
    call->last_s = clock_now_s();
    call->n_bytes += n;
    if (call->n_bytes > call->p.max_bytes) {
        call->end = NET_END_TOO_LARGE;
        return 0;
    }
    if (!announce(call) || call->cancelled) return 0;
    if (call->p.on_body && !call->p.on_body(call->p.user, p, n) && !call->cancelled) call->end = NET_END_STOPPED;
    return call->cancelled || call->end ? 0 : n;
}

/* ---- the loop ---- */

static bool call_add(struct net_call *call)
{
    call->added = curl_multi_add_handle(call->client->multi, call->easy) == CURLM_OK;
    if (call->added) return true;
    call->end = NET_END_MEMORY;
    finish(call, CURLE_OUT_OF_MEMORY);
    return false;
}

/* What had to wait while libcurl was inside. */
static void settle(struct net_client *c)
{
    while (c->unsettled) {
        c->unsettled = false;
        for (struct net_call *call = c->calls, *next; call; call = next) {
            next = call->next;
            if (call->cancelled)
                call_free(call);
            else if (!call->added && !call_add(call))
                next = c->calls; /* on_end may have cancelled it: begin again */
        }
    }
}

static void collect(struct net_client *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct net_call *call = NULL;
        CURLcode code = m->data.result; /* m is gone with the handle */
        if (m->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, code);
    }
}

static void act(struct net_client *c, curl_socket_t fd, int what)
{
    int running;
    c->inside = true;
    curl_multi_socket_action(c->multi, fd, what, &running);
    c->inside = false;
    settle(c);
    collect(c);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    act(arg, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg) { act(arg, CURL_SOCKET_TIMEOUT, 0); }

/* libcurl says which sockets it wants watched; the event is kept as its pointer for that socket. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
    struct net_client *c = arg;
    struct event *ev = socketp;
    if (ev) event_free(ev);
    ev = NULL;
    if (what != CURL_POLL_REMOVE) {
        short kind = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
        ev = event_new(c->base, fd, kind | EV_PERSIST, on_socket, c);
        if (ev && event_add(ev, NULL)) {
            event_free(ev);
            ev = NULL;
        }
    }
    curl_multi_assign(c->multi, fd, ev);
    return what != CURL_POLL_REMOVE && !ev ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
    struct net_client *c = arg;
    struct timeval tv = {ms / 1000, (ms % 1000) * 1000};
    return ms < 0 ? evtimer_del(c->timer) : evtimer_add(c->timer, &tv);
}

/* The wait for the head, or for the next piece: whichever it is now, at most its limit. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct net_call *call = arg;
    double limit = call->head_seen ? call->p.stall_s : call->p.answer_s;
    double left = limit > 0 ? call->last_s + limit - clock_now_s() : call->head_seen ? 0 : call->p.stall_s;
    if (limit <= 0 && call->head_seen) return;
    if (left <= 0) {
        call->end = call->head_seen ? NET_END_STALL : NET_END_TIMEOUT;
        finish(call, CURLE_OPERATION_TIMEDOUT);
        return;
    }
    struct timeval tv = timeval_of(left);
    evtimer_add(call->watch, &tv);
}

/* ---- calls ---- */

static int set_fields(struct net_call *call, const struct net_call_params *p, struct err *e)
{
    int rc = p->n_fields > MAX_FIELDS ? ERR(e, USAGE, "The request has more than %d headers.", MAX_FIELDS) : 0;
    for (int i = 0; i < p->n_fields && rc == 0; i++)
        rc = net_easy_header(&call->fields, p->fields[i].name, p->fields[i].value, e);
    if (rc == 0 && p->body) rc = net_easy_header(&call->fields, "Expect", "", e); /* no pause before large bodies */
    return rc;
}

static void set_options(struct net_call *call, const char *url)
{
    CURL *c = call->easy;
    net_easy_options(c, url, &call->at, call->p.ca_file, call->text);
    curl_easy_setopt(c, CURLOPT_PRIVATE, call);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, call->fields);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->p.connect_s * 1e3) + 1);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(call->p.deadline_s * 1e3) + 1);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_curl_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, call);
    if (call->p.body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->p.n_body);
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, call->p.body);
    }
}

static void fill_params(struct net_call_params *p)
{
    if (p->connect_s <= 0) p->connect_s = CONNECT_S;
    if (p->deadline_s <= 0) p->deadline_s = DEADLINE_S;
    if (!p->max_bytes) p->max_bytes = MAX_BYTES;
    p->url = NULL;
    p->fields = NULL;
}

static int call_new(struct net_client *c, const struct net_call_params *p, struct net_call **out, struct err *e)
{
    bool secret = false;
    struct net_url at;
    int rc = net_url_parse(p->url, &at, e);
    for (int i = 0; i < p->n_fields; i++) secret = secret || p->fields[i].secret;
    if (rc == 0) rc = net_easy_gate(&at, p->insecure_http, secret, e);
    if (rc) return rc;
    struct net_call *call = mem_calloc(1, sizeof *call);
    if (!call) return err_nomem(e, sizeof *call);
    call->client = c;
    call->p = *p;
    call->at = at;
    call->head.retry_after_s = -1;
    call->begun_s = call->last_s = clock_now_s();
    fill_params(&call->p);
    rc = set_fields(call, p, e);
    if (rc == 0) call->easy = c->n_spare ? c->spare[--c->n_spare] : curl_easy_init();
    if (rc == 0 && (p->answer_s > 0 || p->stall_s > 0)) call->watch = evtimer_new(c->base, on_watch, call);
    if (rc == 0 && (!call->easy || (!call->watch && (p->answer_s > 0 || p->stall_s > 0)))) rc = err_nomem(e, 0);
    if (rc)
        call_free(call);
    else
        *out = call;
    return rc;
}

int net_client_send(struct net_client *c, const struct net_call_params *p, struct net_call **out, struct err *e)
{
    struct net_call *call = NULL;
    int rc = call_new(c, p, &call, e);
    if (rc) return rc;
    set_options(call, p->url);
    call->p.body = NULL;
    if (!c->inside && curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) {
        call_free(call);
        return err_nomem(e, 0);
    }
    call->added = !c->inside;
    c->unsettled |= c->inside;
    call->next = c->calls;
    call->link = &c->calls;
    if (call->next) call->next->link = &call->next;
    c->calls = call;
    c->n_calls++;
    if (call->watch) {
        struct timeval tv = timeval_of(p->answer_s > 0 ? p->answer_s : p->stall_s);
        evtimer_add(call->watch, &tv);
    }
    if (out) *out = call;
    return 0;
}

void net_call_cancel(struct net_call *call)
{
    if (!call) return;
    call->cancelled = true;
    if (call->client->inside)
        call->client->unsettled = true;
    else
        call_free(call);
}

size_t net_client_calls(const struct net_client *c) { return c->n_calls; }

/* ---- timers ---- */

struct net_timer {
    struct net_client *client;
    struct event *ev;
    void (*fn)(void *user);
    void *user;
    bool set;
};

static void on_net_timer(evutil_socket_t fd, short what, void *arg)
{
    struct net_timer *t = arg;
    t->set = false;
    t->client->n_timers--;
    t->fn(t->user);
}

struct net_timer *net_timer_new(struct net_client *c, void (*fn)(void *user), void *user)
{
    struct net_timer *t = mem_calloc(1, sizeof *t);
    if (!t) return NULL;
    *t = (struct net_timer){.client = c, .fn = fn, .user = user};
    t->ev = evtimer_new(c->base, on_net_timer, t);
    if (t->ev) return t;
    mem_free(t);
    return NULL;
}

void net_timer_set(struct net_timer *t, double seconds)
{
    struct timeval tv = timeval_of(seconds);
    bool set = seconds >= 0;
    if (set)
        evtimer_add(t->ev, &tv);
    else
        evtimer_del(t->ev);
    t->client->n_timers += (size_t)set - (size_t)t->set;
    t->set = set;
}

void net_timer_free(struct net_timer *t)
{
    if (!t) return;
    if (t->set) t->client->n_timers--;
    event_free(t->ev);
    mem_free(t);
}

/* ---- the client ---- */

static void on_limit(evutil_socket_t fd, short what, void *arg) { ((struct net_client *)arg)->late = true; }

bool net_client_run(struct net_client *c, double limit_s)
{
    struct net_quiet quiet;
    c->late = false;
    if (limit_s >= 0) {
        struct timeval tv = timeval_of(limit_s);
        evtimer_add(c->limit, &tv);
    }
    net_quiet_begin(&quiet);
    while (!c->late && (c->n_calls || c->n_timers))
        if (event_base_loop(c->base, EVLOOP_ONCE)) break;
    net_quiet_end(&quiet);
    evtimer_del(c->limit);
    return !c->n_calls && !c->n_timers;
}

int net_client_new(struct net_server *server, const struct net_client_params *p, struct net_client **out,
                   struct err *e)
{
    struct net_client *c = mem_calloc(1, sizeof *c);
    if (!c) return err_nomem(e, sizeof *c);
    net_easy_setup();
    c->base = server ? server->base : (c->own = event_base_new());
    c->multi = curl_multi_init();
    if (c->base) {
        c->timer = evtimer_new(c->base, on_timer, c);
        c->limit = evtimer_new(c->base, on_limit, c);
    }
    if (!c->base || !c->multi || !c->timer || !c->limit) {
        net_client_free(c);
        return err_nomem(e, 0);
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)(p && p->connections ? p->connections : CONNECTIONS));
    *out = c;
    return 0;
}

void net_client_free(struct net_client *c)
{
    if (!c) return;
    while (c->calls) {
        c->calls->end = NET_END_CANCELLED;
        finish(c->calls, CURLE_ABORTED_BY_CALLBACK);
    }
    for (int i = 0; i < c->n_spare; i++) curl_easy_cleanup(c->spare[i]);
    if (c->multi) curl_multi_cleanup(c->multi); /* closes the connections: the events are needed till here */
    if (c->timer) event_free(c->timer);
    if (c->limit) event_free(c->limit);
    if (c->own) event_base_free(c->own);
    mem_free(c);
}
