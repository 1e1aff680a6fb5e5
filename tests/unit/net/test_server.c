/* The server (net_server.h) against a client of plain sockets: keep-alive, pipelining, limits, clients that leave,
 * slow readers, posts from other threads, draining. */
#include "base_clock.h"
#include "net_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <stdatomic.h>
#include <unistd.h>

static struct net_server *server;
static pthread_t loop;
static atomic_int n_left, n_asked;
static struct net_exchange *_Atomic held; /* a request to /hold */
static char large[16 << 20];

static void on_left(struct net_exchange *x, void *user)
{
    atomic_store(&held, NULL);
    atomic_fetch_add(&n_left, 1);
}

static void on_request(void *user, struct net_exchange *x)
{
    const struct net_head *h = net_exchange_head(x);
    struct str body = net_exchange_body(x);
    static char block[65536];
    atomic_fetch_add(&n_asked, 1);
    if (str_eqz(h->path, "/hold") || str_eqz(h->path, "/stream")) {
        net_exchange_set_user(x, NULL, on_left);
        if (str_eqz(h->path, "/stream")) {
            net_exchange_stream(x, 200, "text/event-stream");
            if (!net_exchange_add(x, "one", 3)) return;
        }
        atomic_store(&held, x);
    } else if (str_eqz(h->path, "/big")) {
        for (size_t i = 0; i < sizeof large; i++) large[i] = (char)('a' + i % 23);
        net_exchange_reply(x, 200, "text/plain", large, sizeof large);
    } else if (str_eqz(h->path, "/flood")) {
        net_exchange_set_user(x, NULL, on_left);
        net_exchange_stream(x, 200, "text/plain");
        while (net_exchange_add(x, block, sizeof block)) {
        }
    } else {
        net_exchange_header(x, "X-Bad", "a\r\nb");
        net_exchange_reply(x, 200, "text/plain", body.p, body.n);
    }
}

static void on_refuse(void *user, int status, const char *sentence, struct buf *out)
{
    buf_fmt(out, "%d %s", status, sentence);
}

static void *run(void *arg)
{
    struct err e;
    return (void *)(intptr_t)net_server_run(server, &e);
}

static int start(void **state)
{
    struct err e = {0};
    struct net_server_params p = {.loopback_only = true,
                                  .on_request = on_request,
                                  .on_refuse = on_refuse,
                                  .limits = {.body_bytes = 1000,
                                             .bodies_bytes = 1500,
                                             .header_bytes = 2048,
                                             .output_bytes = 100000,
                                             .header_s = 0.3,
                                             .body_s = 0.3,
                                             .idle_s = 0.5,
                                             .connections = 20}};
    if (net_server_new(&p, &server, &e)) fail_msg("%s", e.msg);
    atomic_store(&n_left, 0);
    return pthread_create(&loop, NULL, run, NULL);
}

static int finish(void **state)
{
    net_server_stop(server);
    pthread_join(loop, NULL);
    net_server_free(server);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)net_server_port(server)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What arrives until `until` is in it, or the end. */
static const char *hear(int fd, const char *until)
{
    static char text[65536];
    size_t n = 0;
    ssize_t k;
    text[0] = 0;
    while (n < sizeof text - 1 && !(until && strstr(text, until)) &&
           (k = read(fd, text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)k;
        text[n] = 0;
    }
    return text;
}

static void wait_for(atomic_int *counter, int value)
{
    for (int i = 0; i < 500 && atomic_load(counter) < value; i++) usleep(10000);
    assert_int_equal(atomic_load(counter), value);
}

static void test_keep_alive_and_pipelining(void **state)
{
    int fd = dial();
    say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    assert_non_null(strstr(hear(fd, "hi"), "Content-Length: 2\r\n\r\nhi"));
    say(fd, "\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\noneHEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: "
            "close\r\n\r\n3\r\ntwo\r\n0\r\n\r\n");
    const char *answer = hear(fd, NULL), *one = strstr(answer, "one"), *two = strstr(answer, "two");
    assert_true(one && two && one < two);
    assert_non_null(strstr(answer, "Connection: close"));
    assert_null(strstr(answer, "X-Bad"));
    close(fd);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *send, *status;
    } cases[] = {
        {"GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 408"},                              /* never ends */
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 408"}, /* nor does this body */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial();
        say(fd, cases[i].send);
        if (strncmp(hear(fd, NULL), cases[i].status, strlen(cases[i].status)) != 0) fail_msg("%s", cases[i].send);
        close(fd);
    }
    char big[4096];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    int fd = dial();
    say(fd, big);
    assert_int_equal(strncmp(hear(fd, NULL), "HTTP/1.1 431", 12), 0);
    close(fd);
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)); p++) n++;
    return n;
}

/* Requests of which two programs could think that they end at different places: one answer, a refusal, and what was
 * sent behind them never becomes a request. */
