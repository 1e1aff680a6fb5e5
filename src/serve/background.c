/* Answers that nobody waits for (routing.h): comparisons of the local tier with another, and work that was put off
 * until a tier can be reached. Both are jobs without a client, whose single leg goes the way of all legs, with a
 * receipt of its own that names the receipt it belongs to.
 *
 *     check      a confident local answer, by chance ─▶ the same request to the first tier ─▶ agrees? (route_agree.h)
 *     deferred   no tier answered, the client can wait ─▶ on disk (a preparation thread), 202
 *                own thread: due? ─▶ the loop ─▶ tiers ─▶ own thread: kept as done, or tried again later
 *
 * What is known of the local tier's agreement is kept in the folder of receipts, by task and calibration: a restart
 * neither brings trust back nor forgets what speaks against it, another calibration does. */
#include "routing.h"
#include "fields.h"
#include "plat_file.h"
#include "task_calib.h"
#include "task_model.h"

#include <errno.h>

enum {
    LEASE_S = 600,
    LOOK_S = 2,
    RETRY_FIRST_S = 5,
    RETRY_MOST_S = 600,
    EXPIRES_S = 7 * 86400,
    REQUEST_MAX = 16 << 20,
    TRUST_MAX = 1 << 20
};

/* ---- trust ---- */

static void trust_path(const struct serve_routing *r, char out[4096])
{
    snprintf(out, 4096, "%s/agreement.json", r->serve->p.receipts);
}

/* Changes of trust are rare: writing them may take the loop a moment. */
void serve_trust_keep(struct serve_routing *r)
{
    char path[4096];
    struct buf text;
    json_t *all = json_object();
    for (size_t i = 0; i < r->n_trusts; i++) {
        const struct serve_trust *t = &r->trust[i];
        const double *bet = t->a.bet;
        json_object_set_new(all, t->task,
                            json_pack("{s:s s:s s:I s:I s:[fff]}", "calibration", t->version, "trust",
                                      route_trust_name(t->a.trust), "checks", (json_int_t)t->a.n, "apart",
                                      (json_int_t)t->a.n_apart, "bets", bet[0], bet[1], bet[2]));
    }
    trust_path(r, path);
    buf_init(&text, TRUST_MAX);
    serve_json_dump(all, &text, JSON_INDENT(1));
    int rc = text.failed ? -ENOMEM : plat_file_write(path, text.data, text.len);
    if (rc) log_warn("'%s' could not be written: %s", path, strerror(-rc));
    buf_done(&text);
    json_decref(all);
}

/* Of a task: what was known when it was kept. A record that is damaged is as good as none. */
static void resume_trust(struct serve_routing *r, struct serve_trust *t, const char *task, const json_t *o)
{
    const char *id = json_string_value(json_object_get(o, "calibration")),
               *word = json_string_value(json_object_get(o, "trust"));
    const json_t *bets = json_object_get(o, "bets");
    struct route_agreement kept = {.n = (uint64_t)json_integer_value(json_object_get(o, "checks")),
                                   .n_apart = (uint64_t)json_integer_value(json_object_get(o, "apart")),
                                   .trust = (enum route_trust) - 1};
    for (int i = 0; i < 3; i++) {
        const json_t *v = json_array_get(bets, (size_t)i);
        kept.bet[i] = json_is_number(v) ? json_number_value(v) : -1;
        if (word && strcmp(word, route_trust_name((enum route_trust)i)) == 0) kept.trust = (enum route_trust)i;
    }
    snprintf(t->task, sizeof t->task, "%s", task);
    snprintf(t->version, sizeof t->version, "%s", id ? id : "");
    if (!route_agreement_resume(&t->a, &kept)) log_warn("what is kept of the task %s's agreement is damaged", task);
    metric_set(r->trusts, t->a.trust, t->task);
}

void serve_trust_load(struct serve_routing *r)
{
    char path[4096];
    const char *task;
    json_t *o;
    trust_path(r, path);
    json_t *all = json_load_file(path, 0, NULL);
    json_object_foreach(all, task, o) if (r->n_trusts < SERVE_PACES)
        resume_trust(r, &r->trust[r->n_trusts++], task, o);
    json_decref(all);
}

/* What is known of the answers to the leg's task under the calibration that judges them: its digest stands for the
 * weights, the task's revision and the fit, too. NULL: nothing, or another's. */
