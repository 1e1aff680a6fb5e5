/* Sessions: however a sequence is cut into evaluations, threads or rewinds, the logits are the same; nothing
 * is allocated while decoding; every failed allocation is survived; what does not fit is refused. */
#include "golden.h"

#include <pthread.h>

enum { N = 40 };
static const char *const models[] = {"llama", "qwen3", "gemma3", "qwen35", "lfm2", "phi3"};
enum { N_MODELS = sizeof models / sizeof models[0] };

static struct infer_engine *open_golden(const char *name, int threads)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, name);
    return golden_engine(path, threads, NULL);
}

static int32_t token(int i) { return (i * 7 + 3) % 40; }

static void sequence(int32_t *out)
{
    for (int i = 0; i < N; i++) out[i] = token(i);
}

/* Logits of all N tokens, evaluated in pieces of `step` (by a session that batches `n_batch` rows). */
static float *logits_of(struct infer_engine *g, uint32_t n_batch, int step, enum infer_kv kv)
{
    struct err e = {0};
    uint32_t n_vocab = infer_engine_model(g)->n_vocab;
    struct infer_session *s = golden_session(g, N, n_batch, N, kv);
    float *all = mem_calloc((size_t)N * n_vocab, sizeof *all);
    int32_t tokens[N];
    sequence(tokens);
    for (int i = 0; i < N; i += step) {
        int n = N - i < step ? N - i : step;
        assert_ok(infer_session_eval(s, tokens + i, n, INFER_LOGITS_ALL, &e), e);
        memcpy(all + (size_t)i * n_vocab, infer_session_logits(s, 0), (size_t)n * n_vocab * sizeof *all);
        assert_null(infer_session_logits(s, n));
    }
    assert_int_equal(infer_session_n_past(s), N);
    assert_memory_equal(infer_session_tokens(s), tokens, sizeof tokens);
    infer_session_free(s);
    return all;
}

static void cuts(void **state)
{
    for (int k = 0; k < N_MODELS; k++) {
        struct infer_engine *g = open_golden(models[k], 2);
        size_t n = (size_t)N * infer_engine_model(g)->n_vocab;
        float *whole = logits_of(g, 0, N, INFER_KV_F32);
        const struct {
            uint32_t batch;
            int step;
        } cut[] = {{0, 1}, {0, 7}, {3, N}, {16, 17}, {1, N}};
        for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
            float *parts = logits_of(g, cut[i].batch, cut[i].step, INFER_KV_F32);
            double rms = golden_rms(parts, whole, n);
            if (!(rms < 1e-5)) fail_msg("%s cut %d/%u: %.2e", models[k], cut[i].step, cut[i].batch, rms);
            mem_free(parts);
        }
        mem_free(whole);
        infer_engine_close(g);
    }
}

static void threads_bit_equal(void **state)
{
    for (int k = 0; k < N_MODELS; k++)
        for (int step = 1; step <= N; step += N - 1) {
            struct infer_engine *one = open_golden(models[k], 1), *many = open_golden(models[k], 3);
            float *a = logits_of(one, 0, step, INFER_KV_F16), *b = logits_of(many, 0, step, INFER_KV_F16);
            assert_memory_equal(a, b, (size_t)N * infer_engine_model(one)->n_vocab * sizeof *a);
            mem_free(a);
            mem_free(b);
            infer_engine_close(one);
            infer_engine_close(many);
        }
}

