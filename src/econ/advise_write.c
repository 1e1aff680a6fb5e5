/* Advice written out: text for a terminal, Markdown for a document, JSON for programs. The three say the same.
 * Buffers and JSON fail as their kind does; callers check once. Read next: econ_advise.h, which has what is written.
 */
#include "advise.h"
#include "base_str.h"

#include <math.h>
#include <string.h>

static const char *place_mark(int place)
{
    static const char *const marks[] = {"out", "-", "o", "+"};
    return marks[place + 2];
}

static void places_that_remain(const struct econ_advice *a, struct buf *out)
{
    int n = 0;
    for (int p = 0; p < ECON_N_PLACES; p++)
        if (a->remains[p]) buf_fmt(out, "%s%s", n++ ? ", " : "", econ_place_word(p));
    if (!n) buf_str(out, "none");
}

/* ---- text: sources are numbered, and listed at the end ---- */

struct sources {
    const char *text[2 * (ECON_N_MATRIX + ECON_N_DIMENSIONS)];
    int n;
};

static int source_number(struct sources *s, const char *text)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->text[i], text) == 0) return i + 1;
    s->text[s->n++] = text;
    return s->n;
}

static void line(struct buf *out, const char *label, const char *text)
{
    if (*text) buf_fmt(out, "      %-13s %s\n", label, text);
}

static void finding_text(const struct econ_finding *f, struct sources *sources, struct buf *out)
{
    char bar[sizeof f->mark[0].text + 16];
    for (int i = 0; i < f->n_marks; i++) {
        snprintf(bar, sizeof bar, "%s [%d]", f->mark[i].text, source_number(sources, f->mark[i].source));
        line(out, i ? "" : "held against", bar);
    }
    line(out, "because", f->why);
    line(out, "changed by", f->change);
}

static void flips_text(const struct econ_advice *a, struct buf *out)
{
    if (!a->n_flips) return;
    buf_str(out, a->verdict == ECON_LEAN_UNDECIDED ? "\nWhat would decide it, each alone\n"
                                                   : "\nWhat would give another verdict, each alone\n");
    for (int i = 0; i < a->n_flips; i++)
        buf_fmt(out, "  %-18s %-24s -> %s\n", a->flip[i].key, a->flip[i].value, econ_lean_word(a->flip[i].verdict));
}

void econ_advise_text(const struct econ_advice *a, struct buf *out)
{
    struct sources sources = {.n = 0};
    buf_fmt(out, "%s\n  %s\n  Places that remain: ", a->headline, a->why);
    places_that_remain(a, out);
    buf_str(out, "\n\nDecision matrix\n");
    for (int i = 0; i < ECON_N_MATRIX; i++) {
        const struct econ_finding *f = &a->matrix[i];
        buf_fmt(out, "  %d %-25s %-11s %s\n", i + 1, f->title, econ_lean_word(f->lean), f->number);
        finding_text(f, &sources, out);
    }
    buf_str(out, "\nPlacement: + speaks for, - against, o neither, out excluded     device premises cloud\n");
    for (int i = 0; i < ECON_N_DIMENSIONS; i++) {
        const struct econ_finding *f = &a->dimension[i];
        bool said = f->lean != ECON_LEAN_UNANSWERED && f->lean != ECON_LEAN_UNDECIDED;
        buf_fmt(out, "  %-58.58s %7s %8s %5s\n", f->title, said ? place_mark(f->place[0]) : "?",
                said ? place_mark(f->place[1]) : "?", said ? place_mark(f->place[2]) : "?");
        line(out, "number", f->number);
        finding_text(f, &sources, out);
    }
    flips_text(a, out);
    if (a->n_provided) buf_str(out, "\nStill to do\n");
    for (int i = 0; i < a->n_provided; i++) buf_fmt(out, "  - %s\n", a->provided[i]);
    buf_str(out, "\nSources\n");
    for (int i = 0; i < sources.n; i++) buf_fmt(out, "  [%d] %s\n", i + 1, sources.text[i]);
}

/* ---- Markdown ---- */

/* A cell: no bar may end it. */
static void cell(struct buf *out, const char *text)
{
    buf_str(out, " ");
    for (; *text; text++) {
        if (*text == '|') buf_char(out, '\\');
        buf_char(out, *text == '\n' ? ' ' : *text);
    }
    buf_str(out, " |");
}

static void bars_cell(const struct econ_finding *f, struct buf *out)
{
    buf_str(out, " ");
    for (int i = 0; i < f->n_marks; i++) buf_fmt(out, "%s%s (%s)", i ? "; " : "", f->mark[i].text, f->mark[i].source);
    buf_str(out, " |");
}

static void answers_markdown(const struct econ_advise_input *in, struct buf *out)
{
    buf_str(out, "## Answers\n\n| answer | value |\n|---|---|\n");
    for (const struct econ_question *q = econ_questions(); q->key; q++) {
        double v = econ_answer_get(&in->a, q);
        if (q->kind == ECON_ASK_NAMES && in->a.n_regimes >= 0) {
            buf_fmt(out, "| %s |", q->key);
            for (int i = 0; i < in->a.n_regimes; i++) buf_fmt(out, "%s %s", i ? "," : "", in->a.regimes[i]);
            buf_str(out, " |\n");
        } else if (!isnan(v) && q->words)
            buf_fmt(out, "| %s | %s |\n", q->key, q->words[(int)v]);
        else if (!isnan(v) && q->kind == ECON_ASK_MONEY)
            buf_fmt(out, "| %s | %s %s |\n", q->key, econ_count(v).text, in->a.currency);
        else if (!isnan(v))
            buf_fmt(out, "| %s | %s |\n", q->key, econ_count(v).text);
    }
    buf_str(out, "\n");
}

