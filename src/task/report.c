/* An evaluation as a report, and a report as JSON (task_report.h; docs/EVAL.md names the members). Pure but for the
 * date. Read next: report_against.c, report_html.c. */
#include "task_report.h"
#include "base_clock.h"
#include "base_mem.h"
#include "model_gguf.h"
#include "task_metrics.h"

#include <math.h>
#include <string.h>
#include <time.h>

int task_report_init(struct task_report *r, struct err *e)
{
    const struct task_evaluation *v = r->v;
    double *ms = NULL;
    r->outcomes = (struct task_outcomes){0};
    r->measure = task_eval_measure(r->task, v);
    int rc = gguf_fingerprint_of(r->model_path, r->fingerprint, e);
    if (rc == 0) rc = task_revision(r->task, r->revision, e);
    if (rc == 0) rc = task_outcomes_init(&r->outcomes, v->outcome, v->n, v->kind, v->n_classes, e);
    if (rc == 0) rc = task_boot_intervals(&r->outcomes, r->n_draws, r->seed, r->interval, e);
    if (rc == 0 && !(ms = mem_calloc(v->n, sizeof *ms))) rc = err_nomem(e, v->n * sizeof *ms);
    r->mean_ms = 0;
    r->n_right = r->n_failed = 0;
    r->n_prompt = r->n_evaluated = 0;
    memset(r->n_verdict, 0, sizeof r->n_verdict);
    memset(r->n_verdict_right, 0, sizeof r->n_verdict_right);
    for (size_t i = 0; i < v->n && rc == 0; i++) {
        ms[i] = v->record[i].ms;
        r->mean_ms += ms[i] / (double)v->n;
        r->n_right += v->outcome[i].right;
        r->n_failed += v->record[i].failed;
        r->n_verdict[v->record[i].verdict]++;
        r->n_verdict_right[v->record[i].verdict] += v->outcome[i].right;
        r->n_prompt += v->record[i].n_prompt;
        r->n_evaluated += v->record[i].n_evaluated;
    }
    if (rc == 0) {
        r->p50_ms = task_quantile(ms, v->n, 0.50);
        r->p95_ms = task_quantile(ms, v->n, 0.95);
        r->p99_ms = task_quantile(ms, v->n, 0.99);
    } else {
        task_outcomes_done(&r->outcomes);
    }
    mem_free(ms);
    return rc;
}

void task_report_done(struct task_report *r) { task_outcomes_done(&r->outcomes); }

/* ---- JSON: `ok` turns false when memory ends, and the whole is then given up ---- */

static void put(json_t *o, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(o, key, value)) *ok = false;
}

static void append(json_t *list, json_t *value, bool *ok)
{
    if (json_array_append_new(list, value)) *ok = false;
}

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *interval_json(const struct task_interval *i)
{
    return json_pack("{s:o s:o s:o s:s}", "value", real(i->value), "lo", real(i->lo), "hi", real(i->hi), "method",
                     i->method);
}

static json_t *measures(const struct task_report *r, bool *ok)
{
    json_t *o = json_object();
    for (int m = 0; m < TASK_N_MEASURES; m++)
        if (!isnan(r->interval[m].value))
            put(o, task_measure_info((enum task_measure)m)->key, interval_json(&r->interval[m]), ok);
    return o;
}

static json_t *label_row(const struct task_evaluation *v, const uint32_t *confusion, unsigned i)
{
    struct task_prf s = task_prf_of(confusion, v->n_classes, i);
    const uint32_t *row = confusion + (size_t)i * v->n_classes;
    unsigned most = i == 0;
    for (unsigned j = 0; j < v->n_classes; j++)
        if (j != i && row[j] > row[most]) most = j;
    bool taken = most < v->n_classes && most != i && row[most];
    return json_pack("{s:s s:I s:f s:f s:f s:s?}", "label", v->class_name[i], "examples", (json_int_t)s.support,
                     "precision", s.precision, "recall", s.recall, "f1", s.f1, "mostly_taken_for",
                     taken ? v->class_name[most] : NULL);
}

/* Tables of classes: a line for each, and the cells of the confusion that are not empty: [truth, answer, examples].
 */
