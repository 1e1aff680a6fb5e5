/* Schemas that divide into cases: anyOf, oneOf, if, dependencies, not. A case is what all other parts say and one
 * thing more; the language is the choice between the cases, which may overlap.
 *
 *   anyOf          a case a branch
 *   oneOf          a case a branch, with `not` of each other branch that it does not exclude already
 *   if             if and then · not if, and else
 *   dependencies   the member is not there · it is, and what depends on it holds; one member at a time
 *   not            a case for each way of not satisfying the schema (gram_schema_not.c)
 *
 * A case that contradicts itself at first sight is left out, so that chains of conditions on one member do not
 * multiply. What cannot be expressed makes the language smaller, never larger, and is an error where nothing is left.
 * Next: gram_schema_not.c. */
#include "gram_schema.h"

#include "base_mem.h"

enum { MAX_BRANCHES = 1024, MAX_CASES = 2000 };

/* ---- what two schemas have in common ---- */

static const json_t *values_of(const struct part *p, size_t *n)
{
    const json_t *one = json_object_get(p->s, "const"), *list = json_object_get(p->s, "enum");
    *n = one ? 0 : json_array_size(list);
    return one ? one : list;
}

/* Is no listed value of part k valid under all parts? */
static bool no_value_left(struct schema *s, const struct parts *x)
{
    for (size_t i = 0; i < x->n; i++) {
        size_t n;
        const json_t *v = values_of(&x->p[i], &n);
        bool left = !v;
        for (size_t k = 0; k < (n ? n : 1) && !left; k++) {
            left = true;
            for (size_t q = 0; q < x->n && left; q++)
                left = gram_valid(s->root, x->p[q].s, n ? json_array_get(v, k) : v, &(struct err){0}) == 0;
        }
        if (!left) return true;
    }
    return false;
}

static int all_types(struct schema *s, const struct parts *x)
{
    int set = S_ALL;
    bool named = false;
    for (size_t i = 0; i < x->n; i++) set &= gram_schema_types(s, &x->p[i], &named);
    return set;
}

static bool list_has(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (one && !strcmp(one, name)) return true;
    }
    return false;
}

/* Can the member not have a value? */
static bool no_member(struct schema *s, const struct parts *x, const char *name)
{
    struct parts all = {.n = 0};
    for (size_t i = 0; i < x->n; i++) {
        if (list_has(json_object_get(x->p[i].s, GRAM_ABSENT), name)) return true;
        const json_t *v = json_object_get(json_object_get(x->p[i].s, "properties"), name);
        if (v && !gram_schema_gather(s, v, x->p[i].at, 0, &all)) return false;
    }
    return all.never || all_types(s, &all) == 0 || no_value_left(s, &all);
}

/* Does it exclude itself at first sight: types, listed values, members that are required and cannot be? */
static bool contradicts(struct schema *s, const struct part *p, size_t n)
{
    struct parts x = {.n = 0};
    for (size_t i = 0; i < n; i++)
        if (!gram_schema_gather(s, p[i].s, p[i].at, 0, &x)) return false;
    if (x.never || all_types(s, &x) == 0 || no_value_left(s, &x)) return !s->e->code;
    for (size_t i = 0; i < x.n && all_types(s, &x) == S_OBJECT; i++) {
        const json_t *required = json_object_get(x.p[i].s, "required");
        for (size_t k = 0; k < json_array_size(required); k++) {
            const char *name = json_string_value(json_array_get(required, k));
            if (name && no_member(s, &x, name)) return !s->e->code;
        }
    }
    return false;
}

/* ---- cases ---- */

/* The parts with part k replaced, if there is something to replace it with. */
static size_t others(const struct parts *all, size_t k, const json_t *instead, struct part *out)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++)
        if (i != k)
            out[n++] = all->p[i];
        else if (instead && !gram_schema_is_note(instead))
            out[n++] = (struct part){instead, all->p[i].at};
    return n;
}

