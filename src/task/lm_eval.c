/* lm-eval's multiple-choice tasks (import.h). Of one task file:
 *
 *     task: sciq_local
 *     dataset_path: json                          rows of local files, as their names are in dataset_kwargs
 *     dataset_kwargs: {data_files: {test: sciq.jsonl}}
 *     test_split: test
 *     output_type: multiple_choice
 *     doc_to_text: "{{question}}\nAnswer:"        the input: a column, or a template over the row
 *     doc_to_choice: "{{[a, b, c]}}"              the choices: a list, a column, or a template that prints a list
 *     doc_to_target: 0                            the right one: its number, a column or a template with number or text
 *
 * Where all rows have the same choices they become the task's labels; else each example keeps its own.
 * Read next: rows.c. */
#include "base_mem.h"
#include "base_str.h"
#include "import.h"
#include "rows.h"

#include <unistd.h>

enum { MAX_ROWS = 1 << 20, MAX_CHOICES = 256 };

/* A part of a row: fixed, under a column's name, or rendered. */
struct part {
    const char *source;     /* NULL: fixed */
    const json_t *fixed;
    struct tmpl *tmpl;      /* of source; of "{{ (source) | tojson }}" for choices */
};
struct lm_eval {
    struct import *im;
    struct part description, text, choices, target;
    char *column;      /* the input is this column's text, the prompt is im->prompt; else NULL */
    char where[96];    /* "line 3 of test.jsonl" */
};

static const char known[] =
    "task task_alias tag group dataset_path dataset_name dataset_kwargs training_split validation_split test_split "
    "fewshot_split fewshot_delimiter fewshot_config num_fewshot output_type description doc_to_text doc_to_choice "
    "doc_to_target target_delimiter metric_list metadata should_decontaminate doc_to_decontamination_query repeats "
    "generation_kwargs";

static const json_t *get(const struct lm_eval *l, const char *key) { return json_object_get(l->im->doc, key); }

/* ---- settings that must have one value, since another would change the answer ---- */

static int check_metrics(const struct lm_eval *l, struct err *e)
{
    const json_t *list = get(l, "metric_list");
    size_t i;
    json_t *m;
    json_array_foreach((json_t *)list, i, m) {
        const char *name = json_string_value(json_object_get(m, "metric"));
        const char *how = json_string_value(json_object_get(m, "aggregation"));
        if (!name || (strcmp(name, "acc") != 0 && strcmp(name, "acc_norm") != 0))
            return task_import_refuse(l->im, e, "the metric '%.40s' is not computed here", name ? name : "!function");
        if (how && strcmp(how, "mean") != 0)
            return task_import_refuse(l->im, e, "the aggregation '%.40s' is not computed here", how);
    }
    return 0;
}

static int check_settings(const struct lm_eval *l, struct err *e)
{
    const char *type = json_string_value(get(l, "output_type")), *path = json_string_value(get(l, "dataset_path"));
    const json_t *delimiter = get(l, "target_delimiter"), *name = get(l, "dataset_name");
    int rc = task_import_keys(l->im, l->im->doc, known, "the task", e);
    if (rc) return rc;
    if (!type || strcmp(type, "multiple_choice") != 0)
        return task_import_refuse(l->im, e, "output_type is '%.40s', and only multiple_choice is imported",
                                  type ? type : "generate_until");
    if (!path || (strcmp(path, "json") != 0 && strcmp(path, "csv") != 0))
        return task_import_refuse(l->im, e, "dataset_path is '%.80s'; only local files are read (json, csv)",
                                  path ? path : "(none)");
    if (!get(l, "doc_to_target")) return task_import_refuse(l->im, e, "it has no doc_to_target");
    if (name && !json_is_null(name)) return task_import_refuse(l->im, e, "dataset_name chooses a part of a data set");
    if (json_integer_value(get(l, "num_fewshot")) != 0)
        return task_import_refuse(l->im, e, "num_fewshot puts examples into the prompt");
    if (get(l, "repeats") && json_integer_value(get(l, "repeats")) != 1)
        return task_import_refuse(l->im, e, "repeats asks more than once");
    if (json_is_string(delimiter) && strspn(json_string_value(delimiter), " \n\t") != json_string_length(delimiter))
        return task_import_refuse(l->im, e, "target_delimiter is more than space: \"%.40s\"",
                                  json_string_value(delimiter));
    return check_metrics(l, e);
}

