/* Energy of all processors while something runs, from RAPL's counter, and what else the sensors say meanwhile. */
#ifndef TASK_METER_H
#define TASK_METER_H

#include <stdint.h>

struct task_meter {
    double hottest;    /* °C, the highest seen; -1000: no zone is readable */
    int64_t throttled; /* times slowed by heat since the start; -1: not readable */
    /* inside */
    double start_s, at_s, measured_s, joules;
    int64_t at_uj, throttled0;
};
void task_meter_start(struct task_meter *m);
void task_meter_tick(struct task_meter *m); /* call it often: it looks once a second */
/* Looks a last time. Joules since the start; NaN: not readable here. The counter wraps: an interval in which it went
 * back is left out, and the mean power of the others stands for it. */
double task_meter_stop(struct task_meter *m);

#endif
