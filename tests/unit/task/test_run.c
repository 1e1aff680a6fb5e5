/* Classification against brute force: the best-first search must find the label that scoring every label
 * token by token, from a fresh session, finds; and its log-probability. Uses the demo model, which is part of
 * the repository. */
#include "infer_generate.h"
#include "base_mem.h"
#include "infer_sample.h"
#include "task_eval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#define MODEL "models/helpdesk-q8_0.gguf"

static struct infer_engine *engine;
static struct tok *tok;

/* Labels in which one is the beginning of another, and some that share first tokens. */
static struct task_label labels[] = {{"order_status", NULL}, {"order_status_later", NULL}, {"order", NULL},
                                     {"return_item", NULL},  {"refund_status", NULL},      {"out_of_scope", NULL}};
static struct task task = {.name = "test", .kind = TASK_CLASSIFY, .system = "Classify the message.", .labels = labels,
                           .n_labels = 6};
static const char *const inputs[] = {"Where is my parcel? It should have come yesterday.",
                                     "I want to send these trousers back.", "When do I get my money back?",
                                     "What is the capital of France?", "order status later"};

static int need_model(void **state)
{
    struct err e = {0};
    if (access(MODEL, R_OK)) {
        print_message("SKIP: %s is not there\n", MODEL);
        return 0;
    }
    if (infer_engine_open(MODEL, NULL, &engine, &e)) fail_msg("%s", e.msg);
    return tok_new(infer_engine_gguf(engine), &tok, &e);
}

static int close_model(void **state)
{
    tok_free(tok);
    infer_engine_close(engine);
    return 0;
}

/* ln P(label, end | prompt text), from scratch. */
static double brute_force(const char *prompt, const char *label)
{
    struct err e = {0};
    struct infer_session *s = NULL;
    int32_t *ids, *rest;
    size_t n, m;
    double sum = 0;
    uint32_t n_vocab = infer_engine_model(engine)->n_vocab;
    assert_int_equal(infer_session_new(engine, NULL, &s, &e), 0);
    assert_int_equal(
        tok_encode(tok, prompt, strlen(prompt), TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL, 4096, &ids, &n, &e), 0);
    assert_int_equal(tok_encode(tok, label, strlen(label), 0, 64, &rest, &m, &e), 0);
    assert_int_equal(infer_session_eval(s, ids, n, INFER_LOGITS_LAST, &e), 0);
    for (size_t i = 0; i < m; i++) {
        sum += infer_logprob(infer_engine_ops(engine), infer_session_logits(s, 0), n_vocab, rest[i]);
        assert_int_equal(infer_session_eval(s, &rest[i], 1, INFER_LOGITS_LAST, &e), 0);
    }
    sum += infer_logprob(infer_engine_ops(engine), infer_session_logits(s, 0), n_vocab, tok_eos(tok));
    mem_free(ids);
    mem_free(rest);
    infer_session_free(s);
    return sum;
}

static void best_first_equals_brute_force(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    if (task_runner_new(engine, &task, 512, &r, &e)) fail_msg("%s", e.msg);
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++) {
        struct task_answer a;
        char prompt[512];
        if (task_runner_answer(r, inputs[k], &a, NULL, &e)) fail_msg("%s", e.msg);
        snprintf(prompt, sizeof prompt,
                 "<|im_start|>system\nClassify the message.<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n"
                 "<|im_start|>assistant\n", inputs[k]);
        int best = 0;
        double score[6];
        for (int i = 0; i < 6; i++) {
            score[i] = brute_force(prompt, labels[i].name);
            if (score[i] > score[best]) best = i;
        }
        assert_int_equal(a.label, best);
        if (!(fabs(a.logprob - score[best]) < 5e-3)) fail_msg("%f is not %f", a.logprob, score[best]);
    }
    task_runner_free(r);
}

static void shared_prefixes_are_not_evaluated_again(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    struct task_answer first, again;
    assert_int_equal(task_runner_new(engine, &task, 512, &r, &e), 0);
    assert_int_equal(task_runner_answer(r, inputs[0], &first, NULL, &e), 0);
    assert_int_equal(task_runner_answer(r, inputs[0], &again, NULL, &e), 0);
    assert_int_equal(again.label, first.label);
    assert_true(again.n_evaluated < first.n_evaluated - first.n_prompt + 4);
    task_runner_free(r);
}

static void bad_inputs_are_errors(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    struct task_answer a;
    static char long_text[20000];
    memset(long_text, 'x', sizeof long_text - 1);
    assert_int_equal(task_runner_new(engine, &task, 256, &r, &e), 0);
    assert_int_equal(task_runner_answer(r, long_text, &a, NULL, &e), CROFT_E_NO_ROOM);
    assert_int_equal(task_runner_answer(r, "bad \xff bytes", &a, NULL, &e), CROFT_E_FORMAT);
    assert_int_equal(task_runner_answer(r, inputs[0], &a, NULL, &e), 0); /* and it goes on working */
    task_runner_free(r);
}

static void an_evaluation_counts_right(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    struct task_answer a[2];
    assert_int_equal(task_runner_new(engine, &task, 512, &r, &e), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(task_runner_answer(r, inputs[i], &a[i], NULL, &e), 0);
    /* one example with the model's own answer, one with another: half is right by construction */
    struct task_example x[2] = {{inputs[0], labels[a[0].label].name, NULL},
                                {inputs[1], labels[(a[1].label + 1) % 6].name, NULL}};
    struct task_examples set = {x, 2, {0}};
    struct task_report report;
    assert_int_equal(task_eval(r, &task, &set, NULL, NULL, &report, &e), 0);
    assert_int_equal(report.n_right, 1);
    assert_true(report.accuracy == 0.5 && report.p99_ms >= report.p50_ms && report.p50_ms > 0);
    task_report_done(&report);
    x[1].label = "no_such_label";
    assert_int_equal(task_eval(r, &task, &set, NULL, NULL, &report, &e), CROFT_E_FORMAT);
    task_runner_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_first_equals_brute_force),
        cmocka_unit_test(shared_prefixes_are_not_evaluated_again),
        cmocka_unit_test(bad_inputs_are_errors),
        cmocka_unit_test(an_evaluation_counts_right),
    };
    return cmocka_run_group_tests(tests, need_model, close_model);
}
