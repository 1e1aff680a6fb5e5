/* The program's frame: the table of commands, and what commands share. One command = one file cmd_<name>.c with one
 * function of the same name = one row in commands.inc. */
#ifndef CLI_H
#define CLI_H

#include "base_conf.h"
#include "base_mem.h"
#include "base_str.h"

#define CLI_COMMAND(name, usage, help) int cmd_##name(int argc, char **argv);
#include "commands.inc"
#undef CLI_COMMAND

/* argv[0] is the command's name. A command returns the process's exit code. It prints errors with cli_fail. */

/* "croft NAME: message" on standard error (in red on a terminal unless NO_COLOR), returns the code's exit code. */
int cli_fail(const char *command, const struct err *e);
/* Parse this command's options; prints help to standard output or the error to standard error when it returns false, with
 * the exit code in *exit_code. Checks min_words ≤ n ≤ max_words. */
bool cli_options(const char *command, const struct conf_row *rows, void *settings, int argc, char **argv,
                 struct conf_list *words, int min_words, int max_words, int *exit_code);

#endif
