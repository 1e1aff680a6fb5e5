/* Multiple-choice questions in the forms of MMLU and ARC (their published files, described in docs/EVAL.md), damaged
 * rows, and every allocation refused. Where the data are there, MMLU's own files are read whole. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_data.h"

#include <jansson.h>

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/croft-questions-XXXXXX";

static int load(const char *name, const char *text, enum task_ask ask, bool *is, struct task_examples *x,
                struct err *e)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *is = true;
    if (text) assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
    return task_questions_load(path, ask, is, x, e);
}

/* The first question, asked both ways. */
static void first_is(const char *name, const char *text, size_t n, const char *lettered, const char *letter,
                     const char *stem, const char *answer)
{
    struct task_examples x;
    struct err e = {0};
    bool is;
    if (load(name, text, TASK_ASK_LETTERS, &is, &x, &e)) fail_msg("%s", e.msg);
    assert_true(is);
    assert_int_equal(x.n, n);
    assert_string_equal(x.item[0].input, lettered);
    assert_string_equal(x.item[0].label, letter);
    task_examples_done(&x);
    assert_int_equal(load(name, NULL, TASK_ASK_TEXTS, &is, &x, &e), 0);
    assert_string_equal(x.item[0].input, stem);
    assert_string_equal(x.item[0].label, answer);
    task_examples_done(&x);
}

static void forms(void **state)
{
    const char *asked = "Q, 1?\nA. a\nB. b\nC. c", *stem = "Q, 1?";
    first_is("bare.csv", "\"Q, 1?\",a,b,c,B\nR,x,y,z,C\n", 2, asked, "B", stem, "b");
    first_is("bom.csv", "\xEF\xBB\xBFquestion,A,B,C,answer\n\"Q, 1?\",a,b,c,B\n", 1, asked, "B", stem, "b");
    first_is("zero.csv", "question,choice0,choice1,choice2,answer\n\"Q, 1?\",a,b,c,0\n", 1, asked, "A", stem, "a");
    first_is("opt.csv", "id,question,option_a,option_b,option_c,option_d,label\n7,\"Q, 1?\",a,b,c,,C\n", 1, asked,
             "C", stem, "c");
    first_is("text.csv", "question,choice1,choice2,choice3,answer\n\"Q, 1?\",a,b,c,b\n", 1, asked, "B", stem, "b");
    first_is("mmlu.jsonl",
             "{\"question\":\"Q, 1?\",\"subject\":\"s\",\"choices\":[\"a\",\"b\",\"c\"],\"answer\":2}\n\n", 1, asked,
             "C", stem, "c");
    first_is("arc.jsonl",
             "{\"question\":\"Q, 1?\",\"choices\":{\"text\":[\"a\",\"b\",\"c\"],\"label\":[\"1\",\"2\",\"3\"]},"
             "\"answerKey\":\"1\"}\n",
             1, asked, "A", stem, "a");
    first_is("ai2.jsonl",
             "{\"id\":\"x\",\"question\":{\"stem\":\"Q, 1?\",\"choices\":[{\"text\":\"a\",\"label\":\"A\"},"
             "{\"text\":\"b\",\"label\":\"B\"},{\"text\":\"c\",\"label\":\"C\"}]},\"answerKey\":\"C\"}\n",
             1, asked, "C", stem, "c");
}

static void other_data_are_left_alone(void **state)
{
    static const char *const other[] = {"{\"input\":\"x\",\"label\":\"y\"}\n",
                                        "{\"question\":\"x\",\"answer\":\"y\"}\n",
                                        "{\"question\":\"x\",\"choices\":[\"y\"],\"answer\":0}\n",
                                        "{\"question\":\"x\",\"choices\":[1,2],\"answer\":0}\n"};
    struct task_examples x = {0};
    struct err e = {0};
    bool is;
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_int_equal(load("other.jsonl", other[i], TASK_ASK_LETTERS, &is, &x, &e), 0);
        assert_false(is);
    }
    assert_int_equal(load("other.csv", "text,label\na,b\n", TASK_ASK_LETTERS, &is, &x, &e), 0);
    assert_false(is);
    assert_null(x.item);
}

