/* Upstreams (route_upstream.h) against one that can be told to fail in every way: answers and streams of both wires,
 * each failure's class, retries, the breaker, the gate at every try, one end a call. */
#include "fake_upstream.h"
#include "base_mem.h"
#include "wire.h"
#include <setjmp.h>
#include <cmocka.h>

static struct fake_up up;
static struct net_client *client;
static char last_head[8192], last_body[65536]; /* of the newest request */
static int n_asked;
static const char *script[8]; /* what the next requests meet; NULL: "ok" */
static int n_script;

static const char ok_chat[] =
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"big-1\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"hello\",\"refusal\":null},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,\"total_tokens\":15,"
    "\"prompt_tokens_details\":{\"cached_tokens\":4}}}";
#define CHUNK(delta, finish)                                                                                         \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"big-1\",\"choices\":[{"     \
    "\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}]}\n\n"
static const char usage_chunk[] =
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"big-1\",\"choices\":[],"
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,\"total_tokens\":15}}\n\n";

static void stream_head(int fd, const char *type)
{
    fake_sendf(fd, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n", type);
}

/* An event of Anthropic's. */
static void event(int fd, const char *name, const char *data)
{
    fake_sendf(fd, "event: %s\ndata: {\"type\":\"%s\"%s%s}\n\n", name, name, data[0] ? "," : "", data);
}

static bool anthropic_stream(int fd, const char *what)
{
    stream_head(fd, "text/event-stream; charset=utf-8");
    event(fd, "message_start",
          "\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":"
          "\"claude-x\","
          "\"stop_reason\":null,\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,"
          "\"cache_creation_input_tokens\":2,\"output_tokens\":1}}");
    event(fd, "content_block_start", "\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}");
    event(fd, "content_block_delta", "\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}");
    event(fd, "content_block_stop", "\"index\":0");
    event(fd, "ping", "");
    event(fd, "content_block_start", "\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    event(fd, "content_block_delta", "\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Let me\"}");
    if (strcmp(what, "a_overloaded") == 0) {
        event(fd, "error", "\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}");
        return false;
    }
    event(fd, "content_block_delta", "\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\" look.\"}");
    event(fd, "content_block_stop", "\"index\":1");
    if (strcmp(what, "a_cut") == 0) return false;
    event(fd, "content_block_start",
          "\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"find\",\"input\":{}}");
    event(fd, "content_block_delta", "\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}");
    event(fd, "content_block_delta",
          "\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"q\\\":\"}");
    event(fd, "content_block_delta", "\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}");
    event(fd, "content_block_stop", "\"index\":2");
    event(fd, "message_delta",
          "\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":20}");
    event(fd, "message_stop", "");
    return false;
}

static bool openai_stream(int fd, const char *what)
{
    stream_head(fd, strcmp(what, "s_type") == 0 ? "application/json" : "text/event-stream");
    if (strcmp(what, "s_empty") == 0) return false;
    if (strcmp(what, "s_done") == 0) {
        fake_send(fd, "data: [DONE]\n\n");
        return false;
    }
    if (strcmp(what, "s_lie") == 0) {
        fake_send(fd, "data: <html>\n\n");
        return false;
    }
    if (strcmp(what, "s_error") == 0) {
        fake_send(fd, "data: {\"error\":{\"message\":\"too busy\",\"type\":\"server_error\",\"code\":503}}\n\n");
        return false;
    }
    fake_send(fd, ": keep-alive\n\n" CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null")
                      CHUNK("{\"content\":\"hel\"}", "null"));
    if (strcmp(what, "s_cut") == 0) return false;
    if (strcmp(what, "s_stall") == 0) {
        fake_sleep(1);
        return false;
    }
    fake_send(fd, CHUNK("{\"content\":\"lo\"}", "null") CHUNK("{}", "\"stop\""));
    if (strcmp(what, "s_bare") == 0) return false; /* neither usage nor [DONE] */
    fake_send(fd, usage_chunk);
    fake_send(fd, "data: [DONE]\n\n");
    return false;
}

static bool answer(struct fake_up *u, int fd, const char *head, const char *body)
{
    snprintf(last_head, sizeof last_head, "%s", head);
    snprintf(last_body, sizeof last_body, "%s", body);
    const char *what = n_asked < n_script ? script[n_asked] : NULL;
    n_asked++;
    if (!what)
        fake_json(fd, 200, "x-request-id: req-9\r\n", ok_chat);
    else if (what[0] == '{')
        fake_json(fd, 200, "", what);
    else if (strncmp(what, "s_", 2) == 0)
        return openai_stream(fd, what);
    else if (strncmp(what, "a_", 2) == 0)
        return anthropic_stream(fd, what);
    else if (strcmp(what, "drop") == 0)
        return false;
    else if (strcmp(what, "hang") == 0)
        fake_sleep(0.6);
    else if (strcmp(what, "html") == 0)
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
    else if (strcmp(what, "empty") == 0)
        fake_json(fd, 200, "", "");
    else if (strcmp(what, "redirect") == 0)
        fake_sendf(fd, "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:%d/elsewhere\r\nContent-Length: 0\r\n\r\n",
                   u->port);
    else { /* "429:1": status and Retry-After */
        char after[64] = "";
        const char *colon = strchr(what, ':');
        if (colon) snprintf(after, sizeof after, "Retry-After: %s\r\n", colon + 1);
        fake_json(fd, (int)strtol(what, NULL, 10), after,
                  "{\"error\":{\"message\":\"because key-77 is wrong\",\"type\":\"x\"}}");
    }
    return !what || what[0] == '{' || (what[0] >= '0' && what[0] <= '9');
}

/* ---- a call in a test ---- */

static char tier_url[64];
static const char *const classes[] = {"public"};
static struct route_tier tier(enum route_wire wire)
{
    return (struct route_tier){
        .name = "frontier",
        .place = ROUTE_CLOUD,
        .wire = wire,
        .url = tier_url,
        .model = "big-1",
        .classes = classes,
        .n_classes = 1,
        .stall_s = 0.2,
        .deadline_s = 5,
        .price = {.known = true, .in = 1000000000, .out = 2000000000, .cached = 500000000, .written = 1500000000}};
}

struct seen {
    int n_ends, n_chunks;
    struct route_result r;
    struct buf text; /* chunks, one a line; or the answer */
    struct route_call *call;
    int cancel_at, stop_at; /* at this chunk */
    bool lost;              /* there was no memory to note it */
};

static bool on_chunk(void *user, json_t *chunk)
{
    struct seen *s = user;
    json_object_del(chunk, "created");
    if (route_json_dump(chunk, &s->text) == 0) buf_char(&s->text, '\n');
    s->n_chunks++;
    if (s->n_chunks == s->cancel_at) {
        route_call_cancel(s->call, &s->r);
        return true;
    }
    return s->n_chunks != s->stop_at;
}

static void on_end(void *user, const struct route_result *r)
{
    struct seen *s = user;
    s->n_ends++;
    s->r = *r;
    if (!r->answer) return;
    json_object_del(r->answer, "created");
    s->lost = route_json_dump(r->answer, &s->text) != 0;
}

static void begin(const char *first, const char *second, const char *third)
{
    script[0] = first;
    script[1] = second;
    script[2] = third;
    n_script = 3;
    n_asked = 0;
}

static void post(struct route_upstream *u, struct seen *s, const char *body, struct route_request r)
{
    struct err e = {0};
    json_t *in = json_loads(body, 0, NULL);
    assert_non_null(in);
    buf_done(&s->text);
    buf_init(&s->text, 1 << 20);
    r.body = in;
    r.user = s;
    r.on_chunk = on_chunk;
    r.on_end = on_end;
    if (!r.data_class.p) r.data_class = str_of("public");
    assert_int_equal(route_upstream_send(u, &r, &s->call, &e), 0);
    json_decref(in);
    assert_int_equal(s->n_ends, 0);
}

/* No connection is kept: libcurl itself sends again when a kept one turns out to be dead before the answer's first
 * byte, as it must, and a server that drops the request looks just like that. */
static void forget_connections(void)
{
    struct err e;
    net_client_free(client);
    if (net_client_new(NULL, NULL, &client, &e)) fail_msg("%s", e.msg);
}

static struct route_upstream *made(const struct route_tier *t)
{
    struct route_upstream *u = NULL;
    struct err e = {0};
    if (route_upstream_new(client, t, &u, &e)) fail_msg("%s", e.msg);
    return u;
}

static struct route_result ask(const struct route_tier *t, struct seen *s, const char *body, struct route_request r)
{
    struct route_upstream *u = made(t);
    post(u, s, body, r);
    assert_true(net_client_run(client, 10));
    assert_int_equal(s->n_ends, 1);
    if (s->r.failure) assert_true(s->r.err.code != 0 && s->r.err.msg[0]);
    route_upstream_free(u);
    return s->r;
}

static const char hi[] =
    "{\"model\":\"my-own-name\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":false}";

