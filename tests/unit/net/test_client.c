/* The asynchronous client (net_client.h) against an upstream of plain sockets: answers, streams, every way a call can
 * end, cancelling from each callback, connections used again, the rules. */
#include "fake_upstream.h"
#include "base_clock.h"
#include "base_mem.h"
#include "net_client.h"
#include "net_server.h"
#include <setjmp.h>
#include <cmocka.h>

static struct fake_up up;
static struct net_client *client;

static bool path_is(const char *head, const char *path)
{
    const char *at = strchr(head, ' ');
    return at && strncmp(at + 1, path, strlen(path)) == 0 && at[1 + strlen(path)] == ' ';
}

static bool answer(struct fake_up *u, int fd, const char *head, const char *body)
{
    if (path_is(head, "/echo")) {
        fake_sendf(fd,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Request-Id: r1\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
        return true;
    }
    if (path_is(head, "/head")) { /* what was sent */
        fake_json(fd, 200, "", head);
        return true;
    }
    if (path_is(head, "/busy")) {
        fake_json(fd, 429, "Retry-After: 7\r\n", "{}");
        return true;
    }
    if (path_is(head, "/busy_ms")) {
        fake_json(fd, 429, "retry-after-ms: 1500\r\n", "{}");
        return true;
    }
    if (path_is(head, "/moved")) {
        fake_sendf(fd, "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%d/echo\r\nContent-Length: 0\r\n\r\n", u->port);
        return true;
    }
    if (path_is(head, "/continue")) {
        fake_send(fd, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        return true;
    }
    if (path_is(head, "/stream")) {
        fake_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 5; i++) {
            fake_send(fd, "3\r\nabc\r\n");
            fake_sleep(0.01);
        }
        fake_send(fd, "0\r\n\r\n");
        return true;
    }
    if (path_is(head, "/cut")) {
        fake_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        fake_sleep(0.02);
        return false;
    }
    if (path_is(head, "/short")) {
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        return false;
    }
    if (path_is(head, "/silent")) {
        fake_sleep(1);
        return false;
    }
    if (path_is(head, "/stall")) {
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        fake_sleep(1);
        return false;
    }
    if (path_is(head, "/big")) {
        fake_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 100; i++) fake_send(fd, "10\r\n0123456789abcdef\r\n");
        fake_send(fd, "0\r\n\r\n");
        return true;
    }
    if (path_is(head, "/garbage")) fake_send(fd, "I am no server\r\n\r\n");
    return false; /* also "/drop" */
}

struct seen {
    int n_heads, n_ends;
    struct net_call_head head;
    struct net_call_end end;
    char body[4096];
    size_t n;
    struct net_call *call;   /* to cancel */
    struct net_call *victim; /* another one */
    int cancel_in;           /* 1: head, 2: body */
    bool refuse;             /* on_body says false */
    const char *then;        /* on_end and on_body send this path once */
    struct seen *next;
};

static void send_to(struct seen *s, const char *path, const char *body, struct net_call_params p);

static bool on_head(void *user, const struct net_call_head *h)
{
    struct seen *s = user;
    s->n_heads++;
    s->head = *h;
    if (s->cancel_in == 1) net_call_cancel(s->call);
    if (s->victim) net_call_cancel(s->victim);
    s->victim = NULL;
    return true;
}

static bool on_body(void *user, const void *bytes, size_t n)
{
    struct seen *s = user;
    if (s->n + n < sizeof s->body) memcpy(s->body + s->n, bytes, n);
    s->n += n;
    if (s->cancel_in == 2) net_call_cancel(s->call);
    if (s->next && s->then) {
        const char *path = s->then;
        s->then = NULL;
        send_to(s->next, path, "from within", (struct net_call_params){0});
    }
    return !s->refuse;
}

static void on_end(void *user, const struct net_call_end *e)
{
    struct seen *s = user;
    s->n_ends++;
    s->end = *e;
    s->call = NULL;
}

static void send_to(struct seen *s, const char *path, const char *body, struct net_call_params p)
{
    char url[256];
    struct err e = {0};
    if (p.url)
        snprintf(url, sizeof url, "%s", p.url);
    else
        snprintf(url, sizeof url, "http://127.0.0.1:%d%s", up.port, path);
    p.url = url;
    p.body = body;
    p.n_body = body ? strlen(body) : 0;
    p.user = s;
    p.on_head = on_head;
    p.on_body = on_body;
    p.on_end = on_end;
    if (net_client_send(client, &p, &s->call, &e)) fail_msg("%s", e.msg);
}

