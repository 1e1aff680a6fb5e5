/* Money: whole billionths of a currency's unit ($1 = 1,000,000,000), so that sums are exact. */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include "base_err.h"

typedef int64_t money;
enum { MONEY_ONE = 1000000000 };

/* What n things cost at a price per million of them: rounded up to the next billionth; saturates. Prices are not
 * negative. */
money money_per_million(uint64_t n, money price_per_million);
money money_add(money a, money b); /* saturates; neither is negative */
/* "0.042" and the like: digits, at most nine behind the point. FORMAT: anything else, a sign, or too much. */
int money_parse(const char *s, money *out, struct err *e) ERR_CHECK;
void money_text(money m, char out[32]); /* "0.042": no trailing zeros; not negative */

#endif