void econ_advise_markdown(const struct econ_advise_input *in, const struct econ_advice *a, struct buf *out)
{
    buf_fmt(out, "# %s\n\n%s Places that remain: ", a->headline, a->why);
    places_that_remain(a, out);
    buf_str(out, ".\n\n");
    answers_markdown(in, out);
    buf_str(out, "## Decision matrix\n\n| | leans | number | held against (source) | because | changed by |\n"
                 "|---|---|---|---|---|---|\n");
    for (int i = 0; i < ECON_N_MATRIX; i++) {
        const struct econ_finding *f = &a->matrix[i];
        buf_fmt(out, "| %s | %s |", f->title, econ_lean_word(f->lean));
        cell(out, f->number);
        bars_cell(f, out);
        cell(out, f->why);
        cell(out, f->change);
        buf_str(out, "\n");
    }
    buf_str(out, "\n## Placement\n\n`+` speaks for, `-` against, `o` neither, `?` not known.\n\n"
                 "| | device | premises | cloud | number | held against (source) | changed by |\n"
                 "|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < ECON_N_DIMENSIONS; i++) {
        const struct econ_finding *f = &a->dimension[i];
        bool said = f->lean != ECON_LEAN_UNANSWERED && f->lean != ECON_LEAN_UNDECIDED;
        buf_fmt(out, "| %s |", f->title);
        for (int p = 0; p < ECON_N_PLACES; p++) cell(out, said ? place_mark(f->place[p]) : "?");
        cell(out, f->number);
        bars_cell(f, out);
        cell(out, f->change);
        buf_str(out, "\n");
    }
    if (a->n_flips)
        buf_str(out,
                "\n## What would give another verdict, each alone\n\n| answer | value | verdict |\n|---|---|---|\n");
    for (int i = 0; i < a->n_flips; i++)
        buf_fmt(out, "| %s | %s | %s |\n", a->flip[i].key, a->flip[i].value, econ_lean_word(a->flip[i].verdict));
    if (a->n_provided) buf_str(out, "\n## Still to do\n\n");
    for (int i = 0; i < a->n_provided; i++) buf_fmt(out, "- %s\n", a->provided[i]);
    buf_str(out, "\n");
    econ_worksheet_markdown(&in->a, out);
}

/* ---- a file to begin from ---- */

void econ_questions_yaml(struct buf *out)
{
    const struct econ_threshold_info *t = econ_threshold_info();
    buf_str(out, "# Answers for croft advise -f FILE. What is not known stays out. All keys: docs/ADVISE.md\n");
    for (const struct econ_question *q = econ_questions(); q->key; q++)
        buf_fmt(out, "\n# %s\n#%s:\n", q->prompt, q->key);
    buf_str(out, "\n# Currency of all amounts.\n#currency: USD\n\n#thresholds:\n");
    for (int i = 0; i < ECON_N_THRESHOLDS; i++)
        buf_fmt(out, "  # %s; %s\n#  %s: %g\n", t[i].meaning, t[i].source, t[i].name, t[i].fallback);
}

/* ---- JSON: json_pack gives NULL where anything of it failed ---- */

static json_t *bars_json(const struct econ_finding *f)
{
    json_t *list = json_array();
    for (int i = 0; list && i < f->n_marks; i++)
        if (json_array_append_new(list, json_pack("{ss ss}", "text", f->mark[i].text, "source", f->mark[i].source))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *finding_json(const struct econ_finding *f, bool places)
{
    json_t *o = json_pack("{ss ss ss ss so ss ss sb}", "rule", f->rule, "title", f->title, "leans",
                          econ_lean_word(f->lean), "number", f->number, "held_against", bars_json(f), "because",
                          f->why, "changed_by", f->change, "excludes", f->excludes);
    if (o && places) {
        json_t *p = json_pack("{si si si}", "device", f->place[0], "premises", f->place[1], "cloud", f->place[2]);
        if (json_object_set_new(o, "places", p)) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static json_t *findings_json(const struct econ_finding *f, int n, bool places)
{
    json_t *list = json_array();
    for (int i = 0; list && i < n; i++)
        if (json_array_append_new(list, finding_json(&f[i], places))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *texts_json(const char *const *text, int n)
{
    json_t *list = json_array();
    for (int i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_string(text[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *flips_json(const struct econ_advice *a)
{
    json_t *list = json_array();
    for (int i = 0; list && i < a->n_flips; i++)
        if (json_array_append_new(list, json_pack("{ss ss ss sb}", "key", a->flip[i].key, "value", a->flip[i].value,
                                                  "verdict", econ_lean_word(a->flip[i].verdict), "answered",
                                                  a->flip[i].answered))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *econ_advise_json(const struct econ_advise_input *in, const struct econ_advice *a)
{
    const char *remains[ECON_N_PLACES], *provided[ECON_MAX_PROVIDED];
    int n = 0;
    for (int p = 0; p < ECON_N_PLACES; p++)
        if (a->remains[p]) remains[n++] = econ_place_word(p);
    for (int i = 0; i < a->n_provided; i++) provided[i] = a->provided[i];
    return json_pack("{ss ss ss sb sb sb so so so so so so so}", "verdict", econ_lean_word(a->verdict), "headline",
                     a->headline, "because", a->why, "decision_api", a->decision_api, "idle_only", a->idle_only,
                     "rented", a->rented, "places", texts_json(remains, n), "missing",
                     texts_json(a->need, a->n_needs), "matrix", findings_json(a->matrix, ECON_N_MATRIX, false),
                     "placement", findings_json(a->dimension, ECON_N_DIMENSIONS, true), "flips", flips_json(a),
                     "to_do", texts_json(provided, a->n_provided), "worksheet", econ_worksheet_json(&in->a));
}
