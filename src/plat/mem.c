/* Memory facts (plat_mem.h) from /proc and the control groups. */
#include "plat_mem.h"
#include "sensor.h"

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

int64_t plat_mem_total(void) { return proc_value("/proc/meminfo", "MemTotal"); }
int64_t plat_mem_resident(void) { return proc_value("/proc/self/status", "VmRSS"); }
int64_t plat_mem_peak(void) { return proc_value("/proc/self/status", "VmHWM"); }

int64_t plat_mem_available(void)
{
    int64_t avail = proc_value("/proc/meminfo", "MemAvailable");
    int64_t left = plat_group_memory("/");
    return left >= 0 && left < avail ? left : avail;
}
