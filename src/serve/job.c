/* Jobs (job.h): from the loop to a preparation thread, to the scheduler, and back.
 *
 * Who frees: the loop, in wake(), once preparation has ended and every submitted ask has had its on_done; a client
 * that leaves cancels the asks and the job stays until then, without an exchange. `lock` guards the mailbox, tickets
 * and done flags; nothing is called under it but infer_ticket_cancel. Read next: serve.c (where requests come from),
 * ep_chat.c (what endpoints do with pieces). */
#include "fields.h"
#include "routing.h"

enum { MAIL_MAX = 8 << 20, REPLY_MAX = 256 << 20 };

/* ---- from the scheduler's and preparation threads ---- */

/* Under the lock. */
static void wake(struct net_post *p);

static void post(struct serve_job *job)
{
    if (job->posted) return;
    job->posted = true;
    net_server_post(job->serve->net, &job->post);
}

static int on_piece(void *user, const struct croft_piece *p)
{
    struct serve_ask *ask = user;
    struct serve_job *job = ask->job;
    struct serve_piece head = {(uint32_t)(ask - job->ask), (uint32_t)p->n, (uint32_t)p->n_top, p->token, p->logprob};
    pthread_mutex_lock(&job->lock);
    buf_reserve(&job->mail, sizeof head + p->n + p->n_top * sizeof *p->top); /* whole records or none */
    if (!job->mail.failed) {
        buf_add(&job->mail, &head, sizeof head);
        buf_add(&job->mail, p->top, p->n_top * sizeof *p->top);
        buf_add(&job->mail, p->text, p->n);
        post(job);
    }
    int stop = job->mail.failed;
    pthread_mutex_unlock(&job->lock);
    return stop;
}

static void cancel_asks(struct serve_job *job) /* under the lock */
{
    for (uint32_t i = 0; i < job->n_ask; i++)
        if (job->ask[i].ticket) infer_ticket_cancel(job->ask[i].ticket);
}

static void cancel_all(struct serve_job *job)
{
    pthread_mutex_lock(&job->lock);
    cancel_asks(job);
    pthread_mutex_unlock(&job->lock);
}

void serve_job_done(struct serve_job *job, uint32_t i, const struct infer_outcome *o)
{
    pthread_mutex_lock(&job->lock);
    job->ask[i].outcome = *o;
    job->ask[i].done = true;
    if (o->err.code == CROFT_E_FULL && !job->leg) cancel_asks(job); /* no part of the answer is wanted */
    post(job);
    pthread_mutex_unlock(&job->lock); /* from here on the loop may free it */
}

static void on_done(void *user, const struct infer_outcome *o)
{
    struct serve_ask *ask = user;
    serve_job_done(ask->job, (uint32_t)(ask - ask->job->ask), o);
}

int serve_job_asks(struct serve_job *job, uint32_t n, struct err *e)
{
    struct infer_load load;
    infer_scheduler_load(job->model->scheduler, &load);
    if (n > load.n_most) /* not 429: it would never be taken */
        return serve_refuse(
            job, CROFT_E_USAGE, "",
            "This request asks for %u answers at once; this server takes %u (--parallel and --queue).", n,
            load.n_most);
    struct serve_ask *ask = mem_calloc(n, sizeof *ask);
    if (!ask) return err_nomem(e, n * sizeof *ask);
    for (uint32_t i = 0; i < n; i++) ask[i].job = job;
    pthread_mutex_lock(&job->lock); /* the client may leave just now (cancel_all) */
    job->ask = ask;
    job->n_ask = n;
    pthread_mutex_unlock(&job->lock);
    return 0;
}

int serve_job_submit(struct serve_job *job, uint32_t i, struct infer_request *r, struct err *e)
{
    struct serve_ask *ask = &job->ask[i];
    struct infer_ticket *ticket = NULL;
    r->owner = job->key ? serve_key_owner(job->key) : 0;
    r->deadline_s = job->deadline_s;
    r->on_piece = r->tree || r->texts ? NULL : on_piece;
    r->on_done = on_done;
    r->user = ask;
    ask->submitted = true; /* before: on_done may come at once */
    int rc = infer_schedule(job->model->scheduler, r, &ticket, e);
    if (rc)
        ask->submitted = false;
    else
        serve_job_ticket(job, i, ticket);
    return rc;
}

void serve_job_ticket(struct serve_job *job, uint32_t i, struct infer_ticket *ticket)
{
    pthread_mutex_lock(&job->lock);
    job->ask[i].ticket = ticket;
    pthread_mutex_unlock(&job->lock);
    if (atomic_load(&job->left)) infer_ticket_cancel(ticket);
}

