/* What must hold of every scenario, whatever its numbers: tried on seeded random ones. Values themselves are checked
 * by tests/econ, against a second implementation of docs/TCO.md; distributions here, against closed forms. */
#include "base_mem.h"
#include "base_random.h"
#include "econ_tco.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { TRIES = 300 };
static struct econ_tco *t1, *t2; /* too large for the stack */

static double even(uint64_t *r, double low, double high)
{
    return low + (high - low) * (double)(random_next(r) >> 11) * 0x1p-53;
}
static void put(struct econ_scenario *s, enum econ_param p, const char *text)
{
    struct err e = {0};
    if (econ_scenario_set(s, p, text, ECON_FROM_FLAG, NULL, &e)) fail_msg("%s: %s", text, e.msg);
}
static void putf(struct econ_scenario *s, enum econ_param p, double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.6f", x);
    put(s, p, text);
}
static void compute(struct econ_scenario *s, struct econ_tco *t)
{
    struct err e = {0};
    if (econ_tco(s, t, &e)) fail_msg("%s", e.msg);
}
static void finish(struct econ_scenario *s)
{
    struct err e = {0};
    if (econ_scenario_finish(s, NULL, &e)) fail_msg("%s", e.msg);
}

/* Half of the scenarios price answers, half tokens; a third know no rate. All have something of everything. */
static void random_values(struct econ_scenario *s, uint64_t *r)
{
    econ_scenario_init(s);
    s->decides = random_below(r, 2);
    putf(s, ECON_P_VOLUME, pow(10, even(r, 2, 7)));
    putf(s, ECON_P_GROWTH, even(r, -0.5, 0.8));
    putf(s, ECON_P_MONTHS, 1 + random_below(r, 72));
    putf(s, ECON_P_DISCOUNT, even(r, 0, 0.2));
    putf(s, ECON_P_PEAK, even(r, 1, 8));
    if (random_below(r, 2)) {
        putf(s, ECON_P_CLOUD_ANSWER, even(r, 0.00001, 0.01));
    } else {
        putf(s, ECON_P_TOKENS_IN, 50 + random_below(r, 3000));
        putf(s, ECON_P_TOKENS_OUT, 1 + random_below(r, 500));
        putf(s, ECON_P_TOKENS_CACHED, even(r, 0, 0.9));
        putf(s, ECON_P_CLOUD_IN, even(r, 0.04, 5));
        putf(s, ECON_P_CLOUD_OUT, even(r, 0.1, 20));
        if (s->decides) putf(s, ECON_P_DECISION_IN, even(r, 0.01, 0.1));
    }
    putf(s, ECON_P_CLOUD_CHANGE, even(r, -0.4, 0.1));
    putf(s, ECON_P_CLOUD_MONTH, even(r, 0, 500));
    putf(s, ECON_P_CLOUD_ENGINEERING, even(r, 0, 5000));
    if (random_below(r, 2)) {
        putf(s, ECON_P_EGRESS_SHARE, even(r, 0, 0.3));
    } else {
        putf(s, ECON_P_EGRESS_GB, even(r, 0.01, 0.2));
        putf(s, ECON_P_EGRESS_BYTES, 100 + random_below(r, 100000));
    }
    putf(s, ECON_P_HARDWARE_PRICE, even(r, 200, 20000));
    putf(s, ECON_P_SPARES, random_below(r, 3));
    putf(s, ECON_P_LIFE, 6 + random_below(r, 60));
    putf(s, ECON_P_RESIDUAL, even(r, 0, 0.5));
    putf(s, ECON_P_FAILURES, even(r, 0, 0.2));
    if (random_below(r, 3))
        putf(s, ECON_P_RATE, even(r, 0.5, 50));
    else
        putf(s, ECON_P_UTILISATION, even(r, 0, 1));
    putf(s, ECON_P_IDLE_WATTS, even(r, 1, 50));
    putf(s, ECON_P_BUSY_WATTS, even(r, 50, 500));
    putf(s, ECON_P_COOLING, even(r, 1, 2));
    putf(s, ECON_P_ENERGY, even(r, 0.05, 0.5));
    putf(s, ECON_P_OPERATIONS, even(r, 0, 2000));
    putf(s, ECON_P_UNIT_MONTH, even(r, 0, 100));
    putf(s, ECON_P_ENGINEERING, even(r, 0, 20000));
    putf(s, ECON_P_UPDATES, 1 + random_below(r, 12));
    putf(s, ECON_P_UPDATE_GB, even(r, 0.001, 10));
    putf(s, ECON_P_UPDATE_PRICE, even(r, 0.001, 0.1));
    putf(s, ECON_P_ESCALATION, even(r, 0, 0.6));
    putf(s, ECON_P_CHECKS, even(r, 0, 0.1));
    putf(s, ECON_P_WRONG, even(r, 0, 0.5));
    putf(s, ECON_P_WRONG_LOCAL, even(r, 0, 0.1));
    putf(s, ECON_P_WRONG_CLOUD, even(r, 0, 0.1));
    putf(s, ECON_P_RENT, even(r, 0.3, 4));
    putf(s, ECON_P_RENT_RATE, even(r, 10, 500));
}
/* The scenario of a seed; p, where it is one, has the value x. */
static void scenario(struct econ_scenario *s, uint64_t seed, int p, double x)
{
    uint64_t r = seed;
    random_values(s, &r);
    if (p >= 0) putf(s, (enum econ_param)p, x);
    finish(s);
}
static void with(uint64_t seed, int p, double x, struct econ_tco *t)
{
    struct econ_scenario s;
    scenario(&s, seed, p, x);
    compute(&s, t);
    econ_scenario_done(&s);
}

