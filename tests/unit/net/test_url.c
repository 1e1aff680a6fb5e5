/* Where URLs lead: the cases on which the client's safety rests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net_url.h"

static bool parses(const char *url, struct net_url *u) { return net_url_parse(url, u, NULL) == 0; }

static void test_parts(void **state)
{
    struct net_url u;
    assert_true(parses("https://Host.Example/a/b?c#d", &u));
    assert_string_equal(u.scheme, "https");
    assert_string_equal(u.host, "host.example");
    assert_int_equal(u.port, 443);
    assert_false(u.loopback);
    assert_true(parses("http://h:8080", &u));
    assert_int_equal(u.port, 8080);
}

static void test_loopback(void **state)
{
    static const char *const yes[] = {"http://localhost/", "http://LOCALHOST:1/", "http://127.0.0.1/",
                                      "http://127.9.8.7/", "http://[::1]:80/",    "http://127.1/"};
    static const char *const no[] = {"http://localhost.example/", "http://127.0.0.1.example/",
                                     "http://128.0.0.1/",         "http://[::2]/",
                                     "http://0.0.0.0/",           "http://10.0.0.1/",
                                     "http://example/127.0.0.1",  "http://localhost./"};
    struct net_url u;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(parses(yes[i], &u));
        if (!u.loopback) fail_msg("%s is this machine", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (parses(no[i], &u) && u.loopback) fail_msg("%s is not this machine", no[i]);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"file:///etc/passwd",
                                      "ftp://h/x",
                                      "h/x",
                                      "",
                                      "http://",
                                      "https://u:p@h/",
                                      "https://u@h/",
                                      "http://h/a b",
                                      "http://h/a\nb",
                                      "http://h:99999/",
                                      "gopher://h"};
    struct net_url u;
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (net_url_parse(bad[i], &u, &e) != CROFT_E_USAGE) fail_msg("'%s' was accepted", bad[i]);
}

static void test_origin(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {{"https://h/x", "https://H:443/y", true}, {"https://h", "http://h", false},
                {"https://h", "https://h:444", false}, {"https://h", "https://i", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_url a, b;
        assert_true(parses(rows[i].a, &a) && parses(rows[i].b, &b));
        assert_int_equal(net_url_same_origin(&a, &b), rows[i].same);
    }
}

static void test_text(void **state)
{
    struct buf b;
    buf_init(&b, 100);
    net_url_encode(&b, "a b/ü%", true);
    assert_string_equal(b.data, "a%20b/%C3%BC%25");
    buf_clear(&b);
    net_url_encode(&b, "refs/pr/1", false);
    assert_string_equal(b.data, "refs%2Fpr%2F1");
    buf_clear(&b);
    net_url_plain(&b, "https://h/x?sig=1#f");
    assert_string_equal(b.data, "https://h/x");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_loopback),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_origin),
                                       cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
