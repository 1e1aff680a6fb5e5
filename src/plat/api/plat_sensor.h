/* What the operating system says about heat, power, clocks and memory pressure, now. Every value may be missing: a
 * virtual machine shows almost none of it. */
#ifndef PLAT_SENSOR_H
#define PLAT_SENSOR_H

#include <stdint.h>

enum { PLAT_MAX_ZONES = 32 };

struct plat_sensors {
    int n_zones; /* thermal zones */
    struct plat_zone { char name[32]; double celsius; } zone[PLAT_MAX_ZONES];
    int64_t throttle_count;   /* times any core or package was slowed by heat since boot; -1: unknown */
    char governor[32];        /* cpufreq's policy of the first CPU; "" unknown */
    int64_t cpu_hz, cpu_max_hz; /* clock of the first CPU now, and its highest; -1 unknown */
    double psi_some_10s, psi_full_10s; /* percent of the last 10 s in which some / all tasks waited for memory; -1 */
    int64_t energy_uj;        /* RAPL: energy of all packages so far (wraps); -1 not readable */
    char huge_mode[16];       /* transparent huge pages: "always", "madvise", "never", "" */
    int64_t huge_page_bytes, n_huge, n_huge_free; /* reserved huge pages; -1 unknown */
};

/* Read it all under `root` ("" is the machine; a test gives a folder with its own proc/ and sys/). */
void plat_sensors_read(struct plat_sensors *s, const char *root);
/* The hottest zone in °C, or -1000 when there is none. */
double plat_sensors_hottest(const struct plat_sensors *s);

/* What decides whether this device should take work now; cheap enough for once a second. NAN: unknown. */
struct plat_health {
    double psi_some_10s;      /* percent; the worse of the machine's and the control group's */
    double memory_available;  /* percent of memory; the smaller of the machine's and the control group's */
    double heat_margin;       /* degrees until the nearest passive, hot or critical trip point; negative: beyond */
    int64_t throttle_count;   /* as above; -1: unknown */
    double battery;           /* percent of the emptiest battery of the system */
    int on_battery;           /* 1 discharging, 0 not, -1 unknown or no battery */
    double load_per_cpu;      /* load average of a minute over CPUs */
};
void plat_health_read(struct plat_health *h, const char *root);

#endif
