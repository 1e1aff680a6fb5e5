/* Importing (task_import.h): which tool's file is it, and what the importers share: templates, refusals, writing. Other
 * tools' templates are Jinja2 or Nunjucks without trim_blocks and lstrip_blocks, and keep a newline at their end; the
 * template engine is of chat templates, which have all three the other way. So every block gets the sign "+" that keeps
 * its newlines, and a newline at the end is doubled. Read next: lm_eval.c, promptfoo.c. */
#include "import.h"
#include "base_mem.h"
#include "base_str.h"
#include "task_yaml.h"

#include <stdarg.h>

enum { MAX_DATA = 1 << 28, MAX_YAML = 16 << 20, MAX_TEMPLATE = 1 << 20 };

int task_import_refuse(const struct import *im, struct err *e, const char *fmt, ...)
{
    char what[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return ERR(e, UNSUPPORTED, "'%s' cannot be imported: %s.", im->path, what);
}

int task_import_keys(const struct import *im, const json_t *object, const char *known, const char *what, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        const char *at = known;
        size_t n = strlen(key);
        while ((at = strstr(at, key)) && !((at == known || at[-1] == ' ') && (at[n] == ' ' || !at[n]))) at++;
        if (!at || n == 0) return task_import_refuse(im, e, "%s has '%.60s', which has no equal here", what, key);
    }
    return 0;
}

/* ---- templates ---- */

int task_import_template(const struct import *im, const char *source, struct tmpl **out, struct err *e)
{
    struct buf b;
    struct err why = {0};
    if (strstr(source, "{#") || strstr(source, "{% raw") || strstr(source, "{%- raw"))
        return task_import_refuse(im, e, "a template has a {# comment #} or a {%% raw %%} block: \"%.80s\"", source);
    buf_init(&b, MAX_TEMPLATE);
    for (const char *p = source; *p; p++) {
        bool opens = p[0] == '{' && p[1] == '%', closes = p[0] == '%' && p[1] == '}';
        if (opens) {
            buf_str(&b, p[2] == '-' || p[2] == '+' ? "{%" : "{%+");
            p++;
        } else if (closes) {
            buf_str(&b, p > source && (p[-1] == '-' || p[-1] == '+') ? "%}" : "+%}");
            p++;
        } else {
            buf_char(&b, *p);
        }
    }
    if (b.len && b.data[b.len - 1] == '\n') buf_char(&b, '\n');
    int rc = buf_check(&b, "template", e);
    if (rc == 0 && (rc = tmpl_new(b.data ? b.data : "", b.len, out, &why)))
        rc = rc == CROFT_E_NOMEM ? err_nomem(e, 0)
                                 : task_import_refuse(im, e, "the template \"%.80s\" is not understood: %.200s", source,
                                                      why.msg);
    buf_done(&b);
    return rc;
}

int task_import_render(const struct import *im, const struct tmpl *t, const json_t *vars, const char *where, char **out,
                       struct err *e)
{
    const struct tmpl_limits limits = {.max_steps = 100000, .max_output_bytes = MAX_TEMPLATE, .strict = true};
    struct err why = {0};
    struct buf b;
    buf_init(&b, MAX_TEMPLATE);
    int rc = tmpl_render(t, vars, 0, &limits, &b, &why);
    if (rc == CROFT_E_NOMEM) rc = err_nomem(e, 0);
    else if (rc) rc = task_import_refuse(im, e, "a template cannot be filled for %s: %.200s", where, why.msg);
    if (rc == 0 && !(*out = b.len ? buf_take(&b) : mem_strdup(""))) rc = err_nomem(e, b.len);
    buf_done(&b);
    return rc;
}

#define LETTERS "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
bool task_import_is_name(const char *p, size_t n)
{
    return n && strspn(p, LETTERS) > 0 && strspn(p, "0123456789" LETTERS) >= n;
}

int task_import_hole(const char *source, char **out_name, char **out_prompt, struct err *e)
{
    const char *open = strstr(source, "{{"), *close = open ? strstr(open, "}}") : NULL;
    *out_name = *out_prompt = NULL;
    if (!close || strstr(source, "{%") || strstr(source, "{#") || strstr(open + 2, "{{")) return 0;
    const char *name = open + 2 + strspn(open + 2, " "), *end = close;
    while (end > name && end[-1] == ' ') end--;
    if (!task_import_is_name(name, (size_t)(end - name))) return 0;
    struct buf b;
    buf_init(&b, MAX_TEMPLATE);
    buf_fmt(&b, "%.*s{{input}}%s", (int)(open - source), source, close + 2);
    *out_prompt = buf_take(&b);
    *out_name = *out_prompt ? mem_strndup(name, (size_t)(end - name)) : NULL;
    buf_done(&b);
    if (*out_name) return 0;
    mem_free(*out_prompt);
    *out_prompt = NULL;
    return err_nomem(e, strlen(source));
}

