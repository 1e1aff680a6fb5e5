/* Fuzz target: redaction. Any text: redacting and restoring is the identity; restoring in pieces cut at random equals
 * restoring the whole, of what was sent and of the text itself (as an answer); findings lie inside. As JSON: a
 * request that is taken can be restored to what it was, but for numbers that became strings. Seeds: corpus/redact. */
#include "base_mem.h"
#include "route_redact.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct route_detectors *detectors;
static struct route_redact_policy policy;

static void must(int ok)
{
    if (!ok) abort();
}

static int same(const struct buf *a, const void *p, size_t n)
{
    return a->len == n && (n == 0 || memcmp(a->data, p, n) == 0);
}

/* Cut where the bytes of the text themselves say. */
static void in_pieces(const struct route_conversation *c, const char *text, size_t n, const struct buf *whole)
{
    struct route_restore r;
    struct buf out;
    uint32_t x = (uint32_t)n * 2654435761u + 1;
    buf_init(&out, 16 << 20);
    route_restore_init(&r, c, 0);
    for (size_t i = 0, k; i < n; i += k) {
        x = x * 1664525u + 1013904223u + (unsigned char)text[i];
        k = 1 + (x >> 24) % 9;
        if (k > n - i) k = n - i;
        must(route_restore_push(&r, text + i, k, &out, NULL) == 0);
    }
    must(route_restore_end(&r, &out, NULL) == 0);
    must(same(&out, whole->data, whole->len));
    buf_done(&out);
}

static void as_text(const char *text, size_t n)
{
    struct route_conversation *c;
    struct buf sent, back;
    buf_init(&sent, 16 << 20);
    buf_init(&back, 16 << 20);
    must(route_conversation_new(detectors, &policy, &c, NULL) == 0);
    must(route_redact_note(c, text, n, NULL) == 0);
    must(route_redact_text(c, text, n, &sent, NULL) == 0);
    must(route_restore_text(c, sent.data, sent.len, 0, &back, NULL) == 0);
    must(same(&back, text, n));
    if (sent.len) in_pieces(c, sent.data, sent.len, &back);
    buf_clear(&back);
    must(route_restore_text(c, text, n, 0, &back, NULL) == 0);
    in_pieces(c, text, n, &back);
    route_conversation_free(c);
    buf_done(&sent);
    buf_done(&back);
}

static void as_request(const char *text, size_t n)
{
    json_t *request = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    struct route_conversation *c;
    if (!json_is_object(request)) {
        json_decref(request);
        return;
    }
    must(route_conversation_new(detectors, &policy, &c, NULL) == 0);
    if (route_redact_chat(c, request, NULL) == 0) must(route_restore_chat(c, request, 0, NULL) == 0);
    route_conversation_free(c);
    json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536) return 0;
    if (!detectors) {
        struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = "tests/fuzz/corpus/redact/names"};
        struct err e = {0};
        if (route_detectors_new(&conf, &detectors, &e) != 0) {
            conf.names_file = NULL;
            must(route_detectors_new(&conf, &detectors, &e) == 0);
        }
        memset(policy.action, ROUTE_RESTORE, sizeof policy.action);
    }
    as_text((const char *)data, size);
    as_request((const char *)data, size);
    return 0;
}
