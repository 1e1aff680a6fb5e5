/* Checks of hardware for a model (econ_qualify.h). The order of the checks is the order of the argument: is the model
 * right for the task (evaluation first: hardware is qualified for a model that is fixed), does it fit, is it fast
 * enough, does it stay so, what does it cost in heat and energy.
 *
 * A check without a requirement is INFO; with one it passes, fails, or is OPEN when the number is not there: what was
 * not measured is never taken for good. Pure functions. Read next: src/cli/qualify_measure.c, docs/QUALIFY.md. */
#include "econ_qualify.h"
#include "econ_roofline.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *econ_outcome_word(enum econ_outcome o)
{
    static const char *const words[] = {"pass", "fail", "open", "info"};
    return words[o];
}

static struct econ_check *add(struct econ_verdict *v, const char *name, enum econ_outcome o, double value,
                              double limit, const char *unit)
{
    struct econ_check *c = &v->check[v->n++];
    *c = (struct econ_check){.name = name, .outcome = o, .value = value, .limit = limit, .unit = unit};
    return c;
}

static void say(struct econ_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct econ_check *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof c->reason, fmt, ap);
    va_end(ap);
}

static void conclude(struct econ_verdict *v)
{
    v->outcome = ECON_PASS;
    for (int i = 0; i < v->n; i++) {
        if (v->check[i].outcome == ECON_FAIL) v->outcome = ECON_FAIL;
        if (v->check[i].outcome == ECON_OPEN && v->outcome == ECON_PASS) v->outcome = ECON_OPEN;
    }
}

/* One number against one limit. */
static enum econ_outcome judge(double value, double limit, bool at_least)
{
    if (isnan(limit)) return ECON_INFO;
    if (isnan(value)) return ECON_OPEN;
    return (at_least ? value >= limit : value <= limit) ? ECON_PASS : ECON_FAIL;
}

static void number(struct econ_verdict *v, const char *name, double value, double limit, bool at_least,
                   const char *unit, const char *missing)
{
    struct econ_check *c = add(v, name, judge(value, limit, at_least), value, limit, unit);
    if (isnan(value))
        say(c, "%s%s", missing, c->outcome == ECON_OPEN ? "; it is required" : "");
    else if (isnan(limit))
        say(c, "%.4g %s; no limit was given", value, unit);
    else
        say(c, "%.4g %s, required: %s %.4g", value, unit, at_least ? "at least" : "at most", limit);
}

static void evaluation(struct econ_verdict *v, const struct econ_required *r, const struct econ_found *f)
{
    bool is_right = f->evaluation && f->same_model && f->same_task;
    enum econ_outcome o = !r->evaluated ? ECON_INFO : !is_right ? ECON_OPEN : judge(f->score, f->floor, true);
    if (r->evaluated && is_right && isnan(f->floor)) o = ECON_PASS;
    struct econ_check *c = add(v, "evaluation", o, f->score, f->floor, f->metric);
    if (!f->evaluation && !r->evaluated)
        say(c, "none is there, and none was required");
    else if (!f->evaluation)
        say(c, "not evaluated: no report was found or given; the model is fixed by its score on the task before "
               "hardware is (croft eval TASK -m MODEL -o REPORT.json)");
    else if (!f->same_model)
        say(c, "not evaluated: %.100s is of other weights", f->evaluation);
    else if (!f->same_task)
        say(c, "not evaluated: %.100s is of another task, or of another revision of it", f->evaluation);
    else if (isnan(f->floor))
        say(c, "%s %.4f by %.100s; the task states no floor", f->metric, f->score, f->evaluation);
    else
        say(c, "%s %.4f by %.100s, required: at least %.4f", f->metric, f->score, f->evaluation, f->floor);
}

static void memory(struct econ_verdict *v, double factor, double file, double available, const char *missing)
{
    const double gib = 1024.0 * 1024 * 1024;
    double has = available / file;
    struct econ_check *c = add(v, "memory", judge(has, factor, true), has, factor, "times the file");
    if (isnan(has))
        say(c, "%s", missing);
    else
        say(c, "%.2f GiB are there, %.4g times the file's %.3f GiB, required: at least %.4g times", available / gib,
            has, file / gib, factor);
}

static void level(struct econ_verdict *v, const struct econ_required *r, const struct econ_found *f)
{
    enum econ_outcome o = r->level_rank < 0                ? ECON_INFO
                          : f->level_rank < 0              ? ECON_OPEN
                          : f->level_rank >= r->level_rank ? ECON_PASS
                                                           : ECON_FAIL;
    struct econ_check *c = add(v, "kernel level", o, NAN, NAN, NULL);
    const char *has = f->level ? f->level : "not known";
    if (r->level_rank < 0)
        say(c, "%s; none was required", has);
    else
        say(c, "%s, required: at least %s", has, r->level);
}

/* Fewer than 100 answers have no 99th percentile: a slow one among them shows that the limit is missed, but none that
 * it is kept. */
static void latency(struct econ_verdict *v, const struct econ_required *r, const struct econ_found *f)
{
    enum econ_outcome o = judge(f->p99_ms, r->p99_ms, false);
    bool few = f->n_answers < 100;
    struct econ_check *c = add(v, "p99", few && o == ECON_PASS ? ECON_OPEN : o, f->p99_ms, r->p99_ms, "ms");
    char limit[64] = "; no limit was given";
    if (!isnan(r->p99_ms)) snprintf(limit, sizeof limit, ", required: at most %.4g ms", r->p99_ms);
    if (isnan(f->p99_ms))
        say(c, "answers were not measured");
    else
        say(c, "P99 %.4g ms, P95 %.4g, P50 %.4g of %d answers%s%s", f->p99_ms, f->p95_ms, f->p50_ms, f->n_answers,
            limit, few ? " (fewer than 100 answers: about their slowest, and no P99)" : "");
}

