/* croft receipts: list receipts, newest first, or report on them (--sums, --perimeter). The verbs are files of their
 * own, receipts_<verb>.c. Read next: receipts_sums.c, docs/RECEIPTS.md. */
#include "receipts.h"

struct settings {
    const char *dir;
    struct cli_receipts_filter filter;
    bool json, csv, sums, perimeter;
};

static const struct cli_column cols[] = {{"time", "TIME (UTC)", CLI_TEXT},
                                         {"id", "ID", CLI_TEXT},
                                         {"task", "TASK", CLI_TEXT},
                                         {"tier", "TIER", CLI_TEXT},
                                         {"reason", "REASON", CLI_TEXT},
                                         {"confidence", "CONF.", CLI_REAL},
                                         {"cost", "COST", CLI_TEXT},
                                         {"ms", "MS", CLI_REAL},
                                         {"status", "STATUS", CLI_INT},
                                         {"left", "LEFT", CLI_TEXT},
                                         {0}};

struct list {
    const struct settings *set;
    struct cli_table table;
    uint64_t n;
};

/* "2 to api.example.com": messages that left, and where the first went. */
static void left_text(const json_t *receipt, char out[160])
{
    const json_t *left = json_object_get(receipt, "left"), *m;
    size_t i, n = 0;
    out[0] = 0;
    json_array_foreach(left, i, m) n += (size_t)json_integer_value(json_object_get(m, "times"));
    if (n) snprintf(out, 160, "%zu to %s", n, cli_receipts_text(json_array_get(left, 0), "host"));
}

static void text_or_none(struct cli_table *t, const char *z)
{
    if (*z)
        cli_text(t, z);
    else
        cli_none(t);
}

static void add_row(struct cli_table *t, const json_t *r)
{
    char cost[64] = "", left[160];
    const char *task = cli_receipts_text(r, "task"), *currency = cli_receipts_text(r, "currency");
    if (*currency) snprintf(cost, sizeof cost, "%.32s %.3s", cli_receipts_text(r, "cost"), currency);
    left_text(r, left);
    cli_textn(t, cli_receipts_text(r, "time"), 19);
    cli_text(t, cli_receipts_text(r, "id"));
    text_or_none(t, *task ? task : cli_receipts_text(r, "endpoint"));
    text_or_none(t, cli_receipts_text(r, "tier"));
    cli_text(t, cli_receipts_text(r, "reason"));
    if (json_object_get(r, "confidence"))
        cli_real(t, json_number_value(json_object_get(r, "confidence")));
    else
        cli_none(t);
    text_or_none(t, cost);
    cli_real(t, json_number_value(json_object_get(r, "latency_ms")));
    cli_int(t, json_integer_value(json_object_get(r, "status")));
    text_or_none(t, left);
}

/* ---- CSV: one line a receipt; lists have their parts separated by blanks ---- */

static const char *const csv_members[] = {"time",         "id",         "seq",           "parent",        "request",
                                          "task",         "endpoint",   "tier",          "place",         "model",
                                          "model_digest", "confidence", "reason",        "rule",          "class",
                                          "key",          "subject",    "prompt_tokens", "answer_tokens", "cost",
                                          "currency",     "latency_ms", "status",        "degraded",      "deferred",
                                          "shadow",       "lost",       "steps",         "left",          "redacted"};
enum { N_CSV = sizeof csv_members / sizeof csv_members[0] };

/* Quoted; what a spreadsheet would take for a formula is made text by a quote mark. */
static void csv_cell(const char *z)
{
    putchar('"');
    if (*z && strchr("=+-@\t\r", *z)) putchar('\'');
    for (; *z; z++) {
        if (*z == '"') putchar('"');
        putchar(*z);
    }
    putchar('"');
}

