/* Memory facts (plat_mem.h) from /proc and cgroup v2. */
#include "plat_mem.h"

#include <stdio.h>
#include <string.h>

/* The kB value of `key` in a /proc file of "Key:   123 kB" lines, in bytes. */
static int64_t proc_value(const char *path, const char *key)
{
    char line[256];
    long long kb;
    int64_t v = -1;
    size_t n = strlen(key);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, n) == 0 && line[n] == ':' && sscanf(line + n + 1, "%lld", &kb) == 1) v = kb * 1024;
    if (f) fclose(f);
    return v;
}

static int64_t number_in(const char *path)
{
    long long v = -1;
    FILE *f = fopen(path, "re");
    if (!f) return -1;
    if (fscanf(f, "%lld", &v) != 1) v = -1; /* "max" */
    fclose(f);
    return v;
}

int64_t plat_mem_total(void) { return proc_value("/proc/meminfo", "MemTotal"); }
int64_t plat_mem_resident(void) { return proc_value("/proc/self/status", "VmRSS"); }
int64_t plat_mem_peak(void) { return proc_value("/proc/self/status", "VmHWM"); }

int64_t plat_mem_available(void)
{
    int64_t avail = proc_value("/proc/meminfo", "MemAvailable");
    int64_t limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
    if (limit >= 0 && used >= 0 && limit - used < avail) return limit > used ? limit - used : 0;
    return avail;
}
