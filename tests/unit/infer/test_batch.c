/* Batches: sequences evaluated together get what each gets alone, at every kernel level; one that cannot go on
 * drops out and leaves the others as they were; texts embedded together get the vectors they get one by one. */
#include "golden.h"
#include "kern_ops.h"

#include <unistd.h>

enum { MEMBERS = 5, CTX = 48, STEPS = 6, MAX_VOCAB = 128 };
static const char *const models[] = {"llama", "qwen3", "gemma2", "gemma3", "qwen35", "lfm2", "phi3"};
enum { N_MODELS = sizeof models / sizeof models[0] };
static const size_t prompt_n[MEMBERS] = {1, 33, 7, 2, 20};

static struct infer_engine *open_golden(const char *name, const char *level)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, name);
    return golden_engine(path, 2, level);
}

/* Member m's token at position i: some prompt, then some decoded tokens. */
static int32_t token(size_t m, size_t i) { return (int32_t)((i * 7 + m * 11 + 3) % 40); }

static void tokens_of(size_t m, int32_t *out)
{
    for (size_t i = 0; i < CTX; i++) out[i] = token(m, i);
}

/* Logits [STEPS, n_vocab] after the prompt and after each decoded token. */
static void alone(struct infer_engine *g, size_t m, float *out)
{
    struct err e = {0};
    struct infer_session *s = golden_session(g, CTX, 0, 1, INFER_KV_F32);
    size_t n_vocab = infer_engine_model(g)->n_vocab, at = 0;
    int32_t t[CTX];
    tokens_of(m, t);
    for (int step = 0; step < STEPS; step++) {
        size_t n = step ? 1 : prompt_n[m];
        assert_ok(infer_session_eval(s, t + at, n, INFER_LOGITS_LAST, &e), e);
        memcpy(out + step * n_vocab, infer_session_logits(s, 0), n_vocab * sizeof *out);
        at += n;
    }
    infer_session_free(s);
}

/* The same of all members, in batches: member m joins at step m, so that prompts meet rows that decode. */
static void together(struct infer_engine *g, uint32_t n_batch, float out[MEMBERS][STEPS * MAX_VOCAB])
{
    struct infer_session *s[MEMBERS];
    size_t n_vocab = infer_engine_model(g)->n_vocab, at[MEMBERS] = {0};
    int32_t t[MEMBERS][CTX];
    for (size_t m = 0; m < MEMBERS; m++) {
        s[m] = golden_session(g, CTX, n_batch, 1, INFER_KV_F32);
        tokens_of(m, t[m]);
    }
    for (size_t round = 0; round < STEPS + MEMBERS; round++) {
        struct infer_batch_item item[MEMBERS];
        size_t n = 0, who[MEMBERS];
        for (size_t m = 0; m < MEMBERS; m++) {
            if (round < m || round >= m + STEPS) continue;
            item[n] = (struct infer_batch_item){.session = s[m],
                                                .tokens = t[m] + at[m],
                                                .n = round == m ? prompt_n[m] : 1,
                                                .want = INFER_LOGITS_LAST};
            who[n++] = m;
        }
        assert_int_equal(infer_batch_eval(item, n), 0);
        for (size_t i = 0; i < n; i++) {
            size_t m = who[i];
            at[m] += item[i].n;
            assert_int_equal(item[i].n_done, item[i].n);
            assert_int_equal(infer_session_n_past(s[m]), at[m]);
            assert_memory_equal(infer_session_tokens(s[m]), t[m], at[m] * sizeof *t[m]);
            memcpy(out[m] + (round - m) * n_vocab, infer_session_logits(s[m], 0), n_vocab * sizeof *out[m]);
        }
    }
    for (size_t m = 0; m < MEMBERS; m++) infer_session_free(s[m]);
}

/* All members of one engine together, against each alone: equal bits, or close to it. */
static void compare(struct infer_engine *g, const char *what, uint32_t n_batch, double close)
{
    static float all[MEMBERS][STEPS * MAX_VOCAB], one[STEPS * MAX_VOCAB];
    const char *level = infer_engine_ops(g)->level;
    size_t n = (size_t)STEPS * infer_engine_model(g)->n_vocab;
    assert_true(infer_engine_model(g)->n_vocab <= MAX_VOCAB);
    together(g, n_batch, all);
    for (size_t m = 0; m < MEMBERS; m++) {
        alone(g, m, one);
        double rms = golden_rms(all[m], one, n);
        if (!(rms <= close)) fail_msg("%s %s member %zu: %.2e", level, what, m, rms);
    }
    infer_engine_close(g);
}

