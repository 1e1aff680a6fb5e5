/* The verbs of 'croft task' that have a file of their own. argv[0] is the verb; the exit code is returned. */
#ifndef CLI_TASK_H
#define CLI_TASK_H

int cli_task_fit_command(int argc, char **argv);

#endif
