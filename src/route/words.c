/* The words of routing (route.h): tables to names and back, and money in whole billionths. Pure functions. Read next:
 * the policy that uses them. */
#include "base_str.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

static const char *const places[] = {"device", "premises", "cloud"};
static const char *const words[] = {
#define X(name, word, sentence) word,
    ROUTE_REASON_TABLE(X)
#undef X
};
static const char *const sentences[] = {
#define X(name, word, sentence) sentence,
    ROUTE_REASON_TABLE(X)
#undef X
};

static int find(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return i;
    return -1;
}

const char *route_place_name(enum route_place p) { return places[p]; }

int route_place_find(const char *name) { return find(places, (int)(sizeof places / sizeof places[0]), name); }

const char *route_reason_word(enum route_reason r) { return words[r]; }

const char *route_reason_text(enum route_reason r) { return sentences[r]; }

int route_reason_find(const char *word) { return find(words, ROUTE_N_REASONS, word); }

/* ---- money ---- */

route_money route_cost(uint64_t tokens, route_money price_per_million)
{
    unsigned __int128 m = (unsigned __int128)tokens * (uint64_t)price_per_million + 999999;
    m /= 1000000;
    return m > INT64_MAX ? INT64_MAX : (route_money)m;
}

route_money route_money_add(route_money a, route_money b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

/* One more digit; false when it would not fit. */
static bool push_digit(int64_t *m, int digit)
{
    if (*m > (INT64_MAX - digit) / 10) return false;
    *m = *m * 10 + digit;
    return true;
}

int route_money_parse(const char *s, route_money *out, struct err *e)
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

void route_money_text(route_money m, char out[32])
{
    int n = snprintf(out, 32, "%lld.%09lld", (long long)(m / ROUTE_MONEY_ONE), (long long)(m % ROUTE_MONEY_ONE));
    while (out[n - 1] == '0') out[--n] = 0;
    if (out[n - 1] == '.') out[n - 1] = 0;
}
