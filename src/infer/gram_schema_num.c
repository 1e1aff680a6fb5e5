/* Numbers of a JSON Schema: minimum, maximum, exclusive*, multipleOf, exactly.
 *
 * A bound is a decimal (the shortest one that reads as the schema's number), and a range of decimals is a choice over
 * digit positions: while the digits written so far equal those of a bound, the next may not pass it; once they
 * differ, any digit may follow.   [0, 250]:  2 (5 0 | [0-4] d) | 1 d d | [1-9] d? | 0
 *
 * Texts have no leading zeros, and an exponent only where there are no bounds. Integers have at most 18 digits, so
 * that every reader's 64-bit integer holds them. Fractions beside a bound have so many digits that bound and text
 * together stay within the 15 significant ones that binary64 tells apart: what the text says and what a reader
 * compares agree. */
#include "gram_schema.h"
#include "infer_json.h"

#include "base_mem.h"

#include <math.h>

enum { INT_DIGITS = 18, REAL_DIGITS = 15, MAX_MULTIPLES = 10000, MAX_MODULUS = 1000 };

/* ---- decimals ---- */

static bool comes_back(const json_t *value, int digits)
{
    char text[64];
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.*g", digits, json_real_value(value));
        return strtod(text, NULL) == json_real_value(value);
    }
    json_array_foreach(value, i, v) if (!comes_back(v, digits)) return false;
    json_object_foreach((json_t *)value, key, v) if (!comes_back(v, digits)) return false;
    return true;
}

size_t infer_json_digits(const json_t *value) { return JSON_REAL_PRECISION(comes_back(value, 15) ? 15 : 17); }

bool gram_decimal(const json_t *number, struct decimal *out)
{
    char text[64];
    *out = (struct decimal){0};
    if (json_is_integer(number)) {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT "e0", json_integer_value(number));
    } else {
        double v = json_real_value(number);
        if (!isfinite(v)) return false;
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*e", digits - 1, v);
            if (strtod(text, NULL) == v) break;
        }
    }
    const char *p = text;
    out->negative = *p == '-';
    p += *p == '-';
    bool point = false;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (!point) out->exp++;
        if (out->n < 20) out->digit[out->n++] = (char)(*p - '0');
    }
    int64_t e = 0;
    if (*p == 'e') str_to_i64(p + 1, &e);
    out->exp += (int)e;
    int lead = 0;
    while (lead < out->n && !out->digit[lead]) lead++;
    memmove(out->digit, out->digit + lead, (size_t)(out->n - lead));
    out->n -= lead;
    out->exp -= lead;
    while (out->n && !out->digit[out->n - 1]) out->n--;
    if (out->n == 0) out->exp = 0, out->negative = false;
    return true;
}

/* As an integer × 10^-places; false if it has more places or does not fit. */
static bool scaled(const struct decimal *d, int places, __int128 *out)
{
    __int128 v = 0;
    int exp = d->exp + places;
    if (d->n > exp || exp > 36) return false;
    for (int i = 0; i < exp; i++) v = v * 10 + (i < d->n ? d->digit[i] : 0);
    *out = d->negative ? -v : v;
    return true;
}

static int places_of(const struct decimal *d) { return d->n > d->exp ? d->n - d->exp : 0; }

bool gram_is_multiple(const json_t *x, const json_t *m)
{
    struct decimal a, b;
    __int128 u, v;
    if (!gram_decimal(x, &a) || !gram_decimal(m, &b)) return false;
    int places = places_of(&a) > places_of(&b) ? places_of(&a) : places_of(&b);
    if (!scaled(&a, places, &u) || !scaled(&b, places, &v) || v == 0) return a.n == 0;
    return u % v == 0;
}

/* ---- a range of non-negative decimals ---- */

/* A bound, digit by digit: `whole` digits before the point, the others behind it. */
struct digits {
    char d[80];
    int whole, n;
    bool open; /* the bound itself is not in the range */
};

struct range {
    struct gram_nodes *g;
    struct digits lo, hi;
    int places; /* digits behind the point that may be written */
};

static uint32_t digit(struct gram_nodes *g, int lo, int hi)
{
    uint64_t set[4] = {0};
    for (int c = lo; c <= hi; c++) set[('0' + c) / 64] |= (uint64_t)1 << ('0' + c) % 64;
    return gram_class(g, set);
}

static uint32_t digits(struct gram_nodes *g, uint32_t min, uint32_t max)
{
    return gram_rep(g, digit(g, 0, 9), min, max);
}

