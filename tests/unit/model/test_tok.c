/* Tokenizers against independent implementations: the small vocabularies of tests/golden/tok (made by make.py there)
 * and the real ones of ../shared/fixtures/tokenizer; then decoding, streaming, special tokens, long and bad input,
 * and failing allocations. Damaged metadata: test_tok_bad.c. */
#include "base_mem.h"
#include "base_str.h"
#include "model_tok.h"
#include "plat_file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#define GOLDEN "tests/golden/tok"
#define SHARED "../shared/fixtures/tokenizer"
#define SEPARATOR "\n__ggml_vocab_test__\n"

static struct tok *load(const char *path)
{
    struct gguf *g = NULL;
    struct tok *t = NULL;
    struct err e = {0};
    if (gguf_open(path, &g, &e)) fail_msg("%s: %s", path, e.msg);
    if (tok_new(g, &t, &e)) fail_msg("%s: %s", path, e.msg);
    gguf_close(g); /* the tokenizer keeps nothing of the file */
    return t;
}

static int32_t *encode(const struct tok *t, struct str text, unsigned flags, size_t *n)
{
    int32_t *ids = NULL;
    struct err e = {0};
    if (tok_encode(t, text.p, text.n, flags, SIZE_MAX, &ids, n, &e)) fail_msg("%s", e.msg);
    return ids;
}

static bool map(struct plat_map *m, const char *a, const char *b)
{
    char path[600];
    snprintf(path, sizeof path, "%s%s", a, b);
    return plat_map_open(m, path) == 0;
}

/* PATH.inp and PATH.out: every text gives its line of ids. Returns the number of texts. */
static int compare(const struct tok *t, const char *path, unsigned flags)
{
    struct plat_map inp, out;
    if (!map(&inp, path, ".inp")) return 0;
    if (!map(&out, path, ".out")) fail_msg("%s.out is missing", path);
    const char *p = (const char *)inp.data, *end = p + inp.size;
    const char *want = (const char *)out.data, *want_end = want + out.size;
    int texts = 0;
    for (; p < end && want < want_end; texts++) {
        const char *q = memmem(p, (size_t)(end - p), SEPARATOR, sizeof SEPARATOR - 1);
        if (!q) q = end;
        size_t n;
        int32_t *ids = encode(t, (struct str){p, (size_t)(q - p)}, flags, &n);
        const char *line_end = memchr(want, '\n', (size_t)(want_end - want));
        if (!line_end) line_end = want_end;
        size_t k = 0;
        for (const char *w = want; w < line_end;) {
            char *after;
            long id = strtol(w, &after, 10);
            if (after == w || after > line_end) break;
            if (k >= n || ids[k] != id)
                fail_msg("%s text %d: token %zu is %d, not %ld", path, texts, k, k < n ? ids[k] : -1, id);
            k++;
            w = after;
        }
        if (k != n) fail_msg("%s text %d: %zu tokens, not %zu", path, texts, n, k);
        mem_free(ids);
        p = q < end ? q + sizeof SEPARATOR - 1 : end;
        want = line_end + 1;
    }
    plat_map_close(&inp);
    plat_map_close(&out);
    return texts;
}

static void golden_vocabularies_match(void **state)
{
    static const char *const names[] = {"bpe", "spm", "wpm", "ugm"};
    for (size_t i = 0; i < 4; i++) {
        char path[200], special[220];
        snprintf(path, sizeof path, GOLDEN "/%s.gguf", names[i]);
        snprintf(special, sizeof special, "%s.special", path);
        struct tok *t = load(path);
        assert_true(compare(t, path, 0) > 40);
        /* bpe has no BOS to add; the others add theirs */
        assert_true(compare(t, special, TOK_PARSE_SPECIAL | TOK_ADD_SPECIAL) >= 2);
        tok_free(t);
    }
}

static void shared_vocabularies_match(void **state)
{
    DIR *d = opendir(SHARED);
    if (!d) {
        print_message("SKIP: " SHARED " is missing: the real vocabularies were not compared\n");
        skip();
    }
    int files = 0;
    for (struct dirent *f; (f = readdir(d));) {
        if (!str_ends(f->d_name, ".gguf")) continue;
        char path[600];
        snprintf(path, sizeof path, SHARED "/%s", f->d_name);
        struct tok *t = load(path);
        assert_true(compare(t, path, 0) >= 40);
        tok_free(t);
        files++;
    }
    closedir(d);
    assert_true(files > 0);
}

/* ---- decoding ---- */

