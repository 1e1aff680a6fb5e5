/* Detectors: values that other libraries call valid are found, whole; everyday numbers are not; hostile text takes no
 * longer than its length; how often real text without personal data is taken for some (printed). */
#include "base_mem.h"
#include "detect.h"
#include "plat_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <unistd.h>

#include "pii.inc"

static struct route_detectors *patterns;

static int setup(void **state)
{
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL};
    return route_detectors_new(&conf, &patterns, NULL);
}
static int teardown(void **state)
{
    route_detectors_free(patterns);
    return 0;
}

/* "kind:bytes" of each finding, with '|' between. */
static const char *all(const struct route_detectors *d, const char *text, size_t n, const char *hint)
{
    static char out[4096];
    struct route_spans s = {0};
    struct err e = {0};
    size_t k = 0;
    assert_int_equal(route_find(d, text, n, hint, &s, &e), 0);
    out[0] = 0;
    for (size_t i = 0; i < s.n; i++)
        k += (size_t)snprintf(out + k, sizeof out - k, "%s%s:%.*s", i ? "|" : "", route_pii_word(s.v[i].kind),
                              (int)s.v[i].n, text + s.v[i].at);
    route_spans_done(&s);
    return out;
}
#define FINDS(text, want) assert_string_equal(all(patterns, text, sizeof(text) - 1, ""), want)

static void what_others_call_valid_is_found(void **state)
{
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
        char text[512], want[512];
        snprintf(text, sizeof text, "%s%s%s", found[i].before, found[i].value, found[i].after);
        snprintf(want, sizeof want, "%s:%s", route_pii_word(found[i].kind), found[i].value);
        const char *got = all(patterns, text, strlen(text), "");
        if (strcmp(got, want) != 0) fail_msg("in '%s': '%s', not '%s'", text, got, want);
    }
}

static void everyday_numbers_are_not(void **state)
{
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        const char *got = all(patterns, nothing[i], strlen(nothing[i]), "");
        if (*got) fail_msg("in '%s': '%s'", nothing[i], got);
    }
}

static void secrets(void **state)
{
    FINDS("key sk-abcdefghijklmnopqrstuvwxyz123456.", "secret:sk-abcdefghijklmnopqrstuvwxyz123456");
    FINDS("AKIAIOSFODNN7EXAMPLE, ASIAIOSFODNN7EXAMPLEX",
          "secret:AKIAIOSFODNN7EXAMPLE"); /* AWS's own example; too long */
    FINDS("(ghp_0123456789abcdefghijklmnopqrstuvwxyz)", "secret:ghp_0123456789abcdefghijklmnopqrstuvwxyz");
    /* RFC 7519 section 3.1 */
    FINDS("Bearer eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODB9."
          "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
          "secret:eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODB9."
          "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    FINDS("a -----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\nb",
          "secret:-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----");
    FINDS("-----BEGIN EC PRIVATE KEY-----\nMC4CAQAw\n(cut)", "secret:-----BEGIN EC PRIVATE KEY-----\nMC4CAQAw\n");
    FINDS("-----BEGIN CERTIFICATE-----\nMC4CAQAw\n-----END CERTIFICATE-----", "");
    FINDS("postgres://bob:hunter-2@db/x", "secret:hunter-2");
    FINDS("password=correcthorse; x", "secret:correcthorse");
    FINDS("{\"api_key\": \"a1b2c3d4e5\"}", "secret:a1b2c3d4e5");
    FINDS("my password is hunter2.", "secret:hunter2");
    FINDS("my password is \"hunter2\".", "secret:hunter2");
    FINDS("passwords are stored hashed; the secret: none; token: yes", "");
    FINDS("password: ${DB_PASSWORD} password=****", "");
}

static void the_name_of_a_value_counts(void **state)
{
    assert_string_equal(all(patterns, "5550123", 7, ""), "");
    assert_string_equal(all(patterns, "5550123", 7, "phone"), "phone:5550123");
    assert_string_equal(all(patterns, "hunter2", 7, "password"), "secret:hunter2");
    assert_string_equal(all(patterns, "a@b.example", 11, "x@y.example"),
                        "email:a@b.example"); /* the hint's own is not told */
}

