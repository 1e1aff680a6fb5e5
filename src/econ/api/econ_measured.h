/* Values of a scenario that Croft measured itself: reports of `croft eval --json` and `croft bench --json`, and
 * receipts. Each sets parameters with a distribution that says how little was measured, and leaves remarks: what was
 * not measured, what is missing in the middle, what the number does not cover. What would be a confident wrong number
 * is an error instead. Pure functions over JSON that the caller read. docs/TCO.md has the rules. */
#ifndef ECON_MEASURED_H
#define ECON_MEASURED_H

#include "econ_tco.h"

enum { ECON_MAX_REMARKS = 32, ECON_REMARK_MAX = 320 };
struct econ_remarks { /* begins as zeros */
    char text[ECON_MAX_REMARKS][ECON_REMARK_MAX]; /* whole sentences; further ones are dropped */
    int n;
};
void econ_remark(struct econ_remarks *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A report of the format croft-eval-1, called `name` in notes: answers a second, tokens of a prompt, the share of wrong
 * answers; with a calibration also the share handed on, and then the errors are those among the accepted; power where
 * energy was readable. FORMAT: it is none, or its numbers contradict each other. */
int econ_measured_eval(struct econ_scenario *s, const char *name, const json_t *report, struct econ_remarks *r,
                       struct err *e) ERR_CHECK;
/* A report of croft bench: answers a second for the scenario's tokens, which must be known by now (USAGE). */
int econ_measured_bench(struct econ_scenario *s, const char *name, const json_t *report, struct econ_remarks *r,
                        struct err *e) ERR_CHECK;

/* ---- receipts ---- */

struct econ_day {
    int64_t day;   /* since 1970-01-01, UTC */
    uint64_t n, k; /* answered; of those handed on */
    uint64_t all;  /* asked */
};
struct econ_receipts {
    uint64_t n;              /* requests that somebody waited for: no background checks */
    uint64_t n_here, n_on;   /* answered on this device or the premises; in the cloud */
    uint64_t n_none;         /* by nobody */
    uint64_t n_degraded, n_checks, lost;
    uint64_t n_priced;       /* handed on with a known cost */
    money paid;              /* for those */
    char currency[4], other[4]; /* another one than the first: "" none */
    double in, in_squares, out, out_squares; /* sums of tokens over answers */
    double ms;               /* sum of latencies */
    int64_t first_ms, last_ms; /* Unix, UTC */
    int64_t now_ms;            /* set by the caller: a receipt more than a day later is refused; 0: any time goes */
    struct econ_day *day;    /* [n_days] ascending */
    size_t n_days, cap_days;
};
/* One receipt as docs/RECEIPTS.md has it, in any order of time; begins with a struct of zeros. FORMAT: it is none,
 * comes from the future, or counts fewer than no tokens. */
int econ_receipts_add(struct econ_receipts *x, const json_t *receipt, struct err *e) ERR_CHECK;
void econ_receipts_done(struct econ_receipts *x);
/* Share handed on, share checked, tokens, price of an answer handed on where the scenario states none, volume where it
 * states none. FORMAT: nothing answered, less than a day, two currencies, or another one than the scenario's. */
int econ_measured_receipts(struct econ_scenario *s, const char *name, const struct econ_receipts *x,
                           struct econ_remarks *r, struct err *e) ERR_CHECK;

#endif
