/* Redaction with restore: what is sent holds none of the values, and restoring it gives the original; numbers are the
 * same for a longer history; requests of chat APIs; answers whole, in JSON, and in pieces cut anywhere. */
#include "base_mem.h"
#include "redact.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "plat_file.h"

static struct route_detectors *detectors;
static struct route_redact_policy all_back;

static int setup(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/croft-names-%d", (int)getpid());
    if (plat_file_write(path, "Claude\nJosé García\n", 21) != 0) return -1;
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = path};
    memset(all_back.action, ROUTE_RESTORE, sizeof all_back.action);
    int rc = route_detectors_new(&conf, &detectors, NULL);
    unlink(path);
    return rc;
}
static int teardown(void **state)
{
    route_detectors_free(detectors);
    return 0;
}

static struct route_conversation *conversation(const struct route_redact_policy *p)
{
    struct route_conversation *c = NULL;
    assert_int_equal(route_conversation_new(detectors, p, &c, NULL), 0);
    return c;
}

/* Noted and replaced; freed by the next call. */
static const char *redacted(struct route_conversation *c, const char *text)
{
    static struct buf out;
    struct err e = {0};
    buf_done(&out);
    buf_init(&out, 1 << 20);
    assert_int_equal(route_redact_note(c, text, strlen(text), &e), 0);
    assert_int_equal(route_redact_text(c, text, strlen(text), &out, &e), 0);
    return out.data ? out.data : "";
}
static const char *restored(const struct route_conversation *c, const char *text, int depth)
{
    static struct buf out;
    buf_done(&out);
    buf_init(&out, 1 << 20);
    assert_int_equal(route_restore_text(c, text, strlen(text), depth, &out, NULL), 0);
    return out.data ? out.data : "";
}

static void there_and_back(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    const char *text = "Mail a@b.example or c@d.example, not A@b.example; a@b.example pays with 4111 1111 1111 1111.";
    const char *sent = redacted(c, text);
    assert_string_equal(sent, "Mail [EMAIL_1] or [EMAIL_2], not [EMAIL_3]; [EMAIL_1] pays with [CARD_1].");
    assert_string_equal(restored(c, sent, 0), text);
    uint32_t counts[ROUTE_N_PII];
    route_conversation_counts(c, counts);
    assert_int_equal(counts[ROUTE_PII_EMAIL], 3);
    assert_int_equal(counts[ROUTE_PII_CARD], 1);
    route_conversation_free(c);
}

static void a_written_placeholder_is_a_value(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    const char *text =
        "[EMAIL_1] [email_2] [Email\\_1] [TEXT_1] [EMAIL_0] [EMAIL_01] [EMAIL_1 [[EMAIL_1]] x@y.example";
    const char *sent = redacted(c, text);
    assert_string_equal(sent,
                        "[TEXT_1] [TEXT_2] [TEXT_3] [TEXT_4] [EMAIL_0] [EMAIL_01] [EMAIL_1 [[TEXT_1]] [EMAIL_1]");
    assert_string_equal(restored(c, sent, 0), text);
    route_conversation_free(c);
}

static void what_models_do_to_placeholders(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    redacted(c, "a@b.example");
    assert_string_equal(
        restored(c, "[email_1] **[Email\\_1]** [EMAIL_2] [EMAIL_1 EMAIL_1] [PHONE_1] [EMAIL 1] [ EMAIL_1]", 0),
        "a@b.example **a@b.example** [EMAIL_2] [EMAIL_1 EMAIL_1] [PHONE_1] [EMAIL 1] [ EMAIL_1]");
    assert_string_equal(restored(c, "[EMAIL_99999999999999999999] [EMAIL_1]", 0),
                        "[EMAIL_99999999999999999999] a@b.example");
    route_conversation_free(c);
}

