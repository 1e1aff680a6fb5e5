/* Measurements as values: reports and receipts written by hand, numbers worked out on paper; and what must be an
 * error or a wider interval instead of a confident number. */
#include "base_mem.h"
#include "econ_measured.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * fmax(1, fabs(want)))) fail_msg("%.9g, not %.9g", got, want);
}

static double value(const struct econ_scenario *s, enum econ_param p) { return (double)s->v[p] / MONEY_ONE; }

static bool remarked(const struct econ_remarks *r, const char *part)
{
    for (int i = 0; i < r->n; i++)
        if (strstr(r->text[i], part)) return true;
    return false;
}

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *j = json_loads(text, 0, &why);
    if (!j) fail_msg("%s", why.text);
    return j;
}

/* ---- croft eval ---- */

#define EVAL(rest) "{\"format\": \"croft-eval-1\", \"n\": 200, \"n_right\": 170, \"n_failed\": 2, " rest "}"
#define RATE "\"answers_per_s\": 12.5, \"tokens\": {\"prompt\": 9000}, \"energy\": null"

static int eval(struct econ_scenario *s, struct econ_remarks *r, const char *text, struct err *e)
{
    json_t *j = parse(text);
    memset(r, 0, sizeof *r);
    int rc = econ_measured_eval(s, "e.json", j, r, e);
    json_decref(j);
    return rc;
}

static void an_evaluation_sets_errors_and_rate(void **state)
{
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    econ_scenario_init(&s);
    assert_int_equal(eval(&s, &r, EVAL(RATE), &e), 0);
    assert_near(value(&s, ECON_P_WRONG_LOCAL), 0.15); /* 30 of 200 */
    assert_int_equal(s.chance[ECON_P_WRONG_LOCAL].shape, ECON_BETA);
    assert_near(s.chance[ECON_P_WRONG_LOCAL].a, 30);
    assert_near(s.chance[ECON_P_WRONG_LOCAL].b, 200);
    assert_near(value(&s, ECON_P_RATE), 12.5);
    assert_near(value(&s, ECON_P_TOKENS_IN), 45);
    assert_int_equal(s.origin[ECON_P_RATE].source, ECON_MEASURED);
    assert_non_null(strstr(s.origin[ECON_P_RATE].note, "e.json"));
    assert_int_equal(s.origin[ECON_P_ESCALATION].source, ECON_DEFAULT);
    assert_true(remarked(&r, "no calibration"));
    assert_true(remarked(&r, "holds no energy"));
    assert_true(remarked(&r, "2 examples of e.json had no answer"));
    econ_scenario_done(&s);
}

/* 160 of 200 kept, 4 of those wrong: 20 % handed on, 2.5 % wrong. */
static void a_calibration_sets_what_is_handed_on(void **state)
{
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    econ_scenario_init(&s);
    assert_int_equal(
        eval(&s, &r, EVAL(RATE ", \"calibration\": {\"verdicts\": {\"accept\": {\"n\": 160, \"n_right\": 156}}}"),
             &e),
        0);
    assert_near(value(&s, ECON_P_ESCALATION), 0.2);
    assert_near(value(&s, ECON_P_WRONG_LOCAL), 0.025);
    assert_near(s.chance[ECON_P_WRONG_LOCAL].a, 4);
    assert_near(s.chance[ECON_P_WRONG_LOCAL].b, 160);
    assert_int_equal(
        eval(&s, &r, EVAL(RATE ", \"calibration\": {\"verdicts\": {\"refuse\": {\"n\": 200, \"n_right\": 170}}}"),
             &e),
        0);
    assert_near(value(&s, ECON_P_ESCALATION), 1);
    assert_true(remarked(&r, "accepts no answer"));
    econ_scenario_done(&s);
}

