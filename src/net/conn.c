/* Connections of the server (net_server.h): one struct, one state, one timer.
 *
 *     HEAD ──whole head──▶ BODY ──whole body──▶ BUSY ──answered──▶ HEAD (keep-alive)
 *       │ bad, late          │ too large, late     │                └▶ CLOSING ─sent─▶ LINGER ─EOF or 2 s─▶ gone
 *       └────────────────────┴──── refuse ─────────┴──client left──▶ gone, on_close
 *
 * Reading stays on in BUSY, which is how a client that leaves is noticed at once; what it pipelines waits in the
 * input buffer, at most INPUT_MAX bytes. LINGER reads and drops what the client still sends, so that the answer to a
 * request refused half-way is not lost to a reset.
 *
 * Threads: the loop's only. Invariants: `x.active` exactly while a handler owns the exchange; a conn with hold > 0 is
 * not freed, only marked dead. Deadlines are lazy: the timer fires, and is set again if the deadline has moved on.
 * Read next: server.c. */
#include "base_clock.h"
#include "base_mem.h"
#include "server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
    INPUT_MAX = 64 * 1024,
    PIPELINE_OUTPUT_MAX = 64 * 1024,
    EXTRA_MAX = 4096,
    LINGER_BYTES = 64 << 20,
    BLANK_LINES_MAX = 4
};
static const double LINGER_S = 2, READER_BYTES_S = 64 * 1024; /* a client that reads an answer slower is cut off */

enum conn_state { HEAD, BODY, BUSY, CLOSING, LINGER };

struct net_exchange {     /* embedded in its connection: one at a time */
    struct net_head head; /* borrows from `text` */
    struct buf text, body, extra;
    void *user;
    void (*on_close)(struct net_exchange *x, void *user);
    bool active, streaming, chunked, no_body;
};
struct conn {
    struct net_server *server;
    struct bufferevent *bev;
    struct event *timer;
    struct conn *next, **link;
    double deadline, timer_due; /* 0: none; the timer is set */
    enum conn_state state;
    struct net_exchange x;
    struct net_chunks chunks;
    int64_t left;     /* of a body with a length */
    uint64_t counted; /* bytes of the body, in the server's sum of all */
    uint64_t dropped; /* while lingering */
    int hold, n_blank; /* empty lines before this request */
    bool dead, reading, head_begun, keep_alive, shut;
    char peer[INET6_ADDRSTRLEN];
};

static struct conn *conn_of(const struct net_exchange *x)
{
    return (struct conn *)((char *)(uintptr_t)x - offsetof(struct conn, x));
}

/* The timer is moved only if it would fire too late; one that fires early is set again. */
static void set_deadline(struct conn *c, double seconds)
{
    struct timeval tv = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    c->deadline = seconds > 0 ? clock_now_s() + seconds : 0;
    if (seconds <= 0 || (c->timer_due > 0 && c->timer_due <= c->deadline)) return;
    c->timer_due = c->deadline;
    evtimer_add(c->timer, &tv);
}

/* A handler that took the body lets go of it when it has answered, or soon after its client has left. */
static void drop_body(struct conn *c)
{
    buf_done(&c->x.body);
    c->server->bodies_bytes -= c->counted;
    c->counted = 0;
}

static void reset_exchange(struct net_exchange *x)
{
    drop_body(conn_of(x));
    buf_done(&x->text);
    buf_done(&x->extra);
    buf_init(&x->extra, EXTRA_MAX);
    x->user = NULL;
    x->on_close = NULL;
    x->active = x->streaming = x->chunked = x->no_body = false;
}

static void conn_release(struct conn *c)
{
    if (--c->hold > 0 || !c->dead) return;
    reset_exchange(&c->x);
    buf_done(&c->x.extra);
    mem_free(c);
}

/* The connection is over. The handler of an exchange under way is told. */
static void conn_close(struct conn *c)
{
    struct net_server *s = c->server;
    if (c->dead) return;
    c->dead = true;
    c->hold++;
    if ((*c->link = c->next)) c->next->link = c->link;
    s->counts.open--;
    event_free(c->timer);
    bufferevent_free(c->bev);
    if (c->x.active) {
        s->counts.busy--;
        c->x.active = false;
        if (c->x.on_close) c->x.on_close(&c->x, c->x.user);
    }
    if (s->draining && !s->conns) event_base_loopexit(s->base, NULL);
    conn_release(c);
}

