/* Small files of /proc and /sys, under a root. */
#ifndef PLAT_SENSOR_PRIVATE_H
#define PLAT_SENSOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool plat_read_line(const char *root, const char *path, char *out, size_t n); /* the first, without its newline */
int64_t plat_read_number(const char *root, const char *path);                 /* -1: none */
int64_t plat_read_throttle(const char *root);                                 /* of all cores and packages; -1 */

#endif
