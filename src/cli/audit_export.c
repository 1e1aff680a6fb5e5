/* croft audit export: the log as lines of JSON, receipts and then checkpoints, byte for byte what was hashed and
 * signed. docs/RECEIPTS.md says how to verify them without Croft. */
#include "receipts.h"

struct settings {
    const char *dir, *output;
};

int cli_audit_export_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        {"output", 'o', CONF_STR, offsetof(struct settings, output), "FILE", NULL, NULL, NULL, 0, 0,
         "write there instead of to standard output"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    char dir[CLI_RECEIPTS_PATH];
    FILE *out = NULL;
    int exit_code = 0;
    if (!cli_options("audit export", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    int rc = cli_receipts_dir(set.dir, dir, &e);
    if (rc == 0) rc = cli_receipts_open(set.output, &out, &e);
    if (rc == 0) rc = route_receipts_export(dir, cli_receipts_line, out, &e);
    rc = cli_receipts_close(out, set.output, rc, &e);
    return rc ? cli_fail("audit export", &e) : 0;
}