static void classes_json(const struct task_report *r, json_t *o, bool *ok)
{
    const struct task_evaluation *v = r->v;
    unsigned n = v->n_classes;
    if (!n) return;
    uint32_t *confusion = mem_calloc((size_t)n * n, sizeof *confusion);
    json_t *labels = json_array(), *names = json_array(), *cells = json_array();
    *ok = *ok && confusion;
    for (size_t i = 0; i < v->n && *ok; i++)
        if (v->outcome[i].answer < n) confusion[(size_t)v->outcome[i].truth * n + v->outcome[i].answer]++;
    for (unsigned i = 0; i < n && *ok; i++) {
        append(labels, label_row(v, confusion, i), ok);
        append(names, json_string(v->class_name[i]), ok);
        for (unsigned j = 0; j < n; j++)
            if (confusion[(size_t)i * n + j])
                append(cells, json_pack("[i i i]", i, j, (int)confusion[(size_t)i * n + j]), ok);
    }
    mem_free(confusion);
    put(o, "labels", labels, ok);
    put(o, "confusion", json_pack("{s:o s:o}", "labels", names, "counts", cells), ok);
}

static void plots_json(const struct task_report *r, json_t *o, bool *ok)
{
    struct task_bin bin[TASK_ECE_BINS];
    struct task_curve_point point[TASK_CURVE_POINTS];
    size_t n = task_risk_coverage(&r->outcomes, point);
    json_t *bins = json_array(), *curve = json_array();
    task_reliability(&r->outcomes, bin);
    for (int i = 0; i < TASK_ECE_BINS; i++)
        append(bins,
               json_pack("{s:f s:f s:I s:I s:f}", "from", (double)i / TASK_ECE_BINS, "to",
                         (double)(i + 1) / TASK_ECE_BINS, "n", (json_int_t)bin[i].n, "n_right",
                         (json_int_t)bin[i].n_right, "confidence", bin[i].confidence),
               ok);
    for (size_t i = 0; i < n; i++)
        append(curve,
               json_pack("{s:f s:f s:f}", "coverage", point[i].coverage, "risk", point[i].risk, "threshold",
                         point[i].threshold),
               ok);
    put(o, "reliability", bins, ok);
    put(o, "risk_coverage", curve, ok);
}

/* What the calibration did with the answers: how many it let stand, and how many of those were wrong. */
static json_t *calibration_json(const struct task_report *r, bool *ok)
{
    const struct task_promise *p = &r->v->promise;
    json_t *verdicts = json_object();
    for (int k = 0; k < 4; k++)
        put(verdicts, task_verdict_name((enum task_verdict)k),
            json_pack("{s:I s:I}", "n", (json_int_t)r->n_verdict[k], "n_right", (json_int_t)r->n_verdict_right[k]),
            ok);
    return json_pack("{s:s s:f s:f s:b s:f s:f s:o}", "bound", p->bound ? "expectation" : "confidence",
                     "target_error", p->target_error, "confidence", p->confidence, "holds", p->holds, "threshold",
                     p->threshold, "promised_coverage", p->coverage, "verdicts", verdicts);
}

static json_t *example_json(const struct task_report *r, size_t i, bool *ok)
{
    const struct task_evaluation *v = r->v;
    const struct task_record *x = &v->record[i];
    const struct task_outcome *o = &v->outcome[i];
    json_t *j = json_pack("{s:I s:s s:b s:f s:I}", "line", (json_int_t)x->line, "input_sha256", x->input_sha256,
                          "right", o->right, "ms", x->ms, "tokens", (json_int_t)x->n_evaluated);
    if (v->n_classes) {
        put(j, "label", json_string(v->class_name[o->truth]), ok);
        if (o->answer < v->n_classes) put(j, "answer", json_string(v->class_name[o->answer]), ok);
    }
    if (!isnan(o->confidence)) put(j, "confidence", json_real(o->confidence), ok);
    if (!isnan(o->p_truth)) put(j, "p_truth", json_real(o->p_truth), ok);
    if (!isnan(o->brier)) put(j, "brier", json_real(o->brier), ok);
    if (v->kind == TASK_ANSWERS_FIELDS)
        put(j, "fields",
            json_pack("{s:i s:i s:i}", "hit", (int)o->fields.hit, "spurious", (int)o->fields.spurious, "missed",
                      (int)o->fields.missed),
            ok);
    if (v->calibrated) put(j, "verdict", json_string(task_verdict_name(x->verdict)), ok);
    if (x->failed) put(j, "failed", json_true(), ok);
    if (r->with_inputs && x->input) put(j, "input", json_string(x->input), ok);
    if (r->with_inputs && !v->n_classes && x->expected) put(j, "expected", json_string(x->expected), ok);
    if (r->with_inputs && !v->n_classes && x->answer) put(j, "answer", json_string(x->answer), ok);
    return j;
}

