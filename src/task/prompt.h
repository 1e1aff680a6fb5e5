/* What the prompts of the local and of other models share. */
#ifndef PROMPT_H
#define PROMPT_H

#include "task_task.h"

/* The user message: the task's prompt with every {{input}} replaced; mem_free. NULL without memory. */
char *task_user_text(const struct task *t, const char *input);

#endif
