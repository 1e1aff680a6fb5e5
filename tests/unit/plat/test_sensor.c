/* Sensors, from a machine made of files; and that the facts of this machine are possible. */
#include "plat_cpu.h"
#include "plat_file.h"
#include "plat_mem.h"
#include "plat_pool.h"
#include "plat_sensor.h"
#include "sensor.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

static char root[64];

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
    snprintf(root, sizeof root, "/tmp/croft-sensor-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static int drop(const char *path, const struct stat *st, int flag, struct FTW *f) { return remove(path); }
static int teardown(void **state) { return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS); }

static void an_empty_machine_says_nothing(void **state)
{
    struct plat_sensors s;
    plat_sensors_read(&s, root);
    assert_int_equal(s.n_zones, 0);
    assert_int_equal(s.throttle_count, -1);
    assert_int_equal(s.cpu_hz, -1);
    assert_int_equal(s.energy_uj, -1);
    assert_int_equal(s.n_huge, -1);
    assert_true(s.psi_some_10s == -1);
    assert_string_equal(s.governor, "");
    assert_true(plat_sensors_hottest(&s) == -1000);
}

static void a_full_machine(void **state)
{
    struct plat_sensors s;
    put("sys/class/thermal/thermal_zone0/temp", "45500\n");
    put("sys/class/thermal/thermal_zone0/type", "acpitz\n");
    put("sys/class/thermal/thermal_zone3/temp", "81250\n"); /* numbers may have gaps, a name may be missing */
    put("sys/class/thermal/thermal_zone4/temp", "nonsense\n");
    put("sys/class/thermal/thermal_zone5/temp", "-3000\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
    put("sys/devices/system/cpu/cpu11/thermal_throttle/package_throttle_count", "4\n");
    put("sys/devices/system/cpu/cpufreq/thermal_throttle/core_throttle_count", "1000\n"); /* not a CPU */
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n");
    put("proc/pressure/memory", "some avg10=1.25 avg60=0.00 avg300=0.00 total=5\n"
                                "full avg10=0.50 avg60=0 avg300=0 total=1\n");
    put("sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n");
    put("sys/class/powercap/intel-rapl:1/energy_uj", "500\n");
    put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    put("proc/meminfo", "MemTotal: 1 kB\nHugePages_Total:      16\nHugePages_Free:       12\n"
                        "Hugepagesize:       2048 kB\n");
    plat_sensors_read(&s, root);
    assert_int_equal(s.n_zones, 3);
    assert_string_equal(s.zone[0].name, "acpitz");
    assert_true(s.zone[0].celsius == 45.5);
    assert_string_equal(s.zone[1].name, "zone3");
    assert_true(s.zone[2].celsius == -3);
    assert_true(plat_sensors_hottest(&s) == 81.25);
    assert_int_equal(s.throttle_count, 7);
    assert_string_equal(s.governor, "powersave");
    assert_int_equal(s.cpu_hz, 2400000000);
    assert_int_equal(s.cpu_max_hz, -1);
    assert_true(s.psi_some_10s == 1.25 && s.psi_full_10s == 0.5);
    assert_int_equal(s.energy_uj, 1000500);
    assert_string_equal(s.huge_mode, "madvise");
    assert_int_equal(s.huge_page_bytes, 2 << 20);
    assert_int_equal(s.n_huge, 16);
    assert_int_equal(s.n_huge_free, 12);
}

static void absurd_files_do_no_harm(void **state)
{
    char big[5000];
    struct plat_sensors s;
    memset(big, '[', sizeof big - 1);
    big[sizeof big - 1] = 0;
    put("sys/kernel/mm/transparent_hugepage/enabled", big);
    put("sys/class/thermal/thermal_zone0/type", big);
    put("sys/class/thermal/thermal_zone0/temp", "1\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", big);
    put("proc/pressure/memory", big);
    put("proc/meminfo", big);
    plat_sensors_read(&s, root);
    assert_true(strlen(s.zone[0].name) < sizeof s.zone[0].name);
    assert_true(strlen(s.governor) < sizeof s.governor);
    memset(big, 'x', sizeof big - 1); /* a root longer than any path */
    plat_sensors_read(&s, big);
    assert_int_equal(s.n_zones, 0);
}

static void this_machine_is_possible(void **state)
{
    const struct plat_cpu *c = plat_cpu_get();
    assert_ptr_equal(c, plat_cpu_get());
    assert_in_range(c->n_logical, 1, 100000);
    assert_in_range(c->n_cores, 1, c->n_logical);
    assert_in_range(plat_cpu_threads(), 1, PLAT_MAX_THREADS);
    assert_true(strlen(c->arch) > 0);
    /* Levels build on each other. */
    assert_true(!c->avx512_vnni || c->avx512);
    assert_true(!c->avx512 || c->os_avx512);
    assert_true(!c->amx_int8 || (c->amx_tile && c->os_amx));
    assert_true(plat_mem_total() > 1 << 20);
    assert_true(plat_mem_available() <= plat_mem_total());
    assert_true(plat_mem_resident() > 0 && plat_mem_peak() >= plat_mem_resident() / 2);
}

/* The narrowest of a service's group and those above it; of a container, the mounted root's files. */
static void limits_of_control_groups(void **state)
{
    assert_int_equal(plat_group_memory(root), -1);
    assert_int_equal(plat_group_cpus(root), 0);
    put("proc/self/cgroup", "0::/system.slice/croft.service\n");
    put("sys/fs/cgroup/system.slice/croft.service/memory.max", "max\n");
    put("sys/fs/cgroup/system.slice/croft.service/memory.current", "700\n");
    put("sys/fs/cgroup/system.slice/croft.service/cpu.max", "150000 100000\n");
    assert_int_equal(plat_group_memory(root), -1);
    assert_int_equal(plat_group_cpus(root), 2);
    put("sys/fs/cgroup/system.slice/memory.max", "2000\n");
    put("sys/fs/cgroup/system.slice/memory.current", "1500\n");
    put("sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
    assert_int_equal(plat_group_memory(root), 500);
    assert_int_equal(plat_group_cpus(root), 2);
    put("sys/fs/cgroup/system.slice/croft.service/memory.max", "600\n"); /* more is used than may be */
    assert_int_equal(plat_group_memory(root), 0);
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/memory.max", "1000\n");
    put("sys/fs/cgroup/memory.current", "1\n");
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_int_equal(plat_group_memory(root), 999);
    assert_int_equal(plat_group_cpus(root), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_machine_says_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(absurd_files_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_of_control_groups, setup, teardown),
        cmocka_unit_test(this_machine_is_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
