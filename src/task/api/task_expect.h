/* Checks of a generated text, where more than one text is right: a JSON list of {"type", "value"}, all of which must
 * hold. The types are promptfoo's, with its meaning:
 *
 *   equals                      the text is the value; a value that is no text: the text is JSON equal to it
 *   contains, icontains         the value is in the text (i: as lower-case letters)
 *   contains-all, contains-any  of a list of values; icontains-all, icontains-any
 *   starts-with
 *   is-json                     no value
 *   not-…                       any of these does not hold */
#ifndef TASK_EXPECT_H
#define TASK_EXPECT_H

#include "base_err.h"

#include <jansson.h>

/* Are these checks that can be made? FORMAT, UNSUPPORTED: names the one that cannot. */
int task_expect_valid(const json_t *checks, struct err *e) ERR_CHECK;
/* Do all hold? `checks` is valid. */
int task_expect_met(const json_t *checks, const char *text, size_t n, bool *out, struct err *e) ERR_CHECK;

#endif
