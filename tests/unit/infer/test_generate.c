/* Generation: a real model's greedy story, stop strings, log-probabilities, reuse of what a session holds,
 * and ends. */
#include "golden.h"
#include "infer_generate.h"

#define STORY "../shared/models/stories260K"

struct heard {
    struct buf text;
    int pieces, stop_after;
    float first_logprob, first_top;
    int32_t first, last;
};

static int hear(void *user, const struct croft_piece *p)
{
    struct heard *h = user;
    buf_add(&h->text, p->text, p->n);
    assert_int_equal(p->text[p->n], 0);
    if (h->pieces++ == 0) {
        h->first = p->token;
        h->first_logprob = p->logprob;
        h->first_top = p->n_top ? p->top[0].logprob : 0;
    }
    h->last = p->token;
    return h->pieces == h->stop_after;
}

static void heard_init(struct heard *h)
{
    memset(h, 0, sizeof *h);
    buf_init(&h->text, 1 << 20);
}

struct story {
    struct infer_engine *g;
    struct infer_session *s;
    struct tok *tok;
    int32_t *prompt;
    size_t n;
};

static bool story_open(struct story *t)
{
    struct plat_map map;
    struct err e = {0};
    const char *text = "Once upon a time";
    if (plat_map_open(&map, STORY ".gguf")) {
        print_message("SKIP: " STORY ".gguf\n");
        return false;
    }
    plat_map_close(&map);
    t->g = golden_engine(STORY ".gguf", 2, NULL);
    t->s = golden_session(t->g, 256, 0, 1, INFER_KV_F32);
    assert_ok(tok_new(infer_engine_gguf(t->g), &t->tok, &e), e);
    assert_ok(tok_encode(t->tok, text, strlen(text), TOK_ADD_SPECIAL, 100, &t->prompt, &t->n, &e), e);
    return true;
}

static void story_close(struct story *t)
{
    mem_free(t->prompt);
    tok_free(t->tok);
    infer_session_free(t->s);
    infer_engine_close(t->g);
}

static void greedy_story(void **state)
{
    struct story t;
    struct plat_map want;
    struct heard h;
    struct err e = {0};
    struct croft_result r;
    if (!story_open(&t)) skip();
    assert_int_equal(plat_map_open(&want, STORY ".greedy.txt"), 0);
    size_t n = want.size;
    while (n && want.data[n - 1] == '\n') n--;
    heard_init(&h);
    buf_str(&h.text, " Once upon a time");
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, NULL, hear, &h, &r, &e), e);
    assert_int_equal(r.end, CROFT_END_LENGTH);         /* 256 positions */
    assert_int_equal(r.n_prompt + r.n_generated, 257); /* the last token need not be evaluated */
    assert_true(h.text.len > n);
    assert_memory_equal(h.text.data, want.data, n);
    buf_done(&h.text);
    plat_map_close(&want);
    story_close(&t);
}

static void stops(void **state)
{
    struct story t;
    struct heard h;
    struct err e = {0};
    struct croft_result r;
    struct croft_sampling p;
    const char *const stop[] = {"Lily. She", "!!"};
    if (!story_open(&t)) skip();
    croft_sampling_init(&p);
    p.stop = stop;
    p.n_stop = 2;
    p.logprobs = 1;
    p.n_top = 3;
    heard_init(&h);
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &h, &r, &e), e);
    assert_int_equal(r.end, CROFT_END_STOP_STRING);
    assert_string_equal(h.text.data, ", there was a little girl named ");
    assert_true(h.first_logprob < 0 &&
                h.first_logprob == h.first_top); /* greedy: the chosen is the most likely */
    assert_int_equal(r.n_reused, 0);
    buf_done(&h.text);

    heard_init(&h); /* again: the prompt is there already, but for the token that gives the logits */
    p.n_stop = 0;
    p.max_tokens = 5;
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &h, &r, &e), e);
    assert_int_equal(r.n_reused, t.n - 1);
    assert_int_equal(r.n_generated, 5);
    assert_int_equal(r.end, CROFT_END_LENGTH);
    buf_done(&h.text);

    heard_init(&h);
    h.stop_after = 2;
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &h, &r, &e), e);
    assert_int_equal(r.end, CROFT_END_CALLBACK);
    assert_int_equal(h.pieces, 2);
    buf_done(&h.text);
    story_close(&t);
}

static void seeds(void **state)
{
    struct story t;
    struct heard a, b, c;
    struct err e = {0};
    struct croft_sampling p;
    if (!story_open(&t)) skip();
    croft_sampling_init(&p);
    p.temperature = 1;
    p.seed = 7;
    p.max_tokens = 40;
    heard_init(&a), heard_init(&b), heard_init(&c);
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &a, NULL, &e), e);
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &b, NULL, &e), e);
    p.seed = 8;
    assert_ok(infer_generate(t.s, t.tok, t.prompt, t.n, &p, hear, &c, NULL, &e), e);
    assert_string_equal(a.text.data, b.text.data);
    assert_string_not_equal(a.text.data, c.text.data);
    buf_done(&a.text), buf_done(&b.text), buf_done(&c.text);
    story_close(&t);
}

