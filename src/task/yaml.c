/* One value of a YAML file as JSON: a JSON Schema inside task.yaml has no fixed keys, so libcyaml cannot bind
 * it to a struct. Uses libyaml's document tree, which libcyaml stands on. Plain scalars follow YAML 1.2's
 * core schema (task_yaml.h); quoted ones are strings. Bounds: depth and the number of nodes (task.c has refused aliases
 * before this runs). */
#include "task_yaml.h"
#include "base_mem.h"
#include "base_str.h"

#include <errno.h>
#include <jansson.h>
#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_VISITS = 100000, MAX_JSON = 1 << 20 };

struct task_yaml_lines {
    struct entry {
        const json_t *parent;
        const char *key; /* a member's, borrowed from the parent; NULL: an item's */
        size_t index;
        int line;
    } *list;
    size_t n, cap;
};

struct walk {
    yaml_document_t *doc;
    struct task_yaml_lines *lines; /* NULL: nobody asks */
    int visits;
    bool unusable;              /* too deep, too large, or a key is no text */
    const yaml_node_t *foreign; /* the node with a tag that is not YAML's own, if there is one */
    const yaml_node_t *twice;   /* a key that its mapping has already */
};

/* "true" for "true", "True" and "TRUE": the three ways that the core schema knows to write a word. */
static bool is_word(const char *s, const char *word)
{
    if (strcmp(s, word) == 0) return true;
    if (s[0] != word[0] - 'a' + 'A') return false;
    if (strcmp(s + 1, word + 1) == 0) return true;
    for (s++, word++; *s && *s == *word - 'a' + 'A'; s++) word++;
    return !*s && !*word;
}

/* 0x3A, 0o7: without a sign, and only digits of the base. */
static bool is_based(const char *s, int64_t *out)
{
    int base = strncmp(s, "0x", 2) == 0 ? 16 : strncmp(s, "0o", 2) == 0 ? 8 : 0;
    size_t n = base ? strspn(s + 2, base == 16 ? "0123456789abcdefABCDEF" : "01234567") : 0;
    if (n == 0 || s[2 + n]) return false;
    errno = 0;
    *out = strtoll(s + 2, NULL, base);
    return errno == 0;
}

static json_t *scalar(const yaml_node_t *n)
{
    const char *s = (const char *)n->data.scalar.value;
    int64_t i;
    double d;
    if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        if (!*s || strcmp(s, "~") == 0 || is_word(s, "null")) return json_null();
        if (is_word(s, "true")) return json_true();
        if (is_word(s, "false")) return json_false();
        if (str_to_i64(s, &i) || is_based(s, &i)) return json_integer(i);
        if (str_to_f64(s, &d)) return json_real(d);
    }
    return json_stringn(s, n->data.scalar.length);
}

static bool note_line(struct walk *w, const json_t *parent, const char *key, size_t index, int id)
{
    struct task_yaml_lines *l = w->lines;
    if (!l) return true;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct entry *list = mem_realloc(l->list, cap * sizeof *list);
        if (!list) return false;
        l->list = list;
        l->cap = cap;
    }
    int line = (int)yaml_document_get_node(w->doc, id)->start_mark.line + 1;
    l->list[l->n++] = (struct entry){parent, key, index, line};
    return true;
}

/* The object's own copy of a key, which lives as long as the member does. */
static const char *member_key(json_t *o, const char *key) { return json_object_iter_key(json_object_iter_at(o, key)); }

/* NULL: w says why; if it does not, memory ran out. */
static json_t *convert(struct walk *w, int id, int depth)
{
    yaml_node_t *n = yaml_document_get_node(w->doc, id);
    if (!n || depth > MAX_DEPTH || ++w->visits > MAX_VISITS) {
        w->unusable = true;
        return NULL;
    }
    if (n->tag && n->tag[0] == '!') {
        w->foreign = n;
        return NULL;
    }
    if (n->type == YAML_SCALAR_NODE) return scalar(n);
    bool list = n->type == YAML_SEQUENCE_NODE;
    json_t *out = list ? json_array() : json_object();
    if (list) {
        for (yaml_node_item_t *i = n->data.sequence.items.start; out && i < n->data.sequence.items.top; i++) {
            json_t *v = convert(w, *i, depth + 1);
            if (v && json_array_append_new(out, v) == 0 && note_line(w, out, NULL, json_array_size(out) - 1, *i))
                continue;
            json_decref(out);
            return NULL;
        }
        return out;
    }
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; out && p < n->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_document_get_node(w->doc, p->key);
        bool named = key && key->type == YAML_SCALAR_NODE;
        json_t *v = named ? convert(w, p->value, depth + 1) : NULL;
        if (!named) w->unusable = true;
        if (named && json_object_getn(out, (const char *)key->data.scalar.value, key->data.scalar.length)) {
            w->twice = key;
            json_decref(v);
            json_decref(out);
            return NULL;
        }
        if (v &&
            json_object_setn_new(out, (const char *)key->data.scalar.value, key->data.scalar.length, v) == 0 &&
            note_line(w, out, member_key(out, (const char *)key->data.scalar.value), 0, p->key))
            continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

/* The node under `key` of the top mapping, or 0. */
static int find(yaml_document_t *doc, const char *key)
{
    yaml_node_t *root = yaml_document_get_root_node(doc);
    if (!root || root->type != YAML_MAPPING_NODE) return 0;
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        yaml_node_t *k = yaml_document_get_node(doc, p->key);
        if (k && k->type == YAML_SCALAR_NODE && strcmp((const char *)k->data.scalar.value, key) == 0)
            return p->value;
    }
    return 0;
}

