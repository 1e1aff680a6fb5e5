/* Verdicts: every check by hand, at its limit and to both sides of it. */
#include "econ_qualify.h"
#include "econ_roofline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct econ_required nothing = {.memory_factor = 1.5,
                                             .decode_rate = NAN,
                                             .prompt_rate = NAN,
                                             .p99_ms = NAN,
                                             .sustained_share = NAN,
                                             .celsius = NAN,
                                             .joules = NAN,
                                             .level_rank = -1};
static const struct econ_found good = {.file_bytes = 1e9,
                                       .available_bytes = 4e9,
                                       .decode_rate = 50,
                                       .prompt_rate = 400,
                                       .n_answers = 200,
                                       .p50_ms = 80,
                                       .p95_ms = 95,
                                       .p99_ms = 100,
                                       .seconds = 60,
                                       .first_rate = 10,
                                       .last_rate = 9,
                                       .celsius = 70,
                                       .throttled = 0,
                                       .joules = 2.5,
                                       .load = 0.1,
                                       .level = "avx2",
                                       .level_rank = 1,
                                       .evaluation = "r.json",
                                       .same_model = true,
                                       .same_task = true,
                                       .score = 0.9,
                                       .floor = 0.85,
                                       .metric = "accuracy"};

static const struct econ_check *check_of(const struct econ_verdict *v, const char *name)
{
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->check[i].name, name) == 0) return &v->check[i];
    fail_msg("there is no check '%s'", name);
    return NULL;
}

static enum econ_outcome outcome(const struct econ_required *r, const struct econ_found *f, const char *name)
{
    struct econ_verdict v;
    econ_qualify(r, f, &v);
    return check_of(&v, name)->outcome;
}

static void each_number_is_held_against_its_limit(void **state)
{
    struct econ_required r = nothing;
    r.decode_rate = 50, r.prompt_rate = 400, r.p99_ms = 100, r.sustained_share = 0.9, r.celsius = 70, r.joules = 2.5;
    r.level_rank = 1, r.level = "avx2", r.evaluated = true;
    struct econ_verdict v;
    econ_qualify(&r, &good, &v);
    assert_int_equal(v.outcome, ECON_PASS);
    static const char *const names[] = {"decode", "prompt",       "p99",        "sustained", "temperature",
                                        "energy", "kernel level", "evaluation", "memory",    "throttling"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct econ_found f = good;
        switch (i) {
        case 0:
            f.decode_rate = 49.99;
            break;
        case 1:
            f.prompt_rate = 399;
            break;
        case 2:
            f.p99_ms = 100.1;
            break;
        case 3:
            f.last_rate = 8.99;
            break;
        case 4:
            f.celsius = 71;
            break;
        case 5:
            f.joules = 2.6;
            break;
        case 6:
            f.level_rank = 0;
            break;
        case 7:
            f.score = 0.849;
            break;
        case 8:
            f.available_bytes = 1.49e9;
            break;
        case 9:
            f.throttled = 1;
            break;
        }
        econ_qualify(&r, &f, &v);
        if (v.outcome != ECON_FAIL || check_of(&v, names[i])->outcome != ECON_FAIL) fail_msg("%s", names[i]);
        assert_true(strlen(check_of(&v, names[i])->reason) > 10);
    }
}

static void what_is_not_known_is_open_if_it_is_required(void **state)
{
    struct econ_required r = nothing;
    struct econ_found f = good;
    f.joules = f.celsius = f.decode_rate = f.p99_ms = f.last_rate = NAN;
    f.throttled = -1;
    f.evaluation = NULL;
    struct econ_verdict v;
    econ_qualify(&r, &f, &v);
    assert_int_equal(v.outcome, ECON_PASS);
    assert_int_equal(check_of(&v, "energy")->outcome, ECON_INFO);
    assert_non_null(strstr(check_of(&v, "energy")->reason, "not readable here"));
    assert_int_equal(check_of(&v, "throttling")->outcome, ECON_INFO);
    r.joules = 5;
    assert_int_equal(outcome(&r, &f, "energy"), ECON_OPEN);
    r.evaluated = true;
    econ_qualify(&r, &f, &v);
    assert_int_equal(v.outcome, ECON_OPEN);
    assert_non_null(strstr(check_of(&v, "evaluation")->reason, "not evaluated"));
    f.available_bytes = 1; /* a failure outweighs what is open */
    econ_qualify(&r, &f, &v);
    assert_int_equal(v.outcome, ECON_FAIL);
}

