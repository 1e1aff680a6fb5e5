/* Logits and hidden states against the reference, at every kernel level of this machine; the greedy
 * continuation of a real model; and that all levels continue alike. */
#include "golden.h"
#include "kern_ops.h"

enum { GREEDY = 32 };

/* The reference's context: the long or short rotary factors depend on it. */
static uint32_t context(const struct infer_engine *g, uint32_t n)
{
    const struct model *m = infer_engine_model(g);
    return m->pos_embd.data ? m->n_ctx_train : n > 512 ? n : 512;
}

static double distance(const char *model, const struct golden *ref, const char *level, bool embd,
                       size_t *same)
{
    struct err e = {0};
    struct infer_engine *g = golden_engine(model, 2, level);
    struct infer_session *s = golden_session(g, context(g, ref->n), 0, ref->n, INFER_KV_F32);
    float *hidden = mem_calloc((size_t)ref->n * ref->dim, sizeof *hidden);
    const float *values = hidden;
    if (embd) {
        assert_ok(infer_session_embed(s, ref->tokens, ref->n, MODEL_POOL_NONE, false, hidden, &e), e);
    } else {
        assert_ok(infer_session_eval(s, ref->tokens, ref->n, INFER_LOGITS_ALL, &e), e);
        values = infer_session_logits(s, 0);
    }
    double rms = golden_rms(values, ref->values, (size_t)ref->n * ref->dim);
    *same = 0;
    for (int32_t i = 0; i < ref->n; i++)
        *same += golden_argmax(values + i * ref->dim, ref->dim) ==
                 golden_argmax(ref->values + i * ref->dim, ref->dim);
    mem_free(hidden);
    infer_session_free(s);
    infer_engine_close(g);
    return rms;
}

static void exact_model(const char *model, const char *path, void *arg)
{
    struct golden ref;
    assert_true(golden_open(&ref, path));
    for (const char *const *level = kern_levels(); *level; level++) {
        size_t same;
        if (!kern_level_get(*level)) continue;
        double rms = distance(model, &ref, *level, str_ends(path, ".embd"), &same);
        if (!(rms <= 1e-4) || same != (size_t)ref.n)
            fail_msg("%s at %s: relative RMS %.2e, argmax %zu of %d", model, *level, rms, same, ref.n);
    }
    plat_map_close(&ref.map);
}

static void golden_models(void **state)
{
    int n = golden_each(GOLDEN_DIR, ".logits", exact_model, NULL) +
            golden_each(GOLDEN_DIR, ".embd", exact_model, NULL);
    assert_int_equal(n, 13);
}

/* Of the shared fixtures the F32 models: quantised ones have a truth of their own (.exact). */
static void shared_f32(const char *model, const char *path, void *arg)
{
    if (!strstr(model, "dense-")) exact_model(model, path, arg);
}

static void shared_models(void **state)
{
    if (golden_each(SHARED_DIR, ".logits", shared_f32, NULL) +
            golden_each(SHARED_DIR, ".embd", shared_f32, NULL) ==
        0) {
        print_message("SKIP: " SHARED_DIR "\n");
        skip();
    }
}

static void quantised_model(const char *model, const char *path, void *arg)
{
    struct golden ref;
    double limit = strstr(model, "BF16") ? 2e-3 : strstr(model, "Q8_0") ? 8e-3 : 1.2e-2;
    assert_true(golden_open(&ref, path));
    for (const char *const *level = kern_levels(); *level; level++) {
        size_t same;
        if (!kern_level_get(*level)) continue;
        double rms = distance(model, &ref, *level, false, &same);
        if (!(rms <= limit)) fail_msg("%s at %s: relative RMS %.2e, limit %.1e", model, *level, rms, limit);
    }
    plat_map_close(&ref.map);
}

static void shared_quantised(void **state)
{
    if (golden_each(SHARED_DIR, ".exact", quantised_model, NULL) == 0) {
        print_message("SKIP: " SHARED_DIR "/*.exact\n");
        skip();
    }
}

static void greedy(const char *model, const char *level, const int32_t *prompt, size_t n, int32_t out[GREEDY])
{
    struct err e = {0};
    struct infer_engine *g = golden_engine(model, 2, level);
    struct infer_session *s = golden_session(g, context(g, n + GREEDY), 0, 1, INFER_KV_DEFAULT);
    assert_ok(infer_session_eval(s, prompt, n, INFER_LOGITS_LAST, &e), e);
    for (int i = 0; i < GREEDY; i++) {
        out[i] = (int32_t)golden_argmax(infer_session_logits(s, 0), infer_engine_model(g)->n_vocab);
        assert_ok(infer_session_eval(s, out + i, 1, INFER_LOGITS_LAST, &e), e);
    }
    infer_session_free(s);
    infer_engine_close(g);
}

static void same_greedy(const char *model, const char *path, void *arg)
{
    struct golden ref;
    int32_t first[GREEDY], tokens[GREEDY];
    if (strstr(model, "dense-")) return;
    assert_true(golden_open(&ref, path));
    greedy(model, "ref", ref.tokens, 8, first);
    for (const char *const *level = kern_levels(); *level; level++) {
        if (!kern_level_get(*level)) continue;
        greedy(model, *level, ref.tokens, 8, tokens);
        if (memcmp(tokens, first, sizeof first))
            fail_msg("%s: greedy tokens at %s differ from ref", model, *level);
    }
    plat_map_close(&ref.map);
}

static void levels_agree(void **state)
{
    assert_int_equal(golden_each(GOLDEN_DIR, ".logits", same_greedy, NULL), 11);
    golden_each(SHARED_DIR, ".logits", same_greedy, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_models),
        cmocka_unit_test(shared_models),
        cmocka_unit_test(shared_quantised),
        cmocka_unit_test(levels_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
