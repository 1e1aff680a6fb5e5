/* POST /v1/responses: text and calls of functions, whole or as events. Nothing is stored: a conversation is sent as a
 * whole each time, and `previous_response_id` is refused.
 *
 * A conversation is a flat list of items; templates read messages, so calls become an assistant's message, and their
 * outputs messages of the role "tool":
 *
 *     {"role": "user", "content": …}                                      user
 *     {"type": "function_call", "call_id", "name", "arguments"}       ┐   assistant, tool_calls: [a, b]
 *     {"type": "function_call", …}                                    ┘
 *     {"type": "function_call_output", "call_id", "output"}               tool, tool_call_id
 *
 * The answer's output is such a list, too: a message, if there is text or nothing else, then the calls. Events of an
 * item: output_item.added, then of a message content_part.added, output_text.delta …, output_text.done,
 * content_part.done, of a call function_call_arguments.delta, .done; then output_item.done. */
#include "generate.h"

static const struct serve_field fields[] = {{"model", SERVE_USED, NULL},
                                            {"input", SERVE_USED, NULL},
                                            {"instructions", SERVE_USED, NULL},
                                            {"max_output_tokens", SERVE_USED, NULL},
                                            {"temperature", SERVE_USED, NULL},
                                            {"top_p", SERVE_USED, NULL},
                                            {"stream", SERVE_USED, NULL},
                                            {"stream_options", SERVE_USED, NULL},
                                            {"text", SERVE_USED, NULL},
                                            {"top_k", SERVE_USED, NULL},
                                            {"min_p", SERVE_USED, NULL},
                                            {"seed", SERVE_USED, NULL},
                                            {"metadata", SERVE_USED, NULL},
                                            {"store", SERVE_IGNORED, NULL},
                                            {"user", SERVE_IGNORED, NULL},
                                            {"service_tier", SERVE_IGNORED, NULL},
                                            {"safety_identifier", SERVE_IGNORED, NULL},
                                            {"prompt_cache_key", SERVE_IGNORED, NULL},
                                            {"prompt_cache_retention", SERVE_IGNORED, NULL},
                                            {"tools", SERVE_USED, NULL},
                                            {"tool_choice", SERVE_USED, NULL},
                                            {"parallel_tool_calls", SERVE_USED, NULL},
                                            {"max_tool_calls", SERVE_IGNORED, NULL},
                                            {"truncation", SERVE_FIXED, "\"disabled\"|\"auto\""},
                                            {"background", SERVE_FIXED, "false"},
                                            {"include", SERVE_USED, NULL},
                                            {"top_logprobs", SERVE_USED, NULL},
                                            {"reasoning", SERVE_USED, NULL},
                                            {"previous_response_id", SERVE_FIXED, NULL},
                                            {"conversation", SERVE_FIXED, NULL},
                                            {"prompt", SERVE_FIXED, NULL},
                                            {NULL, SERVE_USED, NULL}};

/* ---- the wire ---- */

/* `logprobs`: an array, or NULL for none. */
static json_t *part_json(const char *text, size_t n, json_t *logprobs)
{
    return json_pack("{s:s s:o s:[] s:o}", "type", "output_text", "text", serve_json_text(text, n), "annotations",
                     "logprobs", logprobs ? json_incref(logprobs) : json_array());
}

static json_t *message_json(const struct serve_job *job, const char *status, json_t *part)
{
    char id[64];
    snprintf(id, sizeof id, "msg_%s", job->id);
    return json_pack("{s:s s:s s:s s:s s:o}", "type", "message", "id", id, "status", status, "role", "assistant",
                     "content", part ? json_pack("[o]", part) : json_array());
}

static json_t *usage_json(const struct serve_job *job)
{
    const struct infer_outcome *o = &job->ask[0].outcome;
    return json_pack("{s:i s:{s:i} s:i s:{s:i} s:i}", "input_tokens", (int)o->n_prompt, "input_tokens_details",
                     "cached_tokens", (int)o->n_cached, "output_tokens", (int)o->n_generated, "output_tokens_details",
                     "reasoning_tokens", 0, "total_tokens", (int)(o->n_prompt + o->n_generated));
}

