/* croft ps: which models run or are served right now on this machine. Read next: src/bundle/run.c. */
#include "base_clock.h"
#include "bundle_run.h"
#include "cli.h"

struct ps {
    bool json;
};
static const struct conf_row rows[] = {CLI_JSON_ROW(struct ps), {.name = ""}};
static const struct cli_column cols[] = {
    {"pid", "PID", CLI_INT}, {"command", "COMMAND", CLI_TEXT}, {"model", "MODEL", CLI_TEXT},
    {"seconds", "SECONDS", CLI_INT}, {"address", "ADDRESS", CLI_TEXT}, {"path", "FILE", CLI_TEXT}, {0}};

int cmd_ps(int argc, char **argv)
{
    struct ps o = {0};
    struct conf_list words = {.n = 0};
    struct bundle_run_info *list;
    struct cli_table t;
    struct err e = {0};
    int n, code;
    if (!cli_options("ps", rows, &o, argc, argv, &words, 0, 0, &code)) return code;
    if (bundle_run_list(&list, &n, &e)) return cli_fail("ps", &e);
    cli_table_init(&t, cols);
    for (int i = 0; i < n; i++) {
        int64_t seconds = clock_unix_s() - list[i].started_unix_s;
        cli_int(&t, list[i].pid);
        cli_text(&t, list[i].command);
        cli_text(&t, list[i].model);
        cli_int(&t, seconds > 0 ? seconds : 0);
        if (list[i].address[0]) cli_text(&t, list[i].address);
        else cli_none(&t);
        cli_text(&t, list[i].path);
    }
    mem_free(list);
    if (n == 0 && !o.json) fputs("No model is running.\n", stderr);
    return cli_table_done(&t, "ps", o.json);
}
