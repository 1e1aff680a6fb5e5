/* The key that signs checkpoints, Ed25519 through OpenSSL, and the chain's hash.
 *
 *     receipts.key   one private key, PEM (PKCS #8), 0600; made on first use, never replaced
 *     receipts.pub   public keys, PEM, one behind the other: a new private key adds its own, so that what an older
 * one signed can still be checked
 *
 * Who can read the private key can sign another history: the public key and anchors should also be kept where the
 * owner of this machine cannot write (docs/RECEIPTS.md). Handles belong to one thread at a time. Read next:
 * receipt_log.c. */
#include "receipt_private.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char domain[] = "croft-checkpoint-1 ";
enum { DOMAIN = sizeof domain - 1, MAX_MESSAGE = 2048 };

void route_hex(const unsigned char *p, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digit[p[i] >> 4];
        *out++ = digit[p[i] & 15];
    }
    *out = 0;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool route_unhex(const char *hex, size_t n_digits, unsigned char *out)
{
    for (size_t i = 0; i < n_digits; i += 2) {
        int high = digit_of(hex[i]), low = high < 0 ? -1 : digit_of(hex[i + 1]);
        if (low < 0) return false;
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return true;
}

int route_path(const char *dir, const char *name, char out[ROUTE_PATH], struct err *e)
{
    if (snprintf(out, ROUTE_PATH, "%s/%s", dir, name) >= ROUTE_PATH)
        return ERR(e, USAGE, "The path of the receipts' folder is too long.");
    return 0;
}

/* ---- the chain ---- */

int route_chain_init(struct route_chain *c, struct err *e)
{
    *c = (struct route_chain){.md = EVP_MD_fetch(NULL, "SHA256", NULL), .ctx = EVP_MD_CTX_new()};
    if (c->md && c->ctx) return 0;
    route_chain_done(c);
    return err_nomem(e, sizeof *c);
}

void route_chain_done(struct route_chain *c)
{
    EVP_MD_CTX_free(c->ctx);
    EVP_MD_free(c->md);
    *c = (struct route_chain){0};
}

static void hash_two(struct route_chain *c, const void *a, size_t n_a, const void *b, size_t n_b)
{
    EVP_DigestInit_ex2(c->ctx, c->md, NULL);
    EVP_DigestUpdate(c->ctx, a, n_a);
    EVP_DigestUpdate(c->ctx, b, n_b);
    EVP_DigestFinal_ex(c->ctx, c->hash, NULL);
}

void route_chain_begin(struct route_chain *c, const char *log_id)
{
    static const char version[] = "croft-receipts-1 ";
    hash_two(c, version, sizeof version - 1, log_id, strlen(log_id));
}

void route_chain_next(struct route_chain *c, const char *body, size_t n)
{
    unsigned char before[ROUTE_HASH];
    memcpy(before, c->hash, sizeof before);
    hash_two(c, before, sizeof before, body, n);
}

/* ---- keys ---- */

static int name_of(struct route_key *k, struct err *e)
{
    unsigned char raw[32], hash[ROUTE_HASH];
    size_t n = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &n) != 1 || n != sizeof raw ||
        EVP_Digest(raw, n, hash, NULL, EVP_sha256(), NULL) != 1)
        return ERR(e, FORMAT, "A key of the receipts is no Ed25519 key.");
    route_hex(hash, sizeof hash, k->name);
    return 0;
}

void route_key_done(struct route_key *k)
{
    EVP_PKEY_free(k->pkey);
    *k = (struct route_key){0};
}

/* Append the public key to the public file; both are then on disk before anything is signed. */
static int publish(const struct route_key *k, const char *pub_path, struct err *e)
{
    FILE *f = fopen(pub_path, "ae");
    if (!f) return err_errno(e, errno, "open", pub_path);
    int rc = 0;
    if (PEM_write_PUBKEY(f, k->pkey) != 1 || fflush(f) || fsync(fileno(f)))
        rc = err_errno(e, errno, "write", pub_path);
    if (fclose(f) && rc == 0) rc = err_errno(e, errno, "write", pub_path);
    return rc;
}

static int make(const char *key_path, const char *pub_path, struct route_key *k, struct err *e)
{
    k->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!k->pkey) return ERR(e, INTERNAL, "No Ed25519 key could be made: OpenSSL refused.");
    int rc = name_of(k, e);
    if (rc == 0) rc = publish(k, pub_path, e);
    if (rc) return rc;
    int fd = open(key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        rc = err_errno(e, errno, "create", key_path);
        if (fd >= 0) close(fd);
        return rc;
    }
    if (PEM_write_PrivateKey(f, k->pkey, NULL, NULL, 0, NULL, NULL) != 1 || fflush(f) || fsync(fd))
        rc = err_errno(e, errno, "write", key_path);
    if (fclose(f) && rc == 0) rc = err_errno(e, errno, "write", key_path);
    if (rc) unlink(key_path);
    return rc;
}

static bool published(const struct route_key *k, const char *pub_path)
{
    struct route_keys all;
    struct err ignored;
    bool found = false;
    if (route_keys_open(pub_path, &all, &ignored)) return false;
    for (int i = 0; i < all.n; i++) found |= strcmp(all.key[i].name, k->name) == 0;
    route_keys_done(&all);
    return found;
}

