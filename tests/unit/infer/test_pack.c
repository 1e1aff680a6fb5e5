/* Packed weights: an evaluation gives the same bits before the weights are packed, while they are, after, and when
 * there is no memory to pack them in. */
#include "golden.h"
#include "kern_ops.h"

enum { PROMPT = 21 };

/* Logits after a prompt and after one more token. */
static void evaluate(struct infer_session *s, float *out)
{
    struct err e = {0};
    size_t n_vocab = infer_engine_model(infer_session_engine(s))->n_vocab;
    int32_t t[PROMPT + 1];
    for (int i = 0; i <= PROMPT; i++) t[i] = (i * 37 + 5) % (int)n_vocab;
    assert_ok(infer_session_truncate(s, 0, &e), e);
    assert_ok(infer_session_eval(s, t, PROMPT, INFER_LOGITS_LAST, &e), e);
    memcpy(out, infer_session_logits(s, 0), n_vocab * sizeof *out);
    assert_ok(infer_session_eval(s, t + PROMPT, 1, INFER_LOGITS_LAST, &e), e);
    memcpy(out + n_vocab, infer_session_logits(s, 0), n_vocab * sizeof *out);
}

static void check_model(const char *path, const char *level)
{
    struct infer_engine *g = golden_engine(path, 2, level);
    struct infer_session *s = golden_session(g, 64, 0, 1, INFER_KV_F32);
    size_t bytes = 2 * infer_engine_model(g)->n_vocab * sizeof(float);
    float *before = mem_alloc(bytes), *now = mem_alloc(bytes);
    evaluate(s, before);
    for (int i = 0; i < 2; i++) {
        evaluate(s, now);
        assert_memory_equal(before, now, bytes);
    }
    infer_engine_warm(g);
    infer_engine_warm(g); /* nothing left to do */
    evaluate(s, now);
    assert_memory_equal(before, now, bytes);
    mem_free(before);
    mem_free(now);
    infer_session_free(s);
    infer_engine_close(g);
}

static void every_level(const char *model, const char *ref, void *arg)
{
    for (const char *const *l = kern_levels(); *l; l++) {
        const struct kern_ops *k = kern_level_get(*l);
        if (k && k->gemm_packed[KERN_Q8_0]) check_model(model, *l);
    }
}

static void same_bits(void **state)
{
    every_level("models/helpdesk-q8_0.gguf", NULL, NULL);
    if (!golden_each(SHARED_DIR, ".exact", every_level, NULL))
        print_message("SKIP: no %s: only the help-desk model was packed\n", SHARED_DIR);
}

static void closed_meanwhile(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct err e = {0};
        struct infer_engine *g = golden_engine("models/helpdesk-q8_0.gguf", 2, NULL);
        struct infer_session *s = golden_session(g, 64, 0, 1, INFER_KV_F32);
        assert_ok(infer_session_eval(s, (int32_t[]){1}, 1, INFER_LOGITS_LAST, &e), e);
        infer_session_free(s);
        infer_engine_close(g);
    }
}

static void no_memory(void **state)
{
    struct infer_engine *g = golden_engine("models/helpdesk-q8_0.gguf", 2, NULL);
    struct infer_session *s = golden_session(g, 64, 0, 1, INFER_KV_F32);
    size_t bytes = 2 * infer_engine_model(g)->n_vocab * sizeof(float);
    float *first = mem_alloc(bytes), *then = mem_alloc(bytes);
    mem_fail_nth(1);
    evaluate(s, first);
    mem_fail_nth(0);
    infer_engine_warm(g);
    evaluate(s, then);
    assert_memory_equal(first, then, bytes);
    mem_free(first);
    mem_free(then);
    infer_session_free(s);
    infer_engine_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(closed_meanwhile),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
