/* A report as one HTML page (task_report.h), from the pieces of base_page.h. It is made of the report's JSON alone,
 * so a stored report prints the same. Stateless. Read next: report.c, src/base/page.c. */
#include "base_page.h"
#include "base_str.h"
#include "task_metrics.h"
#include "task_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MATRIX = 40, MAX_NUMBERS = 26, MAX_CONFUSIONS = 20, MAX_LABEL_ROWS = 500, MAX_POINTS = 1000 };

static const char *string(const json_t *o, const char *key)
{
    const char *z = json_string_value(json_object_get(o, key));
    return z ? z : "";
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static long long whole(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

/* ---- the head ---- */

static void head(struct buf *b, const json_t *r)
{
    const json_t *task = json_object_get(r, "task"), *model = json_object_get(r, "model");
    char title[256], examples[80];
    snprintf(title, sizeof title, "Evaluation of %s", string(task, "name"));
    snprintf(examples, sizeof examples, "%lld, of which %lld are right", whole(r, "n"), whole(r, "n_right"));
    page_begin(b, title);
    page_facts_begin(b);
    page_fact(b, "Model", string(model, "name"));
    page_fact_code(b, "Weights", string(model, "sha256"));
    page_fact(b, "Data", string(r, "data"));
    page_fact(b, "Examples", examples);
    page_fact(b, "Date", string(r, "created"));
    page_facts_end(b);
}

static void verdict(struct buf *b, const json_t *r)
{
    const json_t *g = json_object_get(r, "gate");
    double floor = number(g, "floor"), allowed = number(g, "max_regression");
    const char *reason = string(g, "reason");
    char kept[80] = "", within[80] = "", text[1024];
    if (!g || (isnan(floor) && isnan(allowed))) return;
    if (!*reason && !isnan(floor)) snprintf(kept, sizeof kept, "The floor of %.4f is kept. ", floor);
    if (!*reason && !isnan(allowed))
        snprintf(within, sizeof within, "The regression is within the allowed %.4f. ", allowed);
    snprintf(text, sizeof text, "%.700s%s%s%s", reason, kept, within,
             strcmp(string(g, "by"), "bound") == 0 ? "Judged by the lower ends of the 95 % intervals." : "");
    page_verdict(b, *reason ? PAGE_BAD : PAGE_GOOD, *reason ? "Not passed." : "Passed.", text);
}

/* ---- tables ---- */

static void measures(struct buf *b, const json_t *r)
{
    static const struct page_column columns[] = {{"Measure", false}, {"Value", true},        {"95 % from", true},
                                                 {"to", true},       {"Interval by", false}, {0}};
    const json_t *boot = json_object_get(r, "bootstrap");
    const char *key;
    char note[240];
    json_t *m;
    page_heading(b, "Quality");
    page_table_begin(b, columns);
    json_object_foreach(json_object_get(r, "measures"), key, m)
    {
        int k = task_measure_find(key);
        page_row_begin(b);
        page_cell(b, k < 0 ? key : task_measure_info((enum task_measure)k)->title);
        page_cell_number(b, number(m, "value"), 4);
        page_cell_number(b, number(m, "lo"), 4);
        page_cell_number(b, number(m, "hi"), 4);
        page_cell(b, string(m, "method"));
        page_row_end(b);
    }
    page_table_end(b);
    snprintf(note, sizeof note,
             "Bootstrap: percentiles of %lld draws, seed %lld. For log-loss, Brier score, calibration error and area "
             "under risk-coverage less is better.",
             whole(boot, "draws"), whole(boot, "seed"));
    page_note(b, note);
}

static void against(struct buf *b, const json_t *r)
{
    const json_t *a = json_object_get(r, "against");
    int k = task_measure_find(string(a, "measure"));
    char heading[256], on[64], p[32], note[240];
    if (!a) return;
    snprintf(heading, sizeof heading, "Compared with %s", string(a, "model"));
    snprintf(on, sizeof on, "On %lld examples of both", whole(a, "n"));
    snprintf(p, sizeof p, "%.3g", number(a, "p"));
    const struct page_column columns[] = {
        {on, false},         {"This model", true}, {"The other", true}, {"Difference", true},
        {"95 % from", true}, {"to", true},         {"p", true},         {0}};
    page_heading(b, heading);
    page_table_begin(b, columns);
    page_row_begin(b);
    page_cell(b, k < 0 ? "" : task_measure_info((enum task_measure)k)->title);
    page_cell_number(b, number(a, "other") + number(a, "difference"), 4);
    page_cell_number(b, number(a, "other"), 4);
    page_cell_signed(b, number(a, "difference"), 4);
    page_cell_signed(b, number(a, "lo"), 4);
    page_cell_signed(b, number(a, "hi"), 4);
    page_cell_right(b, p);
    page_row_end(b);
    page_table_end(b);
    snprintf(note, sizeof note,
             "Right in this model alone: %lld examples; in the other alone: %lld. p-value by %s; interval by paired "
             "bootstrap.",
             whole(a, "only_this_right"), whole(a, "only_other_right"),
             strcmp(string(a, "test"), "mcnemar") == 0 ? "McNemar's exact test" : "paired bootstrap");
    page_note(b, note);
}

static void calibration(struct buf *b, const json_t *r)
{
    static const struct page_column columns[] = {{"Verdict", false}, {"Answers", true},        {"Share", true},
                                                 {"Wrong", true},    {"Share of those", true}, {0}};
    const json_t *c = json_object_get(r, "calibration"), *v;
    const char *name;
    char note[240];
    if (!c) return;
    page_heading(b, "Calibration");
    page_table_begin(b, columns);
    json_object_foreach(json_object_get(c, "verdicts"), name, v)
    {
        double n = number(v, "n"), wrong = n - number(v, "n_right");
        if (!(n > 0)) continue;
        page_row_begin(b);
        page_cell(b, name);
        page_cell_number(b, n, 0);
        page_cell_number(b, n / number(r, "n"), 4);
        page_cell_number(b, wrong, 0);
        page_cell_number(b, wrong / n, 4);
        page_row_end(b);
    }
    page_table_end(b);
    const char *bound = json_string_value(json_object_get(c, "bound"));
    bool mean = bound && strcmp(bound, "expectation") == 0;
    const char *kept =
        json_is_true(json_object_get(c, "holds")) ? "" : "; no threshold kept it, so nothing is accepted";
    if (mean)
        snprintf(note, sizeof note,
                 "Promised: at most %.1f %% of all inputs get a wrong answer from here, in the mean%s.",
                 100 * number(c, "target_error"), kept);
    else
        snprintf(note, sizeof note,
                 "Promised: of accepted answers at most %.1f %% are wrong, with confidence %.1f %%%s.",
                 100 * number(c, "target_error"), 100 * number(c, "confidence"), kept);
    page_note(b, note);
}

static void costs(struct buf *b, const json_t *r)
{
    static const struct page_column columns[] = {{"p50 (ms)", true},
                                                 {"p95", true},
                                                 {"p99", true},
                                                 {"mean", true},
                                                 {"answers/s", true},
                                                 {"tokens in prompts", true},
                                                 {"evaluated", true},
                                                 {"energy per answer", false},
                                                 {0}};
    const json_t *ms = json_object_get(r, "latency_ms"), *t = json_object_get(r, "tokens");
    double joules = number(json_object_get(r, "energy"), "joules_per_answer");
    char text[96] = "not readable here";
    if (!isnan(joules)) snprintf(text, sizeof text, "%.3f J", joules);
    page_heading(b, "Speed and cost");
    page_table_begin(b, columns);
    page_row_begin(b);
    page_cell_number(b, number(ms, "p50"), 2);
    page_cell_number(b, number(ms, "p95"), 2);
    page_cell_number(b, number(ms, "p99"), 2);
    page_cell_number(b, number(ms, "mean"), 2);
    page_cell_number(b, number(r, "answers_per_s"), 1);
    page_cell_number(b, number(t, "prompt"), 0);
    page_cell_number(b, number(t, "evaluated"), 0);
    page_cell(b, text);
    page_row_end(b);
    page_table_end(b);
    if (isnan(number(ms, "objective"))) return;
    snprintf(text, sizeof text, "The task's objective is %.0f ms an answer.", number(ms, "objective"));
    page_note(b, text);
}

static void labels(struct buf *b, const json_t *r)
{
    static const struct page_column columns[] = {{"Label", false},
                                                 {"Examples", true},
                                                 {"Precision", true},
                                                 {"Recall", true},
                                                 {"F1", true},
                                                 {"Mostly taken for", false},
                                                 {0}};
    const json_t *list = json_object_get(r, "labels"), *row;
    size_t n = json_array_size(list);
    char note[80];
    if (!n) return;
    page_heading(b, "Labels");
    page_table_begin(b, columns);
    for (size_t i = 0; i < n && i < MAX_LABEL_ROWS; i++) {
        row = json_array_get(list, i);
        page_row_begin(b);
        page_cell(b, string(row, "label"));
        page_cell_number(b, number(row, "examples"), 0);
        page_cell_number(b, number(row, "precision"), 3);
        page_cell_number(b, number(row, "recall"), 3);
        page_cell_number(b, number(row, "f1"), 3);
        page_cell(b, string(row, "mostly_taken_for"));
        page_row_end(b);
    }
    page_table_end(b);
    snprintf(note, sizeof note, "The first %d of %zu labels.", MAX_LABEL_ROWS, n);
    if (n > MAX_LABEL_ROWS) page_note(b, note);
}

/* ---- plots ---- */

static const char *what_confidence(const char *name)
{
    return strcmp(name, "calibration") == 0   ? "calibrated"
           : strcmp(name, "probability") == 0 ? "probability of the answer"
                                              : "geometric mean of its tokens' probabilities";
}

static void reliability(struct buf *b, const json_t *r)
{
    struct page_plot p = {.b = b, .x = {.title = "confidence", .max = 1}, .y = {.title = "share right", .max = 1}};
    const json_t *bin;
    char text[400];
    size_t i;
    p.width = p.height = 320;
    page_plot_begin(&p);
    page_plot_dashed(&p, 0, 0, 1, 1);
    json_array_foreach(json_object_get(r, "reliability"), i, bin)
    {
        double n = number(bin, "n"), right = number(bin, "n_right"), x = number(bin, "confidence"), lo, hi;
        if (!(n > 0 && n < 1e9 && right >= 0 && right <= n)) continue;
        task_wilson((size_t)right, (size_t)n, 1.959963984540054, &lo, &hi);
        snprintf(text, sizeof text, "%.0f of %.0f right", right, n);
        page_plot_bar(&p, number(bin, "from") + 0.004, 0, number(bin, "to") - 0.004, right / n, page_color_pale(0), 1,
                      text);
        page_plot_range(&p, x, lo, hi, 0);
        page_plot_dot(&p, x, right / n, 0, text);
    }
    snprintf(text, sizeof text,
             "Reliability. Bars: share of right answers where the confidence (%s) is in the bin; dots stand at its "
             "mean, with a 95 %% Wilson interval. On the dashed line confidence is what it says.",
             what_confidence(string(r, "confidence")));
    page_plot_end(&p, text);
}

static void risk_coverage(struct buf *b, const json_t *r)
{
    const json_t *curve = json_object_get(r, "risk_coverage"), *point;
    struct page_plot p = {.b = b,
                          .x = {.title = "coverage: share of inputs answered", .max = 1},
                          .y = {.title = "risk: share of those that is wrong", .unit = PAGE_SHARE}};
    double x[MAX_POINTS], y[MAX_POINTS];
    int n = 0;
    size_t i;
    json_array_foreach(curve, i, point)
    {
        if (n == MAX_POINTS) break;
        x[n] = number(point, "coverage");
        y[n] = number(point, "risk");
        p.y.max = fmax(p.y.max, y[n++]);
    }
    if (p.y.max == 0) p.y.max = 0.05;
    p.width = p.height = 320;
    page_plot_begin(&p);
    page_plot_line(&p, x, y, n, 0);
    page_plot_end(&p,
                  "Risk and coverage, when only answers above a threshold of confidence are given and the rest is "
                  "passed on.");
}

/* ---- confusion ---- */

static double row_sum(const json_t *counts, json_int_t row)
{
    double sum = 0;
    size_t i;
    const json_t *c;
    json_array_foreach(counts, i, c) if (json_integer_value(json_array_get(c, 0)) == row) sum +=
        (double)json_integer_value(json_array_get(c, 2));
    return sum;
}

static const char *label_name(const json_t *names, size_t i)
{
    const char *z = json_string_value(json_array_get(names, i));
    return z ? z : "";
}

static const char *label_at(const json_t *names, const json_t *c, size_t place)
{
    return label_name(names, (size_t)json_integer_value(json_array_get(c, place)));
}

/* Rows are truths; a cell is as dark as its share of the row. */
static void matrix(struct buf *b, const json_t *names, const json_t *counts)
{
    const char *name[MAX_MATRIX];
    int n = (int)json_array_size(names);
    size_t i;
    const json_t *c;
    for (i = 0; i < (size_t)n; i++) name[i] = label_name(names, i);
    struct page_plot p = {.b = b,
                          .x = {.title = "answered", .names = name, .n_names = n},
                          .y = {.title = "right label", .names = name, .n_names = n}};
    p.width = p.height = fmax(160, fmin(24 * n, 640));
    double font = fmin(11, 0.55 * p.width / n);
    page_plot_begin(&p);
    json_array_foreach(counts, i, c)
    {
        json_int_t row = json_integer_value(json_array_get(c, 0)), column = json_integer_value(json_array_get(c, 1));
        long long count = (long long)json_integer_value(json_array_get(c, 2));
        double share = (double)count / row_sum(counts, row), x = (double)column, y = (double)row;
        char text[400];
        snprintf(text, sizeof text, "%.160s answered as %.160s: %lld", label_at(names, c, 0), label_at(names, c, 1),
                 count);
        page_plot_bar(&p, x, y, x + 1, y + 1, page_color(row == column ? 0 : 1), 0.15 + 0.85 * share, text);
        snprintf(text, sizeof text, "%lld", count);
        if (n <= MAX_NUMBERS) page_plot_centred(&p, x + 0.5, y + 0.5, text, share > 0.45 ? "#fff" : NULL, font);
    }
    page_plot_end(&p, "Rows: the right label; columns: the answer. Darker is a larger share of the row.");
}

/* Too many labels for a matrix: the commonest confusions. */
static void commonest(struct buf *b, const json_t *names, const json_t *counts)
{
    static const struct page_column columns[] = {
        {"Right label", false}, {"Answered", false}, {"Examples", true}, {0}};
    long long below = INT64_MAX;
    char note[80];
    page_table_begin(b, columns);
    for (int shown = 0; shown < MAX_CONFUSIONS;) {
        long long most = 0;
        size_t i;
        const json_t *c;
        json_array_foreach(counts, i, c)
        {
            long long k = (long long)json_integer_value(json_array_get(c, 2));
            bool wrong = json_integer_value(json_array_get(c, 0)) != json_integer_value(json_array_get(c, 1));
            if (wrong && k < below && k > most) most = k;
        }
        if (most == 0) break;
        json_array_foreach(counts, i, c)
        {
            bool wrong = json_integer_value(json_array_get(c, 0)) != json_integer_value(json_array_get(c, 1));
            if (!wrong || json_integer_value(json_array_get(c, 2)) != most || shown == MAX_CONFUSIONS) continue;
            page_row_begin(b);
            page_cell(b, label_at(names, c, 0));
            page_cell(b, label_at(names, c, 1));
            page_cell_number(b, (double)most, 0);
            page_row_end(b);
            shown++;
        }
        below = most;
    }
    page_table_end(b);
    snprintf(note, sizeof note, "The commonest confusions of %zu labels.", json_array_size(names));
    page_note(b, note);
}

static void confusion(struct buf *b, const json_t *r)
{
    const json_t *c = json_object_get(r, "confusion"), *names = json_object_get(c, "labels");
    size_t n = json_array_size(names);
    if (!n) return;
    page_heading(b, "Confusion");
    if (n <= MAX_MATRIX)
        matrix(b, names, json_object_get(c, "counts"));
    else
        commonest(b, names, json_object_get(c, "counts"));
}

int task_report_html(const json_t *r, struct buf *b, struct err *e)
{
    char footer[240];
    head(b, r);
    verdict(b, r);
    measures(b, r);
    against(b, r);
    calibration(b, r);
    costs(b, r);
    if (json_array_size(json_object_get(r, "risk_coverage"))) {
        page_heading(b, "Confidence");
        page_plots_begin(b);
        reliability(b, r);
        risk_coverage(b, r);
        page_plots_end(b);
    }
    confusion(b, r);
    labels(b, r);
    snprintf(
        footer, sizeof footer,
        "Made by croft %.40s. Every number is computed from one record an example, which the report as JSON holds.",
        string(r, "croft"));
    page_end(b, footer);
    return buf_check(b, "page", e);
}