/* Plain C adds in one order whatever the number of rows. Other levels need not; where activations are rounded to
 * int8, a difference in the last bit can become one of a rounding step; and AMX takes many rows in bf16 instead. */
static void as_alone(void **state)
{
    static const char *const types[] = {"Q8_0", "Q4_0", "Q4_K_M", "F16"};
    for (const char *const *level = kern_levels(); *level; level++) {
        if (!kern_level_get(*level)) continue;
        bool ref = strcmp(*level, "ref") == 0, amx = strcmp(*level, "amx") == 0;
        for (uint32_t n_batch = 0; n_batch <= 3; n_batch += 3) { /* 3: prompts and the whole go in several chunks */
            for (int k = 0; k < N_MODELS; k++)
                compare(open_golden(models[k], *level), models[k], n_batch, ref ? 0 : 5e-5);
            for (int k = 0; k < 4; k++) {
                char path[256];
                snprintf(path, sizeof path, SHARED_DIR "/llama-dense-%s.gguf", types[k]);
                if (access(path, R_OK) == 0)
                    compare(golden_engine(path, 2, *level), types[k], n_batch, ref ? 0 : amx ? 3e-2 : 5e-3);
            }
        }
    }
}

/* The engine's promise on request: equal bits at every level, whatever the batch and wherever prompts are cut. */
static void batch_invariant(void **state)
{
    static const char *const types[] = {"Q8_0", "Q4_0", "Q4_K_M", "F16", "BF16"};
    for (const char *const *level = kern_levels(); *level; level++) {
        if (!kern_level_get(*level)) continue;
        for (uint32_t n_batch = 0; n_batch <= 3; n_batch += 3) {
            struct infer_engine *g;
            for (int k = 0; k < N_MODELS; k++) {
                infer_engine_batch_invariant(g = open_golden(models[k], *level));
                compare(g, models[k], n_batch, 0);
            }
            for (int k = 0; k < 5; k++) {
                char path[256];
                snprintf(path, sizeof path, SHARED_DIR "/llama-dense-%s.gguf", types[k]);
                if (access(path, R_OK)) continue;
                infer_engine_batch_invariant(g = golden_engine(path, 2, *level));
                compare(g, types[k], n_batch, 0);
            }
        }
    }
}

/* Logits of every row of one member beside others that want the last or none. */
static void wants(void **state)
{
    struct err e = {0};
    struct infer_engine *g = open_golden("llama", NULL);
    size_t n_vocab = infer_engine_model(g)->n_vocab;
    struct infer_session *s[3], *ref = golden_session(g, CTX, 0, 9, INFER_KV_F32);
    struct infer_batch_item item[3];
    int32_t t[3][CTX];
    for (size_t m = 0; m < 3; m++) {
        s[m] = golden_session(g, CTX, 0, 9, INFER_KV_F32);
        tokens_of(m, t[m]);
        item[m] = (struct infer_batch_item){.session = s[m], .tokens = t[m], .n = 9, .want = (enum infer_want)m};
    }
    assert_int_equal(infer_batch_eval(item, 3), 0);
    assert_null(infer_session_logits(s[INFER_LOGITS_NONE], 0));
    assert_null(infer_session_logits(s[INFER_LOGITS_LAST], 1));
    for (size_t m = INFER_LOGITS_LAST; m <= INFER_LOGITS_ALL; m++) {
        assert_ok(infer_session_truncate(ref, 0, &e), e);
        assert_ok(infer_session_eval(ref, t[m], 9, (enum infer_want)m, &e), e);
        size_t rows = m == INFER_LOGITS_ALL ? 9 : 1;
        assert_true(golden_rms(infer_session_logits(s[m], 0), infer_session_logits(ref, 0), rows * n_vocab) < 1e-6);
    }
    for (size_t m = 0; m < 3; m++) infer_session_free(s[m]);
    infer_session_free(ref);
    infer_engine_close(g);
}

