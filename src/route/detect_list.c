/* The user's lists: names, addresses and other terms, all in one automaton (ac.h), found whatever their case, accents
 * and white space.
 *
 * Both the entries and the text are folded alike, character by character: compatibility decomposition without marks
 * and with case folding (Unicode NFKD, general category M dropped, CaseFolding), white space to one space, invisible
 * characters to nothing. "JOSÉ  García" and "Jose\u0301 garcia" become "jose garcia".
 *
 * A finding begins and ends between words. Scripts that write without spaces (Han, Kana, Thai, …), and Hangul, whose
 * particles follow a name at once, have such an end anywhere.
 *
 * In the text nothing is stored: a ring remembers where the last folded bytes stood, so that a finding's start is
 * known from the entry's length. Pure; any thread. */
#include "detect.h"

#include "base_mem.h"
#include "base_str.h"
#include "plat_file.h"

#include <string.h>
#include <utf8proc.h>

enum { FOLD_MAX = 18 * 4 }; /* the longest decomposition has 18 characters */

/* Does a word go on over this character? */
static bool joins(uint32_t cp)
{
    if (cp < 0x80) return route_is_alnum((char)cp) || cp == '_';
    if ((cp >= 0x0E00 && cp <= 0x0EFF) || (cp >= 0x1000 && cp <= 0x109F) ||
        (cp >= 0x1780 && cp <= 0x17FF) || /* Thai … Khmer */
        (cp >= 0x1100 && cp <= 0x11FF) || (cp >= 0x2E80 && cp <= 0xD7FF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
        (cp >= 0xFF66 && cp <= 0xFFDC) || cp >= 0x20000) /* Hangul, Kana, Han */
        return false;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO;
}

static bool is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r') ||
           (cp > 0x80 && utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ZS);
}

/* One character folded to UTF-8; 0 bytes for what is dropped. */
static size_t fold(uint32_t cp, char out[FOLD_MAX])
{
    if (cp < 0x80) {
        out[0] = route_lower((char)cp);
        return 1;
    }
    utf8proc_int32_t to[18];
    int class = 0;
    size_t n = 0;
    const int folding =
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK | UTF8PROC_IGNORE;
    utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)cp, to, 18, folding, &class);
    for (utf8proc_ssize_t i = 0; i < k && i < 18; i++) n += utf8_encode((uint32_t)to[i], out + n);
    return n;
}

/* ---- entries ---- */

static int add_line(struct route_ac_words *w, const char *p, size_t n, enum route_pii kind, struct err *e)
{
    char word[ROUTE_AC_MAX_WORD + FOLD_MAX + 1];
    size_t k = 0;
    bool space = true; /* none in front */
    for (size_t i = 0; i < n && k <= ROUTE_AC_MAX_WORD;) {
        uint32_t cp;
        i += utf8_decode(p + i, p + n, &cp);
        if (cp == UINT32_MAX) return ERR(e, FORMAT, "The entry is not UTF-8.");
        if (is_space(cp)) {
            if (!space) word[k++] = ' ';
            space = true;
            continue;
        }
        k += fold(cp, word + k);
        space = false;
    }
    while (k && word[k - 1] == ' ') k--;
    if (k > ROUTE_AC_MAX_WORD) return ERR(e, LIMIT, "The entry has more than %d bytes.", ROUTE_AC_MAX_WORD);
    return k ? route_ac_words_add(w, word, k, kind, e) : 0;
}

int route_list_add_file(struct route_ac_words *w, const char *path, enum route_pii kind, struct err *e)
{
    struct plat_map m;
    long long line = 0;
    int rc = plat_map_open(&m, path);
    if (rc) return err_errno(e, -rc, "open the list", path);
    if (m.size > ROUTE_AC_MAX_BYTES) {
        plat_map_close(&m);
        return ERR(e, LIMIT, "The list '%.200s' has more than %d MiB: shorten it.", path, ROUTE_AC_MAX_BYTES >> 20);
    }
    const char *p = (const char *)m.data, *end = p + m.size;
    while (p < end && rc == 0) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        if (line++ == 0 && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3, n -= 3;
        struct err why = {0};
        rc = n && p[0] == '#' ? 0 : add_line(w, p, n, kind, &why);
        if (rc) rc = err_set(e, rc, path, line, "Line %lld of the list '%.200s': %s", line, path, why.msg);
        p = stop ? stop + 1 : end;
    }
    plat_map_close(&m);
    return rc;
}

/* ---- text ---- */

enum { RING = 1024 }; /* > ROUTE_AC_MAX_WORD + FOLD_MAX, a power of two */

struct walk {
    const struct route_ac *ac;
    struct route_spans *out;
    uint32_t state;
    uint32_t n_folded;      /* bytes given to the automaton so far (wraps) */
    size_t start_of[RING];  /* where the character of folded byte i stood */
    bool joined[RING];      /* … went a word on into it */
    struct route_span open; /* found, waiting to see that the word ends here; n = 0: none */
};

static int close_open(struct walk *w, struct err *e)
{
    int rc = w->open.n ? route_spans_add(w->out, w->open, e) : 0;
    w->open.n = 0;
    return rc;
}

/* All bytes of a character that stands in [at, end). `joined`: the character before and this one are of one word. */
static void feed(struct walk *w, const char *bytes, size_t n, size_t at, size_t end, bool joined)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t r = w->n_folded++ & (RING - 1);
        w->start_of[r] = at;
        w->joined[r] = i ? true : joined;
        w->state = route_ac_step(w->ac, w->state, (unsigned char)bytes[i]);
    }
    uint32_t len, mark;
    for (uint32_t hit = route_ac_hit(w->ac, w->state, true, &len, &mark); hit;
         hit = route_ac_hit(w->ac, hit, false, &len, &mark)) {
        uint32_t r = (w->n_folded - len) & (RING - 1);
        if (w->joined[r]) continue;
        w->open = (struct route_span){.at = w->start_of[r], .n = end - w->start_of[r], .kind = (enum route_pii)mark};
        return;
    }
}

int route_list_find(const struct route_ac *list, const char *text, size_t n, struct route_spans *out, struct err *e)
{
    struct walk w = {.ac = list, .out = out};
    char folded[FOLD_MAX];
    bool before = false, space = false;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        uint32_t cp;
        size_t len = utf8_decode(text + i, text + n, &cp), k;
        if (is_space(cp)) {
            rc = close_open(&w, e);
            if (!space) feed(&w, " ", 1, i, i + len, false);
            space = true;
            before = false;
            i += len;
            continue;
        }
        if (cp == UINT32_MAX) {
            folded[0] = text[i];
            k = 1;
        } else {
            k = fold(cp, folded);
        }
        if (k == 0) { /* a mark belongs to the letter before it */
            if (w.open.n && w.open.at + w.open.n == i && cp != 0xAD &&
                utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_CF)
                w.open.n += len;
            i += len;
            continue;
        }
        bool word = cp != UINT32_MAX && joins(cp);
        if (w.open.n && before && word) w.open.n = 0; /* the word goes on: no finding */
        rc = close_open(&w, e);
        feed(&w, folded, k, i, i + len, before && word);
        before = word;
        space = false;
        i += len;
    }
    if (rc == 0) rc = close_open(&w, e);
    return rc;
}
