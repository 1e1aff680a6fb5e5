/* The text as the pattern detectors see it: what looks the same to people becomes the same ASCII, so that "４１１１"
 * or a number with invisible characters in it is still a number. Letters of any script stay as they are.
 *
 *     digits of all scripts (Unicode category Nd)          → 0–9
 *     full-width forms U+FF01–FF5E, mathematical letters    → their ASCII
 *     spaces of other widths, no-break spaces               → ' '
 *     hyphens and dashes U+2010–2015, minus U+2212          → '-'
 *     soft hyphen, zero-width and direction characters, variation selectors, tags   → nothing
 *
 * A map keeps where each byte stood, so findings point into the original. Most texts need none of this, which one
 * pass finds out, and are then used as they are. Bytes that are not UTF-8 stay. Pure; any thread. */
#include "detect.h"

#include "base_mem.h"
#include "base_str.h"

#include <string.h>
#include <utf8proc.h>

enum { SAME = -1, GONE = -2 };

/* What one character beyond ASCII becomes. */
static int folded(uint32_t cp)
{
    if (cp < 0xA0 || (cp > 0xAD && cp < 0x34F)) return SAME; /* most of Latin, quickly */
    if (cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x202F || cp == 0x205F || cp == 0x3000)
        return ' ';
    if (cp == 0xAD || cp == 0x34F || cp == 0x180E || cp == 0xFEFF || (cp >= 0x200B && cp <= 0x200F) ||
        (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2060 && cp <= 0x206F) || (cp >= 0xFE00 && cp <= 0xFE0F) ||
        (cp >= 0xE0000 && cp <= 0xE0FFF))
        return GONE;
    if ((cp >= 0x2010 && cp <= 0x2015) || cp == 0x2212) return '-';
    if ((cp >= 0xFF01 && cp <= 0xFF5E)) return (int)(cp - 0xFF01 + '!');
    if (cp >= 0x1D400 && cp <= 0x1D7FF) { /* mathematical alphanumerics */
        utf8proc_int32_t to[8];
        int class = 0;
        utf8proc_ssize_t n =
            utf8proc_decompose_char((utf8proc_int32_t)cp, to, 8, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &class);
        return n == 1 && to[0] < 0x80 ? (int)to[0] : SAME;
    }
    if (utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ND) { /* runs of ten, zero first */
        int v = 0;
        while (v < 9 && utf8proc_category((utf8proc_int32_t)(cp - (uint32_t)v - 1)) == UTF8PROC_CATEGORY_ND) v++;
        return '0' + v;
    }
    return SAME;
}

/* The first byte at or after i that is not ASCII. */
static size_t skip_ascii(const char *s, size_t i, size_t n)
{
    uint64_t w;
    for (; i + 8 <= n; i += 8) {
        memcpy(&w, s + i, 8);
        if (w & 0x8080808080808080u) break;
    }
    while (i < n && !(s[i] & 0x80)) i++;
    return i;
}

/* The first character at or after i that changes; n when none does. */
static size_t next_change(const char *s, size_t i, size_t n)
{
    while ((i = skip_ascii(s, i, n)) < n) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, s + n, &cp);
        if (cp != UINT32_MAX && folded(cp) != SAME) break;
        i += len;
    }
    return i;
}

int route_scan_fold(struct route_scan *s, const char *text, size_t n, char **buf, uint32_t **map, struct err *e)
{
    size_t change = next_change(text, 0, n), k = 0;
    s->s = s->text = text;
    s->n = s->n_text = n;
    if (change == n) return 0;
    *buf = mem_alloc(n);
    *map = mem_alloc((n + 1) * sizeof **map);
    if (!*buf || !*map) return err_nomem(e, n * 5);
    for (size_t i = 0; i < n;) {
        for (; i < change; i++) {
            (*map)[k] = (uint32_t)i;
            (*buf)[k++] = text[i];
        }
        if (i == n) break;
        uint32_t cp;
        size_t len = utf8_decode(text + i, text + n, &cp);
        int to = folded(cp);
        if (to != GONE) {
            (*map)[k] = (uint32_t)i;
            (*buf)[k++] = (char)to;
        }
        i += len;
        change = next_change(text, i, n);
    }
    (*map)[k] = (uint32_t)n;
    s->s = *buf;
    s->n = k;
    s->map = *map;
    return 0;
}
