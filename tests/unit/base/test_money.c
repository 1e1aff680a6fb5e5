/* Money in whole billionths: expected values by hand and by exact integer arithmetic. */
#include "base_money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void money_is_read_exactly(void **state)
{
    static const struct {
        const char *text;
        money m;
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
    money m = 77;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(money_parse(good[i].text, &m, &e), 0);
        assert_int_equal(m, good[i].m);
    }
    m = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(money_parse(bad[i], &m, &e), CROFT_E_FORMAT);
        assert_int_equal(m, 77);
    }
}

static void money_is_written_shortest(void **state)
{
    char s[32];
    money_text(42000000, s);
    assert_string_equal(s, "0.042");
    money_text(0, s);
    assert_string_equal(s, "0");
    money_text(100 * (money)MONEY_ONE, s);
    assert_string_equal(s, "100");
    money_text(INT64_MAX, s);
    assert_string_equal(s, "9223372036.854775807");
}

static void a_cost_is_rounded_up(void **state)
{
    assert_int_equal(money_per_million(1000000, 42000000), 42000000);
    assert_int_equal(money_per_million(1, 42000000), 42);
    assert_int_equal(money_per_million(1, 37500000), 38); /* 37.5 billionths */
    assert_int_equal(money_per_million(1, 1), 1);
    assert_int_equal(money_per_million(0, 42000000), 0);
    assert_int_equal(money_per_million(UINT64_MAX, INT64_MAX), INT64_MAX);
    assert_int_equal(money_add(INT64_MAX, 1), INT64_MAX);
    assert_int_equal(money_add(1, 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money_is_read_exactly),
        cmocka_unit_test(money_is_written_shortest),
        cmocka_unit_test(a_cost_is_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
