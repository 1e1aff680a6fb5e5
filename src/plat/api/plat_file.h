/* Files: read-only maps, and writes that are whole or absent. Functions return 0 or -errno. */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H

#include <stddef.h>
#include <stdint.h>

struct plat_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
};
int plat_map_open(struct plat_map *m, const char *path); /* regular files only: others give -EINVAL */
void plat_map_close(struct plat_map *m);
/* Pages that lie wholly inside [data, data + size) of a map need not stay in memory; they are read again if used. */
void plat_map_drop(const void *data, size_t size);
void plat_map_prefetch(const struct plat_map *m); /* ask the kernel to read ahead */

/* Write `path` through a temporary file beside it, fsync, rename, fsync of the folder: all or nothing. A device or a
 * pipe is written to as it is. */
int plat_file_write(const char *path, const void *data, size_t n);
int plat_dir_make(const char *path);             /* like mkdir -p, mode 0755 */
int64_t plat_disk_free(const char *path);        /* bytes available to us, or -errno */

#endif
