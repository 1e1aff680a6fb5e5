/* A report as one HTML page (task_report.h): no scripts, nothing from elsewhere, every text of the report escaped. It
 * is made of the report's JSON alone, so a stored report prints the same. Plots are SVG in a square of 100 units
 * whose y axis points up (a transform turns it), so that data coordinates are drawing coordinates. Stateless. Read
 * next: report.c. */
#include "base_str.h"
#include "task_metrics.h"
#include "task_report.h"

#include <math.h>
#include <string.h>

enum { MAX_MATRIX = 40, MAX_NUMBERS = 26, MAX_CONFUSIONS = 20, MAX_LABEL_ROWS = 500 };

static const char style[] =
    "body{font:14px/1.45 'Helvetica Neue',Helvetica,Arial,sans-serif;color:#1b2733;margin:0 auto;max-width:60em;"
    "padding:2.5em 1.5em}"
    "h1{font-size:1.6em;font-weight:600;margin:0}h2{font-size:1.05em;font-weight:600;margin:2.2em 0 .6em;"
    "border-bottom:1px solid #1b2733;padding-bottom:.25em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.28em 1.1em .28em 0;"
    "text-align:left;vertical-align:top;border-bottom:1px solid #e3e7eb}th{font-weight:600;color:#4a5a68}"
    "td.n,th.n{text-align:right}.facts{margin:1em 0 0;color:#4a5a68}.facts td{border:0;padding:.1em 1.4em .1em 0}"
    "code{font:12px/1.4 'SFMono-Regular',Consolas,monospace;overflow-wrap:anywhere}"
    ".verdict{margin:1.4em 0 0;padding:.7em 1em;border-left:4px solid #2f7d4f;background:#f1f7f3}"
    ".verdict.broken{border-color:#b3261e;background:#fbf1f0}.plots{display:flex;flex-wrap:wrap;gap:2em}"
    "figure{margin:0;flex:1 1 20em;max-width:28em}figcaption,.note{color:#4a5a68;font-size:.88em;margin-top:.5em}"
    "svg{width:100%;height:auto;display:block}"
    "footer{margin-top:3em;color:#4a5a68;font-size:.88em}"
    "@media print{@page{size:A4;margin:16mm}body{padding:0;font-size:11px;max-width:none}h2{break-after:avoid}"
    "figure,tr{break-inside:avoid}}";

/* Plots carry their looks in attributes, so that they survive being copied out of the page. */
#define SVG(box) "<svg viewBox=\"" box "\" role=img font-size=3.4 fill=\"#4a5a68\">\n"
#define AXIS "fill=none stroke=\"#1b2733\" stroke-width=.3"
#define GRID "stroke=\"#dfe4e8\" stroke-width=.25"
#define IDEAL "stroke=\"#8795a1\" stroke-width=.35 stroke-dasharray=\"1.5 1\""
#define LINE "fill=none stroke=\"#1f4e79\" stroke-width=.8"
#define RANGE "stroke=\"#1f4e79\" stroke-width=.5"

/* ---- text ---- */

/* Characters that mean something in HTML, and those that mean nothing in a line of text. */
static void text(struct buf *b, const char *z)
{
    for (; z && *z; z++) {
        switch (*z) {
        case '&':
            buf_str(b, "&amp;");
            break;
        case '<':
            buf_str(b, "&lt;");
            break;
        case '>':
            buf_str(b, "&gt;");
            break;
        case '"':
            buf_str(b, "&quot;");
            break;
        case '\'':
            buf_str(b, "&#39;");
            break;
        default:
            buf_char(b, (unsigned char)*z < ' ' || *z == 0x7f ? ' ' : *z);
        }
    }
}

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

static void cell(struct buf *b, const char *z)
{
    buf_str(b, "<td>");
    text(b, z);
    buf_str(b, "</td>");
}

static void cell_number(struct buf *b, const char *fmt_value, double v, int decimals)
{
    if (isnan(v))
        buf_str(b, "<td class=n>–</td>");
    else
        buf_fmt(b, "<td class=n>%s%.*f</td>", fmt_value, decimals, v);
}

static void fact(struct buf *b, const char *name, const char *value)
{
    buf_fmt(b, "<tr><td>%s</td><td>", name);
    text(b, value);
    buf_str(b, "</td></tr>\n");
}

