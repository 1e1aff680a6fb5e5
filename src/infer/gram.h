/* Constrained decoding, inside. The public contract is infer_grammar.h; docs/CONSTRAINED.md has the design.
 *
 *   text of a schema, regular expression, GBNF, choices
 *      │ gram_schema*.c gram_re*.c gram_gbnf.c
 *   nodes       a small tree language over bytes, hash-consed           gram_node.c, gram_chars.c, gram_check.c
 *      │
 *   frames      what is left to match: linked stacks, hash-consed        gram_auto.c
 *   states      sets of stacks, found on demand, with their transitions
 *      │ walked over the trie of the vocabulary                          gram_trie.c, gram_vocab.c, gram_slice.c
 *   masks       which tokens may follow                                  gram_mask.c, gram_match.c */
#ifndef GRAM_H
#define GRAM_H

#include "base_arena.h"
#include "base_str.h"
#include "infer_grammar.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    GRAM_MAX_TEXT = 1 << 20, /* bytes of a schema, expression or grammar */
    GRAM_MAX_NODES = 1 << 20,
    GRAM_MAX_NEST = 96,        /* nested constructs of the input */
    GRAM_MAX_REPEAT = 1 << 20, /* the largest bound of a repetition */
    GRAM_MAX_STACKS = 2048,    /* ways in which one text may be read at the same time */
    GRAM_MAX_WORK = 1 << 18,   /* frames opened for one mask: about 0.1 s, and some 10 MiB */
    GRAM_MAX_DEPTH = 600,      /* frames of a stack: bounds the nesting of the text */
    GRAM_MAX_PIECE = 1024,     /* bytes of a token; a longer one is never allowed */
    GRAM_BYTES = 32 << 20,     /* states and masks kept by a grammar: beyond, what no text stands in is dropped */
};
#define GRAM_INF UINT32_MAX
#define GRAM_MAX_CP 0x10FFFFu

/* Grow an array of `bytes` each to hold n; *cap doubles. */
int gram_grow(void *array, size_t *cap, size_t n, size_t bytes);

/* ---- sets of code points: sorted, disjoint, not adjacent ranges ---- */

struct gram_range {
    uint32_t lo, hi;
};
struct gram_chars {
    struct gram_range *r;
    size_t n, cap;
    bool failed; /* out of memory */
};
void gram_chars_done(struct gram_chars *c);
void gram_chars_add(struct gram_chars *c, uint32_t lo, uint32_t hi); /* then normalise */
void gram_chars_add_all(struct gram_chars *c, const struct gram_chars *more);
void gram_chars_normalise(struct gram_chars *c);
void gram_chars_negate(struct gram_chars *c); /* within all code points but the surrogates */
void gram_chars_intersect(struct gram_chars *c, const struct gram_chars *with);
/* A Unicode property by name, as \p{…} has it: into an empty set. False if the name is not known. */
bool gram_chars_property(struct gram_chars *c, struct str name);
bool gram_chars_has(const struct gram_range *r, size_t n, uint32_t cp);
uint64_t gram_chars_count(const struct gram_chars *c);

/* ---- nodes ---- */

enum gram_op {
    GRAM_EMPTY, /* the empty text */
    GRAM_NONE,  /* no text at all */
    GRAM_CLASS, /* one byte of set a */
    GRAM_CHARS, /* one character: ranges[b .. b+c), lowered to bytes in node a */
    GRAM_SEQ,   /* kids[a .. a+b) one after another */
    GRAM_ALT,   /* one of kids[a .. a+b) */
    GRAM_REP,   /* node a, b to c times (c may be GRAM_INF) */
    GRAM_REF,   /* rule a */
};

struct gram_node {
    uint8_t op;
    bool nullable; /* matches the empty text; set by gram_nodes_finish, like need */
    uint16_t need; /* frames that the flattest text of it takes; UINT16_MAX: no text, or deeper than allowed */
    uint32_t a, b, c;
};

struct gram_rule {
    uint32_t body; /* node; GRAM_INF while undefined */
    char *name;    /* for messages; owned */
};

