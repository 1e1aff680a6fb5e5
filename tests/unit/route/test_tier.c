/* Tiers: checks, keys, data classes, prices (route_tier.h). */
#include "route_tier.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

static const char *const two[] = {"public", "internal"};
static struct route_tier tier(void)
{
    return (struct route_tier){.name = "frontier",
                               .place = ROUTE_CLOUD,
                               .url = "https://api.example.com/v1",
                               .model = "big-1",
                               .classes = two,
                               .n_classes = 2};
}

static void refuses(const struct route_tier *t, const char *field)
{
    struct err e = {0};
    assert_int_equal(route_tier_check(t, &e), CROFT_E_USAGE);
    assert_string_equal(e.where, field);
    assert_true(strlen(e.msg) > 20);
}
#define REFUSED(member, value, field)                                                                                \
    do {                                                                                                             \
        struct route_tier t_ = tier();                                                                               \
        t_.member = (value);                                                                                         \
        refuses(&t_, field);                                                                                         \
    } while (0)

static void checks(void **state)
{
    struct err e = {0};
    struct route_tier t = tier();
    assert_int_equal(route_tier_check(&t, &e), 0);
    REFUSED(name, NULL, "name");
    REFUSED(name, "Front Tier", "name");
    REFUSED(url, NULL, "url");
    REFUSED(url, "ftp://example.com", "url");
    REFUSED(url, "http://api.example.com/v1", "url");
    REFUSED(url, "https://api.example.com/v1?key=1", "url");
    REFUSED(url, "https://me:pw@api.example.com/v1", "url");
    REFUSED(place, ROUTE_DEVICE, "url");
    REFUSED(model, "", "model");
    REFUSED(model, "a\nb", "model");
    REFUSED(price.out, -1, "price");
    REFUSED(connect_s, -1, "connect_s");
    REFUSED(deadline_s, 1e9, "deadline_s");
    REFUSED(max_retries, 100, "max_retries");
    REFUSED(region, "eu west", "region");
    static const char *const bad[][2] = {{"Public", "x"},      {"public ", "x"},        {"", "x"},
                                         {"public", "public"}, {ROUTE_LOCAL_ONLY, "x"}, {"pub\xC2\xADlic", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) REFUSED(classes, bad[i], "classes");
    static const char *const drop[] = {"temperature", "messages"};
    t = tier();
    t.drop = drop;
    t.n_drop = 1;
    assert_int_equal(route_tier_check(&t, &e), 0);
    t.n_drop = 2;
    refuses(&t, "drop");
    t = tier();
    t.key_env = "A";
    t.key_file = "b";
    refuses(&t, "key_file");
    t = tier();
    t.url = "http://10.0.0.1/v1";
    t.insecure_http = true;
    assert_int_equal(route_tier_check(&t, &e), 0);
    t.key_env = "A"; /* a key in the clear */
    refuses(&t, "url");
}

static void write_key(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void keys(void **state)
{
    char key[ROUTE_KEY_MAX], path[] = "/tmp/croft-key-XXXXXX";
    struct err e = {0};
    struct route_tier t = tier();
    assert_int_equal(route_tier_key(&t, key, &e), 0);
    assert_string_equal(key, "");
    t.key_env = "CROFT_TEST_KEY";
    unsetenv("CROFT_TEST_KEY");
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_NOT_FOUND);
    setenv("CROFT_TEST_KEY", "sk-123", 1);
    assert_int_equal(route_tier_key(&t, key, &e), 0);
    assert_string_equal(key, "sk-123");
    setenv("CROFT_TEST_KEY", "sk 123", 1);
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_FORMAT);
    assert_null(strstr(e.msg, "sk 123"));
    t.key_env = NULL;
    t.key_file = path;
    close(mkstemp(path));
    write_key(path, "sk-456\n", 0600);
    assert_int_equal(route_tier_key(&t, key, &e), 0);
    assert_string_equal(key, "sk-456");
    chmod(path, 0640);
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_DENIED);
    assert_null(strstr(e.msg, "sk-456"));
    write_key(path, "", 0600);
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_FORMAT);
    write_key(path, "two\nlines\n", 0600);
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_FORMAT);
    unlink(path);
    assert_int_equal(route_tier_key(&t, key, &e), CROFT_E_NOT_FOUND);
    t.key_file = "/tmp";
    assert_int_not_equal(route_tier_key(&t, key, &e), 0);
}

