/* Included before every file by the Makefile: calls that have a better replacement do not compile.
 * strcpy and friends: snprintf or buf; atoi: str_to_i64; strtok: str_split. malloc has one door, base_mem.h:
 * tests/lint checks with nm that no object but base/mem.o refers to the allocator. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof

#endif
