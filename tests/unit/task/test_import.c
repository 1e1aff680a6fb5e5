/* Importing: files of lm-eval and promptfoo become the tasks that tests/golden/import says; what cannot is named. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_import.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/croft-import-XXXXXX";

static const char *file(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
    return path;
}

static json_t *parse_lines(const struct buf *b)
{
    json_t *list = json_array();
    for (const char *p = b->data; p && *p; p = strchr(p, '\n') + 1) {
        json_t *x = json_loadb(p, (size_t)(strchr(p, '\n') - p), 0, NULL);
        assert_non_null(x);
        json_array_append_new(list, x);
    }
    return list;
}

static void compare_task(const char *name, const json_t *want, const struct task_imported *t)
{
    struct task *task = NULL;
    struct err e = {0};
    size_t i;
    json_t *label;
    const char *path = file("task.yaml", t->yaml.data);
    if (task_load(path, &task, &e)) fail_msg("%s: %s", name, e.msg);
    assert_string_equal(task->name, json_string_value(json_object_get(want, "name")));
    bool classify = strcmp(json_string_value(json_object_get(want, "kind")), "classify") == 0;
    assert_int_equal(task->kind, classify ? TASK_CLASSIFY : TASK_GENERATE);
    const char *prompt = json_string_value(json_object_get(want, "prompt"));
    if (prompt) assert_string_equal(task->prompt, prompt);
    else assert_null(task->prompt);
    assert_int_equal(task->n_labels, json_array_size(json_object_get(want, "labels")));
    json_array_foreach(json_object_get(want, "labels"), i, label)
        assert_string_equal(task->labels[i].name, json_string_value(label));
    task_free(task);
}

static void compare(const char *name)
{
    static const char *const splits[] = {"train", "validation", "test"};
    struct task_imported t;
    struct err e = {0};
    char path[128];
    snprintf(path, sizeof path, "tests/golden/import/%s/want.json", name);
    json_t *want = json_load_file(path, 0, NULL);
    assert_non_null(want);
    snprintf(path, sizeof path, "tests/golden/import/%s/task.yaml", name);
    if (task_import(path, &t, &e)) fail_msg("%s: %s", name, e.msg);
    compare_task(name, want, &t);
    for (int s = 0; s < 3; s++) {
        json_t *got = parse_lines(&t.data[s]), *list = json_object_get(want, splits[s]);
        assert_int_equal(t.n[s], json_array_size(list));
        if (list && !json_equal(got, list))
            fail_msg("%s, %s: %s", name, splits[s], json_dumps(got, JSON_INDENT(1)));
        json_decref(got);
    }
    task_imported_done(&t);
    json_decref(want);
}

static void goldens(void **state)
{
    static const char *const names[] = {"sciq", "letters", "blocks", "promptfoo", "promptfoo_equals"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) compare(names[i]);
}

static void refused(const char *yaml, const char *says)
{
    struct task_imported t;
    struct err e = {0};
    int rc = task_import(file("task.yaml", yaml), &t, &e);
    assert_true(rc == CROFT_E_UNSUPPORTED || rc == CROFT_E_FORMAT || rc == CROFT_E_NOT_FOUND);
    if (!strstr(e.msg, says)) fail_msg("'%s' does not say '%s'", e.msg, says);
}

#define LM(rest)                                                                                                     \
    "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n"             \
    "output_type: multiple_choice\n" rest
#define Y "doc_to_target: y\ndoc_to_choice: [a, b]\n"
#define PARTS "doc_to_text: '{{q}}?'\ndoc_to_target: y\ndoc_to_choice: [no, yes]\n"

static void what_lm_eval_has_and_croft_has_not_is_named(void **state)
{
    file("rows.jsonl", "{\"q\": \"x\", \"y\": 1, \"many\": [0, 1], \"bad\": 7, \"n\": 5}\n");
    struct task_imported t;
    struct err e = {0};
    if (task_import(file("task.yaml", LM(PARTS)), &t, &e)) fail_msg("%s", e.msg); /* what follows is the cause */
    task_imported_done(&t);
    refused(LM(PARTS "process_docs: !function utils.process\n"), "'!function'");
    refused(LM("doc_to_text: !function utils.text\n" Y), "'!function'");
    refused(LM(PARTS "include: base.yaml\n"), "'include'");
    refused(LM(PARTS "num_fewshot: 5\n"), "num_fewshot");
    refused(LM(PARTS "filter_list: []\n"), "'filter_list'");
    refused(LM(PARTS "use_prompt: promptsource:*\n"), "'use_prompt'");
    refused(LM(PARTS "target_delimiter: ' -> '\n"), "target_delimiter");
    refused(LM(PARTS "metric_list: [{metric: mcc}]\n"), "'mcc'");
    refused(LM(PARTS "dataset_name: part\n"), "dataset_name");
    refused(LM("doc_to_text: '{{nothing}}'\n" Y), "'nothing'");
    refused(LM("doc_to_text: '{{q}} {{nothing}}'\n" Y), "'nothing' is undefined");
    refused(LM("doc_to_text: '{{q}}'\ndoc_to_target: many\ndoc_to_choice: [a, b]\n"), "neither text nor a number");
    refused(LM("doc_to_text: q\ndoc_to_target: '{{many}}'\ndoc_to_choice: [a, b]\n"), "several choices are right");
    refused(LM("doc_to_text: '{{q}}'\ndoc_to_target: bad\ndoc_to_choice: [a, b]\n"), "none of the choices");
    refused(LM("doc_to_text: '{{n}}{{n}}'\n" Y), "doc_to_text is a number");
    refused(LM("doc_to_text: '{{q}}'\ndoc_to_target: y\ndoc_to_choice: [a, a]\n"), "are the same");
    refused(LM("doc_to_text: q\ndoc_to_target: y\ndoc_to_choice: 'a {{q}} {{y}}'\n"), "more than one {{ expression");
    refused(LM("doc_to_text: '{{q|shuffle}}'\n" Y), "shuffle");
    refused(LM("doc_to_text: '{{q}}'\ndoc_to_choice: [a, b]\n"), "no doc_to_target");
    refused("task: t\noutput_type: generate_until\ndoc_to_text: x\n", "generate_until");
    refused("task: t\ndataset_path: super_glue\noutput_type: multiple_choice\ndoc_to_text: x\n", "'super_glue'");
    refused("task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: none.jsonl}}\ntest_split: test\n"
            "output_type: multiple_choice\n" PARTS, "none.jsonl");
    refused("task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: other\n"
            "output_type: multiple_choice\n" PARTS, "'other'");
}