static json_t *against_json(const struct task_report *r, const struct task_against *a)
{
    const struct task_comparison *c = &a->c;
    return json_pack("{s:s s:I s:s s:o s:o s:o s:o s:o s:s s:I s:I}", "model", a->name, "n", (json_int_t)c->n,
                     "measure", task_measure_info(r->measure)->key, "other", real(a->other), "difference",
                     real(c->difference), "lo", real(c->lo), "hi", real(c->hi), "p", real(c->p), "test", c->method,
                     "only_this_right", (json_int_t)c->only_first, "only_other_right", (json_int_t)c->only_second);
}

static json_t *gate_json(const struct task_gate *g, const struct task_report *r, const struct task_against *a)
{
    struct err why = {0};
    bool passed = task_gate(g, r, a, &why) == 0;
    return json_pack("{s:b s:o s:o s:s s:s?}", "passed", passed, "floor", g->floor > 0 ? real(g->floor) : json_null(),
                     "max_regression", real(g->max_regression), "by", g->by_bound ? "bound" : "value", "reason",
                     passed ? NULL : why.msg);
}

static json_t *identity(const struct task_report *r)
{
    static const char *const kinds[] = {"classify", "extract", "generate", "embed"};
    char date[32];
    time_t now = (time_t)clock_unix_s();
    struct tm tm;
    if (!gmtime_r(&now, &tm) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm)) date[0] = 0;
    return json_pack("{s:s s:s s:s s:{s:s s:s s:s s:s} s:{s:s s:s} s:s s:I s:I s:I}", "format", "croft-eval-1",
                     "croft", CROFT_VERSION, "created", date, "task", "name", r->task->name, "kind",
                     kinds[r->task->kind], "metric", task_measure_info(r->measure)->key, "revision", r->revision,
                     "model", "name", r->model, "sha256", r->fingerprint, "data", r->data, "n",
                     (json_int_t)r->v->n, "n_right", (json_int_t)r->n_right, "n_failed", (json_int_t)r->n_failed);
}

static void costs(const struct task_report *r, json_t *o, bool *ok)
{
    const struct task_evaluation *v = r->v;
    double n = (double)v->n;
    put(o, "latency_ms",
        json_pack("{s:f s:f s:f s:f s:o}", "p50", r->p50_ms, "p95", r->p95_ms, "p99", r->p99_ms, "mean", r->mean_ms,
                  "objective", r->task->latency_ms > 0 ? real(r->task->latency_ms) : json_null()),
        ok);
    put(o, "seconds", json_real(v->seconds), ok);
    put(o, "answers_per_s", real(n / v->seconds), ok);
    put(o, "tokens",
        json_pack("{s:I s:I}", "prompt", (json_int_t)r->n_prompt, "evaluated", (json_int_t)r->n_evaluated), ok);
    put(o, "energy",
        isnan(v->joules) ? json_null()
                         : json_pack("{s:f s:f}", "joules", v->joules, "joules_per_answer", v->joules / n),
        ok);
}

json_t *task_report_json(const struct task_report *r, const struct task_against *a, const struct task_gate *g)
{
    bool ok = true;
    json_t *o = identity(r), *examples = json_array();
    put(o, "score", interval_json(&r->interval[r->measure]), &ok);
    put(o, "measures", measures(r, &ok), &ok);
    put(o, "bootstrap", json_pack("{s:I s:I}", "draws", (json_int_t)r->n_draws, "seed", (json_int_t)r->seed), &ok);
    costs(r, o, &ok);
    if (a) put(o, "against", against_json(r, a), &ok);
    if (g) put(o, "gate", gate_json(g, r, a), &ok);
    classes_json(r, o, &ok);
    if (r->outcomes.has_confidence) {
        put(o, "confidence", json_string(r->v->confidence), &ok);
        plots_json(r, o, &ok);
    }
    if (r->v->calibrated) put(o, "calibration", calibration_json(r, &ok), &ok);
    for (size_t i = 0; i < r->v->n; i++) append(examples, example_json(r, i, &ok), &ok);
    put(o, "examples", examples, &ok);
    if (ok) return o;
    json_decref(o);
    return NULL;
}
