/* The way of one answer between tiers (routing.h): planned before a token is generated, judged when the local model
 * has answered, taken from tier to tier until one has answered or none is left. What is asked elsewhere is a copy of
 * the request in OpenAI's shape, redacted as the place demands; what comes back is restored and, for tasks, read as
 * an answer to the task before it counts.
 *
 * Every leg ends in one of: the local answer (as it should, or marked degraded), a tier's answer, an error. Each try
 * that left is in its receipt, whatever came of it. Threads: begin and refused on preparation threads, verdict on the
 * scheduler's before the ask is done, the rest on the loop. Read next: leg_stream.c, src/route/policy.c. */
#include "routing.h"
#include "task_model.h"
#include "task_remote.h"

#include <math.h>

/* ---- planning ---- */

int serve_legs_new(struct serve_job *job, uint32_t n, struct err *e)
{
    job->leg = mem_calloc(n, sizeof *job->leg);
    if (!job->policy) job->policy = serve_policy_get(job->serve->routing);
    if (!job->leg) return err_nomem(e, n * sizeof *job->leg);
    job->n_legs = n;
    for (uint32_t i = 0; i < n; i++) {
        job->leg[i] = (struct serve_leg){.job = job, .i = i, .tier = -1, .label = -1, .confidence = NAN};
        route_receipt_begin(&job->leg[i].receipt);
    }
    return 0;
}

static int look_for(const struct serve_policy *p, const char *const *texts, size_t n, struct route_facts *f,
                    struct err *e)
{
    uint32_t kinds = 0;
    int rc = 0;
    for (int i = 0; i < p->c->n_raise; i++) kinds |= ROUTE_PII_BIT(p->c->raise[i].kind);
    for (size_t i = 0; i < n && rc == 0 && kinds; i++)
        rc = route_detect(p->detectors, kinds, texts[i], strlen(texts[i]), f->found, e);
    return rc;
}

static void note_facts(struct serve_job *job, const struct task *task, struct route_facts *f)
{
    struct serve_routing *r = job->serve->routing;
    struct infer_load load;
    infer_scheduler_load(job->model->scheduler, &load);
    f->task = task ? task->name : NULL;
    f->task_class = task ? task->sensitivity : NULL;
    f->task_ms = task ? task->latency_ms : 0;
    f->key = job->key ? serve_key_name(job->key) : NULL;
    f->asked_class = job->asked_class[0] ? job->asked_class : NULL;
    f->asked_tier = job->asked_tier[0] ? job->asked_tier : NULL;
    f->health = route_health_check(r->health, clock_now_ns(), NULL);
    f->n_waiting = load.n_waiting;
    f->local_ms = task ? serve_pace_ms(r, task->name) : 0;
    f->budget_ms = job->deadline_s > 0 ? (job->deadline_s - clock_now_s()) * 1e3 : 0;
    serve_tier_paces(r, job->policy, f->tier_ms);
}

int serve_leg_begin(struct serve_job *job, uint32_t i, const struct task *task, const char *const *texts, size_t n,
                    json_t *request, struct err *e)
{
    struct serve_leg *leg = &job->leg[i];
    struct route_facts f = {0};
    if (job->again) { /* planned before */
        json_decref(request);
        return 0;
    }
    leg->task = task;
    leg->request = request;
    note_facts(job, task, &f);
    int rc = look_for(job->policy, texts, n, &f, e);
    if (rc == CROFT_E_LIMIT) { /* what could not be looked into stays */
        f.asked_class = ROUTE_LOCAL_ONLY;
        rc = 0;
    }
    if (rc == 0) rc = route_plan_begin(job->policy->c, &f, &leg->plan, e);
    if (rc == CROFT_E_NOT_FOUND) rc = CROFT_E_USAGE; /* a class or tier that the request names */
    if (rc) return serve_refuse(job, rc, "", "%s", e->msg);
    if (leg->plan.reason == ROUTE_R_LATENCY) serve_pace_fade(job->serve->routing, task->name);
    if (task && leg->plan.rule.capture == 1 && !(leg->input = mem_strdup(texts[0]))) return err_nomem(e, 0);
    leg->asked_here = leg->plan.local_first;
    return 0;
}

