/* Memory facts of the machine and of this process, in bytes; -1 where the system does not say. */
#ifndef PLAT_MEM_H
#define PLAT_MEM_H

#include <stdint.h>

int64_t plat_mem_total(void);
int64_t plat_mem_available(void);  /* MemAvailable, capped by the cgroup's limit */
int64_t plat_mem_resident(void);   /* this process, now */
int64_t plat_mem_peak(void);       /* this process, highest */

#endif
