/* Calibration. Numbers against scipy 1.17 (betainc, binom.cdf, beta.ppf) and scikit-learn (IsotonicRegression); the
 * guarantee by simulation: 1,000 calibration sets drawn from a world whose true error rates are known. */
#include "base_mem.h"
#include "calib.h"
#include "plat_file.h"
#include "task_fit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NEAR(got, want, tolerance)                                                                                   \
    do {                                                                                                             \
        double g_ = (got), w_ = (want);                                                                              \
        if (!(fabs(g_ - w_) <= (tolerance))) fail_msg("%.15g is not %.15g", g_, w_);                                 \
    } while (0)

/* ---- numbers ---- */

static void beta_and_binomial(void **state)
{
    static const double beta[][4] = {{1, 1, 0.3, 0.3},
                                     {0.5, 0.5, 0.2, 0.295167235300867},
                                     {2, 3, 0.4, 0.5248},
                                     {10, 2, 0.95, 0.898105408857568},
                                     {200, 31, 0.9, 0.945863866067854},
                                     {3000, 51, 0.985, 0.764160995434906},
                                     {1e6, 5e4, 0.9525, 0.716302991105639},
                                     {59, 1, 0.95, 0.0484945252494231},
                                     {3, 4, 0, 0},
                                     {3, 4, 1, 1}};
    static const double binomial[][4] = {{0, 59, 0.05, 0.0484945252494232},
                                         {3, 100, 0.05, 0.257838659116015},
                                         {20, 500, 0.06, 0.0312945517243488},
                                         {7, 7, 0.1, 1},
                                         {45, 1550, 0.03, 0.449889747993915}};
    for (size_t i = 0; i < sizeof beta / sizeof *beta; i++)
        NEAR(task_stat_beta(beta[i][0], beta[i][1], beta[i][2]), beta[i][3], 1e-9);
    for (size_t i = 0; i < sizeof binomial / sizeof *binomial; i++)
        NEAR(task_stat_binomial((uint64_t)binomial[i][0], (uint64_t)binomial[i][1], binomial[i][2]), binomial[i][3],
             1e-12);
}

static void clopper_pearson(void **state)
{
    static const double want[][4] = {
        {0, 59, 0.95, 0.0495076098882269},   {0, 1, 0.9, 0.9},  {3, 100, 0.95, 0.07571079374983},
        {20, 500, 0.99, 0.0653379963632774}, {10, 10, 0.95, 1}, {45, 1550, 0.975, 0.0386560861465323},
        {1, 20, 0.5, 0.0825096600031621}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        NEAR(task_stat_upper((uint64_t)want[i][0], (uint64_t)want[i][1], want[i][2]), want[i][3], 1e-11);
}

static void p_values(void **state)
{
    static const double bounded[][4] = {{0.02, 300, 0.05, 0.0178845938763272},
                                        {0.031, 500, 0.05, 0.0932103911248867},
                                        {0, 60, 0.1, 0.00179701029991443},
                                        {0.2, 100, 0.1, 1},
                                        {0.0437, 1000, 0.06, 0.044292146273743}};
    for (size_t i = 0; i < sizeof bounded / sizeof *bounded; i++)
        NEAR(task_stat_p_value(bounded[i][0], (uint64_t)bounded[i][1], bounded[i][2], false), bounded[i][3], 1e-11);
    NEAR(task_stat_p_value(0.04, 500, 0.06, true), 0.0312945517243488, 1e-12); /* 20 of 500: the binomial tail */
    NEAR(task_stat_p_value(0, 0, 0.05, true), 1, 0);
    assert_int_equal(task_stat_needed(0.05, 0.95), 59); /* ln 0.05 / ln 0.95 = 58.4 */
    assert_int_equal(task_stat_needed(0.02, 0.95), 149);
    assert_int_equal(task_stat_needed(0.1, 0.9), 22);
}

static void isotonic(void **state)
{
    struct task_scored pair[] = {{.9f, 1}, {.1f, 0}, {.5f, 0}, {.2f, 1}, {.3f, 0},
                                 {.2f, 0}, {.4f, 1}, {.6f, 1}, {.8f, 0}, {.7f, 1}};
    static const float x[] = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f};
    static const double y[] = {0, 1. / 3, 1. / 3, 0.5, 0.5, 2. / 3, 2. / 3, 2. / 3, 1};
    float at[10], value[10];
    size_t n = task_stat_isotonic(pair, 10, at, value);
    for (int i = 0; i < 9; i++) {
        size_t k = n;
        while (k && at[k - 1] > x[i]) k--;
        assert_int_not_equal(k, 0);
        NEAR((double)value[k - 1], y[i], 1e-6);
    }
}

