/* Measures, intervals and comparisons against scikit-learn, scipy and statsmodels (tests/golden/score/make.py), and
 * fields by hand. */
#include "base_mem.h"
#include "task_boot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "score_golden.h"

enum { N = 60, K = 4, DRAWS = 20000 };

static struct task_outcome item_a[N], item_b[N];
static struct task_outcomes a, b;

static void near_(double got, double want, double tolerance, const char *what, int line)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("line %d: %s is %.12g, not %.12g", line, what, got, want);
}
#define NEAR(got, want, tolerance) near_(got, want, tolerance, #got, __LINE__)

static int make(void **state)
{
    struct err e = {0};
    for (int i = 0; i < N; i++) {
        bool a_right = a_answer[i] == truth[i], b_right = b_answer[i] == truth[i];
        item_a[i] =
            (struct task_outcome){a_right, a_confidence[i], a_p_truth[i], a_brier[i], truth[i], a_answer[i], {0}};
        item_b[i] =
            (struct task_outcome){b_right, b_confidence[i], b_p_truth[i], b_brier[i], truth[i], b_answer[i], {0}};
    }
    return task_outcomes_init(&a, item_a, N, TASK_ANSWERS_CHOICE, K, &e) ||
           task_outcomes_init(&b, item_b, N, TASK_ANSWERS_CHOICE, K, &e);
}

static int unmake(void **state)
{
    task_outcomes_done(&a);
    task_outcomes_done(&b);
    return 0;
}

static void measures_are_scikit_learns(void **state)
{
    NEAR(task_measure(TASK_M_ACCURACY, &a, NULL), want_accuracy, 1e-12);
    NEAR(task_measure(TASK_M_MACRO_F1, &a, NULL), want_macro_f1, 1e-12);
    NEAR(task_measure(TASK_M_LOG_LOSS, &a, NULL), want_log_loss, 1e-12);
    NEAR(task_measure(TASK_M_BRIER, &a, NULL), want_brier, 1e-12);
    NEAR(task_measure(TASK_M_ECE, &a, NULL), want_ece, 1e-12);
    NEAR(task_measure(TASK_M_AUROC, &a, NULL), want_auroc, 1e-12);
    NEAR(task_measure(TASK_M_AURC, &a, NULL), want_aurc, 2e-4); /* a mean over 4,000 random orders of equals */
    assert_true(isnan(task_measure(TASK_M_EXACT_MATCH, &a, NULL)));
    assert_true(isnan(task_measure(TASK_M_FIELD_F1, &a, NULL)));
}

/* Counting an example twice is having it twice. */
static void weights_are_repetitions(void **state)
{
    struct err e = {0};
    struct task_outcome twice[2 * N];
    struct task_outcomes o;
    uint32_t w[N];
    size_t n = 0;
    for (int i = 0; i < N; i++)
        for (w[i] = 0; w[i] < (unsigned)i % 3; w[i]++) twice[n++] = item_a[i];
    assert_int_equal(task_outcomes_init(&o, twice, n, TASK_ANSWERS_CHOICE, K, &e), 0);
    for (int m = 0; m < TASK_N_MEASURES; m++) {
        double want = task_measure((enum task_measure)m, &o, NULL), got = task_measure((enum task_measure)m, &a, w);
        if (!(isnan(want) && isnan(got))) NEAR(got, want, 1e-12);
    }
    task_outcomes_done(&o);
}

