/* POST /v1/tasks/NAME: an input, or several, answered as a task says (task_model.h). GET /v1/tasks: which there are.
 *
 *     {"input": "…"}              classify   {"label", "confidence", "probabilities": {label: p}}
 *     {"input": ["…", …]}         extract    {"output": …}     generate   {"text"}     embed   {"embedding"}
 *
 * One input gives one object; an array gives {"results": […]}, in order. With tiers (routing.h) each input goes its
 * own way, and an answer from elsewhere has no probabilities. */
#include "fields.h"
#include "infer_json.h"
#include "routing.h"
#include "task_model.h"
#include "task_remote.h"

#include <math.h>

struct answer {
    struct serve_job *job;
    uint32_t i;
    double *probability; /* [n_labels] */
    int label;
    char *text;
    size_t n;
    float *vector; /* [n_embd] */
};
struct answers {
    const struct task *task;
    const char *group; /* for thresholds per group; borrowed from the request, or NULL */
    bool several;
    uint32_t n;
    struct answer *answer; /* [n] */
};

static void free_data(void *data)
{
    struct answers *d = data;
    for (uint32_t i = 0; i < d->n; i++) {
        mem_free(d->answer[i].probability);
        mem_free(d->answer[i].text);
        mem_free(d->answer[i].vector);
    }
    mem_free(d->answer);
    mem_free(d);
}

/* The scheduler's thread: what the result borrows is copied. */
static void on_done(void *user, const struct task_result *r)
{
    struct answer *a = user;
    struct answers *d = a->job->data;
    struct infer_outcome o = r->o;
    struct serve_leg *leg = a->job->leg ? &a->job->leg[a->i] : NULL;
    uint32_t n_embd = infer_engine_model(a->job->model->engine)->n_embd;
    o.err = r->err;
    a->label = r->label;
    if (!o.err.code && r->probability && (a->probability = mem_alloc(d->task->n_labels * sizeof *a->probability)))
        memcpy(a->probability, r->probability, d->task->n_labels * sizeof *a->probability);
    if (!o.err.code && r->vector && (a->vector = mem_alloc(n_embd * sizeof *a->vector)))
        memcpy(a->vector, r->vector, n_embd * sizeof *a->vector);
    if (!o.err.code && r->text && (a->text = mem_strndup(r->text, r->n))) a->n = r->n;
    if (!o.err.code && !r->unanswered && !a->text && !a->vector) err_nomem(&o.err, r->n);
    if (leg) leg->unanswered = r->unanswered;
    if (leg) serve_leg_verdict(leg, &r->judgement, r->text, r->n);
    serve_job_done(a->job, a->i, &o);
}

/* Where is input i answered? *out_here: the local model is asked now. */
static int plan(struct serve_job *job, const struct task *task, uint32_t i, const char *input, bool *out_here,
                struct err *e)
{
    struct serve_leg *leg = &job->leg[i];
    json_t *request = NULL;
    int rc = !job->again && task_is_remote(task) ? task_remote_request(task, input, &request, e) : 0;
    if (rc == 0) rc = serve_leg_begin(job, i, task, &input, 1, request, e);
    *out_here = leg->over ? leg->wants_local : leg->plan.local_first;
    return rc;
}

static int ask(struct serve_job *job, struct task_model *task, uint32_t i, const char *input, struct err *e)
{
    struct answers *d = job->data;
    struct infer_ticket *ticket = NULL;
    struct task_call call = {.owner = job->key ? serve_key_owner(job->key) : 0,
                             .deadline_s = job->deadline_s,
                             .group = d->group,
                             .on_done = on_done,
                             .user = &d->answer[i]};
    bool here = true;
    int rc = job->leg ? plan(job, d->task, i, input, &here, e) : 0;
    if (rc || !here) return rc;
    call.scope_first = job->leg && !job->again && job->leg[i].plan.n_tiers > 0 && job->leg[i].request;
    job->ask[i].submitted = true; /* before: on_done may come at once */
    rc = task_model_ask(task, input, &call, &ticket, e);
    if (rc == 0)
        serve_job_ticket(job, i, ticket);
    else
        job->ask[i].submitted = false;
    return rc && job->leg ? serve_leg_refused(&job->leg[i], rc, e) : rc;
}

static int find_task(struct serve_job *job, struct task_model **out)
{
    const char *name = job->tail;
    job->model = serve_models_of_task(job->serve->models, name, out);
    if (!job->model) {
        job->fault.code = "task_not_found";
        return serve_refuse(job, CROFT_E_NOT_FOUND, "", "The task '%.64s' does not exist.", name);
    }
    if (job->key && !serve_key_may_task(job->key, name)) {
        job->fault.code = "task_not_allowed";
        return serve_refuse(job, CROFT_E_DENIED, "", "This key may not use the task '%.64s'.", name);
    }
    return 0;
}