/* ---- the guarantee ---- */

static uint64_t seed = 1;

static double uniform(void) /* splitmix64 */
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

enum { SETS = 1000 };
static const double target = 0.05, risk = 0.1; /* of breaking the promise: 1 - confidence */

/* As many breaks as 1,000 sets have by chance, with three standard deviations, if each has probability `risk`. */
static double most_breaks(void) { return SETS * risk + 3 * sqrt(SETS * risk * (1 - risk)); }

/* Error rate at a score, in three worlds; and among all scores ≥ t, which is its integral over [t, 1] / (1 - t). */
static double rate(int world, double u)
{
    return world == 0 ? 0.3 * (1 - u) * (1 - u) : world == 1 ? 0.055 : 0.12 * (1 - u);
}

static double rate_above(int world, double t)
{
    return world == 0 ? 0.1 * (1 - t) * (1 - t) : world == 1 ? 0.055 : 0.06 * (1 - t);
}

/* What the answers are ranked by: their probability of being right, but where all have the same. And back. */
static double score_of(int world, double u) { return world == 1 ? u : 1 - rate(world, u); }
static double u_of(int world, double score)
{
    return world == 1 ? score : world == 0 ? 1 - sqrt((1 - score) / 0.3) : 1 - (1 - score) / 0.12;
}

static void draw(struct task_scored *s, size_t n, int world, bool graded)
{
    for (size_t i = 0; i < n; i++) {
        double u = uniform(), p = rate(world, u);
        bool wrong = uniform() < (graded ? 2 * p : p);
        s[i] = (struct task_scored){(float)score_of(world, u),
                                    wrong ? (graded ? (float)uniform() : 1) : 0}; /* graded: mean 1/2 */
    }
}

/* The lowest threshold whose own bound is below the target: a bound for each candidate, the best of those that pass.
 */
static float naive(const struct task_scored *sorted, size_t n)
{
    float best = 2;
    uint64_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += sorted[i].loss > 0;
        if (task_stat_p_value((double)wrong / (double)(i + 1), i + 1, target, true) <= risk) best = sorted[i].score;
    }
    return best;
}

static void the_promise_is_kept(void **state)
{
    enum { N = 600 };
    struct task_scored a[N], b[N];
    struct err e = {0};
    for (int world = 0; world < 3; world++)
        for (int graded = 0; graded < 2; graded++) {
            int broken = 0, broken_naively = 0, found = 0;
            double coverage = 0;
            for (int set = 0; set < SETS; set++) {
                struct task_threshold t;
                draw(a, N, world, graded);
                draw(b, N, world, graded);
                assert_int_equal(task_stat_threshold(a, N, b, N, target, 1 - risk, !graded, &t, &e), 0);
                found += t.holds;
                double at = u_of(world, (double)t.at);
                if (t.holds) coverage += 1 - at;
                broken += t.holds && rate_above(world, at) > target;
                float n = graded ? 2 : naive(b, N); /* b is sorted now */
                broken_naively += n <= 1 && rate_above(world, u_of(world, (double)n)) > target;
            }
            if (broken > most_breaks()) fail_msg("world %d, graded %d: %d of %d broken", world, graded, broken, SETS);
            if (world == 1 && !graded && broken_naively <= most_breaks())
                fail_msg("a bound for each candidate broke only %d of %d", broken_naively, SETS);
            /* and it is of use: the best possible coverages are 0.707 and 0.833 */
            if (world != 1 && !graded) assert_true(found > SETS * (world ? 0.7 : 0.9) && coverage / found > 0.5);
        }
}