int serve_leg_refused(struct serve_leg *leg, int rc, struct err *e)
{
    static const struct {
        int code;
        enum route_reason why;
    } cures[] = {{CROFT_E_NO_ROOM, ROUTE_R_TOO_LONG},
                 {CROFT_E_FULL, ROUTE_R_QUEUE},
                 {CROFT_E_NOMEM, ROUTE_R_MEMORY},
                 {CROFT_E_BUSY, ROUTE_R_NOT_READY}};
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        if (cures[i].code != rc || leg->plan.n_tiers == 0 || !leg->request) continue;
        leg->local_err = leg->job->fault.err.code ? leg->job->fault.err : *e;
        leg->job->fault = (struct serve_fault){0};
        leg->plan.local_first = leg->plan.local_stands = leg->asked_here = false;
        leg->plan.reason = cures[i].why;
        route_plan_step(&leg->plan, cures[i].why, -1);
        return 0;
    }
    return rc;
}

void serve_leg_verdict(struct serve_leg *leg, const struct task_judgement *j, const char *text, size_t n)
{
    static const enum route_verdict_kind kinds[] = {[TASK_UNCALIBRATED] = ROUTE_V_UNCALIBRATED,
                                                    [TASK_ACCEPT] = ROUTE_V_ACCEPT,
                                                    [TASK_LOW_CONFIDENCE] = ROUTE_V_LOW,
                                                    [TASK_OUT_OF_SCOPE] = ROUTE_V_OUT_OF_SCOPE};
    leg->verdict = leg->task->kind == TASK_EMBED ? ROUTE_V_NONE : kinds[j->verdict];
    leg->confidence = j->confidence;
    if (leg->plan.rule.check_share > 0 && leg->verdict == ROUTE_V_ACCEPT) leg->local_text = mem_strndup(text, n);
}

json_t *serve_leg_chat_request(const json_t *in)
{
    static const char *const same[] = {"messages",
                                       "tools",
                                       "tool_choice",
                                       "parallel_tool_calls",
                                       "response_format",
                                       "temperature",
                                       "top_p",
                                       "stop",
                                       "seed",
                                       "n",
                                       "logprobs",
                                       "top_logprobs",
                                       "max_tokens",
                                       "max_completion_tokens",
                                       "presence_penalty",
                                       "frequency_penalty"};
    static const char *const ours[] = {"structured_outputs", "logit_bias",     "top_k",      "min_p",
                                       "typical_p",          "repeat_penalty", "ignore_eos", "chat_template_kwargs"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        json_t *v = json_object_get(in, ours[i]);
        if (v && !json_is_null(v)) return NULL;
    }
    json_t *out = json_object();
    for (size_t i = 0; out && i < sizeof same / sizeof same[0]; i++) {
        json_t *v = json_object_get(in, same[i]);
        if (v && !json_is_null(v)) json_object_set(out, same[i], v);
    }
    return out;
}

/* ---- asking a tier ---- */

static void next_tier(struct serve_leg *leg);

static struct serve_routing *routing_of(const struct serve_leg *leg) { return leg->job->serve->routing; }

static const struct route_config *conf_of(const struct serve_leg *leg) { return leg->job->policy->c; }

static const struct route_tier *tier_of(const struct serve_leg *leg, int t) { return &conf_of(leg)->tier[t]; }

/* What the call can cost at most: a token for two bytes of the request, and the longest answer. */
static money estimate(const struct serve_leg *leg, const struct route_tier *t)
{
    const json_t *o = leg->request;
    json_int_t n = json_integer_value(json_object_get(o, "max_completion_tokens"));
    json_int_t choices = json_integer_value(json_object_get(o, "n"));
    if (n <= 0) n = json_integer_value(json_object_get(o, "max_tokens"));
    if (n <= 0) n = t->max_tokens ? t->max_tokens : 4096;
    if (choices > 1) n *= choices;
    uint64_t in = json_dumpb(o, NULL, 0, JSON_COMPACT) / 2 + 64;
    return money_add(money_per_million(in, t->price.in), money_per_million((uint64_t)n, t->price.out));
}

