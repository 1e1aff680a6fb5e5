/* What this CPU can do *and* the operating system lets it do (XCR0 on x86, HWCAP on AArch64). */
#ifndef PLAT_CPU_H
#define PLAT_CPU_H

#include <stdbool.h>

struct plat_cpu {
    char arch[16];  /* "x86_64", "aarch64" */
    char brand[64]; /* as the CPU names itself, or "" */
    bool avx2_fma_f16c, avx512, avx512_vnni, avx512_bf16, avx_vnni; /* avx512 = F+BW+VL+DQ */
    bool amx_tile, amx_int8, amx_bf16;
    bool neon, dotprod, i8mm, fp16, bf16, sve;
    int n_logical;  /* CPUs this process may run on */
    long l1d_bytes, l2_bytes, l3_bytes; /* 0: unknown */
};

const struct plat_cpu *plat_cpu_get(void); /* computed once; thread-safe */

#endif
