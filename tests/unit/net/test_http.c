/* The HTTP client against a server inside the test. What needs many servers or files is in tests/store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base_mem.h"
#include "base_str.h"
#include "fake_http.h"
#include "net_http.h"

/* The answer depends on the path. */
static void answer(struct fake_http *h, const char *request, struct buf *out)
{
    struct fake_http *second = h->arg;
    if (strstr(request, " /ok"))
        buf_str(out, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 5\r\n\r\nhello");
    else if (strstr(request, " /away"))
        buf_fmt(out,
                "HTTP/1.1 302 Found\r\nX-Kept: 1\r\nLocation: http://127.0.0.1:%d/ok\r\nContent-Length: "
                "0\r\n\r\n",
                second->port);
    else if (strstr(request, " /relative"))
        buf_str(out, "HTTP/1.1 307 x\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
    else if (strstr(request, " /circle"))
        buf_str(out, "HTTP/1.1 302 x\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n");
    else if (strstr(request, " /file"))
        buf_str(out, "HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n");
    else if (strstr(request, " /far")) buf_str(out, "HTTP/1.1 302 x\r\nLocation: http://model.test/\r\n\r\n");
    else if (strstr(request, " /range"))
        buf_str(out, "HTTP/1.1 206 x\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nlo");
    else if (strstr(request, " /short")) buf_str(out, "HTTP/1.1 200 x\r\nContent-Length: 50\r\n\r\nhello");
    else if (strstr(request, " /flaky"))
        buf_str(out, h->n_requests < 3 ? "HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\nno"
                                       : "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhello");
    else if (strstr(request, " /garbage")) buf_str(out, "\x01\x02 not http at all\r\n\r\n");
    else buf_str(out, "HTTP/1.1 404 x\r\nContent-Length: 4\r\n\r\nnone");
}

static struct fake_http one, two;

static int setup(void **state)
{
    fake_http_start(&two, answer, NULL);
    fake_http_start(&one, answer, &two);
    return 0;
}

static int teardown(void **state)
{
    fake_http_stop(&one);
    fake_http_stop(&two);
    return 0;
}

static struct buf body;
static struct net_response r;
static struct err e;

static int get(const char *path, struct net_request q)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", one.port, path);
    q.url = url;
    one.n_requests = two.n_requests = 0;
    e = (struct err){0};
    buf_done(&body);
    buf_init(&body, 100);
    return net_get(&q, &body, &r, &e);
}

static void test_get(void **state)
{
    assert_int_equal(get("/ok", (struct net_request){0}), 0);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.length, 5);
    assert_string_equal(r.etag, "\"v1\"");
    assert_string_equal(body.data, "hello");
    assert_int_equal(get("/none", (struct net_request){0}), 0);
    assert_int_equal(r.status, 404);
    assert_int_equal(body.len, 0); /* an error page is not handed out */
}

static void test_head_and_range(void **state)
{
    assert_int_equal(get("/ok", (struct net_request){.head = true}), 0);
    assert_int_equal(r.length, 5);
    assert_true(str_starts(one.last, "HEAD /ok "));
    assert_int_equal(get("/range", (struct net_request){.range_from = 3, .if_range = "\"v1\""}), 0);
    assert_int_equal(r.status, 206);
    assert_int_equal(r.range_start, 3);
    assert_int_equal(r.range_total, 5);
    assert_non_null(strstr(one.last, "\r\nRange: bytes=3-\r\n"));
    assert_non_null(strstr(one.last, "\r\nIf-Range: \"v1\"\r\n"));
}

static void test_token_stays_home(void **state)
{
    assert_int_equal(get("/away", (struct net_request){.bearer = "sesame"}), 0);
    assert_string_equal(body.data, "hello");
    assert_non_null(strstr(one.last, "\r\nAuthorization: Bearer sesame\r\n"));
    assert_null(strcasestr(two.last, "authorization"));
    assert_int_equal(get("/relative", (struct net_request){.bearer = "sesame"}), 0);
    assert_non_null(strstr(one.last, "Bearer sesame"));
    assert_int_equal(get("/ok", (struct net_request){.bearer = "a\r\nX: y"}), CROFT_E_USAGE);
}