/* ---- OpenAI's wire ---- */

static void answers(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    setenv("CROFT_TEST_KEY", "key-77", 1);
    t.key_env = "CROFT_TEST_KEY";
    begin(NULL, NULL, NULL);
    struct route_result r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_non_null(strstr(s.text.data, "\"content\":\"hello\""));
    assert_non_null(strstr(last_head, "POST /v1/chat/completions HTTP/1.1"));
    assert_non_null(strstr(last_head, "Authorization: Bearer key-77\r\n"));
    assert_non_null(strstr(last_body, "\"model\":\"big-1\""));
    assert_null(strstr(last_body, "my-own-name"));
    assert_null(strstr(last_head, "my-own-name"));
    assert_int_equal(r.usage.in, 12);
    assert_int_equal(r.usage.cached, 4);
    assert_int_equal(r.usage.out, 3);
    assert_false(r.usage.estimated);
    assert_true(r.cost_known);
    assert_int_equal(r.cost, 8 * 1000 + 4 * 500 + 3 * 2000); /* in billionths: a price of $1 is 1,000 a token */
    assert_int_equal(r.tries, 1);
    assert_int_equal(r.bytes_sent, strlen(last_body));
    assert_string_equal(r.request_id, "req-9");
    assert_true(r.first_s > 0 && r.seconds >= r.first_s);
    buf_done(&s.text);
}