/* The k-th call; `arguments` as far as they are told. */
static json_t *call_json(const struct serve_job *job, size_t k, const char *status, json_t *arguments)
{
    const struct serve_generation *g = job->data;
    const struct serve_call *call = &g->choice[0].calls[k];
    char id[64];
    snprintf(id, sizeof id, "fc_%s_%zu", job->id, k);
    return json_pack("{s:s s:s s:s s:O s:O s:s}", "type", "function_call", "id", id, "call_id", call->id, "name",
                     call->name, "arguments", arguments, "status", status);
}

static const char *status_of(const struct serve_job *job)
{
    const struct serve_generation *g = job->data;
    return strcmp(g->choice[0].finish, "length") == 0 ? "incomplete" : "completed";
}

/* Of the whole answer: those that went out with deltas, or all at once. */
static json_t *logprobs_of(const struct serve_job *job)
{
    const struct serve_generation *g = job->data;
    return g->sampling.stream ? json_object_get(g->extra, "logprobs") : g->choice[0].logprobs;
}

static bool has_message(const struct serve_choice *c) { return c->n_content || c->n_calls == 0 || c->begun; }

static json_t *output_json(const struct serve_job *job)
{
    const struct serve_generation *g = job->data;
    const struct serve_choice *c = &g->choice[0];
    json_t *list = json_array();
    if (has_message(c))
        json_array_append_new(
            list, message_json(job, status_of(job), part_json(c->text.data, c->n_content, logprobs_of(job))));
    for (size_t k = 0; k < c->n_calls; k++)
        json_array_append_new(list, call_json(job, k, "completed", c->calls[k].arguments));
    return list;
}

/* A field of the request as it came, or the default; takes `absent`. */
static void echo(const struct serve_job *job, json_t *out, const char *name, json_t *absent)
{
    json_t *v = json_object_get(job->in, name);
    bool given = v && !json_is_null(v);
    if (given) json_decref(absent);
    json_object_set_new(out, name, given ? json_incref(v) : absent);
}

/* The response object; while it is in progress it has no output yet. */
static json_t *response_json(const struct serve_job *job, const char *status)
{
    const struct serve_generation *g = job->data;
    bool over = strcmp(status, "in_progress") != 0, cut = strcmp(status, "incomplete") == 0;
    json_t *format = json_object_get(json_object_get(job->in, "text"), "format");
    char id[64];
    snprintf(id, sizeof id, "resp_%s", job->id);
    json_t *o = json_pack("{s:s s:s s:I s:s s:n s:o s:s s:f s:f s:n s:b}", "id", id, "object", "response",
                          "created_at", (json_int_t)job->created, "status", status, "error", "incomplete_details",
                          cut ? json_pack("{s:s}", "reason", "max_output_tokens") : json_null(), "model",
                          job->model->name, "temperature", (double)g->sampling.s.temperature, "top_p",
                          (double)g->sampling.s.top_p, "previous_response_id", "store", 0);
    echo(job, o, "instructions", json_null());
    echo(job, o, "max_output_tokens", json_null());
    echo(job, o, "metadata", json_object());
    echo(job, o, "tools", json_array());
    echo(job, o, "tool_choice", json_string("auto"));
    echo(job, o, "parallel_tool_calls", json_true());
    echo(job, o, "truncation", json_string("disabled"));
    json_object_set_new(
        o, "text", json_pack("{s:o}", "format", format ? json_incref(format) : json_pack("{s:s}", "type", "text")));
    json_object_set_new(o, "output", over ? output_json(job) : json_array());
    json_object_set_new(o, "usage", over ? usage_json(job) : json_null());
    return o;
}

/* An event with its type and number; takes `o`. */
static void send(struct serve_job *job, const char *type, json_t *o)
{
    struct serve_generation *g = job->data;
    json_t *sent = json_object_get(g->extra, "events");
    json_int_t n = json_integer_value(sent);
    json_integer_set(sent, n + 1);
    json_object_set_new(o, "type", json_string(type));
    json_object_set_new(o, "sequence_number", json_integer(n));
    serve_job_event(job, type, o);
}

