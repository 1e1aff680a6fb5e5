/* Deciding where a request is answered (route_policy.h). Pure: the same facts give the same plan, which is what
 * `croft route explain` rests on. The order is fixed, and each step that takes something away says so:
 *
 *   1. sensitivity   the strictest of task, request, rule, findings and default names the class; tiers that may not
 * see it fall away. local-only leaves none
 *   2. residency     tiers outside the allowed regions fall away
 *   3. health        a device in trouble, a full queue, a model that is not ready: the tiers first
 *   4. latency       the local answer would take longer than allowed, as measured, and a tier would not
 *   5. confidence    after the local answer: route_plan_judge
 *   6. cost          by the caller, with the books (route_store.h), tier by tier
 *
 * A tier that fell away never comes back. Where none is left the local model answers whatever its state: data that
 * may not leave is answered here or not at all. Read next: config.c. */
#include "route_policy.h"

#include <math.h>
#include <string.h>

void route_plan_step(struct route_plan *p, enum route_reason reason, int tier)
{
    if (p->n_steps < (int)(sizeof p->step / sizeof p->step[0]))
        p->step[p->n_steps++] = (struct route_step){reason, tier};
}

/* ---- 1. sensitivity ---- */

static int raise_class(const struct route_config *c, const char *name, const char *who, int *rank, struct err *e)
{
    if (!name) return 0;
    int r = route_class_rank(c, name);
    if (r < 0)
        return ERR(e, NOT_FOUND, "%s names the data class '%.60s', which the policy does not know.", who, name);
    if (r > *rank) *rank = r;
    return 0;
}

static int classify(const struct route_config *c, const struct route_facts *f, const struct route_rule *rule,
                    int *out, struct err *e)
{
    *out = -1;
    int rc = raise_class(c, f->task_class, "The task", out, e);
    if (rc == 0) rc = raise_class(c, f->asked_class, "The request", out, e);
    if (rc == 0) rc = raise_class(c, rule->data_class, "The rule", out, e);
    if (rc == 0 && *out < 0) rc = raise_class(c, c->default_class, "The policy", out, e);
    for (int i = 0; i < c->n_raise && rc == 0; i++)
        if (f->found[c->raise[i].kind]) rc = raise_class(c, c->raise[i].data_class, "A detector's rule", out, e);
    return rc;
}

/* ---- which tiers are left ---- */

static bool region_allowed(const struct route_config *c, const struct route_tier *t)
{
    for (int i = 0; i < c->n_regions; i++)
        if (t->region && strcmp(c->regions[i], t->region) == 0) return true;
    return c->n_regions == 0 || t->place == ROUTE_DEVICE;
}

static void keep_allowed(const struct route_config *c, struct route_plan *p)
{
    int n_class = 0, n_region = 0, n_asked = c->n_tiers;
    const char *class_name = route_class_name(c, p->data_class);
    if (p->rule.n_tiers >= 0) n_asked = p->rule.n_tiers;
    for (int i = 0; i < n_asked; i++) {
        int t = p->rule.n_tiers >= 0 ? route_tier_find(c, p->rule.tiers[i]) : i;
        if (t < 0) continue; /* config.c has checked names */
        if (route_gate_check(&c->tier[t], str_of(class_name), NULL)) {
            n_class++;
            if (p->data_class < c->n_classes) route_plan_step(p, ROUTE_R_CLASS, t);
        } else if (!region_allowed(c, &c->tier[t])) {
            n_region++;
            route_plan_step(p, ROUTE_R_REGION, t);
        } else {
            p->tier[p->n_tiers++] = t;
        }
    }
    if (p->n_tiers) return;
    p->reason = p->data_class == c->n_classes ? ROUTE_R_LOCAL_ONLY
                : n_class                     ? ROUTE_R_CLASS
                : n_region                    ? ROUTE_R_REGION
                                              : ROUTE_R_LOCAL;
    if (p->reason == ROUTE_R_LOCAL_ONLY) route_plan_step(p, ROUTE_R_LOCAL_ONLY, -1);
}