static void policies(void **state)
{
    struct route_redact_policy p = all_back;
    p.action[ROUTE_PII_EMAIL] = ROUTE_MASK;
    p.action[ROUTE_PII_IP] = ROUTE_KEEP;
    p.action[ROUTE_PII_CARD] = ROUTE_BLOCK;
    struct route_conversation *c = conversation(&p);
    struct err e = {0};
    assert_string_equal(redacted(c, "a@b.example 127.0.0.1 +1 212 555 0123 [EMAIL_1]"),
                        "[EMAIL_1] 127.0.0.1 [PHONE_1] [EMAIL_1]");
    assert_string_equal(restored(c, "[EMAIL_1] [PHONE_1]", 0), "[EMAIL_1] +1 212 555 0123");
    assert_int_equal(route_redact_note(c, "4111111111111111", 16, &e), CROFT_E_DENIED);
    assert_non_null(strstr(e.msg, "'card'"));
    assert_null(strstr(e.msg, "4111"));
    /* also when a longer finding covers it */
    struct route_redact_policy q = {.action = {[ROUTE_PII_NAME] = ROUTE_BLOCK, [ROUTE_PII_EMAIL] = ROUTE_MASK}};
    struct route_conversation *d = conversation(&q);
    assert_int_equal(route_redact_note(d, "bob@b.example", 13, &e), 0);
    assert_int_equal(route_redact_note(d, "claude@b.example", 16, &e), CROFT_E_DENIED);
    /* and in the part that another kind took */
    struct route_redact_policy r = {.action = {[ROUTE_PII_EMAIL] = ROUTE_BLOCK, [ROUTE_PII_SECRET] = ROUTE_MASK}};
    struct route_conversation *f = conversation(&r);
    assert_int_equal(route_redact_note(f, "password=swordfish77", 20, &e), 0);
    assert_int_equal(route_redact_note(f, "password=bob@b.example", 22, &e), CROFT_E_DENIED);
    route_conversation_free(c);
    route_conversation_free(d);
    route_conversation_free(f);
    assert_int_equal(route_redact_action_find("mask"), ROUTE_MASK);
    assert_int_equal(route_redact_action_find("hide"), -1);
    assert_string_equal(route_redact_action_name(ROUTE_BLOCK), "block");
}

static json_t *request(const char *text)
{
    json_error_t je;
    json_t *j = json_loads(text, 0, &je);
    if (!j) fail_msg("%s at %d: %s", je.text, je.position, text);
    return j;
}
static void chat(const struct route_redact_policy *p, const char *in, const char *want)
{
    struct route_conversation *c = conversation(p);
    struct err e = {0};
    json_t *j = request(in), *w = request(want);
    int rc = route_redact_chat(c, j, &e);
    if (rc) fail_msg("%s", e.msg);
    char *got = json_dumps(j, JSON_COMPACT);
    if (!json_equal(j, w)) fail_msg("%s\nnot\n%s", got, want);
    free(got);
    json_decref(j);
    json_decref(w);
    route_conversation_free(c);
}
static void refused(const char *in, const char *word)
{
    struct route_conversation *c = conversation(&all_back);
    struct err e = {0};
    json_t *j = request(in);
    assert_int_equal(route_redact_chat(c, j, &e), CROFT_E_DENIED);
    if (!strstr(e.msg, word)) fail_msg("'%s' does not name %s", e.msg, word);
    json_decref(j);
    route_conversation_free(c);
}