#define PF(tests) "prompts: ['Say {{x}}']\ntests:\n" tests

static void what_promptfoo_has_and_croft_has_not_is_named(void **state)
{
    refused(PF("  - vars: {x: a}\n    assert: [{type: llm-rubric, value: polite}]\n"), "'llm-rubric'");
    refused(PF("  - vars: {x: a}\n    assert: [{type: javascript, value: 'output.length'}]\n"), "'javascript'");
    refused(PF("  - vars: {x: a}\n    assert: [{type: is-json, value: {type: object}}]\n"), "takes no value");
    refused(PF("  - vars: {x: a}\n    assert: [{type: contains, value: a, weight: 2}]\n"), "'weight'");
    refused(PF("  - vars: {x: a}\n    assert: [{type: contains, value: a, transform: x}]\n"), "'transform'");
    refused(PF("  - vars: {x: [a, b]}\n    assert: [{type: contains, value: a}]\n"), "'x' is a list");
    refused(PF("  - vars: {x: 'file://a.txt'}\n    assert: [{type: contains, value: a}]\n"), "'x' is a file");
    refused(PF("  - vars: {y: a}\n    assert: [{type: contains, value: a}]\n"), "'x' is no text");
    refused(PF("  - vars: {x: a}\n    assert: [{type: contains, value: '{{y}}'}]\n"), "'y' is undefined");
    refused(PF("  - vars: {x: a}\n"), "test 1 checks nothing");
    refused(PF("  - vars: {x: a}\n    threshold: 0.5\n    assert: [{type: contains, value: a}]\n"), "'threshold'");
    refused("prompts: [a, b]\ntests: []\n", "2 prompts");
    refused("prompts: ['file://p.py']\ntests: []\n", "only .txt");
    refused("prompts: ['[{\"role\": \"user\", \"content\": \"{{x}}\"}]']\ntests: []\n", "chat messages");
    refused("prompts: [a]\ntests: file://t.csv\n", "in another file");
    refused("prompts: [a]\ntests: []\nscenarios: []\n", "'scenarios'");
    refused("name: x\nkind: classify\n", "neither a task of lm-eval");
    refused("[1]\n", "must hold names");
}

static void survives_any_failed_allocation(void **state)
{
    static const char *const files[] = {"tests/golden/import/sciq/task.yaml", "tests/golden/import/letters/task.yaml",
                                        "tests/golden/import/promptfoo/task.yaml"};
    for (int i = 0; i < 3; i++) {
        int rc = -1;
        for (long nth = 1; rc != 0 && nth < 20000; nth++) {
            struct task_imported t;
            struct err e = {0};
            mem_fail_nth(nth);
            rc = task_import(files[i], &t, &e);
            mem_fail_nth(0);
            if (rc == 0) task_imported_done(&t);
            else if (rc != CROFT_E_NOMEM) fail_msg("%s: %ld: %s", files[i], nth, e.msg);
        }
        assert_int_equal(rc, 0);
    }
}

static int make_dir(void **state) { return mkdtemp(dir) ? 0 : -1; }

static int remove_dir(void **state)
{
    unlink(file("rows.jsonl", ""));
    unlink(file("task.yaml", ""));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),
        cmocka_unit_test(what_lm_eval_has_and_croft_has_not_is_named),
        cmocka_unit_test(what_promptfoo_has_and_croft_has_not_is_named),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