/* The choice between the cases: base and one of them. The parts of base have their $ref and allOf among them. */
static uint32_t choice(struct schema *s, const struct part *base, size_t n_base, const struct part *one, size_t n)
{
    struct part p[GRAM_MAX_PARTS + 1];
    size_t n_p = 0, n_alt = 0;
    for (size_t i = 0; i < n_base; i++) {
        json_t *c = gram_schema_copy(s, &base[i], NULL);
        if (!c) return 0;
        if (n_p == GRAM_MAX_PARTS)
            return gram_schema_fail(s, CROFT_E_LIMIT, base[i].at, NULL, "too many schemas must hold at once.");
        if (!gram_schema_is_note(c)) p[n_p++] = (struct part){c, base[i].at};
    }
    if ((s->cases += n) > MAX_CASES)
        return gram_schema_fail(s, CROFT_E_LIMIT, one[0].at, NULL, "too many cases must be told apart.");
    uint32_t *alt = mem_alloc((n + 1) * sizeof *alt);
    if (!alt) return err_nomem(s->e, n * sizeof *alt), 0;
    for (size_t i = 0; i < n && !s->e->code; i++) {
        p[n_p] = one[i];
        if (contradicts(s, p, n_p + 1)) continue;
        const json_t *whole = n_p ? gram_schema_all(s, p, n_p + 1) : one[i].s;
        if (whole) alt[n_alt++] = gram_schema_node(s, whole, one[i].at);
    }
    uint32_t r = s->e->code ? 0 : gram_alt(&s->g, alt, n_alt);
    mem_free(alt);
    return r;
}

static uint32_t choice_for(struct schema *s, const struct parts *all, size_t k, const json_t *instead,
                           const struct part *one, size_t n)
{
    struct part base[GRAM_MAX_PARTS];
    size_t n_base = others(all, k, instead, base);
    return choice(s, base, n_base, one, n);
}

/* ---- anyOf, oneOf ---- */

static json_t *not_of(struct schema *s, const json_t *schema, const char *keyword)
{
    return gram_schema_own(s, json_pack("{s:O,s:s}", "not", schema, GRAM_FOR, keyword));
}

/* Branch i and none of the others. */
static const json_t *only(struct schema *s, const struct part *branch, size_t n, size_t i)
{
    struct part p[GRAM_MAX_PARTS];
    size_t n_p = 1;
    p[0] = branch[i];
    for (size_t k = 0; k < n && !s->e->code; k++) {
        struct part both[2] = {branch[i], branch[k]};
        if (k == i || contradicts(s, both, 2)) continue;
        if (n_p == GRAM_MAX_PARTS) {
            gram_schema_fail(s, CROFT_E_LIMIT, branch[i].at, NULL, "too many schemas must hold at once.");
            return NULL;
        }
        p[n_p++] = (struct part){not_of(s, branch[k].s, "oneOf"), branch[k].at};
    }
    if (s->e->code) return NULL;
    return n_p == 1 ? branch[i].s : gram_schema_all(s, p, n_p);
}

static uint32_t branches(struct schema *s, const struct parts *all, size_t k, const char *keyword)
{
    const struct part *p = &all->p[k];
    const json_t *list = json_object_get(p->s, keyword);
    size_t n = json_array_size(list);
    bool one = !strcmp(keyword, "oneOf");
    if (!json_is_array(list) || n == 0)
        return gram_schema_fail(s, CROFT_E_FORMAT, p->at, keyword, "a list of schemas is expected.");
    if (n > (one ? MAX_BRANCHES / 4 : MAX_BRANCHES))
        return gram_schema_fail(s, CROFT_E_LIMIT, p->at, keyword, "too many branches.");
    struct part *b = mem_alloc(2 * n * sizeof *b), *whole = b + n;
    if (!b) return err_nomem(s->e, n * sizeof *b), 0;
    for (size_t i = 0; i < n; i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        whole[i] = b[i] = (struct part){json_array_get(list, i), gram_schema_at(s, p->at, keyword, index)};
    }
    for (size_t i = 0; i < n && one && !s->e->code; i++) whole[i].s = only(s, b, n, i);
    uint32_t r = s->e->code ? 0 : choice_for(s, all, k, gram_schema_copy(s, p, keyword), whole, n);
    mem_free(b);
    return r;
}