/* Logits after N_LONG tokens, the last `steps` of them one by one. */
enum { N_LONG = 2300 }; /* several blocks of the cache */
static float *after_long(const char *name, int threads, int steps, size_t *n_vocab)
{
    struct err e = {0};
    struct infer_engine *g = open_golden(name, threads);
    struct infer_session *s = golden_session(g, N_LONG, N_LONG, 1, INFER_KV_F32);
    *n_vocab = infer_engine_model(g)->n_vocab;
    float *logits = mem_calloc(*n_vocab, sizeof *logits);
    int32_t t[N_LONG];
    for (int i = 0; i < N_LONG; i++) t[i] = (i * 2654435761u >> 16) % 40; /* chunks must differ */
    assert_ok(infer_session_eval(s, t, N_LONG - steps, INFER_LOGITS_LAST, &e), e);
    for (int i = N_LONG - steps; i < N_LONG; i++)
        assert_ok(infer_session_eval(s, t + i, 1, INFER_LOGITS_LAST, &e), e);
    memcpy(logits, infer_session_logits(s, 0), *n_vocab * sizeof *logits);
    infer_session_free(s);
    infer_engine_close(g);
    return logits;
}

/* With thousands of positions behind it a token's attention is cut into chunks; that of a prompt evaluated at once is
 * not. */
static void long_context(void **state)
{
    static const char *const long_models[] = {"llama", "gemma3", "phi3"};
    for (size_t k = 0; k < sizeof long_models / sizeof long_models[0]; k++) {
        size_t n;
        const char *name = long_models[k];
        float *whole = after_long(name, 1, 0, &n), *steps = after_long(name, 1, 3, &n),
              *threads = after_long(name, 3, 3, &n);
        double rms = golden_rms(steps, whole, n);
        if (!(rms < 1e-5)) fail_msg("%s: %.2e", name, rms);
        assert_memory_equal(threads, steps, n * sizeof *steps);
        mem_free(whole);
        mem_free(steps);
        mem_free(threads);
    }
}

static void rewind_equal(void **state)
{
    struct err e = {0};
    int32_t t[N], other[3] = {1, 2, 3};
    sequence(t);
    for (int k = 0; k < N_MODELS; k++) {
        struct infer_engine *g = open_golden(models[k], 2);
        struct infer_session *s = golden_session(g, N, 0, 1, INFER_KV_F32);
        size_t bytes = infer_engine_model(g)->n_vocab * sizeof(float);
        struct infer_snapshot *snap = NULL;
        float *first = mem_alloc(bytes);
        assert_ok(infer_session_eval(s, t, 10, INFER_LOGITS_NONE, &e), e);
        assert_ok(infer_session_snapshot(s, &snap, &e), e);
        assert_ok(infer_session_eval(s, t + 10, 9, INFER_LOGITS_LAST, &e), e);
        memcpy(first, infer_session_logits(s, 0), bytes);
        assert_ok(infer_session_restore(s, snap, &e), e);
        assert_int_equal(infer_session_n_past(s), 10);
        assert_null(infer_session_logits(s, 0));
        assert_ok(infer_session_eval(s, other, 3, INFER_LOGITS_LAST, &e), e);
        assert_ok(infer_session_restore(s, snap, &e), e);
        assert_ok(infer_session_eval(s, t + 10, 9, INFER_LOGITS_LAST, &e), e);
        assert_memory_equal(first, infer_session_logits(s, 0), bytes);
        if (infer_session_is_recurrent(s)) {
            assert_int_equal(infer_session_truncate(s, 10, &e), CROFT_E_UNSUPPORTED);
            assert_int_equal(infer_session_n_past(s), 19);
        } else {
            assert_ok(infer_session_truncate(s, 10, &e), e);
            assert_ok(infer_session_eval(s, t + 10, 9, INFER_LOGITS_LAST, &e), e);
            assert_memory_equal(first, infer_session_logits(s, 0), bytes);
        }
        assert_ok(infer_session_truncate(s, 0, &e), e);
        assert_ok(infer_session_eval(s, other, 3, INFER_LOGITS_NONE, &e), e);
        assert_int_equal(infer_session_restore(s, snap, &e), CROFT_E_USAGE); /* other tokens now */
        assert_ok(infer_session_truncate(s, 0, &e), e);
        assert_ok(infer_session_eval(s, t, 10, INFER_LOGITS_NONE, &e), e);
        assert_ok(infer_session_eval(s, t + 10, 9, INFER_LOGITS_LAST, &e), e);
        assert_memory_equal(first, infer_session_logits(s, 0), bytes);
        infer_snapshot_free(snap);
        mem_free(first);
        infer_session_free(s);
        infer_engine_close(g);
    }
}

