/* The quality of a set of answers, in numbers. Every measure is a function of the answered examples, each counted w[i]
 * times: all once gives the value itself, a draw with replacement one of the values that the bootstrap makes its
 * interval of (task_boot.h). Pure functions over borrowed arrays; any thread.
 *
 *   accuracy, exact_match  share of right answers: of choices, of texts
 *   macro_f1               unweighted mean of F1 over the classes that occur, as truth or as answer
 *   field_*                precision, recall and F1 of the fields of structured answers, over all examples together
 *   log_loss               mean of -ln P(true class), P at least 2^-52
 *   brier                  mean over examples of sum_k (P(k) - [k is true])^2: 0 to 2 (Brier, 1950)
 *   ece                    expected calibration error: confidences in 15 bins of equal width, (0, 1/15], (1/15, 2/15],
 *                          …; sum over bins of share x |share right - mean confidence| (Guo et al., 2017)
 *   auroc                  probability that a right answer has more confidence than a wrong one, half where equal
 *   aurc                   area under the risk-coverage curve: mean over k = 1..n of the share of wrong answers among
 *                          the k of highest confidence (Geifman and El-Yaniv, 2017); equals in confidence stand in
 *                          random order, and the mean over those orders is taken */
#ifndef TASK_SCORE_H
#define TASK_SCORE_H

#include "base_err.h"

#include <jansson.h>

enum task_measure {
    TASK_M_ACCURACY, TASK_M_EXACT_MATCH, TASK_M_MACRO_F1, TASK_M_FIELD_F1, TASK_M_FIELD_PRECISION,
    TASK_M_FIELD_RECALL, TASK_M_LOG_LOSS, TASK_M_BRIER, TASK_M_ECE, TASK_M_AUROC, TASK_M_AURC, TASK_N_MEASURES
};
struct task_measure_info {
    const char *key, *title;
    bool is_loss; /* less is better */
};
const struct task_measure_info *task_measure_info(enum task_measure m);
int task_measure_find(const char *key); /* -1: there is none */

struct task_fields { /* values of structured answers: right, answered but not expected, expected but not answered */
    uint32_t hit, spurious, missed;
};
struct task_outcome {
    bool right;
    double confidence;      /* of the answer, 0 to 1; NaN: the model gave none */
    double p_truth, brier;  /* P(true class), and the example's part of the Brier score; NaN: no distribution */
    uint32_t truth, answer; /* classes, < n_classes; no class: n_classes */
    struct task_fields fields;
};
enum task_answers { TASK_ANSWERS_CHOICE, TASK_ANSWERS_TEXT, TASK_ANSWERS_FIELDS }; /* what is measured of them */
struct task_outcomes {
    const struct task_outcome *item; /* [n], borrowed */
    size_t n;
    enum task_answers kind;
    unsigned n_classes;  /* 0: the choices differ from example to example */
    bool has_confidence; /* every outcome has one; likewise p_truth and brier */
    bool has_distribution;
    uint32_t *order;     /* [n] by falling confidence, then by place; NULL without confidence */
    double *work;        /* [3, n_classes] */
};
/* NOMEM. LIMIT: more than 2^31 outcomes. */
int task_outcomes_init(struct task_outcomes *o, const struct task_outcome *item, size_t n, enum task_answers kind,
                       unsigned n_classes, struct err *e) ERR_CHECK;
void task_outcomes_done(struct task_outcomes *o);

/* w: [n], NULL: each once. NaN: not defined for these outcomes. Uses o->work: one thread at a time. */
double task_measure(enum task_measure m, struct task_outcomes *o, const uint32_t *w);

enum { TASK_ECE_BINS = 15, TASK_CURVE_POINTS = 100 };
struct task_bin {
    size_t n, n_right;
    double confidence; /* mean; 0 if n is 0 */
};
/* The reliability diagram: bin i has the confidences in (i/15, (i+1)/15]; 0 is in the first. */
void task_reliability(const struct task_outcomes *o, struct task_bin out[TASK_ECE_BINS]);
struct task_curve_point {
    double threshold, coverage, risk; /* confidence ≥ threshold has this share of answers, this share of them wrong */
};
/* Points of the risk-coverage curve, by rising coverage; one for each confidence that occurs, at most
 * TASK_CURVE_POINTS, the last with coverage 1. Returns how many. */
size_t task_risk_coverage(const struct task_outcomes *o, struct task_curve_point out[TASK_CURVE_POINTS]);

/* Fields of a JSON value (NULL: none was answered) against those expected.
 *
 * A field is a text, number or truth value together with the keys that lead to it; null and empty objects and lists
 * hold none. Under one key of two objects, values are compared with each other. Of two lists, elements are paired
 * whatever their order: again and again the pair with most fields in common, the earliest expected and then the
 * earliest answered one of those; an element is in one pair at most. Scalars are equal as JSON, numbers by value.
 * So {"artist": ["a", "b"]} against ["b", "c"] has one hit, one spurious and one missed.
 * LIMIT: nested deeper than 64. */
int task_fields_compare(const json_t *want, const json_t *got, struct task_fields *out, struct err *e) ERR_CHECK;

#endif
