/* Measured ceilings: the peak loops count their operations right, and the probes answer or refuse. How fast a
 * machine is, no test says. */
#include "kern_ops.h"
#include "kern_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void peaks_count_their_operations(void **state)
{
    for (const char *const *level = kern_levels(); *level; level++) {
        const struct kern_ops *ops = kern_level_get(*level);
        for (int i = 0; ops && i < KERN_PEAK_COUNT; i++) {
            if (!ops->peak[i]) continue;
            uint64_t one = ops->peak[i](1000), ten = ops->peak[i](10000);
            assert_true(one >= 1000 && ten >= 10 * one - 10 && ten <= 10 * one + 10);
        }
    }
}

static void probes_answer(void **state)
{
    struct err e = {0};
    double rate = 0;
    assert_int_equal(kern_probe_peak(KERN_Q8_0, 1, &rate, &e), 0);
    assert_true(rate > 1e6);
    assert_int_equal(kern_probe_peak(KERN_F32, 2, &rate, &e), 0);
    assert_true(rate > 1e6);
    assert_int_equal(kern_probe_peak(KERN_TYPE_COUNT, 1, &rate, &e), CROFT_E_UNSUPPORTED);
    assert_int_equal(kern_probe_peak(-1, 1, &rate, &e), CROFT_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peaks_count_their_operations),
        cmocka_unit_test(probes_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
