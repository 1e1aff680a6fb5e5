/* What follows from the costs: payback, tipping volumes, the sweep over utilisation, the verdict (docs/TCO.md, "Over
 * the horizon", "Utilisation"). Costs are exact; what is solved for is in doubles. Each function owns the copy of the
 * scenario and the table of costs that it tries things with. Read next: cost.c, chance.c. */
#include "econ_private.h"

#include "base_mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The option that stands for answering at home, or -1. */
int econ_home(const struct econ_tco *t)
{
    return t->option[ECON_LOCAL].there ? ECON_LOCAL : t->option[ECON_RENTED].there ? ECON_RENTED : -1;
}

static int payback(const struct econ_tco *t)
{
    int home = econ_home(t), since = -1;
    econ_amount ahead = 0;
    if (home < 0 || !t->option[ECON_CLOUD].there) return -1;
    for (int m = 0; m <= t->months; m++) {
        ahead += t->option[ECON_CLOUD].month[m] - t->option[home].month[m];
        if (m == t->months) ahead += t->option[home].line[m][ECON_L_RESIDUAL]; /* not sold yet */
        if (ahead < 0)
            since = -1;
        else if (since < 0)
            since = m;
    }
    return since;
}

/* (CAPEX + lifecycle·T + engineering) / (price·T). */
static double tipping_simple(const struct econ_scenario *s, const struct econ_tco *t)
{
    const struct econ_costs *c = &t->option[ECON_LOCAL];
    double price = (double)t->option[ECON_CLOUD].line[1][ECON_L_USAGE] / (double)t->volume[1];
    double lifecycle = econ_amount_real(c->line[1][ECON_L_OPERATIONS]);
    double fixed = econ_amount_real(c->line[0][ECON_L_HARDWARE] + c->line[0][ECON_L_ENGINEERING]);
    return price > 0 ? (fixed + lifecycle * t->months) / (price * t->months) : INFINITY;
}

/* Totals of an option as A + b·V, V in answers a month, while `units` serve. */
struct affine {
    double a[2], b[2]; /* undiscounted, discounted */
};
static int totals_at(struct econ_scenario *s, int64_t volume, struct econ_tco *t, double out[2][2], struct err *e)
{
    s->v[ECON_P_VOLUME] = volume;
    int rc = econ_costs(s, false, t, e);
    for (int i = 0; i < 2 && rc == 0; i++) {
        const struct econ_costs *c = &t->option[i == 0 ? ECON_CLOUD : ECON_LOCAL];
        out[i][0] = econ_amount_real(c->total), out[i][1] = econ_amount_real(c->npv);
    }
    return rc;
}
/* cloud in out[0], local with so many units in out[1]; `most` is a volume that they serve. */
static int fit_lines(const struct econ_scenario *given, int64_t units, double most, struct econ_tco *t,
                     struct affine out[2], struct err *e)
{
    struct econ_scenario s = *given;
    double low[2][2], high[2][2];
    s.v[ECON_P_UNITS] = units * MONEY_ONE;
    int rc = totals_at(&s, 0, t, low, e);
    if (rc == 0) rc = totals_at(&s, (int64_t)(most * 1e9), t, high, e);
    for (int i = 0; i < 2 && rc == 0; i++)
        for (int k = 0; k < 2; k++) {
            out[i].a[k] = low[i][k];
            out[i].b[k] = (high[i][k] - low[i][k]) / most;
        }
    return rc;
}

/* The smallest volume of all stretches at which local costs no more. Stretch k, of `first` units and more, ends at
 * k·`serves`; local's fixed part grows by `step` a unit. What an answer saves is the difference of two sums that were
 * rounded: a gain below that rounding is none, and so is a volume that no scenario may state. */
static double smallest_volume(double cloud_a, double cloud_b, double local_a, double local_b, double step,
                              int64_t first, double serves)
{
    enum { MOST_UNITS = 1000000 };
    double gain = cloud_b - local_b, most = (double)econ_param_info(ECON_P_VOLUME)->max / 1e9;
    if (!(gain > 1e-12 * cloud_b)) return INFINITY;
    for (int64_t k = first; k < first + MOST_UNITS; k++) {
        double least = k == first ? 0 : (double)(k - 1) * serves;
        double v = (local_a + step * (double)(k - first) - cloud_a) / gain;
        if (v < least) v = least;
        if (v > most) break;
        if (v <= (double)k * serves) return v;
    }
    return INFINITY;
}

