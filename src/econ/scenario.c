/* A scenario (econ_tco.h): read from YAML over the defaults, set value by value, and finished: prices of models
 * looked up, values that follow from others, distributions that nobody stated, and what one value alone cannot tell.
 * The sections and their values are the table of parameters; a few settings that are no numbers stand in `words`
 * below. The scenario's arena owns all strings. Read next: cost.c, docs/TCO.md. */
#include "econ_private.h"

#include "base_mem.h"
#include "base_str.h"
#include "task_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SCENARIO_BYTES = 1 << 20, MAX_FIELDS = 24, LEAST_DRAWS = 100 };

const char *econ_source_word(enum econ_source s)
{
    static const char *const words[] = {"default", "file", "flag", "measured", "price table"};
    return words[s];
}

void econ_scenario_init(struct econ_scenario *s)
{
    *s = (struct econ_scenario){.currency = "USD", .cloud_allowed = true, .seed = 1, .draws = 10000};
    s->confidence = 0.9;
    for (int p = 0; p < ECON_N_PARAMS; p++) s->v[p] = econ_param_info((enum econ_param)p)->def;
    arena_init(&s->arena, MAX_SCENARIO_BYTES);
}

void econ_scenario_done(struct econ_scenario *s) { arena_done(&s->arena); }

bool econ_given(const struct econ_scenario *s, enum econ_param p) { return s->origin[p].source != ECON_DEFAULT; }

static void set_value(struct econ_scenario *s, enum econ_param p, int64_t value, enum econ_source source, int line,
                      const char *note)
{
    s->v[p] = value;
    s->origin[p].source = source;
    s->origin[p].line = line;
    snprintf(s->origin[p].note, sizeof s->origin[p].note, "%s", note ? note : "");
    s->chance[p] = (struct econ_chance){.shape = ECON_CERTAIN};
}

int econ_scenario_set(struct econ_scenario *s, enum econ_param p, const char *text, enum econ_source source,
                      const char *note, struct err *e)
{
    int64_t value;
    int rc = econ_param_parse(p, text, s->currency, &value, e);
    if (rc == 0) set_value(s, p, value, source, 0, note);
    return rc;
}

int econ_scenario_measured(struct econ_scenario *s, enum econ_param p, double value, struct econ_chance chance,
                           const char *note, struct err *e)
{
    const struct econ_param_info *i = econ_param_info(p);
    if (!(value * 1e9 >= (double)i->min && value * 1e9 <= (double)i->max))
        return ERR(e, FORMAT, "%s gives %.6g for '%s.%s', which must be from %.6g to %.6g.", note, value, i->section,
                   i->name, (double)i->min / 1e9, (double)i->max / 1e9);
    set_value(s, p, (int64_t)(value * 1e9 + (value < 0 ? -0.5 : 0.5)), ECON_MEASURED, 0, note);
    s->chance[p] = chance;
    return 0;
}

/* ---- the file ---- */

/* A YAML number or text as the text of a number. NULL: neither, or more than nine digits behind the point. */
static const char *as_text(const json_t *v, char out[64])
{
    if (json_is_string(v)) return json_string_value(v);
    if (json_is_integer(v))
        snprintf(out, 64, "%lld", (long long)json_integer_value(v));
    else if (!json_is_real(v) || json_real_value(v) > 1e15 || json_real_value(v) < -1e15 ||
             snprintf(out, 64, "%.9f", json_real_value(v)) >= 64 || strtod(out, NULL) != json_real_value(v))
        return NULL;
    return out;
}

static int read_number(struct task_reader *r, const json_t *parent, const char *key, size_t index, const json_t *v,
                       enum econ_param p, int64_t *out)
{
    const struct econ_scenario *s = r->of;
    const struct econ_param_info *i = econ_param_info(p);
    char text[64];
    struct err why = {0};
    const char *z = as_text(v, text);
    if (!z)
        return task_complain(r, parent, key, index,
                             "'%s.%s' must be a number with at most nine digits behind the point.", i->section,
                             i->name);
    if (econ_param_parse(p, z, s->currency, out, &why)) return task_complain(r, parent, key, index, "%s", why.msg);
    return 0;
}