/* ---- parts of a row ---- */

static int part_init(struct lm_eval *l, struct part *p, const char *key, struct err *e)
{
    const json_t *v = get(l, key);
    *p = (struct part){0};
    if (!json_is_string(v)) {
        p->fixed = v;
        return 0;
    }
    p->source = json_string_value(v);
    return task_import_template(l->im, p->source, &p->tmpl, e);
}

/* The list that an expression has is asked for as JSON, not as what Python prints. */
static int choices_init(struct lm_eval *l, struct err *e)
{
    const json_t *v = get(l, "doc_to_choice");
    const char *s = json_string_value(v), *end = s ? s + strlen(s) : NULL;
    struct buf b;
    if (!v) return task_import_refuse(l->im, e, "it has no doc_to_choice");
    l->choices = (struct part){.source = s, .fixed = v};
    if (!s || !strstr(s, "{{")) return 0;
    while (end > s && strchr(" \n", end[-1])) end--;
    s += strspn(s, " \n");
    if (!str_starts(s, "{{") || end - s < 4 || memcmp(end - 2, "}}", 2) != 0 || strstr(s + 2, "{{") || strstr(s, "{%"))
        return task_import_refuse(l->im, e, "doc_to_choice is more than one {{ expression }}");
    buf_init(&b, 1 << 20);
    buf_fmt(&b, "{{ (%.*s)|tojson }}", (int)(end - s - 4), s + 2);
    int rc = buf_check(&b, "doc_to_choice", e);
    if (rc == 0) rc = task_import_template(l->im, b.data, &l->choices.tmpl, e);
    buf_done(&b);
    return rc;
}

/* The prompt is the description and doc_to_text. One column in it makes a short input. */
static int prompt_init(struct lm_eval *l, struct err *e)
{
    struct buf b;
    const char *text = l->text.source;
    if (!text) return task_import_refuse(l->im, e, "doc_to_text is not a text");
    buf_init(&b, 1 << 20);
    buf_str(&b, l->description.source ? l->description.source : "");
    buf_fmt(&b, task_import_is_name(text, strlen(text)) ? "{{%s}}" : "%s", text); /* a name alone is a column's */
    int rc = buf_check(&b, "prompt", e);
    if (rc == 0) rc = task_import_hole(b.data, &l->column, &l->im->prompt, e);
    buf_done(&b);
    return rc;
}

/* The text of a part for a row; mem_free. */
static int text_of(const struct lm_eval *l, const struct part *p, const json_t *row, char **out, struct err *e)
{
    const json_t *v = p->source ? json_object_get(row, p->source) : p->fixed;
    *out = NULL;
    if (!v && p->tmpl) return task_import_render(l->im, p->tmpl, row, l->where, out, e);
    int rc = task_import_text(v, out, e);
    if (rc || *out) return rc;
    return task_import_refuse(l->im, e, "%s: '%.60s' is neither text nor a number", l->where,
                              p->source ? p->source : "a fixed part");
}

static int input_of(const struct lm_eval *l, const json_t *row, json_t *x, struct err *e)
{
    struct buf b;
    char *text = NULL, *before = NULL;
    int rc;
    if (l->column) {
        const struct part column = {.source = l->column};
        rc = text_of(l, &column, row, &text, e);
    } else {
        rc = text_of(l, &l->text, row, &text, e);
        if (rc == 0 && *text && strspn(text, "0123456789") == strlen(text))
            rc = task_import_refuse(l->im, e, "%s: doc_to_text is a number, so the choices stand in the input",
                                    l->where);
    }
    if (rc == 0 && !l->column && l->description.source) rc = text_of(l, &l->description, row, &before, e);
    buf_init(&b, 4 << 20);
    if (rc == 0) {
        buf_fmt(&b, "%s%s", before ? before : "", text);
        rc = buf_check(&b, "input", e);
    }
    if (rc == 0 && json_object_set_new(x, "input", json_string(b.data ? b.data : ""))) rc = err_nomem(e, 0);
    buf_done(&b);
    mem_free(text);
    mem_free(before);
    return rc;
}

