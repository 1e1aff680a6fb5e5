/* Formats of strings: for each the expression that generated texts follow, and a check of finished texts that is
 * written without it. The expressions may be narrower than the standards (a year of four digits from 1000, no leap
 * seconds), never wider; the checks follow the standards: RFC 3339 dates and times, RFC 4122 UUIDs, RFC 5321 mail
 * addresses without quoted parts, RFC 1123 host names, RFC 3986 URIs, RFC 2673 and 4291 addresses, ISO 8601
 * durations.
 *
 * No state. Next: gram_valid.c. */
#include "gram_schema.h"

#include <arpa/inet.h>

#define YEAR "[1-9][0-9]{3}"
#define LEAP "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
#define DATE                                                                                                         \
    "(" YEAR                                                                                                         \
    "-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"       \
    "|" LEAP "-02-29)"
#define CLOCK "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?"
#define ZONE "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
#define HOST LABEL "(\\." LABEL "){0,4}"
#define BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define HEX "[0-9a-fA-F]"
#define PCHAR "([A-Za-z0-9._~!$&'()*+,;=:@-]|%" HEX "{2})"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alpha(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/* Two or more digits as a number; moves on; -1 when they are not there. */
static int digits(const char **p, const char *end, int n)
{
    int v = 0;
    if (end - *p < n) return -1;
    for (int i = 0; i < n; i++, (*p)++) {
        if (!is_digit(**p)) return -1;
        v = v * 10 + (**p - '0');
    }
    return v;
}

static bool literal(const char **p, const char *end, char c)
{
    if (*p >= end || **p != c) return false;
    (*p)++;
    return true;
}

static bool date_part(const char **p, const char *end)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = digits(p, end, 4);
    if (y < 0 || !literal(p, end, '-')) return false;
    int m = digits(p, end, 2);
    if (m < 1 || m > 12 || !literal(p, end, '-')) return false;
    int d = digits(p, end, 2), leap = m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    return d >= 1 && d <= days[m - 1] + leap;
}

static bool time_part(const char **p, const char *end)
{
    int h = digits(p, end, 2);
    if (h < 0 || h > 23 || !literal(p, end, ':')) return false;
    int m = digits(p, end, 2);
    if (m < 0 || m > 59 || !literal(p, end, ':')) return false;
    int s = digits(p, end, 2);
    if (s < 0 || s > 60) return false;
    if (literal(p, end, '.')) {
        if (digits(p, end, 1) < 0) return false;
        while (*p < end && is_digit(**p)) (*p)++;
    }
    if (literal(p, end, 'Z') || literal(p, end, 'z')) return true;
    if (!literal(p, end, '+') && !literal(p, end, '-')) return false;
    h = digits(p, end, 2);
    if (h < 0 || h > 23 || !literal(p, end, ':')) return false;
    m = digits(p, end, 2);
    return m >= 0 && m <= 59;
}

static bool is_date(const char *p, const char *end) { return date_part(&p, end) && p == end; }
static bool is_time(const char *p, const char *end) { return time_part(&p, end) && p == end; }
static bool is_date_time(const char *p, const char *end)
{
    return date_part(&p, end) && (literal(&p, end, 'T') || literal(&p, end, 't')) && time_part(&p, end) && p == end;
}

static bool is_uuid(const char *p, const char *end)
{
    if (end - p != 36) return false;
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? p[i] != '-' : !is_hex(p[i])) return false;
    return true;
}

static bool is_hostname(const char *p, const char *end)
{
    size_t label = 0;
    if (end == p || end - p > 253) return false;
    for (const char *q = p; q < end; q++) {
        if (*q == '.') {
            if (label == 0 || q[-1] == '-') return false;
            label = 0;
            continue;
        }
        if (!is_digit(*q) && !is_alpha(*q) && (*q != '-' || label == 0)) return false;
        if (++label > 63) return false;
    }
    return label > 0 && end[-1] != '-';
}

static bool is_email(const char *p, const char *end)
{
    const char *at = memrchr(p, '@', (size_t)(end - p));
    if (!at || at == p || at - p > 64 || at[-1] == '.' || *p == '.') return false;
    for (const char *q = p; q < at; q++) {
        if (*q == '.' && q[1] == '.') return false;
        if (!is_digit(*q) && !is_alpha(*q) && (!*q || !strchr(".!#$%&'*+/=?^_`{|}~-", *q))) return false;
    }
    return is_hostname(at + 1, end);
}

