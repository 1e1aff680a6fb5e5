/* The HTTP client (net_http.h), a thin layer over libcurl.
 *
 * One net_fetch = one easy handle = up to `tries` tries = up to 11 hops each. Redirects are followed here
 * and not by libcurl, because each hop must pass the same gate (`check_hop`) and callers want to see the
 * headers of every hop.
 *
 *     net_fetch ── try ──┬─ hop: check_hop → set options → perform → redirect? ──┐
 *        ↑ pause         └───────────────────────────────────────────────────────┘
 *        └── network error, 429, 5xx, and no byte of a body handed out yet
 *
 * Threads: any number of fetches at a time, each on its caller's thread. Nothing is shared but libcurl's
 * own setup (easy.c). Invariants: callbacks run on the caller's thread; after a callback returned an error nothing
 * more is called. */
#include "net_http.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "easy.h"

#include <time.h>

#define MAX_REDIRECTS 10
#define MAX_URL_BYTES 8192
#define MAX_RETRY_AFTER_S 120
#define OFFLINE_TRIES 3 /* no name, no connection: a person waits for the sentence */
#define DROPPED_BODY_BYTES (256 * 1024) /* how much of an error page is read to keep the connection */

struct fetch {
    const struct net_request *q;
    CURL *curl;
    struct net_url first;     /* the origin the token belongs to */
    struct net_url here;      /* this hop */
    bool token_dropped;       /* once another origin was visited, the token stays home */
    struct net_response r;
    bool head_seen;           /* on_head was called for this hop */
    bool body_begun;          /* on_body was called: no silent retry any more */
    bool offline;             /* nothing answered at all */
    bool refused;             /* a callback returned an error, now in `failure` */
    uint64_t body_bytes;
    struct err failure;
    int failure_code;
    char curl_text[CURL_ERROR_SIZE];
};

static bool is_success(const struct fetch *f) { return f->r.status >= 200 && f->r.status < 300; }

static void refuse(struct fetch *f, int code)
{
    f->refused = true;
    f->failure_code = code;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

/* "bytes 100-199/5000"; either side of the slash may be a star. What is malformed stays -1. */
static void parse_content_range(struct net_response *r, const char *v)
{
    char start[24], total[24];
    const char *dash = strchr(v, '-'), *slash = strchr(v, '/');
    int64_t n;
    if (strncasecmp(v, "bytes ", 6) || !slash) return;
    snprintf(total, sizeof total, "%s", slash + 1);
    if (str_to_i64(total, &n) && n >= 0) r->range_total = n;
    if (!dash || dash > slash || dash - (v + 6) >= (ptrdiff_t)sizeof start) return;
    snprintf(start, sizeof start, "%.*s", (int)(dash - (v + 6)), v + 6);
    if (str_to_i64(start, &n) && n >= 0) r->range_start = n;
}

static size_t on_curl_header(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    struct net_easy_line l;
    n *= size;
    if (!net_easy_parse(p, n, &l)) return n;
    if (l.status) { /* a new answer: also after "100 Continue" and after a proxy's CONNECT */
        f->r = (struct net_response){.status = l.status, .length = -1, .range_start = -1, .range_total = -1};
        char text[16];
        snprintf(text, sizeof text, "%d", l.status);
        if (f->q->on_header) f->q->on_header(f->q->arg, "", text);
        return n;
    }
    if (!l.name[0]) return n;
    if (strcasecmp(l.name, "content-length") == 0) {
        int64_t v;
        if (str_to_i64(l.value, &v) && v >= 0) f->r.length = v;
    }
    if (strcasecmp(l.name, "etag") == 0) net_easy_keep(f->r.etag, sizeof f->r.etag, l.value);
    if (strcasecmp(l.name, "last-modified") == 0)
        net_easy_keep(f->r.last_modified, sizeof f->r.last_modified, l.value);
    if (strcasecmp(l.name, "content-range") == 0) parse_content_range(&f->r, l.value);
    if (f->q->on_header) f->q->on_header(f->q->arg, l.name, l.value);
    return n;
}

static int announce(struct fetch *f)
{
    if (f->head_seen || !is_success(f)) return 0;
    f->head_seen = true;
    int rc = f->q->on_head ? f->q->on_head(f->q->arg, &f->r, &f->failure) : 0;
    if (rc) refuse(f, rc);
    return rc;
}

/* ---- body ---------------------------------------------------------------------------------------------- */

/* A return other than n*size makes libcurl end the transfer with CURLE_WRITE_ERROR. */
static size_t on_curl_body(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    n *= size;
    f->body_bytes += n;
    if (!is_success(f)) return f->body_bytes > DROPPED_BODY_BYTES ? 0 : n;
    if (announce(f)) return 0;
    if (f->body_bytes > f->q->max_bytes) {
        refuse(f, ERR(&f->failure, LIMIT,
                      "The server %s sends more than the %llu bytes expected. Nothing was kept.",
                      f->here.host, (unsigned long long)f->q->max_bytes));
        return 0;
    }
    f->body_begun = true;
    int rc = f->q->on_body ? f->q->on_body(f->q->arg, p, n, &f->failure) : 0;
    if (rc) refuse(f, rc);
    return rc ? 0 : n;
}

static int on_curl_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    struct fetch *f = arg;
    int rc = f->q->on_tick ? f->q->on_tick(f->q->arg, NULL, &f->failure) : 0;
    if (rc) refuse(f, rc);
    return rc != 0;
}