static int at(const struct digits *b, int i) { return i < b->n ? b->d[i] : 0; }
static bool zero_from(const struct digits *b, int i)
{
    for (; i < b->n; i++)
        if (b->d[i]) return false;
    return true;
}

/* What may follow i digits of `whole` + places that equal those of lo (if on_lo) and hi (if on_hi). Behind the point
 * a text may stop anywhere, but not right behind it: i counts the digits written. */
static uint32_t from_digit(struct range *r, int whole, int i, bool on_lo, bool on_hi)
{
    struct gram_nodes *g = r->g;
    bool inside = i < whole;
    uint32_t alt[14], n = 0;
    if (!inside) {
        bool lo_ok = !on_lo || (zero_from(&r->lo, i) && !r->lo.open);
        bool hi_ok = !on_hi || !zero_from(&r->hi, i) || !r->hi.open;
        if (lo_ok && hi_ok) alt[n++] = gram_empty(g);
    }
    if (!inside && i - whole >= r->places) return gram_alt(g, alt, n);
    if (!on_lo && !on_hi) {
        if (inside)
            return gram_seq2(g, digits(g, (uint32_t)(whole - i), (uint32_t)(whole - i)),
                             from_digit(r, whole, whole, false, false));
        uint32_t left = (uint32_t)(r->places - (i - whole));
        return i == whole ? gram_opt(g, gram_seq2(g, gram_byte(g, '.'), digits(g, 1, left))) : digits(g, 0, left);
    }
    int lo = on_lo ? at(&r->lo, i) : 0, hi = on_hi ? at(&r->hi, i) : 9;
    uint32_t way[3], n_way = 0;
    bool lo_edge = on_lo, hi_edge = on_hi;
    if (lo > hi) return gram_alt(g, alt, n);
    if (lo == hi && on_lo && on_hi) {
        way[n_way++] = gram_seq2(g, digit(g, lo, lo), from_digit(r, whole, i + 1, true, true));
        lo_edge = hi_edge = false;
        lo = 10;
    }
    if (lo_edge) {
        way[n_way++] = gram_seq2(g, digit(g, lo, lo), from_digit(r, whole, i + 1, true, on_hi && lo == hi));
        lo++;
    }
    if (hi_edge && hi >= lo) {
        way[n_way++] = gram_seq2(g, digit(g, hi, hi), from_digit(r, whole, i + 1, false, true));
        hi--;
    }
    if (lo <= hi) {
        way[n_way++] = gram_seq2(g, digit(g, lo, hi), from_digit(r, whole, i + 1, false, false));
    }
    uint32_t next = gram_alt(g, way, n_way);
    alt[n++] = i == whole ? gram_seq2(g, gram_byte(g, '.'), next) : next;
    return gram_alt(g, alt, n);
}

/* The decimal with `whole` digits before the point: leading zeros where it has fewer. */
static struct digits spread(const struct digits *b, int whole)
{
    struct digits r = {.whole = whole, .n = b->n + whole - b->whole, .open = b->open};
    memcpy(r.d + whole - b->whole, b->d, (size_t)b->n);
    return r;
}

/* Decimals from lo to hi, both ≥ 0, with at most r->places digits behind the point. */
static uint32_t decimals(struct range *r)
{
    uint32_t alt[INT_DIGITS + 2], n = 0;
    for (int whole = r->lo.whole > 1 ? r->lo.whole : 1; whole <= (r->hi.whole > 1 ? r->hi.whole : 1); whole++) {
        struct range one = {.g = r->g, .places = r->places, .lo = spread(&r->lo, whole), .hi = r->hi};
        bool on_lo = whole == r->lo.whole || (whole == 1 && r->lo.whole == 0),
             on_hi = whole == (r->hi.whole > 1 ? r->hi.whole : 1);
        if (!on_lo) one.lo = (struct digits){.whole = whole, .n = 0}; /* from 10…0 on: no leading zero */
        if (on_hi) one.hi = spread(&r->hi, whole);
        if (!on_lo && whole > 1) one.lo = (struct digits){.d = {1}, .whole = whole, .n = 1};
        alt[n++] = from_digit(&one, whole, 0, on_lo || whole > 1, on_hi);
    }
    return gram_alt(r->g, alt, n);
}

/* ---- bounds ---- */

struct bounds {
    bool any; /* there are some, be it so far away that they say nothing */
    bool has_lo, has_hi, lo_open, hi_open;
    struct decimal lo, hi;
    const json_t *multiple;
    const char *at;
};

