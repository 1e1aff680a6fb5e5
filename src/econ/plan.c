/* The life of bought hardware as a dated checklist (econ_plan.h). Dates are months: nobody plans a review to the day.
 *
 *   bought            + life / 2          + life - 12              + life
 *   |                 |                   |                        |
 *   baseline          mid-life review     refresh decision         depreciation cliff
 *
 * The refresh comes twelve months before the cliff because what replaces the hardware must itself be evaluated,
 * qualified, bought and rolled out while the old one still carries the load.
 *
 * Pure functions; texts are constants, names are borrowed. Read next: qualify.c, docs/QUALIFY.md. */
#include "econ_plan.h"
#include "base_str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MIN_LIFE = 24, MAX_LIFE = 240, ICS_LINE = 75 };

int econ_month_parse(const char *s, struct econ_month *out, struct err *e)
{
    int y, m, n = 0;
    bool good = strspn(s, "0123456789-") == strlen(s) && strlen(s) == 7 && sscanf(s, "%4d-%2d%n", &y, &m, &n) == 2 &&
                n == 7 && y >= 1990 && y <= 2200 && m >= 1 && m <= 12;
    if (!good) return ERR(e, USAGE, "'%.40s' is not a month: write it like 2026-11.", s);
    *out = (struct econ_month){y, m};
    return 0;
}

struct econ_month econ_month_add(struct econ_month m, int months)
{
    int n = m.year * 12 + m.month - 1 + months;
    return (struct econ_month){n / 12, n % 12 + 1};
}

static const struct econ_step steps[ECON_PLAN_STEPS] = {
    {.name = "baseline",
     .todo = {"evaluate the model on the task and keep the report (croft eval TASK -m MODEL -o baseline.json)",
              "qualify this hardware with the requirements and the sustained time that count, and keep the report "
              "(croft qualify TASK -m MODEL --sustained 600 --json)",
              "calibrate, and write down the threshold and the share it accepts (croft calibrate TASK -m MODEL)",
              "write down temperature, power and room conditions of the measurement"}},
    {.name = "mid-life review",
     .todo = {"repeat the qualification and compare with the baseline: rates, P99, temperature, throttling",
              "repeat the evaluation on fresh labelled examples: has the work changed?",
              "look at the receipts: share answered here, escalations, failures (croft receipts)",
              "compare cost with today's prices (croft tco); clean fans and filters",
              "decide: keep, add, or bring the refresh forward"}},
    {.name = "refresh decision",
     .todo = {"predict the candidates for the next hardware (croft qualify MODEL --device NAME)",
              "evaluate the models that are now to be had, and fix the model class before the hardware",
              "order one unit, qualify it, then order the rest",
              "plan the roll-out, and what becomes of the old hardware's data"}},
    {.name = "depreciation cliff",
     .todo = {"all load is on qualified new hardware",
              "keys and models are erased from the old hardware, and that is written down",
              "hardware that stays in use is qualified again, with its failure rate and spares in the costs"}},
};

int econ_plan_make(const char *model, const char *device, struct econ_month bought, int life, struct econ_plan *out,
                   struct err *e)
{
    const int after[ECON_PLAN_STEPS] = {0, life / 2, life - ECON_REFRESH_BEFORE, life};
    if (life < MIN_LIFE || life > MAX_LIFE)
        return ERR(
            e, USAGE,
            "A life of %d months cannot be planned: give %d to %d (the refresh comes %d months before the end, "
            "and not before the mid-life review).",
            life, MIN_LIFE, MAX_LIFE, ECON_REFRESH_BEFORE);
    *out = (struct econ_plan){.model = model, .device = device, .bought = bought, .life = life};
    for (int i = 0; i < ECON_PLAN_STEPS; i++) {
        out->step[i] = steps[i];
        out->step[i].after = after[i];
        out->step[i].due = econ_month_add(bought, after[i]);
    }
    return 0;
}