static int tipping(const struct econ_scenario *s, struct econ_tco *out, struct err *e)
{
    const int64_t *v = s->v;
    int64_t first = v[ECON_P_UNITS] ? v[ECON_P_UNITS] / MONEY_ONE : 1;
    double growth = (double)econ_largest_month(s) / (double)v[ECON_P_VOLUME], serves = INFINITY;
    struct affine one[2], two[2];
    if (v[ECON_P_RATE])
        serves = (double)v[ECON_P_RATE] / 1e9 * ECON_SECONDS_MONTH * ((double)v[ECON_P_MAX_UTILISATION] / 1e9) /
                 ((double)v[ECON_P_PEAK] / 1e9) / growth;
    double most = isinf(serves) || serves * (double)first > 1e9 ? 1e6 : serves * (double)first;
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    int rc = fit_lines(s, first, most, t, one, e);
    if (rc == 0) rc = fit_lines(s, first + 1, most, t, two, e);
    mem_free(t);
    if (rc) return rc;
    double found[2];
    for (int i = 0; i < 2; i++)
        found[i] = smallest_volume(one[0].a[i], one[0].b[i], one[1].a[i], one[1].b[i], two[1].a[i] - one[1].a[i],
                                   first, serves);
    out->tipping = found[0];
    out->tipping_npv = found[1];
    out->tipping_simple = tipping_simple(s, out);
    return 0;
}

int econ_tco(const struct econ_scenario *s, struct econ_tco *out, struct err *e)
{
    int rc = econ_costs(s, false, out, e);
    if (rc) return rc;
    out->payback = payback(out);
    out->tipping = out->tipping_npv = out->tipping_simple = NAN;
    return out->option[ECON_CLOUD].there && out->option[ECON_LOCAL].there ? tipping(s, out, e) : 0;
}

/* ---- utilisation ---- */

/* Answers a month, in billionths, of a machine that is always busy. */
static econ_amount full_volume(const struct econ_scenario *s)
{
    int64_t rate = s->v[ECON_P_RENT_RATE] ? s->v[ECON_P_RENT_RATE] : s->v[ECON_P_RATE];
    return (econ_amount)rate * ECON_SECONDS_MONTH;
}
/* The utilisation of a very fast machine at the largest volume that a scenario may have; else 1. */
static double most_utilisation(const struct econ_scenario *s)
{
    return fmin(1, (double)econ_param_info(ECON_P_VOLUME)->max / (double)full_volume(s));
}

static int at_utilisation(const struct econ_scenario *given, double u, struct econ_tco *t,
                          struct econ_sweep_step *out, struct err *e)
{
    struct econ_scenario s = *given;
    double volume = u * econ_amount_real(full_volume(&s));
    s.v[ECON_P_VOLUME] = u == 1 ? (int64_t)full_volume(&s) : (int64_t)(volume * 1e9);
    s.v[ECON_P_PEAK] = s.v[ECON_P_MAX_UTILISATION] = MONEY_ONE;
    s.v[ECON_P_GROWTH] = 0;
    if (s.v[ECON_P_RATE]) s.v[ECON_P_UNITS] = 0; /* as many as the volume needs */
    int rc = econ_costs(&s, true, t, e);
    if (rc) return rc;
    *out = (struct econ_sweep_step){.utilisation = u, .volume = volume, .units = t->option[ECON_LOCAL].units};
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        out->per_answer[o] = t->option[o].there ? econ_per_answer(t, (enum econ_option)o) : NAN;
    return 0;
}

static bool cheapest(const struct econ_sweep_step *p, int option)
{
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (o != option && p->per_answer[o] < p->per_answer[option]) return false;
    return true;
}
static bool rented_wins(const struct econ_sweep_step *p) { return cheapest(p, ECON_RENTED); }
static bool local_wins(const struct econ_sweep_step *p)
{
    return p->per_answer[ECON_LOCAL] <= p->per_answer[ECON_CLOUD];
}