/* ---- if, dependencies ---- */

static uint32_t condition(struct schema *s, const struct parts *all, size_t k)
{
    const struct part *p = &all->p[k];
    json_t *rest = gram_schema_copy(s, p, "if");
    const json_t *when = json_object_get(p->s, "if"), *then = json_object_get(p->s, "then"),
                 *other = json_object_get(p->s, "else");
    if (!rest) return 0;
    json_object_del(rest, "then");
    json_object_del(rest, "else");
    struct part yes[2] = {{when, gram_schema_at(s, p->at, "if", NULL)},
                          {then ? then : json_true(), gram_schema_at(s, p->at, "then", NULL)}};
    struct part no[2] = {{not_of(s, when, "if"), gram_schema_at(s, p->at, "if", NULL)},
                         {other ? other : json_true(), gram_schema_at(s, p->at, "else", NULL)}};
    if (s->e->code) return 0;
    struct part one[2] = {{gram_schema_all(s, yes, 2), yes[1].at}, {gram_schema_all(s, no, 2), no[1].at}};
    return s->e->code ? 0 : choice_for(s, all, k, rest, one, 2);
}

/* The first entry of the keyword: the member and what depends on it. */
static uint32_t dependency(struct schema *s, const struct parts *all, size_t k, const char *keyword)
{
    const struct part *p = &all->p[k];
    const json_t *map = json_object_get(p->s, keyword);
    void *first = json_object_iter((json_t *)map);
    if (!json_is_object(map)) return gram_schema_fail(s, CROFT_E_FORMAT, p->at, keyword, "an object is expected.");
    json_t *rest = gram_schema_copy(s, p, keyword);
    if (!rest) return 0;
    if (!first) return choice_for(s, all, k, rest, &(struct part){json_true(), p->at}, 1);
    const char *name = json_object_iter_key(first);
    json_t *then = json_object_iter_value(first), *more = json_copy((json_t *)map);
    if (!more || json_object_del(more, name) || json_object_set_new(rest, keyword, more))
        return err_nomem(s->e, sizeof *more), 0;
    if (json_object_size(more) == 0) json_object_del(rest, keyword);
    if (json_is_string(then)) /* of draft 3 */
        return gram_schema_fail(s, CROFT_E_UNSUPPORTED, p->at, keyword, "a list of names or a schema is expected.");
    const char *at = gram_schema_at(s, p->at, keyword, name);
    json_t *absent = gram_schema_own(s, json_pack("{s:[s]}", GRAM_ABSENT, name)),
           *present = gram_schema_own(s, json_pack("{s:[s]}", "required", name));
    if (!absent || !present) return 0;
    struct part one[2] = {{absent, at}, {present, at}};
    struct part both[2] = {{present, at}, {then, at}};
    if (json_is_array(then)) both[1].s = gram_schema_own(s, json_pack("{s:O}", "required", then));
    if (both[1].s) one[1].s = gram_schema_all(s, both, 2);
    return s->e->code ? 0 : choice_for(s, all, k, rest, one, 2);
}

/* ---- not ---- */

/* Is it said already: of types all have, or of a member that nobody writes? */
static bool holds_already(struct schema *s, const struct parts *all, const json_t *alternative)
{
    const json_t *types = json_object_get(alternative, GRAM_TYPES),
                 *absent = json_object_get(alternative, GRAM_ABSENT);
    if (types && !json_object_get(alternative, GRAM_NOT_TEXTS) && !absent)
        return !(all_types(s, all) & ~(int)json_integer_value(types));
    const char *name = json_string_value(json_array_get(absent, 0));
    if (!name || all_types(s, all) != S_OBJECT) return false;
    bool named = false;
    for (size_t i = 0; i < all->n; i++) {
        const json_t *more = json_object_get(all->p[i].s, "additionalProperties"),
                     *props = json_object_get(all->p[i].s, "properties");
        named |= props != NULL;
        if ((more && !json_is_false(more)) || json_object_get(all->p[i].s, "patternProperties") ||
            json_object_get(props, name))
            return false;
    }
    return named;
}

