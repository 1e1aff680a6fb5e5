/* Receipts as values of a scenario (econ_measured.h).
 *
 * Counts come by day, because days differ more than chance: a share counted k of n has a spread of its own from day
 * to day. Pearson's statistic over its degrees of freedom says by how much,
 *
 *     phi = 1/(D - 1) · sum over days (k_d - n_d p)² / (n_d p (1 - p)),     p = k/n,
 *
 * and where it is above 1 the count is worth k/phi of n/phi (McCullagh and Nelder, Generalized Linear Models, 1989).
 * Days without a receipt in the middle weaken it further, by days of the calendar over days seen.
 *
 * The volume is a mean over whole days: the first and the last are cut. Whether a day without receipts was quiet or
 * not recorded cannot be told, so it counts as quiet, and the interval reaches to the mean over the days that were
 * seen. */
#include "base_mem.h"
#include "econ_measured.h"
#include "econ_private.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { DAY_MS = 86400000, MAX_DAYS = 36600 };
#define MONTH_DAYS (730.0 / 24)

/* ---- one receipt ---- */

static void date_of(int64_t unix_ms, char out[16])
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(out, 16, "%Y-%m-%d", &tm)) out[0] = 0;
}

/* The digits at z[from, from + n), or -1. */
static int64_t digits(const char *z, int from, int n)
{
    int64_t v = 0;
    for (int i = from; i < from + n; i++) {
        if (z[i] < '0' || z[i] > '9') return -1;
        v = 10 * v + z[i] - '0';
    }
    return v;
}

/* "2026-11-21T16:42:12.123Z"; -1: it is no such time. */
static int64_t time_of(const char *z)
{
    if (!z || strlen(z) != 24 || z[4] != '-' || z[7] != '-' || z[10] != 'T' || z[13] != ':' || z[16] != ':' ||
        z[19] != '.' || z[23] != 'Z')
        return -1;
    int64_t year = digits(z, 0, 4), month = digits(z, 5, 2), day = digits(z, 8, 2), hour = digits(z, 11, 2);
    int64_t minute = digits(z, 14, 2), second = digits(z, 17, 2), ms = digits(z, 20, 3);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60 || ms < 0)
        return -1;
    struct tm tm = {.tm_year = (int)year - 1900,
                    .tm_mon = (int)month - 1,
                    .tm_mday = (int)day,
                    .tm_hour = (int)hour,
                    .tm_min = (int)minute,
                    .tm_sec = (int)second};
    return (int64_t)timegm(&tm) * 1000 + ms;
}

/* The day's place, made if it is not there; receipts mostly come in order. */
static int day_get(struct econ_receipts *x, int64_t day, struct econ_day **out, struct err *e)
{
    size_t i = x->n_days;
    while (i > 0 && x->day[i - 1].day > day) i--;
    if (i > 0 && x->day[i - 1].day == day) {
        *out = &x->day[i - 1];
        return 0;
    }
    if (x->n_days == MAX_DAYS)
        return ERR(e, LIMIT, "The receipts are of more than %d days: choose a period.", MAX_DAYS);
    if (x->n_days == x->cap_days) {
        size_t cap = x->cap_days ? 2 * x->cap_days : 64;
        struct econ_day *list = mem_realloc(x->day, cap * sizeof *list);
        if (!list) return err_nomem(e, cap * sizeof *list);
        x->day = list;
        x->cap_days = cap;
    }
    memmove(x->day + i + 1, x->day + i, (x->n_days - i) * sizeof *x->day);
    x->day[i] = (struct econ_day){.day = day};
    x->n_days++;
    *out = &x->day[i];
    return 0;
}

static int pay(struct econ_receipts *x, const json_t *receipt, bool handed_on, struct err *e)
{
    const char *cost = json_string_value(json_object_get(receipt, "cost")),
               *currency = json_string_value(json_object_get(receipt, "currency"));
    money m = 0;
    if (!cost || !currency) return 0;
    int rc = money_parse(cost, &m, e);
    if (rc) return rc;
    if (!x->currency[0]) snprintf(x->currency, sizeof x->currency, "%.3s", currency);
    if (strcmp(x->currency, currency) != 0) snprintf(x->other, sizeof x->other, "%.3s", currency);
    if (!handed_on) return 0;
    x->n_priced++;
    x->paid = money_add(x->paid, m);
    return 0;
}

