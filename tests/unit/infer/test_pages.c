/* Shared pages: a session that adopts a prefix gets the logits of one that evaluated it; what is shared is never
 * written; pages are counted, taken back in the order of use, and pinned ones stay. */
#include "golden.h"
#include "infer_pages.h"

enum { CTX = 640, P = INFER_PAGE_TOKENS };

static struct infer_engine *g;

static int open_model(void **state)
{
    g = golden_engine(GOLDEN_DIR "/llama.gguf", 2, "ref");
    return 0;
}
static int close_model(void **state)
{
    infer_engine_close(g);
    return 0;
}

static struct infer_pages *pages_of(uint32_t n)
{
    struct err e = {0};
    struct infer_pages *p = NULL;
    assert_ok(infer_pages_new(g, n * P, INFER_KV_F32, &p, &e), e);
    return p;
}
static struct infer_session *session_on(struct infer_pages *p)
{
    struct err e = {0};
    struct infer_session *s = NULL;
    struct infer_session_params sp = {.n_ctx = CTX, .n_logits = 1, .pages = p};
    assert_ok(infer_session_new(g, &sp, &s, &e), e);
    return s;
}

/* Token i of a text that parts from text 0 at position `parts`. */
static int32_t token(uint32_t i, uint32_t parts, uint32_t text)
{
    return (int32_t)((i * 7 + (i >= parts ? text * 11 : 0)) % 40);
}
static void write_text(int32_t *t, uint32_t parts, uint32_t text)
{
    for (uint32_t i = 0; i < CTX; i++) t[i] = token(i, parts, text);
}

/* Logits after tokens [n], from a session of its own. */
static void truth(const int32_t *tokens, uint32_t n, float *out)
{
    struct err e = {0};
    struct infer_session *s = golden_session(g, CTX, 0, 1, INFER_KV_F32);
    assert_ok(infer_session_eval(s, tokens, n, INFER_LOGITS_LAST, &e), e);
    memcpy(out, infer_session_logits(s, 0), infer_engine_model(g)->n_vocab * sizeof *out);
    infer_session_free(s);
}

/* Adopt what there is, evaluate the rest, compare; returns how many tokens were adopted. */
static uint32_t answer(struct infer_session *s, const int32_t *tokens, uint32_t n)
{
    static float want[128];
    struct err e = {0};
    size_t n_vocab = infer_engine_model(g)->n_vocab;
    uint32_t had = infer_session_adopt(s, tokens, n);
    assert_true(had < n);
    assert_ok(infer_session_grow(s, n - had, &e), e);
    assert_ok(infer_session_eval(s, tokens + had, n - had, INFER_LOGITS_LAST, &e), e);
    truth(tokens, n, want);
    assert_true(golden_rms(infer_session_logits(s, 0), want, n_vocab) < 1e-6);
    return had;
}

static void reset(struct infer_session *s)
{
    struct err e = {0};
    assert_ok(infer_session_truncate(s, 0, &e), e);
}

static void shared_prefix(void **state)
{
    struct infer_pages *p = pages_of(12);
    struct infer_session *a = session_on(p), *b = session_on(p);
    int32_t t[CTX], u[CTX], v[CTX];
    uint32_t all, used, kept;
    write_text(t, CTX, 0);
    write_text(u, 300, 1);   /* parts from t inside the third page */
    write_text(v, 2 * P, 2); /* parts from t where the third begins */
    assert_int_equal(answer(a, t, 320), 0);
    infer_session_leave(a);
    infer_pages_count(p, &all, &used, &kept);
    assert_int_equal(all, 12);
    assert_int_equal(used, 3);
    assert_int_equal(answer(b, u, 330), 300); /* while a still holds its pages */
    infer_pages_count(p, &all, &used, &kept);
    assert_int_equal(used, 4); /* two shared, a third each */
    infer_session_leave(b);
    reset(b);
    assert_int_equal(answer(b, v, 2 * P + 9), 2 * P);
    reset(b);
    assert_int_equal(answer(b, t, 320), 319); /* all but the last, which gives the logits */
    reset(b);
    assert_int_equal(answer(b, u, 330), 329);
    reset(b);
    /* a goes on where it was and leaves more of the same page */
    struct err e = {0};
    assert_ok(infer_session_grow(a, 30, &e), e);
    assert_ok(infer_session_eval(a, t + 320, 30, INFER_LOGITS_LAST, &e), e);
    infer_session_leave(a);
    assert_int_equal(answer(b, t, 351), 350);
    reset(a);
    reset(b);
    infer_pages_count(p, &all, &used, &kept);
    assert_int_equal(used, 0);
    assert_int_equal(kept, 4);
    infer_session_free(a);
    infer_session_free(b);
    infer_pages_free(p);
}