static int compare(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    int sign = a->negative ? -1 : 1;
    if (a->n == 0 || b->n == 0) return a->n == b->n ? 0 : a->n ? sign : -(b->negative ? -1 : 1);
    if (a->exp != b->exp) return a->exp < b->exp ? -sign : sign;
    for (int i = 0; i < a->n || i < b->n; i++) {
        int x = i < a->n ? a->digit[i] : 0, y = i < b->n ? b->digit[i] : 0;
        if (x != y) return x < y ? -sign : sign;
    }
    return 0;
}

static void tighten(struct bounds *b, const struct decimal *d, bool open, bool upper)
{
    bool *has = upper ? &b->has_hi : &b->has_lo, *is_open = upper ? &b->hi_open : &b->lo_open;
    struct decimal *now = upper ? &b->hi : &b->lo;
    int c = *has ? compare(d, now) : upper ? -1 : 1;
    if (c == 0) *is_open |= open;
    if (upper ? c < 0 : c > 0) {
        *now = *d;
        *is_open = open;
    }
    *has = true;
}

static bool read_bound(struct schema *s, const struct part *p, const char *key, bool open, bool upper,
                       struct bounds *b)
{
    const json_t *v = json_object_get(p->s, key);
    struct decimal d;
    if (!v || (open && json_is_boolean(v))) return true;
    if (!json_is_number(v) || !gram_decimal(v, &d))
        return gram_schema_fail(s, CROFT_E_FORMAT, p->at, key, "a number is expected.");
    b->any = true;
    if (d.exp > INT_DIGITS || d.exp < -40) {
        bool says_nothing = d.exp > INT_DIGITS && (upper != d.negative); /* beyond numbers without exponent */
        if (says_nothing) return true;
        return gram_schema_fail(s, CROFT_E_LIMIT, p->at, key, "the number is too large or too small.");
    }
    /* In draft 4 the exclusive ones are true or false and speak about their neighbour. */
    const json_t *older = json_object_get(p->s, upper ? "exclusiveMaximum" : "exclusiveMinimum");
    tighten(b, &d, open || json_is_true(older), upper);
    return true;
}

static bool read_bounds(struct schema *s, const struct part *p, size_t n, struct bounds *b)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_object_get(p[i].s, "multipleOf");
        if (!read_bound(s, &p[i], "minimum", false, false, b) ||
            !read_bound(s, &p[i], "exclusiveMinimum", true, false, b) ||
            !read_bound(s, &p[i], "maximum", false, true, b) ||
            !read_bound(s, &p[i], "exclusiveMaximum", true, true, b))
            return false;
        if (!m) continue;
        if (!json_is_number(m) || json_number_value(m) <= 0)
            return gram_schema_fail(s, CROFT_E_FORMAT, p[i].at, "multipleOf", "a number above 0 is expected.");
        if (b->multiple && !json_equal(b->multiple, m))
            return gram_schema_fail(s, CROFT_E_UNSUPPORTED, p[i].at, "multipleOf",
                                    "two different ones for one number.");
        b->multiple = m;
        b->at = p[i].at;
    }
    return true;
}

/* ---- numbers ---- */

/* The size of a bound as digits; of no bound, as many nines as an integer may have. */
static struct digits digits_of(const struct decimal *d, bool has, bool open, int most)
{
    struct digits r = {.open = open && has};
    if (!has) {
        r.whole = r.n = most;
        memset(r.d, 9, (size_t)most);
        return r;
    }
    r.whole = d->exp > 0 ? d->exp : 0;
    int zeros = d->exp < 0 ? -d->exp : 0;
    for (int i = 0; i < d->n && zeros + i < 70; i++) r.d[zeros + i] = d->digit[i];
    r.n = zeros + d->n > r.whole ? zeros + d->n : r.whole;
    return r;
}

/* Non-negative numbers between the bounds, which are given as sizes. A missing lower one is 0. */
static uint32_t one_sign(struct schema *s, const struct bounds *b, bool negative, bool integer, int places)
{
    struct decimal zero = {0};
    bool has_lo = negative ? b->has_hi && b->hi.negative : b->has_lo && !b->lo.negative;
    bool has_hi = negative ? b->has_lo : b->has_hi;
    const struct decimal *lo = negative ? &b->hi : &b->lo, *hi = negative ? &b->lo : &b->hi;
    bool lo_open = negative ? b->hi_open : b->lo_open, hi_open = negative ? b->lo_open : b->hi_open;
    if (negative && b->has_lo && !b->lo.negative) return gram_none(&s->g); /* nothing below zero */
    if (!negative && b->has_hi && b->hi.negative) return gram_none(&s->g);
    int most = integer ? INT_DIGITS : REAL_DIGITS;
    struct range r = {.g = &s->g, .places = places};
    r.lo = has_lo ? digits_of(lo, true, lo_open, most) : digits_of(&zero, true, negative, most); /* no -0 */
    r.hi = digits_of(hi, has_hi, hi_open, most);
    if (r.lo.whole > r.hi.whole && r.lo.whole > 1) return gram_none(&s->g);
    return decimals(&r);
}

