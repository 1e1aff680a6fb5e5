/* What the server needs to be answered from elsewhere (routing.h): opened in the order in which it can fail cheaply,
 * closed in reverse. Threads: the loop's, but for the paces. Read next: policy.c, leg.c. */
#include "routing.h"

#include <math.h>

/* ---- what a local answer takes ---- */

static struct serve_pace *pace_of(struct serve_routing *r, const char *task)
{
    for (size_t i = 0; i < r->n_paces; i++)
        if (strcmp(r->pace[i].task, task) == 0) return &r->pace[i];
    return NULL;
}

double serve_pace_ms(struct serve_routing *r, const char *task)
{
    pthread_mutex_lock(&r->lock);
    struct serve_pace *p = pace_of(r, task);
    double ms = p ? p->ms : 0;
    pthread_mutex_unlock(&r->lock);
    return ms;
}

void serve_pace_note(struct serve_routing *r, const char *task, double ms)
{
    pthread_mutex_lock(&r->lock);
    struct serve_pace *p = pace_of(r, task);
    if (!p && r->n_paces < SERVE_PACES) {
        p = &r->pace[r->n_paces++];
        snprintf(p->task, sizeof p->task, "%s", task);
        p->ms = ms;
    }
    if (p) p->ms += (ms - p->ms) / 16;
    pthread_mutex_unlock(&r->lock);
}

void serve_pace_fade(struct serve_routing *r, const char *task)
{
    pthread_mutex_lock(&r->lock);
    struct serve_pace *p = pace_of(r, task);
    if (p) p->ms *= 0.98;
    pthread_mutex_unlock(&r->lock);
}

/* Upstreams are the loop's; what they tell of their pace is kept for preparation threads. */
void serve_tier_pace_note(struct serve_routing *r, struct serve_tier *t)
{
    struct route_upstream_state state;
    route_upstream_state(t->up, &state);
    pthread_mutex_lock(&r->lock);
    t->ms = state.seconds_p50 * 1e3;
    pthread_mutex_unlock(&r->lock);
}

void serve_tier_paces(struct serve_routing *r, const struct serve_policy *p, double out_ms[ROUTE_MAX_TIERS])
{
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < p->c->n_tiers; i++) out_ms[i] = p->tier[i]->ms;
    pthread_mutex_unlock(&r->lock);
}

/* ---- figures ---- */

static void make_metrics(struct serve_routing *r)
{
    struct metrics *s = r->serve->m.set;
    r->answers = metric_new(s, METRIC_COUNTER, "croft_answers_total", "Answers, by where they came from and why.",
                            "task,tier,reason", NULL);
    r->cost = metric_new(s, METRIC_COUNTER, "croft_cost_total",
                         "Money spent on other tiers, in the policy's currency.", "tier,currency", NULL);
    r->tier_state = metric_new(s, METRIC_GAUGE, "croft_tier_state",
                               "Circuit breakers: 0 closed, 1 open, 2 half open.", "tier", NULL);
    r->checks = metric_new(s, METRIC_COUNTER, "croft_checks_total",
                           "Local answers compared with another tier's, and whether they were the same.",
                           "task,answer", NULL);
    r->deferred = metric_new(s, METRIC_GAUGE, "croft_deferred", "Work that waits for a tier.", "", NULL);
    r->trusts = metric_new(s, METRIC_GAUGE, "croft_local_trust", "0 trusted, 1 watched, 2 demoted.", "task", NULL);
    r->lost = metric_new(s, METRIC_GAUGE, "croft_receipts_lost", "Receipts that could not be kept.", "", NULL);
}

void serve_routing_figures(struct serve_routing *r)
{
    struct route_receipts_stats stats;
    for (int i = 0; i < r->policy->c->n_tiers; i++) {
        struct route_upstream_state state;
        route_upstream_state(r->policy->tier[i]->up, &state);
        metric_set(r->tier_state, state.breaker, r->policy->c->tier[i].name);
    }
    route_receipts_stats(r->log, &stats);
    metric_set(r->lost, (double)stats.lost);
}

/* ---- its life ---- */

int serve_routing_new(struct serve *s, struct serve_routing **out, struct err *e)
{
    struct serve_routing *r = mem_calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->some, NULL);
    r->serve = s;
    r->renew.fn = serve_policy_renew;
    int rc = route_health_new(&s->p.routing->health, &r->health, e);
    if (rc == 0) rc = net_client_new(s->net, NULL, &r->client, e);
    if (rc == 0) rc = serve_policy_first(r, s->p.routing, e);
    if (rc == 0) rc = route_receipts_open(&(struct route_receipts_params){.dir = s->p.receipts}, &r->log, e);
    if (rc == 0) rc = route_store_open(&(struct route_store_params){.dir = s->p.receipts}, &r->store, e);
    if (rc == 0) rc = route_subject_open(s->p.receipts, true, &r->salt, e);
    if (rc) {
        serve_routing_free(r);
        return rc;
    }
    make_metrics(r);
    serve_trust_load(r);
    *out = r;
    return 0;
}

void serve_routing_free(struct serve_routing *r)
{
    struct err e;
    if (!r) return;
    serve_background_stop(r); /* of a server that never ran */
    if (r->n_trusts) serve_trust_keep(r);
    serve_policy_let(r->policy);
    serve_policy_let(r->fresh);
    net_client_free(r->client);
    if (r->log && route_receipts_close(r->log, &e)) log_warn("receipts: %s", e.msg);
    if (r->store) route_store_close(r->store);
    route_health_free(r->health);
    pthread_cond_destroy(&r->some);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
