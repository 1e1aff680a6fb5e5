/* What answering costs here and elsewhere. A scenario is a table of exact decimals; docs/TCO.md has every formula.
 *
 *     scenario (YAML, flags, measurements) -> costs month by month of up to four options -> tipping volume, sweep
 *                                          -> tornado, interval (Monte Carlo)             -> verdict
 *
 * Money and every other value are whole billionths (base_money.h); a product of two is rounded half to even to a
 * billionth, month by month and line by line, and nothing else is. Functions are pure; nothing is printed. */
#ifndef ECON_TCO_H
#define ECON_TCO_H

#include "base_arena.h"
#include "base_money.h"

#include <jansson.h>

/* ---- parameters ---- */

enum econ_unit {
    ECON_ANSWERS, /* a month */
    ECON_SHARE,
    ECON_FACTOR,
    ECON_MONTHS,
    ECON_TOKENS,
    ECON_MONEY,
    ECON_MONEY_ANSWER,
    ECON_MONEY_MTOKENS,
    ECON_MONEY_MONTH,
    ECON_MONEY_GB,
    ECON_MONEY_KWH,
    ECON_MONEY_HOUR,
    ECON_BYTES,
    ECON_GIGABYTES, /* 10^9 bytes */
    ECON_COUNT,
    ECON_RATE, /* answers a second */
    ECON_WATTS
};
enum econ_param {
#define PARAM(id, section, name, unit, def, min, max, low, high, help) ECON_P_##id,
#include "econ_params.inc"
#undef PARAM
    ECON_N_PARAMS
};
struct econ_param_info {
    const char *section, *name, *help;
    enum econ_unit unit;
    int64_t def, min, max; /* billionths */
    double low, high;      /* factors; 0, 0: certain */
};
const struct econ_param_info *econ_param_info(enum econ_param p);
int econ_param_find(const char *dotted);                                          /* "cloud.price_input"; -1: none */
const char *econ_unit_text(enum econ_unit u, const char *currency, char out[32]); /* "USD/month" */

/* Where a value came from. */
enum econ_source { ECON_DEFAULT, ECON_FROM_FILE, ECON_FROM_FLAG, ECON_MEASURED, ECON_FROM_TABLE };
const char *econ_source_word(enum econ_source s); /* "default", "file", "flag", "measured", "price table" */

/* How sure a value is; in the parameter's unit (1 is 1, not billionths). */
enum econ_chance_shape {
    ECON_CERTAIN,    /* a: 1 where the scenario says so, 0 where nobody said anything */
    ECON_UNIFORM,    /* a: least, b: most */
    ECON_TRIANGULAR, /* a: least, b: most likely, c: most */
    ECON_NORMAL,     /* a: mean, b: standard deviation; cut at the parameter's bounds */
    ECON_BETA        /* of shares: a of b counted; Jeffreys: Beta(a + 1/2, b - a + 1/2) */
};
struct econ_chance {
    enum econ_chance_shape shape;
    double a, b, c;
};

enum { ECON_MAX_MONTHS = 240, ECON_NOTE_MAX = 120 };

struct econ_scenario {
    const char *path; /* or NULL: flags alone */
    const char *name;
    char currency[4];
    bool decides;             /* kind classify: a decision API could answer it */
    bool cloud_allowed;       /* false: the data may not leave; cloud options are shown and not chosen */
    bool owned;               /* the units are there and powered anyway: they cost what answering adds */
    int64_t v[ECON_N_PARAMS]; /* billionths */
    struct econ_origin {
        enum econ_source source;
        int line;                 /* of the file; 0: none */
        char note[ECON_NOTE_MAX]; /* "receipts 2026-10-01 … 2026-10-31", "gpt-5-mini, 2026-07-24" */
    } origin[ECON_N_PARAMS];
    struct econ_chance chance[ECON_N_PARAMS];
    uint64_t seed;
    unsigned draws;    /* 0: no interval */
    double confidence; /* of the interval, 0.9: from the 5th to the 95th percentile */
    const char *cloud_model, *frontier_model, *decision_model; /* of the price table; NULL: none */
    struct arena arena;                                        /* of the strings */
};

