/* The content store: money never passes a limit, whoever asks at the same time; deferred work is delivered once for
 * each receipt whatever dies; captures come out as training data; what is erased is in no file. */
#include "base_mem.h"
#include "route_store.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];

static int fresh(void **state)
{
    snprintf(dir, sizeof dir, "/dev/shm/croft-store-XXXXXX"); /* where fsync costs nothing, if there is one */
    if (mkdtemp(dir)) return 0;
    snprintf(dir, sizeof dir, "/tmp/croft-store-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int sweep(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct route_store *open_with(struct route_store_params p)
{
    struct err e = {0};
    struct route_store *s = NULL;
    p.dir = dir;
    if (route_store_open(&p, &s, &e)) fail_msg("%s", e.msg);
    return s;
}
static struct route_store *open_store(void) { return open_with((struct route_store_params){.dir = NULL}); }

static void flush(struct route_store *s)
{
    struct err e = {0};
    if (route_store_flush(s, 30, &e)) fail_msg("%s", e.msg);
}

/* ---- budgets ---- */

static const struct route_budget alice = {"key:alice", ROUTE_DAY, "USD", 10 * (money)MONEY_ONE};
enum { NOON = 1763726400 }; /* 2025-11-21 12:00 UTC, by date(1) */

static void assert_spent(struct route_store *s, const struct route_budget *b, int64_t now_s, int64_t spent,
                         int64_t reserved)
{
    money is, held;
    route_budget_get(s, b, now_s, &is, &held);
    assert_int_equal(is, spent);
    assert_int_equal(held, reserved);
}

static void a_limit_is_kept(void **state)
{
    struct err e = {0};
    struct route_reservation a, b, c;
    uint32_t which = 9;
    struct route_store *s = open_store();
    const money one = MONEY_ONE;
    assert_int_equal(route_budget_reserve(s, &alice, 1, 6 * one, NOON, &a, &which, &e), 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 4 * one, NOON, &b, &which, &e), 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 1, NOON, &c, &which, &e), CROFT_E_LIMIT);
    assert_int_equal(which, 0);
    route_budget_settle(s, &a, one);
    assert_spent(s, &alice, NOON, one, 4 * one);
    route_budget_settle(s, &a, one); /* settled already */
    route_budget_settle(s, &b, 0);   /* nothing was sent */
    assert_spent(s, &alice, NOON, one, 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 9 * one, NOON, &c, &which, &e), 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 1, NOON, &a, &which, &e), CROFT_E_LIMIT);
    assert_int_equal(route_budget_reserve(s, &alice, 1, one, NOON + 43200, &a, &which, &e), 0); /* another day */
    route_budget_settle(s, &c, 12 * one); /* dearer than thought: over by what the estimate was short */
    assert_spent(s, &alice, NOON, 13 * one, 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 1, NOON, &b, &which, &e), CROFT_E_LIMIT);
    route_store_close(s);
}

static void all_budgets_or_none(void **state)
{
    struct err e = {0};
    struct route_reservation r;
    uint32_t which = 9;
    struct route_store *s = open_store();
    struct route_budget b[] = {{"all", ROUTE_MONTH, "USD", 100}, {"task:triage", ROUTE_DAY, "USD", 50}, alice};
    assert_int_equal(route_budget_reserve(s, b, 3, 60, NOON, &r, &which, &e), CROFT_E_LIMIT);
    assert_int_equal(which, 1);
    assert_spent(s, &b[0], NOON, 0, 0);
    assert_int_equal(route_budget_reserve(s, b, 3, 50, NOON, &r, &which, &e), 0);
    route_budget_settle(s, &r, 40);
    assert_spent(s, &b[0], NOON, 40, 0);
    assert_spent(s, &b[0], NOON + 5 * 86400, 40, 0); /* the same month */
    assert_spent(s, &b[0], NOON + 15 * 86400, 0, 0);
    assert_spent(s, &b[1], NOON + 86400, 0, 0);
    struct route_budget euro = {"all", ROUTE_MONTH, "EUR", 100};
    assert_spent(s, &euro, NOON, 0, 0);
    route_store_close(s);
}

