/* SHA-256 through OpenSSL (base_sha256.h). */
#include "base_sha256.h"
#include "base_mem.h"

#include <errno.h>
#include <openssl/evp.h>

struct sha256 {
    EVP_MD_CTX *ctx;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *s = mem_alloc(sizeof *s);
    if (!s) return NULL;
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
        sha256_free(s);
        return NULL;
    }
    return s;
}

void sha256_free(struct sha256 *s)
{
    if (!s) return;
    EVP_MD_CTX_free(s->ctx);
    mem_free(s);
}

void sha256_add(struct sha256 *s, const void *p, size_t n) { EVP_DigestUpdate(s->ctx, p, n); }

void sha256_add_sample(struct sha256 *s, const void *p, size_t n)
{
    enum { PLACES = 256, PIECE = 4096 };
    uint64_t size = n;
    sha256_add(s, &size, sizeof size);
    for (uint64_t i = 0; i < PLACES && n; i++) {
        size_t at = n > PIECE ? (size_t)((n - PIECE) * i / (PLACES - 1)) : 0;
        sha256_add(s, (const char *)p + at, n - at < PIECE ? n - at : PIECE);
    }
}

void sha256_hex(struct sha256 *s, char out[65])
{
    unsigned char md[32] = {0};
    EVP_DigestFinal_ex(s->ctx, md, NULL);
    for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", md[i]);
    sha256_free(s);
}

int sha256_file(const char *path, char out[65], struct err *e)
{
    FILE *f = fopen(path, "rb");
    if (!f) return err_errno(e, errno, "open", path);
    size_t cap = 1 << 16, n;
    char *block = mem_alloc(cap);
    struct sha256 *s = sha256_new();
    int rc = block && s ? 0 : err_nomem(e, cap);
    while (rc == 0 && (n = fread(block, 1, cap, f)) > 0) sha256_add(s, block, n);
    if (rc == 0 && ferror(f)) rc = err_errno(e, errno, "read", path);
    if (rc == 0) sha256_hex(s, out);
    else sha256_free(s);
    mem_free(block);
    fclose(f);
    return rc;
}
