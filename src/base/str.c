/* Strings, numbers and UTF-8 (base_str.h). UTF-8 validity is RFC 3629's. */
#include "base_str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *z) { return (struct str){z, strlen(z)}; }
bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
bool str_eqz(struct str a, const char *z) { return str_eq(a, str_of(z)); }
bool str_starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static bool starts_number(const char *s)
{
    if (*s == '-' || *s == '+') s++;
    return (*s >= '0' && *s <= '9') || *s == '.';
}

bool str_to_i64(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (!starts_number(s) || errno || *end) return false;
    *out = v;
    return true;
}

bool str_to_u64(const char *s, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || errno || *end) return false;
    *out = v;
    return true;
}

bool str_to_f64(const char *s, double *out)
{
    char *end;
    double v = strtod(s, &end);
    bool decimal = s[strspn(s, "+-.0123456789eE")] == 0; /* strtod knows 0x10, too */
    if (!decimal || !starts_number(s) || *end || !isfinite(v)) return false;
    *out = v;
    return true;
}

bool str_to_bytes(const char *s, uint64_t *out)
{
    char *end;
    double v = strtod(s, &end);
    if (*s < '0' || *s > '9' || s[1] == 'x' || s[1] == 'X' || !isfinite(v)) return false;
    double unit = 1;
    switch (*end) {
    case 'k': case 'K': unit = 1024.0; end++; break;
    case 'm': case 'M': unit = 1024.0 * 1024; end++; break;
    case 'g': case 'G': unit = 1024.0 * 1024 * 1024; end++; break;
    case 't': case 'T': unit = 1024.0 * 1024 * 1024 * 1024; end++; break;
    }
    if (unit > 1 && end[0] == 'i' && end[1] == 'B') end += 2;
    else if (end[0] == 'B') end++;
    if (*end || v * unit >= 9.2e18) return false;
    *out = (uint64_t)(v * unit);
    return true;
}

size_t str_distance(const char *a, const char *b)
{
    /* Dynamic programming over prefixes: d[i][j] edits turn a[0..i) into b[0..j); three rows are enough. */
    enum { MAX = 63 };
    size_t row[3][MAX + 1], n = strnlen(a, MAX), m = strnlen(b, MAX);
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *d = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        d[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best) best = up[j] + 1;
            if (d[j - 1] + 1 < best) best = d[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            d[j] = best;
        }
    }
    return row[n % 3][m];
}

uint64_t str_hash(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

/* Sequence length a lead byte announces, and the allowed range of its second byte. 0: not a lead byte. */
static int lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xBF;
    if (c < 0x80) return 1;
    if (c >= 0xC2 && c <= 0xDF) return 2;
    if (c >= 0xE0 && c <= 0xEF) {
        if (c == 0xE0) *lo = 0xA0; /* overlong */
        if (c == 0xED) *hi = 0x9F; /* surrogates */
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (c == 0xF0) *lo = 0x90;
        if (c == 0xF4) *hi = 0x8F; /* > 0x10FFFF */
        return 4;
    }
    return 0;
}

size_t utf8_decode(const char *p, const char *end, uint32_t *cp)
{
    const unsigned char *s = (const unsigned char *)p;
    unsigned char lo, hi;
    int n = lead(s[0], &lo, &hi);
    if (n == 1) {
        *cp = s[0];
        return 1;
    }
    *cp = UINT32_MAX;
    if (n == 0 || end - p < n || s[1] < lo || s[1] > hi) return 1;
    uint32_t v = s[0] & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 1;
        v = v << 6 | (s[i] & 0x3F);
    }
    *cp = v;
    return (size_t)n;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) cp = 0xFFFD;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> n) | cp);
    return n;
}

bool utf8_valid(const char *p, size_t n)
{
    for (const char *end = p + n; p < end;) {
        uint32_t cp;
        p += utf8_decode(p, end, &cp);
        if (cp == UINT32_MAX) return false;
    }
    return true;
}

size_t utf8_complete(const char *p, size_t n)
{
    /* A sequence is at most 4 bytes: look for an unfinished one that starts in the last 3. */
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        const unsigned char *s = (const unsigned char *)p + n - back;
        unsigned char lo, hi;
        int len = lead(s[0], &lo, &hi);
        if (len == 0) {
            if ((s[0] & 0xC0) == 0x80) continue;
            return n;
        }
        if (len <= (int)back) return n;
        if (back >= 2 && (s[1] < lo || s[1] > hi)) return n; /* can never become valid */
        return n - back;
    }
    return n;
}
