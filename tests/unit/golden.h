/* Reference logits for tests: files as `croft logits` writes them (tests/golden/logits/make.py,
 * ../shared/fixtures). */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>

#include "infer.h"
#include "base_mem.h"
#include "plat_file.h"

#define GOLDEN_DIR "tests/golden/logits"
#define SHARED_DIR "../shared/fixtures/logits"

struct golden {
    struct plat_map map;
    int32_t n, dim;
    const int32_t *tokens;
    const float *values; /* [n, dim] */
};

static inline bool golden_open(struct golden *g, const char *path)
{
    if (plat_map_open(&g->map, path)) return false;
    const int32_t *h = (const int32_t *)g->map.data;
    assert_true(g->map.size >= 16 && h[0] == 0x4f474c31);
    g->n = h[1];
    g->dim = h[2];
    g->tokens = h + 4;
    g->values = (const float *)(h + 4 + g->n);
    assert_int_equal(g->map.size, 16 + 4 * (size_t)g->n + 4 * (size_t)g->n * g->dim);
    return true;
}

static inline double golden_rms(const float *a, const float *truth, size_t n)
{
    double d = 0, t = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - truth[i]) * ((double)a[i] - truth[i]);
        t += (double)truth[i] * truth[i];
    }
    return sqrt(d / t);
}

static inline size_t golden_argmax(const float *a, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (a[i] > a[best]) best = i;
    return best;
}

#define assert_ok(call, e)                                                                                   \
    do {                                                                                                     \
        if (call) fail_msg("%s: %s", #call, (e).msg);                                                        \
    } while (0)

static inline struct infer_engine *golden_engine(const char *path, int threads, const char *level)
{
    struct err e = {0};
    struct infer_engine *g = NULL;
    struct infer_engine_params p = {.n_threads = threads, .level = level};
    if (infer_engine_open(path, &p, &g, &e)) fail_msg("%s: %s", path, e.msg);
    return g;
}

static inline struct infer_session *golden_session(struct infer_engine *g, uint32_t n_ctx, uint32_t n_batch,
                                                   uint32_t n_logits, enum infer_kv kv)
{
    struct err e = {0};
    struct infer_session *s = NULL;
    struct infer_session_params p = {.n_ctx = n_ctx, .n_batch = n_batch, .n_logits = n_logits, .kv = kv};
    assert_ok(infer_session_new(g, &p, &s, &e), e);
    return s;
}

/* Calls fn with "DIR/NAME.gguf" and "DIR/NAME<suffix>" for every file of a folder that ends in `suffix`. */
static inline int golden_each(const char *dir, const char *suffix,
                              void (*fn)(const char *model, const char *ref, void *arg), void *arg)
{
    int n = 0;
    DIR *d = opendir(dir);
    struct dirent *f;
    while (d && (f = readdir(d))) {
        char model[512], ref[512];
        if (!str_ends(f->d_name, suffix)) continue;
        snprintf(ref, sizeof ref, "%s/%s", dir, f->d_name);
        snprintf(model, sizeof model, "%s/%.*s.gguf", dir, (int)(strlen(f->d_name) - strlen(suffix)),
                 f->d_name);
        fn(model, ref, arg);
        n++;
    }
    if (d) closedir(d);
    return n;
}

#endif