/* 8 J an answer at 12.5 a second: 100 W; of use only beside a price of energy, and above what idles. */
static void energy_becomes_power(void **state)
{
    static const char *const text = EVAL("\"answers_per_s\": 12.5, \"energy\": {\"joules_per_answer\": 8}");
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    econ_scenario_init(&s);
    assert_int_equal(eval(&s, &r, text, &e), 0);
    assert_int_equal(s.origin[ECON_P_BUSY_WATTS].source, ECON_DEFAULT);
    assert_true(remarked(&r, "needs energy.price_per_kwh"));
    assert_int_equal(econ_scenario_set(&s, ECON_P_ENERGY, "0.3", ECON_FROM_FILE, NULL, &e), 0);
    assert_int_equal(eval(&s, &r, text, &e), 0);
    assert_near(value(&s, ECON_P_BUSY_WATTS), 100);
    assert_true(remarked(&r, "processors alone"));
    assert_int_equal(econ_scenario_set(&s, ECON_P_IDLE_WATTS, "120", ECON_FROM_FILE, NULL, &e), 0);
    assert_int_equal(econ_scenario_set(&s, ECON_P_BUSY_WATTS, "300", ECON_FROM_FILE, NULL, &e), 0);
    assert_int_equal(eval(&s, &r, text, &e), 0);
    assert_near(value(&s, ECON_P_BUSY_WATTS), 300);
    assert_true(remarked(&r, "less than the scenario's idle"));
    econ_scenario_done(&s);
}

static void a_flag_stands(void **state)
{
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    econ_scenario_init(&s);
    assert_int_equal(econ_scenario_set(&s, ECON_P_RATE, "3", ECON_FROM_FLAG, "--rate", &e), 0);
    assert_int_equal(eval(&s, &r, EVAL(RATE), &e), 0);
    assert_near(value(&s, ECON_P_RATE), 3);
    assert_true(remarked(&r, "hardware.answers_per_second is as the command line says; measured was 12.5"));
    econ_scenario_done(&s);
}

static void damaged_evaluations_are_errors(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"format\": \"croft-eval-2\", \"n\": 1, \"n_right\": 1, \"n_failed\": 0, \"answers_per_s\": 1}",
        "{\"format\": \"croft-eval-1\", \"n\": 0, \"n_right\": 0, \"n_failed\": 0, \"answers_per_s\": 1}",
        "{\"format\": \"croft-eval-1\", \"n\": 10, \"n_right\": 11, \"n_failed\": 0, \"answers_per_s\": 1}",
        "{\"format\": \"croft-eval-1\", \"n\": 10, \"n_right\": -1, \"n_failed\": 0, \"answers_per_s\": 1}",
        "{\"format\": \"croft-eval-1\", \"n\": 10, \"n_right\": 1.5, \"n_failed\": 0, \"answers_per_s\": 1}",
        "{\"format\": \"croft-eval-1\", \"n\": 10, \"n_right\": 1, \"n_failed\": 0, \"answers_per_s\": 0}",
        "{\"format\": \"croft-eval-1\", \"n\": 10, \"n_right\": 1, \"n_failed\": 0}",
        EVAL(RATE ", \"calibration\": {\"verdicts\": {\"accept\": {\"n\": 300, \"n_right\": 10}}}"),
        EVAL(RATE ", \"calibration\": {\"verdicts\": {\"accept\": {\"n\": 100, \"n_right\": 101}}}"),
    };
    struct econ_scenario s;
    struct econ_remarks r;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        econ_scenario_init(&s);
        if (eval(&s, &r, bad[i], &e) != CROFT_E_FORMAT) fail_msg("%s", bad[i]);
        econ_scenario_done(&s);
    }
}

/* ---- croft bench ---- */

#define PP "\"prompt_tokens_per_s\": 1000, \"prompt_mean\": 1000, \"prompt_sd\": 100"
#define TG "\"decode_tokens_per_s\": 50, \"decode_mean\": 50, \"decode_sd\": 5"

