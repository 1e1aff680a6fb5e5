/* What croft qualify found (qualify.h), as text or JSON. With every prediction stands the error that predictions were
 * measured to have, and where. */
#include "qualify.h"

#include <math.h>

int cli_qualify_exit(enum econ_outcome o) { return o == ECON_PASS ? 0 : o == ECON_FAIL ? 1 : 2; }

static const char *verdict_words(enum econ_outcome o)
{
    return o == ECON_PASS ? "qualified" : o == ECON_FAIL ? "not qualified" : "open: something required is not known";
}

/* A prediction never says "qualified": that takes a measurement. */
static const char *predicted_words(enum econ_outcome o)
{
    return o == ECON_PASS   ? "predicted to be enough; measure it before you rely on it"
           : o == ECON_FAIL ? "predicted not to be enough"
                            : "open: something required cannot be predicted, or lies within the error";
}

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* ---- pieces, as JSON ---- */

static json_t *rate_json(const struct econ_rate *r)
{
    return json_pack("{s:o s:o s:o s:o}", "tokens_per_s", real(r->at), "from", real(r->lo), "to", real(r->hi),
                     "limit", real(r->limit));
}

static json_t *prediction_json(const struct econ_prediction *p)
{
    return json_pack("{s:o s:o s:{s:o s:o s:o} s:s s:s?}", "prompt", rate_json(&p->prompt), "decode",
                     rate_json(&p->decode), "answer_ms", "typical", real(1e3 * p->answer_s), "from",
                     real(1e3 * p->answer_lo_s), "to", real(1e3 * p->answer_hi_s), "basis", p->basis, "untested_type",
                     p->untested);
}

static json_t *checks_json(const struct econ_verdict *v)
{
    json_t *a = json_array();
    for (const struct econ_check *c = v->check; c < v->check + v->n; c++)
        json_array_append_new(a, json_pack("{s:s s:s s:o s:o s:s? s:o}", "check", c->name, "outcome",
                                           econ_outcome_word(c->outcome), "value", real(c->value), "limit",
                                           real(c->limit), "unit", c->unit, "reason",
                                           cli_json_text(c->reason, strlen(c->reason))));
    return a;
}

static json_t *errors_json(void)
{
    const struct econ_errors *x = econ_errors_measured();
    json_t *a = json_array();
    for (int i = 0; i < 4 && x->row[i].of; i++)
        json_array_append_new(a, json_pack("{s:s s:b s:i s:f s:f s:f}", "of", x->row[i].of, "in_cache",
                                           x->row[i].in_cache, "n", x->row[i].n, "median", x->row[i].median, "p90",
                                           x->row[i].p90, "worst", x->row[i].worst));
    return json_pack("{s:s s:s s:s s:o}", "measured_on", x->machine, "date", x->date, "source", x->source, "rows", a);
}

static json_t *shape_json(const struct econ_model_shape *s)
{
    json_t *w = json_array();
    for (const struct econ_weights *x = s->weights; x < s->weights + s->n_weights; x++)
        json_array_append_new(w, json_pack("{s:s s:f s:f s:f s:f}", "type", x->type, "layer_params", x->layer_params,
                                           "head_params", x->head_params, "layer_bytes", x->layer_bytes, "head_bytes",
                                           x->head_bytes));
    return json_pack("{s:o s:f s:f s:f s:f s:f s:f s:b}", "weights", w, "n_layer", s->n_layer, "ff_elements",
                     s->ff_elements, "attn_ops", s->attn_ops, "kv_bytes", s->kv_bytes, "state_bytes", s->state_bytes,
                     "file_bytes", s->file_bytes, "decodes", s->decodes);
}

static json_t *subject_json(const struct cli_qualify *q)
{
    return json_pack("{s:o s:s? s:o s:{s:f s:f s:f s:s} s:s? s:s?}", "model", cli_json_text(q->name, strlen(q->name)),
                     "task", q->task ? q->task->name : NULL, "shape", shape_json(&q->shape), "answer_tokens",
                     "prompt", q->work.prompt, "cached", q->work.cached, "generated", q->work.answer, "from",
                     q->work_from, "evaluation", q->evaluation, "calibration", q->calibration);
}

