/* Conversations: messages as OpenAI writes them to messages as templates read them, and to tokens.
 *
 *   - `content` may be a string or text parts, which are joined; other parts are refused by name. A `refusal` is what
 *     the assistant said
 *   - the role `developer` is `system`
 *   - arguments of tool calls are JSON inside a string on the wire, and JSON in templates
 *
 * Runs on preparation threads. Read next: tools.c, ep_chat.c. */
#include "generate.h"

enum { PROMPT_MAX = 64 << 20 };

json_t *serve_content_read(struct serve_job *job, json_t *v, const char *at)
{
    struct buf b;
    size_t i;
    json_t *part;
    if (json_is_string(v)) return json_incref(v);
    if (!json_is_array(v)) {
        serve_refuse(job, CROFT_E_USAGE, at, "'%s' must be a string or an array of text parts.", at);
        return NULL;
    }
    buf_init(&b, PROMPT_MAX);
    json_array_foreach(v, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        bool refusal = type && strcmp(type, "refusal") == 0;
        json_t *text = json_object_get(part, refusal ? "refusal" : "text");
        bool is_text = refusal || (type && (strcmp(type, "text") == 0 || strcmp(type, "input_text") == 0 ||
                                            strcmp(type, "output_text") == 0));
        if (!is_text || !json_is_string(text)) {
            serve_refuse(job, CROFT_E_UNSUPPORTED, at,
                         "'%s[%zu]' is of the type '%.30s'; this model reads text parts only.", at, i,
                         type ? type : "?");
            buf_done(&b);
            return NULL;
        }
        buf_add(&b, json_string_value(text), json_string_length(text));
    }
    json_t *s = json_stringn(b.data ? b.data : "", b.len);
    buf_done(&b);
    return s;
}

/* [{id, type, function: {name, arguments: "{…}"}}] with the arguments as JSON. */
static int read_calls(struct serve_job *job, json_t *calls, const char *at, json_t *out)
{
    size_t i;
    json_t *c;
    json_array_foreach(calls, i, c)
    {
        json_t *f = json_object_get(c, "function"), *arguments = json_object_get(f, "arguments");
        const char *name = json_string_value(json_object_get(f, "name"));
        if (!name || !json_is_string(arguments))
            return serve_refuse(job, CROFT_E_USAGE, at,
                                "'%s[%zu]' must be a function call with a name and arguments.", at, i);
        const char *text = json_string_value(arguments);
        json_t *parsed = *text ? json_loads(text, 0, NULL) : json_object();
        json_array_append_new(out, json_pack("{s:O* s:s s:{s:s s:o}}", "id", json_object_get(c, "id"), "type",
                                             "function", "function", "name", name, "arguments",
                                             parsed ? parsed : json_incref(arguments)));
    }
    return 0;
}

/* A role as templates know it, or NULL. */
static const char *template_role(const char *role)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    for (int k = 0; k < 4; k++)
        if (strcmp(role, roles[k]) == 0) return roles[k];
    return strcmp(role, "developer") == 0 ? "system" : NULL;
}

static int bad_role(struct serve_job *job, const char *at)
{
    return serve_refuse(job, CROFT_E_USAGE, at, "'%s' must be one of system, developer, user, assistant, tool.", at);
}

json_t *serve_input_message(struct serve_job *job, json_t *item, json_t *content, size_t i)
{
    char at[48];
    json_t *role = json_object_get(item, "role"), *text;
    snprintf(at, sizeof at, "input[%zu].role", i);
    if (!role || json_is_null(role)) {
        serve_refuse(job, CROFT_E_USAGE, at, "Missing required parameter: '%s'.", at);
        return NULL;
    }
    if (!json_is_string(role) || !template_role(json_string_value(role))) {
        bad_role(job, at);
        return NULL;
    }
    snprintf(at, sizeof at, "input[%zu].content", i);
    if (!content || json_is_null(content)) {
        serve_refuse(job, CROFT_E_USAGE, at, "Missing required parameter: '%s'.", at);
        return NULL;
    }
    if (!(text = serve_content_read(job, content, at))) return NULL;
    return json_pack("{s:s s:o}", "role", template_role(json_string_value(role)), "content", text);
}

