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
    double p[6]; /* an answer's probabilities are gone with the next one */
    memcpy(p, a[1].probability, sizeof p);
    struct task_evaluation v;
    assert_int_equal(task_eval(r, &task, &set, NULL, NULL, &v, &e), 0);
    assert_true(v.outcome[0].right && !v.outcome[1].right && v.n_classes == 6);
    assert_int_equal(v.outcome[1].answer, a[1].label);
    double brier = 0;
    for (int k = 0; k < 6; k++) brier += pow(p[k] - (k == (a[1].label + 1) % 6), 2);
    assert_true(fabs(v.outcome[1].brier - brier) < 1e-6 && v.outcome[1].confidence > v.outcome[1].p_truth);
    assert_true(v.record[0].ms > 0 && v.record[0].n_prompt == a[0].n_prompt);
    assert_string_equal(v.record[1].answer, labels[a[1].label].name);
    task_evaluation_done(&v);
    x[1].label = "no_such_label";
    assert_int_equal(task_eval(r, &task, &set, NULL, NULL, &v, &e), CROFT_E_FORMAT);
    task_runner_free(r);
}

/* Choosing among an input's own texts is classifying by a task that has them as labels. */
static void own_choices_are_labels(void **state)
{
    if (!engine) skip();
    static const char *const choices[] = {"return_item", "order", "refund_status"};
    struct task_label as[] = {{"return_item", NULL}, {"order", NULL}, {"refund_status", NULL}};
    struct task labelled = {.name = "l", .kind = TASK_CLASSIFY, .system = task.system, .labels = as, .n_labels = 3};
    struct task bare = {.name = "b", .kind = TASK_CLASSIFY, .system = task.system};
    struct task_runner *by_label = NULL, *by_choice = NULL;
    struct task_answer want, got;
    struct err e = {0};
    assert_int_equal(task_runner_new(engine, &labelled, NULL, 512, &by_label, &e), 0);
    assert_int_equal(task_runner_new(engine, &bare, NULL, 512, &by_choice, &e), 0);
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++) {
        assert_int_equal(task_runner_answer(by_label, inputs[k], &want, NULL, &e), 0);
        assert_int_equal(task_runner_choose(by_choice, inputs[k], choices, 3, &got, NULL, &e), 0);
        assert_int_equal(got.label, want.label);
        for (int i = 0; i < 3; i++) assert_true(fabs(got.probability[i] - want.probability[i]) < 1e-6);
    }
    assert_int_equal(task_runner_answer(by_choice, inputs[0], &got, NULL, &e), CROFT_E_UNSUPPORTED);
    task_runner_free(by_label);
    task_runner_free(by_choice);
}

/* As task_expect_met has them: the answer contains a word, and is no JSON. */
static void expectations_are_checked(void **state)
{
    if (!engine) skip();
    struct task text = {.name = "t", .kind = TASK_GENERATE, .system = "Classify the message."};
    static const char contains[] = "[{\"type\":\"contains\",\"value\":\"return\"}]";
    struct task_example x[] = {{.input = inputs[1], .expect = contains},
                               {.input = inputs[1], .expect = "[{\"type\":\"is-json\"}]"},
                               {.input = inputs[1], .output = "\"return_item\""},
                               {.input = inputs[1], .output = "\"refund_status\""}};
    struct task_examples set = {x, 4, {0}};
    struct task_runner *r = NULL;
    struct task_evaluation v;
    struct err e = {0};
    assert_int_equal(task_runner_new(engine, &text, NULL, 512, &r, &e), 0);
    assert_int_equal(task_eval(r, &text, &set, NULL, NULL, &v, &e), 0);
    assert_true(v.outcome[0].right && !v.outcome[1].right && v.outcome[2].right && !v.outcome[3].right);
    assert_true(v.kind == TASK_ANSWERS_TEXT && isnan(v.outcome[0].confidence));
    task_evaluation_done(&v);
    text.metric = TASK_MACRO_F1;
    assert_int_equal(task_eval(r, &text, &set, NULL, NULL, &v, &e), CROFT_E_UNSUPPORTED);
    task_runner_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_pass_equals_brute_force),
        cmocka_unit_test(shared_prefixes_are_not_evaluated_again),
        cmocka_unit_test(bad_inputs_are_errors),
        cmocka_unit_test(an_evaluation_counts_right),
        cmocka_unit_test(own_choices_are_labels),
        cmocka_unit_test(expectations_are_checked),
    };
    return cmocka_run_group_tests(tests, need_model, close_model);
}