static void disguises(void **state)
{
    FINDS("卡号４１１１１１１１１１１１１１１１吗", "card:４１１１１１１１１１１１１１１１");
    FINDS("4111\u200b1111\u200b1111\u200b1111\u200b!", "card:4111\u200b1111\u200b1111\u200b1111");
    FINDS("4111\u00a01111\u20101111 1111", "");
    FINDS("4111\u00a01111\u202f1111 1111", "card:4111\u00a01111\u202f1111 1111");
    FINDS("tel ٠١٢٣٤٥٦٧٨٩", "phone:٠١٢٣٤٥٦٧٨٩"); /* Arabic-Indic digits */
    FINDS("anna＠example．org", "email:anna＠example．org");
    FINDS("\xff"
          "4111111111111111\xfe",
          "card:4111111111111111");
    FINDS("电话13800138000。", "phone:13800138000");
}

static void findings_that_overlap_become_one(void **state)
{
    struct route_spans s = {0};
    const struct route_span in[] = {
        {10, 5, ROUTE_PII_IP}, {0, 4, ROUTE_PII_NAME}, {2, 6, ROUTE_PII_CARD}, {8, 1, ROUTE_PII_IP}};
    for (int i = 0; i < 4; i++) assert_int_equal(route_spans_add(&s, in[i], NULL), 0);
    route_spans_settle(&s, 0);
    assert_int_equal(s.n, 3);
    assert_true(s.v[0].at == 0 && s.v[0].n == 8 && s.v[0].kind == ROUTE_PII_CARD);
    assert_true(s.v[1].at == 8 && s.v[2].at == 10);
    route_spans_done(&s);
}

static const char *list_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/croft-list-%d", (int)getpid());
    assert_int_equal(plat_file_write(path, text, strlen(text)), 0);
    return path;
}

static void lists(void **state)
{
    const char *path =
        list_file("\xEF\xBB\xBF# people\nJosé García\nAnna\nAnna Maria\n  O'Neill \n张伟\nStraße\n\nAl\n");
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = path};
    struct route_detectors *d;
    assert_int_equal(route_detectors_new(&conf, &d, NULL), 0);
    unlink(path);
#define LISTS(text, want) assert_string_equal(all(d, text, sizeof(text) - 1, ""), want)
    LISTS("JOSE   GARCI\u0301A!", "name:JOSE   GARCI\u0301A");
    LISTS("Anna, Annabel, Joanna, anna-lena", "name:Anna|name:anna");
    LISTS("ANNA\nMARIA Annamaria", "name:ANNA\nMARIA");
    LISTS("我是张伟。", "name:张伟");
    LISTS("die STRASSE, die straße", "name:STRASSE|name:straße");
    LISTS("o'neill's Al, al. also", "name:o'neill|name:Al|name:al");
    LISTS("Ａｎｎａ", "name:Ａｎｎａ");
    LISTS("ann\u200ba", "name:ann\u200ba");
    LISTS("anna@example.org", "email:anna@example.org");
    assert_true(route_detectors_kinds(d) & ROUTE_PII_BIT(ROUTE_PII_NAME));
    assert_false(route_detectors_kinds(d) & ROUTE_PII_BIT(ROUTE_PII_TERM));
    route_detectors_free(d);
}

static void bad_lists(void **state)
{
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = "/nonexistent/names"};
    struct route_detectors *d = NULL;
    struct err e = {0};
    assert_int_equal(route_detectors_new(&conf, &d, &e), CROFT_E_NOT_FOUND);
    conf.names_file = list_file("fine\nn\xff\n");
    assert_int_equal(route_detectors_new(&conf, &d, &e), CROFT_E_FORMAT);
    assert_non_null(strstr(e.msg, "Line 2"));
    char long_line[2000];
    memset(long_line, 'x', sizeof long_line);
    long_line[1999] = 0;
    conf.names_file = list_file(long_line);
    assert_int_equal(route_detectors_new(&conf, &d, &e), CROFT_E_LIMIT);
    unlink(conf.names_file);
    assert_null(d);
}

static int model(void *arg, const char *text, size_t n, struct route_spans *out, struct err *e)
{
    const char *p = memmem(text, n, "Baker Street", 12);
    if (*(int *)arg) return ERR(e, BUSY, "The model is busy.");
    if (!p) return route_spans_add(out, (struct route_span){n, 1, ROUTE_PII_NAME}, e); /* outside */
    return route_spans_add(out, (struct route_span){(size_t)(p - text), 12, ROUTE_PII_ADDRESS}, e);
}

static void a_model_takes_part(void **state)
{
    int fails = 0;
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .spot = model, .spot_arg = &fails};
    struct route_detectors *d;
    struct route_spans s = {0};
    assert_int_equal(route_detectors_new(&conf, &d, NULL), 0);
    assert_string_equal(all(d, "in Baker Street, a@b.example", 28, "to"), "address:Baker Street|email:a@b.example");
    assert_int_equal(route_find(d, "elsewhere", 9, "", &s, NULL), CROFT_E_INTERNAL);
    fails = 1;
    assert_int_equal(route_find(d, "Baker Street", 12, "", &s, NULL), CROFT_E_BUSY);
    assert_int_equal(s.n, 0);
    route_spans_done(&s);
    route_detectors_free(d);
}