/* Conformal risk control: the mean over calibration sets of the loss that accepted answers bring to an input is at
 * most the target, and, by the theory's other half, not more than 2 / (n + 1) below. */
static void the_expectation_is_kept(void **state)
{
    enum { N = 100 };
    struct task_scored x[N];
    for (int world = 0; world < 3; world++)
        for (int graded = 0; graded < 2; graded++) {
            double sum = 0, square = 0;
            for (int set = 0; set < SETS; set++) {
                struct task_threshold t;
                draw(x, N, world, graded);
                task_stat_expectation(x, N, target, &t);
                assert_true(t.holds);
                double u = fmax(0, u_of(world, fmin((double)t.at, 1))), loss = rate_above(world, u) * (1 - u);
                sum += loss;
                square += loss * loss;
            }
            double mean = sum / SETS, chance = 3 * sqrt((square / SETS - mean * mean) / SETS);
            if (mean > target + chance || mean < target - 2.0 / (N + 1) - chance)
                fail_msg("world %d, graded %d: %f expected, by chance %f", world, graded, mean, chance);
        }
    struct task_threshold t;
    draw(x, N, 0, false);
    task_stat_expectation(x, 18, target, &t); /* 1 / 19 > 5 % */
    assert_false(t.holds);
    for (int i = 0; i < N; i++) x[i] = (struct task_scored){0.5F, i < 6}; /* equal ones stand or fall together */
    task_stat_expectation(x, N, target, &t);
    assert_true(t.holds && t.n == 0 && (double)t.at > 0.5);
    for (int i = 0; i < N; i++) x[i].loss = 0;
    task_stat_expectation(x, N, target, &t);
    assert_true(t.holds && t.n == N && t.at <= 0.5F && t.loss == 0);
}

/* ---- whole calibrations of a made-up classifier with three labels ---- */

enum { N_LABELS = 3, N_EMBD = 4 };
struct world {
    struct task_observation *item;
    double *probability;
    float *vector;
};

static void world_init(struct world *w, size_t n)
{
    w->item = mem_calloc(n, sizeof *w->item);
    w->probability = mem_calloc(n * N_LABELS, sizeof *w->probability);
    w->vector = mem_calloc(n * N_EMBD, sizeof *w->vector);
}

static void world_done(struct world *w)
{
    mem_free(w->item);
    mem_free(w->probability);
    mem_free(w->vector);
}

/* An input of difficulty 1 - u: the model's probability is overconfident, its error rate is rate(0, u), in the group
 * "b" twice that. */
static double make(struct world *w, size_t i, double u, bool b)
{
    double p = 1 - 0.25 * (1 - u) * (1 - u), *q = w->probability + i * N_LABELS, error = (b ? 2 : 1) * rate(0, u);
    int label = (int)(uniform() * N_LABELS), truth = label;
    for (int k = 0; k < N_LABELS; k++) q[k] = k == label ? p : (1 - p) / (N_LABELS - 1);
    if (uniform() < error) truth = (label + 1) % N_LABELS;
    float *v = w->vector + i * N_EMBD;
    memset(v, 0, N_EMBD * sizeof *v);
    v[label] = (float)(0.9 + 0.1 * uniform());
    w->item[i] = (struct task_observation){
        .signals = {q, label, {0}, v, b ? "b" : "a"}, .loss = truth != label, .truth = truth, .hash = (uint64_t)i};
    return error;
}

static struct task_label labels[] = {{"x", NULL}, {"y", NULL}, {"z", NULL}};
static struct task task = {.name = "made-up", .kind = TASK_CLASSIFY, .labels = labels, .n_labels = N_LABELS};

