/* The file of a fit (task_fit.h), beside the weights (beside.h):
 *
 *     {"format": "croft-fit-2", "task": NAME, "model": FINGERPRINT, "labels": [NAME, …], "n_examples": N,
 *      "bias": [n_labels], "weight": [[n_embd], …]}          without "weight": a prior */
#include "task_fit.h"
#include "base_mem.h"
#include "beside.h"

enum { MAX_FILE = 256 << 20, MAX_EMBD = 1 << 16 };
static const struct task_beside_kind kind = {
    ".fit.json", "croft-fit-2", "croft-fit-1", "fit", "croft task fit", MAX_FILE};

char *task_fit_path(const char *model_path, const char *task_name)
{
    return task_beside_path(&kind, model_path, task_name);
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
    struct buf b;
    json_t *more = json_pack("{s:o s:i}", "labels", names_of(t), "n_examples", (int)f->n_examples);
    int rc = task_beside_begin(&kind, t->name, model_path, more, &b, e);
    if (rc) return rc;
    task_beside_add_numbers(&b, "bias", f->bias, f->n_labels);
    if (f->n_embd) task_beside_add_rows(&b, "weight", f->weight, f->n_labels, f->n_embd);
    return task_beside_end(&kind, path, &b, e);
}

static int read_fit(const json_t *o, const struct task *t, const char *path, struct task_fit *out, struct err *e)
{
    const json_t *weight = json_object_get(o, "weight");
    struct task_fit f = {.n_labels = t->n_labels};
    f.n_examples = (unsigned)json_integer_value(json_object_get(o, "n_examples"));
    f.n_embd = (unsigned)json_array_size(json_array_get(weight, 0));
    if (weight && (f.n_embd == 0 || f.n_embd > MAX_EMBD)) return task_beside_damaged(&kind, path, e);
    f.bias = mem_calloc(f.n_labels, sizeof *f.bias);
    f.weight = mem_calloc((size_t)f.n_labels * f.n_embd, sizeof *f.weight);
    int rc = f.bias && f.weight ? 0 : err_nomem(e, (size_t)f.n_labels * f.n_embd * sizeof *f.weight);
    if (!rc && !task_beside_numbers(json_object_get(o, "bias"), f.bias, f.n_labels))
        rc = task_beside_damaged(&kind, path, e);
    if (!rc && weight && !task_beside_rows(weight, f.weight, f.n_labels, f.n_embd))
        rc = task_beside_damaged(&kind, path, e);
    if (rc)
        task_fit_done(&f);
    else
        *out = f;
    return rc;
}

int task_fit_load(const struct task *t, const char *model_path, const char *path, struct task_fit *out, struct err *e)
{
    json_t *o;
    int rc = task_beside_read(&kind, path, model_path, &o, e);
    if (rc) return rc;
    json_t *names = names_of(t);
    if (!json_equal(names, json_object_get(o, "labels")))
        rc = ERR(e, DIGEST, "'%s' was fitted to other labels than the task has now. Run 'croft task fit' again.",
                 path);
    if (!rc) rc = read_fit(o, t, path, out, e);
    json_decref(names);
    json_decref(o);
    return rc;
}
