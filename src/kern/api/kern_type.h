/* Tensor types as GGUF numbers them (ggml's enum values are the file format's facts). A quantised row is a sequence
 * of blocks of `block` elements in `bytes` bytes; the layouts are drawn in src/kern/ref/. */
#ifndef KERN_TYPE_H
#define KERN_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  X(NAME, number, block elements, block bytes) */
#define KERN_TYPE_TABLE(X)      \
    X(F32, 0, 1, 4)             \
    X(F16, 1, 1, 2)             \
    X(Q4_0, 2, 32, 18)          \
    X(Q4_1, 3, 32, 20)          \
    X(Q5_0, 6, 32, 22)          \
    X(Q5_1, 7, 32, 24)          \
    X(Q8_0, 8, 32, 34)          \
    X(Q2_K, 10, 256, 84)        \
    X(Q3_K, 11, 256, 110)       \
    X(Q4_K, 12, 256, 144)       \
    X(Q5_K, 13, 256, 176)       \
    X(Q6_K, 14, 256, 210)       \
    X(IQ4_NL, 20, 32, 18)       \
    X(IQ4_XS, 23, 256, 136)     \
    X(BF16, 30, 1, 2)           \
    X(MXFP4, 39, 32, 17)

enum kern_type {
#define X(name, number, block, bytes) KERN_##name = (number),
    KERN_TYPE_TABLE(X)
#undef X
    KERN_TYPE_COUNT = 40
};

struct kern_type_info {
    const char *name;      /* NULL: not a type we know */
    unsigned block, bytes; /* elements and bytes of a block */
};
const struct kern_type_info *kern_type_get(int type); /* NULL if unknown */
int kern_type_find(const char *name);                 /* -1 if unknown; case-insensitive */
/* Bytes of a row of n elements; 0 if n is not a multiple of the block. */
size_t kern_row_bytes(int type, size_t n);

#endif
