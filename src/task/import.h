/* What the importers share. */
#ifndef IMPORT_H
#define IMPORT_H

#include "model_tmpl.h"
#include "task_import.h"

struct import {
    const char *path;  /* of the file, for messages and for what it names beside it */
    const json_t *doc; /* the file */
    json_t *examples[3]; /* lists of {input, label, choices} or {input, output | expect} */
    char *prompt;      /* with {{input}}, or NULL: the input is all */
};

int task_import_lm_eval(struct import *im, struct task_imported *out, struct err *e) ERR_CHECK;
int task_import_promptfoo(struct import *im, struct task_imported *out, struct err *e) ERR_CHECK;

/* UNSUPPORTED: "'FILE' cannot be imported: …." */
int task_import_refuse(const struct import *im, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4) ERR_CHECK;
/* Every key of the object must be among these words ("a b c"). `what` names the object. */
int task_import_keys(const struct import *im, const json_t *object, const char *known, const char *what,
                     struct err *e) ERR_CHECK;
/* A template as lm-eval and promptfoo have them: no newline is eaten. */
int task_import_template(const struct import *im, const char *source, struct tmpl **out, struct err *e) ERR_CHECK;
/* Rendered; what is undefined is an error. mem_free. */
int task_import_render(const struct import *im, const struct tmpl *t, const json_t *vars, const char *where, char **out,
                       struct err *e) ERR_CHECK;
/* If the template is a text with one {{ name }} and nothing else, the name and the text with {{input}} in its place
 * (both mem_free): every example then has a short input and the task's prompt is the same for all. Else NULLs. */
int task_import_hole(const char *source, char **out_name, char **out_prompt, struct err *e) ERR_CHECK;
/* Are the n bytes at p a variable's name? */
bool task_import_is_name(const char *p, size_t n);
/* A JSON text, number or truth value as text, as Python prints it (mem_free); NULL for others. */
int task_import_text(const json_t *v, char **out, struct err *e) ERR_CHECK;
/* The folder of im->path joined with name; as it is when absolute. mem_free. */
char *task_import_beside(const struct import *im, const char *name);
/* "key: "value"\n" with the value quoted for YAML. */
int task_import_put(struct buf *yaml, const char *key, const char *value);
/* The examples as JSONL, and the data part of the YAML. */
int task_import_write(const struct import *im, bool own_choices, struct task_imported *out, struct err *e) ERR_CHECK;

#endif
