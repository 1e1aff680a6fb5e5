/* What croft tco reads beside the scenario: reports, receipts, the table of prices. Order: evaluation, receipts,
 * benchmark; the later one wins where both say something, and a flag wins over all. The main thread's. Read next:
 * src/econ/measured.c. */
#include "base_clock.h"
#include "plat_file.h"
#include "receipts.h"
#include "route_tier.h"
#include "tco.h"

#include <sys/stat.h>

/* ---- prices ---- */

static bool find(const char *model, money *out_in, money *out_out, money *out_cached, const char **out_date)
{
    struct route_price_row r;
    for (size_t i = 0; route_price_row(i, &r); i++) {
        if (strcmp(r.name, model) != 0) continue;
        *out_in = r.price.in;
        *out_out = r.price.out;
        *out_cached = r.price.cached;
        *out_date = r.date;
        return true;
    }
    return false;
}

const struct econ_prices *cli_tco_prices(void)
{
    static const struct econ_prices prices = {.find = find, .decision_model = "jev-latest"};
    return &prices;
}

int cli_tco_prices_print(bool json)
{
    static const struct cli_column cols[] = {{"model", "MODEL", CLI_TEXT},
                                             {"input", "INPUT", CLI_TEXT},
                                             {"output", "OUTPUT", CLI_TEXT},
                                             {"cached", "CACHED", CLI_TEXT},
                                             {"date", "AS OF", CLI_TEXT},
                                             {"source", "SOURCE", CLI_TEXT},
                                             {0}};
    struct cli_table t;
    struct route_price_row r;
    cli_table_init(&t, cols);
    for (size_t i = 0; route_price_row(i, &r); i++) {
        const money prices[] = {r.price.in, r.price.out, r.price.cached};
        cli_text(&t, r.name);
        for (size_t k = 0; k < 3; k++) {
            char text[32];
            money_text(prices[k], text);
            cli_text(&t, text);
        }
        cli_text(&t, r.date);
        cli_text(&t, r.source);
    }
    if (!json)
        puts("US dollars for a million tokens. Providers change their prices: what a scenario says is taken.\n");
    return cli_table_done(&t, "tco", json);
}

/* ---- reports ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int read_json(const char *path, json_t **out, struct err *e)
{
    struct buf b;
    json_error_t why;
    buf_init(&b, (size_t)1 << 30);
    int rc = cli_read_all(path, &b, e);
    if (rc == 0 && b.len == 0) rc = err_set(e, CROFT_E_FORMAT, path, -1, "%.160s is empty.", path);
    if (rc == 0 && !(*out = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, &why)))
        rc = err_set(e, CROFT_E_FORMAT, path, why.line, "%.160s:%d: this is no JSON: %.120s.", path, why.line,
                     why.text);
    buf_done(&b);
    return rc;
}

typedef int measured_fn(struct econ_scenario *, const char *, const json_t *, struct econ_remarks *, struct err *);

static int from_report(struct cli_tco *c, const char *path, measured_fn *set, struct err *e)
{
    json_t *j = NULL;
    int rc = path ? read_json(path, &j, e) : 0;
    if (rc == 0 && j) rc = set(&c->s, file_name(path), j, &c->remarks, e);
    json_decref(j);
    return rc;
}

/* ---- receipts ---- */

static int each(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    json_t *r = NULL;
    (void)seq;
    int rc = cli_receipts_parse(body, n, &r, e);
    if (rc == 0) rc = econ_receipts_add(arg, r, e);
    json_decref(r);
    return rc;
}

/* Lines of croft receipts export, or of croft audit export: {"hash": …, "receipt": …}, then checkpoints. */
static int add_line(struct econ_receipts *x, const char *path, size_t number, const char *line, size_t n,
                    struct err *e)
{
    struct err why = {0};
    json_t *j = json_loadb(line, n, 0, NULL);
    const json_t *r = json_object_get(j, "receipt");
    int rc = !json_is_object(j)                 ? ERR(&why, FORMAT, "This is no JSON.")
             : json_object_get(j, "checkpoint") ? 0
                                                : econ_receipts_add(x, r ? r : j, &why);
    json_decref(j);
    if (rc == CROFT_E_FORMAT)
        return err_set(e, rc, path, (long long)number, "%.160s:%zu: %s Lines are those of croft receipts export.",
                       path, number, why.msg);
    if (rc) *e = why;
    return rc;
}

static int read_lines(struct econ_receipts *x, const char *path, struct err *e)
{
    struct plat_map m;
    int io = plat_map_open(&m, path), rc = 0;
    if (io) return err_errno(e, -io, "read", path);
    const char *line = (const char *)m.data, *end = line + m.size;
    for (size_t number = 1; rc == 0 && line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop ? stop : end) - line);
        if (n) rc = add_line(x, path, number, line, n, e);
        line += n + 1;
    }
    plat_map_close(&m);
    return rc;
}

static int from_receipts(struct cli_tco *c, const char *path, struct err *e)
{
    struct econ_receipts x = {.now_ms = clock_unix_s() * 1000};
    struct route_receipt_filter all = {0};
    char dir[CLI_RECEIPTS_PATH];
    struct stat st;
    int rc = cli_receipts_dir(*path ? path : getenv("CROFT_RECEIPTS"), dir, e);
    if (rc) return rc;
    rc = stat(dir, &st) == 0 && S_ISREG(st.st_mode) ? read_lines(&x, dir, e)
                                                    : route_receipts_each(dir, &all, each, &x, e);
    if (rc == 0) rc = econ_measured_receipts(&c->s, file_name(dir), &x, &c->remarks, e);
    econ_receipts_done(&x);
    return rc;
}

int cli_tco_measured(struct cli_tco *c, const char *receipts, const char *eval, const char *bench, struct err *e)
{
    int rc = from_report(c, eval, econ_measured_eval, e);
    if (rc == 0 && receipts) rc = from_receipts(c, receipts, e);
    return rc ? rc : from_report(c, bench, econ_measured_bench, e);
}
