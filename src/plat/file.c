/* Read-only maps and atomic writes (plat_file.h). */
#include "plat_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }
static struct plat_file_id id_of(const struct stat *st)
{
    return (struct plat_file_id){(uint64_t)st->st_ino, (uint64_t)st->st_size, ns_of(st->st_mtim), ns_of(st->st_ctim)};
}

int plat_file_id(const char *path, struct plat_file_id *out)
{
    struct stat st;
    if (stat(path, &st)) return -errno;
    *out = id_of(&st);
    return 0;
}

int plat_map_open(struct plat_map *m, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer must not hold us up */
    if (fd < 0) return -errno;
    int rc = fstat(fd, &st) ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : S_ISREG(st.st_mode) ? 0 : -EINVAL;
    void *p = NULL;
    if (rc == 0 && st.st_size > 0) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) rc = -errno;
    }
    close(fd);
    if (rc == 0) *m = (struct plat_map){p, (size_t)st.st_size, id_of(&st)};
    return rc;
}

void plat_map_close(struct plat_map *m)
{
    if (m->data) munmap((void *)m->data, m->size);
    *m = (struct plat_map){0};
}

void plat_map_drop(const void *data, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)data + page - 1) & ~(page - 1);
    uintptr_t to = ((uintptr_t)data + size) & ~(page - 1);
    if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

void plat_map_prefetch(const struct plat_map *m)
{
    if (m->data) madvise((void *)m->data, m->size, MADV_WILLNEED);
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return -errno;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int sync_dir_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = fsync(fd) && errno != EINVAL ? -errno : 0;
    close(fd);
    return rc;
}

/* What is no regular file (/dev/stdout, a pipe) is written to; renaming over it would replace the device itself. */
static int write_special(const char *path, const void *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = write_all(fd, data, n);
    if (close(fd) && rc == 0) rc = -errno;
    return rc;
}

int plat_new_begin(struct plat_new *f, const char *path, unsigned mode)
{
    char target[PATH_MAX];
    if (realpath(path, target)) path = target; /* a link (/dev/stdout is one) stays a link */
    struct timespec t; /* in the name, for a process number alone comes again: in a container it is always 1 */
    clock_gettime(CLOCK_REALTIME, &t);
    unsigned long long now = (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
    if (snprintf(f->path, sizeof f->path, "%s", path) >= (int)sizeof f->path ||
        snprintf(f->tmp, sizeof f->tmp, "%s.tmp.%ld.%llx", path, (long)getpid(), now) >= (int)sizeof f->tmp)
        return -ENAMETOOLONG;
    f->fd = open(f->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    return f->fd < 0 ? -errno : 0;
}

int plat_new_add(struct plat_new *f, const void *data, size_t n) { return write_all(f->fd, data, n); }

void plat_new_abort(struct plat_new *f)
{
    close(f->fd);
    unlink(f->tmp);
}

int plat_new_end(struct plat_new *f)
{
    int rc = fsync(f->fd) ? -errno : 0;
    if (close(f->fd) && rc == 0) rc = -errno;
    if (rc == 0 && rename(f->tmp, f->path)) rc = -errno;
    if (rc) unlink(f->tmp);
    return rc ? rc : sync_dir_of(f->path);
}

int plat_file_write(const char *path, const void *data, size_t n)
{
    struct plat_new f;
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return write_special(path, data, n);
    int rc = plat_new_begin(&f, path, 0644);
    if (rc) return rc;
    if ((rc = plat_new_add(&f, data, n)) == 0) return plat_new_end(&f);
    plat_new_abort(&f);
    return rc;
}

int plat_dir_make(const char *path)
{
    char p[PATH_MAX];
    if (snprintf(p, sizeof p, "%s", path) >= (int)sizeof p) return -ENAMETOOLONG;
    for (char *s = p + 1;; s++) {
        if (*s != '/' && *s) continue;
        char c = *s;
        *s = 0;
        if (mkdir(p, 0755) && errno != EEXIST) return -errno;
        *s = c;
        if (!c) break;
    }
    struct stat st;
    if (stat(path, &st)) return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int64_t plat_disk_free(const char *path)
{
    struct statvfs v;
    if (statvfs(path, &v)) return -errno;
    return (int64_t)v.f_bavail * (int64_t)v.f_frsize;
}