static void run(void) { assert_true(net_client_run(client, 10)); }

static enum net_end end_of(const char *path, struct net_call_params p)
{
    struct seen s = {0};
    send_to(&s, path, "x", p);
    run();
    assert_int_equal(s.n_ends, 1);
    assert_true((s.end.end == NET_END_OK) == (s.end.err.code == 0));
    if (s.end.end) assert_true(s.end.err.msg[0] != 0);
    return s.end.end;
}

static void answers(void **state)
{
    struct seen s = {0};
    send_to(&s, "/echo", "hello", (struct net_call_params){0});
    assert_int_equal(s.n_ends, 0);
    run();
    assert_int_equal(s.n_heads, 1);
    assert_int_equal(s.n_ends, 1);
    assert_int_equal(s.end.end, NET_END_OK);
    assert_int_equal(s.head.status, 200);
    assert_string_equal(s.head.type, "text/plain");
    assert_string_equal(s.head.request_id, "r1");
    assert_true(s.head.retry_after_s < 0);
    assert_string_equal(s.body, "hello");
    assert_true(s.end.head_s > 0 && s.end.all_s >= s.end.head_s);

    struct seen c = {0}; /* an interim answer is not the answer */
    send_to(&c, "/continue", NULL, (struct net_call_params){0});
    run();
    assert_int_equal(c.n_heads, 1);
    assert_int_equal(c.head.status, 200);
    assert_string_equal(c.body, "ok");
}

