/* croft version, croft --version. */
#include "cli.h"

int cmd_version(int argc, char **argv)
{
    static const struct conf_row rows[] = {{.name = ""}};
    struct conf_list words;
    int exit_code;
    if (!cli_options("version", rows, NULL, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    puts("croft " CROFT_VERSION);
    return 0;
}
