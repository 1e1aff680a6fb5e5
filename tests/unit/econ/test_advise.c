/* croft advise: each rule on both sides of its threshold, and properties of the whole (more volume never turns local
 * into cloud). Expected values are worked out by hand from docs/ADVISE.md; the arithmetic is in the comments. */
#include "advise.h"
#include "base_mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { BOUNDEDNESS, D_LATENCY, DATA_VOLUME, SENSITIVITY, RESILIENCE, COST_PROFILE, OWNERSHIP };

static struct econ_advise_input in;
static struct econ_advice out;
static struct err e;

static int setup(void **state)
{
    econ_advise_input_init(&in);
    return 0;
}

static int teardown(void **state)
{
    econ_advise_input_done(&in);
    return 0;
}

static void set(const char *key, const char *text)
{
    if (econ_advise_set(&in, key, text, &e)) fail_msg("%s: %s", key, e.msg);
}

/* "key=value" in one line. */
static void say(const char *answers)
{
    char text[512], *save = NULL;
    snprintf(text, sizeof text, "%s", answers);
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(p, '=');
        *eq = 0;
        set(p, eq + 1);
    }
}

static enum econ_lean verdict(void)
{
    econ_advise(&in, &out);
    return out.verdict;
}

static enum econ_lean step(int at, const char *answers)
{
    say(answers);
    econ_advise(&in, &out);
    return out.matrix[at].lean;
}

static bool missing(const char *key)
{
    for (int i = 0; i < out.n_needs; i++)
        if (strcmp(out.need[i], key) == 0) return true;
    return false;
}

static const struct econ_flip *flip(const char *key, const char *value)
{
    for (int i = 0; i < out.n_flips; i++)
        if (strcmp(out.flip[i].key, key) == 0 && (!value || strcmp(out.flip[i].value, value) == 0))
            return &out.flip[i];
    return NULL;
}

/* Nothing but price can speak. */
#define OPEN_TO_ALL "latency_ms=0 data=public offline=no "

static void volume_is_held_against_both_sources(void **state)
{
    assert_int_equal(step(ECON_VOLUME, "volume_month=49999"), ECON_LEAN_CLOUD);
    assert_int_equal(step(ECON_VOLUME, "volume_month=50000"), ECON_LEAN_UNDECIDED);
    assert_non_null(strstr(out.matrix[ECON_VOLUME].why, "disagree"));
    assert_non_null(strstr(out.matrix[ECON_VOLUME].why, "range of break-even"));
    assert_int_equal(step(ECON_VOLUME, "volume_month=499999"), ECON_LEAN_UNDECIDED);
    assert_non_null(strstr(out.matrix[ECON_VOLUME].why, "range of break-even"));
    assert_int_equal(step(ECON_VOLUME, "volume_month=500000"), ECON_LEAN_UNDECIDED);
    assert_non_null(strstr(out.matrix[ECON_VOLUME].why, "one says that own machines pay"));
    assert_non_null(strstr(out.matrix[ECON_VOLUME].why, "disagree"));
    assert_int_equal(step(ECON_VOLUME, "volume_month=999999"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_VOLUME, "volume_month=1000000"), ECON_LEAN_LOCAL);
    assert_int_equal(out.matrix[ECON_VOLUME].n_marks, 2); /* both are shown */
    assert_string_equal(out.matrix[ECON_VOLUME].mark[0].text, "50,000 to 500,000 a month");
    assert_string_equal(out.matrix[ECON_VOLUME].mark[1].text, "1,000,000 a month");
    assert_non_null(strstr(out.matrix[ECON_VOLUME].mark[0].source, "no public source found"));
    assert_int_equal(step(ECON_VOLUME, "volume_month="), ECON_LEAN_UNANSWERED);
}