static void sustained(struct econ_verdict *v, const struct econ_required *r, const struct econ_found *f)
{
    double share = f->last_rate / f->first_rate;
    enum econ_outcome o = judge(share, r->sustained_share, true);
    struct econ_check *c = add(v, "sustained", o, share, r->sustained_share, "of the first third");
    if (isnan(share))
        say(c, "the sustained rate was not measured: give --sustained SECONDS, enough for 9 answers");
    else
        say(c, "%.4g answers/s in the last third of %.0f s, %.3f of the first third's %.4g%s", f->last_rate,
            f->seconds, share, f->first_rate,
            o == ECON_INFO   ? ""
            : o == ECON_PASS ? ": kept"
                             : ": slowed down");
}

static void throttling(struct econ_verdict *v, const struct econ_found *f)
{
    struct econ_check *c = add(v, "throttling", f->throttled > 0 ? ECON_FAIL : ECON_INFO,
                               f->throttled < 0 ? NAN : f->throttled, 0, "times");
    if (f->throttled < 0)
        say(c, "throttle counters are not readable here");
    else
        say(c, "slowed by heat %d times while measuring%s", f->throttled, f->throttled ? ", required: none" : "");
}

/* Rates on a machine that does other work at the same time are too low, and nobody can say by how much. */
static void other_work(struct econ_verdict *v, const struct econ_found *f)
{
    struct econ_check *c = add(v, "other work", ECON_INFO, f->load, NAN, "of the CPUs");
    if (isnan(f->load))
        say(c, "the load of this machine is not readable");
    else
        say(c, "%.2f tasks a CPU wanted to run in the minute before%s", f->load,
            f->load > 0.25 ? ": it was not idle, so rates and times are too bad; measure again when it is" : "");
}

void econ_qualify(const struct econ_required *r, const struct econ_found *f, struct econ_verdict *out)
{
    *out = (struct econ_verdict){0};
    evaluation(out, r, f);
    memory(out, r->memory_factor, f->file_bytes, f->available_bytes, "free memory is not readable here");
    level(out, r, f);
    number(out, "decode", f->decode_rate, r->decode_rate, true, "tokens/s", "generation was not measured");
    number(out, "prompt", f->prompt_rate, r->prompt_rate, true, "tokens/s", "prompts were not measured");
    latency(out, r, f);
    sustained(out, r, f);
    number(out, "temperature", f->celsius, r->celsius, false, "degrees C", "temperature is not readable here");
    throttling(out, f);
    number(out, "energy", f->joules, r->joules, false, "J per answer", "energy is not readable here");
    other_work(out, f);
    conclude(out);
}

/* ---- predicted ---- */

/* bad, at, good: the ends of the interval and its middle. */
static void range(struct econ_verdict *v, const char *name, double bad, double at, double good, double limit,
                  bool at_least, const char *unit)
{
    enum econ_outcome o = judge(bad, limit, at_least);
    if (o == ECON_FAIL && judge(good, limit, at_least) == ECON_PASS) o = ECON_OPEN;
    struct econ_check *c = add(v, name, o, at, limit, unit);
    if (isnan(at))
        say(c, "cannot be predicted: a limit of the device is not known%s", o == ECON_OPEN ? "; it is required" : "");
    else if (isnan(limit))
        say(c, "predicted %.4g to %.4g %s; no limit was given", fmin(bad, good), fmax(bad, good), unit);
    else
        say(c, "predicted %.4g to %.4g %s, required: %s %.4g%s", fmin(bad, good), fmax(bad, good), unit,
            at_least ? "at least" : "at most", limit, o == ECON_OPEN ? ": within the error" : "");
}

/* What is predicted is a typical answer: P99 can be missed by it, but not kept. */
static void typical(struct econ_check *c)
{
    if (c->outcome != ECON_PASS) return;
    size_t n = strlen(c->reason);
    c->outcome = ECON_OPEN;
    snprintf(c->reason + n, sizeof c->reason - n, ": a typical answer keeps it, P99 must be measured on the device");
}

void econ_qualify_predicted(const struct econ_required *r, const struct econ_found *eval,
                            const struct econ_prediction *p, double memory_bytes, struct econ_verdict *out)
{
    static const char only[] = "only a measurement on the device can show it";
    const struct econ_rate *d = &p->decode, *q = &p->prompt;
    *out = (struct econ_verdict){0};
    evaluation(out, r, eval);
    memory(out, r->memory_factor, eval->file_bytes, memory_bytes > 0 ? memory_bytes : NAN,
           "the device's memory is not in the table");
    range(out, "decode", d->lo, d->at, d->hi, r->decode_rate, true, "tokens/s");
    range(out, "prompt", q->lo, q->at, q->hi, r->prompt_rate, true, "tokens/s");
    range(out, "answer", 1e3 * p->answer_hi_s, 1e3 * p->answer_s, 1e3 * p->answer_lo_s, r->p99_ms, false, "ms");
    typical(&out->check[out->n - 1]);
    if (!isnan(r->sustained_share)) number(out, "sustained", NAN, r->sustained_share, true, "", only);
    if (!isnan(r->celsius)) number(out, "temperature", NAN, r->celsius, false, "", only);
    if (!isnan(r->joules)) number(out, "energy", NAN, r->joules, false, "", only);
    if (!isnan(eval->load)) other_work(out, eval);
    conclude(out);
}
