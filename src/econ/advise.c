/* Advice, and what would turn it. The verdict is questioned: every answer is changed alone, words to each other word,
 * numbers to both ends of their range with the turning point found by bisection; what gives another verdict is
 * listed. For a verdict of none these are the answers that would decide it. The rules run some thousand times for
 * that; they are pure, and each run takes some microseconds.
 *
 * Read next: advise_verdict.c, then advise_rules.c and advise_places.c. */
#include "advise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *econ_lean_word(enum econ_lean l)
{
    static const char *const words[] = {"local", "hybrid", "tune", "cloud", "either", "undecided", "unanswered"};
    return words[l];
}

const char *econ_place_word(int place)
{
    static const char *const words[] = {"device", "premises", "cloud"};
    return words[place];
}

/* ---- other answers ---- */

struct turn {
    struct econ_advise_input in; /* a copy to change */
    struct econ_advice scratch, *out;
    const struct econ_question *q;
};

static enum econ_lean verdict_at(struct turn *t, double value)
{
    econ_answer_put(&t->in.a, t->q, value);
    econ_look(&t->in, &t->scratch);
    return t->scratch.verdict;
}

static void add(struct turn *t, enum econ_lean verdict, bool answered, const char *text)
{
    struct econ_advice *o = t->out;
    if (o->n_flips == ECON_MAX_FLIPS) return;
    struct econ_flip *f = &o->flip[o->n_flips++];
    *f = (struct econ_flip){.key = t->q->key, .verdict = verdict, .answered = answered};
    ECON_SAY(f->value, "%s", text);
}

static void try_words(struct turn *t, double now)
{
    for (int i = 0; t->q->words[i]; i++) {
        enum econ_lean v = i == now ? t->out->verdict : verdict_at(t, i);
        if (v != t->out->verdict) add(t, v, !isnan(now), t->q->words[i]);
    }
}

/* Ranges begin at 0 and span many powers of ten: halved on a scale that is linear near 0 and logarithmic above. */
static double scale_of(double x) { return log1p(1000 * x); }
static double of_scale(double u) { return expm1(u) / 1000; }

/* The value farthest from `end`, towards `from`, that still has the end's verdict; to four digits, on the end's side.
 */
static double turning_point(struct turn *t, double from, double end, enum econ_lean at_end)
{
    double a = scale_of(from), b = scale_of(end);
    for (int i = 0; i < 50; i++) {
        double mid = (a + b) / 2;
        if (verdict_at(t, of_scale(mid)) == at_end)
            b = mid;
        else
            a = mid;
    }
    double x = of_scale(b);
    if (x <= 0) return 0;
    double unit = pow(10, floor(log10(x)) - 3), near = round(x / unit) * unit;
    if (fabs(near - x) > 1e-9 * x || verdict_at(t, near) != at_end)
        near = (end > from ? ceil(x / unit) : floor(x / unit)) * unit;
    return near;
}

static void try_numbers(struct turn *t, double now)
{
    double least, most;
    econ_answer_range(t->q, &least, &most);
    for (int up = 0; up < 2; up++) {
        double end = up ? most : least, from = isnan(now) ? (up ? least : most) : now;
        char text[64];
        enum econ_lean v = verdict_at(t, end);
        if (v == t->out->verdict) continue;
        double x = turning_point(t, from, end, v);
        if (isnan(now) && verdict_at(t, from) == v) { /* whatever the number is */
            if (!up) add(t, v, false, "any");
            continue;
        }
        snprintf(text, sizeof text, x == end ? "%s" : up ? "%s or more" : "%s or less", econ_count(x).text);
        add(t, v, !isnan(now), text);
    }
}

void econ_advise(const struct econ_advise_input *in, struct econ_advice *out)
{
    struct turn t = {.in = *in, .out = out};
    econ_look(in, out);
    for (t.q = econ_questions(); t.q->key; t.q++) {
        double now = econ_answer_get(&in->a, t.q);
        bool in_scenario = strcmp(t.q->key, "volume_month") == 0 || strcmp(t.q->key, "bounded") == 0;
        if (in->cost.there && in_scenario) continue; /* the scenario would have to be run again */
        if (t.q->kind == ECON_ASK_WORD || t.q->kind == ECON_ASK_FLAG)
            try_words(&t, now);
        else if (t.q->kind != ECON_ASK_NAMES && t.q->kind != ECON_ASK_TEXT)
            try_numbers(&t, now);
        t.in.a = in->a;
    }
}
