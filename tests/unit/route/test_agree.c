/* Trust in the local tier, by simulation: how often is it lost wrongly, and how soon rightly. The bounds are those of
 * the theory (mean time between false alarms of at least 1,000 checks), not of this code. */
#include "route_agree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t state64 = 88172645463325252ull;

static double uniform(void)
{
    state64 ^= state64 << 13;
    state64 ^= state64 >> 7;
    state64 ^= state64 << 17;
    return (double)(state64 >> 11) / 9007199254740992.0;
}

/* Checks until it is demoted, at most n. */
static int checks_until(double rate, double allowed, int n)
{
    struct route_agreement a;
    route_agreement_init(&a);
    for (int i = 1; i <= n; i++) {
        route_agreement_note(&a, uniform() >= rate, allowed);
        if (a.trust == ROUTE_DEMOTED) return i;
    }
    return n + 1;
}

static void a_tier_within_its_bound_is_seldom_demoted(void **state)
{
    double allowed[] = {0.02, 0.1, 0.3};
    for (int k = 0; k < 3; k++) {
        int early = 0;
        for (int i = 0; i < 1000; i++) early += checks_until(allowed[k], allowed[k], 200) <= 200;
        assert_true(early < 200); /* 200 checks of a mean time of 1,000 or more: at most a fifth */
        for (int i = early = 0; i < 1000; i++) early += checks_until(allowed[k] / 2, allowed[k], 1000) <= 1000;
        assert_true(early < 20);
    }
}

static void one_beyond_it_is_found_soon(void **state)
{
    double sum = 0;
    for (int i = 0; i < 1000; i++) sum += checks_until(0.4, 0.1, 10000);
    assert_true(sum / 1000 < 60);
    for (int i = 0; i < 1000; i++) sum += checks_until(0.2, 0.1, 10000);
    assert_true(sum / 2000 < 200);
}

static void a_change_is_found_after_a_long_calm(void **state)
{
    struct route_agreement a;
    int n = 0;
    route_agreement_init(&a);
    for (int i = 0; i < 10000; i++) route_agreement_note(&a, true, 0.1);
    while (a.trust != ROUTE_DEMOTED && n < 100) route_agreement_note(&a, n++ % 2, 0.1);
    assert_true(n < 30);
}

static void trust_comes_back_from_watching_and_not_from_demotion(void **state)
{
    struct route_agreement a;
    route_agreement_init(&a);
    while (a.trust == ROUTE_TRUSTED) route_agreement_note(&a, false, 0.1);
    assert_int_equal(a.trust, ROUTE_WATCHED);
    route_agreement_note(&a, true, 0.1);
    assert_int_equal(a.trust, ROUTE_WATCHED); /* not at once */
    for (int i = 0; i < 100; i++) route_agreement_note(&a, true, 0.1);
    assert_int_equal(a.trust, ROUTE_TRUSTED);
    for (int i = 0; i < 20; i++) route_agreement_note(&a, false, 0.1);
    assert_int_equal(a.trust, ROUTE_DEMOTED);
    for (int i = 0; i < 1000; i++) route_agreement_note(&a, true, 0.1);
    assert_int_equal(a.trust, ROUTE_DEMOTED);
}

static void what_was_kept_is_gone_on_with(void **state)
{
    struct route_agreement a, b, kept;
    route_agreement_init(&a);
    for (int i = 0; i < 200; i++) route_agreement_note(&a, i % 7 != 0, 0.1);
    kept = a;
    kept.evidence = 0;
    assert_true(route_agreement_resume(&b, &kept));
    assert_memory_equal(&a, &b, sizeof a);
    kept.bet[1] = 1e300;
    assert_false(route_agreement_resume(&b, &kept));
    assert_true(b.n == 0 && b.trust == ROUTE_TRUSTED && b.evidence == 1);
    kept = a;
    kept.n_apart = kept.n + 1;
    assert_false(route_agreement_resume(&b, &kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tier_within_its_bound_is_seldom_demoted),
        cmocka_unit_test(one_beyond_it_is_found_soon),
        cmocka_unit_test(a_change_is_found_after_a_long_calm),
        cmocka_unit_test(what_was_kept_is_gone_on_with),
        cmocka_unit_test(trust_comes_back_from_watching_and_not_from_demotion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
