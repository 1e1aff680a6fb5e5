/* croft tco: what answering costs here and elsewhere, whether it pays, and how sure that is. Reads a scenario, lays
 * flags and measurements over it, computes (src/econ), prints. The verdict is the exit code only where --gate asks
 * for it. Read next: tco_input.c, tco_text.c, docs/TCO.md. */
#include "tco.h"

#include <math.h>

/* Flags that set one value of the scenario: X(field, flag, parameter, argument, help). --set reaches all others. */
#define VALUE_FLAGS(X)                                                                                               \
    X(volume, "volume", VOLUME, "N", "answers a month")                                                              \
    X(growth, "growth", GROWTH, "SHARE", "of the volume a year, such as 20%")                                        \
    X(months, "months", MONTHS, "N", "what the totals are over (36)")                                                \
    X(discount, "discount-rate", DISCOUNT, "SHARE", "a year")                                                        \
    X(tokens_in, "tokens-in", TOKENS_IN, "N", "tokens of a prompt")                                                  \
    X(tokens_out, "tokens-out", TOKENS_OUT, "N", "tokens of an answer")                                              \
    X(price, "price-per-answer", CLOUD_ANSWER, "MONEY", "of the cloud API")                                          \
    X(price_in, "price-input", CLOUD_IN, "MONEY", "of the cloud API, a million tokens of prompts")                   \
    X(price_out, "price-output", CLOUD_OUT, "MONEY", "of the cloud API, a million tokens of answers")                \
    X(capex, "capex", HARDWARE_PRICE, "MONEY", "price of the hardware, a unit")                                      \
    X(units, "units", UNITS, "N", "of the hardware (as many as the volume needs)")                                   \
    X(rate, "rate", RATE, "N", "answers a second that a unit gives")                                                 \
    X(operations, "operations", OPERATIONS, "MONEY", "a month: updates, watching, support")                          \
    X(engineering, "engineering", ENGINEERING, "MONEY", "once, to begin locally")                                    \
    X(energy, "energy-price", ENERGY, "MONEY", "a kilowatt hour")                                                    \
    X(watts, "watts", BUSY_WATTS, "N", "of a unit that answers")                                                     \
    X(escalation, "escalation", ESCALATION, "SHARE", "of the answers that are handed on")                            \
    X(wrong, "cost-per-wrong", WRONG, "MONEY", "what a wrong answer costs whoever gets it")                          \
    X(wrong_local, "local-errors", WRONG_LOCAL, "SHARE", "of the answers that are kept")                             \
    X(wrong_cloud, "cloud-errors", WRONG_CLOUD, "SHARE", "of the cloud's answers")                                   \
    X(rent, "rent", RENT, "MONEY", "a rented GPU, an hour")                                                          \
    X(rent_rate, "rent-rate", RENT_RATE, "N", "answers a second that it gives")

struct settings {
#define X(field, flag, param, arg, help) const char *field;
    VALUE_FLAGS(X)
#undef X
    struct conf_list set;
    const char *currency, *kind, *cloud_model, *frontier_model, *decision_model, *receipts, *eval, *bench, *seed,
        *draws;
    const char *gate, *output, *html;
    bool owned, local_only, json, csv, prices, params;
};

/* ---- the scenario ---- */

static int set_one(struct econ_scenario *s, enum econ_param p, const char *text, const char *flag, struct err *e)
{
    struct err why = {0};
    int rc = text ? econ_scenario_set(s, p, text, ECON_FROM_FLAG, flag, &why) : 0;
    return rc ? err_set(e, CROFT_E_USAGE, "", -1, "%s: %s", flag, why.msg) : 0;
}

static int set_flags(struct econ_scenario *s, const struct settings *set, struct err *e)
{
    const struct {
        const char *text, *flag;
        enum econ_param p;
    } flags[] = {
#define X(field, flag, param, arg, help) {set->field, "--" flag, ECON_P_##param},
        VALUE_FLAGS(X)
#undef X
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && rc == 0; i++)
        rc = set_one(s, flags[i].p, flags[i].text, flags[i].flag, e);
    for (int i = 0; i < set->set.n && rc == 0; i++) {
        const char *z = set->set.item[i], *eq = strchr(z, '=');
        char name[64], flag[72];
        snprintf(name, sizeof name, "%.*s", eq && eq - z < 63 ? (int)(eq - z) : 63, z);
        snprintf(flag, sizeof flag, "--set %s", name);
        int p = eq ? econ_param_find(name) : -1;
        if (p < 0)
            rc = ERR(e, USAGE,
                     "'--set %.60s' sets nothing: write section.name=value, with a name of croft tco --params.", z);
        else
            rc = set_one(s, (enum econ_param)p, eq + 1, flag, e);
    }
    return rc;
}

