/* Kernels of every level against values that other implementations computed (golden.inc, make_golden.py), and the
 * choice of a level. checkkern compares levels with plain C over many sizes; this says that plain C is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "kern_ops.h"

#include "golden.inc"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

typedef void level_fn(const struct kern_ops *ops);
static void each_level(level_fn *fn)
{
    for (const char *const *l = kern_levels(); *l; l++) {
        const struct kern_ops *ops = kern_level_get(*l);
        if (ops) fn(ops);
        else print_message("level %s: not on this CPU\n", *l);
    }
}

static void close_to(const char *what, const struct kern_ops *ops, const float *got, const float *want, size_t n,
                     double rel, double abs_tol)
{
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - (double)want[i]);
        if (!(diff <= rel * fabs((double)want[i]) + abs_tol))
            fail_msg("%s, level %s, element %zu: %.9g, want %.9g", what, ops->level, i, (double)got[i],
                     (double)want[i]);
    }
}

static void dequant_level(const struct kern_ops *ops)
{
    for (size_t i = 0; i < COUNT(golden_types); i++) {
        const struct golden_type *g = &golden_types[i];
        float got[256];
        ops->dequant[g->type](g->bytes, got, g->n);
        close_to(kern_type_get(g->type)->name, ops, got, g->values, g->n, 0, 0);
    }
}
static void test_dequant(void **state) { each_level(dequant_level); }

/* Activations of 8 bits are off by at most half a step, d/2 <= max|x|/254. */
static void gemm_level(const struct kern_ops *ops)
{
    float x[256], d[8];
    int8_t q[256];
    int16_t sum16[16];
    for (int i = 0; i < 256; i++) x[i] = (float)(i * 37 % 101 - 50) / 50;
    for (size_t i = 0; i < COUNT(golden_types); i++) {
        const struct golden_type *g = &golden_types[i];
        struct kern_act a = {.n = g->n, .n_rows = 1, .f32 = x, .ld = g->n, .q = q, .d = d, .sum16 = sum16};
        float y;
        double allowed = 0;
        ops->act_quantize(x, g->n, q, d, sum16);
        if (ops->gemm_packed[g->type]) {
            _Alignas(64) uint8_t strip[16 * 1024];
            kern_pack(g->type, g->bytes, kern_row_bytes(g->type, g->n), 1, g->n, strip);
            ops->gemm_packed[g->type](strip, kern_strip_bytes(g->type, g->n), 1, &a, &y, 1);
        } else {
            ops->gemm[g->type](g->bytes, kern_row_bytes(g->type, g->n), 1, &a, &y, 1);
        }
        for (size_t k = 0; k < g->n; k++)
            allowed += fabs((double)g->values[k]) * (kern_type_wants_q8(g->type) ? 1.0 / 254 : 1e-6);
        if (kern_type_wants_q8(g->type)) allowed /= 3; /* errors of both signs: far below the bound */
        if (!(fabs((double)y - g->dot) <= allowed))
            fail_msg("%s, level %s: %.9g, want %.9g +- %.3g", kern_type_get(g->type)->name, ops->level, (double)y,
                     g->dot, allowed);
    }
}
static void test_gemm(void **state) { each_level(gemm_level); }

static void act_level(const struct kern_ops *ops)
{
    float x[64] = {127, 0.5f, -0.5f, 1.5f, -1.5f, 0.49999997f, 126.5f, -127};
    int8_t q[64];
    int16_t sum16[4];
    float d[2];
    const int8_t want[8] = {127, 1, -1, 2, -2, 0, 127, -127};
    ops->act_quantize(x, 64, q, d, sum16);
    assert_memory_equal(q, want, 8);
    assert_float_equal(d[0], 1, 0);
    assert_int_equal(sum16[0], 127);
    assert_int_equal(sum16[1], 0);
    for (int i = 32; i < 64; i++) assert_int_equal(q[i], 0);
    assert_float_equal(d[1], 0, 0);
    uint8_t block[34];
    ops->f32_to_q8_0(x, block, 32);
    assert_memory_equal(block + 2, want, 8);
    assert_int_equal(block[0] | block[1] << 8, 0x3c00);
    uint16_t h[COUNT(half_in)];
    ops->f32_to_f16(half_in, h, COUNT(half_in));
    assert_memory_equal(h, half_out, sizeof h);
}
static void test_conversions(void **state) { each_level(act_level); }

static void vec_level(const struct kern_ops *ops)
{
    float y[COUNT(vec_x)];
    const size_t n = COUNT(vec_x);
    memcpy(y, vec_x, sizeof y);
    ops->softmax(y, n);
    close_to("softmax", ops, y, want_softmax, n, 3e-6, 0);
    ops->silu_mul(vec_x, vec_u, y, n);
    close_to("silu_mul", ops, y, want_silu_mul, n, 2e-6, 0);
    ops->gelu_mul(vec_x, vec_u, y, n);
    close_to("gelu_mul", ops, y, want_gelu_mul, n, 1e-5, 1e-12);
    memcpy(y, vec_x, sizeof y);
    ops->softcap(y, n, 5);
    close_to("softcap", ops, y, want_softcap, n, 2e-6, 0);
    ops->rms_norm(vec_x, vec_w, y, n, 1e-5f);
    close_to("rms_norm", ops, y, want_rms_norm, n, 1e-6, 0);
    ops->layer_norm(vec_x, vec_w, vec_b, y, n, 1e-5f);
    close_to("layer_norm", ops, y, want_layer_norm, n, 1e-5, 1e-6);
}
static void test_vectors(void **state) { each_level(vec_level); }

