/* What the commands about receipts share (receipts.h). The main thread's. Read next: cmd_receipts.c. */
#include "receipts.h"
#include "bundle_store.h"

#include <errno.h>
#include <unistd.h>

int cli_receipts_dir(const char *dir, char out[CLI_RECEIPTS_PATH], struct err *e)
{
    char home[CLI_RECEIPTS_PATH - 16];
    if (dir && *dir) {
        if (snprintf(out, CLI_RECEIPTS_PATH, "%s", dir) < CLI_RECEIPTS_PATH) return 0;
        return ERR(e, USAGE, "The path of the receipts' folder is too long.");
    }
    int rc = bundle_home(home, sizeof home, e);
    if (rc == 0) snprintf(out, CLI_RECEIPTS_PATH, "%s/receipts", home);
    return rc;
}

int cli_receipts_subject(const char *dir, const char *user, char out[65], struct err *e)
{
    struct route_subject_salt salt;
    if (strlen(user) == 64 && strspn(user, "0123456789abcdef") == 64) {
        memcpy(out, user, 65);
        return 0;
    }
    int rc = route_subject_open(dir, false, &salt, e);
    if (rc == CROFT_E_NOT_FOUND)
        return ERR(e, NOT_FOUND, "There is no subject.salt in '%.200s': no receipt there names a subject.", dir);
    if (rc == 0) route_subject_hash(&salt, user, out);
    return rc;
}

/* Times are compared as text, so they must look like the beginning of one. */
static int check_time(const char *option, const char *z, struct err *e)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    size_t n = z ? strlen(z) : 0;
    bool good = !z || (n >= 4 && n < sizeof shape);
    for (size_t i = 0; i < n && good; i++)
        good = shape[i] == 'd' ? z[i] >= '0' && z[i] <= '9' : z[i] == shape[i] || (z[i] == 'Z' && i + 1 == n);
    if (good) return 0;
    return ERR(e, USAGE, "'%.40s' is not a valid value of --%s: write 2026-11-21, or 2026-11-21T08:00Z (UTC).", z,
               option);
}

int cli_receipts_filter(const char *dir, const struct cli_receipts_filter *f, char subject[65],
                        struct route_receipt_filter *out, struct err *e)
{
    int rc = check_time("since", f->since, e);
    if (rc == 0) rc = check_time("until", f->until, e);
    if (rc == 0 && f->reason && route_reason_find(f->reason) < 0)
        rc = ERR(e, USAGE, "'%.40s' is no reason. 'croft receipts --sums' shows those that occur.", f->reason);
    if (rc == 0 && f->subject) rc = cli_receipts_subject(dir, f->subject, subject, e);
    if (rc) return rc;
    *out = (struct route_receipt_filter){.since = f->since,
                                         .until = f->until,
                                         .task = f->task,
                                         .tier = f->tier,
                                         .place = f->place,
                                         .reason = f->reason,
                                         .key = f->key,
                                         .data_class = f->data_class,
                                         .subject = f->subject ? subject : NULL,
                                         .status = (int)f->status,
                                         .left = f->left,
                                         .limit = (uint64_t)f->limit};
    return 0;
}

int cli_receipts_parse(const char *body, size_t n, json_t **out, struct err *e)
{
    *out = json_loadb(body, n, 0, NULL);
    if (json_is_object(*out)) return 0;
    json_decref(*out);
    *out = NULL;
    return ERR(e, DIGEST, "A receipt is no JSON: it was changed. Run 'croft audit verify'.");
}

const char *cli_receipts_text(const json_t *receipt, const char *member)
{
    const char *z = json_string_value(json_object_get(receipt, member));
    return z ? z : "";
}

int cli_receipts_open(const char *path, FILE **out, struct err *e)
{
    *out = path ? fopen(path, "we") : stdout;
    return *out ? 0 : err_errno(e, errno, "create", path);
}

int cli_receipts_close(FILE *f, const char *path, int rc, struct err *e)
{
    if (!path || !f) return rc;
    if (fclose(f) && rc == 0) rc = err_errno(e, errno, "write", path);
    return rc;
}

int cli_receipts_line(void *file, const char *line, size_t n, struct err *e)
{
    return fwrite(line, 1, n, file) == n ? 0 : err_errno(e, errno, "write", "output");
}

/* ---- groups ---- */

struct cli_group *cli_group_get(struct cli_groups *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->list[i].name, name) == 0) return &g->list[i];
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 32;
        struct cli_group *list = mem_realloc(g->list, cap * sizeof *list);
        if (!list) return NULL;
        g->list = list;
        g->cap = cap;
    }
    struct cli_group *x = &g->list[g->n++];
    *x = (struct cli_group){.n = 0};
    snprintf(x->name, sizeof x->name, "%s", name);
    return x;
}

void cli_group_pay(struct cli_group *g, const json_t *receipt)
{
    const char *currency = cli_receipts_text(receipt, "currency");
    money cost;
    struct err e;
    if (!*currency || money_parse(cli_receipts_text(receipt, "cost"), &cost, &e)) return;
    for (size_t i = 0; i < sizeof g->paid / sizeof g->paid[0]; i++) {
        if (g->paid[i].currency[0] && strcmp(g->paid[i].currency, currency) != 0) continue;
        snprintf(g->paid[i].currency, sizeof g->paid[i].currency, "%s", currency);
        g->paid[i].cost = money_add(g->paid[i].cost, cost);
        return;
    }
}

void cli_group_cost(const struct cli_group *g, char out[160])
{
    char amount[32];
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof g->paid / sizeof g->paid[0] && g->paid[i].currency[0]; i++) {
        money_text(g->paid[i].cost, amount);
        at += (size_t)snprintf(out + at, 160 - at, "%s%s %s", at ? ", " : "", amount, g->paid[i].currency);
    }
}

void cli_group_part(const struct cli_group *g, int part, char out[128])
{
    const char *p = g->name;
    while (part-- && p) p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
    snprintf(out, 128, "%.*s", p ? (int)strcspn(p, "\n") : 0, p ? p : "");
}
