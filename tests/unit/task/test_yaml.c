/* Plain scalars against YAML 1.2.2's core schema: its table of regular expressions (10.3.2), its example 10.9, and what
 * lies just outside. */
#include "task_yaml.h"
#include "base_mem.h"
#include "plat_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/croft-yaml-XXXXXX";

static void is(const char *scalar, const char *want)
{
    char text[256];
    struct err e = {0};
    json_t *o = NULL;
    snprintf(text, sizeof text, "x: %s\n", scalar);
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
    if (task_yaml_load(path, &o, &e)) fail_msg("%s: %s", scalar, e.msg);
    char *got = json_dumps(json_object_get(o, "x"), JSON_ENCODE_ANY | JSON_COMPACT);
    if (strcmp(got, want)) fail_msg("%s is read as %s, not as %s", scalar, got, want);
    free(got);
    json_decref(o);
}
static void is_string(const char *scalar)
{
    char want[256];
    snprintf(want, sizeof want, "\"%s\"", scalar);
    is(scalar, want);
}

static void example_10_9(void **state)
{
    is("null", "null");
    is("", "null");
    is("[ true, True, false, FALSE ]", "[true,true,false,false]");
    is("[ 0, 0o7, 0x3A, -19 ]", "[0,7,58,-19]");
    is("[ 0., -0.0, .5, +12e03, -2E+05 ]", "[0.0,-0.0,0.5,12000.0,-200000.0]");
}

static void words(void **state)
{
    is("[ ~, Null, NULL, TRUE, False ]", "[null,null,null,true,false]");
    is("[ yes, No, on, OFF, y, tRUE, nULL, nullx, truE ]",
       "[\"yes\",\"No\",\"on\",\"OFF\",\"y\",\"tRUE\",\"nULL\",\"nullx\",\"truE\"]");
    is("'true'", "\"true\"");
    is("\"12\"", "\"12\"");
}

static void whole_numbers(void **state)
{
    is("[ 010, 0010, +7, -0 ]", "[10,10,7,0]");
    is("[ 0x10, 0o10, 0xdeadBEEF, 0x0 ]", "[16,8,3735928559,0]");
    is("9223372036854775807", "9223372036854775807");
    is("0x7fffffffffffffff", "9223372036854775807");
    const char *const strings[] = {"0x", "0o", "0o8", "0xg", "0X10", "0O10", "-0x10", "+0o7", "0x1.8", "0x1p3", "0b101",
                                   "1_000", "1,000", "190:20:30", "0x 1", "0x+1", "0x8000000000000000"};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) is_string(strings[i]);
}

static void fractions(void **state)
{
    is("[ 1e3, 1.5, +.5, 2., 1.E2 ]", "[1000.0,1.5,0.5,2.0,100.0]");
    const char *const strings[] = {".inf", "-.Inf", "+.INF", ".NAN", "inf", "nan", "infinity", ".", "1e", "1e999", "e5",
                                   "1.2.3", "--1", "5 %"};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) is_string(strings[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example_10_9), cmocka_unit_test(words),
                                       cmocka_unit_test(whole_numbers), cmocka_unit_test(fractions)};
    close(mkstemp(path));
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return rc;
}
