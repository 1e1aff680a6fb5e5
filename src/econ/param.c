/* The parameters of a scenario as a table, and their values as text: a number, and a unit that fits or converts.
 * Everything is exact: a value is a whole number of billionths, a unit a ratio of two whole numbers. Pure functions.
 * Read next: scenario.c. */
#include "econ_private.h"

#include "base_str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NANO(x) ((int64_t)((x)*1e9 + ((x) < 0 ? -0.5 : 0.5)))

static const struct econ_param_info params[] = {
#define PARAM(id, section, name, unit, def, min, max, low, high, help)                                               \
    {section, name, help, ECON_##unit, NANO(def), NANO(min), NANO(max), low, high},
#include "econ_params.inc"
#undef PARAM
};

const struct econ_param_info *econ_param_info(enum econ_param p) { return &params[p]; }

int econ_param_find(const char *dotted)
{
    const char *dot = strchr(dotted, '.');
    for (int p = 0; dot && p < ECON_N_PARAMS; p++)
        if (strlen(params[p].section) == (size_t)(dot - dotted) &&
            strncmp(params[p].section, dotted, (size_t)(dot - dotted)) == 0 && strcmp(params[p].name, dot + 1) == 0)
            return p;
    return -1;
}

/* Spellings of units. `money`: the currency stands before, as in "USD/month". The first of a unit is the one shown,
 * and a value is that of the file times num / den. */
static const struct spelling {
    enum econ_unit unit;
    const char *text;
    bool money;
    int64_t num, den;
} spellings[] = {
    {ECON_ANSWERS, "answers/month", false, 1, 1},
    {ECON_ANSWERS, "/month", false, 1, 1},
    {ECON_ANSWERS, "per month", false, 1, 1},
    {ECON_ANSWERS, "answers/day", false, 365, 12},
    {ECON_ANSWERS, "/day", false, 365, 12},
    {ECON_ANSWERS, "answers/year", false, 1, 12},
    {ECON_SHARE, "", false, 1, 1},
    {ECON_SHARE, "%", false, 1, 100},
    {ECON_FACTOR, "", false, 1, 1},
    {ECON_MONTHS, "months", false, 1, 1},
    {ECON_MONTHS, "month", false, 1, 1},
    {ECON_MONTHS, "years", false, 12, 1},
    {ECON_MONTHS, "year", false, 12, 1},
    {ECON_TOKENS, "tokens", false, 1, 1},
    {ECON_MONEY, "", true, 1, 1},
    {ECON_MONEY_ANSWER, "/answer", true, 1, 1},
    {ECON_MONEY_ANSWER, "/query", true, 1, 1},
    {ECON_MONEY_ANSWER, "/1k answers", true, 1, 1000},
    {ECON_MONEY_ANSWER, "/1M answers", true, 1, 1000000},
    {ECON_MONEY_MTOKENS, "/Mtok", true, 1, 1},
    {ECON_MONEY_MTOKENS, "/1M tokens", true, 1, 1},
    {ECON_MONEY_MTOKENS, "/1k tokens", true, 1000, 1},
    {ECON_MONEY_MTOKENS, "/token", true, 1000000, 1},
    {ECON_MONEY_MONTH, "/month", true, 1, 1},
    {ECON_MONEY_MONTH, "/year", true, 1, 12},
    {ECON_MONEY_GB, "/GB", true, 1, 1},
    {ECON_MONEY_GB, "/TB", true, 1, 1000},
    {ECON_MONEY_KWH, "/kWh", true, 1, 1},
    {ECON_MONEY_KWH, "/MWh", true, 1, 1000},
    {ECON_MONEY_HOUR, "/hour", true, 1, 1},
    {ECON_MONEY_HOUR, "/h", true, 1, 1},
    {ECON_MONEY_HOUR, "/month", true, 1, 730},
    {ECON_BYTES, "bytes", false, 1, 1},
    {ECON_BYTES, "B", false, 1, 1},
    {ECON_BYTES, "kB", false, 1000, 1},
    {ECON_BYTES, "MB", false, 1000000, 1},
    {ECON_GIGABYTES, "GB", false, 1, 1},
    {ECON_GIGABYTES, "MB", false, 1, 1000},
    {ECON_GIGABYTES, "TB", false, 1000, 1},
    {ECON_COUNT, "", false, 1, 1},
    {ECON_RATE, "answers/s", false, 1, 1},
    {ECON_RATE, "/s", false, 1, 1},
    {ECON_RATE, "answers/minute", false, 1, 60},
    {ECON_RATE, "answers/hour", false, 1, 3600},
    {ECON_WATTS, "W", false, 1, 1},
    {ECON_WATTS, "kW", false, 1000, 1},
};
enum { N_SPELLINGS = sizeof spellings / sizeof spellings[0] };

const char *econ_unit_text(enum econ_unit u, const char *currency, char out[32])
{
    out[0] = 0;
    for (int i = 0; i < N_SPELLINGS; i++)
        if (spellings[i].unit == u) {
            snprintf(out, 32, "%s%s", spellings[i].money ? currency : "", spellings[i].text);
            break;
        }
    return out;
}

/* Digits and at most one point as billionths, times 10^power; false where that is not a whole number of them, or too
 * large. */
static bool decimal_of(const char *p, const char *end, int power, int64_t *out)
{
    int64_t m = 0;
    int behind = 0;
    bool point = false;
    for (; p < end; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (m > (INT64_MAX - 9) / 10) return false;
        m = m * 10 + (*p - '0');
        behind += point;
    }
    for (power += 9 - behind; power > 0 && m; power--) {
        if (m > INT64_MAX / 10) return false;
        m *= 10;
    }
    for (; power < 0 && m; power++) {
        if (m % 10) return false;
        m /= 10;
    }
    *out = m;
    return true;
}

/* "-12.5" or "2e6" in front of *z to billionths; *z moves behind it. False: no number, or one with more than nine
 * digits behind the point or too many before it. */
static bool take_number(const char **z, int64_t *out)
{
    const char *from = *z + (**z == '-'), *p = from;
    int n_digits = 0, n_points = 0, power = 0;
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && n_points == 0); p++) *(*p == '.' ? &n_points : &n_digits) += 1;
    const char *end = p;
    if (n_digits == 0 || p[-1] == '.') return false;
    if (*p == 'e' || *p == 'E') {
        bool minus = p[1] == '-';
        p += 1 + (p[1] == '-' || p[1] == '+');
        if (*p < '0' || *p > '9') return false;
        for (; *p >= '0' && *p <= '9'; p++) power = power < 100 ? power * 10 + (*p - '0') : power;
        if (minus) power = -power;
    }
    int64_t m;
    if (!decimal_of(from, end, power, &m)) return false;
    *out = from > *z ? -m : m;
    *z = p;
    return true;
}

