/* CPU features (plat_cpu.h). x86: CPUID leaves 1, 7 and 0xD / XGETBV (Intel SDM vol. 2A); AArch64: getauxval.
 * Cores come from /sys/devices/system/cpu/cpu<N>/topology, the quota from the control groups. Computed once, under
 * pthread_once; read-only afterwards. */
#include "plat_cpu.h"
#include "plat_pool.h"
#include "sensor.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <errno.h>
#include <sys/syscall.h>

static uint64_t xgetbv0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Linux lets a process use AMX's tiles only once it has asked: from then on its threads, those that exist already too,
 * have 8 KiB more to save. It refuses while a thread has an alternative signal stack that could not hold them. */
static bool ask_for_tiles(struct plat_cpu *c, uint64_t xcr0)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18, XCR0_TILES = 3 << 17 };
    const char *why = "the operating system or the hypervisor does not save its registers (Linux: from 5.16 on)";
    if ((xcr0 & XCR0_TILES) == XCR0_TILES) {
        if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0) return true;
        why = errno == ENOSPC ? "a thread has an alternative signal stack too small for its registers"
                              : "the operating system refuses this process its registers";
    }
    snprintf(c->amx_refused, sizeof c->amx_refused, "%s", why);
    return false;
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
    bool os_avx = (xcr0 & 0x6) == 0x6, os_avx512 = (xcr0 & 0xE6) == 0xE6;
    c->os_avx = os_avx;
    c->os_avx512 = os_avx512;
    if (!__get_cpuid_count(7, 0, &a, &b, &cx, &d)) return;
    c->os_amx = (d >> 24 & 1) && ask_for_tiles(c, xcr0);
    c->avx2_fma_f16c = avx && os_avx && (b >> 5 & 1) && fma && f16c;
    c->avx512 = os_avx512 && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    c->avx512_vnni = c->avx512 && (cx >> 11 & 1);
    c->amx_tile = c->os_amx;
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

/* A core is counted at the first of its hyper-threads that we may use: thread_siblings_list is "0,4" or "0-1". */
static int count_cores(const cpu_set_t *set)
{
    int n = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        char path[96];
        int first, last;
        bool seen = false;
        if (!CPU_ISSET(i, set)) continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
        FILE *f = fopen(path, "re");
        while (f && !seen && fscanf(f, "%d", &first) == 1) {
            int c = fgetc(f);
            last = first;
            if (c == '-') {
                if (fscanf(f, "%d", &last) != 1) last = first;
                c = fgetc(f);
            }
            for (int j = first; j <= last && j < i; j++) seen |= j >= 0 && CPU_ISSET(j, set);
            if (c != ',') break;
        }
        if (f) fclose(f);
        n += !seen;
    }
    return n;
}

/* Bytes of the data or unified cache of a level, for the first CPU: sysfs knows what a virtual machine was given, the
 * C library may only know the chip. */
static long cache_bytes(int level, long fallback)
{
    for (int i = 0; i < 8; i++) {
        char path[96], type[32] = "";
        int l = 0;
        long kib = 0;
        const char *const names[] = {"level", "size", "type"};
        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, names[k]);
            FILE *f = fopen(path, "re");
            int ok = !f ? 0 : k == 0 ? fscanf(f, "%d", &l) : k == 1 ? fscanf(f, "%ldK", &kib) : fscanf(f, "%31s", type);
            if (f) fclose(f);
            if (ok != 1) return fallback;
        }
        if (l == level && strcmp(type, "Instruction") != 0) return kib * 1024;
    }
    return fallback;
}

static void init(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    bool known = sched_getaffinity(0, sizeof set, &set) == 0;
    cpu.n_logical = known ? CPU_COUNT(&set) : 1;
    cpu.n_cores = known ? count_cores(&set) : 1;
    cpu.n_quota = plat_group_cpus("/");
    cpu.l1d_bytes = cache_bytes(1, sysconf(_SC_LEVEL1_DCACHE_SIZE));
    cpu.l2_bytes = cache_bytes(2, sysconf(_SC_LEVEL2_CACHE_SIZE));
    cpu.l3_bytes = cache_bytes(3, sysconf(_SC_LEVEL3_CACHE_SIZE));
    detect(&cpu);
}

const struct plat_cpu *plat_cpu_get(void)
{
    pthread_once(&once, init);
    return &cpu;
}

int plat_cpu_threads(void)
{
    const struct plat_cpu *c = plat_cpu_get();
    int n = c->n_cores;
    if (c->n_quota && c->n_quota < n) n = c->n_quota;
    return n < 1 ? 1 : n > PLAT_MAX_THREADS ? PLAT_MAX_THREADS : n;
}
