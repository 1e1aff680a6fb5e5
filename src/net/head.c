/* Request heads and chunked bodies (net_head.h).
 *
 *     POST /v1/chat/completions?x=1 HTTP/1.1 CRLF        method SP target SP version
 *     Host: 127.0.0.1:8080 CRLF                          name ':' OWS value OWS
 *     CRLF                                               the head ends
 *
 *     1a;ext=1 CRLF  26 bytes CRLF  0 CRLF  Trailer: x CRLF  CRLF        the chunked coding
 *
 * Owns nothing, allocates nothing (chunks: through the caller's buf), any thread.
 * Read next: server.c. */
#include "net_head.h"

/* token characters of RFC 9110, 5.6.2 */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool all_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token(s.p[i])) return false;
    return s.n > 0;
}

static bool same_name(struct str a, const char *name)
{
    return a.n == strlen(name) && strncasecmp(a.p, name, a.n) == 0;
}

struct str net_head_get(const struct net_head *h, const char *name)
{
    for (int i = 0; i < h->n_headers; i++)
        if (same_name(h->header[i].name, name)) return h->header[i].value;
    return (struct str){NULL, 0};
}

/* Does a comma-separated value hold this word? */
static bool has_word(struct str v, const char *word)
{
    for (size_t i = 0; i < v.n;) {
        while (i < v.n && (v.p[i] == ' ' || v.p[i] == '\t' || v.p[i] == ',')) i++;
        size_t start = i;
        while (i < v.n && v.p[i] != ',') i++;
        size_t end = i;
        while (end > start && (v.p[end - 1] == ' ' || v.p[end - 1] == '\t')) end--;
        if (same_name((struct str){v.p + start, end - start}, word)) return true;
    }
    return false;
}

static int refuse(int status, const char **why, const char *sentence)
{
    *why = sentence;
    return status;
}

/* "GET /path?query HTTP/1.1" */
static int parse_request_line(struct str line, struct net_head *h, const char **why)
{
    const char *end = line.p + line.n;
    const char *a = memchr(line.p, ' ', line.n), *b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
    if (!b || memchr(b + 1, ' ', (size_t)(end - b - 1))) return refuse(400, why, "The request line is malformed.");
    struct str target = {a + 1, (size_t)(b - a - 1)}, version = {b + 1, (size_t)(end - b - 1)};
    h->method = (struct str){line.p, (size_t)(a - line.p)};
    if (!all_token(h->method)) return refuse(400, why, "The request method is malformed.");
    if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0)
        return refuse(400, why, "The request line is malformed.");
    if (memcmp(version.p + 5, "1.", 2) != 0 || (version.p[7] != '0' && version.p[7] != '1'))
        return refuse(505, why, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    h->minor = version.p[7] - '0';
    if (target.n == 0 || target.p[0] != '/') return refuse(400, why, "The request target must start with '/'.");
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= ' ' || target.p[i] > '~') return refuse(400, why, "The request target holds a bad byte.");
    const char *q = memchr(target.p, '?', target.n);
    h->path = (struct str){target.p, q ? (size_t)(q - target.p) : target.n};
    h->query = q ? (struct str){q + 1, target.n - h->path.n - 1} : (struct str){NULL, 0};
    return 0;
}

static int parse_header_line(struct str line, struct net_head *h, const char **why)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon) return refuse(400, why, "A header line has no colon.");
    struct net_header x = {{line.p, (size_t)(colon - line.p)}, {colon + 1, line.n - (size_t)(colon - line.p) - 1}};
    if (!all_token(x.name)) return refuse(400, why, "A header has a malformed name.");
    while (x.value.n && (x.value.p[0] == ' ' || x.value.p[0] == '\t')) x.value.p++, x.value.n--;
    while (x.value.n && (x.value.p[x.value.n - 1] == ' ' || x.value.p[x.value.n - 1] == '\t')) x.value.n--;
    for (size_t i = 0; i < x.value.n; i++) {
        unsigned char c = (unsigned char)x.value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return refuse(400, why, "A header value holds a control character.");
    }
    if (h->n_headers == NET_HEADERS_MAX) return refuse(431, why, "There are more than 64 headers.");
    h->header[h->n_headers++] = x;
    return 0;
}

static int parse_length(struct str v, int64_t *out)
{
    *out = 0;
    if (v.n == 0 || v.n > 15) return -1;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return -1;
        *out = *out * 10 + (v.p[i] - '0');
    }
    return 0;
}