/* Values as texts. */
static int texts_of(const struct lm_eval *l, const json_t *list, json_t **out, struct err *e)
{
    size_t i;
    json_t *item, *texts = json_array();
    json_array_foreach((json_t *)list, i, item) {
        char *s;
        int rc = task_import_text(item, &s, e);
        if (rc == 0 && !s) rc = task_import_refuse(l->im, e, "%s: choice %zu is no text", l->where, i);
        if (rc == 0 && json_array_append_new(texts, json_string(s))) rc = err_nomem(e, 0);
        mem_free(s);
        if (rc) {
            json_decref(texts);
            return rc;
        }
    }
    for (i = 0; i < json_array_size(texts); i++)
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_array_get(texts, i), json_array_get(texts, j))) {
                json_decref(texts);
                return task_import_refuse(l->im, e, "%s: choices %zu and %zu are the same", l->where, j, i);
            }
    *out = texts;
    return 0;
}

static int choices_of(const struct lm_eval *l, const json_t *row, json_t **out, struct err *e)
{
    const struct part *p = &l->choices;
    json_t *list = NULL, *item;
    char *text = NULL;
    const char *key;
    int rc = 0;
    if (p->tmpl) {
        if ((rc = task_import_render(l->im, p->tmpl, row, l->where, &text, e))) return rc;
        list = json_loads(text, JSON_DECODE_ANY, NULL);
        mem_free(text);
    } else if (p->source) {
        list = json_incref(json_object_get(row, p->source));
    } else if (json_is_object(p->fixed)) {
        list = json_array();
        json_object_foreach((json_t *)p->fixed, key, item) json_array_append(list, item);
    } else {
        list = json_incref((json_t *)p->fixed);
    }
    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > MAX_CHOICES)
        rc = task_import_refuse(l->im, e, "%s: doc_to_choice gives no list of 2 to %d choices", l->where, MAX_CHOICES);
    else
        rc = texts_of(l, list, out, e);
    json_decref(list);
    return rc;
}

/* The right choice: a number counts them from 0, other text is the choice itself. */
static int target_of(const struct lm_eval *l, const json_t *row, const json_t *choices, size_t *out, struct err *e)
{
    char *text = NULL;
    size_t n = json_array_size(choices), i;
    uint64_t number;
    int rc = text_of(l, &l->target, row, &text, e);
    if (rc) return rc;
    if (*text && strspn(text, "0123456789") == strlen(text) && str_to_u64(text, &number)) {
        i = number < n ? (size_t)number : n;
    } else {
        for (i = 0; i < n && strcmp(json_string_value(json_array_get(choices, i)), text) != 0;) i++;
    }
    if (i == n)
        rc = task_import_refuse(l->im, e,
                                *text == '[' ? "%s: several choices are right: %.60s"
                                             : "%s: doc_to_target gives '%.60s', which is none of the choices",
                                l->where, text);
    *out = i;
    mem_free(text);
    return rc;
}

static int add_row(struct lm_eval *l, const json_t *row, json_t *examples, struct err *e)
{
    json_t *x = json_object(), *choices = NULL;
    size_t right = 0;
    if (!x) return err_nomem(e, 0);
    int rc = input_of(l, row, x, e);
    if (rc == 0) rc = choices_of(l, row, &choices, e);
    if (rc == 0) rc = target_of(l, row, choices, &right, e);
    if (rc == 0 && json_array_size(examples) >= MAX_ROWS)
        rc = task_import_refuse(l->im, e, "a data set has more than %d rows", MAX_ROWS);
    if (rc == 0 && (json_object_set(x, "choices", choices) ||
                    json_object_set(x, "label", json_array_get(choices, right)) || json_array_append(examples, x)))
        rc = err_nomem(e, 0);
    json_decref(choices);
    json_decref(x);
    return rc;
}

/* ---- data files ---- */

/* lm-eval looks from where it is run; tasks are written with their files beside them. Here: beside, then from here. */
static int read_file(struct lm_eval *l, const char *name, json_t *examples, struct err *e)
{
    struct task_rows rows;
    char *beside = task_import_beside(l->im, name);
    if (!beside) return err_nomem(e, 0);
    int rc = task_rows_open(&rows, access(beside, R_OK) == 0 ? beside : name, e);
    while (rc == 0) {
        json_t *row;
        if ((rc = task_rows_next(&rows, &row, e)) || !row) break;
        const char *slash = strrchr(name, '/');
        snprintf(l->where, sizeof l->where, "line %lld of %.60s", rows.line, slash ? slash + 1 : name);
        rc = add_row(l, row, examples, e);
        json_decref(row);
    }
    if (rows.file) task_rows_close(&rows);
    mem_free(beside);
    return rc;
}

