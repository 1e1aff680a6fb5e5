/* The thread pool (plat_pool.h). run(): publish fn/ctx, bump `generation`, do part 0, take over parts that
 * nobody has begun, wait for busy == 0. A worker spins for SPINS rounds (a decode step issues hundreds of
 * loops back to back), then futex-waits.
 *
 * Who does part i is decided by moving claim[i] forward to the run's generation: only forward, so a worker
 * that slept through whole runs cannot take a part of an old one, and fn/ctx are read only after a claim,
 * which keeps run() from returning and publishing others. */
#include "plat_pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 20000 };

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Do part i of run `generation` unless it is taken. */
static void try_part(struct plat_pool *p, int i, unsigned generation)
{
    unsigned have = atomic_load_explicit(&p->claim[i].generation, memory_order_relaxed);
    if ((int)(generation - have) <= 0) return;
    if (!atomic_compare_exchange_strong(&p->claim[i].generation, &have, generation)) return;
    p->fn(p->ctx, i, p->n);
    atomic_fetch_sub_explicit(&p->busy, 1, memory_order_release);
}

static void *worker(void *arg)
{
    struct plat_pool_arg *a = arg;
    struct plat_pool *p = a->pool;
    unsigned seen = 0;
    for (;;) {
        unsigned now;
        int spins = 0;
        while ((now = atomic_load_explicit(&p->generation, memory_order_acquire)) == seen) {
            if (++spins < SPINS) {
                relax();
                continue;
            }
            atomic_fetch_add(&p->sleepers, 1);
            syscall(SYS_futex, &p->generation, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
            atomic_fetch_sub(&p->sleepers, 1);
            spins = 0;
        }
        seen = now;
        if (atomic_load(&p->stop)) return NULL;
        try_part(p, a->i, seen);
    }
}

static unsigned wake(struct plat_pool *p)
{
    unsigned generation = atomic_fetch_add(&p->generation, 1) + 1; /* seq_cst: before the load of `sleepers` */
    if (atomic_load(&p->sleepers))
        syscall(SYS_futex, &p->generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    return generation;
}

int plat_pool_init(struct plat_pool *p, int n_threads)
{
    if (n_threads < 1 || n_threads > PLAT_MAX_THREADS) return -EINVAL;
    memset(p, 0, sizeof *p);
    p->n = 1;
    for (int i = 1; i < n_threads; i++) {
        p->arg[i] = (struct plat_pool_arg){p, i};
        int rc = pthread_create(&p->thread[i], NULL, worker, &p->arg[i]);
        if (rc) {
            plat_pool_done(p);
            return -rc;
        }
        p->n = i + 1;
    }
    return 0;
}

void plat_pool_run(struct plat_pool *p, void (*fn)(void *ctx, int i, int n), void *ctx)
{
    if (p->n == 1) {
        fn(ctx, 0, 1);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    atomic_store_explicit(&p->busy, p->n - 1, memory_order_relaxed);
    unsigned generation = wake(p);
    fn(ctx, 0, p->n);
    for (int i = 1; i < p->n; i++) try_part(p, i, generation);
    for (int spins = 0; atomic_load_explicit(&p->busy, memory_order_acquire) > 0; spins++) {
        if (spins < SPINS) relax();
        else sched_yield();
    }
}

void plat_pool_done(struct plat_pool *p)
{
    if (p->n > 1) {
        atomic_store(&p->stop, 1);
        wake(p);
        for (int i = 1; i < p->n; i++) pthread_join(p->thread[i], NULL);
    }
    p->n = 0;
}
