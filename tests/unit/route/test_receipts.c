/* The receipts' log: what is written can be verified by a program that knows the format alone; every kind of
 * tampering is found and named; a crash loses the last group at most and says how many; nothing leaves without a
 * place. */
#include "base_mem.h"
#include "base_str.h"
#include "receipt_private.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];

static int fresh(void **state)
{
    snprintf(dir, sizeof dir, "/dev/shm/croft-receipts-XXXXXX"); /* where fsync costs nothing, if there is one */
    if (mkdtemp(dir)) return 0;
    snprintf(dir, sizeof dir, "/tmp/croft-receipts-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int sweep(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void fill(struct route_receipt *r, int i)
{
    route_receipt_begin(r);
    snprintf(r->request, sizeof r->request, "req-%d", i);
    snprintf(r->task, sizeof r->task, "%s", i % 2 ? "triage" : "reply");
    snprintf(r->tier, sizeof r->tier, "%s", i % 5 ? "here" : "frontier");
    snprintf(r->model, sizeof r->model, "caf\xc3\xa9-\"quoted\"\\\n%d", i);
    snprintf(r->key, sizeof r->key, "alice");
    r->place = i % 5 ? ROUTE_DEVICE : ROUTE_CLOUD;
    r->has_confidence = true;
    r->confidence = 0.5 + i / 100.0;
    r->reason = i % 5 ? ROUTE_R_CONFIDENT : ROUTE_R_LOW_CONFIDENCE;
    r->prompt_tokens = 10 + (uint64_t)i;
    r->answer_tokens = 3;
    r->latency_ms = 12.5;
    r->status = 200;
    if (i % 5) return;
    route_receipt_step(r, ROUTE_R_LOW_CONFIDENCE);
    route_receipt_left(r, "frontier", ROUTE_CLOUD, "api.example.com", "what was sent", 13);
    r->redacted[ROUTE_PII_EMAIL] = 2;
    r->redacted[ROUTE_PII_CARD] = 1;
    r->cost = 42000000;
    snprintf(r->currency, sizeof r->currency, "USD");
}

static struct route_receipts *open_log(uint32_t queue, enum route_receipts_policy policy)
{
    struct err e = {0};
    struct route_receipts *log = NULL;
    struct route_receipts_params p = {
        .dir = dir, .queue = queue, .policy = policy, .group_ms = 1, .checkpoint_every = 10};
    if (route_receipts_open(&p, &log, &e)) fail_msg("%s", e.msg);
    return log;
}

static void add(struct route_receipts *log, int from, int n)
{
    struct err e = {0};
    struct route_receipt r;
    for (int i = from; i < from + n; i++) {
        fill(&r, i);
        assert_int_equal(route_receipts_add(log, &r, &e), 0);
    }
    if (route_receipts_flush(log, 30, &e)) fail_msg("%s", e.msg);
}

/* 33 receipts; checkpoints at 10, 20, 30 and, by closing, 33. */
static void make_log(void)
{
    struct err e = {0};
    struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    for (int i = 0; i < 30; i += 10) add(log, i + 1, 10);
    add(log, 31, 3);
    assert_int_equal(route_receipts_close(log, &e), 0);
}

static sqlite3 *raw(void)
{
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/receipts.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void raw_exec(const char *sql)
{
    char *why = NULL;
    sqlite3 *db = raw();
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static void unlock(void)
{
    raw_exec("DROP TRIGGER receipt_append; DROP TRIGGER receipt_change; DROP TRIGGER receipt_remove; "
             "DROP TRIGGER checkpoint_append; DROP TRIGGER checkpoint_change; DROP TRIGGER checkpoint_remove");
}

/* An attacker who knows the format: hashes of places from … to, computed from what stands there. */
static void rehash(int from, int to)
{
    sqlite3 *db = raw();
    for (int i = from; i <= to; i++) {
        unsigned char md[32];
        sqlite3_stmt *st;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_int_equal(sqlite3_prepare_v2(db,
                                            "SELECT b.hash, a.body FROM receipt a, receipt b WHERE a.seq = ? "
                                            "AND b.seq = a.seq - 1",
                                            -1, &st, NULL),
                         SQLITE_OK);
        sqlite3_bind_int(st, 1, i);
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
        EVP_DigestUpdate(ctx, sqlite3_column_blob(st, 0), 32);
        EVP_DigestUpdate(ctx, sqlite3_column_text(st, 1), (size_t)sqlite3_column_bytes(st, 1));
        EVP_DigestFinal_ex(ctx, md, NULL);
        EVP_MD_CTX_free(ctx);
        sqlite3_finalize(st);
        sqlite3_prepare_v2(db, "UPDATE receipt SET hash = ? WHERE seq = ?", -1, &st, NULL);
        sqlite3_bind_blob(st, 1, md, 32, SQLITE_STATIC);
        sqlite3_bind_int(st, 2, i);
        assert_int_equal(sqlite3_step(st), SQLITE_DONE);
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
}

static struct route_finding found[64];
static int n_found;
static void collect(void *arg, const struct route_finding *f)
{
    if (n_found < 64) found[n_found++] = *f;
}
static struct route_verdict verify(const char *pub, const char *anchors)
{
    struct err e = {0};
    struct route_verdict v;
    struct route_verify_params p = {.dir = dir, .pub_path = pub, .anchors = anchors, .finding = collect};
    n_found = 0;
    if (route_receipts_verify(&p, &v, &e)) fail_msg("%s", e.msg);
    assert_int_equal(v.n_findings, n_found);
    return v;
}
static void assert_found(const char *what, int i, enum route_finding_kind kind, uint64_t from, uint64_t to)
{
    if (i >= n_found || found[i].kind != kind || found[i].from != from || found[i].to != to) {
        for (int k = 0; k < n_found; k++)
            print_message("  %s %llu-%llu: %s\n", route_finding_word(found[k].kind),
                          (unsigned long long)found[k].from, (unsigned long long)found[k].to, found[k].text);
        fail_msg("%s: finding %d is not %s %llu-%llu", what, i, route_finding_word(kind), (unsigned long long)from,
                 (unsigned long long)to);
    }
}

/* What the second verifier prints, or "" when it refuses. */
static void second_opinion(char out[256])
{
    char command[160];
    snprintf(command, sizeof command, "python3 tests/unit/route/verify_receipts.py %s 2>&1", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, 255, f);
    out[n] = 0;
    if (pclose(f)) {
        print_message("%s", out);
        out[0] = 0;
    }
}

/* ---- writing ---- */

static void the_text_is_canonical(void **state)
{
    struct route_receipt r;
    struct buf b;
    fill(&r, 5);
    r.time_ms = 1763743332123;
    snprintf(r.id, sizeof r.id, "01KAKEEXAMPLE0000000000000");
    snprintf(r.rule, sizeof r.rule, "bad\xff");
    r.confidence = 0.1;
    r.latency_ms = 0.0004;
    r.degraded = true;
    buf_init(&b, 1 << 16);
    route_receipt_json(&r, 7, 2, &b);
    /* SHA-256 of "what was sent" by sha256sum; the form by Python's json.dumps(sort_keys=True, separators=(",", ":"))
     */
    assert_string_equal(
        b.data,
        "{\"answer_tokens\":3,\"confidence\":0.1,\"cost\":\"0.042\",\"currency\":\"USD\",\"degraded\":true,"
        "\"id\":\"01KAKEEXAMPLE0000000000000\",\"key\":\"alice\",\"latency_ms\":0,\"left\":[{\"bytes\":13,"
        "\"host\":\"api.example.com\",\"place\":\"cloud\",\"sha256\":"
        "\"8163a7d71b91347a1efe60413e773743993d7e660826c0ab7cb77a7715d37824\",\"tier\":\"frontier\",\"times\":1}],"
        "\"lost\":2,\"model\":\"caf\xc3\xa9-\\\"quoted\\\"\\\\\\n5\",\"place\":\"cloud\",\"prompt_tokens\":15,"
        "\"reason\":\"low_confidence\",\"redacted\":{\"card\":1,\"email\":2},\"request\":\"req-5\",\"rule\":\"bad?\","
        "\"seq\":7,\"status\":200,\"steps\":[\"low_confidence\"],\"task\":\"triage\",\"tier\":\"frontier\","
        "\"time\":\"2025-11-21T16:42:12.123Z\"}");
    buf_done(&b);
}

static void the_longest_receipt_fits(void **state)
{
    struct route_receipt r;
    struct buf b;
    memset(&r, 1, sizeof r); /* every character of every text is a control character: six bytes each */
    char *texts[] = {r.id,           r.parent, r.request,    r.task, r.endpoint, r.tier,    r.model,
                     r.model_digest, r.rule,   r.data_class, r.key,  r.subject,  r.currency};
    size_t sizes[] = {sizeof r.id,   sizeof r.parent,  sizeof r.request,      sizeof r.task, sizeof r.endpoint,
                      sizeof r.tier, sizeof r.model,   sizeof r.model_digest, sizeof r.rule, sizeof r.data_class,
                      sizeof r.key,  sizeof r.subject, sizeof r.currency};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) texts[i][sizes[i] - 1] = 0;
    r.n_left = ROUTE_MAX_LEFT;
    for (int i = 0; i < ROUTE_MAX_LEFT; i++) {
        r.left[i].tier[sizeof r.left[i].tier - 1] = r.left[i].host[sizeof r.left[i].host - 1] = 0;
        r.left[i].place = ROUTE_CLOUD;
    }
    r.n_steps = ROUTE_MAX_STEPS;
    r.reason = ROUTE_R_OUT_OF_SCOPE;
    r.place = ROUTE_PREMISES;
    r.confidence = NAN;
    r.latency_ms = INFINITY;
    r.time_ms = INT64_MAX / 1000000;
    buf_init(&b, ROUTE_BODY_MAX);
    route_receipt_json(&r, UINT64_MAX, UINT64_MAX, &b);
    assert_int_equal(b.failed, 0);
    assert_true(utf8_valid(b.data, b.len));
    buf_done(&b);
}

static void retries_count_up(void **state)
{
    struct route_receipt r;
    route_receipt_begin(&r);
    for (int i = 0; i < 3; i++) route_receipt_left(&r, "a", ROUTE_CLOUD, "h", "same", 4);
    assert_int_equal(r.n_left, 1);
    assert_int_equal(r.left[0].times, 3);
    for (int i = 0; i < ROUTE_MAX_LEFT + 2; i++) route_receipt_left(&r, "a", ROUTE_CLOUD, "h", &i, sizeof i);
    assert_int_equal(r.n_left, ROUTE_MAX_LEFT);
    assert_int_equal(r.left_more, 3);
}

static void ids_differ_and_sort(void **state)
{
    struct route_receipt a, b;
    route_receipt_begin(&a);
    assert_int_equal(strlen(a.id), 26);
    for (int i = 0; i < 1000; i++, a = b) {
        route_receipt_begin(&b);
        assert_true(strcmp(a.id, b.id) < 0);
    }
}

static int count(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    ++*(int *)arg;
    return 0;
}
static int count_of(struct route_receipt_filter f)
{
    struct err e = {0};
    int n = 0;
    if (route_receipts_each(dir, &f, count, &n, &e)) fail_msg("%s", e.msg);
    return n;
}

static void a_whole_log_is_whole(void **state)
{
    char said[256], hex[65];
    struct stat st;
    char path[96];
    make_log();
    struct route_verdict v = verify(NULL, NULL);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.n, 33);
    assert_int_equal(v.n_checkpoints, 4);
    assert_int_equal(v.signed_to, 33);
    second_opinion(said);
    sqlite3 *db = raw();
    sqlite3_stmt *st2;
    sqlite3_prepare_v2(db, "SELECT hash FROM receipt WHERE seq = 33", -1, &st2, NULL);
    assert_int_equal(sqlite3_step(st2), SQLITE_ROW);
    route_hex(sqlite3_column_blob(st2, 0), 32, hex);
    sqlite3_finalize(st2);
    sqlite3_close(db);
    assert_true(strncmp(said, "33 ", 3) == 0 && strncmp(said + 3, hex, 64) == 0);
    snprintf(path, sizeof path, "%s/receipts.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/receipts.db", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void receipts_are_found(void **state)
{
    make_log();
    assert_int_equal(count_of((struct route_receipt_filter){.task = "triage"}), 17);
    assert_int_equal(count_of((struct route_receipt_filter){.tier = "frontier"}), 6);
    assert_int_equal(count_of((struct route_receipt_filter){.left = true, .reason = "low_confidence"}), 6);
    assert_int_equal(count_of((struct route_receipt_filter){.key = "alice", .status = 200, .place = "device"}), 27);
    assert_int_equal(count_of((struct route_receipt_filter){.since = "2020", .until = "2021"}), 0);
    assert_int_equal(count_of((struct route_receipt_filter){.since = "2020", .limit = 5, .newest = true}), 5);
    assert_int_equal(count_of((struct route_receipt_filter){.key = "' OR 1 --"}), 0);
}

static void a_log_goes_on(void **state)
{
    struct err e = {0};
    struct route_receipts *other = NULL;
    char said[256];
    make_log();
    struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    struct route_receipts_params p = {.dir = dir};
    assert_int_equal(route_receipts_open(&p, &other, &e), CROFT_E_BUSY);
    add(log, 34, 5);
    assert_int_equal(verify(NULL, NULL).signed_to, 33); /* a reader beside the writer; five are not signed yet */
    assert_int_equal(route_receipts_close(log, &e), 0);
    struct route_verdict v = verify(NULL, NULL);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.n, 38);
    assert_int_equal(v.lost, 0);
    second_opinion(said);
    assert_true(strncmp(said, "38 ", 3) == 0);
}

/* ---- tampering ---- */

static void triggers_refuse(void **state)
{
    static const char *const refused[] = {
        "UPDATE receipt SET body = '{}' WHERE seq = 5",
        "DELETE FROM receipt WHERE seq = 5",
        "DELETE FROM receipt",
        "INSERT INTO receipt(seq, body, hash) VALUES(40, '{\"id\":\"x\"}', x'00')",
        "INSERT OR REPLACE INTO receipt(seq, body, hash) VALUES(5, '{\"id\":\"x\"}', x'00')",
        "UPDATE checkpoint SET seq = 1",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint VALUES(1, 1, '', x'00')",
    };
    make_log();
    sqlite3 *db = raw();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (sqlite3_exec(db, refused[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT) fail_msg("%s", refused[i]);
    sqlite3_close(db);
    assert_int_equal(verify(NULL, NULL).n_findings, 0);
}

#define ALTER(seq) "UPDATE receipt SET body = replace(body, '\"status\":200', '\"status\":503') WHERE seq = " #seq
#define SHIFT(from, by)                                                                                              \
    "UPDATE receipt SET seq = -seq WHERE seq >= " #from "; UPDATE receipt SET seq = -seq + " #by " WHERE seq < 0"
#define FORGE                                                                                                        \
    "INSERT INTO receipt(seq, body, hash) SELECT 15, replace(replace(body, '\"id\":\"0', '\"id\":\"X'), "            \
    "'\"seq\":14', '\"seq\":15'), hash FROM receipt WHERE seq = 14"
static const struct tampering {
    const char *name, *sql;
    int rehash_from, rehash_to;
    int n;
    struct {
        enum route_finding_kind kind;
        uint64_t from, to;
    } want[3];
} tampered[] = {
    {"a text", ALTER(15), 0, 0, 1, {{ROUTE_FOUND_ALTERED, 15, 15}}},
    {"the first text", ALTER(1), 0, 0, 1, {{ROUTE_FOUND_ALTERED, 1, 1}}},
    {"the last text", ALTER(33), 0, 0, 1, {{ROUTE_FOUND_ALTERED, 33, 33}}},
    {"two texts", ALTER(15) ";" ALTER(25), 0, 0, 2, {{ROUTE_FOUND_ALTERED, 15, 15}, {ROUTE_FOUND_ALTERED, 25, 25}}},
    {"a text made empty", "UPDATE receipt SET body = '{}' WHERE seq = 15", 0, 0, 1, {{ROUTE_FOUND_ALTERED, 15, 15}}},
    {"a hash", "UPDATE receipt SET hash = zeroblob(32) WHERE seq = 15", 0, 0, 1, {{ROUTE_FOUND_ALTERED, 15, 16}}},
    {"a text and its hash", ALTER(15), 15, 15, 1, {{ROUTE_FOUND_ALTERED, 16, 16}}},
    {"a text and all hashes behind", ALTER(15), 15, 33, 1, {{ROUTE_FOUND_REWRITTEN, 11, 33}}},
    {"a text and the hashes up to the checkpoint",
     ALTER(15),
     15,
     20,
     2,
     {{ROUTE_FOUND_REWRITTEN, 11, 20}, {ROUTE_FOUND_ALTERED, 21, 21}}},
    {"one gone", "DELETE FROM receipt WHERE seq = 15", 0, 0, 1, {{ROUTE_FOUND_DROPPED, 15, 15}}},
    {"the first gone", "DELETE FROM receipt WHERE seq = 1", 0, 0, 1, {{ROUTE_FOUND_DROPPED, 1, 1}}},
    {"a checkpoint's own gone",
     "DELETE FROM receipt WHERE seq BETWEEN 19 AND 21",
     0,
     0,
     1,
     {{ROUTE_FOUND_DROPPED, 19, 21}}},
    {"one gone, the others moved up",
     "DELETE FROM receipt WHERE seq = 15;" SHIFT(16, -1),
     0,
     0,
     1,
     {{ROUTE_FOUND_DROPPED, 15, 15}}},
    {"three gone, moved up, hashed anew",
     "DELETE FROM receipt WHERE seq BETWEEN 15 AND 17;" SHIFT(18, -3),
     15,
     30,
     1,
     {{ROUTE_FOUND_DROPPED, 15, 17}}},
    {"two change places",
     "UPDATE receipt SET seq = -15 WHERE seq = 15; UPDATE receipt SET seq = 15 WHERE seq = 16;"
     "UPDATE receipt SET seq = 16 WHERE seq = -15",
     0,
     0,
     1,
     {{ROUTE_FOUND_MOVED, 15, 16}}},
    {"distant ones change places",
     "UPDATE receipt SET seq = -5 WHERE seq = 5; UPDATE receipt SET seq = 5 WHERE seq = 25;"
     "UPDATE receipt SET seq = 25 WHERE seq = -5",
     0,
     0,
     2,
     {{ROUTE_FOUND_MOVED, 5, 5}, {ROUTE_FOUND_MOVED, 25, 25}}},
    {"one put in", SHIFT(15, 1) ";" FORGE, 0, 0, 2, {{ROUTE_FOUND_ALTERED, 15, 15}, {ROUTE_FOUND_INSERTED, 15, 15}}},
    {"one put in, with its hash", SHIFT(15, 1) ";" FORGE, 15, 15, 1, {{ROUTE_FOUND_INSERTED, 15, 15}}},
    {"one put in, all hashed anew", SHIFT(15, 1) ";" FORGE, 15, 34, 1, {{ROUTE_FOUND_INSERTED, 15, 15}}},
    {"one before the beginning",
     "INSERT INTO receipt(seq, body, hash) SELECT -3, replace(body, '\"id\":\"0', '\"id\":\"X'), hash FROM receipt "
     "WHERE seq = 3",
     0,
     0,
     1,
     {{ROUTE_FOUND_INSERTED, (uint64_t)-3, (uint64_t)-3}}},
    {"the end cut off", "DELETE FROM receipt WHERE seq > 25", 0, 0, 1, {{ROUTE_FOUND_TRUNCATED, 26, 33}}},
    {"all gone", "DELETE FROM receipt", 0, 0, 1, {{ROUTE_FOUND_TRUNCATED, 1, 33}}},
    {"the beginning cut off",
     "DELETE FROM receipt WHERE seq <= 10; UPDATE log SET first = 11",
     0,
     0,
     2,
     {{ROUTE_FOUND_TRUNCATED, 1, 10}, {ROUTE_FOUND_DROPPED, 1, 10}}},
    {"a checkpoint gone", "DELETE FROM checkpoint WHERE n = 2", 0, 0, 1, {{ROUTE_FOUND_CHECKPOINT, 2, 2}}},
    {"a checkpoint's text",
     "UPDATE checkpoint SET body = replace(body, 'count', 'close') WHERE n = 2",
     0,
     0,
     1,
     {{ROUTE_FOUND_CHECKPOINT, 2, 2}}},
    {"a checkpoint's number",
     "UPDATE checkpoint SET seq = 19 WHERE n = 2",
     0,
     0,
     1,
     {{ROUTE_FOUND_CHECKPOINT, 2, 2}}},
    {"a signature",
     "UPDATE checkpoint SET signature = zeroblob(64) WHERE n = 4",
     0,
     0,
     1,
     {{ROUTE_FOUND_CHECKPOINT, 4, 4}}},
    {"checkpoints renumbered",
     "DELETE FROM checkpoint WHERE n = 2; UPDATE checkpoint SET n = n - 1 WHERE n > 2",
     0,
     0,
     2,
     {{ROUTE_FOUND_CHECKPOINT, 2, 2}, {ROUTE_FOUND_CHECKPOINT, 3, 3}}},
    {"another log's name", "UPDATE log SET id = lower(hex(zeroblob(16)))", 0, 0, 5, {{ROUTE_FOUND_CHECKPOINT, 1, 1}}},
};

static void tampering_is_found(void **state)
{
    char said[256];
    for (size_t i = 0; i < sizeof tampered / sizeof tampered[0]; i++) {
        const struct tampering *t = &tampered[i];
        if (i) assert_int_equal(fresh(state), 0);
        make_log();
        unlock();
        raw_exec(t->sql);
        if (t->rehash_from) rehash(t->rehash_from, t->rehash_to);
        verify(NULL, NULL);
        for (int k = 0; k < t->n && k < 3 && t->want[k].from; k++)
            assert_found(t->name, k, t->want[k].kind, t->want[k].from, t->want[k].to);
        if (n_found != t->n) {
            assert_found(t->name, n_found, ROUTE_FOUND_ANCHOR, 0, 0);
        }
        second_opinion(said);
        if (said[0]) fail_msg("%s: the second verifier sees nothing", t->name);
        if (i + 1 < sizeof tampered / sizeof tampered[0]) sweep(state);
    }
}

static int keep_anchor(void *arg, const struct route_checkpoint *c, struct err *e)
{
    struct buf line;
    FILE *f = fopen(arg, "a");
    assert_non_null(f);
    buf_init(&line, 1 << 16);
    route_anchor_line(c->signature, c->body, &line);
    fwrite(line.data, 1, line.len, f);
    buf_done(&line);
    fclose(f);
    return 0;
}

/* Cutting off receipts together with their checkpoints leaves a log that is whole; who kept an anchor knows better.
 */
static void anchors_know_the_end(void **state)
{
    struct err e = {0};
    char anchors[96];
    snprintf(anchors, sizeof anchors, "%s/anchors", dir);
    make_log();
    assert_int_equal(route_checkpoints_each(dir, keep_anchor, anchors, &e), 0);
    assert_int_equal(verify(NULL, anchors).n_anchors, 4);
    assert_int_equal(n_found, 0);
    unlock();
    raw_exec("DELETE FROM receipt WHERE seq > 20; DELETE FROM checkpoint WHERE n > 2");
    assert_int_equal(verify(NULL, NULL).n_findings, 0);
    verify(NULL, anchors);
    assert_int_equal(n_found, 1);
    assert_found("cut", 0, ROUTE_FOUND_TRUNCATED, 21, 33);
    sweep(state);
    char old[64];
    snprintf(old, sizeof old, "%s", dir);
    assert_int_equal(fresh(state), 0);
    make_log();
    snprintf(anchors, sizeof anchors, "%s/other", dir);
    FILE *f = fopen(anchors, "w");
    fputs("{\"signature\":\"00\"}\n", f);
    fclose(f);
    verify(NULL, anchors);
    assert_found("no anchor", 0, ROUTE_FOUND_ANCHOR, 1, 1);
}

/* Who has the key, or puts his own key there, can write history; the public key that was kept elsewhere, or an
 * anchor, tells. */
static void another_key_is_found(void **state)
{
    struct err e = {0};
    char command[512], kept[96], anchors[96];
    snprintf(kept, sizeof kept, "%s/kept.pub", dir);
    snprintf(anchors, sizeof anchors, "%s/anchors", dir);
    make_log();
    assert_int_equal(route_checkpoints_each(dir, keep_anchor, anchors, &e), 0);
    snprintf(command, sizeof command,
             "cd %s && mv receipts.pub kept.pub && rm receipts.key && "
             "sqlite3 receipts.db 'DROP TRIGGER checkpoint_remove; DELETE FROM checkpoint' && chmod 600 kept.pub",
             dir);
    assert_int_equal(system(command), 0);
    struct route_receipts *log = open_log(0, ROUTE_RECEIPTS_CLOSED_LEAVING); /* signs all of it with a new key */
    assert_int_equal(route_receipts_close(log, &e), 0);
    assert_int_equal(verify(NULL, NULL).n_findings, 0);
    verify(kept, NULL);
    assert_found("another key", 0, ROUTE_FOUND_CHECKPOINT, 1, 1);
    verify(NULL, anchors);
    assert_int_equal(found[0].kind, ROUTE_FOUND_ANCHOR);
}

static void a_damaged_log_is_not_continued(void **state)
{
    struct err e = {0};
    struct route_receipts *log = NULL;
    struct route_receipts_params p = {.dir = dir};
    static const char *const damage[] = {
        "DELETE FROM checkpoint WHERE n = 4;" ALTER(32), "DELETE FROM receipt WHERE seq > 31",
        "UPDATE checkpoint SET signature = zeroblob(64)", "UPDATE log SET first = 5"};
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        if (i) assert_int_equal(fresh(state), 0);
        make_log();
        unlock();
        raw_exec(damage[i]);
        assert_int_equal(route_receipts_open(&p, &log, &e), CROFT_E_DIGEST);
        if (i < 3) sweep(state);
    }
}

/* Bytes of the file turned at random: whatever SQLite makes of them, nothing crashes. */
static void damaged_files_are_survived(void **state)
{
    char path[96], *whole = NULL;
    struct err e = {0};
    size_t n;
    uint32_t random = 1;
    int n_refused = 0, n_seen = 0, total = 0;
    make_log();
    snprintf(path, sizeof path, "%s/receipts.db", dir);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    n = (size_t)ftell(f);
    rewind(f);
    whole = mem_alloc(n);
    assert_int_equal(fread(whole, 1, n, f), n);
    fclose(f);
    for (int round = 0; round < 150; round++) {
        f = fopen(path, "wb");
        assert_int_equal(fwrite(whole, 1, n, f), n);
        for (int i = 0; i < 1 + round % 20; i++) {
            random = random * 1664525 + 1013904223;
            fseek(f, (long)(random % n), SEEK_SET);
            fputc((int)(random >> 24), f);
        }
        fclose(f);
        struct route_verdict v;
        struct route_verify_params p = {.dir = dir};
        struct route_receipt_filter any = {.task = "triage"};
        int rc = route_receipts_verify(&p, &v, &e);
        n_refused += rc != 0;
        n_seen += rc == 0 && v.n_findings;
        if (route_receipts_each(dir, &any, count, &total, &e)) total++;
    }
    assert_true(n_refused > 10);
    assert_true(n_seen > 10);
    mem_free(whole);
}

/* ---- pruning ---- */

static void pruned_logs_verify(void **state)
{
    struct err e = {0};
    char said[256], anchors[96];
    uint64_t n = 0;
    struct route_receipt r;
    snprintf(anchors, sizeof anchors, "%s/anchors", dir);
    struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    for (int i = 1; i <= 40; i++) {
        fill(&r, i);
        if (i <= 25) r.time_ms -= 86400000;
        assert_int_equal(route_receipts_add(log, &r, &e), 0);
        if (i % 10 == 0) assert_int_equal(route_receipts_flush(log, 30, &e), 0);
    }
    assert_int_equal(route_checkpoints_each(dir, keep_anchor, anchors, &e), 0);
    assert_int_equal(route_receipts_prune(log, r.time_ms - 3600000, &n, &e), 0);
    assert_int_equal(n, 20); /* 25 are old enough; the checkpoint is behind 20 */
    add(log, 41, 3);
    assert_int_equal(route_receipts_close(log, &e), 0);
    struct route_verdict v = verify(NULL, anchors);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.first, 21);
    assert_int_equal(v.last, 43);
    assert_int_equal(v.n_anchors, 3); /* at 20, which the log's base is, 30 and 40 */
    assert_int_equal(v.n_anchors_old, 1);
    second_opinion(said);
    assert_true(strncmp(said, "23 ", 3) == 0);
    /* Everything may be pruned, and the log goes on where it was. */
    log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    assert_int_equal(route_receipts_prune(log, r.time_ms + 86400000, &n, &e), 0);
    assert_int_equal(n, 23);
    assert_int_equal(route_receipts_close(log, &e), 0);
    log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    add(log, 44, 2);
    assert_int_equal(route_receipts_close(log, &e), 0);
    v = verify(NULL, NULL);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.first, 44);
    assert_int_equal(v.last, 45);
    /* An old beginning that is cut off without the key is no pruning. */
    unlock();
    raw_exec("DELETE FROM receipt WHERE seq = 44; UPDATE log SET first = 45");
    assert_true(verify(NULL, NULL).n_findings > 0);
}

/* A server prunes and anchors by itself. */
static void a_log_keeps_itself(void **state)
{
    struct err e = {0};
    char anchors[96];
    struct route_receipt r;
    struct route_receipts *log = NULL;
    snprintf(anchors, sizeof anchors, "%s/anchors", dir);
    struct route_receipts_params p = {.dir = dir, .anchor_path = anchors, .group_ms = 1, .checkpoint_every = 10};
    for (int day = 3; day >= 0; day -= 3) {
        p.keep_days = day ? 0 : 1; /* what is old already is pruned when the log is opened */
        assert_int_equal(route_receipts_open(&p, &log, &e), 0);
        for (int i = 0; i < 15; i++) {
            fill(&r, i);
            r.time_ms -= day * (int64_t)86400000;
            assert_int_equal(route_receipts_add(log, &r, &e), 0);
        }
        assert_int_equal(route_receipts_flush(log, 30, &e), 0);
        for (int i = 0; i < 100 && !day && verify(NULL, NULL).first == 1; i++) usleep(20000);
        assert_int_equal(route_receipts_close(log, &e), 0);
    }
    struct route_verdict v = verify(NULL, anchors);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.first, 16);
    assert_int_equal(v.last, 30);
    assert_true(v.n_anchors >= 2);
}

/* ---- crashes and full queues ---- */

struct shared {
    atomic_uint_fast64_t calls; /* of add that have returned */
    atomic_bool written;        /* some of them are on disk */
};

static void write_until_killed(struct shared *s)
{
    struct route_receipts_params p = {.dir = dir, .queue = 256, .checkpoint_every = 100, .group_ms = 5};
    struct route_receipts *log;
    struct route_receipt r;
    struct err e;
    if (route_receipts_open(&p, &log, &e)) _exit(1);
    for (int i = 0;; i++) {
        fill(&r, i);
        int rc = route_receipts_add(log, &r, &e); /* BUSY is counted too, as lost */
        if (rc && rc != CROFT_E_BUSY) _exit(2);
        atomic_fetch_add(&s->calls, 1);
        if (i == 100) {
            if (route_receipts_flush(log, 60, &e)) _exit(3);
            atomic_store(&s->written, true);
        }
        if (i % 50 == 0) usleep(1000);
    }
}

static void a_killed_writer_says_how_many(void **state)
{
    struct err e = {0};
    struct route_receipts_stats st;
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t before = 0;
    assert_true(s != MAP_FAILED);
    for (int round = 0; round < 5; round++) {
        int status;
        atomic_store(&s->written, false);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_until_killed(s);
        for (int i = 0; i < 60000 && !atomic_load(&s->written); i++) usleep(1000);
        usleep(20000 + 7000 * (unsigned)round);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
        route_receipts_stats(log, &st);
        uint64_t calls = atomic_load(&s->calls);
        assert_in_range(st.seq + st.lost, calls, calls + 1); /* + 1: killed before it could say so */
        assert_true(st.seq > before);
        before = st.seq;
        atomic_store(&s->calls, st.seq + st.lost);
        assert_int_equal(route_receipts_close(log, &e), 0);
        assert_int_equal(verify(NULL, NULL).n_findings, 0);
    }
    struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    add(log, 1, 1);
    assert_int_equal(route_receipts_close(log, &e), 0);
    assert_int_equal(verify(NULL, NULL).lost, st.lost); /* the next receipt says it, chained and signed */
    munmap(s, 4096);
}

static void nothing_leaves_without_a_place(void **state)
{
    struct err e = {0};
    struct route_receipt r, out;
    struct route_receipts_stats st;
    struct route_receipts *log = open_log(4, ROUTE_RECEIPTS_CLOSED_LEAVING);
    sqlite3 *other = raw();
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK); /* the disk stands still */
    fill(&out, 5);
    assert_int_equal(route_receipts_reserve(log, &out, true, &e), 0);
    for (int i = 0; i < 3; i++) {
        fill(&r, 1);
        assert_int_equal(route_receipts_reserve(log, &r, false, &e), 0);
        assert_true(r.reserved);
        assert_int_equal(route_receipts_add(log, &r, &e), 0);
    }
    fill(&r, 5);
    assert_int_equal(route_receipts_reserve(log, &r, true, &e), CROFT_E_BUSY); /* full: nothing may leave */
    assert_int_equal(route_receipts_add(log, &r, &e), CROFT_E_BUSY);
    fill(&r, 1);
    assert_int_equal(route_receipts_reserve(log, &r, false, &e), 0); /* answers from here go on */
    assert_int_equal(route_receipts_add(log, &r, &e), 0);
    assert_int_equal(route_receipts_add(log, &out, &e), 0); /* the place was kept */
    route_receipts_stats(log, &st);
    assert_int_equal(st.seq, 4);
    assert_int_equal(st.lost, 2);
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(other);
    assert_int_equal(route_receipts_flush(log, 30, &e), 0);
    fill(&r, 1);
    assert_int_equal(route_receipts_reserve(log, &r, true, &e), 0);
    route_receipts_release(log, &r);
    route_receipts_release(log, &r);
    route_receipts_stats(log, &st);
    assert_int_equal(st.reserved, 0);
    assert_int_equal(route_receipts_close(log, &e), 0);

    log = open_log(1, ROUTE_RECEIPTS_CLOSED);
    fill(&out, 1);
    assert_int_equal(route_receipts_reserve(log, &out, false, &e), 0);
    fill(&r, 1);
    assert_int_equal(route_receipts_reserve(log, &r, false, &e), CROFT_E_BUSY);
    assert_int_equal(route_receipts_add(log, &out, &e), 0);
    assert_int_equal(route_receipts_close(log, &e), 0);
    assert_int_equal(verify(NULL, NULL).lost, 2);
}

static void a_failed_disk_closes_the_way_out(void **state)
{
    struct err e = {0};
    struct route_receipt r;
    struct route_receipts_stats st;
    struct rlimit was, small;
    struct route_receipts *log = open_log(1024, ROUTE_RECEIPTS_CLOSED_LEAVING);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 64 << 10; /* the log's WAL may grow no further */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 200; i++) {
        fill(&r, i);
        assert_int_equal(route_receipts_add(log, &r, &e), 0);
    }
    int rc = route_receipts_flush(log, 30, &e);
    fill(&r, 1);
    int rc_leave = route_receipts_reserve(log, &r, true, &e);
    int rc_stay = route_receipts_reserve(log, &r, false, &e);
    route_receipts_stats(log, &st);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, CROFT_E_IO);
    assert_int_equal(rc_leave, CROFT_E_BUSY);
    assert_int_equal(rc_stay, 0);
    assert_true(st.failing);
    route_receipts_release(log, &r);
    for (int i = 0; i < 50 && st.failing; i++) {
        usleep(100000);
        route_receipts_stats(log, &st);
    }
    assert_false(st.failing);
    assert_int_equal(route_receipts_flush(log, 30, &e), 0);
    assert_int_equal(route_receipts_close(log, &e), 0);
    struct route_verdict v = verify(NULL, NULL);
    assert_int_equal(v.n_findings, 0);
    assert_int_equal(v.n, 200);
}