/* The table of prices that ships belongs to routing; the program hands it in. US dollars. */
struct econ_prices {
    bool (*find)(const char *model, money *out_in, money *out_out, money *out_cached, const char **out_date);
    const char *decision_model; /* the decision API that is compared where the scenario names none; NULL: none */
};

void econ_scenario_init(struct econ_scenario *s); /* defaults; USD, seed 1, 10,000 draws, confidence 0.9 */
/* A YAML file over what s holds. FORMAT with file, line and advice: unknown names, units that do not match, values
 * out of bounds, another currency. */
int econ_scenario_load(struct econ_scenario *s, const char *path, struct err *e) ERR_CHECK;
/* One value: "12", "5 %", "0.12 USD/kWh", "3 years", in the parameter's unit or one that converts to it. */
int econ_scenario_set(struct econ_scenario *s, enum econ_param p, const char *text, enum econ_source source,
                      const char *note, struct err *e) ERR_CHECK;
/* A measured value with how sure it is; rounded to a billionth. FORMAT: out of the parameter's bounds. */
int econ_scenario_measured(struct econ_scenario *s, enum econ_param p, double value, struct econ_chance chance,
                           const char *note, struct err *e) ERR_CHECK;
/* To be called once all is set: prices of models, values that follow from others, default distributions; then what
 * one value alone cannot tell. USAGE or FORMAT: no price and no volume, both a price of answers and of tokens, too
 * few units for the volume, prices in dollars for another currency without exchange.usd. */
int econ_scenario_finish(struct econ_scenario *s, const struct econ_prices *prices, struct err *e) ERR_CHECK;
void econ_scenario_done(struct econ_scenario *s);

/* ---- costs ---- */

typedef __int128 econ_amount; /* billionths: a sum may pass what an int64_t holds */
double econ_amount_real(econ_amount a);
/* "-1234.50": rounded half to even to so many digits behind the point, 0 … 9. */
const char *econ_amount_text(econ_amount a, int digits, char out[48]);

enum econ_option { ECON_CLOUD, ECON_LOCAL, ECON_RENTED, ECON_DECISION, ECON_N_OPTIONS };
const char *econ_option_word(enum econ_option o); /* "cloud", "local", "rented", "decision" */
const char *
econ_option_title(enum econ_option o); /* "cloud API", "this hardware", "a rented GPU", "a decision API" */

/*  X(constant, word, title) */
#define ECON_LINE_TABLE(X)                                                                                           \
    X(ENGINEERING, "engineering", "engineering, once")                                                               \
    X(HARDWARE, "hardware", "hardware")                                                                              \
    X(RESIDUAL, "residual", "what the hardware is still worth")                                                      \
    X(FAILURES, "failures", "units that fail")                                                                       \
    X(RENT, "rent", "rent")                                                                                          \
    X(ENERGY, "energy", "energy")                                                                                    \
    X(OPERATIONS, "operations", "operations")                                                                        \
    X(UPDATES, "updates", "bytes of updates")                                                                        \
    X(USAGE, "usage", "answers of the API")                                                                          \
    X(ESCALATION, "escalation", "answers handed on")                                                                 \
    X(CHECKS, "checks", "answers checked elsewhere")                                                                 \
    X(EGRESS, "egress", "egress")                                                                                    \
    X(ERRORS, "errors", "wrong answers")
enum econ_line {
#define X(id, word, title) ECON_L_##id,
    ECON_LINE_TABLE(X)
#undef X
        ECON_N_LINES
};
const char *econ_line_word(enum econ_line l);
const char *econ_line_title(enum econ_line l);