static int read_message(struct serve_job *job, json_t *m, size_t i, json_t *out)
{
    static const struct serve_field fields[] = {{"role", SERVE_USED, NULL},
                                                {"content", SERVE_USED, NULL},
                                                {"name", SERVE_USED, NULL},
                                                {"tool_calls", SERVE_USED, NULL},
                                                {"tool_call_id", SERVE_USED, NULL},
                                                {"refusal", SERVE_USED, NULL},
                                                {"annotations", SERVE_IGNORED, NULL},
                                                {"audio", SERVE_FIXED, "null"},
                                                {"function_call", SERVE_FIXED, "null"},
                                                {"reasoning_content", SERVE_USED, NULL},
                                                /* what clients add to an answer, and send back with it */
                                                {"parsed", SERVE_IGNORED, NULL},
                                                {"provider_specific_fields", SERVE_IGNORED, NULL},
                                                {"thinking_blocks", SERVE_IGNORED, NULL},
                                                {NULL, SERVE_USED, NULL}};
    char at[40];
    const char *role = NULL, *text = NULL;
    json_t *content = json_object_get(m, "content"), *calls = NULL;
    int rc;
    snprintf(at, sizeof at, "messages[%zu].", i);
    if (!json_is_object(m))
        return serve_refuse(job, CROFT_E_USAGE, "messages", "'messages[%zu]' must be an object.", i);
    if ((rc = serve_fields_check(job, m, at, fields)) || (rc = serve_field_string(job, m, at, "role", &role)) ||
        (rc = serve_field_value(job, m, at, "tool_calls", JSON_ARRAY, "an array", &calls)) ||
        (rc = serve_field_string(job, m, at, "name", &text)) ||
        (rc = serve_field_string(job, m, at, "tool_call_id", &text)) ||
        (rc = serve_field_string(job, m, at, "refusal", &text)) ||
        (rc = serve_field_string(job, m, at, "reasoning_content", &text)))
        return rc;
    if (!role) return serve_field_missing(job, at, "role");
    if (!(role = template_role(role))) {
        snprintf(at, sizeof at, "messages[%zu].role", i);
        return bad_role(job, at);
    }
    json_object_set_new(out, "role", json_string(role));
    snprintf(at, sizeof at, "messages[%zu].content", i);
    if ((!content || json_is_null(content)) && json_is_string(json_object_get(m, "refusal")))
        content = json_object_get(m, "refusal"); /* what the assistant said instead */
    if (content && !json_is_null(content)) {
        if (!(content = serve_content_read(job, content, at))) return serve_failed(job);
        json_object_set_new(out, "content", content);
    } else if (calls) {
        json_object_set_new(out, "content", json_string(""));
    } else {
        return serve_refuse(job, CROFT_E_USAGE, at, "Missing required parameter: '%s'.", at);
    }
    static const char *const kept[] = {"name", "tool_call_id", "reasoning_content"};
    for (int f = 0; f < 3; f++)
        if (json_is_string(json_object_get(m, kept[f]))) json_object_set(out, kept[f], json_object_get(m, kept[f]));
    if (!calls || json_array_size(calls) == 0) return 0;
    json_t *list = json_array();
    json_object_set_new(out, "tool_calls", list);
    snprintf(at, sizeof at, "messages[%zu].tool_calls", i);
    return read_calls(job, calls, at, list);
}

int serve_messages_read(struct serve_job *job, json_t *in, json_t **out)
{
    size_t i;
    json_t *m, *list = json_array();
    if (!list) return serve_refuse(job, CROFT_E_NOMEM, "", "Out of memory.");
    json_array_foreach(in, i, m)
    {
        json_t *o = json_object();
        json_array_append_new(list, o);
        int rc = read_message(job, m, i, o);
        if (!rc) continue;
        json_decref(list);
        return rc;
    }
    *out = list;
    return 0;
}

/* What the template is rendered with. A model that thinks before it answers would be forced to do neither, where its
 * answer is constrained: there it is told not to think, unless the request says otherwise. */
static json_t *template_vars(const struct serve_generation *g, json_t *messages, json_t *kwargs)
{
    json_t *vars = kwargs ? json_copy(kwargs) : json_object();
    int failed = !vars || json_object_set(vars, "messages", messages);
    if (g->tool_list && !failed)
        failed = json_object_set(vars, "tools", g->tool_list) ||
                 json_object_set(vars, "xml_tools", g->tool_list); /* SmolLM3's name for them */
    if (g->grammar && !failed && !json_object_get(vars, "enable_thinking"))
        failed = json_object_set_new(vars, "enable_thinking", json_false());
    if (!failed) return vars;
    json_decref(vars);
    return NULL;
}

int serve_chat_prompt(struct serve_job *job, const struct serve_generation *g, json_t *messages, json_t *kwargs,
                      const char *suffix, int32_t **ids, size_t *n_ids, struct err *e)
{
    struct serve_model *m = job->model;
    if (!m->chat)
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "model",
                            "The model '%.60s' has no chat template. Use /v1/completions.", m->name);
    int rc = serve_tools_history(m->tools, messages, e);
    if (rc) return rc;
    json_t *vars = template_vars(g, messages, kwargs);
    if (!vars) return err_nomem(e, 0);
    rc = serve_tokens_fit(job, infer_chat_tokens(m->chat, vars, suffix, PROMPT_MAX, m->n_ctx, ids, n_ids, e), e);
    json_decref(vars);
    return rc;
}

/* {"type": "text" | "json_object" | "json_schema", …}; `at` is "response_format" or "text.format". */
int serve_response_format_read(struct serve_job *job, json_t *format, const char *at, struct serve_generation *g,
                               struct err *e)
{
    const char *type = json_string_value(json_object_get(format, "type"));
    char param[64];
    struct buf text;
    int rc = 0;
    if (!format || (type && strcmp(type, "text") == 0)) return 0;
    if (type && strcmp(type, "json_object") == 0) {
        rc = serve_grammar_get(job->model, "json", "", 0, &g->grammar, e);
    } else if (type && strcmp(type, "json_schema") == 0) {
        json_t *inner = json_object_get(format, "json_schema"),
               *schema = json_object_get(inner ? inner : format, "schema");
        snprintf(param, sizeof param, "%s%s.schema", at, inner ? ".json_schema" : "");
        if (!json_is_object(schema))
            return serve_refuse(job, CROFT_E_USAGE, param, "'%s' must be a schema (an object).", param);
        buf_init(&text, 4 << 20);
        serve_json_dump(schema, &text, JSON_COMPACT);
        rc = buf_check(&text, "schema", e);
        if (rc == 0) rc = serve_grammar_get(job->model, "schema", text.data, text.len, &g->grammar, e);
        if (rc) snprintf(job->fault.param, sizeof job->fault.param, "%s", param);
        buf_done(&text);
    } else {
        snprintf(param, sizeof param, "%s.type", at);
        return serve_refuse(job, CROFT_E_USAGE, param, "'%s' must be one of text, json_object, json_schema.", param);
    }
    return rc;
}
