/* Anthropic's Messages. Both directions are written from the public types of the provider's own client.
 *
 *     OpenAI                                    Messages
 *     system, developer (at the start)          system: [text]
 *     user, assistant                           messages, neighbours of one role joined
 *     assistant.tool_calls                      tool_use {id, name, input}
 *     tool                                      user: tool_result {tool_use_id, content}
 *     image_url                                 image {base64 | url}
 *     max_completion_tokens, max_tokens         max_tokens, which must be there: the tier's
 *     stop, temperature (≤ 1), top_p, top_k     stop_sequences, the same
 *     tools, tool_choice, parallel_tool_calls   tools, tool_choice {auto | any | tool | none,
 * disable_parallel_tool_use} response_format json_schema               output_config.format reasoning_effort
 * output_config.effort user, safety_identifier                   metadata.user_id
 *
 * What has no counterpart is an error that names the field (`fields` below; FIXED values ask for nothing); nothing is
 * left out silently but hints that cannot change an answer. The way back is wire_anthropic_answer.c. */
#include "wire.h"

#include <string.h>

#define FAULT(e, field, ...) err_set((e), CROFT_E_UNSUPPORTED, (field), -1, __VA_ARGS__)

/* A field's name; NULL: converted or a hint; otherwise JSON texts separated by '|' that ask for nothing. */
static const struct {
    const char *name, *fixed;
} fields[] = {{"model", NULL},
              {"messages", NULL},
              {"stream", NULL},
              {"stream_options", NULL},
              {"max_tokens", NULL},
              {"max_completion_tokens", NULL},
              {"temperature", NULL},
              {"top_p", NULL},
              {"top_k", NULL},
              {"stop", NULL},
              {"tools", NULL},
              {"tool_choice", NULL},
              {"parallel_tool_calls", NULL},
              {"response_format", NULL},
              {"reasoning_effort", NULL},
              {"user", NULL},
              {"safety_identifier", NULL},
              {"prompt_cache_key", NULL},
              {"prompt_cache_retention", NULL},
              {"n", "1"},
              {"logprobs", "false"},
              {"top_logprobs", "0"},
              {"logit_bias", "{}"},
              {"frequency_penalty", "0|0.0"},
              {"presence_penalty", "0|0.0"},
              {"store", "false"},
              {"metadata", "{}"},
              {"modalities", "[\"text\"]"},
              {"service_tier", "\"auto\""},
              {"verbosity", "\"medium\""}};

static bool is_fixed(const json_t *v, const char *fixed)
{
    struct buf text;
    buf_init(&text, 256);
    bool same = false;
    if (route_json_dump(v, &text) == 0)
        for (const char *p = fixed; *p && !same; p += *p == '|') {
            size_t n = strcspn(p, "|");
            same = text.len == n && memcmp(text.data, p, n) == 0;
            p += n;
        }
    buf_done(&text);
    return same;
}

static int check_fields(const json_t *in, struct err *e)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)in, name, v)
    {
        size_t i = 0, n = sizeof fields / sizeof fields[0];
        if (json_is_null(v)) continue;
        while (i < n && strcmp(name, fields[i].name) != 0) i++;
        if (i == n || (fields[i].fixed && !is_fixed(v, fields[i].fixed)))
            return FAULT(e, name, "'%.60s' has no counterpart in Anthropic's API%s.", name,
                         i < n ? " with this value" : "");
    }
    return 0;
}

/* ---- content ---- */

static json_t *text_block(const char *text, size_t n)
{
    return json_pack("{s:s s:s%}", "type", "text", "text", text, n);
}

/* "data:image/png;base64,…" or an address. */
static int image_block(json_t *part, json_t **out, struct err *e)
{
    json_t *image = json_object_get(part, "image_url"), *detail = json_object_get(image, "detail");
    const char *url = json_string_value(json_object_get(image, "url")), *comma;
    if (!url) return FAULT(e, "messages", "An image has no url.");
    if (detail && !json_is_null(detail) && !is_fixed(detail, "\"auto\""))
        return FAULT(e, "messages", "'detail' of an image has no counterpart in Anthropic's API.");
    if (strncmp(url, "https://", 8) == 0) {
        *out = json_pack("{s:s s:{s:s s:s}}", "type", "image", "source", "type", "url", "url", url);
        return 0;
    }
    comma = strchr(url, ',');
    if (strncmp(url, "data:", 5) != 0 || !comma || comma - url < 12 || strncmp(comma - 7, ";base64", 7) != 0)
        return FAULT(e, "messages", "An image must be a https address or data in base64.");
    *out = json_pack("{s:s s:{s:s s:s% s:s}}", "type", "image", "source", "type", "base64", "media_type", url + 5,
                     (size_t)(comma - 7 - url - 5), "data", comma + 1);
    return 0;
}

