/* The kernel table: filled with plain C, then raised level by level, stopping at the first that the CPU lacks.
 *
 * Owns one table per level, built once and constant afterwards (safe from any thread). A level is a row of `ladder`:
 * its name, whether this machine has it, and the functions that override entries. A new level is a new row.
 * Read next: ref/block.c for what the kernels compute; docs/KERNELS.md for how to add one. */
#include "levels.h"
#include "plat_cpu.h"
#include "ref/ref.h"

#include <pthread.h>

struct level {
    const char *name;
    bool (*have)(const struct plat_cpu *c); /* NULL: always */
    kern_fill_fn *fill[6];                  /* NULL-terminated, in order */
};

static const struct level ladder[] = {
    {"ref", NULL, {kern_ref_fill}},
};
enum { N_LEVELS = sizeof ladder / sizeof ladder[0] };

static struct kern_ops tables[N_LEVELS];
static int n_usable; /* levels this machine has: tables[0 … n_usable-1] are filled */
static const char *names[N_LEVELS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void build(void)
{
    const struct plat_cpu *c = plat_cpu_get();
    struct kern_ops ops = {0};
    for (int i = 0; i < N_LEVELS; i++) names[i] = ladder[i].name;
    for (int i = 0; i < N_LEVELS; i++) {
        if (ladder[i].have && !ladder[i].have(c)) break;
        kern_gemm_fn *before[KERN_TYPE_COUNT];
        memcpy(before, ops.gemm, sizeof before);
        for (kern_fill_fn *const *f = ladder[i].fill; *f; f++) (*f)(&ops);
        for (int t = 0; t < KERN_TYPE_COUNT; t++)
            if (ops.gemm[t] != before[t]) ops.gemm_level[t] = ladder[i].name;
        ops.level = ladder[i].name;
        tables[i] = ops;
        n_usable = i + 1;
    }
}

const char *const *kern_levels(void)
{
    pthread_once(&once, build);
    return names;
}

static int find(const char *level)
{
    for (int i = 0; i < N_LEVELS; i++)
        if (strcasecmp(ladder[i].name, level) == 0) return i;
    return -1;
}

const struct kern_ops *kern_level_get(const char *level)
{
    pthread_once(&once, build);
    int i = level ? find(level) : -1;
    return i >= 0 && i < n_usable ? &tables[i] : NULL;
}

static void list(char *out, size_t size, int n)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", ladder[i].name);
}

const struct kern_ops *kern_get(struct err *e)
{
    pthread_once(&once, build);
    const char *want = getenv("CROFT_CPU");
    if (!want || !want[0]) return &tables[n_usable - 1];
    int i = find(want);
    char text[128];
    if (i < 0) {
        list(text, sizeof text, N_LEVELS);
        ERR(e, USAGE, "CROFT_CPU names the level \"%.40s\", which does not exist for this architecture. "
            "Use one of: %s; or unset it.", want, text);
        return NULL;
    }
    if (i >= n_usable) {
        list(text, sizeof text, n_usable);
        ERR(e, UNSUPPORTED, "CROFT_CPU asks for the level %s, which this CPU or operating system does not support. "
            "Use one of: %s; or unset it.", ladder[i].name, text);
        return NULL;
    }
    return &tables[i];
}