static int not_converted(const struct walk *w, const char *path, const char *what, struct err *e)
{
    const yaml_node_t *n = w->foreign;
    if (w->twice)
        return err_set(e, CROFT_E_FORMAT, path, (long long)w->twice->start_mark.line + 1,
                       "'%s': '%.60s' in line %zu stands there for the second time.", path,
                       (const char *)w->twice->data.scalar.value, w->twice->start_mark.line + 1);
    if (!n && !w->unusable) return err_nomem(e, 0);
    if (!n) return ERR(e, FORMAT, "%s in '%s' is too deep or too large, or has a key that is no text.", what, path);
    long long line = (long long)n->start_mark.line + 1;
    return err_set(e, CROFT_E_UNSUPPORTED, path, line, "The tag '%.40s' in line %lld of '%s' means nothing here.",
                   (const char *)n->tag, line, path);
}

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

static int value_text(struct walk *w, int id, const char *path, const char *key, char **out, struct err *e)
{
    struct buf b;
    json_t *v = convert(w, id, 0);
    if (!v) return not_converted(w, path, key, e);
    buf_init(&b, MAX_JSON);
    int rc = json_is_string(v) ? buf_str(&b, json_string_value(v))
                               : json_dump_callback(v, add_text, &b, JSON_COMPACT | JSON_ENCODE_ANY);
    if (rc)
        rc = buf_check(&b, key, e) ? e->code : err_nomem(e, 0);
    else
        *out = buf_take(&b);
    buf_done(&b);
    json_decref(v);
    return rc;
}

/* Parse a file; on success the document is the caller's to delete. */
static int parse_file(const char *path, yaml_document_t *doc, struct err *e)
{
    FILE *f = fopen(path, "r");
    if (!f) return err_errno(e, errno, "open", path);
    yaml_parser_t parser;
    int rc = 0;
    if (!yaml_parser_initialize(&parser)) {
        fclose(f);
        return err_nomem(e, 0);
    }
    yaml_parser_set_input_file(&parser, f);
    if (!yaml_parser_load(&parser, doc))
        rc = err_set(e, CROFT_E_FORMAT, path, (long long)parser.problem_mark.line + 1, "'%s' is not YAML: %s.", path,
                     parser.problem ? parser.problem : "it cannot be parsed");
    yaml_parser_delete(&parser);
    fclose(f);
    return rc;
}

int task_yaml_value(const char *path, const char *key, char **out, struct err *e)
{
    yaml_document_t doc;
    int rc = parse_file(path, &doc, e);
    if (rc) return rc;
    int id = find(&doc, key);
    struct walk w = {.doc = &doc};
    if (id) rc = value_text(&w, id, path, key, out, e);
    yaml_document_delete(&doc);
    return rc;
}

int task_yaml_load_lines(const char *path, json_t **out, struct task_yaml_lines **out_lines, struct err *e)
{
    yaml_document_t doc;
    struct task_yaml_lines *lines = NULL;
    if (out_lines && !(lines = mem_calloc(1, sizeof *lines))) return err_nomem(e, sizeof *lines);
    int rc = parse_file(path, &doc, e);
    if (rc) {
        task_yaml_lines_free(lines);
        return rc;
    }
    yaml_node_t *root = yaml_document_get_root_node(&doc);
    struct walk w = {.doc = &doc, .lines = lines};
    json_t *v = root && root->type == YAML_MAPPING_NODE ? convert(&w, 1, 0) : NULL;
    if (!root || root->type != YAML_MAPPING_NODE)
        rc = ERR(e, FORMAT, "'%s' must hold names with values.", path);
    else if (!v)
        rc = not_converted(&w, path, "What stands", e);
    yaml_document_delete(&doc);
    if (rc) {
        task_yaml_lines_free(lines);
        return rc;
    }
    *out = v;
    if (out_lines) *out_lines = lines;
    return 0;
}

int task_yaml_load(const char *path, json_t **out, struct err *e)
{
    return task_yaml_load_lines(path, out, NULL, e);
}

void task_yaml_lines_free(struct task_yaml_lines *l)
{
    if (!l) return;
    mem_free(l->list);
    mem_free(l);
}

int task_yaml_line(const struct task_yaml_lines *l, const json_t *parent, const char *key, size_t index)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *x = &l->list[i];
        if (x->parent != parent || !x->key != !key) continue;
        if (key ? strcmp(x->key, key) == 0 : x->index == index) return x->line;
    }
    return 0;
}
