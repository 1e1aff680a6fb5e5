/* Reports: what is written comes back; every allocation may fail; a damaged report is an error, never a crash. The
 * evaluation is made by hand, so no model is needed. */
#include "base_mem.h"
#include "plat_file.h"
#include "task_report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { N = 30, K = 3 };

static char path[] = "/tmp/croft-report-XXXXXX";
static struct task_label labels[K] = {{"a", NULL}, {"b & <b>", NULL}, {"c", NULL}};
static struct task task = {.name = "t", .kind = TASK_CLASSIFY, .labels = labels, .n_labels = K, .floor = 0.5};
static const char *names[K] = {"a", "b & <b>", "c"};
static struct task_outcome outcome[N], worse[N];
static struct task_record record[N];
static struct task_evaluation v = {.kind = TASK_ANSWERS_CHOICE,
                                   .n = N,
                                   .outcome = outcome,
                                   .record = record,
                                   .class_name = names,
                                   .n_classes = K,
                                   .confidence = "probability",
                                   .seconds = 2,
                                   .joules = NAN};
static struct task_evaluation w;

static int make(void **state)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    for (int i = 0; i < N; i++) {
        uint32_t truth = (uint32_t)i % K, answer = i % 5 ? truth : (truth + 1) % K;
        double p = 0.5 + 0.015 * i, other = answer == truth ? p : 1 - p;
        outcome[i] = (struct task_outcome){answer == truth, p, other, (1 - other) * (1 - other), truth, answer, {0}};
        worse[i] = outcome[i];
        if (i % 4 == 0) worse[i].answer = (truth + 2) % K, worse[i].right = false;
        memset(record[i].input_sha256, 'a' + i % 6, 64);
        record[i].ms = i;
        record[i].line = i + 1;
    }
    w = v;
    w.outcome = worse;
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    close(fd);
    return plat_file_write(path, "weights", 7);
}

static int unmake(void **state) { return unlink(path); }

static struct task_report report_of(struct task_evaluation *of)
{
    return (struct task_report){
        .task = &task, .model = "m <i>", .model_path = path, .data = "d", .v = of, .n_draws = 20, .seed = 1};
}

static void store(const json_t *o, const char *file) { assert_int_equal(json_dump_file(o, file, JSON_INDENT(1)), 0); }

static void what_is_written_comes_back(void **state)
{
    struct err e = {0};
    struct task_report r = report_of(&w);
    struct task_evaluation back = {0};
    struct task_against a;
    char file[] = "/tmp/croft-stored-XXXXXX", *model = NULL;
    close(mkstemp(file));
    assert_int_equal(task_report_init(&r, &e), 0);
    json_t *o = task_report_json(&r, NULL, NULL);
    store(o, file);
    json_decref(o);
    assert_true(task_report_is(file));
    assert_int_equal(task_report_read(file, &v, &back, &model, &e), 0);
    assert_string_equal(model, "m <i>");
    assert_int_equal(back.n, N);
    for (int i = 0; i < N; i++) {
        const struct task_outcome *x = &back.outcome[i], *y = &worse[i];
        assert_true(x->right == y->right && x->confidence == y->confidence && x->p_truth == y->p_truth);
        assert_true(x->brier == y->brier && x->truth == y->truth && x->answer == y->answer);
    }
    task_report_done(&r);
    r = report_of(&v);
    assert_int_equal(task_report_init(&r, &e), 0);
    assert_int_equal(task_report_against(&r, &back, model, &a, &e), 0);
    size_t only = 0;
    for (int i = 0; i < N; i++) only += outcome[i].right && !worse[i].right;
    assert_int_equal(a.c.only_first, only);
    assert_int_equal(a.c.only_second, 0);
    assert_true(fabs(a.c.difference - (double)only / N) < 1e-12 && a.c.lo > 0);

    struct task_gate g = {.floor = 0.5, .max_regression = 0};
    assert_int_equal(task_gate(&g, &r, &a, &e), 0);
    g.floor = 0.8; /* 24 of 30 are right: kept by the value, not by its interval */
    assert_int_equal(task_gate(&g, &r, &a, &e), 0);
    g.by_bound = true;
    assert_int_equal(task_gate(&g, &r, &a, &e), CROFT_E_BELOW_FLOOR);
    g = (struct task_gate){.max_regression = 0.1};
    a.c.difference = -0.11;
    assert_int_equal(task_gate(&g, &r, &a, &e), CROFT_E_BELOW_FLOOR);
    g.max_regression = NAN;
    assert_int_equal(task_gate(&g, &r, &a, &e), 0);
    back.record[3].input_sha256[0] = '0';
    assert_int_equal(task_report_against(&r, &back, model, &a, &e), CROFT_E_FORMAT);
    task_evaluation_done(&back);
    task_report_done(&r);
    mem_free(model);
    unlink(file);
}

