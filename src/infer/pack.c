/* Weights packed for the kernels, once, when a model is opened (kern_pack.h): made from the map by all threads, after
 * which the map's pages are let go, so that a model is in memory once. Types that this level reads as the file has
 * them stay in the map. Next to read: products.c. */
#include "internal.h"
#include "kern_pack.h"

static bool is_packed(const struct infer_engine *g, const struct model_weight *w)
{
    const struct kern_type_info *t = kern_type_get(w->type);
    return g->ops->gemm_packed[w->type] && w->n_in % t->block == 0;
}

struct packing {
    struct infer_engine *g;
    size_t used; /* of the slab */
    struct model_weight *w;
};

static void count(struct model_weight *w, void *ctx)
{
    struct packing *p = ctx;
    if (is_packed(p->g, w)) p->used += kern_packed_bytes(w->type, w->n_out, w->n_in);
}

/* A slice at a time, whose pages are let go at once: the largest matrix must not be in memory twice. */
static void pack_share(void *ctx, int i, int n)
{
    enum { SLICE = 64 * KERN_STRIP };
    struct packing *p = ctx;
    const struct model_weight *w = p->w;
    uint64_t from, to;
    infer_share((w->n_out + KERN_STRIP - 1) / KERN_STRIP, i, n, &from, &to);
    size_t end = to * KERN_STRIP < w->n_out ? to * KERN_STRIP : w->n_out;
    for (size_t r = from * KERN_STRIP; r < end; r += SLICE) {
        size_t rows = end - r < SLICE ? end - r : SLICE;
        const char *data = (const char *)w->data + r * w->row_bytes;
        kern_pack(w->type, data, w->row_bytes, rows, w->n_in,
                  (char *)p->g->packed + p->used + r / KERN_STRIP * kern_strip_bytes(w->type, w->n_in));
        gguf_drop(p->g->gguf, data, rows * w->row_bytes);
    }
}

static void pack(struct model_weight *w, void *ctx)
{
    struct packing *p = ctx;
    if (!is_packed(p->g, w)) return;
    p->w = w;
    plat_pool_run(p->g->pool, pack_share, p);
    w->packed = (const char *)p->g->packed + p->used;
    w->strip_bytes = kern_strip_bytes(w->type, w->n_in);
    p->used += kern_packed_bytes(w->type, w->n_out, w->n_in);
    gguf_drop(p->g->gguf, w->data, w->n_out * w->row_bytes);
}

int infer_pack(struct infer_engine *g, struct err *e)
{
    struct packing p = {.g = g};
    model_each_product(g->model, count, &p);
    if (!p.used) return 0;
    g->packed_bytes = p.used;
    g->packed = mem_pages(p.used);
    if (!g->packed) return err_nomem(e, p.used);
    p.used = 0;
    model_each_product(g->model, pack, &p);
    return 0;
}
