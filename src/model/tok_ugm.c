/* stub */
#include "tok.h"
int tok_ugm_load(struct tok *t, const struct gguf *g, struct err *e) { return ERR(e, UNSUPPORTED, "t5"); }
int tok_ugm_encode(struct tok_work *w, const char *text, size_t n, struct err *e) { return 0; }