/* ---- the head ---- */

static void head(struct buf *b, const json_t *r)
{
    const json_t *task = json_object_get(r, "task"), *model = json_object_get(r, "model");
    buf_str(b, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n"
               "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n<title>Evaluation of ");
    text(b, string(task, "name"));
    buf_fmt(b, "</title>\n<style>%s</style></head><body>\n<h1>Evaluation of ", style);
    text(b, string(task, "name"));
    buf_str(b, "</h1>\n<table class=facts>\n");
    fact(b, "Model", string(model, "name"));
    buf_str(b, "<tr><td>Weights</td><td><code>");
    text(b, string(model, "fingerprint"));
    buf_str(b, "</code></td></tr>\n");
    fact(b, "Data", string(r, "data"));
    buf_fmt(b, "<tr><td>Examples</td><td>%lld, of which %lld are right</td></tr>\n", whole(r, "n"),
            whole(r, "n_right"));
    fact(b, "Date", string(r, "created"));
    buf_str(b, "</table>\n");
}

static void verdict(struct buf *b, const json_t *r)
{
    const json_t *g = json_object_get(r, "gate");
    double floor = number(g, "floor"), allowed = number(g, "max_regression");
    const char *reason = string(g, "reason");
    if (!g || (isnan(floor) && isnan(allowed))) return;
    buf_fmt(b, "<p class=\"verdict%s\"><b>%s</b> ", *reason ? " broken" : "", *reason ? "Not passed." : "Passed.");
    text(b, reason);
    if (!*reason && !isnan(floor)) buf_fmt(b, "The floor of %.4f is kept. ", floor);
    if (!*reason && !isnan(allowed)) buf_fmt(b, "The regression is within the allowed %.4f. ", allowed);
    if (strcmp(string(g, "by"), "bound") == 0) buf_str(b, "Judged by the lower ends of the 95 % intervals.");
    buf_str(b, "</p>\n");
}

/* ---- tables ---- */

static void measures(struct buf *b, const json_t *r)
{
    const char *key;
    json_t *m;
    buf_str(b, "<h2>Quality</h2>\n<table><tr><th>Measure<th class=n>Value<th class=n>95 % from<th class=n>to"
               "<th>Interval by</tr>\n");
    json_object_foreach(json_object_get(r, "measures"), key, m)
    {
        int k = task_measure_find(key);
        buf_str(b, "<tr>");
        cell(b, k < 0 ? key : task_measure_info((enum task_measure)k)->title);
        cell_number(b, "", number(m, "value"), 4);
        cell_number(b, "", number(m, "lo"), 4);
        cell_number(b, "", number(m, "hi"), 4);
        cell(b, string(m, "method"));
        buf_str(b, "</tr>\n");
    }
    buf_fmt(b,
            "</table>\n<p class=note>Bootstrap: percentiles of %lld draws, seed %lld. For log-loss, Brier score, "
            "calibration error and area under risk-coverage less is better.</p>\n",
            whole(json_object_get(r, "bootstrap"), "draws"), whole(json_object_get(r, "bootstrap"), "seed"));
}

static void against(struct buf *b, const json_t *r)
{
    const json_t *a = json_object_get(r, "against");
    int k = task_measure_find(string(a, "measure"));
    if (!a) return;
    buf_str(b, "<h2>Compared with ");
    text(b, string(a, "model"));
    buf_fmt(b,
            "</h2>\n<table><tr><th>On %lld examples of both<th class=n>This model<th class=n>The other"
            "<th class=n>Difference<th class=n>95 %% from<th class=n>to<th class=n>p</tr>\n<tr>",
            whole(a, "n"));
    cell(b, k < 0 ? "" : task_measure_info((enum task_measure)k)->title);
    cell_number(b, "", number(a, "other") + number(a, "difference"), 4);
    cell_number(b, "", number(a, "other"), 4);
    cell_number(b, number(a, "difference") > 0 ? "+" : "", number(a, "difference"), 4);
    cell_number(b, number(a, "lo") > 0 ? "+" : "", number(a, "lo"), 4);
    cell_number(b, number(a, "hi") > 0 ? "+" : "", number(a, "hi"), 4);
    buf_fmt(
        b,
        "<td class=n>%.3g</td></tr></table>\n<p class=note>Right in this model alone: %lld examples; in the other "
        "alone: %lld. p-value by %s; interval by paired bootstrap.</p>\n",
        number(a, "p"), whole(a, "only_this_right"), whole(a, "only_other_right"),
        strcmp(string(a, "test"), "mcnemar") == 0 ? "McNemar&#39;s exact test" : "paired bootstrap");
}

