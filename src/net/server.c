/* The server (net_server.h): a listening socket, the loop, work posted by other threads, and how it ends.
 *
 * Posts are a stack that any thread pushes to with one compare-and-swap; the loop takes the whole stack at once and
 * turns it round. Whoever pushes onto an empty stack writes the eventfd that wakes the loop, so a busy scheduler
 * costs a system call per wake, not per post. Drain and stop set an atomic and write the same eventfd: both are safe
 * in a signal handler.
 *
 * Threads: net_server_post, _drain, _stop from any; all else from the thread of net_server_run.
 * Read next: conn.c (connections), tls.c. */
#include "base_log.h"
#include "base_mem.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake_up(struct net_server *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof one);
    (void)n; /* a full counter wakes as well */
}

void net_server_post(struct net_server *s, struct net_post *p)
{
    struct net_post *head = atomic_load_explicit(&s->posts, memory_order_relaxed);
    do p->next = head;
    while (!atomic_compare_exchange_weak_explicit(&s->posts, &head, p, memory_order_release, memory_order_relaxed));
    if (!head) wake_up(s);
}

void net_server_drain(struct net_server *s, double limit_s)
{
    atomic_store(&s->drain_limit_ms, (uint64_t)(limit_s * 1000));
    int running = NET_RUNNING;
    atomic_compare_exchange_strong(&s->ending, &running, NET_DRAIN);
    wake_up(s);
}

void net_server_stop(struct net_server *s)
{
    atomic_store(&s->ending, NET_STOP);
    wake_up(s);
}

static void on_drain_end(evutil_socket_t fd, short what, void *arg)
{
    event_base_loopbreak(((struct net_server *)arg)->base);
}

static void begin_drain(struct net_server *s)
{
    uint64_t ms = atomic_load(&s->drain_limit_ms);
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};
    s->draining = true;
    evconnlistener_free(s->listener);
    s->listener = NULL;
    net_conns_drain(s);
    if (!s->conns)
        event_base_loopexit(s->base, NULL);
    else
        evtimer_add(s->drain_end, &tv);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct net_server *s = arg;
    uint64_t n;
    ssize_t got = read(fd, &n, sizeof n);
    (void)got;
    struct net_post *p = atomic_exchange_explicit(&s->posts, NULL, memory_order_acquire), *ordered = NULL;
    while (p) {
        struct net_post *next = p->next;
        p->next = ordered;
        ordered = p;
        p = next;
    }
    while (ordered) {
        struct net_post *next = ordered->next;
        ordered->fn(ordered); /* may post again, or free itself */
        ordered = next;
    }
    int ending = atomic_load(&s->ending);
    if (ending == NET_STOP)
        event_base_loopbreak(s->base);
    else if (ending == NET_DRAIN && !s->draining)
        begin_drain(s);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct net_server *s = arg;
    s->every(s->every_user);
}

int net_server_every(struct net_server *s, double seconds, void (*fn)(void *), void *user, struct err *e)
{
    struct timeval tv = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    s->every = fn;
    s->every_user = user;
    s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
    return s->tick && event_add(s->tick, &tv) == 0 ? 0 : err_nomem(e, 0);
}

/* ---- listening ---- */

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int n, void *arg)
{
    net_conn_new(arg, fd, peer);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct net_server *s = arg;
    if (s->listener) evconnlistener_enable(s->listener);
}