static struct serve_trust *trust_of(const struct serve_leg *leg, bool make)
{
    struct serve_routing *r = leg->job->serve->routing;
    struct task_model *m = leg->task ? serve_leg_task(leg) : NULL;
    const struct task_calibration *c = m ? task_model_calibration(m, NULL) : NULL;
    struct serve_trust *t = NULL;
    if (!c) return NULL;
    for (size_t i = 0; i < r->n_trusts; i++)
        if (strcmp(r->trust[i].task, leg->task->name) == 0) t = &r->trust[i];
    if (t && strcmp(t->version, task_calibration_digest(c)) == 0) return t;
    if (!make || (!t && r->n_trusts == SERVE_PACES)) return NULL;
    if (!t) t = &r->trust[r->n_trusts++];
    snprintf(t->task, sizeof t->task, "%s", leg->task->name);
    snprintf(t->version, sizeof t->version, "%s", task_calibration_digest(c));
    route_agreement_init(&t->a); /* another calibration: nothing is known of it */
    return t;
}

enum route_trust serve_trust_in(const struct serve_leg *leg)
{
    struct serve_trust *t = trust_of(leg, false);
    return t ? t->a.trust : ROUTE_TRUSTED;
}

/* Has the model that the leg was answered by been replaced since? Then the check is about the past. */
static bool is_past(const struct serve_leg *leg)
{
    struct task_model *task;
    struct serve_model *now = serve_models_of_task(leg->job->serve->models, leg->task->name, &task);
    bool past = now != leg->job->model;
    serve_model_unref(now);
    return past;
}

static void note_check(struct serve_leg *leg, bool agrees)
{
    struct serve_routing *r = leg->job->serve->routing;
    struct serve_trust *t = is_past(leg) ? NULL : trust_of(leg, true);
    double allowed = leg->plan.rule.max_disagreement > 0 ? leg->plan.rule.max_disagreement : 0.1;
    if (!t) return;
    enum route_trust before = t->a.trust;
    route_agreement_note(&t->a, agrees, allowed);
    metric_add(r->checks, 1, leg->task->name, agrees ? "same" : "other");
    metric_set(r->trusts, t->a.trust, leg->task->name);
    if (t->a.trust != before)
        log_warn("task %s: the local tier is %s after %llu checks, %llu of them apart", leg->task->name,
                 route_trust_name(t->a.trust), (unsigned long long)t->a.n, (unsigned long long)t->a.n_apart);
    if (t->a.trust != before || t->a.n % 64 == 0) serve_trust_keep(r);
}

/* ---- jobs without a client ---- */

/* A job of one leg, as `like` says; it takes a reference to the model. NULL without memory. */
static struct serve_leg *silent_leg(struct serve *s, const struct serve_silent *like)
{
    struct err e;
    struct serve_job *job = serve_job_silent(s, like);
    if (!job) return NULL;
    job->policy = like->policy;
    atomic_fetch_add(&job->policy->references, 1);
    if (serve_legs_new(job, 1, &e)) {
        serve_job_wake(job);
        return NULL;
    }
    struct serve_leg *leg = &job->leg[0];
    leg->task = like->task;
    leg->plan = *like->plan;
    leg->plan.n_steps = 0;
    leg->plan.local_first = leg->plan.local_stands = false;
    leg->request = json_incref(like->request);
    snprintf(leg->receipt.parent, sizeof leg->receipt.parent, "%s", like->parent);
    return leg;
}

/* Of the receipt's random bits: as good as a die, and the same for the same receipt. */
static bool by_chance(const struct serve_leg *leg, double share)
{
    return (double)(str_hash(leg->receipt.id, strlen(leg->receipt.id)) >> 11) / 9007199254740992.0 < share;
}

