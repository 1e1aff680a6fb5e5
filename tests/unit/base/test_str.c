/* Strings: numbers, sizes, distance, and UTF-8 against a decoder written from the table of RFC 3629 section 4. */
#include "base_str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void numbers_are_whole_strings(void **state)
{
    static const char *const bad[] = {"",   " ",   " 5", "5 ", "+", "-",
                                      "5x", "0x", "--5", "1e", ".", "9223372036854775808"};
    int64_t i = 77;
    uint64_t u = 77;
    double d = 77;
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_false(str_to_i64(bad[k], &i));
        assert_int_equal(i, 77); /* untouched */
    }
    assert_true(str_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(str_to_i64("+12", &i) && i == 12);
    assert_true(str_to_i64("007", &i) && i == 7);
    assert_false(str_to_u64("-1", &u));
    assert_false(str_to_u64("+1", &u));
    assert_false(str_to_u64("18446744073709551616", &u));
    assert_true(str_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
    assert_false(str_to_f64("nan", &d) || str_to_f64("inf", &d) || str_to_f64("-inf", &d) || str_to_f64("1e999", &d));
    assert_false(str_to_f64("1,5", &d) || str_to_f64("", &d) || str_to_f64(" 1", &d));
    assert_false(str_to_f64("0x10", &d) || str_to_f64("0x1p3", &d) || str_to_f64("-0X1", &d)); /* as strtod reads */
    assert_true(str_to_f64("-1.5e-3", &d) && d == -1.5e-3);
    assert_true(str_to_f64(".5", &d) && d == 0.5);
}

static void sizes(void **state)
{
    static const struct { const char *s; uint64_t want; } good[] = {
        {"0", 0}, {"64", 64}, {"8k", 8192}, {"8K", 8192}, {"1.5G", 1610612736}, {"2MiB", 2097152},
        {"1T", 1099511627776}, {"10B", 10}};
    static const char *const bad[] = {"", "k", "-1", "8kk", "8x", "1e30", "inf", "nan", "8 k", "0x8k", "8iB",
                                      "9000000T"};
    uint64_t v;
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        assert_true(str_to_bytes(good[k].s, &v));
        assert_int_equal(v, good[k].want);
    }
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        if (str_to_bytes(bad[k], &v)) fail_msg("'%s' was taken as %llu bytes", bad[k], (unsigned long long)v);
    }
}

static void distance(void **state)
{
    assert_int_equal(str_distance("", ""), 0);
    assert_int_equal(str_distance("", "abc"), 3);
    assert_int_equal(str_distance("abc", ""), 3);
    assert_int_equal(str_distance("kitten", "sitting"), 3); /* the textbook pair */
    assert_int_equal(str_distance("shwo", "show"), 1);      /* neighbours swapped */
    assert_int_equal(str_distance("a", "b"), 1);
    assert_int_equal(str_distance("doctor", "doctor"), 0);
    char big[300];
    memset(big, 'x', 299);
    big[299] = 0;
    assert_int_equal(str_distance(big, ""), 63); /* bounded */
}

