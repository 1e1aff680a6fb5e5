/* POST /v1/chat/completions, whole or as a stream of `chat.completion.chunk` events. */
#include "generate.h"
#include "routing.h"

static const struct serve_field fields[] = {SERVE_SAMPLING_FIELDS,
                                            {"messages", SERVE_USED, NULL},
                                            {"max_completion_tokens", SERVE_USED, NULL},
                                            {"logprobs", SERVE_USED, NULL},
                                            {"top_logprobs", SERVE_USED, NULL},
                                            {"response_format", SERVE_USED, NULL},
                                            {"tools", SERVE_USED, NULL},
                                            {"tool_choice", SERVE_USED, NULL},
                                            {"parallel_tool_calls", SERVE_USED, NULL},
                                            {"chat_template_kwargs", SERVE_USED, NULL},
                                            {"metadata", SERVE_IGNORED, NULL},
                                            {"store", SERVE_IGNORED, NULL},
                                            {"service_tier", SERVE_IGNORED, NULL},
                                            {"safety_identifier", SERVE_IGNORED, NULL},
                                            {"prompt_cache_key", SERVE_IGNORED, NULL},
                                            {"prompt_cache_retention", SERVE_IGNORED, NULL},
                                            {"modalities", SERVE_FIXED, "[\"text\"]"},
                                            {"reasoning_effort", SERVE_FIXED, "\"none\""},
                                            {"verbosity", SERVE_FIXED, "\"medium\""},
                                            {"audio", SERVE_FIXED, NULL},
                                            {"functions", SERVE_FIXED, NULL},
                                            {"function_call", SERVE_FIXED, NULL},
                                            {"prediction", SERVE_FIXED, NULL},
                                            {"web_search_options", SERVE_FIXED, NULL},
                                            {NULL, SERVE_USED, NULL}};

/* ---- the wire ---- */

static json_t *head(const struct serve_job *job, const char *object)
{
    char id[64];
    snprintf(id, sizeof id, "chatcmpl-%s", job->id);
    return json_pack("{s:s s:s s:I s:s}", "id", id, "object", object, "created", (json_int_t)job->created, "model",
                     job->model->name);
}

static void send(struct serve_job *job, json_t *choices, json_t *usage)
{
    struct serve_generation *g = job->data;
    json_t *o = head(job, "chat.completion.chunk");
    json_object_set_new(o, "choices", choices);
    if (usage)
        json_object_set_new(o, "usage", usage);
    else if (g->sampling.include_usage)
        json_object_set_new(o, "usage", json_null());
    serve_job_event(job, NULL, o);
}

static void send_choice(struct serve_job *job, uint32_t i, json_t *delta, json_t *logprobs, const char *finish)
{
    json_t *c = json_pack("{s:i s:o s:o s:o}", "index", (int)i, "delta", delta, "logprobs",
                          logprobs ? json_pack("{s:o s:n}", "content", logprobs, "refusal") : json_null(),
                          "finish_reason", finish ? json_string(finish) : json_null());
    send(job, json_pack("[o]", c), NULL);
}

/* It is over, and there is nothing to be said. */
static bool only_calls(const struct serve_choice *c) { return c->n_calls && c->n_content == 0; }

static void begin(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    for (uint32_t i = 0; i < g->n_choices; i++)
        send_choice(job, i,
                    json_pack("{s:s s:s?}", "role", "assistant", "content", only_calls(&g->choice[i]) ? NULL : ""),
                    NULL, NULL);
}

static void delta(struct serve_job *job, uint32_t i, const char *text, size_t n, json_t *logprobs)
{
    send_choice(job, i, json_pack("{s:o}", "content", serve_json_text(text, n)), logprobs, NULL);
}

static json_t *call_json(const struct serve_call *c)
{
    return json_pack("{s:s s:s s:{s:O s:O}}", "id", c->id, "type", "function", "function", "name", c->name,
                     "arguments", c->arguments);
}

static void done(struct serve_job *job, uint32_t i)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[i];
    for (size_t k = 0; k < c->n_calls; k++) {
        json_t *call = call_json(&c->calls[k]);
        json_object_set_new(call, "index", json_integer((json_int_t)k));
        send_choice(job, i, json_pack("{s:[o]}", "tool_calls", call), NULL, NULL);
    }
    send_choice(job, i, json_object(), NULL, c->finish);
}

static void end(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    if (g->sampling.include_usage) send(job, json_array(), serve_usage(job));
    serve_job_raw(job, "data: [DONE]\n\n");
}

static json_t *whole(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    json_t *o = head(job, "chat.completion"), *choices = json_array();
    for (uint32_t i = 0; i < g->n_choices; i++) {
        struct serve_choice *c = &g->choice[i];
        json_t *m = json_pack("{s:s s:o s:n}", "role", "assistant", "content",
                              only_calls(c) ? json_null() : serve_json_text(c->text.data, c->n_content), "refusal");
        json_t *calls = c->n_calls ? json_array() : NULL;
        for (size_t k = 0; k < c->n_calls; k++) json_array_append_new(calls, call_json(&c->calls[k]));
        if (calls) json_object_set_new(m, "tool_calls", calls);
        json_array_append_new(
            choices, json_pack("{s:i s:o s:o s:s}", "index", (int)i, "message", m, "logprobs",
                               c->logprobs ? json_pack("{s:O s:n}", "content", c->logprobs, "refusal") : json_null(),
                               "finish_reason", c->finish));
    }
    json_object_set_new(o, "choices", choices);
    json_object_set_new(o, "usage", serve_usage(job));
    return o;
}