static void sums_are_exact_and_finite(void **state)
{
    for (uint64_t seed = 1; seed <= TRIES; seed++) {
        with(seed, -1, 0, t1);
        for (int o = 0; o < ECON_N_OPTIONS; o++) {
            const struct econ_costs *c = &t1->option[o];
            if (!c->there) continue;
            econ_amount total = 0;
            for (int m = 0; m <= t1->months; m++) {
                econ_amount month = 0;
                for (int l = 0; l < ECON_N_LINES; l++) month += c->line[m][l];
                assert_true(month == c->month[m]);
                total += month;
            }
            assert_true(total == c->total);
            assert_true(isfinite(econ_per_answer(t1, (enum econ_option)o)));
            assert_true(isfinite(econ_amount_real(c->npv)));
        }
        econ_amount answers = 0;
        for (int m = 1; m <= t1->months; m++) answers += t1->volume[m];
        assert_true(answers == t1->answers);
        assert_false(isnan(t1->tipping) || isnan(t1->tipping_npv) || isnan(t1->tipping_simple));
    }
}

/* Does the total of an option rise, or stay, when p goes from low to high? */
static void rises(enum econ_option o, enum econ_param p, double low, double high)
{
    for (uint64_t seed = 1; seed <= TRIES / 3; seed++) {
        with(seed, (int)p, low, t1);
        with(seed, (int)p, high, t2);
        if (t1->option[o].total > t2->option[o].total)
            fail_msg("%s falls as %s rises, seed %d", econ_option_word(o), econ_param_info(p)->name, (int)seed);
    }
}
static void costs_rise_with_prices(void **state)
{
    rises(ECON_LOCAL, ECON_P_HARDWARE_PRICE, 500, 700);
    rises(ECON_LOCAL, ECON_P_ENERGY, 0.1, 0.3);
    rises(ECON_LOCAL, ECON_P_FAILURES, 0.01, 0.05);
    rises(ECON_LOCAL, ECON_P_OPERATIONS, 10, 10.01);
    rises(ECON_LOCAL, ECON_P_WRONG_LOCAL, 0.02, 0.03);
    rises(ECON_LOCAL, ECON_P_CHECKS, 0.01, 0.02);
    rises(ECON_LOCAL, ECON_P_VOLUME, 1000, 4e6);
    rises(ECON_CLOUD, ECON_P_VOLUME, 1000, 1001);
    rises(ECON_CLOUD, ECON_P_CLOUD_CHANGE, -0.3, -0.2);
    rises(ECON_CLOUD, ECON_P_WRONG_CLOUD, 0.01, 0.02);
    rises(ECON_RENTED, ECON_P_RENT, 1, 1.1);
}
static void less_is_left_of_hardware_that_lasts_shorter(void **state)
{
    for (uint64_t seed = 1; seed <= TRIES / 3; seed++) {
        with(seed, ECON_P_LIFE, 12, t1);
        with(seed, ECON_P_LIFE, 24, t2);
        assert_true(t1->option[ECON_LOCAL].total >= t2->option[ECON_LOCAL].total);
    }
}
/* Where wrong answers cost nothing, each answer handed on costs a call. */
static void escalation_costs(void **state)
{
    for (uint64_t seed = 1; seed <= TRIES / 3; seed++) {
        struct econ_scenario s;
        for (int i = 0; i < 2; i++) {
            uint64_t r = seed;
            random_values(&s, &r);
            put(&s, ECON_P_WRONG, "0");
            put(&s, ECON_P_ESCALATION, i ? "0.3" : "0.2");
            finish(&s);
            compute(&s, i ? t2 : t1);
            econ_scenario_done(&s);
        }
        assert_true(t1->option[ECON_LOCAL].total < t2->option[ECON_LOCAL].total);
        assert_true(t1->option[ECON_CLOUD].total == t2->option[ECON_CLOUD].total);
    }
}
static void a_call_costs_more_at_a_higher_price(void **state)
{
    static const enum econ_param price[] = {ECON_P_CLOUD_ANSWER, ECON_P_CLOUD_IN};
    for (uint64_t seed = 1; seed <= TRIES; seed++) {
        struct econ_scenario s;
        uint64_t r = seed;
        random_values(&s, &r);
        enum econ_param p = price[s.origin[ECON_P_CLOUD_IN].source != ECON_DEFAULT];
        econ_scenario_done(&s);
        with(seed, (int)p, 0.5, t1);
        with(seed, (int)p, 0.6, t2);
        assert_true(t1->option[ECON_CLOUD].total < t2->option[ECON_CLOUD].total);
        assert_true(t1->option[ECON_LOCAL].total <= t2->option[ECON_LOCAL].total);
    }
}
static void later_costs_weigh_less(void **state)
{
    for (uint64_t seed = 1; seed <= TRIES / 3; seed++) {
        with(seed, ECON_P_DISCOUNT, 0, t1);
        with(seed, ECON_P_DISCOUNT, 0.1, t2);
        for (int o = 0; o < ECON_N_OPTIONS; o++) {
            if (!t1->option[o].there) continue;
            assert_true(t1->option[o].npv == t1->option[o].total);
            assert_true(t1->option[o].total == t2->option[o].total);
        }
        assert_true(t2->option[ECON_CLOUD].npv < t1->option[ECON_CLOUD].npv); /* it is owed nothing */
        with(seed, ECON_P_DISCOUNT, 0.2, t1);
        assert_true(t1->option[ECON_CLOUD].npv < t2->option[ECON_CLOUD].npv);
    }
}

