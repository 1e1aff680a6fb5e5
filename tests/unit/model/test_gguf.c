/* The GGUF reader against files written by an independent writer (tests/golden/gguf/make.py), and against damage. */
#include "base_mem.h"
#include "model_gguf.h"
#include "plat_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define GOLDEN "tests/golden/gguf/all_types.gguf"

static struct gguf *open_ok(const char *path)
{
    struct gguf *g = NULL;
    struct err e = {0};
    if (gguf_open(path, &g, &e)) fail_msg("%s: %s", path, e.msg);
    return g;
}

static int64_t i64_of(struct gguf *g, const char *key) { return gguf_kv_i64(gguf_find(g, key), 0); }

static void every_type_reads(void **state)
{
    struct gguf *g = open_ok(GOLDEN);
    assert_int_equal(gguf_version(g), 3);
    assert_int_equal(i64_of(g, "test.u8"), 200);
    assert_int_equal(i64_of(g, "test.i8"), -100);
    assert_int_equal(i64_of(g, "test.u16"), 60000);
    assert_int_equal(i64_of(g, "test.i16"), -30000);
    assert_int_equal(i64_of(g, "test.u32"), 4000000000);
    assert_int_equal(i64_of(g, "test.i32"), -2000000000);
    assert_true(i64_of(g, "test.u64") == 1ll << 40);
    assert_true(i64_of(g, "test.i64") == -(1ll << 40));
    assert_true(gguf_kv_f64(gguf_find(g, "test.f32"), 0) == 0.5);
    assert_true(gguf_kv_f64(gguf_find(g, "test.f64"), 0) == -1.25e100);
    bool b = false;
    assert_true(gguf_get_bool(g, "test.bool", &b) && b);
    struct str s;
    assert_true(gguf_get_str(g, "test.str", &s) && str_eqz(s, "grüße 世界"));
    const struct gguf_kv *kv = gguf_find(g, "test.array_i32");
    assert_int_equal(kv->n, 3);
    assert_int_equal(gguf_kv_i64(kv, 1), -2);
    assert_int_equal(gguf_kv_i64(kv, 3), 0); /* past the end */
    assert_true(gguf_kv_f64(gguf_find(g, "test.array_f32"), 1) == 1.5);
    assert_true(str_eqz(gguf_kv_str(gguf_find(g, "test.array_str"), 2), "längere Zeichenkette"));
    assert_int_equal(gguf_kv_i64(gguf_find(g, "test.array_bool"), 0), 1);
    gguf_close(g);
}

static void typed_reads_refuse_other_kinds(void **state)
{
    struct gguf *g = open_ok(GOLDEN);
    uint32_t u = 7;
    float f = 7;
    struct str s = STR("seven");
    assert_false(gguf_get_u32(g, "test.i8", &u)); /* negative */
    assert_false(gguf_get_u32(g, "test.u64", &u)); /* too large */
    assert_false(gguf_get_u32(g, "test.str", &u));
    assert_false(gguf_get_u32(g, "no.such.key", &u));
    assert_false(gguf_get_f32(g, "test.bool", &f));
    assert_false(gguf_get_str(g, "test.u8", &s));
    assert_true(u == 7 && f == 7 && str_eqz(s, "seven"));
    assert_true(gguf_get_u32(g, "test.u8", &u) && u == 200);
    gguf_close(g);
}

static void check_tensors(struct gguf *g)
{
    const struct gguf_tensor *a = gguf_tensor_find(g, "a"), *b = gguf_tensor_find(g, "b");
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(gguf_n_tensors(g), 2);
    assert_null(gguf_tensor_find(g, "c"));
    assert_int_equal(a->type, KERN_F32);
    assert_int_equal(a->ne[0], 32);
    assert_int_equal(a->ne[1], 3);
    assert_int_equal(a->bytes, 384);
    assert_int_equal(b->type, KERN_F16);
    for (int i = 0; i < 96; i++) assert_true(((const float *)a->data)[i] == (float)i);
    assert_int_equal(((const uint16_t *)b->data)[1], 0x3C00); /* 1.0 */
}

static void tensors_read(void **state)
{
    struct gguf *g = open_ok(GOLDEN);
    check_tensors(g);
    gguf_close(g);
}

static void split_files_join(void **state)
{
    struct gguf *g = open_ok("tests/golden/gguf/split-00001-of-00002.gguf");
    check_tensors(g);
    gguf_close(g);
    struct err e = {0};
    assert_int_equal(gguf_open("tests/golden/gguf/split-00002-of-00002.gguf", &g, &e), CROFT_E_USAGE);
}