static void chat_completions(void **state)
{
    chat(
        &all_back,
        "{\"model\":\"claude-4\",\"user\":\"a@b.example\",\"metadata\":{\"phone\":5550123},\"seed\":4111111111111111,"
        "\"messages\":["
        "{\"role\":\"system\",\"content\":\"Claude helps.\"},"
        "{\"role\":\"user\",\"name\":\"Claude\",\"content\":[{\"type\":\"text\",\"text\":\"5550123 x@y.example\"}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\","
        "\"function\":"
        "{\"name\":\"claude\",\"arguments\":\"{\\\"to\\\": \\\"a\\\\u0040b.example\\\", \\\"n\\\":[1, "
        "4111111111111111]}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"claude\",\"description\":\"as "
        "x@y.example\",\"parameters\":"
        "{\"type\":\"object\",\"properties\":{\"José García\":{\"type\":\"string\"}},\"required\":[\"José "
        "García\"]}}}]}",
        "{\"model\":\"claude-4\",\"user\":\"[EMAIL_1]\",\"metadata\":{\"phone\":\"[PHONE_1]\"},\"seed\":"
        "4111111111111111,\"messages\":["
        "{\"role\":\"system\",\"content\":\"[NAME_1] helps.\"},"
        "{\"role\":\"user\",\"name\":\"NAME_1\",\"content\":[{\"type\":\"text\",\"text\":\"[PHONE_1] [EMAIL_2]\"}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\","
        "\"function\":"
        "{\"name\":\"claude\",\"arguments\":\"{\\\"to\\\": \\\"[EMAIL_1]\\\", \\\"n\\\":[1, \\\"[CARD_1]\\\"]}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"{\\\"password\\\":\\\"[SECRET_1]\\\"}\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"claude\",\"description\":\"as "
        "[EMAIL_2]\",\"parameters\":"
        "{\"type\":\"object\",\"properties\":{\"[NAME_2]\":{\"type\":\"string\"}},\"required\":[\"[NAME_2]\"]}}}]}");
}

static void other_apis(void **state)
{
    chat(&all_back,
         "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a@b."
         "example\"}]},"
         "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"{\\\"e\\\":\\\"c@d.example\\\"}\"}],"
         "\"instructions\":\"a@b.example\"}",
         "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"[EMAIL_1]"
         "\"}]},"
         "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"{\\\"e\\\":\\\"[EMAIL_2]\\\"}\"}],"
         "\"instructions\":\"[EMAIL_1]\"}");
    chat(&all_back,
         "{\"model\":\"claude\",\"system\":\"for "
         "a@b.example\",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
         "\"id\":\"t\",\"name\":\"f\",\"input\":{\"card\":4111111111111111,\"c@d.example\":[\"a@b.example\"]}}]}]}",
         "{\"model\":\"claude\",\"system\":\"for "
         "[EMAIL_1]\",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
         "\"id\":\"t\",\"name\":\"f\",\"input\":{\"card\":\"[CARD_1]\",\"[EMAIL_2]\":[\"[EMAIL_1]\"]}}]}]}");
}

static void what_cannot_be_looked_into(void **state)
{
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
            "x\"}}]}]}",
            "image_url");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}]}",
            "input_audio");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"hologram\"}]}]}", "hologram");
    refused("{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\",\"file_id\":\"f\"}]}]}",
            "file_id");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{}}]}]}", "image");
    refused("{\"model\":\"a@b.example\",\"messages\":[]}", "model");
    refused("{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"4111111111111111\"}}]}",
            "name");
}

/* Turn by turn, each with a new conversation and the whole history: the same placeholders. */
static void numbers_do_not_move(void **state)
{
    static const char *const turns[] = {"I am a@b.example, tel 5550123.", "c@d.example or a@b.example wrote 5550123.",
                                        "From 127.0.0.1, c@d.example; e@f.example."};
    static const char *const want[] = {"I am [EMAIL_1], tel [PHONE_1].", "[EMAIL_2] or [EMAIL_1] wrote [PHONE_1].",
                                       "From [IP_1], [EMAIL_2]; [EMAIL_3]."};
    for (int n = 1; n <= 3; n++) {
        struct route_conversation *c = conversation(&all_back);
        json_t *messages = json_array(), *j = json_pack("{s:O}", "messages", messages);
        for (int i = 0; i < n; i++)
            json_array_append_new(messages,
                                  json_pack("{s:s,s:s}", "role", i % 2 ? "assistant" : "user", "content", turns[i]));
        assert_int_equal(route_redact_chat(c, j, NULL), 0);
        for (int i = 0; i < n; i++)
            assert_string_equal(json_string_value(json_object_get(json_array_get(messages, (size_t)i), "content")),
                                want[i]);
        json_decref(messages);
        json_decref(j);
        route_conversation_free(c);
    }
}

