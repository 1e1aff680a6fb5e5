/* Metrics in Prometheus' text format: families of counters, gauges and histograms with a few labels.
 *
 *     struct metric *m = metric_new(set, METRIC_COUNTER, "croft_requests_total", "Requests answered.",
 * "endpoint,code", NULL); metric_add(m, 1, "chat", "200");            as many label values as the family has labels
 *
 * Any thread; one lock a set, held for a lookup among the label values seen so far. Label values must come from small
 * sets (names of models, endpoints, codes), never from requests as they are: a family holds at most 1,000 series and
 * counts what does not fit in none. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base_buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_LABELS = 4, METRIC_BUCKETS = 16 };

struct metrics;
struct metric;                     /* owned by its set */
struct metrics *metrics_new(void); /* NULL without memory */
void metrics_free(struct metrics *s);
/* labels: "model,endpoint" or ""; bounds: upper bounds of a histogram, ascending, ended by 0. All literals: kept as
 * they are. NULL without memory; the functions below accept NULL. */
struct metric *metric_new(struct metrics *s, enum metric_type type, const char *name, const char *help,
                          const char *labels, const double *bounds);
/* Counters and gauges add, histograms observe. Then the label values, const char * each. */
void metric_add(struct metric *m, double v, ...);
void metric_set(struct metric *m, double v, ...);
/* Append all of it, in the order of metric_new. */
void metrics_text(struct metrics *s, struct buf *out);

#endif
