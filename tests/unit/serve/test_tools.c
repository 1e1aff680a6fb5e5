/* Calls of tools in what models write (generate.h): the families' own formats, as their model cards show them, whole
 * and while they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "generate.h"

static bool one_call; /* parallel_tool_calls is false */
static json_t *tools; /* of the request, or NULL */

static void check(enum serve_tools family, const char *text, size_t n_calls, const char *content, const char *name,
                  const char *arguments)
{
    struct serve_generation g = {.tools = family, .one_call = one_call, .tool_list = tools};
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

/* As in Qwen 3.5's template: a parameter whose schema says string is text, others are JSON if they can be. */
static void test_qwen35(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_HERMES;
    tools = json_loads("[{\"type\": \"function\", \"function\": {\"name\": \"book\", \"parameters\": {\"type\": "
                       "\"object\", \"properties\": {\"code\": {\"type\": \"string\"}, \"n\": {\"type\": "
                       "\"integer\"}}}}}]",
                       0, NULL);
    check(f,
          "I book.\n<tool_call>\n<function=book>\n<parameter=code>\n007\n</parameter>\n<parameter=n>\n2\n</parameter>\n"
          "<parameter=more>\n{\"a\": [1]}\n</parameter>\n</function>\n</tool_call>",
          1, "I book.\n", "book", "{\"code\":\"007\",\"n\":2,\"more\":{\"a\":[1]}}");
    check(f,
          "<tool_call>\n<function=book>\n<parameter=code>\ntwo\n\nlines <b>\n</parameter>\n</function>\n</tool_call>\n"
          "<tool_call>\n<function=now>\n</function>\n</tool_call>",
          2, "", "now", "{}");
    check(f, "<tool_call>\n<function=book>\n<parameter=code>\ntwo\n\nlines <b>\n</parameter>\n</function>", 1, "",
          "book", "{\"code\":\"two\\n\\nlines <b>\"}");
    check(f, "<tool_call>\n<function=book>\n<parameter=code>\n007\n</par", 0,
          "<tool_call>\n<function=book>\n<parameter=code>\n007\n</par", NULL, NULL); /* cut off */
    json_decref(tools);
    tools = NULL;
}

static void test_mistral3(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_MISTRAL3;
    check(f, "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}", 1, "", "get_weather", "{\"city\":\"Oslo\"}");
    check(f, "[TOOL_CALLS]a[ARGS]{\"x\": \"[TOOL_CALLS]\"}[TOOL_CALLS]b[CALL_ID]k3jf8s0ab[ARGS]{\"n\": 1}", 2, "",
          "b", "{\"n\":1}");
    check(f, "Yes.[TOOL_CALLS]a[ARGS]{}", 1, "Yes.", "a", "{}");
    check(f, "[TOOL_CALLS][{\"name\": \"a\", \"arguments\": {}}]", 1, "", "a", "{}");
    check(f, "[TOOL_CALLS]a[ARGS]{\"x\": ", 0, "[TOOL_CALLS]a[ARGS]{\"x\": ", NULL, NULL);
    check(f, "a{\"x\": 1}", 0, "a{\"x\": 1}", NULL, NULL);
}

/* As on LFM2's model card: a list in Python's notation between two tokens, text behind it. */
static void test_lfm2(void **state)
{
    const enum serve_tools f = SERVE_TOOLS_LFM2;
    check(f,
          "<|tool_call_start|>[get_candidate_status(candidate_id=\"12345\")]<|tool_call_end|>Checking the current "
          "status of candidate ID 12345.",
          1, "", "get_candidate_status", "{\"candidate_id\":\"12345\"}");
    check(
        f,
        "Well. <|tool_call_start|>[a(), b.c(x=-1.5, y=True, z=None, s='it\\'s', l=[1, 'b'], d={'k': {\"v\": False}})]"
        "<|tool_call_end|>",
        2, "Well. ", "b.c",
        "{\"x\":-1.5,\"y\":true,\"z\":null,\"s\":\"it's\",\"l\":[1,\"b\"],\"d\":{\"k\":{\"v\":false}}}");
    check(f, "<|tool_call_start|>[{\"name\": \"a\", \"arguments\": {\"n\": 1}}]<|tool_call_end|>", 1, "", "a",
          "{\"n\":1}");
    static const char *const none[] = {"<|tool_call_start|>[a(x=1",
                                       "<|tool_call_start|>[a(x=1), b(",
                                       "[a(x=1)]",
                                       "<|tool_call_start|>[a(x=f(1))]<|tool_call_end|>",
                                       "<|tool_call_start|>",
                                       "<|tool_call_start|>[a(x='",
                                       "<|tool_call_start|>[a(x=",
                                       "<|tool_call_start|>["};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) check(f, none[i], 0, none[i], NULL, NULL);
    struct buf deep;
    buf_init(&deep, 1 << 20);
    buf_str(&deep, "<|tool_call_start|>[a(x=");
    for (int i = 0; i < 60000; i++) buf_char(&deep, '[');
    buf_char(&deep, 0);
    check(f, deep.data, 0, deep.data, NULL, NULL);
    buf_done(&deep);
}