struct gram_nodes {
    struct gram_node *node;
    uint64_t (*set)[4];
    uint32_t *kid;
    struct gram_range *range;
    struct gram_rule *rule;
    uint32_t *slot; /* open addressing over nodes */
    size_t n, n_set, n_kid, n_range, n_rule, n_slot;
    size_t cap, cap_set, cap_kid, cap_range, cap_rule;
    int failed; /* 0, CROFT_E_NOMEM, CROFT_E_LIMIT: sticky; makers then return 0 */
};

int gram_nodes_init(struct gram_nodes *g);
void gram_nodes_done(struct gram_nodes *g);
uint32_t gram_empty(struct gram_nodes *g);
uint32_t gram_none(struct gram_nodes *g);
uint32_t gram_class(struct gram_nodes *g, const uint64_t set[4]);
uint32_t gram_byte(struct gram_nodes *g, unsigned char c);
uint32_t gram_chars(struct gram_nodes *g, const struct gram_chars *c);
uint32_t gram_seq(struct gram_nodes *g, const uint32_t *kid, size_t n);
uint32_t gram_seq2(struct gram_nodes *g, uint32_t x, uint32_t y);
uint32_t gram_alt(struct gram_nodes *g, const uint32_t *kid, size_t n);
uint32_t gram_alt2(struct gram_nodes *g, uint32_t x, uint32_t y);
uint32_t gram_rep(struct gram_nodes *g, uint32_t x, uint32_t min, uint32_t max);
uint32_t gram_opt(struct gram_nodes *g, uint32_t x);
uint32_t gram_lit(struct gram_nodes *g, const char *bytes, size_t n);
uint32_t gram_rule_new(struct gram_nodes *g, const char *name, size_t n);
uint32_t gram_ref(struct gram_nodes *g, uint32_t rule);
/* One of the texts; sorts and dedupes `text` in place. Shared beginnings are shared. */
uint32_t gram_choice(struct gram_nodes *g, struct str *text, size_t n);
/* Undefined rules, left recursion, rules without any text; sets nullable and need. FORMAT, LIMIT, NOMEM. */
int gram_nodes_finish(struct gram_nodes *g, uint32_t root, struct err *e) ERR_CHECK;
int gram_nodes_check(const struct gram_nodes *g, struct err *e) ERR_CHECK; /* the sticky failure as an error */

/* ---- vocabulary ---- */

/* Tokens in the order of their bytes, each as what it has beyond the beginning it shares with the one before:
 *
 *   tokens  "a" "abc" "abd" "b"     keep 0 1 2 0     bytes a | bc | d | b     skip 3 3 3 4
 *
 * which is the trie of the tokens, in depth-first order and without pointers. A walk that may not take the byte behind
 * keep[i] others goes on at skip[i]: the next token that shares no more. */
struct gram_trie {
    int32_t *token; /* [n] */
    uint32_t *skip; /* [n] */
    uint32_t *at;   /* [n + 1] into bytes */
    uint16_t *keep; /* [n] */
    char *bytes;
    size_t n;
};
/* Tokens that consist of characters of one set alone. While a text may go on with hi of them, and those are at least
 * as many as a token has, all of these tokens are allowed without looking at them; the walk is over the rest. */
enum { GRAM_SLICE_EXACT = 16, GRAM_SLICE_CLAMP = 48, GRAM_MAX_SLICES = 16 };
struct gram_slice {
    struct gram_range *r; /* the set */
    size_t n_r;
    uint32_t *all;                    /* mask of all */
    uint32_t *upto[GRAM_SLICE_EXACT]; /* those of at most k characters; [0] is NULL */
    struct gram_long {
        int32_t token;
        uint32_t chars;
    } * big; /* more than GRAM_SLICE_EXACT - 1, longest first */
    size_t n_big, n_tokens;
    uint32_t longest;      /* characters */
    struct gram_trie rest; /* other tokens of at most GRAM_SLICE_CLAMP bytes */
    struct gram_trie odd;  /* other tokens that are longer */
};

struct gram_slices {
    pthread_mutex_t lock;
    struct gram_slice *of[GRAM_MAX_SLICES]; /* made once, kept with the vocabulary */
    size_t n;
};

