/* Float kernels of the level avx2: vectors, products with float weights, attention. The code is body/, written once
 * for every vector width; simd_avx2.h says what a vector is here. */
#include "simd_avx2.h"
#include "body/attn.h"
#include "body/gemm_float.h"
#include "body/peak.h"
#include "body/vec.h"
#include "levels.h"

void kern_avx2_fill_float(struct kern_ops *ops)
{
    vec_fill(ops);
    gemm_float_fill(ops);
    attn_fill(ops);
    peak_fill(ops);
}