/* "12 USD/year" is "1 USD/month": the same billionths, so the same of everything. */
static void units_convert(void **state)
{
    static const struct {
        enum econ_param p;
        const char *a, *b;
    } same[] = {
        {ECON_P_OPERATIONS, "1200 USD/year", "100 USD/month"},
        {ECON_P_OPERATIONS, "100", "100 USD/month"},
        {ECON_P_ESCALATION, "5 %", "0.05"},
        {ECON_P_ESCALATION, "5%", "0.05"},
        {ECON_P_GROWTH, "-10 %", "-0.1"},
        {ECON_P_MONTHS, "3 years", "36 months"},
        {ECON_P_MONTHS, "36", "36 months"},
        {ECON_P_ENERGY, "0.25 USD/kWh", "0.25"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct econ_scenario s;
        for (int j = 0; j < 2; j++) {
            uint64_t r = 7;
            random_values(&s, &r);
            put(&s, same[i].p, j ? same[i].b : same[i].a);
            finish(&s);
            compute(&s, j ? t2 : t1);
            econ_scenario_done(&s);
        }
        for (int o = 0; o < ECON_N_OPTIONS; o++) assert_true(t1->option[o].npv == t2->option[o].npv);
        assert_true(t1->option[ECON_LOCAL].total == t2->option[ECON_LOCAL].total);
    }
}

static void no_volume_pays_where_calls_are_free(void **state)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct econ_scenario s;
        uint64_t r = seed;
        random_values(&s, &r);
        put(&s, ECON_P_WRONG, "0");
        putf(&s, s.origin[ECON_P_CLOUD_IN].source != ECON_DEFAULT ? ECON_P_CLOUD_IN : ECON_P_CLOUD_ANSWER, 0);
        if (s.origin[ECON_P_CLOUD_IN].source != ECON_DEFAULT) put(&s, ECON_P_CLOUD_OUT, "0");
        put(&s, ECON_P_EGRESS_GB, "0");
        struct err e = {0};
        if (!econ_scenario_finish(&s, NULL, &e)) { /* a price of nothing may be refused, too */
            compute(&s, t1);
            assert_true(isinf(t1->tipping) && isinf(t1->tipping_npv));
        }
        econ_scenario_done(&s);
    }
}
/* All handed on, nothing gained: local pays the calls and itself. */
static void what_hands_everything_on_is_never_cheaper(void **state)
{
    for (uint64_t seed = 1; seed <= TRIES; seed++) {
        struct econ_scenario s;
        uint64_t r = seed;
        random_values(&s, &r);
        put(&s, ECON_P_ESCALATION, "1");
        put(&s, ECON_P_CLOUD_MONTH, "0");
        put(&s, ECON_P_CLOUD_ENGINEERING, "0");
        finish(&s);
        compute(&s, t1);
        assert_true(t1->option[ECON_LOCAL].total >= t1->option[ECON_CLOUD].total);
        if (!isinf(t1->tipping)) fail_msg("seed %d: tipping volume %g", (int)seed, t1->tipping);
        assert_int_equal(t1->payback, -1);
        econ_scenario_done(&s);
    }
}
static void the_largest_values_are_computed_or_refused(void **state)
{
    static const double volume[] = {1, 9e9};
    for (int i = 0; i < 2; i++) {
        for (uint64_t seed = 1; seed <= 60; seed++) {
            struct econ_scenario s;
            scenario(&s, seed, ECON_P_VOLUME, volume[i]);
            struct err e = {0};
            int rc = econ_tco(&s, t1, &e);
            assert_true(rc == 0 || rc == CROFT_E_LIMIT);
            if (rc == 0) assert_true(isfinite(econ_per_answer(t1, ECON_LOCAL)));
            econ_scenario_done(&s);
        }
    }
}

