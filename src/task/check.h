/* Findings of a check, shared by check.c and check_model.c. */
#ifndef CHECK_H
#define CHECK_H

#include "task_check.h"

int task_check_add(struct task_check *c, bool is_error, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5)
    ERR_CHECK;

#endif
