/* The pass over a text that calls the pattern detectors, fast where nothing is to be found.
 *
 * A text is a row of words between white space. While a word is passed over, the classes of its bytes are gathered; a
 * word of less than 16 bytes with no digit and none of "@:=" can neither hold nor begin anything that is looked for,
 * and that is most words. In the others, each place where letters or digits begin is offered to the detectors in
 * order of certainty; the first that takes it wins, and the pass goes on behind its end. Detectors may look past the
 * word's end (numbers have spaces) and a bounded way before its start (e-mail, key names).
 *
 * Time: each place costs at most the bounded windows of all detectors (detect.h); what is longer than a window (a
 * JWT, a PEM block) is either taken, and then passed, or remembered as none. So linear, also in hostile text. */
#include "detect.h"

#include "base_str.h"

#include <string.h>

enum { SPACE = 1, DIGIT = 2, ALPHA = 4, SIGN = 8, PLUS = 16, DASH = 32 };
enum { LONG_WORD = 16, PEM_WORD = 10 /* -----BEGIN */ };

static const unsigned char class_of[256] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, [' '] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['0'] = DIGIT,
    ['1'] = DIGIT,  ['2'] = DIGIT,  ['3'] = DIGIT,  ['4'] = DIGIT, ['5'] = DIGIT,  ['6'] = DIGIT,  ['7'] = DIGIT,
    ['8'] = DIGIT,  ['9'] = DIGIT,  ['@'] = SIGN,   [':'] = SIGN,  ['='] = SIGN,   ['+'] = PLUS,   ['('] = PLUS,
    ['-'] = DASH,   ['A'] = ALPHA,  ['B'] = ALPHA,  ['C'] = ALPHA, ['D'] = ALPHA,  ['E'] = ALPHA,  ['F'] = ALPHA,
    ['G'] = ALPHA,  ['H'] = ALPHA,  ['I'] = ALPHA,  ['J'] = ALPHA, ['K'] = ALPHA,  ['L'] = ALPHA,  ['M'] = ALPHA,
    ['N'] = ALPHA,  ['O'] = ALPHA,  ['P'] = ALPHA,  ['Q'] = ALPHA, ['R'] = ALPHA,  ['S'] = ALPHA,  ['T'] = ALPHA,
    ['U'] = ALPHA,  ['V'] = ALPHA,  ['W'] = ALPHA,  ['X'] = ALPHA, ['Y'] = ALPHA,  ['Z'] = ALPHA,  ['a'] = ALPHA,
    ['b'] = ALPHA,  ['c'] = ALPHA,  ['d'] = ALPHA,  ['e'] = ALPHA, ['f'] = ALPHA,  ['g'] = ALPHA,  ['h'] = ALPHA,
    ['i'] = ALPHA,  ['j'] = ALPHA,  ['k'] = ALPHA,  ['l'] = ALPHA, ['m'] = ALPHA,  ['n'] = ALPHA,  ['o'] = ALPHA,
    ['p'] = ALPHA,  ['q'] = ALPHA,  ['r'] = ALPHA,  ['s'] = ALPHA, ['t'] = ALPHA,  ['u'] = ALPHA,  ['v'] = ALPHA,
    ['w'] = ALPHA,  ['x'] = ALPHA,  ['y'] = ALPHA,  ['z'] = ALPHA,
};

static bool wants(const struct route_scan *s, enum route_pii k) { return s->kinds & ROUTE_PII_BIT(k); }

/* [at, end) of the folded text as a finding in the original. Invisible characters behind its last byte stay outside.
 */
static int add(const struct route_scan *s, size_t at, size_t end, enum route_pii kind, struct err *e)
{
    if (s->map) {
        uint32_t cp;
        size_t last = s->map[end - 1];
        at = s->map[at];
        end = last + utf8_decode(s->text + last, s->text + s->n_text, &cp);
    }
    return route_spans_add(s->out, (struct route_span){.at = at, .n = end - at, .kind = kind}, e);
}

/* A national number whose first one or two letters stand apart, as in "AB 12 34 56 C". */
static size_t match_behind_letters(const struct route_scan *s, size_t i, size_t *start)
{
    size_t from = i;
    if (!wants(s, ROUTE_PII_NATIONAL_ID) || i < 2 || (s->s[i - 1] != ' ' && s->s[i - 1] != '-')) return 0;
    for (from--; from > 0 && i - from < 4 && route_is_alpha(s->s[from - 1]);) from--;
    if (from == i - 1 || route_is_alnum(route_before(s, from))) return 0;
    *start = from;
    return route_match_national_id(s, from);
}

