/* OpenAI's wire, and another Croft's, which is the same with the data class in a header. The request goes out as it
 * came, but for the model's name and how it is streamed; the answer is checked for its shape and handed on.
 * No state. Read next: wire_anthropic.c, upstream.c. */
#include "wire.h"

#include <string.h>

static const char *path(enum route_kind kind)
{
    return kind == ROUTE_CHAT ? "/chat/completions" : kind == ROUTE_EMBEDDINGS ? "/embeddings" : NULL;
}

static const char *croft_path(enum route_kind kind) { return kind == ROUTE_DECISIONS ? "/decisions" : path(kind); }

static int fields(const char *key, const char *data_class, struct buf *secret, struct net_field *out)
{
    if (!key[0]) return 0;
    buf_fmt(secret, "Bearer %s", key);
    out[0] = (struct net_field){"Authorization", secret->data, true};
    return 1;
}

static int croft_fields(const char *key, const char *data_class, struct buf *secret, struct net_field *out)
{
    int n = fields(key, data_class, secret, out);
    out[n] = (struct net_field){"X-Croft-Class", data_class, false};
    return n + 1;
}

static int request(const struct route_tier *t, const struct route_request *r, struct buf *out, struct err *e)
{
    json_t *o = route_json_copy(r->body);
    int rc = o ? json_object_set_new(o, "model", json_string(t->model)) : -1;
    if (rc == 0) {
        json_object_del(o, "stream");
        json_object_del(o, "stream_options");
        if (r->stream) {
            rc = json_object_set_new(o, "stream", json_true());
            rc |= json_object_set_new(o, "stream_options", json_pack("{s:b}", "include_usage", 1));
        }
    }
    if (rc == 0) rc = route_json_dump(o, out);
    json_decref(o);
    return rc == 0 ? 0 : out->failed ? buf_check(out, "request", e) : err_nomem(e, 0);
}

static const char *complaint(json_t *in)
{
    json_t *error = json_object_get(in, "error");
    if (json_is_string(error)) return json_string_value(error);
    const char *text = json_string_value(json_object_get(error, "message"));
    return text ? text : json_string_value(json_object_get(in, "message")); /* some servers leave the wrapper out */
}

static void read_usage(struct task_reader *r, json_t *u)
{
    if (!json_is_object(u)) return;
    r->usage_seen = true;
    r->usage.in = route_json_count(u, "prompt_tokens");
    r->usage.out = route_json_count(u, "completion_tokens");
    r->usage.cached = route_json_count(json_object_get(u, "prompt_tokens_details"), "cached_tokens");
}

/* Bytes of a message or delta; false if it says nothing at all. */
static bool measure(struct task_reader *r, json_t *m)
{
    json_t *content = json_object_get(m, "content"), *calls = json_object_get(m, "tool_calls"), *call;
    json_t *refusal = json_object_get(m, "refusal");
    size_t i;
    r->n_text += json_string_length(content) + json_string_length(refusal);
    json_array_foreach(calls, i, call)
    {
        json_t *f = json_object_get(call, "function");
        r->n_text += json_string_length(json_object_get(f, "name"));
        r->n_text += json_string_length(json_object_get(f, "arguments"));
    }
    return json_is_string(content) || json_array_size(calls) || json_is_string(refusal);
}

static bool is_chat(struct task_reader *r, json_t *in)
{
    json_t *choices = json_object_get(in, "choices"), *c;
    size_t i;
    if (json_array_size(choices) == 0) return false;
    json_array_foreach(choices, i, c) if (!measure(r, json_object_get(c, "message"))) return false;
    return true;
}

static json_t *answer(struct task_reader *r, json_t *in)
{
    static const char *const lists[] = {"choices", "data", "answers"};
    bool good = r->kind == ROUTE_CHAT ? is_chat(r, in) : json_array_size(json_object_get(in, lists[r->kind])) > 0;
    if (good) {
        read_usage(r, json_object_get(in, "usage"));
        return in;
    }
    const char *text = complaint(in);
    route_reader_fail(r, ROUTE_F_GARBAGE, "%s", text ? text : "The answer has the wrong shape.");
    json_decref(in);
    return NULL;
}

static int stream_error(struct task_reader *r, json_t *in)
{
    json_t *code = json_object_get(json_object_get(in, "error"), "code");
    const char *text = complaint(in);
    int status = json_is_integer(code) ? (int)json_integer_value(code) : 0;
    const char *type = json_string_value(json_object_get(json_object_get(in, "error"), "type"));
    if (type && strcmp(type, "rate_limit_error") == 0) status = 429;
    return route_reader_fail(r, status ? route_failure_of_status(status) : ROUTE_F_SERVER, "%s", text ? text : "");
}

static int event(struct task_reader *r, const char *name, json_t *in)
{
    json_t *choices = json_object_get(in, "choices"), *c;
    size_t i;
    if (json_object_get(in, "error") || strcmp(name, "error") == 0) return stream_error(r, in);
    if (!json_is_array(choices)) return route_reader_fail(r, ROUTE_F_GARBAGE, "A chunk has no choices.");
    read_usage(r, json_object_get(in, "usage"));
    json_array_foreach(choices, i, c)
    {
        measure(r, json_object_get(c, "delta"));
        uint64_t bit = (uint64_t)1 << (json_integer_value(json_object_get(c, "index")) & 63);
        r->begun_choices |= bit;
        if (json_is_string(json_object_get(c, "finish_reason"))) r->ended_choices |= bit;
        r->any = true;
    }
    if (r->any && r->begun_choices == r->ended_choices) r->finished = true; /* some servers send no [DONE] */
    if (!r->usage_chunk) {
        if (json_array_size(choices) == 0) return 0;
        json_object_del(in, "usage");
    }
    return r->emit(r, json_incref(in));
}

const struct route_wire_ops route_wire_openai = {path, fields, request, answer, event, complaint};
const struct route_wire_ops route_wire_croft = {croft_path, croft_fields, request, answer, event, complaint};
