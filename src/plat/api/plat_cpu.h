/* What this CPU can do *and* the operating system lets it do (XCR0 on x86, HWCAP on AArch64). */
#ifndef PLAT_CPU_H
#define PLAT_CPU_H

#include <stdbool.h>

struct plat_cpu {
    char arch[16];  /* "x86_64", "aarch64" */
    char brand[64]; /* as the CPU names itself, or "" */
    bool avx2_fma_f16c, avx512, avx512_vnni, avx512_bf16, avx_vnni; /* avx512 = F+BW+VL+DQ */
    bool os_avx, os_avx512, os_amx; /* x86: registers that the operating system saves; else they cannot be used */
    bool amx_tile, amx_int8, amx_bf16;
    char amx_refused[96]; /* why this process cannot use the AMX that the CPU has, or "" */
    bool neon, dotprod, i8mm, fp16, bf16, sve;
    int n_logical;  /* CPUs this process may run on */
    int n_cores;    /* physical cores among them: two hyper-threads share one set of vector units */
    int n_quota;    /* CPUs a container's quota grants, rounded up; 0: no quota */
    long l1d_bytes, l2_bytes, l3_bytes; /* 0: unknown */
};

const struct plat_cpu *plat_cpu_get(void); /* computed once; thread-safe */
/* Threads to compute with when nobody says otherwise: one per physical core, within the quota; 1..PLAT_MAX_THREADS. */
int plat_cpu_threads(void);

#endif