struct words { /* what sections hold beside numbers */
    const char *section;
    struct task_field field;
};
#define AT(member) offsetof(struct econ_scenario, member)
static const struct words words[] = {
    {"cloud", {"model", TASK_TEXT, .at = AT(cloud_model)}},
    {"cloud", {"allowed", TASK_FLAG, .at = AT(cloud_allowed)}},
    {"escalation", {"model", TASK_TEXT, .at = AT(frontier_model)}},
    {"decision", {"model", TASK_TEXT, .at = AT(decision_model)}},
    {"hardware", {"owned", TASK_FLAG, .at = AT(owned)}},
};

static int read_section(struct task_reader *r, const json_t *file, const char *name, json_t *o)
{
    struct econ_scenario *s = r->of;
    struct task_field fields[MAX_FIELDS] = {{0}};
    int n = 0;
    for (int p = 0; p < ECON_N_PARAMS; p++)
        if (strcmp(econ_param_info((enum econ_param)p)->section, name) == 0)
            fields[n++] = (struct task_field){econ_param_info((enum econ_param)p)->name, TASK_SKIP, .at = 0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].section, name) == 0) fields[n++] = words[i].field;
    r->within = name;
    int rc = task_read_fields(r, file, name, 0, o, fields, s);
    for (int p = 0; p < ECON_N_PARAMS && rc == 0; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        const json_t *v = strcmp(i->section, name) == 0 ? json_object_get(o, i->name) : NULL;
        int64_t value;
        if (!v) continue;
        rc = read_number(r, o, i->name, 0, v, (enum econ_param)p, &value);
        if (rc == 0)
            set_value(s, (enum econ_param)p, value, ECON_FROM_FILE, task_yaml_line(r->lines, o, i->name, 0), NULL);
    }
    return rc;
}

/* {triangular: [least, most likely, most]}, {uniform: [least, most]}, {normal: [mean, deviation]}, {counted: [k, n]}
 * or the word `certain`. */
static int read_chance(struct task_reader *r, const json_t *all, const char *key, const json_t *o, enum econ_param p)
{
    static const struct {
        const char *name;
        enum econ_chance_shape shape;
        size_t n;
    } shapes[] = {{"uniform", ECON_UNIFORM, 2},
                  {"triangular", ECON_TRIANGULAR, 3},
                  {"normal", ECON_NORMAL, 2},
                  {"counted", ECON_BETA, 2}};
    struct econ_scenario *s = r->of;
    if (json_is_string(o) && strcmp(json_string_value(o), "certain") == 0) {
        s->chance[p] = (struct econ_chance){.shape = ECON_CERTAIN, .a = 1};
        return 0;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const json_t *list = json_object_get(o, shapes[i].name);
        double x[3] = {0};
        if (!list || json_object_size(o) != 1 || json_array_size(list) != shapes[i].n) continue;
        for (size_t k = 0; k < shapes[i].n; k++) {
            const json_t *v = json_array_get(list, k);
            int64_t value;
            bool plain = shapes[i].shape == ECON_BETA || (shapes[i].shape == ECON_NORMAL && k == 1);
            if (plain && !json_is_number(v))
                return task_complain(r, all, key, 0, "'%s' of '%s' must be numbers.", shapes[i].name, key);
            int rc = plain ? 0 : read_number(r, list, NULL, k, v, p, &value);
            if (rc) return rc;
            x[k] = plain ? json_number_value(v) : (double)value / 1e9;
        }
        bool rising = shapes[i].shape == ECON_UNIFORM || shapes[i].shape == ECON_TRIANGULAR;
        bool good = !rising || (x[0] <= x[1] && (shapes[i].n == 2 || x[1] <= x[2]));
        if (shapes[i].shape == ECON_NORMAL) good = x[1] >= 0;
        if (shapes[i].shape == ECON_BETA)
            good = x[0] >= 0 && x[1] >= 1 && x[0] <= x[1] && econ_param_info(p)->unit == ECON_SHARE;
        if (!good)
            return task_complain(r, all, key, 0,
                                 rising ? "'%s' of '%s' must be in rising order." : "'%s' of '%s' makes no sense.",
                                 shapes[i].name, key);
        s->chance[p] = (struct econ_chance){shapes[i].shape, x[0], x[1], x[2]};
        return 0;
    }
    return task_complain(r, all, key, 0,
                         "'%s' must be certain, or one of uniform: [least, most], triangular: [least, most likely, "
                         "most], normal: [mean, deviation], counted: [k, n].",
                         key);
}

