/* The thread pool: every index exactly once, in every run, for 1..8 threads; meant to run under ThreadSanitizer too. */
#include "plat_pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

struct job {
    int calls[PLAT_MAX_THREADS]; /* plain ints: a race here is what ThreadSanitizer must not find */
    int n_seen;
    long sum, values[1000];
};

static void count(void *ctx, int i, int n)
{
    struct job *j = ctx;
    j->calls[i]++;
    if (i == 0) j->n_seen = n;
}

static void each_index_once(void **state)
{
    for (int n = 1; n <= 8; n++) {
        struct plat_pool p;
        struct job j;
        memset(&j, 0, sizeof j);
        assert_int_equal(plat_pool_init(&p, n), 0);
        for (int run = 1; run <= 200; run++) {
            plat_pool_run(&p, count, &j);
            for (int i = 0; i < n; i++) assert_int_equal(j.calls[i], run);
        }
        assert_int_equal(j.n_seen, n);
        assert_int_equal(j.calls[n], 0);
        plat_pool_done(&p);
    }
}

/* Two phases: what all threads wrote in one run is visible to all in the next. */
static void write_phase(void *ctx, int i, int n)
{
    struct job *j = ctx;
    for (int k = i; k < 1000; k += n) j->values[k] += k;
}
static void read_phase(void *ctx, int i, int n)
{
    struct job *j = ctx;
    long sum = 0;
    if (i != n - 1) return;
    for (int k = 0; k < 1000; k++) sum += j->values[k];
    j->sum = sum;
}

static void run_is_a_barrier(void **state)
{
    for (int n = 1; n <= 8; n++) {
        struct plat_pool p;
        struct job j;
        memset(&j, 0, sizeof j);
        assert_int_equal(plat_pool_init(&p, n), 0);
        for (int run = 1; run <= 50; run++) {
            plat_pool_run(&p, write_phase, &j);
            plat_pool_run(&p, read_phase, &j);
            assert_int_equal(j.sum, 499500L * run);
        }
        plat_pool_done(&p);
    }
}

static void sleepers_wake(void **state)
{
    struct plat_pool p;
    struct job j;
    memset(&j, 0, sizeof j);
    assert_int_equal(plat_pool_init(&p, 4), 0);
    for (int run = 1; run <= 5; run++) {
        usleep(20000); /* long past the spinning: the workers sleep on the futex */
        plat_pool_run(&p, count, &j);
        for (int i = 0; i < 4; i++) assert_int_equal(j.calls[i], run);
    }
    usleep(20000);
    plat_pool_done(&p); /* wakes and joins sleepers */
}

static void bounds(void **state)
{
    struct plat_pool p;
    assert_int_equal(plat_pool_init(&p, 0), -EINVAL);
    assert_int_equal(plat_pool_init(&p, -1), -EINVAL);
    assert_int_equal(plat_pool_init(&p, PLAT_MAX_THREADS + 1), -EINVAL);
    assert_int_equal(plat_pool_init(&p, PLAT_MAX_THREADS), 0);
    plat_pool_done(&p);
    plat_pool_done(&p); /* twice is allowed */
    for (int i = 0; i < 50; i++) { /* started and stopped without any work */
        assert_int_equal(plat_pool_init(&p, 3), 0);
        plat_pool_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_index_once), cmocka_unit_test(run_is_a_barrier),
                                       cmocka_unit_test(sleepers_wake), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
