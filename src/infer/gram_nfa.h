/* Nondeterministic automata over characters, of one regular expression each (Thompson). Used by gram_nfa.c
 * (simulation, to check finished texts) and gram_dfa.c. */
#ifndef GRAM_NFA_H
#define GRAM_NFA_H

#include "gram.h"

enum { NFA_CHARS, NFA_SPLIT, NFA_BEGIN, NFA_END, NFA_MATCH };
enum { GRAM_MAX_NFA = 50000 };

struct nfa_state {
    uint8_t op;
    uint32_t x, y;                  /* next; the other way of a split */
    const struct gram_chars *chars; /* NFA_CHARS; borrowed from the tree. NULL: any character */
};

struct gram_nfa {
    struct nfa_state *s;
    size_t n, cap;
    uint32_t start, match;
    bool absorbs; /* once matched, anything may follow */
};

/* A set of states: those in list[0..n), marked with `epoch`. */
struct nfa_set {
    uint32_t *list, *mark, *work;
    size_t n;
    uint32_t epoch;
};
int gram_nfa_set_init(struct nfa_set *s, const struct gram_nfa *n);
void gram_nfa_set_done(struct nfa_set *s);
void gram_nfa_set_clear(struct nfa_set *s);
/* Adds a state and what is reached from it without a character. */
void gram_nfa_set_add(struct nfa_set *s, const struct gram_nfa *n, uint32_t state, bool at_begin, bool at_end);
bool gram_nfa_set_has(const struct nfa_set *s, uint32_t state);

#endif
