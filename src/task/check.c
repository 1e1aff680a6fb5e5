/* Are a task's data sets sound (task_check.h)? One list of all examples, sorted by input, brings equal inputs together:
 * duplicates and conflicts inside a set, and examples of the other sets that stand in the training set too.
 *
 *     input              set    answer
 *     "where is it"      train  order_status  ┐ duplicate
 *     "where is it"      train  order_status  ┘
 *     "where is it"      test   order_status    seen in training
 *     "my parcel"        train  order_status  ┐ conflict
 *     "my parcel"        train  missing_item  ┘
 *
 * A kind of finding is reported once for each set, with its number and its first place. Read next: check_model.c. */
#include "check.h"
#include "base_mem.h"

#include <stdarg.h>

enum { MAX_FINDINGS_BYTES = 1 << 20 };

int task_check_add(struct task_check *c, bool is_error, struct err *e, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (c->n_findings == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        struct task_finding *p = mem_realloc(c->finding, cap * sizeof *p);
        if (!p) return err_nomem(e, cap * sizeof *p);
        c->finding = p;
        c->cap = cap;
    }
    const char *kept = arena_strndup(&c->arena, text, strlen(text));
    if (!kept) return err_nomem(e, strlen(text));
    size_t at = is_error ? c->n_errors : c->n_findings;
    memmove(c->finding + at + 1, c->finding + at, (c->n_findings - at) * sizeof *c->finding);
    c->finding[at] = (struct task_finding){is_error, kept};
    c->n_findings++;
    c->n_errors += is_error;
    return 0;
}

/* ---- labels ---- */

struct label_use {
    const char *name;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct label_use *)a)->name, ((const struct label_use *)b)->name);
}

/* The labels that occur, with their numbers. *out is the caller's to free. */
static size_t count_labels(const struct task_examples *x, struct label_use *out)
{
    size_t n = 0, n_used = 0;
    for (size_t i = 0; i < x->n; i++)
        if (x->item[i].label) out[n++] = (struct label_use){x->item[i].label, 1};
    qsort(out, n, sizeof *out, by_name);
    for (size_t i = 0; i < n; i++) {
        if (n_used && strcmp(out[n_used - 1].name, out[i].name) == 0) out[n_used - 1].n++;
        else out[n_used++] = out[i];
    }
    return n_used;
}

static int unknown_labels(const struct task *t, struct task_check *c, enum task_split s, struct err *e)
{
    const struct task_examples *x = &c->examples[s];
    size_t n = 0, first = 0;
    for (size_t i = x->n; i-- > 0;)
        if (x->item[i].label && task_label_find(t, x->item[i].label) < 0) n++, first = i;
    if (n == 0) return 0;
    return task_check_add(c, true, e,
                          "%s: %zu examples have a label that the task does not name, first '%.60s' in line %lld.",
                          task_split_name(s), n, x->item[first].label, x->item[first].line);
}

static int missing_labels(const struct task *t, struct task_check *c, enum task_split s, const struct label_use *use,
                          size_t n_use, struct err *e)
{
    size_t n = 0;
    const char *first = NULL;
    for (unsigned i = t->n_labels; i-- > 0;) {
        struct label_use key = {t->labels[i].name, 0};
        if (bsearch(&key, use, n_use, sizeof *use, by_name)) continue;
        n++;
        first = t->labels[i].name;
    }
    if (n == 0) return 0;
    return task_check_add(c, false, e, "%s: %zu of the task's %u labels have no example, first '%.60s'.",
                          task_split_name(s), n, t->n_labels, first);
}

static int check_labels(const struct task *t, struct task_check *c, enum task_split s, struct err *e)
{
    struct task_split_facts *f = &c->split[s];
    const struct task_examples *x = &c->examples[s];
    struct label_use *use = mem_calloc(x->n, sizeof *use);
    if (!use) return err_nomem(e, x->n * sizeof *use);
    size_t n = count_labels(x, use);
    f->n_labels = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        if (use[i].n > f->n_commonest) f->n_commonest = use[i].n, f->commonest = use[i].name;
        if (i == 0 || use[i].n < f->n_rarest) f->n_rarest = use[i].n, f->rarest = use[i].name;
    }
    int rc = 0;
    if (t->n_labels) rc = unknown_labels(t, c, s, e);
    if (rc == 0 && t->n_labels) rc = missing_labels(t, c, s, use, n, e);
    if (rc == 0 && t->n_labels && 10 * f->n_commonest > 9 * x->n)
        rc = task_check_add(c, false, e, "%s: always answering '%.60s' is right %.1f %% of the time.",
                            task_split_name(s), f->commonest, 100.0 * (double)f->n_commonest / (double)x->n);
    mem_free(use);
    return rc;
}

/* ---- what each example must have ---- */

static int check_shape(const struct task *t, struct task_check *c, enum task_split s, struct err *e)
{
    const struct task_examples *x = &c->examples[s];
    size_t n_bare = 0, n_empty = 0;
    long long bare = 0, empty = 0;
    const char *part = t->kind == TASK_CLASSIFY ? "label" : "output";
    for (size_t i = x->n; i-- > 0;) {
        const struct task_example *ex = &x->item[i];
        bool has = t->kind == TASK_CLASSIFY ? ex->label != NULL : ex->output || ex->expect;
        if (!has && t->kind != TASK_EMBED) n_bare++, bare = ex->line;
        if (ex->input[strspn(ex->input, " \t\r\n")] == 0) n_empty++, empty = ex->line;
    }
    int rc = 0;
    if (n_bare)
        rc = task_check_add(c, true, e, "%s: %zu examples have no %s, first in line %lld.", task_split_name(s), n_bare,
                            part, bare);
    if (rc == 0 && n_empty)
        rc = task_check_add(c, false, e, "%s: %zu examples have an empty input, first in line %lld.",
                            task_split_name(s), n_empty, empty);
    return rc;
}