static struct task_observations of(struct world *w, size_t n)
{
    return (struct task_observations){w->item, n, 0, N_LABELS, N_EMBD, w->probability, w->vector};
}

static void calibrations_keep_it_too(void **state)
{
    enum { N = 1400, GRID = 200 };
    struct world w, grid;
    struct err e = {0};
    int broken[2] = {0, 0}, found[2] = {0, 0};
    world_init(&w, N);
    world_init(&grid, 2 * GRID);
    double truth[2 * GRID];
    for (int i = 0; i < 2 * GRID; i++) truth[i] = make(&grid, (size_t)i, (i / 2 + 0.5) / GRID, i & 1);
    for (int set = 0; set < SETS; set++)
        for (int grouped = 0; grouped < 2; grouped++) {
            struct task_calibration *c;
            struct task_calibrate_params p = {.target_error = target,
                                              .confidence = 1 - risk,
                                              .scope = 0.99,
                                              .map = set % 5 ? TASK_MAP_LOGISTIC : TASK_MAP_ISOTONIC,
                                              .per = grouped ? TASK_PER_GROUP : TASK_PER_NONE};
            size_t n_set = grouped ? N : N / 2;
            for (size_t i = 0; i < n_set; i++) make(&w, i, uniform(), uniform() < 0.5);
            struct task_observations x = of(&w, n_set);
            assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
            double wrong[2] = {0, 0}, n[2] = {0, 0};
            for (int i = 0; i < 2 * GRID; i++) {
                struct task_judgement j = task_calibration_judge(c, &grid.item[i].signals);
                if (j.verdict != TASK_ACCEPT) continue;
                n[grouped && (i & 1)]++;
                wrong[grouped && (i & 1)] += truth[i];
            }
            bool breaks = (n[0] > 0 && wrong[0] / n[0] > target) || (n[1] > 0 && wrong[1] / n[1] > target);
            broken[grouped] += breaks;
            found[grouped] += n[0] > 0;
            task_calibration_free(c);
        }
    if (broken[0] > most_breaks() || broken[1] > most_breaks())
        fail_msg("%d and, with groups, %d of %d broken", broken[0], broken[1], SETS);
    assert_true(found[0] > SETS * 0.5 && found[1] > SETS * 0.2);
    world_done(&w);
    world_done(&grid);
}

/* The confidence is the share that is right: in ten bins of a large sample. */
static void confidence_is_calibrated(void **state)
{
    enum { N = 40000 };
    struct world w;
    struct err e = {0};
    struct task_calibration *c;
    struct task_calibration_check k;
    struct task_calibrate_params p = {.target_error = target, .confidence = 0.95, .scope = 0.99};
    world_init(&w, N);
    for (size_t i = 0; i < N; i++) make(&w, i, uniform(), false);
    struct task_observations x = of(&w, N);
    for (p.map = TASK_MAP_LOGISTIC; p.map <= TASK_MAP_TEMPERATURE; p.map++) {
        assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
        assert_int_equal(task_calibration_check(c, &x, 1, &k, &e), 0);
        assert_int_equal(k.n, N / 2);
        if (!(k.ece_after < 0.015 && k.ece_before > k.ece_after))
            fail_msg("map %d: ECE %f, was %f", (int)p.map, k.ece_after, k.ece_before);
        assert_true(k.ece_chance > 0.001 && k.ece_chance < 0.01 && k.ece_after < 4 * k.ece_chance);
        assert_true(k.loss <= target && k.loss_all > target);
        struct task_promise promise = task_calibration_promise(c);
        assert_true(promise.holds && promise.coverage > 0.6 && promise.coverage < 0.72); /* of 0.707 possible */
        NEAR((double)k.n_accepted / (double)k.n, promise.coverage, 1e-9);
        task_calibration_free(c);
    }
    world_done(&w);
}

