/* What croft tco says to programs: JSON (docs/TCO.md names every member) and lines of CSV. Members that do not apply
 * are null, infinite ones too. Read next: tco_text.c. */
#include "tco.h"

#include <croft/croft.h>
#include <math.h>

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *amount(econ_amount a) { return json_real(econ_amount_real(a)); }

static void put(json_t *o, const char *key, json_t *v, bool *ok)
{
    if (json_object_set_new(o, key, v)) *ok = false;
}

static void append(json_t *list, json_t *v, bool *ok)
{
    if (json_array_append_new(list, v)) *ok = false;
}

static json_t *lines_of(const struct econ_costs *x, int from, int to, bool *ok)
{
    json_t *o = json_object();
    for (int l = 0; l < ECON_N_LINES; l++) {
        econ_amount sum = 0;
        for (int m = from; m <= to; m++) sum += x->line[m][l];
        if (sum) put(o, econ_line_word((enum econ_line)l), amount(sum), ok);
    }
    return o;
}

static json_t *option_json(const struct cli_tco *c, enum econ_option which, bool *ok)
{
    const struct econ_costs *x = &c->t->option[which];
    int months = c->t->months;
    json_t *o = json_object(), *years = json_array(), *list = json_array();
    put(o, "title", json_string(econ_option_title(which)), ok);
    put(o, "total", amount(x->total), ok);
    put(o, "npv", amount(x->npv), ok);
    put(o, "per_answer", real(econ_per_answer(c->t, which)), ok);
    put(o, "units", json_integer((json_int_t)x->units), ok);
    put(o, "utilisation", real(x->utilisation), ok);
    put(o, "lines", lines_of(x, 0, months, ok), ok);
    for (int y = 0; 12 * (y - 1) < months; y++) {
        int from = y ? 12 * y - 11 : 0, to = 12 * y < months ? 12 * y : months;
        json_t *year = json_object();
        put(year, "year", json_integer(y), ok);
        put(year, "total", amount(cli_tco_year(x, months, y)), ok);
        put(year, "lines", lines_of(x, from, to, ok), ok);
        append(years, year, ok);
    }
    for (int m = 0; m <= months; m++) append(list, amount(x->month[m]), ok);
    put(o, "years", years, ok);
    put(o, "months", list, ok);
    return o;
}

static json_t *saving_json(const struct cli_tco *c, bool *ok)
{
    enum econ_option home;
    json_t *o = json_object();
    if (!cli_tco_compares(c, &home)) {
        json_decref(o);
        return json_null();
    }
    const struct econ_costs *cloud = &c->t->option[ECON_CLOUD], *mine = &c->t->option[home];
    put(o, "of", json_string(econ_option_word(home)), ok);
    put(o, "total", amount(cloud->total - mine->total), ok);
    put(o, "share", real(econ_amount_real(cloud->total - mine->total) / econ_amount_real(cloud->total)), ok);
    put(o, "npv", amount(cloud->npv - mine->npv), ok);
    put(o, "payback_month", c->t->payback < 0 ? json_null() : json_integer(c->t->payback), ok);
    put(o, "tipping_volume", real(c->t->tipping), ok);
    put(o, "tipping_volume_discounted", real(c->t->tipping_npv), ok);
    put(o, "tipping_volume_published", real(c->t->tipping_simple), ok);
    return o;
}

static json_t *interval_json(const struct cli_tco *c, bool *ok)
{
    const struct econ_interval *i = &c->interval;
    if (!i->draws) return json_null();
    json_t *o = json_object(), *cheapest = json_object();
    put(o, "confidence", json_real(c->s.confidence), ok);
    put(o, "draws", json_integer(i->draws), ok);
    put(o, "seed", json_integer((json_int_t)c->s.seed), ok);
    put(o, "mean", real(i->mean), ok);
    put(o, "median", real(i->median), ok);
    put(o, "low", real(i->low), ok);
    put(o, "high", real(i->high), ok);
    put(o, "share_saving", real(i->p_local), ok);
    for (int k = 0; k < ECON_N_OPTIONS; k++)
        if (c->t->option[k].there) put(cheapest, econ_option_word((enum econ_option)k), real(i->cheapest[k]), ok);
    put(o, "cheapest", cheapest, ok);
    return o;
}

static json_t *tornado_json(const struct cli_tco *c, bool *ok)
{
    json_t *list = json_array();
    for (int i = 0; i < c->n_bars; i++) {
        const struct econ_bar *b = &c->bar[i];
        const struct econ_param_info *p = econ_param_info(b->param);
        json_t *o = json_object();
        char name[64];
        snprintf(name, sizeof name, "%s.%s", p->section, p->name);
        put(o, "name", json_string(name), ok);
        put(o, "low", real(b->low), ok);
        put(o, "high", real(b->high), ok);
        put(o, "saving_low", real(b->saving_low), ok);
        put(o, "saving_high", real(b->saving_high), ok);
        append(list, o, ok);
    }
    return list;
}