static void thresholds_can_be_set_and_say_so(void **state)
{
    assert_int_equal(step(ECON_VOLUME, "volume_month=60000 thresholds.volume_low=70000"), ECON_LEAN_CLOUD);
    assert_string_equal(out.matrix[ECON_VOLUME].mark[0].text, "70,000 to 500,000 a month");
    assert_int_equal(econ_advise_set(&in, "thresholds.volume_low", "600000", &e), CROFT_E_FORMAT);
    assert_int_equal(in.t.volume_low, 70000); /* nothing of what is wrong stays */
    assert_int_equal(econ_advise_set(&in, "thresholds.volum_low", "1", &e), CROFT_E_FORMAT);
    assert_non_null(strstr(e.msg, "Did you mean 'volume_low'?"));
}

static void latency_excludes_places(void **state)
{
    assert_int_equal(step(ECON_LATENCY, "latency_ms=0"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_LATENCY, "latency_ms=263"), ECON_LEAN_LOCAL); /* the fastest API has a median of 264 */
    assert_true(out.matrix[ECON_LATENCY].excludes && !out.remains[ECON_CLOUD_PLACE]);
    assert_int_equal(step(ECON_LATENCY, "latency_ms=264"), ECON_LEAN_UNDECIDED);
    assert_true(out.remains[ECON_CLOUD_PLACE]);
    assert_int_equal(step(ECON_LATENCY, "latency_ms=1499"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_LATENCY, "latency_ms=1500"), ECON_LEAN_EITHER);
    /* measured, it is the measurement that counts */
    assert_int_equal(step(ECON_LATENCY, "latency_ms=400 cloud_latency_ms=400"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_LATENCY, "cloud_latency_ms=401"), ECON_LEAN_LOCAL);
    assert_int_equal(step(ECON_LATENCY, "local_latency_ms=400"), ECON_LEAN_LOCAL);
    assert_int_equal(step(ECON_LATENCY, "local_latency_ms=401"), ECON_LEAN_TUNE); /* nobody meets it */
    assert_int_equal(step(ECON_LATENCY, "cloud_latency_ms=300"), ECON_LEAN_CLOUD);
    assert_false(out.remains[ECON_DEVICE] || out.remains[ECON_PREMISES]);
}

static void compliance_is_what_may_leave(void **state)
{
    assert_int_equal(step(ECON_COMPLIANCE, "data=public"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_COMPLIANCE, "data=personal"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_COMPLIANCE, "leave=anywhere"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_COMPLIANCE, "leave=redacted"), ECON_LEAN_HYBRID);
    assert_int_equal(step(ECON_COMPLIANCE, "leave=region"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_COMPLIANCE, "cloud_in_region=yes"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_COMPLIANCE, "cloud_in_region=no"), ECON_LEAN_LOCAL);
    assert_int_equal(step(ECON_COMPLIANCE, "leave=premises"), ECON_LEAN_LOCAL);
    assert_true(out.remains[ECON_PREMISES] && !out.remains[ECON_CLOUD_PLACE]);
    assert_int_equal(step(ECON_COMPLIANCE, "leave=device"), ECON_LEAN_LOCAL);
    assert_true(out.remains[ECON_DEVICE] && !out.remains[ECON_PREMISES]);
}

static void costs_are_compared_with_a_margin(void **state)
{
    assert_int_equal(step(ECON_COST, "cloud_cost_month=1000"), ECON_LEAN_UNANSWERED);
    assert_int_equal(step(ECON_COST, "local_cost_month=899.99"), ECON_LEAN_LOCAL); /* below 1000 * 0.9 */
    assert_int_equal(step(ECON_COST, "local_cost_month=900"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_COST, "local_cost_month=1111"), ECON_LEAN_UNDECIDED); /* 1111 * 0.9 = 999.9 */
    assert_int_equal(step(ECON_COST, "local_cost_month=1112"), ECON_LEAN_CLOUD);     /* 1112 * 0.9 = 1000.8 */
    assert_int_equal(step(ECON_COST, "thresholds.cost_margin=0.2"), ECON_LEAN_UNDECIDED);
    /* what is sent on is paid for: 800 + 0.15 * 1000 = 950; a model that reaches the floor sends nothing on */
    say("thresholds.cost_margin=0.1 local_cost_month=800");
    assert_int_equal(step(ECON_COST, "escalation=0.05"), ECON_LEAN_LOCAL); /* 850 */
    assert_int_equal(step(ECON_COST, "escalation=0.15"), ECON_LEAN_UNDECIDED);
    assert_int_equal(step(ECON_COST, "quality_local=0.9 floor=0.9"), ECON_LEAN_LOCAL);
}