static void nothing_safe_accepts_nothing(void **state)
{
    enum { N = 400 };
    struct world w;
    struct err e = {0};
    struct task_calibration *c;
    struct task_calibrate_params p = {.target_error = target, .confidence = 0.95, .scope = 0.99};
    world_init(&w, N);
    for (size_t i = 0; i < N; i++) {
        make(&w, i, uniform(), false);
        w.item[i].loss = i % 3 != 0;
    }
    struct task_observations x = of(&w, N);
    assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
    assert_false(task_calibration_promise(c).holds);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(task_calibration_judge(c, &w.item[i].signals).verdict, TASK_LOW_CONFIDENCE);
    task_calibration_free(c);
    for (size_t i = 0; i < N; i++) w.item[i].loss = 0;
    x.n = 110; /* 55 decide; 59 are needed */
    assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
    assert_false(task_calibration_promise(c).holds);
    task_calibration_free(c);
    x.n = 120;
    assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
    assert_true(task_calibration_promise(c).holds);
    task_calibration_free(c);
    x.n = 12;
    assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), CROFT_E_FORMAT);
    assert_non_null(strstr(e.msg, "118"));
    world_done(&w);
}

/* ---- out of scope, groups, files ---- */

/* Three labels whose inputs lie near three axes, and a fourth direction that none of them has. */
static struct task_calibration *with_everything(struct world *w, struct task_observations *x, enum task_per per)
{
    enum { N = 3000 };
    struct err e = {0};
    struct task_calibration *c;
    unsigned of_train[N_LABELS] = {0, 1, 2};
    float train[N_LABELS * N_EMBD] = {0};
    for (int k = 0; k < N_LABELS; k++) train[k * N_EMBD + k] = 1;
    struct task_calibrate_params p = {.target_error = target,
                                      .confidence = 0.9,
                                      .scope = 0.99,
                                      .per = per,
                                      .train = train,
                                      .train_label = of_train,
                                      .n_train = N_LABELS,
                                      .map = TASK_MAP_ISOTONIC,
                                      .scope_label = "z"};
    world_init(w, N);
    for (size_t i = 0; i < N; i++) {
        make(w, i, uniform(), uniform() < 0.5);
        if (i % 3) w->item[i].loss = 0, w->item[i].truth = w->item[i].signals.label; /* a better model */
    }
    *x = of(w, N);
    assert_int_equal(task_calibrate(&task, x, &p, &c, &e), 0);
    return c;
}

static void verdicts(void **state)
{
    struct world w;
    struct task_observations x;
    struct task_calibration *c = with_everything(&w, &x, TASK_PER_GROUP);
    double sure[] = {0.9999, 0.00005, 0.00005}, unsure[] = {0.76, 0.12, 0.12}, third[] = {0.00005, 0.00005, 0.9999};
    float known[] = {0.95f, 0, 0, 0}, unknown[] = {0, 0, 0, 1};
    struct task_signals s = {sure, 0, {0}, known, "a"};
    assert_int_equal(task_calibration_wants_vector(c), N_EMBD);
    assert_false(task_calibration_wants_tokens(c));
    struct task_judgement j = task_calibration_judge(c, &s);
    assert_int_equal(j.verdict, TASK_ACCEPT);
    assert_true(j.confidence > 0.9 && j.novelty < 1);
    s.vector = unknown;
    j = task_calibration_judge(c, &s);
    assert_int_equal(j.verdict, TASK_OUT_OF_SCOPE);
    assert_true(j.novelty > 1);
    s.vector = known;
    s.probability = unsure;
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_LOW_CONFIDENCE);
    s.probability = third; /* the label that says so itself */
    s.label = 2;
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_OUT_OF_SCOPE);
    s = (struct task_signals){sure, 0, {0}, NULL, "a"}; /* what is missing is not guessed */
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_UNCALIBRATED);
    s = (struct task_signals){sure, 0, {0}, known, NULL};
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_UNCALIBRATED);
    s = (struct task_signals){NULL, 0, {0}, known, "a"};
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_UNCALIBRATED);
    s = (struct task_signals){sure, 0, {0}, known, "never seen"}; /* of the others, of which there are none here */
    assert_int_equal(task_calibration_judge(c, &s).verdict, TASK_LOW_CONFIDENCE);
    assert_int_equal(task_calibration_groups(c), 3);
    task_calibration_free(c);
    world_done(&w);
}

