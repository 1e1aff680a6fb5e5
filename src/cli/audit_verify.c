/* croft audit verify: every receipt, every checkpoint, every anchor. Exit code 0 when the log is whole, 76 when
 * something was changed, others when it could not be looked at. Read next: src/route/receipt_verify.c. */
#include "receipts.h"

struct settings {
    const char *dir, *pub, *anchors;
    bool json;
};
struct report {
    bool json;
    struct cli_table findings;
};

static const struct cli_column cols[] = {
    {"kind", "KIND", CLI_TEXT}, {"from", "FROM", CLI_INT}, {"to", "TO", CLI_INT}, {"text", "FINDING", CLI_TEXT}, {0}};

static void show(void *arg, const struct route_finding *f)
{
    struct report *r = arg;
    if (!r->json) {
        printf("%s: %s\n", route_finding_word(f->kind), f->text);
        return;
    }
    cli_text(&r->findings, route_finding_word(f->kind));
    cli_int(&r->findings, (int64_t)f->from);
    cli_int(&r->findings, (int64_t)f->to);
    cli_text(&r->findings, f->text);
}

static int print_json(struct report *r, const struct route_verdict *v)
{
    json_t *findings = cli_table_take(&r->findings);
    return cli_json_done(json_pack("{s:b s:s s:I s:I s:I s:I s:I s:I s:I s:I s:o}", "whole", v->n_findings == 0,
                                   "log", v->log, "first", (json_int_t)v->first, "last", (json_int_t)v->last,
                                   "receipts", (json_int_t)v->n, "checkpoints", (json_int_t)v->n_checkpoints,
                                   "signed_to", (json_int_t)v->signed_to, "lost", (json_int_t)v->lost, "anchors",
                                   (json_int_t)v->n_anchors, "anchors_pruned", (json_int_t)v->n_anchors_old,
                                   "findings", findings),
                         "audit verify");
}

static void print(const struct route_verdict *v, const struct settings *set)
{
    typedef unsigned long long ull;
    printf("Log %s: %llu receipts (%llu to %llu), %llu checkpoints, signed up to %llu.\n", v->log, (ull)v->n,
           (ull)v->first, (ull)v->last, (ull)v->n_checkpoints, (ull)v->signed_to);
    if (v->last > v->signed_to)
        printf("%llu receipts behind the last checkpoint are chained, and not signed yet.\n",
               (ull)(v->last - v->signed_to));
    if (v->lost)
        printf("%llu receipts were never written, as the log itself says (a crash, or a full queue).\n",
               (ull)v->lost);
    if (set->anchors) printf("%u anchors hold; %u speak of what was pruned since.\n", v->n_anchors, v->n_anchors_old);
    if (!v->n_findings && !set->pub && !set->anchors)
        puts("The key is the one beside the log: to know more than its owner, give --public-key and --anchors.");
    if (v->n_findings)
        printf("%llu findings: the log is not what was written.\n", (ull)v->n_findings);
    else
        puts("The log is whole.");
}

int cli_audit_verify_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        {"public-key", 0, CONF_STR, offsetof(struct settings, pub), "FILE", NULL, NULL, NULL, 0, 0,
         "the public keys, PEM, as you kept them (receipts.pub in DIR)"},
        {"anchors", 0, CONF_STR, offsetof(struct settings, anchors), "FILE", NULL, NULL, NULL, 0, 0,
         "lines of 'croft audit anchor', as you kept them"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    struct route_verdict v;
    char dir[CLI_RECEIPTS_PATH];
    int exit_code = 0;
    if (!cli_options("audit verify", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;
    struct report r = {.json = set.json};
    cli_table_init(&r.findings, cols);
    int rc = cli_receipts_dir(set.dir, dir, &e);
    struct route_verify_params p = {
        .dir = dir, .pub_path = set.pub, .anchors = set.anchors, .arg = &r, .finding = show};
    if (rc == 0) rc = route_receipts_verify(&p, &v, &e);
    if (rc == 0 && set.json)
        exit_code = print_json(&r, &v);
    else
        json_decref(cli_table_take(&r.findings));
    if (rc) return cli_fail("audit verify", &e);
    if (!set.json) print(&v, &set);
    return v.n_findings ? err_exit(CROFT_E_DIGEST) : exit_code;
}