/* Without a tokenizer, on the committed models; recurrent ones start anew when the prompt is not an
 * extension. */
static void ids_only(void **state)
{
    static const char *const models[] = {GOLDEN_DIR "/llama.gguf", GOLDEN_DIR "/qwen35.gguf"};
    int32_t prompt[6] = {5, 9, 2, 30, 7, 1};
    for (int k = 0; k < 2; k++) {
        struct infer_engine *g = golden_engine(models[k], 2, NULL);
        struct infer_session *s = golden_session(g, 10, 0, 1, INFER_KV_F32);
        struct croft_sampling p;
        struct croft_result r;
        struct err e = {0};
        struct heard a, b;
        heard_init(&a), heard_init(&b);
        croft_sampling_init(&p);
        p.max_tokens = 3;
        assert_ok(infer_generate(s, NULL, prompt, 6, &p, hear, &a, &r, &e), e);
        assert_int_equal(r.n_generated, 3);
        assert_int_equal(infer_session_n_past(s), 8);
        assert_ok(infer_generate(s, NULL, prompt, 6, &p, hear, &b, &r, &e), e);
        assert_int_equal(r.n_reused, k ? 0 : 5);
        assert_int_equal(a.first, b.first);
        assert_int_equal(a.last, b.last);
        assert_int_equal(infer_generate(s, NULL, prompt, 0, &p, hear, &b, &r, &e), CROFT_E_USAGE);
        assert_int_equal(infer_generate(s, NULL, (int32_t[11]){0}, 11, &p, hear, &b, &r, &e),
                         CROFT_E_NO_ROOM);
        assert_non_null(strstr(e.msg, "1 too many"));
        infer_session_cancel(s);
        assert_int_equal(infer_generate(s, NULL, prompt, 6, &p, hear, &b, &r, &e), CROFT_E_CANCELLED);
        assert_ok(infer_generate(s, NULL, prompt, 6, &p, hear, &b, &r, &e), e);
        buf_done(&a.text), buf_done(&b.text);
        infer_session_free(s);
        infer_engine_close(g);
    }
}

/* A full context ends the answer, unless a shift is asked for: then the session holds the first n_keep tokens and the
 * newer half, and its logits are those of a fresh session that was given just these. */
static void context_shift(void **state)
{
    enum { CTX = 32, KEEP = 3 };
    struct infer_engine *g = golden_engine("tests/golden/logits/llama.gguf", 1, NULL);
    struct infer_session *s = golden_session(g, CTX, 0, 1, INFER_KV_F32), *fresh;
    struct err e = {0};
    struct croft_result r;
    struct croft_sampling p;
    static const int32_t prompt[] = {1, 2, 3, 4, 5};
    croft_sampling_init(&p);
    p.max_tokens = 100;
    assert_ok(infer_generate(s, NULL, prompt, 5, &p, NULL, NULL, &r, &e), e);
    assert_int_equal(r.end, CROFT_END_LENGTH);
    assert_int_equal(r.n_generated, CTX - 5 + 1);
    p.context_shift = 1;
    p.n_keep = KEEP;
    assert_ok(infer_session_truncate(s, 0, &e), e);
    assert_ok(infer_generate(s, NULL, prompt, 5, &p, NULL, NULL, &r, &e), e);
    assert_int_equal(r.n_generated, 100);
    assert_memory_equal(infer_session_tokens(s), prompt, KEEP * sizeof *prompt);
    uint32_t n = infer_session_n_past(s), n_vocab = infer_engine_model(g)->n_vocab;
    assert_true(n <= CTX);
    fresh = golden_session(g, CTX, 0, 1, INFER_KV_F32);
    assert_ok(infer_session_eval(fresh, infer_session_tokens(s), n, INFER_LOGITS_LAST, &e), e);
    for (uint32_t i = 0; i < n_vocab; i++) {
        float a = infer_session_logits(s, 0)[i], b = infer_session_logits(fresh, 0)[i];
        if (!(fabsf(a - b) < 1e-4f)) fail_msg("logit %u: %f is not %f", i, a, b);
    }
    infer_session_free(fresh);
    infer_session_free(s);
    s = golden_session(g, 1, 0, 1, INFER_KV_F32); /* nothing can be kept of one token: the answer ends */
    assert_ok(infer_generate(s, NULL, prompt, 1, &p, NULL, NULL, &r, &e), e);
    assert_int_equal(r.end, CROFT_END_LENGTH);
    assert_int_equal(r.n_generated, 1);
    infer_session_free(s);
    infer_engine_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_story),
        cmocka_unit_test(stops),
        cmocka_unit_test(seeds),
        cmocka_unit_test(ids_only),
        cmocka_unit_test(context_shift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
