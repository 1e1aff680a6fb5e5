/* Weights packed for the kernels (kern_pack.h), by a thread of its own that starts after the first evaluation: the
 * first token waits for nothing, and reads the file as it lies (products.c packs each panel just before it is used).
 * Both ways run the same product on the same strips, so when a weight changes over no bit of a result changes.
 *
 * The thread goes from weight to weight, a few MiB at a time, lets go of the map's pages it has read, and publishes a
 * weight when it is whole; so a model is in memory once, but for one slice. Without the memory or the thread the
 * engine goes on as it began, only slower. Next to read: products.c. */
#include "internal.h"
#include "base_log.h"

#include <errno.h>

enum { SLICE = 8 << 20 }; /* bytes packed between two looks at `stop` */

struct packing {
    struct infer_engine *g;
    size_t used; /* of the slab */
};

static void plan(struct model_weight *w, void *ctx)
{
    struct infer_engine *g = ctx;
    const struct kern_type_info *t = kern_type_get(w->type);
    if (!g->ops->gemm_packed[w->type] || w->n_in % t->block) return;
    w->strip_bytes = kern_strip_bytes(w->type, w->n_in);
    g->pack.bytes += kern_packed_bytes(w->type, w->n_out, w->n_in);
}

static void pack(struct model_weight *w, void *ctx)
{
    struct packing *p = ctx;
    struct infer_engine *g = p->g;
    if (!w->strip_bytes) return;
    char *to = (char *)g->pack.slab + p->used;
    size_t strips = 1 + SLICE / w->strip_bytes, rows = strips * KERN_STRIP;
    for (size_t r = 0; r < w->n_out; r += rows) {
        if (atomic_load_explicit(&g->pack.stop, memory_order_relaxed)) return;
        size_t n = w->n_out - r < rows ? w->n_out - r : rows;
        const char *from = (const char *)w->data + r * w->row_bytes;
        kern_pack(w->type, from, w->row_bytes, n, w->n_in, to + r / KERN_STRIP * w->strip_bytes);
        gguf_drop(g->gguf, from, n * w->row_bytes);
    }
    __atomic_store_n(&w->packed, to, __ATOMIC_RELEASE);
    p->used += kern_packed_bytes(w->type, w->n_out, w->n_in);
}

static void *pack_all(void *engine)
{
    struct infer_engine *g = engine;
    struct packing p = {.g = g};
    model_each_product(g->model, pack, &p);
    gguf_drop_all(g->gguf); /* the vocabulary, too, which the tokenizer has read; what is still used comes back */
    return NULL;
}

void infer_pack_plan(struct infer_engine *g) { model_each_product(g->model, plan, g); }

static void start(struct infer_engine *g)
{
    if (!g->pack.bytes || g->pack.started) return;
    g->pack.started = true;
    g->pack.slab = mem_pages(g->pack.bytes);
    int rc = g->pack.slab ? pthread_create(&g->pack.thread, NULL, pack_all, g) : ENOMEM;
    g->pack.running = rc == 0;
    if (rc)
        log_warn("The weights (%zu bytes) cannot be packed, answers take longer: %s", g->pack.bytes, strerror(rc));
}

void infer_pack_start(struct infer_engine *g)
{
    pthread_mutex_lock(&g->lock);
    start(g);
    pthread_mutex_unlock(&g->lock);
}

void infer_engine_warm(struct infer_engine *g)
{
    pthread_mutex_lock(&g->lock);
    start(g);
    if (g->pack.running) pthread_join(g->pack.thread, NULL);
    g->pack.running = false;
    pthread_mutex_unlock(&g->lock);
}

void infer_pack_stop(struct infer_engine *g)
{
    atomic_store(&g->pack.stop, 1);
    if (g->pack.running) pthread_join(g->pack.thread, NULL);
    mem_pages_free(g->pack.slab, g->pack.bytes);
}