static bool is_address(int family, const char *p, const char *end)
{
    char text[64];
    unsigned char out[16];
    if (end - p >= (ptrdiff_t)sizeof text || memchr(p, 0, (size_t)(end - p))) return false;
    memcpy(text, p, (size_t)(end - p));
    text[end - p] = 0;
    return inet_pton(family, text, out) == 1;
}
static bool is_ipv4(const char *p, const char *end) { return is_address(AF_INET, p, end); }
static bool is_ipv6(const char *p, const char *end) { return is_address(AF_INET6, p, end); }

static bool is_uri_text(const char *p, const char *end)
{
    for (const char *q = p; q < end; q++) {
        if (*q == '%') {
            if (end - q < 3 || !is_hex(q[1]) || !is_hex(q[2])) return false;
            q += 2;
        } else if (!is_digit(*q) && !is_alpha(*q) && (!*q || !strchr("-._~:/?#[]@!$&'()*+,;=", *q))) {
            return false;
        }
    }
    const char *hash = memchr(p, '#', (size_t)(end - p));
    return !hash || !memchr(hash + 1, '#', (size_t)(end - hash - 1));
}

static bool is_uri(const char *p, const char *end)
{
    const char *q = p;
    if (q >= end || !is_alpha(*q)) return false;
    while (q < end && (is_alpha(*q) || is_digit(*q) || (*q && strchr("+-.", *q)))) q++;
    return q < end && *q == ':' && is_uri_text(q + 1, end);
}

/* P nY nM nD T nH nM nS, each at most once, at least one, or nW. */
static bool is_duration(const char *p, const char *end)
{
    const char *order = "YMD";
    bool any = false, time = false;
    if (!literal(&p, end, 'P')) return false;
    while (p < end) {
        if (!time && literal(&p, end, 'T')) {
            time = true;
            any = false;
            order = "HMS";
            continue;
        }
        if (digits(&p, end, 1) < 0) return false;
        while (p < end && is_digit(*p)) p++;
        if (p < end && *p == 'W' && !any && !time) return p + 1 == end;
        const char *k = p < end && *p ? strchr(order, *p) : NULL;
        if (!k) return false;
        order = k + 1;
        any = true;
        p++;
    }
    return any;
}

static const struct format {
    const char *name, *re;
    bool (*valid)(const char *p, const char *end);
} formats[] = {
    {"date", DATE, is_date},
    {"time", CLOCK ZONE, is_time},
    {"date-time", DATE "T" CLOCK ZONE, is_date_time},
    {"duration",
     "P(([0-9]{1,4}Y)?([0-9]{1,4}M)?[0-9]{1,4}D|([0-9]{1,4}Y)?[0-9]{1,4}M|[0-9]{1,4}Y|[0-9]{1,4}W"
     "|([0-9]{1,4}D)?T(([0-9]{1,4}H)?([0-9]{1,4}M)?[0-9]{1,4}S|([0-9]{1,4}H)?[0-9]{1,4}M|[0-9]{1,4}H))",
     is_duration},
    {"uuid", HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}", is_uuid},
    {"email", "[A-Za-z0-9_+-]{1,30}(\\.[A-Za-z0-9_+-]{1,30}){0,1}@" LABEL "(\\." LABEL "){1,3}", is_email},
    {"hostname", HOST, is_hostname},
    {"ipv4", BYTE "(\\." BYTE "){3}", is_ipv4},
    {"ipv6",
     "(" HEX "{1,4}:){7}" HEX "{1,4}|(" HEX "{1,4}(:" HEX "{1,4}){0,2})?::(" HEX "{1,4}(:" HEX "{1,4}){0,2})?",
     is_ipv6},
    {"uri",
     "[a-z][a-z0-9+.-]{0,9}://" HOST "(:[0-9]{1,4})?(/" PCHAR "*)*(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?",
     is_uri},
    {"uri-reference", "(https?://" HOST ")?(/" PCHAR "*)+(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?", is_uri_text},
    /* About numbers, or about how a reader treats the text: nothing is asked of a string. */
    {"int32", "", NULL},
    {"int64", "", NULL},
    {"float", "", NULL},
    {"double", "", NULL},
    {"password", "", NULL},
};

static const struct format *find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (!strcmp(formats[i].name, name)) return &formats[i];
    return NULL;
}

bool gram_format_known(const char *name) { return find(name) != NULL; }

const char *gram_format_regex(const char *name)
{
    const struct format *f = find(name);
    return f ? f->re : NULL;
}

bool gram_format_valid(const char *name, const char *text, size_t n)
{
    const struct format *f = find(name);
    return !f || !f->valid || f->valid(text, text + n);
}
