/* POST /v1/responses: text, whole or as events. Nothing is stored: a conversation is sent as a whole each time, and
 * `previous_response_id` is refused. */
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
                                            {"parallel_tool_calls", SERVE_IGNORED, NULL},
                                            {"max_tool_calls", SERVE_IGNORED, NULL},
                                            {"tools", SERVE_FIXED, "[]"},
                                            {"tool_choice", SERVE_FIXED, "\"auto\"|\"none\""},
                                            {"truncation", SERVE_FIXED, "\"disabled\""},
                                            {"background", SERVE_FIXED, "false"},
                                            {"include", SERVE_FIXED, "[]"},
                                            {"top_logprobs", SERVE_FIXED, "0"},
                                            {"reasoning", SERVE_FIXED, "{}|{\"effort\":\"none\"}"},
                                            {"previous_response_id", SERVE_FIXED, NULL},
                                            {"conversation", SERVE_FIXED, NULL},
                                            {"prompt", SERVE_FIXED, NULL},
                                            {NULL, SERVE_USED, NULL}};

/* ---- the wire ---- */

static json_t *or_null(json_t *v) { return v ? json_incref(v) : json_null(); }

static json_t *part_json(const char *text, size_t n)
{
    return json_pack("{s:s s:o s:[]}", "type", "output_text", "text", serve_json_text(text, n), "annotations");
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

/* The response object; `status` "in_progress" has no output yet. */
static json_t *response_json(const struct serve_job *job, const char *status)
{
    const struct serve_generation *g = job->data;
    const struct serve_choice *c = &g->choice[0];
    bool over = strcmp(status, "in_progress") != 0, cut = strcmp(status, "incomplete") == 0;
    json_t *format = json_object_get(json_object_get(job->in, "text"), "format");
    char id[64];
    snprintf(id, sizeof id, "resp_%s", job->id);
    json_t *o =
        json_pack("{s:s s:s s:I s:s s:n s:o s:o s:s s:f s:f s:b s:n s:s s:s s:[] s:b}", "id", id, "object",
                  "response", "created_at", (json_int_t)job->created, "status", status, "error", "incomplete_details",
                  cut ? json_pack("{s:s}", "reason", "max_output_tokens") : json_null(), "instructions",
                  or_null(json_object_get(job->in, "instructions")), "model", job->model->name, "temperature",
                  (double)g->sampling.s.temperature, "top_p", (double)g->sampling.s.top_p, "parallel_tool_calls", 1,
                  "previous_response_id", "truncation", "disabled", "tool_choice", "auto", "tools", "store", 0);
    json_object_set_new(o, "max_output_tokens", or_null(json_object_get(job->in, "max_output_tokens")));
    json_object_set_new(o, "metadata",
                        json_object_get(job->in, "metadata") ? or_null(json_object_get(job->in, "metadata"))
                                                             : json_object());
    json_object_set_new(
        o, "text", json_pack("{s:o}", "format", format ? json_incref(format) : json_pack("{s:s}", "type", "text")));
    json_object_set_new(o, "output",
                        over ? json_pack("[o]", message_json(job, cut ? "incomplete" : "completed",
                                                             part_json(c->text.data, c->text.len)))
                             : json_array());
    json_object_set_new(o, "usage", over ? usage_json(job) : json_null());
    return o;
}

/* An event with its type and number; takes `o`. */
static void send(struct serve_job *job, const char *type, json_t *o)
{
    struct serve_generation *g = job->data;
    json_int_t n = json_integer_value(g->extra);
    json_integer_set(g->extra, n + 1);
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

static void begin(struct serve_job *job)
{
    send(job, "response.created", json_pack("{s:o}", "response", response_json(job, "in_progress")));
    send(job, "response.in_progress", json_pack("{s:o}", "response", response_json(job, "in_progress")));
    send(job, "response.output_item.added",
         json_pack("{s:i s:o}", "output_index", 0, "item", message_json(job, "in_progress", NULL)));
    send(job, "response.content_part.added", at_part(job, "part", part_json("", 0)));
}

static void delta(struct serve_job *job, uint32_t i, const char *text, size_t n, json_t *logprobs)
{
    json_t *o = at_part(job, "delta", serve_json_text(text, n));
    json_object_set_new(o, "logprobs", json_array());
    json_decref(logprobs);
    send(job, "response.output_text.delta", o);
}

static const char *status_of(const struct serve_job *job)
{
    const struct serve_generation *g = job->data;
    return strcmp(g->choice[0].finish, "length") == 0 ? "incomplete" : "completed";
}

static void done(struct serve_job *job, uint32_t i)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[i];
    json_t *o = at_part(job, "text", serve_json_text(c->text.data, c->text.len));
    json_object_set_new(o, "logprobs", json_array());
    send(job, "response.output_text.done", o);
    send(job, "response.content_part.done", at_part(job, "part", part_json(c->text.data, c->text.len)));
    send(job, "response.output_item.done",
         json_pack("{s:i s:o}", "output_index", 0, "item",
                   message_json(job, status_of(job), part_json(c->text.data, c->text.len))));
}

static void end(struct serve_job *job)
{
    const char *status = status_of(job);
    send(job, strcmp(status, "completed") == 0 ? "response.completed" : "response.incomplete",
         json_pack("{s:o}", "response", response_json(job, status)));
}

static json_t *whole(struct serve_job *job) { return response_json(job, status_of(job)); }

static const struct serve_format format = {begin, delta, done, end, whole};

/* ---- preparation ---- */

/* Input items to messages: those without a type, and "message" items. */
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
        const char *type = json_string_value(json_object_get(item, "type"));
        if (!json_is_object(item) || (type && strcmp(type, "message") != 0))
            return serve_refuse(job, CROFT_E_UNSUPPORTED, "input",
                                "'input[%zu]' is of the type '%.30s'; only messages are read.", i, type ? type : "?");
        json_array_append_new(messages, json_pack("{s:O* s:O*}", "role", json_object_get(item, "role"), "content",
                                                  json_object_get(item, "content")));
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

static int prepare(struct serve_job *job, struct err *e)
{
    json_t *list = NULL, *metadata = NULL, *messages = json_array();
    int32_t *ids = NULL;
    size_t n_ids = 0;
    struct serve_generation *g = serve_generation_new(job, &format);
    if (g) g->extra = json_integer(0);
    int rc = g && g->extra && messages ? 0 : err_nomem(e, 0);
    if (rc == 0) rc = serve_fields_check(job, job->in, "", fields);
    if (rc == 0) rc = serve_body_model(job);
    if (rc == 0) rc = serve_needs_generator(job);
    if (rc == 0) rc = serve_field_value(job, job->in, "", "metadata", JSON_OBJECT, "an object", &metadata);
    if (rc == 0) rc = serve_sampling_read(job, &g->sampling, e);
    if (rc == 0) rc = read_format(job, g, e);
    if (rc == 0) rc = read_input(job, messages);
    if (rc == 0) rc = serve_messages_read(job, messages, &list);
    if (rc == 0) rc = serve_chat_prompt(job, list, NULL, NULL, "", &ids, &n_ids, e);
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
