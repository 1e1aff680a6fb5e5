/* AMX: eight tiles of up to 16 rows of 64 bytes, tmm0 … tmm7, and the instructions on them.
 *
 * They are inline assembly because the compilers' intrinsics do not say what memory they touch: gcc 12 gives
 * _tile_loadconfig an operand of 8 bytes, so that stores to the other 56 are dropped as dead, and its _tile_loadd reads
 * memory that it does not mention. Here the configuration is an operand of 64 bytes and the others clobber memory.
 * Compilers never use tiles of their own accord, so nothing else needs to be said. Tile numbers are literals.
 *
 *     TILE_DPBF16(c, a, b)    c[m][n] += sum of a[m][2k+i] b[k][2n+i], i = 0 … 1      bf16 into f32
 *     TILE_DPBSSD(c, a, b)    c[m][n] += sum of a[m][4k+i] b[k][4n+i], i = 0 … 3      int8 into int32
 *
 * that is, A plain rows of 64 bytes, and in B the pairs or fours of consecutive elements of 16 columns side by side.
 * Subnormal numbers count as zero. An operation takes 16 cycles whatever B has of its 16 rows, so tiles want to be
 * full. A thread configures tiles before it uses them and releases them when it is done: then the system has 8 KiB
 * less to save when it switches threads. */
#ifndef KERN_TILE_AMX_H
#define KERN_TILE_AMX_H

#include <stdint.h>

struct tile_config {
    uint8_t palette, start_row, unused[14]; /* palette 1: eight tiles of 1 KiB */
    uint16_t row_bytes[16];                 /* of each tile; the last eight do not exist */
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_config) == 64, "ldtilecfg reads 64 bytes");

static inline void tile_configure(const struct tile_config *c) { __asm__ volatile("ldtilecfg %0" ::"m"(*c)); }
static inline void tile_release(void) { __asm__ volatile("tilerelease"); }

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::)
#define TILE_LOAD(t, p, stride_bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(p), "r"((size_t)(stride_bytes)) : "memory")
#define TILE_STORE(t, p, stride_bytes) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(p), "r"((size_t)(stride_bytes)) : "memory")
#define TILE_DPBF16(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
#define TILE_DPBSSD(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

#endif
