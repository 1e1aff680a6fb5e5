/* An architecture without kernels of its own: plain C. */
#include "levels.h"

const struct kern_level kern_ladder[] = {
    {"ref", NULL, {kern_ref_fill}},
    {NULL, NULL, {NULL}},
};
