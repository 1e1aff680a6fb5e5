/* The parts of `croft eval`: cmd_eval.c opens what is scored, eval_report.c prints what came of it. */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "engine.h"
#include "task_report.h"

/* A report for a person: measures with their intervals, rates, the comparison. per_label: a line for each label too. */
int cli_eval_print(const struct task_report *r, const struct task_against *a, const json_t *report, bool per_label);

#endif