static econ_amount gap(uint64_t seed, double volume) /* cloud less local */
{
    with(seed, ECON_P_VOLUME, volume, t2);
    return t2->option[ECON_CLOUD].total - t2->option[ECON_LOCAL].total;
}
/* One less is not enough, one more is. What lies a month's rounding below is on neither side. */
static void the_tipping_volume_tips(void **state)
{
    int tried = 0;
    for (uint64_t seed = 1; seed <= 3 * TRIES; seed++) {
        with(seed, -1, 0, t1);
        double v = t1->tipping;
        if (!isfinite(v) || v < 3 || v > 8e9) continue;
        tried++;
        if (gap(seed, v + 1) < 0) fail_msg("seed %d: local is dearer at %.6f + 1", (int)seed, v);
        if (gap(seed, v - 1) > 0) fail_msg("seed %d: local is cheaper at %.6f - 1", (int)seed, v);
        if (gap(seed, v / 2) > 0) fail_msg("seed %d: local is cheaper at half of %.6f", (int)seed, v);
    }
    assert_true(tried > TRIES / 3);
}

/* At 100 % of one unit one unit answers; and a unit faster than the largest volume is not asked for more. */
static void a_busy_machine_is_one_machine(void **state)
{
    static const char *const rates[] = {"2.2", "0.37", "3000", "1000000"};
    for (int i = 0; i < 4; i++) {
        struct econ_scenario s;
        struct econ_sweep w;
        struct err e = {0};
        uint64_t r = 5;
        random_values(&s, &r);
        s.v[ECON_P_UTILISATION] = 0;
        s.origin[ECON_P_UTILISATION].source = ECON_DEFAULT;
        put(&s, ECON_P_RATE, rates[i]);
        put(&s, ECON_P_RENT_RATE, rates[i]);
        finish(&s);
        assert_int_equal(econ_utilisation(&s, &w, &e), 0);
        assert_int_equal(w.n, i < 3 ? 7 : 0); /* 1,000,000 a second reach 9,000,000,000 a month at 0.3 % */
        for (int k = 0; k < w.n; k++) {
            assert_int_equal(w.step[k].units, 1);
            assert_true(w.step[k].per_answer[ECON_LOCAL] > 0 && w.step[k].volume > 0);
        }
        econ_scenario_done(&s);
    }
}

/* ---- distributions ---- */