static void test_redirects(void **state)
{
    assert_int_equal(get("/away", (struct net_request){.follow = NET_FOLLOW_SAME_ORIGIN}), 0);
    assert_int_equal(r.status, 302);
    assert_int_equal(two.n_requests, 0);
    assert_int_equal(get("/circle", (struct net_request){0}), CROFT_E_NET);
    assert_int_equal(one.n_requests, 11);
    assert_int_equal(get("/file", (struct net_request){.tries = 1}), CROFT_E_NET);
    assert_int_equal(get("/far", (struct net_request){.tries = 1}), CROFT_E_DENIED);
}

static void test_plain_http_stays_here(void **state)
{
    struct net_request q = {.url = "http://model.test/x", .tries = 1};
    assert_int_equal(net_fetch(&q, &r, &e), CROFT_E_DENIED);
    assert_non_null(strstr(e.msg, "https"));
    q.insecure_http = true;
    q.bearer = "sesame";
    assert_int_equal(net_fetch(&q, &r, &e), CROFT_E_DENIED);
    assert_non_null(strstr(e.msg, "token"));
}

static void test_tries(void **state)
{
    assert_int_equal(get("/flaky", (struct net_request){.tries = 3}), 0);
    assert_int_equal(r.status, 200);
    assert_int_equal(get("/flaky", (struct net_request){.tries = 1}), 0);
    assert_int_equal(r.status, 503);
    assert_int_equal(get("/garbage", (struct net_request){.tries = 1}), CROFT_E_NET);
}

static void test_broken_body(void **state)
{
    assert_int_equal(get("/short", (struct net_request){0}), CROFT_E_NET);
    assert_true(r.broken);
    assert_int_equal(one.n_requests, 1); /* bytes were handed out: the caller resumes, not the client */
    assert_int_equal(body.len, 5);
}

static int count_only(void *arg, const void *p, size_t n, struct err *err_out)
{
    *(size_t *)arg += n;
    return 0;
}

static int stop(void *arg, const char *pause, struct err *err_out)
{
    return ERR(err_out, CANCELLED, "Stopped.");
}

static void test_ceiling_and_cancel(void **state)
{
    char url[128];
    size_t n = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/ok", one.port);
    struct net_request q = {.url = url, .max_bytes = 4, .arg = &n, .on_body = count_only};
    assert_int_equal(net_fetch(&q, &r, &e), CROFT_E_LIMIT);
    assert_int_equal(n, 0);
    q.max_bytes = 5;
    assert_int_equal(net_fetch(&q, &r, &e), 0);
    assert_int_equal(n, 5);
    q.on_tick = stop;
    assert_int_equal(net_fetch(&q, &r, &e), CROFT_E_CANCELLED);
}

static void test_each_allocation_may_fail(void **state)
{
    for (long nth = 1; nth < 100; nth++) {
        mem_fail_nth(nth);
        int rc = get("/away", (struct net_request){.bearer = "sesame", .tries = 1});
        mem_fail_nth(0);
        if (rc == 0 && body.data && strcmp(body.data, "hello") == 0) return;
    }
    fail_msg("never succeeded");
}

static int done(void **state)
{
    buf_done(&body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_get),
                                       cmocka_unit_test(test_head_and_range),
                                       cmocka_unit_test(test_token_stays_home),
                                       cmocka_unit_test(test_redirects),
                                       cmocka_unit_test(test_plain_http_stays_here),
                                       cmocka_unit_test(test_tries),
                                       cmocka_unit_test(test_broken_body),
                                       cmocka_unit_test(test_ceiling_and_cancel),
                                       cmocka_unit_test_teardown(test_each_allocation_may_fail, done)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