struct spender {
    struct route_store *s;
    atomic_long paid;
};
static void *spend(void *arg)
{
    struct spender *x = arg;
    struct err e;
    struct route_reservation r;
    uint32_t which;
    struct route_budget b = {"key:k", ROUTE_DAY, "USD", 5000};
    for (int i = 0; i < 5000; i++) {
        if (route_budget_reserve(x->s, &b, 1, 3, NOON, &r, &which, &e)) continue;
        money spent, held;
        route_budget_get(x->s, &b, NOON, &spent, &held);
        assert_true(spent + held <= b.limit);
        int cost = i % 4;
        route_budget_settle(x->s, &r, cost);
        atomic_fetch_add(&x->paid, cost);
    }
    return NULL;
}

static void threads_share_a_budget(void **state)
{
    struct spender x = {.s = open_store()};
    pthread_t t[4];
    struct route_budget b = {"key:k", ROUTE_DAY, "USD", 5000};
    money spent, held;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&t[i], NULL, spend, &x), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    route_budget_get(x.s, &b, NOON, &spent, &held);
    assert_int_equal(spent, atomic_load(&x.paid));
    assert_int_equal(held, 0);
    assert_in_range(spent, 4997, 5000);
    route_store_close(x.s);
}

static void money_survives_restarts(void **state)
{
    struct err e = {0};
    struct route_reservation r;
    uint32_t which;
    int64_t now_s = (int64_t)time(NULL);
    struct route_store *s = open_store();
    assert_int_equal(route_budget_reserve(s, &alice, 1, 700, now_s, &r, &which, &e), 0);
    route_budget_settle(s, &r, 500);
    route_store_close(s);
    s = open_store();
    assert_spent(s, &alice, now_s, 500, 0);
    assert_int_equal(route_budget_reserve(s, &alice, 1, 700, now_s, &r, &which, &e), 0);
    flush(s);
    struct route_store *second = NULL;
    struct route_store_params p = {.dir = dir};
    assert_int_equal(route_store_open(&p, &second, &e), CROFT_E_BUSY);
    route_store_close(s); /* with a call in flight: nobody will ever know what it cost */
    s = open_store();
    assert_spent(s, &alice, now_s, 1200, 0);
    route_store_close(s);
}

/* Money in the books before the kill is there after it, in full. */
static void money_survives_a_kill(void **state)
{
    int64_t now_s = (int64_t)time(NULL);
    atomic_long *settled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(settled != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        struct err e;
        struct route_reservation r;
        uint32_t which;
        struct route_store *s = open_store();
        for (int i = 0; i < 100; i++) {
            if (route_budget_reserve(s, &alice, 1, 10, now_s, &r, &which, &e)) _exit(1);
            route_budget_settle(s, &r, 7);
        }
        if (route_budget_reserve(s, &alice, 1, 10, now_s, &r, &which, &e)) _exit(1); /* in flight */
        if (route_store_flush(s, 30, &e)) _exit(2);
        atomic_store(settled, 700);
        for (;;) pause();
    }
    for (int i = 0; i < 60000 && !atomic_load(settled); i++) usleep(1000);
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    struct route_store *s = open_store();
    assert_spent(s, &alice, now_s, 710, 0);
    route_store_close(s);
    munmap(settled, 4096);
}

static void many_budgets_come_and_go(void **state)
{
    struct err e = {0};
    struct route_reservation r, held;
    uint32_t which;
    struct route_store *s = open_store();
    assert_int_equal(route_budget_reserve(s, &alice, 1, 5, NOON, &held, &which, &e), 0);
    for (int day = 1; day < 20; day++) {
        for (int k = 0; k < 50; k++) {
            struct route_budget b = {.period = ROUTE_DAY, .currency = "USD", .limit = 100};
            snprintf(b.scope, sizeof b.scope, "key:%d", k);
            assert_int_equal(route_budget_reserve(s, &b, 1, 60, NOON + day * 86400, &r, &which, &e), 0);
            route_budget_settle(s, &r, k);
            assert_spent(s, &b, NOON + day * 86400, k, 0);
        }
        flush(s);
    }
    route_budget_settle(s, &held, 5); /* its book was kept */
    assert_spent(s, &alice, NOON, 5, 0);
    route_store_close(s);
}

/* ---- captures ---- */

static int append(void *arg, const char *line, size_t n, struct err *e) { return buf_add(arg, line, n); }

