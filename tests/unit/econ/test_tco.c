/* The costs of scenarios whose figures are published, or computed by hand beside them. */
#include "base_mem.h"
#include "econ_tco.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct value {
    const char *name, *text;
};

/* A scenario of these values, finished. */
static int make(struct econ_scenario *s, const struct value *list, const struct econ_prices *prices, struct err *e)
{
    for (; list->name; list++) {
        int p = econ_param_find(list->name);
        assert_true(p >= 0);
        int rc = econ_scenario_set(s, (enum econ_param)p, list->text, ECON_FROM_FLAG, "", e);
        if (rc) return rc;
    }
    return econ_scenario_finish(s, prices, e);
}

static struct econ_tco *compute(struct econ_scenario *s, const struct value *list)
{
    struct err e = {0};
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    assert_non_null(t);
    econ_scenario_init(s);
    if (make(s, list, NULL, &e)) fail_msg("%s", e.msg);
    if (econ_tco(s, t, &e)) fail_msg("%s", e.msg);
    return t;
}

static void assert_money(econ_amount a, const char *want)
{
    char text[48];
    assert_string_equal(econ_amount_text(a, 9, text), want);
}

/* $0.00075 an answer, 2,000,000 a month, 36 months: 54,000 against 12,000 + 400·36 + 8,000 = 34,400. */
static const struct value published[] = {{"cloud.price_per_answer", "0.00075 USD/answer"},
                                         {"volume.per_month", "2000000"},
                                         {"horizon.months", "3 years"},
                                         {"hardware.price", "12000 USD"},
                                         {"operations.per_month", "400"},
                                         {"operations.engineering", "8000"},
                                         {NULL, NULL}};

static void the_published_case(void **state)
{
    struct econ_scenario s;
    struct econ_tco *t = compute(&s, published);
    assert_money(t->option[ECON_CLOUD].total, "54000.000000000");
    assert_money(t->option[ECON_LOCAL].total, "34400.000000000");
    assert_money(t->option[ECON_CLOUD].npv - t->option[ECON_LOCAL].npv, "19600.000000000");
    assert_true(fabs(t->tipping - 34400 / (0.00075 * 36)) < 0.01);
    assert_true(fabs(t->tipping_simple - 1274074.074) < 0.01);
    /* 20,000 + 400 m ≤ 1,500 m from m = 18.2 on */
    assert_int_equal(t->payback, 19);
    assert_false(t->option[ECON_RENTED].there || t->option[ECON_DECISION].there);
    mem_free(t);
    econ_scenario_done(&s);

    struct value more[8];
    memcpy(more, published, sizeof published);
    more[1].text = "5000000";
    t = compute(&s, more);
    assert_money(t->option[ECON_CLOUD].total, "135000.000000000");
    mem_free(t);
    econ_scenario_done(&s);
}

/* By hand: volume 1,000 and 12 months; 2 units + 1 spare at 500, life 8 months, worth 10 % at its end; failures 6 % a
 * year; 100 W idle, 200 W busy, half busy, 0.25 a kWh, cooling 1.2; escalation 20 % at 0.01, of the rest 10 %
 * checked. hardware 1,500 at 0 and 8; residual −150 at 8, at 12 −(1,500 − 1,350·4/8) = −825 failures 1,500·0.06/12
 * = 7.5 a month; energy 2·150·0.73·1.2·0.25 = 65.7; escalation 2; checks 0.8 */