void serve_job_prepare(struct serve_job *job)
{
    struct err e = {0};
    if (job->deferring) {
        if (serve_leg_defer(&job->leg[0], &e)) job->fault.err = e;
        pthread_mutex_lock(&job->lock);
        job->prepare_ended = true;
        post(job);
        pthread_mutex_unlock(&job->lock);
        return;
    }
    int rc = atomic_load(&job->left) ? ERR(&e, CANCELLED, "The client left.") : 0;
    if (rc == 0 && job->deadline_s > 0 && clock_now_s() > job->deadline_s)
        rc = ERR(&e, DEADLINE, "The deadline passed before the request was looked at.");
    if (rc == 0 && !job->in && strcmp(job->endpoint->method, "POST") == 0) rc = serve_body_parse(job);
    if (rc == 0) rc = job->endpoint->prepare(job, &e);
    if (rc && !job->fault.err.code) job->fault.err = e;
    if (rc) cancel_all(job);
    pthread_mutex_lock(&job->lock);
    job->prepare_ended = true;
    post(job);
    pthread_mutex_unlock(&job->lock);
}

/* ---- the loop ---- */

void serve_job_wake(struct serve_job *job)
{
    pthread_mutex_lock(&job->lock);
    post(job);
    pthread_mutex_unlock(&job->lock);
}

static void drop_asks(struct serve_job *job)
{
    if (job->data && job->endpoint->free_data) job->endpoint->free_data(job->data);
    for (uint32_t i = 0; i < job->n_ask; i++) infer_ticket_free(job->ask[i].ticket);
    mem_free(job->ask);
    job->data = NULL;
    job->ask = NULL;
    job->n_ask = 0;
}

bool serve_job_defer(struct serve_job *job)
{
    job->deferring = true;
    job->prepare_ended = false;
    if (serve_prep_add(job->serve->prep, job)) return true;
    return !(job->prepare_ended = true);
}

bool serve_job_again(struct serve_job *job)
{
    drop_asks(job);
    job->again = true;
    job->prepare_ended = false;
    job->planned_model = job->model;
    job->model = NULL;
    if (serve_prep_add(job->serve->prep, job)) return true;
    job->prepare_ended = true;
    ERR(&job->fault.err, FULL, "Too many requests wait to be looked at. Try again later.");
    return false;
}

static void job_free(struct serve_job *job)
{
    job->serve->n_jobs--;
    drop_asks(job);
    serve_legs_free(job);
    json_decref(job->in);
    buf_done(&job->body);
    buf_done(&job->mail);
    serve_model_unref(job->model);
    serve_model_unref(job->planned_model);
    pthread_mutex_destroy(&job->lock);
    mem_free(job);
}

static void on_left(struct net_exchange *x, void *user)
{
    struct serve_job *job = user;
    job->x = NULL;
    atomic_store(&job->left, true);
    cancel_all(job);
    if (job->n_away) serve_legs_cancel(job);
}

/* One line a request, without content; figures for /metrics. */
static void account(struct serve_job *job, int status)
{
    struct serve_metrics *m = &job->serve->m;
    const char *model = job->model ? job->model->name : "", *name = job->endpoint->name;
    char code[8];
    double now = clock_now_s(), all = now - job->arrived_s;
    snprintf(code, sizeof code, "%d", status);
    metric_add(m->requests, 1, model, name, code);
    metric_add(m->seconds, all, model, name);
    if (job->n_ask && status == 200) {
        metric_add(m->queued, job->queued_s, model);
        metric_add(m->prompt_tokens, job->prompt_tokens, model);
        metric_add(m->cached_tokens, job->cached_tokens, model);
        metric_add(m->answer_tokens, job->answer_tokens, model);
    }
    if (job->first_s > 0) metric_add(m->first_token, job->first_s - job->arrived_s, model, name);
    if (job->key) serve_key_spend(job->key, (uint64_t)job->prompt_tokens + job->answer_tokens);
    log_info("%s %s model=%s key=%s status=%d prompt=%u cached=%u answer=%u queued=%.1fms total=%.1fms%s%s", job->id,
             name, *model ? model : "-", job->key ? serve_key_name(job->key) : "-", status, job->prompt_tokens,
             job->cached_tokens, job->answer_tokens, job->queued_s * 1e3, all * 1e3,
             job->fault.err.code ? " error=" : "", job->fault.err.code ? err_name(job->fault.err.code) : "");
    if (job->serve->p.log_content)
        log_info("%s body: %.*s", job->id, (int)(job->body.len < 800 ? job->body.len : 800),
                 job->body.data ? job->body.data : "");
}