static void csv_value(const json_t *v, struct buf *scratch)
{
    const char *key;
    const json_t *x;
    size_t i;
    buf_clear(scratch);
    if (json_is_string(v))
        buf_str(scratch, json_string_value(v));
    else if (json_is_integer(v))
        buf_fmt(scratch, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        buf_fmt(scratch, "%.6g", json_real_value(v));
    else if (json_is_true(v))
        buf_str(scratch, "true");
    else if (json_is_array(v))
        json_array_foreach(v, i, x)
        {
            if (i) buf_char(scratch, ' ');
            if (json_is_string(x))
                buf_str(scratch, json_string_value(x));
            else
                buf_fmt(scratch, "%lldx%s:%s:%lldB", (long long)json_integer_value(json_object_get(x, "times")),
                        cli_receipts_text(x, "host"), cli_receipts_text(x, "sha256"),
                        (long long)json_integer_value(json_object_get(x, "bytes")));
        }
    else if (json_is_object(v))
        json_object_foreach((json_t *)v, key, x)
            buf_fmt(scratch, "%s%s=%lld", scratch->len ? " " : "", key, (long long)json_integer_value(x));
    if (json_is_number(v))
        fputs(scratch->data, stdout);
    else if (scratch->len)
        csv_cell(scratch->data);
}

static void csv_line(const json_t *r)
{
    struct buf scratch;
    buf_init(&scratch, 1 << 16);
    for (int i = 0; i < N_CSV; i++) {
        if (i) putchar(',');
        csv_value(json_object_get(r, csv_members[i]), &scratch);
    }
    fputs("\r\n", stdout); /* RFC 4180 */
    buf_done(&scratch);
}

/* ---- the list ---- */

static int each(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    struct list *l = arg;
    json_t *r = NULL;
    if (l->set->json) {
        printf("%s%.*s", l->n++ ? ",\n" : "", (int)n, body);
        return 0;
    }
    int rc = cli_receipts_parse(body, n, &r, e);
    if (rc) return rc;
    if (l->set->csv)
        csv_line(r);
    else
        add_row(&l->table, r);
    l->n++;
    json_decref(r);
    return 0;
}

static int list(const struct settings *set, const char *dir, struct route_receipt_filter *f)
{
    struct err e = {0};
    struct list l = {.set = set};
    f->newest = true;
    cli_table_init(&l.table, cols);
    if (set->json) putchar('[');
    for (int i = 0; i < N_CSV && set->csv; i++) printf("%s%s", i ? "," : "", csv_members[i]);
    if (set->csv) fputs("\r\n", stdout);
    int rc = route_receipts_each(dir, f, each, &l, &e);
    if (rc == 0 && set->json) puts("]");
    if (rc == 0 && !set->json && !set->csv) return cli_table_done(&l.table, "receipts", false);
    json_decref(cli_table_take(&l.table));
    return rc ? cli_fail("receipts", &e) : 0;
}

int cmd_receipts(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings),
        CLI_RECEIPTS_FILTER_ROWS(struct settings),
        {"limit", 'n', CONF_I64, offsetof(struct settings, filter.limit), "N", "20", NULL, NULL, 0, 1e15,
         "list the newest N (0: all)"},
        {"sums", 0, CONF_FLAG, offsetof(struct settings, sums),
         .help = "add up instead: share answered here, cost, by tier and by reason"},
        {"perimeter", 0, CONF_FLAG, offsetof(struct settings, perimeter),
         .help = "report instead what left, where to and by which rule, and what stayed"},
        {"csv", 0, CONF_FLAG, offsetof(struct settings, csv), .help = "print CSV"},
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    struct route_receipt_filter f;
    char dir[CLI_RECEIPTS_PATH], subject[65];
    int exit_code = 0;
    if (cli_verb_run("receipts", argc, argv, &exit_code)) return exit_code;
    if (!cli_options("receipts", rows, &set, argc, argv, &words, 0, -1, &exit_code)) return exit_code;
    int rc = words.n ? ERR(&e, USAGE, "There is no 'croft receipts %.60s'.", words.item[0]) : 0;
    if (rc == 0 && set.sums + set.perimeter + set.csv > 1)
        rc = ERR(&e, USAGE, "Give one of --sums, --perimeter and --csv.");
    if (rc == 0 && set.json && set.csv) rc = ERR(&e, USAGE, "Give --json or --csv.");
    if (rc == 0) rc = cli_receipts_dir(set.dir, dir, &e);
    if (rc == 0) rc = cli_receipts_filter(dir, &set.filter, subject, &f, &e);
    if (rc) return cli_fail("receipts", &e);
    if (!set.sums && !set.perimeter) return list(&set, dir, &f);
    f.limit = 0;
    return (set.sums ? cli_receipts_sums : cli_receipts_perimeter)(dir, &f, set.json);
}