/* What the headers say about the body and the connection. */
static int read_framing(struct net_head *h, const char **why)
{
    int n_length = 0, n_coding = 0, n_host = 0, n_key = 0, n_type = 0;
    h->keep_alive = h->minor == 1;
    for (int i = 0; i < h->n_headers; i++) {
        struct str name = h->header[i].name, v = h->header[i].value;
        if (same_name(name, "host")) n_host++;
        if (same_name(name, "authorization")) n_key++;
        if (same_name(name, "content-type")) n_type++;
        if (same_name(name, "content-length") && (n_length++ || parse_length(v, &h->length)))
            return refuse(400, why, "The Content-Length is not one number.");
        if (same_name(name, "transfer-encoding")) {
            if (n_coding++ || !same_name(v, "chunked"))
                return refuse(501, why, "The only Transfer-Encoding understood is 'chunked'.");
            h->chunked = true;
        }
        if (same_name(name, "connection") && has_word(v, "close"))
            h->keep_alive = false;
        else if (same_name(name, "connection") && has_word(v, "keep-alive"))
            h->keep_alive = true;
        if (same_name(name, "expect")) {
            if (!same_name(v, "100-continue")) return refuse(417, why, "The expectation is not '100-continue'.");
            h->expects_continue = h->minor == 1;
        }
    }
    if (n_length && n_coding) return refuse(400, why, "Content-Length and Transfer-Encoding exclude each other.");
    if (n_coding && h->minor == 0) return refuse(400, why, "HTTP/1.0 has no Transfer-Encoding.");
    if (n_key > 1 || n_type > 1) return refuse(400, why, "There is more than one Authorization or Content-Type.");
    if (n_host > 1 || (n_host == 0 && h->minor == 1)) return refuse(400, why, "There must be one Host header.");
    return 0;
}

int net_head_parse(const char *p, size_t n, struct net_head *out, const char **why)
{
    const char *end = p + n;
    *out = (struct net_head){0};
    for (bool first = true; p < end; first = false) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (!lf || lf == p || lf[-1] != '\r') return refuse(400, why, "Lines must end with CR LF.");
        struct str line = {p, (size_t)(lf - p) - 1};
        p = lf + 1;
        if (memchr(line.p, '\r', line.n)) return refuse(400, why, "Lines must end with CR LF.");
        if (line.n == 0 && !first)
            return p == end ? read_framing(out, why) : refuse(400, why, "The head is malformed.");
        if (!first && (line.p[0] == ' ' || line.p[0] == '\t'))
            return refuse(400, why, "Folded headers are not accepted.");
        int status = first ? parse_request_line(line, out, why) : parse_header_line(line, out, why);
        if (status) return status;
    }
    return refuse(400, why, "The head is malformed.");
}

/* ---- chunks ---- */

enum {
    SIZE_FIRST,
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_LF,
    LAST_LF,
    END
};
/* Of all extensions and trailers together: else a body of one-byte chunks could cost a thousand times its size. */
enum { MAX_DIGITS = 16, MAX_EXTRA = 8192 };

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_extra(struct net_chunks *c, char b)
{
    return ((unsigned char)b >= ' ' || b == '\t') && b != 0x7f && ++c->n_extra <= MAX_EXTRA;
}

/* The next state after c, outside chunk data; -1: malformed. */
static int chunk_step(struct net_chunks *c, char b)
{
    int hex = hex_of(b);
    switch (c->state) {
    case SIZE_FIRST:
        if (hex < 0) return -1;
        c->left = (uint64_t)hex;
        c->n_digits = 1;
        return SIZE;
    case SIZE:
        if (hex >= 0 && (c->left >> 40 || ++c->n_digits > MAX_DIGITS)) return -1;
        if (hex >= 0) c->left = c->left << 4 | (uint64_t)hex;
        return hex >= 0 ? SIZE : b == ';' ? EXTENSION : b == '\r' ? SIZE_LF : -1;
    case EXTENSION:
        return b == '\r' ? SIZE_LF : is_extra(c, b) ? EXTENSION : -1;
    case SIZE_LF:
        return b != '\n' ? -1 : c->left ? DATA : TRAILER_START;
    case DATA_CR:
        return b == '\r' ? DATA_LF : -1;
    case DATA_LF:
        return b == '\n' ? SIZE_FIRST : -1;
    case TRAILER_START:
        return b == '\r' ? LAST_LF : is_extra(c, b) ? TRAILER : -1;
    case TRAILER:
        return b == '\r' ? TRAILER_LF : is_extra(c, b) ? TRAILER : -1;
    case TRAILER_LF:
        return b == '\n' ? TRAILER_START : -1;
    case LAST_LF:
        return b == '\n' ? END : -1;
    }
    return -1;
}

int net_chunks_take(struct net_chunks *c, const char *p, size_t n, struct buf *out, size_t *taken)
{
    size_t i = 0;
    while (i < n && c->state != END) {
        if (c->state == DATA) {
            size_t k = n - i < c->left ? n - i : (size_t)c->left;
            if (buf_add(out, p + i, k)) return NET_CHUNKS_FULL;
            i += k;
            c->left -= k;
            if (c->left == 0) c->state = DATA_CR;
            continue;
        }
        int next = chunk_step(c, p[i++]);
        if (next < 0) return NET_CHUNKS_BAD;
        c->state = next;
    }
    *taken = i;
    return c->state == END ? NET_CHUNKS_DONE : NET_CHUNKS_MORE;
}
