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
/* No two hyphens in a row: a label with them in third place is an A-label of RFC 5891 or nothing. */
#define LABEL "[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20})?"
#define HOST LABEL "(\\." LABEL "){0,4}"
#define EMAIL "[A-Za-z0-9_+-]{1,30}(\\.[A-Za-z0-9_+-]{1,30}){0,1}@" LABEL "(\\." LABEL "){1,3}"
#define BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define HEX "[0-9a-fA-F]"
#define PCHAR "([A-Za-z0-9._~!$&'()*+,;=:@-]|%" HEX "{2})"
#define TAIL "(\\?(" PCHAR "|[/?])*)?(#(" PCHAR "|[/?])*)?"
#define N "[0-9]{1,4}"
#define DAYS "(((" N "Y)?" N "M)?" N "D|(" N "Y)?" N "M|" N "Y)"
#define HOURS "T(((" N "H)?" N "M)?" N "S|(" N "H)?" N "M|" N "H)"
#define POINTER "(/([^~/]|~[01])*)*"
/* A sequence of characters, classes and escapes with counts: expressions need not be clever. */
#define ATOM "([A-Za-z0-9 _,:;@#%&=<>~\"'/!-]|\\\\[dDwWsS.*+?^$()|/-]|\\[[A-Za-z0-9_]+\\]|\\.)"

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

/* A leap second is the last one of a day in UTC. */
static bool time_part(const char **p, const char *end)
{
    int h = digits(p, end, 2);
    if (h < 0 || h > 23 || !literal(p, end, ':')) return false;
    int m = digits(p, end, 2);
    if (m < 0 || m > 59 || !literal(p, end, ':')) return false;
    int s = digits(p, end, 2), minute = 60 * h + m, sign;
    if (s < 0 || s > 60) return false;
    if (literal(p, end, '.')) {
        if (digits(p, end, 1) < 0) return false;
        while (*p < end && is_digit(**p)) (*p)++;
    }
    if (literal(p, end, 'Z') || literal(p, end, 'z')) return s < 60 || minute == 1439;
    if (literal(p, end, '+'))
        sign = 1;
    else if (literal(p, end, '-'))
        sign = -1;
    else
        return false;
    h = digits(p, end, 2);
    if (h < 0 || h > 23 || !literal(p, end, ':')) return false;
    m = digits(p, end, 2);
    return m >= 0 && m <= 59 && (s < 60 || (minute - sign * (60 * h + m) + 2880) % 1440 == 1439);
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

/* Characters of a part of a URI: unreserved, %XX, and those of `more`. IRIs have other characters beyond ASCII. */
static bool is_part(const char *p, const char *end, const char *more, bool iri)
{
    for (; p < end; p++) {
        if (*p == '%') {
            if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2])) return false;
            p += 2;
        } else if (!is_digit(*p) && !is_alpha(*p) && !(iri && (unsigned char)*p >= 0x80) &&
                   (!*p || (!strchr("-._~!$&'()*+,;=", *p) && !strchr(more, *p)))) {
            return false;
        }
    }
    return true;
}

static const char *find_any(const char *p, const char *end, const char *of)
{
    while (p < end && !(*p && strchr(of, *p))) p++;
    return p;
}

/* [userinfo@]host[:port] */
static bool is_authority(const char *p, const char *end, bool iri)
{
    const char *at = memchr(p, '@', (size_t)(end - p)), *port;
    if (at && !is_part(p, at, ":", iri)) return false;
    if (at) p = at + 1;
    if (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close || !is_ipv6(p + 1, close)) return false;
        port = close + 1;
    } else {
        port = find_any(p, end, ":");
        if (!is_part(p, port, "", iri)) return false;
    }
    if (port < end && *port++ != ':') return false;
    while (port < end && is_digit(*port)) port++;
    return port == end;
}

