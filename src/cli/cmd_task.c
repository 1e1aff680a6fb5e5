/* croft task VERB: each verb is a file task_<verb>.c with options of its own; here the verb is found.
 * Read next: task_check.c, docs/TASKS.md. */
#include "cli.h"

int cmd_task(int argc, char **argv)
{
    static const struct conf_row rows[] = {{.name = ""}};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    for (const struct cli_command *v = cli_verbs(); argc > 1 && v->name; v++) {
        const char *word = cli_verb_of(v, "task");
        if (word && strcmp(word, argv[1]) == 0) return v->run(argc - 1, argv + 1);
    }
    if (!cli_options("task", rows, NULL, argc, argv, &words, 1, -1, &exit_code)) return exit_code;
    ERR(&e, USAGE, "There is no 'croft task %.60s'.", words.item[0]);
    return cli_fail("task", &e);
}