static void quantiles_are_those_of_the_textbook(void **state)
{
    static const struct {
        struct econ_chance c;
        double q, x;
    } known[] = {
        {{ECON_UNIFORM, 2, 6, 0}, 0.25, 3},
        {{ECON_TRIANGULAR, 0, 1, 2}, 0.125, 0.5}, /* x^2 / 2 */
        {{ECON_TRIANGULAR, 0, 1, 2}, 0.5, 1},
        {{ECON_TRIANGULAR, 0, 1, 2}, 0.875, 1.5},
        {{ECON_TRIANGULAR, 1, 1, 3}, 0.75, 2}, /* 1 - (3 - x)^2 / 4 */
        {{ECON_NORMAL, 10, 2, 0}, 0.975, 13.919927969080108},
        {{ECON_NORMAL, 10, 2, 0}, 0.05, 6.710292746097054},
        /* scipy.stats.beta.ppf(q, k + .5, n - k + .5) */
        {{ECON_BETA, 0, 20, 0}, 0.975, 0.116638983},
        {{ECON_BETA, 1, 10, 0}, 0.025, 0.011011673763},
        {{ECON_BETA, 1, 10, 0}, 0.975, 0.381314771067},
        {{ECON_BETA, 50, 1000, 0}, 0.025, 0.037770132254},
        {{ECON_BETA, 50, 1000, 0}, 0.975, 0.064828455733},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_float_equal(econ_chance_quantile(&known[i].c, known[i].q), known[i].x, 1e-6 * known[i].x);
}

/* Mean and variance of draws against closed forms; 5 standard errors of each. */
static void draws_have_their_mean_and_variance(void **state)
{
    static const struct {
        struct econ_chance c;
        double mean, variance;
    } known[] = {
        {{ECON_UNIFORM, 2, 6, 0}, 4, 16.0 / 12},
        {{ECON_TRIANGULAR, 1, 2, 6}, 3, (1 + 4 + 36 - 2 - 6 - 12) / 18.0},
        {{ECON_NORMAL, 10, 2, 0}, 10, 4},
        {{ECON_BETA, 3, 40, 0}, 3.5 / 41, 3.5 * 37.5 / (41.0 * 41 * 42)},
    };
    enum { N = 200000 };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t r = 42;
        double sum = 0, squares = 0, sd = sqrt(known[i].variance);
        for (int n = 0; n < N; n++) {
            double d = econ_chance_draw(&known[i].c, &r) - known[i].mean;
            sum += d;
            squares += d * d;
        }
        assert_float_equal(sum / N, 0, 5 * sd / sqrt(N));
        assert_float_equal(squares / N, known[i].variance, 5 * known[i].variance * sqrt(4.0 / N));
    }
}

