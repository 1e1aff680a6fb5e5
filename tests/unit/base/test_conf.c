/* Settings from rows: precedence, every type, hostile values, words, suggestions, help. */
#include "base_conf.h"
#include "base_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct set {
    bool json, color;
    int64_t threads, seed;
    double temperature;
    uint64_t cache;
    const char *model, *level, *from;
    struct conf_list stop;
};
static const struct conf_row rows[] = {
    {"json", 'j', CONF_FLAG, offsetof(struct set, json), .help = "print JSON"},
    {"color", 'c', CONF_FLAG, offsetof(struct set, color), .fallback = "1", .env = "T_COLOR", .help = "use colour"},
    {"threads", 't', CONF_I64, offsetof(struct set, threads), "N", "4", "T_THREADS", .min = 1, .max = 128,
     .help = "threads to use"},
    {"seed", 0, CONF_I64, offsetof(struct set, seed), "N", .help = "any number"},
    {"temperature", 0, CONF_F64, offsetof(struct set, temperature), "T", "0.8", .min = 0, .max = 2,
     .help = "how random the choice of the next token is, in many words that are long enough to be wrapped at the end "
             "of the line"},
    {"cache", 0, CONF_BYTES, offsetof(struct set, cache), "SIZE", "1G", .help = "cache size"},
    {"model", 'm', CONF_STR, offsetof(struct set, model), "FILE", .env = "T_MODEL", .help = "model file"},
    {"level", 0, CONF_CHOICE, offsetof(struct set, level), "L", "low", .choices = "low|high", .help = "level"},
    {"stop", 's', CONF_LIST, offsetof(struct set, stop), "TEXT", .env = "T_STOP", .help = "stop here"},
    {"from", 0, CONF_OPTIONAL, offsetof(struct set, from), "PATH", .help = "take from there, or from here"},
    {.name = ""},
};

static struct set s;
static struct conf_list words;
static bool help;
static struct err e;

/* conf_parse of "croft" and the given arguments. */
static int parse(int n, const char *const *args)
{
    char *argv[80] = {"croft"};
    for (int i = 0; i < n; i++) argv[i + 1] = (char *)args[i];
    s = (struct set){0};
    e = (struct err){0};
    return conf_parse(rows, &s, n + 1, argv, &words, &help, &e);
}
#define PARSE(...) parse(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})
#define REFUSED(text, ...)                                  \
    do {                                                    \
        assert_int_equal(PARSE(__VA_ARGS__), CROFT_E_USAGE); \
        assert_string_equal(e.msg, text);                   \
    } while (0)

static int clear_env(void **state)
{
    unsetenv("T_COLOR");
    unsetenv("T_THREADS");
    unsetenv("T_MODEL");
    unsetenv("T_STOP");
    return 0;
}

static void defaults(void **state)
{
    assert_int_equal(parse(0, NULL), 0);
    assert_false(s.json || help);
    assert_true(s.color);
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.cache, 1u << 30);
    assert_true(s.temperature == 0.8);
    assert_null(s.model);
    assert_string_equal(s.level, "low");
    assert_int_equal(words.n, 0);
}

static void forms(void **state)
{
    assert_int_equal(PARSE("-j", "--threads=8", "--model", "a", "word", "--no-color", "-", "--level", "high"), 0);
    assert_true(s.json);
    assert_false(s.color);
    assert_int_equal(s.threads, 8);
    assert_string_equal(s.model, "a");
    assert_string_equal(s.level, "high");
    assert_int_equal(words.n, 2);
    assert_string_equal(words.item[0], "word");
    assert_string_equal(words.item[1], "-");
    assert_int_equal(PARSE("-t8"), 0);
    assert_int_equal(s.threads, 8);
    assert_int_equal(PARSE("-jt", "9", "-mx"), 0); /* flags run together; the last takes a value */
    assert_true(s.json);
    assert_int_equal(s.threads, 9);
    assert_string_equal(s.model, "x");
    assert_int_equal(PARSE("--seed", "-5", "--model="), 0); /* a value may start with "-" or be empty */
    assert_int_equal(s.seed, -5);
    assert_string_equal(s.model, "");
    assert_int_equal(PARSE("--", "--json", "-t"), 0);
    assert_false(s.json);
    assert_int_equal(words.n, 2);
    assert_int_equal(PARSE("-t1", "-t2"), 0); /* the last one counts */
    assert_int_equal(s.threads, 2);
    assert_int_equal(PARSE("-s", "a", "--stop=b", "-sc"), 0);
    assert_int_equal(s.stop.n, 3);
    assert_string_equal(s.stop.item[2], "c");
}

static void environment_and_precedence(void **state)
{
    setenv("T_THREADS", "16", 1);
    setenv("T_COLOR", "off", 1);
    setenv("T_STOP", "end", 1);
    assert_int_equal(parse(0, NULL), 0);
    assert_int_equal(s.threads, 16);
    assert_false(s.color);
    assert_int_equal(s.stop.n, 1);
    assert_int_equal(PARSE("-t", "2", "--color"), 0);
    assert_int_equal(s.threads, 2);
    assert_true(s.color);
    setenv("T_THREADS", "", 1); /* empty is the same as absent */
    assert_int_equal(parse(0, NULL), 0);
    assert_int_equal(s.threads, 4);
    setenv("T_THREADS", "0", 1);
    REFUSED("'0' is not a valid value of the environment variable T_THREADS: give a number from 1 to 128.", "x");
    setenv("T_THREADS", "4", 1);
    setenv("T_COLOR", "maybe", 1);
    REFUSED("'maybe' is not a valid value of the environment variable T_COLOR: give 1 or 0.", "x");
    assert_int_equal(PARSE("--help"), 0); /* help works all the same */
    assert_true(help);
}

