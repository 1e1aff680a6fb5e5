/* Files beside the weights (beside.h). The frame is a small JSON object that jansson makes; long lists of numbers go
 * behind its members as text, so that a file of a million numbers is not a tree of a million objects first.
 * Stateless. Read next: fit_file.c, calib_file.c. */
#include "beside.h"
#include "base_mem.h"
#include "model_gguf.h"
#include "plat_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>

char *task_beside_path(const struct task_beside_kind *k, const char *model_path, const char *task_name)
{
    size_t n = strlen(model_path);
    struct buf b;
    if (n > 5 && strcmp(model_path + n - 5, ".gguf") == 0) n -= 5;
    buf_init(&b, 1 << 16);
    buf_add(&b, model_path, n);
    buf_fmt(&b, ".%s%s", task_name, k->suffix);
    char *path = buf_take(&b);
    buf_done(&b);
    return path;
}

/* ---- writing ---- */

static int add_text(const char *text, size_t n, void *ctx) { return buf_add(ctx, text, n); }

int task_beside_begin(const struct task_beside_kind *k, const char *task_name, const char *model_path, json_t *more,
                      struct buf *out, struct err *e)
{
    char print[65];
    int rc = gguf_fingerprint_of(model_path, print, e);
    json_t *head = rc ? NULL : json_pack("{s:s s:s s:s}", "format", k->format, "task", task_name, "model", print);
    buf_init(out, k->max_bytes);
    bool whole = head && more && json_object_update(head, more) == 0 &&
                 json_dump_callback(head, add_text, out, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0;
    json_decref(head);
    json_decref(more);
    if (whole)
        out->len -= 2; /* the closing "\n}" comes later */
    else
        buf_done(out);
    return rc ? rc : whole ? 0 : err_nomem(e, 0);
}

int task_beside_end(const struct task_beside_kind *k, const char *path, struct buf *b, struct err *e)
{
    buf_str(b, "\n}\n");
    int rc = buf_check(b, k->noun, e);
    if (!rc && (rc = plat_file_write(path, b->data, b->len))) rc = err_errno(e, -rc, "write", path);
    buf_done(b);
    return rc;
}

static void add_list(struct buf *b, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) buf_fmt(b, "%s%.9g", i ? ", " : "[", (double)x[i]);
    buf_str(b, n ? "]" : "[]");
}

void task_beside_add_numbers(struct buf *b, const char *key, const float *x, size_t n)
{
    buf_fmt(b, ",\n \"%s\": ", key);
    add_list(b, x, n);
}

void task_beside_add_rows(struct buf *b, const char *key, const float *x, size_t n_rows, size_t n)
{
    buf_fmt(b, ",\n \"%s\": [", key);
    for (size_t i = 0; i < n_rows; i++) {
        buf_str(b, i ? ",\n  " : "\n  ");
        add_list(b, x + i * n, n);
    }
    buf_str(b, "]");
}

/* ---- reading ---- */

int task_beside_damaged(const struct task_beside_kind *k, const char *path, struct err *e)
{
    return ERR(e, FORMAT, "'%s' is not a %s that '%s' wrote. Make it again.", path, k->noun, k->command);
}

int task_beside_read(const struct task_beside_kind *k, const char *path, const char *model_path, json_t **out,
                     struct err *e)
{
    struct plat_map m;
    char print[65];
    int rc = plat_map_open(&m, path);
    if (rc == -ENOENT) return ERR(e, NOT_FOUND, "There is no %s '%s'.", k->noun, path);
    if (rc) return err_errno(e, -rc, "read", path);
    json_t *o =
        m.size <= k->max_bytes ? json_loadb((const char *)m.data, m.size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    plat_map_close(&m);
    const char *format = json_string_value(json_object_get(o, "format"));
    const char *model = json_string_value(json_object_get(o, "model"));
    if (format && strcmp(format, k->before) == 0)
        rc = ERR(e, DIGEST,
                 "The %s '%s' is of an earlier Croft, which knew weights by a sample of their bytes and would not see "
                 "every change. Run '%s' again.",
                 k->noun, path, k->command);
    else if (!format || strcmp(format, k->format) || !model) rc = task_beside_damaged(k, path, e);
    if (!rc) rc = gguf_fingerprint_of(model_path, print, e);
    if (!rc && strcmp(print, model))
        rc = ERR(e, DIGEST, "The %s '%s' is for other weights than those of '%s'. Run '%s' again.", k->noun, path,
                 model_path, k->command);
    if (rc)
        json_decref(o);
    else
        *out = o;
    return rc;
}

bool task_beside_numbers(const json_t *a, float *out, size_t n)
{
    if (!json_is_array(a) || json_array_size(a) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(a, i);
        if (!json_is_number(x) || !isfinite((float)json_number_value(x))) return false;
        out[i] = (float)json_number_value(x);
    }
    return true;
}

bool task_beside_rows(const json_t *a, float *out, size_t n_rows, size_t n)
{
    if (!json_is_array(a) || json_array_size(a) != n_rows) return false;
    for (size_t i = 0; i < n_rows; i++)
        if (!task_beside_numbers(json_array_get(a, i), out + i * n, n)) return false;
    return true;
}
