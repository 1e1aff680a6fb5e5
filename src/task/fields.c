/* Field by field comparison of JSON (task_score.h). Recursive over values whose depth is checked first; memory is the
 * table of overlaps of the two lists that are being paired. Read next: score.c. */
#include "base_mem.h"
#include "task_score.h"

enum { MAX_DEPTH = 64, MAX_PAIRS = 1 << 18 };

static int overlap(const json_t *want, const json_t *got, uint32_t *out, struct err *e);

/* Scalars below a value; depth: levels that may still follow. */
static int count(const json_t *v, int depth, uint32_t *out, struct err *e)
{
    const char *key;
    json_t *item;
    size_t i;
    int rc = 0;
    if (depth == 0) return ERR(e, LIMIT, "A value is nested deeper than %d levels.", MAX_DEPTH);
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, item) if ((rc = count(item, depth - 1, out, e))) return rc;
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, item) if ((rc = count(item, depth - 1, out, e))) return rc;
    } else if (v && !json_is_null(v)) {
        ++*out;
    }
    return 0;
}

static bool same_scalar(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) == json_number_value(b);
    return !json_is_null(a) && json_equal(a, b);
}

/* Greedy pairing over the overlaps of every element with every other one. */
static int overlap_lists(const json_t *want, const json_t *got, uint32_t *out, struct err *e)
{
    size_t n = json_array_size(want), m = json_array_size(got);
    int rc = 0;
    if (n == 0 || m == 0) return 0;
    if (n > MAX_PAIRS / m)
        return ERR(e, LIMIT, "Lists of %zu and %zu elements are too long to be compared field by field.", n, m);
    uint32_t *table = mem_calloc(n * m, sizeof *table);
    if (!table) return err_nomem(e, n * m * sizeof *table);
    for (size_t i = 0; i < n && rc == 0; i++)
        for (size_t j = 0; j < m && rc == 0; j++)
            rc = overlap(json_array_get(want, i), json_array_get(got, j), &table[i * m + j], e);
    for (uint32_t best = 1; best && rc == 0;) {
        size_t at = 0;
        best = 0;
        for (size_t k = 0; k < n * m; k++)
            if (table[k] > best) best = table[at = k];
        *out += best;
        for (size_t i = 0; i < n; i++) table[i * m + at % m] = 0;
        for (size_t j = 0; j < m; j++) table[at / m * m + j] = 0;
    }
    mem_free(table);
    return rc;
}

static int overlap(const json_t *want, const json_t *got, uint32_t *out, struct err *e)
{
    const char *key;
    json_t *item;
    int rc = 0;
    if (json_is_object(want) && json_is_object(got)) {
        json_object_foreach((json_t *)want, key, item)
        {
            const json_t *other = json_object_get(got, key);
            if (other && (rc = overlap(item, other, out, e))) return rc;
        }
        return 0;
    }
    if (json_is_array(want) && json_is_array(got)) return overlap_lists(want, got, out, e);
    if (!json_is_object(want) && !json_is_array(want) && same_scalar(want, got)) ++*out;
    return 0;
}

int task_fields_compare(const json_t *want, const json_t *got, struct task_fields *out, struct err *e)
{
    uint32_t n_want = 0, n_got = 0, hit = 0;
    int rc = count(want, MAX_DEPTH, &n_want, e);
    if (rc == 0) rc = count(got, MAX_DEPTH, &n_got, e);
    if (rc == 0 && got) rc = overlap(want, got, &hit, e);
    if (rc == 0) *out = (struct task_fields){hit, n_got - hit, n_want - hit};
    return rc;
}