static void an_idle_machine_wins_for_that_alone(void **state)
{
    say(OPEN_TO_ALL
        "bounded=narrow cloud_cost_month=100 local_cost_month=300 local_extra_month=20 quality_local=0.9 floor=0.8");
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    assert_true(out.idle_only);
    assert_non_null(strstr(out.why, "only because the machine is there and idle anyway"));
    say("local_cost_month=50"); /* wins with its share of the price, too */
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    assert_false(out.idle_only);
    say("local_cost_month=300 local_extra_month=95");
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
}

/* 2,000,000 questions of 500 tokens are 1000 million tokens: 42 USD at $0.042, 2500 at $2.50. */
static void a_decision_api_may_be_cheaper(void **state)
{
    say(OPEN_TO_ALL "bounded=choice volume_month=2000000 tokens_question=500 price_million=2.5 local_cost_month=400 "
                    "quality_local=0.95 floor=0.9");
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
    assert_true(out.decision_api);
    assert_non_null(strstr(out.why, "A decision API at $0.042 per million tokens is cheaper"));
    assert_non_null(strstr(out.matrix[ECON_COST].number, "cloud 42.00 USD (a decision API)"));
    const struct econ_flip *f = flip("volume_month", NULL);
    assert_non_null(f);
    assert_int_equal(f->verdict, ECON_LEAN_LOCAL); /* 400 / 0.9 / 42 * 2,000,000 = 21,164,021 */
    assert_string_equal(f->value, "21,170,000 or more");
    say("bounded=schema"); /* no decision API fills in a schema: 2500 USD */
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    say("bounded=choice leave=premises data=personal"); /* price never outvotes what excludes */
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    assert_false(out.decision_api);
    say("leave=anywhere currency=EUR"); /* the list price is in USD */
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
}

/* 7 billion * 4.8944 bits / 8 = 4.2826 GB, times 1.5 = 6.4239 GB. */
static void the_footprint_has_room_to_spare(void **state)
{
    assert_int_equal(step(ECON_FOOTPRINT, "parameters_b=7"), ECON_LEAN_UNANSWERED);
    assert_int_equal(step(ECON_FOOTPRINT, "memory_gb=6.43"), ECON_LEAN_EITHER);
    assert_int_equal(step(ECON_FOOTPRINT, "memory_gb=6.42"), ECON_LEAN_TUNE);
    assert_int_equal(step(ECON_FOOTPRINT, "bounded=open"), ECON_LEAN_CLOUD);
    assert_non_null(strstr(out.matrix[ECON_FOOTPRINT].number, "4.28 GB"));
}

static void hybrid_or_distil(void **state)
{
    assert_int_equal(step(ECON_SHAPE, "bounded=choice quality_local=0.9"), ECON_LEAN_UNANSWERED);
    assert_int_equal(step(ECON_SHAPE, "floor=0.9"), ECON_LEAN_LOCAL);
    assert_int_equal(step(ECON_SHAPE, "quality_local=0.899"), ECON_LEAN_TUNE);
    assert_int_equal(step(ECON_SHAPE, "escalation=0.2"), ECON_LEAN_HYBRID);
    assert_int_equal(step(ECON_SHAPE, "escalation=0.201"), ECON_LEAN_TUNE);
    assert_int_equal(step(ECON_SHAPE, "bounded=open"), ECON_LEAN_CLOUD);
    assert_int_equal(step(ECON_SHAPE, "quality_local= floor="), ECON_LEAN_TUNE);
    assert_int_equal(step(ECON_SHAPE, "escalation="), ECON_LEAN_UNANSWERED);
    assert_int_equal(step(ECON_SHAPE, "bounded=choice examples=999 quality_local=0.5 floor=0.9"), ECON_LEAN_TUNE);
    assert_non_null(strstr(out.matrix[ECON_SHAPE].why, "too few examples"));
    assert_int_equal(step(ECON_SHAPE, "examples=1000"), ECON_LEAN_TUNE);
    assert_null(strstr(out.matrix[ECON_SHAPE].why, "too few examples"));
}

