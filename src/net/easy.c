/* What every transfer of libcurl gets (easy.h): rules, options, headers, errors as sentences. Owns nothing but
 * libcurl's own setup. Read next: http.c, client.c. */
#include "easy.h"
#include "base_str.h"

#include <pthread.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void setup(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }
void net_easy_setup(void) { pthread_once(&once, setup); }

int net_easy_gate(const struct net_url *u, bool insecure_http, bool secret, struct err *e)
{
    if (strcmp(u->scheme, "http") != 0 || u->loopback) return 0;
    if (!insecure_http)
        return ERR(e, DENIED,
                   "Plain http to %s could be read and changed on the way. Use https, or allow it with "
                   "--insecure-http.",
                   u->host);
    if (secret)
        return ERR(e, DENIED, "The access token would travel to %s over plain http. Use https, or unset the token.",
                   u->host);
    return 0;
}

static void set_tls(CURL *c, const char *ca_file)
{
    const char *ca = getenv("CURL_CA_BUNDLE"), *dir = getenv("SSL_CERT_DIR");
    if (!ca || !*ca) ca = getenv("SSL_CERT_FILE");
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ca_file) {
        curl_easy_setopt(c, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* else the system's would do as well */
        return;
    }
    if (ca && *ca) curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    if (dir && *dir) curl_easy_setopt(c, CURLOPT_CAPATH, dir);
}

void net_easy_options(CURL *c, const char *url, const struct net_url *u, const char *ca_file, char *text)
{
    text[0] = 0;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "croft/" CROFT_VERSION);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
    if (u->loopback) curl_easy_setopt(c, CURLOPT_PROXY, "");
    set_tls(c, ca_file);
}

int net_easy_header(struct curl_slist **list, const char *name, const char *value, struct err *e)
{
    struct buf line;
    buf_init(&line, 4096);
    buf_fmt(&line, "%s: %s", name, value);
    struct curl_slist *grown = line.failed || strpbrk(line.data, "\r\n") ? NULL : curl_slist_append(*list, line.data);
    buf_done(&line);
    if (!grown) return ERR(e, USAGE, "The request header '%s' cannot be sent.", name);
    *list = grown;
    return 0;
}

int net_easy_error(CURLcode c, const struct net_url *u, const char *text, struct err *e)
{
    const char *host = u->host, *why = text[0] ? text : curl_easy_strerror(c);
    switch (c) {
    case CURLE_OUT_OF_MEMORY:
        return err_nomem(e, 0);
    case CURLE_COULDNT_RESOLVE_HOST:
        return ERR(e, NET, "The host %s could not be found. Check the network connection and the name.", host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return ERR(e, NET,
                   "The proxy named by the environment could not be found. Check https_proxy and http_proxy.");
    case CURLE_COULDNT_CONNECT:
        return ERR(e, NET, "No connection to %s, port %d: %.120s. Check the network connection.", host, u->port, why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return ERR(e, DENIED,
                   "The certificate of %s is not trusted (%.110s). If your organisation has its own authority, "
                   "name its file with CURL_CA_BUNDLE.",
                   host, why);
    case CURLE_SSL_CACERT_BADFILE:
        return ERR(e, DENIED,
                   "The certificate authorities' file could not be read (%.120s). Check CURL_CA_BUNDLE and "
                   "SSL_CERT_FILE.",
                   why);
    case CURLE_OPERATION_TIMEDOUT:
        return ERR(e, NET, "The server %s did not answer in time (%.120s). Try again later.", host, why);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return ERR(e, NET, "The server %s closed the connection too early (%.120s). Try again.", host, why);
    default:
        return ERR(e, NET, "The transfer from %s failed: %.160s. Try again later.", host, why);
    }
}

/* ---- heads of answers ---- */

bool net_easy_parse(const char *p, size_t n, struct net_easy_line *out)
{
    if (n >= sizeof out->text) return false; /* nothing that is used is so long; Location comes from libcurl */
    memcpy(out->text, p, n);
    out->text[n] = 0;
    out->text[strcspn(out->text, "\r\n")] = 0;
    out->name = out->value = "";
    out->status = 0;
    if (!out->text[0]) return true;
    if (str_starts(out->text, "HTTP/")) {
        const char *gap = strchr(out->text, ' ');
        out->status = gap ? (int)strtol(gap, NULL, 10) : 0;
        return out->status > 0;
    }
    char *value = strchr(out->text, ':');
    if (!value) return false;
    *value++ = 0;
    value += strspn(value, " \t");
    for (size_t k = strlen(value); k > 0 && (value[k - 1] == ' ' || value[k - 1] == '\t');) value[--k] = 0;
    out->name = out->text;
    out->value = value;
    return true;
}

void net_easy_keep(char *dst, size_t n, const char *value)
{
    for (const char *s = value; *s; s++)
        if (*s < ' ' || *s > '~') return;
    if (strlen(value) < n) snprintf(dst, n, "%s", value);
}

/* ---- SIGPIPE ---- */

void net_quiet_begin(struct net_quiet *q)
{
    sigset_t pipe_set, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    q->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_set, &q->old);
}

void net_quiet_end(const struct net_quiet *q)
{
    struct timespec zero = {0, 0};
    sigset_t pipe_set, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    if (!q->was_pending && sigismember(&pending, SIGPIPE) == 1) sigtimedwait(&pipe_set, NULL, &zero);
    pthread_sigmask(SIG_SETMASK, &q->old, NULL);
}