static void streams(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    begin("s_ok", NULL, NULL);
    struct route_result r = ask(&t, &s, hi, (struct route_request){.stream = true});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_int_equal(s.n_chunks, 4); /* the usage was asked for by us, not by the client */
    assert_true(r.begun);
    assert_non_null(strstr(last_body, "\"include_usage\":true"));
    assert_null(strstr(s.text.data, "usage"));
    assert_int_equal(r.usage.in, 12);
    assert_false(r.usage.estimated);
    s = (struct seen){.text = s.text};
    begin("s_ok", NULL, NULL);
    r = ask(&t, &s, hi, (struct route_request){.stream = true, .usage_chunk = true});
    assert_int_equal(s.n_chunks, 5);
    assert_non_null(strstr(s.text.data, "\"prompt_tokens\":12"));
    s = (struct seen){.text = s.text};
    begin("s_bare", NULL, NULL); /* a server that sends no [DONE]: whole, the usage is estimated */
    r = ask(&t, &s, hi, (struct route_request){.stream = true});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_true(r.usage.estimated);
    assert_int_equal(r.usage.in, (r.bytes_sent + 2) / 3);
    assert_int_equal(r.usage.out, 2); /* "hello" */
    buf_done(&s.text);
}

/* ---- failures ---- */

static void failures(void **state)
{
    static const struct {
        const char *what;
        enum route_failure f;
        int tries;
    } whole[] = {{"401", ROUTE_F_AUTH, 1},
                 {"403", ROUTE_F_AUTH, 1},
                 {"400", ROUTE_F_REJECTED, 1},
                 {"404", ROUTE_F_REJECTED, 1},
                 {"422", ROUTE_F_REJECTED, 1},
                 {"429", ROUTE_F_RATE, 3},
                 {"500", ROUTE_F_SERVER, 3},
                 {"502", ROUTE_F_SERVER, 3},
                 {"503", ROUTE_F_OVERLOADED, 3},
                 {"529", ROUTE_F_OVERLOADED, 3},
                 {"redirect", ROUTE_F_REDIRECT, 1},
                 {"html", ROUTE_F_GARBAGE, 3},
                 {"empty", ROUTE_F_GARBAGE, 3},
                 {"{\"a\":", ROUTE_F_GARBAGE, 3},
                 {"{\"choices\":[]}", ROUTE_F_GARBAGE, 3},
                 {"{\"choices\":[{\"message\":{}}]}", ROUTE_F_GARBAGE, 3},
                 {"{\"choices\":{}}", ROUTE_F_GARBAGE, 3},
                 {"drop", ROUTE_F_RESET, 3}},
      stream[] = {
          {"s_empty", ROUTE_F_GARBAGE, 3}, {"s_done", ROUTE_F_GARBAGE, 3},     {"s_lie", ROUTE_F_GARBAGE, 3},
          {"s_type", ROUTE_F_GARBAGE, 3},  {"s_error", ROUTE_F_OVERLOADED, 3}, {"s_cut", ROUTE_F_TRUNCATED, 1},
          {"s_stall", ROUTE_F_STALL, 1},   {"drop", ROUTE_F_RESET, 3},         {"500", ROUTE_F_SERVER, 3}};
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    setenv("CROFT_TEST_KEY", "key-77", 1);
    t.key_env = "CROFT_TEST_KEY";
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        s = (struct seen){.text = s.text};
        forget_connections();
        begin(whole[i].what, whole[i].what, whole[i].what);
        struct route_result r = ask(&t, &s, hi, (struct route_request){0});
        if (r.failure != whole[i].f) fail_msg("%s: %s", whole[i].what, route_failure_word(r.failure));
        assert_int_equal(r.tries, whole[i].tries);
        assert_int_equal(n_asked, whole[i].tries);
        assert_null(r.answer);
        assert_null(strstr(r.err.msg, "key-77")); /* the provider repeats the key; we do not */
    }
    for (size_t i = 0; i < sizeof stream / sizeof stream[0]; i++) {
        s = (struct seen){.text = s.text};
        forget_connections();
        begin(stream[i].what, stream[i].what, stream[i].what);
        struct route_result r = ask(&t, &s, hi, (struct route_request){.stream = true});
        if (r.failure != stream[i].f) fail_msg("%s: %s", stream[i].what, route_failure_word(r.failure));
        assert_int_equal(r.tries, stream[i].tries); /* never again after a chunk was handed on */
        assert_int_equal(r.begun, s.n_chunks > 0);
        if (r.begun) assert_true(r.usage.estimated && r.usage.in > 0 && r.cost > 0);
    }
    buf_done(&s.text);
}

static void refused_connections(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    t.url = "http://127.0.0.1:1/v1";
    struct route_result r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.failure, ROUTE_F_CONNECT);
    assert_int_equal(r.cost, 0);
    char url[64]; /* TLS to one who speaks none */
    s = (struct seen){.text = s.text};
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v1", up.port);
    t.url = url;
    t.connect_s = 0.3;
    t.max_retries = -1;
    r = ask(&t, &s, hi, (struct route_request){0});
    assert_true(r.failure == ROUTE_F_TLS || r.failure == ROUTE_F_TIMEOUT);
    assert_int_equal(r.tries, 1);
    buf_done(&s.text);
}

