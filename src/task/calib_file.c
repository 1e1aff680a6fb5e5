/* The file of a calibration (task_calib.h), beside the weights (beside.h):
 *
 *     {"format": "croft-calibration-2", "task": NAME, "model": FINGERPRINT,
 *      "revision": SHA-256 of the task (task_revision), "fit": SHA-256 of the fit's file or null,
 *      "made": seconds since 1970,
 *      "bound": "confidence" | "expectation", "target_error", "confidence", "holds", "coverage", "n": the promise,
 *      "map": "logistic" | "isotonic" | "temperature", "temperature": T, "scope_label": NAME or null,
 *      "features": {NAME: [mean, scale, weight], …}, "bias": B,
 *      "per": "none" | "label" | "group", "column": of the data, that says the group, or null,
 *      "groups": [{"name": NAME or null, "holds", "at", "n", "n_all", "loss"}, …],  the last is null: all others
 *      "usual", "limit": of novelty,
 *      "step_at": [n], "step_value": [n],                                            isotonic
 *      "probe_bias": [2], "probe": [[n_embd], [n_embd]],                             with a probe
 *      "novelty_bias": [k], "novelty": [[n_embd], …]}                                with novelty */
#include "base_clock.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "beside.h"
#include "calib.h"

#include <math.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, MAX_EMBD = 1 << 16, MAX_ROWS = 4096, MAX_STEPS = 1 << 22, MAX_GROUPS = 4097 };
static const struct task_beside_kind kind = {
    ".calibration.json", "croft-calibration-2", "croft-calibration-1", "calibration", "croft calibrate", MAX_FILE};
static const char *const maps[] = {"logistic", "isotonic", "temperature"};
static const char *const bounds[] = {"confidence", "expectation"};
static const char *const pers[] = {"none", "label", "group"};

char *task_calibration_path(const char *model_path, const char *task_name)
{
    return task_beside_path(&kind, model_path, task_name);
}

/* The digest of the fit that answers go through, "" if there is none. */
static int fit_digest(const char *model_path, const char *task_name, char out[65], struct err *e)
{
    struct err why = {0};
    char *path = task_fit_path(model_path, task_name);
    if (!path) return err_nomem(e, 0);
    int rc = sha256_file(path, out, &why);
    mem_free(path);
    if (rc == CROFT_E_NOT_FOUND) {
        *out = 0;
        return 0;
    }
    if (rc) *e = why;
    return rc;
}

/* ---- writing ---- */

static json_t *features_json(const struct task_calibration *c)
{
    json_t *o = json_object();
    for (int k = 0; k < TASK_N_FEATURES; k++)
        if (c->use[k])
            json_object_set_new(
                o, task_feature_names[k],
                json_pack("[f, f, f]", (double)c->mean[k], (double)c->scale[k], (double)c->weight[k]));
    return o;
}

static json_t *groups_json(const struct task_calibration *c)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < c->n_groups; i++) {
        const struct task_threshold *t = &c->group[i].threshold;
        json_array_append_new(a, json_pack("{s:s? s:b s:f s:I s:I s:f}", "name", c->group[i].name, "holds", t->holds,
                                           "at", (double)t->at, "n", (json_int_t)t->n, "n_all", (json_int_t)t->n_all,
                                           "loss", t->loss));
    }
    return a;
}

int task_calibration_save(const struct task_calibration *c, const struct task *t, const char *model_path,
                          const char *path, struct err *e)
{
    char revision[65], fit[65];
    struct buf b;
    const struct task_promise *p = &c->promise;
    int rc = task_revision(t, revision, e);
    if (!rc) rc = fit_digest(model_path, t->name, fit, e);
    if (rc) return rc;
    json_t *more =
        json_pack("{s:s s:s? s:I s:s s:f s:f s:b s:f s:i s:s s:f s:s? s:o s:f s:s s:s? s:o s:f s:f}", "revision",
                  revision, "fit", *fit ? fit : NULL, "made", (json_int_t)clock_unix_s(), "bound", bounds[p->bound],
                  "target_error", p->target_error, "confidence", p->confidence, "holds", p->holds, "coverage",
                  p->coverage, "n", (int)p->n, "map", maps[c->map], "temperature", (double)c->temperature,
                  "scope_label", c->scope_label >= 0 ? t->labels[c->scope_label].name : NULL, "features",
                  features_json(c), "bias", (double)c->bias, "per", pers[c->per], "column", c->column, "groups",
                  groups_json(c), "usual", (double)c->novelty.usual, "limit", (double)c->novelty.limit);
    if ((rc = task_beside_begin(&kind, t->name, model_path, more, &b, e))) return rc;
    if (c->n_steps) {
        task_beside_add_numbers(&b, "step_at", c->step_at, c->n_steps);
        task_beside_add_numbers(&b, "step_value", c->step_value, c->n_steps);
    }
    if (c->probe.n_labels) {
        task_beside_add_numbers(&b, "probe_bias", c->probe.bias, 2);
        task_beside_add_rows(&b, "probe", c->probe.weight, 2, c->probe.n_embd);
    }
    if (c->novelty.plane.n_labels) {
        const struct task_fit *f = &c->novelty.plane;
        task_beside_add_numbers(&b, "novelty_bias", f->bias, f->n_labels);
        task_beside_add_rows(&b, "novelty", f->weight, f->n_labels, f->n_embd);
    }
    return task_beside_end(&kind, path, &b, e);
}

