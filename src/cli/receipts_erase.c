/* croft receipts erase --subject USER: what the content store keeps of a person is overwritten. Receipts hold no
 * content and stay, so that the log still verifies. Read next: src/route/store.c. */
#include "receipts.h"
#include "route_store.h"

struct settings {
    const char *dir, *subject;
    bool json;
};

static int count(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    ++*(uint64_t *)arg;
    return 0;
}

static int erase(const struct settings *set, uint64_t *out_erased, uint64_t *out_kept, struct err *e)
{
    char dir[CLI_RECEIPTS_PATH], subject[65];
    struct route_store *store = NULL;
    struct route_receipt_filter f = {.subject = subject};
    int rc = cli_receipts_dir(set->dir, dir, e);
    if (rc == 0) rc = cli_receipts_subject(dir, set->subject, subject, e);
    if (rc == 0) rc = route_store_open(&(struct route_store_params){.dir = dir, .beside = true}, &store, e);
    if (rc == CROFT_E_NOT_FOUND) rc = 0; /* nothing was ever stored */
    if (rc == 0 && store) rc = route_subject_erase(store, subject, out_erased, e);
    if (rc == 0) rc = route_receipts_each(dir, &f, count, out_kept, e);
    route_store_close(store);
    return rc == CROFT_E_NOT_FOUND ? 0 : rc;
}

int cli_receipts_erase_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        {"subject", 0, CONF_STR, offsetof(struct settings, subject), "USER", NULL, NULL, NULL, 0, 0,
         "the user: the id, or its 64-digit hash"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    uint64_t erased = 0, kept = 0;
    int exit_code = 0;
    if (!cli_options("receipts erase", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    int rc = set.subject ? erase(&set, &erased, &kept, &e) : ERR(&e, USAGE, "Whose? Add --subject USER.");
    if (rc) return cli_fail("receipts erase", &e);
    if (set.json)
        return cli_json_done(json_pack("{s:I s:I}", "erased", (json_int_t)erased, "receipts_kept", (json_int_t)kept),
                             "receipts erase");
    printf("%llu stored texts erased. %llu receipts stay: they have no content.\n", (unsigned long long)erased,
           (unsigned long long)kept);
    return 0;
}
