/* What the grammar fuzzers share: a vocabulary, and a walk whose dice are the input's bytes. */
#ifndef FUZZ_GRAMMAR_H
#define FUZZ_GRAMMAR_H

#include "infer_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tok *fuzz_tok(void)
{
    static struct tok *t;
    struct gguf *f = NULL;
    if (!t && (gguf_open("tests/golden/tok/bpe.gguf", &f, NULL) || tok_new(f, &t, NULL))) abort();
    gguf_close(f);
    return t;
}

static const struct infer_vocab *fuzz_vocab(void)
{
    static struct infer_vocab *v;
    if (!v && infer_vocab_new(fuzz_tok(), &v, NULL)) abort();
    return v;
}

static void fuzz_walk(struct infer_grammar *g, const uint8_t *data, size_t size)
{
    struct infer_match *m;
    struct buf out;
    struct err e = {0};
    int limit = 0;
    buf_init(&out, 1 << 20);
    if (infer_match_new(g, &m, &e)) abort();
    for (size_t i = 0; i < 60 && !infer_match_complete(m) && !limit; i++) {
        const uint32_t *mask = infer_match_mask(m, &e);
        if (!mask) { /* too ambiguous is an answer */
            limit = e.code;
            if (limit != CROFT_E_LIMIT) abort();
            break;
        }
        size_t n = tok_n_vocab(fuzz_tok()), at = (data[i % size] * 131u + i * 7919u) % n, k = 0;
        while (k < n && !(mask[at / 32] >> at % 32 & 1)) at = (at + 1) % n, k++;
        if (k == n) abort(); /* stuck: no token may follow, not even the end */
        tok_piece(fuzz_tok(), (int32_t)at, false, &out);
        limit = infer_match_accept(m, (int32_t)at, &e);
        if (limit && limit != CROFT_E_LIMIT) abort();
    }
    if (!limit && infer_match_complete(m)) {
        int rc = infer_grammar_check(g, out.data ? out.data : "", out.len, &e);
        if (rc && rc != CROFT_E_LIMIT) {
            fprintf(stderr, "%s: %.*s\n", e.msg, (int)out.len, out.data);
            abort();
        }
    }
    infer_match_free(m);
    buf_done(&out);
}

#endif
