/* Arrays of a JSON Schema. Without more than item schemas and bounds an array is a list with a repetition; two
 * keywords make it count.
 *
 * contains: which items satisfy its schema is counted along. With i items written and c of them counted,
 *
 *   A(i, c) ::= item that counts, A(i+1, c+1)  |  any item, A(i+1, c)  |  "]" if both are enough
 *
 * where "any" must not count when there is a maxContains. c stops at the last number that matters, i behind prefixes
 * and bounds, where the list goes on as a repetition.
 *
 * uniqueItems: where the items are listed values (enum, const, booleans). Up to 8 of them may come in any order: a
 * state for each set of those that are used. More come in the order of the list. Next: gram_schema_str.c. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_ANY_ORDER = 8, MAX_UNIQUE = 2000, MAX_STATES = 20000 };

struct array {
    struct schema *s;
    const struct part *p;
    size_t n_p, n_prefix;
    uint32_t min, max;
    bool unique, derived, never;
    const json_t *has; /* contains, so often */
    const char *has_at;
    uint32_t has_min, has_max;
};

/* What the parts say of item i, or of those behind all prefixes (i == n_prefix); *named: somebody speaks. */
static bool item_says(struct array *a, size_t i, struct part *out, size_t *n, bool *named)
{
    *n = 0;
    for (size_t k = 0; k < a->n_p; k++) {
        const struct part *p = &a->p[k];
        const json_t *items = json_object_get(p->s, "items"), *prefix = json_object_get(p->s, "prefixItems");
        const char *rest = "items";
        if (json_is_array(items)) { /* the older spelling */
            prefix = items;
            items = json_object_get(p->s, "additionalItems");
            rest = "additionalItems";
        }
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (i < json_array_size(prefix))
            out[(*n)++] = (struct part){json_array_get(prefix, i), gram_schema_at(a->s, p->at, "prefixItems", index)};
        else if (items)
            out[(*n)++] = (struct part){items, gram_schema_at(a->s, p->at, rest, NULL)};
        *named |= prefix || items;
    }
    return !a->s->e->code;
}

static bool read_contains(struct array *a, const struct part *p)
{
    const json_t *has = json_object_get(p->s, "contains");
    bool derived = json_object_get(p->s, GRAM_FOR) != NULL;
    if (!has) return true;
    if (a->has && (derived || a->derived)) a->never = true; /* a way of failing a schema that is left out */
    if (a->never) a->s->left_out = p->at;
    a->derived |= derived;
    if (a->never) return true;
    if (a->has) return gram_schema_fail(a->s, CROFT_E_UNSUPPORTED, p->at, "contains", "two of them for one array.");
    a->has = has;
    a->has_at = gram_schema_at(a->s, p->at, "contains", NULL);
    if (json_object_get(p->s, "minContains")) a->has_min = 0;
    return gram_schema_count(a->s, p, 1, "minContains", false, &a->has_min) &&
           gram_schema_count(a->s, p, 1, "maxContains", true, &a->has_max);
}

static bool read_array(struct array *a)
{
    for (size_t k = 0; k < a->n_p; k++) {
        const json_t *items = json_object_get(a->p[k].s, "items"),
                     *prefix = json_object_get(a->p[k].s, "prefixItems"),
                     *unique = json_object_get(a->p[k].s, "uniqueItems");
        size_t n = json_is_array(items) ? json_array_size(items) : json_array_size(prefix);
        if (prefix && !json_is_array(prefix))
            return gram_schema_fail(a->s, CROFT_E_FORMAT, a->p[k].at, "prefixItems",
                                    "a list of schemas is expected.");
        if (n > 1000) return gram_schema_fail(a->s, CROFT_E_LIMIT, a->p[k].at, "prefixItems", "too many schemas.");
        if (n > a->n_prefix) a->n_prefix = n;
        if (unique && !json_is_boolean(unique))
            return gram_schema_fail(a->s, CROFT_E_FORMAT, a->p[k].at, "uniqueItems", "true or false is expected.");
        a->unique |= json_is_true(unique);
        if (!read_contains(a, &a->p[k])) return false;
    }
    return gram_schema_count(a->s, a->p, a->n_p, "minItems", false, &a->min) &&
           gram_schema_count(a->s, a->p, a->n_p, "maxItems", true, &a->max);
}

/* Item i, with the comma before it. */
static uint32_t item(struct array *a, size_t i, const json_t *more)
{
    struct part says[GRAM_MAX_PARTS + 1];
    struct gram_nodes *g = &a->s->g;
    size_t n;
    bool named = false;
    if (!item_says(a, i < a->n_prefix ? i : a->n_prefix, says, &n, &named)) return 0;
    if (more) says[n++] = (struct part){more, a->has_at};
    return gram_seq2(g, i ? gram_schema_comma(a->s) : gram_empty(g), gram_schema_both(a->s, says, n));
}

/* ---- lists ---- */

/* What may follow i items, of which c count. `top`: more need not be told apart. */
struct follow {
    uint32_t *now; /* [top + 1] what follows i + 1 items */
    uint32_t top;
    const json_t *other; /* of items that do not count; NULL: any */
};

