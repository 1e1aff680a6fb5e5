/* Device health from a machine made of files: each reason with its hysteresis, control groups, what is unknown, and
 * how often the system is looked at. */
#include "base_clock.h"
#include "plat_file.h"
#include "route_health.h"

#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

static char root[64];
static uint64_t now;

static void put(const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    assert_int_equal(plat_dir_make(full), 0);
    *slash = '/';
    assert_int_equal(plat_file_write(full, text, strlen(text)), 0);
}
static int setup(void **state)
{
    now = 1000000000;
    snprintf(root, sizeof root, "/tmp/croft-health-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static int drop(const char *path, const struct stat *st, int flag, struct FTW *f) { return remove(path); }
static int teardown(void **state) { return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS); }

static struct route_health *watch(uint32_t hold_ms)
{
    struct route_health_conf conf;
    struct route_health *h = NULL;
    route_health_defaults(&conf);
    conf.root = root;
    conf.hold_ms = hold_ms;
    assert_int_equal(route_health_new(&conf, &h, NULL), 0);
    return h;
}
/* A second later. */
static int next(struct route_health *h) { return route_health_check(h, now += 1000000000, NULL); }

static void an_empty_machine_is_fit(void **state)
{
    struct route_health *h = watch(0);
    struct plat_health f;
    assert_int_equal(route_health_check(h, now, &f), -1);
    assert_true(isnan(f.psi_some_10s) && isnan(f.memory_available) && isnan(f.heat_margin) && isnan(f.battery));
    assert_int_equal(f.on_battery, -1);
    assert_int_equal(f.throttle_count, -1);
    route_health_free(h);
}

static void memory_pressure(void **state)
{
    struct route_health *h = watch(0);
    put("proc/pressure/memory",
        "some avg10=19.99 avg60=50.00 avg300=0.00 total=1\nfull avg10=60.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), -1);
    put("proc/pressure/memory", "some avg10=20.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), ROUTE_R_MEMORY);
    put("proc/pressure/memory", "some avg10=5.01 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), ROUTE_R_MEMORY); /* between the limits: stays */
    put("proc/pressure/memory", "some avg10=5.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), -1);
    put("proc/pressure/memory", "some avg10=19.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), -1);
    route_health_free(h);
}

static void memory_of_a_control_group(void **state)
{
    struct route_health *h = watch(0);
    struct plat_health f;
    put("proc/meminfo", "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    500 kB\n");
    assert_int_equal(route_health_check(h, now += 1000000000, &f), -1);
    assert_true(fabs(f.memory_available - 50) < 1e-9);
    put("proc/self/cgroup", "0::/system.slice/croft.service\n");
    put("sys/fs/cgroup/system.slice/croft.service/memory.max", "max\n");
    put("sys/fs/cgroup/system.slice/croft.service/memory.current", "97\n");
    put("sys/fs/cgroup/system.slice/memory.max", "100\n");
    put("sys/fs/cgroup/system.slice/memory.current", "97\n");
    assert_int_equal(route_health_check(h, now += 1000000000, &f), ROUTE_R_MEMORY); /* the slice's limit */
    assert_true(fabs(f.memory_available - 3) < 1e-9);
    put("sys/fs/cgroup/system.slice/memory.stat", "anon 1\ninactive_file 50\n"); /* can be given back */
    assert_int_equal(route_health_check(h, now += 1000000000, &f), -1);
    assert_true(fabs(f.memory_available - 50) < 1e-9);
    put("sys/fs/cgroup/system.slice/croft.service/memory.pressure",
        "some avg10=33.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(next(h), ROUTE_R_MEMORY);
    put("proc/self/cgroup", "0::/../../elsewhere\n");
    assert_int_equal(next(h), -1);
    route_health_free(h);
}

static void heat(void **state)
{
    struct route_health *h = watch(0);
    put("sys/class/thermal/thermal_zone0/temp", "97000\n");
    put("sys/class/thermal/thermal_zone0/trip_point_0_type", "active\n");
    put("sys/class/thermal/thermal_zone0/trip_point_0_temp", "50000\n"); /* a fan's: no matter */
    put("sys/class/thermal/thermal_zone0/trip_point_1_type", "passive\n");
    put("sys/class/thermal/thermal_zone0/trip_point_1_temp", "100000\n");
    put("sys/class/thermal/thermal_zone0/trip_point_2_type", "hot\n");
    put("sys/class/thermal/thermal_zone0/trip_point_2_temp", "-274000\n"); /* not set */
    assert_int_equal(next(h), -1);
    put("sys/class/thermal/thermal_zone0/temp", "98500\n");
    assert_int_equal(next(h), ROUTE_R_HEAT);
    put("sys/class/thermal/thermal_zone0/temp", "94000\n");
    assert_int_equal(next(h), ROUTE_R_HEAT);
    put("sys/class/thermal/thermal_zone0/temp", "92000\n");
    assert_int_equal(next(h), -1);
    route_health_free(h);
}

static void throttling_lasts_a_while(void **state)
{
    struct route_health *h = watch(3000);
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7\n");
    assert_int_equal(next(h), -1); /* of long ago */
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "8\n");
    assert_int_equal(next(h), ROUTE_R_HEAT);
    assert_int_equal(next(h), ROUTE_R_HEAT);
    assert_int_equal(next(h), ROUTE_R_HEAT);
    assert_int_equal(next(h), -1);
    route_health_free(h);
}

static void battery(void **state)
{
    struct route_health *h = watch(0);
    struct plat_health f;
    put("sys/class/power_supply/AC/type", "Mains\n");
    put("sys/class/power_supply/mouse/type", "Battery\n");
    put("sys/class/power_supply/mouse/scope", "Device\n");
    put("sys/class/power_supply/mouse/capacity", "1\n");
    put("sys/class/power_supply/BAT0/type", "Battery\n");
    put("sys/class/power_supply/BAT0/capacity", "14\n");
    put("sys/class/power_supply/BAT0/status", "Charging\n");
    assert_int_equal(route_health_check(h, now += 1000000000, &f), -1);
    assert_true(f.battery == 14 && f.on_battery == 0);
    put("sys/class/power_supply/BAT0/status", "Discharging\n");
    assert_int_equal(next(h), ROUTE_R_BATTERY);
    put("sys/class/power_supply/BAT0/capacity", "19\n");
    assert_int_equal(next(h), ROUTE_R_BATTERY);
    put("sys/class/power_supply/BAT0/capacity", "20\n");
    assert_int_equal(next(h), -1);
    put("proc/pressure/memory", "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n");
    put("sys/class/power_supply/BAT0/capacity", "5\n");
    assert_int_equal(next(h), ROUTE_R_MEMORY); /* the first of two */
    route_health_free(h);
}

static void looks_no_more_often_than_allowed(void **state)
{
    struct route_health *h = watch(0);
    put("sys/devices/system/cpu/online", "0-3,6\n");
    put("proc/loadavg", "10.00 1.00 1.00 1/100 1\n");
    struct plat_health f;
    assert_int_equal(route_health_check(h, now, &f), -1);
    assert_true(fabs(f.load_per_cpu - 2) < 1e-9);
    put("proc/pressure/memory", "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_int_equal(route_health_check(h, now + 999999999, NULL), -1);
    assert_int_equal(route_health_check(h, now + 1000000000, NULL), ROUTE_R_MEMORY);
    route_health_free(h);
}

static void contradicting_limits(void **state)
{
    struct route_health_conf conf;
    struct route_health *h = NULL;
    struct err e = {0};
    route_health_defaults(&conf);
    conf.pressure_leave = 30;
    assert_int_equal(route_health_new(&conf, &h, &e), CROFT_E_USAGE);
    route_health_defaults(&conf);
    conf.battery_leave = 101;
    assert_int_equal(route_health_new(&conf, &h, &e), CROFT_E_USAGE);
    route_health_defaults(&conf);
    conf.available_leave = 1;
    assert_int_equal(route_health_new(&conf, &h, &e), CROFT_E_USAGE);
    route_health_defaults(&conf);
    conf.heat_margin_leave = NAN;
    assert_int_equal(route_health_new(&conf, &h, &e), CROFT_E_USAGE);
    assert_null(h);
}

static void this_machine(void **state)
{
    struct plat_health f;
    uint64_t t = clock_now_ns();
    plat_health_read(&f, "");
    printf("one look: %.0f us; available %.1f %%, pressure %.2f, margin %.1f, load per CPU %.2f\n",
           (double)(clock_now_ns() - t) / 1e3, f.memory_available, f.psi_some_10s, f.heat_margin, f.load_per_cpu);
    assert_true(isnan(f.memory_available) || (f.memory_available >= 0 && f.memory_available <= 100));
    assert_true(isnan(f.psi_some_10s) || (f.psi_some_10s >= 0 && f.psi_some_10s <= 100));
}

#define FAKE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {FAKE(an_empty_machine_is_fit),          FAKE(memory_pressure),
                                       FAKE(memory_of_a_control_group),        FAKE(heat),
                                       FAKE(throttling_lasts_a_while),         FAKE(battery),
                                       FAKE(looks_no_more_often_than_allowed), cmocka_unit_test(contradicting_limits),
                                       cmocka_unit_test(this_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
