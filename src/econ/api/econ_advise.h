/* Where should a task's answers come from: this house, the cloud, or both? The published decision matrix (volume,
 * latency objective, compliance, cost, footprint, hybrid or distil) and the dimensions of placement, as pure
 * functions of answers and thresholds. Every line names the number that decided it, the threshold with its source,
 * and what would change it. docs/ADVISE.md */
#ifndef ECON_ADVISE_H
#define ECON_ADVISE_H

#include "base_arena.h"
#include "base_buf.h"
#include "base_money.h"

#include <jansson.h>

/* ---- answers ---- */

enum econ_bounded { ECON_CHOICE, ECON_SCHEMA, ECON_NARROW, ECON_UNBOUNDED }; /* the first two are closed */
enum econ_data { ECON_PUBLIC, ECON_INTERNAL, ECON_PERSONAL, ECON_SPECIAL, ECON_SECRET };
enum econ_leave { ECON_ANYWHERE, ECON_REGION, ECON_REDACTED, ECON_PREMISES_ONLY, ECON_DEVICE_ONLY };
enum econ_offline { ECON_ALWAYS_ONLINE, ECON_SHORT_GAPS, ECON_MUST_WORK };
enum econ_operations { ECON_OWN_PEOPLE, ECON_PARTNER, ECON_NOBODY };

/* Not answered: NAN for numbers, -1 for words, flags and money, NULL for texts. One row of advise_questions.inc each.
 */
struct econ_answers {
    int bounded;                               /* enum econ_bounded */
    double volume_month;                       /* questions */
    double latency_ms;                         /* objective for 95 of 100 answers; 0: there is none */
    double cloud_latency_ms, local_latency_ms; /* measured, 95 of 100 */
    int data, leave;                           /* enum econ_data, econ_leave */
    int cloud_in_region;                       /* flag */
    const char *const *regimes; /* [n_regimes] words of econ_regime_names; n_regimes -1: not answered */
    int n_regimes;
    int offline;                           /* enum econ_offline */
    money cloud_cost_month, price_million; /* the whole; or for a million tokens, of tokens_question each */
    double tokens_question;
    money local_cost_month;         /* all in: the hardware's share, energy, operations */
    money local_extra_month;        /* what is added on a machine that is there and idle anyway */
    double utilisation;             /* share of the time the machine would be busy */
    double parameters_b, memory_gb; /* billions; 10^9 bytes free for the model */
    double quality_local, floor;    /* of the task's metric, 0 to 1 */
    double escalation;              /* share that calibration sends on */
    double examples;                /* labelled */
    double upload_kb, uplink_mbit;
    int operations;       /* enum econ_operations */
    const char *currency; /* "USD" where nothing is said */
};

/* Settings, each with a source: advise_thresholds.inc. */
struct econ_thresholds {
    double volume_low, volume_high, volume_million;
    double cloud_fastest_ms, cloud_usual_ms;
    double cost_margin, decision_price_million;
    double bits_per_weight, memory_factor;
    double escalation_usual, examples_closed, examples_text;
    double utilisation_rented, uplink_share;
};
enum { ECON_N_THRESHOLDS = 14 };
struct econ_threshold_info {
    const char *name, *unit, *meaning, *source;
    double fallback;
};
const struct econ_threshold_info *econ_threshold_info(void); /* [ECON_N_THRESHOLDS], in the struct's order */

enum econ_answer_kind {
    ECON_ASK_NUMBER,
    ECON_ASK_MONEY,
    ECON_ASK_WORD,
    ECON_ASK_FLAG,
    ECON_ASK_NAMES,
    ECON_ASK_TEXT
};
struct econ_question {
    const char *key, *prompt;
    enum econ_answer_kind kind;
    const char *const *words; /* WORD, NAMES: what may be said, NULL behind the last */
    const char *fallback;     /* what a terminal proposes, or NULL */
};
const struct econ_question *econ_questions(void); /* a row with key NULL ends the table */

/* What croft tco says of a scenario, as the cost line tells it. */
struct econ_told_cost {
    bool there, decision_api, idle_only, rented;
    int lean; /* enum econ_lean */
    char number[160], why[400], change[96], interval[96], source[160];
};

/* What the file, the task and the flags said. Its strings are in `arena`. */
struct econ_advise_input {
    struct arena arena;
    struct econ_answers a;
    struct econ_thresholds t;
    bool own_threshold[ECON_N_THRESHOLDS]; /* set by the user: the published source does not stand behind it */
    char set_by[ECON_N_THRESHOLDS][64];    /* "answers.yaml:12", "--set" */
    const char *tco;                       /* a scenario for croft tco, resolved beside the file; or NULL */
    struct econ_told_cost cost;
};
void econ_advise_input_init(struct econ_advise_input *in);
void econ_advise_input_done(struct econ_advise_input *in);
/* A file of answers. FORMAT with file, line and the nearest key for what is wrong. */
int econ_advise_read(struct econ_advise_input *in, const char *path, struct err *e) ERR_CHECK;
/* One answer in words ("200000", "closed", "gdpr, dora", "yes"; "thresholds.volume_low": a threshold); an empty text
 * takes the answer back. FORMAT: no such key, or no such value. */