static double tokens(const json_t *receipt, const char *key)
{
    double v = json_number_value(json_object_get(receipt, key));
    return v > 0 && v < 1e12 ? v : 0;
}

static int add_answer(struct econ_receipts *x, const json_t *receipt, struct econ_day *day, struct err *e)
{
    const char *place = json_string_value(json_object_get(receipt, "place"));
    bool on = place && strcmp(place, "cloud") == 0;
    double in = tokens(receipt, "prompt_tokens"), out = tokens(receipt, "answer_tokens");
    x->n++;
    day->all++;
    if (!place) {
        x->n_none++;
        return 0;
    }
    *(on ? &x->n_on : &x->n_here) += 1;
    day->n++;
    day->k += on;
    x->n_degraded += json_is_true(json_object_get(receipt, "degraded"));
    x->in += in;
    x->in_squares += in * in;
    x->out += out;
    x->out_squares += out * out;
    x->ms += tokens(receipt, "latency_ms");
    return pay(x, receipt, on, e);
}

int econ_receipts_add(struct econ_receipts *x, const json_t *receipt, struct err *e)
{
    int64_t at = time_of(json_string_value(json_object_get(receipt, "time")));
    double lost = tokens(receipt, "lost");
    struct econ_day *day = NULL;
    if (at < 0) return ERR(e, FORMAT, "A receipt has no time such as 2026-11-21T16:42:12.123Z.");
    if (x->now_ms && at > x->now_ms + DAY_MS)
        return ERR(
            e, FORMAT,
            "A receipt is from the future, %.10s: a clock was wrong. Leave it out: croft receipts export --until "
            "DATE.",
            json_string_value(json_object_get(receipt, "time")));
    if (json_number_value(json_object_get(receipt, "prompt_tokens")) < 0 ||
        json_number_value(json_object_get(receipt, "answer_tokens")) < 0)
        return ERR(e, FORMAT, "A receipt counts fewer than no tokens.");
    if (lost > (double)x->lost) x->lost = (uint64_t)lost;
    if (json_is_true(json_object_get(receipt, "shadow"))) {
        x->n_checks++;
        return 0;
    }
    int rc = day_get(x, at / DAY_MS, &day, e);
    if (rc == 0) rc = add_answer(x, receipt, day, e);
    if (rc) return rc;
    if (x->n == 1 || at < x->first_ms) x->first_ms = at;
    if (x->n == 1 || at > x->last_ms) x->last_ms = at;
    return 0;
}

void econ_receipts_done(struct econ_receipts *x)
{
    mem_free(x->day);
    memset(x, 0, sizeof *x);
}

/* ---- what they say ---- */

struct period {
    const char *name;
    char from[16], to[16];
    double days;      /* from the first receipt to the last */
    int64_t calendar; /* days of the calendar that it touches */
    double phi;       /* see above */
};

static double spread_of_days(const struct econ_receipts *x)
{
    double n = (double)(x->n_here + x->n_on), p = n > 0 ? (double)x->n_on / n : 0, sum = 0, days = 0;
    if (!(p > 0 && p < 1)) return 1;
    for (const struct econ_day *d = x->day; d < x->day + x->n_days; d++) {
        if (!d->n) continue;
        double off = (double)d->k - (double)d->n * p;
        sum += off * off / ((double)d->n * p * (1 - p));
        days++;
    }
    return days > 1 ? fmax(1, sum / (days - 1)) : 1;
}

static int share(struct econ_scenario *s, const struct period *t, enum econ_param p, uint64_t k, uint64_t n,
                 const char *what, struct econ_remarks *r, struct err *e)
{
    struct econ_chance c = {.shape = ECON_BETA, .a = (double)k / t->phi, .b = (double)n / t->phi};
    char note[ECON_NOTE_MAX];
    snprintf(note, sizeof note, "%.40s, %s to %s: %llu of %llu %s", t->name, t->from, t->to, (unsigned long long)k,
             (unsigned long long)n, what);
    return econ_measured_put(s, p, (double)k / (double)n, c, note, r, e);
}