/* {"item_id": …, "output_index": 0, "content_index": 0} and one more member; takes `value`. */
static json_t *at_part(const struct serve_job *job, const char *name, json_t *value)
{
    char id[64];
    snprintf(id, sizeof id, "msg_%s", job->id);
    return json_pack("{s:s s:i s:i s:o}", "item_id", id, "output_index", 0, "content_index", 0, name, value);
}

/* {"output_index": …, "item": …}; takes `item`. */
static json_t *at_item(size_t index, json_t *item)
{
    return json_pack("{s:i s:o}", "output_index", (int)index, "item", item);
}

static void begin(struct serve_job *job)
{
    send(job, "response.created", json_pack("{s:o}", "response", response_json(job, "in_progress")));
    send(job, "response.in_progress", json_pack("{s:o}", "response", response_json(job, "in_progress")));
}

static void begin_message(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    if (g->choice[0].begun) return;
    g->choice[0].begun = true;
    send(job, "response.output_item.added", at_item(0, message_json(job, "in_progress", NULL)));
    send(job, "response.content_part.added", at_part(job, "part", part_json("", 0, NULL)));
}

static void delta(struct serve_job *job, uint32_t i, const char *text, size_t n, json_t *logprobs)
{
    const struct serve_generation *g = job->data;
    json_t *o = at_part(job, "delta", serve_json_text(text, n));
    if (logprobs) json_array_extend(json_object_get(g->extra, "logprobs"), logprobs);
    json_object_set_new(o, "logprobs", logprobs ? logprobs : json_array());
    begin_message(job);
    send(job, "response.output_text.delta", o);
}

static void end_message(struct serve_job *job, const struct serve_choice *c)
{
    json_t *o = at_part(job, "text", serve_json_text(c->text.data, c->n_content)),
           *part = part_json(c->text.data, c->n_content, logprobs_of(job));
    json_object_set(o, "logprobs", logprobs_of(job));
    send(job, "response.output_text.done", o);
    send(job, "response.content_part.done", at_part(job, "part", json_incref(part)));
    send(job, "response.output_item.done", at_item(0, message_json(job, status_of(job), part)));
}

static void send_call(struct serve_job *job, size_t k, size_t index)
{
    const struct serve_generation *g = job->data;
    const struct serve_call *call = &g->choice[0].calls[k];
    json_t *none = json_string("");
    char id[64];
    snprintf(id, sizeof id, "fc_%s_%zu", job->id, k);
    send(job, "response.output_item.added", at_item(index, call_json(job, k, "in_progress", none)));
    send(job, "response.function_call_arguments.delta",
         json_pack("{s:s s:i s:O}", "item_id", id, "output_index", (int)index, "delta", call->arguments));
    send(job, "response.function_call_arguments.done",
         json_pack("{s:s s:i s:O s:O}", "item_id", id, "output_index", (int)index, "name", call->name, "arguments",
                   call->arguments));
    send(job, "response.output_item.done", at_item(index, call_json(job, k, "completed", call->arguments)));
    json_decref(none);
}

static void done(struct serve_job *job, uint32_t i)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[i];
    size_t index = has_message(c);
    if (index) {
        begin_message(job);
        end_message(job, c);
    }
    for (size_t k = 0; k < c->n_calls; k++) send_call(job, k, index + k);
}

static void end(struct serve_job *job)
{
    const char *status = status_of(job);
    send(job, strcmp(status, "completed") == 0 ? "response.completed" : "response.incomplete",
         json_pack("{s:o}", "response", response_json(job, status)));
}

static json_t *whole(struct serve_job *job) { return response_json(job, status_of(job)); }

static const struct serve_format format = {begin, delta, done, end, whole, .offsets = false};

/* ---- preparation ---- */

static int bad_item(struct serve_job *job, size_t i, const char *what)
{
    char at[40];
    snprintf(at, sizeof at, "input[%zu]", i);
    return serve_refuse(job, CROFT_E_USAGE, at, "'%s' %s.", at, what);
}

