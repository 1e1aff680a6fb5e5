/* Costs month by month and line by line of the options of a scenario: the tables of docs/TCO.md, "The formulas", in
 * their order and with its names. Exact integers of billionths throughout; only the two growth factors and the
 * discount factor are powers, rounded once to billionths. Pure. Read next: tco.c. */
#include "econ_private.h"

#include <math.h>
#include <string.h>

static const char *const option_words[] = {"cloud", "local", "rented", "decision"};
static const char *const option_titles[] = {"cloud API", "this hardware", "a rented GPU", "a decision API"};
static const char *const line_words[] = {
#define X(id, word, title) word,
    ECON_LINE_TABLE(X)
#undef X
};
static const char *const line_titles[] = {
#define X(id, word, title) title,
    ECON_LINE_TABLE(X)
#undef X
};
const char *econ_option_word(enum econ_option o) { return option_words[o]; }
const char *econ_option_title(enum econ_option o) { return option_titles[o]; }
const char *econ_line_word(enum econ_line l) { return line_words[l]; }
const char *econ_line_title(enum econ_line l) { return line_titles[l]; }

/* What a computation carries: the values, factors of each month, and whether anything grew out of its bounds. */
struct work {
    const struct econ_scenario *s;
    const int64_t *v;
    int months;
    econ_amount price_factor[ECON_MAX_MONTHS + 1], discount[ECON_MAX_MONTHS + 1]; /* billionths */
    bool too_large;
};

/* (1 + rate)^(m/12) in billionths. */
static econ_amount power(int64_t rate, int m)
{
    if (rate == 0 || m == 0) return MONEY_ONE;
    return (econ_amount)llrintl(powl(1 + (long double)rate / MONEY_ONE, (long double)m / 12) * MONEY_ONE);
}

static econ_amount times(struct work *w, econ_amount a, econ_amount b) { return econ_times(a, b, &w->too_large); }

/* n prices of a million things, for `a` of them. */
static econ_amount per_million(struct work *w, econ_amount a, econ_amount price)
{
    econ_amount product;
    if (__builtin_mul_overflow(a, price, &product)) {
        w->too_large = true;
        return 0;
    }
    return econ_divide(product, (econ_amount)MONEY_ONE * 1000000);
}

/* What `answers` calls cost: a price an answer, or prices a million tokens. */
struct call {
    int64_t answer, in, out, cached;
};
static econ_amount calls(struct work *w, econ_amount answers, const struct call *c)
{
    econ_amount in = times(w, answers, w->v[ECON_P_TOKENS_IN]), kept = times(w, in, w->v[ECON_P_TOKENS_CACHED]);
    return times(w, answers, c->answer) + per_million(w, in - kept, c->in) + per_million(w, kept, c->cached) +
           per_million(w, times(w, answers, w->v[ECON_P_TOKENS_OUT]), c->out);
}

static econ_amount egress(struct work *w, econ_amount answers, econ_amount invoice)
{
    econ_amount gb = econ_divide(times(w, answers, w->v[ECON_P_EGRESS_BYTES]), MONEY_ONE);
    return times(w, gb, w->v[ECON_P_EGRESS_GB]) + times(w, invoice, w->v[ECON_P_EGRESS_SHARE]);
}

static econ_amount wrong(struct work *w, econ_amount answers, int64_t share)
{
    return times(w, times(w, answers, share), w->v[ECON_P_WRONG]);
}

/* ---- options ---- */

static void api_option(struct work *w, const struct econ_tco *t, struct econ_costs *c, const struct call *price,
                       int64_t error_share)
{
    c->there = true;
    c->utilisation = NAN;
    c->line[0][ECON_L_ENGINEERING] = w->v[ECON_P_CLOUD_ENGINEERING];
    for (int m = 1; m <= w->months; m++) {
        econ_amount *line = c->line[m];
        line[ECON_L_USAGE] = times(w, calls(w, t->volume[m], price), w->price_factor[m]);
        line[ECON_L_EGRESS] = egress(w, t->volume[m], line[ECON_L_USAGE]);
        line[ECON_L_OPERATIONS] = w->v[ECON_P_CLOUD_MONTH];
        line[ECON_L_ERRORS] = wrong(w, t->volume[m], error_share);
    }
}

int64_t econ_units_needed(econ_amount month, int64_t rate, int64_t max_utilisation, int64_t peak)
{
    bool too_large = false;
    econ_amount need = econ_times(month, peak, &too_large);
    econ_amount serves = econ_times((econ_amount)rate * ECON_SECONDS_MONTH, max_utilisation, &too_large);
    if (too_large || serves <= 0) return INT64_MAX / MONEY_ONE;
    econ_amount n = (need + serves - 1) / serves;
    return n < 1 ? 1 : n > INT64_MAX / MONEY_ONE ? INT64_MAX / MONEY_ONE : (int64_t)n;
}

