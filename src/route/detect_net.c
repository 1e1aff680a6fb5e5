/* E-mail and IP addresses.
 *
 * E-mail: local part of at most 64 bytes, '@', a domain with at least one point whose last label has two letters or
 * more (RFC 5321 sections 4.1.2 and 4.5.3.1, RFC 6531 for letters beyond ASCII). Of the characters that RFC 5322
 * allows in a local part, "=/?`{|}'*" and '&' are left out: in text they are separators more often than parts of an
 * address.
 *
 * IPv4: four decimal numbers up to 255 (RFC 6943 section 3.1.1: no leading zeros), and not a version ("v1.2.3.4").
 * IPv6: RFC 4291 section 2.2, with "::" once, an IPv4 tail and a zone. Without a digit ("add::face") it is a word.
 * Pure; any thread. */
#include "detect.h"

#include <string.h>

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, LABEL_MAX = 63 };

/* Letters of two bytes (Latin, Greek, Cyrillic, …) may be part of an address; scripts written without spaces are
 * rather the text around it. */
static bool is_letter2(const struct route_scan *s, size_t i)
{
    unsigned char c = (unsigned char)route_at(s, i), p = (unsigned char)route_before(s, i);
    return (c >= 0xC3 && c <= 0xDF) || ((c & 0xC0) == 0x80 && p >= 0xC3 && p <= 0xDF);
}

static bool is_local(const struct route_scan *s, size_t i)
{
    char c = s->s[i];
    return c && (route_is_alnum(c) || strchr(".!#$%+^_~-", c) || is_letter2(s, i));
}

static size_t local_start(const struct route_scan *s, size_t at)
{
    size_t i = at;
    if (i >= 2 && s->s[i - 1] == '"') { /* "any thing"@ */
        size_t q = i - 1;
        while (q > 0 && i - q < LOCAL_MAX && s->s[q - 1] != '"' && s->s[q - 1] != '\n') q--;
        return q > 0 && s->s[q - 1] == '"' && q < i - 1 ? q - 1 : at;
    }
    while (i > 0 && at - i < LOCAL_MAX && is_local(s, i - 1)) i--;
    while (i < at && strchr(".!#$^~-", s->s[i])) i++; /* what text puts before an address */
    return i;
}

/* The end of a label, or `i` itself. */
static size_t label_end(const struct route_scan *s, size_t i)
{
    size_t j = i;
    bool wide = (unsigned char)route_at(s, i) >= 0xE0; /* an internationalised name in CJK: all of it */
    for (; j < s->n && j - i < LABEL_MAX; j++) {
        char c = s->s[j];
        if (!route_is_alnum(c) && c != '-' && c != '_' && !is_letter2(s, j) && !(wide && (c & 0x80))) break;
    }
    while (j > i && s->s[j - 1] == '-') j--;
    return j;
}

static bool is_top(const struct route_scan *s, size_t i, size_t end)
{
    if (end - i >= 4 && route_lower(s->s[i]) == 'x' && route_lower(s->s[i + 1]) == 'n' && s->s[i + 2] == '-')
        return true;
    for (size_t k = i; k < end; k++)
        if (!route_is_alpha(s->s[k]) && !(s->s[k] & 0x80)) return false;
    return end - i >= 2;
}

size_t route_match_email(const struct route_scan *s, size_t at_sign, size_t *start)
{
    size_t from = local_start(s, at_sign), i = at_sign + 1, end = 0;
    if (from == at_sign) return 0;
    for (int labels = 0; i - at_sign <= DOMAIN_MAX; labels++) {
        size_t j = label_end(s, i);
        if (j == i) break;
        if (labels > 0 && is_top(s, i, j)) end = j;
        if (route_at(s, j) != '.') break;
        i = j + 1;
    }
    *start = from;
    return end;
}

/* Four numbers with points; the end, or 0. */
static size_t ipv4_end(const struct route_scan *s, size_t at)
{
    size_t i = at;
    for (int k = 0; k < 4; k++) {
        int v = 0, n = 0;
        for (; route_is_digit(route_at(s, i)) && n < 4; n++) v = v * 10 + (s->s[i++] - '0');
        if (n == 0 || n > 3 || v > 255 || (n > 1 && s->s[i - (size_t)n] == '0')) return 0;
        if (k < 3 && route_at(s, i++) != '.') return 0;
    }
    if (route_is_alnum(route_at(s, i)) || (route_at(s, i) == '.' && route_is_digit(route_at(s, i + 1)))) return 0;
    return i;
}

static int hex_of(char c)
{
    if (route_is_digit(c)) return c - '0';
    c = route_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t ipv6_end(const struct route_scan *s, size_t at)
{
    size_t i = at, end = 0;
    int groups = 0;
    bool gap = false, digit = false;
    if (route_at(s, i) == ':') {
        if (route_at(s, i + 1) != ':') return 0;
        gap = true;
        end = i += 2;
    }
    while (groups < 8) {
        size_t j = i, four;
        while (j - i < 5 && hex_of(route_at(s, j)) >= 0) digit |= route_is_digit(s->s[j++]);
        if (j == i) break;
        if (route_at(s, j) == '.' && groups <= 6 && (four = ipv4_end(s, i)) != 0) {
            groups += 2;
            end = four;
            break;
        }
        if (j - i > 4) return 0;
        groups++;
        end = i = j;
        if (route_at(s, i) != ':') break;
        if (route_at(s, i + 1) == ':') {
            if (gap) return 0;
            gap = true;
            end = i += 2;
        } else if (hex_of(route_at(s, i + 1)) >= 0) {
            i++;
        } else {
            break;
        }
    }
    if (groups < 1 || !digit || (gap ? groups > 7 : groups != 8)) return 0;
    if (route_is_alnum(route_at(s, end)) || (route_at(s, end) == ':' && route_is_alnum(route_at(s, end + 1))))
        return 0;
    if (route_at(s, end) == '%') /* fe80::1%eth0 */
        for (size_t k = end + 1; k - end < 16 && route_is_alnum(route_at(s, k));) end = ++k;
    return end;
}

size_t route_match_ip(const struct route_scan *s, size_t at)
{
    char p = route_before(s, at);
    if (p == '.' && at >= 2 && route_is_alnum(s->s[at - 2])) return 0; /* the tail of a longer number or name */
    if (p == ':' && at >= 2 && hex_of(s->s[at - 2]) >= 0) {
        /* "host:1.2.3.4" is looked at, the tail of 1:2:3… is not */
        size_t end = ipv4_end(s, at);
        return end && !route_near(s, at, 12, "version|ver|release") ? end : 0;
    }
    size_t end = ipv4_end(s, at);
    if (end) return route_near(s, at, 12, "version|ver|release|section|chapter") ? 0 : end;
    return ipv6_end(s, at);
}