static void sum_up(struct serve_job *job)
{
    for (uint32_t i = 0; i < job->n_ask; i++) {
        const struct infer_outcome *o = &job->ask[i].outcome;
        if (!job->ask[i].submitted) continue;
        job->prompt_tokens += o->n_prompt;
        job->cached_tokens += o->n_cached;
        job->answer_tokens += o->n_generated;
        if (o->queued_s > job->queued_s) job->queued_s = o->queued_s;
        bool follows = job->fault.err.code == CROFT_E_CANCELLED; /* why the others were cancelled says more */
        if (!o->err.code || (job->fault.err.code && !follows) || job->leg) continue;
        job->fault.err = o->err;
        if (o->err.code == CROFT_E_LIMIT) job->fault.status = 400; /* a grammar that is too ambiguous */
    }
    for (uint32_t i = 0; i < job->n_legs && !job->fault.err.code; i++) {
        const struct err *why = serve_leg_error(&job->leg[i]);
        if (!why->code) continue;
        job->fault.err = *why;
        if (job->leg[i].plan.reason == ROUTE_R_REFUSED && job->leg[i].plan.n_tiers) job->fault.status = 503;
        else if (why->code == CROFT_E_LIMIT) job->fault.status = 400;
    }
    if (job->mail.failed && !job->fault.err.code) /* nobody would want a part */
        ERR(&job->fault.err, LIMIT, "The answer outgrew its buffer.");
}

/* Nobody waits for it: receipts, and whoever asked for it. */
static void finish_silent(struct serve_job *job)
{
    struct serve_job **at = &job->serve->routing->silent;
    while (*at != job) at = &(*at)->next_silent;
    *at = job->next_silent;
    serve_legs_close(job, job->leg && job->leg[0].tier >= 0 ? 200 : 503);
    job_free(job);
}

struct serve_job *serve_job_silent(struct serve *s, const struct serve_silent *like)
{
    struct serve_job *job = mem_calloc(1, sizeof *job);
    if (!job) return NULL;
    s->n_jobs++;
    job->post.fn = wake;
    job->serve = s;
    job->endpoint = like->endpoint;
    job->key = like->key;
    job->model = like->model;
    atomic_fetch_add(&job->model->references, 1);
    job->created = clock_unix_s();
    job->arrived_s = clock_now_s();
    job->prepare_ended = job->silent = true;
    snprintf(job->id, sizeof job->id, "%s", like->id);
    snprintf(job->subject, sizeof job->subject, "%s", like->subject);
    atomic_store(&job->left, true);
    pthread_mutex_init(&job->lock, NULL);
    buf_init(&job->mail, MAIL_MAX);
    job->next_silent = s->routing->silent;
    s->routing->silent = job;
    return job;
}

static void finish(struct serve_job *job)
{
    int status = 200;
    if (job->silent) {
        finish_silent(job);
        return;
    }
    if (!job->model && job->planned_model) { /* it was asked again, and did not get as far as having a model */
        job->model = job->planned_model;
        job->planned_model = NULL;
    }
    sum_up(job);
    if (job->fault.err.code) status = serve_fault_status(&job->fault);
    if (!job->x && !job->replied) status = 499;
    if (!job->leg && job->serve->routing && job->model) serve_leg_plain(job);
    if (status == 200 && job->leg && job->leg[0].receipt.deferred) status = 202;
    if (job->leg) serve_legs_close(job, status);
    if (!job->x) {
    } else if (job->fault.err.code) {
        serve_job_fail(job, &job->fault);
    } else if (job->leg && job->leg[0].receipt.deferred) {
        serve_job_reply(job, 202, serve_leg_deferred_json(&job->leg[0]));
    } else if (!serve_leg_reply_chat(job)) {
        job->endpoint->finish(job);
    }
    if (job->x && !job->replied) { /* an endpoint that forgot, or had no memory */
        ERR(&job->fault.err, INTERNAL, "There is no answer.");
        serve_job_fail(job, &job->fault);
        status = 500;
    }
    account(job, status);
    job_free(job);
}

static void deliver(struct serve_job *job, const struct buf *mail)
{
    for (size_t at = 0; job->x && at + sizeof(struct serve_piece) <= mail->len;) {
        struct serve_piece p;
        struct croft_logprob top[64];
        memcpy(&p, mail->data + at, sizeof p);
        at += sizeof p;
        if (p.n_top) memcpy(top, mail->data + at, p.n_top * sizeof top[0]);
        at += p.n_top * sizeof top[0];
        if (job->endpoint->piece) job->endpoint->piece(job, &p, top, mail->data + at);
        at += p.n;
    }
}

