/* CPU features (plat_cpu.h). x86: CPUID leaves 1, 7 and 0xD / XGETBV (Intel SDM vol. 2A); AArch64: getauxval. */
#include "plat_cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t xgetbv0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void detect(struct plat_cpu *c)
{
    uint32_t a, b, cx, d;
    snprintf(c->arch, sizeof c->arch, "x86_64");
    if (__get_cpuid(0x80000004, &a, &b, &cx, &d)) {
        uint32_t brand[12];
        for (uint32_t i = 0; i < 3; i++)
            __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
        memcpy(c->brand, brand, 48);
    }
    if (!__get_cpuid(1, &a, &b, &cx, &d) || !(cx >> 27 & 1)) return; /* no OSXSAVE */
    bool fma = cx >> 12 & 1, f16c = cx >> 29 & 1, avx = cx >> 28 & 1;
    uint64_t xcr0 = xgetbv0();
    bool os_avx = (xcr0 & 0x6) == 0x6, os_avx512 = (xcr0 & 0xE6) == 0xE6, os_amx = (xcr0 & 0x60000) == 0x60000;
    if (!__get_cpuid_count(7, 0, &a, &b, &cx, &d)) return;
    c->avx2_fma_f16c = avx && os_avx && (b >> 5 & 1) && fma && f16c;
    c->avx512 = os_avx512 && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    c->avx512_vnni = c->avx512 && (cx >> 11 & 1);
    c->amx_tile = os_amx && (d >> 24 & 1);
    c->amx_bf16 = c->amx_tile && (d >> 22 & 1);
    c->amx_int8 = c->amx_tile && (d >> 25 & 1);
    if (__get_cpuid_count(7, 1, &a, &b, &cx, &d)) {
        c->avx_vnni = c->avx2_fma_f16c && (a >> 4 & 1);
        c->avx512_bf16 = c->avx512 && (a >> 5 & 1);
    }
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

static void detect(struct plat_cpu *c)
{
    unsigned long h1 = getauxval(AT_HWCAP), h2 = getauxval(AT_HWCAP2);
    snprintf(c->arch, sizeof c->arch, "aarch64");
    c->neon = h1 >> 1 & 1;     /* HWCAP_ASIMD */
    c->fp16 = h1 >> 10 & 1;    /* HWCAP_ASIMDHP */
    c->dotprod = h1 >> 20 & 1; /* HWCAP_ASIMDDP */
    c->sve = h1 >> 22 & 1;
    c->i8mm = h2 >> 13 & 1;
    c->bf16 = h2 >> 14 & 1;
}
#else
static void detect(struct plat_cpu *c) { snprintf(c->arch, sizeof c->arch, "other"); }
#endif

static struct plat_cpu cpu;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    cpu_set_t set;
    cpu.n_logical = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    cpu.l1d_bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    cpu.l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    cpu.l3_bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    detect(&cpu);
}

const struct plat_cpu *plat_cpu_get(void)
{
    pthread_once(&once, init);
    return &cpu;
}
