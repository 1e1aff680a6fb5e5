/* Energy and heat over a time (task_meter.h). Reads /sys once a second; nothing is kept but the meter. Read next:
 * eval.c, src/plat/sensor.c. */
#include "task_meter.h"
#include "base_clock.h"
#include "plat_sensor.h"

#include <math.h>

static void look(struct task_meter *m)
{
    struct plat_sensors s;
    double now = clock_now_s();
    plat_sensors_read(&s, "");
    if (m->at_uj >= 0 && s.energy_uj >= m->at_uj) {
        m->joules += 1e-6 * (double)(s.energy_uj - m->at_uj);
        m->measured_s += now - m->at_s;
    }
    if (m->throttled0 >= 0 && s.throttle_count >= 0) m->throttled = s.throttle_count - m->throttled0;
    m->hottest = fmax(m->hottest, plat_sensors_hottest(&s));
    m->at_uj = s.energy_uj;
    m->at_s = now;
}

void task_meter_start(struct task_meter *m)
{
    struct plat_sensors s;
    plat_sensors_read(&s, "");
    *m = (struct task_meter){
        .hottest = plat_sensors_hottest(&s), .throttled0 = s.throttle_count, .at_uj = s.energy_uj};
    m->throttled = s.throttle_count >= 0 ? 0 : -1;
    m->start_s = m->at_s = clock_now_s();
}

void task_meter_tick(struct task_meter *m)
{
    if (clock_now_s() - m->at_s >= 1) look(m);
}

double task_meter_stop(struct task_meter *m)
{
    look(m);
    return m->measured_s > 0 ? m->joules / m->measured_s * (m->at_s - m->start_s) : NAN;
}
