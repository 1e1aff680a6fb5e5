/* croft audit anchor: the last signed checkpoint as one line, to be kept where the owner of this machine cannot
 * write: printed, mailed, in another's repository. Later, `croft audit verify --anchors FILE` holds the log against
 * it. */
#include "receipts.h"

struct settings {
    const char *dir;
    bool all;
};
struct anchors {
    bool all;
    struct buf line; /* the last, or what was not printed yet */
};

static int keep(void *arg, const struct route_checkpoint *c, struct err *e)
{
    struct anchors *a = arg;
    buf_clear(&a->line);
    route_anchor_line(c->signature, c->body, &a->line);
    int rc = buf_check(&a->line, "anchor", e);
    if (rc == 0 && a->all) rc = cli_receipts_line(stdout, a->line.data, a->line.len, e);
    return rc;
}

int cli_audit_anchor_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        {"all", 0, CONF_FLAG, offsetof(struct settings, all), .help = "all checkpoints, oldest first"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    struct anchors a = {0};
    char dir[CLI_RECEIPTS_PATH];
    int exit_code = 0;
    if (!cli_options("audit anchor", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    a.all = set.all;
    buf_init(&a.line, 1 << 16);
    int rc = cli_receipts_dir(set.dir, dir, &e);
    if (rc == 0) rc = route_checkpoints_each(dir, keep, &a, &e);
    if (rc == 0 && !a.line.len)
        rc = ERR(&e, NOT_FOUND, "Nothing is signed yet in '%.200s': a checkpoint comes every minute, and at the end.",
                 dir);
    if (rc == 0 && !set.all) rc = cli_receipts_line(stdout, a.line.data, a.line.len, &e);
    buf_done(&a.line);
    return rc ? cli_fail("audit anchor", &e) : 0;
}
