/* croft receipts export: lines of JSON, oldest first. Plain: the receipts that the filter lets through. --subject:
 * also everything that the content store keeps of that person, for a request of access. --captured TASK: instead, the
 * pairs captured for a task, as its training data. Read next: src/route/store.c. */
#include "receipts.h"
#include "route_store.h"

struct settings {
    const char *dir, *captured, *output;
    struct cli_receipts_filter filter;
};

static int write_receipt(void *file, uint64_t seq, const char *body, size_t n, struct err *e)
{
    int rc = cli_receipts_line(file, body, n, e);
    return rc ? rc : cli_receipts_line(file, "\n", 1, e);
}

/* A folder without a content store holds nothing of anybody. */
static int open_store(const char *dir, struct route_store **out, struct err *e)
{
    int rc = route_store_open(&(struct route_store_params){.dir = dir, .beside = true}, out, e);
    return rc == CROFT_E_NOT_FOUND ? 0 : rc;
}

static int export(const struct settings *set, FILE *out, struct err *e)
{
    char dir[CLI_RECEIPTS_PATH], subject[65];
    struct route_receipt_filter f;
    struct route_store *store = NULL;
    int rc = cli_receipts_dir(set->dir, dir, e);
    if (rc == 0) rc = cli_receipts_filter(dir, &set->filter, subject, &f, e);
    if (rc == 0 && (set->captured || f.subject)) rc = open_store(dir, &store, e);
    if (rc == 0 && set->captured && store)
        rc = route_capture_export(store, set->captured, f.subject, cli_receipts_line, out, e);
    if (rc == 0 && !set->captured) rc = route_receipts_each(dir, &f, write_receipt, out, e);
    if (rc == 0 && !set->captured && f.subject && store)
        rc = route_subject_export(store, f.subject, cli_receipts_line, out, e);
    route_store_close(store);
    return rc;
}

int cli_receipts_export_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        CLI_RECEIPTS_FILTER_ROWS(struct settings),
        {"captured", 0, CONF_STR, offsetof(struct settings, captured), "TASK", NULL, NULL, NULL, 0, 0,
         "the pairs captured for this task, as training data"},
        {"output", 'o', CONF_STR, offsetof(struct settings, output), "FILE", NULL, NULL, NULL, 0, 0,
         "write there instead of to standard output"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    FILE *out = NULL;
    int exit_code = 0;
    if (!cli_options("receipts export", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    int rc = cli_receipts_open(set.output, &out, &e);
    if (rc == 0) rc = export(&set, out, &e);
    rc = cli_receipts_close(out, set.output, rc, &e);
    return rc ? cli_fail("receipts export", &e) : 0;
}
