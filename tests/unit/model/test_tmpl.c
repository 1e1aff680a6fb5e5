/* Chat templates against what Python's Jinja2 3.1 renders: the project's own corpus (tests/golden/tmpl/cases.json, made
 * by make.py beside it) and real templates (../shared/fixtures/chat/chat.json); then bounds, messages and memory. */
#include "base_mem.h"
#include "model_tmpl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

static const char golden[] = "tests/golden/tmpl/cases.json", fixture[] = "../shared/fixtures/chat/chat.json";

static int render(const char *text, size_t n, const json_t *vars, int64_t now, const struct tmpl_limits *l,
                  struct buf *out, struct err *e)
{
    struct tmpl *t = NULL;
    memset(e, 0, sizeof *e);
    int rc = tmpl_new(text, n, &t, e);
    if (rc) return rc;
    rc = tmpl_render(t, vars, now, l, out, e);
    tmpl_free(t);
    return rc;
}

static void expect_text(const struct buf *out, const json_t *want, const char *what)
{
    const char *text = out->data ? out->data : "";
    if (out->len == json_string_length(want) && memcmp(text, json_string_value(want), out->len) == 0) return;
    fail_msg("%s\n  got:  %s\n  want: %s", what, text, json_string_value(want));
}

static void test_golden(void **state)
{
    json_error_t je;
    json_t *all = json_load_file(golden, JSON_ALLOW_NUL, &je), *c;
    size_t i;
    assert_non_null(all);
    const json_t *vars = json_object_get(all, "vars");
    int64_t now = json_integer_value(json_object_get(all, "now"));
    assert_true(json_array_size(json_object_get(all, "cases")) >= 150);
    json_array_foreach(json_object_get(all, "cases"), i, c) {
        const json_t *text = json_object_get(c, "template"), *want = json_object_get(c, "output");
        const char *name = json_string_value(text);
        struct buf out;
        struct err e;
        buf_init(&out, 1 << 20);
        int rc = render(name, json_string_length(text), vars, now, NULL, &out, &e);
        if (want) {
            if (rc) fail_msg("%s\n  refused: %s", name, e.msg);
            expect_text(&out, want, name);
        } else {
            int64_t line = json_integer_value(json_object_get(c, "line"));
            assert_string_equal(err_name(rc), json_string_value(json_object_get(c, "error")));
            assert_int_equal(out.len, 0);
            if (line) assert_int_equal(e.pos, line);
        }
        buf_done(&out);
    }
    json_decref(all);
}

static int64_t unix_time(const char *iso)
{
    struct tm tm = {0};
    strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);
    return timegm(&tm);
}

static void check_real(const json_t *all, const json_t *t, const char *name, const json_t *conversation,
                       const json_t *want)
{
    const json_t *text = json_object_get(t, "template"), *output = json_object_get(want, "output");
    char what[200];
    struct buf out;
    struct err e;
    json_t *vars = json_copy((json_t *)conversation);
    json_object_set(vars, "bos_token", json_object_get(all, "bos_token"));
    json_object_set(vars, "eos_token", json_object_get(all, "eos_token"));
    snprintf(what, sizeof what, "%s, conversation '%s'", json_string_value(json_object_get(t, "name")), name);
    buf_init(&out, 1 << 20);
    int rc = render(json_string_value(text), json_string_length(text), vars,
                    unix_time(json_string_value(json_object_get(all, "now"))), NULL, &out, &e);
    if (output && rc) fail_msg("%s: %s", what, e.msg);
    if (output) expect_text(&out, output, what);
    else if (!rc) fail_msg("%s is rendered, although the reference refuses it", what);
    buf_done(&out);
    json_decref(vars);
}

static void test_real_templates(void **state)
{
    json_t *all = json_load_file(fixture, 0, NULL), *t, *want;
    const char *name;
    size_t i;
    if (!all) {
        print_message("SKIP: %s is missing (real chat templates)\n", fixture);
        skip();
    }
    json_array_foreach(json_object_get(all, "templates"), i, t)
        json_object_foreach(json_object_get(t, "expected"), name, want)
            check_real(all, t, name, json_object_get(json_object_get(all, "cases"), name), want);
    json_decref(all);
}

static void expect_error(const char *text, const struct tmpl_limits *l, int code)
{
    struct buf out;
    struct err e;
    buf_init(&out, 64 << 20);
    int rc = render(text, strlen(text), NULL, 0, l, &out, &e);
    if (rc != code) fail_msg("%s: %s, not %s (%s)", text, err_name(rc), err_name(code), e.msg);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void test_endless(void **state)
{
    static const char *const endless[] = {
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('ab') }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(1000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{{ 'a' * 9000000000000 }}", "{{ [1] * 900000000000000000 }}", "{{ range(1000000)|list }}",
        "{{ 'x'|center(99999999999) }}", "{{ '%999999999d' % 1 }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set s = 'ab' * 1000000 %}{% for i in range(100000) %}{% set n = s.count('bb') %}{% endfor %}",
        "{% set s = 'ab' * 100000 %}{% for i in range(100000) %}{{ s.upper()|length }}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(5000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
    };
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) expect_error(endless[i], NULL, CROFT_E_LIMIT);
    const struct tmpl_limits few = {.max_steps = 100}, little = {.max_output_bytes = 10};
    const struct tmpl_limits small = {.max_memory_bytes = 10000};
    expect_error("{% for i in range(100) %}{% endfor %}", &few, CROFT_E_LIMIT);
    expect_error("12345678901", &little, CROFT_E_LIMIT);
    expect_error("{{ ('x' * 6000) ~ ('y' * 6000) }}", &small, CROFT_E_LIMIT);
}

