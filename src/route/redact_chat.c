/* Redaction of a whole request to a chat API, in place. One walk over the tree, done twice: first to note all values
 * in order, then to replace them; so a value that is recognised late is replaced early too.
 *
 * What is text and what is protocol depends on where one stands:
 *
 *     protocol   the request, its messages and parts: known words ("role", "model", ids) stay, all other strings are
 * text schema     tool parameters, response formats: as protocol; numbers stay free       a tool's input as an
 * object, metadata: everything is text, keys and long numbers too
 *
 * Protocol words are not taken on trust: what a pattern finds in one refuses the request. The user's lists and the
 * model do not look at them: "claude-…" is no person. Parts of a message that are not on the list of texts (images,
 * audio, files) refuse it as well: they cannot be looked into. Borrows all. Read first: redact.c, redact_json.c. */
#include "redact.h"

#include "base_mem.h"

#include <jansson.h>
#include <string.h>

enum { TEXT_MAX = 64 << 20, HINT_MAX = 64 };
enum place { PROTOCOL, SCHEMA, FREE };

struct walk {
    struct route_conversation *c;
    bool replace; /* second time */
    struct buf out;
};

static bool one_of(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0) return true;
    return false;
}

static const char *const protocol_words[] = {"role",
                                             "type",
                                             "model",
                                             "id",
                                             "tool_call_id",
                                             "call_id",
                                             "tool_use_id",
                                             "previous_response_id",
                                             "tool_choice",
                                             "service_tier",
                                             "effort",
                                             "reasoning_effort",
                                             "verbosity",
                                             "detail",
                                             "media_type",
                                             "format",
                                             "status",
                                             "truncation",
                                             "object",
                                             "strategy",
                                             "signature",
                                             "encrypted_content",
                                             "include",
                                             "modalities",
                                             "$ref",
                                             "pattern",
                                             "ttl",
                                             "prompt_cache_retention",
                                             "search_context_size",
                                             "phase",
                                             NULL};
static const char *const text_parts[] = {"text",
                                         "input_text",
                                         "output_text",
                                         "summary_text",
                                         "refusal",
                                         "reasoning",
                                         "reasoning_text",
                                         "thinking",
                                         "redacted_thinking",
                                         "message",
                                         "tool_use",
                                         "tool_result",
                                         "function",
                                         "function_call",
                                         "function_call_output",
                                         "custom_tool_call",
                                         "custom_tool_call_output",
                                         NULL};
static const char *const part_lists[] = {"messages", "content", "input", "output", "system", "instructions", NULL};
static const char *const opaque[] = {"image_url", "input_audio", "audio",     "image",  "file",
                                     "file_data", "file_id",     "video_url", "source", NULL};
static const char *const free_trees[] = {"input", "arguments", "metadata", "output", NULL};
static const char *const schema_trees[] = {"parameters", "input_schema", "response_format",
                                           "schema",     "json_schema",  NULL};

static int unredactable(const char *what, struct err *e)
{
    return ERR(e, DENIED,
               "The request holds '%.40s', which cannot be looked into and redacted: answer it here, or send text.",
               what);
}

/* ---- strings ---- */

static int as_text(struct walk *w, json_t *node, const char *hint, bool json, bool identifier, struct err *e)
{
    const char *p = json_string_value(node);
    size_t n = json_string_length(node);
    bool changed = false;
    if (!w->replace)
        return json ? route_redact_json(w->c, p, n, NULL, &changed, e) : route_redact_note_as(w->c, p, n, hint, e);
    buf_clear(&w->out);
    int rc = json ? route_redact_json(w->c, p, n, &w->out, &changed, e)
                  : route_redact_text_as(w->c, p, n, hint, identifier, &w->out, &changed, e);
    if (rc == 0 && changed && json_string_setn(node, w->out.data, w->out.len) != 0) rc = err_nomem(e, w->out.len);
    return rc;
}

static int as_protocol(struct walk *w, const char *key, const json_t *node, struct err *e)
{
    const uint32_t listed = 1u << ROUTE_PII_NAME | 1u << ROUTE_PII_ADDRESS | 1u << ROUTE_PII_TERM;
    struct route_spans found = {0};
    int rc = route_find_kinds(w->c->d, w->c->kinds & ~listed, json_string_value(node), json_string_length(node), "",
                              &found, e);
    if (rc == 0 && found.n)
        rc =
            ERR(e, DENIED, "The request's field '%.40s' holds data of the kind '%s', which cannot be redacted there.",
                key, route_pii_word(found.v[0].kind));
    route_spans_done(&found);
    return rc;
}

/* ---- trees ---- */

static int walk(struct walk *w, json_t *node, const char *key, enum place place, bool parts, struct err *e);

/* `name`: of a participant when the object has a role, else of a tool or a format. */
static int walk_name(struct walk *w, const json_t *object, json_t *name, struct err *e)
{
    return json_object_get(object, "role") ? as_text(w, name, "", false, true, e) : as_protocol(w, "name", name, e);
}