struct infer_vocab {
    const struct tok *tok; /* borrowed */
    size_t n, n_words;     /* tokens, words of a mask */
    struct gram_trie trie; /* tokens with bytes but those that end an answer */
    int32_t *end;          /* end-of-generation tokens */
    size_t n_end;
    uint32_t longest; /* bytes of a token */
    bool space;       /* a text's tokens begin with a space that decoding takes away */
    struct gram_slices *slices;
};
/* Making a trie: tokens in the order of their bytes, then done. What the maker has is freed as a trie's. */
struct gram_trie_maker {
    struct gram_trie t;
    size_t cap_token, cap_at, cap_keep, cap_bytes, n_bytes;
    char last[GRAM_MAX_PIECE];
    size_t n_last;
};
int gram_trie_add(struct gram_trie_maker *m, int32_t token, struct str piece);
int gram_trie_done(struct gram_trie_maker *m, struct gram_trie *out);
void gram_trie_free(struct gram_trie *t);
/* The bytes of token i of a trie, in `text`, which holds those of the one before. */
struct str gram_trie_read(const struct gram_trie *t, size_t i, char text[GRAM_MAX_PIECE]);
/* Is there a token that begins with p and goes on with a byte of `follow`? */
bool gram_trie_goes_on(const struct gram_trie *t, struct str p, const uint64_t follow[4]);
/* The slice of a set, made on first use; NULL when there is none (too many sets, too small, no memory). */
const struct gram_slice *gram_slice_get(const struct infer_vocab *v, const struct gram_range *r, size_t n);
void gram_slices_free(struct gram_slices *s);
void gram_slice_mask(const struct infer_vocab *v, const struct gram_slice *s, uint32_t hi, uint32_t *mask);
static inline void gram_mask_add(uint32_t *mask, int32_t token) { mask[token / 32] |= 1u << token % 32; }

/* ---- the automaton ---- */

struct gram_frame {
    uint32_t node, a, b; /* SEQ: a = next kid; REP: a, b = how often still at least, at most */
    uint32_t next, chain;
    uint32_t mark;
    uint16_t depth;
};

struct gram_loop {         /* a repetition of a set of characters that starts here */
    uint32_t frame, chars; /* REP frame, CHARS node */
};

struct gram_edge {
    uint32_t next;
    uint8_t byte;
};

struct gram_state {
    uint64_t first[4];         /* bytes that may follow */
    uint32_t kernel, n_kernel; /* frame ids: pool[kernel ..) */
    uint32_t stack, n_stack;   /* what may follow: stacks[stack ..), set << 32 | frame */
    uint32_t loop, n_loop;
    uint32_t chain;
    uint32_t clamped; /* state of the same next tokens, or 0: not yet known */
    struct gram_edge edge[4];
    uint32_t *table;                /* [256], once there are more */
    uint32_t *mask;                 /* [n_words] or NULL */
    uint32_t *rest;                 /* the same without the slice */
    const struct gram_slice *slice; /* of rest */
    uint8_t n_edge;
    bool accept;    /* the text may end here */
    int16_t forced; /* the only byte that may follow; -1 several, or the end */
};

struct gram_auto {
    const struct gram_nodes *g;
    struct gram_frame *frame;
    struct gram_state *state;
    uint32_t *pool;
    uint64_t *stack;
    struct gram_loop *loop;
    uint32_t *frame_slot, *state_slot;
    size_t n_frame, n_state, n_pool, n_stack, n_loop;
    size_t cap_frame, cap_state, cap_pool, cap_stack, cap_loop, n_frame_slot, n_state_slot;
    uint32_t *work, *kern; /* scratch of a closure, of a step */
    size_t cap_work, cap_kern;
    uint32_t epoch;
    uint32_t spent; /* frames opened since the call from outside began */
    size_t bytes; /* of tables and masks; gram_auto_bytes adds the arrays */
};

int gram_auto_init(struct gram_auto *a, const struct gram_nodes *g);
void gram_auto_done(struct gram_auto *a);
size_t gram_auto_bytes(const struct gram_auto *a);
/* Frames and states; 0 is "no frame" (the end of the text) and "no state". Negative: an error code. */
int64_t gram_auto_start(struct gram_auto *a, uint32_t root);
int64_t gram_auto_step(struct gram_auto *a, uint32_t state, uint8_t byte); /* 0: may not follow */
int64_t gram_auto_state(struct gram_auto *a, uint32_t *kernel, size_t n);  /* sorts the kernel */
int64_t gram_auto_clamp(struct gram_auto *a, uint32_t state, uint32_t most);
/* Does a slice speak for all its tokens here: no other reading could take a character of the set. */
int gram_auto_exclusive(struct gram_auto *a, uint32_t state, const struct gram_loop *l, const struct gram_range *r,
                        size_t n);