/* ---- reading ---- */

static int word_of(const json_t *o, const char *key, const char *const *words, int n)
{
    const char *s = json_string_value(json_object_get(o, key));
    for (int i = 0; s && i < n; i++)
        if (strcmp(s, words[i]) == 0) return i;
    return -1;
}

static bool number(const json_t *o, const char *key, double *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_number_value(v);
    return json_is_number(v) && isfinite(*out);
}

static bool real(const json_t *o, const char *key, float *out)
{
    double v;
    bool is = number(o, key, &v);
    *out = (float)v;
    return is && isfinite(*out);
}

/* Planes or probe: rows and their biases. Absent: none. false: damaged, or no memory (then *nomem). */
static bool read_fit(const json_t *o, const char *rows, const char *bias, struct task_fit *out, bool *nomem)
{
    const json_t *r = json_object_get(o, rows);
    size_t n = json_array_size(r), d = json_array_size(json_array_get(r, 0));
    if (!r) return true;
    if (n == 0 || n > MAX_ROWS || d == 0 || d > MAX_EMBD) return false;
    *out = (struct task_fit){.n_labels = (unsigned)n, .n_embd = (unsigned)d};
    out->weight = mem_calloc(n * d, sizeof *out->weight);
    out->bias = mem_calloc(n, sizeof *out->bias);
    if (!out->weight || !out->bias) return *nomem = true, false;
    return task_beside_rows(r, out->weight, n, d) && task_beside_numbers(json_object_get(o, bias), out->bias, n);
}

static bool read_features(const json_t *o, struct task_calibration *c)
{
    const json_t *f = json_object_get(o, "features");
    size_t n = 0;
    for (int k = 0; k < TASK_N_FEATURES; k++) {
        const json_t *v = json_object_get(f, task_feature_names[k]);
        float x[3];
        if (!v) continue;
        if (!task_beside_numbers(v, x, 3) || !(x[1] > 0)) return false;
        c->use[k] = true, c->mean[k] = x[0], c->scale[k] = x[1], c->weight[k] = x[2];
        n++;
    }
    bool labels = c->use[TASK_F_LOGIT] || c->use[TASK_F_MARGIN] || c->use[TASK_F_ENTROPY];
    return n && n == json_object_size(f) && (!labels || c->n_labels) &&
           (!c->use[TASK_F_NOVELTY] || c->novelty.plane.n_labels) &&
           (!c->use[TASK_F_PROBE] || c->probe.n_labels == 2);
}

static bool read_steps(const json_t *o, struct task_calibration *c, bool *nomem)
{
    const json_t *at = json_object_get(o, "step_at");
    size_t n = json_array_size(at);
    if (!at) return c->map != TASK_MAP_ISOTONIC;
    if (n == 0 || n > MAX_STEPS) return false;
    c->n_steps = (unsigned)n;
    c->step_at = mem_calloc(n, sizeof *c->step_at);
    c->step_value = mem_calloc(n, sizeof *c->step_value);
    if (!c->step_at || !c->step_value) return *nomem = true, false;
    return task_beside_numbers(at, c->step_at, n) &&
           task_beside_numbers(json_object_get(o, "step_value"), c->step_value, n);
}

static bool read_groups(const json_t *o, struct task_calibration *c, bool *nomem)
{
    const json_t *list = json_object_get(o, "groups");
    size_t n = json_array_size(list);
    if (n == 0 || n > MAX_GROUPS || (c->per == TASK_PER_NONE && n != 1)) return false;
    if (!(c->group = mem_calloc(n, sizeof *c->group))) return *nomem = true, false;
    c->n_groups = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *g = json_array_get(list, i), *name = json_object_get(g, "name"),
                     *holds = json_object_get(g, "holds");
        struct task_calib_group *to = &c->group[i];
        if (!json_is_boolean(holds) || !real(g, "at", &to->threshold.at) || !number(g, "loss", &to->threshold.loss) ||
            json_is_string(name) != (i + 1 < n))
            return false;
        to->threshold.holds = json_is_true(holds);
        to->threshold.n = (uint64_t)json_integer_value(json_object_get(g, "n"));
        to->threshold.n_all = (uint64_t)json_integer_value(json_object_get(g, "n_all"));
        to->lowest = to->threshold.holds ? to->threshold.at : 2;
        if (to->threshold.holds && (c->promise.threshold > (double)to->lowest))
            c->promise.threshold = (double)to->lowest;
        if (i + 1 < n && !(to->name = mem_strdup(json_string_value(name)))) return *nomem = true, false;
    }
    return true;
}