/* From which utilisation on, up to `most`, does `wins` hold? In steps of 1/200 from above, then halved. */
static int find_crossing(const struct econ_scenario *s, bool (*wins)(const struct econ_sweep_step *),
                         struct econ_tco *t, double *out, struct err *e)
{
    enum { STEPS = 200, HALVINGS = 30 };
    struct econ_sweep_step p;
    double win = INFINITY, lose = 0, most = most_utilisation(s);
    for (int i = STEPS; i >= 1; i--) {
        double u = i == STEPS ? most : most * i / STEPS;
        int rc = at_utilisation(s, u, t, &p, e);
        if (rc) return rc;
        if (!wins(&p)) {
            lose = u;
            break;
        }
        win = u;
    }
    for (int i = 0; i < HALVINGS && lose > 0 && win <= 1; i++) {
        double mid = (win + lose) / 2;
        int rc = at_utilisation(s, mid, t, &p, e);
        if (rc) return rc;
        *(wins(&p) ? &win : &lose) = mid;
    }
    *out = win;
    return 0;
}

int econ_utilisation(const struct econ_scenario *s, struct econ_sweep *out, struct err *e)
{
    static const double steps[] = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1};
    *out = (struct econ_sweep){.rented_wins = NAN, .local_wins = NAN};
    if (!s->v[ECON_P_RENT_RATE] && !s->v[ECON_P_RATE]) return 0;
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    int rc = 0;
    out->there = true;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rc == 0 && steps[i] <= most_utilisation(s); i++)
        rc = at_utilisation(s, steps[i], t, &out->step[out->n++], e);
    if (rc == 0 && t->option[ECON_RENTED].there) rc = find_crossing(s, rented_wins, t, &out->rented_wins, e);
    if (rc == 0 && t->option[ECON_LOCAL].there && t->option[ECON_CLOUD].there)
        rc = find_crossing(s, local_wins, t, &out->local_wins, e);
    mem_free(t);
    return rc;
}

/* ---- verdict ---- */

static const char *const verdict_words[] = {"local",  "local-idle", "cloud",     "decision",
                                            "rented", "open",       "local-only"};
const char *econ_tco_verdict_word(enum econ_tco_verdict_kind k) { return verdict_words[k]; }

/* The cheapest by net present value among those that may be chosen. */
static int best_option(const struct econ_scenario *s, const struct econ_tco *t)
{
    int best = -1;
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        bool may = t->option[o].there && (s->cloud_allowed || o == ECON_LOCAL);
        if (may && (best < 0 || t->option[o].npv < t->option[best].npv)) best = o;
    }
    return best;
}

/* What local would cost in NPV if its hardware were bought; false: its price is not known. */
static int bought_npv(const struct econ_scenario *given, bool *out_known, econ_amount *out, struct err *e)
{
    struct econ_scenario s = *given;
    *out_known = s.owned && econ_given(&s, ECON_P_HARDWARE_PRICE);
    if (!*out_known) return 0;
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    s.owned = false;
    int rc = econ_costs(&s, true, t, e);
    if (rc == 0) *out = t->option[ECON_LOCAL].npv;
    mem_free(t);
    return rc;
}

/* Is an option that is the cheapest as stated the cheapest in too few draws? Then which is the other one? */
static bool contested(const struct econ_scenario *s, const struct econ_interval *i, int best, int *out_other)
{
    if (!i || !i->draws || i->cheapest[best] >= (1 + s->confidence) / 2) return false;
    *out_other = best == 0;
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (o != best && i->cheapest[o] > i->cheapest[*out_other]) *out_other = o;
    return true;
}

/* "-21,440": without what is behind the point. */
static void whole(econ_amount a, char out[48])
{
    char plain[48];
    size_t n = strlen(econ_amount_text(a, 0, plain)), at = 0;
    for (size_t i = 0; i < n && at < 46; i++) {
        if (i && (n - i) % 3 == 0 && plain[i - 1] != '-') out[at++] = ',';
        out[at++] = plain[i];
    }
    out[at] = 0;
}

