/* promptfoo's tests (import.h). Of one configuration:
 *
 *     prompts: ["Translate to French: {{text}}"]       one; a template over each test's vars
 *     providers: […]                                   what answers is chosen here by -m
 *     defaultTest: {vars: {…}, assert: […]}            added to every test
 *     tests:
 *       - vars: {text: good morning}
 *         assert: [{type: equals, value: bonjour}]     all must hold; a value may be a template over the vars
 *
 * A test whose one check is "equals" becomes an example with that output; others keep their checks (task_expect.h). */
#include "base_mem.h"
#include "base_str.h"
#include "import.h"
#include "task_expect.h"

struct promptfoo {
    struct import *im;
    struct tmpl *prompt;
    char *text;     /* the prompt's source */
    char *variable; /* the prompt has this one alone, and im->prompt is the rest; else NULL */
    char where[32]; /* "test 3" */
};

static const char known[] = "description prompts providers targets tests defaultTest outputPath sharing "
                            "evaluateOptions commandLineOptions metadata tags env $schema writeLatestResults";

static const char test_keys[] = "description vars assert metadata";

/* ---- the prompt ---- */

static int read_prompt_file(struct promptfoo *f, const char *name, struct err *e)
{
    char *path = task_import_beside(f->im, name);
    FILE *file = path ? fopen(path, "r") : NULL;
    struct buf b;
    buf_init(&b, 1 << 20);
    int rc = path ? 0 : err_nomem(e, 0);
    if (rc == 0 && !file) rc = task_import_refuse(f->im, e, "the prompt file '%.100s' cannot be opened", name);
    for (int c; file && (c = getc_unlocked(file)) != EOF && buf_char(&b, (char)c) == 0;) {}
    if (rc == 0) rc = buf_check(&b, name, e);
    if (rc == 0 && b.len && strstr(b.data, "\n---\n"))
        rc = task_import_refuse(f->im, e, "the prompt file '%.100s' holds several prompts", name);
    if (rc == 0 && !(f->text = b.len ? buf_take(&b) : mem_strdup(""))) rc = err_nomem(e, 0);
    if (file) fclose(file);
    mem_free(path);
    buf_done(&b);
    return rc;
}

static int read_prompt(struct promptfoo *f, struct err *e)
{
    const json_t *p = json_object_get(f->im->doc, "prompts");
    if (json_is_array(p) && json_array_size(p) != 1)
        return task_import_refuse(f->im, e, "it has %zu prompts; a task has one. Leave one in 'prompts'",
                                  json_array_size(p));
    if (json_is_array(p)) p = json_array_get(p, 0);
    if (json_is_object(p)) {
        int rc = task_import_keys(f->im, p, "raw label", "the prompt", e);
        if (rc) return rc;
        p = json_object_get(p, "raw");
    }
    const char *s = json_string_value(p);
    if (!s) return task_import_refuse(f->im, e, "its prompt is no text");
    if (str_starts(s, "file://")) {
        if (!str_ends(s, ".txt")) return task_import_refuse(f->im, e, "of prompt files only .txt is read: '%.100s'", s);
        return read_prompt_file(f, s + 7, e);
    }
    if (s[strspn(s, " \n\t")] == '[' && strstr(s, "\"role\""))
        return task_import_refuse(f->im, e, "its prompt is a list of chat messages");
    f->text = mem_strdup(s);
    return f->text ? 0 : err_nomem(e, strlen(s));
}

/* ---- one test ---- */

/* A test's variables on top of the default ones. */
static int vars_of(const struct promptfoo *f, const json_t *usual, const json_t *test, json_t **out, struct err *e)
{
    const char *key;
    json_t *value, *vars = json_object();
    if (!vars) return err_nomem(e, 0);
    if (json_is_object(usual)) json_object_update(vars, (json_t *)usual);
    if (json_is_object(test)) json_object_update(vars, (json_t *)test);
    int rc = 0;
    if ((usual && !json_is_object(usual)) || (test && !json_is_object(test)))
        rc = task_import_refuse(f->im, e, "%s: 'vars' is no list of names with values", f->where);
    json_object_foreach(vars, key, value) {
        if (rc) break;
        if (json_is_array(value))
            rc = task_import_refuse(f->im, e, "%s: the variable '%.40s' is a list, which makes several tests", f->where,
                                    key);
        else if (json_is_string(value) && str_starts(json_string_value(value), "file://"))
            rc = task_import_refuse(f->im, e, "%s: the variable '%.40s' is a file", f->where, key);
    }
    if (rc) json_decref(vars);
    else *out = vars;
    return rc;
}

