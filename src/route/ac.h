/* An Aho–Corasick automaton over bytes: all words of a list in one pass over a text. Read-only after it is built. */
#ifndef ROUTE_AC_H
#define ROUTE_AC_H

#include "base_err.h"

/* The words before building. */
struct route_ac_words {
    struct route_ac_word {
        char *p;
        uint32_t n;
        uint32_t mark;
    } * v;
    size_t n, cap, bytes;
};
enum { ROUTE_AC_MAX_WORD = 512, ROUTE_AC_MAX_BYTES = 16 << 20 };
/* Copies the word; 0 < n ≤ ROUTE_AC_MAX_WORD. The first of equal words keeps its mark. */
int route_ac_words_add(struct route_ac_words *w, const char *p, size_t n, uint32_t mark, struct err *e) ERR_CHECK;
void route_ac_words_done(struct route_ac_words *w);

struct route_ac;
/* Sorts the words. */
int route_ac_build(struct route_ac_words *w, struct route_ac **out, struct err *e) ERR_CHECK;
void route_ac_free(struct route_ac *a);

/* States are numbers; 0 is the root. */
uint32_t route_ac_step(const struct route_ac *a, uint32_t state, unsigned char byte);
/* The words that end in a state, longest first: start with `state`, then with what was returned, until 0. */
uint32_t route_ac_hit(const struct route_ac *a, uint32_t state, bool first, uint32_t *len, uint32_t *mark);

#endif