static uint32_t both_signs(struct schema *s, const struct bounds *b, bool integer, int places)
{
    uint32_t plus = one_sign(s, b, false, integer, places), minus = one_sign(s, b, true, integer, places);
    return gram_alt2(&s->g, plus, gram_seq2(&s->g, gram_byte(&s->g, '-'), minus));
}

static uint32_t unbounded(struct schema *s, bool integer, bool exponents)
{
    struct gram_nodes *g = &s->g;
    uint32_t whole = gram_alt2(g, gram_byte(g, '0'),
                               gram_seq2(g, digit(g, 1, 9), digits(g, 0, (integer ? INT_DIGITS : REAL_DIGITS) - 1)));
    uint32_t sign = gram_opt(g, gram_byte(g, '-'));
    if (integer)
        return gram_alt2(g, gram_byte(g, '0'),
                         gram_seq(g, (uint32_t[]){sign, digit(g, 1, 9), digits(g, 0, INT_DIGITS - 1)}, 3));
    uint32_t fraction = gram_opt(g, gram_seq2(g, gram_byte(g, '.'), digits(g, 1, REAL_DIGITS)));
    if (!exponents) return gram_seq(g, (uint32_t[]){sign, whole, fraction}, 3);
    uint32_t e = gram_alt2(g, gram_byte(g, 'e'), gram_byte(g, 'E'));
    uint32_t plus = gram_opt(g, gram_alt2(g, gram_byte(g, '+'), gram_byte(g, '-')));
    uint32_t exponent = gram_opt(g, gram_seq(g, (uint32_t[]){e, plus, digits(g, 1, 2)}, 3));
    return gram_seq(g, (uint32_t[]){sign, whole, fraction, exponent}, 4);
}

/* All multiples between two bounds, one by one. */
static uint32_t few_multiples(struct schema *s, __int128 first, __int128 last, __int128 step, int places)
{
    size_t n = (size_t)((last - first) / step) + 1, k = 0;
    char(*text)[48] = mem_alloc(n * sizeof *text);
    struct str *list = mem_alloc(n * sizeof *list);
    uint32_t r = 0;
    if (!text || !list) err_nomem(s->e, n * sizeof *text);
    for (__int128 v = first; text && list && v <= last; v += step, k++) {
        uint64_t size = (uint64_t)(v < 0 ? -v : v), ten = 1;
        for (int i = 0; i < places; i++) ten *= 10;
        int len = snprintf(text[k], sizeof *text, "%s%llu", v < 0 ? "-" : "", (unsigned long long)(size / ten));
        if (size % ten) {
            len += snprintf(text[k] + len, sizeof *text - (size_t)len, ".%0*llu", places,
                            (unsigned long long)(size % ten));
            while (text[k][len - 1] == '0') len--;
        }
        list[k] = (struct str){text[k], (size_t)len};
    }
    if (text && list) r = gram_choice(&s->g, list, k);
    mem_free(text);
    mem_free(list);
    return r;
}

/* Integers that leave no remainder: a rule for each remainder and number of digits left. */
static uint32_t by_remainder(struct schema *s, uint32_t m, bool negative)
{
    enum { LENGTH = 15 };
    struct gram_nodes *g = &s->g;
    uint32_t *now = mem_alloc(m * sizeof *now), *more = mem_alloc(m * sizeof *more), r = 0;
    if (!now || !more) err_nomem(s->e, m * sizeof *now);
    for (int left = 0; left < LENGTH && now && more && !g->failed; left++) {
        for (uint32_t k = 0; k < m; k++) {
            uint32_t alt[12], n = 0;
            if (k == 0) alt[n++] = gram_empty(g);
            for (int d = 0; d < 10 && left; d++)
                alt[n++] = gram_seq2(g, digit(g, d, d), more[(k * 10 + (uint32_t)d) % m]);
            now[k] = gram_alt(g, alt, n);
        }
        uint32_t *swap = now;
        now = more;
        more = swap;
    }
    if (now && more) {
        uint32_t alt[12], n = 0;
        for (int d = 1; d < 10; d++) alt[n++] = gram_seq2(g, digit(g, d, d), more[(uint32_t)d % m]);
        r = gram_alt(g, alt, n);
        if (negative) r = gram_seq2(g, gram_opt(g, gram_byte(g, '-')), r);
        r = gram_alt2(g, gram_byte(g, '0'), r);
    }
    mem_free(now);
    mem_free(more);
    return r;
}