static void captures_are_training_data(void **state)
{
    struct err e = {0};
    struct buf out;
    struct route_store *s = open_store();
    struct route_capture c[] = {
        {"triage", "a \"b\"\n", "refund", ROUTE_OUTPUT_LABEL, "s1", "R1"},
        {"triage", "caf\xc3\xa9", "order", ROUTE_OUTPUT_LABEL, NULL, "R2"},
        {"parse", "x", "{\"b\": 1, \"a\": [true]}", ROUTE_OUTPUT_JSON, NULL, NULL},
        {"parse", "y", "no {JSON", ROUTE_OUTPUT_JSON, NULL, NULL},
        {"reply", "z", "{}", ROUTE_OUTPUT_TEXT, NULL, ""},
        {"triage", "again", "order", ROUTE_OUTPUT_LABEL, NULL, "R2"}, /* delivered twice */
    };
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) assert_int_equal(route_capture_add(s, &c[i], &e), 0);
    flush(s);
    buf_init(&out, 1 << 16);
    assert_int_equal(route_capture_export(s, "triage", NULL, append, &out, &e), 0);
    assert_string_equal(out.data, "{\"input\":\"a \\\"b\\\"\\n\",\"label\":\"refund\"}\n"
                                  "{\"input\":\"caf\xc3\xa9\",\"label\":\"order\"}\n");
    buf_clear(&out);
    assert_int_equal(route_capture_export(s, "parse", NULL, append, &out, &e), 0);
    assert_string_equal(out.data, "{\"input\":\"x\",\"output\":{\"b\":1,\"a\":[true]}}\n"
                                  "{\"input\":\"y\",\"output\":\"no {JSON\"}\n");
    buf_clear(&out);
    assert_int_equal(route_capture_export(s, NULL, "s1", append, &out, &e), 0);
    assert_string_equal(out.data, "{\"input\":\"a \\\"b\\\"\\n\",\"label\":\"refund\"}\n");
    buf_done(&out);
    route_store_close(s);
}

static void the_oldest_captures_go(void **state)
{
    struct err e = {0};
    struct buf out;
    struct route_store *s = open_with((struct route_store_params){.max_capture_bytes = 4000});
    char input[512];
    memset(input, 'x', sizeof input - 1);
    input[511] = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(input, 8, "%03d", i);
        input[3] = 'x';
        struct route_capture c = {"t", input, "o", ROUTE_OUTPUT_TEXT, NULL, NULL};
        assert_int_equal(route_capture_add(s, &c, &e), 0);
    }
    flush(s);
    buf_init(&out, 1 << 16);
    assert_int_equal(route_capture_export(s, NULL, NULL, append, &out, &e), 0);
    assert_in_range(out.len, 2500, 4000);
    assert_null(strstr(out.data, "\"000x"));
    assert_non_null(strstr(out.data, "\"019x"));
    buf_done(&out);
    route_store_close(s);
}

/* ---- deferred ---- */

static int defer(struct route_store *s, const char *receipt, int64_t expires_s)
{
    struct err e = {0};
    struct route_deferred d = {.receipt = receipt,
                               .task = "triage",
                               .key = "alice",
                               .tier = "frontier",
                               .subject = "s1",
                               .request = "{\"a\":1}",
                               .n_request = 7,
                               .expires_s = expires_s};
    return route_deferred_add(s, &d, &e);
}

