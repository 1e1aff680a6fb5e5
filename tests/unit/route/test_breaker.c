/* The circuit breaker (breaker.h) on a clock of the test's own. */
#include "breaker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool send_one(struct route_breaker *b, double now, enum route_verdict v)
{
    bool probe;
    if (!route_breaker_admit(b, now, &probe)) return false;
    route_breaker_report(b, now, probe, v, 0.5);
    return true;
}

static void opens_at_half(void **state)
{
    struct route_breaker b = {0};
    for (int i = 0; i < 6; i++) assert_true(send_one(&b, 100 + i * 0.1, ROUTE_GOOD));
    for (int i = 0; i < 5; i++) assert_true(send_one(&b, 101 + i * 0.1, ROUTE_BAD));
    assert_int_equal(route_breaker_now(&b, 101.5), ROUTE_CLOSED); /* 5 of 11 */
    assert_true(send_one(&b, 101.6, ROUTE_BAD));                  /* 6 of 12 */
    assert_int_equal(route_breaker_now(&b, 101.6), ROUTE_OPEN);
    assert_false(send_one(&b, 101.7, ROUTE_GOOD));
}

static void few_failures_are_none(void **state)
{
    struct route_breaker b = {0};
    for (int i = 0; i < 4; i++) assert_true(send_one(&b, 100, ROUTE_BAD));
    for (int i = 0; i < 20; i++) assert_true(send_one(&b, 100, ROUTE_NEITHER));
    assert_int_equal(b.state, ROUTE_CLOSED);
}

static void the_window_rolls(void **state)
{
    struct route_breaker b = {0};
    for (int i = 0; i < 40; i++) assert_true(send_one(&b, 100 + i * 6.0, ROUTE_BAD)); /* never five within 20 s */
    assert_int_equal(b.state, ROUTE_CLOSED);
}

static void probes_one_by_one(void **state)
{
    struct route_breaker b = {0};
    bool probe, second;
    for (int i = 0; i < 5; i++) send_one(&b, 100, ROUTE_BAD);
    assert_int_equal(route_breaker_now(&b, 101.9), ROUTE_OPEN); /* 2 s, chance 0.5: no spread */
    assert_int_equal(route_breaker_now(&b, 102.1), ROUTE_HALF_OPEN);
    assert_true(route_breaker_admit(&b, 102.1, &probe) && probe);
    assert_false(route_breaker_admit(&b, 102.2, &second));
    route_breaker_report(&b, 102.3, probe, ROUTE_NEITHER, 0.5); /* it was cancelled: the next one is the probe */
    assert_true(route_breaker_admit(&b, 102.4, &probe) && probe);
    route_breaker_report(&b, 102.5, probe, ROUTE_BAD, 0.5);
    assert_int_equal(route_breaker_now(&b, 106.4), ROUTE_OPEN); /* now 4 s */
    assert_true(route_breaker_admit(&b, 106.6, &probe) && probe);
    route_breaker_report(&b, 106.7, probe, ROUTE_GOOD, 0.5);
    assert_int_equal(b.state, ROUTE_CLOSED);
    for (int i = 0; i < 5; i++) assert_true(send_one(&b, 107, ROUTE_BAD)); /* a fresh window, a fresh cool-down */
    assert_int_equal(route_breaker_now(&b, 108.9), ROUTE_OPEN);
    assert_int_equal(route_breaker_now(&b, 109.1), ROUTE_HALF_OPEN);
}

static void cool_downs_end_at_half_a_minute(void **state)
{
    struct route_breaker b = {0};
    double now = 100;
    for (int i = 0; i < 5; i++) send_one(&b, now, ROUTE_BAD);
    for (int i = 0; i < 8; i++) {
        now = b.open_until + 0.01;
        assert_true(send_one(&b, now, ROUTE_BAD));
    }
    assert_true(b.open_until - now <= 30.01 && b.open_until - now > 29);
}

static void late_results_do_not_count(void **state)
{
    struct route_breaker b = {0};
    bool probe[10];
    for (int i = 0; i < 10; i++) assert_true(route_breaker_admit(&b, 100, &probe[i]));
    for (int i = 0; i < 10; i++) route_breaker_report(&b, 100, probe[i], ROUTE_BAD, 0.5);
    assert_int_equal(route_breaker_now(&b, 102.1), ROUTE_HALF_OPEN); /* not doubled by the second five */
}

static void a_hung_probe_is_followed(void **state)
{
    struct route_breaker b = {0};
    bool hung, second;
    for (int i = 0; i < 5; i++) send_one(&b, 100, ROUTE_BAD);
    assert_true(route_breaker_admit(&b, 103, &hung) && hung);
    assert_false(route_breaker_admit(&b, 112.9, &second));
    assert_true(route_breaker_admit(&b, 113.1, &second) && second);
    route_breaker_report(&b, 113.2, second, ROUTE_GOOD, 0.5);
    assert_int_equal(b.state, ROUTE_CLOSED);
    route_breaker_report(&b, 150, hung, ROUTE_BAD, 0.5); /* it is over at last: one failure, not a new opening */
    assert_int_equal(b.state, ROUTE_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hung_probe_is_followed),
        cmocka_unit_test(opens_at_half),
        cmocka_unit_test(few_failures_are_none),
        cmocka_unit_test(the_window_rolls),
        cmocka_unit_test(probes_one_by_one),
        cmocka_unit_test(cool_downs_end_at_half_a_minute),
        cmocka_unit_test(late_results_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
