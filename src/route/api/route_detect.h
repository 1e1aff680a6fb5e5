/* Detectors of personal data and secrets in text: what occurs where. Read-only after they are made; any thread may
 * use them. What is and is not found: docs/REDACTION.md. */
#ifndef ROUTE_DETECT_H
#define ROUTE_DETECT_H

#include "base_err.h"

/*  X(constant, word in configuration and receipts, word in placeholders, what it is) */
#define ROUTE_PII_TABLE(X)                                                                                           \
    X(EMAIL, "email", "EMAIL", "e-mail addresses")                                                                   \
    X(PHONE, "phone", "PHONE", "telephone numbers")                                                                  \
    X(CARD, "card", "CARD", "payment card numbers")                                                                  \
    X(IBAN, "iban", "IBAN", "bank accounts (IBAN)")                                                                  \
    X(IP, "ip", "IP", "IPv4 and IPv6 addresses")                                                                     \
    X(SECRET, "secret", "SECRET", "API keys, tokens, private keys, passwords")                                       \
    X(NATIONAL_ID, "national_id", "ID", "national identity, tax and health numbers")                                 \
    X(NAME, "name", "NAME", "names of the user's list or the model's finding")                                       \
    X(ADDRESS, "address", "ADDRESS", "addresses of the user's list or the model's finding")                          \
    X(TERM, "term", "TERM", "other terms of the user's list")

enum route_pii {
#define X(name, word, mark, text) ROUTE_PII_##name,
    ROUTE_PII_TABLE(X)
#undef X
        ROUTE_N_PII
};
const char *route_pii_word(enum route_pii k);
extern const char *const route_pii_words[]; /* [ROUTE_N_PII + 1] the last is NULL */
int route_pii_find(const char *word); /* or -1 */

#define ROUTE_PII_BIT(k) (1u << (k))
enum { ROUTE_PII_ALL = (1 << ROUTE_N_PII) - 1 };

/* Bytes [at, at + n) of the text. Findings are sorted, whole characters, and do not overlap: those that did are one.
 */
struct route_span {
    size_t at, n;
    enum route_pii kind; /* of the longest */
};
struct route_spans {
    struct route_span *v; /* mem_free */
    size_t n, cap;
};
int route_spans_add(struct route_spans *s, struct route_span span, struct err *e) ERR_CHECK;
void route_spans_done(struct route_spans *s);

/* A model that a bundle may bring: adds spans of any kinds, in any order, inside [0, n). Called from any thread. An
 * error is handed on: what could not be looked at is not sent. */
typedef int (*route_spotter)(void *arg, const char *text, size_t n, struct route_spans *out, struct err *e);

/* A regular expression of the user's (docs/CONSTRAINED.md has the dialect): what its matches cover is of that kind.
 */
struct route_pattern {
    const char *name, *regex;
    int kind;   /* enum route_pii */
    bool whole; /* matches neither begin nor end inside a word */
};
enum { ROUTE_MAX_PATTERNS = 32 };

struct route_detect_conf {
    uint32_t kinds; /* ROUTE_PII_BIT of those wanted; lists and the spotter count for theirs too */
    /* Text files, one entry a line, UTF-8; empty lines and those that begin with '#' are skipped. NULL: none. Case,
     * accents and the amount of white space do not matter; an entry matches between word boundaries. */
    const char *names_file, *addresses_file, *terms_file;
    const struct route_pattern
        *pattern; /* [n_patterns] read while the detectors are made; at most ROUTE_MAX_PATTERNS */
    int n_patterns;
    route_spotter spot; /* NULL: none */
    void *spot_arg;     /* borrowed */
};

struct route_detectors;
int route_detectors_new(const struct route_detect_conf *conf, struct route_detectors **out, struct err *e) ERR_CHECK;
void route_detectors_free(struct route_detectors *d); /* NULL is fine */
/* The kinds that can be found at all: what was asked for and has a way to be found. */
uint32_t route_detectors_kinds(const struct route_detectors *d);

enum { ROUTE_DETECT_MAX_BYTES = 1 << 30 };
/* All findings in `text` (any bytes; invalid UTF-8 is looked at too), appended to `out`, in time linear in n. `hint`
 * (or "") is what the text is called where it stands, as "phone": it counts as the word before it. LIMIT: too long,
 * or too much for one of the patterns: nothing is known of the text then. */
int route_find(const struct route_detectors *d, const char *text, size_t n, const char *hint, struct route_spans *out,
               struct err *e) ERR_CHECK;
/* As a classifier: adds the number of findings to `counts`, for each of `kinds` (ROUTE_PII_BIT) as if it were the
 * only one: what stands inside a longer finding of another kind counts. */
int route_detect(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n,
                 uint32_t counts[ROUTE_N_PII], struct err *e) ERR_CHECK;

#endif
