/* Detectors of personal data (route_detect.h): making them, and one text through all of them.
 *
 * Three ways of finding work beside each other: patterns with check digits over a folded copy of the text
 * (detect_scan.c), the user's lists, an automaton each (detect_list.c), and a model that a bundle brings. Findings
 * that overlap become one, which covers both and is of the longer's kind: rather a byte too much than one too few.
 * What stands inside a finding is not looked at again, so one kind may hide another: whoever must know of a kind asks
 * for it alone.
 *
 * Owns the automata; a finding run owns its folded copy and gives it back. Read-only when made: any thread. Read
 * next: detect_fold.c, detect_scan.c, then a detector such as detect_net.c. */
#include "detect.h"

#include "base_mem.h"

#include <stdlib.h>
#include <string.h>

const char *const route_pii_words[] = {
#define X(name, word, mark, text) word,
    ROUTE_PII_TABLE(X)
#undef X
        NULL};

/* Kinds that no pattern finds. */
enum { LISTED = 1 << ROUTE_PII_NAME | 1 << ROUTE_PII_ADDRESS | 1 << ROUTE_PII_TERM };

const char *route_pii_word(enum route_pii k) { return route_pii_words[k]; }

int route_pii_find(const char *word)
{
    for (int i = 0; i < ROUTE_N_PII; i++)
        if (strcmp(route_pii_words[i], word) == 0) return i;
    return -1;
}

int route_spans_add(struct route_spans *s, struct route_span span, struct err *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct route_span *v = mem_realloc(s->v, cap * sizeof *v);
        if (!v) return err_nomem(e, cap * sizeof *v);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = span;
    return 0;
}

void route_spans_done(struct route_spans *s)
{
    mem_free(s->v);
    *s = (struct route_spans){0};
}

static int by_place(const void *a, const void *b)
{
    const struct route_span *x = a, *y = b;
    if (x->at != y->at) return (x->at > y->at) - (x->at < y->at);
    return (y->n > x->n) - (y->n < x->n);
}

void route_spans_settle(struct route_spans *s, size_t first)
{
    size_t kept = first;
    if (s->n > first) qsort(s->v + first, s->n - first, sizeof *s->v, by_place);
    for (size_t i = first; i < s->n; i++) {
        struct route_span x = s->v[i], *last = kept > first ? &s->v[kept - 1] : NULL;
        if (!last || x.at >= last->at + last->n) {
            s->v[kept++] = x;
            continue;
        }
        size_t end = x.at + x.n > last->at + last->n ? x.at + x.n : last->at + last->n;
        if (x.n > last->n) last->kind = x.kind;
        last->n = end - last->at;
    }
    s->n = kept;
}

int route_detectors_new(const struct route_detect_conf *conf, struct route_detectors **out, struct err *e)
{
    const struct {
        const char *path;
        enum route_pii kind;
    } lists[] = {{conf->names_file, ROUTE_PII_NAME},
                 {conf->addresses_file, ROUTE_PII_ADDRESS},
                 {conf->terms_file, ROUTE_PII_TERM}};
    struct route_detectors *d = mem_calloc(1, sizeof *d);
    int rc = d ? 0 : err_nomem(e, sizeof *d);
    uint32_t possible = ROUTE_PII_ALL & ~(uint32_t)LISTED;
    for (int i = 0; i < 3 && rc == 0; i++) {
        if (!lists[i].path || !(conf->kinds & ROUTE_PII_BIT(lists[i].kind))) continue;
        struct route_ac_words list = {0};
        rc = route_list_add_file(&list, lists[i].path, lists[i].kind, e);
        if (rc == 0 && list.n) rc = route_ac_build(&list, &d->list[lists[i].kind], e);
        route_ac_words_done(&list);
        possible |= ROUTE_PII_BIT(lists[i].kind);
    }
    for (int i = 0; i < conf->n_patterns && rc == 0; i++) {
        const struct route_pattern *x = &conf->pattern[i];
        if (!(conf->kinds & ROUTE_PII_BIT(x->kind))) continue;
        d->pattern[d->n_patterns].kind = (enum route_pii)x->kind;
        rc = task_pattern_new(x->regex, x->whole, &d->pattern[d->n_patterns].search, e);
        d->n_patterns += rc == 0;
        possible |= ROUTE_PII_BIT(x->kind);
    }
    if (rc) {
        route_detectors_free(d);
        return rc;
    }
    d->kinds = conf->kinds & (conf->spot ? ROUTE_PII_ALL : possible);
    d->spot = conf->spot;
    d->spot_arg = conf->spot_arg;
    *out = d;
    return 0;
}

void route_detectors_free(struct route_detectors *d)
{
    if (!d) return;
    for (int k = 0; k < ROUTE_N_PII; k++) route_ac_free(d->list[k]);
    for (int i = 0; i < d->n_patterns; i++) task_pattern_free(d->pattern[i].search);
    mem_free(d);
}

uint32_t route_detectors_kinds(const struct route_detectors *d) { return d->kinds; }