/* ---- writing ---- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {499, "Client Closed Request"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "Status";
}

static void write_head(struct conn *c, int status, const char *type, int64_t length)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    const struct net_exchange *x = &c->x;
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    if (type) evbuffer_add_printf(out, "Content-Type: %s\r\n", type);
    if (length >= 0) evbuffer_add_printf(out, "Content-Length: %lld\r\n", (long long)length);
    if (x->chunked) evbuffer_add(out, "Transfer-Encoding: chunked\r\n", 28);
    if (!c->keep_alive)
        evbuffer_add(out, "Connection: close\r\n", 19);
    else if (x->head.minor == 0)
        evbuffer_add(out, "Connection: keep-alive\r\n", 24);
    if (x->extra.len) evbuffer_add(out, x->extra.data, x->extra.len);
    evbuffer_add(out, "\r\n", 2);
}

static void linger(struct conn *c)
{
    c->state = LINGER;
    if (!c->shut) shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    c->shut = true;
    bufferevent_enable(c->bev, EV_READ);
    set_deadline(c, LINGER_S);
}

/* So many seconds, and what a slow but honest reader needs for the answer that is on its way. */
static void set_deadline_after_output(struct conn *c, double seconds)
{
    set_deadline(c, seconds + (double)evbuffer_get_length(bufferevent_get_output(c->bev)) / READER_BYTES_S);
}

/* No more requests on this connection; what is to be sent goes out first. */
static void close_after_output(struct conn *c)
{
    c->state = CLOSING;
    set_deadline_after_output(c, c->server->p.limits.write_s);
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) linger(c);
}

static void conn_input(struct conn *c);

static void answered(struct conn *c)
{
    c->server->counts.busy--;
    reset_exchange(&c->x);
    if (!c->keep_alive || c->server->draining) {
        close_after_output(c);
        return;
    }
    c->state = HEAD;
    set_deadline_after_output(c, c->server->p.limits.idle_s);
    conn_input(c);
}

/* The server's own answer to a request that never reached a handler. */
static void refuse(struct conn *c, int status, const char *sentence)
{
    struct buf body;
    buf_init(&body, 64 * 1024);
    c->server->p.on_refuse(c->server->p.user, status, sentence, &body);
    c->keep_alive = false;
    c->server->counts.refused++;
    write_head(c, status, "application/json", (int64_t)body.len);
    bufferevent_write(c->bev, body.data ? body.data : "", body.len);
    buf_done(&body);
    drop_body(c);
    close_after_output(c);
}

/* ---- reading ---- */

static void hand_over(struct conn *c)
{
    struct net_server *s = c->server;
    c->state = BUSY;
    set_deadline(c, 0);
    c->x.active = true;
    s->counts.requests++;
    s->counts.busy++;
    s->p.on_request(s->p.user, &c->x);
}

