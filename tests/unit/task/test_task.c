/* task.yaml and example files: what is read, what is refused, and that refusals name the key or line. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_data.h"
#include "task_task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/croft-task-XXXXXX";

static const char *file(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
    return path;
}

static const char good[] = "name: intent\n"
                           "kind: classify\n"
                           "system: Classify.\n"
                           "prompt: \"{{input}}\"\n"
                           "labels:\n  - {name: a, description: first}\n  - {name: b}\n"
                           "data: {test: t.jsonl, train: /abs/train.jsonl}\n"
                           "metric: accuracy\nfloor: 0.8\nlatency_ms: 50\nsensitivity: local-only\n";

static void a_task_reads(void **state)
{
    struct task *t = NULL;
    struct err e = {0};
    if (task_load(file("task.yaml", good), &t, &e)) fail_msg("%s", e.msg);
    assert_string_equal(t->name, "intent");
    assert_int_equal(t->kind, TASK_CLASSIFY);
    assert_int_equal(t->n_labels, 2);
    assert_string_equal(t->labels[0].description, "first");
    assert_null(t->labels[1].description);
    assert_int_equal(task_label_find(t, "b"), 1);
    assert_int_equal(task_label_find(t, "c"), -1);
    char want[128];
    snprintf(want, sizeof want, "%s/t.jsonl", dir);
    assert_string_equal(t->data->test, want); /* relative to the task's folder */
    assert_string_equal(t->data->train, "/abs/train.jsonl");
    assert_true(t->floor == 0.8 && t->latency_ms == 50);
    task_free(t);
}

static void wrong(const char *text, const char *must_say)
{
    struct task *t = NULL;
    struct err e = {0};
    assert_int_equal(task_load(file("bad.yaml", text), &t, &e), CROFT_E_FORMAT);
    assert_null(t);
    if (!strstr(e.msg, must_say)) fail_msg("'%s' does not say '%s'", e.msg, must_say);
}

static void wrong_tasks_are_refused(void **state)
{
    wrong("name: x\nkind: classify\nlabel: []\n", "label");
    wrong("name: x\nkind: guess\n", "guess");
    wrong("name: x\nkind: classify\n", "fewer than two labels");
    wrong("name: x\nkind: classify\nlabels: [{name: a}, {name: a}]\n", "twice");
    wrong("name: x\nkind: generate\nprompt: hello\n", "{{input}}");
    wrong("name: x\nkind: generate\nfloor: 7\n", "floor");
    wrong("name: x\nkind: extract\n", "schema");
    wrong("kind: generate\n", "name");
    wrong("[1, 2]\n", "cannot be read");
    wrong("name: [\n", "cannot be read");
    wrong("", "is empty");
    wrong("---\n# nothing\n", "");
    struct task *t = NULL;
    struct err e = {0};
    assert_int_equal(task_load("/no/such/task.yaml", &t, &e), CROFT_E_NOT_FOUND);
}

static void a_schema_may_have_any_shape(void **state)
{
    struct task *t = NULL;
    struct err e = {0};
    if (task_load(file("task.yaml", "name: x\nkind: extract\nschema:\n  type: object\n  required: [a, \"1\", 1, 1.5]\n"
                                    "  properties: {a: {type: [string, 'null'], maxLength: 5}, b: {}}\n"
                                    "  additionalProperties: false\n"), &t, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(t->schema, "{\"type\":\"object\",\"required\":[\"a\",\"1\",1,1.5],\"properties\":{\"a\":"
                                   "{\"type\":[\"string\",\"null\"],\"maxLength\":5},\"b\":{}},"
                                   "\"additionalProperties\":false}");
    task_free(t);
    file("order.json", "{\"type\": \"object\"}");
    file("x.jsonl", "[]");
    if (task_load(file("task.yaml", "name: x\nkind: extract\nschema: order.json\n"), &t, &e)) fail_msg("%s", e.msg);
    assert_string_equal(t->schema, "{\"type\": \"object\"}");
    task_free(t);
    wrong("name: x\nkind: extract\nschema: x.jsonl\n", "x.jsonl' is not a JSON object");
    /* an alias bomb: 2^20 nodes from 20 lines */
    char bomb[2000] = "name: x\nkind: extract\nschema:\n  a0: &a0 [1, 1]\n";
    for (int i = 1; i <= 20; i++) {
        size_t n = strlen(bomb);
        snprintf(bomb + n, sizeof bomb - n, "  a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    }
    wrong(bomb, "lias");
}

static void examples_read(void **state)
{
    struct task_examples x;
    struct err e = {0};
    if (task_examples_load(file("x.jsonl", "{\"input\":\"grüße\",\"label\":\"a\"}\r\n\n"
                                           "{\"output\":{\"b\":1,\"a\":[null]},\"input\":\"y\"}"), &x, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(x.n, 2);
    assert_string_equal(x.item[0].input, "grüße");
    assert_string_equal(x.item[0].label, "a");
    assert_null(x.item[0].output);
    assert_string_equal(x.item[1].output, "{\"a\":[null],\"b\":1}");
    task_examples_done(&x);
}

static void damaged_examples_name_the_line(void **state)
{
    static const char *const bad[] = {"{\"input\":\"x\",\"label\":\"a\"}\n{\"input\":1,\"label\":\"a\"}\n",
                                      "{\"input\":\"x\",\"label\":\"a\"}\n{\"input\":\"x\"}\n",
                                      "{\"input\":\"x\",\"label\":\"a\"}\nnot json\n"};
    struct task_examples x;
    struct err e;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(task_examples_load(file("x.jsonl", bad[i]), &x, &e), CROFT_E_FORMAT);
        assert_int_equal(e.pos, 2);
    }
    assert_int_equal(task_examples_load(file("x.jsonl", "\n"), &x, &e), CROFT_E_FORMAT);
    static const char nul[] = "{\"input\":\"x\",\"label\":\"a\"}\0 and more\n"; /* the rest is not lost in silence */
    const char *path = file("x.jsonl", "");
    assert_int_equal(plat_file_write(path, nul, sizeof nul - 1), 0);
    assert_int_equal(task_examples_load(path, &x, &e), CROFT_E_FORMAT);
    assert_int_equal(e.pos, 1);
    assert_int_equal(task_examples_load("/dev/zero", &x, &e), CROFT_E_FORMAT); /* one line without an end */
    assert_non_null(strstr(e.msg, "longer than"));
}

static void survives_any_failed_allocation(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s", file("task.yaml", good));
    int rc = -1;
    for (long nth = 1; rc != 0 && nth < 2000; nth++) {
        struct task *t = NULL;
        struct err e = {0};
        mem_fail_nth(nth);
        rc = task_load(path, &t, &e);
        mem_fail_nth(0);
        if (rc == 0) task_free(t);
    }
    assert_int_equal(rc, 0);
}

static int make_dir(void **state) { return mkdtemp(dir) ? 0 : -1; }

static int remove_dir(void **state)
{
    static const char *const names[] = {"task.yaml", "bad.yaml", "x.jsonl", "order.json"};
    for (int i = 0; i < 4; i++) unlink(file(names[i], ""));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_reads),
        cmocka_unit_test(wrong_tasks_are_refused),
        cmocka_unit_test(a_schema_may_have_any_shape),
        cmocka_unit_test(examples_read),
        cmocka_unit_test(damaged_examples_name_the_line),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
