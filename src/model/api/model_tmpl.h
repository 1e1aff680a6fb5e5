/* Chat templates: the part of Jinja that model templates use, run from the GGUF's own template
 * (`tokenizer.chat_template`). Semantics are Jinja2's in the environment model libraries use: trim_blocks,
 * lstrip_blocks, loop controls, `tojson` without ASCII escaping, `raise_exception`, `strftime_now`; undefined is
 * Jinja2's default Undefined (prints as "", attribute access on it is an error).
 * `strict` makes it StrictUndefined where a value is used up: printing, or looping over, what is undefined is an error.
 * A compiled template is read-only: share it between threads. Rendering is bounded in steps, depth and output. */
#ifndef MODEL_TMPL_H
#define MODEL_TMPL_H

#include "base_buf.h"
#include <jansson.h>

struct tmpl;

struct tmpl_limits {
    uint64_t max_steps;      /* evaluated nodes; 0: 10 million */
    size_t max_output_bytes; /* 0: 16 MiB */
    size_t max_memory_bytes; /* live values; 0: 64 MiB */
    bool strict;             /* what is undefined can be tested and given a default, but not printed */
};

/* FORMAT with the line of the fault in e->pos when the template does not parse. */
int tmpl_new(const char *source, size_t n, struct tmpl **out, struct err *e) ERR_CHECK;
void tmpl_free(struct tmpl *t);
/* Render with the members of the JSON object `vars` as variables (messages, tools, add_generation_prompt,
 * enable_thinking, bos_token, eos_token, …). `now`: unix seconds for strftime_now (UTC).
 * TEMPLATE: the template refused (raise_exception, undefined operation), message in e; LIMIT: a bound was hit. */
int tmpl_render(const struct tmpl *t, const json_t *vars, int64_t now, const struct tmpl_limits *limits,
                struct buf *out, struct err *e) ERR_CHECK;

#endif
