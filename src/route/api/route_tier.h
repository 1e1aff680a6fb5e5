/* A tier: where a request may be answered, as croft.yaml says it, and the perimeter around it. Plain data and pure
 * functions; route_upstream.h sends. */
#ifndef ROUTE_TIER_H
#define ROUTE_TIER_H

#include "base_str.h"
#include "route.h"

/* How a tier is spoken to: OpenAI's API (or any that is compatible), Anthropic's Messages, another Croft. */
enum route_wire { ROUTE_OPENAI, ROUTE_ANTHROPIC, ROUTE_CROFT };
extern const char *const route_wires[]; /* their words, and NULL */
const char *route_wire_name(enum route_wire w);
int route_wire_find(const char *name); /* or -1 */

/* What a million tokens cost. */
struct route_price {
    bool known;
    money in, out;
    money cached;  /* tokens of the prompt that the provider had kept */
    money written; /* tokens of the prompt that it keeps from now on */
    /* A prompt longer than this costs the prices behind it, all of it; 0: there is no such step. */
    uint64_t long_tokens;
    money long_in, long_out, long_cached, long_written;
};

/* All strings are borrowed from whoever read the settings, and outlive every upstream made of the tier. */
struct route_tier {
    const char *name; /* the organisation's */
    enum route_place place;
    enum route_wire wire;
    const char *url;   /* up to the version: "https://api.openai.com/v1". A path "/v1/…" is put behind it */
    const char *model; /* as the provider calls it; what the client called it is never sent */
    const char *key_env, *key_file; /* at most one; both NULL: the tier needs no key */
    const char *region;             /* or NULL */
    const char *const *classes;     /* the data classes it may see */
    int n_classes;
    const char *const *drop; /* fields of requests that its models refuse and that are left out: "temperature", … */
    int n_drop;
    const char *ca_file; /* authorities of this tier (PEM), or NULL: the system's */
    bool insecure_http;  /* plain http to another machine: for test beds */
    struct route_price price;
    double connect_s;          /* 0: 5 */
    double answer_s;           /* to the head of an answer; 0: as the deadline */
    double stall_s;            /* between two pieces of a stream; 0: 30 */
    double deadline_s;         /* all tries of a request; 0: 120 */
    int max_concurrent;        /* 0: 64 */
    int max_retries;           /* after the first try; -1: none; 0: 2 */
    uint64_t max_answer_bytes; /* 0: 16 MiB */
    int64_t max_tokens;        /* sent where the wire demands a limit and the request has none; 0: 4096 */
};
/* Is it sound, for itself? USAGE with a sentence that names the tier and the field (err.where). Checks the words, the
 * URL and the classes; a `device` tier must be on this machine, and only it may list ROUTE_LOCAL_ONLY. */
int route_tier_check(const struct route_tier *t, struct err *e) ERR_CHECK;
bool route_tier_same(const struct route_tier *a, const struct route_tier *b); /* in every field */
/* The key, from its variable or file, into key[]; "" if it needs none. NOT_FOUND: there is none; DENIED: others may
 * read the file (it must be mode 0600 or stricter); FORMAT: not a key. The sentence never holds the key. */
enum { ROUTE_KEY_MAX = 1024 };
int route_tier_key(const struct route_tier *t, char key[ROUTE_KEY_MAX], struct err *e) ERR_CHECK;

/* ---- the perimeter ---- */

/* A data class is a word of a-z, 0-9, '-', '_', '.', shorter than ROUTE_NAME_MAX. Nothing is folded or trimmed: what
 * is not such a word is no class. */
bool route_class_valid(struct str word);
/* May bytes of this class go to this tier? 0, or DENIED with a sentence. The policy asks in order to choose; the gate
 * asks again, with the bytes in hand, each time something is sent. */
int route_gate_check(const struct route_tier *t, struct str data_class, struct err *e) ERR_CHECK;

/* ---- prices ---- */

/* The table that ships: list prices in US dollars, by the provider's name of the model, sorted by it. route_prices_date
 * says as of when most of them are. False: not in it; behind the last. */
struct route_price_row {
    const char *name;
    struct route_price price;
    const char *date, *source; /* "2026-07-24"; who says so */
};
bool route_price_find(const char *model, struct route_price *out);
bool route_price_row(size_t i, struct route_price_row *out);
const char *route_prices_date(void);

struct route_usage {
    uint64_t in; /* all tokens of the prompt, the next two included */
    uint64_t cached, written;
    uint64_t out;
    bool estimated; /* the provider sent none: a token for three bytes */
};
/* False, and 0: the price is not known. */
bool route_price_cost(const struct route_price *p, const struct route_usage *u, money *out);

#endif