static int mean_tokens(struct econ_scenario *s, const struct period *t, enum econ_param p, double sum, double squares,
                       double n, struct econ_remarks *r, struct err *e)
{
    double mean = sum / n, variance = n > 1 ? fmax(0, (squares - n * mean * mean) / (n - 1)) : mean * mean;
    char note[ECON_NOTE_MAX];
    if (!(mean > 0)) return 0;
    snprintf(note, sizeof note, "%.40s, %s to %s: mean of %.0f", t->name, t->from, t->to, n);
    struct econ_chance c = {.shape = ECON_NORMAL, .a = mean, .b = sqrt(variance * t->phi / n)};
    return econ_measured_put(s, p, mean, c, note, r, e);
}

/* What an answer that was handed on cost, unless the scenario has prices for it. */
static int price(struct econ_scenario *s, const struct period *t, const struct econ_receipts *x,
                 struct econ_remarks *r, struct err *e)
{
    static const enum econ_param stated[] = {ECON_P_FRONTIER_ANSWER, ECON_P_FRONTIER_IN, ECON_P_FRONTIER_OUT};
    char note[ECON_NOTE_MAX];
    bool known = s->frontier_model != NULL;
    for (size_t i = 0; i < sizeof stated / sizeof stated[0]; i++) known = known || econ_given(s, stated[i]);
    if (!x->n_on || known) return 0;
    if (x->n_priced < x->n_on) {
        econ_remark(
            r, "%llu of the %llu answers that were handed on have no cost: their price is what the scenario says.",
            (unsigned long long)(x->n_on - x->n_priced), (unsigned long long)x->n_on);
        return 0;
    }
    if (strcmp(x->currency, s->currency) != 0)
        return ERR(e, FORMAT,
                   "The receipts of '%.120s' are in %s, the scenario is in %s: set currency to %s, or state the "
                   "escalation's prices in %s.",
                   t->name, x->currency, s->currency, x->currency, s->currency);
    double mean = (double)x->paid / (double)x->n_on / MONEY_ONE;
    if (!(mean > 0)) return 0;
    snprintf(note, sizeof note, "%.40s, %s to %s: mean of %llu", t->name, t->from, t->to,
             (unsigned long long)x->n_on);
    struct econ_chance c = {.shape = ECON_NORMAL, .a = mean, .b = 0.05 * mean};
    return econ_measured_put(s, ECON_P_FRONTIER_ANSWER, mean, c, note, r, e);
}

/* Means over whole days: of the calendar, of the days seen, and the standard error of the first. */
static int64_t whole_days(const struct econ_receipts *x, double *out_calendar, double *out_seen, double *out_error)
{
    int64_t n = x->day[x->n_days - 1].day - x->day[0].day - 1;
    double sum = 0, squares = 0, seen = (double)x->n_days - 2;
    for (size_t i = 1; i + 1 < x->n_days; i++) {
        double v = (double)x->day[i].all;
        sum += v;
        squares += v * v;
    }
    if (n < 2 || seen < 1) return 0;
    *out_calendar = sum / (double)n;
    *out_seen = sum / seen;
    *out_error = sqrt(fmax(0, squares - sum * *out_calendar) / (double)(n - 1) / (double)n);
    return n;
}