/* Templates in a check's value are filled with the test's variables. */
static int fill(const struct promptfoo *f, const json_t *value, const json_t *vars, json_t **out, struct err *e)
{
    const char *s = json_string_value(value);
    size_t i;
    json_t *item, *done;
    struct tmpl *t = NULL;
    char *text = NULL;
    if (json_is_array(value)) {
        json_t *list = json_array();
        json_array_foreach((json_t *)value, i, item) {
            int rc = fill(f, item, vars, &done, e);
            if (rc == 0 && json_array_append_new(list, done)) rc = err_nomem(e, 0);
            if (rc == 0) continue;
            json_decref(list);
            return rc;
        }
        *out = list;
        return list ? 0 : err_nomem(e, 0);
    }
    if (s && str_starts(s, "file://")) return task_import_refuse(f->im, e, "%s: a check's value is a file", f->where);
    if (json_is_integer(value) || json_is_boolean(value)) { /* compared as text */
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        *out = json_string(json_is_integer(value) ? number : json_is_true(value) ? "true" : "false");
        return *out ? 0 : err_nomem(e, 0);
    }
    if (!s || !(strstr(s, "{{") || strstr(s, "{%"))) {
        *out = json_incref((json_t *)value);
        return 0;
    }
    int rc = task_import_template(f->im, s, &t, e);
    if (rc == 0) rc = task_import_render(f->im, t, vars, f->where, &text, e);
    if (rc == 0 && !(*out = json_string(text))) rc = err_nomem(e, 0);
    tmpl_free(t);
    mem_free(text);
    return rc;
}

static int add_checks(const struct promptfoo *f, const json_t *asserts, const json_t *vars, json_t *out, struct err *e)
{
    size_t i;
    json_t *a;
    if (asserts && !json_is_array(asserts)) return task_import_refuse(f->im, e, "%s: 'assert' is no list", f->where);
    json_array_foreach((json_t *)asserts, i, a) {
        json_t *value = NULL, *check = json_object();
        const json_t *type = json_object_get(a, "type"), *given = json_object_get(a, "value");
        int rc = json_is_object(a) ? task_import_keys(f->im, a, "type value metric", "a check", e)
                                   : task_import_refuse(f->im, e, "%s: a check is no object", f->where);
        if (rc == 0 && given) rc = fill(f, given, vars, &value, e);
        if (rc == 0 && (!check || json_object_set(check, "type", (json_t *)type) ||
                        (value && json_object_set(check, "value", value)) || json_array_append(out, check)))
            rc = type ? err_nomem(e, 0) : task_import_refuse(f->im, e, "%s: a check has no type", f->where);
        json_decref(value);
        json_decref(check);
        if (rc) return rc;
    }
    return 0;
}

/* What the answer must be: {output} where one text or value is right, else {expect}. */
static int answer_of(const struct promptfoo *f, json_t *checks, json_t *x, struct err *e)
{
    struct err why = {0};
    if (json_array_size(checks) == 0) return task_import_refuse(f->im, e, "%s checks nothing", f->where);
    if (task_expect_valid(checks, &why)) return task_import_refuse(f->im, e, "%s: %s", f->where, why.msg);
    const json_t *only = json_array_size(checks) == 1 ? json_array_get(checks, 0) : NULL;
    const char *type = json_string_value(json_object_get(only, "type"));
    bool equals = type && strcmp(type, "equals") == 0;
    if (json_object_set(x, equals ? "output" : "expect", equals ? json_object_get(only, "value") : checks))
        return err_nomem(e, 0);
    return 0;
}

