/* task.yaml to `struct task`, through libcyaml: the schema below is the format. libcyaml reports errors only by
 * its log function, so the first error line it logs becomes the sentence in `struct err`.
 * Read next: yaml.c (the JSON Schema inside), data.c, eval.c. */
#include "task_task.h"
#include "base_buf.h"
#include "base_mem.h"
#include "task_yaml.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>

enum { MAX_LABELS = 4096, MAX_TEXT = 1 << 20, MAX_COLUMN = 1 << 16, MAX_CHOICES = 256 };

static const cyaml_strval_t kinds[] = {
    {"classify", TASK_CLASSIFY}, {"extract", TASK_EXTRACT}, {"generate", TASK_GENERATE}, {"embed", TASK_EMBED}};
static const cyaml_strval_t metrics[] = {{"accuracy", TASK_ACCURACY},
                                         {"macro_f1", TASK_MACRO_F1},
                                         {"exact_match", TASK_EXACT_MATCH},
                                         {"field_f1", TASK_FIELD_F1}};

static const cyaml_schema_field_t label_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct task_label, name, 1, 255),
    CYAML_FIELD_STRING_PTR("description", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct task_label, description, 0,
                           MAX_TEXT),
    CYAML_FIELD_END};
static const cyaml_schema_value_t label_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct task_label, label_fields)};

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
static const cyaml_schema_value_t name_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, MAX_COLUMN)};
static const cyaml_schema_field_t column_fields[] = {
    CYAML_FIELD_STRING_PTR("input", OPTIONAL, struct task_columns, input, 1, MAX_COLUMN),
    CYAML_FIELD_STRING_PTR("label", OPTIONAL, struct task_columns, label, 1, MAX_COLUMN),
    CYAML_FIELD_STRING_PTR("output", OPTIONAL, struct task_columns, output, 1, MAX_COLUMN),
    CYAML_FIELD_STRING_PTR("group", OPTIONAL, struct task_columns, group, 1, MAX_COLUMN),
    CYAML_FIELD_SEQUENCE_COUNT("choices", OPTIONAL, struct task_columns, choices, n_choices, &name_value, 1,
                               MAX_CHOICES),
    CYAML_FIELD_END};
static const cyaml_schema_field_t data_fields[] = {
    CYAML_FIELD_STRING_PTR("train", OPTIONAL, struct task_data, train, 1, 4096),
    CYAML_FIELD_STRING_PTR("validation", OPTIONAL, struct task_data, validation, 1, 4096),
    CYAML_FIELD_STRING_PTR("test", OPTIONAL, struct task_data, test, 1, 4096),
    CYAML_FIELD_MAPPING_PTR("columns", OPTIONAL, struct task_data, columns, column_fields),
    CYAML_FIELD_END};

static const cyaml_schema_field_t task_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct task, name, 1, 255),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct task, kind, kinds, CYAML_ARRAY_LEN(kinds)),
    CYAML_FIELD_STRING_PTR("system", OPTIONAL, struct task, system, 0, MAX_TEXT),
    CYAML_FIELD_STRING_PTR("prompt", OPTIONAL, struct task, prompt, 1, MAX_TEXT),
    CYAML_FIELD_SEQUENCE_COUNT("labels", OPTIONAL, struct task, labels, n_labels, &label_value, 1, MAX_LABELS),
    CYAML_FIELD_IGNORE("schema", CYAML_FLAG_OPTIONAL), /* any shape: yaml.c */
    CYAML_FIELD_MAPPING_PTR("data", OPTIONAL, struct task, data, data_fields),
    CYAML_FIELD_ENUM("metric", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct task, metric, metrics,
                     CYAML_ARRAY_LEN(metrics)),
    CYAML_FIELD_FLOAT("floor", CYAML_FLAG_OPTIONAL, struct task, floor),
    CYAML_FIELD_FLOAT("latency_ms", CYAML_FLAG_OPTIONAL, struct task, latency_ms),
    CYAML_FIELD_STRING_PTR("sensitivity", OPTIONAL, struct task, sensitivity, 1, 255),
    CYAML_FIELD_END};
static const cyaml_schema_value_t task_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct task, task_fields)};

/* libcyaml logs "Load: Unexpected key: foo" and then a backtrace with lines; keep the first and the first line. */
struct complaint {
    char text[200];
    int line;
};

static void note_complaint(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct complaint *c = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR) return;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = 0;
    const char *at = strstr(line, "(line: ");
    if (at && c->line == 0) sscanf(at, "(line: %d", &c->line);
    if (c->text[0] == 0) {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        snprintf(c->text, sizeof c->text, "%s", text);
    }
}

static void *cyaml_memory(void *ctx, void *p, size_t n)
{
    if (n == 0) {
        mem_free(p);
        return NULL;
    }
    return mem_realloc(p, n);
}

/* No aliases: libcyaml expands them, and twenty lines can stand for a billion values. */
static cyaml_config_t config_for(struct complaint *c)
{
    return (cyaml_config_t){.log_fn = note_complaint, .log_ctx = c, .log_level = CYAML_LOG_ERROR,
                            .mem_fn = cyaml_memory, .flags = CYAML_CFG_NO_ALIAS};
}

