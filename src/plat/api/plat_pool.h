/* A pool of worker threads for data-parallel loops. run() calls fn(ctx, i, n) once for each part i of n and
 * returns when all are done; it is the only barrier the engine needs. Part i belongs to thread i (the caller
 * is thread 0), so that a thread meets the same weights again in its cache; a part whose thread has not yet
 * begun when the caller has finished its own is done by the caller, so that a sleeping or displaced worker
 * delays nobody. Workers spin briefly between runs, then sleep on a futex. One run at a time; the owner
 * serialises. Storage belongs to the caller. */
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
    _Alignas(64) atomic_int busy;        /* parts 1 … n-1 of this generation that are not done */
    atomic_int stop, sleepers;
    struct { _Alignas(64) atomic_uint generation; } claim[PLAT_MAX_THREADS]; /* the newest run whose part i was taken */
    pthread_t thread[PLAT_MAX_THREADS];
    struct plat_pool_arg { struct plat_pool *pool; int i; } arg[PLAT_MAX_THREADS];
};

int plat_pool_init(struct plat_pool *p, int n_threads); /* 1..PLAT_MAX_THREADS, or -errno */
void plat_pool_run(struct plat_pool *p, void (*fn)(void *ctx, int i, int n), void *ctx);
void plat_pool_done(struct plat_pool *p);

#endif
