/* Names: expected values are what the file names of published models say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bundle_store.h"
#include "name.h"

static void test_valid(void **state)
{
    static const char *const good[] = {
        "a", "qwen2.5-0.5b-instruct:q4_0", "owner/repo:q8_0", "owner/repo", "0x", "_a"};
    static const char *const bad[] = {"",     ".",    "..",    "a..b",   ".a",    "-a", "a/",  "/a",
                                      "a:",   ":a",   "a/b/c", "a:b:c",  "a:b/c", "A",  "a b", "a%b",
                                      "a/.b", "a/-b", "a:-b",  "x.json", "a\nb",  "ä",  "a'b", "a\\b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!bundle_name_valid(good[i])) fail_msg("'%s' is a good name", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (bundle_name_valid(bad[i])) fail_msg("'%s' is no good name", bad[i]);
    char at_limit[BUNDLE_NAME_BYTES + 1];
    memset(at_limit, 'a', sizeof at_limit);
    at_limit[BUNDLE_NAME_BYTES - 1] = 0;
    assert_true(bundle_name_valid(at_limit));
    at_limit[BUNDLE_NAME_BYTES - 1] = 'a';
    at_limit[BUNDLE_NAME_BYTES] = 0;
    assert_false(bundle_name_valid(at_limit));
}

static void test_files(void **state)
{
    assert_true(bundle_file_path_valid("a/b (1)/c.gguf"));
    static const char *const bad[] = {"",       "/a", "a//b", "a/../b",   "../a", "a/.",
                                      ".git/x", "a/", "a\tb", "a\x1b[2J", "a'b",  "-x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (bundle_file_path_valid(bad[i])) fail_msg("'%s' was accepted", bad[i]);
}

static void test_quant(void **state)
{
    static const struct {
        const char *file, *quant;
    } rows[] = {{"qwen2.5-0.5b-instruct-q4_0.gguf", "q4_0"},
                {"Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"},
                {"mistral-7b-v0.1.Q5_K_S.gguf", "Q5_K_S"},
                {"model-f16.gguf", "f16"},
                {"gemma-3-1b-it-BF16.gguf", "BF16"},
                {"x-IQ3_XXS.gguf", "IQ3_XXS"},
                {"gpt-oss-20b-mxfp4.gguf", "mxfp4"},
                {"x-UD-Q2_K_XL.gguf", "Q2_K_XL"},
                {"x-Q8_0-00001-of-00002.gguf", "Q8_0"},
                {"Q6_K/model-Q6_K-00001-of-00002.gguf", "Q6_K"},
                {"stories260K.gguf", ""},
                {"qwen3-8b.gguf", ""},
                {"tq1_0.gguf", "tq1_0"},
                {"Q.gguf", ""},
                {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char q[32];
        bundle_name_quant(rows[i].file, q);
        if (strcmp(q, rows[i].quant)) fail_msg("%s: '%s' instead of '%s'", rows[i].file, q, rows[i].quant);
    }
    assert_true(bundle_name_has_quant("a-Q4_K_M.gguf", "q4_k_m"));
    assert_false(bundle_name_has_quant("a-Q4_K_M.gguf", "q4_k"));
    assert_false(bundle_name_has_quant("a-IQ4_XS.gguf", "Q4_XS"));
    assert_true(bundle_name_has_quant("a-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"));
    assert_false(bundle_name_has_quant("a", ""));
}

static void test_split(void **state)
{
    int i = 0, n = 0;
    size_t stem = 0;
    assert_true(bundle_name_split("m-00002-of-00003.gguf", &i, &n, &stem));
    assert_int_equal(i, 2);
    assert_int_equal(n, 3);
    assert_int_equal(stem, 1);
    static const char *const bad[] = {"m.gguf",
                                      "-00001-of-00002.gguf",
                                      "m-00003-of-00002.gguf",
                                      "m-00000-of-00002.gguf",
                                      "m-0001-of-0002.gguf",
                                      "m-00001-of-00002",
                                      "m_00001-of-00002.gguf",
                                      ""};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        if (bundle_name_split(bad[k], &i, &n, &stem)) fail_msg("'%s' is no part of a set", bad[k]);
}

static void test_default(void **state)
{
    static const struct {
        const char *repo, *file, *name;
    } rows[] = {
        {"Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q4_0.gguf", "qwen2.5-0.5b-instruct:q4_0"},
        {"a/Model_gguf", "x-Q8_0-00001-of-00002.gguf", "model:q8_0"},
        {"a/b", "plain.gguf", "b:plain"},
        {NULL, "Foo-7B.Q4_K_M.gguf", "foo-7b:q4_k_m"},
        {NULL, "dir/stories260K.gguf", "stories260k"},
        {NULL, "My Model (1).gguf", "my-model--1"},
        {NULL, "..x.gguf", "x"},
        {NULL, "q4_0.gguf", "q4_0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[BUNDLE_NAME_BYTES];
        assert_true(bundle_name_default(rows[i].repo, rows[i].file, name));
        if (strcmp(name, rows[i].name))
            fail_msg("%s: '%s' instead of '%s'", rows[i].file, name, rows[i].name);
    }
    char name[BUNDLE_NAME_BYTES];
    assert_false(bundle_name_default(NULL, "---.gguf", name));
    assert_false(bundle_name_default(NULL, "", name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_valid), cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_quant), cmocka_unit_test(test_split),
                                       cmocka_unit_test(test_default)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