int route_key_open(const char *key_path, const char *pub_path, struct route_key *out, struct err *e)
{
    struct route_key k = {0};
    struct stat st;
    int rc = 0;
    FILE *f = fopen(key_path, "re");
    if (!f && errno != ENOENT) return err_errno(e, errno, "open", key_path);
    if (!f) {
        rc = make(key_path, pub_path, &k, e);
    } else {
        if (fstat(fileno(f), &st) == 0 && st.st_mode & 077)
            rc = ERR(e, DENIED, "Others may read the key '%.160s': run chmod 600 on it.", key_path);
        else if (!(k.pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL)) || EVP_PKEY_get_id(k.pkey) != EVP_PKEY_ED25519)
            rc = ERR(e, FORMAT, "'%.160s' holds no Ed25519 private key in PEM. Move it away, and a new one is made.",
                     key_path);
        fclose(f);
        if (rc == 0) rc = name_of(&k, e);
        if (rc == 0 && !published(&k, pub_path)) rc = publish(&k, pub_path, e);
    }
    if (rc)
        route_key_done(&k);
    else
        *out = k;
    return rc;
}

/* What is signed, into m; its length, or 0: no checkpoint is so long. */
static size_t message(const char *body, size_t n, unsigned char m[MAX_MESSAGE])
{
    if (n > MAX_MESSAGE - DOMAIN) return 0;
    memcpy(m, domain, DOMAIN);
    memcpy(m + DOMAIN, body, n);
    return DOMAIN + n;
}

int route_key_sign(const struct route_key *k, const char *body, size_t n, unsigned char out[ROUTE_SIGNATURE],
                   struct err *e)
{
    unsigned char m[MAX_MESSAGE];
    size_t n_sig = ROUTE_SIGNATURE, n_m = message(body, n, m);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = 0;
    if (!ctx || !n_m || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, out, &n_sig, m, n_m) != 1)
        rc = ERR(e, INTERNAL, "A checkpoint could not be signed: OpenSSL refused.");
    EVP_MD_CTX_free(ctx);
    return rc;
}

int route_keys_open(const char *pub_path, struct route_keys *out, struct err *e)
{
    struct route_keys all = {.n = 0};
    int rc = 0;
    FILE *f = fopen(pub_path, "re");
    if (!f) return err_errno(e, errno, "open", pub_path);
    while (rc == 0 && all.n < ROUTE_MAX_KEYS) {
        EVP_PKEY *p = PEM_read_PUBKEY(f, NULL, NULL, NULL);
        if (!p) break;
        all.key[all.n].pkey = p;
        rc = name_of(&all.key[all.n++], e);
    }
    fclose(f);
    ERR_clear_error(); /* "no more keys" must not be there when TLS on this thread looks for its own errors */
    if (rc == 0 && all.n == 0) rc = ERR(e, FORMAT, "'%.160s' holds no public key in PEM.", pub_path);
    if (rc)
        route_keys_done(&all);
    else
        *out = all;
    return rc;
}

void route_keys_done(struct route_keys *k)
{
    for (int i = 0; i < k->n; i++) route_key_done(&k->key[i]);
    k->n = 0;
}

bool route_keys_verify(const struct route_keys *k, const char *body, size_t n,
                       const unsigned char sig[ROUTE_SIGNATURE])
{
    bool good = false;
    unsigned char m[MAX_MESSAGE];
    size_t n_m = message(body, n, m);
    for (int i = 0; i < k->n && n_m && !good; i++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        good = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key[i].pkey) == 1 &&
               EVP_DigestVerify(ctx, sig, ROUTE_SIGNATURE, m, n_m) == 1;
        EVP_MD_CTX_free(ctx);
    }
    ERR_clear_error();
    return good;
}

/* ---- subjects ---- */

static int make_salt(const char *path, struct route_subject_salt *s, struct err *e)
{
    int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(e, errno, "create", path);
    if (RAND_bytes(s->bytes, sizeof s->bytes) != 1)
        rc = ERR(e, INTERNAL, "There are no random numbers.");
    else if (write(fd, s->bytes, sizeof s->bytes) != sizeof s->bytes || fsync(fd))
        rc = err_errno(e, errno, "write", path);
    close(fd);
    if (rc) unlink(path);
    return rc;
}

int route_subject_open(const char *dir, bool make, struct route_subject_salt *out, struct err *e)
{
    char path[ROUTE_PATH];
    struct route_subject_salt s;
    int rc = route_path(dir, "subject.salt", path, e);
    if (rc) return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make) {
        rc = make_salt(path, &s, e);
    } else if (fd < 0) {
        rc = err_errno(e, errno, "open", path);
    } else {
        if (read(fd, s.bytes, sizeof s.bytes) != sizeof s.bytes)
            rc = ERR(e, FORMAT, "'%.160s' is too short for a salt. Restore it, or subjects get other names.", path);
        close(fd);
    }
    if (rc == 0) *out = s;
    return rc;
}

void route_subject_hash(const struct route_subject_salt *salt, const char *user, char out[65])
{
    unsigned char mac[EVP_MAX_MD_SIZE] = {0};
    size_t n = 0;
    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, salt->bytes, sizeof salt->bytes, (const unsigned char *)user,
              strlen(user), mac, sizeof mac, &n);
    route_hex(mac, ROUTE_HASH, out);
}
