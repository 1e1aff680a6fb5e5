/* TODO(infer): constrained decoding. Until it is there every grammar is refused, so that nothing unconstrained leaves.
 * To be replaced by the files that implement infer_grammar.h. */
#include "infer_grammar.h"

static int refuse(struct err *e) { return ERR(e, UNSUPPORTED, "Constrained decoding is not in this build."); }

int infer_vocab_new(const struct tok *t, struct infer_vocab **out, struct err *e) { return refuse(e); }
void infer_vocab_free(struct infer_vocab *v) {}
int infer_grammar_of_schema(const struct infer_vocab *v, const char *json, size_t n, struct infer_grammar **out,
                            struct err *e)
{
    return refuse(e);
}
int infer_grammar_of_json(const struct infer_vocab *v, struct infer_grammar **out, struct err *e) { return refuse(e); }
int infer_grammar_of_regex(const struct infer_vocab *v, const char *re, size_t n, struct infer_grammar **out,
                           struct err *e)
{
    return refuse(e);
}
int infer_grammar_of_choices(const struct infer_vocab *v, const char *const *text, size_t n, struct infer_grammar **out,
                             struct err *e)
{
    return refuse(e);
}
int infer_grammar_of_gbnf(const struct infer_vocab *v, const char *text, size_t n, struct infer_grammar **out,
                          struct err *e)
{
    return refuse(e);
}
struct infer_grammar *infer_grammar_ref(struct infer_grammar *g) { return g; }
void infer_grammar_unref(struct infer_grammar *g) {}
int infer_grammar_check(struct infer_grammar *g, const char *text, size_t n, struct err *e) { return refuse(e); }
int infer_match_new(struct infer_grammar *g, struct infer_match **out, struct err *e) { return refuse(e); }
void infer_match_free(struct infer_match *m) {}
int infer_match_copy(const struct infer_match *m, struct infer_match **out, struct err *e) { return refuse(e); }
const uint32_t *infer_match_mask(struct infer_match *m, struct err *e)
{
    int rc = refuse(e);
    (void)rc;
    return NULL;
}
int infer_match_accept(struct infer_match *m, int32_t token, struct err *e) { return refuse(e); }
bool infer_match_complete(const struct infer_match *m) { return true; }
size_t infer_match_forced(struct infer_match *m, char *out, size_t max) { return 0; }
