/* The report of croft tco as one page (base_page.h): verdict, totals, plots, what it rests on. The same numbers as
 * the text's, in the same words. Read next: tco_text.c, src/base/page.c. */
#include "base_page.h"
#include "tco.h"

#include <croft/croft.h>
#include <math.h>

enum { PLOT_WIDE = 380, PLOT_HIGH = 250 };

/* The options that are there, in a row: a plot's series. */
struct shown {
    enum econ_option option[ECON_N_OPTIONS];
    const char *title[ECON_N_OPTIONS];
    int n;
};

static struct shown shown_of(const struct cli_tco *c)
{
    struct shown s = {.n = 0};
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        if (!c->t->option[o].there) continue;
        s.option[s.n] = (enum econ_option)o;
        s.title[s.n++] = econ_option_title((enum econ_option)o);
    }
    return s;
}

/* ---- head and tables ---- */

static void head(struct buf *b, const struct cli_tco *c)
{
    char title[200], text[160], number[64];
    bool local_only = c->verdict.kind == ECON_V_LOCAL_ONLY, open = c->verdict.kind == ECON_V_OPEN;
    snprintf(title, sizeof title, "What it costs: %.160s", c->s.name ? c->s.name : "a scenario");
    page_begin(b, title);
    page_facts_begin(b);
    if (c->s.path) page_fact(b, "Scenario", c->s.path);
    page_fact(b, "Volume", cli_tco_value(c, ECON_P_VOLUME, text));
    snprintf(text, sizeof text, "%d months, %s answers", c->t->months,
             cli_tco_number(econ_amount_real(c->t->answers), 0, number));
    page_fact(b, "Horizon", text);
    page_fact(b, "Currency", c->s.currency);
    page_facts_end(b);
    page_verdict(b, open ? PAGE_OPEN : PAGE_GOOD, open ? "" : local_only ? "Local only." : "", c->verdict.sentence);
}

static void amount_row(struct buf *b, const struct cli_tco *c, const struct shown *s, const char *name, int year,
                       bool npv)
{
    if (year < 0)
        page_row_total_begin(b);
    else
        page_row_begin(b);
    page_cell(b, name);
    for (int i = 0; i < s->n; i++) {
        const struct econ_costs *x = &c->t->option[s->option[i]];
        econ_amount a = npv ? x->npv : year < 0 ? x->total : cli_tco_year(x, c->t->months, year);
        char text[64];
        page_cell_right(b, cli_tco_number(econ_amount_real(a), 2, text));
    }
    page_row_end(b);
}

static void totals(struct buf *b, const struct cli_tco *c, const struct shown *s)
{
    struct page_column columns[ECON_N_OPTIONS + 2] = {{"", false}};
    char text[64];
    for (int i = 0; i < s->n; i++) columns[i + 1] = (struct page_column){s->title[i], true};
    snprintf(text, sizeof text, "Costs in %s", c->s.currency);
    page_heading(b, text);
    page_table_begin(b, columns);
    amount_row(b, c, s, "at the start", 0, false);
    for (int y = 1; 12 * (y - 1) < c->t->months; y++) {
        int rest = c->t->months - 12 * (y - 1);
        snprintf(text, sizeof text, rest >= 12 ? "year %d" : "year %d (%d of 12 months)", y, rest);
        amount_row(b, c, s, text, y, false);
    }
    amount_row(b, c, s, "total", -1, false);
    if (c->s.v[ECON_P_DISCOUNT]) amount_row(b, c, s, "net present value", -1, true);
    page_row_begin(b);
    page_cell(b, "an answer");
    for (int i = 0; i < s->n; i++) page_cell_right(b, cli_tco_price(econ_per_answer(c->t, s->option[i]), text));
    page_row_end(b);
    page_table_end(b);
}