/* How the interval is made, and distributions by the parameter's dotted name. */
static int read_uncertainty(struct task_reader *r, const json_t *file, json_t *all)
{
    struct econ_scenario *s = r->of;
    const char *key;
    json_t *v;
    int draws = (int)s->draws, rc = 0;
    int64_t seed = (int64_t)s->seed;
    const struct task_field draws_field = {"draws", TASK_WHOLE, .min = 0, .max = 1000000};
    const struct task_field seed_field = {"seed", TASK_WHOLE, .min = 0, .max = 1ll << 52};
    const struct task_field sure_field = {"confidence", TASK_NUMBER, .min = 0.5, .max = 0.999};
    if (!json_is_object(all))
        return task_complain(r, file, "uncertainty", 0, "'uncertainty' must hold names with distributions.");
    json_object_foreach(all, key, v)
    {
        int p = econ_param_find(key);
        if (strcmp(key, "draws") == 0)
            rc = task_read_field(r, all, &draws_field, v, &draws);
        else if (strcmp(key, "seed") == 0)
            rc = task_read_field(r, all, &seed_field, v, &seed);
        else if (strcmp(key, "confidence") == 0)
            rc = task_read_field(r, all, &sure_field, v, &s->confidence);
        else if (p < 0)
            rc = task_complain(r, all, key, 0,
                               "there is no '%.60s': name a value as in 'volume.per_month', or draws, seed, "
                               "confidence.",
                               key);
        else
            rc = read_chance(r, all, key, v, (enum econ_param)p);
        if (rc) return rc;
    }
    s->draws = (unsigned)draws;
    s->seed = (uint64_t)seed;
    return 0;
}

