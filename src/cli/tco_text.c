/* What croft tco says on a terminal: the verdict first, then what it rests on. Numbers as people read them, and the
 * words for values and sources that the page uses too. Read next: tco_html.c, tco_json.c. */
#include "tco.h"

#include <math.h>

/* ---- words ---- */

const char *cli_tco_number(double v, int digits, char out[64])
{
    char plain[48];
    if (!isfinite(v)) {
        snprintf(out, 64, "%s", isnan(v) ? "-" : "none");
        return out;
    }
    snprintf(plain, sizeof plain, "%.*f", digits, fabs(v) < 1e24 ? v : copysign(1e24, v));
    const char *from = plain + (plain[0] == '-'), *point = strchr(from, '.');
    size_t whole = point ? (size_t)(point - from) : strlen(from), at = 0;
    bool zero = strspn(from, "0.") == strlen(from);
    if (plain[0] == '-' && !zero) out[at++] = '-';
    for (size_t i = 0; i < whole; i++) {
        if (i && (whole - i) % 3 == 0) out[at++] = ',';
        out[at++] = from[i];
    }
    snprintf(out + at, 64 - at, "%s", from + whole);
    return out;
}

const char *cli_tco_price(double v, char out[64])
{
    double size = fabs(v);
    int digits = !(size > 0) || !isfinite(v) || size >= 100 ? 2 : size < 1e-9 ? 12 : 3 - (int)floor(log10(size));
    return cli_tco_number(v, digits < 2 ? 2 : digits, out);
}

econ_amount cli_tco_year(const struct econ_costs *o, int months, int year)
{
    econ_amount sum = 0;
    for (int m = year ? 12 * year - 11 : 0; m <= 12 * year && m <= months; m++) sum += o->month[m];
    return sum;
}

bool cli_tco_compares(const struct cli_tco *c, enum econ_option *out_home)
{
    *out_home = c->t->option[ECON_LOCAL].there ? ECON_LOCAL : ECON_RENTED;
    return c->t->option[ECON_CLOUD].there && c->t->option[*out_home].there;
}

const char *cli_tco_value(const struct cli_tco *c, enum econ_param p, char out[96])
{
    const struct econ_param_info *i = econ_param_info(p);
    double v = (double)c->s.v[p] / MONEY_ONE;
    int digits = c->s.origin[p].source == ECON_MEASURED ? 4 : 9;
    char unit[32], text[64];
    if (i->unit == ECON_SHARE) {
        snprintf(out, 96, "%.*g %%", digits, 100 * v);
        return out;
    }
    if (fabs(v) >= 1000)
        cli_tco_number(v, v == floor(v) ? 0 : 2, text);
    else
        snprintf(text, sizeof text, "%.*g", digits, v);
    econ_unit_text(i->unit, c->s.currency, unit);
    snprintf(out, 96, "%s%s%s", text, *unit ? " " : "", unit);
    return out;
}

const char *cli_tco_chance(const struct cli_tco *c, enum econ_param p, char out[96])
{
    struct econ_chance chance = c->s.chance[p];
    bool percent = econ_param_info(p)->unit == ECON_SHARE && chance.shape != ECON_BETA; /* which counts */
    out[0] = 0;
    if (chance.shape == ECON_CERTAIN) return out;
    if (percent) {
        chance.a *= 100;
        chance.b *= 100;
        chance.c *= 100;
    }
    econ_chance_text(&chance, out);
    size_t n = strlen(out);
    snprintf(out + n, 96 - n, "%s", percent ? " %" : "");
    return out;
}

const char *cli_tco_bound(enum econ_param p, double v, char out[64])
{
    if (fabs(v) >= 1000) return cli_tco_number(v, 0, out);
    bool percent = econ_param_info(p)->unit == ECON_SHARE;
    snprintf(out, 64, percent ? "%.3g %%" : "%.4g", percent ? 100 * v : v);
    return out;
}

