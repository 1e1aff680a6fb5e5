/* croft tco in parts: what was read, what was computed, and the ways to print it. */
#ifndef CLI_TCO_H
#define CLI_TCO_H

#include "cli.h"
#include "econ_measured.h"
#include "econ_tco.h"

struct cli_tco {
    struct econ_scenario s;
    struct econ_remarks remarks;
    struct econ_tco *t;
    struct econ_interval interval;
    struct econ_bar bar[ECON_N_PARAMS];
    int n_bars;
    struct econ_sweep sweep;
    struct econ_tco_verdict verdict;
};

/* tco_input.c: measurements into c->s; NULL: none of that kind. `receipts` is a folder, a file of lines, or "" for the
 * folder of this device. */
int cli_tco_measured(struct cli_tco *c, const char *receipts, const char *eval, const char *bench,
                     struct err *e) ERR_CHECK;
const struct econ_prices *cli_tco_prices(void); /* the table that ships */

/* Exit codes: of what is printed. */
int cli_tco_prices_print(bool json);
int cli_tco_params_print(bool json);
int cli_tco_text(const struct cli_tco *c);
json_t *cli_tco_json(const struct cli_tco *c); /* NULL without memory */
int cli_tco_csv(const struct cli_tco *c, struct buf *out, struct err *e) ERR_CHECK;
int cli_tco_html(const struct cli_tco *c, struct buf *out, struct err *e) ERR_CHECK;

/* "1,274,000.50", "-3": digits behind the point; "none" of what is infinite, "-" of what is not known. */
const char *cli_tco_number(double v, int digits, char out[64]);
const char *cli_tco_price(double v, char out[64]); /* four significant digits at least: "0.0004778" */
econ_amount cli_tco_year(const struct econ_costs *o, int months, int year); /* sum; year 0: before the first month */
bool cli_tco_compares(const struct cli_tco *c, enum econ_option *out_home); /* a cloud, and what it is held against */
/* "tokens.in" and "300 tokens", with the source: "file, line 12". */
const char *cli_tco_value(const struct cli_tco *c, enum econ_param p, char out[96]);
/* Its distribution, "" of a certain one, and a value that it may have: shares in percent. */
const char *cli_tco_chance(const struct cli_tco *c, enum econ_param p, char out[96]);
const char *cli_tco_bound(enum econ_param p, double v, char out[64]);
const char *cli_tco_source(const struct cli_tco *c, enum econ_param p, char out[200]);
/* Is the parameter part of what was computed? What nobody gave and is 0 is not. */
bool cli_tco_tells(const struct cli_tco *c, enum econ_param p);
const char *cli_tco_tipping_text(const struct cli_tco *c, double v, char out[96]);

#endif
