/* Perplexity and the distance of two models on 64 tokens, against scipy over the logits that llama.cpp computed of the
 * same models (tests/golden/score/text.py). */
#include "golden.h"
#include "task_text.h"

#include <unistd.h>

#define BASE SHARED_DIR "/qwen2-dense.gguf"
#define MODEL SHARED_DIR "/llama-dense.gguf"

static void near_(double got, double want, double tolerance, int line)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("line %d: %.9g is not %.9g", line, got, want);
}
#define NEAR(got, want, tolerance) near_(got, want, tolerance, __LINE__)

static void sum_is(const struct task_sum *s, size_t n, double mean, double error, int line)
{
    near_(task_sum_mean(s, n), mean, 2e-5, line);
    near_(task_sum_error(s, n), error, 2e-5, line);
}

static void distance_is_scipys(void **state)
{
    struct golden g = {0};
    struct err e = {0};
    struct task_text_score t;
    int32_t ids[64];
    if (access(MODEL, R_OK) || !golden_open(&g, SHARED_DIR "/llama-dense.logits")) {
        print_message("SKIP: %s\n", MODEL);
        skip();
    }
    struct infer_engine *model = golden_engine(MODEL, 1, NULL), *base = golden_engine(BASE, 1, NULL);
    struct infer_session *s = golden_session(model, 64, 64, 32, INFER_KV_F32);
    struct infer_session *b = golden_session(base, 64, 64, 32, INFER_KV_F32);
    assert_int_equal(g.n, 64);
    memcpy(ids, g.tokens, sizeof ids);
    assert_ok(task_text_score(s, b, ids, 64, 1, -1, NULL, NULL, &t, &e), e);
    assert_int_equal(t.n_tokens, 31);
    sum_is(&t.nll, 31, 4.941491242, 0.119259115, __LINE__);
    sum_is(&t.base_nll, 31, 5.001642248, 0.116339132, __LINE__);
    sum_is(&t.ratio, 31, -0.060151006, 0.161745075, __LINE__);
    sum_is(&t.kl, 31, 0.423346963, 0.012629346, __LINE__);
    NEAR(sqrt(t.change.squares / 31), 0.010599295, 1e-6);
    assert_int_equal(t.n_same_top, 1);
    double max = 0;
    for (int i = 0; i < 31; i++) max = fmax(max, t.kl_each[i]);
    NEAR(max, 0.537393955, 5e-5);
    task_text_score_done(&t);

    /* a model is no distance from itself, and the base's part is the same when it is alone */
    infer_session_free(b);
    b = golden_session(model, 64, 64, 32, INFER_KV_F32);
    assert_ok(task_text_score(s, b, ids, 64, 1, -1, NULL, NULL, &t, &e), e);
    assert_true(t.kl.sum < 1e-9 && t.n_same_top == 31 && t.ratio.squares < 1e-12);
    task_text_score_done(&t);
    assert_ok(task_text_score(s, NULL, ids, 64, 1, -1, NULL, NULL, &t, &e), e);
    sum_is(&t.nll, 31, 4.941491242, 0.119259115, __LINE__);
    assert_null(t.kl_each);
    task_text_score_done(&t);

    /* the BOS token takes the first place, for the evaluation alone */
    assert_ok(task_text_score(s, NULL, ids, 64, 1, 5, NULL, NULL, &t, &e), e);
    assert_int_equal(ids[0], g.tokens[0]);
    task_text_score_done(&t);

    mem_fail_nth(1);
    assert_int_equal(task_text_score(s, b, ids, 64, 1, -1, NULL, NULL, &t, &e), CROFT_E_NOMEM);
    mem_fail_nth(0);
    infer_session_free(s);
    infer_session_free(b);
    infer_engine_close(model);
    infer_engine_close(base);
    plat_map_close(&g.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distance_is_scipys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