/* Appends the blocks of a `content`: a string, or parts. Texts that are empty are not allowed there, and say nothing.
 */
static int add_content(json_t *content, bool images, json_t *blocks, struct err *e)
{
    size_t i;
    json_t *part;
    if (!content || json_is_null(content)) return 0;
    if (json_is_string(content)) {
        if (json_string_length(content) == 0) return 0;
        return json_array_append_new(blocks, text_block(json_string_value(content), json_string_length(content)))
                   ? err_nomem(e, 0)
                   : 0;
    }
    if (!json_is_array(content)) return FAULT(e, "messages", "A content is neither a string nor an array.");
    json_array_foreach(content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        json_t *text = json_object_get(part, "text"), *block = NULL;
        int rc = 0;
        if (type && strcmp(type, "text") == 0 && json_is_string(text)) {
            if (json_string_length(text) == 0) continue;
            block = text_block(json_string_value(text), json_string_length(text));
        } else if (type && strcmp(type, "image_url") == 0 && images) {
            rc = image_block(part, &block, e);
        } else {
            rc = FAULT(e, "messages", "A part of the type '%.40s' cannot be sent to Anthropic's API here.",
                       type ? type : "");
        }
        if (rc) return rc;
        if (json_array_append_new(blocks, block)) return err_nomem(e, 0);
    }
    return 0;
}

/* ---- messages ---- */

static int add_calls(json_t *calls, json_t *blocks, struct err *e)
{
    size_t i;
    json_t *call;
    json_array_foreach(calls, i, call)
    {
        json_t *f = json_object_get(call, "function"), *id = json_object_get(call, "id");
        json_t *name = json_object_get(f, "name"), *arguments = json_object_get(f, "arguments");
        if (!json_is_string(id) || !json_is_string(name) || !json_is_string(arguments))
            return FAULT(e, "messages", "A call of a tool needs id, name and arguments.");
        json_t *input = json_string_length(arguments)
                            ? json_loadb(json_string_value(arguments), json_string_length(arguments), 0, NULL)
                            : json_object();
        if (!json_is_object(input)) {
            json_decref(input);
            return FAULT(e, "messages", "The arguments of an earlier call of '%.60s' are no JSON object.",
                         json_string_value(name));
        }
        if (json_array_append_new(
                blocks, json_pack("{s:s s:O s:O s:o}", "type", "tool_use", "id", id, "name", name, "input", input)))
            return err_nomem(e, 0);
    }
    return 0;
}

static int add_result(json_t *m, json_t *blocks, struct err *e)
{
    json_t *id = json_object_get(m, "tool_call_id"), *inner = json_array();
    int rc = inner ? 0 : err_nomem(e, 0);
    if (rc == 0 && !json_is_string(id)) rc = FAULT(e, "messages", "A tool's answer needs its tool_call_id.");
    if (rc == 0) rc = add_content(json_object_get(m, "content"), false, inner, e);
    if (rc == 0 && json_array_append_new(blocks, json_pack("{s:s s:O s:O}", "type", "tool_result", "tool_use_id", id,
                                                           "content", inner)))
        rc = err_nomem(e, 0);
    json_decref(inner);
    return rc;
}

/* What a message may hold; anything else that is not null is an error. */
static int check_message(json_t *m, struct err *e)
{
    static const char *const known[] = {"role", "content", "tool_calls", "tool_call_id", NULL};
    const char *name;
    json_t *v;
    json_object_foreach(m, name, v)
    {
        int i = 0;
        while (known[i] && strcmp(name, known[i]) != 0) i++;
        if (!known[i] && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            return FAULT(e, "messages", "'%.60s' of a message has no counterpart in Anthropic's API.", name);
    }
    return 0;
}

/* The blocks of the newest message, if its role is this one; otherwise those of a new message. */
static json_t *blocks_of(json_t *list, const char *role)
{
    json_t *last = json_array_get(list, json_array_size(list) - 1);
    const char *was = json_string_value(json_object_get(last, "role"));
    if (was && strcmp(was, role) == 0) return json_object_get(last, "content");
    if (json_array_append_new(list, json_pack("{s:s s:[]}", "role", role, "content"))) return NULL;
    return json_object_get(json_array_get(list, json_array_size(list) - 1), "content");
}

static int add_message(json_t *m, json_t *system, json_t *list, struct err *e)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    int rc = json_is_object(m) && role ? check_message(m, e) : FAULT(e, "messages", "A message has no role.");
    if (rc) return rc;
    bool tool = strcmp(role, "tool") == 0, assistant = strcmp(role, "assistant") == 0;
    if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0) {
        if (json_array_size(list))
            return FAULT(e, "messages", "A system message behind others has no counterpart in Anthropic's API.");
        return add_content(json_object_get(m, "content"), false, system, e);
    }
    if (!tool && !assistant && strcmp(role, "user") != 0)
        return FAULT(e, "messages", "The role '%.40s' has no counterpart in Anthropic's API.", role);
    json_t *blocks = blocks_of(list, assistant ? "assistant" : "user");
    if (!blocks) return err_nomem(e, 0);
    if (tool) return add_result(m, blocks, e);
    rc = add_content(json_object_get(m, "content"), !assistant, blocks, e);
    if (rc == 0 && assistant) rc = add_calls(json_object_get(m, "tool_calls"), blocks, e);
    return rc;
}

