/* How sure the verdict is: distributions of values, the tornado, the interval (docs/TCO.md, "How sure"). One stream
 * of random numbers from the scenario's seed, so that the same scenario gives the same interval everywhere. Each
 * function owns its copy of the scenario and one table of costs. Read next: cost.c. */
#include "econ_private.h"

#include "base_mem.h"
#include "base_random.h"
#include "task_stat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- distributions ---- */

/* Evenly in (0, 1). */
static double even(uint64_t *state) { return ((double)(random_next(state) >> 11) + 0.5) / 9007199254740992.0; }

/* Box and Muller, 1958. */
static double normal(uint64_t *state)
{
    double r = sqrt(-2 * log(even(state)));
    return r * cos(6.283185307179586 * even(state));
}

/* Gamma of this shape: Marsaglia and Tsang, ACM TOMS 26 (2000); below 1 by the power of a uniform number. */
static double gamma_draw(double shape, uint64_t *state)
{
    if (shape < 1) {
        double u = even(state);
        return gamma_draw(shape + 1, state) * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(state), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(even(state)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
}

static double triangular_quantile(const struct econ_chance *c, double q)
{
    double width = c->c - c->a, left = c->b - c->a;
    if (width <= 0) return c->a;
    return q < left / width ? c->a + sqrt(q * width * left) : c->c - sqrt((1 - q) * width * (c->c - c->b));
}

/* x with f(x) = q, f rising on [low, high]. */
static double invert(double (*f)(const struct econ_chance *, double), const struct econ_chance *c, double q,
                     double low, double high)
{
    for (int i = 0; i < 100; i++) {
        double mid = (low + high) / 2;
        *(f(c, mid) < q ? &low : &high) = mid;
    }
    return (low + high) / 2;
}
static double beta_below(const struct econ_chance *c, double x)
{
    return task_stat_beta(c->a + 0.5, c->b - c->a + 0.5, x);
}
static double normal_below(const struct econ_chance *c, double x) { return 0.5 * erfc(-(x - c->a) / c->b / sqrt(2)); }

double econ_chance_quantile(const struct econ_chance *c, double q)
{
    switch (c->shape) {
    case ECON_UNIFORM:
        return c->a + q * (c->b - c->a);
    case ECON_TRIANGULAR:
        return triangular_quantile(c, q);
    case ECON_NORMAL:
        return c->b > 0 ? invert(normal_below, c, q, c->a - 40 * c->b, c->a + 40 * c->b) : c->a;
    case ECON_BETA:
        return invert(beta_below, c, q, 0, 1);
    default:
        return NAN;
    }
}

double econ_chance_draw(const struct econ_chance *c, uint64_t *state)
{
    if (c->shape == ECON_NORMAL) return c->a + c->b * normal(state);
    if (c->shape == ECON_BETA) {
        double x = gamma_draw(c->a + 0.5, state), y = gamma_draw(c->b - c->a + 0.5, state);
        return x / (x + y);
    }
    return econ_chance_quantile(c, even(state));
}

const char *econ_chance_text(const struct econ_chance *c, char out[96])
{
    static const char *const fmt[] = {"certain", "uniform %.9g to %.9g", "triangular %.9g, %.9g, %.9g",
                                      "normal %.9g ± %.9g", "counted %.9g of %.9g (Jeffreys)"};
    snprintf(out, 96, fmt[c->shape], c->a, c->b, c->c);
    return out;
}

/* ---- trying values ---- */

/* A value in the parameter's unit, cut at its bounds and rounded to what a scenario can state: that is returned. */
static double put(struct econ_scenario *s, enum econ_param p, double x)
{
    const struct econ_param_info *i = econ_param_info(p);
    double nano = x * 1e9;
    s->v[p] = nano <= (double)i->min ? i->min : nano >= (double)i->max ? i->max : (int64_t)llround(nano);
    if (i->unit == ECON_COUNT || i->unit == ECON_MONTHS) s->v[p] = (s->v[p] + MONEY_ONE / 2) / MONEY_ONE * MONEY_ONE;
    return (double)s->v[p] / 1e9;
}

static int saving_of(struct econ_scenario *s, struct econ_tco *t, double *out, struct err *e)
{
    econ_derive(s);
    if (s->v[ECON_P_IDLE_WATTS] > s->v[ECON_P_BUSY_WATTS]) s->v[ECON_P_IDLE_WATTS] = s->v[ECON_P_BUSY_WATTS];
    int rc = econ_costs(s, true, t, e);
    int home = econ_home(t);
    if (rc == 0) *out = home >= 0 ? econ_amount_real(t->option[ECON_CLOUD].npv - t->option[home].npv) : NAN;
    return rc;
}

static int by_reach(const void *a, const void *b)
{
    const struct econ_bar *x = a, *y = b;
    double p = fabs(x->saving_high - x->saving_low), q = fabs(y->saving_high - y->saving_low);
    return p != q ? (p < q ? 1 : -1) : (int)x->param - (int)y->param;
}

int econ_tornado(const struct econ_scenario *given, struct econ_bar out[ECON_N_PARAMS], int *out_n, struct err *e)
{
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    int rc = econ_costs(given, true, t, e), n = 0;
    bool compares = rc == 0 && t->option[ECON_CLOUD].there && econ_home(t) >= 0;
    for (int p = 0; p < ECON_N_PARAMS && compares && rc == 0; p++) {
        const struct econ_chance *c = &given->chance[p];
        if (c->shape == ECON_CERTAIN) continue;
        struct econ_bar bar = {.param = (enum econ_param)p};
        struct econ_scenario s = *given;
        bar.low = put(&s, bar.param, econ_chance_quantile(c, 0.05));
        rc = saving_of(&s, t, &bar.saving_low, e);
        s = *given;
        bar.high = put(&s, bar.param, econ_chance_quantile(c, 0.95));
        if (rc == 0) rc = saving_of(&s, t, &bar.saving_high, e);
        if (rc == 0 && bar.saving_low != bar.saving_high) out[n++] = bar;
    }
    mem_free(t);
    if (rc) return rc;
    qsort(out, (size_t)n, sizeof *out, by_reach);
    *out_n = n;
    return 0;
}

/* ---- the interval ---- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void count_cheapest(const struct econ_scenario *s, const struct econ_tco *t, struct econ_interval *out)
{
    int best = -1;
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (t->option[o].there && (best < 0 || t->option[o].npv < t->option[best].npv)) best = o;
    if (best >= 0) out->cheapest[best] += 1.0 / s->draws;
}

static int draw_all(const struct econ_scenario *given, struct econ_tco *t, struct econ_interval *out, struct err *e)
{
    uint64_t state = given->seed;
    for (unsigned i = 0; i < given->draws; i++) {
        struct econ_scenario s = *given;
        double saving;
        for (int p = 0; p < ECON_N_PARAMS; p++)
            if (s.chance[p].shape != ECON_CERTAIN)
                put(&s, (enum econ_param)p, econ_chance_draw(&s.chance[p], &state));
        int rc = saving_of(&s, t, &saving, e);
        if (rc) return rc;
        out->saving[i] = (float)saving;
        out->mean += saving / given->draws;
        out->p_local += (saving > 0) / (double)given->draws;
        count_cheapest(given, t, out);
    }
    return 0;
}

int econ_simulate(const struct econ_scenario *s, struct econ_interval *out, struct err *e)
{
    *out = (struct econ_interval){0};
    if (s->draws == 0) return 0;
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    out->saving = mem_calloc(s->draws, sizeof *out->saving);
    int rc = t && out->saving ? econ_costs(s, true, t, e) : err_nomem(e, s->draws * sizeof *out->saving);
    bool compares = rc == 0 && t->option[ECON_CLOUD].there && econ_home(t) >= 0;
    if (compares) rc = draw_all(s, t, out, e);
    mem_free(t);
    if (rc || !compares) {
        mem_free(out->saving);
        *out = (struct econ_interval){0};
        return rc;
    }
    out->draws = s->draws;
    qsort(out->saving, out->draws, sizeof *out->saving, by_size);
    double cut = (1 - s->confidence) / 2;
    out->low = out->saving[(size_t)floor(cut * (out->draws - 1))];
    out->high = out->saving[(size_t)ceil((1 - cut) * (out->draws - 1))];
    out->median = out->saving[out->draws / 2];
    return 0;
}
