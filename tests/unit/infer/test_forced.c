/* Forced spans keep the model's own tokens: a reader that wants a text, cut as the tokeniser cuts it, gets exactly
 * these tokens, those that it is asked for and those that it is given. For every tokeniser at hand, committed ones
 * and those of
 * ../shared/fixtures, over schemas, both styles of JSON, choices and an expression. */
#include "base_mem.h"
#include "infer_grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char order[] =
    "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{"
    "\"product\":{\"type\":\"string\"},\"quantity\":{\"type\":\"integer\"}},\"required\":[\"product\",\"quantity\"]}}"
    ","
    "\"fulfilment\":{\"enum\":[\"delivery\",\"pickup\",null]},\"day\":{\"enum\":[\"monday\",\"tuesday\",null]}},"
    "\"required\":[\"items\",\"fulfilment\",\"day\"]}";
static const char odd[] = "{\"type\":\"object\",\"properties\":{\"customer_name\":{\"type\":\"string\"},"
                          "\"2ndAddressLine\":{\"type\":\"string\"},"
                          "\"isHTTPServer\":{\"type\":\"boolean\"},\"der Stra\u00dfenname\":{\"const\":\"K\u00f6nigs "
                          " allee 12\"},\"x\":{\"type\":"
                          "\"number\"},\"\\u65e5\\u672c\\u8a9e\":{\"enum\":[\"on hold\",\"on "
                          "holiday\",\"on-hold\"]},\"it's\":{\"type\":\"array\",\"items\":{"
                          "\"type\":\"integer\"}}},\"required\":[\"customer_name\",\"2ndAddressLine\","
                          "\"isHTTPServer\",\"der Stra\u00dfenname\",\"x\","
                          "\"\\u65e5\\u672c\\u8a9e\",\"it's\"]}";

enum kind { SCHEMA, REGEX };
static const struct {
    enum kind kind;
    const char *grammar, *text;
} rows[] = {
    {SCHEMA, order,
     "{\"items\":[{\"product\":\"oat milk\",\"quantity\":12}],\"fulfilment\":\"delivery\",\"day\":null}"},
    {SCHEMA, order,
     "{\"items\": [{\"product\": \"avocados\", \"quantity\": 3}, {\"product\": \"b\u00e9\", \"quantity\": 101}], "
     "\"fulfilment\": null, \"day\": \"tuesday\"}"},
    {SCHEMA, order, "{\"items\":[],\"fulfilment\":\"pickup\",\"day\":\"monday\"}"},
    {SCHEMA, order,
     "{\"items\": [{\"product\": \"\", \"quantity\": 0}], \"fulfilment\": \"pickup\", \"day\": \"monday\"}"},
    {SCHEMA, odd,
     "{\"customer_name\":\"Ann, (B.)\",\"2ndAddressLine\":\"12/3\",\"isHTTPServer\":true,\"der Stra\u00dfenname\":"
     "\"K\u00f6nigs  allee 12\",\"x\":-1.25,\"\u65e5\u672c\u8a9e\":\"on holiday\",\"it's\":[1,22,333]}"},
    {SCHEMA, odd,
     "{\"customer_name\": \"\u65e5\u672c \", \"2ndAddressLine\": \"\\n\", \"isHTTPServer\": false, \"der "
     "Stra\u00dfenname\": \"K\u00f6nigs  allee 12\", \"x\": 3, \"\u65e5\u672c\u8a9e\": \"on-hold\", \"it's\": []}"},
    {REGEX, "(yes|no): the   answer's (twenty|thirty)-(one|three) of 1234567 \\([a-z ]+\\)\\.",
     "yes: the   answer's thirty-three of 1234567 (as we thought)."},
    {REGEX, " *[A-Z]* deep in the [a-z]+", "  BLUE deep in the sea"},
    {REGEX, "(international|internationally|internal) (business|buses)", "internationally buses"},
};

struct seen {
    size_t asked, given;
};

