/* SHA-256 through OpenSSL (base_sha256.h), and PATH.croft-digest, which keeps that of a large file. One line:
 *
 *     inode N size N modified NS changed NS sha256 HEX
 *
 * Times are as coarse as the file system's clock: a file that was written in the same tick, once before it was read and
 * once after, looks the same. So nothing is kept of a file that changed less than SETTLED_NS ago.
 * The last one is also kept in memory, under a lock: each task of a model asks, and its folder may not be writable.
 * Read next: plat_file.h. */
#include "base_sha256.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>

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

/* ---- kept ---- */

enum { PIECE = 16 << 20, HEX = 64 };
static const int64_t SETTLED_NS = 3000000000; /* FAT, the coarsest, counts two seconds */

static int line_of(const struct plat_file_id *id, char *out, size_t cap)
{
    return snprintf(out, cap, "inode %llu size %llu modified %lld changed %lld sha256 ", (unsigned long long)id->inode,
                    (unsigned long long)id->size, (long long)id->modified_ns, (long long)id->changed_ns);
}

static bool read_kept(const char *kept, const char *line, size_t n, char out[65])
{
    struct plat_map k;
    if (plat_map_open(&k, kept)) return false;
    const char *hex = (const char *)k.data + n;
    bool is = k.size == n + HEX + 1 && memcmp(k.data, line, n) == 0 && hex[HEX] == '\n';
    for (size_t i = 0; i < HEX && is; i++) is = (hex[i] >= '0' && hex[i] <= '9') || (hex[i] >= 'a' && hex[i] <= 'f');
    if (is) snprintf(out, HEX + 1, "%.*s", HEX, hex);
    plat_map_close(&k);
    return is;
}

static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_line[256], last_hex[HEX + 1]; /* under last_lock */

static bool is_last(const char *line, char out[65])
{
    pthread_mutex_lock(&last_lock);
    bool is = strcmp(line, last_line) == 0;
    if (is) snprintf(out, HEX + 1, "%s", last_hex);
    pthread_mutex_unlock(&last_lock);
    return is;
}
static void set_last(const char *line, const char hex[65])
{
    pthread_mutex_lock(&last_lock);
    snprintf(last_line, sizeof last_line, "%s", line);
    snprintf(last_hex, sizeof last_hex, "%s", hex);
    pthread_mutex_unlock(&last_lock);
}

static bool settled(const struct plat_file_id *id)
{
    int64_t last = id->modified_ns > id->changed_ns ? id->modified_ns : id->changed_ns;
    return clock_unix_s() * 1000000000 - last > SETTLED_NS;
}

int sha256_kept(const struct plat_map *m, const char *path, char out[65], struct err *e)
{
    char kept[PATH_MAX], line[256];
    int n = line_of(&m->id, line, sizeof line);
    bool keep = path && settled(&m->id);
    if (path && snprintf(kept, sizeof kept, "%s.croft-digest", path) >= (int)sizeof kept)
        return ERR(e, LIMIT, "The path '%.160s' is too long.", path);
    if (path && (read_kept(kept, line, (size_t)n, out) || is_last(line, out))) return 0;
    struct sha256 *s = sha256_new();
    if (!s) return err_nomem(e, sizeof *s);
    for (size_t at = 0; at < m->size; at += PIECE) {
        size_t k = m->size - at < PIECE ? m->size - at : PIECE;
        sha256_add(s, m->data + at, k);
        if (path) plat_map_drop(m->data + at, k);
    }
    sha256_hex(s, out);
    struct plat_file_id now;
    if (keep && plat_file_id(path, &now) == 0 && memcmp(&now, &m->id, sizeof now) == 0) {
        set_last(line, out);
        n += snprintf(line + n, sizeof line - (size_t)n, "%s\n", out);
        (void)!plat_file_write(kept, line, (size_t)n); /* where that fails, the next process reads all again */
    }
    return 0;
}
