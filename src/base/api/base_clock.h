/* Time. Monotonic for durations, real for dates. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);      /* monotonic */
double clock_now_s(void);         /* monotonic, seconds */
int64_t clock_unix_s(void);       /* wall clock */

#endif
