/* Labelled examples: one JSON object a line, {"input": text, "label": name} or {"input": text, "output": any JSON}.
 * Blank lines are skipped; a damaged line is an error that names it. */
#ifndef TASK_DATA_H
#define TASK_DATA_H

#include "base_arena.h"
#include "base_err.h"

struct task_example {
    const char *input;
    const char *label;  /* NULL if the line has none */
    const char *output; /* compact JSON with sorted keys, or NULL */
};
struct task_examples {
    struct task_example *item; /* [n] */
    size_t n;
    struct arena arena;        /* owns the strings */
};

int task_examples_load(const char *path, struct task_examples *out, struct err *e) ERR_CHECK;
void task_examples_done(struct task_examples *x);

#endif
