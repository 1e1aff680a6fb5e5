/* Tasks of other tools as Croft's: lm-eval's multiple-choice tasks and promptfoo's tests. Nothing of theirs is run:
 * what stands in their YAML and in local data files becomes examples. What would not mean the same here is an error
 * that names it. docs/TASKS.md has what is read. */
#ifndef TASK_IMPORT_H
#define TASK_IMPORT_H

#include "base_buf.h"
#include "task_data.h"

struct task_imported {
    const char *from;    /* "lm-eval", "promptfoo" */
    struct buf yaml;     /* task.yaml */
    struct buf data[3];  /* by enum task_split: NAME.jsonl, empty if there is none; yaml names them so */
    size_t n[3];         /* examples */
};

/* FORMAT: not such a file, or damaged; UNSUPPORTED: names what cannot be imported; NOT_FOUND: a data file is not
 * there. */
int task_import(const char *path, struct task_imported *out, struct err *e) ERR_CHECK;
void task_imported_done(struct task_imported *t);

#endif