static void intervals_are_scipys(void **state)
{
    struct err e = {0};
    struct task_interval v[TASK_N_MEASURES], again[TASK_N_MEASURES];
    assert_int_equal(task_boot_intervals(&a, DRAWS, 7, v, &e), 0);
    NEAR(v[TASK_M_ACCURACY].lo, want_accuracy_lo, 1e-12);
    NEAR(v[TASK_M_ACCURACY].hi, want_accuracy_hi, 1e-12);
    NEAR(v[TASK_M_LOG_LOSS].lo, want_log_loss_lo, 5e-3); /* both are drawn: standard error about 2e-3 */
    NEAR(v[TASK_M_LOG_LOSS].hi, want_log_loss_hi, 5e-3);
    NEAR(v[TASK_M_MACRO_F1].lo, want_macro_f1_lo, 4e-3);
    NEAR(v[TASK_M_MACRO_F1].hi, want_macro_f1_hi, 4e-3);
    assert_string_equal(v[TASK_M_ACCURACY].method, "wilson");
    assert_string_equal(v[TASK_M_ECE].method, "bootstrap");
    assert_int_equal(task_boot_intervals(&a, DRAWS, 7, again, &e), 0);
    for (int m = 0; m < TASK_N_MEASURES; m++)
        assert_true(isnan(v[m].lo) ? isnan(again[m].lo) : v[m].lo == again[m].lo && v[m].hi == again[m].hi);
}

static void comparisons_are_statsmodels(void **state)
{
    struct err e = {0};
    struct task_comparison c;
    assert_int_equal(task_boot_compare(TASK_M_ACCURACY, &a, &b, DRAWS, 7, &c, &e), 0);
    assert_int_equal(c.only_first, want_only_a);
    assert_int_equal(c.only_second, want_only_b);
    NEAR(c.difference, (want_only_a - want_only_b) / N, 1e-12);
    NEAR(c.p, want_mcnemar, 1e-12);
    NEAR(c.lo, want_difference_lo, 1.0 / N + 1e-9); /* steps of 1/60 */
    NEAR(c.hi, want_difference_hi, 1.0 / N + 1e-9);
    assert_int_equal(task_boot_compare(TASK_M_MACRO_F1, &a, &b, DRAWS, 7, &c, &e), 0);
    NEAR(c.lo, want_f1_difference_lo, 4e-3);
    NEAR(c.hi, want_f1_difference_hi, 4e-3);
    NEAR(c.p, want_f1_difference_p, 0.02);
    assert_int_equal(task_boot_compare(TASK_M_MACRO_F1, &a, &a, 100, 7, &c, &e), 0);
    assert_true(c.difference == 0 && c.lo == 0 && c.hi == 0 && c.p == 1);
}

static void mcnemar_is_scipys(void **state)
{
    NEAR(task_mcnemar(0, 0), want_mcnemar_0_0, 0);
    NEAR(task_mcnemar(0, 1), want_mcnemar_0_1, 1e-12);
    NEAR(task_mcnemar(2, 8), want_mcnemar_2_8, 1e-12);
    NEAR(task_mcnemar(25, 12), want_mcnemar_12_25, 1e-12);
    NEAR(task_mcnemar(950, 1050), want_mcnemar_950_1050, 1e-10);
    assert_true(task_mcnemar(0, 100000) < 1e-300);
}

static void plots_add_up(void **state)
{
    struct task_bin bin[TASK_ECE_BINS];
    struct task_curve_point p[TASK_CURVE_POINTS];
    size_t n = 0, n_right = 0;
    double e = 0;
    task_reliability(&a, bin);
    for (int i = 0; i < TASK_ECE_BINS; i++) {
        n += bin[i].n;
        n_right += bin[i].n_right;
        e += fabs((double)bin[i].n_right - (double)bin[i].n * bin[i].confidence) / N;
    }
    assert_int_equal(n, N);
    NEAR((double)n_right / N, want_accuracy, 1e-12);
    NEAR(e, want_ece, 1e-12);
    n = task_risk_coverage(&a, p);
    assert_true(n > 10 && p[n - 1].coverage == 1);
    NEAR(p[n - 1].risk, 1 - want_accuracy, 1e-12);
    for (size_t i = 0; i < n; i++) { /* by counting */
        double seen = 0, wrong = 0;
        for (int k = 0; k < N; k++) {
            if (!(item_a[k].confidence >= p[i].threshold)) continue;
            seen++;
            wrong += !item_a[k].right;
        }
        NEAR(p[i].coverage, seen / N, 1e-12);
        NEAR(p[i].risk, wrong / seen, 1e-12);
    }
}

