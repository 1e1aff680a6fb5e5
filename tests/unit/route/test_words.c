/* Money in whole billionths: expected values by hand and by exact integer arithmetic; the words of the tables. */
#include "route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void money_is_read_exactly(void **state)
{
    static const struct {
        const char *text;
        route_money m;
    } good[] = {{"0", 0},
                {"15", 15000000000},
                {"0.042", 42000000},
                {".5", 500000000},
                {"0.000000001", 1},
                {"2.50", 2500000000},
                {"9223372036.854775807", INT64_MAX}};
    static const char *const bad[] = {"",
                                      ".",
                                      "1.",
                                      "-1",
                                      "+1",
                                      "1e3",
                                      "1,5",
                                      " 1",
                                      "0.0000000001",
                                      "1.2.3",
                                      "9223372036.854775808",
                                      "99999999999",
                                      "nan"};
    struct err e = {0};
    route_money m = 77;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(route_money_parse(good[i].text, &m, &e), 0);
        assert_int_equal(m, good[i].m);
    }
    m = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(route_money_parse(bad[i], &m, &e), CROFT_E_FORMAT);
        assert_int_equal(m, 77);
    }
}

static void money_is_written_shortest(void **state)
{
    char s[32];
    route_money_text(42000000, s);
    assert_string_equal(s, "0.042");
    route_money_text(0, s);
    assert_string_equal(s, "0");
    route_money_text(100 * (route_money)ROUTE_MONEY_ONE, s);
    assert_string_equal(s, "100");
    route_money_text(INT64_MAX, s);
    assert_string_equal(s, "9223372036.854775807");
}

static void a_cost_is_rounded_up(void **state)
{
    assert_int_equal(route_cost(1000000, 42000000), 42000000);
    assert_int_equal(route_cost(1, 42000000), 42);
    assert_int_equal(route_cost(1, 37500000), 38); /* 37.5 billionths */
    assert_int_equal(route_cost(1, 1), 1);
    assert_int_equal(route_cost(0, 42000000), 0);
    assert_int_equal(route_cost(UINT64_MAX, INT64_MAX), INT64_MAX);
    assert_int_equal(route_money_add(INT64_MAX, 1), INT64_MAX);
    assert_int_equal(route_money_add(1, 2), 3);
}

static void every_reason_has_a_word_of_its_own(void **state)
{
    for (int r = 0; r < ROUTE_N_REASONS; r++) {
        assert_int_equal(route_reason_find(route_reason_word((enum route_reason)r)), r);
        assert_true(strlen(route_reason_text((enum route_reason)r)) > 10);
    }
    assert_int_equal(route_reason_find("LOCAL"), -1);
    assert_int_equal(route_place_find("cloud"), ROUTE_CLOUD);
    assert_int_equal(route_place_find("moon"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money_is_read_exactly),
        cmocka_unit_test(money_is_written_shortest),
        cmocka_unit_test(a_cost_is_rounded_up),
        cmocka_unit_test(every_reason_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
