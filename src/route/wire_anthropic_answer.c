/* Anthropic's answers in OpenAI's shape, whole and as a stream.
 *
 *     message_start          id, model, input tokens          → role
 *     content_block_start    text, tool_use, thinking, …      → a call's id and name
 *     content_block_delta    text_delta, input_json_delta     → content, arguments
 *     message_delta          stop_reason, output tokens       → finish_reason
 *     message_stop                                            → the usage, if it was asked for
 *     ping, content_block_stop                                  nothing
 *     error                                                     the end
 *
 * Thinking is passed over, as OpenAI's own models do not show theirs. A block of any other kind belongs to tools that
 * run at the provider, which were not asked for: garbage. New kinds of events are passed over, as the provider asks.
 * Its tokens of a prompt are three numbers (neither read from nor written to its cache, read, written); OpenAI's
 * prompt_tokens is their sum. No state but the reader's. */
#include "wire.h"

#include "base_clock.h"

#include <string.h>

const char *route_anthropic_complaint(json_t *in)
{
    return json_string_value(json_object_get(json_object_get(in, "error"), "message"));
}

static const char *finish_of(const char *stop)
{
    static const char *const table[][2] = {{"end_turn", "stop"},       {"stop_sequence", "stop"},
                                           {"max_tokens", "length"},   {"model_context_window_exceeded", "length"},
                                           {"tool_use", "tool_calls"}, {"refusal", "content_filter"}};
    for (size_t i = 0; stop && i < sizeof table / sizeof table[0]; i++)
        if (strcmp(stop, table[i][0]) == 0) return table[i][1];
    return "stop"; /* a reason of later days: the answer is whole */
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* A message_delta repeats some of the numbers and leaves out others. */
static void read_usage(struct task_reader *r, json_t *u)
{
    static const char *const names[] = {"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"};
    uint64_t *const kept[] = {&r->usage.in, &r->usage.cached, &r->usage.written};
    if (!json_is_object(u)) return;
    r->usage_seen = true;
    uint64_t plain = r->usage.in - r->usage.cached - r->usage.written;
    r->usage.in = plain;
    for (int i = 0; i < 3; i++)
        if (json_is_integer(json_object_get(u, names[i]))) *kept[i] = route_json_count(u, names[i]);
    r->usage.in += r->usage.cached + r->usage.written;
    if (json_is_integer(json_object_get(u, "output_tokens"))) r->usage.out = route_json_count(u, "output_tokens");
}

static json_t *usage_json(const struct route_usage *u)
{
    return json_pack("{s:I s:I s:I s:{s:I}}", "prompt_tokens", (json_int_t)u->in, "completion_tokens",
                     (json_int_t)u->out, "total_tokens", (json_int_t)(u->in + u->out), "prompt_tokens_details",
                     "cached_tokens", (json_int_t)u->cached);
}

static char kind_of(const char *type)
{
    if (strcmp(type, "text") == 0) return 't';
    if (strcmp(type, "tool_use") == 0) return 'c';
    if (strcmp(type, "thinking") == 0 || strcmp(type, "redacted_thinking") == 0) return 'x';
    return 0;
}

/* ---- whole ---- */

static json_t *call_json(struct task_reader *r, json_t *block)
{
    struct buf text;
    json_t *input = json_object_get(block, "input"), *call = NULL;
    buf_init(&text, 16 << 20);
    if (json_is_object(input) && route_json_dump(input, &text) == 0) {
        r->n_text += text.len + strlen(text_of(block, "name"));
        call = json_pack("{s:s s:s s:{s:s s:s}}", "id", text_of(block, "id"), "type", "function", "function", "name",
                         text_of(block, "name"), "arguments", text.data);
    }
    buf_done(&text);
    return call;
}

/* The message of OpenAI's shape from the blocks, or NULL. */
static json_t *message_of(struct task_reader *r, json_t *content)
{
    json_t *calls = json_array(), *block, *m = NULL;
    struct buf text;
    size_t i;
    bool good = calls && json_is_array(content), said = false;
    buf_init(&text, 64 << 20);
    json_array_foreach(content, i, block)
    {
        char kind = kind_of(text_of(block, "type"));
        good = good && kind != 0;
        if (kind == 't') {
            said = true;
            buf_str(&text, text_of(block, "text"));
        } else if (kind == 'c') {
            good = json_array_append_new(calls, call_json(r, block)) == 0 && good;
        }
    }
    r->n_text += text.len;
    if (good && !text.failed) {
        m = json_pack("{s:s s:o s:n}", "role", "assistant", "content",
                      said || !json_array_size(calls) ? json_stringn(text.data ? text.data : "", text.len)
                                                      : json_null(),
                      "refusal");
        if (json_array_size(calls) && json_object_set(m, "tool_calls", calls)) {
            json_decref(m);
            m = NULL;
        }
    }
    buf_done(&text);
    json_decref(calls);
    return m;
}

json_t *route_anthropic_answer(struct task_reader *r, json_t *in)
{
    json_t *m = strcmp(text_of(in, "type"), "message") == 0 ? message_of(r, json_object_get(in, "content")) : NULL;
    json_t *out = NULL;
    if (m) {
        read_usage(r, json_object_get(in, "usage"));
        out =
            json_pack("{s:s s:s s:I s:s s:[{s:i s:o s:n s:s}]}", "id", text_of(in, "id"), "object", "chat.completion",
                      "created", (json_int_t)clock_unix_s(), "model", text_of(in, "model"), "choices", "index", 0,
                      "message", m, "logprobs", "finish_reason", finish_of(text_of(in, "stop_reason")));
        if (out && r->usage_seen && json_object_set_new(out, "usage", usage_json(&r->usage))) {
            json_decref(out);
            out = NULL;
        }
    }
    if (!out) {
        const char *text = route_anthropic_complaint(in);
        route_reader_fail(r, ROUTE_F_GARBAGE, "%s", text ? text : "The answer has the wrong shape.");
    }
    json_decref(in);
    return out;
}

/* ---- streams ---- */

static int emit(struct task_reader *r, json_t *choices)
{
    return r->emit(r, json_pack("{s:s s:s s:I s:s s:o}", "id", r->id, "object", "chat.completion.chunk", "created",
                                (json_int_t)r->created, "model", r->model, "choices", choices));
}

static int emit_delta(struct task_reader *r, json_t *delta, const char *finish)
{
    r->any = true;
    return emit(r, json_pack("[{s:i s:o s:o}]", "index", 0, "delta", delta, "finish_reason",
                             finish ? json_string(finish) : json_null()));
}

static int emit_call(struct task_reader *r, int call, json_t *head, const char *arguments)
{
    json_t *c = head ? head : json_pack("{s:{s:s}}", "function", "arguments", arguments);
    if (json_object_set_new(c, "index", json_integer(call))) {
        json_decref(c);
        return emit_delta(r, NULL, NULL); /* no memory */
    }
    return emit_delta(r, json_pack("{s:[o]}", "tool_calls", c), NULL);
}

static int message_start(struct task_reader *r, json_t *in)
{
    json_t *m = json_object_get(in, "message");
    if (!json_is_object(m)) return route_reader_fail(r, ROUTE_F_GARBAGE, "A stream starts without a message.");
    snprintf(r->id, sizeof r->id, "%s", text_of(m, "id"));
    snprintf(r->model, sizeof r->model, "%s", text_of(m, "model"));
    r->created = clock_unix_s();
    read_usage(r, json_object_get(m, "usage"));
    return emit_delta(r, json_pack("{s:s s:s}", "role", "assistant", "content", ""), NULL);
}

static int block_start(struct task_reader *r, json_t *in, json_int_t i)
{
    json_t *block = json_object_get(in, "content_block"), *input = json_object_get(block, "input");
    char kind = kind_of(text_of(block, "type"));
    if (!kind)
        return route_reader_fail(r, ROUTE_F_GARBAGE, "A block of the type '%.40s' was not asked for.",
                                 text_of(block, "type"));
    r->block[i].kind = kind;
    if (kind == 't' && text_of(block, "text")[0]) {
        r->n_text += strlen(text_of(block, "text"));
        return emit_delta(r, json_pack("{s:s}", "content", text_of(block, "text")), NULL);
    }
    if (kind != 'c') return 0;
    struct buf text;
    buf_init(&text, 1 << 20);
    if (json_object_size(input) && route_json_dump(input, &text)) { /* all at once, and no deltas */
        buf_done(&text);
        return route_reader_fail(r, ROUTE_F_GARBAGE, "A call of a tool is too large.");
    }
    r->block[i].call = r->n_calls++;
    r->n_text += strlen(text_of(block, "name")) + text.len;
    json_t *head = json_pack("{s:s s:s s:{s:s s:s}}", "id", text_of(block, "id"), "type", "function", "function",
                             "name", text_of(block, "name"), "arguments", text.len ? text.data : "");
    buf_done(&text);
    return emit_call(r, r->block[i].call, head, NULL);
}

static int block_delta(struct task_reader *r, json_t *in, json_int_t i)
{
    json_t *d = json_object_get(in, "delta");
    const char *type = text_of(d, "type");
    if (strcmp(type, "text_delta") == 0 && r->block[i].kind == 't') {
        r->n_text += strlen(text_of(d, "text"));
        return emit_delta(r, json_pack("{s:O}", "content", json_object_get(d, "text")), NULL);
    }
    if (strcmp(type, "input_json_delta") == 0 && r->block[i].kind == 'c') {
        const char *part = text_of(d, "partial_json");
        r->n_text += strlen(part);
        return part[0] ? emit_call(r, r->block[i].call, NULL, part) : 0;
    }
    return r->block[i].kind ? 0 : route_reader_fail(r, ROUTE_F_GARBAGE, "A piece belongs to no block.");
}

static int stream_error(struct task_reader *r, json_t *in)
{
    static const struct {
        const char *type;
        enum route_failure f;
    } table[] = {{"overloaded_error", ROUTE_F_OVERLOADED},    {"rate_limit_error", ROUTE_F_RATE},
                 {"authentication_error", ROUTE_F_AUTH},      {"permission_error", ROUTE_F_AUTH},
                 {"invalid_request_error", ROUTE_F_REJECTED}, {"timeout_error", ROUTE_F_TIMEOUT}};
    const char *type = text_of(json_object_get(in, "error"), "type"), *text = route_anthropic_complaint(in);
    enum route_failure f = ROUTE_F_SERVER;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(type, table[i].type) == 0) f = table[i].f;
    return route_reader_fail(r, f, "%s", text ? text : "");
}

