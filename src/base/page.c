/* A page's frame, texts and tables (base_page.h). Plots: page_plot.c. The style is part of every page, as short as it
 * can be while the page reads well on a screen, a telephone and paper. Owns nothing; any thread, one buffer each. */
#include "base_page.h"

#include <math.h>

static const char style[] =
    "body{font:14px/1.45 'Helvetica Neue',Helvetica,Arial,sans-serif;color:#1b2733;background:#fff;margin:0 auto;"
    "max-width:62em;padding:2.5em 1.5em}"
    "h1{font-size:1.6em;font-weight:600;line-height:1.25;margin:0}h2{font-size:1.05em;font-weight:600;"
    "margin:2.2em 0 .7em;border-bottom:1px solid #1b2733;padding-bottom:.25em}p{max-width:52em}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.28em 1.1em .28em 0;text-align:left;vertical-align:top;border-bottom:1px solid #e3e7eb}"
    "th{font-weight:600;color:#4a5a68;vertical-align:bottom}td.n,th.n{text-align:right;white-space:nowrap}"
    "tr.sum td{font-weight:600;border-top:1px solid #1b2733}"
    ".facts{margin:1em 0 0;color:#4a5a68}.facts td{border:0;padding:.1em 1.4em .1em 0}"
    "code{font:12px/1.4 'SFMono-Regular',Consolas,monospace;overflow-wrap:anywhere}"
    ".verdict{max-width:none;margin:1.4em 0 0;padding:.7em 1em;border-left:4px solid #2f7d4f;background:#f1f7f3}"
    ".verdict.bad{border-color:#b3261e;background:#fbf1f0}.verdict.open{border-color:#8a6d1a;background:#faf6ea}"
    ".plots{display:flex;flex-wrap:wrap;gap:2em 3em;align-items:flex-start}"
    "figure{margin:0;flex:1 1 auto;min-width:0}figcaption,.note{color:#4a5a68;font-size:.88em;margin:.5em 0 0}"
    "svg{width:100%;height:auto;display:block}footer{margin-top:3em;color:#4a5a68;font-size:.88em}"
    "@media(max-width:40em){body{padding:1.5em 1em}.wide td,.wide th{white-space:nowrap}}"
    "@media print{@page{size:A4;margin:16mm}body{padding:0;font-size:11px;max-width:none}h2{break-after:avoid}"
    "figure,tr{break-inside:avoid}figure{flex-basis:44%!important}.verdict{print-color-adjust:exact}}";

/* Characters that mean something in HTML, and those that mean nothing in a line of text. */
void page_text(struct buf *b, const char *z)
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

static void between(struct buf *b, const char *before_html, const char *text, const char *behind_html)
{
    buf_str(b, before_html);
    page_text(b, text);
    buf_str(b, behind_html);
}

void page_begin(struct buf *b, const char *title)
{
    between(b,
            "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n"
            "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n<title>",
            title, "</title>\n<style>");
    buf_str(b, style);
    between(b, "</style></head><body>\n<h1>", title, "</h1>\n");
}

void page_end(struct buf *b, const char *footer) { between(b, "<footer>", footer, "</footer>\n</body></html>\n"); }

void page_heading(struct buf *b, const char *title) { between(b, "<h2>", title, "</h2>\n"); }

void page_note(struct buf *b, const char *text) { between(b, "<p class=note>", text, "</p>\n"); }

void page_paragraph(struct buf *b, const char *text) { between(b, "<p>", text, "</p>\n"); }

void page_verdict(struct buf *b, enum page_tone tone, const char *strong, const char *text)
{
    static const char *const kind[] = {[PAGE_GOOD] = "", [PAGE_BAD] = " bad", [PAGE_OPEN] = " open"};
    buf_fmt(b, "<p class=\"verdict%s\">", kind[tone]);
    between(b, "<b>", strong, "</b> ");
    between(b, "", text, "</p>\n");
}

void page_facts_begin(struct buf *b) { buf_str(b, "<table class=facts>\n"); }

void page_fact(struct buf *b, const char *name, const char *value)
{
    between(b, "<tr><td>", name, "</td>");
    between(b, "<td>", value, "</td></tr>\n");
}

void page_fact_code(struct buf *b, const char *name, const char *value)
{
    between(b, "<tr><td>", name, "</td>");
    between(b, "<td><code>", value, "</code></td></tr>\n");
}

void page_facts_end(struct buf *b) { buf_str(b, "</table>\n"); }

void page_table_begin(struct buf *b, const struct page_column *columns)
{
    buf_str(b, "<div class=wide><table><tr>");
    for (const struct page_column *c = columns; c->title; c++)
        between(b, c->is_number ? "<th class=n>" : "<th>", c->title, "</th>");
    buf_str(b, "</tr>\n");
}

void page_row_begin(struct buf *b) { buf_str(b, "<tr>"); }

void page_row_total_begin(struct buf *b) { buf_str(b, "<tr class=sum>"); }

void page_cell(struct buf *b, const char *z) { between(b, "<td>", z, "</td>"); }

void page_cell_right(struct buf *b, const char *z) { between(b, "<td class=n>", z, "</td>"); }

static void number(struct buf *b, const char *sign, double v, int decimals)
{
    if (isfinite(v))
        buf_fmt(b, "<td class=n>%s%.*f</td>", sign, decimals, v);
    else
        buf_str(b, "<td class=n>–</td>");
}

void page_cell_number(struct buf *b, double v, int decimals) { number(b, "", v, decimals); }

void page_cell_signed(struct buf *b, double v, int decimals) { number(b, v > 0 ? "+" : "", v, decimals); }

void page_row_end(struct buf *b) { buf_str(b, "</tr>\n"); }

void page_table_end(struct buf *b) { buf_str(b, "</table></div>\n"); }
