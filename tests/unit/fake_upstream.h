/* An upstream inside a test, over plain sockets: a thread a connection, connections kept. The test's own function
 * gets a whole request and the socket, writes what it likes, and says whether the connection goes on. */
#ifndef FAKE_UPSTREAM_H
#define FAKE_UPSTREAM_H

#include "base_buf.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct fake_up {
    int fd, port;
    pthread_t thread;
    atomic_int n_connections, n_requests, n_open;
    /* head: NUL-terminated; false closes the connection. */
    bool (*answer)(struct fake_up *u, int fd, const char *head, const char *body);
    void *arg;
};
struct fake_up_conn {
    struct fake_up *u;
    int fd;
};

static void fake_send(int fd, const char *text)
{
    for (size_t n = strlen(text), at = 0; at < n;) {
        ssize_t k = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (k <= 0) return;
        at += (size_t)k;
    }
}

static void fake_sendf(int fd, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fake_sendf(int fd, const char *fmt, ...)
{
    static _Thread_local char text[1 << 16];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fake_send(fd, text);
}

/* A whole answer with a body of JSON. */
static void fake_json(int fd, int status, const char *headers, const char *body)
{
    fake_sendf(fd, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", status,
               headers, strlen(body), body);
}

static void fake_sleep(double s)
{
    nanosleep(&(struct timespec){(time_t)s, (long)((s - (double)(time_t)s) * 1e9)}, NULL);
}

static void *fake_up_connection(void *p)
{
    struct fake_up_conn *c = p;
    size_t max = 1 << 20, n = 0;
    char *text = malloc(max + 1), *end = NULL;
    for (bool on = true; on;) {
        ssize_t k = 1;
        text[n] = 0;
        while (!(end = strstr(text, "\r\n\r\n")) && n < max && (k = recv(c->fd, text + n, max - n, 0)) > 0)
            text[n += (size_t)k] = 0;
        if (!end) break;
        const char *length = strcasestr(text, "\r\ncontent-length:");
        size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0, head = (size_t)(end + 4 - text);
        while (n < head + body && n < max && (k = recv(c->fd, text + n, max - n, 0)) > 0) text[n += (size_t)k] = 0;
        if (n < head + body) break;
        end[2] = 0;
        char *copy = strndup(text + head, body);
        atomic_fetch_add(&c->u->n_requests, 1);
        on = c->u->answer(c->u, c->fd, text, copy);
        free(copy);
        memmove(text, text + head + body, n - head - body);
        n -= head + body;
    }
    close(c->fd);
    free(text);
    atomic_fetch_sub(&c->u->n_open, 1);
    free(c);
    return NULL;
}

static void *fake_up_loop(void *p)
{
    struct fake_up *u = p;
    for (int fd; (fd = accept(u->fd, NULL, NULL)) >= 0;) {
        pthread_t t;
        struct fake_up_conn *c = malloc(sizeof *c);
        *c = (struct fake_up_conn){u, fd};
        atomic_fetch_add(&u->n_connections, 1);
        atomic_fetch_add(&u->n_open, 1);
        if (pthread_create(&t, NULL, fake_up_connection, c)) abort();
        pthread_detach(t);
    }
    return NULL;
}

static void fake_up_start(struct fake_up *u, bool (*answer)(struct fake_up *, int, const char *, const char *),
                          void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    memset(u, 0, sizeof *u);
    u->fd = socket(AF_INET, SOCK_STREAM, 0);
    u->answer = answer;
    u->arg = arg;
    if (bind(u->fd, (struct sockaddr *)&a, n) || listen(u->fd, 64) || getsockname(u->fd, (struct sockaddr *)&a, &n))
        abort();
    u->port = ntohs(a.sin_port);
    if (pthread_create(&u->thread, NULL, fake_up_loop, u)) abort();
}

/* After the clients are gone: waits for the connections' threads. */
static void fake_up_stop(struct fake_up *u)
{
    shutdown(u->fd, SHUT_RDWR);
    pthread_join(u->thread, NULL);
    close(u->fd);
    for (int i = 0; i < 500 && atomic_load(&u->n_open); i++) fake_sleep(0.01);
}

#endif
