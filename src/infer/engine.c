/* An engine: the mapped file, the model's plan, the kernel table, the thread pool and the scratch memory.
 * Everything but the last two is read-only after open; they serve one chunk at a time under `lock`. Next to
 * read: session.c. */
#include "internal.h"
#include "plat_cpu.h"

enum { DEFAULT_THREADS_MAX = 16 };

static int start(struct infer_engine *g, const struct infer_engine_params *p, struct err *e)
{
    int n = p ? p->n_threads : 0;
    g->ops = p && p->level ? kern_level_get(p->level) : kern_get(e);
    if (!g->ops) {
        if (p && p->level)
            return ERR(e, UNSUPPORTED, "This machine has no kernels of the level \"%s\".", p->level);
        return CROFT_E_UNSUPPORTED; /* kern_get filled e */
    }
    int rc = model_new(g->gguf, &g->model, e);
    if (rc) return rc;
    if (n <= 0) {
        n = plat_cpu_threads();
        if (n > DEFAULT_THREADS_MAX) n = DEFAULT_THREADS_MAX;
    }
    if (n > PLAT_MAX_THREADS)
        return ERR(e, USAGE, "%d threads are too many; at most %d.", n, PLAT_MAX_THREADS);
    g->pool = mem_aligned(64, sizeof *g->pool);
    if (!g->pool) return err_nomem(e, sizeof *g->pool);
    rc = plat_pool_init(g->pool, n);
    infer_pack_plan(g);
    return rc ? err_errno(e, -rc, "start threads for", "the engine") : 0;
}

static int open_with(struct gguf *gguf, const struct infer_engine_params *p, struct infer_engine **out,
                     struct err *e)
{
    struct infer_engine *g = mem_calloc(1, sizeof *g);
    if (!g) {
        gguf_close(gguf);
        return err_nomem(e, sizeof *g);
    }
    g->gguf = gguf;
    pthread_mutex_init(&g->lock, NULL);
    int rc = start(g, p, e);
    if (rc) infer_engine_close(g);
    else *out = g;
    return rc;
}

int infer_engine_open(const char *path, const struct infer_engine_params *p, struct infer_engine **out,
                      struct err *e)
{
    struct gguf *gguf;
    int rc = gguf_open(path, &gguf, e);
    return rc ? rc : open_with(gguf, p, out, e);
}

int infer_engine_open_memory(const void *data, size_t size, const struct infer_engine_params *p,
                             struct infer_engine **out, struct err *e)
{
    struct gguf *gguf;
    int rc = gguf_open_memory(data, size, &gguf, e);
    return rc ? rc : open_with(gguf, p, out, e);
}

void infer_engine_close(struct infer_engine *g)
{
    if (!g) return;
    infer_work_free(g->work);
    infer_pack_stop(g);
    if (g->pool) plat_pool_done(g->pool);
    mem_free(g->pool);
    model_free(g->model);
    gguf_close(g->gguf);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

void infer_engine_batch_invariant(struct infer_engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->invariant = true;
    if (g->work) g->work->invariant = true;
    pthread_mutex_unlock(&g->lock);
}

const struct model *infer_engine_model(const struct infer_engine *g) { return g->model; }
const struct gguf *infer_engine_gguf(const struct infer_engine *g) { return g->gguf; }
const struct kern_ops *infer_engine_ops(const struct infer_engine *g) { return g->ops; }
int infer_engine_threads(const struct infer_engine *g) { return g->pool->n; }