static int volume(struct econ_scenario *s, const struct period *t, const struct econ_receipts *x,
                  struct econ_remarks *r, struct err *e)
{
    double calendar = (double)x->n / t->days, seen = calendar, off = calendar / 4;
    int64_t n = whole_days(x, &calendar, &seen, &off);
    char note[ECON_NOTE_MAX];
    if (n < 7) {
        off = fmax(off, calendar / 4);
        econ_remark(r, "%.1f days do not show how the days of a week differ: the volume a month may be off by half.",
                    t->days);
    } else if (n < 28) {
        econ_remark(r, "The volume a month is %lld days' made longer: no whole month was measured.", (long long)n);
    }
    double value = calendar * MONTH_DAYS, low = fmax(1, (calendar - 2 * off) * MONTH_DAYS),
           high = (seen + 2 * off) * MONTH_DAYS;
    snprintf(note, sizeof note, "%.40s, %s to %s: %llu asked", t->name, t->from, t->to, (unsigned long long)x->n);
    struct econ_chance c =
        seen > calendar ? (struct econ_chance){.shape = ECON_TRIANGULAR, .a = low, .b = fmax(value, low), .c = high}
                        : (struct econ_chance){.shape = ECON_NORMAL, .a = value, .b = off * MONTH_DAYS};
    return econ_measured_put(s, ECON_P_VOLUME, fmax(value, 1), c, note, r, e);
}

static int check(const char *name, const struct econ_receipts *x, struct period *out, struct err *e)
{
    *out = (struct period){.name = name, .days = (double)(x->last_ms - x->first_ms) / DAY_MS, .phi = 1};
    if (!(x->n_here + x->n_on))
        return ERR(e, FORMAT, "'%.120s' holds no receipt of an answer in this period: nothing was measured.", name);
    if (x->other[0])
        return ERR(e, FORMAT,
                   "The receipts of '%.120s' are in %s and in %s: choose a period or a tier with one currency.", name,
                   x->currency, x->other);
    if (out->days < 1)
        return ERR(
            e, FORMAT,
            "The receipts of '%.120s' cover %.1f hours: less than a day says nothing about a month. Measure longer, "
            "or give the values yourself.",
            name, 24 * out->days);
    date_of(x->first_ms, out->from);
    date_of(x->last_ms, out->to);
    out->calendar = x->day[x->n_days - 1].day - x->day[0].day + 1;
    out->phi = spread_of_days(x) * (double)out->calendar / (double)x->n_days;
    return 0;
}

static void remarks(const struct econ_receipts *x, const struct period *t, struct econ_remarks *r)
{
    int64_t gaps = t->calendar - (int64_t)x->n_days;
    if (gaps > 0)
        econ_remark(
            r,
            "%lld of the %lld days from %s to %s have no receipt: quiet or not recorded, which cannot be told. "
            "The intervals are wider for it.",
            (long long)gaps, (long long)t->calendar, t->from, t->to);
    if (t->phi > 1.5)
        econ_remark(r,
                    "The share handed on differs between days %.1f times as much as chance allows: its interval is "
                    "wider for it.",
                    t->phi);
    if (x->lost)
        econ_remark(r, "Receipts that were never written, as the log itself says: %llu.",
                    (unsigned long long)x->lost);
    if (x->n_none)
        econ_remark(r, "Requests without an answer, which count in the volume alone: %llu.",
                    (unsigned long long)x->n_none);
    if (x->n_degraded)
        econ_remark(r,
                    "Degraded answers, since the tier that should have given them was not there: %llu. Without that "
                    "more may be handed on.",
                    (unsigned long long)x->n_degraded);
}

int econ_measured_receipts(struct econ_scenario *s, const char *name, const struct econ_receipts *x,
                           struct econ_remarks *r, struct err *e)
{
    struct period t;
    double n = (double)(x->n_here + x->n_on);
    int rc = check(name, x, &t, e);
    if (rc) return rc;
    remarks(x, &t, r);
    rc = share(s, &t, ECON_P_ESCALATION, x->n_on, x->n_here + x->n_on, "handed on", r, e);
    if (rc == 0 && x->n_checks && x->n_checks <= x->n_here)
        rc = share(s, &t, ECON_P_CHECKS, x->n_checks, x->n_here, "checked", r, e);
    if (rc == 0) rc = mean_tokens(s, &t, ECON_P_TOKENS_IN, x->in, x->in_squares, n, r, e);
    if (rc == 0) rc = mean_tokens(s, &t, ECON_P_TOKENS_OUT, x->out, x->out_squares, n, r, e);
    if (rc == 0) rc = price(s, &t, x, r, e);
    if (rc == 0 && !econ_given(s, ECON_P_VOLUME)) rc = volume(s, &t, x, r, e);
    return rc;
}
