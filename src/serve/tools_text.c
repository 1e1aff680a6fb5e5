/* Calls in what models write; the families' forms are drawn in tools.c. A call that is not one stays text. The loop.
 */
#include "generate.h"
#include "infer_json.h"

#include <ctype.h>
#include <openssl/rand.h>

enum { MAX_CALLS = 64, MAX_DEPTH = 64 };

static const char hermes[] = "<tool_call>", mistral[] = "[TOOL_CALLS]", lfm2[] = "<|tool_call_start|>";

/* What stands before a family's calls; NULL: nothing. */
static const char *marker_of(enum serve_tools family)
{
    static const char *const marker[] = {
        [SERVE_TOOLS_NONE] = NULL,       [SERVE_TOOLS_HERMES] = hermes,    [SERVE_TOOLS_LLAMA3] = NULL,
        [SERVE_TOOLS_MISTRAL] = mistral, [SERVE_TOOLS_MISTRAL3] = mistral, [SERVE_TOOLS_LFM2] = lfm2};
    return marker[family];
}

uint32_t serve_tools_markers(enum serve_tools family, const struct tok *t, int32_t out[SERVE_MARKERS])
{
    static const char *const words[] = {hermes, "</tool_call>",     mistral, "[ARGS]", "[CALL_ID]",
                                        lfm2,   "<|tool_call_end|>"};
    uint32_t n = 0;
    for (size_t i = 0; family != SERVE_TOOLS_NONE && i < sizeof words / sizeof words[0]; i++) {
        int32_t id = tok_find(t, words[i], strlen(words[i]));
        if (id >= 0 && n < SERVE_MARKERS) out[n++] = id;
    }
    return n;
}

static size_t skip_space(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r')) i++;
    return i;
}

size_t serve_tools_visible(enum serve_tools family, const char *text, size_t n)
{
    const char *marker = marker_of(family);
    size_t start = skip_space(text, n);
    if (family == SERVE_TOOLS_NONE) return n;
    if ((family == SERVE_TOOLS_LLAMA3 || family == SERVE_TOOLS_MISTRAL) &&
        (start == n || text[start] == '{' || text[start] == '[' || text[start] == '<'))
        return 0;
    if (!marker) return n;
    size_t k = strlen(marker);
    const char *at = memmem(text, n, marker, k);
    if (at) return (size_t)(at - text);
    for (size_t tail = k - 1 < n ? k - 1 : n; tail > 0; tail--) /* the marker may have begun */
        if (memcmp(text + n - tail, marker, tail) == 0) return n - tail;
    return n;
}

/* ---- a cursor ---- */

static char next_of(struct str *s) /* behind white space; 0 at the end */
{
    size_t k = skip_space(s->p, s->n);
    *s = (struct str){s->p + k, s->n - k};
    return s->n ? *s->p : 0;
}

static void skip(struct str *s, size_t n) { *s = (struct str){s->p + n, s->n - n}; }

static bool eat(struct str *s, const char *word) /* behind white space */
{
    size_t n = strlen(word);
    next_of(s);
    if (s->n < n || memcmp(s->p, word, n) != 0) return false;
    skip(s, n);
    return true;
}

static bool until(struct str *s, const char *word, struct str *out) /* the text before a word, and behind that */
{
    const char *at = memmem(s->p, s->n, word, strlen(word));
    if (!at) return false;
    *out = (struct str){s->p, (size_t)(at - s->p)};
    skip(s, out->n + strlen(word));
    return true;
}

static bool identifier(struct str *s, struct str *out)
{
    size_t n = 0;
    next_of(s);
    while (n < s->n && (isalnum((unsigned char)s->p[n]) || memchr("_.-", s->p[n], 3))) n++;
    *out = (struct str){s->p, n};
    skip(s, n);
    return n > 0;
}

/* ---- calls ---- */

static void drop_calls(struct serve_choice *c, size_t n) /* but the first n */
{
    for (; c->n_calls > n; c->n_calls--) {
        json_decref(c->calls[c->n_calls - 1].name);
        json_decref(c->calls[c->n_calls - 1].arguments);
    }
}

