/* Calls of tools: what a family's template makes the model write, and back to OpenAI's shape.
 *
 *     Hermes, Qwen   <tool_call>\n{"name": "f", "arguments": {…}}\n</tool_call>      any number of them, after text
 *     Mistral        [TOOL_CALLS][{"name": "f", "arguments": {…}}, …]                the marker may be a control
 * token Llama 3        {"name": "f", "parameters": {…}}                                alone
 *
 * A tool comes as {"type": "function", "function": {"name", "parameters", …}} from chat, which is what templates
 * read, and flat, {"type": "function", "name", "parameters", …}, from /v1/responses.
 *
 * With tool_choice "required", or a function named, the opening is put at the end of the prompt and the answer is
 * constrained to the call's JSON by the schemas of the tools; otherwise the model decides, and what it wrote is a
 * call if it parses as one, and text if not. Reading requests: preparation threads; the rest: the loop. */
#include "generate.h"
#include "infer_json.h"

#include <openssl/rand.h>

enum { MAX_TOOLS = 128, MAX_CALLS = 64 };

static const char *opening_of(enum serve_tools family)
{
    return family == SERVE_TOOLS_HERMES ? "<tool_call>\n" : family == SERVE_TOOLS_MISTRAL ? "[TOOL_CALLS]" : "";
}
static const char *arguments_of(enum serve_tools family)
{
    return family == SERVE_TOOLS_LLAMA3 ? "parameters" : "arguments";
}

/* The function of a tool or of a tool_choice: beside its type, or inside "function". */
static json_t *function_of(json_t *o, bool flat) { return flat ? o : json_object_get(o, "function"); }

static int check_tools(struct serve_job *job, json_t *tools, bool flat)
{
    const char *inside = flat ? "" : "function.";
    size_t i;
    json_t *t;
    if (json_array_size(tools) > MAX_TOOLS)
        return serve_refuse(job, CROFT_E_USAGE, "tools", "'tools' has more than %d tools.", MAX_TOOLS);
    json_array_foreach(tools, i, t)
    {
        const char *type = json_string_value(json_object_get(t, "type"));
        json_t *f = function_of(t, flat), *parameters = json_object_get(f, "parameters");
        if (!type || strcmp(type, "function") != 0)
            return serve_refuse(job, CROFT_E_UNSUPPORTED, "tools", "'tools[%zu].type' must be 'function'.", i);
        if (!json_is_string(json_object_get(f, "name")))
            return serve_refuse(job, CROFT_E_USAGE, "tools", "'tools[%zu].%sname' must be a string.", i, inside);
        if (parameters && !json_is_object(parameters) && !json_is_null(parameters))
            return serve_refuse(job, CROFT_E_USAGE, "tools", "'tools[%zu].%sparameters' must be a schema.", i,
                                inside);
    }
    return 0;
}

/* The tools as templates read them: a new list. */
static json_t *nested_tools(json_t *tools, bool flat)
{
    if (!flat) return json_incref(tools);
    json_t *list = json_array(), *t;
    size_t i;
    json_array_foreach(tools, i, t)
    {
        json_t *f = json_copy(t);
        json_object_del(f, "type");
        json_array_append_new(list, json_pack("{s:s s:o}", "type", "function", "function", f));
    }
    return list;
}

/* {"type": "object", "properties": {"name": {"const": NAME}, "arguments": SCHEMA}, …} of one tool */
static json_t *call_schema(json_t *tool, const char *arguments)
{
    json_t *f = json_object_get(tool, "function"), *parameters = json_object_get(f, "parameters");
    if (parameters && json_object_size(parameters))
        json_incref(parameters);
    else
        parameters = json_pack("{s:s}", "type", "object");
    return json_pack("{s:s s:{s:{s:O} s:o} s:[s s] s:b}", "type", "object", "properties", "name", "const",
                     json_object_get(f, "name"), arguments, parameters, "required", "name", arguments,
                     "additionalProperties", 0);
}

