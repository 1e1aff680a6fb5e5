/* Is this hardware good enough for this model? Requirements against what was measured: each a check with its number
 * and its limit, and one verdict. Pure functions; docs/QUALIFY.md. */
#ifndef ECON_QUALIFY_H
#define ECON_QUALIFY_H

#include <stdbool.h>

/* NAN: not required. */
struct econ_required {
    double memory_factor;           /* free memory in multiples of the model's file; 1.5 */
    double decode_rate, prompt_rate; /* tokens per second */
    double p99_ms;                  /* of an answer */
    double sustained_share;         /* of the rate of the first third of the time in the last; 0.9 */
    double celsius;                 /* hottest at most */
    double joules;                  /* per answer at most */
    const char *level;              /* kernel level at least; NULL: none */
    bool evaluated;                 /* an evaluation that keeps the task's floor must be there */
};
/* NAN (or -1): not measured, or not readable here. */
struct econ_found {
    double file_bytes, available_bytes;
    double decode_rate, prompt_rate;
    int n_answers;
    double p50_ms, p95_ms, p99_ms;
    double seconds, first_rate, last_rate; /* answers per second in the first and last third of the time */
    double celsius_before, celsius_after;
    int throttled;                         /* times during the measurement; -1: not readable */
    double watts, joules;                  /* mean; per answer */
    const char *level;
    int level_rank, level_required_rank;   /* position in the list of levels, lowest first; -1: none */
    /* of an evaluation: */
    const char *evaluation;                /* where it was found; NULL: there is none */
    double score, floor;                   /* floor NAN: the task has none */
    bool same_model;                       /* it is of these weights */
    const char *calibration;               /* where one was found, or NULL */
};

enum econ_outcome { ECON_PASS, ECON_FAIL, ECON_OPEN, ECON_INFO };
const char *econ_outcome_word(enum econ_outcome o); /* "pass", "FAIL", "open", "info" */
enum { ECON_MAX_CHECKS = 12 };
struct econ_check {
    const char *name;  /* "memory" */
    enum econ_outcome outcome; /* OPEN: required, and it could not be established */
    double value, limit; /* NAN: none */
    const char *unit;
    char reason[240];  /* a sentence with both numbers */
};
struct econ_verdict {
    enum econ_outcome outcome; /* FAIL if a check fails, else OPEN if one is open, else PASS */
    struct econ_check check[ECON_MAX_CHECKS];
    int n;
};
void econ_qualify(const struct econ_required *r, const struct econ_found *f, struct econ_verdict *out);

/* The verdict on a prediction: rates below the requirement even at the upper end fail, above it even at the lower end
 * pass, else it is open. */
struct econ_prediction;
void econ_qualify_predicted(const struct econ_required *r, const struct econ_prediction *p, double memory_bytes,
                            struct econ_verdict *out);

#endif
