/* The sampler, log-probabilities and stop strings. Expected numbers were computed with Python's math module;
 * the random numbers are SplitMix64's published ones for the seed 1234567. */
#include "golden.h"
#include "infer_sample.h"
#include "kern_ops.h"

static const float logits[6] = {2, 1, 0.5, 0, -1, -3};
static const double share[6] = {0.560893, 0.206341, 0.125152, 0.075909, 0.027925, 0.003779}; /* of e^logit */
enum { DRAWS = 40000 };

/* Frequencies of DRAWS tokens under p. */
static void draw(const struct infer_sample_params *p, double freq[6])
{
    struct infer_sampler *s;
    struct err e = {0};
    assert_ok(infer_sampler_new(p, 6, &s, &e), e);
    memset(freq, 0, 6 * sizeof *freq);
    uint64_t before = mem_count();
    for (int i = 0; i < DRAWS; i++) freq[infer_sampler_draw(s, logits, NULL)] += 1.0 / DRAWS;
    assert_int_equal(mem_count(), before);
    infer_sampler_free(s);
}

/* The tokens of `mask` with their share of its mass, and no others. */
static void expect(const struct infer_sample_params *p, unsigned mask)
{
    double freq[6], mass = 0;
    draw(p, freq);
    for (int i = 0; i < 6; i++) mass += mask >> i & 1 ? share[i] : 0;
    for (int i = 0; i < 6; i++) {
        double want = mask >> i & 1 ? share[i] / mass : 0;
        if (want == 0 ? freq[i] != 0 : fabs(freq[i] - want) > 0.01)
            fail_msg("token %d: %.4f, expected %.4f", i, freq[i], want);
    }
}

static void filters(void **state)
{
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    p.temperature = 1;
    expect(&p, 0x3f);
    p.top_k = 3;
    expect(&p, 0x07);
    p.top_k = 100;
    expect(&p, 0x3f);
    p.top_k = 0;
    p.top_p = 0.80f; /* 0.56 + 0.21 = 0.77 is not enough */
    expect(&p, 0x07);
    p.top_p = 0;
    expect(&p, 0x01);
    p.top_p = 1;
    p.min_p = 0.13f; /* of 0.5609: 0.0729 */
    expect(&p, 0x0f);
    p.min_p = 0;
    p.typical_p = 0.5f; /* distances 0.65 0.34 0.85 ...: token 1, then token 0 */
    expect(&p, 0x03);
    p.typical_p = 0.15f;
    expect(&p, 0x02);
    p.typical_p = 1;
    p.top_k = 4; /* then, of the four, 0.8 of their mass: 0.579 + 0.213 = 0.792 needs the third */
    p.top_p = 0.8f;
    expect(&p, 0x07);
}

static void temperature(void **state)
{
    static const double cold[6] = {0.829213, 0.112222, 0.041284,
                                   0.015188, 0.002055, 0.000038}; /* of e^(2 logit) */
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    double freq[6];
    p.temperature = 0.5f;
    draw(&p, freq);
    for (int i = 0; i < 6; i++) assert_true(fabs(freq[i] - cold[i]) < 0.01);
    p.temperature = 0;
    draw(&p, freq);
    assert_true(freq[0] > 0.999);
}

/* What overflows to infinity still leaves one token that is drawn, never a place outside the candidates. */
static void infinities(void **state)
{
    static const float all_below[6] = {-3, -1, -2, -30, -30, -30};
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    struct croft_bias up[2] = {{3, INFINITY}, {5, 1e38f}};
    struct infer_sampler *s;
    struct err e = {0};
    p.temperature = 1;
    p.bias = up;
    p.n_bias = 2;
    for (int filter = 0; filter < 5; filter++) {
        p.min_p = filter == 1 ? 0.05f : 0;
        p.top_p = filter == 2 ? 0.9f : 1;
        p.typical_p = filter == 3 ? 0.9f : 1;
        p.top_k = filter == 4 ? 2 : 0;
        assert_ok(infer_sampler_new(&p, 6, &s, &e), e);
        for (int i = 0; i < 20; i++) assert_int_equal(infer_sampler_draw(s, logits, NULL), 3);
        infer_sampler_free(s);
    }
    p.top_k = p.n_bias = 0;
    p.temperature = 1e-40f; /* all of -3, -1, … / 1e-40 are minus infinity */
    assert_ok(infer_sampler_new(&p, 6, &s, &e), e);
    for (int i = 0; i < 20; i++) assert_int_equal(infer_sampler_draw(s, all_below, NULL), 1);
    infer_sampler_free(s);
}

