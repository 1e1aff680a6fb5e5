/* The public API, as a program outside uses it: only croft/croft.h (and the allocation hooks, to fail them). */
#include <croft/croft.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base_mem.h"
#include "plat_file.h"

#define GOLDEN "tests/golden/logits/llama.gguf" /* its tokenizer is of no known kind */
#define BERT "tests/golden/logits/bert-cls.gguf"
#define STORY "../shared/models/stories260K.gguf"

static int collect(void *user, const struct croft_piece *p)
{
    char *text = user;
    strncat(text, p->text, 1000 - strlen(text));
    return 0;
}

static void ids_without_tokenizer(void **state)
{
    struct croft_model *m = NULL;
    struct croft_session *s = NULL;
    struct croft_model_info info;
    struct croft_result r;
    struct croft_err e = {0};
    int32_t ids[3] = {1, 2, 3}, *out = NULL;
    char *text = NULL;
    size_t n;
    assert_int_equal(croft_model_open(GOLDEN, 2, &m, &e), 0);
    croft_model_get_info(m, &info);
    assert_string_equal(info.architecture, "llama");
    assert_int_equal(info.n_vocab, 40);
    assert_int_equal(info.generates, 1);
    assert_int_equal(info.has_tokenizer, 0);
    assert_int_equal(info.bos, -1);
    assert_int_equal(e.code, 0);
    assert_int_equal(croft_tokenize(m, "x", 1, 0, &out, &n, &e), CROFT_E_UNSUPPORTED);
    assert_int_equal(croft_detokenize(m, ids, 3, 0, &text, &n, &e), CROFT_E_UNSUPPORTED);
    struct croft_chat chat = {.messages = "[]"};
    assert_int_equal(croft_chat_render(m, &chat, &text, &e), CROFT_E_UNSUPPORTED);
    assert_int_equal(croft_session_new(m, &(struct croft_session_options){.n_ctx = 8}, &s, &e), 0);
    assert_int_equal(croft_session_n_ctx(s), 8);
    assert_null(croft_session_logits(s));
    assert_int_equal(croft_session_eval(s, ids, 3, &e), 0);
    assert_true(isfinite(croft_session_logits(s)[39]));
    assert_int_equal(croft_session_eval(s, ids, 3, NULL), 0); /* no croft_err wanted */
    assert_int_equal(croft_session_eval(s, ids, 3, &e), CROFT_E_NO_ROOM);
    assert_int_equal(croft_session_n_past(s), 6);
    assert_int_equal(croft_session_rewind(s, -1, &e), CROFT_E_USAGE);
    assert_int_equal(croft_session_rewind(s, 2, &e), 0);
    assert_int_equal(croft_generate(s, ids, 3, NULL, NULL, NULL, &r, &e), 0);
    assert_int_equal(r.n_reused, 2);
    assert_int_equal(r.end, CROFT_END_LENGTH);
    assert_int_equal(r.n_generated, 6); /* 8 positions; the last token needs none */
    croft_session_cancel(s);
    assert_int_equal(croft_generate(s, ids, 3, NULL, NULL, NULL, NULL, &e), CROFT_E_CANCELLED);
    croft_session_free(s);
    croft_model_close(m);
}

static void embeddings(void **state)
{
    struct croft_model *m = NULL;
    struct croft_session *s = NULL;
    struct croft_err e = {0};
    float v[24], length = 0;
    int32_t ids[3] = {1, 2, 3};
    assert_int_equal(croft_model_open(BERT, 1, &m, &e), 0);
    assert_int_equal(croft_session_new(m, NULL, &s, &e), 0);
    assert_int_equal(croft_embed(s, ids, 3, v, &e), 0);
    for (int i = 0; i < 24; i++) length += v[i] * v[i];
    assert_float_equal(length, 1, 1e-5);
    assert_int_equal(croft_session_eval(s, ids, 3, &e), CROFT_E_USAGE);
    croft_session_free(s);
    croft_model_close(m);
}

static void story(void **state)
{
    struct croft_model *m = NULL;
    struct croft_session *s = NULL;
    struct croft_sampling p;
    struct croft_err e = {0};
    struct plat_map map;
    int32_t *ids = NULL;
    char text[1024] = "", *back = NULL;
    size_t n;
    if (plat_map_open(&map, STORY)) {
        print_message("SKIP: " STORY "\n");
        skip();
    }
    plat_map_close(&map);
    assert_int_equal(croft_model_open(STORY, 0, &m, &e), 0);
    assert_int_equal(croft_tokenize(m, "Once upon a time", 16, CROFT_ADD_SPECIAL, &ids, &n, &e), 0);
    assert_int_equal(croft_detokenize(m, ids, n, 0, &back, NULL, &e), 0);
    assert_string_equal(back, "Once upon a time");
    croft_free(back);
    assert_int_equal(croft_detokenize(m, ids, 0, 0, &back, &n, &e), 0);
    assert_string_equal(back, "");
    assert_int_equal(n, 0);
    croft_free(back);
    croft_free(ids);
    assert_int_equal(croft_tokenize(m, "Once upon a time", 16, CROFT_ADD_SPECIAL, &ids, &n, &e), 0);
    struct croft_chat chat = {.messages = "[]"};
    assert_int_equal(croft_chat_render(m, &chat, &back, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(croft_session_new(m, NULL, &s, &e), 0);
    croft_sampling_init(&p);
    p.max_tokens = 12;
    assert_int_equal(croft_generate(s, ids, n, &p, collect, text, NULL, &e), 0);
    assert_true(strncmp(text, ", there was a little girl", 25) == 0);
    croft_free(ids);
    croft_session_free(s);
    croft_model_close(m);
}

static void failures(void **state)
{
    struct croft_model *m = NULL;
    struct croft_err e = {0};
    assert_int_equal(croft_model_open("no/such/file.gguf", 0, &m, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(croft_model_open("no/such/file.gguf", 0, &m, NULL), CROFT_E_NOT_FOUND);
    assert_int_equal(croft_model_open("Makefile", 0, &m, &e), CROFT_E_FORMAT);
    assert_int_equal(croft_model_open(GOLDEN, 100000, &m, &e), CROFT_E_USAGE);
    assert_null(m);
    for (long nth = 1;; nth++) {
        struct croft_session *s = NULL;
        mem_fail_nth(nth);
        int rc = croft_model_open(GOLDEN, 2, &m, &e);
        if (!rc) rc = croft_session_new(m, NULL, &s, &e);
        mem_fail_nth(0);
        croft_session_free(s);
        croft_model_close(m);
        m = NULL;
        if (!rc) break;
        assert_int_equal(rc, CROFT_E_NOMEM);
        assert_true(nth < 200);
    }
    croft_model_close(NULL);
    croft_session_free(NULL);
    croft_free(NULL);
    assert_non_null(strchr(croft_version(), '.'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_without_tokenizer),
        cmocka_unit_test(embeddings),
        cmocka_unit_test(story),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