static uint32_t next_item(struct array *a, struct follow *f, size_t i, uint32_t c)
{
    struct gram_nodes *g = &a->s->g;
    uint32_t alt[3], n = 0, up = c < f->top ? c + 1 : c;
    if (i >= a->min && c >= a->has_min) alt[n++] = gram_byte(g, ']');
    if (i < a->max) alt[n++] = gram_seq2(g, item(a, i, f->other), f->now[c]);
    if (a->has && i < a->max && up > c) alt[n++] = gram_seq2(g, item(a, i, a->has), f->now[up]);
    return gram_alt(g, alt, n);
}

/* Behind all that is counted by position the items are alike, and a repetition comes before each that counts. */
static uint32_t rest_of_list(struct array *a, struct follow *f, size_t i, uint32_t c)
{
    struct gram_nodes *g = &a->s->g;
    uint32_t alt[2], n = 0, up = c < f->top ? c + 1 : c;
    if (c >= a->has_min) alt[n++] = gram_byte(g, ']');
    if (a->has && up > c) alt[n++] = gram_seq2(g, item(a, i, a->has), f->now[up]);
    return gram_seq2(g, gram_rep(g, item(a, i, f->other), 0, GRAM_INF), gram_alt(g, alt, n));
}

static uint32_t counted(struct array *a)
{
    struct schema *s = a->s;
    bool bounded = a->has_max != GRAM_INF;
    struct follow f = {.top = bounded ? a->has_max : a->has_min};
    size_t last = a->n_prefix > a->min ? a->n_prefix : a->min;
    if (last == 0) last = 1;
    if (a->max != GRAM_INF) last = a->max;
    if ((last + 1) * (f.top + 1) > MAX_STATES)
        return gram_schema_fail(s, CROFT_E_LIMIT, a->has_at, NULL, "the bounds are too large to be counted.");
    if (bounded && !(f.other = gram_schema_own(s, json_pack("{s:O}", "not", a->has)))) return 0;
    f.now = mem_calloc(f.top + 1, sizeof *f.now);
    if (!f.now) return err_nomem(s->e, f.top * sizeof *f.now), 0;
    for (size_t i = last + 1; i-- > 0 && !s->e->code;) /* in place: what c needs are c and c + 1 */
        for (uint32_t k = 0; k <= f.top && !s->e->code; k++) {
            uint32_t c = i == last && a->max == GRAM_INF ? f.top - k : k;
            f.now[c] = i == last && a->max == GRAM_INF ? rest_of_list(a, &f, i, c) : next_item(a, &f, i, c);
        }
    uint32_t r = f.now[0];
    mem_free(f.now);
    return s->e->code ? 0 : gram_seq2(&s->g, gram_byte(&s->g, '['), r);
}

static uint32_t list(struct array *a)
{
    struct gram_nodes *g = &a->s->g;
    uint32_t k = (uint32_t)a->n_prefix, behind = gram_empty(g), close = gram_byte(g, ']');
    if (a->max > k) {
        uint32_t min = a->min > k ? a->min - k : 0, max = a->max == GRAM_INF ? GRAM_INF : a->max - k;
        uint32_t more = item(a, k ? k : 1, NULL);
        if (k)
            behind = gram_rep(g, more, min, max);
        else {
            behind = gram_rep(g, more, min ? min - 1 : 0, max == GRAM_INF ? max : max - 1);
            behind = gram_seq2(g, item(a, 0, NULL), behind);
            if (min == 0) behind = gram_alt2(g, gram_empty(g), behind);
        }
    }
    behind = gram_seq2(g, behind, close);
    for (size_t i = a->n_prefix; i-- > 0 && !a->s->e->code;) {
        uint32_t with = i < a->max ? gram_seq2(g, item(a, i, NULL), behind) : gram_none(g);
        behind = i >= a->min ? gram_alt2(g, with, close) : with;
    }
    return a->s->e->code ? 0 : gram_seq2(g, gram_byte(g, '['), behind);
}

/* ---- uniqueItems ---- */

/* The values that an item may have, each once, in a new array; NULL when they are not listed (or after an error). */
static json_t *item_values(struct array *a)
{
    struct schema *s = a->s;
    struct part says[GRAM_MAX_PARTS];
    struct parts all = {.n = 0};
    const json_t *from = NULL;
    json_t *some = NULL, *out = json_array(), *v;
    size_t n, i;
    bool named = false;
    int types = S_ALL;
    if (!item_says(a, 0, says, &n, &named)) return json_decref(out), NULL;
    for (i = 0; i < n; i++)
        if (!gram_schema_gather(s, says[i].s, says[i].at, 0, &all)) return json_decref(out), NULL;
    for (i = 0; i < all.n && !from; i++) {
        const json_t *one = json_object_get(all.p[i].s, "const"), *several = json_object_get(all.p[i].s, "enum");
        from = one ? some = json_pack("[O]", one) : several;
        types &= gram_schema_types(s, &all.p[i], &named);
    }
    if (!from && !(types & ~(S_BOOL | S_NULL))) from = some = json_pack("[b,b,n]", 0, 1);
    json_array_foreach((json_t *)from, i, v)
    {
        bool ok = !all.never;
        for (size_t k = 0; k < all.n && ok; k++) ok = gram_valid(s->root, all.p[k].s, v, &(struct err){0}) == 0;
        for (size_t k = 0; k < json_array_size(out) && ok; k++) ok = !gram_same(json_array_get(out, k), v);
        if (ok && json_array_append(out, v)) err_nomem(s->e, sizeof *v);
    }
    json_decref(some);
    if (from && !s->e->code) return out;
    json_decref(out);
    return NULL;
}

