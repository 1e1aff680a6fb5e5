/* The policy: settings files and what they mean. Expected decisions are worked out by hand from docs/ROUTING.md. */
#include "base_mem.h"
#include "route_policy.h"
#include "task_yaml.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct err e;

static int read_text(const char *yaml, struct route_config **out)
{
    char path[] = "/tmp/croft-policy-XXXXXX";
    struct task_yaml_lines *lines = NULL;
    json_t *file = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
    e = (struct err){0};
    int rc = task_yaml_load_lines(path, &file, &lines, &e);
    if (rc == 0) rc = route_config_read(path, file, lines, out, &e);
    task_yaml_lines_free(lines);
    json_decref(file);
    unlink(path);
    return rc;
}

#define CLASSES "classes: [public, internal, patient]\n"
#define TIERS                                                                                                        \
    "tiers:\n"                                                                                                       \
    "  - {name: hall, place: premises, wire: openai, url: 'https://hall.example/v1', model: big, region: eu,\n"      \
    "     classes: [public, internal, patient], price: {input: 0.2, output: 0.6}}\n"                                 \
    "  - {name: sky, place: cloud, wire: anthropic, url: 'https://sky.example/v1', model: huge, region: us,\n"       \
    "     classes: [public, internal], price: {input: 3, output: 15}}\n"

static struct route_config *config_of(const char *more)
{
    struct route_config *c = NULL;
    char text[4096];
    snprintf(text, sizeof text, "%s%s%s", CLASSES, TIERS, more);
    if (read_text(text, &c)) fail_msg("%s", e.msg);
    return c;
}

static const struct route_facts calm = {.health = -1};

static struct route_plan plan_of(const struct route_config *c, struct route_facts f)
{
    struct route_plan p;
    e = (struct err){0};
    if (route_plan_begin(c, &f, &p, &e)) fail_msg("%s", e.msg);
    return p;
}

static void a_file_becomes_a_policy(void **state)
{
    struct route_config *c = config_of(
                                       "policy: {default_class: internal, latency_ms: 500, max_waiting: 8,\n"
                                       "  redact: {cloud: {email: restore, card: block}},\n"
                                       "  raise: {national_id: patient},\n"
                                       "  budgets: [{limit: 10, per: day}, {limit: 0.5, per: month, key: shop}]}\n"
                                       "rules:\n  - {task: triage, class: patient, tiers: [hall]}\n");
    assert_int_equal(c->n_tiers, 2);
    assert_string_equal(c->tier[1].name, "sky");
    assert_int_equal(c->tier[1].wire, ROUTE_ANTHROPIC);
    assert_true(c->tier[0].price.known && c->tier[0].price.in == 200000000 && c->tier[1].price.out == 15000000000);
    assert_int_equal(c->budget[1].limit, 500000000);
    assert_int_equal(c->budget[1].period, ROUTE_MONTH);
    assert_int_equal(c->redact[ROUTE_CLOUD].action[ROUTE_PII_CARD], ROUTE_BLOCK);
    assert_int_equal(c->redact[ROUTE_PREMISES].action[ROUTE_PII_CARD], ROUTE_KEEP);
    assert_int_equal(c->max_waiting, 8);
    assert_true(c->rule[0].latency_ms == 500);
    struct route_rule r = route_rule_for(c, "triage", "shop");
    assert_string_equal(r.name, "rules[0]");
    assert_true(r.n_tiers == 1 && r.latency_ms == 500);
    assert_int_equal(route_rule_for(c, "other", NULL).n_tiers, -1);
    route_config_free(c);
    assert_int_equal(read_text("port: 80\n", &c), 0);
    assert_null(c);
}

