/* The compliance worksheet: which duties arise, stay or fall away on the device, on the premises and in a cloud, and
 * what Croft can show for each. The table is advise_obligations.inc. Pure but for the buffers written to. Not legal
 * advice, and it says so wherever it is printed. Read next: advise_write.c. */
#include "advise.h"

#include <string.h>

const char *const econ_regime_names[] = {"gdpr", "hipaa", "ai_act",  "dora",      "nis2",
                                         "pci",  "ferpa", "secrecy", "residency", NULL};

static const struct econ_obligation table[] = {
#define ARISES ECON_ARISES
#define STAYS ECON_STAYS
#define FALLS_AWAY ECON_FALLS_AWAY
#define OBLIGATION(regime, reference, duty, device, premises, cloud, why, evidence, command)                         \
    {regime, reference, duty, {device, premises, cloud}, why, evidence, command},
#include "advise_obligations.inc"
#undef OBLIGATION
#undef ARISES
#undef STAYS
#undef FALLS_AWAY
};

static const char not_advice[] = "Not legal advice: a list to begin a talk with your lawyer or data protection "
                                 "officer from. It knows neither your "
                                 "contracts nor your country's exceptions. \"Premises\" are run by your own people; "
                                 "a partner who runs them is a third "
                                 "party, as a cloud is.";

const struct econ_obligation *econ_obligations(int *out_n)
{
    *out_n = (int)(sizeof table / sizeof table[0]);
    return table;
}

static const char *effect_word(enum econ_effect e)
{
    static const char *const words[] = {"arises", "stays", "falls away"};
    return words[e];
}

bool econ_regime_applies(const struct econ_answers *a, const char *regime)
{
    if (a->n_regimes < 0) return true;
    for (int i = 0; i < a->n_regimes; i++)
        if (strcmp(a->regimes[i], regime) == 0) return true;
    return false;
}

/* The whole table says so; a choice says whose it is. */
static const char *scope(const struct econ_answers *a)
{
    if (a->n_regimes < 0)
        return "All rules that the worksheet knows, since none was named (regimes); see which apply to you.";
    if (a->n_regimes == 0) return "No rule was named (regimes: []), so nothing is listed.";
    return "The rules that were named (regimes).";
}

void econ_worksheet_text(const struct econ_answers *a, struct buf *out)
{
    const char *regime = "";
    buf_fmt(out, "Compliance worksheet\n  %s\n  %s\n", scope(a), not_advice);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct econ_obligation *o = &table[i];
        if (!econ_regime_applies(a, o->regime)) continue;
        if (strcmp(regime, o->regime) != 0) buf_fmt(out, "\n%s\n", o->regime);
        regime = o->regime;
        buf_fmt(out, "  %s: %s\n      device: %s, premises: %s, cloud: %s\n      %s\n", o->reference, o->duty,
                effect_word(o->effect[ECON_DEVICE]), effect_word(o->effect[ECON_PREMISES]),
                effect_word(o->effect[ECON_CLOUD_PLACE]), o->why);
        buf_fmt(out, "      shows it: %s\n        %s\n", o->evidence, o->command);
    }
}

void econ_worksheet_markdown(const struct econ_answers *a, struct buf *out)
{
    buf_fmt(out, "## Compliance worksheet\n\n%s\n\n**%s**\n\n", scope(a), not_advice);
    buf_str(out, "| rule | duty | device | premises | cloud | why | Croft shows | command | done by, on |\n"
                 "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct econ_obligation *o = &table[i];
        if (!econ_regime_applies(a, o->regime)) continue;
        buf_fmt(out, "| %s | %s | %s | %s | %s | %s | %s | `%s` | |\n", o->reference, o->duty,
                effect_word(o->effect[ECON_DEVICE]), effect_word(o->effect[ECON_PREMISES]),
                effect_word(o->effect[ECON_CLOUD_PLACE]), o->why, o->evidence, o->command);
    }
}

json_t *econ_worksheet_json(const struct econ_answers *a)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < sizeof table / sizeof table[0]; i++) {
        const struct econ_obligation *o = &table[i];
        if (!econ_regime_applies(a, o->regime)) continue;
        json_t *row = json_pack(
            "{ss ss ss ss ss ss ss ss ss}", "regime", o->regime, "reference", o->reference, "duty", o->duty, "device",
            effect_word(o->effect[ECON_DEVICE]), "premises", effect_word(o->effect[ECON_PREMISES]), "cloud",
            effect_word(o->effect[ECON_CLOUD_PLACE]), "why", o->why, "evidence", o->evidence, "command", o->command);
        if (json_array_append_new(rows, row)) {
            json_decref(rows);
            return NULL;
        }
    }
    return json_pack("{ss ss so}", "note", not_advice, "scope", scope(a), "obligations", rows);
}
