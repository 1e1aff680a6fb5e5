/* The plain C kernels: the specification that every other level is compared with. */
#ifndef KERN_REF_H
#define KERN_REF_H

#include "kern_ops.h"

/* One block of any quantised type in its common form: element i is  s[i/16] * q[i] + m[i/16].
 * Every type is a way of packing this. Blocks of 32 elements fill the first 32 q and the first 2 s and m. */
struct kern_block {
    int8_t q[256];
    float s[16], m[16];
};
void kern_ref_unpack(int type, const uint8_t *src, struct kern_block *out);

extern const int8_t kern_ref_iq4_values[16];   /* the sixteen levels of IQ4_NL and IQ4_XS */
extern const int8_t kern_ref_mxfp4_values[16]; /* twice the FP4 (E2M1) values */
float kern_ref_e8m0_half(uint8_t e);           /* half of 2^(e-127) */
void kern_ref_k4_scales(const uint8_t p[12], uint8_t sc[8], uint8_t mn[8]); /* the 6-bit fields of Q4_K and Q5_K */

void kern_ref_fill_quant(struct kern_ops *ops);
void kern_ref_fill_gemm(struct kern_ops *ops);
void kern_ref_fill_vec(struct kern_ops *ops);
void kern_ref_fill_attn(struct kern_ops *ops);

#endif