static int read_split(struct lm_eval *l, const char *key, json_t *examples, struct err *e)
{
    const char *split = json_string_value(get(l, key));
    const json_t *kwargs = get(l, "dataset_kwargs"), *files = json_object_get(kwargs, "data_files");
    if (!split) return 0;
    int rc = task_import_keys(l->im, kwargs, "data_files", "dataset_kwargs", e);
    if (rc) return rc;
    if (json_is_object(files)) files = json_object_get(files, split);
    else if (strcmp(split, "train") != 0) files = NULL; /* without names there is one split, and that is its name */
    if (json_is_string(files)) return read_file(l, json_string_value(files), examples, e);
    size_t i;
    json_t *name;
    if (json_array_size(files) == 0)
        return task_import_refuse(l->im, e, "%s is '%.40s', for which dataset_kwargs.data_files names no file", key,
                                  split);
    json_array_foreach((json_t *)files, i, name) {
        if (!json_is_string(name)) return task_import_refuse(l->im, e, "data_files holds something that is no name");
        if ((rc = read_file(l, json_string_value(name), examples, e))) return rc;
    }
    return 0;
}

/* ---- writing ---- */

/* The choices that all examples have, or NULL. */
static const json_t *common_choices(const struct import *im)
{
    const json_t *first = NULL;
    size_t i;
    json_t *x;
    for (int s = 0; s < 3; s++)
        json_array_foreach(im->examples[s], i, x) {
            const json_t *c = json_object_get(x, "choices");
            if (!first) first = c;
            else if (!json_equal(first, c)) return NULL;
        }
    json_array_foreach((json_t *)first, i, x)
        if (json_string_length(x) == 0 || json_string_length(x) > 255) return NULL;
    return first;
}

static int write_task(struct import *im, struct task_imported *out, struct err *e)
{
    const char *name = json_string_value(json_object_get(im->doc, "task"));
    json_t *common = json_incref((json_t *)common_choices(im)), *x;
    size_t i;
    buf_str(&out->yaml, "# Imported from a task of lm-eval.\n");
    task_import_put(&out->yaml, "name: ", name && *name ? name : "imported");
    buf_str(&out->yaml, "kind: classify\nmetric: accuracy\n");
    if (im->prompt) task_import_put(&out->yaml, "prompt: ", im->prompt);
    if (common) buf_str(&out->yaml, "labels:\n");
    json_array_foreach(common, i, x) task_import_put(&out->yaml, "  - name: ", json_string_value(x));
    for (int s = 0; s < 3 && common; s++) json_array_foreach(im->examples[s], i, x) json_object_del(x, "choices");
    int rc = task_import_write(im, !common, out, e);
    json_decref(common);
    return rc;
}

int task_import_lm_eval(struct import *im, struct task_imported *out, struct err *e)
{
    struct lm_eval l = {.im = im};
    int rc = check_settings(&l, e);
    if (rc == 0) rc = part_init(&l, &l.description, "description", e);
    if (rc == 0) rc = part_init(&l, &l.text, "doc_to_text", e);
    if (rc == 0) rc = part_init(&l, &l.target, "doc_to_target", e);
    if (rc == 0) rc = choices_init(&l, e);
    if (rc == 0) rc = prompt_init(&l, e);
    if (rc == 0) rc = read_split(&l, "training_split", im->examples[TASK_TRAIN], e);
    if (rc == 0) rc = read_split(&l, "validation_split", im->examples[TASK_VALIDATION], e);
    if (rc == 0) rc = read_split(&l, "test_split", im->examples[TASK_TEST], e);
    size_t n = 0;
    for (int s = 0; s < 3; s++) n += json_array_size(im->examples[s]);
    if (rc == 0 && n == 0)
        rc = task_import_refuse(im, e, "no data set has an example");
    if (rc == 0) rc = write_task(im, out, e);
    tmpl_free(l.description.tmpl);
    tmpl_free(l.text.tmpl);
    tmpl_free(l.target.tmpl);
    tmpl_free(l.choices.tmpl);
    mem_free(l.column);
    return rc;
}
