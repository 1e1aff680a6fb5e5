/* Reading request bodies: fields by name, each with its type and range; whatever is wrong names the field. All return
 * 0, or a negative code with job->fault set. An absent or null field leaves the output as it is. `at` is where the
 * object stands in the request ("messages[2].", or ""), for the message. */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include "job.h"

/* What an object may hold. A field that is IGNORED has no influence on the answer here or at OpenAI's; one that is
 * FIXED would have, and may only be given with a value that asks for nothing (`fixed`, JSON texts separated by '|').
 */
enum serve_use { SERVE_USED, SERVE_IGNORED, SERVE_FIXED };
struct serve_field {
    const char *name; /* NULL ends the table */
    enum serve_use use;
    const char *fixed;
};
int serve_fields_check(struct serve_job *job, json_t *object, const char *at,
                       const struct serve_field *table) ERR_CHECK;

int serve_field_number(struct serve_job *job, json_t *o, const char *at, const char *name, double min, double max,
                       double *out) ERR_CHECK;
int serve_field_integer(struct serve_job *job, json_t *o, const char *at, const char *name, int64_t min, int64_t max,
                        int64_t *out) ERR_CHECK;
int serve_field_bool(struct serve_job *job, json_t *o, const char *at, const char *name, bool *out) ERR_CHECK;
int serve_field_string(struct serve_job *job, json_t *o, const char *at, const char *name,
                       const char **out) ERR_CHECK;
/* The member itself, of a JSON type; `article_type` for the message ("an array"). */
int serve_field_value(struct serve_job *job, json_t *o, const char *at, const char *name, json_type type,
                      const char *article_type, json_t **out) ERR_CHECK;
/* A field that must be there. */
int serve_field_missing(struct serve_job *job, const char *at, const char *name) ERR_CHECK;

/* The code of the fault behind a NULL; NOMEM when there is none. */
int serve_failed(const struct serve_job *job) ERR_CHECK;

/* The whole body as an object: job->in. 400 with the position when it is not JSON. */
int serve_body_parse(struct serve_job *job) ERR_CHECK;
/* Its `model`: job->model. 404 when there is none of that name, 403 when the key may not use it. */
int serve_body_model(struct serve_job *job) ERR_CHECK;

int serve_json_dump(json_t *value, struct buf *out, size_t flags); /* appends; JSON_ENCODE_ANY is added */
json_t *serve_json_text(const char *p, size_t n);                  /* any bytes: invalid UTF-8 becomes U+FFFD */

#endif
