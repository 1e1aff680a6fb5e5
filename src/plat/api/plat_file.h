/* Files: read-only maps, and writes that are whole or absent. Functions return 0 or -errno. */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H

#include <stddef.h>
#include <stdint.h>

/* What changes with a file's bytes: the kernel sets `changed`, the time of its inode, at every write, and no program
 * can set it back, as it can `modified`. */
struct plat_file_id {
    uint64_t inode, size;
    int64_t modified_ns, changed_ns; /* since 1970 */
};
int plat_file_id(const char *path, struct plat_file_id *out);

struct plat_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
    struct plat_file_id id; /* as it was opened */
};
int plat_map_open(struct plat_map *m, const char *path); /* regular files only: others give -EINVAL */
void plat_map_close(struct plat_map *m);
/* Pages that lie wholly inside [data, data + size) of a map need not stay in memory; they are read again if used. */
void plat_map_drop(const void *data, size_t size);
void plat_map_prefetch(const struct plat_map *m); /* ask the kernel to read ahead */

/* Write `path` through a temporary file beside it, fsync, rename, fsync of the folder: all or nothing. A device or a
 * pipe is written to as it is. */
int plat_file_write(const char *path, const void *data, size_t n);
/* The same in pieces, for what is too large to be in memory twice; `mode` is the new file's. A failure of begin or
 * end leaves nothing behind; after begin, one of end and abort must come. */
struct plat_new {
    int fd;
    char path[4096], tmp[4096];
};
int plat_new_begin(struct plat_new *f, const char *path, unsigned mode);
int plat_new_add(struct plat_new *f, const void *data, size_t n);
int plat_new_end(struct plat_new *f);
void plat_new_abort(struct plat_new *f);
int plat_dir_make(const char *path);             /* like mkdir -p, mode 0755 */
int64_t plat_disk_free(const char *path);        /* bytes available to us, or -errno */

#endif