const char *cli_tco_source(const struct cli_tco *c, enum econ_param p, char out[200])
{
    const struct econ_origin *o = &c->s.origin[p];
    if (o->source == ECON_FROM_FILE && o->line)
        snprintf(out, 200, "file, line %d", o->line);
    else if (o->source == ECON_DEFAULT && c->s.v[p] != econ_param_info(p)->def)
        snprintf(out, 200, "follows from the others");
    else
        snprintf(out, 200, "%s%s%s", econ_source_word(o->source), o->note[0] ? ": " : "", o->note);
    return out;
}

bool cli_tco_tells(const struct cli_tco *c, enum econ_param p)
{
    const int64_t *v = c->s.v;
    if (strcmp(econ_param_info(p)->section, "decision") == 0 && !c->t->option[ECON_DECISION].there) return false;
    if (c->s.origin[p].source != ECON_DEFAULT) return true;
    if (strcmp(econ_param_info(p)->section, "escalation") == 0 && !v[ECON_P_ESCALATION] && !v[ECON_P_CHECKS])
        return false;
    if (p == ECON_P_PEAK || p == ECON_P_MAX_UTILISATION) return v[ECON_P_RATE] || v[ECON_P_RENT_RATE];
    if (p == ECON_P_COOLING) return v[ECON_P_BUSY_WATTS];
    if (p == ECON_P_LIFE) return v[ECON_P_HARDWARE_PRICE];
    return v[p] != 0;
}

const char *cli_tco_tipping_text(const struct cli_tco *c, double v, char out[96])
{
    char number[64];
    (void)c;
    if (isinf(v))
        snprintf(out, 96, "none: at no volume");
    else if (isnan(v))
        snprintf(out, 96, "-");
    else
        snprintf(out, 96, "%s answers a month", cli_tco_number(ceil(v), 0, number));
    return out;
}

/* ---- tables ---- */

enum { NAME = 36, CELL = 18 };

static void heading(const char *z) { printf("\n%s\n", z); }

static void row(const char *name, const char *value) { printf("  %-*s  %s\n", NAME, name, value); }

static int years(const struct cli_tco *c) { return (c->t->months + 11) / 12; }

static void amounts(const struct cli_tco *c, const char *name, int year, bool npv)
{
    printf("  %-*s", NAME, name);
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        const struct econ_costs *x = &c->t->option[o];
        econ_amount a = npv ? x->npv : year < 0 ? x->total : cli_tco_year(x, c->t->months, year);
        char text[64];
        if (x->there) printf(" %*s", CELL - 1, cli_tco_number(econ_amount_real(a), 2, text));
    }
    putchar('\n');
}

static void totals(const struct cli_tco *c)
{
    char text[64];
    snprintf(text, sizeof text, "Costs in %s", c->s.currency);
    printf("\n%-*s", NAME + 2, text);
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (c->t->option[o].there) printf(" %*s", CELL - 1, econ_option_title((enum econ_option)o));
    putchar('\n');
    amounts(c, "at the start", 0, false);
    for (int y = 1; y <= years(c); y++) {
        bool whole = 12 * y <= c->t->months;
        snprintf(text, sizeof text, whole ? "year %d" : "year %d (%d of 12 months)", y, c->t->months - 12 * (y - 1));
        amounts(c, text, y, false);
    }
    amounts(c, "total", -1, false);
    if (c->s.v[ECON_P_DISCOUNT]) amounts(c, "net present value", -1, true);
    printf("  %-*s", NAME, "an answer");
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (c->t->option[o].there)
            printf(" %*s", CELL - 1, cli_tco_price(econ_per_answer(c->t, (enum econ_option)o), text));
    putchar('\n');
}

static void what_for(const struct cli_tco *c)
{
    char name[80];
    heading("What for");
    for (int l = 0; l < ECON_N_LINES; l++) {
        econ_amount sum[ECON_N_OPTIONS] = {0};
        bool any = false;
        for (int o = 0; o < ECON_N_OPTIONS; o++)
            for (int m = 0; m <= c->t->months && c->t->option[o].there; m++) sum[o] += c->t->option[o].line[m][l];
        for (int o = 0; o < ECON_N_OPTIONS; o++) any = any || sum[o];
        if (!any) continue;
        snprintf(name, sizeof name, "%.*s", NAME, econ_line_title((enum econ_line)l));
        printf("  %-*s", NAME, name);
        for (int o = 0; o < ECON_N_OPTIONS; o++) {
            char text[64];
            if (c->t->option[o].there)
                printf(" %*s", CELL - 1, sum[o] ? cli_tco_number(econ_amount_real(sum[o]), 2, text) : "-");
        }
        putchar('\n');
    }
}