/* In any order: what follows each set of values that are used, from all to none. */
static uint32_t any_order(struct array *a, const uint32_t *value, unsigned n)
{
    struct gram_nodes *g = &a->s->g;
    uint32_t follow[1 << MAX_ANY_ORDER];
    for (unsigned set = 1u << n; set-- > 0;) {
        uint32_t alt[MAX_ANY_ORDER + 1], n_alt = 0, used = (uint32_t)__builtin_popcount(set);
        if (used >= a->min) alt[n_alt++] = gram_byte(g, ']');
        for (unsigned i = 0; i < n && used < a->max; i++)
            if (!(set >> i & 1)) {
                uint32_t comma = used ? gram_schema_comma(a->s) : gram_empty(g);
                alt[n_alt++] = gram_seq(g, (uint32_t[]){comma, value[i], follow[set | 1u << i]}, 3);
            }
        follow[set] = gram_alt(g, alt, n_alt);
    }
    return follow[0];
}

/* In their order: what follows i values that were looked at when c were taken. */
static uint32_t in_order(struct array *a, const uint32_t *value, uint32_t n)
{
    struct gram_nodes *g = &a->s->g;
    uint32_t top = a->max < n ? a->max : a->min > 1 ? a->min : 1;
    if (top > n) return gram_none(g);
    if ((uint64_t)n * (top + 1) > 50 * MAX_STATES)
        return gram_schema_fail(a->s, CROFT_E_LIMIT, a->p[0].at, "uniqueItems", "too many values.");
    uint32_t *follow = mem_alloc((top + 1) * sizeof *follow), r;
    if (!follow) return err_nomem(a->s->e, top * sizeof *follow), 0;
    for (uint32_t c = 0; c <= top; c++) follow[c] = c >= a->min ? gram_byte(g, ']') : gram_none(g);
    for (uint32_t i = n; i-- > 0;)
        for (uint32_t c = 0; c <= top; c++) {
            uint32_t comma = c ? gram_schema_comma(a->s) : gram_empty(g);
            uint32_t next = c < top ? follow[c + 1] : a->max > top ? follow[top] : gram_none(g);
            follow[c] = gram_alt2(g, gram_seq(g, (uint32_t[]){comma, value[i], next}, 3), follow[c]);
        }
    r = follow[0];
    mem_free(follow);
    return r;
}

static uint32_t unique(struct array *a)
{
    struct schema *s = a->s;
    json_t *list = a->n_prefix || a->has ? NULL : item_values(a);
    size_t n = json_array_size(list);
    uint32_t r = 0, *value = list && n <= MAX_UNIQUE ? mem_alloc((n + 1) * sizeof *value) : NULL;
    if (s->e->code) {
        r = 0;
    } else if (!list || n > MAX_UNIQUE) {
        gram_schema_fail(s, CROFT_E_UNSUPPORTED, a->p[0].at, "uniqueItems",
                         "that items differ cannot be told by a grammar, but of values that enum lists, "
                         "or with maxItems 1.");
    } else if (!value) {
        err_nomem(s->e, n * sizeof *value);
    } else {
        for (size_t i = 0; i < n; i++) value[i] = gram_json_text(s, json_array_get(list, i), false);
        r = n <= MAX_ANY_ORDER ? any_order(a, value, (unsigned)n) : in_order(a, value, (uint32_t)n);
    }
    mem_free(value);
    json_decref(list);
    return s->e->code ? 0 : gram_seq2(&s->g, gram_byte(&s->g, '['), r);
}

uint32_t gram_schema_array(struct schema *s, const struct part *p, size_t n)
{
    struct array a = {.s = s, .p = p, .n_p = n, .max = GRAM_INF, .has_min = 1, .has_max = GRAM_INF};
    struct part says[GRAM_MAX_PARTS];
    size_t n_says;
    bool named = false;
    if (!read_array(&a) || !item_says(&a, a.n_prefix, says, &n_says, &named)) return 0;
    /* Behind prefixes, items that nobody speaks of are written only when minItems asks for them. */
    if (n_says == 0 && a.n_prefix && a.max > a.n_prefix) a.max = a.min > a.n_prefix ? a.min : (uint32_t)a.n_prefix;
    if (a.never || a.max < a.min) return gram_none(&s->g);
    if (a.unique && a.max > 1) return unique(&a);
    return a.has ? counted(&a) : list(&a);
}