/* A session that goes back into what it has left writes to a copy. */
static void never_written(void **state)
{
    struct err e = {0};
    struct infer_pages *p = pages_of(6);
    struct infer_session *a = session_on(p), *b = session_on(p);
    int32_t t[CTX], u[CTX];
    write_text(t, CTX, 0);
    write_text(u, 60, 1);
    answer(a, t, 100);
    infer_session_leave(a);
    assert_ok(infer_session_truncate(a, 60, &e), e);
    assert_ok(infer_session_grow(a, 40, &e), e);
    assert_ok(infer_session_eval(a, u + 60, 40, INFER_LOGITS_LAST, &e), e);
    assert_int_equal(answer(b, t, 101), 100);
    infer_session_free(a);
    infer_session_free(b);
    infer_pages_free(p);
}

static void making_room(void **state)
{
    struct err e = {0};
    struct infer_pages *p = pages_of(4);
    struct infer_session *a = session_on(p), *b = session_on(p);
    int32_t t[4][CTX];
    for (uint32_t i = 0; i < 4; i++) write_text(t[i], 0, i);
    for (uint32_t i = 0; i < 4; i++) { /* four pages, each used for a text */
        answer(a, t[i], 100);
        infer_session_leave(a);
        if (i == 1) infer_session_pin(a, 100);
        reset(a);
    }
    assert_int_equal(infer_session_adopt(a, t[0], 50), 49); /* the first is used again; copied, so a page is taken */
    reset(a);
    uint32_t known = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t n = infer_session_adopt(a, t[i], 50);
        known += n == 49;
        if (i == 1) assert_int_equal(n, 49); /* pinned */
        if (i == 2) assert_int_equal(n, 0);  /* the longest unused */
        reset(a);
    }
    assert_true(known >= 1);
    assert_int_equal(answer(a, t[2], 3 * P), 0); /* all that is not pinned */
    assert_int_equal(infer_session_grow(b, 1, &e), CROFT_E_NO_ROOM);
    assert_non_null(strstr(e.msg, "4 pages"));
    infer_pages_unpin(p, t[1], 100);
    assert_ok(infer_session_grow(b, 1, &e), e);
    assert_int_equal(infer_session_grow(a, CTX, &e), CROFT_E_NO_ROOM);
    assert_int_equal(infer_session_eval(b, t[0], P + 1, INFER_LOGITS_LAST, &e),
                     CROFT_E_NO_ROOM); /* not grown for it */
    infer_session_free(a);
    infer_session_free(b);
    infer_pages_free(p);
}

/* Many sessions in turns that adopt, answer, go back and leave, against sessions of their own. */
static void at_random(void **state)
{
    enum { SESSIONS = 5, ROUNDS = 120 };
    struct err e = {0};
    struct infer_pages *p = pages_of(16);
    struct infer_session *s[SESSIONS];
    uint32_t seed = 7, adopted = 0, refused = 0;
    for (int i = 0; i < SESSIONS; i++) s[i] = session_on(p);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t t[CTX];
        seed = seed * 1664525 + 1013904223;
        struct infer_session *who = s[seed >> 8 & 3];
        write_text(t, seed >> 12 & 255, seed >> 20 & 3);
        uint32_t n = 2 + (seed >> 22) % 400;
        reset(who);
        uint32_t had = infer_session_adopt(who, t, n);
        adopted += had;
        reset(who);
        if (infer_session_grow(who, n, &e) == 0) {
            reset(who);
            answer(who, t, n);
            if (seed & 1024) infer_session_leave(who);
            if (seed & 2048) assert_ok(infer_session_truncate(who, n / 2, &e), e);
        } else {
            refused++;
            for (int i = 0; i < SESSIONS; i++) reset(s[i]);
        }
    }
    assert_true(adopted > 1000);
    uint32_t all, used, kept;
    for (int i = 0; i < SESSIONS; i++) reset(s[i]);
    infer_pages_count(p, &all, &used, &kept);
    assert_int_equal(used, 0);
    for (int i = 0; i < SESSIONS; i++) infer_session_free(s[i]);
    infer_pages_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_prefix), cmocka_unit_test(never_written),
                                       cmocka_unit_test(making_room), cmocka_unit_test(at_random)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
