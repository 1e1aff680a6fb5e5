/* Memory: the hook that fails the nth allocation, buffers with a ceiling, arenas. */
#include "base_arena.h"
#include "base_buf.h"
#include "base_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void nth_allocation_fails_once(void **state)
{
    void *p[5];
    mem_fail_nth(3);
    for (int i = 0; i < 5; i++) p[i] = mem_alloc(8);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(p[i] == NULL, i == 2);
        mem_free(p[i]);
    }
    mem_fail_nth(1);
    assert_null(mem_calloc(4, 4));
    mem_fail_nth(1);
    assert_null(mem_aligned(64, 100));
    mem_fail_nth(1);
    assert_null(mem_strdup("x"));
    mem_fail_nth(1);
    mem_fail_nth(0); /* off again */
    mem_free(p[0] = mem_alloc(1));
    assert_non_null(p[0]);
}

static void count_counts(void **state)
{
    uint64_t before = mem_count();
    char *p = mem_alloc(10);
    p = mem_realloc(p, 20);
    mem_free(p);
    assert_int_equal(mem_count() - before, 2);
}

static void odd_sizes(void **state)
{
    void *p = mem_alloc(0);
    assert_non_null(p);
    mem_free(p);
    assert_null(mem_calloc(SIZE_MAX / 2, 4)); /* overflow */
    assert_null(mem_aligned(64, SIZE_MAX - 10));
    unsigned char *a = mem_aligned(4096, 5000);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % 4096, 0);
    for (int i = 0; i < 5000; i++) assert_int_equal(a[i], 0);
    mem_free(a);
    mem_free(NULL);
    char *s = mem_strndup("abc", 2);
    assert_string_equal(s, "ab");
    mem_free(s);
}

static void buf_grows_to_its_ceiling(void **state)
{
    struct buf b;
    struct err e;
    buf_init(&b, 10);
    assert_null(b.data);
    assert_int_equal(buf_str(&b, "12345"), 0);
    assert_int_equal(buf_fmt(&b, "%05d", 67890), 0); /* exactly full */
    assert_string_equal(b.data, "1234567890");
    assert_int_equal(buf_check(&b, "text", &e), 0);
    assert_int_equal(buf_char(&b, 'x'), CROFT_E_LIMIT);
    assert_string_equal(b.data, "1234567890"); /* contents up to the failure stay */
    assert_int_equal(buf_add(&b, "", 0), CROFT_E_LIMIT); /* failed stays set */
    assert_int_equal(buf_check(&b, "text", &e), CROFT_E_LIMIT);
    assert_string_equal(e.msg, "The text is larger than its limit of 10 bytes.");
    assert_null(buf_take(&b));
    buf_clear(&b);
    assert_int_equal(buf_str(&b, "again"), 0);
    assert_string_equal(b.data, "again");
    buf_done(&b);
    buf_init(&b, 0);
    assert_int_equal(buf_add(&b, "", 0), 0);
    assert_int_equal(buf_char(&b, 'x'), CROFT_E_LIMIT);
    buf_done(&b);
}

static void buf_hostile_sizes(void **state)
{
    struct buf b;
    buf_init(&b, SIZE_MAX - 1);
    assert_int_equal(buf_str(&b, "abc"), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), CROFT_E_LIMIT); /* len + extra would wrap */
    buf_done(&b);
    buf_init(&b, 100);
    assert_int_equal(buf_add(&b, "a\0b", 3), 0); /* bytes, not a string */
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_done(&b);
}

static void buf_take_moves(void **state)
{
    struct buf b;
    buf_init(&b, 100);
    char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    mem_free(empty);
    buf_utf8(&b, 0x20AC);
    char *p = buf_take(&b);
    assert_string_equal(p, "\xE2\x82\xAC");
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    mem_free(p);
}

/* Whatever allocation fails, a chain of appends ends with the failure noted and nothing lost. */
static void buf_survives_every_failed_allocation(void **state)
{
    for (long n = 1; n < 20; n++) {
        struct buf b;
        size_t good = 0;
        struct err e;
        buf_init(&b, 1 << 16);
        mem_fail_nth(n);
        for (int i = 0; i < 300; i++)
            if (buf_fmt(&b, "%09d ", i) == 0) good++;
        mem_fail_nth(0);
        assert_int_equal(b.len, good * 10);
        if (good < 300) assert_int_equal(buf_check(&b, "text", &e), CROFT_E_NOMEM);
        else assert_int_equal(buf_check(&b, "text", &e), 0);
        buf_done(&b);
    }
}

static void arena_hands_out_aligned_zeroed(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 1; i < 400; i++) {
        unsigned char *p = arena_alloc(&a, i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < i; k++) assert_int_equal(p[k], 0);
        memset(p, 0xff, i); /* the next one must still be zero */
    }
    arena_clear(&a);
    assert_int_equal(a.used, 0);
    unsigned char *p = arena_alloc(&a, 1000);
    for (size_t k = 0; k < 1000; k++) assert_int_equal(p[k], 0);
    assert_string_equal(arena_strndup(&a, "hello", 4), "hell");
    arena_done(&a);
    arena_done(&a);
}

static void arena_has_a_ceiling(void **state)
{
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_non_null(arena_alloc(&a, 600));
    assert_null(arena_alloc(&a, 401));
    assert_non_null(arena_alloc(&a, 400));
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_clear(&a);
    assert_non_null(arena_alloc(&a, 1000));
    arena_done(&a);
    arena_init(&a, SIZE_MAX); /* even then sizes must not wrap */
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    arena_done(&a);
}

static void arena_survives_failed_allocation(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_non_null(arena_alloc(&a, 4000));
    mem_fail_nth(1);
    assert_null(arena_alloc(&a, 5000));
    mem_fail_nth(0);
    assert_non_null(arena_alloc(&a, 5000));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nth_allocation_fails_once), cmocka_unit_test(count_counts), cmocka_unit_test(odd_sizes),
        cmocka_unit_test(buf_grows_to_its_ceiling), cmocka_unit_test(buf_hostile_sizes),
        cmocka_unit_test(buf_take_moves), cmocka_unit_test(buf_survives_every_failed_allocation),
        cmocka_unit_test(arena_hands_out_aligned_zeroed), cmocka_unit_test(arena_has_a_ceiling),
        cmocka_unit_test(arena_survives_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
