/* What the commands about receipts share: the folder, and filters. */
#ifndef CLI_RECEIPTS_H
#define CLI_RECEIPTS_H

#include "cli.h"
#include "route_receipt.h"

#define CLI_RECEIPTS_DIR_ROW(settings)                                                                               \
    {"receipts", 0, CONF_STR, offsetof(settings, dir), "DIR", NULL, "CROFT_RECEIPTS", NULL, 0, 0,                    \
     "folder of the receipts (receipts in $CROFT_HOME)"}
struct cli_receipts_filter {
    const char *since, *until, *task, *tier, *place, *reason, *key, *data_class, *subject;
    int64_t status, limit;
    bool left;
};
#define CLI_RECEIPTS_ROW_STR(settings, name, field, arg, help)                                                       \
    {(name), 0, CONF_STR, offsetof(settings, filter.field), (arg), NULL, NULL, NULL, 0, 0, (help)}
/* Rows for a `struct cli_receipts_filter filter` in the settings. */
#define CLI_RECEIPTS_FILTER_ROWS(settings)                                                                           \
    CLI_RECEIPTS_ROW_STR(settings, "since", since, "TIME", "from then on: 2026-11-21, or with T08:00Z"),             \
        CLI_RECEIPTS_ROW_STR(settings, "until", until, "TIME", "before then"),                                       \
        CLI_RECEIPTS_ROW_STR(settings, "task", task, "NAME", "of this task"),                                        \
        CLI_RECEIPTS_ROW_STR(settings, "tier", tier, "NAME", "answered by this tier"),                               \
        {"place", 0, CONF_CHOICE, offsetof(settings, filter.place), "PLACE", NULL, NULL, "device|premises|cloud", 0, \
         0, "answered there"},                                                                                       \
        CLI_RECEIPTS_ROW_STR(settings, "reason", reason, "WORD", "with this reason: low_confidence, …"),             \
        CLI_RECEIPTS_ROW_STR(settings, "key", key, "NAME", "asked with this API key"),                               \
        CLI_RECEIPTS_ROW_STR(settings, "class", data_class, "NAME", "of this data class"),                           \
        CLI_RECEIPTS_ROW_STR(settings, "subject", subject, "USER", "of this user: the id, or its 64-digit hash"),    \
        {"status", 0, CONF_I64, offsetof(settings, filter.status), "CODE", "0", NULL, NULL, 0, 999,                  \
         "with this HTTP status (0: any)"},                                                                          \
        {"left", 0, CONF_FLAG, offsetof(settings, filter.left), .help = "only where something left this device"}

enum { CLI_RECEIPTS_PATH = 4096 };
/* Where the receipts are: `dir`, or by default. */
int cli_receipts_dir(const char *dir, char out[CLI_RECEIPTS_PATH], struct err *e) ERR_CHECK;
/* A user's id as its hash in that folder; what is 64 hexadecimal digits already stays. */
int cli_receipts_subject(const char *dir, const char *user, char out[65], struct err *e) ERR_CHECK;
/* *out borrows from f and `subject`. */
int cli_receipts_filter(const char *dir, const struct cli_receipts_filter *f, char subject[65],
                        struct route_receipt_filter *out, struct err *e) ERR_CHECK;
/* A receipt's JSON; json_decref. */
int cli_receipts_parse(const char *body, size_t n, json_t **out, struct err *e) ERR_CHECK;
const char *cli_receipts_text(const json_t *receipt, const char *member); /* "" when it has none */
/* Standard output, or a file that is made when `path` is given; both close with cli_receipts_close. */
int cli_receipts_open(const char *path, FILE **out, struct err *e) ERR_CHECK;
int cli_receipts_close(FILE *f, const char *path, int rc, struct err *e) ERR_CHECK;
int cli_receipts_line(void *file, const char *line, size_t n, struct err *e); /* write it */

/* receipts_sums.c, receipts_perimeter.c: reports over what the filter lets through. Exit codes. */
int cli_receipts_sums(const char *dir, const struct route_receipt_filter *f, bool json);
int cli_receipts_perimeter(const char *dir, const struct route_receipt_filter *f, bool json);

/* Groups by name, in the order of their appearance. */
struct cli_group {
    char name[320];       /* the parts of a name end with a line end each */
    uint64_t n, bytes, tokens, redacted;
    double ms;
    struct { char currency[4]; money cost; } paid[4]; /* more currencies than four: the rest is not shown */
};
struct cli_groups {
    struct cli_group *list; /* [n], mem_free */
    size_t n, cap;
};
struct cli_group *cli_group_get(struct cli_groups *g, const char *name); /* NULL without memory */
void cli_group_pay(struct cli_group *g, const json_t *receipt);
void cli_group_cost(const struct cli_group *g, char out[160]); /* "0.042 USD" */
/* Receipts' lines about a group's place in the name. */
void cli_group_part(const struct cli_group *g, int part, char out[128]);

#endif
