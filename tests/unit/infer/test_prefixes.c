/* Prefixes that are kept on purpose: on disk and back, and the states of recurrent families. A session that goes on
 * from one has, bit for bit, the logits of one that evaluated it (level "ref"); the file has the pinned tokens and
 * nothing else; a file that is damaged or another's is refused and nothing of it is taken. */
#include "golden.h"
#include "pages.h" /* private to src/infer */
#include "base_sha256.h"
#include "infer_schedule.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CTX = 640, P = INFER_PAGE_TOKENS, PREFIX = 2 * P + 41, ALL = 330, VOCAB = 40 };
static char file_name[64]; /* of this process: the test may run in several builds at once */
static const char *const families[] = {"llama", "qwen35", "lfm2"};

static struct infer_engine *engine_of(const char *name, const char *level)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, name);
    return golden_engine(path, 2, level);
}
static struct infer_pages *pages_of(struct infer_engine *g, uint32_t n, enum infer_kv kv)
{
    struct err e = {0};
    struct infer_pages *p = NULL;
    assert_ok(infer_pages_new(g, n * P, kv, &p, &e), e);
    return p;
}
static struct infer_session *session_on(struct infer_engine *g, struct infer_pages *p)
{
    struct err e = {0};
    struct infer_session *s = NULL;
    struct infer_session_params sp = {.n_ctx = CTX, .n_logits = 1, .pages = p};
    assert_ok(infer_session_new(g, &sp, &s, &e), e);
    return s;
}
/* Texts agree in the first PREFIX tokens; `kind` is what begins them, `text` how they go on. */
static void write_text(int32_t *t, uint32_t kind, uint32_t text)
{
    for (uint32_t i = 0; i < CTX; i++)
        t[i] = (int32_t)((i * 7 + i / 40 + kind * 5 + (i >= PREFIX ? text * 11 : 0)) % VOCAB);
}

static void eval(struct infer_session *s, const int32_t *t, uint32_t to)
{
    struct err e = {0};
    uint32_t n = to - infer_session_n_past(s);
    assert_ok(infer_session_grow(s, n, &e), e);
    assert_ok(infer_session_eval(s, t + to - n, n, INFER_LOGITS_LAST, &e), e);
}
/* A prefix is evaluated, and a request behind it; the prefix is pinned. */
static void work_with(struct infer_engine *g, struct infer_pages *p, uint32_t kind, uint32_t text, float *out)
{
    struct infer_session *s = session_on(g, p);
    int32_t t[CTX];
    write_text(t, kind, text);
    eval(s, t, PREFIX);
    infer_session_leave(s);
    infer_session_pin(s, PREFIX);
    eval(s, t, ALL);
    infer_session_leave(s);
    if (out) memcpy(out, infer_session_logits(s, 0), VOCAB * sizeof *out);
    infer_session_free(s);
}
static uint32_t adopted(struct infer_engine *g, struct infer_pages *p, uint32_t kind, uint32_t text, float *out)
{
    struct infer_session *s = session_on(g, p);
    int32_t t[CTX];
    write_text(t, kind, text);
    uint32_t had = infer_session_adopt(s, t, ALL);
    if (out) {
        eval(s, t, ALL);
        memcpy(out, infer_session_logits(s, 0), VOCAB * sizeof *out);
    }
    infer_session_free(s);
    return had;
}
static char *contents(size_t *out_n)
{
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, file_name), 0);
    char *p = mem_alloc(m.size);
    memcpy(p, m.data, *out_n = m.size);
    plat_map_close(&m);
    return p;
}

/* ---- there and back ---- */