/* The interval includes zero, or no option is clearly the cheapest: said in out. */
static bool is_open(const struct econ_scenario *s, const struct econ_tco *t, const struct econ_interval *i, int best,
                    struct econ_tco_verdict *out)
{
    int home = econ_home(t), other;
    char low[48], high[48];
    if (!i || !i->draws) return false;
    if (home >= 0 && t->option[ECON_CLOUD].there && best != ECON_DECISION && i->low <= 0 && i->high >= 0) {
        whole((econ_amount)(i->low * 1e9), low);
        whole((econ_amount)(i->high * 1e9), high);
        snprintf(out->sentence, sizeof out->sentence,
                 "Not decided: the saving of %s over the %s is between %s and %s %s with %.0f %% probability, and "
                 "that includes zero. Measure what moves it most.",
                 econ_option_title((enum econ_option)home), econ_option_title(ECON_CLOUD), low, high, s->currency,
                 100 * s->confidence);
        return true;
    }
    if (!contested(s, i, best, &other)) return false;
    snprintf(out->sentence, sizeof out->sentence,
             "Not decided: %s is the cheapest with %.0f %% probability, %s with %.0f %%. Measure what moves it most.",
             econ_option_title((enum econ_option)best), 100 * i->cheapest[best],
             econ_option_title((enum econ_option)other), 100 * i->cheapest[other]);
    return true;
}

/* What is said of the cheapest option; bought: NPV of local if its hardware had to be bought, where that is known. */
static void say_cheapest(const struct econ_scenario *s, const struct econ_tco *t, int best, const econ_amount *bought,
                         struct econ_tco_verdict *out)
{
    const struct econ_costs *cloud = &t->option[ECON_CLOUD], *local = &t->option[ECON_LOCAL];
    int home = econ_home(t);
    char it[48], there[48], here[48], price[32], over[64];
    char *z = out->sentence;
    const size_t n = sizeof out->sentence;
    whole(t->option[best].npv, it);
    whole(cloud->npv, there);
    whole(home >= 0 ? t->option[home].npv : 0, here);
    snprintf(over, sizeof over, "%s over %d month%s%s", s->currency, t->months, t->months == 1 ? "" : "s",
             s->v[ECON_P_DISCOUNT] ? ", discounted" : "");
    if (!s->cloud_allowed) {
        out->kind = ECON_V_LOCAL_ONLY;
        int at = snprintf(z, n, "The data may not leave, so this runs on hardware of your own, at %s %s", it, over);
        if (cloud->there)
            snprintf(z + at, n - (size_t)at, "; the cloud would cost %s %s.", there, s->currency);
        else
            snprintf(z + at, n - (size_t)at, ".");
    } else if (best == ECON_CLOUD) {
        out->kind = ECON_V_CLOUD;
        snprintf(z, n, "Use the cloud API: %s %s, against %s here.%s", it, over, here,
                 isinf(t->tipping_npv) ? " At no volume is that different." : "");
    } else if (best == ECON_DECISION) {
        out->kind = ECON_V_DECISION;
        money_text(s->v[ECON_P_DECISION_IN], price);
        snprintf(z, n,
                 "A decision API at %s %s per million tokens is cheaper: %s %s, against %s here and %s at the cloud "
                 "API.",
                 price, s->currency, it, over, here, there);
    } else if (best == ECON_RENTED) {
        out->kind = ECON_V_RENTED;
        whole(local->npv, here);
        snprintf(z, n, "Rent: the GPU costs %s %s, against %s%s%s at the cloud API.", it, over,
                 local->there ? here : "", local->there ? " on hardware of your own and " : "", there);
    } else if (bought && cloud->there && *bought > cloud->npv) {
        out->kind = ECON_V_LOCAL_IDLE;
        whole(*bought, here);
        snprintf(z, n,
                 "Local wins only because the box is idle anyway: %s %s, against %s at the cloud API, but %s if it "
                 "had to be bought.",
                 it, over, there, here);
    } else {
        out->kind = ECON_V_LOCAL;
        snprintf(z, n, "Run it here: %s %s%s%s%s.", it, over, cloud->there ? ", against " : "",
                 cloud->there ? there : "", cloud->there ? " at the cloud API" : "");
    }
}

int econ_decide(const struct econ_scenario *s, const struct econ_tco *t, const struct econ_interval *i,
                struct econ_tco_verdict *out, struct err *e)
{
    int best = best_option(s, t);
    econ_amount bought = 0;
    bool known = false;
    if (best < 0) return ERR(e, FORMAT, "This scenario leaves nothing to choose: no option has its prices.");
    int rc = bought_npv(s, &known, &bought, e);
    if (rc) return rc;
    *out = (struct econ_tco_verdict){.kind = ECON_V_OPEN};
    if (!s->cloud_allowed || !is_open(s, t, i, best, out)) say_cheapest(s, t, best, known ? &bought : NULL, out);
    return 0;
}