/* ---- the comparison ---- */

static void comparison(const struct cli_tco *c)
{
    const struct econ_tco *t = c->t;
    enum econ_option home;
    char title[120], text[200], a[64], b[96];
    if (!cli_tco_compares(c, &home)) return;
    double cloud = econ_amount_real(t->option[ECON_CLOUD].total), mine = econ_amount_real(t->option[home].total);
    snprintf(title, sizeof title, "%c%s against the cloud API", econ_option_title(home)[0] - 'a' + 'A',
             econ_option_title(home) + 1);
    heading(title);
    snprintf(text, sizeof text, cloud > 0 ? "%s %s (%.0f %%)" : "%s %s", cli_tco_number(cloud - mine, 2, a),
             c->s.currency, 100 * (cloud - mine) / cloud);
    row("saving", text);
    if (c->s.v[ECON_P_DISCOUNT]) {
        double npv = econ_amount_real(t->option[ECON_CLOUD].npv - t->option[home].npv);
        snprintf(text, sizeof text, "%s %s", cli_tco_number(npv, 2, a), c->s.currency);
        row("saving, net present value", text);
    }
    if (t->payback < 0)
        snprintf(text, sizeof text, "not within %d months", t->months);
    else
        snprintf(text, sizeof text, "month %d", t->payback);
    row("paid back", text);
    if (home != ECON_LOCAL) return;
    row("tipping volume", cli_tco_tipping_text(c, t->tipping, b));
    if (c->s.v[ECON_P_DISCOUNT]) row("  with discounted costs", cli_tco_tipping_text(c, t->tipping_npv, b));
    row("  by the published formula", cli_tco_tipping_text(c, t->tipping_simple, b));
}

static void interval(const struct cli_tco *c)
{
    const struct econ_interval *i = &c->interval;
    char low[64], high[64], median[64], text[256];
    if (!i->draws) return;
    heading("How sure");
    snprintf(text, sizeof text, "%s to %s %s, median %s", cli_tco_number(i->low, 0, low),
             cli_tco_number(i->high, 0, high), c->s.currency, cli_tco_number(i->median, 0, median));
    snprintf(low, sizeof low, "saving, %.0f %% interval", 100 * c->s.confidence);
    row(low, text);
    snprintf(text, sizeof text, "%.1f %% of %u draws (seed %llu)", 100 * i->p_local, i->draws,
             (unsigned long long)c->s.seed);
    row("it saves in", text);
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        if (!c->t->option[o].there) continue;
        snprintf(low, sizeof low, "%s is the cheapest in", econ_option_title((enum econ_option)o));
        snprintf(text, sizeof text, "%.1f %%", 100 * i->cheapest[o]);
        row(low, text);
    }
}

static void tornado(const struct cli_tco *c)
{
    enum { MOST = 8 };
    if (!c->n_bars) return;
    heading("What moves the saving most (a value at its 5th and 95th percentile, and the saving that follows)");
    for (int i = 0; i < c->n_bars && i < MOST; i++) {
        const struct econ_bar *b = &c->bar[i];
        const struct econ_param_info *p = econ_param_info(b->param);
        char name[64], from[64], to[64], low[64], high[64];
        snprintf(name, sizeof name, "%s.%s", p->section, p->name);
        printf("  %-*s %10s to %-10s %16s to %s\n", NAME, name, cli_tco_bound(b->param, b->low, from),
               cli_tco_bound(b->param, b->high, to), cli_tco_number(b->saving_low, 0, low),
               cli_tco_number(b->saving_high, 0, high));
    }
}

