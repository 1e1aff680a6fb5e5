/* Who runs what (api/bundle_run.h).
 *
 *     <dir>/<pid>-<n>.json   { "pid", "command", "model", "path", "address", "started" }, locked while it lives
 *
 * Owns: one open, locked file per registration. Threads: register and unregister from any. Invariant: a
 * file whose lock is free belongs to nobody and is removed by whoever notices. */
#include "bundle_run.h"
#include "base_buf.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "plat_file.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRY_BYTES (16 * 1024)
#define MAX_ENTRIES 4096

struct bundle_run {
    int fd;
    char path[BUNDLE_PATH];
};

static int run_dir(char out[BUNDLE_PATH], bool create, struct err *e)
{
    const char *x = getenv("XDG_RUNTIME_DIR");
    struct bundle_store *s;
    if (x && *x == '/' && strlen(x) < 2000) {
        snprintf(out, BUNDLE_PATH, "%s/croft", x);
        return 0;
    }
    int rc = bundle_store_open(NULL, create, &s, e);
    if (rc) return rc;
    bundle_store_path(s, out, "run");
    bundle_store_close(s);
    return 0;
}

static int dump(const char *p, size_t n, void *arg) { return buf_add(arg, p, n); }

static int describe(struct buf *b, const char *command, const char *model, const char *path,
                    const char *address, struct err *e)
{
    char full[PATH_MAX];
    if (realpath(path, full)) path = full;
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:I}", "pid", (json_int_t)getpid(), "command", command,
                          "model", model, "path", path, "address", address ? address : "", "started",
                          (json_int_t)clock_unix_s());
    int rc = o ? json_dump_callback(o, dump, b, 0) : -1;
    json_decref(o);
    return rc ? ERR(e, FORMAT, "The model's name or path is not valid UTF-8.") : 0;
}

int bundle_run_register(const char *command, const char *model, const char *path, const char *address,
                        struct bundle_run **out, struct err *e)
{
    static atomic_int counter;
    char dir[BUNDLE_PATH];
    struct buf b;
    struct bundle_run *r = mem_calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r);
    r->fd = -1;
    buf_init(&b, MAX_ENTRY_BYTES);
    int rc = run_dir(dir, true, e), k = rc ? 0 : plat_dir_make(dir);
    if (k) rc = err_errno(e, -k, "create the folder", dir);
    if (rc == 0) rc = describe(&b, command, model, path, address, e);
    if (rc == 0 && snprintf(r->path, sizeof r->path, "%.4000s/%ld-%d.json", dir, (long)getpid(),
                            atomic_fetch_add(&counter, 1)) < 0)
        rc = ERR(e, INTERNAL, "The path of the run folder cannot be written.");
    if (rc == 0) {
        unlink(r->path); /* of a dead process that had our number */
        r->fd = open(r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (r->fd < 0 || flock(r->fd, LOCK_EX) || write(r->fd, b.data, b.len) != (ssize_t)b.len)
            rc = err_errno(e, errno, "write", r->path);
    }
    buf_done(&b);
    if (rc) bundle_run_unregister(r);
    else *out = r;
    return rc;
}

void bundle_run_unregister(struct bundle_run *r)
{
    if (!r) return;
    if (r->fd >= 0) {
        unlink(r->path);
        close(r->fd);
    }
    mem_free(r);
}

/* ---- listing ------------------------------------------------------------------------------------------- */

static void take_text(char *out, size_t n, const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));
    snprintf(out, n, "%s", v ? v : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

/* True when the file describes a process that still holds its lock. */
static bool read_entry(int dir, const char *name, struct bundle_run_info *out)
{
    char text[MAX_ENTRY_BYTES];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return false;
    bool dead = flock(fd, LOCK_SH | LOCK_NB) == 0;
    ssize_t n = dead ? 0 : read(fd, text, sizeof text);
    /* An empty file may be a registration in this moment: between open and flock. It is swept when it
     * stays so. */
    struct stat st;
    if (dead && fstat(fd, &st) == 0 && (st.st_size > 0 || st.st_mtime < clock_unix_s() - 60))
        unlinkat(dir, name, 0);
    close(fd);
    json_t *o = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
    if (!o) return false;
    *out = (struct bundle_run_info){.pid = json_integer_value(json_object_get(o, "pid")),
                                    .started_unix_s = json_integer_value(json_object_get(o, "started"))};
    take_text(out->command, sizeof out->command, o, "command");
    take_text(out->model, sizeof out->model, o, "model");
    take_text(out->address, sizeof out->address, o, "address");
    take_text(out->path, sizeof out->path, o, "path");
    json_decref(o);
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct bundle_run_info *x = a, *y = b;
    if (x->started_unix_s != y->started_unix_s) return x->started_unix_s < y->started_unix_s ? -1 : 1;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int bundle_run_list(struct bundle_run_info **out, int *out_n, struct err *e)
{
    char path[BUNDLE_PATH];
    struct bundle_run_info *list = NULL;
    int n = 0, cap = 0, rc = run_dir(path, false, e);
    if (rc && rc != CROFT_E_NOT_FOUND) return rc;
    DIR *d = rc ? NULL : opendir(path);
    if (rc) errno = ENOENT; /* no store: nothing runs */
    rc = 0;
    if (!d && errno != ENOENT) return err_errno(e, errno, "read the folder", path);
    for (struct dirent *x; d && n < MAX_ENTRIES && (x = readdir(d));) {
        if (!str_ends(x->d_name, ".json")) continue;
        if (n == cap) {
            int bigger = cap ? cap * 2 : 8;
            struct bundle_run_info *p = mem_realloc(list, (size_t)bigger * sizeof *p);
            if (!p) {
                rc = err_nomem(e, (size_t)bigger * sizeof *p);
                break;
            }
            list = p;
            cap = bigger;
        }
        if (read_entry(dirfd(d), x->d_name, &list[n])) n++;
    }
    if (d) closedir(d);
    if (rc) {
        mem_free(list);
        return rc;
    }
    if (n) qsort(list, (size_t)n, sizeof *list, by_start);
    *out = list;
    *out_n = n;
    return 0;
}
