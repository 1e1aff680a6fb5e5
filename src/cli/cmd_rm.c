/* croft rm NAME…: forget models; blobs that no other model needs are deleted. Read next:
 * src/bundle/store.c. */
#include "bundle_store.h"
#include "cli.h"

struct rm {
    bool unused, json;
};
static const struct conf_row rows[] = {{"unused", 0, CONF_FLAG, offsetof(struct rm, unused),
                                        .help = "remove partial downloads and files no model needs"},
                                       CLI_JSON_ROW(struct rm),
                                       {.name = ""}};
static const struct cli_column cols[] = {
    {"name", "NAME", CLI_TEXT}, {"freed_bytes", "FREED", CLI_BYTES}, {0}};

static void said(struct cli_table *t, bool json, const char *name, int64_t freed)
{
    char size[16];
    if (!json) printf("Removed %s, %s freed.\n", name, bundle_human_bytes(freed, size));
    cli_text(t, name);
    cli_int(t, freed);
}

/* The models before a failing one stay removed and are reported; the first failure decides the exit code. */
int cmd_rm(int argc, char **argv)
{
    struct rm o = {0};
    struct conf_list words = {.n = 0};
    struct bundle_store *s;
    struct cli_table t;
    struct err e = {0};
    int code, first = 0;
    int64_t freed;
    if (!cli_options("rm", rows, &o, argc, argv, &words, 0, -1, &code)) return code;
    if (words.n == 0 && !o.unused) {
        ERR(&e, USAGE, "Which model? `croft list` shows the names. `croft rm --unused` removes leftovers.");
        return cli_fail("rm", &e);
    }
    if (bundle_store_open(NULL, false, &s, &e)) return cli_fail("rm", &e);
    cli_table_init(&t, cols);
    for (int i = 0; i < words.n; i++) {
        int rc = bundle_store_remove(s, words.item[i], &freed, &e);
        if (rc == 0) said(&t, o.json, words.item[i], freed);
        else if (cli_fail("rm", &e) && !first) first = err_exit(rc);
    }
    if (o.unused) {
        int rc = bundle_store_sweep(s, &freed, &e);
        if (rc == 0) said(&t, o.json, "unused files", freed);
        else if (cli_fail("rm", &e) && !first) first = err_exit(rc);
    }
    bundle_store_close(s);
    code = 0;
    if (o.json) code = cli_table_done(&t, "rm", true);
    else json_decref(cli_table_take(&t));
    return first ? first : code;
}