static bool same_answer(const struct task *t, const char *a, const char *b)
{
    if (t->kind != TASK_EXTRACT) return strcmp(a, b) == 0;
    json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
    bool same = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static void check_ended(struct serve_leg *leg)
{
    if (leg->tier >= 0 && leg->text) note_check(leg, same_answer(leg->task, leg->text, leg->local_text));
}

void serve_check_maybe(struct serve_leg *leg)
{
    if (!(leg->plan.rule.check_share > 0) || leg->verdict != ROUTE_V_ACCEPT || !leg->task || !leg->request ||
        leg->plan.n_tiers == 0 || !leg->local_text || !by_chance(leg, leg->plan.rule.check_share))
        return;
    struct serve_job *job = leg->job;
    struct serve_silent like = {.endpoint = job->endpoint,
                                .model = job->model,
                                .key = job->key,
                                .task = leg->task,
                                .policy = job->policy,
                                .plan = &leg->plan,
                                .request = leg->request,
                                .parent = leg->receipt.id,
                                .id = job->id,
                                .subject = job->subject};
    struct serve_leg *check = silent_leg(job->serve, &like);
    if (!check) return;
    check->receipt.shadow = true;
    check->plan.reason = ROUTE_R_CHECK;
    check->local_text = mem_strdup(leg->local_text);
    check->on_over = check_ended;
    if (!check->local_text) check->plan.n_tiers = 0;
    serve_leg_start(check);
}

/* ---- deferred: putting off ---- */

bool serve_leg_may_defer(const struct serve_leg *leg)
{
    return leg->plan.rule.defer == 1 && leg->job->may_wait && leg->task && leg->request && leg->plan.n_tiers > 0 &&
           leg->tier < 0 && (leg->degraded || leg->plan.reason == ROUTE_R_REFUSED);
}

int serve_leg_defer(struct serve_leg *leg, struct err *e)
{
    struct serve_job *job = leg->job;
    struct serve_routing *r = job->serve->routing;
    struct buf request;
    buf_init(&request, REQUEST_MAX);
    serve_json_dump(leg->request, &request, JSON_COMPACT);
    int rc = buf_check(&request, "request", e);
    struct route_deferred d = {.receipt = leg->receipt.id,
                               .task = leg->task->name,
                               .key = job->key ? serve_key_name(job->key) : NULL,
                               .data_class = route_class_name(job->policy->c, leg->plan.data_class),
                               .subject = job->subject[0] ? job->subject : NULL,
                               .endpoint = job->endpoint->name,
                               .request = request.data,
                               .n_request = request.len,
                               .expires_s = clock_unix_s() + EXPIRES_S};
    if (rc == 0) rc = route_deferred_add(r->store, &d, e);
    buf_done(&request);
    if (rc == 0) {
        leg->receipt.deferred = true;
        leg->degraded = leg->wants_local = false;
        leg->plan.reason = ROUTE_R_OFFLINE;
        route_plan_step(&leg->plan, ROUTE_R_OFFLINE, -1);
    }
    return rc;
}

json_t *serve_leg_deferred_json(const struct serve_leg *leg)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/deferred/%s", leg->receipt.id);
    return json_pack("{s:s s:s s:s}", "status", "waiting", "receipt", leg->receipt.id, "result", path);
}

/* ---- deferred: delivering ---- */

/* One piece of work: the own thread's, but between its post and `done`. */
struct delivery {
    struct net_post post;
    struct serve_routing *r;
    struct route_lease lease;
    bool done;
    int status;
    char *answer; /* or NULL */
    char why[128];
};

static void delivered(struct delivery *d)
{
    pthread_mutex_lock(&d->r->lock);
    d->done = true;
    pthread_cond_broadcast(&d->r->some);
    pthread_mutex_unlock(&d->r->lock);
}

static void delivery_ended(struct serve_leg *leg)
{
    struct delivery *d = leg->user;
    json_t *o = leg->tier >= 0 && leg->text ? serve_leg_json(leg) : NULL;
    if (o) {
        json_t *answer = json_pack("{s:s s:s s:o}", "task", leg->task->name,
                                   leg->task->kind == TASK_CLASSIFY ? "label" : "text", leg->text, "croft", o);
        struct buf text;
        buf_init(&text, REQUEST_MAX);
        if (answer) serve_json_dump(answer, &text, JSON_COMPACT);
        d->answer = buf_take(&text);
        d->status = 200;
        buf_done(&text);
        json_decref(answer);
    }
    snprintf(d->why, sizeof d->why, "%s", leg->tier_err.msg);
    delivered(d);
}

