/* From findings to a verdict: local, hybrid, tune first, cloud, or none. Price never outvotes what excludes a place;
 * a volume never decides for own machines, since cheap APIs undo it; what is missing is never taken to be harmless:
 * then the verdict is none, and names what is missing. Pure. Read next: advise_rules.c, advise_places.c; advise.c. */
#include "advise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- the verdict ---- */

static void settle(struct econ_rules *r, enum econ_lean verdict, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void settle(struct econ_rules *r, enum econ_lean verdict, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->out->verdict = verdict;
    vsnprintf(r->out->why, sizeof r->out->why, fmt, ap);
    va_end(ap);
}

static void need(struct econ_rules *r, const char *key)
{
    struct econ_advice *o = r->out;
    if (o->n_needs < ECON_MAX_NEEDS) o->need[o->n_needs++] = key;
}

/* What leaves it open whether a cloud may be used and is fast enough. */
static void need_cloud(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    enum econ_lean latency = r->out->matrix[ECON_LATENCY].lean, compliance = r->out->matrix[ECON_COMPLIANCE].lean;
    if (latency == ECON_LEAN_UNANSWERED) need(r, "latency_ms");
    if (latency == ECON_LEAN_UNDECIDED) need(r, "cloud_latency_ms");
    if (compliance == ECON_LEAN_UNANSWERED || compliance == ECON_LEAN_UNDECIDED)
        need(r, a->leave == ECON_REGION ? "cloud_in_region" : "leave");
    if (a->offline < 0) need(r, "offline");
}

static void need_costs(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    bool api;
    if (isnan(a->volume_month)) need(r, "volume_month");
    if (r->in->cost.there) return;
    if (econ_cloud_cost(r->in, &api) < 0) need(r, "cloud_cost_month");
    if (a->local_cost_month < 0 && a->local_extra_month < 0) need(r, "local_cost_month");
}

/* What decided in the first line that excludes the cloud. */
static const char *why_no_cloud(const struct econ_advice *o)
{
    for (int i = 0; i < ECON_N_MATRIX; i++)
        if (o->matrix[i].excludes && o->matrix[i].lean == ECON_LEAN_LOCAL) return o->matrix[i].number;
    for (int i = 0; i < ECON_N_DIMENSIONS; i++)
        if (o->dimension[i].place[ECON_CLOUD_PLACE] == -2) return o->dimension[i].number;
    return "a cloud is too slow";
}

static void only_here(struct econ_rules *r)
{
    const char *why = why_no_cloud(r->out);
    if (r->local_no || r->shape == ECON_LEAN_TUNE || r->shape == ECON_LEAN_CLOUD)
        settle(r, ECON_LEAN_TUNE, "It may only run here: %s. The model as it is does not do: %s", why,
               r->local_no ? "it is too large or too slow." : r->out->matrix[ECON_SHAPE].why);
    else if (r->shape == ECON_LEAN_HYBRID)
        settle(
            r, ECON_LEAN_HYBRID,
            "It may only run here: %s. What the model should not answer goes to a tier on the premises or to people.",
            why);
    else
        settle(r, ECON_LEAN_LOCAL, "It may only run here: %s.", why);
}

static void not_here(struct econ_rules *r, const char *because)
{
    if (r->in->a.bounded != ECON_UNBOUNDED && (r->force || r->cost == ECON_LEAN_LOCAL))
        settle(r, ECON_LEAN_TUNE, "%s, and %s speaks for local: a smaller or better model is worth making.", because,
               r->force ? "more than price" : "price");
    else if (r->cloud_open) {
        need_cloud(r);
        settle(r, ECON_LEAN_UNDECIDED, "%s; whether a cloud may and can do it is not known.", because);
    } else
        settle(r, ECON_LEAN_CLOUD, "%s, and nothing keeps the work from a cloud.", because);
}

/* Why local, where nothing excludes the cloud. */
static void gain_of(const struct econ_rules *r, char out[416])
{
    const char *cheaper = r->out->idle_only ? r->out->matrix[ECON_COST].why : "It is cheaper here.";
    if (!r->force)
        snprintf(out, 416, "%s", cheaper);
    else if (r->cost == ECON_LEAN_LOCAL)
        snprintf(out, 416, "%s More than price speaks for local, too.", cheaper);
    else if (r->dearer > 0)
        snprintf(out, 416, "More than price speaks for local, and that costs %s a month more.",
                 econ_amount_of(&r->in->a, r->dearer).text);
    else
        snprintf(out, 416, "More than price speaks for local.");
}

/* Price, or a need, speaks for local. */
static void worth_it(struct econ_rules *r)
{
    char gain[416];
    gain_of(r, gain);
    if (!r->force && r->in->a.operations == ECON_NOBODY) {
        need(r, "operations");
        settle(r, ECON_LEAN_UNDECIDED,
               "It is cheaper here, but nobody would look after it: the cost leaves somebody's hours out.");
    } else if (r->shape == ECON_LEAN_UNANSWERED) {
        need(r, "quality_local");
        need(r, "floor");
        need(r, "escalation");
        settle(r, ECON_LEAN_UNDECIDED, "%s Whether the local model is good enough has not been measured.", gain);
    } else if (r->shape == ECON_LEAN_HYBRID && r->may_open) { /* how late they may be, the policy's latency_ms says */
        need(r, r->in->a.leave == ECON_REGION ? "cloud_in_region" : "leave");
        settle(r, ECON_LEAN_UNDECIDED, "%s Some answers would be sent on; whether they may is not known.", gain);
    } else
        settle(r, r->shape, "%s %s", gain, r->out->matrix[ECON_SHAPE].why);
}

void econ_settle(struct econ_rules *r)
{
    const struct econ_advice *o = r->out;
    if (r->cloud_no)
        only_here(r);
    else if (r->local_no)
        not_here(r, "The model as it is does not fit or is too slow here");
    else if (r->shape == ECON_LEAN_CLOUD)
        not_here(r, "The task is too open for the local model");
    else if (r->force || r->cost == ECON_LEAN_LOCAL)
        worth_it(r);
    else if (r->cloud_open) {
        need_cloud(r);
        if (r->cost == ECON_LEAN_UNANSWERED) need_costs(r);
        settle(r, ECON_LEAN_UNDECIDED, "Whether a cloud may be used and is fast enough is not known.");
    } else if (r->cost == ECON_LEAN_CLOUD)
        settle(r, ECON_LEAN_CLOUD, "%s Nothing but price speaks here: use it.", o->matrix[ECON_COST].why);
    else if (r->cost == ECON_LEAN_UNANSWERED && o->matrix[ECON_VOLUME].lean == ECON_LEAN_CLOUD)
        settle(r, ECON_LEAN_CLOUD,
               "Nothing but price would speak for local, and the volume is below every break-even.");
    else {
        need_costs(r);
        settle(r, ECON_LEAN_UNDECIDED, "Nothing but price speaks, and the costs %s.",
               r->cost == ECON_LEAN_UNANSWERED ? "are not known" : "do not differ enough");
    }
}

/* ---- what goes with it ---- */

static void provide(struct econ_advice *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void provide(struct econ_advice *o, const char *fmt, ...)
{
    va_list ap;
    if (o->n_provided == ECON_MAX_PROVIDED) return;
    va_start(ap, fmt);
    vsnprintf(o->provided[o->n_provided++], sizeof o->provided[0], fmt, ap);
    va_end(ap);
}

static void here_needs(const struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    struct econ_advice *o = r->out;
    if (r->shape == ECON_LEAN_UNANSWERED)
        provide(o, "Show that the model is good enough: croft eval TASK -m MODEL, croft calibrate.");
    if (o->matrix[ECON_FOOTPRINT].lean == ECON_LEAN_UNANSWERED) provide(o, "Show that it fits: croft qualify MODEL.");
    if (a->latency_ms > 0 && isnan(a->local_latency_ms))
        provide(o, "Show that 95 of 100 answers come within %g ms: croft eval TASK -m MODEL.", a->latency_ms);
    if (a->operations == ECON_NOBODY) provide(o, "Name who looks after it.");
    if (a->operations == ECON_PARTNER) provide(o, "A contract with the partner: for the law it is a third party.");
}

static void say_what_is_next(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    struct econ_advice *o = r->out;
    double enough = econ_closed(a) ? r->in->t.examples_closed : r->in->t.examples_text;
    if (o->verdict == ECON_LEAN_LOCAL || o->verdict == ECON_LEAN_HYBRID) here_needs(r);
    if (o->verdict == ECON_LEAN_HYBRID)
        provide(o, "Fit the threshold (croft calibrate TASK -m MODEL --target-error E) and set tiers and policy in "
                   "croft.yaml.");
    if (o->verdict == ECON_LEAN_HYBRID && a->leave == ECON_REDACTED && !r->cloud_no)
        provide(o, "Set policy.redact in croft.yaml: what cannot be redacted is then not sent.");
    if (o->verdict == ECON_LEAN_TUNE) {
        if (isnan(a->examples) || a->examples < enough)
            provide(
                o,
                "Get labelled examples: %s or so; capture in croft.yaml collects them while a larger tier answers.",
                econ_count(enough).text);
        provide(o, "Tune or distil, then croft eval and croft advise again (croft task fit is the cheapest try).");
    }
    if (o->verdict == ECON_LEAN_CLOUD && a->leave == ECON_REGION)
        provide(o, "An API in the region that the data may go to.");
    if (o->verdict == ECON_LEAN_CLOUD && a->data >= ECON_PERSONAL)
        provide(o, "Do what arises with a cloud: croft advise --worksheet.");
    if (o->verdict == ECON_LEAN_UNDECIDED && r->cost != ECON_LEAN_LOCAL && r->cost != ECON_LEAN_CLOUD)
        provide(o, "Costs with an interval: croft tco.");
}

static void headline(struct econ_advice *o)
{
    static const char *const texts[] = {"Run it locally", "Hybrid: local first, and escalate", "Tune or distil first",
                                        "Use a cloud API"};
    if (o->verdict == ECON_LEAN_UNDECIDED) {
        int n = snprintf(o->headline, sizeof o->headline, "Not decided");
        for (int i = 0; i < o->n_needs && n < (int)sizeof o->headline; i++)
            n += snprintf(o->headline + n, sizeof o->headline - (size_t)n, "%s%s", i ? ", " : ": missing ",
                          o->need[i]);
    } else if (o->rented)
        ECON_SAY(o->headline, "Rent a machine for your own model");
    else if (o->decision_api)
        ECON_SAY(o->headline, "Use a cloud API: a decision API is cheaper");
    else
        ECON_SAY(o->headline, "%s", texts[o->verdict]);
}

void econ_look(const struct econ_advise_input *in, struct econ_advice *o)
{
    struct econ_rules r = {.in = in, .out = o, .cost = ECON_LEAN_UNANSWERED, .shape = ECON_LEAN_UNANSWERED};
    *o = (struct econ_advice){.verdict = ECON_LEAN_UNDECIDED};
    econ_matrix(&r);
    econ_dimensions(&r);
    econ_settle(&r);
    if (o->verdict != ECON_LEAN_LOCAL && o->verdict != ECON_LEAN_HYBRID) o->idle_only = false;
    if (o->verdict != ECON_LEAN_CLOUD) o->decision_api = o->rented = false;
    say_what_is_next(&r);
    headline(o);
}