/* The request names where it wants to be answered: there, or nowhere. */
static int take_asked(const struct route_config *c, const struct route_facts *f, struct route_plan *p, struct err *e)
{
    if (!f->asked_tier) return 0;
    p->reason = ROUTE_R_EXPLICIT;
    route_plan_step(p, ROUTE_R_EXPLICIT, -1);
    if (strcmp(f->asked_tier, "local") == 0) {
        p->n_tiers = 0;
        return 0;
    }
    int t = route_tier_find(c, f->asked_tier);
    if (t < 0) return ERR(e, NOT_FOUND, "There is no tier '%.60s'.", f->asked_tier);
    for (int i = 0; i < p->n_tiers; i++) {
        if (p->tier[i] != t) continue;
        p->tier[0] = t;
        p->n_tiers = 1;
        p->local_first = p->local_stands = false;
        p->step[p->n_steps - 1].tier = t;
        return 0;
    }
    return ERR(e, DENIED, "The policy keeps this request from the tier '%.60s' (data class '%.60s').", f->asked_tier,
               route_class_name(c, p->data_class));
}

/* ---- 3, 4: is here a good place ---- */

static void elsewhere(struct route_plan *p, enum route_reason why)
{
    route_plan_step(p, why, -1);
    if (p->n_tiers == 0 || !p->local_first) return;
    p->local_first = false;
    p->reason = why;
}

static double smaller(double a, double b) { return a <= 0 ? b : b <= 0 ? a : fmin(a, b); }

static void look_around(const struct route_config *c, const struct route_facts *f, struct route_plan *p)
{
    if (f->local == ROUTE_LOCAL_TOO_LONG) elsewhere(p, ROUTE_R_TOO_LONG);
    if (f->local == ROUTE_LOCAL_NOT_READY) elsewhere(p, ROUTE_R_NOT_READY);
    if (f->health >= 0) elsewhere(p, (enum route_reason)f->health);
    if (c->max_waiting && f->n_waiting > c->max_waiting) elsewhere(p, ROUTE_R_QUEUE);
    double limit = smaller(smaller(f->budget_ms, f->task_ms), p->rule.latency_ms);
    if (limit <= 0 || f->local_ms <= limit) return;
    for (int i = 0; i < p->n_tiers; i++) /* somewhere that is known to be slower is no help */
        if (f->tier_ms[p->tier[i]] < f->local_ms) {
            elsewhere(p, ROUTE_R_LATENCY);
            return;
        }
    route_plan_step(p, ROUTE_R_LATENCY, -1);
}

int route_plan_begin(const struct route_config *c, const struct route_facts *f, struct route_plan *out, struct err *e)
{
    struct route_plan p = {.local_first = true, .local_stands = true, .reason = ROUTE_R_LOCAL};
    p.rule = route_rule_for(c, f->task, f->key);
    int rc = classify(c, f, &p.rule, &p.data_class, e);
    if (rc) return rc;
    keep_allowed(c, &p);
    rc = take_asked(c, f, &p, e);
    if (rc) return rc;
    if (p.reason != ROUTE_R_EXPLICIT) look_around(c, f, &p);
    if (f->local != ROUTE_LOCAL_READY) p.local_stands = false;
    *out = p;
    return 0;
}

/* ---- 5. confidence ---- */

bool route_plan_judge(const struct route_config *c, struct route_plan *p, enum route_verdict_kind v,
                      double confidence)
{
    static const enum route_reason why[] = {[ROUTE_V_NONE] = ROUTE_R_LOCAL,
                                            [ROUTE_V_ACCEPT] = ROUTE_R_CONFIDENT,
                                            [ROUTE_V_LOW] = ROUTE_R_LOW_CONFIDENCE,
                                            [ROUTE_V_OUT_OF_SCOPE] = ROUTE_R_OUT_OF_SCOPE,
                                            [ROUTE_V_UNCALIBRATED] = ROUTE_R_UNCALIBRATED,
                                            [ROUTE_V_DEMOTED] = ROUTE_R_DEMOTED,
                                            [ROUTE_V_FAILED] = ROUTE_R_LOCAL_ERROR};
    if (v == ROUTE_V_ACCEPT && p->rule.min_confidence > 0 && !(confidence >= p->rule.min_confidence)) v = ROUTE_V_LOW;
    if (v == ROUTE_V_UNCALIBRATED && p->rule.uncalibrated_here == 1) v = ROUTE_V_NONE;
    if (v == ROUTE_V_FAILED) p->local_stands = false;
    bool stands = v == ROUTE_V_NONE || v == ROUTE_V_ACCEPT;
    /* Where the data or the request keeps it here, that is the reason, and the doubt a step on the way. */
    bool kept = p->reason == ROUTE_R_LOCAL_ONLY || p->reason == ROUTE_R_CLASS || p->reason == ROUTE_R_REGION ||
                p->reason == ROUTE_R_EXPLICIT;
    if (!stands || !kept) route_plan_step(p, why[v], -1);
    if (!kept) p->reason = why[v];
    return stands || (p->n_tiers == 0 && p->local_stands);
}