/* ---- text and Markdown ---- */

static void checklist(const struct econ_plan *p, const char *heading, struct buf *out)
{
    for (const struct econ_step *s = p->step; s < p->step + ECON_PLAN_STEPS; s++) {
        buf_fmt(out, "\n%s%04d-%02d  %s (month %d)\n", heading, s->due.year, s->due.month, s->name, s->after);
        if (*heading) buf_char(out, '\n');
        for (int i = 0; i < ECON_PLAN_TODOS && s->todo[i]; i++)
            buf_fmt(out, "%s[ ] %s\n", *heading ? "- " : "  ", s->todo[i]);
    }
}

void econ_plan_text(const struct econ_plan *p, struct buf *out)
{
    buf_fmt(out, "Plan for %s on %s, bought %04d-%02d, written off after %d months\n", p->model, p->device,
            p->bought.year, p->bought.month, p->life);
    checklist(p, "", out);
}

void econ_plan_markdown(const struct econ_plan *p, struct buf *out)
{
    buf_fmt(out, "# %s on %s\n\nBought %04d-%02d, written off after %d months.\n", p->model, p->device,
            p->bought.year, p->bought.month, p->life);
    checklist(p, "## ", out);
}

/* ---- iCalendar ---- */

/* A content line: TEXT's \ ; , and line ends are escaped, and lines longer than 75 octets go on after CRLF and a
 * space, never inside a character. */
static void ics_line(struct buf *out, const char *name, const char *text)
{
    size_t column = strlen(name);
    buf_str(out, name);
    for (const char *p = text; *p;) {
        size_t n = 1;
        while (((unsigned char)p[n] & 0xC0) == 0x80) n++;
        bool escape = strchr("\\;,", *p) != NULL, end = *p == '\n';
        if (column + n + escape + end > ICS_LINE) {
            buf_str(out, "\r\n ");
            column = 1;
        }
        if (end) {
            buf_str(out, "\\n");
        } else {
            if (escape) buf_char(out, '\\');
            buf_add(out, p, n);
        }
        column += n + escape + end;
        p += n;
    }
    buf_str(out, "\r\n");
}

static void event(const struct econ_plan *p, const struct econ_step *s, const char *stamp, struct buf *out)
{
    struct buf todo;
    char line[200];
    buf_init(&todo, 4096);
    for (int i = 0; i < ECON_PLAN_TODOS && s->todo[i]; i++) buf_fmt(&todo, "%s- %s", i ? "\n" : "", s->todo[i]);
    buf_str(out, "BEGIN:VEVENT\r\n");
    snprintf(line, sizeof line, "%04d%02d-%d-%d@croft.invalid", p->bought.year, p->bought.month, p->life, s->after);
    ics_line(out, "UID:", line);
    ics_line(out, "DTSTAMP:", stamp);
    snprintf(line, sizeof line, "%04d%02d01", s->due.year, s->due.month);
    ics_line(out, "DTSTART;VALUE=DATE:", line);
    snprintf(line, sizeof line, "%s: %.60s on %.60s", s->name, p->model, p->device);
    ics_line(out, "SUMMARY:", line);
    ics_line(out, "DESCRIPTION:", todo.failed || !todo.data ? "" : todo.data);
    buf_str(out, "END:VEVENT\r\n");
    if (todo.failed) out->failed = todo.failed;
    buf_done(&todo);
}

void econ_plan_ics(const struct econ_plan *p, int64_t stamp, struct buf *out)
{
    char at[32] = "19700101T000000Z";
    time_t t = (time_t)stamp;
    struct tm tm;
    if (gmtime_r(&t, &tm)) strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm);
    buf_str(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//croft//qualify//EN\r\n");
    for (const struct econ_step *s = p->step; s < p->step + ECON_PLAN_STEPS; s++) event(p, s, at, out);
    buf_str(out, "END:VCALENDAR\r\n");
}