static void figures(struct buf *b, const struct cli_tco *c)
{
    const struct econ_tco *t = c->t;
    enum econ_option home;
    char text[200], number[64], other[64], words[96];
    if (!cli_tco_compares(c, &home)) return;
    double cloud = econ_amount_real(t->option[ECON_CLOUD].total), mine = econ_amount_real(t->option[home].total);
    snprintf(text, sizeof text, "Against the cloud API: %s", econ_option_title(home));
    page_heading(b, text);
    page_facts_begin(b);
    snprintf(text, sizeof text, cloud > 0 ? "%s %s (%.0f %%)" : "%s %s", cli_tco_number(cloud - mine, 2, number),
             c->s.currency, 100 * (cloud - mine) / cloud);
    page_fact(b, "Saving", text);
    snprintf(text, sizeof text, "%s %s",
             cli_tco_number(econ_amount_real(t->option[ECON_CLOUD].npv - t->option[home].npv), 2, number),
             c->s.currency);
    if (c->s.v[ECON_P_DISCOUNT]) page_fact(b, "Saving, net present value", text);
    if (t->payback < 0)
        snprintf(text, sizeof text, "not within %d months", t->months);
    else
        snprintf(text, sizeof text, "month %d", t->payback);
    page_fact(b, "Paid back", text);
    if (home == ECON_LOCAL) {
        page_fact(b, "Tipping volume", cli_tco_tipping_text(c, t->tipping, words));
        if (c->s.v[ECON_P_DISCOUNT])
            page_fact(b, "with discounted costs", cli_tco_tipping_text(c, t->tipping_npv, words));
        page_fact(b, "by the published formula", cli_tco_tipping_text(c, t->tipping_simple, words));
    }
    if (c->interval.draws) {
        snprintf(text, sizeof text, "%s to %s %s in %.0f %% of the draws; it saves in %.1f %%",
                 cli_tco_number(c->interval.low, 0, number), cli_tco_number(c->interval.high, 0, other),
                 c->s.currency, 100 * c->s.confidence, 100 * c->interval.p_local);
        page_fact(b, "How sure", text);
    }
    page_facts_end(b);
}

/* ---- plots ---- */

static void cumulative(struct buf *b, const struct cli_tco *c, const struct shown *s)
{
    double x[ECON_MAX_MONTHS + 1], y[ECON_MAX_MONTHS + 1], at = NAN;
    int months = c->t->months;
    char title[64], text[64];
    enum econ_option home;
    snprintf(title, sizeof title, "paid so far, %s", c->s.currency);
    struct page_plot p = {.b = b, .x = {.title = "month", .exact = true}, .y = {.title = title}};
    p.width = PLOT_WIDE;
    p.height = PLOT_HIGH;
    p.series = s->title;
    p.n_series = s->n;
    p.x.max = months;
    p.x.step = months <= 12 ? 2 : months <= 36 ? 6 : months <= 120 ? 12 : 24;
    for (int i = 0; i < s->n; i++) {
        double sum = 0;
        for (int m = 0; m <= months; m++) {
            sum += econ_amount_real(c->t->option[s->option[i]].month[m]);
            p.y.max = fmax(p.y.max, sum);
            p.y.min = fmin(p.y.min, sum);
        }
    }
    page_plot_begin(&p);
    for (int i = 0; i < s->n; i++) {
        double sum = 0;
        for (int m = 0; m <= months; m++) {
            x[m] = m;
            y[m] = sum += econ_amount_real(c->t->option[s->option[i]].month[m]);
        }
        page_plot_line(&p, x, y, months + 1, i);
        if (s->option[i] == ECON_CLOUD && c->t->payback >= 0) at = y[c->t->payback];
    }
    if (cli_tco_compares(c, &home) && c->t->payback >= 0) {
        snprintf(text, sizeof text, "paid back: month %d", c->t->payback);
        page_plot_dashed(&p, c->t->payback, p.y.min, c->t->payback, at);
        page_plot_dot(&p, c->t->payback, at, s->n, text);
        page_plot_label(&p, c->t->payback, p.y.min, text, NULL);
    }
    page_plot_end(&p,
                  "What each has cost by then. Hardware that is still worth something is sold in the last month.");
}

static double line_per_answer(const struct cli_tco *c, enum econ_option o, int line)
{
    econ_amount sum = 0;
    for (int m = 0; m <= c->t->months; m++) sum += c->t->option[o].line[m][line];
    return econ_amount_real(sum) / econ_amount_real(c->t->answers);
}

/* Bars of the kinds of cost on each other; what brings money back hangs below zero. */
static void stacked(struct buf *b, const struct cli_tco *c, const struct shown *s)
{
    const char *names[ECON_N_LINES];
    int line[ECON_N_LINES], n = 0;
    double low = 0, high = 0;
    char title[64];
    for (int l = 0; l < ECON_N_LINES; l++) {
        bool any = false;
        for (int i = 0; i < s->n; i++) any = any || line_per_answer(c, s->option[i], l) != 0;
        if (any) names[n] = econ_line_title((enum econ_line)l), line[n++] = l;
    }
    for (int i = 0; i < s->n; i++) {
        double up = 0, down = 0;
        for (int k = 0; k < n; k++) {
            double v = line_per_answer(c, s->option[i], line[k]);
            *(v > 0 ? &up : &down) += v;
        }
        high = fmax(high, up);
        low = fmin(low, down);
    }
    snprintf(title, sizeof title, "%s an answer", c->s.currency);
    struct page_plot p = {.b = b,
                          .x = {.names = s->title, .n_names = s->n},
                          .y = {.title = title, .min = low, .max = high},
                          .series = names,
                          .n_series = n};
    p.width = PLOT_WIDE;
    p.height = PLOT_HIGH;
    page_plot_begin(&p);
    for (int i = 0; i < s->n; i++) {
        double up = 0, down = 0;
        for (int k = 0; k < n; k++) {
            double v = line_per_answer(c, s->option[i], line[k]), *from = v > 0 ? &up : &down;
            char text[160], number[64];
            snprintf(text, sizeof text, "%s: %s", names[k], cli_tco_price(v, number));
            if (v != 0) page_plot_bar(&p, i + 0.22, *from, i + 0.78, *from + v, page_color(k), 1, text);
            *from += v;
        }
    }
    page_plot_end(&p, "What an answer costs over the horizon, by kind of cost.");
}

