/* The kernel table: filled with plain C, then raised level by level, stopping at the first that the CPU lacks.
 *
 * Owns one table per level, built once and constant afterwards (safe from any thread). A level is a row of the
 * architecture's ladder: its name, whether this machine has it, and the functions that override entries.
 * Read next: ref/block.c for what the kernels compute; docs/KERNELS.md for how to add one. */
#include "levels.h"
#include "plat_cpu.h"

#include <pthread.h>

static struct kern_ops tables[KERN_MAX_LEVELS];
static int n_levels, n_usable; /* usable: this machine has them; tables[0 … n_usable-1] are filled */
static const char *names[KERN_MAX_LEVELS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void build(void)
{
    const struct plat_cpu *c = plat_cpu_get();
    struct kern_ops ops = {0};
    for (; kern_ladder[n_levels].name; n_levels++) names[n_levels] = kern_ladder[n_levels].name;
    for (int i = 0; i < n_levels; i++) {
        if (kern_ladder[i].have && !kern_ladder[i].have(c)) break;
        const struct kern_ops before = ops;
        for (kern_fill_fn *const *f = kern_ladder[i].fill; *f; f++) (*f)(&ops);
        for (int t = 0; t < KERN_TYPE_COUNT; t++)
            if (ops.gemm[t] != before.gemm[t] || ops.gemm_packed[t] != before.gemm_packed[t])
                ops.gemm_level[t] = kern_ladder[i].name;
        ops.level = kern_ladder[i].name;
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
    for (int i = 0; i < n_levels; i++)
        if (strcasecmp(kern_ladder[i].name, level) == 0) return i;
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
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", kern_ladder[i].name);
}

const struct kern_ops *kern_get(struct err *e)
{
    pthread_once(&once, build);
    const char *want = getenv("CROFT_CPU");
    if (!want || !want[0]) return &tables[n_usable - 1];
    int i = find(want);
    char text[128];
    if (i < 0) {
        list(text, sizeof text, n_levels);
        ERR(e, USAGE, "CROFT_CPU names the level \"%.40s\", which does not exist for this architecture. "
            "Use one of: %s; or unset it.", want, text);
        return NULL;
    }
    if (i >= n_usable) {
        list(text, sizeof text, n_usable);
        ERR(e, UNSUPPORTED, "CROFT_CPU asks for the level %s, which this CPU or operating system does not support. "
            "Use one of: %s; or unset it.", kern_ladder[i].name, text);
        return NULL;
    }
    return &tables[i];
}