/* False if this is no call. */
static bool add_call(struct serve_choice *c, json_t *name, json_t *arguments)
{
    unsigned char r[12];
    struct buf text;
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

static bool add_named(struct serve_choice *c, struct str name, json_t *arguments) /* takes arguments */
{
    json_t *n = json_stringn(name.p, name.n);
    bool good = add_call(c, n, arguments);
    json_decref(n);
    json_decref(arguments);
    return good;
}

static json_t *json_here(struct str *s, size_t flags) /* a JSON value; NULL, and nothing moves: there is none */
{
    json_error_t why;
    json_t *v = json_loadb(s->p, s->n, JSON_DISABLE_EOF_CHECK | flags, &why);
    if (v) skip(s, (size_t)why.position);
    return v;
}

static bool add_object(struct serve_choice *c, json_t *o)
{
    json_t *arguments = json_object_get(o, "arguments");
    return add_call(c, json_object_get(o, "name"), arguments ? arguments : json_object_get(o, "parameters"));
}

/* {"name": …, "arguments": …}, or a list of such objects */
static bool take_json(struct serve_choice *c, struct str *s)
{
    json_t *v = next_of(s) == '{' || next_of(s) == '[' ? json_here(s, 0) : NULL, *one;
    size_t i, before = c->n_calls;
    bool good = v != NULL;
    if (json_is_array(v))
        json_array_foreach(v, i, one) good = good && add_object(c, one);
    else
        good = good && add_object(c, v);
    json_decref(v);
    return good && c->n_calls > before;
}

/* ---- Qwen 3.5: <function=f>\n<parameter=a>\n…\n</parameter>\n</function> ---- */

/* A value stands there as it is: text if the tool's schema says so, or else JSON, if it is some. */
static json_t *parameter(const struct serve_generation *g, struct str function, const char *key, struct str text)
{
    size_t i;
    json_t *tool, *type = NULL, *v = NULL;
    if (text.n && text.p[0] == '\n') skip(&text, 1);
    if (text.n && text.p[text.n - 1] == '\n') text.n--;
    json_array_foreach(g->tool_list, i, tool)
    {
        json_t *f = json_object_get(tool, "function"), *properties;
        const char *name = json_string_value(json_object_get(f, "name"));
        if (!name || !str_eqz(function, name)) continue;
        properties = json_object_get(json_object_get(f, "parameters"), "properties");
        type = json_object_get(json_object_get(properties, key), "type");
    }
    if (!json_is_string(type) || strcmp(json_string_value(type), "string") != 0)
        v = json_loadb(text.p, text.n, JSON_DECODE_ANY, NULL);
    return v ? v : json_stringn(text.p, text.n);
}

static bool take_function(const struct serve_generation *g, struct serve_choice *c, struct str *s)
{
    struct str name, key, value;
    char word[256];
    if (!eat(s, "<function=") || !until(s, ">", &name)) return false;
    json_t *arguments = json_object();
    while (eat(s, "<parameter=")) {
        bool whole = until(s, ">", &key) && until(s, "</parameter>", &value) && key.n < sizeof word;
        if (whole) snprintf(word, sizeof word, "%.*s", (int)key.n, key.p);
        if (whole && json_object_set_new(arguments, word, parameter(g, name, word, value)) == 0) continue;
        json_decref(arguments);
        return false;
    }
    if (eat(s, "</function>")) return add_named(c, name, arguments);
    json_decref(arguments); /* cut off */
    return false;
}

/* ---- Mistral 3: f[ARGS]{…}, or f[CALL_ID]x[ARGS]{…}; and the next ---- */

static bool take_named(struct serve_choice *c, struct str *s)
{
    struct str name, id;
    bool some = false;
    for (struct str at = *s; identifier(&at, &name); *s = at, some = true) {
        if (eat(&at, "[CALL_ID]") && !identifier(&at, &id)) break;
        json_t *arguments = eat(&at, "[ARGS]") && next_of(&at) == '{' ? json_here(&at, 0) : NULL;
        if (!arguments || !add_named(c, name, arguments)) break;
    }
    return some;
}

/* ---- LFM2: a list of calls as Python writes them ---- */

static json_t *python_value(struct str *s, int depth);

static json_t *python_string(struct str *s)
{
    static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
    char quote = *s->p;
    const char *known;
    struct buf b;
    size_t i = 1;
    buf_init(&b, 16 << 20);
    for (; i < s->n && s->p[i] != quote; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n && s->p[i + 1] && (known = strchr(from, s->p[i + 1])))
            buf_char(&b, to[known - from]), i++;
        else
            buf_char(&b, s->p[i]);
    }
    json_t *v = i < s->n ? json_stringn(b.data ? b.data : "", b.len) : NULL;
    if (v) skip(s, i + 1);
    buf_done(&b);
    return v;
}

