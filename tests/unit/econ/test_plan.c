/* The plan of a device's life. Expected months were counted with Python's calendar, one month at a time; the
 * iCalendar is checked against RFC 5545's rules for lines and text. */
#include "base_buf.h"
#include "econ_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct err e;

static struct econ_plan plan_of(int year, int month, int life)
{
    struct econ_plan p;
    if (econ_plan_make("m.gguf", "till", (struct econ_month){year, month}, life, &p, &e)) fail_msg("%s", e.msg);
    return p;
}

static void months_are_counted(void **state)
{
    static const struct {
        int year, month, life;
        struct econ_month due[ECON_PLAN_STEPS];
    } cases[] = {{2026, 11, 36, {{2026, 11}, {2028, 5}, {2028, 11}, {2029, 11}}},
                 {2026, 11, 24, {{2026, 11}, {2027, 11}, {2027, 11}, {2028, 11}}},
                 {2027, 1, 61, {{2027, 1}, {2029, 7}, {2031, 2}, {2032, 2}}},
                 {2026, 12, 240, {{2026, 12}, {2036, 12}, {2045, 12}, {2046, 12}}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct econ_plan p = plan_of(cases[i].year, cases[i].month, cases[i].life);
        for (int k = 0; k < ECON_PLAN_STEPS; k++) {
            assert_int_equal(p.step[k].due.year, cases[i].due[k].year);
            assert_int_equal(p.step[k].due.month, cases[i].due[k].month);
            assert_non_null(p.step[k].todo[0]);
        }
    }
}

static void what_is_no_month_is_refused(void **state)
{
    static const char *const bad[] = {"",        "2026",    "2026-13", "2026-00",  "26-11",   "2026-1",
                                      "2026/11", "2026-1x", "1026-11", "2026-011", "-026-11", "20261-1"};
    struct econ_month m = {0};
    assert_int_equal(econ_month_parse("2026-11", &m, &e), 0);
    assert_int_equal(m.year * 100 + m.month, 202611);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (econ_month_parse(bad[i], &m, &e) != CROFT_E_USAGE) fail_msg("'%s' was taken", bad[i]);
}

static void a_life_that_cannot_be_planned_is_refused(void **state)
{
    struct econ_plan p;
    static const int bad[] = {-5, 0, 12, 23, 241};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(econ_plan_make("m", "d", (struct econ_month){2026, 11}, bad[i], &p, &e), CROFT_E_USAGE);
}

static void text_and_markdown_have_every_step(void **state)
{
    struct econ_plan p = plan_of(2026, 11, 36);
    struct buf b;
    buf_init(&b, 1 << 16);
    econ_plan_text(&p, &b);
    assert_int_equal(b.failed, 0);
    assert_non_null(strstr(b.data, "2028-05  mid-life review (month 18)\n"));
    assert_non_null(strstr(b.data, "  [ ] "));
    buf_clear(&b);
    econ_plan_markdown(&p, &b);
    assert_non_null(strstr(b.data, "## 2028-11  refresh decision (month 24)\n\n- [ ] "));
    buf_done(&b);
}

static void a_calendar_keeps_to_the_format(void **state)
{
    struct econ_plan p = plan_of(2026, 11, 36);
    struct buf b;
    int events = 0;
    p.model = "shop, till; a \\ b.gguf";
    buf_init(&b, 1 << 16);
    econ_plan_ics(&p, 1795219200, &b); /* date -u -d @1795219200: 2026-11-21 00:00:00 */
    assert_int_equal(b.failed, 0);
    assert_non_null(strstr(b.data, "DTSTAMP:20261121T000000Z\r\n"));
    assert_non_null(strstr(b.data, "DTSTART;VALUE=DATE:20280501\r\n"));
    assert_non_null(strstr(b.data, "shop\\, till\\; a \\\\ b.gguf"));
    for (const char *p1 = b.data, *end; *p1; p1 = end + 2) {
        assert_non_null(end = strstr(p1, "\r\n"));
        assert_true(end - p1 <= 75);
        assert_null(memchr(p1, '\n', (size_t)(end - p1)));
        events += strncmp(p1, "BEGIN:VEVENT", 12) == 0;
    }
    assert_int_equal(events, ECON_PLAN_STEPS);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_are_counted),
        cmocka_unit_test(what_is_no_month_is_refused),
        cmocka_unit_test(a_life_that_cannot_be_planned_is_refused),
        cmocka_unit_test(text_and_markdown_have_every_step),
        cmocka_unit_test(a_calendar_keeps_to_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
