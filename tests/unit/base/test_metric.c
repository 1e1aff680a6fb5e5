/* Metrics (base_metric.h): Prometheus' text format, line for line. */
#include "base_metric.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_text(void **state)
{
    static const double bounds[] = {0.1, 1, 0};
    struct metrics *s = metrics_new();
    struct metric *c = metric_new(s, METRIC_COUNTER, "x_total", "Things.", "a,b", NULL);
    struct metric *g = metric_new(s, METRIC_GAUGE, "y", "Now.", "", NULL);
    struct metric *h = metric_new(s, METRIC_HISTOGRAM, "z_seconds", "Times.", "m", bounds);
    struct buf out;
    buf_init(&out, 1 << 16);
    metric_add(c, 1, "p", "q\"\\\n");
    metric_add(c, 2, "p", "q\"\\\n");
    metric_add(c, 1, "p", "r");
    metric_set(g, 5);
    metric_set(g, 4.5);
    metric_add(h, 0.1, "m1");
    metric_add(h, 0.5, "m1");
    metric_add(h, 7, "m1");
    metrics_text(s, &out);
    assert_string_equal(
        out.data,
        "# HELP x_total Things.\n# TYPE x_total counter\n"
        "x_total{a=\"p\",b=\"q\\\"\\\\\\n\"} 3\nx_total{a=\"p\",b=\"r\"} 1\n"
        "# HELP y Now.\n# TYPE y gauge\ny 4.5\n"
        "# HELP z_seconds Times.\n# TYPE z_seconds histogram\n"
        "z_seconds_bucket{m=\"m1\",le=\"0.1\"} 1\nz_seconds_bucket{m=\"m1\",le=\"1\"} 2\n"
        "z_seconds_bucket{m=\"m1\",le=\"+Inf\"} 3\nz_seconds_sum{m=\"m1\"} 7.6\nz_seconds_count{m=\"m1\"} 3\n");
    buf_done(&out);
    metrics_free(s);
}

static void test_series_are_bounded(void **state)
{
    struct metrics *s = metrics_new();
    struct metric *c = metric_new(s, METRIC_COUNTER, "x", "X.", "a", NULL);
    struct buf out;
    char name[16];
    int lines = 0;
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "%d", i);
        metric_add(c, 1, name);
    }
    metrics_text(s, &out);
    for (const char *p = out.data; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 1002);
    metric_add(NULL, 1); /* without memory: nothing */
    buf_done(&out);
    metrics_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_series_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
