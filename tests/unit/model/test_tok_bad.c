/* Tokenizer metadata that is missing, damaged or hostile: each gives its code and a sentence, never a crash. The files
 * are written here, in memory, with nothing but the keys in question. */
#include "base_buf.h"
#include "base_mem.h"
#include "base_str.h"
#include "model_tok.h"
#include "plat_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* ---- a GGUF writer for metadata ---- */

struct writer {
    struct buf b;
    uint64_t n_kv;
};

static void put(struct writer *w, uint64_t v, size_t bytes) { buf_add(&w->b, &v, bytes); }

static void put_str(struct writer *w, const char *s, size_t n)
{
    put(w, n, 8);
    buf_add(&w->b, s, n);
}

static void key(struct writer *w, const char *name, unsigned type)
{
    char full[100];
    int n = snprintf(full, sizeof full, "tokenizer.ggml.%s", name);
    put_str(w, full, (size_t)n);
    put(w, type, 4);
    w->n_kv++;
}

static void add_text(struct writer *w, const char *name, const char *v)
{
    key(w, name, 8);
    put_str(w, v, strlen(v));
}

static void add_u32(struct writer *w, const char *name, uint32_t v)
{
    key(w, name, 4);
    put(w, v, 4);
}

static void add_texts(struct writer *w, const char *name, const char *const *v, size_t n)
{
    key(w, name, 9);
    put(w, 8, 4);
    put(w, n, 8);
    for (size_t i = 0; i < n; i++) put_str(w, v[i], strlen(v[i]));
}

static void add_i32s(struct writer *w, const char *name, const int32_t *v, size_t n)
{
    key(w, name, 9);
    put(w, 5, 4);
    put(w, n, 8);
    buf_add(&w->b, v, n * sizeof *v);
}

static void add_f32s(struct writer *w, const char *name, const float *v, size_t n)
{
    key(w, name, 9);
    put(w, 6, 4);
    put(w, n, 8);
    buf_add(&w->b, v, n * sizeof *v);
}

static void begin(struct writer *w)
{
    w->n_kv = 0;
    buf_init(&w->b, 64 << 20);
    buf_add(&w->b, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
}

/* Loads what was written; frees it. */
static struct tok *finish(struct writer *w, int want, const char *word)
{
    struct gguf *g = NULL;
    struct tok *t = NULL;
    struct err e = {0};
    memcpy(w->b.data + 16, &w->n_kv, 8);
    if (gguf_open_memory(w->b.data, w->b.len, &g, &e)) fail_msg("%s", e.msg);
    int rc = tok_new(g, &t, &e);
    gguf_close(g);
    buf_done(&w->b);
    if (rc != want) fail_msg("code %d, not %d: %s", rc, want, e.msg);
    if (word && !strstr(e.msg, word)) fail_msg("\"%s\" does not name %s", e.msg, word);
    return t;
}

static const char *const abc[] = {"<unk>", "<s>", "</s>", "a", "b", "ab"};
enum { N = 6 };

/* ---- cases ---- */

static void no_tokenizer(void **state)
{
    struct writer w;
    begin(&w);
    finish(&w, CROFT_E_NOT_FOUND, "model");
    begin(&w);
    add_text(&w, "model", "llama");
    finish(&w, CROFT_E_NOT_FOUND, "tokens");
    begin(&w);
    add_text(&w, "model", "no_vocab");
    finish(&w, CROFT_E_NOT_FOUND, "no tokenizer");
}

static void unknown_kinds_are_named(void **state)
{
    struct writer w;
    begin(&w);
    add_text(&w, "model", "abacus");
    finish(&w, CROFT_E_UNSUPPORTED, "abacus");
    begin(&w);
    add_text(&w, "model", "gpt2");
    add_text(&w, "pre", "sandwich");
    finish(&w, CROFT_E_UNSUPPORTED, "sandwich");
}

static void lists_must_fit(void **state)
{
    struct writer w;
    float scores[N] = {0}, nan_scores[N] = {0, 0, 0, 0, 0, (float)(0.0 / 0.0)};
    int32_t types[N] = {2, 3, 3, 1, 1, 1}, bad_types[N] = {2, 3, 3, 1, 1, 99};
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, 0);
    finish(&w, CROFT_E_FORMAT, "empty");
    begin(&w);
    add_text(&w, "model", "llama");
    add_text(&w, "tokens", "abc");
    finish(&w, CROFT_E_FORMAT, "list of strings");
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    finish(&w, CROFT_E_FORMAT, "scores");
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", scores, N - 1);
    finish(&w, CROFT_E_FORMAT, "shorter");
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", nan_scores, N);
    finish(&w, CROFT_E_FORMAT, "not a number");
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", scores, N);
    add_i32s(&w, "token_type", types, N - 1);
    finish(&w, CROFT_E_FORMAT, "shorter");
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", scores, N);
    add_i32s(&w, "token_type", bad_types, N);
    finish(&w, CROFT_E_FORMAT, "type");
}

