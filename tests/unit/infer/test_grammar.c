/* Constrained decoding: choices, regular expressions and GBNF against independent answers (Python's re for
 * expressions, its unicodedata for properties: grammar_re.inc, made by make_grammar.py; GBNF by its own description),
 * masks against trying every token, forced bytes, copies, the ceiling on memory, hostile grammars, failing
 * allocations. JSON Schema: test_grammar_schema.c. */
#include "base_mem.h"
#include "gram.h"
#include "grammar.h"

#include <malloc.h>

static int of_choices(const char *const *text, size_t n, struct infer_grammar **g, struct err *e)
{
    return infer_grammar_of_choices(vocab(), text, n, g, e);
}

static struct infer_grammar *regex(const char *re)
{
    struct infer_grammar *g = NULL;
    struct err e = {0};
    if (infer_grammar_of_regex(vocab(), re, strlen(re), &g, &e)) fail_msg("%s: %s", re, e.msg);
    return g;
}

static struct infer_grammar *gbnf(const char *text)
{
    struct infer_grammar *g = NULL;
    struct err e = {0};
    if (infer_grammar_of_gbnf(vocab(), text, strlen(text), &g, &e)) fail_msg("%s: %s", text, e.msg);
    return g;
}

static bool matches(struct infer_grammar *g, const char *text)
{
    return !infer_grammar_check(g, text, strlen(text), NULL);
}

/* Python's re.fullmatch says which of the texts each expression matches. */
static void expressions_as_python_has_them(void **state)
{
    static const struct {
        const char *re, *text;
        int want;
    } rows[] = {
#include "grammar_re.inc"
    };
    struct infer_grammar *g = NULL;
    const char *last = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!last || strcmp(last, rows[i].re)) {
            infer_grammar_unref(g);
            g = regex(rows[i].re);
            last = rows[i].re;
        }
        if (matches(g, rows[i].text) != rows[i].want)
            fail_msg("'%s' on '%s': Python says %d", rows[i].re, rows[i].text, rows[i].want);
    }
    infer_grammar_unref(g);
}