static void retries(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    forget_connections();
    begin("drop", "500", NULL);
    struct route_result r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_int_equal(r.tries, 3);
    s = (struct seen){.text = s.text};
    begin("429:1", NULL, NULL);
    r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.tries, 2);
    assert_true(r.seconds >= 1); /* waited as told */
    s = (struct seen){.text = s.text};
    begin("429:60", NULL, NULL); /* longer than there is time: no waiting in vain */
    r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.failure, ROUTE_F_RATE);
    assert_int_equal(r.tries, 1);
    assert_true(r.seconds < 4);
    s = (struct seen){.text = s.text};
    begin("500", NULL, NULL);
    r = ask(&t, &s, hi, (struct route_request){.once = true});
    assert_int_equal(r.failure, ROUTE_F_SERVER);
    assert_int_equal(n_asked, 1);
    s = (struct seen){.text = s.text};
    begin("hang", "hang", "hang"); /* one deadline for all */
    r = ask(&t, &s, hi, (struct route_request){.deadline_s = 0.2});
    assert_int_equal(r.failure, ROUTE_F_TIMEOUT);
    assert_int_equal(r.tries, 1);
    assert_true(r.usage.estimated); /* they may have worked for us */
    s = (struct seen){.text = s.text};
    begin("s_empty", "s_ok", NULL); /* nothing handed on yet: a stream may begin again */
    r = ask(&t, &s, hi, (struct route_request){.stream = true});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_int_equal(s.n_chunks, 4);
    buf_done(&s.text);
}

static void breaks(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    t.max_retries = -1;
    struct route_upstream *u = made(&t);
    struct route_upstream_state st;
    struct seen s = {0};
    for (int i = 0; i < 5; i++) {
        begin("500", NULL, NULL);
        s = (struct seen){.text = s.text};
        post(u, &s, hi, (struct route_request){0});
        assert_true(net_client_run(client, 5));
        assert_int_equal(s.r.failure, ROUTE_F_SERVER);
    }
    route_upstream_state(u, &st);
    assert_int_equal(st.breaker, ROUTE_OPEN);
    assert_true(st.retry_s > 0.5 && st.retry_s <= 2.4);
    assert_false(route_upstream_ready(u));
    begin(NULL, NULL, NULL);
    s = (struct seen){.text = s.text};
    post(u, &s, hi, (struct route_request){0});
    assert_true(net_client_run(client, 5));
    assert_int_equal(s.r.failure, ROUTE_F_OPEN);
    assert_int_equal(s.r.tries, 0);
    assert_int_equal(n_asked, 0);
    route_upstream_state(u, &st);
    assert_int_equal(st.ends[ROUTE_F_SERVER], 5);
    assert_int_equal(st.ends[ROUTE_F_OPEN], 1);
    assert_int_equal(st.running, 0);
    route_upstream_free(u);
    buf_done(&s.text);
}

static void is_full(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    t.max_concurrent = 2;
    struct route_upstream *u = made(&t);
    struct seen s[3] = {{0}};
    begin("hang", "hang", NULL);
    for (int i = 0; i < 3; i++) post(u, &s[i], hi, (struct route_request){.once = true, .deadline_s = 0.2});
    assert_true(net_client_run(client, 5));
    assert_int_equal(s[2].r.failure, ROUTE_F_FULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(s[i].n_ends, 1);
        buf_done(&s[i].text);
    }
    assert_true(route_upstream_ready(u));
    route_upstream_free(u);
}

/* ---- ends ---- */

static void cancels(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct route_upstream *u = made(&t);
    struct seen now = {0}, within = {.cancel_at = 2}, stop = {.stop_at = 2}, paused = {0}, open = {0};
    begin(NULL, NULL, NULL);
    post(u, &now, hi, (struct route_request){0});
    route_call_cancel(now.call, &now.r);
    begin("s_ok", NULL, NULL);
    post(u, &within, hi, (struct route_request){.stream = true});
    assert_true(net_client_run(client, 5));
    begin("s_ok", NULL, NULL);
    post(u, &stop, hi, (struct route_request){.stream = true});
    assert_true(net_client_run(client, 5));
    begin("429:3", NULL, NULL);
    post(u, &paused, hi, (struct route_request){0});
    assert_false(net_client_run(client, 0.3)); /* now it waits for its next try */
    route_call_cancel(paused.call, &paused.r);
    assert_int_equal(now.n_ends + within.n_ends + paused.n_ends, 0);
    assert_int_equal(within.n_chunks, 2);
    assert_int_equal(within.r.failure, ROUTE_F_CANCELLED);
    assert_true(within.r.begun && within.r.cost > 0);
    assert_int_equal(stop.n_ends, 1);
    assert_int_equal(stop.r.failure, ROUTE_F_STOPPED);
    begin("hang", NULL, NULL);
    post(u, &open, hi, (struct route_request){0});
    route_upstream_free(u);
    assert_int_equal(open.n_ends, 1);
    assert_int_equal(open.r.failure, ROUTE_F_CANCELLED);
    assert_true(net_client_run(client, 5));
    buf_done(&now.text);
    buf_done(&within.text);
    buf_done(&stop.text);
    buf_done(&paused.text);
    buf_done(&open.text);
}

/* ---- the perimeter ---- */

static void nothing_leaves(void **state)
{
    static const struct str bad[] = {{"", 0},
                                     {"Public", 6},
                                     {"public ", 7},
                                     {"public\0x", 8},
                                     {ROUTE_LOCAL_ONLY, 10},
                                     {"secret", 6},
                                     {"p\xD1\x83"
                                      "blic",
                                      7}};
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    begin(NULL, NULL, NULL);
    int connections = atomic_load(&up.n_connections);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s = (struct seen){.text = s.text};
        struct route_result r = ask(&t, &s, hi, (struct route_request){.data_class = bad[i]});
        assert_int_equal(r.failure, ROUTE_F_DENIED);
        assert_int_equal(r.err.code, CROFT_E_DENIED);
        assert_int_equal(r.tries, 0);
        assert_int_equal(r.bytes_sent, 0);
    }
    assert_int_equal(n_asked, 0);
    assert_int_equal(atomic_load(&up.n_connections), connections);
    buf_done(&s.text);
}

