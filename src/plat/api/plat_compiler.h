/* What compilers spell differently. */
#ifndef PLAT_COMPILER_H
#define PLAT_COMPILER_H

/* Before a loop of a constant number of rounds (up to 16): unrolls it, so that what it indexes can be registers. */
#ifdef __clang__
#define PLAT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PLAT_UNROLL _Pragma("GCC unroll 16")
#endif

/* The compiler does not look through p, a pointer, or v, a vector register of x86. */
#define PLAT_OPAQUE(p) __asm__("" : "+r"(p))
#define PLAT_OPAQUE_VECTOR(v) __asm__("" : "+v"(v))

#endif