static void missing_and_foreign_files(void **state)
{
    struct gguf *g = NULL;
    struct err e = {0};
    assert_int_equal(gguf_open("tests/golden/gguf/none.gguf", &g, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(gguf_open("tests", &g, &e), CROFT_E_IO);
    assert_int_equal(gguf_open("tests/golden/gguf/make.py", &g, &e), CROFT_E_FORMAT);
    assert_int_equal(gguf_open("/dev/null", &g, &e), CROFT_E_USAGE);
    assert_null(g);
}

/* Each damage: 8 bytes written at an offset found by searching for a marker in the file. */
static size_t find(const unsigned char *p, size_t n, const char *marker)
{
    size_t m = strlen(marker);
    for (size_t i = 0; i + m <= n; i++)
        if (memcmp(p + i, marker, m) == 0) return i;
    fail_msg("marker %s not found", marker);
    return 0;
}

static int open_patched(const struct plat_map *m, size_t at, const void *bytes, size_t n, struct err *e)
{
    unsigned char *copy = mem_alloc(m->size);
    memcpy(copy, m->data, m->size);
    memcpy(copy + at, bytes, n);
    struct gguf *g = NULL;
    int rc = gguf_open_memory(copy, m->size, &g, e);
    if (rc == 0) gguf_close(g);
    mem_free(copy);
    return rc;
}

static void absurd_numbers_are_refused(void **state)
{
    struct plat_map m;
    struct err e = {0};
    assert_int_equal(plat_map_open(&m, GOLDEN), 0);
    /* The description of tensor "b": u64 1, 'b', u32 n_dims, u64 ne0, u64 ne1, u32 type, u64 offset. */
    size_t t = 0;
    for (size_t i = 0; i + 9 <= m.size; i++) /* memcmp: the marker holds NULs */
        if (memcmp(m.data + i, "\x01\0\0\0\0\0\0\0b\x02", 10) == 0) t = i + 9;
    assert_true(t > 0);
    uint64_t huge = 1ull << 63, big = 1ull << 40, zero = 0, odd = 33;
    uint32_t dims = 5, none = 0, type = 16, unknown = 1000;
    assert_int_equal(open_patched(&m, 8, &huge, 8, &e), CROFT_E_FORMAT);      /* n_tensors */
    assert_int_equal(open_patched(&m, 16, &huge, 8, &e), CROFT_E_FORMAT);     /* n_kv */
    assert_int_equal(open_patched(&m, 24, &huge, 8, &e), CROFT_E_FORMAT);     /* first key's length */
    assert_int_equal(open_patched(&m, t, &dims, 4, &e), CROFT_E_FORMAT);
    assert_int_equal(open_patched(&m, t, &none, 4, &e), CROFT_E_FORMAT);
    assert_int_equal(open_patched(&m, t + 4, &huge, 8, &e), CROFT_E_FORMAT);  /* ne0 */
    assert_int_equal(open_patched(&m, t + 4, &zero, 8, &e), CROFT_E_FORMAT);
    assert_int_equal(open_patched(&m, t + 12, &big, 8, &e), CROFT_E_FORMAT);  /* ne1 */
    assert_int_equal(open_patched(&m, t + 20, &type, 4, &e), CROFT_E_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "IQ2_XXS"));
    assert_int_equal(open_patched(&m, t + 20, &unknown, 4, &e), CROFT_E_UNSUPPORTED);
    assert_int_equal(open_patched(&m, t + 24, &odd, 8, &e), CROFT_E_FORMAT);  /* unaligned offset */
    assert_int_equal(open_patched(&m, t + 24, &zero, 8, &e), CROFT_E_FORMAT); /* overlaps "a" */
    assert_non_null(strstr(e.msg, "overlap"));
    uint64_t past = 1 << 20;
    assert_int_equal(open_patched(&m, t + 24, &past, 8, &e), CROFT_E_FORMAT);
    assert_int_equal(open_patched(&m, t - 1, "a", 1, &e), CROFT_E_FORMAT);    /* two tensors named "a" */
    assert_non_null(strstr(e.msg, "twice"));
    uint32_t v1 = 1, swapped = 3u << 24;
    assert_int_equal(open_patched(&m, 4, &v1, 4, &e), CROFT_E_UNSUPPORTED);
    assert_int_equal(open_patched(&m, 4, &swapped, 4, &e), CROFT_E_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "big-endian"));
    size_t i8 = find(m.data, m.size, "test.i8");
    assert_int_equal(open_patched(&m, i8, "test.u8", 7, &e), CROFT_E_FORMAT); /* a key twice */
    plat_map_close(&m);
}

