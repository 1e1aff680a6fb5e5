/* croft qualify, shared by its files: cmd_qualify.c (settings, the order of things), qualify_model.c (the model's
 * shape, an answer's, the evaluation), qualify_measure.c (this machine), qualify_print.c, qualify_plan.c. */
#ifndef CLI_QUALIFY_H
#define CLI_QUALIFY_H

#include "econ_plan.h"
#include "econ_qualify.h"
#include "econ_roofline.h"
#include "engine.h"

struct cli_qualify_settings {
    struct cli_engine_settings engine;
    const char *model, *eval, *devices, *level, *bought, *format;
    struct conf_list device;
    int64_t prompt, cached, answer; /* tokens; -1: not said */
    double memory_factor, decode_rate, prompt_rate, p99_ms, sustained_share, celsius, joules,
        sustained; /* 0: not said */
    int64_t life;
    bool list_devices, plan, hardware_only, json;
};

/* What is qualified. */
struct cli_qualify {
    const struct cli_qualify_settings *set;
    const char *name;               /* of the model, as given */
    struct task *task;              /* NULL: a model without a task */
    struct task_examples x;         /* of the task, to be answered while measuring; n 0: none */
    char *path;                     /* of the model's file */
    char *evaluation, *calibration; /* where they are, or NULL */
    struct econ_model_shape shape;
    struct econ_work work;
    const char *work_from; /* where the tokens of an answer are from */
    struct econ_required required;
    struct econ_found found;
    char metric[32];
    struct econ_devices own; /* rows of --devices */
};
/* From what was given on the command line: model, task, shape, evaluation. Nothing is computed with the model. */
int cli_qualify_open(struct cli_qualify *q, const char *word, struct err *e) ERR_CHECK;
void cli_qualify_close(struct cli_qualify *q);

/* Fills q->found from this machine, and what the formulas would have predicted. */
struct cli_qualify_here {
    char machine[96], level[32];
    int threads;
    struct econ_machine limits;
    struct econ_prediction predicted;
};
int cli_qualify_measure(struct cli_qualify *q, struct cli_qualify_here *out, struct err *e) ERR_CHECK;
/* The limits alone, as croft doctor measures them. */
int cli_qualify_limits(const struct cli_qualify_settings *set, struct econ_machine *out, struct err *e) ERR_CHECK;

/* A device and what becomes of it. */
struct cli_qualify_device {
    const struct econ_device *device; /* NULL: this machine, by its measured limits */
    struct econ_machine machine;
    struct econ_prediction p;
    struct econ_verdict v;
};
/* Exit codes of the program. */
int cli_qualify_print_here(const struct cli_qualify *q, const struct cli_qualify_here *h,
                           const struct econ_verdict *v);
int cli_qualify_print_devices(const struct cli_qualify *q, const struct cli_qualify_device *d, int n);
int cli_qualify_exit(enum econ_outcome o); /* 0 qualified, 1 not, 2 open */
int cli_qualify_list(const struct cli_qualify_settings *set);
int cli_qualify_plan(const struct cli_qualify_settings *set, const char *model, int *out_exit,
                     struct err *e) ERR_CHECK;

#endif
