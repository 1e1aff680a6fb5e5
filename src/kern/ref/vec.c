/* Vectors in plain C: conversions, elementwise operations, norms, softmax, activations.
 * Owns nothing. Reductions use sixteen partial sums, as vector code does. Read next: attn.c. */
#include "ref.h"
#include "f16.h"

#include <math.h>

enum { LANES = 16 };

static float sum_lanes(const float acc[LANES])
{
    float t[LANES];
    memcpy(t, acc, sizeof t);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    return t[0];
}

static void f32_to_f16(const float *x, uint16_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = f16_from_f32_one(x[i]);
}

static void f16_to_f32(const uint16_t *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = f16_to_f32_one(x[i]);
}

static void act_bf16(const float *x, size_t n, uint16_t *to)
{
    for (size_t k = 0; k < n; k++) to[k / 32 * KERN_BF16_TILE + k % 32] = bf16_from_f32_one(x[k]);
}

static float dot(const float *a, const float *b, size_t n)
{
    float acc[LANES] = {0};
    for (size_t i = 0; i < n; i++) acc[i % LANES] += a[i] * b[i];
    return sum_lanes(acc);
}

static void axpy(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void scale(float a, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] *= a;
}

static void add(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void mul(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

/* y = w x / sqrt(mean(x²) + eps) */
static void rms_norm(const float *x, const float *w, float *y, size_t n, float eps)
{
    if (n == 0) return;
    float s = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = w ? x[i] * s * w[i] : x[i] * s;
}

/* y = w (x - mean) / sqrt(variance + eps) + b; two passes, so that a large mean does not cost precision */
static void layer_norm(const float *x, const float *w, const float *b, float *y, size_t n, float eps)
{
    if (n == 0) return;
    float acc[LANES] = {0}, sq[LANES] = {0};
    for (size_t i = 0; i < n; i++) acc[i % LANES] += x[i];
    float mean = sum_lanes(acc) / (float)n;
    for (size_t i = 0; i < n; i++) sq[i % LANES] += (x[i] - mean) * (x[i] - mean);
    float s = 1.0f / sqrtf(sum_lanes(sq) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        float v = (x[i] - mean) * s;
        y[i] = (w ? v * w[i] : v) + (b ? b[i] : 0);
    }
}

/* -infinity is a masked element and becomes 0; a row of nothing else becomes zeros. */
static void softmax(float *x, size_t n)
{
    float mx = -INFINITY, acc[LANES] = {0};
    for (size_t i = 0; i < n; i++) mx = x[i] > mx ? x[i] : mx;
    if (mx == -INFINITY) {
        for (size_t i = 0; i < n; i++) x[i] = 0;
        return;
    }
    for (size_t i = 0; i < n; i++) acc[i % LANES] += x[i] = expf(x[i] - mx);
    scale(1.0f / sum_lanes(acc), x, n);
}

/* silu(g) = g sigmoid(g) */
static void silu_mul(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

/* gelu(g) = g/2 (1 + tanh(z)),  z = sqrt(2/pi) (g + 0.044715 g³). (1 + tanh z)/2 = sigmoid(2z), which keeps its
 * relative precision where tanh is near -1. */
static void gelu_mul(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float g = gate[i], z2 = 1.5957691216057308f * g * (1.0f + 0.044715f * g * g);
        float v = g / (1.0f + expf(-z2));
        y[i] = up ? v * up[i] : v;
    }
}

static void softcap(float *x, size_t n, float cap)
{
    for (size_t i = 0; i < n; i++) x[i] = cap * tanhf(x[i] / cap);
}

void kern_ref_fill_vec(struct kern_ops *ops)
{
    ops->act_bf16 = act_bf16;
    ops->f32_to_f16 = f32_to_f16;
    ops->f16_to_f32 = f16_to_f32;
    ops->dot = dot;
    ops->axpy = axpy;
    ops->scale = scale;
    ops->add = add;
    ops->mul = mul;
    ops->rms_norm = rms_norm;
    ops->layer_norm = layer_norm;
    ops->softmax = softmax;
    ops->silu_mul = silu_mul;
    ops->gelu_mul = gelu_mul;
    ops->softcap = softcap;
}