/* ---- equal inputs ---- */

struct entry {
    const struct task_example *x;
    const char *answer;
    enum task_split split;
};
struct place { /* the first example of a kind, by line */
    size_t n;
    const struct task_example *x;
};

static int by_input(const void *a, const void *b)
{
    const struct entry *p = a, *q = b;
    int order = strcmp(p->x->input, q->x->input);
    if (order == 0) order = (int)p->split - (int)q->split;
    if (order == 0) order = strcmp(p->answer, q->answer);
    return order ? order : (p->x->line > q->x->line) - (p->x->line < q->x->line);
}

static void note(struct place *p, const struct task_example *x)
{
    if (p->n++ == 0 || x->line < p->x->line) p->x = x;
}

struct equal {
    struct place duplicate[TASK_N_SPLITS], conflict[TASK_N_SPLITS], seen[TASK_N_SPLITS];
};

/* A run of entries with one input: sorted by set, then answer. */
static void look_at_run(const struct entry *run, size_t n, struct equal *out)
{
    bool conflict[TASK_N_SPLITS] = {false};
    for (size_t i = 0; i < n; i++) {
        enum task_split s = run[i].split;
        if (run[0].split == TASK_TRAIN && s != TASK_TRAIN) note(&out->seen[s], run[i].x);
        if (i == 0 || run[i - 1].split != s) continue;
        if (strcmp(run[i - 1].answer, run[i].answer) == 0) {
            note(&out->duplicate[s], run[i].x);
        } else if (!conflict[s]) {
            conflict[s] = true;
            note(&out->conflict[s], run[i].x);
        }
    }
}

static int report_equal(struct task_check *c, const struct equal *q, struct err *e)
{
    int rc = 0;
    for (int s = 0; s < TASK_N_SPLITS && rc == 0; s++) {
        struct task_split_facts *f = &c->split[s];
        const char *name = task_split_name((enum task_split)s);
        f->n_duplicate = q->duplicate[s].n;
        f->n_conflict = q->conflict[s].n;
        f->n_seen = q->seen[s].n;
        if (f->n_duplicate)
            rc = task_check_add(c, false, e, "%s: %zu examples repeat an earlier one, first in line %lld: \"%.60s\".",
                                name, f->n_duplicate, q->duplicate[s].x->line, q->duplicate[s].x->input);
        if (rc == 0 && f->n_conflict)
            rc = task_check_add(c, false, e,
                                "%s: %zu inputs stand there with different answers, first in line %lld: \"%.60s\".",
                                name, f->n_conflict, q->conflict[s].x->line, q->conflict[s].x->input);
        if (rc == 0 && f->n_seen)
            rc = task_check_add(c, false, e,
                                "%s: %zu inputs stand in the training data too, so that a model trained there knows "
                                "them; first in line %lld: \"%.60s\".",
                                name, f->n_seen, q->seen[s].x->line, q->seen[s].x->input);
    }
    return rc;
}

static const char *answer_of(const struct task_example *x)
{
    return x->label ? x->label : x->output ? x->output : x->expect;
}

static int check_equal(struct task_check *c, struct err *e)
{
    size_t n = 0, at = 0;
    struct equal q = {0};
    for (int s = 0; s < TASK_N_SPLITS; s++) n += c->examples[s].n;
    struct entry *all = mem_calloc(n ? n : 1, sizeof *all);
    if (!all) return err_nomem(e, n * sizeof *all);
    for (int s = 0; s < TASK_N_SPLITS; s++)
        for (size_t i = 0; i < c->examples[s].n; i++) {
            const struct task_example *x = &c->examples[s].item[i];
            all[at++] = (struct entry){x, answer_of(x), (enum task_split)s};
        }
    qsort(all, n, sizeof *all, by_input);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && strcmp(all[i].x->input, all[j].x->input) == 0;) j++;
        look_at_run(all + i, j - i, &q);
    }
    mem_free(all);
    return report_equal(c, &q, e);
}

/* ---- the task ---- */

static int check_split(const struct task *t, struct task_check *c, enum task_split s, struct err *e)
{
    struct err why = {0};
    struct task_split_facts *f = &c->split[s];
    if (!task_split_path(t, s)) return 0;
    int rc = task_split_load(t, s, &c->examples[s], &why);
    if (rc == CROFT_E_NOMEM) return err_nomem(e, 0);
    if (rc) return task_check_add(c, true, e, "%s: %.500s", task_split_name(s), why.msg);
    f->path = task_split_path(t, s);
    f->n = c->examples[s].n;
    rc = check_shape(t, c, s, e);
    return rc || t->kind != TASK_CLASSIFY ? rc : check_labels(t, c, s, e);
}

int task_check_data(const struct task *t, struct task_check *out, struct err *e)
{
    struct task_check c = {0};
    int rc = 0;
    arena_init(&c.arena, MAX_FINDINGS_BYTES);
    for (int s = 0; s < TASK_N_SPLITS && rc == 0; s++) rc = check_split(t, &c, (enum task_split)s, e);
    if (rc == 0) rc = check_equal(&c, e);
    if (rc == 0 && !task_split_path(t, TASK_TEST))
        rc = task_check_add(&c, false, e, "The task names no test data, so it cannot be scored.");
    if (rc) task_check_done(&c);
    else *out = c;
    return rc;
}

void task_check_done(struct task_check *c)
{
    for (int s = 0; s < TASK_N_SPLITS; s++) task_examples_done(&c->examples[s]);
    mem_free(c->finding);
    arena_done(&c->arena);
    *c = (struct task_check){0};
}