/* A whole head is in the buffer: [0, n). */
static void take_head(struct conn *c, struct evbuffer *in, size_t n)
{
    struct net_exchange *x = &c->x;
    const char *why = NULL;
    c->head_begun = false;
    c->n_blank = 0;
    buf_init(&x->text, n + 1);
    if (buf_reserve(&x->text, n)) {
        refuse(c, 503, "Out of memory.");
        return;
    }
    evbuffer_remove(in, x->text.data, n);
    x->text.len = n;
    int status = net_head_parse(x->text.data, n, &x->head, &why);
    c->keep_alive = status == 0 && x->head.keep_alive;
    x->no_body = status == 0 && str_eqz(x->head.method, "HEAD");
    if (status) {
        refuse(c, status, why);
        return;
    }
    if ((uint64_t)x->head.length > c->server->p.limits.body_bytes) {
        refuse(c, 413, "The body is larger than this server accepts.");
        return;
    }
    buf_init(&x->body, c->server->p.limits.body_bytes);
    c->left = x->head.length;
    c->chunks = (struct net_chunks){0};
    if (c->left == 0 && !x->head.chunked) {
        hand_over(c);
        return;
    }
    c->state = BODY;
    set_deadline(c, c->server->p.limits.body_s);
    if (x->head.expects_continue && evbuffer_get_length(in) == 0)
        bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void read_head(struct conn *c, struct evbuffer *in)
{
    const size_t max = c->server->p.limits.header_bytes;
    size_t have = evbuffer_get_length(in);
    char start[2];
    /* an empty line before a request is skipped (RFC 9112, 2.2), but not any number of them */
    while (have >= 2 && evbuffer_copyout(in, start, 2) == 2 && start[0] == '\r' && start[1] == '\n') {
        if (++c->n_blank > BLANK_LINES_MAX) {
            refuse(c, 400, "The request line is missing.");
            return;
        }
        evbuffer_drain(in, 2);
        have -= 2;
    }
    struct evbuffer_ptr at = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    if (at.pos >= 0 && (size_t)at.pos + 4 <= max) {
        take_head(c, in, (size_t)at.pos + 4);
        return;
    }
    c->reading = false; /* wait for more */
    if (at.pos >= 0 || have > max) {
        refuse(c, 431, "The headers are larger than this server accepts.");
        return;
    }
    if (have && !c->head_begun) set_deadline(c, c->server->p.limits.header_s);
    c->head_begun = have > 0;
}

/* Move a piece of the body; hands over after the last. */
static void read_body(struct conn *c, struct evbuffer *in)
{
    struct net_exchange *x = &c->x;
    size_t n = evbuffer_get_contiguous_space(in), taken = 0;
    int status = NET_CHUNKS_MORE;
    if (n == 0) {
        c->reading = false;
        return;
    }
    const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)n);
    if (x->head.chunked) {
        status = net_chunks_take(&c->chunks, p, n, &x->body, &taken);
    } else {
        taken = (int64_t)n < c->left ? n : (size_t)c->left;
        if (buf_reserve(&x->body, (size_t)c->left) || buf_add(&x->body, p, taken)) status = NET_CHUNKS_FULL;
        c->left -= (int64_t)taken;
        if (status == NET_CHUNKS_MORE && c->left == 0) status = NET_CHUNKS_DONE;
    }
    c->counted += taken;
    c->server->bodies_bytes += taken;
    if (status == NET_CHUNKS_BAD)
        refuse(c, 400, "The chunked body is malformed.");
    else if (status == NET_CHUNKS_FULL && x->body.failed == CROFT_E_NOMEM)
        refuse(c, 503, "Out of memory.");
    else if (status == NET_CHUNKS_FULL)
        refuse(c, 413, "The body is larger than this server accepts.");
    else if (c->server->bodies_bytes > c->server->p.limits.bodies_bytes)
        refuse(c, 503, "Too many large requests are under way. Try again later.");
    else {
        evbuffer_drain(in, taken);
        if (status == NET_CHUNKS_DONE) hand_over(c);
    }
}

/* Everything that can be read now. Handlers may answer from within, which comes back here: the outermost call loops.
 */
static void conn_input(struct conn *c)
{
    if (c->reading) return;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    c->hold++;
    c->reading = true;
    while (!c->dead && c->reading && (c->state == HEAD || c->state == BODY)) {
        if (c->state == HEAD && evbuffer_get_length(in) == 0) break;
        /* a client that sends requests and reads no answers waits */
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) > PIPELINE_OUTPUT_MAX) break;
        if (c->state == HEAD)
            read_head(c, in);
        else
            read_body(c, in);
    }
    c->reading = false;
    if (!c->dead && (c->state == CLOSING || c->state == LINGER)) {
        c->dropped += evbuffer_get_length(in);
        evbuffer_drain(in, evbuffer_get_length(in));
    }
    conn_release(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;
    if (c->state == CLOSING || c->state == LINGER) {
        struct evbuffer *in = bufferevent_get_input(bev);
        c->dropped += evbuffer_get_length(in);
        evbuffer_drain(in, evbuffer_get_length(in));
        if (c->dropped > LINGER_BYTES) conn_close(c);
        return;
    }
    conn_input(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;
    if (c->state == CLOSING)
        linger(c);
    else
        conn_input(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct conn *c = arg;
    if (what & BEV_EVENT_CONNECTED) return; /* the TLS handshake is done */
    if (what & BEV_EVENT_TIMEOUT) c->server->counts.cut++;
    conn_close(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    double now = clock_now_s();
    c->timer_due = 0;
    if (c->deadline <= 0) return;
    if (now < c->deadline) {
        set_deadline(c, c->deadline - now);
        return;
    }
    bool started = c->state == BODY || (c->state == HEAD && c->head_begun);
    if (started)
        refuse(c, 408, "The request took too long to arrive.");
    else
        conn_close(c);
}

/* ---- connections ---- */

static void name_peer(struct conn *c, const struct sockaddr *peer)
{
    const void *addr = peer->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)peer)->sin6_addr
                                                   : (const void *)&((const struct sockaddr_in *)peer)->sin_addr;
    if (!inet_ntop(peer->sa_family, addr, c->peer, sizeof c->peer)) snprintf(c->peer, sizeof c->peer, "?");
}

void net_conn_new(struct net_server *s, evutil_socket_t fd, const struct sockaddr *peer)
{
    struct conn *c = mem_calloc(1, sizeof *c);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c) c->timer = evtimer_new(s->base, on_timer, c);
    if (c && c->timer)
        c->bev =
            s->tls ? net_tls_accept(s->base, s->tls, fd) : bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c || !c->bev) {
        if (c && c->timer) event_free(c->timer);
        mem_free(c);
        evutil_closesocket(fd);
        return;
    }
    c->server = s;
    c->next = s->conns;
    c->link = &s->conns;
    if (c->next) c->next->link = &c->next;
    s->conns = c;
    s->counts.connections++;
    s->counts.open++;
    buf_init(&c->x.extra, EXTRA_MAX);
    name_peer(c, peer);
    struct timeval write_tv = {(time_t)s->p.limits.write_s + 1, 0};
    bufferevent_set_timeouts(c->bev, NULL, &write_tv);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX + s->p.limits.header_bytes);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    set_deadline(c, s->p.limits.header_s);
    if (s->counts.open > s->p.limits.connections) refuse(c, 503, "This server has no room for another connection.");
}