static void calibration(struct buf *b, const json_t *r)
{
    const json_t *c = json_object_get(r, "calibration"), *v;
    const char *name;
    if (!c) return;
    buf_str(b, "<h2>Calibration</h2>\n<table><tr><th>Verdict<th class=n>Answers<th class=n>Share<th class=n>Wrong"
               "<th class=n>Share of those</tr>\n");
    json_object_foreach(json_object_get(c, "verdicts"), name, v)
    {
        double n = number(v, "n"), wrong = n - number(v, "n_right");
        if (!(n > 0)) continue;
        buf_str(b, "<tr>");
        cell(b, name);
        cell_number(b, "", n, 0);
        cell_number(b, "", n / number(r, "n"), 4);
        cell_number(b, "", wrong, 0);
        cell_number(b, "", wrong / n, 4);
        buf_str(b, "</tr>\n");
    }
    buf_fmt(b,
            "</table>\n<p class=note>Promised: of accepted answers at most %.1f %% are wrong, with confidence %.1f "
            "%%%s.</p>\n",
            100 * number(c, "target_error"), 100 * number(c, "confidence"),
            json_is_true(json_object_get(c, "holds")) ? "" : "; no threshold kept it, so nothing is accepted");
}

static void costs(struct buf *b, const json_t *r)
{
    const json_t *ms = json_object_get(r, "latency_ms"), *t = json_object_get(r, "tokens");
    double joules = number(json_object_get(r, "energy"), "joules_per_answer");
    buf_str(b, "<h2>Speed and cost</h2>\n<table><tr><th class=n>p50 (ms)<th class=n>p95<th class=n>p99"
               "<th class=n>mean<th class=n>answers/s<th class=n>tokens in prompts<th class=n>evaluated"
               "<th>energy per answer</tr>\n<tr>");
    cell_number(b, "", number(ms, "p50"), 2);
    cell_number(b, "", number(ms, "p95"), 2);
    cell_number(b, "", number(ms, "p99"), 2);
    cell_number(b, "", number(ms, "mean"), 2);
    cell_number(b, "", number(r, "answers_per_s"), 1);
    buf_fmt(b, "<td class=n>%lld<td class=n>%lld<td>", whole(t, "prompt"), whole(t, "evaluated"));
    if (isnan(joules))
        buf_str(b, "not readable here");
    else
        buf_fmt(b, "%.3f J", joules);
    buf_str(b, "</tr></table>\n");
    if (!isnan(number(ms, "objective")))
        buf_fmt(b, "<p class=note>The task&#39;s objective is %.0f ms an answer.</p>\n", number(ms, "objective"));
}

static void labels(struct buf *b, const json_t *r)
{
    const json_t *list = json_object_get(r, "labels"), *row;
    size_t n = json_array_size(list);
    if (!n) return;
    buf_str(b, "<h2>Labels</h2>\n<table><tr><th>Label<th class=n>Examples<th class=n>Precision<th class=n>Recall"
               "<th class=n>F1<th>Mostly taken for</tr>\n");
    for (size_t i = 0; i < n && i < MAX_LABEL_ROWS; i++) {
        row = json_array_get(list, i);
        buf_str(b, "<tr>");
        cell(b, string(row, "label"));
        cell_number(b, "", number(row, "examples"), 0);
        cell_number(b, "", number(row, "precision"), 3);
        cell_number(b, "", number(row, "recall"), 3);
        cell_number(b, "", number(row, "f1"), 3);
        cell(b, string(row, "mostly_taken_for"));
        buf_str(b, "</tr>\n");
    }
    buf_str(b, "</table>\n");
    if (n > MAX_LABEL_ROWS) buf_fmt(b, "<p class=note>The first %d of %zu labels.</p>\n", MAX_LABEL_ROWS, n);
}

/* ---- plots ---- */

