/* Errors: the table, messages, errno. Expected exit codes are those of sysexits.h, written out. */
#include "base_err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void table_is_dense_and_consistent(void **state)
{
    static const int codes[] = {
#define X(name, code, text, exit_code, http) code,
        CROFT_ERROR_TABLE(X)
#undef X
    };
    const int n = sizeof codes / sizeof codes[0];
    for (int i = 0; i < n; i++) {
        assert_int_equal(codes[i], -i); /* err.c looks codes up by position */
        assert_true(err_exit(-i) >= 0 && err_exit(-i) < 256);
        assert_true(err_http(-i) >= 200 && err_http(-i) < 600);
        assert_true(strlen(err_text(-i)) > 0);
        for (int j = 0; j < i; j++) assert_string_not_equal(err_name(-i), err_name(-j));
    }
    assert_int_equal(err_exit(CROFT_E_USAGE), 64);
    assert_int_equal(err_exit(CROFT_E_FORMAT), 65);
    assert_int_equal(err_exit(CROFT_E_NOT_FOUND), 66);
    assert_int_equal(err_exit(CROFT_E_IO), 74);
    assert_int_equal(err_http(CROFT_E_NOT_FOUND), 404);
    assert_string_equal(err_name(CROFT_E_NO_ROOM), "NO_ROOM");
}

static void unknown_codes_are_internal(void **state)
{
    assert_string_equal(err_name(-1000), "INTERNAL");
    assert_string_equal(err_name(7), "INTERNAL");
    assert_int_equal(err_exit(INT32_MIN + 1), 70);
}

static void set_fills_everything(void **state)
{
    struct err e;
    memset(&e, 0x55, sizeof e);
    assert_int_equal(err_set(&e, CROFT_E_FORMAT, "line", 12, "Bad %s.", "thing"), CROFT_E_FORMAT);
    assert_int_equal(e.code, CROFT_E_FORMAT);
    assert_int_equal(e.pos, 12);
    assert_string_equal(e.where, "line");
    assert_string_equal(e.msg, "Bad thing.");
    assert_int_equal(ERR(&e, LIMIT, "Short."), CROFT_E_LIMIT);
    assert_int_equal(e.pos, -1);
    assert_string_equal(e.where, "");
    assert_int_equal(err_set(NULL, CROFT_E_IO, NULL, 0, "Nobody %s.", "reads this"), CROFT_E_IO);
}

static void long_and_aliased_messages(void **state)
{
    struct err e;
    char big[4000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    err_set(&e, CROFT_E_FORMAT, big, 0, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_int_equal(strlen(e.where), sizeof e.where - 1);
    ERR(&e, FORMAT, "inner");
    ERR(&e, FORMAT, "outer: %s", e.msg); /* a message may quote itself */
    assert_string_equal(e.msg, "outer: inner");
}

static void errno_to_code(void **state)
{
    static const struct { int errnum, code; } want[] = {
        {ENOENT, CROFT_E_NOT_FOUND}, {ENOTDIR, CROFT_E_NOT_FOUND}, {ENOSPC, CROFT_E_NO_SPACE},
        {EDQUOT, CROFT_E_NO_SPACE}, {EACCES, CROFT_E_DENIED}, {EPERM, CROFT_E_DENIED}, {EROFS, CROFT_E_DENIED},
        {ENOMEM, CROFT_E_NOMEM}, {EIO, CROFT_E_IO}, {EISDIR, CROFT_E_IO},
    };
    struct err e;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(err_errno(&e, want[i].errnum, "open", "a.gguf"), want[i].code);
    err_errno(&e, ENOENT, "open", "a.gguf");
    assert_string_equal(e.msg, "Cannot open 'a.gguf': No such file or directory.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_dense_and_consistent), cmocka_unit_test(unknown_codes_are_internal),
        cmocka_unit_test(set_fills_everything), cmocka_unit_test(long_and_aliased_messages),
        cmocka_unit_test(errno_to_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