/* A grammar for a call of one of the tools, or of the one called `only`. */
static int call_grammar(struct serve_job *job, struct serve_generation *g, json_t *tools, const char *only,
                        struct err *e)
{
    json_t *any = json_array(), *t, *schema;
    size_t i;
    struct buf text;
    json_array_foreach(tools, i, t)
    {
        const char *name = json_string_value(json_object_get(json_object_get(t, "function"), "name"));
        if (!only || strcmp(only, name) == 0)
            json_array_append_new(any, call_schema(t, arguments_of(job->model->tools)));
    }
    if (json_array_size(any) == 0) {
        json_decref(any);
        return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                            "'tool_choice' names '%.60s', which is not among 'tools'.", only ? only : "");
    }
    schema = json_array_size(any) == 1 ? json_incref(json_array_get(any, 0)) : json_pack("{s:O}", "anyOf", any);
    json_decref(any);
    if (job->model->tools == SERVE_TOOLS_MISTRAL)
        schema = json_pack("{s:s s:o s:i s:i}", "type", "array", "items", schema, "minItems", 1, "maxItems", 1);
    buf_init(&text, 4 << 20);
    int rc = schema && serve_json_dump(schema, &text, JSON_COMPACT) == 0 ? 0 : err_nomem(e, 0);
    if (rc == 0) rc = serve_grammar_get(job->model, "schema", text.data, text.len, &g->grammar, e);
    if (rc) snprintf(job->fault.param, sizeof job->fault.param, "tools");
    buf_done(&text);
    json_decref(schema);
    return rc;
}

/* What tool_choice says: *only names a function, *required demands a call, *none forbids one. */
static int read_choice(struct serve_job *job, bool flat, const char **only, bool *required, bool *none)
{
    json_t *choice = json_object_get(job->in, "tool_choice");
    const char *word = json_string_value(choice), *type = json_string_value(json_object_get(choice, "type"));
    if (type && strcmp(type, "function") == 0)
        *only = json_string_value(json_object_get(function_of(choice, flat), "name"));
    *none = word && strcmp(word, "none") == 0;
    *required = *only || (word && strcmp(word, "required") == 0);
    if (!choice || json_is_null(choice) || *none || *required || (word && strcmp(word, "auto") == 0)) return 0;
    return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                        "'tool_choice' must be none, auto, required, or name a function.");
}

int serve_tools_read(struct serve_job *job, struct serve_generation *g, bool flat, const char **out_suffix,
                     struct err *e)
{
    json_t *tools = NULL;
    const char *only = NULL;
    bool required = false, none = false, parallel = true;
    int rc;
    *out_suffix = "";
    if ((rc = serve_field_value(job, job->in, "", "tools", JSON_ARRAY, "an array", &tools)) ||
        (rc = serve_field_bool(job, job->in, "", "parallel_tool_calls", &parallel)) ||
        (rc = read_choice(job, flat, &only, &required, &none)))
        return rc;
    if (!tools || json_array_size(tools) == 0) {
        bool asks = json_is_string(json_object_get(job->in, "tool_choice")) && !none && !flat;
        if (required || asks)
            return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                                "'tool_choice' is only allowed when 'tools' are given.");
        return 0;
    }
    if ((rc = check_tools(job, tools, flat)) || none) return rc;
    if (job->model->tools == SERVE_TOOLS_NONE)
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "tools", "The chat template of '%.60s' defines no tools.",
                            job->model->name);
    g->tools = job->model->tools;
    g->one_call = !parallel;
    if (!(g->tool_list = nested_tools(tools, flat))) return err_nomem(e, 0);
    if (!required) return 0;
    if (g->grammar)
        return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                            "A required call and a response_format exclude each other.");
    g->forced_call = true;
    *out_suffix = opening_of(g->tools);
    return call_grammar(job, g, g->tool_list, only, e);
}

/* ---- answers ---- */

static size_t skip_space(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r')) i++;
    return i;
}