static void adding_allocates_nothing(void **state)
{
    struct err e = {0};
    struct route_receipt r;
    struct route_receipts *log = open_log(64, ROUTE_RECEIPTS_CLOSED_LEAVING);
    add(log, 1, 3);
    fill(&r, 1);
    uint64_t before = mem_count();
    assert_int_equal(route_receipts_reserve(log, &r, true, &e), 0);
    assert_int_equal(route_receipts_add(log, &r, &e), 0);
    assert_int_equal(mem_count(), before);
    assert_int_equal(route_receipts_close(log, &e), 0);
}

static void memory_may_fail_at_any_call(void **state)
{
    struct err e = {0};
    struct route_receipts *log = NULL;
    struct route_receipts_params p = {.dir = dir, .queue = 16};
    struct route_verdict v;
    struct route_verify_params vp = {.dir = dir};
    struct route_receipt r;
    int rc = CROFT_E_NOMEM;
    for (long n = 1; rc; n++) {
        assert_true(n < 100);
        mem_fail_nth(n);
        rc = route_receipts_open(&p, &log, &e);
        mem_fail_nth(0);
        if (rc) assert_int_equal(rc, CROFT_E_NOMEM);
    }
    fill(&r, 5);
    assert_int_equal(route_receipts_add(log, &r, &e), 0);
    mem_fail_nth(1); /* the writer's thread meets it, and tries again */
    (void)!route_receipts_flush(log, 30, &e);
    mem_fail_nth(0);
    for (int i = 0; i < 50 && route_receipts_flush(log, 30, &e); i++) usleep(100000);
    assert_int_equal(route_receipts_close(log, &e), 0);
    rc = CROFT_E_NOMEM;
    for (long n = 1; rc; n++) {
        assert_true(n < 100);
        mem_fail_nth(n);
        rc = route_receipts_verify(&vp, &v, &e);
        mem_fail_nth(0);
        if (rc) assert_int_equal(rc, CROFT_E_NOMEM);
    }
    assert_int_equal(v.n, 1);
    assert_int_equal(v.n_findings, 0);
}