/* However many confidences there are: points in their places, by rising coverage, the last at 1. */
static void a_curve_keeps_to_its_points(void **state)
{
    static struct task_outcome x[3000];
    struct task_curve_point p[TASK_CURVE_POINTS + 1];
    struct task_outcomes o;
    struct err e = {0};
    for (int i = 0; i < 3000; i++) x[i] = (struct task_outcome){.right = i % 7, .confidence = 1 - i / 3001.0};
    for (size_t n = 1; n <= 3000; n += n < 500 ? 1 : 25) {
        p[TASK_CURVE_POINTS].coverage = -1;
        assert_int_equal(task_outcomes_init(&o, x, n, TASK_ANSWERS_TEXT, 0, &e), 0);
        size_t k = task_risk_coverage(&o, p);
        assert_true(k >= 1 && k <= TASK_CURVE_POINTS && p[TASK_CURVE_POINTS].coverage == -1);
        assert_true(n < 200 || k == TASK_CURVE_POINTS);
        assert_true(p[k - 1].coverage == 1);
        for (size_t i = 1; i < k; i++) assert_true(p[i].coverage > p[i - 1].coverage);
        task_outcomes_done(&o);
    }
}

static void what_is_not_there_is_not_defined(void **state)
{
    struct err e = {0};
    struct task_interval v[TASK_N_MEASURES];
    struct task_outcome x[3] = {{true, NAN, NAN, NAN, 0, 0, {3, 1, 0}},
                                {true, 0.5, 0.5, 0.5, 0, 0, {0, 0, 2}},
                                {true, 0.5, 0.5, 0.5, 0, 0, {0}}};
    struct task_outcomes o;
    assert_int_equal(task_outcomes_init(&o, x, 3, TASK_ANSWERS_FIELDS, 0, &e), 0);
    assert_int_equal(task_boot_intervals(&o, 50, 1, v, &e), 0);
    NEAR(v[TASK_M_EXACT_MATCH].value, 1, 0);
    NEAR(v[TASK_M_FIELD_F1].value, 6.0 / 9, 1e-12);
    NEAR(v[TASK_M_FIELD_PRECISION].value, 3.0 / 4, 1e-12);
    NEAR(v[TASK_M_FIELD_RECALL].value, 3.0 / 5, 1e-12);
    assert_true(isnan(v[TASK_M_ACCURACY].value) && isnan(v[TASK_M_ECE].value) && isnan(v[TASK_M_AUROC].lo));
    task_outcomes_done(&o);
    assert_int_equal(task_outcomes_init(&o, x + 1, 2, TASK_ANSWERS_CHOICE, 2, &e), 0); /* nothing wrong: no AUROC */
    assert_true(isnan(task_measure(TASK_M_AUROC, &o, NULL)));
    NEAR(task_measure(TASK_M_AURC, &o, NULL), 0, 0);
    task_outcomes_done(&o);
}

static void fields(const char *want, const char *got, unsigned hit, unsigned spurious, unsigned missed)
{
    struct err e = {0};
    struct task_fields f = {0};
    json_t *w = json_loads(want, JSON_DECODE_ANY, NULL), *g = got ? json_loads(got, JSON_DECODE_ANY, NULL) : NULL;
    assert_int_equal(task_fields_compare(w, g, &f, &e), 0);
    if (f.hit != hit || f.spurious != spurious || f.missed != missed)
        fail_msg("%s, %s: %u %u %u", want, got ? got : "(none)", f.hit, f.spurious, f.missed);
    json_decref(w);
    json_decref(g);
}

