/* The decision matrix of croft advise, its six steps in order: volume, latency objective, compliance, cost, footprint
 * after INT4, hybrid or distil. Each step fills one finding: where it leans, the number that decided, the bar that
 * the number was held against with its source, and what would change it. Steps also tell the verdict
 * (advise_verdict.c) what they exclude. Pure functions of answers and thresholds; nothing is allocated.
 * docs/ADVISE.md has the rules in words. */
#include "advise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- texts ---- */

struct econ_number econ_count(double x)
{
    struct econ_number out;
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%.0f", x), k = 0;
    if (x != floor(x) || x < 10000 || x >= 1e15) {
        snprintf(out.text, sizeof out.text, "%.6g", x);
        return out;
    }
    for (int i = 0; i < n && k < (int)sizeof out.text - 2; i++) {
        if (i && (n - i) % 3 == 0) out.text[k++] = ',';
        out.text[k++] = digits[i];
    }
    out.text[k] = 0;
    return out;
}

/* To the cent: what decides is not below it. */
struct econ_number econ_amount_of(const struct econ_answers *a, money m)
{
    struct econ_number out;
    snprintf(out.text, sizeof out.text, "%.2f %.12s", (double)m / MONEY_ONE, a->currency);
    return out;
}

void econ_mark_add(struct econ_rules *r, struct econ_finding *f, int threshold, const char *fmt, ...)
{
    struct econ_mark *b = &f->mark[f->n_marks++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(b->text, sizeof b->text, fmt, ap);
    va_end(ap);
    ECON_SAY(b->source, "%s",
             r->in->own_threshold[threshold] ? r->in->set_by[threshold] : econ_threshold_info()[threshold].source);
}

bool econ_closed(const struct econ_answers *a) { return a->bounded == ECON_CHOICE || a->bounded == ECON_SCHEMA; }

static struct econ_finding *step(struct econ_rules *r, int at, const char *rule, const char *title)
{
    struct econ_finding *f = &r->out->matrix[at];
    *f = (struct econ_finding){.rule = rule, .title = title, .lean = ECON_LEAN_UNANSWERED};
    return f;
}

/* ---- 1: volume ---- */

static void volume(struct econ_rules *r)
{
    const struct econ_thresholds *t = &r->in->t;
    double v = r->in->a.volume_month;
    struct econ_finding *f = step(r, ECON_VOLUME, "volume", "volume");
    ECON_MARK(r, f, volume_high, "%s to %s a month", econ_count(t->volume_low).text, econ_count(t->volume_high).text);
    ECON_MARK(r, f, volume_million, "%s a month", econ_count(t->volume_million).text);
    if (isnan(v)) {
        ECON_SAY(f->why, "How many questions a month there are is not known.");
        ECON_SAY(f->change, "volume_month.");
        return;
    }
    ECON_SAY(f->number, "%s questions a month", econ_count(v).text);
    bool above_band = v >= t->volume_high, above_million = v >= t->volume_million;
    if (v < t->volume_low && !above_million) {
        f->lean = ECON_LEAN_CLOUD;
        ECON_SAY(f->why, "Below what both sources call break-even.");
        ECON_SAY(f->change, "%s a month or more: the sources no longer agree on the cloud.",
                 econ_count(t->volume_low).text);
    } else if (above_band && above_million) {
        f->lean = ECON_LEAN_LOCAL;
        ECON_SAY(f->why, "Above what both sources call break-even. That is no calculation: cheap APIs can undo it.");
        ECON_SAY(f->change, "Fewer than %s a month.", econ_count(fmax(t->volume_high, t->volume_million)).text);
    } else {
        f->lean = ECON_LEAN_UNDECIDED;
        ECON_SAY(f->why,
                 above_band || v < t->volume_low
                     ? "The sources disagree: one says that own machines pay, the other that they do not yet."
                     : "The sources disagree: one calls this the range of break-even, one puts it elsewhere.");
        ECON_SAY(f->change, "Costs of your own (croft tco) decide here, not volume.");
    }
}

/* ---- 2: latency objective ---- */

static void latency(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    const struct econ_thresholds *t = &r->in->t;
    double l = a->latency_ms, cloud = a->cloud_latency_ms, local = a->local_latency_ms;
    struct econ_finding *f = step(r, ECON_LATENCY, "latency", "latency objective");
    if (isnan(cloud)) {
        ECON_MARK(r, f, cloud_fastest_ms, "%g ms: the fastest hosted API", t->cloud_fastest_ms);
        ECON_MARK(r, f, cloud_usual_ms, "%g ms: what hosted models usually need", t->cloud_usual_ms);
    } else {
        f->mark[f->n_marks++] = (struct econ_mark){.source = "measured: cloud_latency_ms"};
        ECON_SAY(f->mark[0].text, "%g ms: the cloud API, p95", cloud);
    }
    if (isnan(l)) {
        ECON_SAY(f->why, "Without an objective nothing can miss it.");
        ECON_SAY(f->change, "latency_ms (0: it does not matter).");
        r->cloud_open = true;
        return;
    }
    ECON_SAY(f->number, l == 0 ? "no objective" : "p95 within %g ms", l);
    bool no_cloud = l > 0 && l < (isnan(cloud) ? t->cloud_fastest_ms : cloud);
    bool no_local = l > 0 && !isnan(local) && local > l;
    bool open = !no_cloud && l > 0 && isnan(cloud) && l < t->cloud_usual_ms;
    r->cloud_no |= no_cloud;
    r->cloud_open |= open;
    r->local_no |= no_local;
    f->excludes = no_cloud || no_local;
    if (no_local && no_cloud) {
        f->lean = ECON_LEAN_TUNE;
        ECON_SAY(f->why, "No place meets it: the local model takes %g ms, the cloud %s.", local,
                 isnan(cloud) ? "at least as much as the fastest API" : "too long, too");
        ECON_SAY(f->change, "A smaller or faster local model, or an objective of %g ms.", local);
    } else if (no_local) {
        f->lean = open ? ECON_LEAN_UNDECIDED : ECON_LEAN_CLOUD;
        ECON_SAY(f->why, "The local model takes %g ms.", local);
        ECON_SAY(f->change, "A local p95 of at most %g ms.", l);
    } else if (no_cloud) {
        f->lean = ECON_LEAN_LOCAL;
        ECON_SAY(f->why, "A cloud cannot answer that fast.");
        ECON_SAY(f->change, "An objective of %g ms or more%s.", isnan(cloud) ? t->cloud_fastest_ms : cloud,
                 isnan(cloud) ? ", or a measured cloud_latency_ms below it" : "");
    } else if (open) {
        f->lean = ECON_LEAN_UNDECIDED;
        ECON_SAY(f->why, "Some hosted APIs answer that fast, many do not.");
        ECON_SAY(f->change, "cloud_latency_ms, measured from where you are.");
    } else {
        f->lean = ECON_LEAN_EITHER;
        ECON_SAY(f->why, l == 0 ? "It does not matter how long an answer takes." : "The cloud is fast enough.");
        ECON_SAY(f->change, "An objective below %g ms.", isnan(cloud) ? t->cloud_usual_ms : cloud);
    }
}

/* ---- 3: compliance ---- */

static const char *data_text(int data)
{
    static const char *const texts[] = {"public data", "internal data", "personal data", "special categories of data",
                                        "secrets"};
    return data < 0 ? "data of no stated kind" : texts[data];
}

static void compliance(struct econ_rules *r)
{
    static const char *const may[] = {"may go anywhere", "may go to a region", "may go redacted",
                                      "stay on the premises", "stay on the device"};
    const struct econ_answers *a = &r->in->a;
    struct econ_finding *f = step(r, ECON_COMPLIANCE, "compliance", "compliance");
    int leave = a->leave < 0 && a->data == ECON_PUBLIC ? ECON_ANYWHERE : a->leave;
    f->mark[f->n_marks++] = (struct econ_mark){"whether the inputs may leave the house", "your answer: leave"};
    if (leave < 0 || (leave == ECON_REGION && a->cloud_in_region < 0)) {
        bool region = leave == ECON_REGION;
        f->lean = a->data < 0 && !region ? ECON_LEAN_UNANSWERED : ECON_LEAN_UNDECIDED;
        ECON_SAY(f->number, "%s; %s", data_text(a->data),
                 region ? "bound to a region" : "not said how far they may go");
        ECON_SAY(f->why, region ? "Is there a cloud in that region?" : "Nobody has said whether they may leave.");
        ECON_SAY(f->change, region ? "cloud_in_region." : "leave: anywhere, region, redacted, premises or device.");
        r->may_open = r->cloud_open = true;
        return;
    }
    ECON_SAY(f->number, "%s that %s", data_text(a->data), may[leave]);
    if (leave >= ECON_PREMISES_ONLY || (leave == ECON_REGION && !a->cloud_in_region)) {
        f->lean = ECON_LEAN_LOCAL;
        f->excludes = r->cloud_no = true;
        ECON_SAY(f->why, leave == ECON_REGION ? "No cloud is in the region that they may go to."
                                              : "A cloud is out of the question, whatever it costs.");
        ECON_SAY(f->change,
                 leave == ECON_REGION ? "A cloud API in the region." : "Leave to send them away, whole or redacted.");
    } else if (leave == ECON_REDACTED) {
        f->lean = ECON_LEAN_HYBRID;
        r->force = true;
        ECON_SAY(f->why, "Answered here they need no redaction; what is sent on is redacted first, and what cannot "
                         "be, is not sent.");
        ECON_SAY(f->change, "leave: anywhere, or premises.");
    } else {
        f->lean = ECON_LEAN_EITHER;
        ECON_SAY(f->why, a->data >= ECON_PERSONAL ? "They may leave; the worksheet lists what then arises."
                                                  : "Nothing here speaks against a cloud.");
        ECON_SAY(f->change, "leave: redacted, premises or device.");
    }
}

/* ---- 4: cost ---- */

static money times(money m, double factor)
{
    double x = (double)m * factor;
    return x < 9.2e18 ? (money)llround(x) : INT64_MAX;
}

static money cost_of_tokens(double volume, double tokens, money price)
{
    double n = volume * tokens;
    return n < 9e18 ? money_per_million((uint64_t)llround(n), price) : INT64_MAX;
}

/* By what was said, -1: nothing. */
static money given_cloud_cost(const struct econ_answers *a)
{
    if (a->cloud_cost_month >= 0) return a->cloud_cost_month;
    bool countable = !isnan(a->volume_month) && !isnan(a->tokens_question) && a->price_million >= 0;
    return countable ? cost_of_tokens(a->volume_month, a->tokens_question, a->price_million) : -1;
}

money econ_cloud_cost(const struct econ_advise_input *in, bool *out_decision_api)
{
    const struct econ_answers *a = &in->a;
    bool countable = !isnan(a->volume_month) && !isnan(a->tokens_question);
    money cost = given_cloud_cost(a);
    *out_decision_api = false;
    if (countable && a->bounded == ECON_CHOICE && strcmp(a->currency, "USD") == 0) {
        money price = (money)llround(fmin(in->t.decision_price_million, 9e6) * MONEY_ONE);
        money decision = cost_of_tokens(a->volume_month, a->tokens_question, price);
        if (cost < 0 || decision < cost) {
            *out_decision_api = true;
            return decision;
        }
    }
    return cost;
}

/* What escalated answers cost a month at the price that was given for a cloud, else at `cloud`. A model that reaches
 * the floor sends none. */
static money cost_of_escalations(const struct econ_advise_input *in, money cloud)
{
    const struct econ_answers *a = &in->a;
    bool good = a->quality_local >= a->floor; /* false where one is not known */
    money given = given_cloud_cost(a);
    if (good || isnan(a->escalation)) return 0;
    return times(given >= 0 ? given : cloud, a->escalation);
}

/* a is cheaper than b by more than the margin. */
static bool cheaper(money a, money b, double margin) { return (double)a < (double)b * (1 - margin); }

static void unknown_cost(struct econ_rules *r, struct econ_finding *f, money local, money cloud)
{
    const struct econ_answers *a = &r->in->a;
    bool both = local < 0 && cloud < 0;
    ECON_SAY(f->number, "cloud %s, own machine %s", cloud < 0 ? "not known" : econ_amount_of(a, cloud).text,
             local < 0 ? "not known" : econ_amount_of(a, local).text);
    ECON_SAY(f->why, "Without both costs there is nothing to compare.");
    ECON_SAY(f->change, "%s: run croft tco, or give %s.", both ? "Both costs" : "The missing cost",
             both        ? "cloud_cost_month and local_cost_month"
             : local < 0 ? "local_cost_month"
                         : "cloud_cost_month, or price_million with tokens_question and volume_month");
}

static void compare_costs(struct econ_rules *r, struct econ_finding *f, money local, money cloud, money sent,
                          bool api)
{
    const struct econ_answers *a = &r->in->a;
    double margin = r->in->t.cost_margin;
    if (cheaper(local, cloud, margin)) {
        f->lean = ECON_LEAN_LOCAL;
        ECON_SAY(f->why, "The own machine is cheaper.");
        ECON_SAY(f->change, "A cloud below %s a month.", econ_amount_of(a, times(local, 1 / (1 - margin))).text);
    } else if (cheaper(cloud, local, margin)) {
        money below = times(cloud, 1 - margin) - sent;
        f->lean = ECON_LEAN_CLOUD;
        r->dearer = local - cloud;
        r->out->decision_api = api;
        if (api)
            ECON_SAY(f->why, "A decision API at $%g per million tokens is cheaper.", r->in->t.decision_price_million);
        else
            ECON_SAY(f->why, "The cloud is cheaper.");
        if (below > 0)
            ECON_SAY(f->change, "An own machine below %s a month.", econ_amount_of(a, below).text);
        else
            ECON_SAY(f->change, "No price of the machine: what is sent on costs too much already.");
    } else {
        f->lean = ECON_LEAN_UNDECIDED;
        ECON_SAY(f->why, "The difference is within the margin: price decides nothing.");
        ECON_SAY(f->change, "A larger difference; croft tco gives an interval.");
    }
}

/* croft tco has more to say than two numbers. */
static void told_cost(struct econ_rules *r, struct econ_finding *f)
{
    const struct econ_told_cost *c = &r->in->cost;
    f->lean = r->cost = (enum econ_lean)c->lean;
    f->n_marks = 1;
    ECON_SAY(f->mark[0].text, "%s", c->interval);
    ECON_SAY(f->mark[0].source, "%s", c->source);
    ECON_SAY(f->number, "%s", c->number);
    ECON_SAY(f->why, "%s", c->why);
    ECON_SAY(f->change, "%s", c->change);
    r->out->decision_api = c->decision_api;
    r->out->idle_only = c->idle_only;
    r->out->rented = c->rented;
}

static void cost(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    const struct econ_thresholds *t = &r->in->t;
    struct econ_finding *f = step(r, ECON_COST, "cost", "total cost of ownership");
    if (r->in->cost.there) {
        told_cost(r, f);
        return;
    }
    bool api;
    money cloud = econ_cloud_cost(r->in, &api), full = a->local_cost_month, extra = a->local_extra_month;
    ECON_MARK(r, f, cost_margin, "a difference of %g %%", t->cost_margin * 100);
    if (cloud < 0 || (full < 0 && extra < 0)) {
        unknown_cost(r, f, full >= 0 ? full : extra, cloud);
        return;
    }
    money sent = cost_of_escalations(r->in, cloud);
    if (full >= 0) full = money_add(full, sent);
    if (extra >= 0) extra = money_add(extra, sent);
    bool idle =
        extra >= 0 && cheaper(extra, cloud, t->cost_margin) && (full < 0 || !cheaper(full, cloud, t->cost_margin));
    money local = idle || full < 0 ? extra : full;
    ECON_SAY(f->number, "cloud %s%s, own machine %s%s a month%s", econ_amount_of(a, cloud).text,
             api ? " (a decision API)" : "", econ_amount_of(a, local).text,
             local == extra ? " (what is added alone)" : "", sent ? ", with what is sent on" : "");
    if (api) ECON_MARK(r, f, decision_price_million, "%g USD for a million tokens", t->decision_price_million);
    compare_costs(r, f, local, cloud, sent, api);
    if (idle) {
        r->out->idle_only = true;
        ECON_SAY(f->why, "Local wins only because the machine is there and idle anyway: %s.",
                 full < 0 ? "its price is not counted" : "with its share of the price it does not");
    }
    r->cost = f->lean;
}

/* ---- 5: footprint after INT4 ---- */

static void footprint(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    const struct econ_thresholds *t = &r->in->t;
    struct econ_finding *f = step(r, ECON_FOOTPRINT, "footprint", "footprint after INT4");
    ECON_MARK(r, f, memory_factor, "%g times the weights free", t->memory_factor);
    ECON_MARK(r, f, bits_per_weight, "%g bits a weight", t->bits_per_weight);
    if (isnan(a->parameters_b) || isnan(a->memory_gb)) {
        ECON_SAY(f->why, "Model and machine are not both known.");
        ECON_SAY(f->change, "%s; croft qualify measures it.", isnan(a->parameters_b) ? "parameters_b" : "memory_gb");
        return;
    }
    double weights = a->parameters_b * t->bits_per_weight / 8, need = weights * t->memory_factor;
    ECON_SAY(f->number, "%.3g GB of weights, %.3g GB free", weights, a->memory_gb);
    if (a->memory_gb >= need) {
        f->lean = ECON_LEAN_EITHER;
        ECON_SAY(f->why, "It fits: %.3g GB are needed.", need);
        ECON_SAY(f->change, "More than %.3g billion parameters.",
                 a->memory_gb / t->memory_factor * 8 / t->bits_per_weight);
        return;
    }
    f->lean = a->bounded == ECON_UNBOUNDED ? ECON_LEAN_CLOUD : ECON_LEAN_TUNE;
    f->excludes = r->local_no = true;
    ECON_SAY(f->why, "It does not fit: %.3g GB are needed.", need);
    ECON_SAY(f->change, "At most %.3g billion parameters (a distilled model), or %.3g GB.",
             a->memory_gb / t->memory_factor * 8 / t->bits_per_weight, need);
}

/* ---- 6: hybrid or distil ---- */

/* Escalating pays while local + e * given < cloud, that is e < (cloud - local) / given. NAN: not known. */
static double paying_share(const struct econ_rules *r)
{
    bool api;
    money cloud = econ_cloud_cost(r->in, &api), local = r->in->a.local_cost_month,
          given = given_cloud_cost(&r->in->a);
    if (given < 0) given = cloud;
    return given > 0 && local >= 0 ? fmax(0, (double)(cloud - local) / (double)given) : (double)NAN;
}

static void shape(struct econ_rules *r)
{
    const struct econ_answers *a = &r->in->a;
    const struct econ_thresholds *t = &r->in->t;
    struct econ_finding *f = step(r, ECON_SHAPE, "shape", "hybrid or distil");
    double q = a->quality_local, e = a->escalation, enough = econ_closed(a) ? t->examples_closed : t->examples_text;
    double pays = paying_share(r);
    bool good = !isnan(q) && !isnan(a->floor) && q >= a->floor, bad = !isnan(q) && !isnan(a->floor) && q < a->floor;
    ECON_MARK(r, f, escalation_usual, "at most %g %% sent on", t->escalation_usual * 100);
    if (econ_closed(a))
        ECON_MARK(r, f, examples_closed, "%s examples to tune with", econ_count(enough).text);
    else
        ECON_MARK(r, f, examples_text, "%s examples to distil with", econ_count(enough).text);
    if (!isnan(q) && !isnan(e))
        ECON_SAY(f->number, "quality %g (floor %g), %g %% sent on", q, a->floor, e * 100);
    else if (!isnan(q))
        ECON_SAY(f->number, "quality %g (floor %g)", q, a->floor);
    else if (!isnan(e))
        ECON_SAY(f->number, "%g %% sent on", e * 100);
    if (good) {
        f->lean = ECON_LEAN_LOCAL;
        ECON_SAY(f->why, "The local model reaches the floor by itself.");
        ECON_SAY(f->change, "A floor above %g.", q);
    } else if (!isnan(e) && e <= t->escalation_usual) {
        f->lean = ECON_LEAN_HYBRID;
        ECON_SAY(f->why, "Few enough answers are sent on.");
        if (pays > 0)
            ECON_SAY(f->why, "Few enough answers are sent on; by price alone up to %.0f %% may be.", pays * 100);
        ECON_SAY(f->change, "More than %g %% sent on.", t->escalation_usual * 100);
    } else if (bad && a->bounded == ECON_UNBOUNDED) {
        f->lean = ECON_LEAN_CLOUD;
        ECON_SAY(f->why, "An open task below its floor: a small model is the wrong one for it.");
        ECON_SAY(f->change, "A narrower task, or at most %g %% sent on.", t->escalation_usual * 100);
    } else if (bad || !isnan(e)) {
        f->lean = ECON_LEAN_TUNE;
        ECON_SAY(f->why, "%s: teach the model first.%s",
                 isnan(e) ? "Below the floor" : "Too many answers are sent on",
                 !isnan(a->examples) && a->examples < enough ? " There are too few examples yet." : "");
        ECON_SAY(f->change, "A score of the floor after tuning, or at most %g %% sent on.",
                 t->escalation_usual * 100);
    } else {
        ECON_SAY(f->why, "How good the local model is on the task has not been measured.");
        ECON_SAY(f->change, "quality_local with floor (croft eval), or escalation (croft calibrate).");
    }
    r->shape = f->lean;
}

void econ_matrix(struct econ_rules *r)
{
    volume(r);
    latency(r);
    compliance(r);
    cost(r);
    footprint(r);
    shape(r);
    for (int i = 0; i < ECON_N_MATRIX; i++)
        if (!*r->out->matrix[i].number) ECON_SAY(r->out->matrix[i].number, "not known");
}