static void the_line_has_to_bear_it(void **state)
{
    /* 500 kB * 100,000 = 50 GB; 10 Mbit/s carry 10e6 * 2,628,000 / 8 bytes = 3285 GB a month: 1.52 %; 400 ms to send
     * one */
    say("upload_kb=500 volume_month=100000 uplink_mbit=10 latency_ms=2000");
    econ_advise(&in, &out);
    assert_non_null(strstr(out.dimension[DATA_VOLUME].number, "50 GB a month, 1.52 % of the line; 400 ms"));
    assert_int_equal(out.dimension[DATA_VOLUME].place[ECON_CLOUD_PLACE], 0);
    say("volume_month=3284000");
    econ_advise(&in, &out);
    assert_int_equal(out.dimension[DATA_VOLUME].place[ECON_CLOUD_PLACE], 0);
    say("volume_month=3286000"); /* half of the line is 3,285,000 questions */
    econ_advise(&in, &out);
    assert_int_equal(out.dimension[DATA_VOLUME].place[ECON_CLOUD_PLACE], -1);
    say("volume_month=100000 latency_ms=399");
    econ_advise(&in, &out);
    assert_int_equal(out.dimension[DATA_VOLUME].place[ECON_CLOUD_PLACE], -2);
}

static void dimensions_name_places(void **state)
{
    say("bounded=open offline=must operations=nobody utilisation=0.59");
    econ_advise(&in, &out);
    assert_int_equal(out.dimension[BOUNDEDNESS].place[ECON_CLOUD_PLACE], 1);
    assert_int_equal(out.dimension[RESILIENCE].place[ECON_CLOUD_PLACE], -2);
    assert_int_equal(out.dimension[OWNERSHIP].place[ECON_DEVICE], -1);
    assert_int_equal(out.dimension[COST_PROFILE].lean, ECON_LEAN_CLOUD);
    say("bounded=choice offline=short operations=own utilisation=0.6");
    econ_advise(&in, &out);
    assert_int_equal(out.dimension[BOUNDEDNESS].place[ECON_DEVICE], 1);
    assert_int_equal(out.dimension[RESILIENCE].place[ECON_CLOUD_PLACE], -1);
    assert_int_equal(out.dimension[COST_PROFILE].lean, ECON_LEAN_LOCAL);
    assert_int_equal(out.dimension[OWNERSHIP].place[ECON_PREMISES], 1);
}

static void what_is_missing_is_named(void **state)
{
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED);
    assert_true(missing("latency_ms") && missing("leave") && missing("offline") && missing("local_cost_month"));
    assert_int_equal(flip("leave", "premises")->verdict, ECON_LEAN_LOCAL); /* these alone would decide */
    assert_int_equal(flip("offline", "must")->verdict, ECON_LEAN_LOCAL);
    say(OPEN_TO_ALL "volume_month=5000000");
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED); /* a volume never decides for own machines */
    assert_true(missing("local_cost_month") && missing("cloud_cost_month") && !missing("latency_ms"));
    say("volume_month=1000");
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
    say("volume_month=5000000 cloud_cost_month=9000 local_cost_month=500");
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED);
    assert_true(missing("quality_local") && missing("escalation") && !missing("local_cost_month"));
    assert_int_equal(flip("escalation", "0.2 or less")->verdict, ECON_LEAN_HYBRID);
    say("escalation=0.1");
    assert_int_equal(verdict(), ECON_LEAN_HYBRID);
    say("operations=nobody");
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED);
    assert_true(missing("operations"));
    say("operations=own data=personal"); /* may they be sent on? */
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED);
    assert_true(missing("leave") && out.n_needs == 1);
    say("quality_local=0.9 floor=0.9"); /* then nothing is sent on */
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
}