static int set_words(struct econ_scenario *s, const struct settings *set, struct err *e)
{
    int64_t n;
    if (set->cloud_model) s->cloud_model = set->cloud_model;
    if (set->frontier_model) s->frontier_model = set->frontier_model;
    if (set->decision_model) s->decision_model = set->decision_model, s->decides = true;
    if (set->kind) s->decides = strcmp(set->kind, "classify") == 0;
    if (set->owned) s->owned = true;
    if (set->local_only) s->cloud_allowed = false;
    if (set->seed && !str_to_u64(set->seed, &s->seed))
        return ERR(e, USAGE, "'%.40s' is not a valid value of --seed: give a whole number.", set->seed);
    if (!set->draws) return 0;
    if (!str_to_i64(set->draws, &n) || n < 0 || n > 1000000)
        return ERR(e, USAGE,
                   "'%.40s' is not a valid value of --draws: give a whole number up to 1000000; 0: no interval.",
                   set->draws);
    s->draws = (unsigned)n;
    return 0;
}

/* Flags give values in the currency of the file, which they cannot change. */
static int load(struct econ_scenario *s, const struct settings *set, const char *path, struct err *e)
{
    if (set->currency && (strlen(set->currency) != 3 || strspn(set->currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
        return ERR(e, USAGE, "'%.40s' is not a valid value of --currency: give three capital letters, such as EUR.",
                   set->currency);
    int rc = path ? econ_scenario_load(s, path, e) : 0;
    if (rc == 0 && path && set->currency && strcmp(set->currency, s->currency) != 0)
        rc = ERR(e, USAGE, "'%.160s' is in %s: --currency %s does not convert it.", path, s->currency, set->currency);
    if (rc == 0 && set->currency) memcpy(s->currency, set->currency, 4);
    if (rc == 0) rc = set_words(s, set, e);
    return rc ? rc : set_flags(s, set, e);
}

/* ---- computing and printing ---- */

/* Without a rate nobody can tell whether the hardware answers the volume; the totals must not hide that. */
static void remark_unsized(struct cli_tco *c)
{
    if (!c->t->option[ECON_LOCAL].there || c->s.v[ECON_P_RATE]) return;
    int64_t units = c->s.v[ECON_P_UNITS] / MONEY_ONE;
    econ_remark(
        &c->remarks,
        "Nothing says how fast the hardware is (hardware.answers_per_second): %s%lld unit%s, and whether that "
        "is enough for the volume was not checked.",
        units ? "there are " : "counted is ", (long long)(units ? units : 1), units > 1 ? "s" : "");
}

static int compute(struct cli_tco *c, struct err *e)
{
    c->t = mem_calloc(1, sizeof *c->t);
    int rc = c->t ? econ_tco(&c->s, c->t, e) : err_nomem(e, sizeof *c->t);
    if (rc == 0) remark_unsized(c);
    if (rc == 0) rc = econ_tornado(&c->s, c->bar, &c->n_bars, e);
    if (rc == 0) rc = econ_simulate(&c->s, &c->interval, e);
    if (rc == 0) rc = econ_utilisation(&c->s, &c->sweep, e);
    return rc ? rc : econ_decide(&c->s, c->t, &c->interval, &c->verdict, e);
}

static int write_files(const struct cli_tco *c, const struct settings *set, struct err *e)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, (size_t)64 << 20);
    if (set->html) {
        rc = cli_tco_html(c, &b, e);
        if (rc == 0) rc = cli_write_file(set->html, &b, e);
        buf_clear(&b);
    }
    if (rc == 0 && set->output) {
        json_t *j = cli_tco_json(c);
        rc = cli_json_add(j, JSON_INDENT(1), &b, e);
        json_decref(j);
        if (rc == 0) rc = cli_write_file(set->output, &b, e);
    }
    buf_done(&b);
    return rc;
}

static int print(const struct cli_tco *c, const struct settings *set, int *out_exit, struct err *e)
{
    struct buf b;
    int rc = write_files(c, set, e);
    if (rc) return rc;
    if (set->csv) {
        buf_init(&b, (size_t)64 << 20);
        rc = cli_tco_csv(c, &b, e);
        if (rc == 0) fwrite(b.data, 1, b.len, stdout);
        buf_done(&b);
    } else {
        *out_exit = set->json ? cli_json_done(cli_tco_json(c), "tco") : cli_tco_text(c);
    }
    return rc;
}

static int gate(const struct cli_tco *c, const char *what, struct err *e)
{
    enum econ_tco_verdict_kind k = c->verdict.kind;
    bool local = k == ECON_V_LOCAL || k == ECON_V_LOCAL_IDLE || k == ECON_V_LOCAL_ONLY;
    if (!what || (strcmp(what, "local") == 0 ? local : k != ECON_V_OPEN)) return 0;
    return err_set(e, CROFT_E_BELOW_FLOOR, "", -1, "--gate %s is not kept: the verdict is '%s'.", what,
                   econ_tco_verdict_word(k));
}

static int run(struct cli_tco *c, const struct settings *set, const char *path, int *out_exit, struct err *e)
{
    if (set->json && set->csv)
        return ERR(e, USAGE, "--json and --csv exclude each other; -o FILE writes JSON as well.");
    int rc = load(&c->s, set, path, e);
    if (rc == 0) rc = cli_tco_measured(c, set->receipts, set->eval, set->bench, e);
    if (rc == 0) rc = econ_scenario_finish(&c->s, cli_tco_prices(), e);
    if (rc == 0) rc = compute(c, e);
    if (rc == 0) rc = print(c, set, out_exit, e);
    return rc || *out_exit ? rc : gate(c, set->gate, e);
}

#define FIELD(f) offsetof(struct settings, f)
#define TEXT_ROW(field, flag, arg, help)                                                                             \
    {                                                                                                                \
        flag, 0, CONF_STR, FIELD(field), arg, NULL, NULL, NULL, 0, 0, help                                           \
    }
static const struct conf_row rows[] = {
#define X(field, flag, param, arg, help) TEXT_ROW(field, flag, arg, help),
    VALUE_FLAGS(X)
#undef X
        {"set", 0, CONF_LIST, FIELD(set), "NAME=VALUE", NULL, NULL, NULL, 0, 0,
         "any value of a scenario, such as hardware.failures_per_year=4%"},
    TEXT_ROW(currency, "currency", "CODE", "of all prices, where no file says it (USD)"),
    {"kind", 0, CONF_CHOICE, FIELD(kind), "KIND", NULL, NULL, "classify|extract|generate|embed", 0, 0,
     "of the task; what classifies is compared with a decision API too"},
    TEXT_ROW(cloud_model, "cloud-model", "NAME", "take the cloud's prices from the table"),
    TEXT_ROW(frontier_model, "escalation-model", "NAME", "and those of answers that are handed on"),
    TEXT_ROW(decision_model, "decision-model", "NAME", "and those of the decision API"),
    {"owned", 0, CONF_FLAG, FIELD(owned), .help = "the hardware is there and powered anyway"},
    {"local-only", 0, CONF_FLAG, FIELD(local_only),
     .help = "the data may not leave: the cloud is shown and not chosen"},
    {"from-receipts", 0, CONF_OPTIONAL, FIELD(receipts), "PATH", NULL, NULL, NULL, 0, 0,
     "take escalation, tokens, prices and volume from receipts: a folder, or lines of croft receipts export (this "
     "device's)"},
    TEXT_ROW(eval, "from-eval", "FILE", "take errors, rate, escalation and energy from a report of croft eval"),
    TEXT_ROW(bench, "from-bench", "FILE", "take the rate from a report of croft bench"),
    TEXT_ROW(draws, "draws", "N", "of the interval (10000); 0: none"),
    TEXT_ROW(seed, "seed", "N", "of its random numbers (1)"),
    {"gate", 0, CONF_CHOICE, FIELD(gate), "WHAT", NULL, NULL, "decided|local", 0, 0,
     "end with exit code 1 unless the verdict is decided, or is for this hardware"},
    CLI_JSON_ROW(struct settings),
    {"csv", 0, CONF_FLAG, FIELD(csv), .help = "print a line for each option, year and kind of cost"},
    {"output", 'o', CONF_STR, FIELD(output), "FILE", NULL, NULL, NULL, 0, 0, "write the report as JSON"},
    {"html", 0, CONF_STR, FIELD(html), "FILE", NULL, NULL, NULL, 0, 0, "write the report as a page, with plots"},
    {"prices", 0, CONF_FLAG, FIELD(prices), .help = "instead: list the price table, with dates and sources"},
    {"params", 0, CONF_FLAG, FIELD(params), .help = "instead: list what a scenario may say"},
    {.name = ""},
};

int cmd_tco(int argc, char **argv)
{
    struct settings set = {0};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("tco", rows, &set, argc, argv, &words, 0, 1, &exit_code)) return exit_code;
    if (set.prices) return cli_tco_prices_print(set.json);
    if (set.params) return cli_tco_params_print(set.json);
    struct cli_tco *c = mem_calloc(1, sizeof *c);
    if (!c) {
        (void)err_nomem(&e, sizeof *c);
        return cli_fail("tco", &e);
    }
    econ_scenario_init(&c->s);
    int rc = run(c, &set, words.n ? words.item[0] : NULL, &exit_code, &e);
    if (rc) exit_code = cli_fail("tco", &e);
    mem_free(c->interval.saving);
    mem_free(c->t);
    econ_scenario_done(&c->s);
    mem_free(c);
    return exit_code;
}