/* The ways of not satisfying the `not` of part k that do not contradict the rest; one that holds already is enough.
 */
static bool ways(struct schema *s, const struct parts *all, size_t k, struct negation *out)
{
    const struct part *p = &all->p[k];
    struct part base[GRAM_MAX_PARTS + 1];
    const char *asks = json_string_value(json_object_get(p->s, GRAM_FOR)),
               *at = gram_schema_at(s, p->at, "not", NULL);
    *out = (struct negation){.all = all};
    if (!gram_schema_negate(s, json_object_get(p->s, "not"), asks ? p->at : at, 0, out)) return false;
    const json_t *rest = gram_schema_copy(s, p, "not");
    size_t n_base = rest ? others(all, k, rest, base) : 0, n = 0;
    for (size_t i = 0; i < out->n && !s->e->code; i++) {
        if (holds_already(s, all, out->way[i])) {
            out->way[0] = out->way[i];
            n = 1;
            break;
        }
        base[n_base] = (struct part){out->way[i], p->at};
        if (!contradicts(s, base, n_base + 1)) out->way[n++] = out->way[i];
    }
    out->n = n;
    if (n == 0 && out->left_out && !(asks && !*asks))
        gram_schema_fail(s, CROFT_E_UNSUPPORTED, p->at, asks ? NULL : "not", GRAM_LEFT_OUT);
    else if (n == 0 && out->left_out)
        s->left_out = p->at;
    return !s->e->code;
}

/* All `not` that leave one way, at once; when there are none, the one with the fewest. */
static uint32_t negations(struct schema *s, const struct parts *all)
{
    struct part now[GRAM_MAX_PARTS], must[GRAM_MAX_PARTS];
    struct negation *least = mem_calloc(2, sizeof *least), *this = least + 1;
    size_t n = 0, n_must = 0, at = 0;
    uint32_t r = 0;
    bool nothing = false;
    if (!least) return err_nomem(s->e, sizeof *least), 0;
    least->n = SIZE_MAX;
    for (size_t k = 0; k < all->n && !nothing; k++) {
        now[n++] = all->p[k];
        if (!json_object_get(all->p[k].s, "not")) continue;
        if (!ways(s, all, k, this)) break;
        nothing = this->n == 0;
        if (this->n == 1) {
            now[n - 1].s = gram_schema_copy(s, &all->p[k], "not");
            must[n_must++] = (struct part){this->way[0], all->p[k].at};
        } else if (this->n < least->n) {
            *least = *this;
            at = k;
        }
    }
    if (s->e->code || nothing) {
        r = gram_none(&s->g);
    } else if (n_must) {
        struct part one = {n_must == 1 ? must[0].s : gram_schema_all(s, must, n_must), must[0].at};
        r = one.s ? choice(s, now, n, &one, 1) : 0;
    } else {
        struct part one[GRAM_MAX_WAYS];
        for (size_t i = 0; i < least->n; i++) one[i] = (struct part){least->way[i], all->p[at].at};
        r = choice_for(s, all, at, gram_schema_copy(s, &all->p[at], "not"), one, least->n);
    }
    mem_free(least);
    return r;
}

bool gram_schema_divide(struct schema *s, const struct parts *all, uint32_t *out)
{
    static const char *const lists[] = {"anyOf", "oneOf"}, *const maps[] = {"dependentRequired", "dependentSchemas",
                                                                            "dependencies"};
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < 2; k++)
            if (json_object_get(all->p[i].s, lists[k])) return *out = branches(s, all, i, lists[k]), true;
    for (size_t i = 0; i < all->n; i++)
        if (json_object_get(all->p[i].s, "if")) return *out = condition(s, all, i), true;
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < 3; k++)
            if (json_object_get(all->p[i].s, maps[k])) return *out = dependency(s, all, i, maps[k]), true;
    for (size_t i = 0; i < all->n; i++)
        if (json_object_get(all->p[i].s, "not")) return *out = negations(s, all), true;
    return false;
}