struct econ_costs {
    bool there;                                          /* does the scenario describe this option? */
    econ_amount line[ECON_MAX_MONTHS + 1][ECON_N_LINES]; /* [months + 1]; [0] is paid before the first month */
    econ_amount month[ECON_MAX_MONTHS + 1];              /* sums of the lines */
    econ_amount total, npv;
    int64_t units;      /* that answer; 0: none are needed */
    double utilisation; /* mean of the last month; NAN: not known */
};
struct econ_tco {
    int months;
    econ_amount volume[ECON_MAX_MONTHS + 1]; /* [months + 1] answers, billionths; [0] is 0 */
    econ_amount answers;                     /* over the horizon */
    struct econ_costs option[ECON_N_OPTIONS];
    int payback;           /* first month from which local has cost no more than the cloud, and stays so; -1: none */
    double tipping;        /* answers a month from which local costs no more than the cloud over the horizon */
    double tipping_npv;    /* the same with discounted costs; INFINITY: at no volume; NAN: no cloud price */
    double tipping_simple; /* (CAPEX + lifecycle·T + engineering) / (price·T), the published formula */
};
/* Some 220 KB: let it come from mem_calloc. FORMAT: amounts that 128 bits do not hold. */
int econ_tco(const struct econ_scenario *s, struct econ_tco *out, struct err *e) ERR_CHECK;
/* Total of an option over the horizon per answer, in money. */
double econ_per_answer(const struct econ_tco *t, enum econ_option o);

/* ---- how sure ---- */

struct econ_bar { /* of the tornado: NPV of cloud minus local when one value goes from its 5th to its 95th percentile
                   */
    enum econ_param param;
    double low, high;               /* the values */
    double saving_low, saving_high; /* in money */
};
struct econ_interval {
    unsigned draws;
    double mean, median, low, high;  /* of the saving: NPV of cloud minus local, in money */
    double p_local;                  /* share of the draws in which local was the cheaper of the two */
    double cheapest[ECON_N_OPTIONS]; /* share of the draws in which each option was the cheapest */
    float *saving;                   /* [draws] sorted (mem_free) */
};
/* Sorted by what they move, the largest first; n ≤ ECON_N_PARAMS. */
int econ_tornado(const struct econ_scenario *s, struct econ_bar out[ECON_N_PARAMS], int *out_n,
                 struct err *e) ERR_CHECK;
int econ_simulate(const struct econ_scenario *s, struct econ_interval *out, struct err *e) ERR_CHECK;
/* A value drawn, or at a quantile, in the parameter's unit. state: of base_random.h. */
double econ_chance_draw(const struct econ_chance *c, uint64_t *state);
double econ_chance_quantile(const struct econ_chance *c, double q);
const char *econ_chance_text(const struct econ_chance *c, char out[96]); /* "triangular 1, 2, 3" */

/* ---- utilisation ---- */

struct econ_sweep_step {
    double utilisation; /* of one machine: the rented one where there is one, else a unit of the hardware */
    double volume;      /* answers a month */
    double per_answer[ECON_N_OPTIONS]; /* money; NAN: no such option */
    int64_t units;                     /* of the hardware at that volume */
};
struct econ_sweep {
    bool there; /* false: no rate is known */
    struct econ_sweep_step step[8];
    int n;
    double rented_wins; /* utilisation from which the rented one is the cheapest; INFINITY: never; NAN: none there */
    double local_wins;  /* utilisation of the same machine from which local is no dearer than the cloud; as above */
};
int econ_utilisation(const struct econ_scenario *s, struct econ_sweep *out, struct err *e) ERR_CHECK;

/* ---- verdict ---- */

enum econ_tco_verdict_kind {
    ECON_V_LOCAL,
    ECON_V_LOCAL_IDLE, /* only because the hardware is there anyway */
    ECON_V_CLOUD,
    ECON_V_DECISION, /* a decision API is cheaper than both */
    ECON_V_RENTED,
    ECON_V_OPEN,      /* the interval includes zero: not decided */
    ECON_V_LOCAL_ONLY /* the data may not leave: nothing to choose */
};
struct econ_tco_verdict {
    enum econ_tco_verdict_kind kind;
    char sentence[400]; /* whole sentences with the numbers that decided */
};
const char *econ_tco_verdict_word(enum econ_tco_verdict_kind k); /* "local", "local-idle", "cloud", … */
/* i may have no draws: then nothing is said about chance. */
int econ_decide(const struct econ_scenario *s, const struct econ_tco *t, const struct econ_interval *i,
                struct econ_tco_verdict *out, struct err *e) ERR_CHECK;

#endif