size_t serve_tools_visible(enum serve_tools family, const char *text, size_t n)
{
    const char *marker = family == SERVE_TOOLS_HERMES ? "<tool_call>" : "[TOOL_CALLS]";
    size_t k = strlen(marker), start = skip_space(text, n);
    if (family == SERVE_TOOLS_NONE) return n;
    if (family != SERVE_TOOLS_HERMES &&
        (start == n || text[start] == '{' || text[start] == '[' || text[start] == '<'))
        return 0;
    if (family == SERVE_TOOLS_LLAMA3) return n;
    const char *at = memmem(text, n, marker, k);
    if (at) return (size_t)(at - text);
    for (size_t tail = k - 1 < n ? k - 1 : n; tail > 0; tail--) /* the marker may have begun */
        if (memcmp(text + n - tail, marker, tail) == 0) return n - tail;
    return n;
}

/* One call's JSON object; false if it is none. */
static bool add_call(struct serve_choice *c, json_t *o)
{
    json_t *name = json_object_get(o, "name"), *arguments = json_object_get(o, "arguments");
    unsigned char r[12];
    struct buf text;
    if (!arguments) arguments = json_object_get(o, "parameters");
    if (!json_is_string(name) || !(json_is_object(arguments) || json_is_string(arguments)) || c->n_calls == MAX_CALLS)
        return false;
    struct serve_call *more = mem_realloc(c->calls, (c->n_calls + 1) * sizeof *more);
    if (!more) return false;
    c->calls = more;
    struct serve_call *call = &c->calls[c->n_calls];
    buf_init(&text, 16 << 20);
    if (json_is_string(arguments))
        buf_str(&text, json_string_value(arguments));
    else
        serve_json_dump(arguments, &text, JSON_COMPACT | infer_json_digits(arguments));
    call->name = json_incref(name);
    call->arguments = json_stringn(text.data ? text.data : "", text.len);
    buf_done(&text);
    if (RAND_bytes(r, sizeof r) != 1) memset(r, 0, sizeof r);
    for (size_t i = 0; i < sizeof r; i++) snprintf(call->id + 5 + 2 * i, 3, "%02x", r[i]);
    memcpy(call->id, "call_", 5);
    c->n_calls++;
    return true;
}

/* A JSON value at the start of [p, p + n): an object or an array of calls. Returns the bytes used, 0 if it is none.
 */
static size_t take_calls(struct serve_choice *c, const char *p, size_t n)
{
    json_error_t why;
    json_t *v = json_loadb(p, n, JSON_DISABLE_EOF_CHECK, &why), *one;
    size_t i, before = c->n_calls;
    bool good = v != NULL;
    if (json_is_array(v))
        json_array_foreach(v, i, one) good = good && add_call(c, one);
    else
        good = good && add_call(c, v);
    json_decref(v);
    return good && c->n_calls > before ? (size_t)why.position : 0;
}

static void find_calls(const struct serve_generation *g, struct serve_choice *c)
{
    static const char open[] = "<tool_call>", marker[] = "[TOOL_CALLS]", python[] = "<|python_tag|>";
    const char *text = c->text.data, *end = text + c->text.len, *p = text;
    if (g->forced_call || g->tools != SERVE_TOOLS_HERMES) {
        p += skip_space(p, (size_t)(end - p));
        const char *found =
            g->tools == SERVE_TOOLS_MISTRAL ? memmem(text, (size_t)(end - text), marker, sizeof marker - 1) : NULL;
        if (found)
            p = found + sizeof marker - 1;
        else if ((size_t)(end - p) > sizeof python && memcmp(p, python, sizeof python - 1) == 0)
            p += sizeof python - 1;
        p += skip_space(p, (size_t)(end - p));
        if (p < end && (*p == '{' || *p == '[') && take_calls(c, p, (size_t)(end - p)))
            c->n_content = found ? (size_t)(found - text) : 0;
        return;
    }
    while ((p = memmem(p, (size_t)(end - p), open, sizeof open - 1))) {
        size_t used = take_calls(c, p + sizeof open - 1, (size_t)(end - p) - (sizeof open - 1));
        if (used && c->n_calls == 1) c->n_content = (size_t)(p - text);
        p += sizeof open - 1 + used;
    }
}

void serve_tools_parse(const struct serve_generation *g, struct serve_choice *c)
{
    find_calls(g, c);
    for (; g->one_call && c->n_calls > 1; c->n_calls--) {
        json_decref(c->calls[c->n_calls - 1].name);
        json_decref(c->calls[c->n_calls - 1].arguments);
    }
}