static int walk_member(struct walk *w, const json_t *object, const char *key, json_t *value, enum place place,
                       struct err *e)
{
    bool tree = json_is_object(value) || json_is_array(value);
    if (place == PROTOCOL && one_of(opaque, key) && !json_is_null(value)) return unredactable(key, e);
    if (json_is_string(value) && one_of(protocol_words, key)) return as_protocol(w, key, value, e);
    if (json_is_string(value) && strcmp(key, "name") == 0) return walk_name(w, object, value, e);
    if (json_is_string(value) && place == PROTOCOL) {
        const char *role = json_string_value(json_object_get(object, "role")),
                   *type = json_string_value(json_object_get(object, "type"));
        bool result = strcmp(key, "content") == 0 &&
                      ((role && strcmp(role, "tool") == 0) || (type && strcmp(type, "tool_result") == 0));
        bool json = result || strcmp(key, "arguments") == 0 || strcmp(key, "output") == 0;
        return as_text(w, value, "", json, false, e);
    }
    if (tree && place == PROTOCOL && one_of(schema_trees, key))
        place = SCHEMA;
    else if (json_is_object(value) && place == PROTOCOL && one_of(free_trees, key))
        place = FREE;
    return walk(w, value, key, place, place == PROTOCOL && one_of(part_lists, key), e);
}

/* Keys of a free tree and of a schema's properties are somebody's words; they are renamed when something is found. */
static int rename_keys(struct walk *w, json_t *object, struct err *e)
{
    json_t *fresh = json_object(), *value;
    const char *key;
    bool any = false;
    int rc = fresh ? 0 : err_nomem(e, 64);
    if (rc) return rc;
    json_object_foreach(object, key, value)
    {
        bool changed = false;
        buf_clear(&w->out);
        rc = w->replace ? route_redact_text_as(w->c, key, strlen(key), "", false, &w->out, &changed, e)
                        : route_redact_note_as(w->c, key, strlen(key), "", e);
        if (rc) break;
        any |= changed;
        if (json_object_set(fresh, changed ? w->out.data : key, value) != 0 && (rc = err_nomem(e, 64)) != 0) break;
    }
    if (rc == 0 && any && (json_object_clear(object), json_object_update(object, fresh)) != 0) rc = err_nomem(e, 64);
    json_decref(fresh);
    return rc;
}

/* Whole numbers in a free tree, as text, after its strings: `*instead` is the string for one that is found. */
static int walk_number(struct walk *w, json_t *node, const char *key, json_t **instead, struct err *e)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(node));
    json_t *text = json_string(digits);
    int rc = text ? as_text(w, text, key, false, false, e) : err_nomem(e, sizeof digits);
    if (rc == 0 && strcmp(json_string_value(text), digits) != 0)
        *instead = text;
    else
        json_decref(text);
    return rc;
}

static int walk_numbers(struct walk *w, json_t *node, const char *key, struct err *e)
{
    json_t *value;
    const char *name;
    size_t i;
    int rc = 0;
    json_object_foreach(node, name, value)
    {
        json_t *instead = NULL;
        if (!json_is_integer(value)) continue;
        if ((rc = walk_number(w, value, name, &instead, e)) != 0) return rc;
        if (instead && json_object_set_new(node, name, instead) != 0)
            return err_nomem(e, 64); /* an old key: order stays */
    }
    json_array_foreach(node, i, value)
    {
        json_t *instead = NULL;
        if (!json_is_integer(value)) continue;
        if ((rc = walk_number(w, value, key, &instead, e)) != 0) return rc;
        if (instead && json_array_set_new(node, i, instead) != 0) return err_nomem(e, 64);
    }
    return 0;
}

static int walk_object(struct walk *w, json_t *node, const char *name, enum place place, bool part, struct err *e)
{
    const char *key, *type = json_string_value(json_object_get(node, "type"));
    json_t *value;
    int rc = 0;
    if (part && type && !one_of(text_parts, type)) return unredactable(type, e);
    json_object_foreach(node, key, value)
    {
        if (place == FREE)
            rc = walk(w, value, key, FREE, false, e);
        else
            rc = walk_member(w, node, key, value, place, e);
        if (rc) return rc;
    }
    if (place == FREE && (rc = walk_numbers(w, node, name, e)) != 0) return rc;
    return place == FREE || (place == SCHEMA && strcmp(name, "properties") == 0) ? rename_keys(w, node, e) : 0;
}

/* `parts`: the items of this array are messages or parts of one. */
static int walk(struct walk *w, json_t *node, const char *key, enum place place, bool parts, struct err *e)
{
    char hint[HINT_MAX] = "";
    json_t *item;
    size_t i;
    int rc = 0;
    if (place == FREE) snprintf(hint, sizeof hint, "%s", key);
    if (json_is_string(node)) return as_text(w, node, hint, false, false, e);
    if (json_is_object(node)) return walk_object(w, node, key, place, parts, e);
    json_array_foreach(node, i, item) if ((rc = walk(w, item, key, place, parts, e)) != 0) return rc;
    return place == FREE ? walk_numbers(w, node, key, e) : 0;
}

int route_redact_chat(struct route_conversation *c, json_t *request, struct err *e)
{
    struct walk w = {.c = c};
    if (!json_is_object(request)) return ERR(e, FORMAT, "A request to a chat API is a JSON object.");
    buf_init(&w.out, TEXT_MAX);
    int rc = walk(&w, request, "", PROTOCOL, false, e);
    w.replace = true;
    if (rc == 0) rc = walk(&w, request, "", PROTOCOL, false, e);
    buf_done(&w.out);
    return rc;
}
