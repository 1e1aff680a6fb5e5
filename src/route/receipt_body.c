/* A receipt as the bytes that are hashed: canonical JSON (RFC 8785: members sorted, no white space, the shortest
 * escapes), so that anybody who parses and writes it again gets the same bytes. All numbers are whole, or decimals of
 * at most six digits that JSON's shortest form writes as they are; money is text, since it may pass 2^53.
 *
 * Members that would say nothing (no task, no confidence, false) are absent. Pure functions but for the ids, which
 * share a counter; any thread. Read next: receipt_log.c, where the bytes are chained. */
#include "base_sha256.h"
#include "base_str.h"
#include "receipt_private.h"

#include <math.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_STATUS = 999 };
static const uint64_t MAX_EXACT = (1ull << 53) - 1; /* whole numbers that every reader of JSON keeps */

/* ---- ids: ULIDs. 48 bits of time, 40 that are this process's, 40 that count ---- */

static struct {
    pthread_once_t once;
    uint64_t process; /* 40 bits */
    atomic_uint_fast64_t count;
} ids = {.once = PTHREAD_ONCE_INIT};

static void ids_init(void)
{
    unsigned char r[5];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (RAND_bytes(r, sizeof r) == 1)
        for (int i = 0; i < 5; i++) ids.process = ids.process << 8 | r[i];
    else
        ids.process = (uint64_t)t.tv_nsec << 10 & 0xffffffffff;
}

static void base32(uint64_t v, int n, char *out)
{
    static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */
    while (n--) {
        out[n] = digit[v & 31];
        v >>= 5;
    }
}

void route_receipt_begin(struct route_receipt *r)
{
    struct timespec t;
    pthread_once(&ids.once, ids_init);
    clock_gettime(CLOCK_REALTIME, &t);
    memset(r, 0, sizeof *r);
    r->time_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    base32((uint64_t)r->time_ms & 0xffffffffffff, 10, r->id);
    base32(ids.process, 8, r->id + 10);
    base32(atomic_fetch_add(&ids.count, 1) & 0xffffffffff, 8, r->id + 18);
}

/* ---- filling in ---- */

void route_receipt_step(struct route_receipt *r, enum route_reason step)
{
    if (r->n_steps < ROUTE_MAX_STEPS) r->step[r->n_steps++] = (uint8_t)step;
}

void route_receipt_left(struct route_receipt *r, const char *tier, enum route_place place, const char *host,
                        const void *body, size_t n_bytes)
{
    unsigned char hash[32];
    if (EVP_Digest(body, n_bytes, hash, NULL, EVP_sha256(), NULL) != 1) memset(hash, 0, sizeof hash);
    for (uint32_t i = 0; i < r->n_left; i++) {
        struct route_left *l = &r->left[i];
        if (memcmp(l->sha256, hash, sizeof hash) == 0 && strcmp(l->host, host) == 0 && strcmp(l->tier, tier) == 0) {
            l->times++;
            return;
        }
    }
    if (r->n_left == ROUTE_MAX_LEFT) {
        r->left_more++;
        return;
    }
    struct route_left *l = &r->left[r->n_left++];
    *l = (struct route_left){.place = place, .times = 1, .bytes = n_bytes};
    snprintf(l->tier, sizeof l->tier, "%s", tier);
    snprintf(l->host, sizeof l->host, "%s", host);
    memcpy(l->sha256, hash, sizeof hash);
}

/* ---- writing ---- */

void route_time_text(int64_t unix_ms, char out[25])
{
    time_t s = (time_t)(unix_ms / 1000);
    struct tm t = {0};
    gmtime_r(&s, &t);
    snprintf(out, 25, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (t.tm_year + 1900) % 10000, t.tm_mon + 1, t.tm_mday,
             t.tm_hour, t.tm_min, t.tm_sec, (int)(unix_ms % 1000));
}