static void every_line_by_hand(void **state)
{
    static const struct value list[] = {{"cloud.price_per_answer", "0.01"},
                                        {"volume.per_month", "1000"},
                                        {"horizon.months", "12"},
                                        {"hardware.price", "500"},
                                        {"hardware.units", "2"},
                                        {"hardware.spares", "1"},
                                        {"hardware.life_months", "8"},
                                        {"hardware.residual_share", "10 %"},
                                        {"hardware.failures_per_year", "0.06"},
                                        {"hardware.utilisation", "0.5"},
                                        {"hardware.idle_watts", "100"},
                                        {"hardware.busy_watts", "0.2 kW"},
                                        {"energy.price_per_kwh", "250 USD/MWh"},
                                        {"energy.cooling_factor", "1.2"},
                                        {"escalation.share", "20 %"},
                                        {"escalation.check_share", "10 %"},
                                        {"updates.per_year", "6"},
                                        {"updates.gb", "500 MB"},
                                        {"updates.price_per_gb", "0.1"},
                                        {"cloud.egress_share", "5 %"},
                                        {"errors.cost_per_wrong", "2"},
                                        {"errors.local_share", "1 %"},
                                        {"errors.cloud_share", "3 %"},
                                        {"errors.escalated_share", "4 %"},
                                        {NULL, NULL}};
    struct econ_scenario s;
    struct econ_tco *t = compute(&s, list);
    const struct econ_costs *c = &t->option[ECON_LOCAL];
    assert_money(c->line[0][ECON_L_HARDWARE], "1500.000000000");
    assert_money(c->line[8][ECON_L_HARDWARE], "1500.000000000");
    assert_money(c->line[8][ECON_L_RESIDUAL], "-150.000000000");
    assert_money(c->line[12][ECON_L_RESIDUAL], "-825.000000000");
    assert_money(c->line[3][ECON_L_FAILURES], "7.500000000");
    assert_money(c->line[3][ECON_L_ENERGY], "65.700000000");
    assert_money(c->line[3][ECON_L_ESCALATION], "2.000000000");
    assert_money(c->line[3][ECON_L_CHECKS], "0.800000000");
    assert_money(c->line[3][ECON_L_EGRESS], "0.140000000");
    assert_money(c->line[3][ECON_L_UPDATES], "0.050000000"); /* 0.5 a month · 0.5 GB · 2 · 0.1 */
    assert_money(c->line[3][ECON_L_ERRORS], "32.000000000"); /* (800·0.01 + 200·0.04)·2 */
    assert_money(t->option[ECON_CLOUD].line[3][ECON_L_ERRORS], "60.000000000");
    assert_int_equal(t->payback, -1);
    mem_free(t);
    econ_scenario_done(&s);
}

/* 40 tokens a prompt, half of them kept, 2 out; prices 3, 15, 0.3: 20·3 + 20·0.3 + 2·15 = 96 per million answers. At
 * 12 % a year the factor of month 12 is 1/1.12; volume grows by 44 % a year, prices fall by half. */
static void tokens_growth_and_discount(void **state)
{
    static const struct value list[] = {{"cloud.price_input", "3 USD/Mtok"},
                                        {"cloud.price_output", "0.015 USD/1k tokens"},
                                        {"cloud.price_cached", "0.0000003 USD/token"},
                                        {"tokens.in", "40"},
                                        {"tokens.out", "2"},
                                        {"tokens.cached_share", "50 %"},
                                        {"volume.per_month", "1000000"},
                                        {"volume.growth_per_year", "0.44"},
                                        {"cloud.price_change_per_year", "-0.5"},
                                        {"horizon.discount_rate", "12 %"},
                                        {"horizon.months", "25"},
                                        {"hardware.price", "1"},
                                        {NULL, NULL}};
    struct econ_scenario s;
    struct econ_tco *t = compute(&s, list);
    const struct econ_costs *c = &t->option[ECON_CLOUD];
    assert_money(c->line[1][ECON_L_USAGE], "96.000000000");
    assert_money(t->volume[13], "1440000.000000000");
    assert_money(c->line[13][ECON_L_USAGE], "69.120000000"); /* 96 · 1.44 · 0.5 */
    assert_money(c->line[25][ECON_L_USAGE], "49.766400000"); /* 96 · 1.44² · 0.25 */
    double npv = 0;
    for (int m = 1; m <= 25; m++) npv += 96 * pow(1.44 * 0.5, (m - 1) / 12.0) * pow(1.12, -m / 12.0);
    assert_true(fabs(econ_amount_real(c->npv) - npv) < 1e-5);
    mem_free(t);
    econ_scenario_done(&s);
}