static double base_saving(const struct cli_tco *c)
{
    enum econ_option home;
    if (!cli_tco_compares(c, &home)) return NAN;
    return econ_amount_real(c->t->option[ECON_CLOUD].npv - c->t->option[home].npv);
}

static void tornado(struct buf *b, const struct cli_tco *c)
{
    enum { MOST = 12 };
    static const char *const ends[] = {"at its 5th percentile", "at its 95th percentile"};
    char name[MOST][64], title[80];
    const char *names[MOST];
    int n = c->n_bars < MOST ? c->n_bars : MOST;
    double base = base_saving(c);
    if (!n || isnan(base)) return;
    snprintf(title, sizeof title, "saving, %s", c->s.currency);
    struct page_plot p = {.b = b,
                          .x = {.title = title, .min = fmin(base, 0), .max = fmax(base, 0)},
                          .y = {.names = names, .n_names = n},
                          .series = ends,
                          .n_series = 2};
    for (int i = 0; i < n; i++) {
        const struct econ_bar *bar = &c->bar[i];
        const struct econ_param_info *info = econ_param_info(bar->param);
        snprintf(name[i], sizeof name[i], "%s.%s", info->section, info->name);
        names[i] = name[i];
        p.x.min = fmin(p.x.min, fmin(bar->saving_low, bar->saving_high));
        p.x.max = fmax(p.x.max, fmax(bar->saving_low, bar->saving_high));
    }
    p.width = PLOT_WIDE;
    p.height = 24 * n + 8;
    page_plot_begin(&p);
    for (int i = 0; i < n; i++) {
        const struct econ_bar *bar = &c->bar[i];
        char text[160], number[64], at[64];
        snprintf(text, sizeof text, "%s: %s", cli_tco_bound(bar->param, bar->low, at),
                 cli_tco_number(bar->saving_low, 0, number));
        page_plot_bar(&p, base, i + 0.18, bar->saving_low, i + 0.82, page_color(0), 1, text);
        snprintf(text, sizeof text, "%s: %s", cli_tco_bound(bar->param, bar->high, at),
                 cli_tco_number(bar->saving_high, 0, number));
        page_plot_bar(&p, base, i + 0.18, bar->saving_high, i + 0.82, page_color(1), 1, text);
    }
    page_plot_dashed(&p, 0, 0, 0, n);
    page_plot_dashed(&p, base, 0, base, n);
    page_plot_end(&p,
                  "What moves the saving most: one value goes from its 5th to its 95th percentile, all others stay. "
                  "Dashed: no saving, and the saving as stated.");
}

static void histogram(struct buf *b, const struct cli_tco *c)
{
    enum { BINS = 40 };
    const struct econ_interval *i = &c->interval;
    int count[BINS] = {0}, most = 0;
    char title[64], text[240], low[64], high[64];
    if (!i->draws) return;
    /* The outermost half percents stand in the first and last bin, so that a long tail does not flatten the rest. */
    double from = i->saving[i->draws / 200], to = i->saving[i->draws - 1 - i->draws / 200];
    if (!(to > from)) return;
    double step = (to - from) / BINS;
    for (unsigned k = 0; k < i->draws; k++) {
        double at = floor((i->saving[k] - from) / step);
        int bin = at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at;
        if (++count[bin] > most) most = count[bin];
    }
    snprintf(title, sizeof title, "saving, %s", c->s.currency);
    struct page_plot p = {.b = b,
                          .x = {.title = title, .min = from, .max = to},
                          .y = {.title = "share of draws", .max = most / (double)i->draws, .unit = PAGE_SHARE}};
    p.width = PLOT_WIDE;
    p.height = PLOT_HIGH;
    page_plot_begin(&p);
    for (int k = 0; k < BINS; k++) {
        double x = from + k * step;
        snprintf(text, sizeof text, "%s to %s: %d draws", cli_tco_number(x, 0, low),
                 cli_tco_number(x + step, 0, high), count[k]);
        page_plot_bar(&p, x + 0.06 * step, 0, x + 0.94 * step, count[k] / (double)i->draws,
                      page_color(x + step / 2 < 0 ? 1 : 0), 0.75, text);
    }
    if (from < 0 && to > 0) page_plot_dashed(&p, 0, 0, 0, 1);
    page_plot_dashed(&p, i->low, 0, i->low, 1);
    page_plot_dashed(&p, i->high, 0, i->high, 1);
    snprintf(
        text, sizeof text,
        "%u draws from all distributions, seed %llu. Between the dashed ends: %s to %s, %.0f %% of them. Left of "
        "zero local costs more.",
        i->draws, (unsigned long long)c->s.seed, cli_tco_number(i->low, 0, low), cli_tco_number(i->high, 0, high),
        100 * c->s.confidence);
    page_plot_end(&p, text);
}