static bool three_letters(const char *z)
{
    for (int i = 0; i < 3; i++)
        if (z[i] < 'A' || z[i] > 'Z') return false;
    return z[3] == 0 || z[3] == '/';
}

/* The spelling of this parameter's unit that z is; NULL with a sentence in why. */
static const struct spelling *find_unit(const struct econ_param_info *i, const char *z, const char *currency,
                                        char why[160])
{
    char right[32];
    bool has_currency = three_letters(z);
    if (has_currency && strncmp(z, currency, 3) != 0) {
        snprintf(why, 160, "is in %.3s, and the scenario in %s. Convert it: currencies are not mixed", z, currency);
        return NULL;
    }
    const char *rest = has_currency ? z + 3 : z;
    for (int k = 0; k < N_SPELLINGS; k++)
        if (spellings[k].unit == i->unit && (spellings[k].money || !has_currency) &&
            strcmp(spellings[k].text, rest) == 0)
            return &spellings[k];
    econ_unit_text(i->unit, currency, right);
    snprintf(why, 160, "has the unit '%.40s', which does not fit: write it in %s", z,
             *right ? right : "plain numbers");
    return NULL;
}

int econ_param_parse(enum econ_param p, const char *text, const char *currency, int64_t *out, struct err *e)
{
    const struct econ_param_info *i = &params[p];
    const char *z = text;
    char why[160];
    int64_t value;
    if (!take_number(&z, &value))
        return ERR(e, FORMAT,
                   "'%s.%s' must be a number with at most nine digits behind a point (and perhaps a unit), not "
                   "'%.40s'.",
                   i->section, i->name, text);
    z += *z == ' ';
    if (*z) {
        const struct spelling *s = find_unit(i, z, currency, why);
        if (!s) return ERR(e, FORMAT, "'%s.%s' %s.", i->section, i->name, why);
        __int128 scaled = (__int128)value * s->num;
        if (!econ_fits(scaled = econ_divide(scaled, s->den)))
            return ERR(e, FORMAT, "'%s.%s' is too large.", i->section, i->name);
        value = (int64_t)scaled;
    }
    return econ_param_check(p, value, currency, out, e);
}

int econ_param_check(enum econ_param p, int64_t value, const char *currency, int64_t *out, struct err *e)
{
    const struct econ_param_info *i = &params[p];
    char unit[32];
    bool whole = i->unit == ECON_MONTHS || i->unit == ECON_COUNT;
    if (value < i->min || value > i->max || (whole && value % MONEY_ONE))
        return ERR(e, FORMAT, "'%s.%s' must be a %snumber from %.15g to %.15g%s%s%s.", i->section, i->name,
                   whole ? "whole " : "", (double)i->min / 1e9, (double)i->max / 1e9,
                   *econ_unit_text(i->unit, currency, unit) ? " " : "", unit,
                   i->unit == ECON_SHARE ? ", or in percent with its sign, as in 5 %" : "");
    *out = value;
    return 0;
}

/* ---- exact arithmetic ---- */

bool econ_fits(econ_amount a) { return a <= INT64_MAX && a >= -(econ_amount)INT64_MAX; }

econ_amount econ_divide(econ_amount a, econ_amount d)
{
    econ_amount q = a / d, r = a % d;
    if (r < 0) r = -r;
    if (2 * r > d || (2 * r == d && q % 2)) q += a < 0 ? -1 : 1;
    return q;
}

econ_amount econ_times(econ_amount a, econ_amount b, bool *too_large)
{
    econ_amount product;
    if (__builtin_mul_overflow(a, b, &product)) {
        *too_large = true;
        return 0;
    }
    return econ_divide(product, MONEY_ONE);
}

double econ_amount_real(econ_amount a) { return (double)a / 1e9; }

const char *econ_amount_text(econ_amount a, int digits, char out[48])
{
    econ_amount unit = 1;
    for (int i = digits; i < 9; i++) unit *= 10;
    a = econ_divide(a, unit);
    char z[48];
    int n = 0, at = 0;
    bool minus = a < 0;
    if (minus) a = -a;
    for (int i = 0; i <= digits || a; i++, a /= 10) {
        if (i == digits && digits) z[n++] = '.';
        z[n++] = (char)('0' + (int)(a % 10));
    }
    if (minus) out[at++] = '-';
    while (n) out[at++] = z[--n];
    out[at] = 0;
    return out;
}
