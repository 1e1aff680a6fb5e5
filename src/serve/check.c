/* Is everything there that the settings name? Looked at before a model is loaded or a socket opened, so that a wrong
 * setting is told at once; `croft serve --check` does no more than this. Read next: serve.c. */
#include "routing.h"
#include "model_gguf.h"
#include "net_url.h"
#include "task_calib.h"
#include "task_model.h"

/* A tier that is this very server would ask itself for ever. */
static int check_tier(const struct serve_params *p, const struct route_tier *t, struct err *e)
{
    char key[ROUTE_KEY_MAX];
    struct net_url u;
    int rc = net_url_parse(t->url, &u, e);
    if (rc) return rc;
    if (u.loopback && p->port && u.port == p->port)
        return ERR(e, USAGE, "The tier '%s' is this server itself (%.200s). Leave it out.", t->name, t->url);
    rc = route_tier_key(t, key, e);
    memset(key, 0, sizeof key);
    return rc;
}

static int check_routing(const struct serve_params *p, struct err *e)
{
    const struct route_config *c = p->routing;
    struct route_detectors *detectors = NULL;
    if (!p->receipts) return ERR(e, USAGE, "'%.200s' has tiers: name a folder for receipts.", c->path);
    int rc = route_health_conf_check(&c->health, e);
    if (rc == 0) rc = route_config_detectors(c, 0, &detectors, e); /* are its lists there? */
    route_detectors_free(detectors);
    for (int i = 0; i < c->n_tiers && rc == 0; i++) rc = check_tier(p, &c->tier[i], e);
    return rc;
}

/* A confidence that nobody calibrated is a number without meaning: no threshold can stand on it. */
static int check_threshold(const struct serve_params *p, const struct task *t, const char *model, struct err *e)
{
    struct task_calibration *c = NULL;
    struct route_rule rule = route_rule_for(p->routing, t->name, NULL);
    struct err why = {0};
    if (!(rule.min_confidence > 0)) return 0;
    int rc = task_calibration_load(t, model, &c, &why);
    task_calibration_free(c);
    if (rc == CROFT_E_NOT_FOUND)
        return err_set(e, CROFT_E_USAGE, p->routing->path, rule.line,
                       "%s:%d: 'min_confidence' for the task '%s' means nothing: there is no calibration. Run 'croft "
                       "calibrate', or leave it out.",
                       p->routing->path, rule.line, t->name);
    if (rc) *e = why;
    return rc;
}

/* Rules and budgets for a task or key that does not exist would never hold, and nobody would know. */
static int check_names(const struct serve_params *p, struct task *const *tasks, struct serve_keys *keys,
                       const char *task, const char *key, int line, struct err *e)
{
    const char *path = p->routing->path;
    bool known = !task;
    for (size_t i = 0; i < p->n_tasks && !known; i++) known = strcmp(tasks[i]->name, task) == 0;
    if (!known)
        return err_set(e, CROFT_E_USAGE, path, line, "%s:%d: there is no task '%s' here: name its file with 'task'.",
                       path, line, task);
    if (key && !(keys && serve_key_named(keys, key)))
        return err_set(e, CROFT_E_USAGE, path, line,
                       "%s:%d: there is no API key '%s': 'api-keys' names the file of keys.", path, line, key);
    return 0;
}

static int check_rules(const struct serve_params *p, struct task *const *tasks, struct serve_keys *keys,
                       struct err *e)
{
    const struct route_config *c = p->routing;
    int rc = 0;
    for (int i = 1; i < c->n_rules && rc == 0; i++)
        rc = check_names(p, tasks, keys, c->rule[i].task, c->rule[i].key, c->rule[i].line, e);
    for (int i = 0; i < c->n_budgets && rc == 0; i++)
        rc = check_names(p, tasks, keys, c->budget[i].task, c->budget[i].key, c->budget[i].line, e);
    return rc;
}

static int check_class(const struct serve_params *p, const struct task *t, const char *path, struct err *e)
{
    if (!t->sensitivity || route_class_rank(p->routing, t->sensitivity) >= 0) return 0;
    return ERR(e, USAGE, "The 'sensitivity' of '%.200s', '%s', is not among the 'classes' of '%.200s'.", path,
               t->sensitivity, p->routing->path);
}

/* With tiers: a task's class and threshold. */
static int check_task(const struct serve_params *p, const struct serve_task_source *source, const struct task *t,
                      struct err *e)
{
    char *model = NULL;
    size_t k;
    int rc = serve_task_model(p, source, &k, e);
    if (rc == 0) rc = p->resolve(p->user, p->models[k].model, &model, e);
    if (rc == 0) rc = check_class(p, t, source->path, e);
    if (rc == 0 && model) rc = check_threshold(p, t, model, e);
    mem_free(model);
    return rc;
}

int serve_task_model(const struct serve_params *p, const struct serve_task_source *source, size_t *out, struct err *e)
{
    size_t k = 0;
    while (source->model && k < p->n_models && strcmp(p->models[k].name, source->model) != 0) k++;
    if (k == p->n_models || (!source->model && p->n_models > 1))
        return ERR(e, USAGE, "Which model answers the task '%.100s'? Say --task MODEL=FILE with a model's name.",
                   source->path);
    *out = k;
    return 0;
}

/* Is it there, a GGUF file with all its tensors, and called differently from those before? */
static int check_model(const struct serve_params *p, size_t i, struct err *e)
{
    char *path = NULL;
    struct gguf *g;
    for (size_t j = 0; j < i; j++)
        if (strcmp(p->models[i].name, p->models[j].name) == 0)
            return ERR(e, USAGE, "Two models are called '%.60s'. Name one with NAME=MODEL.", p->models[i].name);
    int rc = p->resolve(p->user, p->models[i].model, &path, e);
    if (rc == 0 && (rc = gguf_open(path, &g, e)) == 0) gguf_close(g);
    mem_free(path);
    return rc;
}

static int load_task(const struct serve_params *p, struct task **task, size_t i, struct err *e)
{
    size_t model;
    int rc = task_load(p->tasks[i].path, &task[i], e);
    for (size_t j = 0; j < i && rc == 0; j++)
        if (strcmp(task[j]->name, task[i]->name) == 0)
            rc = ERR(e, USAGE, "Two tasks are called '%.60s'.", task[i]->name);
    return rc ? rc : serve_task_model(p, &p->tasks[i], &model, e);
}

int serve_check(const struct serve_params *p, struct err *e)
{
    struct serve_keys *keys = NULL;
    struct task **task = mem_calloc(p->n_tasks + 1, sizeof *task); /* [n_tasks] each file is read once */
    if (!task) return err_nomem(e, p->n_tasks * sizeof *task);
    int rc = p->keys_file ? serve_keys_load(p->keys_file, &keys, e) : 0;
    for (size_t i = 0; i < p->n_models && rc == 0; i++) rc = check_model(p, i, e);
    if (rc == 0 && p->routing) rc = check_routing(p, e);
    for (size_t i = 0; i < p->n_tasks && rc == 0; i++) rc = load_task(p, task, i, e);
    if (rc == 0 && p->routing) rc = check_rules(p, task, keys, e);
    for (size_t i = 0; i < p->n_tasks && rc == 0 && p->routing; i++) rc = check_task(p, &p->tasks[i], task[i], e);
    for (size_t i = 0; i < p->n_tasks; i++) task_free(task[i]);
    mem_free(task);
    serve_keys_free(keys);
    return rc;
}