static void test_nothing_is_smuggled(void **state)
{
    static const char behind[] = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    static const struct {
        const char *head, *body;
    } cases[] = {
        {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        {"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"},
        {"Content-Length: 0\r\nContent-Length: 44\r\n", ""},
        {"Content-Length: 0, 44\r\n", ""},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         "0\r\n\r\n"},
        {"Transfer-Encoding : chunked\r\n", "0\r\n\r\n"},
        {"X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        {"X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"},
        {"Transfer-Encoding: chunked\r\n", "0\n\n"},
        {"Transfer-Encoding: chunked\r\n", "5\r\nabc\r\n0\r\n\r\n"},
        {"Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"},
        {"Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n"},
        {"Transfer-Encoding: chunked\r\n", "0000000000000000000000000\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        int fd = dial(), asked = atomic_load(&n_asked);
        snprintf(text, sizeof text, "POST /a HTTP/1.1\r\nHost: x\r\n%s\r\n%s%s", cases[i].head, cases[i].body,
                 behind);
        say(fd, text);
        const char *answer = hear(fd, NULL);
        bool refused = strncmp(answer, "HTTP/1.1 400", 12) == 0 || strncmp(answer, "HTTP/1.1 501", 12) == 0;
        if (!refused || count(answer, "HTTP/1.1 ") != 1 || atomic_load(&n_asked) != asked)
            fail_msg("case %zu: %s", i, answer);
        close(fd);
    }
    int fd = dial(); /* a chunk whose size is honest and whose body is more than is taken */
    say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n");
    for (int i = 0; i < 11; i++)
        say(fd,
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(strncmp(hear(fd, NULL), "HTTP/1.1 413", 12), 0);
    close(fd);
}

/* A byte now and then does not keep a request going beyond its time. */
static void test_drips_are_not_waited_for(void **state)
{
    static const struct {
        const char *start, *drip, *end;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\nX: ", "a", "HTTP/1.1 408"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", "a", "HTTP/1.1 408"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", "HTTP/1.1 408"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a", "HTTP/1.1 408"},
        {"", "\r\n", "HTTP/1.1 400"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial();
        double t = clock_now_s();
        char text[64] = "";
        ssize_t n = 0;
        say(fd, cases[i].start);
        while (n <= 0 && clock_now_s() - t < 5) {
            if (send(fd, cases[i].drip, strlen(cases[i].drip), MSG_NOSIGNAL) < 0) break;
            usleep(40000);
            n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
        }
        if (strncmp(text, cases[i].end, strlen(cases[i].end)) != 0) fail_msg("case %zu: %s", i, text);
        assert_true(clock_now_s() - t < 3);
        close(fd);
    }
}

/* What is read for all requests together has a ceiling; each that ends makes room. */
static void test_bodies_share_a_ceiling(void **state)
{
    char some[901];
    memset(some, 'a', sizeof some - 1);
    some[sizeof some - 1] = 0;
    for (int round = 0; round < 3; round++) {
        int one = dial(), two = dial(), three = dial();
        static const char head[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
        say(one, head);
        say(one, some);
        usleep(50000);
        say(two, head);
        say(two, some);
        assert_int_equal(strncmp(hear(two, NULL), "HTTP/1.1 503", 12), 0);
        if (round == 1) { /* answered */
            say(one, some + 800);
            assert_non_null(strstr(hear(one, "aaa"), "Content-Length: 1000"));
        }
        close(one); /* or left */
        usleep(50000);
        say(three, head);
        say(three, some);
        say(three, some + 800);
        assert_non_null(strstr(hear(three, "aaa"), "HTTP/1.1 200"));
        close(two);
        close(three);
        usleep(50000);
    }
}

static void test_many_requests_in_one_write(void **state)
{
    static const char one[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    struct buf all;
    int fd = dial(), asked = atomic_load(&n_asked);
    buf_init(&all, 1 << 20);
    for (int i = 0; i < 500; i++) buf_str(&all, one);
    buf_str(&all, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    say(fd, all.data);
    assert_int_equal(count(hear(fd, NULL), "HTTP/1.1 200"), 501);
    assert_int_equal(atomic_load(&n_asked), asked + 501); /* nothing behind "close" */
    buf_done(&all);
    close(fd);
}

/* Reads /big slowly at first, for so many times 60 ms, then all the rest; `then` is called in between. */
static void read_slowly(int times, void (*then)(void))
{
    static char text[1 << 16];
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)net_server_port(server)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t have = 0;
    ssize_t n;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < times; i++) {
        usleep(60000);
        if ((n = read(fd, text, 1000)) > 0) have += (size_t)n;
    }
    if (then) then();
    while (have < sizeof large && (n = read(fd, text, sizeof text)) > 0) have += (size_t)n;
    assert_true(have >= sizeof large);
    close(fd);
}

/* 1.2 s: longer than an idle connection is kept, but faster than one who only holds the answer's memory. */
static void test_a_slow_reader_gets_all(void **state) { read_slowly(20, NULL); }

static void drain(void)
{
    net_server_drain(server, 10);
    usleep(100000);
}
static void test_drain_sends_what_is_answered(void **state)
{
    read_slowly(2, drain);
    pthread_join(loop, NULL);
    pthread_create(&loop, NULL, run, NULL); /* for finish() */
}

static void test_a_client_that_leaves_is_noticed(void **state)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); /* while an answer is being thought about */
    wait_for(&n_asked, atomic_load(&n_asked) + 0);
    for (int i = 0; i < 300 && !atomic_load(&held); i++) usleep(10000);
    assert_non_null(atomic_load(&held));
    close(fd);
    wait_for(&n_left, 1);
    fd = dial();
    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"); /* between two pieces */
    assert_non_null(
        strstr(hear(fd, "one"), "Transfer-Encoding: chunked\r\nCache-Control: no-cache\r\n\r\n3\r\none\r\n"));
    close(fd);
    wait_for(&n_left, 2);
    fd = dial();
    say(fd, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"); /* reads nothing */
    wait_for(&n_left, 3);
    close(fd);
}

static struct net_post post;
static void answer_held(struct net_post *p)
{
    struct net_exchange *x = atomic_exchange(&held, NULL);
    net_exchange_reply(x, 200, "text/plain", "late", 4);
}

static void test_answers_of_other_threads(void **state)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"); /* the second one waits */
    for (int i = 0; i < 300 && !atomic_load(&held); i++) usleep(10000);
    post.fn = answer_held;
    net_server_post(server, &post);
    assert_non_null(strstr(hear(fd, "Content-Length: 0"), "late"));
    close(fd);
}

static void test_idle_and_surplus_connections(void **state)
{
    int fd[25];
    for (int i = 0; i < 25; i++) fd[i] = dial();
    assert_int_equal(strncmp(hear(fd[24], NULL), "HTTP/1.1 503", 12), 0);
    for (int i = 0; i < 25; i++) close(fd[i]);
    int idle = dial();
    say(idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle, "Length: 0\r\n\r\n");
    double t = clock_now_s();
    assert_string_equal(hear(idle, NULL), ""); /* closed by the server */
    assert_true(clock_now_s() - t < 3);
    close(idle);
}

static void test_drain(void **state)
{
    int busy = dial(), idle = dial();
    say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 300 && !atomic_load(&held); i++) usleep(10000);
    net_server_drain(server, 5);
    assert_string_equal(hear(idle, NULL), "");
    post.fn = answer_held;
    net_server_post(server, &post);
    const char *answer = hear(busy, NULL);
    assert_true(strstr(answer, "late") && strstr(answer, "Connection: close"));
    close(busy);
    close(idle);
    pthread_join(loop, NULL);
    pthread_create(&loop, NULL, run, NULL); /* for finish() */
}

static void test_addresses(void **state)
{
    struct net_server *s = NULL;
    struct err e = {0};
    struct net_server_params p = {.host = "0.0.0.0", .loopback_only = true};
    assert_int_equal(net_server_new(&p, &s, &e), CROFT_E_DENIED);
    p.host = "::1";
    if (net_server_new(&p, &s, &e) == 0) { /* a machine may have no IPv6 */
        assert_int_equal(strncmp(net_server_address(s), "[::1]:", 6), 0);
        net_server_free(s);
    }
    p.host = "256.0.0.1";
    assert_int_equal(net_server_new(&p, &s, &e), CROFT_E_USAGE);
    p.host = NULL;
    p.tls_cert = "/nonexistent";
    p.tls_key = "/nonexistent";
    assert_int_equal(net_server_new(&p, &s, &e), CROFT_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keep_alive_and_pipelining, start, finish),
        cmocka_unit_test_setup_teardown(test_refusals, start, finish),
        cmocka_unit_test_setup_teardown(test_nothing_is_smuggled, start, finish),
        cmocka_unit_test_setup_teardown(test_drips_are_not_waited_for, start, finish),
        cmocka_unit_test_setup_teardown(test_bodies_share_a_ceiling, start, finish),
        cmocka_unit_test_setup_teardown(test_many_requests_in_one_write, start, finish),
        cmocka_unit_test_setup_teardown(test_a_slow_reader_gets_all, start, finish),
        cmocka_unit_test_setup_teardown(test_a_client_that_leaves_is_noticed, start, finish),
        cmocka_unit_test_setup_teardown(test_answers_of_other_threads, start, finish),
        cmocka_unit_test_setup_teardown(test_idle_and_surplus_connections, start, finish),
        cmocka_unit_test_setup_teardown(test_drain, start, finish),
        cmocka_unit_test_setup_teardown(test_drain_sends_what_is_answered, start, finish),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