static void as_a_classifier(void **state)
{
    uint32_t counts[ROUTE_N_PII] = {0};
    const char *text = "a@b.example, c@d.example and 127.0.0.1";
    assert_int_equal(route_detect(patterns, ROUTE_PII_ALL, text, strlen(text), counts, NULL), 0);
    assert_int_equal(counts[ROUTE_PII_EMAIL], 2);
    assert_int_equal(counts[ROUTE_PII_IP], 1);
    assert_int_equal(counts[ROUTE_PII_CARD], 0);
}

/* Expressions over which engines that go back would take for ever: found, or refused, never sent unsearched. */
static void patterns_of_the_user(void **state)
{
    const struct route_pattern pattern[] = {{"order", "ORD-\\d{8}", ROUTE_PII_TERM, true},
                                            {"pass", "(a+)+b", ROUTE_PII_NATIONAL_ID, false},
                                            {"wide", "[A-Z0-9]{1,200}x", ROUTE_PII_ADDRESS, false}};
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .pattern = pattern, .n_patterns = 3};
    struct route_detectors *d = NULL;
    struct route_spans hits = {0};
    struct err e = {0};
    size_t n = 1 << 20;
    char *hostile = malloc(n);
    memset(hostile, 'a', n);
    assert_int_equal(route_detectors_new(&conf, &d, NULL), 0);
    assert_int_equal(route_find(d, hostile, n, "", &hits, &e), 0);
    assert_int_equal(hits.n, 0);
    hostile[n - 1] = 'b';
    assert_int_equal(route_find(d, hostile, n, "", &hits, &e), 0);
    assert_true(hits.n == 1 && hits.v[0].n == n && hits.v[0].kind == ROUTE_PII_NATIONAL_ID);
    memset(hostile, 'A', n);
    hits.n = 0;
    assert_int_equal(route_find(d, hostile, n, "", &hits, &e), CROFT_E_LIMIT);
    assert_int_equal(hits.n, 0);
    const char *text = "é ORD-12345678, please";
    assert_int_equal(route_find(d, text, strlen(text), "order", &hits, &e), 0);
    assert_true(hits.n == 1 && hits.v[0].at == 3 && hits.v[0].n == 12 && hits.v[0].kind == ROUTE_PII_TERM);
    free(hostile);
    route_spans_done(&hits);
    route_detectors_free(d);
}

/* Each kind is counted as if it were the only one: none hides another. */
static void kinds_do_not_hide_each_other(void **state)
{
    static const struct {
        const char *text;
        enum route_pii outer, inner;
    } cases[] = {{"password=anna@example.org", ROUTE_PII_SECRET, ROUTE_PII_EMAIL},
                 {"api_key: shop-4111111111111111", ROUTE_PII_SECRET, ROUTE_PII_CARD},
                 {"https://anna:127.0.0.1@host.example/", ROUTE_PII_SECRET, ROUTE_PII_IP},
                 {"to Claude Shannon, Esq", ROUTE_PII_TERM, ROUTE_PII_NAME}};
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = "/tmp/croft-hidden-names"};
    struct route_detectors *d = NULL;
    assert_int_equal(plat_file_write(conf.names_file, "Shannon\n", 8), 0);
    conf.terms_file = list_file("Claude Shannon\n");
    assert_int_equal(route_detectors_new(&conf, &d, NULL), 0);
    unlink(conf.names_file);
    unlink(conf.terms_file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t counts[ROUTE_N_PII] = {0}, one[ROUTE_N_PII] = {0};
        const char *text = cases[i].text;
        assert_int_equal(route_detect(d, ROUTE_PII_ALL, text, strlen(text), counts, NULL), 0);
        if (!counts[cases[i].outer] || !counts[cases[i].inner]) fail_msg("%s", text);
        assert_int_equal(route_detect(d, ROUTE_PII_BIT(cases[i].inner), text, strlen(text), one, NULL), 0);
        assert_true(one[cases[i].inner] && !one[cases[i].outer]);
    }
    route_detectors_free(d);
}

