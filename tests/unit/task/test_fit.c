/* Fitting against scikit-learn 1.x (LogisticRegression with C = 1 / (n l2), tol 1e-10) and scipy (fsolve on the
 * equations of the prior); the files of fits. */
#include "task_fit.h"
#include "base_mem.h"
#include "plat_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const float x[24 * 3] = {
    0.1675f,  -0.27f,   -0.34f,   -0.11f,   0.645f,   0.0725f, -0.5275f, -0.215f,  -0.075f,  -0.3425f, -0.44f,
    -0.2225f, 0.23f,    0.27f,    -0.105f,  -0.045f,  -0.01f,  -0.1825f, -0.2575f, -0.5525f, -0.1f,    -0.185f,
    0.2875f,  0.02f,    -0.2075f, -0.4325f, 0.0975f,  -0.445f, -0.635f,  -0.0125f, -0.145f,  0.5475f,  0.1875f,
    -0.5875f, -0.135f,  -0.06f,   -0.1925f, -0.3225f, -0.51f,  0.0525f,  0.2275f,  0.245f,   -0.405f,  -0.03f,
    -0.06f,   -0.275f,  -0.52f,   0.265f,   0.2325f,  0.83f,   0.1725f,  0.0525f,  -0.0075f, 0.05f,    -0.215f,
    -0.0275f, -0.1525f, 0.1475f,  0.28f,    0.165f,   -0.22f,  -0.23f,   0.2425f,  -0.1775f, -0.525f,  0.14f,
    -0.1875f, 0.015f,   -0.26f,   0.08f,    -0.2775f, -0.0325f};
static const unsigned y[24] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};

static void head(void **state)
{
    static const float q[3][3] = {{0.2f, -0.1f, 0.3f}, {-0.4f, 0.1f, 0}, {0, 0, 0}};
    static const double want[3][3] = {
        {0.20116, 0.38623, 0.41262}, {0.15165, 0.35430, 0.49405}, {0.21399, 0.39337, 0.39264}};
    struct task_fit f;
    struct err e = {0};
    double p[3];
    assert_int_equal(task_fit_head(x, y, 24, 3, 3, 0.01, 1, &f, &e), 0);
    for (int i = 0; i < 3; i++) {
        task_fit_classify(&f, q[i], p);
        for (int k = 0; k < 3; k++)
            if (!(fabs(p[k] - want[i][k]) < 1e-3)) fail_msg("%f is not %f", p[k], want[i][k]);
    }
    task_fit_done(&f);
    assert_int_equal(task_fit_head(x, y, 0, 3, 3, 0.01, 1, &f, &e), CROFT_E_USAGE);
}

static void prior(void **state)
{
    static const double p[12 * 3] = {0.685000, 0.148000, 0.167000, 0.169000, 0.399000, 0.432000, 0.498000, 0.000000,
                                     0.502000, 0.097000, 0.749000, 0.154000, 0.241758, 0.246753, 0.511489, 0.180180,
                                     0.709710, 0.110110, 0.253253, 0.690691, 0.056056, 0.434000, 0.433000, 0.133000,
                                     0.506000, 0.167000, 0.327000, 0.292000, 0.699000, 0.009000, 0.004000, 0.370000,
                                     0.626000, 0.698699, 0.190190, 0.111111};
    static const unsigned label[12] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 1};
    static const double want[3] = {0.64808, 0.20020, 0.15171};
    struct task_fit f;
    struct err e = {0};
    double q[3] = {0.2, 0.3, 0.5};
    assert_int_equal(task_fit_prior(p, label, 12, 3, &f, &e), 0);
    task_fit_correct(&f, q);
    for (int k = 0; k < 3; k++)
        if (!(fabs(q[k] - want[k]) < 1e-4)) fail_msg("%f is not %f", q[k], want[k]);
    task_fit_done(&f);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
}