/* A call belongs to the assistant's message before it, if there is one. */
static int add_call(struct serve_job *job, json_t *item, size_t i, json_t *messages)
{
    json_t *id = json_object_get(item, "call_id"), *name = json_object_get(item, "name"),
           *arguments = json_object_get(item, "arguments");
    if (!json_is_string(id) || !json_is_string(name) || !json_is_string(arguments))
        return bad_item(job, i, "needs 'call_id', 'name' and 'arguments', strings");
    json_t *m = json_array_get(messages, json_array_size(messages) - 1), *calls;
    const char *role = json_string_value(json_object_get(m, "role"));
    if (!role || strcmp(role, "assistant") != 0) {
        m = json_pack("{s:s}", "role", "assistant");
        json_array_append_new(messages, m);
    }
    if (!(calls = json_object_get(m, "tool_calls"))) {
        calls = json_array();
        json_object_set_new(m, "tool_calls", calls);
    }
    json_array_append_new(calls, json_pack("{s:O s:s s:{s:O s:O}}", "id", id, "type", "function", "function", "name",
                                           name, "arguments", arguments));
    return 0;
}

static int add_item(struct serve_job *job, json_t *item, size_t i, json_t *messages)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    if (!json_is_object(item)) return bad_item(job, i, "must be an object");
    if (!type || strcmp(type, "message") == 0) {
        json_t *m = serve_input_message(job, item, json_object_get(item, "content"), i);
        if (m) json_array_append_new(messages, m);
        return m ? 0 : serve_failed(job);
    }
    if (strcmp(type, "function_call") == 0) return add_call(job, item, i, messages);
    if (strcmp(type, "function_call_output") == 0) {
        json_t *id = json_object_get(item, "call_id"), *output = json_object_get(item, "output");
        char at[40];
        if (!json_is_string(id) || !(json_is_string(output) || json_is_array(output)))
            return bad_item(job, i, "needs 'call_id', a string, and 'output', a string or text parts");
        snprintf(at, sizeof at, "input[%zu].output", i);
        if (!(output = serve_content_read(job, output, at))) return serve_failed(job);
        json_array_append_new(messages,
                              json_pack("{s:s s:O s:o}", "role", "tool", "tool_call_id", id, "content", output));
        return 0;
    }
    if (strcmp(type, "item_reference") == 0)
        return serve_refuse(
            job, CROFT_E_UNSUPPORTED, "input",
            "'input[%zu]' refers to an item, and nothing is stored here: send the item itself (clients "
            "do with 'store' false).",
            i);
    return serve_refuse(job, CROFT_E_UNSUPPORTED, "input",
                        "'input[%zu]' is of the type '%.30s'; messages, function_call and function_call_output are "
                        "read.",
                        i, type);
}

/* Input items to messages. */
static int read_input(struct serve_job *job, json_t *messages)
{
    json_t *in = json_object_get(job->in, "input"), *item;
    const char *instructions = NULL;
    size_t i;
    int rc = serve_field_string(job, job->in, "", "instructions", &instructions);
    if (rc) return rc;
    if (instructions)
        json_array_append_new(messages, json_pack("{s:s s:s}", "role", "system", "content", instructions));
    if (!in || json_is_null(in)) return serve_field_missing(job, "", "input");
    if (json_is_string(in)) {
        json_array_append_new(messages, json_pack("{s:s s:O}", "role", "user", "content", in));
        return 0;
    }
    if (!json_is_array(in) || json_array_size(in) == 0)
        return serve_refuse(job, CROFT_E_USAGE, "input", "'input' must be a string or an array of messages.");
    json_array_foreach(in, i, item)
    {
        if ((rc = add_item(job, item, i, messages))) return rc;
    }
    return 0;
}

static int read_format(struct serve_job *job, struct serve_generation *g, struct err *e)
{
    static const struct serve_field inner[] = {
        {"format", SERVE_USED, NULL}, {"verbosity", SERVE_FIXED, "\"medium\""}, {NULL, SERVE_USED, NULL}};
    json_t *text = NULL, *f = NULL;
    int rc;
    if ((rc = serve_field_value(job, job->in, "", "text", JSON_OBJECT, "an object", &text)) || !text) return rc;
    if ((rc = serve_fields_check(job, text, "text.", inner)) ||
        (rc = serve_field_value(job, text, "text.", "format", JSON_OBJECT, "an object", &f)))
        return rc;
    return serve_response_format_read(job, f, "text.format", g, e);
}