static void random_numbers(void **state)
{
    static const int32_t want[5] = {350, 173, 532, 249, 889};
    static float flat[1000];
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    struct infer_sampler *s;
    struct err e = {0};
    p.temperature = 1;
    p.seed = 1234567;
    assert_ok(infer_sampler_new(&p, 1000, &s, &e), e);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 5; i++) assert_int_equal(infer_sampler_draw(s, flat, NULL), want[i]);
        infer_sampler_reset(s);
    }
    infer_sampler_free(s);
}

/* Samplers that share their scratch draw what each draws with its own. */
static void shared_room(void **state)
{
    enum { SAMPLERS = 3, VOCAB = 200 };
    struct infer_sample_room *room = NULL;
    struct infer_sampler *own[SAMPLERS], *shares[SAMPLERS];
    struct err e = {0};
    float x[VOCAB];
    assert_ok(infer_sample_room_new(VOCAB, &room, &e), e);
    for (int i = 0; i < SAMPLERS; i++) {
        struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
        p.temperature = i ? 1 : 0;
        p.seed = 3;
        p.top_k = i == 1 ? 20 : 0;
        p.repeat_penalty = i == 2 ? 1.3f : 1;
        assert_ok(infer_sampler_new(&p, VOCAB, &own[i], &e), e);
        p.room = room;
        assert_ok(infer_sampler_new(&p, VOCAB, &shares[i], &e), e);
    }
    for (int round = 0; round < 40; round++)
        for (int i = 0; i < SAMPLERS; i++) {
            for (int k = 0; k < VOCAB; k++) x[k] = (float)((k * 37 + round * 11 + i * 5) % 101) / 10;
            int32_t want = infer_sampler_draw(own[i], x, NULL);
            assert_int_equal(infer_sampler_draw(shares[i], x, NULL), want);
            infer_sampler_accept(own[i], want);
            infer_sampler_accept(shares[i], want);
        }
    for (int i = 0; i < SAMPLERS; i++) {
        infer_sampler_free(own[i]);
        infer_sampler_free(shares[i]);
    }
    infer_sample_room_free(room);
}

static int32_t greedy_after(const struct infer_sample_params *p, const int32_t *history, int n)
{
    struct infer_sampler *s;
    struct err e = {0};
    assert_ok(infer_sampler_new(p, 6, &s, &e), e);
    for (int i = 0; i < n; i++) infer_sampler_accept(s, history[i]);
    int32_t t = infer_sampler_draw(s, logits, NULL);
    infer_sampler_free(s);
    return t;
}

static void penalties(void **state)
{
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    int32_t once[] = {0}, thrice[] = {0, 0, 0}, old[] = {0, 3, 3, 3};
    p.repeat_penalty = 1.9f; /* 2 / 1.9 = 1.05 > 1 */
    assert_int_equal(greedy_after(&p, once, 1), 0);
    p.repeat_penalty = 2.1f; /* 0.95 < 1 */
    assert_int_equal(greedy_after(&p, once, 1), 1);
    assert_int_equal(greedy_after(&p, old, 4), 1);
    p.penalty_last_n = 3; /* token 0 is forgotten */
    assert_int_equal(greedy_after(&p, old, 4), 0);
    p = (struct infer_sample_params)INFER_SAMPLE_DEFAULTS;
    p.frequency_penalty = 0.4f; /* 2 - 3 * 0.4 = 0.8 */
    assert_int_equal(greedy_after(&p, once, 1), 0);
    assert_int_equal(greedy_after(&p, thrice, 3), 1);
    p.frequency_penalty = 0;
    p.presence_penalty = 0.9f; /* 2 - 0.9 = 1.1, however often */
    assert_int_equal(greedy_after(&p, thrice, 3), 0);
    p.presence_penalty = 1.1f;
    assert_int_equal(greedy_after(&p, once, 1), 1);
}