static void expressions_that_are_refused(void **state)
{
    static const struct {
        const char *re;
        int code;
    } rows[] = {{"(a", CROFT_E_FORMAT},          {"a)", CROFT_E_FORMAT},           {"[a", CROFT_E_FORMAT},
                {"*a", CROFT_E_FORMAT},          {"a{3,2}", CROFT_E_FORMAT},       {"[b-a]", CROFT_E_FORMAT},
                {"\\", CROFT_E_FORMAT},          {"(?=a)b", CROFT_E_UNSUPPORTED},  {"(?<!a)b", CROFT_E_UNSUPPORTED},
                {"(a)\\1", CROFT_E_UNSUPPORTED}, {"\\bword", CROFT_E_UNSUPPORTED}, {"\\pL", CROFT_E_FORMAT},
                {"\\p{L", CROFT_E_FORMAT},      {"\\p{Script=Greek}", CROFT_E_UNSUPPORTED},
                {"[\\p{}]", CROFT_E_UNSUPPORTED}, {"\\p{gc=Any}", CROFT_E_UNSUPPORTED},
                {"[a-\\p{L}]", CROFT_E_FORMAT},
                {"(?i)a", CROFT_E_UNSUPPORTED},  {"a{9999999}", CROFT_E_LIMIT},    {"\xff", CROFT_E_FORMAT},
                {"[]", CROFT_E_FORMAT},          {"a$b", CROFT_E_FORMAT},          {"\\uD800", CROFT_E_FORMAT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_grammar *g = NULL;
        struct err e = {0};
        int rc = infer_grammar_of_regex(vocab(), rows[i].re, strlen(rows[i].re), &g, &e);
        if (rc != rows[i].code) fail_msg("'%s' gives %d: %s", rows[i].re, rc, e.msg);
        assert_true(e.msg[0] && !g);
    }
}

static void gbnf_as_described(void **state)
{
    static const struct {
        const char *grammar, *yes[4], *no[4];
    } rows[] = {
        {"root ::= \"a\" | \"b\"c\nc ::= [x-z]+ # comment\n", {"a", "bx", "bxyz"}, {"b", "ax", "", "bxa"}},
        {"root ::= (\"1. \" [a-h] [1-8] \"\\n\"){2,3}", {"1. e4\n1. d5\n", "1. e4\n1. d5\n1. a1\n"}, {"1. e4\n", ""}},
        {"root ::= [^\\n]+ \"\\n\"", {"x\n", "\xc3\xa9\xf0\x9f\x98\x80\n"}, {"\n", "x", "x\n\n", "\xc3\n"}},
        {"root ::= [\\u3041-\\u309F]{2}",
         {"\xe3\x81\x81\xe3\x81\x82"},
         {"\xe3\x81\x81", "ab", "\xe3\x82\xa1\xe3\x82\xa1"}},
        {"root ::= \"(\" root \")\" | \"x\"", {"x", "(x)", "(((x)))"}, {"", "(x", "((x)", "x)"}},
        {"root ::= (\n  \"a\"\n  | \"b\" # or\n)* .\n", {"z", "aab", "a"}, {"", "az "}},
        {"root::=x?y\nx::=\"-\"\ny::=|\n\"k\"", {"", "-", "k", "-k"}, {"--", "kk"}},
        {"root ::= \"\\\"\\\\\\x41\\U0001F600\"", {"\"\\A\xf0\x9f\x98\x80"}, {"\"\\A"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_grammar *g = gbnf(rows[i].grammar);
        for (int k = 0; k < 4; k++) {
            if (rows[i].yes[k] && !matches(g, rows[i].yes[k]))
                fail_msg("%s refuses '%s'", rows[i].grammar, rows[i].yes[k]);
            if (rows[i].no[k] && matches(g, rows[i].no[k])) fail_msg("%s takes '%s'", rows[i].grammar, rows[i].no[k]);
        }
        infer_grammar_unref(g);
    }
}

static void gbnf_that_is_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } rows[] = {{"", CROFT_E_FORMAT, "root"},
                {"x ::= \"a\"", CROFT_E_FORMAT, "root"},
                {"root = \"a\"", CROFT_E_FORMAT, "::="},
                {"root ::= y", CROFT_E_FORMAT, "'y'"},
                {"root ::= \"a", CROFT_E_FORMAT, "inside"},
                {"root ::= [a", CROFT_E_FORMAT, "inside"},
                {"root ::= (\"a\"", CROFT_E_FORMAT, "')'"},
                {"root ::= \"a\")", CROFT_E_FORMAT, "')'"},
                {"root ::= \"a\"\nroot ::= \"b\"", CROFT_E_FORMAT, "before"},
                {"root ::= root \"a\" | \"b\"", CROFT_E_FORMAT, "itself"},
                {"root ::= a \"x\" | \"y\"\na ::= \"\" b\nb ::= root?", CROFT_E_FORMAT, "itself"},
                {"root ::= \"a\" root", CROFT_E_FORMAT, "No text"},
                {"root ::= <think>", CROFT_E_UNSUPPORTED, "token"},
                {"root ::= \"a\"{5,2}", CROFT_E_FORMAT, "wrong way"},
                {"root ::= \"a\"{99999999}", CROFT_E_LIMIT, "large"},
                {"root ::= \"\\q\"", CROFT_E_FORMAT, "Line 1"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_grammar *g = NULL;
        struct err e = {0};
        int rc = infer_grammar_of_gbnf(vocab(), rows[i].text, strlen(rows[i].text), &g, &e);
        if (rc != rows[i].code || !strstr(e.msg, rows[i].says))
            fail_msg("'%s' gives %d: %s", rows[i].text, rc, e.msg);
    }
}

/* A mask must say of every token exactly what trying it says. */
static void check_mask(struct infer_match *m)
{
    struct err e = {0};
    const uint32_t *mask = infer_match_mask(m, &e);
    if (!mask) fail_msg("%s", e.msg);
    for (size_t i = 0; i < vocab()->n; i++) {
        struct infer_match *copy;
        assert_int_equal(infer_match_copy(m, &copy, NULL), 0);
        bool may = infer_match_accept(copy, (int32_t)i, &e) == 0, said = mask[i / 32] >> i % 32 & 1;
        infer_match_free(copy);
        if (may != said) fail_msg("token %zu: mask %d, trying %d", i, said, may);
    }
}

static void masks_say_what_trying_says(void **state)
{
    static const char *const res[] = {".*",
                                      "[^x]{0,40}",
                                      "[a-z ]{3,20}(ing|ed)",
                                      "\"([^\"\\\\]|\\\\[\"nt]){2,18}\"",
                                      "[^a]{0,3}[a-z]{2}",
                                      "(a|aa|ab)*b",
                                      "x?",
                                      "\\d{4}-\\d\\d",
                                      "[^\\x00-\\x7f]*z"};
    for (size_t i = 0; i < sizeof res / sizeof res[0]; i++) {
        struct infer_grammar *g = regex(res[i]);
        for (int run = 0; run < 4; run++) {
            struct infer_match *m;
            assert_int_equal(infer_match_new(g, &m, NULL), 0);
            for (int step = 0; step < 8 && !infer_match_complete(m); step++) {
                check_mask(m);
                int32_t id = draw(infer_match_mask(m, NULL), 50);
                assert_true(id >= 0);
                assert_int_equal(infer_match_accept(m, id, NULL), 0);
            }
            infer_match_free(m);
        }
        infer_grammar_unref(g);
    }
}

static void choices_and_forced_bytes(void **state)
{
    static const char *const labels[] = {"card_arrival", "card_linking", "cash", "card", "card_arrival"};
    struct infer_grammar *g;
    struct infer_match *m, *copy;
    char out[64];
    assert_int_equal(of_choices(labels, 5, &g, NULL), 0);
    for (int i = 0; i < 4; i++) assert_true(matches(g, labels[i]));
    assert_false(matches(g, "car") || matches(g, "card_") || matches(g, "cashier") || matches(g, ""));
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    assert_int_equal(infer_match_forced(m, out, sizeof out), 2);
    assert_memory_equal(out, "ca", 2);
    assert_int_equal(infer_match_forced(m, out, 1), 1);
    assert_int_equal(infer_match_accept_text(m, "card", 4, NULL), 0);
    assert_int_equal(infer_match_forced(m, out, sizeof out), 0); /* it may end */
    assert_true(infer_match_may_end(m) && !infer_match_complete(m));
    assert_int_equal(infer_match_copy(m, &copy, NULL), 0);
    assert_int_equal(infer_match_accept_text(m, "_a", 2, NULL), 0);
    assert_int_equal(infer_match_forced(m, out, sizeof out), 6);
    assert_memory_equal(out, "rrival", 6);
    assert_int_equal(infer_match_accept_text(m, "x", 1, NULL), CROFT_E_FORMAT);
    assert_int_equal(infer_match_accept_text(m, "rrival", 6, NULL), 0);
    assert_true(infer_match_complete(m) && infer_match_may_end(m));
    assert_int_equal(infer_match_accept_text(copy, "_l", 2, NULL), 0); /* the copy went its own way */
    int32_t end = vocab()->end[0];
    assert_int_equal(infer_match_accept(copy, end, NULL), CROFT_E_FORMAT);
    assert_int_equal(infer_match_accept(m, end, NULL), 0);
    assert_int_equal(infer_match_accept(m, end, NULL), CROFT_E_FORMAT);
    assert_int_equal(infer_match_accept(m, -1, NULL), CROFT_E_USAGE);
    infer_match_free(m);
    infer_match_free(copy);
    infer_grammar_unref(g);
    assert_int_equal(of_choices(labels, 0, &g, NULL), CROFT_E_FORMAT);
}

static void ten_thousand_choices(void **state)
{
    static char text[10000][16];
    static const char *list[10000];
    struct infer_grammar *g;
    for (int i = 0; i < 10000; i++) {
        snprintf(text[i], sizeof text[i], "%d", i * 7919 % 100003);
        list[i] = text[i];
    }
    assert_int_equal(of_choices(list, 10000, &g, NULL), 0);
    for (int i = 0; i < 10000; i += 97) assert_true(matches(g, text[i]));
    assert_false(matches(g, "100003") || matches(g, "-1"));
    infer_grammar_unref(g);
    for (int i = 0; i < 10000; i++) list[i] = &"aaaaaaaaaaaaaaa"[i % 15]; /* each is the beginning of the next */
    assert_int_equal(of_choices(list, 10000, &g, NULL), 0);
    assert_true(matches(g, "aaa") && !matches(g, "") && !matches(g, "aaaaaaaaaaaaaaaa"));
    infer_grammar_unref(g);
}

/* Exponential for a matcher that keeps every way apart: refused or fast, and never wrong. */
static void ambiguity_is_bounded(void **state)
{
    char text[600];
    memset(text, 'a', sizeof text);
    struct infer_grammar *g = regex("(a|aa|aaa){0,400}(a?){300}(a*)*");
    assert_int_equal(infer_grammar_check(g, text, sizeof text, NULL), 0);
    infer_grammar_unref(g);
    g = regex("((a*)*)*b");
    assert_int_equal(infer_grammar_check(g, text, sizeof text, NULL), CROFT_E_FORMAT);
    infer_grammar_unref(g);
    g = gbnf("root ::= \"a\" (root \"x\" | root \"y\" | \"b\")"); /* 2^n stacks after n of them */
    struct err e = {0};
    assert_int_equal(infer_grammar_check(g, text, sizeof text, &e), CROFT_E_LIMIT);
    assert_true(strstr(e.msg, "ambiguous") != NULL);
    infer_grammar_unref(g);
}

static void nesting_is_bounded_and_never_a_dead_end(void **state)
{
    struct infer_grammar *g = gbnf("root ::= \"(\" root \")\" | \"[\" root \"]\" | \"xyz\"");
    struct infer_match *m;
    int depth = 0;
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    while (infer_match_accept_text(m, "(", 1, NULL) == 0) depth++;
    assert_true(depth > 100 && depth < GRAM_MAX_DEPTH);
    assert_int_equal(infer_match_accept_text(m, "xyz", 3, NULL), 0);
    for (; depth; depth--) assert_int_equal(infer_match_accept_text(m, ")", 1, NULL), 0);
    assert_true(infer_match_complete(m));
    infer_match_free(m);
    infer_grammar_unref(g);
}

/* With a ceiling of nothing every call collects; what live matches stand in must survive. */
static void collection_changes_nothing(void **state)
{
    struct infer_grammar *g = gbnf("root ::= \"{\" (root | [a-z]{0,30})* \"}\""),
                         *small = gbnf("root ::= \"{\" (root | [a-z]{0,30})* \"}\"");
    struct infer_match *m, *n, *other;
    small->max_bytes = 0;
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    assert_int_equal(infer_match_new(small, &n, NULL), 0);
    assert_int_equal(infer_match_new(small, &other, NULL), 0);
    assert_int_equal(infer_match_accept_text(other, "{ab", 3, NULL), 0);
    for (int i = 0; i < 60 && !infer_match_complete(m); i++) {
        small->max_bytes = 0;
        const uint32_t *x = infer_match_mask(m, NULL), *y = infer_match_mask(n, NULL);
        assert_true(x && y);
        assert_memory_equal(x, y, vocab()->n_words * sizeof *x);
        int32_t id = draw(x, 30);
        assert_int_equal(infer_match_accept(m, id, NULL), 0);
        assert_int_equal(infer_match_accept(n, id, NULL), 0);
    }
    assert_int_equal(infer_match_accept_text(other, "c}", 2, NULL), 0);
    assert_true(infer_match_complete(other));
    infer_match_free(m);
    infer_match_free(n);
    infer_match_free(other);
    infer_grammar_unref(g);
    infer_grammar_unref(small);
}

static int everything(void)
{
    static const char *const labels[] = {"one", "two", "twofold"};
    struct infer_grammar *g = NULL;
    struct infer_match *m = NULL, *copy = NULL;
    struct err e = {0};
    int rc = of_choices(labels, 3, &g, &e);
    infer_grammar_unref(g);
    g = NULL;
    if (!rc) rc = infer_grammar_of_gbnf(vocab(), "root ::= [^a]{0,20} \"x\" y?\ny::=\"z\"", 34, &g, &e);
    infer_grammar_unref(g);
    g = NULL;
    if (!rc) rc = infer_grammar_of_regex(vocab(), "((^a)|[a-z]{0,9}b$){1,2}c?", 26, &g, &e);
    if (!rc) rc = infer_match_new(g, &m, &e);
    if (!rc && !infer_match_mask(m, &e)) rc = e.code;
    if (!rc) rc = infer_match_copy(m, &copy, &e);
    if (!rc) rc = infer_match_accept_text(copy, "ab", 2, &e);
    infer_match_free(m);
    infer_match_free(copy);
    infer_grammar_unref(g);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    assert_int_equal(everything(), 0);
    uint64_t before = mem_count();
    assert_int_equal(everything(), 0);
    long n = (long)(mem_count() - before);
    for (long i = 1; i <= n; i++) {
        mem_fail_nth(i);
        int rc = everything();
        mem_fail_nth(0);
        if (rc && rc != CROFT_E_NOMEM)
            fail_msg("allocation %ld of %ld: %d", i, n, rc); /* 0: a slice that could not be made is done without */
    }
}

/* 14 bytes a token, and what of its own bytes is not the one's before. Under ASan nothing is seen. */
static void a_vocabulary_is_small(void **state)
{
    struct gguf *f = NULL;
    struct tok *t = NULL;
    struct infer_vocab *v = NULL;
    struct err e = {0};
    if (gguf_open("models/helpdesk-q8_0.gguf", &f, &e) || tok_new(f, &t, &e)) fail_msg("%s", e.msg);
    struct mallinfo2 before = mallinfo2();
    if (infer_vocab_new(t, &v, &e)) fail_msg("%s", e.msg);
    struct mallinfo2 after = mallinfo2();
    size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    if (bytes > 20 * tok_n_vocab(t)) fail_msg("%zu bytes for %zu tokens", bytes, tok_n_vocab(t));
    infer_vocab_free(v);
    tok_free(t);
    gguf_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vocabulary_is_small),
        cmocka_unit_test(expressions_as_python_has_them),
        cmocka_unit_test(expressions_that_are_refused),
        cmocka_unit_test(gbnf_as_described),
        cmocka_unit_test(gbnf_that_is_refused),
        cmocka_unit_test(masks_say_what_trying_says),
        cmocka_unit_test(choices_and_forced_bytes),
        cmocka_unit_test(ten_thousand_choices),
        cmocka_unit_test(ambiguity_is_bounded),
        cmocka_unit_test(nesting_is_bounded_and_never_a_dead_end),
        cmocka_unit_test(collection_changes_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    vocab_done();
    return rc;
}
