/* Labelled examples from a file: JSONL (one object a line, blank lines skipped) or, where its name ends in .csv, CSV
 * with a header line. A row is {input, label}, {input, output}, {input, choices, label} or {input, expect}; task.yaml
 * may name the columns otherwise (struct task_columns). A damaged row is an error that names its line. docs/TASKS.md */
#ifndef TASK_DATA_H
#define TASK_DATA_H

#include "base_arena.h"
#include "task_task.h"

struct task_example {
    const char *input;
    const char *label;  /* NULL if the row has none */
    const char *output; /* compact JSON with sorted keys, or NULL */
    const char *expect; /* a JSON list of checks of the answer (task_expect.h), or NULL */
    const char *group;  /* of its group column, or NULL where none is named */
    const char *const *choices; /* [n_choices] what may be answered here, `label` among them; or NULL */
    unsigned n_choices;
    long long line;     /* where it begins in its file */
};
struct task_examples {
    struct task_example *item; /* [n] */
    size_t n;
    struct arena arena;        /* owns the strings */
};

enum task_split { TASK_TRAIN, TASK_VALIDATION, TASK_TEST };
const char *task_split_name(enum task_split s); /* "train", … */
const char *task_split_path(const struct task *t, enum task_split s); /* NULL: the task names none */

/* From now on the group of an example is what stands in this column (task.yaml's data.columns.group). NOT_FOUND: the
 * task names no data. */
int task_group_by(struct task *t, const char *column, struct err *e) ERR_CHECK;
/* One of the task's data sets, by its columns. NOT_FOUND: the task names none, or the file is not there. */
int task_split_load(const struct task *t, enum task_split s, struct task_examples *out, struct err *e) ERR_CHECK;
/* Any file, by the task's columns. */
int task_file_load(const struct task *t, const char *path, struct task_examples *out, struct err *e) ERR_CHECK;
/* Any file with the usual columns. */
int task_examples_load(const char *path, struct task_examples *out, struct err *e) ERR_CHECK;
void task_examples_done(struct task_examples *x);

/* Multiple-choice questions as MMLU and ARC have them, read without a task.yaml (docs/EVAL.md has the forms). */
enum task_ask {
    TASK_ASK_LETTERS, /* the input is the question with its choices as "A. text"; a letter answers it */
    TASK_ASK_TEXTS    /* the input is the question; the text of a choice answers it */
};
/* *out_is: are these such questions? If not, nothing is read: *out stays as it was. */
int task_questions_load(const char *path, enum task_ask ask, bool *out_is, struct task_examples *out,
                        struct err *e) ERR_CHECK;
/* The task that such questions are asked by when no other is given. */
const struct task *task_questions_task(enum task_ask ask);

#endif
