/* Regular expressions that users write, searched for in texts that strangers send: in linear time (infer_search.h has
 * the promise and the limits). For modules that do not see the inference ones. */
#ifndef TASK_PATTERN_H
#define TASK_PATTERN_H

#include "base_err.h"

struct task_pattern; /* read-only once it is made: any thread */
/* whole: matches neither begin nor end inside a word. FORMAT, UNSUPPORTED, LIMIT with the byte in pos. */
int task_pattern_new(const char *re, bool whole, struct task_pattern **out, struct err *e) ERR_CHECK;
void task_pattern_free(struct task_pattern *p); /* NULL is fine */
/* Calls found for each stretch that matches cover. LIMIT: the text could not be searched whole. */
int task_pattern_find(const struct task_pattern *p, const char *text, size_t n,
                      int (*found)(void *arg, size_t at, size_t n), void *arg, struct err *e) ERR_CHECK;

#endif