/* Members with an error stay out, each with its own; the others are evaluated. */
static void errors(void **state)
{
    struct err e = {0};
    struct infer_engine *g = open_golden("llama", NULL), *h = open_golden("llama", NULL);
    struct infer_session *good = golden_session(g, 16, 0, 1, INFER_KV_F32), *full = golden_session(g, 4, 0, 1, 0),
                         *wrong = golden_session(g, 16, 0, 1, 0), *other = golden_session(h, 16, 0, 1, 0),
                         *ref = golden_session(g, 16, 0, 1, INFER_KV_F32);
    int32_t t[CTX], bad[] = {1, 40};
    tokens_of(0, t);
    struct infer_batch_item item[] = {
        {.session = full, .tokens = t, .n = 5, .want = INFER_LOGITS_LAST},
        {.session = wrong, .tokens = bad, .n = 2, .want = INFER_LOGITS_LAST},
        {.session = good, .tokens = t, .n = 6, .want = INFER_LOGITS_LAST},
        {.session = good, .tokens = t, .n = 1, .want = INFER_LOGITS_LAST},
        {.session = other, .tokens = t, .n = 1, .want = INFER_LOGITS_LAST},
    };
    const int code[] = {CROFT_E_NO_ROOM, CROFT_E_USAGE, 0, CROFT_E_USAGE, CROFT_E_USAGE};
    assert_int_equal(infer_batch_eval(item, 5), CROFT_E_NO_ROOM);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(item[i].err.code, code[i]);
        assert_int_equal(item[i].n_done, code[i] ? 0 : 6);
        if (item[i].session != good) assert_int_equal(infer_session_n_past(item[i].session), 0);
    }
    assert_int_equal(infer_session_n_past(good), 6);
    assert_ok(infer_session_eval(ref, t, 6, INFER_LOGITS_LAST, &e), e);
    assert_memory_equal(infer_session_logits(good, 0), infer_session_logits(ref, 0),
                        infer_engine_model(g)->n_vocab * sizeof(float));
    item[3].tokens = t + 6; /* nothing of the failed call sticks */
    assert_int_equal(infer_batch_eval(item + 3, 1), 0);
    assert_int_equal(infer_batch_eval(item, 0), 0);
    infer_session_free(good);
    infer_session_free(full);
    infer_session_free(wrong);
    infer_session_free(other);
    infer_session_free(ref);
    infer_engine_close(g);
    infer_engine_close(h);
}

/* One member asks to stop: the others do not notice. */
static void cancelled(void **state)
{
    struct err e = {0};
    for (int k = 0; k < N_MODELS; k++) {
        struct infer_engine *g = open_golden(models[k], NULL);
        struct infer_session *s[3];
        struct infer_batch_item item[3];
        int32_t t[3][CTX];
        float one[STEPS * MAX_VOCAB];
        for (size_t m = 0; m < 3; m++) {
            s[m] = golden_session(g, CTX, 0, 1, INFER_KV_F32);
            tokens_of(m, t[m]);
            item[m] = (struct infer_batch_item){
                .session = s[m], .tokens = t[m], .n = prompt_n[m], .want = INFER_LOGITS_LAST};
        }
        infer_session_cancel(s[1]);
        assert_int_equal(infer_batch_eval(item, 3), CROFT_E_CANCELLED);
        assert_int_equal(item[1].err.code, CROFT_E_CANCELLED);
        assert_int_equal(infer_session_n_past(s[1]), 0);
        assert_null(infer_session_logits(s[1], 0));
        for (size_t m = 0; m < 3; m += 2) {
            assert_int_equal(item[m].err.code, 0);
            alone(g, m, one);
            assert_true(golden_rms(infer_session_logits(s[m], 0), one, infer_engine_model(g)->n_vocab) < 1e-5);
        }
        if (infer_session_is_recurrent(s[1])) assert_int_equal(infer_batch_eval(item + 1, 1), CROFT_E_USAGE);
        assert_ok(infer_session_truncate(s[1], 0, &e), e);
        assert_int_equal(infer_batch_eval(item + 1, 1), 0);
        for (size_t m = 0; m < 3; m++) infer_session_free(s[m]);
        infer_engine_close(g);
    }
}