static void inside_json(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    const char *key = "-----BEGIN PRIVATE KEY-----\n\"a\\b\"\n-----END PRIVATE KEY-----";
    redacted(c, key);
    assert_string_equal(restored(c, "{\"k\":\"[SECRET_1]\"}", 1),
                        "{\"k\":\"-----BEGIN PRIVATE KEY-----\\n\\\"a\\\\b\\\"\\n-----END PRIVATE KEY-----\"}");
    json_t *outer = request(restored(c, "{\"arguments\":\"{\\\"k\\\":\\\"[SECRET_1]\\\"}\"}", 2));
    json_t *inner = request(json_string_value(json_object_get(outer, "arguments")));
    assert_string_equal(json_string_value(json_object_get(inner, "k")), key);
    json_decref(outer);
    json_decref(inner);

    json_t *answer =
        request("{\"choices\":[{\"message\":{\"content\":\"is [SECRET_1]\",\"tool_calls\":[{\"function\":"
                "{\"arguments\":\"{\\\"[SECRET_1]\\\":1}\"}}]}}],\"input\":{\"[SECRET_1]\":[\"[SECRET_1]\"]}}");
    assert_int_equal(route_restore_chat(c, answer, 0, NULL), 0);
    json_t *message = json_object_get(json_array_get(json_object_get(answer, "choices"), 0), "message");
    assert_string_equal(json_string_value(json_object_get(message, "content")) + 3, key);
    json_t *call = json_object_get(json_array_get(json_object_get(message, "tool_calls"), 0), "function");
    inner = request(json_string_value(json_object_get(call, "arguments")));
    assert_non_null(json_object_get(inner, key));
    json_t *list = json_object_get(json_object_get(answer, "input"), key);
    assert_string_equal(json_string_value(json_array_get(list, 0)), key);
    json_decref(inner);
    json_decref(answer);
    route_conversation_free(c);
}

static void json_text_keeps_its_bytes(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    struct buf out;
    bool changed = false;
    buf_init(&out, 1 << 20);
    const char *text = " {\"a\" :1.50, \"b\\u00e9\": \"x\\/y\", \"to\":\"a\\u0040b.example\\n\", "
                       "\"f\":-4111111111111111,\"g\":4111111111111111} ";
    assert_int_equal(route_redact_json(c, text, strlen(text), NULL, &changed, NULL), 0);
    assert_int_equal(route_redact_json(c, text, strlen(text), &out, &changed, NULL), 0);
    assert_true(changed);
    assert_string_equal(out.data, " {\"a\" :1.50, \"b\\u00e9\": \"x\\/y\", \"to\":\"[EMAIL_1]\\n\", "
                                  "\"f\":-4111111111111111,\"g\":\"[CARD_1]\"} ");
    buf_clear(&out);
    text = "{not json: a@b.example}";
    assert_int_equal(route_redact_json(c, text, strlen(text), &out, &changed, NULL), 0);
    assert_string_equal(out.data, "{not json: [EMAIL_1]}");
    buf_done(&out);
    route_conversation_free(c);
}

static void in_pieces(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    redacted(c, "a@b.example +1 212 555 0123 [email_7]");
    const char *text = "x[EMAIL_1][PHONE_1] [EMACS] [[EMAIL_1]] [email\\_1] [TEXT_1][EMAIL_2] [E [EMAIL_";
    char want[512];
    snprintf(want, sizeof want, "%s", restored(c, text, 0));
    size_t n = strlen(text);
    for (size_t a = 0; a <= n; a++)
        for (size_t b = a; b <= n; b++) {
            struct route_restore r;
            struct buf out;
            buf_init(&out, 1 << 20);
            route_restore_init(&r, c, 0);
            assert_int_equal(route_restore_push(&r, text, a, &out, NULL), 0);
            assert_int_equal(route_restore_push(&r, text + a, b - a, &out, NULL), 0);
            assert_int_equal(route_restore_push(&r, text + b, n - b, &out, NULL), 0);
            assert_int_equal(route_restore_end(&r, &out, NULL), 0);
            if (strcmp(out.data, want) != 0) fail_msg("cut at %zu and %zu: '%s'", a, b, out.data);
            buf_done(&out);
        }
    route_conversation_free(c);
}