/* A unit gives 0.1 answers a second, so 262,800 a month; at a peak of 2 and 80 % that is 105,120. Price 10,000 a unit
 * over 36 months, cloud 0.01: one unit pays at 27,778 a month; ten units' worth of engineering must wait for more
 * units. */
static void units_and_tipping(void **state)
{
    struct value list[] = {{"cloud.price_per_answer", "0.01"}, {"volume.per_month", "400000"},
                           {"hardware.price", "10000"},        {"hardware.answers_per_second", "0.1"},
                           {"volume.peak_factor", "2"},        {"hardware.max_utilisation", "0.8"},
                           {"operations.engineering", "0"},    {NULL, NULL}};
    struct econ_scenario s;
    struct econ_tco *t = compute(&s, list);
    assert_int_equal(t->option[ECON_LOCAL].units, 4);
    assert_true(fabs(t->option[ECON_LOCAL].utilisation - 400000 / 1051200.0) < 1e-9);
    assert_true(fabs(t->tipping - 10000 / 0.36) < 0.01);
    mem_free(t);
    econ_scenario_done(&s);
    /* 100,000 + 10,000 k ≤ 0.36 V with V ≤ 105,120 k: k = 4 serves 420,480, where 140,000 ≤ 0.36 V from 388,889 on */
    list[6].text = "100000";
    t = compute(&s, list);
    assert_true(fabs(t->tipping - 140000 / 0.36) < 0.01);
    mem_free(t);
    econ_scenario_done(&s);
    /* a cloud that costs less than the energy of an answer: never */
    list[0].text = "0.0000001";
    list[3] = (struct value){"hardware.price", "10000"};
    t = compute(&s, list);
    assert_true(isinf(t->tipping) || t->tipping > 1e9);
    mem_free(t);
    econ_scenario_done(&s);
}