static int add_messages(const json_t *in, json_t *o, struct err *e)
{
    json_t *messages = json_object_get(in, "messages"), *m, *system = json_array(), *list = json_array();
    size_t i;
    int rc = system && list ? 0 : err_nomem(e, 0);
    json_array_foreach(messages, i, m)
    {
        if (rc == 0) rc = add_message(m, system, list, e);
    }
    if (rc == 0 && json_array_size(list) == 0) rc = FAULT(e, "messages", "There is no message to answer.");
    if (rc == 0 && json_array_size(system)) rc = json_object_set(o, "system", system) ? err_nomem(e, 0) : 0;
    if (rc == 0) rc = json_object_set(o, "messages", list) ? err_nomem(e, 0) : 0;
    json_decref(system);
    json_decref(list);
    return rc;
}

/* ---- tools ---- */

static int add_tools(const json_t *in, json_t *o, struct err *e)
{
    json_t *tools = json_object_get(in, "tools"), *t, *list;
    size_t i;
    if (json_array_size(tools) == 0) return 0;
    if (!(list = json_array()) || json_object_set_new(o, "tools", list)) return err_nomem(e, 0);
    json_array_foreach(tools, i, t)
    {
        const char *type = json_string_value(json_object_get(t, "type"));
        json_t *f = json_object_get(t, "function"), *schema = json_object_get(f, "parameters");
        json_t *name = json_object_get(f, "name"), *text = json_object_get(f, "description");
        if (!type || strcmp(type, "function") != 0 || !json_is_string(name))
            return FAULT(e, "tools", "A tool must be a function with a name.");
        json_t *one = json_pack("{s:O s:o}", "name", name, "input_schema",
                                json_is_object(schema) ? json_incref(schema) : json_pack("{s:s}", "type", "object"));
        int rc = json_is_string(text) ? json_object_set(one, "description", text) : 0;
        if (json_is_true(json_object_get(f, "strict"))) rc |= json_object_set_new(one, "strict", json_true());
        rc |= json_array_append_new(list, one);
        if (rc) return err_nomem(e, 0);
    }
    return 0;
}

static int add_tool_choice(const json_t *in, json_t *o, struct err *e)
{
    json_t *choice = json_object_get(in, "tool_choice"), *name = NULL;
    const char *word = json_string_value(choice), *type = NULL;
    bool one = json_is_false(json_object_get(in, "parallel_tool_calls"));
    if (json_array_size(json_object_get(in, "tools")) == 0) return 0;
    if (json_is_object(choice)) {
        name = json_object_get(json_object_get(choice, "function"), "name");
        type = json_is_string(name) ? "tool" : NULL;
    } else if (!choice || json_is_null(choice)) {
        type = "auto";
    } else if (word) {
        type = !strcmp(word, "auto")       ? "auto"
               : !strcmp(word, "required") ? "any"
               : !strcmp(word, "none")     ? word
                                           : NULL;
    }
    if (!type) return FAULT(e, "tool_choice", "This 'tool_choice' has no counterpart in Anthropic's API.");
    json_t *c = json_pack("{s:s}", "type", type);
    int rc = name ? json_object_set(c, "name", name) : 0;
    if (one && strcmp(type, "none") != 0) rc |= json_object_set_new(c, "disable_parallel_tool_use", json_true());
    rc |= json_object_set_new(o, "tool_choice", c);
    return rc ? err_nomem(e, 0) : 0;
}

/* ---- the rest ---- */

