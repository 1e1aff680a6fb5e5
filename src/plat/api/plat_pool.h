/* A pool of worker threads for data-parallel loops. run() calls fn(ctx, i, n) once on each of n threads (the caller is
 * thread 0) and returns when all are done; it is the only barrier the engine needs. Workers spin briefly between
 * runs, then sleep on a futex. One run at a time; the owner serialises. Storage belongs to the caller. */
#ifndef PLAT_POOL_H
#define PLAT_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#define PLAT_MAX_THREADS 128

struct plat_pool {
    int n;
    void (*fn)(void *ctx, int i, int n);
    void *ctx;
    _Alignas(64) atomic_uint generation; /* bumped by run(); workers wait for a change */
    _Alignas(64) atomic_int busy;        /* workers that still run this generation */
    atomic_int stop, sleepers;
    pthread_t thread[PLAT_MAX_THREADS];
    struct plat_pool_arg { struct plat_pool *pool; int i; } arg[PLAT_MAX_THREADS];
};

int plat_pool_init(struct plat_pool *p, int n_threads); /* 1..PLAT_MAX_THREADS, or -errno */
void plat_pool_run(struct plat_pool *p, void (*fn)(void *ctx, int i, int n), void *ctx);
void plat_pool_done(struct plat_pool *p);

#endif