static void work_is_done_once(void **state)
{
    struct err e = {0};
    struct route_lease a, b;
    struct route_deferred_info i;
    struct route_deferred_counts n;
    int64_t now = (int64_t)time(NULL);
    struct route_store *s = open_store();
    assert_int_equal(defer(s, "R1", 0), 0);
    assert_int_equal(defer(s, "R1", 0), 0); /* said again */
    assert_int_equal(route_deferred_tidy(s, now, &n, &e), 0);
    assert_int_equal(n.waiting, 1);
    assert_int_equal(route_deferred_lease(s, now + 1, 60, &a, &e), 0);
    assert_string_equal(a.receipt, "R1");
    assert_string_equal(a.request, "{\"a\":1}");
    assert_string_equal(a.key, "alice");
    assert_string_equal(a.data_class, "");
    assert_int_equal(a.attempt, 1);
    assert_int_equal(route_deferred_lease(s, now + 60, 60, &b, &e), CROFT_E_NOT_FOUND);
    /* The holder is slow; another takes over with the same key, and is first. */
    assert_int_equal(route_deferred_lease(s, now + 61, 60, &b, &e), 0);
    assert_int_equal(b.attempt, 2);
    assert_string_equal(a.idempotency, b.idempotency);
    assert_int_equal(route_deferred_complete(s, &a, now, 200, "late", 4, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_complete(s, &b, now, 200, "answer", 6, &e), 0);
    assert_int_equal(route_deferred_complete(s, &b, now, 200, "twice", 5, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_fail(s, &a, now, 0, "late", &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_get(s, "R1", &i, &e), 0);
    assert_int_equal(i.state, ROUTE_D_DONE);
    assert_int_equal(i.status, 200);
    assert_string_equal(i.text.data, "answer");
    assert_string_equal(i.key, "alice");
    buf_done(&i.text);
    assert_int_equal(defer(s, "R1", 0), 0); /* and again: it is done */
    assert_int_equal(route_deferred_lease(s, now + 500, 60, &b, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_tidy(s, now + 8 * 86400, &n, &e), 0);
    assert_int_equal(route_deferred_get(s, "R1", &i, &e), CROFT_E_NOT_FOUND);
    route_lease_done(&a);
    route_lease_done(&b);
    route_store_close(s);
}

static void failed_work_waits_or_ends(void **state)
{
    struct err e = {0};
    struct route_lease l;
    struct route_deferred_info i;
    struct route_deferred_counts n;
    int64_t now = (int64_t)time(NULL);
    struct route_store *s = open_with((struct route_store_params){.max_deferred = 3});
    assert_int_equal(defer(s, "R1", 0), 0);
    assert_int_equal(defer(s, "R2", now + 100), 0);
    assert_int_equal(route_deferred_lease(s, now + 1, 60, &l, &e), 0);
    assert_string_equal(l.receipt, "R1"); /* the oldest first */
    assert_int_equal(route_deferred_fail(s, &l, now, now + 50, "timeout", &e), 0);
    route_lease_done(&l);
    assert_int_equal(route_deferred_lease(s, now + 1, 60, &l, &e), 0);
    assert_string_equal(l.receipt, "R2");
    assert_int_equal(route_deferred_fail(s, &l, now, now + 90, "timeout", &e), 0);
    route_lease_done(&l);
    assert_int_equal(route_deferred_lease(s, now + 49, 60, &l, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_tidy(s, now + 10, &n, &e), 0);
    assert_int_equal(n.waiting, 2);
    assert_int_equal(n.next_s, now + 50);
    assert_int_equal(route_deferred_lease(s, now + 50, 60, &l, &e), 0);
    assert_int_equal(l.attempt, 2);
    assert_int_equal(route_deferred_fail(s, &l, now, 0, "refused", &e), 0);
    route_lease_done(&l);
    assert_int_equal(route_deferred_get(s, "R1", &i, &e), 0);
    assert_int_equal(i.state, ROUTE_D_FAILED);
    assert_string_equal(i.text.data, "refused");
    buf_done(&i.text);
    assert_int_equal(route_deferred_lease(s, now + 100, 60, &l, &e), CROFT_E_NOT_FOUND); /* expired */
    assert_int_equal(route_deferred_tidy(s, now + 100, &n, &e), 0);
    assert_int_equal(n.failed, 2);
    assert_int_equal(n.next_s, INT64_MAX);
    assert_int_equal(defer(s, "R3", 0), 0);
    assert_int_equal(defer(s, "R4", 0), CROFT_E_FULL);
    route_store_close(s);
}

/* A process that is killed with the work in its hands: it is delivered again, with the key of the first time. */
static void a_killed_holder_is_followed(void **state)
{
    struct err e = {0};
    int64_t now = (int64_t)time(NULL);
    char(*key)[64] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true((void *)key != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        struct route_lease l;
        struct route_store *s = open_store();
        if (defer(s, "R1", 0) || route_deferred_lease(s, now + 1, 30, &l, &e)) _exit(1);
        memcpy(key[0], l.idempotency, sizeof l.idempotency);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct route_lease l;
    struct route_store *s = open_store();
    assert_int_equal(route_deferred_lease(s, now + 20, 30, &l, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_deferred_lease(s, now + 40, 30, &l, &e), 0);
    assert_string_equal(l.idempotency, key[0]);
    assert_int_equal(l.attempt, 2);
    assert_int_equal(route_deferred_complete(s, &l, now, 200, "x", 1, &e), 0);
    route_lease_done(&l);
    route_store_close(s);
    munmap(key, 4096);
}

/* ---- subjects ---- */

static bool in_files(const char *word)
{
    char command[160];
    snprintf(command, sizeof command, "grep -qra %s %s", word, dir);
    return system(command) == 0;
}

static void what_is_erased_is_in_no_file(void **state)
{
    struct err e = {0};
    struct buf out;
    uint64_t n = 0;
    struct route_store *s = open_store();
    for (int i = 0; i < 50; i++) {
        char input[64], receipt[16];
        snprintf(input, sizeof input, "%s number %d", i % 2 ? "petunia" : "geranium", i);
        snprintf(receipt, sizeof receipt, "C%d", i);
        struct route_capture c = {"t", input, "o", ROUTE_OUTPUT_TEXT, i % 2 ? "s1" : "s2", receipt};
        assert_int_equal(route_capture_add(s, &c, &e), 0);
    }
    flush(s);
    assert_int_equal(defer(s, "R1", 0), 0);
    assert_true(in_files("petunia"));
    buf_init(&out, 1 << 20);
    assert_int_equal(route_subject_export(s, "s1", append, &out, &e), 0);
    int lines = 0;
    for (const char *p = out.data; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 26);
    assert_null(strstr(out.data, "geranium"));
    assert_non_null(strstr(out.data, "\"request\":\"{\\\"a\\\":1}\""));
    /* from another process's view, as `croft receipts erase` does it beside the server */
    struct route_store *beside = open_with((struct route_store_params){.beside = true});
    assert_int_equal(route_subject_erase(beside, "s1", &n, &e), 0);
    assert_int_equal(n, 26);
    route_store_close(beside);
    assert_false(in_files("petunia"));
    assert_true(in_files("geranium"));
    buf_clear(&out);
    assert_int_equal(route_subject_export(s, "s1", append, &out, &e), 0);
    assert_int_equal(out.len, 0);
    buf_done(&out);
    /* what is queued goes too */
    struct route_capture c = {"t", "petunia", "o", ROUTE_OUTPUT_TEXT, "s1", "C99"};
    assert_int_equal(route_capture_add(s, &c, &e), 0);
    assert_int_equal(route_subject_erase(s, "s1", &n, &e), 0);
    assert_int_equal(n, 1);
    route_store_close(s);
    assert_false(in_files("petunia"));
}

static int open_and_use(int64_t now_s, uint64_t *erased)
{
    struct err e = {0};
    struct route_store *s = NULL;
    struct route_store_params p = {.dir = dir};
    struct route_reservation r = {.n = 0};
    struct route_lease l = {.id = 0};
    struct buf out;
    uint32_t which;
    struct route_capture c = {"t", "in", "{\"a\":1}", ROUTE_OUTPUT_JSON, "s1", NULL};
    buf_init(&out, 1 << 16);
    int rc = route_store_open(&p, &s, &e);
    if (rc == 0) rc = route_budget_reserve(s, &alice, 1, 5, NOON, &r, &which, &e);
    if (rc == 0) route_budget_settle(s, &r, 5);
    if (rc == 0) rc = route_capture_add(s, &c, &e);
    if (rc == 0) rc = defer(s, "R1", 0);
    if (rc == 0) rc = route_deferred_lease(s, now_s, 1, &l, &e);
    if (rc == 0) rc = route_subject_export(s, "s1", append, &out, &e);
    if (rc == 0) rc = route_subject_erase(s, "s1", erased, &e);
    route_lease_done(&l);
    route_store_close(s);
    buf_done(&out);
    return rc;
}

static void memory_may_fail_at_any_call(void **state)
{
    uint64_t erased = 0;
    int rc = CROFT_E_NOMEM;
    for (long n = 1; rc; n++) {
        assert_true(n < 100);
        mem_fail_nth(n);
        rc = open_and_use((int64_t)time(NULL) + 1000 * n, &erased); /* leases of earlier rounds are over */
        mem_fail_nth(0);
        if (rc && rc != CROFT_E_NOMEM && rc != CROFT_E_LIMIT) fail_msg("%ld: %d", n, rc);
    }
    assert_true(erased > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, sweep)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_limit_is_kept),
        TEST(all_budgets_or_none),
        TEST(threads_share_a_budget),
        TEST(money_survives_restarts),
        TEST(money_survives_a_kill),
        TEST(many_budgets_come_and_go),
        TEST(captures_are_training_data),
        TEST(the_oldest_captures_go),
        TEST(work_is_done_once),
        TEST(failed_work_waits_or_ends),
        TEST(a_killed_holder_is_followed),
        TEST(what_is_erased_is_in_no_file),
        TEST(memory_may_fail_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
