/* Money in whole billionths (base_money.h). Pure functions. */
#include "base_money.h"

#include <stdio.h>
#include <string.h>

money money_per_million(uint64_t tokens, money price_per_million)
{
    unsigned __int128 m = (unsigned __int128)tokens * (uint64_t)price_per_million + 999999;
    m /= 1000000;
    return m > INT64_MAX ? INT64_MAX : (money)m;
}

money money_add(money a, money b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

/* One more digit; false when it would not fit. */
static bool push_digit(int64_t *m, int digit)
{
    if (*m > (INT64_MAX - digit) / 10) return false;
    *m = *m * 10 + digit;
    return true;
}

int money_parse(const char *s, money *out, struct err *e)
{
    int64_t m = 0;
    int n_digits = 0, n_behind = -1; /* behind the point; -1: there is none yet */
    bool good = true;
    for (const char *p = s; *p && good; p++) {
        if (*p == '.' && n_behind < 0) {
            n_behind = 0;
            continue;
        }
        good = *p >= '0' && *p <= '9' && n_behind < 9 && push_digit(&m, *p - '0');
        n_digits++;
        if (n_behind >= 0) n_behind++;
    }
    for (int i = n_behind < 0 ? 0 : n_behind; i < 9 && good; i++) good = push_digit(&m, 0);
    if (!good || n_digits == 0 || n_behind == 0)
        return ERR(e, FORMAT,
                   "'%.40s' is not an amount of money: write digits and at most nine behind a point, such as 0.042.",
                   s);
    *out = m;
    return 0;
}

void money_text(money m, char out[32])
{
    int n = snprintf(out, 32, "%lld.%09lld", (long long)(m / MONEY_ONE), (long long)(m % MONEY_ONE));
    while (out[n - 1] == '0') out[--n] = 0;
    if (out[n - 1] == '.') out[n - 1] = 0;
}