static bool start(struct delivery *d)
{
    struct serve *s = d->r->serve;
    struct task_model *task = NULL;
    struct route_facts f = {.health = -1, .local = ROUTE_LOCAL_NOT_READY};
    struct route_plan plan;
    struct err e = {0};
    struct serve_model *m = serve_models_of_task(s->models, d->lease.task, &task);
    snprintf(d->why, sizeof d->why, "%s", m ? "The request is damaged." : "The task does not exist any more.");
    json_t *request = m ? json_loadb(d->lease.request, d->lease.n_request, 0, NULL) : NULL;
    f.task = d->lease.task;
    f.key = d->lease.key[0] ? d->lease.key : NULL;
    f.asked_class = d->lease.data_class;
    bool ok = request && route_plan_begin(d->r->policy->c, &f, &plan, &e) == 0;
    if (e.code) snprintf(d->why, sizeof d->why, "%s", e.msg);
    struct serve_silent like = {.endpoint = &serve_ep_task,
                                .model = m,
                                .key = s->keys && f.key ? serve_key_named(s->keys, f.key) : NULL,
                                .task = task ? task_model_task(task) : NULL,
                                .policy = d->r->policy,
                                .plan = &plan,
                                .request = request,
                                .parent = d->lease.receipt,
                                .id = d->lease.idempotency,
                                .subject = d->lease.subject};
    struct serve_leg *leg = ok ? silent_leg(s, &like) : NULL;
    json_decref(request);
    serve_model_unref(m);
    if (!leg) return false;
    leg->receipt.deferred = true;
    leg->on_over = delivery_ended;
    leg->user = d;
    serve_leg_start(leg);
    return true;
}

static void start_delivery(struct net_post *p)
{
    struct delivery *d = (struct delivery *)((char *)p - offsetof(struct delivery, post));
    if (d->r->stopping || !start(d)) delivered(d);
}

static void settle_delivery(struct delivery *d)
{
    struct err e = {0};
    int64_t now = clock_unix_s(), pause = RETRY_FIRST_S;
    int rc;
    for (uint32_t i = 1; i < d->lease.attempt && pause < RETRY_MOST_S; i++) pause *= 2;
    if (d->status == 200 && d->answer)
        rc = route_deferred_complete(d->r->store, &d->lease, now, 200, d->answer, strlen(d->answer), &e);
    else
        rc = route_deferred_fail(d->r->store, &d->lease, now, now + (pause < RETRY_MOST_S ? pause : RETRY_MOST_S),
                                 d->why, &e);
    if (rc) log_warn("deferred work %s: %s", d->lease.receipt, e.msg);
}

static bool deliver_next(struct serve_routing *r)
{
    struct delivery d = {.post.fn = start_delivery, .r = r};
    struct err e;
    if (route_deferred_lease(r->store, clock_unix_s(), LEASE_S, &d.lease, &e)) return false;
    net_server_post(r->serve->net, &d.post);
    pthread_mutex_lock(&r->lock);
    while (!d.done) pthread_cond_wait(&r->some, &r->lock);
    pthread_mutex_unlock(&r->lock);
    settle_delivery(&d);
    mem_free(d.answer);
    route_lease_done(&d.lease);
    return true;
}

static void *work(void *arg)
{
    struct serve_routing *r = arg;
    struct route_deferred_counts counts;
    struct err e;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&r->lock);
        bool more = deliver_next(r);
        if (!more && route_deferred_tidy(r->store, clock_unix_s(), &counts, &e) == 0)
            metric_set(r->deferred, counts.waiting + counts.leased);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
        pthread_mutex_lock(&r->lock);
        if (!more && !r->stopping) pthread_cond_timedwait(&r->some, &r->lock, &until);
    }
    r->worker_ended = true;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- its life ---- */

int serve_background_start(struct serve_routing *r, struct err *e)
{
    int failed = pthread_create(&r->worker, NULL, work, r);
    r->has_worker = !failed;
    return failed ? err_errno(e, failed, "start", "a thread") : 0;
}

/* The thread may be waiting for the loop, which has ended: its posts are run here. */
void serve_background_stop(struct serve_routing *r)
{
    bool ended = !r->has_worker;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_broadcast(&r->some);
    pthread_mutex_unlock(&r->lock);
    for (struct serve_job *job = r->silent; job; job = job->next_silent) serve_legs_cancel(job);
    while (!ended) {
        net_server_posts(r->serve->net, 0.02);
        pthread_mutex_lock(&r->lock);
        ended = r->worker_ended;
        pthread_mutex_unlock(&r->lock);
    }
    if (r->has_worker) pthread_join(r->worker, NULL);
    r->has_worker = false;
}