static void decode_gives_the_text_back(void **state)
{
    static const char *const texts[] = {
        "", " ", "  two  spaces  ", "The shop\n\n  opens\tat 7.\r\n",
        "Straße, река, 河水, 🙂 e\xCC\x81", "a<sep> b", "\x01\x7F"};
    static const char *const files[] = {GOLDEN "/bpe.gguf", GOLDEN "/spm.gguf"};
    for (size_t f = 0; f < 2; f++) {
        struct tok *t = load(files[f]);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            /* after a special token the SentencePiece encoder begins anew, with a space that was not in the text */
            if (f == 1 && strstr(texts[i], "<sep>")) continue;
            size_t n;
            int32_t *ids = encode(t, str_of(texts[i]), TOK_ADD_SPECIAL, &n);
            struct buf b;
            buf_init(&b, 1000);
            assert_int_equal(tok_decode(t, ids, n, false, &b), 0);
            assert_string_equal(b.data ? b.data : "", texts[i]);
            buf_done(&b);
            mem_free(ids);
        }
        tok_free(t);
    }
}

static void wordpiece_decodes_to_words(void **state)
{
    struct tok *t = load(GOLDEN "/wpm.gguf");
    size_t n;
    int32_t *ids = encode(t, STR("The BAKER opened"), TOK_ADD_SPECIAL, &n);
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(tok_decode(t, ids, n, false, &b), 0);
    assert_string_equal(b.data, "the baker opened");
    assert_int_equal(ids[0], tok_find(t, "[CLS]", 5));
    assert_int_equal(ids[n - 1], tok_find(t, "[SEP]", 5));
    buf_done(&b);
    mem_free(ids);
    tok_free(t);
}

static void stream_never_emits_half_a_character(void **state)
{
    struct str text = STR("\xF0\x9F\x99\x82 река 🙂 河 \xEA\xB0\x80");
    static const char *const files[] = {GOLDEN "/bpe.gguf", GOLDEN "/spm.gguf"};
    for (size_t f = 0; f < 2; f++) {
        struct tok *t = load(files[f]);
        size_t n, held = 0;
        int32_t *ids = encode(t, text, 0, &n);
        struct buf b;
        buf_init(&b, 1000);
        struct tok_stream s;
        tok_stream_init(&s, t, false);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(tok_stream_push(&s, ids[i], &b), 0);
            assert_true(!b.data || utf8_valid(b.data, b.len));
            held += s.n_held > 0;
        }
        assert_true(held >= 3); /* the test would be void if no character had been split */
        assert_int_equal(tok_stream_flush(&s, &b), 0);
        assert_string_equal(b.data, text.p);
        /* Cut short inside the first character: the flush says so with U+FFFD. */
        buf_clear(&b);
        tok_stream_init(&s, t, false);
        for (size_t i = 0; s.n_held == 0; i++) assert_int_equal(tok_stream_push(&s, ids[i], &b), 0);
        assert_int_equal(tok_stream_flush(&s, &b), 0);
        assert_string_equal(b.data, "\xEF\xBF\xBD");
        buf_done(&b);
        mem_free(ids);
        tok_free(t);
    }
}

static void bad_bytes_become_replacement_characters(void **state)
{
    struct tok *t = load(GOLDEN "/spm.gguf"); /* has a token for every byte */
    /* E2 82: a start of a character cut short; C3 28: a lead byte and an ordinary character; FF: never valid */
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"a\xE2\x82", "a\xEF\xBF\xBD"}, {"\xC3(", "\xEF\xBF\xBD("}, {"\xFF\xFE", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xE2\x82z", "\xEF\xBF\xBDz"}};
    for (size_t i = 0; i < 4; i++) {
        size_t n;
        int32_t *ids = encode(t, str_of(cases[i].bytes), 0, &n);
        struct buf b;
        buf_init(&b, 1000);
        assert_int_equal(tok_decode(t, ids, n, false, &b), 0);
        assert_string_equal(b.data, cases[i].text);
        buf_done(&b);
        mem_free(ids);
    }
    tok_free(t);
}

/* ---- vocabulary facts and limits ---- */

static void special_tokens_are_known(void **state)
{
    struct tok *t = load(GOLDEN "/bpe.gguf");
    int32_t end = tok_find(t, "<|im_end|>", 10), sep = tok_find(t, "<sep>", 5);
    assert_int_equal(end, (int32_t)tok_n_vocab(t) - 1);
    assert_int_equal(tok_eos(t), end);
    assert_true(tok_is_end(t, end) && tok_is_end(t, tok_find(t, "<|endoftext|>", 13)) && !tok_is_end(t, 0));
    assert_int_equal(tok_attr_of(t, end), TOK_CONTROL);
    assert_int_equal(tok_attr_of(t, sep), TOK_USER_DEFINED);
    assert_int_equal(tok_attr_of(t, 100000), TOK_UNUSED);
    assert_int_equal(tok_text(t, -1).n, 0);
    assert_int_equal(tok_find(t, "no such token", 13), -1);
    assert_string_equal(tok_model_name(t), "gpt2");
    assert_string_equal(tok_pre_name(t), "qwen2");
    assert_false(tok_adds_bos(t));
    /* Control tokens are text unless asked for, and say nothing unless asked to; user-defined ones always count. */
    size_t n;
    int32_t *ids = encode(t, STR("<|im_end|><sep>"), 0, &n);
    assert_true(n > 2 && ids[n - 1] == sep && ids[0] != end);
    mem_free(ids);
    ids = encode(t, STR("<|im_end|><sep>"), TOK_PARSE_SPECIAL, &n);
    assert_true(n == 2 && ids[0] == end && ids[1] == sep);
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(tok_decode(t, ids, n, false, &b), 0);
    assert_string_equal(b.data, "<sep>");
    buf_clear(&b);
    assert_int_equal(tok_decode(t, ids, n, true, &b), 0);
    assert_string_equal(b.data, "<|im_end|><sep>");
    buf_done(&b);
    mem_free(ids);
    tok_free(t);
}

