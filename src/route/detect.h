/* What the files of the detectors share: the text as they see it, and their calls. Read first: detect.c. */
#ifndef ROUTE_DETECT_PRIVATE_H
#define ROUTE_DETECT_PRIVATE_H

#include "ac.h"
#include "route_detect.h"
#include "task_pattern.h"

struct route_detectors {
    uint32_t kinds;        /* wanted and possible */
    struct route_ac *list[ROUTE_N_PII]; /* of names, addresses, terms; NULL: none */
    struct {
        struct task_pattern *search;
        enum route_pii kind;
    } pattern[ROUTE_MAX_PATTERNS];
    int n_patterns;
    route_spotter spot;
    void *spot_arg;
};

/* A text made plain for the pattern detectors (detect_fold.c). All positions below are in `s`. */
struct route_scan {
    const char *s;
    size_t n;
    const char *text; /* the original */
    size_t n_text;
    const uint32_t *map; /* [n + 1] where byte i of `s` stood; NULL: where it stands */
    uint32_t kinds;
    struct route_spans *out;
    /* What failed once and need not be tried again from a later start: keeps hostile text linear. */
    size_t jwt_none_before;
    bool pem_no_end;
};

/* route_find for some kinds only. */
int route_find_kinds(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n, const char *hint,
                     struct route_spans *out, struct err *e) ERR_CHECK;
/* Sorts the spans from `first` on and unites those that overlap. */
void route_spans_settle(struct route_spans *s, size_t first);

/* Folds `text` into *buf (grown) and *map when there is something to fold; else s->s is `text` itself. */
int route_scan_fold(struct route_scan *s, const char *text, size_t n, char **buf, uint32_t **map,
                    struct err *e) ERR_CHECK;
int route_scan_run(struct route_scan *s, struct err *e) ERR_CHECK; /* all pattern detectors */

/* A detector looks at what starts at `at` and returns its end, or 0. Nothing else is read but a bounded number of
 * bytes around it, unless the time is paid for by going on behind it. */
size_t route_match_email(const struct route_scan *s, size_t at_sign, size_t *start);
size_t route_match_ip(const struct route_scan *s, size_t at);
size_t route_match_card(const struct route_scan *s, size_t at);
size_t route_match_iban(const struct route_scan *s, size_t at);
size_t route_match_phone(const struct route_scan *s, size_t at);
size_t route_match_national_id(const struct route_scan *s, size_t at);
size_t route_match_token(struct route_scan *s, size_t at); /* known prefixes, JWT */
size_t route_match_pem(struct route_scan *s, size_t at);   /* at "-----BEGIN" */
size_t route_match_assigned(const struct route_scan *s, size_t sign,
                            size_t *start);                                 /* at ':' or '=' behind a key's name */
size_t route_match_said(const struct route_scan *s, size_t at, size_t end); /* "the password is …" */
size_t route_match_userinfo(const struct route_scan *s, size_t at, size_t *start); /* at "://" */

/* Does one of `words` ("tel|phone|…", lower case) stand as a word in the `before` bytes in front of `at`? */
bool route_near(const struct route_scan *s, size_t at, size_t before, const char *words);

/* Check digits (detect_check.c), over n ASCII digits. */
bool route_luhn(const char *digits, int n);
bool route_date_valid(int year, int month, int day);

int route_list_add_file(struct route_ac_words *w, const char *path, enum route_pii kind, struct err *e) ERR_CHECK;
int route_list_find(const struct route_ac *list, const char *text, size_t n, struct route_spans *out,
                    struct err *e) ERR_CHECK; /* spans of the kinds that the words were added as */

static inline bool route_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool route_is_alpha(char c) { return (unsigned char)((c | 32) - 'a') < 26; }
static inline bool route_is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool route_is_alnum(char c) { return route_is_digit(c) || route_is_alpha(c); }
static inline char route_lower(char c) { return route_is_upper(c) ? (char)(c | 32) : c; }
/* The byte at i, or NUL beyond the ends. */
static inline char route_at(const struct route_scan *s, size_t i) { return i < s->n ? s->s[i] : 0; }
static inline char route_before(const struct route_scan *s, size_t i) { return i ? s->s[i - 1] : 0; }

#endif
