/* stub */
#include "gram.h"
int gram_schema_check(const json_t *schema, const char *text, size_t n, struct err *e) { return 0; }