/* Out of file descriptors, mostly: the socket stays readable, so without a pause the loop would spin. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct net_server *s = arg;
    struct timeval pause = {0, 100000};
    log_warn("a connection could not be accepted: %s", strerror(errno));
    evconnlistener_disable(l);
    evtimer_add(s->accept_again, &pause);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
    return a->sa_family == AF_INET && ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
}

static void note_address(struct net_server *s)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[INET6_ADDRSTRLEN] = "?";
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &n)) return;
    bool v6 = a.ss_family == AF_INET6;
    s->port = ntohs(v6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
    inet_ntop(a.ss_family,
              v6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr : (void *)&((struct sockaddr_in *)&a)->sin_addr,
              host, sizeof host);
    snprintf(s->address, sizeof s->address, v6 ? "[%s]:%d" : "%s:%d", host, s->port);
}

static int listen_on(struct net_server *s, struct err *e)
{
    const char *host = s->p.host ? s->p.host : "127.0.0.1";
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char port[16];
    snprintf(port, sizeof port, "%d", s->p.port);
    int failed = getaddrinfo(host, port, &want, &found);
    if (failed) return ERR(e, USAGE, "The address '%.80s' cannot be used: %s.", host, gai_strerror(failed));
    int rc = 0;
    if (s->p.loopback_only && !is_loopback(found->ai_addr)) {
        rc = ERR(e, DENIED, "The address '%.80s' can be reached from other machines.", host);
    } else {
        s->listener = evconnlistener_new_bind(s->base, on_accept, s,
                                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, 1024,
                                              found->ai_addr, (int)found->ai_addrlen);
        if (!s->listener)
            rc = ERR(e, IO, "Cannot listen on %.80s port %d: %s. Choose another with --port.", host, s->p.port,
                     strerror(errno));
    }
    freeaddrinfo(found);
    if (rc) return rc;
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    note_address(s);
    return 0;
}

static void fill_limits(struct net_limits *l)
{
    if (!l->header_bytes) l->header_bytes = 32 << 10;
    if (!l->body_bytes) l->body_bytes = 8 << 20;
    if (!l->bodies_bytes) l->bodies_bytes = 64 * l->body_bytes;
    if (!l->output_bytes) l->output_bytes = 1 << 20;
    if (!l->connections) l->connections = 4096;
    if (l->header_s <= 0) l->header_s = 10;
    if (l->body_s <= 0) l->body_s = 60;
    if (l->idle_s <= 0) l->idle_s = 120;
    if (l->write_s <= 0) l->write_s = 30;
}

int net_server_new(const struct net_server_params *p, struct net_server **out, struct err *e)
{
    struct net_server *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->p = *p;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fill_limits(&s->p.limits);
    int rc = s->wake_fd < 0 ? err_errno(e, errno, "make", "an eventfd") : 0;
    struct event_config *config = rc ? NULL : event_config_new();
    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        s->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (s->base) {
        s->wake = event_new(s->base, s->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
        s->accept_again = evtimer_new(s->base, on_accept_again, s);
        s->drain_end = evtimer_new(s->base, on_drain_end, s);
    }
    if (rc == 0 && (!s->base || !s->wake || !s->accept_again || !s->drain_end || event_add(s->wake, NULL)))
        rc = err_nomem(e, 0);
    if (rc == 0 && p->tls_cert) rc = net_server_tls(s, p->tls_cert, p->tls_key, e);
    if (rc == 0) rc = listen_on(s, e);
    if (rc)
        net_server_free(s);
    else
        *out = s;
    return rc;
}

int net_server_run(struct net_server *s, struct err *e)
{
    signal(SIGPIPE, SIG_IGN); /* a client that left is an error of a write, not of the program */
    int rc = event_base_dispatch(s->base) < 0 ? ERR(e, INTERNAL, "The event loop failed.") : 0;
    net_conns_close(s);
    return rc;
}

void net_server_posts(struct net_server *s, double wait_s)
{
    struct pollfd p = {.fd = s->wake_fd, .events = POLLIN};
    if (poll(&p, 1, (int)(wait_s * 1e3)) > 0) on_wake(s->wake_fd, 0, s);
}

void net_server_free(struct net_server *s)
{
    if (!s) return;
    net_conns_close(s);
    if (s->listener) evconnlistener_free(s->listener);
    struct event *events[] = {s->wake, s->tick, s->accept_again, s->drain_end};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i]) event_free(events[i]);
    net_tls_free(s->tls);
    if (s->base) event_base_free(s->base);
    if (s->wake_fd >= 0) close(s->wake_fd);
    mem_free(s);
}

const char *net_server_address(const struct net_server *s) { return s->address; }
int net_server_port(const struct net_server *s) { return s->port; }
void net_server_counts(const struct net_server *s, struct net_counts *out) { *out = s->counts; }
