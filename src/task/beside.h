/* What is stored for a task beside the weights that it was made for: one JSON object a file, MODEL.TASK.KIND.json
 * beside MODEL.gguf, with "format", "task" and "model" (gguf_fingerprint) among its members. */
#ifndef TASK_BESIDE_H
#define TASK_BESIDE_H

#include "base_buf.h"

#include <jansson.h>

struct task_beside_kind {
    const char *suffix;  /* ".fit.json" */
    const char *format;  /* "croft-fit-2" */
    const char *before;  /* "croft-fit-1": its "model" is of a sample of the weights' bytes */
    const char *noun;    /* "fit" */
    const char *command; /* what makes it: "croft task fit" */
    size_t max_bytes;
};

char *task_beside_path(const struct task_beside_kind *k, const char *model_path,
                       const char *task_name); /* mem_free */

/* Begins a file with its first members and those of `more` (taken; NULL: no memory). Append `, "key": value` to the
 * buffer, then end it, which writes it whole or not at all. A failure leaves nothing to free. */
int task_beside_begin(const struct task_beside_kind *k, const char *task_name, const char *model_path, json_t *more,
                      struct buf *out, struct err *e) ERR_CHECK;
int task_beside_end(const struct task_beside_kind *k, const char *path, struct buf *b, struct err *e) ERR_CHECK;
/* `, "key": [n numbers]` with the nine digits that a float needs to come back the same; or rows [n_rows, n] of them.
 */
void task_beside_add_numbers(struct buf *b, const char *key, const float *x, size_t n);
void task_beside_add_rows(struct buf *b, const char *key, const float *x, size_t n_rows, size_t n);

/* NOT_FOUND: there is no such file; FORMAT: it is none of this kind; DIGEST: it is for other weights. */
int task_beside_read(const struct task_beside_kind *k, const char *path, const char *model_path, json_t **out,
                     struct err *e) ERR_CHECK;
int task_beside_damaged(const struct task_beside_kind *k, const char *path, struct err *e); /* FORMAT, always */
/* Exactly n finite numbers, or rows [n_rows, n] of them? */
bool task_beside_numbers(const json_t *list, float *out, size_t n);
bool task_beside_rows(const json_t *list, float *out, size_t n_rows, size_t n);

#endif