static void sweep(const struct cli_tco *c)
{
    char text[64];
    if (!c->sweep.there) return;
    printf("\n%-12s%16s%8s", "Utilisation", "answers/month", "units");
    for (int o = 0; o < ECON_N_OPTIONS; o++)
        if (c->t->option[o].there) printf(" %*s", CELL - 1, econ_option_title((enum econ_option)o));
    printf("   (%s an answer)\n", c->s.currency);
    for (int i = 0; i < c->sweep.n; i++) {
        const struct econ_sweep_step *s = &c->sweep.step[i];
        printf("  %8.0f %%%16s%8lld", 100 * s->utilisation, cli_tco_number(s->volume, 0, text), (long long)s->units);
        for (int o = 0; o < ECON_N_OPTIONS; o++)
            if (c->t->option[o].there) printf(" %*s", CELL - 1, cli_tco_price(s->per_answer[o], text));
        putchar('\n');
    }
    if (!isnan(c->sweep.local_wins) && isfinite(c->sweep.local_wins))
        printf("  This hardware is no dearer than the cloud API from %.1f %% on.\n", 100 * c->sweep.local_wins);
    if (isinf(c->sweep.local_wins)) printf("  At no utilisation is this hardware as cheap as the cloud API.\n");
    if (!isnan(c->sweep.rented_wins) && isfinite(c->sweep.rented_wins))
        printf("  A rented GPU is the cheapest from %.1f %% on.\n", 100 * c->sweep.rented_wins);
    if (isinf(c->sweep.rented_wins)) printf("  At no utilisation is a rented GPU the cheapest.\n");
}

/* ---- what it rests on ---- */

static void assumptions(const struct cli_tco *c)
{
    heading("What it rests on");
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        char name[64], value[96], source[200], sure[96];
        if (!cli_tco_tells(c, (enum econ_param)p)) continue;
        snprintf(name, sizeof name, "%s.%s", i->section, i->name);
        cli_tco_source(c, (enum econ_param)p, source);
        cli_tco_chance(c, (enum econ_param)p, sure);
        printf("  %-*s  %-24s  ", NAME, name, cli_tco_value(c, (enum econ_param)p, value));
        cli_print_safe(stdout, source, strlen(source)); /* it may name a file */
        printf("%s%s\n", *sure ? "; " : "", sure);
    }
    if (!c->remarks.n) return;
    heading("To bear in mind");
    for (int i = 0; i < c->remarks.n; i++) {
        fputs("  ", stdout);
        cli_print_safe(stdout, c->remarks.text[i], strlen(c->remarks.text[i]));
        putchar('\n');
    }
}

int cli_tco_text(const struct cli_tco *c)
{
    char volume[64];
    const char *name = c->s.name ? c->s.name : "This scenario";
    cli_print_safe(stdout, name, strlen(name));
    printf(": %s answers a month, %d months\n\n%s\n",
           cli_tco_number((double)c->s.v[ECON_P_VOLUME] / MONEY_ONE, 0, volume), c->t->months, c->verdict.sentence);
    totals(c);
    what_for(c);
    comparison(c);
    interval(c);
    tornado(c);
    sweep(c);
    assumptions(c);
    return 0; /* main reports what standard output refused */
}

int cli_tco_params_print(bool json)
{
    static const struct cli_column cols[] = {{"name", "NAME", CLI_TEXT},       {"unit", "UNIT", CLI_TEXT},
                                             {"default", "DEFAULT", CLI_TEXT}, {"assumed", "ASSUMED RANGE", CLI_TEXT},
                                             {"meaning", "MEANING", CLI_TEXT}, {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        char text[96], unit[32];
        snprintf(text, sizeof text, "%s.%s", i->section, i->name);
        cli_text(&t, text);
        econ_unit_text(i->unit, "MONEY", unit);
        cli_text(&t, i->unit == ECON_SHARE ? "share" : unit);
        snprintf(text, sizeof text, "%.9g", (double)i->def / MONEY_ONE);
        cli_text(&t, text);
        snprintf(text, sizeof text, "x %g to x %g", i->low, i->high);
        if (i->high > 0)
            cli_text(&t, text);
        else
            cli_none(&t);
        cli_text(&t, i->help);
    }
    return cli_table_done(&t, "tco", json);
}
