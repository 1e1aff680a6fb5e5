/* How a table is raised from one level to the next. Each architecture's folder has a ladder; table.c climbs it.
 * A fill function overrides what it does better and leaves the rest. A file with an instruction-set suffix exports
 * its fill function and nothing else, and only the ladder refers to it: that keeps its instructions away from
 * machines that lack them. */
#ifndef KERN_LEVELS_H
#define KERN_LEVELS_H

#include "kern_ops.h"

/* The parameters of every kern_gemm_fn, for functions that macros define. */
#define KERN_GEMM_ARGS \
    const void *w, size_t row_bytes, size_t n_out, const struct kern_act *x, float *y, size_t ldy

#define KERN_KV_KINDS(X) X(F32) X(F16) X(Q8_0) /* kinds of cache, for functions that a macro defines */

struct plat_cpu;
typedef void kern_fill_fn(struct kern_ops *ops);

struct kern_level {
    const char *name;
    bool (*have)(const struct plat_cpu *c); /* NULL: always */
    kern_fill_fn *fill[4];                  /* in order, NULL-terminated */
};
enum { KERN_MAX_LEVELS = 8 };
extern const struct kern_level kern_ladder[]; /* lowest first; a row without a name ends it */

kern_fill_fn kern_ref_fill;                            /* ref/ */

kern_fill_fn kern_avx2_fill_float, kern_avx2_fill_strips; /* x86/ */
kern_fill_fn kern_avx512_fill_float, kern_avx512_fill_strips;
kern_fill_fn kern_vnni_fill_strips;
kern_fill_fn kern_amx_fill_int, kern_amx_fill_bf16;
kern_fill_fn kern_neon_fill_float, kern_neon_fill_strips; /* arm/ */
kern_fill_fn kern_dotprod_fill_strips, kern_i8mm_fill_strips;

#endif