/* Opening brackets, tags and operators a hundred thousand deep. */
static void test_deep(void **state)
{
    static const char *const units[] = {"(", "[", "{% if 1 %}", "not ", "-", "{{ (", "{% for i in [1] %}",
                                        "a[", "a(", "{#"};
    static const char *const starts[] = {"{{ ", "{{ ", "", "{{ ", "{{ ", "", "", "{{ ", "{{ ", ""};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        buf_str(&b, starts[i]);
        for (int k = 0; k < 50000; k++) buf_str(&b, units[i]);
        expect_error(b.data, NULL, CROFT_E_FORMAT);
        buf_done(&b);
    }
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, "{{ 1");
    for (int k = 0; k < 50000; k++) buf_str(&b, "+1");
    buf_str(&b, " }}");
    expect_error(b.data, NULL, CROFT_E_LIMIT);
    buf_done(&b);
}

static void expect_message(const char *text, int code, long long line, const char *part)
{
    struct buf out;
    struct err e;
    buf_init(&out, 1000);
    assert_int_equal(render(text, strlen(text), NULL, 0, NULL, &out, &e), code);
    assert_int_equal(e.pos, line);
    if (!strstr(e.msg, part)) fail_msg("'%s' does not say '%s'", e.msg, part);
    buf_done(&out);
}

static void test_messages(void **state)
{
    expect_message("a\n{% if x %}\n\n", CROFT_E_FORMAT, 3, "endif");
    expect_message("a\n\n{{ 1 + }}", CROFT_E_FORMAT, 3, "expected an expression, found 'end of print statement'");
    expect_message("\n{% for x on y %}", CROFT_E_FORMAT, 2, "expected 'in', found 'on'");
    expect_message("{{ x", CROFT_E_FORMAT, 1, "expected '}}'");
    expect_message("{% frobnicate %}", CROFT_E_FORMAT, 1, "unknown tag 'frobnicate'");
    expect_message("\n\n{{ x.y }}", CROFT_E_TEMPLATE, 3, "'x' is undefined");
    expect_message("\n{{ raise_exception('Roles must alternate') }}", CROFT_E_TEMPLATE, 2, "Roles must alternate");
    expect_message("{{ 1|nosuch }}", CROFT_E_FORMAT, 1, "no filter named 'nosuch'");
    expect_message("\xff", CROFT_E_FORMAT, -1, "UTF-8");
}

static const char busy[] =
    "{% macro m(a, b=[1, 2]) %}{{ a }}{{ caller(b) if caller else varargs }}{% endmacro %}"
    "{% set ns = namespace(s='') %}"
    "{% for x in [3, 1, 2]|sort(reverse=true) if x > 0 %}{% set ns.s = ns.s ~ x ~ loop.index %}"
    "{{ loop.nextitem }}{% endfor %}"
    "{% call(q) m('x') %}{{ q|tojson(indent=2) }}{% endcall %}{{ {'k': ns.s, 'l': (1, none)}|dictsort }}"
    "{{ 'a b'.split() }}"
    "{% filter upper %}{{ '%s-%5.1f'|format('é', 2.5) }}{{ '{:>9}'.format(1) }}{% endfilter %}{{ 'abc'[::-1] }}{{ m }}"
    "{% set big %}{{ 'z' * 5000 }}{% endset %}{{ big|replace('z', 'yy')|length }}"
    "{{ range(50)|map('string')|join(',') }}";

static void test_allocation_failures(void **state)
{
    for (long n = 1; n < 10000; n++) {
        struct buf out;
        struct err e;
        buf_init(&out, 1 << 20);
        mem_fail_nth(n);
        int rc = render(busy, sizeof busy - 1, NULL, 0, NULL, &out, &e);
        mem_fail_nth(0);
        if (rc) assert_int_equal(rc, CROFT_E_NOMEM);
        buf_done(&out);
        if (rc == 0) {
            assert_true(n > 10);
            return;
        }
    }
    fail_msg("it never succeeds");
}

/* "Unlimited" limits must not overflow anything. A full output buffer of the caller is an error. */
static void test_output_is_written_on_success_only(void **state)
{
    struct buf out;
    struct err e;
    const struct tmpl_limits huge = {
        .max_steps = UINT64_MAX, .max_output_bytes = SIZE_MAX / 2, .max_memory_bytes = SIZE_MAX / 2};
    buf_init(&out, 8);
    buf_str(&out, "ab");
    assert_int_equal(render("cd{{ 1/0 }}", 11, NULL, 0, &huge, &out, &e), CROFT_E_TEMPLATE);
    assert_string_equal(out.data, "ab");
    assert_int_equal(render("cd", 2, NULL, 0, &huge, &out, &e), 0);
    assert_string_equal(out.data, "abcd");
    assert_int_equal(render("123456789", 9, NULL, 0, &huge, &out, &e), CROFT_E_LIMIT);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_real_templates), cmocka_unit_test(test_endless),
        cmocka_unit_test(test_deep), cmocka_unit_test(test_messages), cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_output_is_written_on_success_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