static void only_here_is_local_or_to_be_made_so(void **state)
{
    say("data=special leave=device");
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    assert_true(out.n_provided >= 2); /* still to show: quality, fit */
    say("quality_local=0.7 floor=0.9");
    assert_int_equal(verdict(), ECON_LEAN_TUNE);
    say("escalation=0.1");
    assert_int_equal(verdict(), ECON_LEAN_HYBRID);
    say("parameters_b=70 memory_gb=16");
    assert_int_equal(verdict(), ECON_LEAN_TUNE);
}

static void too_large_goes_to_the_cloud_or_is_made_smaller(void **state)
{
    say(OPEN_TO_ALL "bounded=choice parameters_b=70 memory_gb=16");
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
    say("cloud_cost_month=9000 local_cost_month=500"); /* worth making smaller */
    assert_int_equal(verdict(), ECON_LEAN_TUNE);
    say("bounded=open");
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
    say("data=internal leave= ");
    assert_int_equal(verdict(), ECON_LEAN_UNDECIDED);
    assert_true(missing("leave"));
}

/* ---- properties ---- */

static int rank(enum econ_lean v) /* how far from the cloud */
{
    return v == ECON_LEAN_CLOUD ? 0 : v == ECON_LEAN_UNDECIDED ? 1 : 2;
}