/* What comes back in a conversation, as the families' templates need it. */
static void check_history(enum serve_tools family, const char *in, const char *wanted)
{
    struct err e = {0};
    json_t *m = json_loads(in, 0, NULL), *w = json_loads(wanted, 0, NULL);
    assert_non_null(m);
    assert_non_null(w);
    assert_int_equal(serve_tools_history(family, m, &e), 0);
    if (!json_equal(m, w)) fail_msg("%s", json_dumps(m, 0));
    json_decref(m);
    json_decref(w);
}

static void test_history(void **state)
{
    const char *said =
        "[{\"role\": \"assistant\", \"content\": \"So.\", \"tool_calls\": [{\"id\": \"a1B2c3D4e\", \"type\": "
        "\"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"s\": \"a\\\"b\", \"t\": true, \"l\": [1, "
        "{\"k\": null}]}}}]}, {\"role\": \"tool\", \"tool_call_id\": \"a1B2c3D4e\", \"content\": \"x\"}]";
    check_history(SERVE_TOOLS_HERMES, said, said);
    check_history(SERVE_TOOLS_MISTRAL3, said, said); /* a good id stays */
    check_history(
        SERVE_TOOLS_LFM2, said,
        "[{\"role\": \"assistant\", \"content\": \"<|tool_call_start|>[f(s=\\\"a\\\\\\\"b\\\", t=True, l=[1, "
        "{\\\"k\\\": None}])]<|tool_call_end|>So.\"}, {\"role\": \"tool\", \"tool_call_id\": \"a1B2c3D4e\", "
        "\"content\": \"x\"}]");
    json_t *m = json_loads(
        "[{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"id\": \"call_0123456789ab\"}, "
        "{\"id\": \"call_0123456789ac\"}]}, {\"role\": \"tool\", \"tool_call_id\": \"call_0123456789ab\"}]",
        0, NULL);
    struct err e = {0};
    assert_int_equal(serve_tools_history(SERVE_TOOLS_MISTRAL, m, &e), 0);
    json_t *calls = json_object_get(json_array_get(m, 0), "tool_calls");
    const char *a = json_string_value(json_object_get(json_array_get(calls, 0), "id"));
    assert_int_equal(strlen(a), 9);
    assert_int_equal(strspn(a, "0123456789abcdefghijklmnopqrstuvwxyz"), 9);
    assert_string_equal(a, json_string_value(json_object_get(json_array_get(m, 1), "tool_call_id")));
    assert_string_not_equal(a, json_string_value(json_object_get(json_array_get(calls, 1), "id")));
    json_decref(m);
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
        {SERVE_TOOLS_MISTRAL3, "Yes [TOOL_CALLS]a", 4},
        {SERVE_TOOLS_MISTRAL3, "[1]", 3},
        {SERVE_TOOLS_LFM2, "Yes <|tool_call_", 4},
        {SERVE_TOOLS_LFM2, "<|tool_call_start|>[a(", 0},
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
                                       cmocka_unit_test(test_qwen35),  cmocka_unit_test(test_mistral3),
                                       cmocka_unit_test(test_lfm2),    cmocka_unit_test(test_history),
                                       cmocka_unit_test(test_while_it_arrives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
