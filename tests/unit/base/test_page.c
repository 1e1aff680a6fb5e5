/* Pages and plots: what is escaped, which numbers stand at an axis, where a value is drawn. */
#include "base_mem.h"
#include "base_page.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void texts_are_escaped(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    page_begin(&b, "<script>&\"'");
    page_heading(&b, "a\nb\x01");
    page_cell_number(&b, NAN, 2);
    page_cell_signed(&b, 0.5, 1);
    page_end(&b, NULL);
    assert_null(strstr(b.data, "<script"));
    assert_non_null(strstr(b.data, "<h1>&lt;script&gt;&amp;&quot;&#39;</h1>"));
    assert_non_null(strstr(b.data, "<h2>a b </h2>"));
    assert_non_null(strstr(b.data, "<td class=n>–</td><td class=n>+0.5</td>"));
    buf_done(&b);
}

static void steps_are_round(void **state)
{
    (void)state;
    static const struct {
        double span;
        int n;
        double step;
    } of[] = {{1, 5, 0.2}, {54000, 5, 10000}, {36, 5, 10},       {0.117, 5, 0.025}, {7, 5, 2},     {1e9, 4, 2.5e8},
              {0, 5, 1},   {-3, 5, 1},        {INFINITY, 5, 1}, {NAN, 5, 1}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        double got = page_nice_step(of[i].span, of[i].n);
        if (!(fabs(got - of[i].step) <= 1e-9 * of[i].step)) fail_msg("%g: %g, not %g", of[i].span, got, of[i].step);
    }
}

static void ticks_say_no_more_than_they_must(void **state)
{
    (void)state;
    static const struct {
        double v, step, largest;
        enum page_unit unit;
        const char *text;
    } of[] = {{0.4, 0.2, 1, PAGE_NUMBER, "0.4"},
              {20000, 10000, 54000, PAGE_NUMBER, "20k"},
              {-20000, 10000, 54000, PAGE_NUMBER, "−20k"},
              {0, 10000, 54000, PAGE_NUMBER, "0"},
              {2500000, 2500000, 1e7, PAGE_NUMBER, "2.5M"},
              {2e9, 1e9, 4e9, PAGE_NUMBER, "2bn"},
              {0.25, 0.05, 1, PAGE_SHARE, "25 %"},
              {0.025, 0.025, 0.1, PAGE_SHARE, "2.5 %"},
              {0.00025, 0.00005, 0.0004, PAGE_NUMBER, "0.00025"},
              {-1e-20, 0.2, 1, PAGE_NUMBER, "0.0"}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char text[32];
        page_tick_text(of[i].v, of[i].step, of[i].largest, of[i].unit, text);
        assert_string_equal(text, of[i].text);
    }
}

/* The area is 100 by 50: the data's corners are the area's, and y points up. */
static void values_are_drawn_where_they_belong(void **state)
{
    (void)state;
    const double x[] = {0, 5, NAN, 10, 20}, y[] = {-1, 0, 3, 1, 9};
    struct buf b;
    buf_init(&b, 1 << 20);
    struct page_plot p = {.b = &b, .x = {.max = 10, .exact = true}, .y = {.min = -1, .max = 1, .exact = true}};
    p.width = 100;
    p.height = 50;
    page_plot_begin(&p);
    page_plot_line(&p, x, y, 5, 0);
    page_plot_bar(&p, 0, 0, 5, 1, "#000", 1, "a<b");
    page_plot_bar(&p, NAN, 0, 5, 1, "#111", 1, NULL);
    page_plot_end(&p, "");
    assert_non_null(strstr(b.data, "d=\"M0.0 50.0L50.0 25.0M100.0 0.0L100.0 0.0\""));
    assert_non_null(strstr(b.data, "<rect x=0.0 y=0.0 width=50.0 height=25.0 fill=\"#000\"><title>a&lt;b</title>"));
    assert_null(strstr(b.data, "#111"));
    buf_done(&b);
}

/* Names: of a y axis the first is at the top; what is too long is cut at a character, not inside one. */
static void names_stand_at_their_places(void **state)
{
    (void)state;
    const char *const names[] = {"first", "äääääääääääääääääääääääääääääääääääääääääääää"};
    struct buf b;
    buf_init(&b, 1 << 20);
    struct page_plot p = {.b = &b,
                          .x = {.names = names, .n_names = 2},
                          .y = {.names = names, .n_names = 2},
                          .series = names,
                          .n_series = 2};
    p.width = p.height = 100;
    page_plot_begin(&p);
    page_plot_bar(&p, 0, 0, 1, 1, "#000", 0.5, NULL);
    page_plot_end(&p, "");
    assert_non_null(strstr(b.data, "<text x=-6 y=28.9 text-anchor=end>first</text>"));
    assert_non_null(strstr(b.data, "ä…<title>"));
    assert_non_null(strstr(b.data, "<rect x=0.0 y=0.0 width=50.0 height=50.0 fill=\"#000\" fill-opacity=0.50/>"));
    assert_int_equal(p.top <= -2 * 18, true); /* the long name has a row of the legend for itself */
    buf_done(&b);
}

/* An axis of nothing, or of one value, is still an axis; a full buffer stays what it is. */
static void nothing_is_drawn_without_trouble(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    struct page_plot p = {.b = &b, .x = {.min = NAN, .max = NAN}, .y = {.min = 3, .max = 3}};
    page_plot_begin(&p);
    page_plot_line(&p, NULL, NULL, 0, 3);
    page_plot_band(&p, NULL, NULL, NULL, 0, 3);
    page_plot_label(&p, NAN, 1, "x", NULL);
    page_plot_end(&p, NULL);
    assert_int_equal(b.failed, 0);
    assert_null(strstr(b.data, "nan"));
    buf_done(&b);
    buf_init(&b, 100);
    page_begin(&b, "too long for the buffer");
    page_end(&b, "x");
    assert_int_equal(b.failed, CROFT_E_LIMIT);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(steps_are_round),
        cmocka_unit_test(ticks_say_no_more_than_they_must),
        cmocka_unit_test(values_are_drawn_where_they_belong),
        cmocka_unit_test(names_stand_at_their_places),
        cmocka_unit_test(nothing_is_drawn_without_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
