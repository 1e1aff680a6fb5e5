/* JSON Schema: not yet. */
#include "gram.h"
int infer_grammar_of_schema(const struct infer_vocab *v, const char *json, size_t n, struct infer_grammar **out,
                            struct err *e)
{
    return ERR(e, UNSUPPORTED, "not yet");
}
int infer_grammar_of_json(const struct infer_vocab *v, struct infer_grammar **out, struct err *e)
{
    return ERR(e, UNSUPPORTED, "not yet");
}
