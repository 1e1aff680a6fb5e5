/* Reports of croft eval and croft bench as values of a scenario (econ_measured.h). A report is somebody's file:
 * nothing in it is trusted to be there or in range. Stateless. Read next: receipts.c, docs/TCO.md. */
#include "econ_measured.h"
#include "econ_private.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Even a long run is one machine on one day. */
#define LEAST_SPREAD 0.05
#define UNKNOWN_SPREAD 0.25

void econ_remark(struct econ_remarks *r, const char *fmt, ...)
{
    va_list args;
    if (r->n >= ECON_MAX_REMARKS) return;
    va_start(args, fmt);
    vsnprintf(r->text[r->n++], ECON_REMARK_MAX, fmt, args);
    va_end(args);
}

int econ_measured_put(struct econ_scenario *s, enum econ_param p, double value, struct econ_chance c,
                      const char *note, struct econ_remarks *r, struct err *e)
{
    const struct econ_param_info *i = econ_param_info(p);
    if (s->origin[p].source != ECON_FROM_FLAG) return econ_scenario_measured(s, p, value, c, note, e);
    econ_remark(r, "%s.%s is as the command line says; measured was %.6g (%s).", i->section, i->name, value, note);
    return 0;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* A count from 0 to `most`. */
static int count(const json_t *o, const char *key, const char *name, double most, double *out, struct err *e)
{
    double v = number(o, key);
    if (!(v >= 0 && v <= most) || v != floor(v))
        return ERR(e, FORMAT, "'%.120s' is damaged: its member '%s' is not a count%s.", name, key,
                   v > most ? " that the others allow" : "");
    *out = v;
    return 0;
}

static int share(struct econ_scenario *s, enum econ_param p, double k, double n, const char *name, const char *what,
                 struct econ_remarks *r, struct err *e)
{
    char note[ECON_NOTE_MAX];
    snprintf(note, sizeof note, "%.60s: %.0f of %.0f %s", name, k, n, what);
    return econ_measured_put(s, p, k / n, (struct econ_chance){.shape = ECON_BETA, .a = k, .b = n}, note, r, e);
}

/* A value above 0 that may be off by this share of itself (a standard deviation): triangular with that deviation,
 * whose half is √6 of it, and cut so that it stays above 0. */
static int around(struct econ_scenario *s, enum econ_param p, double value, double off, const char *note,
                  struct econ_remarks *r, struct err *e)
{
    double half = fmax(off, LEAST_SPREAD) * sqrt(6);
    struct econ_chance c = {ECON_TRIANGULAR, value * fmax(0.05, 1 - half), value, value * (1 + half)};
    return econ_measured_put(s, p, value, c, note, r, e);
}

/* ---- croft eval ---- */

/* How far the mean of the examples' times may be off, as a share of it. */
static double time_spread(const json_t *examples)
{
    double sum = 0, squares = 0, n = 0;
    const json_t *x;
    size_t i;
    json_array_foreach(examples, i, x)
    {
        double ms = number(x, "ms");
        if (!(ms > 0)) continue;
        sum += ms;
        squares += ms * ms;
        n++;
    }
    if (n < 2) return UNKNOWN_SPREAD;
    double mean = sum / n, variance = fmax(0, (squares - n * mean * mean) / (n - 1));
    return sqrt(variance / n) / mean;
}

static int eval_rate(struct econ_scenario *s, const char *name, const json_t *report, double *out_rate,
                     struct econ_remarks *r, struct err *e)
{
    double rate = number(report, "answers_per_s"), off = time_spread(json_object_get(report, "examples"));
    char note[ECON_NOTE_MAX];
    if (!(rate > 0))
        return ERR(e, FORMAT, "'%.120s' holds no rate: answers_per_s is not above 0. Evaluate again.", name);
    snprintf(note, sizeof note, "%.60s: one answer after another", name);
    *out_rate = rate;
    return around(s, ECON_P_RATE, rate, off, note, r, e);
}

/* Wrong answers, and with a calibration those among what it accepts. */
static int eval_errors(struct econ_scenario *s, const char *name, const json_t *report, double n, double right,
                       struct econ_remarks *r, struct err *e)
{
    const json_t *c = json_object_get(report, "calibration"),
                 *accept = json_object_get(json_object_get(c, "verdicts"), "accept");
    double kept = 0, kept_right = 0;
    if (!json_is_object(c)) {
        econ_remark(r, "%.80s has no calibration: every answer counts as kept, none as handed on.", name);
        return share(s, ECON_P_WRONG_LOCAL, n - right, n, name, "wrong", r, e);
    }
    int rc = json_is_object(accept) ? count(accept, "n", name, n, &kept, e) : 0;
    if (rc == 0 && json_is_object(accept)) rc = count(accept, "n_right", name, kept, &kept_right, e);
    if (rc == 0) rc = share(s, ECON_P_ESCALATION, n - kept, n, name, "handed on", r, e);
    if (rc == 0 && kept > 0)
        rc = share(s, ECON_P_WRONG_LOCAL, kept - kept_right, kept, name, "kept were wrong", r, e);
    if (rc == 0 && kept == 0)
        econ_remark(r, "In %.80s the calibration accepts no answer: everything is handed on.", name);
    return rc;
}

/* RAPL counts processors; a unit draws at least that. */
static int eval_energy(struct econ_scenario *s, const char *name, const json_t *report, double rate,
                       struct econ_remarks *r, struct err *e)
{
    double joules = number(json_object_get(report, "energy"), "joules_per_answer"), watts = joules * rate;
    double idle = (double)s->v[ECON_P_IDLE_WATTS] / MONEY_ONE;
    char note[ECON_NOTE_MAX];
    if (isnan(joules)) {
        econ_remark(r, "%.80s holds no energy, which was not readable there: power is what the scenario says.", name);
        return 0;
    }
    if (!(joules >= 0) || !isfinite(watts))
        return ERR(e, FORMAT, "'%.120s' is damaged: its energy is not a number of joules.", name);
    if (!econ_given(s, ECON_P_ENERGY)) {
        econ_remark(r, "%.80s measured %.3g J an answer; what that costs needs energy.price_per_kwh.", name, joules);
        return 0;
    }
    if (watts < idle) {
        econ_remark(r,
                    "The processors drew %.1f W in %.80s, less than the scenario's idle %.1f W of a unit: power is "
                    "what the scenario says.",
                    watts, name, idle);
        return 0;
    }
    econ_remark(r, "The power in %.80s is that of the processors alone; a unit draws more.", name);
    snprintf(note, sizeof note, "%.60s: processors alone", name);
    return around(s, ECON_P_BUSY_WATTS, watts, 0.1, note, r, e);
}

int econ_measured_eval(struct econ_scenario *s, const char *name, const json_t *report, struct econ_remarks *r,
                       struct err *e)
{
    const char *format = json_string_value(json_object_get(report, "format"));
    double n = 0, right = 0, failed = 0, rate = 0, tokens = number(json_object_get(report, "tokens"), "prompt");
    char note[ECON_NOTE_MAX];
    if (!format || strcmp(format, "croft-eval-1") != 0)
        return ERR(e, FORMAT, "'%.120s' is no report of an evaluation: write one with croft eval … -o FILE.", name);
    int rc = count(report, "n", name, 1e12, &n, e);
    if (rc == 0 && n == 0) rc = ERR(e, FORMAT, "'%.120s' evaluated no examples: nothing was measured.", name);
    if (rc == 0) rc = count(report, "n_right", name, n, &right, e);
    if (rc == 0) rc = count(report, "n_failed", name, n, &failed, e);
    if (rc == 0) rc = eval_rate(s, name, report, &rate, r, e);
    if (rc == 0) rc = eval_errors(s, name, report, n, right, r, e);
    if (rc == 0) rc = eval_energy(s, name, report, rate, r, e);
    if (rc == 0 && !econ_given(s, ECON_P_WRONG))
        econ_remark(
            r, "Wrong answers cost nothing in this scenario: what %.80s says of them needs errors.cost_per_wrong.",
            name);
    snprintf(note, sizeof note, "%.60s: mean of %.0f prompts", name, n);
    if (rc == 0 && tokens > 0) rc = around(s, ECON_P_TOKENS_IN, tokens / n, LEAST_SPREAD, note, r, e);
    if (rc) return rc;
    if (n < 30) econ_remark(r, "%.80s has %.0f examples: too few to say much; its intervals are wide.", name, n);
    if (failed > 0) econ_remark(r, "%.0f examples of %.80s had no answer, and count as wrong.", failed, name);
    return 0;
}

/* ---- croft bench ---- */

struct speed {
    double per_s, spread; /* median; standard deviation as a share of the mean */
};

static bool speed_of(const json_t *o, const char *median, const char *mean, const char *sd, struct speed *out)
{
    *out = (struct speed){.per_s = number(o, median), .spread = number(o, sd) / number(o, mean)};
    if (!isfinite(out->spread) || out->spread < 0) out->spread = UNKNOWN_SPREAD;
    return out->per_s > 0 && isfinite(out->per_s);
}

/* Seconds of an answer of `in` and `out` tokens, and how far that may be off. An encoder reads texts of n_prompt
 * tokens; a prompt test behind a prefix read only what came after it. */
static int bench_seconds(const json_t *o, const char *name, double in, double out, double *out_s, double *out_spread,
                         struct econ_remarks *r, struct err *e)
{
    struct speed prompt, decode;
    double prefix = number(o, "prefix"), texts = fmax(number(o, "texts_per_s"), number(o, "batch_texts_per_s"));
    double n_prompt = number(o, "n_prompt"), fresh = prefix > 0 ? in - prefix : in, read_s, write_s = 0;
    bool has_prompt = speed_of(o, "prompt_tokens_per_s", "prompt_mean", "prompt_sd", &prompt);
    bool has_decode = speed_of(o, "decode_tokens_per_s", "decode_mean", "decode_sd", &decode);
    if (in > 0 && !has_prompt) return ERR(e, FORMAT, "'%.120s' has no rate of prompts: measure again with -p.", name);
    if (fresh < 0)
        return ERR(e, FORMAT,
                   "'%.120s' was measured behind a prefix of %.0f tokens, more than the scenario's prompt of %.0f: "
                   "measure with the task's own prefix.",
                   name, prefix, in);
    read_s = in > 0 ? fresh / prompt.per_s : 0;
    if (texts > 0 && n_prompt > 0) {
        *out_s = in / n_prompt / texts;
        *out_spread = prompt.spread;
        return 0;
    }
    if (out > 0 && !has_decode)
        return ERR(e, FORMAT, "'%.120s' has no rate of generation: measure again with -n.", name);
    if (out > 0) write_s = out / decode.per_s;
    if (prefix > 0)
        econ_remark(r,
                    "%.80s was measured with %.0f tokens of the prompt cached; answers that share no prefix are "
                    "slower.",
                    name, prefix);
    if (n_prompt > 0 && (fresh > 4 * n_prompt || 4 * fresh < n_prompt))
        econ_remark(r, "%.80s measured prompts of %.0f tokens; the scenario's have %.0f.", name, n_prompt, fresh);
    *out_s = read_s + write_s;
    *out_spread = hypot(read_s * (in > 0 ? prompt.spread : 0), write_s * (out > 0 ? decode.spread : 0)) / *out_s;
    return 0;
}

int econ_measured_bench(struct econ_scenario *s, const char *name, const json_t *report, struct econ_remarks *r,
                        struct err *e)
{
    double in = (double)s->v[ECON_P_TOKENS_IN] / MONEY_ONE, out = (double)s->v[ECON_P_TOKENS_OUT] / MONEY_ONE;
    double seconds = 0, spread = 0;
    char note[ECON_NOTE_MAX];
    if (json_is_array(report))
        return ERR(e, FORMAT, "'%.120s' is a list, as croft bench --sustained gives: run it without.", name);
    if (!json_object_get(report, "prompt_tokens_per_s") && !json_object_get(report, "decode_tokens_per_s"))
        return ERR(e, FORMAT, "'%.120s' is no report of croft bench: write one with croft bench MODEL --json.", name);
    if (!(in + out > 0))
        return ERR(e, USAGE,
                   "How many answers a second %.120s means depends on their length: give tokens.in and tokens.out.",
                   name);
    int rc = bench_seconds(report, name, in, out, &seconds, &spread, r, e);
    if (rc) return rc;
    if (!(seconds > 0) || !isfinite(seconds))
        return ERR(e, FORMAT, "'%.120s' gives no time for an answer of the scenario's length.", name);
    econ_remark(r, "The rate from %.80s is a burst's on one machine; heat and other work make it less.", name);
    if (spread > 0.5)
        econ_remark(r, "The runs in %.80s differ by %.0f %%: measure on a quiet machine.", name, 100 * spread);
    snprintf(note, sizeof note, "%.50s: %.0f + %.0f tokens", name, in, out);
    return around(s, ECON_P_RATE, 1 / seconds, spread, note, r, e);
}