static int64_t units_of(struct work *w, bool buy, econ_amount largest)
{
    const int64_t *v = w->v;
    int64_t given = v[ECON_P_UNITS] / MONEY_ONE;
    if (!v[ECON_P_RATE]) return given ? given : 1;
    if (given && !buy) return given;
    int64_t needed = econ_units_needed(largest, v[ECON_P_RATE], v[ECON_P_MAX_UTILISATION], v[ECON_P_PEAK]);
    return needed > given ? needed : given;
}

static void buy_hardware(struct work *w, struct econ_costs *c, int64_t boxes)
{
    const int64_t *v = w->v;
    int life = (int)(v[ECON_P_LIFE] / MONEY_ONE), bought = 0;
    econ_amount price = (econ_amount)boxes * v[ECON_P_HARDWARE_PRICE];
    econ_amount residual = times(w, price, v[ECON_P_RESIDUAL]);
    c->line[0][ECON_L_HARDWARE] = price;
    for (int m = life; m < w->months; m += life) {
        c->line[m][ECON_L_HARDWARE] = price;
        c->line[m][ECON_L_RESIDUAL] = -residual;
        bought = m;
    }
    c->line[w->months][ECON_L_RESIDUAL] = -(price - econ_divide((price - residual) * (w->months - bought), life));
    econ_amount failures = econ_divide(times(w, price, v[ECON_P_FAILURES]), 12);
    for (int m = 1; m <= w->months; m++) c->line[m][ECON_L_FAILURES] = failures;
}

/* Of one month: units that answer, at this utilisation (billionths). */
static econ_amount energy(struct work *w, int64_t units, econ_amount busy)
{
    const int64_t *v = w->v;
    econ_amount watts = (w->s->owned ? 0 : v[ECON_P_IDLE_WATTS]) +
                        times(w, (econ_amount)v[ECON_P_BUSY_WATTS] - v[ECON_P_IDLE_WATTS], busy);
    econ_amount kwh = econ_divide((econ_amount)units * watts * ECON_HOURS_MONTH, 1000);
    return times(w, times(w, kwh, v[ECON_P_COOLING]), v[ECON_P_ENERGY]);
}

/* What the local tier costs whatever it runs on. */
static void tier_lines(struct work *w, const struct econ_tco *t, struct econ_costs *c, int64_t units, int m)
{
    const int64_t *v = w->v;
    const struct call frontier = {v[ECON_P_FRONTIER_ANSWER], v[ECON_P_FRONTIER_IN], v[ECON_P_FRONTIER_OUT],
                                  v[ECON_P_FRONTIER_CACHED]};
    econ_amount *line = c->line[m], handed = times(w, t->volume[m], v[ECON_P_ESCALATION]);
    econ_amount kept = t->volume[m] - handed, checked = times(w, kept, v[ECON_P_CHECKS]);
    line[ECON_L_OPERATIONS] = v[ECON_P_OPERATIONS] + (econ_amount)units * v[ECON_P_UNIT_MONTH];
    line[ECON_L_UPDATES] =
        times(w, times(w, econ_divide((econ_amount)units * v[ECON_P_UPDATES], 12), v[ECON_P_UPDATE_GB]),
              v[ECON_P_UPDATE_PRICE]);
    line[ECON_L_ESCALATION] = times(w, calls(w, handed, &frontier), w->price_factor[m]);
    line[ECON_L_CHECKS] = times(w, calls(w, checked, &frontier), w->price_factor[m]);
    line[ECON_L_EGRESS] = egress(w, handed + checked, line[ECON_L_ESCALATION] + line[ECON_L_CHECKS]);
    line[ECON_L_ERRORS] = wrong(w, kept, v[ECON_P_WRONG_LOCAL]) + wrong(w, handed, v[ECON_P_WRONG_ESCALATED]);
}

static econ_amount busy_share(const struct work *w, econ_amount volume, int64_t units, int64_t rate)
{
    if (!rate) return w->v[ECON_P_UTILISATION];
    econ_amount capacity = (econ_amount)units * rate * ECON_SECONDS_MONTH;
    econ_amount busy = econ_divide(volume * MONEY_ONE, capacity);
    return busy > MONEY_ONE ? MONEY_ONE : busy;
}

