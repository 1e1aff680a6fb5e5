/* The words of the tables. */
#include "route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

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
        cmocka_unit_test(every_reason_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