static int input_of(const struct promptfoo *f, const json_t *vars, json_t *x, struct err *e)
{
    char *text = NULL;
    int rc = 0;
    if (f->variable) rc = task_import_text(json_object_get(vars, f->variable), &text, e);
    else rc = task_import_render(f->im, f->prompt, vars, f->where, &text, e);
    if (rc == 0 && !text)
        rc = task_import_refuse(f->im, e, "%s: the prompt's variable '%.40s' is no text", f->where, f->variable);
    if (rc == 0 && json_object_set_new(x, "input", json_string(text))) rc = err_nomem(e, 0);
    mem_free(text);
    return rc;
}

static int add_test(struct promptfoo *f, const json_t *test, const json_t *usual, struct err *e)
{
    json_t *x = json_object(), *checks = json_array(), *vars = NULL;
    int rc = x && checks ? 0 : err_nomem(e, 0);
    if (rc == 0 && !json_is_object(test)) rc = task_import_refuse(f->im, e, "%s is no object", f->where);
    if (rc == 0) rc = task_import_keys(f->im, test, test_keys, f->where, e);
    if (rc == 0) rc = vars_of(f, json_object_get(usual, "vars"), json_object_get(test, "vars"), &vars, e);
    if (rc == 0) rc = add_checks(f, json_object_get(usual, "assert"), vars, checks, e);
    if (rc == 0) rc = add_checks(f, json_object_get(test, "assert"), vars, checks, e);
    if (rc == 0) rc = input_of(f, vars, x, e);
    if (rc == 0) rc = answer_of(f, checks, x, e);
    if (rc == 0 && json_array_append(f->im->examples[TASK_TEST], x)) rc = err_nomem(e, 0);
    json_decref(vars);
    json_decref(checks);
    json_decref(x);
    return rc;
}

/* ---- the file ---- */

static int add_tests(struct promptfoo *f, struct err *e)
{
    const json_t *tests = json_object_get(f->im->doc, "tests"), *usual = json_object_get(f->im->doc, "defaultTest");
    size_t i;
    json_t *test;
    if (usual && !json_is_object(usual)) return task_import_refuse(f->im, e, "defaultTest is a file");
    int rc = task_import_keys(f->im, usual, test_keys, "defaultTest", e);
    if (rc == 0 && json_array_size(tests) == 0)
        rc = task_import_refuse(f->im, e, json_is_string(tests) ? "its tests are in another file" : "it has no tests");
    json_array_foreach((json_t *)tests, i, test) {
        if (rc) break;
        snprintf(f->where, sizeof f->where, "test %zu", i + 1);
        rc = add_test(f, test, usual, e);
    }
    return rc;
}

/* The file's name without folder and ending: promptfoo's files have no name of their own. */
static int put_name(const struct import *im, struct buf *yaml)
{
    const char *slash = strrchr(im->path, '/'), *name = slash ? slash + 1 : im->path, *dot = strrchr(name, '.');
    char stem[128];
    snprintf(stem, sizeof stem, "%.*s", (int)(dot && dot > name ? dot - name : (long)strlen(name)), name);
    return task_import_put(yaml, "name: ", stem);
}

int task_import_promptfoo(struct import *im, struct task_imported *out, struct err *e)
{
    struct promptfoo f = {.im = im};
    int rc = task_import_keys(im, im->doc, known, "the configuration", e);
    if (rc == 0) rc = read_prompt(&f, e);
    if (rc == 0) rc = task_import_hole(f.text, &f.variable, &im->prompt, e);
    if (rc == 0) rc = task_import_template(im, f.text, &f.prompt, e);
    if (rc == 0) rc = add_tests(&f, e);
    if (rc == 0) {
        buf_str(&out->yaml, "# Imported from tests of promptfoo.\n");
        put_name(im, &out->yaml);
        buf_str(&out->yaml, "kind: generate\nmetric: exact_match\n");
        if (im->prompt) task_import_put(&out->yaml, "prompt: ", im->prompt);
        rc = task_import_write(im, false, out, e);
    }
    tmpl_free(f.prompt);
    mem_free(f.text);
    mem_free(f.variable);
    return rc;
}
