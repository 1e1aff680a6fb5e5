/* The functions that raise a table from one level to the next. Each is the only thing its folder exports; it overrides
 * what it does better and leaves the rest. A file with an instruction-set suffix has one such function and is called
 * only when the machine has that set. */
#ifndef KERN_LEVELS_H
#define KERN_LEVELS_H

#include "kern_ops.h"

typedef void kern_fill_fn(struct kern_ops *ops);

#endif