static void expect(const struct tok *t, const char *what, const int32_t *want, size_t at, int32_t got)
{
    struct buf a, b;
    if (want[at] == got) return;
    buf_init(&a, 1 << 12);
    buf_init(&b, 1 << 12);
    tok_piece(t, want[at], false, &a);
    tok_piece(t, got, false, &b);
    fail_msg("%s: token %zu is '%s', and '%s' was given", what, at, a.data, b.data);
}

/* Ask for each token of `want` in turn; take what is given. */
static void read_text(const struct tok *t, struct infer_grammar *g, const int32_t *want, size_t n, const char *name,
                      struct seen *seen)
{
    struct infer_match *m = NULL;
    struct err e = {0};
    struct buf said;
    struct tok_stream shown;
    buf_init(&said, 1 << 16);
    tok_stream_init(&shown, t, false);
    if (infer_match_new(g, &m, &e)) fail_msg("%s", e.msg);
    for (size_t at = 0; at < n;) {
        int32_t span[32];
        size_t k = 0;
        const uint32_t *mask = infer_match_mask(m, &e);
        if (!mask) fail_msg("%s", e.msg);
        if (!(mask[want[at] / 32] >> want[at] % 32 & 1)) fail_msg("%s: token %zu is masked out", name, at);
        if (infer_match_accept(m, want[at], &e)) fail_msg("%s", e.msg);
        tok_stream_push(&shown, want[at++], &said);
        seen->asked++;
        if (infer_match_forced_tokens(m, t, said.data, said.len, 32, span, &k, &e)) fail_msg("%s", e.msg);
        for (size_t i = 0; i < k; i++, seen->given++) {
            if (at == n) fail_msg("%s: more is given than the text has", name);
            expect(t, name, want, at, span[i]);
            if (infer_match_accept(m, span[i], &e)) fail_msg("%s: %s", name, e.msg);
            tok_stream_push(&shown, want[at++], &said);
        }
    }
    assert_true(infer_match_may_end(m));
    if (infer_grammar_check(g, said.data, said.len, &e)) fail_msg("%s: %s", name, e.msg);
    infer_match_free(m);
    buf_done(&said);
}

static bool keeps_its_tokens(const char *path)
{
    struct err e = {0};
    struct gguf *f = NULL;
    struct tok *t = NULL;
    struct infer_vocab *v = NULL;
    struct seen seen = {0};
    if (gguf_open(path, &f, &e)) return false;
    if (tok_new(f, &t, &e) || infer_vocab_new(t, &v, &e)) fail_msg("%s: %s", path, e.msg);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_grammar *g = NULL;
        int32_t *want = NULL;
        char name[256];
        int rc = rows[i].kind == SCHEMA ? infer_grammar_of_schema(v, rows[i].grammar, strlen(rows[i].grammar), &g, &e)
                                        : infer_grammar_of_regex(v, rows[i].grammar, strlen(rows[i].grammar), &g, &e);
        if (rc) fail_msg("%s", e.msg);
        snprintf(name, sizeof name, "%s, row %zu", path, i);
        size_t n = 0;
        if (tok_encode(t, rows[i].text, strlen(rows[i].text), 0, 1000, &want, &n, &e)) fail_msg("%s", e.msg);
        read_text(t, g, want, n, name, &seen);
        mem_free(want);
        infer_grammar_unref(g);
    }
    print_message("%s: %zu asked for, %zu given\n", path, seen.asked, seen.given);
    assert_true(seen.given * 3 > seen.asked); /* else nothing is forced, and all would pass */
    infer_vocab_free(v);
    tok_free(t);
    gguf_close(f);
    return true;
}

static void committed_tokenisers(void **state)
{
    assert_true(keeps_its_tokens("models/helpdesk-q8_0.gguf"));
    assert_true(keeps_its_tokens("tests/golden/tok/spm.gguf"));
}

static void real_tokenisers(void **state)
{
    static const char *const name[] = {"gpt-2", "qwen2",     "qwen35",         "llama-bpe", "llama-spm",
                                       "phi-3", "starcoder", "deepseek-coder", "falcon"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "../shared/fixtures/tokenizer/ggml-vocab-%s.gguf", name[i]);
        if (!keeps_its_tokens(path)) print_message("SKIP: %s\n", path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(committed_tokenisers), cmocka_unit_test(real_tokenisers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