static const struct serve_format format = {begin, delta, done, end, whole, .offsets = false};

/* ---- preparation ---- */

static int read_logprobs(struct serve_job *job, struct serve_generation *g)
{
    int64_t n = 0;
    int rc = serve_field_bool(job, job->in, "", "logprobs", &g->logprobs);
    if (rc == 0) rc = serve_field_integer(job, job->in, "", "top_logprobs", 0, SERVE_TOP_MAX, &n);
    if (rc) return rc;
    if (n && !g->logprobs)
        return serve_refuse(job, CROFT_E_USAGE, "top_logprobs",
                            "'top_logprobs' is only allowed when 'logprobs' is true.");
    g->sampling.s.logprobs = g->logprobs;
    g->sampling.s.n_top = (int32_t)n;
    return 0;
}

/* Texts that a request consists of: strings of messages, and of their text parts. */
static size_t texts_of(const json_t *messages, const char **out, size_t max)
{
    json_t *m, *part;
    size_t n = 0, i, k;
    json_array_foreach(messages, i, m)
    {
        const json_t *content = json_object_get(m, "content");
        if (json_is_string(content) && n < max) out[n++] = json_string_value(content);
        json_array_foreach(content, k, part)
        {
            const char *text = json_string_value(json_object_get(part, "text"));
            if (text && n < max) out[n++] = text;
        }
    }
    return n;
}

static int plan(struct serve_job *job, const struct serve_generation *g, const json_t *messages, bool *out_here,
                struct err *e)
{
    enum { MAX_TEXTS = 4096 };
    if (!job->again) {
        int rc = serve_legs_new(job, 1, e);
        if (rc) return rc;
    }
    struct serve_leg *leg = &job->leg[0];
    const char **texts = mem_calloc(MAX_TEXTS, sizeof *texts);
    if (!texts) return err_nomem(e, MAX_TEXTS * sizeof *texts);
    size_t n = texts_of(messages, texts, MAX_TEXTS);
    leg->stream = g->sampling.stream;
    leg->usage_chunk = g->sampling.include_usage;
    int rc = n == MAX_TEXTS ? serve_refuse(job, CROFT_E_LIMIT, "messages", "The conversation has more than %d texts.",
                                           MAX_TEXTS - 1)
                            : serve_leg_begin(job, 0, NULL, texts, n, serve_leg_chat_request(job->in), e);
    mem_free(texts);
    *out_here = leg->over ? leg->wants_local : leg->plan.local_first;
    return rc;
}

static int prepare(struct serve_job *job, struct err *e)
{
    bool here = true;
    json_t *in = job->in, *messages = NULL, *list = NULL, *kwargs = NULL, *response = NULL;
    const char *suffix = "";
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc;
    struct serve_generation *g = serve_generation_new(job, &format);
    if (!g) return err_nomem(e, sizeof *g);
    if ((rc = serve_fields_check(job, in, "", fields)) || (rc = serve_body_model(job)) ||
        (rc = serve_needs_generator(job)) ||
        (rc = serve_field_value(job, in, "", "messages", JSON_ARRAY, "an array", &messages)))
        return rc;
    if (!messages) return serve_field_missing(job, "", "messages");
    if (json_array_size(messages) == 0)
        return serve_refuse(job, CROFT_E_USAGE, "messages", "'messages' must not be empty.");
    if ((rc = serve_sampling_read(job, &g->sampling, e)) || (rc = read_logprobs(job, g)) ||
        (rc = serve_field_value(job, in, "", "chat_template_kwargs", JSON_OBJECT, "an object", &kwargs)) ||
        (rc = serve_field_value(job, in, "", "response_format", JSON_OBJECT, "an object", &response)) ||
        (rc = serve_response_format_read(job, response, "response_format", g, e)) ||
        (rc = serve_structured_read(job, g, e)) || (rc = serve_tools_read(job, g, false, &suffix, e)) ||
        (rc = serve_messages_read(job, messages, &list)))
        return rc;
    if (job->serve->routing) rc = plan(job, g, messages, &here, e);
    if (rc == 0 && here) rc = serve_chat_prompt(job, g, list, kwargs, suffix, &ids, &n_ids, e);
    if (rc == 0 && here) rc = serve_generation_submit(job, &ids, &n_ids, 1, e);
    if (rc && here && job->leg) rc = serve_leg_refused(&job->leg[0], rc, e);
    mem_free(ids);
    json_decref(list);
    return rc;
}

const struct serve_endpoint serve_ep_chat = {.method = "POST",
                                             .path = "/v1/chat/completions",
                                             .name = "chat",
                                             .prepare = prepare,
                                             .piece = serve_generation_piece,
                                             .finish = serve_generation_finish,
                                             .free_data = serve_generation_free};
