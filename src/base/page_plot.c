/* Plots of a page (base_page.h). An SVG drawing about as large as its pixels, whose area has its corner at (0, 0) at
 * the top left:
 *
 *      <- left ->
 *     +----------------------------+  -top: legend
 *     |          0,0 --------- w   |
 *     |  title    |  the area  |   |
 *     |  and      |            |   |
 *     |  ticks    h ---------- +   |
 *     |           ticks, title     |
 *     +----------------------------+
 *
 * A value v of the data is at (v - first) * step of the area; `first` is the axis's min, for y its max. How wide a
 * text is can only be guessed (0.56 of the font's size a character), so margins are generous. Owns nothing; any
 * thread. */
#include "base_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INK "#1b2733"
#define GREY "#4a5a68"
enum { FONT = 11, TICKS = 5, LEGEND_ROW = 18, MAX_CHARS = 34 };
#define CHAR_WIDTH (0.56 * FONT)

static const struct {
    const char *strong, *pale;
} colors[] = {{"#1f4e79", "#b5c9dd"}, {"#c4582f", "#f0cdbf"}, {"#2f7d4f", "#bcdcc8"}, {"#b98a1f", "#ecdcb4"},
              {"#7b4b94", "#d9c7e2"}, {"#2a9d9d", "#bfe3e3"}, {"#a23b5c", "#e8c3cf"}, {"#6b7885", "#d3d8dd"},
              {"#8c6239", "#e0d0c0"}, {"#5a7d1f", "#d2dfba"}};
enum { N_COLORS = sizeof colors / sizeof colors[0] };

const char *page_color(int series) { return colors[(unsigned)series % N_COLORS].strong; }

const char *page_color_pale(int series) { return colors[(unsigned)series % N_COLORS].pale; }

/* ---- round numbers ---- */

double page_nice_step(double span, int n)
{
    if (!(span > 0) || !isfinite(span) || n < 1) return 1;
    double raw = span / n, power = pow(10, floor(log10(raw))), lead = raw / power;
    double nice = lead <= 1.1 ? 1 : lead <= 2.1 ? 2 : lead <= 3 ? 2.5 : lead <= 6 ? 5 : 10;
    return power > 0 ? nice * power : 1;
}

