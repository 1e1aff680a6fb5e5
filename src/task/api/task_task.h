/* A task: what must be answered, as written in task.yaml. Unknown keys are errors. Paths in the file are relative to
 * the file's own folder and are resolved here. */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "base_err.h"

enum task_kind { TASK_CLASSIFY, TASK_EXTRACT, TASK_GENERATE, TASK_EMBED };
enum task_metric { TASK_ACCURACY, TASK_MACRO_F1, TASK_EXACT_MATCH, TASK_FIELD_F1 };

struct task_label {
    char *name;
    char *description; /* NULL if none */
};
/* Where an example's parts stand in a row of the data: the name of a key or column, or a template over the row's
 * values ("{{question}}\nA. {{a}}"). NULL: the part's own name. */
struct task_columns {
    char *input, *label, *output;
    char *group;    /* language, customer, …: what thresholds may differ by; no example needs one unless it is named */
    char **choices; /* [n_choices] one text each; a single one names a list */
    unsigned n_choices;
};
struct task_data {
    char *train, *validation, *test; /* resolved paths or NULL */
    struct task_columns *columns;    /* NULL: none is renamed */
};
struct task {
    char *name;
    enum task_kind kind;
    char *system;             /* system message, or NULL */
    char *prompt;             /* user message; {{input}} stands for the input; NULL: the input itself */
    struct task_label *labels; /* [n_labels] for classify; none where each example brings its choices (columns) */
    unsigned n_labels;
    char *schema;             /* JSON Schema as text (extract), or NULL */
    struct task_data *data;   /* NULL if the file names none */
    enum task_metric metric;
    double floor;             /* required value of the metric; 0: none */
    double latency_ms;        /* objective; 0: none */
    char *sensitivity;        /* data class ("local-only", …), or NULL */
};

/* FORMAT with a sentence that names key and line when the file is not a task. Free with task_free. */
int task_load(const char *path, struct task **out, struct err *e) ERR_CHECK;
void task_free(struct task *t);
int task_label_find(const struct task *t, const char *name); /* index or -1 */

#endif
