/* Calls of tools: what a family's template makes the model write, and back to OpenAI's shape.
 *
 *     Hermes, Qwen   <tool_call>\n{"name": "f", "arguments": {…}}\n</tool_call>      any number of them, after text
 *     Qwen 3.5       <tool_call>\n<function=f>\n<parameter=a>\n…\n</parameter>\n</function>\n</tool_call>
 *     Mistral        [TOOL_CALLS][{"name": "f", "arguments": {…}}, …]
 *     Mistral 3      [TOOL_CALLS]f[ARGS]{…}[TOOL_CALLS]g[ARGS]{…}
 *     Llama 3        {"name": "f", "parameters": {…}}                                alone
 *     LFM2           <|tool_call_start|>[f(a="b", n=1), g()]<|tool_call_end|>        before or after text
 *
 * The markers may be control tokens, which an answer does not show: these are shown where tools are given.
 *
 * A tool comes as {"type": "function", "function": {"name", "parameters", …}} from chat, which is what templates
 * read, and flat, {"type": "function", "name", "parameters", …}, from /v1/responses.
 *
 * With tool_choice "required", or a function named, the opening is put at the end of the prompt and the answer is
 * constrained to the call's JSON by the schemas of the tools (where a family has a form of its own, in that of its
 * kin: Qwen 3.5 in Hermes', LFM2 and several functions of Mistral 3 in Mistral's); otherwise the model decides, and
 * what it wrote is a call if it parses as one, and text if not. Preparation threads. Read next: tools_text.c. */
#include "generate.h"

#include <ctype.h>

enum { MAX_TOOLS = 128 };

static const char *opening_of(enum serve_tools family)
{
    static const char *const opening[] = {[SERVE_TOOLS_NONE] = "",
                                          [SERVE_TOOLS_HERMES] = "<tool_call>\n",
                                          [SERVE_TOOLS_LLAMA3] = "",
                                          [SERVE_TOOLS_MISTRAL] = "[TOOL_CALLS]",
                                          [SERVE_TOOLS_MISTRAL3] = "[TOOL_CALLS]",
                                          [SERVE_TOOLS_LFM2] = "<|tool_call_start|>"};
    return opening[family];
}
static bool calls_are_a_list(enum serve_tools family)
{
    return family == SERVE_TOOLS_MISTRAL || family == SERVE_TOOLS_MISTRAL3 || family == SERVE_TOOLS_LFM2;
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

static bool is_among(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0) list++;
    return *list != NULL;
}

/* A schema becomes part of a larger one, at `place`, a JSON pointer: what its references count from the top is there
 * now. `names`: the members of v are called as the user likes, and mean nothing. */
static void move_references(json_t *v, const char *place, bool names)
{
    static const char *const values[] = {"const", "enum", "default", "examples", NULL};
    static const char *const named[] = {"properties", "patternProperties", "$defs", "definitions", NULL};
    json_t *ref = names ? NULL : json_object_get(v, "$ref"), *member;
    const char *key, *to = json_string_value(ref);
    size_t i;
    if (to && *to == '#') json_object_set_new(v, "$ref", json_sprintf("#%s%s", place, to + 1));
    json_object_foreach(v, key, member)
    {
        if (names || !is_among(key, values)) move_references(member, place, !names && is_among(key, named));
    }
    json_array_foreach(v, i, member) move_references(member, place, false);
}

/* What a tool's arguments must be: a new schema. A function without parameters takes none. */
static json_t *arguments_schema(json_t *tool)
{
    json_t *parameters = json_object_get(json_object_get(tool, "function"), "parameters");
    return parameters && json_object_size(parameters)
               ? json_deep_copy(parameters)
               : json_pack("{s:s s:b}", "type", "object", "additionalProperties", 0);
}

/* {"type": "object", "properties": {"name": {"const": NAME}, "arguments": SCHEMA}, …} of one tool, to be at `place` */
static json_t *call_schema(json_t *tool, const char *arguments, const char *place)
{
    json_t *schema = arguments_schema(tool);
    char at[80];
    snprintf(at, sizeof at, "%s/properties/%s", place, arguments);
    move_references(schema, at, false);
    return json_pack("{s:s s:{s:{s:O} s:o} s:[s s] s:b}", "type", "object", "properties", "name", "const",
                     json_object_get(json_object_get(tool, "function"), "name"), arguments, schema, "required",
                     "name", arguments, "additionalProperties", 0);
}

/* The tools that may be called: the one called `only`, or all. A new list; empty: there is no such tool. */
static json_t *callable(json_t *tools, const char *only)
{
    json_t *list = json_array(), *t;
    size_t i;
    json_array_foreach(tools, i, t)
    {
        const char *name = json_string_value(json_object_get(json_object_get(t, "function"), "name"));
        if (!only || strcmp(only, name) == 0) json_array_append(list, t);
    }
    return list;
}

/* A grammar for a call of one of the tools: a new schema. */
static json_t *calls_schema(enum serve_tools family, json_t *tools)
{
    json_t *any = json_array(), *t, *schema;
    size_t i;
    const bool one = json_array_size(tools) == 1;
    char place[48];
    json_array_foreach(tools, i, t)
    {
        snprintf(place, sizeof place, one ? "%s" : "%s/anyOf/%zu", calls_are_a_list(family) ? "/items" : "", i);
        json_array_append_new(any, call_schema(t, arguments_of(family), place));
    }
    schema = one ? json_incref(json_array_get(any, 0)) : json_pack("{s:O}", "anyOf", any);
    json_decref(any);
    if (calls_are_a_list(family))
        schema = json_pack("{s:s s:o s:i s:i}", "type", "array", "items", schema, "minItems", 1, "maxItems", 1);
    return schema;
}