static void sends_headers(void **state)
{
    struct seen s = {0};
    struct net_field f[] = {{"Content-Type", "application/json", false}, {"x-api-key", "secret-7", true}};
    send_to(&s, "/head", "{}", (struct net_call_params){.fields = f, .n_fields = 2});
    run();
    assert_non_null(strstr(s.body, "POST /head HTTP/1.1"));
    assert_non_null(strstr(s.body, "x-api-key: secret-7\r\n"));
    assert_non_null(strstr(s.body, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(s.body, "User-Agent: croft/"));
    assert_null(strstr(s.body, "Expect:"));
    struct seen g = {0};
    send_to(&g, "/head", NULL, (struct net_call_params){0});
    run();
    assert_non_null(strstr(g.body, "GET /head HTTP/1.1"));
    struct err e = {0};
    struct net_field bad = {"X", "a\r\nInjected: b", false};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/head", up.port);
    struct net_call_params p = {.url = url, .fields = &bad, .n_fields = 1};
    assert_int_equal(net_client_send(client, &p, NULL, &e), CROFT_E_USAGE);
}

static void statuses(void **state)
{
    struct seen s = {0}, m = {0}, r = {0};
    send_to(&s, "/busy", "x", (struct net_call_params){0});
    send_to(&m, "/busy_ms", "x", (struct net_call_params){0});
    send_to(&r, "/moved", "x", (struct net_call_params){0});
    int before = atomic_load(&up.n_requests);
    run();
    assert_int_equal(s.end.end, NET_END_OK);
    assert_int_equal(s.end.status, 429);
    assert_true(s.head.retry_after_s == 7);
    assert_true(m.head.retry_after_s == 1.5);
    assert_int_equal(r.end.status, 307); /* the answer: nothing went on to where it points */
    assert_int_equal(atomic_load(&up.n_requests) - before, 3);
}

static void streams(void **state)
{
    struct seen s = {0};
    send_to(&s, "/stream", "x", (struct net_call_params){.stall_s = 0.5, .answer_s = 0.5});
    run();
    assert_int_equal(s.end.end, NET_END_OK);
    assert_string_equal(s.body, "abcabcabcabcabc");
}

static void ends(void **state)
{
    struct net_call_params none = {0};
    assert_int_equal(end_of("/cut", none), NET_END_RESET);
    assert_int_equal(end_of("/short", none), NET_END_RESET);
    assert_int_equal(end_of("/drop", none), NET_END_RESET);
    assert_int_equal(end_of("/garbage", none), NET_END_RESET);
    assert_int_equal(end_of("/silent", (struct net_call_params){.answer_s = 0.1}), NET_END_TIMEOUT);
    assert_int_equal(end_of("/silent", (struct net_call_params){.deadline_s = 0.1}), NET_END_TIMEOUT);
    assert_int_equal(end_of("/stall", (struct net_call_params){.stall_s = 0.1}), NET_END_STALL);
    assert_int_equal(end_of("/stall", (struct net_call_params){.deadline_s = 0.2, .answer_s = 0.1}), NET_END_TIMEOUT);
    assert_int_equal(end_of("/big", (struct net_call_params){.max_bytes = 100}), NET_END_TOO_LARGE);
    assert_int_equal(end_of("/big", (struct net_call_params){.max_bytes = 1600}), NET_END_OK);
    assert_int_equal(end_of("/x", (struct net_call_params){.url = "http://127.0.0.1:1/"}), NET_END_CONNECT);
    assert_int_equal(end_of("/x", (struct net_call_params){.url = "https://no-such-host.invalid/"}), NET_END_RESOLVE);
    char url[64]; /* TLS spoken to one who does not know it */
    snprintf(url, sizeof url, "https://127.0.0.1:%d/garbage", up.port);
    assert_int_equal(end_of("/x", (struct net_call_params){.url = url, .deadline_s = 2}), NET_END_TIMEOUT);
    struct seen s = {.refuse = true};
    send_to(&s, "/stream", "x", none);
    run();
    assert_int_equal(s.end.end, NET_END_STOPPED);
}

static void cancels(void **state)
{
    struct seen now = {0}, head = {.cancel_in = 1}, body = {.cancel_in = 2}, victim = {0}, other = {0};
    send_to(&now, "/echo", "x", (struct net_call_params){0});
    net_call_cancel(now.call);
    send_to(&head, "/echo", "x", (struct net_call_params){0});
    send_to(&body, "/stream", "x", (struct net_call_params){0});
    send_to(&victim, "/silent", "x", (struct net_call_params){0});
    send_to(&other, "/echo", "x", (struct net_call_params){0});
    other.victim = victim.call;
    run();
    assert_int_equal(now.n_ends + head.n_ends + body.n_ends + victim.n_ends, 0);
    assert_int_equal(head.n, 0);
    assert_int_equal(body.n, 3);
    assert_int_equal(other.n_ends, 1);
    assert_int_equal(net_client_calls(client), 0);
}

static void sends_from_within(void **state)
{
    struct seen second = {0}, first = {.then = "/echo", .next = &second};
    send_to(&first, "/stream", "x", (struct net_call_params){0});
    run();
    assert_int_equal(first.n_ends, 1);
    assert_int_equal(second.n_ends, 1);
    assert_string_equal(second.body, "from within");
}

static void reuses_connections(void **state)
{
    int before = atomic_load(&up.n_connections);
    for (int i = 0; i < 20; i++) {
        struct seen s = {0};
        send_to(&s, "/echo", "x", (struct net_call_params){0});
        run();
        if (i) assert_true(s.end.reused);
    }
    assert_true(atomic_load(&up.n_connections) - before <= 1);
}

static void many_at_once(void **state)
{
    static struct seen s[200];
    memset(s, 0, sizeof s);
    for (int i = 0; i < 200; i++) send_to(&s[i], i % 3 ? "/echo" : "/stream", "abc", (struct net_call_params){0});
    run();
    for (int i = 0; i < 200; i++) {
        assert_int_equal(s[i].n_ends, 1);
        assert_int_equal(s[i].end.end, NET_END_OK);
        assert_int_equal(s[i].n, i % 3 ? 3 : 15);
    }
}

static void rules(void **state)
{
    struct err e = {0};
    struct net_field key = {"Authorization", "Bearer k", true};
    struct net_call_params p = {.url = "http://192.0.2.1/v1", .body = "x", .n_body = 1};
    assert_int_equal(net_client_send(client, &p, NULL, &e), CROFT_E_DENIED);
    p.insecure_http = true;
    p.fields = &key;
    p.n_fields = 1;
    assert_int_equal(net_client_send(client, &p, NULL, &e), CROFT_E_DENIED);
    assert_null(strstr(e.msg, "Bearer k"));
    p.url = "file:///etc/passwd";
    assert_int_equal(net_client_send(client, &p, NULL, &e), CROFT_E_USAGE);
    p.url = "https://user:pw@example.com/";
    assert_int_equal(net_client_send(client, &p, NULL, &e), CROFT_E_USAGE);
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* a proxy is never asked about this machine */
    assert_int_equal(end_of("/echo", (struct net_call_params){0}), NET_END_OK);
    unsetenv("http_proxy");
}

static int n_fired;
static void on_fire(void *user) { n_fired++; }

static void timers(void **state)
{
    struct net_timer *a = net_timer_new(client, on_fire, NULL), *b = net_timer_new(client, on_fire, NULL);
    net_timer_set(a, 0.02);
    net_timer_set(b, 0.01);
    net_timer_set(b, -1);
    assert_true(net_client_run(client, 2));
    assert_int_equal(n_fired, 1);
    net_timer_set(a, 5);
    assert_false(net_client_run(client, 0.02));
    net_timer_free(a);
    net_timer_free(b);
    assert_true(net_client_run(client, 0.02));
}

static void freeing_ends_all(void **state)
{
    struct seen s[3] = {{0}};
    for (int i = 0; i < 3; i++) send_to(&s[i], "/silent", "x", (struct net_call_params){0});
    net_client_run(client, 0.05);
    net_client_free(client);
    for (int i = 0; i < 3; i++) assert_int_equal(s[i].end.end, NET_END_CANCELLED);
    struct err e;
    assert_int_equal(net_client_new(NULL, NULL, &client, &e), 0);
}

static void without_memory(void **state)
{
    for (int n = 1; n < 40; n++) {
        struct seen s = {0};
        struct err e = {0};
        struct net_client *own = NULL;
        mem_fail_nth(n);
        int rc = net_client_new(NULL, NULL, &own, &e);
        if (rc == 0) {
            char url[64];
            snprintf(url, sizeof url, "http://127.0.0.1:%d/echo", up.port);
            struct net_field f = {"A", "b", false};
            struct net_call_params p = {
                .url = url, .body = "x", .n_body = 1, .user = &s, .on_end = on_end, .fields = &f, .n_fields = 1};
            rc = net_client_send(own, &p, NULL, &e);
            if (rc == 0) net_client_run(own, 5);
            assert_int_equal(s.n_ends, rc == 0);
        }
        mem_fail_nth(0);
        if (rc) assert_true(rc == CROFT_E_NOMEM || rc == CROFT_E_USAGE);
        net_client_free(own);
    }
}

/* On the loop of a server: a request to it is forwarded, and answered by a post of the same loop. */
static struct net_server *server;
static struct net_client *on_server;
static void forwarded(void *user, const struct net_call_end *e)
{
    net_exchange_reply(user, e->status, "text/plain", "forwarded", 9);
}
static void forward(void *user, struct net_exchange *x)
{
    char url[64];
    struct err e;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/echo", up.port);
    struct net_call_params p = {.url = url, .body = "y", .n_body = 1, .user = x, .on_end = forwarded};
    if (net_client_send(on_server, &p, NULL, &e)) net_exchange_reply(x, 500, "text/plain", "", 0);
}
static void refuse(void *user, int status, const char *sentence, struct buf *out) {}
static void *serve(void *arg)
{
    struct err e;
    return (void *)(intptr_t)net_server_run(server, &e);
}
static void on_a_server(void **state)
{
    struct err e = {0};
    pthread_t loop;
    struct net_server_params p = {.loopback_only = true, .on_request = forward, .on_refuse = refuse};
    assert_int_equal(net_server_new(&p, &server, &e), 0);
    assert_int_equal(net_client_new(server, NULL, &on_server, &e), 0);
    pthread_create(&loop, NULL, serve, NULL);
    for (int i = 0; i < 3; i++) {
        struct seen s = {0};
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%d/", net_server_port(server));
        send_to(&s, "/", "x", (struct net_call_params){.url = url});
        run();
        assert_string_equal(s.body, "forwarded");
    }
    net_server_stop(server);
    pthread_join(loop, NULL);
    net_client_free(on_server);
    net_server_free(server);
}

int main(void)
{
    struct err e = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(sends_headers),
        cmocka_unit_test(statuses),
        cmocka_unit_test(streams),
        cmocka_unit_test(ends),
        cmocka_unit_test(cancels),
        cmocka_unit_test(timers),
        cmocka_unit_test(sends_from_within),
        cmocka_unit_test(reuses_connections),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(rules),
        cmocka_unit_test(freeing_ends_all),
        cmocka_unit_test(on_a_server),
        cmocka_unit_test(without_memory),
    };
    fake_up_start(&up, answer, NULL);
    if (net_client_new(NULL, NULL, &client, &e)) return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    net_client_free(client);
    fake_up_stop(&up);
    return rc;
}
