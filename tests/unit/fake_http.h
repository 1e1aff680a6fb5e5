/* A small HTTP server inside a test: one thread, one connection at a time, each answered by the test's own
 * function and then closed. The function gets the request's head and writes the whole answer, headers
 * included. */
#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H

#include "base_buf.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_http {
    int fd, port, n_requests;
    pthread_t thread;
    void (*answer)(struct fake_http *h, const char *request, struct buf *out);
    void *arg;
    char last[4096]; /* the last request's head */
};

static void *fake_http_loop(void *p)
{
    struct fake_http *h = p;
    for (int c; (c = accept(h->fd, NULL, NULL)) >= 0; close(c)) {
        size_t n = 0;
        ssize_t k;
        h->last[0] = 0;
        while (n < sizeof h->last - 1 && !strstr(h->last, "\r\n\r\n") &&
               (k = read(c, h->last + n, sizeof h->last - 1 - n)) > 0)
            h->last[n += (size_t)k] = 0;
        struct buf out;
        buf_init(&out, 1 << 20);
        h->n_requests++;
        h->answer(h, h->last, &out);
        for (size_t at = 0; at < out.len; at += (size_t)k)
            if ((k = send(c, out.data + at, out.len - at, MSG_NOSIGNAL)) <= 0) break;
        buf_done(&out);
    }
    return NULL;
}

static void fake_http_start(struct fake_http *h,
                            void (*answer)(struct fake_http *, const char *, struct buf *), void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *h = (struct fake_http){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer, .arg = arg};
    if (bind(h->fd, (struct sockaddr *)&a, n) || listen(h->fd, 16) ||
        getsockname(h->fd, (struct sockaddr *)&a, &n))
        abort();
    h->port = ntohs(a.sin_port);
    if (pthread_create(&h->thread, NULL, fake_http_loop, h)) abort();
}

static void fake_http_stop(struct fake_http *h)
{
    shutdown(h->fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->fd);
}

#endif