static void bias(void **state)
{
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    struct croft_bias b[6] = {{0, -INFINITY}, {4, 5}};
    p.bias = b;
    p.n_bias = 1;
    assert_int_equal(greedy_after(&p, NULL, 0), 1);
    p.n_bias = 2;
    assert_int_equal(greedy_after(&p, NULL, 0), 4);
    for (int i = 0; i < 6; i++) b[i] = (struct croft_bias){i, -INFINITY};
    p.n_bias = 6;
    assert_int_equal(greedy_after(&p, NULL, 0), -1);
    p.temperature = 1;
    assert_int_equal(greedy_after(&p, NULL, 0), -1);
}

static void bad_parameters(void **state)
{
    struct croft_bias b = {6, 1};
    const struct infer_sample_params ok = INFER_SAMPLE_DEFAULTS;
    struct infer_sample_params p[] = {ok, ok, ok, ok, ok};
    struct infer_sampler *s = NULL;
    struct err e = {0};
    p[0].temperature = NAN;
    p[1].repeat_penalty = 0;
    p[2].top_p = -1;
    p[3].penalty_last_n = -2;
    p[4].bias = &b, p[4].n_bias = 1;
    for (int i = 0; i < 5; i++) assert_int_equal(infer_sampler_new(&p[i], 6, &s, &e), CROFT_E_USAGE);
    for (long nth = 1; nth <= 5; nth++) {
        mem_fail_nth(nth);
        assert_int_equal(infer_sampler_new(&ok, 6, &s, &e), CROFT_E_NOMEM);
        mem_fail_nth(0);
    }
}

/* A vocabulary of many blocks, against the plain way: sort all of it, walk through the shares. */
enum { LARGE = 5003 };
static float large[LARGE];

static int by_likelihood(const void *a, const void *b)
{
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    return large[i] != large[j] ? (large[i] < large[j] ? 1 : -1) : i - j;
}

static void fill_large(uint64_t state)
{
    for (int i = 0; i < LARGE; i++) { /* few distinct values: many ties */
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        large[i] = (float)((int)(state >> 40) % 97) / 8 - 5;
    }
    large[17] = -INFINITY;
    large[18] = NAN;
}

static void large_vocabulary(void **state)
{
    static int32_t order[LARGE];
    struct err e = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
        struct infer_sampler *s;
        int n = 0, k = seed % 2 ? 40 : 120; /* 79 blocks: fewer and more than them */
        fill_large(seed);
        for (int i = 0; i < k && seed > 10; i++) /* the k best lie in k blocks, if there are so many */
            large[i * 64 % LARGE + i * 64 / LARGE] = 20 + (float)(i * 37 % k) / 16;
        for (int i = 0; i < LARGE; i++)
            if (large[i] > -INFINITY) order[n++] = i;
        qsort(order, n, sizeof *order, by_likelihood);
        assert_ok(infer_sampler_new(&p, LARGE, &s, &e), e);
        assert_int_equal(infer_sampler_draw(s, large, NULL), order[0]);
        infer_sampler_free(s);

        p.temperature = 1;
        p.top_k = k;
        p.seed = seed;
        assert_ok(infer_sampler_new(&p, LARGE, &s, &e), e);
        double sum = 0;
        for (int i = 0; i < k; i++) sum += exp((double)large[order[i]] - large[order[0]]);
        uint64_t z = 0, rng = seed;
        for (int draws = 0; draws < 50; draws++) {
            z = rng += 0x9E3779B97F4A7C15ull;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
            double u = (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
            int i = 0;
            for (; i + 1 < k; i++)
                if ((u -= exp((double)large[order[i]] - large[order[0]]) / sum) < 0) break;
            assert_int_equal(infer_sampler_draw(s, large, NULL), order[i]);
        }
        infer_sampler_free(s);
    }
}

/* Bias and penalties reach single tokens of a large vocabulary. */
static void large_adjusted(void **state)
{
    struct err e = {0};
    struct croft_bias bias[] = {{4000, 30}, {10, 20}};
    struct infer_sample_params p = INFER_SAMPLE_DEFAULTS;
    struct infer_sampler *s;
    p.bias = bias;
    p.n_bias = 2;
    p.presence_penalty = 25;
    fill_large(3);
    assert_ok(infer_sampler_new(&p, LARGE, &s, &e), e);
    assert_int_equal(infer_sampler_draw(s, large, NULL), 4000);
    infer_sampler_accept(s, 4000);
    assert_int_equal(infer_sampler_draw(s, large, NULL), 10);
    infer_sampler_free(s);
}