static void bad(const char *name, const char *text, enum task_ask ask, const char *says)
{
    struct task_examples x;
    struct err e = {0};
    bool is;
    assert_int_equal(load(name, text, ask, &is, &x, &e), CROFT_E_FORMAT);
    if (!strstr(e.msg, says)) fail_msg("%s", e.msg);
}

static void damaged_rows_are_named(void **state)
{
    struct task_examples x;
    struct err e = {0};
    bool is;
    bad("b.csv", "Q,a,b,B\nR,x,y,C\n", TASK_ASK_LETTERS, "Line 2 of");
    bad("b.csv", "Q,a,b,B\nR,x,y\n", TASK_ASK_LETTERS, "Line 2 of");
    bad("h.csv", "question,A,B,answer\nQ,a,b,2\n", TASK_ASK_LETTERS, "none of its choices");
    bad("s.csv", "Q,a,a,B\n", TASK_ASK_TEXTS, "two of its choices are the same");
    bad("q.jsonl", "{\"question\":\"Q\",\"choices\":[\"a\",\"b\"],\"answer\":0}\n{\"input\":\"x\",\"label\":\"y\"}\n",
        TASK_ASK_LETTERS, "Line 2 of");
    bad("q.jsonl", "{\"question\":\"Q\",\"choices\":[\"a\",\"b\"],\"answer\":-1}\n", TASK_ASK_LETTERS, "none of its");
    bad("e.jsonl", "\n", TASK_ASK_LETTERS, "holds no examples");
    assert_int_equal(load("none.csv", NULL, TASK_ASK_LETTERS, &is, &x, &e), CROFT_E_NOT_FOUND);
}

static void every_allocation_may_fail(void **state)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    static const char text[] = "question,A,B,answer\nQ,a,b,B\n\"R\",c,d,A\n";
    static const char bare[] = "Q,a,b,B\nR,c,d,A\n";
    for (int k = 0; k < 2; k++) {
        int rc = CROFT_E_NOMEM, failed = 0;
        for (long nth = 1; rc && nth < 1000; nth++) {
            struct task_examples x;
            struct err e = {0};
            bool is;
            char path[128];
            snprintf(path, sizeof path, "%s/m.csv", folder);
            assert_int_equal(plat_file_write(path, k ? text : bare, strlen(k ? text : bare)), 0);
            mem_fail_nth(nth);
            rc = task_questions_load(path, TASK_ASK_TEXTS, &is, &x, &e);
            mem_fail_nth(0);
            if (rc && rc != CROFT_E_NOMEM) fail_msg("allocation %ld: %s", nth, e.msg);
            failed += rc != 0;
            if (rc == 0) assert_true(is && x.n == 2 && strcmp(x.item[1].label, "c") == 0);
            if (rc == 0) task_examples_done(&x);
        }
        assert_int_equal(rc, 0);
        assert_true(failed > 10);
    }
}

static void mmlu_is_read_whole(void **state)
{
    glob_t g;
    size_t files = 0, questions = 0;
    if (glob("../shared/data/mmlu/*/*.csv", 0, NULL, &g)) {
        print_message("SKIP: ../shared/data/mmlu\n");
        skip();
    }
    for (size_t i = 0; i < g.gl_pathc; i++, files++) {
        struct task_examples x;
        struct err e = {0};
        bool is = false;
        if (task_questions_load(g.gl_pathv[i], TASK_ASK_LETTERS, &is, &x, &e)) fail_msg("%s", e.msg);
        assert_true(is);
        for (size_t k = 0; k < x.n; k++) assert_int_equal(x.item[k].n_choices, 4);
        questions += x.n;
        task_examples_done(&x);
    }
    globfree(&g);
    print_message("%zu questions in %zu files\n", questions, files);
    assert_true(files > 0 && questions > 5 * files - 1);
}

static int make(void **state) { return mkdtemp(folder) ? 0 : -1; }

static int unmake(void **state)
{
    glob_t g;
    char pattern[64];
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, 0, NULL, &g) == 0)
        for (size_t i = 0; i < g.gl_pathc; i++) unlink(g.gl_pathv[i]);
    globfree(&g);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(other_data_are_left_alone),
        cmocka_unit_test(damaged_rows_are_named),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(mmlu_is_read_whole),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
