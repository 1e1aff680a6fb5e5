/* JSON Schema: acceptance by the grammar and by the check of finished texts against Python's jsonschema
 * (grammar_schema.inc, made by make_schema.py), what is refused and how it is said, random walks whose every text
 * must pass the check, and failing allocations. */
#include "base_mem.h"
#include "gram.h"
#include "grammar.h"

static struct infer_grammar *schema(const char *json)
{
    struct infer_grammar *g = NULL;
    struct err e = {0};
    if (infer_grammar_of_schema(vocab(), json, strlen(json), &g, &e)) fail_msg("%s: %s", json, e.msg);
    return g;
}

/* Does the grammar make this text? Not infer_grammar_check, which is the other opinion. */
static bool makes(struct infer_grammar *g, const char *text)
{
    struct infer_match *m;
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    bool ok = infer_match_accept_text(m, text, strlen(text), NULL) == 0 && infer_match_may_end(m);
    infer_match_free(m);
    return ok;
}

static const struct {
    const char *schema, *text;
    int valid, made;
} rows[] = {
#include "grammar_schema.inc"
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static void as_python_has_them(void **state)
{
    struct infer_grammar *g = NULL;
    int wrong = 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i == 0 || strcmp(rows[i - 1].schema, rows[i].schema)) {
            infer_grammar_unref(g);
            g = schema(rows[i].schema);
        }
        struct err e = {0};
        bool valid = infer_grammar_check(g, rows[i].text, strlen(rows[i].text), &e) == 0,
             made = makes(g, rows[i].text);
        if (valid == rows[i].valid && made == rows[i].made) continue;
        wrong++;
        print_error("%s\n  %s: valid %d (is %d), made %d (is %d) %s\n", rows[i].schema, rows[i].text, rows[i].valid,
                    valid, rows[i].made, made, e.msg);
    }
    infer_grammar_unref(g);
    assert_int_equal(wrong, 0);
}

static void refused_with_keyword_and_place(void **state)
{
    static const struct {
        const char *schema;
        int code;
        const char *where;
    } bad[] = {
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"not\": {}}}, \"required\": [\"a\"]}", CROFT_E_FORMAT,
         "No text"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"not\": {\"format\": \"date\"}}}}",
         CROFT_E_UNSUPPORTED, "#/properties/a/not"},
        {"{\"type\": \"array\", \"allOf\": [{\"contains\": {\"const\": 1}}, {\"contains\": {\"const\": 2}}]}",
         CROFT_E_UNSUPPORTED, "#/allOf/1/contains"},
        {"{\"dependencies\": {\"a\": \"b\"}}", CROFT_E_UNSUPPORTED, "#/dependencies"},
        {"{\"type\": \"array\", \"uniqueItems\": true}", CROFT_E_UNSUPPORTED, "#/uniqueItems"},
        {"{\"type\": \"string\", \"format\": \"datetime\"}", CROFT_E_FORMAT, "'date-time' meant"},
        {"{\"type\": \"string\", \"pattern\": \"(?=a)\"}", CROFT_E_UNSUPPORTED, "#/pattern"},
        {"{\"type\": \"string\", \"pattern\": \"(\"}", CROFT_E_FORMAT, "#/pattern"},
        {"{\"unevaluatedProperties\": false}", CROFT_E_UNSUPPORTED, "#/unevaluatedProperties"},
        {"{\"requird\": [\"a\"]}", CROFT_E_FORMAT, "'required' meant"},
        {"{\"minLenght\": 3}", CROFT_E_FORMAT, "'minLength' meant"},
        {"{\"additonalPropertes\": false}", CROFT_E_FORMAT, "'additionalProperties' meant"},
        {"{\"Max-Items\": 3}", CROFT_E_FORMAT, "'maxItems' meant"},
        {"{\"type\": \"strin\"}", CROFT_E_FORMAT, "#/type"},
        {"{\"type\": 5}", CROFT_E_FORMAT, "#/type"},
        {"{\"$ref\": \"#/$defs/none\"}", CROFT_E_FORMAT, "#/$ref"},
        {"{\"$ref\": \"http://example.com/s\"}", CROFT_E_UNSUPPORTED, "#/$ref"},
        {"{\"$ref\": \"#\"}", CROFT_E_FORMAT, "without end"},
        {"{\"$defs\": {\"a\": {\"$ref\": \"#/$defs/b\"}, \"b\": {\"$ref\": \"#/$defs/a\"}}, \"$ref\": \"#/$defs/a\"}",
         CROFT_E_FORMAT, "without end"},
        {"{\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}", CROFT_E_FORMAT, "itself"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#\"}}, \"required\": [\"a\"]}", CROFT_E_FORMAT,
         "No text"},
        {"{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"number\"}]}", CROFT_E_UNSUPPORTED, "#/oneOf"},
        {"{\"type\": \"string\", \"oneOf\": [{\"format\": \"date\"}, {\"minLength\": 0}]}", CROFT_E_UNSUPPORTED,
         "#/oneOf/0"},
        {"{\"enum\": []}", CROFT_E_FORMAT, "#/enum"},
        {"{\"enum\": [\"a\"], \"type\": \"integer\"}", CROFT_E_FORMAT, "No text"},
        {"{\"type\": \"integer\", \"minimum\": 5, \"maximum\": 4}", CROFT_E_FORMAT, "No text"},
        {"{\"type\": \"integer\", \"minimum\": \"5\"}", CROFT_E_FORMAT, "#/minimum"},
        {"{\"type\": \"integer\", \"multipleOf\": 0}", CROFT_E_FORMAT, "#/multipleOf"},
        {"{\"type\": \"integer\", \"multipleOf\": 1234567}", CROFT_E_UNSUPPORTED, "#/multipleOf"},
        {"{\"type\": \"string\", \"minLength\": -1}", CROFT_E_FORMAT, "#/minLength"},
        {"{\"type\": \"string\", \"minLength\": 9999999}", CROFT_E_LIMIT, "#/minLength"},
        {"{\"type\": \"string\", \"pattern\": \"^([a-z]+ )+[0-9]*x$\", \"maxLength\": 60000}", CROFT_E_LIMIT,
         "#/pattern"},
        {"{\"items\": 5}", CROFT_E_FORMAT, "#/items"},
        {"{\"allOf\": {}}", CROFT_E_FORMAT, "#/allOf"},
        {"{\"required\": \"a\"}", CROFT_E_FORMAT, "#/required"},
        {"false", CROFT_E_FORMAT, "No text"},
        {"5", CROFT_E_FORMAT, "#"},
        {"{\"a\": ", CROFT_E_FORMAT, "JSON"},
        {"{\"type\": \"null\", \"type\": \"string\"}", CROFT_E_FORMAT, "JSON"},
        {"", CROFT_E_FORMAT, "JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct infer_grammar *g = NULL;
        struct err e = {0};
        int rc = infer_grammar_of_schema(vocab(), bad[i].schema, strlen(bad[i].schema), &g, &e);
        if (rc != bad[i].code || !strstr(e.msg, bad[i].where)) fail_msg("%s gives %d: %s", bad[i].schema, rc, e.msg);
        assert_null(g);
    }
}