void task_free(struct task *t)
{
    struct complaint c = {0};
    cyaml_config_t config = config_for(&c);
    if (!t) return;
    mem_free(t->schema);
    cyaml_free(&config, &task_value, t, 0);
}

int task_label_find(const struct task *t, const char *name)
{
    for (unsigned i = 0; i < t->n_labels; i++)
        if (strcmp(t->labels[i].name, name) == 0) return (int)i;
    return -1;
}

/* Make *p relative to the folder of `file`. */
static int resolve(char **p, const char *file, struct err *e)
{
    const char *slash = strrchr(file, '/');
    if (!*p || **p == '/' || !slash) return 0;
    struct buf b;
    buf_init(&b, 8192);
    buf_add(&b, file, (size_t)(slash - file) + 1);
    buf_str(&b, *p);
    char *joined = buf_take(&b);
    if (!joined) {
        int rc = buf_check(&b, "path", e);
        buf_done(&b);
        return rc ? rc : err_nomem(e, 0);
    }
    mem_free(*p);
    *p = joined;
    return 0;
}

static int check(const struct task *t, const char *path, struct err *e)
{
    bool own_choices = t->data && t->data->columns && t->data->columns->n_choices;
    if (own_choices && (t->kind != TASK_CLASSIFY || t->n_labels))
        return ERR(e, FORMAT, "The task '%s' has `choices` among its columns, so it must classify, without `labels`.",
                   path);
    if (t->kind == TASK_CLASSIFY && t->n_labels < 2 && !own_choices)
        return ERR(e, FORMAT, "The task '%s' classifies but names fewer than two labels. Add `labels`.", path);
    for (unsigned i = 0; i < t->n_labels; i++)
        if (task_label_find(t, t->labels[i].name) != (int)i)
            return ERR(e, FORMAT, "The task '%s' names the label '%s' twice.", path, t->labels[i].name);
    if (t->kind == TASK_EXTRACT && !t->schema)
        return ERR(e, FORMAT, "The task '%s' extracts but has no `schema`.", path);
    if (t->prompt && !strstr(t->prompt, "{{input}}"))
        return ERR(e, FORMAT, "The prompt of task '%s' does not contain {{input}}.", path);
    if (!(t->floor >= 0 && t->floor <= 1))
        return ERR(e, FORMAT, "The floor of task '%s' is not between 0 and 1.", path);
    return 0;
}

/* `schema: FILE`: the file's text takes the place of its name. */
static int read_schema(struct task *t, const char *path, struct err *e)
{
    int rc = resolve(&t->schema, path, e);
    if (rc) return rc;
    FILE *f = fopen(t->schema, "r");
    if (!f) return err_errno(e, errno, "open the schema", t->schema);
    struct buf text;
    json_error_t je = {.line = 1, .text = "it is longer than 1 MiB"};
    buf_init(&text, MAX_TEXT);
    for (int c; (c = getc_unlocked(f)) != EOF && buf_char(&text, (char)c) == 0;) {}
    json_t *v = text.failed ? NULL : json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &je);
    if (text.failed == CROFT_E_NOMEM) rc = err_nomem(e, text.len);
    else if (!json_is_object(v))
        rc = err_set(e, CROFT_E_FORMAT, t->schema, je.line, "The schema '%s' is not a JSON object: %s.", t->schema,
                     v ? "it is a list" : je.text);
    if (rc == 0) {
        mem_free(t->schema);
        t->schema = buf_take(&text);
    }
    json_decref(v);
    buf_done(&text);
    fclose(f);
    return rc;
}

int task_load(const char *path, struct task **out, struct err *e)
{
    FILE *f = fopen(path, "r"); /* libcyaml does not say why a file cannot be opened */
    if (!f) return err_errno(e, errno, "open the task", path);
    fclose(f);
    struct complaint c = {0};
    cyaml_config_t config = config_for(&c);
    struct task *t = NULL;
    cyaml_err_t y = cyaml_load_file(path, &config, &task_value, (cyaml_data_t **)&t, NULL);
    if (y == CYAML_ERR_OOM) return err_nomem(e, 0);
    if (y == CYAML_ERR_ALIAS)
        return err_set(e, CROFT_E_FORMAT, path, c.line,
                       "The task '%s' uses a YAML alias in line %d; write the value out.", path, c.line);
    if (y != CYAML_OK)
        return err_set(e, CROFT_E_FORMAT, path, c.line, "The task '%s' cannot be read: %s (line %d).", path,
                       c.text[0] ? c.text : cyaml_strerror(y), c.line);
    if (!t) return ERR(e, FORMAT, "The task '%s' is empty. Give it at least a name and a kind.", path);
    int rc = task_yaml_value(path, "schema", &t->schema, e);
    if (rc == 0) rc = check(t, path, e);
    if (rc == 0 && t->data) {
        if (!(rc = resolve(&t->data->train, path, e)) && !(rc = resolve(&t->data->validation, path, e)))
            rc = resolve(&t->data->test, path, e);
    }
    if (rc == 0 && t->schema && t->schema[0] != '{') rc = read_schema(t, path, e);
    if (rc) task_free(t);
    else *out = t;
    return rc;
}