static void local_option(struct work *w, const struct econ_tco *t, struct econ_costs *c, bool buy)
{
    const int64_t *v = w->v;
    econ_amount busy = 0;
    c->there = true;
    c->units = units_of(w, buy, econ_largest_month(w->s));
    c->line[0][ECON_L_ENGINEERING] = v[ECON_P_ENGINEERING];
    if (!w->s->owned) buy_hardware(w, c, c->units + v[ECON_P_SPARES] / MONEY_ONE);
    for (int m = 1; m <= w->months; m++) {
        tier_lines(w, t, c, c->units, m);
        busy = busy_share(w, t->volume[m], c->units, v[ECON_P_RATE]);
        c->line[m][ECON_L_ENERGY] = energy(w, c->units, busy);
    }
    bool known = v[ECON_P_RATE] || econ_given(w->s, ECON_P_UTILISATION);
    c->utilisation = known ? econ_amount_real(busy) : NAN;
}

static void rented_option(struct work *w, const struct econ_tco *t, struct econ_costs *c)
{
    const int64_t *v = w->v;
    c->there = true;
    c->units =
        econ_units_needed(econ_largest_month(w->s), v[ECON_P_RENT_RATE], v[ECON_P_MAX_UTILISATION], v[ECON_P_PEAK]);
    c->line[0][ECON_L_ENGINEERING] = v[ECON_P_ENGINEERING];
    for (int m = 1; m <= w->months; m++) {
        tier_lines(w, t, c, c->units, m);
        c->line[m][ECON_L_RENT] = (econ_amount)c->units * v[ECON_P_RENT] * ECON_HOURS_MONTH;
    }
    c->utilisation = econ_amount_real(busy_share(w, t->volume[w->months], c->units, v[ECON_P_RENT_RATE]));
}

/* ---- all of them ---- */

econ_amount econ_largest_month(const struct econ_scenario *s)
{
    bool too_large = false;
    int last = s->v[ECON_P_GROWTH] > 0 ? (int)(s->v[ECON_P_MONTHS] / MONEY_ONE) - 1 : 0;
    return econ_times(s->v[ECON_P_VOLUME], power(s->v[ECON_P_GROWTH], last), &too_large);
}

static void sum_up(struct work *w, struct econ_costs *c)
{
    for (int m = 0; m <= w->months; m++) {
        for (int l = 0; l < ECON_N_LINES; l++) c->month[m] += c->line[m][l];
        c->total += c->month[m];
        c->npv += times(w, c->month[m], w->discount[m]);
    }
}

int econ_costs(const struct econ_scenario *s, bool buy, struct econ_tco *out, struct err *e)
{
    const int64_t *v = s->v;
    struct work w = {.s = s, .v = v, .months = (int)(v[ECON_P_MONTHS] / MONEY_ONE)};
    const struct call cloud = {v[ECON_P_CLOUD_ANSWER], v[ECON_P_CLOUD_IN], v[ECON_P_CLOUD_OUT],
                               v[ECON_P_CLOUD_CACHED]};
    const struct call decision = {0, v[ECON_P_DECISION_IN], v[ECON_P_DECISION_OUT], v[ECON_P_DECISION_IN]};
    memset(out, 0, sizeof *out);
    out->months = w.months;
    w.discount[0] = MONEY_ONE;
    for (int m = 1; m <= w.months; m++) {
        out->volume[m] = times(&w, v[ECON_P_VOLUME], power(v[ECON_P_GROWTH], m - 1));
        out->answers += out->volume[m];
        w.price_factor[m] = power(v[ECON_P_CLOUD_CHANGE], m - 1);
        w.discount[m] = power(v[ECON_P_DISCOUNT], -m);
    }
    if (econ_given(s, ECON_P_CLOUD_ANSWER) || econ_given(s, ECON_P_CLOUD_IN))
        api_option(&w, out, &out->option[ECON_CLOUD], &cloud, v[ECON_P_WRONG_CLOUD]);
    if (s->owned || econ_given(s, ECON_P_HARDWARE_PRICE)) local_option(&w, out, &out->option[ECON_LOCAL], buy);
    if (v[ECON_P_RENT]) rented_option(&w, out, &out->option[ECON_RENTED]);
    if (s->decides && econ_given(s, ECON_P_DECISION_IN))
        api_option(&w, out, &out->option[ECON_DECISION], &decision, v[ECON_P_WRONG_DECISION]);
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (out->option[o].there) sum_up(&w, &out->option[o]);
    if (w.too_large) return ERR(e, FORMAT, "The amounts of this scenario are too large to be computed.");
    return 0;
}

double econ_per_answer(const struct econ_tco *t, enum econ_option o)
{
    return (double)t->option[o].total / (double)t->answers;
}