static void tokens_must_be_sound(void **state)
{
    static const char *const twice[] = {"a", "b", "a"}, *const empty[] = {"", "a", "", "b"};
    static char huge[40000];
    const char *const long_one[] = {"a", huge};
    float scores[4] = {0};
    struct writer w;
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", twice, 3);
    finish(&w, CROFT_E_FORMAT, "Tokens 0 and 2");
    memset(huge, 'x', sizeof huge - 1);
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", long_one, 2);
    finish(&w, CROFT_E_LIMIT, "Token 1");
    begin(&w); /* empty tokens are holes: allowed, never matched */
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", empty, 4);
    add_f32s(&w, "scores", scores, 4);
    struct tok *t = finish(&w, 0, NULL);
    assert_int_equal(tok_find(t, "", 0), -1);
    assert_int_equal(tok_find(t, "b", 1), 3);
    assert_int_equal(tok_text(t, 2).n, 0);
    tok_free(t);
}

static void ids_must_exist(void **state)
{
    float scores[N] = {0};
    struct writer w;
    begin(&w);
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", scores, N);
    add_u32(&w, "eos_token_id", N);
    finish(&w, CROFT_E_FORMAT, "eos_token_id");
    begin(&w); /* all ones is how writers say "none"; a bad id that nothing depends on is passed over */
    add_text(&w, "model", "llama");
    add_texts(&w, "tokens", abc, N);
    add_f32s(&w, "scores", scores, N);
    add_u32(&w, "bos_token_id", UINT32_MAX);
    add_u32(&w, "fim_pad_token_id", 4000000000u);
    struct tok *t = finish(&w, 0, NULL);
    assert_int_equal(tok_bos(t), -1);
    assert_int_equal(tok_eos(t), 2);
    assert_false(tok_adds_bos(t));
    tok_free(t);
    begin(&w); /* BERT's usual ids, in a vocabulary too small for them */
    add_text(&w, "model", "bert");
    add_texts(&w, "tokens", abc, N);
    t = finish(&w, 0, NULL);
    assert_int_equal(tok_bos(t), -1);
    int32_t *ids = NULL;
    size_t n = 9;
    struct err e = {0};
    assert_int_equal(tok_encode(t, "zzz", 3, TOK_ADD_SPECIAL, 10, &ids, &n, &e), 0);
    assert_int_equal(n, 0); /* no [UNK] to stand for it */
    mem_free(ids);
    tok_free(t);
}

