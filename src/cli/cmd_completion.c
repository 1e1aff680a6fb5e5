/* croft completion SHELL: a completion script, made from the command table and every command's rows.
 * The script is static text: it lists what this build knows, and asks nothing of the program at completion time. */
#include "cli.h"

/* "cmd1 cmd2 …" of all commands. */
static void print_commands(void)
{
    const struct cli_command *first = cli_commands();
    for (const struct cli_command *c = first; c->name; c++) printf("%s%s", c == first ? "" : " ", c->name);
}

/* The options of a command, one per line, printed by the command itself. */
static void print_options(const struct cli_command *c)
{
    char name[32], *argv[] = {name, "--help", NULL};
    snprintf(name, sizeof name, "%s", c->name);
    cli_help_form_set(CLI_HELP_NAMES);
    c->run(2, argv);
}

static void bash(void)
{
    puts("# croft completion for bash: source it, or put it in /etc/bash_completion.d/\n_croft() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} list=\n    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    fputs("        list=\"", stdout);
    print_commands();
    puts("\"\n    elif [[ $word == -* ]]; then\n        case ${COMP_WORDS[1]} in");
    for (const struct cli_command *c = cli_commands(); c->name; c++) {
        printf("        %s) list=\"", c->name);
        print_options(c);
        puts("\" ;;");
    }
    puts("        esac\n    fi\n    COMPREPLY=($(compgen -W \"$list\" -- \"$word\"))\n}\n"
         "complete -o default -F _croft croft");
}

static void zsh(void)
{
    puts("#compdef croft\n# croft completion for zsh: source it after compinit, or put it in $fpath as _croft\n"
         "_croft() {\n"
         "    if (( CURRENT == 2 )); then\n        local -a commands=(");
    for (const struct cli_command *c = cli_commands(); c->name; c++) printf("            '%s:%s'\n", c->name, c->help);
    puts("        )\n        _describe command commands\n"
         "    elif [[ $PREFIX == -* ]]; then\n        case $words[2] in");
    for (const struct cli_command *c = cli_commands(); c->name; c++) {
        printf("        %s) compadd -- ", c->name);
        fputs("${(f)\"$(cat <<'END'\n", stdout);
        print_options(c);
        puts("END\n)\"} ;;");
    }
    puts("        esac\n    else\n        _files\n    fi\n}\ncompdef _croft croft");
}

static void fish(void)
{
    puts("# croft completion for fish: put it in ~/.config/fish/completions/croft.fish");
    for (const struct cli_command *c = cli_commands(); c->name; c++) {
        printf("complete -c croft -n __fish_use_subcommand -a %s -d '%s'\n", c->name, c->help);
        printf("for option in (string split \\n -- '");
        print_options(c);
        printf("')\n    test -n \"$option\"; and complete -c croft -n '__fish_seen_subcommand_from %s'"
               " -l (string sub -s 3 -- $option)\nend\n", c->name);
    }
}

int cmd_completion(int argc, char **argv)
{
    static const struct conf_row rows[] = {{.name = ""}};
    static const struct { const char *name; void (*print)(void); } shells[] = {
        {"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    struct conf_list words;
    struct err e;
    int exit_code;
    if (!cli_options("completion", rows, NULL, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(words.item[0], shells[i].name) != 0) continue;
        shells[i].print();
        return 0;
    }
    ERR(&e, USAGE, "There is no completion for '%.40s': give bash, zsh or fish.", words.item[0]);
    return cli_fail("completion", &e);
}
