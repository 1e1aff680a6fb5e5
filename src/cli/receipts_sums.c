/* croft receipts --sums: how many answers came from where, why, and what they cost. Receipts of background work
 * (shadow) are counted apart: nobody waited for their answers. Read next: receipts_perimeter.c. */
#include "receipts.h"

struct sums {
    uint64_t n, n_place[3], n_none, degraded, deferred, shadow, lost, prompt_tokens, answer_tokens;
    char first[32], last[32];
    struct cli_group all;
    struct cli_groups tiers, reasons;
};

static uint64_t whole(const json_t *r, const char *member)
{
    return (uint64_t)json_integer_value(json_object_get(r, member));
}

static bool add_group(struct cli_groups *g, const char *name, const json_t *r)
{
    struct cli_group *x = cli_group_get(g, *name ? name : "none");
    if (!x) return false;
    x->n++;
    x->tokens += whole(r, "prompt_tokens") + whole(r, "answer_tokens");
    x->ms += json_number_value(json_object_get(r, "latency_ms"));
    cli_group_pay(x, r);
    return true;
}

static int each(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    struct sums *s = arg;
    json_t *r = NULL;
    int rc = cli_receipts_parse(body, n, &r, e);
    if (rc) return rc;
    const char *time = cli_receipts_text(r, "time"), *place = cli_receipts_text(r, "place");
    bool shadow = json_is_true(json_object_get(r, "shadow"));
    int at = route_place_find(place);
    if (!s->first[0]) snprintf(s->first, sizeof s->first, "%s", time);
    snprintf(s->last, sizeof s->last, "%s", time);
    s->n++;
    s->shadow += shadow;
    s->degraded += json_is_true(json_object_get(r, "degraded"));
    s->deferred += json_is_true(json_object_get(r, "deferred"));
    s->prompt_tokens += whole(r, "prompt_tokens");
    s->answer_tokens += whole(r, "answer_tokens");
    if (whole(r, "lost") > s->lost) s->lost = whole(r, "lost");
    if (!shadow && at >= 0) s->n_place[at]++;
    if (!shadow && at < 0) s->n_none++;
    cli_group_pay(&s->all, r);
    if (!add_group(&s->tiers, cli_receipts_text(r, "tier"), r) ||
        !add_group(&s->reasons, cli_receipts_text(r, "reason"), r))
        rc = err_nomem(e, 0);
    json_decref(r);
    return rc;
}

static void group_table(struct cli_table *t, const struct cli_groups *g, uint64_t n)
{
    static const struct cli_column cols[] = {{"name", "", CLI_TEXT},
                                             {"n", "RECEIPTS", CLI_INT},
                                             {"percent", "%", CLI_REAL},
                                             {"cost", "COST", CLI_TEXT},
                                             {"tokens", "TOKENS", CLI_INT},
                                             {"mean_ms", "MEAN MS", CLI_REAL},
                                             {0}};
    cli_table_init(t, cols);
    for (size_t i = 0; i < g->n; i++) {
        const struct cli_group *x = &g->list[i];
        char cost[160];
        cli_group_cost(x, cost);
        cli_text(t, x->name);
        cli_int(t, (int64_t)x->n);
        cli_real(t, 100.0 * (double)x->n / (double)n);
        if (cost[0])
            cli_text(t, cost);
        else
            cli_none(t);
        cli_int(t, (int64_t)x->tokens);
        cli_real(t, x->ms / (double)x->n);
    }
}

static void record(struct cli_table *t, const struct sums *s)
{
    static const struct cli_column cols[] = {{"receipts", "receipts", CLI_INT},
                                             {"first", "from", CLI_TEXT},
                                             {"last", "to", CLI_TEXT},
                                             {"local_percent", "answered here, %", CLI_REAL},
                                             {"device", "on this device", CLI_INT},
                                             {"premises", "on the premises", CLI_INT},
                                             {"cloud", "in the cloud", CLI_INT},
                                             {"unanswered", "not answered", CLI_INT},
                                             {"shadow", "in the background", CLI_INT},
                                             {"degraded", "degraded", CLI_INT},
                                             {"deferred", "deferred", CLI_INT},
                                             {"cost", "cost", CLI_TEXT},
                                             {"prompt_tokens", "prompt tokens", CLI_INT},
                                             {"answer_tokens", "answer tokens", CLI_INT},
                                             {"lost", "receipts lost", CLI_INT},
                                             {0}};
    char cost[160];
    uint64_t answers = s->n - s->shadow;
    cli_group_cost(&s->all, cost);
    cli_table_init(t, cols);
    cli_int(t, (int64_t)s->n);
    if (s->n)
        cli_text(t, s->first);
    else
        cli_none(t);
    if (s->n)
        cli_text(t, s->last);
    else
        cli_none(t);
    if (answers)
        cli_real(t, 100.0 * (double)s->n_place[ROUTE_DEVICE] / (double)answers);
    else
        cli_none(t);
    for (int i = 0; i < 3; i++) cli_int(t, (int64_t)s->n_place[i]);
    cli_int(t, (int64_t)s->n_none);
    cli_int(t, (int64_t)s->shadow);
    cli_int(t, (int64_t)s->degraded);
    cli_int(t, (int64_t)s->deferred);
    if (cost[0])
        cli_text(t, cost);
    else
        cli_none(t);
    cli_int(t, (int64_t)s->prompt_tokens);
    cli_int(t, (int64_t)s->answer_tokens);
    cli_int(t, (int64_t)s->lost);
}

static int print(const struct sums *s, bool json)
{
    struct cli_table all, tiers, reasons;
    record(&all, s);
    group_table(&tiers, &s->tiers, s->n);
    group_table(&reasons, &s->reasons, s->n);
    if (json) {
        json_t *o = cli_record_take(&all), *t = cli_table_take(&tiers), *r = cli_table_take(&reasons);
        if (json_object_set_new(o, "tiers", t) || json_object_set_new(o, "reasons", r)) {
            json_decref(o);
            o = NULL;
        }
        return cli_json_done(o, "receipts");
    }
    cli_record_print(&all, stdout, 0);
    if (s->n) {
        puts("\nBy tier:");
        cli_table_print(&tiers, stdout, 2);
        puts("\nBy reason:");
        cli_table_print(&reasons, stdout, 2);
    }
    json_decref(cli_table_take(&all));
    json_decref(cli_table_take(&tiers));
    json_decref(cli_table_take(&reasons));
    return 0;
}

int cli_receipts_sums(const char *dir, const struct route_receipt_filter *f, bool json)
{
    struct err e = {0};
    struct sums s = {.n = 0};
    int rc = route_receipts_each(dir, f, each, &s, &e);
    int code = rc ? cli_fail("receipts", &e) : print(&s, json);
    mem_free(s.tiers.list);
    mem_free(s.reasons.list);
    return code;
}