/* `(a=1, b=2)` and `{"a": 1}`: what stands between brackets, with `=` or `:` behind a key. */
static json_t *python_pairs(struct str *s, const char *close, const char *between, int depth)
{
    json_t *o = json_object(), *key, *v;
    struct str name;
    bool good = true;
    skip(s, 1);
    while (good && !eat(s, close)) {
        char c = next_of(s);
        key = c == '"' || c == '\'' ? python_string(s) : identifier(s, &name) ? json_stringn(name.p, name.n) : NULL;
        v = key && eat(s, between) ? python_value(s, depth) : NULL;
        good = v && json_object_set_new(o, json_string_value(key), v) == 0 && (eat(s, ",") || next_of(s) == *close);
        json_decref(key);
    }
    if (good) return o;
    json_decref(o);
    return NULL;
}

static json_t *python_list(struct str *s, int depth)
{
    json_t *list = json_array(), *v;
    bool good = true;
    skip(s, 1);
    while (good && !eat(s, "]"))
        good =
            (v = python_value(s, depth)) && json_array_append_new(list, v) == 0 && (eat(s, ",") || next_of(s) == ']');
    if (good) return list;
    json_decref(list);
    return NULL;
}

static json_t *python_value(struct str *s, int depth)
{
    char c = next_of(s);
    if (depth == MAX_DEPTH) return NULL;
    if (c == '"' || c == '\'') return python_string(s);
    if (c == '[') return python_list(s, depth + 1);
    if (c == '{') return python_pairs(s, "}", ":", depth + 1);
    if (eat(s, "True")) return json_true();
    if (eat(s, "False")) return json_false();
    if (eat(s, "None")) return json_null();
    return json_here(s, JSON_DECODE_ANY);
}

static bool take_python(struct serve_choice *c, struct str *s)
{
    struct str name;
    bool good = eat(s, "[");
    while (good && !eat(s, "]")) {
        json_t *arguments = identifier(s, &name) && next_of(s) == '(' ? python_pairs(s, ")", "=", 0) : NULL;
        good = arguments && add_named(c, name, arguments) && (eat(s, ",") || next_of(s) == ']');
    }
    return good;
}

/* ---- an answer ---- */

static bool take(const struct serve_generation *g, struct serve_choice *c, struct str *s)
{
    struct str at = *s;
    if (take_json(c, &at)) {
        *s = at;
        return true;
    }
    if (g->tools == SERVE_TOOLS_HERMES) return take_function(g, c, s);
    if (g->tools == SERVE_TOOLS_LFM2) return take_python(c, s);
    return g->tools != SERVE_TOOLS_LLAMA3 && take_named(c, s);
}

static void find_calls(const struct serve_generation *g, struct serve_choice *c)
{
    const char *marker = marker_of(g->tools), *at;
    struct str s = {c->text.data, c->text.len};
    bool marked = marker && memmem(s.p, s.n, marker, strlen(marker));
    if (g->forced_call || !marker || (g->tools == SERVE_TOOLS_MISTRAL && !marked)) { /* a call, and nothing else */
        json_t *arguments;
        if (!g->forced_call) eat(&s, "<|python_tag|>");
        if (!g->forced_name[0])
            c->n_content = take_json(c, &s) ? 0 : c->n_content;
        else if ((arguments = json_here(&s, 0)) && add_named(c, str_of(g->forced_name), arguments))
            c->n_content = 0;
        return;
    }
    while (marker && (at = memmem(s.p, s.n, marker, strlen(marker)))) {
        size_t before = c->n_calls;
        skip(&s, (size_t)(at - s.p) + strlen(marker));
        struct str rest = s;
        if (!take(g, c, &rest)) {
            drop_calls(c, before);
            continue;
        }
        s = rest;
        if (before == 0) c->n_content = (size_t)(at - c->text.data);
    }
}

void serve_tools_parse(const struct serve_generation *g, struct serve_choice *c)
{
    find_calls(g, c);
    if (g->one_call) drop_calls(c, 1);
}