/* What the standards say of these texts, as the JSON-Schema-Test-Suite has it; made: by the grammar, too. */
static void formats(void **state)
{
    static const struct {
        const char *format, *text;
        bool valid, made;
    } f[] = {
        {"duration", "P4DT12H30M5S", true, true},
        {"duration", "P1Y2D", false, false}, /* no months between them */
        {"duration", "PT1H2S", false, false},
        {"duration", "P2W", true, true},
        {"duration", "P1Y2W", false, false},
        {"duration", "PT1D", false, false},
        {"duration", "P", false, false},
        {"time", "23:59:60Z", true, false},
        {"time", "22:59:60Z", false, false}, /* a leap second that is not the day's last */
        {"time", "15:59:60-08:00", true, false},
        {"time", "23:59:60+01:00", false, false},
        {"time", "00:29:60+00:30", true, false},
        {"date-time", "1998-12-31T23:58:60Z", false, false},
        {"hostname", "www.example.com", true, true},
        {"hostname", "-a-host-name-that-starts-with--", false, false},
        {"hostname", "a_b.example", false, false},
        {"uri", "http://foo.bar/?baz=qux#quux", true, true},
        {"uri", "http://[::1]/", true, false},
        {"uri", "http://[::ffff:01.2.3.4]", false, false},
        {"uri", "https://[@example.org/test.txt", false, false},
        {"uri", "http://example.com:abc/path", false, false},
        {"uri", "http:/[::1]", false, false},
        {"uri", "//foo.bar/?baz=qux#quux", false, false},
        {"uri", "mailto:John.Doe@example.com", true, false},
        {"uri-reference", "/abc", true, true},
        {"uri-reference", "//a@b@example.com/", false, false},
        {"uri-reference", "//example.com:abc/p", false, false},
        {"uri-reference", "1:b", false, false},
        {"uri-reference", "#fragment", true, false},
        {"iri", "http://ƒøø.ßår/?∂éœ=πîx#πîüx", true, false},
        {"iri", "http://foo.bar/", true, true},
        {"json-pointer", "/foo/bar~0/baz~1/%a", true, true},
        {"json-pointer", "/foo/bar~", false, false},
        {"json-pointer", "a", false, false},
        {"json-pointer", "", true, true},
        {"relative-json-pointer", "0#", true, true},
        {"relative-json-pointer", "01/a", false, false},
        {"relative-json-pointer", "/foo/bar", false, false},
        {"uri-template", "/dictionary/{term}", true, true},
        {"uri-template", "http://example.com/dictionary/{term:1}/{term", false, false},
        {"regex", "[abc]+x*", true, true},
        {"regex", "^(abc]", false, false},
        {"uint8", "any", true, true}, /* speaks about numbers */
        {"colour", "any", true, true},
    };
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) {
        char json[160], text[160];
        snprintf(json, sizeof json, "{\"type\": \"string\", \"format\": \"%s\"}", f[i].format);
        snprintf(text, sizeof text, "\"%s\"", f[i].text);
        struct infer_grammar *g = schema(json);
        bool valid = infer_grammar_check(g, text, strlen(text), NULL) == 0, made = makes(g, text);
        if (valid != f[i].valid || made != f[i].made)
            fail_msg("%s %s: valid %d, made %d", f[i].format, text, valid, made);
        infer_grammar_unref(g);
    }
}

