/* Where in a text does a regular expression match? For expressions that users write and texts that strangers send:
 * time is at most text × INFER_SEARCH_ACTIVE whatever both are. The dialect is that of docs/CONSTRAINED.md. */
#ifndef INFER_SEARCH_H
#define INFER_SEARCH_H

#include "base_err.h"

enum {
    INFER_SEARCH_MAX = 4096,  /* bytes of an expression */
    INFER_SEARCH_ACTIVE = 32, /* ways of reading that may be open on average, beyond 2^20 in all */
};

struct infer_search; /* read-only once it is made: any thread */
/* whole: matches neither begin nor end inside a run of ASCII letters, digits and '_'. FORMAT, UNSUPPORTED, LIMIT with
 * the byte in pos. */
int infer_search_new(const char *re, size_t n, bool whole, struct infer_search **out, struct err *e) ERR_CHECK;
void infer_search_free(struct infer_search *s); /* NULL is fine */
/* Calls found for each stretch [at, at + n) of the text that matches cover: those that overlap are one. Empty matches
 * are none. LIMIT: more ways of reading were open than allowed; what was found until then has been told. Else what
 * found returned, when that is not 0. */
int infer_search_find(const struct infer_search *s, const char *text, size_t n,
                      int (*found)(void *arg, size_t at, size_t n), void *arg, struct err *e) ERR_CHECK;

#endif
