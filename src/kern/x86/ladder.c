/* The levels of x86-64, lowest first. A new level is a row here and files with its suffix (mk/isa.mk). */
#include "levels.h"
#include "plat_cpu.h"

static bool have_avx2(const struct plat_cpu *c) { return c->avx2_fma_f16c; }
static bool have_avx512(const struct plat_cpu *c) { return c->avx512; }
static bool have_vnni(const struct plat_cpu *c) { return c->avx512_vnni; }
static bool have_amx(const struct plat_cpu *c) { return c->avx512_bf16 && c->amx_bf16 && c->amx_int8; }

const struct kern_level kern_ladder[] = {
    {"ref", NULL, {kern_ref_fill}},
    {"avx2", have_avx2, {kern_avx2_fill_float, kern_avx2_fill_strips}},
    {"avx512", have_avx512, {kern_avx512_fill_float, kern_avx512_fill_strips}},
    {"vnni", have_vnni, {kern_vnni_fill_strips}},
    {"amx", have_amx, {kern_amx_fill_int, kern_amx_fill_bf16}},
    {NULL, NULL, {NULL}},
};