/* ---- one hop ------------------------------------------------------------------------------------------- */

/* The gate that every connection passes. `from` is the previous hop, or NULL. */
static int check_hop(struct fetch *f, const char *url, const struct net_url *from, struct err *e)
{
    struct net_url u;
    int rc = net_url_parse(url, &u, e);
    if (rc && from)
        return ERR(e, NET, "The server %s redirects to an address that Croft does not open.", from->host);
    if (rc) return rc;
    bool plain = strcmp(u.scheme, "http") == 0;
    if (plain && from && strcmp(from->scheme, "https") == 0)
        return ERR(e, NET, "The server %s redirects from https to plain http (%s). That is refused.",
                   from->host, u.host);
    if (from && !net_url_same_origin(&f->first, &u)) f->token_dropped = true;
    if (!from) f->first = u;
    f->here = u;
    return net_easy_gate(&u, f->q->insecure_http, f->q->bearer && !f->token_dropped, e);
}

static int set_headers(struct fetch *f, struct curl_slist **list, struct err *e)
{
    const struct net_request *q = f->q;
    char range[40];
    struct buf auth;
    int rc = 0;
    buf_init(&auth, 4096);
    snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)q->range_from);
    if (q->accept) rc = net_easy_header(list, "Accept", q->accept, e);
    if (!rc && q->range_from) rc = net_easy_header(list, "Range", range, e);
    if (!rc && q->range_from && q->if_range) rc = net_easy_header(list, "If-Range", q->if_range, e);
    if (!rc && q->bearer && !f->token_dropped) {
        buf_fmt(&auth, "Bearer %s", q->bearer);
        rc = auth.failed ? ERR(e, USAGE, "The access token is too long.")
                         : net_easy_header(list, "Authorization", auth.data, e);
    }
    buf_done(&auth);
    if (!rc) curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, *list);
    return rc;
}

static void set_options(struct fetch *f, const char *url)
{
    CURL *c = f->curl;
    net_easy_options(c, url, &f->here, NULL, f->curl_text);
    curl_easy_setopt(c, CURLOPT_NOBODY, f->q->head ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 20L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(f->q->stall_s > 0 ? f->q->stall_s : 30));
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_curl_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_curl_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, f);
}

/* Errors that another try cannot cure. */
static bool is_final(CURLcode c)
{
    return c == CURLE_OUT_OF_MEMORY || c == CURLE_PEER_FAILED_VERIFICATION || c == CURLE_SSL_ISSUER_ERROR ||
           c == CURLE_SSL_CACERT_BADFILE || c == CURLE_UNSUPPORTED_PROTOCOL || c == CURLE_URL_MALFORMAT;
}

/* One request, one answer. *again tells whether another try may help. */
static int do_hop(struct fetch *f, const char *url, bool *again, struct err *e)
{
    struct curl_slist *list = NULL;
    f->r = (struct net_response){.length = -1, .range_start = -1, .range_total = -1};
    f->head_seen = false;
    f->body_bytes = 0;
    f->offline = false;
    *again = false;
    set_options(f, url);
    int rc = set_headers(f, &list, e);
    if (rc == 0) {
        struct net_quiet quiet;
        net_quiet_begin(&quiet);
        CURLcode c = curl_easy_perform(f->curl);
        net_quiet_end(&quiet);
        bool dropped = c == CURLE_WRITE_ERROR && !f->refused && f->r.status && !is_success(f);
        if (c != CURLE_OK && !dropped && !f->refused) {
            *again = !is_final(c);
            f->offline = c == CURLE_COULDNT_RESOLVE_HOST || c == CURLE_COULDNT_CONNECT;
            rc = net_easy_error(c, &f->here, f->curl_text, e);
        } else if (!f->refused) {
            announce(f);
        }
    }
    curl_slist_free_all(list);
    if (f->refused) {
        *again = false;
        if (e) *e = f->failure;
        rc = f->failure_code;
    }
    return rc;
}

/* ---- tries --------------------------------------------------------------------------------------------- */

static bool is_redirect(int s) { return s == 301 || s == 302 || s == 303 || s == 307 || s == 308; }

