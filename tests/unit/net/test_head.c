/* Request heads and chunked bodies (net_head.h): RFC 9112's own forms, and what servers must refuse. */
#include "net_head.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int parse(const char *text, struct net_head *h)
{
    const char *why = "";
    return net_head_parse(text, strlen(text), h, &why);
}

static void test_a_request(void **state)
{
    struct net_head h;
    assert_int_equal(
        parse("POST /v1/x?a=1&b HTTP/1.1\r\nHost: localhost:8080\r\ncontent-LENGTH: 12\r\nX:  a b \t\r\n\r\n", &h),
        0);
    assert_true(str_eqz(h.method, "POST") && str_eqz(h.path, "/v1/x") && str_eqz(h.query, "a=1&b"));
    assert_int_equal(h.length, 12);
    assert_true(h.keep_alive && !h.chunked && h.minor == 1);
    assert_true(str_eqz(net_head_get(&h, "x"), "a b"));
    assert_null(net_head_get(&h, "y").p);
}

static void test_connection_rules(void **state)
{
    struct net_head h;
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", &h), 0);
    assert_false(h.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &h), 0);
    assert_false(h.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &h), 0);
    assert_true(h.keep_alive);
    assert_int_equal(
        parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", &h), 0);
    assert_true(h.expects_continue && h.chunked);
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\n\n", 400},        /* bare LF */
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, /* two spaces */
        {"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},              /* space before the colon */
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400}, /* folded */
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400}, /* bare CR */
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         400}, /* smuggling */
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b"
         "chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n Host: a\r\n\r\n", 400}, /* the first header line is folded */
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400},
        {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 400},
        {"", 400},
    };
    struct net_head h;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (parse(cases[i].text, &h) != cases[i].status) fail_msg("%s: %d", cases[i].text, parse(cases[i].text, &h));
    struct buf many;
    buf_init(&many, 1 << 16);
    buf_str(&many, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < NET_HEADERS_MAX; i++) buf_fmt(&many, "X-%d: 1\r\n", i);
    buf_str(&many, "\r\n");
    assert_int_equal(parse(many.data, &h), 431);
    buf_done(&many);
}

/* A NUL is refused wherever it stands, and ends nothing. */
static void test_nul(void **state)
{
    static const char text[] = "POST /a HTTP/1.1\r\nHost: a\r\nX-Y: b\r\n\r\n";
    struct net_head h;
    const char *why = NULL;
    char with[sizeof text];
    for (size_t i = 0; i < sizeof text - 1; i++) {
        memcpy(with, text, sizeof text);
        with[i] = 0;
        if (net_head_parse(with, sizeof text - 1, &h, &why) < 400) fail_msg("a NUL at %zu is accepted", i);
    }
}

/* The example of RFC 9112, 7.1.3's decoding, whole and byte by byte. */
static void test_chunks(void **state)
{
    static const char text[] =
        "4\r\nWiki\r\n5;name=\"v\"\r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\nExpires: x\r\n\r\nGET";
    for (size_t step = 1; step < sizeof text; step++) {
        struct net_chunks c = {0};
        struct buf out;
        size_t at = 0, taken;
        int rc = NET_CHUNKS_MORE;
        buf_init(&out, 100);
        while (rc == NET_CHUNKS_MORE && at < sizeof text - 1) {
            size_t n = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;
            rc = net_chunks_take(&c, text + at, n, &out, &taken);
            at += taken;
        }
        assert_int_equal(rc, NET_CHUNKS_DONE);
        assert_int_equal(at, sizeof text - 4);
        assert_string_equal(out.data, "Wikipedia in\r\n\r\nchunks.");
        buf_done(&out);
    }
}

static void test_bad_chunks(void **state)
{
    static const char *const bad[] = {"x\r\n",
                                      "\r\n",
                                      "4\nWiki",
                                      "4\r\nWikiX\r\n",
                                      "fffffffffffffffff\r\n",
                                      "4 \r\n",
                                      "0\r\n\n",
                                      "1\rx",
                                      "0x4\r\n",
                                      "+4\r\n",
                                      "-1\r\n",
                                      "00000000000000004\r\n",
                                      "4;a\x01\r\n",
                                      "4;a\rb\r\n",
                                      "0\r\nA: \x7f\r\n",
                                      "0\r\nA\rB",
                                      "1\r\na\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct net_chunks c = {0};
        struct buf out;
        size_t taken;
        buf_init(&out, 100);
        if (net_chunks_take(&c, bad[i], strlen(bad[i]), &out, &taken) != NET_CHUNKS_BAD) fail_msg("%s", bad[i]);
        buf_done(&out);
    }
    struct net_chunks c = {0};
    struct buf out;
    size_t taken;
    buf_init(&out, 100);
    assert_int_equal(net_chunks_take(&c, "4;a\0\r\n", 7, &out, &taken), NET_CHUNKS_BAD);
    /* a byte a chunk, each with an extension that says nothing: 8 KiB of that, not one more */
    int rc = NET_CHUNKS_MORE;
    size_t n = 0;
    c = (struct net_chunks){0};
    buf_done(&out);
    buf_init(&out, 1000);
    while (n < 1000 && (rc = net_chunks_take(&c, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nb\r\n", 39, &out, &taken)) ==
                           NET_CHUNKS_MORE)
        n++;
    assert_int_equal(rc, NET_CHUNKS_BAD);
    assert_int_equal(n, 8192 / 32);
    buf_done(&out);
    c = (struct net_chunks){0};
    buf_init(&out, 3);
    assert_int_equal(net_chunks_take(&c, "4\r\nWiki", 7, &out, &taken), NET_CHUNKS_FULL);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request),       cmocka_unit_test(test_connection_rules),
        cmocka_unit_test(test_what_is_refused), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_bad_chunks),      cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
