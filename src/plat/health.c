/* What decides whether this device should take work (plat_health_read), from Linux's /proc and /sys. Nothing is kept
 * between calls; any thread may call.
 *
 *   proc/pressure/memory                       some avg10=1.23 …   percent of 10 s in which a task waited for memory
 *   proc/meminfo                               MemTotal, MemAvailable
 *   proc/self/cgroup                           0::/path            the control group (version 2) of this process
 *   sys/fs/cgroup<path>/memory.{max,current,pressure}, memory.stat (inactive_file, which can be given back)
 *   sys/class/thermal/thermal_zone<N>/{temp,trip_point_<K>_type,trip_point_<K>_temp}    millidegrees
 *   sys/class/power_supply/<name>/{type,scope,capacity,status}
 *   proc/loadavg, sys/devices/system/cpu/online
 *
 * A control group's limits also hold for those inside it: the tightest on the way up counts. Read next: sensor.c. */
#include "plat_sensor.h"
#include "sensor.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TRIPS = 12 };

/* The number behind `key` in a file of "key value" or "key: value kB" lines; NAN when there is none. */
static double keyed(const char *root, const char *path, const char *key)
{
    char full[PATH_MAX], line[256];
    double v = NAN;
    size_t n = strlen(key);
    if (snprintf(full, sizeof full, "%s/%s", root, path) >= (int)sizeof full) return NAN;
    FILE *f = fopen(full, "re");
    while (f && isnan(v) && fgets(line, sizeof line, f))
        if (strncmp(line, key, n) == 0 && (line[n] == ' ' || line[n] == ':' || line[n] == '='))
            v = strtod(line + n + 1, NULL);
    if (f) fclose(f);
    return v;
}

static double pressure(const char *root, const char *path) { return keyed(root, path, "some avg10"); }

/* The smaller, the larger; NAN gives way. */
static double least(double a, double b) { return fmin(a, b); }
static double most(double a, double b) { return fmax(a, b); }

/* One control group: what is left of its limit, and its pressure. */
static void read_group(void *health, const char *root, const char *group)
{
    struct plat_health *h = health;
    char path[PATH_MAX];
    int64_t max, used;
    bool limited = plat_group_limit(root, group, &max, &used) && max > 0;
    snprintf(path, sizeof path, "sys/fs/cgroup%s/memory.stat", group);
    double idle = keyed(root, path, "inactive_file");
    if (limited) {
        double left = (double)max - (double)used + (isnan(idle) ? 0 : idle);
        h->memory_available = least(h->memory_available, fmin(fmax(left * 100 / (double)max, 0), 100));
    }
    snprintf(path, sizeof path, "sys/fs/cgroup%s/memory.pressure", group);
    h->psi_some_10s = most(h->psi_some_10s, pressure(root, path));
}

/* Degrees to the nearest trip point at which the system slows down or stops. */
static void read_heat(struct plat_health *h, const char *root)
{
    char path[128], type[32];
    for (int zone = 0; zone < PLAT_MAX_ZONES; zone++) {
        snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%d/temp", zone);
        if (!plat_read_line(root, path, type, sizeof type)) continue;
        double now = strtod(type, NULL) / 1000;
        for (int k = 0; k < MAX_TRIPS; k++) {
            snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%d/trip_point_%d_type", zone, k);
            if (!plat_read_line(root, path, type, sizeof type)) break;
            if (strcmp(type, "passive") != 0 && strcmp(type, "hot") != 0 && strcmp(type, "critical") != 0) continue;
            snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%d/trip_point_%d_temp", zone, k);
            int64_t trip = plat_read_number(root, path);
            if (trip > 0) h->heat_margin = least(h->heat_margin, (double)trip / 1000 - now); /* ≤ 0: not set */
        }
    }
}

static void read_battery(struct plat_health *h, const char *root)
{
    char dir[PATH_MAX], path[512], text[32];
    h->on_battery = -1;
    if (snprintf(dir, sizeof dir, "%s/sys/class/power_supply", root) >= (int)sizeof dir) return;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "sys/class/power_supply/%s/type", e->d_name);
        if (!plat_read_line(root, path, text, sizeof text) || strcmp(text, "Battery") != 0) continue;
        snprintf(path, sizeof path, "sys/class/power_supply/%s/scope", e->d_name);
        if (plat_read_line(root, path, text, sizeof text) && strcmp(text, "Device") == 0) continue; /* a mouse's */
        snprintf(path, sizeof path, "sys/class/power_supply/%s/capacity", e->d_name);
        int64_t percent = plat_read_number(root, path);
        if (percent >= 0) h->battery = least(h->battery, (double)percent);
        snprintf(path, sizeof path, "sys/class/power_supply/%s/status", e->d_name);
        if (!plat_read_line(root, path, text, sizeof text)) continue;
        if (strcmp(text, "Discharging") == 0)
            h->on_battery = 1;
        else if (h->on_battery < 0)
            h->on_battery = 0;
    }
    if (d) closedir(d);
}

/* CPUs of a list like "0-3,8,10-11". */
static int count_cpus(const char *list)
{
    int n = 0;
    while (*list) {
        char *end;
        long first = strtol(list, &end, 10), last = first;
        if (end == list) break;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        if (last >= first) n += (int)(last - first) + 1;
        list = *end == ',' ? end + 1 : end + strlen(end);
    }
    return n;
}

void plat_health_read(struct plat_health *h, const char *root)
{
    char line[256];
    double total = keyed(root, "proc/meminfo", "MemTotal"), left = keyed(root, "proc/meminfo", "MemAvailable");
    *h = (struct plat_health){.heat_margin = NAN, .battery = NAN, .load_per_cpu = NAN};
    h->memory_available = total > 0 ? left * 100 / total : NAN;
    h->psi_some_10s = pressure(root, "proc/pressure/memory");
    plat_groups(root, read_group, h);
    read_heat(h, root);
    h->throttle_count = plat_read_throttle(root);
    read_battery(h, root);
    int cpus = plat_read_line(root, "sys/devices/system/cpu/online", line, sizeof line) ? count_cpus(line) : 0;
    if (cpus > 0 && plat_read_line(root, "proc/loadavg", line, sizeof line))
        h->load_per_cpu = strtod(line, NULL) / cpus;
}
