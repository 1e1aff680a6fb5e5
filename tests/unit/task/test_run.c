/* Classification against brute force: one pass over the labels' tree must give the distribution that scoring every
 * label token by token, from a fresh session, gives. Uses the demo model, which is part of the repository. */
#include "infer_generate.h"
#include "base_mem.h"
#include "model_tok.h"
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

/* Label i's tokens, with the end token where it is the beginning of another. */
static size_t label_tokens(int i, int32_t out[64])
{
    struct err e = {0};
    int32_t *ids, *other;
    size_t n, m;
    bool begins = false;
    assert_int_equal(tok_encode(tok, labels[i].name, strlen(labels[i].name), 0, 60, &ids, &n, &e), 0);
    memcpy(out, ids, n * sizeof *out);
    for (int k = 0; k < 6; k++) {
        if (k == i) continue;
        assert_int_equal(tok_encode(tok, labels[k].name, strlen(labels[k].name), 0, 60, &other, &m, &e), 0);
        begins = begins || (m > n && memcmp(other, ids, n * sizeof *ids) == 0);
        mem_free(other);
    }
    mem_free(ids);
    if (begins) out[n++] = tok_eos(tok);
    return n;
}

/* ln P(label | prompt text), from scratch, a token at a time: at each, the softmax over the tokens with which any of
 * the labels goes on. */
static double brute_force(const char *prompt, int label)
{
    struct err e = {0};
    struct infer_session *s = NULL;
    int32_t *ids, own[64], other[64];
    size_t n, m = label_tokens(label, own);
    double sum = 0;
    assert_int_equal(infer_session_new(engine, NULL, &s, &e), 0);
    assert_int_equal(
        tok_encode(tok, prompt, strlen(prompt), TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL, 4096, &ids, &n, &e), 0);
    assert_int_equal(infer_session_eval(s, ids, n, INFER_LOGITS_LAST, &e), 0);
    for (size_t d = 0; d < m; d++) {
        const float *logits = infer_session_logits(s, 0);
        int32_t seen[6], n_seen = 0;
        double all = 0;
        for (int k = 0; k < 6; k++) {
            if (label_tokens(k, other) <= d || memcmp(other, own, d * sizeof *own)) continue;
            bool known = false;
            for (int i = 0; i < n_seen; i++) known = known || seen[i] == other[d];
            if (known) continue;
            seen[n_seen++] = other[d];
            all += exp(logits[other[d]] - logits[own[d]]);
        }
        sum -= log(all);
        assert_int_equal(infer_session_eval(s, &own[d], 1, INFER_LOGITS_LAST, &e), 0);
    }
    mem_free(ids);
    infer_session_free(s);
    return sum;
}

static void one_pass_equals_brute_force(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    if (task_runner_new(engine, &task, NULL, 512, &r, &e)) fail_msg("%s", e.msg);
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++) {
        struct task_answer a;
        char prompt[512];
        if (task_runner_answer(r, inputs[k], &a, NULL, &e)) fail_msg("%s", e.msg);
        snprintf(prompt, sizeof prompt,
                 "<|im_start|>system\nClassify the message.<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n"
                 "<|im_start|>assistant\n", inputs[k]);
        double sum = 0;
        for (int i = 0; i < 6; i++) {
            double want = exp(brute_force(prompt, i));
            if (!(fabs(a.probability[i] - want) < 5e-3))
                fail_msg("%s: %f is not %f", labels[i].name, a.probability[i], want);
            assert_true(a.probability[i] <= a.probability[a.label]);
            sum += a.probability[i];
        }
        assert_true(fabs(sum - 1) < 1e-9);
    }
    task_runner_free(r);
}

static void shared_prefixes_are_not_evaluated_again(void **state)
{
    if (!engine) skip();
    struct err e = {0};
    struct task_runner *r = NULL;
    struct task_answer first, again;
    assert_int_equal(task_runner_new(engine, &task, NULL, 512, &r, &e), 0);
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
    assert_int_equal(task_runner_new(engine, &task, NULL, 256, &r, &e), 0);
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
    assert_int_equal(task_runner_new(engine, &task, NULL, 512, &r, &e), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(task_runner_answer(r, inputs[i], &a[i], NULL, &e), 0);
    /* one example with the model's own answer, one with another: half is right by construction */
    struct task_example x[2] = {{.input = inputs[0], .label = labels[a[0].label].name},
                                {.input = inputs[1], .label = labels[(a[1].label + 1) % 6].name}};
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
        cmocka_unit_test(one_pass_equals_brute_force),
        cmocka_unit_test(shared_prefixes_are_not_evaluated_again),
        cmocka_unit_test(bad_inputs_are_errors),
        cmocka_unit_test(an_evaluation_counts_right),
    };
    return cmocka_run_group_tests(tests, need_model, close_model);
}