/* Random text from the masks: always some token may follow, and a finished text is valid. */
static void random_texts_are_valid(void **state)
{
    struct buf out;
    int done = 0;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i && !strcmp(rows[i - 1].schema, rows[i].schema)) continue;
        struct infer_grammar *g = schema(rows[i].schema);
        for (int run = 0; run < 20; run++) {
            struct infer_match *m;
            struct err e = {0};
            buf_clear(&out);
            assert_int_equal(infer_match_new(g, &m, NULL), 0);
            int steps = 0;
            for (; steps < 150 && !infer_match_complete(m); steps++) {
                const uint32_t *mask = infer_match_mask(m, &e);
                int32_t id = mask ? draw(mask, 40) : -1;
                if (id < 0)
                    fail_msg("%s: nothing may follow '%.*s' %s", rows[i].schema, (int)out.len, out.data, e.msg);
                if (!test_is_end(id))
                    tok_piece(vocab_tok, id, false, &out);
                assert_int_equal(infer_match_accept(m, id, NULL), 0);
            }
            if (steps < 150 && infer_grammar_check(g, out.data ? out.data : "", out.len, &e))
                fail_msg("%s: '%.*s': %s", rows[i].schema, (int)out.len, out.data, e.msg);
            done += steps < 150;
            infer_match_free(m);
        }
        infer_grammar_unref(g);
    }
    buf_done(&out);
    assert_true(done > 1000);
}

static void members_are_forced(void **state)
{
    struct infer_grammar *g =
        schema("{\"type\": \"object\", \"properties\": {\"first\": {\"type\": \"boolean\"}, \"second\": "
               "{\"const\": \"only\"}}, \"required\": [\"first\", \"second\"]}");
    struct infer_match *m;
    char out[100];
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    assert_int_equal(infer_match_forced(m, out, sizeof out), 9);
    assert_memory_equal(out, "{\"first\":", 9); /* here the style is chosen … */
    assert_int_equal(infer_match_accept_text(m, out, 9, NULL), 0);
    assert_int_equal(infer_match_accept_text(m, " t", 2, NULL), 0);
    size_t n = infer_match_forced(m, out, sizeof out);
    assert_int_equal(n, strlen("rue, \"second\": \"only\"}"));
    assert_memory_equal(out, "rue, \"second\": \"only\"}", n);
    infer_match_free(m);
    assert_int_equal(infer_match_new(g, &m, NULL), 0);
    assert_int_equal(infer_match_accept_text(m, "{\"first\":f", 10, NULL), 0);
    n = infer_match_forced(m, out, sizeof out); /* … and kept to */
    assert_int_equal(n, strlen("alse,\"second\":\"only\"}"));
    assert_memory_equal(out, "alse,\"second\":\"only\"}", n);
    infer_match_free(m);
    infer_grammar_unref(g);
}

static void any_object(void **state)
{
    struct infer_grammar *g;
    assert_int_equal(infer_grammar_of_json(vocab(), &g, NULL), 0);
    assert_true(makes(g, "{\"a\":[1,-2.5e3,null,{\"b\":\"c\\n\"}],\"\":true}"));
    assert_true(makes(g, "{}") && makes(g, "{\"a\": [1, -2.5e3, null, {\"b\": \"c\\n\"}], \"\": true}"));
    assert_false(makes(g, "[]") || makes(g, "1") || makes(g, "{\"a\": 01}") || makes(g, "{\"a\": 1,\"b\": 2}") ||
                 makes(g, "{\"a\":1, \"b\":2}") || makes(g, "{\"a\": \"\\x\"}"));
    assert_int_equal(infer_grammar_check(g, "{ \"a\":1 }", 9, NULL),
                     0); /* any white space is valid, two styles are made */
    assert_int_equal(infer_grammar_check(g, "[]", 2, NULL), CROFT_E_FORMAT);
    assert_int_equal(infer_grammar_check(g, "{} x", 4, NULL), CROFT_E_FORMAT);
    infer_grammar_unref(g);
}

