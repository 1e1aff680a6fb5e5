/* A conversation's values and their placeholders (route_redact.h).
 *
 *     text      Write to anna@example.org.       →  Write to [EMAIL_1].
 *     values    anna@example.org  EMAIL 1
 *     answer    I wrote to [EMAIL_1].            →  I wrote to anna@example.org.
 *
 * What is replaced in a text is the union of what the detectors find in it, of the values noted anywhere in the
 * request (one automaton; exact bytes, not inside a word), and of what looks like a placeholder that restore would
 * take. The last is why restore is the inverse: a placeholder begins with the only '[' and ends with the only ']' in
 * it, so no text around one of ours can make another.
 *
 * Owns copies of the values, wiped at the end. Values are looked up by halving a sorted list, whose time a hostile
 * text cannot spoil as it can a hash's. One thread at a time. Read next: redact_chat.c, restore.c. */
#include "redact.h"

#include "base_mem.h"

#include <string.h>

static const char *const actions[] = {"keep", "mask", "restore", "block"};

const char *route_redact_action_name(enum route_redact_action a) { return actions[a]; }

int route_redact_action_find(const char *name)
{
    for (int i = 0; i < ROUTE_N_ACTIONS; i++)
        if (strcmp(actions[i], name) == 0) return i;
    return -1;
}

static const char *const marks[] = {
#define X(name, word, mark, text) mark,
    ROUTE_PII_TABLE(X)
#undef X
        "TEXT"};

int route_conversation_new(const struct route_detectors *d, const struct route_redact_policy *policy,
                           struct route_conversation **out, struct err *e)
{
    struct route_conversation *c = mem_calloc(1, sizeof *c);
    if (!c) return err_nomem(e, sizeof *c);
    c->d = d;
    c->policy = policy;
    for (int k = 0; k < ROUTE_N_PII; k++) {
        if (policy->action[k] != ROUTE_KEEP) c->kinds |= ROUTE_PII_BIT(k);
        if (policy->action[k] == ROUTE_BLOCK) c->blocked |= ROUTE_PII_BIT(k);
    }
    *out = c;
    return 0;
}

void route_conversation_free(struct route_conversation *c)
{
    if (!c) return;
    for (uint32_t i = 0; i < c->n; i++) {
        explicit_bzero(c->v[i].p, c->v[i].n);
        mem_free(c->v[i].p);
    }
    for (int m = 0; m < ROUTE_N_MARKS; m++) mem_free(c->of[m]);
    route_ac_free(c->known);
    route_spans_done(&c->found);
    mem_free(c->order);
    mem_free(c->v);
    mem_free(c);
}

void route_conversation_counts(const struct route_conversation *c, uint32_t counts[ROUTE_N_PII])
{
    memcpy(counts, c->count, ROUTE_N_PII * sizeof *counts);
}

/* ---- values ---- */