/* The class of the bytes counts at every try: it cannot become laxer, and a stricter one stops the next try. */
static void later_tries_are_judged(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct route_upstream *u = made(&t);
    struct seen s = {0};
    char word[] = "public";
    begin("429:2", NULL, NULL);
    post(u, &s, hi, (struct route_request){.data_class = str_of(word)});
    memcpy(word, "secret", 6); /* the caller's own copy changes: the bytes' does not */
    assert_false(net_client_run(client, 0.3));
    route_call_restrict(s.call, str_of(ROUTE_LOCAL_ONLY));
    route_call_restrict(s.call, str_of("public")); /* no way back */
    assert_true(net_client_run(client, 5));
    assert_int_equal(s.n_ends, 1);
    assert_int_equal(s.r.failure, ROUTE_F_DENIED);
    assert_int_equal(n_asked, 1);
    s = (struct seen){.text = s.text};
    begin("429:2", NULL, NULL);
    memcpy(word, "public", 6);
    post(u, &s, hi, (struct route_request){.data_class = str_of(word)});
    memcpy(word, "secret", 6);
    assert_true(net_client_run(client, 5));
    assert_int_equal(s.r.failure, ROUTE_F_NONE);
    assert_int_equal(n_asked, 2);
    /* a tier whose list shrinks meanwhile: the list of the moment counts */
    s = (struct seen){.text = s.text};
    begin("429:2", NULL, NULL);
    post(u, &s, hi, (struct route_request){0});
    assert_false(net_client_run(client, 0.3));
    t.n_classes = 0;
    assert_true(net_client_run(client, 5));
    assert_int_equal(s.r.failure, ROUTE_F_DENIED);
    assert_int_equal(n_asked, 1);
    route_upstream_free(u);
    buf_done(&s.text);
}

static void nothing_follows(void **state)
{
    struct route_tier t = tier(ROUTE_OPENAI);
    struct seen s = {0};
    begin("redirect", NULL, NULL);
    ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(n_asked, 1); /* nobody went where it points */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    s = (struct seen){.text = s.text};
    begin(NULL, NULL, NULL);
    t.place = ROUTE_DEVICE; /* for this machine no proxy is asked */
    struct route_result r = ask(&t, &s, hi, (struct route_request){.data_class = str_of(ROUTE_LOCAL_ONLY)});
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_int_equal(r.failure, ROUTE_F_NONE);
    buf_done(&s.text);
}

/* ---- Anthropic's wire: expected values written down from the public documentation of both APIs ---- */

static void says(const char *in, const char *expected)
{
    struct route_tier t = tier(ROUTE_ANTHROPIC);
    struct seen s = {0};
    begin("{\"type\":\"message\",\"id\":\"m\",\"model\":\"c\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
          "\"text\":\"ok\"}],"
          "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}",
          NULL, NULL);
    struct route_result r = ask(&t, &s, in, (struct route_request){0});
    if (r.failure) fail_msg("%s", r.err.msg);
    json_t *want = json_loads(expected, 0, NULL), *got = json_loads(last_body, 0, NULL);
    if (!want || !json_equal(want, got)) fail_msg("sent %s\nwant %s", last_body, expected);
    json_decref(want);
    json_decref(got);
    buf_done(&s.text);
}

