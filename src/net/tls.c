/* TLS for the server: certificate and key from PEM files, TLS 1.2 at least, HTTP/1.1 in ALPN. A context is
 * read-only after net_tls_new; each connection has its own SSL, freed with its bufferevent. The loop's thread. */
#include "server.h"
#include "base_log.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int complain(const char *what, const char *path, struct err *e)
{
    const char *why = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return err_set(e, CROFT_E_FORMAT, "", -1, "The TLS %s '%.120s' cannot be used: %s.", what, path,
                   why ? why : "it cannot be read");
}

/* Is it there, and ours to read? OpenSSL does not say. */
static int check_file(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_errno(e, errno, "open", path);
    close(fd);
    return 0;
}

static int read_files(SSL_CTX *ctx, const char *cert, const char *key, struct err *e)
{
    int rc = check_file(cert, e);
    if (rc == 0) rc = check_file(key, e);
    if (rc) return rc;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) return complain("certificate", cert, e);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return complain("key", key, e);
    return 0;
}

/* What is wrong with a certificate's dates, or NULL. */
static const char *bad_dates(SSL_CTX *ctx)
{
    X509 *x = SSL_CTX_get0_certificate(ctx);
    if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0) return "has expired";
    return X509_cmp_current_time(X509_get0_notBefore(x)) > 0 ? "is not valid yet" : NULL;
}

int net_tls_new(const char *cert, const char *key, struct ssl_ctx_st **out, struct err *e)
{
    if (!key) return err_set(e, CROFT_E_USAGE, "", -1, "A TLS certificate needs its key: give both files.");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return err_nomem(e, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    int rc = read_files(ctx, cert, key, e);
    if (rc)
        SSL_CTX_free(ctx);
    else
        *out = ctx;
    return rc;
}

int net_tls_check(const char *cert, const char *key, struct err *e)
{
    SSL_CTX *ctx;
    int rc = net_tls_new(cert, key, &ctx, e);
    if (rc) return rc;
    const char *why = bad_dates(ctx);
    if (why) rc = ERR(e, FORMAT, "The TLS certificate '%.120s' %s: clients refuse it.", cert, why);
    SSL_CTX_free(ctx);
    return rc;
}

/* Connections keep the context that they began with: each SSL has a reference. */
int net_server_tls(struct net_server *s, const char *cert, const char *key, struct err *e)
{
    struct ssl_ctx_st *fresh;
    int rc = net_tls_new(cert, key, &fresh, e);
    if (rc) return rc;
    const char *why = bad_dates(fresh);
    if (why) log_warn("The TLS certificate '%.120s' %s: clients refuse it.", cert, why);
    net_tls_free(s->tls);
    s->tls = fresh;
    return 0;
}

void net_tls_free(struct ssl_ctx_st *ctx) { SSL_CTX_free(ctx); }

struct bufferevent *net_tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, evutil_socket_t fd)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl) return NULL;
    struct bufferevent *b =
        bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!b)
        SSL_free(ssl);
    else
        bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
    return b;
}
