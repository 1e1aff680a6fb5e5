/* Fuzz target: any text as a JSON Schema; when it compiles, a random walk through the masks must never be stuck, and
 * a finished text must pass the check. Also the text as a regular expression. Seeds: corpus/schema. Run from the
 * root. */
#include "fuzz_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct infer_grammar *g = NULL;
    struct err e = {0};
    if (size == 0 || size > 4096) return 0;
    if (data[0] == '/') {
        if (infer_grammar_of_regex(fuzz_vocab(), (const char *)data + 1, size - 1, &g, &e) == 0)
            fuzz_walk(g, data, size);
    } else if (infer_grammar_of_schema(fuzz_vocab(), (const char *)data, size, &g, &e) == 0) {
        fuzz_walk(g, data, size);
    }
    infer_grammar_unref(g);
    return 0;
}