/* Follow redirects from q->url to an answer. */
static int do_try(struct fetch *f, bool *again, struct err *e)
{
    char *url = mem_strdup(f->q->url);
    struct net_url from;
    int rc = url ? 0 : err_nomem(e, strlen(f->q->url));
    *again = false;
    f->token_dropped = false;
    for (int hop = 0; rc == 0; hop++) {
        rc = check_hop(f, url, hop ? &from : NULL, e);
        if (rc == 0) rc = do_hop(f, url, again, e);
        if (rc || !is_redirect(f->r.status)) break;
        char *next = NULL;
        curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_URL, &next); /* absolute; owned by the handle */
        if (!next || strlen(next) > MAX_URL_BYTES) {
            rc = ERR(e, NET, "The server %s redirects without saying where to.", f->here.host);
            break;
        }
        struct net_url to;
        if (f->q->follow == NET_FOLLOW_SAME_ORIGIN && net_url_parse(next, &to, NULL) == 0 &&
            !net_url_same_origin(&f->first, &to))
            break;
        if (hop >= MAX_REDIRECTS) {
            rc = ERR(e, NET, "The server %s redirects in circles (more than %d times).", f->here.host,
                     MAX_REDIRECTS);
            break;
        }
        from = f->here;
        mem_free(url);
        url = mem_strdup(next);
        if (!url) rc = err_nomem(e, strlen(next));
    }
    mem_free(url);
    return rc;
}

int net_pause(const struct net_request *q, int n, int retry_after_s, const char *why, struct err *e)
{
    uint64_t ms = 500;
    for (int i = 1; i < n && ms < 20000; i++) ms *= 2;
    if (ms > 20000) ms = 20000;
    ms = ms / 2 + clock_now_ns() / 1000 % ms; /* jitter: the clock's microseconds are chance enough */
    if (ms < (uint64_t)retry_after_s * 1000) ms = (uint64_t)retry_after_s * 1000;
    for (uint64_t end = clock_now_ns() + ms * 1000000; clock_now_ns() < end;) {
        int rc = q->on_tick ? q->on_tick(q->arg, why, e) : 0;
        if (rc) return rc;
        nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
    }
    return 0;
}

int net_fetch(const struct net_request *q, struct net_response *out, struct err *e)
{
    struct fetch f = {.q = q};
    int tries = q->tries > 0 ? q->tries : 5, rc = 0;
    net_easy_setup();
    f.curl = curl_easy_init();
    *out = (struct net_response){.length = -1, .range_start = -1, .range_total = -1};
    if (!f.curl) return err_nomem(e, 0);
    for (int n = 1;; n++) {
        bool again;
        rc = do_try(&f, &again, e);
        int s = f.r.status;
        if (rc == 0) again = s == 429 || s >= 500;
        if (!again || n >= (f.offline && tries > OFFLINE_TRIES ? OFFLINE_TRIES : tries) || f.body_begun)
            break;
        curl_off_t after = 0;
        char why[400];
        if (rc == 0) curl_easy_getinfo(f.curl, CURLINFO_RETRY_AFTER, &after);
        if (after > MAX_RETRY_AFTER_S) break; /* the caller's sentence for 429 and 503 says: try later */
        if (rc) snprintf(why, sizeof why, "%s", e ? e->msg : "network failure");
        else snprintf(why, sizeof why, "The server %s answers with status %d.", f.here.host, s);
        rc = net_pause(q, n, (int)after, why, e);
        if (rc) break;
    }
    curl_easy_cleanup(f.curl);
    f.r.broken = rc == CROFT_E_NET && f.body_begun;
    *out = f.r;
    return rc;
}

/* ---- conveniences -------------------------------------------------------------------------------------- */

struct small_get {
    const struct net_request *outer;
    struct buf *body;
};

static int small_body(void *arg, const void *p, size_t n, struct err *e)
{
    struct small_get *g = arg;
    return buf_add(g->body, p, n) ? buf_check(g->body, "server's answer", e) : 0;
}

static void small_header(void *arg, const char *name, const char *value)
{
    struct small_get *g = arg;
    if (g->outer->on_header) g->outer->on_header(g->outer->arg, name, value);
}

static int small_tick(void *arg, const char *pause, struct err *e)
{
    struct small_get *g = arg;
    return g->outer->on_tick ? g->outer->on_tick(g->outer->arg, pause, e) : 0;
}

int net_get(const struct net_request *q, struct buf *body, struct net_response *out, struct err *e)
{
    struct small_get g = {q, body};
    struct net_request mine = *q;
    mine.arg = &g;
    mine.max_bytes = body->max;
    mine.on_header = small_header;
    mine.on_head = NULL;
    mine.on_body = small_body;
    mine.on_tick = small_tick;
    buf_clear(body);
    return net_fetch(&mine, out, e);
}

int net_status_error(const char *url, int status, struct err *e)
{
    struct net_url u = {.host = "the server"};
    if (net_url_parse(url, &u, NULL)) snprintf(u.host, sizeof u.host, "the server");
    switch (status) {
    case 401:
    case 403: return ERR(e, DENIED, "%s refuses access to this address (status %d).", u.host, status);
    case 404:
    case 410:
        return ERR(e, NOT_FOUND, "%s has nothing at this address (status %d). Check the URL.", u.host,
                   status);
    case 429: return ERR(e, NET, "%s asks for fewer requests (status 429). Try again later.", u.host);
    default:
        if (status >= 500) return ERR(e, NET, "%s has trouble (status %d). Try again later.", u.host, status);
        return ERR(e, NET, "%s answers with status %d, which Croft does not expect.", u.host, status);
    }
}
