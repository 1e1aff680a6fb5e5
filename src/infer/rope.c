/* Rotary positions: pair j of a head turns by an angle that grows with the row's position. Owns nothing. */
#include "internal.h"

#include <math.h>

/* Angles of the rotary pairs at a row's position: pos * base^(-2j/n_rot), divided by factors[j], interpolated
 * by freq_scale, blended between the two by YaRN; all cosines, then all sines. The running product in single
 * precision is how the models were served everywhere, so it is part of the definition. */
void infer_turns(struct infer_work *w, uint32_t row)
{
    for (int set = 0; set < 2; set++) {
        const struct model_rope *r = &w->m->rope[set];
        if (!r->n_rot || !w->turn[set]) continue;
        const struct infer_session *s = w->segment[w->segment_of[row]].s;
        const float *factors = s->n_ctx > r->n_ctx_orig ? r->factors_long : r->factors;
        float *turn = w->turn[set] + (size_t)row * r->n_rot, theta = w->pos[row];
        float step = powf(r->base, -2.0f / r->n_rot);
        uint32_t half = r->n_rot / 2;
        for (uint32_t j = 0; j < half; j++, theta *= step) {
            float angle = factors ? theta / factors[j] : theta, far = r->freq_scale * angle,
                  size = r->attn_factor;
            if (r->ext_factor != 0) {
                float ramp = (j - r->corr_low) / fmaxf(0.001f, r->corr_high - r->corr_low);
                float mix = (1 - fminf(1, fmaxf(0, ramp))) * r->ext_factor;
                angle = far * (1 - mix) + angle * mix;
                size *= 1.0f + 0.1f * logf(1.0f / r->freq_scale);
            } else {
                angle = far;
            }
            turn[j] = cosf(angle) * size;
            turn[half + j] = sinf(angle) * size;
        }
    }
}

/* Both loops are written so that a compiler turns several pairs at once. */
void infer_rotate(const struct model_rope *r, const float *restrict turn, float *restrict x)
{
    uint32_t half = r->n_rot / 2;
    const float *restrict c = turn, *restrict s = turn + half;
    if (r->neox) {
        float *restrict y = x + half;
        for (uint32_t j = 0; j < half; j++) {
            float a = x[j], b = y[j];
            x[j] = a * c[j] - b * s[j];
            y[j] = a * s[j] + b * c[j];
        }
        return;
    }
    for (uint32_t j = 0; j < half; j++) {
        float a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * c[j] - b * s[j];
        x[2 * j + 1] = a * s[j] + b * c[j];
    }
}