/* Frame f and all below, from `from` into a; map[] of from->n_frame remembers. */
int64_t gram_auto_import(struct gram_auto *a, const struct gram_auto *from, uint32_t f, uint32_t *map);
int gram_auto_error(int64_t code, struct err *e);

/* ---- regular expressions ---- */

enum gram_re_op { RE_EMPTY, RE_CHARS, RE_SEQ, RE_ALT, RE_REP, RE_BEGIN, RE_END };
struct gram_re {
    enum gram_re_op op;
    uint32_t min, max;          /* RE_REP */
    struct gram_chars chars;    /* RE_CHARS; the ranges are in the arena */
    struct gram_re *kid, *next; /* first kid; the next one of the same parent */
};
/* The dialect of ECMA-262 as far as it describes regular languages (docs/CONSTRAINED.md). The tree lives in the
 * arena. FORMAT, UNSUPPORTED, LIMIT with the byte in pos. */
int gram_re_parse(struct arena *a, const char *text, size_t n, struct gram_re **out, struct err *e) ERR_CHECK;
/* Texts that the whole expression matches, or (search) that have a part which it matches. `json`: as the inside of a
 * JSON string. False when an anchor stands where only gram_dfa_node can follow it. */
bool gram_re_node(struct gram_nodes *g, const struct gram_re *re, bool search, bool json, uint32_t *out);

/* A set of characters inside a JSON string, in the one way of writing each that is generated: itself, or its short
 * escape, or \u00xx; never U+0000. */
uint32_t gram_json_chars(struct gram_nodes *g, const struct gram_chars *c);
uint32_t gram_json_any(struct gram_nodes *g); /* any character */

struct gram_nfa;
int gram_nfa_new(const struct gram_re *re, bool search, struct gram_nfa **out, struct err *e) ERR_CHECK;
void gram_nfa_free(struct gram_nfa *n);
int gram_nfa_match(const struct gram_nfa *n, const char *text, size_t bytes, bool *out, struct err *e) ERR_CHECK;

/* Strings that match some expressions and do not match others, of min to max characters. */
struct gram_want {
    const struct gram_re *re;
    bool search, negate;
};
int gram_dfa_node(struct gram_nodes *g, const struct gram_want *want, size_t n, uint32_t min, uint32_t max, bool json,
                  uint32_t *out, struct err *e) ERR_CHECK;

/* ---- grammars ---- */

struct infer_grammar {
    atomic_int refs;
    pthread_mutex_t lock;
    const struct infer_vocab *v;
    struct gram_nodes g;
    struct gram_auto a;
    uint32_t root, start;     /* node, state */
    struct infer_match *live; /* all matches: what they stand in survives a collection */
    json_t *schema;           /* of infer_grammar_of_schema: checked against at the end */
    size_t max_bytes;
};

struct infer_match {
    struct infer_grammar *g;
    struct infer_match *prev, *next;
    uint32_t state;
    bool ended;
    uint32_t *mask;
    struct buf piece; /* of the token that is accepted */
};

/* Takes the nodes (also on failure) and a reference to the schema, which may be NULL. */
int gram_new(const struct infer_vocab *v, struct gram_nodes *g, uint32_t root, json_t *schema,
             struct infer_grammar **out, struct err *e) ERR_CHECK;
/* Is this JSON text valid under the schema? FORMAT with a JSON pointer into the text. Knows nothing of nodes. */
int gram_schema_check(const json_t *schema, const char *text, size_t n, struct err *e) ERR_CHECK;
/* infer_match_forced, and which bytes may come behind. */
size_t gram_forced(struct infer_match *m, char *out, size_t max, uint64_t follow[4]);
int gram_mask(struct infer_grammar *g, uint32_t state, uint32_t *mask, struct err *e) ERR_CHECK;

#endif