static int reserve_money(struct serve_leg *leg, const struct route_tier *t, struct err *e)
{
    const struct route_config *c = conf_of(leg);
    struct route_budget b[ROUTE_MAX_BUDGETS];
    const char *key = leg->job->key ? serve_key_name(leg->job->key) : NULL;
    uint32_t n = 0, which;
    for (int i = 0; i < c->n_budgets && n < ROUTE_MAX_BUDGETS; i++) {
        const struct route_budget_rule *r = &c->budget[i];
        if ((r->key && (!key || strcmp(r->key, key) != 0)) ||
            (r->task && (!leg->task || strcmp(r->task, leg->task->name) != 0)))
            continue;
        b[n] = (struct route_budget){.period = r->period, .limit = r->limit};
        snprintf(b[n].scope, sizeof b[n].scope, "%s%s%s%s%s", r->key || r->task ? "" : "all", r->key ? "key:" : "",
                 r->key ? r->key : "", r->task ? (r->key ? " task:" : "task:") : "", r->task ? r->task : "");
        snprintf(b[n++].currency, sizeof b[0].currency, "%s", c->currency);
    }
    if (n == 0) return 0;
    return route_budget_reserve(routing_of(leg)->store, b, n, estimate(leg, t), clock_unix_s(), &leg->money, &which,
                                e);
}

static void settle(struct serve_leg *leg, money spent)
{
    route_budget_settle(routing_of(leg)->store, &leg->money, spent);
}

/* A copy of the request as this place may see it. NULL: it may not, or memory ran out. */
static json_t *redacted(struct serve_leg *leg, const struct route_tier *t, struct err *e)
{
    const struct serve_policy *p = leg->job->policy;
    json_t *copy = json_deep_copy(leg->request);
    route_conversation_free(leg->conversation);
    leg->conversation = NULL;
    if (copy && !p->detectors) return copy;
    int rc = copy ? 0 : err_nomem(e, 0);
    if (rc == 0) rc = route_conversation_new(p->detectors, &p->c->redact[t->place], &leg->conversation, e);
    if (rc == 0) rc = route_redact_chat(leg->conversation, copy, e);
    if (rc) {
        json_decref(copy);
        return NULL;
    }
    route_conversation_counts(leg->conversation, leg->receipt.redacted); /* of the tier asked last */
    return copy;
}

static void pass(struct serve_leg *leg, enum route_reason why, int t)
{
    route_plan_step(&leg->plan, why, t);
    leg->at++;
}

static void ended(struct serve_leg *leg)
{
    struct serve_job *job = leg->job;
    leg->over = true;
    if (--job->n_away == 0) serve_job_wake(job);
}

static void note_usage(struct serve_leg *leg, const struct route_tier *t, const struct route_result *r)
{
    leg->receipt.cost = money_add(leg->receipt.cost, r->cost);
    leg->receipt.prompt_tokens += r->usage.in;
    leg->receipt.answer_tokens += r->usage.out;
    if (r->cost)
        metric_add(routing_of(leg)->cost, (double)r->cost / MONEY_ONE, t->name, conf_of(leg)->currency);
}

struct task_model *serve_leg_task(const struct serve_leg *leg)
{
    for (size_t i = 0; i < leg->job->model->n_tasks; i++)
        if (task_model_task(leg->job->model->task[i]) == leg->task) return leg->job->model->task[i];
    return NULL;
}

/* Does the JSON of another model keep to the task's schema? */
static int check_schema(struct serve_leg *leg, struct err *e)
{
    struct task_model *m = leg->task->kind == TASK_EXTRACT ? serve_leg_task(leg) : NULL;
    return m ? task_model_check(m, leg->text, strlen(leg->text), e) : 0;
}

static const char *content_of(const json_t *answer)
{
    const json_t *choice = json_array_get(json_object_get(answer, "choices"), 0);
    return json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
}

int serve_leg_content_depth(const struct serve_leg *leg)
{
    const json_t *format = json_object_get(leg->request, "response_format");
    const char *type = json_string_value(json_object_get(format, "type"));
    return type && strcmp(type, "text") != 0;
}

/* A tier's answer, as the client gets it. */
static int take_answer(struct serve_leg *leg, const json_t *answer, struct err *e)
{
    int label;
    json_t *copy = json_deep_copy(answer);
    int rc = copy ? 0 : err_nomem(e, 0);
    if (rc == 0 && leg->conversation) rc = route_restore_chat(leg->conversation, copy, serve_leg_content_depth(leg), e);
    if (rc == 0 && leg->task) {
        const char *text = content_of(copy);
        rc = text ? task_remote_answer(leg->task, text, &leg->label, &leg->text, e)
                  : ERR(e, FORMAT, "The other model wrote nothing.");
        if (rc == 0) rc = check_schema(leg, e);
        if (rc == 0 && leg->input) rc = task_remote_answer(leg->task, content_of(answer), &label, &leg->raw_text, e);
    }
    if (rc) {
        json_decref(copy);
        mem_free(leg->text);
        leg->text = NULL;
        return rc;
    }
    leg->answer = copy;
    return 0;
}

