/* A task put to another model over a chat API (task_remote.h). Labels become {"label": one of them}: an object at the
 * top, because that is what structured outputs of providers take. A provider that does not keep to it is still
 * understood where it wrote a label and nothing else. Stateless. Read next: prompt.c (the same for the local model).
 */
#include "task_remote.h"
#include "base_buf.h"
#include "base_mem.h"
#include "base_str.h"
#include "prompt.h"

enum { LABEL_TOKENS = 64, ANSWER_TOKENS = 1024, JSON_DEPTH_FLAGS = JSON_REJECT_DUPLICATES };

bool task_is_remote(const struct task *t)
{
    return t->kind != TASK_EMBED && !(t->kind == TASK_CLASSIFY && !t->n_labels);
}

static json_t *label_schema(const struct task *t)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < t->n_labels; i++) json_array_append_new(names, json_string(t->labels[i].name));
    return json_pack("{s:s, s:{s:{s:s, s:o}}, s:[s], s:b}", "type", "object", "properties", "label", "type", "string",
                     "enum", names, "required", "label", "additionalProperties", 0);
}

/* What the labels mean, where the task says so: the other model was not trained on them. */
static int label_text(const struct task *t, struct buf *out)
{
    buf_str(out, t->system ? t->system : "Classify the message.");
    buf_str(out, "\n\nAnswer with one of these labels:");
    for (unsigned i = 0; i < t->n_labels; i++)
        buf_fmt(out, "\n- %s%s%s", t->labels[i].name, t->labels[i].description ? ": " : "",
                t->labels[i].description ? t->labels[i].description : "");
    return out->failed;
}

static json_t *system_message(const struct task *t)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    if (t->kind == TASK_CLASSIFY)
        label_text(t, &b);
    else if (t->system)
        buf_str(&b, t->system);
    json_t *m = b.failed || !b.len ? NULL : json_pack("{s:s, s:s}", "role", "system", "content", b.data);
    buf_done(&b);
    return m;
}

int task_remote_request(const struct task *t, const char *input, json_t **out, struct err *e)
{
    if (!task_is_remote(t)) return ERR(e, UNSUPPORTED, "The task '%s' cannot be put to another model.", t->name);
    if (!utf8_valid(input, strlen(input))) return ERR(e, FORMAT, "The input is not valid UTF-8 text.");
    bool classify = t->kind == TASK_CLASSIFY, extract = t->kind == TASK_EXTRACT && t->schema;
    char *user = task_user_text(t, input);
    json_t *messages = json_array(), *system = system_message(t);
    json_t *schema = classify ? label_schema(t) : extract ? json_loads(t->schema, 0, NULL) : NULL;
    if (system) json_array_append_new(messages, system);
    bool bad = !user || ((classify || extract) && !schema) ||
               json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "user", "content", user));
    json_t *o = json_pack("{s:o, s:i, s:i}", "messages", messages, "temperature", 0, "max_tokens",
                          classify ? LABEL_TOKENS : ANSWER_TOKENS);
    mem_free(user);
    if (o && schema)
        bad = bad || json_object_set_new(o, "response_format",
                                         json_pack("{s:s, s:{s:s, s:b, s:O}}", "type", "json_schema", "json_schema",
                                                   "name", "answer", "strict", 1, "schema", schema));
    json_decref(schema);
    if (bad || !o) {
        json_decref(o);
        return err_nomem(e, 0);
    }
    *out = o;
    return 0;
}

/* The text without white space around it. */
static struct str trimmed(const char *text)
{
    struct str s = str_of(text);
    while (s.n && strchr(" \t\r\n", s.p[0])) s.p++, s.n--;
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
    return s;
}

static int find_label(const struct task *t, struct str name)
{
    for (unsigned i = 0; i < t->n_labels; i++)
        if (str_eqz(name, t->labels[i].name)) return (int)i;
    return -1;
}

int task_remote_answer(const struct task *t, const char *text, int *out_label, char **out_text, struct err *e)
{
    struct str s = trimmed(text);
    int label = -1;
    if (t->kind == TASK_CLASSIFY) {
        json_t *o = json_loadb(s.p, s.n, JSON_DEPTH_FLAGS, NULL);
        const char *name = json_string_value(json_object_get(o, "label"));
        label = find_label(t, name ? str_of(name) : s);
        json_decref(o);
        if (label < 0) return ERR(e, FORMAT, "What the other model wrote is none of the labels of '%s'.", t->name);
        s = str_of(t->labels[label].name);
    } else if (t->kind == TASK_EXTRACT) {
        json_t *o = json_loadb(s.p, s.n, JSON_DEPTH_FLAGS | JSON_DECODE_ANY, NULL);
        if (!o) return ERR(e, FORMAT, "What the other model wrote is not JSON.");
        json_decref(o);
    }
    char *copy = mem_strndup(s.p, s.n);
    if (!copy) return err_nomem(e, s.n);
    *out_label = label;
    *out_text = copy;
    return 0;
}
