/* The parts of croft qualify that need no model: the list of devices, and the plan over a device's life. */
#include "base_clock.h"
#include "qualify.h"

/* ---- devices ---- */

static void real_or_none(struct cli_table *t, double v)
{
    if (v > 0)
        cli_real(t, v);
    else
        cli_none(t);
}

static void add_rows(struct cli_table *t, const struct econ_device *d, size_t n)
{
    for (const struct econ_device *end = d + n; d < end; d++) {
        cli_text(t, d->name);
        cli_text(t, d->group);
        cli_text(t, econ_kinds[d->kind]);
        real_or_none(t, d->memory_gb);
        real_or_none(t, d->bandwidth_gbs);
        real_or_none(t, d->int8_tops);
        real_or_none(t, d->fp16_tflops);
        real_or_none(t, d->watts);
        cli_text(t, d->read_on);
        cli_text(t, d->source);
        if (d->note)
            cli_text(t, d->note);
        else
            cli_none(t);
    }
}

int cli_qualify_list(const struct cli_qualify_settings *set)
{
    static const struct cli_column cols[] = {{"name", "device", CLI_TEXT},
                                             {"group", "class", CLI_TEXT},
                                             {"kind", "kind", CLI_TEXT},
                                             {"memory_gb", "GB", CLI_REAL},
                                             {"bandwidth_gbs", "GB/s", CLI_REAL},
                                             {"int8_tops", "int8 TOPS", CLI_REAL},
                                             {"fp16_tflops", "fp16 TFLOPS", CLI_REAL},
                                             {"watts", "W", CLI_REAL},
                                             {"read_on", "read on", CLI_TEXT},
                                             {"source", "source", CLI_TEXT},
                                             {"note", "note", CLI_TEXT},
                                             {0}};
    struct econ_devices own = {0};
    struct cli_table t;
    struct err e;
    size_t n;
    const struct econ_device *shipped = econ_devices_shipped(&n);
    if (set->devices && econ_devices_read(set->devices, &own, &e)) return cli_fail("qualify", &e);
    cli_table_init(&t, cols);
    add_rows(&t, own.row, own.n);
    add_rows(&t, shipped, n);
    econ_devices_done(&own);
    return cli_table_done(&t, "qualify", set->json);
}

/* ---- the plan ---- */

static json_t *plan_json(const struct econ_plan *p)
{
    json_t *steps = json_array();
    char due[16];
    for (const struct econ_step *s = p->step; s < p->step + ECON_PLAN_STEPS; s++) {
        json_t *todo = json_array();
        for (int i = 0; i < ECON_PLAN_TODOS && s->todo[i]; i++) json_array_append_new(todo, json_string(s->todo[i]));
        snprintf(due, sizeof due, "%04d-%02d", s->due.year, s->due.month);
        json_array_append_new(
            steps, json_pack("{s:s s:s s:i s:o}", "due", due, "step", s->name, "month", s->after, "checklist", todo));
    }
    snprintf(due, sizeof due, "%04d-%02d", p->bought.year, p->bought.month);
    return json_pack("{s:o s:o s:s s:i s:o}", "model", cli_json_text(p->model, strlen(p->model)), "device",
                     cli_json_text(p->device, strlen(p->device)), "bought", due, "life_months", p->life, "steps",
                     steps);
}

int cli_qualify_plan(const struct cli_qualify_settings *set, const char *model, int *out_exit, struct err *e)
{
    struct econ_month bought;
    struct econ_plan p;
    struct buf b;
    int rc = econ_month_parse(set->bought, &bought, e);
    if (rc == 0)
        rc = econ_plan_make(model, set->device.n ? set->device.item[0] : "this machine", bought, (int)set->life, &p,
                            e);
    if (rc) return rc;
    if (set->json) {
        *out_exit = cli_json_done(plan_json(&p), "qualify");
        return 0;
    }
    buf_init(&b, 1 << 20);
    if (strcmp(set->format, "ics") == 0)
        econ_plan_ics(&p, (int64_t)clock_unix_s(), &b);
    else if (strcmp(set->format, "markdown") == 0)
        econ_plan_markdown(&p, &b);
    else
        econ_plan_text(&p, &b);
    rc = buf_check(&b, "plan", e);
    if (rc == 0) fwrite(b.data, 1, b.len, stdout);
    buf_done(&b);
    return rc;
}
