/* Metrics against scikit-learn 1.x and numpy (values computed there and typed in here); Wilson's interval for 81 of 263
 * is R. G. Newcombe's published example (Statistics in Medicine 17, 1998: 0.2553 to 0.3662). */
#include "task_metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* truth 0×7, 1×5, 2×4; answers 0000112 11102 2201 */
static const uint32_t confusion[9] = {4, 2, 1, 1, 3, 1, 1, 1, 2};

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.12g is not %.12g", got, want);
}

static void precision_recall_f1(void **state)
{
    struct task_prf r = task_prf_of(confusion, 3, 0);
    near(r.precision, 0.66666667, 1e-8);
    near(r.recall, 0.57142857, 1e-8);
    near(r.f1, 0.61538462, 1e-8);
    assert_int_equal(r.support, 7);
    near(task_prf_of(confusion, 3, 1).f1, 0.54545455, 1e-8);
    near(task_macro_f1(confusion, 3), 0.5536130536130536, 1e-12);
}

static void labels_that_never_occur_do_not_count(void **state)
{
    static const uint32_t c[9] = {2, 0, 0, 0, 0, 0, 0, 0, 0};
    near(task_macro_f1(c, 3), 1.0, 0);
    near(task_prf_of(c, 3, 2).f1, 0, 0);
}

static void wilson(void **state)
{
    double lo, hi;
    task_wilson(81, 263, 1.959963984540054, &lo, &hi);
    near(lo, 0.2553, 5e-5);
    near(hi, 0.3662, 5e-5);
    task_wilson(0, 20, 1.959963984540054, &lo, &hi);
    near(lo, 0, 0);
    near(hi, 0.1611, 5e-5);
    task_wilson(10, 10, 1.959963984540054, &lo, &hi);
    near(lo, 0.7225, 5e-5);
    near(hi, 1, 0);
    task_wilson(0, 0, 1.96, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
}

static void quantiles(void **state)
{
    double x[] = {5, 1, 9, 3, 7, 2};
    near(task_quantile(x, 6, 0.5), 4, 0);
    near(task_quantile(x, 6, 0.99), 8.9, 1e-12);
    near(task_quantile(x, 6, 0.3), 2.5, 1e-12);
    near(task_quantile(x, 6, 1), 9, 0);
    near(task_quantile(x, 1, 0.5), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precision_recall_f1),
        cmocka_unit_test(labels_that_never_occur_do_not_count),
        cmocka_unit_test(wilson),
        cmocka_unit_test(quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