static void anthropic_requests(void **state)
{
    says(hi, "{\"model\":\"big-1\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
             "\"text\",\"text\":\"hi\"}]}]}");
    assert_non_null(strstr(last_head, "POST /v1/messages HTTP/1.1"));
    assert_non_null(strstr(last_head, "anthropic-version: 2023-06-01\r\n"));
    says("{\"model\":\"m\",\"max_completion_tokens\":50,\"temperature\":0.5,\"top_p\":0.9,\"stop\":\"END\",\"user\":"
         "\"u1\",\"n\":1,"
         "\"frequency_penalty\":0,\"logit_bias\":{},\"store\":false,\"seed\":null,"
         "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"developer\",\"content\":\"And "
         "kind.\"},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is "
         "this?\"},{\"type\":\"image_url\",\"image_url\":"
         "{\"url\":\"data:image/png;base64,QUJD\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.org/"
         "a.png\"}}]}]}",
         "{\"model\":\"big-1\",\"max_tokens\":50,\"temperature\":0.5,\"top_p\":0.9,\"stop_sequences\":[\"END\"],"
         "\"metadata\":{\"user_id\":\"u1\"},"
         "\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\"},{\"type\":\"text\",\"text\":\"And kind.\"}],"
         "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is this?\"},"
         "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}},"
         "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.org/a.png\"}}]}]}");
    says("{\"messages\":[{\"role\":\"user\",\"content\":\"weather?\"},{\"role\":\"assistant\",\"content\":null,"
         "\"tool_calls\":["
         "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"w\",\"arguments\":\"{\\\"c\\\":\\\"Bern\\\"}"
         "\"}},"
         "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"w\",\"arguments\":\"\"}}]},"
         "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"sun\"},{\"role\":\"tool\",\"tool_call_id\":\"b\","
         "\"content\":\"rain\"},"
         "{\"role\":\"user\",\"content\":\"so?\"}],"
         "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\",\"description\":\"weather\",\"strict\":true,"
         "\"parameters\":{\"type\":\"object\"}}}],"
         "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
         "{\"model\":\"big-1\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"weather?\"}]},"
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"w\",\"input\":{\"c\":"
         "\"Bern\"}},"
         "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"w\",\"input\":{}}]},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":[{\"type\":"
         "\"text\",\"text\":\"sun\"}]},"
         "{\"type\":\"tool_result\",\"tool_use_id\":\"b\",\"content\":[{\"type\":\"text\",\"text\":\"rain\"}]},{"
         "\"type\":\"text\",\"text\":\"so?\"}]}],"
         "\"tools\":[{\"name\":\"w\",\"description\":\"weather\",\"strict\":true,\"input_schema\":{\"type\":"
         "\"object\"}}],"
         "\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}");
    says("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"reasoning_effort\":\"low\",\"response_format\":{"
         "\"type\":\"json_schema\","
         "\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{}}}}}",
         "{\"model\":\"big-1\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"x\"}]}],"
         "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\","
         "\"properties\":{}}}}}");
}

static void anthropic_cannot_say(void **state)
{
#define U "{\"role\":\"user\",\"content\":\"x\"}"
    static const char *const bad[][2] = {
        {"seed", "{\"messages\":[" U "],\"seed\":7}"},
        {"n", "{\"messages\":[" U "],\"n\":2}"},
        {"logprobs", "{\"messages\":[" U "],\"logprobs\":true}"},
        {"logit_bias", "{\"messages\":[" U "],\"logit_bias\":{\"5\":1}}"},
        {"frequency_penalty", "{\"messages\":[" U "],\"frequency_penalty\":0.5}"},
        {"temperature", "{\"messages\":[" U "],\"temperature\":1.5}"},
        {"response_format", "{\"messages\":[" U "],\"response_format\":{\"type\":\"json_object\"}}"},
        {"structured_outputs", "{\"messages\":[" U "],\"structured_outputs\":{\"choice\":[\"a\"]}}"},
        {"tool_choice",
         "{\"messages\":[" U
         "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\"}}],\"tool_choice\":\"maybe\"}"},
        {"tools", "{\"messages\":[" U "],\"tools\":[{\"type\":\"custom\",\"custom\":{}}]}"},
        {"messages", "{\"messages\":[]}"},
        {"messages", "{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}"},
        {"messages", "{\"messages\":[" U ",{\"role\":\"system\",\"content\":\"x\"}]}"},
        {"messages", "{\"messages\":[{\"role\":\"function\",\"content\":\"x\"}]}"},
        {"messages", "{\"messages\":[{\"role\":\"user\",\"name\":\"bob\",\"content\":\"x\"}]}"},
        {"messages",
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}]}"},
        {"messages", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                     "\"http://x/a\"}}]}]}"},
        {"messages", "{\"messages\":[" U ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
                     "\"name\":\"f\",\"arguments\":\"[1\"}}]}]}"},
        {"messages", "{\"messages\":[42]}"},
    };
    struct route_tier t = tier(ROUTE_ANTHROPIC);
    struct seen s = {0};
    begin(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s = (struct seen){.text = s.text};
        struct route_result r = ask(&t, &s, bad[i][1], (struct route_request){0});
        assert_int_equal(r.failure, ROUTE_F_UNSUPPORTED);
        assert_non_null(strstr(r.err.msg, i > 9    ? ""
                                          : i == 8 ? "tool_choice"
                                          : i == 9 ? "tool"
                                          : i == 6 ? "format"
                                                   : bad[i][0]));
        assert_int_equal(r.tries, 0);
    }
    static const char *const drop[] = {"seed", "temperature"};
    t.drop = drop; /* unless the tier says that it may be left out */
    t.n_drop = 2;
    s = (struct seen){.text = s.text};
    struct route_result r = ask(&t, &s, "{\"messages\":[" U "],\"seed\":7,\"temperature\":1.5,\"top_p\":0.5}",
                                (struct route_request){.once = true});
    assert_int_equal(r.tries, 1);
    assert_null(strstr(last_body, "seed"));
    assert_null(strstr(last_body, "temperature"));
    assert_non_null(strstr(last_body, "top_p"));
    n_asked = 0;
    s = (struct seen){.text = s.text};
    assert_int_equal(ask(&t, &s, "{\"input\":\"x\"}", (struct route_request){.kind = ROUTE_EMBEDDINGS}).failure,
                     ROUTE_F_UNSUPPORTED);
    assert_int_equal(n_asked, 0);
    buf_done(&s.text);
}