static __int128 floor_div(__int128 a, __int128 b) { return a / b - (a % b < 0); }

/* Numbers of a multipleOf that is not 1 or a power of ten below. */
static uint32_t multiples(struct schema *s, const struct bounds *b, const struct decimal *m)
{
    int places = places_of(m), more = places;
    __int128 step, lo, hi;
    if (b->has_lo && places_of(&b->lo) > more) more = places_of(&b->lo);
    if (b->has_hi && places_of(&b->hi) > more) more = places_of(&b->hi);
    if (b->has_lo && b->has_hi && more <= 18 && scaled(m, more, &step) && scaled(&b->lo, more, &lo) &&
        scaled(&b->hi, more, &hi)) {
        __int128 first = -floor_div(-lo, step) * step, last = floor_div(hi, step) * step, limit = (__int128)INT64_MAX;
        if (b->lo_open && first == lo) first += step;
        if (b->hi_open && last == hi) last -= step;
        if (first > last) return gram_none(&s->g);
        if ((last - first) / step < MAX_MULTIPLES && first > -limit && last < limit)
            return few_multiples(s, first, last, step, more);
    }
    bool from_zero = b->has_lo && b->lo.n == 0 && !b->lo_open;
    if (places == 0 && scaled(m, 0, &step) && step <= MAX_MODULUS && !b->has_hi && (!b->has_lo || from_zero))
        return by_remainder(s, (uint32_t)step, !from_zero);
    return gram_schema_fail(s, CROFT_E_UNSUPPORTED, b->at, "multipleOf",
                            "supported are powers of ten, at most 10000 values between two bounds, or whole numbers "
                            "up to 1000 without bounds.");
}

/* The range of a machine's integer. */
static bool read_format(struct schema *s, const struct part *p, struct bounds *b)
{
    const char *name = json_string_value(json_object_get(p->s, "format"));
    int64_t end[2];
    if (!gram_schema_format(s, p)) return false;
    if (!name || !gram_format_range(name, &end[0], &end[1])) return true;
    for (int upper = 0; upper < 2; upper++) {
        struct decimal d;
        json_t *v = json_integer(end[upper]);
        if (!v) return err_nomem(s->e, sizeof *v), false;
        if (gram_decimal(v, &d) && d.exp <= INT_DIGITS) tighten(b, &d, false, upper);
        json_decref(v);
    }
    return true;
}

uint32_t gram_schema_number(struct schema *s, const struct part *p, size_t n, bool integer)
{
    struct bounds b = {0};
    struct decimal m = {0};
    int places = integer ? 0 : 9;
    if (!read_bounds(s, p, n, &b)) return 0;
    for (size_t i = 0; i < n; i++)
        if (!read_format(s, &p[i], &b)) return 0;
    if (b.multiple) {
        if (!gram_decimal(b.multiple, &m)) return 0;
        if (integer && places_of(&m))
            return gram_schema_fail(s, CROFT_E_UNSUPPORTED, b.at, "multipleOf", "a fraction for an integer.");
        if (m.n != 1 || m.digit[0] != 1 || m.exp > 1) return multiples(s, &b, &m);
        if (places_of(&m) > 15)
            return gram_schema_fail(s, CROFT_E_UNSUPPORTED, b.at, "multipleOf", "the number is too small.");
        places = places_of(&m);
        integer = places == 0;
    }
    if (!b.has_lo && !b.has_hi && !b.multiple) return unbounded(s, integer, !b.any);
    if (b.has_lo && b.has_hi && compare(&b.lo, &b.hi) > 0) return gram_none(&s->g);
    if (!integer && !b.multiple) {
        int size = b.has_lo && b.lo.exp > 1 ? b.lo.exp : 1, own = b.has_lo ? places_of(&b.lo) : 0;
        if (b.has_hi && b.hi.exp > size) size = b.hi.exp;
        if (b.has_hi && places_of(&b.hi) > own) own = places_of(&b.hi);
        if (places > REAL_DIGITS - size) places = REAL_DIGITS > size ? REAL_DIGITS - size : 0;
        if (places < own) places = own;
        if (places > 40)
            return gram_schema_fail(s, CROFT_E_LIMIT, p[0].at, "minimum", "a bound has too many digits.");
    }
    return both_signs(s, &b, integer, places);
}
