/* Small files of /proc and /sys, under a root. */
#ifndef PLAT_SENSOR_PRIVATE_H
#define PLAT_SENSOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool plat_read_line(const char *root, const char *path, char *out, size_t n); /* the first, without its newline */
int64_t plat_read_number(const char *root, const char *path);                 /* -1: none */
int64_t plat_read_throttle(const char *root);                                 /* of all cores and packages; -1 */

/* group.c: the control groups of this process, from the innermost to the mounted root, which is called "". */
void plat_groups(const char *root, void (*each)(void *user, const char *root, const char *group), void *user);
bool plat_group_limit(const char *root, const char *group, int64_t *max, int64_t *used); /* of memory; false: none */
int64_t plat_group_memory(const char *root); /* bytes that the narrowest leaves; -1: no limit */
int plat_group_cpus(const char *root);       /* what the narrowest quota amounts to, rounded up; 0: none */

#endif