/* Processor time: the machine has other work. */
static double cpu_s(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* Twice the text may take about twice the time; what is quadratic takes four times. Of several tries the best counts.
 */
static double seconds_for(const char *piece, size_t bytes)
{
    size_t k = strlen(piece);
    char *text = malloc(bytes);
    struct route_spans hits = {0};
    double best = 1e9;
    for (size_t i = 0; i < bytes; i++) text[i] = piece[i % k];
    for (int r = 0; r < 3; r++) {
        double t = cpu_s();
        assert_int_equal(route_find(patterns, text, bytes, "", &hits, NULL), 0);
        if (cpu_s() - t < best) best = cpu_s() - t;
    }
    free(text);
    route_spans_done(&hits);
    return best;
}

static void hostile_text_is_linear(void **state)
{
    static const char *const pieces[] = {"1",
                                         "1-",
                                         "1 ",
                                         "4111 ",
                                         "+",
                                         "(",
                                         "(1",
                                         "eyJ-",
                                         "eyJaaaaaaaaaa.e",
                                         "-----BEGIN PRIVATE KEY-----",
                                         "a@",
                                         "@a.",
                                         "token=",
                                         "://a:",
                                         "=:",
                                         "::1",
                                         "1.2.3.",
                                         "sk-",
                                         "AB 12 ",
                                         "DE89 3704 ",
                                         "password is a1",
                                         "tel 1",
                                         "\xe2\x80\x8b"
                                         "1",
                                         "1\xe2\x80\x8b",
                                         "\xff",
                                         "\"@",
                                         "\xd9\xa1",
                                         "xn--.",
                                         "[EMAIL_",
                                         "12345678A",
                                         "1a"};
    double worst = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        double one = seconds_for(pieces[i], 100000), four = seconds_for(pieces[i], 400000);
        double rate = 0.4 / four;
        if (rate < 0.4 || four > 12 * one + 0.05)
            fail_msg("'%s': 0.1 MB in %.4f s, 0.4 MB in %.4f s", pieces[i], one, four);
        if (one / 0.1 > worst) worst = one / 0.1;
    }
    printf("hostile text: at worst %.3f s for a MB\n", worst);
}

static void real_text(void **state)
{
    static const char *const paths[] = {
        "../shared/data/text/wikitext2-valid.txt", "../shared/data/text/shakespeare.txt",
        "../shared/data/banking77/test.jsonl",     "../shared/data/banking77/train.jsonl",
        "../shared/data/clinc150/test.jsonl",      "../shared/data/clinc150/train.jsonl",
        "../shared/data/hwu64/train.jsonl"};
    unsigned read = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct plat_map m;
        struct route_spans hits = {0};
        if (plat_map_open(&m, paths[i]) != 0) continue;
        double t = cpu_s();
        assert_int_equal(route_find(patterns, (const char *)m.data, m.size, "", &hits, NULL), 0);
        t = cpu_s() - t;
        printf("%s: %zu findings in %.2f MB, %.0f MB/s\n", paths[i], hits.n, (double)m.size / 1e6,
               (double)m.size / 1e6 / t);
        assert_true(hits.n <= 1 + m.size / 200000); /* none of them is about anybody; 0 when this was written */
        route_spans_done(&hits);
        plat_map_close(&m);
        read++;
    }
    if (!read) skip();
}

static void without_memory(void **state)
{
    const char *path = list_file("anna\nbob\n");
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL, .names_file = path};
    const char text[] = "anna ４ a@b.example bob";
    int rc = -1;
    for (long n = 1; rc != 0; n++) {
        struct route_detectors *d = NULL;
        struct route_spans s = {0};
        mem_fail_nth(n);
        rc = route_detectors_new(&conf, &d, NULL);
        if (rc == 0) rc = route_find(d, text, sizeof text - 1, "hint", &s, NULL);
        mem_fail_nth(0);
        if (rc)
            assert_int_equal(rc, CROFT_E_NOMEM);
        else
            assert_int_equal(s.n, 3);
        route_spans_done(&s);
        route_detectors_free(d);
        assert_true(n < 100);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_others_call_valid_is_found),
                                       cmocka_unit_test(everyday_numbers_are_not),
                                       cmocka_unit_test(secrets),
                                       cmocka_unit_test(the_name_of_a_value_counts),
                                       cmocka_unit_test(disguises),
                                       cmocka_unit_test(findings_that_overlap_become_one),
                                       cmocka_unit_test(patterns_of_the_user),
                                       cmocka_unit_test(kinds_do_not_hide_each_other),
                                       cmocka_unit_test(lists),
                                       cmocka_unit_test(bad_lists),
                                       cmocka_unit_test(a_model_takes_part),
                                       cmocka_unit_test(as_a_classifier),
                                       cmocka_unit_test(hostile_text_is_linear),
                                       cmocka_unit_test(real_text),
                                       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
