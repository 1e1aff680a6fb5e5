/* Where expressions match: the stretches that Python's engine finds by trying every part of the text
 * (make_search.py), and that no expression or text makes it slow. */
#include "infer_search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { MOST = 64 };
struct stretches {
    size_t n, at[MOST][2];
};

static int take(void *arg, size_t at, size_t n)
{
    struct stretches *s = arg;
    assert_true(s->n < MOST && n > 0);
    s->at[s->n][0] = at;
    s->at[s->n++][1] = at + n;
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Those that overlap are one. */
static void unite(struct stretches *s)
{
    size_t kept = 0;
    qsort(s->at, s->n, sizeof s->at[0], by_begin);
    for (size_t i = 0; i < s->n; i++) {
        size_t *last = kept ? s->at[kept - 1] : NULL;
        if (last && s->at[i][0] < last[1]) {
            if (s->at[i][1] > last[1]) last[1] = s->at[i][1];
            continue;
        }
        memmove(s->at[kept++], s->at[i], sizeof s->at[0]);
    }
    s->n = kept;
}

static struct infer_search *search_of(const char *re, bool whole)
{
    struct infer_search *s = NULL;
    struct err e = {0};
    if (infer_search_new(re, strlen(re), whole, &s, &e)) fail_msg("%s: %s", re, e.msg);
    return s;
}

static void as_another_engine_finds_them(void **state)
{
    static const struct {
        const char *re, *text;
        int whole;
        size_t n, at[16][2];
    } rows[] = {
#include "search.inc"
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_search *s = search_of(rows[i].re, rows[i].whole);
        struct stretches got = {0};
        assert_int_equal(infer_search_find(s, rows[i].text, strlen(rows[i].text), take, &got, NULL), 0);
        unite(&got);
        bool same = got.n == rows[i].n;
        for (size_t k = 0; same && k < got.n; k++) same = memcmp(got.at[k], rows[i].at[k], sizeof got.at[k]) == 0;
        if (!same)
            fail_msg("'%s' in '%s' (whole %d): %zu, first %zu-%zu", rows[i].re, rows[i].text, rows[i].whole, got.n,
                     got.at[0][0], got.at[0][1]);
        infer_search_free(s);
    }
}

static int count(void *arg, size_t at, size_t n)
{
    ++*(size_t *)arg;
    return 0;
}

static double seconds(const struct infer_search *s, const char *text, size_t n, int *rc)
{
    size_t found = 0;
    clock_t t = clock();
    *rc = infer_search_find(s, text, n, count, &found, NULL);
    return (double)(clock() - t) / CLOCKS_PER_SEC;
}

/* Expressions over which engines that go back despair, most of them for ever: they take at most so many times what a
 * plain one takes on the same text, which holds on slow machines and busy ones, or they are refused. An expression may
 * have INFER_SEARCH_ACTIVE states open where the plain one has two; what is quadratic takes thousands of times as
 * long. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ /* some twenty times as slow */
enum { LENGTHY = 1 << 16 };
#else
enum { LENGTHY = 1 << 20 };
#endif
static void none_is_slow(void **state)
{
    static const char *const res[] = {
        "(a+)+b",         "(a*)*b",       "(a|a)*b",   "(a|aa)+b", "x*y",    "(.*)(.*)(.*)(.*)b",
        "(a?){50}a{50}b", "([a-z]+)*\\d", "a{1,200}b", ".*.*=.*",  "a|a.*b", "(a{1,40}){1,40}b",
        "(\\w+\\s?)+b"};
    size_t n = LENGTHY;
    char *text = malloc(n);
    enum { TIMES = 2 * INFER_SEARCH_ACTIVE }; /* 8 when this was written */
    for (int hostile = 0; hostile < 3; hostile++) {
        for (size_t i = 0; i < n; i++) text[i] = hostile == 0 ? 'a' : hostile == 1 ? "ax"[i % 2] : "aaaaaaa x"[i % 9];
        struct infer_search *p = search_of("[a-z ]+", false);
        int plain_rc;
        double plain = seconds(p, text, n, &plain_rc);
        assert_int_equal(plain_rc, 0);
        assert_true(plain > 0);
        infer_search_free(p);
        for (size_t i = 0; i < sizeof res / sizeof res[0]; i++) {
            struct infer_search *s = search_of(res[i], false);
            int rc;
            double t = seconds(s, text, n, &rc);
            if (rc && rc != CROFT_E_LIMIT) fail_msg("%s: %d", res[i], rc);
            if (t > TIMES * plain) fail_msg("%s: %.3f s, %.0f times a plain one", res[i], t, t / plain);
            infer_search_free(s);
        }
    }
    free(text);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *re;
        int code;
    } bad[] = {{"(a", CROFT_E_FORMAT},
               {"a)", CROFT_E_FORMAT},
               {"[z-a]", CROFT_E_FORMAT},
               {"(?=a)", CROFT_E_UNSUPPORTED},
               {"(a)\\1", CROFT_E_UNSUPPORTED},
               {"\\bx", CROFT_E_UNSUPPORTED},
               {"(a{1,200}){1,200}", CROFT_E_LIMIT},
               {"a{3,1}", CROFT_E_FORMAT}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct infer_search *s = NULL;
        struct err e = {0};
        int rc = infer_search_new(bad[i].re, strlen(bad[i].re), false, &s, &e);
        if (rc != bad[i].code || !e.msg[0] || s) fail_msg("%s: %d %s", bad[i].re, rc, e.msg);
    }
}

static int stop(void *arg, size_t at, size_t n) { return CROFT_E_CANCELLED; }

static void bytes_that_are_no_text(void **state)
{
    struct infer_search *s = search_of("\\d+", false);
    struct stretches got = {0};
    assert_int_equal(infer_search_find(s, "\xff\xfe 12\0 34\xc3", 10, take, &got, NULL), 0);
    assert_int_equal(got.n, 2);
    assert_int_equal(infer_search_find(s, "", 0, take, &got, NULL), 0);
    assert_int_equal(infer_search_find(s, "1 2", 3, stop, NULL, NULL), CROFT_E_CANCELLED);
    infer_search_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_another_engine_finds_them),
        cmocka_unit_test(none_is_slow),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(bytes_that_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
