/* How text is cut before BPE merges. The expected pieces come from Python's `regex` module running the patterns that
 * the models' authors published (spelled out in each case's comment); every named pre-tokenizer compiles and keeps
 * every character. */
#include "base_mem.h"
#include "tok.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct tok *with_pre(const char *name)
{
    struct tok *t = mem_calloc(1, sizeof *t);
    struct err e = {0};
    t->pre = tok_pre_find(str_of(name));
    if (!t->pre) fail_msg("%s is not in the table", name);
    for (unsigned i = 0; t->pre->stages[i]; i++)
        if (t->pre->stages[i][0] != '#' && tok_re_new(t->pre->stages[i], &t->stage[i], &e)) fail_msg("%s", e.msg);
    return t;
}

/* The pieces of `text`, joined by '|'. */
static char *cut(const char *name, const char *text)
{
    struct tok *t = with_pre(name);
    struct tok_work w;
    struct err e = {0};
    struct buf b;
    size_t n, at = 0;
    tok_work_init(&w, t, 1);
    buf_init(&b, 100000);
    if (tok_work_chars(&w, text, strlen(text), &n, &e)) fail_msg("%s", e.msg);
    if (tok_pre_cut(t, w.chars, n, &w.re, &w.cuts, &e)) fail_msg("%s", e.msg);
    for (size_t i = 0; i < w.cuts.n; i++) {
        if (i) buf_char(&b, '|');
        for (uint32_t k = 0; k < w.cuts.lens[i]; k++) buf_utf8(&b, TC_CP(w.chars[at++]));
    }
    assert_int_equal(at, n);
    tok_work_done(&w);
    tok_free(t);
    return buf_take(&b);
}

static void check(const char *name, const char *text, const char *want)
{
    char *got = cut(name, text);
    assert_string_equal(got, want);
    mem_free(got);
}

static void published_patterns(void **state)
{
    /* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
    check("gpt-2", "I'm 12 years  old!!\n\n ok", "I|'m| 12| years| | old|!!|\n\n| ok");
    /* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
     * |\s+(?!\S)|\s+ */
    check("llama-bpe", "We'LL pay 12345 $now\n\n  x  ", "We|'LL| pay| |123|45| $|now|\n\n| | x|  ");
    check("llama-bpe", "a \n \n  b\t\tc", "a| \n \n| | b|\t|\tc");
    /* as above with \p{N} for \p{N}{1,3} */
    check("qwen2", "v2.10?!\r\nnext", "v|2|.|1|0|?!\r\n|next");
    /* letters take their combining marks: [\p{L}\p{M}]+ */
    check("qwen35", "e\xCC\x81t\xCC\x82 \xCC\x81", "e\xCC\x81t\xCC\x82| \xCC\x81");
    check("qwen2", "e\xCC\x81t", "e|\xCC\x81t");
    /* \p{N} alone, then the gpt-2 pattern */
    check("starcoder", "x 12", "x| |1|2");
    /* upper case runs before lower case ones: published with \p{Lu}, \p{Ll}, the same for ASCII */
    check("gpt-4o", "XMLHttpRequest fooBar's", "XMLHttp|Request| foo|Bar's");
    check("tekken", "HELLOworld 123", "HELLOworld| |1|2|3");
    /* \p{Han}+ apart from other letters */
    check("kimi-k2", "abc\xE4\xB8\xAD\xE6\x96\x87xyz", "abc|\xE4\xB8\xAD\xE6\x96\x87|xyz");
    /* digits in threes from the right */
    check("superbpe", "n 1234567 x", "n |1|234|567| x");
}

static void every_name_compiles_and_keeps_everything(void **state)
{
    static const char *const names[] = {
        "default", "gpt-2", "llama-bpe", "llama3", "falcon3", "lfm2", "qwen2", "qwen35", "deepseek-llm",
        "deepseek-coder", "deepseek-v3", "deepseek-r1-qwen", "falcon", "starcoder", "refact", "command-r", "smollm",
        "codeshell", "tekken", "gpt-4o", "mpt", "olmo", "dbrx", "stablelm2", "chatglm-bpe", "exaone", "exaone-moe",
        "minerva-7b", "granite-docling", "bailingmoe", "hunyuan", "hunyuan-dense", "kimi-k2", "seed-coder", "superbpe",
        "trillion", "jina-v2-code", "phi-2", "poro-chat", "viking", "afmoe", "youtu", "tiny_aya", "jais-2", "minicpm5",
        "chameleon", "gemma4", "sarvam-moe", "laguna", "spark2_5", "granite-embed-multi-97m", "ufakzeka", "whitespace"};
    const char *text = "It's 1234567 a\xCC\x81\xE4\xB8\xAD\xED\x95\x9C <sentinel:12> IMGIMGABZ\t\n  \xC2\xA0 "
                       "\xE3\x80\x80\xF0\x9F\x99\x82 {x|y} \xD9\xA3\xD9\xA4 \n\r\n   ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *got = cut(names[i], text);
        size_t bars = 0;
        for (const char *p = got; *p; p++) bars += *p == '|';
        assert_true(bars > 2); /* one bar is the text's own; gemma4 cuts only at line feeds */
        assert_int_equal(strlen(got) - bars + 1, strlen(text));
        mem_free(got);
    }
    assert_null(tok_pre_find(STR("gpt-22")));
    assert_null(tok_pre_find(STR("gpt")));
}

/* The matcher itself. Expected lengths by Python's `re`. */
static void patterns_match_as_python_does(void **state)
{
    static const struct {
        const char *pattern, *text;
        ptrdiff_t len;
    } cases[] = {
        {"a|ab", "ab", 1}, {"(?:a|ab)c", "abc", 3}, {"a*a", "aaa", 3}, {"a{2,3}", "aaaa", 3}, {"a{2}", "a", -1},
        {"(?:ab)*c", "ababc", 5}, {"(?:ab)+", "ababa", 4}, {"(?:ab)?c", "c", 1}, {"\\s+(?!\\S)", "   x", 2},
        {"\\s+(?!\\S)", " x", -1}, {"x$", "xy", -1}, {"x+$", "xx", 2}, {"(?i:re|ve)", "vE", 2}, {"[^a-c]+", "xyzb", 3},
        {"[\\p{L}--[a-z]]+", "ABc", 2}, {"\\d+(?=[.])", "12.5", 2}, {"(?:a(?: b)*)+", "a b ba", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tok_re *re = NULL;
        struct tok_re_state s = {0};
        struct err e = {0};
        tok_char text[16];
        size_t n = strlen(cases[i].text);
        ptrdiff_t len;
        for (size_t k = 0; k < n; k++) text[k] = tok_uni_classify((unsigned char)cases[i].text[k]);
        assert_int_equal(tok_re_new(cases[i].pattern, &re, &e), 0);
        assert_int_equal(tok_re_match(re, text, 0, n, &s, &len, &e), 0);
        if (len != cases[i].len) fail_msg("%s on %s: %td, not %td", cases[i].pattern, cases[i].text, len, cases[i].len);
        tok_re_state_done(&s);
        tok_re_free(re);
    }
    struct tok_re *re = NULL;
    struct err e = {0};
    assert_int_equal(tok_re_new("(?:a", &re, &e), CROFT_E_INTERNAL);
    assert_int_equal(tok_re_new("\\p{Xyz}", &re, &e), CROFT_E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_patterns),
        cmocka_unit_test(every_name_compiles_and_keeps_everything),
        cmocka_unit_test(patterns_match_as_python_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
