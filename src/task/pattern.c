/* Users' regular expressions (task_pattern.h): the engine of constrained decoding, searching. Stateless but for what
 * it hands out. Read next: src/infer/gram_search.c. */
#include "task_pattern.h"
#include "infer_search.h"

#include <string.h>

int task_pattern_new(const char *re, bool whole, struct task_pattern **out, struct err *e)
{
    return infer_search_new(re, strlen(re), whole, (struct infer_search **)out, e);
}

void task_pattern_free(struct task_pattern *p) { infer_search_free((struct infer_search *)p); }

int task_pattern_find(const struct task_pattern *p, const char *text, size_t n,
                      int (*found)(void *arg, size_t at, size_t n), void *arg, struct err *e)
{
    return infer_search_find((const struct infer_search *)p, text, n, found, arg, e);
}