static void anthropic_answers(void **state)
{
    struct route_tier t = tier(ROUTE_ANTHROPIC);
    struct seen s = {0};
    setenv("CROFT_TEST_KEY", "key-77", 1);
    t.key_env = "CROFT_TEST_KEY";
    begin("{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[{"
          "\"type\":\"thinking\",\"thinking\":\"hm\"},"
          "{\"type\":\"text\",\"text\":\"Let me "
          "\"},{\"type\":\"text\",\"text\":\"look.\"},{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"find\","
          "\"input\":{\"q\":1}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"
          "\"cache_read_input_tokens\":5,"
          "\"cache_creation_input_tokens\":2,\"output_tokens\":20}}",
          NULL, NULL);
    struct route_result r = ask(&t, &s, hi, (struct route_request){0});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_non_null(strstr(last_head, "x-api-key: key-77\r\n"));
    assert_null(strstr(last_head, "Authorization"));
    json_t *got = json_loads(s.text.data, 0, NULL);
    json_object_del(got, "created");
    json_t *want =
        json_loads("{\"id\":\"msg_1\",\"object\":\"chat.completion\",\"model\":\"claude-x\",\"choices\":[{\"index\":"
                   "0,\"message\":{\"role\":\"assistant\","
                   "\"content\":\"Let me "
                   "look.\",\"refusal\":null,\"tool_calls\":[{\"id\":\"toolu_1\",\"type\":\"function\",\"function\":{"
                   "\"name\":\"find\","
                   "\"arguments\":\"{\\\"q\\\":1}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],"
                   "\"usage\":{\"prompt_tokens\":17,"
                   "\"completion_tokens\":20,\"total_tokens\":37,\"prompt_tokens_details\":{\"cached_tokens\":5}}}",
                   0, NULL);
    if (!json_equal(want, got)) fail_msg("%s", s.text.data);
    json_decref(want);
    json_decref(got);
    assert_int_equal(r.cost, 10 * 1000 + 5 * 500 + 2 * 1500 + 20 * 2000);
    static const char *const stops[][2] = {{"end_turn", "stop"},
                                           {"max_tokens", "length"},
                                           {"refusal", "content_filter"},
                                           {"stop_sequence", "stop"},
                                           {"model_context_window_exceeded", "length"}};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        char body[512], word[64];
        snprintf(body, sizeof body,
                 "{\"id\":\"m\",\"type\":\"message\",\"model\":\"c\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]"
                 ",\"stop_reason\":\"%s\"}",
                 stops[i][0]);
        snprintf(word, sizeof word, "\"finish_reason\":\"%s\"", stops[i][1]);
        s = (struct seen){.text = s.text};
        begin(body, NULL, NULL);
        r = ask(&t, &s, hi, (struct route_request){0});
        assert_non_null(strstr(s.text.data, word));
        assert_true(r.usage.estimated);
    }
    static const char *const bad[] = {
        "{\"type\":\"message\"}", "{\"choices\":[]}",
        "{\"type\":\"message\",\"content\":[{\"type\":\"server_tool_use\",\"id\":\"x\"}]}",
        "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s = (struct seen){.text = s.text};
        begin(bad[i], bad[i], bad[i]);
        assert_int_equal(ask(&t, &s, hi, (struct route_request){0}).failure, ROUTE_F_GARBAGE);
    }
    buf_done(&s.text);
}

static void anthropic_streams(void **state)
{
    struct route_tier t = tier(ROUTE_ANTHROPIC);
    struct seen s = {0};
    begin("a_ok", NULL, NULL);
    struct route_result r = ask(&t, &s, hi, (struct route_request){.stream = true, .usage_chunk = true});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    static const char *const wants[] = {"\"delta\":{\"role\":\"assistant\",\"content\":\"\"}",
                                        "\"delta\":{\"content\":\"Let me\"}",
                                        "\"delta\":{\"content\":\" look.\"}",
                                        "\"tool_calls\":[{\"id\":\"toolu_1\",\"type\":\"function\",\"function\":{"
                                        "\"name\":\"find\",\"arguments\":\"\"},\"index\":0}]",
                                        "\"function\":{\"arguments\":\"{\\\"q\\\":\"}",
                                        "\"function\":{\"arguments\":\"1}\"}",
                                        "\"delta\":{},\"finish_reason\":\"tool_calls\"",
                                        "\"choices\":[],\"usage\":{\"prompt_tokens\":17,\"completion_tokens\":20"};
    const char *at = s.text.data;
    assert_int_equal(s.n_chunks, 8);
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) { /* in this order, a line each */
        const char *line = strchr(at, '\n'), *found = strstr(at, wants[i]);
        if (!found || found > line) fail_msg("%s is not in %.*s", wants[i], (int)(line - at), at);
        at = line + 1;
    }
    assert_null(strstr(s.text.data, "hm"));
    assert_int_equal(r.usage.in, 17);
    assert_int_equal(r.usage.out, 20);
    assert_false(r.usage.estimated);
    s = (struct seen){.text = s.text};
    begin("a_overloaded", NULL, NULL);
    r = ask(&t, &s, hi, (struct route_request){.stream = true});
    assert_int_equal(r.failure, ROUTE_F_OVERLOADED);
    assert_int_equal(r.tries, 1);
    assert_int_equal(r.usage.in, 17); /* the provider's own */
    assert_true(r.usage.estimated);
    s = (struct seen){.text = s.text};
    begin("a_cut", NULL, NULL);
    assert_int_equal(ask(&t, &s, hi, (struct route_request){.stream = true}).failure, ROUTE_F_TRUNCATED);
    buf_done(&s.text);
}

/* ---- the others ---- */

