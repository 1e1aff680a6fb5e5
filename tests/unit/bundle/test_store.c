/* The store on disk: imports, finding, hostile records, removing, running models, failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base_mem.h"
#include "base_sha256.h"
#include "base_str.h"
#include "bundle_pull.h"
#include "bundle_run.h"
#include "fake_http.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], home[100];
static struct err e;
static int serial;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct bundle_store *fresh(void)
{
    struct bundle_store *s;
    snprintf(home, sizeof home, "%s/%d", dir, ++serial);
    setenv("CROFT_HOME", home, 1);
    assert_int_equal(bundle_store_open(NULL, true, &s, &e), 0);
    return s;
}

/* Import a file with that name and text. */
static int import(struct bundle_store *s, const char *file, const char *text, const char *name)
{
    char path[200];
    struct bundle_pull_result r;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    write_file(path, text);
    struct bundle_pull_request q = {.source = path, .name = name};
    int rc = bundle_pull(s, &q, &r, &e);
    if (rc == 0) bundle_model_done(&r.model);
    return rc;
}

static int entries(const char *sub)
{
    char path[200];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", home, sub);
    DIR *d = opendir(path);
    for (struct dirent *x; d && (x = readdir(d));) n += x->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void test_import_and_find(void **state)
{
    struct bundle_store *s = fresh();
    struct bundle_model m;
    char *path, hex[65];
    assert_int_equal(import(s, "foo-1b-Q4_0.gguf", "GGUF one", NULL), 0);
    assert_int_equal(import(s, "foo-1b-Q8_0.gguf", "GGUF two", NULL), 0);
    assert_int_equal(import(s, "bar.gguf", "GGUF one", NULL), 0);
    assert_int_equal(entries("blobs"), 2); /* the same bytes are kept once */
    assert_int_equal(bundle_store_resolve("FOO-1B:q4_0", &path, &e), 0);
    assert_true(str_ends(path, "/models/foo-1b:q4_0/foo-1b-Q4_0.gguf"));
    assert_int_equal(sha256_file(path, hex, &e), 0);
    assert_int_equal(bundle_store_find(s, "foo-1b:q4", &m, &e), 0);
    assert_string_equal(m.file[0].sha256, hex);
    bundle_model_done(&m);
    mem_free(path);
    assert_int_equal(bundle_store_resolve("foo", &path, &e), CROFT_E_USAGE);
    assert_non_null(strstr(e.msg, "foo-1b:q4_0, foo-1b:q8_0"));
    assert_int_equal(bundle_store_resolve("ba", &path, &e), 0);
    mem_free(path);
    assert_int_equal(bundle_store_resolve("nothing", &path, &e), CROFT_E_NOT_FOUND);
    assert_non_null(strstr(e.msg, "croft pull"));
    assert_int_equal(bundle_store_resolve("./nothing.gguf", &path, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(bundle_store_resolve(dir, &path, &e), CROFT_E_USAGE);
    assert_int_equal(bundle_store_resolve("../../nothing", &path, &e), CROFT_E_NOT_FOUND);
    snprintf(home, sizeof home, "%s/bar.gguf", dir);
    assert_int_equal(bundle_store_resolve(home, &path, &e), 0); /* an existing file wins */
    assert_string_equal(path, home);
    mem_free(path);
    bundle_store_close(s);
}

static void test_links_heal(void **state)
{
    struct bundle_store *s = fresh();
    char link[300], *path, target[300];
    assert_int_equal(import(s, "heal.gguf", "GGUF heal", NULL), 0);
    snprintf(link, sizeof link, "%s/models/heal/heal.gguf", home);
    unlink(link);
    assert_int_equal(symlink("/dev/null", link), 0);
    assert_int_equal(bundle_store_resolve("heal", &path, &e), 0);
    mem_free(path);
    ssize_t n = readlink(link, target, sizeof target - 1);
    assert_true(n > 0 && strncmp(target, "../../blobs/sha256-", 19) == 0);
    target[n] = 0;
    snprintf(link, sizeof link, "%s/blobs/%s", home, target + 12);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(bundle_store_resolve("heal", &path, &e), CROFT_E_NOT_FOUND);
    assert_non_null(strstr(e.msg, "lost"));
    bundle_store_close(s);
}

static void test_hostile_records(void **state)
{
#define FILES(f) "{\"format\":1,\"source\":\"s\",\"files\":[" f "]}"
#define SHA "\"sha256\":\"0123456789012345678901234567890123456789012345678901234567890123\""
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"format\":2}",
                                      FILES(""),
                                      FILES("7"),
                                      FILES("{\"name\":\"../x\"," SHA ",\"size\":1}"),
                                      FILES("{\"name\":\"x\"," SHA ",\"size\":-1}"),
                                      FILES("{\"name\":\"x\"," SHA ",\"size\":\"1\"}"),
                                      FILES("{\"name\":\"x\",\"sha256\":\"../../etc/passwd\",\"size\":1}"),
                                      FILES("{\"name\":\"x\"," SHA ",\"size\":1,\"linked\":\"rel\"}"),
                                      FILES("{\"name\":\"x\"," SHA
                                            ",\"size\":9223372036854775807},{\"name\":\"y\"," SHA
                                            ",\"size\":9223372036854775807}"),
                                      FILES("{\"name\":\"x\",\"name\":\"y\"," SHA ",\"size\":1}"),
                                      "{\"format\":1,\"files\":[[[[[[]]]]]]}"};
    struct bundle_store *s = fresh();
    struct bundle_model m;
    struct bundle_list l;
    int64_t freed;
    char path[300];
    assert_int_equal(import(s, "good.gguf", "GGUF good", NULL), 0);
    snprintf(path, sizeof path, "%s/models/bad.json", home);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(path, bad[i]);
        if (bundle_store_find(s, "bad", &m, &e) != CROFT_E_FORMAT)
            fail_msg("record %zu was accepted: %s", i, bad[i]);
    }
    assert_int_equal(bundle_store_list(s, &l, &e), 0);
    assert_int_equal(l.n, 2);
    assert_true(l.model[0].broken && !l.model[1].broken);
    bundle_list_done(&l);
    /* a damaged record may refer to anything, so its presence keeps blobs */
    assert_int_equal(bundle_store_remove(s, "good", &freed, &e), 0);
    assert_int_equal(entries("blobs"), 1);
    assert_int_equal(bundle_store_remove(s, "bad", &freed, &e), 0);
    assert_int_equal(bundle_store_sweep(s, &freed, &e), 0);
    assert_int_equal(freed, 9);
    assert_int_equal(entries("blobs"), 0);
    bundle_store_close(s);
}

static void test_taken_names_and_bad_files(void **state)
{
    struct bundle_store *s = fresh();
    assert_int_equal(import(s, "one.gguf", "GGUF 1", "mine"), 0);
    assert_int_equal(import(s, "two.gguf", "GGUF 2", "mine"), CROFT_E_USAGE);
    assert_non_null(strstr(e.msg, "--name"));
    assert_int_equal(import(s, "one.gguf", "GGUF changed", "mine"), 0); /* the same source: an update */
    assert_int_equal(entries("blobs"), 1);
    assert_int_equal(import(s, "text.gguf", "hello", NULL), CROFT_E_FORMAT);
    assert_int_equal(import(s, "empty.gguf", "", NULL), CROFT_E_FORMAT);
    assert_int_equal(import(s, "part-00002-of-00002.gguf", "GGUF", NULL), CROFT_E_USAGE);
    assert_int_equal(import(s, "part-00001-of-00009.gguf", "GGUF", NULL), CROFT_E_NOT_FOUND);
    assert_int_equal(import(s, "x.gguf", "GGUF", "../x"), CROFT_E_USAGE);
    assert_int_equal(entries("partial"), 0);
    bundle_store_close(s);
}

static void test_running(void **state)
{
    struct bundle_store *s = fresh();
    struct bundle_run *r;
    struct bundle_run_info *list;
    int n, to_child[2], from_child[2];
    char c;
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(bundle_run_list(&list, &n, &e), 0);
    assert_int_equal(n, 0);
    mem_free(list);
    assert_int_equal(bundle_run_register("run", "foo", "/tmp", NULL, &r, &e), 0);
    assert_int_equal(bundle_run_list(&list, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].pid, getpid());
    assert_string_equal(list[0].model, "foo");
    mem_free(list);
    /* a child registers and is killed: its file stays, but it is not listed */
    assert_int_equal(pipe(to_child) | pipe(from_child), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct bundle_run *mine;
        if (bundle_run_register("serve", "bar", "/tmp", "127.0.0.1:1", &mine, NULL)) _exit(1);
        if (write(from_child[1], "x", 1) != 1 || read(to_child[0], &c, 1)) _exit(2);
    }
    assert_int_equal(read(from_child[0], &c, 1), 1);
    assert_int_equal(bundle_run_list(&list, &n, &e), 0);
    assert_int_equal(n, 2);
    mem_free(list);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(entries("run"), 2);
    assert_int_equal(bundle_run_list(&list, &n, &e), 0);
    assert_int_equal(n, 1);
    mem_free(list);
    assert_int_equal(entries("run"), 1); /* swept */
    bundle_run_unregister(r);
    assert_int_equal(entries("run"), 0);
    bundle_store_close(s);
}

/* The hub of one model: tiny-q8_0.gguf, 100,000 bytes. */
#define TINY_BYTES 100000
static char tiny[TINY_BYTES], tiny_sha[65];

static void hub(struct fake_http *h, const char *request, struct buf *out)
{
    struct buf text;
    buf_init(&text, 4096);
    long from = 0;
    const char *range = strstr(request, "Range: bytes=");
    if (range) from = strtol(range + 13, NULL, 10);
    if (strstr(request, " /api/models/o/r-GGUF/revision/main?")) {
        buf_fmt(&text, "{\"sha\":\"%040d\",\"siblings\":[{\"rfilename\":\"tiny-q8_0.gguf\",\"size\":%d,"
                       "\"lfs\":{\"sha256\":\"%s\",\"size\":%d}}]}", 1, TINY_BYTES, tiny_sha, TINY_BYTES);
        buf_fmt(out, "HTTP/1.1 200 x\r\nContent-Length: %zu\r\n\r\n%s", text.len, text.data);
    } else if (strstr(request, "/o/r-GGUF/resolve/")) {
        buf_fmt(
            out,
            "HTTP/1.1 %d x\r\nETag: \"t\"\r\nContent-Range: bytes %ld-%d/%d\r\nContent-Length: %ld\r\n\r\n",
            range ? 206 : 200, from, TINY_BYTES - 1, TINY_BYTES, TINY_BYTES - from);
        buf_add(out, tiny + from, (size_t)(TINY_BYTES - from));
    } else {
        buf_str(out, "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
    }
    buf_done(&text);
}

static void start_hub(struct fake_http *h)
{
    static char url[64];
    for (int i = 0; i < TINY_BYTES; i++) tiny[i] = i < 4 ? "GGUF"[i] : (char)(i * 7 % 251);
    struct sha256 *x = sha256_new();
    sha256_add(x, tiny, TINY_BYTES);
    sha256_hex(x, tiny_sha);
    fake_http_start(h, hub, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", h->port);
    setenv("HF_ENDPOINT", url, 1);
}

/* Whatever allocation fails: no crash, no leak, and either the whole model or none. json too allocates
 * here. */
static void test_each_allocation_may_fail(void **state)
{
    struct fake_http h;
    start_hub(&h);
    json_set_alloc_funcs(mem_alloc, mem_free);
    int failures = 0;
    long last = 400; /* more than a pull needs; the first round that fails nothing sets it */
    for (long nth = last; nth > 0; nth--) {
        struct bundle_store *s = fresh();
        struct bundle_pull_result r;
        struct bundle_list l;
        char *path;
        struct bundle_pull_request q = {.source = "hf:o/r-GGUF:Q8_0"};
        uint64_t before = mem_count();
        mem_fail_nth(nth);
        int rc = bundle_pull(s, &q, &r, &e);
        mem_fail_nth(0);
        if (nth == last) {
            assert_int_equal(rc, 0);
            assert_true(mem_count() - before < (uint64_t)last);
            nth = (long)(mem_count() - before) + 1;
        }
        if (rc == 0) bundle_model_done(&r.model);
        failures += rc != 0;
        assert_int_equal(bundle_store_list(s, &l, &e), 0);
        assert_int_equal(l.n, rc == 0);
        bundle_list_done(&l);
        if (rc == 0) {
            assert_int_equal(bundle_store_resolve("r:q8_0", &path, &e), 0);
            mem_free(path);
        } else { /* and the next try succeeds */
            assert_int_equal(bundle_pull(s, &q, &r, &e), 0);
            bundle_model_done(&r.model);
        }
        bundle_store_close(s);
    }
    assert_true(failures > 30);
    fake_http_stop(&h);
}

static void test_store_calls_without_memory(void **state)
{
    struct bundle_store *s = fresh();
    json_set_alloc_funcs(mem_alloc, mem_free);
    assert_int_equal(import(s, "lost.gguf", "GGUF x", NULL), 0);
    for (long nth = 1; nth < 60; nth++) {
        char *path = NULL;
        struct bundle_run *run;
        struct bundle_run_info *list;
        int n;
        mem_fail_nth(nth);
        int rc = bundle_store_resolve("los", &path, &e);
        mem_fail_nth(nth);
        int rc2 = bundle_run_register("run", "m", "/tmp", NULL, &run, &e);
        mem_fail_nth(nth);
        if (rc2 == 0) {
            if (bundle_run_list(&list, &n, &e) == 0) mem_free(list);
            mem_fail_nth(0);
            bundle_run_unregister(run);
        }
        mem_fail_nth(0);
        if (rc == 0) mem_free(path);
    }
    int64_t freed;
    for (long nth = 1;; nth++) {
        mem_fail_nth(nth);
        int rc = bundle_store_remove(s, "lost", &freed, &e);
        mem_fail_nth(0);
        if (rc == 0 || rc == CROFT_E_NOT_FOUND) break; /* the record goes first: then it is gone */
        assert_true(nth < 200);
    }
    assert_int_equal(bundle_store_sweep(s, &freed, &e), 0);
    assert_int_equal(entries("blobs"), 0);
    bundle_store_close(s);
}

static int setup(void **state)
{
    /* in memory where there is such a folder: a hundred pulls with their fsyncs take seconds on a disk */
    snprintf(dir, sizeof dir, "%s/croft-store-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_import_and_find),
                                       cmocka_unit_test(test_links_heal),
                                       cmocka_unit_test(test_hostile_records),
                                       cmocka_unit_test(test_taken_names_and_bad_files),
                                       cmocka_unit_test(test_running),
                                       cmocka_unit_test(test_each_allocation_may_fail),
                                       cmocka_unit_test(test_store_calls_without_memory)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
