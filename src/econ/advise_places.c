/* The dimensions of placement (econ_advise.h): each looks at one property of the work and says which places it
 * excludes, speaks against or speaks for. Only what is excluded, or what is a need (`force`), counts in the verdict;
 * the rest is there to be weighed by people: there is no score. Pure. Read next: advise_verdict.c. */
#include "advise.h"

#include <math.h>
#include <stdio.h>

enum { OUT = -2, AGAINST = -1, OPEN = 0, FOR = 1 };

static void set_places(struct econ_finding *f, int device, int premises, int cloud)
{
    f->place[ECON_DEVICE] = (signed char)device;
    f->place[ECON_PREMISES] = (signed char)premises;
    f->place[ECON_CLOUD_PLACE] = (signed char)cloud;
    int here = device > premises ? device : premises;
    f->lean = cloud == OUT || here > cloud ? ECON_LEAN_LOCAL : cloud > here ? ECON_LEAN_CLOUD : ECON_LEAN_EITHER;
    f->excludes = device == OUT || premises == OUT || cloud == OUT;
}

static void bar(struct econ_finding *f, const char *text, const char *source)
{
    struct econ_mark *b = &f->mark[f->n_marks++];
    ECON_SAY(b->text, "%s", text);
    ECON_SAY(b->source, "%s", source);
}

static void boundedness(struct econ_rules *r, struct econ_finding *f)
{
    static const char *const texts[] = {"choice: one of a list", "schema: facts that fit one",
                                        "narrow: text on one subject", "open: anything"};
    int b = r->in->a.bounded;
    bar(f, "closed and narrow tasks suit small models, open ones large",
        "binarylab.ai/blog/llm-vs-slm-choosing-the-right-model (undated, read 2026-11)");
    if (b < 0) return;
    ECON_SAY(f->number, "%s", texts[b]);
    if (econ_closed(&r->in->a))
        set_places(f, FOR, FOR, OPEN);
    else if (b == ECON_NARROW)
        set_places(f, OPEN, FOR, FOR);
    else
        set_places(f, AGAINST, OPEN, FOR);
    ECON_SAY(f->change, econ_closed(&r->in->a) ? "Answers in free text." : "Answers from a list, or by a schema.");
}

/* The matrix's step, as places. */
static void latency(struct econ_rules *r, struct econ_finding *f)
{
    const struct econ_finding *step = &r->out->matrix[ECON_LATENCY];
    const struct econ_answers *a = &r->in->a;
    f->n_marks = step->n_marks;
    for (int i = 0; i < step->n_marks; i++) f->mark[i] = step->mark[i];
    ECON_SAY(f->number, "%s", step->number);
    ECON_SAY(f->change, "%s", step->change);
    if (step->lean == ECON_LEAN_UNANSWERED) return;
    bool slow = !isnan(a->local_latency_ms) && a->latency_ms > 0 && a->local_latency_ms > a->latency_ms;
    bool no_cloud = step->lean == ECON_LEAN_LOCAL || step->lean == ECON_LEAN_TUNE;
    set_places(f,
               slow       ? OUT
               : no_cloud ? FOR
                          : OPEN,
               slow       ? OUT
               : no_cloud ? FOR
                          : OPEN,
               no_cloud                            ? OUT
               : step->lean == ECON_LEAN_UNDECIDED ? AGAINST
                                                   : OPEN);
}

/* What has to be sent: does it fit the line, and the time that an answer may take? A month has 730 hours, as in
 * docs/TCO.md. */
static void data_volume(struct econ_rules *r, struct econ_finding *f)
{
    static const double month_s = 730 * 3600;
    const struct econ_answers *a = &r->in->a;
    const struct econ_thresholds *t = &r->in->t;
    ECON_MARK(r, f, uplink_share, "%g %% of the line", t->uplink_share * 100);
    if (isnan(a->upload_kb) || isnan(a->volume_month)) return;
    double gb = a->upload_kb * a->volume_month / 1e6;
    if (isnan(a->uplink_mbit)) {
        ECON_SAY(f->number, "%.4g GB a month", gb);
        ECON_SAY(f->change, "uplink_mbit says whether the line bears it.");
        f->lean = ECON_LEAN_UNDECIDED;
        return;
    }
    double send_ms = a->upload_kb * 8 / a->uplink_mbit, share = gb * 8000 / (a->uplink_mbit * month_s);
    ECON_SAY(f->number, "%.4g GB a month, %.3g %% of the line; %.3g ms to send one", gb, share * 100, send_ms);
    bool late = a->latency_ms > 0 && send_ms > a->latency_ms, full = share > t->uplink_share;
    set_places(f, late || full ? FOR : OPEN, late || full ? FOR : OPEN,
               late || share > 1 ? OUT
               : full            ? AGAINST
                                 : OPEN);
    r->cloud_no |= late || share > 1;
    r->force |= full;
    ECON_SAY(f->change, late ? "Less to send, a faster line, or more time." : "More to send, or a slower line.");
}

