/* A task's input as a chat request for another model, and that model's answer as the task's. The other model sees
 * what the local one is asked with: the system message, the prompt around the input, and the labels or the schema as
 * a `response_format`. */
#ifndef TASK_REMOTE_H
#define TASK_REMOTE_H

#include "task_task.h"

#include <jansson.h>

/* Can another model be asked at all? A vector of another model is no answer: embed cannot. */
bool task_is_remote(const struct task *t);
/* OpenAI's chat request without a model. json_decref. UNSUPPORTED, FORMAT: the input is not UTF-8. */
int task_remote_request(const struct task *t, const char *input, json_t **out, struct err *e) ERR_CHECK;
/* classify: *out_label, and *out_text is its name; else *out_text is the JSON or the text. mem_free. FORMAT: the text
 * is no answer to this task. Whether JSON keeps to the schema is not looked at here. */
int task_remote_answer(const struct task *t, const char *text, int *out_label, char **out_text,
                       struct err *e) ERR_CHECK;

#endif
