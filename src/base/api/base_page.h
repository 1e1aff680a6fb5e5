/* Pages to hand around: one HTML file with tables and plots, without scripts, fonts or anything from elsewhere, that
 * prints on A4. Everything is appended to a buffer, whose `failed` is checked once at the end (buf_check). Texts are
 * escaped. Numbers that are not finite print as a dash, and are not drawn.
 *
 *     page_begin(b, "Evaluation of x");
 *     page_facts_begin(b); page_fact(b, "Model", name); page_facts_end(b);
 *     page_heading(b, "Quality");
 *     page_table_begin(b, columns);
 *     page_row_begin(b); page_cell(b, "accuracy"); page_cell_number(b, 0.883, 4); page_row_end(b);
 *     page_table_end(b);
 *     page_plots_begin(b);
 *     struct page_plot p = {.b = b, .x = {.title = "month", .max = 36}, .y = {.title = "USD", .max = 54000}};
 *     page_plot_begin(&p); page_plot_line(&p, x, y, n, 0); page_plot_end(&p, "What has been paid by then.");
 *     page_plots_end(b);
 *     page_end(b, "Made by croft.");
 */
#ifndef BASE_PAGE_H
#define BASE_PAGE_H

#include "base_buf.h"

/* ---- the page and its texts ---- */

void page_begin(struct buf *b, const char *title);
void page_end(struct buf *b, const char *footer);
void page_text(struct buf *b, const char *z); /* escaped; control characters become spaces; NULL: nothing */
void page_heading(struct buf *b, const char *title);
void page_note(struct buf *b, const char *text);      /* a small paragraph */
void page_paragraph(struct buf *b, const char *text);
/* The sentence that the page is made for. `strong` comes first, in bold. */
enum page_tone { PAGE_GOOD, PAGE_BAD, PAGE_OPEN };
void page_verdict(struct buf *b, enum page_tone tone, const char *strong, const char *text);

void page_facts_begin(struct buf *b); /* name and value, line by line */
void page_fact(struct buf *b, const char *name, const char *value);
void page_fact_code(struct buf *b, const char *name, const char *value); /* a digest, a command */
void page_facts_end(struct buf *b);

/* ---- tables ---- */

struct page_column {
    const char *title; /* NULL ends the list */
    bool is_number;    /* to the right */
};
void page_table_begin(struct buf *b, const struct page_column *columns);
void page_row_begin(struct buf *b);
void page_row_total_begin(struct buf *b); /* a sum of those above */
void page_cell(struct buf *b, const char *z);
void page_cell_right(struct buf *b, const char *z); /* a number that is a text already */
void page_cell_number(struct buf *b, double v, int decimals);
void page_cell_signed(struct buf *b, double v, int decimals); /* +0.01 */
void page_row_end(struct buf *b);
void page_table_end(struct buf *b);

/* ---- plots: SVG whose looks stand in its attributes ---- */

enum page_unit {
    PAGE_NUMBER, /* 20k, 1.5M where numbers are large */
    PAGE_SHARE,  /* 0.25 is printed 25 % */
};
struct page_axis {
    const char *title;
    double min, max; /* of the data: the axis goes on to the next round number, unless `exact` */
    bool exact, no_grid;
    double step; /* between ticks; 0: a round number that suits */
    enum page_unit unit;
    const char *const *names; /* instead of numbers, [n_names]: number i is the space from i to i + 1; of a y axis the
                               * first is at the top */
    int n_names;
};
struct page_plot {
    /* set before page_plot_begin; borrowed */
    struct buf *b;
    struct page_axis x, y;
    double width, height;       /* of the area inside the axes, about pixels; 0: 360, 240 */
    const char *const *series;  /* a legend above the plot, [n_series], in the colours of their numbers; or NULL */
    int n_series;
    /* made by it */
    double left, top, x_step, y_step;
};
void page_plots_begin(struct buf *b); /* plots between them stand side by side where there is room */
void page_plots_end(struct buf *b);
void page_plot_begin(struct page_plot *p);
void page_plot_end(struct page_plot *p, const char *caption);
const char *page_color(int series);                       /* "#1f4e79"; distinct for 10 series, then again */
const char *page_color_pale(int series);                  /* the same, much lighter */

/* What follows is in the data's units; what lies outside the axes is cut to them. `title` (or NULL) is shown under the
 * pointer. */
void page_plot_line(struct page_plot *p, const double *x, const double *y, int n, int series);
void page_plot_dashed(struct page_plot *p, double x0, double y0, double x1, double y1); /* for comparison */
void page_plot_band(struct page_plot *p, const double *x, const double *low, const double *high, int n, int series);
void page_plot_bar(struct page_plot *p, double x0, double y0, double x1, double y1, const char *color,
                   double opacity, const char *title);
void page_plot_range(struct page_plot *p, double x, double low, double high, int series); /* an error bar */
void page_plot_dot(struct page_plot *p, double x, double y, int series, const char *title);
/* Text beside a point, on the side where there is room; `color` NULL: the text's own. */
void page_plot_label(struct page_plot *p, double x, double y, const char *text, const char *color);
void page_plot_centred(struct page_plot *p, double x, double y, const char *text, const char *color, double size);

/* The next of 1, 2, 2.5 and 5 times a power of ten, such that a span has about `n` steps (after Heckbert's nice
 * numbers, Graphics Gems, 1990); 1 where there is no span. */
double page_nice_step(double span, int n);
/* A tick's text, among ticks that are `step` apart and at most `largest` in size. */
void page_tick_text(double v, double step, double largest, enum page_unit unit, char out[32]);

#endif
