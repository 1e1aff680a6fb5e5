/* Is this device fit to answer? Memory pressure, heat and battery as a reason to route elsewhere, with hysteresis.
 * Any thread may ask; the system is looked at at most once in `every_ms`, by the one that asks. */
#ifndef ROUTE_HEALTH_H
#define ROUTE_HEALTH_H

#include "base_err.h"
#include "plat_sensor.h"
#include "route.h"

/* A state is entered at the first limit and left at the second; between them it stays. */
struct route_health_conf {
    const char *root;  /* "" is the machine; a test gives a folder with its own proc/ and sys/ */
    uint32_t every_ms; /* how old a look may be */
    uint32_t hold_ms;  /* a state lasts at least so long, and heat so long after the last throttling */
    double pressure_enter, pressure_leave; /* percent of 10 s in which some task waited for memory (PSI) */
    double available_enter,
        available_leave; /* percent of memory, the machine's or the control group's, still there */
    double heat_margin_enter, heat_margin_leave; /* degrees below a passive, hot or critical trip point */
    double battery_enter, battery_leave;         /* percent left, while discharging */
};
void route_health_defaults(struct route_health_conf *conf);

/* USAGE: limits that contradict each other. */
int route_health_conf_check(const struct route_health_conf *conf, struct err *e) ERR_CHECK;

struct route_health;
int route_health_new(const struct route_health_conf *conf, struct route_health **out, struct err *e) ERR_CHECK;
void route_health_free(struct route_health *h);
/* Other limits from now on, sound ones; its root and its states stay. */
void route_health_limits(struct route_health *h, const struct route_health_conf *conf);

/* ROUTE_R_MEMORY, ROUTE_R_HEAT, ROUTE_R_BATTERY, or -1 for a device that is fit. What cannot be read counts as fit.
 * `now_ns` is clock_now_ns() (a test gives its own). `facts` may be NULL. */
int route_health_check(struct route_health *h, uint64_t now_ns, struct plat_health *facts);

#endif