static int read_currency(struct task_reader *r, const json_t *file, const json_t *v)
{
    struct econ_scenario *s = r->of;
    const char *z = json_string_value(v);
    if (!v) return 0;
    if (!z || strlen(z) != 3 || strspn(z, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
        return task_complain(r, file, "currency", 0, "'currency' must be three capital letters, such as EUR.");
    memcpy(s->currency, z, 4);
    return 0;
}

static bool is_section(const char *name)
{
    for (int p = 0; p < ECON_N_PARAMS; p++)
        if (strcmp(econ_param_info((enum econ_param)p)->section, name) == 0) return true;
    return false;
}

static int read_file(struct task_reader *r, json_t *file)
{
    static const char *const kinds[] = {"classify", "extract", "generate", "embed", NULL};
    struct econ_scenario *s = r->of;
    struct task_field fields[MAX_FIELDS] = {{"name", TASK_TEXT, .at = AT(name)},
                                            {"currency", TASK_SKIP, .at = 0},
                                            {"kind", TASK_SKIP, .at = 0},
                                            {"uncertainty", TASK_SKIP, .at = 0}};
    const struct task_field kind_field = {"kind", TASK_WORD, .words = kinds};
    int n = 4, kind = 0, rc;
    json_t *v;
    const char *key;
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const char *section = econ_param_info((enum econ_param)p)->section;
        if (strcmp(fields[n - 1].name, section) != 0) fields[n++] = (struct task_field){section, TASK_SKIP, .at = 0};
    }
    r->within = "the file";
    rc = task_read_fields(r, file, NULL, 0, file, fields, s);
    if (rc == 0) rc = read_currency(r, file, json_object_get(file, "currency"));
    if (rc == 0 && (v = json_object_get(file, "kind"))) {
        rc = task_read_field(r, file, &kind_field, v, &kind);
        s->decides = kind == 0;
    } else if (json_object_get(file, "decision"))
        s->decides = true; /* whoever gives its price asks for it */
    if (rc) return rc;
    json_object_foreach(file, key, v) if (is_section(key) && (rc = read_section(r, file, key, v))) return rc;
    v = json_object_get(file, "uncertainty");
    return v ? read_uncertainty(r, file, v) : 0;
}

int econ_scenario_load(struct econ_scenario *s, const char *path, struct err *e)
{
    struct err local = {0};
    struct task_yaml_lines *lines = NULL;
    json_t *file = NULL;
    int rc = task_yaml_load_lines(path, &file, &lines, e);
    if (rc) return rc;
    s->path = arena_strndup(&s->arena, path, strlen(path));
    struct task_reader r = {&s->arena, path, lines, e ? e : &local, "", s};
    rc = s->path ? read_file(&r, file) : err_nomem(e, 0);
    task_yaml_lines_free(lines);
    json_decref(file);
    return rc;
}

/* ---- finishing ---- */

static int complain(const struct econ_scenario *s, enum econ_param p, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A FORMAT error where the value stands, if it stands in a file. */
static int complain(const struct econ_scenario *s, enum econ_param p, struct err *e, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->path && s->origin[p].line)
        return err_set(e, CROFT_E_FORMAT, s->path, s->origin[p].line, "%s:%d: %s", s->path, s->origin[p].line, text);
    return ERR(e, FORMAT, "%s%s%s", s->path ? s->path : "", s->path ? ": " : "", text);
}

static int price_from_table(struct econ_scenario *s, const struct econ_prices *prices, const char *model,
                            const enum econ_param at[3], struct err *e)
{
    money price[3];
    const char *date = "";
    char note[ECON_NOTE_MAX];
    bool too_large = false;
    if (!prices || !prices->find(model, &price[0], &price[1], &price[2], &date))
        return ERR(e, NOT_FOUND,
                   "%s%sThe price table has no model '%.80s'. Give price_input and price_output instead; 'croft tco "
                   "--prices' lists the table.",
                   s->path ? s->path : "", s->path ? ": " : "", model);
    if (strcmp(s->currency, "USD") != 0 && !econ_given(s, ECON_P_USD))
        return ERR(
            e, FORMAT,
            "The price of '%.80s' is in USD, and the scenario in %s. Give 'exchange.usd', what one dollar costs "
            "in %s.",
            model, s->currency, s->currency);
    snprintf(note, sizeof note, "%s, %s", model, date);
    for (int i = 0; i < 3; i++) {
        if (econ_given(s, at[i])) continue;
        econ_amount x = econ_given(s, ECON_P_USD) ? econ_times(price[i], s->v[ECON_P_USD], &too_large) : price[i];
        if (too_large || !econ_fits(x)) return ERR(e, FORMAT, "The price of '%.80s' is too large.", model);
        set_value(s, at[i], (int64_t)x, ECON_FROM_TABLE, 0, note);
    }
    return 0;
}

static int look_up_prices(struct econ_scenario *s, const struct econ_prices *prices, struct err *e)
{
    static const enum econ_param cloud[] = {ECON_P_CLOUD_IN, ECON_P_CLOUD_OUT, ECON_P_CLOUD_CACHED};
    static const enum econ_param frontier[] = {ECON_P_FRONTIER_IN, ECON_P_FRONTIER_OUT, ECON_P_FRONTIER_CACHED};
    static const enum econ_param decision[] = {ECON_P_DECISION_IN, ECON_P_DECISION_OUT, ECON_P_DECISION_OUT};
    bool usd = strcmp(s->currency, "USD") == 0 || econ_given(s, ECON_P_USD);
    int rc = 0;
    if (!s->decision_model && s->decides && usd && prices && s->v[ECON_P_TOKENS_IN] &&
        !econ_given(s, ECON_P_DECISION_IN))
        s->decision_model = prices->decision_model;
    if (s->cloud_model) rc = price_from_table(s, prices, s->cloud_model, cloud, e);
    if (rc == 0 && s->frontier_model) rc = price_from_table(s, prices, s->frontier_model, frontier, e);
    if (rc == 0 && s->decision_model) rc = price_from_table(s, prices, s->decision_model, decision, e);
    return rc;
}

/* Values that follow from others where nobody gave them; again for every draw. */
void econ_derive(struct econ_scenario *s)
{
    static const struct {
        enum econ_param to, from;
    } follow[] = {
        {ECON_P_CLOUD_CACHED, ECON_P_CLOUD_IN},
        {ECON_P_FRONTIER_CACHED, ECON_P_FRONTIER_IN},
        {ECON_P_WRONG_ESCALATED, ECON_P_WRONG_CLOUD},
        {ECON_P_WRONG_DECISION, ECON_P_WRONG_CLOUD},
    };
    static const enum econ_param cloud[] = {ECON_P_CLOUD_ANSWER, ECON_P_CLOUD_IN, ECON_P_CLOUD_OUT,
                                            ECON_P_CLOUD_CACHED};
    static const enum econ_param frontier[] = {ECON_P_FRONTIER_ANSWER, ECON_P_FRONTIER_IN, ECON_P_FRONTIER_OUT,
                                               ECON_P_FRONTIER_CACHED};
    bool own = false;
    for (size_t i = 0; i < sizeof follow / sizeof follow[0]; i++)
        if (!econ_given(s, follow[i].to)) s->v[follow[i].to] = s->v[follow[i].from];
    for (int i = 0; i < 4; i++) own |= econ_given(s, frontier[i]);
    for (int i = 0; i < 4 && !own; i++) s->v[frontier[i]] = s->v[cloud[i]];
}

/* The triangular distributions of the table, for what was given and nobody said how sure it is. */
static void assume_chances(struct econ_scenario *s)
{
    for (int p = 0; p < ECON_N_PARAMS; p++) {
        const struct econ_param_info *i = econ_param_info((enum econ_param)p);
        double x = (double)s->v[p] / 1e9;
        if (s->chance[p].shape != ECON_CERTAIN || s->chance[p].a == 1 || i->high == 0 || x == 0 ||
            !econ_given(s, (enum econ_param)p))
            continue;
        double most = i->unit == ECON_SHARE && i->high * x > 1 ? 1 : i->high * x;
        s->chance[p] = (struct econ_chance){ECON_TRIANGULAR, i->low * x, x, most > x ? most : x};
    }
}

/* A price of tokens that is left out would be a price of nothing. */
static int check_pairs(const struct econ_scenario *s, struct err *e)
{
    static const enum econ_param pairs[][2] = {{ECON_P_CLOUD_IN, ECON_P_CLOUD_OUT},
                                               {ECON_P_FRONTIER_IN, ECON_P_FRONTIER_OUT}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        bool in = econ_given(s, pairs[i][0]), out = econ_given(s, pairs[i][1]);
        if (in != out)
            return complain(s, pairs[i][out], e,
                            "'%s' has a price of %s alone. Give %s too: 0 where it is for nothing.",
                            econ_param_info(pairs[i][0])->section, in ? "prompts" : "answers",
                            econ_param_info(pairs[i][in])->name);
    }
    return 0;
}

static int check_prices(const struct econ_scenario *s, struct err *e)
{
    bool calls = s->v[ECON_P_ESCALATION] || s->v[ECON_P_CHECKS];
    bool cloud = econ_given(s, ECON_P_CLOUD_ANSWER) || econ_given(s, ECON_P_CLOUD_IN);
    bool own = econ_given(s, ECON_P_FRONTIER_ANSWER) || econ_given(s, ECON_P_FRONTIER_IN);
    bool by_token = econ_given(s, ECON_P_CLOUD_IN) || econ_given(s, ECON_P_FRONTIER_IN);
    if (econ_given(s, ECON_P_CLOUD_ANSWER) && econ_given(s, ECON_P_CLOUD_IN))
        return complain(s, ECON_P_CLOUD_ANSWER, e,
                        "'cloud' has both price_per_answer and prices of tokens. Give one of them.");
    if (econ_given(s, ECON_P_FRONTIER_ANSWER) && econ_given(s, ECON_P_FRONTIER_IN))
        return complain(s, ECON_P_FRONTIER_ANSWER, e,
                        "'escalation' has both price_per_answer and prices of tokens. Give one of them.");
    if (!cloud && s->cloud_allowed)
        return ERR(
            e, FORMAT,
            "%s%sWhat does the cloud cost? Give cloud.price_per_answer, cloud.price_input and price_output, or "
            "cloud.model; or cloud.allowed: false.",
            s->path ? s->path : "", s->path ? ": " : "");
    if (calls && !cloud && !own)
        return complain(s, ECON_P_ESCALATION, e, "What do escalated answers cost? Give the prices of 'escalation'.");
    if (by_token && !s->v[ECON_P_TOKENS_IN] && !s->v[ECON_P_TOKENS_OUT])
        return complain(s, econ_given(s, ECON_P_CLOUD_IN) ? ECON_P_CLOUD_IN : ECON_P_FRONTIER_IN, e,
                        "Prices of tokens need tokens.in and tokens.out.");
    if (s->v[ECON_P_EGRESS_SHARE] && (s->v[ECON_P_EGRESS_GB] || s->v[ECON_P_EGRESS_BYTES]))
        return complain(s, ECON_P_EGRESS_SHARE, e, "Egress is either a share of the invoice or a price of bytes.");
    if (!s->v[ECON_P_EGRESS_GB] != !s->v[ECON_P_EGRESS_BYTES])
        return complain(s, s->v[ECON_P_EGRESS_GB] ? ECON_P_EGRESS_GB : ECON_P_EGRESS_BYTES, e,
                        "Egress needs both cloud.egress_per_gb and cloud.bytes_per_answer.");
    if (econ_given(s, ECON_P_WRONG) && !(econ_given(s, ECON_P_WRONG_LOCAL) && econ_given(s, ECON_P_WRONG_CLOUD)))
        return complain(
            s, ECON_P_WRONG, e,
            "A cost of wrong answers needs how many are wrong: errors.local_share and errors.cloud_share.");
    return 0;
}

static int check_hardware(const struct econ_scenario *s, struct err *e)
{
    const int64_t *v = s->v;
    if (!s->owned && !econ_given(s, ECON_P_HARDWARE_PRICE) && !econ_given(s, ECON_P_RENT))
        return ERR(e, FORMAT, "%s%sWhat does the hardware cost? Give hardware.price; or hardware.owned: true.",
                   s->path ? s->path : "", s->path ? ": " : "");
    if (v[ECON_P_BUSY_WATTS] < v[ECON_P_IDLE_WATTS])
        return complain(s, ECON_P_IDLE_WATTS, e, "hardware.idle_watts is above hardware.busy_watts.");
    if (!v[ECON_P_BUSY_WATTS] != !econ_given(s, ECON_P_ENERGY))
        return complain(s, v[ECON_P_BUSY_WATTS] ? ECON_P_BUSY_WATTS : ECON_P_ENERGY, e,
                        "Energy needs both hardware.busy_watts and energy.price_per_kwh.");
    if (v[ECON_P_BUSY_WATTS] > v[ECON_P_IDLE_WATTS] && !v[ECON_P_RATE] && !econ_given(s, ECON_P_UTILISATION))
        return complain(s, ECON_P_BUSY_WATTS, e,
                        "How busy is the hardware? Give hardware.answers_per_second (measured), or "
                        "hardware.utilisation.");
    if (v[ECON_P_RATE] && econ_given(s, ECON_P_UTILISATION))
        return complain(s, ECON_P_UTILISATION, e,
                        "hardware.utilisation follows from answers_per_second and the volume. Give one of them.");
    if (!v[ECON_P_RENT] != !v[ECON_P_RENT_RATE])
        return complain(s, v[ECON_P_RENT] ? ECON_P_RENT : ECON_P_RENT_RATE, e,
                        "A rented GPU needs both rented.price_per_hour and rented.answers_per_second.");
    if (!(v[ECON_P_UPDATES] && v[ECON_P_UPDATE_GB]) && v[ECON_P_UPDATE_PRICE])
        return complain(s, ECON_P_UPDATE_PRICE, e, "Updates need updates.per_year and updates.gb too.");
    if (v[ECON_P_UNITS] && v[ECON_P_RATE]) {
        int64_t needed =
            econ_units_needed(econ_largest_month(s), v[ECON_P_RATE], v[ECON_P_MAX_UTILISATION], v[ECON_P_PEAK]);
        if (needed > v[ECON_P_UNITS] / MONEY_ONE)
            return complain(s, ECON_P_UNITS, e,
                            "%lld unit%s cannot answer this volume: its busiest hour needs %lld at "
                            "hardware.answers_per_second %.6g, peak_factor %.6g and max_utilisation %.6g.",
                            (long long)(v[ECON_P_UNITS] / MONEY_ONE), v[ECON_P_UNITS] == MONEY_ONE ? "" : "s",
                            (long long)needed, (double)v[ECON_P_RATE] / 1e9, (double)v[ECON_P_PEAK] / 1e9,
                            (double)v[ECON_P_MAX_UTILISATION] / 1e9);
    }
    return 0;
}

int econ_scenario_finish(struct econ_scenario *s, const struct econ_prices *prices, struct err *e)
{
    if (!econ_given(s, ECON_P_VOLUME))
        return ERR(e, FORMAT, "%s%sHow many answers a month? Give volume.per_month.", s->path ? s->path : "",
                   s->path ? ": " : "");
    if (s->draws && s->draws < LEAST_DRAWS)
        return ERR(e, FORMAT, "An interval from %u draws says nothing: ask for at least %d, or for none with 0.",
                   s->draws, LEAST_DRAWS);
    int rc = look_up_prices(s, prices, e);
    if (rc == 0) rc = check_pairs(s, e);
    if (rc == 0) rc = check_prices(s, e);
    if (rc == 0) rc = check_hardware(s, e);
    if (rc) return rc;
    econ_derive(s);
    assume_chances(s);
    return 0;
}