static void other_endpoints(void **state)
{
    struct route_tier t = tier(ROUTE_CROFT);
    struct seen s = {0};
    begin("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.1]}],\"model\":"
          "\"e\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}",
          NULL, NULL);
    struct route_result r = ask(&t, &s, "{\"input\":\"x\"}", (struct route_request){.kind = ROUTE_EMBEDDINGS});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_int_equal(r.usage.in, 4);
    assert_non_null(strstr(last_head, "POST /v1/embeddings"));
    assert_non_null(strstr(last_head, "X-Croft-Class: public\r\n"));
    s = (struct seen){.text = s.text};
    begin("{\"answers\":[{\"name\":\"a\"}]}", NULL, NULL);
    r = ask(&t, &s, "{\"input\":\"x\"}", (struct route_request){.kind = ROUTE_DECISIONS});
    assert_int_equal(r.failure, ROUTE_F_NONE);
    assert_non_null(strstr(last_head, "POST /v1/decisions"));
    s = (struct seen){.text = s.text};
    r = ask(&t, &s, "{\"input\":\"x\"}", (struct route_request){.kind = ROUTE_EMBEDDINGS, .stream = true});
    assert_int_equal(r.failure, ROUTE_F_UNSUPPORTED);
    buf_done(&s.text);
}

/* Memory fails at each allocation in turn, jansson's included: the call ends once, and what was sent is whole. (Of what
 * was answered that cannot be said: jansson's reader goes on with a byte less when its buffer does not grow.) */
static void each_allocation_fails(enum route_wire w, bool stream, const char *asked, const char *answered)
{
    struct route_tier t = tier(w);
    char *want_sent = NULL;
    int n_failed = 0, n_fine = 0;
    json_t *in = json_loads(asked, 0, NULL);
    assert_non_null(in);
    json_set_alloc_funcs(mem_alloc, mem_free);
    for (int n = 0; n_fine < 10; n++) { /* 0: the reference; then until no allocation is left to fail */
        struct route_upstream *u = NULL;
        struct seen s = {0};
        struct err e = {0};
        struct route_request r = {.body = in,
                                  .stream = stream,
                                  .usage_chunk = stream,
                                  .user = &s,
                                  .on_end = on_end,
                                  .on_chunk = on_chunk,
                                  .data_class = str_of("public"),
                                  .once = true};
        begin(answered, NULL, NULL);
        buf_init(&s.text, 1 << 20);
        mem_fail_nth(n);
        int rc = route_upstream_new(client, &t, &u, &e);
        if (rc == 0) rc = route_upstream_send(u, &r, NULL, &e);
        if (rc == 0) assert_true(net_client_run(client, 5));
        mem_fail_nth(0);
        assert_int_equal(s.n_ends, rc == 0);
        bool fine = rc == 0 && s.r.failure == ROUTE_F_NONE && !s.lost && !s.text.failed;
        n_failed += !fine;
        n_fine = fine ? n_fine + 1 : 0;
        if (n == 0) {
            assert_true(fine);
            want_sent = strdup(last_body);
        } else if (fine) {
            assert_string_equal(last_body, want_sent);
        }
        route_upstream_free(u);
        buf_done(&s.text);
    }
    assert_true(n_failed > 20);
    json_set_alloc_funcs(malloc, free);
    json_decref(in);
    free(want_sent);
}

static void without_memory(void **state)
{
    static const char tools[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"w?\"},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.org/"
        "a.png\"}}]},{\"role\":\"assistant\",\"tool_calls\":["
        "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"w\",\"arguments\":\"{\\\"c\\\":1}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"sun\"}],\"user\":\"u\",\"stop\":\"x\","
        "\"temperature\":0.5,"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\",\"description\":\"d\",\"strict\":true,"
        "\"parameters\":{\"type\":\"object\"}}}],"
        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"w\"}},\"parallel_tool_calls\":false,"
        "\"reasoning_effort\":\"low\","
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"object\"}}}}";
    static const char whole[] = "{\"id\":\"m\",\"type\":\"message\",\"model\":\"c\",\"content\":[{\"type\":\"text\","
                                "\"text\":\"Let me\"},{\"type\":\"tool_use\","
                                "\"id\":\"t\",\"name\":\"w\",\"input\":{\"q\":1}}],\"stop_reason\":\"tool_use\","
                                "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}";
    each_allocation_fails(ROUTE_ANTHROPIC, false, tools, whole);
    each_allocation_fails(ROUTE_ANTHROPIC, true, tools, "a_ok");
    each_allocation_fails(ROUTE_OPENAI, false, hi, ok_chat);
    each_allocation_fails(ROUTE_OPENAI, true, hi, "s_ok");
}

int main(void)
{
    struct err e = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(streams),
        cmocka_unit_test(failures),
        cmocka_unit_test(refused_connections),
        cmocka_unit_test(retries),
        cmocka_unit_test(breaks),
        cmocka_unit_test(is_full),
        cmocka_unit_test(cancels),
        cmocka_unit_test(nothing_leaves),
        cmocka_unit_test(later_tries_are_judged),
        cmocka_unit_test(nothing_follows),
        cmocka_unit_test(anthropic_requests),
        cmocka_unit_test(anthropic_cannot_say),
        cmocka_unit_test(anthropic_answers),
        cmocka_unit_test(anthropic_streams),
        cmocka_unit_test(other_endpoints),
        cmocka_unit_test(without_memory),
    };
    fake_up_start(&up, answer, NULL);
    snprintf(tier_url, sizeof tier_url, "http://127.0.0.1:%d/v1/", up.port);
    if (net_client_new(NULL, NULL, &client, &e)) return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    net_client_free(client);
    fake_up_stop(&up);
    return rc;
}