static void complaints_name_line_and_cure(void **state)
{
    static const struct {
        const char *yaml;
        int line;
        const char *says;
    } bad[] = {
        {"policy: {}\n", 1, "the file has none"},
        {CLASSES "tiers:\n  - {name: a}\n", 3, "needs 'place'"},
        {CLASSES TIERS "policy:\n  default_clas: internal\n", 8, "Did you mean 'default_class'?"},
        {CLASSES TIERS "policy:\n  default_class: secret\n", 8, "one of the file's 'classes'"},
        {CLASSES TIERS "policy:\n  latency_ms: -5\n", 8, "number from"},
        {CLASSES TIERS "policy:\n  budgets:\n    - {limit: -1, per: day}\n", 9, "amount of money"},
        {CLASSES TIERS "policy:\n  budgets:\n    - {limit: 1, per: day}\n    - {limit: 2, per: day}\n", 10,
         "for the same requests"},
        {CLASSES TIERS "rules:\n  - {task: t}\n  - {task: t}\n", 9, "for the same requests"},
        {CLASSES TIERS "rules:\n  - {class: public}\n", 8, "for nobody"},
        {CLASSES TIERS "rules:\n  - {task: t, tiers: [moon]}\n", 8, "no tier 'moon'"},
        {CLASSES TIERS "rules:\n  - task: t\n    check_share: 2\n", 9, "number from 0 to 1"},
        {CLASSES TIERS "policy:\n  redact: {cloud: {email: sometimes}}\n", 8, "keep, mask, restore or block"},
        {CLASSES TIERS "policy:\n  raise: {emial: patient}\n", 8, "no kind 'emial'"},
        {"classes: [local-only]\n" TIERS, 1, "leave it out"},
        {"classes: [public, public]\n" TIERS, 1, "twice"},
        {"classes: [Public]\n" TIERS, 1, "a-z"},
        {"classes: [public]\n" TIERS, 4, "not in the list 'classes'"},
        {CLASSES "tiers:\n  - {name: a, place: moon}\n", 3, "device, premises or cloud"},
        {CLASSES "tiers:\n  - {name: a, place: cloud, wire: openai, url: 'https://a.example', model: m, classes: "
                 "[public],\n     price: {input: -1, output: 1}}\n",
         4, "amount of money"},
        {CLASSES TIERS "policy: {}\npolicy: {}\n", 8, "second time"},
        {CLASSES TIERS "policy:\n  currency: EURO\n", 8, "three letters"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct route_config *c = NULL;
        assert_int_equal(read_text(bad[i].yaml, &c), CROFT_E_FORMAT);
        if (e.pos != bad[i].line || !strstr(e.msg, bad[i].says))
            fail_msg("case %zu: line %lld (%d): %s", i, e.pos, bad[i].line, e.msg);
        assert_null(c);
    }
}

static void classes_only_get_stricter(void **state)
{
    struct route_config *c = config_of("policy: {default_class: internal, raise: {iban: patient}}\n"
                                       "rules:\n  - {task: ward, class: patient}\n");
    struct route_facts f = calm;
    assert_string_equal(route_class_name(c, plan_of(c, f).data_class), "internal");
    f.asked_class = "public"; /* someone says so: the default is for those of whom nobody says anything */
    struct route_plan p = plan_of(c, f);
    assert_string_equal(route_class_name(c, p.data_class), "public");
    assert_int_equal(p.n_tiers, 2);
    f.task = "ward";
    p = plan_of(c, f);
    assert_string_equal(route_class_name(c, p.data_class), "patient");
    assert_true(p.n_tiers == 1 && p.tier[0] == 0);
    f = calm;
    f.found[ROUTE_PII_IBAN] = 1;
    f.asked_class = "public";
    assert_string_equal(route_class_name(c, plan_of(c, f).data_class), "patient");
    f.task_class = ROUTE_LOCAL_ONLY;
    p = plan_of(c, f);
    assert_true(p.n_tiers == 0 && p.reason == ROUTE_R_LOCAL_ONLY && p.local_first && p.local_stands);
    f.asked_class = "secret";
    assert_int_equal(route_plan_begin(c, &f, &p, &e), CROFT_E_NOT_FOUND);
    route_config_free(c);
    c = config_of(""); /* nobody says anything at all */
    assert_int_equal(plan_of(c, calm).reason, ROUTE_R_LOCAL_ONLY);
    route_config_free(c);
}

static void regions_and_rules_take_tiers_away(void **state)
{
    struct route_config *c = config_of("policy: {default_class: public, regions: [eu]}\n"
                                       "rules:\n  - {key: shop, tiers: [sky, hall]}\n  - {task: t, tiers: []}\n");
    struct route_facts f = calm;
    struct route_plan p = plan_of(c, f);
    assert_true(p.n_tiers == 1 && p.tier[0] == 0 && p.step[0].reason == ROUTE_R_REGION && p.step[0].tier == 1);
    f.key = "shop";
    assert_true(plan_of(c, f).n_tiers == 1);
    f.task = "t";
    p = plan_of(c, f);
    assert_true(p.n_tiers == 0 && p.reason == ROUTE_R_LOCAL);
    route_config_free(c);
}

static void trouble_here_sends_elsewhere_if_it_may(void **state)
{
    static const struct {
        struct route_facts f;
        enum route_reason why;
    } cases[] = {
        {{.health = ROUTE_R_HEAT}, ROUTE_R_HEAT},
        {{.health = -1, .n_waiting = 9}, ROUTE_R_QUEUE},
        {{.health = -1, .local = ROUTE_LOCAL_TOO_LONG}, ROUTE_R_TOO_LONG},
        {{.health = -1, .local = ROUTE_LOCAL_NOT_READY}, ROUTE_R_NOT_READY},
        {{.health = -1, .local_ms = 900, .tier_ms = {300, 0}}, ROUTE_R_LATENCY},
        {{.health = ROUTE_R_MEMORY, .n_waiting = 9}, ROUTE_R_MEMORY}, /* the first reason is the reason */
    };
    struct route_config *c = config_of("policy: {default_class: public, latency_ms: 500, max_waiting: 8}\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_facts f = cases[i].f;
        struct route_plan p = plan_of(c, f);
        assert_false(p.local_first);
        assert_int_equal(p.reason, cases[i].why);
        assert_int_equal(p.local_stands, f.local == ROUTE_LOCAL_READY);
        f.task_class = ROUTE_LOCAL_ONLY; /* then it is here or nowhere */
        p = plan_of(c, f);
        assert_true(p.local_first && p.n_tiers == 0 && p.reason == ROUTE_R_LOCAL_ONLY);
    }
    struct route_facts slow = {.health = -1, .local_ms = 900, .tier_ms = {2000, 1000}};
    assert_true(plan_of(c, slow).local_first); /* all are slower still */
    slow.local_ms = 400;
    assert_true(plan_of(c, slow).n_steps == 0);
    route_config_free(c);
}

static void a_tier_may_be_asked_for(void **state)
{
    struct route_config *c = config_of("policy: {default_class: patient}\n");
    struct route_facts f = {.health = ROUTE_R_HEAT, .asked_tier = "hall"};
    struct route_plan p = plan_of(c, f);
    assert_true(!p.local_first && !p.local_stands && p.n_tiers == 1 && p.tier[0] == 0 &&
                p.reason == ROUTE_R_EXPLICIT);
    f.asked_tier = "sky"; /* may not see patients' data */
    assert_int_equal(route_plan_begin(c, &f, &p, &e), CROFT_E_DENIED);
    f.asked_tier = "moon";
    assert_int_equal(route_plan_begin(c, &f, &p, &e), CROFT_E_NOT_FOUND);
    f.asked_tier = "local"; /* also on a hot device */
    p = plan_of(c, f);
    assert_true(p.local_first && p.n_tiers == 0 && p.reason == ROUTE_R_EXPLICIT);
    assert_true(route_plan_judge(c, &p, ROUTE_V_LOW, 0.2)); /* it asked for this answer, however unsure */
    route_config_free(c);
}

static void verdicts_decide(void **state)
{
    struct route_config *c = config_of("policy: {default_class: public}\n"
                                       "rules:\n  - {task: strict, min_confidence: 0.9}\n"
                                       "  - {task: free, uncalibrated_here: true}\n");
    struct route_facts f = calm;
    struct route_plan p = plan_of(c, f);
    assert_true(route_plan_judge(c, &p, ROUTE_V_ACCEPT, 0.8) && p.reason == ROUTE_R_CONFIDENT);
    p = plan_of(c, f);
    assert_true(!route_plan_judge(c, &p, ROUTE_V_LOW, 0.3) && p.reason == ROUTE_R_LOW_CONFIDENCE && p.local_stands);
    p = plan_of(c, f);
    assert_true(!route_plan_judge(c, &p, ROUTE_V_UNCALIBRATED, NAN) && p.reason == ROUTE_R_UNCALIBRATED);
    p = plan_of(c, f);
    assert_true(!route_plan_judge(c, &p, ROUTE_V_FAILED, NAN) && p.reason == ROUTE_R_LOCAL_ERROR && !p.local_stands);
    f.task = "strict";
    p = plan_of(c, f);
    assert_true(!route_plan_judge(c, &p, ROUTE_V_ACCEPT, 0.8) && p.reason == ROUTE_R_LOW_CONFIDENCE);
    p = plan_of(c, f);
    assert_true(route_plan_judge(c, &p, ROUTE_V_ACCEPT, 0.95));
    p = plan_of(c, f);
    assert_false(route_plan_judge(c, &p, ROUTE_V_ACCEPT, NAN));
    f.task = "free";
    p = plan_of(c, f);
    assert_true(route_plan_judge(c, &p, ROUTE_V_UNCALIBRATED, NAN) && p.reason == ROUTE_R_LOCAL);
    f = (struct route_facts){.health = -1, .task_class = ROUTE_LOCAL_ONLY};
    p = plan_of(c, f); /* unsure, and may not leave: it stands, for that reason, with the doubt as a step */
    assert_true(route_plan_judge(c, &p, ROUTE_V_LOW, 0.1) && p.reason == ROUTE_R_LOCAL_ONLY);
    assert_int_equal(p.step[p.n_steps - 1].reason, ROUTE_R_LOW_CONFIDENCE);
    p = plan_of(c, f);
    assert_false(route_plan_judge(c, &p, ROUTE_V_FAILED, NAN)); /* then there is none */
    assert_int_equal(p.n_tiers, 0);
    route_config_free(c);
}

static void no_way_of_saying_it_lets_local_only_out(void **state)
{
    struct route_config *c =
        config_of("policy: {default_class: public}\n"
                  "rules:\n  - {task: t, class: local-only}\n  - {key: k, class: public, tiers: [sky]}\n"
                  "  - {task: t, key: k, class: public, tiers: [sky, hall]}\n");
    for (int health = -1; health < ROUTE_N_REASONS; health++)
        for (int local = 0; local < 3; local++)
            for (int k = 0; k < 2; k++) {
                struct route_facts f = {.task = "t",
                                        .key = k ? "k" : NULL,
                                        .asked_class = "public",
                                        .health = health,
                                        .local = (enum route_local)local,
                                        .n_waiting = 1000,
                                        .local_ms = 1e6,
                                        .budget_ms = 1,
                                        .tier_ms = {1, 1}};
                struct route_plan p = plan_of(c, f);
                assert_true(p.n_tiers == 0 && p.local_first && p.reason == ROUTE_R_LOCAL_ONLY);
                route_plan_judge(c, &p, ROUTE_V_OUT_OF_SCOPE, 0);
                assert_int_equal(p.n_tiers, 0);
                f.asked_tier = "sky";
                assert_int_equal(route_plan_begin(c, &f, &p, &e), CROFT_E_DENIED);
            }
    route_config_free(c);
}

static void patterns_are_checked_where_they_stand(void **state)
{
    static const char head[] = "policy:\n  redact: {cloud: {term: mask}}\n  patterns:\n";
    static const struct {
        const char *lines, *words;
    } bad[] = {{"    - {name: order, regex: 'ORD-(\\d{8}'}\n", "'order': At byte 10 of the regular expression"},
               {"    - {name: order, regex: '(a)\\1'}\n", "regular expression"},
               {"    - {name: order, regex: '(a{1,90}){1,90}'}\n", "use smaller bounds"},
               {"    - {name: order}\n", "patterns[0] needs 'regex'"},
               {"    - {name: order, regexp: 'a'}\n", "Did you mean 'regex'?"},
               {"    - {name: order, regex: 'a', kind: ordre}\n", "'kind' must be"},
               {"    - {name: order, regex: 'a', kind: card}\n", "of which neither 'redact' nor 'raise'"},
               {"    - {name: a, regex: 'b'}\n    - {name: a, regex: 'c'}\n", "two patterns are called 'a'"}};
    struct route_config *c =
        config_of("policy:\n  redact: {cloud: {term: mask}, premises: {card: block}}\n  patterns:\n"
                  "    - {name: order, regex: 'ORD-\\d{8}', whole: true}\n"
                  "    - {name: loyalty, regex: 'L\\d{4}', kind: card}\n");
    struct route_detectors *d = NULL;
    uint32_t counts[ROUTE_N_PII] = {0};
    const char *text = "ORD-12345678 L1234 L9 ORD-123456789 and XORD-12345678";
    assert_int_equal(c->n_patterns, 2);
    assert_int_equal(route_config_detectors(c, 0, &d, &e), 0);
    assert_int_equal(route_detect(d, ROUTE_PII_ALL, text, strlen(text), counts, &e), 0);
    assert_int_equal(counts[ROUTE_PII_TERM], 1);
    assert_int_equal(counts[ROUTE_PII_CARD], 1);
    route_detectors_free(d);
    route_config_free(c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s%s%s%s", CLASSES, TIERS, head, bad[i].lines);
        assert_int_equal(read_text(file, &c), CROFT_E_FORMAT);
        if (!strstr(e.msg, bad[i].words) || !strstr(e.msg, i == 7 ? ":11:" : ":10:"))
            fail_msg("%s: %s", bad[i].lines, e.msg);
    }
}

/* What decides, when the file is read again, whether a tier keeps its breaker: everything that stands there. */
static void a_tier_is_the_same_when_its_text_is(void **state)
{
    static const char *const other[][2] = {{"place: premises", "place: cloud"},
                                           {"wire: openai", "wire: anthropic"},
                                           {"hall.example", "halls.example"},
                                           {"model: big", "model: bigger"},
                                           {"region: eu", "region: us"},
                                           {"internal, patient]", "internal]"},
                                           {"[public, internal, patient]", "[public, patient, internal]"},
                                           {"output: 0.6", "output: 0.61"},
                                           {"price: {", "stall_s: 3, price: {"},
                                           {"price: {", "max_concurrent: 3, price: {"},
                                           {"price: {", "max_tokens: 3, price: {"},
                                           {"price: {", "drop: [seed], price: {"},
                                           {"price: {", "key_env: SOME_KEY, price: {"}};
    struct route_config *a = config_of(""), *b = config_of("policy: {default_class: internal}\n");
    assert_true(route_tier_same(&a->tier[0], &b->tier[0]) && route_tier_same(&a->tier[1], &b->tier[1]));
    assert_false(route_tier_same(&a->tier[0], &a->tier[1]));
    route_config_free(b);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        const char *at = strstr(TIERS, other[i][0]);
        char text[4096];
        snprintf(text, sizeof text, "%s%.*s%s%s", CLASSES, (int)(at - TIERS), TIERS, other[i][1],
                 at + strlen(other[i][0]));
        if (read_text(text, &b)) fail_msg("%s", e.msg);
        if (route_tier_same(&a->tier[0], &b->tier[0])) fail_msg("%s changes nothing", other[i][1]);
        route_config_free(b);
    }
    route_config_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_becomes_a_policy),
        cmocka_unit_test(complaints_name_line_and_cure),
        cmocka_unit_test(classes_only_get_stricter),
        cmocka_unit_test(regions_and_rules_take_tiers_away),
        cmocka_unit_test(trouble_here_sends_elsewhere_if_it_may),
        cmocka_unit_test(a_tier_may_be_asked_for),
        cmocka_unit_test(verdicts_decide),
        cmocka_unit_test(patterns_are_checked_where_they_stand),
        cmocka_unit_test(a_tier_is_the_same_when_its_text_is),
        cmocka_unit_test(no_way_of_saying_it_lets_local_only_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