/* Everything that looks like a listed class, and is not. */
static void the_gate_judges_bytes(void **state)
{
    struct route_tier t = tier();
    struct err e;
    static const struct str bad[] = {
        {"", 0},
        {NULL, 0},
        {"Public", 6},
        {"PUBLIC", 6},
        {"public ", 7},
        {" public", 7},
        {"public\n", 7},
        {"public\0", 7},
        {"public\0x", 8},
        {"publi", 5},
        {"publicx", 7},
        {"public,internal", 15},
        {"p\xD1\x83"
         "blic",
         7},
        {"public\xE2\x80\x8B", 9},
        {"\xEF\xBB\xBFpublic", 9},
        {"*", 1},
        {"any", 3},
        {"local-only", 10},
        {"local_only", 10},
        {"Local-Only", 10},
        {"local-only ", 11},
        {"local\xE2\x80\x91only", 12},
        {"secret", 6},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(route_gate_check(&t, bad[i], &e), CROFT_E_DENIED);
    assert_int_equal(route_gate_check(&t, str_of("public"), &e), 0);
    assert_int_equal(route_gate_check(&t, str_of("internal"), &e), 0);

    static const char *const evil[] = {ROUTE_LOCAL_ONLY};
    t.classes = evil; /* even if the list names it */
    t.n_classes = 1;
    assert_int_equal(route_gate_check(&t, str_of(ROUTE_LOCAL_ONLY), &e), CROFT_E_DENIED);
    t.place = ROUTE_PREMISES;
    assert_int_equal(route_gate_check(&t, str_of(ROUTE_LOCAL_ONLY), &e), CROFT_E_DENIED);
    t.place = ROUTE_DEVICE;
    t.n_classes = 0;
    assert_int_equal(route_gate_check(&t, str_of(ROUTE_LOCAL_ONLY), &e), 0);
    assert_int_equal(route_gate_check(&t, str_of("public"), &e), CROFT_E_DENIED);
    char longest[ROUTE_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(route_class_valid((struct str){longest, ROUTE_NAME_MAX - 1}));
    assert_false(route_class_valid((struct str){longest, ROUTE_NAME_MAX}));
}

/* Published list prices, multiplied by hand. */
static void prices(void **state)
{
    struct route_price p;
    money m;
    char text[32];
    assert_false(route_price_find("no-such-model", &p));
    assert_false(route_price_find("", &p));
    assert_true(route_price_find("gpt-4o", &p)); /* $2.50, cached $1.25, out $10 */
    struct route_usage u = {.in = 1000000, .cached = 400000, .out = 100000};
    assert_true(route_price_cost(&p, &u, &m));
    money_text(m, text);
    assert_string_equal(text, "3");                         /* 0.6 · 2.5 + 0.4 · 1.25 + 0.1 · 10 */
    assert_true(route_price_find("claude-sonnet-4-5", &p)); /* $3, $15; above 200,000: $6, $22.50 */
    u = (struct route_usage){.in = 200000, .out = 1000};
    assert_true(route_price_cost(&p, &u, &m));
    money_text(m, text);
    assert_string_equal(text, "0.615");
    u.in = 200001;
    assert_true(route_price_cost(&p, &u, &m));
    money_text(m, text);
    assert_string_equal(text, "1.222506");
    u = (struct route_usage){.in = 1000, .cached = 100, .written = 200, .out = 0};
    assert_true(route_price_cost(&p, &u, &m)); /* 700 · 3 + 100 · 0.3 + 200 · 3.75 per million */
    money_text(m, text);
    assert_string_equal(text, "0.00288");
    p.known = false;
    assert_false(route_price_cost(&p, &u, &m));
    assert_int_equal(m, 0);
    u = (struct route_usage){.in = 10, .cached = 100, .written = 100}; /* a provider that contradicts itself */
    p.known = true;
    assert_true(route_price_cost(&p, &u, &m));
    assert_true(m >= 0);
}

static void the_table_is_sorted(void **state)
{
    static const char *const names[] = {
#define PRICE(name, ...) name,
#define STEPPED(name, ...) name,
#define PRICE_OF(source, name, ...) name,
#define STEPPED_OF(source, name, ...) name,
#include "prices.inc"
    };
    struct route_price p;
    size_t n = sizeof names / sizeof names[0];
    assert_true(n > 100);
    for (size_t i = 0; i < n; i++) {
        if (i) assert_true(strcmp(names[i - 1], names[i]) < 0);
        assert_true(route_price_find(names[i], &p));
        assert_true(p.in > 0 && p.cached > 0 && p.cached <= p.in && p.written > 0);
        if (p.long_tokens) assert_true(p.long_in >= p.in && p.long_out >= p.out);
    }
    assert_int_equal(strlen(route_prices_date()), 10);
    struct route_price_row row;
    for (size_t i = 0; i < n; i++) {
        assert_true(route_price_row(i, &row));
        assert_string_equal(row.name, names[i]);
        assert_int_equal(strlen(row.date), 10);
        assert_true(strlen(row.source) > 10);
    }
    assert_false(route_price_row(n, &row));
    assert_true(route_price_find("jev-latest", &p)); /* $0.042 for input, answers free */
    assert_true(p.in == 42000000 && p.out == 0);
}

static void words(void **state)
{
    assert_int_equal(route_wire_find("anthropic"), ROUTE_ANTHROPIC);
    assert_int_equal(route_wire_find("OpenAI"), -1);
    assert_string_equal(route_wire_name(ROUTE_CROFT), "croft");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks),
        cmocka_unit_test(keys),
        cmocka_unit_test(the_gate_judges_bytes),
        cmocka_unit_test(prices),
        cmocka_unit_test(words),
        cmocka_unit_test(the_table_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