static void files(void **state)
{
    char dir[] = "/tmp/croft-fit-XXXXXX", model[64], other[64];
    struct task_label labels[] = {{"a", NULL}, {"b", NULL}, {"c \"quoted\"", NULL}};
    struct task t = {.name = "letters", .kind = TASK_CLASSIFY, .labels = labels, .n_labels = 3};
    struct task_fit f, g;
    struct err e = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(model, sizeof model, "%s/m.gguf", dir);
    snprintf(other, sizeof other, "%s/n.gguf", dir);
    write_file(model, "weights");
    write_file(other, "Weights");
    char *path = task_fit_path(model, t.name);
    assert_non_null(strstr(path, "/m.letters.fit.json"));
    assert_int_equal(task_fit_load(&t, model, path, &g, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(task_fit_head(x, y, 24, 3, 3, 0.01, 1, &f, &e), 0);
    assert_int_equal(task_fit_save(&f, &t, model, path, &e), 0);
    assert_int_equal(task_fit_load(&t, model, path, &g, &e), 0);
    assert_int_equal(g.n_embd, 3);
    assert_int_equal(g.n_examples, 24);
    assert_memory_equal(f.weight, g.weight, 9 * sizeof *f.weight);
    assert_memory_equal(f.bias, g.bias, 3 * sizeof *f.bias);
    task_fit_done(&g);
    assert_int_equal(task_fit_load(&t, other, path, &g, &e), CROFT_E_DIGEST); /* other weights */
    labels[1].name = "B";
    assert_int_equal(task_fit_load(&t, model, path, &g, &e), CROFT_E_DIGEST); /* other labels */
    labels[1].name = "b";
    task_fit_done(&f);
    /* damaged in many ways: an error, never a fit */
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, path), 0);
    char *text = mem_strndup((const char *)m.data, m.size);
    size_t n = m.size;
    plat_map_close(&m);
    char *format = strstr(text, "croft-fit-2");
    format[10] = '1'; /* an earlier Croft's: refused, for it says less about the weights */
    write_file(path, text);
    format[10] = '2';
    assert_int_equal(task_fit_load(&t, model, path, &g, &e), CROFT_E_DIGEST);
    assert_non_null(strstr(e.msg, "earlier Croft"));
    for (size_t cut = 0; cut + 3 < n; cut += 7) {
        char keep = text[cut];
        text[cut] = 0;
        write_file(path, text);
        text[cut] = keep;
        assert_int_not_equal(task_fit_load(&t, model, path, &g, &e), 0);
    }
    mem_free(text);
    unlink(path);
    unlink(model);
    unlink(other);
    rmdir(dir);
    mem_free(path);
}

/* More than one block and shard, a last block that is not full, and the same bits with any number of threads. The
 * minimum is where the gradient is 0: computed here, in double, from the definition. */
static void many_examples(void **state)
{
    enum { N = 3001, D = 37, L = 45 };
    struct err e = {0};
    float *rows = malloc(sizeof(float) * N * D);
    unsigned *truth = malloc(sizeof *truth * N);
    double g[L][D + 1] = {{0}}, l2 = 0.003, worst = 0;
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        truth[i] = (unsigned)i * 7 % L;
        for (int j = 0; j < D; j++) {
            seed = seed * 1664525u + 1013904223u;
            rows[i * D + j] = (float)(seed >> 8) / (float)(1 << 24) + (j == (int)truth[i] % D ? 1.5F : 0);
        }
    }
    struct task_fit f, again;
    assert_int_equal(task_fit_head(rows, truth, N, D, L, l2, 1, &f, &e), 0);
    for (int i = 0; i < N; i++) {
        double p[L];
        task_fit_classify(&f, rows + i * D, p);
        for (int c = 0; c < L; c++) {
            double r = (p[c] - (c == (int)truth[i])) / N;
            for (int j = 0; j < D; j++) g[c][j] += r * (double)rows[i * D + j];
            g[c][D] += r;
        }
    }
    for (int c = 0; c < L; c++)
        for (int j = 0; j <= D; j++) {
            double slope = g[c][j] + (j < D ? l2 * (double)f.weight[c * D + j] : 0);
            worst = fmax(worst, fabs(slope));
        }
    if (worst > 1e-4) fail_msg("the steepest slope left is %g", worst);
    for (int threads = 2; threads < 6; threads++) {
        assert_int_equal(task_fit_head(rows, truth, N, D, L, l2, threads, &again, &e), 0);
        assert_memory_equal(f.weight, again.weight, sizeof(float) * L * D);
        assert_memory_equal(f.bias, again.bias, sizeof(float) * L);
        task_fit_done(&again);
    }
    task_fit_done(&f);
    free(rows);
    free(truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_examples), cmocka_unit_test(head),
                                       cmocka_unit_test(prior), cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
