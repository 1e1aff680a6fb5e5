/* Sensors (plat_sensor.h), from Linux's /proc and /sys. Nothing is kept between calls; any thread may call.
 *
 *   sys/class/thermal/thermal_zone<N>/{type,temp}                          millidegrees
 *   sys/devices/system/cpu/cpu<N>/thermal_throttle/{core,package}_throttle_count
 *   sys/devices/system/cpu/cpu0/cpufreq/{scaling_governor,scaling_cur_freq,cpuinfo_max_freq}   kHz
 *   proc/pressure/memory            some avg10=0.00 avg60=… / full avg10=…
 *   sys/class/powercap/intel-rapl:<N>/energy_uj                            also AMD's; root only on most systems
 *   sys/kernel/mm/transparent_hugepage/enabled                             always [madvise] never
 *   proc/meminfo                    HugePages_Total, HugePages_Free, Hugepagesize */
#include "plat_sensor.h"
#include "sensor.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>

bool plat_read_line(const char *root, const char *path, char *out, size_t n)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s/%s", root, path) >= (int)sizeof full) return false;
    FILE *f = fopen(full, "re");
    if (!f) return false;
    bool ok = fgets(out, (int)n, f) != NULL;
    fclose(f);
    if (ok) out[strcspn(out, "\n")] = 0;
    return ok;
}

int64_t plat_read_number(const char *root, const char *path)
{
    char line[64], *end;
    if (!plat_read_line(root, path, line, sizeof line)) return -1;
    long long v = strtoll(line, &end, 10);
    return end == line ? -1 : v;
}

static void read_zones(struct plat_sensors *s, const char *root)
{
    for (int i = 0; i < PLAT_MAX_ZONES; i++) {
        char path[128], line[64], *end;
        struct plat_zone *z = &s->zone[s->n_zones];
        snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%d/temp", i);
        if (!plat_read_line(root, path, line, sizeof line)) continue; /* absent, or its sensor is asleep */
        long v = strtol(line, &end, 10);
        if (end == line) continue;
        z->celsius = (double)v / 1000;
        snprintf(path, sizeof path, "sys/class/thermal/thermal_zone%d/type", i);
        if (!plat_read_line(root, path, z->name, sizeof z->name)) snprintf(z->name, sizeof z->name, "zone%d", i);
        s->n_zones++;
    }
}

int64_t plat_read_throttle(const char *root)
{
    char dir[PATH_MAX], path[512];
    int64_t sum = -1;
    if (snprintf(dir, sizeof dir, "%s/sys/devices/system/cpu", root) >= (int)sizeof dir) return -1;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        static const char *const names[] = {"core_throttle_count", "package_throttle_count"};
        if (strncmp(e->d_name, "cpu", 3) != 0 || e->d_name[3] < '0' || e->d_name[3] > '9') continue;
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "sys/devices/system/cpu/%s/thermal_throttle/%s", e->d_name, names[i]);
            int64_t v = plat_read_number(root, path);
            if (v >= 0) sum = (sum < 0 ? 0 : sum) + v;
        }
    }
    if (d) closedir(d);
    return sum;
}

static void read_pressure(struct plat_sensors *s, const char *root)
{
    char path[PATH_MAX], line[256];
    s->psi_some_10s = s->psi_full_10s = -1;
    if (snprintf(path, sizeof path, "%s/proc/pressure/memory", root) >= (int)sizeof path) return;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        double v;
        if (sscanf(line, "some avg10=%lf", &v) == 1) s->psi_some_10s = v;
        if (sscanf(line, "full avg10=%lf", &v) == 1) s->psi_full_10s = v;
    }
    if (f) fclose(f);
}

static int64_t read_energy(const char *root)
{
    int64_t sum = -1;
    for (int i = 0; i < 8; i++) {
        char path[96];
        snprintf(path, sizeof path, "sys/class/powercap/intel-rapl:%d/energy_uj", i);
        int64_t v = plat_read_number(root, path);
        if (v >= 0) sum = (sum < 0 ? 0 : sum) + v;
    }
    return sum;
}

static void read_huge(struct plat_sensors *s, const char *root)
{
    char path[PATH_MAX], line[256];
    long long v;
    s->huge_page_bytes = s->n_huge = s->n_huge_free = -1;
    if (plat_read_line(root, "sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line)) {
        char *open = strchr(line, '['), *close = open ? strchr(open, ']') : NULL;
        if (close) snprintf(s->huge_mode, sizeof s->huge_mode, "%.*s", (int)(close - open - 1), open + 1);
    }
    if (snprintf(path, sizeof path, "%s/proc/meminfo", root) >= (int)sizeof path) return;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "HugePages_Total: %lld", &v) == 1) s->n_huge = v;
        if (sscanf(line, "HugePages_Free: %lld", &v) == 1) s->n_huge_free = v;
        if (sscanf(line, "Hugepagesize: %lld kB", &v) == 1) s->huge_page_bytes = v * 1024;
    }
    if (f) fclose(f);
}

void plat_sensors_read(struct plat_sensors *s, const char *root)
{
    memset(s, 0, sizeof *s);
    read_zones(s, root);
    s->throttle_count = plat_read_throttle(root);
    if (!plat_read_line(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", s->governor, sizeof s->governor))
        s->governor[0] = 0;
    s->cpu_hz = plat_read_number(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
    s->cpu_max_hz = plat_read_number(root, "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
    if (s->cpu_hz > 0) s->cpu_hz *= 1000;
    if (s->cpu_max_hz > 0) s->cpu_max_hz *= 1000;
    read_pressure(s, root);
    s->energy_uj = read_energy(root);
    read_huge(s, root);
}

double plat_sensors_hottest(const struct plat_sensors *s)
{
    double max = -1000;
    for (int i = 0; i < s->n_zones; i++)
        if (s->zone[i].celsius > max) max = s->zone[i].celsius;
    return max;
}