/* Mistral 3 names a function before its arguments: where there is one to call, the prompt names it. */
static bool name_function(struct serve_generation *g, json_t *tools)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    json_t *f = json_object_get(json_array_get(tools, 0), "function");
    const char *name = json_string_value(json_object_get(f, "name"));
    size_t n = strlen(name);
    if (g->tools != SERVE_TOOLS_MISTRAL3 || json_array_size(tools) != 1 || n == 0 || n >= sizeof g->forced_name ||
        strspn(name, letters) != n)
        return false;
    snprintf(g->forced_name, sizeof g->forced_name, "%s", name);
    snprintf(g->opening, sizeof g->opening, "[TOOL_CALLS]%s[ARGS]", name);
    return true;
}

static int force_call(struct serve_job *job, struct serve_generation *g, const char *only, struct err *e)
{
    json_t *tools = callable(g->tool_list, only), *schema;
    struct buf text;
    if (json_array_size(tools) == 0) {
        json_decref(tools);
        return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                            "'tool_choice' names '%.60s', which is not among 'tools'.", only ? only : "");
    }
    g->forced_call = true;
    snprintf(g->opening, sizeof g->opening, "%s", opening_of(g->tools));
    schema = name_function(g, tools) ? arguments_schema(json_array_get(tools, 0)) : calls_schema(g->tools, tools);
    json_decref(tools);
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
    if (json_object_size(json_object_get(job->in, "structured_outputs")))
        return serve_refuse(job, CROFT_E_USAGE, "tool_choice",
                            "A required call and structured_outputs exclude each other.");
    infer_grammar_unref(g->grammar); /* a response_format is about text, and there will be none */
    g->grammar = NULL;
    *out_suffix = g->opening;
    return force_call(job, g, only, e);
}

/* ---- conversations with calls in them ---- */

/* Mistral's templates refuse ids that are not nine letters and digits. Others become such, always the same. */
static json_t *short_id(const char *id)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[10] = "";
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    size_t n = 0;
    while (isalnum((unsigned char)id[n])) n++;
    if (n == 9 && !id[n]) return json_string(id);
    for (const char *p = id; *p; p++) hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    for (int i = 0; i < 9; i++, hash /= 36) text[i] = digits[hash % 36];
    return json_string(text);
}

static void shorten_ids(json_t *message)
{
    size_t i;
    json_t *call, *id = json_object_get(message, "tool_call_id");
    if (json_is_string(id)) json_object_set_new(message, "tool_call_id", short_id(json_string_value(id)));
    json_array_foreach(json_object_get(message, "tool_calls"), i, call)
    {
        id = json_object_get(call, "id");
        json_object_set_new(call, "id", short_id(json_is_string(id) ? json_string_value(id) : ""));
    }
}

/* A JSON value as Python writes it. */
static void add_python(struct buf *b, json_t *v)
{
    const char *key;
    size_t i;
    json_t *one;
    if (json_is_array(v)) {
        buf_char(b, '[');
        json_array_foreach(v, i, one)
        {
            buf_str(b, i ? ", " : "");
            add_python(b, one);
        }
        buf_char(b, ']');
    } else if (json_is_object(v)) {
        buf_char(b, '{');
        i = 0;
        json_object_foreach(v, key, one)
        {
            json_t *name = json_string(key);
            buf_str(b, i++ ? ", " : "");
            add_python(b, name);
            buf_str(b, ": ");
            add_python(b, one);
            json_decref(name);
        }
        buf_char(b, '}');
    } else if (json_is_boolean(v) || json_is_null(v)) {
        buf_str(b, json_is_true(v) ? "True" : json_is_false(v) ? "False" : "None");
    } else if (serve_json_dump(v, b, JSON_ENCODE_ANY)) {
        b->failed = true;
    }
}

/* LFM2's templates write no calls: they become the text that the model has written, before what else it said. */
static int write_calls(json_t *message, struct err *e)
{
    const char *key;
    size_t i, n;
    struct buf b;
    json_t *call, *v, *calls = json_object_get(message, "tool_calls"), *said = json_object_get(message, "content");
    if (json_array_size(calls) == 0) return 0;
    buf_init(&b, 64 << 20);
    buf_str(&b, "<|tool_call_start|>[");
    json_array_foreach(calls, i, call)
    {
        json_t *f = json_object_get(call, "function");
        buf_fmt(&b, "%s%s(", i ? ", " : "", json_string_value(json_object_get(f, "name")));
        n = 0;
        json_object_foreach(json_object_get(f, "arguments"), key, v)
        {
            buf_fmt(&b, "%s%s=", n++ ? ", " : "", key);
            add_python(&b, v);
        }
        buf_char(&b, ')');
    }
    buf_str(&b, "]<|tool_call_end|>");
    buf_add(&b, json_string_value(said), json_string_length(said));
    json_object_del(message, "tool_calls");
    int rc = buf_check(&b, "a conversation's calls", e);
    if (rc == 0 && json_object_set_new(message, "content", json_stringn(b.data, b.len))) rc = err_nomem(e, b.len);
    buf_done(&b);
    return rc;
}

int serve_tools_history(enum serve_tools family, json_t *messages, struct err *e)
{
    size_t i;
    int rc = 0;
    json_t *m;
    json_array_foreach(messages, i, m)
    {
        if (family == SERVE_TOOLS_MISTRAL || family == SERVE_TOOLS_MISTRAL3) shorten_ids(m);
        if (family == SERVE_TOOLS_LFM2 && rc == 0) rc = write_calls(m, e);
    }
    return rc;
}