static void too_many_tokens_is_an_error(void **state)
{
    struct tok *t = load(GOLDEN "/bpe.gguf");
    int32_t *ids = (int32_t *)1;
    size_t n = 77;
    struct err e = {0};
    assert_int_equal(tok_encode(t, "one two three", 13, 0, 2, &ids, &n, &e), CROFT_E_LIMIT);
    assert_true(ids == (int32_t *)1 && n == 77 && e.msg[0]);
    tok_free(t);
}

/* Processor time of encoding `size` bytes of a unit again and again; the text has room for them. */
static double seconds_of(struct tok *t, char *text, size_t size, const char *unit)
{
    size_t len = strlen(unit), n;
    for (size_t i = 0; i < size; i += len) memcpy(text + i, unit, len);
    clock_t start = clock();
    mem_free(encode(t, (struct str){text, size}, TOK_PARSE_SPECIAL, &n));
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* A megabyte of one character, or of text that makes patterns backtrack: an eighth of it takes about an eighth of the
 * time, on slow machines, too; a 64th would mean quadratic work. */
static void long_lines_take_linear_time(void **state)
{
    static const char *const units[] = {"a", " ", "\n", "7", "A\xC3\x84", "' ", "<|", " \t", "!?"};
    static const char *const files[] = {GOLDEN "/bpe.gguf", GOLDEN "/spm.gguf", GOLDEN "/wpm.gguf", GOLDEN "/ugm.gguf"};
    enum { SIZE = 1000000 };
    char *text = mem_alloc(SIZE + 8);
    for (size_t f = 0; f < 4; f++) {
        struct tok *t = load(files[f]);
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            double part = seconds_of(t, text, SIZE / 8, units[u]), all = seconds_of(t, text, SIZE, units[u]);
            if (all > 0.5 && all > 32 * part)
                fail_msg("%s: a megabyte of \"%s\" took %.1f s, an eighth %.3f s", files[f], units[u], all, part);
        }
        tok_free(t);
    }
    mem_free(text);
}

static int load_and_use(const struct gguf *g, const char *text, size_t n_text)
{
    struct tok *t = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 100000);
    int rc = tok_new(g, &t, &e);
    if (!rc) rc = tok_encode(t, text, n_text, TOK_PARSE_SPECIAL | TOK_ADD_SPECIAL, SIZE_MAX, &ids, &n, &e);
    if (!rc) rc = tok_decode(t, ids, n, false, &b);
    assert_true((ids != NULL) == (n > 0)); /* outputs are whole or untouched */
    buf_done(&b);
    mem_free(ids);
    tok_free(t);
    return rc;
}

/* Every allocation of loading, encoding and decoding fails once; nothing crashes, leaks or half-succeeds. */
static void survives_failing_allocations(void **state)
{
    static const char *const files[] = {GOLDEN "/bpe.gguf", GOLDEN "/spm.gguf", GOLDEN "/wpm.gguf", GOLDEN "/ugm.gguf"};
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = "The <|im_end|>b\xFF 12<sep>\n"[i % 24];
    for (size_t f = 0; f < 4; f++) {
        struct gguf *g = NULL;
        struct err e = {0};
        assert_int_equal(gguf_open(files[f], &g, &e), 0);
        uint64_t before = mem_count();
        assert_int_equal(load_and_use(g, text, sizeof text), 0);
        long all = (long)(mem_count() - before);
        assert_true(all > 20);
        int failures = 0;
        for (long nth = 1; nth <= all; nth += nth < 300 ? 1 : 37) {
            mem_fail_nth(nth);
            int rc = load_and_use(g, text, sizeof text);
            mem_fail_nth(0);
            assert_true(rc == 0 || rc == CROFT_E_NOMEM);
            failures += rc != 0;
        }
        assert_true(failures > 20);
        gguf_close(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vocabularies_match),
        cmocka_unit_test(shared_vocabularies_match),
        cmocka_unit_test(decode_gives_the_text_back),
        cmocka_unit_test(wordpiece_decodes_to_words),
        cmocka_unit_test(stream_never_emits_half_a_character),
        cmocka_unit_test(bad_bytes_become_replacement_characters),
        cmocka_unit_test(special_tokens_are_known),
        cmocka_unit_test(too_many_tokens_is_an_error),
        cmocka_unit_test(long_lines_take_linear_time),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
