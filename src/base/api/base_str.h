/* Strings: UTF-8, strict number parsing, hash. Nothing here allocates. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes, not NUL-terminated. */
struct str {
    const char *p;
    size_t n;
};
#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
struct str str_of(const char *z);
bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* The whole string must be the number (surrounding space is not accepted). */
bool str_to_i64(const char *s, int64_t *out);
bool str_to_u64(const char *s, uint64_t *out);
bool str_to_f64(const char *s, double *out); /* finite */
/* "64", "8k", "1.5G": bytes, powers of 1024. */
bool str_to_bytes(const char *s, uint64_t *out);
/* Edits (insert, delete, change, swap neighbours) between two short names; only their first 63 bytes count. */
size_t str_distance(const char *a, const char *b);
uint64_t str_hash(const void *p, size_t n); /* FNV-1a 64 */

/* Decode one code point from [p, end); returns bytes used (≥ 1) and sets *cp, or *cp = UINT32_MAX for a byte that
 * starts no valid sequence (overlong forms, surrogates and > 0x10FFFF are invalid), using 1 byte. */
size_t utf8_decode(const char *p, const char *end, uint32_t *cp);
size_t utf8_encode(uint32_t cp, char out[4]); /* U+FFFD for what cannot be encoded */
bool utf8_valid(const char *p, size_t n);
/* Bytes of the longest prefix of [p, n) that does not end inside a sequence that could still become valid. */
size_t utf8_complete(const char *p, size_t n);

#endif