static int bench(const char *in, const char *out, const char *text, double *got, struct econ_chance *chance,
                 struct econ_remarks *r)
{
    struct econ_scenario s;
    struct err e = {0};
    json_t *j = parse(text);
    memset(r, 0, sizeof *r);
    econ_scenario_init(&s);
    if (in) assert_int_equal(econ_scenario_set(&s, ECON_P_TOKENS_IN, in, ECON_FROM_FILE, NULL, &e), 0);
    if (out) assert_int_equal(econ_scenario_set(&s, ECON_P_TOKENS_OUT, out, ECON_FROM_FILE, NULL, &e), 0);
    int rc = econ_measured_bench(&s, "b.json", j, r, &e);
    *got = value(&s, ECON_P_RATE);
    *chance = s.chance[ECON_P_RATE];
    json_decref(j);
    econ_scenario_done(&s);
    return rc;
}

static void rates_of_tokens_become_one_of_answers(void **state)
{
    struct econ_chance c;
    struct econ_remarks r;
    double got;
    (void)state;
    /* 500 / 1000 + 20 / 50 = 0.9 s, off by hypot(0.05, 0.04) = 0.0640312 s: 7.1146 % */
    assert_int_equal(bench("500", "20", "{" PP "," TG ", \"n_prompt\": 512}", &got, &c, &r), 0);
    assert_near(got, 1.111111111);
    assert_int_equal(c.shape, ECON_TRIANGULAR);
    assert_near((c.c - c.a) / 2 / sqrt(6) / got, 0.0711458);
    /* 100 new tokens behind a prefix of 400: 0.1 + 0.4 s */
    assert_int_equal(bench("500", "20", "{" PP "," TG ", \"n_prompt\": 100, \"prefix\": 400}", &got, &c, &r), 0);
    assert_near(got, 2);
    assert_true(remarked(&r, "400 tokens of the prompt cached"));
    /* prompts alone; and an encoder that reads 200 texts of 20 tokens a second in batches */
    assert_int_equal(bench("500", NULL, "{" PP ", \"decode_tokens_per_s\": null}", &got, &c, &r), 0);
    assert_near(got, 2);
    assert_int_equal(bench("40", NULL, "{" PP ", \"n_prompt\": 20, \"texts_per_s\": 80, \"batch_texts_per_s\": 200}",
                           &got, &c, &r),
                     0);
    assert_near(got, 100);
}

