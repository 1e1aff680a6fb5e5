/* Bootstrap intervals and paired comparisons (task_boot.h). Owns one array of weights and one of drawn values a call.
 * Deterministic: one thread, one stream of random numbers. Read next: score.c, stat_tail.c. */
#include "task_boot.h"
#include "base_mem.h"
#include "base_random.h"
#include "task_metrics.h"
#include "task_stat.h"

#include <math.h>
#include <string.h>

static const double z95 = 1.959963984540054;

static void draw(uint64_t *state, size_t n, uint32_t *w)
{
    memset(w, 0, n * sizeof *w);
    for (size_t i = 0; i < n; i++) w[random_below(state, (uint32_t)n)]++;
}

/* The middle 95 % of the values that are defined; NaN if not half of them are. Sorts. */
static void middle(double *value, unsigned n, double *out_lo, double *out_hi)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++)
        if (!isnan(value[i])) value[kept++] = value[i];
    *out_lo = 2 * kept >= n ? task_quantile(value, kept, 0.025) : NAN;
    *out_hi = 2 * kept >= n ? task_quantile(value, kept, 0.975) : NAN;
}

static bool is_share_right(enum task_measure m) { return m == TASK_M_ACCURACY || m == TASK_M_EXACT_MATCH; }

static size_t n_right(const struct task_outcomes *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++) n += o->item[i].right;
    return n;
}

int task_boot_intervals(struct task_outcomes *o, unsigned n_draws, uint64_t seed,
                        struct task_interval out[TASK_N_MEASURES], struct err *e)
{
    uint32_t *w = mem_calloc(o->n, sizeof *w);
    double *value = mem_calloc((size_t)n_draws * TASK_N_MEASURES, sizeof *value); /* [measure, draw] */
    int rc = w && value ? 0 : err_nomem(e, (size_t)n_draws * TASK_N_MEASURES * sizeof *value);
    for (int m = 0; m < TASK_N_MEASURES && rc == 0; m++)
        out[m] = (struct task_interval){task_measure((enum task_measure)m, o, NULL), NAN, NAN,
                                        is_share_right((enum task_measure)m) ? "wilson" : "bootstrap"};
    for (unsigned b = 0; b < n_draws && rc == 0; b++) {
        draw(&seed, o->n, w);
        for (int m = 0; m < TASK_N_MEASURES; m++)
            if (!is_share_right((enum task_measure)m) && !isnan(out[m].value))
                value[(size_t)m * n_draws + b] = task_measure((enum task_measure)m, o, w);
    }
    for (int m = 0; m < TASK_N_MEASURES && rc == 0; m++) {
        if (isnan(out[m].value)) continue;
        if (is_share_right((enum task_measure)m))
            task_wilson(n_right(o), o->n, z95, &out[m].lo, &out[m].hi);
        else
            middle(value + (size_t)m * n_draws, n_draws, &out[m].lo, &out[m].hi);
    }
    mem_free(w);
    mem_free(value);
    return rc;
}

double task_mcnemar(size_t b, size_t c)
{
    return b == c ? 1 : fmin(1, 2 * task_stat_binomial(b < c ? b : c, b + c, 0.5));
}

/* Twice the share of draws on the far side of 0, each share counted one draw higher than it is, so that it is never
 * 0. */
static double bootstrap_p(const double *value, unsigned n)
{
    unsigned below = 0, above = 0, defined = 0;
    for (unsigned i = 0; i < n; i++) {
        below += value[i] <= 0;
        above += value[i] >= 0;
        defined += !isnan(value[i]);
    }
    return fmin(1, 2 * (1.0 + (below < above ? below : above)) / (1.0 + defined));
}

int task_boot_compare(enum task_measure m, struct task_outcomes *first, struct task_outcomes *second,
                      unsigned n_draws, uint64_t seed, struct task_comparison *out, struct err *e)
{
    struct task_comparison c = {.n = first->n, .lo = NAN, .hi = NAN, .p = NAN};
    if (first->n != second->n) return ERR(e, USAGE, "%zu and %zu answers are no pairs.", first->n, second->n);
    for (size_t i = 0; i < c.n; i++) {
        c.only_first += first->item[i].right && !second->item[i].right;
        c.only_second += second->item[i].right && !first->item[i].right;
    }
    c.difference = task_measure(m, first, NULL) - task_measure(m, second, NULL);
    c.method = is_share_right(m) ? "mcnemar" : "bootstrap";
    uint32_t *w = mem_calloc(c.n, sizeof *w);
    double *value = mem_calloc(n_draws, sizeof *value);
    int rc = w && value ? 0 : err_nomem(e, c.n * sizeof *w + n_draws * sizeof *value);
    if (rc == 0 && !isnan(c.difference)) {
        for (unsigned b = 0; b < n_draws; b++) {
            draw(&seed, c.n, w);
            value[b] = task_measure(m, first, w) - task_measure(m, second, w);
        }
        c.p = is_share_right(m) ? task_mcnemar(c.only_first, c.only_second) : bootstrap_p(value, n_draws);
        middle(value, n_draws, &c.lo, &c.hi);
    }
    mem_free(w);
    mem_free(value);
    if (rc == 0) *out = c;
    return rc;
}