static int add_output_config(const json_t *in, json_t *o, struct err *e)
{
    json_t *format = json_object_get(in, "response_format"), *effort = json_object_get(in, "reasoning_effort");
    const char *type = json_string_value(json_object_get(format, "type")), *word = json_string_value(effort);
    json_t *schema = json_object_get(json_object_get(format, "json_schema"), "schema"), *config = json_object();
    int rc = config ? 0 : err_nomem(e, 0);
    bool wanted = format && !json_is_null(format) && !(type && strcmp(type, "text") == 0);
    if (rc == 0 && wanted) {
        if (!type || strcmp(type, "json_schema") != 0 || !json_is_object(schema))
            rc = FAULT(e, "response_format",
                       "Of the response formats, Anthropic's API has json_schema alone: give a schema.");
        else if (json_object_set_new(config, "format",
                                     json_pack("{s:s s:O}", "type", "json_schema", "schema", schema)))
            rc = err_nomem(e, 0);
    }
    if (rc == 0 && word && strcmp(word, "none") != 0) {
        if (strcmp(word, "low") && strcmp(word, "medium") && strcmp(word, "high") && strcmp(word, "xhigh"))
            rc = FAULT(e, "reasoning_effort", "The effort '%.40s' has no counterpart in Anthropic's API.", word);
        else
            rc = json_object_set(config, "effort", effort) ? err_nomem(e, 0) : 0;
    }
    if (rc == 0 && json_object_size(config)) rc = json_object_set(o, "output_config", config) ? err_nomem(e, 0) : 0;
    json_decref(config);
    return rc;
}

static int add_stop(const json_t *in, json_t *o, struct err *e)
{
    json_t *stop = json_object_get(in, "stop");
    if (!stop || json_is_null(stop)) return 0;
    json_t *list = json_is_array(stop) ? json_incref(stop) : json_pack("[O]", stop);
    return json_object_set_new(o, "stop_sequences", list) ? err_nomem(e, 0) : 0;
}

static int add_numbers(const struct route_tier *t, const json_t *in, json_t *o, struct err *e)
{
    static const char *const same[] = {"temperature", "top_p", "top_k"};
    json_t *max = json_object_get(in, "max_completion_tokens"), *heat = json_object_get(in, "temperature"), *v;
    int rc = 0;
    if (!json_is_integer(max)) max = json_object_get(in, "max_tokens");
    if (json_is_number(heat) && json_number_value(heat) > 1)
        return FAULT(e, "temperature", "Anthropic's temperatures end at 1; this request asks for %g.",
                     json_number_value(heat));
    if (json_is_integer(max))
        rc |= json_object_set(o, "max_tokens", max);
    else
        rc |= json_object_set_new(o, "max_tokens", json_integer(t->max_tokens > 0 ? t->max_tokens : 4096));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if ((v = json_object_get(in, same[i])) && !json_is_null(v)) rc |= json_object_set(o, same[i], v);
    v = json_object_get(in, "safety_identifier");
    if (!json_is_string(v)) v = json_object_get(in, "user");
    if (json_is_string(v)) rc |= json_object_set_new(o, "metadata", json_pack("{s:O}", "user_id", v));
    return rc ? err_nomem(e, 0) : 0;
}

static int request(const struct route_tier *t, const struct route_request *r, struct buf *out, struct err *e)
{
    const json_t *in = r->body;
    json_t *o = json_pack("{s:s}", "model", t->model);
    int rc = o ? check_fields(in, e) : err_nomem(e, 0);
    if (rc == 0) rc = add_numbers(t, in, o, e);
    if (rc == 0) rc = add_stop(in, o, e);
    if (rc == 0) rc = add_messages(in, o, e);
    if (rc == 0) rc = add_tools(in, o, e);
    if (rc == 0) rc = add_tool_choice(in, o, e);
    if (rc == 0) rc = add_output_config(in, o, e);
    if (rc == 0 && r->stream && json_object_set_new(o, "stream", json_true())) rc = err_nomem(e, 0);
    if (rc == 0 && route_json_dump(o, out)) rc = out->failed ? buf_check(out, "request", e) : err_nomem(e, 0);
    json_decref(o);
    return rc;
}

static const char *path(enum route_kind kind) { return kind == ROUTE_CHAT ? "/messages" : NULL; }

static int headers(const char *key, const char *data_class, struct buf *secret, struct net_field *out)
{
    buf_str(secret, key);
    out[0] = (struct net_field){"anthropic-version", "2023-06-01", false};
    out[1] = (struct net_field){"x-api-key", secret->data, true};
    return key[0] ? 2 : 1;
}

const struct route_wire_ops route_wire_anthropic = {
    path, headers, request, route_anthropic_answer, route_anthropic_event, route_anthropic_complaint};
