/* The levels of AArch64, lowest first. A new level is a row here and files with its suffix (mk/isa.mk). */
#include "levels.h"
#include "plat_cpu.h"

static bool have_neon(const struct plat_cpu *c) { return c->neon; }
static bool have_dotprod(const struct plat_cpu *c) { return c->dotprod; }
static bool have_i8mm(const struct plat_cpu *c) { return c->i8mm; }

const struct kern_level kern_ladder[] = {
    {"ref", NULL, {kern_ref_fill}},
    {"neon", have_neon, {kern_neon_fill_float, kern_neon_fill_strips}},
    {"dotprod", have_dotprod, {kern_dotprod_fill_strips}},
    {"i8mm", have_i8mm, {kern_i8mm_fill_strips}},
    {NULL, NULL, {NULL}},
};
