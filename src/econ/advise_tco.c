/* The cost line of croft advise from a scenario of croft tco: the scenario is run with what was answered over it
 * (volume, may the data leave, is the task closed), and its verdict, interval and tipping volume are told. Tables of
 * the computation come from the heap and are freed here. Read next: econ_tco.h, docs/TCO.md. */
#include "advise.h"
#include "base_mem.h"
#include "econ_tco.h"

#include <math.h>
#include <stdio.h>

/* What both say of the work: the answers go over the scenario, and the scenario answers what was not answered. */
static int agree(struct econ_answers *a, struct econ_scenario *s, struct err *e)
{
    char text[40];
    if (a->bounded >= 0) s->decides = a->bounded == ECON_CHOICE;
    if (a->leave < 0 && !s->cloud_allowed) a->leave = ECON_PREMISES_ONLY;
    s->cloud_allowed = true; /* costs are compared here; what may leave is the compliance line's */
    if (isnan(a->volume_month)) {
        if (s->v[ECON_P_VOLUME] > 0) a->volume_month = (double)s->v[ECON_P_VOLUME] / MONEY_ONE;
        return 0;
    }
    snprintf(text, sizeof text, "%.9f", a->volume_month);
    return econ_scenario_set(s, ECON_P_VOLUME, text, ECON_FROM_FLAG, "croft advise", e);
}

static void monthly(const struct econ_tco *t, enum econ_option o, const char *currency, char out[64])
{
    char amount[48];
    snprintf(out, 64, "not known");
    if (t->option[o].there)
        snprintf(out, 64, "%s %s", econ_amount_text(t->option[o].total / t->months, 2, amount), currency);
}

/* The tipping volume is that between the cloud API and the own machine: a third option may turn it elsewhere. */
static void tell_tipping(const struct econ_tco *t, struct econ_told_cost *c)
{
    bool third = t->option[ECON_DECISION].there || t->option[ECON_RENTED].there;
    if (isfinite(t->tipping_npv) && t->tipping_npv > 0 && third)
        snprintf(c->change, sizeof c->change,
                 "Other prices. Against the cloud API alone: %s answers a month (the tipping volume).",
                 econ_count(round(t->tipping_npv)).text);
    else if (isfinite(t->tipping_npv) && t->tipping_npv > 0)
        snprintf(c->change, sizeof c->change, "%s %s answers a month (the tipping volume).",
                 c->lean == ECON_LEAN_LOCAL ? "Fewer than" : "More than", econ_count(round(t->tipping_npv)).text);
    else
        snprintf(c->change, sizeof c->change,
                 third ? "Other prices or volumes." : "Other prices: no volume turns it.");
}

static void tell(const struct econ_scenario *s, const struct econ_tco *t, const struct econ_interval *i,
                 const struct econ_tco_verdict *v, struct econ_told_cost *c)
{
    static const enum econ_lean leans[] = {
        [ECON_V_LOCAL] = ECON_LEAN_LOCAL,     [ECON_V_LOCAL_IDLE] = ECON_LEAN_LOCAL,
        [ECON_V_CLOUD] = ECON_LEAN_CLOUD,     [ECON_V_DECISION] = ECON_LEAN_CLOUD,
        [ECON_V_RENTED] = ECON_LEAN_CLOUD,    [ECON_V_OPEN] = ECON_LEAN_UNDECIDED,
        [ECON_V_LOCAL_ONLY] = ECON_LEAN_LOCAL};
    char cloud[64], local[64];
    monthly(t, ECON_CLOUD, s->currency, cloud);
    monthly(t, ECON_LOCAL, s->currency, local);
    *c = (struct econ_told_cost){.there = true,
                                 .lean = leans[v->kind],
                                 .decision_api = v->kind == ECON_V_DECISION,
                                 .idle_only = v->kind == ECON_V_LOCAL_IDLE,
                                 .rented = v->kind == ECON_V_RENTED};
    snprintf(c->number, sizeof c->number, "cloud %s, own machine %s a month, over %d months", cloud, local,
             t->months);
    snprintf(c->why, sizeof c->why, "%s", v->sentence);
    if (i->draws)
        snprintf(c->interval, sizeof c->interval, "saving of %.0f to %.0f %s with %g %% probability", i->low, i->high,
                 s->currency, 100 * s->confidence);
    else
        snprintf(c->interval, sizeof c->interval, "the cheapest over %d months", t->months);
    snprintf(c->source, sizeof c->source, "croft tco %.140s", s->path ? s->path : "");
    tell_tipping(t, c);
}

static int compute(const struct econ_scenario *s, struct econ_tco *t, struct econ_told_cost *out, struct err *e)
{
    struct econ_interval i = {0};
    struct econ_tco_verdict v;
    int rc = econ_tco(s, t, e);
    if (rc == 0 && s->draws) rc = econ_simulate(s, &i, e);
    if (rc == 0) rc = econ_decide(s, t, &i, &v, e);
    if (rc == 0) tell(s, t, &i, &v, out);
    mem_free(i.saving);
    return rc;
}

int econ_advise_cost(struct econ_advise_input *in, const struct econ_prices *prices, struct err *e)
{
    struct econ_scenario s;
    if (!in->tco) return 0;
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    econ_scenario_init(&s);
    int rc = econ_scenario_load(&s, in->tco, e);
    if (rc == 0) rc = agree(&in->a, &s, e);
    if (rc == 0) rc = econ_scenario_finish(&s, prices, e);
    if (rc == 0) rc = compute(&s, t, &in->cost, e);
    econ_scenario_done(&s);
    mem_free(t);
    return rc;
}
