/* Exponential and tanh for any vector width. Included after a simd header, which fixes the width.
 *
 * exp(x) = 2^n exp(r), n = round(x log2 e), |r| <= ln 2 / 2; ln 2 is split in two so that r is exact. The polynomials
 * are minimax fits made for this file: exp(r) = 1 + r + r² P(r), error 3e-9; tanh(z) = z + z³ P(z²) for z² <= 0.4,
 * error 5e-9 of z. */
#ifndef KERN_BODY_MATH_H
#define KERN_BODY_MATH_H

/* Results below 2^-126 become 2^-126, above 2^127 they stop near it: callers divide by 1 + exp. */
INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_max(x, vf_set(-87.33f)), vf_set(88.3f));
    vf n = vf_min(vf_max(vf_round(vf_mul(x, vf_set(1.44269504f))), vf_set(-126)), vf_set(127));
    vf r = vf_fma(n, vf_set(-0.693359375f), x);  /* 355/512: n times it is exact */
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_fma(vf_set(0.00139506004f), r, vf_set(0.0083689537f));
    p = vf_fma(p, r, vf_set(0.0416662042f));
    p = vf_fma(p, r, vf_set(0.166665183f));
    p = vf_fma(p, r, vf_set(0.50000001f));
    p = vf_fma(vf_mul(r, r), p, vf_add(r, vf_set(1)));
    return vf_mul(p, vf_pow2(n));
}

INLINE vf vf_tanh(vf z)
{
    vf u = vf_mul(z, z);
    vf p = vf_fma(vf_set(-0.00566078075f), u, vf_set(0.0206019994f));
    p = vf_fma(p, u, vf_set(-0.0537292271f));
    p = vf_fma(p, u, vf_set(0.133313289f));
    p = vf_fma(p, u, vf_set(-0.333332783f));
    vf small = vf_fma(vf_mul(p, u), z, z);
    vf e = vf_exp(vf_mul(vf_set(2), vf_abs(z)));
    vf large = vf_sub(vf_set(1), vf_div(vf_set(2), vf_add(e, vf_set(1))));
    return vf_if_gt(vf_set(0.4f), u, small, vf_with_sign(large, z));
}

/* The last n < VF elements of a row, zeros after them. */
INLINE vf vf_load_part(const float *p, size_t n)
{
    float t[VF] = {0};
    for (size_t i = 0; i < n; i++) t[i] = p[i];
    return vf_load(t);
}
INLINE void vf_store_part(float *p, vf v, size_t n)
{
    float t[VF];
    vf_store(t, v);
    for (size_t i = 0; i < n; i++) p[i] = t[i];
}

#endif