static void fields_by_hand(void **state)
{
    fields("{\"a\":1,\"b\":\"x\"}", "{\"b\":\"x\",\"a\":1.0}", 2, 0, 0);
    fields("{\"a\":1}", "{\"a\":\"1\"}", 0, 1, 1);
    fields("{\"a\":1}", "{\"b\":1}", 0, 1, 1);
    fields("{\"a\":null,\"b\":true}", "{\"a\":\"x\",\"b\":true}", 1, 1, 0);
    fields("{\"a\":null}", "{}", 0, 0, 0);
    fields("{\"a\":{\"b\":[\"x\",\"y\"]}}", NULL, 0, 0, 2);
    /* slots of spans: each list is a bag */
    fields("{\"intent\":\"PlayMusic\",\"slots\":{\"artist\":[\"a\",\"b\"],\"album\":[\"c\"]}}",
           "{\"intent\":\"PlayMusic\",\"slots\":{\"artist\":[\"b\",\"c\"]}}", 2, 1, 2);
    fields("[\"x\",\"x\"]", "[\"x\"]", 1, 0, 1);
    fields("[\"x\"]", "[\"x\",\"x\",null]", 1, 1, 0);
    /* rows keep together: two of four fields are in the right row, whatever the order of rows */
    fields("[{\"p\":\"milk\",\"n\":2},{\"p\":\"bread\",\"n\":1}]",
           "[{\"p\":\"bread\",\"n\":1},{\"p\":\"milk\",\"n\":2}]", 4, 0, 0);
    fields("[{\"p\":\"milk\",\"n\":2},{\"p\":\"bread\",\"n\":1}]",
           "[{\"p\":\"milk\",\"n\":1},{\"p\":\"bread\",\"n\":2}]", 2, 2, 2);
    fields("[[1,2],[3]]", "[[3],[2,1]]", 3, 0, 0);
    fields("\"text\"", "\"text\"", 1, 0, 0);
    fields("{\"a\":[]}", "{\"a\":{\"b\":1}}", 0, 1, 0);
}

static void slots_are_bags_of_pairs(void **state)
{
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        fields(slots[i].want, slots[i].got, slots[i].hit, slots[i].spurious, slots[i].missed);
}

static void deep_values_are_refused(void **state)
{
    char text[400];
    struct err e = {0};
    struct task_fields f;
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    json_t *v = json_loadb(text, 200, JSON_DECODE_ANY, NULL);
    assert_int_equal(task_fields_compare(v, v, &f, &e), CROFT_E_LIMIT);
    json_decref(v);
}

static void no_memory_is_an_error(void **state)
{
    struct err e = {0};
    struct task_interval v[TASK_N_MEASURES];
    struct task_outcomes o;
    struct task_comparison c;
    for (long nth = 1; nth <= 2; nth++) {
        mem_fail_nth(nth);
        assert_int_equal(task_outcomes_init(&o, item_a, N, TASK_ANSWERS_CHOICE, K, &e), CROFT_E_NOMEM);
        mem_fail_nth(nth);
        assert_int_equal(task_boot_intervals(&a, 10, 1, v, &e), CROFT_E_NOMEM);
        mem_fail_nth(nth);
        assert_int_equal(task_boot_compare(TASK_M_ECE, &a, &b, 10, 1, &c, &e), CROFT_E_NOMEM);
    }
    mem_fail_nth(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_are_scikit_learns),
        cmocka_unit_test(weights_are_repetitions),
        cmocka_unit_test(intervals_are_scipys),
        cmocka_unit_test(comparisons_are_statsmodels),
        cmocka_unit_test(mcnemar_is_scipys),
        cmocka_unit_test(plots_add_up),
        cmocka_unit_test(a_curve_keeps_to_its_points),
        cmocka_unit_test(what_is_not_there_is_not_defined),
        cmocka_unit_test(fields_by_hand),
        cmocka_unit_test(slots_are_bags_of_pairs),
        cmocka_unit_test(deep_values_are_refused),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
