/* For the tests of constrained decoding: the committed byte-level vocabulary, and random steps through a mask. */
#ifndef TEST_GRAMMAR_H
#define TEST_GRAMMAR_H

#include "infer_grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct tok *vocab_tok;

static inline struct infer_vocab *vocab(void)
{
    static struct infer_vocab *v;
    struct gguf *f = NULL;
    struct err e = {0};
    if (v) return v;
    if (gguf_open("tests/golden/tok/bpe.gguf", &f, &e) || tok_new(f, &vocab_tok, &e) ||
        infer_vocab_new(vocab_tok, &v, &e))
        fail_msg("%s", e.msg);
    gguf_close(f); /* a tokenizer keeps nothing of the file */
    return v;
}

static inline void vocab_done(void)
{
    infer_vocab_free(vocab());
    tok_free(vocab_tok);
}

static inline uint32_t dice(uint32_t n) /* xorshift64: the same in every run */
{
    static uint64_t s = 88172645463325252u;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (uint32_t)(s >> 33) % n;
}

static inline bool test_is_end(int32_t id)
{
    for (size_t i = 0; i < vocab()->n_end; i++)
        if (vocab()->end[i] == id) return true;
    return false;
}

/* A token of the mask at random, an end one only in `percent` of 100 cases or when there is nothing else; -1: none.
 */
static inline int32_t draw(const uint32_t *mask, uint32_t percent)
{
    int32_t pick = -1, end = -1;
    uint32_t n = 0;
    for (size_t i = 0; i < vocab()->n; i++) {
        if (!(mask[i / 32] >> i % 32 & 1)) continue;
        if (test_is_end((int32_t)i))
            end = (int32_t)i;
        else if (dice(++n) == 0)
            pick = (int32_t)i;
    }
    return end >= 0 && (pick < 0 || dice(100) < percent) ? end : pick;
}

#endif
