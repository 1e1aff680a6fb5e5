/* SHA-256 against the examples of FIPS 180-4 (and the one-million-a example of its test suite). */
#include "base_mem.h"
#include "base_sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char empty_hex[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc_hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char two_blocks_hex[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
static const char million_hex[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void one(const char *text, size_t n, size_t step, const char *want)
{
    char hex[65];
    struct sha256 *s = sha256_new();
    assert_non_null(s);
    for (size_t i = 0; i < n; i += step) sha256_add(s, text + i, n - i < step ? n - i : step);
    sha256_hex(s, hex);
    assert_string_equal(hex, want);
}

static void vectors(void **state)
{
    one("", 0, 1, empty_hex);
    one("abc", 3, 3, abc_hex);
    one("abc", 3, 1, abc_hex);
    one(two_blocks, 56, 56, two_blocks_hex);
    one(two_blocks, 56, 13, two_blocks_hex);
}

static void million(void **state)
{
    char hex[65], block[1000];
    struct sha256 *s = sha256_new();
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1000; i++) sha256_add(s, block, sizeof block);
    sha256_hex(s, hex);
    assert_string_equal(hex, million_hex);
}

static void files(void **state)
{
    char path[] = "/tmp/croft-sha-XXXXXX", hex[65] = "untouched";
    struct err e;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(sha256_file(path, hex, &e), 0);
    assert_string_equal(hex, empty_hex);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    assert_int_equal(sha256_file(path, hex, &e), 0);
    assert_string_equal(hex, abc_hex);
    unlink(path);
    snprintf(hex, sizeof hex, "untouched");
    assert_int_equal(sha256_file(path, hex, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(sha256_file("/tmp", hex, &e), CROFT_E_IO); /* a folder */
    assert_string_equal(hex, "untouched");
}

static void ask(const char *path, const char *want)
{
    struct plat_map m;
    struct err e;
    char hex[65];
    assert_int_equal(plat_map_open(&m, path), 0);
    assert_int_equal(sha256_kept(&m, path, hex, &e), 0);
    assert_string_equal(hex, want);
    plat_map_close(&m);
}

/* A large file's digest is read where it is kept, and only for that very file. Files of the repository stand for those
 * that nobody writes to now; they are seen through a link, so that what is kept stays in the folder of the test. */
static void kept(void **state)
{
    char dir[] = "/tmp/croft-kept-XXXXXX", path[64], digest[96], where[128], license[160], makefile[160], line[512];
    char want[65], other[65], lie[65] = "";
    struct err e;
    struct plat_map m;
    assert_non_null(mkdtemp(dir));
    assert_non_null(getcwd(where, sizeof where));
    snprintf(path, sizeof path, "%s/x", dir);
    snprintf(digest, sizeof digest, "%s/x.croft-digest", dir);
    snprintf(license, sizeof license, "%s/LICENSE", where);
    snprintf(makefile, sizeof makefile, "%s/Makefile", where);
    assert_int_equal(sha256_file(license, want, &e), 0);
    assert_int_equal(sha256_file(makefile, other, &e), 0);

    assert_int_equal(plat_file_write(path, "abc", 3), 0); /* written just now: it may be again in the same tick */
    ask(path, abc_hex);
    assert_int_equal(access(digest, F_OK), -1);
    unlink(path);

    assert_int_equal(symlink(license, path), 0);
    ask(path, want);
    assert_int_equal(plat_map_open(&m, digest), 0);
    snprintf(line, sizeof line, "%.*s", (int)m.size, (const char *)m.data);
    plat_map_close(&m);
    char *hex = strstr(line, want);
    assert_non_null(hex);
    assert_string_equal(hex + 64, "\n");

    memset(lie, 'a', 64); /* it is believed: the file is not read again */
    memcpy(hex, lie, 64);
    assert_int_equal(plat_file_write(digest, line, strlen(line)), 0);
    ask(path, lie);
    unlink(path);
    assert_int_equal(symlink(makefile, path), 0); /* not of another file */
    ask(path, other);
    unlink(path);
    assert_int_equal(symlink(license, path), 0);
    for (size_t i = 0; i < strlen(line); i++) { /* nor with any character of it changed */
        char c = line[i];
        line[i] = i < (size_t)(hex - line) ? c + 1 : 'g';
        assert_int_equal(plat_file_write(digest, line, strlen(line)), 0);
        line[i] = c;
        ask(path, want);
    }
    assert_int_equal(plat_file_write(digest, line, strlen(line) - 1), 0);
    ask(path, want);

    unlink(digest);
    assert_int_equal(mkdir(digest, 0755), 0); /* where it cannot be written, it is computed */
    ask(path, want);
    rmdir(digest);
    unlink(path);
    rmdir(dir);
}

static void survives_failed_allocation(void **state)
{
    char hex[65];
    struct err e;
    mem_fail_nth(1);
    assert_null(sha256_new());
    for (long n = 1; n <= 2; n++) {
        mem_fail_nth(n);
        assert_int_equal(sha256_file("Makefile", hex, &e), CROFT_E_NOMEM);
    }
    mem_fail_nth(0);
    sha256_free(NULL);
    sha256_free(sha256_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(million), cmocka_unit_test(files),
        cmocka_unit_test(kept),    cmocka_unit_test(survives_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