/* ---- text ---- */

static void say_checks(const struct econ_verdict *v)
{
    static const struct cli_column cols[] = {
        {"check", "check", CLI_TEXT}, {"outcome", "outcome", CLI_TEXT}, {"reason", "why", CLI_TEXT}, {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    for (const struct econ_check *c = v->check; c < v->check + v->n; c++) {
        cli_text(&t, c->name);
        cli_text(&t, econ_outcome_word(c->outcome));
        cli_text(&t, c->reason);
    }
    cli_table_print(&t, stdout, 2);
    json_decref(cli_table_take(&t));
}

static void say_errors(void)
{
    const struct econ_errors *x = econ_errors_measured();
    printf(
        "\nError of predictions (predicted / measured - 1, model shapes that the fit had not seen), measured on %s,\n"
        "%s (%s):\n",
        x->machine, x->date, x->source);
    for (int i = 0; i < 4 && x->row[i].of; i++)
        printf("  %-7s %-22s median %4.1f %%, nine of ten within %4.1f %%, worst %4.1f %% of %d\n", x->row[i].of,
               x->row[i].in_cache ? "weights in the cache:" : "larger models:", 100 * x->row[i].median,
               100 * x->row[i].p90, 100 * x->row[i].worst, x->row[i].n);
}

static void say_subject(const struct cli_qualify *q)
{
    cli_print_safe(stdout, q->name, strlen(q->name));
    if (q->task) printf(" for %s", q->task->name);
    printf(": %.1f MiB, an answer is %.0f tokens of prompt", q->shape.file_bytes / 1048576, q->work.prompt);
    if (q->work.cached > 0) printf(" behind %.0f in the cache", q->work.cached);
    printf(" and %.0f generated (%s)\n", q->work.answer, q->work_from);
}

/* ---- this machine ---- */

static void say_predicted(const struct cli_qualify *q, const struct cli_qualify_here *h)
{
    const struct {
        const char *name;
        double predicted, measured;
    } row[] = {{"prompt", h->predicted.prompt.at, q->found.prompt_rate},
               {"decode", h->predicted.decode.at, q->found.decode_rate}};
    for (int i = 0; i < 2; i++)
        if (isfinite(row[i].predicted) && row[i].measured > 0)
            printf("  %s: measured %.4g tokens/s, the formulas say %.4g (%+.1f %%)\n", row[i].name, row[i].measured,
                   row[i].predicted, 100 * (row[i].predicted / row[i].measured - 1));
}

int cli_qualify_print_here(const struct cli_qualify *q, const struct cli_qualify_here *h,
                           const struct econ_verdict *v)
{
    if (q->set->json) {
        json_t *o = subject_json(q);
        json_object_set_new(o, "machine",
                            json_pack("{s:o s:i s:s s:o s:o s:o}", "cpu",
                                      cli_json_text(h->machine, strlen(h->machine)), "threads", h->threads, "level",
                                      h->level, "read_bytes_per_s", real(h->limits.read), "int8_ops_per_s",
                                      real(h->limits.int8_ops), "float_ops_per_s", real(h->limits.float_ops)));
        json_object_set_new(o, "checks", checks_json(v));
        json_object_set_new(o, "predicted", prediction_json(&h->predicted));
        json_object_set_new(o, "prediction_error", errors_json());
        json_object_set_new(o, "measured", json_true());
        json_object_set_new(o, "verdict", json_string(econ_outcome_word(v->outcome)));
        int rc = cli_json_done(o, "qualify");
        return rc ? rc : cli_qualify_exit(v->outcome);
    }
    say_subject(q);
    printf("measured here: %s, %d thread%s, kernels %s\n\n", h->machine, h->threads, h->threads == 1 ? "" : "s",
           h->level);
    say_checks(v);
    if (q->calibration) printf("\nA calibration is there: %s\n", q->calibration);
    printf("\n");
    say_predicted(q, h);
    say_errors();
    printf("\nVerdict: %s\n", verdict_words(v->outcome));
    return cli_qualify_exit(v->outcome);
}

/* ---- devices ---- */

static const char *name_of(const struct cli_qualify_device *d) { return d->device ? d->device->name : "here"; }

static enum econ_outcome worst(const struct cli_qualify_device *d, int n)
{
    enum econ_outcome o = ECON_PASS;
    for (int i = 0; i < n; i++)
        if (d[i].v.outcome == ECON_FAIL || o == ECON_PASS) o = d[i].v.outcome;
    return o;
}

static json_t *device_json(const struct cli_qualify_device *d)
{
    json_t *o = json_pack("{s:s s:s? s:s? s:s s:s? s:s? s:o s:o s:s}", "device", name_of(d), "class",
                          d->device ? d->device->group : NULL, "source", d->device ? d->device->source : NULL, "kind",
                          econ_kinds[d->machine.kind], "read_on", d->device ? d->device->read_on : NULL, "note",
                          d->device ? d->device->note : NULL, "predicted", prediction_json(&d->p), "checks",
                          checks_json(&d->v), "verdict", econ_outcome_word(d->v.outcome));
    json_object_set_new(o, "memory_factor", real(d->p.memory_factor));
    return o;
}

static void device_table(const struct cli_qualify_device *d, int n)
{
    static const struct cli_column cols[] = {{"device", "device", CLI_TEXT},
                                             {"kind", "kind", CLI_TEXT},
                                             {"memory", "memory / file", CLI_REAL},
                                             {"p0", "prompt/s from", CLI_REAL},
                                             {"p1", "to", CLI_REAL},
                                             {"d0", "decode/s from", CLI_REAL},
                                             {"d1", "to", CLI_REAL},
                                             {"dl", "at most", CLI_REAL},
                                             {"a0", "answer ms from", CLI_REAL},
                                             {"a1", "to", CLI_REAL},
                                             {"verdict", "predicted", CLI_TEXT},
                                             {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    for (int i = 0; i < n; i++, d++) {
        cli_text(&t, name_of(d));
        cli_text(&t, econ_kinds[d->machine.kind]);
        cli_real(&t, d->p.memory_factor);
        cli_real(&t, d->p.prompt.lo);
        cli_real(&t, d->p.prompt.hi);
        cli_real(&t, d->p.decode.lo);
        cli_real(&t, d->p.decode.hi);
        cli_real(&t, d->p.decode.limit);
        cli_real(&t, 1e3 * d->p.answer_lo_s);
        cli_real(&t, 1e3 * d->p.answer_hi_s);
        cli_text(&t, econ_outcome_word(d->v.outcome));
    }
    cli_table_print(&t, stdout, 0);
    json_decref(cli_table_take(&t));
}

int cli_qualify_print_devices(const struct cli_qualify *q, const struct cli_qualify_device *d, int n)
{
    enum econ_outcome o = worst(d, n);
    if (q->set->json) {
        json_t *all = subject_json(q), *list = json_array();
        for (int i = 0; i < n; i++) json_array_append_new(list, device_json(&d[i]));
        json_object_set_new(all, "devices", list);
        json_object_set_new(all, "prediction_error", errors_json());
        json_object_set_new(all, "measured", json_false());
        json_object_set_new(all, "verdict", json_string(econ_outcome_word(o)));
        int rc = cli_json_done(all, "qualify");
        return rc ? rc : cli_qualify_exit(o);
    }
    say_subject(q);
    printf("predicted, not measured\n\n");
    device_table(d, n);
    for (int i = 0; i < n; i++) {
        printf("\n%s: %s\n", name_of(&d[i]), predicted_words(d[i].v.outcome));
        say_checks(&d[i].v);
        printf("  interval: %s\n", d[i].p.basis);
        if (d[i].p.untested)
            printf("  weights of type %s were never measured: constants of other types\n", d[i].p.untested);
        if (!d[i].device) continue;
        printf("  source: %s, read %s", d[i].device->source, d[i].device->read_on);
        printf("%s%s\n", d[i].device->note ? "; " : "", d[i].device->note ? d[i].device->note : "");
    }
    say_errors();
    return cli_qualify_exit(o);
}
