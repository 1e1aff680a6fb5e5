/* croft template MODEL|FILE.jinja: what a chat template makes of a conversation, exactly, on standard output.
 *
 *     --messages FILE    a JSON array of messages, or an object: {"messages": […], "tools": […],
 *                        "add_generation_prompt": true, "enable_thinking": false, "bos_token": "<s>", "now": …};
 *                        every member is a variable of the template. "-": standard input
 *     --source           print the template instead
 *
 * `now` (unix seconds, or "2026-11-20" or "2026-11-20T09:30:00", UTC) is the moment that dates in the prompt are made
 * of; without it, the present. A model's own bos and eos texts are used unless the object has them.
 * Read next: src/model/api/model_tmpl.h. */
#include "cli.h"
#include "base_clock.h"
#include "model_gguf.h"
#include "model_tmpl.h"

#include <time.h>

enum { MAX_INPUT_BYTES = 64 << 20, MAX_PROMPT_BYTES = 64 << 20 };

struct template_set {
    const char *messages;
    bool source;
};

/* The variables of a conversation: an object as it is, an array as its member `messages`. New reference. */
static int read_variables(const char *path, json_t **out, struct err *e)
{
    struct buf text;
    json_error_t je;
    buf_init(&text, MAX_INPUT_BYTES);
    int rc = cli_read_all(path, &text, e);
    json_t *v = rc ? NULL : json_loadb(text.data ? text.data : "", text.len, JSON_ALLOW_NUL, &je);
    buf_done(&text);
    if (rc) return rc;
    if (!v) return err_set(e, CROFT_E_FORMAT, path, je.line, "'%s' is not JSON, line %d: %s.", path, je.line, je.text);
    if (json_is_array(v)) v = json_pack("{s:o}", "messages", v);
    if (v && !json_is_object(v)) rc = ERR(e, FORMAT, "'%s' must hold a list of messages or an object with one.", path);
    else if (!v) rc = err_nomem(e, 0);
    if (rc) json_decref(v);
    else *out = v;
    return rc;
}

static int bad_moment(struct err *e)
{
    return ERR(e, USAGE, "'now' is not a date: give unix seconds or 2026-11-20T09:30:00.");
}

/* Unix seconds from the variable `now`: a number, a date, or a date and time; without one, the clock's. */
static int moment(const json_t *vars, int64_t *out, struct err *e)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    const json_t *now = json_object_get(vars, "now");
    *out = clock_unix_s();
    if (!now || json_is_null(now)) return 0;
    if (json_is_number(now)) {
        double s = json_number_value(now);
        if (!(s > -1e11 && s < 1e12)) return bad_moment(e);
        *out = (int64_t)s;
        return 0;
    }
    const char *text = json_is_string(now) ? json_string_value(now) : "";
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (!end) continue;
        if (*end == '.') end += 1 + strspn(end + 1, "0123456789");
        if (strcmp(end, "") && strcmp(end, "Z") && strcmp(end, "+00:00")) continue;
        *out = timegm(&tm);
        return 0;
    }
    return bad_moment(e);
}

/* The text of a special token, as the default of a variable. */
static int default_token(const struct gguf *g, const char *id_key, const char *name, json_t *vars, struct err *e)
{
    uint32_t id;
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    if (json_object_get(vars, name) || !gguf_get_u32(g, id_key, &id)) return 0;
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->elem != GGUF_STRING || id >= tokens->n) return 0;
    struct str s = gguf_kv_str(tokens, id);
    return json_object_set_new(vars, name, cli_json_text(s.p, s.n)) ? err_nomem(e, 0) : 0;
}

static int model_template(const char *path, json_t *vars, struct buf *source, struct err *e)
{
    struct gguf *g = NULL;
    struct str text;
    int rc = gguf_open(path, &g, e);
    if (rc) return rc;
    if (!gguf_get_str(g, "tokenizer.chat_template", &text))
        rc = ERR(e, NOT_FOUND, "'%s' has no chat template: give one in a .jinja file.", path);
    if (rc == 0) {
        buf_add(source, text.p, text.n);
        rc = buf_check(source, "chat template", e);
    }
    if (rc == 0 && vars) rc = default_token(g, "tokenizer.ggml.bos_token_id", "bos_token", vars, e);
    if (rc == 0 && vars) rc = default_token(g, "tokenizer.ggml.eos_token_id", "eos_token", vars, e);
    gguf_close(g);
    return rc;
}

/* A model begins with "GGUF"; anything else is a template. */
static bool is_model(const char *path)
{
    char magic[4] = {0};
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : NULL;
    if (!f) return false;
    size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    return n == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0;
}

static int print_prompt(const struct buf *source, const json_t *vars, struct err *e)
{
    struct tmpl *t = NULL;
    struct buf out;
    int64_t now;
    buf_init(&out, MAX_PROMPT_BYTES);
    int rc = moment(vars, &now, e);
    if (rc == 0) rc = tmpl_new(source->data ? source->data : "", source->len, &t, e);
    if (rc == 0) rc = tmpl_render(t, vars, now, NULL, &out, e);
    if (rc == 0 && out.len) fwrite(out.data, 1, out.len, stdout);
    tmpl_free(t);
    buf_done(&out);
    return rc;
}

int cmd_template(int argc, char **argv)
{
    struct template_set set = {0};
    static const struct conf_row rows[] = {
        {"messages", 'm', CONF_STR, offsetof(struct template_set, messages), .arg = "FILE",
         .help = "the conversation, JSON (\"-\": standard input)"},
        {"source", 0, CONF_FLAG, offsetof(struct template_set, source), .help = "print the template itself"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e;
    struct buf source;
    json_t *vars = NULL;
    int exit_code, rc = 0;
    if (!cli_options("template", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    if (!set.messages == !set.source) {
        ERR(&e, USAGE, "Give the conversation with --messages FILE, or ask for the template with --source.");
        return cli_fail("template", &e);
    }
    buf_init(&source, MAX_INPUT_BYTES);
    if (set.messages) rc = read_variables(set.messages, &vars, &e);
    if (rc == 0)
        rc = is_model(words.item[0]) ? model_template(words.item[0], vars, &source, &e)
                                     : cli_read_all(words.item[0], &source, &e);
    if (rc == 0 && set.source) fwrite(source.data ? source.data : "", 1, source.len, stdout);
    else if (rc == 0) rc = print_prompt(&source, vars, &e);
    buf_done(&source);
    json_decref(vars);
    return rc ? cli_fail("template", &e) : 0;
}
