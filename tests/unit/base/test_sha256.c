/* SHA-256 against the examples of FIPS 180-4 (and the one-million-a example of its test suite). */
#include "base_mem.h"
#include "base_sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(million), cmocka_unit_test(files),
                                       cmocka_unit_test(survives_failed_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