void page_tick_text(double v, double step, double largest, enum page_unit unit, char out[32])
{
    static const struct {
        double from, unit;
        const char *name;
    } scales[] = {{1e9, 1e9, "bn"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {0, 1, ""}};
    int i = 0, decimals = 0;
    while (largest < scales[i].from) i++;
    double scale = unit == PAGE_SHARE ? 0.01 : scales[i].unit;
    const char *name = unit == PAGE_SHARE ? " %" : fabs(v) < step / 2 ? "" : scales[i].name;
    double shown = fabs(v) / scale, by = step / scale;
    while (decimals < 9 && fabs(by - round(by)) > 1e-6 * by) {
        by *= 10;
        decimals++;
    }
    bool minus = v < 0 && fabs(v) > step / 2;
    snprintf(out, 32, "%s%.*f%s", minus ? "−" : "", decimals, shown, name);
}

static double step_of(const struct page_axis *a)
{
    double span = a->max - a->min;
    return a->step > 0 && span / a->step < 100 ? a->step : page_nice_step(span, TICKS);
}

/* The axis from and to round numbers, around the data's. */
static void round_out(struct page_axis *a)
{
    if (a->names) {
        a->min = 0;
        a->max = a->n_names > 0 ? a->n_names : 1;
        return;
    }
    if (!isfinite(a->min)) a->min = 0;
    if (!isfinite(a->max) || a->max <= a->min) a->max = a->min + 1;
    if (a->exact) return;
    double step = step_of(a);
    a->min = floor(a->min / step + 1e-6) * step;
    a->max = ceil(a->max / step - 1e-6) * step;
    a->step = step;
}

/* ---- where things are ---- */

static double at_x(const struct page_plot *p, double x)
{
    return fmin(fmax((x - p->x.min) * p->x_step, 0), p->width);
}

static double at_y(const struct page_plot *p, double y)
{
    double from_top = p->y.names ? y - p->y.min : p->y.max - y;
    return fmin(fmax(from_top * p->y_step, 0), p->height);
}

static size_t n_chars(const char *z)
{
    size_t n = 0;
    for (; z && *z; z++) n += ((unsigned char)*z & 0xc0) != 0x80;
    return n;
}

/* A name that is too long for an axis ends in "…"; the whole is shown under the pointer. */
static void name_text(struct buf *b, const char *z)
{
    char cut[4 * MAX_CHARS + 4];
    size_t n = 0, chars = 0;
    if (n_chars(z) <= MAX_CHARS) {
        page_text(b, z);
        return;
    }
    while (z[n] && n < sizeof cut - 4 && (chars < MAX_CHARS - 1 || ((unsigned char)z[n] & 0xc0) == 0x80))
        chars += ((unsigned char)z[n++] & 0xc0) != 0x80;
    while (n > 0 && ((unsigned char)z[n] & 0xc0) == 0x80) n--;
    memcpy(cut, z, n);
    memcpy(cut + n, "…", sizeof "…");
    page_text(b, cut);
    buf_str(b, "<title>");
    page_text(b, z);
    buf_str(b, "</title>");
}

static double names_width(const struct page_axis *a)
{
    size_t most = 0;
    for (int i = 0; i < a->n_names; i++) {
        size_t n = n_chars(a->names[i]);
        if (n > most) most = n;
    }
    return (double)(most < MAX_CHARS ? most : MAX_CHARS) * CHAR_WIDTH;
}

static double tick_width(const struct page_axis *a)
{
    double step = step_of(a), most = 0;
    for (double v = ceil(a->min / step - 1e-6) * step; v <= a->max + step / 1e6; v += step) {
        char text[32];
        page_tick_text(v, step, fmax(fabs(a->min), fabs(a->max)), a->unit, text);
        most = fmax(most, (double)n_chars(text) * CHAR_WIDTH);
    }
    return most;
}

/* ---- axes ---- */

static void tick_x(struct page_plot *p, double v, const char *text)
{
    if (!p->x.no_grid) buf_fmt(p->b, "<path stroke=\"#dfe4e8\" d=\"M%.1f 0V%.1f\"/>", at_x(p, v), p->height);
    buf_fmt(p->b, "<text x=%.1f y=%.1f text-anchor=middle>%s</text>\n", at_x(p, v), p->height + FONT + 4, text);
}

static void tick_y(struct page_plot *p, double v, const char *text)
{
    if (!p->y.no_grid) buf_fmt(p->b, "<path stroke=\"#dfe4e8\" d=\"M0 %.1fH%.1f\"/>", at_y(p, v), p->width);
    buf_fmt(p->b, "<text x=-6 y=%.1f text-anchor=end>%s</text>\n", at_y(p, v) + 0.35 * FONT, text);
}

static void ticks(struct page_plot *p, const struct page_axis *a,
                  void (*tick)(struct page_plot *, double, const char *))
{
    double step = step_of(a);
    for (double i = ceil(a->min / step - 1e-6); i * step <= a->max + step / 1e6; i++) {
        char text[32];
        page_tick_text(i * step, step, fmax(fabs(a->min), fabs(a->max)), a->unit, text);
        tick(p, i * step, text);
    }
}

static void names_x(struct page_plot *p, bool upright)
{
    for (int i = 0; i < p->x.n_names; i++) {
        double x = at_x(p, i + 0.5);
        if (upright)
            buf_fmt(p->b, "<text transform=\"translate(%.1f %.1f)rotate(-90)\" text-anchor=end>", x + 0.35 * FONT,
                    p->height + 6);
        else
            buf_fmt(p->b, "<text x=%.1f y=%.1f text-anchor=middle>", x, p->height + FONT + 4);
        name_text(p->b, p->x.names[i]);
        buf_str(p->b, "</text>\n");
    }
}

static void names_y(struct page_plot *p)
{
    for (int i = 0; i < p->y.n_names; i++) {
        buf_fmt(p->b, "<text x=-6 y=%.1f text-anchor=end>", at_y(p, i + 0.5) + 0.35 * FONT);
        name_text(p->b, p->y.names[i]);
        buf_str(p->b, "</text>\n");
    }
}

/* ---- legend ---- */

/* Draw it, or with b NULL only say how many rows it takes. */
static int legend(const struct page_plot *p, struct buf *b, double top)
{
    double x = 0, room = p->left + p->width;
    int row = 0;
    for (int i = 0; i < p->n_series; i++) {
        double wide = 16 + (double)n_chars(p->series[i]) * CHAR_WIDTH + 18;
        if (x > 0 && x + wide > room) {
            x = 0;
            row++;
        }
        if (b) {
            double y = top + row * LEGEND_ROW;
            buf_fmt(b, "<rect x=%.1f y=%.1f width=10 height=10 fill=\"%s\"/><text x=%.1f y=%.1f>", x - p->left, y,
                    page_color(i), x - p->left + 15, y + 9);
            page_text(b, p->series[i]);
            buf_str(b, "</text>\n");
        }
        x += wide;
    }
    return p->n_series ? row + 1 : 0;
}

/* ---- the plot ---- */

void page_plots_begin(struct buf *b) { buf_str(b, "<div class=plots>\n"); }

void page_plots_end(struct buf *b) { buf_str(b, "</div>\n"); }

void page_plot_begin(struct page_plot *p)
{
    struct buf *b = p->b;
    if (p->width <= 0) p->width = 360;
    if (p->height <= 0) p->height = 240;
    round_out(&p->x);
    round_out(&p->y);
    p->x_step = p->width / (p->x.max - p->x.min);
    p->y_step = p->height / (p->y.max - p->y.min);
    bool upright = p->x.names && names_width(&p->x) > p->width / p->x.max - 6;
    p->left = (p->y.names ? names_width(&p->y) : tick_width(&p->y)) + 10 + (p->y.title ? FONT + 8 : 0);
    double legend_top = -LEGEND_ROW * (double)legend(p, NULL, 0) - 4, right = 20;
    double below = (upright ? names_width(&p->x) : FONT) + 10 + (p->x.title ? FONT + 10 : 0);
    p->top = legend_top - 6;
    double wide = p->left + p->width + right, high = p->height + below - p->top;
    buf_fmt(b,
            "<figure style=\"flex-basis:%.0fpx;max-width:%.0fpx\"><svg viewBox=\"%.1f %.1f %.1f %.1f\" role=img "
            "font-size=%d font-family=\"Helvetica,Arial,sans-serif\" fill=\"" GREY "\">\n",
            0.85 * wide, wide, -p->left, p->top, wide, high, FONT);
    legend(p, b, legend_top);
    if (p->x.names)
        names_x(p, upright);
    else
        ticks(p, &p->x, tick_x);
    if (p->y.names)
        names_y(p);
    else
        ticks(p, &p->y, tick_y);
    if (p->x.title) {
        buf_fmt(b, "<text x=%.1f y=%.1f text-anchor=middle>", p->width / 2, p->height + below - 4);
        page_text(b, p->x.title);
        buf_str(b, "</text>");
    }
    if (p->y.title) {
        buf_fmt(b, "<text transform=\"translate(%.1f %.1f)rotate(-90)\" text-anchor=middle>", FONT - p->left,
                p->height / 2);
        page_text(b, p->y.title);
        buf_str(b, "</text>\n");
    }
}

void page_plot_end(struct page_plot *p, const char *caption)
{
    double zero = p->y.names || p->y.min >= 0 ? p->height : at_y(p, 0);
    buf_fmt(p->b, "<path fill=none stroke=\"" INK "\" d=\"M0 0V%.1fM0 %.1fH%.1f\"/></svg><figcaption>", p->height,
            zero, p->width);
    page_text(p->b, caption);
    buf_str(p->b, "</figcaption></figure>\n");
}

void page_plot_line(struct page_plot *p, const double *x, const double *y, int n, int series)
{
    bool drawn = false;
    buf_fmt(p->b, "<path fill=none stroke-width=1.8 stroke-linejoin=round stroke=\"%s\" d=\"", page_color(series));
    for (int i = 0; i < n; i++) {
        bool known = isfinite(x[i]) && isfinite(y[i]);
        if (known) buf_fmt(p->b, "%c%.1f %.1f", drawn ? 'L' : 'M', at_x(p, x[i]), at_y(p, y[i]));
        drawn = known;
    }
    buf_str(p->b, "\"/>\n");
}

void page_plot_dashed(struct page_plot *p, double x0, double y0, double x1, double y1)
{
    if (!isfinite(x0 + y0 + x1 + y1)) return;
    buf_fmt(p->b, "<path stroke=\"#8795a1\" stroke-dasharray=\"5 3\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", at_x(p, x0),
            at_y(p, y0), at_x(p, x1), at_y(p, y1));
}

void page_plot_band(struct page_plot *p, const double *x, const double *low, const double *high, int n, int series)
{
    char then = 'M';
    buf_fmt(p->b, "<path fill=\"%s\" fill-opacity=.55 d=\"", page_color_pale(series));
    for (int i = 0; i < 2 * n; i++) {
        int at = i < n ? i : 2 * n - 1 - i;
        double y = i < n ? high[at] : low[at];
        if (!isfinite(x[at]) || !isfinite(y)) continue;
        buf_fmt(p->b, "%c%.1f %.1f", then, at_x(p, x[at]), at_y(p, y));
        then = 'L';
    }
    buf_str(p->b, "\"/>\n");
}

void page_plot_bar(struct page_plot *p, double x0, double y0, double x1, double y1, const char *color, double opacity,
                   const char *title)
{
    if (!isfinite(x0 + y0 + x1 + y1)) return;
    double a = at_x(p, x0), c = at_x(p, x1), top = at_y(p, y0), bottom = at_y(p, y1);
    buf_fmt(p->b, "<rect x=%.1f y=%.1f width=%.1f height=%.1f fill=\"%s\"", fmin(a, c), fmin(top, bottom),
            fabs(c - a), fabs(bottom - top), color);
    if (opacity < 1) buf_fmt(p->b, " fill-opacity=%.2f", opacity);
    buf_str(p->b, title ? "><title>" : "/>\n");
    if (!title) return;
    page_text(p->b, title);
    buf_str(p->b, "</title></rect>\n");
}

void page_plot_range(struct page_plot *p, double x, double low, double high, int series)
{
    if (!isfinite(x + low + high)) return;
    buf_fmt(p->b, "<path stroke-width=1.4 stroke=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n", page_color(series), at_x(p, x),
            at_y(p, low), at_y(p, high));
}

void page_plot_dot(struct page_plot *p, double x, double y, int series, const char *title)
{
    if (!isfinite(x + y)) return;
    buf_fmt(p->b, "<circle cx=%.1f cy=%.1f r=3 fill=\"%s\">", at_x(p, x), at_y(p, y), page_color(series));
    if (title) {
        buf_str(p->b, "<title>");
        page_text(p->b, title);
        buf_str(p->b, "</title>");
    }
    buf_str(p->b, "</circle>\n");
}

/* Texts on the area have a white edge, so that lines below them do not cross out the letters. */
static void label(struct page_plot *p, double x, double y, const char *anchor, const char *text, const char *color,
                  double size, bool edge)
{
    buf_fmt(p->b, "<text x=%.1f y=%.1f text-anchor=%s font-size=%.1f fill=\"%s\"%s>", x, y, anchor, size,
            color ? color : INK, edge ? " stroke=\"#fff\" stroke-width=3 paint-order=stroke" : "");
    page_text(p->b, text);
    buf_str(p->b, "</text>\n");
}

void page_plot_label(struct page_plot *p, double x, double y, const char *text, const char *color)
{
    if (!isfinite(x + y)) return;
    double at = at_x(p, x), wide = (double)n_chars(text) * CHAR_WIDTH;
    bool behind = at + wide + 8 <= p->width || at < wide + 8;
    label(p, at + (behind ? 7 : -7), fmax(at_y(p, y) - 6, FONT), behind ? "start" : "end", text, color, FONT, true);
}

void page_plot_centred(struct page_plot *p, double x, double y, const char *text, const char *color, double size)
{
    if (isfinite(x + y)) label(p, at_x(p, x), at_y(p, y) + 0.35 * size, "middle", text, color, size, false);
}