/* Where the value stands in `order`, or would. */
static uint32_t place_of(const struct route_conversation *c, const char *p, size_t n, bool *there)
{
    uint32_t lo = 0, hi = c->n;
    *there = false;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        const struct route_value *v = &c->v[c->order[mid]];
        int cmp = memcmp(v->p, p, v->n < n ? v->n : n);
        if (cmp == 0) cmp = (v->n > n) - (v->n < n);
        if (cmp == 0) *there = true;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int grow(struct route_conversation *c, struct err *e)
{
    if (c->n == ROUTE_VALUES_MAX)
        return ERR(e, LIMIT, "More than %d different values would have to be redacted: send less at once.",
                   ROUTE_VALUES_MAX);
    if (c->n < c->cap) return 0;
    uint32_t cap = c->cap ? c->cap * 2 : 16;
    struct route_value *v = mem_realloc(c->v, cap * sizeof *v);
    if (v) c->v = v;
    uint32_t *order = v ? mem_realloc(c->order, cap * sizeof *order) : NULL;
    if (order) c->order = order;
    for (int m = 0; m < ROUTE_N_MARKS && order; m++) {
        uint32_t *of = mem_realloc(c->of[m], cap * sizeof *of);
        if (of)
            c->of[m] = of;
        else
            order = NULL;
    }
    if (!order) return err_nomem(e, cap * sizeof *v);
    c->cap = cap;
    return 0;
}

/* The value's index; it gets the next number of its mark when it is new. */
static int value_of(struct route_conversation *c, const char *p, size_t n, uint32_t mark, uint32_t *index,
                    struct err *e)
{
    bool there;
    uint32_t at = place_of(c, p, n, &there);
    if (there) {
        *index = c->order[at];
        return 0;
    }
    int rc = grow(c, e);
    if (rc) return rc;
    char *copy = mem_alloc(n);
    if (!copy) return err_nomem(e, n);
    memcpy(copy, p, n);
    memmove(c->order + at + 1, c->order + at, (c->n - at) * sizeof *c->order);
    c->order[at] = *index = c->n;
    c->of[mark][c->count[mark]++] = c->n;
    c->v[c->n++] = (struct route_value){copy, (uint32_t)n, c->count[mark], mark};
    return 0;
}

/* ---- placeholders ---- */

bool route_mark_restores(const struct route_conversation *c, uint32_t mark)
{
    if (mark != ROUTE_MARK_TEXT) return c->policy->action[mark] == ROUTE_RESTORE;
    for (int k = 0; k < ROUTE_N_PII; k++)
        if (c->policy->action[k] == ROUTE_RESTORE) return true;
    return false;
}

/* '[' WORD '\'{0,4} '_' number ']': the word in any case, the number without leading zeros. */
static enum route_mark_is parse_as(const char *word, const char *p, size_t n, uint32_t *number, size_t *len)
{
    size_t i = 1, digits = 0;
    *number = 0;
    for (; *word; word++, i++) {
        if (i == n) return ROUTE_MARK_PART;
        if ((p[i] & ~32) != *word || !route_is_alpha(p[i])) return ROUTE_MARK_NONE;
    }
    for (int k = 0; k < ROUTE_MARK_BACKSLASHES && i < n && p[i] == '\\'; k++) i++;
    if (i == n) return ROUTE_MARK_PART;
    if (p[i++] != '_') return ROUTE_MARK_NONE;
    for (; i < n && digits < ROUTE_MARK_DIGITS && route_is_digit(p[i]); digits++)
        *number = *number * 10 + (uint32_t)(p[i++] - '0');
    if (digits && p[i - digits] == '0') return ROUTE_MARK_NONE;
    if (i == n) return ROUTE_MARK_PART;
    if (!digits || p[i] != ']') return ROUTE_MARK_NONE;
    *len = i + 1;
    return ROUTE_MARK_WHOLE;
}

enum route_mark_is route_mark_parse(const struct route_conversation *c, bool ours, const char *p, size_t n,
                                    uint32_t *mark, uint32_t *number, size_t *len)
{
    enum route_mark_is best = ROUTE_MARK_NONE;
    if (n == 0 || p[0] != '[') return best;
    for (uint32_t m = 0; m < ROUTE_N_MARKS; m++) {
        if (!route_mark_restores(c, m) || (ours && c->count[m] == 0)) continue;
        enum route_mark_is is = parse_as(marks[m], p, n, number, len);
        if (ours && is != ROUTE_MARK_NONE && *number > c->count[m]) continue;
        if (is == ROUTE_MARK_WHOLE) *mark = m;
        if (is > best) best = is;
        if (best == ROUTE_MARK_WHOLE) break;
    }
    return best;
}

/* ---- one text ---- */

/* What looks like a placeholder, as findings of the mark TEXT. */
static int find_marks(struct route_conversation *c, const char *text, size_t n, struct err *e)
{
    for (const char *p = text, *end = text + n; p < end && (p = memchr(p, '[', (size_t)(end - p))) != NULL;) {
        uint32_t mark, number;
        size_t len = 1;
        if (route_mark_parse(c, false, p, (size_t)(end - p), &mark, &number, &len) == ROUTE_MARK_WHOLE) {
            int rc = route_spans_add(
                &c->found, (struct route_span){(size_t)(p - text), len, (enum route_pii)ROUTE_MARK_TEXT}, e);
            if (rc) return rc;
        }
        p += len;
    }
    return 0;
}

/* What blocks is looked for by itself: a longer finding of another kind, or the one that came first, would hide it.
 */
static int check_blocked(struct route_conversation *c, const char *text, size_t n, const char *hint, struct err *e)
{
    int rc = c->blocked ? route_find_kinds(c->d, c->blocked, text, n, hint, &c->found, e) : 0;
    if (rc == 0 && c->found.n)
        rc = ERR(e, DENIED, "The request holds data of the kind '%s', which the policy does not let out.",
                 route_pii_word(c->found.v[0].kind));
    return rc;
}

/* Detectors and marks, into c->found. */
static int find(struct route_conversation *c, const char *text, size_t n, const char *hint, struct err *e)
{
    c->found.n = 0;
    if (n == 0) return 0;
    int rc = check_blocked(c, text, n, hint, e);
    uint32_t rest = c->kinds & ~c->blocked;
    if (rc == 0 && rest) rc = route_find_kinds(c->d, rest, text, n, hint, &c->found, e);
    if (rc == 0 && route_mark_restores(c, ROUTE_MARK_TEXT)) rc = find_marks(c, text, n, e);
    if (rc == 0) route_spans_settle(&c->found, 0);
    return rc;
}

int route_redact_note_as(struct route_conversation *c, const char *text, size_t n, const char *hint, struct err *e)
{
    uint32_t before = c->n, index;
    int rc = find(c, text, n, hint, e);
    for (size_t i = 0; i < c->found.n && rc == 0; i++)
        rc = value_of(c, text + c->found.v[i].at, c->found.v[i].n, c->found.v[i].kind, &index, e);
    if (c->n != before) {
        route_ac_free(c->known);
        c->known = NULL;
    }
    return rc;
}

/* Of all values but those too long for it, which are found by what they are. */
static int build_known(struct route_conversation *c, struct err *e)
{
    struct route_ac_words words = {0};
    int rc = 0;
    for (uint32_t i = 0; i < c->n && rc == 0; i++)
        if (c->v[i].n <= ROUTE_AC_MAX_WORD) rc = route_ac_words_add(&words, c->v[i].p, c->v[i].n, c->v[i].mark, e);
    if (rc == 0) rc = route_ac_build(&words, &c->known, e);
    for (size_t i = 0; i < words.n; i++) explicit_bzero(words.v[i].p, words.v[i].n);
    route_ac_words_done(&words);
    return rc;
}

static int find_known(struct route_conversation *c, const char *text, size_t n, struct err *e)
{
    uint32_t state = 0, len, mark;
    int rc = c->n && !c->known ? build_known(c, e) : 0;
    if (!c->known) return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        state = route_ac_step(c->known, state, (unsigned char)text[i]);
        if (i + 1 < n && route_is_alnum(text[i]) && route_is_alnum(text[i + 1])) continue;
        for (uint32_t hit = route_ac_hit(c->known, state, true, &len, &mark); hit;
             hit = route_ac_hit(c->known, hit, false, &len, &mark)) {
            size_t at = i + 1 - len;
            if (at && route_is_alnum(text[at]) && route_is_alnum(text[at - 1])) continue;
            rc = route_spans_add(&c->found, (struct route_span){at, len, (enum route_pii)mark}, e);
            break;
        }
    }
    return rc;
}