static void benchmarks_that_do_not_fit_are_errors(void **state)
{
    struct econ_chance c;
    struct econ_remarks r;
    double got;
    (void)state;
    assert_int_equal(bench(NULL, NULL, "{" PP "," TG "}", &got, &c, &r), CROFT_E_USAGE); /* how long are answers? */
    assert_int_equal(bench("500", "20", "[]", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("500", "20", "{}", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("500", "20", "{" PP ", \"decode_tokens_per_s\": null}", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("500", "20", "{" TG ", \"prompt_tokens_per_s\": null}", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("500", "20", "{" TG ", \"prompt_tokens_per_s\": -3}", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("300", "20", "{" PP "," TG ", \"prefix\": 400}", &got, &c, &r), CROFT_E_FORMAT);
    assert_int_equal(bench("500", "0", "{" PP "," TG ", \"n_prompt\": 20}", &got, &c, &r), 0);
    assert_true(remarked(&r, "measured prompts of 20 tokens"));
}

/* ---- receipts ---- */

static int add(struct econ_receipts *x, const char *time, const char *place, const char *rest)
{
    char text[400];
    struct err e = {0};
    snprintf(text, sizeof text, "{\"time\": \"%s\"%s%s%s%s}", time, place ? ", \"place\": \"" : "",
             place ? place : "", place ? "\"" : "", rest);
    json_t *j = parse(text);
    int rc = econ_receipts_add(x, j, &e);
    json_decref(j);
    return rc;
}

/* A day of October 2026 with n answers, k of them from the cloud at 0.002 each, prompts of 40 and 60 tokens in turns.
 */
static void add_day(struct econ_receipts *x, int day, int n, int k)
{
    for (int i = 0; i < n; i++) {
        char time[32], rest[160];
        snprintf(time, sizeof time, "2026-10-%02dT%02d:%02d:00.000Z", day, i * 24 / n, i % 60);
        snprintf(rest, sizeof rest, ", \"prompt_tokens\": %d, \"answer_tokens\": 5%s", i % 2 ? 60 : 40,
                 i < k ? ", \"cost\": \"0.002\", \"currency\": \"USD\"" : "");
        assert_int_equal(add(x, time, i < k ? "cloud" : "device", rest), 0);
    }
}

static int measure(const struct econ_receipts *x, struct econ_scenario *s, struct econ_remarks *r, struct err *e)
{
    memset(r, 0, sizeof *r);
    return econ_measured_receipts(s, "log", x, r, e);
}

static void receipts_set_shares_tokens_prices_and_volume(void **state)
{
    struct econ_receipts x = {0};
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    for (int day = 1; day <= 10; day++) add_day(&x, day, 100, 5);
    for (int i = 0; i < 19; i++)
        assert_int_equal(add(&x, "2026-10-04T12:00:00.000Z", "cloud", ", \"shadow\": true"), 0);
    econ_scenario_init(&s);
    assert_int_equal(measure(&x, &s, &r, &e), 0);
    assert_near(value(&s, ECON_P_ESCALATION), 0.05);
    assert_near(s.chance[ECON_P_ESCALATION].a, 50); /* days differ less than chance allows */
    assert_near(s.chance[ECON_P_ESCALATION].b, 1000);
    assert_near(value(&s, ECON_P_CHECKS), 0.02); /* 19 of the 950 that stayed */
    assert_near(value(&s, ECON_P_TOKENS_IN), 50);
    assert_near(value(&s, ECON_P_TOKENS_OUT), 5);
    assert_near(value(&s, ECON_P_FRONTIER_ANSWER), 0.002);
    assert_near(value(&s, ECON_P_VOLUME), 3041.666667); /* 100 a day, 730 hours */
    assert_string_equal(s.origin[ECON_P_ESCALATION].note, "log, 2026-10-01 to 2026-10-10: 50 of 1000 handed on");
    assert_false(remarked(&r, "no receipt"));
    assert_true(remarked(&r, "no whole month"));
    econ_scenario_done(&s);
    econ_receipts_done(&x);
}

/* Without the 5th: 900 answers on 9 of 10 days. Whole days 2 … 9: 700 in 8, standard error 12.5 a day. */
static void a_gap_widens(void **state)
{
    struct econ_receipts x = {0};
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    for (int day = 10; day >= 1; day--) /* in no order of time */
        if (day != 5) add_day(&x, day, 100, 5);
    econ_scenario_init(&s);
    assert_int_equal(measure(&x, &s, &r, &e), 0);
    assert_near(value(&s, ECON_P_ESCALATION), 0.05);
    assert_near(s.chance[ECON_P_ESCALATION].a, 40.5); /* 45 and 900 by 10/9 */
    assert_near(s.chance[ECON_P_ESCALATION].b, 810);
    assert_near(value(&s, ECON_P_VOLUME), 87.5 * 730 / 24);
    assert_int_equal(s.chance[ECON_P_VOLUME].shape, ECON_TRIANGULAR);
    assert_near(s.chance[ECON_P_VOLUME].a, 62.5 * 730 / 24);
    assert_near(s.chance[ECON_P_VOLUME].c, 125.0 * 730 / 24);
    assert_true(remarked(&r, "1 of the 10 days from 2026-10-01 to 2026-10-10 have no receipt"));
    econ_scenario_done(&s);
    econ_receipts_done(&x);
}

/* 0 and 10 of 100 in turns: phi = 10 · 25 / 4.75 / 9 = 5.847953. */
static void days_that_differ_widen(void **state)
{
    struct econ_receipts x = {0};
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    for (int day = 1; day <= 10; day++) add_day(&x, day, 100, day % 2 ? 0 : 10);
    econ_scenario_init(&s);
    assert_int_equal(measure(&x, &s, &r, &e), 0);
    assert_near(s.chance[ECON_P_ESCALATION].b, 171);
    assert_near(s.chance[ECON_P_ESCALATION].a, 8.55);
    assert_true(remarked(&r, "5.8 times as much as chance"));
    econ_scenario_done(&s);
    econ_receipts_done(&x);
}

static void what_the_scenario_states_stays(void **state)
{
    struct econ_receipts x = {0};
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    for (int day = 1; day <= 3; day++) add_day(&x, day, 100, 5);
    econ_scenario_init(&s);
    assert_int_equal(econ_scenario_set(&s, ECON_P_VOLUME, "200000", ECON_FROM_FILE, NULL, &e), 0);
    assert_int_equal(econ_scenario_set(&s, ECON_P_FRONTIER_IN, "3", ECON_FROM_FILE, NULL, &e), 0);
    memcpy(s.currency, "EUR", 4); /* no price is taken, so its currency does not matter */
    assert_int_equal(measure(&x, &s, &r, &e), 0);
    assert_near(value(&s, ECON_P_VOLUME), 200000);
    assert_near(value(&s, ECON_P_FRONTIER_ANSWER), 0);
    econ_scenario_done(&s);
    econ_receipts_done(&x);
}

static void receipts_that_prove_nothing_are_errors(void **state)
{
    struct econ_receipts x = {0};
    struct econ_scenario s;
    struct econ_remarks r;
    struct err e = {0};
    (void)state;
    econ_scenario_init(&s);
    assert_int_equal(measure(&x, &s, &r, &e), CROFT_E_FORMAT); /* none */
    add_day(&x, 1, 100, 5);
    assert_int_equal(measure(&x, &s, &r, &e), CROFT_E_FORMAT); /* less than a day */
    assert_non_null(strstr(e.msg, "less than a day"));
    assert_int_equal(s.origin[ECON_P_ESCALATION].source, ECON_DEFAULT);
    add_day(&x, 3, 100, 5);
    memcpy(s.currency, "EUR", 4);
    assert_int_equal(measure(&x, &s, &r, &e), CROFT_E_FORMAT); /* dollars in a scenario in euros */
    assert_non_null(strstr(e.msg, "in USD, the scenario is in EUR"));
    memcpy(s.currency, "USD", 4);
    assert_int_equal(add(&x, "2026-10-03T12:00:00.000Z", "cloud", ""), 0);
    assert_int_equal(measure(&x, &s, &r, &e), 0); /* one without a cost: the price is not taken */
    assert_true(remarked(&r, "1 of the 11 answers that were handed on have no cost"));
    assert_near(value(&s, ECON_P_FRONTIER_ANSWER), 0);
    assert_int_equal(add(&x, "2026-10-03T12:00:00.000Z", "cloud", ", \"cost\": \"1\", \"currency\": \"EUR\""), 0);
    assert_int_equal(measure(&x, &s, &r, &e), CROFT_E_FORMAT); /* two currencies */
    assert_non_null(strstr(e.msg, "in USD and in EUR"));
    assert_int_equal(add(&x, "2026-13-01T00:00:00.000Z", "cloud", ""), CROFT_E_FORMAT);
    assert_int_equal(add(&x, "yesterday", "cloud", ""), CROFT_E_FORMAT);
    assert_int_equal(add(&x, "2026-10-03T12:00:00.000Z", "cloud", ", \"cost\": \"-1\", \"currency\": \"USD\""),
                     CROFT_E_FORMAT);
    econ_scenario_done(&s);
    econ_receipts_done(&x);
}

/* Leap years and ends of months come out as they went in. */
static void dates_come_back(void **state)
{
    static const char *const days[] = {"1970-01-02", "2000-02-29", "2024-02-29",
                                       "2026-12-31", "2100-03-01", "2027-01-01"};
    (void)state;
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct econ_receipts x = {0};
        struct econ_scenario s;
        struct econ_remarks r;
        struct err e = {0};
        char time[32];
        econ_scenario_init(&s);
        snprintf(time, sizeof time, "%sT00:00:00.000Z", days[i]);
        assert_int_equal(add(&x, time, "device", ""), 0);
        assert_int_equal(add(&x, "2150-01-01T00:00:00.000Z", "device", ""), 0);
        assert_int_equal(measure(&x, &s, &r, &e), 0);
        assert_non_null(strstr(s.origin[ECON_P_ESCALATION].note, days[i]));
        econ_scenario_done(&s);
        econ_receipts_done(&x);
    }
}

/* Reports with bytes that are not theirs: an error or a value within bounds, never worse. */
static void damaged_bytes_do_no_harm(void **state)
{
    static const char *const reports[] = {
        EVAL(RATE ", \"calibration\": {\"verdicts\": {\"accept\": {\"n\": 160, \"n_right\": 156}}}, \"examples\": "
                  "[{\"ms\": 1.5}, {\"ms\": 2}]"),
        "{" PP "," TG ", \"n_prompt\": 512, \"prefix\": 30}",
        "{\"time\": \"2026-10-01T12:00:00.000Z\", \"place\": \"cloud\", \"cost\": \"0.002\", \"currency\": \"USD\", "
        "\"prompt_tokens\": 40, \"lost\": 3}",
    };
    static const char bytes[] = "0123456789-.eE\"{}[],:aZ \x80";
    uint64_t seed = 1;
    int n_read = 0;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[600];
        size_t n = (size_t)snprintf(text, sizeof text, "%s", reports[round % 3]);
        struct econ_scenario s;
        struct econ_remarks r = {.n = 0};
        struct econ_receipts x = {0};
        struct err e = {0};
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[(seed >> 33) % n] = bytes[(seed >> 20) % (sizeof bytes - 1)];
        }
        json_t *j = json_loads(text, 0, NULL);
        if (!j) continue;
        econ_scenario_init(&s);
        assert_int_equal(econ_scenario_set(&s, ECON_P_TOKENS_IN, "500", ECON_FROM_FILE, NULL, &e), 0);
        int rc = round % 3 == 0   ? econ_measured_eval(&s, "e", j, &r, &e)
                 : round % 3 == 1 ? econ_measured_bench(&s, "b", j, &r, &e)
                                  : econ_receipts_add(&x, j, &e);
        if (round % 3 == 2 && rc == 0) {
            assert_int_equal(add(&x, "2026-11-01T12:00:00.000Z", "device", ""), 0);
            rc = econ_measured_receipts(&s, "r", &x, &r, &e);
        }
        n_read += rc == 0;
        for (int p = 0; p < ECON_N_PARAMS; p++) {
            const struct econ_param_info *i = econ_param_info((enum econ_param)p);
            assert_true(s.v[p] >= i->min || s.v[p] == i->def);
            assert_true(s.v[p] <= i->max);
        }
        json_decref(j);
        econ_receipts_done(&x);
        econ_scenario_done(&s);
    }
    assert_true(n_read > 1000);
}

static void memory_may_end(void **state)
{
    struct econ_receipts x = {0};
    (void)state;
    mem_fail_nth(1);
    assert_int_equal(add(&x, "2026-10-01T12:00:00.000Z", "device", ""), CROFT_E_NOMEM);
    mem_fail_nth(0);
    assert_int_equal(x.n, 0);
    assert_int_equal(add(&x, "2026-10-01T12:00:00.000Z", "device", ""), 0);
    econ_receipts_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluation_sets_errors_and_rate),
        cmocka_unit_test(a_calibration_sets_what_is_handed_on),
        cmocka_unit_test(energy_becomes_power),
        cmocka_unit_test(a_flag_stands),
        cmocka_unit_test(damaged_evaluations_are_errors),
        cmocka_unit_test(rates_of_tokens_become_one_of_answers),
        cmocka_unit_test(benchmarks_that_do_not_fit_are_errors),
        cmocka_unit_test(receipts_set_shares_tokens_prices_and_volume),
        cmocka_unit_test(a_gap_widens),
        cmocka_unit_test(days_that_differ_widen),
        cmocka_unit_test(what_the_scenario_states_stays),
        cmocka_unit_test(receipts_that_prove_nothing_are_errors),
        cmocka_unit_test(dates_come_back),
        cmocka_unit_test(damaged_bytes_do_no_harm),
        cmocka_unit_test(memory_may_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