/* Something came: pieces, an outcome, the end of preparation. */
static void wake(struct net_post *p)
{
    struct serve_job *job = (struct serve_job *)((char *)p - offsetof(struct serve_job, post));
    struct buf mail;
    pthread_mutex_lock(&job->lock);
    job->posted = false;
    mail = job->mail;
    buf_init(&job->mail, MAIL_MAX);
    job->mail.failed = mail.failed;
    bool over = job->prepare_ended;
    for (uint32_t i = 0; i < job->n_ask; i++) over = over && (job->ask[i].done || !job->ask[i].submitted);
    pthread_mutex_unlock(&job->lock);
    if (mail.len && job->first_s == 0) job->first_s = clock_now_s();
    deliver(job, &mail);
    buf_done(&mail);
    if (over && !serve_legs_go(job)) finish(job);
}

static int read_name(struct serve_job *job, const struct net_head *head, const char *header, char out[64])
{
    struct str v = net_head_get(head, header);
    if (v.n >= 64) return serve_refuse(job, CROFT_E_USAGE, header, "The header %s is too long.", header);
    memcpy(out, v.p ? v.p : "", v.n);
    return 0;
}

/* What a request may say about where it is answered; without tiers, nothing. */
static int read_routing(struct serve_job *job, const struct net_head *head)
{
    char user[64] = "";
    if (!job->serve->routing) return 0;
    int rc = read_name(job, head, "X-Croft-Class", job->asked_class);
    if (rc == 0) rc = read_name(job, head, "X-Croft-Tier", job->asked_tier);
    if (rc == 0) rc = read_name(job, head, "X-Croft-Subject", user);
    job->may_wait = str_eqz(net_head_get(head, "X-Croft-Urgent"), "false");
    if (rc == 0 && user[0]) route_subject_hash(&job->serve->routing->salt, user, job->subject);
    return rc;
}

static int read_deadline(struct serve_job *job, const struct net_head *head)
{
    struct str v = net_head_get(head, "X-Croft-Deadline-Ms");
    char text[24];
    int64_t ms;
    double limit = job->serve->p.deadline_s;
    if (limit > 0) job->deadline_s = job->arrived_s + limit;
    if (!v.p) return 0;
    snprintf(text, sizeof text, "%.*s", (int)(v.n < sizeof text ? v.n : sizeof text - 1), v.p);
    if (v.n >= sizeof text || !str_to_i64(text, &ms) || ms < 1 || ms > 86400000)
        return serve_refuse(job, CROFT_E_USAGE, "X-Croft-Deadline-Ms",
                            "The header X-Croft-Deadline-Ms must be a whole number from 1 to 86400000.");
    job->deadline_s = job->arrived_s + (double)ms / 1e3;
    return 0;
}

/* JSON only: a page in a browser cannot send that type to another origin without asking first. */
static int check_type(struct serve_job *job, const struct net_head *head)
{
    struct str v = net_head_get(head, "Content-Type");
    const size_t n = sizeof "application/json" - 1;
    struct str coding = net_head_get(head, "Content-Encoding");
    job->fault.status = 415;
    if (coding.p && !(coding.n == 8 && strncasecmp(coding.p, "identity", 8) == 0))
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "", "Send the body as it is, without a Content-Encoding.");
    if (v.n >= n && strncasecmp(v.p, "application/json", n) == 0 && (v.n == n || v.p[n] == ';' || v.p[n] == ' ')) {
        job->fault.status = 0;
        return 0;
    }
    return serve_refuse(job, CROFT_E_USAGE, "", "Send the body with 'Content-Type: application/json'.");
}

void serve_job_start(struct serve *s, const struct serve_endpoint *ep, struct net_exchange *x, struct serve_key *key,
                     const char *tail)
{
    struct serve_job *job = mem_calloc(1, sizeof *job);
    if (!job) {
        struct serve_fault f = {0};
        err_nomem(&f.err, sizeof *job);
        serve_reply_fault(s, x, &f);
        return;
    }
    const struct net_head *head = net_exchange_head(x);
    s->n_jobs++;
    job->post.fn = wake;
    job->serve = s;
    job->endpoint = ep;
    job->x = x;
    job->key = key;
    job->body = net_exchange_take_body(x);
    job->created = clock_unix_s();
    job->arrived_s = clock_now_s();
    snprintf(job->id, sizeof job->id, "%llx%06llx", (unsigned long long)job->created, (unsigned long long)++s->n_ids);
    job->generation = serve_models_generation(s->models);
    snprintf(job->tail, sizeof job->tail, "%s", tail);
    pthread_mutex_init(&job->lock, NULL);
    buf_init(&job->mail, MAIL_MAX);
    net_exchange_set_user(x, job, on_left);
    int rc = strcmp(ep->method, "POST") == 0 ? check_type(job, head) : 0;
    if (rc == 0) rc = read_deadline(job, head);
    if (rc == 0) rc = read_routing(job, head);
    if (rc == 0 && !serve_prep_add(s->prep, job))
        rc = serve_refuse(job, CROFT_E_FULL, "", "Too many requests wait to be looked at. Try again later.");
    if (rc == 0) return;
    job->prepare_ended = true;
    finish(job);
}

