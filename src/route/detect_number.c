/* Payment cards and bank accounts: numbers with check digits, alone or in groups.
 *
 * Card (ISO/IEC 7812): 13 to 19 digits in an issuer's range with the Luhn digit at the end, alone or in groups: four
 * digits, then groups of four to six, with single spaces or hyphens, the same throughout; the last may be shorter.
 * One number in ten passes Luhn; range and length make it one in about thirty of those with 16 digits.
 *
 * IBAN (ISO 13616): country, two check digits, account of the country's length; rearranged and read as a number with
 * A = 10 … Z = 35 it is 1 modulo 97. Pure; any thread. */
#include "detect.h"

#include <string.h>

bool route_luhn(const char *digits, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) { /* from the right, every second is doubled, and its digits added */
        int v = digits[n - 1 - i] - '0';
        if (i & 1) v = v * 2 > 9 ? v * 2 - 9 : v * 2;
        sum += v;
    }
    return sum % 10 == 0;
}

/* Ranges of the first six digits, and the lengths that occur there, as the networks publish them. */
static const struct {
    int from, to, min, max;
} issuers[] = {
    {220000, 220499, 16, 19},                           /* Mir */
    {222100, 272099, 16, 16}, {510000, 559999, 16, 16}, /* Mastercard */
    {300000, 305999, 14, 19}, {309500, 309599, 14, 19}, {360000, 369999, 14, 19},
    {380000, 399999, 14, 19},                                                     /* Diners */
    {340000, 349999, 15, 15}, {370000, 379999, 15, 15},                           /* American Express */
    {352800, 358999, 16, 19},                                                     /* JCB */
    {400000, 499999, 13, 13}, {400000, 499999, 16, 16}, {400000, 499999, 19, 19}, /* Visa */
    {500000, 509999, 13, 19}, {560000, 589999, 13, 19},                           /* Maestro, Verve, RuPay */
    {600000, 659999, 13, 19}, {670000, 679999, 13, 19}, /* Discover, UnionPay, Maestro, RuPay */
    {810000, 829999, 16, 19},                           /* UnionPay, RuPay */
    {979200, 979299, 16, 16},                           /* Troy */
};

static bool is_issued(const char *d, int n)
{
    int six = 0;
    for (int i = 0; i < 6; i++) six = six * 10 + (d[i] - '0');
    for (size_t k = 0; k < sizeof issuers / sizeof issuers[0]; k++)
        if (six >= issuers[k].from && six <= issuers[k].to && n >= issuers[k].min && n <= issuers[k].max) return true;
    return false;
}

size_t route_match_card(const struct route_scan *s, size_t at)
{
    char d[20], sep = 0;
    size_t i = at, end = 0;
    if (route_before(s, at) == '.' && at >= 2 && route_is_digit(s->s[at - 2])) return 0; /* the tail of a decimal */
    for (int n = 0, group = 0; n < 19;) {
        if (!route_is_digit(route_at(s, i))) return end;
        d[n++] = s->s[i++];
        group++;
        char c = route_at(s, i);
        if (route_is_digit(c)) continue;
        bool joined = (c == ' ' || c == '-') && route_is_digit(route_at(s, i + 1));
        bool ends = !route_is_alpha(c) && !((c == '.' || c == '-') && route_is_digit(route_at(s, i + 1)));
        if (n >= 13 && ends && is_issued(d, n) && route_luhn(d, n)) end = i; /* the longest that fits */
        if (!joined || (n == group ? n != 4 : group < 4 || group > 6) || (sep && c != sep)) return end;
        sep = c;
        group = 0;
        i++;
    }
    return end;
}

/* "CCnn" of every country of the registry (SWIFT IBAN Registry). */
static const char iban_lengths[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
    "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20"
    "MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26"
    "UA29VA22VG24XK20YE30";

static int iban_length(char a, char b)
{
    for (const char *p = iban_lengths; *p; p += 4)
        if (p[0] == a && p[1] == b) return (p[2] - '0') * 10 + (p[3] - '0');
    return 0;
}

size_t route_match_iban(const struct route_scan *s, size_t at)
{
    char v[34];
    if (!route_is_alpha(route_at(s, at + 1)) || !route_is_digit(route_at(s, at + 2)) ||
        !route_is_digit(route_at(s, at + 3)))
        return 0;
    int len = iban_length((char)(s->s[at] & ~32), (char)(s->s[at + 1] & ~32)), n = 0;
    size_t i = at;
    while (n < len) {
        char c = route_at(s, i);
        if (route_is_alnum(c))
            v[n++] = c;
        else if ((c != ' ' && c != '-') || !route_is_alnum(route_at(s, i + 1)))
            return 0;
        i++;
    }
    if (len == 0 || route_is_alnum(route_at(s, i))) return 0;
    int r = 0;
    for (int k = 0; k < len; k++) {
        char c = v[(k + 4) % len];
        r = route_is_digit(c) ? (r * 10 + (c - '0')) % 97 : (r * 100 + ((c | 32) - 'a') + 10) % 97;
    }
    return r == 1 ? i : 0;
}