static void log_sums(void **state)
{
    for (const char *const *level = kern_levels(); *level; level++) {
        const struct kern_ops *k = kern_level_get(*level);
        if (!k) continue;
        for (uint64_t seed = 1; seed <= 5; seed++) {
            double sum = 0;
            fill_large(seed);
            large[18] = 90; /* far above the rest */
            for (int i = 0; i < LARGE; i++) sum += exp((double)large[i] * (seed > 1 ? 1 : 0.01));
            for (int i = 0; i < LARGE && seed == 1; i++) large[i] *= 0.01f;
            assert_float_equal(infer_log_sum(k, large, LARGE), log(sum), 2e-6 * fmax(1, log(sum)));
        }
    }
}

static void log_probabilities(void **state)
{
    struct croft_logprob top[8];
    assert_float_equal(infer_logprob(kern_get(NULL), logits, 6, 0), -0.578224, 1e-5);
    assert_float_equal(infer_logprob(kern_get(NULL), logits, 6, 5), -5.578224, 1e-5);
    assert_true(isinf(infer_logprob(kern_get(NULL), logits, 6, 6)));
    const float shuffled[6] = {0.5, -3, 2, 1, -1, 0};
    assert_int_equal(infer_top_logprobs(kern_get(NULL), shuffled, 6, 3, top), 3);
    assert_int_equal(top[0].token, 2);
    assert_int_equal(top[1].token, 3);
    assert_int_equal(top[2].token, 0);
    assert_float_equal(top[1].logprob, -1.578224, 1e-5);
    assert_int_equal(infer_top_logprobs(kern_get(NULL), shuffled, 6, 8, top), 6);
    assert_int_equal(top[5].token, 1);
    assert_int_equal(infer_top_logprobs(kern_get(NULL), shuffled, 6, 0, top), 0);
}

/* Feed `text` in pieces of 1 … 5 bytes: what comes out must always be `want`. */
static void stops_at(const char *const *strings, size_t n, const char *text, const char *want, bool stopped)
{
    for (size_t step = 1; step <= 5; step++) {
        struct infer_stop s;
        struct err e = {0};
        struct buf out;
        buf_init(&out, 1000);
        assert_ok(infer_stop_init(&s, strings, n, &e), e);
        for (size_t i = 0; i < strlen(text); i += step)
            infer_stop_push(&s, text + i, strlen(text) - i < step ? strlen(text) - i : step, &out);
        infer_stop_flush(&s, &out);
        assert_string_equal(out.data ? out.data : "", want);
        assert_int_equal(s.stopped, stopped);
        buf_done(&out);
    }
}

static void stop_strings(void **state)
{
    const char *const one[] = {"</s>"}, *const twisted[] = {"aab", "abcd", "bc"}, *const none[] = {"zzz"};
    stops_at(one, 1, "Hello</s>more", "Hello", true);
    stops_at(one, 1, "a < b </ c </s", "a < b </ c </s", false);
    stops_at(one, 1, "<</s>", "<", true);
    stops_at(twisted, 3, "aaab!", "a", true);
    stops_at(twisted, 3, "xabc", "xa", true); /* "bc" is met before "abcd" can be */
    stops_at(twisted, 3, "abab ab", "abab ab", false);
    stops_at(none, 1, "zz zzy", "zz zzy", false);
    stops_at(none, 0, "plain", "plain", false);

    struct infer_stop s;
    struct err e = {0};
    struct buf out;
    buf_init(&out, 100);
    assert_ok(infer_stop_init(&s, one, 1, &e), e);
    infer_stop_push(&s, "x<", 2, &out);
    assert_string_equal(out.data, "x"); /* '<' may begin it */
    buf_done(&out);
    const char *const empty[] = {""};
    assert_int_equal(infer_stop_init(&s, empty, 1, &e), CROFT_E_USAGE);
    assert_int_equal(infer_stop_init(&s, twisted, 17, &e), CROFT_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),          cmocka_unit_test(temperature),    cmocka_unit_test(random_numbers),
        cmocka_unit_test(shared_room),      cmocka_unit_test(penalties),      cmocka_unit_test(bias),
        cmocka_unit_test(bad_parameters),   cmocka_unit_test(infinities),     cmocka_unit_test(log_probabilities),
        cmocka_unit_test(large_vocabulary), cmocka_unit_test(large_adjusted), cmocka_unit_test(log_sums),
        cmocka_unit_test(stop_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