/* The input as it left, and the tier's answer without what was put back: training data holds no values. */
static void capture(struct serve_leg *leg)
{
    struct err e = {0};
    struct buf input;
    if (!leg->input) return;
    buf_init(&input, 16 << 20);
    int rc = leg->conversation ? route_redact_text(leg->conversation, leg->input, strlen(leg->input), &input, &e)
                               : buf_str(&input, leg->input);
    struct route_capture c = {.task = leg->task->name,
                              .input = input.data,
                              .output = leg->raw_text,
                              .form = leg->task->kind == TASK_CLASSIFY  ? ROUTE_OUTPUT_LABEL
                                      : leg->task->kind == TASK_EXTRACT ? ROUTE_OUTPUT_JSON
                                                                        : ROUTE_OUTPUT_TEXT,
                              .subject = leg->job->subject[0] ? leg->job->subject : NULL,
                              .receipt = leg->receipt.id};
    if (rc == 0 && c.input && c.output) rc = route_capture_add(routing_of(leg)->store, &c, &e);
    if (rc) log_warn("capture: %s", e.msg);
    buf_done(&input);
}

static void on_end(void *user, const struct route_result *r)
{
    struct serve_leg *leg = user;
    struct err e = {0};
    int t = leg->plan.tier[leg->at];
    leg->call = NULL;
    settle(leg, r->cost);
    note_usage(leg, tier_of(leg, t), r);
    if (leg->begun) { /* too late for another tier */
        leg->tier = t;
        serve_leg_stream_end(leg, r);
        ended(leg);
        return;
    }
    if (r->failure || take_answer(leg, r->answer, &e)) {
        log_info("%s tier=%s failed: %s", leg->job->id, tier_of(leg, t)->name, r->failure ? r->err.msg : e.msg);
        leg->tier_err = r->failure ? r->err : e;
        pass(leg, ROUTE_R_UPSTREAM, t);
        next_tier(leg);
        return;
    }
    leg->tier = t;
    serve_tier_pace_note(routing_of(leg), leg->job->policy->tier[t]);
    capture(leg);
    ended(leg);
}

static void on_sent(void *user, const char *host, const void *body, size_t n)
{
    struct serve_leg *leg = user;
    const struct route_tier *t = tier_of(leg, leg->plan.tier[leg->at]);
    if (t->place != ROUTE_DEVICE) route_receipt_left(&leg->receipt, t->name, t->place, host, body, n);
}

/* Ask tier t. False: it cannot be asked, and the plan has a step that says why. */
static bool ask(struct serve_leg *leg, int t)
{
    struct serve_routing *r = routing_of(leg);
    const struct route_tier *tier = tier_of(leg, t);
    struct serve_job *job = leg->job;
    struct route_upstream *up = job->policy->tier[t]->up;
    struct err e = {0};
    double left = job->deadline_s > 0 ? job->deadline_s - clock_now_s() : 0;
    const char *class_name = route_class_name(conf_of(leg), leg->plan.data_class);
    enum route_reason why = ROUTE_R_UPSTREAM;
    if (!route_upstream_ready(up)) goto no;
    why = ROUTE_R_REFUSED;
    if (tier->place != ROUTE_DEVICE && route_receipts_reserve(r->log, &leg->receipt, true, &e)) goto no;
    why = ROUTE_R_BUDGET;
    if (reserve_money(leg, tier, &e)) goto no;
    why = ROUTE_R_UNREDACTABLE;
    json_decref(leg->sent);
    leg->sent = redacted(leg, tier, &e);
    if (!leg->sent) goto no;
    struct route_request q = {.kind = ROUTE_CHAT,
                              .body = leg->sent,
                              .stream = leg->stream,
                              .usage_chunk = leg->stream && leg->usage_chunk,
                              .data_class = str_of(class_name),
                              .deadline_s = left,
                              .user = leg,
                              .on_sent = on_sent,
                              .on_chunk = serve_leg_chunk,
                              .on_end = on_end};
    why = ROUTE_R_UPSTREAM;
    if (job->deadline_s > 0 && left <= 0)
        ERR(&e, DEADLINE, "The deadline passed before the tier was asked.");
    else if (route_upstream_send(up, &q, &leg->call, &e) == 0)
        return true;
no:
    settle(leg, 0);
    if (!e.code) ERR(&e, BUSY, "The tier '%s' failed lately and is left alone for a while.", tier->name);
    leg->tier_err = e;
    log_info("%s tier=%s not asked: %s %s", job->id, tier->name, route_reason_word(why), e.msg);
    pass(leg, why, t);
    return false;
}