static void sensitivity(struct econ_rules *r, struct econ_finding *f)
{
    const struct econ_finding *step = &r->out->matrix[ECON_COMPLIANCE];
    f->mark[f->n_marks++] = step->mark[0];
    ECON_SAY(f->number, "%s", step->number);
    ECON_SAY(f->change, "%s", step->change);
    if (step->lean == ECON_LEAN_LOCAL)
        set_places(f, FOR, r->in->a.leave == ECON_DEVICE_ONLY ? OUT : FOR, OUT);
    else if (step->lean == ECON_LEAN_HYBRID)
        set_places(f, FOR, FOR, AGAINST);
    else if (step->lean == ECON_LEAN_EITHER)
        set_places(f, OPEN, OPEN, OPEN);
    else
        f->lean = step->lean;
}

static void resilience(struct econ_rules *r, struct econ_finding *f)
{
    static const char *const texts[] = {"always online", "gaps of minutes must not stop it",
                                        "must work without a network"};
    int o = r->in->a.offline;
    bar(f, "whether work may wait for a network", "your answer: offline");
    if (o < 0) {
        r->cloud_open = true;
        return;
    }
    ECON_SAY(f->number, "%s", texts[o]);
    if (o == ECON_MUST_WORK)
        set_places(f, FOR, AGAINST, OUT);
    else if (o == ECON_SHORT_GAPS)
        set_places(f, FOR, FOR, AGAINST);
    else
        set_places(f, OPEN, OPEN, OPEN);
    r->cloud_no |= o == ECON_MUST_WORK;
    r->force |= o == ECON_SHORT_GAPS;
    ECON_SAY(f->change, o == ECON_MUST_WORK ? "Work that may wait until there is a network."
                                            : "Work that cannot wait for a network.");
}

static void cost_profile(struct econ_rules *r, struct econ_finding *f)
{
    double u = r->in->a.utilisation;
    ECON_MARK(r, f, utilisation_rented, "busy %g %% of the time", r->in->t.utilisation_rented * 100);
    if (isnan(u)) return;
    ECON_SAY(f->number, "busy %g %% of the time", u * 100);
    if (u >= r->in->t.utilisation_rented)
        set_places(f, FOR, FOR, OPEN);
    else
        set_places(f, OPEN, AGAINST, FOR);
    ECON_SAY(f->change, "More work on the same machine; one that is there anyway costs nothing idle.");
}

static void ownership(struct econ_rules *r, struct econ_finding *f)
{
    static const char *const texts[] = {"own people", "a partner", "nobody"};
    int o = r->in->a.operations;
    bar(f, "whether somebody looks after machines and updates", "your answer: operations");
    if (o < 0) return;
    ECON_SAY(f->number, "%s", texts[o]);
    if (o == ECON_OWN_PEOPLE)
        set_places(f, OPEN, FOR, OPEN);
    else if (o == ECON_PARTNER)
        set_places(f, OPEN, OPEN, OPEN);
    else
        set_places(f, AGAINST, AGAINST, FOR);
    ECON_SAY(f->change,
             o == ECON_NOBODY ? "A name, and that person's hours in local_cost_month." : "Nobody who has the time.");
}

void econ_dimensions(struct econ_rules *r)
{
    static const struct {
        const char *rule, *title;
        void (*look)(struct econ_rules *r, struct econ_finding *f);
        const char *asks; /* what is missing where it cannot say */
    } all[ECON_N_DIMENSIONS] = {
        {"boundedness", "task boundedness", boundedness, "bounded."},
        {"latency", "latency tolerance", latency, "latency_ms."},
        {"data_volume", "data volume", data_volume, "upload_kb, uplink_mbit and volume_month."},
        {"sensitivity", "data sensitivity and residency", sensitivity, "data and leave."},
        {"resilience", "resilience", resilience, "offline."},
        {"cost_profile", "cost profile", cost_profile, "utilisation."},
        {"ownership", "operational ownership", ownership, "operations."}};
    struct econ_advice *o = r->out;
    for (int p = 0; p < ECON_N_PLACES; p++) o->remains[p] = true;
    for (int i = 0; i < ECON_N_DIMENSIONS; i++) {
        struct econ_finding *f = &o->dimension[i];
        *f = (struct econ_finding){.rule = all[i].rule, .title = all[i].title, .lean = ECON_LEAN_UNANSWERED};
        all[i].look(r, f);
        if (!*f->number) ECON_SAY(f->number, "not known");
        if (!*f->change) ECON_SAY(f->change, "%s", all[i].asks);
        for (int p = 0; p < ECON_N_PLACES; p++)
            if (f->place[p] == OUT) o->remains[p] = false;
    }
}
