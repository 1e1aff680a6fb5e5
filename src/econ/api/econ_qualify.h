/* Is this hardware good enough for this model? Requirements against what was measured: each a check with its number
 * and its limit, and one verdict. Pure functions; docs/QUALIFY.md. */
#ifndef ECON_QUALIFY_H
#define ECON_QUALIFY_H

#include <stdbool.h>

/* NAN: not required. */
struct econ_required {
    double memory_factor;            /* free memory in multiples of the model's file; 1.5 */
    double decode_rate, prompt_rate; /* tokens per second */
    double p99_ms;                   /* of an answer */
    double sustained_share;          /* of the rate of the first third of the time, in its last third */
    double celsius;                  /* hottest at most */
    double joules;                   /* per answer at most */
    int level_rank;                  /* kernel level at least, by its place among the levels; -1: none */
    const char *level;
    bool evaluated; /* there must be an evaluation of these weights that keeps its floor */
};
/* NAN (or -1, or NULL): not measured, or not readable here. */
struct econ_found {
    double file_bytes, available_bytes;
    double decode_rate, prompt_rate;
    int n_answers;
    double p50_ms, p95_ms, p99_ms;
    double seconds, first_rate, last_rate; /* the time; answers per second in its first and last third */
    double celsius;                        /* hottest seen */
    int throttled;                         /* times slowed by heat meanwhile */
    double joules;                         /* per answer */
    double load;                           /* tasks that wanted to run before, per CPU */
    const char *level;                     /* kernel level */
    int level_rank;
    const char *evaluation;     /* the report; NULL: there is none */
    bool same_model, same_task; /* it is of these weights; of this revision of the task */
    double score, floor;        /* floor NAN: the report says none */
    const char *metric;
};

enum econ_outcome { ECON_PASS, ECON_FAIL, ECON_OPEN, ECON_INFO };
const char *econ_outcome_word(enum econ_outcome o); /* "pass", "fail", "open", "info" */
enum { ECON_MAX_CHECKS = 12 };
struct econ_check {
    const char *name;          /* "memory" */
    enum econ_outcome outcome; /* OPEN: required, and it could not be established; INFO: not required */
    double value, limit;       /* NAN: none */
    const char *unit;
    char reason[240]; /* a sentence with both numbers */
};
struct econ_verdict {
    enum econ_outcome outcome; /* FAIL if a check fails, else OPEN if one is open, else PASS */
    struct econ_check check[ECON_MAX_CHECKS];
    int n;
};
void econ_qualify(const struct econ_required *r, const struct econ_found *f, struct econ_verdict *out);

/* The same of hardware that is not at hand. What is required of rates and answer time fails when even the good end of
 * the prediction misses it, passes when even the bad end keeps it, and is open between. What only a measurement can
 * show (sustained rate, heat, energy, kernel level) is open where it is required. Of `evaluation` the load counts too,
 * where limits were measured here: NAN where they were not. */
struct econ_prediction;
void econ_qualify_predicted(const struct econ_required *r, const struct econ_found *evaluation,
                            const struct econ_prediction *p, double memory_bytes, struct econ_verdict *out);

#endif
