/* CSV: what Python's csv module reads from the same bytes (tests/golden/csv), and what is refused, with its line. */
#include "base_buf.h"
#include "base_mem.h"
#include "csv.h"

#include <glob.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static FILE *open_bytes(const void *p, size_t n)
{
    FILE *f = fmemopen((void *)p, n, "r");
    assert_non_null(f);
    return f;
}

static void compare(const char *csv_path)
{
    char json_path[200];
    struct task_csv c;
    struct err e = {0};
    snprintf(json_path, sizeof json_path, "%.*s.json", (int)strlen(csv_path) - 4, csv_path);
    json_t *want = json_load_file(json_path, 0, NULL);
    FILE *f = fopen(csv_path, "r");
    assert_true(f && json_is_array(want));
    task_csv_init(&c, f, csv_path, 1);
    size_t i = 0;
    for (;; i++) {
        if (task_csv_next(&c, &e)) fail_msg("%s", e.msg);
        if (c.n == 0) break;
        const json_t *row = json_array_get(want, i);
        if (json_array_size(row) != c.n) fail_msg("%s: row %zu has %u fields", csv_path, i, c.n);
        for (uint32_t k = 0; k < c.n; k++)
            assert_string_equal(task_csv_field(&c, k), json_string_value(json_array_get(row, k)));
    }
    assert_int_equal(i, json_array_size(want));
    task_csv_done(&c);
    fclose(f);
    json_decref(want);
}

static void reads_what_python_reads(void **state)
{
    glob_t g;
    assert_int_equal(glob("tests/golden/csv/*.csv", 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 12);
    for (size_t i = 0; i < g.gl_pathc; i++) compare(g.gl_pathv[i]);
    globfree(&g);
}

static void refused(const char *bytes, size_t n, long long line, const char *says)
{
    struct task_csv c;
    struct err e = {0};
    FILE *f = open_bytes(bytes, n);
    task_csv_init(&c, f, "x.csv", 1);
    int rc;
    do rc = task_csv_next(&c, &e);
    while (rc == 0 && c.n);
    assert_int_equal(rc, CROFT_E_FORMAT);
    assert_int_equal(e.pos, line);
    if (!strstr(e.msg, says)) fail_msg("'%s' does not say '%s'", e.msg, says);
    task_csv_done(&c);
    fclose(f);
}
#define REFUSED(text, line, says) refused(text, sizeof(text) - 1, line, says)

static void damaged_files_name_the_line(void **state)
{
    REFUSED("a,b\n1,\"two\nthree", 2, "never closed");
    REFUSED("a,b\n\"1\n2\"x,3\n", 3, "follows a closing quote");
    REFUSED("a,b\n1,\xff\n", 2, "not UTF-8");
    REFUSED("a,b\n\"1\n\n\xc3\",2\n", 2, "not UTF-8");
    REFUSED("a,b\n1,2\n\n3\0,4\n", 4, "NUL");
    char *big = mem_alloc(3 << 20);
    memset(big, 'x', 3 << 20);
    refused(big, 3 << 20, 1, "longer than 1 MiB");
    memset(big, ',', 3 << 20);
    refused(big, 3 << 20, 1, "1,024 fields");
    memset(big, '"', 1);
    refused(big, 3 << 20, 1, "longer than 1 MiB");
    mem_free(big);
}

static void lines_are_counted(void **state)
{
    static const char text[] = "a,b\r\n\r\n\"x\ny\",1\n\n2,3\r4,5";
    static const long long want[] = {1, 3, 6, 7};
    struct task_csv c;
    struct err e = {0};
    FILE *f = open_bytes(text, sizeof text - 1);
    task_csv_init(&c, f, "x.csv", 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(task_csv_next(&c, &e), 0);
        assert_int_equal(c.n, 2);
        assert_int_equal(c.record, want[i]);
    }
    assert_int_equal(task_csv_next(&c, &e), 0);
    assert_int_equal(c.n, 0);
    task_csv_done(&c);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_python_reads),
        cmocka_unit_test(damaged_files_name_the_line),
        cmocka_unit_test(lines_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