static void pieces(void **state)
{
    assert_true(str_eq(STR("ab"), STR("ab")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq((struct str){NULL, 0}, STR("")));
    assert_true(str_eqz(STR("ab"), "ab"));
    assert_true(str_starts("abc", "ab") && !str_starts("a", "ab") && str_starts("a", ""));
    assert_true(str_ends("abc", "bc") && !str_ends("c", "bc") && str_ends("a", ""));
    /* FNV-1a 64: the published vectors. */
    assert_true(str_hash("", 0) == 0xcbf29ce484222325u);
    assert_true(str_hash("a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(str_hash("foobar", 6) == 0x85944171f73967e8u);
}

/* RFC 3629's grammar, row by row: is s[0..n) one well-formed sequence? */
static int rfc_length(const unsigned char *s, size_t n)
{
    static const struct { unsigned char lo1, hi1, lo2, hi2; int len; } rows[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    if (s[0] < 0x80) return 1;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        if (s[0] < rows[r].lo1 || s[0] > rows[r].hi1) continue;
        if (n < (size_t)rows[r].len || s[1] < rows[r].lo2 || s[1] > rows[r].hi2) return 0;
        for (int i = 2; i < rows[r].len; i++)
            if (s[i] < 0x80 || s[i] > 0xBF) return 0;
        return rows[r].len;
    }
    return 0;
}

/* All lead bytes with all second bytes, and the interesting third and fourth ones, at every cut. */
static void utf8_decodes_as_the_rfc_says(void **state)
{
    static const unsigned char tails[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    const int n_tails = sizeof tails;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++)
            for (int c = 0; c < n_tails; c++)
                for (int d = 0; d < n_tails; d++) {
                    unsigned char s[4] = {(unsigned char)a, (unsigned char)b, tails[c], tails[d]};
                    for (size_t n = 1; n <= 4; n++) {
                        uint32_t cp = 0;
                        int want = rfc_length(s, n);
                        size_t got = utf8_decode((char *)s, (char *)s + n, &cp);
                        if (got != (size_t)(want ? want : 1) || (cp == UINT32_MAX) != !want)
                            fail_msg("%02x %02x %02x %02x cut at %zu: %zu bytes, U+%x", a, b, tails[c], tails[d],
                                     n, got, cp);
                    }
                }
}

static void utf8_round_trip(void **state)
{
    for (uint32_t cp = 0; cp <= 0x110000; cp++) {
        char s[4];
        uint32_t back;
        size_t n = utf8_encode(cp, s);
        assert_int_equal(utf8_decode(s, s + n, &back), n);
        bool good = cp <= 0x10FFFF && !(cp >= 0xD800 && cp <= 0xDFFF);
        if (back != (good ? cp : 0xFFFD)) fail_msg("U+%x came back as U+%x", cp, back);
        assert_int_equal(n, !good ? 3 : cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
    }
}

static void utf8_validity(void **state)
{
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10));
    assert_false(utf8_valid("\xC0\xAF", 2));         /* overlong "/" */
    assert_false(utf8_valid("\xE0\x80\xAF", 3));     /* overlong */
    assert_false(utf8_valid("\xED\xA0\x80", 3));     /* surrogate */
    assert_false(utf8_valid("\xF4\x90\x80\x80", 4)); /* beyond U+10FFFF */
    assert_false(utf8_valid("ab\xE2\x82", 4));       /* cut */
}

/* utf8_complete: the longest prefix that does not end inside a sequence which could still become valid. */
static void utf8_complete_holds_back(void **state)
{
    static const struct { const char *s; size_t n, want; } cases[] = {
        {"", 0, 0}, {"abc", 3, 3}, {"a\xC3", 2, 1}, {"a\xC3\xA9", 3, 3}, {"\xE2", 1, 0}, {"\xE2\x82", 2, 0},
        {"\xE2\x82\xAC", 3, 3}, {"\xF0\x9F\x98", 3, 0}, {"x\xF0\x9F", 3, 1}, {"\xF0\x9F\x98\x80", 4, 4},
        {"\x80\x80\x80\x80", 4, 4}, /* continuation bytes alone: never valid, nothing to wait for */
        {"\xE0\x80", 2, 2},         /* overlong already: can never become valid */
        {"\xED\xA0", 2, 2}, {"\xF4\x90", 2, 2}, {"\xFF", 1, 1}, {"\xC0", 1, 1}, {"\xE2\x41", 2, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (utf8_complete(cases[i].s, cases[i].n) != cases[i].want)
            fail_msg("case %zu: %zu, expected %zu", i, utf8_complete(cases[i].s, cases[i].n), cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_strings), cmocka_unit_test(sizes), cmocka_unit_test(distance),
        cmocka_unit_test(pieces), cmocka_unit_test(utf8_decodes_as_the_rfc_says), cmocka_unit_test(utf8_round_trip),
        cmocka_unit_test(utf8_validity), cmocka_unit_test(utf8_complete_holds_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
