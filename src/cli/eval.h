/* The parts of `croft eval`: cmd_eval.c opens what is scored, eval_report.c prints what came of it, eval_text.c is
 * about texts instead of tasks. */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "engine.h"
#include "task_report.h"

/* A report for a person: measures with their intervals, rates, the comparison. per_label: a line for each label too. */
int cli_eval_print(const struct task_report *r, const struct task_against *a, const json_t *report, bool per_label);

struct cli_text {
    struct cli_engine_settings engine;
    const char *model, *base, *path; /* base NULL: perplexity alone */
    int64_t chunks;                  /* 0: all */
    bool json;
};
/* Measures and prints. */
int cli_text_run(struct cli_text *t, const char *command, int *out_exit, struct err *e) ERR_CHECK;

#endif