/* Axes from 0 to 1 (x) and 0 to y_max, with a grid and numbers; what follows is drawn with y up, in units of 100. */
static void axes(struct buf *b, const char *x_title, const char *y_title, double y_max)
{
    buf_str(b, SVG("-14 -4 120 122"));
    for (int i = 0; i <= 4; i++) {
        buf_fmt(b, "<path " GRID " d=\"M0 %dH100M%d 0V100\"/>", 25 * i, 25 * i);
        buf_fmt(b, "<text x=%d y=105 text-anchor=middle>%.2f</text>", 25 * i, 0.25 * i);
        buf_fmt(b, "<text x=-2 y=%d text-anchor=end>%.2f</text>", 101 - 25 * i, 0.25 * i * y_max);
    }
    buf_fmt(b, "<text x=50 y=112 text-anchor=middle>%s</text>", x_title);
    buf_fmt(b, "<text transform=\"translate(-11 50)rotate(-90)\" text-anchor=middle>%s</text>\n", y_title);
    buf_str(b, "<path " AXIS " d=\"M0 0V100H100\"/><g transform=\"translate(0 100)scale(1 -1)\">\n");
}

static const char *what_confidence(const char *name)
{
    return strcmp(name, "calibration") == 0   ? "calibrated"
           : strcmp(name, "probability") == 0 ? "probability of the answer"
                                              : "geometric mean of its tokens&#39; probabilities";
}

static void reliability(struct buf *b, const json_t *r)
{
    const json_t *bin;
    size_t i;
    buf_str(b, "<figure>");
    axes(b, "confidence", "share right", 1);
    buf_str(b, "<path " IDEAL " d=\"M0 0L100 100\"/>\n");
    json_array_foreach(json_object_get(r, "reliability"), i, bin)
    {
        double n = number(bin, "n"), right = number(bin, "n_right"), x = 100 * number(bin, "confidence"), lo, hi;
        if (!(n > 0 && n < 1e9 && right >= 0 && right <= n)) continue;
        task_wilson((size_t)right, (size_t)n, 1.959963984540054, &lo, &hi);
        buf_fmt(b,
                "<rect fill=\"#9db7d1\" x=%.2f y=0 width=%.2f height=%.2f><title>%.0f of %.0f right</title></rect>",
                100 * number(bin, "from") + 0.4, 100 * (number(bin, "to") - number(bin, "from")) - 0.8,
                100 * right / n, right, n);
        buf_fmt(b, "<path " RANGE " d=\"M%.2f %.2fV%.2f\"/><circle fill=\"#1f4e79\" cx=%.2f cy=%.2f r=1 />\n", x,
                100 * lo, 100 * hi, x, 100 * right / n);
    }
    buf_fmt(
        b,
        "</g></svg><figcaption>Reliability. Bars: share of right answers where the confidence (%s) is in the bin; "
        "dots stand at its mean, with a 95 %% Wilson interval. On the dashed line confidence is what it says."
        "</figcaption></figure>\n",
        what_confidence(string(r, "confidence")));
}