static void every_truncation_is_an_error(void **state)
{
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, GOLDEN), 0);
    for (size_t n = 0; n < m.size; n++) {
        unsigned char *copy = mem_alloc(n); /* exact size: a sanitizer sees any read past it */
        memcpy(copy, m.data, n);
        struct gguf *g = NULL;
        struct err e = {0};
        if (gguf_open_memory(copy, n, &g, &e) == 0) fail_msg("accepted when cut at byte %zu of %zu", n, m.size);
        assert_true(e.msg[0] != 0);
        mem_free(copy);
    }
    plat_map_close(&m);
}

static void flipped_bits_never_crash(void **state)
{
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, GOLDEN), 0);
    struct err e;
    for (size_t at = 0; at < m.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            unsigned char c = m.data[at] ^ (unsigned char)(1 << bit);
            int rc = open_patched(&m, at, &c, 1, &e);
            assert_true(rc <= 0);
        }
    plat_map_close(&m);
}

static void survives_any_failed_allocation(void **state)
{
    int rc = -1;
    for (long nth = 1; rc != 0; nth++) {
        struct gguf *g = NULL;
        struct err e = {0};
        mem_fail_nth(nth);
        rc = gguf_open("tests/golden/gguf/split-00001-of-00002.gguf", &g, &e);
        mem_fail_nth(0);
        if (rc == 0) gguf_close(g);
        else assert_int_equal(rc, CROFT_E_NOMEM);
        assert_true(nth < 100);
    }
}

/* What Python's hashlib says; reading by path and from an open model; and any byte counts. */
static void fingerprints(void **state)
{
    const char *const part[] = {"split-00001-of-00002.gguf", "split-00002-of-00002.gguf"};
    char dir[] = "/tmp/croft-print-XXXXXX", at[2][96], old[256], one[65], hex[65], of[65];
    struct err e = {0};
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) { /* what is kept beside them stays in the folder */
        snprintf(at[i], sizeof at[i], "%s/%s", dir, part[i]);
        snprintf(old, sizeof old, "%s/tests/golden/gguf/%s", getcwd((char[128]){0}, 128), part[i]);
        assert_int_equal(symlink(old, at[i]), 0);
    }
    struct gguf *g = open_ok(at[0]);
    assert_int_equal(gguf_fingerprint(g, hex, &e), 0);
    assert_string_equal(hex, "fb3d6ab47ec15f652f0734203611389046409a6c3debfc8e259e56d64cb40d32");
    assert_int_equal(gguf_fingerprint(g, hex, &e), 0); /* known by now */
    assert_int_equal(gguf_fingerprint_of(at[0], of, &e), 0);
    assert_string_equal(hex, of);
    gguf_close(g);
    unlink(at[1]);
    assert_int_equal(gguf_fingerprint_of(at[0], of, &e), CROFT_E_NOT_FOUND);
    assert_int_equal(gguf_fingerprint_of(dir, of, &e), CROFT_E_IO);
    struct plat_map m;
    assert_int_equal(plat_map_open(&m, GOLDEN), 0);
    snprintf(at[1], sizeof at[1], "%s/x.gguf", dir);
    assert_int_equal(plat_file_write(at[1], m.data, m.size), 0);
    assert_int_equal(gguf_fingerprint_of(at[1], one, &e), 0);
    assert_string_equal(one, "ed89aa81d060ee211e420729e4fae1217cea8047fd01252080d783537249597a");
    unsigned char *copy = mem_alloc(m.size);
    for (size_t i = 0; i < m.size; i += 131) {
        memcpy(copy, m.data, m.size);
        copy[i] ^= 1;
        assert_int_equal(plat_file_write(at[1], copy, m.size), 0);
        assert_int_equal(gguf_fingerprint_of(at[1], of, &e), 0);
        assert_string_not_equal(of, one);
    }
    mem_free(copy);
    plat_map_close(&m);
    snprintf(old, sizeof old, "rm -r %s", dir);
    assert_int_equal(system(old), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_reads),
        cmocka_unit_test(typed_reads_refuse_other_kinds),
        cmocka_unit_test(tensors_read),
        cmocka_unit_test(split_files_join),
        cmocka_unit_test(missing_and_foreign_files),
        cmocka_unit_test(absurd_numbers_are_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(flipped_bits_never_crash),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
