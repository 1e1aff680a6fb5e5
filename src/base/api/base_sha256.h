/* SHA-256 (FIPS 180-4) over OpenSSL's EVP: incremental, or of a file. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base_err.h"

struct sha256;                               /* heap; one stream */
struct sha256 *sha256_new(void);             /* NULL without memory */
void sha256_add(struct sha256 *s, const void *p, size_t n);
/* Of something large: its size, and 4 KiB at each of 256 places, evenly from its start to its end. Files of weights
 * that differ, differ in all of them. */
void sha256_add_sample(struct sha256 *s, const void *p, size_t n);
void sha256_hex(struct sha256 *s, char out[65]); /* lower case, NUL; ends and frees s */
void sha256_free(struct sha256 *s);
int sha256_file(const char *path, char out[65], struct err *e) ERR_CHECK;

#endif