static void refusals(void **state)
{
    REFUSED("'99x' is not a valid value of --threads: give a whole number.", "-t", "99x");
    REFUSED("'0' is not a valid value of --threads: give a number from 1 to 128.", "--threads=0");
    REFUSED("'129' is not a valid value of --threads: give a number from 1 to 128.", "--threads=129");
    REFUSED("'9999999999999999999' is not a valid value of --threads: give a whole number.", "-t9999999999999999999");
    REFUSED("'nan' is not a valid value of --temperature: give a number.", "--temperature", "nan");
    REFUSED("'2.1' is not a valid value of --temperature: give a number from 0 to 2.", "--temperature", "2.1");
    REFUSED("'-1' is not a valid value of --cache: give a size such as 512, 64k or 1.5G.", "--cache", "-1");
    REFUSED("'mid' is not a valid value of --level: give one of low|high.", "--level", "mid");
    REFUSED("'low|high' is not a valid value of --level: give one of low|high.", "--level", "low|high");
    REFUSED("--threads needs a value: give --threads N.", "--threads");
    REFUSED("-t needs a value: give -t N.", "-t");
    REFUSED("--json takes no value: write --json or --no-json.", "--json=1");
    REFUSED("Unknown option '-x' in '-jx'.", "-jx");
    REFUSED("Unknown option '-?' in '-\xff'.", "-\xff");
}

static void suggestions(void **state)
{
    REFUSED("Unknown option '--thread'. Did you mean '--threads'?", "--thread");
    REFUSED("Unknown option '--jsno'. Did you mean '--json'?", "--jsno=1");
    REFUSED("Unknown option '--temp'. Did you mean '--temperature'?", "--temp", "1"); /* a beginning */
    REFUSED("Unknown option '--hlep'. Did you mean '--help'?", "--hlep");
    REFUSED("Unknown option '--wibble'.", "--wibble");
    REFUSED("Unknown option '--no-threads'.", "--no-threads"); /* only flags can be cleared */
    REFUSED("Unknown option '--'.", "--=x");
}

static void too_many(void **state)
{
    const char *args[80];
    for (int i = 0; i < 65; i++) args[i] = "w";
    assert_int_equal(parse(64, args), 0);
    assert_int_equal(words.n, 64);
    assert_int_equal(parse(65, args), CROFT_E_USAGE);
    assert_string_equal(e.msg, "Too many arguments: at most 64 can be given.");
    for (int i = 0; i < 65; i++) args[i] = "-sx";
    assert_int_equal(parse(65, args), CROFT_E_USAGE);
    assert_string_equal(e.msg, "Too many values of --stop: at most 64 can be given.");
}

static void very_long_arguments(void **state)
{
    char *big = mem_alloc(100001);
    memset(big, 'q', 100000);
    big[100000] = 0;
    memcpy(big, "--", 2);
    assert_int_equal(PARSE(big), CROFT_E_USAGE);
    big[1] = 't';
    assert_int_equal(PARSE(big), CROFT_E_USAGE);
    assert_int_equal(PARSE("--threads", big), CROFT_E_USAGE);
    assert_true(strlen(e.msg) < sizeof e.msg);
    mem_free(big);
}

static void help_text(void **state)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    conf_help(rows, &b);
    assert_non_null(strstr(b.data, "  -j, --json                print JSON\n"));
    assert_non_null(strstr(b.data, "  -t, --threads N           threads to use [default 4] [env T_THREADS]\n"));
    assert_non_null(strstr(b.data, "(low, high) [default low]\n"));
    for (const char *p = b.data, *nl; (nl = strchr(p, '\n')); p = nl + 1) assert_true(nl - p <= 100);
    buf_clear(&b);
    conf_markdown(rows, &b);
    assert_non_null(strstr(b.data, "| `-j`, `--json` | print JSON |\n"));
    buf_done(&b);
    for (long n = 1; n < 8; n++) { /* a failed allocation is noted, not followed */
        buf_init(&b, 1 << 16);
        mem_fail_nth(n);
        conf_help(rows, &b);
        mem_fail_nth(0);
        buf_done(&b);
    }
    assert_int_equal(PARSE("-t", "3", "-h", "--nonsense"), 0); /* stops there */
    assert_true(help);
}

/* A value only behind "=": the next word is another one's. */
static void a_value_may_be_left_out(void **state)
{
    (void)state;
    assert_int_equal(PARSE("x"), 0);
    assert_null(s.from);
    assert_int_equal(PARSE("--from", "x"), 0);
    assert_string_equal(s.from, "");
    assert_int_equal(words.n, 1);
    assert_int_equal(PARSE("--from=there", "x"), 0);
    assert_string_equal(s.from, "there");
    struct buf b;
    buf_init(&b, 1 << 16);
    conf_help(rows, &b);
    assert_non_null(strstr(b.data, "--from[=PATH] "));
    buf_clear(&b);
    conf_markdown(rows, &b);
    assert_non_null(strstr(b.data, "| `--from[=PATH]` | take from there"));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(forms),
        cmocka_unit_test_setup_teardown(environment_and_precedence, clear_env, clear_env),
        cmocka_unit_test(refusals), cmocka_unit_test(suggestions), cmocka_unit_test(too_many),
        cmocka_unit_test(very_long_arguments), cmocka_unit_test(help_text),
        cmocka_unit_test(a_value_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
