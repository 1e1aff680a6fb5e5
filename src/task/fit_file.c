/* The file of a fit (task_fit.h):
 *
 *     {"format": "croft-fit-1", "task": NAME, "model": FINGERPRINT, "labels": [NAME, …], "n_examples": N,
 *      "bias": [n_labels], "weight": [[n_embd], …]}          without "weight": a prior
 *
 * Written whole or not at all; numbers with nine digits, which a float needs to come back the same. */
#include "task_fit.h"
#include "base_buf.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "plat_file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, PLACES = 256, PIECE = 4096, MAX_EMBD = 1 << 16 };
static const char format[] = "croft-fit-1";

int task_fit_fingerprint(const char *path, char out[65], struct err *e)
{
    struct plat_map m;
    int rc = plat_map_open(&m, path);
    if (rc) return err_errno(e, -rc, "read", path);
    struct sha256 *s = sha256_new();
    uint64_t size = m.size;
    if (s) {
        sha256_add(s, &size, sizeof size);
        for (uint64_t i = 0; i < PLACES && m.size; i++) {
            size_t at = m.size > PIECE ? (size_t)((m.size - PIECE) * i / (PLACES - 1)) : 0;
            sha256_add(s, m.data + at, m.size - at < PIECE ? m.size - at : PIECE);
        }
        sha256_hex(s, out);
    }
    plat_map_close(&m);
    return s ? 0 : err_nomem(e, 0);
}

char *task_fit_path(const char *model_path, const char *task_name)
{
    size_t n = strlen(model_path);
    struct buf b;
    if (n > 5 && strcmp(model_path + n - 5, ".gguf") == 0) n -= 5;
    buf_init(&b, 1 << 16);
    buf_add(&b, model_path, n);
    buf_fmt(&b, ".%s.fit.json", task_name);
    char *path = buf_take(&b);
    buf_done(&b);
    return path;
}

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

static void add_numbers(struct buf *b, const float *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) buf_fmt(b, "%s%.9g", i ? ", " : "[", (double)x[i]);
    buf_str(b, "]");
}

static json_t *names_of(const struct task *t)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < t->n_labels; i++) json_array_append_new(names, json_string(t->labels[i].name));
    return names;
}

int task_fit_save(const struct task_fit *f, const struct task *t, const char *model_path, const char *path,
                  struct err *e)
{
    char print[65];
    struct buf b;
    int rc = task_fit_fingerprint(model_path, print, e);
    if (rc) return rc;
    json_t *head = json_pack("{s:s s:s s:s s:o s:i}", "format", format, "task", t->name, "model", print, "labels",
                             names_of(t), "n_examples", (int)f->n_examples);
    buf_init(&b, MAX_FILE);
    bool whole = head && json_dump_callback(head, add_text, &b, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0;
    json_decref(head);
    if (!whole) {
        buf_done(&b);
        return err_nomem(e, 0);
    }
    b.len -= 2; /* the closing "\n}" comes later */
    buf_str(&b, ",\n \"bias\": ");
    add_numbers(&b, f->bias, f->n_labels);
    for (unsigned k = 0; k < f->n_labels && f->n_embd; k++) {
        buf_str(&b, k ? ",\n  " : ",\n \"weight\": [\n  ");
        add_numbers(&b, f->weight + (size_t)k * f->n_embd, f->n_embd);
    }
    buf_str(&b, f->n_embd ? "]\n}\n" : "\n}\n");
    rc = buf_check(&b, "fit", e);
    if (!rc && (rc = plat_file_write(path, b.data, b.len))) rc = err_errno(e, -rc, "write", path);
    buf_done(&b);
    return rc;
}

static bool read_numbers(const json_t *a, float *out, size_t n)
{
    if (!json_is_array(a) || json_array_size(a) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(a, i);
        if (!json_is_number(x) || !isfinite(json_number_value(x))) return false;
        out[i] = (float)json_number_value(x);
    }
    return true;
}

static int damaged(struct err *e, const char *path)
{
    return ERR(e, FORMAT, "'%s' is not a fit that 'croft task fit' wrote. Make it again.", path);
}

static int read_fit(const json_t *o, const struct task *t, const char *path, struct task_fit *out, struct err *e)
{
    const json_t *weight = json_object_get(o, "weight");
    struct task_fit f = {.n_labels = t->n_labels};
    f.n_examples = (unsigned)json_integer_value(json_object_get(o, "n_examples"));
    f.n_embd = (unsigned)json_array_size(json_array_get(weight, 0));
    if (weight && (f.n_embd == 0 || f.n_embd > MAX_EMBD)) return damaged(e, path);
    f.bias = mem_calloc(f.n_labels, sizeof *f.bias);
    f.weight = mem_calloc((size_t)f.n_labels * f.n_embd, sizeof *f.weight);
    int rc = f.bias && f.weight ? 0 : err_nomem(e, (size_t)f.n_labels * f.n_embd * sizeof *f.weight);
    if (!rc && !read_numbers(json_object_get(o, "bias"), f.bias, f.n_labels)) rc = damaged(e, path);
    if (!rc && weight && json_array_size(weight) != f.n_labels) rc = damaged(e, path);
    for (unsigned k = 0; k < f.n_labels && weight && !rc; k++)
        if (!read_numbers(json_array_get(weight, k), f.weight + (size_t)k * f.n_embd, f.n_embd))
            rc = damaged(e, path);
    if (rc)
        task_fit_done(&f);
    else
        *out = f;
    return rc;
}

int task_fit_load(const struct task *t, const char *model_path, const char *path, struct task_fit *out, struct err *e)
{
    struct plat_map m;
    char print[65];
    int rc = plat_map_open(&m, path);
    if (rc == -ENOENT) return ERR(e, NOT_FOUND, "There is no fit '%s'.", path);
    if (rc) return err_errno(e, -rc, "read", path);
    json_t *o = m.size <= MAX_FILE ? json_loadb((const char *)m.data, m.size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    plat_map_close(&m);
    const char *kind = json_string_value(json_object_get(o, "format"));
    const char *model = json_string_value(json_object_get(o, "model"));
    json_t *names = names_of(t);
    if (!kind || strcmp(kind, format) || !model) rc = damaged(e, path);
    if (!rc) rc = task_fit_fingerprint(model_path, print, e);
    if (!rc && strcmp(print, model))
        rc = ERR(e, DIGEST, "'%s' was fitted to other weights than those of '%s'. Run 'croft task fit' again.", path,
                 model_path);
    if (!rc && !json_equal(names, json_object_get(o, "labels")))
        rc = ERR(e, DIGEST, "'%s' was fitted to other labels than the task has now. Run 'croft task fit' again.",
                 path);
    if (!rc) rc = read_fit(o, t, path, out, e);
    json_decref(names);
    json_decref(o);
    return rc;
}