/* Saving = 100 · (price − 10) over one month, price alone uncertain: its distribution is that of the price, moved. */
static void one_chance(struct econ_scenario *s, struct econ_chance c)
{
    econ_scenario_init(s);
    put(s, ECON_P_VOLUME, "100");
    put(s, ECON_P_MONTHS, "1");
    put(s, ECON_P_CLOUD_ANSWER, "10");
    put(s, ECON_P_HARDWARE_PRICE, "0");
    put(s, ECON_P_OPERATIONS, "1000");
    finish(s);
    for (int p = 0; p < ECON_N_PARAMS; p++) s->chance[p] = (struct econ_chance){ECON_CERTAIN, 0, 0, 0};
    s->chance[ECON_P_CLOUD_ANSWER] = c;
}
static void the_interval_is_that_of_the_closed_form(void **state)
{
    static const struct {
        struct econ_chance c;
        double mean, median, low, high, density_low, density_high; /* of the price; densities at 5 % and 95 % */
        double sd;
    } known[] = {
        {{ECON_UNIFORM, 8, 12, 0}, 10, 10, 8.2, 11.8, 0.25, 0.25, 1.1547005},
        {{ECON_TRIANGULAR, 8, 10, 12}, 10, 10, 8.6324555, 11.3675445, 0.1581139, 0.1581139, 0.8164966},
        {{ECON_NORMAL, 10, 1, 0}, 10, 10, 8.3551464, 11.6448536, 0.1031356, 0.1031356, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct econ_scenario s;
        struct econ_interval a, b;
        struct err e = {0};
        one_chance(&s, known[i].c);
        s.draws = 20000;
        assert_int_equal(econ_simulate(&s, &a, &e), 0);
        assert_int_equal(econ_simulate(&s, &b, &e), 0);
        assert_int_equal(a.draws, 20000);
        assert_memory_equal(a.saving, b.saving, a.draws * sizeof a.saving[0]); /* the same seed */
        double root = sqrt(a.draws), tail = sqrt(0.05 * 0.95) / root;
        assert_float_equal(a.mean, 100 * (known[i].mean - 10), 100 * 5 * known[i].sd / root);
        assert_float_equal(a.low, 100 * (known[i].low - 10), 100 * 5 * tail / known[i].density_low);
        assert_float_equal(a.high, 100 * (known[i].high - 10), 100 * 5 * tail / known[i].density_high);
        assert_float_equal(a.p_local, 0.5, 5 * 0.5 / root);
        for (unsigned n = 1; n < a.draws; n++) assert_true(a.saving[n - 1] <= a.saving[n]);
        mem_free(b.saving);
        s.seed++;
        assert_int_equal(econ_simulate(&s, &b, &e), 0);
        assert_memory_not_equal(a.saving, b.saving, a.draws * sizeof a.saving[0]);
        mem_free(a.saving);
        mem_free(b.saving);
        econ_scenario_done(&s);
    }
}
/* Two triangular values, price and operations, independent: means add, variances add. */
static void two_chances_are_independent(void **state)
{
    struct econ_scenario s;
    struct econ_interval a;
    struct err e = {0};
    one_chance(&s, (struct econ_chance){ECON_TRIANGULAR, 8, 10, 12});
    s.chance[ECON_P_OPERATIONS] = (struct econ_chance){ECON_TRIANGULAR, 600, 1000, 1700};
    s.draws = 40000;
    assert_int_equal(econ_simulate(&s, &a, &e), 0);
    double variance = 1e4 * 4 / 6.0 + (360000 + 1e6 + 2890000 - 600000 - 1020000 - 1700000) / 18.0, squares = 0;
    assert_float_equal(a.mean, 1000 - 1100, 5 * sqrt(variance / a.draws));
    for (unsigned n = 0; n < a.draws; n++) squares += (a.saving[n] + 100) * (a.saving[n] + 100);
    assert_float_equal(squares / a.draws, variance, 5 * variance * sqrt(2.0 / a.draws));
    mem_free(a.saving);
    econ_scenario_done(&s);
}
/* The bars are savings at the 5th and 95th percentile of one value, the rest as stated. */
static void bars_are_savings_at_percentiles(void **state)
{
    struct econ_scenario s;
    struct econ_bar bar[ECON_N_PARAMS];
    struct err e = {0};
    int n = 0;
    one_chance(&s, (struct econ_chance){ECON_UNIFORM, 8, 12, 0});
    s.chance[ECON_P_OPERATIONS] = (struct econ_chance){ECON_UNIFORM, 900, 1100, 0};
    assert_int_equal(econ_tornado(&s, bar, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(bar[0].param, ECON_P_CLOUD_ANSWER); /* moves the most */
    assert_int_equal(bar[1].param, ECON_P_OPERATIONS);
    assert_float_equal(bar[0].low, 8.2, 1e-9);
    assert_float_equal(bar[0].high, 11.8, 1e-9);
    assert_float_equal(bar[0].saving_low, -180, 1e-6);
    assert_float_equal(bar[0].saving_high, 180, 1e-6);
    assert_float_equal(bar[1].saving_low, 90, 1e-6);
    assert_float_equal(bar[1].saving_high, -90, 1e-6);
    econ_scenario_done(&s);
}

static int setup(void **state)
{
    t1 = mem_calloc(1, sizeof *t1);
    t2 = mem_calloc(1, sizeof *t2);
    return t1 && t2 ? 0 : -1;
}
static int teardown(void **state)
{
    mem_free(t1);
    mem_free(t2);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_exact_and_finite),
        cmocka_unit_test(costs_rise_with_prices),
        cmocka_unit_test(less_is_left_of_hardware_that_lasts_shorter),
        cmocka_unit_test(escalation_costs),
        cmocka_unit_test(a_call_costs_more_at_a_higher_price),
        cmocka_unit_test(later_costs_weigh_less),
        cmocka_unit_test(units_convert),
        cmocka_unit_test(no_volume_pays_where_calls_are_free),
        cmocka_unit_test(what_hands_everything_on_is_never_cheaper),
        cmocka_unit_test(the_largest_values_are_computed_or_refused),
        cmocka_unit_test(the_tipping_volume_tips),
        cmocka_unit_test(a_busy_machine_is_one_machine),
        cmocka_unit_test(quantiles_are_those_of_the_textbook),
        cmocka_unit_test(draws_have_their_mean_and_variance),
        cmocka_unit_test(the_interval_is_that_of_the_closed_form),
        cmocka_unit_test(two_chances_are_independent),
        cmocka_unit_test(bars_are_savings_at_percentiles),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
