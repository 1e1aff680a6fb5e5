/* Maps, and writes that are whole or absent. */
#include "plat_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/croft-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int n_files(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int remove_dir(void **state)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && unlink(path)) rmdir(path);
    }
    closedir(d);
    return rmdir(dir);
}

static const char *in_dir(const char *name)
{
    static char path[2][200];
    static int k;
    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
    return path[k];
}

static void write_then_map(void **state)
{
    struct plat_map m = {0};
    assert_int_equal(plat_file_write(in_dir("a"), "hello\0world", 11), 0);
    assert_int_equal(plat_map_open(&m, in_dir("a")), 0);
    assert_int_equal(m.size, 11);
    assert_memory_equal(m.data, "hello\0world", 11);
    plat_map_prefetch(&m);
    plat_map_close(&m);
    assert_null(m.data);
    plat_map_close(&m); /* twice is allowed */
    assert_int_equal(plat_file_write(in_dir("a"), "new", 3), 0); /* replaces */
    assert_int_equal(plat_map_open(&m, in_dir("a")), 0);
    assert_int_equal(m.size, 3);
    plat_map_close(&m);
    assert_int_equal(n_files(), 1); /* no temporary file stays */
}

static void what_cannot_be_mapped(void **state)
{
    struct plat_map m = {.data = (const unsigned char *)"untouched", .size = 9};
    assert_int_equal(plat_map_open(&m, in_dir("absent")), -ENOENT);
    assert_int_equal(plat_map_open(&m, dir), -EISDIR);
    assert_int_equal(plat_map_open(&m, "/dev/null"), -EINVAL);
    assert_int_equal(m.size, 9); /* written only on success */
    assert_int_equal(plat_file_write(in_dir("empty"), "", 0), 0);
    assert_int_equal(plat_map_open(&m, in_dir("empty")), 0);
    assert_null(m.data);
    assert_int_equal(m.size, 0);
    plat_map_prefetch(&m);
    plat_map_close(&m);
}

/* A reader that maps the old file keeps it; a new reader sees the new one: rename, not rewrite. */
static void readers_see_whole_files(void **state)
{
    struct plat_map old = {0}, now = {0};
    assert_int_equal(plat_file_write(in_dir("a"), "AAAA", 4), 0);
    assert_int_equal(plat_map_open(&old, in_dir("a")), 0);
    assert_int_equal(plat_file_write(in_dir("a"), "BBBBBBBB", 8), 0);
    assert_int_equal(plat_map_open(&now, in_dir("a")), 0);
    assert_memory_equal(old.data, "AAAA", 4);
    assert_memory_equal(now.data, "BBBBBBBB", 8);
    plat_map_close(&old);
    plat_map_close(&now);
}

/* The disk fills in the middle of a write (a file size limit does the same): the old file stays, whole and alone. */
static void a_failed_write_leaves_nothing(void **state)
{
    static char big[200000];
    struct rlimit before, small;
    struct plat_map m = {0};
    assert_int_equal(plat_file_write(in_dir("a"), "old", 3), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = plat_file_write(in_dir("a"), big, sizeof big);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -EFBIG);
    assert_int_equal(plat_map_open(&m, in_dir("a")), 0);
    assert_int_equal(m.size, 3);
    plat_map_close(&m);
    assert_int_equal(n_files(), 1);
}

/* A pipe is written to; a write that renamed over it would leave a regular file in its place. */
static void special_files_stay(void **state)
{
    struct stat st;
    char got[16];
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    int fd = open(in_dir("pipe"), O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(plat_file_write(in_dir("pipe"), "hello", 5), 0);
    assert_int_equal(read(fd, got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    close(fd);
    assert_int_equal(stat(in_dir("pipe"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(plat_file_write(dir, "x", 1), -EISDIR);
    assert_int_equal(n_files(), 1);
}

/* Neither a reader waits for a FIFO's writer, nor does a write through a link replace the link. */
static void pipes_and_links(void **state)
{
    struct plat_map m = {0};
    struct stat st;
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    alarm(20);
    assert_int_equal(plat_map_open(&m, in_dir("fifo")), -EINVAL);
    alarm(0);
    assert_int_equal(unlink(in_dir("fifo")), 0);
    assert_int_equal(plat_file_write(in_dir("file"), "old", 3), 0);
    assert_int_equal(symlink("file", in_dir("link")), 0);
    assert_int_equal(plat_file_write(in_dir("link"), "newer", 5), 0);
    assert_int_equal(lstat(in_dir("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(plat_map_open(&m, in_dir("file")), 0);
    assert_int_equal(m.size, 5);
    plat_map_close(&m);
    assert_int_equal(unlink(in_dir("link")), 0);
    assert_int_equal(unlink(in_dir("file")), 0);
}

static void folders(void **state)
{
    char deep[PATH_MAX + 10];
    struct stat st;
    snprintf(deep, sizeof deep, "%s/x/y//z/", dir);
    assert_int_equal(plat_dir_make(deep), 0);
    assert_int_equal(plat_dir_make(deep), 0); /* is there: fine */
    assert_int_equal(stat(deep, &st), 0);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"x/y/z", "x/y", "x"};
        assert_int_equal(rmdir(in_dir(names[i])), 0);
    }
    assert_int_equal(plat_file_write(in_dir("f"), "", 0), 0);
    snprintf(deep, sizeof deep, "%s/f/sub", dir);
    assert_true(plat_dir_make(deep) < 0);
    assert_int_equal(plat_dir_make(in_dir("f")), -ENOTDIR);
    assert_true(plat_file_write(deep, "x", 1) < 0);
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(plat_dir_make(deep), -ENAMETOOLONG);
    assert_int_equal(plat_file_write(deep, "x", 1), -ENAMETOOLONG);
    assert_true(plat_disk_free(dir) > 0);
    assert_int_equal(plat_disk_free(in_dir("absent")), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_then_map, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_cannot_be_mapped, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(readers_see_whole_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_nothing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(special_files_stay, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(pipes_and_links, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(folders, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