static void risk_coverage(struct buf *b, const json_t *r)
{
    const json_t *curve = json_object_get(r, "risk_coverage"), *p;
    double y_max = 0;
    size_t i;
    json_array_foreach(curve, i, p) y_max = fmax(y_max, number(p, "risk"));
    y_max = y_max > 0 ? fmin(1, ceil(y_max * 25) / 25) : 0.04; /* the grid in whole hundredths */
    buf_str(b, "<figure>");
    axes(b, "coverage: share of inputs answered", "risk: share of those that is wrong", y_max);
    buf_str(b, "<path " LINE " d=\"");
    json_array_foreach(curve, i, p)
        buf_fmt(b, "%c%.2f %.2f", i ? 'L' : 'M', 100 * number(p, "coverage"), 100 * number(p, "risk") / y_max);
    buf_str(
        b, "\"/></g></svg><figcaption>Risk and coverage, when only answers above a threshold of confidence are given "
           "and the rest is passed on.</figcaption></figure>\n");
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

static const char *label_at(const json_t *names, const json_t *c, size_t place)
{
    const char *z = json_string_value(json_array_get(names, (size_t)json_integer_value(json_array_get(c, place))));
    return z ? z : "";
}

/* Rows are truths; a cell is as dark as its share of the row. */
static void matrix(struct buf *b, const json_t *names, const json_t *counts)
{
    size_t n = json_array_size(names), i;
    const json_t *c;
    double side = 100.0 / (double)n, font = fmin(3, 0.62 * side);
    buf_str(b, "<figure style=\"max-width:none\">" SVG("-34 -34 136 136"));
    for (i = 0; i < n; i++) {
        double at = ((double)i + 0.5) * side;
        const char *name = json_string_value(json_array_get(names, i));
        buf_fmt(b, "<text x=-1 y=%.2f text-anchor=end font-size=%.2f>", at + font / 3, font);
        text(b, name);
        buf_fmt(b, "</text><text transform=\"translate(%.2f -1)rotate(-90)\" font-size=%.2f>", at + font / 3, font);
        text(b, name);
        buf_str(b, "</text>\n");
    }
    json_array_foreach(counts, i, c)
    {
        json_int_t row = json_integer_value(json_array_get(c, 0)), column = json_integer_value(json_array_get(c, 1));
        long long count = (long long)json_integer_value(json_array_get(c, 2));
        double share = (double)count / row_sum(counts, row);
        buf_fmt(b, "<rect x=%.2f y=%.2f width=%.2f height=%.2f fill=\"%s\" fill-opacity=%.3f><title>",
                (double)column * side, (double)row * side, side, side, row == column ? "#1f4e79" : "#b3261e",
                0.12 + 0.88 * share);
        text(b, label_at(names, c, 0));
        buf_str(b, " answered as ");
        text(b, label_at(names, c, 1));
        buf_fmt(b, ": %lld</title></rect>", count);
        if (n <= MAX_NUMBERS)
            buf_fmt(b, "<text x=%.2f y=%.2f text-anchor=middle font-size=%.2f fill=\"%s\">%lld</text>",
                    ((double)column + 0.5) * side, ((double)row + 0.5) * side + font / 3, font,
                    share > 0.45 ? "#fff" : "#1b2733", count);
        buf_char(b, '\n');
    }
    buf_str(b, "<path " AXIS " d=\"M0 0H100V100H0Z\"/></svg><figcaption>Rows: the right label; columns: the "
               "answer. Darker is a larger share of the row.</figcaption></figure>\n");
}

/* Too many labels for a matrix: the commonest confusions. */
static void commonest(struct buf *b, const json_t *names, const json_t *counts)
{
    long long below = INT64_MAX;
    buf_str(b, "<table><tr><th>Right label<th>Answered<th class=n>Examples</tr>\n");
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
            buf_str(b, "<tr>");
            cell(b, label_at(names, c, 0));
            cell(b, label_at(names, c, 1));
            buf_fmt(b, "<td class=n>%lld</td></tr>\n", most);
            shown++;
        }
        below = most;
    }
    buf_fmt(b, "</table>\n<p class=note>The commonest confusions of %zu labels.</p>\n", json_array_size(names));
}

static void confusion(struct buf *b, const json_t *r)
{
    const json_t *c = json_object_get(r, "confusion"), *names = json_object_get(c, "labels");
    size_t n = json_array_size(names);
    if (!n) return;
    buf_str(b, "<h2>Confusion</h2>\n");
    if (n <= MAX_MATRIX)
        matrix(b, names, json_object_get(c, "counts"));
    else
        commonest(b, names, json_object_get(c, "counts"));
}

int task_report_html(const json_t *r, struct buf *b, struct err *e)
{
    head(b, r);
    verdict(b, r);
    measures(b, r);
    against(b, r);
    calibration(b, r);
    costs(b, r);
    if (json_array_size(json_object_get(r, "risk_coverage"))) {
        buf_str(b, "<h2>Confidence</h2>\n<div class=plots>\n");
        reliability(b, r);
        risk_coverage(b, r);
        buf_str(b, "</div>\n");
    }
    confusion(b, r);
    labels(b, r);
    buf_str(b, "<footer>Made by croft ");
    text(b, string(r, "croft"));
    buf_str(b, ". Every number is computed from one record an example, which the report as JSON holds.</footer>\n"
               "</body></html>\n");
    return buf_check(b, "page", e);
}
