/* The table of devices: shipped rows are whole, a user's file is read or refused with file and line. */
#include "base_mem.h"
#include "econ_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct err e;

static int read_text(const char *yaml, struct econ_devices *out)
{
    char path[] = "/tmp/croft-device-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
    e = (struct err){0};
    int rc = econ_devices_read(path, out, &e);
    unlink(path);
    return rc;
}

static void shipped_rows_are_whole(void **state)
{
    size_t n;
    const struct econ_device *d = econ_devices_shipped(&n);
    assert_true(n >= 15);
    for (size_t i = 0; i < n; i++) {
        assert_true(d[i].source && strlen(d[i].source) > 8);
        assert_int_equal(strlen(d[i].read_on), 10);
        assert_true(d[i].group && *d[i].group);
        assert_true(d[i].memory_gb >= 0 && d[i].bandwidth_gbs >= 0 && d[i].int8_tops >= 0 && d[i].watts >= 0);
        assert_true(d[i].bandwidth_gbs > 0 || d[i].int8_tops > 0);
        assert_true(d[i].kind != ECON_CPU || d[i].cores > 0);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(d[i].name, d[k].name);
    }
}

static void a_users_row_hides_a_shipped_one(void **state)
{
    struct econ_devices own;
    const struct econ_device *d;
    assert_int_equal(
        read_text("devices:\n"
                  "  - {name: till, kind: cpu, cores: 4, memory_gb: 16, bandwidth_gbs: 51.2, int8_tops: 1.25,\n"
                  "     watts: 25, source: data sheet 3, read_on: '2026-11-21', note: one module}\n"
                  "  - {name: hailo-10h, kind: npu, bandwidth_gbs: 17, source: measured}\n",
                  &own),
        0);
    assert_int_equal(own.n, 2);
    assert_int_equal(econ_device_find(&own, "till", &d, &e), 0);
    assert_int_equal(d->kind, ECON_CPU);
    assert_int_equal(d->cores, 4);
    assert_true(d->bandwidth_gbs == 51.2 && d->int8_tops == 1.25 && d->fp16_tflops == 0);
    assert_int_equal(econ_device_find(&own, "hailo-10h", &d, &e), 0);
    assert_true(d->bandwidth_gbs == 17);
    assert_int_equal(econ_device_find(NULL, "hailo-10h", &d, &e), 0);
    assert_true(d->bandwidth_gbs == 0);
    econ_devices_done(&own);
}

static void an_unknown_name_gets_the_nearest(void **state)
{
    const struct econ_device *d;
    assert_int_equal(econ_device_find(NULL, "nvidia-h10", &d, &e), CROFT_E_NOT_FOUND);
    assert_non_null(strstr(e.msg, "nvidia-"));
    assert_int_equal(econ_device_find(NULL, "zzzzzzzzzzzzzzzzzz", &d, &e), CROFT_E_NOT_FOUND);
    assert_null(strstr(e.msg, "Did you mean"));
}

static void bad_files_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *yaml, *line, *says;
    } bad[] = {
        {"devices:\n  - {name: a, kind: cpu, source: s}\n  - {name: b, kind: cpu, bandwith_gbs: 3, source: s}\n",
         ":3:", "Did you mean 'bandwidth_gbs'"},
        {"devices:\n  - {name: a, kind: cpu, bandwidth_gbs: -3, source: s}\n", ":2:", "'bandwidth_gbs'"},
        {"devices:\n  - {name: a, kind: cpu, bandwidth_gbs: 51200000000, source: s}\n", ":2:", "20000"},
        {"devices:\n  - {name: a, kind: cpu, bandwidth_gbs: fast, source: s}\n", ":2:", "'bandwidth_gbs'"},
        {"devices:\n  - {name: a, kind: fpga, source: s}\n", ":2:", "'kind'"},
        {"devices:\n  - {name: a, kind: cpu}\n", ":2:", "needs 'source'"},
        {"devices:\n  - {kind: cpu, source: s}\n", ":2:", "needs 'name'"},
        {"devices:\n  - {name: a, kind: cpu, source: s}\n  - {name: a, kind: gpu, source: s}\n",
         ":3:", "two devices"},
        {"devices: []\n", ":1:", "'devices'"},
        {"device:\n  - {name: a}\n", ":1:", "there is no 'device'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct econ_devices d;
        if (read_text(bad[i].yaml, &d) != CROFT_E_FORMAT) fail_msg("taken: %s", bad[i].yaml);
        if (!strstr(e.msg, bad[i].line) || !strstr(e.msg, bad[i].says)) fail_msg("%s says: %s", bad[i].yaml, e.msg);
    }
}

static void a_file_survives_every_failed_allocation(void **state)
{
    int rc = -1;
    for (long nth = 1; rc != 0 && nth < 2000; nth++) {
        struct econ_devices d;
        mem_fail_nth(nth);
        rc = read_text(
            "devices:\n  - {name: a, kind: cpu, group: g, source: s, note: n}\n  - {name: b, kind: gpu, source: s}\n",
            &d);
        mem_fail_nth(0);
        if (rc == 0) econ_devices_done(&d);
    }
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_rows_are_whole),
        cmocka_unit_test(a_users_row_hides_a_shipped_one),
        cmocka_unit_test(an_unknown_name_gets_the_nearest),
        cmocka_unit_test(bad_files_are_refused_with_their_line),
        cmocka_unit_test(a_file_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
