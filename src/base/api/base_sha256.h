/* SHA-256 (FIPS 180-4) over OpenSSL's EVP: incremental, or of a file. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base_err.h"
#include "plat_file.h"

struct sha256;                               /* heap; one stream */
struct sha256 *sha256_new(void);             /* NULL without memory */
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_hex(struct sha256 *s, char out[65]); /* lower case, NUL; ends and frees s */
void sha256_free(struct sha256 *s);
int sha256_file(const char *path, char out[65], struct err *e) ERR_CHECK;
/* Of all bytes of a large file that `m` maps, opened as `path`; some 1.5 GB/s with the CPU's own instructions for it, a
 * quarter without. It is computed once: PATH.croft-digest keeps it, where that can be written, and is believed as long
 * as the file's identity is the one written there (plat_file.h). `path` NULL: other memory, and nothing is kept. */
int sha256_kept(const struct plat_map *m, const char *path, char out[65], struct err *e) ERR_CHECK;

#endif
