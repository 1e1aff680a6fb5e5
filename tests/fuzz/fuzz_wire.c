/* Fuzz target: what a provider sends (a whole answer, a stream) and what a client asks, through both wires. Seeds
 * corpus/wire. The first byte chooses: bit 0 the wire, bit 1 a stream, bit 2 a request. */
#include "sse.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int emit(struct task_reader *r, json_t *chunk)
{
    if (!chunk) return route_reader_fail(r, ROUTE_F_GARBAGE, "no chunk");
    if (!json_is_array(json_object_get(chunk, "choices"))) abort();
    json_decref(chunk);
    return 0;
}

static const struct route_wire_ops *wire;
static int on_event(void *user, const char *event, const char *text, size_t n)
{
    json_t *in = json_loadb(text, n, JSON_ALLOW_NUL, NULL);
    int rc = json_is_object(in) ? wire->event(user, event, in) : -1;
    json_decref(in);
    return rc;
}

static void read_stream(struct task_reader *r, const char *p, size_t n)
{
    struct route_sse s;
    route_sse_init(&s, 1 << 20);
    int rc = route_sse_feed(&s, p, n, on_event, r);
    if (rc == 0 && r->failure) abort(); /* a failure ends the stream */
    route_sse_done(&s);
}

static void read_answer(struct task_reader *r, const char *p, size_t n)
{
    json_t *in = json_loadb(p, n, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(in)) {
        json_decref(in);
        return;
    }
    json_t *out = wire->answer(r, in);
    if (!out != (r->failure != ROUTE_F_NONE)) abort();
    if (out && json_array_size(json_object_get(out, "choices")) == 0) abort();
    json_decref(out);
}

static void ask(const struct route_tier *t, const char *p, size_t n)
{
    json_t *in = json_loadb(p, n, 0, NULL);
    struct route_request r = {.body = in};
    struct err e = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    int rc = json_is_object(in) ? wire->request(t, &r, &out, &e) : -1;
    if (json_is_object(in) && rc && (e.code != rc || !e.msg[0])) abort();
    json_t *said = rc == 0 ? json_loadb(out.data, out.len, 0, NULL) : NULL;
    if (rc == 0 && strcmp(json_string_value(json_object_get(said, "model")), "m") != 0) abort();
    json_decref(said);
    json_decref(in);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct route_tier t = {.name = "t", .model = "m"};
    struct task_reader r = {.tier = &t, .emit = emit, .usage_chunk = true};
    if (size < 1) return 0;
    const char *p = (const char *)data + 1;
    wire = data[0] & 1 ? &route_wire_anthropic : &route_wire_openai;
    if (data[0] & 4)
        ask(&t, p, size - 1);
    else if (data[0] & 2)
        read_stream(&r, p, size - 1);
    else
        read_answer(&r, p, size - 1);
    return 0;
}
