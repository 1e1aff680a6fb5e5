/* Server-sent events (sse.h): the examples of the HTML standard (9.2.6), cut at every place. */
#include "sse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int note(void *user, const char *event, const char *data, size_t n)
{
    buf_fmt(user, "[%s|%.*s]", event, (int)n, data);
    return strcmp(data, "stop") == 0 ? 7 : 0;
}

/* Whole, byte by byte, and in two parts at each place. */
static void reads(const char *in, size_t n, const char *want)
{
    for (size_t cut = 0; cut <= n + 1; cut++) {
        struct route_sse s;
        struct buf got;
        int rc = 0;
        route_sse_init(&s, 1000);
        buf_init(&got, 10000);
        buf_str(&got, "");
        if (cut > n)
            for (size_t i = 0; i < n && rc == 0; i++) rc = route_sse_feed(&s, in + i, 1, note, &got);
        else if ((rc = route_sse_feed(&s, in, cut, note, &got)) == 0)
            rc = route_sse_feed(&s, in + cut, n - cut, note, &got);
        assert_int_equal(rc, 0);
        assert_string_equal(got.data ? got.data : "", want);
        route_sse_done(&s);
        buf_done(&got);
    }
}
#define READS(in, want) reads(in, sizeof(in) - 1, want)

static void standard(void **state)
{
    READS("data: YHOO\ndata: +2\ndata: 10\n\n", "[|YHOO\n+2\n10]");
    READS(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
          "[|first event][|second event]"); /* the third was not ended by an empty line */
    READS("data\n\ndata\ndata\n\ndata:", "[|][|\n]");
    READS("data:test\n\ndata: test\n\n", "[|test][|test]");
    READS("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", "[add|73857293][remove|2153]");
    READS("event: add\n\ndata: x\n\n", "[|x]"); /* no data, no event */
}

static void line_ends(void **state)
{
    READS("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[|a][|b][|c]");
    READS("\xEF\xBB\xBF"
          "data: a\n\n",
          "[|a]");
    READS("retry: 10\nunknown: x\ndata: a: b\n\n", "[|a: b]");
}

static void limits(void **state)
{
    struct route_sse s;
    struct buf got;
    char long_line[2000];
    memset(long_line, 'x', sizeof long_line);
    route_sse_init(&s, 1000);
    buf_init(&got, 10000);
    assert_int_equal(route_sse_feed(&s, long_line, sizeof long_line, note, &got), CROFT_E_LIMIT);
    route_sse_done(&s);
    route_sse_init(&s, 1000);
    int rc = 0; /* short lines that make one long event */
    for (int i = 0; i < 200 && rc == 0; i++) rc = route_sse_feed(&s, "data: 0123456789\n", 17, note, &got);
    assert_int_equal(rc, CROFT_E_LIMIT);
    route_sse_done(&s);
    route_sse_init(&s, 1000);
    assert_int_equal(route_sse_feed(&s, "data: stop\n\ndata: b\n\n", 21, note, &got), 7);
    assert_string_equal(got.data, "[|stop]");
    route_sse_done(&s);
    buf_done(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(standard), cmocka_unit_test(line_ends),
                                       cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
