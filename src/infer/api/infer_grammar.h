/* Constrained decoding: which tokens may come next so that the text stays the beginning of a text in a language.
 *
 *   infer_vocab     the bytes of every token as a trie; one per tokenizer, shared, read-only
 *   infer_grammar   a language, compiled from a JSON Schema, a regular expression, a list of choices or GBNF, with the
 *                   states met so far and their masks. Shared by requests: reference-counted, locked inside
 *   infer_match     where one text stands in it. One thread at a time
 *
 * A language that cannot be expressed exactly is an error that names the construct and its place, never a looser
 * language: what leaves is in the language. JSON is made in one of two styles, {"a": 1, "b": [2, 3]} or without spaces,
 * members in the schema's order, none that the schema does not name unless additionalProperties says so (or it names
 * none); what is supported, the limits and the cost are in docs/CONSTRAINED.md. */
#ifndef INFER_GRAMMAR_H
#define INFER_GRAMMAR_H

#include "model_tok.h"

struct infer_vocab;
struct infer_grammar;
struct infer_match;

/* The tokenizer is borrowed. */
int infer_vocab_new(const struct tok *t, struct infer_vocab **out, struct err *e) ERR_CHECK;
void infer_vocab_free(struct infer_vocab *v); /* after its grammars */

/* *out has one reference. FORMAT, UNSUPPORTED, LIMIT (all a server's 400): `where` and msg name the construct and its
 * place (a JSON pointer in a schema, a byte or line in the others). The vocabulary is borrowed. */
int infer_grammar_of_schema(const struct infer_vocab *v, const char *json, size_t n, struct infer_grammar **out,
                            struct err *e) ERR_CHECK;
/* Any JSON object. */
int infer_grammar_of_json(const struct infer_vocab *v, struct infer_grammar **out, struct err *e) ERR_CHECK;
int infer_grammar_of_regex(const struct infer_vocab *v, const char *re, size_t n, struct infer_grammar **out,
                           struct err *e) ERR_CHECK;
int infer_grammar_of_choices(const struct infer_vocab *v, const char *const *text, size_t n,
                             struct infer_grammar **out, struct err *e) ERR_CHECK;
int infer_grammar_of_gbnf(const struct infer_vocab *v, const char *text, size_t n, struct infer_grammar **out,
                          struct err *e) ERR_CHECK;
struct infer_grammar *infer_grammar_ref(struct infer_grammar *g);
void infer_grammar_unref(struct infer_grammar *g); /* NULL is fine */
size_t infer_grammar_bytes(struct infer_grammar *g); /* memory it holds now, about */
/* Is this whole text in the language? For a schema this includes what a grammar cannot say: it is the check of what
 * leaves. 0, or FORMAT with a sentence (and a JSON pointer) of what is wrong. */
int infer_grammar_check(struct infer_grammar *g, const char *text, size_t n, struct err *e) ERR_CHECK;

int infer_match_new(struct infer_grammar *g, struct infer_match **out, struct err *e) ERR_CHECK; /* takes a reference */
void infer_match_free(struct infer_match *m);
int infer_match_copy(const struct infer_match *m, struct infer_match **out, struct err *e) ERR_CHECK;
/* The tokens that may follow: bit id % 32 of word id / 32, [(n_vocab + 31) / 32]. End-of-generation tokens are in
 * it where the text may end. NULL when memory ran out (then *e). Borrowed until the next call for this match. */
const uint32_t *infer_match_mask(struct infer_match *m, struct err *e);
/* Go on with a token. FORMAT if it may not follow. After an end token the match is complete. */
int infer_match_accept(struct infer_match *m, int32_t token, struct err *e) ERR_CHECK;
/* The same for text that is known to follow (a forced span): any bytes, also parts of tokens. */
int infer_match_accept_text(struct infer_match *m, const char *text, size_t n, struct err *e) ERR_CHECK;
bool infer_match_may_end(const struct infer_match *m);
bool infer_match_complete(const struct infer_match *m); /* ended, or nothing but the end may follow */
/* Bytes that must follow whatever is sampled, at most `max`: returns how many are written to out. */
size_t infer_match_forced(struct infer_match *m, char *out, size_t max);
/* The same as tokens, at most `max`, as far as the tokeniser would cut every continuation so. `before`: the end of what
 * the answer has so far, 64 bytes or all. None for a few bytes. */
int infer_match_forced_tokens(struct infer_match *m, const struct tok *t, const char *before, size_t n_before,
                              size_t max, int32_t *out, size_t *out_n, struct err *e) ERR_CHECK;

#endif