static void merges_must_belong(void **state)
{
    static const char *const good[] = {"x y", "a b", "", " ", "ab", "a b"}, *const bad[] = {"x y", "p q"};
    struct writer w;
    begin(&w);
    add_text(&w, "model", "gpt2");
    add_texts(&w, "tokens", abc, N);
    finish(&w, CROFT_E_FORMAT, "merges");
    begin(&w);
    add_text(&w, "model", "gpt2");
    add_texts(&w, "tokens", abc, N);
    add_texts(&w, "merges", bad, 2);
    finish(&w, CROFT_E_FORMAT, "None of the 2 merges");
    begin(&w); /* strange ones among good ones do nothing */
    add_text(&w, "model", "gpt2");
    add_texts(&w, "tokens", abc, N);
    add_texts(&w, "merges", good, 6);
    struct tok *t = finish(&w, 0, NULL);
    assert_string_equal(tok_pre_name(t), "default");
    int32_t *ids = NULL;
    size_t n = 0;
    struct err e = {0};
    assert_int_equal(tok_encode(t, "abba", 4, 0, 10, &ids, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_true(ids[0] == 5 && ids[1] == 4 && ids[2] == 3);
    mem_free(ids);
    tok_free(t);
}

static void charsmap_must_be_sound(void **state)
{
    /* lengths that lie, and a table whose nodes point outside it */
    static const unsigned char lies[] = {0xFC, 0xFF, 0xFF, 0xFF, 0};
    static const unsigned char wild[] = {4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 'x', 0};
    float scores[N] = {0};
    struct writer w;
    for (int sound = 0; sound < 2; sound++) {
        begin(&w);
        add_text(&w, "model", "t5");
        add_texts(&w, "tokens", abc, N);
        add_f32s(&w, "scores", scores, N);
        key(&w, "precompiled_charsmap", 9);
        put(&w, 0, 4);
        put(&w, sound ? sizeof wild : sizeof lies, 8);
        buf_add(&w.b, sound ? wild : lies, sound ? sizeof wild : sizeof lies);
        struct tok *t = finish(&w, sound ? 0 : CROFT_E_FORMAT, sound ? NULL : "precompiled_charsmap");
        if (!sound) continue;
        int32_t *ids = NULL;
        size_t n = 0;
        struct err e = {0};
        assert_int_equal(tok_encode(t, "abz", 3, 0, 10, &ids, &n, &e), 0);
        mem_free(ids);
        tok_free(t);
    }
}

/* Random bytes of the small vocabularies change; loading says no or the result is usable. Bounded and repeatable. */
static void flipped_bytes_never_crash(void **state)
{
    static const char *const files[] = {"tests/golden/tok/bpe.gguf", "tests/golden/tok/spm.gguf",
                                        "tests/golden/tok/wpm.gguf", "tests/golden/tok/ugm.gguf"};
    uint32_t seed = 1;
    int loaded = 0, refused = 0;
    for (size_t f = 0; f < 4; f++) {
        struct plat_map m;
        assert_int_equal(plat_map_open(&m, files[f]), 0);
        unsigned char *copy = mem_alloc(m.size);
        for (int round = 0; round < 300; round++) {
            memcpy(copy, m.data, m.size);
            for (int k = 0; k <= round % 8; k++) {
                seed = seed * 1664525u + 1013904223u;
                /* half of the changes go to the keys at the front, where sizes and types stand */
                copy[(seed >> 3) % (seed & 4 ? m.size : 400)] ^= (unsigned char)(1u << (seed >> 29));
            }
            struct gguf *g = NULL;
            struct tok *t = NULL;
            struct err e = {0};
            if (gguf_open_memory(copy, m.size, &g, &e)) continue;
            if (tok_new(g, &t, &e)) {
                assert_true(e.msg[0]);
                refused++;
            } else {
                int32_t *ids = NULL;
                size_t n = 0;
                const char *text = "The baker's 12 <sep> Stra\xC3\x9F" "e \xEF\xBC\xA1\xFF\n";
                int rc = tok_encode(t, text, strlen(text), TOK_PARSE_SPECIAL | TOK_ADD_SPECIAL, 1000, &ids, &n, &e);
                assert_int_equal(rc, 0);
                struct buf b;
                buf_init(&b, 100000);
                assert_int_equal(tok_decode(t, ids, n, true, &b), 0);
                buf_done(&b);
                mem_free(ids);
                tok_free(t);
                loaded++;
            }
            gguf_close(g);
        }
        mem_free(copy);
        plat_map_close(&m);
    }
    assert_true(loaded > 50 && refused > 10); /* both ways were really tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tokenizer),
        cmocka_unit_test(unknown_kinds_are_named),
        cmocka_unit_test(lists_must_fit),
        cmocka_unit_test(tokens_must_be_sound),
        cmocka_unit_test(ids_must_exist),
        cmocka_unit_test(merges_must_belong),
        cmocka_unit_test(charsmap_must_be_sound),
        cmocka_unit_test(flipped_bytes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