/* A session costs its keys and values, token ids and logits; scratch is the engine's. */
static void session_bytes(void **state)
{
    enum { N_CTX = 160 };
    struct infer_engine *g = open_golden("llama", NULL);
    const struct model *m = infer_engine_model(g);
    struct infer_session *s = golden_session(g, N_CTX, 0, 2, INFER_KV_F16);
    size_t kv = 0, rest = N_CTX * sizeof(int32_t) + 2 * m->n_vocab * sizeof(float);
    for (uint32_t i = 0; i < m->n_layer; i++)
        kv += (size_t)m->layer[i].n_head_kv * N_CTX *
              (kern_kv_row_bytes(KERN_KV_F16, m->d_head) + kern_kv_row_bytes(KERN_KV_F16, m->d_head_v));
    assert_in_range(infer_session_bytes(s), kv + rest, kv + rest + m->n_layer * 256);
    infer_session_free(s);
    infer_engine_close(g);
}

static void no_allocation(void **state)
{
    struct infer_engine *g = open_golden("qwen35", NULL);
    struct infer_session *s[MEMBERS];
    struct infer_batch_item item[MEMBERS];
    int32_t t[CTX];
    tokens_of(0, t);
    for (size_t m = 0; m < MEMBERS; m++) {
        s[m] = golden_session(g, CTX, 8, 1, INFER_KV_DEFAULT);
        item[m] =
            (struct infer_batch_item){.session = s[m], .tokens = t, .n = prompt_n[m], .want = INFER_LOGITS_LAST};
    }
    uint64_t before = mem_count();
    assert_int_equal(infer_batch_eval(item, MEMBERS), 0);
    assert_int_equal(mem_count(), before);
    for (size_t m = 0; m < MEMBERS; m++) infer_session_free(s[m]);
    infer_engine_close(g);
}

/* ---- texts ---- */

static void embed_as_alone(const char *name, enum model_pool pool, uint32_t n_ctx, uint32_t n_batch)
{
    enum { TEXTS = 12, LONGEST = 30, MAX_EMBD = 64 };
    static float out[TEXTS][LONGEST * MAX_EMBD], one[LONGEST * MAX_EMBD];
    struct err e = {0};
    struct infer_engine *g = open_golden(name, NULL);
    struct infer_session *s = golden_session(g, n_ctx, n_batch, 1, INFER_KV_F32);
    size_t d = infer_engine_model(g)->n_embd;
    struct infer_text text[TEXTS];
    int32_t t[CTX];
    tokens_of(3, t);
    assert_true(d <= MAX_EMBD);
    for (size_t i = 0; i < TEXTS; i++)
        text[i] = (struct infer_text){t + i, i % 4 == 3 ? LONGEST : 1 + i * 5 % 17, out[i]};
    assert_ok(infer_session_embed_all(s, text, TEXTS, pool, true, &e), e);
    for (size_t i = 0; i < TEXTS; i++) {
        size_t n = d * (pool == MODEL_POOL_NONE ? text[i].n : 1);
        assert_ok(infer_session_embed(s, text[i].tokens, text[i].n, pool, true, one, &e), e);
        double rms = golden_rms(out[i], one, n);
        if (!(rms < 1e-5)) fail_msg("%s pool %d text %zu: %.2e", name, pool, i, rms);
    }
    assert_int_equal(infer_session_n_past(s), 0);
    text[5].n = CTX + 1000; /* too long: nothing is evaluated, and it is said */
    assert_int_equal(infer_session_embed_all(s, text, TEXTS, pool, true, &e), CROFT_E_NO_ROOM);
    infer_session_cancel(s);
    assert_int_equal(infer_session_embed_all(s, text, 2, pool, true, &e), CROFT_E_CANCELLED);
    infer_session_free(s);
    infer_engine_close(g);
}

static void texts(void **state)
{
    for (int pool = MODEL_POOL_NONE; pool <= MODEL_POOL_LAST; pool++) {
        embed_as_alone("bert-cls", (enum model_pool)pool, 0, 0);
        embed_as_alone("bert-mean", (enum model_pool)pool, 30, 33);
        embed_as_alone("llama", (enum model_pool)pool, 40, 0);
        embed_as_alone("gemma3", (enum model_pool)pool, 40, 8); /* the longest in pieces */
        embed_as_alone("lfm2", (enum model_pool)pool, 40, 8);   /* one by one */
        embed_as_alone("qwen35", (enum model_pool)pool, 40, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_alone),      cmocka_unit_test(batch_invariant), cmocka_unit_test(wants),
        cmocka_unit_test(errors),        cmocka_unit_test(cancelled),       cmocka_unit_test(no_allocation),
        cmocka_unit_test(session_bytes), cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