/* Free text: token signals, and a probe that must find the direction in which answers are wrong. */
static void written_answers(void **state)
{
    enum { N = 2000 };
    struct task text = {.name = "made-up", .kind = TASK_GENERATE};
    struct world w;
    struct err e = {0};
    struct task_calibration *c;
    struct task_calibration_check k;
    struct task_calibrate_params p = {.target_error = target, .confidence = 0.95, .scope = 0.99};
    const char *names[16];
    world_init(&w, N);
    for (size_t i = 0; i < N; i++) {
        float *v = w.vector + i * N_EMBD;
        double u = uniform(), hard = uniform();
        for (int d = 0; d < N_EMBD; d++) v[d] = (float)(uniform() - 0.5);
        v[1] = (float)(hard > 0.5);
        struct task_token_signals t = {5 + (uint32_t)i % 7, log(0.5 + u / 2), log(0.2 + 0.8 * u), u, u / 2};
        bool wrong = uniform() < (hard > 0.5 ? 0.4 : 0) + 0.04 * (1 - u);
        w.item[i] =
            (struct task_observation){.signals = {NULL, -1, t, v, NULL}, .loss = wrong, .truth = -1, .hash = i};
    }
    struct task_observations x = {w.item, N, 0, 0, N_EMBD, NULL, w.vector};
    assert_int_equal(task_calibrate(&text, &x, &p, &c, &e), 0);
    assert_int_equal(task_calibration_signals(c, names, 16), 6);
    assert_true(task_calibration_wants_tokens(c) && task_calibration_wants_vector(c) == N_EMBD);
    assert_int_equal(task_calibration_check(c, &x, 1, &k, &e), 0);
    assert_true(k.auroc_error > 0.8 && k.n_accepted > N / 6 && k.loss <= target && k.ece_after < 0.03);
    assert_true(isnan(k.ece_before));
    p.map = TASK_MAP_TEMPERATURE;
    task_calibration_free(c);
    assert_int_equal(task_calibrate(&text, &x, &p, &c, &e), CROFT_E_USAGE);
    world_done(&w);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
}

static void same_judgements(const struct task_calibration *a, const struct task_calibration *b,
                            const struct task_observations *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct task_judgement j = task_calibration_judge(a, &x->item[i].signals);
        struct task_judgement k = task_calibration_judge(b, &x->item[i].signals);
        assert_int_equal(j.verdict, k.verdict);
        NEAR(j.confidence, k.confidence, 0);
        NEAR(j.novelty, k.novelty, 1e-6);
    }
}