/* ---- subjects ---- */

static void subjects_are_salted(void **state)
{
    struct err e = {0};
    struct route_subject_salt salt, again;
    char a[65];
    assert_int_equal(route_subject_open(dir, false, &salt, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(route_subject_open(dir, true, &salt, &e), 0);
    assert_int_equal(route_subject_open(dir, false, &again, &e), 0);
    assert_memory_equal(&salt, &again, sizeof salt);
    /* RFC 4231, test case 2, has a shorter key; HMAC pads keys with zeros, so "Jefe" and zeros is the same key */
    memset(&salt, 0, sizeof salt);
    memcpy(salt.bytes, "Jefe", 4);
    route_subject_hash(&salt, "what do ya want for nothing?", a);
    assert_string_equal(a, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, sweep)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_canonical),
        cmocka_unit_test(the_longest_receipt_fits),
        cmocka_unit_test(retries_count_up),
        cmocka_unit_test(ids_differ_and_sort),
        TEST(a_whole_log_is_whole),
        TEST(receipts_are_found),
        TEST(a_log_goes_on),
        TEST(triggers_refuse),
        TEST(tampering_is_found),
        TEST(anchors_know_the_end),
        TEST(another_key_is_found),
        TEST(a_damaged_log_is_not_continued),
        TEST(damaged_files_are_survived),
        TEST(pruned_logs_verify),
        TEST(a_log_keeps_itself),
        TEST(a_killed_writer_says_how_many),
        TEST(nothing_leaves_without_a_place),
        TEST(a_failed_disk_closes_the_way_out),
        TEST(adding_allocates_nothing),
        TEST(memory_may_fail_at_any_call),
        TEST(subjects_are_salted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
