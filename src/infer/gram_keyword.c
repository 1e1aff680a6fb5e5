/* The words of JSON Schema: which keywords and formats are known, and what is done with the others. The standard has
 * unknown words ignored (draft 2020-12, core 4.3.1), and real schemas are full of them: notes to editors, hints for
 * forms, other people's extensions. But a slip of the pen is unknown too, and a schema with "requried" must not
 * become one that asks for less. So a word is ignored unless it is nearly one that would have been obeyed:
 *
 *   the same but for case, '-' and '_'                          Required, date_time
 *   one letter off, or two swapped, when it has at least five   item, minLenght
 *   two letters off when it has at least twelve                 additonalPropertes
 *
 * Words that do not begin with a letter are nobody's slip. No state. Next: gram_schema.c. */
#include "gram_schema.h"

enum { NEAR_MAX = 32 };

static const char *const supported[] = {"$ref",
                                        "allOf",
                                        "anyOf",
                                        "oneOf",
                                        "enum",
                                        "const",
                                        "not",
                                        "type",
                                        "properties",
                                        "required",
                                        "additionalProperties",
                                        "patternProperties",
                                        "propertyNames",
                                        "minProperties",
                                        "maxProperties",
                                        "items",
                                        "prefixItems",
                                        "additionalItems",
                                        "minItems",
                                        "maxItems",
                                        "uniqueItems",
                                        "minLength",
                                        "maxLength",
                                        "pattern",
                                        "format",
                                        "minimum",
                                        "maximum",
                                        "exclusiveMinimum",
                                        "exclusiveMaximum",
                                        "multipleOf",
                                        "if",
                                        "then",
                                        "else",
                                        "dependencies",
                                        "dependentRequired",
                                        "dependentSchemas",
                                        "contains",
                                        "minContains",
                                        "maxContains",
                                        GRAM_FOR,
                                        GRAM_TYPES,
                                        GRAM_ABSENT,
                                        GRAM_NOT_TEXTS,
                                        GRAM_NOT_PATTERN};

/* Of some draft, and about the value; extends, disallow and divisibleBy are draft 3's. */
static const char *const refused[] = {"unevaluatedProperties",
                                      "unevaluatedItems",
                                      "$dynamicRef",
                                      "$recursiveRef",
                                      "extends",
                                      "disallow",
                                      "divisibleBy"};

static bool listed(const char *const *list, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i], key)) return true;
    return false;
}
#define LISTED(list, key) listed(list, sizeof(list) / sizeof *(list), key)

enum gram_word gram_keyword(const char *key)
{
    return LISTED(supported, key) ? GRAM_WORD_OBEYED : LISTED(refused, key) ? GRAM_WORD_REFUSED : GRAM_WORD_IGNORED;
}

/* Letters and digits in lower case; false if there are too many. */
static bool plain(const char *in, char *out)
{
    size_t n = 0;
    for (; *in; in++) {
        if (*in == '-' || *in == '_') continue;
        if (n + 1 == NEAR_MAX) return false;
        out[n++] = *in >= 'A' && *in <= 'Z' ? (char)(*in | 0x20) : *in;
    }
    out[n] = 0;
    return true;
}

/* Letters to insert, drop, replace or swap with the next, to make b of a (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t d[NEAR_MAX][NEAR_MAX], n = strlen(a), m = strlen(b);
    for (size_t i = 0; i <= n; i++)
        for (size_t k = 0; k <= m; k++) {
            if (i == 0 || k == 0) {
                d[i][k] = i + k;
                continue;
            }
            size_t best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
            if (d[i - 1][k] + 1 < best) best = d[i - 1][k] + 1;
            if (d[i][k - 1] + 1 < best) best = d[i][k - 1] + 1;
            bool swapped = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
            if (swapped && d[i - 2][k - 2] + 1 < best) best = d[i - 2][k - 2] + 1;
            d[i][k] = best;
        }
    return d[n][m];
}

bool gram_word_near(const char *word, const char *known)
{
    char a[NEAR_MAX], b[NEAR_MAX];
    bool letter = (*word | 0x20) >= 'a' && (*word | 0x20) <= 'z';
    size_t n_word = strlen(word), n_known = strlen(known);
    if (n_word > n_known + 4 || n_known > n_word + 2 || !letter || !plain(word, a) || !plain(known, b)) return false;
    size_t n = strlen(b);
    return distance(a, b) <= (n >= 12 ? 2u : n >= 5 ? 1u : 0u);
}

static const char *meant(const char *const *list, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (gram_word_near(key, list[i])) return list[i];
    return NULL;
}

const char *gram_keyword_meant(const char *key)
{
    const char *found = meant(supported, sizeof supported / sizeof *supported, key);
    return found ? found : meant(refused, sizeof refused / sizeof *refused, key);
}