static json_t *sweep_json(const struct cli_tco *c, bool *ok)
{
    if (!c->sweep.there) return json_null();
    json_t *o = json_object(), *list = json_array();
    for (int i = 0; i < c->sweep.n; i++) {
        const struct econ_sweep_step *s = &c->sweep.step[i];
        json_t *step = json_object(), *per = json_object();
        put(step, "utilisation", json_real(s->utilisation), ok);
        put(step, "volume", real(s->volume), ok);
        put(step, "units", json_integer((json_int_t)s->units), ok);
        for (int k = 0; k < ECON_N_OPTIONS; k++)
            if (c->t->option[k].there) put(per, econ_option_word((enum econ_option)k), real(s->per_answer[k]), ok);
        put(step, "per_answer", per, ok);
        append(list, step, ok);
    }
    put(o, "steps", list, ok);
    put(o, "rented_wins_from", real(c->sweep.rented_wins), ok);
    put(o, "local_wins_from", real(c->sweep.local_wins), ok);
    return o;
}

static json_t *parameters_json(const struct cli_tco *c, bool *ok)
{
    json_t *all = json_object();
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        const struct econ_origin *from = &c->s.origin[p];
        char name[64], text[200];
        json_t *o = json_object();
        snprintf(name, sizeof name, "%s.%s", i->section, i->name);
        put(o, "value", json_real((double)c->s.v[p] / MONEY_ONE), ok);
        put(o, "unit", json_string(econ_unit_text(i->unit, c->s.currency, text)), ok);
        put(o, "source", json_string(econ_source_word(from->source)), ok);
        put(o, "note", from->note[0] ? cli_json_text(from->note, strlen(from->note)) : json_null(), ok);
        put(o, "line", from->line ? json_integer(from->line) : json_null(), ok);
        put(o, "distribution", json_string(econ_chance_text(&c->s.chance[p], text)), ok);
        put(all, name, o, ok);
    }
    return all;
}

json_t *cli_tco_json(const struct cli_tco *c)
{
    json_t *o = json_object(), *verdict = json_object(), *options = json_object(), *remarks = json_array();
    bool ok = true;
    put(o, "format", json_string("croft-tco-1"), &ok);
    put(o, "croft", json_string(croft_version()), &ok);
    put(o, "name", c->s.name ? cli_json_text(c->s.name, strlen(c->s.name)) : json_null(), &ok);
    put(o, "currency", json_string(c->s.currency), &ok);
    put(o, "months", json_integer(c->t->months), &ok);
    put(o, "answers", amount(c->t->answers), &ok);
    put(verdict, "kind", json_string(econ_tco_verdict_word(c->verdict.kind)), &ok);
    put(verdict, "sentence", cli_json_text(c->verdict.sentence, strlen(c->verdict.sentence)), &ok);
    put(o, "verdict", verdict, &ok);
    for (int k = 0; k < ECON_N_OPTIONS; k++)
        if (c->t->option[k].there)
            put(options, econ_option_word((enum econ_option)k), option_json(c, (enum econ_option)k, &ok), &ok);
    put(o, "options", options, &ok);
    put(o, "saving", saving_json(c, &ok), &ok);
    put(o, "interval", interval_json(c, &ok), &ok);
    put(o, "tornado", tornado_json(c, &ok), &ok);
    put(o, "utilisation", sweep_json(c, &ok), &ok);
    put(o, "parameters", parameters_json(c, &ok), &ok);
    for (int i = 0; i < c->remarks.n; i++)
        append(remarks, cli_json_text(c->remarks.text[i], strlen(c->remarks.text[i])), &ok);
    put(o, "remarks", remarks, &ok);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

/* "34400.00": exact, with as many digits as it has, at least two. */
static void csv_amount(struct buf *b, econ_amount a)
{
    char text[48];
    size_t n = strlen(econ_amount_text(a, 9, text));
    for (int i = 0; i < 7 && text[n - 1] == '0'; i++) text[--n] = 0;
    buf_str(b, text);
}

static void csv_row(struct buf *b, const struct cli_tco *c, int option, int year, const char *line, econ_amount a)
{
    buf_fmt(b, "%s,%d,%s,", econ_option_word((enum econ_option)option), year, line);
    csv_amount(b, a);
    buf_fmt(b, ",%s\r\n", c->s.currency);
}

int cli_tco_csv(const struct cli_tco *c, struct buf *b, struct err *e)
{
    buf_str(b, "option,year,line,amount,currency\r\n");
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        const struct econ_costs *x = &c->t->option[o];
        for (int y = 0; x->there && 12 * (y - 1) < c->t->months; y++) {
            int from = y ? 12 * y - 11 : 0, to = 12 * y < c->t->months ? 12 * y : c->t->months;
            for (int l = 0; l < ECON_N_LINES; l++) {
                econ_amount sum = 0;
                for (int m = from; m <= to; m++) sum += x->line[m][l];
                if (sum) csv_row(b, c, o, y, econ_line_word((enum econ_line)l), sum);
            }
            csv_row(b, c, o, y, "total", cli_tco_year(x, c->t->months, y));
        }
    }
    return buf_check(b, "report", e);
}