/* What a place where a number or a word begins turns out to be: its end, or 0. */
static size_t match_start(struct route_scan *s, size_t i, size_t *start, enum route_pii *kind)
{
    static const struct {
        enum route_pii kind;
        unsigned first; /* classes of its first byte */
        size_t (*match)(const struct route_scan *s, size_t at);
    } numbers[] = {
        {ROUTE_PII_IBAN, ALPHA, route_match_iban},
        {ROUTE_PII_NATIONAL_ID, DIGIT | ALPHA, route_match_national_id},
        {ROUTE_PII_CARD, DIGIT, route_match_card},
        {ROUTE_PII_IP, DIGIT | ALPHA, route_match_ip},
        {ROUTE_PII_PHONE, DIGIT | PLUS, route_match_phone},
    };
    unsigned class = class_of[(unsigned char)s->s[i]];
    size_t end;
    *kind = ROUTE_PII_SECRET;
    if (class == ALPHA && wants(s, *kind) && (end = route_match_token(s, i)) != 0) return end;
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        *kind = numbers[k].kind;
        if ((numbers[k].first & class) && wants(s, *kind) && (end = numbers[k].match(s, i)) != 0) return end;
    }
    *kind = ROUTE_PII_NATIONAL_ID;
    return class == DIGIT ? match_behind_letters(s, i, start) : 0;
}

/* What stands around a sign: the address around an '@', the value behind ':' or '=', credentials behind "://". */
static size_t match_sign(struct route_scan *s, size_t i, size_t *start, enum route_pii *kind)
{
    size_t end = 0;
    if (s->s[i] == '@') {
        *kind = ROUTE_PII_EMAIL;
        return wants(s, *kind) ? route_match_email(s, i, start) : 0;
    }
    *kind = ROUTE_PII_SECRET;
    if (wants(s, *kind)) {
        if (s->s[i] == ':') end = route_match_userinfo(s, i, start);
        if (!end) end = route_match_assigned(s, i, start);
    }
    if (!end && s->s[i] == ':' && route_at(s, i + 1) == ':' && route_before(s, i) != ':' && wants(s, ROUTE_PII_IP)) {
        *kind = ROUTE_PII_IP;
        *start = i;
        end = route_is_alnum(route_before(s, i)) ? 0 : route_match_ip(s, i);
    }
    return end;
}

/* One word that may hold something; returns where to go on. */
static int look(struct route_scan *s, size_t from, size_t to, unsigned classes, size_t *next, struct err *e)
{
    enum route_pii kind = ROUTE_PII_SECRET;
    size_t i = from;
    if ((classes & DIGIT) && (classes & ALPHA) && wants(s, ROUTE_PII_SECRET)) {
        size_t value = from;
        while (s->s[value] == '"' || s->s[value] == '\'' || s->s[value] == '`') value++; /* letters follow */
        size_t end = route_match_said(s, value, to);
        int rc = end ? add(s, value, end, kind, e) : 0;
        if (rc) return rc;
    }
    while (i < to) {
        unsigned class = class_of[(unsigned char)s->s[i]];
        size_t start = i, end = 0;
        if (class == SIGN)
            end = match_sign(s, i, &start, &kind);
        else if (class == DASH && s->n - i >= 11 && memcmp(s->s + i, "-----BEGIN ", 11) == 0 &&
                 wants(s, ROUTE_PII_SECRET)) {
            kind = ROUTE_PII_SECRET;
            end = route_match_pem(s, i);
        } else if (class == PLUS || ((class & (DIGIT | ALPHA)) && !route_is_alnum(route_before(s, i))))
            end = match_start(s, i, &start, &kind);
        int rc = end ? add(s, start, end, kind, e) : 0;
        if (rc) return rc;
        i = end > i ? end : i + 1;
        if (!end && (class & (DIGIT | ALPHA))) /* nothing begins inside a run of letters and digits */
            while (i < to && (class_of[(unsigned char)s->s[i]] & (DIGIT | ALPHA))) i++;
    }
    *next = i;
    return 0;
}

int route_scan_run(struct route_scan *s, struct err *e)
{
    for (size_t i = 0; i < s->n;) {
        size_t j = i;
        unsigned classes = 0, class = 0;
        for (; j < s->n && !((class = class_of[(unsigned char)s->s[j]]) & SPACE); j++) classes |= class;
        if ((classes & (DIGIT | SIGN)) || j - i >= LONG_WORD || ((classes & DASH) && j - i >= PEM_WORD)) {
            int rc = look(s, i, j, classes, &j, e);
            if (rc) return rc;
        }
        i = j + (j < s->n && (class_of[(unsigned char)s->s[j]] & SPACE));
    }
    return 0;
}

/* Words that a letter or another script's character at i begins. */
static bool word_at(const struct route_scan *s, size_t i, size_t at, const char *words)
{
    char c = route_lower(s->s[i]);
    for (const char *w = words; *w; w += strcspn(w, "|"), w += *w == '|') {
        if (*w != c) continue;
        size_t k = 1;
        while (w[k] && w[k] != '|' && i + k < at && route_lower(s->s[i + k]) == w[k]) k++;
        if (w[k] && w[k] != '|') continue;
        /* A Latin word of up to four letters stands alone, a longer one may have an ending. */
        if (!route_is_alpha(c) || k > 4 || !route_is_alpha(route_at(s, i + k))) return true;
    }
    return false;
}

bool route_near(const struct route_scan *s, size_t at, size_t before, const char *words)
{
    for (size_t i = at > before ? at - before : 0; i < at; i++) {
        char c = s->s[i];
        bool begins = route_is_alpha(c) ? !route_is_alpha(route_before(s, i)) : (unsigned char)c >= 0xC0;
        if (begins && word_at(s, i, at, words)) return true;
    }
    return false;
}