/* ---- answering ---- */

static void keep_answer(struct serve_job *job, struct str answer)
{
    struct serve *s = job->serve;
    struct serve_question q = {job->endpoint, job->key, job->tail, {job->body.data, job->body.len}};
    bool same_models = serve_models_generation(s->models) == job->generation;
    if (job->leg) return; /* each answer has a receipt of its own */
    if (s->cache && job->endpoint->repeats && same_models) serve_cache_keep(s->cache, &q, job->generation, answer);
}

void serve_job_reply(struct serve_job *job, int status, json_t *body)
{
    struct buf b;
    if (!job->x || job->replied) {
        json_decref(body);
        return;
    }
    buf_init(&b, REPLY_MAX);
    if (!body || serve_json_dump(body, &b, JSON_COMPACT | (job->digits ? job->digits : JSON_REAL_PRECISION(9))) ||
        buf_char(&b, '\n')) {
        err_nomem(&job->fault.err, b.len);
        serve_job_fail(job, &job->fault);
    } else {
        job->replied = true;
        if (status == 200) keep_answer(job, (struct str){b.data, b.len});
        net_exchange_header(job->x, "X-Request-Id", job->id);
        serve_legs_headers(job);
        net_exchange_reply(job->x, status, "application/json", b.data, b.len);
        job->x = NULL;
        atomic_store(&job->left, true);
    }
    buf_done(&b);
    json_decref(body);
}

static void begin_stream(struct serve_job *job)
{
    if (job->streaming) return;
    job->streaming = true;
    net_exchange_header(job->x, "X-Request-Id", job->id);
    serve_legs_headers(job);
    net_exchange_stream(job->x, 200, "text/event-stream; charset=utf-8");
}

void serve_job_raw(struct serve_job *job, const char *bytes)
{
    if (!job->x) return;
    begin_stream(job);
    if (!net_exchange_add(job->x, bytes, strlen(bytes))) job->x = NULL;
}

void serve_job_event(struct serve_job *job, const char *event, json_t *data)
{
    struct buf b;
    if (job->x) {
        begin_stream(job);
        buf_init(&b, REPLY_MAX);
        if (event) buf_fmt(&b, "event: %s\n", event);
        buf_str(&b, "data: ");
        if (data && serve_json_dump(data, &b, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
            buf_str(&b, "\n\n") == 0 && !net_exchange_add(job->x, b.data, b.len))
            job->x = NULL;
        buf_done(&b);
    }
    json_decref(data);
}

void serve_job_end(struct serve_job *job)
{
    if (!job->x) return;
    begin_stream(job);
    net_exchange_end(job->x);
    job->replied = true;
    job->x = NULL;
}

/* How long a client should wait before it tries again: what the last ones waited. */
static void advise_retry(struct serve_job *job, int status)
{
    struct infer_load load = {0};
    char text[24];
    if (status != 429 && status != 503) return;
    if (job->model) infer_scheduler_load(job->model->scheduler, &load);
    snprintf(text, sizeof text, "%.0f", load.wait_s < 1 ? 1 : load.wait_s > 3600 ? 3600 : load.wait_s + 0.5);
    net_exchange_header(job->x, "Retry-After", text);
}

void serve_job_fail(struct serve_job *job, struct serve_fault *f)
{
    struct buf b;
    if (!job->x || job->replied) return;
    if (job->streaming) { /* the status is out: the error is the last event, and no [DONE] follows */
        buf_init(&b, 64 * 1024);
        buf_str(&b, "event: error\ndata: ");
        serve_fault_body(f, &b);
        buf_char(&b, '\n');
        if (net_exchange_add(job->x, b.data, b.len)) serve_job_end(job);
        buf_done(&b);
        job->replied = true;
        return;
    }
    job->replied = true;
    advise_retry(job, serve_fault_status(f));
    net_exchange_header(job->x, "X-Request-Id", job->id);
    serve_legs_headers(job);
    serve_reply_fault(job->serve, job->x, f);
    job->x = NULL;
}