/* ---- values ---- */

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

/* Any value as compact JSON. */
static int put_json(struct buf *out, const json_t *v)
{
    return json_dump_callback(v, add_text, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

int task_import_text(const json_t *v, char **out, struct err *e)
{
    struct buf b;
    *out = NULL;
    if (!json_is_string(v) && !json_is_boolean(v) && !json_is_number(v)) return 0;
    buf_init(&b, json_string_length(v) + 64);
    if (json_is_string(v)) buf_add(&b, json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v)) buf_str(&b, json_is_true(v) ? "True" : "False");
    else put_json(&b, v);
    *out = buf_take(&b);
    buf_done(&b);
    return *out ? 0 : err_nomem(e, json_string_length(v));
}

char *task_import_beside(const struct import *im, const char *name)
{
    const char *slash = strrchr(im->path, '/');
    struct buf b;
    buf_init(&b, 8192);
    if (*name != '/' && slash) buf_add(&b, im->path, (size_t)(slash - im->path) + 1);
    buf_str(&b, name);
    char *s = buf_take(&b);
    buf_done(&b);
    return s;
}

int task_import_put(struct buf *yaml, const char *key, const char *value)
{
    json_t *v = json_string(value);
    buf_str(yaml, key);
    if (v) put_json(yaml, v);
    json_decref(v);
    return v ? buf_char(yaml, '\n') : (yaml->failed = CROFT_E_NOMEM);
}

int task_import_write(const struct import *im, bool own_choices, struct task_imported *out, struct err *e)
{
    size_t i;
    json_t *x;
    buf_str(&out->yaml, "data:\n");
    for (int s = 0; s < 3; s++) {
        const char *name = task_split_name((enum task_split)s);
        out->n[s] = json_array_size(im->examples[s]);
        if (out->n[s] == 0) continue;
        buf_fmt(&out->yaml, "  %s: %s.jsonl\n", name, name);
        json_array_foreach(im->examples[s], i, x) {
            if (put_json(&out->data[s], x) || buf_char(&out->data[s], '\n'))
                return out->data[s].failed ? buf_check(&out->data[s], "data", e) : err_nomem(e, 0);
        }
    }
    if (own_choices) buf_str(&out->yaml, "  columns: {choices: [choices]}\n");
    return buf_check(&out->yaml, "task.yaml", e);
}

/* ---- which tool's? ---- */

static int import_any(struct import *im, struct task_imported *out, struct err *e)
{
    if (json_object_get(im->doc, "doc_to_text") || json_object_get(im->doc, "output_type")) {
        out->from = "lm-eval";
        return task_import_lm_eval(im, out, e);
    }
    if (json_object_get(im->doc, "prompts")) {
        out->from = "promptfoo";
        return task_import_promptfoo(im, out, e);
    }
    return ERR(e, FORMAT,
               "'%s' is neither a task of lm-eval (it has no doc_to_text) nor tests of promptfoo (it has no prompts).",
               im->path);
}

int task_import(const char *path, struct task_imported *out, struct err *e)
{
    json_t *doc = NULL;
    int rc = task_yaml_load(path, &doc, e);
    if (rc) return rc;
    struct import im = {.path = path, .doc = doc};
    struct task_imported t = {0};
    buf_init(&t.yaml, MAX_YAML);
    for (int s = 0; s < 3; s++) buf_init(&t.data[s], MAX_DATA);
    for (int s = 0; s < 3; s++)
        if (!(im.examples[s] = json_array())) rc = err_nomem(e, 0);
    if (rc == 0) rc = import_any(&im, &t, e);
    for (int s = 0; s < 3; s++) json_decref(im.examples[s]);
    mem_free(im.prompt);
    json_decref(doc);
    if (rc) task_imported_done(&t);
    else *out = t;
    return rc;
}

void task_imported_done(struct task_imported *t)
{
    buf_done(&t->yaml);
    for (int s = 0; s < 3; s++) buf_done(&t->data[s]);
}