/* [//authority]path[?query][#fragment] */
static bool is_hier(const char *p, const char *end, bool iri)
{
    const char *hash = find_any(p, end, "#"), *query = find_any(p, hash, "?");
    if (query - p >= 2 && p[0] == '/' && p[1] == '/') {
        const char *path = find_any(p + 2, query, "/");
        if (!is_authority(p + 2, path, iri)) return false;
        p = path;
    }
    return is_part(p, query, ":@/", iri) && is_part(query, hash, ":@/?", iri) &&
           (hash == end || is_part(hash + 1, end, ":@/?", iri));
}

/* Behind "scheme:", or NULL. */
static const char *behind_scheme(const char *p, const char *end)
{
    const char *q = p;
    if (q >= end || !is_alpha(*q)) return NULL;
    while (q < end && (is_alpha(*q) || is_digit(*q) || (*q && strchr("+-.", *q)))) q++;
    return q < end && *q == ':' ? q + 1 : NULL;
}

static bool is_absolute(const char *p, const char *end, bool iri)
{
    const char *q = behind_scheme(p, end);
    return q && is_hier(q, end, iri);
}

static bool is_reference(const char *p, const char *end, bool iri)
{
    if (behind_scheme(p, end)) return is_absolute(p, end, iri);
    const char *first = find_any(p, end, "/?#");
    return !memchr(p, ':', (size_t)(first - p)) && is_hier(p, end, iri);
}
static bool is_uri(const char *p, const char *end) { return is_absolute(p, end, false); }
static bool is_iri(const char *p, const char *end) { return is_absolute(p, end, true); }
static bool is_uri_reference(const char *p, const char *end) { return is_reference(p, end, false); }
static bool is_iri_reference(const char *p, const char *end) { return is_reference(p, end, true); }

/* (/ character*)*, where ~ is written ~0 and / is ~1. */
static bool is_pointer(const char *p, const char *end)
{
    if (p < end && *p != '/') return false;
    for (; p < end; p++)
        if (*p == '~' && (p + 1 == end || (p[1] != '0' && p[1] != '1'))) return false;
    return true;
}

static bool is_relative_pointer(const char *p, const char *end)
{
    const char *q = p;
    while (q < end && is_digit(*q)) q++;
    if (q == p || (*p == '0' && q > p + 1)) return false;
    return (q + 1 == end && *q == '#') || is_pointer(q, end);
}

/* Braces that pair, with a name between them. */
static bool is_uri_template(const char *p, const char *end)
{
    for (; p < end; p++) {
        const char *close = *p == '{' ? memchr(p, '}', (size_t)(end - p)) : NULL;
        if (*p == '}' || (unsigned char)*p <= ' ' || strchr("\"<>\\^`|", *p)) return false;
        if (*p != '{') continue;
        if (!close || close == p + 1 || memchr(p + 1, '{', (size_t)(close - p - 1))) return false;
        p = close;
    }
    return true;
}

/* What is refused for another reason than its form is an expression still. */
static bool is_regex(const char *p, const char *end)
{
    struct arena a;
    struct gram_re *re;
    struct err why = {0};
    arena_init(&a, 4u << 20);
    bool ok = gram_re_parse(&a, p, (size_t)(end - p), &re, &why) != CROFT_E_FORMAT;
    arena_done(&a);
    return ok;
}