static int message_stop(struct task_reader *r)
{
    r->finished = true;
    if (!r->usage_chunk || !r->usage_seen) return 0;
    return r->emit(r,
                   json_pack("{s:s s:s s:I s:s s:[] s:o}", "id", r->id, "object", "chat.completion.chunk", "created",
                             (json_int_t)r->created, "model", r->model, "choices", "usage", usage_json(&r->usage)));
}

int route_anthropic_event(struct task_reader *r, const char *event, json_t *in)
{
    const char *type = text_of(in, "type");
    json_int_t i = json_integer_value(json_object_get(in, "index"));
    if (strcmp(type, "error") == 0) return stream_error(r, in);
    if (strcmp(type, "message_start") == 0) return message_start(r, in);
    if (strncmp(type, "content_block_", 14) == 0 && (!r->any || i < 0 || i >= WIRE_BLOCKS))
        return route_reader_fail(r, ROUTE_F_GARBAGE, "A block comes before the message, or there are too many.");
    if (strcmp(type, "content_block_start") == 0) return block_start(r, in, i);
    if (strcmp(type, "content_block_delta") == 0) return block_delta(r, in, i);
    if (strcmp(type, "message_delta") == 0) {
        read_usage(r, json_object_get(in, "usage"));
        const char *stop = text_of(json_object_get(in, "delta"), "stop_reason");
        return stop[0] ? emit_delta(r, json_object(), finish_of(stop)) : 0;
    }
    return strcmp(type, "message_stop") == 0 ? message_stop(r) : 0;
}