int econ_advise_set(struct econ_advise_input *in, const char *key, const char *text, struct err *e) ERR_CHECK;
/* Run the scenario that `tco` names, if one is: its costs are the cost line, its volume answers volume_month where
 * that was not answered. The scenario's errors. */
struct econ_prices; /* econ_tco.h */
int econ_advise_cost(struct econ_advise_input *in, const struct econ_prices *prices, struct err *e) ERR_CHECK;
bool econ_answered(const struct econ_answers *a, const char *key);
/* Is it worth asking, after the answers so far? */
bool econ_worth_asking(const struct econ_answers *a, const char *key);

/* ---- advice ---- */

enum econ_lean {
    ECON_LEAN_LOCAL,
    ECON_LEAN_HYBRID, /* local first, escalate */
    ECON_LEAN_TUNE,   /* tune or distil first */
    ECON_LEAN_CLOUD,
    ECON_LEAN_EITHER,    /* this line speaks for none */
    ECON_LEAN_UNDECIDED, /* sources disagree, or the number lies between */
    ECON_LEAN_UNANSWERED
};
const char *econ_lean_word(enum econ_lean l); /* "local", … */

enum { ECON_DEVICE, ECON_PREMISES, ECON_CLOUD_PLACE, ECON_N_PLACES };
const char *econ_place_word(int place);

struct econ_mark { /* what a number was held against */
    char text[96];
    char source[288];
};
struct econ_finding {
    const char *rule, *title;
    enum econ_lean lean;
    bool excludes;                    /* a place is out of the question by this line alone */
    signed char place[ECON_N_PLACES]; /* dimensions: -2 excluded, -1 speaks against, 0, +1 speaks for */
    char number[160];                 /* that decided */
    struct econ_mark mark[2];
    int n_marks;
    char why[400], change[224];
};
enum { ECON_N_MATRIX = 6, ECON_N_DIMENSIONS = 7, ECON_MAX_NEEDS = 10, ECON_MAX_FLIPS = 24, ECON_MAX_PROVIDED = 8 };
struct econ_flip { /* this other answer alone would give another verdict */
    const char *key;
    char value[64]; /* "premises", "1274000 or more" */
    enum econ_lean verdict;
    bool answered;
};
struct econ_advice {
    enum econ_lean verdict;               /* LOCAL, HYBRID, TUNE, CLOUD, or UNDECIDED */
    bool decision_api, idle_only, rented; /* what decided: the price of a decision API, of a machine that is idle
                                             anyway, of a rented one */
    char headline[160], why[560];
    struct econ_finding matrix[ECON_N_MATRIX], dimension[ECON_N_DIMENSIONS];
    bool remains[ECON_N_PLACES];      /* no line excludes it */
    const char *need[ECON_MAX_NEEDS]; /* UNDECIDED: keys without whose answers it stays so */
    int n_needs;
    char provided[ECON_MAX_PROVIDED][224]; /* what is still to be shown or done */
    int n_provided;
    struct econ_flip flip[ECON_MAX_FLIPS];
    int n_flips;
};
/* Pure: no allocation, no failure. */
void econ_advise(const struct econ_advise_input *in, struct econ_advice *out);

/* ---- the worksheet ---- */

extern const char *const econ_regime_names[]; /* gdpr, hipaa, …; NULL behind the last */
enum econ_effect { ECON_ARISES, ECON_STAYS, ECON_FALLS_AWAY };
struct econ_obligation { /* advise_obligations.inc */
    const char *regime, *reference, *duty;
    enum econ_effect effect[ECON_N_PLACES];
    const char *why, *evidence, *command; /* command: what shows the evidence */
};
const struct econ_obligation *econ_obligations(int *out_n);
/* Do the answers name this regime, or does the data's kind imply it? Without any answer: all apply. */
bool econ_regime_applies(const struct econ_answers *a, const char *regime);

/* ---- output ---- */

void econ_advise_text(const struct econ_advice *a, struct buf *out);
void econ_worksheet_text(const struct econ_answers *a, struct buf *out);
/* Documents with the worksheet; answers and advice in the first. */
void econ_advise_markdown(const struct econ_advise_input *in, const struct econ_advice *a, struct buf *out);
void econ_worksheet_markdown(const struct econ_answers *a, struct buf *out);
json_t *econ_advise_json(const struct econ_advise_input *in, const struct econ_advice *a); /* NULL without memory */
json_t *econ_worksheet_json(const struct econ_answers *a);
/* A file of answers to begin from: every key with its question, every threshold with its source. */
void econ_questions_yaml(struct buf *out);

#endif