/* No tier is left: the local answer after all, marked, or none. */
static void fall_back(struct serve_leg *leg)
{
    if (leg->plan.local_stands && !leg->local_err.code) {
        leg->degraded = true;
        leg->wants_local = !leg->asked_here || leg->unanswered;
        if (leg->plan.n_steps) leg->plan.reason = leg->plan.step[leg->plan.n_steps - 1].reason; /* why no tier did */
    } else {
        route_plan_step(&leg->plan, ROUTE_R_REFUSED, -1);
        leg->plan.reason = ROUTE_R_REFUSED;
        if (!leg->request)
            ERR(&leg->tier_err, UNSUPPORTED, "The request asks for what only the local model can do, which did not.");
        else if (!leg->tier_err.code)
            ERR(&leg->tier_err, BUSY, "No tier may or can answer this request now.");
    }
    ended(leg);
}

static void next_tier(struct serve_leg *leg)
{
    while (leg->request && leg->at < leg->plan.n_tiers)
        if (ask(leg, leg->plan.tier[leg->at])) return;
    fall_back(leg);
}

/* ---- judging ---- */

/* Watched: only answers in the upper half between the threshold and certainty. */
static bool trusted(const struct serve_leg *leg)
{
    enum route_trust trust = serve_trust_in(leg);
    if (trust != ROUTE_WATCHED) return trust == ROUTE_TRUSTED;
    struct task_model *m = serve_leg_task(leg);
    const struct task_calibration *c = m ? task_model_calibration(m, NULL) : NULL;
    return c && leg->confidence >= (1 + task_calibration_promise(c).threshold) / 2;
}

static bool stays(struct serve_leg *leg)
{
    const struct infer_outcome *o = leg->i < leg->job->n_ask ? &leg->job->ask[leg->i].outcome : NULL;
    struct serve_routing *r = routing_of(leg);
    if (!leg->plan.local_first) return false;
    for (uint32_t k = 0; k < leg->job->n_ask && !leg->task; k++) /* a chat's choices are one answer */
        if (leg->job->ask[k].outcome.err.code) o = &leg->job->ask[k].outcome;
    if (o && o->err.code) leg->local_err = o->err;
    if (o && (o->err.code == CROFT_E_CANCELLED || o->err.code == CROFT_E_DEADLINE)) return true;
    if (leg->job->streaming) return true; /* what has begun here ends here */
    if (!leg->local_err.code && leg->task && o && !leg->unanswered)
        serve_pace_note(r, leg->task->name, (o->prompt_s + o->generate_s) * 1e3);
    enum route_verdict_kind v = leg->local_err.code ? ROUTE_V_FAILED : leg->verdict;
    if (v == ROUTE_V_ACCEPT && !trusted(leg)) v = ROUTE_V_DEMOTED;
    return route_plan_judge(conf_of(leg), &leg->plan, v, leg->confidence);
}

/* The second time round: the tiers failed, and the local model was asked after all. */
static void settle_for(struct serve_leg *leg)
{
    const struct err *why = &leg->job->ask[leg->i].outcome.err;
    leg->wants_local = leg->unanswered = false;
    if (!why->code) return;
    leg->local_err = *why;
    leg->degraded = false;
    leg->plan.reason = ROUTE_R_REFUSED;
}