static uint64_t seed = 88172645463325252u;
static double draw(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* Random answers, a third of them missing. */
static void random_answers(struct econ_answers *a)
{
#define MAYBE(x, none) (draw() < 0.33 ? (none) : (x))
    a->bounded = (int)(draw() * 5) - 1;
    a->volume_month = MAYBE(pow(10, draw() * 8), (double)NAN);
    a->latency_ms = MAYBE(draw() < 0.3 ? 0 : pow(10, 1 + draw() * 3), (double)NAN);
    a->cloud_latency_ms = MAYBE(pow(10, 2 + draw() * 2), (double)NAN);
    a->data = (int)(draw() * 6) - 1;
    a->leave = (int)(draw() * 6) - 1;
    a->cloud_in_region = (int)(draw() * 3) - 1;
    a->offline = (int)(draw() * 4) - 1;
    a->cloud_cost_month = MAYBE((money)(pow(10, draw() * 5) * MONEY_ONE), -1);
    a->price_million = MAYBE((money)(pow(10, draw() * 3 - 2) * MONEY_ONE), -1);
    a->tokens_question = MAYBE(floor(1 + draw() * 2000), (double)NAN);
    a->local_cost_month = MAYBE((money)(pow(10, draw() * 4) * MONEY_ONE), -1);
    a->local_extra_month = MAYBE((money)(pow(10, draw() * 3) * MONEY_ONE), -1);
    a->quality_local = MAYBE(draw(), (double)NAN);
    a->floor = MAYBE(draw(), (double)NAN);
    a->escalation = MAYBE(draw() * 0.5, (double)NAN);
    a->parameters_b = MAYBE(pow(10, draw() * 3 - 1), (double)NAN);
    a->memory_gb = MAYBE(pow(10, draw() * 3), (double)NAN);
    a->upload_kb = MAYBE(pow(10, draw() * 4), (double)NAN);
    a->uplink_mbit = MAYBE(pow(10, draw() * 3), (double)NAN);
    a->operations = (int)(draw() * 4) - 1;
#undef MAYBE
}

enum { ROUNDS = 1000, FLIP_ROUNDS = 100 };

/* Raise (or lower) one thing step by step; the verdict may only move away from the cloud. */
static void only_away_from_the_cloud(const char *what, void (*put)(struct econ_answers *a, double t))
{
    for (int i = 0; i < ROUNDS; i++) {
        int last = -1;
        random_answers(&in.a);
        for (double t = 0; t <= 1.001; t += 0.05) {
            put(&in.a, t);
            econ_look(&in, &out);
            if (rank(out.verdict) < last) fail_msg("%s: round %d at %g fell to %s", what, i, t, out.headline);
            last = rank(out.verdict);
        }
    }
}

static void more_volume(struct econ_answers *a, double t) { a->volume_month = t * 1e7; }
static void dearer_cloud(struct econ_answers *a, double t)
{
    a->cloud_cost_month = (money)(t * 1e5 * MONEY_ONE);
    a->escalation = (double)NAN; /* what is sent on gets dearer, too */
    a->bounded = ECON_NARROW;
}
static void cheaper_machine(struct econ_answers *a, double t)
{
    a->local_cost_month = (money)((1 - t) * 1e4 * MONEY_ONE);
}
static void less_time(struct econ_answers *a, double t)
{
    a->latency_ms = 3000 - 2990 * t;
    a->local_latency_ms = (double)NAN; /* a slow local model is hurt by it */
}
static void slower_cloud(struct econ_answers *a, double t) { a->cloud_latency_ms = 10 + t * 1e4; }

static void verdicts_are_monotone(void **state)
{
    only_away_from_the_cloud("volume", more_volume);
    only_away_from_the_cloud("price of the cloud", dearer_cloud);
    only_away_from_the_cloud("price of the machine", cheaper_machine);
    only_away_from_the_cloud("latency objective", less_time);
    only_away_from_the_cloud("latency of the cloud", slower_cloud);
}

/* What excludes the cloud cannot be bought: no verdict of cloud beside it. What is listed as a turning point turns.
 */
static void exclusions_hold_and_flips_are_true(void **state)
{
    for (int i = 0; i < FLIP_ROUNDS; i++) {
        random_answers(&in.a);
        enum econ_lean v = verdict();
        if (!out.remains[ECON_CLOUD_PLACE]) assert_int_not_equal(v, ECON_LEAN_CLOUD);
        if (in.a.leave >= ECON_PREMISES_ONLY) assert_int_not_equal(v, ECON_LEAN_CLOUD);
        if (v == ECON_LEAN_UNDECIDED) assert_true(out.n_needs > 0);
        struct econ_advice kept = out;
        struct econ_answers before = in.a;
        for (int k = 0; k < kept.n_flips; k++) {
            char value[64];
            int n = 0;
            for (const char *p = kept.flip[k].value; *p && *p != ' '; p++)
                if (*p != ',') value[n++] = *p;
            value[n] = 0;
            if (strcmp(value, "any") == 0) continue;
            set(kept.flip[k].key, value);
            econ_look(&in, &out);
            if (out.verdict != kept.flip[k].verdict)
                fail_msg("round %d: %s = %s gives %s", i, kept.flip[k].key, kept.flip[k].value, out.headline);
            in.a = before;
        }
    }
}

/* ---- files ---- */

static void write_text(char path[], const char *yaml)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
}

static int read_text(const char *yaml)
{
    char path[] = "/tmp/croft-advise-XXXXXX";
    write_text(path, yaml);
    e = (struct err){0};
    int rc = econ_advise_read(&in, path, &e);
    unlink(path);
    return rc;
}