static int prepare(struct serve_job *job, struct err *e)
{
    static const struct serve_field fields[] = {{"input", SERVE_USED, NULL},
                                                {"group", SERVE_USED, NULL},
                                                {"user", SERVE_IGNORED, NULL},
                                                {NULL, SERVE_USED, NULL}};
    struct task_model *task = NULL;
    const char *group = NULL;
    json_t *v = json_object_get(job->in, "input");
    int rc = serve_fields_check(job, job->in, "", fields);
    if (rc == 0) rc = serve_field_string(job, job->in, "", "group", &group);
    if (rc == 0) rc = find_task(job, &task);
    if (rc) return rc;
    if (!v || json_is_null(v)) return serve_field_missing(job, "", "input");
    uint32_t n = json_is_array(v) ? (uint32_t)json_array_size(v) : 1;
    if (!(json_is_string(v) || json_is_array(v)) || n == 0 || n > SERVE_CHOICES_MAX)
        return serve_refuse(job, CROFT_E_USAGE, "input", "'input' must be a string or an array of 1 to %d strings.",
                            SERVE_CHOICES_MAX);
    struct answers *d = mem_calloc(1, sizeof *d);
    job->data = d;
    if (!d || !(d->answer = mem_calloc(n, sizeof *d->answer))) return err_nomem(e, n * sizeof *d->answer);
    d->task = task_model_task(task);
    d->group = group;
    d->several = json_is_array(v);
    d->n = n;
    rc = serve_job_asks(job, n, e);
    if (rc == 0 && job->serve->routing && !job->leg) rc = serve_legs_new(job, n, e);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        json_t *one = d->several ? json_array_get(v, i) : v;
        d->answer[i] = (struct answer){.job = job, .i = i};
        if (!json_is_string(one))
            return serve_refuse(job, CROFT_E_USAGE, "input", "'input[%u]' must be a string.", i);
        rc = ask(job, task, i, json_string_value(one), e);
    }
    return rc;
}

static json_t *classified(const struct answers *d, const struct answer *a)
{
    double n = d->task->n_labels, p = a->probability[a->label];
    json_t *probabilities = json_object();
    for (unsigned i = 0; i < d->task->n_labels; i++)
        json_object_set_new(probabilities, d->task->labels[i].name, json_real(a->probability[i]));
    return json_pack("{s:s s:f s:o}", "label", d->task->labels[a->label].name, "confidence",
                     n > 1 ? fmax(0, (n * p - 1) / (n - 1)) : 1.0, "probabilities", probabilities);
}

/* What a tier answered. */
static json_t *remote_json(const struct answers *d, const struct serve_leg *leg)
{
    if (d->task->kind == TASK_CLASSIFY) return json_pack("{s:s s:n}", "label", leg->text, "confidence");
    json_t *output = d->task->kind == TASK_EXTRACT ? json_loads(leg->text, JSON_DECODE_ANY, NULL) : NULL;
    return output ? json_pack("{s:o}", "output", output) : json_pack("{s:s}", "text", leg->text);
}

static json_t *answer_json(const struct serve_job *job, const struct answers *d, const struct answer *a)
{
    if (job->leg && job->leg[a->i].tier >= 0) return remote_json(d, &job->leg[a->i]);
    if (a->probability) return classified(d, a);
    if (a->vector) {
        json_t *list = json_array();
        uint32_t n = infer_engine_model(job->model->engine)->n_embd;
        for (uint32_t i = 0; i < n; i++) json_array_append_new(list, json_real(a->vector[i]));
        return json_pack("{s:o}", "embedding", list);
    }
    json_t *output = d->task->kind == TASK_EXTRACT ? json_loadb(a->text, a->n, JSON_DECODE_ANY, NULL) : NULL;
    return output ? json_pack("{s:o}", "output", output) : json_pack("{s:o}", "text", serve_json_text(a->text, a->n));
}

static void finish(struct serve_job *job)
{
    struct answers *d = job->data;
    json_t *body, *results = json_array();
    for (uint32_t i = 0; i < d->n; i++) {
        json_t *one = answer_json(job, d, &d->answer[i]);
        if (job->leg && d->several) json_object_set_new(one, "croft", serve_leg_json(&job->leg[i]));
        json_array_append_new(results, one);
    }
    if (d->task->kind == TASK_EXTRACT)
        job->digits = infer_json_digits(results); /* the model's own, as it wrote them */
    body = d->several ? json_pack("{s:O}", "results", results) : json_incref(json_array_get(results, 0));
    json_decref(results);
    json_object_set_new(body, "task", json_string(job->tail));
    json_object_set_new(body, "model", json_string(job->model->name));
    json_object_set_new(body, "usage",
                        json_pack("{s:i s:i s:i}", "input_tokens", (int)job->prompt_tokens, "cached_tokens",
                                  (int)job->cached_tokens, "output_tokens", (int)job->answer_tokens));
    serve_job_reply(job, 200, body);
}

static void list(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    static const char *const kinds[] = {"classify", "extract", "generate", "embed"};
    json_t *data = json_array();
    for (size_t i = 0; i < serve_models_n(s->models); i++) {
        struct serve_model *m = serve_models_at(s->models, i);
        for (size_t k = 0; m && k < m->n_tasks; k++) {
            const struct task *t = task_model_task(m->task[k]);
            if (!key || serve_key_may_task(key, t->name))
                json_array_append_new(data, json_pack("{s:s s:s s:s s:s}", "id", t->name, "object", "task", "kind",
                                                      kinds[t->kind], "model", m->name));
        }
        serve_model_unref(m);
    }
    serve_reply_json(s, x, json_pack("{s:s s:o}", "object", "list", "data", data));
}

const struct serve_endpoint serve_ep_tasks = {.method = "GET", .path = "/v1/tasks", .name = "tasks", .answer = list};
const struct serve_endpoint serve_ep_task = {.method = "POST",
                                             .path = "/v1/tasks/",
                                             .name = "task",
                                             .repeats = true,
                                             .prepare = prepare,
                                             .finish = finish,
                                             .free_data = free_data};