static void no_allocation(void **state)
{
    struct err e = {0};
    for (int k = 0; k < N_MODELS; k++) {
        struct infer_engine *g = open_golden(models[k], 2);
        struct infer_session *s = golden_session(g, N, 8, 1, INFER_KV_DEFAULT);
        int32_t t[N];
        sequence(t);
        uint64_t before = mem_count();
        assert_ok(infer_session_eval(s, t, 20, INFER_LOGITS_LAST, &e), e);
        for (int i = 20; i < N; i++) assert_ok(infer_session_eval(s, t + i, 1, INFER_LOGITS_LAST, &e), e);
        assert_int_equal(mem_count(), before);
        infer_session_free(s);
        infer_engine_close(g);
    }
}

static void failed_allocations(void **state)
{
    struct err e = {0};
    for (int k = 0; k < N_MODELS; k++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, models[k]);
        for (long nth = 1;; nth++) {
            struct infer_engine *g = NULL;
            struct infer_session *s = NULL;
            struct infer_engine_params p = {.n_threads = 2};
            assert_true(nth < 200);
            mem_fail_nth(nth);
            int rc = infer_engine_open(path, &p, &g, &e);
            if (!rc) rc = infer_session_new(g, NULL, &s, &e);
            mem_fail_nth(0);
            infer_session_free(s);
            infer_engine_close(g);
            if (!rc) break;
            assert_int_equal(rc, CROFT_E_NOMEM);
            assert_null(s);
        }
    }
}

static void refusals(void **state)
{
    struct err e = {0};
    struct infer_engine *g = open_golden("llama", 1);
    struct infer_session *s = golden_session(g, 16, 0, 2, INFER_KV_DEFAULT);
    int32_t t[N], bad = 40, negative = -1;
    sequence(t);
    assert_int_equal(infer_session_eval(s, t, 0, INFER_LOGITS_LAST, &e), CROFT_E_USAGE);
    assert_int_equal(infer_session_eval(s, &bad, 1, INFER_LOGITS_LAST, &e), CROFT_E_USAGE);
    assert_int_equal(infer_session_eval(s, &negative, 1, INFER_LOGITS_LAST, &e), CROFT_E_USAGE);
    assert_int_equal(infer_session_eval(s, t, 3, INFER_LOGITS_ALL, &e), CROFT_E_USAGE);
    assert_ok(infer_session_eval(s, t, 10, INFER_LOGITS_NONE, &e), e);
    assert_int_equal(infer_session_eval(s, t, 9, INFER_LOGITS_LAST, &e), CROFT_E_NO_ROOM);
    assert_non_null(strstr(e.msg, "3 too few"));
    assert_int_equal(infer_session_n_past(s), 10);
    assert_int_equal(infer_session_truncate(s, 11, &e), CROFT_E_USAGE);
    infer_session_cancel(s);
    assert_int_equal(infer_session_eval(s, t, 2, INFER_LOGITS_LAST, &e), CROFT_E_CANCELLED);
    assert_int_equal(infer_session_n_past(s), 10);
    assert_ok(infer_session_eval(s, t, 2, INFER_LOGITS_LAST, &e), e);
    infer_session_free(s);
    infer_engine_close(g);

    g = open_golden("bert-mean", 1); /* 64 positions, heads of 10 elements */
    struct infer_session_params p = {.n_ctx = 65};
    assert_int_equal(infer_session_new(g, &p, &s, &e), CROFT_E_LIMIT);
    s = golden_session(g, 0, 0, 0, INFER_KV_DEFAULT);
    assert_int_equal(infer_session_eval(s, t, 2, INFER_LOGITS_LAST, &e), CROFT_E_USAGE);
    infer_session_free(s);
    infer_engine_close(g);

    g = open_golden("llama", 1);
    p = (struct infer_session_params){.kv = INFER_KV_Q8_0};
    assert_int_equal(infer_session_new(g, &p, &s, &e), CROFT_E_UNSUPPORTED);
    infer_engine_close(g);
}