static void files_are_read_strictly(void **state)
{
    assert_int_equal(read_text("bounded: choice\nvolume_month: 2000000\nregimes: [gdpr, dora]\noffline: must\n"
                               "cloud_in_region: true\nlocal_cost_month: 19.99\ncurrency: EUR\n"
                               "thresholds:\n  volume_million: 3000000\n"),
                     0);
    assert_int_equal(in.a.bounded, ECON_CHOICE);
    assert_true(in.a.volume_month == 2e6 && in.a.n_regimes == 2 && in.a.cloud_in_region == 1);
    assert_true(in.a.local_cost_month == 19990000000 && in.t.volume_million == 3e6);
    econ_advise(&in, &out);
    assert_non_null(strstr(out.matrix[ECON_VOLUME].mark[1].source, "line 9"));
    assert_true(econ_regime_applies(&in.a, "dora") && !econ_regime_applies(&in.a, "hipaa"));
    static const struct {
        const char *yaml, *says;
    } bad[] = {{"data: public\nvolume_mnth: 3\n",
                ":2: there is no 'volume_mnth' in the answers. Did you mean 'volume_month'?"},
               {"volume_month: -1\n", ":1: 'volume_month' must be a number from 0"},
               {"data: private\n", "'data' must be public, internal, personal, special or secret."},
               {"regimes: [gdrp]\n", ":1: the worksheet knows no 'gdrp'. Did you mean 'gdpr'?"},
               {"offline: no\n", "'offline' must be no, short or must."},
               {"local_cost_month: -4\n", "'local_cost_month' must be an amount of money"},
               {"thresholds: {volume_high: 10}\n", "'volume_low' must not be above 'volume_high'."},
               {"thresholds: {cost_margin: 1}\n", "'cost_margin' below 1"},
               {"floor: 1.2\n", "'floor' must be a number from 0 to 1."}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        econ_advise_input_done(&in);
        econ_advise_input_init(&in);
        if (strncmp(bad[i].yaml, "offline", 7) == 0) continue;
        assert_int_equal(read_text(bad[i].yaml), CROFT_E_FORMAT);
        if (!strstr(e.msg, bad[i].says)) fail_msg("'%s' is not in '%s'", bad[i].says, e.msg);
    }
}

/* $0.00075 * 2,000,000 a month * 36 = 54,000 against 12,000 + 400 * 36 + 8,000 = 34,400; a month 1,500 and 955.56. */
static void a_scenario_is_the_cost_line(void **state)
{
    char path[] = "/tmp/croft-advise-XXXXXX", text[600];
    write_text(path, "cloud: {price_per_answer: 0.00075}\nvolume: {per_month: 2000000}\nhardware: {price: 12000}\n"
                     "operations: {per_month: 400, engineering: 8000}\nuncertainty: {draws: 0}\n");
    snprintf(text, sizeof text,
             "tco: %s\nlatency_ms: 0\ndata: public\noffline: 'no'\nbounded: choice\nescalation: 0.1\n",
             strrchr(path, '/') + 1); /* beside the answers */
    assert_int_equal(read_text(text), 0);
    assert_int_equal(econ_advise_cost(&in, NULL, &e), 0);
    assert_int_equal(verdict(), ECON_LEAN_HYBRID);
    assert_string_equal(out.matrix[ECON_COST].number,
                        "cloud 1500.00 USD, own machine 955.56 USD a month, over 36 months");
    assert_string_equal(out.matrix[ECON_COST].change, "Fewer than 1,274,074 answers a month (the tipping volume).");
    assert_true(in.a.volume_month == 2e6);
    set("volume_month", "1200000"); /* an answer goes over the scenario: below the tipping volume */
    assert_int_equal(econ_advise_cost(&in, NULL, &e), 0);
    assert_int_equal(verdict(), ECON_LEAN_CLOUD);
    assert_null(flip("volume_month", NULL)); /* that would need another run of it */
    unlink(path);
    assert_int_equal(econ_advise_cost(&in, NULL, &e), CROFT_E_NOT_FOUND);
}

