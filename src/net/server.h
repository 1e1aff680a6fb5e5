/* The server's insides, shared by server.c (listening, posts, ending), conn.c (connections) and tls.c. */
#ifndef NET_SERVER_PRIVATE_H
#define NET_SERVER_PRIVATE_H

#include "net_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdatomic.h>

struct ssl_ctx_st;
struct ssl_st;

struct net_server {
    struct net_server_params p; /* limits filled in; strings not kept */
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *wake, *tick, *accept_again, *drain_end;
    struct ssl_ctx_st *tls;
    int wake_fd;                      /* eventfd: there are posts, or `ending` changed */
    _Atomic(struct net_post *) posts; /* newest first */
    atomic_int ending;                /* enum ending */
    _Atomic uint64_t drain_limit_ms;
    void (*every)(void *user);
    void *every_user;
    struct conn *conns; /* all of them */
    struct net_counts counts;
    uint64_t bodies_bytes; /* read for requests that are not answered yet */
    bool draining;
    char address[96];
    int port;
};
enum ending { NET_RUNNING, NET_DRAIN, NET_STOP };

/* Takes the socket. */
void net_conn_new(struct net_server *s, evutil_socket_t fd, const struct sockaddr *peer);
/* Close those that wait for a request; the others end after their answer. */
void net_conns_drain(struct net_server *s);
void net_conns_close(struct net_server *s);

int net_tls_new(const char *cert, const char *key, struct ssl_ctx_st **out, struct err *e) ERR_CHECK;
void net_tls_free(struct ssl_ctx_st *ctx);
struct bufferevent *net_tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, evutil_socket_t fd);

#endif