/* From nothing to the page; 0 or NOMEM. The JSON reader of a library may do without an allocation that failed. */
static int all_of_it(const char *file, size_t *out_len)
{
    struct err e = {0};
    struct task_report r = report_of(&v);
    struct task_evaluation back = {0};
    struct task_against a;
    struct task_gate g = {.floor = 0.5, .max_regression = 1};
    struct buf page;
    char *model = NULL;
    json_t *o = NULL;
    int rc = task_report_init(&r, &e);
    if (rc) return rc;
    buf_init(&page, 1 << 20);
    rc = task_report_read(file, &v, &back, &model, &e);
    if (rc == 0) rc = task_report_against(&r, &back, model, &a, &e);
    if (rc == 0 && !(o = task_report_json(&r, &a, &g))) rc = CROFT_E_NOMEM;
    if (rc == 0) rc = task_report_html(o, &page, &e);
    if (rc == 0) assert_non_null(strstr(page.data, "m &lt;i&gt;"));
    if (rc == 0) assert_null(strstr(page.data, "<i>"));
    if (rc == 0) *out_len = page.len;
    json_decref(o);
    buf_done(&page);
    task_evaluation_done(&back);
    task_report_done(&r);
    mem_free(model);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    struct err e = {0};
    struct task_report r = report_of(&w);
    char file[] = "/tmp/croft-stored-XXXXXX";
    size_t want = 0, got;
    int failed = 0;
    close(mkstemp(file));
    assert_int_equal(task_report_init(&r, &e), 0);
    json_t *o = task_report_json(&r, NULL, NULL);
    store(o, file);
    json_decref(o);
    task_report_done(&r);
    long before = (long)mem_count();
    assert_int_equal(all_of_it(file, &want), 0);
    long n = (long)mem_count() - before;
    for (long nth = 1; nth <= n; nth++) {
        mem_fail_nth(nth);
        int rc = all_of_it(file, &got);
        mem_fail_nth(0);
        if (rc && rc != CROFT_E_NOMEM && rc != CROFT_E_FORMAT) fail_msg("allocation %ld: %d", nth, rc);
        if (rc == 0 && got != want) fail_msg("allocation %ld: a page of %zu bytes, not %zu", nth, got, want);
        failed += rc != 0;
    }
    if (failed < 0.9 * (double)n) fail_msg("%d of %ld allocations", failed, n);
    unlink(file);
}

static void damaged_reports_are_errors(void **state)
{
    struct err e = {0};
    struct task_report r = report_of(&w);
    struct task_gate g = {.floor = 0.5, .max_regression = NAN};
    char file[] = "/tmp/croft-stored-XXXXXX";
    uint64_t seed = 1;
    int n_read = 0;
    close(mkstemp(file));
    assert_int_equal(task_report_init(&r, &e), 0);
    json_t *o = task_report_json(&r, NULL, &g);
    char *text = json_dumps(o, 0);
    size_t n = strlen(text);
    json_decref(o);
    for (int round = 0; round < 3000; round++) {
        struct task_evaluation back = {0};
        struct buf page;
        char *model = NULL, *copy = mem_strdup(text);
        for (int k = 0; k <= round % 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            copy[(seed >> 33) % n] = "0-9{}[]\",:eEnt"[(seed >> 20) % 14];
        }
        FILE *f = fopen(file, "w");
        fwrite(copy, 1, n, f);
        fclose(f);
        if (task_report_read(file, &v, &back, &model, &e) == 0) {
            struct task_against a;
            int rc = task_report_against(&r, &back, model, &a, &e);
            assert_true(rc == 0 || rc == CROFT_E_FORMAT);
            n_read++;
        }
        o = json_loads(copy, 0, NULL);
        buf_init(&page, 1 << 20);
        if (o) assert_int_equal(task_report_html(o, &page, &e), 0);
        buf_done(&page);
        json_decref(o);
        task_evaluation_done(&back);
        mem_free(model);
        mem_free(copy);
    }
    assert_true(n_read > 100);
    mem_free(text);
    task_report_done(&r);
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(damaged_reports_are_errors),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