/* The cache in every form; in one call, and position by position. */
static void attend_golden(const struct kern_ops *ops, enum kern_kv kv, float softcap, uint32_t step, double tol)
{
    enum { D = 32, N = 21, N_Q = 3 };
    static float k[2 * KERN_KV_STRIP * D], v[N * D];
    float max[N_Q] = {-INFINITY, -INFINITY, -INFINITY}, sum[N_Q] = {0}, out[N_Q * D] = {0};
    uint32_t from[N_Q], to[N_Q];
    for (size_t j = 0; j < N; j++) {
        kern_kv_put_key(ops, kv, attn_k + j * D, D, k, j);
        kern_kv_put_value(ops, kv, attn_v + j * D, D, v, j);
    }
    struct kern_attn a = {.q = attn_q, .n_q = N_Q, .d = D, .d_v = D, .k = k, .v = v, .from = from, .to = to,
                          .scale = 0.25f, .softcap = softcap, .max = max, .sum = sum, .out = out};
    for (uint32_t at = 0; at < N; at += step) {
        for (uint32_t i = 0; i < N_Q; i++) {
            from[i] = at > i ? at : i;
            to[i] = at + step < N - 4 * i ? at + step : N - 4 * i;
        }
        ops->attend[kv](&a);
    }
    for (size_t i = 0; i < N_Q * D; i++) out[i] /= sum[i / D];
    close_to(softcap != 0 ? "attend, capped" : "attend", ops, out, softcap != 0 ? want_attend_capped : want_attend,
             N_Q * D, tol, tol);
}

static void attn_level(const struct kern_ops *ops)
{
    static const double tol[] = {[KERN_KV_F32] = 3e-6, [KERN_KV_F16] = 1e-3, [KERN_KV_Q8_0] = 2e-2};
    for (enum kern_kv kv = 0; kv < KERN_KV_COUNT; kv++)
        for (uint32_t step = 1; step <= 21; step += 20)
            for (int cap = 0; cap <= 2; cap += 2) attend_golden(ops, kv, (float)cap, step, tol[kv]);
}
static void test_attention(void **state) { each_level(attn_level); }

/* Masked elements are zero, and a row with nothing else is zeros rather than NaN. */
static void masked_level(const struct kern_ops *ops)
{
    float x[20];
    for (int i = 0; i < 20; i++) x[i] = i == 3 ? 7 : -INFINITY;
    ops->softmax(x, 20);
    for (int i = 0; i < 20; i++) assert_float_equal(x[i], i == 3 ? 1 : 0, 0);
    for (int i = 0; i < 20; i++) x[i] = -INFINITY;
    ops->softmax(x, 20);
    for (int i = 0; i < 20; i++) assert_float_equal(x[i], 0, 0);
}
static void test_masked_softmax(void **state) { each_level(masked_level); }

static void test_choice(void **state)
{
    struct err e = {0};
    const char *before = getenv("CROFT_CPU");
    char *saved = before ? strdup(before) : NULL;
    setenv("CROFT_CPU", "ref", 1);
    const struct kern_ops *ops = kern_get(&e);
    assert_non_null(ops);
    assert_string_equal(ops->level, "ref");
    assert_string_equal(ops->gemm_level[KERN_Q4_K], "ref");
    setenv("CROFT_CPU", "abacus", 1);
    assert_null(kern_get(&e));
    assert_int_equal(e.code, CROFT_E_USAGE);
    assert_non_null(strstr(e.msg, "abacus"));
    for (const char *const *l = kern_levels(); *l; l++) {
        if (kern_level_get(*l)) continue;
        setenv("CROFT_CPU", *l, 1);
        assert_null(kern_get(&e));
        assert_int_equal(e.code, CROFT_E_UNSUPPORTED);
    }
    unsetenv("CROFT_CPU");
    ops = kern_get(&e);
    assert_non_null(ops);
    for (int t = 0; t < KERN_TYPE_COUNT; t++) {
        assert_true(!kern_type_get(t) == !ops->gemm[t]);
        assert_true(!kern_type_get(t) == !ops->dequant[t]);
        if (ops->gemm[t]) assert_non_null(kern_level_get(ops->gemm_level[t]));
    }
    assert_null(kern_level_get("abacus"));
    assert_null(kern_level_get(NULL));
    if (saved) setenv("CROFT_CPU", saved, 1);
    free(saved);
}

static void test_types(void **state)
{
    assert_int_equal(kern_type_find("q4_k"), KERN_Q4_K);
    assert_int_equal(kern_type_find("nothing"), -1);
    assert_null(kern_type_get(-1));
    assert_null(kern_type_get(4));
    assert_null(kern_type_get(KERN_TYPE_COUNT));
    assert_int_equal(kern_row_bytes(KERN_Q6_K, 512), 420);
    assert_int_equal(kern_row_bytes(KERN_Q6_K, 511), 0);
    assert_false(kern_type_wants_q8(KERN_BF16));
    assert_true(kern_type_wants_q8(KERN_MXFP4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),      cmocka_unit_test(test_dequant),   cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_conversions), cmocka_unit_test(test_vectors),  cmocka_unit_test(test_attention),
        cmocka_unit_test(test_masked_softmax), cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