/* What may be asked to come with the answer. Most of it belongs to items that do not occur here. */
static int read_include(struct serve_job *job, struct serve_generation *g)
{
    static const char *const known[] = {"message.output_text.logprobs",
                                        "reasoning.encrypted_content",
                                        "file_search_call.results",
                                        "web_search_call.results",
                                        "web_search_call.action.sources",
                                        "message.input_image.image_url",
                                        "computer_call_output.output.image_url",
                                        "code_interpreter_call.outputs"};
    json_t *list = NULL, *one;
    int64_t top = 0;
    size_t i;
    int rc = serve_field_value(job, job->in, "", "include", JSON_ARRAY, "an array of strings", &list);
    if (rc == 0) rc = serve_field_integer(job, job->in, "", "top_logprobs", 0, SERVE_TOP_MAX, &top);
    if (rc) return rc;
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(one);
        size_t k = 0, n = sizeof known / sizeof known[0];
        while (k < n && !(name && strcmp(name, known[k]) == 0)) k++;
        if (k == n)
            return serve_refuse(job, CROFT_E_USAGE, "include", "'include[%zu]' is nothing that can be included.", i);
        if (k == 0) g->logprobs = true;
    }
    if (top) g->logprobs = true;
    g->sampling.s.logprobs = g->logprobs;
    g->sampling.s.n_top = (int32_t)top;
    return 0;
}

static int read_reasoning(struct serve_job *job)
{
    static const struct serve_field inner[] = {{"effort", SERVE_FIXED, "\"none\""},
                                               {"summary", SERVE_IGNORED, NULL},
                                               {"generate_summary", SERVE_IGNORED, NULL},
                                               {NULL, SERVE_USED, NULL}};
    json_t *o = NULL;
    int rc = serve_field_value(job, job->in, "", "reasoning", JSON_OBJECT, "an object", &o);
    return rc || !o ? rc : serve_fields_check(job, o, "reasoning.", inner);
}

/* "auto" would drop what is old; here it is said that nothing fits. */
static int truncated(struct serve_job *job, int rc)
{
    const char *how = json_string_value(json_object_get(job->in, "truncation"));
    if (rc != CROFT_E_NO_ROOM || !how || strcmp(how, "auto") != 0) return rc;
    return serve_refuse(
        job, rc, "truncation",
        "The input does not fit the context of %u tokens, and nothing of it is dropped here, also with "
        "'truncation' \"auto\". Shorten it.",
        job->model->n_ctx);
}

static int prepare(struct serve_job *job, struct err *e)
{
    json_t *list = NULL, *metadata = NULL, *messages = json_array();
    const char *suffix = "";
    int32_t *ids = NULL;
    size_t n_ids = 0;
    struct serve_generation *g = serve_generation_new(job, &format);
    if (g) g->extra = json_pack("{s:i s:[]}", "events", 0, "logprobs");
    int rc = g && g->extra && messages ? 0 : err_nomem(e, 0);
    if (rc == 0) rc = serve_fields_check(job, job->in, "", fields);
    if (rc == 0) rc = serve_body_model(job);
    if (rc == 0) rc = serve_needs_generator(job);
    if (rc == 0) rc = serve_field_value(job, job->in, "", "metadata", JSON_OBJECT, "an object", &metadata);
    if (rc == 0) rc = serve_sampling_read(job, &g->sampling, e);
    if (rc == 0) rc = read_include(job, g);
    if (rc == 0) rc = read_reasoning(job);
    if (rc == 0) rc = read_format(job, g, e);
    if (rc == 0) rc = serve_tools_read(job, g, true, &suffix, e);
    if (rc == 0) rc = read_input(job, messages);
    if (rc == 0) rc = serve_messages_read(job, messages, &list);
    if (rc == 0) rc = truncated(job, serve_chat_prompt(job, g, list, NULL, suffix, &ids, &n_ids, e));
    if (rc == 0) rc = serve_generation_submit(job, &ids, &n_ids, 1, e);
    mem_free(ids);
    json_decref(list);
    json_decref(messages);
    return rc;
}

const struct serve_endpoint serve_ep_responses = {.method = "POST",
                                                  .path = "/v1/responses",
                                                  .name = "responses",
                                                  .prepare = prepare,
                                                  .piece = serve_generation_piece,
                                                  .finish = serve_generation_finish,
                                                  .free_data = serve_generation_free};