bool serve_legs_go(struct serve_job *job)
{
    bool again = false;
    if (!job->leg || job->fault.err.code) return job->n_away > 0;
    if (job->n_away > 0) return true;
    job->n_away = 1; /* so that the last leg's end is not ours */
    for (uint32_t i = 0; i < job->n_legs; i++) {
        struct serve_leg *leg = &job->leg[i];
        if (leg->over && leg->wants_local && job->again) settle_for(leg);
        if (leg->over) continue;
        if (!job->x || stays(leg)) {
            leg->over = true;
            leg->wants_local = leg->unanswered && !leg->local_err.code;
            if (job->x && !leg->local_err.code) serve_check_maybe(leg);
            continue;
        }
        job->n_away++;
        next_tier(leg);
    }
    for (uint32_t i = 0; i < job->n_legs; i++) again = again || (job->leg[i].over && job->leg[i].wants_local);
    for (uint32_t i = 0; i < job->n_legs && again; i++) /* what was answered here is forgotten with the preparation */
        job->leg[i].wants_local = job->leg[i].tier < 0 && !job->leg[i].local_err.code;
    if (--job->n_away > 0) return true;
    if (job->n_legs == 1 && job->x && !job->deferring && serve_leg_may_defer(&job->leg[0]))
        return serve_job_defer(job);
    return again && job->x && serve_job_again(job);
}

void serve_leg_start(struct serve_leg *leg)
{
    leg->job->n_away = 1;
    next_tier(leg);
}

void serve_legs_cancel(struct serve_job *job)
{
    for (uint32_t i = 0; i < job->n_legs; i++) {
        struct serve_leg *leg = &job->leg[i];
        struct route_result r = {0};
        if (!leg->call) continue;
        route_call_cancel(leg->call, &r);
        leg->call = NULL;
        settle(leg, r.cost);
        note_usage(leg, tier_of(leg, leg->plan.tier[leg->at]), &r);
        ended(leg);
    }
}

/* ---- what is said of it ---- */

const struct err *serve_leg_error(const struct serve_leg *leg)
{
    static const struct err none;
    if (leg->tier >= 0 || leg->degraded || leg->receipt.deferred) return &none;
    return leg->local_err.code ? &leg->local_err : leg->plan.reason == ROUTE_R_REFUSED ? &leg->tier_err : &none;
}

bool serve_leg_reply_chat(struct serve_job *job)
{
    if (!job->leg || job->leg[0].task || job->leg[0].tier < 0) return false;
    if (job->leg[0].answer) serve_job_reply(job, 200, json_incref(job->leg[0].answer));
    return true;
}

/* Is there no answer: refused, put off, or nothing came of what was asked in the background? */
static bool is_void(const struct serve_leg *leg)
{
    return leg->tier < 0 ? leg->job->fault.err.code || leg->receipt.deferred || leg->job->silent
                         : leg->job->fault.err.code && !leg->begun;
}

static const char *tier_name(const struct serve_leg *leg)
{
    return is_void(leg) ? "none" : leg->tier < 0 ? "local" : tier_of(leg, leg->tier)->name;
}

static enum route_reason reason_of(const struct serve_leg *leg)
{
    return leg->job->fault.err.code && leg->tier < 0 ? ROUTE_R_REFUSED : leg->plan.reason;
}

static const char *model_name(const struct serve_leg *leg)
{
    return leg->tier < 0 ? leg->job->model->name : tier_of(leg, leg->tier)->model;
}

void serve_legs_headers(struct serve_job *job)
{
    char text[32];
    if (!job->leg || job->n_legs != 1 || !job->x || job->leg_headers) return;
    const struct serve_leg *leg = &job->leg[0];
    job->leg_headers = true;
    net_exchange_header(job->x, "X-Croft-Tier", tier_name(leg));
    if (!is_void(leg)) net_exchange_header(job->x, "X-Croft-Model", model_name(leg));
    if (leg->tier < 0 && !isnan(leg->confidence)) {
        snprintf(text, sizeof text, "%.4f", leg->confidence);
        net_exchange_header(job->x, "X-Croft-Confidence", text);
    }
    net_exchange_header(job->x, "X-Croft-Reason", route_reason_word(reason_of(leg)));
    if (!leg->stream || leg->tier < 0) { /* a stream's cost is known at its end */
        money_text(leg->receipt.cost, text);
        net_exchange_header(job->x, "X-Croft-Cost", text);
    }
    if (leg->degraded) net_exchange_header(job->x, "X-Croft-Degraded", "true");
    net_exchange_header(job->x, "X-Croft-Receipt", leg->receipt.id);
}