static bool read_all(const json_t *o, const struct task *t, struct task_calibration *c, bool *nomem)
{
    struct task_promise *p = &c->promise;
    const char *scope = json_string_value(json_object_get(o, "scope_label"));
    int map = word_of(o, "map", maps, 3), per = word_of(o, "per", pers, 3), bound = word_of(o, "bound", bounds, 2);
    c->kind = t->kind;
    c->n_labels = t->kind == TASK_CLASSIFY ? t->n_labels : 0;
    c->scope_label = scope ? task_label_find(t, scope) : -1;
    if (map < 0 || per < 0 || bound < 0 || (scope && c->scope_label < 0)) return false;
    c->map = (enum task_map)map;
    c->per = (enum task_per)per;
    const char *column = json_string_value(json_object_get(o, "column"));
    if (column && !(c->column = mem_strdup(column))) return !(*nomem = true);
    p->bound = (enum task_bound)bound;
    p->threshold = 2;
    p->holds = json_is_true(json_object_get(o, "holds"));
    p->n = (uint32_t)json_integer_value(json_object_get(o, "n"));
    return (per != TASK_PER_LABEL || c->n_labels) && (map != TASK_MAP_TEMPERATURE || c->n_labels) &&
           number(o, "target_error", &p->target_error) && number(o, "confidence", &p->confidence) &&
           number(o, "coverage", &p->coverage) && real(o, "temperature", &c->temperature) && c->temperature > 0 &&
           real(o, "bias", &c->bias) && real(o, "usual", &c->novelty.usual) && real(o, "limit", &c->novelty.limit) &&
           read_fit(o, "probe", "probe_bias", &c->probe, nomem) &&
           read_fit(o, "novelty", "novelty_bias", &c->novelty.plane, nomem) &&
           (!c->novelty.plane.n_labels || !c->probe.n_labels || c->novelty.plane.n_embd == c->probe.n_embd) &&
           (!c->novelty.plane.n_labels || c->novelty.limit > c->novelty.usual) && read_features(o, c) &&
           read_steps(o, c, nomem) && read_groups(o, c, nomem);
}

/* Is it for this revision of the task, and the fit that lies there now? */
static int check_digests(const json_t *o, const struct task *t, const char *model_path, const char *path,
                         struct err *e)
{
    char revision[65], fit[65];
    const char *of = json_string_value(json_object_get(o, "revision"));
    const char *with = json_string_value(json_object_get(o, "fit"));
    int rc = task_revision(t, revision, e);
    if (!rc) rc = fit_digest(model_path, t->name, fit, e);
    if (rc) return rc;
    if (!of) return task_beside_damaged(&kind, path, e);
    if (strcmp(of, revision))
        return ERR(e, DIGEST,
                   "The calibration '%s' is for another revision of the task: its kind, prompt, labels or "
                   "schema have changed. Run 'croft calibrate' again.",
                   path);
    if (strcmp(with ? with : "", fit))
        return ERR(e, DIGEST,
                   "The calibration '%s' was made with another fit than the one that is there now. Run "
                   "'croft calibrate' again.",
                   path);
    return 0;
}

int task_calibration_load(const struct task *t, const char *model_path, struct task_calibration **out, struct err *e)
{
    json_t *o = NULL;
    bool nomem = false;
    struct task_calibration *c = mem_calloc(1, sizeof *c);
    char *path = task_calibration_path(model_path, t->name);
    int rc = c && path ? task_beside_read(&kind, path, model_path, &o, e) : err_nomem(e, 0);
    if (!rc) rc = check_digests(o, t, model_path, path, e);
    if (!rc && !(c->k = kern_get(e))) rc = e->code;
    if (!rc && !read_all(o, t, c, &nomem)) rc = nomem ? err_nomem(e, 0) : task_beside_damaged(&kind, path, e);
    if (!rc) rc = task_calib_index(c, t, e);
    if (!rc) rc = sha256_file(path, c->digest, e);
    json_decref(o);
    mem_free(path);
    if (rc)
        task_calibration_free(c);
    else
        *out = c;
    return rc;
}