/* RFC 3339, appendix A: P nY nM nD T nH nM nS, units next to each other, at least one; or P nW. */
static bool is_duration(const char *p, const char *end)
{
    const char *units = "YMD", *next = units;
    bool any = false, time = false;
    if (!literal(&p, end, 'P')) return false;
    while (p < end) {
        if (!time && literal(&p, end, 'T')) {
            time = true;
            any = false;
            next = units = "HMS";
            continue;
        }
        if (digits(&p, end, 1) < 0) return false;
        while (p < end && is_digit(*p)) p++;
        if (p < end && *p == 'W' && !any && !time) return p + 1 == end;
        const char *k = p < end && *p ? strchr(next, *p) : NULL;
        if (!k || (any && k != next)) return false;
        next = k + 1;
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
    {"duration", "P(" DAYS "(" HOURS ")?|" HOURS "|" N "W)", is_duration},
    {"uuid", HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}", is_uuid},
    {"email", EMAIL, is_email},
    {"hostname", HOST, is_hostname},
    {"ipv4", BYTE "(\\." BYTE "){3}", is_ipv4},
    {"ipv6",
     "(" HEX "{1,4}:){7}" HEX "{1,4}|(" HEX "{1,4}(:" HEX "{1,4}){0,2})?::(" HEX "{1,4}(:" HEX "{1,4}){0,2})?",
     is_ipv6},
    {"uri", "[a-z][a-z0-9+.-]{0,9}://" HOST "(:[0-9]{1,4})?(/" PCHAR "*)*" TAIL, is_uri},
    {"uri-reference", "((https?://" HOST ")(/" PCHAR "*)*|/(" PCHAR "+(/" PCHAR "*)*)?)" TAIL, is_uri_reference},
    {"json-pointer", POINTER, is_pointer},
    {"relative-json-pointer", "(0|[1-9][0-9]{0,3})(#|" POINTER ")", is_relative_pointer},
    {"uri-template", "(/([A-Za-z0-9._-]|\\{[a-z][a-z0-9_]{0,30}\\})+)+", is_uri_template},
    {"regex", "\\^?(" ATOM "([*+?]|\\{[1-9]\\})?)*\\$?", is_regex},
    /* The ASCII among the international ones. */
    {"iri", "[a-z][a-z0-9+.-]{0,9}://" HOST "(:[0-9]{1,4})?(/" PCHAR "*)*" TAIL, is_iri},
    {"iri-reference", "((https?://" HOST ")(/" PCHAR "*)*|/(" PCHAR "+(/" PCHAR "*)*)?)" TAIL, is_iri_reference},
    {"idn-email", EMAIL, is_email},
    {"idn-hostname", HOST, is_hostname},
    /* A common name for it. */
    {"url", "[a-z][a-z0-9+.-]{0,9}://" HOST "(:[0-9]{1,4})?(/" PCHAR "*)*" TAIL, is_uri},
    /* About how a reader treats the text: nothing is asked of a string. */
    {"float", "", NULL},
    {"double", "", NULL},
    {"password", "", NULL},
};

static const struct {
    const char *name;
    int64_t lo, hi;
} ranges[] = {
    {"int8", INT8_MIN, INT8_MAX},    {"int16", INT16_MIN, INT16_MAX}, {"int32", INT32_MIN, INT32_MAX},
    {"int64", INT64_MIN, INT64_MAX}, {"uint8", 0, UINT8_MAX},         {"uint16", 0, UINT16_MAX},
    {"uint32", 0, UINT32_MAX},       {"uint64", 0, INT64_MAX},        {"int", INT64_MIN, INT64_MAX},
    {"uint", 0, INT64_MAX},
};

static const struct format *find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (!strcmp(formats[i].name, name)) return &formats[i];
    return NULL;
}

bool gram_format_range(const char *name, int64_t *lo, int64_t *hi)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!strcmp(ranges[i].name, name)) {
            *lo = ranges[i].lo;
            *hi = ranges[i].hi;
            return true;
        }
    return false;
}

const char *gram_format_meant(const char *name)
{
    int64_t lo, hi;
    if (find(name) || gram_format_range(name, &lo, &hi)) return NULL;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (gram_word_near(name, formats[i].name)) return formats[i].name;
    return NULL;
}

const char *gram_format_regex(const char *name)
{
    const struct format *f = find(name);
    return f ? f->re : "";
}

bool gram_format_valid(const char *name, const char *text, size_t n)
{
    const struct format *f = find(name);
    return !f || !f->valid || f->valid(text, text + n);
}
