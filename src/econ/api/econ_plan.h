/* What hardware that was bought needs over its life, as a dated checklist: baseline, mid-life review, refresh a year
 * before it is written off. Pure functions; docs/QUALIFY.md. */
#ifndef ECON_PLAN_H
#define ECON_PLAN_H

#include "base_buf.h"

struct econ_month {
    int year, month; /* 1 … 12 */
};
/* "2026-11". USAGE: it is none. */
int econ_month_parse(const char *s, struct econ_month *out, struct err *e) ERR_CHECK;
struct econ_month econ_month_add(struct econ_month m, int months);

enum { ECON_PLAN_STEPS = 4, ECON_PLAN_TODOS = 5, ECON_REFRESH_BEFORE = 12 };
struct econ_step {
    const char *name; /* "baseline" */
    struct econ_month due;
    int after;                         /* months after the purchase */
    const char *todo[ECON_PLAN_TODOS]; /* up to the first NULL */
};
struct econ_plan {
    const char *model, *device; /* borrowed */
    struct econ_month bought;
    int life; /* months until it is written off: the depreciation cliff */
    struct econ_step step[ECON_PLAN_STEPS];
};
/* USAGE: a life below 24 months, where the refresh would come before the mid-life review; above 240. */
int econ_plan_make(const char *model, const char *device, struct econ_month bought, int life, struct econ_plan *out,
                   struct err *e) ERR_CHECK;

/* The forms of it; all append to `out`, whose failure the caller checks. */
void econ_plan_text(const struct econ_plan *p, struct buf *out);
void econ_plan_markdown(const struct econ_plan *p, struct buf *out);
/* iCalendar (RFC 5545): one day-long event a step, on the first of the month. stamp: seconds since 1970, UTC. */
void econ_plan_ics(const struct econ_plan *p, int64_t stamp, struct buf *out);

#endif