/* " From 14.4 % on, …", " There is no utilisation at which …", or nothing where there is nothing to compare. */
static void crossing(double from, const char *what, char out[120])
{
    out[0] = 0;
    if (isinf(from)) snprintf(out, 120, " There is no utilisation at which %s.", what);
    if (isfinite(from)) snprintf(out, 120, " From %.1f %% on, %s.", 100 * from, what);
}

static void utilisation(struct buf *b, const struct cli_tco *c, const struct shown *s)
{
    double x[8], y[8];
    char title[64], text[400], local[120], rented[120];
    if (!c->sweep.there) return;
    snprintf(title, sizeof title, "%s an answer", c->s.currency);
    struct page_plot p = {
        .b = b, .x = {.title = "utilisation of one machine", .max = 1, .unit = PAGE_SHARE}, .y = {.title = title}};
    p.width = PLOT_WIDE;
    p.height = PLOT_HIGH;
    p.series = s->title;
    p.n_series = s->n;
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < c->sweep.n; k++)
            if (isfinite(c->sweep.step[k].per_answer[s->option[i]]))
                p.y.max = fmax(p.y.max, c->sweep.step[k].per_answer[s->option[i]]);
    page_plot_begin(&p);
    for (int i = 0; i < s->n; i++) {
        for (int k = 0; k < c->sweep.n; k++) {
            x[k] = c->sweep.step[k].utilisation;
            y[k] = c->sweep.step[k].per_answer[s->option[i]];
        }
        page_plot_line(&p, x, y, c->sweep.n, i);
    }
    crossing(c->sweep.local_wins, "this hardware is at least as cheap as the cloud API", local);
    crossing(c->sweep.rented_wins, "a rented GPU is the cheapest", rented);
    snprintf(text, sizeof text, "What an answer costs when a machine is busy for that share of the time.%s%s", local,
             rented);
    page_plot_end(&p, text);
}

/* ---- what it rests on ---- */

static void assumptions(struct buf *b, const struct cli_tco *c)
{
    static const struct page_column columns[] = {
        {"Name", false}, {"Value", true}, {"Source", false}, {"Distribution", false}, {0}};
    page_heading(b, "What it rests on");
    page_table_begin(b, columns);
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        char text[200], value[96];
        if (!cli_tco_tells(c, (enum econ_param)p)) continue;
        snprintf(text, sizeof text, "%s.%s", i->section, i->name);
        page_row_begin(b);
        page_cell(b, text);
        page_cell_right(b, cli_tco_value(c, (enum econ_param)p, value));
        page_cell(b, cli_tco_source(c, (enum econ_param)p, text));
        page_cell(b, cli_tco_chance(c, (enum econ_param)p, value));
        page_row_end(b);
    }
    page_table_end(b);
    if (c->remarks.n) page_heading(b, "To bear in mind");
    for (int i = 0; i < c->remarks.n; i++) page_paragraph(b, c->remarks.text[i]);
}

int cli_tco_html(const struct cli_tco *c, struct buf *b, struct err *e)
{
    struct shown s = shown_of(c);
    char footer[160];
    head(b, c);
    figures(b, c);
    totals(b, c, &s);
    page_heading(b, "Over time, and for one answer");
    page_plots_begin(b);
    cumulative(b, c, &s);
    stacked(b, c, &s);
    page_plots_end(b);
    if (c->n_bars || c->interval.draws) {
        page_heading(b, "How sure");
        page_plots_begin(b);
        tornado(b, c);
        histogram(b, c);
        page_plots_end(b);
    }
    if (c->sweep.there) {
        page_heading(b, "Utilisation");
        page_plots_begin(b);
        utilisation(b, c, &s);
        page_plots_end(b);
    }
    assumptions(b, c);
    snprintf(footer, sizeof footer, "Made by croft tco %.40s. The formulas are in its manual, docs/TCO.md.",
             croft_version());
    page_end(b, footer);
    return buf_check(b, "page", e);
}
