/* Checks of a text: what promptfoo's documentation says each type accepts, case by case. */
#include "task_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *check, *text;
    bool met;
} cases[] = {
    {"{'type':'equals','value':'The answer'}", "The answer", true},
    {"{'type':'equals','value':'The answer'}", "The answer.", false},
    {"{'type':'equals','value':'The answer'}", "the answer", false},
    {"{'type':'equals','value':{'key':'value','n':1}}", "{\"n\": 1, \"key\": \"value\"}", true},
    {"{'type':'equals','value':{'key':'value'}}", "{\"key\": \"other\"}", false},
    {"{'type':'equals','value':{'key':'value'}}", "no JSON", false},
    {"{'type':'contains','value':'expected'}", "the expected text", true},
    {"{'type':'contains','value':'Expected'}", "the expected text", false},
    {"{'type':'contains','value':'expected'}", "", false},
    {"{'type':'icontains','value':'EXPECTED'}", "the Expected text", true},
    {"{'type':'icontains','value':'GR\xc3\x9c\xc3\x9f'}", "viele gr\xc3\xbc\xc3\x9f\x65", true},
    {"{'type':'contains-all','value':['a1','b2']}", "b2 and a1", true},
    {"{'type':'contains-all','value':['a1','b2']}", "b2", false},
    {"{'type':'contains-any','value':['a1','b2']}", "b2", true},
    {"{'type':'contains-any','value':['a1','b2']}", "B2", false},
    {"{'type':'icontains-any','value':['a1','b2']}", "B2", true},
    {"{'type':'icontains-all','value':['a1','B2']}", "A1", false},
    {"{'type':'starts-with','value':'Yes'}", "Yes, it does", true},
    {"{'type':'starts-with','value':'Yes'}", "Oh, Yes", false},
    {"{'type':'starts-with','value':'Yes'}", "Ye", false},
    {"{'type':'is-json'}", "{\"a\": [1]}", true},
    {"{'type':'is-json'}", "3", true},
    {"{'type':'is-json'}", "{a: 1}", false},
    {"{'type':'not-contains','value':'x'}", "abc", true},
    {"{'type':'not-contains','value':'b'}", "abc", false},
    {"{'type':'not-is-json'}", "{}", false},
    {"{'type':'contains','value':'a'},{'type':'not-contains','value':'b'}", "abc", false}, /* all must hold */
    {"{'type':'contains','value':'a'},{'type':'not-contains','value':'b'}", "ac", true},
};

/* Single quotes stand for JSON's. */
static json_t *list_of(const char *check)
{
    char text[300];
    snprintf(text, sizeof text, "[%s]", check);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    return v;
}

static void checks_mean_what_is_documented(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        bool met = !cases[i].met;
        json_t *checks = list_of(cases[i].check);
        if (task_expect_valid(checks, &e)) fail_msg("%s: %s", cases[i].check, e.msg);
        if (task_expect_met(checks, cases[i].text, strlen(cases[i].text), &met, &e)) fail_msg("%s", e.msg);
        if (met != cases[i].met) fail_msg("%s of \"%s\" is %d", cases[i].check, cases[i].text, met);
        json_decref(checks);
    }
}

static void others_are_named(void **state)
{
    static const char *const wrong[][2] = {{"{'type':'llm-rubric','value':'polite'}", "llm-rubric"},
                                           {"{'type':'contains'}", "'contains' takes a text"},
                                           {"{'type':'contains-all','value':'x'}", "takes a list of texts"},
                                           {"{'type':'is-json','value':{}}", "takes no value"},
                                           {"{'value':'x'}", "no type"},
                                           {"3", "no type"},
                                           {"", "no check"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        json_t *checks = list_of(wrong[i][0]);
        assert_true(task_expect_valid(checks, &e) < 0);
        if (!strstr(e.msg, wrong[i][1])) fail_msg("'%s' does not say '%s'", e.msg, wrong[i][1]);
        json_decref(checks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_mean_what_is_documented),
        cmocka_unit_test(others_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
