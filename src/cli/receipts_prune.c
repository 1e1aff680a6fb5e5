/* croft receipts prune --before DATE: remove receipts that are old enough, up to a checkpoint, and sign where the log
 * now begins. For folders that no server writes now; a server prunes its own. Read next: src/route/receipt_write.c.
 */
#include "receipts.h"

#include <time.h>

struct settings {
    const char *dir, *before;
    bool json;
};

/* Midnight, UTC. */
static int parse_date(const char *z, int64_t *out_ms, struct err *e)
{
    struct tm t = {0};
    const char *end = strlen(z) == 10 ? strptime(z, "%Y-%m-%d", &t) : NULL;
    if (!end || *end) return ERR(e, USAGE, "'%.40s' is not a valid value of --before: write 2026-11-21.", z);
    *out_ms = (int64_t)timegm(&t) * 1000;
    return 0;
}

int cli_receipts_prune_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        {"before", 0, CONF_STR, offsetof(struct settings, before), "DATE", NULL, NULL, NULL, 0, 0,
         "receipts from before this day (UTC)"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    char dir[CLI_RECEIPTS_PATH];
    struct route_receipts *log = NULL;
    uint64_t n = 0;
    int64_t before_ms = 0;
    int exit_code = 0;
    if (!cli_options("receipts prune", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    int rc = set.before ? parse_date(set.before, &before_ms, &e) : ERR(&e, USAGE, "Which? Add --before DATE.");
    if (rc == 0) rc = cli_receipts_dir(set.dir, dir, &e);
    /* A folder without receipts is an error, and not one to begin a log in. */
    if (rc == 0) rc = route_checkpoints_each(dir, NULL, NULL, &e);
    if (rc == 0) rc = route_receipts_open(&(struct route_receipts_params){.dir = dir}, &log, &e);
    if (rc == 0) rc = route_receipts_prune(log, before_ms, &n, &e);
    if (rc == 0)
        rc = route_receipts_close(log, &e);
    else if (log && route_receipts_close(log, &(struct err){0}))
        n = 0;
    if (rc) return cli_fail("receipts prune", &e);
    if (set.json) return cli_json_done(json_pack("{s:I}", "pruned", (json_int_t)n), "receipts prune");
    printf("%llu receipts removed.\n", (unsigned long long)n);
    return 0;
}
