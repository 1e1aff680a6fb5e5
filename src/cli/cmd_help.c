/* croft help [COMMAND]: the commands by group, one command in full, or all of it as Markdown for docs/cli.md.
 * A command's own help comes from the command: it is called with --help and answers from its rows. */
#include "cli.h"

static void list(void)
{
    const char *group = "";
    puts("Usage: croft COMMAND [OPTION]… [ARGUMENT]…\n\nCroft runs small language models on the computers you own.");
    for (const struct cli_command *c = cli_commands(); c->name; c++) {
        if (strcmp(c->group, group) != 0) printf("\n%s\n", c->group);
        group = c->group;
        printf("  %-12s %s\n", c->name, c->help);
    }
    puts("\n'croft help COMMAND' or 'croft COMMAND --help' explains one. 'croft --version' prints the version.");
}

static int ask(const struct cli_command *c)
{
    char name[32], *argv[] = {name, "--help", NULL};
    snprintf(name, sizeof name, "%s", c->name);
    return c->run(2, argv);
}

static int markdown(void)
{
    const char *group = "";
    int exit_code = 0;
    puts("# The commands\n\nMade by `make docs` from the tables that also drive the program: do not edit.\n\n"
         "Every command has `--help` (`-h`). A flag `--name` is cleared by `--no-name`. `--` ends the options.\n"
         "A setting comes from its flag, else from its environment variable, else from its default.\n"
         "Exit codes are in [ERRORS.md](ERRORS.md).");
    cli_help_form_set(CLI_HELP_MARKDOWN);
    for (const struct cli_command *c = cli_commands(); c->name && exit_code == 0; c++) {
        if (strcmp(c->group, group) != 0) printf("\n## %s\n", c->group);
        group = c->group;
        putchar('\n');
        exit_code = ask(c);
        for (const struct cli_command *v = cli_verbs(); v->name && exit_code == 0; v++) {
            if (!cli_verb_of(v, c->name)) continue;
            putchar('\n');
            exit_code = ask(v);
        }
    }
    return exit_code;
}

int cmd_help(int argc, char **argv)
{
    struct settings {
        bool markdown;
    } set = {0};
    static const struct conf_row rows[] = {
        {"markdown", 0, CONF_FLAG, offsetof(struct settings, markdown), .help = "print every command as Markdown"},
        {.name = ""},
    };
    struct conf_list words;
    int exit_code;
    if (!cli_options("help", rows, &set, argc, argv, &words, 0, 1, &exit_code)) return exit_code;
    if (set.markdown) return markdown();
    if (words.n == 0) {
        list();
        return 0;
    }
    const struct cli_command *c = cli_command_find(words.item[0]);
    if (c) return ask(c);
    struct err e;
    char suggestion[64];
    cli_suggest(words.item[0], suggestion, sizeof suggestion);
    ERR(&e, USAGE, "There is no command '%.60s'.%s", words.item[0], suggestion);
    return cli_fail("help", &e);
}
