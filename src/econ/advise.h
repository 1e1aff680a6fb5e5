/* The rules of croft advise as they see each other: what one line found out for the others. */
#ifndef ECON_ADVISE_PRIVATE_H
#define ECON_ADVISE_PRIVATE_H

#include "econ_advise.h"

enum { ECON_VOLUME, ECON_LATENCY, ECON_COMPLIANCE, ECON_COST, ECON_FOOTPRINT, ECON_SHAPE }; /* the matrix's order */

struct econ_rules {
    const struct econ_advise_input *in;
    struct econ_advice *out;
    bool cloud_no;   /* no cloud, whatever it costs: a line `excludes` it */
    bool may_open;   /* not known whether the inputs may leave */
    bool cloud_open; /* nor, or not, whether a cloud is fast enough, or needs a network that is not there */
    bool local_no;   /* this model on this machine cannot do it */
    bool force;      /* something other than price speaks for local */
    enum econ_lean cost, shape;
    money dearer; /* what the own machine costs more a month, where both are known and the cloud is cheaper; else 0 */
};

/* The bar number `i` of a finding: a text, and the threshold's source or whoever set it. */
#define ECON_MARK(r, f, name, ...)                                                                                   \
    econ_mark_add((r), (f), (int)(offsetof(struct econ_thresholds, name) / sizeof(double)), __VA_ARGS__)
void econ_mark_add(struct econ_rules *r, struct econ_finding *f, int threshold, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define ECON_SAY(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)
struct econ_number {
    char text[32];
};
struct econ_number econ_count(double x);                                  /* "1,274,000" */
struct econ_number econ_amount_of(const struct econ_answers *a, money m); /* "54 USD" */

bool econ_closed(const struct econ_answers *a);                                    /* a choice, or by a schema */
money econ_cloud_cost(const struct econ_advise_input *in, bool *out_decision_api); /* a month; -1: not known */

/* The answer to a question as a number (words and flags by index), for trying others. NAN: none, or not of this kind.
 */
double econ_answer_get(const struct econ_answers *a, const struct econ_question *q);
void econ_answer_put(struct econ_answers *a, const struct econ_question *q, double value);
void econ_answer_range(const struct econ_question *q, double *out_least, double *out_most);

void econ_matrix(struct econ_rules *r);                                      /* advise_rules.c */
void econ_dimensions(struct econ_rules *r);                                  /* advise_places.c */
void econ_settle(struct econ_rules *r);                                      /* advise_verdict.c */
void econ_look(const struct econ_advise_input *in, struct econ_advice *out); /* all but the flips */

#endif
