/* Metrics (base_metric.h): a list of families, each a list of series. Few and short, so lists are searched linearly.
 *
 *     # HELP croft_requests_total Requests answered.
 *     # TYPE croft_requests_total counter
 *     croft_requests_total{endpoint="chat",code="200"} 12
 *
 * A histogram prints cumulative buckets `_bucket{…,le="0.1"}`, ended by le="+Inf", then `_sum` and `_count`. */
#include "base_metric.h"
#include "base_mem.h"

#include <pthread.h>
#include <stdarg.h>

enum { MAX_SERIES = 1000, MAX_VALUE = 64 };

struct series {
    struct series *next;
    char label[METRIC_LABELS][MAX_VALUE];
    double value; /* a histogram's sum */
    uint64_t count, bucket[METRIC_BUCKETS + 1];
};
struct metric {
    struct metric *next;
    struct metrics *set;
    enum metric_type type;
    const char *name, *help, *labels;
    const double *bounds;
    int n_labels, n_bounds, n_series;
    struct series *series, **tail;
};
struct metrics {
    pthread_mutex_t lock;
    struct metric *first, **tail;
};

struct metrics *metrics_new(void)
{
    struct metrics *s = mem_calloc(1, sizeof *s);
    if (!s) return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->tail = &s->first;
    return s;
}

void metrics_free(struct metrics *s)
{
    if (!s) return;
    for (struct metric *m = s->first, *next; m; m = next) {
        next = m->next;
        for (struct series *x = m->series, *after; x; x = after) {
            after = x->next;
            mem_free(x);
        }
        mem_free(m);
    }
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct metric *metric_new(struct metrics *s, enum metric_type type, const char *name, const char *help,
                          const char *labels, const double *bounds)
{
    struct metric *m = s ? mem_calloc(1, sizeof *m) : NULL;
    if (!m) return NULL;
    *m = (struct metric){.set = s, .type = type, .name = name, .help = help, .labels = labels, .bounds = bounds};
    m->tail = &m->series;
    m->n_labels = *labels != 0;
    for (const char *p = labels; *p; p++) m->n_labels += *p == ',';
    while (bounds && m->n_bounds < METRIC_BUCKETS && bounds[m->n_bounds] != 0) m->n_bounds++;
    pthread_mutex_lock(&s->lock);
    *s->tail = m;
    s->tail = &m->next;
    pthread_mutex_unlock(&s->lock);
    return m;
}

static bool same_labels(const struct metric *m, const struct series *x, const char *const *value)
{
    for (int i = 0; i < m->n_labels; i++)
        if (strncmp(x->label[i], value[i], MAX_VALUE - 1) != 0) return false;
    return true;
}

/* The series of these label values, made if it is new; NULL when there is no room. */
static struct series *find(struct metric *m, const char *const *value)
{
    for (struct series *x = m->series; x; x = x->next)
        if (same_labels(m, x, value)) return x;
    if (m->n_series == MAX_SERIES) return NULL;
    struct series *x = mem_calloc(1, sizeof *x);
    if (!x) return NULL;
    for (int i = 0; i < m->n_labels; i++) snprintf(x->label[i], MAX_VALUE, "%s", value[i]);
    m->n_series++;
    *m->tail = x;
    m->tail = &x->next;
    return x;
}

static void observe(struct metric *m, double v, bool set, va_list ap)
{
    const char *value[METRIC_LABELS] = {"", "", "", ""};
    for (int i = 0; i < m->n_labels && i < METRIC_LABELS; i++) value[i] = va_arg(ap, const char *);
    pthread_mutex_lock(&m->set->lock);
    struct series *x = find(m, value);
    if (x) {
        x->value = set ? v : x->value + v;
        x->count++;
        int b = 0;
        while (b < m->n_bounds && v > m->bounds[b]) b++;
        x->bucket[b]++;
    }
    pthread_mutex_unlock(&m->set->lock);
}

void metric_add(struct metric *m, double v, ...)
{
    va_list ap;
    if (!m) return;
    va_start(ap, v);
    observe(m, v, false, ap);
    va_end(ap);
}

void metric_set(struct metric *m, double v, ...)
{
    va_list ap;
    if (!m) return;
    va_start(ap, v);
    observe(m, v, true, ap);
    va_end(ap);
}

/* name{labels,extra} value */
static void print_line(const struct metric *m, const struct series *x, const char *suffix, const char *le, double v,
                       struct buf *out)
{
    const char *name = m->labels;
    buf_fmt(out, "%s%s", m->name, suffix);
    for (int i = 0; i < m->n_labels; i++) {
        size_t n = strcspn(name, ",");
        buf_fmt(out, "%c%.*s=\"", i ? ',' : '{', (int)n, name);
        for (const char *p = x->label[i]; *p; p++) {
            if (*p == '\n')
                buf_str(out, "\\n");
            else if (*p == '"' || *p == '\\')
                buf_fmt(out, "\\%c", *p);
            else
                buf_char(out, *p);
        }
        buf_char(out, '"');
        name += n + (name[n] == ',');
    }
    if (le) buf_fmt(out, "%cle=\"%s\"", m->n_labels ? ',' : '{', le);
    buf_fmt(out, "%s %.15g\n", m->n_labels || le ? "}" : "", v);
}

static void print_histogram(const struct metric *m, const struct series *x, struct buf *out)
{
    uint64_t below = 0;
    for (int b = 0; b <= m->n_bounds; b++) {
        char le[32] = "+Inf";
        if (b < m->n_bounds) snprintf(le, sizeof le, "%g", m->bounds[b]);
        below += x->bucket[b];
        print_line(m, x, "_bucket", le, (double)below, out);
    }
    print_line(m, x, "_sum", NULL, x->value, out);
    print_line(m, x, "_count", NULL, (double)x->count, out);
}

void metrics_text(struct metrics *s, struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&s->lock);
    for (struct metric *m = s->first; m; m = m->next) {
        buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
        for (struct series *x = m->series; x; x = x->next)
            if (m->type == METRIC_HISTOGRAM)
                print_histogram(m, x, out);
            else
                print_line(m, x, "", NULL, x->value, out);
    }
    pthread_mutex_unlock(&s->lock);
}
