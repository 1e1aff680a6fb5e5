/* Where a URL leads (net_url.h). Owns nothing, no state. libcurl's parser decides, because libcurl also
 * opens the connection: two parsers that disagree about a host are a security hole. Read next: http.c. */
#include "net_url.h"
#include "base_str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>

/* libcurl normalises the forms of an IPv4 address ("127.1", "0x7f000001") to four numbers. */
static bool is_loopback(const char *host)
{
    struct in_addr a4;
    struct in6_addr a6;
    char bare[64];
    size_t n = strlen(host);
    if (strcmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &a4) == 1) return (ntohl(a4.s_addr) >> 24) == 127;
    if (host[0] != '[' || n < 3 || n - 2 >= sizeof bare) return false;
    snprintf(bare, sizeof bare, "%.*s", (int)(n - 2), host + 1);
    return inet_pton(AF_INET6, bare, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
}

static bool get_part(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t n)
{
    char *s = NULL;
    bool ok = curl_url_get(u, part, &s, flags) == CURLUE_OK && strlen(s) < n;
    if (ok) snprintf(out, n, "%s", s);
    curl_free(s);
    return ok;
}

static bool has_user(CURLU *u)
{
    char *s = NULL, *p = NULL;
    curl_url_get(u, CURLUPART_USER, &s, 0);
    curl_url_get(u, CURLUPART_PASSWORD, &p, 0);
    bool has = s || p;
    curl_free(s);
    curl_free(p);
    return has;
}

int net_url_parse(const char *url, struct net_url *out, struct err *e)
{
    struct net_url r = {0};
    char port[8];
    int64_t number = 0;
    for (const char *s = url; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return ERR(e, USAGE,
                       "A URL must not contain spaces or control characters. Write a space as %%20.");
    CURLU *u = curl_url();
    if (!u) return err_nomem(e, 0);
    int rc = 0;
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !get_part(u, CURLUPART_SCHEME, 0, r.scheme, sizeof r.scheme) ||
        !get_part(u, CURLUPART_HOST, 0, r.host, sizeof r.host) ||
        (strcmp(r.scheme, "http") && strcmp(r.scheme, "https")) ||
        !get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) || !str_to_i64(port, &number))
        rc = ERR(e, USAGE, "'%.200s' is not a URL that Croft can open. Use https://HOST/PATH.", url);
    else if (has_user(u))
        rc = ERR(e, USAGE, "The URL contains a user name or password, which would be recorded. Remove it.");
    curl_url_cleanup(u);
    if (rc) return rc;
    for (char *s = r.host; *s; s++) *s = (char)tolower((unsigned char)*s);
    r.port = (int)number;
    r.loopback = is_loopback(r.host);
    *out = r;
    return 0;
}

bool net_url_same_origin(const struct net_url *a, const struct net_url *b)
{
    return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0;
}

int net_url_encode(struct buf *out, const char *s, bool keep_slash)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = isalnum(c) || strchr("-._~", c) || (c == '/' && keep_slash);
        if (plain) buf_char(out, (char)c);
        else buf_fmt(out, "%%%02X", c);
    }
    return out->failed;
}

int net_url_plain(struct buf *out, const char *url)
{
    return buf_add(out, url, strcspn(url, "?#"));
}
