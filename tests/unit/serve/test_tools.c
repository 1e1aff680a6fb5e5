/* Calls of tools in what models write (generate.h): the families' own formats, as their model cards show them, whole
 * and while they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "generate.h"

static bool one_call; /* parallel_tool_calls is false */

static void check(enum serve_tools family, const char *text, size_t n_calls, const char *content, const char *name,
                  const char *arguments)
{
    struct serve_generation g = {.tools = family, .one_call = one_call};
    struct serve_choice c = {.n_content = strlen(text)};
    buf_init(&c.text, 1 << 16);
    buf_str(&c.text, text);
    serve_tools_parse(&g, &c);
    if (c.n_calls != n_calls) fail_msg("%s: %zu calls", text, c.n_calls);
    assert_int_equal(c.n_content, strlen(content));
    assert_memory_equal(c.text.data, content, c.n_content);
    if (n_calls) {
        struct serve_call *last = &c.calls[n_calls - 1];
        assert_string_equal(json_string_value(last->name), name);
        assert_string_equal(json_string_value(last->arguments), arguments);
        assert_int_equal(strlen(last->id), 29);
    }
    for (size_t i = 0; i < c.n_calls; i++) {
        json_decref(c.calls[i].name);
        json_decref(c.calls[i].arguments);
    }
    mem_free(c.calls);
    buf_done(&c.text);
}

static void test_hermes(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_HERMES;
    check(f, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>", 1, "",
          "get_weather", "{\"city\":\"Oslo\"}");
    check(f,
          "Let me see.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": "
          "\"b\", "
          "\"arguments\": {\"x\": [1, \"</tool_call>\"]}}\n</tool_call>",
          2, "Let me see.\n", "b", "{\"x\":[1,\"</tool_call>\"]}");
    check(f, "No call here.", 0, "No call here.", NULL, NULL);
    check(f, "<tool_call>\n{\"name\": \"a\", \"argum", 0, "<tool_call>\n{\"name\": \"a\", \"argum", NULL,
          NULL); /* cut off */
    check(f, "<tool_call>{\"arguments\": {}}</tool_call>", 0, "<tool_call>{\"arguments\": {}}</tool_call>", NULL,
          NULL);
    check(f, "{\"name\": \"a\", \"arguments\": {}}", 0, "{\"name\": \"a\", \"arguments\": {}}", NULL, NULL);
}

static void test_mistral(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_MISTRAL;
    check(f, "[TOOL_CALLS][{\"name\": \"a\", \"arguments\": {\"n\": 1}}, {\"name\": \"b\", \"arguments\": {}}]", 2,
          "", "b", "{}");
    check(f, "[TOOL_CALLS] [{\"name\": \"a\", \"arguments\": {}}]", 1, "", "a", "{}");
    check(f, "[{\"name\": \"a\", \"arguments\": {\"n\": 1}}]", 1, "", "a",
          "{\"n\":1}"); /* the marker is a control token */
    check(f, "[1, 2]", 0, "[1, 2]", NULL, NULL);
}

static void test_llama3(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_LLAMA3;
    check(f, "{\"name\": \"get_current_conditions\", \"parameters\": {\"location\": \"San Francisco, CA\"}}", 1, "",
          "get_current_conditions", "{\"location\":\"San Francisco, CA\"}");
    check(f, "<|python_tag|>{\"name\": \"a\", \"parameters\": {}}", 1, "", "a", "{}");
    check(f, "{\"answer\": 3}", 0, "{\"answer\": 3}", NULL, NULL);
}

/* Only the first call counts, in each way to write several; a number keeps its digits. */
static void test_one_call(void **state)
{
    one_call = true;
    check(SERVE_TOOLS_HERMES,
          "<tool_call>{\"name\": \"a\", \"arguments\": {\"x\": 0.1}}</tool_call>"
          "<tool_call>{\"name\": \"b\", \"arguments\": {}}</tool_call>",
          1, "", "a", "{\"x\":0.1}");
    check(SERVE_TOOLS_MISTRAL,
          "[TOOL_CALLS][{\"name\": \"a\", \"arguments\": {}}, {\"name\": \"b\", \"arguments\": {}}]", 1, "", "a",
          "{}");
    one_call = false;
    check(SERVE_TOOLS_LLAMA3, "{\"name\": \"a\", \"parameters\": {\"x\": 0.30000000000000004}}", 1, "", "a",
          "{\"x\":0.30000000000000004}");
}

/* Nothing of a call is shown, and everything else at once. */
static void test_while_it_arrives(void **state)
{
    static const struct {
        enum serve_tools family;
        const char *text;
        size_t visible;
    } cases[] = {
        {SERVE_TOOLS_HERMES, "Hi", 2},
        {SERVE_TOOLS_HERMES, "Hi <", 3},
        {SERVE_TOOLS_HERMES, "Hi <tool_cal", 3},
        {SERVE_TOOLS_HERMES, "Hi <tool_calm", 13},
        {SERVE_TOOLS_HERMES, "Hi <tool_call>{", 3},
        {SERVE_TOOLS_MISTRAL, "[TOOL", 0},
        {SERVE_TOOLS_MISTRAL, " [{\"name\"", 0},
        {SERVE_TOOLS_MISTRAL, "Yes [TOOL", 4},
        {SERVE_TOOLS_MISTRAL, "Yes", 3},
        {SERVE_TOOLS_LLAMA3, "{\"na", 0},
        {SERVE_TOOLS_LLAMA3, "<|python", 0},
        {SERVE_TOOLS_LLAMA3, "The answer", 10},
        {SERVE_TOOLS_NONE, "<tool_call>", 11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (serve_tools_visible(cases[i].family, cases[i].text, strlen(cases[i].text)) != cases[i].visible)
            fail_msg("%s", cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hermes), cmocka_unit_test(test_mistral),
                                       cmocka_unit_test(test_llama3), cmocka_unit_test(test_one_call),
                                       cmocka_unit_test(test_while_it_arrives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
