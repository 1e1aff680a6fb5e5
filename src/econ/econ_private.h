/* What the files of the economics share. */
#ifndef ECON_PRIVATE_H
#define ECON_PRIVATE_H

#include "econ_tco.h"

enum { ECON_SECONDS_MONTH = 2628000, ECON_HOURS_MONTH = 730 };

/* "0.12 USD/kWh" to billionths of the parameter's unit. FORMAT: no number, a unit or currency that does not fit, out
 * of bounds. */
int econ_param_parse(enum econ_param p, const char *text, const char *currency, int64_t *out,
                     struct err *e) ERR_CHECK;
int econ_param_check(enum econ_param p, int64_t value, const char *currency, int64_t *out, struct err *e) ERR_CHECK;

bool econ_fits(econ_amount a);                         /* into an int64_t */
econ_amount econ_divide(econ_amount a, econ_amount d); /* half to even; d > 0 */
/* The product of two numbers of billionths, half to even; *too_large is set, and never cleared, where it overflows.
 */
econ_amount econ_times(econ_amount a, econ_amount b, bool *too_large);

/* Costs alone, without payback and tipping volumes. buy: more units than the scenario has, where the volume needs
 * them. */
int econ_costs(const struct econ_scenario *s, bool buy, struct econ_tco *out, struct err *e) ERR_CHECK;
/* The fewest units that serve the scenario's largest month at this rate, share of it and peak factor; all billionths.
 */
int64_t econ_units_needed(econ_amount month, int64_t rate, int64_t max_utilisation, int64_t peak);
econ_amount econ_largest_month(const struct econ_scenario *s);
void econ_derive(struct econ_scenario *s); /* values that follow from others, where nobody gave them */
int econ_home(
    const struct econ_tco *t); /* the option that stands for answering at home: local, else rented, else -1 */
/* As econ_scenario_measured, but what a flag says stands, with a remark. */
struct econ_remarks;
int econ_measured_put(struct econ_scenario *s, enum econ_param p, double value, struct econ_chance c, const char *note,
                      struct econ_remarks *r, struct err *e) ERR_CHECK;
bool econ_given(const struct econ_scenario *s, enum econ_param p); /* not by default */

#endif