static void verdicts(void **state)
{
    static const struct value idle[] = {{"cloud.price_per_answer", "0.0001"},
                                        {"volume.per_month", "1000000"},
                                        {"hardware.price", "9000"},
                                        {"hardware.utilisation", "0.1"},
                                        {"hardware.busy_watts", "100"},
                                        {"energy.price_per_kwh", "0.3"},
                                        {NULL, NULL}};
    struct econ_scenario s;
    struct econ_tco_verdict v;
    struct econ_interval i;
    struct err e = {0};
    struct econ_tco *t = compute(&s, published);
    assert_int_equal(econ_simulate(&s, &i, &e), 0);
    assert_int_equal(econ_decide(&s, t, &i, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_LOCAL);
    mem_free(t);
    mem_free(i.saving);
    econ_scenario_done(&s);

    t = compute(&s, idle);
    assert_int_equal(econ_decide(&s, t, NULL, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_CLOUD);
    s.owned = true;
    assert_int_equal(econ_tco(&s, t, &e), 0);
    assert_int_equal(econ_decide(&s, t, NULL, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_LOCAL_IDLE);
    s.cloud_allowed = false;
    assert_int_equal(econ_decide(&s, t, NULL, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_LOCAL_ONLY);
    mem_free(t);
    econ_scenario_done(&s);

    struct value close[8]; /* 46,000 of hardware against 54,000: the volume alone may turn it */
    memcpy(close, published, sizeof published);
    close[3].text = "31000";
    t = compute(&s, close);
    assert_int_equal(econ_simulate(&s, &i, &e), 0);
    assert_int_equal(econ_decide(&s, t, &i, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_OPEN);
    mem_free(t);
    mem_free(i.saving);
    econ_scenario_done(&s);
}

static bool find(const char *model, money *in, money *out, money *cached, const char **date)
{
    *date = "2026-10-01";
    *in = 42000000;
    *out = 0;
    *cached = 42000000;
    return strcmp(model, "decider") == 0;
}

static void a_decision_api_is_cheaper(void **state)
{
    static const struct value list[] = {{"cloud.price_per_answer", "0.0004"},
                                        {"volume.per_month", "1000000"},
                                        {"tokens.in", "200"},
                                        {"hardware.price", "9000"},
                                        {NULL, NULL}};
    static const struct econ_prices prices = {find, "decider"};
    struct econ_scenario s;
    struct econ_tco_verdict v;
    struct err e = {0};
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    econ_scenario_init(&s);
    s.decides = true;
    assert_int_equal(make(&s, list, &prices, &e), 0);
    assert_int_equal(econ_tco(&s, t, &e), 0);
    assert_money(t->option[ECON_DECISION].total, "302.400000000"); /* 200 · 0.042 / 10^6 · 10^6 · 36 */
    assert_int_equal(econ_decide(&s, t, NULL, &v, &e), 0);
    assert_int_equal(v.kind, ECON_V_DECISION);
    assert_non_null(strstr(v.sentence, "A decision API at 0.042 USD per million tokens is cheaper"));
    mem_free(t);
    econ_scenario_done(&s);
}

static void numbers_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* billionths */
    } good[] = {{"2e6", 2000000000000000}, {"2.5E+3", 2500000000000},     {"1e-9", 1},
                {".5e1", 5000000000},      {"1000000000e-9", 1000000000}, {"0e400", 0},
                {"0.000000001e3", 1000}};
    struct econ_scenario s;
    struct err e = {0};
    econ_scenario_init(&s);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(econ_scenario_set(&s, ECON_P_HARDWARE_PRICE, good[i].text, ECON_FROM_FLAG, "", &e), 0);
        assert_int_equal(s.v[ECON_P_HARDWARE_PRICE], good[i].want);
    }
    econ_scenario_done(&s);
}

static void bad_values_are_refused(void **state)
{
    static const struct {
        const char *name, *text;
    } bad[] = {{"cloud.price_per_answer", "-1"},
               {"cloud.price_per_answer", "0.12 USD/kWh"},
               {"cloud.price_per_answer", "0.12 EUR/answer"},
               {"cloud.price_per_answer", "1e-10"},
               {"cloud.price_per_answer", "1e400"},
               {"cloud.price_per_answer", "1e"},
               {"cloud.price_per_answer", "1e5e5"},
               {"cloud.price_per_answer", "."},
               {"cloud.price_per_answer", "nan"},
               {"cloud.price_per_answer", "0.0000000001"},
               {"horizon.months", "0"},
               {"horizon.months", "1.5"},
               {"escalation.share", "1.2"},
               {"escalation.share", "120 %"},
               {"volume.per_month", "0"},
               {"volume.per_month", "99999999999999999999"},
               {"hardware.idle_watts", "12 USD"}};
    struct econ_scenario s;
    struct err e = {0};
    econ_scenario_init(&s);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int p = econ_param_find(bad[i].name);
        assert_int_equal(econ_scenario_set(&s, (enum econ_param)p, bad[i].text, ECON_FROM_FLAG, "", &e),
                         CROFT_E_FORMAT);
    }
    static const struct value too_few[] = {{"cloud.price_per_answer", "0.01"},
                                           {"volume.per_month", "400000"},
                                           {"hardware.price", "10000"},
                                           {"hardware.units", "1"},
                                           {"hardware.answers_per_second", "0.1"},
                                           {NULL, NULL}};
    assert_int_equal(make(&s, too_few, NULL, &e), CROFT_E_FORMAT);
    assert_non_null(strstr(e.msg, "its busiest hour needs 7"));
    assert_int_equal(econ_param_find("cloud.prise"), -1);
    econ_scenario_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_case),
        cmocka_unit_test(every_line_by_hand),
        cmocka_unit_test(tokens_growth_and_discount),
        cmocka_unit_test(units_and_tipping),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_decision_api_is_cheaper),
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(bad_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
