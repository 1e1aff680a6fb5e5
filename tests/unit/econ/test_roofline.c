/* Predictions. Rates against bench/roofline.py, which has the formulas once more (roofline_golden.inc); limits,
 * intervals and answer times by hand. */
#include "econ_roofline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct err e;

#define NEAR(a, b, relative)                                                                                         \
    do {                                                                                                             \
        double a_ = (a), b_ = (b);                                                                                   \
        if (!(fabs(a_ - b_) <= (relative)*fabs(b_))) fail_msg("%s is %.12g, not %.12g", #a, a_, b_);                 \
    } while (0)

struct golden {
    const char *name;
    int threads;
    double n_layer, ff, attn, kv, cache, read, int8, floats;
    bool decodes;
    double prompt, decode;
    struct econ_weights weights[ECON_MAX_TYPES];
};
static const struct golden golden[] = {
#define GOLDEN(name, threads, n_layer, ff, attn, kv, cache, read, int8, floats, decodes, prompt, decode, ...)        \
    {name, threads, n_layer, ff, attn, kv, cache, read, int8, floats, decodes, prompt, decode, {__VA_ARGS__}},
#include "roofline_golden.inc"
};

static void rates_are_those_of_the_second_opinion(void **state)
{
    for (const struct golden *g = golden; g < golden + sizeof golden / sizeof golden[0]; g++) {
        struct econ_model_shape s = {.n_layer = g->n_layer,
                                     .ff_elements = g->ff,
                                     .attn_ops = g->attn,
                                     .kv_bytes = g->kv,
                                     .file_bytes = 1,
                                     .decodes = g->decodes};
        struct econ_machine m = {.kind = ECON_CPU,
                                 .threads = g->threads,
                                 .measured = true,
                                 .read = g->read,
                                 .int8_ops = g->int8,
                                 .float_ops = g->floats,
                                 .cache_bytes = g->cache};
        struct econ_prediction p;
        memcpy(s.weights, g->weights, sizeof s.weights);
        while (s.n_weights < ECON_MAX_TYPES && s.weights[s.n_weights].type) s.n_weights++;
        struct econ_work w = {.prompt = 200, .cached = g->decodes ? 50 : 0, .answer = g->decodes ? 30 : 0};
        if (econ_predict(&m, &s, &w, &p, &e)) fail_msg("%s: %s", g->name, e.msg);
        NEAR(p.prompt.at, g->prompt, 1e-6);
        if (g->decodes)
            NEAR(p.decode.at, g->decode, 1e-6);
        else
            assert_true(isnan(p.decode.at));
        assert_true(p.prompt.lo < p.prompt.at && p.prompt.at <= p.prompt.hi && p.prompt.hi <= p.prompt.limit);
        NEAR(p.answer_s, 200 / g->prompt + (g->decodes ? 30 / g->decode : 0), 1e-6);
        assert_true(p.answer_lo_s <= p.answer_s && p.answer_s <= p.answer_hi_s);
    }
}

/* A million weights of 1.0625 bytes, 100 bytes of cache and 1,000 operations of attention a position. */
static const struct econ_model_shape toy = {.weights = {{"Q8_0", 900000, 100000, 956250, 106250}},
                                            .n_weights = 1,
                                            .n_layer = 2,
                                            .ff_elements = 1000,
                                            .attn_ops = 1000,
                                            .kv_bytes = 100,
                                            .file_bytes = 2e6,
                                            .decodes = true};
static const struct econ_work work = {.prompt = 100, .cached = 20, .answer = 10};

static void limits_are_bandwidth_and_operations(void **state)
{
    struct econ_machine m = {.kind = ECON_GPU, .read = 1e9, .int8_ops = 1e12, .float_ops = 5e11, .memory_bytes = 8e6};
    struct econ_prediction p;
    assert_int_equal(econ_predict(&m, &toy, &work, &p, &e), 0);
    /* a step reads 1,062,500 + 100 * (20 + 100 + 5) bytes */
    NEAR(p.decode.limit, 1e9 / 1075000, 1e-12);
    /* 1.8e6 operations at 1e12 and 1000 * (20 + 50) at 5e11 */
    NEAR(p.prompt.limit, 1 / (1.8e-6 + 1.4e-7), 1e-12);
    NEAR(p.decode.lo, 0.2 * 1e9 / 1075000, 1e-12);
    NEAR(p.decode.hi, 0.9 * 1e9 / 1075000, 1e-12);
    NEAR(p.prompt.lo, 0.05 / 1.94e-6, 1e-12);
    NEAR(p.prompt.hi, 0.6 / 1.94e-6, 1e-12);
    NEAR(p.answer_hi_s, 100 / p.prompt.lo + 10 / p.decode.lo, 1e-12);
    NEAR(p.memory_factor, 4, 1e-12);
    assert_non_null(strstr(p.basis, "not measured"));
}

static void what_a_device_does_not_say_cannot_be_predicted(void **state)
{
    struct econ_machine m = {.kind = ECON_NPU, .read = 0, .int8_ops = 1e12};
    struct econ_prediction p;
    assert_int_equal(econ_predict(&m, &toy, &work, &p, &e), 0);
    assert_true(isnan(p.decode.at) && isnan(p.decode.limit) && isnan(p.answer_s) && isnan(p.memory_factor));
    assert_true(p.prompt.at > 0);
    m.read = 1e9, m.int8_ops = 0;
    assert_int_equal(econ_predict(&m, &toy, &work, &p, &e), 0);
    assert_true(isnan(p.prompt.at) && isnan(p.prompt.limit) && p.decode.at > 0);
}

static void a_data_sheets_cpu_gets_a_wide_interval(void **state)
{
    struct econ_device d = {
        .name = "x", .kind = ECON_CPU, .cores = 4, .memory_gb = 8, .bandwidth_gbs = 20, .int8_tops = 1};
    struct econ_machine m, measured;
    struct econ_prediction wide, narrow;
    econ_machine_of(&d, &m);
    assert_true(m.read == 20e9 && m.int8_ops == 1e12 && m.float_ops == 0.25e12 && m.threads == 4 && !m.measured);
    measured = m, measured.measured = true;
    assert_int_equal(econ_predict(&m, &toy, &work, &wide, &e), 0);
    assert_int_equal(econ_predict(&measured, &toy, &work, &narrow, &e), 0);
    assert_true(wide.decode.hi / wide.decode.lo > narrow.decode.hi / narrow.decode.lo);
    /* its middle is that of a machine that reaches 67 % of the bandwidth and 75 % of the operations */
    measured.read *= 0.67, measured.int8_ops *= 0.75, measured.float_ops *= 0.75;
    assert_int_equal(econ_predict(&measured, &toy, &work, &narrow, &e), 0);
    NEAR(wide.decode.at, narrow.decode.at, 1e-12);
    NEAR(wide.prompt.at, narrow.prompt.at, 1e-12);
    assert_non_null(strstr(wide.basis, "not on this one"));
}

/* A step reads 1,075,000 bytes, as above. */
static void memory_is_not_read_where_all_fits_half_of_the_cache(void **state)
{
    struct econ_machine m = {
        .kind = ECON_CPU, .threads = 1, .measured = true, .read = 1e9, .int8_ops = 1e12, .float_ops = 1e12};
    struct econ_prediction none, just, above;
    assert_int_equal(econ_predict(&m, &toy, &work, &none, &e), 0);
    m.cache_bytes = 2 * 1075000;
    assert_int_equal(econ_predict(&m, &toy, &work, &above, &e), 0);
    m.cache_bytes = 2 * 1075001;
    assert_int_equal(econ_predict(&m, &toy, &work, &just, &e), 0);
    NEAR(above.decode.at, none.decode.at, 1e-12);
    assert_true(just.decode.at > 2 * none.decode.at);
    assert_true(isnan(just.decode.limit));
    NEAR(above.decode.limit, 1e9 / 1075000, 1e-12);
}

static void more_of_anything_is_never_slower_and_a_larger_model_never_faster(void **state)
{
    struct econ_machine m = {.kind = ECON_CPU,
                             .threads = 2,
                             .measured = true,
                             .read = 2e10,
                             .int8_ops = 5e11,
                             .float_ops = 1e11,
                             .cache_bytes = 1e5};
    struct econ_prediction a, b;
    assert_int_equal(econ_predict(&m, &toy, &work, &a, &e), 0);
    struct econ_machine faster[3] = {m, m, m};
    faster[0].read *= 2, faster[1].int8_ops *= 2, faster[2].float_ops *= 2;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(econ_predict(&faster[i], &toy, &work, &b, &e), 0);
        assert_true(b.answer_s <= a.answer_s && b.decode.at >= a.decode.at && b.prompt.at >= a.prompt.at);
    }
    struct econ_model_shape larger[5] = {toy, toy, toy, toy, toy};
    larger[0].weights[0].layer_params *= 2, larger[1].n_layer *= 2, larger[2].ff_elements *= 2;
    larger[3].kv_bytes *= 2, larger[4].weights[0].layer_bytes *= 2;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(econ_predict(&m, &larger[i], &work, &b, &e), 0);
        assert_true(b.answer_s >= a.answer_s);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    struct econ_machine m = {
        .kind = ECON_CPU, .threads = 1, .measured = true, .read = 1e9, .int8_ops = 1e9, .float_ops = 1e9};
    struct econ_prediction p = {.answer_s = 42};
    struct econ_model_shape s = toy;
    struct econ_work w = work;
    s.weights[0].type = "Q9_X";
    assert_int_equal(econ_predict(&m, &s, &w, &p, &e), CROFT_E_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "Q9_X"));
    s = toy, s.n_weights = 0;
    assert_int_equal(econ_predict(&m, &s, &w, &p, &e), CROFT_E_FORMAT);
    s = toy, s.kv_bytes = -1;
    assert_int_equal(econ_predict(&m, &s, &w, &p, &e), CROFT_E_FORMAT);
    s = toy, s.weights[0].layer_bytes = NAN;
    assert_int_equal(econ_predict(&m, &s, &w, &p, &e), CROFT_E_FORMAT);
    w.prompt = 0;
    assert_int_equal(econ_predict(&m, &toy, &w, &p, &e), CROFT_E_FORMAT);
    w = work, w.answer = -1;
    assert_int_equal(econ_predict(&m, &toy, &w, &p, &e), CROFT_E_FORMAT);
    m.read = -5;
    assert_int_equal(econ_predict(&m, &toy, &work, &p, &e), CROFT_E_FORMAT);
    assert_true(p.answer_s == 42); /* outputs are written on success alone */
}

static void the_measured_error_is_there(void **state)
{
    const struct econ_errors *x = econ_errors_measured();
    int n = 0;
    for (; n < 4 && x->row[n].of; n++)
        assert_true(x->row[n].n > 0 && x->row[n].median <= x->row[n].p90 && x->row[n].p90 <= x->row[n].worst);
    assert_true(n >= 2);
    assert_int_equal(strlen(x->date), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_the_second_opinion),
        cmocka_unit_test(limits_are_bandwidth_and_operations),
        cmocka_unit_test(what_a_device_does_not_say_cannot_be_predicted),
        cmocka_unit_test(a_data_sheets_cpu_gets_a_wide_interval),
        cmocka_unit_test(memory_is_not_read_where_all_fits_half_of_the_cache),
        cmocka_unit_test(more_of_anything_is_never_slower_and_a_larger_model_never_faster),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(the_measured_error_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
