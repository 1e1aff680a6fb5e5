/* The asynchronous client and certificates: one that nobody vouches for is refused, one of the caller's own authority
 * is accepted, and then for its own host alone. Keys and certificates are made here. */
#include "net_client.h"
#include "net_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static char dir[] = "/tmp/croft-tls-XXXXXX", cert[64], key[64], other_cert[64], other_key[64];
static struct net_server *server;
static struct net_client *client;
static pthread_t loop;
static atomic_int n_asked;

/* A certificate that signs itself, for "localhost" alone. */
static void make_cert(const char *cert_path, const char *key_path)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, k);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    if (!X509_sign(x, k, EVP_sha256())) abort();
    FILE *f = fopen(cert_path, "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(key_path, "w");
    PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void on_request(void *user, struct net_exchange *x)
{
    atomic_fetch_add(&n_asked, 1);
    net_exchange_reply(x, 200, "text/plain", "secret", 6);
}
static void on_refuse(void *user, int status, const char *sentence, struct buf *out) {}
static void *serve(void *arg)
{
    struct err e;
    return (void *)(intptr_t)net_server_run(server, &e);
}

static int n_ends;
static struct net_call_end last;
static void on_end(void *user, const struct net_call_end *e)
{
    n_ends++;
    last = *e;
}

static enum net_end end_of(const char *host, const char *ca_file)
{
    char url[96];
    struct err e = {0};
    snprintf(url, sizeof url, "https://%s:%d/", host, net_server_port(server));
    struct net_call_params p = {.url = url, .body = "x", .n_body = 1, .ca_file = ca_file, .on_end = on_end};
    n_ends = 0;
    if (net_client_send(client, &p, NULL, &e)) fail_msg("%s", e.msg);
    assert_true(net_client_run(client, 10));
    assert_int_equal(n_ends, 1);
    return last.end;
}

static void nobody_vouches(void **state)
{
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
    assert_int_equal(end_of("localhost", NULL), NET_END_TLS);
    assert_int_equal(last.err.code, CROFT_E_DENIED);
    assert_int_equal(end_of("localhost", other_cert), NET_END_TLS);
    assert_int_equal(end_of("localhost", "/nonexistent"), NET_END_TLS);
    assert_int_equal(atomic_load(&n_asked), 0); /* not a byte of a request came */
}

static void own_authority(void **state)
{
    assert_int_equal(end_of("localhost", cert), NET_END_OK);
    assert_int_equal(end_of("localhost", cert), NET_END_OK);
    assert_true(last.reused);
    assert_int_equal(end_of("127.0.0.1", cert), NET_END_TLS); /* the right authority, another host */
    assert_int_equal(atomic_load(&n_asked), 2);
    /* A kept connection serves only calls that trust the same authorities. */
    assert_int_equal(end_of("localhost", other_cert), NET_END_TLS);
}

static void the_environment_or_the_tier(void **state)
{
    setenv("SSL_CERT_FILE", cert, 1);
    assert_int_equal(end_of("localhost", NULL), NET_END_OK);
    assert_int_equal(end_of("localhost", other_cert), NET_END_TLS); /* a tier's authorities are its only ones */
    unsetenv("SSL_CERT_FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_vouches), cmocka_unit_test(own_authority),
                                       cmocka_unit_test(the_environment_or_the_tier)};
    struct err e = {0};
    if (!mkdtemp(dir)) return 1;
    snprintf(cert, sizeof cert, "%s/cert", dir);
    snprintf(key, sizeof key, "%s/key", dir);
    snprintf(other_cert, sizeof other_cert, "%s/other-cert", dir);
    snprintf(other_key, sizeof other_key, "%s/other-key", dir);
    make_cert(cert, key);
    make_cert(other_cert, other_key);
    struct net_server_params p = {
        .loopback_only = true, .on_request = on_request, .on_refuse = on_refuse, .tls_cert = cert, .tls_key = key};
    if (net_server_new(&p, &server, &e) || net_client_new(NULL, NULL, &client, &e)) return 1;
    pthread_create(&loop, NULL, serve, NULL);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    net_client_free(client);
    net_server_stop(server);
    pthread_join(loop, NULL);
    net_server_free(server);
    const char *const made[] = {cert, key, other_cert, other_key};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) unlink(made[i]);
    rmdir(dir);
    return rc;
}
