/* Examples from JSONL and CSV through the columns that task.yaml names; every refusal names file and line. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_data.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/croft-data-XXXXXX";

static void file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
}

#define LABELS "labels: [{name: a}, {name: b}]\n"

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

/* Write the data, read it as the task's test split. */
static int load(const char *yaml, const char *name, const char *data, struct task_examples *x, struct err *e)
{
    struct task *t = task_of(yaml);
    file(name, data);
    int rc = task_split_load(t, TASK_TEST, x, e);
    task_free(t);
    return rc;
}

static void csv_columns_are_renamed(void **state)
{
    struct task_examples x;
    struct err e = {0};
    if (load("name: t\nkind: classify\n" LABELS "data: {test: d.csv, columns: {input: text, label: intent}}\n", "d.csv",
             "\xef\xbb\xbfid,text,intent\r\n1,\"hello,\r\nyou\",a\r\n2,bye,b\r\n", &x, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(x.n, 2);
    assert_string_equal(x.item[0].input, "hello,\r\nyou");
    assert_string_equal(x.item[0].label, "a");
    assert_null(x.item[0].output);
    assert_int_equal(x.item[1].line, 4);
    task_examples_done(&x);
}

static void jsonl_keys_are_renamed(void **state)
{
    struct task_examples x;
    struct err e = {0};
    if (load("name: t\nkind: extract\nschema: {}\ndata: {test: d.jsonl, columns: {input: text, output: slots}}\n",
             "d.jsonl", "\xef\xbb\xbf{\"text\":\"x\",\"slots\":{\"b\":1,\"a\":2}}\n", &x, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(x.item[0].output, "{\"a\":2,\"b\":1}");
    task_examples_done(&x);
}

static void a_csv_output_is_text_or_json_as_the_kind_says(void **state)
{
    struct task_examples x;
    struct err e = {0};
    static const char data[] = "input,output\nx,\"{\"\"b\"\":1, \"\"a\"\":2}\"\n";
    if (load("name: t\nkind: extract\nschema: {}\ndata: {test: d.csv}\n", "d.csv", data, &x, &e)) fail_msg("%s", e.msg);
    assert_string_equal(x.item[0].output, "{\"a\":2,\"b\":1}");
    task_examples_done(&x);
    if (load("name: t\nkind: generate\ndata: {test: d.csv}\n", "d.csv", data, &x, &e)) fail_msg("%s", e.msg);
    assert_string_equal(x.item[0].output, "\"{\\\"b\\\":1, \\\"a\\\":2}\"");
    task_examples_done(&x);
}

/* A question with four columns of answers and the number of the right one, as MMLU's files have it. */
static void templates_make_text_of_several_columns(void **state)
{
    struct task_examples x;
    struct err e = {0};
    if (load("name: t\nkind: classify\nlabels: [{name: A}, {name: B}]\ndata:\n  test: d.csv\n  columns:\n"
             "    input: \"{{question}}\\nA. {{c0}}\\nB. {{c1}}\"\n    label: \"{{ 'AB'[answer|int] }}\"\n",
             "d.csv", "question,c0,c1,answer\n1+1?,1,2,1\n", &x, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(x.item[0].input, "1+1?\nA. 1\nB. 2");
    assert_string_equal(x.item[0].label, "B");
    task_examples_done(&x);
}

static void examples_may_bring_their_choices(void **state)
{
    struct task_examples x;
    struct err e = {0};
    if (load("name: t\nkind: classify\ndata: {test: d.csv, columns: {input: q, choices: [c0, c1, c2], label: y}}\n",
             "d.csv", "q,c0,c1,c2,y\nx,one,two,three,two\nx,yes,no,,no\n", &x, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(x.item[0].n_choices, 3);
    assert_string_equal(x.item[0].choices[2], "three");
    assert_int_equal(x.item[1].n_choices, 2);
    assert_string_equal(x.item[1].label, "no");
    task_examples_done(&x);
    if (load("name: t\nkind: classify\ndata: {test: d.jsonl, columns: {choices: [options]}}\n", "d.jsonl",
             "{\"input\":\"x\",\"options\":[\"p\",\"q\"],\"label\":1}\n", &x, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(x.item[0].label, "q"); /* an integer counts from 0 */
    task_examples_done(&x);
}

static void refused(const char *columns, const char *name, const char *data, long long line, const char *says)
{
    char yaml[400];
    struct task_examples x;
    struct err e = {0};
    bool own = strstr(columns, "choices");
    snprintf(yaml, sizeof yaml, "name: t\nkind: classify\n%sdata: {test: %s, columns: {%s}}\n", own ? "" : LABELS, name,
             columns);
    assert_int_equal(load(yaml, name, data, &x, &e), CROFT_E_FORMAT);
    if (!strstr(e.msg, says)) fail_msg("'%s' does not say '%s'", e.msg, says);
    assert_int_equal(e.pos, line);
}

static void wrong_rows_are_refused(void **state)
{
    refused("input: text", "d.csv", "input,label\nx,a\n", 2, "no text under \"text\" (it has: input, label)");
    refused("label: intent", "d.jsonl", "{\"input\":\"x\",\"intent\":\"a\"}\n{\"input\":\"x\"}\n", 2, "\"intent\"");
    refused("input: input", "d.csv", "input,label\nx,a,b\n", 2, "3 fields, and the header names 2");
    refused("input: input", "d.csv", "input,label\nx,\n", 2, "label is empty");
    refused("input: input", "d.csv", "a,b,a\n", -1, "names the column 'a' twice");
    refused("input: input", "d.csv", "", -1, "is empty");
    refused("input: input", "d.jsonl", "[1]\n", 1, "not an object");
    refused("input: input", "d.jsonl", "{\"input\":\"\xff\",\"label\":\"a\"}\n", 1, "decode byte 0xff");
    refused("input: \"{{nothing}}\"", "d.csv", "input,label\nx,a\n", 2, "'nothing' is undefined");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":[\"p\"],\"label\":\"p\"}", 1, "fewer than two");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":[\"p\",\"p\"],\"label\":\"p\"}", 1, "both \"p\"");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":[\"p\",\"q\"],\"label\":\"r\"}", 1, "none of its");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":[\"p\",\"q\"],\"label\":2}", 1, "no choice 2");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":[\"p\",3],\"label\":\"p\"}", 1, "choice 1 is not text");
    refused("choices: [c]", "d.jsonl", "{\"input\":\"x\",\"c\":\"p\",\"label\":\"p\"}", 1, "not a list");
}

static void columns_are_checked_with_the_task(void **state)
{
    static const char *const wrong[] = {
        "name: t\nkind: generate\ndata: {columns: {choices: [c]}}\n",
        "name: t\nkind: classify\n" LABELS "data: {columns: {choices: [c]}}\n",
        "name: t\nkind: classify\n" LABELS "data: {columns: {labels: x}}\n",
    };
    char path[128];
    snprintf(path, sizeof path, "%s/task.yaml", dir);
    for (int i = 0; i < 3; i++) {
        struct task *t = NULL;
        struct err e = {0};
        file("task.yaml", wrong[i]);
        assert_int_equal(task_load(path, &t, &e), CROFT_E_FORMAT);
        assert_non_null(strstr(e.msg, i < 2 ? "choices" : "labels"));
    }
}

static void survives_any_failed_allocation(void **state)
{
    struct task *t = task_of("name: t\nkind: classify\ndata:\n  test: d.csv\n"
                             "  columns: {input: \"{{q}}!\", choices: [c, d], label: y}\n");
    file("d.csv", "q,c,d,y\nx,one,two,two\n\"y\nz\",yes,no,no\n");
    int rc = -1;
    for (long nth = 1; rc != 0 && nth < 2000; nth++) {
        struct task_examples x;
        struct err e = {0};
        mem_fail_nth(nth);
        rc = task_split_load(t, TASK_TEST, &x, &e);
        mem_fail_nth(0);
        if (rc == 0) task_examples_done(&x);
        else if (rc != CROFT_E_NOMEM) fail_msg("%s", e.msg);
    }
    assert_int_equal(rc, 0);
    task_free(t);
}

static int make_dir(void **state)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"task.yaml", "d.csv", "d.jsonl"};
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
        cmocka_unit_test(csv_columns_are_renamed),
        cmocka_unit_test(jsonl_keys_are_renamed),
        cmocka_unit_test(a_csv_output_is_text_or_json_as_the_kind_says),
        cmocka_unit_test(templates_make_text_of_several_columns),
        cmocka_unit_test(examples_may_bring_their_choices),
        cmocka_unit_test(wrong_rows_are_refused),
        cmocka_unit_test(columns_are_checked_with_the_task),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