/* Only what can still become one of this conversation's is held back. */
static void holds_back_no_more_than_needed(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    redacted(c, "a@b.example");
    static const struct {
        const char *piece;
        unsigned held;
    } cases[] = {{"a [", 1},   {"[E", 2},       {"[em", 3},      {"[EMAIL_1", 8},    {"[EMAIL_2", 0}, {"[P", 0},
                 {"[EMAX", 0}, {"[EMAIL\\", 7}, {"[EMAIL_0", 0}, {"[EMAIL_1] [", 1}, {"[T", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_restore r;
        struct buf out;
        buf_init(&out, 1 << 10);
        route_restore_init(&r, c, 0);
        assert_int_equal(route_restore_push(&r, cases[i].piece, strlen(cases[i].piece), &out, NULL), 0);
        if (r.n_held != cases[i].held) fail_msg("'%s' holds %u, not %u", cases[i].piece, r.n_held, cases[i].held);
        buf_done(&out);
    }
    route_conversation_free(c);
}

static void a_conversation_of_another_cannot_be_read(void **state)
{
    struct route_conversation *a = conversation(&all_back), *b = conversation(&all_back);
    redacted(a, "a@b.example");
    assert_string_equal(restored(b, "[EMAIL_1]", 0), "[EMAIL_1]");
    route_conversation_free(a);
    route_conversation_free(b);
}

static void too_many_values(void **state)
{
    struct route_conversation *c = conversation(&all_back);
    struct buf text;
    buf_init(&text, 8 << 20);
    for (int i = 0; i <= ROUTE_VALUES_MAX; i++) buf_fmt(&text, "a%d@b.example ", i);
    assert_int_equal(route_redact_note(c, text.data, text.len, NULL), CROFT_E_LIMIT);
    buf_done(&text);
    route_conversation_free(c);
}

static void without_memory(void **state)
{
    const char *text =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a@b.example [EMAIL_1]\"},{\"role\":\"tool\",\"content\":"
        "\"{\\\"a\\\":\\\"c@d.example\\\"}\"}],\"metadata\":{\"phone\":5550123,\"x@y.example\":1}}";
    int rc = -1;
    for (long n = 1; rc != 0; n++) {
        struct route_conversation *c = NULL;
        json_t *j = request(text);
        mem_fail_nth(n);
        rc = route_conversation_new(detectors, &all_back, &c, NULL);
        if (rc == 0) rc = route_redact_chat(c, j, NULL);
        if (rc == 0) rc = route_restore_chat(c, j, 0, NULL);
        mem_fail_nth(0);
        if (rc) assert_int_equal(rc, CROFT_E_NOMEM);
        route_conversation_free(c);
        json_decref(j);
        assert_true(n < 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
                                       cmocka_unit_test(a_written_placeholder_is_a_value),
                                       cmocka_unit_test(what_models_do_to_placeholders),
                                       cmocka_unit_test(policies),
                                       cmocka_unit_test(chat_completions),
                                       cmocka_unit_test(other_apis),
                                       cmocka_unit_test(what_cannot_be_looked_into),
                                       cmocka_unit_test(numbers_do_not_move),
                                       cmocka_unit_test(inside_json),
                                       cmocka_unit_test(json_text_keeps_its_bytes),
                                       cmocka_unit_test(in_pieces),
                                       cmocka_unit_test(holds_back_no_more_than_needed),
                                       cmocka_unit_test(a_conversation_of_another_cannot_be_read),
                                       cmocka_unit_test(too_many_values),
                                       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