int route_redact_text_as(struct route_conversation *c, const char *text, size_t n, const char *hint, bool identifier,
                         struct buf *out, bool *changed, struct err *e)
{
    size_t from = 0;
    int rc = find(c, text, n, hint, e);
    if (rc == 0) rc = find_known(c, text, n, e);
    if (rc) return rc;
    route_spans_settle(&c->found, 0);
    for (size_t i = 0; i < c->found.n; i++) {
        struct route_span x = c->found.v[i];
        uint32_t index;
        if ((rc = value_of(c, text + x.at, x.n, x.kind, &index, e)) != 0) return rc;
        const struct route_value *v = &c->v[index];
        buf_add(out, text + from, x.at - from);
        buf_fmt(out, identifier ? "%s_%u" : "[%s_%u]", marks[v->mark], v->number);
        from = x.at + x.n;
    }
    if (n > from) buf_add(out, text + from, n - from);
    *changed = c->found.n != 0;
    return buf_check(out, "the redacted text", e);
}

int route_redact_note(struct route_conversation *c, const char *text, size_t n, struct err *e)
{
    return route_redact_note_as(c, text, n, "", e);
}

int route_redact_text(struct route_conversation *c, const char *text, size_t n, struct buf *out, struct err *e)
{
    bool changed;
    return route_redact_text_as(c, text, n, "", false, out, &changed, e);
}