static void there_and_back(void **state)
{
    static const enum infer_kv kinds[] = {INFER_KV_F32, INFER_KV_F16, INFER_KV_Q8_0};
    int tried = 0;
    for (size_t f = 0; f < 3; f++)
        for (size_t k = 0; k < 3; k++) {
            float want[2][VOCAB], got[VOCAB];
            struct err e = {0};
            struct infer_engine *g = engine_of(families[f], "ref");
            struct infer_pages *p = NULL;
            uint32_t n = 0;
            size_t size[2];
            char *bytes[2];
            if (infer_pages_new(g, 32 * P, kinds[k], &p, &e) == CROFT_E_UNSUPPORTED) {
                infer_engine_close(g);
                continue;
            }
            tried++;
            for (uint32_t i = 0; i < 2; i++) work_with(g, p, i, 3, want[i]);
            assert_true(p->unsaved);
            assert_ok(infer_pages_save(p, file_name, &e), e);
            bytes[0] = contents(&size[0]);
            struct stat st;
            assert_int_equal(stat(file_name, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0600);
            infer_pages_free(p);

            /* other requests behind the same prefixes: the same file, to the byte */
            p = pages_of(g, 32, kinds[k]);
            for (uint32_t i = 0; i < 2; i++) work_with(g, p, i, 1, NULL);
            assert_ok(infer_pages_save(p, file_name, &e), e);
            bytes[1] = contents(&size[1]);
            assert_int_equal(size[0], size[1]);
            assert_memory_equal(bytes[0], bytes[1], size[0]);
            infer_pages_free(p);

            p = pages_of(g, 32, kinds[k]);
            assert_ok(infer_pages_load(p, file_name, CTX, &n, &e), e);
            assert_int_equal(n, 2 * PREFIX);
            for (uint32_t i = 0; i < 2; i++) {
                assert_int_equal(adopted(g, p, i, 3, got), PREFIX);
                assert_memory_equal(got, want[i], sizeof got);
            }
            assert_false(p->unsaved); /* it has what is pinned */
            infer_pages_free(p);
            for (int i = 0; i < 2; i++) mem_free(bytes[i]);
            infer_engine_close(g);
        }
    assert_true(tried >= 6);
}

/* What no request has pinned for a while is left out; what one has, stays. */
static void unasked(void **state)
{
    struct infer_engine *g = engine_of("llama", "ref");
    struct err e = {0};
    uint32_t left[2] = {0}, n;
    struct infer_pages *p = pages_of(g, 32, INFER_KV_F32);
    work_with(g, p, 0, 0, NULL);
    work_with(g, p, 1, 0, NULL);
    for (int run = 0; run < 12; run++) {
        assert_ok(infer_pages_save(p, file_name, &e), e);
        infer_pages_free(p);
        p = pages_of(g, 32, INFER_KV_F32);
        assert_ok(infer_pages_load(p, file_name, CTX, &n, &e), e);
        for (uint32_t k = 0; k < 2; k++) left[k] += adopted(g, p, k, 0, NULL) == PREFIX;
        work_with(g, p, 1, 0, NULL);
        assert_false(p->unsaved);
    }
    assert_int_equal(left[1], 12);
    assert_in_range(left[0], 4, 10);
    infer_pages_free(p);
    infer_engine_close(g);
}

/* ---- refused ---- */

static void refuse(struct infer_engine *g, enum infer_kv kv, const char *data, size_t size, int code)
{
    struct infer_pages *p = pages_of(g, 32, kv);
    struct err e = {0};
    uint32_t n = 77;
    char *exact = mem_alloc(size);
    memcpy(exact, data, size);
    int rc = infer_pages_load_bytes(p, exact, size, CTX, &n, &e);
    if (rc != code) fail_msg("%zu bytes: %d instead of %d (%s)", size, rc, code, e.msg);
    assert_true(strlen(e.msg) > 10);
    assert_int_equal(n, 77);
    assert_int_equal(adopted(g, p, 0, 3, NULL), 0);
    mem_free(exact);
    infer_pages_free(p);
}

static void others(void **state)
{
    struct infer_engine *g = engine_of("llama", "ref"), *other = engine_of("llama3", "ref"), *same;
    struct infer_pages *p = pages_of(g, 32, INFER_KV_F32);
    struct err e = {0};
    uint32_t n;
    size_t size;
    work_with(g, p, 0, 3, NULL);
    assert_ok(infer_pages_save(p, file_name, &e), e);
    infer_pages_free(p);
    char *data = contents(&size);
    refuse(other, INFER_KV_F32, data, size, CROFT_E_DIGEST);
    refuse(g, INFER_KV_F16, data, size, CROFT_E_DIGEST);
    same = engine_of("llama", "ref");
    infer_engine_batch_invariant(same);
    refuse(same, INFER_KV_F32, data, size, CROFT_E_DIGEST);
    infer_engine_close(same);
    same = engine_of("llama", NULL);
    if (strcmp(infer_engine_ops(same)->level, "ref") != 0) refuse(same, INFER_KV_F32, data, size, CROFT_E_DIGEST);
    infer_engine_close(same);
    for (size_t cut = 0; cut < size; cut += cut < 300 ? 1 : size / 97)
        refuse(g, INFER_KV_F32, data, cut, CROFT_E_FORMAT);
    for (size_t at = 0; at < size; at += at < 24 || at > size - 64 ? 1 : at < 152 ? 7 : size / 97) {
        data[at] ^= 0x10;
        refuse(g, INFER_KV_F32, data, size, at >= 24 && at < 152 ? CROFT_E_DIGEST : CROFT_E_FORMAT);
        data[at] ^= 0x10;
    }
    mem_free(data);
    p = pages_of(g, 32, INFER_KV_F32);
    assert_int_equal(infer_pages_load(p, "build/there is none", CTX, &n, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(infer_pages_load(p, "build", CTX, &n, &e), CROFT_E_IO);
    assert_int_equal(infer_pages_save(p, "build/no folder/x", &e), CROFT_E_NOT_FOUND);
    infer_pages_free(p);
    infer_engine_close(other);
    infer_engine_close(g);
}

/* Changed at random, with a checksum that fits again: taken or not, the cache stays one. */
static void mutants(void **state)
{
    static const uint64_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX, PREFIX, P, CTX + 1};
    for (int f = 0; f < 2; f++) {
        struct infer_engine *g = engine_of(families[f], "ref");
        struct infer_pages *p = pages_of(g, 32, INFER_KV_F16);
        struct err e = {0};
        uint64_t seed = 5, taken = 0, refused = 0;
        size_t size;
        work_with(g, p, 0, 3, NULL);
        work_with(g, p, 1, 3, NULL);
        assert_ok(infer_pages_save(p, file_name, &e), e);
        infer_pages_free(p);
        char *data = contents(&size);
        for (int i = 0; i < 600; i++) {
            uint32_t n = 0;
            char sum[65];
            char *m = mem_alloc(size);
            memcpy(m, data, size);
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t at =
                seed >> 63 ? 8 + (seed >> 33) % 16 : 152 + (seed >> 33) % (i % 2 ? 1200 : size - 152 - 64 - 8);
            memcpy(m + at, &odd[(seed >> 20) % 9], (size_t)1 << (seed >> 16) % 4);
            struct sha256 *s = sha256_new();
            sha256_add(s, m, size - 64);
            sha256_hex(s, sum);
            memcpy(m + size - 64, sum, 64);
            p = pages_of(g, i % 3 ? 32 : 5, INFER_KV_F16);
            int rc = infer_pages_load_bytes(p, m, size, i % 5 ? CTX : 200, &n, &e);
            taken += rc == 0;
            refused += rc != 0;
            uint32_t all, used, kept;
            infer_pages_count(p, &all, &used, &kept);
            assert_int_equal(used, 0);
            adopted(g, p, 0, 3, NULL);
            infer_pages_free(p);
            mem_free(m);
        }
        mem_free(data);
        assert_true(taken > 20 && refused > 100);
        infer_engine_close(g);
    }
}

static void without_memory(void **state)
{
    for (int f = 0; f < 2; f++) {
        struct infer_engine *g = engine_of(families[f], "ref");
        struct infer_pages *p = pages_of(g, 32, INFER_KV_F32);
        struct err e = {0};
        uint32_t n;
        int rc = CROFT_E_NOMEM, failures = 0;
        work_with(g, p, 0, 3, NULL);
        for (long nth = 1; rc == CROFT_E_NOMEM; nth++, failures++) {
            mem_fail_nth(nth);
            rc = infer_pages_save(p, file_name, &e);
            mem_fail_nth(0);
        }
        assert_int_equal(rc, 0);
        infer_pages_free(p);
        for (long nth = 1; nth < 60; nth++) {
            p = pages_of(g, 32, INFER_KV_F32);
            mem_fail_nth(nth);
            rc = infer_pages_load(p, file_name, CTX, &n, &e);
            mem_fail_nth(0);
            failures += rc != 0;
            assert_true(rc == 0 || rc == CROFT_E_NOMEM);
            adopted(g, p, 0, 3, NULL);
            infer_pages_free(p);
        }
        assert_int_equal(rc, 0);
        assert_true(failures > 10);
        infer_engine_close(g);
    }
}

/* ---- bounds ---- */

static void half_of_the_pages(void **state)
{
    struct infer_engine *g = engine_of("llama", "ref");
    struct infer_pages *p = pages_of(g, 12, INFER_KV_F32); /* a prefix takes three */
    for (uint32_t kind = 0; kind < 4; kind++) work_with(g, p, kind, 0, NULL);
    assert_int_equal(p->n_pinned, 6);
    for (uint32_t kind = 0; kind < 2; kind++) assert_int_equal(adopted(g, p, kind, 1, NULL), PREFIX);
    struct infer_session *s = session_on(g, p);
    struct err e = {0};
    assert_ok(infer_session_grow(s, 6 * P - 128, &e), e); /* the other half is everybody's */
    infer_session_free(s);
    int32_t t[CTX];
    write_text(t, 0, 0);
    infer_pages_unpin(p, t, PREFIX);
    assert_int_equal(p->n_pinned, 3);
    work_with(g, p, 3, 0, NULL);
    assert_int_equal(p->n_pinned, 6);
    infer_pages_free(p);
    infer_engine_close(g);
}

/* States go in the order of use when they take too much; pinned ones stay. */
static void states(void **state)
{
    struct infer_engine *g = engine_of("qwen35", "ref");
    struct infer_pages *p = pages_of(g, 64, INFER_KV_F16);
    size_t each = infer_state_bytes(infer_engine_model(g)), most = infer_pages_bytes(p) / each;
    assert_in_range(most, 2, 10000);
    work_with(g, p, 0, 0, NULL);
    struct infer_session *s = session_on(g, p);
    struct err e = {0};
    int32_t t[CTX];
    write_text(t, 1, 0);
    for (uint32_t n = 1; n < most + 5 && n < 300; n++) {
        eval(s, t, n);
        infer_session_leave(s);
        assert_true(p->states_bytes <= infer_pages_bytes(p));
    }
    assert_ok(infer_session_truncate(s, 0, &e), e);
    assert_int_equal(adopted(g, p, 0, 1, NULL), PREFIX);
    assert_int_equal(infer_session_adopt(s, t, 200), 199);
    infer_session_free(s);
    infer_pages_free(p);
    infer_engine_close(g);
}

/* ---- through the scheduler ---- */

struct answer {
    struct infer_outcome o;
    bool done;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static void on_done(void *user, const struct infer_outcome *o)
{
    struct answer *a = user;
    pthread_mutex_lock(&lock);
    a->o = *o;
    a->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct infer_scheduler *scheduler_of(struct infer_engine *g, const char *file)
{
    struct infer_scheduler *s = NULL;
    struct err e = {0};
    struct infer_scheduler_params p = {.n_ctx = CTX, .n_cache = 32 * P, .kv = INFER_KV_F32, .prefixes = file};
    assert_ok(infer_scheduler_new(g, NULL, &p, &s, &e), e);
    return s;
}

enum { TOGETHER = 6 };
/* Questions behind one prefix: the first alone, the others together. cached [TOGETHER]: what each found. */
static void ask(struct infer_scheduler *s, uint32_t kind, uint32_t pin, float logit[TOGETHER][VOCAB],
                uint32_t *cached)
{
    struct answer a[TOGETHER] = {{.done = false}};
    struct infer_tree tree[TOGETHER];
    struct err e = {0};
    int32_t every[VOCAB], t[CTX];
    for (int i = 0; i < VOCAB; i++) every[i] = i;
    for (uint32_t i = 0; i < TOGETHER; i++) {
        uint32_t at;
        write_text(t, kind, i);
        infer_tree_init(&tree[i]);
        assert_ok(infer_tree_ask(&tree[i], -1, every, VOCAB, &at, &e), e);
        struct infer_request r = {
            .prompt = t, .n_prompt = ALL, .pin = pin, .tree = &tree[i], .on_done = on_done, .user = &a[i]};
        assert_ok(infer_schedule(s, &r, NULL, &e), e);
        pthread_mutex_lock(&lock);
        while (!a[0].done) pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
    for (uint32_t i = 0; i < TOGETHER; i++) {
        pthread_mutex_lock(&lock);
        while (!a[i].done) pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        if (a[i].o.err.code) fail_msg("%s", a[i].o.err.msg);
        memcpy(logit[i], tree[i].logit, sizeof logit[i]);
        if (cached) cached[i] = a[i].o.n_cached;
        infer_tree_done(&tree[i]);
    }
}

static void scheduled(void **state)
{
    for (int f = 0; f < 3; f++) {
        float want[TOGETHER][VOCAB], got[TOGETHER][VOCAB];
        uint32_t cached[TOGETHER];
        struct infer_engine *g = engine_of(families[f], "ref");
        infer_engine_batch_invariant(g); /* how a prompt is cut does not show */
        for (uint32_t i = 0; i < TOGETHER; i++) {
            struct infer_session *own = golden_session(g, CTX, 0, 1, INFER_KV_F32);
            struct err e = {0};
            int32_t t[CTX];
            write_text(t, 0, i);
            assert_ok(infer_session_eval(own, t, ALL, INFER_LOGITS_LAST, &e), e);
            memcpy(want[i], infer_session_logits(own, 0), sizeof want[i]);
            infer_session_free(own);
        }
        unlink(file_name);
        for (int run = 0; run < 3; run++) { /* the file is missing, read, damaged */
            struct infer_scheduler *s = scheduler_of(g, file_name);
            ask(s, 0, PREFIX, got, cached);
            assert_int_equal(cached[0], run == 1 ? PREFIX : 0);
            for (uint32_t i = 1; i < TOGETHER; i++) assert_int_equal(cached[i], PREFIX);
            assert_memory_equal(got, want, sizeof want);
            infer_scheduler_free(s);
            if (run == 1) assert_int_equal(truncate(file_name, 1000), 0);
        }
        struct infer_scheduler *s = scheduler_of(g, file_name); /* it was replaced */
        ask(s, 0, PREFIX, got, cached);
        assert_int_equal(cached[0], PREFIX);
        infer_scheduler_leave_file(s);
        unlink(file_name);
        ask(s, 1, PREFIX, got, cached);
        infer_scheduler_free(s);
        assert_int_equal(access(file_name, F_OK), -1);

        /* nobody pins: of a recurrent family the second request finds out where they part, the third has use of it */
        s = scheduler_of(g, NULL);
        ask(s, 0, 0, got, cached);
        assert_memory_equal(got, want, sizeof want);
        for (uint32_t i = 2; i < TOGETHER; i++) assert_int_equal(cached[i], PREFIX);
        infer_scheduler_free(s);
        infer_engine_close(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(unasked),
                                       cmocka_unit_test(others),         cmocka_unit_test(mutants),
                                       cmocka_unit_test(without_memory), cmocka_unit_test(half_of_the_pages),
                                       cmocka_unit_test(states),         cmocka_unit_test(scheduled)};
    snprintf(file_name, sizeof file_name, "build/test_prefixes-%d.bin", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