static void fewer_than_a_hundred_answers_have_no_p99(void **state)
{
    struct econ_required r = nothing;
    struct econ_found f = good;
    r.p99_ms = 100;
    f.n_answers = 100;
    assert_int_equal(outcome(&r, &f, "p99"), ECON_PASS);
    f.n_answers = 99;
    assert_int_equal(outcome(&r, &f, "p99"), ECON_OPEN);
    f.p99_ms = 101;
    assert_int_equal(outcome(&r, &f, "p99"), ECON_FAIL);
}

static void an_evaluation_counts_for_its_weights_and_task_alone(void **state)
{
    struct econ_required r = nothing;
    struct econ_found f = good;
    r.evaluated = true;
    assert_int_equal(outcome(&r, &f, "evaluation"), ECON_PASS);
    f.same_model = false;
    assert_int_equal(outcome(&r, &f, "evaluation"), ECON_OPEN);
    f.same_model = true, f.same_task = false;
    assert_int_equal(outcome(&r, &f, "evaluation"), ECON_OPEN);
    f.same_task = true, f.floor = NAN;
    assert_int_equal(outcome(&r, &f, "evaluation"), ECON_PASS);
    r.evaluated = false, f.score = 0;
    assert_int_equal(outcome(&r, &f, "evaluation"), ECON_INFO);
}

static void predictions_are_judged_by_the_ends_of_their_interval(void **state)
{
    struct econ_required r = nothing;
    struct econ_verdict v;
    struct econ_prediction p = {.decode = {.at = 50, .lo = 40, .hi = 60},
                                .prompt = {.at = NAN, .lo = NAN, .hi = NAN},
                                .answer_s = 1,
                                .answer_lo_s = 0.8,
                                .answer_hi_s = 1.3};
    static const struct {
        double limit;
        enum econ_outcome is;
    } rates[] = {{39, ECON_PASS}, {40, ECON_PASS}, {41, ECON_OPEN}, {60, ECON_OPEN}, {61, ECON_FAIL}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        r.decode_rate = rates[i].limit;
        econ_qualify_predicted(&r, &good, &p, 4e9, &v);
        assert_int_equal(check_of(&v, "decode")->outcome, rates[i].is);
    }
    struct econ_found f = good;
    f.load = 2; /* limits that were measured beside other work */
    econ_qualify_predicted(&r, &f, &p, 4e9, &v);
    assert_non_null(strstr(check_of(&v, "other work")->reason, "it was not idle"));
    f.load = NAN; /* those of a data sheet */
    r.decode_rate = NAN, r.prompt_rate = 10;
    econ_qualify_predicted(&r, &f, &p, 4e9, &v);
    for (int i = 0; i < v.n; i++) assert_string_not_equal(v.check[i].name, "other work");
    assert_int_equal(check_of(&v, "prompt")->outcome, ECON_OPEN);
    r.prompt_rate = NAN, r.p99_ms = 799;
    econ_qualify_predicted(&r, &good, &p, 4e9, &v);
    assert_int_equal(check_of(&v, "answer")->outcome, ECON_FAIL);
    r.p99_ms = 1301; /* a typical answer is quicker: that says nothing of P99 */
    econ_qualify_predicted(&r, &good, &p, 4e9, &v);
    assert_int_equal(check_of(&v, "answer")->outcome, ECON_OPEN);
    r.p99_ms = NAN, r.celsius = 80;
    econ_qualify_predicted(&r, &good, &p, 4e9, &v);
    assert_int_equal(check_of(&v, "temperature")->outcome, ECON_OPEN);
    econ_qualify_predicted(&nothing, &good, &p, 0, &v);
    assert_int_equal(check_of(&v, "memory")->outcome, ECON_OPEN);
    econ_qualify_predicted(&nothing, &good, &p, 1.4e9, &v);
    assert_int_equal(v.outcome, ECON_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_held_against_its_limit),
        cmocka_unit_test(what_is_not_known_is_open_if_it_is_required),
        cmocka_unit_test(fewer_than_a_hundred_answers_have_no_p99),
        cmocka_unit_test(an_evaluation_counts_for_its_weights_and_task_alone),
        cmocka_unit_test(predictions_are_judged_by_the_ends_of_their_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