static void files(void **state)
{
    char dir[] = "/tmp/croft-calib-XXXXXX", model[64], other[64], name[] = "y", prompt[] = "{{input}}!";
    struct world w;
    struct task_observations x;
    struct err e = {0};
    struct task_calibration *c = with_everything(&w, &x, TASK_PER_LABEL), *d;
    assert_non_null(mkdtemp(dir));
    snprintf(model, sizeof model, "%s/m.gguf", dir);
    snprintf(other, sizeof other, "%s/m.other", dir);
    write_file(model, "weights");
    char *path = task_calibration_path(model, task.name), *fit = task_fit_path(model, task.name);
    assert_int_equal(task_calibration_load(&task, model, &d, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(task_calibration_save(c, &task, model, path, &e), 0);
    assert_int_equal(task_calibration_load(&task, model, &d, &e), 0);
    assert_true(task_calibration_promise(d).holds);
    NEAR(task_calibration_promise(d).threshold, task_calibration_promise(c).threshold, 0);
    assert_int_equal(task_calibration_groups(d), task_calibration_groups(c));
    same_judgements(c, d, &x);
    task_calibration_free(d);
    labels[1].name = name + 1; /* "": another revision of the task */
    assert_int_equal(task_calibration_load(&task, model, &d, &e), CROFT_E_DIGEST);
    labels[1].name = name;
    task.prompt = prompt;
    assert_int_equal(task_calibration_load(&task, model, &d, &e), CROFT_E_DIGEST);
    task.prompt = NULL;
    write_file(fit, "{}"); /* a fit that was not there */
    assert_int_equal(task_calibration_load(&task, model, &d, &e), CROFT_E_DIGEST);
    unlink(fit);
    write_file(model, "Weights");
    assert_int_equal(task_calibration_load(&task, model, &d, &e), CROFT_E_DIGEST);
    write_file(model, "weights");
    /* refused allocations: an error, never a leak or a calibration */
    for (long nth = 1;; nth++) {
        mem_fail_nth(nth);
        int rc = task_calibration_load(&task, model, &d, &e);
        mem_fail_nth(0);
        if (rc == 0) break;
        assert_true(rc == CROFT_E_NOMEM || rc == CROFT_E_FORMAT);
    }
    task_calibration_free(d);
    /* damaged in many ways */
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, path), 0);
    char *text = mem_strndup((const char *)m.data, m.size);
    size_t n = m.size;
    plat_map_close(&m);
    for (size_t cut = 0; cut + 3 < n; cut += 11) {
        char keep = text[cut];
        text[cut] = 0;
        write_file(path, text);
        text[cut] = keep;
        assert_int_not_equal(task_calibration_load(&task, model, &d, &e), 0);
    }
    for (size_t at = 0; at < n; at += 3) { /* another digit here: refused, or a calibration that judges */
        char keep = text[at];
        text[at] = '9';
        write_file(path, text);
        text[at] = keep;
        if (task_calibration_load(&task, model, &d, &e)) continue;
        for (size_t i = 0; i < 3; i++) task_calibration_judge(d, &x.item[i].signals);
        task_calibration_free(d);
    }
    mem_free(text);
    mem_free(path);
    mem_free(fit);
    task_calibration_free(c);
    world_done(&w);
    char *const left[] = {"m.gguf", "m.made-up.calibration.json"};
    for (int i = 0; i < 2; i++) {
        snprintf(other, sizeof other, "%s/%s", dir, left[i]);
        unlink(other);
    }
    rmdir(dir);
}

static void memory_failures(void **state)
{
    struct world w;
    struct task_observations x;
    struct err e = {0};
    struct task_calibration *c = with_everything(&w, &x, TASK_PER_GROUP);
    struct task_calibrate_params p = {
        .target_error = target, .confidence = 0.9, .scope = 0.99, .per = TASK_PER_GROUP, .map = TASK_MAP_ISOTONIC};
    task_calibration_free(c);
    for (long nth = 1;; nth++) {
        mem_fail_nth(nth);
        int rc = task_calibrate(&task, &x, &p, &c, &e);
        mem_fail_nth(0);
        if (rc == 0) break;
        assert_int_equal(rc, CROFT_E_NOMEM);
    }
    task_calibration_free(c);
    uint64_t before = mem_count();
    assert_int_equal(task_calibrate(&task, &x, &p, &c, &e), 0);
    assert_true(mem_count() > before);
    before = mem_count();
    task_calibration_judge(c, &x.item[0].signals);
    assert_int_equal(mem_count(), before);
    task_calibration_free(c);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beta_and_binomial),
        cmocka_unit_test(clopper_pearson),
        cmocka_unit_test(p_values),
        cmocka_unit_test(isotonic),
        cmocka_unit_test(the_promise_is_kept),
        cmocka_unit_test(calibrations_keep_it_too),
        cmocka_unit_test(confidence_is_calibrated),
        cmocka_unit_test(nothing_safe_accepts_nothing),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(written_answers),
        cmocka_unit_test(files),
        cmocka_unit_test(memory_failures),
        cmocka_unit_test(the_expectation_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
