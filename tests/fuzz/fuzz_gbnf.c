/* Fuzz target: any text as a GBNF grammar, and a random walk through its masks. Seeds: corpus/gbnf. */
#include "fuzz_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct infer_grammar *g = NULL;
    struct err e = {0};
    if (size > 4096) return 0;
    if (infer_grammar_of_gbnf(fuzz_vocab(), (const char *)data, size, &g, &e) == 0) fuzz_walk(g, data, size);
    infer_grammar_unref(g);
    return 0;
}
