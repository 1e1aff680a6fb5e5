/* croft task VERB: each verb is a file task_<verb>.c with options of its own.
 * Read next: task_check.c, docs/TASKS.md. */
#include "cli.h"

int cmd_task(int argc, char **argv) { return cli_verbs_only("task", argc, argv); }