void route_json_string(struct buf *out, const char *s)
{
    static const char short_form[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    buf_char(out, '"');
    for (const char *end = s + strlen(s); s < end;) {
        uint32_t cp;
        size_t k = utf8_decode(s, end, &cp);
        if (cp == UINT32_MAX)
            buf_char(out, '?');
        else if (cp == '"' || cp == '\\')
            buf_fmt(out, "\\%c", (int)cp);
        else if (cp < 32 && short_form[cp])
            buf_fmt(out, "\\%c", short_form[cp]);
        else if (cp < 32)
            buf_fmt(out, "\\u%04x", cp);
        else
            buf_add(out, s, k);
        s += k;
    }
    buf_char(out, '"');
}

/* The name of the next member; every object of a receipt that calls this has begun with a member of its own. */
static void name(struct buf *out, const char *member) { buf_fmt(out, ",\"%s\":", member); }

static void text(struct buf *out, const char *member, const char *value)
{
    if (!*value) return;
    name(out, member);
    route_json_string(out, value);
}

static void whole(struct buf *out, const char *member, uint64_t v)
{
    buf_fmt(out, ",\"%s\":%llu", member, (unsigned long long)(v < MAX_EXACT ? v : MAX_EXACT));
}

static void truth(struct buf *out, const char *member, bool v)
{
    if (v) buf_fmt(out, ",\"%s\":true", member);
}

/* v / 10^digits, without zeros at the end. */
static void decimal(struct buf *out, const char *member, uint64_t v, int digits)
{
    uint64_t unit = 1;
    for (int i = 0; i < digits; i++) unit *= 10;
    whole(out, member, v / unit);
    for (v %= unit; v && v % 10 == 0; digits--) v /= 10;
    if (v) buf_fmt(out, ".%0*llu", digits, (unsigned long long)v);
}

/* x · 10^digits, as a whole number within reason. */
static uint64_t scaled(double x, double factor, double max)
{
    if (!(x > 0)) return 0;
    return (uint64_t)llround((x < max ? x : max) * factor);
}

static void left(struct buf *out, const struct route_receipt *r)
{
    char hex[65];
    if (!r->n_left) return;
    name(out, "left");
    for (uint32_t i = 0; i < r->n_left && i < ROUTE_MAX_LEFT; i++) {
        const struct route_left *l = &r->left[i];
        route_hex(l->sha256, 32, hex);
        buf_fmt(out, "%c{\"bytes\":%llu", i ? ',' : '[', (unsigned long long)l->bytes);
        text(out, "host", l->host);
        text(out, "place", route_place_name(l->place));
        text(out, "sha256", hex);
        text(out, "tier", l->tier);
        whole(out, "times", l->times);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    if (r->left_more) whole(out, "left_more", r->left_more);
}

/* The kinds in the order of their words. */
static void redacted(struct buf *out, const struct route_receipt *r)
{
    static const char *const words[] = {
#define X(kind, word, mark, text) word,
        ROUTE_PII_TABLE(X)
#undef X
    };
    const char *last = "";
    bool any = false;
    for (;;) {
        int next = -1;
        for (int k = 0; k < ROUTE_N_PII; k++) {
            if (r->redacted[k] && strcmp(words[k], last) > 0 && (next < 0 || strcmp(words[k], words[next]) < 0))
                next = k;
        }
        if (next < 0) break;
        last = words[next];
        if (!any) name(out, "redacted");
        buf_fmt(out, "%c\"%s\":%u", any ? ',' : '{', last, r->redacted[next]);
        any = true;
    }
    if (any) buf_char(out, '}');
}

static void steps(struct buf *out, const struct route_receipt *r)
{
    if (!r->n_steps) return;
    name(out, "steps");
    for (int i = 0; i < r->n_steps && i < ROUTE_MAX_STEPS; i++)
        buf_fmt(out, "%c\"%s\"", i ? ',' : '[', route_reason_word((enum route_reason)r->step[i]));
    buf_char(out, ']');
}

void route_receipt_json(const struct route_receipt *r, uint64_t seq, uint64_t lost, struct buf *out)
{
    char amount[32], when[25];
    money_text(r->cost > 0 ? r->cost : 0, amount);
    route_time_text(r->time_ms, when);
    buf_fmt(out, "{\"answer_tokens\":%llu",
            (unsigned long long)(r->answer_tokens < MAX_EXACT ? r->answer_tokens : MAX_EXACT));
    text(out, "class", r->data_class);
    if (r->has_confidence) decimal(out, "confidence", scaled(r->confidence, 1e6, 1), 6);
    if (r->currency[0]) text(out, "cost", amount);
    text(out, "currency", r->currency);
    truth(out, "deferred", r->deferred);
    truth(out, "degraded", r->degraded);
    text(out, "endpoint", r->endpoint);
    text(out, "id", r->id);
    text(out, "key", r->key);
    decimal(out, "latency_ms", scaled(r->latency_ms, 1e3, 1e12), 3);
    left(out, r);
    if (lost) whole(out, "lost", lost);
    text(out, "model", r->model);
    text(out, "model_digest", r->model_digest);
    text(out, "parent", r->parent);
    if (r->tier[0]) text(out, "place", route_place_name(r->place));
    whole(out, "prompt_tokens", r->prompt_tokens);
    text(out, "reason", route_reason_word(r->reason));
    redacted(out, r);
    text(out, "request", r->request);
    text(out, "rule", r->rule);
    whole(out, "seq", seq);
    truth(out, "shadow", r->shadow);
    whole(out, "status", (uint64_t)(r->status < 0 ? 0 : r->status > MAX_STATUS ? MAX_STATUS : r->status));
    steps(out, r);
    text(out, "subject", r->subject);
    text(out, "task", r->task);
    text(out, "tier", r->tier);
    text(out, "time", when);
    buf_char(out, '}');
}