static int huge_enum(int n, struct infer_grammar **g)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, "{\"enum\": [");
    for (int i = 0; i < n; i++) buf_fmt(&b, "%s\"value %d\"", i ? ", " : "", i * 7919 % 100003);
    buf_str(&b, "]}");
    int rc = infer_grammar_of_schema(vocab(), b.data, b.len, g, NULL);
    buf_done(&b);
    return rc;
}

static void large_schemas(void **state)
{
    struct infer_grammar *g;
    struct err e = {0};
    struct buf b;
    assert_int_equal(huge_enum(10000, &g), 0);
    assert_true(makes(g, "\"value 7919\"") && !makes(g, "\"value 100003\""));
    infer_grammar_unref(g);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 500; i++) buf_str(&b, "{\"items\":");
    buf_str(&b, "{}");
    for (int i = 0; i < 500; i++) buf_str(&b, "}");
    assert_int_equal(infer_grammar_of_schema(vocab(), b.data, b.len, &g, &e), CROFT_E_LIMIT);
    assert_true(strstr(e.msg, "nested") != NULL);
    buf_clear(&b);
    for (int i = 0; i < 200000; i++) buf_char(&b, '[');
    assert_int_equal(infer_grammar_of_schema(vocab(), b.data, b.len, &g, &e), CROFT_E_FORMAT);
    buf_done(&b);
}

static int everything(struct err *e)
{
    static const char json[] =
        "{\"$defs\": {\"n\": {\"type\": \"integer\", \"minimum\": -5, \"multipleOf\": 5, "
        "\"maximum\": 100}}, \"type\": \"object\", "
        "\"properties\": {\"a\": {\"$ref\": \"#/$defs/n\"}, \"b\": {\"anyOf\": [{\"type\": "
        "\"number\", \"maximum\": 1.5}, {\"enum\": "
        "[\"x\", \"y\", 3]}]}, \"s\": {\"type\": \"string\", \"pattern\": \"a$\", "
        "\"maxLength\": 4}, \"l\": {\"type\": \"array\", "
        "\"items\": {\"allOf\": [{\"format\": \"date\"}, {\"type\": \"string\"}]}}}, "
        "\"patternProperties\": {\"^x\": {}}, \"if\": {\"required\": [\"l\"]}, "
        "\"then\": {\"oneOf\": [{\"required\": [\"s\"]}, {\"required\": [\"b\"]}], \"properties\": "
        "{\"s\": {\"not\": {\"enum\": [\"a\", \"b\"]}}, \"l\": {\"contains\": {\"minLength\": 3}}}}, "
        "\"dependentRequired\": {\"s\": [\"l\"]}, "
        "\"required\": [\"a\"]}";
    static const char text[] = "{\"a\": 5, \"s\": \"xa\", \"l\": [\"2024-02-29\"], \"x1\": null}";
    struct infer_grammar *g = NULL;
    struct infer_match *m = NULL;
    int rc = infer_grammar_of_schema(vocab(), json, sizeof json - 1, &g, e);
    if (!rc) rc = infer_match_new(g, &m, e);
    if (!rc) rc = infer_match_accept_text(m, text, sizeof text - 1, e);
    if (!rc) rc = infer_grammar_check(g, text, sizeof text - 1, e);
    infer_match_free(m);
    infer_grammar_unref(g);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    struct err e; /* of our own allocations: jansson's parser may drop a character when one of its own fails */
    assert_int_equal(everything(&e), 0);
    uint64_t before = mem_count();
    assert_int_equal(everything(&e), 0);
    long n = (long)(mem_count() - before);
    for (long i = 1; i <= n; i++) {
        mem_fail_nth(i);
        int rc = everything(&e);
        mem_fail_nth(0);
        if (rc && rc != CROFT_E_NOMEM) fail_msg("allocation %ld of %ld: %s", i, n, e.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_python_has_them),
        cmocka_unit_test(refused_with_keyword_and_place),
        cmocka_unit_test(formats),
        cmocka_unit_test(random_texts_are_valid),
        cmocka_unit_test(members_are_forced),
        cmocka_unit_test(any_object),
        cmocka_unit_test(large_schemas),
        cmocka_unit_test(every_allocation_may_fail),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    vocab_done();
    return rc;
}
