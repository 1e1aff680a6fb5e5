/* Policies: what the settings file says about tiers, classes, rules and redaction, as of one reading (routing.h).
 *
 *     SIGHUP ─▶ models' thread: read the file, check it as at the start, make its detectors ─▶ fresh
 *                        │ not sound: a line in the log, nothing changes                       │
 *     loop               ▼                                          tiers that stay, tiers new ─▼─▶ in force
 *
 * A request ends under the policy it began with: its job holds a reference, and the old policy, with the tiers that
 * only it has, goes with the last one. A tier of which both say the same is one struct serve_tier, so its breaker,
 * its pace and its connections stay; only its key is read anew. Such an upstream borrows its settings from the newest
 * policy that has it, hence each policy keeps its successor alive: they are freed in the order in which they came.
 *
 * Budgets, receipts, deferred work and trust are the routing's, not the policy's. Read next: leg.c. */
#include "routing.h"

/* ---- one ---- */

/* Without tiers yet. Takes `own`. */
static int policy_new(const struct route_config *c, struct route_config *own, struct serve_policy **out,
                      struct err *e)
{
    struct serve_policy *p = mem_calloc(1, sizeof *p);
    int rc = p ? route_config_detectors(c, 0, &p->detectors, e) : err_nomem(e, sizeof *p);
    if (rc) {
        mem_free(p);
        route_config_free(own);
        return rc;
    }
    atomic_init(&p->references, 1);
    p->c = c;
    p->own = own;
    *out = p;
    return 0;
}

struct serve_policy *serve_policy_get(struct serve_routing *r)
{
    pthread_mutex_lock(&r->lock);
    struct serve_policy *p = r->policy;
    atomic_fetch_add(&p->references, 1);
    pthread_mutex_unlock(&r->lock);
    return p;
}

static void let_tier(struct serve_tier *t)
{
    if (!t || --t->references > 0) return;
    route_upstream_free(t->up);
    mem_free(t);
}

void serve_policy_let(struct serve_policy *p)
{
    while (p && atomic_fetch_sub(&p->references, 1) == 1) {
        struct serve_policy *next = p->next;
        for (int i = 0; i < ROUTE_MAX_TIERS; i++) let_tier(p->tier[i]);
        route_detectors_free(p->detectors);
        route_config_free(p->own);
        mem_free(p);
        p = next;
    }
}

/* ---- its tiers: the loop ---- */

static int open_tier(struct serve_routing *r, const struct route_tier *t, struct serve_tier **out, struct err *e)
{
    struct serve_tier *x = mem_calloc(1, sizeof *x);
    if (!x) return err_nomem(e, sizeof *x);
    x->references = 1;
    int rc = route_upstream_new(r->client, t, &x->up, e);
    if (rc)
        mem_free(x);
    else
        *out = x;
    return rc;
}

/* The tier of `old` that is the same as t, or NULL. */
static struct serve_tier *kept(const struct serve_policy *old, const struct route_tier *t)
{
    int i = old ? route_tier_find(old->c, t->name) : -1;
    return i >= 0 && route_tier_same(&old->c->tier[i], t) ? old->tier[i] : NULL;
}

/* Those that stay are taken over once nothing can fail any more. */
static int open_tiers(struct serve_routing *r, const struct serve_policy *old, struct serve_policy *p, struct err *e)
{
    struct err why;
    for (int i = 0; i < p->c->n_tiers; i++) {
        int rc = kept(old, &p->c->tier[i]) ? 0 : open_tier(r, &p->c->tier[i], &p->tier[i], e);
        if (rc) return rc;
    }
    for (int i = 0; i < p->c->n_tiers; i++) {
        if (p->tier[i]) continue;
        p->tier[i] = kept(old, &p->c->tier[i]);
        p->tier[i]->references++;
        if (route_upstream_renew(p->tier[i]->up, &p->c->tier[i], &why)) log_warn("the old key stays: %s", why.msg);
    }
    return 0;
}

int serve_policy_first(struct serve_routing *r, const struct route_config *c, struct err *e)
{
    int rc = policy_new(c, NULL, &r->policy, e);
    return rc ? rc : open_tiers(r, NULL, r->policy, e);
}

/* ---- another ---- */

void serve_policy_renew(struct net_post *post)
{
    struct serve_routing *r = (struct serve_routing *)((char *)post - offsetof(struct serve_routing, renew));
    struct serve_policy *old = r->policy;
    struct err e = {0};
    pthread_mutex_lock(&r->lock);
    struct serve_policy *p = r->fresh;
    r->fresh = NULL;
    pthread_mutex_unlock(&r->lock);
    if (open_tiers(r, old, p, &e)) {
        log_warn("the policy stays as it was: %s", e.msg);
        serve_policy_let(p);
        return;
    }
    route_health_limits(r->health, &p->c->health);
    for (int i = 0; i < old->c->n_tiers; i++)
        if (route_tier_find(p->c, old->c->tier[i].name) < 0) metric_set(r->tier_state, 0, old->c->tier[i].name);
    atomic_fetch_add(&p->references, 1);
    old->next = p;
    pthread_mutex_lock(&r->lock);
    r->policy = p;
    pthread_mutex_unlock(&r->lock);
    serve_policy_let(old);
    log_info("the policy of '%s' was read again: %d tiers, %d rules", p->c->path, p->c->n_tiers, p->c->n_rules - 1);
}

static int read_again(struct serve *s, struct serve_policy **out, struct err *e)
{
    struct serve_params p = s->p;
    struct route_config *c = NULL;
    int rc = route_config_load(p.settings, &c, e);
    if (rc == 0 && !c != !s->routing)
        rc = ERR(e, USAGE, "'%.200s' %s tiers now: that takes a restart.", p.settings, c ? "has" : "has no");
    if (rc || !c) return rc;
    p.routing = c;
    rc = serve_check(&p, e);
    if (rc == 0) return policy_new(c, c, out, e);
    route_config_free(c);
    return rc;
}

void serve_policy_reload(struct serve *s)
{
    struct serve_routing *r = s->routing;
    struct serve_policy *p = NULL, *unused;
    struct err e = {0};
    int rc = s->p.settings ? read_again(s, &p, &e) : 0;
    if (rc) log_warn("the policy stays as it was: %s", e.msg);
    if (!p) return;
    pthread_mutex_lock(&r->lock);
    unused = r->fresh;
    r->fresh = p;
    pthread_mutex_unlock(&r->lock);
    if (!unused) net_server_post(s->net, &r->renew);
    serve_policy_let(unused);
}
