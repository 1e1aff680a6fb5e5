/* What croft task check finds: planted faults are counted and placed, sound data gives nothing. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/croft-check-XXXXXX";

static void file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
}

static struct task *task_of(const char *yaml)
{
    char path[128];
    struct task *t = NULL;
    struct err e = {0};
    file("task.yaml", yaml);
    snprintf(path, sizeof path, "%s/task.yaml", dir);
    if (task_load(path, &t, &e)) fail_msg("%s", e.msg);
    return t;
}

static bool says(const struct task_check *c, bool is_error, const char *text)
{
    for (size_t i = 0; i < c->n_findings; i++)
        if (c->finding[i].is_error == is_error && strstr(c->finding[i].text, text)) return true;
    return false;
}

static const char task_yaml[] = "name: t\nkind: classify\nlabels: [{name: a}, {name: b}, {name: c}]\n"
                                "data: {train: train.jsonl, test: test.jsonl}\n";
#define ROW(input, label) "{\"input\":\"" input "\",\"label\":\"" label "\"}\n"

static void planted_faults_are_found(void **state)
{
    struct task_check c;
    struct err e = {0};
    struct task *t = task_of(task_yaml);
    /* line:                     1              2              3              4              5             6 */
    file("train.jsonl", ROW("one", "a") ROW("two", "b") ROW("one", "a") ROW("two", "a") ROW("one", "a") ROW(" ", "a"));
    file("test.jsonl", ROW("x", "c") ROW("two", "b") ROW("y", "oops") ROW("z", "ooops"));
    if (task_check_data(t, &c, &e)) fail_msg("%s", e.msg);
    const struct task_split_facts *train = &c.split[TASK_TRAIN], *test = &c.split[TASK_TEST];
    assert_int_equal(train->n, 6);
    assert_int_equal(train->n_labels, 2);
    assert_string_equal(train->commonest, "a");
    assert_int_equal(train->n_commonest, 5);
    assert_string_equal(train->rarest, "b");
    assert_int_equal(train->n_rarest, 1);
    assert_int_equal(train->n_duplicate, 2);
    assert_int_equal(train->n_conflict, 1);
    assert_int_equal(test->n_seen, 1);
    assert_int_equal(test->n_duplicate + test->n_conflict, 0);
    assert_int_equal(c.n_errors, 1);
    assert_true(c.finding[0].is_error); /* errors come first */
    assert_true(says(&c, true, "test: 2 examples have a label that the task does not name, first 'oops' in line 3"));
    assert_true(says(&c, false, "train: 2 examples repeat an earlier one, first in line 3: \"one\""));
    assert_true(says(&c, false, "train: 1 inputs stand there with different answers, first in line"));
    assert_true(says(&c, false, "train: 1 of the task's 3 labels have no example, first 'c'"));
    assert_true(says(&c, false, "train: 1 examples have an empty input, first in line 6"));
    assert_true(says(&c, false, "test: 1 inputs stand in the training data too"));
    assert_true(says(&c, false, "first in line 2: \"two\""));
    task_check_done(&c);
    task_free(t);
}

static void sound_data_gives_no_finding(void **state)
{
    struct task_check c;
    struct err e = {0};
    struct task *t = task_of(task_yaml);
    file("train.jsonl", ROW("1", "a") ROW("2", "b") ROW("3", "c"));
    file("test.jsonl", ROW("4", "a") ROW("5", "b") ROW("6", "c"));
    assert_int_equal(task_check_data(t, &c, &e), 0);
    assert_int_equal(c.n_findings, 0);
    task_check_done(&c);
    task_free(t);
}

static void data_that_cannot_be_read_are_findings(void **state)
{
    struct task_check c;
    struct err e = {0};
    struct task *t = task_of("name: t\nkind: generate\ndata: {train: none.jsonl, validation: train.jsonl}\n");
    file("train.jsonl", "{\"input\":\"x\",\"label\":\"a\"}\nnot json\n");
    assert_int_equal(task_check_data(t, &c, &e), 0);
    assert_true(says(&c, true, "none.jsonl"));
    assert_true(says(&c, true, "validation: Line 2 of"));
    assert_true(says(&c, false, "no test data"));
    task_check_done(&c);
    file("train.jsonl", "{\"input\":\"x\",\"output\":\"y\"}\n{\"input\":\"z\",\"label\":\"a\"}\n");
    assert_int_equal(task_check_data(t, &c, &e), 0);
    assert_true(says(&c, true, "validation: 1 examples have no output, first in line 2"));
    task_check_done(&c);
    task_free(t);
}

static void one_label_for_nearly_all_is_told(void **state)
{
    char rows[4000] = "";
    struct task_check c;
    struct err e = {0};
    struct task *t = task_of("name: t\nkind: classify\nlabels: [{name: a}, {name: b}]\ndata: {test: test.jsonl}\n");
    for (int i = 0; i < 20; i++)
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "{\"input\":\"%d\",\"label\":\"%s\"}\n", i,
                 i ? "a" : "b");
    file("test.jsonl", rows);
    assert_int_equal(task_check_data(t, &c, &e), 0);
    assert_int_equal(c.n_findings, 1);
    assert_true(says(&c, false, "always answering 'a' is right 95.0 %"));
    task_check_done(&c);
    task_free(t);
}

static void survives_any_failed_allocation(void **state)
{
    struct task *t = task_of(task_yaml);
    int rc = -1;
    file("train.jsonl", ROW("one", "a") ROW("one", "a") ROW("one", "b"));
    file("test.jsonl", ROW("one", "x"));
    for (long nth = 1; rc != 0 && nth < 2000; nth++) {
        struct task_check c;
        struct err e = {0};
        mem_fail_nth(nth);
        rc = task_check_data(t, &c, &e);
        mem_fail_nth(0);
        if (rc == 0) task_check_done(&c);
        else assert_int_equal(rc, CROFT_E_NOMEM);
    }
    assert_int_equal(rc, 0);
    task_free(t);
}

static int make_dir(void **state) { return mkdtemp(dir) ? 0 : -1; }

static int remove_dir(void **state)
{
    static const char *const names[] = {"task.yaml", "train.jsonl", "test.jsonl"};
    for (int i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_faults_are_found),
        cmocka_unit_test(sound_data_gives_no_finding),
        cmocka_unit_test(data_that_cannot_be_read_are_findings),
        cmocka_unit_test(one_label_for_nearly_all_is_told),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