json_t *serve_leg_json(const struct serve_leg *leg)
{
    char cost[32];
    money_text(leg->receipt.cost, cost);
    json_t *o = json_pack("{s:s s:s s:s s:s s:s}", "tier", tier_name(leg), "model", model_name(leg), "reason",
                          route_reason_word(leg->plan.reason), "cost", cost, "receipt", leg->receipt.id);
    if (leg->tier < 0 && !isnan(leg->confidence)) json_object_set_new(o, "confidence", json_real(leg->confidence));
    if (leg->degraded) json_object_set_new(o, "degraded", json_true());
    return o;
}

static void close_leg(struct serve_leg *leg, int status)
{
    if (leg->on_over) leg->on_over(leg);
    struct serve_job *job = leg->job;
    struct serve_routing *r = routing_of(leg);
    struct route_receipt *x = &leg->receipt;
    struct err e;
    const struct infer_outcome *o = leg->i < job->n_ask ? &job->ask[leg->i].outcome : NULL;
    bool none = is_void(leg) || (status == 499 && leg->tier < 0); /* or nobody to answer */
    snprintf(x->request, sizeof x->request, "%s", job->id);
    snprintf(x->endpoint, sizeof x->endpoint, "%s", job->endpoint->name);
    snprintf(x->task, sizeof x->task, "%s", leg->task ? leg->task->name : "");
    if (!none) {
        snprintf(x->tier, sizeof x->tier, "%s", tier_name(leg));
        snprintf(x->model, sizeof x->model, "%s", model_name(leg));
        snprintf(x->model_digest, sizeof x->model_digest, "%s", leg->tier < 0 ? job->model->fingerprint : "");
    }
    snprintf(x->rule, sizeof x->rule, "%s", leg->plan.rule.name);
    snprintf(x->data_class, sizeof x->data_class, "%s", route_class_name(conf_of(leg), leg->plan.data_class));
    snprintf(x->key, sizeof x->key, "%s", job->key ? serve_key_name(job->key) : "");
    snprintf(x->subject, sizeof x->subject, "%s", job->subject);
    snprintf(x->currency, sizeof x->currency, "%s", x->cost ? conf_of(leg)->currency : "");
    x->place = leg->tier < 0 ? ROUTE_DEVICE : tier_of(leg, leg->tier)->place;
    x->has_confidence = !isnan(leg->confidence);
    x->confidence = x->has_confidence ? leg->confidence : 0;
    x->reason = reason_of(leg);
    for (int i = 0; i < leg->plan.n_steps; i++) route_receipt_step(x, leg->plan.step[i].reason);
    if (o) x->prompt_tokens += o->n_prompt, x->answer_tokens += o->n_generated;
    x->latency_ms = (clock_now_s() - job->arrived_s) * 1e3;
    x->status = status;
    x->degraded = leg->degraded;
    metric_add(r->answers, 1, x->task, none ? "none" : x->tier, route_reason_word(x->reason));
    if (route_receipts_add(r->log, x, &e)) log_warn("receipt %s was not kept: %s", x->id, e.msg);
}

void serve_leg_plain(struct serve_job *job)
{
    struct route_facts f = {0};
    struct err e;
    if (serve_legs_new(job, 1, &e)) return;
    note_facts(job, NULL, &f);
    f.asked_tier = "local";
    if (route_plan_begin(job->policy->c, &f, &job->leg[0].plan, &e)) return;
    job->leg[0].plan.reason = ROUTE_R_LOCAL;
    job->leg[0].plan.n_steps = 0;
    job->leg[0].over = true;
}

void serve_legs_close(struct serve_job *job, int status)
{
    for (uint32_t i = 0; i < job->n_legs; i++) close_leg(&job->leg[i], status);
}

void serve_legs_free(struct serve_job *job)
{
    for (uint32_t i = 0; i < job->n_legs; i++) {
        struct serve_leg *leg = &job->leg[i];
        json_decref(leg->request);
        json_decref(leg->sent);
        json_decref(leg->answer);
        mem_free(leg->text);
        mem_free(leg->local_text);
        mem_free(leg->raw_text);
        mem_free(leg->input);
        serve_leg_stream_free(leg);
        route_conversation_free(leg->conversation);
    }
    mem_free(job->leg);
    serve_policy_let(job->policy);
}
