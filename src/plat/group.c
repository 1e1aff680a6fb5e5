/* The control groups (version 2) that this process is in, and what they leave it of memory and processors.
 * /proc/self/cgroup names the innermost ("0::/system.slice/croft.service"); each one above it has limits that hold,
 * too. In a container the mounted root is the group itself, and has the files that the machine's root lacks. */
#include "sensor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

void plat_groups(const char *root, void (*each)(void *user, const char *root, const char *group), void *user)
{
    char line[1024];
    bool known = plat_read_line(root, "proc/self/cgroup", line, sizeof line) && strncmp(line, "0::/", 4) == 0;
    char *group = line + 3;
    if (known && !strstr(group, "..")) /* else it is outside of our namespace */
        for (char *slash; group[0] && group[1] && (slash = strrchr(group, '/')) != NULL; *slash = 0)
            each(user, root, group);
    each(user, root, "");
}

bool plat_group_limit(const char *root, const char *group, int64_t *max, int64_t *used)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "sys/fs/cgroup%s/memory.max", group);
    *max = plat_read_number(root, path); /* "max": no limit, not a number */
    snprintf(path, sizeof path, "sys/fs/cgroup%s/memory.current", group);
    *used = plat_read_number(root, path);
    return *max >= 0 && *used >= 0;
}

static void least_memory(void *user, const char *root, const char *group)
{
    int64_t *least = user, max, used;
    if (!plat_group_limit(root, group, &max, &used)) return;
    int64_t left = max > used ? max - used : 0;
    if (*least < 0 || left < *least) *least = left;
}

int64_t plat_group_memory(const char *root)
{
    int64_t least = -1;
    plat_groups(root, least_memory, &least);
    return least;
}

static void least_cpus(void *user, const char *root, const char *group)
{
    int *least = user;
    long long quota, period;
    char path[PATH_MAX], line[64];
    snprintf(path, sizeof path, "sys/fs/cgroup%s/cpu.max", group);
    if (!plat_read_line(root, path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2) return;
    if (quota <= 0 || period <= 0) return;
    int n = (int)((quota + period - 1) / period);
    if (!*least || n < *least) *least = n;
}

int plat_group_cpus(const char *root)
{
    int least = 0;
    plat_groups(root, least_cpus, &least);
    return least;
}