/* What the model says about the text itself, without the hint; checked, as it is not ours. */
static int spot(const struct route_detectors *d, const char *text, size_t n, size_t skip, struct route_spans *out,
                struct err *e)
{
    size_t first = out->n;
    int rc = d->spot(d->spot_arg, text + skip, n - skip, out, e);
    for (size_t i = first; i < out->n && rc == 0; i++) {
        struct route_span *x = &out->v[i];
        if ((unsigned)x->kind >= ROUTE_N_PII || x->at > n - skip || x->n > n - skip - x->at)
            return ERR(e, INTERNAL, "The model for personal data points outside the text: do not use this bundle.");
        x->at += skip;
    }
    return rc;
}

struct matches {
    struct route_spans *out;
    size_t skip;
    enum route_pii kind;
    struct err *e;
};

static int add_match(void *arg, size_t at, size_t n)
{
    struct matches *m = arg;
    return route_spans_add(m->out, (struct route_span){m->skip + at, n, m->kind}, m->e);
}

/* The users' patterns, which see the text as it is, without the hint. */
static int match(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n, size_t skip,
                 struct route_spans *out, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < d->n_patterns && rc == 0; i++) {
        struct matches m = {out, skip, d->pattern[i].kind, e};
        if (kinds & ROUTE_PII_BIT(m.kind))
            rc = task_pattern_find(d->pattern[i].search, text + skip, n - skip, add_match, &m, e);
    }
    return rc;
}

static bool in_character(const char *text, size_t i, size_t n)
{
    return i < n && ((unsigned char)text[i] & 0xC0) == 0x80;
}

/* The findings of a text with a hint of `skip` bytes in front, as those of the text alone: whole characters of it,
 * and only the kinds asked for. */
static void keep(const char *text, size_t n, size_t skip, uint32_t kinds, struct route_spans *out, size_t first)
{
    size_t kept = first;
    for (size_t i = first; i < out->n; i++) {
        struct route_span x = out->v[i];
        size_t from = x.at > skip ? x.at : skip, to = x.at + x.n;
        if (to <= from || !(kinds & ROUTE_PII_BIT(x.kind))) continue;
        for (int k = 0; k < 3 && from > skip && in_character(text, from, n); k++) from--;
        for (int k = 0; k < 3 && in_character(text, to, n); k++) to++;
        out->v[kept++] = (struct route_span){from - skip, to - from, x.kind};
    }
    out->n = kept;
}

static int find(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n, size_t skip,
                struct route_spans *out, struct err *e)
{
    struct route_scan s = {.kinds = kinds & d->kinds, .out = out};
    uint32_t *map = NULL;
    char *buf = NULL;
    size_t first = out->n;
    int rc = route_scan_fold(&s, text, n, &buf, &map, e);
    if (rc == 0) rc = route_scan_run(&s, e);
    for (int k = 0; k < ROUTE_N_PII && rc == 0; k++)
        if (d->list[k] && (s.kinds & ROUTE_PII_BIT(k))) rc = route_list_find(d->list[k], text, n, out, e);
    if (rc == 0) rc = match(d, s.kinds, text, n, skip, out, e);
    if (rc == 0 && d->spot) rc = spot(d, text, n, skip, out, e);
    if (buf) explicit_bzero(buf, s.n);
    mem_free(buf);
    mem_free(map);
    if (rc) {
        out->n = first;
        return rc;
    }
    keep(text, n, skip, s.kinds, out, first);
    route_spans_settle(out, first);
    return 0;
}

int route_find_kinds(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n, const char *hint,
                     struct route_spans *out, struct err *e)
{
    size_t n_hint = strlen(hint);
    if (n > ROUTE_DETECT_MAX_BYTES || n_hint > ROUTE_DETECT_MAX_BYTES)
        return ERR(e, LIMIT, "A text of %zu bytes is too long to be searched for personal data.", n);
    if (n == 0) return 0;
    if (n_hint == 0) return find(d, kinds, text, n, 0, out, e);
    size_t total = n_hint + 2 + n;
    char *whole = mem_alloc(total);
    if (!whole) return err_nomem(e, total);
    memcpy(whole, hint, n_hint);
    memcpy(whole + n_hint, ": ", 2);
    if (n) memcpy(whole + n_hint + 2, text, n);
    int rc = find(d, kinds, whole, total, n_hint + 2, out, e);
    explicit_bzero(whole, total);
    mem_free(whole);
    return rc;
}

int route_find(const struct route_detectors *d, const char *text, size_t n, const char *hint, struct route_spans *out,
               struct err *e)
{
    return route_find_kinds(d, ROUTE_PII_ALL, text, n, hint, out, e);
}

int route_detect(const struct route_detectors *d, uint32_t kinds, const char *text, size_t n,
                 uint32_t counts[ROUTE_N_PII], struct err *e)
{
    struct route_spans found = {0};
    int rc = 0;
    for (int k = 0; k < ROUTE_N_PII && rc == 0; k++) {
        if (!(kinds & d->kinds & ROUTE_PII_BIT(k))) continue;
        found.n = 0;
        rc = route_find_kinds(d, ROUTE_PII_BIT(k), text, n, "", &found, e);
        if (rc == 0) counts[k] += (uint32_t)found.n;
    }
    route_spans_done(&found);
    return rc;
}