static void pools(void **state)
{
    struct err e = {0};
    struct infer_engine *g = open_golden("bert-mean", 2);
    struct infer_session *s = golden_session(g, 0, 0, 0, INFER_KV_DEFAULT);
    uint32_t d = infer_engine_model(g)->n_embd;
    int32_t t[N];
    float all[N * 64], one[64], length = 0;
    sequence(t);
    assert_int_equal(infer_engine_model(g)->pool, MODEL_POOL_MEAN);
    assert_ok(infer_session_embed(s, t, N, MODEL_POOL_NONE, false, all, &e), e);
    assert_ok(infer_session_embed(s, t, N, MODEL_POOL_CLS, false, one, &e), e);
    assert_true(golden_rms(one, all, d) < 1e-6);
    assert_ok(infer_session_embed(s, t, N, MODEL_POOL_LAST, false, one, &e), e);
    assert_true(golden_rms(one, all + (N - 1) * d, d) < 1e-6);
    assert_ok(infer_session_embed(s, t, N, MODEL_POOL_MEAN, false, one, &e), e);
    for (uint32_t j = 0; j < d; j++) {
        float sum = 0;
        for (int i = 0; i < N; i++) sum += all[i * d + j];
        assert_float_equal(one[j], sum / N, 1e-5);
    }
    assert_ok(infer_session_embed(s, t, N, MODEL_POOL_MEAN, true, one, &e), e);
    for (uint32_t j = 0; j < d; j++) length += one[j] * one[j];
    assert_float_equal(length, 1, 1e-5);
    infer_session_free(s);
    infer_engine_close(g);
}

/* Two threads, a session each, one engine: chunks interleave, results do not. */
struct runner {
    struct infer_engine *g;
    float *logits;
};
static void *run(void *arg)
{
    struct runner *r = arg;
    r->logits = logits_of(r->g, 4, 5, INFER_KV_F32);
    return NULL;
}
static void shared_engine(void **state)
{
    struct infer_engine *g = open_golden("llama", 2);
    struct runner r[2] = {{g, NULL}, {g, NULL}};
    pthread_t thread[2];
    float *alone = logits_of(g, 4, 5, INFER_KV_F32);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, run, &r[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_memory_equal(r[i].logits, alone, (size_t)N * infer_engine_model(g)->n_vocab * sizeof *alone);
        mem_free(r[i].logits);
    }
    mem_free(alone);
    infer_engine_close(g);
}

static void cache_types(void **state)
{
    const char *path = SHARED_DIR "/llama-dense.gguf";
    struct plat_map map;
    if (plat_map_open(&map, path)) {
        print_message("SKIP: %s\n", path);
        skip();
    }
    plat_map_close(&map);
    struct infer_engine *g = golden_engine(path, 2, NULL);
    size_t n = (size_t)N * infer_engine_model(g)->n_vocab;
    float *f32 = logits_of(g, 0, N, INFER_KV_F32), *f16 = logits_of(g, 0, N, INFER_KV_F16),
          *q8 = logits_of(g, 0, N, INFER_KV_Q8_0);
    assert_true(golden_rms(f16, f32, n) < 1e-3);
    assert_true(golden_rms(q8, f32, n) < 2e-2);
    assert_true(golden_rms(q8, f32, n) > golden_rms(f16, f32, n)); /* it really is another cache */
    mem_free(f32);
    mem_free(f16);
    mem_free(q8);
    infer_engine_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts),          cmocka_unit_test(threads_bit_equal),  cmocka_unit_test(long_context),
        cmocka_unit_test(rewind_equal),
        cmocka_unit_test(no_allocation), cmocka_unit_test(failed_allocations), cmocka_unit_test(refusals),
        cmocka_unit_test(pools),         cmocka_unit_test(shared_engine),      cmocka_unit_test(cache_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