void net_conns_drain(struct net_server *s)
{
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->state != HEAD || c->head_begun) continue;
        if (evbuffer_get_length(bufferevent_get_output(c->bev)))
            close_after_output(c); /* its answer has not gone out yet */
        else
            conn_close(c);
    }
}

void net_conns_close(struct net_server *s)
{
    while (s->conns) conn_close(s->conns);
}

/* ---- exchanges ---- */

const struct net_head *net_exchange_head(const struct net_exchange *x) { return &x->head; }
struct str net_exchange_body(const struct net_exchange *x)
{
    return x->body.data ? (struct str){x->body.data, x->body.len} : STR("");
}
struct buf net_exchange_take_body(struct net_exchange *x)
{
    struct buf b = x->body;
    buf_init(&x->body, b.max);
    return b;
}
const char *net_exchange_peer(const struct net_exchange *x) { return conn_of(x)->peer; }
void net_exchange_set_user(struct net_exchange *x, void *user, void (*on_close)(struct net_exchange *, void *))
{
    x->user = user;
    x->on_close = on_close;
}

void net_exchange_header(struct net_exchange *x, const char *name, const char *value)
{
    for (const char *v = value; *v; v++)
        if ((unsigned char)*v < ' ' || *v == 0x7f) return;
    if (x->extra.len + strlen(name) + strlen(value) + 5 < EXTRA_MAX) buf_fmt(&x->extra, "%s: %s\r\n", name, value);
}

void net_exchange_reply(struct net_exchange *x, int status, const char *type, const void *body, size_t n)
{
    struct conn *c = conn_of(x);
    if (!x->active) return;
    if (c->server->draining) c->keep_alive = false;
    c->hold++;
    write_head(c, status, type, (int64_t)n);
    if (n && !x->no_body) bufferevent_write(c->bev, body, n);
    answered(c);
    conn_release(c);
}

void net_exchange_stream(struct net_exchange *x, int status, const char *type)
{
    struct conn *c = conn_of(x);
    if (!x->active) return;
    if (c->server->draining || x->head.minor == 0) c->keep_alive = false;
    x->streaming = true;
    x->chunked = x->head.minor == 1;
    net_exchange_header(x, "Cache-Control", "no-cache");
    write_head(c, status, type, -1);
}

bool net_exchange_add(struct net_exchange *x, const void *bytes, size_t n)
{
    struct conn *c = conn_of(x);
    if (!x->active) return false;
    if (n == 0 || x->no_body) return true;
    struct evbuffer *out = bufferevent_get_output(c->bev);
    if (x->chunked) evbuffer_add_printf(out, "%zx\r\n", n);
    evbuffer_add(out, bytes, n);
    if (x->chunked) evbuffer_add(out, "\r\n", 2);
    if (evbuffer_get_length(out) <= c->server->p.limits.output_bytes) return true;
    c->server->counts.cut++;
    conn_close(c);
    return false;
}

void net_exchange_end(struct net_exchange *x)
{
    struct conn *c = conn_of(x);
    if (!x->active) return;
    c->hold++;
    if (x->chunked && !x->no_body) bufferevent_write(c->bev, "0\r\n\r\n", 5);
    answered(c);
    conn_release(c);
}