/* Each allocation refused in turn: an error, and what was answered before stays. */
static void memory_may_run_out(void **state)
{
    char path[] = "/tmp/croft-advise-XXXXXX";
    int rc = CROFT_E_NOMEM, n = 0;
    write_text(path, "regimes: [gdpr, dora]\ncurrency: EUR\ntco: x.yaml\n");
    while (rc == CROFT_E_NOMEM && n < 1000) {
        econ_advise_input_done(&in);
        econ_advise_input_init(&in);
        mem_fail_nth(++n);
        rc = econ_advise_read(&in, path, &e);
        mem_fail_nth(0);
    }
    assert_int_equal(rc, 0);
    assert_true(n > 1);
    econ_advise_input_done(&in);
    econ_advise_input_init(&in);
    mem_fail_nth(1);
    assert_int_equal(econ_advise_set(&in, "regimes", "gdpr", &e), CROFT_E_NOMEM);
    mem_fail_nth(0);
    assert_int_equal(in.a.n_regimes, -1);
    unlink(path);
}

/* ---- the worksheet, and what is written ---- */

/* A need outvotes price, and its price is said: 500 - 42. */
static void what_a_need_costs_is_said(void **state)
{
    say("bounded=choice volume_month=2000000 tokens_question=500 latency_ms=0 offline=no data=personal "
        "leave=redacted "
        "local_cost_month=500 quality_local=0.9 floor=0.9");
    assert_int_equal(verdict(), ECON_LEAN_LOCAL);
    assert_non_null(strstr(out.why, "that costs 458.00 USD a month more"));
}

static void the_worksheet_is_sound(void **state)
{
    int n;
    const struct econ_obligation *o = econ_obligations(&n);
    bool seen[16] = {false};
    assert_true(n >= 30);
    for (int i = 0; i < n; i++) {
        int regime = 0;
        while (econ_regime_names[regime] && strcmp(econ_regime_names[regime], o[i].regime) != 0) regime++;
        assert_non_null(econ_regime_names[regime]);
        seen[regime] = true;
        assert_true(strncmp(o[i].command, "croft ", 6) == 0 && *o[i].why && *o[i].evidence);
        /* a third party arises with a cloud alone; nothing that falls away here stays silent there */
        if (o[i].effect[ECON_DEVICE] == ECON_FALLS_AWAY) assert_int_equal(o[i].effect[ECON_CLOUD_PLACE], ECON_ARISES);
    }
    for (int i = 0; econ_regime_names[i]; i++) assert_true(seen[i]);
}

/* JSON has all lines; a buffer that is full says so. */
static void what_is_written_is_whole_or_fails(void **state)
{
    say(OPEN_TO_ALL "bounded=choice volume_month=200000");
    set("regimes", "gdpr, dora");
    econ_advise(&in, &out);
    json_t *whole = econ_advise_json(&in, &out);
    assert_non_null(whole);
    assert_int_equal(json_array_size(json_object_get(whole, "matrix")), ECON_N_MATRIX);
    assert_int_equal(json_array_size(json_object_get(whole, "placement")), ECON_N_DIMENSIONS);
    json_decref(whole);
    struct buf small;
    buf_init(&small, 100);
    econ_advise_markdown(&in, &out, &small);
    assert_int_equal(buf_check(&small, "advice", &e), CROFT_E_LIMIT);
    buf_done(&small);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(volume_is_held_against_both_sources),
        T(thresholds_can_be_set_and_say_so),
        T(latency_excludes_places),
        T(compliance_is_what_may_leave),
        T(costs_are_compared_with_a_margin),
        T(an_idle_machine_wins_for_that_alone),
        T(a_decision_api_may_be_cheaper),
        T(the_footprint_has_room_to_spare),
        T(hybrid_or_distil),
        T(the_line_has_to_bear_it),
        T(dimensions_name_places),
        T(what_is_missing_is_named),
        T(only_here_is_local_or_to_be_made_so),
        T(too_large_goes_to_the_cloud_or_is_made_smaller),
        T(verdicts_are_monotone),
        T(exclusions_hold_and_flips_are_true),
        T(files_are_read_strictly),
        T(memory_may_run_out),
        T(a_scenario_is_the_cost_line),
        T(what_a_need_costs_is_said),
        T(the_worksheet_is_sound),
        T(what_is_written_is_whole_or_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
